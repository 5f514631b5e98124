// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: memory that outlives its arena when the arena ends by munmap(),
 * close(), exec() or exit(), or an arena that ends too early or works for a
 * process that did not open it.
 */
#include <sys/socket.h>

#include "cgroup.h"

#define HEAP	(8 * MIB)

/* What a program finds that inherited the descriptor in this variable; see below. */
#define EXEC_FD		"GOHEAP_TEST_EXEC_FD"
/* Where it says that it has started, and waits until it may end. */
#define EXEC_PIPE	"GOHEAP_TEST_EXEC_PIPE"

/*
 * This program, executed anew by the test "exec": the descriptor is open, the
 * arena is of an mm that has gone.  Every request has to fail with EPERM.
 */
static void __attribute__((constructor)) after_exec(void)
{
	struct goheap_span span = { .npages = 1 };
	struct goheap_arena_stats st;
	struct goheap_info info;
	uint64_t bytes = GH_ALL;
	int fd, failures = 0;
	char c;

	if (!getenv(EXEC_FD))
		return;
	fd = atoi(getenv(EXEC_FD));
	failures += gh_info(fd, &info) != EPERM;
	failures += gh_try_stats(fd, &st) != EPERM;
	failures += gh_alloc_batch(fd, &span, 1) != EPERM;
	span = (struct goheap_span){ .addr = 4096, .npages = 1 };
	failures += gh_free_batch(fd, &span, 1) != EPERM;
	failures += gh_release(fd, 0, &bytes) != EPERM;
	failures += gh_map(fd, GH_ARENA_BYTES) || errno != EPERM;
	fd = atoi(getenv(EXEC_PIPE));
	c = failures;
	if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
		failures += 100;
	_exit(failures);
}

/* An arena with HEAP bytes in one span, or -1. */
static int open_heap(char **base, struct goheap_span *span)
{
	int fd = gh_open();

	if (fd < 0)
		return -1;
	*base = gh_map(fd, GH_ARENA_BYTES);
	if (!*base || gh_alloc(fd, HEAP / GH_PAGE, span)) {
		close(fd);
		return -1;
	}
	return fd;
}

FIXTURE(lifetime)
{
	struct cg cg;
	const char *why;
	char *base;
	struct goheap_span span;
};

FIXTURE_SETUP(lifetime)
{
	self->why = cg_create(&self->cg, "lifetime", 0);
	if (!self->why)
		ASSERT_EQ(0, cg_enter(&self->cg));
}

FIXTURE_TEARDOWN(lifetime)
{
	cg_destroy(&self->cg);
}

TEST_F(lifetime, munmap_gives_back)
{
	int fd;

	if (self->why)
		SKIP(return, "%s", self->why);
	fd = open_heap(&self->base, &self->span);
	ASSERT_LE(0, fd);
	EXPECT_LE(HEAP, cg_current(&self->cg));
	ASSERT_EQ(0, munmap(self->base, GH_ARENA_BYTES));
	EXPECT_TRUE(cg_falls_below(&self->cg, CG_SLACK));
	close(fd);
}

TEST_F(lifetime, close_then_munmap_gives_back)
{
	int fd;

	if (self->why)
		SKIP(return, "%s", self->why);
	fd = open_heap(&self->base, &self->span);
	ASSERT_LE(0, fd);
	gh_fill(gh_ptr(&self->span), HEAP, 1);
	close(fd);
	/* The mapping alone keeps the arena. */
	EXPECT_LE(HEAP, cg_current(&self->cg));
	EXPECT_TRUE(gh_holds(gh_ptr(&self->span), HEAP, 1));
	ASSERT_EQ(0, munmap(self->base, GH_ARENA_BYTES));
	EXPECT_TRUE(cg_falls_below(&self->cg, CG_SLACK));
}

TEST_F(lifetime, retained_and_kept_pages_go_too)
{
	uint64_t bytes = HEAP / 2;
	int fd;

	if (self->why)
		SKIP(return, "%s", self->why);
	fd = open_heap(&self->base, &self->span);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, gh_free(fd, &self->span));
	ASSERT_EQ(0, gh_release(fd, GOHEAP_RELEASE_KEEP, &bytes));
	EXPECT_LE(HEAP, cg_current(&self->cg));
	ASSERT_EQ(0, munmap(self->base, GH_ARENA_BYTES));
	close(fd);
	EXPECT_TRUE(cg_falls_below(&self->cg, CG_SLACK));
}

/* Ways for a process to end without having given anything back. */
static void end_by_exit(void) { _exit(0); }
static void end_by_sigkill(void) { kill(getpid(), SIGKILL); }
static void end_by_sigbus(void) { raise(SIGBUS); }

TEST_F(lifetime, exit_gives_back)
{
	static void (* const end[])(void) = { end_by_exit, end_by_sigkill, end_by_sigbus };
	static const int status[] = { 0, 128 + SIGKILL, 128 + SIGBUS };
	size_t i;

	if (self->why)
		SKIP(return, "%s", self->why);
	for (i = 0; i < ARRAY_SIZE(end); i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			if (open_heap(&self->base, &self->span) < 0)
				_exit(1);
			if (cg_current(&self->cg) < HEAP)
				_exit(2);
			end[i]();
			_exit(3);
		}
		EXPECT_EQ(status[i], gh_wait(pid));
		EXPECT_TRUE(cg_falls_below(&self->cg, CG_SLACK));
	}
}

/* Killed at any point of requests that take, map and release a lot. */
TEST_F(lifetime, killed_during_requests)
{
	int round;

	if (self->why)
		SKIP(return, "%s", self->why);
	for (round = 0; round < 15; round++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			int fd = open_heap(&self->base, &self->span);

			while (fd >= 0) {
				struct goheap_span big;
				uint64_t bytes = GH_ALL;

				if (gh_alloc(fd, 32 * MIB / GH_PAGE, &big) || gh_free(fd, &big) ||
				    gh_release(fd, round & GOHEAP_RELEASE_KEEP, &bytes))
					break;
			}
			_exit(1);
		}
		usleep(20000 + 3000 * round);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(128 + SIGKILL, gh_wait(pid));
		EXPECT_TRUE(cg_falls_below(&self->cg, CG_SLACK));
	}
}

/* The descriptor goes on in a child; the memory ends with the process whose heap it was. */
TEST_F(lifetime, exit_with_descriptor_held_elsewhere)
{
	int sync[2], fd;
	char c;
	pid_t pid;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, pipe(sync));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		fd = open_heap(&self->base, &self->span);
		if (fd < 0)
			_exit(1);
		if (!fork()) {
			struct goheap_info info;

			/* Hold it, but not the heap, until the test closes its end. */
			munmap(self->base, GH_ARENA_BYTES);
			close(sync[1]);
			if (read(sync[0], &c, 1) < 0 || gh_info(fd, &info) != EPERM)
				_exit(1);
			_exit(0);
		}
		_exit(0);
	}
	close(sync[0]);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(cg_falls_below(&self->cg, CG_SLACK));
	close(sync[1]);
}

TEST_F(lifetime, exec)
{
	int pair[2], fd;
	char text[16], c = 'x';
	pid_t pid;

	if (self->why)
		SKIP(return, "%s", self->why);
	/* One descriptor for both directions. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		fd = open_heap(&self->base, &self->span);
		if (fd < 0)
			_exit(50);
		fcntl(fd, F_SETFD, 0);
		snprintf(text, sizeof(text), "%d", fd);
		setenv(EXEC_FD, text, 1);
		snprintf(text, sizeof(text), "%d", pair[1]);
		setenv(EXEC_PIPE, text, 1);
		close(pair[0]);
		execl("/proc/self/exe", "lifetime", NULL);
		_exit(51);
	}
	close(pair[1]);
	ASSERT_EQ(1, read(pair[0], &c, 1));
	EXPECT_EQ(0, c);
	/* The new program runs, with the descriptor open; the memory has gone. */
	EXPECT_TRUE(cg_falls_below(&self->cg, CG_SLACK));
	ASSERT_EQ(1, write(pair[0], &c, 1));
	EXPECT_EQ(0, gh_wait(pid));
	close(pair[0]);
}

TEST_F(lifetime, exec_closes_cloexec)
{
	pid_t pid;

	if (self->why)
		SKIP(return, "%s", self->why);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (open_heap(&self->base, &self->span) < 0)
			_exit(50);
		execl("/bin/true", "true", NULL);
		_exit(51);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(cg_falls_below(&self->cg, CG_SLACK));
}

TEST(open_and_close)
{
	int i, fd;

	for (i = 0; i < 300; i++) {
		fd = gh_open();
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, close(fd));
	}
}

TEST(fresh_arena_is_empty)
{
	struct goheap_arena_stats st;
	struct goheap_info info;
	int fd = gh_open();
	size_t i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, gh_info(fd, &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(GOHEAP_ABI_VERSION, info.abi_version);
	EXPECT_EQ(GOHEAP_PAGE_SHIFT, info.page_shift);
	EXPECT_EQ(GOHEAP_CHUNK_SHIFT, info.chunk_shift);
	EXPECT_EQ(GOHEAP_BATCH_MAX, info.batch_max);
	EXPECT_EQ(0, info.features & ~(GOHEAP_FEATURE_POLICY | GOHEAP_FEATURE_SCAVENGER |
				       GOHEAP_FEATURE_TRACK | GOHEAP_FEATURE_TRACK_NOFAULT |
				       GOHEAP_FEATURE_FORK));
	EXPECT_EQ(GOHEAP_ARENA_BYTES_MAX, info.arena_bytes_max);
	EXPECT_EQ(0, info.arena_start);
	EXPECT_EQ(0, info.arena_bytes);
	for (i = 0; i < ARRAY_SIZE(info.reserved); i++)
		EXPECT_EQ(0, info.reserved[i]);

	st = gh_stats(fd);
	EXPECT_EQ(sizeof(st), st.size);
	EXPECT_EQ(0, st.flags);
	for (i = 0; i < ARRAY_SIZE(gh_fields); i++) {
		/* The kernel may have tables for an arena that is not yet mapped. */
		if (gh_fields[i].offset == offsetof(struct goheap_arena_stats, metadata_bytes))
			continue;
		EXPECT_EQ(0, gh_field(&st, &gh_fields[i]))
			TH_LOG("%s", gh_fields[i].name);
	}
	for (i = 0; i < ARRAY_SIZE(st.reserved); i++)
		EXPECT_EQ(0, st.reserved[i]);
	close(fd);
}

TEST(two_opens_are_two_arenas)
{
	struct goheap_span a, b;
	char *base_a, *base_b;
	int fd_a, fd_b;

	fd_a = open_heap(&base_a, &a);
	fd_b = open_heap(&base_b, &b);
	ASSERT_LE(0, fd_a);
	ASSERT_LE(0, fd_b);
	gh_fill(gh_ptr(&a), HEAP, 1);
	EXPECT_TRUE(gh_is_zero(gh_ptr(&b), HEAP));
	gh_fill(gh_ptr(&b), HEAP, 2);
	close(fd_a);
	ASSERT_EQ(0, munmap(base_a, GH_ARENA_BYTES));
	EXPECT_TRUE(gh_holds(gh_ptr(&b), HEAP, 2));
	EXPECT_EQ(0, gh_free(fd_b, &b));
	close(fd_b);
}

/* dup() is the same arena; it lasts until the last copy is closed. */
TEST(dup_is_the_same_arena)
{
	struct goheap_arena_stats st;
	struct goheap_span a;
	char *base;
	int fd, copy;

	fd = open_heap(&base, &a);
	ASSERT_LE(0, fd);
	copy = dup(fd);
	ASSERT_LE(0, copy);
	close(fd);
	st = gh_stats(copy);
	EXPECT_EQ(HEAP, st.inuse_bytes);
	EXPECT_EQ(0, gh_free(copy, &a));
	EXPECT_EQ(EBADF, gh_free(fd, &a));
	close(copy);
}

TEST_HARNESS_MAIN
