// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: want of memory for a copy that hurts anybody but the one who was
 * going to write, or an OOM kill, or a heap that is broken afterwards.
 */
#include "arena.h"
#include "forks.h"

#include <sys/uio.h>

#define HEAP	(16 * MIB)

FIXTURE(module_limit)
{
	char was[64];
	int fd;
	char *base;
	struct goheap_span s;
};

/* A heap, and a limit for the module that leaves room for no more than @pages. */
static bool leave_room(uint64_t pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)(fk_pages() + pages));
	return !cg_write_file(MODULE_PARAMETERS, "limit_pages", text);
}

FIXTURE_SETUP(module_limit)
{
	ASSERT_EQ(0, cg_read_file(MODULE_PARAMETERS, "limit_pages", self->was,
				  sizeof(self->was)));
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 64 * MIB);
	ASSERT_NE(NULL, self->base);
	ASSERT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE, &self->s));
	gh_fill(gh_ptr(&self->s), HEAP, 1);
}

FIXTURE_TEARDOWN(module_limit)
{
	cg_write_file(MODULE_PARAMETERS, "limit_pages", self->was);
	munmap(self->base, 64 * MIB);
	close(self->fd);
}

/* Write to page after page, until SIGBUS: how many could be written. */
static unsigned int write_pages(char *p, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (gh_touch(p + i * 4096ULL, true) == SIGBUS)
			break;
		p[i * 4096ULL] ^= 0xff;
		p[i * 4096ULL] ^= 0xff;
	}
	return i;
}

TEST_F(module_limit, child_writes)
{
	pid_t pid;

	if (!leave_room(100))
		SKIP(return, "the parameter limit_pages cannot be written");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_span s;

		CHILD_CHECK(1, write_pages(gh_ptr(&self->s), HEAP / 4096) == 100);
		/* Reading goes on, and so does all that needs no memory. */
		CHILD_CHECK(2, gh_holds(gh_ptr(&self->s), HEAP, 1));
		CHILD_CHECK(3, gh_alloc(self->fd, 1, &s) == ENOMEM);
		CHILD_CHECK(4, gh_stats(self->fd).enomem >= 2);
		CHILD_CHECK(5, !gh_free(self->fd, &self->s));
		CHILD_CHECK(6, !gh_release(self->fd, 0, &(uint64_t){ GH_ALL }));
		CHILD_CHECK(7, !gh_alloc(self->fd, 50, &s) && !gh_touch(gh_ptr(&s), true));
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 1));
	/* The parent has all of it to itself again: no memory is needed. */
	ASSERT_TRUE(leave_room(0));
	gh_fill(gh_ptr(&self->s), HEAP, 2);
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 2));
	EXPECT_EQ(0, gh_stats(self->fd).copied_bytes);
}

TEST_F(module_limit, parent_writes)
{
	struct signal_pipe end;
	int data[2];
	pid_t pid;

	if (!leave_room(0))
		SKIP(return, "the parameter limit_pages cannot be written");
	ASSERT_TRUE(sp_make(&end));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		sp_wait(&end);
		CHILD_CHECK(1, gh_holds(gh_ptr(&self->s), HEAP, 1));
		_exit(0);
	}
	EXPECT_EQ(0, write_pages(gh_ptr(&self->s), 1));
	/* The same for a system call that writes: EFAULT, not a signal. */
	ASSERT_EQ(0, pipe(data));
	ASSERT_EQ(8, write(data[1], "01234567", 8));
	EXPECT_EQ(-1, read(data[0], gh_ptr(&self->s), 8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 1));
	ASSERT_TRUE(leave_room(10));
	EXPECT_EQ(10, write_pages(gh_ptr(&self->s), HEAP / 4096));
	sp_tell(&end);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_EQ(HEAP / 4096, write_pages(gh_ptr(&self->s), HEAP / 4096));
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 1));
}

/*
 * No memory for the copy of the arena itself, which has to contain a copy of a
 * page that a pipe holds: the child has nothing, everybody else all.
 */
TEST_F(module_limit, no_arena_for_the_child)
{
	struct iovec iov = { .iov_base = gh_ptr(&self->s) + 4096, .iov_len = 4096 };
	struct goheap_arena_stats before, after;
	uint64_t arenas = fk_parameter("arenas");
	int data[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(data));
	ASSERT_EQ(4096, vmsplice(data[1], &iov, 1, 0));
	if (!leave_room(0))
		SKIP(return, "the parameter limit_pages cannot be written");
	before = gh_stats(self->fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_info info;
		struct goheap_span s;

		CHILD_CHECK(1, gh_touch(gh_ptr(&self->s), false) == SIGBUS);
		CHILD_CHECK(2, gh_touch(gh_ptr(&self->s) + HEAP - 1, true) == SIGBUS);
		CHILD_CHECK(3, gh_info(self->fd, &info) == EPERM);
		CHILD_CHECK(4, gh_alloc(self->fd, 1, &s) == EPERM);
		CHILD_CHECK(5, fk_parameter("arenas") == arenas);
		/* Its own child has nothing either; it can end, and exec(). */
		pid = fork();
		if (!pid) {
			CHILD_CHECK(6, gh_touch(gh_ptr(&self->s), false) == SIGBUS);
			execl("/bin/true", "true", NULL);
			_exit(7);
		}
		CHILD_CHECK(8, !gh_wait(pid));
		CHILD_CHECK(9, !mprotect(self->base, 64 * MIB, PROT_READ));
		CHILD_CHECK(10, gh_touch(gh_ptr(&self->s), false) == SIGBUS);
		CHILD_CHECK(11, !munmap(self->base, 64 * MIB));
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	after = gh_stats(self->fd);
	EXPECT_EQ(0, after.forks);
	after.faults = before.faults;
	EXPECT_TRUE(gh_unchanged(&before, &after));
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 1));
	gh_fill(gh_ptr(&self->s), HEAP, 3);
	/* And with memory it works. */
	ASSERT_TRUE(leave_room(1000));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(!gh_holds(gh_ptr(&self->s), HEAP, 3));
	EXPECT_EQ(0, gh_wait(pid));
}

FIXTURE(group)
{
	struct cg cg;
	const char *why;
	int fd;
	char *base;
	struct goheap_span s;
};

/* A group with room for one and a half heaps. */
FIXTURE_SETUP(group)
{
	self->fd = -1;
	self->why = cg_create(&self->cg, "fork", HEAP + HEAP / 2);
	if (self->why)
		return;
	ASSERT_EQ(0, cg_enter(&self->cg));
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 64 * MIB);
	ASSERT_NE(NULL, self->base);
	ASSERT_EQ(0, gh_alloc(self->fd, HEAP / GH_PAGE, &self->s));
	gh_fill(gh_ptr(&self->s), HEAP, 1);
}

FIXTURE_TEARDOWN(group)
{
	if (self->base)
		munmap(self->base, 64 * MIB);
	if (self->fd >= 0)
		close(self->fd);
	cg_destroy(&self->cg);
}

/* The one that writes gets SIGBUS; nobody in the group is killed. */
TEST_F(group, child_writes)
{
	pid_t pid;

	if (self->why)
		SKIP(return, "%s", self->why);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		unsigned int n;

		/* Have a stack of its own for the handler: at the limit that would be a kill. */
		CHILD_CHECK(4, gh_touch(self->base + 63 * MIB, true) == SIGBUS);
		n = write_pages(gh_ptr(&self->s), HEAP / 4096);
		CHILD_CHECK(1, n > HEAP / 4096 / 8);
		CHILD_CHECK(2, n < HEAP / 4096);
		CHILD_CHECK(3, gh_holds(gh_ptr(&self->s), HEAP, 1));
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 1));
	gh_fill(gh_ptr(&self->s), HEAP, 2);
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 2));
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
}

/* Whoever does not handle the signal ends by it, and only he. */
TEST_F(group, child_ends_by_it)
{
	pid_t pid, other;
	struct signal_pipe end;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_TRUE(sp_make(&end));
	other = fork();
	ASSERT_LE(0, other);
	if (!other) {
		sp_wait(&end);
		_exit(!gh_holds(gh_ptr(&self->s), HEAP, 1));
	}
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		memset(gh_ptr(&self->s), 0, HEAP);
		_exit(0);
	}
	EXPECT_EQ(128 + SIGBUS, gh_wait(pid));
	sp_tell(&end);
	EXPECT_EQ(0, gh_wait(other));
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
	EXPECT_TRUE(gh_holds(gh_ptr(&self->s), HEAP, 1));
}

TEST_HARNESS_MAIN
