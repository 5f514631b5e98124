/* SPDX-License-Identifier: MIT */
/* Catches: a number that nobody knows, beside NULL, in arrays, unions, results and arguments. */
#include "found.h"
#include <sys/mman.h>
#define BASE 0x20000000UL
struct holder { struct node *p; };
static NI struct node *at(unsigned long i) { return (struct node *)(BASE + i * 64); }
static NI struct node *at0(uintptr_t a) { return (struct node *)a; }
static NI void f1(int c) { struct node *n = NEW; n->v = 41; struct node *q = c ? at0(BASE) : NULL; if (q) q->next = n; }
static NI void f2(int c) { struct node *n = NEW; struct holder h; h.p = at0(BASE); struct holder *volatile hp = 0; n->v = 42; __asm__("":::"memory"); h.p->next = n; }
static NI void f2b(int i) { struct node *n = NEW, *tab[2]; n->v = 42; tab[0] = NULL; tab[1] = at0(BASE); tab[i]->next = n; }
union u { uintptr_t n; struct node *p; uint32_t h[2]; unsigned char b[8]; };
static NI union u mk(unsigned long i) { union u r; r.n = BASE + (i - i); return r; }
static NI union u mkc(void) { union u r; r.n = BASE; return r; }
static NI void f3(int c) { struct node *n = NEW; n->v = 43; union u x = mkc(); x.p->next = n; }
static NI void f4(int c) { struct node *n = NEW; n->v = 44; union u x; x.h[0] = 0x20000000; x.h[1] = 0; x.p->next = n; }
static NI void f5(int c) { struct node *n = NEW; n->v = 45; union u x; for (int i = 0; i < 8; i++) x.b[i] = BASE >> 8 * i & 255; x.p->next = n; }
static NI void f6(int c) { struct node *n = NEW, *p; n->v = 46; unsigned char b[8]; for (int i = 0; i < 8; i++) b[i] = BASE >> 8 * i & 255; memcpy(&p, b, 8); p->next = n; }
static NI void put2(uintptr_t a, struct node *n) { ((struct node *)a)->next->next = n; }
static NI uintptr_t num(void) { return BASE + 128; }
static NI void f7(int c) { struct node *n = NEW; n->v = 47; put2(num(), n); }
static NI struct node *get(uintptr_t a) { return ((struct node *)a)->next; }
static NI void f8(int i) { struct node *n = NEW, *tab[2]; n->v = 48; tab[0] = NULL; tab[1] = get(num()); tab[i]->next = n; }
static NI uintptr_t number(void) { return BASE; }
static NI void f9(int i) { struct node *n = NEW; n->v = 49; union u x; x.n = number(); x.p->next = n; }
static NI uintptr_t same(uintptr_t a) { return a; }
static NI void f10(int i) { struct node *n = NEW; n->v = 50; union u x[2]; x[0].p = NULL; x[1].n = same(BASE); x[i].p->next = n; }
#define T(f, k) (*(struct node **)BASE = NULL, f(1), dirt(), printf("%s ", *(struct node **)BASE && (*(struct node **)BASE)->v == k ? "ok" : "WRONG"))
int main(void)
{
	mmap((void *)BASE, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	goheap_add_roots((void *)BASE, (void *)(BASE + 4096));
	*(struct node **)(BASE + 128) = (struct node *)BASE;
	T(f1, 41); T(f2, 42); T(f2b, 42); T(f3, 43); T(f4, 44); T(f5, 45); T(f6, 46); T(f7, 47); T(f8, 48); T(f9, 49); T(f10, 50);
	puts("");
}
