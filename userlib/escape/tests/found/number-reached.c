/* SPDX-License-Identifier: MIT */
/* Catches: what is reached from an argument that is such a number. */
#include "found.h"
#include <sys/mman.h>
#define BASE 0x20000000UL
static NI void put2(uintptr_t a, struct node *n) { ((struct node *)a)->next->next = n; }
static NI void f7(int c) { struct node *n = NEW; n->v = 47; for (uintptr_t a = BASE + 128; a < BASE + 256; a += 128) put2(a, n); }
static NI struct node *get(uintptr_t a) { return ((struct node *)a)->next; }
static NI void f8(int c) { struct node *n = NEW, *tab[3]; n->v = 48; tab[0] = NULL; for (uintptr_t a = BASE + 128; a < BASE + 256; a += 128) tab[1] = get(a); tab[c]->next = n; }
#define T(f, k) (*(struct node **)BASE = NULL, f(1), dirt(), printf("%s ", *(struct node **)BASE && (*(struct node **)BASE)->v == k ? "ok" : "WRONG"))
int main(void)
{
	mmap((void *)BASE, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	goheap_add_roots((void *)BASE, (void *)(BASE + 4096));
	*(struct node **)(BASE + 128) = (struct node *)BASE;
	T(f7, 47); T(f8, 48); puts("");
}
