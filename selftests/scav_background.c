// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a background worker that does not reach the goal before the next
 * collection is due, goes below it, does it all at once, goes on when it is
 * switched off, or takes more than 1 % of a CPU.
 */
#include <ctype.h>
#include <dirent.h>

#include "arena.h"

/* Nanoseconds that the worker says it has worked; ~0 if they are not told. */
static uint64_t worked(int fd)
{
	unsigned long long us = 0;
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "GoheapScavengerTime: %llu", &us) == 1)
			found = true;
	if (f)
		fclose(f);
	return found ? us * 1000 : GH_ALL;
}

/* CPU time of all unbound kernel workers, ours among them, ns; 0 if it is not told. */
static uint64_t kworkers(void)
{
	DIR *d = opendir("/proc");
	unsigned long long ns, sum = 0;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[300], comm[64] = "";
		FILE *f;

		if (!isdigit(e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (!fgets(comm, sizeof(comm), f))
			comm[0] = 0;
		fclose(f);
		if (strncmp(comm, "kworker/u", 9))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/schedstat", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &ns) == 1)
			sum += ns;
		fclose(f);
	}
	if (d)
		closedir(d);
	return sum;
}

/* Two reports, @ms apart: the goal is 1.1 times what is in use. */
static uint64_t report_twice(int fd, unsigned int ms)
{
	struct goheap_cycle cy = { };

	gh_cycle(fd, 32 * MIB, NULL);
	usleep(ms * 1000);
	gh_cycle(fd, 32 * MIB, &cy);
	return cy.retain_goal;
}

static uint64_t backed(int fd)
{
	struct goheap_arena_stats st = gh_stats(fd);

	return st.inuse_bytes + st.retained_bytes;
}

FIXTURE(background)
{
	int fd;
	char *base;
	struct goheap_span live, garbage;
};

/* 8 MiB live, 12 free. */
FIXTURE_SETUP(background)
{
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 64 * MIB);
	ASSERT_NE(NULL, self->base);
	ASSERT_EQ(0, gh_triggers(self->fd, GOHEAP_SCAVENGE_BACKGROUND));
	ASSERT_EQ(0, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &self->live));
	ASSERT_EQ(0, gh_alloc(self->fd, 12 * MIB / GH_PAGE, &self->garbage));
	gh_fill(gh_ptr(&self->live), gh_bytes(&self->live), 1);
}

FIXTURE_TEARDOWN(background)
{
	EXPECT_TRUE(gh_holds(gh_ptr(&self->live), gh_bytes(&self->live), 1));
	munmap(self->base, 64 * MIB);
	close(self->fd);
}

/*
 * Wait until the goal is reached: true if that is by @end, or if the worker has
 * done in the time what 1 % allows (a slow machine).
 */
static bool reached_by(int fd, uint64_t goal, uint64_t start, uint64_t end)
{
	uint64_t t;

	for (;;) {
		t = gh_now();
		if (backed(fd) <= goal)
			break;
		if (t > start + 120 * 1000000000ULL)
			return false;
		usleep(5000);
	}
	fprintf(stderr, "# %llu ms, of %llu; worked for %llu us\n",
		(unsigned long long)(t - start) / 1000000,
		(unsigned long long)(end - start) / 1000000,
		(unsigned long long)worked(fd) / 1000);
	return t <= end || worked(fd) >= (t - start) / 200;
}

TEST_F(background, in_time)
{
	const unsigned int ms = 4000;
	uint64_t goal, start;

	ASSERT_EQ(0, gh_free(self->fd, &self->garbage));
	goal = report_twice(self->fd, ms);
	start = gh_now();
	ASSERT_EQ((8 * MIB + 8 * MIB / 10 + GH_PAGE - 1) & ~(GH_PAGE - 1), goal);
	/* Nothing before there is a goal, and not all of it at once. */
	EXPECT_LT(goal + 8 * MIB, backed(self->fd));
	EXPECT_TRUE(reached_by(self->fd, goal, start, start + ms * 1000000ULL));
	usleep(300000);
	/* ... and exactly the goal. */
	EXPECT_EQ(goal, backed(self->fd));
	EXPECT_EQ(20 * MIB - goal, gh_stats(self->fd).scav_background_bytes);
}

/* What is freed between two reports, when the worker had nothing to do, as well. */
TEST_F(background, freed_later)
{
	const unsigned int ms = 4000;
	uint64_t goal, start;

	goal = report_twice(self->fd, ms);
	start = gh_now();
	ASSERT_EQ((22 * MIB + GH_PAGE - 1) & ~(GH_PAGE - 1), goal);
	ASSERT_EQ(0, gh_cycle(self->fd, 32 * MIB, NULL));
	ASSERT_EQ(0, gh_free(self->fd, &self->garbage));
	/* Free, but not above the goal. */
	usleep(500000);
	EXPECT_EQ(20 * MIB, backed(self->fd));
	ASSERT_EQ(0, gh_cycle(self->fd, 16 * MIB, NULL));
	goal = gh_stats(self->fd).retain_goal_bytes;
	ASSERT_GT(8 * MIB, goal);
	EXPECT_TRUE(reached_by(self->fd, 8 * MIB, start, start + ms * 1000000ULL));
	/* The live half stays, whatever the goal. */
	EXPECT_EQ(8 * MIB, backed(self->fd));
}

/* A worker that has gone to sleep is woken by a free. */
TEST_F(background, woken_by_free)
{
	uint64_t goal, start;

	ASSERT_EQ(0, gh_cycle(self->fd, 32 * MIB, NULL));
	usleep(100000);
	ASSERT_EQ(0, gh_cycle(self->fd, 16 * MIB, NULL));
	goal = gh_stats(self->fd).retain_goal_bytes;
	EXPECT_EQ((11 * MIB + GH_PAGE - 1) & ~(GH_PAGE - 1), goal);
	usleep(500000);
	EXPECT_EQ(20 * MIB, backed(self->fd));
	start = gh_now();
	ASSERT_EQ(0, gh_free(self->fd, &self->garbage));
	EXPECT_TRUE(reached_by(self->fd, goal, start, start + 2000000000ULL));
}

TEST_F(background, switched_off)
{
	uint64_t goal, start;

	ASSERT_EQ(0, gh_triggers(self->fd, GOHEAP_SCAVENGE_ALL & ~GOHEAP_SCAVENGE_BACKGROUND));
	ASSERT_EQ(0, gh_free(self->fd, &self->garbage));
	goal = report_twice(self->fd, 200);
	usleep(1000000);
	EXPECT_EQ(20 * MIB, backed(self->fd));
	/* On: begins at once, without a report. */
	start = gh_now();
	ASSERT_EQ(0, gh_triggers(self->fd, GOHEAP_SCAVENGE_BACKGROUND));
	EXPECT_TRUE(reached_by(self->fd, goal, start, start + 2000000000ULL));
}

/* The arena goes while the worker is about to run: nothing holds it up. */
TEST_F(background, goes_away)
{
	int i;

	for (i = 0; i < 20; i++) {
		struct goheap_span s;
		int fd = gh_open();
		char *base = gh_map(fd, 64 * MIB);

		ASSERT_NE(NULL, base);
		ASSERT_EQ(0, gh_alloc(fd, 4 * MIB / GH_PAGE, &s));
		ASSERT_EQ(0, gh_free(fd, &s));
		report_twice(fd, i);
		usleep(i * 2000);
		if (i & 1)
			munmap(base, 64 * MIB);
		close(fd);
		if (!(i & 1))
			munmap(base, 64 * MIB);
	}
}

/* 10 s of garbage, with a goal of next to nothing: CPU time in parts of a thousand. */
static bool share_of_cpu(int fd, unsigned int *own, unsigned int *all)
{
	uint64_t cpu = kworkers(), mine = worked(fd), start = gh_now(), span;
	struct goheap_span s;

	do {
		if (gh_cycle(fd, MIB, NULL) || gh_alloc(fd, 16 * MIB / GH_PAGE, &s) ||
		    gh_free(fd, &s))
			return false;
		usleep(20000);
		span = gh_now() - start;
	} while (span < 10000000000ULL);
	*own = (worked(fd) - mine) * 1000 / span;
	*all = (kworkers() - cpu) * 1000 / span;
	fprintf(stderr, "# %llu ms: worked for %llu us, CPU of all workers %llu us\n",
		(unsigned long long)span / 1000000,
		(unsigned long long)(worked(fd) - mine) / 1000,
		(unsigned long long)(kworkers() - cpu) / 1000);
	return true;
}

/*
 * With more to do than it may.  An emulated CPU that its host stops for 50 ms
 * looks like one that works: one good window of three is enough.
 */
TEST_F(background, one_percent)
{
	unsigned int own, all, i;

	ASSERT_NE(GH_ALL, worked(self->fd));
	ASSERT_EQ(0, gh_free(self->fd, &self->garbage));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(share_of_cpu(self->fd, &own, &all));
		if (own < 10 && all < 10)
			break;
	}
	EXPECT_LT(0, gh_stats(self->fd).scav_background_bytes);
	EXPECT_GT(10, own);
	EXPECT_GT(10, all);
}

TEST_HARNESS_MAIN
