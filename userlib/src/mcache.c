// SPDX-License-Identifier: MIT
/*
 * Filling and emptying the per-thread caches; see mcache.h for what they are.
 */
#include <string.h>

#include "heap.h"

/* A run is claimed, and cleared, in pieces that stay in the first-level cache. */
#define RUN_BYTES_MAX	8192

struct mcache mcache_none;
TLS_FAST struct mcache *mcache_self = &mcache_none;

void mcache_init(struct mcache *mc)
{
	memset(mc, 0, sizeof(*mc));
	for (unsigned int c = FIRST_SMALL_CLASS; c < NUM_SPAN_CLASSES; c++)
		mc->run[c].size = class_to_size[size_class_of(c)];
}

/* Claim the next free slots of @s; false if it has none left. */
static bool claim_run(struct heap *h, struct mcache *mc, unsigned int spanclass, struct span *s)
{
	struct run *r = &mc->run[spanclass];
	uint32_t first, last;
	size_t bytes;

	first = bit_find(s->alloc_bits, s->freeindex, s->nelems, 0);
	if (first == s->nelems) {
		__atomic_store_n(&s->freeindex, s->nelems, __ATOMIC_RELEASE);
		return false;
	}
	last = first + RUN_BYTES_MAX / (uint32_t)s->elem_size;
	if (last == first)
		last++;
	if (last > s->nelems)
		last = s->nelems;
	last = bit_find(s->alloc_bits, first, last, ~(uint64_t)0);
	last = first + profile_limit(h, mc, spanclass, s->elem_size, last - first);

	bytes = (last - first) * s->elem_size;
	annotate_new_memory((void *)span_object(s, first), bytes);
	if (s->needzero)
		memset((void *)span_object(s, first), 0, bytes);
	if (s->tiny_starts)
		memset(&s->tiny_starts[first], 0, (last - first) * sizeof(*s->tiny_starts));

	/* Before it can be taken for an object, and before anybody holds it. */
	gc_born(h, s, first, last);
	__atomic_store_n(&s->freeindex, last, __ATOMIC_RELEASE);
	s->alloc_count += last - first;
	counter_add_own(&mc->slots[size_class_of(spanclass)], last - first);
	counter_add(&h->gc.live, bytes);
	r->next = span_object(s, first);
	r->end = span_object(s, last);
	return true;
}

/**
 * mcache_refill() - get free slots of a class
 * @h: the heap
 * @mc: the calling thread's cache, whose run of that class is used up
 * @spanclass: which
 *
 * Takes a lock only to change spans, as Go's mcache.refill().
 *
 * Context: busy.
 * Return: false if there is no memory.
 */
bool mcache_refill(struct heap *h, struct mcache *mc, unsigned int spanclass)
{
	struct span *s = mc->span[spanclass];

	if (s) {
		if (claim_run(h, mc, spanclass, s))
			return true;
		mc->span[spanclass] = NULL;
		mcentral_put(h, s);
	}
	s = mcentral_get(h, spanclass);
	if (!s)
		return false;
	mc->span[spanclass] = s;
	return claim_run(h, mc, spanclass, s);
}

/* Take the rest of a run back into the span it is from. */
static void unclaim_run(struct heap *h, struct mcache *mc, unsigned int spanclass, struct span *s)
{
	struct run *r = &mc->run[spanclass];
	uint64_t left = run_left(r);

	if (!left)
		return;
	/* The slots behind the run have not been handed out, so the index can go back. */
	__atomic_store_n(&s->freeindex, span_index(s, r->next), __ATOMIC_RELEASE);
	s->alloc_count -= (uint32_t)(left / r->size);
	s->needzero = true;
	counter_add_own(&mc->slots[size_class_of(spanclass)], -(left / r->size));
	counter_add(&h->gc.live, -left);
	r->next = 0;
	r->end = 0;
}

static void give_back(struct heap *h, struct mcache *mc, bool unclaim)
{
	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++) {
		struct span *s = mc->span[c];

		if (s) {
			mc->span[c] = NULL;
			if (unclaim)
				unclaim_run(h, mc, c, s);
			mcentral_put(h, s);
		}
		mc->run[c].next = 0;
		mc->run[c].end = 0;
	}
	mc->tiny_next = 0;
	mc->tiny_end = 0;
	reuse_drop(h, mc);
	for (unsigned int i = 0; i < NUM_SIZE_CLASSES; i++) {
		counter_add(&h->totals.frees[i], mc->frees[i]);
		counter_add_own(&mc->frees[i], -mc->frees[i]);
		if (!mc->slots[i])
			continue;
		counter_add(&h->totals.slots[i], mc->slots[i]);
		counter_add_own(&mc->slots[i], -mc->slots[i]);
	}
	counter_add(&h->totals.tiny_objects, mc->tiny_objects);
	counter_add_own(&mc->tiny_objects, -mc->tiny_objects);
}

/**
 * mcache_release() - give everything back, when a thread ends
 * @h: the heap
 * @mc: its cache
 *
 * A run whose span has been detached stays behind as garbage; the next
 * collection finds it.  While marking is on all runs do, since they are marked.
 *
 * Context: the thread itself, busy; or with the world stopped or alone.
 */
void mcache_release(struct heap *h, struct mcache *mc)
{
	give_back(h, mc, !gc_marking(h));
}

/**
 * mcache_abandon() - give the spans back, of a thread that a forked child does not have
 * @h: the heap
 * @mc: its cache
 *
 * All runs stay behind: an object may be in use that the copy of the cache does
 * not know it has handed out.
 *
 * Context: alone.
 */
void mcache_abandon(struct heap *h, struct mcache *mc)
{
	give_back(h, mc, false);
}
