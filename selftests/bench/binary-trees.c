// SPDX-License-Identifier: GPL-2.0
/*
 * binary-trees, the allocation benchmark of the Computer Language Benchmarks
 * Game, written from its description: stretch memory with one tree, keep a
 * second alive throughout, and meanwhile build, walk and drop many short-lived
 * ones.  Nothing is freed but on plain malloc.  The number of nodes of a full
 * tree is known, so each walk is checked.
 */
#include <errno.h>
#include <string.h>

#include "heap.h"

#define MIN_DEPTH	4

struct node {
	struct node *left;
	struct node *right;
};

static struct node *build(int depth)
{
	struct node *t = heap_alloc(sizeof(*t));

	if (!t) {
		fprintf(stderr, "binary-trees: %s\n", strerror(errno));
		exit(1);
	}
	if (depth > 0) {
		t->left = build(depth - 1);
		t->right = build(depth - 1);
	}
	return t;
}

static long count(const struct node *t)
{
	return t->left ? 1 + count(t->left) + count(t->right) : 1;
}

static void drop(struct node *t)
{
	if (t->left) {
		drop(t->left);
		drop(t->right);
	}
	heap_free(t);
}

static void finish(struct node *t)
{
	/* A heap with a collector is only told by forgetting the tree. */
	if (!HEAP_COLLECTS)
		drop(t);
}

static long full(int depth)
{
	return (2L << depth) - 1;
}

static void check(long got, long want)
{
	if (got != want) {
		fprintf(stderr, "binary-trees: %ld nodes where there are %ld\n", got, want);
		exit(1);
	}
}

static void stretch(int depth)
{
	struct node *t = build(depth);
	long n = count(t);

	check(n, full(depth));
	printf("stretch tree of depth %d\t check: %ld\n", depth, n);
	finish(t);
}

static void many(int depth, long trees)
{
	long n = 0;

	for (long i = 0; i < trees; i++) {
		struct node *t = build(depth);

		n += count(t);
		finish(t);
	}
	check(n, trees * full(depth));
	printf("%ld\t trees of depth %d\t check: %ld\n", trees, depth, n);
}

int main(int argc, char **argv)
{
	int depth = argc == 2 ? atoi(argv[1]) : 0;
	struct node *kept;
	long n;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		puts("usage: binary-trees DEPTH\n"
		     "Builds and drops binary trees up to DEPTH (6 to 30) on " HEAP_NAME ".");
		return 0;
	}
	if (depth < MIN_DEPTH + 2 || depth > 30) {
		fputs("binary-trees: a depth of 6 to 30 is wanted\n", stderr);
		return 2;
	}
	heap_init();
	stretch(depth + 1);
	kept = build(depth);
	for (int d = MIN_DEPTH; d <= depth; d += 2)
		many(d, 1L << (depth - d + MIN_DEPTH));
	n = count(kept);
	check(n, full(depth));
	printf("long lived tree of depth %d\t check: %ld\n", depth, n);
	finish(kept);
	heap_report();
	return 0;
}
