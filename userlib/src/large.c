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
static uintptr_t try_alloc(struct heap *h, struct thread *t, size_t npages, bool noscan,
			   bool *needzero)
{
	uintptr_t p = 0;
	struct span *s;

	thread_enter_busy(h, t);
	s = heap_alloc_span(h, npages, span_class(0, noscan));
	if (s) {
		p = s->base;
		*needzero = s->needzero;
		s->alloc_count = 1;
		__atomic_store_n(&s->freeindex, 1, __ATOMIC_RELEASE);
		annotate_new_memory((void *)s->base, s->elem_size);
		counter_add_own(&t->mc.slots, 1);
		counter_add_own(&t->mc.slot_bytes, s->elem_size);
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
 * @noscan: it holds no pointers
 *
 * Context: not busy; may collect.
 * Return: the object, zeroed; NULL and ENOMEM.
 */
void *large_alloc(struct heap *h, struct thread *t, size_t size, bool noscan)
{
	size_t npages = align_up(size, PAGE_BYTES) >> PAGE_SHIFT;
	/* As in Go the goal may be overshot by one object; a memory limit may not. */
	bool limited = counter_read((uint64_t *)&h->gc.memory_limit) != INT64_MAX;
	size_t wanted = limited ? npages * PAGE_BYTES : 0;
	uintptr_t p;

	if (size > h->backend.bytes || align_up(size, PAGE_BYTES) > h->backend.bytes) {
		errno = ENOMEM;
		return NULL;
	}
	for (int attempt = 0; attempt < 3; attempt++) {
		bool needzero;

		if (attempt == 2)
			heap_release(h, t);
		else if (attempt)
			gc_collect(h, GC_NO_MEMORY, 0);
		else if (gc_due(h, wanted))
			gc_collect(h, GC_HEAP, wanted);
		p = try_alloc(h, t, npages, noscan, &needzero);
		if (!p)
			continue;
		/*
		 * Cleared outside the busy section, so that a gigabyte does not
		 * hold up a collection: @p keeps the object alive meanwhile.
		 */
		if (needzero)
			memset((void *)p, 0, npages * PAGE_BYTES);
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
	pthread_mutex_lock(&h->lock);
	/* A sweeper holds it.  It is busy too, so it will be done soon. */
	while (s->cached) {
		pthread_mutex_unlock(&h->lock);
		sched_yield();
		pthread_mutex_lock(&h->lock);
	}
	span_remove(s->sweepgen == h->gc.sweepgen ? &h->large : &h->large_unswept, s);
	pthread_mutex_unlock(&h->lock);

	counter_add(&h->totals.frees, 1);
	counter_add(&h->totals.freed_bytes, s->elem_size);
	/* Garbage of the last cycle is not in the count of live bytes any more. */
	if (s->sweepgen == h->gc.sweepgen || bit_test(s->mark_bits, 0))
		counter_add(&h->gc.live, -(uint64_t)s->elem_size);
	heap_free_span(h, s);
}
