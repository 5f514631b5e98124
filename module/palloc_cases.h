/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Test cases for the page allocator, for KUnit (palloc_kunit.c) and for user
 * space (userlib/tests/test-palloc.c): each file includes this once and runs
 * the table at the end.
 *
 * Named cases fix one rule each.  The random runs compare every answer with an
 * oracle that keeps one byte a page and searches it byte by byte, and now and
 * then every summary, bit and counter with what the bytes say.
 */
#ifndef _GOHEAP_PALLOC_CASES_H
#define _GOHEAP_PALLOC_CASES_H

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "palloc.h"

/**
 * struct palloc_test - one run of one case
 * @fail: called when an expectation does not hold
 * @relax: called now and then in long cases, or NULL
 * @ops: where all memory comes from
 * @failures: expectations that did not hold
 * @ops_scale: operations of all random runs together, thousands
 * @input: if not NULL, bytes that the random runs' decisions are read from
 * @input_end: end of them, and of the run
 * @priv: for @fail
 */
struct palloc_test {
	void (*fail)(struct palloc_test *t, const char *what, int line);
	void (*relax)(void);
	const struct palloc_ops *ops;
	unsigned int failures;
	unsigned int ops_scale;
	const u8 *input, *input_end;
	void *priv;
};

/* Says so and goes on; after the first few failures of a case, no more is said. */
static bool palloc_expect_(struct palloc_test *t, bool holds, const char *what, int line)
{
	if (!holds && t->failures++ < 5)
		t->fail(t, what, line);
	return holds;
}

#define PALLOC_EXPECT(t, cond)	palloc_expect_(t, !!(cond), #cond, __LINE__)

/* An arena without memory behind it. */
struct palloc_heap {
	struct palloc_test *t;
	struct palloc p;
};

static bool heap_init(struct palloc_heap *h, struct palloc_test *t, u64 max_chunks)
{
	h->t = t;
	return PALLOC_EXPECT(t, palloc_init(&h->p, max_chunks, t->ops) == 0);
}

/* Grows by @chunks; blocks are brought as a caller would: counted beforehand. */
static bool heap_grow(struct palloc_heap *h, u64 chunks)
{
	u64 first = h->p.nr_chunks, i;

	for (i = first; i < first + chunks; i++) {
		if (palloc_wants_block(&h->p, i)) {
			void *block = h->t->ops->zalloc(palloc_block_bytes());

			if (!PALLOC_EXPECT(h->t, block))
				return false;
			palloc_add_block(&h->p, block);
		}
	}
	for (i = first; i < first + chunks; i++) {
		struct palloc_chunk *chunk = h->t->ops->zalloc(sizeof(*chunk));

		if (!PALLOC_EXPECT(h->t, chunk))
			return false;
		PALLOC_EXPECT(h->t, !palloc_wants_block(&h->p, i));
		palloc_add_chunk(&h->p, chunk);
		PALLOC_EXPECT(h->t, palloc_chunk(&h->p, i) == chunk);
	}
	return true;
}

static void heap_destroy(struct palloc_heap *h)
{
	u64 i;

	for (i = 0; i < h->p.nr_chunks; i++)
		h->t->ops->free(palloc_chunk(&h->p, i), sizeof(struct palloc_chunk));
	palloc_destroy(&h->p);
}

static bool retained_is(struct palloc_heap *h, u64 below, u64 max, u64 page, u64 npages)
{
	u64 got, n;

	return palloc_find_retained(&h->p, below, max, &got, &n) && got == page && n == npages;
}

/* Limits of the length, and failure to get memory. */
static void *no_zalloc(size_t bytes)
{
	return NULL;
}

static void no_free(void *p, size_t bytes)
{
}

static void case_init(struct palloc_test *t)
{
	static const struct palloc_ops none = { .zalloc = no_zalloc, .free = no_free };
	struct palloc p;

	PALLOC_EXPECT(t, palloc_init(&p, 0, t->ops) == -EINVAL);
	PALLOC_EXPECT(t, palloc_init(&p, PALLOC_MAX_CHUNKS + 1ULL, t->ops) == -EINVAL);
	PALLOC_EXPECT(t, palloc_init(&p, 1ULL << 63, t->ops) == -EINVAL);
	PALLOC_EXPECT(t, palloc_init(&p, 1, &none) == -ENOMEM);
	palloc_destroy(&p);
	PALLOC_EXPECT(t, palloc_init(&p, PALLOC_MAX_CHUNKS, t->ops) == 0);
	PALLOC_EXPECT(t, p.max_chunks == PALLOC_MAX_CHUNKS && !p.nr_chunks);
	PALLOC_EXPECT(t, p.top_level == PALLOC_BLOCK_LEVEL + PALLOC_TOP_LEVELS - 1);
	palloc_destroy(&p);
	PALLOC_EXPECT(t, !p.nr_chunks && !p.tables);
}

/* An arena without a chunk answers every question with "none". */
static void case_empty(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 page, n;

	if (!heap_init(&h, t, 3))
		return;
	PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
	PALLOC_EXPECT(t, palloc_span_pages(&h.p, 0) == 0);
	PALLOC_EXPECT(t, !palloc_find_retained(&h.p, PALLOC_NONE, 1, &page, &n));
	PALLOC_EXPECT(t, !palloc_chunk(&h.p, 0));
	PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 0) == 0);
	PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 1) == 1);
	PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 513) == 2);
	PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 1536) == 3);
	PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 1537) == PALLOC_NONE);
	PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, PALLOC_NONE) == PALLOC_NONE);
	palloc_flush(&h.p);
	heap_destroy(&h);
}

/* Lengths that cannot be served change nothing. */
static void case_bad_lengths(struct palloc_test *t)
{
	static const u64 bad[] = { 0, 1025, 1ULL << 31, 1ULL << 32, 1ULL << 63, ~0ULL };
	struct palloc_heap h;
	unsigned int i;

	if (!heap_init(&h, t, 2))
		return;
	if (heap_grow(&h, 2)) {
		for (i = 0; i < ARRAY_SIZE(bad); i++)
			PALLOC_EXPECT(t, palloc_alloc(&h.p, bad[i]) == PALLOC_NONE);
		PALLOC_EXPECT(t, h.p.nr_used == 0 && h.p.nr_released == 1024);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1024) == 0);
	}
	heap_destroy(&h);
}

/* The lowest hole that is long enough is taken, not the first one freed. */
static void case_first_fit(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 at[8], i;

	if (!heap_init(&h, t, 2))
		return;
	if (heap_grow(&h, 1)) {
		for (i = 0; i < 8; i++) {
			at[i] = palloc_alloc(&h.p, i + 1);
			PALLOC_EXPECT(t, at[i] == i * (i + 1) / 2);
		}
		palloc_free(&h.p, at[6], 7);
		palloc_free(&h.p, at[4], 5);
		palloc_free(&h.p, at[2], 3);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 6) == at[6]);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 4) == at[4]);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == at[2]);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 36);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == at[2] + 2);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == at[4] + 4);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == at[6] + 6);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 38);
	}
	heap_destroy(&h);
}

/* The shortest hole that is long enough, and the lowest of equals. */
static void case_best_fit(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 at[9], i;

	if (!heap_init(&h, t, 2))
		return;
	palloc_set_policy(&h.p, PALLOC_BEST_FIT);
	if (heap_grow(&h, 1)) {
		for (i = 1; i < 9; i++) {
			at[i] = palloc_alloc(&h.p, i);
			PALLOC_EXPECT(t, at[i] == i * (i - 1) / 2);
		}
		/* 36 to 511 are free; holes of 7, 5, 3 and once more 3 pages. */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 3) == 36);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 39);
		palloc_free(&h.p, at[7], 7);
		palloc_free(&h.p, at[5], 5);
		palloc_free(&h.p, at[3], 3);
		palloc_free(&h.p, 36, 3);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 6) == at[7]);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == at[7] + 6);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == at[3]);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 36);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == at[3] + 2);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 3) == at[5]);
		/* Two pages and one page are left, and all above 40. */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 38);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == at[5] + 3);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 40);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 471) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 470) == 42);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == at[5] + 4);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 0) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, ~0ULL) == PALLOC_NONE);
	}
	heap_destroy(&h);
}

/* A run counts as long as it is, whatever chunks it crosses; and in every block. */
static void case_best_fit_crossing(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 last = 1030 * PALLOC_CHUNK_PAGES;

	if (!heap_init(&h, t, 1031))
		return;
	if (heap_grow(&h, 1031)) {
		PALLOC_EXPECT(t, palloc_alloc(&h.p, last + 512) == 0);
		palloc_set_policy(&h.p, PALLOC_BEST_FIT);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
		palloc_free(&h.p, 0, last + 512);
		/* Runs of 520, 515, 515, 20, 12 and 11; they begin in other orders. */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 500) == 0);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 520) == 500);	/* two chunks */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 509) == 1020);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 20) == 1529);	/* its end, and on */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 3) == 1549);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 511 * 512 - 1552 + 509) == 1552);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 515) == 512 * 512 - 3);	/* two blocks */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 88) == 513 * 512);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 515) == 513 * 512 + 88);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 397) == 514 * 512 + 91);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 12) == 515 * 512 - 24);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 515 * 512 - 12);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 11) == 515 * 512 - 11);	/* to its end */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, last - 514 * 512) == 515 * 512);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);

		palloc_free(&h.p, 515 * 512 - 24, 12);
		palloc_free(&h.p, 1529, 20);
		palloc_free(&h.p, 515 * 512 - 11, 11);
		palloc_free(&h.p, 500, 520);
		palloc_free(&h.p, 513 * 512 + 88, 515);
		palloc_free(&h.p, 512 * 512 - 3, 515);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 520) == 0);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 521) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 521) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 513) == 512 * 512 - 3);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 514) == 513 * 512 + 88);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 400) == 500);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 13) == 1529);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 11) == 515 * 512 - 11);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 10) == 515 * 512 - 24);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 7) == 1542);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 512 * 512 + 510);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 515 * 512 - 14);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 514 * 512 + 90);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 120) == 900);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
	}
	heap_destroy(&h);
}

/* The same request before and after a change of policy, and of the heap between. */
static void case_switching(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 at;

	if (!heap_init(&h, t, 20))
		return;
	if (heap_grow(&h, 10)) {
		PALLOC_EXPECT(t, h.p.policy == PALLOC_FIRST_FIT);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 30) == 0);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 30);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 10) == 31);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 41);
		palloc_free(&h.p, 0, 30);
		palloc_free(&h.p, 31, 10);
		palloc_set_policy(&h.p, PALLOC_BEST_FIT);
		at = palloc_alloc(&h.p, 5);
		PALLOC_EXPECT(t, at == 31);
		palloc_free(&h.p, at, 5);
		palloc_set_policy(&h.p, PALLOC_FIRST_FIT);
		at = palloc_alloc(&h.p, 5);
		PALLOC_EXPECT(t, at == 0);
		/* What happens under first fit is known afterwards. */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 22) == 5);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 9 * 512) == 42);
		if (heap_grow(&h, 10))
			palloc_set_policy(&h.p, PALLOC_BEST_FIT);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 27);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 31);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 29);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 9) == 42 + 9 * 512);
	}
	heap_destroy(&h);
}

/* Copies of chunks with a span across them, in all three states of a page. */
static void case_adopt(struct palloc_test *t)
{
	struct palloc_heap h, copy;
	u64 i;

	if (!heap_init(&h, t, 5))
		return;
	if (!heap_init(&copy, t, 5)) {
		heap_destroy(&h);
		return;
	}
	if (heap_grow(&h, 3) && heap_grow(&copy, 3)) {
		/* The copy's own descriptors, filled in and adopted anew. */
		struct palloc_chunk *chunk[3];

		for (i = 0; i < 3; i++)
			chunk[i] = palloc_chunk(&copy.p, i);
		palloc_destroy(&copy.p);
		if (!heap_init(&copy, t, 5))
			goto out;
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 10) == 0);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 800) == 10);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 810);
		palloc_clear_released(&h.p, 0, 900);
		palloc_free(&h.p, 0, 10);
		palloc_free(&h.p, 810, 1);
		for (i = 0; i < 3; i++) {
			if (palloc_wants_block(&copy.p, i))
				palloc_add_block(&copy.p, t->ops->zalloc(palloc_block_bytes()));
			*chunk[i] = *palloc_chunk(&h.p, i);
			palloc_adopt_chunk(&copy.p, chunk[i]);
			PALLOC_EXPECT(t, palloc_chunk(&copy.p, i) == chunk[i]);
		}
		PALLOC_EXPECT(t, copy.p.nr_chunks == 3 && copy.p.nr_used == 800);
		PALLOC_EXPECT(t, copy.p.nr_released == 1536 - 900);
		PALLOC_EXPECT(t, palloc_span_pages(&copy.p, 10) == 800);
		PALLOC_EXPECT(t, palloc_span_pages(&copy.p, 0) == 0);
		PALLOC_EXPECT(t, retained_is(&copy, PALLOC_NONE, ~0ULL, 810, 90));
		PALLOC_EXPECT(t, retained_is(&copy, 810, ~0ULL, 0, 10));
		PALLOC_EXPECT(t, palloc_chunks_needed(&copy.p, 726) == 0);
		PALLOC_EXPECT(t, palloc_chunks_needed(&copy.p, 727) == 1);
		PALLOC_EXPECT(t, palloc_alloc(&copy.p, 11) == 810);
		PALLOC_EXPECT(t, palloc_alloc(&copy.p, 10) == 0);
		palloc_free(&copy.p, 10, 800);
		/* The one copied from is as it was. */
		PALLOC_EXPECT(t, h.p.nr_used == 800 && palloc_span_pages(&h.p, 10) == 800);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 10) == 0);
	}
out:
	heap_destroy(&copy);
	heap_destroy(&h);
}

/* Spans that cross the end of a word, a chunk, a node of each level, a block. */
static void case_boundaries(struct palloc_test *t)
{
	static const u16 chunks[] = { 1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 575, 576 };
	struct palloc_heap h;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		u64 edge = (u64)chunks[i] * PALLOC_CHUNK_PAGES;

		if (!heap_init(&h, t, chunks[i] + 2))
			return;
		if (heap_grow(&h, chunks[i] + 2)) {
			PALLOC_EXPECT(t, palloc_alloc(&h.p, edge - 2) == 0);
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 5) == edge - 2);
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == edge + 3);
			PALLOC_EXPECT(t, palloc_span_pages(&h.p, 0) == edge - 2);
			PALLOC_EXPECT(t, palloc_span_pages(&h.p, edge - 2) == 5);
			PALLOC_EXPECT(t, palloc_span_pages(&h.p, edge) == 0);
			palloc_free(&h.p, edge - 2, 5);
			PALLOC_EXPECT(t, palloc_span_pages(&h.p, edge - 2) == 0);
			PALLOC_EXPECT(t, palloc_span_pages(&h.p, 0) == edge - 2);
			palloc_free(&h.p, edge + 3, 1);
			/* Longer than a chunk, from before the edge. */
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 514) == edge - 2);
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 513) == PALLOC_NONE);
			palloc_free(&h.p, edge - 2, 514);
			palloc_free(&h.p, 0, edge - 2);
			PALLOC_EXPECT(t, palloc_alloc(&h.p, edge + 1024) == 0);
			PALLOC_EXPECT(t, h.p.nr_used == edge + 1024 && !h.p.nr_released);
		}
		heap_destroy(&h);
	}
}

/* One span as long as an arena whose length is a multiple of nothing. */
static void case_whole_arena(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 pages = 1101 * PALLOC_CHUNK_PAGES;

	if (!heap_init(&h, t, 1101))
		return;
	PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, pages) == 1101);
	if (heap_grow(&h, 1101)) {
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, pages) == 0);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, pages + 1) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, pages) == 0);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 0) == pages);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 1) == PALLOC_NONE);
		PALLOC_EXPECT(t, h.p.nr_used == pages && !h.p.nr_released);
		palloc_free(&h.p, 0, pages);
		PALLOC_EXPECT(t, !h.p.nr_used && h.p.nr_released == pages);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, pages - 1) == 0);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == pages - 1);
	}
	heap_destroy(&h);
}

/* A page freed below the hint is the next one allocated, wherever it is. */
static void case_hint(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 i, pages = 20 * PALLOC_CHUNK_PAGES;

	if (!heap_init(&h, t, 20))
		return;
	if (heap_grow(&h, 20)) {
		for (i = 0; i < pages; i++)
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == i);
		for (i = pages; i > 0; i -= 64)
			palloc_free(&h.p, i - 1, 1);
		for (i = 63; i < pages; i += 64)
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == i);
		/* A longer request passes the hole; a shorter one still finds it. */
		palloc_free(&h.p, 5, 1);
		palloc_free(&h.p, 1000, 1);
		palloc_free(&h.p, 1001, 1);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 1000);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 5);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
		/* It leaves a full chunk behind, also for longer requests. */
		palloc_free(&h.p, 5, 1);
		for (i = 9000; i < 9003; i++)
			palloc_free(&h.p, i, 1);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 5);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == 9000);
		PALLOC_EXPECT(t, h.p.hint == 9002);
	}
	heap_destroy(&h);
}

/*
 * A chunk's summary with one hole of each length up to two words at each place,
 * and with a hole of 61 pages, just under a word's longest inner run, below it.
 */
static void case_summaries(struct palloc_test *t)
{
	static const u8 below[] = { 0, 61 };
	struct palloc_heap h;
	unsigned int g, at, n, i;

	if (!heap_init(&h, t, 1))
		return;
	if (!heap_grow(&h, 1))
		goto out;
	for (i = 0; i < 512; i++)
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == i);
	for (g = 0; g < ARRAY_SIZE(below); g++) {
		unsigned int first = below[g];

		for (i = 0; i < first; i++)
			palloc_free(&h.p, i, 1);
		for (at = first ? first + 1 : 0; at < 512; at++) {
			for (n = 1; n <= 130 && at + n <= 512; n++) {
				struct palloc_sum *sum = &h.p.block[0]->sum[0];
				u32 start = at ? first : n;

				palloc_free(&h.p, at + n - 1, 1);
				palloc_flush(&h.p);
				PALLOC_EXPECT(t, sum->start == start);
				PALLOC_EXPECT(t, sum->max == max_t(u32, first, n));
				PALLOC_EXPECT(t, sum->end == (at + n == 512 ? n : 0));
			}
			/* The holes are filled in order of address. */
			for (i = 0; i < first; i++)
				PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == i);
			for (i = 0; i < n - 1; i++)
				PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == at + i);
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
			for (i = 0; i < first; i++)
				palloc_free(&h.p, i, 1);
			if (t->relax)
				t->relax();
		}
		for (i = 0; i < first; i++)
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == i);
	}
out:
	heap_destroy(&h);
}

/* Page by page to the end; then every second page: no run of two. */
static void case_exhaustion(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 i, pages = 9 * PALLOC_CHUNK_PAGES;

	if (!heap_init(&h, t, 9))
		return;
	if (heap_grow(&h, 9)) {
		for (i = 0; i < pages; i++)
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == i);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
		PALLOC_EXPECT(t, h.p.nr_used == pages);
		for (i = 0; i < pages; i += 2)
			palloc_free(&h.p, i, 1);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 2) == PALLOC_NONE);
		PALLOC_EXPECT(t, h.p.nr_used == pages / 2);
		palloc_free(&h.p, 4095, 1);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 4) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 3) == 4094);
		for (i = 0; i < pages; i += 2)
			if (i < 4094 || i > 4096)
				PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == i);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == PALLOC_NONE);
	}
	heap_destroy(&h);
}

/* Growth counts the free pages at the end, across every level, and no others. */
static void case_growth(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 tail = 585 * PALLOC_CHUNK_PAGES - 1;

	if (!heap_init(&h, t, 590))
		return;
	if (heap_grow(&h, 2)) {
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1000) == 0);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 24) == 0);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 25) == 1);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 536) == 1);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 537) == 2);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 537) == PALLOC_NONE);
		if (heap_grow(&h, 2))
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 537) == 1000);
		palloc_free(&h.p, 0, 1000);
		/* The 1000 free pages are not at the end; 511 are. */
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 1000) == 0);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 1023) == 1);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 1024) == 2);
		palloc_free(&h.p, 1000, 537);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 0);
		/* 585 = 512 + 64 + 8 + 1 chunks: one whole node a level. */
		if (heap_grow(&h, 581)) {
			PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, tail) == 0);
			PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, tail + 1) == 1);
			PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, tail + 5 * 512) == 5);
			PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, tail + 5 * 512 + 1) ==
					 PALLOC_NONE);
			PALLOC_EXPECT(t, palloc_alloc(&h.p, tail) == 1);
		}
	}
	heap_destroy(&h);
}

/* Blocks are asked for once each, at their first chunk. */
static void case_blocks(struct palloc_test *t)
{
	struct palloc_heap h;
	unsigned int asked = 0;
	u64 i;

	if (!heap_init(&h, t, 1100))
		return;
	for (i = 0; i < 1200; i++)
		asked += palloc_wants_block(&h.p, i);
	PALLOC_EXPECT(t, asked == 3);
	PALLOC_EXPECT(t, !palloc_wants_block(&h.p, PALLOC_NONE));
	if (heap_grow(&h, 513)) {
		PALLOC_EXPECT(t, !palloc_wants_block(&h.p, 513));
		PALLOC_EXPECT(t, palloc_wants_block(&h.p, 1024));
		PALLOC_EXPECT(t, !palloc_chunk(&h.p, 513));
		PALLOC_EXPECT(t, !palloc_chunk(&h.p, PALLOC_NONE));
	}
	heap_destroy(&h);
}

/* Any number may be asked for a span's length. */
static void case_span_pages(struct palloc_test *t)
{
	static const u64 bad[] = { 1, 2, 63, 64, 130, 511, 512, 1023, 1024, 1025, 1535, 1536,
				   1537, 262144, 1ULL << 31, 1ULL << 32, (1ULL << 32) + 3,
				   1ULL << 54, 1ULL << 55, 1ULL << 63, ~0ULL - 1, ~0ULL };
	struct palloc_heap h;
	unsigned int i;

	if (!heap_init(&h, t, 4))
		return;
	if (heap_grow(&h, 3)) {
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 0) == 0);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 3) == 0);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 60) == 3);	/* ends with a word */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 63);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 64) == 64);	/* one whole word */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 385) == 128);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1023) == 513);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 0) == 3);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 3) == 60);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 63) == 1);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 64) == 64);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 128) == 385);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 513) == 1023);	/* to the end */
		for (i = 0; i < ARRAY_SIZE(bad); i++)
			if (bad[i] != 63 && bad[i] != 64)
				PALLOC_EXPECT(t, palloc_span_pages(&h.p, bad[i]) == 0);
		palloc_free(&h.p, 63, 1);
		palloc_free(&h.p, 64, 64);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 63) == 0);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 64) == 0);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 3) == 60);
		/* Half of a hole: the rest of it ends the span. */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 10) == 63);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 63) == 10);
		PALLOC_EXPECT(t, palloc_span_pages(&h.p, 73) == 0);
	}
	heap_destroy(&h);
}

/* What each change of the bits does to the counters; used pages never count. */
static void case_counters(struct palloc_test *t)
{
	struct palloc_heap h;

	if (!heap_init(&h, t, 3))
		return;
	if (heap_grow(&h, 3)) {
		PALLOC_EXPECT(t, h.p.nr_used == 0 && h.p.nr_released == 1536);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 700) == 0);
		PALLOC_EXPECT(t, palloc_count_released(&h.p, 0, 700) == 700);
		PALLOC_EXPECT(t, h.p.nr_used == 700 && h.p.nr_released == 836);
		palloc_clear_released(&h.p, 0, 600);
		PALLOC_EXPECT(t, h.p.nr_released == 836);
		PALLOC_EXPECT(t, palloc_count_released(&h.p, 0, 700) == 100);
		PALLOC_EXPECT(t, palloc_count_released(&h.p, 500, 200) == 100);
		PALLOC_EXPECT(t, palloc_count_released(&h.p, 599, 2) == 1);
		PALLOC_EXPECT(t, palloc_count_released(&h.p, 0, 1536) == 936);
		palloc_set_released(&h.p, 0, 10);
		PALLOC_EXPECT(t, h.p.nr_released == 836);
		palloc_free(&h.p, 0, 700);
		PALLOC_EXPECT(t, h.p.nr_used == 0 && h.p.nr_released == 836 + 110);
		palloc_set_released(&h.p, 0, 20);	/* ten were already */
		PALLOC_EXPECT(t, h.p.nr_released == 836 + 120);
		palloc_clear_released(&h.p, 590, 20);	/* ten were not */
		PALLOC_EXPECT(t, h.p.nr_released == 836 + 110);
		/* Free pages keep their state through a span's life. */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 600) == 0);
		PALLOC_EXPECT(t, palloc_count_released(&h.p, 0, 600) == 20);
		PALLOC_EXPECT(t, h.p.nr_used == 600 && h.p.nr_released == 836 + 90);
		palloc_free(&h.p, 0, 600);
		PALLOC_EXPECT(t, palloc_count_released(&h.p, 0, 600) == 20);
		PALLOC_EXPECT(t, h.p.nr_released == 836 + 110);
		palloc_set_released(&h.p, 0, 1536);
		PALLOC_EXPECT(t, h.p.nr_released == 1536);
		palloc_clear_released(&h.p, 0, 1536);
		PALLOC_EXPECT(t, h.p.nr_released == 0);
	}
	heap_destroy(&h);
}

/* Highest first, cut from above, across chunks and blocks, past what is empty. */
static void case_find_retained(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 page, n, high = 1050 * PALLOC_CHUNK_PAGES;

	if (!heap_init(&h, t, 1051))
		return;
	if (heap_grow(&h, 1051)) {
		PALLOC_EXPECT(t, !palloc_find_retained(&h.p, PALLOC_NONE, ~0ULL, &page, &n));
		palloc_clear_released(&h.p, 10, 3);
		palloc_clear_released(&h.p, 500, 600);		/* three chunks */
		palloc_clear_released(&h.p, 512 * 512 - 1, 2);	/* two blocks */
		palloc_clear_released(&h.p, high + 100, 1);
		palloc_clear_released(&h.p, high + 511, 1);	/* the last page */
		PALLOC_EXPECT(t, !palloc_find_retained(&h.p, PALLOC_NONE, 0, &page, &n));
		PALLOC_EXPECT(t, !palloc_find_retained(&h.p, 0, 5, &page, &n));
		PALLOC_EXPECT(t, !palloc_find_retained(&h.p, 10, 5, &page, &n));
		PALLOC_EXPECT(t, retained_is(&h, 11, 5, 10, 1));
		PALLOC_EXPECT(t, retained_is(&h, 500, 2, 11, 2));
		PALLOC_EXPECT(t, retained_is(&h, 500, 3, 10, 3));
		PALLOC_EXPECT(t, retained_is(&h, 501, 9, 500, 1));
		PALLOC_EXPECT(t, retained_is(&h, 512 * 512 - 1, ~0ULL, 500, 600));
		PALLOC_EXPECT(t, retained_is(&h, 1100, 599, 501, 599));
		PALLOC_EXPECT(t, retained_is(&h, 1050, 1000, 500, 550));
		PALLOC_EXPECT(t, retained_is(&h, 1050, 20, 1030, 20));
		PALLOC_EXPECT(t, retained_is(&h, 512 * 512, 7, 512 * 512 - 1, 1));
		PALLOC_EXPECT(t, retained_is(&h, high + 100, 7, 512 * 512 - 1, 2));
		PALLOC_EXPECT(t, retained_is(&h, high + 101, 7, high + 100, 1));
		PALLOC_EXPECT(t, retained_is(&h, high + 511, 7, high + 100, 1));
		PALLOC_EXPECT(t, retained_is(&h, high + 512, 7, high + 511, 1));
		PALLOC_EXPECT(t, retained_is(&h, PALLOC_NONE, 7, high + 511, 1));
		palloc_set_released(&h.p, high + 511, 1);
		palloc_set_released(&h.p, high + 100, 1);
		PALLOC_EXPECT(t, retained_is(&h, PALLOC_NONE, 7, 512 * 512 - 1, 2));
		/* Used pages are not retained ones, until they are freed. */
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 513 * 512) == 0);
		PALLOC_EXPECT(t, !palloc_find_retained(&h.p, PALLOC_NONE, 7, &page, &n));
		palloc_free(&h.p, 0, 513 * 512);
		PALLOC_EXPECT(t, retained_is(&h, PALLOC_NONE, 7, 512 * 512 - 1, 2));
		palloc_set_released(&h.p, 500, 512 * 512);
		PALLOC_EXPECT(t, retained_is(&h, PALLOC_NONE, 7, 10, 3));
		palloc_set_released(&h.p, 0, 500);
		PALLOC_EXPECT(t, !palloc_find_retained(&h.p, PALLOC_NONE, 7, &page, &n));
		/* Nothing is left to look at the next time. */
		PALLOC_EXPECT(t, bitmap_empty(h.p.retained, h.p.nr_blocks));
		PALLOC_EXPECT(t, h.p.nr_released == 1051 * 512);
	}
	heap_destroy(&h);
}

/* Changes that the summaries do not know yet are seen by a search for more. */
static void case_lag(struct palloc_test *t)
{
	struct palloc_heap h;
	u64 i;

	if (!heap_init(&h, t, 12))
		return;
	if (heap_grow(&h, 12)) {
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 3 * 512) == 0);
		for (i = 0; i < 512; i++)
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == 1536 + i);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 8 * 512) == 2048);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 65) == PALLOC_NONE);
		/* A hole made page by page, seen at once. */
		for (i = 0; i < 100; i++)
			palloc_free(&h.p, 1600 + i, 1);
		PALLOC_EXPECT(t, palloc_chunks_needed(&h.p, 100) == 0);
		for (i = 0; i < 12; i++)
			palloc_free(&h.p, 1700 + i, 1);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 113) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 112) == 1600);
		/* Two chunks touched in turn. */
		palloc_free(&h.p, 0, 3 * 512);
		for (i = 0; i < 100; i++) {
			PALLOC_EXPECT(t, palloc_alloc(&h.p, 1) == i);
			palloc_free(&h.p, 2047 - (i < 100 ? i : 0), 1);
		}
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1536 - 99) == PALLOC_NONE);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 1536 - 100) == 100);
		PALLOC_EXPECT(t, palloc_alloc(&h.p, 100) == 1948);
	}
	heap_destroy(&h);
}

/* ---- random runs against the oracle ---- */

/* The shape of an arena and of what is done to it; weights are in 1/256. */
struct palloc_shape {
	u32 seed, chunks, grow_by;
	u8 filling, draining;		/* share of allocations in either phase */
	u8 w8, w64, w512, w4096;	/* lengths up to so much; the rest is 1 */
	u8 lifo;			/* share of frees that take the newest span */
	u8 backing;			/* share of spans that get memory */
	u8 scavenging;			/* share of searches for retained pages */
	u8 switching;			/* changes of policy in 8192 operations */
	u8 forking;			/* copies of everything in 8192 operations */
};

struct oracle_span {
	u32 page, npages;
};

struct oracle {
	struct palloc_heap h;
	const struct palloc_shape *shape;
	u32 pages, max_pages;
	u8 *used, *start, *released;	/* a byte a page */
	struct oracle_span *span;
	u32 spans, max_spans;
	u64 nr_used, nr_released;
	enum palloc_policy policy;
	u64 seed;
};

/* As many bytes as the answer needs; zeroes when there are no more. */
static u32 oracle_read(struct palloc_test *t, u32 below)
{
	u32 value = 0, most;

	for (most = below - 1; most; most >>= 8) {
		value <<= 8;
		if (t->input < t->input_end)
			value |= *t->input++;
	}
	return value % below;
}

static u32 oracle_rnd(struct oracle *o, u32 below)
{
	if (o->h.t->input)
		return oracle_read(o->h.t, below);
	o->seed ^= o->seed << 13;
	o->seed ^= o->seed >> 7;
	o->seed ^= o->seed << 17;
	return (u32)(o->seed >> 32) % below;
}

static bool oracle_chance(struct oracle *o, u32 of256)
{
	return oracle_rnd(o, 256) < of256;
}

static u64 oracle_first_fit(const struct oracle *o, u32 npages)
{
	u32 at = 0;

	while (at < o->pages) {
		u8 *free = memchr(o->used + at, 0, o->pages - at), *end;

		if (!free || o->pages - (free - o->used) < npages)
			return PALLOC_NONE;
		at = free - o->used;
		end = memchr(free, 1, npages);
		if (!end)
			return at;
		at = end - o->used;
	}
	return PALLOC_NONE;
}

/* Every free run is measured; only a shorter one replaces what was found. */
static u64 oracle_best_fit(const struct oracle *o, u32 npages)
{
	u64 best = PALLOC_NONE;
	u32 at = 0, shortest = ~0U;

	while (at < o->pages) {
		u8 *free = memchr(o->used + at, 0, o->pages - at), *end;
		u32 len;

		if (!free)
			break;
		end = memchr(free, 1, o->used + o->pages - free);
		len = (end ? end : o->used + o->pages) - free;
		if (len >= npages && len < shortest) {
			best = free - o->used;
			shortest = len;
			if (len == npages)
				break;
		}
		at = free - o->used + len;
	}
	return best;
}

static u64 oracle_fit(const struct oracle *o, u32 npages)
{
	return o->policy == PALLOC_BEST_FIT ? oracle_best_fit(o, npages) :
					      oracle_first_fit(o, npages);
}

static u64 oracle_needed(const struct oracle *o, u32 npages)
{
	u32 tail = 0, need;

	if (oracle_first_fit(o, npages) != PALLOC_NONE)
		return 0;
	while (tail < o->pages && !o->used[o->pages - 1 - tail])
		tail++;
	need = (npages - tail + 511) / 512;
	return o->pages / 512 + need > o->max_pages / 512 ? PALLOC_NONE : need;
}

static u64 oracle_span_pages(const struct oracle *o, u64 page)
{
	u32 n = 1;

	if (page >= o->pages || !o->start[page])
		return 0;
	while (page + n < o->pages && o->used[page + n] && !o->start[page + n])
		n++;
	return n;
}

static bool oracle_retained(const struct oracle *o, u32 page)
{
	return !o->used[page] && !o->released[page];
}

static void oracle_set(struct oracle *o, u32 page, u32 npages, u8 used, u8 start)
{
	u32 i;

	for (i = page; i < page + npages; i++) {
		o->used[i] = used;
		o->nr_released += o->released[i] ? (used ? -1 : 1) : 0;
	}
	o->start[page] = start;
	o->nr_used += used ? npages : -(u64)npages;
}

static void oracle_set_released(struct oracle *o, u32 page, u32 npages, u8 released)
{
	u32 i;

	for (i = page; i < page + npages; i++) {
		if (!o->used[i])
			o->nr_released += (u64)released - o->released[i];
		o->released[i] = released;
	}
	if (released)
		palloc_set_released(&o->h.p, page, npages);
	else
		palloc_clear_released(&o->h.p, page, npages);
}

static void oracle_grow(struct oracle *o, u64 chunks)
{
	struct palloc_test *t = o->h.t;
	u32 more = chunks * 512;

	if (!PALLOC_EXPECT(t, o->pages + more <= o->max_pages) || !heap_grow(&o->h, chunks))
		return;
	memset(o->used + o->pages, 0, more);
	memset(o->start + o->pages, 0, more);
	memset(o->released + o->pages, 1, more);
	o->pages += more;
	o->nr_released += more;
}

/* A node's summary, from the bytes. */
static struct palloc_sum oracle_sum(const struct oracle *o, u64 from, u64 npages)
{
	struct palloc_sum sum = { 0 };
	u64 i;

	for (i = from; i < from + npages; i++) {
		if (i < o->pages && !o->used[i]) {
			sum.end++;
			if (sum.end > sum.max)
				sum.max = sum.end;
			if (sum.end == i - from + 1)
				sum.start = sum.end;
		} else {
			sum.end = 0;
			if (i >= o->pages)
				break;
		}
	}
	return sum;
}

/* Best fit's index: the lengths of runs in each node, and the tree of long runs. */
static u64 oracle_check_lens(struct oracle *o)
{
	static const u8 base[] = { 0, 0, 64, 72 };
	struct palloc *p = &o->h.p;
	u64 wrong = 0, at, len, i, longer = 0;
	unsigned int level;
	u32 chunks = o->pages / 512;
	struct palloc_lens *want, none = { 0 };

	want = o->h.t->ops->zalloc(chunks * sizeof(*want));
	if (!PALLOC_EXPECT(o->h.t, want))
		return 1;

	for (at = 0; at < o->pages; at += len) {
		u32 run = 0, c = at / 512;

		for (len = 1; at + len < o->pages && o->used[at + len] == o->used[at];)
			len++;
		if (o->used[at])
			continue;
		if (len <= 512) {
			u64 bit = len - 1;

			want[c].bit[bit / BITS_PER_LONG] |= 1UL << (bit % BITS_PER_LONG);
		} else {
			run = len;
			longer++;
			wrong += palloc_chunk(p, c)->run != run;
		}
	}
	for (i = 0; i < chunks; i++)
		longer -= !!palloc_chunk(p, i)->run;
	wrong += !!longer;

	for (level = 0; level <= p->top_level; level++) {
		unsigned int shift = 3 * level, w;

		for (i = 0; i << shift < chunks; i++) {
			struct palloc_lens sum = none, *got;
			u64 c;

			for (c = i << shift; c < (i + 1) << shift && c < chunks; c++)
				for (w = 0; w < 512 / BITS_PER_LONG; w++)
					sum.bit[w] |= want[c].bit[w];
			if (!level)
				got = &palloc_chunk(p, i)->lens;
			else if (level <= 3)
				got = &p->block[i >> (9 - shift)]->lens[base[level] +
					(i & ((1U << (9 - shift)) - 1))];
			else
				got = &p->lens[level - 4][i];
			wrong += !!memcmp(got, &sum, sizeof(sum));
		}
	}
	o->h.t->ops->free(want, chunks * sizeof(*want));
	return wrong;
}

/* Everything that is stored, against the bytes. */
static void oracle_check(struct oracle *o)
{
	static const u16 base[] = { 0, 512, 576 };
	struct palloc_test *t = o->h.t;
	struct palloc *p = &o->h.p;
	u64 wrong = 0, i, pages = 512;
	unsigned int level;

	palloc_flush(p);
	PALLOC_EXPECT(t, p->dirty == PALLOC_NONE);

	for (i = 0; i < o->pages; i++) {
		struct palloc_chunk *chunk = palloc_chunk(p, i / 512);
		struct palloc_block *block = p->block[i / 512 / 512];
		unsigned int w = i % 512 / BITS_PER_LONG, b = i % BITS_PER_LONG;

		wrong += (chunk->used[w] >> b & 1) != o->used[i];
		wrong += (chunk->start[w] >> b & 1) != o->start[i];
		wrong += (chunk->released[w] >> b & 1) != o->released[i];
		wrong += i < p->hint && !o->used[i];
		if (!oracle_retained(o, i))
			continue;
		b = i / 512 % 512;
		wrong += !(block->retained[b / BITS_PER_LONG] >> (b % BITS_PER_LONG) & 1);
	}
	PALLOC_EXPECT(t, !wrong);

	for (i = 0; i < p->nr_blocks; i++) {
		bool noted = p->retained[i / BITS_PER_LONG] >> (i % BITS_PER_LONG) & 1;

		wrong += noted == !!bitmap_empty(p->block[i]->retained, 512);
	}
	PALLOC_EXPECT(t, !wrong);

	for (level = 0; level <= p->top_level; level++, pages *= 8) {
		/* One node more than there is something in, if it exists. */
		for (i = 0; i * pages <= o->pages; i++) {
			struct palloc_sum want = oracle_sum(o, i * pages, pages), *got;
			u64 per_block = 512 * 512 / pages;

			if (level >= 3) {
				if (i && i * pages >= o->max_pages)
					break;
				got = &p->top[level - 3][i];
			} else {
				if (i / per_block >= p->nr_blocks)
					break;
				got = &p->block[i / per_block]->sum[base[level] + i % per_block];
			}
			wrong += want.start != got->start || want.max != got->max ||
				 want.end != got->end;
		}
	}
	PALLOC_EXPECT(t, !wrong);
	if (o->policy == PALLOC_BEST_FIT)
		PALLOC_EXPECT(t, !oracle_check_lens(o));
}

/* The other policy; or the same again, which changes nothing. */
static void oracle_switch(struct oracle *o)
{
	o->policy = oracle_chance(o, 200) ? !o->policy : o->policy;
	palloc_set_policy(&o->h.p, o->policy);
	PALLOC_EXPECT(o->h.t, o->h.p.policy == o->policy);
}

/* Goes on with a copy of every chunk in another allocator, as a forked child does. */
static void oracle_fork(struct oracle *o)
{
	struct palloc_test *t = o->h.t;
	bool early = oracle_chance(o, 128);
	struct palloc_heap copy;
	u64 i;

	if (!heap_init(&copy, t, o->max_pages / 512))
		return;
	if (early)
		palloc_set_policy(&copy.p, o->policy);
	for (i = 0; i < o->h.p.nr_chunks; i++) {
		struct palloc_chunk *chunk = t->ops->zalloc(sizeof(*chunk));

		if (!PALLOC_EXPECT(t, chunk))
			break;
		if (palloc_wants_block(&copy.p, i)) {
			void *block = t->ops->zalloc(palloc_block_bytes());

			if (!PALLOC_EXPECT(t, block)) {
				t->ops->free(chunk, sizeof(*chunk));
				break;
			}
			palloc_add_block(&copy.p, block);
		}
		*chunk = *palloc_chunk(&o->h.p, i);
		palloc_adopt_chunk(&copy.p, chunk);
	}
	heap_destroy(&o->h);
	o->h = copy;
	if (!early)
		palloc_set_policy(&o->h.p, o->policy);
}

static u32 oracle_length(struct oracle *o)
{
	const struct palloc_shape *s = o->shape;
	u32 dice = oracle_rnd(o, 256);

	if (dice < s->w4096)
		return 1 + oracle_rnd(o, 4096);
	dice -= s->w4096;
	if (dice < s->w512)
		return 1 + oracle_rnd(o, 512);
	dice -= s->w512;
	if (dice < s->w64)
		return 1 + oracle_rnd(o, 64);
	dice -= s->w64;
	return dice < s->w8 ? 1 + oracle_rnd(o, 8) : 1;
}

static void oracle_alloc(struct oracle *o)
{
	struct palloc_test *t = o->h.t;
	struct palloc *p = &o->h.p;
	u32 n = oracle_length(o);
	u64 page = oracle_fit(o, n), need;

	/* Asked now and then only: asking flushes the summaries. */
	if (page == PALLOC_NONE || oracle_chance(o, 16)) {
		need = oracle_needed(o, n);
		PALLOC_EXPECT(t, palloc_chunks_needed(p, n) == need);
		if (need && need != PALLOC_NONE) {
			PALLOC_EXPECT(t, palloc_alloc(p, n) == PALLOC_NONE);
			oracle_grow(o, max_t(u64, need, min_t(u64, o->shape->grow_by,
							      (o->max_pages - o->pages) / 512)));
			page = oracle_fit(o, n);
		}
	}
	if (!PALLOC_EXPECT(t, palloc_alloc(p, n) == page) || page == PALLOC_NONE)
		return;
	oracle_set(o, page, n, 1, 1);
	o->span[o->spans].page = page;
	o->span[o->spans++].npages = n;
	if (oracle_chance(o, o->shape->backing))
		oracle_set_released(o, page, oracle_chance(o, 240) ? n : 1 + oracle_rnd(o, n), 0);
}

static void oracle_free(struct oracle *o)
{
	struct palloc_test *t = o->h.t;
	struct palloc *p = &o->h.p;
	u32 i = oracle_chance(o, o->shape->lifo) ? o->spans - 1 : oracle_rnd(o, o->spans);
	struct oracle_span s = o->span[i];

	PALLOC_EXPECT(t, palloc_span_pages(p, s.page) == s.npages);
	palloc_free(p, s.page, s.npages);
	oracle_set(o, s.page, s.npages, 0, 0);
	o->span[i] = o->span[--o->spans];
}

static void oracle_find_retained(struct oracle *o)
{
	struct palloc_test *t = o->h.t;
	u64 below = oracle_chance(o, 128) ? PALLOC_NONE : oracle_rnd(o, o->max_pages + 2);
	u64 max = oracle_chance(o, 64) ? PALLOC_NONE : oracle_rnd(o, 600);
	u64 page = 0, n = 0;
	u32 top = min_t(u64, below, o->pages), run = 0;
	bool found;

	while (top && !oracle_retained(o, top - 1))
		top--;
	while (run < max && run < top && oracle_retained(o, top - 1 - run))
		run++;

	found = palloc_find_retained(&o->h.p, below, max, &page, &n);
	PALLOC_EXPECT(t, found == !!run);
	if (!found || !run)
		return;
	PALLOC_EXPECT(t, page == top - run && n == run);
	if (oracle_chance(o, 160))
		oracle_set_released(o, top - run, run, 1);
}

static void oracle_look(struct oracle *o)
{
	struct palloc_test *t = o->h.t;
	u64 page = oracle_rnd(o, o->max_pages + 2), n, i, count = 0;

	PALLOC_EXPECT(t, palloc_span_pages(&o->h.p, page) == oracle_span_pages(o, page));
	if (page >= o->pages)
		return;
	n = 1 + oracle_rnd(o, min_t(u64, o->pages - page, 1500));
	for (i = page; i < page + n; i++)
		count += o->released[i];
	PALLOC_EXPECT(t, palloc_count_released(&o->h.p, page, n) == count);
	if (oracle_chance(o, 40))
		oracle_set_released(o, page, n, oracle_rnd(o, 2));
}

static void oracle_run(struct palloc_test *t, const struct palloc_shape *shape, u32 nops)
{
	struct oracle *o = t->ops->zalloc(sizeof(*o));
	u32 phase = 0, i, every;

	if (!PALLOC_EXPECT(t, o))
		return;
	o->shape = shape;
	o->seed = 0x9e3779b97f4a7c15ULL * shape->seed;
	o->max_pages = shape->chunks * 512;
	o->max_spans = min_t(u32, o->max_pages, 20000);
	o->used = t->ops->zalloc(o->max_pages);
	o->start = t->ops->zalloc(o->max_pages);
	o->released = t->ops->zalloc(o->max_pages);
	o->span = t->ops->zalloc(o->max_spans * sizeof(*o->span));
	if (!PALLOC_EXPECT(t, o->used && o->start && o->released && o->span) ||
	    !heap_init(&o->h, t, shape->chunks))
		goto out;

	/* A check reads each page once a level: the larger the arena, the fewer. */
	every = max_t(u32, 200, o->max_pages / 16);
	for (i = 0; i < nops && !t->failures && (!t->input || t->input < t->input_end); i++) {
		if (i % 4096 == 0)
			phase = oracle_rnd(o, 3);
		if (t->relax && i % 64 == 0)
			t->relax();
		if (oracle_rnd(o, 8192) < shape->switching)
			oracle_switch(o);
		if (oracle_rnd(o, 8192) < shape->forking)
			oracle_fork(o);
		if (oracle_chance(o, shape->scavenging))
			oracle_find_retained(o);
		else if (oracle_chance(o, 16))
			oracle_look(o);
		else if (o->spans < o->max_spans &&
			 (!o->spans || oracle_chance(o, phase ? shape->filling : shape->draining)))
			oracle_alloc(o);
		else
			oracle_free(o);
		PALLOC_EXPECT(t, o->h.p.nr_used == o->nr_used);
		PALLOC_EXPECT(t, o->h.p.nr_released == o->nr_released);
		PALLOC_EXPECT(t, o->h.p.nr_chunks == o->pages / 512);
		if (i % every == every - 1)
			oracle_check(o);
	}
	oracle_check(o);
	while (o->spans && !t->failures)
		oracle_free(o);
	oracle_check(o);
	PALLOC_EXPECT(t, t->failures || o->h.p.nr_used == 0);
	heap_destroy(&o->h);
out:
	if (o->span)
		t->ops->free(o->span, o->max_spans * sizeof(*o->span));
	if (o->released)
		t->ops->free(o->released, o->max_pages);
	if (o->start)
		t->ops->free(o->start, o->max_pages);
	if (o->used)
		t->ops->free(o->used, o->max_pages);
	t->ops->free(o, sizeof(*o));
}

static void oracle_seeds(struct palloc_test *t, const struct palloc_shape *shape,
			 unsigned int seeds, unsigned int share)
{
	struct palloc_shape s = *shape;
	unsigned int i;

	for (i = 1; i <= seeds; i++) {
		s.seed = shape->seed * 1000 + i;
		oracle_run(t, &s, t->ops_scale * share * 10 / seeds);
	}
}

/* Small spans that come and go in an arena that is nearly full. */
static void case_random_dense(struct palloc_test *t)
{
	static const struct palloc_shape shape = {
		.seed = 1, .chunks = 11, .grow_by = 1, .filling = 170, .draining = 110,
		.w8 = 100, .w64 = 20, .w512 = 1, .lifo = 20, .backing = 230, .scavenging = 6,
		.switching = 16, .forking = 3,
	};

	oracle_seeds(t, &shape, 4, 36);
}

/* One chunk: every path that stays inside one, and exhaustion. */
static void case_random_one_chunk(struct palloc_test *t)
{
	static const struct palloc_shape shape = {
		.seed = 2, .chunks = 1, .grow_by = 1, .filling = 180, .draining = 80,
		.w8 = 80, .w64 = 60, .w512 = 10, .lifo = 60, .backing = 200, .scavenging = 10,
		.switching = 20, .forking = 20,
	};

	oracle_seeds(t, &shape, 3, 20);
}

/* All lengths mixed: holes of every size, runs that cross chunks. */
static void case_random_fragmenting(struct palloc_test *t)
{
	static const struct palloc_shape shape = {
		.seed = 3, .chunks = 70, .grow_by = 3, .filling = 160, .draining = 100,
		.w8 = 90, .w64 = 60, .w512 = 40, .w4096 = 4, .lifo = 10, .backing = 200,
		.scavenging = 8,
		.switching = 8, .forking = 2,
	};

	oracle_seeds(t, &shape, 3, 30);
}

/* Mostly long spans in a large arena: blocks, top levels, growth. */
static void case_random_sparse(struct palloc_test *t)
{
	static const struct palloc_shape shape = {
		.seed = 4, .chunks = 530, .grow_by = 40, .filling = 150, .draining = 90,
		.w8 = 30, .w64 = 50, .w512 = 60, .w4096 = 60, .lifo = 100, .backing = 120,
		.scavenging = 4,
		.switching = 60, .forking = 40,
	};

	oracle_seeds(t, &shape, 2, 2);
}

/* Frees that follow allocations as a stack does, and memory hardly ever kept. */
static void case_random_stack(struct palloc_test *t)
{
	static const struct palloc_shape shape = {
		.seed = 5, .chunks = 19, .grow_by = 2, .filling = 150, .draining = 105,
		.w8 = 60, .w64 = 40, .w512 = 20, .w4096 = 2, .lifo = 250, .backing = 100,
		.scavenging = 20,
		.switching = 12, .forking = 4,
	};

	oracle_seeds(t, &shape, 2, 12);
}

struct palloc_case {
	const char *name;
	void (*run)(struct palloc_test *t);
};

static const struct palloc_case palloc_cases[] = {
	{ "limits of the arena's length", case_init },
	{ "arena without chunks", case_empty },
	{ "lengths that cannot be served", case_bad_lengths },
	{ "first fit by address", case_first_fit },
	{ "best fit", case_best_fit },
	{ "best fit across chunks and blocks", case_best_fit_crossing },
	{ "change of policy", case_switching },
	{ "chunks that are adopted", case_adopt },
	{ "spans across chunks, nodes and blocks", case_boundaries },
	{ "a span as long as the arena", case_whole_arena },
	{ "holes below the hint", case_hint },
	{ "a chunk's summary", case_summaries },
	{ "exhaustion and single holes", case_exhaustion },
	{ "growth counts the free tail", case_growth },
	{ "blocks are asked for once", case_blocks },
	{ "length of a span at any page number", case_span_pages },
	{ "counters and released bits", case_counters },
	{ "retained pages, highest first", case_find_retained },
	{ "summaries that lag", case_lag },
	{ "random: one chunk", case_random_one_chunk },
	{ "random: dense", case_random_dense },
	{ "random: fragmenting", case_random_fragmenting },
	{ "random: sparse", case_random_sparse },
	{ "random: stack", case_random_stack },
};

#endif /* _GOHEAP_PALLOC_CASES_H */
