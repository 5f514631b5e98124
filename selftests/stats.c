// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a figure of GOHEAP_IOC_STATS that is not what was done.
 */
#include "arena.h"

#define P(n) ((n) * GH_PAGE)

/* All fields but metadata_bytes, which is the kernel's own affair. */
static bool stats_are(int fd, const struct goheap_arena_stats *want)
{
	struct goheap_arena_stats st = gh_stats(fd);
	bool ok = gh_consistent(&st);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(gh_fields); i++) {
		const struct gh_field *f = &gh_fields[i];

		if (f->offset == offsetof(struct goheap_arena_stats, metadata_bytes) ||
		    gh_field(&st, f) == gh_field(want, f))
			continue;
		fprintf(stderr, "# %s is %llu, not %llu\n", f->name,
			(unsigned long long)gh_field(&st, f),
			(unsigned long long)gh_field(want, f));
		ok = false;
	}
	return ok;
}

TEST_F(arena, step_by_step)
{
	struct goheap_arena_stats w = { };
	struct goheap_span a, b, c, s[3];
	uint64_t bytes;
	int i;

	ASSERT_TRUE(stats_are(self->fd, &w));

	/* Two spans, the second into the next chunk. */
	ASSERT_EQ(0, gh_alloc(self->fd, 500, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 100, &b));
	w.grown_bytes = 8 * MIB;
	w.inuse_bytes = w.fresh_bytes = P(600);
	w.released_bytes = 8 * MIB - P(600);
	w.spans = w.span_allocs = 2;
	ASSERT_TRUE(stats_are(self->fd, &w));

	ASSERT_EQ(0, gh_free(self->fd, &a));
	w.inuse_bytes -= P(500);
	w.retained_bytes = P(500);
	w.spans--;
	w.span_frees++;
	ASSERT_TRUE(stats_are(self->fd, &w));

	/* 20 pages unmapped, 10 given back; the highest of the 500. */
	bytes = P(10);
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	w.retained_bytes -= P(10);
	w.released_bytes += P(10);
	w.freed_bytes += P(10);
	w.scav_request_bytes += P(10);
	ASSERT_TRUE(stats_are(self->fd, &w));
	bytes = P(20);
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	w.kept_bytes += P(20);
	ASSERT_TRUE(stats_are(self->fd, &w));

	/* A span over all of it: 490 pages still there, 10 fresh. */
	ASSERT_EQ(0, gh_alloc(self->fd, 500, &c));
	w.inuse_bytes += P(500);
	w.retained_bytes = w.kept_bytes = 0;
	w.released_bytes -= P(10);
	w.fresh_bytes += P(10);
	w.recycled_bytes += P(490);
	w.spans++;
	w.span_allocs++;
	ASSERT_TRUE(stats_are(self->fd, &w));

	/* A batch. */
	for (i = 0; i < 3; i++)
		s[i] = (struct goheap_span){ .npages = 2 };
	ASSERT_EQ(0, gh_alloc_batch(self->fd, s, 3));
	w.inuse_bytes += P(6);
	w.fresh_bytes += P(6);
	w.released_bytes -= P(6);
	w.spans += 3;
	w.span_allocs += 3;
	ASSERT_TRUE(stats_are(self->fd, &w));
	ASSERT_EQ(0, gh_free_batch(self->fd, s, 3));
	w.inuse_bytes -= P(6);
	w.retained_bytes += P(6);
	w.spans -= 3;
	w.span_frees += 3;
	ASSERT_TRUE(stats_are(self->fd, &w));

	/* Failures and faults. */
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, self->bytes / GH_PAGE, &a));
	w.enomem++;
	ASSERT_TRUE(stats_are(self->fd, &w));
	EXPECT_EQ(EINVAL, gh_alloc(self->fd, 0, &a));
	EXPECT_EQ(SIGBUS, gh_touch(self->base + self->bytes - 1, true));
	w.bad_faults++;
	ASSERT_TRUE(stats_are(self->fd, &w));
	ASSERT_EQ(0, madvise(gh_ptr(&c), 4096, MADV_DONTNEED));
	EXPECT_EQ(0, gh_touch(gh_ptr(&c), true));
	w.faults++;
	ASSERT_TRUE(stats_are(self->fd, &w));

	/* All back. */
	ASSERT_EQ(0, gh_free(self->fd, &b));
	ASSERT_EQ(0, gh_free(self->fd, &c));
	bytes = GH_ALL;
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_EQ(P(606), bytes);
	w.inuse_bytes = w.retained_bytes = w.kept_bytes = w.spans = 0;
	w.released_bytes = 8 * MIB;
	w.span_frees += 2;
	w.freed_bytes += P(606);
	w.scav_request_bytes += P(606);
	ASSERT_TRUE(stats_are(self->fd, &w));
}

/* The kernel's own memory for an arena is said, grows with the heap, and is small. */
TEST_F(arena, metadata)
{
	uint64_t empty = gh_stats(self->fd).metadata_bytes, full;
	struct goheap_span span;

	EXPECT_LT(0, empty);
	EXPECT_GE(MIB, empty);
	ASSERT_EQ(0, gh_alloc(self->fd, 32 * MIB / GH_PAGE, &span));
	full = gh_stats(self->fd).metadata_bytes;
	EXPECT_LT(empty, full);
	EXPECT_GE(empty + 32 * MIB / 64, full);
}

/* Windows for dirty pages, what was found in them, and what has no part in it. */
TEST_F(arena, tracking)
{
	struct goheap_track track = { .size = sizeof(track) };
	struct goheap_arena_stats st;
	uint64_t words[2];
	struct goheap_dirty dirty = { .size = sizeof(dirty), .bitmap = (uintptr_t)words };
	struct goheap_span span;
	int i;

	ASSERT_EQ(0, gh_alloc(self->fd, 40, &span));
	memset(gh_ptr(&span), 1, gh_bytes(&span));
	dirty.addr = span.addr;
	dirty.bytes = gh_bytes(&span);
	EXPECT_EQ(ENODATA, gh_ioctl(self->fd, GOHEAP_IOC_COLLECT, &dirty));
	ASSERT_EQ(0, gh_ioctl(self->fd, GOHEAP_IOC_TRACK, &track));
	for (i = 0; i < 3; i++) {
		gh_ptr(&span)[i * 4096] = 2;
		gh_ptr(&span)[70 * 4096] = 2;
		ASSERT_EQ(0, gh_ioctl(self->fd, GOHEAP_IOC_COLLECT, &dirty));
		EXPECT_EQ(2, dirty.pages);
	}
	st = gh_stats(self->fd);
	EXPECT_EQ(1, st.tracks);
	EXPECT_EQ(3, st.collects);
	EXPECT_EQ(6, st.dirty_pages);
}

/* What a fork makes of both sides' figures. */
TEST_F(arena, forked)
{
	struct goheap_arena_stats st;
	struct goheap_span span;
	pid_t pid;

	ASSERT_EQ(0, gh_alloc(self->fd, 40, &span));
	memset(gh_ptr(&span), 1, gh_bytes(&span));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		gh_ptr(&span)[0] = 2;
		gh_ptr(&span)[9 * 4096] = 2;
		st = gh_stats(self->fd);
		_exit(!(st.inuse_bytes == P(40) && st.spans == 1 && !st.forks &&
			st.copied_bytes == 2 * 4096 && st.shared_bytes == 78 * 4096 &&
			gh_consistent(&st)));
	}
	EXPECT_EQ(0, gh_wait(pid));
	st = gh_stats(self->fd);
	EXPECT_EQ(1, st.forks);
	EXPECT_EQ(0, st.copied_bytes);
	EXPECT_EQ(0, st.shared_bytes);	/* the relative has gone */
	EXPECT_EQ(P(40), st.inuse_bytes);
	EXPECT_TRUE(gh_consistent(&st));
}

/* One arena's work is not another's. */
TEST_F(arena, of_this_arena_only)
{
	struct goheap_arena_stats before = gh_stats(self->fd), after;
	struct goheap_span span;
	int fd = gh_open();

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 64 * MIB));
	ASSERT_EQ(0, gh_alloc(fd, 700, &span));
	ASSERT_EQ(0, gh_free(fd, &span));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	close(fd);
}

/* The identities hold after each of many random requests. */
TEST_F(arena, always_consistent)
{
	struct goheap_span span[50] = { };
	struct goheap_arena_stats st;
	uint64_t seed = 11, inuse = 0, spans = 0;
	int step;

	for (step = 0; step < 1000; step++) {
		struct goheap_span *s = &span[gh_random(&seed) % 50];
		uint64_t bytes = P(gh_random(&seed) % 100);

		if (gh_random(&seed) % 4 == 0) {
			ASSERT_EQ(0, gh_release(self->fd, gh_random(&seed) & 1, &bytes));
		} else if (s->addr) {
			ASSERT_EQ(0, gh_free(self->fd, s));
			inuse -= gh_bytes(s);
			spans--;
			s->addr = 0;
		} else {
			ASSERT_EQ(0, gh_alloc(self->fd, 1 + gh_random(&seed) % 50, s));
			inuse += gh_bytes(s);
			spans++;
		}
		st = gh_stats(self->fd);
		ASSERT_TRUE(gh_consistent(&st));
		ASSERT_EQ(inuse, st.inuse_bytes);
		ASSERT_EQ(spans, st.spans);
	}
}

TEST_HARNESS_MAIN
