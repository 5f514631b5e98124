/* SPDX-License-Identifier: MIT */
/* Catches: the same through qsort(). */
#include "found.h"
static int canonical(int depth);
static int cmp(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return x > 0 && y > 0 ? canonical(x - 1) - canonical(y - 1) : 0;
}
static NI int canonical(int depth)
{
	int *v = goheap_alloc_noscan(60000);
	if (depth <= 0) return 0;
	v[0] = depth; v[1] = 1;
	qsort(v, 2, sizeof(int), cmp);
	return v[0];
}
int main(void) { printf("%s\n", canonical(500) ? "ok" : "WRONG"); }
