/* SPDX-License-Identifier: MIT */
/* Catches: a function that returns a new object, judged by itself and not where it is inlined; and
 * copies of it that have each other's verdict. */
#include "corpus.h"

struct point {
	long x, y;
};

struct shape {
	struct point *corner;
	long size;
};

struct node *global;
struct point *global_point;

static struct node *new_node(void)
{
	return goheap_alloc(sizeof(struct node)); /* heap: returned (must); O2 in used: stack; O2 in leaked: heap: global (must); O2 in used_and_leaked: heap: global (must) */
}

FN long used(void)
{
	struct node *n = new_node();

	n->value = 1;
	return n->value;
}

FN void leaked(void)
{
	struct node *n = new_node();

	n->value = 2;
	global = n;
}

FN void used_and_leaked(int leak)
{
	struct node *n = new_node();

	n->value = 3;
	if (leak)
		global = n;
}

CALLEE struct node *new_node_apart(long value)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = value;
	return n;
}

FN long made_apart(void)
{
	return new_node_apart(4)->value;
}

static inline __attribute__((always_inline)) struct node *new_node_always(long value)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* in always_used: stack; in always_leaked: heap: global (must); heap: returned (must) */

	n->value = value;
	return n;
}

FN long always_used(void)
{
	return new_node_always(5)->value;
}

FN void always_leaked(void)
{
	global = new_node_always(6);
}

static inline __attribute__((always_inline)) struct point *new_point(long x, long y)
{
	struct point *p = goheap_alloc_noscan(sizeof(*p)); /* in points: stack; in corner_of: heap: returned (must); heap: returned (must) */

	p->x = x;
	p->y = y;
	return p;
}

/* One line, four copies of the call. */
FN long points(void)
{
	struct point *a = new_point(1, 2), *b = new_point(3, 4), *c = new_point(5, 6);

	return a->x + b->y + c->x + new_point(7, 8)->y;
}

FN struct point *corner_of(void)
{
	return new_point(7, 1);
}

static inline __attribute__((always_inline)) struct shape *new_shape(long size)
{
	struct shape *s = goheap_alloc(sizeof(*s)); /* in shape_used: stack; in corner_leaked: stack; heap: returned (must) */

	s->corner = goheap_alloc_noscan(sizeof(*s->corner)); /* in shape_used: stack; in corner_leaked: heap: global (must); heap: returned|stored|reach (must) */
	s->corner->x = size;
	s->size = size;
	return s;
}

FN long shape_used(void)
{
	struct shape *s = new_shape(4);

	return s->corner->x + s->size;
}

FN void corner_leaked(void)
{
	struct shape *s = new_shape(9);

	global_point = s->corner;
}

static inline __attribute__((always_inline)) struct node *initialize(struct node *n, long value)
{
	n->value = value;
	return n;
}

FN long initialized(void)
{
	return initialize(goheap_alloc(sizeof(struct node)), 10)->value; /* stack */
}

CALLEE struct node *initialize_apart(struct node *n, long value)
{
	n->value = value;
	return n;
}

FN long initialized_apart(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	return initialize_apart(n, 11)->value;
}

/* Two levels: the inner constructor's copy is in the outer one's copy. */
static inline __attribute__((always_inline)) struct node *new_pair_of_nodes(void)
{
	struct node *n = new_node_apart(1);

	n->next = goheap_alloc(sizeof(*n)); /* in pair_used: heap: memory|stored|unknown|new_node_apart (could stay); heap: returned|memory|stored|unknown|reach|new_node_apart (must) */
	n->next->value = 12;
	return n;
}

FN long pair_used(void)
{
	return new_pair_of_nodes()->next->value;
}

static inline __attribute__((always_inline)) struct node *new_node_for_loop(void)
{
	return goheap_alloc(sizeof(struct node)); /* in made_in_loop: stack; in list_made_in_loop: heap: loop|iteration (must); heap: returned (must) */
}

FN long made_in_loop(void)
{
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		struct node *n = new_node_for_loop();

		n->value += i;
		sum = sum * 10 + n->value;
	}
	return sum;
}

FN long list_made_in_loop(void)
{
	struct node *list = NULL;
	long sum = 0;

	for (int i = 1; i < 4; i++) {
		struct node *n = new_node_for_loop();

		n->value += i;
		n->next = list;
		list = n;
	}
	for (; list; list = list->next)
		sum = sum * 10 + list->value;
	return sum;
}

CALLEE int allocate_into(struct node **out)
{
	*out = goheap_alloc(sizeof(**out)); /* heap: parameter (must) */
	return *out ? 0 : -1;
}

FN long allocated_into_local(void)
{
	struct node *n;

	if (allocate_into(&n))
		return -1;
	n->value = 15;
	return n->value;
}

int main(void)
{
	struct point *p;

	CHECK(used(), 1);
	CHECK_AFTER(leaked(), global->value, 2);
	CHECK_AFTER(used_and_leaked(1), global->value, 3);
	CHECK(made_apart(), 4);
	CHECK(always_used(), 5);
	CHECK_AFTER(always_leaked(), global->value, 6);
	CHECK(points(), 18);
	CHECK_AFTER(p = corner_of(), p->x, 7);
	CHECK(shape_used(), 8);
	CHECK_AFTER(corner_leaked(), global_point->x, 9);
	CHECK(initialized(), 10);
	CHECK(initialized_apart(), 11);
	CHECK(pair_used(), 12);
	CHECK(made_in_loop(), 123);
	CHECK(list_made_in_loop(), 321);
	CHECK(allocated_into_local(), 15);
	return corpus_failed;
}
