/* SPDX-License-Identifier: MIT */
/* Catches: a number in a struct that is passed by value, used as a pointer. */
#include "found.h"
struct handle {
	uintptr_t p;
};
static NI void link_(struct handle h, struct node *m)
{
	((struct node *)h.p)->next = m;
}
static NI struct node *f(void)
{
	struct node *a = NEW, *b = NEW;
	b->v = 42;
	struct handle h = {(uintptr_t)a};
	link_(h, b);
	return a->next;
}
int main(void)
{
	struct node *r = f();
	dirt();
	printf("%s\n", r->v == 42 ? "ok" : "WRONG");
}
