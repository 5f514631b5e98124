/* SPDX-License-Identifier: MIT */
/* Catches: an object on the stack of a function that an exception may pass through, from a callee
 * in another language, while variables are cleaned up.
 *
 * flags: -fexceptions
 */
#include "corpus.h"

#define CLEANUP(f) __attribute__((cleanup(f)))

struct node *global;
static long freed;

/* In with/cleanup-exceptions.c: it might throw. */
long might_throw(long value);

CALLEE void free_node(struct node **n)
{
	goheap_free(*n);
	freed++;
}

FN long cleaned_up_around_a_call(void)
{
	CLEANUP(free_node) struct node *n = goheap_alloc(sizeof(*n)); /* heap: exception|landing|cleanup (could stay) */

	n->value = 1;
	return might_throw(n->value);
}

FN long beside_what_is_cleaned_up(void)
{
	CLEANUP(free_node) struct node *n = goheap_alloc(sizeof(*n)); /* heap: exception|landing|cleanup (could stay) */
	struct node *m = goheap_alloc(sizeof(*m)); /* heap: exception|landing|cleanup (could stay) */

	n->value = 1;
	m->value = might_throw(n->value) + 1;
	return m->value;
}

/* An exception goes through, but has nothing to do here. */
FN long nothing_cleaned_up(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = might_throw(3);
	return n->value;
}

FN struct node *returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = might_throw(4);
	return n;
}

int main(void)
{
	CHECK(cleaned_up_around_a_call(), 1);
	CHECK(beside_what_is_cleaned_up(), 2);
	CHECK(nothing_cleaned_up(), 3);
	CHECK_AFTER(global = returned(), global->value, 4);
	CHECK(freed > 0, 1);
	return corpus_failed;
}
