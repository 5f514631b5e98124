// SPDX-License-Identifier: MIT
/*
 * The in-process heap's scavenger: when its free pages go back to the system.
 * What the kernel module does for an arena of the device, by the same rules:
 *
 *  - After each collection there is a retention goal: the bytes in use then,
 *    times what the next heap goal is to the last one, times a constant (1.1).
 *    Before the second collection there is none.  As Go's gcPaceScavenger().
 *  - What is held above the goal goes in the background: a step now and then, on the
 *    library's own background thread, spread over half the time until the next
 *    collection is due: by the interval between the last two, and if the heap goal has
 *    come down, so much sooner.  Not all at once when the collection ends: the
 *    sweeper is just making the pages free, and some of them are wanted again
 *    before the next one.
 *  - It never takes more than 1 % of a processor, on average over the time since the
 *    heap was started.  What has not been used of that is saved, for ten seconds at
 *    most: after a spike there is much to do before the next collection.  It starts
 *    with as much.
 *  - When spans need new memory and that would exceed the goal, as much goes
 *    first as they need, where there is that much.
 *  - For the memory limit and the hard limit likewise, but all that exceeds them;
 *    also when pages become free that exceed the memory limit.
 *
 * Always the pages with the highest addresses.  There is nobody here who would
 * say that the system is short of memory; that takes the device.
 */
#include <palloc.h>
#include <sys/mman.h>

#include "backend.h"

/* A step of the background scavenger; the backend's lock is held for so long. */
#define STEP_PAGES	64
/* A step of a millisecond uses up the share of a hundred. */
#define SHARE		100
/* So much time can be saved up. */
#define SAVED_NS	10000000000u
#define PAUSE_LEAST_NS	1000000u

/* Runtime pages in use or retained. */
static uint64_t pages_held(const struct backend *b)
{
	const struct palloc *p = b->palloc;

	return p->nr_chunks * PALLOC_CHUNK_PAGES - p->nr_released;
}

/* By how many pages the heap exceeds @bytes. */
static uint64_t pages_above(const struct backend *b, uint64_t bytes)
{
	uint64_t held = pages_held(b);
	uint64_t may = bytes >> PAGE_SHIFT;

	return held > may ? held - may : 0;
}

void scavenge_init(struct backend *b)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	b->scav = (struct scavenger){
		.settings = {
			.policy = GOHEAP_POLICY_FIRST_FIT,
			.retain_percent = 110,
			.memory_limit = NO_LIMIT,
			.hard_limit = NO_LIMIT,
		},
		.retain_goal = NO_GOAL,
		.paid_until = now > SAVED_NS ? now - SAVED_NS : 0,
	};
}

/**
 * scavenge_release() - give free pages back, highest address first
 * @b: the backend
 * @pages: how many at most
 * @reason: what to count them as
 *
 * Return: how many pages went back.
 */
uint64_t scavenge_release(struct backend *b, uint64_t pages, enum release_reason reason)
{
	u64 below = PALLOC_NONE, released = 0, page, n;

	while (released < pages &&
	       palloc_find_retained(b->palloc, below, pages - released, &page, &n)) {
		below = page;
		/* The program may have locked some: they keep their contents. */
		if (os_discard((void *)(b->base + (page << PAGE_SHIFT)), n << PAGE_SHIFT))
			continue;
		palloc_set_released(b->palloc, page, n);
		released += n;
	}
	b->scav.released[reason] += released << PAGE_SHIFT;
	return released;
}

/**
 * scavenge_keep_limit() - release what exceeds the memory limit, if it is free
 * @b: the backend
 */
void scavenge_keep_limit(struct backend *b)
{
	uint64_t above = pages_above(b, b->scav.settings.memory_limit);

	if (unlikely(above))
		scavenge_release(b, above, RELEASE_LIMIT);
}

/**
 * scavenge_make_room() - the heap is about to take new memory
 * @b: the backend, whose palloc counts the pages as used already
 * @fresh: how many pages
 *
 * Return: 0; -1 if the hard limit forbids it.
 */
int scavenge_make_room(struct backend *b, uint64_t fresh)
{
	const struct backend_settings *s = &b->scav.settings;
	uint64_t above = pages_above(b, b->scav.retain_goal);

	if (above)
		scavenge_release(b, above < fresh ? above : fresh, RELEASE_GROWTH);
	scavenge_keep_limit(b);
	above = pages_above(b, s->hard_limit);
	if (above)
		scavenge_release(b, above, RELEASE_LIMIT);
	return pages_above(b, s->hard_limit) ? -1 : 0;
}

/**
 * scavenge_cycle() - a collection has marked
 * @b: the backend
 * @heap_goal: size of the heap at which the next is due
 */
void scavenge_cycle(struct backend *b, uint64_t heap_goal)
{
	struct scavenger *scav = &b->scav;
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	uint64_t used = b->palloc->nr_used << PAGE_SHIFT;

	if (scav->heap_goal) {
		double ratio = (double)heap_goal / (double)scav->heap_goal;
		double goal = (double)used * ratio * scav->settings.retain_percent / 100;

		scav->retain_goal = goal < (double)b->bytes ?
			align_up((uint64_t)goal, PAGE_BYTES) : b->bytes;
		scav->expected = now - scav->reported;
		if (ratio < 1)
			scav->expected = (uint64_t)((double)scav->expected * ratio);
	}
	scav->heap_goal = heap_goal;
	scav->reported = now;
}

/* A step took @spent.  Return: ns until there is time for another. */
static uint64_t pay(struct scavenger *scav, uint64_t spent, uint64_t now)
{
	if (scav->paid_until + SAVED_NS < now)
		scav->paid_until = now - SAVED_NS;
	scav->paid_until += SHARE * spent;
	return scav->paid_until > now ? scav->paid_until - now : 0;
}

/**
 * scavenge_step() - one step of the background scavenger
 * @b: the backend
 *
 * Return: ns until the next step; 0 if there is nothing more to do.
 */
uint64_t scavenge_step(struct backend *b)
{
	struct scavenger *scav = &b->scav;
	uint64_t above = pages_above(b, scav->retain_goal);
	uint64_t now = now_ns(CLOCK_MONOTONIC), cpu, due, pause, paced;

	if (!above)
		return 0;
	if (scav->paid_until > now)
		return scav->paid_until - now;
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	if (!scavenge_release(b, above < STEP_PAGES ? above : STEP_PAGES, RELEASE_BACKGROUND))
		return 0;
	pause = pay(scav, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu, now);
	above = pages_above(b, scav->retain_goal);
	if (!above)
		return 0;
	if (pause < PAUSE_LEAST_NS)
		pause = PAUSE_LEAST_NS;
	due = scav->reported + scav->expected / 2;
	paced = due > now ? (due - now) / (above / STEP_PAGES + 2) : 0;
	return pause > paced ? pause : paced;
}
