/* SPDX-License-Identifier: MIT */
/* Catches: the same through a type that may alias. */
#include "found.h"
struct words { uintptr_t a, b; } __attribute__((may_alias));
typedef struct words words_a;
struct ptrs { struct node *a, *b; };
static NI void touch(void *b) { __asm__ volatile("" ::: "memory"); if (!b) abort(); }
static NI uintptr_t f(void)
{
	struct ptrs p; struct words w;
	p.a = NEW; p.b = 0; p.a->v = 42;
	touch(&p);
	w = *(words_a *)&p;
	touch(&w);
	return w.a;
}
static NI uintptr_t first(struct words w) { return w.a; }
static NI uintptr_t h(void)
{
	struct ptrs p;
	p.a = NEW; p.b = 0; p.a->v = 44;
	touch(&p);
	return first(*(words_a *)&p);
}
int main(void)
{
	struct node *r = (struct node *)f(); dirt();
	printf("%s ", r->v == 42 ? "ok" : "WRONG");
	r = (struct node *)h(); dirt();
	printf("%s\n", r->v == 44 ? "ok" : "WRONG");
}
