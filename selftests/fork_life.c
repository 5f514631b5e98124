// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: memory that a child had and that is not given back by its end, its
 * exec() or its munmap(), or is taken from those who still have it.
 */
#include "arena.h"
#include "forks.h"

#include <spawn.h>

#define SYSTEM_PAGES	(GH_PAGE / 4096)
#define HEAP_PAGES	(764 * SYSTEM_PAGES)	/* what heap_make() makes */
#define COPIED_PAGES	(64 * SYSTEM_PAGES)	/* span a of it */

/* A page counts once, however many have it; a copy counts. */
TEST_F(arena, exit_gives_copies_back)
{
	struct signal_pipe child, parent;
	uint64_t pages;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pages = fk_pages();
	for (int i = 0; i < 3; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			sp_tell(&child);
			sp_wait(&parent);
			gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 3);
			sp_tell(&child);
			sp_wait(&parent);
			if (i == 1)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		sp_wait(&child);
		EXPECT_EQ(pages, fk_pages());
		sp_tell(&parent);
		sp_wait(&child);
		EXPECT_EQ(pages + COPIED_PAGES, fk_pages());
		sp_tell(&parent);
		EXPECT_EQ(i == 1 ? 128 + SIGKILL : 0, gh_wait(pid));
		EXPECT_TRUE(fk_becomes("pages", pages));
	}
	h.st = gh_stats(self->fd);
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

/* While the program that was exec()ed is still running. */
TEST_F(arena, exec_gives_copies_back)
{
	struct signal_pipe child, parent;
	char in[16];
	uint64_t pages, arenas;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pages = fk_pages();
	arenas = fk_parameter("arenas");
	snprintf(in, sizeof(in), "%d", parent.end[0]);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 3);
		sp_tell(&child);
		sp_wait(&parent);
		dup2(parent.end[0], 0);
		execl("/bin/sh", "sh", "-c", "read line", NULL);
		_exit(98);
	}
	sp_wait(&child);
	EXPECT_EQ(pages + COPIED_PAGES, fk_pages());
	EXPECT_EQ(arenas + 1, fk_parameter("arenas"));
	sp_tell(&parent);
	EXPECT_TRUE(fk_becomes("pages", pages));
	EXPECT_TRUE(fk_becomes("arenas", arenas));
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	ASSERT_EQ(1, write(parent.end[1], "\n", 1));
	EXPECT_EQ(0, gh_wait(pid));
	h.st = gh_stats(self->fd);
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

TEST_F(arena, munmap_gives_copies_back)
{
	struct signal_pipe child, parent;
	uint64_t pages;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pages = fk_pages();
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 3);
		sp_tell(&child);
		sp_wait(&parent);
		CHILD_CHECK(1, !munmap(self->base, self->bytes));
		sp_tell(&child);
		sp_wait(&parent);
		_exit(0);
	}
	sp_wait(&child);
	EXPECT_EQ(pages + COPIED_PAGES, fk_pages());
	sp_tell(&parent);
	sp_wait(&child);
	EXPECT_EQ(pages, fk_pages());
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	h.st = gh_stats(self->fd);
	EXPECT_TRUE(heap_ok(self->fd, &h));
}

/* Memory goes when the last who has it lets go of it, not before. */
TEST_F(arena, the_last_one_counts)
{
	struct signal_pipe child, parent;
	uint64_t pages, bytes = GH_ALL;
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pages = fk_pages();
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		sp_wait(&parent);
		CHILD_CHECK(1, heap_holds(&h));
		CHILD_CHECK(2, !gh_free(self->fd, &h.a));
		CHILD_CHECK(3, !gh_release(self->fd, 0, &bytes));
		CHILD_CHECK(4, bytes == 64 * GH_PAGE);
		sp_tell(&child);
		sp_wait(&parent);
		_exit(0);
	}
	ASSERT_EQ(0, gh_free(self->fd, &h.a));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_EQ(64 * GH_PAGE, bytes);
	EXPECT_EQ(pages, fk_pages());
	sp_tell(&parent);
	sp_wait(&child);
	EXPECT_EQ(pages - COPIED_PAGES, fk_pages());
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_EQ(pages - COPIED_PAGES, fk_pages());
	EXPECT_TRUE(gh_holds(gh_ptr(&h.b), gh_bytes(&h.b), 2));
	ASSERT_EQ(0, munmap(self->base, self->bytes));
	EXPECT_EQ(pages - HEAP_PAGES, fk_pages());
	self->base = NULL;
}

/* The opener ends first, then its child; a grandchild has the heap to itself. */
TEST(parents_end_first)
{
	uint64_t pages = fk_pages(), arenas = fk_parameter("arenas");
	struct signal_pipe up, go;
	pid_t pid;

	ASSERT_TRUE(sp_make(&up) && sp_make(&go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_arena_stats st;
		struct goheap_span s;
		struct heap h;
		int fd = gh_open();

		if (fd < 0 || !gh_map(fd, 64 * MIB) || !heap_make(fd, &h))
			_exit(1);
		if (fork())
			_exit(0);
		gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 1);
		if (fork())
			_exit(0);
		/* Both of them have gone when the test says so. */
		sp_wait(&go);
		if (!heap_holds(&h))
			abort();
		gh_fill(gh_ptr(&h.b), gh_bytes(&h.b), 5);
		if (gh_alloc(fd, 300, &s) || !gh_is_zero(gh_ptr(&s), gh_bytes(&s)))
			abort();
		st = gh_stats(fd);
		if (!gh_consistent(&st) || st.shared_bytes || gh_free(fd, &h.b))
			abort();
		sp_tell(&up);
		sp_wait(&go);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	/* Two arenas are left: the opener's, since the file is open, and this one's. */
	EXPECT_TRUE(fk_becomes("arenas", arenas + 2));
	EXPECT_TRUE(fk_becomes("pages", pages + HEAP_PAGES));
	sp_tell(&go);
	sp_wait(&up);
	EXPECT_EQ(pages + HEAP_PAGES + 300 * SYSTEM_PAGES, fk_pages());
	sp_tell(&go);
	EXPECT_TRUE(fk_becomes("pages", pages));
	EXPECT_TRUE(fk_becomes("arenas", arenas));
}

/* Many at once, each with copies of its own. */
TEST_F(arena, many_children)
{
	enum { CHILDREN = 60 };
	uint64_t pages, arenas = fk_parameter("arenas");
	struct signal_pipe child, parent;
	pid_t pid[CHILDREN];
	struct heap h;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	pages = fk_pages();
	for (int i = 0; i < CHILDREN; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i]) {
			char *mine = gh_ptr(&h.b) + i * GH_PAGE;

			gh_fill(mine, GH_PAGE, 100 + i);
			sp_tell(&child);
			sp_wait(&parent);
			CHILD_CHECK(1, gh_holds(mine, GH_PAGE, 100 + i));
			CHILD_CHECK(2, gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 1));
			_exit(0);
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		sp_wait(&child);
	EXPECT_EQ(arenas + CHILDREN, fk_parameter("arenas"));
	EXPECT_EQ(pages + CHILDREN * SYSTEM_PAGES, fk_pages());
	EXPECT_EQ(CHILDREN, gh_stats(self->fd).forks);
	/* The parent goes on while they look at theirs. */
	gh_fill(gh_ptr(&h.a), gh_bytes(&h.a), 7);
	for (int i = 0; i < CHILDREN; i++)
		sp_tell(&parent);
	for (int i = 0; i < CHILDREN; i++)
		EXPECT_EQ(0, gh_wait(pid[i]));
	EXPECT_TRUE(fk_becomes("pages", pages));
	EXPECT_TRUE(fk_becomes("arenas", arenas));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.a), gh_bytes(&h.a), 7));
	EXPECT_TRUE(gh_holds(gh_ptr(&h.b), gh_bytes(&h.b), 2));
}

/* A chain: each forks the next and ends. */
TEST_F(arena, generations)
{
	uint64_t pages, arenas = fk_parameter("arenas");
	struct signal_pipe end;
	struct heap h;
	int bad = 0;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&end));
	pages = fk_pages();
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (int i = 0; i < 40; i++) {
			uint64_t *w = (uint64_t *)(gh_ptr(&h.a) + i * 4096 + 8);

			if (!heap_holds(&h))
				bad = 1;
			*w ^= 5;
			pid = fork();
			if (pid)
				_exit(pid < 0);
			*w ^= 5;
		}
		if (write(end.end[1], &bad, 1) != 1)
			_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	ASSERT_EQ(1, read(end.end[0], &bad, 1));
	EXPECT_EQ(0, bad);
	EXPECT_TRUE(fk_becomes("arenas", arenas));
	EXPECT_TRUE(fk_becomes("pages", pages));
	EXPECT_TRUE(heap_holds(&h));
}

TEST_HARNESS_MAIN
