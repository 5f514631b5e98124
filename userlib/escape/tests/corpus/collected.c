/* SPDX-License-Identifier: MIT */
/* Catches: an object of the heap that only an object on the stack points to, collected, and one
 * on the stack that the collector, or goheap_free(), takes for its own. */
#include "corpus.h"

#define OBJECTS 2000

struct node *global;

/* What was free before is used again, and overwritten. */
FN void collect_and_overwrite(void)
{
	goheap_collect();
	for (int i = 0; i < OBJECTS; i++)
		global = memset(goheap_realloc(NULL, sizeof(*global)), 0x5a, sizeof(*global));
	global = NULL;
}

static FN struct node *on_heap(long value)
{
	struct node *n = goheap_realloc(NULL, sizeof(*n));

	n->value = value;
	return n;
}

FN long held_by_object(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->next = on_heap(1);
	collect_and_overwrite();
	return n->next->value;
}

FN long held_by_array(void)
{
	struct node **all = goheap_alloc(100 * sizeof(*all)); /* stack */
	long sum = 0;

	for (int i = 0; i < 100; i++)
		all[i] = on_heap(i);
	collect_and_overwrite();
	for (int i = 0; i < 100; i++)
		sum += all[i]->value;
	return sum;
}

FN long held_by_two_objects(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	b->next = on_heap(3);
	collect_and_overwrite();
	return a->next->next->value;
}

FN long held_in_loop(void)
{
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		struct node *n = goheap_alloc(sizeof(*n)); /* stack */

		n->next = on_heap(i);
		collect_and_overwrite();
		sum = sum * 10 + n->next->value;
	}
	return sum;
}

CALLEE long look_after_collection(struct node *n)
{
	collect_and_overwrite();
	return n->next->value;
}

FN long held_for_callee(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->next = on_heap(5);
	return look_after_collection(n);
}

/* Both die with the frame, but what an object of unknown origin refers to has to be on the heap. */
FN long heap_refers_to_it(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: memory|stored|unknown|on_heap (could stay) */
	struct node *h = on_heap(0);

	n->value = 6;
	h->next = n;
	collect_and_overwrite();
	return h->next->value;
}

FN long freed_and_allocated_again(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct node *h;

	n->value = 7;
	goheap_free(n);
	h = on_heap(7);
	collect_and_overwrite();
	return h->value;
}

FN long survives_collection(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 8;
	collect_and_overwrite();
	return n->value;
}

FN long typed_survives_collection(void)
{
	static const uint64_t first_word[] = { 1 };
	static const struct goheap_type type = { sizeof(struct node), first_word, "node" };
	struct node *all = goheap_alloc_typed(&type, 4); /* stack */

	all[3].next = on_heap(9);
	collect_and_overwrite();
	return all[3].next->value;
}

FN struct node *escapes_with_what_it_holds(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->next = on_heap(10);
	collect_and_overwrite();
	return n;
}

int main(void)
{
	struct node *n;

	/* The sanitizer's frames are memory that the collector does not know. */
	if (!getenv("CORPUS_COLLECT"))
		return 0;
	CHECK(held_by_object(), 1);
	CHECK(held_by_array(), 4950);
	CHECK(held_by_two_objects(), 3);
	CHECK(held_in_loop(), 12);
	CHECK(held_for_callee(), 5);
	CHECK(heap_refers_to_it(), 6);
	CHECK(freed_and_allocated_again(), 7);
	CHECK(survives_collection(), 8);
	CHECK(typed_survives_collection(), 9);
	CHECK_AFTER(n = escapes_with_what_it_holds(), n->next->value, 10);
	return corpus_failed;
}
