// SPDX-License-Identifier: MIT
/*
 * The collection cycle, and when it is due.
 *
 * A cycle marks while the program runs:
 *
 *  - It begins when the trigger is reached: what is left to sweep is swept;
 *    the kernel is told to watch which pages are written to (dirty.h); the world is
 *    stopped for a moment, in which everything that is free in the threads' hands
 *    becomes black, and what registers, stacks and TLS point to becomes grey.
 *  - The background thread, workers and, if they must, allocating threads mark.
 *    What is born meanwhile is black.  Pages that were written to after an
 *    object on them was searched are searched again, in rounds, until few are left.
 *  - The world is stopped for the second time; the pages written since the last
 *    round and all roots are searched; what that finds is little.  All spans become
 *    unswept, and the world goes on.
 *
 * That is mostly-parallel collection (Boehm, Demers, Shenker 1991), with the
 * MMU's dirty bits for a write barrier.  If nobody can say what was written, or
 * memory is so short that nobody may allocate meanwhile, it is all done in one stop.
 *
 * A cycle is due by the pacer's trigger (pacer.h); when two minutes have passed
 * (Go's forcegcperiod); on request; when memory cannot be had; and when the
 * kernel wants some.  Each is reported to the scavenger, with the next goal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <goheap.h>

#include "heap.h"
#include "loaded.h"
#include "probes.h"

#define HEAP_MINIMUM	((uint64_t)4 << 20)
/* On the device the background thread starts when the heap has grown by so much. */
#define WATCH_BYTES	((uint64_t)1 << 20)
/* While the list of loaded objects is out of date, try again: so often, a millisecond apart. */
#define SNAPSHOT_TRIES	2000
/* Dirty pages are searched again while the program runs: so often, or till so few are left. */
#define DIRTY_ROUNDS	4
#define DIRTY_FEW	64
/* Pages asked about at once. */
#define DIRTY_PAGES	16384
/* An allocating thread helps with no more than so much at a time, so that it does not stand. */
#define ASSIST_MOST	((uint64_t)512 << 10)
/* Less than this is marked before a worker has woken. */
#define WORTH_WAKING_NS	((uint64_t)500000)
/* How long the program may stand still when the kernel wants memory. */
#define PRESSURE_STOP_NS	((uint64_t)100000000)
/* No further looks at the heap when the first collection is so near. */
#define LOOK_BYTES		((uint64_t)256 << 10)
/* Who waits for a collection helps with so much at a time. */
#define HELP_BYTES	((uint64_t)256 << 10)

/*
 * See what counts against the memory limit and is no object: tables, and what
 * spans hold beside objects.  Before marked bytes become the live ones: from
 * then on garbage that waits for sweeping would count, too.
 */
static void note_bytes_beside(struct heap *h)
{
	uint64_t inuse = counter_read(&h->inuse);
	uint64_t live = counter_read(&h->gc.live);

	h->gc.beside = counter_read(&h->meta.bytes) + (inuse > live ? inuse - live : 0);
}

/*
 * Where to look at the heap again.  Before the first collection nobody has seen what
 * spans hold beside objects: under a memory limit half way to the trigger, and so on.
 */
static uint64_t look_again(struct heap *h, uint64_t trigger)
{
	struct gc *gc = &h->gc;
	uint64_t live = counter_read(&gc->live);

	if (gc->started || gc->memory_limit == INT64_MAX || trigger == UINT64_MAX ||
	    trigger < live + LOOK_BYTES)
		return trigger;
	return live + (trigger - live) / 2;
}

/* Set the heap goal from the settings and the live heap.  gc.lock held. */
static void update_goal(struct heap *h)
{
	struct gc *gc = &h->gc;
	struct pacer_input in = {
		.gc_percent = gc->percent,
		.memory_limit = gc->memory_limit == INT64_MAX ? UINT64_MAX :
								(uint64_t)gc->memory_limit,
		.beside = gc->beside,
		.stop_ns = h->settings.stop_ns,
	};
	uint64_t trigger;

	if (!gc->started) {
		note_bytes_beside(h);
		in.beside = gc->beside;
	}
	pacer_settings(&gc->pacer, &in);
	trigger = look_again(h, pacer_trigger(&gc->pacer));
	__atomic_store_n(&gc->goal, pacer_goal(&gc->pacer), __ATOMIC_RELAXED);
	__atomic_store_n(&gc->trigger, trigger < gc->watch ? trigger : gc->watch, __ATOMIC_RELAXED);
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

/* gc.lock held. */
static void adjust_headroom(struct heap *h, struct thread *self)
{
	thread_enter_busy(h, self);
	headroom_adjust(h);
	thread_leave_busy(h, self);
}

static void count_cycle(struct heap *h)
{
	struct gc *gc = &h->gc;
	const struct gc_times *t = &gc->times;
	uint64_t first = (gc->window ? t->marking : t->end) - t->stopped;
	uint64_t second = gc->window ? t->end - t->stopped_again : 0;

	gc->cycles++;
	gc->forced += gc->reason == GC_FORCED;
	gc->periodic += gc->reason == GC_PERIODIC;
	gc->pressure += gc->reason == GC_PRESSURE;
	gc->pause_total += first + second;
	if (gc->pause_max < first)
		gc->pause_max = first;
	if (gc->pause_max < second)
		gc->pause_max = second;
	pauses_note(&h->pauses, t->stopped - t->asked, first);
	if (gc->window)
		pauses_note(&h->pauses, t->stopped_again - t->asked_again, second);
	gc->last_end = now_ns(CLOCK_REALTIME);
	pauses_cycle(&h->pauses, gc->cycles, gc->last_end);
	__atomic_store_n(&gc->last_end_mono, t->end, __ATOMIC_RELAXED);
}

/* Stop the world with a list of loaded objects that is right.  Return: when it was asked to. */
static uint64_t stop_with_roots(struct heap *h, struct thread *self)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t asked;

	for (int tries = 1;; tries++) {
		/* The list from last time will mostly do. */
		if (tries > 1 || !loaded_list()->objects)
			loaded_update(h);
		asked = now_ns(CLOCK_MONOTONIC);
		stop_the_world(h, self);
		if (loaded_is_current(h) || tries == SNAPSHOT_TRIES)
			break;
		start_the_world(h);
		if (tries > 1)
			nanosleep(&pause, NULL);
	}
	for (struct thread *other = h->threads.first; other; other = other->next)
		annotate_acquire(other);
	return asked;
}

static bool is_background(const struct heap *h, const struct thread *self)
{
	return __atomic_load_n(&h->background.thread, __ATOMIC_RELAXED) == self;
}

static void go_on(struct heap *h)
{
	PROBE_GC(gc_resume, h->gc.cycles + 1, h->gc.reason, counter_read(&h->gc.live));
	annotate_release(h);
	start_the_world(h);
}

/*
 * The world is stopped for the first time: what the threads have in their hands is
 * black, and what they point to grey.
 */
static NOINLINE void begin_from_here(struct heap *h, struct thread *self)
{
	struct gc *gc = &h->gc;
	struct gc_work w;

	self->stopped_sp = (uintptr_t)__builtin_frame_address(0);
	self->saved = (struct saved_registers){ 0 };
	gc->black = 0;
	for (struct thread *t = h->threads.first; t; t = t->next)
		gc->black += mark_runs(h, t);
	work_reset(&gc->queue);
	__atomic_store_n(&gc->phase, GC_MARK, __ATOMIC_RELAXED);
	mark_begin(h, &w, BY_COLLECTOR);
	work_enter(&gc->queue);
	roots_mark_threads(h, &w);
	work_leave(&gc->queue, &w);
}

/* The caller's registers are roots too. */
static NOINLINE void begin_marking(struct heap *h, struct thread *self)
{
	__builtin_unwind_init();
	begin_from_here(h, self);
	__asm__ volatile("" ::: "memory");
}

/* Hand a stopped thread's spans over for sweeping, but leave the runs. */
static void detach_mcache(struct heap *h, struct mcache *mc)
{
	reuse_drop(h, mc);
	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++) {
		struct span *s = mc->span[c];

		if (!s)
			continue;
		mc->span[c] = NULL;
		s->cached = false;
		span_push(&h->central[c].partial, s);
	}
}

/* All that was swept is unswept again.  The world is stopped. */
static void flip_lists(struct heap *h)
{
	for (unsigned int c = FIRST_SMALL_CLASS; c < NUM_SPAN_CLASSES; c++) {
		struct mcentral *central = &h->central[c];

		span_move_all(&central->partial_unswept, &central->partial);
		span_move_all(&central->full_unswept, &central->full);
	}
	span_move_all(&h->large_unswept, &h->large);
	/* Asked for by threads that need not be busy: sweep_pending(). */
	__atomic_store_n(&h->gc.sweepgen, h->gc.sweepgen + 1, __ATOMIC_RELAXED);
}

/* All that is reachable is marked.  The world is stopped. */
static void end_marking(struct heap *h)
{
	struct gc *gc = &h->gc;
	struct gc_counts n = work_total(&gc->queue);
	uint64_t marked = n.live_bytes + gc->black;
	struct pacer_cycle cycle = {
		.live = counter_read(&gc->live),
		.marked = marked,
		.scanned = n.scanned_bytes + n.root_bytes,
		.roots = gc->window ? n.root_bytes / 2 : n.root_bytes,
		.nprocs = (unsigned int)os_processors(),
	};

	for (struct thread *t = h->threads.first; t; t = t->next)
		detach_mcache(h, &t->mc);
	flip_lists(h);
	descriptors_recycle(h);
	blacklist_renew(h);
	note_bytes_beside(h);
	gc->times.live_at_end = cycle.live;
	gc->scanned = n.scanned_bytes;
	if (gc->window) {
		cycle.allocated = cycle.live - gc->times.live_before;
		cycle.mark_ns = now_ns(CLOCK_MONOTONIC) - gc->times.stopped;
	} else {
		cycle.stop_ns = now_ns(CLOCK_MONOTONIC) - gc->times.stopped;
	}
	cycle.worker_ns = counter_read(&gc->mark_cpu);
	cycle.assist_ns = counter_read(&gc->assist_cpu);
	gc->times.assist_ns = cycle.assist_ns;
	gc->times.mark_ns = cycle.worker_ns;
	__atomic_store_n(&gc->marked, marked, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->live, marked, __ATOMIC_RELAXED);
	pacer_end(&gc->pacer, &cycle);
	update_goal(h);
	sweep_begin(h);
	__atomic_store_n(&gc->phase, GC_OFF, __ATOMIC_RELAXED);
}

/*
 * Begin a collection: to be gone on with by gc_mark(), or, if @stopped, with the
 * world stopped until collect_stopped() has ended it.  gc.lock held.
 */
static void begin_cycle(struct heap *h, struct thread *self, enum gc_reason reason, bool stopped)
{
	struct gc *gc = &h->gc;
	uint64_t late;

	gc->times = (struct gc_times){
		.start = now_ns(CLOCK_MONOTONIC),
		.live_before = counter_read(&gc->live),
		.goal = gc->goal,
	};
	gc->reason = reason;
	PROBE_GC(gc_start, gc->cycles + 1, reason, gc->times.live_before);
	/* A worker of the last cycle may be about to add to it. */
	__atomic_store_n(&gc->mark_cpu, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->assist_cpu, 0, __ATOMIC_RELAXED);
	late = sweep_all(h, self);
	/* Pace sees to it that nothing is, but if somebody wants a collection early. */
	if (reason == GC_HEAP)
		counter_add(&gc->late_sweep, late << PAGE_SHIFT);
	thread_enter_busy(h, self);
	descriptors_condemn(h);
	thread_leave_busy(h, self);
	pthread_mutex_lock(&h->roots.lock);
	gc->times.asked = stop_with_roots(h, self);
	gc->times.stopped = now_ns(CLOCK_MONOTONIC);
	PROBE_GC(gc_stop, gc->cycles + 1, reason, counter_read(&gc->live));
	begin_marking(h, self);
	pacer_start(&gc->pacer, gc->times.live_before, gc->scanned);
	gc->started++;
	gc->times.marking = now_ns(CLOCK_MONOTONIC);
	if (stopped)
		return;
	go_on(h);
	pthread_mutex_unlock(&h->roots.lock);
}

/* Tell everybody.  The world runs again; gc.lock held. */
static void cycle_is_over(struct heap *h, struct thread *self)
{
	struct gc *gc = &h->gc;

	PROBE_GC(gc_end, gc->cycles + 1, gc->reason, gc->marked);
	count_cycle(h);
	thread_enter_busy(h, self);
	descriptors_discard(h);
	thread_leave_busy(h, self);
	report_cycle(h, self);
	if (h->settings.gctrace)
		trace_gc(h);
	if (h->settings.gcwork)
		trace_work(h);
	if (h->settings.scavtrace)
		trace_cycle(h, self);
	__atomic_store_n(&gc->hurry, false, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->finished, gc->finished + 1, __ATOMIC_RELEASE);
	os_futex_wake(&gc->finished, INT32_MAX);
}

/* Is there so much to mark that it pays to wake workers, and are there any? */
static bool wants_workers(struct heap *h)
{
	if (pacer_stop_ns(&h->gc.pacer, h->gc.times.live_before) < WORTH_WAKING_NS || os_processors() == 1)
		return false;
	if (workers_are_there(h))
		return true;
	__atomic_store_n(&h->workers.missed, true, __ATOMIC_RELAXED);
	return false;
}

/* Everything in one stop.  gc.lock held. */
static void collect_stopped(struct heap *h, struct thread *self, enum gc_reason reason)
{
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), marking;
	struct gc *gc = &h->gc;
	struct gc_work w;
	bool helped;

	begin_cycle(h, self, reason, true);
	marking = now_ns(CLOCK_THREAD_CPUTIME_ID);
	helped = wants_workers(h);
	__atomic_store_n(&gc->one_stop, true, __ATOMIC_RELAXED);
	mark_begin(h, &w, BY_COLLECTOR);
	work_enter(&gc->queue);
	if (helped)
		workers_help(h, WORKERS_MOST);
	else
		work_claim(&gc->queue);
	roots_mark_static(h, &w);
	specials_mark_roots(h, &w);
	if (helped)
		mark_drain(&gc->queue, &w);
	else
		mark_drain_alone(&gc->queue, &w);
	__atomic_store_n(&gc->one_stop, false, __ATOMIC_RELAXED);
	counter_add(&gc->mark_cpu, now_ns(CLOCK_THREAD_CPUTIME_ID) - marking);
	end_marking(h);
	/* One stop: it ends where the second would. */
	gc->times.marked = gc->times.marking;
	gc->times.stopped_again = gc->times.marking;
	gc->times.end = now_ns(CLOCK_MONOTONIC);
	go_on(h);
	pthread_mutex_unlock(&h->roots.lock);
	cycle_is_over(h, self);
	counter_add(&gc->cpu, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
}

/*
 * Search what has been written to since the last time.  Return: how many pages;
 * UINT64_MAX if nobody knows.
 */
static uint64_t mark_dirty(struct heap *h, struct gc_work *w)
{
	uint64_t bits[DIRTY_PAGES / 64], n, all = 0;
	uintptr_t end = h->base + (__atomic_load_n(&h->top, __ATOMIC_ACQUIRE) << PAGE_SHIFT);

	for (uintptr_t at = h->base; at < end; at += DIRTY_PAGES * 4096) {
		size_t bytes = end - at < DIRTY_PAGES * 4096 ? end - at : DIRTY_PAGES * 4096;

		if (dirty_collect(h, at, bytes, bits, &n))
			return UINT64_MAX;
		all += n;
		for (uint32_t i = 0; n && i < bytes / 4096; i++) {
			i = bit_find(bits, i, (uint32_t)(bytes / 4096), ~(uint64_t)0);
			if (i == bytes / 4096)
				break;
			scan_dirty_page(w, at + (uintptr_t)i * 4096);
			n--;
		}
	}
	return all;
}

/* Mark what can be marked while the program runs. */
static void mark_concurrently(struct heap *h, struct gc_work *w)
{
	struct gc *gc = &h->gc;
	unsigned int help = (unsigned int)os_processors() / 4;
	uint64_t pages;

	work_enter(&gc->queue);
	workers_help(h, help ? help - 1 : 0);
	pthread_mutex_lock(&h->roots.lock);
	roots_mark_copied(h, w);
	specials_mark_roots(h, w);
	pthread_mutex_unlock(&h->roots.lock);
	mark_drain(&gc->queue, w);
	while (gc->times.rounds < DIRTY_ROUNDS && !__atomic_load_n(&gc->hurry, __ATOMIC_RELAXED)) {
		gc->times.rounds++;
		work_enter(&gc->queue);
		workers_help(h, help ? help - 1 : 0);
		pages = mark_dirty(h, w);
		mark_drain(&gc->queue, w);
		if (pages <= DIRTY_FEW || pages == UINT64_MAX || dirty_adds_up(h))
			break;
	}
}

/* The world is stopped for the second time. */
static void mark_the_rest(struct heap *h, struct gc_work *w)
{
	struct gc *gc = &h->gc;

	work_enter(&gc->queue);
	workers_help(h, WORKERS_MOST);
	dirty_last(h);
	gc->times.dirty_pages = mark_dirty(h, w);
	if (gc->times.dirty_pages == UINT64_MAX)
		scan_again(w);
	roots_mark_threads(h, w);
	roots_mark_static(h, w);
	specials_mark_new(h, w);
	mark_drain(&gc->queue, w);
}

/**
 * gc_mark() - go on with a collection that has been begun, and end it
 * @h: the heap
 * @self: the background thread
 *
 * Context: not busy, no lock held.
 */
void gc_mark(struct heap *h, struct thread *self)
{
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), now;
	struct gc *gc = &h->gc;
	struct gc_work w;

	workers_start(h);
	thread_set_collector(h, self, true);
	mark_begin(h, &w, BY_COLLECTOR);
	mark_concurrently(h, &w);
	now = now_ns(CLOCK_THREAD_CPUTIME_ID);
	counter_add(&gc->mark_cpu, now - cpu);

	gc_lock(h);
	gc->times.marked = now_ns(CLOCK_MONOTONIC);
	pthread_mutex_lock(&h->roots.lock);
	gc->times.asked_again = stop_with_roots(h, self);
	gc->times.stopped_again = now_ns(CLOCK_MONOTONIC);
	PROBE_GC(gc_stop, gc->cycles + 1, gc->reason, counter_read(&gc->live));
	mark_the_rest(h, &w);
	end_marking(h);
	gc->times.end = now_ns(CLOCK_MONOTONIC);
	self->collector = false;
	go_on(h);
	dirty_end(h);
	pthread_mutex_unlock(&h->roots.lock);
	cycle_is_over(h, self);
	adjust_headroom(h, self);
	pthread_mutex_unlock(&gc->lock);
	counter_add(&gc->cpu, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
}

/**
 * gc_assist() - an allocating thread helps with marking
 * @h: the heap
 * @t: the calling thread
 * @bytes: how much it is to search
 *
 * Context: not busy.
 * Return: how much it has searched; less if there was no more to do.
 */
uint64_t gc_assist(struct heap *h, struct thread *t, uint64_t bytes)
{
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), done = 0;
	struct gc_work w;

	thread_enter_busy(h, t);
	if (gc_marking(h)) {
		mark_begin(h, &w, BY_ASSISTS);
		done = mark_some(&h->gc.queue, &w, bytes);
	}
	thread_leave_busy(h, t);
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	counter_add(&h->gc.assist_cpu, cpu);
	counter_add(&h->gc.cpu, cpu);
	return done;
}

/* Help until @cycle collections are finished. */
static void wait_for_cycle(struct heap *h, struct thread *self, uint32_t cycle)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };
	uint32_t finished;

	loaded_before_wait(h);
	while ((int32_t)((finished = __atomic_load_n(&h->gc.finished, __ATOMIC_ACQUIRE)) - cycle) < 0)
		if (!gc_assist(h, self, HELP_BYTES))
			os_futex_wait(&h->gc.finished, finished, &moment);
}

/* While marking goes on, see that it ends before the heap has outgrown its goal. */
static void help_in_time(struct heap *h, struct thread *t, size_t wanted)
{
	static const struct timespec moment = { .tv_nsec = 200000 };
	struct gc *gc = &h->gc;
	uint32_t finished = __atomic_load_n(&gc->finished, __ATOMIC_ACQUIRE);
	uint64_t due;

	if (!gc_marking(h))
		return;
	if (pacer_overrun(&gc->pacer, counter_read(&gc->live) + wanted)) {
		/* The collector does not get its time.  No more memory before it has ended. */
		__atomic_store_n(&gc->hurry, true, __ATOMIC_RELAXED);
		wait_for_cycle(h, t, finished + 1);
		return;
	}
	due = pacer_work_due(&gc->pacer, counter_read(&gc->live) + wanted,
			     counter_read(&gc->queue.scanned));
	/* What is due is in others' hands: leave them the processor. */
	if (due && !gc_assist(h, t, due < ASSIST_MOST ? due : ASSIST_MOST) && gc_marking(h))
		os_futex_wait(&gc->finished, finished, &moment);
}

/**
 * gc_before_alloc() - what is due before memory is claimed
 * @h: the heap
 * @t: the calling thread
 * @wanted: bytes, where the goal must not be overshot by as much
 *
 * A collection; or to help the one that is under way, so that it ends in time.
 *
 * Context: not busy.  Keeps errno.
 */
void gc_before_alloc(struct heap *h, struct thread *t, size_t wanted)
{
	int saved;

	if (likely(!gc_marking(h) && !gc_due(h, wanted)))
		return;
	saved = errno;
	if (gc_due(h, wanted))
		gc_collect(h, GC_HEAP, wanted);
	help_in_time(h, t, wanted);
	errno = saved;
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
	loaded_before_wait(h);
	pthread_mutex_lock(&h->gc.turn);
	pthread_mutex_lock(&h->gc.lock);
	pthread_mutex_unlock(&h->gc.turn);
}

/* Lock gc.lock when no collection is under way. */
static void lock_between_cycles(struct heap *h, struct thread *self)
{
	uint32_t cycle;

	gc_lock(h);
	while (gc_marking(h)) {
		cycle = h->gc.started;
		pthread_mutex_unlock(&h->gc.lock);
		wait_for_cycle(h, self, cycle);
		gc_lock(h);
	}
}

/*
 * A program that runs uses up the memory that the kernel is asking for, in the end what the
 * stop that ends the collection needs: then it is killed.  So it had better stand still,
 * if that is not for long.
 */
static bool in_one_stop(const struct gc *gc, enum gc_reason reason)
{
	uint64_t live = counter_read(&gc->live);

	if (reason == GC_PRESSURE && pacer_stop_ns(&gc->pacer, live) <= PRESSURE_STOP_NS)
		return true;
	return pacer_one_stop(&gc->pacer, live);
}

/*
 * Begin a collection that the background thread will go on with; or, if that cannot
 * be, or is not worth it, have all of it here.  gc.lock held.  Return: its number.
 */
static uint32_t run_cycle(struct heap *h, struct thread *self, enum gc_reason reason, bool stopped)
{
	size_t top = __atomic_load_n(&h->top, __ATOMIC_RELAXED);
	struct gc *gc = &h->gc;

	watch_from(h, UINT64_MAX);
	__atomic_store_n(&gc->asked, false, __ATOMIC_RELAXED);
	/* The window is open before anything is marked. */
	gc->window = !stopped && !in_one_stop(gc, reason) && !dirty_begin(h, top << PAGE_SHIFT);
	if (!gc->window) {
		collect_stopped(h, self, reason);
		adjust_headroom(h, self);
	} else {
		begin_cycle(h, self, reason, false);
	}
	/* It marks, or sweeps what is left, or both. */
	if (!is_background(h, self))
		background_wake(h);
	return gc->started;
}

/*
 * The heap is at its trigger, or was.  The background thread begins the collection,
 * since it takes the kernel milliseconds for each 100 MiB to watch all pages, for
 * which no allocating thread should stand still; but if it has not begun by the time the
 * heap is at its goal, whoever sees that does.
 */
static void collect_if_due(struct heap *h, struct thread *self, size_t wanted)
{
	bool background = background_start(h);
	struct gc *gc = &h->gc;
	uint64_t live;

	gc_lock(h);
	watch_from(h, UINT64_MAX);
	live = counter_read(&gc->live) + wanted;
	if (!gc_marking(h) && live < pacer_trigger(&gc->pacer)) {
		update_goal(h);
	} else if (!gc_marking(h) && background && !gc->asked && live < gc->goal &&
		   !pacer_one_stop(&gc->pacer, live)) {
		__atomic_store_n(&gc->asked, true, __ATOMIC_RELAXED);
		__atomic_store_n(&gc->trigger, gc->goal, __ATOMIC_RELAXED);
		background_wake(h);
	} else if (!gc_marking(h)) {
		run_cycle(h, self, GC_HEAP, !background);
	}
	pthread_mutex_unlock(&gc->lock);
}

/**
 * gc_begin_if_asked() - begin the collection that an allocating thread has asked for
 * @h: the heap
 * @self: the background thread
 *
 * Context: not busy, no lock held.
 */
void gc_begin_if_asked(struct heap *h, struct thread *self)
{
	struct gc *gc = &h->gc;

	if (!__atomic_load_n(&gc->asked, __ATOMIC_RELAXED))
		return;
	gc_lock(h);
	if (gc->asked && !gc_marking(h))
		run_cycle(h, self, GC_HEAP, false);
	pthread_mutex_unlock(&gc->lock);
}

static NOINLINE void collect(struct heap *h, enum gc_reason reason, size_t wanted)
{
	struct thread *self = thread_self;
	bool scarce = reason == GC_NO_MEMORY || reason == GC_PRESSURE;
	int saved = errno;
	uint32_t cycle;
	bool background;

	if (reason == GC_HEAP) {
		collect_if_due(h, self, wanted);
		errno = saved;
		return;
	}
	background = is_background(h, self) || background_start(h);
	if (scarce)
		__atomic_store_n(&h->gc.hurry, true, __ATOMIC_RELAXED);
	lock_between_cycles(h, self);
	cycle = run_cycle(h, self, reason, !background || reason == GC_NO_MEMORY);
	pthread_mutex_unlock(&h->gc.lock);
	finalizers_start_if_wanted(h);
	if (is_background(h, self) && gc_marking(h))
		gc_mark(h, self);
	else
		wait_for_cycle(h, self, cycle);
	if (reason == GC_PERIODIC)
		background_wake(h);
	else	/* Garbage is only memory again when it has been swept. */
		sweep_and_flush(h, self);
	errno = saved;
}

/**
 * gc_collect() - run a collection
 * @h: the heap
 * @reason: why; GC_HEAP only begins one, if the heap is at its trigger (still), and
 *	starts the background thread; else it is over, and swept but for
 *	GC_PERIODIC, when the function returns
 * @wanted: bytes about to be allocated, which count for GC_HEAP
 *
 * Context: a registered thread, not busy, no lock held.  Keeps errno.
 */
void gc_collect(struct heap *h, enum gc_reason reason, size_t wanted)
{
	/* First of all: what follows needs pages of the stack. */
	if (reason == GC_NO_MEMORY || reason == GC_PRESSURE) {
		thread_enter_busy(h, thread_self);
		headroom_give_up(h);
		thread_leave_busy(h, thread_self);
	}
	/* What the program has left where our frames will be is no root. */
	os_clear_dead();
	collect(h, reason, wanted);
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
 * gc_forked() - in a forked child: nobody collects, in the background or at all
 * @h: the heap
 *
 * Context: the only thread there is.
 */
void gc_forked(struct heap *h)
{
	struct gc *gc = &h->gc;

	if (gc_marking(h)) {
		mark_forget(h);
		descriptors_recycle(h);
		gc->phase = GC_OFF;
		gc->finished = gc->started;
	}
	work_forget(&gc->queue);
	__atomic_store_n(&gc->hurry, false, __ATOMIC_RELAXED);
	gc->asked = false;
	watch_from(h, counter_read(&gc->live) + WATCH_BYTES);
	update_goal(h);
}

void gc_init(struct heap *h)
{
	struct gc *gc = &h->gc;

	pthread_mutex_init(&gc->lock, NULL);
	pthread_mutex_init(&gc->turn, NULL);
	gc->percent = h->settings.gc_percent;
	gc->memory_limit = h->settings.memory_limit;
	gc->period = h->settings.period_ms * 1000000;
	work_init(&gc->queue);
	pacer_init(&gc->pacer, &(struct pacer_input){
		.gc_percent = gc->percent, .memory_limit = UINT64_MAX,
		.stop_ns = h->settings.stop_ns,
	});
	watch_from(h, WATCH_BYTES);
	update_goal(h);
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
	/* Others may have a span in hand that they have swept, until they have stopped. */
	gc_lock(h);
	stop_the_world(h, t);
	start_the_world(h);
	pthread_mutex_unlock(&h->gc.lock);
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
