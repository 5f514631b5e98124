/* SPDX-License-Identifier: MIT */
/* Catches: an object on the stack that can be reached from what its function returns. */
#include "corpus.h"

struct four {
	struct node *all[4];
};

FN struct node *returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 7;
	return n;
}

FN void *returned_directly(void)
{
	return goheap_alloc(24); /* heap: returned (must) */
}

FN struct node *returned_either(int first)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */

	a->value = 1;
	b->value = 2;
	return first ? a : b;
}

FN struct node *returned_one_of_two(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	b->value = 20;
	a->value = b->value + 1;
	return a;
}

FN long *returned_field(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 3;
	return &n->value;
}

FN char *returned_middle(void)
{
	char *text = goheap_alloc(16); /* heap: returned (must) */

	memcpy(text, "0123456789", 11);
	return text + 4;
}

FN long *returned_past_end(void)
{
	long *a = goheap_alloc(4 * sizeof(*a)); /* heap: returned (must) */

	a[3] = 44;
	return a + 4;
}

FN struct node *returned_early(int early)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = early;
	if (early)
		return n;
	n->value++;
	return NULL;
}

FN struct node *returned_unless_error(int error)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	if (error)
		goto fail;
	n->value = 9;
	return n;
fail:
	n->value = -1;
	return NULL;
}

FN struct node *returned_null(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 5;
	return n->next;
}

FN long returned_value(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 6;
	return n->value;
}

FN struct node returned_copy(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 8;
	return *n;
}

FN struct pair returned_in_struct(void)
{
	struct pair p = { NULL, NULL };

	p.b = goheap_alloc(sizeof(*p.b)); /* heap: returned (must) */
	p.b->value = 10;
	return p;
}

FN struct four returned_in_large_struct(int i)
{
	struct four f = { { NULL } };

	f.all[i] = goheap_alloc(sizeof(struct node)); /* heap: returned (must) */
	f.all[i]->value = 11;
	return f;
}

FN struct node *returned_head(void)
{
	struct node *head = goheap_alloc(sizeof(*head)); /* heap: returned (must) */
	struct node *tail = goheap_alloc(sizeof(*tail)); /* heap: returned|stored|reach (must) */

	head->next = tail;
	tail->value = 12;
	return head;
}

FN struct node *returned_content(void)
{
	struct node *head = goheap_alloc(sizeof(*head)); /* stack */
	struct node *tail = goheap_alloc(sizeof(*tail)); /* heap: returned (must) */

	head->next = tail;
	tail->value = 13;
	return head->next;
}

FN struct node *returned_content_of_copy(void)
{
	struct node *head = goheap_alloc(sizeof(*head)); /* stack */
	struct node *tail = goheap_alloc(sizeof(*tail)); /* heap: returned (must) */
	struct node copy;

	head->next = tail;
	tail->value = 14;
	copy = *head;
	return copy.next;
}

FN struct node returned_pointer_in_copy(void)
{
	struct node *head = goheap_alloc(sizeof(*head)); /* stack */
	struct node *tail = goheap_alloc(sizeof(*tail)); /* heap: returned (must) */

	head->next = tail;
	tail->value = 15;
	return *head;
}

CALLEE struct node *identity(struct node *n)
{
	return n;
}

FN struct node *returned_through_callee(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 16;
	return identity(n);
}

FN long returned_by_callee_and_used(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 17;
	return identity(n)->value;
}

FN long returned_by_callee_and_dropped(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 18;
	identity(n);
	return n->value;
}

CALLEE struct node *larger(struct node *a, struct node *b)
{
	return a->value > b->value ? a : b;
}

FN long returned_choice_used(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 1;
	b->value = 19;
	return larger(a, b)->value;
}

FN struct node *returned_choice(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */

	a->value = 20;
	b->value = 2;
	return larger(a, b);
}

CALLEE struct node *following(struct node *n)
{
	return n->next;
}

FN struct node *returned_only_what_follows(void)
{
	struct node *head = goheap_alloc(sizeof(*head)); /* stack */
	struct node *tail = goheap_alloc(sizeof(*tail)); /* heap: returned (must) */

	head->next = tail;
	tail->value = 21;
	return following(head);
}

FN const void *returned_as_const(void)
{
	long *a = goheap_alloc_noscan(sizeof(*a)); /* heap: returned (must) */

	*a = 22;
	return a;
}

int main(void)
{
	struct node *n;
	long *a;

	CHECK_AFTER(n = returned(), n->value, 7);
	CHECK_AFTER(a = returned_directly(), a[2], 0);
	CHECK_AFTER(n = returned_either(1), n->value, 1);
	CHECK_AFTER(n = returned_either(0), n->value, 2);
	CHECK_AFTER(n = returned_one_of_two(), n->value, 21);
	CHECK_AFTER(a = returned_field(), *a, 3);
	CHECK(returned_middle()[1], '5');
	CHECK(returned_past_end()[-1], 44);
	CHECK_AFTER(n = returned_early(1), n->value, 1);
	CHECK(returned_early(0) == NULL, 1);
	CHECK_AFTER(n = returned_unless_error(0), n->value, 9);
	CHECK(returned_unless_error(1) == NULL, 1);
	CHECK(returned_null() == NULL, 1);
	CHECK(returned_value(), 6);
	CHECK(returned_copy().value, 8);
	CHECK_AFTER(n = returned_in_struct().b, n->value, 10);
	CHECK_AFTER(n = returned_in_large_struct(2).all[2], n->value, 11);
	CHECK_AFTER(n = returned_head(), n->next->value, 12);
	CHECK_AFTER(n = returned_content(), n->value, 13);
	CHECK_AFTER(n = returned_content_of_copy(), n->value, 14);
	CHECK_AFTER(n = returned_pointer_in_copy().next, n->value, 15);
	CHECK_AFTER(n = returned_through_callee(), n->value, 16);
	CHECK(returned_by_callee_and_used(), 17);
	CHECK(returned_by_callee_and_dropped(), 18);
	CHECK(returned_choice_used(), 19);
	CHECK_AFTER(n = returned_choice(), n->value, 20);
	CHECK_AFTER(n = returned_only_what_follows(), n->value, 21);
	CHECK(*(const long *)returned_as_const(), 22);
	return corpus_failed;
}
