/* SPDX-License-Identifier: MIT */
/*
 * The pacer: when a collection is due, how much the allocating threads must
 * help it, and how fast the spans it leaves must be swept.
 *
 * It is pure: no clocks, no locks, no globals, no system calls; what it knows it
 * was told.  See pacer.c for how it decides.
 *
 * Who calls what: pacer_start(), pacer_end(), pacer_sweep_start() and pacer_settings()
 * change the state and are called one at a time (gc.lock), as pacer_stop_ns() and pacer_one_stop()
 * are.  pacer_goal(),
 * pacer_trigger(), pacer_work_due(), pacer_sweep_due() and pacer_overrun() may be
 * called by any thread at any time: they read single words and use what they read even
 * if it is of two moments, which costs at most a decision that is a little off.
 */
#ifndef GOHEAP_PACER_H
#define GOHEAP_PACER_H

#include <stdbool.h>
#include <stdint.h>

/* A cycle is remembered for so many after it: the highest estimate counts. */
#define PACER_HISTORY	4

/**
 * struct pacer_input - what the program has set, and what memory is taken
 * @gc_percent: GOGC; negative: off
 * @memory_limit: soft limit, bytes; UINT64_MAX: none
 * @beside: bytes that count against the limit and are not objects: tables, what spans
 *	hold beside objects.  Not garbage that has only to be swept.
 * @stop_ns: a cycle that should take no longer than this may be had in one stop; 0: none
 */
struct pacer_input {
	int gc_percent;
	uint64_t memory_limit;
	uint64_t beside;
	uint64_t stop_ns;
};

/**
 * struct pacer_cycle - how a cycle went
 * @marked: bytes found live, with what was allocated black
 * @live: bytes counted as live when marking ended, before the count was set to @marked
 * @scanned: bytes searched in all: roots, objects, and again on dirty pages
 * @allocated: bytes allocated while marking ran
 * @roots: of @scanned: stacks, static data, TLS, added ranges; each once
 * @mark_ns: from the start of marking to its end, by the clock; 0 if the world was
 *	stopped all the time, which tells nothing about pace
 * @worker_ns: processor time of the threads that only mark
 * @assist_ns: processor time that allocating threads gave to marking
 * @nprocs: processors that the process may use
 * @stop_ns: how long the world was stopped, if it was all the time
 */
struct pacer_cycle {
	uint64_t marked;
	uint64_t live;
	uint64_t scanned;
	uint64_t allocated;
	uint64_t roots;
	uint64_t mark_ns;
	uint64_t worker_ns;
	uint64_t assist_ns;
	unsigned int nprocs;
	uint64_t stop_ns;
};

/**
 * struct pacer - the state; nobody's business but pacer.c's
 * @in: the settings
 * @marked: found live by the last cycle
 * @last_marked: by the one before
 * @scanned: searched by the last cycle
 * @roots: of these, roots
 * @cons_mark: bytes that a processor allocates while another scans a byte
 * @history: the estimates of single cycles, the latest last
 * @scan_cost: how long a byte takes to scan in a stopped world, ns; 0: not known
 * @overshoot: bytes by which the last cycle ended above its goal
 * @expected: of the cycle under way: bytes to be scanned, as far as can be told
 * @most: bytes to be scanned if everything turns out to be live
 * @start: live bytes at the start of the cycle under way; UINT64_MAX: none is
 * @goal: heap goal
 * @hard: live bytes at which @most should have been scanned
 * @trigger: live bytes at which the next cycle should start
 * @sweep_from: live bytes when sweeping began
 * @sweep_to: live bytes at which it must be over
 * @sweep_pages: pages that were to be swept
 */
struct pacer {
	struct pacer_input in;
	uint64_t marked;
	uint64_t last_marked;
	uint64_t scanned;
	uint64_t roots;
	double cons_mark;
	double history[PACER_HISTORY];
	double scan_cost;
	uint64_t overshoot;
	/* Read without the lock. */
	uint64_t expected;
	uint64_t most;
	uint64_t start;
	uint64_t goal;
	uint64_t hard;
	uint64_t trigger;
	uint64_t sweep_from;
	uint64_t sweep_to;
	uint64_t sweep_pages;
};

void pacer_init(struct pacer *p, const struct pacer_input *in);
void pacer_settings(struct pacer *p, const struct pacer_input *in);
void pacer_start(struct pacer *p, uint64_t live, uint64_t scannable);
void pacer_end(struct pacer *p, const struct pacer_cycle *c);
void pacer_sweep_start(struct pacer *p, uint64_t live, uint64_t pages);

uint64_t pacer_work_due(const struct pacer *p, uint64_t live, uint64_t scanned);
uint64_t pacer_sweep_due(const struct pacer *p, uint64_t live, uint64_t swept);
bool pacer_overrun(const struct pacer *p, uint64_t live);
uint64_t pacer_stop_ns(const struct pacer *p, uint64_t live);
bool pacer_one_stop(const struct pacer *p, uint64_t live);

static inline uint64_t pacer_read(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/**
 * pacer_goal() - the heap goal
 * @p: the pacer
 *
 * A collection should have ended when so many bytes are live.
 *
 * Return: bytes; UINT64_MAX if no collection will ever be due.
 */
static inline uint64_t pacer_goal(const struct pacer *p)
{
	return pacer_read(&p->goal);
}

/**
 * pacer_trigger() - where the next collection starts
 * @p: the pacer
 *
 * Return: live bytes, at most pacer_goal(); UINT64_MAX for never.
 */
static inline uint64_t pacer_trigger(const struct pacer *p)
{
	return pacer_read(&p->trigger);
}

#endif /* GOHEAP_PACER_H */
