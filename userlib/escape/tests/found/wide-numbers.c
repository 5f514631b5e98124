/* SPDX-License-Identifier: MIT */
/* Catches: a pointer in a complex or 128-bit number. */
#include "found.h"
/* a callee returns a fixed address */
#include <sys/mman.h>
static NI struct node *regs(void)
{
	return (struct node *)0x20000000;
}
static NI void f(void)
{
	struct node *n = NEW;
	n->v = 42;
	regs()->next = n;
}
/* by value, narrow members; complex parameter in memory */
static NI unsigned long re(_Complex unsigned long *c)
{
	return __real__ * c;
}
static NI struct node *cplx(_Complex unsigned long c)
{
	return (struct node *)re(&c);
}
static NI struct node *g(void)
{
	struct node *n = NEW;
	n->v = 43;
	return cplx((_Complex unsigned long)(unsigned long)n);
}
static NI unsigned long ld(__int128 *c)
{
	return *c;
}
static NI struct node *wide(__int128 c)
{
	return (struct node *)ld(&c);
}
static NI struct node *h(void)
{
	struct node *n = NEW;
	n->v = 44;
	return wide((unsigned long)n);
}
int main(void)
{
	mmap((void *)0x20000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	f();
	dirt();
	printf("%s ", (*(struct node **)0x20000000)->v == 42 ? "ok" : "WRONG");
	struct node *r = g();
	dirt();
	printf("%s ", r->v == 43 ? "ok" : "WRONG");
	r = h();
	dirt();
	printf("%s\n", r->v == 44 ? "ok" : "WRONG");
}
