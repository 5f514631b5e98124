// SPDX-License-Identifier: GPL-2.0
/*
 * Free pages back to the system, highest address first, as Go's scavenger
 * does: first-fit fills the heap from below, so what is high is least likely
 * to be wanted soon.
 *
 * The lock is held for at most 512 runtime pages at a time, and while it is
 * nobody can allocate or fault in the pages at hand.  They are unmapped, TLBs
 * included, before their memory is freed.  No memory is allocated: this is
 * also what the kernel's memory reclaim calls.
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
static void release_free(struct arena *a, u64 page, u64 npages,
			 enum release_reason reason)
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
	a->scav.released[reason] += n;
	trace_goheap_release(a, reason, arena_addr(a, first),
			     n << GOHEAP_PAGE_SHIFT, false);
}

/**
 * arena_release_batch() - give some free pages back
 * @a: the arena; its lock is held
 * @npages: runtime pages, at most; never more than a batch
 * @reason: why
 *
 * Context: may sleep; memory reclaim is allowed to call it.
 * Return: runtime pages released; 0 if there is nothing to be released.
 */
u64 arena_release_batch(struct arena *a, u64 npages, enum release_reason reason)
{
	u64 done = 0, page, n;

	lockdep_assert_held(&a->lock);

	if (a->state != ARENA_MAPPED)
		return 0;
	npages = min_t(u64, npages, RELEASE_BATCH);
	while (done < npages &&
	       palloc_find_retained(&a->palloc, PALLOC_NONE, npages - done, &page, &n)) {
		release_free(a, page, n, reason);
		done += n;
	}
	return done;
}

/* Unmap some free pages below *@below, which moves down; 0 when there are none. */
static u64 release_keep_batch(struct arena *a, u64 *below, u64 npages)
{
	u64 budget = RELEASE_BATCH, done = 0, page, n, mapped;

	lockdep_assert_held(&a->lock);

	if (a->state != ARENA_MAPPED)
		*below = 0;
	while (budget && done < npages) {
		if (!palloc_find_retained(&a->palloc, *below, min(budget, npages - done),
					  &page, &n)) {
			*below = 0;
			break;
		}
		mapped = release_unmap(a, page, n);
		if (mapped)
			trace_goheap_release(a, RELEASE_REQUEST, arena_addr(a, page),
					     mapped << GOHEAP_PAGE_SHIFT, true);
		done += mapped;
		*below = page;
		budget -= n;
	}
	return done;
}

/**
 * arena_release() - give free pages back
 * @a: the arena
 * @npages: runtime pages, at most
 * @keep: only unmap them
 * @reason: why
 *
 * Stops early for a process that is being killed or an arena that is not
 * mapped any more.
 *
 * Context: without the lock; may sleep.
 * Return: runtime pages released.
 */
u64 arena_release(struct arena *a, u64 npages, bool keep,
		  enum release_reason reason)
{
	u64 below = PALLOC_NONE, done = 0, n;

	while (below && done < npages && !fatal_signal_pending(current)) {
		mutex_lock(&a->lock);
		if (keep) {
			n = release_keep_batch(a, &below, npages - done);
		} else {
			n = arena_release_batch(a, npages - done, reason);
			if (!n)
				below = 0;
		}
		mutex_unlock(&a->lock);
		done += n;
		cond_resched();
	}
	return done;
}
