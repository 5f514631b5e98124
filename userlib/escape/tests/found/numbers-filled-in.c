/* SPDX-License-Identifier: MIT */
/* Catches: pointers, as numbers, that a GOHEAP_NOESCAPE function leaves. */
#include "found.h"
struct handle {
	uintptr_t p, q;
};
struct handle gh;
struct node gn;
static NI void f(void)
{
	struct node *n = NEW;
	n->v = 42;
	struct handle h = gh;
	((struct node *)h.p)->next = n;
}
int main(void)
{
	gh.p = (uintptr_t)&gn;
	f();
	dirt();
	printf("%s\n", gn.next->v == 42 ? "ok" : "WRONG");
}
