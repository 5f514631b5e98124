/* SPDX-License-Identifier: MIT */
/* Catches: pointers, as numbers, in a struct that another function returns. */
#include "found.h"
struct handle {
	uintptr_t p, q;
};
struct handle gh;
struct node gn;
__attribute__((noipa)) struct handle get(void)
{
	struct handle h = {(uintptr_t)&gn, 1};
	return h;
}
static NI void f(void)
{
	struct node *n = NEW;
	n->v = 42;
	struct handle h = get();
	((struct node *)h.p)->next = n;
}
static NI void g(int i)
{
	struct node *n = NEW;
	n->v = 43;
	uintptr_t tab[4] = {(uintptr_t)&gn, (uintptr_t)&gh, (uintptr_t)&gn, (uintptr_t)&gh};
	((struct node *)tab[i])->next = n;
}
int main(void)
{
	f();
	dirt();
	printf("%s ", gn.next->v == 42 ? "ok" : "WRONG");
	g(2);
	dirt();
	printf("%s\n", gn.next->v == 43 ? "ok" : "WRONG");
}
