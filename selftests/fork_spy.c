// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a pipe that shows what is written to a page by the one process after
 * the other, which put the page there, has given it up.
 */
#include "arena.h"
#include "forks.h"

#include <sys/uio.h>

/* How the one who put the page into the pipe gives it up. */
enum end {
	END_EXIT,
	END_MUNMAP,
	END_WRITE,
	END_RELEASE,
};

static bool splice_page(int to, char *page)
{
	struct iovec iov = { .iov_base = page, .iov_len = 4096 };

	return vmsplice(to, &iov, 1, 0) == 4096;
}

static bool give_up(int fd, char *base, struct heap *h, char *page, enum end end)
{
	uint64_t all = GH_ALL;

	switch (end) {
	case END_WRITE:
		gh_fill(page, 4096, 83);
		return true;
	case END_RELEASE:
		return !gh_free(fd, &h->a) && !gh_release(fd, 0, &all);
	case END_MUNMAP:
		return !munmap(base, GH_ARENA_BYTES);
	default:
		return true;
	}
}

static int wait_until_given_up(pid_t pid, struct signal_pipe *child, enum end end)
{
	if (end == END_EXIT)
		return gh_wait(pid);
	sp_wait(child);
	return 0;
}

FIXTURE_VARIANT(arena)
{
	enum end end;
};

FIXTURE_VARIANT_ADD(arena, exit) { .end = END_EXIT };
FIXTURE_VARIANT_ADD(arena, munmap) { .end = END_MUNMAP };
FIXTURE_VARIANT_ADD(arena, write) { .end = END_WRITE };
FIXTURE_VARIANT_ADD(arena, release) { .end = END_RELEASE };

TEST_F(arena, child_spies)
{
	char *page, was[4096], got[4096];
	struct signal_pipe child, parent;
	struct goheap_span s;
	struct heap h;
	int data[2];
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_EQ(0, pipe(data));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	page = gh_ptr(&h.a) + 5 * 4096;
	memcpy(was, page, sizeof(was));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(1, splice_page(data[1], page));
		CHILD_CHECK(2, give_up(self->fd, self->base, &h, page, variant->end));
		if (variant->end != END_EXIT) {
			sp_tell(&child);
			sp_wait(&parent);
		}
		_exit(0);
	}
	EXPECT_EQ(0, wait_until_given_up(pid, &child, variant->end));
	/* A request that maps is where the parent may leave shared mode. */
	ASSERT_EQ(0, gh_alloc(self->fd, 1, &s));
	gh_fill(page, 4096, 84);
	ASSERT_EQ(4096, read(data[0], got, sizeof(got)));
	EXPECT_EQ(0, memcmp(was, got, sizeof(got)));
	EXPECT_TRUE(gh_holds(page, 4096, 84));
	if (variant->end != END_EXIT) {
		sp_tell(&parent);
		EXPECT_EQ(0, gh_wait(pid));
	}
}

TEST_F(arena, parent_spies)
{
	char *page, was[4096], got[4096];
	struct signal_pipe child, parent;
	struct heap h;
	int data[2];
	pid_t pid;

	if (variant->end == END_EXIT)
		SKIP(return, "the parent stays, to look");
	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_EQ(0, pipe(data));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	page = gh_ptr(&h.a) + 5 * 4096;
	memcpy(was, page, sizeof(was));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_span s;

		sp_wait(&parent);
		CHILD_CHECK(1, !gh_alloc(self->fd, 1, &s));
		gh_fill(page, 4096, 85);
		sp_tell(&child);
		sp_wait(&parent);
		CHILD_CHECK(2, gh_holds(page, 4096, 85));
		_exit(0);
	}
	ASSERT_TRUE(splice_page(data[1], page));
	ASSERT_TRUE(give_up(self->fd, self->base, &h, page, variant->end));
	sp_tell(&parent);
	sp_wait(&child);
	ASSERT_EQ(4096, read(data[0], got, sizeof(got)));
	EXPECT_EQ(0, memcmp(was, got, sizeof(got)));
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
}

TEST_HARNESS_MAIN
