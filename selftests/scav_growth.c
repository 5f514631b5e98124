// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a heap that grows above the retention goal while it has free pages
 * to give, that gives more or less than what exceeds the goal, or gives though
 * it was told not to.
 */
#include "arena.h"

#define BLOCK	(MIB / 4)

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

FIXTURE(growth)
{
	int fd;
	char *base;
	struct goheap_span s[64];
};

/* 16 MiB in use, a goal of @percent of that; then every other block is free. */
static bool prepare(int fd, struct goheap_span *s, uint32_t triggers, uint64_t goal)
{
	int i;

	if (gh_triggers(fd, triggers))
		return false;
	for (i = 0; i < 64; i++)
		if (gh_alloc(fd, BLOCK / GH_PAGE, &s[i]))
			return false;
	if (gh_cycle(fd, 1 << 20, NULL) || gh_cycle(fd, goal, NULL))
		return false;
	for (i = 0; i < 64; i += 2)
		if (gh_free(fd, &s[i]))
			return false;
	return true;
}

FIXTURE_SETUP(growth)
{
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 256 * MIB);
	ASSERT_NE(NULL, self->base);
}

FIXTURE_TEARDOWN(growth)
{
	munmap(self->base, 256 * MIB);
	close(self->fd);
}

/* A span that fits into no hole, again and again, of changing length. */
TEST_F(growth, up_to_what_it_takes)
{
	struct goheap_arena_stats before, after;
	struct goheap_span s;
	uint64_t goal, want, total = 0;
	int i;

	ASSERT_TRUE(prepare(self->fd, self->s, GOHEAP_SCAVENGE_GROWTH, 1 << 20));
	goal = gh_stats(self->fd).retain_goal_bytes;
	ASSERT_LT(16 * MIB, goal);
	for (i = 0; i < 12; i++) {
		uint64_t bytes = BLOCK + (1 + i % 5) * 16 * GH_PAGE;

		before = gh_stats(self->fd);
		ASSERT_EQ(0, gh_alloc(self->fd, bytes / GH_PAGE, &s));
		after = gh_stats(self->fd);
		/* It was all fresh: what exceeds the goal now, but no more than that. */
		ASSERT_EQ(before.fresh_bytes + bytes, after.fresh_bytes);
		want = above(before.inuse_bytes + before.retained_bytes + bytes, goal);
		want = min(min(want, bytes), before.retained_bytes);
		EXPECT_EQ(want, after.scav_growth_bytes - before.scav_growth_bytes)
			TH_LOG("round %d", i);
		EXPECT_EQ(after.freed_bytes - before.freed_bytes, want);
		EXPECT_TRUE(gh_consistent(&after));
		total += want;
	}
	EXPECT_LT(2 * MIB, total);
	for (i = 1; i < 64; i += 2)
		EXPECT_EQ(0, gh_touch(gh_ptr(&self->s[i]), true));
}

/* Far above the goal: what is taken is given, not the whole excess. */
TEST_F(growth, far_above)
{
	struct goheap_span s;

	ASSERT_TRUE(prepare(self->fd, self->s, GOHEAP_SCAVENGE_GROWTH, 1 << 19));
	ASSERT_GT(9 * MIB, gh_stats(self->fd).retain_goal_bytes);
	ASSERT_EQ(0, gh_alloc(self->fd, MIB / GH_PAGE, &s));
	EXPECT_EQ(MIB, gh_stats(self->fd).scav_growth_bytes);
	EXPECT_EQ(7 * MIB, gh_stats(self->fd).retained_bytes);
	/* Recycled memory is no growth. */
	ASSERT_EQ(0, gh_alloc(self->fd, 1, &s));
	EXPECT_EQ(MIB, gh_stats(self->fd).scav_growth_bytes);
}

TEST_F(growth, switched_off)
{
	struct goheap_span s;

	ASSERT_TRUE(prepare(self->fd, self->s, 0, 1 << 19));
	ASSERT_EQ(0, gh_alloc(self->fd, MIB / GH_PAGE, &s));
	EXPECT_EQ(0, gh_stats(self->fd).freed_bytes);
	EXPECT_EQ(8 * MIB, gh_stats(self->fd).retained_bytes);
}

TEST_F(growth, without_a_goal)
{
	struct goheap_span s;

	ASSERT_EQ(0, gh_alloc(self->fd, 512, &self->s[0]));
	ASSERT_EQ(0, gh_cycle(self->fd, MIB, NULL));
	ASSERT_EQ(0, gh_free(self->fd, &self->s[0]));
	ASSERT_EQ(0, gh_alloc(self->fd, 1024, &s));
	EXPECT_EQ(0, gh_stats(self->fd).freed_bytes);
}

TEST_HARNESS_MAIN
