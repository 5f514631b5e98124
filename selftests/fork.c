// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a child that does not find its parent's heap as it was, that cannot
 * use all of it, or whose use of it is seen by its parent.
 */
#include "arena.h"
#include "forks.h"

#include <sched.h>
#include <spawn.h>

extern char **environ;

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

		CHILD_CHECK(1, !gh_info(self->fd, &info));
		CHILD_CHECK(2, info.arena_start == (uintptr_t)self->base &&
			       info.arena_bytes == self->bytes);
		CHILD_CHECK(3, info.features & GOHEAP_FEATURE_FORK);
		CHILD_CHECK(4, !gh_try_stats(self->fd, &st));
		CHILD_CHECK(5, gh_consistent(&st));
		CHILD_CHECK(6, st.inuse_bytes == h.st.inuse_bytes && st.spans == 2);
		CHILD_CHECK(7, !gh_alloc(self->fd, 100, &s));
		CHILD_CHECK(8, gh_is_zero(gh_ptr(&s), gh_bytes(&s)));
		gh_fill(gh_ptr(&s), gh_bytes(&s), 3);
		CHILD_CHECK(9, heap_holds(&h));
		CHILD_CHECK(10, !gh_free(self->fd, &h.a));
		CHILD_CHECK(11, gh_free(self->fd, &h.a) == EINVAL);
		CHILD_CHECK(12, gh_free_range(self->fd, h.b.addr, 699) == EINVAL);
		CHILD_CHECK(13, !gh_free(self->fd, &h.b));
		CHILD_CHECK(14, !gh_release(self->fd, 0, &bytes));
		CHILD_CHECK(15, bytes == 764 * GH_PAGE);
		CHILD_CHECK(16, gh_holds(gh_ptr(&s), gh_bytes(&s), 3));
		CHILD_CHECK(17, gh_touch(gh_ptr(&h.a), false) == SIGBUS);
		/* The place of what was freed is good for new spans. */
		CHILD_CHECK(18, !gh_alloc(self->fd, 64, &h.a));
		CHILD_CHECK(19, gh_is_zero(gh_ptr(&h.a), gh_bytes(&h.a)));
		st = gh_stats(self->fd);
		CHILD_CHECK(20, gh_consistent(&st));
		CHILD_CHECK(21, !gh_map(self->fd, self->bytes) && errno == EPERM);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

/* Growth in the child, beyond what the parent has ever used. */
TEST_F(arena, growth_in_a_child)
{
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_span s[8];
		int i;

		for (i = 0; i < 8; i++) {
			CHILD_CHECK(1, !gh_alloc(self->fd, 800, &s[i]));
			CHILD_CHECK(2, gh_is_zero(gh_ptr(&s[i]), gh_bytes(&s[i])));
			gh_fill(gh_ptr(&s[i]), gh_bytes(&s[i]), 10 + i);
		}
		for (i = 0; i < 8; i++)
			CHILD_CHECK(3, gh_holds(gh_ptr(&s[i]), gh_bytes(&s[i]), 10 + i));
		CHILD_CHECK(4, heap_holds(&h));
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

/* What one writes, the other does not see; whoever writes first. */
TEST_F(arena, writes_of_either)
{
	struct signal_pipe child, parent;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(1, gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 1));
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 11);
		sp_tell(&child);
		sp_wait(&parent);
		/* Not looked at before the parent has written to it. */
		CHILD_CHECK(2, gh_holds(gh_ptr(&h.b), gh_bytes(&h.b), 2));
		CHILD_CHECK(3, gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 11));
		_exit(0);
	}
	sp_wait(&child);
	EXPECT_TRUE(heap_holds(&h));
	gh_fill(gh_ptr(&h.b), gh_bytes(&h.b), 12);
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 1));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.b), gh_bytes(&h.b), 12));
}

/* The kernel writes for the process, too. */
TEST_F(arena, writes_by_system_calls)
{
	struct signal_pipe done;
	struct heap h;
	int data[2];
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_EQ(0, pipe(data));
	ASSERT_TRUE(sp_make(&done));
	ASSERT_EQ(8, write(data[1], "01234567", 8));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(1, read(data[0], gh_ptr(&h.a) + 4096, 8) == 8);
		CHILD_CHECK(2, !memcmp(gh_ptr(&h.a) + 4096, "01234567", 8));
		sp_tell(&done);
		_exit(0);
	}
	sp_wait(&done);
	EXPECT_TRUE(heap_holds(&h));
	EXPECT_EQ(0, gh_wait(pid));
}

/* The free pages that a parent keeps are not its child's. */
TEST_F(arena, free_pages)
{
	struct goheap_span s;
	struct heap h;
	pid_t pid;

	ASSERT_EQ(0, gh_alloc(self->fd, 200, &s));
	gh_fill(gh_ptr(&s), gh_bytes(&s), 5);
	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_EQ(0, gh_free(self->fd, &s));
	h.st = gh_stats(self->fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_arena_stats st = gh_stats(self->fd);
		struct goheap_span c;

		CHILD_CHECK(1, gh_consistent(&st));
		CHILD_CHECK(2, st.retained_bytes == 0);
		CHILD_CHECK(3, gh_touch(gh_ptr(&s), false) == SIGBUS);
		CHILD_CHECK(4, !gh_alloc(self->fd, 200, &c));
		CHILD_CHECK(5, c.addr == s.addr && !(c.flags & GOHEAP_SPAN_NEEDZERO));
		CHILD_CHECK(6, gh_is_zero(gh_ptr(&c), gh_bytes(&c)));
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_unchanged(self->fd, &h));
	EXPECT_TRUE(heap_holds(&h));
	ASSERT_EQ(0, gh_alloc(self->fd, 200, &s));
	EXPECT_NE(0, s.flags & GOHEAP_SPAN_NEEDZERO);
	EXPECT_TRUE(gh_holds(gh_ptr(&s), gh_bytes(&s), 5));
}

/* A span freed by one whose memory the other still has, and used again. */
TEST_F(arena, freed_by_one)
{
	struct signal_pipe freed, end;
	struct goheap_span s;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&freed) && sp_make(&end));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		sp_wait(&freed);
		CHILD_CHECK(1, heap_holds(&h));
		sp_tell(&end);
		sp_wait(&freed);
		CHILD_CHECK(2, heap_holds(&h));
		_exit(0);
	}
	/* Free and mapped: what is written by mistake now must not reach the child. */
	ASSERT_EQ(0, gh_free(self->fd, &h.a));
	gh_touch(gh_ptr(&h.a), true);
	ASSERT_EQ(0, gh_alloc(self->fd, 64, &s));
	ASSERT_EQ(h.a.addr, s.addr);
	EXPECT_NE(0, s.flags & GOHEAP_SPAN_NEEDZERO);
	gh_fill(gh_ptr(&s), gh_bytes(&s), 21);
	sp_tell(&freed);
	sp_wait(&end);
	/* The same by way of unmapped pages, and of none. */
	ASSERT_EQ(0, gh_free(self->fd, &h.b));
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &(uint64_t){ 300 * GH_PAGE }));
	ASSERT_EQ(0, gh_release(self->fd, 0, &(uint64_t){ 100 * GH_PAGE }));
	ASSERT_EQ(0, gh_alloc(self->fd, 700, &h.b));
	gh_fill(gh_ptr(&h.b), gh_bytes(&h.b), 22);
	sp_tell(&freed);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(gh_holds(gh_ptr(&s), gh_bytes(&s), 21));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.b), gh_bytes(&h.b), 22));
}

TEST_F(arena, figures)
{
	struct goheap_arena_stats st;
	struct signal_pipe child, parent;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	EXPECT_EQ(0, h.st.shared_bytes);
	EXPECT_EQ(0, h.st.copied_bytes);
	EXPECT_EQ(0, h.st.forks);
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		st = gh_stats(self->fd);
		CHILD_CHECK(1, st.shared_bytes == 764 * GH_PAGE);
		CHILD_CHECK(2, st.copied_bytes == 0 && st.forks == 0);
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 9);
		st = gh_stats(self->fd);
		CHILD_CHECK(3, st.copied_bytes == 64 * GH_PAGE);
		CHILD_CHECK(4, st.shared_bytes == 700 * GH_PAGE);
		CHILD_CHECK(5, gh_consistent(&st));
		sp_tell(&child);
		sp_wait(&parent);
		_exit(0);
	}
	sp_wait(&child);
	st = gh_stats(self->fd);
	EXPECT_EQ(1, st.forks);
	EXPECT_EQ(764 * GH_PAGE, st.shared_bytes);
	EXPECT_EQ(0, st.copied_bytes);
	/* Reading copies nothing. */
	EXPECT_TRUE(heap_holds(&h));
	EXPECT_EQ(0, gh_stats(self->fd).copied_bytes);
	/* What the child has copied is the parent's alone again: no copy. */
	gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 10);
	EXPECT_EQ(0, gh_stats(self->fd).copied_bytes);
	gh_fill(gh_ptr(&h.b), gh_bytes(&h.b), 10);
	EXPECT_EQ(700 * GH_PAGE, gh_stats(self->fd).copied_bytes);
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_EQ(0, gh_stats(self->fd).shared_bytes);
}

/* Spans that are allocated while there are relatives: touching them takes no fault. */
TEST_F(arena, no_fault_in_new_spans)
{
	struct signal_pipe end;
	struct goheap_span s;
	struct heap h;
	uint64_t faults;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&end));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		faults = gh_stats(self->fd).faults;
		CHILD_CHECK(1, !gh_alloc(self->fd, 600, &s));
		gh_fill(gh_ptr(&s), gh_bytes(&s), 1);
		CHILD_CHECK(2, gh_stats(self->fd).faults == faults);
		sp_wait(&end);
		_exit(0);
	}
	faults = gh_stats(self->fd).faults;
	ASSERT_EQ(0, gh_alloc(self->fd, 600, &s));
	gh_fill(gh_ptr(&s), gh_bytes(&s), 1);
	EXPECT_EQ(faults, gh_stats(self->fd).faults);
	sp_tell(&end);
	EXPECT_EQ(0, gh_wait(pid));
	/* And when they have gone. */
	faults = gh_stats(self->fd).faults;
	ASSERT_EQ(0, gh_alloc(self->fd, 600, &s));
	gh_fill(gh_ptr(&s), gh_bytes(&s), 1);
	EXPECT_EQ(faults, gh_stats(self->fd).faults);
}

/* A heap that is not there cannot be copied: every request is EPERM. */
static bool all_eperm(int fd, const struct goheap_span *span)
{
	struct goheap_arena_stats st;
	struct goheap_info info;
	struct goheap_span s;
	uint64_t bytes = GH_ALL;

	return gh_info(fd, &info) == EPERM && gh_try_stats(fd, &st) == EPERM &&
	       gh_alloc(fd, 1, &s) == EPERM && gh_free(fd, span) == EPERM &&
	       gh_release(fd, 0, &bytes) == EPERM && !gh_map(fd, 64 * MIB) && errno == EPERM;
}

TEST(heap_not_mapped)
{
	struct goheap_span s = { .addr = 4096, .npages = 1 };
	int fd = gh_open();
	char *base;
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = fork();
	if (!pid)
		_exit(!all_eperm(fd, &s));
	EXPECT_EQ(0, gh_wait(pid));

	base = gh_map(fd, 64 * MIB);
	ASSERT_NE(NULL, base);
	ASSERT_EQ(0, gh_alloc(fd, 1, &s));
	ASSERT_EQ(0, munmap(base, 64 * MIB));
	pid = fork();
	if (!pid)
		_exit(!all_eperm(fd, &s));
	EXPECT_EQ(0, gh_wait(pid));
	close(fd);
}

TEST_F(arena, empty_heap)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		struct heap h;

		CHILD_CHECK(1, gh_touch(self->base, false) == SIGBUS);
		CHILD_CHECK(2, heap_make(self->fd, &h) && heap_ok(self->fd, &h));
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_EQ(SIGBUS, gh_touch(self->base, false));
}

TEST_F(arena, child_that_unmapped)
{
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(1, !munmap(self->base, self->bytes));
		CHILD_CHECK(2, all_eperm(self->fd, &h.a));
		CHILD_CHECK(3, gh_touch(gh_ptr(&h.a), false) == SIGSEGV);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
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

		CHILD_CHECK(1, fd >= 0);
		p = mmap(self->base, self->bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0);
		CHILD_CHECK(2, p == self->base);
		CHILD_CHECK(3, !gh_alloc(fd, 64, &own.a));
		CHILD_CHECK(4, gh_is_zero(gh_ptr(&own.a), gh_bytes(&own.a)));
		gh_fill(gh_ptr(&own.a), gh_bytes(&own.a), 99);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_ok(self->fd, &h));
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
	EXPECT_EQ(0, h.st.forks);
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
	/* None of these copies the address space. */
	EXPECT_EQ(0, h.st.forks);
}

TEST_HARNESS_MAIN
