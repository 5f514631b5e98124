/* SPDX-License-Identifier: MIT */
/* Catches: an object that escapes on one path only, objects that share a variable or a slot, and
 * code that the optimiser removes. */
#include "corpus.h"

struct node *global;
static const int debug = 0;

FN long chosen_by_condition(int first)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *n = first ? a : b;

	a->value = 1;
	b->value = 2;
	n->value += 10;
	return a->value * 100 + b->value;
}

FN long chosen_at_allocation(int small)
{
	struct node *n;

	if (small)
		n = goheap_alloc(sizeof(*n)); /* stack */
	else
		n = goheap_alloc(4 * sizeof(*n)); /* stack */
	n->value += 2;
	return n->value;
}

FN struct node *one_branch_returns(int keep)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 3;
	b->value = 1;
	if (keep)
		return a;
	return b->next;
}

FN long disjoint_branches(int which)
{
	if (which) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += 4;
		return n->value;
	} else {
		struct pair *p = goheap_alloc(sizeof(*p)); /* stack */

		return p->a == NULL && p->b == NULL ? 5 : -1;
	}
}

FN struct node *chosen_and_returned(int second)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 5;
	if (second) {
		n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */
		n->value = 6;
	}
	return n;
}

FN long chosen_or_global(int local)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct node *p = local ? n : global;

	p->value = 7;
	return p->value + n->value;
}

FN long leaks_if(int leak)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 8;
	if (leak)
		global = n;
	return n->value;
}

FN long leaks_if_allocated_here(int leak)
{
	if (leak) {
		global = goheap_alloc(sizeof(*global)); /* heap: global (must) */
		global->value = 9;
		return 1;
	} else {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value = 2;
		return n->value;
	}
}

FN long switched(int which)
{
	struct node *n;

	switch (which) {
	case 0:
		n = goheap_alloc(sizeof(*n)); /* stack */
		n->value += 10;
		break;
	case 1:
		n = goheap_alloc(2 * sizeof(*n)); /* stack */
		n[1].value += 11;
		n++;
		break;
	case 2:
		n = goheap_alloc(3 * sizeof(*n)); /* heap: global (must) */
		n[2].value += 12;
		global = n;
		n += 2;
		break;
	default:
		return 0;
	}
	return n->value;
}

FN long falls_through(int which)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	switch (which) {
	case 0:
		n->value += 1;
		__attribute__((fallthrough));
	case 1:
		n->value += 2;
		__attribute__((fallthrough));
	default:
		n->value += 4;
	}
	return n->value;
}

FN long same_variable_twice(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long value;

	n->value += 5;
	value = n->value;
	n = goheap_alloc(sizeof(*n)); /* stack */
	n->value += 8;
	return value + n->value;
}

FN long same_variable_second_leaks(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long value;

	n->value = 1;
	value = n->value;
	n = goheap_alloc(sizeof(*n)); /* heap: global (must) */
	n->value = value + 13;
	global = n;
	return value;
}

FN struct node *same_variable_first_leaks(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */
	struct node *first = n;

	first->value = 15;
	n = goheap_alloc(sizeof(*n)); /* stack */
	n->value = 1;
	first->value += n->value;
	return first;
}

/* The variable has its address taken, and is one place for both objects. */
FN long same_memory_second_leaks(void)
{
	struct node *n, **where = &n;

	*where = goheap_alloc(sizeof(*n)); /* O0 heap: global (could stay); O2 stack */
	n->value = 1;
	*where = goheap_alloc(sizeof(*n)); /* heap: global (must) */
	n->value = 16;
	global = *where;
	return n->value;
}

FN long one_after_another(void)
{
	struct node *kept = NULL;
	long sum = 0;

	{
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += 17;
		kept = n;
	}
	{
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += 1;
		sum = n->value;
	}
	return sum + kept->value;
}

/* Both die early, but are never the same. */
FN long never_the_same(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b;

	a->value = 1;
	b = goheap_alloc(sizeof(*b)); /* stack */
	b->value = 18;
	return a == b ? -1 : b->value;
}

FN long unused_result(void)
{
	(void)goheap_alloc(sizeof(struct node)); /* stack */
	return 20;
}

FN long unused_variable(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	(void)n;
	return 21;
}

FN long in_dead_branch(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 22;
	if (0)
		global = n;
	return n->value;
}

FN long in_branch_on_constant(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* O0 heap: global (could stay); O2 stack */

	n->value = 23;
	if (debug)
		global = n;
	return n->value;
}

FN long after_return(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 24;
	return n->value;
	global = n;
}

FN long allocated_in_dead_code(void)
{
	if (0)
		global = goheap_alloc(sizeof(*global)); /* none */
	return 25;
}

FN long allocated_in_branch_on_constant(void)
{
	if (debug)
		global = goheap_alloc(sizeof(*global)); /* O0 heap: global (must); O2 none */
	return 26;
}

FN long early_return(int early)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 27;
	if (early)
		return n->value;
	n->value++;
	return n->value;
}

FN int error_paths(struct node **out, int error)
{
	struct node *a, *b = NULL;
	int result = -1;

	a = goheap_alloc(sizeof(*a)); /* stack */
	a->value = 28;
	if (error == 1)
		goto out;
	b = goheap_alloc(sizeof(*b)); /* heap: parameter (must) */
	b->value = a->value + 1;
	if (error == 2)
		goto free_b;
	*out = b;
	result = 0;
	goto out;
free_b:
	goheap_free(b);
out:
	goheap_free(a);
	return result;
}

FN long aborts_without_memory(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	if (!n)
		abort();
	n->value = 30;
	return n->value;
}

FN long logical_operators(int a, int b)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = a;
	return (n->value && b) || (n->next && n->next->value);
}

FN long comma_and_assignment(void)
{
	struct node *n, *m;

	m = (n = goheap_alloc(sizeof(*n)), n->value = 32, n); /* stack */
	return m->value;
}

FN long statement_expression(void)
{
	struct node *n = ({
		struct node *inner = goheap_alloc(sizeof(*inner)); /* stack */

		inner->value = 33;
		inner;
	});

	return n->value;
}

FN long conditional_without_middle(struct node *given)
{
	struct node *n = given ?: goheap_alloc(sizeof(*n)); /* stack */

	n->value = 34;
	return n->value;
}

int main(void)
{
	struct node some = { NULL, 0 }, *n;

	CHECK(chosen_by_condition(1), 1102);
	CHECK(chosen_by_condition(0), 112);
	CHECK(chosen_at_allocation(1), 2);
	CHECK(chosen_at_allocation(0), 2);
	CHECK_AFTER(n = one_branch_returns(1), n->value, 3);
	CHECK(one_branch_returns(0) == NULL, 1);
	CHECK(disjoint_branches(1), 4);
	CHECK(disjoint_branches(0), 5);
	CHECK_AFTER(n = chosen_and_returned(0), n->value, 5);
	CHECK_AFTER(n = chosen_and_returned(1), n->value, 6);
	CHECK(chosen_or_global(1), 14);
	CHECK_AFTER(leaks_if(1), global->value, 8);
	CHECK(chosen_or_global(0), 7);
	CHECK(leaks_if(0), 8);
	CHECK_AFTER(leaks_if_allocated_here(1), global->value, 9);
	CHECK(leaks_if_allocated_here(0), 2);
	CHECK(switched(0), 10);
	CHECK(switched(1), 11);
	CHECK_AFTER(switched(2), global[2].value, 12);
	CHECK(switched(3), 0);
	CHECK(falls_through(0), 7);
	CHECK(falls_through(1), 6);
	CHECK(falls_through(2), 4);
	CHECK(same_variable_twice(), 13);
	CHECK_AFTER(same_variable_second_leaks(), global->value, 14);
	CHECK_AFTER(n = same_variable_first_leaks(), n->value, 16);
	CHECK_AFTER(same_memory_second_leaks(), global->value, 16);
	CHECK(one_after_another(), 18);
	CHECK(never_the_same(), 18);
	CHECK(unused_result(), 20);
	CHECK(unused_variable(), 21);
	CHECK(in_dead_branch(), 22);
	CHECK(in_branch_on_constant(), 23);
	CHECK(after_return(), 24);
	CHECK(allocated_in_dead_code(), 25);
	CHECK(allocated_in_branch_on_constant(), 26);
	CHECK(early_return(1), 27);
	CHECK(early_return(0), 28);
	CHECK_AFTER(error_paths(&n, 0), n->value, 29);
	CHECK(error_paths(&n, 1), -1);
	CHECK(error_paths(&n, 2), -1);
	CHECK(aborts_without_memory(), 30);
	CHECK(logical_operators(1, 1), 1);
	CHECK(logical_operators(1, 0), 0);
	CHECK(comma_and_assignment(), 32);
	CHECK(statement_expression(), 33);
	CHECK(conditional_without_middle(NULL), 34);
	CHECK(conditional_without_middle(&some), 34);
	return corpus_failed;
}
