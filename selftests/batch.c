// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a batch that is done in part, names the wrong span as the bad one,
 * or takes more or fewer spans than the ABI says.
 */
#include "arena.h"

static struct goheap_span spans[GOHEAP_BATCH_MAX + 1];

static void fill_batch(unsigned int count, uint64_t npages)
{
	unsigned int i;

	memset(spans, 0, sizeof(spans));
	for (i = 0; i < count; i++)
		spans[i].npages = npages;
}

/* The longest batch there is, each span of its own length. */
TEST_F(arena, the_longest)
{
	struct goheap_arena_stats st;
	uint64_t pages = 0, next = (uintptr_t)self->base;
	unsigned int i;

	fill_batch(GOHEAP_BATCH_MAX, 0);
	for (i = 0; i < GOHEAP_BATCH_MAX; i++)
		pages += spans[i].npages = 1 + i % 5;
	ASSERT_EQ(0, gh_alloc_batch(self->fd, spans, GOHEAP_BATCH_MAX));
	for (i = 0; i < GOHEAP_BATCH_MAX; i++) {
		/* In an empty arena first fit means one after the other. */
		ASSERT_EQ(next, spans[i].addr);
		ASSERT_EQ(1 + i % 5, spans[i].npages);
		ASSERT_EQ(0, spans[i].flags);
		next += gh_bytes(&spans[i]);
		*(uint64_t *)gh_ptr(&spans[i]) = i;
	}
	st = gh_stats(self->fd);
	EXPECT_EQ(GOHEAP_BATCH_MAX, st.spans);
	EXPECT_EQ(pages * GH_PAGE, st.inuse_bytes);
	for (i = 0; i < GOHEAP_BATCH_MAX; i++)
		ASSERT_EQ(i, *(uint64_t *)gh_ptr(&spans[i]));
	ASSERT_EQ(0, gh_free_batch(self->fd, spans, GOHEAP_BATCH_MAX));
	st = gh_stats(self->fd);
	EXPECT_EQ(0, st.spans);
	EXPECT_EQ(GOHEAP_BATCH_MAX, st.span_frees);
	EXPECT_EQ(0, st.inuse_bytes);
}

TEST_F(arena, count)
{
	static const unsigned int bad[] = { 0, GOHEAP_BATCH_MAX + 1, 1U << 31, ~0U };
	struct goheap_arena_stats before, after;
	size_t i;

	fill_batch(GOHEAP_BATCH_MAX, 1);
	ASSERT_EQ(0, gh_alloc_batch(self->fd, spans, GOHEAP_BATCH_MAX));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(EINVAL, gh_free_batch(self->fd, spans, bad[i]));
	fill_batch(GOHEAP_BATCH_MAX + 1, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(EINVAL, gh_alloc_batch(self->fd, spans, bad[i]));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
}

/* One bad span at the first, a middle and the last place: named, and nothing done. */
TEST_F(arena, all_or_none_alloc)
{
	static const unsigned int place[] = { 0, 1, 500, GOHEAP_BATCH_MAX - 1 };
	struct goheap_arena_stats before, after;
	size_t i;

	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(place); i++) {
		struct goheap_span_batch b = gh_batch(spans, GOHEAP_BATCH_MAX);

		fill_batch(GOHEAP_BATCH_MAX, 1);
		spans[place[i]].npages = 0;
		EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_SPAN_ALLOC, &b));
		EXPECT_EQ(place[i], b.bad_index);
		/* The array is as it was. */
		EXPECT_EQ(0, spans[0].addr);
		EXPECT_EQ(0, spans[GOHEAP_BATCH_MAX - 1].addr);
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&before, &after));
	}
}

TEST_F(arena, all_or_none_free)
{
	static const unsigned int place[] = { 0, 1, 500, GOHEAP_BATCH_MAX - 1 };
	struct goheap_arena_stats before, after;
	size_t i;

	fill_batch(GOHEAP_BATCH_MAX, 2);
	ASSERT_EQ(0, gh_alloc_batch(self->fd, spans, GOHEAP_BATCH_MAX));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(place); i++) {
		struct goheap_span_batch b = gh_batch(spans, GOHEAP_BATCH_MAX);

		spans[place[i]].addr += GH_PAGE;
		EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_SPAN_FREE, &b));
		EXPECT_EQ(place[i], b.bad_index);
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&before, &after));
		spans[place[i]].addr -= GH_PAGE;
	}
	EXPECT_EQ(0, gh_free_batch(self->fd, spans, GOHEAP_BATCH_MAX));
}

/* A span twice in one batch: the batch fails, and both are still there. */
TEST_F(arena, twice_in_a_batch)
{
	static const unsigned int pair[][2] = {
		{ 0, 1 }, { 0, GOHEAP_BATCH_MAX - 1 }, { 1022, 1023 }, { 7, 700 },
	};
	struct goheap_arena_stats before, after;
	size_t i;

	fill_batch(GOHEAP_BATCH_MAX, 1);
	ASSERT_EQ(0, gh_alloc_batch(self->fd, spans, GOHEAP_BATCH_MAX));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(pair); i++) {
		struct goheap_span_batch b = gh_batch(spans, GOHEAP_BATCH_MAX);
		struct goheap_span saved = spans[pair[i][1]];

		spans[pair[i][1]] = spans[pair[i][0]];
		EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_SPAN_FREE, &b));
		EXPECT_TRUE(b.bad_index == pair[i][0] || b.bad_index == pair[i][1])
			TH_LOG("bad_index %u", b.bad_index);
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&before, &after));
		spans[pair[i][1]] = saved;
	}
	EXPECT_EQ(0, gh_free_batch(self->fd, spans, GOHEAP_BATCH_MAX));
}

/* Each fits, all together do not: none is allocated, and one alone still can be. */
TEST_F(arena, too_much_together)
{
	uint64_t third = self->bytes / GH_PAGE / 3;
	struct goheap_arena_stats before, after;

	before = gh_stats(self->fd);
	fill_batch(4, third);
	EXPECT_EQ(ENOMEM, gh_alloc_batch(self->fd, spans, 4));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	EXPECT_LT(before.enomem, after.enomem);
	fill_batch(3, third);
	EXPECT_EQ(0, gh_alloc_batch(self->fd, spans, 3));
}

/* Free in an order that is not the order of addresses. */
TEST_F(arena, freed_in_any_order)
{
	uint64_t seed = 5;
	unsigned int i;

	fill_batch(1000, 3);
	ASSERT_EQ(0, gh_alloc_batch(self->fd, spans, 1000));
	for (i = 999; i > 0; i--) {
		unsigned int k = gh_random(&seed) % (i + 1);
		struct goheap_span t = spans[i];

		spans[i] = spans[k];
		spans[k] = t;
	}
	ASSERT_EQ(0, gh_free_batch(self->fd, spans, 1000));
	EXPECT_EQ(0, gh_stats(self->fd).inuse_bytes);
	/* All merged: what was 1000 spans is one run. */
	fill_batch(1, 3000);
	ASSERT_EQ(0, gh_alloc_batch(self->fd, spans, 1));
	EXPECT_EQ((uintptr_t)self->base, spans[0].addr);
}

/* A batch into a heap full of holes lands in the holes. */
TEST_F(arena, into_holes)
{
	struct goheap_span hole[100];
	unsigned int i;

	fill_batch(200, 2);
	ASSERT_EQ(0, gh_alloc_batch(self->fd, spans, 200));
	for (i = 0; i < 100; i++)
		hole[i] = spans[2 * i];
	ASSERT_EQ(0, gh_free_batch(self->fd, hole, 100));
	fill_batch(150, 2);
	ASSERT_EQ(0, gh_alloc_batch(self->fd, spans, 150));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(hole[i].addr, spans[i].addr);
	for (; i < 150; i++)
		EXPECT_EQ((uintptr_t)self->base + (400 + 2 * (i - 100)) * GH_PAGE, spans[i].addr);
}

TEST_HARNESS_MAIN
