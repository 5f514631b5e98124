// SPDX-License-Identifier: MIT
/*
 * The heap's figures while the program runs: a thread that wakes a few times a
 * second, writes a line of CSV and shows how far the work is.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "xref.h"

#define SHOW_TTY_NS	200000000ULL
#define SHOW_LINE_NS	2000000000ULL

struct progress progress;

static struct {
	FILE *csv;
	bool show, tty, running, stop;
	uint32_t total;
	uint64_t start, period, shown;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
} trace = { .lock = PTHREAD_MUTEX_INITIALIZER };

/**
 * now_ns() - a clock that is never set back
 *
 * Return: nanoseconds.
 */
uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/**
 * read_rss() - memory of the process that is resident
 * @now: set to the bytes at this moment
 * @peak: set to the highest so far
 */
void read_rss(uint64_t *now, uint64_t *peak)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];

	*now = *peak = 0;
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "VmRSS:", 6))
			*now = strtoull(line + 6, NULL, 10) << 10;
		else if (!strncmp(line, "VmHWM:", 6))
			*peak = strtoull(line + 6, NULL, 10) << 10;
	}
	fclose(f);
}

/*
 * Cheap enough for many times a second.  Linux 6.1 counts per thread and adds up
 * every 64 page faults of that thread; since memory of /dev/goheap is mapped
 * without faults, the figure then lags a few MiB behind until the threads end.
 */
static uint64_t read_statm(void)
{
	unsigned long resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &resident) != 1)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void sample(bool last)
{
	uint64_t now = now_ns(), rss, files, bytes;
	struct heap_figures heap;

	heap_read_figures(&heap);
	rss = read_statm();
	files = __atomic_load_n(&progress.files, __ATOMIC_RELAXED);
	bytes = __atomic_load_n(&progress.bytes, __ATOMIC_RELAXED);

	if (trace.csv)
		fprintf(trace.csv, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
			",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
			(now - trace.start) / 1000000, heap.inuse, heap.goal, heap.retained, rss,
			heap.objects_bytes, heap.live, heap.collections, files, bytes);

	if (!trace.show || (!last && now - trace.shown < (trace.tty ? SHOW_TTY_NS : SHOW_LINE_NS)))
		return;
	trace.shown = now;
	printf("%s%6.1f s  %6" PRIu64 " / %" PRIu32 " files  %4" PRIu64 " MiB read"
	       "  heap %4" PRIu64 " MiB  RSS %4" PRIu64 " MiB  %3" PRIu64 " collections%s",
	       trace.tty ? "\r" : "", (now - trace.start) / 1e9, files, trace.total, bytes >> 20,
	       heap.inuse >> 20, rss >> 20, heap.collections, trace.tty && !last ? "" : "\n");
	fflush(stdout);
}

static void *trace_thread(void *unused)
{
	struct timespec until;
	uint64_t at = trace.start;

	(void)unused;
	pthread_mutex_lock(&trace.lock);
	while (!trace.stop) {
		pthread_mutex_unlock(&trace.lock);
		sample(false);
		pthread_mutex_lock(&trace.lock);

		at += trace.period;
		if (at < now_ns())		/* late: do not catch up */
			at = now_ns() + trace.period;
		until.tv_sec = at / 1000000000;
		until.tv_nsec = at % 1000000000;
		while (!trace.stop &&
		       pthread_cond_timedwait(&trace.wake, &trace.lock, &until) != ETIMEDOUT)
			;
	}
	pthread_mutex_unlock(&trace.lock);
	return NULL;
}

/**
 * trace_start() - begin to sample
 * @csv: name of the file to write, or NULL
 * @period_ms: time between two samples
 * @show: show progress on stdout
 * @total: number of files, for the progress
 *
 * Return: 0; -1 and a message on stderr.
 */
int trace_start(const char *csv, unsigned int period_ms, bool show, uint32_t total)
{
	pthread_condattr_t attr;
	int err;

	if (!csv && !show)
		return 0;
	if (csv) {
		trace.csv = fopen(csv, "we");
		if (!trace.csv) {
			fprintf(stderr, "xref: %s: %s\n", csv, strerror(errno));
			return -1;
		}
		fputs("ms,heap_inuse,heap_goal,heap_retained,rss,"
		      "objects,live,collections,files,bytes\n", trace.csv);
	}
	trace.show = show;
	trace.tty = isatty(STDOUT_FILENO);
	trace.total = total;
	trace.period = period_ms * 1000000ULL;
	trace.start = trace.shown = now_ns();

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&trace.wake, &attr);
	err = pthread_create(&trace.thread, NULL, trace_thread, NULL);
	if (err) {
		fprintf(stderr, "xref: no thread: %s\n", strerror(err));
		return -1;
	}
	trace.running = true;
	return 0;
}

/**
 * trace_stop() - take a last sample and end
 */
void trace_stop(void)
{
	if (!trace.running)
		return;
	pthread_mutex_lock(&trace.lock);
	trace.stop = true;
	pthread_cond_signal(&trace.wake);
	pthread_mutex_unlock(&trace.lock);
	pthread_join(trace.thread, NULL);
	sample(true);
	if (trace.csv && fclose(trace.csv))
		fprintf(stderr, "xref: the trace is not complete: %s\n", strerror(errno));
	trace.running = false;
}
