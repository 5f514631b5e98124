// SPDX-License-Identifier: MIT
/*
 * The trace lines of GOHEAP_DEBUG, in the format of Go's GODEBUG (package
 * runtime, "Environment Variables"), so that what reads the one reads the other.
 */
#include <stdio.h>

#include "heap.h"

/* Milliseconds as Go prints them: three digits or so, none behind the point from 10 up. */
static const char *ms(char buffer[24], uint64_t ns)
{
	uint64_t us = ns / 1000;

	if (ns >= 10000000)
		snprintf(buffer, 24, "%llu", (unsigned long long)(ns / 1000000));
	else if (!us)
		snprintf(buffer, 24, "0");
	else if (us < 100)
		snprintf(buffer, 24, "0.%03llu", (unsigned long long)us);
	else if (us < 1000)
		snprintf(buffer, 24, "0.%02llu", (unsigned long long)(us / 10));
	else
		snprintf(buffer, 24, "%llu.%llu", (unsigned long long)(us / 1000),
			 (unsigned long long)(us / 100 % 10));
	return buffer;
}

/**
 * trace_gc() - the line of gctrace=1
 * @h: the heap
 *
 * Go's fields: by the clock the first stop, marking while the program runs, the
 * second stop; by processor time the same, marking being that of allocating threads, of
 * the collector and its workers, and of idle processors (which Go uses, and goheap does
 * not).
 *
 * Context: gc.lock held.
 */
void trace_gc(struct heap *h)
{
	const struct gc_times *t = &h->gc.times;
	const struct gc_counts n = work_total(&h->gc.queue);
	uint64_t elapsed = t->end - h->start_mono;
	int procs = os_processors();
	uint64_t percent = elapsed ? counter_read(&h->gc.cpu) * 100 / elapsed / (uint64_t)procs : 0;
	char stop[24], mark[24], again[24], assist[24], work[24];

	ms(stop, t->marking - t->stopped);
	ms(mark, t->marked - t->marking);
	ms(again, t->end - t->stopped_again);
	ms(assist, t->assist_ns);
	ms(work, t->mark_ns);
	os_message("gc %llu @%llu.%03llus %llu%%: %s+%s+%s ms clock, %s+%s/%s/0+%s ms cpu, "
		   "%llu->%llu->%llu MB, %llu MB goal, %llu MB stacks, %llu MB globals, %d P%s\n",
		   (unsigned long long)h->gc.cycles, (unsigned long long)(elapsed / 1000000000),
		   (unsigned long long)(elapsed / 1000000 % 1000), (unsigned long long)percent,
		   stop, mark, again, stop, assist, work, again,
		   (unsigned long long)(t->live_before >> 20),
		   (unsigned long long)(t->live_at_end >> 20),
		   (unsigned long long)(h->gc.marked >> 20), (unsigned long long)(t->goal >> 20),
		   (unsigned long long)(n.stack_bytes >> 20),
		   (unsigned long long)((n.root_bytes - n.stack_bytes) >> 20), procs,
		   h->gc.reason == GC_FORCED ? " (forced)" : "");
}

/**
 * trace_work() - the line of gcwork=1: who has marked how much, and how
 * @h: the heap
 *
 * Context: gc.lock held.
 */
void trace_work(struct heap *h)
{
	static const char *const who[NUM_MARKED_BY] = {
		[BY_COLLECTOR] = "collector", [BY_WORKERS] = "workers", [BY_ASSISTS] = "assists",
	};
	const struct gc_times *t = &h->gc.times;
	char line[400];
	size_t length = 0;

	pthread_mutex_lock(&h->gc.queue.lock);
	for (unsigned int i = 0; i < NUM_MARKED_BY; i++) {
		const struct gc_counts *n = &h->gc.queue.total[i];

		length += (size_t)snprintf(line + length, sizeof(line) - length,
			"%s %llu KiB, %llu objects in %llu spans, %llu alone; ", who[i],
			(unsigned long long)(n->scanned_bytes >> 10),
			(unsigned long long)n->objects, (unsigned long long)n->spans,
			(unsigned long long)n->lone);
	}
	pthread_mutex_unlock(&h->gc.queue.lock);
	os_message("gcwork %llu: %sroots %llu KiB, rounds %u, pages at the stop %lld\n",
		   (unsigned long long)h->gc.cycles, line,
		   (unsigned long long)(work_total(&h->gc.queue).root_bytes >> 10),
		   (unsigned int)t->rounds,
		   (long long)t->dirty_pages);
}

/* What the lines so far have spoken of; h->gc.lock is not held where it is used. */
static struct {
	pthread_mutex_t lock;
	uint64_t released[NUM_RELEASE_REASONS];
} traced = { .lock = PTHREAD_MUTEX_INITIALIZER };

/*
 * Go's fields: released since the last line, in the background and at once; what is
 * with the system now; how much of what is held is in use.
 */
static void scav_line(struct heap *h, const struct backend_stats *b, uint64_t background,
		      uint64_t eager, const char *rest)
{
	uint64_t held = b->grown_bytes - b->released_bytes;

	os_message("scav %llu KiB work (bg), %llu KiB work (eager), %llu KiB now, %llu%% util%s\n",
		   (unsigned long long)(background >> 10), (unsigned long long)(eager >> 10),
		   (unsigned long long)(b->released_bytes >> 10),
		   (unsigned long long)(held ? counter_read(&h->inuse) * 100 / held : 100), rest);
}

/* A line for each reason that pages were released for.  traced.lock held. */
static void each_reason(struct heap *h, const struct backend_stats *b, bool forced)
{
	static const char *const rest[NUM_RELEASE_REASONS] = {
		[RELEASE_REQUEST] = " (forced)",
		[RELEASE_BACKGROUND] = " (background)",
		[RELEASE_GROWTH] = " (growth)",
		[RELEASE_LIMIT] = " (limit)",
		[RELEASE_PRESSURE] = " (pressure)",
	};

	for (unsigned int i = 0; i < NUM_RELEASE_REASONS; i++) {
		uint64_t bytes = b->released[i] - traced.released[i];

		traced.released[i] = b->released[i];
		if (bytes || (forced && i == RELEASE_REQUEST))
			scav_line(h, b, i == RELEASE_BACKGROUND ? bytes : 0,
				  i == RELEASE_BACKGROUND ? 0 : bytes, rest[i]);
	}
}

static void trace_scavenger(struct heap *h, struct thread *t, bool forced, bool cycle)
{
	struct backend_stats b;
	char goal[64] = " [no goal yet]";

	/* Busy, so that a fork does not find the lock taken. */
	thread_enter_busy(h, t);
	pthread_mutex_lock(&traced.lock);
	pthread_mutex_lock(&h->lock);
	heap_page_stats(h, &b);
	pthread_mutex_unlock(&h->lock);
	each_reason(h, &b, forced);
	if (cycle) {
		if (b.retain_goal != NO_GOAL)
			snprintf(goal, sizeof(goal), " [goal %llu KiB]",
				 (unsigned long long)(b.retain_goal >> 10));
		scav_line(h, &b, 0, 0, goal);
	}
	pthread_mutex_unlock(&traced.lock);
	thread_leave_busy(h, t);
}

/**
 * trace_cycle() - the lines of scavtrace=1 when a collection has been reported
 * @h: the heap
 * @t: the calling thread
 *
 * What has been released since the last line, by reason, and the new goal.
 *
 * Context: not busy.
 */
void trace_cycle(struct heap *h, struct thread *t)
{
	trace_scavenger(h, t, false, true);
}

/**
 * trace_releases() - the same, if anything was released
 * @h: the heap
 * @t: the calling thread
 *
 * Context: not busy.
 */
void trace_releases(struct heap *h, struct thread *t)
{
	trace_scavenger(h, t, false, false);
}

/**
 * trace_forced() - the same after goheap_free_os_memory()
 * @h: the heap
 * @t: the calling thread
 *
 * Context: not busy.
 */
void trace_forced(struct heap *h, struct thread *t)
{
	trace_scavenger(h, t, true, false);
}
