// SPDX-License-Identifier: GPL-2.0
/*
 * What placing a span costs, in a small heap and in a large one, under each
 * policy: the page allocator (module/palloc.c) alone, in user space.
 *
 * A heap is filled with spans of 1 to 16 pages and then every second span, by
 * lot, is freed: half full, with holes of all lengths everywhere.  Two ways to
 * use it are measured:
 *
 *	pair	a span is allocated and the same one freed
 *	churn	a span of 1 to 16 pages is allocated and some other one, by lot, is
 *		freed: every operation is in another chunk, nothing is at hand
 *
 * The unit is nanoseconds of processor time, which are instructions in a guest
 * started with `selftests/vm/run --insns`; as in kernel.c, and so is the output:
 *	row NAME UNIT LOWEST MEDIAN HIGHEST REPEATS FAULTS
 * NAME is place.POLICY.WAY.CHUNKS, or place.metadata.CHUNKS, the bytes that the
 * page allocator itself takes of each 100 MiB managed; place.switch.CHUNKS is
 * what turning best fit on costs, a chunk.
 *
 * Usage: palloc-cost [--repeats N] [--operations N] [CHUNKS...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <palloc.h>

#define MAX_REPEATS	100
#define LONGEST		16

struct span {
	uint32_t page, npages;
};

struct heap {
	struct palloc p;
	struct span *span;
	size_t spans;
};

static size_t table_bytes;
static unsigned long operations = 20000;
static int repeats = 3;
static uint64_t seed;

static void *table_zalloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p) {
		fputs("palloc-cost: out of memory\n", stderr);
		exit(1);
	}
	table_bytes += bytes;
	return p;
}

static void table_free(void *p, size_t bytes)
{
	table_bytes -= bytes;
	free(p);
}

static const struct palloc_ops ops = { .zalloc = table_zalloc, .free = table_free };

static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % below;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void span_add(struct heap *h, uint64_t page, uint32_t npages)
{
	h->span[h->spans].page = page;
	h->span[h->spans++].npages = npages;
}

/* Takes one span, by lot, out of the list. */
static struct span span_take(struct heap *h)
{
	uint32_t i = rnd(h->spans);
	struct span s = h->span[i];

	h->span[i] = h->span[--h->spans];
	return s;
}

static void heap_make(struct heap *h, uint64_t chunks)
{
	uint64_t pages = chunks * PALLOC_CHUNK_PAGES, i, page;
	uint32_t n;

	seed = 0x9e3779b97f4a7c15ULL;
	h->spans = 0;
	h->span = malloc(pages * sizeof(*h->span));
	if (!h->span || palloc_init(&h->p, chunks, &ops)) {
		fputs("palloc-cost: out of memory\n", stderr);
		exit(1);
	}
	for (i = 0; i < chunks; i++) {
		if (palloc_wants_block(&h->p, i))
			palloc_add_block(&h->p, table_zalloc(palloc_block_bytes()));
		palloc_add_chunk(&h->p, table_zalloc(sizeof(struct palloc_chunk)));
	}
	for (;;) {
		n = 1 + rnd(LONGEST);
		page = palloc_alloc(&h->p, n);
		if (page == PALLOC_NONE)
			break;
		palloc_clear_released(&h->p, page, n);
		span_add(h, page, n);
	}
	/* The memory is there; what is left at the end stays released. */
	while (h->p.nr_used > pages / 2) {
		struct span s = span_take(h);

		palloc_free(&h->p, s.page, s.npages);
	}
	palloc_flush(&h->p);
}

static void heap_destroy(struct heap *h)
{
	uint64_t i;

	for (i = 0; i < h->p.nr_chunks; i++)
		table_free(palloc_chunk(&h->p, i), sizeof(struct palloc_chunk));
	palloc_destroy(&h->p);
	free(h->span);
}

static uint64_t must_alloc(struct heap *h, uint32_t npages)
{
	uint64_t page = palloc_alloc(&h->p, npages);

	if (page == PALLOC_NONE) {
		fputs("palloc-cost: a heap that is half full has no room\n", stderr);
		exit(1);
	}
	return page;
}

static void run_pair(struct heap *h)
{
	for (unsigned long i = 0; i < operations; i++) {
		uint32_t n = 1 + i % LONGEST;

		palloc_free(&h->p, must_alloc(h, n), n);
	}
}

static void run_churn(struct heap *h)
{
	for (unsigned long i = 0; i < operations; i++) {
		struct span s = span_take(h);
		uint32_t n = 1 + rnd(LONGEST);

		palloc_free(&h->p, s.page, s.npages);
		span_add(h, must_alloc(h, n), n);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_row(const char *policy, const char *way, uint64_t chunks, const char *unit,
		      double *value, int n)
{
	qsort(value, n, sizeof(*value), by_value);
	printf("row\tplace.%s%s%s.%llu\t%s\t%.2f\t%.2f\t%.2f\t%d\t0\n", policy, *way ? "." : "",
	       way, (unsigned long long)chunks, unit, value[0], value[n / 2], value[n - 1], n);
	fflush(stdout);
}

static void measure(uint64_t chunks)
{
	static const struct {
		const char *name;
		void (*run)(struct heap *h);
	} way[] = { { "pair", run_pair }, { "churn", run_churn } };
	static const struct {
		const char *name;
		enum palloc_policy policy;
	} policy[] = { { "first", PALLOC_FIRST_FIT }, { "best", PALLOC_BEST_FIT } };
	double value[MAX_REPEATS], turn[MAX_REPEATS];
	uint64_t t;
	struct heap h;

	for (size_t p = 0; p < 2; p++) {
		heap_make(&h, chunks);
		for (int r = 0; p && r < repeats; r++) {
			palloc_set_policy(&h.p, PALLOC_FIRST_FIT);
			t = now();
			palloc_set_policy(&h.p, PALLOC_BEST_FIT);
			turn[r] = (double)(now() - t) / chunks;
		}
		palloc_set_policy(&h.p, policy[p].policy);
		for (size_t w = 0; w < 2; w++) {
			way[w].run(&h);
			for (int r = 0; r < repeats; r++) {
				t = now();
				way[w].run(&h);
				value[r] = (double)(now() - t) / operations;
			}
			print_row(policy[p].name, way[w].name, chunks, "pair", value, repeats);
		}
		if (p) {
			print_row("switch", "", chunks, "chunk", turn, repeats);
			value[0] = (double)table_bytes / (chunks * 4) * 100;
			print_row("metadata", "", chunks, "100MiB", value, 1);
		}
		heap_destroy(&h);
	}
}

static int bad_usage(void)
{
	fputs("usage: palloc-cost [--repeats 1-100] [--operations N] [CHUNKS...]\n", stderr);
	return 2;
}

static unsigned long count(const char *text, unsigned long most)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	return errno || end == text || *end || n > most ? 0 : n;
}

int main(int argc, char **argv)
{
	static const uint64_t standard[] = { 10, 16000 };
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i += 2) {
		if (i + 1 == argc)
			return bad_usage();
		if (!strcmp(argv[i], "--repeats")) {
			repeats = count(argv[i + 1], MAX_REPEATS);
			if (!repeats)
				return bad_usage();
		} else if (!strcmp(argv[i], "--operations")) {
			operations = count(argv[i + 1], 1000000000);
			if (!operations)
				return bad_usage();
		} else {
			return bad_usage();
		}
	}
	for (int k = i; k < argc; k++)
		if (!count(argv[k], 100000))
			return bad_usage();
	if (i == argc)
		for (size_t k = 0; k < 2; k++)
			measure(standard[k]);
	for (; i < argc; i++)
		measure(count(argv[i], 100000));
	return 0;
}
