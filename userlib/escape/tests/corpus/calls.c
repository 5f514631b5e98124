/* SPDX-License-Identifier: MIT */
/* Catches: a callee of which the wrong thing is believed: what it keeps, what it returns, and
 * what it stores in what else it is passed. */
#include "corpus.h"

struct list {
	struct node *first, *last;
	long count;
};

struct node *global;
struct list global_list;

CALLEE void keep(struct node *n)
{
	global = n;
}

CALLEE long look(const struct node *n)
{
	return n->value;
}

CALLEE void keep_next(struct node *n)
{
	global = n->next;
}

CALLEE void keep_second(struct node *a, struct node *b)
{
	a->value++;
	global = b;
}

CALLEE void append(struct list *list, struct node *n)
{
	if (list->last)
		list->last->next = n;
	else
		list->first = n;
	list->last = n;
	list->count++;
}

CALLEE void set_next(struct node *n, struct node *next)
{
	n->next = next;
}

CALLEE void set_next_of_next(struct node *n, struct node *next)
{
	n->next->next = next;
}

CALLEE struct node *pop(struct list *list)
{
	struct node *n = list->first;

	list->first = n->next;
	if (!list->first)
		list->last = NULL;
	list->count--;
	return n;
}

CALLEE void keep_if(struct node *n, int really)
{
	if (really)
		global = n;
}

CALLEE void keep_field(struct node *n)
{
	static long *field;

	field = &n->value;
	global->value = *field;
}

CALLEE void move(struct list *to, struct list *from)
{
	*to = *from;
	memset(from, 0, sizeof(*from));
}

CALLEE void keep_through(struct node *n)
{
	keep(n);
}

CALLEE struct node *pick(struct node *a, struct node *b, int first)
{
	return first ? a : b;
}

CALLEE long sum_of(const struct node *n)
{
	long sum = 0;

	for (; n; n = n->next)
		sum += n->value;
	return sum;
}

CALLEE uintptr_t as_integer(struct node *n)
{
	return (uintptr_t)n;
}

CALLEE void store_integer(uintptr_t *out, uintptr_t word)
{
	*out = word;
}

CALLEE struct pair pair_of(struct node *a, struct node *b)
{
	struct pair p = { a, b };

	return p;
}

CALLEE long sum_of_pair(struct pair p)
{
	return p.a->value + p.b->value;
}

CALLEE void keep_pair(struct pair p)
{
	global = p.b;
}

CALLEE long fill(long *a, int count)
{
	for (int i = 0; i < count; i++)
		a[i] += i;
	return a[count - 1];
}

/* The result leads to the argument, through a variable that stays. */
CALLEE struct pair *boxed(struct node *n)
{
	static struct pair box;

	box.a = n;
	return &box;
}

CALLEE struct node **slot(void)
{
	static struct node *kept;

	return &kept;
}

CALLEE void keep_rest(struct node *n)
{
	n = n->next;
	while (n && n->next)
		n = n->next;
	global = n;
}

CALLEE struct node *set_and_return(struct pair *p, struct node *n)
{
	p->a = n;
	return p->b;
}

FN struct pair *boxed_by_callee(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: boxed|returned|static (must) */

	n->value = 41;
	return boxed(n);
}

FN void stored_through_result(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: slot|memory|stored|static (must) */

	n->value = 42;
	*slot() = n;
}

FN void rest_kept(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: keep_rest|global (must) */

	a->next = b;
	b->value = 43;
	keep_rest(a);
}

/* The result has been in the object all the time, and what is stored goes elsewhere in it. */
FN struct node *set_and_something_else_returned(struct node *given)
{
	struct pair *p = goheap_alloc(sizeof(*p)); /* stack */
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned|set_and_return (could stay) */

	p->b = given;
	n->value = 44;
	return set_and_return(p, n);
}

FN void kept_by_callee(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: keep|global (must) */

	n->value = 1;
	keep(n);
}

FN long not_kept(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 2;
	return look(n);
}

FN void only_next_kept(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: keep_next|global (must) */

	a->next = b;
	b->value = 3;
	keep_next(a);
}

FN void only_second_kept(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: keep_second|global (must) */

	a->value = 3;
	b->value = 4;
	keep_second(a, b);
}

FN void same_object_in_both(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: keep_second|global (must) */

	n->value = 4;
	keep_second(n, n);
}

FN long appended_to_local_list(void)
{
	struct list list = { NULL, NULL, 0 };
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 1;
	b->value = 5;
	append(&list, a);
	append(&list, b);
	return list.first->next->value + list.count;
}

FN long appended_to_list_object(void)
{
	struct list *list = goheap_alloc(sizeof(*list)); /* stack */
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 1;
	b->value = 6;
	append(list, a);
	append(list, b);
	return list->first->next->value + list->count;
}

FN struct list *appended_to_returned_list(void)
{
	struct list *list = goheap_alloc(sizeof(*list)); /* heap: returned (must) */
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned|append|stored|reach (must) */

	n->value = 9;
	append(list, n);
	return list;
}

FN void appended_to_global_list(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: append|global|stored (must) */

	n->value = 10;
	append(&global_list, n);
}

FN void appended_to_parameter(struct list *list)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: append|parameter|stored (must) */

	n->value = 11;
	append(list, n);
}

/* The list is empty when the object is appended, but the rules do not look at that. */
FN struct node *appended_before_an_object_escapes(void)
{
	struct list list = { NULL, NULL, 0 };
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned|append|stored (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned|append|stored|reach (must) */

	a->value = 12;
	b->value = 13;
	append(&list, a);
	append(&list, b);
	return list.first;
}

FN long set_by_callee(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	b->value = 14;
	set_next(a, b);
	return a->next->value;
}

FN struct node *set_by_callee_and_returned(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */

	b->value = 15;
	set_next(a, b);
	return a->next;
}

FN long set_in_itself(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 16;
	set_next(n, n);
	return n->next->next->value;
}

FN long set_two_deep(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *c = goheap_alloc(sizeof(*c)); /* stack */

	set_next(a, b);
	set_next_of_next(a, c);
	c->value = 17;
	return a->next->next->value;
}

/* What is stored two deep gets into the object that was returned. */
FN struct node *set_two_deep_and_returned(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */
	struct node *c = goheap_alloc(sizeof(*c)); /* heap: returned|set_next_of_next|stored|reach (must) */

	set_next(a, b);
	set_next_of_next(a, c);
	c->value = 18;
	return b;
}

FN long popped(void)
{
	struct list list = { NULL, NULL, 0 };
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 10;
	b->value = 9;
	append(&list, a);
	append(&list, b);
	return pop(&list)->value + pop(&list)->value + list.count;
}

FN struct node *popped_and_returned(void)
{
	struct list list = { NULL, NULL, 0 };
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned|append|stored (must) */

	n->value = 20;
	append(&list, n);
	return pop(&list);
}

FN long kept_if(int really)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: keep_if|global (must) */

	n->value = 21;
	keep_if(n, really);
	return n->value;
}

/* The callee's static variable outlives this frame, although nobody reads it again. */
FN void field_kept_by_callee(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: keep_field|static|field|global (could stay) */

	n->value = 22;
	keep_field(n);
}

FN long moved_between_lists(void)
{
	struct list a = { NULL, NULL, 0 }, b;
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 23;
	append(&a, n);
	move(&b, &a);
	return b.first->value;
}

FN void moved_to_global_list(void)
{
	struct list a = { NULL, NULL, 0 };
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: move|global|stored (must) */

	n->value = 24;
	append(&a, n);
	move(&global_list, &a);
}

FN void kept_two_calls_down(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: keep|global (must) */

	n->value = 25;
	keep_through(n);
}

FN struct node *picked_and_returned(int first)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */

	a->value = 26;
	b->value = 27;
	return pick(a, b, first);
}

FN long picked_and_stored_in_local(int first)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *c = goheap_alloc(sizeof(*c)); /* stack */

	a->value = 26;
	b->value = 28;
	c->next = pick(a, b, first);
	return c->next->value;
}

FN long summed(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	a->value = 1;
	b->value = 28;
	return sum_of(a);
}

FN uintptr_t integer_from_callee(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 30;
	return as_integer(n);
}

FN long integer_from_callee_used(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 31;
	return ((struct node *)as_integer(n))->value;
}

FN long integer_stored_by_callee(void)
{
	uintptr_t word;
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 32;
	store_integer(&word, (uintptr_t)n);
	return ((struct node *)word)->value;
}

FN void integer_stored_by_callee_in_parameter(uintptr_t *out)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter|store_integer (must) */

	n->value = 33;
	store_integer(out, (uintptr_t)n);
}

FN long struct_by_value(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 30;
	b->value = 4;
	return sum_of_pair(pair_of(a, b));
}

FN void struct_by_value_kept(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: keep_pair|global (could stay) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: keep_pair|global (must) */
	struct pair p = { a, b };

	b->value = 35;
	keep_pair(p);
}

FN struct pair struct_by_value_returned(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */

	a->value = 36;
	b->value = 1;
	return pair_of(a, b);
}

FN long array_filled_by_callee(void)
{
	long *a = goheap_alloc(8 * sizeof(*a)); /* stack */

	return fill(a, 8);
}

FN long part_of_array_filled_by_callee(void)
{
	long *a = goheap_alloc(8 * sizeof(*a)); /* stack */

	fill(a + 4, 4);
	return a[7] * 10 + a[3];
}

/* The object is the callee's argument in the last thing that the function does. */
FN long passed_in_tail_call(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 39;
	return look(n);
}

FN long reachable_in_tail_call(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	b->value = 40;
	return sum_of(a);
}

int main(void)
{
	static struct node some;
	struct list list = { NULL, NULL, 0 }, *l;
	struct node *n;
	struct pair *box;
	uintptr_t word;

	CHECK_AFTER(kept_by_callee(), global->value, 1);
	CHECK(not_kept(), 2);
	CHECK_AFTER(only_next_kept(), global->value, 3);
	CHECK_AFTER(only_second_kept(), global->value, 4);
	CHECK_AFTER(same_object_in_both(), global->value, 5);
	CHECK(appended_to_local_list(), 7);
	CHECK(appended_to_list_object(), 8);
	CHECK_AFTER(l = appended_to_returned_list(), l->first->value, 9);
	CHECK_AFTER(appended_to_global_list(), global_list.last->value, 10);
	CHECK_AFTER(appended_to_parameter(&list), list.last->value, 11);
	CHECK_AFTER(n = appended_before_an_object_escapes(), n->next->value, 13);
	CHECK(set_by_callee(), 14);
	CHECK_AFTER(n = set_by_callee_and_returned(), n->value, 15);
	CHECK(set_in_itself(), 16);
	CHECK(set_two_deep(), 17);
	CHECK_AFTER(n = set_two_deep_and_returned(), n->next->value, 18);
	CHECK(popped(), 19);
	CHECK_AFTER(n = popped_and_returned(), n->value, 20);
	CHECK_AFTER(kept_if(1), global->value, 21);
	CHECK(kept_if(0), 21);
	global = &some;
	CHECK_AFTER(field_kept_by_callee(), global->value, 22);
	CHECK(moved_between_lists(), 23);
	CHECK_AFTER(moved_to_global_list(), global_list.first->value, 24);
	CHECK_AFTER(kept_two_calls_down(), global->value, 25);
	CHECK_AFTER(n = picked_and_returned(0), n->value, 27);
	CHECK(picked_and_stored_in_local(1), 26);
	CHECK(summed(), 29);
	CHECK_AFTER(word = integer_from_callee(), ((struct node *)word)->value, 30);
	CHECK(integer_from_callee_used(), 31);
	CHECK(integer_stored_by_callee(), 32);
	CHECK_AFTER(integer_stored_by_callee_in_parameter(&word), ((struct node *)word)->value, 33);
	CHECK(struct_by_value(), 34);
	CHECK_AFTER(struct_by_value_kept(), global->value, 35);
	CHECK_AFTER(n = struct_by_value_returned().a, n->value, 36);
	CHECK(array_filled_by_callee(), 7);
	CHECK(part_of_array_filled_by_callee(), 30);
	CHECK(passed_in_tail_call(), 39);
	CHECK(reachable_in_tail_call(), 40);
	CHECK_AFTER(box = boxed_by_callee(), box->a->value, 41);
	CHECK_AFTER(stored_through_result(), (*slot())->value, 42);
	CHECK_AFTER(rest_kept(), global->value, 43);
	CHECK(set_and_something_else_returned(&some) == &some, 1);
	return corpus_failed;
}
