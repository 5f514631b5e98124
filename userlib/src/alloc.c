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

/* The next slot of the run for @size, or the long way to one. */
static inline void *take_small(size_t size, enum span_kind kind)
{
	if (likely(size <= LOOKUP_SMALL_MAX)) {
		struct run *r = mcache_small_run(mcache_self, size, kind);
		uintptr_t p = r->next;

		if (likely(p != r->end)) {
			r->next = p + r->size;
			return (void *)p;
		}
	}
	return alloc_object(size, kind);
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
	return take_small(size, SPAN_SCAN);
}

PUBLIC void *goheap_alloc_noscan(size_t size)
{
	void *p;

	/* The block of the smallest is no slot of theirs. */
	if (likely(size >= TINY_BLOCK))
		return take_small(size, SPAN_NOSCAN);
	if (likely(size)) {
		p = take_tiny(mcache_self, size);
		if (likely(p)) {
			counter_add_own(&mcache_self->tiny_objects, 1);
			return p;
		}
	}
	return alloc_object(size, SPAN_NOSCAN);
}

/**
 * alloc_typed_slot() - allocate a slot of a typed span
 * @size: bytes, with those for the type
 *
 * As alloc_object(), but by the fast path where it can be.
 */
void *alloc_typed_slot(size_t size)
{
	return take_small(size, SPAN_TYPED);
}

/*
 * Have a run with something in it.  What cannot be had is asked for again
 * after a collection whose garbage has been swept, and once more after all free
 * pages have gone back to the system: they may be in the wrong places.
 */
static bool refill(struct heap *h, struct thread *t, unsigned int spanclass)
{
	bool ok;

	gc_before_alloc(h, t, 0);
	if (sweep_pending(h))
		sweep_debt(h, t, 0);
	for (int attempt = 0; attempt < 3; attempt++) {
		if (attempt == 2)
			heap_release(h, t);
		else if (attempt)
			gc_collect(h, GC_NO_MEMORY, 0);
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

/* @cfa: where the stack of the library's caller ends, for the heap profile. */
static void *take_or_refill(struct heap *h, struct thread *t, unsigned int spanclass,
			    uintptr_t cfa)
{
	struct run *r = &t->mc.run[spanclass];
	uintptr_t p = 0;

	if (r->next == r->end) {
		p = reuse_take(h, t, spanclass);
		if (!p && !refill(h, t, spanclass))
			return NULL;
	}
	if (!p) {
		p = r->next;
		r->next = p + r->size;
	}
	if (unlikely(t->mc.sample_now))
		profile_record(h, t, p, cfa);
	return (void *)p;
}

/* A new shared block, with an object of @size at its beginning. */
static void *tiny_block(struct heap *h, struct thread *t, size_t size, uintptr_t cfa)
{
	uintptr_t block = (uintptr_t)take_or_refill(h, t, TINY_SPAN_CLASS, cfa);
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
 * @kind: what it holds; one that is typed gets its type from the caller
 *
 * Context: the calling thread, not busy; may collect.
 * Return: the object, zeroed; NULL and errno.
 */
NOINLINE void *alloc_object(size_t size, enum span_kind kind)
{
	struct heap *h = heap_get();
	struct thread *t = h ? thread_register(h) : NULL;
	uintptr_t cfa = (uintptr_t)__builtin_dwarf_cfa();
	unsigned int size_class;

	if (!t) {
		errno = ENOMEM;
		return NULL;
	}
	if (size == 0)
		size = 1;
	if (kind == SPAN_NOSCAN && size < TINY_BLOCK)
		return tiny_block(h, t, size, cfa);
	if (size > SMALL_OBJECT_MAX)
		return large_alloc(h, t, size, kind, cfa);
	if (size <= LOOKUP_SMALL_MAX)
		size_class = size_to_class_small[(size + 7) / 8];
	else
		size_class = size_to_class_large[(size - LOOKUP_SMALL_MAX + 127) / 128];
	return take_or_refill(h, t, span_class(size_class, kind), cfa);
}
