// SPDX-License-Identifier: GPL-2.0
/*
 * fork(): the child gets an arena of its own, a copy of its parent's.
 *
 * The moment is vm_operations_struct::open of the child's VMA, in dup_mmap():
 * both mmap_locks are held for writing, so nobody in the parent can fault a page
 * in or map a span, and the child does not run yet.  VM_WIPEONFORK keeps the
 * core from copying page tables, as it would for any other VMA; instead the
 * arena is copied, and the child finds its pages by faults, many at a time.
 *
 *  - The parent's lock is held while all its chunks are copied, so the copy is
 *    the heap as it was at one moment.
 *  - Pages of spans get one more owner (memory.c) and are protected from
 *    writing in the parent; who writes to one first gets a copy (cow.c).
 *  - Free pages have no memory in the child, and spans that are in transit in
 *    the parent are free in the child: nobody there waits for them.
 *  - A page to which somebody holds a reference of another kind (a device that
 *    reads or writes it, a pipe) stays the parent's, which has promised it, and
 *    the child gets a copy at once.
 *  - The child's page tables are made here, so that later only the copies need
 *    memory, and who cannot have one is the one who asked for it: SIGBUS.
 *
 * open() cannot fail.  If there is no memory for the copy, the child has a VMA
 * without an arena, in which every access is SIGBUS; a child that goes on to
 * exec() does not notice.
 *
 * Protecting.  The entries lose their dirty bits with their write bits, as those
 * of any mapping with page_mkwrite() do: what is dirty counts as notified, and
 * mprotect() or userfaultfd make it writable again without a fault.  The dirt
 * goes to the pages, where it is looked for as well.  TLBs are flushed by
 * dup_mmap() at its end.  get_user_pages_fast() does not look at the mmap_lock:
 * it takes its reference and then looks at the entry again, while here the entry
 * is changed first and the references are looked at then.
 *
 * Shared mode.  From the first fork on a VMA has vm_operations with
 * page_mkwrite(), and maps read-only what others own too.  It goes back to the
 * plain ones when no relative has a heap any more, none has left a mark on a page
 * (memory.c), and a request has work to do in the page tables anyway.
 */
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>

#include "arena.h"
#include "compat.h"
#include "trace.h"

/* Copies made ready beyond those that were seen to be needed. */
#define PINNED_SPARE	16

/* Times that fork() looks again when more pages than that turn up. */
#define PINNED_TRIES	8

/**
 * struct fork - a copy of an arena being made
 * @parent: the arena
 * @child: its copy
 * @vma: the child's VMA
 * @parent_vma: the parent's
 * @growth: the child's descriptors
 * @spare: pages for copies, linked by page_private()
 * @missing: how many more there should have been
 * @nr_shared: system pages that both have now
 * @nr_copied: system pages copied
 */
struct fork {
	struct arena *parent;
	struct arena *child;
	struct vm_area_struct *vma;
	struct vm_area_struct *parent_vma;
	struct arena_growth growth;
	struct page *spare;
	u64 missing;
	u64 nr_shared;
	u64 nr_copied;
};

static struct page *spare_pop(struct fork *f)
{
	struct page *page = f->spare;

	if (page) {
		f->spare = (struct page *)page_private(page);
		set_page_private(page, 0);
	}
	return page;
}

/* Get @n pages for copies. */
static int spare_fill(struct fork *f, u64 n)
{
	while (n--) {
		struct page *page = memory_page_new(f->child);

		if (!page)
			return -ENOMEM;
		set_page_private(page, (unsigned long)f->spare);
		f->spare = page;
	}
	return 0;
}

static void spare_free(struct fork *f)
{
	struct page *page;

	while ((page = spare_pop(f)))
		memory_page_drop(f->child, page, 0);
}

/* One page table entry of the parent loses the right to write. */
static int protect_pte(pte_t *ptep, unsigned long addr, void *data)
{
	struct mm_struct *mm = data;
	pte_t pte = *ptep;

	if (!pte_present(pte) || !(pte_write(pte) || pte_dirty(pte)))
		return 0;
	/* The processor may set the dirty bit as long as the entry is there. */
	pte = ptep_get_and_clear(mm, addr, ptep);
	if (pte_dirty(pte))
		SetPageDirty(pte_page(pte));
	set_pte_at(mm, addr, ptep, pte_wrprotect(pte_mkclean(pte)));
	return 0;
}

/* The parent may only read these pages from now on. */
static void protect(struct fork *f, u64 page, u64 npages)
{
	struct mm_struct *mm = f->parent->mm;
	unsigned long addr = arena_addr(f->parent, page);

	/* Whoever follows this mm's page tables is told by the core only. */
	if (mm_has_notifiers(mm))
		map_zap(f->parent, page, npages);
	else
		apply_to_existing_page_range(mm, addr, npages << GOHEAP_PAGE_SHIFT,
					     protect_pte, mm);
}

static u32 copy_pinned(struct fork *f, struct page *page)
{
	struct page *copy = spare_pop(f);

	if (!copy) {
		f->missing++;
		return 0;
	}
	copy_highpage(copy, page);
	f->nr_copied++;
	return page_to_pfn(copy);
}

static void copy_chunk(struct fork *f, u64 page, const struct chunk *from,
		       struct chunk *to)
{
	unsigned int w, first, end, i;

	for (w = 0; w < BITS_TO_LONGS(PALLOC_CHUNK_PAGES); w++) {
		unsigned long used = from->pc.used[w] & ~from->busy[w];

		to->pc.used[w] = used;
		to->pc.start[w] = from->pc.start[w] & used;
		to->pc.released[w] = ~used;
	}
	for_each_set_bitrange(first, end, to->pc.used, PALLOC_CHUNK_PAGES) {
		protect(f, page + first, end - first);
		/* Entries before references: see get_user_pages_fast() above. */
		smp_mb();
		for (i = first * SUBPAGES; i < end * SUBPAGES; i++) {
			struct page *p = pfn_to_page(from->pfn[i]);

			/*
			 * Who gets a page to write to it has it to himself; what is
			 * shared already can only have readers.
			 */
			if (unlikely(!memory_page_shared(p) && memory_page_referenced(p, 0))) {
				to->pfn[i] = copy_pinned(f, p);
				if (to->pfn[i])
					trace_goheap_copy(f->child, COPY_PINNED,
							  arena_addr(f->parent, page) +
							  (i << PAGE_SHIFT), PAGE_SIZE, 0);
			} else {
				memory_page_share(p);
				to->pfn[i] = from->pfn[i];
				f->nr_shared++;
			}
		}
	}
}

/* The child's figures begin with what it has, as if it had just got that. */
static void copy_figures(struct arena *c, const struct arena *a)
{
	c->base = a->base;
	c->bytes = a->bytes;
	c->vmas = 1;
	c->grown = c->palloc.nr_chunks;
	c->inuse = c->palloc.nr_used;
	c->backed = c->palloc.nr_used;
	c->spans = a->spans;
	c->span_allocs = a->spans;
	c->fresh = c->backed;
}

/* Copy all chunks; -EAGAIN: descriptors are wanted first. */
static int copy_chunks(struct fork *f)
{
	struct arena *a = f->parent, *c = f->child;
	u64 i;

	lockdep_assert_held(&a->lock);
	lockdep_assert_held(&c->lock);

	if (a->state != ARENA_MAPPED)
		return -ENXIO;
	if (f->growth.nr_chunks < a->grown) {
		f->growth.want_chunks = a->grown;
		f->growth.want_blocks = DIV_ROUND_UP(a->grown, PALLOC_BLOCK_CHUNKS);
		return -EAGAIN;
	}

	scavenge_copy(c, a);
	palloc_set_policy(&c->palloc, a->palloc.policy);
	for (i = 0; i < a->grown; i++) {
		struct chunk *to = arena_growth_take(c, &f->growth);
		u64 page = i << PALLOC_CHUNK_SHIFT;

		copy_chunk(f, page, arena_chunk(a, page), to);
		palloc_adopt_chunk(&c->palloc, &to->pc);
		cond_resched();
	}
	palloc_flush(&c->palloc);

	copy_figures(c, a);
	c->nr_shared = f->nr_shared;
	return 0;
}

/* The table that @addr needs, in the child. */
static int make_table(struct fork *f, unsigned long addr)
{
	struct page *headroom = alloc_page(GOHEAP_GFP);
	unsigned int flags;
	int err;

	if (!headroom)
		return -ENOMEM;
	__free_page(headroom);

	/* As map.c does it: over the limit by a page sooner than kill. */
	flags = memalloc_noreclaim_save();
	err = apply_to_page_range(f->child->mm, addr, PAGE_SIZE, NULL, NULL);
	memalloc_noreclaim_restore(flags);
	return err;
}

/* Page tables for everything that the child has. */
static int make_tables(struct fork *f)
{
	struct arena *c = f->child;
	u64 i;

	for (i = 0; i < c->palloc.nr_chunks; i++) {
		u64 page = i << PALLOC_CHUNK_SHIFT;
		struct chunk *to = arena_chunk(c, page);
		unsigned long base = arena_addr(c, page);
		unsigned int first, end;

		for_each_set_bitrange(first, end, to->pc.used, PALLOC_CHUNK_PAGES) {
			unsigned long addr = arena_addr(c, page + first);
			unsigned long last = arena_addr(c, page + end) - 1;

			for (; addr <= last; addr = (addr & PMD_MASK) + PMD_SIZE) {
				int t = (addr >> PMD_SHIFT) - (base >> PMD_SHIFT);

				if (test_bit(t, &to->tables))
					continue;
				if (make_table(f, addr))
					return -ENOMEM;
				set_bit(t, &to->tables);
			}
		}
		cond_resched();
	}
	return 0;
}

static int copy_arena(struct fork *f)
{
	struct arena *a = f->parent;
	int err;

	for (;;) {
		mutex_lock(&a->lock);
		/* It can be looked at from outside, but is used by nobody yet. */
		mutex_lock_nested(&f->child->lock, SINGLE_DEPTH_NESTING);
		err = copy_chunks(f);
		mutex_unlock(&f->child->lock);
		mutex_unlock(&a->lock);
		if (err != -EAGAIN)
			break;
		err = arena_growth_prepare(f->child, &f->growth);
		if (err)
			return err;
	}
	if (!err && !f->missing)
		err = make_tables(f);
	return err;
}

/* Try to make the copy; -EAGAIN: with more pages for copies it may succeed. */
static int fork_try(struct fork *f)
{
	struct mem_cgroup *old;
	struct arena *c;
	int err;

	c = arena_create(f->parent->heap, f->vma->vm_mm);
	if (IS_ERR(c))
		return PTR_ERR(c);
	f->child = c;
	f->nr_shared = 0;
	f->nr_copied = 0;
	f->growth = (struct arena_growth) {};

	old = set_active_memcg(c->memcg);
	err = spare_fill(f, f->missing);
	f->missing = 0;
	if (err)
		goto out;
	err = arena_tables_init(c, f->parent->bytes);
	if (err)
		goto out;
	err = copy_arena(f);
	if (!err && f->missing) {
		/* The copies of this try are gone, and more pages may turn up. */
		f->missing += f->nr_copied;
		f->missing += f->missing / 4 + PINNED_SPARE;
		err = -EAGAIN;
	}
	if (err) {
		arena_detach(c);
	} else {
		mutex_lock(&c->lock);
		c->state = ARENA_MAPPED;
		mutex_unlock(&c->lock);
	}
out:
	arena_growth_discard(&f->growth);
	spare_free(f);
	set_active_memcg(old);
	if (err)
		arena_put(c);
	return err;
}

/**
 * arena_fork() - a forked child gets its VMA: give it an arena
 * @vma: the child's VMA, a copy of the parent's in every field but vm_mm
 *
 * Context: called from dup_mmap(), the mmap_locks of both held for writing.
 */
void arena_fork(struct vm_area_struct *vma)
{
	struct arena *a = vma->vm_private_data;
	struct fork f = { .parent = a, .vma = vma };
	bool wiped = vma->vm_flags & VM_WIPEONFORK;
	unsigned int tries = PINNED_TRIES;
	int err;

	vma->vm_private_data = NULL;
	arena_vma_set_shared(vma, true);
	/*
	 * The parent's may have lost the flag by MADV_KEEPONFORK.  Where the page
	 * tables are copied after this, it prevents that; where they were copied
	 * before, they are emptied.
	 */
	vm_flags_set(vma, VM_WIPEONFORK);
	if (!wiped)
		unmap_mapping_range(vma->vm_file->f_mapping, 0, 0, 1);
	if (!a)
		return;

	f.parent_vma = vma_lookup(a->mm, a->base);
	if (WARN_ON_ONCE(!f.parent_vma || f.parent_vma->vm_private_data != a))
		return;
	do {
		err = fork_try(&f);
	} while (err == -EAGAIN && tries--);
	trace_goheap_fork(a, err ? 0 : f.child->id, f.nr_shared << PAGE_SHIFT,
			  f.nr_copied << PAGE_SHIFT, err);
	if (err)
		return;

	arena_vma_set_shared(f.parent_vma, true);
	f.child->shared = true;
	vma->vm_private_data = f.child;

	mutex_lock(&a->lock);
	WRITE_ONCE(a->shared, true);
	a->nr_shared = f.nr_shared;
	a->forks++;
	mutex_unlock(&a->lock);
}

/**
 * arena_unshare() - leave shared mode if no relative has a heap any more
 * @a: the arena, in a request of its process
 *
 * Context: without locks; may sleep.
 */
void arena_unshare(struct arena *a)
{
	struct vm_area_struct *vma;

	if (likely(!READ_ONCE(a->shared)) || !heap_alone(a->heap) ||
	    READ_ONCE(a->heap->marked) || mmap_write_lock_killable(a->mm))
		return;
	vma = vma_lookup(a->mm, a->base);
	/* A fork since then would have held this lock. */
	if (vma && vma->vm_private_data == a && heap_alone(a->heap) &&
	    !READ_ONCE(a->heap->marked)) {
		arena_vma_set_shared(vma, false);
		mutex_lock(&a->lock);
		WRITE_ONCE(a->shared, false);
		a->nr_shared = 0;
		mutex_unlock(&a->lock);
	}
	mmap_write_unlock(a->mm);
}
