// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: free pages that stay when their cgroup is short of memory, that go
 * because another cgroup is, or live ones that go.
 */
#include "cgroup.h"

#define HEAP	(48 * MIB)
#define SPAN	(MIB / 4)
#define SPANS	(HEAP / SPAN)

/* An arena in a cgroup of its own: every other span is free, the others hold a pattern. */
struct heap {
	struct cg cg;
	int fd;
	char *base;
	struct goheap_span spans[SPANS];
};

static const char *heap_create(struct heap *h, const char *name)
{
	const char *why = cg_create(&h->cg, name, 0);

	h->fd = -1;
	if (why)
		return why;
	if (cg_enter(&h->cg))
		return "a cgroup cannot be entered";
	h->fd = gh_open();
	h->base = h->fd < 0 ? NULL : gh_map(h->fd, 1024 * MIB);
	cg_leave();
	return NULL;
}

static bool heap_fill(struct heap *h)
{
	unsigned int i;

	for (i = 0; i < SPANS; i++) {
		h->spans[i] = (struct goheap_span){ .npages = SPAN / GH_PAGE };
		if (gh_alloc_batch(h->fd, &h->spans[i], 1))
			return false;
		gh_fill(gh_ptr(&h->spans[i]), SPAN, i);
	}
	for (i = 0; i < SPANS; i += 2)
		if (gh_free(h->fd, &h->spans[i]))
			return false;
	return true;
}

static bool heap_lives(struct heap *h)
{
	unsigned int i;

	for (i = 1; i < SPANS; i += 2)
		if (!gh_holds(gh_ptr(&h->spans[i]), SPAN, i))
			return false;
	return true;
}

static void heap_destroy(struct heap *h)
{
	if (h->base)
		munmap(h->base, 1024 * MIB);
	if (h->fd >= 0)
		close(h->fd);
	cg_destroy(&h->cg);
}

FIXTURE(shrink)
{
	struct heap a, b;
	const char *why;
};

FIXTURE_SETUP(shrink)
{
	self->why = heap_create(&self->a, "a");
	if (!self->why)
		self->why = heap_create(&self->b, "b");
	if (self->why)
		return;
	ASSERT_TRUE(self->a.base && self->b.base);
	ASSERT_TRUE(heap_fill(&self->a));
	ASSERT_TRUE(heap_fill(&self->b));
}

FIXTURE_TEARDOWN(shrink)
{
	heap_destroy(&self->a);
	heap_destroy(&self->b);
}

/* The group A asks for so much memory back; it may not find all of it. */
static void reclaim(struct heap *h, uint64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	cg_write_file(h->cg.path, "memory.reclaim", text);
}

/* What A has free goes, what it uses stays, and B notices nothing. */
static void expect_only_a(struct __test_metadata *_metadata, struct heap *a, struct heap *b,
			  const struct goheap_arena_stats *b_before)
{
	struct goheap_arena_stats st = gh_stats(a->fd);

	EXPECT_EQ(HEAP / 2, st.scav_pressure_bytes);
	EXPECT_EQ(0, st.retained_bytes);
	EXPECT_EQ(HEAP / 2, st.inuse_bytes);
	EXPECT_TRUE(gh_consistent(&st));
	EXPECT_TRUE(heap_lives(a));
	EXPECT_EQ(SIGBUS, gh_touch(gh_ptr(&a->spans[0]), false));

	st = gh_stats(b->fd);
	EXPECT_TRUE(gh_unchanged(b_before, &st));
	EXPECT_EQ(0, st.pressure);
	EXPECT_EQ(0, gh_touch(gh_ptr(&b->spans[0]), false));
	EXPECT_TRUE(heap_lives(b));
}

TEST_F(shrink, reclaim)
{
	struct goheap_arena_stats b;

	if (self->why)
		SKIP(return, "%s", self->why);
	b = gh_stats(self->b.fd);
	reclaim(&self->a, HEAP);
	expect_only_a(_metadata, &self->a, &self->b, &b);
}

/* A limit that only the live half fits below. */
TEST_F(shrink, limit_lowered)
{
	struct goheap_arena_stats b;
	char text[32];

	if (self->why)
		SKIP(return, "%s", self->why);
	b = gh_stats(self->b.fd);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(HEAP / 2 + 4 * MIB));
	ASSERT_EQ(0, cg_write_file(self->a.cg.path, "memory.max", text));
	EXPECT_LE(HEAP / 2 - 8 * MIB, gh_stats(self->a.fd).scav_pressure_bytes);
	EXPECT_EQ(0, cg_event(&self->a.cg, "oom_kill"));
	reclaim(&self->a, HEAP);
	expect_only_a(_metadata, &self->a, &self->b, &b);
}

/* Another user of the group's memory gets what the heap has free. */
TEST_F(shrink, neighbour_takes)
{
	struct goheap_arena_stats st;
	char *p;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, cg_write_file(self->a.cg.path, "memory.max", "64M"));
	cg_write_file(self->a.cg.path, "memory.swap.max", "0");
	ASSERT_EQ(0, cg_enter(&self->a.cg));
	p = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)p);
	memset(p, 1, 32 * MIB);
	st = gh_stats(self->a.fd);
	EXPECT_LE(12 * MIB, st.scav_pressure_bytes);
	EXPECT_TRUE(heap_lives(&self->a));
	EXPECT_EQ(0, cg_event(&self->a.cg, "oom_kill"));
	munmap(p, 32 * MIB);
	ASSERT_EQ(0, cg_leave());
}

TEST_F(shrink, switched_off)
{
	struct goheap_arena_stats before, after;

	if (self->why)
		SKIP(return, "%s", self->why);
	ASSERT_EQ(0, gh_triggers(self->a.fd, GOHEAP_SCAVENGE_ALL & ~GOHEAP_SCAVENGE_PRESSURE));
	before = gh_stats(self->a.fd);
	reclaim(&self->a, HEAP);
	after = gh_stats(self->a.fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	/* ... and on again. */
	ASSERT_EQ(0, gh_triggers(self->a.fd, GOHEAP_SCAVENGE_PRESSURE));
	reclaim(&self->a, HEAP);
	EXPECT_EQ(0, gh_stats(self->a.fd).retained_bytes);
}

/* What was given back can be had again, is zero, and is given back again. */
TEST_F(shrink, again_and_again)
{
	struct goheap_arena_stats st;
	unsigned int i, round;

	if (self->why)
		SKIP(return, "%s", self->why);
	for (round = 1; round <= 3; round++) {
		reclaim(&self->a, HEAP);
		st = gh_stats(self->a.fd);
		EXPECT_EQ(0, st.retained_bytes);
		EXPECT_EQ(round * HEAP / 2, st.scav_pressure_bytes);
		for (i = 0; i < SPANS; i += 2) {
			ASSERT_EQ(0, gh_alloc(self->a.fd, SPAN / GH_PAGE, &self->a.spans[i]));
			EXPECT_EQ(0, self->a.spans[i].flags);
			EXPECT_TRUE(gh_is_zero(gh_ptr(&self->a.spans[i]), SPAN));
		}
		for (i = 0; i < SPANS; i += 2)
			ASSERT_EQ(0, gh_free(self->a.fd, &self->a.spans[i]));
	}
	EXPECT_TRUE(heap_lives(&self->a));
}

/* The group can be removed; what it had is then its parent's to reclaim. */
TEST_F(shrink, group_removed)
{
	if (self->why)
		SKIP(return, "%s", self->why);
	cg_destroy(&self->a.cg);
	EXPECT_EQ(0, cg_write_file("/proc/sys/vm", "drop_caches", "2"));
	EXPECT_EQ(0, gh_stats(self->a.fd).retained_bytes);
	EXPECT_TRUE(heap_lives(&self->a));
}

TEST_HARNESS_MAIN
