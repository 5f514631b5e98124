// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a page without a span that can be touched, or a page inside a span
 * that cannot, by the processor or by the kernel on the program's behalf,
 * and a fault that loses a live span's bytes.
 */
#include "arena.h"

#define PAGES(n) ((n) * GH_PAGE)

static const bool how[] = { false, true };	/* to touch: read, write */

TEST_F(arena, empty)
{
	uint64_t bad = gh_stats(self->fd).bad_faults;
	size_t i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(SIGBUS, gh_touch(self->base, how[i]));
		EXPECT_EQ(SIGBUS, gh_touch(self->base + self->bytes / 2, how[i]));
		EXPECT_EQ(SIGBUS, gh_touch(self->base + self->bytes - 1, how[i]));
	}
	EXPECT_EQ(bad + 6, gh_stats(self->fd).bad_faults);
	EXPECT_EQ(0, gh_stats(self->fd).fresh_bytes);
}

TEST_F(arena, around_a_span)
{
	struct goheap_span a, b;
	size_t i;

	/* A hole that has never had memory, between two spans. */
	ASSERT_EQ(0, gh_alloc(self->fd, 3, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 5, &b));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, gh_touch(gh_ptr(&a), how[i]));
		EXPECT_EQ(0, gh_touch(gh_ptr(&b) + PAGES(5) - 1, how[i]));
		EXPECT_EQ(SIGBUS, gh_touch(gh_ptr(&b) + PAGES(5), how[i]));
		/* Further pages of the same chunk, the chunk's end, the next one. */
		EXPECT_EQ(SIGBUS, gh_touch(self->base + 4 * MIB - 1, how[i]));
		EXPECT_EQ(SIGBUS, gh_touch(self->base + 4 * MIB, how[i]));
	}
}

TEST_F(arena, every_page_of_a_span)
{
	struct goheap_span span;
	size_t off;

	ASSERT_EQ(0, gh_alloc(self->fd, 1024 + 77, &span));
	for (off = 0; off < gh_bytes(&span); off += 4096)
		ASSERT_EQ(0, gh_touch(gh_ptr(&span) + off, true));
	EXPECT_EQ(SIGBUS, gh_touch(gh_ptr(&span) + off, true));
}

TEST_F(arena, released)
{
	struct goheap_span a, b;
	uint64_t bytes = GH_ALL;
	size_t i;

	ASSERT_EQ(0, gh_alloc(self->fd, 16, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 16, &b));
	ASSERT_EQ(0, gh_free(self->fd, &a));
	/* Free pages stay mapped until they are released. */
	EXPECT_EQ(0, gh_touch(gh_ptr(&a), true));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(SIGBUS, gh_touch(gh_ptr(&a) + PAGES(i), i & 1));
	EXPECT_EQ(0, gh_touch(gh_ptr(&b), true));
}

TEST_F(arena, released_and_kept)
{
	struct goheap_span a, b;
	uint64_t bytes = GH_ALL;
	size_t i;

	ASSERT_EQ(0, gh_alloc(self->fd, 16, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 16, &b));
	ASSERT_EQ(0, gh_free(self->fd, &a));
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(SIGBUS, gh_touch(gh_ptr(&a) + PAGES(i), i & 1));
	EXPECT_EQ(0, gh_touch(gh_ptr(&b), true));
	/* And back. */
	ASSERT_EQ(0, gh_alloc(self->fd, 16, &a));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(0, gh_touch(gh_ptr(&a) + PAGES(i), i & 1));
}

/* A free page that something unmapped has no owner to be faulted in for. */
TEST_F(arena, free_and_unmapped)
{
	struct goheap_span span;

	ASSERT_EQ(0, gh_alloc(self->fd, 16, &span));
	ASSERT_EQ(0, gh_free(self->fd, &span));
	ASSERT_EQ(0, madvise(gh_ptr(&span), gh_bytes(&span), MADV_DONTNEED));
	EXPECT_EQ(SIGBUS, gh_touch(gh_ptr(&span), false));
	EXPECT_EQ(SIGBUS, gh_touch(gh_ptr(&span) + PAGES(15), true));
}

/* MADV_DONTNEED unmaps a live span's pages; they come back, by faults, unchanged. */
TEST_F(arena, dontneed_keeps_bytes)
{
	struct goheap_span span;
	uint64_t faults;

	ASSERT_EQ(0, gh_alloc(self->fd, 600, &span));
	gh_fill(gh_ptr(&span), gh_bytes(&span), 7);
	faults = gh_stats(self->fd).faults;
	ASSERT_EQ(0, madvise(gh_ptr(&span), gh_bytes(&span), MADV_DONTNEED));
	EXPECT_TRUE(gh_holds(gh_ptr(&span), gh_bytes(&span), 7));
	EXPECT_LT(faults, gh_stats(self->fd).faults);
	/* By a write first, too. */
	ASSERT_EQ(0, madvise(gh_ptr(&span), gh_bytes(&span), MADV_DONTNEED));
	EXPECT_EQ(0, gh_touch(gh_ptr(&span) + PAGES(300), true));
	EXPECT_TRUE(gh_holds(gh_ptr(&span), gh_bytes(&span), 7));
	EXPECT_EQ(0, gh_stats(self->fd).bad_faults);
}

/* System calls: data where there is a span, EFAULT where there is none. */
TEST_F(arena, system_calls)
{
	struct goheap_span span;
	char text[64] = "as written";
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, gh_alloc(self->fd, 2, &span));
	ASSERT_EQ(0, madvise(self->base, 4 * MIB, MADV_DONTNEED));
	ASSERT_EQ(64, write(p[1], text, 64));
	EXPECT_EQ(64, read(p[0], gh_ptr(&span) + 4096 - 32, 64));
	EXPECT_STREQ("as written", gh_ptr(&span) + 4096 - 32);
	EXPECT_EQ(64, write(p[1], gh_ptr(&span) + 4096 - 32, 64));
	ASSERT_EQ(64, read(p[0], text, 64));

	EXPECT_EQ(-1, write(p[1], gh_ptr(&span) + gh_bytes(&span), 64));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(64, write(p[1], text, 64));
	EXPECT_EQ(-1, read(p[0], gh_ptr(&span) + gh_bytes(&span), 64));
	EXPECT_EQ(EFAULT, errno);
	close(p[0]);
	close(p[1]);
}

/* Another way in, by get_user_pages(): as a debugger reads and writes. */
TEST_F(arena, proc_mem)
{
	static char copy[GOHEAP_PAGE_SIZE * 4];
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct goheap_span span;

	ASSERT_LE(0, mem);
	ASSERT_EQ(0, gh_alloc(self->fd, 4, &span));
	gh_fill(gh_ptr(&span), sizeof(copy), 8);
	ASSERT_EQ(0, madvise(gh_ptr(&span), sizeof(copy), MADV_DONTNEED));
	EXPECT_EQ((ssize_t)sizeof(copy), pread(mem, copy, sizeof(copy), span.addr));
	EXPECT_TRUE(gh_holds(copy, sizeof(copy), 8));
	gh_fill(copy, sizeof(copy), 9);
	EXPECT_EQ((ssize_t)sizeof(copy), pwrite(mem, copy, sizeof(copy), span.addr));
	EXPECT_TRUE(gh_holds(gh_ptr(&span), sizeof(copy), 9));
	EXPECT_EQ(-1, pread(mem, copy, sizeof(copy), (uintptr_t)self->base + self->bytes / 2));
	EXPECT_EQ(EIO, errno);
	close(mem);
}

TEST_HARNESS_MAIN
