// SPDX-License-Identifier: GPL-2.0
/*
 * Free pages back when the system, or the cgroup, is short of memory.
 *
 * Chunks that may hold free pages with memory behind them are on a list_lru.  A
 * chunk's descriptor is charged to the same cgroup as the memory behind it, so
 * the list is kept by cgroup (and node) by the kernel's own code, and a cgroup
 * that is short of memory finds its own chunks and no others.
 *
 * A chunk stands on the list for its arena: what is released is not the chunk's
 * own pages, but the same amount from the arena's highest address down, as
 * everywhere.  Each chunk with something to release is on the list, so all of
 * them together still stand for all that can be released.  A chunk gets on the
 * list when a span in it is freed, and off when it is looked at and has nothing;
 * so a span that is freed only has to look at one flag.
 *
 * Counted in system pages, each chunk as if all of it were free: too much is
 * asked for, and that is well.  The memory is of no use to anybody as it is,
 * and getting it back takes no I/O (shrinker::seeks of 0): half of what there is
 * goes each time reclaim passes by.
 *
 * Reclaim may run in a process that holds any of our locks, or waits for one
 * that this process holds: here arena::lock is only tried.  An arena that is
 * tried in vain is passed over.  The arena is found under the lru lock, which
 * its teardown takes too, so it is there; a reference keeps it while that lock
 * is not held.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "arena.h"
#include "compat.h"
#include "trace.h"

struct list_lru shrink_lru;
static struct shrinker *shrinker;

/* How a scan goes. */
struct shrink_walk {
	unsigned long chunks;	/* looked at */
	unsigned long freed;	/* system pages */
};

static bool chunk_retains(const struct chunk *c)
{
	unsigned int w;

	for (w = 0; w < BITS_TO_LONGS(PALLOC_CHUNK_PAGES); w++)
		if (~(c->pc.used[w] | c->pc.released[w]))
			return true;
	return false;
}

static enum lru_status shrink_chunk(struct list_head *item, struct list_lru_one *list,
				    spinlock_t *lru_lock, void *arg)
	__must_hold(lru_lock)
{
	struct chunk *c = container_of(item, struct chunk, lru);
	struct shrink_walk *walk = arg;
	struct arena *a = c->arena;

	walk->chunks++;
	if (!mutex_trylock(&a->lock))
		return LRU_ROTATE;
	if (!(a->scav.triggers & GOHEAP_SCAVENGE_PRESSURE) ||
	    !refcount_inc_not_zero(&a->ref)) {
		mutex_unlock(&a->lock);
		return LRU_ROTATE;
	}
	list_lru_isolate(list, item);
	spin_unlock(lru_lock);

	c->listed = false;
	if (arena_retained(a))
		trace_goheap_scavenge(a, RELEASE_PRESSURE, a->inuse << GOHEAP_PAGE_SHIFT,
				      arena_retained(a) << GOHEAP_PAGE_SHIFT, 0,
				      GOHEAP_CHUNK_SIZE);
	walk->freed += SUBPAGES * arena_release_batch(a, PALLOC_CHUNK_PAGES,
						      RELEASE_PRESSURE);
	if (chunk_retains(c))
		shrink_list_chunk(c);
	mutex_unlock(&a->lock);
	arena_put_async(a);

	spin_lock(lru_lock);
	return LRU_REMOVED_RETRY;
}

static unsigned long shrink_count(struct shrinker *s, struct shrink_control *sc)
{
	return list_lru_shrink_count(&shrink_lru, sc) * CHUNK_SYSTEM_PAGES ?: SHRINK_EMPTY;
}

static unsigned long shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long chunks = DIV_ROUND_UP(sc->nr_to_scan, CHUNK_SYSTEM_PAGES);
	struct shrink_walk walk = { };

	list_lru_walk_one(&shrink_lru, sc->nid, sc->memcg, shrink_chunk, &walk, &chunks);
	/* Others were faster.  Without this, who asked would ask for ever. */
	if (!walk.chunks)
		return SHRINK_STOP;
	sc->nr_scanned = walk.chunks * CHUNK_SYSTEM_PAGES;
	mm_account_reclaimed_pages(walk.freed);
	return walk.freed;
}

/**
 * shrink_list_chunk() - a chunk may hold something to release from now on
 * @c: the chunk, part of an arena, the lock of which is held
 */
void shrink_list_chunk(struct chunk *c)
{
	lockdep_assert_held(&c->arena->lock);
	c->listed = true;
	list_lru_add_obj(&shrink_lru, &c->lru);
}

/**
 * shrink_forget_chunk() - a chunk is going to be freed
 * @c: the chunk, part of an arena, the lock of which is held
 */
void shrink_forget_chunk(struct chunk *c)
{
	lockdep_assert_held(&c->arena->lock);
	if (c->listed)
		list_lru_del_obj(&shrink_lru, &c->lru);
	c->listed = false;
}

/**
 * shrink_init() - make the list and the shrinker
 *
 * Return: 0 or -ENOMEM.
 */
int shrink_init(void)
{
	static const struct lru_shrinker_ops ops = {
		.name	= "goheap-pages",
		.count	= shrink_count,
		.scan	= shrink_scan,
		.seeks	= 0,
		/* So that one chunk alone is also looked at. */
		.batch	= CHUNK_SYSTEM_PAGES / 2,
	};

	shrinker = lru_shrinker_create(&shrink_lru, &ops);
	return shrinker ? 0 : -ENOMEM;
}

/**
 * shrink_exit() - undo shrink_init()
 */
void shrink_exit(void)
{
	lru_shrinker_destroy(shrinker, &shrink_lru);
}
