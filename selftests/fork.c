// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a child that can use, see, or by its end take away its parent's
 * heap.
 */
#include "arena.h"

#include <sched.h>
#include <spawn.h>

#ifndef MADV_DOFORK
#define MADV_DOFORK 11
#endif

extern char **environ;

struct heap {
	struct goheap_span a, b;
	struct goheap_arena_stats st;
};

static bool heap_make(int fd, struct heap *h)
{
	if (gh_alloc(fd, 64, &h->a) || gh_alloc(fd, 700, &h->b))
		return false;
	gh_fill(gh_ptr(&h->a), gh_bytes(&h->a), 1);
	gh_fill(gh_ptr(&h->b), gh_bytes(&h->b), 2);
	h->st = gh_stats(fd);
	return true;
}

/* The parent's: as it was, and it goes on. */
static bool heap_ok(int fd, struct heap *h)
{
	struct goheap_arena_stats st = gh_stats(fd);
	struct goheap_span s;

	return gh_unchanged(&h->st, &st) &&
	       gh_holds(gh_ptr(&h->a), gh_bytes(&h->a), 1) &&
	       gh_holds(gh_ptr(&h->b), gh_bytes(&h->b), 2) &&
	       !gh_alloc(fd, 5, &s) && !gh_touch(gh_ptr(&s), true) && !gh_free(fd, &s);
}

TEST_F(arena, requests_of_a_child)
{
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_arena_stats st;
		struct goheap_info info;
		struct goheap_span s;
		uint64_t bytes = GH_ALL;

		if (gh_info(self->fd, &info) != EPERM)
			_exit(1);
		if (gh_try_stats(self->fd, &st) != EPERM)
			_exit(2);
		if (gh_alloc(self->fd, 1, &s) != EPERM)
			_exit(3);
		if (gh_free(self->fd, &h.a) != EPERM)
			_exit(4);
		if (gh_release(self->fd, 0, &bytes) != EPERM)
			_exit(5);
		if (gh_map(self->fd, self->bytes) || errno != EPERM)
			_exit(6);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

/* The heap is the opener's alone: the child has nothing at its addresses. */
TEST_F(arena, memory_of_a_child)
{
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (!gh_touch(gh_ptr(&h.a), false))
			_exit(1);
		if (!gh_touch(gh_ptr(&h.b), true))
			_exit(2);
		if (!gh_touch(self->base + self->bytes - 1, true))
			_exit(3);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

/* What a child closes, unmaps or leaves by its end is its own. */
TEST_F(arena, end_of_a_child)
{
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		munmap(self->base, self->bytes);
		close(self->fd);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		kill(getpid(), SIGKILL);
	EXPECT_EQ(128 + SIGKILL, gh_wait(pid));
	h.st = gh_stats(self->fd);
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

/* A child opens for itself, at the addresses that its parent's heap has there. */
TEST_F(arena, child_with_an_arena_of_its_own)
{
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct heap own;
		int fd = gh_open();
		void *p;

		if (fd < 0)
			_exit(1);
		p = mmap(self->base, self->bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0);
		if (p != self->base)
			_exit(2);
		if (gh_alloc(fd, 64, &own.a) || !gh_is_zero(gh_ptr(&own.a), gh_bytes(&own.a)))
			_exit(3);
		gh_fill(gh_ptr(&own.a), gh_bytes(&own.a), 99);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

/* The parent ends first. */
TEST(child_outlives_parent)
{
	int p[2];
	char c = 1;
	pid_t pid;

	ASSERT_EQ(0, pipe(p));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct heap h;
		int fd = gh_open(), gone[2];

		if (fd < 0 || !gh_map(fd, 64 * MIB) || !heap_make(fd, &h) || pipe(gone))
			_exit(1);
		if (!fork()) {
			struct goheap_span s;

			close(gone[1]);
			/* End of file: the parent has gone. */
			if (read(gone[0], &c, 1))
				_exit(1);
			c = gh_alloc(fd, 1, &s);
			if (write(p[1], &c, 1) != 1)
				_exit(1);
			close(fd);
			_exit(0);
		}
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	ASSERT_EQ(1, read(p[0], &c, 1));
	EXPECT_EQ(EPERM, c);
}

/*
 * A program may ask for the mapping to be inherited after all.  Whatever the
 * child then has, its end and its writes are no harm to the requests of its
 * parent.
 */
TEST_F(arena, dofork)
{
	struct goheap_span s;
	struct heap h;
	pid_t pid;
	int i;

	ASSERT_TRUE(heap_make(self->fd, &h));
	madvise(self->base, self->bytes, MADV_DOFORK);
	for (i = 0; i < 3; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			struct goheap_span c;
			uint64_t bytes = GH_ALL;

			gh_touch(gh_ptr(&h.a), false);
			gh_touch(self->base + self->bytes - 1, true);
			if (gh_alloc(self->fd, 1, &c) != EPERM ||
			    gh_free(self->fd, &h.a) != EPERM ||
			    gh_release(self->fd, 0, &bytes) != EPERM)
				_exit(1);
			if (i == 1)
				munmap(self->base, self->bytes);
			if (i == 2)
				munmap(self->base, 4 * MIB);
			_exit(0);
		}
		EXPECT_EQ(0, gh_wait(pid));
		EXPECT_TRUE(gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 1));
		ASSERT_EQ(0, gh_alloc(self->fd, 10, &s));
		EXPECT_EQ(0, gh_touch(gh_ptr(&s), true));
		ASSERT_EQ(0, gh_free(self->fd, &s));
	}
	/* And it can be given back, with nobody holding on to it. */
	ASSERT_EQ(0, munmap(self->base, self->bytes));
	EXPECT_EQ(ENXIO, gh_alloc(self->fd, 1, &s));
	self->base = NULL;
}

static int vm_child(void *arg)
{
	int fd = *(int *)arg;
	struct goheap_span s;

	/* The same mm: the same process as far as the arena is concerned. */
	return gh_alloc(fd, 3, &s) || gh_touch(gh_ptr(&s), true) || gh_free(fd, &s);
}

TEST_F(arena, same_mm)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	pid = clone(vm_child, stack + sizeof(stack), CLONE_VM | SIGCHLD, &self->fd);
	ASSERT_LE(0, pid);
	EXPECT_EQ(0, gh_wait(pid));
	h.st = gh_stats(self->fd);
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

TEST_F(arena, spawn_and_system)
{
	char *argv[] = { "true", NULL };
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_EQ(0, posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ));
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
	EXPECT_EQ(0, system("exit 0"));
	h.st = gh_stats(self->fd);
	EXPECT_TRUE(heap_ok(self->fd, &h));
	pid = vfork();
	if (!pid)
		_exit(0);
	EXPECT_EQ(0, gh_wait(pid));
	h.st = gh_stats(self->fd);
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

TEST_HARNESS_MAIN
