/* SPDX-License-Identifier: MIT */
/* Catches: a struct that is copied out of a union where a pointer was stored. */
#include "found.h"
struct ptrs { struct node *a, *b; };
struct words { uintptr_t a, b; };
union both { struct ptrs p; struct words w; };
static NI void init(struct ptrs *p, struct node *n) { p->a = n; p->b = NULL; }
static NI uintptr_t f(int i)
{
	union both u;
	struct node *n = NEW;
	n->v = 42;
	init(&u.p, n);
	struct words w[2] = { u.w, u.w };
	return w[i].a;
}
static NI uintptr_t first(struct words w) { return w.a; }
static NI uintptr_t g(void)
{
	union both u;
	struct node *n = NEW;
	n->v = 43;
	init(&u.p, n);
	return first(u.w);
}
static NI struct words out(union both *u) { return u->w; }
static NI uintptr_t h(void)
{
	union both u;
	struct node *n = NEW;
	n->v = 44;
	init(&u.p, n);
	return out(&u).a;
}
int main(void)
{
	struct node *r = (struct node *)f(1); dirt();
	printf("%s ", r->v == 42 ? "ok" : "WRONG");
	r = (struct node *)g(); dirt();
	printf("%s ", r->v == 43 ? "ok" : "WRONG");
	r = (struct node *)h(); dirt();
	printf("%s\n", r->v == 44 ? "ok" : "WRONG");
}
