// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: an arena that mremap(), mprotect(), madvise() or munmap() of a part
 * takes to pieces, moves, doubles or makes executable.
 */
#include "arena.h"

#include <sys/prctl.h>

#ifndef MADV_DOFORK
#define MADV_DOFORK 11
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* Two spans with a pattern, and the proof that all is where it was. */
struct content {
	struct goheap_span a, b;
	struct goheap_arena_stats st;
};

static bool content_make(int fd, struct content *c)
{
	if (gh_alloc(fd, 16, &c->a) || gh_alloc(fd, 1024, &c->b))
		return false;
	gh_fill(gh_ptr(&c->a), gh_bytes(&c->a), 1);
	gh_fill(gh_ptr(&c->b), gh_bytes(&c->b), 2);
	c->st = gh_stats(fd);
	return true;
}

static bool content_ok(int fd, struct content *c, char *base, size_t bytes)
{
	struct goheap_arena_stats st = gh_stats(fd);
	struct goheap_info info;

	return gh_unchanged(&c->st, &st) && !gh_info(fd, &info) &&
	       info.arena_start == (uintptr_t)base && info.arena_bytes == bytes &&
	       gh_holds(gh_ptr(&c->a), gh_bytes(&c->a), 1) &&
	       gh_holds(gh_ptr(&c->b), gh_bytes(&c->b), 2) &&
	       gh_touch(base + bytes - 1, false) == SIGBUS;
}

TEST_F(arena, mremap)
{
	char *room = mmap(NULL, 256 * MIB, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct {
		const char *name;
		char *old;
		size_t old_bytes, new_bytes;
		int flags;
		char *to;
	} table[] = {
		{ "grow", self->base, self->bytes, 2 * self->bytes, 0, NULL },
		{ "grow and move", self->base, self->bytes, 2 * self->bytes, MREMAP_MAYMOVE, NULL },
		{ "shrink", self->base, self->bytes, self->bytes / 2, 0, NULL },
		{ "move", self->base, self->bytes, self->bytes,
		  MREMAP_MAYMOVE | MREMAP_FIXED, room },
		{ "move the first part", self->base, 4 * MIB, 4 * MIB,
		  MREMAP_MAYMOVE | MREMAP_FIXED, room },
		{ "move the middle", self->base + 4 * MIB, 4 * MIB, 4 * MIB,
		  MREMAP_MAYMOVE | MREMAP_FIXED, room },
		{ "move the end", self->base + self->bytes - 4 * MIB, 4 * MIB, 4 * MIB,
		  MREMAP_MAYMOVE | MREMAP_FIXED, room },
		{ "move and shrink", self->base, self->bytes, self->bytes / 2,
		  MREMAP_MAYMOVE | MREMAP_FIXED, room },
		{ "double", self->base, 0, self->bytes, MREMAP_MAYMOVE, NULL },
		{ "double a part", self->base + 4 * MIB, 0, 4 * MIB, MREMAP_MAYMOVE, NULL },
		{ "move without unmapping", self->base, self->bytes, self->bytes,
		  MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL },
	};
	struct content c;
	size_t i;

	ASSERT_NE(MAP_FAILED, (void *)room);
	ASSERT_TRUE(content_make(self->fd, &c));
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		void *p = mremap(table[i].old, table[i].old_bytes, table[i].new_bytes,
				 table[i].flags, table[i].to);

		EXPECT_EQ(MAP_FAILED, p)
			TH_LOG("%s: was accepted", table[i].name);
		/* EFAULT is the kernel's own answer, before the device is asked. */
		EXPECT_TRUE(errno == EINVAL || errno == EFAULT)
			TH_LOG("%s: %s", table[i].name, strerror(errno));
		ASSERT_TRUE(content_ok(self->fd, &c, self->base, self->bytes))
			TH_LOG("after %s", table[i].name);
	}
}

TEST_F(arena, munmap_part)
{
	struct {
		const char *name;
		size_t at, bytes;
	} table[] = {
		{ "first page", 0, 4096 },
		{ "first chunk", 0, 4 * MIB },
		{ "middle", 8 * MIB, 4 * MIB },
		{ "last page", self->bytes - 4096, 4096 },
		{ "last half", self->bytes / 2, self->bytes / 2 },
		{ "all but the last page", 0, self->bytes - 4096 },
	};
	struct content c;
	size_t i;

	ASSERT_TRUE(content_make(self->fd, &c));
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		EXPECT_EQ(-1, munmap(self->base + table[i].at, table[i].bytes))
			TH_LOG("%s: was accepted", table[i].name);
		EXPECT_EQ(EINVAL, errno);
		ASSERT_TRUE(content_ok(self->fd, &c, self->base, self->bytes))
			TH_LOG("after %s", table[i].name);
	}
}

TEST_F(arena, map_over_a_part)
{
	struct content c;
	void *p;

	ASSERT_TRUE(content_make(self->fd, &c));
	p = mmap(self->base + 4 * MIB, 4 * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	EXPECT_EQ(MAP_FAILED, p);
	ASSERT_TRUE(content_ok(self->fd, &c, self->base, self->bytes));
}

TEST_F(arena, mprotect_part)
{
	static const int prot[] = { PROT_NONE, PROT_READ };
	struct content c;
	size_t i;

	ASSERT_TRUE(content_make(self->fd, &c));
	for (i = 0; i < ARRAY_SIZE(prot); i++) {
		EXPECT_EQ(-1, mprotect(self->base, 4 * MIB, prot[i]));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, mprotect(self->base + 4096, 4096, prot[i]));
		EXPECT_EQ(-1, mprotect(self->base + self->bytes - 4096, 4096, prot[i]));
		ASSERT_TRUE(content_ok(self->fd, &c, self->base, self->bytes));
	}
}

/* The whole may be protected, as long as the bytes and the requests survive it. */
TEST_F(arena, mprotect_whole)
{
	struct goheap_span span;
	struct content c;

	ASSERT_TRUE(content_make(self->fd, &c));
	ASSERT_EQ(0, mprotect(self->base, self->bytes, PROT_READ));
	EXPECT_EQ(0, gh_touch(gh_ptr(&c.a), false));
	EXPECT_EQ(SIGSEGV, gh_touch(gh_ptr(&c.a), true));
	/* A span that is allocated now obeys it as well. */
	ASSERT_EQ(0, gh_alloc(self->fd, 2, &span));
	EXPECT_EQ(0, gh_touch(gh_ptr(&span), false));
	EXPECT_EQ(SIGSEGV, gh_touch(gh_ptr(&span), true));
	ASSERT_EQ(0, mprotect(self->base, self->bytes, PROT_NONE));
	EXPECT_EQ(SIGSEGV, gh_touch(gh_ptr(&c.a), false));
	EXPECT_EQ(SIGSEGV, gh_touch(gh_ptr(&span), false));
	ASSERT_EQ(0, mprotect(self->base, self->bytes, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, gh_touch(gh_ptr(&span), true));
	EXPECT_TRUE(gh_is_zero(gh_ptr(&span), gh_bytes(&span)));
	ASSERT_EQ(0, gh_free(self->fd, &span));
	EXPECT_TRUE(gh_holds(gh_ptr(&c.a), gh_bytes(&c.a), 1));
	EXPECT_TRUE(gh_holds(gh_ptr(&c.b), gh_bytes(&c.b), 2));
}

TEST_F(arena, never_executable)
{
	struct content c;

	ASSERT_TRUE(content_make(self->fd, &c));
	EXPECT_EQ(-1, mprotect(self->base, self->bytes, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(self->base, self->bytes, PROT_READ | PROT_WRITE | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	ASSERT_TRUE(content_ok(self->fd, &c, self->base, self->bytes));
}

/* Advice may be refused or have no effect; it never costs a live span its bytes. */
TEST_F(arena, madvise)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
		MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_COLD,
		MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_WIPEONFORK,
	};
	struct content c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		if (!i)
			ASSERT_TRUE(content_make(self->fd, &c));
		/* A part, then all. */
		madvise(self->base + 4096, 8 * MIB, advice[i]);
		EXPECT_TRUE(gh_holds(gh_ptr(&c.a), gh_bytes(&c.a), 1))
			TH_LOG("advice %d on a part", advice[i]);
		madvise(self->base, self->bytes, advice[i]);
		EXPECT_TRUE(gh_holds(gh_ptr(&c.a), gh_bytes(&c.a), 1))
			TH_LOG("advice %d", advice[i]);
		EXPECT_TRUE(gh_holds(gh_ptr(&c.b), gh_bytes(&c.b), 2))
			TH_LOG("advice %d", advice[i]);
		EXPECT_EQ(SIGBUS, gh_touch(self->base + self->bytes - 1, false))
			TH_LOG("advice %d", advice[i]);
	}
	/* Faults have been counted; nothing else may have. */
	c.st.faults = gh_stats(self->fd).faults;
	EXPECT_TRUE(content_ok(self->fd, &c, self->base, self->bytes));
}

/* The region may be locked or not, but asking for it changes nothing. */
TEST_F(arena, mlock)
{
	struct content c;

	ASSERT_TRUE(content_make(self->fd, &c));
	mlock(gh_ptr(&c.a), gh_bytes(&c.a));
	EXPECT_TRUE(content_ok(self->fd, &c, self->base, self->bytes));
	munlock(gh_ptr(&c.a), gh_bytes(&c.a));
	EXPECT_TRUE(content_ok(self->fd, &c, self->base, self->bytes));
	EXPECT_EQ(0, gh_free(self->fd, &c.a));
	EXPECT_EQ(0, gh_free(self->fd, &c.b));
}

TEST_HARNESS_MAIN
