// SPDX-License-Identifier: MIT
/*
 * Catches: a collector that keeps what nothing points to: lists, cycles, trees,
 * what only a noscan object or a dead object points to.
 */
#include <stdlib.h>

#include "gc.h"
#include "tap.h"

enum { MANY = 100000 };

struct node {
	struct node *next, *other;
	uint64_t value;
};

/* At least 95 % of @n objects freed since @before. */
static void gone(struct goheap_stats before, uint64_t n)
{
	struct goheap_stats after = stats();

	CHECK_CMP(after.frees - before.frees, >=, n * 95 / 100);
	CHECK_CMP(after.alloc_objects, ==, after.mallocs - after.frees);
}

static void drop_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < MANY; i++)
		CHECK(goheap_alloc(sizeof(struct node)));
}

CASE(dropped, "95 of 100 of 100,000 dropped objects are freed by one collection", "GOHEAP_GOGC=off")
{
	struct goheap_stats before;

	goheap_alloc(1);
	before = stats();
	in_thread(drop_many, NULL);
	goheap_collect();
	gone(before, MANY);
}

CASE(dropped_here, "also when this thread itself had made them", "GOHEAP_GOGC=off")
{
	struct goheap_stats before;

	goheap_alloc(1);
	before = stats();
	drop_many(NULL);
	scrub_stack();
	goheap_collect();
	gone(before, MANY);
}

static void make_list(void *arg)
{
	struct node *list = NULL;

	for (int i = 0; i < MANY; i++) {
		struct node *n = goheap_alloc(sizeof(*n));

		n->next = list;
		n->value = 2 * i + 1;
		list = n;
	}
	*(struct node **)arg = list;
}

CASE(list, "a list of 100,000 lives while its head is held, and dies with it", "GOHEAP_GOGC=off")
{
	static struct node *head;
	struct goheap_stats before;
	uint64_t sum = 0;

	goheap_alloc(1);
	in_thread(make_list, &head);
	collect_hard();
	before = stats();
	CHECK_CMP(before.alloc_objects, >=, MANY);
	for (struct node *n = head; n; n = n->next)
		sum += n->value;
	CHECK_CMP(sum, ==, (uint64_t)MANY * MANY);
	head = NULL;
	collect_hard();
	gone(before, MANY);
}

static void make_rings(void *arg)
{
	(void)arg;
	for (int i = 0; i < MANY / 10; i++) {
		struct node *first = goheap_alloc(sizeof(*first)), *last = first;

		for (int j = 1; j < 10; j++) {
			struct node *n = goheap_alloc(sizeof(*n));

			n->other = last;
			last->next = n;
			last = n;
		}
		last->next = first;
		first->other = last;
	}
}

CASE(cycles, "rings that only point to themselves are freed", "GOHEAP_GOGC=off")
{
	struct goheap_stats before;

	goheap_alloc(1);
	before = stats();
	in_thread(make_rings, NULL);
	goheap_collect();
	gone(before, MANY);
}

static struct node *make_tree(int depth)
{
	struct node *n = goheap_alloc(sizeof(*n));

	n->value = 1;
	if (depth) {
		n->next = make_tree(depth - 1);
		n->other = make_tree(depth - 1);
	}
	return n;
}

static uint64_t count_tree(const struct node *n)
{
	return n ? n->value + count_tree(n->next) + count_tree(n->other) : 0;
}

static void tree_thread(void *arg)
{
	*(struct node **)arg = make_tree(16);
}

CASE(tree, "a tree: a branch cut off dies, the rest lives", "GOHEAP_GOGC=off")
{
	static struct node *root;
	struct goheap_stats before;

	in_thread(tree_thread, &root);
	collect_hard();
	before = stats();
	root->next = NULL;
	collect_hard();
	gone(before, 1 << 16);
	CHECK_CMP(count_tree(root), ==, 1 << 16);
}

CASE(noscan, "what only noscan memory points to dies", "GOHEAP_GOGC=off")
{
	enum { N = 1000 };
	static void **holder;
	static uintptr_t hidden[N];

	/* A small object, and one in a span of its own. */
	for (size_t size = N * sizeof(void *); size <= 64 * KIB; size *= 8) {
		holder = goheap_alloc_noscan(size);
		canaries_make(holder, hidden, N);
		collect_hard();
		CHECK_CMP(goheap_base(holder), ==, (void *)holder);
		CHECK_CMP(canaries_alive(hidden, N), <, N / 20);
	}
}

CASE(through_dead, "what only dead objects point to dies in the same collection", "GOHEAP_GOGC=off")
{
	static void **holder;
	enum { N = 1000 };
	static uintptr_t hidden[N];

	holder = goheap_alloc(N * sizeof(void *));
	canaries_make(holder, hidden, N);
	holder = NULL;
	scrub_stack();
	goheap_collect();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 20);
}

/* A chain so long that a collector that recursed would leave its stack. */
static void make_chain(void *arg)
{
	struct node *list = NULL;

	for (int i = 0; i < 20 * MANY; i++) {
		struct node *n = goheap_alloc(sizeof(*n));

		n->next = list;
		list = n;
	}
	*(struct node **)arg = list;
}

CASE(chain, "a chain of 2,000,000 is marked to its end")
{
	static struct node *head;
	uint64_t n = 0;

	in_thread(make_chain, &head);
	collect_hard();
	for (struct node *p = head; p; p = p->next)
		n++;
	CHECK_CMP(n, ==, 20 * MANY);
	CHECK_CMP(stats().alloc_objects, >=, 20 * MANY);
}

/* Values that look like addresses near the heap's: nothing may crash. */
CASE(lookalikes, "numbers that look like pointers do no harm")
{
	enum { N = 100000 };
	static uintptr_t *numbers;
	uintptr_t heap = (uintptr_t)goheap_alloc(100);
	uint64_t seed = 5;

	numbers = goheap_alloc(N * sizeof(*numbers));
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < N; i++) {
			uint64_t r = rnd(&seed);

			switch (r & 3) {
			case 0:
				numbers[i] = heap + (r >> 8) % (64 * MIB) - 16 * MIB;
				break;
			case 1:
				numbers[i] = heap + ((r >> 8) & ((1ULL << 42) - 1));
				break;
			case 2:
				numbers[i] = r >> 16;
				break;
			default:
				numbers[i] = r;
			}
		}
		goheap_collect();
		churn(MIB);
	}
}
