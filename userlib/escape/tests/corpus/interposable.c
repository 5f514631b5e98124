/* SPDX-License-Identifier: MIT */
/* Catches: a function of a shared library taken for the one that runs: a program may have one of
 * the same name, which the dynamic linker prefers.
 *
 * flags: -fPIC
 */
#include "corpus.h"

struct node *global;

long visible(struct node *n);
long hidden(struct node *n) __attribute__((visibility("hidden")));
long protected(struct node *n) __attribute__((visibility("protected")));

FN long visible(struct node *n)
{
	return n->value;
}

FN long hidden(struct node *n)
{
	return n->value + 1;
}

FN long protected(struct node *n)
{
	return n->value + 2;
}

CALLEE long file_static(struct node *n)
{
	return n->value + 3;
}

CALLEE long static_that_calls_visible(struct node *n)
{
	return visible(n) + 4;
}

FN long passed_to_visible(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: visible (must) */

	n->value = 10;
	return visible(n);
}

FN long passed_to_hidden(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 10;
	return hidden(n);
}

FN long passed_to_protected(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 10;
	return protected(n);
}

FN long passed_to_static(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 10;
	return file_static(n);
}

FN long passed_on_to_visible(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: visible (must) */

	n->value = 10;
	return static_that_calls_visible(n);
}

/* The body is copied into the caller: it is this one that runs. */
static inline __attribute__((always_inline)) long always_inlined(struct node *n)
{
	return n->value + 5;
}

FN long passed_to_inlined(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 10;
	return always_inlined(n);
}

FN long not_passed(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 16;
	return n->value;
}

FN struct node *returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 17;
	return n;
}

int main(void)
{
	CHECK(passed_to_visible(), 10);
	CHECK(passed_to_hidden(), 11);
	CHECK(passed_to_protected(), 12);
	CHECK(passed_to_static(), 13);
	CHECK(passed_on_to_visible(), 14);
	CHECK(passed_to_inlined(), 15);
	CHECK(not_passed(), 16);
	CHECK_AFTER(global = returned(), global->value, 17);
	return corpus_failed;
}
