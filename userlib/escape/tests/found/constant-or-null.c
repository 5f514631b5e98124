/* SPDX-License-Identifier: MIT */
/* Catches: a store through what may be NULL or an address that is a constant. */
#include "found.h"
#include <sys/mman.h>
static NI uintptr_t base(int i) { return 0x20000000 + i * 64; }
static NI void f(int i)
{
	struct node *n = NEW, *tab[4] = { 0 };
	n->v = 42;
	tab[1] = (struct node *)base(0);
	tab[2] = (struct node *)base(1);
	tab[i]->next = n;
}
struct map { uintptr_t at[2]; struct node *cache[2]; };
static NI void g(int i, int j)	/* without a function: constants in a local struct */
{
	struct node *n = NEW;
	struct map m = { { 0x20000000, 0x20000100 }, { NULL, NULL } };
	n->v = 43;
	m.cache[j] = (struct node *)m.at[i];
	m.cache[1]->next = n;
}
int main(void)
{
	mmap((void *)0x20000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	goheap_add_roots((void *)0x20000000, (void *)0x20001000);
	f(1); dirt();
	printf("%s ", (*(struct node **)0x20000000)->v == 42 ? "ok" : "WRONG");
	g(0, 1); dirt();
	printf("%s\n", (*(struct node **)0x20000000)->v == 43 ? "ok" : "WRONG");
}
