// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a process that is not told that memory is short, is told when it is
 * not, or goes on being told after it has collected.
 */
#include <poll.h>
#include <pthread.h>

#include "cgroup.h"

#define LIVE	(24 * MIB)

FIXTURE(poll)
{
	struct cg cg, other;
	const char *why;
	int fd;
	char *base;
	struct goheap_span live;
};

FIXTURE_SETUP(poll)
{
	self->fd = -1;
	self->why = cg_create(&self->cg, "poll", 0);
	if (!self->why)
		self->why = cg_create(&self->other, "other", 0);
	if (self->why)
		return;
	ASSERT_EQ(0, cg_enter(&self->cg));
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 256 * MIB);
	ASSERT_NE(NULL, self->base);
	ASSERT_EQ(0, cg_leave());
	ASSERT_EQ(0, gh_alloc(self->fd, LIVE / GH_PAGE, &self->live));
}

FIXTURE_TEARDOWN(poll)
{
	if (self->base)
		munmap(self->base, 256 * MIB);
	if (self->fd >= 0)
		close(self->fd);
	cg_destroy(&self->cg);
	cg_destroy(&self->other);
}

static void reclaim(const struct cg *cg)
{
	cg_write_file(cg->path, "memory.reclaim", "64M");
}

/* What poll() says now, or within @ms. */
static int say(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI | POLLIN | POLLOUT };

	return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

TEST_F(poll, until_the_report)
{
	struct goheap_cycle cy;
	int i;

	if (self->why)
		SKIP(return, "%s", self->why);
	EXPECT_EQ(0, say(self->fd, 0));
	for (i = 1; i <= 3; i++) {
		reclaim(&self->cg);
		EXPECT_EQ(POLLPRI, say(self->fd, 0));
		EXPECT_EQ(i, gh_stats(self->fd).pressure);
		/* No second event before the first is answered. */
		reclaim(&self->cg);
		EXPECT_EQ(POLLPRI, say(self->fd, 0));
		EXPECT_EQ(i, gh_stats(self->fd).pressure);
		ASSERT_EQ(0, gh_cycle(self->fd, LIVE, &cy));
		EXPECT_EQ(i, cy.pressure);
		EXPECT_EQ(0, say(self->fd, 0));
	}
}

/* What is free goes first; only when that is gone the process is told. */
TEST_F(poll, when_run_dry)
{
	struct goheap_span s;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, gh_alloc(self->fd, 64 * MIB / GH_PAGE, &s));
	ASSERT_EQ(0, gh_free(self->fd, &s));
	cg_write_file(self->cg.path, "memory.reclaim", "4M");
	EXPECT_LT(0, gh_stats(self->fd).scav_pressure_bytes);
	if (gh_stats(self->fd).retained_bytes)
		EXPECT_EQ(0, say(self->fd, 0));
	reclaim(&self->cg);
	reclaim(&self->cg);
	EXPECT_EQ(0, gh_stats(self->fd).retained_bytes);
	EXPECT_EQ(POLLPRI, say(self->fd, 0));
}

TEST_F(poll, not_for_another_group)
{
	char *p;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_enter(&self->other));
	p = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)p);
	memset(p, 1, 8 * MIB);
	reclaim(&self->other);
	EXPECT_EQ(0, say(self->fd, 0));
	munmap(p, 8 * MIB);
	ASSERT_EQ(0, cg_leave());
}

static void *wait_for_it(void *arg)
{
	return (void *)(long)say(*(int *)arg, 60000);
}

/* A thread that waits wakes up. */
TEST_F(poll, wakes)
{
	pthread_t t;
	void *said;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, pthread_create(&t, NULL, wait_for_it, &self->fd));
	usleep(200000);
	reclaim(&self->cg);
	ASSERT_EQ(0, pthread_join(t, &said));
	EXPECT_EQ(POLLPRI, (long)said);
}

/* Plenty of other things to reclaim: nobody is told. */
TEST_F(poll, not_while_caches_do)
{
	char *p;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_enter(&self->cg));
	p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)p);
	memset(p, 1, 64 * MIB);
	/* What the kernel may take as it may take clean page cache. */
	ASSERT_EQ(0, madvise(p, 64 * MIB, MADV_FREE));
	EXPECT_EQ(0, cg_write_file(self->cg.path, "memory.reclaim", "512K"));
	EXPECT_EQ(0, say(self->fd, 0));
	/* ... and when they are used up, it is. */
	reclaim(&self->cg);
	reclaim(&self->cg);
	EXPECT_EQ(POLLPRI, say(self->fd, 0));
	munmap(p, 64 * MIB);
	ASSERT_EQ(0, cg_leave());
}

/* A process that has no arena behind the descriptor is told so. */
TEST_F(poll, somebody_else)
{
	pid_t pid;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, munmap(self->base, 256 * MIB));
	self->base = NULL;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(say(self->fd, 0) == POLLERR ? 0 : 1);
	EXPECT_EQ(0, gh_wait(pid));
}

TEST_HARNESS_MAIN
