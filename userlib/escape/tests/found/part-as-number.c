/* SPDX-License-Identifier: MIT */
/* Catches: a pointer that GCC reads as a number when it takes a struct apart. */
#include "found.h"
struct S {
	struct node *p;
};
static NI unsigned long word(struct S *in)
{
	struct S s = *in;
	unsigned long w;
	memcpy(&w, &s, 8);
	return w;
}
static NI struct node *f(void)
{
	struct node *n = NEW;
	struct S s = {n};
	n->v = 42;
	return (struct node *)word(&s);
}
int main(void)
{
	struct node *r = f();
	dirt();
	printf("%s\n", r->v == 42 ? "ok" : "WRONG");
}
