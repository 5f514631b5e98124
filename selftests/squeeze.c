// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a deadlock between memory reclaim and everything else that goes on
 * in an arena, and free pages that reclaim takes from under a new owner.
 *
 * Threads allocate, write, check and free; one forks children that exit; another
 * process takes and gives back anonymous memory, up to the cgroup's limit; one
 * thread asks for reclaim, in the group and everywhere; arenas come and go.
 */
#include <pthread.h>

#include "cgroup.h"

#define SECONDS	10
#define WORKERS	3

static struct cg group;
static volatile bool stop;

static bool is_over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* The first words of each of a span's pages. */
static void mark(const struct goheap_span *s, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < s->npages; i++)
		gh_fill(gh_ptr(s) + i * GH_PAGE, 64, seed + i);
}

static bool is_marked(const struct goheap_span *s, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < s->npages; i++)
		if (!gh_holds(gh_ptr(s) + i * GH_PAGE, 64, seed + i))
			return false;
	return true;
}

static void *work(void *arg)
{
	int fd = *(int *)arg;
	struct goheap_span s[24] = { };
	uint64_t rnd = (uintptr_t)&s, done = 0;
	int n;

	while (!is_over()) {
		n = gh_random(&rnd) % 24;
		if (s[n].npages) {
			if (!is_marked(&s[n], n + 1000) || gh_free(fd, &s[n]))
				return NULL;
			s[n].npages = 0;
			done++;
		} else if (gh_alloc(fd, 1 + gh_random(&rnd) % 90, &s[n])) {
			if (errno != ENOMEM)
				return NULL;
			s[n].npages = 0;
			usleep(1000);
		} else {
			mark(&s[n], n + 1000);
		}
		if (!(done % 64))
			gh_cycle(fd, MIB << gh_random(&rnd) % 8, NULL);
	}
	for (n = 0; n < 24; n++)
		if (s[n].npages && !is_marked(&s[n], n + 1000))
			return NULL;
	return (void *)(uintptr_t)(done + 1);
}

static void *forks(void *arg)
{
	int fd = *(int *)arg;
	uintptr_t done = 1;

	while (!is_over()) {
		pid_t pid = fork();

		if (!pid) {
			struct goheap_arena_stats st;

			/* The heap is the child's, or none of its business. */
			gh_try_stats(fd, &st);
			_exit(0);
		}
		if (pid < 0)
			usleep(10000);
		else if (gh_wait(pid))
			return NULL;
		done++;
		usleep(20000);
	}
	return (void *)done;
}

static void take(size_t bytes)
{
	for (;;) {
		char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (p == MAP_FAILED)
			_exit(1);
		munmap(p, bytes);
		usleep(5000);
	}
}

static void *reclaim(void *arg GH_UNUSED)
{
	uintptr_t done = 1;

	while (!is_over()) {
		cg_write_file(group.path, "memory.reclaim", "16M");
		if (!(done % 8))
			cg_write_file("/proc/sys/vm", "drop_caches", "2");
		done++;
		usleep(10000);
	}
	return (void *)done;
}

static void *come_and_go(void *arg GH_UNUSED)
{
	uintptr_t done = 1;

	while (!is_over()) {
		struct goheap_span s[8];
		int fd = gh_open(), i, n;
		char *base;

		if (fd < 0)
			continue;
		base = gh_map(fd, 64 * MIB);
		for (n = 0; base && n < 8 && !gh_alloc(fd, 128, &s[n]); n++)
			;
		for (i = 0; i < n; i += 2)
			gh_free(fd, &s[i]);
		gh_cycle(fd, MIB, NULL);
		gh_cycle(fd, MIB / 2, NULL);
		usleep(2000);
		if (base && done & 1)
			munmap(base, 64 * MIB);
		close(fd);
		if (base && !(done & 1))
			munmap(base, 64 * MIB);
		done++;
	}
	return (void *)done;
}

TEST(squeeze)
{
	const char *why = cg_create(&group, "squeeze", 64 * MIB);
	pthread_t t[WORKERS + 3];
	struct goheap_arena_stats st;
	unsigned int i, n = 0;
	pid_t taker;
	void *ret;
	int fd;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, cg_enter(&group));
	taker = fork();
	ASSERT_LE(0, taker);
	if (!taker)
		take(24 * MIB);
	fd = gh_open();
	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 512 * MIB));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_create(&t[n++], NULL, work, &fd));
	ASSERT_EQ(0, pthread_create(&t[n++], NULL, forks, &fd));
	ASSERT_EQ(0, pthread_create(&t[n++], NULL, reclaim, NULL));
	ASSERT_EQ(0, pthread_create(&t[n++], NULL, come_and_go, NULL));
	sleep(SECONDS);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, pthread_join(t[i], &ret));
		EXPECT_LT(1, (uintptr_t)ret) TH_LOG("thread %u", i);
	}
	kill(taker, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, gh_wait(taker));
	st = gh_stats(fd);
	fprintf(stderr, "# %llu spans, %llu MiB back by pressure, %llu MiB in the background, %llu times ENOMEM\n",
		(unsigned long long)st.span_allocs,
		(unsigned long long)st.scav_pressure_bytes / MIB,
		(unsigned long long)st.scav_background_bytes / MIB,
		(unsigned long long)st.enomem);
	EXPECT_TRUE(gh_consistent(&st));
	EXPECT_LT(0, st.scav_pressure_bytes);
	EXPECT_EQ(0, cg_event(&group, "oom_kill"));
	close(fd);
	cg_destroy(&group);
}

TEST_HARNESS_MAIN
