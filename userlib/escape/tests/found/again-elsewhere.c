/* SPDX-License-Identifier: MIT */
/* Catches: a large frame of a static function that is there often, by way of another unit. */
#include "found.h"
extern int visit(int depth);
static NI int big(int depth)
{
	char *s = goheap_alloc_noscan(60000);
	int r;
	snprintf(s, 60000, "%d", depth);
	r = visit(depth);	/* elsewhere: calls walk() */
	return r + s[0];
}
int walk(int depth) { return depth ? big(depth) & 1023 : 0; }
