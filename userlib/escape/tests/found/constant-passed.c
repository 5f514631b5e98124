/* SPDX-License-Identifier: MIT */
/* Catches: a store through an address that is a constant and passed as a number. */
#include "found.h"
#include <sys/mman.h>
static NI void put(uintptr_t a, struct node *n) { *(struct node **)a = n; }
static NI struct node **at(uintptr_t a) { return (struct node **)a; }
static NI void f(void) { struct node *n = NEW; n->v = 42; put(0x20000000, n); }
static NI void g(void) { struct node *n = NEW; n->v = 43; *at(0x20000000) = n; }
static NI void put_at(uintptr_t *a, struct node *n) { *(struct node **)a[0] = n; }
static NI void h(void) { struct node *n = NEW; uintptr_t a[1] = { 0x20000000 }; n->v = 44; put_at(a, n); }
int main(void)
{
	mmap((void *)0x20000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	goheap_add_roots((void *)0x20000000, (void *)0x20001000);
	f(); dirt();
	printf("%s ", (*(struct node **)0x20000000)->v == 42 ? "ok" : "WRONG");
	g(); dirt();
	printf("%s\n", (*(struct node **)0x20000000)->v == 43 ? "ok" : "WRONG");
	h(); dirt();
	printf("%s\n", (*(struct node **)0x20000000)->v == 44 ? "ok" : "WRONG");
}
