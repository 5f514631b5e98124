/* SPDX-License-Identifier: MIT */
/*
 * The per-thread cache: for each span class a run of free, zeroed slots that
 * the thread hands out by moving a pointer, without a lock and without atomics.
 *
 * Go keeps a bitmap of free slots in the cache and finds the next by counting
 * zeros.  Here the run between two allocated slots is claimed, and cleared, at
 * once; taking an object from it is an addition and a comparison.
 *
 * A thread can be stopped at any instruction of the fast path.  The collector
 * therefore never takes a run away: while the world is stopped it marks the
 * slots that are left in each run, as if they were allocated, and the thread
 * goes on with them afterwards.  It is only the span around the run that it
 * detaches (mcache_detach()).
 */
#ifndef GOHEAP_MCACHE_H
#define GOHEAP_MCACHE_H

#include "span.h"

struct heap;

/**
 * struct run - free slots in a row
 * @next: the next to hand out
 * @end: one past the last; a multiple of @size from @next
 * @size: bytes a slot; at all times that of the span class, for the fast path
 */
struct run {
	uintptr_t next;
	uintptr_t end;
	size_t size;
};

/**
 * struct mcache - one thread's cache
 * @run: by span class
 * @tiny_next: next free byte of the block that small noscan objects share
 * @tiny_end: its end
 * @tiny_starts: the block's bits that say where objects begin
 * @span: the span that the run is from; NULL once the collector has detached it
 * @slots: slots ever claimed in runs
 * @slot_bytes: their bytes
 * @tiny_objects: objects served from shared blocks beyond the first of each
 *
 * Written by its thread alone.  The three counts are read by others while it
 * runs, hence the atomic accesses to them.
 */
struct mcache {
	struct run run[NUM_SPAN_CLASSES];
	uintptr_t tiny_next;
	uintptr_t tiny_end;
	uint16_t *tiny_starts;
	struct span *span[NUM_SPAN_CLASSES];
	uint64_t slots;
	uint64_t slot_bytes;
	uint64_t tiny_objects;
};

/* Of the calling thread; mcache_none, which is always empty, before it has one. */
extern TLS_FAST struct mcache *mcache_self;
extern struct mcache mcache_none;

void mcache_init(struct mcache *mc);
bool mcache_refill(struct heap *h, struct mcache *mc, unsigned int spanclass);
void mcache_release(struct heap *h, struct mcache *mc);
void mcache_abandon(struct heap *h, struct mcache *mc);

static inline size_t run_left(const struct run *r)
{
	return r->end - r->next;
}

#endif /* GOHEAP_MCACHE_H */
