/* SPDX-License-Identifier: MIT */
/* Catches: the same in lists and trees. */
#include "found.h"
/* reversing / rotating in place, rbtree style: self flows of one parameter, in a loop of the caller
 */
struct list {
	struct node *head;
};
static NI void drop(struct list *l)
{
	l->head = l->head->next;
}
static NI struct node *f(void)
{
	struct list l;
	struct node *a = NEW, *b = NEW, *x = NEW;
	x->v = 42;
	l.head = a;
	a->next = b;
	drop(&l);
	l.head->next = x;
	return b->next;
}
/* a member that a callee moves to another level, by value of the container */
struct tree {
	struct tree *l, *r;
	long k;
};
static NI void rot(struct tree **root)
{
	struct tree *t = *root, *n = t->r;
	t->r = n->l;
	n->l = t;
	*root = n;
}
static NI struct tree *g(void)
{
	struct tree *a = goheap_alloc(24), *b = goheap_alloc(24), *x = goheap_alloc(24);
	struct tree *root = a;
	a->r = b;
	x->k = 43;
	rot(&root);
	root->r = x;
	return b->r;
}
int main(void)
{
	struct node *r = f();
	dirt();
	printf("%s ", r->v == 42 ? "ok" : "WRONG");
	struct tree *t = g();
	dirt();
	printf("%s\n", t->k == 43 ? "ok" : "WRONG");
}
