// SPDX-License-Identifier: MIT
/*
 * Catches: programs that every collector is measured with going wrong: a node
 * of GCBench or binary-trees lost or changed, or a peak beyond what they need.
 *
 * GCBench is written from its description (J. Ellis, P. Kovac, H. Boehm): a tree
 * to stretch memory, a long-lived tree and array, then short-lived trees of
 * growing depth, built from the top and from the bottom.  binary-trees is that of
 * the Computer Language Benchmarks Game.  Each node of each tree is counted.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "gc.h"
#include "tap.h"

struct node {
	struct node *left, *right;
	int i, j;
};

static struct node *node_new(struct node *left, struct node *right)
{
	struct node *n = goheap_alloc(sizeof(*n));

	CHECK(n);
	if (n->left || n->right || n->i || n->j)
		tap_fail(__FILE__, __LINE__, "a new node is not zero");
	n->left = left;
	n->right = right;
	return n;
}

static uint64_t tree_size(int depth)
{
	return ((uint64_t)1 << (depth + 1)) - 1;
}

/* From the top: old nodes point to new ones. */
static void populate(int depth, struct node *n)
{
	if (!depth)
		return;
	n->left = node_new(NULL, NULL);
	n->right = node_new(NULL, NULL);
	populate(depth - 1, n->left);
	populate(depth - 1, n->right);
}

/* From the bottom: new nodes point to old ones. */
static struct node *make_tree(int depth)
{
	struct node *left, *right;

	if (!depth)
		return node_new(NULL, NULL);
	left = make_tree(depth - 1);
	right = make_tree(depth - 1);
	return node_new(left, right);
}

static uint64_t count(const struct node *n)
{
	return n ? 1 + count(n->left) + count(n->right) : 0;
}

static void whole(const struct node *tree, int depth)
{
	CHECK_CMP(count(tree), ==, tree_size(depth));
}

struct bench {
	int stretch, lasting, least, most;
	size_t array;
};

static void construct(const struct bench *b, int depth)
{
	uint64_t n = 2 * tree_size(b->stretch) / tree_size(depth);

	for (uint64_t i = 0; i < n; i++) {
		struct node *tree = node_new(NULL, NULL);

		populate(depth, tree);
		whole(tree, depth);
	}
	for (uint64_t i = 0; i < n; i++)
		whole(make_tree(depth), depth);
}

static void gcbench(void *arg)
{
	const struct bench *b = arg;
	struct node *lasting;
	double *array;

	whole(make_tree(b->stretch), b->stretch);
	lasting = node_new(NULL, NULL);
	populate(b->lasting, lasting);
	array = goheap_alloc_noscan(b->array * sizeof(*array));
	for (size_t i = 0; i < b->array / 2; i++)
		array[i] = 1.0 / (double)(i + 1);
	for (int d = b->least; d <= b->most; d += 2)
		construct(b, d);
	whole(lasting, b->lasting);
	for (size_t i = 0; i < b->array; i++)
		CHECK_CMP(array[i], ==, (i < b->array / 2 ? 1.0 / (double)(i + 1) : 0));
}

/* As published, or smaller: so many levels less. */
static struct bench bench_less(int less)
{
	/* Where code runs slowly: each level less is half the work. */
	for (size_t by = 64 / (fewer(64) ? fewer(64) : 1); by > 1 && less < 5; by /= 2)
		less++;
	return (struct bench){
		.stretch = 18 - less, .lasting = 16 - less, .least = 4, .most = 16 - less,
		.array = 500000 >> less,
	};
}

/* Twice what it has at most at a time, as the goal says, and what stands around that. */
static void peak_within(const struct bench *b, unsigned int n)
{
	uint64_t live = (tree_size(b->stretch) + tree_size(b->lasting)) * sizeof(struct node) +
			b->array * sizeof(double);

	CHECK_CMP(stats().peak_heap_inuse, <, n * live * 5 / 2 + 8 * MIB);
}

CASE(gcbench, "GCBench: each tree is whole, and the heap no larger than it must be")
{
	struct bench b = bench_less(0);

	gcbench(&b);
	peak_within(&b, 1);
	CHECK_CMP(stats().num_gc, >=, fewer(64) == 64 ? 3 : 1);
}

CASE(gcbench_threads, "GCBench in four threads at once")
{
	struct bench b = bench_less(4);
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, (void *(*)(void *))(void *)gcbench, &b));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
	peak_within(&b, 4);
}

static atomic_bool over;

static void *collect_on(void *arg)
{
	(void)arg;
	while (!over)
		goheap_collect();
	return NULL;
}

CASE(gcbench_collecting, "GCBench while another thread collects without a pause")
{
	struct bench b = bench_less(5);
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, collect_on, NULL));
	gcbench(&b);
	over = true;
	CHECK(!pthread_join(thread, NULL));
	CHECK_CMP(stats().num_forced_gc, >=, 3);
}

CASE(gcbench_tight, "GCBench at GOHEAP_GOGC=10: many small steps", "GOHEAP_GOGC=10")
{
	struct bench b = bench_less(4);

	gcbench(&b);
}

/* binary-trees. */

struct pair {
	struct pair *left, *right;
};

static struct pair *bottom_up(int depth)
{
	struct pair *p = goheap_alloc(sizeof(*p));

	CHECK(p);
	if (depth) {
		p->left = bottom_up(depth - 1);
		p->right = bottom_up(depth - 1);
	}
	return p;
}

static uint64_t item_check(const struct pair *p)
{
	return p->left ? 1 + item_check(p->left) + item_check(p->right) : 1;
}

struct depth_work {
	int depth;
	uint64_t iterations, check;
};

static void *trees_of(void *arg)
{
	struct depth_work *w = arg;

	for (uint64_t i = 0; i < w->iterations; i++)
		w->check += item_check(bottom_up(w->depth));
	return NULL;
}

/* What the program prints, into @out. */
static void binary_trees(int most, bool threads, char *out, size_t size)
{
	enum { LEAST = 4 };
	struct depth_work work[16] = { { 0 } };
	pthread_t thread[16];
	struct pair *lasting;
	size_t at = 0;
	int n = 0;

	at += snprintf(out + at, size - at, "stretch tree of depth %d\t check: %llu\n", most + 1,
		       (unsigned long long)item_check(bottom_up(most + 1)));
	lasting = bottom_up(most);
	for (int d = LEAST; d <= most; d += 2, n++) {
		work[n].depth = d;
		work[n].iterations = (uint64_t)1 << (most - d + LEAST);
		if (threads)
			CHECK(!pthread_create(&thread[n], NULL, trees_of, &work[n]));
		else
			trees_of(&work[n]);
	}
	for (int i = 0; i < n; i++) {
		if (threads)
			CHECK(!pthread_join(thread[i], NULL));
		at += snprintf(out + at, size - at, "%llu\t trees of depth %d\t check: %llu\n",
			       (unsigned long long)work[i].iterations, work[i].depth,
			       (unsigned long long)work[i].check);
	}
	snprintf(out + at, size - at, "long lived tree of depth %d\t check: %llu\n", most,
		 (unsigned long long)item_check(lasting));
}

/* The game's own output for 10. */
static const char game_10[] =
	"stretch tree of depth 11\t check: 4095\n"
	"1024\t trees of depth 4\t check: 31744\n"
	"256\t trees of depth 6\t check: 32512\n"
	"64\t trees of depth 8\t check: 32704\n"
	"16\t trees of depth 10\t check: 32752\n"
	"long lived tree of depth 10\t check: 2047\n";

CASE(binary_trees, "binary-trees 10 prints what the game says")
{
	char out[2048];

	binary_trees(10, false, out, sizeof(out));
	CHECK(!strcmp(out, game_10));
}

CASE(binary_trees_threads, "also with a thread for each depth, at GOHEAP_GOGC=20", "GOHEAP_GOGC=20")
{
	char out[2048];

	for (int i = 0; i < 5; i++) {
		binary_trees(10, true, out, sizeof(out));
		CHECK(!strcmp(out, game_10));
	}
}

CASE(binary_trees_large, "binary-trees 15, or less where that takes long: results and peak")
{
	char out[2048], line[128];
	int depth = fewer(64) == 64 ? 15 : 11;
	uint64_t live = (3 * ((uint64_t)1 << (depth + 1))) * sizeof(struct pair);

	binary_trees(depth, false, out, sizeof(out));
	CHECK_CMP(stats().peak_heap_inuse, <, live * 5 / 2 + 8 * MIB);
	for (int d = 4; d <= depth; d += 2) {
		uint64_t n = (uint64_t)1 << (depth - d + 4);

		snprintf(line, sizeof(line), "\n%llu\t trees of depth %d\t check: %llu\n",
			 (unsigned long long)n, d, (unsigned long long)(n * tree_size(d)));
		if (!strstr(out, line))
			tap_fail(__FILE__, __LINE__, "no line %s in %s", line + 1, out);
	}
	snprintf(line, sizeof(line), "\nlong lived tree of depth %d\t check: %llu\n", depth,
		 (unsigned long long)tree_size(depth));
	CHECK(strstr(out, line));
}
