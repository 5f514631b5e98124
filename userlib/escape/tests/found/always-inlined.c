/* SPDX-License-Identifier: MIT */
/* Catches: a function that has to be inlined and no longer can be. */
#include "found.h"
static inline __attribute__((always_inline)) int ai(int x)
{
	char *s = goheap_alloc_noscan(2500);
	snprintf(s, 2500, "%d", x);
	return strlen(s);
}
static const struct ops { int (*f)(int); } ops = { ai };
static NI int deep(int d)
{
	int r = ops.f(d);
	if (d > 0) r += deep(d - 1);
	return r;
}
int main(int argc, char **argv) { printf("%s\n", deep(10) ? "ok" : "WRONG"); }
