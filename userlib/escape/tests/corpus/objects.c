/* SPDX-License-Identifier: MIT */
/* Catches: an object that is lost sight of when it is stored in another local object, and one
 * that goes to the heap although all that points to it stays. */
#include "corpus.h"

union word {
	struct node *pointer;
	uintptr_t integer;
	unsigned char bytes[sizeof(void *)];
};

struct nested {
	long before;
	struct {
		struct node *all[2];
		struct pair pair;
	} inner;
};

struct node *global;

FN long in_other_object(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* stack */
	struct node *inner = goheap_alloc(sizeof(*inner)); /* stack */

	outer->next = inner;
	inner->value = 1;
	return outer->next->value;
}

FN struct node *in_other_object_that_escapes(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* heap: returned (must) */
	struct node *inner = goheap_alloc(sizeof(*inner)); /* heap: returned|stored|reach (must) */

	outer->next = inner;
	inner->value = 2;
	return outer;
}

FN struct node *escapes_from_other_object(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* stack */
	struct node *inner = goheap_alloc(sizeof(*inner)); /* heap: returned (must) */

	outer->next = inner;
	inner->value = 3;
	return outer->next;
}

FN long in_itself(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->next = n;
	n->value = 4;
	return n->next->next->next->value;
}

FN long in_each_other(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	b->next = a;
	a->value = 5;
	return b->next->next->next->value;
}

FN struct node *in_each_other_one_escapes(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned|stored|reach (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */

	a->next = b;
	b->next = a;
	a->value = 6;
	return b;
}

FN struct node *chain_of_three_from_the_end(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *c = goheap_alloc(sizeof(*c)); /* heap: returned (must) */

	a->next = b;
	b->next = c;
	c->value = 7;
	return a->next->next;
}

FN struct node *chain_of_three_from_the_middle(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */
	struct node *c = goheap_alloc(sizeof(*c)); /* heap: returned|stored|reach (must) */

	a->next = b;
	b->next = c;
	c->value = 8;
	return a->next;
}

FN long in_local_struct(void)
{
	struct pair p = { NULL, NULL };

	p.a = goheap_alloc(sizeof(*p.a)); /* stack */
	p.a->value = 9;
	return p.a->value;
}

FN long in_nested_struct(int i)
{
	struct nested s = { 0 };

	s.inner.all[i] = goheap_alloc(sizeof(struct node)); /* stack */
	s.inner.pair.b = s.inner.all[i];
	s.inner.pair.b->value = 10;
	return s.inner.all[i]->value;
}

FN long in_local_array(int i)
{
	struct node *all[4] = { NULL };

	all[i] = goheap_alloc(sizeof(struct node)); /* stack */
	all[i + 1] = goheap_alloc(sizeof(struct node)); /* stack */
	all[i]->value = 11;
	all[i + 1]->value = all[i]->value + 1;
	return all[i + 1]->value;
}

FN struct node *in_local_array_and_returned(int i)
{
	struct node *all[2];

	all[0] = goheap_alloc(sizeof(struct node)); /* heap: returned (must) */
	all[1] = goheap_alloc(sizeof(struct node)); /* heap: returned (must) */
	all[0]->value = 12;
	all[1]->value = 13;
	return all[i];
}

FN long in_array_object(int i)
{
	struct node **all = goheap_alloc(4 * sizeof(*all)); /* stack */

	all[i] = goheap_alloc(sizeof(struct node)); /* stack */
	all[i]->value = 14;
	return all[i]->value;
}

FN struct node **in_array_object_that_escapes(int i)
{
	struct node **all = goheap_alloc(4 * sizeof(*all)); /* heap: returned (must) */

	all[i] = goheap_alloc(sizeof(struct node)); /* heap: returned|stored|reach (must) */
	all[i]->value = 15;
	return all;
}

FN long through_struct_copies(void)
{
	struct pair a = { NULL, NULL }, b, *c = goheap_alloc(sizeof(*c)); /* stack */

	a.b = goheap_alloc(sizeof(*a.b)); /* stack */
	a.b->value = 16;
	b = a;
	*c = b;
	return c->b->value;
}

FN void through_struct_copies_to_global(void)
{
	struct pair a = { NULL, NULL }, b, *c = goheap_alloc(sizeof(*c)); /* stack */

	a.b = goheap_alloc(sizeof(*a.b)); /* heap: global (must) */
	a.b->value = 17;
	b = a;
	*c = b;
	global = c->b;
}

FN long in_union(void)
{
	union word w;

	w.pointer = goheap_alloc(sizeof(*w.pointer)); /* stack */
	w.pointer->value = 18;
	return ((struct node *)w.integer)->value;
}

FN uintptr_t in_union_and_returned_as_integer(void)
{
	union word w;

	w.pointer = goheap_alloc(sizeof(*w.pointer)); /* heap: returned (must) */
	w.pointer->value = 19;
	return w.integer;
}

FN union word union_returned(void)
{
	union word w;

	w.pointer = goheap_alloc(sizeof(*w.pointer)); /* heap: returned (must) */
	w.pointer->value = 20;
	return w;
}

FN long union_object(void)
{
	union word *w = goheap_alloc(sizeof(*w)); /* stack */
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	w->integer = (uintptr_t)n;
	n->value = 21;
	return w->pointer->value;
}

FN long field_address_in_object(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long **where = goheap_alloc(sizeof(*where)); /* stack */

	*where = &n->value;
	**where = 22;
	return n->value;
}

FN long address_of_local_in_object(void)
{
	struct node local = { NULL, 23 };
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->next = &local;
	return n->next->value;
}

FN long replaced_in_object(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* stack */
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 20;
	outer->next = a;
	b->value = outer->next->value + 4;
	outer->next = b;
	return outer->next->value;
}

/* One of two objects gets the pointer, and either may be meant. */
FN struct node *in_one_of_two(int first)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned|stored|reach (must) */
	struct node *where = first ? a : b;

	where->next = n;
	n->value = 25;
	b->value = a->next == n;
	return b;
}

FN long swapped(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *old = a;

	a->value = 1;
	b->value = 27;
	a = b;
	b = old;
	return a->value - b->value;
}

FN long function_pointer_in_object(void)
{
	struct callback {
		long (*call)(void);
		struct node *n;
	} *c = goheap_alloc(sizeof(*c)); /* stack */

	c->call = in_itself;
	c->n = goheap_alloc(sizeof(*c->n)); /* stack */
	c->n->value = c->call();
	return c->n->value;
}

int main(void)
{
	struct node *n, **all;
	union word w;

	CHECK(in_other_object(), 1);
	CHECK_AFTER(n = in_other_object_that_escapes(), n->next->value, 2);
	CHECK_AFTER(n = escapes_from_other_object(), n->value, 3);
	CHECK(in_itself(), 4);
	CHECK(in_each_other(), 5);
	CHECK_AFTER(n = in_each_other_one_escapes(), n->next->value, 6);
	CHECK_AFTER(n = chain_of_three_from_the_end(), n->value, 7);
	CHECK_AFTER(n = chain_of_three_from_the_middle(), n->next->value, 8);
	CHECK(in_local_struct(), 9);
	CHECK(in_nested_struct(1), 10);
	CHECK(in_local_array(2), 12);
	CHECK_AFTER(n = in_local_array_and_returned(1), n->value, 13);
	CHECK(in_array_object(3), 14);
	CHECK_AFTER(all = in_array_object_that_escapes(3), all[3]->value, 15);
	CHECK(through_struct_copies(), 16);
	CHECK_AFTER(through_struct_copies_to_global(), global->value, 17);
	CHECK(in_union(), 18);
	CHECK_AFTER(w.integer = in_union_and_returned_as_integer(), w.pointer->value, 19);
	CHECK_AFTER(w = union_returned(), w.pointer->value, 20);
	CHECK(union_object(), 21);
	CHECK(field_address_in_object(), 22);
	CHECK(address_of_local_in_object(), 23);
	CHECK(replaced_in_object(), 24);
	CHECK_AFTER(n = in_one_of_two(0), n->next->value, 25);
	CHECK_AFTER(n = in_one_of_two(1), n->value, 1);
	CHECK(swapped(), 26);
	CHECK(function_pointer_in_object(), 4);
	return corpus_failed;
}
