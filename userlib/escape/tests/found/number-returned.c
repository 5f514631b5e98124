/* SPDX-License-Identifier: MIT */
/* Catches: a parameter in memory whose value is read as a number. */
#include "found.h"
static NI uintptr_t id(uintptr_t *p)
{
	return *p;
}
static NI struct node *back(uintptr_t x)
{
	return (struct node *)id(&x);
}
static NI struct node *f(void)
{
	struct node *n = NEW;
	n->v = 42;
	return back((uintptr_t)n);
}
int main(void)
{
	struct node *r = f();
	dirt();
	printf("%s\n", r->v == 42 ? "ok" : "WRONG");
}
