// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: an event that does not come, comes when nothing happened, or has the
 * wrong fields; a disabled event that comes all the same.
 *
 * Each test switches one event on, provokes it, and compares what was recorded
 * with what was done.
 */
#include "arena.h"
#include "fdinfo.h"
#include "tracefs.h"

static struct trace trace;

FIXTURE(traced)
{
	int fd;
	char *base;
	size_t bytes;
	uint64_t id;
};

FIXTURE_SETUP(traced)
{
	if (!tracefs_there())
		SKIP(return, "not root, or no tracefs");
	self->bytes = GH_ARENA_BYTES;
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, self->bytes);
	ASSERT_NE(NULL, self->base);
	self->id = fdinfo_of(self->fd, "GoheapId");
	ASSERT_TRUE(tracefs_open());
}

FIXTURE_TEARDOWN(traced)
{
	tracefs_close();
	if (self->base)
		munmap(self->base, self->bytes);
	close(self->fd);
}

/* @n events "goheap_NAME" of this arena, and none of another kind. */
static bool recorded(size_t n, const char *name, uint64_t id)
{
	char start[64];
	bool ok;
	size_t i;

	if (!tracefs_read(&trace))
		return false;
	ok = trace.n == n;
	snprintf(start, sizeof(start), "goheap_%s: arena=%llu pid=%d ", name,
		 (unsigned long long)id, getpid());
	for (i = 0; i < trace.n; i++)
		if (strncmp(trace.event[i], start, strlen(start)))
			ok = false;
	if (ok)
		return true;
	fprintf(stderr, "# %zu events, not %zu of %s\n", trace.n, n, start);
	for (i = 0; i < trace.n; i++)
		fprintf(stderr, "# %s\n", trace.event[i]);
	return false;
}

TEST_F(traced, span_alloc)
{
	struct goheap_span s[3] = {
		{ .npages = 3 }, { .npages = 500, .flags = GOHEAP_SPAN_NOSCAN }, { .npages = 1 },
	};
	struct goheap_span bad[2] = { { .npages = 3 }, { .npages = self->bytes } };
	int i;

	ASSERT_TRUE(tracefs_only("span_alloc"));
	ASSERT_EQ(0, gh_alloc_batch(self->fd, s, 3));
	ASSERT_TRUE(recorded(3, "span_alloc", self->id));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(s[i].addr, trace_number(trace.event[i], "addr"));
		EXPECT_EQ(gh_bytes(&s[i]), trace_number(trace.event[i], "bytes"));
		EXPECT_STREQ(i == 1 ? "noscan" : "", trace_word(trace.event[i], "flags"));
	}

	/* The same again, recycled: another way through the code. */
	ASSERT_EQ(0, gh_free_batch(self->fd, (struct goheap_span[]){
			{ .addr = s[1].addr, .npages = 500 } }, 1));
	ASSERT_TRUE(tracefs_only("span_alloc"));
	s[1] = (struct goheap_span){ .npages = 500, .flags = GOHEAP_SPAN_NOSCAN };
	ASSERT_EQ(0, gh_alloc_batch(self->fd, &s[1], 1));
	ASSERT_TRUE(recorded(1, "span_alloc", self->id));
	EXPECT_STREQ("noscan|needzero", trace_word(trace.event[0], "flags"));

	/* A batch that fails is no allocation. */
	ASSERT_TRUE(tracefs_only("span_alloc"));
	EXPECT_NE(0, gh_alloc_batch(self->fd, bad, 2));
	EXPECT_TRUE(recorded(0, "span_alloc", self->id));
}

TEST_F(traced, span_free)
{
	struct goheap_span s[2] = { { .npages = 3 }, { .npages = 600 } };
	int i;

	ASSERT_EQ(0, gh_alloc_batch(self->fd, s, 2));
	ASSERT_TRUE(tracefs_only("span_free"));
	EXPECT_EQ(EINVAL, gh_free_range(self->fd, s[0].addr, 2));
	EXPECT_TRUE(recorded(0, "span_free", self->id));
	for (i = 0; i < 2; i++)
		s[i].flags = 0;
	ASSERT_EQ(0, gh_free_batch(self->fd, s, 2));
	ASSERT_TRUE(recorded(2, "span_free", self->id));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(s[i].addr, trace_number(trace.event[i], "addr"));
		EXPECT_EQ(gh_bytes(&s[i]), trace_number(trace.event[i], "bytes"));
	}
}

TEST_F(traced, grow)
{
	struct goheap_span s;

	ASSERT_TRUE(tracefs_only("grow"));
	ASSERT_EQ(0, gh_alloc(self->fd, 500, &s));
	ASSERT_EQ(0, gh_alloc(self->fd, 3, &s));	/* in the same chunk */
	ASSERT_EQ(0, gh_alloc(self->fd, 1000, &s));
	ASSERT_TRUE(recorded(2, "grow", self->id));
	EXPECT_EQ(4 * MIB, trace_number(trace.event[0], "bytes"));
	EXPECT_EQ(4 * MIB, trace_number(trace.event[0], "grown"));
	EXPECT_EQ(8 * MIB, trace_number(trace.event[1], "bytes"));
	EXPECT_EQ(12 * MIB, trace_number(trace.event[1], "grown"));
	EXPECT_EQ(12 * MIB, gh_stats(self->fd).grown_bytes);
}

/* Writes a parameter of the module; returns what it was. */
static unsigned long limit_pages(unsigned long pages)
{
	FILE *f = fopen("/sys/module/goheap/parameters/limit_pages", "r+");
	unsigned long was = 0;

	if (!f || fscanf(f, "%lu", &was) != 1)
		abort();
	rewind(f);
	fprintf(f, "%lu\n", pages);
	if (fclose(f))
		abort();
	return was;
}

TEST_F(traced, map)
{
	struct goheap_span s[2] = { { .npages = 10 }, { .npages = 20 } };
	uint64_t bytes = 5 * GH_PAGE;
	unsigned long limit;
	int err;

	ASSERT_TRUE(tracefs_only("map"));
	ASSERT_EQ(0, gh_alloc_batch(self->fd, s, 2));
	ASSERT_TRUE(recorded(1, "map", self->id));
	EXPECT_EQ(2, trace_number(trace.event[0], "spans"));
	EXPECT_EQ(30 * GH_PAGE, trace_number(trace.event[0], "bytes"));
	EXPECT_EQ(30 * GH_PAGE, trace_number(trace.event[0], "fresh"));
	EXPECT_EQ(0, trace_number(trace.event[0], "kept"));
	EXPECT_STREQ("0", trace_word(trace.event[0], "ret"));

	/* Nothing to be mapped: no event. */
	s[1].flags = 0;
	ASSERT_EQ(0, gh_free(self->fd, &s[1]));
	ASSERT_TRUE(tracefs_only("map"));
	ASSERT_EQ(0, gh_alloc(self->fd, 20, &s[1]));
	ASSERT_TRUE(recorded(0, "map", self->id));

	/* Five pages without memory, three that are only not mapped. */
	ASSERT_EQ(0, gh_free(self->fd, &s[1]));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	bytes = 3 * GH_PAGE;
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	ASSERT_EQ(0, gh_alloc(self->fd, 20, &s[1]));
	ASSERT_TRUE(recorded(1, "map", self->id));
	EXPECT_EQ(1, trace_number(trace.event[0], "spans"));
	EXPECT_EQ(20 * GH_PAGE, trace_number(trace.event[0], "bytes"));
	EXPECT_EQ(5 * GH_PAGE, trace_number(trace.event[0], "fresh"));
	EXPECT_EQ(3 * GH_PAGE, trace_number(trace.event[0], "kept"));

	ASSERT_TRUE(tracefs_only("map"));
	limit = limit_pages(1);
	err = gh_alloc(self->fd, 50, &s[1]);
	limit_pages(limit);
	EXPECT_EQ(ENOMEM, err);
	ASSERT_TRUE(recorded(1, "map", self->id));
	EXPECT_STREQ("-12", trace_word(trace.event[0], "ret"));
}

TEST_F(traced, fault)
{
	struct goheap_span s;

	ASSERT_EQ(0, gh_alloc(self->fd, 10, &s));
	ASSERT_EQ(0, madvise(gh_ptr(&s), gh_bytes(&s), MADV_DONTNEED));
	ASSERT_TRUE(tracefs_only("fault"));
	*(volatile char *)gh_ptr(&s) = 1;
	EXPECT_EQ(0, *(volatile char *)(gh_ptr(&s) + 5 * 4096));
	EXPECT_EQ(SIGBUS, gh_touch(self->base + self->bytes - 1, false));
	ASSERT_TRUE(recorded(3, "fault", self->id));
	EXPECT_EQ(s.addr, trace_number(trace.event[0], "addr"));
	EXPECT_EQ(1, trace_number(trace.event[0], "write"));
	EXPECT_STREQ("served", trace_word(trace.event[0], "result"));
	EXPECT_EQ(s.addr + 5 * 4096, trace_number(trace.event[1], "addr"));
	EXPECT_EQ(0, trace_number(trace.event[1], "write"));
	EXPECT_STREQ("served", trace_word(trace.event[1], "result"));
	EXPECT_EQ((uintptr_t)self->base + self->bytes - 4096,
		  trace_number(trace.event[2], "addr") & ~4095ULL);
	EXPECT_STREQ("outside", trace_word(trace.event[2], "result"));
}

TEST_F(traced, release)
{
	uint64_t kept = 20 * GH_PAGE, freed = 30 * GH_PAGE, all = GH_ALL;
	struct goheap_span a, b;

	ASSERT_EQ(0, gh_alloc(self->fd, 100, &a));
	ASSERT_EQ(0, gh_alloc(self->fd, 7, &b));
	ASSERT_EQ(0, gh_free(self->fd, &a));

	ASSERT_TRUE(tracefs_only("release"));
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &kept));
	ASSERT_TRUE(recorded(1, "release", self->id));
	EXPECT_STREQ("request", trace_word(trace.event[0], "reason"));
	EXPECT_EQ(a.addr + 80 * GH_PAGE, trace_number(trace.event[0], "addr"));
	EXPECT_EQ(20 * GH_PAGE, trace_number(trace.event[0], "bytes"));
	EXPECT_EQ(1, trace_number(trace.event[0], "keep"));

	ASSERT_TRUE(tracefs_only("release"));
	ASSERT_EQ(0, gh_release(self->fd, 0, &freed));
	ASSERT_TRUE(recorded(1, "release", self->id));
	EXPECT_EQ(a.addr + 70 * GH_PAGE, trace_number(trace.event[0], "addr"));
	EXPECT_EQ(30 * GH_PAGE, trace_number(trace.event[0], "bytes"));
	EXPECT_EQ(0, trace_number(trace.event[0], "keep"));

	/* Nothing left to keep, no event; what remains, then the rest. */
	ASSERT_EQ(0, gh_release(self->fd, 0, &all));
	ASSERT_TRUE(tracefs_only("release"));
	ASSERT_EQ(0, gh_release(self->fd, 0, &all));
	ASSERT_TRUE(recorded(0, "release", self->id));
	ASSERT_EQ(0, munmap(self->base, self->bytes));
	self->base = NULL;
	ASSERT_TRUE(recorded(1, "release", self->id));
	EXPECT_STREQ("close", trace_word(trace.event[0], "reason"));
	EXPECT_EQ(7 * GH_PAGE, trace_number(trace.event[0], "bytes"));
}

TEST_F(traced, track)
{
	struct goheap_track t = { .size = sizeof(t) };

	ASSERT_TRUE(tracefs_only("track"));
	ASSERT_EQ(0, gh_ioctl(self->fd, GOHEAP_IOC_TRACK, &t));
	t.flags = GOHEAP_TRACK_STOP;
	ASSERT_EQ(0, gh_ioctl(self->fd, GOHEAP_IOC_TRACK, &t));
	ASSERT_TRUE(recorded(2, "track", self->id));
	EXPECT_EQ(1, trace_number(trace.event[0], "on"));
	EXPECT_EQ(0, trace_number(trace.event[1], "on"));
}

TEST_F(traced, collect)
{
	struct goheap_track t = { .size = sizeof(t) };
	struct goheap_span s;
	uint64_t bitmap[1];
	struct goheap_dirty d = { .size = sizeof(d), .bitmap = (uintptr_t)bitmap };

	ASSERT_EQ(0, gh_alloc(self->fd, 8, &s));
	memset(gh_ptr(&s), 0, gh_bytes(&s));
	ASSERT_EQ(0, gh_ioctl(self->fd, GOHEAP_IOC_TRACK, &t));
	gh_ptr(&s)[0] = 1;
	gh_ptr(&s)[9 * 4096] = 1;
	ASSERT_TRUE(tracefs_only("collect"));
	d.addr = s.addr;
	d.bytes = 16 * 4096;
	ASSERT_EQ(0, gh_ioctl(self->fd, GOHEAP_IOC_COLLECT, &d));
	ASSERT_TRUE(recorded(1, "collect", self->id));
	EXPECT_EQ(s.addr, trace_number(trace.event[0], "addr"));
	EXPECT_EQ(16 * 4096, trace_number(trace.event[0], "bytes"));
	EXPECT_EQ(2 * 4096, trace_number(trace.event[0], "dirty"));
}

/* Every event tells whose arena it is, in the same fields. */
TEST_F(traced, each_says_which_arena)
{
	static const char *const names[] = {
		"collect", "copy", "cycle", "fault", "fork", "grow", "map", "pressure",
		"release", "scavenge", "span_alloc", "span_free", "track",
	};
	char path[120], format[4096];
	size_t i, n;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), TRACEFS "/events/goheap/goheap_%s/format",
			 names[i]);
		f = fopen(path, "r");
		ASSERT_NE(NULL, f)
			TH_LOG("%s", path);
		n = fread(format, 1, sizeof(format) - 1, f);
		format[n] = 0;
		fclose(f);
		EXPECT_NE(NULL, strstr(format, "field:u32 arena;\toffset:8;"))
			TH_LOG("%s", names[i]);
		EXPECT_NE(NULL, strstr(format, "field:pid_t pid;\toffset:12;"))
			TH_LOG("%s", names[i]);
		EXPECT_NE(NULL, strstr(format, "\"arena=%u pid=%d "))
			TH_LOG("%s", names[i]);
	}
}

TEST_HARNESS_MAIN
