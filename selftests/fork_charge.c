// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: copies that no cgroup is charged for, or the wrong one; charges that
 * outlive the child, or the heap.
 */
#include "arena.h"
#include "forks.h"

#define HEAP	(16 * MIB)

FIXTURE(charge)
{
	struct cg a, b;
	const char *why;
	uint64_t before;
	int fd;
	char *base;
	struct goheap_span s;
};

/* Opened in A, with a heap. */
FIXTURE_SETUP(charge)
{
	self->fd = -1;
	self->why = cg_create(&self->a, "a", 0);
	if (!self->why)
		self->why = cg_create(&self->b, "b", 0);
	if (self->why)
		return;
	ASSERT_EQ(0, cg_enter(&self->a));
	self->before = cg_current(&self->a);
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 64 * MIB);
	ASSERT_NE(NULL, self->base);
	ASSERT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE, &self->s));
	gh_fill(gh_ptr(&self->s), HEAP, 1);
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

/* A figure of memory.stat; ~0 if it cannot be had. */
static uint64_t stat_of(const struct cg *cg, const char *name)
{
	static char text[16384];
	char *line, *save;
	size_t len = strlen(name);

	if (cg_read_file(cg->path, "memory.stat", text, sizeof(text)))
		return ~0ULL;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, name, len) && line[len] == ' ')
			return strtoull(line + len, NULL, 10);
	}
	return ~0ULL;
}

static bool near(uint64_t is, uint64_t want)
{
	if (is + CG_SLACK >= want && is <= want + CG_SLACK)
		return true;
	fprintf(stderr, "# %llu bytes, not about %llu\n", (unsigned long long)is,
		(unsigned long long)want);
	return false;
}

/* Pages are kernel memory of the group that took them; who else has them costs nothing. */
TEST_F(charge, copies)
{
	struct signal_pipe child, parent;
	uint64_t kernel;
	pid_t pid;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	kernel = stat_of(&self->a, "kernel");
	ASSERT_NE(~0ULL, kernel);
	EXPECT_LE(HEAP, kernel);
	EXPECT_TRUE(near(cg_current(&self->a), self->before + HEAP));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		sp_tell(&child);
		sp_wait(&parent);
		/* Where it is by then does not matter, as for the opener. */
		CHILD_CHECK(1, !cg_enter(&self->b));
		gh_fill(gh_ptr(&self->s), HEAP / 2, 2);
		sp_tell(&child);
		sp_wait(&parent);
		CHILD_CHECK(2, !gh_free(self->fd, &self->s));
		CHILD_CHECK(3, !gh_release(self->fd, 0, &(uint64_t){ GH_ALL }));
		sp_tell(&child);
		sp_wait(&parent);
		_exit(0);
	}
	sp_wait(&child);
	EXPECT_TRUE(near(stat_of(&self->a, "kernel"), kernel));
	sp_tell(&parent);
	sp_wait(&child);
	EXPECT_TRUE(near(stat_of(&self->a, "kernel"), kernel + HEAP / 2));
	EXPECT_TRUE(near(cg_current(&self->a), self->before + HEAP + HEAP / 2));
	EXPECT_TRUE(near(cg_current(&self->b), 0));
	sp_tell(&parent);
	sp_wait(&child);
	EXPECT_TRUE(cg_falls_below(&self->a, self->before + HEAP + CG_SLACK));
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 1));
	munmap(self->base, 64 * MIB);
	self->base = NULL;
	close(self->fd);
	self->fd = -1;
	EXPECT_TRUE(cg_falls_below(&self->a, self->before + CG_SLACK));
	EXPECT_TRUE(near(stat_of(&self->a, "kernel"), kernel - HEAP));
}

/* Forked by a parent that has moved: the child's heap is of the group it was forked in. */
TEST_F(charge, parent_has_moved)
{
	struct signal_pipe child, parent;
	uint64_t before;
	pid_t pid;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	ASSERT_EQ(0, cg_enter(&self->b));
	before = cg_current(&self->b);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		gh_fill(gh_ptr(&self->s), HEAP, 2);
		sp_tell(&child);
		sp_wait(&parent);
		_exit(0);
	}
	sp_wait(&child);
	EXPECT_TRUE(near(cg_current(&self->b), before + HEAP));
	/* The parent goes on at its own group's cost. */
	EXPECT_TRUE(near(stat_of(&self->a, "kernel"), HEAP));
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(cg_falls_below(&self->b, before + CG_SLACK));
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 1));
}

/* The parent goes; what it took and the child still has stays charged, until that ends. */
TEST_F(charge, opener_ends_first)
{
	struct signal_pipe child, parent;
	pid_t pid;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		gh_fill(gh_ptr(&self->s), HEAP / 4, 2);
		sp_tell(&child);
		sp_wait(&parent);
		CHILD_CHECK(1, gh_holds(gh_ptr(&self->s), HEAP / 4, 2));
		_exit(0);
	}
	sp_wait(&child);
	munmap(self->base, 64 * MIB);
	self->base = NULL;
	close(self->fd);
	self->fd = -1;
	/* A quarter is the child's copy, three are pages that it has from the parent. */
	EXPECT_TRUE(cg_falls_below(&self->a, self->before + HEAP + CG_SLACK));
	EXPECT_LE(self->before + HEAP - CG_SLACK, cg_current(&self->a));
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(cg_falls_below(&self->a, self->before + CG_SLACK));
}

TEST_HARNESS_MAIN
