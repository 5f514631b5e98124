// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: madvise(), mprotect() or mremap() of the mapping, before or after a
 * fork, by which parent and child come to share what they write, or lose it.
 */
#include "arena.h"
#include "forks.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK	18
#define MADV_KEEPONFORK	19
#endif

/* Fork, write on both sides, and see that neither sees the other's. */
static int diverges(int fd, struct heap *h)
{
	struct signal_pipe child, parent;
	pid_t pid;
	int ret;

	if (!sp_make(&child) || !sp_make(&parent))
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		struct goheap_span s;

		CHILD_CHECK(1, heap_holds(h));
		gh_fill(gh_ptr(&h->a), gh_bytes(&h->a), 31);
		sp_tell(&child);
		sp_wait(&parent);
		CHILD_CHECK(2, gh_holds(gh_ptr(&h->a), gh_bytes(&h->a), 31));
		CHILD_CHECK(3, gh_holds(gh_ptr(&h->b), gh_bytes(&h->b), 2));
		CHILD_CHECK(4, !gh_alloc(fd, 5, &s) && !gh_free(fd, &s));
		_exit(0);
	}
	sp_wait(&child);
	if (!heap_holds(h))
		return -2;
	gh_fill(gh_ptr(&h->b), gh_bytes(&h->b), 32);
	sp_tell(&parent);
	ret = gh_wait(pid);
	if (!gh_holds(gh_ptr(&h->b), gh_bytes(&h->b), 32))
		return -3;
	gh_fill(gh_ptr(&h->b), gh_bytes(&h->b), 2);
	return ret;
}

/* The kernel's page tables are not to be copied, whatever the flags say. */
TEST_F(arena, keep_on_fork)
{
	struct heap h;

	ASSERT_TRUE(heap_make(self->fd, &h));
	EXPECT_EQ(0, diverges(self->fd, &h));
	ASSERT_EQ(0, madvise(self->base, self->bytes, MADV_KEEPONFORK));
	EXPECT_EQ(0, diverges(self->fd, &h));
	EXPECT_EQ(0, diverges(self->fd, &h));
	/* Only private memory can be wiped; the heap is not. */
	EXPECT_NE(0, madvise(self->base, self->bytes, MADV_WIPEONFORK));
	EXPECT_EQ(0, diverges(self->fd, &h));
}

TEST_F(arena, dont_fork)
{
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_EQ(0, madvise(self->base, self->bytes, MADV_DONTFORK));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_span s;

		CHILD_CHECK(1, gh_touch(gh_ptr(&h.a), false) == SIGSEGV);
		CHILD_CHECK(2, gh_alloc(self->fd, 1, &s) == EPERM);
		CHILD_CHECK(3, gh_free(self->fd, &h.a) == EPERM);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
	EXPECT_EQ(0, gh_stats(self->fd).forks);
	ASSERT_EQ(0, madvise(self->base, self->bytes, MADV_DOFORK));
	EXPECT_EQ(0, diverges(self->fd, &h));
	EXPECT_EQ(1, gh_stats(self->fd).forks);
}

struct arena_range {
	char *base;
	size_t bytes;
};

/* Read-only and writable again: what was written before the fork is dirty. */
static bool flip(struct arena_range *r)
{
	return !mprotect(r->base, r->bytes, PROT_READ) &&
	       !mprotect(r->base, r->bytes, PROT_READ | PROT_WRITE);
}

TEST_F(arena, mprotect)
{
	struct arena_range r = { self->base, self->bytes };
	struct signal_pipe child, parent;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_span s;

		sp_wait(&parent);
		CHILD_CHECK(1, heap_holds(&h));
		CHILD_CHECK(2, flip(&r));
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 41);
		CHILD_CHECK(3, flip(&r));
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 42);
		/* New spans, and touching what may not be written. */
		CHILD_CHECK(4, !mprotect(self->base, self->bytes, PROT_READ));
		CHILD_CHECK(5, !gh_alloc(self->fd, 10, &s));
		CHILD_CHECK(6, !gh_touch(gh_ptr(&s), false));
		CHILD_CHECK(7, gh_touch(gh_ptr(&s), true) == SIGSEGV);
		CHILD_CHECK(8, gh_touch(gh_ptr(&h.b), true) == SIGSEGV);
		CHILD_CHECK(9, !mprotect(self->base, self->bytes, PROT_READ | PROT_WRITE));
		gh_fill(gh_ptr(&s), gh_bytes(&s), 43);
		sp_tell(&child);
		_exit(0);
	}
	EXPECT_TRUE(flip(&r));
	gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 51);
	gh_fill(gh_ptr(&h.b), gh_bytes(&h.b), 52);
	/* Not what the parent wrote, but what was there. */
	gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 1);
	sp_tell(&parent);
	/* The child reads span b, too: it must not hold 52. */
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 1));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.b), gh_bytes(&h.b), 52));
}

/* Taken out of the page tables, pages come back as they were, in each of them. */
TEST_F(arena, dontneed)
{
	struct signal_pipe child, parent;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 61);
		CHILD_CHECK(1, !madvise(gh_ptr(&h.a), gh_bytes(&h.a), MADV_DONTNEED));
		CHILD_CHECK(2, gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 61));
		CHILD_CHECK(3, !madvise(gh_ptr(&h.b), gh_bytes(&h.b), MADV_DONTNEED));
		/* The first access is a write. */
		gh_fill(gh_ptr(&h.b), 100 * GH_PAGE, 62);
		sp_tell(&child);
		sp_wait(&parent);
		CHILD_CHECK(4, gh_holds(gh_ptr(&h.b), 100 * GH_PAGE, 62));
		_exit(0);
	}
	sp_wait(&child);
	EXPECT_EQ(0, madvise(self->base, self->bytes, MADV_DONTNEED));
	EXPECT_TRUE(heap_holds(&h));
	EXPECT_EQ(0, madvise(self->base, self->bytes, MADV_DONTNEED));
	gh_fill(gh_ptr(&h.b), gh_bytes(&h.b), 63);
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 1));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.b), gh_bytes(&h.b), 63));
}

/* What is refused to a parent is refused to its child. */
TEST_F(arena, split_and_move)
{
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(1, munmap(self->base, 4 * MIB) && errno == EINVAL);
		CHILD_CHECK(2, mprotect(self->base, 4 * MIB, PROT_READ) && errno == EINVAL);
		CHILD_CHECK(3, mremap(self->base, self->bytes, self->bytes,
				      MREMAP_MAYMOVE | MREMAP_FIXED,
				      self->base + 2 * self->bytes) == MAP_FAILED &&
			       errno == EINVAL);
		CHILD_CHECK(4, mprotect(self->base, self->bytes, PROT_READ | PROT_EXEC) &&
			       errno == EACCES);
		CHILD_CHECK(5, heap_holds(&h));
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 71);
		CHILD_CHECK(6, gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 71));
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
	/* The parent, with a relative there was. */
	EXPECT_EQ(MAP_FAILED, mremap(self->base, self->bytes, self->bytes,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     self->base + 2 * self->bytes));
	h.st = gh_stats(self->fd);
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

TEST_HARNESS_MAIN
