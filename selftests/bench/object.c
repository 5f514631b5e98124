// SPDX-License-Identifier: GPL-2.0
/*
 * What an object costs, per size class, and what a collection costs.
 *
 * Single allocations are timed with the processor's own counter, which under
 * `selftests/vm/run --insns` counts instructions exactly, and natively counts
 * cycles (so there only ratios mean something).  The cost of an empty pair of
 * readings is subtracted.  With collection switched off, and one size at a
 * time, the timings fall into two groups: those served from what the thread
 * already holds (a hit) and those that had to fetch a span first (a refill).
 * Every timing above twice the lowest and 64 more is counted as a refill.
 *
 *	hit	mean of the hits; the slower hits are in it
 *	refill	median of the refills; no row where no refill was seen.  (In a
 *		class whose span holds one object every allocation is a refill
 *		and there is only the row `hit`.)
 *	mean	a plain loop on the thread's clock, refills and all, without
 *		any timing inside
 *	pair	allocate and free, in turn (plain malloc only)
 *	swept	as mean, after a collection of the same objects: sweeping and
 *		clearing are in it, collecting is not
 *
 * `object collect KIND` builds live structures of 16 and of 64 MiB and reports
 * the slope between their collections: processor time of all threads for each
 * live MiB, and what a collection costs with (nearly) nothing live.
 *
 * Output as that of kernel.c: row NAME UNIT LOWEST MEDIAN HIGHEST REPEATS 0
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "heap.h"

#define MAX_SAMPLES	16384
#define MIB		(1UL << 20)

static uint32_t samples[MAX_SAMPLES];
static uint64_t counter_cost, clock_cost;
static void *volatile sink;

static void die(const char *what)
{
	fprintf(stderr, "object: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline uint64_t counter(void)
{
	uint64_t t;

	__asm__ volatile("" ::: "memory");
	t = __rdtsc();
	__asm__ volatile("" ::: "memory");
	return t;
}

static void measure_clocks(void)
{
	counter_cost = clock_cost = ~0ULL;
	for (int i = 0; i < 1000; i++) {
		uint64_t t = counter();

		t = counter() - t;
		if (t < counter_cost)
			counter_cost = t;
		t = now(CLOCK_THREAD_CPUTIME_ID);
		t = now(CLOCK_THREAD_CPUTIME_ID) - t;
		if (t < clock_cost)
			clock_cost = t;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int by_sample(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_row(const char *name, size_t size, const char *kind, const char *unit,
		      double *v, int n)
{
	if (!n)
		return;
	qsort(v, n, sizeof(v[0]), by_value);
	printf("row\t%s", name);
	if (size)
		printf(".%zu", size);
	if (kind)
		printf(".%s", kind);
	printf("\t%s\t%.1f\t%.1f\t%.1f\t%d\t0\n", unit, v[0], v[n / 2], v[n - 1], n);
}

/* ---- allocation ---- */

static inline __attribute__((always_inline)) void *alloc(size_t size, bool noscan)
{
	void *p = noscan ? heap_alloc_noscan(size) : heap_alloc(size);

	if (!p)
		die("allocation");
	return p;
}

/* Enough to see several spans of the class, little enough for a small guest. */
static int nr_objects(size_t size)
{
	size_t n = MIB / 2 / size;

	return n > MAX_SAMPLES ? MAX_SAMPLES : n < 32 ? 32 : n;
}

struct split {
	double hit;
	double refill;
	bool refills;
};

/* Nothing but the call between the two readings. */
static inline __attribute__((always_inline)) void take_samples(size_t size, bool noscan, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t t = counter();
		void *p = noscan ? heap_alloc_noscan(size) : heap_alloc(size);

		t = counter() - t;
		if (!p)
			die("allocation");
		sink = p;
		samples[i] = t > counter_cost ? t - counter_cost : 0;
	}
}

static struct split sample_class(size_t size, bool noscan)
{
	int n = nr_objects(size), hits;
	struct split s = {};
	double sum = 0;
	uint32_t edge;

	if (noscan)
		take_samples(size, true, n);
	else
		take_samples(size, false, n);
	qsort(samples, n, sizeof(samples[0]), by_sample);
	edge = 2 * samples[0] + 64;
	for (hits = 0; hits < n && samples[hits] <= edge; hits++)
		sum += samples[hits];
	s.hit = sum / hits;
	s.refills = hits < n;
	if (s.refills)
		s.refill = samples[hits + (n - hits) / 2];
	return s;
}

static double mean_class(size_t size, bool noscan)
{
	int n = nr_objects(size);
	uint64_t t = now(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < n; i++)
		sink = alloc(size, noscan);
	return (double)(now(CLOCK_THREAD_CPUTIME_ID) - t - clock_cost) / n;
}

static double pair_class(size_t size, bool noscan)
{
	int n = nr_objects(size);
	uint64_t t = now(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < n; i++) {
		void *p = alloc(size, noscan);

		sink = p;
		heap_free(p);
	}
	return (double)(now(CLOCK_THREAD_CPUTIME_ID) - t - clock_cost) / n;
}

static void run_class(size_t size, bool noscan, int repeats)
{
	const char *kind = noscan ? "noscan" : "scan";
	double hit[repeats], refill[repeats], mean[repeats], pair[repeats];
	int refills = 0;

	sample_class(size, noscan);
	for (int i = 0; i < repeats; i++) {
		struct split s = sample_class(size, noscan);

		hit[i] = s.hit;
		if (s.refills)
			refill[refills++] = s.refill;
		mean[i] = mean_class(size, noscan);
		if (!HEAP_COLLECTS)
			pair[i] = pair_class(size, noscan);
	}
	print_row("hit", size, kind, "object", hit, repeats);
	print_row("refill", size, kind, "refill", refill, refills);
	print_row("mean", size, kind, "object", mean, repeats);
	if (!HEAP_COLLECTS)
		print_row("pair", size, kind, "object", pair, repeats);
}

static void run_swept(size_t size, bool noscan, int repeats)
{
	double v[repeats];

	for (int i = 0; i < repeats; i++) {
		mean_class(size, noscan);
		sink = NULL;
		heap_collect();
		v[i] = mean_class(size, noscan);
	}
	print_row("swept", size, noscan ? "noscan" : "scan", "object", v, repeats);
}

static int run_classes(const char *sizes, int repeats)
{
	heap_stop_collecting();
	memset(samples, 1, sizeof(samples));
	for (const char *p = sizes; *p; p += *p == ',') {
		char *rest;
		size_t size = strtoul(p, &rest, 10);

		if (rest == p || !size || size > MIB || (*rest && *rest != ',')) {
			fprintf(stderr, "object: bad sizes: %s\n", sizes);
			return 2;
		}
		run_class(size, false, repeats);
		run_class(size, true, repeats);
		fflush(stdout);
		p = rest;
	}
	if (!HEAP_COLLECTS)
		return 0;
	for (size_t size = 16; size <= 8192; size *= 8) {
		run_swept(size, false, repeats);
		run_swept(size, true, repeats);
	}
	return 0;
}

#ifdef HEAP_GOHEAP
/* The classes as the library shows them: sizes that it rounds nothing up to. */
static void print_classes(void)
{
	const char *comma = "";

	for (size_t size = 1; size <= 32768;) {
		size = goheap_usable_size(goheap_alloc(size));
		if (size > 32768)
			break;
		printf("%s%zu", comma, size);
		comma = ",";
		size++;
	}
	putchar('\n');
}
#endif

/* ---- collection ---- */

struct node {
	struct node *a, *b;
	uint64_t payload[6];
};

struct blob {
	struct blob *next;
	void *data;
};

static void *root;

/* Each adds @bytes of live objects to what hangs on the root. */
static void grow_list(size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(struct node); i++) {
		struct node *n = alloc(sizeof(*n), false);

		n->a = root;
		root = n;
	}
}

static struct node *tree(size_t nodes)
{
	struct node *n;

	if (!nodes)
		return NULL;
	n = alloc(sizeof(*n), false);
	n->a = tree((nodes - 1) / 2);
	n->b = tree(nodes - 1 - (nodes - 1) / 2);
	return n;
}

static void grow_tree(size_t bytes)
{
	struct node *n = alloc(sizeof(*n), false);

	n->a = tree(bytes / sizeof(*n));
	n->b = root;
	root = n;
}

static void grow_noscan(size_t bytes)
{
	for (size_t i = 0; i < bytes / 1024; i++) {
		struct blob *b = alloc(sizeof(*b), false);

		b->data = alloc(1024, true);
		b->next = root;
		root = b;
	}
}

static double collect(void)
{
	uint64_t t = now(CLOCK_PROCESS_CPUTIME_ID);

	heap_collect();
	return now(CLOCK_PROCESS_CPUTIME_ID) - t;
}

static int run_collect(const char *kind, int repeats)
{
	static const struct {
		const char *kind;
		void (*grow)(size_t bytes);
	} kinds[] = {
		{ "list", grow_list },
		{ "tree", grow_tree },
		{ "noscan", grow_noscan },
	};
	double empty[repeats], small[repeats], slope[repeats];
	void (*grow)(size_t bytes) = NULL;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kind, kinds[i].kind))
			grow = kinds[i].grow;
	if (!grow || !HEAP_COLLECTS) {
		fprintf(stderr, "object: nothing to collect: %s\n", kind);
		return 2;
	}
	heap_stop_collecting();
	for (int i = 0; i < repeats + 1; i++)
		empty[i ? i - 1 : 0] = collect();
	grow(16 * MIB);
	for (int i = 0; i < repeats + 1; i++)
		small[i ? i - 1 : 0] = collect();
	grow(48 * MIB);
	for (int i = 0; i < repeats + 1; i++)
		slope[i ? i - 1 : 0] = (collect() - small[i ? i - 1 : 0]) / 48;
	print_row("collect.empty", 0, kind, "collection", empty, repeats);
	print_row("collect.mib", 0, kind, "MiB", slope, repeats);
	return 0;
}

static int usage_error(const char *what)
{
	fprintf(stderr, "object: %s (see object --help)\n", what);
	return 2;
}

int main(int argc, char **argv)
{
	int repeats = 3, i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--help")) {
			puts("usage: object [--repeats N] classes SIZE,...\n"
			     "       object [--repeats N] collect list|tree|noscan\n"
			     "       object list-classes\n"
			     "Costs of objects and collections on " HEAP_NAME ".");
			return 0;
		} else if (!strcmp(argv[i], "--repeats") && i + 1 < argc) {
			repeats = atoi(argv[++i]);
		} else {
			return usage_error(argv[i]);
		}
	}
	if (repeats < 1 || repeats > 100)
		return usage_error("--repeats is 1 to 100");
	heap_init();
	measure_clocks();
#ifdef HEAP_GOHEAP
	if (argc - i == 1 && !strcmp(argv[i], "list-classes")) {
		print_classes();
		return 0;
	}
#endif
	if (argc - i == 2 && !strcmp(argv[i], "classes"))
		return run_classes(argv[i + 1], repeats);
	if (argc - i == 2 && !strcmp(argv[i], "collect"))
		return run_collect(argv[i + 1], repeats);
	return usage_error("what is to be measured?");
}
