/* SPDX-License-Identifier: MIT */
/* Catches: a pointer lost sight of in a struct that is passed, returned or assigned by value, and
 * in a compound literal. */
#include "corpus.h"

struct slice {
	long *start;
	size_t length;
};

struct big {
	long before[8];
	struct node *node;
	long after[8];
};

struct outer {
	struct slice slice;
	struct big big;
};

struct node *global;
struct big global_big;
struct slice *global_slice;

CALLEE long slice_sum(struct slice s)
{
	long sum = 0;

	for (size_t i = 0; i < s.length; i++)
		sum += s.start[i];
	return sum;
}

CALLEE struct slice slice_of(long *start, size_t length)
{
	struct slice s = { start, length };

	return s;
}

CALLEE struct slice slice_from(struct slice s, size_t from)
{
	s.start += from;
	s.length -= from;
	return s;
}

CALLEE long big_value(struct big b)
{
	return b.node->value;
}

CALLEE struct big big_of(struct node *n)
{
	struct big b = { { 0 }, n, { 0 } };

	return b;
}

CALLEE void big_keep(struct big b)
{
	global = b.node;
}

CALLEE void big_change(struct big b)
{
	b.node->value++;
	b.node = NULL;
}

FN long passed_by_value(void)
{
	struct slice s;

	s.start = goheap_alloc_noscan(4 * sizeof(long)); /* stack */
	s.length = 4;
	s.start[3] = 1;
	return slice_sum(s);
}

FN long through_results_by_value(void)
{
	long *a = goheap_alloc_noscan(4 * sizeof(long)); /* stack */

	a[2] = 2;
	return slice_sum(slice_from(slice_of(a, 4), 1));
}

FN struct slice returned_by_value(void)
{
	long *a = goheap_alloc_noscan(4 * sizeof(long)); /* heap: returned (must) */

	a[2] = 3;
	return slice_from(slice_of(a, 4), 2);
}

FN long big_passed(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 4;
	return big_value(big_of(n));
}

FN struct big big_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 5;
	return big_of(n);
}

FN void big_kept(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: big_keep|global (must) */

	n->value = 6;
	big_keep(big_of(n));
}

FN void big_in_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 7;
	global_big = big_of(n);
}

FN long changed_through_copy(void)
{
	struct big b = { { 0 }, NULL, { 0 } };

	b.node = goheap_alloc(sizeof(*b.node)); /* stack */
	b.node->value = 7;
	big_change(b);
	return b.node->value;
}

FN long struct_object_by_value(void)
{
	struct big *b = goheap_alloc(sizeof(*b)); /* stack */

	b->node = goheap_alloc(sizeof(*b->node)); /* stack */
	b->node->value = 9;
	return big_value(*b);
}

FN void struct_object_by_value_kept(void)
{
	struct big *b = goheap_alloc(sizeof(*b)); /* stack */

	b->node = goheap_alloc(sizeof(*b->node)); /* heap: big_keep|global (must) */
	b->node->value = 10;
	big_keep(*b);
}

FN long compound_literal(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct pair *p = &(struct pair){ .b = n };

	n->value = 11;
	return p->b->value;
}

FN long compound_literal_passed(void)
{
	long *a = goheap_alloc_noscan(4 * sizeof(long)); /* stack */

	a[0] = 12;
	return slice_sum((struct slice){ a, 4 });
}

FN struct pair compound_literal_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 13;
	return (struct pair){ n, NULL };
}

FN void compound_literal_in_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 14;
	global_big = (struct big){ .node = n };
}

FN long compound_literal_in_object(void)
{
	struct pair *p = goheap_alloc(sizeof(*p)); /* stack */
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 15;
	*p = (struct pair){ .a = n };
	return p->a->value;
}

FN long compound_literal_array(int i)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node **all = (struct node *[]){ a, b };

	a->value = 1;
	b->value = 16;
	return all[i]->value;
}

FN long initializer(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct outer o = { .slice = { &n->value, 1 }, .big.node = n };

	n->value = 17;
	return *o.slice.start + o.big.node->value - o.big.node->value;
}

FN void slice_object_in_global(void)
{
	struct slice *s = goheap_alloc(sizeof(*s)); /* heap: global (must) */

	*s = slice_of(goheap_alloc_noscan(2 * sizeof(long)), 2); /* heap: global|stored|reach (must) */
	s->start[1] = 18;
	global_slice = s;
}

FN long conditional_struct(int first)
{
	struct pair a = { NULL, NULL }, b = { NULL, NULL }, c;

	a.a = goheap_alloc(sizeof(*a.a)); /* stack */
	b.a = goheap_alloc(sizeof(*b.a)); /* stack */
	a.a->value = 1;
	b.a->value = 19;
	c = first ? a : b;
	return c.a->value;
}

FN long structs_swapped(void)
{
	struct pair a = { NULL, NULL }, b = { NULL, NULL }, old;

	a.a = goheap_alloc(sizeof(*a.a)); /* stack */
	a.a->value = 20;
	old = a;
	a = b;
	b = old;
	return a.a ? -1 : b.a->value;
}

int main(void)
{
	struct slice s;
	struct big b;
	struct pair p;

	CHECK(passed_by_value(), 1);
	CHECK(through_results_by_value(), 2);
	CHECK_AFTER(s = returned_by_value(), s.start[0], 3);
	CHECK(big_passed(), 4);
	CHECK_AFTER(b = big_returned(), b.node->value, 5);
	CHECK_AFTER(big_kept(), global->value, 6);
	CHECK_AFTER(big_in_global(), global_big.node->value, 7);
	CHECK(changed_through_copy(), 8);
	CHECK(struct_object_by_value(), 9);
	CHECK_AFTER(struct_object_by_value_kept(), global->value, 10);
	CHECK(compound_literal(), 11);
	CHECK(compound_literal_passed(), 12);
	CHECK_AFTER(p = compound_literal_returned(), p.a->value, 13);
	CHECK_AFTER(compound_literal_in_global(), global_big.node->value, 14);
	CHECK(compound_literal_in_object(), 15);
	CHECK(compound_literal_array(1), 16);
	CHECK(initializer(), 17);
	CHECK_AFTER(slice_object_in_global(), global_slice->start[1], 18);
	CHECK(conditional_struct(0), 19);
	CHECK(structs_swapped(), 20);
	return corpus_failed;
}
