// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: memory of an arena that no cgroup is charged for, or another one
 * than that in which the device was opened.
 */
#include "cgroup.h"

#define HEAP	(16 * MIB)

FIXTURE(charge)
{
	struct cg a, b;
	const char *why;
	int fd;
	char *base;
	struct goheap_span span;
};

/* Opened in A. */
FIXTURE_SETUP(charge)
{
	self->fd = -1;
	self->why = cg_create(&self->a, "a", 0);
	if (!self->why)
		self->why = cg_create(&self->b, "b", 0);
	if (self->why)
		return;
	ASSERT_EQ(0, cg_enter(&self->a));
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 64 * MIB);
	ASSERT_NE(NULL, self->base);
}

FIXTURE_TEARDOWN(charge)
{
	if (self->base)
		munmap(self->base, 64 * MIB);
	if (self->fd >= 0)
		close(self->fd);
	cg_destroy(&self->a);
	cg_destroy(&self->b);
}

TEST_F(charge, opener)
{
	uint64_t before, bytes = GH_ALL;

	if (self->why)
		SKIP(return, "%s", self->why);
	before = cg_current(&self->a);
	ASSERT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE, &self->span));
	EXPECT_LE(before + HEAP - CG_SLACK, cg_current(&self->a));
	EXPECT_GE(before + HEAP + CG_SLACK, cg_current(&self->a));
	/* Free is not yet given back; released is. */
	ASSERT_EQ(0, gh_free(self->fd, &self->span));
	EXPECT_LE(before + HEAP - CG_SLACK, cg_current(&self->a));
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	EXPECT_LE(before + HEAP - CG_SLACK, cg_current(&self->a));
	bytes = GH_ALL;
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_TRUE(cg_falls_below(&self->a, before + CG_SLACK));
}

/* A process that moves goes on charging the group in which it opened the device. */
TEST_F(charge, opener_moves)
{
	uint64_t a, b, bytes = GH_ALL;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_enter(&self->b));
	a = cg_current(&self->a);
	b = cg_current(&self->b);
	ASSERT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE, &self->span));
	gh_fill(gh_ptr(&self->span), gh_bytes(&self->span), 1);
	EXPECT_LE(a + HEAP - CG_SLACK, cg_current(&self->a));
	EXPECT_GE(b + CG_SLACK, cg_current(&self->b));
	ASSERT_EQ(0, gh_free(self->fd, &self->span));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_TRUE(cg_falls_below(&self->a, a + CG_SLACK));
	EXPECT_GE(b + CG_SLACK, cg_current(&self->b));
}

/* Recycling costs nobody anything. */
TEST_F(charge, recycled_is_charged_once)
{
	uint64_t charged, bytes;
	int i;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE, &self->span));
	charged = cg_current(&self->a);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, gh_free(self->fd, &self->span));
		bytes = GH_ALL;
		ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
		ASSERT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE, &self->span));
	}
	EXPECT_GE(charged + CG_SLACK, cg_current(&self->a));
}

/* The group can be removed while its charge lives on, and nothing breaks. */
TEST_F(charge, group_removed_first)
{
	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE / 2, &self->span));
	cg_destroy(&self->a);
	EXPECT_EQ(0, gh_free(self->fd, &self->span));
	EXPECT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE, &self->span));
	gh_fill(gh_ptr(&self->span), gh_bytes(&self->span), 1);
	EXPECT_TRUE(gh_holds(gh_ptr(&self->span), gh_bytes(&self->span), 1));
}

/* It is the kernel's memory in memory.stat, and all of it comes back at the end. */
TEST_F(charge, stat)
{
	uint64_t before, all, i;

	if (self->why)
		SKIP(return, "%s", self->why);
	before = cg_figure(&self->a, "memory.stat", "kernel");
	all = cg_current(&self->a);
	ASSERT_NE(GH_ALL, before);
	ASSERT_EQ(0, gh_alloc(self->fd, 2 * HEAP / GH_PAGE, &self->span));
	for (i = 0; i < 100; i++) {
		if (cg_figure(&self->a, "memory.stat", "kernel") + CG_SLACK >= before + 2 * HEAP)
			break;
		usleep(50000);		/* brought together every 2 s */
	}
	EXPECT_LE(before + 2 * HEAP - CG_SLACK, cg_figure(&self->a, "memory.stat", "kernel"));
	EXPECT_GE(before + 2 * HEAP + CG_SLACK, cg_figure(&self->a, "memory.stat", "kernel"));

	ASSERT_EQ(0, munmap(self->base, 64 * MIB));
	self->base = NULL;
	ASSERT_EQ(0, close(self->fd));
	self->fd = -1;
	EXPECT_TRUE(cg_falls_below(&self->a, all + CG_SLACK));
	for (i = 0; i < 100; i++) {
		if (cg_figure(&self->a, "memory.stat", "kernel") <= before + CG_SLACK)
			break;
		usleep(50000);
	}
	EXPECT_GE(before + CG_SLACK, cg_figure(&self->a, "memory.stat", "kernel"));
}

TEST_HARNESS_MAIN
