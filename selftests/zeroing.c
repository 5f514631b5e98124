// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a byte of another process or of another arena in a span, a page
 * that is said to be zero and is not, or recycled pages that are not said to
 * need clearing.
 */
#include "arena.h"

#define NEEDZERO GOHEAP_SPAN_NEEDZERO

/* Does the flag tell the truth?  Leaves the span full of @seed. */
static bool flag_is_true(struct goheap_span *s, uint64_t seed)
{
	bool ok = (s->flags & NEEDZERO) || gh_is_zero(gh_ptr(s), gh_bytes(s));

	gh_fill(gh_ptr(s), gh_bytes(s), seed);
	return ok;
}

TEST_F(arena, fresh)
{
	struct goheap_span span;
	int i;

	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, gh_alloc(self->fd, 100 + 200 * i, &span));
		EXPECT_EQ(0, span.flags & NEEDZERO);
		EXPECT_TRUE(flag_is_true(&span, i));
	}
}

/* What other processes wrote, whichever way they ended, is not seen. */
TEST_F(arena, after_another_process)
{
	struct goheap_span span;
	int round;

	for (round = 0; round < 4; round++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			int fd = gh_open();
			uint64_t bytes = GH_ALL;

			if (fd < 0 || !gh_map(fd, 64 * MIB) || gh_alloc(fd, 1024, &span))
				_exit(1);
			memset(gh_ptr(&span), 0xa5, gh_bytes(&span));
			if (round & 1)
				if (gh_free(fd, &span) || gh_release(fd, 0, &bytes))
					_exit(2);
			if (round & 2)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		EXPECT_EQ(round & 2 ? 128 + SIGKILL : 0, gh_wait(pid));
		ASSERT_EQ(0, gh_alloc(self->fd, 1500, &span));
		EXPECT_EQ(0, span.flags & NEEDZERO);
		EXPECT_TRUE(flag_is_true(&span, round));
	}
}

TEST_F(arena, retained)
{
	struct goheap_span span;

	ASSERT_EQ(0, gh_alloc(self->fd, 64, &span));
	gh_fill(gh_ptr(&span), gh_bytes(&span), 1);
	ASSERT_EQ(0, gh_free(self->fd, &span));
	ASSERT_EQ(0, gh_alloc(self->fd, 64, &span));
	EXPECT_EQ(NEEDZERO, span.flags);
	/* "what this process itself last wrote" */
	EXPECT_TRUE(gh_holds(gh_ptr(&span), gh_bytes(&span), 1));
}

TEST_F(arena, written_after_free)
{
	struct goheap_span span;

	/* Not written while it was a span, but after: a stale pointer may do so. */
	ASSERT_EQ(0, gh_alloc(self->fd, 4, &span));
	ASSERT_EQ(0, gh_free(self->fd, &span));
	gh_fill(gh_ptr(&span), gh_bytes(&span), 1);
	ASSERT_EQ(0, gh_alloc(self->fd, 4, &span));
	EXPECT_EQ(NEEDZERO, span.flags);
}

TEST_F(arena, released)
{
	struct goheap_span span;
	uint64_t bytes = GH_ALL;

	ASSERT_EQ(0, gh_alloc(self->fd, 64, &span));
	gh_fill(gh_ptr(&span), gh_bytes(&span), 1);
	ASSERT_EQ(0, gh_free(self->fd, &span));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	ASSERT_EQ(0, gh_alloc(self->fd, 64, &span));
	EXPECT_EQ(0, span.flags & NEEDZERO);
	EXPECT_TRUE(flag_is_true(&span, 2));
}

TEST_F(arena, kept)
{
	struct goheap_span span;
	uint64_t bytes = GH_ALL;

	ASSERT_EQ(0, gh_alloc(self->fd, 64, &span));
	gh_fill(gh_ptr(&span), gh_bytes(&span), 1);
	ASSERT_EQ(0, gh_free(self->fd, &span));
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	ASSERT_EQ(0, gh_alloc(self->fd, 64, &span));
	EXPECT_EQ(NEEDZERO, span.flags);
	EXPECT_TRUE(gh_holds(gh_ptr(&span), gh_bytes(&span), 1));
	/* Kept, then given back after all. */
	ASSERT_EQ(0, gh_free(self->fd, &span));
	bytes = GH_ALL;
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	bytes = GH_ALL;
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_EQ(gh_bytes(&span), bytes);
	ASSERT_EQ(0, gh_alloc(self->fd, 64, &span));
	EXPECT_EQ(0, span.flags & NEEDZERO);
	EXPECT_TRUE(flag_is_true(&span, 2));
}

/* Half recycled, half fresh: the flag is for the whole span. */
TEST_F(arena, mixed)
{
	struct goheap_span span;

	ASSERT_EQ(0, gh_alloc(self->fd, 8, &span));
	gh_fill(gh_ptr(&span), gh_bytes(&span), 1);
	ASSERT_EQ(0, gh_free(self->fd, &span));
	ASSERT_EQ(0, gh_alloc(self->fd, 16, &span));
	ASSERT_EQ((uintptr_t)self->base, span.addr);
	EXPECT_EQ(NEEDZERO, span.flags);
	EXPECT_TRUE(gh_holds(gh_ptr(&span), 8 * GH_PAGE, 1));
	EXPECT_TRUE(gh_is_zero(gh_ptr(&span) + 8 * GH_PAGE, 8 * GH_PAGE));
}

/* The flag of each span of a batch is its own. */
TEST_F(arena, each_of_a_batch)
{
	struct goheap_span a, s[3] = { { .npages = 8 }, { .npages = 8 }, { .npages = 8 } };

	ASSERT_EQ(0, gh_alloc(self->fd, 8, &a));
	gh_fill(gh_ptr(&a), gh_bytes(&a), 1);
	ASSERT_EQ(0, gh_free(self->fd, &a));
	ASSERT_EQ(0, gh_alloc_batch(self->fd, s, 3));
	EXPECT_EQ(NEEDZERO, s[0].flags);
	EXPECT_EQ(0, s[1].flags);
	EXPECT_EQ(0, s[2].flags);
	EXPECT_TRUE(flag_is_true(&s[1], 1));
	EXPECT_TRUE(flag_is_true(&s[2], 1));
}

/* NOSCAN comes back as it was given, whatever is said beside it. */
TEST_F(arena, beside_noscan)
{
	struct goheap_span s = { .npages = 8, .flags = GOHEAP_SPAN_NOSCAN };

	ASSERT_EQ(0, gh_alloc_batch(self->fd, &s, 1));
	EXPECT_EQ(0, s.flags & NEEDZERO);
	gh_fill(gh_ptr(&s), gh_bytes(&s), 1);
	ASSERT_EQ(0, gh_free(self->fd, &s));
	s.addr = 0;
	s.flags = GOHEAP_SPAN_NOSCAN;
	ASSERT_EQ(0, gh_alloc_batch(self->fd, &s, 1));
	EXPECT_EQ(NEEDZERO, s.flags & NEEDZERO);
}

/* Any order of everything; every span is checked and then dirtied. */
TEST_F(arena, random_work)
{
	enum { SPANS = 64, STEPS = 1500 };
	struct goheap_span span[SPANS] = { };
	uint64_t seed = 7;
	int step;

	for (step = 0; step < STEPS; step++) {
		struct goheap_span *s = &span[gh_random(&seed) % SPANS];
		uint64_t bytes = gh_random(&seed) % (2 * MIB);

		switch (gh_random(&seed) % 8) {
		case 0:
			ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
			break;
		case 1:
			ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
			break;
		default:
			if (s->addr) {
				ASSERT_EQ(0, gh_free(self->fd, s));
				s->addr = 0;
			} else {
				ASSERT_EQ(0, gh_alloc(self->fd, 1 + gh_random(&seed) % 60, s));
				ASSERT_TRUE(flag_is_true(s, step))
					TH_LOG("step %d", step);
			}
		}
	}
}

TEST_HARNESS_MAIN
