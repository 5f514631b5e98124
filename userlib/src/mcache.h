/* SPDX-License-Identifier: MIT */
/*
 * The per-thread cache: for each span class a run of free, zeroed slots that
 * the thread hands out by moving a pointer, without a lock and without atomics.
 *
 * Go keeps a bitmap of free slots in the cache and finds the next by counting
 * zeros.  Here the run between two allocated slots is claimed, and cleared, at
 * once; taking an object from it is an addition and a comparison.
 *
 * Upwards, since a pointer on a stack to an object may also be one past the end of the
 * object before it, and keeps that, too (mark_frames()).  The object after it would often
 * be the first of what it is to hold: of a queue, that from which all others can be reached.
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
 * struct freed - slots of one class that the thread has freed; see reuse.c
 * @first: the list
 * @n: how many
 */
struct freed {
	uintptr_t first;
	uint64_t n;
};

/**
 * struct mcache - one thread's cache
 * @run: by span class
 * @tiny_next: next free byte of the block that small noscan objects share
 * @tiny_end: its end
 * @tiny_starts: the block's bits that say where objects begin
 * @span: the span that the run is from; NULL once the collector has detached it
 * @slots: slots ever claimed in runs, by size class; class 0 is large objects
 * @frees: objects freed by the program, by size class
 * @freed: by span class
 * @tiny_objects: objects served from shared blocks beyond the first of each
 *
 * @sample_left: bytes to claim before one is sampled for the heap profile
 * @sample_seed: of random numbers; 0: none has been drawn
 * @sample_due: by span class: a bit if the next slot is to be sampled
 * @sample_now: the slot just claimed is to be sampled
 *
 * Written by its thread alone.  The counts are read by others while it
 * runs, hence the atomic accesses to them.
 */
struct mcache {
	struct run run[NUM_SPAN_CLASSES];
	uintptr_t tiny_next;
	uintptr_t tiny_end;
	uint16_t *tiny_starts;
	struct span *span[NUM_SPAN_CLASSES];
	uint64_t slots[NUM_SIZE_CLASSES];
	uint64_t frees[NUM_SIZE_CLASSES];
	struct freed freed[NUM_SPAN_CLASSES];
	uint64_t tiny_objects;
	uint64_t sample_left;
	uint64_t sample_seed;
	uint64_t sample_due[(NUM_SPAN_CLASSES + 63) / 64];
	bool sample_now;
};

_Static_assert(!offsetof(struct mcache, run) &&
	       RUN_STRIDE == NUM_SPAN_KINDS * sizeof(struct run),
	       "tools/mksizeclasses.py knows where the runs are");

/**
 * mcache_small_run() - the run that serves a size
 * @mc: the cache
 * @size: bytes, at most LOOKUP_SMALL_MAX
 * @kind: what it will hold
 *
 * Where it is stands in a table: the fast path has no multiplication.
 */
static inline struct run *mcache_small_run(struct mcache *mc, size_t size, enum span_kind kind)
{
	uintptr_t runs = size_to_runs_small[(size + 7) / 8] + (uintptr_t)mc;

	return (struct run *)runs + kind;
}

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
