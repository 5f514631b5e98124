// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a trigger of the scavenger that does not begin with the highest free
 * page, or takes one that is in use.
 */
#include <sys/stat.h>

#include "cgroup.h"

#define PAGES	2048U		/* 16 MiB */

FIXTURE(order)
{
	int fd;
	char *base;
	bool used[PAGES];
	uint64_t retained;
	unsigned char before[PAGES * 2], after[PAGES * 2];
};

/* Spans of 1 to 4 pages, a random half of them free. */
static bool scatter(int fd, char *base, bool *used)
{
	static struct goheap_span s[PAGES];
	unsigned int n = 0, i, k, page;
	uint64_t rnd = 7;

	for (page = 0; page < PAGES; page += s[n++].npages) {
		unsigned int len = 1 + gh_random(&rnd) % 4;

		if (gh_alloc(fd, page + len > PAGES ? PAGES - page : len, &s[n]))
			return false;
	}
	for (i = 0; i < n; i++) {
		bool keep = gh_random(&rnd) & 1;

		page = (gh_ptr(&s[i]) - base) / GH_PAGE;
		/* The last stays, so that what comes after begins behind it. */
		keep |= page + s[i].npages == PAGES;
		if (page + s[i].npages > PAGES)
			return false;
		for (k = 0; k < s[i].npages; k++)
			used[page + k] = keep;
		if (!keep && gh_free(fd, &s[i]))
			return false;
	}
	return true;
}

FIXTURE_SETUP(order)
{
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, 64 * MIB);
	ASSERT_NE(NULL, self->base);
	ASSERT_EQ(0, gh_triggers(self->fd, 0));
	ASSERT_TRUE(scatter(self->fd, self->base, self->used));
	self->retained = gh_stats(self->fd).retained_bytes;
	ASSERT_LT(4 * MIB, self->retained);
	ASSERT_EQ(0, mincore(self->base, PAGES * GH_PAGE, self->before));
}

FIXTURE_TEARDOWN(order)
{
	munmap(self->base, 64 * MIB);
	close(self->fd);
}

/* Is the page, of two system pages, mapped? */
static bool mapped(const unsigned char *vec, unsigned int page)
{
	return vec[2 * page] & vec[2 * page + 1] & 1;
}

/* Something went, not everything, and nothing above which something free is left. */
#define EXPECT_HIGHEST_FIRST() do {						\
	unsigned int page, lowest = PAGES, left = 0, gone = 0;			\
										\
	ASSERT_EQ(0, mincore(self->base, PAGES * GH_PAGE, self->after));	\
	for (page = 0; page < PAGES; page++) {					\
		ASSERT_TRUE(mapped(self->before, page));			\
		if (self->used[page]) {						\
			ASSERT_TRUE(mapped(self->after, page))			\
				TH_LOG("page %u is in use, and went", page);	\
		} else if (!mapped(self->after, page)) {			\
			gone++;							\
			if (lowest == PAGES)					\
				lowest = page;					\
		} else if (lowest == PAGES) {					\
			left++;							\
		} else {							\
			ASSERT_TRUE(false)					\
				TH_LOG("page %u stayed, %u went", page, lowest);\
		}								\
	}									\
	EXPECT_LT(0, left);							\
	EXPECT_LT(0, gone);							\
	EXPECT_EQ(gone * GH_PAGE, gh_stats(self->fd).freed_bytes);		\
} while (0)

TEST_F(order, request)
{
	uint64_t bytes = 3 * MIB + 5 * GH_PAGE;

	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_HIGHEST_FIRST();
}

TEST_F(order, limit)
{
	struct goheap_settings set = {
		.set = GOHEAP_SET_MEMORY_LIMIT | GOHEAP_SET_SCAVENGE,
		.scavenge = GOHEAP_SCAVENGE_LIMIT,
		.memory_limit = PAGES * GH_PAGE - 3 * MIB,
	};

	ASSERT_EQ(0, gh_settings(self->fd, &set));
	EXPECT_EQ(3 * MIB, gh_stats(self->fd).scav_limit_bytes);
	EXPECT_HIGHEST_FIRST();
}

/* A goal that leaves a third of what is free. */
static bool aim(int fd, uint32_t triggers)
{
	struct goheap_arena_stats st = gh_stats(fd);
	struct goheap_settings set = { .set = GOHEAP_SET_RETAIN_PERCENT, .retain_percent = 100 };
	struct goheap_cycle cy;

	if (gh_settings(fd, &set) || gh_cycle(fd, st.inuse_bytes, NULL))
		return false;
	usleep(100000);
	return !gh_triggers(fd, triggers) &&
	       !gh_cycle(fd, st.inuse_bytes + st.retained_bytes / 3, &cy);
}

TEST_F(order, growth)
{
	struct goheap_span s;

	ASSERT_TRUE(aim(self->fd, GOHEAP_SCAVENGE_GROWTH));
	ASSERT_EQ(0, gh_alloc(self->fd, 2 * MIB / GH_PAGE, &s));
	EXPECT_LE(self->base + PAGES * GH_PAGE, gh_ptr(&s));
	EXPECT_EQ(2 * MIB, gh_stats(self->fd).scav_growth_bytes);
	EXPECT_HIGHEST_FIRST();
}

TEST_F(order, background)
{
	int i;

	ASSERT_TRUE(aim(self->fd, GOHEAP_SCAVENGE_BACKGROUND));
	for (i = 0; i < 1200; i++) {
		struct goheap_arena_stats st = gh_stats(self->fd);

		if (st.inuse_bytes + st.retained_bytes <= st.retain_goal_bytes)
			break;
		usleep(50000);
	}
	EXPECT_LT(MIB, gh_stats(self->fd).scav_background_bytes);
	EXPECT_HIGHEST_FIRST();
}

/* Pressure cannot be had by the page; the order is seen in what is traced. */
TEST(pressure)
{
	static const char event[] = "events/goheap/goheap_release";
	struct goheap_span s[64];
	struct cg cg;
	const char *why = cg_create(&cg, "order", 0), *dir = "/sys/kernel/tracing";
	unsigned long long addr, last = ~0ULL, bytes, sum = 0;
	char path[128], trace[128], line[512];
	int fd, i;
	FILE *f;

	if (why)
		SKIP(return, "%s", why);
	snprintf(path, sizeof(path), "%s/%s", dir, event);
	if (access(path, R_OK))
		mount("none", dir, "tracefs", 0, NULL);
	if (access(path, R_OK)) {
		cg_destroy(&cg);
		SKIP(return, "no tracefs");
	}
	ASSERT_EQ(0, cg_enter(&cg));
	fd = gh_open();
	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 256 * MIB));
	ASSERT_EQ(0, cg_leave());
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, gh_alloc(fd, MIB / GH_PAGE, &s[i]));
	/* In an order of their own: the list of chunks is not one of addresses. */
	for (i = 0; i < 64; i += 2)
		ASSERT_EQ(0, gh_free(fd, &s[i * 37 % 64]));

	/* What an earlier run left there goes as the file is truncated. */
	snprintf(trace, sizeof(trace), "%s/trace", dir);
	f = fopen(trace, "w");
	ASSERT_NE(NULL, f);
	fclose(f);
	ASSERT_EQ(0, cg_write_file(path, "enable", "1"));
	cg_write_file(cg.path, "memory.reclaim", "64M");
	cg_write_file(path, "enable", "0");
	EXPECT_EQ(32 * MIB, gh_stats(fd).scav_pressure_bytes);

	f = fopen(trace, "r");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, "reason=pressure addr=");

		if (!at || sscanf(at, "reason=pressure addr=%llx bytes=%llu", &addr, &bytes) != 2)
			continue;
		EXPECT_GT(last, addr) TH_LOG("%s", line);
		last = addr;
		sum += bytes;
	}
	fclose(f);
	EXPECT_EQ(32 * MIB, sum);
	close(fd);
	cg_destroy(&cg);
}

TEST_HARNESS_MAIN
