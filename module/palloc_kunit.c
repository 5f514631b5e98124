// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite goheap_palloc: the page allocator's cases, and 100,000 random
 * operations against the oracle, under whatever checks the kernel was built
 * with.  Catches what differs between the kernel's bitmap helpers and the
 * shims that the user-space run of the same cases uses, and bad accesses.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "kunit_suites.h"
#include "palloc_cases.h"

static long palloc_live_bytes;

static void *palloc_kunit_zalloc(size_t bytes)
{
	void *p = kvzalloc(bytes, GFP_KERNEL);

	if (p)
		palloc_live_bytes += bytes;
	return p;
}

static void palloc_kunit_free(void *p, size_t bytes)
{
	palloc_live_bytes -= bytes;
	kvfree(p);
}

static const struct palloc_ops palloc_kunit_ops = {
	.zalloc = palloc_kunit_zalloc,
	.free = palloc_kunit_free,
};

static void palloc_kunit_fail(struct palloc_test *t, const char *what, int line)
{
	struct kunit *test = t->priv;

	KUNIT_FAIL(test, "palloc_cases.h:%d: %s\n", line, what);
}

static void palloc_kunit_relax(void)
{
	cond_resched();
}

static void palloc_kunit_desc(const struct palloc_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(palloc, palloc_cases, palloc_kunit_desc);

static void palloc_kunit_case(struct kunit *test)
{
	const struct palloc_case *c = test->param_value;
	struct palloc_test t = {
		.fail = palloc_kunit_fail,
		.relax = palloc_kunit_relax,
		.ops = &palloc_kunit_ops,
		.ops_scale = 100,
		.priv = test,
	};

	palloc_live_bytes = 0;
	c->run(&t);
	KUNIT_EXPECT_EQ(test, t.failures, 0U);
	KUNIT_EXPECT_EQ(test, palloc_live_bytes, 0L);
}

static struct kunit_case palloc_kunit_cases[] = {
	KUNIT_CASE_PARAM(palloc_kunit_case, palloc_gen_params),
	{}
};

struct kunit_suite goheap_palloc_suite = {
	.name = "goheap_palloc",
	.test_cases = palloc_kunit_cases,
};
