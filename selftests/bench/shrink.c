// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to give 200 MiB back: free pages of /dev/goheap that memory
 * reclaim takes, against MADV_DONTNEED of anonymous memory in 4 KiB pages.
 *
 * Rows: shrink.heap, through /proc/sys/vm/drop_caches, less what the same write
 * costs when there is nothing to take; shrink.request, by GOHEAP_IOC_RELEASE;
 * shrink.dontneed.  All memory has been touched.  The unit is a page of 4 KiB,
 * by the clock of the thread that does it; in a guest started with
 * `selftests/vm/run --insns` that is instructions.
 *
 * Needs root (drop_caches).  Output: as kernel.c's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/goheap.h>

#define PAGE		4096UL
#define TOTAL		(200UL << 20)
#define SPAN		(64UL << 10)
#define SPANS		(TOTAL / SPAN)
#define MAX_REPEATS	100

static int fd = -1;
static struct goheap_span spans[SPANS];

static void die(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "shrink: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void touch(char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		((volatile char *)p)[i]++;
}

static void batch(unsigned long request)
{
	for (size_t i = 0; i < SPANS; i += 100) {
		struct goheap_span_batch b = {
			.size = sizeof(b), .spans = (uintptr_t)&spans[i],
			.count = SPANS - i < 100 ? SPANS - i : 100,
		};

		if (ioctl(fd, request, &b))
			die("spans");
	}
}

/* The heap's free pages, all of them touched. */
static void heap_fill(void)
{
	if (fd < 0) {
		struct goheap_settings set = { .size = sizeof(set), .set = GOHEAP_SET_SCAVENGE,
					       .scavenge = GOHEAP_SCAVENGE_PRESSURE };

		fd = open("/dev/goheap", O_RDWR | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, GOHEAP_IOC_SETTINGS, &set))
			die("/dev/goheap");
		if (mmap(NULL, 1UL << 30, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
			die("mmap");
	}
	for (size_t i = 0; i < SPANS; i++)
		spans[i] = (struct goheap_span){ .npages = SPAN / GOHEAP_PAGE_SIZE };
	batch(GOHEAP_IOC_SPAN_ALLOC);
	for (size_t i = 0; i < SPANS; i++) {
		touch((char *)(uintptr_t)spans[i].addr, SPAN);
		spans[i].flags = 0;
	}
	batch(GOHEAP_IOC_SPAN_FREE);
}

static uint64_t retained(void)
{
	struct goheap_arena_stats st = { .size = sizeof(st) };

	if (ioctl(fd, GOHEAP_IOC_STATS, &st))
		die("GOHEAP_IOC_STATS");
	return st.retained_bytes;
}

static double drop(void)
{
	int file = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	uint64_t t = now();

	if (file < 0 || write(file, "2", 1) != 1)
		die("drop_caches");
	t = now() - t;
	close(file);
	return t;
}

static double measure_heap(void)
{
	double nothing, all;

	drop();
	drop();
	nothing = drop();
	heap_fill();
	all = drop();
	if (retained()) {
		errno = 0;
		die("not all was given back");
	}
	return all > nothing ? all - nothing : 0;
}

static double measure_request(void)
{
	struct goheap_release r = { .size = sizeof(r), .bytes = ~0ULL };
	uint64_t t;

	heap_fill();
	t = now();
	if (ioctl(fd, GOHEAP_IOC_RELEASE, &r) || r.bytes != TOTAL)
		die("GOHEAP_IOC_RELEASE");
	return now() - t;
}

static double measure_dontneed(void)
{
	char *p = mmap(NULL, TOTAL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t t;

	if (p == MAP_FAILED || madvise(p, TOTAL, MADV_NOHUGEPAGE))
		die("mmap");
	touch(p, TOTAL);
	t = now();
	if (madvise(p, TOTAL, MADV_DONTNEED))
		die("MADV_DONTNEED");
	t = now() - t;
	munmap(p, TOTAL);
	return t;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void row(const char *name, double (*measure)(void), int repeats)
{
	double v[MAX_REPEATS];

	for (int i = -1; i < repeats; i++)
		v[i < 0 ? 0 : i] = measure() / (TOTAL / PAGE);
	qsort(v, repeats, sizeof(v[0]), by_value);
	printf("row\t%s\tpage\t%.1f\t%.1f\t%.1f\t%d\t0\n", name, v[0], v[repeats / 2],
	       v[repeats - 1], repeats);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int repeats = 5;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			puts("usage: shrink [--repeats N]\n"
			     "What giving 200 MiB back costs a page, in nanoseconds\n"
			     "(under selftests/vm/run --insns: instructions).");
			return 0;
		} else if (!strcmp(argv[i], "--repeats") && i + 1 < argc) {
			repeats = atoi(argv[++i]);
		} else {
			fprintf(stderr, "shrink: %s (see shrink --help)\n", argv[i]);
			return 2;
		}
	}
	if (repeats < 1 || repeats > MAX_REPEATS) {
		fputs("shrink: --repeats is 1 to 100 (see shrink --help)\n", stderr);
		return 2;
	}
	row("shrink.heap", measure_heap, repeats);
	row("shrink.request", measure_request, repeats);
	row("shrink.dontneed", measure_dontneed, repeats);
	return 0;
}
