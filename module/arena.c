// SPDX-License-Identifier: GPL-2.0
/*
 * An arena's life: created when the device is opened, attached to a range of
 * addresses by mmap(), grown chunk by chunk as spans are allocated, torn down
 * when its VMA goes.
 *
 * Teardown gives everything back at once, but for one case: a request that has
 * spans in transit works on its pages without the lock, so the last such
 * request does the teardown in the VMA's place.  It cannot be waited for:
 * it may itself be waiting for the mmap_lock that munmap() holds.
 *
 * Growth takes its memory before the lock: arena_grow() says -EAGAIN and what
 * it wants, arena_growth_prepare() gets that without the lock, and the caller
 * tries again.  What remains unused is thrown away at the end of the request.
 */
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "arena.h"
#include "trace.h"

/*
 * Chunks prepared at most for the spans of a batch that are still to come.  It
 * spares most of the repetitions, and is no great loss if one of those spans
 * is then refused.
 */
#define GROW_AHEAD	64

static struct kmem_cache *arena_cache;
static struct kmem_cache *chunk_cache;
static atomic_t arenas = ATOMIC_INIT(0);

/* All arenas by arena::id, for those who want to see them all. */
static DEFINE_XARRAY_ALLOC1(arena_ids);

/**
 * arena_cache_init() - make the caches, and the lists that what is in them is on
 *
 * Return: 0 or -ENOMEM.
 */
int arena_cache_init(void)
{
	if (shrink_init())
		return -ENOMEM;
	if (pressure_init())
		goto out_shrink;
	arena_cache = kmem_cache_create("goheap_arena", sizeof(struct arena), 0,
					SLAB_ACCOUNT, NULL);
	if (!arena_cache)
		goto out_pressure;
	chunk_cache = kmem_cache_create("goheap_chunk", sizeof(struct chunk), 0,
					SLAB_ACCOUNT, NULL);
	if (!chunk_cache)
		goto out_arena;
	return 0;

out_arena:
	kmem_cache_destroy(arena_cache);
out_pressure:
	pressure_exit();
out_shrink:
	shrink_exit();
	return -ENOMEM;
}

/**
 * arena_cache_exit() - undo arena_cache_init()
 */
void arena_cache_exit(void)
{
	/* Arenas that have still to be freed. */
	rcu_barrier();
	kmem_cache_destroy(chunk_cache);
	chunk_cache = NULL;
	kmem_cache_destroy(arena_cache);
	pressure_exit();
	shrink_exit();
}

/**
 * arena_cache_exists() - has arena_cache_init() been called?
 *
 * Return: whether chunk descriptors can be made.
 */
bool arena_cache_exists(void)
{
	return chunk_cache;
}

/**
 * arena_count() - number of arenas that exist
 *
 * Return: the number.
 */
unsigned int arena_count(void)
{
	return atomic_read(&arenas);
}

static void *tables_zalloc(size_t bytes)
{
	return kvzalloc(bytes, GOHEAP_GFP);
}

static void tables_free(void *p, size_t bytes)
{
	kvfree(p);
}

static void tables_relax(void)
{
	cond_resched();
}

static const struct palloc_ops palloc_ops = {
	.zalloc	= tables_zalloc,
	.free	= tables_free,
	.relax	= tables_relax,
};

static void arena_free_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(arena_cache, container_of(rcu, struct arena, rcu));
}

static void arena_free(struct arena *a)
{
	struct heap *h = a->heap;

	WARN_ON_ONCE(a->state == ARENA_MAPPED || a->inflight);
	pressure_unwatch(a);

	xa_erase(&arena_ids, a->id);
	mutex_lock(&h->lock);
	list_del_rcu(&a->relatives);
	mutex_unlock(&h->lock);

	if (a->mm) {
		mem_cgroup_put(a->memcg);
		mmdrop(a->mm);
	}
	mutex_destroy(&a->lock);
	call_rcu(&a->rcu, arena_free_rcu);
	atomic_dec(&arenas);
	heap_put(h);
}

static void arena_free_work(struct work_struct *work)
{
	arena_free(container_of(work, struct arena, free_work));
}

/**
 * arena_create() - make an arena
 * @h: the heap that it joins
 * @mm: who may use it; NULL in tests
 *
 * Return: the arena, with one reference, or an ERR_PTR.
 */
struct arena *arena_create(struct heap *h, struct mm_struct *mm)
{
	static u32 next_id;
	struct arena *a;
	int err;

	a = kmem_cache_alloc_lru(arena_cache, &pressure_lru, GOHEAP_GFP | __GFP_ZERO);
	if (!a)
		return ERR_PTR(-ENOMEM);

	/* Nobody finds it before it is complete. */
	err = xa_alloc_cyclic(&arena_ids, &a->id, NULL, xa_limit_32b, &next_id,
			      GFP_KERNEL);
	if (err < 0) {
		kmem_cache_free(arena_cache, a);
		return ERR_PTR(err);
	}

	heap_get(h);
	a->heap = h;
	a->inode = h->inode;
	if (!mm || mm == current->mm)
		a->pid = task_tgid_nr(current);
	refcount_set(&a->ref, 1);
	INIT_WORK(&a->free_work, arena_free_work);
	INIT_LIST_HEAD(&a->pressure.lru);
	mutex_init(&a->lock);
	scavenge_init(a);
	if (mm) {
		mmgrab(mm);
		/* A child that is being forked is in no cgroup yet. */
		a->memcg = get_mem_cgroup_from_mm(current->mm);
	}
	a->mm = mm;
	atomic_inc(&arenas);

	mutex_lock(&h->lock);
	if (!h->id)
		h->id = a->id;
	list_add_tail_rcu(&a->relatives, &h->arenas);
	mutex_unlock(&h->lock);

	/* The entry is there: this takes no memory. */
	xa_store(&arena_ids, a->id, a, 0);
	pressure_watch(a);
	return a;
}

/**
 * arena_next() - walk all arenas in the order of their numbers
 * @id: number to begin with; set to that of the arena that is found
 *
 * Context: may be called while arenas come and go; those that do may be missed.
 * Return: the arena, with a reference for arena_put(), or NULL at the end.
 */
struct arena *arena_next(unsigned long *id)
{
	struct arena *a;

	rcu_read_lock();
	a = xa_find(&arena_ids, id, ULONG_MAX, XA_PRESENT);
	while (a && !refcount_inc_not_zero(&a->ref))
		a = xa_find_after(&arena_ids, id, ULONG_MAX, XA_PRESENT);
	rcu_read_unlock();
	return a;
}

/**
 * arena_put() - drop a reference
 * @a: the arena; gone if this was the last, and then it is not mapped
 *
 * Context: may sleep; without locks.
 */
void arena_put(struct arena *a)
{
	if (refcount_dec_and_test(&a->ref))
		arena_free(a);
}

/**
 * arena_put_async() - drop a reference where the arena must not be freed
 * @a: the arena
 *
 * Context: any, memory reclaim among them.
 */
void arena_put_async(struct arena *a)
{
	if (refcount_dec_and_test(&a->ref))
		queue_work(goheap_wq, &a->free_work);
}

/**
 * arena_tables_init() - the page allocator's tables
 * @a: the arena, in state ARENA_OPENED
 * @bytes: its length
 *
 * From now on the arena counts as one that has a heap; arena_detach() ends that.
 *
 * Context: charges the active cgroup.
 * Return: 0 or -ENOMEM.
 */
int arena_tables_init(struct arena *a, u64 bytes)
{
	int err = palloc_init(&a->palloc, bytes >> GOHEAP_CHUNK_SHIFT, &palloc_ops);

	if (!err)
		atomic_inc(&a->heap->nr_mapped);
	return err;
}

/**
 * arena_attach() - give an arena its range of addresses
 * @a: the arena, in state ARENA_OPENED
 * @base: first address
 * @bytes: length, a multiple of GOHEAP_CHUNK_SIZE
 *
 * Context: the caller holds the mmap_lock of arena::mm for writing, so that
 * only one of them does this.
 * Return: 0 or -ENOMEM.
 */
int arena_attach(struct arena *a, unsigned long base, u64 bytes)
{
	struct mem_cgroup *old;
	int err;

	old = set_active_memcg(a->memcg);
	err = arena_tables_init(a, bytes);
	set_active_memcg(old);
	if (err)
		return err;

	mutex_lock(&a->lock);
	palloc_set_policy(&a->palloc, (enum palloc_policy)a->scav.policy);
	a->base = base;
	a->bytes = bytes;
	a->vmas = 1;
	/* How far a fault's page or a truncation may reach. */
	i_size_write(a->inode, bytes);
	a->state = ARENA_MAPPED;
	mutex_unlock(&a->lock);
	return 0;
}

static void arena_teardown(struct arena *a)
{
	u64 i, backed = 0;

	lockdep_assert_held(&a->lock);

	for (i = 0; i < a->palloc.nr_chunks; i++) {
		u64 page = i << PALLOC_CHUNK_SHIFT, n = PALLOC_CHUNK_PAGES, has;
		struct segment s;

		segment_next(a, &s, &page, &n);
		has = PALLOC_CHUNK_PAGES -
		      bitmap_weight(s.c->pc.released, PALLOC_CHUNK_PAGES);
		if (has)
			trace_goheap_release(a, RELEASE_CLOSE, arena_addr(a, s.page),
					     has << GOHEAP_PAGE_SHIFT, false);
		backed += has;
		memory_free(a, &s);
		shrink_forget_chunk(s.c);
		kmem_cache_free(chunk_cache, s.c);
		cond_resched();
	}
	WARN_ON_ONCE(backed != a->backed);
	palloc_destroy(&a->palloc);

	a->freed += backed;
	a->grown = 0;
	a->inuse = 0;
	a->backed = 0;
	a->kept = 0;
	a->spans = 0;
	a->nr_shared = 0;
	/* Who sees this sees the owners that were taken off the pages. */
	atomic_fetch_dec_release(&a->heap->nr_mapped);
}

/**
 * arena_detach() - the arena's VMA is gone: give everything back
 * @a: the arena, after arena_tables_init()
 *
 * Context: the caller holds the mmap_lock of arena::mm.
 */
void arena_detach(struct arena *a)
{
	mutex_lock(&a->lock);
	a->state = ARENA_CLOSED;
	if (!a->inflight)
		arena_teardown(a);
	mutex_unlock(&a->lock);
	scavenge_stop(a);
}

/**
 * arena_request_begin() - a request has spans in transit from now on
 * @a: the arena, in state ARENA_MAPPED
 */
void arena_request_begin(struct arena *a)
{
	lockdep_assert_held(&a->lock);
	a->inflight++;
}

/**
 * arena_request_end() - undo arena_request_begin()
 * @a: the arena; torn down here if its VMA went in the meantime
 */
void arena_request_end(struct arena *a)
{
	lockdep_assert_held(&a->lock);
	if (!--a->inflight && a->state == ARENA_CLOSED)
		arena_teardown(a);
}

/* Blocks that palloc wants before it gets @n chunks more. */
static u64 blocks_needed(const struct arena *a, u64 n)
{
	const struct palloc *p = &a->palloc;
	u64 c, count = 0;

	for (c = round_up(p->nr_chunks, PALLOC_BLOCK_CHUNKS);
	     c < p->nr_chunks + n; c += PALLOC_BLOCK_CHUNKS)
		count += palloc_wants_block(p, c);
	return count;
}

/**
 * arena_growth_take() - take a chunk out of what was prepared
 * @a: the arena; gets the block that the chunk belongs to
 * @g: prepared memory, enough of it
 *
 * Return: the chunk, otherwise zeroed, for palloc_add_chunk() or palloc_adopt_chunk().
 */
struct chunk *arena_growth_take(struct arena *a, struct arena_growth *g)
{
	struct palloc *p = &a->palloc;
	struct chunk *c = g->chunks;

	if (palloc_wants_block(p, p->nr_chunks)) {
		void **block = g->blocks;

		g->blocks = *block;
		g->nr_blocks--;
		*block = NULL;	/* all zeroes again */
		palloc_add_block(p, block);
	}
	g->chunks = c->next;
	g->nr_chunks--;
	c->next = NULL;
	c->arena = a;
	return c;
}

/**
 * arena_grow() - add chunks so that a span finds room
 * @a: the arena
 * @npages: the span's length, runtime pages
 * @ahead: runtime pages that the same request will want after it
 * @g: prepared memory
 *
 * Return: 0: palloc_alloc() of @npages will succeed.  -EAGAIN: call
 * arena_growth_prepare() without the lock, then try again.  -ENOMEM: the
 * arena is too small, or its hard limit.
 */
int arena_grow(struct arena *a, u64 npages, u64 ahead, struct arena_growth *g)
{
	struct palloc *p = &a->palloc;
	u64 n, blocks;

	lockdep_assert_held(&a->lock);

	n = palloc_chunks_needed(p, npages);
	if (n == PALLOC_NONE)
		return -ENOMEM;
	if (!n)
		return 0;

	blocks = blocks_needed(a, n);
	if (g->nr_chunks < n || g->nr_blocks < blocks) {
		g->least = ((n - 1) << PALLOC_CHUNK_SHIFT) + 1;
		if (a->inuse + g->least > a->scav.hard_limit >> GOHEAP_PAGE_SHIFT)
			return -ENOMEM;
		g->want_chunks = min(n + min_t(u64, ahead >> PALLOC_CHUNK_SHIFT,
					       GROW_AHEAD),
				     p->max_chunks - p->nr_chunks);
		g->want_blocks = blocks_needed(a, g->want_chunks);
		return -EAGAIN;
	}

	while (n--)
		palloc_add_chunk(p, &arena_growth_take(a, g)->pc);
	return 0;
}

/**
 * arena_growth_prepare() - get the memory that arena_grow() asked for
 * @a: the arena
 * @g: what is wanted, and where it goes
 *
 * Context: without the lock; may sleep.  Charges the active cgroup.
 * Return: 0, -ENOMEM or -EINTR; what was prepared stays in @g.
 */
int arena_growth_prepare(struct arena *a, struct arena_growth *g)
{
	/*
	 * A terabyte's descriptors are a gigabyte: have none of them made for
	 * a request that the limit will refuse.
	 */
	if (g->least && !memory_would_fit(g->least * SUBPAGES))
		return -ENOMEM;

	while (g->nr_chunks < g->want_chunks) {
		struct chunk *c = kmem_cache_alloc_lru(chunk_cache, &shrink_lru,
						       GOHEAP_GFP | __GFP_ZERO);

		if (!c)
			return -ENOMEM;
		INIT_LIST_HEAD(&c->lru);
		c->next = g->chunks;
		g->chunks = c;
		g->nr_chunks++;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	while (g->nr_blocks < g->want_blocks) {
		void **block = tables_zalloc(palloc_block_bytes());

		if (!block)
			return -ENOMEM;
		*block = g->blocks;
		g->blocks = block;
		g->nr_blocks++;
	}
	return 0;
}

/**
 * arena_growth_discard() - throw away prepared memory that was not used
 * @g: empty afterwards
 */
void arena_growth_discard(struct arena_growth *g)
{
	while (g->chunks) {
		struct chunk *c = g->chunks;

		g->chunks = c->next;
		kmem_cache_free(chunk_cache, c);
	}
	while (g->blocks) {
		void **block = g->blocks;

		g->blocks = *block;
		tables_free(block, palloc_block_bytes());
	}
	g->nr_chunks = 0;
	g->nr_blocks = 0;
}
