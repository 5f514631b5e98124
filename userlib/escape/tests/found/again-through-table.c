/* SPDX-License-Identifier: MIT */
/* Catches: a large frame that is there often, through pointers to functions. */
#include "found.h"
struct tree { int kind; struct tree *kid; };
typedef int visitor(struct tree *);
static visitor leaf, inner;
static visitor *const table[] = { leaf, inner };
static int leaf(struct tree *t) { return 1; }
static NI int with_buffer(struct tree *t)
{
	char *s = goheap_alloc_noscan(60000);
	snprintf(s, 60000, "%d", t->kind);
	return table[t->kid->kind](t->kid) + s[0];
}
static int inner(struct tree *t) { return with_buffer(t) & 1023; }
int main(void)
{
	struct tree *t = NULL;
	for (int i = 0; i < 300; i++) { struct tree *n = goheap_alloc(sizeof *n); n->kind = t != NULL; n->kid = t; t = n; }
	printf("%s\n", table[t->kind](t) ? "ok" : "WRONG");
}
