// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite goheap_scavenge: the scavenger's arithmetic (scavenge_goal.h).
 * Catches a goal that is not the one of the formula, a worker whose pace misses
 * the deadline or takes more than its share, and room that is made too small or
 * too large.
 */
#include <kunit/test.h>

#include "arena.h"
#include "kunit_suites.h"
#include "scavenge_goal.h"

static void goal_table(struct kunit *test)
{
	static const struct {
		u32 percent;
		u64 goal, last, inuse, want;
	} table[] = {
		{ 110, 1, 0, 1, SCAVENGE_NONE },
		{ 110, 5, 5, 0, 0 },
		{ 110, 5, 5, 100, 110 },
		{ 110, 10, 5, 100, 220 },
		{ 110, 5, 10, 100, 55 },
		{ 110, 5, 5, 1, 2 },
		{ 100, 7, 7, 1, 1 },
		{ 1000, U64_MAX, U64_MAX, 1ULL << 31, 10ULL << 31 },
		{ 1000, U64_MAX, U64_MAX >> 19, 1ULL << 31, 10ULL << 50 },
		{ 110, U64_MAX, U64_MAX >> 21, 1, SCAVENGE_NONE },
		{ 110, U64_MAX, 1, 0, SCAVENGE_NONE },
		{ 110, 1, U64_MAX, 1ULL << 31, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		u64 got = scavenge_goal(table[i].percent, table[i].goal, table[i].last,
					table[i].inuse);

		if (table[i].want == SCAVENGE_NONE) {
			KUNIT_EXPECT_EQ_MSG(test, SCAVENGE_NONE, got, "line %u", i);
			continue;
		}
		/* The ratio of two figures that are not multiples is rounded down. */
		KUNIT_EXPECT_LE_MSG(test, table[i].want, got, "line %u", i);
		KUNIT_EXPECT_GE_MSG(test, table[i].want + (table[i].want >> 18), got,
				    "line %u", i);
	}
}

static void expected(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0ULL, scavenge_expected(0, 5, 0));
	KUNIT_EXPECT_EQ(test, 1000ULL, scavenge_expected(1000, 5, 5));
	KUNIT_EXPECT_EQ(test, 1000ULL, scavenge_expected(1000, 50, 5));
	KUNIT_EXPECT_EQ(test, 100ULL, scavenge_expected(1000, 5, 50));
	/* A spike that is gone. */
	KUNIT_EXPECT_EQ(test, NSEC_PER_SEC * 5 / 2,
			scavenge_expected(40ULL * NSEC_PER_SEC, 1ULL << 26, 1ULL << 30));
}

/*
 * The worker at work: @above pages, each of which takes @cost ns, and @interval ns
 * until the next collection.  *@spent and *@until: its time, and when it was done.
 */
static void simulate(u64 above, u64 cost, u64 interval, u64 *spent, u64 *until)
{
	u64 tick = scavenge_tick(interval), now = 0, rested = 0;

	*spent = 0;
	now = scavenge_delay(0, rested, tick);
	while (above) {
		u64 share = scavenge_share(above, now, interval / 2, tick), work = 0, done = 0;

		while (done < share && work < SCAVENGE_BURST_NS) {
			u64 n = min_t(u64, share - done, SCAVENGE_BATCH);

			done += n;
			work += n * cost;
		}
		above -= done;
		now += work;
		*spent += work;
		rested = now + scavenge_rest(work);
		*until = now;
		now += scavenge_delay(now, rested, tick);
	}
}

static void pace(struct kunit *test)
{
	static const u64 pages[] = { 1, 100, 1000, 10000, 100000, 1000000 };
	static const u64 costs[] = { 100, 1000, 10000 };
	static const u64 intervals[] = {
		1, 10 * NSEC_PER_MSEC, 500 * NSEC_PER_MSEC, 4 * NSEC_PER_SEC,
		120 * NSEC_PER_SEC,
	};
	unsigned int p, c, i;

	for (p = 0; p < ARRAY_SIZE(pages); p++) {
		for (c = 0; c < ARRAY_SIZE(costs); c++) {
			for (i = 0; i < ARRAY_SIZE(intervals); i++) {
				u64 cost = pages[p] * costs[c], spent, until;
				u64 burst = SCAVENGE_BURST_NS + SCAVENGE_BATCH * costs[c];

				simulate(pages[p], costs[c], intervals[i], &spent, &until);
				KUNIT_EXPECT_EQ(test, cost, spent);
				/* Less than 1 %, but for the first run. */
				KUNIT_EXPECT_GE_MSG(test, until / 100 + burst, spent,
						    "%llu pages of %llu ns in %llu ns",
						    pages[p], costs[c], intervals[i]);
				/* In time, where 1 % is enough and a few ticks fit in. */
				if (intervals[i] < 10 * SCAVENGE_TICK_MIN_NS ||
				    cost > intervals[i] / 400)
					continue;
				KUNIT_EXPECT_GE_MSG(test, intervals[i], until,
						    "%llu pages of %llu ns in %llu ns",
						    pages[p], costs[c], intervals[i]);
			}
		}
	}
}

static void want(struct kunit *test)
{
	static const struct {
		u32 triggers;
		u64 goal, limit, hard, backed, npages, done;
		u64 want;
		enum release_reason reason;
	} table[] = {
		/* Nothing is set. */
		{ 0xf, SCAVENGE_NONE, SCAVENGE_NONE, SCAVENGE_NONE, 100, 10, 0, 0 },
		/* Growth: up to the goal, beyond it in part, in full, done in part. */
		{ 0xf, 110, SCAVENGE_NONE, SCAVENGE_NONE, 100, 10, 0, 0 },
		{ 0xf, 105, SCAVENGE_NONE, SCAVENGE_NONE, 100, 10, 0, 5, RELEASE_GROWTH },
		{ 0xf, 50, SCAVENGE_NONE, SCAVENGE_NONE, 100, 10, 0, 10, RELEASE_GROWTH },
		{ 0xf, 50, SCAVENGE_NONE, SCAVENGE_NONE, 97, 10, 3, 7, RELEASE_GROWTH },
		{ 0xf, 50, SCAVENGE_NONE, SCAVENGE_NONE, 90, 10, 10, 0 },
		{ 0xd, 50, SCAVENGE_NONE, SCAVENGE_NONE, 100, 10, 0, 0 },
		/* The limits come first, the lower one of them. */
		{ 0xf, 50, 60, SCAVENGE_NONE, 100, 10, 0, 50, RELEASE_LIMIT },
		{ 0xf, 50, 60, 70, 100, 10, 0, 50, RELEASE_LIMIT },
		{ 0xf, 50, 70, 60, 100, 10, 0, 50, RELEASE_LIMIT },
		{ 0xf, 50, 110, 110, 100, 10, 0, 10, RELEASE_GROWTH },
		/* The hard limit is no trigger. */
		{ 0, 50, 60, 70, 100, 10, 0, 40, RELEASE_LIMIT },
		{ 0, 50, 60, 110, 100, 10, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct scavenger sc = {
			.triggers = table[i].triggers,
			.goal = table[i].goal,
			.memory_limit = table[i].limit == SCAVENGE_NONE ? U64_MAX :
					table[i].limit << GOHEAP_PAGE_SHIFT,
			.hard_limit = table[i].hard == SCAVENGE_NONE ? U64_MAX :
				      table[i].hard << GOHEAP_PAGE_SHIFT,
		};
		struct scavenge_want w = scavenge_want(&sc, table[i].backed,
						       table[i].npages, table[i].done);

		KUNIT_EXPECT_EQ_MSG(test, table[i].want, w.npages, "line %u", i);
		if (table[i].want)
			KUNIT_EXPECT_EQ_MSG(test, table[i].reason, w.reason, "line %u", i);
	}
}

/* A share is never nothing, and never more than there is. */
static void share(struct kunit *test)
{
	u64 above, left;

	KUNIT_EXPECT_EQ(test, 0ULL, scavenge_share(0, 0, 1000, 10));
	for (above = 1; above < 1000000; above = above * 3 + 1) {
		for (left = 0; left < 1000000; left = left * 3 + 1) {
			u64 s = scavenge_share(above, 5, 5 + left, 10);

			KUNIT_EXPECT_LT(test, 0ULL, s);
			KUNIT_EXPECT_GE(test, above, s);
		}
	}
	KUNIT_EXPECT_EQ(test, 1000ULL, scavenge_share(1000, 10, 5, 10));
	KUNIT_EXPECT_EQ(test, 1000ULL, scavenge_share(1000, 10, 10, 10));
}

static struct kunit_case scavenge_cases[] = {
	KUNIT_CASE(goal_table),
	KUNIT_CASE(expected),
	KUNIT_CASE(pace),
	KUNIT_CASE(want),
	KUNIT_CASE(share),
	{ }
};

struct kunit_suite goheap_scavenge_suite = {
	.name		= "goheap_scavenge",
	.test_cases	= scavenge_cases,
};
