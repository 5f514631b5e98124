// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a range that is freed although it is not exactly one span of this
 * arena.
 */
#include "arena.h"

/* Spans of 4, 6, 8 pages one after the other, a hole of 5, one of 3. */
struct layout {
	struct goheap_span a, b, c, hole, d;
	struct goheap_arena_stats st;
};

static bool layout_make(int fd, struct layout *l)
{
	if (gh_alloc(fd, 4, &l->a) || gh_alloc(fd, 6, &l->b) || gh_alloc(fd, 8, &l->c) ||
	    gh_alloc(fd, 5, &l->hole) || gh_alloc(fd, 3, &l->d) || gh_free(fd, &l->hole))
		return false;
	l->st = gh_stats(fd);
	return true;
}

struct bad_range {
	const char *name;
	uint64_t addr, npages;
};

TEST_F(arena, ranges)
{
	struct goheap_span other;
	struct layout l;
	int fd = gh_open();
	char *base;
	size_t i;

	ASSERT_LE(0, fd);
	base = gh_map(fd, self->bytes);
	ASSERT_NE(NULL, base);
	ASSERT_EQ(0, gh_alloc(fd, 4, &other));
	ASSERT_TRUE(layout_make(self->fd, &l));
	{
		const uint64_t end = (uintptr_t)self->base + self->bytes;
		const struct bad_range table[] = {
			{ "first half", l.b.addr, 3 },
			{ "second half", l.b.addr + 3 * GH_PAGE, 3 },
			{ "middle", l.b.addr + GH_PAGE, 2 },
			{ "all but the first page", l.b.addr + GH_PAGE, 5 },
			{ "one page too many", l.b.addr, 7 },
			{ "two spans as one", l.a.addr, 10 },
			{ "end of one, all of the next", l.a.addr + 2 * GH_PAGE, 8 },
			{ "three spans as one", l.a.addr, 18 },
			{ "span and the hole behind it", l.c.addr, 13 },
			{ "hole", l.hole.addr, 5 },
			{ "page of the hole", l.hole.addr, 1 },
			{ "hole and the span behind it", l.hole.addr, 8 },
			{ "never allocated", l.d.addr + 3 * GH_PAGE, 1 },
			{ "never allocated, next chunk", (uintptr_t)self->base + 4 * MIB, 4 },
			{ "last page of the arena", end - GH_PAGE, 1 },
			{ "just past the arena", end, 4 },
			{ "page before the arena", (uintptr_t)self->base - GH_PAGE, 4 },
			{ "far away", (uintptr_t)self->base + (1ULL << 45), 4 },
			{ "same page number, 2^44 on", l.a.addr + (1ULL << 44), 4 },
			{ "same page number, 2^32 pages on", l.a.addr + (1ULL << 45), 4 },
			{ "wraps around", l.a.addr, (1ULL << 51) + 4 },
			{ "offset instead of address", 0, 4 },
			{ "address + 1", l.b.addr + 1, 6 },
			{ "address + 8", l.b.addr + 8, 6 },
			{ "address + 4096", l.b.addr + 4096, 6 },
			{ "address - 1", l.b.addr - 1, 6 },
			{ "another arena's", other.addr, 4 },
			{ "the stack", (uintptr_t)&l & ~(GH_PAGE - 1), 1 },
			{ "the program", (uintptr_t)&layout_make & ~(GH_PAGE - 1), 1 },
		};

		for (i = 0; i < ARRAY_SIZE(table); i++) {
			struct goheap_span s = { .addr = table[i].addr, .npages = table[i].npages };
			struct goheap_span_batch b = gh_batch(&s, 1);
			struct goheap_arena_stats st;

			EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_SPAN_FREE, &b))
				TH_LOG("%s", table[i].name);
			EXPECT_EQ(0, b.bad_index)
				TH_LOG("%s", table[i].name);
			st = gh_stats(self->fd);
			EXPECT_TRUE(gh_unchanged(&l.st, &st))
				TH_LOG("%s", table[i].name);
		}
	}
	EXPECT_EQ(4 * GH_PAGE, gh_stats(fd).inuse_bytes);
	/* Each span is whole, and can be freed. */
	EXPECT_EQ(0, gh_free(self->fd, &l.a));
	EXPECT_EQ(0, gh_free(self->fd, &l.b));
	EXPECT_EQ(0, gh_free(self->fd, &l.c));
	EXPECT_EQ(0, gh_free(self->fd, &l.d));
	EXPECT_EQ(0, gh_free(fd, &other));
	EXPECT_EQ(0, gh_stats(self->fd).inuse_bytes);
	munmap(base, self->bytes);
	close(fd);
}

TEST_F(arena, double_free)
{
	struct goheap_arena_stats st;
	uint64_t bytes = GH_ALL;
	struct goheap_span s;
	struct layout l;

	ASSERT_TRUE(layout_make(self->fd, &l));
	ASSERT_EQ(0, gh_free(self->fd, &l.b));
	l.st = gh_stats(self->fd);
	EXPECT_EQ(EINVAL, gh_free(self->fd, &l.b));
	st = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&l.st, &st));
	/* Nor when its memory has gone. */
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_EQ(EINVAL, gh_free(self->fd, &l.b));
	/* Nor when another span of other length is there. */
	ASSERT_EQ(0, gh_alloc(self->fd, 2, &s));
	ASSERT_EQ(l.b.addr, s.addr);
	EXPECT_EQ(EINVAL, gh_free(self->fd, &l.b));
	EXPECT_EQ(0, gh_free(self->fd, &s));
}

/* Spans of which one would be legal, next to one that is not: neither goes. */
TEST_F(arena, good_with_bad)
{
	struct goheap_arena_stats st;
	struct layout l;
	size_t i;

	ASSERT_TRUE(layout_make(self->fd, &l));
	for (i = 0; i < 3; i++) {
		struct goheap_span s[3] = {
			{ .addr = l.a.addr, .npages = 4 },
			{ .addr = l.b.addr, .npages = 6 },
			{ .addr = l.c.addr, .npages = 8 },
		};
		struct goheap_span_batch b = gh_batch(s, 3);

		/* Overlaps the span before or after it in the batch. */
		s[i].npages += i == 2 ? -1 : 1;
		EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_SPAN_FREE, &b));
		EXPECT_EQ(i, b.bad_index);
		st = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&l.st, &st));
	}
}

/* Lengths that fit the arena one by one, and sums that overflow. */
TEST_F(arena, lengths_to_allocate)
{
	const uint64_t all = self->bytes / GH_PAGE;
	const struct {
		uint64_t npages[3];
		int err, bad_index;
	} table[] = {
		{ { 1, 1, 0 }, EINVAL, 2 },
		{ { 0, 1, 1 }, EINVAL, 0 },
		{ { 1, all + 1, 1 }, EINVAL, 1 },
		{ { 1ULL << 63, 1ULL << 63, 1 }, EINVAL, 0 },
		{ { 1, ~0ULL, 1 }, EINVAL, 1 },
		{ { 1, 1, 1ULL << 51 }, EINVAL, 2 },
		{ { 1, 1, (1ULL << 51) - 1 }, EINVAL, 2 },
		{ { 1, 1, 1ULL << 31 }, EINVAL, 2 },
		{ { 1, 1, (1ULL << 31) + 1 }, EINVAL, 2 },
		{ { 1, 1, (1ULL << 32) + 1 }, EINVAL, 2 },
		{ { all, 1, 1 }, ENOMEM, -1 },
		{ { all, all, all }, ENOMEM, -1 },
		{ { all / 2, all / 2, 1 }, ENOMEM, -1 },
	};
	struct goheap_arena_stats before = gh_stats(self->fd), after;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct goheap_span s[3] = { };
		struct goheap_span_batch b = gh_batch(s, 3);

		for (k = 0; k < 3; k++)
			s[k].npages = table[i].npages[k];
		EXPECT_EQ(table[i].err, gh_ioctl(self->fd, GOHEAP_IOC_SPAN_ALLOC, &b))
			TH_LOG("case %zu", i);
		if (table[i].bad_index >= 0)
			EXPECT_EQ(table[i].bad_index, (int)b.bad_index)
				TH_LOG("case %zu", i);
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&before, &after))
			TH_LOG("case %zu", i);
	}
}

/* In the longest arena there is, sums of legal lengths can be enormous. */
TEST(sums_in_the_longest_arena)
{
	static struct goheap_span s[GOHEAP_BATCH_MAX];
	struct goheap_arena_stats before, after;
	const uint64_t all = GOHEAP_ARENA_BYTES_MAX / GH_PAGE;
	int fd = gh_open(), i;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, GOHEAP_ARENA_BYTES_MAX));
	before = gh_stats(fd);
	/* 1024 times 2^31 pages. */
	for (i = 0; i < GOHEAP_BATCH_MAX; i++)
		s[i] = (struct goheap_span){ .npages = all };
	EXPECT_EQ(ENOMEM, gh_alloc_batch(fd, s, GOHEAP_BATCH_MAX));
	EXPECT_EQ(ENOMEM, gh_alloc_batch(fd, s, 1));
	after = gh_stats(fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	EXPECT_EQ(0, gh_alloc(fd, 1, &s[0]));
	close(fd);
}

TEST_HARNESS_MAIN
