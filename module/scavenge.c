// SPDX-License-Identifier: GPL-2.0
/*
 * The scavenger: free pages go back to the system to keep to a goal or a limit.
 *
 *  - The library reports each collection (GOHEAP_IOC_CYCLE).  From the second
 *    report on there is a retention goal, and the interval between two reports
 *    says when the next is due; sooner, if the heap's goal has come down.
 *  - Background: a worker that runs while more than the goal is backed, at the
 *    pace of scavenge_goal.h.  It goes to sleep when nothing is left that it
 *    could release; freeing a span wakes it.
 *  - Growth, and the limits: a request that is going to take memory makes room
 *    first, in scavenge_make_room().
 *  - The memory limit again: what is freed while in use was above the limit
 *    goes back at once, as far as it is above.
 *
 * The other triggers are elsewhere: pressure in shrink.c, the user's own
 * request in release.c.  All release from the highest address down.
 *
 * What makes the usual free cheap is scavenger::wake, the one figure that it
 * compares with: the least that any of these would act upon.
 */
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "arena.h"
#include "scavenge_goal.h"
#include "trace.h"

static void scavenge_trace(const struct arena *a, enum release_reason reason, u64 goal,
			   u64 want)
{
	trace_goheap_scavenge(a, reason, a->inuse << GOHEAP_PAGE_SHIFT,
			      (a->backed - a->inuse) << GOHEAP_PAGE_SHIFT,
			      goal << GOHEAP_PAGE_SHIFT, want << GOHEAP_PAGE_SHIFT);
}

static bool scavenge_is_on(const struct arena *a, u32 trigger)
{
	return a->scav.triggers & trigger;
}

/* Settings, goal or the worker's state have changed. */
static void scavenge_set_wake(struct arena *a)
{
	struct scavenger *sc = &a->scav;

	sc->wake = SCAVENGE_NONE;
	if (scavenge_is_on(a, GOHEAP_SCAVENGE_LIMIT))
		sc->wake = sc->memory_limit >> GOHEAP_PAGE_SHIFT;
	if (scavenge_is_on(a, GOHEAP_SCAVENGE_BACKGROUND) && !sc->queued)
		sc->wake = min(sc->wake, sc->goal);
}

/* Have the worker run, after as long a rest as its last run calls for. */
static void scavenge_queue_work(struct scavenger *sc, u64 now)
{
	u64 delay = scavenge_delay(now, sc->rested_ns, sc->tick_ns);

	queue_delayed_work(goheap_wq, &sc->work, nsecs_to_jiffies(delay) + 1);
}

/* Have the worker run, if there is anything for it to do. */
static void scavenge_queue(struct arena *a)
{
	struct scavenger *sc = &a->scav;

	lockdep_assert_held(&a->lock);

	if (!sc->queued && a->state == ARENA_MAPPED && a->backed > sc->goal &&
	    scavenge_is_on(a, GOHEAP_SCAVENGE_BACKGROUND) && arena_retained(a)) {
		refcount_inc(&a->ref);
		sc->queued = true;
		scavenge_queue_work(sc, ktime_get_ns());
	}
	scavenge_set_wake(a);
}

/* Release until at most @goal is backed, or nothing more can be. */
static void scavenge_down_to(struct arena *a, u64 goal, enum release_reason reason)
{
	bool first = true;
	u64 n;

	do {
		mutex_lock(&a->lock);
		n = 0;
		if (a->backed > goal) {
			if (first)
				scavenge_trace(a, reason, goal, a->backed - goal);
			first = false;
			n = arena_release_batch(a, a->backed - goal, reason);
		}
		mutex_unlock(&a->lock);
		cond_resched();
	} while (n && !fatal_signal_pending(current));
}

/**
 * scavenge_run() - one run of the background worker
 * @a: the arena
 *
 * Context: without the lock; may sleep.  Drops the reference that the worker
 * has if it is not going to run again.
 */
void scavenge_run(struct arena *a)
{
	struct scavenger *sc = &a->scav;
	u64 spent = 0, share = 0, done = 0, start, now, n;
	bool again;

	mutex_lock(&a->lock);
	for (;;) {
		start = ktime_get_ns();
		n = 0;
		if (a->backed > sc->goal && scavenge_is_on(a, GOHEAP_SCAVENGE_BACKGROUND)) {
			u64 above = a->backed - sc->goal;

			if (!share) {
				share = scavenge_share(above, start, sc->deadline_ns,
						       sc->tick_ns);
				scavenge_trace(a, RELEASE_BACKGROUND, sc->goal, share);
			}
			n = arena_release_batch(a, min3(above, share - done,
							(u64)SCAVENGE_BATCH),
						RELEASE_BACKGROUND);
			done += n;
		}
		now = ktime_get_ns();
		spent += now - start;
		if (!n || done >= share || spent >= SCAVENGE_BURST_NS)
			break;
		/* Waiting for the lock is no work. */
		mutex_unlock(&a->lock);
		cond_resched();
		mutex_lock(&a->lock);
	}

	sc->spent_ns += spent;
	sc->rested_ns = now + scavenge_rest(spent);
	again = a->state == ARENA_MAPPED && a->backed > sc->goal && n &&
		scavenge_is_on(a, GOHEAP_SCAVENGE_BACKGROUND);
	if (again)
		scavenge_queue_work(sc, now);
	else
		sc->queued = false;
	scavenge_set_wake(a);
	mutex_unlock(&a->lock);
	if (!again)
		arena_put(a);
}

static void scavenge_work(struct work_struct *work)
{
	scavenge_run(container_of(to_delayed_work(work), struct arena, scav.work));
}

/**
 * scavenge_init() - a new arena's settings
 * @a: the arena
 */
void scavenge_init(struct arena *a)
{
	struct scavenger *sc = &a->scav;

	sc->policy = GOHEAP_POLICY_FIRST_FIT;
	sc->triggers = GOHEAP_SCAVENGE_ALL;
	sc->retain_percent = RETAIN_PERCENT_DEFAULT;
	sc->memory_limit = U64_MAX;
	sc->hard_limit = U64_MAX;
	sc->goal = SCAVENGE_NONE;
	sc->tick_ns = SCAVENGE_TICK_NS;
	INIT_DELAYED_WORK(&sc->work, scavenge_work);
	scavenge_set_wake(a);
}

/**
 * scavenge_copy() - a forked child's arena is to behave as its parent's
 * @child: the arena, after scavenge_init(); nobody uses it yet
 * @parent: the parent's; its lock is held
 *
 * The child has its own history: no goal until it has reported twice.
 */
void scavenge_copy(struct arena *child, const struct arena *parent)
{
	lockdep_assert_held(&parent->lock);

	child->scav.policy = parent->scav.policy;
	child->scav.triggers = parent->scav.triggers;
	child->scav.retain_percent = parent->scav.retain_percent;
	child->scav.memory_limit = parent->scav.memory_limit;
	child->scav.hard_limit = parent->scav.hard_limit;
	scavenge_set_wake(child);
}

/**
 * scavenge_stop() - the arena is closed: the worker has nothing to do any more
 * @a: the arena, in state ARENA_CLOSED
 *
 * Context: with or without the lock.  A run that has begun is not waited for;
 * it finds out by the state.
 */
void scavenge_stop(struct arena *a)
{
	if (cancel_delayed_work(&a->scav.work))
		arena_put_async(a);
}

/**
 * scavenge_cycle() - a collection has ended
 * @a: the arena, in state ARENA_MAPPED; its lock is held
 * @heap_goal: heap at which the next is due, bytes; not 0
 * @now: the time, nanoseconds
 *
 * Return: nanoseconds since the report before; 0 if this is the first.
 */
u64 scavenge_cycle(struct arena *a, u64 heap_goal, u64 now)
{
	struct scavenger *sc = &a->scav;
	u64 interval = sc->cycles ? now - sc->cycle_ns : 0;
	u64 expected = scavenge_expected(interval, heap_goal, sc->heap_goal);

	lockdep_assert_held(&a->lock);

	sc->goal = scavenge_goal(sc->retain_percent, heap_goal, sc->heap_goal, a->inuse);
	sc->heap_goal = heap_goal;
	sc->cycle_ns = now;
	sc->cycles++;
	sc->tick_ns = scavenge_tick(expected);
	sc->deadline_ns = now + expected / 2;
	trace_goheap_cycle(a, heap_goal, scavenge_goal_bytes(a),
			   a->inuse << GOHEAP_PAGE_SHIFT, interval);
	scavenge_queue(a);
	return interval;
}

/**
 * scavenge_goal_bytes() - the retention goal
 * @a: the arena; its lock is held
 *
 * Return: bytes; ~0 if there is none.
 */
u64 scavenge_goal_bytes(const struct arena *a)
{
	u64 goal = a->scav.goal;

	return goal == SCAVENGE_NONE ? U64_MAX : goal << GOHEAP_PAGE_SHIFT;
}

/**
 * scavenge_set() - the user has changed settings
 * @a: the arena
 * @set: those named by goheap_settings::set, which have been checked
 *
 * Context: without the lock; may sleep: what a new limit forbids is released.
 */
void scavenge_set(struct arena *a, const struct goheap_settings *set)
{
	struct scavenger *sc = &a->scav;
	u64 wake;

	mutex_lock(&a->lock);
	if (set->set & GOHEAP_SET_SCAVENGE)
		sc->triggers = set->scavenge;
	if (set->set & GOHEAP_SET_RETAIN_PERCENT)
		sc->retain_percent = set->retain_percent;
	if (set->set & GOHEAP_SET_MEMORY_LIMIT)
		sc->memory_limit = set->memory_limit;
	if (set->set & GOHEAP_SET_HARD_LIMIT)
		sc->hard_limit = set->hard_limit;
	scavenge_set_wake(a);
	wake = sc->wake;
	mutex_unlock(&a->lock);
	if (wake != SCAVENGE_NONE)
		scavenge_freed(a);
}

/**
 * scavenge_make_room() - a request is going to take memory
 * @a: the arena
 * @npages: how much
 *
 * On success @npages are counted in scavenger::coming.
 *
 * Context: without the lock; may sleep.
 * Return: 0, -ENOMEM: over the hard limit, -EINTR for a process that is being
 * killed.
 */
int scavenge_make_room(struct arena *a, u64 npages)
{
	struct scavenger *sc = &a->scav;
	enum release_reason traced = RELEASE_CLOSE;
	u64 done = 0, n;
	int err = 0;

	mutex_lock(&a->lock);
	for (;;) {
		u64 backed = a->backed + sc->coming;
		struct scavenge_want want = scavenge_want(sc, backed, npages, done);

		if (!want.npages)
			break;
		if (want.reason != traced)
			scavenge_trace(a, want.reason, want.goal, want.npages);
		traced = want.reason;
		n = arena_release_batch(a, want.npages, want.reason);
		if (!n)
			break;
		if (want.reason == RELEASE_GROWTH)
			done += n;
		mutex_unlock(&a->lock);
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
		mutex_lock(&a->lock);
	}
	if (a->backed + sc->coming + npages > sc->hard_limit >> GOHEAP_PAGE_SHIFT)
		err = -ENOMEM;
	else
		sc->coming += npages;
	mutex_unlock(&a->lock);
	return err;
}

/**
 * scavenge_freed() - spans were freed while more than scavenger::wake is backed
 * @a: the arena
 *
 * Context: without the lock; may sleep.
 */
void scavenge_freed(struct arena *a)
{
	u64 limit = SCAVENGE_NONE;

	mutex_lock(&a->lock);
	if (scavenge_is_on(a, GOHEAP_SCAVENGE_LIMIT))
		limit = a->scav.memory_limit >> GOHEAP_PAGE_SHIFT;
	mutex_unlock(&a->lock);

	if (limit != SCAVENGE_NONE)
		scavenge_down_to(a, limit, RELEASE_LIMIT);

	mutex_lock(&a->lock);
	scavenge_queue(a);
	mutex_unlock(&a->lock);
}
