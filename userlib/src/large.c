// SPDX-License-Identifier: MIT
/*
 * Large objects: over 32 KiB, each with a span of its own, straight from the heap.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "heap.h"

/*
 * Return: the object's address, or 0.  It must be in the caller's hands before
 * the busy section ends: nothing else keeps the object alive.
 */
static uintptr_t try_alloc(struct heap *h, struct thread *t, size_t npages,
			   enum span_kind kind, bool *needzero)
{
	uintptr_t p = 0;
	struct span *s;

	thread_enter_busy(h, t);
	s = heap_alloc_span(h, npages, span_class(0, kind));
	if (s) {
		p = s->base;
		*needzero = s->needzero;
		s->alloc_count = 1;
		gc_born(h, s, 0, 1);
		__atomic_store_n(&s->freeindex, 1, __ATOMIC_RELEASE);
		annotate_new_memory((void *)s->base, s->elem_size);
		profile_limit(h, &t->mc, s->spanclass, s->elem_size, 1);
		counter_add_own(&t->mc.slots[0], 1);
		counter_add(&h->totals.large_bytes, s->elem_size);
		counter_add(&h->totals.large_slots[large_size_index(s->elem_size)], 1);
		counter_add(&h->gc.live, s->elem_size);
		pthread_mutex_lock(&h->lock);
		span_push(&h->large, s);
		pthread_mutex_unlock(&h->lock);
	}
	thread_leave_busy(h, t);
	return p;
}

/**
 * large_alloc() - allocate a large object
 * @h: the heap
 * @t: the calling thread
 * @size: bytes
 * @kind: what it holds; one that is typed gets its type from the caller
 * @cfa: where the stack of the library's caller ends
 *
 * Context: not busy; may collect.
 * Return: the object, zeroed; NULL and ENOMEM.
 */
void *large_alloc(struct heap *h, struct thread *t, size_t size, enum span_kind kind,
		  uintptr_t cfa)
{
	size_t npages = size / PAGE_BYTES < PADDED_PAGES ?
		align_up(size, PAGE_BYTES) >> PAGE_SHIFT : size / PAGE_BYTES + 1;
	/* As in Go the goal may be overshot by one object; a memory limit may not. */
	bool limited = counter_read((uint64_t *)&h->gc.memory_limit) != INT64_MAX;
	size_t wanted = limited ? npages * PAGE_BYTES : 0;
	uintptr_t p;

	if (size > h->backend.bytes || align_up(size, PAGE_BYTES) > h->backend.bytes) {
		errno = ENOMEM;
		return NULL;
	}
	gc_before_alloc(h, t, wanted);
	if (sweep_pending(h))
		sweep_debt(h, t, npages * PAGE_BYTES);
	for (int attempt = 0; attempt < 3; attempt++) {
		bool needzero;

		if (attempt == 2)
			heap_release(h, t);
		else if (attempt)
			gc_collect(h, GC_NO_MEMORY, 0);
		p = try_alloc(h, t, npages, kind, &needzero);
		if (!p)
			continue;
		/*
		 * Cleared outside the busy section, so that a gigabyte does not
		 * hold up a collection: @p keeps the object alive meanwhile.
		 */
		if (needzero)
			memset((void *)p, 0, npages * PAGE_BYTES);
		if (unlikely(t->mc.sample_now))
			profile_record(h, t, p, cfa);
		return (void *)p;
	}
	gc_gave_up(h, t);
	errno = ENOMEM;
	return NULL;
}

/**
 * large_free() - free a large object now
 * @h: the heap
 * @s: its span
 *
 * Context: busy.  Takes the heap lock.
 */
void large_free(struct heap *h, struct span *s)
{
	bool marking = gc_marking(h);

	/* A marker may be reading it.  The device takes pages away, so it is left to sweeping. */
	if (marking && !span_noscan(s) && h->on_device) {
		s->dead = true;
		return;
	}
	pthread_mutex_lock(&h->lock);
	/* A sweeper holds it.  It is busy too, so it will be done soon. */
	while (s->cached) {
		pthread_mutex_unlock(&h->lock);
		sched_yield();
		pthread_mutex_lock(&h->lock);
	}
	span_remove(s->sweepgen == h->gc.sweepgen ? &h->large : &h->large_unswept, s);
	if (s->sweepgen != h->gc.sweepgen)
		counter_add(&h->gc.swept_pages, s->npages);
	pthread_mutex_unlock(&h->lock);

	profile_freed(h, s, 0);
	count_frees(h, s, 1);
	/* Garbage of the last cycle is not in the count of live bytes any more. */
	if (marking || s->sweepgen == h->gc.sweepgen || bit_test(s->mark_bits, 0))
		counter_add(&h->gc.live, -(uint64_t)s->elem_size);
	/* What has been marked has been counted; from now on nobody marks it. */
	if (marking && __atomic_exchange_n(&s->mark_bits[0], 1, __ATOMIC_RELAXED))
		counter_add(&h->gc.black, -(uint64_t)s->elem_size);
	heap_free_span(h, s);
}
