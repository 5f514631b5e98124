/* SPDX-License-Identifier: MIT */
/* Catches: a large frame that is inlined into one that is there often. */
#include "found.h"
static inline int leaf(int x)
{
	char *s = goheap_alloc_noscan(2500);
	snprintf(s, 2500, "%d", x);
	return strlen(s);
}
static NI int deep(int d, int k)
{
	char *t = goheap_alloc_noscan(256);
	int r = leaf(d);
	snprintf(t, 256, "%d", r);
	if (d > 0)
		r += deep(d - 1, k) ^ t[0];
	return r & 0xffff;
}
int main(int argc, char **argv) { printf("%s\n", deep(8000, argc) ? "ok" : "WRONG"); }
