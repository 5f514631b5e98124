// SPDX-License-Identifier: MIT
/*
 * Allocation.  The fast path takes the next slot of a run in the thread's own
 * cache: no lock, no atomic instruction, no call.  Everything else is in
 * alloc_object(): starting the heap, making the thread known, collecting when
 * it is due, refilling the cache, large objects, running out of memory.
 */
#include <errno.h>
#include <goheap.h>

#include "heap.h"

/* The next slot of the run for @size, or NULL if the run is used up. */
static inline void *take_small(struct mcache *mc, size_t size, bool noscan)
{
	unsigned int size_class = size_to_class_small[(size + 7) / 8];
	struct run *r = &mc->run[span_class(size_class, noscan)];
	uintptr_t p = r->next;

	if (unlikely(p == r->end))
		return NULL;
	r->next = p + r->size;
	return (void *)p;
}

/* Room in the block that small noscan objects share, or NULL. */
static inline void *take_tiny(struct mcache *mc, size_t size)
{
	uintptr_t mask = size >= 8 ? 7 : size >= 4 ? 3 : size >= 2 ? 1 : 0;
	uintptr_t p = (mc->tiny_next + mask) & ~mask;
	unsigned int offset = p % TINY_BLOCK;
	uint16_t starts;

	if (unlikely(p + size > mc->tiny_end))
		return NULL;
	starts = (uint16_t)(*mc->tiny_starts | 1u << offset | 1u << (offset + size));
	/* Read by goheap_base() in other threads, hence in one piece. */
	__atomic_store_n(mc->tiny_starts, starts, __ATOMIC_RELAXED);
	mc->tiny_next = p + size;
	return (void *)p;
}

PUBLIC void *goheap_alloc(size_t size)
{
	if (likely(size <= LOOKUP_SMALL_MAX)) {
		void *p = take_small(mcache_self, size, false);

		if (likely(p))
			return p;
	}
	return alloc_object(size, false);
}

PUBLIC void *goheap_alloc_noscan(size_t size)
{
	void *p = NULL;

	if (likely(size - 1 < TINY_BLOCK - 1)) {
		p = take_tiny(mcache_self, size);
		if (likely(p))
			counter_add_own(&mcache_self->tiny_objects, 1);
	} else if (likely(size <= LOOKUP_SMALL_MAX)) {
		p = take_small(mcache_self, size, true);
	}
	return likely(p) ? p : alloc_object(size, true);
}

/*
 * Have a run with something in it.  What cannot be had is asked for again
 * after a collection whose garbage has been swept, and once more after all free
 * pages have gone back to the system: they may be in the wrong places.
 */
static bool refill(struct heap *h, struct thread *t, unsigned int spanclass)
{
	bool ok;

	for (int attempt = 0; attempt < 3; attempt++) {
		if (attempt == 2)
			heap_release(h, t);
		else if (attempt)
			gc_collect(h, GC_NO_MEMORY, 0);
		else if (gc_due(h, 0))
			gc_collect(h, GC_HEAP, 0);
		thread_enter_busy(h, t);
		ok = mcache_refill(h, &t->mc, spanclass);
		thread_leave_busy(h, t);
		if (ok)
			return true;
	}
	gc_gave_up(h, t);
	errno = ENOMEM;
	return false;
}

static void *take_or_refill(struct heap *h, struct thread *t, unsigned int spanclass)
{
	struct run *r = &t->mc.run[spanclass];
	uintptr_t p;

	if (r->next == r->end && !refill(h, t, spanclass))
		return NULL;
	p = r->next;
	r->next = p + r->size;
	return (void *)p;
}

/* A new shared block, with an object of @size at its beginning. */
static void *tiny_block(struct heap *h, struct thread *t, size_t size)
{
	uintptr_t block = (uintptr_t)take_or_refill(h, t, TINY_SPAN_CLASS);
	struct span *s;

	if (!block)
		return NULL;
	s = heap_span_of(h, block);
	t->mc.tiny_starts = &s->tiny_starts[span_index(s, block)];
	t->mc.tiny_next = block;
	t->mc.tiny_end = block + TINY_BLOCK;
	return take_tiny(&t->mc, size);
}

/**
 * alloc_object() - allocate by the long way
 * @size: bytes
 * @noscan: the object holds no pointers
 *
 * Context: the calling thread, not busy; may collect.
 * Return: the object, zeroed; NULL and errno.
 */
NOINLINE void *alloc_object(size_t size, bool noscan)
{
	struct heap *h = heap_get();
	struct thread *t = h ? thread_register(h) : NULL;
	unsigned int size_class;

	if (!t) {
		errno = ENOMEM;
		return NULL;
	}
	if (size == 0)
		size = 1;
	if (noscan && size < TINY_BLOCK)
		return tiny_block(h, t, size);
	if (size > SMALL_OBJECT_MAX)
		return large_alloc(h, t, size, noscan);
	if (size <= LOOKUP_SMALL_MAX)
		size_class = size_to_class_small[(size + 7) / 8];
	else
		size_class = size_to_class_large[(size - LOOKUP_SMALL_MAX + 127) / 128];
	return take_or_refill(h, t, span_class(size_class, noscan));
}
