/* SPDX-License-Identifier: MIT */
/* Catches: the same, by way of an alias. */
#include "found.h"
extern int visit(int);
int big(int depth);
static int real_big(int depth) { char *s = goheap_alloc_noscan(60000); snprintf(s, 60000, "%d", depth); return visit(depth) + s[0]; }
int big(int depth) __attribute__((alias("real_big")));
int walk(int depth) { return depth ? big(depth) & 1023 : 0; }
