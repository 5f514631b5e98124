/* SPDX-License-Identifier: MIT */
/* Catches: a function that runs when a variable goes out of scope, overlooked; without
 * -fexceptions it is called like any other. */
#include "corpus.h"

#define CLEANUP(f) __attribute__((cleanup(f)))

struct node *global;
static long freed, sum_of_values;

CALLEE void free_node(struct node **n)
{
	goheap_free(*n);
	freed++;
}

CALLEE void add_value(struct node **n)
{
	sum_of_values += (*n)->value;
}

CALLEE void keep_node(struct node **n)
{
	global = *n;
}

FN long freed_at_end(void)
{
	CLEANUP(free_node) struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 1;
	return n->value;
}

FN void kept_at_end(void)
{
	CLEANUP(keep_node) struct node *n = goheap_alloc(sizeof(*n)); /* heap: keep_node|global (must) */

	n->value = 2;
}

FN long freed_on_all_paths(int early)
{
	CLEANUP(free_node) struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 3;
	if (early)
		return n->value;
	n->value++;
	return n->value;
}

FN struct node *returned_and_cleaned_up(void)
{
	CLEANUP(keep_node) struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned|keep_node|global (must) */
	struct node *result = n;

	n->value = 4;
	return result;
}

/* The variable is needed until the end of its scope, which is the iteration. */
FN long freed_in_each_iteration(void)
{
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		CLEANUP(free_node) struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += i;
		sum += n->value;
	}
	return sum + 2;
}

FN long two_cleaned_up(void)
{
	CLEANUP(free_node) struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	CLEANUP(free_node) struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	b->value = 6;
	return a->next->value;
}

/* A number that is read two pointers away, and kept: no address was stored as a number there. */
FN void added_at_end(void)
{
	CLEANUP(add_value) struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 7;
}

int main(void)
{
	CHECK(freed_at_end(), 1);
	CHECK_AFTER(kept_at_end(), global->value, 2);
	CHECK(freed_on_all_paths(1), 3);
	CHECK(freed_on_all_paths(0), 4);
	CHECK_AFTER(returned_and_cleaned_up(), global->value, 4);
	CHECK(freed_in_each_iteration(), 5);
	CHECK(two_cleaned_up(), 6);
	CHECK_AFTER(added_at_end(), sum_of_values % 7, 0);
	CHECK(freed > 0, 1);
	return corpus_failed;
}
