/* SPDX-License-Identifier: MIT */
/* Catches: a struct from a function with the attribute const. */
#include "found.h"
struct handle {
	uintptr_t p, q;
};
__attribute__((const, noipa)) struct handle wrap(struct node *n)
{
	struct handle h = {(uintptr_t)n, 1};
	return h;
}
static NI struct node *f(void)
{
	struct node *n = NEW;
	n->v = 42;
	struct handle h = wrap(n);
	return (struct node *)h.p;
}
int main(void)
{
	struct node *r = f();
	dirt();
	printf("%s\n", r->v == 42 ? "ok" : "WRONG");
}
