/* SPDX-License-Identifier: MIT */
/* Catches: such a number in structs that are passed and returned. */
#include "found.h"
#include <sys/mman.h>
#define BASE 0x20000000UL
#define SN struct node
struct s { uintptr_t a[2]; SN *p; long k; };
union u { uintptr_t n; SN *p; double d; };
static NI struct s mk(int i) { struct s r = { { BASE, BASE + 64 }, NULL, i }; return r; }
static NI void byval(struct s x, SN *n) { ((SN *)x.a[0])->next = n; }
static NI void byvalp(struct s x, SN *n) { x.p = (SN *)x.a[0]; x.p->next = n; }
static NI void ptr(struct s *x, int i, SN *n) { ((SN *)x->a[i])->next = n; }
static NI void ptr2(struct s *x, int i, SN *n) { x->p = (SN *)x->a[i]; }
static NI SN *pick(struct s *x, int i) { return i ? (SN *)x->a[0] : x->p; }
static NI void f1(int c) { SN *n = NEW; n->v = 1; struct s x = mk(3); byval(x, n); }
static NI void f2(int c) { SN *n = NEW; n->v = 2; struct s x = mk(3), y = x; byvalp(y, n); }
static NI void f3(int c) { SN *n = NEW; n->v = 3; struct s x = { { BASE, BASE + 1 } }; ptr(&x, c - 1, n); }
static NI void f4(int c) { SN *n = NEW; n->v = 4; struct s x = { { BASE, BASE + 1 } }; ptr2(&x, c - 1, n); x.p->next = n; }
static NI void f5(int c) { SN *n = NEW; n->v = 5; struct s x = { { BASE, BASE + 1 } }; SN *q = pick(&x, c); q->next = n; }
static NI void f6(int c) { SN *n = NEW; n->v = 6; struct s *x = goheap_alloc(sizeof *x); x->a[0] = BASE; SN *tab[3] = { 0 }; tab[c] = pick(x, c); tab[c]->next = n; }
static NI void f7(int c) { SN *n = NEW; n->v = 7; struct s *x = goheap_alloc(sizeof *x); *x = mk(1); struct s y; memcpy(&y, x, sizeof y); y.p = (SN *)y.a[0]; y.p->next = n; }
static NI uintptr_t addr(int i) { return BASE + 64 * (i - 1); }
static NI void f8(int c) { SN *n = NEW; n->v = 8; union u u; u.n = addr(c); u.p->next = n; }
static NI void f9(int c) { SN *n = NEW; n->v = 9; SN *volatile dummy; SN *q = NULL; for (uintptr_t a = BASE; a < BASE + 16; a += 16) q = (SN *)a; q->next = n; }
static NI void f10(int c) { SN *n = NEW; n->v = 10; uintptr_t a[2] = { 0, 0 }; for (int i = 0; i < 2; i++) a[i] = addr(1); SN *t[2]; memcpy(t, a, sizeof t); t[c]->next = n; }
static NI uintptr_t *nums(uintptr_t *a) { a[0] = BASE; return a; }
static NI void f11(int c) { SN *n = NEW; n->v = 11; uintptr_t a[1]; ((SN *)nums(a)[0])->next = n; }
static NI void f12(int c) { SN *n = NEW; n->v = 12; union u a[1]; a[0].p = NULL; nums(&a[0].n); a[0].p->next = n; }
static NI void put(SN **slot) { *slot = (SN *)addr(1); }
static NI void f13(int c) { SN *n = NEW; n->v = 13; SN *q = NULL; put(&q); q->next = n; }
static NI void putc_(SN **slot, uintptr_t a) { *slot = (SN *)a; }
static NI void f14(int c) { SN *n = NEW; n->v = 14; SN *q = NULL; putc_(&q, BASE); q->next = n; }
static NI void f15(int c) { SN *n = NEW; n->v = 15; SN *q = NULL; putc_(&q, addr(1)); q->next = n; }
static NI void mset(unsigned *h, unsigned v) { h[0] = v; h[1] = 0; }
static NI void f16(int c) { SN *n = NEW, *q; n->v = 16; unsigned h[2]; mset(h, 0x20000000); memcpy(&q, h, 8); q->next = n; }
static NI void f17(int c) { SN *n = NEW, *q[2] = { 0 }; n->v = 17; unsigned h[2] = { 0x20000000 }; memcpy(&q[1], h, 8); q[c]->next = n; }
static NI void f18(int c) { SN *n = NEW, *q = NULL; n->v = 18; sscanf("0x20000000", "%p", &q); q->next = n; }
static NI void f19(int c) { SN *n = NEW, *q = NULL; n->v = 19; memset(&q, 0, 8); ((unsigned char *)&q)[3] = 0x20; q->next = n; }
static NI void f20(int c) { SN *n = NEW, *q = NULL; n->v = 20; struct { unsigned lo, hi; } w = { BASE, 0 }; q = *(SN *__attribute__((may_alias)) *)&w; q->next = n; }
#define T(k) (*(SN **)BASE = NULL, f##k(1), dirt(), printf("%s", *(SN **)BASE && (*(SN **)BASE)->v == k ? "" : "WRONG"), *(SN **)BASE && (*(SN **)BASE)->v == k ? 0 : printf("%d ", k))
int main(void)
{
	mmap((void *)BASE, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	goheap_add_roots((void *)BASE, (void *)(BASE + 4096));
	T(1); T(2); T(3); T(4); T(5); T(6); T(7); T(8); T(9); T(10); T(11); T(12); T(13); T(14); T(15); T(16); T(17); T(18); T(19); T(20);
	puts("ok");
}
