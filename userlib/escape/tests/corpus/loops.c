/* SPDX-License-Identifier: MIT */
/* Catches: objects of several iterations that would need the same place on the stack, and
 * objects that die in their iteration and are kept on the heap. */
#include "corpus.h"

struct node *global;

FN long dies_in_its_iteration(void)
{
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += i;
		sum = sum * 10 + n->value;
	}
	return sum;
}

FN long dies_in_while(int count)
{
	long sum = 0;

	while (count--) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += count;
		sum = sum * 10 + n->value;
	}
	return sum;
}

FN long dies_in_do_while(int count)
{
	long sum = 0;

	do {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += count + 1;
		sum = sum * 10 + n->value;
	} while (count--);
	return sum;
}

FN long dies_in_loop_of_goto(void)
{
	struct node *n;
	long sum = 0;
	int i = 0;

again:
	n = goheap_alloc(sizeof(*n)); /* stack */
	n->value += i;
	sum = sum * 10 + n->value;
	if (++i < 4)
		goto again;
	return sum;
}

FN long in_condition_of_loop(void)
{
	struct node *n;
	long i = 0;

	while ((n = goheap_alloc(sizeof(*n))) && (n->value += i) < 3) /* stack */
		i = n->value + 1;
	return i;
}

/* The variable lives longer than the object that it points to is needed. */
FN long variable_outside(void)
{
	struct node *n = NULL;
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		n = goheap_alloc(sizeof(*n)); /* stack */
		n->value += i;
		sum = sum * 10 + n->value;
	}
	return sum;
}

FN long allocated_before(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	for (int i = 0; i < 4; i++)
		n->value = n->value * 10 + i;
	return n->value;
}

FN long used_after_break(void)
{
	struct node *n;

	for (int i = 0;; i++) {
		n = goheap_alloc(sizeof(*n)); /* stack */
		n->value += i;
		if (n->value == 3)
			break;
	}
	return n->value;
}

FN long used_after_do_while(void)
{
	struct node *n;
	long i = 0;

	do {
		n = goheap_alloc(sizeof(*n)); /* stack */
		n->value += i++;
	} while (n->value < 3);
	return n->value;
}

/* Only the last object is needed, and no other is allocated as long as it is. */
FN long last_used_after_loop(int count)
{
	struct node *last = NULL;

	for (int i = 0; i < count; i++) {
		last = goheap_alloc(sizeof(*last)); /* stack */
		last->value += i;
	}
	return last ? last->value : -1;
}

FN struct node *found_and_returned(long value)
{
	for (long i = 0; i < 10; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

		n->value += i;
		if (n->value == value)
			return n;
	}
	return NULL;
}

FN long with_continue(void)
{
	long sum = 0;

	for (int i = 0; i < 6; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += i;
		if (i % 2)
			continue;
		sum = sum * 10 + n->value;
	}
	return sum;
}

FN long freed_in_iteration(void)
{
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += i;
		sum = sum * 10 + n->value;
		goheap_free(n);
	}
	return sum;
}

FN long two_that_refer_to_each_other(void)
{
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		struct node *a = goheap_alloc(sizeof(*a)); /* stack */
		struct node *b = goheap_alloc(sizeof(*b)); /* heap: loop|iteration (could stay) */

		if (a->next || b->next)
			return -1;
		a->next = b;
		b->next = a;
		a->value += i;
		sum = sum * 10 + b->next->value;
	}
	return sum;
}

CALLEE long add_one(struct node *n)
{
	n->value++;
	return n->value;
}

FN long passed_to_callee(void)
{
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += i;
		sum = sum * 10 + add_one(n);
	}
	return sum;
}

CALLEE long allocates(long value)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value += value;
	return n->value;
}

FN long allocated_in_callee(void)
{
	long sum = 0;

	for (int i = 0; i < 4; i++)
		sum = sum * 10 + allocates(i);
	return sum;
}

FN void each_in_global(void)
{
	global = NULL;
	for (int i = 0; i < 3; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

		n->next = global;
		n->value += i;
		global = n;
	}
}

FN long inner_dies_in_inner(void)
{
	long sum = 0;

	for (int i = 1; i < 3; i++) {
		for (int j = 1; j < 3; j++) {
			struct node *n = goheap_alloc(sizeof(*n)); /* stack */

			n->value += i * j;
			sum = sum * 10 + n->value;
		}
	}
	return sum;
}

FN long outer_used_in_inner(void)
{
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		for (int j = 0; j < 3; j++)
			n->value += i + j;
		sum = sum * 100 + n->value;
	}
	return sum;
}

FN long inner_refers_to_outer(void)
{
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		struct node *outer = goheap_alloc(sizeof(*outer)); /* stack */

		outer->value += i;
		for (int j = 0; j < 3; j++) {
			struct node *inner = goheap_alloc(sizeof(*inner)); /* stack */

			inner->next = outer;
			inner->value += j;
			sum += inner->next->value * inner->value;
		}
	}
	return sum;
}

FN long inner_used_in_same_outer_iteration(void)
{
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		struct node *n;
		int j = 0;

		do {
			n = goheap_alloc(sizeof(*n)); /* stack */
			n->value += i + j;
		} while (++j < 3);
		sum = sum * 10 + n->value;
	}
	return sum;
}

FN long in_inner_after_break(void)
{
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		struct node *n;

		for (int j = 0;; j++) {
			n = goheap_alloc(sizeof(*n)); /* stack */
			n->value += i + j;
			if (n->value >= 4)
				break;
		}
		sum = sum * 10 + n->value;
	}
	return sum;
}

FN long array_in_iteration(void)
{
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		long *a = goheap_alloc(8 * sizeof(*a)); /* stack */

		for (int j = 0; j < 8; j++)
			a[j] += j;
		for (int j = 0; j < 8; j++)
			sum += a[j];
	}
	return sum;
}

FN long pointer_moves_in_loop(void)
{
	long *a = goheap_alloc(4 * sizeof(*a)); /* stack */
	long *p = a;

	for (int i = 0; i < 3; i++)
		*++p = i + 1;
	return p[0] * 100 + p[-1] * 10 + p[-2];
}

FN long replaced_in_loop(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 1;
	b->value = 2;
	for (int i = 0; i < 3; i++) {
		struct node *old = a;

		a = b;
		b = old;
		a->value += b->value;
	}
	return a->value * 10 + b->value;
}

FN long in_local_struct_of_iteration(void)
{
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		struct pair p = { NULL, NULL };

		p.b = goheap_alloc(sizeof(*p.b)); /* O0 heap: loop|iteration (could stay); O2 stack */
		p.b->value += i;
		sum = sum * 10 + p.b->value;
	}
	return sum;
}

FN long list_of_fixed_objects(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *c = goheap_alloc(sizeof(*c)); /* stack */
	long sum = 0;

	a->next = b;
	b->next = c;
	a->value = 1;
	b->value = 2;
	c->value = 3;
	for (struct node *n = a; n; n = n->next)
		sum = sum * 10 + n->value;
	return sum;
}

FN long forever_until_return(int limit)
{
	for (int i = 0;; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += i;
		if (n->value == limit)
			return n->value;
	}
}

FN long switch_in_loop(void)
{
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		switch (i) {
		case 1:
			n->value += 10;
			break;
		case 2:
			n->value += 20;
			continue;
		default:
			n->value += i;
		}
		sum = sum * 10 + n->value;
	}
	return sum;
}

FN long only_in_some_iterations(void)
{
	long sum = 0;

	for (int i = 0; i < 6; i++) {
		if (i % 3 == 1) {
			struct node *n = goheap_alloc(sizeof(*n)); /* stack */

			n->value += i;
			sum = sum * 10 + n->value;
		}
	}
	return sum;
}

int main(void)
{
	struct node *n;

	CHECK(dies_in_its_iteration(), 123);
	CHECK(dies_in_while(4), 3210);
	CHECK(dies_in_do_while(3), 4321);
	CHECK(dies_in_loop_of_goto(), 123);
	CHECK(in_condition_of_loop(), 3);
	CHECK(variable_outside(), 123);
	CHECK(allocated_before(), 123);
	CHECK(used_after_break(), 3);
	CHECK(used_after_do_while(), 3);
	CHECK(last_used_after_loop(4), 3);
	CHECK(last_used_after_loop(0), -1);
	CHECK_AFTER(n = found_and_returned(4), n->value, 4);
	CHECK(with_continue(), 24);
	CHECK(freed_in_iteration(), 123);
	CHECK(two_that_refer_to_each_other(), 123);
	CHECK(passed_to_callee(), 1234);
	CHECK(allocated_in_callee(), 123);
	CHECK_AFTER(each_in_global(), global->value * 100 + global->next->value * 10 +
		    global->next->next->value, 210);
	CHECK(inner_dies_in_inner(), 1224);
	CHECK(outer_used_in_inner(), 30609);
	CHECK(inner_refers_to_outer(), 9);
	CHECK(inner_used_in_same_outer_iteration(), 234);
	CHECK(in_inner_after_break(), 444);
	CHECK(array_in_iteration(), 84);
	CHECK(pointer_moves_in_loop(), 321);
	CHECK(replaced_in_loop(), 74);
	CHECK(in_local_struct_of_iteration(), 123);
	CHECK(list_of_fixed_objects(), 123);
	CHECK(forever_until_return(5), 5);
	CHECK(switch_in_loop(), 103);
	CHECK(only_in_some_iterations(), 14);
	return corpus_failed;
}
