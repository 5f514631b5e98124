// SPDX-License-Identifier: MIT
/*
 * Catches: a small heap whose writes are watched for nothing; a large one for which
 * the program stands still; GOHEAP_STOP_US and its option not heeded; structures that
 * are marked wrongly when nobody but the collector runs.
 */
#include "../src/heap.h"
#include "gc.h"
#include "tap.h"

struct node {
	struct node *left, *right;
};

static struct node *top_down(int depth)
{
	struct node *n = goheap_alloc(sizeof(*n));

	if (depth) {
		n->left = top_down(depth - 1);
		n->right = top_down(depth - 1);
	}
	return n;
}

static struct node *bottom_up(int depth)
{
	struct node *left, *right, *n;

	if (!depth)
		return goheap_alloc(sizeof(*n));
	left = bottom_up(depth - 1);
	right = bottom_up(depth - 1);
	n = goheap_alloc(sizeof(*n));
	n->left = left;
	n->right = right;
	return n;
}

static size_t count(const struct node *n)
{
	return n ? 1 + count(n->left) + count(n->right) : 0;
}

static struct node *kept[3];

/* Before a collection is under way: it would lose its window. */
static bool can_watch(void)
{
	struct heap *h;
	bool can;

	CHECK(goheap_alloc(1));
	h = heap_get();
	can = !dirty_begin(h, h->top << PAGE_SHIFT);
	dirty_end(h);
	return can;
}

/* Collections that watched writes, of those that some garbage, and a request, bring about. */
static uint64_t windows(unsigned int *collections)
{
	struct heap *h = heap_get();
	uint64_t before = h->dirty.windows;
	unsigned int gcs = (unsigned int)stats().num_gc;

	for (int i = 0; i < 4; i++) {
		churn(4 * MIB);
		goheap_collect();
	}
	*collections = (unsigned int)stats().num_gc - gcs;
	return h->dirty.windows - before;
}

/* An emulated machine may need more than the default for it. */
CASE(small, "a small heap is marked in one stop, and its writes are not watched",
     "GOHEAP_STOP_US=1000000")
{
	unsigned int collections;

	kept[0] = top_down(8);
	CHECK_CMP(windows(&collections), ==, 0);
	CHECK_CMP(collections, >=, 4);
	CHECK_CMP(count(kept[0]), ==, 511);
}

CASE(never, "GOHEAP_STOP_US=off: it is marked while the program runs", "GOHEAP_STOP_US=off")
{
	unsigned int collections;

	if (!can_watch())
		tap_skip("there is no way here to learn what was written");
	kept[0] = top_down(8);
	CHECK_CMP(windows(&collections), ==, collections);
	CHECK_CMP(count(kept[0]), ==, 511);
}

CASE(option, "and by the option, which goes before", "GOHEAP_STOP_US=1000000")
{
	struct goheap_options o = { .size = sizeof(o), .stop_us = -1 };
	unsigned int collections;

	CHECK(!goheap_init(&o));
	if (!can_watch())
		tap_skip("there is no way here to learn what was written");
	CHECK_CMP(windows(&collections), ==, collections);
}

CASE(wrong_option, "more than a thousand seconds is EINVAL")
{
	struct goheap_options o = { .size = sizeof(o), .stop_us = 1000000001 };

	CHECK_CMP(goheap_init(&o), ==, -1);
	CHECK_CMP(errno, ==, EINVAL);
	o.stop_us = 1000000000;
	CHECK(!goheap_init(&o));
}

/* Much longer: how long is an estimate.  One may have its window before they are counted. */
CASE(large, "a heap that takes longer to mark is not", "GOHEAP_STOP_US=200")
{
	unsigned int collections;
	int depth = 21;

	if (fewer(2) < 2)
		depth = 18;
	if (!can_watch())
		tap_skip("there is no way here to learn what was written");
	kept[0] = top_down(depth);
	CHECK_CMP(windows(&collections), >=, collections - 1);
	CHECK_CMP(count(kept[0]), ==, (2u << depth) - 1);
}

HELPER(start)
{
	CHECK(goheap_alloc(1));
}

CASE(messages, "what GOHEAP_STOP_US does not understand it names, and passes over")
{
	static const char *const wrong[] = { "-1", "5ms", "1000000001", "x", NULL };
	char setting[64], err[4096];

	for (int i = 0; wrong[i]; i++) {
		const char *env[] = { setting, NULL };

		snprintf(setting, sizeof(setting), "GOHEAP_STOP_US=%s", wrong[i]);
		CHECK_CMP(tap_run_helper("start", env, err, sizeof(err)), ==, 0);
		CHECK(strstr(err, setting));
		CHECK(strstr(err, "is not understood"));
	}
}

/* Trees that were built from the root, from the leaves, and both, with a word in each node. */
static void make_trees(void *arg)
{
	int depth = *(int *)arg;

	kept[0] = top_down(depth);
	kept[1] = bottom_up(depth);
	kept[2] = top_down(depth);
	kept[2]->left = bottom_up(depth - 1);
	kept[2]->right->right = bottom_up(depth - 2);
}

CASE(trees, "trees of either order of age keep all their nodes", "GOHEAP_STOP_US=1000000000")
{
	int depth = fewer(2) < 2 ? 12 : 16;

	in_thread(make_trees, &depth);
	for (int i = 0; i < 5; i++) {
		collect_hard();
		for (int k = 0; k < 3; k++)
			CHECK_CMP(count(kept[k]), ==, (2u << depth) - 1);
	}
	/* And nothing else is kept: three trees, and what the test holds beside. */
	CHECK_CMP(stats().live_bytes, <, 4 * (2u << depth) * sizeof(struct node));
}

/* Objects of every class, each pointing to the next, by a word at either end. */
static void chain_make(void *arg)
{
	void ***last = arg;

	for (size_t size = 16; size <= 32 * KIB; size += size / 8 / 8 * 8 + 8) {
		for (int i = 0; i < 5; i++) {
			void **object = goheap_alloc(size);

			*last = object;
			last = (void ***)(i % 2 ? object : object + size / sizeof(void *) - 1);
		}
	}
}

static unsigned int chain_length(void **object)
{
	unsigned int n = 0;

	for (size_t size = 16; size <= 32 * KIB; size += size / 8 / 8 * 8 + 8)
		for (int i = 0; i < 5; i++, n++) {
			if (!object)
				return n;
			CHECK_CMP(goheap_usable_size(object), >=, size);
			object = *(i % 2 ? object : object + size / sizeof(void *) - 1);
		}
	return n;
}

CASE(classes, "objects of every size are searched to their last word", "GOHEAP_STOP_US=1000000000")
{
	static void **first;
	unsigned int n;

	in_thread(chain_make, &first);
	n = chain_length(first);
	CHECK_CMP(n, >, 200);
	for (int i = 0; i < 3; i++) {
		collect_hard();
		CHECK_CMP(chain_length(first), ==, n);
	}
}
