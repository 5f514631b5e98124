/* SPDX-License-Identifier: MIT */
/* Catches: an object that a later iteration needs, by whatever way the pointer gets there, in
 * the one place on the stack that all iterations share. */
#include "corpus.h"

struct node *global;

FN long carried_to_next(void)
{
	struct node *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (previous)
			sum = sum * 10 + previous->value;
		previous = n;
	}
	return sum;
}

/* The last use of the old object comes before the new one is allocated. */
FN long carried_to_next_and_used_first(void)
{
	struct node *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		if (previous)
			sum = sum * 10 + previous->value;
		previous = goheap_alloc(sizeof(*previous)); /* stack */
		previous->value += i;
	}
	return sum;
}

FN long carried_two_iterations(void)
{
	struct node *one = NULL, *two = NULL;
	long sum = 0;

	for (int i = 1; i < 6; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (two)
			sum = sum * 10 + two->value;
		two = one;
		one = n;
	}
	return sum;
}

FN long list_over_iterations(void)
{
	struct node *list = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		n->next = list;
		list = n;
	}
	for (; list; list = list->next)
		sum = sum * 10 + list->value;
	return sum;
}

FN long list_appended_by_address_of_link(void)
{
	struct node *list = NULL, **end = &list;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		*end = goheap_alloc(sizeof(**end)); /* heap: loop|iteration (must) */
		(*end)->value += i;
		end = &(*end)->next;
	}
	for (; list; list = list->next)
		sum = sum * 10 + list->value;
	return sum;
}

FN long array_over_iterations(void)
{
	struct node *all[4];
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		all[i] = goheap_alloc(sizeof(*all[i])); /* heap: loop|iteration (must) */
		all[i]->value += i;
	}
	for (int i = 0; i < 4; i++)
		sum = sum * 10 + all[i]->value;
	return sum;
}

FN long array_object_over_iterations(void)
{
	struct node **all = goheap_alloc(4 * sizeof(*all)); /* stack */
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		all[i] = goheap_alloc(sizeof(*all[i])); /* heap: loop|iteration (must) */
		all[i]->value += i;
	}
	for (int i = 0; i < 4; i++)
		sum = sum * 10 + all[i]->value;
	return sum;
}

/* One element that every iteration overwrites before it reads it. */
FN long same_element_each_iteration(struct node **slots)
{
	struct node *all[2] = { NULL, NULL };
	struct node **slot = slots ? all : all + 1;
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		*slot = goheap_alloc(sizeof(**slot)); /* heap: loop|iteration (could stay) */
		(*slot)->value += i;
		sum = sum * 10 + (*slot)->value;
	}
	return sum;
}

FN long carried_by_goto(void)
{
	struct node *previous = NULL, *n;
	long sum = 0;
	int i = 1;

again:
	n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */
	n->value += i;
	if (previous)
		sum = sum * 10 + previous->value;
	previous = n;
	if (++i < 4)
		goto again;
	return sum;
}

FN long reset_in_some_iterations(void)
{
	struct node *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 6; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (previous)
			sum = sum * 10 + previous->value;
		if (i % 2)
			previous = n;
		else
			previous = NULL;
	}
	return sum;
}

/* The variable is cleared in all iterations: nothing is carried. */
FN long reset_in_all_iterations(void)
{
	struct node *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->value += i;
		if (previous)
			sum += previous->value;
		previous = n;
		sum = sum * 10 + previous->value;
		previous = NULL;
	}
	return sum;
}

FN long carried_unless_continue(void)
{
	struct node *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 6; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (i % 2 == 0)
			continue;
		if (previous)
			sum = sum * 10 + previous->value;
		previous = n;
	}
	return sum;
}

FN long best_of_loop(void)
{
	struct node *best = NULL;

	for (int i = 0; i < 6; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i * (5 - i);
		if (!best || n->value > best->value)
			best = n;
	}
	return best->value;
}

FN long first_of_loop(void)
{
	struct node *first = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (!first)
			first = n;
		sum = sum * 10 + first->value;
	}
	return sum;
}

/* There is never more than one, but it is needed in later iterations. */
FN long allocated_on_first_use(void)
{
	struct node *n = NULL;

	for (int i = 1; i < 4; i++) {
		if (!n)
			n = goheap_alloc(sizeof(*n)); /* stack */
		n->value = n->value * 10 + i;
	}
	return n->value;
}

FN long inner_used_in_outer(void)
{
	struct node *last = NULL;
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++) {
			struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

			n->value += i + j;
			if (last)
				sum += last->value;
			if (j == 0)
				last = n;
		}
		sum *= 10;
	}
	return sum;
}

FN long inner_list_used_in_same_outer_iteration(void)
{
	long sum = 0;

	for (int i = 0; i < 2; i++) {
		struct node *list = NULL;

		for (int j = 1; j < 4; j++) {
			struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

			n->value += i + j;
			n->next = list;
			list = n;
		}
		for (; list; list = list->next)
			sum = sum * 10 + list->value;
	}
	return sum;
}

FN long outer_carried_by_outer_loop(void)
{
	struct node *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		for (int j = 0; j < 2; j++)
			n->value += i + j;
		if (previous)
			sum = sum * 10 + previous->value;
		previous = n;
	}
	return sum;
}

FN long stored_in_older_object(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* stack */
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (outer->next)
			sum = sum * 10 + outer->next->value;
		outer->next = n;
	}
	return sum;
}

FN long carried_as_integer(void)
{
	uintptr_t previous = 0;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (previous)
			sum = sum * 10 + ((struct node *)(previous - 1))->value;
		previous = (uintptr_t)n + 1;
	}
	return sum;
}

FN long carried_by_memcpy(void)
{
	void *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (previous)
			sum = sum * 10 + ((struct node *)previous)->value;
		memcpy(&previous, &n, sizeof(previous));
	}
	return sum;
}

FN long carried_in_struct(void)
{
	struct pair state = { NULL, NULL };
	long sum = 0;

	for (int i = 1; i < 5; i++) {
		struct pair next;

		next.a = goheap_alloc(sizeof(*next.a)); /* heap: loop|iteration (must) */
		next.b = state.a;
		next.a->value += i;
		if (next.b)
			sum = sum * 10 + next.b->value;
		state = next;
	}
	return sum;
}

FN long carried_as_field_address(void)
{
	long *previous = NULL, sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (previous)
			sum = sum * 10 + *previous;
		previous = &n->value;
	}
	return sum;
}

FN long swapped_with_older(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	long sum = 0;

	a->value = 1;
	for (int i = 2; i < 5; i++) {
		struct node *b = goheap_alloc(sizeof(*b)); /* heap: loop|iteration (must) */
		struct node *old = a;

		b->value += i;
		a = b;
		b = old;
		sum = sum * 10 + b->value;
	}
	return sum;
}

/* Nobody looks into the old object, but as long as there is a pointer to it no other can be
 * where it is. */
FN long compared_with_previous(void)
{
	struct node *previous = NULL;
	long same = 0;

	for (int i = 0; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		if (n == previous)
			same++;
		previous = n;
	}
	return same;
}

CALLEE void push(struct node **list, struct node *n)
{
	n->next = *list;
	*list = n;
}

FN long pushed_by_callee(void)
{
	struct node *list = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		push(&list, n);
	}
	for (; list; list = list->next)
		sum = sum * 10 + list->value;
	return sum;
}

CALLEE struct node *newer(struct node *old, struct node *n)
{
	n->next = old;
	return n;
}

FN long carried_by_result_of_callee(void)
{
	struct node *list = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */

		n->value += i;
		list = newer(list, n);
	}
	for (; list; list = list->next)
		sum = sum * 10 + list->value;
	return sum;
}

/* Of two objects of an iteration one is carried, and the other only as long as it. */
FN long one_of_two_carried(void)
{
	struct node *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *a = goheap_alloc(sizeof(*a)); /* stack */
		struct node *b = goheap_alloc(sizeof(*b)); /* heap: loop|iteration (must) */

		a->value += i;
		b->value += a->value + 1;
		if (previous)
			sum = sum * 10 + previous->value;
		previous = b;
	}
	return sum;
}

FN long carried_with_what_it_refers_to(void)
{
	struct node *previous = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *a = goheap_alloc(sizeof(*a)); /* heap: loop|iteration|reach|stored (must) */
		struct node *b = goheap_alloc(sizeof(*b)); /* heap: loop|iteration (must) */

		a->value += i;
		b->next = a;
		if (previous)
			sum = sum * 10 + previous->next->value;
		previous = b;
	}
	return sum;
}

/* Two labels and no structured loop: the jump into the middle comes back with the old object. */
FN long carried_in_irreducible_loop(int start)
{
	struct node *n = NULL;
	long sum = 0;
	int i = 1;

	if (start)
		goto middle;
top:
	i++;
middle:
	if (n)
		sum = sum * 10 + n->value;
	if (i < 4) {
		struct node *old = n;

		n = goheap_alloc(sizeof(*n)); /* heap: loop|iteration (must) */
		n->value += i;
		if (old)
			sum += old->value;
		if (i == 2) {
			i++;
			goto middle;
		}
		goto top;
	}
	return sum;
}

FN void last_in_global(void)
{
	for (int i = 0; i < 4; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

		n->value += i;
		if (i == 3)
			global = n;
	}
}

FN long older_generation(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long sum = 0;

	n->value = 1;
	for (int i = 0; i < 3; i++) {
		struct node *m = goheap_alloc(sizeof(*m)); /* heap: loop|iteration (must) */

		m->value += n->value + 1;
		sum = sum * 10 + n->value;
		n = m;
	}
	return sum;
}

int main(void)
{
	struct node *some = NULL;

	CHECK(carried_to_next(), 12);
	CHECK(carried_to_next_and_used_first(), 12);
	CHECK(carried_two_iterations(), 123);
	CHECK(list_over_iterations(), 321);
	CHECK(list_appended_by_address_of_link(), 123);
	CHECK(array_over_iterations(), 123);
	CHECK(array_object_over_iterations(), 123);
	CHECK(same_element_each_iteration(&some), 123);
	CHECK(carried_by_goto(), 12);
	CHECK(reset_in_some_iterations(), 13);
	CHECK(reset_in_all_iterations(), 123);
	CHECK(carried_unless_continue(), 13);
	CHECK(best_of_loop(), 6);
	CHECK(first_of_loop(), 111);
	CHECK(allocated_on_first_use(), 123);
	CHECK(inner_used_in_outer(), 250);
	CHECK(inner_list_used_in_same_outer_iteration(), 321432);
	CHECK(outer_carried_by_outer_loop(), 35);
	CHECK(stored_in_older_object(), 12);
	CHECK(carried_as_integer(), 12);
	CHECK(carried_by_memcpy(), 12);
	CHECK(carried_in_struct(), 123);
	CHECK(carried_as_field_address(), 12);
	CHECK(swapped_with_older(), 123);
	CHECK(compared_with_previous(), 0);
	CHECK(pushed_by_callee(), 321);
	CHECK(carried_by_result_of_callee(), 321);
	CHECK(one_of_two_carried(), 23);
	CHECK(carried_with_what_it_refers_to(), 12);
	CHECK(carried_in_irreducible_loop(0), 43);
	CHECK(carried_in_irreducible_loop(1), 243);
	CHECK_AFTER(last_in_global(), global->value, 3);
	CHECK(older_generation(), 123);
	return corpus_failed;
}
