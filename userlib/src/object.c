// SPDX-License-Identifier: MIT
/*
 * What can be asked of an object, and the two functions of malloc()'s family
 * that a collected heap has besides allocation: realloc and free.
 */
#include <errno.h>
#include <goheap.h>
#include <sched.h>
#include <string.h>

#include "heap.h"

/**
 * struct object - an object found by an address in it
 * @span: where it is
 * @start: its first byte
 * @bytes: that may be used
 */
struct object {
	struct span *span;
	uintptr_t start;
	size_t bytes;
};

/* Narrow a shared block down to the small object in it that @p lies in. */
static bool find_tiny(struct object *o, uintptr_t p, uint32_t index)
{
	unsigned int starts = __atomic_load_n(&o->span->tiny_starts[index], __ATOMIC_RELAXED);
	unsigned int upto = (2u << (p - o->start)) - 1;
	unsigned int first, next;

	if (!(starts & upto))
		return false;
	first = 31 - (unsigned int)__builtin_clz(starts & upto);
	next = starts & ~((2u << first) - 1);
	o->bytes = (next ? (unsigned int)__builtin_ctz(next) : TINY_BLOCK) - first;
	o->start += first;
	return true;
}

/*
 * Is the slot allocated?  In the middle of sweeping, an object may seem not to
 * be; so before a no is believed the span must be swept.
 */
static bool is_allocated(struct heap *h, uintptr_t p, struct span *s, uint32_t index)
{
	/* Nothing in it may be alive, and then it is not swept but freed. */
	while (heap_span_of(h, p) == s) {
		uint32_t cycle = __atomic_load_n(&h->gc.sweepgen, __ATOMIC_ACQUIRE);
		bool swept = __atomic_load_n(&s->sweepgen, __ATOMIC_ACQUIRE) == cycle;

		if (span_seems_allocated(s, index))
			return true;
		if (swept)
			return false;
		/* If there is nothing left to sweep, another thread is at this one. */
		if (!sweep_some(h))
			sched_yield();
	}
	return false;
}

/**
 * object_lives() - is an object more than garbage that has not been swept?
 * @h: the heap
 * @s: its span
 * @p: an address in it
 *
 * In a span that has not been swept the last collection's mark tells.
 *
 * Context: busy.
 */
bool object_lives(struct heap *h, struct span *s, uintptr_t p)
{
	uint32_t index = span_index(s, p);

	while (heap_span_of(h, p) == s) {
		uint32_t cycle = __atomic_load_n(&h->gc.sweepgen, __ATOMIC_ACQUIRE);
		uint32_t before = __atomic_load_n(&s->sweepgen, __ATOMIC_ACQUIRE);
		const uint64_t *bits;
		bool marked;

		if (before == cycle)
			return span_seems_allocated(s, index);
		/* If the bits have changed places, so has @sweepgen by now. */
		bits = __atomic_load_n(&s->mark_bits, __ATOMIC_ACQUIRE);
		marked = __atomic_load_n(&bits[index / 64], __ATOMIC_ACQUIRE) >> (index % 64) & 1;
		if (before != span_in_sweep(cycle) &&
		    __atomic_load_n(&s->sweepgen, __ATOMIC_RELAXED) == before)
			return marked;
		sched_yield();
	}
	return false;
}

/* Busy, so that no collection changes what the parts of the answer are taken from. */
static bool find_object_busy(struct heap *h, uintptr_t p, struct object *o)
{
	uint32_t index;

	o->span = heap_span_of(h, p);
	if (!o->span)
		return false;
	index = span_index(o->span, p);
	if (!is_allocated(h, p, o->span, index))
		return false;
	o->start = span_object(o->span, index);
	o->bytes = o->span->elem_size - typed_overhead(o->span);
	if (span_is_padded(o->span))
		o->bytes -= sizeof(uint64_t);
	return !o->span->tiny_starts || find_tiny(o, p, index);
}

/**
 * object_span() - the span of the object that begins at an address
 * @h: the heap
 * @p: any address
 *
 * Context: busy.
 * Return: the span; NULL if no object begins there.
 */
struct span *object_span(struct heap *h, const void *p)
{
	struct object o;

	return find_object_busy(h, (uintptr_t)p, &o) && o.start == (uintptr_t)p ? o.span : NULL;
}

static bool find_object(const void *address, struct object *o)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t;
	bool found;

	if (!h->base || h->lost)
		return false;
	t = thread_register(h);
	if (!t)
		return false;
	thread_enter_busy(h, t);
	found = find_object_busy(h, (uintptr_t)address, o);
	thread_leave_busy(h, t);
	return found;
}

static bool find_start(const void *p, struct object *o)
{
	return find_object(p, o) && o->start == (uintptr_t)p;
}

PUBLIC void *goheap_base(const void *p)
{
	struct object o;

	return find_object(p, &o) ? (void *)o.start : NULL;
}

PUBLIC size_t goheap_usable_size(const void *p)
{
	struct object o;

	return find_start(p, &o) ? o.bytes : 0;
}

/* A new object of the same kind, or type. */
static void *alloc_like(const struct object *o, size_t size)
{
	struct heap *h = &goheap_the_heap;
	const struct type *type;

	if (o->span->kind != SPAN_TYPED)
		return alloc_object(size, o->span->kind);
	type = object_type(&h->types, o->span, o->start);
	if (!type || type == &type_unknown)
		return alloc_object(size, SPAN_SCAN);
	return typed_alloc(h, type, size);
}

PUBLIC void *goheap_realloc(void *p, size_t size)
{
	struct object o;
	void *larger;

	if (!p)
		return goheap_alloc(size);
	if (!find_start(p, &o)) {
		errno = EINVAL;
		return NULL;
	}
	if (size == 0)
		size = 1;
	/* Stay, unless more than half would lie idle. */
	if (size <= o.bytes && size >= o.bytes / 2)
		return p;
	larger = alloc_like(&o, size);
	if (!larger)
		return NULL;
	memcpy(larger, p, size < o.bytes ? size : o.bytes);
	goheap_free(p);
	return larger;
}

PUBLIC void goheap_free(void *p)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t;
	struct span *s;

	if (!p || !h->base || h->lost)
		return;
	t = thread_register(h);
	if (!t)
		return;
	thread_enter_busy(h, t);
	s = object_span(h, p);
	if (s) {
		specials_drop(h, s, (uintptr_t)p);
		if (span_is_large(s))
			large_free(h, s);
		else
			reuse_free(h, &t->mc, s, (uintptr_t)p);
	}
	thread_leave_busy(h, t);
}
