/* SPDX-License-Identifier: MIT */
/*
 * Where spans come from: /dev/goheap, or an ordinary mapping of the process
 * that runs the kernel's own page allocator over itself.  Both speak the ABI's
 * struct goheap_span.
 */
#ifndef GOHEAP_BACKEND_H
#define GOHEAP_BACKEND_H

#include <linux/goheap.h>
#include <pthread.h>

#include "base.h"

struct palloc;
struct palloc_chunk;

/* Why free pages were given back to the system. */
enum release_reason {
	RELEASE_REQUEST,	/* asked for */
	RELEASE_BACKGROUND,	/* above the retention goal, between collections */
	RELEASE_GROWTH,		/* above the retention goal, as the heap grew */
	RELEASE_LIMIT,		/* to stay below a limit */
	RELEASE_PRESSURE,	/* the system, or the cgroup, was short of memory */
	NUM_RELEASE_REASONS
};

#define NO_GOAL		UINT64_MAX
#define NO_LIMIT	UINT64_MAX

/**
 * struct backend_stats - what a source of spans knows; bytes unless said
 * @grown_bytes: address space that spans have reached
 * @retained_bytes: free pages with memory behind them
 * @released_bytes: free pages without
 * @retain_goal: what the scavenger aims to keep, used and free; or NO_GOAL
 * @released: ever given back, by reason
 * @pressure: how often the kernel asked for memory when no free page was left
 */
struct backend_stats {
	uint64_t grown_bytes;
	uint64_t retained_bytes;
	uint64_t released_bytes;
	uint64_t retain_goal;
	uint64_t released[NUM_RELEASE_REASONS];
	uint64_t pressure;
};

/**
 * struct backend_settings - how it behaves
 * @policy: GOHEAP_POLICY_*
 * @retain_percent: the constant of the retention goal
 * @memory_limit: soft limit for used and retained bytes, or NO_LIMIT
 * @hard_limit: they never exceed it, or NO_LIMIT
 */
struct backend_settings {
	uint32_t policy;
	uint32_t retain_percent;
	uint64_t memory_limit;
	uint64_t hard_limit;
};

struct backend;

/**
 * struct backend_ops - what a source of spans can do
 * @alloc: fill in @addr and flags of @n spans, all or none; -1 and ENOMEM.
 *	Without GOHEAP_SPAN_NEEDZERO in the reply a span is zero
 * @free: take @n spans back; cannot fail for spans that @alloc gave out
 * @release: give up to @bytes of free pages back to the system, highest
 *	address first.  Return: how many bytes
 * @stats: fill in what this source knows
 * @configure: take settings over; -1 and errno if it cannot
 * @cycle: a collection has marked, and the next is due when the heap has reached
 *	@heap_goal bytes: sets the retention goal
 * @scavenge: one step of the background scavenger, where it is not the kernel's.
 *	Return: ns until the next step; 0 if there is nothing to do before the
 *	next @cycle
 * @inherit: this is a forked child.  Return: 0 if it may go on using the heap
 * @close: undo the opening, when nothing has been allocated yet
 *
 * All may be called from any thread.
 */
struct backend_ops {
	int (*alloc)(struct backend *b, struct goheap_span *spans, unsigned int n);
	void (*free)(struct backend *b, struct goheap_span *spans, unsigned int n);
	uint64_t (*release)(struct backend *b, uint64_t bytes);
	void (*stats)(struct backend *b, struct backend_stats *stats);
	int (*configure)(struct backend *b, const struct backend_settings *s);
	void (*cycle)(struct backend *b, uint64_t heap_goal);
	uint64_t (*scavenge)(struct backend *b);
	int (*inherit)(struct backend *b);
	void (*close)(struct backend *b);
};

/**
 * struct scavenger - the in-process heap's; see scavenge.c
 * @settings: in force
 * @heap_goal: as last reported; 0 before
 * @retain_goal: bytes, used and retained; or NO_GOAL
 * @reported: CLOCK_MONOTONIC ns of the last report
 * @expected: until the next report, ns
 * @paid_until: CLOCK_MONOTONIC ns: 1 % of a processor until then has been spent
 * @released: bytes given back ever, by reason
 */
struct scavenger {
	struct backend_settings settings;
	uint64_t heap_goal;
	uint64_t retain_goal;
	uint64_t reported;
	uint64_t expected;
	uint64_t paid_until;
	uint64_t released[NUM_RELEASE_REASONS];
};

struct backend {
	const struct backend_ops *ops;
	uintptr_t base;			/* of the arena */
	size_t bytes;			/* its length */
	uint64_t features;		/* GOHEAP_FEATURE_* */
	int fd;				/* of the device, or -1 */
	pthread_mutex_t lock;		/* in the process: serialises what follows */
	struct palloc *palloc;
	size_t dumped;			/* so much of the arena is in core dumps */
	struct palloc_chunk *spare_chunk;	/* of these, so many */
	unsigned int spare_chunks;
	struct scavenger scav;
};

/* Return: 0; -1 and errno, with nothing left behind. */
int backend_open_device(struct backend *b, size_t bytes);
int backend_open_process(struct backend *b, size_t bytes);

/* scavenge.c: for the in-process backend, whose lock is held. */
void scavenge_init(struct backend *b);
uint64_t scavenge_release(struct backend *b, uint64_t pages, enum release_reason reason);
void scavenge_keep_limit(struct backend *b);
int scavenge_make_room(struct backend *b, uint64_t fresh);
void scavenge_cycle(struct backend *b, uint64_t heap_goal);
uint64_t scavenge_step(struct backend *b);

#endif /* GOHEAP_BACKEND_H */
