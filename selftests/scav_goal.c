// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a retention goal that is not C * (goal / last goal) * in use, an
 * interval that was not measured, a report that is taken though it is wrong.
 */
#include "arena.h"

TEST_F(arena, goal)
{
	struct goheap_settings set = { .set = GOHEAP_SET_RETAIN_PERCENT };
	static const struct {
		uint64_t goal;
		uint32_t percent, pages;
		uint64_t want;		/* pages; 0: none */
	} table[] = {
		{ 64 << 20, 110, 100, 0 },	/* the first report */
		{ 64 << 20, 110, 100, 110 },
		{ 128 << 20, 110, 100, 220 },
		{ 64 << 20, 110, 100, 55 },
		{ 64 << 20, 100, 100, 100 },
		{ 64 << 20, 1000, 100, 1000 },
		{ 64 << 20, 110, 1000, 1100 },
		{ 64 << 20, 110, 7, 8 },	/* 7.7 */
		{ 64 << 20, 110, 0, 0 },	/* an empty heap: a goal of nothing */
		{ 64 << 10, 110, 100, 1 },	/* 0.1 */
		{ 192 << 10, 110, 100, 330 },
		{ 1ULL << 62, 110, 100, 0 },	/* out of all reason: none */
		{ GH_ALL, 110, 100, 440 },
	};
	struct goheap_span s;
	struct goheap_cycle cy;
	size_t i;

	EXPECT_EQ(GH_ALL, gh_stats(self->fd).retain_goal_bytes);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t want = table[i].want * GH_PAGE;

		if (!table[i].want && table[i].pages)
			want = GH_ALL;
		if (table[i].pages)
			ASSERT_EQ(0, gh_alloc(self->fd, table[i].pages, &s));
		set.set = GOHEAP_SET_RETAIN_PERCENT;
		set.retain_percent = table[i].percent;
		ASSERT_EQ(0, gh_settings(self->fd, &set));
		ASSERT_EQ(0, gh_cycle(self->fd, table[i].goal, &cy));
		EXPECT_EQ(sizeof(cy), cy.size);
		EXPECT_EQ(want, cy.retain_goal) TH_LOG("line %zu", i);
		EXPECT_EQ(want, gh_stats(self->fd).retain_goal_bytes);
		EXPECT_EQ(i + 1, gh_stats(self->fd).cycles);
		if (table[i].pages)
			ASSERT_EQ(0, gh_free(self->fd, &s));
	}
}

/* What is free counts for nothing. */
TEST_F(arena, only_what_is_in_use)
{
	struct goheap_span a, b;
	struct goheap_cycle cy;

	ASSERT_EQ(0, gh_triggers(self->fd, 0));
	ASSERT_EQ(0, gh_alloc(self->fd, 500, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 10, &b));
	ASSERT_EQ(0, gh_free(self->fd, &a));
	ASSERT_EQ(0, gh_cycle(self->fd, MIB, NULL));
	ASSERT_EQ(0, gh_cycle(self->fd, MIB, &cy));
	EXPECT_EQ(11 * GH_PAGE, cy.retain_goal);
	EXPECT_EQ(500 * GH_PAGE, gh_stats(self->fd).retained_bytes);
}

TEST_F(arena, interval)
{
	uint64_t before[3], after[3];
	struct goheap_cycle cy;
	int i;

	for (i = 0; i < 3; i++) {
		usleep(50000 * i);
		before[i] = gh_now();
		ASSERT_EQ(0, gh_cycle(self->fd, MIB, &cy));
		after[i] = gh_now();
		if (!i) {
			EXPECT_EQ(0, cy.interval);
			continue;
		}
		EXPECT_LE(before[i] - after[i - 1], cy.interval);
		EXPECT_GE(after[i] - before[i - 1], cy.interval);
	}
}

TEST_F(arena, bad_reports)
{
	struct goheap_cycle cy, good = { .size = sizeof(good), .heap_goal = MIB };
	int fd;

	cy = good;
	cy.heap_goal = 0;
	EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_CYCLE, &cy));
	cy = good;
	cy.flags = 1;
	EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_CYCLE, &cy));
	cy = good;
	cy.reserved[2] = 1;
	EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_CYCLE, &cy));
	cy = good;
	cy.size--;
	EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_CYCLE, &cy));
	EXPECT_EQ(0, gh_stats(self->fd).cycles);
	/* What comes back may hold anything. */
	cy = good;
	cy.retain_goal = cy.interval = cy.pressure = GH_ALL;
	EXPECT_EQ(0, gh_ioctl(self->fd, GOHEAP_IOC_CYCLE, &cy));
	EXPECT_EQ(1, gh_stats(self->fd).cycles);

	fd = gh_open();
	ASSERT_LE(0, fd);
	cy = good;
	EXPECT_EQ(ENXIO, gh_ioctl(fd, GOHEAP_IOC_CYCLE, &cy));
	close(fd);
}

TEST_HARNESS_MAIN
