/* SPDX-License-Identifier: MIT */
/* Catches: pointers, as numbers, in a global struct. */
#include "found.h"
struct handle {
	uintptr_t p, q;
};
struct node gn;
void fill(struct handle *h) GOHEAP_NOESCAPE;
__attribute__((noipa)) void fill(struct handle *h)
{
	h->p = (uintptr_t)&gn;
}
static NI void f(void)
{
	struct node *n = NEW;
	struct handle h;
	n->v = 42;
	fill(&h);
	((struct node *)h.p)->next = n;
}
int main(void)
{
	f();
	dirt();
	printf("%s\n", gn.next->v == 42 ? "ok" : "WRONG");
}
