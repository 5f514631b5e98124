// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a release that takes the wrong pages (not the highest first, or
 * pages in use), gives a wrong count, or leaves the pages where they were.
 */
#include "arena.h"

#define KEEP GOHEAP_RELEASE_KEEP

static uint64_t rss(void)
{
	unsigned long long kb = 0;
	char line[256];
	FILE *f = fopen("/proc/self/smaps_rollup", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %llu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

/* Has the page been unmapped?  Asks by touching it. */
static bool is_gone(char *page)
{
	return gh_touch(page, false) == SIGBUS;
}

FIXTURE(release)
{
	int fd;
	char *base;
};

FIXTURE_VARIANT(release)
{
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(release, back) { .flags = 0 };
FIXTURE_VARIANT_ADD(release, keep) { .flags = KEEP };

FIXTURE_SETUP(release)
{
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 64 * MIB);
	ASSERT_NE(NULL, self->base);
}

FIXTURE_TEARDOWN(release)
{
	munmap(self->base, 64 * MIB);
	close(self->fd);
}

/* One page at a time, from the top of the free pages to the bottom. */
TEST_F(release, highest_first)
{
	static const uint64_t pages[] = { 3, 2, 4, 1, 5, 2 };
	struct goheap_span s[ARRAY_SIZE(pages)];
	uint64_t bytes;
	int i, k;

	for (i = 0; i < (int)ARRAY_SIZE(pages); i++)
		ASSERT_EQ(0, gh_alloc(self->fd, pages[i], &s[i]));
	/* 0, 2 and 4 are free; 1, 3 and 5 are live. */
	for (i = 0; i < (int)ARRAY_SIZE(pages); i += 2)
		ASSERT_EQ(0, gh_free(self->fd, &s[i]));
	for (i = 4; i >= 0; i -= 2) {
		for (k = pages[i] - 1; k >= 0; k--) {
			EXPECT_FALSE(is_gone(gh_ptr(&s[i]) + k * GH_PAGE))
				TH_LOG("span %d page %d went too early", i, k);
			bytes = GH_PAGE;
			ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
			EXPECT_EQ(GH_PAGE, bytes);
			EXPECT_TRUE(is_gone(gh_ptr(&s[i]) + k * GH_PAGE))
				TH_LOG("span %d page %d is still there", i, k);
		}
	}
	bytes = GH_PAGE;
	ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
	EXPECT_EQ(0, bytes);
	for (i = 1; i < (int)ARRAY_SIZE(pages); i += 2)
		EXPECT_EQ(0, gh_touch(gh_ptr(&s[i]), true));
}

/* How much is released for how much is asked, out of 100 free pages each time. */
TEST_F(release, bytes)
{
	static const uint64_t table[][2] = {
		{ 0, 0 },
		{ 1, 1 },
		{ GH_PAGE - 1, 1 },
		{ GH_PAGE, 1 },
		{ GH_PAGE + 1, 2 },
		{ 99 * GH_PAGE, 99 },
		{ 100 * GH_PAGE - 1, 100 },
		{ 100 * GH_PAGE, 100 },
		{ 100 * GH_PAGE + 1, 100 },
		{ 1ULL << 44, 100 },
		{ 1ULL << 63, 100 },
		{ GH_ALL - GH_PAGE + 1, 100 },
		{ GH_ALL - GH_PAGE + 2, 100 },
		{ GH_ALL - 1, 100 },
		{ GH_ALL, 100 },
	};
	struct goheap_arena_stats before, after;
	struct goheap_span s;
	uint64_t bytes;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		ASSERT_EQ(0, gh_alloc(self->fd, 100, &s));
		ASSERT_EQ(0, gh_free(self->fd, &s));
		before = gh_stats(self->fd);
		bytes = table[i][0];
		ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
		EXPECT_EQ(table[i][1] * GH_PAGE, bytes)
			TH_LOG("asked for %#llx", (unsigned long long)table[i][0]);
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_consistent(&after));
		EXPECT_EQ(before.inuse_bytes, after.inuse_bytes);
		if (variant->flags & KEEP) {
			EXPECT_EQ(before.kept_bytes + bytes, after.kept_bytes);
			EXPECT_EQ(before.retained_bytes, after.retained_bytes);
			EXPECT_EQ(before.freed_bytes, after.freed_bytes);
		} else {
			EXPECT_EQ(before.released_bytes + bytes, after.released_bytes);
			EXPECT_EQ(before.retained_bytes - bytes, after.retained_bytes);
			EXPECT_EQ(before.freed_bytes + bytes, after.freed_bytes);
			EXPECT_EQ(0, after.kept_bytes);
		}
	}
}

TEST_F(release, rss_falls)
{
	uint64_t bytes = GH_ALL, full, start = rss();
	struct goheap_span live, s;

	ASSERT_EQ(0, gh_alloc(self->fd, 100, &live));
	ASSERT_EQ(0, gh_alloc(self->fd, 16 * MIB / GH_PAGE, &s));
	full = rss();
	EXPECT_LE(start + 16 * MIB, full);
	ASSERT_EQ(0, gh_free(self->fd, &s));
	/* Freeing alone changes nothing. */
	EXPECT_LE(start + 16 * MIB, rss());
	ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
	EXPECT_EQ(16 * MIB, bytes);
	EXPECT_GE(full - 15 * MIB, rss());
	ASSERT_EQ(0, gh_alloc(self->fd, 16 * MIB / GH_PAGE, &s));
	EXPECT_LE(start + 16 * MIB, rss());
}

TEST_F(release, live_bytes_stay)
{
	struct goheap_span s[64];
	uint64_t bytes;
	int i, round;

	for (i = 0; i < 64; i++) {
		ASSERT_EQ(0, gh_alloc(self->fd, 1 + i % 9, &s[i]));
		gh_fill(gh_ptr(&s[i]), gh_bytes(&s[i]), i);
	}
	for (i = 0; i < 64; i += 3)
		ASSERT_EQ(0, gh_free(self->fd, &s[i]));
	for (round = 0; round < 10; round++) {
		bytes = (round + 1) * 3 * GH_PAGE;
		ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
		for (i = 0; i < 64; i++)
			if (i % 3)
				ASSERT_TRUE(gh_holds(gh_ptr(&s[i]), gh_bytes(&s[i]), i));
	}
}

TEST_F(release, nothing_to_release)
{
	struct goheap_arena_stats before, after;
	struct goheap_span s;
	uint64_t bytes = GH_ALL;

	ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
	EXPECT_EQ(0, bytes);
	ASSERT_EQ(0, gh_alloc(self->fd, 10, &s));
	before = gh_stats(self->fd);
	bytes = GH_ALL;
	ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
	EXPECT_EQ(0, bytes);
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
}

/* The whole of a large heap in one request, across many chunks. */
TEST_F(release, across_chunks)
{
	struct goheap_span s;
	uint64_t bytes;

	ASSERT_EQ(0, gh_alloc(self->fd, 48 * MIB / GH_PAGE, &s));
	ASSERT_EQ(0, gh_free(self->fd, &s));
	bytes = 5 * MIB;
	ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
	EXPECT_EQ(5 * MIB, bytes);
	EXPECT_TRUE(is_gone(self->base + 43 * MIB));
	EXPECT_FALSE(is_gone(self->base + 43 * MIB - 1));
	bytes = GH_ALL;
	ASSERT_EQ(0, gh_release(self->fd, variant->flags, &bytes));
	EXPECT_EQ(43 * MIB, bytes);
	EXPECT_TRUE(is_gone(self->base));
}

/* What is kept can be had back, and a plain release takes it as well. */
TEST(keep_then_release)
{
	struct goheap_arena_stats st;
	struct goheap_span s, t;
	uint64_t bytes = GH_ALL;
	int fd = gh_open();

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 64 * MIB));
	ASSERT_EQ(0, gh_alloc(fd, 100, &s));
	gh_fill(gh_ptr(&s), gh_bytes(&s), 3);
	ASSERT_EQ(0, gh_free(fd, &s));
	ASSERT_EQ(0, gh_release(fd, KEEP, &bytes));
	EXPECT_EQ(100 * GH_PAGE, bytes);

	/* A part of it comes back: the rest stays kept. */
	ASSERT_EQ(0, gh_alloc(fd, 30, &t));
	EXPECT_EQ(s.addr, t.addr);
	EXPECT_EQ(GOHEAP_SPAN_NEEDZERO, t.flags);
	EXPECT_TRUE(gh_holds(gh_ptr(&t), gh_bytes(&t), 3));
	st = gh_stats(fd);
	EXPECT_EQ(70 * GH_PAGE, st.kept_bytes);
	EXPECT_EQ(70 * GH_PAGE, st.retained_bytes);
	EXPECT_EQ(100 * GH_PAGE, st.fresh_bytes);

	/* What is kept is not kept a second time; given back it is gone. */
	bytes = GH_ALL;
	ASSERT_EQ(0, gh_release(fd, KEEP, &bytes));
	EXPECT_EQ(0, bytes);
	bytes = 20 * GH_PAGE;
	ASSERT_EQ(0, gh_release(fd, 0, &bytes));
	EXPECT_EQ(20 * GH_PAGE, bytes);
	st = gh_stats(fd);
	EXPECT_EQ(50 * GH_PAGE, st.kept_bytes);
	EXPECT_EQ(20 * GH_PAGE, st.freed_bytes);
	bytes = GH_ALL;
	ASSERT_EQ(0, gh_release(fd, 0, &bytes));
	EXPECT_EQ(50 * GH_PAGE, bytes);
	st = gh_stats(fd);
	EXPECT_EQ(0, st.kept_bytes);
	EXPECT_EQ(0, st.retained_bytes);
	EXPECT_TRUE(gh_consistent(&st));
	close(fd);
}

/* A kept page has nothing to be unmapped, but a mapped one below it has. */
TEST(keep_passes_over_what_is_kept)
{
	uint64_t bytes = 10 * GH_PAGE;
	struct goheap_span s;
	int fd = gh_open();

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 64 * MIB));
	ASSERT_EQ(0, gh_alloc(fd, 30, &s));
	ASSERT_EQ(0, gh_free(fd, &s));
	ASSERT_EQ(0, gh_release(fd, KEEP, &bytes));
	EXPECT_EQ(10 * GH_PAGE, bytes);
	bytes = 10 * GH_PAGE;
	ASSERT_EQ(0, gh_release(fd, KEEP, &bytes));
	EXPECT_EQ(10 * GH_PAGE, bytes);
	EXPECT_TRUE(is_gone(gh_ptr(&s) + 10 * GH_PAGE));
	EXPECT_FALSE(is_gone(gh_ptr(&s) + 9 * GH_PAGE));
	EXPECT_EQ(20 * GH_PAGE, gh_stats(fd).kept_bytes);
	close(fd);
}

TEST_HARNESS_MAIN
