// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite goheap_arena: arenas as far as they need no process: growth,
 * memory and its limit, the way of a batch from reserved to published and back,
 * release, teardown.  Catches figures that do not add up, memory that leaks or
 * is freed twice, and half-done requests that leave something behind.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "arena.h"
#include "kunit_suites.h"

#define TEST_BASE	0x7e0000200000UL	/* at a PMD, not at a chunk */
#define TEST_CHUNKS	600			/* more than a palloc block */
#define TEST_PAGES	((u64)TEST_CHUNKS * PALLOC_CHUNK_PAGES)

/* One batch and the arena that it is for. */
struct arena_test {
	struct heap *h;
	struct arena *a;
	unsigned long pages_before;
	unsigned long limit;
	struct goheap_span spans[8];
	struct span_request rq;
};

static bool own_cache;

/* 6.1 runs suites before module_init(). */
static int arena_suite_init(struct kunit_suite *suite)
{
	memory_limit_init();
	own_cache = !arena_cache_exists();
	return own_cache ? arena_cache_init() : 0;
}

static void arena_suite_exit(struct kunit_suite *suite)
{
	if (own_cache)
		arena_cache_exit();
}

static int arena_test_init(struct kunit *test)
{
	struct arena_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
	test->priv = t;
	t->limit = memory_limit;
	t->pages_before = memory_pages();
	t->h = heap_create(NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->h);
	t->a = t->h->root;
	KUNIT_ASSERT_EQ(test, 0, arena_attach(t->a, TEST_BASE,
					      TEST_CHUNKS * GOHEAP_CHUNK_SIZE));
	return 0;
}

static void arena_test_exit(struct kunit *test)
{
	struct arena_test *t = test->priv;

	if (!t || IS_ERR_OR_NULL(t->h))
		return;
	memory_limit = t->limit;
	if (t->a->state == ARENA_MAPPED)
		arena_detach(t->a);
	arena_put(t->a);
	heap_put(t->h);
	KUNIT_EXPECT_EQ(test, t->pages_before, memory_pages());
}

/* A batch of @count spans of @npages pages. */
static struct span_request *batch(struct arena_test *t, u32 count, u64 npages)
{
	u32 i;

	memset(t->spans, 0, sizeof(t->spans));
	for (i = 0; i < count; i++)
		t->spans[i].npages = npages;
	t->rq = (struct span_request) {
		.a = t->a, .spans = t->spans, .count = count, .bad_index = count,
	};
	return &t->rq;
}

/* span_reserve() as span_alloc() calls it; the lock is held if it succeeds. */
static int reserve(struct span_request *rq)
{
	int err = span_check_alloc(rq);

	while (!err) {
		mutex_lock(&rq->a->lock);
		err = span_reserve(rq);
		if (!err)
			break;
		mutex_unlock(&rq->a->lock);
		if (err != -EAGAIN)
			break;
		err = arena_growth_prepare(rq->a, &rq->growth);
	}
	arena_growth_discard(&rq->growth);
	return err;
}

/* Spans to where they have memory and could be mapped. */
static int transit(struct span_request *rq)
{
	int err = reserve(rq);

	if (err)
		return err;
	span_hold(rq);
	arena_request_begin(rq->a);
	mutex_unlock(&rq->a->lock);
	return span_back(rq);
}

static void publish(struct span_request *rq)
{
	mutex_lock(&rq->a->lock);
	span_publish(rq);
	arena_request_end(rq->a);
	mutex_unlock(&rq->a->lock);
}

/* What span_alloc() does when something fails after the reservation. */
static void undo(struct span_request *rq)
{
	span_drop(rq);
	mutex_lock(&rq->a->lock);
	span_unhold(rq);
	arena_request_end(rq->a);
	mutex_unlock(&rq->a->lock);
}

static int allocate(struct span_request *rq)
{
	int err = transit(rq);

	if (!err)
		publish(rq);
	return err;
}

static int free_batch(struct span_request *rq)
{
	u32 i;

	for (i = 0; i < rq->count; i++)
		rq->spans[i].flags = 0;
	return span_check_free(rq) ?: span_free(rq);
}

/* The arena's figures: chunks, then pages. */
static noinline void expect_stats(struct kunit *test, u64 grown, u64 inuse,
				  u64 retained, u64 kept)
{
	const struct arena_test *t = test->priv;
	void *where = __builtin_return_address(0);
	struct goheap_arena_stats st;

	arena_stats(t->a, &st);
	KUNIT_EXPECT_EQ_MSG(test, grown << GOHEAP_CHUNK_SHIFT, st.grown_bytes,
			    "at %pS", where);
	KUNIT_EXPECT_EQ_MSG(test, inuse << GOHEAP_PAGE_SHIFT, st.inuse_bytes,
			    "at %pS", where);
	KUNIT_EXPECT_EQ_MSG(test, retained << GOHEAP_PAGE_SHIFT, st.retained_bytes,
			    "at %pS", where);
	KUNIT_EXPECT_EQ_MSG(test, kept << GOHEAP_PAGE_SHIFT, st.kept_bytes,
			    "at %pS", where);
	KUNIT_EXPECT_EQ_MSG(test, st.grown_bytes,
			    st.inuse_bytes + st.retained_bytes + st.released_bytes,
			    "at %pS", where);
}

/* Every system page behind a range exists, and its bytes are all zero. */
static bool all_zero(struct arena *a, u64 page, u64 npages)
{
	struct segment s;
	unsigned int i;

	while (segment_next(a, &s, &page, &npages)) {
		for (i = s.first * SUBPAGES; i < s.end * SUBPAGES; i++) {
			void *p, *bad;

			if (!s.c->pfn[i])
				return false;
			p = kmap_local_page(pfn_to_page(s.c->pfn[i]));
			bad = memchr_inv(p, 0, PAGE_SIZE);
			kunmap_local(p);
			if (bad)
				return false;
		}
	}
	return true;
}

/* One span through its whole life; the limit's counter follows. */
static void life_of_a_span(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct arena *a = t->a;
	struct goheap_arena_stats st;

	expect_stats(test, 0, 0, 0, 0);
	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 1, 700)));
	KUNIT_EXPECT_EQ(test, (u64)TEST_BASE, t->spans[0].addr);
	KUNIT_EXPECT_EQ(test, 0U, t->spans[0].flags);
	expect_stats(test, 2, 700, 0, 0);
	KUNIT_EXPECT_TRUE(test, all_zero(a, 0, 700));
	KUNIT_EXPECT_EQ(test, t->pages_before + 700 * SUBPAGES, memory_pages());

	KUNIT_EXPECT_EQ(test, 0, free_batch(&t->rq));
	expect_stats(test, 2, 0, 700, 0);

	/* The same pages again, and they say so. */
	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 1, 700)));
	KUNIT_EXPECT_EQ(test, (u64)TEST_BASE, t->spans[0].addr);
	KUNIT_EXPECT_EQ(test, GOHEAP_SPAN_NEEDZERO, t->spans[0].flags);
	KUNIT_EXPECT_EQ(test, t->pages_before + 700 * SUBPAGES, memory_pages());

	KUNIT_EXPECT_EQ(test, 0, free_batch(&t->rq));
	KUNIT_EXPECT_EQ(test, 700ULL, arena_release(a, ~0ULL, false, RELEASE_REQUEST));
	expect_stats(test, 2, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, t->pages_before, memory_pages());

	arena_stats(a, &st);
	KUNIT_EXPECT_EQ(test, 0ULL, st.spans);
	KUNIT_EXPECT_EQ(test, 2ULL, st.span_allocs);
	KUNIT_EXPECT_EQ(test, 2ULL, st.span_frees);
	KUNIT_EXPECT_EQ(test, 700ULL << GOHEAP_PAGE_SHIFT, st.fresh_bytes);
	KUNIT_EXPECT_EQ(test, 700ULL << GOHEAP_PAGE_SHIFT, st.recycled_bytes);
	KUNIT_EXPECT_EQ(test, 700ULL << GOHEAP_PAGE_SHIFT, st.freed_bytes);
}

/* A span partly over memory: only what is missing is taken from the system. */
static void mixed_span(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct goheap_arena_stats st;

	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 1, 100)));
	KUNIT_EXPECT_EQ(test, 0, free_batch(&t->rq));
	/* Highest first: what is left is at the bottom. */
	KUNIT_EXPECT_EQ(test, 61ULL, arena_release(t->a, 61, false, RELEASE_REQUEST));
	expect_stats(test, 1, 0, 39, 0);

	KUNIT_ASSERT_EQ(test, 0, transit(batch(t, 1, 100)));
	KUNIT_EXPECT_EQ(test, 61ULL, t->rq.fresh);
	KUNIT_EXPECT_EQ(test, GOHEAP_SPAN_NEEDZERO, t->spans[0].flags);
	KUNIT_EXPECT_TRUE(test, all_zero(t->a, 39, 61));
	publish(&t->rq);
	arena_stats(t->a, &st);
	KUNIT_EXPECT_EQ(test, 161ULL << GOHEAP_PAGE_SHIFT, st.fresh_bytes);
	KUNIT_EXPECT_EQ(test, 39ULL << GOHEAP_PAGE_SHIFT, st.recycled_bytes);
	expect_stats(test, 1, 100, 0, 0);
}

/* Growth asks for its memory outside the lock, over the edge of a block too. */
static void growth(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct span_request *rq = batch(t, 2, 540 * PALLOC_CHUNK_PAGES);
	struct arena *a = t->a;

	rq->spans[1].npages = 40 * PALLOC_CHUNK_PAGES;
	KUNIT_ASSERT_EQ(test, 0, span_check_alloc(rq));
	/* Room for the descriptors' memory, whatever the machine has. */
	memory_limit = ULONG_MAX / 2;
	mutex_lock(&a->lock);
	KUNIT_EXPECT_EQ(test, -EAGAIN, span_reserve(rq));
	mutex_unlock(&a->lock);
	KUNIT_EXPECT_EQ(test, 0ULL, a->palloc.nr_chunks);
	/* The second span is seen ahead: no second -EAGAIN. */
	KUNIT_EXPECT_EQ(test, 580ULL, rq->growth.want_chunks);
	KUNIT_EXPECT_EQ(test, 2ULL, rq->growth.want_blocks);
	KUNIT_ASSERT_EQ(test, 0, arena_growth_prepare(a, &rq->growth));
	mutex_lock(&a->lock);
	KUNIT_EXPECT_EQ(test, 0, span_reserve(rq));
	KUNIT_EXPECT_EQ(test, 580ULL, a->palloc.nr_chunks);
	KUNIT_EXPECT_EQ(test, 0ULL, rq->growth.nr_chunks);
	span_hold(rq);
	span_unhold(rq);
	mutex_unlock(&a->lock);
	/* Prepared for a request that came to nothing: does not show. */
	expect_stats(test, 0, 0, 0, 0);

	/* What is prepared and not used is thrown away. */
	rq->growth.want_chunks = 5;
	rq->growth.want_blocks = 2;
	KUNIT_EXPECT_EQ(test, 0, arena_growth_prepare(a, &rq->growth));
	KUNIT_EXPECT_EQ(test, 5ULL, rq->growth.nr_chunks);
	KUNIT_EXPECT_EQ(test, 2ULL, rq->growth.nr_blocks);
	arena_growth_discard(&rq->growth);
	KUNIT_EXPECT_EQ(test, 0ULL, rq->growth.nr_chunks);
}

/* No descriptors are made for spans that the limit will refuse. */
static void growth_within_limit(struct kunit *test)
{
	struct arena_test *t = test->priv;

	memory_limit = t->pages_before + PALLOC_CHUNK_PAGES * SUBPAGES;
	KUNIT_EXPECT_EQ(test, -ENOMEM, reserve(batch(t, 1, 500 * PALLOC_CHUNK_PAGES)));
	KUNIT_EXPECT_EQ(test, 0ULL, t->a->palloc.nr_chunks);

	/* Nor many for what stands behind a span that is not refused. */
	batch(t, 2, 1);
	t->spans[1].npages = TEST_PAGES - 1;
	KUNIT_EXPECT_EQ(test, -ENOMEM, reserve(&t->rq));
	KUNIT_EXPECT_GE(test, 65ULL, t->a->palloc.nr_chunks);
}

/* A batch that finds no room for its last span reserves nothing. */
static void no_room(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct span_request *rq = batch(t, 3, TEST_PAGES / 2);

	memory_limit = ULONG_MAX / 2;
	KUNIT_EXPECT_EQ(test, -ENOMEM, reserve(rq));
	KUNIT_EXPECT_EQ(test, 2U, rq->bad_index);
	KUNIT_EXPECT_EQ(test, 0ULL, t->a->palloc.nr_used);
	KUNIT_EXPECT_EQ(test, 0ULL, rq->spans[0].addr);

	rq = batch(t, 2, 1);
	rq->spans[1].npages = TEST_PAGES + 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, reserve(rq));
	KUNIT_EXPECT_EQ(test, 1U, rq->bad_index);
	KUNIT_EXPECT_EQ(test, 0ULL, t->a->palloc.nr_used);
}

/* The limit refuses before memory is taken, and is exact. */
static void limit(struct kunit *test)
{
	struct arena_test *t = test->priv;

	memory_limit = t->pages_before + 100 * SUBPAGES;
	KUNIT_EXPECT_EQ(test, -ENOMEM, transit(batch(t, 1, 101)));
	undo(&t->rq);
	KUNIT_EXPECT_EQ(test, t->pages_before, memory_pages());
	expect_stats(test, 0, 0, 0, 0);

	KUNIT_EXPECT_EQ(test, 0, allocate(batch(t, 1, 100)));
	KUNIT_EXPECT_EQ(test, -ENOMEM, transit(batch(t, 1, 1)));
	undo(&t->rq);
	expect_stats(test, 1, 100, 0, 0);
	KUNIT_EXPECT_FALSE(test, memory_would_fit(1));
	KUNIT_EXPECT_TRUE(test, memory_would_fit(0));
}

/* Spans that got memory and then failed give it back. */
static void undone(struct kunit *test)
{
	struct arena_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 1, 10)));
	KUNIT_EXPECT_EQ(test, 0, free_batch(&t->rq));

	/* The first span has memory already, and keeps it. */
	KUNIT_ASSERT_EQ(test, 0, transit(batch(t, 4, 10)));
	KUNIT_EXPECT_EQ(test, 30ULL, t->rq.fresh);
	undo(&t->rq);
	KUNIT_EXPECT_EQ(test, t->pages_before + 10 * SUBPAGES, memory_pages());
	expect_stats(test, 1, 0, 10, 0);
	KUNIT_EXPECT_EQ(test, 0ULL, t->a->palloc.nr_used);
	KUNIT_EXPECT_EQ(test, 0ULL, t->spans[3].addr);
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)arena_chunk(t->a, 0)->pfn[10 * SUBPAGES]);
	KUNIT_EXPECT_NE(test, 0ULL, (u64)arena_chunk(t->a, 0)->pfn[9 * SUBPAGES]);
}

/* The fields of a batch to be allocated. */
static void check_alloc(struct kunit *test)
{
	static const struct goheap_span bad[] = {
		{ .npages = 0 },
		{ .npages = 1, .addr = GOHEAP_PAGE_SIZE },
		{ .npages = 1, .reserved = 1 },
		{ .npages = 1, .flags = GOHEAP_SPAN_NEEDZERO },
		{ .npages = 1, .flags = 0x80000000 },
		{ .npages = 1ULL << 63 },
		{ .npages = ~0ULL },
		{ .npages = (GOHEAP_ARENA_BYTES_MAX >> GOHEAP_PAGE_SHIFT) + 1 },
	};
	struct arena_test *t = test->priv;
	struct span_request *rq;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		rq = batch(t, 4, 1);
		rq->spans[2] = bad[i];
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, span_check_alloc(rq), "case %u", i);
		KUNIT_EXPECT_EQ(test, 2U, rq->bad_index);
	}
	rq = batch(t, 4, 3);
	rq->spans[0].flags = GOHEAP_SPAN_NOSCAN;
	KUNIT_EXPECT_EQ(test, 0, span_check_alloc(rq));
	KUNIT_EXPECT_EQ(test, 12ULL, rq->npages);
}

/* Only whole spans are freed, and all of a batch or nothing. */
static void check_free(struct kunit *test)
{
	const u64 page = GOHEAP_PAGE_SIZE;
	const struct goheap_span bad[] = {
		{ .addr = TEST_BASE, .npages = 4 },		/* twice */
		{ .addr = TEST_BASE + 4 * page, .npages = 3 },	/* too short */
		{ .addr = TEST_BASE + 4 * page, .npages = 5 },	/* too long */
		{ .addr = TEST_BASE + 5 * page, .npages = 3 },	/* not the start */
		{ .addr = TEST_BASE + 4 * page + 1, .npages = 4 },
		{ .addr = TEST_BASE + 16 * page, .npages = 4 },	/* free */
		{ .addr = TEST_BASE - page, .npages = 1 },
		{ .addr = TEST_BASE + TEST_PAGES * page, .npages = 4 },
		{ .addr = 0, .npages = 4 },
		{ .addr = ~0ULL << GOHEAP_PAGE_SHIFT, .npages = 4 },
		{ .addr = TEST_BASE + 4 * page, .npages = 0 },
		{ .addr = TEST_BASE + 4 * page, .npages = 4, .flags = 1 },
		{ .addr = TEST_BASE + 4 * page, .npages = 4, .reserved = 1 },
	};
	struct arena_test *t = test->priv;
	struct span_request *rq;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 4, 4)));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		rq = batch(t, 2, 4);
		rq->spans[0].addr = TEST_BASE;
		rq->spans[1] = bad[i];
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, span_check_free(rq) ?: span_free(rq),
				    "case %u", i);
		KUNIT_EXPECT_EQ(test, 1U, rq->bad_index);
		expect_stats(test, 1, 16, 0, 0);
	}
	/* No mark is left that keeps a span from being freed. */
	rq = batch(t, 4, 4);
	for (i = 0; i < 4; i++)
		rq->spans[i].addr = TEST_BASE + (3 - i) * 4 * page;
	KUNIT_EXPECT_EQ(test, 0, free_batch(rq));
	KUNIT_EXPECT_EQ(test, -EINVAL, free_batch(rq));
	expect_stats(test, 1, 0, 16, 0);
}

/* A span in transit is nobody's yet: it cannot be freed. */
static void in_transit(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct goheap_span guess = { .npages = 4 };
	struct span_request rq = { .a = t->a, .spans = &guess, .count = 1 };

	KUNIT_ASSERT_EQ(test, 0, transit(batch(t, 2, 4)));
	guess.addr = t->spans[1].addr;
	KUNIT_EXPECT_EQ(test, -EINVAL, free_batch(&rq));
	expect_stats(test, 0, 0, 0, 0);
	publish(&t->rq);
	KUNIT_EXPECT_EQ(test, 0, free_batch(&rq));
	expect_stats(test, 1, 4, 4, 0);
}

/* Release takes from the top, and no more than it was asked to. */
static void release_order(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct chunk *c;

	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 3, 10)));
	t->spans[1] = t->spans[2];
	t->rq.count = 2;
	KUNIT_EXPECT_EQ(test, 0, free_batch(&t->rq));	/* 10 to 19 stay */
	expect_stats(test, 1, 10, 20, 0);

	KUNIT_EXPECT_EQ(test, 13ULL, arena_release(t->a, 13, false, RELEASE_REQUEST));
	expect_stats(test, 1, 10, 7, 0);
	c = arena_chunk(t->a, 0);
	KUNIT_EXPECT_EQ(test, 7UL, find_first_bit(c->pc.released, PALLOC_CHUNK_PAGES));
	KUNIT_EXPECT_EQ(test, 10UL, find_next_zero_bit(c->pc.released, PALLOC_CHUNK_PAGES, 7));
	KUNIT_EXPECT_EQ(test, 20UL, find_next_bit(c->pc.released, PALLOC_CHUNK_PAGES, 10));
	KUNIT_EXPECT_EQ(test, 7ULL, arena_release(t->a, ~0ULL, false, RELEASE_REQUEST));
	KUNIT_EXPECT_EQ(test, 0ULL, arena_release(t->a, ~0ULL, false, RELEASE_REQUEST));
	KUNIT_EXPECT_EQ(test, t->pages_before + 10 * SUBPAGES, memory_pages());
}

/* Pages that are kept are counted once, found again, and can be released. */
static void release_keep(struct kunit *test)
{
	struct arena_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 1, 1000)));
	KUNIT_EXPECT_EQ(test, 0, free_batch(&t->rq));
	KUNIT_EXPECT_EQ(test, 600ULL, arena_release(t->a, 600, true, RELEASE_REQUEST));
	expect_stats(test, 2, 0, 1000, 600);
	KUNIT_EXPECT_EQ(test, 400ULL, arena_release(t->a, ~0ULL, true, RELEASE_REQUEST));
	KUNIT_EXPECT_EQ(test, 0ULL, arena_release(t->a, ~0ULL, true, RELEASE_REQUEST));
	expect_stats(test, 2, 0, 1000, 1000);

	KUNIT_ASSERT_EQ(test, 0, transit(batch(t, 1, 300)));
	KUNIT_EXPECT_EQ(test, 300ULL, t->rq.kept);
	KUNIT_EXPECT_EQ(test, 0ULL, t->rq.fresh);
	publish(&t->rq);
	expect_stats(test, 2, 300, 700, 700);
	KUNIT_EXPECT_EQ(test, 700ULL, arena_release(t->a, ~0ULL, false, RELEASE_REQUEST));
	expect_stats(test, 2, 300, 0, 0);
	KUNIT_EXPECT_EQ(test, t->pages_before + 300 * SUBPAGES, memory_pages());
}

/* Whatever has free pages with memory is on the shrinker's list. */
static void listed(struct kunit *test)
{
	struct arena_test *t = test->priv;
	struct chunk *c;

	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 2, 100)));
	c = arena_chunk(t->a, 0);
	KUNIT_EXPECT_FALSE(test, c->listed);
	KUNIT_EXPECT_TRUE(test, list_empty(&c->lru));
	KUNIT_EXPECT_EQ(test, 0, free_batch(&t->rq));
	KUNIT_EXPECT_TRUE(test, c->listed);
	KUNIT_EXPECT_FALSE(test, list_empty(&c->lru));

	/* Looked at while a request had the pages, and then that failed. */
	KUNIT_ASSERT_EQ(test, 0, transit(batch(t, 1, 300)));
	mutex_lock(&t->a->lock);
	shrink_forget_chunk(c);
	mutex_unlock(&t->a->lock);
	undo(&t->rq);
	KUNIT_EXPECT_TRUE(test, c->listed);

	/* A span over two chunks concerns both. */
	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 1, PALLOC_CHUNK_PAGES + 20)));
	KUNIT_EXPECT_FALSE(test, arena_chunk(t->a, PALLOC_CHUNK_PAGES)->listed);
	KUNIT_EXPECT_EQ(test, 0, free_batch(&t->rq));
	KUNIT_EXPECT_TRUE(test, arena_chunk(t->a, PALLOC_CHUNK_PAGES)->listed);
}

/* The VMA goes while a request is under way: the request tears down. */
static void teardown_waits(struct kunit *test)
{
	struct arena_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, allocate(batch(t, 1, 5)));
	KUNIT_ASSERT_EQ(test, 0, transit(batch(t, 1, 20)));
	arena_detach(t->a);
	KUNIT_EXPECT_EQ(test, t->pages_before + 25 * SUBPAGES, memory_pages());
	undo(&t->rq);
	KUNIT_EXPECT_EQ(test, t->pages_before, memory_pages());
	expect_stats(test, 0, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, -ENXIO, free_batch(&t->rq));
}

static struct kunit_case arena_cases[] = {
	KUNIT_CASE(life_of_a_span),
	KUNIT_CASE(mixed_span),
	KUNIT_CASE(growth),
	KUNIT_CASE(growth_within_limit),
	KUNIT_CASE(no_room),
	KUNIT_CASE(limit),
	KUNIT_CASE(undone),
	KUNIT_CASE(check_alloc),
	KUNIT_CASE(check_free),
	KUNIT_CASE(in_transit),
	KUNIT_CASE(release_order),
	KUNIT_CASE(release_keep),
	KUNIT_CASE(listed),
	KUNIT_CASE(teardown_waits),
	{}
};

struct kunit_suite goheap_arena_suite = {
	.name = "goheap_arena",
	.suite_init = arena_suite_init,
	.suite_exit = arena_suite_exit,
	.init = arena_test_init,
	.exit = arena_test_exit,
	.test_cases = arena_cases,
};
