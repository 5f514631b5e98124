/* SPDX-License-Identifier: MIT */
/* Catches: a typed object whose size or validity is taken for known, and is not. */
#include "corpus.h"

struct odd {
	void *pointer;
	char bytes[4];
} __attribute__((packed));

struct block {
	long a[1024];
};

GOHEAP_DEFINE_TYPE(node_type, struct node, GOHEAP_POINTER(struct node, next));
GOHEAP_DEFINE_TYPE(pair_type, struct pair, GOHEAP_POINTER(struct pair, a) |
		   GOHEAP_POINTER(struct pair, b));
GOHEAP_DEFINE_TYPE(block_type, struct block, 0);

/* In with/typed.c. */
extern const struct goheap_type other_type;
extern const uint64_t other_pointers[];

static const uint64_t first_word[] = { 1 }, fourth_word[] = { 8 };
/* Not a multiple of 8 with a pointer in it. */
static const struct goheap_type odd_type = { sizeof(struct odd), first_word, "odd" };
/* Its pointer lies beyond it. */
static const struct goheap_type beyond_type = { 16, fourth_word, "beyond" };
static const struct goheap_type empty_type = { 0, NULL, "empty" };
static const struct goheap_type bytes_type = { 24, NULL, "bytes" };
/* Whether they lie in it is not known here: they do not. */
static const struct goheap_type elsewhere_type = { 16, other_pointers, "elsewhere" };
/* The program makes it larger before it is used. */
static struct goheap_type changing_type = { 16, NULL, "changing" };
const struct goheap_type visible_type = { 32, NULL, "visible" };

struct node *global;

FN long one(void)
{
	struct node *n = goheap_alloc_typed(&node_type, 1); /* stack */

	n->value = 1;
	return n->value;
}

FN struct node *one_returned(void)
{
	struct node *n = goheap_alloc_typed(&node_type, 1); /* heap: returned (must) */

	n->value = 2;
	return n;
}

FN long array(void)
{
	struct node *all = goheap_alloc_typed(&node_type, 8); /* stack */

	all[7].value = 3;
	all[0].next = &all[7];
	return all->next->value;
}

FN struct node *array_element_returned(void)
{
	struct node *all = goheap_alloc_typed(&node_type, 8); /* heap: returned (must) */

	all[7].value = 4;
	return &all[7];
}

FN long count_zero(void)
{
	struct node *n = goheap_alloc_typed(&node_type, 0); /* stack */

	return n ? 5 : -1;
}

FN long variable_count(size_t count)
{
	struct node *all = goheap_alloc_typed(&node_type, count); /* heap: size|constant|count (could stay) */

	all[count - 1].value = 6;
	return all[count - 1].value;
}

FN long count_known_later(void)
{
	size_t count = 7;
	struct node *all = goheap_alloc_typed(&node_type, count); /* O0 heap: size|constant|count (could stay); O2 stack */

	all[6].value = count;
	return all[6].value;
}

FN long unknown_type(const struct goheap_type *type)
{
	long *a = goheap_alloc_typed(type, 1); /* heap: type|size|constant (could stay) */

	a[0] = 8;
	return a[0];
}

FN long one_of_two_types(int pair)
{
	long *a = goheap_alloc_typed(pair ? &pair_type : &node_type, 1); /* heap: type|size|constant (could stay) */

	return a[1] + 9;
}

FN long type_elsewhere(void)
{
	long *a = goheap_alloc_typed(&other_type, 1); /* heap: type|size|constant (could stay) */

	a[1] = 10;
	return a[1];
}

FN long type_that_changes(void)
{
	long *a = goheap_alloc_typed(&changing_type, 1); /* heap: type|size|constant (must) */

	a[3] = 11;
	return a[3];
}

/* Constant and defined here, it is as good as a static one. */
FN long visible_constant_type(void)
{
	long *a = goheap_alloc_typed(&visible_type, 1); /* stack */

	a[3] = 12;
	return a[3];
}

FN long type_without_pointers(void)
{
	long *a = goheap_alloc_typed(&bytes_type, 2); /* stack */

	a[5] = 13;
	return a[5];
}

FN long static_type_in_function(void)
{
	static const struct goheap_type type = { 40, first_word, "local" };
	long *a = goheap_alloc_typed(&type, 1); /* stack */

	a[4] = 14;
	return a[4];
}

/* A variable of the frame, which has to be filled in first. */
FN long automatic_type(size_t size)
{
	struct goheap_type type = { size, first_word, "automatic" };
	long *a = goheap_alloc_typed(&type, 1); /* heap: type|size|constant (could stay) */

	a[1] = 15;
	return a[1];
}

/* EINVAL for each of these, which a variable on the stack could not tell. */
FN long invalid_size(void)
{
	return goheap_alloc_typed(&odd_type, 1) ? -1 : 16; /* heap: type|valid (must) */
}

FN long invalid_pointers(void)
{
	return goheap_alloc_typed(&beyond_type, 1) ? -1 : 17; /* heap: type|valid (must) */
}

FN long invalid_empty(void)
{
	return goheap_alloc_typed(&empty_type, 1) ? -1 : 18; /* heap: type|valid|size (must) */
}

FN long invalid_pointers_elsewhere(void)
{
	return goheap_alloc_typed(&elsewhere_type, 1) ? -1 : 19; /* heap: type|valid (must) */
}

FN long no_type(void)
{
	return goheap_alloc_typed(NULL, 1) ? -1 : 20; /* heap: type|valid (must) */
}

FN long overflow(void)
{
	return goheap_alloc_typed(&node_type, SIZE_MAX / 16 + 2) ? -1 : 21; /* heap: size|large|overflow|bytes (must) */
}

FN long at_the_limit(void)
{
	struct block *b = goheap_alloc_typed(&block_type, 8); /* stack */

	b[7].a[1023] = 22;
	return b[7].a[1023];
}

FN long above_the_limit(void)
{
	struct block *b = goheap_alloc_typed(&block_type, 9); /* heap: size|large|bytes (could stay) */

	b[8].a[1023] = 23;
	return b[8].a[1023];
}

FN long each_other(void)
{
	struct pair *p = goheap_alloc_typed(&pair_type, 1); /* stack */

	p->a = goheap_alloc_typed(&node_type, 1); /* stack */
	p->b = goheap_alloc_typed(&node_type, 1); /* stack */
	p->a->next = p->b;
	p->b->value = 24;
	return p->a->next->value;
}

int main(void)
{
	struct node *n;

	changing_type.size = 32;
	CHECK(one(), 1);
	CHECK_AFTER(n = one_returned(), n->value, 2);
	CHECK(array(), 3);
	CHECK_AFTER(n = array_element_returned(), n->value, 4);
	CHECK(count_zero(), 5);
	CHECK(variable_count(4), 6);
	CHECK(count_known_later(), 7);
	CHECK(unknown_type(&node_type), 8);
	CHECK(one_of_two_types(1), 9);
	CHECK(type_elsewhere(), 10);
	CHECK(type_that_changes(), 11);
	CHECK(visible_constant_type(), 12);
	CHECK(type_without_pointers(), 13);
	CHECK(static_type_in_function(), 14);
	CHECK(automatic_type(16), 15);
	CHECK(invalid_size(), 16);
	CHECK(invalid_pointers(), 17);
	CHECK(invalid_empty(), 18);
	CHECK(invalid_pointers_elsewhere(), 19);
	CHECK(no_type(), 20);
	CHECK(overflow(), 21);
	CHECK(at_the_limit(), 22);
	CHECK(above_the_limit(), 23);
	CHECK(each_other(), 24);
	return corpus_failed;
}
