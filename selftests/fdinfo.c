// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: /proc/PID/fdinfo/FD that says something else than GOHEAP_IOC_STATS,
 * or that only the opener can read.
 */
#include "arena.h"
#include "fdinfo.h"

static const struct {
	const char *key;
	size_t offset;
} lines[] = {
#define LINE(key, f) { key, offsetof(struct goheap_arena_stats, f) }
	LINE("GoheapGrown", grown_bytes), LINE("GoheapInUse", inuse_bytes),
	LINE("GoheapRetained", retained_bytes), LINE("GoheapKept", kept_bytes),
	LINE("GoheapReleased", released_bytes), LINE("GoheapMetadata", metadata_bytes),
	LINE("GoheapFresh", fresh_bytes), LINE("GoheapRecycled", recycled_bytes),
	LINE("GoheapFreed", freed_bytes), LINE("GoheapSpans", spans),
	LINE("GoheapSpanAllocs", span_allocs), LINE("GoheapSpanFrees", span_frees),
	LINE("GoheapFaults", faults), LINE("GoheapBadFaults", bad_faults),
	LINE("GoheapEnomem", enomem),
	LINE("GoheapScavRequest", scav_request_bytes),
	LINE("GoheapScavBackground", scav_background_bytes),
	LINE("GoheapScavGrowth", scav_growth_bytes),
	LINE("GoheapScavLimit", scav_limit_bytes),
	LINE("GoheapScavPressure", scav_pressure_bytes),
	LINE("GoheapRetainGoal", retain_goal_bytes),
	LINE("GoheapCycles", cycles), LINE("GoheapPressure", pressure),
	LINE("GoheapShared", shared_bytes), LINE("GoheapCopied", copied_bytes),
	LINE("GoheapForks", forks), LINE("GoheapTracks", tracks),
	LINE("GoheapCollects", collects), LINE("GoheapDirtyPages", dirty_pages),
};

/* metadata_bytes need not be a number of kB. */
static bool agree(const char *path, const struct goheap_arena_stats *st)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		uint64_t want = *(const uint64_t *)((const char *)st + lines[i].offset);
		uint64_t is = line_of(path, lines[i].key);

		if (lines[i].offset == offsetof(struct goheap_arena_stats, metadata_bytes))
			want &= ~1023ULL;
		if (is == want)
			continue;
		fprintf(stderr, "# %s: %llu, statistics say %llu\n", lines[i].key,
			(unsigned long long)is, (unsigned long long)want);
		ok = false;
	}
	return ok;
}

/*
 * Leaves every figure of an arena that is not tracked, scavenged or copied
 * different from zero, and from the others where it can.
 */
static bool do_something_of_everything(int fd, char *base, size_t bytes)
{
	struct goheap_span a, b, c;
	uint64_t n = 30 * GH_PAGE, m = 20 * GH_PAGE;

	return !gh_alloc(fd, 700, &a) && !gh_alloc(fd, 3, &b) && !gh_alloc(fd, 50, &c) &&
	       !gh_free(fd, &a) && !gh_alloc(fd, 10, &a) &&
	       !gh_release(fd, 0, &n) && !gh_release(fd, GOHEAP_RELEASE_KEEP, &m) &&
	       !madvise(gh_ptr(&c), 8 * 4096, MADV_DONTNEED) &&
	       !gh_touch(gh_ptr(&c), true) &&
	       !gh_touch(gh_ptr(&c) + 4096, true) &&
	       gh_touch(base + bytes - 1, false) == SIGBUS &&
	       gh_alloc(fd, bytes / GH_PAGE, &a) == ENOMEM;
}

TEST_F(arena, same_as_statistics)
{
	struct goheap_arena_stats st;
	char path[64];
	size_t i;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	st = gh_stats(self->fd);
	EXPECT_TRUE(agree(path, &st));
	EXPECT_EQ(self->bytes, line_of(path, "GoheapArena"));
	EXPECT_EQ((uint64_t)getpid(), line_of(path, "GoheapPid"));
	ASSERT_TRUE(do_something_of_everything(self->fd, self->base, self->bytes));
	st = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(gh_fields); i++) {
		if (gh_fields[i].offset > offsetof(struct goheap_arena_stats, reserved))
			continue;
		EXPECT_NE(0, gh_field(&st, &gh_fields[i]))
			TH_LOG("%s", gh_fields[i].name);
	}
	EXPECT_TRUE(agree(path, &st));
}

/* Others may look at what they may not use: a monitor, root, a child. */
TEST_F(arena, read_by_another_process)
{
	struct goheap_arena_stats st;
	char path[64];
	pid_t pid;

	ASSERT_TRUE(do_something_of_everything(self->fd, self->base, self->bytes));
	st = gh_stats(self->fd);
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", getpid(), self->fd);
	/* A fork that changes no figure. */
	ASSERT_EQ(0, madvise(self->base, self->bytes, MADV_DONTFORK));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(!agree(path, &st));
	EXPECT_EQ(0, gh_wait(pid));
}

TEST_F(arena, before_mmap_and_after)
{
	struct goheap_arena_stats st;
	int fd = gh_open();
	char path[64];

	ASSERT_LE(0, fd);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	st = gh_stats(fd);
	EXPECT_TRUE(agree(path, &st));
	close(fd);

	ASSERT_TRUE(do_something_of_everything(self->fd, self->base, self->bytes));
	ASSERT_EQ(0, munmap(self->base, self->bytes));
	self->base = NULL;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	st = gh_stats(self->fd);
	EXPECT_TRUE(agree(path, &st));
}

/* The rest of a line, without blanks at its ends. */
static const char *words_of(int fd, const char *key, char *words, size_t len)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	strcpy(words, "?");
	while (f && fgets(line, sizeof(line), f)) {
		char *p = line + strlen(key), *end = line + strlen(line);

		if (strncmp(line, key, strlen(key)) || *p++ != ':')
			continue;
		while (*p == '\t' || *p == ' ')
			p++;
		while (end > p && (end[-1] == ' ' || end[-1] == '\n'))
			*--end = 0;
		snprintf(words, len, "%s", p);
	}
	if (f)
		fclose(f);
	return words;
}

TEST_F(arena, settings)
{
	struct goheap_settings set = {
		.set = GOHEAP_SET_POLICY | GOHEAP_SET_MEMORY_LIMIT | GOHEAP_SET_HARD_LIMIT |
		       GOHEAP_SET_SCAVENGE,
		.policy = GOHEAP_POLICY_BEST_FIT,
		.scavenge = GOHEAP_SCAVENGE_GROWTH | GOHEAP_SCAVENGE_PRESSURE,
		.memory_limit = 40 * MIB,
		.hard_limit = 50 * MIB,
	};
	char w[100];

	EXPECT_STREQ("first-fit", words_of(self->fd, "GoheapPolicy", w, sizeof(w)));
	EXPECT_STREQ("background growth limit pressure",
		     words_of(self->fd, "GoheapScavenge", w, sizeof(w)));
	EXPECT_STREQ("none", words_of(self->fd, "GoheapMemoryLimit", w, sizeof(w)));
	EXPECT_STREQ("none", words_of(self->fd, "GoheapHardLimit", w, sizeof(w)));
	EXPECT_STREQ("none", words_of(self->fd, "GoheapRetainGoal", w, sizeof(w)));
	ASSERT_EQ(0, gh_settings(self->fd, &set));
	EXPECT_STREQ("best-fit", words_of(self->fd, "GoheapPolicy", w, sizeof(w)));
	EXPECT_STREQ("growth pressure", words_of(self->fd, "GoheapScavenge", w, sizeof(w)));
	EXPECT_EQ(40 * MIB, fdinfo_of(self->fd, "GoheapMemoryLimit"));
	EXPECT_EQ(50 * MIB, fdinfo_of(self->fd, "GoheapHardLimit"));
	set.set = GOHEAP_SET_SCAVENGE;
	set.scavenge = 0;
	ASSERT_EQ(0, gh_settings(self->fd, &set));
	EXPECT_STREQ("none", words_of(self->fd, "GoheapScavenge", w, sizeof(w)));
}

/* A child's arena has a line of its own; the other lines are the opener's still. */
TEST_F(arena, relative)
{
	unsigned long long id, inuse, retained, shared, copied;
	int tell[2], told[2], pid;
	struct goheap_arena_stats st;
	struct goheap_span a, b;
	char path[64], words[150], c;
	pid_t child;

	ASSERT_EQ(0, gh_alloc(self->fd, 50, &a));
	memset(gh_ptr(&a), 1, gh_bytes(&a));
	ASSERT_EQ(0, pipe(tell));
	ASSERT_EQ(0, pipe(told));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		gh_ptr(&a)[0] = 2;
		_exit(gh_alloc(self->fd, 7, &b) || gh_alloc(self->fd, 5, &a) ||
		      gh_free(self->fd, &b) || write(told[1], "", 1) != 1 ||
		      read(tell[0], &c, 1) != 1);
	}
	ASSERT_EQ(1, read(told[0], &c, 1));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	st = gh_stats(self->fd);
	EXPECT_TRUE(agree(path, &st));
	EXPECT_EQ(1, st.forks);
	EXPECT_EQ((uint64_t)getpid(), line_of(path, "GoheapPid"));
	EXPECT_EQ(1, line_of(path, "GoheapRelatives"));
	words_of(self->fd, "GoheapRelative", words, sizeof(words));
	ASSERT_EQ(6, sscanf(words, "id %llu pid %d inuse %llu retained %llu shared %llu copied %llu kB",
			    &id, &pid, &inuse, &retained, &shared, &copied))
		TH_LOG("%s", words);
	EXPECT_LT(line_of(path, "GoheapId"), id);
	EXPECT_EQ(child, pid);
	EXPECT_EQ(55 * 8, inuse);
	EXPECT_EQ(7 * 8, retained);
	EXPECT_EQ(50 * 8 - 4, shared);
	EXPECT_EQ(4, copied);
	/* The child sees the same, its own line among it. */
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", child, self->fd);
	EXPECT_EQ((uint64_t)getpid(), line_of(path, "GoheapPid"));
	EXPECT_EQ(1, write(tell[1], "", 1));
	EXPECT_EQ(0, gh_wait(child));
	EXPECT_EQ(0, fdinfo_of(self->fd, "GoheapRelatives"));
	EXPECT_STREQ("?", words_of(self->fd, "GoheapRelative", words, sizeof(words)));
}

/* Each heap has a number of its own, and begins without relatives. */
TEST_F(arena, identity)
{
	int fd = gh_open();

	ASSERT_LE(0, fd);
	EXPECT_LT(fdinfo_of(self->fd, "GoheapId"), fdinfo_of(fd, "GoheapId"));
	EXPECT_NE(~0ULL, fdinfo_of(fd, "GoheapId"));
	EXPECT_EQ(0, fdinfo_of(fd, "GoheapRelatives"));
	close(fd);
}

TEST_HARNESS_MAIN
