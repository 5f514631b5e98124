/* SPDX-License-Identifier: MIT */
/* Catches: a callee that moves pointers within what one parameter leads to. */
#include "found.h"
static NI void pop(struct node *a)
{
	a->next = a->next->next;
}
static NI struct node *f(void)
{
	struct node *a = NEW, *b = NEW, *c = NEW, *d = NEW;
	d->v = 42;
	a->next = b;
	b->next = c;
	pop(a);
	a->next->next = d;
	return c->next;
}
int main(void)
{
	struct node *r = f();
	dirt();
	printf("%s\n", r->v == 42 ? "ok" : "WRONG");
}
