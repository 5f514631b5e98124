// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: an allocation beyond what a cgroup, the module's limit or the arena
 * allows that kills a process instead of failing with ENOMEM, does half its
 * work, or leaves a heap that no longer works.
 */
#include "cgroup.h"

#define LIMIT	(32 * MIB)
#define LIMIT_PARAMETER "/sys/module/goheap/parameters"

FIXTURE(limit)
{
	struct cg cg;
	const char *why;
	int fd;
	char *base;
};

/* The arena is the small group's: it is open()ed by a member. */
FIXTURE_SETUP(limit)
{
	self->fd = -1;
	self->why = cg_create(&self->cg, "limit", LIMIT);
	if (self->why)
		return;
	ASSERT_EQ(0, cg_enter(&self->cg));
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 1024 * MIB);
	ASSERT_NE(NULL, self->base);
}

FIXTURE_TEARDOWN(limit)
{
	if (self->base)
		munmap(self->base, 1024 * MIB);
	if (self->fd >= 0)
		close(self->fd);
	cg_destroy(&self->cg);
}

/* Spans of 1 MiB until one fails: the errno.  *@got: how many there are. */
static int fill_up(int fd, struct goheap_span *s, int max, int *got)
{
	int err = 0;

	for (*got = 0; *got < max; ++*got) {
		err = gh_alloc(fd, MIB / GH_PAGE, &s[*got]);
		if (err)
			break;
	}
	return err;
}

/*
 * In the group, or out of it again, which is how a program can be sure that its
 * own stack is not what the group has no room for.
 */
static void fill_and_go_on(struct __test_metadata *_metadata, int fd, const struct cg *cg)
{
	struct goheap_arena_stats before, after;
	static struct goheap_span s[64];
	struct goheap_span big;
	int got, i;

	ASSERT_EQ(ENOMEM, fill_up(fd, s, 64, &got));
	EXPECT_LE(20, got);
	EXPECT_GE(32, got);
	EXPECT_EQ(0, cg_event(cg, "oom_kill"));
	EXPECT_GE(LIMIT, cg_current(cg));

	/* It fails again, and again changes nothing. */
	before = gh_stats(fd);
	EXPECT_EQ(ENOMEM, gh_alloc(fd, 4 * MIB / GH_PAGE, &big));
	EXPECT_EQ(ENOMEM, gh_alloc(fd, 64 * MIB / GH_PAGE, &big));
	after = gh_stats(fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	EXPECT_TRUE(gh_consistent(&after));
	EXPECT_LE(before.enomem + 2, after.enomem);

	/* Everything that there is works. */
	for (i = 0; i < got; i++)
		gh_fill(gh_ptr(&s[i]), 4096, i);
	for (i = 0; i < got; i++)
		EXPECT_TRUE(gh_holds(gh_ptr(&s[i]), 4096, i));

	/* Free memory serves the next spans, without more of the group's. */
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, gh_free(fd, &s[i]));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, gh_alloc(fd, MIB / GH_PAGE, &s[i]));
	EXPECT_EQ(ENOMEM, gh_alloc(fd, 4 * MIB / GH_PAGE, &big));
	EXPECT_EQ(0, cg_event(cg, "oom_kill"));
}

TEST_F(limit, opener_in_the_group)
{
	if (self->why)
		SKIP(return, "%s", self->why);
	fill_and_go_on(_metadata, self->fd, &self->cg);
}

TEST_F(limit, opener_has_left_the_group)
{
	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_leave());
	fill_and_go_on(_metadata, self->fd, &self->cg);
}

/* Memory that is free inside the heap, but in the wrong place, is given back for other use. */
TEST_F(limit, pressure_makes_room)
{
	static struct goheap_span s[64];
	struct goheap_arena_stats st;
	struct goheap_span big;
	int got, i;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_leave());
	ASSERT_EQ(ENOMEM, fill_up(self->fd, s, 64, &got));
	for (i = 0; i < got; i += 2)
		ASSERT_EQ(0, gh_free(self->fd, &s[i]));
	EXPECT_EQ(0, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &big));
	st = gh_stats(self->fd);
	EXPECT_LT(0, st.scav_pressure_bytes);
	EXPECT_TRUE(gh_consistent(&st));
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
}

/* Where that is switched off, on request. */
TEST_F(limit, release_makes_room)
{
	static struct goheap_span s[64];
	uint64_t bytes = GH_ALL;
	struct goheap_span big;
	int got, i;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_leave());
	ASSERT_EQ(0, gh_triggers(self->fd, GOHEAP_SCAVENGE_ALL & ~GOHEAP_SCAVENGE_PRESSURE));
	ASSERT_EQ(ENOMEM, fill_up(self->fd, s, 64, &got));
	for (i = 0; i < got; i += 2)
		ASSERT_EQ(0, gh_free(self->fd, &s[i]));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &big));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_EQ((got + 1) / 2 * MIB, bytes);
	EXPECT_EQ(0, gh_alloc(self->fd, 8 * MIB / GH_PAGE, &big));
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
}

/* All of a batch, or nothing: also when memory runs out in the middle. */
TEST_F(limit, batch_is_all_or_none)
{
	static struct goheap_span s[64];
	struct goheap_arena_stats before, after;
	uint64_t charged;
	int i;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_leave());
	for (i = 0; i < 64; i++)
		s[i].npages = MIB / GH_PAGE;
	before = gh_stats(self->fd);
	charged = cg_current(&self->cg);
	EXPECT_EQ(ENOMEM, gh_alloc_batch(self->fd, s, 64));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	EXPECT_TRUE(cg_falls_below(&self->cg, charged + CG_SLACK));
	EXPECT_EQ(SIGBUS, gh_touch(self->base, false));
	EXPECT_EQ(0, gh_alloc_batch(self->fd, s, 16));
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
}

/*
 * One page at a time to the very end of the group's memory, so that page tables and
 * descriptors, too, are refused some time.
 */
TEST_F(limit, page_by_page)
{
	static struct goheap_span s[8192];
	int got, err = 0, refused = 0, i;
	struct goheap_span late;
	unsigned int more = 0;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_leave());
	for (got = 0; got < 8192; got++) {
		err = gh_alloc(self->fd, 1, &s[got]);
		if (err)
			break;
		*(int *)gh_ptr(&s[got]) = got;
	}
	ASSERT_EQ(ENOMEM, err);
	for (i = 0; i < got; i++)
		ASSERT_EQ(i, *(int *)gh_ptr(&s[i]));
	/* What another processor has charged in advance comes back a moment later. */
	while (refused < 8 && more < CG_SLACK / GH_PAGE) {
		err = gh_alloc(self->fd, 1, &late);
		if (err)
			ASSERT_EQ(ENOMEM, err);
		refused = err ? refused + 1 : 0;
		more += !err;
	}
	EXPECT_EQ(8, refused)
		TH_LOG("%u more pages", more);
	ASSERT_EQ(0, gh_free(self->fd, &s[0]));
	EXPECT_EQ(0, gh_alloc(self->fd, 1, &s[0]));
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
}

/* What the group can do without makes way for spans: reclaim is tried before ENOMEM. */
TEST_F(limit, reclaims_before_failing)
{
	struct goheap_span s[20];
	char *spare;
	int got;

	if (self->why)
		SKIP(return, "%s", self->why);
	spare = mmap(NULL, 24 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)spare);
	memset(spare, 1, 24 * MIB);
	EXPECT_LE(24 * MIB, cg_current(&self->cg));
	/* Memory that the kernel may take, without swap, when it needs some. */
	ASSERT_EQ(0, madvise(spare, 24 * MIB, MADV_FREE));
	EXPECT_EQ(0, fill_up(self->fd, s, 20, &got))
		TH_LOG("after %d MiB", got);
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
	munmap(spare, 24 * MIB);
}

/* A request that is refused in the end takes next to nothing on the way there. */
TEST_F(limit, refused_cheaply)
{
	static struct goheap_span s[GOHEAP_BATCH_MAX];
	const uint64_t all = GOHEAP_ARENA_BYTES_MAX / GH_PAGE;
	int fd, i;

	if (self->why)
		SKIP(return, "%s", self->why);
	fd = gh_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cg_leave());
	ASSERT_NE(NULL, gh_map(fd, GOHEAP_ARENA_BYTES_MAX));
	/* One page, then more than there is; descriptors for that would be 18 GiB. */
	s[0].npages = 1;
	s[1].npages = all;
	EXPECT_EQ(ENOMEM, gh_alloc_batch(fd, s, 2));
	s[1].npages = all - 1;
	EXPECT_EQ(ENOMEM, gh_alloc_batch(fd, s, 2));
	EXPECT_EQ(0, cg_event(&self->cg, "max"))
		TH_LOG("the group's memory was used up on the way");
	/* Each of them below the group's limit. */
	for (i = 0; i < GOHEAP_BATCH_MAX; i++)
		s[i].npages = 16 * MIB / GH_PAGE;
	EXPECT_EQ(ENOMEM, gh_alloc_batch(fd, s, 2 * 16));
	EXPECT_EQ(0, cg_event(&self->cg, "oom_kill"));
	EXPECT_EQ(0, gh_stats(fd).grown_bytes);
	EXPECT_GE(gh_stats(self->fd).metadata_bytes + MIB, gh_stats(fd).metadata_bytes);
	s[0].npages = 1;
	EXPECT_EQ(0, gh_alloc_batch(fd, s, 1));
	close(fd);
}

/* Another process, in a group of its own, is not concerned. */
TEST_F(limit, others_go_on)
{
	static struct goheap_span s[64];
	int got, fd;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_leave());
	ASSERT_EQ(ENOMEM, fill_up(self->fd, s, 64, &got));
	fd = gh_open();
	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 1024 * MIB));
	EXPECT_EQ(0, fill_up(fd, s, 64, &got));
	close(fd);
}

/* The module's own limit, in system pages, over all arenas. */
FIXTURE(module_limit)
{
	char was[32];
	int fd;
	char *base;
};

FIXTURE_SETUP(module_limit)
{
	if (cg_read_file(LIMIT_PARAMETER, "limit_pages", self->was, sizeof(self->was)))
		self->was[0] = 0;
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 1024 * MIB);
	ASSERT_NE(NULL, self->base);
}

FIXTURE_TEARDOWN(module_limit)
{
	if (self->was[0])
		cg_write_file(LIMIT_PARAMETER, "limit_pages", self->was);
	munmap(self->base, 1024 * MIB);
	close(self->fd);
}

TEST_F(module_limit, enomem)
{
	struct goheap_arena_stats before, after;
	static struct goheap_span s[64];
	struct goheap_span big;
	uint64_t bytes = GH_ALL;
	char text[32];
	int got, i;

	if (!self->was[0])
		SKIP(return, "the module has no parameter limit_pages that can be read");
	/* Nobody else uses the device while the tests run: 18 MiB for this arena, half a chunk. */
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(18 * MIB / 4096));
	if (cg_write_file(LIMIT_PARAMETER, "limit_pages", text))
		SKIP(return, "the parameter limit_pages cannot be written");
	ASSERT_EQ(ENOMEM, fill_up(self->fd, s, 64, &got));
	EXPECT_EQ(18, got);
	before = gh_stats(self->fd);
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 1, &big));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	EXPECT_LT(before.enomem, after.enomem);

	/* Freed memory still counts until it is released. */
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, gh_free(self->fd, &s[2 * i]));
	EXPECT_EQ(ENOMEM, gh_alloc(self->fd, 4 * MIB / GH_PAGE, &big));
	EXPECT_EQ(0, gh_alloc(self->fd, MIB / GH_PAGE, &s[0]));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_EQ(7 * MIB, bytes);
	EXPECT_EQ(0, gh_alloc(self->fd, 4 * MIB / GH_PAGE, &big));
}

/* The limit is over all arenas, and an arena's end gives its share back. */
TEST_F(module_limit, shared_by_all)
{
	static struct goheap_span s[64];
	char text[32], *base;
	int got, fd;

	if (!self->was[0])
		SKIP(return, "the module has no parameter limit_pages that can be read");
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(18 * MIB / 4096));
	if (cg_write_file(LIMIT_PARAMETER, "limit_pages", text))
		SKIP(return, "the parameter limit_pages cannot be written");
	fd = gh_open();
	ASSERT_LE(0, fd);
	base = gh_map(fd, 64 * MIB);
	ASSERT_NE(NULL, base);
	EXPECT_EQ(0, fill_up(fd, s, 12, &got));
	EXPECT_EQ(ENOMEM, fill_up(self->fd, s, 64, &got));
	EXPECT_EQ(6, got);
	munmap(base, 64 * MIB);
	close(fd);
	EXPECT_EQ(ENOMEM, fill_up(self->fd, s, 64, &got));
	EXPECT_EQ(12, got);
}

TEST_HARNESS_MAIN
