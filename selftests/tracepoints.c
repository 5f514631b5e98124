// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: an event that does not come, comes when nothing happened, or has the
 * wrong fields; a disabled event that comes all the same.
 *
 * Each test switches one event on, provokes it, and compares what was recorded
 * with what was done.
 */
#define _GNU_SOURCE
#include <sys/uio.h>

#include "arena.h"
#include "cgroup.h"
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
}

FIXTURE_TEARDOWN(traced)
{
	tracefs_only("");
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

TEST_F(traced, cycle)
{
	struct goheap_cycle cy[2];
	struct goheap_span s;
	int i;

	ASSERT_EQ(0, gh_alloc(self->fd, 100, &s));
	ASSERT_TRUE(tracefs_only("cycle"));
	ASSERT_EQ(0, gh_cycle(self->fd, 10 * MIB, &cy[0]));
	ASSERT_EQ(0, gh_cycle(self->fd, 20 * MIB, &cy[1]));
	ASSERT_TRUE(recorded(2, "cycle", self->id));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ((i + 1) * 10 * MIB, trace_number(trace.event[i], "heap_goal"));
		EXPECT_EQ(cy[i].retain_goal, trace_number(trace.event[i], "retain_goal"));
		EXPECT_EQ(100 * GH_PAGE, trace_number(trace.event[i], "inuse"));
		EXPECT_EQ(cy[i].interval, trace_number(trace.event[i], "interval"));
	}
}

/*
 * 100 pages in use above 200 free ones, a retention goal of 110, and only this
 * trigger on.
 */
static bool above_the_goal(int fd, uint32_t trigger)
{
	struct goheap_span a, b;
	struct goheap_cycle cy;

	return !gh_triggers(fd, 0) && !gh_alloc(fd, 200, &b) && !gh_alloc(fd, 100, &a) &&
	       !gh_free(fd, &b) && !gh_cycle(fd, MIB, &cy) && !gh_cycle(fd, MIB, &cy) &&
	       cy.retain_goal == 110 * GH_PAGE && !gh_triggers(fd, trigger);
}

/* A decision in the state that above_the_goal() makes. */
static bool decided(const char *event, const char *reason, uint64_t goal, uint64_t want)
{
	bool ok = !strcmp(trace_word(event, "reason"), reason) &&
		  trace_number(event, "inuse") == 100 * GH_PAGE &&
		  trace_number(event, "retained") == 200 * GH_PAGE &&
		  trace_number(event, "goal") == goal && trace_number(event, "want") == want;

	if (!ok)
		fprintf(stderr, "# not %s, goal %llu, want %llu: %s\n", reason,
			(unsigned long long)goal, (unsigned long long)want, event);
	return ok;
}

TEST_F(traced, scavenge_growth)
{
	struct goheap_span s;

	ASSERT_TRUE(above_the_goal(self->fd, GOHEAP_SCAVENGE_GROWTH));
	ASSERT_TRUE(tracefs_only("scavenge"));
	/* Room is in the next chunk only. */
	ASSERT_EQ(0, gh_alloc(self->fd, 500, &s));
	ASSERT_EQ(200 * GH_PAGE, gh_stats(self->fd).scav_growth_bytes);
	ASSERT_TRUE(recorded(1, "scavenge", self->id));
	EXPECT_TRUE(decided(trace.event[0], "growth", 110 * GH_PAGE, 500 * GH_PAGE));
}

TEST_F(traced, scavenge_limit)
{
	struct goheap_settings set = {
		.set = GOHEAP_SET_MEMORY_LIMIT,
		.memory_limit = 150 * GH_PAGE,
	};

	ASSERT_TRUE(above_the_goal(self->fd, GOHEAP_SCAVENGE_LIMIT));
	ASSERT_TRUE(tracefs_only("scavenge"));
	ASSERT_EQ(0, gh_settings(self->fd, &set));
	ASSERT_TRUE(recorded(1, "scavenge", self->id));
	EXPECT_TRUE(decided(trace.event[0], "limit", 150 * GH_PAGE, 150 * GH_PAGE));
}

/* Work of another process, for this one. */
TEST_F(traced, scavenge_background)
{
	int ms;

	ASSERT_TRUE(above_the_goal(self->fd, 0));
	ASSERT_TRUE(tracefs_only("scavenge"));
	ASSERT_EQ(0, gh_triggers(self->fd, GOHEAP_SCAVENGE_BACKGROUND));
	for (ms = 0; ms < 60000 && !gh_stats(self->fd).scav_background_bytes; ms += 100)
		usleep(100000);
	ASSERT_TRUE(tracefs_read(&trace));
	ASSERT_LE(1, trace.n);
	EXPECT_EQ(self->id, trace_number(trace.event[0], "arena"));
	EXPECT_EQ((uint64_t)getpid(), trace_number(trace.event[0], "pid"));
	EXPECT_STREQ("background", trace_word(trace.event[0], "reason"));
	EXPECT_EQ(110 * GH_PAGE, trace_number(trace.event[0], "goal"));
	EXPECT_LT(0, trace_number(trace.event[0], "want"));
}

/* What the reasons add up to is what the statistics count apart. */
TEST_F(traced, release_by_reason)
{
	struct goheap_settings set = {
		.set = GOHEAP_SET_MEMORY_LIMIT | GOHEAP_SET_SCAVENGE,
		.scavenge = GOHEAP_SCAVENGE_LIMIT,
		.memory_limit = 580 * GH_PAGE,
	};
	uint64_t bytes = 7 * GH_PAGE;
	struct goheap_arena_stats st;
	struct goheap_span s;

	ASSERT_TRUE(above_the_goal(self->fd, GOHEAP_SCAVENGE_GROWTH));
	ASSERT_TRUE(tracefs_only("release"));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	ASSERT_EQ(0, gh_alloc(self->fd, 500, &s));
	ASSERT_EQ(0, gh_free(self->fd, &s));
	ASSERT_EQ(0, gh_settings(self->fd, &set));
	st = gh_stats(self->fd);
	ASSERT_TRUE(tracefs_read(&trace));
	EXPECT_EQ(7 * GH_PAGE, st.scav_request_bytes);
	EXPECT_LT(0, st.scav_growth_bytes);
	EXPECT_LT(0, st.scav_limit_bytes);
	EXPECT_EQ(st.scav_request_bytes, trace_sum(&trace, "bytes", "reason", "request"));
	EXPECT_EQ(st.scav_growth_bytes, trace_sum(&trace, "bytes", "reason", "growth"));
	EXPECT_EQ(st.scav_limit_bytes, trace_sum(&trace, "bytes", "reason", "limit"));
	EXPECT_EQ(st.freed_bytes, trace_sum(&trace, "bytes", "", ""));
}

/* Reclaim in a cgroup: free pages first, then the process is told. */
TEST_F(traced, pressure)
{
	struct goheap_span live, s;
	struct cg cg = { };
	const char *why = cg_create(&cg, "traced", 0);
	uint64_t id;
	int fd, i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, cg_enter(&cg));
	fd = gh_open();
	ASSERT_EQ(0, cg_leave());
	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 256 * MIB));
	id = fdinfo_of(fd, "GoheapId");
	ASSERT_EQ(0, gh_alloc(fd, 24 * MIB / GH_PAGE, &live));
	ASSERT_EQ(0, gh_alloc(fd, 24 * MIB / GH_PAGE, &s));
	ASSERT_EQ(0, gh_free(fd, &s));

	ASSERT_TRUE(tracefs_only("release"));
	for (i = 0; i < 20 && gh_stats(fd).retained_bytes; i++)
		cg_write_file(cg.path, "memory.reclaim", "64M");
	ASSERT_TRUE(tracefs_read(&trace));
	EXPECT_EQ(24 * MIB, gh_stats(fd).scav_pressure_bytes);
	EXPECT_EQ(24 * MIB, trace_sum(&trace, "bytes", "reason", "pressure"));

	ASSERT_TRUE(tracefs_only("pressure"));
	for (i = 0; i < 20 && !gh_stats(fd).pressure; i++)
		cg_write_file(cg.path, "memory.reclaim", "64M");
	ASSERT_TRUE(tracefs_read(&trace));
	if (gh_stats(fd).pressure == 1 && trace.n == 1) {
		EXPECT_EQ(id, trace_number(trace.event[0], "arena"));
		EXPECT_EQ(0, trace_number(trace.event[0], "retained"));
		EXPECT_EQ(1, trace_number(trace.event[0], "events"));
	} else {
		/* The event came with the last of the free pages. */
		EXPECT_EQ(0, trace.n);
		EXPECT_EQ(1, gh_stats(fd).pressure);
	}
	close(fd);
	cg_destroy(&cg);
}

/* A child that writes to @p when it is told to, and stays until it is told to go. */
struct child {
	pid_t pid;
	int tell[2], told[2];
};

static bool child_fork(struct child *c, char *p)
{
	char byte;

	if (pipe(c->tell) || pipe(c->told))
		return false;
	c->pid = fork();
	if (c->pid)
		return c->pid > 0;
	close(c->tell[1]);
	if (read(c->tell[0], &byte, 1) == 1) {
		*(volatile char *)p = 1;
		byte = write(c->told[1], &byte, 1);
		byte = read(c->tell[0], &byte, 1);
	}
	_exit(0);
}

static bool child_write(struct child *c)
{
	char byte = 0;

	return write(c->tell[1], &byte, 1) == 1 && read(c->told[0], &byte, 1) == 1;
}

static void child_end(struct child *c)
{
	close(c->tell[0]);
	close(c->tell[1]);
	close(c->told[0]);
	close(c->told[1]);
	gh_wait(c->pid);
}

TEST_F(traced, fork_and_copy)
{
	struct goheap_span s;
	struct child c;
	uint64_t id;

	ASSERT_EQ(0, gh_alloc(self->fd, 10, &s));
	memset(gh_ptr(&s), 1, gh_bytes(&s));
	ASSERT_TRUE(tracefs_only("fork"));
	ASSERT_TRUE(child_fork(&c, gh_ptr(&s) + 3 * 4096));
	ASSERT_TRUE(recorded(1, "fork", self->id));
	id = trace_number(trace.event[0], "child");
	EXPECT_LT(self->id, id);
	EXPECT_EQ(10 * GH_PAGE, trace_number(trace.event[0], "shared"));
	EXPECT_EQ(0, trace_number(trace.event[0], "copied"));
	EXPECT_STREQ("0", trace_word(trace.event[0], "ret"));

	/* Whose the copy is: the child's, the parent's; nobody's who is alone. */
	ASSERT_TRUE(tracefs_only("copy"));
	ASSERT_TRUE(child_write(&c));
	gh_ptr(&s)[5 * 4096] = 2;
	gh_ptr(&s)[3 * 4096] = 2;
	ASSERT_TRUE(tracefs_read(&trace));
	ASSERT_EQ(2, trace.n);
	EXPECT_EQ(id, trace_number(trace.event[0], "arena"));
	EXPECT_EQ((uint64_t)c.pid, trace_number(trace.event[0], "pid"));
	EXPECT_EQ(s.addr + 3 * 4096, trace_number(trace.event[0], "addr"));
	EXPECT_EQ(self->id, trace_number(trace.event[1], "arena"));
	EXPECT_EQ((uint64_t)getpid(), trace_number(trace.event[1], "pid"));
	EXPECT_EQ(s.addr + 5 * 4096, trace_number(trace.event[1], "addr"));
	EXPECT_STREQ("write", trace_word(trace.event[0], "reason"));
	EXPECT_EQ(4096, trace_number(trace.event[0], "bytes"));
	EXPECT_STREQ("0", trace_word(trace.event[1], "ret"));
	child_end(&c);
}

/* A page that a pipe refers to is copied at the fork. */
TEST_F(traced, copy_pinned)
{
	struct goheap_span s;
	struct iovec iov;
	struct child c;
	int p[2];

	ASSERT_EQ(0, gh_alloc(self->fd, 10, &s));
	memset(gh_ptr(&s), 1, gh_bytes(&s));
	ASSERT_EQ(0, pipe(p));
	iov = (struct iovec){ gh_ptr(&s) + 2 * 4096, 4096 };
	ASSERT_EQ(4096, vmsplice(p[1], &iov, 1, 0));
	ASSERT_TRUE(tracefs_only("copy"));
	ASSERT_TRUE(child_fork(&c, gh_ptr(&s)));
	ASSERT_TRUE(tracefs_read(&trace));
	ASSERT_EQ(1, trace.n);
	EXPECT_LT(self->id, trace_number(trace.event[0], "arena"));
	EXPECT_STREQ("pinned", trace_word(trace.event[0], "reason"));
	EXPECT_EQ(s.addr + 2 * 4096, trace_number(trace.event[0], "addr"));
	EXPECT_STREQ("0", trace_word(trace.event[0], "ret"));
	child_end(&c);
	close(p[0]);
	close(p[1]);
}

/* Every event tells whose arena it is, in the same fields. */
TEST_F(traced, each_says_which_arena)
{
	static const char *const names[] = {
		"collect", "copy", "cycle", "fault", "fork", "grow", "map", "pressure",
		"pressure_wait", "release", "scavenge", "span_alloc", "span_free", "track",
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

/* An instance of tracefs takes its time to come and to go: one for all tests. */
static void __attribute__((constructor)) tracefs_begin(void)
{
	if (tracefs_there())
		tracefs_open();
}

static void __attribute__((destructor)) tracefs_end(void)
{
	tracefs_close();
}

TEST_HARNESS_MAIN
