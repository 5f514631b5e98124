// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a process that is killed for want of memory that it was about to give
 * back, and a wait for that which does not end.
 *
 * A child in a group of 64 MiB has 40 MiB in spans, and a thread that waits in poll()
 * for the kernel to ask for them; then it touches 40 MiB elsewhere.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "cgroup.h"
#include "tracefs.h"

#define LIMIT		(64 * MIB)
#define HEAP		(40 * MIB)
#define ELSEWHERE	(40 * MIB)

/* A collection that is not fast: reclaim alone gives up in a fraction of it. */
#define COLLECTION_US	80000

static struct trace trace;

struct collector {
	int fd;
	struct goheap_span span;
	bool frees;		/* or only looks on */
};

static void *collect(void *arg)
{
	struct collector *c = arg;
	struct pollfd p = { .fd = c->fd, .events = POLLPRI };
	struct goheap_cycle cy;

	while (poll(&p, 1, -1) == 1 && p.revents == POLLPRI) {
		if (!c->frees) {
			usleep(10000);
			continue;
		}
		usleep(COLLECTION_US);
		if (gh_free(c->fd, &c->span) || gh_cycle(c->fd, MIB, &cy))
			_exit(3);
		c->frees = false;
	}
	return NULL;
}

/* In the child: 0 if it lives on with all its memory. */
static int need_memory(const struct cg *cg, bool frees)
{
	struct collector c = { .frees = frees };
	pthread_t t;
	char *p;

	if (cg_enter(cg))
		return 2;
	c.fd = gh_open();
	if (c.fd < 0 || !gh_map(c.fd, 256 * MIB) || gh_alloc(c.fd, HEAP / GH_PAGE, &c.span) ||
	    pthread_create(&t, NULL, collect, &c))
		return 2;
	p = mmap(NULL, ELSEWHERE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 2;
	madvise(p, ELSEWHERE, MADV_NOHUGEPAGE);
	memset(p, 1, ELSEWHERE);
	return 0;
}

/* Ends with the status of wait(). */
static int child_in(const struct cg *cg, bool frees)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(need_memory(cg, frees));
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

/* The wait is for the memory: once that is there nobody is killed. */
TEST(lives)
{
	struct cg cg;
	const char *why = cg_create(&cg, "lives", LIMIT);

	if (why)
		SKIP(return, "%s", why);
	EXPECT_EQ(0, child_in(&cg, true));
	cg_destroy(&cg);
}

/* Who waits in vain is killed as ever, and soon. */
TEST(in_vain)
{
	struct cg cg;
	const char *why = cg_create(&cg, "vain", LIMIT);
	int status;

	if (why)
		SKIP(return, "%s", why);
	status = child_in(&cg, false);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		TH_LOG("status 0x%x", (unsigned int)status);
	cg_destroy(&cg);
}

/* A process that shares its slot in the module's table may have just waited. */
#define PERIOD_US	1100000

static const char *cannot_trace(void)
{
	return tracefs_there() && tracefs_open() ? NULL : "not root, or no tracefs";
}

/* Reclaim that looks twenty times waits for one event once. */
TEST(once)
{
	struct collector c = { };
	struct cg cg;
	const char *why = cannot_trace() ?: cg_create(&cg, "once", 0);
	pthread_t t;
	int i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, cg_enter(&cg));
	c.fd = gh_open();
	ASSERT_LE(0, c.fd);
	ASSERT_NE(NULL, gh_map(c.fd, 256 * MIB));
	ASSERT_EQ(0, gh_alloc(c.fd, HEAP / GH_PAGE, &c.span));
	ASSERT_EQ(0, cg_leave());
	ASSERT_EQ(0, pthread_create(&t, NULL, collect, &c));
	usleep(PERIOD_US);
	ASSERT_TRUE(tracefs_only("pressure_wait"));
	for (i = 0; i < 20; i++)
		cg_write_file(cg.path, "memory.reclaim", "64M");
	ASSERT_TRUE(tracefs_read(&trace));
	EXPECT_EQ(1, trace.n);
	EXPECT_EQ(0, trace_sum(&trace, "relieved", "", ""));
	EXPECT_EQ(1, gh_stats(c.fd).pressure);
	ASSERT_EQ(0, pthread_cancel(t));
	ASSERT_EQ(0, pthread_join(t, NULL));
	close(c.fd);
	tracefs_close();
	cg_destroy(&cg);
}

#define ARENAS	40

static void *watch_all(void *fds)
{
	for (;;) {
		poll(fds, ARENAS, -1);
		usleep(10000);
	}
	return NULL;
}

/* A process of many arenas does not wait for one after the other. */
TEST(arenas)
{
	struct pollfd p[ARENAS];
	struct goheap_span s;
	uint64_t start, took, waited, told = 0;
	struct cg cg;
	const char *why = cannot_trace() ?: cg_create(&cg, "arenas", 0);
	pthread_t t;
	int i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, cg_enter(&cg));
	for (i = 0; i < ARENAS; i++) {
		p[i] = (struct pollfd){ .fd = gh_open(), .events = POLLPRI };
		ASSERT_LE(0, p[i].fd);
		ASSERT_NE(NULL, gh_map(p[i].fd, 256 * MIB));
		ASSERT_EQ(0, gh_alloc(p[i].fd, 16, &s));
	}
	ASSERT_EQ(0, cg_leave());
	ASSERT_EQ(0, pthread_create(&t, NULL, watch_all, p));
	usleep(PERIOD_US);
	ASSERT_TRUE(tracefs_only("pressure_wait"));
	start = gh_now();
	cg_write_file(cg.path, "memory.reclaim", "64M");
	took = (gh_now() - start) / 1000;
	ASSERT_TRUE(tracefs_read(&trace));
	waited = trace_sum(&trace, "usecs", "", "");
	/* A quarter of the time, and what is left of a second; else it is nearly all of it. */
	EXPECT_LT(0, trace.n);
	EXPECT_LT(waited, took / 2 + 500000)
		TH_LOG("%zu times, of %llu us", trace.n, (unsigned long long)took);
	for (i = 0; i < ARENAS; i++)
		told += gh_stats(p[i].fd).pressure;
	EXPECT_EQ(ARENAS, told);
	ASSERT_EQ(0, pthread_cancel(t));
	ASSERT_EQ(0, pthread_join(t, NULL));
	for (i = 0; i < ARENAS; i++)
		close(p[i].fd);
	tracefs_close();
	cg_destroy(&cg);
}

TEST_HARNESS_MAIN
