// SPDX-License-Identifier: MIT
/*
 * The collection cycle, and when it is due.
 *
 * A cycle: finish the last one's sweeping; stop the world; mark from the roots;
 * make all spans unswept; start the world.  The next is due when the heap
 * reaches the goal, (1 + GOGC/100) times what was found live, and not under
 * 4 MiB * GOGC/100 (Go's defaultHeapMinimum); when two minutes have passed
 * (Go's forcegcperiod); on request; when memory cannot be had; and when the
 * kernel wants some.  Each is reported to the scavenger, with the next goal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <goheap.h>

#include "heap.h"

#define HEAP_MINIMUM	((uint64_t)4 << 20)
/* On the device the background thread starts when the heap has grown by so much. */
#define WATCH_BYTES	((uint64_t)1 << 20)
/*
 * While the list of loaded objects is out of date, try again: so often, a
 * millisecond apart.  It never fits where the library itself is in a namespace of
 * dlmopen()'s.
 */
#define SNAPSHOT_TRIES	2000

/*
 * The largest goal that keeps the footprint under the memory limit: what the
 * heap holds beside objects counts against it.  Never so close above the live
 * heap that collections follow on each other's heels.
 */
static uint64_t limited_goal(struct heap *h, uint64_t goal)
{
	uint64_t limit = (uint64_t)h->gc.memory_limit;
	uint64_t inuse = counter_read(&h->inuse);
	uint64_t live = counter_read(&h->gc.live);
	uint64_t beside = counter_read(&h->meta.bytes) + (inuse > live ? inuse - live : 0);
	uint64_t least = h->gc.marked + h->gc.marked / 16 + (64 << 10);
	uint64_t most = limit > beside ? limit - beside : 0;

	if (most < least)
		most = least;
	return goal < most ? goal : most;
}

/* Set the heap goal from the settings and the live heap.  gc.lock held. */
static void update_goal(struct heap *h)
{
	struct gc *gc = &h->gc;
	uint64_t goal = UINT64_MAX;

	if (gc->percent >= 0) {
		uint64_t least = HEAP_MINIMUM * (uint64_t)gc->percent / 100;

		goal = gc->marked + gc->marked / 100 * (uint64_t)gc->percent;
		if (goal < least)
			goal = least;
	}
	if (gc->memory_limit != INT64_MAX)
		goal = limited_goal(h, goal);
	__atomic_store_n(&gc->goal, goal, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->trigger, goal < gc->watch ? goal : gc->watch, __ATOMIC_RELAXED);
}

/* Nothing is done about the kernel's wishes before somebody waits for them. */
static void watch_from(struct heap *h, uint64_t bytes)
{
	h->gc.watch = h->background.watch ? bytes : UINT64_MAX;
}

/*
 * Tell the scavenger.  Without a goal the heap is expected to stay as it is:
 * what counts is what one goal is to the last.
 */
static void report_cycle(struct heap *h, struct thread *self)
{
	struct gc *gc = &h->gc;

	if (gc->goal != UINT64_MAX)
		gc->reported_goal = gc->goal;
	else if (!gc->reported_goal)
		gc->reported_goal = gc->marked + HEAP_MINIMUM;
	thread_enter_busy(h, self);
	h->backend.ops->cycle(&h->backend, gc->reported_goal ? gc->reported_goal : 1);
	thread_leave_busy(h, self);
}

static void count_cycle(struct heap *h, const struct gc_times *t, enum gc_reason reason)
{
	struct gc *gc = &h->gc;
	uint64_t pause = t->end - t->stopped;

	gc->cycles++;
	gc->forced += reason == GC_FORCED;
	gc->periodic += reason == GC_PERIODIC;
	gc->pressure += reason == GC_PRESSURE;
	gc->pause_total += pause;
	if (pause > gc->pause_max)
		gc->pause_max = pause;
	gc->last_end = now_ns(CLOCK_REALTIME);
	__atomic_store_n(&gc->last_end_mono, t->end, __ATOMIC_RELAXED);
}

/* Stop the world with a list of loaded objects that is right. */
static void stop_with_roots(struct heap *h, struct thread *self)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };

	for (int tries = 1;; tries++) {
		roots_snapshot(h);
		stop_the_world(h, self);
		if (tries == SNAPSHOT_TRIES || roots_snapshot_is_current(h))
			return;
		start_the_world(h);
		nanosleep(&pause, NULL);
	}
}

/* gc.lock held. */
static void run_cycle(struct heap *h, struct thread *self, enum gc_reason reason)
{
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	struct gc_times t = {
		.start = now_ns(CLOCK_MONOTONIC),
		.live_before = counter_read(&h->gc.live),
		.goal = counter_read(&h->gc.goal),
	};

	sweep_all(h, self);
	pthread_mutex_lock(&h->roots.lock);
	stop_with_roots(h, self);
	t.stopped = now_ns(CLOCK_MONOTONIC);
	t.live_at_end = counter_read(&h->gc.live);
	for (struct thread *other = h->threads.first; other; other = other->next)
		annotate_acquire(other);
	mark_stopped_world(h, self, reason == GC_NO_MEMORY || reason == GC_PRESSURE);
	t.marked = now_ns(CLOCK_MONOTONIC);

	__atomic_store_n(&h->gc.marked, h->gc.marker.live_bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&h->gc.live, h->gc.marked, __ATOMIC_RELAXED);
	update_goal(h);
	annotate_release(h);
	start_the_world(h);
	t.end = now_ns(CLOCK_MONOTONIC);
	pthread_mutex_unlock(&h->roots.lock);

	count_cycle(h, &t, reason);
	report_cycle(h, self);
	counter_add(&h->gc.cpu, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
	if (h->settings.gctrace)
		trace_gc(h, &t, reason);
	if (h->settings.scavtrace)
		trace_cycle(h, self);
}

/* Garbage is only memory again when it has been swept. */
static void sweep_now(struct heap *h, struct thread *self)
{
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);

	sweep_and_flush(h, self);
	counter_add(&h->gc.cpu, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
}

/**
 * gc_lock() - take gc.lock, in turn
 * @h: the heap
 *
 * A mutex alone may be taken again and again by a thread that does nothing but
 * collect, while another waits for ever, in fork() for example.
 *
 * Context: not busy.
 */
void gc_lock(struct heap *h)
{
	pthread_mutex_lock(&h->gc.turn);
	pthread_mutex_lock(&h->gc.lock);
	pthread_mutex_unlock(&h->gc.turn);
}

static void adjust_headroom(struct heap *h, struct thread *self)
{
	gc_lock(h);
	thread_enter_busy(h, self);
	headroom_adjust(h);
	thread_leave_busy(h, self);
	pthread_mutex_unlock(&h->gc.lock);
}

/**
 * gc_collect() - run a collection
 * @h: the heap
 * @reason: why; GC_HEAP does nothing if the heap is not at its goal (any more), but
 *	for starting the background thread
 * @wanted: bytes about to be allocated, which count for GC_HEAP
 *
 * Context: a registered thread, not busy, no lock held.  Keeps errno.
 */
void gc_collect(struct heap *h, enum gc_reason reason, size_t wanted)
{
	struct thread *self = thread_self;
	int saved = errno;
	bool ran, scarce = reason == GC_NO_MEMORY || reason == GC_PRESSURE;

	gc_lock(h);
	ran = reason != GC_HEAP || counter_read(&h->gc.live) + wanted >= h->gc.goal;
	if (scarce) {
		thread_enter_busy(h, self);
		headroom_give_up(h);
		thread_leave_busy(h, self);
	}
	watch_from(h, UINT64_MAX);
	if (ran)
		run_cycle(h, self, reason);
	else
		update_goal(h);
	pthread_mutex_unlock(&h->gc.lock);
	background_start(h);
	if (reason == GC_FORCED || scarce)
		sweep_now(h, self);
	else if (ran)
		background_wake(h);
	if (ran)
		adjust_headroom(h, self);
	errno = saved;
}

/**
 * gc_gave_up() - all that could be done was, and there is no memory
 * @h: the heap
 * @t: the calling thread
 *
 * The program needs some to go on with.
 *
 * Context: not busy.
 */
void gc_gave_up(struct heap *h, struct thread *t)
{
	thread_enter_busy(h, t);
	headroom_give_up(h);
	thread_leave_busy(h, t);
}

/**
 * gc_forked() - in a forked child: its own background thread is not there yet
 * @h: the heap
 *
 * Context: the only thread there is.
 */
void gc_forked(struct heap *h)
{
	watch_from(h, counter_read(&h->gc.live) + WATCH_BYTES);
	update_goal(h);
}

int gc_init(struct heap *h)
{
	struct gc *gc = &h->gc;

	pthread_mutex_init(&gc->lock, NULL);
	pthread_mutex_init(&gc->turn, NULL);
	gc->percent = h->settings.gc_percent;
	gc->memory_limit = h->settings.memory_limit;
	gc->period = h->settings.period_ms * 1000000;
	watch_from(h, WATCH_BYTES);
	update_goal(h);
	return marker_init(h);
}

PUBLIC void goheap_collect(void)
{
	struct heap *h = heap_get();

	if (h && thread_register(h))
		gc_collect(h, GC_FORCED, 0);
}

PUBLIC void goheap_free_os_memory(void)
{
	struct heap *h = heap_get();
	struct thread *t = h ? thread_register(h) : NULL;

	if (!t)
		return;
	gc_collect(h, GC_FORCED, 0);
	heap_release(h, t);
	if (h->settings.scavtrace)
		trace_forced(h, t);
}

PUBLIC int goheap_set_gc_percent(int percent)
{
	struct heap *h = heap_get();
	int old;

	if (!h)
		return 100;
	gc_lock(h);
	old = h->gc.percent;
	__atomic_store_n(&h->gc.percent, percent < 0 ? -1 : percent, __ATOMIC_RELAXED);
	update_goal(h);
	pthread_mutex_unlock(&h->gc.lock);
	return old;
}

PUBLIC int64_t goheap_set_memory_limit(int64_t bytes)
{
	struct heap *h = heap_get();
	struct thread *t = h ? thread_register(h) : NULL;
	int64_t old;

	if (!t)
		return INT64_MAX;
	gc_lock(h);
	old = h->gc.memory_limit;
	if (bytes >= 0) {
		__atomic_store_n(&h->gc.memory_limit, bytes, __ATOMIC_RELAXED);
		update_goal(h);
		thread_enter_busy(h, t);
		pthread_mutex_lock(&h->lock);
		heap_configure(h);
		pthread_mutex_unlock(&h->lock);
		thread_leave_busy(h, t);
	}
	pthread_mutex_unlock(&h->gc.lock);
	return old;
}
