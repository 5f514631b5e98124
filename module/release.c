// SPDX-License-Identifier: GPL-2.0
/*
 * Free pages back to the system, highest address first, as Go's scavenger
 * does: first-fit fills the heap from below, so what is high is least likely
 * to be wanted soon.
 *
 * The lock is held for at most 512 runtime pages at a time, and while it is
 * nobody can allocate or fault in the pages at hand.  They are unmapped, TLBs
 * included, before their memory is freed.
 */
#include <linux/sched/signal.h>

#include "arena.h"
#include "trace.h"

/* Runtime pages looked at while the lock is held. */
#define RELEASE_BATCH	512

/* Pages of a chunk's segment that are mapped, counted; then not mapped. */
static u64 release_mark_unmapped(struct segment *s)
{
	unsigned int w;
	u64 n = 0;

	for (w = s->word; w <= s->last_word; w++) {
		unsigned long mask = segment_mask(s, w);

		n += hweight_long(mask & ~s->c->unmapped[w]);
		s->c->unmapped[w] |= mask;
	}
	return n;
}

/* Unmap free pages; returns how many were mapped. */
static u64 release_unmap(struct arena *a, u64 page, u64 npages)
{
	u64 first = page, n = npages, mapped = 0;
	struct segment s;

	while (segment_next(a, &s, &page, &npages))
		mapped += release_mark_unmapped(&s);
	if (mapped)
		map_zap(a, first, n);
	a->kept += mapped;
	return mapped;
}

/* Free the memory behind free pages. */
static void release_free(struct arena *a, u64 page, u64 npages)
{
	u64 first = page, n = npages;
	struct segment s;

	release_unmap(a, page, npages);
	track_changed(a, page, npages);
	while (segment_next(a, &s, &page, &npages)) {
		memory_free(a, &s);
		bitmap_clear(s.c->unmapped, s.first, s.end - s.first);
	}
	palloc_set_released(&a->palloc, first, n);
	a->kept -= n;
	a->backed -= n;
	a->freed += n;
	trace_goheap_release(a, RELEASE_REQUEST, arena_addr(a, first),
			     n << GOHEAP_PAGE_SHIFT, false);
}

/**
 * arena_release() - give free pages back
 * @a: the arena
 * @npages: runtime pages, at most
 * @keep: only unmap them
 *
 * Stops early for a process that is being killed or an arena that is not
 * mapped any more.
 *
 * Context: without the lock; may sleep.
 * Return: runtime pages released.
 */
u64 arena_release(struct arena *a, u64 npages, bool keep)
{
	u64 below = PALLOC_NONE, done = 0;
	bool more = true;

	while (more && done < npages && !fatal_signal_pending(current)) {
		u64 budget = RELEASE_BATCH, page, n;

		mutex_lock(&a->lock);
		more = a->state == ARENA_MAPPED;
		while (more && budget && done < npages) {
			more = palloc_find_retained(&a->palloc, below,
						    min(budget, npages - done),
						    &page, &n);
			if (!more)
				break;
			if (keep) {
				u64 mapped = release_unmap(a, page, n);

				done += mapped;
				if (mapped)
					trace_goheap_release(a, RELEASE_REQUEST,
							     arena_addr(a, page),
							     mapped << GOHEAP_PAGE_SHIFT,
							     true);
			} else {
				release_free(a, page, n);
				done += n;
			}
			below = page;
			budget -= n;
		}
		mutex_unlock(&a->lock);
		cond_resched();
	}
	return done;
}
