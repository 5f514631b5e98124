// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: spans that overlap, lie outside the arena, are not found first-fit
 * by address, are not mapped when the request returns, or cannot be freed and
 * had again.
 */
#include "arena.h"

TEST_F(arena, first_fit)
{
	struct goheap_span a, b, c, d, e;

	ASSERT_EQ(0, gh_alloc(self->fd, 4, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 4, &b));
	ASSERT_EQ(0, gh_alloc(self->fd, 4, &c));
	EXPECT_EQ((uintptr_t)self->base, a.addr);
	EXPECT_EQ(a.addr + 4 * GH_PAGE, b.addr);
	EXPECT_EQ(b.addr + 4 * GH_PAGE, c.addr);
	ASSERT_EQ(0, gh_free(self->fd, &b));

	/* Too long for the hole, then two that fill it. */
	ASSERT_EQ(0, gh_alloc(self->fd, 5, &d));
	EXPECT_EQ(c.addr + 4 * GH_PAGE, d.addr);
	ASSERT_EQ(0, gh_alloc(self->fd, 3, &e));
	EXPECT_EQ(b.addr, e.addr);
	ASSERT_EQ(0, gh_alloc(self->fd, 1, &e));
	EXPECT_EQ(b.addr + 3 * GH_PAGE, e.addr);

	/* The hole is full again. */
	ASSERT_EQ(0, gh_alloc(self->fd, 1, &e));
	EXPECT_EQ(d.addr + 5 * GH_PAGE, e.addr);
}

TEST_F(arena, reply)
{
	struct goheap_span span = { .npages = 9, .flags = GOHEAP_SPAN_NOSCAN };

	ASSERT_EQ(0, gh_alloc_batch(self->fd, &span, 1));
	EXPECT_EQ((uintptr_t)self->base, span.addr);
	EXPECT_EQ(9, span.npages);
	EXPECT_EQ(0, span.flags & ~GOHEAP_SPAN_NOSCAN);
	EXPECT_EQ(0, span.reserved);
}

/* Touching a new span takes no fault, fresh or recycled. */
TEST_F(arena, mapped_at_once)
{
	struct goheap_span span;
	int round;

	for (round = 0; round < 3; round++) {
		uint64_t faults = gh_stats(self->fd).faults;
		uint64_t bytes = GH_ALL;

		ASSERT_EQ(0, gh_alloc(self->fd, 1500, &span));
		gh_fill(gh_ptr(&span), gh_bytes(&span), round);
		EXPECT_TRUE(gh_holds(gh_ptr(&span), gh_bytes(&span), round));
		EXPECT_EQ(faults, gh_stats(self->fd).faults)
			TH_LOG("round %d", round);
		ASSERT_EQ(0, gh_free(self->fd, &span));
		/* Round 0: fresh.  Round 1: retained.  Round 2: kept. */
		if (round == 1)
			ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	}
}

TEST_F(arena, sizes_across_chunks)
{
	static const uint64_t pages[] = { 1, 2, 511, 512, 513, 1023, 1024, 1025, 3 * 512 + 7 };
	struct goheap_span span[ARRAY_SIZE(pages)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		ASSERT_EQ(0, gh_alloc(self->fd, pages[i], &span[i]));
		gh_fill(gh_ptr(&span[i]), gh_bytes(&span[i]), i);
	}
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		EXPECT_TRUE(gh_holds(gh_ptr(&span[i]), gh_bytes(&span[i]), i));
		EXPECT_EQ(0, gh_free(self->fd, &span[i]));
	}
	EXPECT_EQ(0, gh_stats(self->fd).inuse_bytes);
}

/* Every page of the arena can be in a span, and no more than these. */
TEST_F(arena, the_whole_arena)
{
	uint64_t all = self->bytes / GH_PAGE;
	struct goheap_span span, other;

	EXPECT_EQ(EINVAL, gh_alloc(self->fd, all + 1, &span));
	ASSERT_EQ(0, gh_alloc(self->fd, all, &span));
	EXPECT_EQ((uintptr_t)self->base, span.addr);
	EXPECT_EQ(0, gh_touch(self->base + self->bytes - 1, true));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 1, &other));
	ASSERT_EQ(0, gh_free(self->fd, &span));
	ASSERT_EQ(0, gh_alloc(self->fd, 1, &span));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, all, &other));
	EXPECT_EQ(0, gh_alloc(self->fd, all - 1, &other));
}

/* Runs of free pages that touch become one, in whatever order they are freed. */
TEST_F(arena, neighbours_merge)
{
	static const int order[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(order); i++) {
		struct goheap_span s[3], wall, whole;

		for (k = 0; k < 3; k++)
			ASSERT_EQ(0, gh_alloc(self->fd, 200 + k, &s[k]));
		ASSERT_EQ(0, gh_alloc(self->fd, 1, &wall));
		for (k = 0; k < 3; k++)
			ASSERT_EQ(0, gh_free(self->fd, &s[order[i][k]]));
		ASSERT_EQ(0, gh_alloc(self->fd, 603, &whole));
		EXPECT_EQ(s[0].addr, whole.addr);
		ASSERT_EQ(0, gh_free(self->fd, &whole));
		ASSERT_EQ(0, gh_free(self->fd, &wall));
	}
}

/*
 * Random work against a map of the arena kept here: no page in two spans, the
 * lowest run that is long enough each time, contents as left.
 */
TEST_F(arena, against_a_model)
{
	enum { PAGES = GH_ARENA_BYTES / GH_PAGE, SPANS = 200, STEPS = 3000 };
	static unsigned char used[PAGES];
	static struct goheap_span span[SPANS];
	uint64_t seed = 42, inuse = 0;
	int step;

	for (step = 0; step < STEPS; step++) {
		unsigned int k = gh_random(&seed) % SPANS;
		struct goheap_span *s = &span[k];
		unsigned int i, first, run;
		int err;

		if (s->addr) {
			volatile uint64_t *w = (uint64_t *)gh_ptr(s);

			first = (s->addr - (uintptr_t)self->base) / GH_PAGE;
			ASSERT_EQ(k, w[0]);
			ASSERT_EQ(k, w[gh_bytes(s) / 8 - 1]);
			memset(used + first, 0, s->npages);
			inuse -= s->npages;
			ASSERT_EQ(0, gh_free(self->fd, s));
			s->addr = 0;
			continue;
		}
		s->npages = gh_random(&seed) % 16 ? 1 + gh_random(&seed) % 40
						 : 1 + gh_random(&seed) % 900;
		for (first = run = i = 0; i < PAGES && run < s->npages; i++) {
			if (used[i])
				run = 0;
			else if (!run++)
				first = i;
		}
		err = gh_alloc(self->fd, s->npages, s);
		if (run < s->npages) {
			ASSERT_EQ(ENOMEM, err);
			s->addr = 0;
			continue;
		}
		ASSERT_EQ(0, err);
		ASSERT_EQ((uintptr_t)self->base + first * GH_PAGE, s->addr);
		memset(used + first, 1, s->npages);
		inuse += s->npages;
		((uint64_t *)gh_ptr(s))[0] = k;
		((uint64_t *)gh_ptr(s))[gh_bytes(s) / 8 - 1] = k;
	}
	EXPECT_EQ(inuse * GH_PAGE, gh_stats(self->fd).inuse_bytes);
}

TEST_HARNESS_MAIN
