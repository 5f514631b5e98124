/* SPDX-License-Identifier: MIT */
/* Catches: what goes through text of asprintf().  Flags: -D_FORTIFY_SOURCE=2 */
#define _GNU_SOURCE
#include "found.h"
#include <stdarg.h>
static NI char *f(void)	/* %p */
{
	struct node *n = NEW; char *s;
	n->v = 42;
	asprintf(&s, "%p", (void *)n);
	return s;
}
static NI char *g(void)	/* the pointer that is stored */
{
	struct node *n = NEW; char *s;
	n->v = 43;
	asprintf(&s, "%s", "0123456789abcdef");
	*(struct node **)s = n;
	return s;
}
static NI char *h(const char *fmt, ...)
{
	struct node *n = NEW; char *s; va_list ap;
	n->v = 44;
	va_start(ap, fmt);
	vasprintf(&s, fmt, ap);
	va_end(ap);
	*(struct node **)s = n;
	return s;
}
int main(void)
{
	struct node *r; char *s = f(); dirt();
	sscanf(s, "%p", (void **)&r);
	printf("%s ", r->v == 42 ? "ok" : "WRONG");
	s = g(); dirt();
	printf("%s ", (*(struct node **)s)->v == 43 ? "ok" : "WRONG");
	s = h("%s", "0123456789abcdef"); dirt();
	printf("%s\n", (*(struct node **)s)->v == 44 ? "ok" : "WRONG");
}
