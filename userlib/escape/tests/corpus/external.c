/* SPDX-License-Identifier: MIT */
/* Catches: an object that is passed to a function of another translation unit, or one that may
 * be replaced there, and a promise in a header that is not believed. */
#include "corpus.h"

struct node *global;

/* In with/external.c. */
long other_keep(struct node *n);
long other_sum(const struct node *list) GOHEAP_NOESCAPE;
long other_value(const struct node *n, struct node *kept) GOHEAP_NOESCAPE_ARGS(1);
void other_set_first(struct node *a, struct node *b, struct node *kept) GOHEAP_NOESCAPE_ARGS(1, 2);
long other_keep_next(const struct node *n);
void other_keep_first(struct node **all);
void other_keep_address(struct node *where);
long other_count(void);
long weak_value(struct node *n);

/* ISO C leaves this name to programs; a function of POSIX has it, and keeps nothing. */
long send(struct node *n);

/* Replaced by the one in with/external.c, which keeps its argument. */
__attribute__((weak)) long weak_value(struct node *n)
{
	return n->value;
}

long strong_value(struct node *n)
{
	return n->value;
}

long alias_of_strong_value(struct node *n) __attribute__((alias("strong_value")));

CALLEE long through_other(struct node *n)
{
	return other_keep(n) + 1;
}

CALLEE long through_other_that_promises(struct node *n)
{
	return other_sum(n) + 1;
}

/* Called like a function of libc, but it is known that it is another. */
CALLEE void writev(struct node *n)
{
	global = n;
}

FN void passed_to_other(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: passed to other_keep (must) */

	n->value = 1;
	other_keep(n);
}

FN void reachable_from_what_is_passed(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: passed to other_keep (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: other_keep|stored|reach (must) */

	a->next = b;
	b->value = 2;
	other_keep(a);
}

FN void in_local_that_is_passed(void)
{
	struct node local = { NULL, 3 };
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: other_keep|stored|reach (must) */

	n->value = 3;
	local.next = n;
	other_keep(local.next);
}

/* What is passed is the address of a variable that the object is in. */
FN void in_local_whose_address_is_passed(void)
{
	struct node local = { NULL, 3 };
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: other_keep_next|stored|reach (must) */

	n->value = 18;
	local.next = n;
	other_keep_next(&local);
}

FN void in_local_array_that_is_passed(void)
{
	struct node *all[2] = { NULL, NULL };

	all[0] = goheap_alloc(sizeof(*all[0])); /* heap: other_keep_first|stored|reach (must) */
	all[0]->value = 19;
	other_keep_first(all);
}

/* The object gets there when the other function has the address already. */
FN void in_local_whose_address_was_passed(void)
{
	struct node local = { NULL, 3 };
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: other_keep_address|stored|reach (must) */

	other_keep_address(&local);
	n->value = 20;
	local.next = n;
	other_count();
}

FN long stored_after_it_was_passed(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: passed to other_keep (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: other_keep|stored|reach (must) */

	other_keep(a);
	a->next = b;
	b->value = 4;
	return 0;
}

FN void passed_on(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: other_keep|through_other (must) */

	n->value = 5;
	through_other(n);
}

FN long promised(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 6;
	return other_sum(n);
}

FN long promised_for_what_is_reachable(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	a->value = 1;
	b->value = 6;
	return other_sum(a);
}

FN long promised_two_calls_down(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 7;
	return through_other_that_promises(n);
}

FN long promised_for_one(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: passed to other_value (must) */

	a->value = 9;
	b->value = 1;
	return other_value(a, b);
}

FN void promised_for_two(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *c = goheap_alloc(sizeof(*c)); /* heap: passed to other_set_first (must) */

	b->value = 10;
	other_set_first(a, b, c);
	c->value = a->value;
}

/* The same object is passed where nothing is promised. */
FN long promised_and_not(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: passed to other_value (must) */

	n->value = 11;
	return other_value(n, n);
}

FN long not_passed_at_all(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = other_count();
	return n->value;
}

FN void passed_to_weak(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: passed to weak_value|weak_value (must) */

	n->value = 13;
	weak_value(n);
}

FN long passed_to_strong(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 14;
	return strong_value(n);
}

/* An alias of a function with a body is that function. */
FN long passed_to_alias(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 15;
	return alias_of_strong_value(n);
}

FN void passed_to_namesake_with_body(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: writev|global (must) */

	n->value = 16;
	writev(n);
}

FN void passed_to_namesake_of_library(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: passed to send (must) */

	n->value = 17;
	send(n);
}

int main(void)
{
	CHECK_AFTER(passed_to_other(), global->value, 1);
	CHECK_AFTER(reachable_from_what_is_passed(), global->next->value, 2);
	CHECK_AFTER(in_local_that_is_passed(), global->value, 3);
	CHECK_AFTER(stored_after_it_was_passed(), global->next->value, 4);
	CHECK_AFTER(passed_on(), global->value, 5);
	CHECK(promised(), 6);
	CHECK(promised_for_what_is_reachable(), 7);
	CHECK(promised_two_calls_down(), 8);
	CHECK(promised_for_one(), 9);
	CHECK_AFTER(promised_for_two(), global->value, 10);
	CHECK_AFTER(promised_and_not(), global->value, 11);
	CHECK(not_passed_at_all(), 12);
	CHECK_AFTER(passed_to_weak(), global->value, 13);
	CHECK(passed_to_strong(), 14);
	CHECK(passed_to_alias(), 15);
	CHECK_AFTER(passed_to_namesake_with_body(), global->value, 16);
	CHECK_AFTER(passed_to_namesake_of_library(), global->value, 17);
	CHECK_AFTER(in_local_whose_address_is_passed(), global->value, 18);
	CHECK_AFTER(in_local_array_that_is_passed(), global->value, 19);
	CHECK_AFTER(in_local_whose_address_was_passed(), global->value, 20);
	return corpus_failed;
}
