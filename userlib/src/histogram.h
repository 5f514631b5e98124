/* SPDX-License-Identifier: MIT */
/*
 * How long the world stood: a histogram of all stops, and the last collections'
 * one by one.  Buckets are a quarter of a power of two wide, so that a value is
 * known to a fifth; what is under a microsecond or over 18 minutes is in the first
 * and the last.
 *
 * Written by the collector under gc.lock.
 */
#ifndef GOHEAP_HISTOGRAM_H
#define GOHEAP_HISTOGRAM_H

#include "base.h"

#define TIME_SHIFT_LEAST	10		/* 1024 ns */
#define TIME_SHIFT_MOST		40
#define TIME_STEPS		4		/* buckets for each power of two */
#define TIME_BUCKETS		((TIME_SHIFT_MOST - TIME_SHIFT_LEAST) * TIME_STEPS + 2)

#define PAUSES_KEPT		256		/* as Go's MemStats.PauseNs */

/**
 * struct pauses - the stops of collections so far
 * @stopping: histogram of the time from asking for a stop until all threads stood
 * @stopped: histogram of the time they stood
 * @this_cycle: ns they stood in the cycle under way
 * @ns: by cycle: how long they stood in it
 * @end: when it was over, CLOCK_REALTIME ns
 */
struct pauses {
	uint64_t stopping[TIME_BUCKETS];
	uint64_t stopped[TIME_BUCKETS];
	uint64_t this_cycle;
	uint64_t ns[PAUSES_KEPT];
	uint64_t end[PAUSES_KEPT];
};

static inline unsigned int time_bucket(uint64_t ns)
{
	unsigned int shift;

	if (ns < 1u << TIME_SHIFT_LEAST)
		return 0;
	if (ns >> TIME_SHIFT_MOST)
		return TIME_BUCKETS - 1;
	shift = 63 - (unsigned int)__builtin_clzll(ns);
	return 1 + (shift - TIME_SHIFT_LEAST) * TIME_STEPS +
	       (unsigned int)(ns >> (shift - 2) & (TIME_STEPS - 1));
}

/* The least value in a bucket. */
static inline uint64_t time_bucket_from(unsigned int bucket)
{
	unsigned int shift = TIME_SHIFT_LEAST + (bucket - 1) / TIME_STEPS;

	return bucket ? (uint64_t)(TIME_STEPS + (bucket - 1) % TIME_STEPS) << (shift - 2) : 0;
}

/* One stop is over: so long it took to stop all, so long they stood. */
static inline void pauses_note(struct pauses *p, uint64_t stopping, uint64_t stopped)
{
	p->stopping[time_bucket(stopping)]++;
	p->stopped[time_bucket(stopped)]++;
	p->this_cycle += stopped;
}

/* The cycle is over that makes it @cycles of them. */
static inline void pauses_cycle(struct pauses *p, uint64_t cycles, uint64_t now)
{
	p->ns[(cycles + PAUSES_KEPT - 1) % PAUSES_KEPT] = p->this_cycle;
	p->end[(cycles + PAUSES_KEPT - 1) % PAUSES_KEPT] = now;
	p->this_cycle = 0;
}

#endif /* GOHEAP_HISTOGRAM_H */
