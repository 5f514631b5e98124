// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a setting that is not taken, is taken though it makes no sense, or
 * takes another one with it.
 */
#include "arena.h"

static const struct goheap_settings at_first = {
	.size		= sizeof(at_first),
	.policy		= GOHEAP_POLICY_FIRST_FIT,
	.scavenge	= GOHEAP_SCAVENGE_ALL,
	.retain_percent	= 110,
	.memory_limit	= GH_ALL,
	.hard_limit	= GH_ALL,
};

static bool same(const struct goheap_settings *a, const struct goheap_settings *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* What is set now. */
static struct goheap_settings ask(int fd)
{
	struct goheap_settings set = { };

	if (gh_settings(fd, &set))
		memset(&set, 0xff, sizeof(set));
	return set;
}

TEST_F(arena, at_first)
{
	struct goheap_settings set = ask(self->fd);

	EXPECT_TRUE(same(&at_first, &set));
}

/* One field at a time; whatever stands in the others is not looked at. */
TEST_F(arena, one_at_a_time)
{
	struct goheap_settings is = at_first, set;
	static const struct {
		uint64_t set;
		struct goheap_settings to;
	} table[] = {
		{ GOHEAP_SET_POLICY, { .policy = GOHEAP_POLICY_BEST_FIT } },
		{ GOHEAP_SET_POLICY, { .policy = GOHEAP_POLICY_FIRST_FIT } },
		{ GOHEAP_SET_SCAVENGE, { .scavenge = 0 } },
		{ GOHEAP_SET_SCAVENGE, { .scavenge = GOHEAP_SCAVENGE_GROWTH } },
		{ GOHEAP_SET_RETAIN_PERCENT, { .retain_percent = 100 } },
		{ GOHEAP_SET_RETAIN_PERCENT, { .retain_percent = 1000 } },
		{ GOHEAP_SET_MEMORY_LIMIT, { .memory_limit = 12345678 } },
		{ GOHEAP_SET_MEMORY_LIMIT, { .memory_limit = GH_ALL } },
		{ GOHEAP_SET_HARD_LIMIT, { .hard_limit = 0 } },
		{ GOHEAP_SET_HARD_LIMIT, { .hard_limit = 1ULL << 63 } },
		{ GOHEAP_SET_HARD_LIMIT, { .hard_limit = GH_ALL } },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		memset(&set, 0xff, sizeof(set));
		memset(set.reserved, 0, sizeof(set.reserved));
		set.flags = set.reserved0 = 0;
		set.set = table[i].set;
		if (set.set == GOHEAP_SET_POLICY)
			is.policy = set.policy = table[i].to.policy;
		if (set.set == GOHEAP_SET_SCAVENGE)
			is.scavenge = set.scavenge = table[i].to.scavenge;
		if (set.set == GOHEAP_SET_RETAIN_PERCENT)
			is.retain_percent = set.retain_percent = table[i].to.retain_percent;
		if (set.set == GOHEAP_SET_MEMORY_LIMIT)
			is.memory_limit = set.memory_limit = table[i].to.memory_limit;
		if (set.set == GOHEAP_SET_HARD_LIMIT)
			is.hard_limit = set.hard_limit = table[i].to.hard_limit;
		ASSERT_EQ(0, gh_settings(self->fd, &set));
		EXPECT_TRUE(same(&is, &set)) TH_LOG("reply to line %zu", i);
		set = ask(self->fd);
		EXPECT_TRUE(same(&is, &set)) TH_LOG("after line %zu", i);
	}
}

TEST_F(arena, all_at_once)
{
	struct goheap_settings set = {
		.set = GOHEAP_SET_POLICY | GOHEAP_SET_SCAVENGE | GOHEAP_SET_RETAIN_PERCENT |
		       GOHEAP_SET_MEMORY_LIMIT | GOHEAP_SET_HARD_LIMIT,
		.policy = GOHEAP_POLICY_BEST_FIT, .scavenge = GOHEAP_SCAVENGE_LIMIT,
		.retain_percent = 200, .memory_limit = 1 << 20, .hard_limit = 1 << 21,
	}, want = set;

	want.set = 0;
	want.size = sizeof(want);
	ASSERT_EQ(0, gh_settings(self->fd, &set));
	EXPECT_TRUE(same(&want, &set));
}

/* A value that is refused takes the good ones beside it down with it. */
TEST_F(arena, bad_values)
{
	static const struct goheap_settings bad[] = {
		{ .set = 1ULL << 5 },
		{ .set = 1ULL << 63 },
		{ .set = GOHEAP_SET_POLICY, .policy = 2 },
		{ .set = GOHEAP_SET_POLICY, .policy = ~0U },
		{ .set = GOHEAP_SET_SCAVENGE, .scavenge = GOHEAP_SCAVENGE_ALL + 1 },
		{ .set = GOHEAP_SET_SCAVENGE, .scavenge = 1U << 31 },
		{ .set = GOHEAP_SET_RETAIN_PERCENT, .retain_percent = 0 },
		{ .set = GOHEAP_SET_RETAIN_PERCENT, .retain_percent = 99 },
		{ .set = GOHEAP_SET_RETAIN_PERCENT, .retain_percent = 1001 },
		{ .flags = 1 },
		{ .reserved0 = 1 },
		{ .reserved = { 1 } },
		{ .reserved = { 0, 0, 0, 1ULL << 63 } },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct goheap_settings set = bad[i], is;

		set.set |= GOHEAP_SET_HARD_LIMIT | GOHEAP_SET_MEMORY_LIMIT;
		EXPECT_EQ(EINVAL, gh_settings(self->fd, &set)) TH_LOG("line %zu", i);
		is = ask(self->fd);
		EXPECT_TRUE(same(&at_first, &is)) TH_LOG("after line %zu", i);
	}
}

/* A reply that cannot be written: nothing is changed. */
TEST_F(arena, read_only_reply)
{
	struct goheap_settings *set, is;

	set = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)set);
	*set = (struct goheap_settings) {
		.size = sizeof(*set), .set = GOHEAP_SET_HARD_LIMIT, .hard_limit = 5,
	};
	ASSERT_EQ(0, mprotect(set, 4096, PROT_READ));
	EXPECT_EQ(EFAULT, gh_ioctl(self->fd, GOHEAP_IOC_SETTINGS, set));
	is = ask(self->fd);
	EXPECT_TRUE(same(&at_first, &is));
}

/* Each arena has its own, from before it is mapped until after it is gone. */
TEST(before_and_after)
{
	struct goheap_settings set = {
		.set = GOHEAP_SET_POLICY | GOHEAP_SET_HARD_LIMIT,
		.policy = GOHEAP_POLICY_BEST_FIT, .hard_limit = 24 * GH_PAGE,
	}, other;
	struct goheap_span s[5];
	int fd = gh_open(), fd2 = gh_open(), i;
	char *base;

	ASSERT_LE(0, fd);
	ASSERT_LE(0, fd2);
	ASSERT_EQ(0, gh_settings(fd, &set));
	other = ask(fd2);
	EXPECT_TRUE(same(&at_first, &other));
	base = gh_map(fd, 64 * MIB);
	ASSERT_NE(NULL, base);

	/* Holes of 4 and of 2 pages: best fit takes the second. */
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, gh_alloc(fd, i == 1 ? 4 : i == 3 ? 2 : 1, &s[i]));
	ASSERT_EQ(0, gh_free(fd, &s[1]));
	ASSERT_EQ(0, gh_free(fd, &s[3]));
	ASSERT_EQ(0, gh_alloc(fd, 2, &s[0]));
	EXPECT_EQ(s[3].addr, s[0].addr);
	/* ... and the hard limit of 24 pages is there as well. */
	EXPECT_EQ(ENOMEM, gh_alloc(fd, 24, &s[1]));

	ASSERT_EQ(0, munmap(base, 64 * MIB));
	set.set = GOHEAP_SET_MEMORY_LIMIT;
	set.memory_limit = 1;
	EXPECT_EQ(0, gh_settings(fd, &set));
	EXPECT_EQ(1, ask(fd).memory_limit);
	close(fd);
	close(fd2);
}

TEST_HARNESS_MAIN
