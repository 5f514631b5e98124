// SPDX-License-Identifier: MIT
/*
 * The trace lines of GOHEAP_DEBUG, in the format of Go's GODEBUG (package
 * runtime, "Environment Variables"), so that what reads the one reads the other.
 */
#define _GNU_SOURCE
#include <sched.h>
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

static int processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

/**
 * trace_gc() - the line of gctrace=1
 * @h: the heap
 * @t: when things happened
 * @reason: why
 *
 * The three phases are the stop, marking, and the restart; the world stands in
 * all of them, and one thread works, so processor time equals the clock's.
 */
void trace_gc(struct heap *h, const struct gc_times *t, enum gc_reason reason)
{
	const struct marker *m = &h->gc.marker;
	uint64_t elapsed = t->end - h->start_mono;
	int procs = processors();
	uint64_t percent = elapsed ? counter_read(&h->gc.cpu) * 100 / elapsed / (uint64_t)procs : 0;
	char stop[24], mark[24], restart[24];

	ms(stop, t->stopped - t->start);
	ms(mark, t->marked - t->stopped);
	ms(restart, t->end - t->marked);
	os_message("gc %llu @%llu.%03llus %llu%%: %s+%s+%s ms clock, %s+0/%s/0+%s ms cpu, "
		   "%llu->%llu->%llu MB, %llu MB goal, %llu MB stacks, %llu MB globals, %d P%s\n",
		   (unsigned long long)h->gc.cycles, (unsigned long long)(elapsed / 1000000000),
		   (unsigned long long)(elapsed / 1000000 % 1000), (unsigned long long)percent,
		   stop, mark, restart, stop, mark, restart,
		   (unsigned long long)(t->live_before >> 20),
		   (unsigned long long)(t->live_at_end >> 20),
		   (unsigned long long)(h->gc.marked >> 20), (unsigned long long)(t->goal >> 20),
		   (unsigned long long)(m->stack_bytes >> 20),
		   (unsigned long long)(m->global_bytes >> 20), procs,
		   reason == GC_FORCED ? " (forced)" : "");
}

/**
 * trace_release() - the line of scavtrace=1 for a release on request
 * @h: the heap
 * @released: bytes given back
 *
 * Go's fields: released in the background, on demand, and in all; what of the
 * memory held is in use.
 */
void trace_release(struct heap *h, uint64_t released)
{
	struct backend_stats stats;
	uint64_t held;

	h->backend.ops->stats(&h->backend, &stats);
	held = stats.grown_bytes - stats.released_bytes;
	os_message("scav 0 KiB work (bg), %llu KiB work (eager), %llu KiB now, %llu%% util\n",
		   (unsigned long long)(released >> 10), (unsigned long long)(held >> 10),
		   (unsigned long long)(held ? counter_read(&h->inuse) * 100 / held : 0));
}
