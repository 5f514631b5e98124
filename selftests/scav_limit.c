// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: in use and retained together above the memory limit while what is in
 * use alone is below it, free pages given back for no reason, a limit that is
 * obeyed though the trigger is off.
 */
#include <pthread.h>

#include "arena.h"

#define LIMIT	(16 * MIB)

static int set_limit(int fd, uint64_t limit)
{
	struct goheap_settings set = { .set = GOHEAP_SET_MEMORY_LIMIT, .memory_limit = limit };

	return gh_settings(fd, &set);
}

static bool below(int fd, uint64_t limit)
{
	struct goheap_arena_stats st = gh_stats(fd);

	if (st.inuse_bytes > limit || st.inuse_bytes + st.retained_bytes <= limit)
		return gh_consistent(&st);
	fprintf(stderr, "# in use %llu, retained %llu\n", (unsigned long long)st.inuse_bytes,
		(unsigned long long)st.retained_bytes);
	return false;
}

TEST_F(arena, as_it_grows)
{
	struct goheap_arena_stats st;
	struct goheap_span a, b, c;

	ASSERT_EQ(0, set_limit(self->fd, LIMIT));
	ASSERT_EQ(0, gh_alloc(self->fd, 4 * MIB / GH_PAGE, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &b));
	ASSERT_EQ(0, gh_free(self->fd, &a));
	EXPECT_EQ(0, gh_stats(self->fd).freed_bytes);
	/* 12 backed, 6 to come, 4 of them free: 2 must go. */
	ASSERT_EQ(0, gh_alloc(self->fd, 6 * MIB / GH_PAGE, &c));
	st = gh_stats(self->fd);
	EXPECT_EQ(2 * MIB, st.scav_limit_bytes);
	EXPECT_EQ(2 * MIB, st.retained_bytes);
	EXPECT_EQ(LIMIT, st.inuse_bytes + st.retained_bytes);
	/* In use above the limit: allowed, with nothing retained. */
	ASSERT_EQ(0, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &a));
	st = gh_stats(self->fd);
	EXPECT_EQ(22 * MIB, st.inuse_bytes);
	EXPECT_EQ(0, st.retained_bytes);
	/* Below it again by freeing: the free pages go at once, as far as they must. */
	ASSERT_EQ(0, gh_free(self->fd, &b));
	st = gh_stats(self->fd);
	EXPECT_EQ(14 * MIB, st.inuse_bytes);
	EXPECT_EQ(2 * MIB, st.retained_bytes);
	EXPECT_EQ(st.freed_bytes, st.scav_limit_bytes);
}

TEST_F(arena, lowered)
{
	struct goheap_span a, b;

	ASSERT_EQ(0, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &b));
	ASSERT_EQ(0, gh_free(self->fd, &b));
	ASSERT_EQ(0, set_limit(self->fd, LIMIT));
	EXPECT_EQ(8 * MIB, gh_stats(self->fd).retained_bytes);
	/* Rounded down to pages: below means below. */
	ASSERT_EQ(0, set_limit(self->fd, 10 * MIB - 1));
	EXPECT_EQ(2 * MIB - GH_PAGE, gh_stats(self->fd).retained_bytes);
	ASSERT_EQ(0, set_limit(self->fd, 0));
	EXPECT_EQ(0, gh_stats(self->fd).retained_bytes);
	EXPECT_EQ(8 * MIB, gh_stats(self->fd).scav_limit_bytes);
	ASSERT_EQ(0, gh_free(self->fd, &a));
	EXPECT_EQ(0, gh_stats(self->fd).retained_bytes);
}

TEST_F(arena, switched_off)
{
	struct goheap_span a;

	ASSERT_EQ(0, gh_triggers(self->fd, GOHEAP_SCAVENGE_ALL & ~GOHEAP_SCAVENGE_LIMIT));
	ASSERT_EQ(0, set_limit(self->fd, MIB));
	ASSERT_EQ(0, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &a));
	ASSERT_EQ(0, gh_free(self->fd, &a));
	EXPECT_EQ(8 * MIB, gh_stats(self->fd).retained_bytes);
	ASSERT_EQ(0, gh_triggers(self->fd, GOHEAP_SCAVENGE_LIMIT));
	EXPECT_EQ(MIB, gh_stats(self->fd).retained_bytes);
}

/* Whatever is asked for, in whatever order. */
TEST_F(arena, at_random)
{
	static struct goheap_span s[128];
	uint64_t rnd = 5;
	int i, n;

	ASSERT_EQ(0, set_limit(self->fd, LIMIT));
	for (i = 0; i < 3000; i++) {
		n = gh_random(&rnd) % 128;
		if (s[n].npages) {
			ASSERT_EQ(0, gh_free(self->fd, &s[n]));
			s[n].npages = 0;
		} else {
			ASSERT_EQ(0, gh_alloc(self->fd, 1 + gh_random(&rnd) % 56, &s[n]));
		}
		ASSERT_TRUE(below(self->fd, LIMIT)) TH_LOG("after step %d", i);
	}
	EXPECT_LT(0, gh_stats(self->fd).scav_limit_bytes);
}

static void *churn(void *arg)
{
	int fd = *(int *)arg, i, n;
	struct goheap_span s[16] = { };
	uint64_t rnd = (uintptr_t)&s;

	for (i = 0; i < 1500; i++) {
		n = gh_random(&rnd) % 16;
		if (s[n].npages) {
			if (gh_free(fd, &s[n]))
				return (void *)1;
			s[n].npages = 0;
		} else if (gh_alloc(fd, 1 + gh_random(&rnd) % 60, &s[n])) {
			return (void *)2;
		}
	}
	return NULL;
}

/* Four threads: 64 spans of at most 60 pages, 30 MiB if all were there at once. */
TEST_F(arena, by_threads)
{
	pthread_t t[4];
	void *ret;
	int i;

	ASSERT_EQ(0, set_limit(self->fd, 32 * MIB));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, churn, &self->fd));
	for (i = 0; i < 3000; i++)
		ASSERT_TRUE(below(self->fd, 32 * MIB));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(t[i], &ret));
		EXPECT_EQ(NULL, ret);
	}
}

TEST_HARNESS_MAIN
