/* SPDX-License-Identifier: MIT */
/* Catches: an object on the stack that is passed to a function of the library that asks the heap
 * about it, or does something with it later. */
#include "corpus.h"

struct node *global;
static long finalized;

CALLEE void finalize(void *object, void *argument)
{
	finalized += ((struct node *)object)->value + (argument != NULL);
}

FN long freed(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long value;

	n->value = 1;
	value = n->value;
	goheap_free(n);
	return value;
}

FN long freed_twice(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long value;

	n->value = 2;
	value = n->value;
	goheap_free(n);
	goheap_free(n);
	return value;
}

FN long freed_in_one_branch(int early)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long value;

	n->value = 3;
	value = n->value;
	if (early)
		goheap_free(n);
	return value;
}

FN struct node *freed_or_returned(int drop)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 4;
	if (!drop)
		return n;
	goheap_free(n);
	return NULL;
}

CALLEE void destroy(struct node *n)
{
	goheap_free(n->next);
	goheap_free(n);
}

FN long freed_by_callee(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	long value;

	a->next = b;
	b->value = 5;
	value = a->next->value;
	destroy(a);
	return value;
}

FN long reallocated(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: goheap_realloc (must) */

	n->value = 6;
	n = goheap_realloc(n, 4 * sizeof(*n));
	return n ? n->value + n[3].value : -1;
}

FN long allocated_by_realloc(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* stack */

	outer->next = goheap_realloc(NULL, sizeof(*outer->next));
	outer->next->value = 7;
	return outer->next->value;
}

FN long usable_size(void)
{
	char *text = goheap_alloc_noscan(100); /* heap: goheap_usable_size (must) */

	return goheap_usable_size(text) >= 100 ? 8 : -1;
}

FN long base(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: goheap_base (must) */

	n->value = 9;
	return ((struct node *)goheap_base(&n->value))->value;
}

FN void with_finalizer(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: goheap_set_finalizer (must) */

	n->value = 10;
	goheap_set_finalizer(n, finalize, NULL);
}

FN void argument_of_finalizer(struct node *given)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: goheap_set_finalizer (must) */

	n->value = 11;
	goheap_set_finalizer(given, finalize, n);
}

FN struct goheap_weak *weak(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: goheap_weak_new|global (must) */

	n->value = 12;
	global = n;
	return goheap_weak_new(n);
}

FN long weak_in_object(struct goheap_weak *given)
{
	struct weak_box {
		struct goheap_weak *weak;
		struct node *strong;
	} *box = goheap_alloc(sizeof(*box)); /* stack */

	box->weak = given;
	box->strong = goheap_weak_get(box->weak);
	return box->strong ? box->strong->value : -1;
}

FN long roots(void)
{
	struct pair *p = goheap_alloc(sizeof(*p)); /* heap: goheap_add_roots|goheap_remove_roots (could stay) */

	goheap_add_roots(p, p + 1);
	p->a = global;
	goheap_remove_roots(p, p + 1);
	return p->a->value;
}

FN long read_stats(void)
{
	struct goheap_stats *s = goheap_alloc_noscan(sizeof(*s)); /* stack */

	s->size = sizeof(*s);
	goheap_read_stats(s);
	return s->threads ? 15 : -1;
}

FN long collected(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 16;
	goheap_collect();
	return n->value;
}

int main(void)
{
	struct goheap_weak *w;
	struct node *n;

	CHECK(freed(), 1);
	CHECK(freed_twice(), 2);
	CHECK(freed_in_one_branch(1), 3);
	CHECK_AFTER(n = freed_or_returned(0), n->value, 4);
	CHECK(freed_or_returned(1) == NULL, 1);
	CHECK(freed_by_callee(), 5);
	CHECK(reallocated(), 6);
	CHECK(allocated_by_realloc(), 7);
	CHECK(usable_size(), 8);
	CHECK(base(), 9);
	CHECK((with_finalizer(), 10), 10);
	CHECK((argument_of_finalizer(goheap_realloc(NULL, 16)), 11), 11);
	CHECK_AFTER(w = weak(), ((struct node *)goheap_weak_get(w))->value, 12);
	CHECK(weak_in_object(w), 12);
	CHECK(roots(), 12);
	CHECK(read_stats(), 15);
	CHECK(collected(), 16);
	return corpus_failed;
}
