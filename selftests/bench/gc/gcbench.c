// SPDX-License-Identifier: GPL-2.0
/*
 * GCBench, after the published description of the benchmark by John Ellis and
 * Pete Kovac, which Hans Boehm brought to C: a tree that stretches memory, one
 * that lives on beside a large array of numbers, and meanwhile short-lived trees
 * of growing depth, built from the root down (old objects are written) and from
 * the leaves up (only new ones are).  About the same number of bytes is
 * allocated at each depth.
 *
 * The nodes of the last tree of each kind are counted, and those of the two first
 * trees; the original does not do that.
 */
#include "heap.h"

#define STRETCH_DEPTH	18
#define LIVED_DEPTH	16
#define ARRAY_ITEMS	500000
#define MIN_DEPTH	4
#define MAX_DEPTH	16

struct node {
	struct node *left;
	struct node *right;
	int i;
	int j;
};

static long tree_size(int depth)
{
	return (2L << depth) - 1;
}

static struct node *new_node(struct node *left, struct node *right)
{
	struct node *n = must_alloc(sizeof(*n));

	n->left = left;
	n->right = right;
	return n;
}

/* From the root down. */
static void populate(int depth, struct node *n)
{
	if (depth <= 0)
		return;
	n->left = new_node(NULL, NULL);
	n->right = new_node(NULL, NULL);
	populate(depth - 1, n->left);
	populate(depth - 1, n->right);
}

/* From the leaves up. */
static struct node *make_tree(int depth)
{
	struct node *left;

	if (depth <= 0)
		return new_node(NULL, NULL);
	left = make_tree(depth - 1);
	return new_node(left, make_tree(depth - 1));
}

static long count(const struct node *n)
{
	return n ? 1 + count(n->left) + count(n->right) : 0;
}

static void drop(struct node *n)
{
	if (!n)
		return;
	drop(n->left);
	drop(n->right);
	heap_free(n);
}

static void finish(struct node *n, int depth, int last)
{
	if (last && count(n) != tree_size(depth))
		fail("gcbench: a tree has lost nodes");
	if (!HEAP_COLLECTS)
		drop(n);
}

static void construct(int depth, int stretch)
{
	long trees = 2 * tree_size(stretch) / tree_size(depth);

	for (long i = 0; i < trees; i++) {
		struct node *n = new_node(NULL, NULL);

		populate(depth, n);
		finish(n, depth, i == trees - 1);
	}
	for (long i = 0; i < trees; i++)
		finish(make_tree(depth), depth, i == trees - 1);
	printf("%ld trees of depth %d, twice\n", trees, depth);
}

int main(int argc, char **argv)
{
	long less = argc == 2 ? number_of(argv[1], 0, 8) : 0;
	struct node *lived;
	double *array;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		puts("usage: gcbench [LESS]\n"
		     "GCBench on " HEAP_NAME "; trees are LESS (0 to 8) levels lower than they should.");
		return 0;
	}
	if (argc > 2 || less < 0) {
		fputs("gcbench: one number from 0 to 8 may be given\n", stderr);
		return 2;
	}
	heap_init();
	finish(make_tree(STRETCH_DEPTH - (int)less), STRETCH_DEPTH - (int)less, 1);
	lived = new_node(NULL, NULL);
	populate(LIVED_DEPTH - (int)less, lived);
	array = must_alloc_noscan(ARRAY_ITEMS * sizeof(*array));
	for (int i = 0; i < ARRAY_ITEMS / 2; i++)
		array[i] = 1.0 / (i + 1);
	for (int depth = MIN_DEPTH; depth <= MAX_DEPTH - less; depth += 2)
		construct(depth, STRETCH_DEPTH - (int)less);
	for (int i = 0; i < ARRAY_ITEMS / 2; i++)
		if (array[i] != 1.0 / (i + 1))
			fail("gcbench: the array has changed");
	printf("long-lived tree of depth %ld, array of %d\n", LIVED_DEPTH - less, ARRAY_ITEMS);
	finish(lived, LIVED_DEPTH - (int)less, 1);
	heap_report();
	return 0;
}
