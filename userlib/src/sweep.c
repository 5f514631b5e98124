// SPDX-License-Identifier: MIT
/*
 * Sweeping: the mark bits become the allocation bits, and spans in which
 * nothing was marked go back to the heap.  Lazily: by the threads that look for
 * free slots (mcentral_get()), by threads that need pages (sweep_for_pages()), by
 * the background thread, and by every thread that allocates while sweeping is
 * behind (sweep_debt()), so that the next collection finds all swept.  What is left
 * nevertheless, because somebody asks for a collection early, it sweeps first.
 *
 * Sweeping goes through the classes in order.  A class that was found empty stays so
 * until the next collection has ended, since that alone fills the unswept lists.
 */
#include <sched.h>

#include "heap.h"

/* Spans swept in one busy section at most, so that nobody waits long for a stop. */
#define SWEEP_BATCH	32
/* A debt is paid for so many bytes of allocation to come: not a span for each. */
#define SWEEP_AHEAD	((uint64_t)64 << 10)

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

	counter_add(&h->gc.swept_pages, s->npages);
	if (s->dead)
		marked[0] = 0;
	if (unlikely(__atomic_load_n(&s->specials, __ATOMIC_RELAXED)))
		specials_sweep(h, s);
	profile_swept(h, s);
	for (uint32_t i = 0; i < words; i++)
		live += (uint32_t)__builtin_popcountll(marked[i]);
	dead = s->alloc_count - live;
	if (dead) {
		count_frees(h, s, dead - reuse_counted(h, size_class_of(s->spanclass), dead));
		s->needzero = true;
	}
	if (!live) {
		heap_free_span(h, s);
		return false;
	}
	/*
	 * Others may be asking whether an object is allocated (find_object()):
	 * they believe a yes at once, and a no only of a span that is swept.
	 * Whether it lives they do not ask while it is being swept.
	 */
	__atomic_store_n(&s->sweepgen, span_in_sweep(h->gc.sweepgen), __ATOMIC_RELAXED);
	__atomic_store_n(&s->mark_bits, s->alloc_bits, __ATOMIC_RELEASE);
	__atomic_store_n(&s->alloc_bits, marked, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < words; i++)
		__atomic_store_n(&s->mark_bits[i], 0, __ATOMIC_RELAXED);
	for (uint32_t i = 0; s->scan_bits && i < words; i++)
		s->scan_bits[i] = 0;
	s->alloc_count = live;
	__atomic_store_n(&s->freeindex, span_is_large(s) ? 1 : 0, __ATOMIC_RELEASE);
	__atomic_store_n(&s->sweepgen, h->gc.sweepgen, __ATOMIC_RELEASE);
	return true;
}

static bool unswept(const struct heap *h, const struct span *s)
{
	return __atomic_load_n(&s->sweepgen, __ATOMIC_ACQUIRE) !=
	       __atomic_load_n(&h->gc.sweepgen, __ATOMIC_RELAXED);
}

/* Sweep one span of a class.  Return: its pages; 0 if none is left. */
static size_t sweep_one_small(struct heap *h, struct mcentral *central)
{
	struct span *s;
	size_t npages;

	/* A look without the lock: no span is added to these lists but in a stopped world. */
	if (span_list_empty(&central->partial_unswept) && span_list_empty(&central->full_unswept))
		return 0;
	pthread_mutex_lock(&central->lock);
	s = span_pop(&central->full_unswept);
	if (!s)
		s = span_pop(&central->partial_unswept);
	pthread_mutex_unlock(&central->lock);
	if (!s)
		return 0;
	npages = s->npages;
	if (sweep_span(h, s))
		mcentral_put(h, s);
	return npages;
}

/* The span is off its list, and the caller's. */
static void sweep_large(struct heap *h, struct span *s)
{
	if (!sweep_span(h, s))
		return;
	pthread_mutex_lock(&h->lock);
	s->cached = false;
	span_push(&h->large, s);
	pthread_mutex_unlock(&h->lock);
}

static size_t sweep_one_large(struct heap *h)
{
	struct span *s;
	size_t npages;

	pthread_mutex_lock(&h->lock);
	s = span_pop(&h->large_unswept);
	if (s)
		s->cached = true;
	pthread_mutex_unlock(&h->lock);
	if (!s)
		return 0;
	npages = s->npages;
	sweep_large(h, s);
	return npages;
}

/*
 * Take a span off its unswept list.  Return: false if it is not there, because
 * another thread has it in hand or has done it, or because it is gone.
 */
static bool take_small(struct heap *h, struct span *s)
{
	struct mcentral *central = &h->central[s->spanclass];
	bool there;

	pthread_mutex_lock(&central->lock);
	there = unswept(h, s) && (s->prev || s == central->partial_unswept.head ||
				  s == central->full_unswept.head);
	if (there)
		span_remove(s == central->full_unswept.head ? &central->full_unswept :
							      &central->partial_unswept, s);
	pthread_mutex_unlock(&central->lock);
	return there;
}

static bool take_large(struct heap *h, struct span *s)
{
	bool there;

	pthread_mutex_lock(&h->lock);
	there = unswept(h, s) && (s->prev || s == h->large_unswept.head);
	if (there) {
		span_remove(&h->large_unswept, s);
		s->cached = true;
	}
	pthread_mutex_unlock(&h->lock);
	return there;
}

/**
 * sweep_this() - see that a span is swept
 * @h: the heap
 * @s: the span
 * @p: an address in it; if it is not the span's any more, all is well
 *
 * Context: busy, no lock held.
 */
void sweep_this(struct heap *h, struct span *s, uintptr_t p)
{
	while (unswept(h, s) && heap_span_of(h, p) == s) {
		if (span_is_large(s)) {
			if (take_large(h, s))
				sweep_large(h, s);
			else
				sched_yield();
		} else if (take_small(h, s)) {
			if (sweep_span(h, s))
				mcentral_put(h, s);
		} else {
			/* Another thread is at it.  It is busy too, so it will be done soon. */
			sched_yield();
		}
	}
}

/*
 * When to stop: the heap has shrunk to so many bytes in use, or so many pages are swept
 * by all; and how many this thread has swept.
 */
struct sweep_until {
	uint64_t inuse;
	uint64_t swept_pages;
	uint64_t done;
};

static bool sweep_is_enough(struct heap *h, const struct sweep_until *until)
{
	return counter_read(&h->inuse) <= until->inuse ||
	       counter_read(&h->gc.swept_pages) >= until->swept_pages;
}

/* Sweep up to @budget spans.  Return: false if nothing is left to sweep.  Busy. */
static bool sweep_up_to(struct heap *h, int budget, struct sweep_until *until)
{
	uint32_t c = __atomic_load_n(&h->gc.sweep_class, __ATOMIC_RELAXED);
	size_t npages;

	for (; c < NUM_SPAN_CLASSES; c++) {
		while ((npages = c < FIRST_SMALL_CLASS ? sweep_one_large(h) :
							 sweep_one_small(h, &h->central[c]))) {
			until->done += npages;
			if (--budget <= 0 || sweep_is_enough(h, until))
				return true;
		}
		/*
		 * Nobody need look here again.  Another thread may be further ahead, or
		 * set it back to where it was; but not across the end of a collection,
		 * for which both must have left.
		 */
		__atomic_store_n(&h->gc.sweep_class, c + 1, __ATOMIC_RELAXED);
	}
	return false;
}

/**
 * sweep_begin() - the unswept lists have been filled
 * @h: the heap
 *
 * Context: the world is stopped.  The pacer has been told how the collection went.
 */
void sweep_begin(struct heap *h)
{
	struct gc *gc = &h->gc;

	/* A thread that is not busy may have stopped in the middle of sweep_debt(). */
	__atomic_store_n(&gc->swept_pages, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->sweep_class, 0, __ATOMIC_RELAXED);
	pacer_sweep_start(&gc->pacer, gc->live, h->inuse >> PAGE_SHIFT);
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
	struct sweep_until until = { 0, UINT64_MAX, 0 };

	return sweep_pending(h) && sweep_up_to(h, SWEEP_BATCH, &until);
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
 * Return: the pages it has swept.
 */
uint64_t sweep_all(struct heap *h, struct thread *t)
{
	uint32_t cycle = __atomic_load_n(&h->gc.sweepgen, __ATOMIC_RELAXED);
	struct sweep_until until = { 0, UINT64_MAX, 0 };
	bool more;

	do {
		thread_enter_busy(h, t);
		more = sweep_pending(h) && sweep_up_to(h, SWEEP_BATCH, &until);
		thread_leave_busy(h, t);
	} while (more);
	/* Of this cycle only: another collection may have ended meanwhile. */
	__atomic_store_n(&h->gc.swept, cycle, __ATOMIC_RELAXED);
	return until.done;
}

/**
 * sweep_and_flush() - sweep what is left, and give what came free to the backend
 * @h: the heap
 * @t: the calling thread, the time of which counts as the collector's
 *
 * Context: not busy.
 */
void sweep_and_flush(struct heap *h, struct thread *t)
{
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);

	sweep_all(h, t);
	thread_enter_busy(h, t);
	heap_flush_cache(h);
	thread_leave_busy(h, t);
	counter_add(&h->gc.cpu, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
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
	struct sweep_until until = { inuse > bytes ? inuse - bytes : 0, UINT64_MAX, 0 };
	int budget = npages < 1024 ? SWEEP_BATCH + (int)npages : 1024;

	if (sweep_pending(h))
		sweep_up_to(h, budget, &until);
}

/**
 * sweep_debt() - sweep what is due before so much is allocated
 * @h: the heap
 * @t: the calling thread
 * @bytes: how much
 *
 * Context: not busy.
 */
void sweep_debt(struct heap *h, struct thread *t, uint64_t bytes)
{
	uint32_t cycle = __atomic_load_n(&h->gc.sweepgen, __ATOMIC_RELAXED);
	uint64_t swept = counter_read(&h->gc.swept_pages);
	uint64_t live = counter_read(&h->gc.live) + bytes;
	struct sweep_until until = { 0, 0, 0 };
	bool more;

	if (!sweep_pending(h) || !pacer_sweep_due(&h->gc.pacer, live, swept))
		return;
	until.swept_pages = swept + pacer_sweep_due(&h->gc.pacer, live + SWEEP_AHEAD, swept);
	do {
		thread_enter_busy(h, t);
		/* Not for a collection that has ended since. */
		more = cycle == __atomic_load_n(&h->gc.sweepgen, __ATOMIC_RELAXED) &&
		       sweep_up_to(h, SWEEP_BATCH, &until);
		thread_leave_busy(h, t);
	} while (more && counter_read(&h->gc.swept_pages) < until.swept_pages);
}
