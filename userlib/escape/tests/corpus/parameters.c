/* SPDX-License-Identifier: MIT */
/* Catches: an object on the stack that the caller's memory points to; and an out-parameter
 * that points to the same frame taken for the caller's. */
#include "corpus.h"

FN void through_field(struct node *p)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter (must) */

	n->value = 1;
	p->next = n;
}

FN int through_out(struct node **out)
{
	*out = goheap_alloc(sizeof(**out)); /* heap: parameter (must) */
	(*out)->value = 2;
	return 0;
}

FN void through_two_levels(struct node ***out)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter|memory|stored (must) */

	n->value = 3;
	**out = n;
}

FN void through_loaded_pointer(struct node *p)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter|memory|stored (must) */

	n->value = 4;
	p->next->next = n;
}

FN void through_element(struct node **all, int i)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter (must) */

	n->value = 5;
	all[i] = n;
}

FN void through_word(uintptr_t *word)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter (must) */

	n->value = 6;
	*word = (uintptr_t)n;
}

FN void through_memcpy(struct node **out)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter|memcpy (must) */

	n->value = 7;
	memcpy(out, &n, sizeof(n));
}

FN void through_struct_copy(struct pair *out)
{
	struct pair p;

	p.a = goheap_alloc(sizeof(*p.a)); /* heap: parameter (must) */
	p.b = NULL;
	p.a->value = 8;
	*out = p;
}

FN int through_out_if(struct node **out, int succeed)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter (must) */

	n->value = 9;
	if (!succeed)
		return -1;
	*out = n;
	return 0;
}

FN long only_value_through(long *out)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 10;
	*out = n->value;
	return *out;
}

FN long parameter_in_object(struct node *p)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->next = p;
	n->value = 1;
	return n->next->value + n->value;
}

FN struct node *parameter_out_of_object(struct node *p)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->next = p;
	return n->next;
}

/* The parameter itself is a local variable. */
FN long assigned_to_parameter(struct node *p)
{
	p = goheap_alloc(sizeof(*p)); /* stack */
	p->value = 12;
	return p->value;
}

FN long address_of_parameter(struct node *p)
{
	struct node **where = &p;
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 13;
	*where = n;
	return p->value;
}

FN void alias_of_parameter(struct pair *p)
{
	struct pair *q = p + 1;
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter (must) */

	n->value = 14;
	q->b = n;
}

FN void parameter_or_local(struct pair *p, int use_local)
{
	struct pair local = { NULL, NULL };
	struct pair *where = use_local ? &local : p;
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter (must) */

	n->value = 15;
	where->a = n;
	if (use_local)
		p->a->value = local.a->value + 1;
}

CALLEE void give(struct node **out, struct node *n)
{
	*out = n;
}

FN long given_to_local(void)
{
	struct node *local;
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 16;
	give(&local, n);
	return local->value;
}

FN void given_to_parameter(struct node **out)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter|give (must) */

	n->value = 17;
	give(out, n);
}

CALLEE void make_node(struct node **out, long value)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter (must) */

	n->value = value;
	*out = n;
}

FN long made_by_callee(void)
{
	struct node *n;

	make_node(&n, 18);
	return n->value;
}

CALLEE void exchange(struct node **a, struct node **b)
{
	struct node *old = *a;

	*a = *b;
	*b = old;
}

FN long exchanged_locals(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 1;
	b->value = 19;
	exchange(&a, &b);
	return a->value - b->value;
}

FN void exchanged_with_parameter(struct node **out)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter|exchange (must) */

	n->value = 20;
	exchange(out, &n);
}

FN long three_levels_of_locals(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct node **p = &n;
	struct node ***q = &p;

	(**q)->value = 21;
	return n->value;
}

FN long pointer_object_to_pointer_object(void)
{
	struct node ***q = goheap_alloc(sizeof(*q)); /* stack */
	struct node **p = goheap_alloc(sizeof(*p)); /* stack */
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	*q = p;
	*p = n;
	(**q)->value = 22;
	return n->value;
}

FN long returned_status_and_local_out(void)
{
	struct node *first, *second;
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 23;
	give(&first, n);
	give(&second, first);
	return second->value;
}

CALLEE int find(struct node *list, long value, struct node **found)
{
	for (; list; list = list->next) {
		if (list->value == value) {
			*found = list;
			return 1;
		}
	}
	return 0;
}

FN long found_in_local(void)
{
	struct node *hit = NULL;
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	b->value = 24;
	return find(a, 24, &hit) ? hit->value : 0;
}

FN int found_in_parameter(struct node **hit)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: parameter|find (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: parameter|find (must) */

	a->next = b;
	b->value = 25;
	return find(a, 25, hit);
}

FN long removed_through_indirect_pointer(void)
{
	struct node *head = goheap_alloc(sizeof(*head)); /* stack */
	struct node *second = goheap_alloc(sizeof(*second)); /* stack */
	struct node *third = goheap_alloc(sizeof(*third)); /* stack */
	struct node **link = &head;

	head->next = second;
	head->value = 1;
	second->next = third;
	second->value = 2;
	third->value = 25;
	while (*link) {
		if ((*link)->value == 2)
			*link = (*link)->next;
		else
			link = &(*link)->next;
	}
	return head->value + head->next->value;
}

int main(void)
{
	struct node p = { NULL, 100 }, next = { NULL, 200 }, *n = NULL, **where = &n, *all[3];
	struct pair pairs[2] = { { &p, NULL }, { NULL, NULL } };
	uintptr_t word;
	long value;

	CHECK_AFTER(through_field(&p), p.next->value, 1);
	CHECK_AFTER(through_out(&n), n->value, 2);
	CHECK_AFTER(through_two_levels(&where), n->value, 3);
	p.next = &next;
	CHECK_AFTER(through_loaded_pointer(&p), next.next->value, 4);
	CHECK_AFTER(through_element(all, 1), all[1]->value, 5);
	CHECK_AFTER(through_word(&word), ((struct node *)word)->value, 6);
	CHECK_AFTER(through_memcpy(&n), n->value, 7);
	CHECK_AFTER(through_struct_copy(pairs), pairs[0].a->value, 8);
	CHECK_AFTER(through_out_if(&n, 1), n->value, 9);
	CHECK(through_out_if(&n, 0), -1);
	CHECK(only_value_through(&value), 10);
	CHECK(parameter_in_object(&p), 101);
	CHECK(parameter_out_of_object(&p)->value, 100);
	CHECK(assigned_to_parameter(&p), 12);
	CHECK(address_of_parameter(&p), 13);
	CHECK_AFTER(alias_of_parameter(pairs), pairs[1].b->value, 14);
	CHECK_AFTER(parameter_or_local(pairs, 0), pairs[0].a->value, 15);
	CHECK_AFTER(parameter_or_local(pairs, 1), pairs[0].a->value, 16);
	CHECK(given_to_local(), 16);
	CHECK_AFTER(given_to_parameter(&n), n->value, 17);
	CHECK(made_by_callee(), 18);
	CHECK(exchanged_locals(), 18);
	CHECK_AFTER(exchanged_with_parameter(&n), n->value, 20);
	CHECK(three_levels_of_locals(), 21);
	CHECK(pointer_object_to_pointer_object(), 22);
	CHECK(returned_status_and_local_out(), 23);
	CHECK(found_in_local(), 24);
	CHECK_AFTER(found_in_parameter(&n), n->value, 25);
	CHECK(removed_through_indirect_pointer(), 26);
	return corpus_failed;
}
