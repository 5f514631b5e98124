/* SPDX-License-Identifier: MIT */
/* Catches: an address taken apart by comparisons.  Only at -O0: GCC 12 alone gets it wrong at -O1. */
#include "found.h"
static NI struct node *bits(struct node *n)
{
	uintptr_t x = (uintptr_t)n, y = 0;
	_Bool b[64];
	for (int i = 0; i < 64; i++)
		b[i] = x >> i & 1;
	for (int i = 0; i < 64; i++)
		y |= (uintptr_t)b[i] << i;
	return (struct node *)y;
}
static NI struct node *f(void)
{
	struct node *n = NEW;
	n->v = 42;
	return bits(n);
}
int main(void)
{
	struct node *r = f();
	dirt();
	printf("%s\n", r->v == 42 ? "ok" : "WRONG");
}
