/* SPDX-License-Identifier: MIT */
/* Catches: a small data structure that goes to the heap although all of it lives in one frame, or
 * one of which a part is lost sight of. */
#include "corpus.h"

struct tree {
	struct tree *left, *right;
	long key;
};

struct stack {
	struct node *top;
	int depth;
};

struct ring {
	struct node *slots[4];
	unsigned int head, tail;
};

struct builder {
	char *text;
	size_t length, size;
};

struct double_link {
	struct double_link *next, *previous;
	long value;
};

struct entry {
	struct entry *next;
	const char *key;
	long value;
};

struct table {
	struct entry *buckets[8];
	int count;
};

struct matrix {
	int rows, columns;
	double *cells;
};

struct iterator {
	const struct node *at;
};

struct expression {
	enum { NUMBER, SUM, PRODUCT } kind;
	long number;
	const struct expression *left, *right;
};

struct heap {
	long *items;
	int count;
};

struct graph_node {
	struct graph_node *edges[3];
	int seen;
	long value;
};

struct node *global;

FN long linked_list(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *c = goheap_alloc(sizeof(*c)); /* stack */
	long sum = 0;

	a->value = 1;
	a->next = b;
	b->value = 2;
	b->next = c;
	c->value = 3;
	for (struct node *n = a; n; n = n->next)
		sum = sum * 10 + n->value;
	return sum;
}

CALLEE struct node *reverse(struct node *list)
{
	struct node *reversed = NULL;

	while (list) {
		struct node *next = list->next;

		list->next = reversed;
		reversed = list;
		list = next;
	}
	return reversed;
}

FN long reversed_list(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *list;

	a->value = 1;
	a->next = b;
	b->value = 2;
	list = reverse(a);
	return list->value * 10 + list->next->value;
}

CALLEE struct node *sorted_insert(struct node *list, struct node *n)
{
	struct node **link = &list;

	while (*link && (*link)->value < n->value)
		link = &(*link)->next;
	n->next = *link;
	*link = n;
	return list;
}

FN long sorted_list(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *c = goheap_alloc(sizeof(*c)); /* stack */
	struct node *list = NULL;

	a->value = 2;
	b->value = 3;
	c->value = 1;
	list = sorted_insert(list, a);
	list = sorted_insert(list, b);
	list = sorted_insert(list, c);
	return list->value * 100 + list->next->value * 10 + list->next->next->value;
}

FN struct node *sorted_list_returned(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned|sorted_insert|stored|reach (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned|sorted_insert|stored|reach (must) */

	a->value = 2;
	b->value = 1;
	return sorted_insert(sorted_insert(NULL, a), b);
}

CALLEE long sum_of_keys(const struct tree *t)
{
	if (!t)
		return 0;
	return sum_of_keys(t->left) + sum_of_keys(t->right) + t->key;
}

FN long tree_of_three(void)
{
	struct tree *left = goheap_alloc(sizeof(*left)); /* stack */
	struct tree *right = goheap_alloc(sizeof(*right)); /* stack */
	struct tree *root = goheap_alloc(sizeof(*root)); /* stack */

	left->key = 1;
	right->key = 3;
	root->key = 2;
	root->left = left;
	root->right = right;
	return sum_of_keys(root);
}

CALLEE const struct tree *lookup(const struct tree *t, long key)
{
	while (t && t->key != key)
		t = key < t->key ? t->left : t->right;
	return t;
}

FN long tree_looked_up(long key)
{
	struct tree *left = goheap_alloc(sizeof(*left)); /* stack */
	struct tree *root = goheap_alloc(sizeof(*root)); /* stack */
	const struct tree *found;

	left->key = 1;
	root->key = 2;
	root->left = left;
	found = lookup(root, key);
	return found ? found->key : -1;
}

FN const struct tree *tree_looked_up_and_returned(long key)
{
	struct tree *left = goheap_alloc(sizeof(*left)); /* heap: returned|lookup (must) */
	struct tree *root = goheap_alloc(sizeof(*root)); /* heap: returned|lookup (must) */

	left->key = 1;
	root->key = 2;
	root->left = left;
	return lookup(root, key);
}

CALLEE void stack_push(struct stack *s, struct node *n)
{
	n->next = s->top;
	s->top = n;
	s->depth++;
}

CALLEE struct node *stack_pop(struct stack *s)
{
	struct node *n = s->top;

	if (n) {
		s->top = n->next;
		s->depth--;
	}
	return n;
}

FN long stack_object(void)
{
	struct stack *s = goheap_alloc(sizeof(*s)); /* stack */
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 1;
	b->value = 2;
	stack_push(s, a);
	stack_push(s, b);
	b = stack_pop(s);
	a = stack_pop(s);
	return b->value * 10 + a->value + s->depth;
}

FN long stack_variable(void)
{
	struct stack s = { NULL, 0 };
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */

	a->value = 3;
	stack_push(&s, a);
	return s.top->value + s.depth;
}

CALLEE int ring_put(struct ring *r, struct node *n)
{
	if (r->head - r->tail == 4)
		return 0;
	r->slots[r->head++ % 4] = n;
	return 1;
}

CALLEE struct node *ring_get(struct ring *r)
{
	return r->head == r->tail ? NULL : r->slots[r->tail++ % 4];
}

FN long queue(void)
{
	struct ring *r = goheap_alloc(sizeof(*r)); /* stack */
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 1;
	b->value = 2;
	ring_put(r, a);
	ring_put(r, b);
	a = ring_get(r);
	b = ring_get(r);
	return a->value * 10 + b->value;
}

FN struct node *queue_element_returned(void)
{
	struct ring *r = goheap_alloc(sizeof(*r)); /* stack */
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned (must) */

	a->value = 3;
	ring_put(r, a);
	return ring_get(r);
}

CALLEE void builder_add(struct builder *b, const char *text)
{
	size_t length = strlen(text);

	if (length > b->size - b->length)
		length = b->size - b->length;
	memcpy(b->text + b->length, text, length);
	b->length += length;
}

FN long string_builder(void)
{
	struct builder *b = goheap_alloc(sizeof(*b)); /* stack */

	b->text = goheap_alloc_noscan(64); /* stack */
	b->size = 63;
	builder_add(b, "12");
	builder_add(b, "34");
	return atoi(b->text);
}

FN char *string_builder_text_returned(void)
{
	struct builder *b = goheap_alloc(sizeof(*b)); /* stack */

	b->text = goheap_alloc_noscan(64); /* heap: returned (must) */
	b->size = 63;
	builder_add(b, "56");
	return b->text;
}

CALLEE void link_after(struct double_link *at, struct double_link *n)
{
	n->next = at->next;
	n->previous = at;
	at->next->previous = n;
	at->next = n;
}

CALLEE void unlink_one(struct double_link *n)
{
	n->previous->next = n->next;
	n->next->previous = n->previous;
}

FN long double_links(void)
{
	struct double_link *head = goheap_alloc(sizeof(*head)); /* stack */
	struct double_link *a = goheap_alloc(sizeof(*a)); /* stack */
	struct double_link *b = goheap_alloc(sizeof(*b)); /* stack */

	head->next = head->previous = head;
	a->value = 1;
	b->value = 2;
	link_after(head, a);
	link_after(a, b);
	unlink_one(a);
	return head->next->value * 10 + head->previous->previous->next->value / 2;
}

CALLEE unsigned int hash_of(const char *key)
{
	unsigned int hash = 0;

	while (*key)
		hash = hash * 31 + (unsigned char)*key++;
	return hash % 8;
}

CALLEE void table_put(struct table *t, struct entry *e)
{
	unsigned int i = hash_of(e->key);

	e->next = t->buckets[i];
	t->buckets[i] = e;
	t->count++;
}

CALLEE struct entry *table_get(const struct table *t, const char *key)
{
	struct entry *e = t->buckets[hash_of(key)];

	while (e && strcmp(e->key, key))
		e = e->next;
	return e;
}

FN long hash_table(const char *key)
{
	struct table *t = goheap_alloc(sizeof(*t)); /* stack */
	struct entry *a = goheap_alloc(sizeof(*a)); /* stack */
	struct entry *b = goheap_alloc(sizeof(*b)); /* stack */
	struct entry *found;

	a->key = "one";
	a->value = 1;
	b->key = "two";
	b->value = 2;
	table_put(t, a);
	table_put(t, b);
	found = table_get(t, key);
	return found ? found->value * 10 + t->count : -1;
}

/* The rules do not tell the members of an object apart: the key could be the next entry. */
FN const char *hash_table_key_returned(const char *key)
{
	struct table *t = goheap_alloc(sizeof(*t)); /* stack */
	struct entry *a = goheap_alloc(sizeof(*a)); /* heap: returned (could stay) */

	a->key = key;
	table_put(t, a);
	return table_get(t, key)->key;
}

CALLEE double trace(const struct matrix *m)
{
	double sum = 0;

	for (int i = 0; i < m->rows; i++)
		sum += m->cells[i * m->columns + i];
	return sum;
}

FN long matrix(void)
{
	struct matrix *m = goheap_alloc(sizeof(*m)); /* stack */

	m->rows = m->columns = 3;
	m->cells = goheap_alloc_noscan(9 * sizeof(double)); /* stack */
	for (int i = 0; i < 9; i++)
		m->cells[i] = i;
	return trace(m);
}

CALLEE struct iterator begin(const struct node *list)
{
	return (struct iterator){ list };
}

CALLEE const struct node *next(struct iterator *i)
{
	const struct node *n = i->at;

	if (n)
		i->at = n->next;
	return n;
}

FN long iterated(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct iterator i;
	const struct node *n;
	long sum = 0;

	a->value = 4;
	a->next = b;
	b->value = 5;
	i = begin(a);
	while ((n = next(&i)))
		sum = sum * 10 + n->value;
	return sum;
}

CALLEE long evaluate(const struct expression *e)
{
	switch (e->kind) {
	case SUM:
		return evaluate(e->left) + evaluate(e->right);
	case PRODUCT:
		return evaluate(e->left) * evaluate(e->right);
	default:
		return e->number;
	}
}

FN long expression(void)
{
	struct expression *two = goheap_alloc(sizeof(*two)); /* stack */
	struct expression *three = goheap_alloc(sizeof(*three)); /* stack */
	struct expression *sum = goheap_alloc(sizeof(*sum)); /* stack */
	struct expression *product = goheap_alloc(sizeof(*product)); /* stack */

	two->number = 2;
	three->number = 3;
	sum->kind = SUM;
	sum->left = two;
	sum->right = three;
	product->kind = PRODUCT;
	product->left = sum;
	product->right = three;
	return evaluate(product);
}

CALLEE void sift_up(struct heap *h, int i)
{
	while (i && h->items[(i - 1) / 2] > h->items[i]) {
		long old = h->items[i];

		h->items[i] = h->items[(i - 1) / 2];
		h->items[(i - 1) / 2] = old;
		i = (i - 1) / 2;
	}
}

FN long priority_queue(void)
{
	struct heap *h = goheap_alloc(sizeof(*h)); /* stack */

	h->items = goheap_alloc_noscan(8 * sizeof(long)); /* stack */
	for (int i = 0; i < 8; i++) {
		h->items[h->count++] = 10 - i;
		sift_up(h, i);
	}
	return h->items[0];
}

CALLEE long reach(struct graph_node *n)
{
	long sum;

	if (!n || n->seen)
		return 0;
	n->seen = 1;
	sum = n->value;
	for (int i = 0; i < 3; i++)
		sum += reach(n->edges[i]);
	return sum;
}

FN long graph(void)
{
	struct graph_node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct graph_node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct graph_node *c = goheap_alloc(sizeof(*c)); /* stack */

	a->value = 1;
	b->value = 10;
	c->value = 100;
	a->edges[0] = b;
	b->edges[1] = c;
	c->edges[2] = a;
	return reach(a);
}

FN long bit_set(void)
{
	unsigned char *bits = goheap_alloc_noscan(16); /* stack */
	long count = 0;

	for (int i = 0; i < 128; i += 3)
		bits[i / 8] |= 1 << i % 8;
	for (int i = 0; i < 128; i++)
		count += bits[i / 8] >> i % 8 & 1;
	return count;
}

FN long two_dimensional(int n)
{
	long (*table)[4] = goheap_alloc(4 * sizeof(*table)); /* stack */
	long sum = 0;

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			table[i][j] = i * j;
	for (int i = 0; i < n; i++)
		sum += table[i][i];
	return sum;
}

FN long list_in_array(void)
{
	struct node *all = goheap_alloc(4 * sizeof(*all)); /* stack */
	struct node *list = NULL;
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		all[i].value = i;
		all[i].next = list;
		list = &all[i];
	}
	for (; list; list = list->next)
		sum = sum * 10 + list->value;
	return sum;
}

/* What is printed are numbers behind a pointer, and no address was ever put there. */
CALLEE long digits(const struct node *n)
{
	char text[64] = "";

	for (; n; n = n->next)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d", (int)n->value);
	return atol(text);
}

FN long list_printed(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */

	a->value = 1;
	a->next = goheap_alloc(sizeof(*a)); /* stack */
	a->next->value = 2;
	return digits(a);
}

CALLEE void clear_words(struct builder *b)
{
	memset(b->text, '7', b->length);
}

FN long length_passed(void)
{
	struct builder *b = goheap_alloc(sizeof(*b)); /* stack */

	b->text = goheap_alloc_noscan(8); /* stack */
	b->length = 2;
	clear_words(b);
	return atoi(b->text);
}

int main(void)
{
	struct node *n;
	const struct tree *t;
	char *text;

	CHECK(list_printed(), 12);
	CHECK(length_passed(), 77);
	CHECK(linked_list(), 123);
	CHECK(reversed_list(), 21);
	CHECK(sorted_list(), 123);
	CHECK_AFTER(n = sorted_list_returned(), n->value * 10 + n->next->value, 12);
	CHECK(tree_of_three(), 6);
	CHECK(tree_looked_up(1), 1);
	CHECK_AFTER(t = tree_looked_up_and_returned(1), t->key, 1);
	CHECK(stack_object(), 21);
	CHECK(stack_variable(), 4);
	CHECK(queue(), 12);
	CHECK_AFTER(n = queue_element_returned(), n->value, 3);
	CHECK(string_builder(), 1234);
	CHECK_AFTER(text = string_builder_text_returned(), atoi(text), 56);
	CHECK(double_links(), 21);
	CHECK(hash_table("two"), 22);
	CHECK(hash_table("six"), -1);
	CHECK(hash_table_key_returned("key")[1], 'e');
	CHECK(matrix(), 12);
	CHECK(iterated(), 45);
	CHECK(expression(), 15);
	CHECK(priority_queue(), 3);
	CHECK(graph(), 111);
	CHECK(bit_set(), 43);
	CHECK(two_dimensional(3), 5);
	CHECK(list_in_array(), 3210);
	return corpus_failed;
}
