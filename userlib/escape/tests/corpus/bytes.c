/* SPDX-License-Identifier: MIT */
/* Catches: a pointer that is not seen when it is copied as bytes, and an object that is used
 * in another shape than it was allocated in. */
#include "corpus.h"

#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))

struct link {
	struct link *next, *previous;
};

struct item {
	long value;
	struct link link;
};

struct text {
	size_t length;
	char bytes[];
};

struct old_text {
	size_t length;
	char bytes[1];
};

struct node *global;
unsigned char global_bytes[sizeof(void *)];
struct link *global_link;

FN long memcpy_of_pointer(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct node *copy;

	n->value = 1;
	memcpy(&copy, &n, sizeof(copy));
	return copy->value;
}

FN struct node *memcpy_of_pointer_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */
	struct node *copy;

	n->value = 2;
	memcpy(&copy, &n, sizeof(copy));
	return copy;
}

FN void memcpy_of_pointer_to_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|memcpy (must) */

	n->value = 3;
	memcpy(&global, &n, sizeof(n));
}

FN void memcpy_of_bytes_to_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|memcpy (must) */

	n->value = 4;
	memcpy(global_bytes, &n, sizeof(n));
}

/*
 * Of a variable length, which no compiler turns into a load and a store.  (To the address of
 * a global, GCC 12 itself drops the store to the object at -O2, as it does with malloc().)
 */
FN void memmove_of_pointer(void *to, size_t size)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter|memmove (must) */

	n->value = 5;
	memmove(to, &n, size);
}

FN long memcpy_of_object(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 6;
	a->next = n;
	memcpy(b, a, sizeof(*b));
	return b->next->value;
}

FN void memcpy_of_content_to_global(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|memcpy (must) */

	n->value = 7;
	a->next = n;
	memcpy(global_bytes, a, sizeof(void *));
}

FN long copied_by_bytes(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct node *copy;
	unsigned char *from = (unsigned char *)&n, *to = (unsigned char *)&copy;

	n->value = 8;
	for (size_t i = 0; i < sizeof(n); i++)
		to[i] = from[i];
	return copy->value;
}

FN struct node *copied_by_bytes_and_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */
	struct node *copy;
	unsigned char *from = (unsigned char *)&n, *to = (unsigned char *)&copy;

	n->value = 9;
	for (size_t i = 0; i < sizeof(n); i++)
		to[i] = from[i];
	return copy;
}

FN void copied_by_bytes_to_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */
	unsigned char *from = (unsigned char *)&n;

	n->value = 10;
	for (size_t i = 0; i < sizeof(n); i++)
		global_bytes[i] = from[i];
}

FN void copied_by_inverted_bytes_to_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */
	unsigned char *from = (unsigned char *)&n;

	n->value = 11;
	for (size_t i = 0; i < sizeof(n); i++)
		global_bytes[i] = from[i] ^ 0xff;
}

CALLEE void copy_bytes(unsigned char *to, const unsigned char *from, size_t size)
{
	while (size--)
		*to++ = *from++;
}

FN long copied_by_callee(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct node *copy = NULL;

	n->value = 12;
	copy_bytes((unsigned char *)&copy, (unsigned char *)&n, sizeof(n));
	return copy->value;
}

FN void copied_by_callee_to_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|copy_bytes (must) */

	n->value = 13;
	copy_bytes(global_bytes, (unsigned char *)&n, sizeof(n));
}

FN long container_of_local(void)
{
	struct item *item = goheap_alloc(sizeof(*item)); /* stack */
	struct link *link = &item->link;

	item->value = 14;
	return container_of(link, struct item, link)->value;
}

FN struct item *container_of_returned(void)
{
	struct item *item = goheap_alloc(sizeof(*item)); /* heap: returned (must) */
	struct link *link = &item->link;

	item->value = 15;
	return container_of(link, struct item, link);
}

FN void member_in_global(void)
{
	struct item *item = goheap_alloc(sizeof(*item)); /* heap: global (must) */

	item->value = 16;
	global_link = &item->link;
}

CALLEE long value_of_link(struct link *link)
{
	return container_of(link, struct item, link)->value;
}

FN long container_of_in_callee(void)
{
	struct item *item = goheap_alloc(sizeof(*item)); /* stack */

	item->value = 17;
	return value_of_link(&item->link);
}

FN long list_of_links(void)
{
	struct link head = { &head, &head };
	struct item *a = goheap_alloc(sizeof(*a)); /* stack */
	struct item *b = goheap_alloc(sizeof(*b)); /* stack */
	long sum = 0;

	a->value = 1;
	b->value = 17;
	a->link.next = &b->link;
	a->link.previous = &head;
	b->link.next = &head;
	b->link.previous = &a->link;
	head.next = &a->link;
	head.previous = &b->link;
	for (struct link *l = head.next; l != &head; l = l->next)
		sum += container_of(l, struct item, link)->value;
	return sum;
}

FN long negative_offset(void)
{
	long *a = goheap_alloc(4 * sizeof(*a)); /* stack */
	long *last = a + 3;

	a[1] = 19;
	return last[-2];
}

FN long from_past_the_end(void)
{
	long *a = goheap_alloc(4 * sizeof(*a)); /* stack */
	long *p = a + 4, sum = 0;

	a[0] = 20;
	while (p != a)
		sum += *--p;
	return sum;
}

FN long until_past_the_end(void)
{
	long *a = goheap_alloc(4 * sizeof(*a)); /* stack */
	long sum = 0;

	for (long *p = a; p < a + 4; p++)
		*p = p == a + 2 ? 21 : 0;
	for (long *p = a; p < a + 4; p++)
		sum += *p;
	return sum;
}

FN long flexible_array(void)
{
	struct text *t = goheap_alloc(sizeof(*t) + 16); /* stack */

	t->length = 16;
	for (size_t i = 0; i < t->length; i++)
		t->bytes[i] = i;
	return t->bytes[15] + 7;
}

FN struct text *flexible_array_returned(void)
{
	struct text *t = goheap_alloc(sizeof(*t) + 8); /* heap: returned (must) */

	t->length = 8;
	t->bytes[7] = 23;
	return t;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Warray-bounds"
/* As much as is used is there, but the type that it is accessed through is larger. */
FN long array_of_one_cut_off(size_t i)
{
	struct old_text *t = goheap_alloc(offsetof(struct old_text, bytes) + 4); /* heap: larger|type|size|access (could stay) */

	t->length = 4;
	t->bytes[i] = 24;
	return t->bytes[0] + t->length;
}

FN long first_member_only(int set)
{
	struct pair *p = goheap_alloc(sizeof(p->a)); /* heap: larger|type|size|access (could stay) */
	struct node local = { NULL, 25 };

	if (set)
		p->a = &local;
	return p->a ? p->a->value : 0;
}
#pragma GCC diagnostic pop

FN long array_of_one_and_more(void)
{
	struct old_text *t = goheap_alloc(sizeof(*t) + 4); /* stack */

	t->length = 4;
	t->bytes[0] = 26;
	return t->bytes[0] + t->length;
}

FN long as_smaller_type(void)
{
	unsigned char *bytes = goheap_alloc(64); /* stack */
	struct node *n = (struct node *)(bytes + 32);

	n->value = 27;
	return n->value + bytes[0];
}

FN long as_two_types(void)
{
	void *p = goheap_alloc(sizeof(long)); /* stack */
	unsigned char *bytes = p;

	*(long *)p = -1;
	return bytes[0] + bytes[7];
}

/* Pieces of one object: none of them lives longer than it. */
FN long arena(void)
{
	char *arena = goheap_alloc(256), *free_part = arena; /* stack */
	struct node *a, *b;

	a = (struct node *)free_part;
	free_part += sizeof(*a);
	b = (struct node *)free_part;
	a->next = b;
	b->value = 29;
	return a->next->value;
}

FN struct node *arena_returned(void)
{
	char *arena = goheap_alloc(256), *free_part = arena; /* heap: returned (must) */
	struct node *a, *b;

	a = (struct node *)free_part;
	free_part += sizeof(*a);
	b = (struct node *)free_part;
	a->next = b;
	b->value = 30;
	return a->next;
}

static struct node *from_bytes(unsigned char flip)
{
	unsigned char bytes[sizeof(void *)];
	struct node *n;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = global_bytes[i] ^ flip;
	memcpy(&n, bytes, sizeof(n));
	return n;
}

int main(void)
{
	struct node *n;
	struct item *item;
	struct text *t;

	CHECK(memcpy_of_pointer(), 1);
	CHECK_AFTER(n = memcpy_of_pointer_returned(), n->value, 2);
	CHECK_AFTER(memcpy_of_pointer_to_global(), global->value, 3);
	CHECK_AFTER(memcpy_of_bytes_to_global(), from_bytes(0)->value, 4);
	CHECK_AFTER(memmove_of_pointer(&global, sizeof(n)), global->value, 5);
	CHECK(memcpy_of_object(), 6);
	CHECK_AFTER(memcpy_of_content_to_global(), from_bytes(0)->value, 7);
	CHECK(copied_by_bytes(), 8);
	CHECK_AFTER(n = copied_by_bytes_and_returned(), n->value, 9);
	CHECK_AFTER(copied_by_bytes_to_global(), from_bytes(0)->value, 10);
	CHECK((copied_by_inverted_bytes_to_global(), from_bytes(0xff)->value), 11);
	CHECK(copied_by_callee(), 12);
	CHECK_AFTER(copied_by_callee_to_global(), from_bytes(0)->value, 13);
	CHECK(container_of_local(), 14);
	CHECK_AFTER(item = container_of_returned(), item->value, 15);
	CHECK_AFTER(member_in_global(), value_of_link(global_link), 16);
	CHECK(container_of_in_callee(), 17);
	CHECK(list_of_links(), 18);
	CHECK(negative_offset(), 19);
	CHECK(from_past_the_end(), 20);
	CHECK(until_past_the_end(), 21);
	CHECK(flexible_array(), 22);
	CHECK_AFTER(t = flexible_array_returned(), t->bytes[7], 23);
	CHECK(array_of_one_cut_off(0), 28);
	CHECK(first_member_only(1), 25);
	CHECK(first_member_only(0), 0);
	CHECK(array_of_one_and_more(), 30);
	CHECK(as_smaller_type(), 27);
	CHECK(as_two_types(), 510);
	CHECK(arena(), 29);
	CHECK_AFTER(n = arena_returned(), n->value, 30);
	return corpus_failed;
}
