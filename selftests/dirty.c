// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a page that was written and is not reported, or was not and is,
 * while one thread writes in the plainest way; a window that begins, goes on or
 * ends wrongly; a writer that takes faults.
 */
#include "dirty.h"

#include <sys/resource.h>

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

static bool nofault(int fd)
{
	struct goheap_info info;

	return !gh_info(fd, &info) && info.features & GOHEAP_FEATURE_TRACK_NOFAULT;
}

FIXTURE(dirty)
{
	int fd;
	char *base;
	struct goheap_span s;
	uint64_t npages;	/* system pages in @s */
};

/* Where the heap begins: page tables and words of bitmaps begin elsewhere then. */
FIXTURE_VARIANT(dirty)
{
	size_t skew;
};

FIXTURE_VARIANT_ADD(dirty, aligned) { .skew = 0 };
FIXTURE_VARIANT_ADD(dirty, skewed) { .skew = 37 * SYS_PAGE };

#define BYTES	(48 * MIB)
#define SPAN	(21 * MIB)

FIXTURE_SETUP(dirty)
{
	char *p = mmap(NULL, BYTES + 4 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	p = (char *)(((uintptr_t)p + 2 * MIB - 1) & -(uintptr_t)(2 * MIB));
	self->base = mmap(p + variant->skew, BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->base);
	ASSERT_EQ(0, gh_alloc(self->fd, SPAN / GH_PAGE, &self->s));
	ASSERT_EQ(self->base, gh_ptr(&self->s));
	self->npages = SPAN / SYS_PAGE;
}

FIXTURE_TEARDOWN(dirty)
{
	munmap(self->base, BYTES);
	close(self->fd);
}

static void store(char *base, uint64_t page)
{
	((volatile char *)base)[page * SYS_PAGE + page * 24 % SYS_PAGE] = page + 1;
}

/* What was written before the window began is not in it. */
TEST_F(dirty, begins_with_nothing)
{
	uint64_t n;

	gh_fill(gh_ptr(&self->s), SPAN, 1);
	ASSERT_EQ(0, gh_track(self->fd));
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_TRUE(gh_dirty_is(self->npages, n, gh_expect_none, NULL));
	/* The rest of the arena, which has no memory, no table, no chunk. */
	ASSERT_EQ(0, gh_collect(self->fd, self->base, BYTES, &n));
	EXPECT_TRUE(gh_dirty_is(BYTES / SYS_PAGE, n, gh_expect_none, NULL));
}

TEST_F(dirty, every_page_by_itself)
{
	uint64_t i, n;

	ASSERT_EQ(0, gh_track(self->fd));
	for (i = 0; i < self->npages; i += 1 + i % 61) {
		store(self->base, i);
		ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
		ASSERT_TRUE(gh_dirty_is(self->npages, n, gh_expect_one, &i));
	}
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_EQ(0, n);
}

TEST_F(dirty, random_sets)
{
	static const unsigned int per_mille[] = { 1, 10, 100, 500, 900, 1000, 1000, 0 };
	static char marks[DIRTY_MAX];
	uint64_t i, n, rnd = 1;
	size_t k;

	ASSERT_EQ(0, gh_track(self->fd));
	for (k = 0; k < ARRAY_SIZE(per_mille); k++) {
		for (i = 0; i < self->npages; i++) {
			marks[i] = gh_random(&rnd) % 1000 < per_mille[k];
			if (marks[i])
				store(self->base, i);
		}
		ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
		EXPECT_TRUE(gh_dirty_is(self->npages, n, gh_expect_marks, marks));
	}
}

/* Only what is asked for is cleared, to the page. */
TEST_F(dirty, parts)
{
	static char marks[DIRTY_MAX];
	uint64_t i, n, rnd = 7;
	int round;

	memset(marks, 1, sizeof(marks));
	ASSERT_EQ(0, gh_track(self->fd));
	for (i = 0; i < self->npages; i++)
		store(self->base, i);
	for (round = 0; round < 400; round++) {
		uint64_t first = gh_random(&rnd) % self->npages;
		uint64_t len = 1 + gh_random(&rnd) % (round % 3 ? 150 : 5000);

		if (len > self->npages - first)
			len = self->npages - first;
		ASSERT_EQ(0, gh_collect(self->fd, self->base + first * SYS_PAGE,
					len * SYS_PAGE, &n));
		ASSERT_TRUE(gh_dirty_is(len, n, gh_expect_marks, marks + first))
			TH_LOG("pages %llu and %llu more", (unsigned long long)first,
			       (unsigned long long)len);
		memset(marks + first, 0, len);
		for (i = 0; i < 20; i++) {
			uint64_t page = gh_random(&rnd) % self->npages;

			store(self->base, page);
			marks[page] = 1;
		}
	}
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_TRUE(gh_dirty_is(self->npages, n, gh_expect_marks, marks));
}

/* Reading, and finding pages unmapped, is not writing. */
TEST_F(dirty, reading_is_not_writing)
{
	uint64_t n, i, sum = 0;

	gh_fill(self->base, SPAN, 2);
	ASSERT_EQ(0, gh_track(self->fd));
	ASSERT_EQ(0, madvise(self->base, BYTES, MADV_DONTNEED));
	for (i = 0; i < self->npages; i++)
		sum += ((volatile char *)self->base)[i * SYS_PAGE];
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_TRUE(gh_dirty_is(self->npages, n, gh_expect_none, NULL));
	EXPECT_TRUE(gh_holds(self->base, SPAN, 2));
}

TEST_F(dirty, no_window)
{
	uint64_t n;

	EXPECT_EQ(ENODATA, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_EQ(0, gh_track_stop(self->fd));
	ASSERT_EQ(0, gh_track(self->fd));
	EXPECT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_EQ(0, gh_track_stop(self->fd));
	EXPECT_EQ(0, gh_track_stop(self->fd));
	EXPECT_EQ(ENODATA, gh_collect(self->fd, self->base, SPAN, &n));
}

/* A second TRACK, and one after a STOP, throw away what was written before. */
TEST_F(dirty, begins_anew)
{
	struct goheap_span t;
	uint64_t n, one = 5;
	int stop;

	ASSERT_EQ(0, gh_track(self->fd));
	for (stop = 0; stop < 2; stop++) {
		store(self->base, 3);
		ASSERT_EQ(0, madvise(self->base, BYTES, MADV_DONTNEED));
		ASSERT_EQ(0, gh_alloc(self->fd, 200, &t));
		if (stop)
			ASSERT_EQ(0, gh_track_stop(self->fd));
		ASSERT_EQ(0, gh_track(self->fd));
		store(self->base, 5);
		ASSERT_EQ(0, gh_collect(self->fd, self->base, BYTES, &n));
		EXPECT_TRUE(gh_dirty_is(BYTES / SYS_PAGE, n, gh_expect_one, &one));
	}
}

/* No fault in the writer, however often the window is collected. */
TEST_F(dirty, no_fault)
{
	long before, after;
	uint64_t i, n;
	int round;

	if (!nofault(self->fd))
		SKIP(return, "this module is built without the core's dirty helpers");
	ASSERT_EQ(0, gh_track(self->fd));
	for (round = 0; round < 5; round++) {
		before = faults();
		for (i = 0; i < self->npages; i++)
			store(self->base, i);
		after = faults();
		EXPECT_EQ(before, after);
		ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
		EXPECT_TRUE(gh_dirty_is(self->npages, n, gh_expect_all, NULL));
	}
}

TEST_F(dirty, counted)
{
	struct goheap_arena_stats st;
	uint64_t i, n;

	ASSERT_EQ(0, gh_track(self->fd));
	ASSERT_EQ(0, gh_track(self->fd));
	for (i = 0; i < 100; i++)
		store(self->base, i * 7);
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_EQ(100, n);
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_EQ(0, n);
	st = gh_stats(self->fd);
	EXPECT_EQ(2, st.tracks);
	EXPECT_EQ(2, st.collects);
	EXPECT_EQ(100, st.dirty_pages);
}

TEST_HARNESS_MAIN
