// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to learn which pages were written: GOHEAP_IOC_COLLECT beside
 * the ways that a process has without it.
 *
 *	goheap		TRACK, COLLECT
 *	soft-dirty	"4" to /proc/self/clear_refs, /proc/self/pagemap
 *	scan		PAGEMAP_SCAN over memory that userfaultfd write-protects
 *			asynchronously (Linux 6.7)
 *	mprotect	PROT_READ and a SIGSEGV handler
 *
 * For each size of the heap and each share of its pages, the pages, drawn at
 * random, are written in address order, and then the tracker finds them and
 * begins anew.  The writer's side and the tracker's are timed apart, in
 * nanoseconds of the thread's processor time; in a guest started with
 * `selftests/vm/run --insns` these are instructions, kernel and user together.
 * Every reply is compared with what was written.
 *
 * Output: a line for each, separated by tabs:
 *	dirty METHOD MIB SHARE WRITER TRACKER FAULTS
 *	window METHOD MIB BEGIN END
 * SHARE in thousandths of the pages, WRITER for each page written, TRACKER for
 * each page of the heap, FAULTS of the writer in all.  BEGIN: to watch a heap whose pages
 * nothing watches; END: to leave it so that writing costs nothing again, where that can be
 * had; for each page of the heap.  The lower of two rounds; of one, in heaps of more
 * than 64 MiB.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/goheap.h>

#define PAGE		4096UL
#define MIB		(1UL << 20)
#define MAX_PAGES	(4096 * MIB / PAGE)

/* From kernel headers newer than those that may be installed. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC		(1 << 15)
#endif
#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN		_IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_WRITTEN		(1 << 1)
#define PM_SCAN_WP_MATCHING	(1 << 0)
#define PM_SCAN_CHECK_WPASYNC	(1 << 1)

struct page_region {
	uint64_t start, end, categories;
};

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#endif

struct method {
	const char *name;
	bool (*begin)(void);	/* memory at `at`, tracked; false: not to be had */
	void (*collect)(void);	/* into `found`, and begin anew */
	void (*watch)(void);	/* begin a window */
	void (*leave)(void);	/* and end it */
	void (*end)(void);
};

static char *at;
static size_t bytes, npages;
static uint64_t found[MAX_PAGES / 64], want[MAX_PAGES / 64];
static uint32_t order[MAX_PAGES];

static void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("dirty: ", stderr);
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

static void mark(size_t page)
{
	found[page / 64] |= 1ULL << page % 64;
}

static void populate(void)
{
	for (size_t i = 0; i < npages; i++)
		((volatile char *)at)[i * PAGE] = 1;
}

static void anon_begin(void)
{
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	/* A huge page is written as a whole, which would be no comparison. */
	madvise(at, bytes, MADV_NOHUGEPAGE);
	populate();
}

static void anon_end(void)
{
	munmap(at, bytes);
}

/* ---- goheap ---- */

static int heap = -1;

static bool goheap_begin(void)
{
	struct goheap_span s = { .npages = bytes / GOHEAP_PAGE_SIZE };
	struct goheap_span_batch b = {
		.size = sizeof(b), .spans = (uintptr_t)&s, .count = 1,
	};
	struct goheap_track t = { .size = sizeof(t) };
	void *p;

	heap = open("/dev/goheap", O_RDWR | O_CLOEXEC);
	if (heap < 0)
		return false;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, heap, 0);
	if (p == MAP_FAILED)
		die("mmap of /dev/goheap: %s", strerror(errno));
	if (ioctl(heap, GOHEAP_IOC_SPAN_ALLOC, &b))
		die("a span of %zu MiB: %s", bytes / MIB, strerror(errno));
	at = p;
	populate();
	if (ioctl(heap, GOHEAP_IOC_TRACK, &t))
		die("GOHEAP_IOC_TRACK: %s", strerror(errno));
	return true;
}

static void goheap_collect(void)
{
	struct goheap_dirty d = {
		.size = sizeof(d), .addr = (uintptr_t)at, .bytes = bytes,
		.bitmap = (uintptr_t)found,
	};

	if (ioctl(heap, GOHEAP_IOC_COLLECT, &d))
		die("GOHEAP_IOC_COLLECT: %s", strerror(errno));
}

static void goheap_watch_flags(unsigned int flags)
{
	struct goheap_track t = { .size = sizeof(t), .flags = flags };

	if (ioctl(heap, GOHEAP_IOC_TRACK, &t))
		die("GOHEAP_IOC_TRACK: %s", strerror(errno));
}

static void goheap_watch(void)
{
	goheap_watch_flags(0);
}

static void goheap_leave(void)
{
	goheap_watch_flags(GOHEAP_TRACK_STOP);
}

static void goheap_end(void)
{
	munmap(at, bytes);
	close(heap);
}

/* ---- soft-dirty ---- */

static int clear_refs = -1, pagemap = -1;

static void soft_dirty_clear(void)
{
	if (write(clear_refs, "4", 1) != 1)
		die("clear_refs: %s", strerror(errno));
}

static bool soft_dirty_begin(void)
{
	uint64_t entry = 0;

	anon_begin();
	clear_refs = open("/proc/self/clear_refs", O_WRONLY);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (clear_refs < 0 || pagemap < 0)
		return false;
	soft_dirty_clear();
	*(volatile char *)at = 1;
	/* A kernel without soft-dirty has the bit clear. */
	if (pread(pagemap, &entry, 8, (uintptr_t)at / PAGE * 8) != 8 || !(entry >> 55 & 1)) {
		anon_end();
		return false;
	}
	soft_dirty_clear();
	return true;
}

static void soft_dirty_collect(void)
{
	static uint64_t entries[8192];

	for (size_t i = 0; i < npages; i += 8192) {
		size_t n = npages - i < 8192 ? npages - i : 8192;

		if (pread(pagemap, entries, n * 8, ((uintptr_t)at / PAGE + i) * 8) !=
		    (ssize_t)(n * 8))
			die("pagemap: %s", strerror(errno));
		for (size_t k = 0; k < n; k++)
			if (entries[k] >> 55 & 1)
				mark(i + k);
	}
	soft_dirty_clear();
}

/* Nothing makes pages writable but writing to them. */
static void soft_dirty_leave(void)
{
}

static void soft_dirty_end(void)
{
	close(clear_refs);
	close(pagemap);
	anon_end();
}

/* ---- PAGEMAP_SCAN ---- */

static int uffd = -1;

static void scan_collect(void)
{
	static struct page_region regions[4096];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)at,
		.end = (uintptr_t)at + bytes,
		.vec = (uintptr_t)regions,
		.vec_len = 4096,
		/* As libgoheap: see userlib/src/dirty_pagemap.c. */
		.category_anyof_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};

	while (arg.start < arg.end) {
		int n = ioctl(pagemap, PAGEMAP_SCAN, &arg);

		if (n < 0)
			die("PAGEMAP_SCAN: %s", strerror(errno));
		for (int k = 0; k < n; k++)
			for (uint64_t p = regions[k].start; p < regions[k].end; p += PAGE)
				mark((p - (uintptr_t)at) / PAGE);
		arg.start = arg.walk_end;
	}
}

static bool scan_begin(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED,
	};
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect wp = { .mode = UFFDIO_WRITEPROTECT_MODE_WP };

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0)
		return false;
	if (ioctl(uffd, UFFDIO_API, &api)) {
		close(uffd);
		return false;
	}
	anon_begin();
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0)
		die("pagemap: %s", strerror(errno));
	reg.range.start = (uintptr_t)at;
	reg.range.len = bytes;
	wp.range = reg.range;
	if (ioctl(uffd, UFFDIO_REGISTER, &reg) || ioctl(uffd, UFFDIO_WRITEPROTECT, &wp))
		die("userfaultfd: %s", strerror(errno));
	scan_collect();
	return true;
}

static void scan_watch(void)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)at,
		.end = (uintptr_t)at + bytes,
		.category_anyof_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};

	if (ioctl(pagemap, PAGEMAP_SCAN, &arg) < 0)
		die("PAGEMAP_SCAN: %s", strerror(errno));
}

static void scan_leave(void)
{
	struct uffdio_writeprotect wp = { .range = { (uintptr_t)at, bytes } };

	if (ioctl(uffd, UFFDIO_WRITEPROTECT, &wp))
		die("userfaultfd: %s", strerror(errno));
}

static void scan_end(void)
{
	close(uffd);
	close(pagemap);
	anon_end();
}

/* ---- mprotect ---- */

static void on_write(int sig, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & -PAGE);

	(void)sig;
	(void)context;
	if (page < at || page >= at + bytes)
		abort();
	mark((page - at) / PAGE);
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		abort();
}

static void mprotect_again(void)
{
	if (mprotect(at, bytes, PROT_READ))
		die("mprotect: %s", strerror(errno));
}

static bool mprotect_begin(void)
{
	struct sigaction sa = { .sa_sigaction = on_write, .sa_flags = SA_SIGINFO };
	FILE *f = fopen("/proc/sys/vm/max_map_count", "w");

	/* Each run of pages that are writable again is a VMA. */
	if (f) {
		fputs("1000000", f);
		fclose(f);
	}
	anon_begin();
	sigaction(SIGSEGV, &sa, NULL);
	mprotect_again();
	return true;
}

static void mprotect_leave(void)
{
	if (mprotect(at, bytes, PROT_READ | PROT_WRITE))
		die("mprotect: %s", strerror(errno));
}

static void mprotect_end(void)
{
	signal(SIGSEGV, SIG_DFL);
	anon_end();
}

static const struct method methods[] = {
	{ "goheap", goheap_begin, goheap_collect, goheap_watch, goheap_leave, goheap_end },
	{ "soft-dirty", soft_dirty_begin, soft_dirty_collect, soft_dirty_clear, soft_dirty_leave,
	  soft_dirty_end },
	{ "scan", scan_begin, scan_collect, scan_watch, scan_leave, scan_end },
	/* The handler has found them by then. */
	{ "mprotect", mprotect_begin, mprotect_again, mprotect_again, mprotect_leave,
	  mprotect_end },
};

/* Choose @n pages; `want` has their bits. */
static void choose(size_t n)
{
	static uint64_t state = 1;

	memset(want, 0, sizeof(want));
	for (size_t left = n, i = 0; i < npages; i++) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		if ((state >> 33) % (npages - i) < left) {
			order[n - left] = i;
			want[i / 64] |= 1ULL << i % 64;
			left--;
		}
	}
}

static void measure(const struct method *m, unsigned int share)
{
	int rounds = bytes > 64 * MIB ? 1 : 2;
	size_t n = npages * share / 1000;
	double writer = 0, tracker = 0;
	long taken = 0;

	if (share && !n)
		n = 1;
	for (int round = 0; round < rounds; round++) {
		uint64_t t0, t1, t2;
		long f0;

		choose(n);
		memset(found, 0, sizeof(found));
		f0 = faults();
		t0 = now();
		for (size_t i = 0; i < n; i++)
			*(volatile char *)(at + order[i] * PAGE) = 2;
		t1 = now();
		taken = faults() - f0;
		m->collect();
		t2 = now();
		if (memcmp(found, want, npages / 8))
			die("%s: %zu MiB, %u in a thousand: the reply is wrong", m->name,
			    bytes / MIB, share);
		if (!round || t1 - t0 < writer)
			writer = t1 - t0;
		if (!round || t2 - t1 < tracker)
			tracker = t2 - t1;
	}
	printf("dirty\t%s\t%zu\t%u\t%.1f\t%.1f\t%ld\n", m->name, bytes / MIB, share,
	       n ? writer / n : 0, tracker / npages, taken);
	fflush(stdout);
}

/* Every page is written before the window, and some were reported in it. */
static void measure_window(const struct method *m)
{
	int rounds = bytes > 64 * MIB ? 1 : 2;
	double begin = 0, end = 0;

	for (int round = 0; round < rounds; round++) {
		uint64_t t0, t1;

		m->leave();
		populate();
		t0 = now();
		m->watch();
		t1 = now();
		if (!round || t1 - t0 < begin)
			begin = t1 - t0;
		for (size_t i = 0; i < npages; i += 10)
			*(volatile char *)(at + i * PAGE) = 2;
		memset(found, 0, sizeof(found));
		m->collect();
		t0 = now();
		m->leave();
		t1 = now();
		if (!round || t1 - t0 < end)
			end = t1 - t0;
	}
	printf("window\t%s\t%zu\t%.1f\t%.1f\n", m->name, bytes / MIB, begin / npages,
	       end / npages);
	fflush(stdout);
}

static int usage_error(const char *what)
{
	fprintf(stderr, "dirty: %s (see dirty --help)\n", what);
	return 2;
}

int main(int argc, char **argv)
{
	static const unsigned int shares[] = { 0, 1, 10, 100, 1000 };
	unsigned long sizes[16];
	int nr_sizes = 0;

	for (int i = 1; i < argc; i++) {
		char *end;

		if (!strcmp(argv[i], "--help")) {
			puts("usage: dirty MIB...\n"
			     "Costs of finding the pages that were written in heaps of these sizes.");
			return 0;
		}
		sizes[nr_sizes] = strtoul(argv[i], &end, 10);
		if (*end || !sizes[nr_sizes] || sizes[nr_sizes] * MIB / PAGE > MAX_PAGES ||
		    sizes[nr_sizes] % 4)
			return usage_error("sizes are multiples of 4 MiB, up to 4096");
		if (++nr_sizes == 16)
			return usage_error("at most 15 sizes");
	}
	if (!nr_sizes)
		return usage_error("no size given");
	/* Faults and page tables of our own are not to be measured. */
	memset(found, 1, sizeof(found));
	memset(want, 1, sizeof(want));
	memset(order, 1, sizeof(order));
	for (int k = 0; k < nr_sizes; k++) {
		bytes = sizes[k] * MIB;
		npages = bytes / PAGE;
		for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
			const struct method *m = &methods[i];

			if (!m->begin()) {
				fprintf(stderr, "dirty: %s is not to be had here\n", m->name);
				continue;
			}
			for (size_t j = 0; j < sizeof(shares) / sizeof(shares[0]); j++)
				measure(m, shares[j]);
			measure_window(m);
			m->end();
		}
	}
	return 0;
}
