/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the scavenger aims for: arithmetic alone, figures in, decision out.
 *
 * Amounts are in runtime pages unless they are said to be bytes; times are in
 * nanoseconds.  The goal is that of Go's runtime/mgcscavenge.go
 * (gcPercentGoal): what was in use after the last collection, scaled as the
 * heap's own goal moved, and a little more.
 *
 * The background worker.  It runs every tick.  How much it releases each time
 * follows from how much is above the goal and how long there is until the
 * deadline, half way to the next collection: what has been freed by then is
 * given back with time to spare, and what is freed later soon after it was.
 * However much there is to do, it stops after a while, and sleeps 159 times as
 * long as it has worked: that leaves room below 1 % for the one run that a
 * window of some seconds has too many, and for what the clock does not see.
 */
#ifndef _GOHEAP_SCAVENGE_GOAL_H
#define _GOHEAP_SCAVENGE_GOAL_H

#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>

#include "arena.h"

/* No goal, no limit. */
#define SCAVENGE_NONE		U64_MAX

/* The constant of the retention goal, in percent. */
#define RETAIN_PERCENT_MIN	100U
#define RETAIN_PERCENT_DEFAULT	110U
#define RETAIN_PERCENT_MAX	1000U

/* The worker runs this often, but several times between two collections. */
#define SCAVENGE_TICK_NS	(50 * NSEC_PER_MSEC)
#define SCAVENGE_TICK_MIN_NS	(10 * NSEC_PER_MSEC)
/* ... stops after this long */
#define SCAVENGE_BURST_NS	(4 * NSEC_PER_MSEC)
/* ... and sleeps this many times as long: a share of 1/160 */
#define SCAVENGE_REST		159
/* Waking up costs something as well. */
#define SCAVENGE_OVERHEAD_NS	(100 * NSEC_PER_USEC)
/* With the lock held once; little, for the clock is looked at after each */
#define SCAVENGE_BATCH		64U
/* Less than this is not worth a flush of the TLBs, unless it is all there is. */
#define SCAVENGE_LEAST		32U

/**
 * scavenge_goal() - the retention goal
 * @percent: the constant C, RETAIN_PERCENT_MIN to _MAX
 * @heap_goal: heap at which the next collection is due, bytes
 * @last_heap_goal: the same, of the report before; 0 if this is the first
 * @inuse: in spans now; at most 2^31
 *
 * Return: C * (@heap_goal / @last_heap_goal) * @inuse, rounded up;
 * SCAVENGE_NONE if there is no report to compare with or the result is out of
 * all reason.
 */
static inline u64 scavenge_goal(u32 percent, u64 heap_goal, u64 last_heap_goal,
				u64 inuse)
{
	if (!last_heap_goal || div64_u64(heap_goal, last_heap_goal) >> 20)
		return SCAVENGE_NONE;
	/* At most 2^31 * 2^10, times 2^20 */
	return DIV64_U64_ROUND_UP(mul_u64_u64_div_u64(inuse * percent, heap_goal,
						      last_heap_goal), 100);
}

/**
 * scavenge_expected() - when the next collection is due
 * @interval: between the last two
 * @heap_goal: heap at which it is due, bytes
 * @last_heap_goal: the same, of the report before; 0 if this is the first
 *
 * A heap that is to be collected at half the size will be in half the time.  One
 * that may grow may take as long as it did all the same.
 *
 * Return: nanoseconds from the report on.
 */
static inline u64 scavenge_expected(u64 interval, u64 heap_goal, u64 last_heap_goal)
{
	if (heap_goal >= last_heap_goal)
		return interval;
	return mul_u64_u64_div_u64(interval, heap_goal, last_heap_goal);
}

/**
 * struct scavenge_want - what an arena is to release before it takes memory
 * @npages: how much; 0: nothing
 * @goal: what for: in use and retained together are to be at most this
 * @reason: why
 */
struct scavenge_want {
	u64 npages;
	u64 goal;
	enum release_reason reason;
};

/**
 * scavenge_want() - what to release before an arena grows
 * @sc: the arena's settings and goal
 * @backed: what the arena has, what others are about to add among it
 * @npages: what it is going to take
 * @done: of what was wanted for growth, how much has been released
 *
 * The hard limit is not a trigger that can be switched off: it must be kept.
 *
 * Return: the most pressing of the wants.
 */
static inline struct scavenge_want
scavenge_want(const struct scavenger *sc, u64 backed, u64 npages, u64 done)
{
	u64 hard = sc->hard_limit >> GOHEAP_PAGE_SHIFT;
	u64 limit = sc->memory_limit >> GOHEAP_PAGE_SHIFT;
	u64 total = backed + npages;

	if (sc->triggers & GOHEAP_SCAVENGE_LIMIT)
		hard = min(hard, limit);
	if (total > hard)
		return (struct scavenge_want) { total - hard, hard, RELEASE_LIMIT };
	if (sc->triggers & GOHEAP_SCAVENGE_GROWTH && total > sc->goal &&
	    done < npages)
		return (struct scavenge_want) {
			min(total - sc->goal, npages - done), sc->goal,
			RELEASE_GROWTH,
		};
	return (struct scavenge_want) { 0, SCAVENGE_NONE, RELEASE_REQUEST };
}

/**
 * scavenge_tick() - how often the worker runs
 * @interval: until the next collection
 *
 * Return: nanoseconds.
 */
static inline u64 scavenge_tick(u64 interval)
{
	return clamp_t(u64, interval / 8, SCAVENGE_TICK_MIN_NS, SCAVENGE_TICK_NS);
}

/**
 * scavenge_share() - what the worker releases in one go
 * @above: how much is above the goal
 * @now: the time
 * @deadline: when the goal is to be reached; may be over
 * @tick: how often the worker runs
 *
 * Return: at most @above, and not 0 unless that is.
 */
static inline u64 scavenge_share(u64 above, u64 now, u64 deadline, u64 tick)
{
	u64 runs = deadline > now ? div64_u64(deadline - now, tick) : 0;

	return min(above, max_t(u64, SCAVENGE_LEAST, div64_u64(above, runs + 1) + 1));
}

/**
 * scavenge_rest() - how long the worker sleeps at least
 * @spent: how long it has worked
 *
 * Return: nanoseconds.
 */
static inline u64 scavenge_rest(u64 spent)
{
	return SCAVENGE_REST * (spent + SCAVENGE_OVERHEAD_NS);
}

/**
 * scavenge_delay() - when the worker runs next
 * @now: the time
 * @rested: until then it sleeps in any case
 * @tick: how often it runs
 *
 * Return: nanoseconds from now on.
 */
static inline u64 scavenge_delay(u64 now, u64 rested, u64 tick)
{
	return rested > now ? max(rested - now, tick) : tick;
}

#endif /* _GOHEAP_SCAVENGE_GOAL_H */
