/* SPDX-License-Identifier: MIT */
/* Catches: an address in text of the program's own making, copied, printed and read. */
#include "found.h"
static NI void enc(char *b, uintptr_t x) { for (int i = 0; i < 16; i++) b[i] = 'a' + (x >> 4 * i & 15); b[16] = 0; }
static NI uintptr_t dec(const char *b) { uintptr_t x = 0; for (int i = 0; i < 16; i++) x |= (uintptr_t)(b[i] - 'a') << 4 * i; return x; }
static NI struct node *f(void) { struct node *n = NEW; char b[20], c[20]; n->v = 42; enc(b, (uintptr_t)n); strcpy(c, b); return (struct node *)dec(c); }
static NI struct node *g(void) { struct node *n = NEW; char b[20], c[20]; n->v = 43; enc(b, (uintptr_t)n); sprintf(c, "%s", b); return (struct node *)dec(c); }
static NI struct node *h(void) { struct node *n = NEW; char b[20], c[20]; n->v = 44; enc(b, (uintptr_t)n); sscanf(b, "%s", c); return (struct node *)dec(c); }
static NI struct node *k(FILE *t) { struct node *n = NEW; char b[20]; n->v = 45; enc(b, (uintptr_t)n); fputs(b, t); rewind(t); fgets(b, 20, t); return (struct node *)dec(b); }
int main(void)
{
	struct node *r;
	r = f(); dirt(); printf("%s ", r->v == 42 ? "ok" : "WRONG");
	r = g(); dirt(); printf("%s ", r->v == 43 ? "ok" : "WRONG");
	r = h(); dirt(); printf("%s ", r->v == 44 ? "ok" : "WRONG");
	r = k(tmpfile()); dirt(); printf("%s\n", r->v == 45 ? "ok" : "WRONG");
}
