// SPDX-License-Identifier: MIT
/*
 * Sweeping: the mark bits become the allocation bits, and spans in which
 * nothing was marked go back to the heap.  Lazily: by the threads that look for
 * free slots (mcentral_get()), by threads that need pages (sweep_for_pages()), by
 * the background thread, and the rest before the next collection.
 */
#include "heap.h"

/* Spans swept in one busy section at most, so that nobody waits long for a stop. */
#define SWEEP_BATCH	32

/**
 * sweep_span() - sweep one span
 * @h: the heap
 * @s: taken off its unswept list by the caller
 *
 * Context: busy, or alone.  Takes the heap lock if the span is freed.
 * Return: false if nothing in it was alive and it is gone.
 */
bool sweep_span(struct heap *h, struct span *s)
{
	uint32_t words = span_bitmap_words(s->nelems);
	uint64_t *marked = s->mark_bits;
	uint32_t live = 0, dead;

	for (uint32_t i = 0; i < words; i++)
		live += (uint32_t)__builtin_popcountll(marked[i]);
	dead = s->alloc_count - live;
	if (dead) {
		counter_add(&h->totals.frees, dead);
		counter_add(&h->totals.freed_bytes, (uint64_t)dead * s->elem_size);
		s->needzero = true;
	}
	if (!live) {
		heap_free_span(h, s);
		return false;
	}
	/*
	 * Others may be asking whether an object is allocated (find_object()):
	 * they believe a yes at once, and a no only of a span that is swept.
	 */
	s->mark_bits = s->alloc_bits;
	__atomic_store_n(&s->alloc_bits, marked, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < words; i++)
		__atomic_store_n(&s->mark_bits[i], 0, __ATOMIC_RELAXED);
	s->alloc_count = live;
	__atomic_store_n(&s->freeindex, span_is_large(s) ? 1 : 0, __ATOMIC_RELEASE);
	__atomic_store_n(&s->sweepgen, h->gc.sweepgen, __ATOMIC_RELEASE);
	return true;
}

static bool sweep_pending(const struct heap *h)
{
	return __atomic_load_n(&h->gc.swept, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&h->gc.sweepgen, __ATOMIC_RELAXED);
}

/* Sweep one span of a class; false if none is left. */
static bool sweep_one_small(struct heap *h, struct mcentral *central)
{
	struct span *s;

	/* A look without the lock: no span is added to these lists but in a stopped world. */
	if (span_list_empty(&central->partial_unswept) && span_list_empty(&central->full_unswept))
		return false;
	pthread_mutex_lock(&central->lock);
	s = span_pop(&central->full_unswept);
	if (!s)
		s = span_pop(&central->partial_unswept);
	pthread_mutex_unlock(&central->lock);
	if (!s)
		return false;
	if (sweep_span(h, s))
		mcentral_put(h, s);
	return true;
}

static bool sweep_one_large(struct heap *h)
{
	struct span *s;

	pthread_mutex_lock(&h->lock);
	s = span_pop(&h->large_unswept);
	if (s)
		s->cached = true;
	pthread_mutex_unlock(&h->lock);
	if (!s)
		return false;
	if (sweep_span(h, s)) {
		pthread_mutex_lock(&h->lock);
		s->cached = false;
		span_push(&h->large, s);
		pthread_mutex_unlock(&h->lock);
	}
	return true;
}

/*
 * Sweep up to @budget spans, or until the heap has shrunk to @until bytes in
 * use.  Return: false if nothing is left to sweep.
 */
static bool sweep_up_to(struct heap *h, int budget, uint64_t until)
{
	while (sweep_one_large(h))
		if (--budget <= 0 || counter_read(&h->inuse) <= until)
			return true;
	for (unsigned int c = 2; c < NUM_SPAN_CLASSES; c++)
		while (sweep_one_small(h, &h->central[c]))
			if (--budget <= 0 || counter_read(&h->inuse) <= until)
				return true;
	return false;
}

/**
 * sweep_some() - sweep a batch of spans
 * @h: the heap
 *
 * Context: busy.
 * Return: false if nothing is left.
 */
bool sweep_some(struct heap *h)
{
	if (!sweep_pending(h))
		return false;
	return sweep_up_to(h, SWEEP_BATCH, 0);
}

/**
 * sweep_all() - sweep what is left
 * @h: the heap
 * @t: the calling thread
 *
 * Spans that other threads are sweeping may not be done when it returns; they
 * are once the world has been stopped.
 *
 * Context: not busy.
 */
void sweep_all(struct heap *h, struct thread *t)
{
	uint32_t cycle = __atomic_load_n(&h->gc.sweepgen, __ATOMIC_RELAXED);
	bool more;

	do {
		thread_enter_busy(h, t);
		more = sweep_some(h);
		thread_leave_busy(h, t);
	} while (more);
	/* Of this cycle only: another collection may have ended meanwhile. */
	__atomic_store_n(&h->gc.swept, cycle, __ATOMIC_RELAXED);
}

/**
 * sweep_and_flush() - sweep what is left, and give what came free to the backend
 * @h: the heap
 * @t: the calling thread
 *
 * Context: not busy.
 */
void sweep_and_flush(struct heap *h, struct thread *t)
{
	sweep_all(h, t);
	thread_enter_busy(h, t);
	heap_flush_cache(h);
	thread_leave_busy(h, t);
}

/**
 * sweep_for_pages() - free pages by sweeping before the heap grows
 * @h: the heap
 * @npages: how many are wanted
 *
 * As Go's mheap.reclaim(): a thread that is about to take pages first sweeps
 * until as many have come free, within a budget that keeps the pause short.
 *
 * Context: busy.
 */
void sweep_for_pages(struct heap *h, size_t npages)
{
	uint64_t inuse = counter_read(&h->inuse);
	uint64_t bytes = npages * PAGE_BYTES;
	int budget = npages < 1024 ? SWEEP_BATCH + (int)npages : 1024;

	if (sweep_pending(h))
		sweep_up_to(h, budget, inuse > bytes ? inuse - bytes : 0);
}
