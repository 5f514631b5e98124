// SPDX-License-Identifier: GPL-2.0
/*
 * What the page half costs: spans of /dev/goheap, and the same work on
 * anonymous memory beside it.
 *
 * The unit is nanoseconds of this thread's processor time.  In a guest started
 * with `selftests/vm/run --insns` the clock advances by one nanosecond an
 * instruction, so there the figures are instructions, kernel and user
 * together, and repeated runs agree to several digits.  The thread's clock is
 * taken rather than the wall's because a guest still has timers and kernel
 * threads of its own.
 *
 * Each row is run once to warm up and then --repeats times; the value is the
 * lowest repetition, and the median and the highest stand beside it.  The cost
 * of reading the clock is subtracted.  The store that touches each page is not:
 * it is the same three instructions a page on either side.
 *
 * Output: one line a row, separated by tabs:
 *	row NAME UNIT LOWEST MEDIAN HIGHEST REPEATS FAULTS
 * FAULTS are the page faults of one repetition.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <linux/goheap.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define PAGE		4096UL
#define TOTAL		(64UL << 20)
#define NR_PAGES	(TOTAL / PAGE)
#define ARENA		(1UL << 30)
#define HUGE		(2UL << 20)
#define MAX_REPEATS	100

/* How spans are asked for: their length and how many in one request. */
struct shape {
	unsigned int npages;	/* of 8 KiB */
	unsigned int batch;
};

struct row {
	const char *name;
	const char *unit;
	double (*run)(const struct shape *shape);
	struct shape shape;
	bool device;
};

static struct goheap_span spans[TOTAL / GOHEAP_PAGE_SIZE];
static uint64_t clock_cost;
static long faults_before, faults_seen;

static void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("kernel: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

static uint64_t begin(void)
{
	faults_before = faults();
	return now();
}

static double end(uint64_t t0, double units)
{
	uint64_t t = now() - t0;

	faults_seen = faults() - faults_before;
	return (t > clock_cost ? t - clock_cost : 0) / units;
}

static void measure_clock(void)
{
	uint64_t best = ~0ULL;

	for (int i = 0; i < 1000; i++) {
		uint64_t t = now();

		t = now() - t;
		if (t < best)
			best = t;
	}
	clock_cost = best;
}

static void touch(void *p, size_t bytes)
{
	for (volatile char *c = p; c < (volatile char *)p + bytes; c += PAGE)
		*c = 1;
}

/* ---- /dev/goheap ---- */

static void *arena_at;

static int arena_open(void)
{
	int fd = open("/dev/goheap", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("/dev/goheap: %s", strerror(errno));
	arena_at = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (arena_at == MAP_FAILED)
		die("mmap of /dev/goheap: %s", strerror(errno));
	return fd;
}

static void arena_close(int fd)
{
	munmap(arena_at, ARENA);
	close(fd);
}

static void span_request(int fd, unsigned long nr, struct goheap_span *s, unsigned int count)
{
	struct goheap_span_batch b = {
		.size = sizeof(b),
		.spans = (uintptr_t)s,
		.count = count,
	};

	if (ioctl(fd, nr, &b))
		die("%s of %u spans: %s",
		    nr == GOHEAP_IOC_SPAN_ALLOC ? "allocation" : "freeing", count,
		    strerror(errno));
}

static inline void span_alloc(int fd, struct goheap_span *s, const struct shape *shape)
{
	for (unsigned int i = 0; i < shape->batch; i++)
		s[i] = (struct goheap_span){ .npages = shape->npages };
	span_request(fd, GOHEAP_IOC_SPAN_ALLOC, s, shape->batch);
}

static inline void span_free(int fd, struct goheap_span *s, const struct shape *shape)
{
	for (unsigned int i = 0; i < shape->batch; i++)
		s[i].flags = 0;
	span_request(fd, GOHEAP_IOC_SPAN_FREE, s, shape->batch);
}

static unsigned int nr_spans(const struct shape *shape)
{
	return TOTAL / (shape->npages * GOHEAP_PAGE_SIZE);
}

/* 64 MiB in spans of this shape, each page touched. */
static void alloc_all(int fd, const struct shape *shape)
{
	for (unsigned int i = 0; i < nr_spans(shape); i += shape->batch) {
		span_alloc(fd, spans + i, shape);
		for (unsigned int j = i; j < i + shape->batch; j++)
			touch((void *)(uintptr_t)spans[j].addr, shape->npages * GOHEAP_PAGE_SIZE);
	}
}

static void free_all(int fd, const struct shape *shape)
{
	for (unsigned int i = 0; i < nr_spans(shape); i += shape->batch)
		span_free(fd, spans + i, shape);
}

/* Where those spans are: they lie side by side. */
static void *spans_at(void)
{
	return (void *)(uintptr_t)spans[0].addr;
}

static void release(int fd, uint32_t flags)
{
	struct goheap_release r = { .size = sizeof(r), .flags = flags, .bytes = ~0ULL };

	if (ioctl(fd, GOHEAP_IOC_RELEASE, &r))
		die("release: %s", strerror(errno));
	if (r.bytes < TOTAL)
		die("release: %llu bytes, not %lu", (unsigned long long)r.bytes, TOTAL);
}

static double run_span(const struct shape *shape)
{
	enum { ROUNDS = 512 };
	int fd = arena_open();
	uint64_t t0;
	double r;

	span_alloc(fd, spans, shape);
	span_free(fd, spans, shape);
	t0 = begin();
	for (int i = 0; i < ROUNDS; i++) {
		span_alloc(fd, spans, shape);
		span_free(fd, spans, shape);
	}
	r = end(t0, ROUNDS * shape->batch);
	arena_close(fd);
	return r;
}

static double run_fresh(const struct shape *shape)
{
	int fd = arena_open();
	uint64_t t0 = begin();
	double r;

	alloc_all(fd, shape);
	r = end(t0, NR_PAGES);
	arena_close(fd);
	return r;
}

static double run_mapped(const struct shape *shape)
{
	int fd = arena_open();
	uint64_t t0;
	double r;

	alloc_all(fd, shape);
	free_all(fd, shape);
	t0 = begin();
	alloc_all(fd, shape);
	r = end(t0, NR_PAGES);
	arena_close(fd);
	return r;
}

static double run_kept(const struct shape *shape)
{
	int fd = arena_open();
	uint64_t t0;
	double r;

	alloc_all(fd, shape);
	free_all(fd, shape);
	release(fd, GOHEAP_RELEASE_KEEP);
	t0 = begin();
	alloc_all(fd, shape);
	r = end(t0, NR_PAGES);
	if (!(spans[0].flags & GOHEAP_SPAN_NEEDZERO))
		die("a kept span came back without GOHEAP_SPAN_NEEDZERO");
	arena_close(fd);
	return r;
}

static double release_cost(const struct shape *shape, uint32_t flags)
{
	int fd = arena_open();
	uint64_t t0;
	double r;

	alloc_all(fd, shape);
	free_all(fd, shape);
	t0 = begin();
	release(fd, flags);
	r = end(t0, NR_PAGES);
	arena_close(fd);
	return r;
}

static double run_release(const struct shape *shape)
{
	return release_cost(shape, 0);
}

static double run_release_keep(const struct shape *shape)
{
	return release_cost(shape, GOHEAP_RELEASE_KEEP);
}

static double run_close(const struct shape *shape)
{
	int fd = arena_open();
	uint64_t t0;

	alloc_all(fd, shape);
	t0 = begin();
	arena_close(fd);
	return end(t0, NR_PAGES);
}

static void track(int fd)
{
	struct goheap_track t = { .size = sizeof(t) };

	if (ioctl(fd, GOHEAP_IOC_TRACK, &t))
		die("track: %s", strerror(errno));
}

/* Collects from 64 MiB; @written is how many pages that must find. */
static void collect(int fd, unsigned long written)
{
	static uint64_t bitmap[NR_PAGES / 64];
	struct goheap_dirty d = {
		.size = sizeof(d),
		.addr = spans[0].addr,
		.bytes = TOTAL,
		.bitmap = (uintptr_t)bitmap,
	};

	if (ioctl(fd, GOHEAP_IOC_COLLECT, &d))
		die("collect: %s", strerror(errno));
	if (d.pages != written)
		die("collect: %llu pages, not %lu", (unsigned long long)d.pages, written);
}

/* 64 MiB with a window, nothing written since. */
static int arena_tracked(const struct shape *shape)
{
	int fd = arena_open();

	alloc_all(fd, shape);
	track(fd);
	collect(fd, 0);
	return fd;
}

static double run_collect_clean(const struct shape *shape)
{
	int fd = arena_tracked(shape);
	uint64_t t0 = begin();
	double r;

	collect(fd, 0);
	r = end(t0, NR_PAGES);
	arena_close(fd);
	return r;
}

static double run_collect_written(const struct shape *shape)
{
	int fd = arena_tracked(shape);
	uint64_t t0;
	double r;

	touch(spans_at(), TOTAL);
	t0 = begin();
	collect(fd, NR_PAGES);
	r = end(t0, NR_PAGES);
	arena_close(fd);
	return r;
}

/* The writer's side: the first store to each page after it was collected. */
static double run_collect_writer(const struct shape *shape)
{
	int fd = arena_tracked(shape);
	uint64_t t0;
	double r;

	touch(spans_at(), TOTAL);
	collect(fd, NR_PAGES);
	t0 = begin();
	touch(spans_at(), TOTAL);
	r = end(t0, NR_PAGES);
	collect(fd, NR_PAGES);
	arena_close(fd);
	return r;
}

/* ---- anonymous memory ---- */

/* 64 MiB on a boundary of 2 MiB; *whole is what munmap() wants. */
static void *anon_map(void **whole, int advice)
{
	uintptr_t p;

	*whole = mmap(NULL, TOTAL + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (*whole == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	p = ((uintptr_t)*whole + HUGE - 1) & ~(HUGE - 1);
	/* A kernel without huge pages refuses the advice and needs none. */
	madvise((void *)p, TOTAL, advice);
	return (void *)p;
}

static void advise(void *p, int advice)
{
	if (madvise(p, TOTAL, advice))
		die("madvise %d: %s", advice, strerror(errno));
}

static double anon_touch(int map_advice)
{
	void *whole, *p = anon_map(&whole, map_advice);
	uint64_t t0 = begin();
	double r;

	touch(p, TOTAL);
	r = end(t0, NR_PAGES);
	munmap(whole, TOTAL + HUGE);
	return r;
}

static double run_anon_touch(const struct shape *shape)
{
	(void)shape;
	return anon_touch(MADV_NOHUGEPAGE);
}

static double run_anon_huge(const struct shape *shape)
{
	double r = anon_touch(MADV_HUGEPAGE);

	(void)shape;
	if (faults_seen > 2 * (long)(TOTAL / HUGE))
		return -1;	/* no huge pages to be had */
	return r;
}

static double run_anon_populate(const struct shape *shape)
{
	void *whole, *p = anon_map(&whole, MADV_NOHUGEPAGE);
	uint64_t t0 = begin();
	double r;

	(void)shape;
	advise(p, MADV_POPULATE_WRITE);
	touch(p, TOTAL);
	r = end(t0, NR_PAGES);
	munmap(whole, TOTAL + HUGE);
	return r;
}

/* Given up by @advice and touched again; both are timed if @both, else the advice alone. */
static double anon_again(int advice, bool both)
{
	void *whole, *p = anon_map(&whole, MADV_NOHUGEPAGE);
	uint64_t t0;
	double r;

	touch(p, TOTAL);
	t0 = begin();
	advise(p, advice);
	if (both)
		touch(p, TOTAL);
	r = end(t0, NR_PAGES);
	munmap(whole, TOTAL + HUGE);
	return r;
}

static double run_anon_dontneed(const struct shape *shape)
{
	(void)shape;
	return anon_again(MADV_DONTNEED, false);
}

static double run_anon_dontneed_touch(const struct shape *shape)
{
	(void)shape;
	return anon_again(MADV_DONTNEED, true);
}

static double run_anon_free_touch(const struct shape *shape)
{
	(void)shape;
	return anon_again(MADV_FREE, true);
}

static double anon_8k(bool touched)
{
	enum { ROUNDS = 512 };
	uint64_t t0 = begin();

	for (int i = 0; i < ROUNDS; i++) {
		void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			die("mmap: %s", strerror(errno));
		if (touched)
			touch(p, 8192);
		munmap(p, 8192);
	}
	return end(t0, ROUNDS);
}

static double run_anon_8k(const struct shape *shape)
{
	(void)shape;
	return anon_8k(false);
}

static double run_anon_8k_touch(const struct shape *shape)
{
	(void)shape;
	return anon_8k(true);
}

/* What it costs to clear a page oneself. */
static double run_clear(const struct shape *shape)
{
	static char page[PAGE * 16] __attribute__((aligned(4096)));
	enum { ROUNDS = 256 };
	uint64_t t0;

	(void)shape;
	touch(page, sizeof(page));
	t0 = begin();
	for (int i = 0; i < ROUNDS; i++) {
		memset(page + i % 16 * PAGE, 0, PAGE);
		__asm__ volatile("" ::: "memory");
	}
	return end(t0, ROUNDS);
}

/* The floor under every request: a system call that does nothing. */
static double run_syscall(const struct shape *shape)
{
	enum { ROUNDS = 4096 };
	uint64_t t0 = begin();

	(void)shape;
	for (int i = 0; i < ROUNDS; i++)
		getppid();
	return end(t0, ROUNDS);
}

static double run_info(const struct shape *shape)
{
	enum { ROUNDS = 1024 };
	int fd = arena_open();
	uint64_t t0 = begin();
	double r;

	(void)shape;
	for (int i = 0; i < ROUNDS; i++) {
		struct goheap_info info = { .size = sizeof(info) };

		if (ioctl(fd, GOHEAP_IOC_INFO, &info))
			die("info: %s", strerror(errno));
	}
	r = end(t0, ROUNDS);
	arena_close(fd);
	return r;
}

static const struct row rows[] = {
	{ "syscall", "call", run_syscall, {}, false },
	{ "clear", "page", run_clear, {}, false },
	{ "ioctl.info", "call", run_info, {}, true },
	{ "span.one", "span", run_span, { 1, 1 }, true },
	{ "span.batch16", "span", run_span, { 1, 16 }, true },
	{ "anon.8k", "call", run_anon_8k, {}, false },
	{ "anon.8k.touch", "call", run_anon_8k_touch, {}, false },
	{ "fresh.8k.16", "page", run_fresh, { 1, 16 }, true },
	{ "fresh.64k.1", "page", run_fresh, { 8, 1 }, true },
	{ "fresh.64k.16", "page", run_fresh, { 8, 16 }, true },
	{ "fresh.1m.1", "page", run_fresh, { 128, 1 }, true },
	{ "mapped.8k.16", "page", run_mapped, { 1, 16 }, true },
	{ "mapped.64k.1", "page", run_mapped, { 8, 1 }, true },
	{ "mapped.64k.16", "page", run_mapped, { 8, 16 }, true },
	{ "mapped.1m.1", "page", run_mapped, { 128, 1 }, true },
	{ "kept.8k.16", "page", run_kept, { 1, 16 }, true },
	{ "kept.64k.1", "page", run_kept, { 8, 1 }, true },
	{ "kept.64k.16", "page", run_kept, { 8, 16 }, true },
	{ "kept.1m.1", "page", run_kept, { 128, 1 }, true },
	{ "release", "page", run_release, { 8, 16 }, true },
	{ "release.keep", "page", run_release_keep, { 8, 16 }, true },
	{ "close", "page", run_close, { 8, 16 }, true },
	{ "collect.clean", "page", run_collect_clean, { 8, 16 }, true },
	{ "collect.written", "page", run_collect_written, { 8, 16 }, true },
	{ "collect.writer", "page", run_collect_writer, { 8, 16 }, true },
	{ "anon.touch", "page", run_anon_touch, {}, false },
	{ "anon.populate", "page", run_anon_populate, {}, false },
	{ "anon.huge", "page", run_anon_huge, {}, false },
	{ "anon.dontneed", "page", run_anon_dontneed, {}, false },
	{ "anon.dontneed.touch", "page", run_anon_dontneed_touch, {}, false },
	{ "anon.free.touch", "page", run_anon_free_touch, {}, false },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void run_row(const struct row *row, int repeats)
{
	double v[MAX_REPEATS];

	row->run(&row->shape);
	for (int i = 0; i < repeats; i++)
		v[i] = row->run(&row->shape);
	qsort(v, repeats, sizeof(v[0]), by_value);
	if (v[0] < 0)
		return;
	printf("row\t%s\t%s\t%.1f\t%.1f\t%.1f\t%d\t%ld\n", row->name, row->unit, v[0],
	       v[repeats / 2], v[repeats - 1], repeats, faults_seen);
	fflush(stdout);
}

/* Is @name in @only, a list of names or their first parts ("fresh,kept.8k")? */
static bool wanted(const char *only, const char *name)
{
	for (const char *p = only; p; p = strchr(p, ',')) {
		size_t n;

		p += *p == ',';
		n = strcspn(p, ",");
		if (n && !strncmp(p, name, n) && (!name[n] || name[n] == '.'))
			return true;
	}
	return !only;
}

static int usage_error(const char *what)
{
	fprintf(stderr, "kernel: %s (see kernel --help)\n", what);
	return 2;
}

int main(int argc, char **argv)
{
	bool device = !access("/dev/goheap", F_OK), any = false;
	const char *only = NULL;
	int repeats = 5;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			puts("usage: kernel [--only NAME,...] [--repeats N]\n"
			     "Costs of spans and of anonymous memory, in nanoseconds of processor time\n"
			     "(under selftests/vm/run --insns: instructions).");
			return 0;
		} else if (!strcmp(argv[i], "--only") && i + 1 < argc) {
			only = argv[++i];
		} else if (!strcmp(argv[i], "--repeats") && i + 1 < argc) {
			repeats = atoi(argv[++i]);
		} else {
			return usage_error(argv[i]);
		}
	}
	if (repeats < 1 || repeats > MAX_REPEATS)
		return usage_error("--repeats is 1 to 100");
	touch(spans, sizeof(spans));
	measure_clock();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!wanted(only, rows[i].name))
			continue;
		any = true;
		if (rows[i].device && !device)
			fprintf(stderr, "kernel: no /dev/goheap: %s left out\n", rows[i].name);
		else
			run_row(&rows[i], repeats);
	}
	return any ? 0 : usage_error("--only names no row");
}
