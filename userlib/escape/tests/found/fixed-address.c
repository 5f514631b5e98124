/* SPDX-License-Identifier: MIT */
/* Catches: memory at an address that is a constant. */
#include "found.h"
#include <sys/mman.h>
static NI void f(void)
{
	struct node *n = NEW;
	struct node **slot = (struct node **)0x20000000;
	n->v = 42;
	*slot = n;
}
static NI void g(int i)
{
	struct node *n = NEW;
	struct node **slot = (struct node **)(0x20000000UL + i * 8UL);
	n->v = 43;
	*slot = n;
}
int main(void)
{
	mmap((void *)0x20000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	goheap_add_roots((void *)0x20000000, (void *)0x20001000);
	f();
	dirt();
	printf("%s ", (*(struct node **)0x20000000)->v == 42 ? "ok" : "WRONG");
	g(1);
	dirt();
	printf("%s\n", (*(struct node **)0x20000008)->v == 43 ? "ok" : "WRONG");
}
