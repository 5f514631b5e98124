/* SPDX-License-Identifier: MIT */
/* Catches: a frame that gets large where there are thousands of it. */
#include "found.h"
static NI int f(int d)
{
	char *p = goheap_alloc(1024);
	p[d & 1023] = 1;
	int r = d ? f(d - 1) : 0;
	return r + p[(d * 7) & 1023];
}
int main(void)
{
	printf("%s\n", f(20000) == 40 ? "ok" : "WRONG");
}
