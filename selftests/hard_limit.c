// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: an arena that exceeds its hard limit, is refused below it, or does
 * half of what it is refused.
 */
#include <pthread.h>

#include "arena.h"

#define LIMIT	(16 * MIB)

static int set_hard(int fd, uint64_t limit)
{
	struct goheap_settings set = { .set = GOHEAP_SET_HARD_LIMIT, .hard_limit = limit };

	return gh_settings(fd, &set);
}

static uint64_t backed(int fd)
{
	struct goheap_arena_stats st = gh_stats(fd);

	return st.inuse_bytes + st.retained_bytes;
}

TEST_F(arena, to_the_page)
{
	struct goheap_arena_stats before, after;
	struct goheap_span a, b, c;

	ASSERT_EQ(0, set_hard(self->fd, LIMIT));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, LIMIT / GH_PAGE + 1, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, LIMIT / GH_PAGE - 1, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 1, &b));
	before = gh_stats(self->fd);
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 1, &c));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	EXPECT_EQ(before.enomem + 1, after.enomem);
	ASSERT_EQ(0, gh_free(self->fd, &b));
	EXPECT_EQ(0, gh_alloc(self->fd, 1, &c));
	/* Bytes that make no page are of no use. */
	ASSERT_EQ(0, set_hard(self->fd, LIMIT + GH_PAGE - 1));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 1, &b));
	ASSERT_EQ(0, set_hard(self->fd, LIMIT + GH_PAGE));
	EXPECT_EQ(0, gh_alloc(self->fd, 1, &b));
}

/* A batch of which a part would fit. */
TEST_F(arena, all_or_none)
{
	struct goheap_span s[4] = { { .npages = 600 }, { .npages = 600 },
				    { .npages = 600 }, { .npages = 600 } };
	int i;

	ASSERT_EQ(0, set_hard(self->fd, LIMIT));
	EXPECT_EQ(ENOMEM, gh_alloc_batch(self->fd, s, 4));
	EXPECT_EQ(0, backed(self->fd));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, s[i].addr);
	EXPECT_EQ(0, gh_alloc_batch(self->fd, s, 3));
}

/* Free pages in the wrong place make room, also with every trigger off. */
TEST_F(arena, retained_makes_room)
{
	struct goheap_span s[64], big;
	int i;

	ASSERT_EQ(0, gh_triggers(self->fd, 0));
	ASSERT_EQ(0, set_hard(self->fd, LIMIT));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, gh_alloc(self->fd, LIMIT / 64 / GH_PAGE, &s[i]));
	for (i = 0; i < 64; i += 2)
		ASSERT_EQ(0, gh_free(self->fd, &s[i]));
	EXPECT_EQ(LIMIT, backed(self->fd));
	ASSERT_EQ(0, gh_alloc(self->fd, LIMIT / 2 / GH_PAGE, &big));
	EXPECT_EQ(LIMIT, backed(self->fd));
	EXPECT_EQ(LIMIT / 2, gh_stats(self->fd).scav_limit_bytes);
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 1, &s[0]));
	/* What can never fit takes nothing from what is there. */
	ASSERT_EQ(0, gh_free(self->fd, &big));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, LIMIT / 2 / GH_PAGE + 1, &big));
	EXPECT_EQ(LIMIT / 2, gh_stats(self->fd).scav_limit_bytes);
	EXPECT_EQ(LIMIT, backed(self->fd));
}

/* Below what there is: that stays, and what it can be made of may be had. */
TEST_F(arena, lowered)
{
	struct goheap_span a, b, c;

	ASSERT_EQ(0, gh_alloc(self->fd, 1024, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 1024, &b));
	ASSERT_EQ(0, set_hard(self->fd, 1024 * GH_PAGE));
	EXPECT_EQ(0, gh_touch(gh_ptr(&b), true));
	EXPECT_EQ(2048 * GH_PAGE, backed(self->fd));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 1, &c));
	ASSERT_EQ(0, gh_free(self->fd, &b));
	EXPECT_EQ(0, gh_alloc(self->fd, 1024, &b));
	ASSERT_EQ(0, gh_free(self->fd, &b));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 1025, &c));
	ASSERT_EQ(0, set_hard(self->fd, 0));
	EXPECT_EQ(0, gh_alloc(self->fd, 1024, &b));
	ASSERT_EQ(0, set_hard(self->fd, GH_ALL));
	EXPECT_EQ(0, gh_alloc(self->fd, 1025, &c));
}

/* A terabyte is refused before its descriptors are made. */
TEST(refused_cheaply)
{
	struct goheap_span s;
	int fd = gh_open();

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, GOHEAP_ARENA_BYTES_MAX));
	ASSERT_EQ(0, set_hard(fd, LIMIT));
	EXPECT_EQ(ENOMEM, gh_alloc(fd, (1ULL << 40) / GH_PAGE, &s));
	EXPECT_EQ(0, gh_stats(fd).grown_bytes);
	EXPECT_EQ(0, gh_alloc(fd, 1, &s));
	close(fd);
}

static void *hammer(void *arg)
{
	int fd = *(int *)arg, i, n;
	struct goheap_span s[16] = { };
	uint64_t rnd = (uintptr_t)&s;
	long refused = 0;

	for (i = 0; i < 600; i++) {
		n = gh_random(&rnd) % 16;
		if (s[n].npages) {
			if (gh_free(fd, &s[n]))
				return (void *)-1L;
			s[n].npages = 0;
		} else if (gh_alloc(fd, 1 + gh_random(&rnd) % 100, &s[n])) {
			if (errno != ENOMEM)
				return (void *)-2L;
			s[n].npages = 0;
			refused++;
		}
	}
	return (void *)refused;
}

/* Four threads that want more than there may be. */
TEST_F(arena, never_above)
{
	const uint64_t limit = 4 * MIB;
	long refused = 0;
	pthread_t t[4];
	void *ret;
	int i;

	ASSERT_EQ(0, set_hard(self->fd, limit));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, hammer, &self->fd));
	for (i = 0; i < 3000; i++)
		ASSERT_GE(limit, backed(self->fd));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(t[i], &ret));
		EXPECT_LE(0, (long)ret);
		refused += (long)ret;
	}
	EXPECT_LT(0, refused);
	EXPECT_GE(limit, backed(self->fd));
}

TEST_HARNESS_MAIN
