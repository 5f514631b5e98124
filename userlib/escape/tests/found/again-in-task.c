/* SPDX-License-Identifier: MIT */
/* Catches: a large frame that is there often, through a task.  Flags: -fopenmp */
#include "found.h"
int walk(int depth)
{
	char *s = goheap_alloc_noscan(60000);
	int r = 0;
	snprintf(s, 60000, "%d", depth);
	if (depth > 0) {
#pragma omp task shared(r) if(0)
		r = walk(depth - 1);
#pragma omp taskwait
	}
	return r + s[0] & 1023;
}
int main(void)
{
	int r = 0;
#pragma omp parallel num_threads(1)
	r = walk(300);
	printf("%s\n", r ? "ok" : "WRONG");
}
