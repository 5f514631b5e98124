// SPDX-License-Identifier: MIT
/*
 * The background thread.  It sweeps what a collection leaves, gives back what the
 * in-process heap holds above its retention goal, sees that a collection runs
 * every two minutes, and collects early when the kernel is short of memory.
 *
 * The kernel says so by POLLPRI on the device: it wanted memory, and the arena had
 * no free page left to give.  What the collection frees is there for the kernel
 * to take; it is not given back here, since the shortage may be over.  Collections
 * for this reason have pauses between them, twice as long each time if they free
 * little, so that a system that stays short of memory does not spend its time
 * collecting.
 *
 * The thread starts with the first collection; on the device also when the heap
 * has grown to a MiB, for its garbage may be wanted before a collection is due.
 * It sleeps in one system call, on a futex or, with the device, in ppoll() on that
 * and an eventfd.  If the program's last thread ends, the process ends too, as it
 * would without this one.
 *
 * A forked child has no such thread until it needs one for itself.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap.h"
#include "loaded.h"

#define NS_PER_S	1000000000ull
#define NS_PER_MS	1000000ull

/* Pauses between collections for want of memory, and by how much longer than these. */
#define PRESSURE_PAUSE_LEAST	(100 * NS_PER_MS)
#define PRESSURE_PAUSE_MOST	(10 * NS_PER_S)
#define PRESSURE_PAUSE_FACTOR	10

/* With scavtrace=1, and when the program's threads are gone: how often to look. */
#define LOOK_NS			(100 * NS_PER_MS)

static void init_event(struct background *bg)
{
	bg->event = (int)syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/**
 * background_wake() - there is something to do
 * @h: the heap
 */
void background_wake(struct heap *h)
{
	static const uint64_t one = 1;
	struct background *bg = &h->background;
	int event = __atomic_load_n(&bg->event, __ATOMIC_ACQUIRE);

	__atomic_fetch_add(&bg->wakeup, 1, __ATOMIC_RELEASE);
	if (event < 0)
		os_futex_wake(&bg->wakeup, 1);
	else if (syscall(SYS_write, event, &one, sizeof(one)) < 0)
		return;		/* it is awake */
}

/* Sleep for @ns at most; true if the kernel wants memory, where that is asked. */
static bool sleep_for(struct heap *h, uint32_t seen, uint64_t ns, bool ask)
{
	struct background *bg = &h->background;
	struct timespec t = {
		.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S),
	};
	struct pollfd fds[2] = {
		{ .fd = bg->event, .events = POLLIN },
		{ .fd = ask ? h->backend.fd : -1, .events = POLLPRI },
	};
	uint64_t n;

	if (bg->event < 0) {
		os_futex_wait(&bg->wakeup, seen, &t);
		return false;
	}
	if (syscall(SYS_ppoll, fds, 2, &t, NULL, 0) <= 0)
		return false;
	if ((fds[0].revents & POLLIN) && syscall(SYS_read, bg->event, &n, sizeof(n)) < 0)
		return false;
	/* Somebody has closed the device, or it is of no use any more. */
	if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		bg->watch = false;
	return fds[1].revents & POLLPRI;
}

/* Collect because the kernel wants memory, and see how long to leave it at that. */
static void relieve(struct heap *h)
{
	struct background *bg = &h->background;
	uint64_t before = counter_read(&h->gc.live);
	uint64_t start = now_ns(CLOCK_MONOTONIC), end, took, pause;

	gc_collect(h, GC_PRESSURE, 0);
	end = now_ns(CLOCK_MONOTONIC);
	took = end - start;
	pause = bg->pressure_pause;
	if (counter_read(&h->gc.marked) > before - before / 16)
		pause *= 2;
	else
		pause = PRESSURE_PAUSE_LEAST;
	if (pause > PRESSURE_PAUSE_MOST)
		pause = PRESSURE_PAUSE_MOST;
	if (pause < PRESSURE_PAUSE_LEAST)
		pause = PRESSURE_PAUSE_LEAST;
	bg->pressure_pause = pause;
	if (pause < PRESSURE_PAUSE_FACTOR * took)
		pause = PRESSURE_PAUSE_FACTOR * took;
	bg->pressure_next = end + pause;
}

/* It stays as a zombie until the process ends. */
static bool main_thread_is_over(void)
{
	char path[64], stat[256];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", os_pid());
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = syscall(SYS_read, fd, stat, sizeof(stat) - 1);
	syscall(SYS_close, fd);
	if (n <= 0)
		return false;
	stat[n] = 0;
	at = strrchr(stat, ')');
	return at && at[1] == ' ' && at[2] == 'Z';
}

/* The program's threads have all ended, those that the library does not know too. */
static bool last_thread(struct heap *h)
{
	struct stat st;

	if (counter_read(&h->threads.count))
		return false;
	/* The main thread's remains, the library's own, and . and .. */
	return !stat("/proc/self/task", &st) &&
	       st.st_nlink == 2 + 1 + counter_read(&h->threads.internals) && main_thread_is_over();
}

static bool period_is_over(struct heap *h)
{
	uint64_t last = counter_read(&h->gc.last_end_mono);

	return __atomic_load_n(&h->gc.percent, __ATOMIC_RELAXED) >= 0 && last &&
	       now_ns(CLOCK_MONOTONIC) - last >= h->gc.period;
}

/* One step of the in-process heap's scavenger; ns until the next one is wanted. */
static uint64_t scavenge(struct heap *h, struct thread *self)
{
	uint64_t ns, cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);

	if (!h->backend.ops->scavenge)
		return 0;
	thread_enter_busy(h, self);
	ns = h->backend.ops->scavenge(&h->backend);
	thread_leave_busy(h, self);
	counter_add(&h->background.scavenge_cpu, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
	return ns;
}

static void at_most(uint64_t *ns, uint64_t most)
{
	if (*ns > most)
		*ns = most;
}

static void *run(void *heap)
{
	struct heap *h = heap;
	struct background *bg = &h->background;
	struct thread *self = thread_self;
	uint32_t done = __atomic_load_n(&bg->wakeup, __ATOMIC_ACQUIRE) - 1;
	bool wanted = false;

	__atomic_store_n(&bg->thread, self, __ATOMIC_RELAXED);
	pthread_setname_np(pthread_self(), "goheap");
	/* Have the stack now: when memory is short a fault of ours may end the process. */
	os_clear_dead();
	for (;;) {
		uint32_t seen = __atomic_load_n(&bg->wakeup, __ATOMIC_ACQUIRE);
		uint64_t ns = h->gc.period, step, now;

		gc_begin_if_asked(h, self);
		if (gc_marking(h)) {
			gc_mark(h, self);
			done = seen - 1;
		}
		if (__atomic_exchange_n(&h->workers.missed, false, __ATOMIC_RELAXED))
			workers_start(h);
		if (seen != done && h->settings.sweep_in_background)
			sweep_and_flush(h, self);
		done = seen;
		step = scavenge(h, self);
		if (step)
			at_most(&ns, step);
		if (h->settings.scavtrace) {
			trace_releases(h, self);
			at_most(&ns, LOOK_NS);
		}
		if (!counter_read(&h->threads.count)) {
			if (last_thread(h))
				exit(0);
			at_most(&ns, LOOK_NS);
		}
		now = now_ns(CLOCK_MONOTONIC);
		if (wanted && now >= bg->pressure_next) {
			relieve(h);
			wanted = false;
		} else if (period_is_over(h)) {
			gc_collect(h, GC_PERIODIC, 0);
		} else {
			if (wanted)
				at_most(&ns, bg->pressure_next - now);
			/* A stop is not to wait until it has woken. */
			thread_set_collector(h, self, true);
			wanted |= sleep_for(h, seen, ns, bg->watch && !wanted);
			thread_set_collector(h, self, false);
		}
	}
	return NULL;
}

/**
 * background_start() - start the thread, if there is none
 * @h: the heap
 *
 * Context: not busy, no lock held: creating a thread takes locks of the dynamic
 * linker's.
 * Return: false if there can be none.
 */
bool background_start(struct heap *h)
{
	struct background *bg = &h->background;

	/* The next collection will do it. */
	if (loaded_in_callback())
		return __atomic_load_n(&bg->running, __ATOMIC_RELAXED);
	if (__atomic_exchange_n(&bg->running, true, __ATOMIC_RELAXED))
		return true;
	if (bg->watch)
		init_event(bg);
	if (!thread_create_internal(run, h, INTERNAL_STACK))
		return true;
	if (bg->event >= 0)
		syscall(SYS_close, bg->event);
	bg->event = -1;
	__atomic_store_n(&bg->running, false, __ATOMIC_RELAXED);
	return false;
}

/**
 * background_init() - before the heap is used
 * @h: the heap
 */
void background_init(struct heap *h)
{
	struct background *bg = &h->background;

	bg->event = -1;
	bg->pressure_pause = PRESSURE_PAUSE_LEAST;
	bg->watch = h->on_device && (h->backend.features & GOHEAP_FEATURE_SCAVENGER);
}

/**
 * background_forget() - in a forked child: the thread is the parent's
 * @h: the heap
 */
void background_forget(struct heap *h)
{
	struct background *bg = &h->background;

	if (bg->event >= 0)
		syscall(SYS_close, bg->event);
	bg->event = -1;
	bg->thread = NULL;
	bg->running = false;
	bg->pressure_next = 0;
}
