/* SPDX-License-Identifier: MIT */
/* Catches: an address that libc is given as a number.  Only at -O0: GCC 12 alone gets modf() wrong at -O1. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "found.h"
#include <math.h>
#include <stdio.h>
static NI struct node *f(void)
{
	struct node *n = NEW; double ip;
	n->v = 42;
	modf((double)(uintptr_t)n, &ip);
	return (struct node *)(uintptr_t)ip;
}
static NI struct node *g(void)
{
	struct node *n = NEW;
	n->v = 43;
	return (struct node *)(uintptr_t)ldexp(ldexp((double)(uintptr_t)n, 3), -3);
}
static NI struct node *h(void)
{
	struct node *n = NEW, *m; unsigned char b[8];
	n->v = 44;
	for (volatile int i = 0; i < 8; i++)
		memset(b + i, (int)((uintptr_t)n >> 8 * i & 255), 1);
	memcpy(&m, b, 8);
	return m;
}
static NI struct node *k(void)
{
	struct node *n = NEW; uintptr_t x = 0; FILE *t = tmpfile();
	n->v = 45;
	for (int i = 0; i < 8; i++)
		putc((int)((uintptr_t)n >> 8 * i & 255), t);
	rewind(t);
	for (int i = 0; i < 8; i++)
		x |= (uintptr_t)fgetc(t) << 8 * i;
	fclose(t);
	return (struct node *)x;
}
static NI struct node *q(void)	/* what ungetc() and putc() return is what they are given */
{
	struct node *n = NEW; uintptr_t x = 0;
	n->v = 46;
	for (int i = 0; i < 8; i++) {
		x |= (uintptr_t)ungetc((int)((uintptr_t)n >> 8 * i & 255), stdin) << 8 * i;
		getchar();
	}
	return (struct node *)x;
}
#include <time.h>
#include <fcntl.h>
static NI struct node *t(void)
{
	struct node *n = NEW;
	n->v = 47;
	return (struct node *)(uintptr_t)difftime((time_t)(uintptr_t)n, 0);
}
static NI struct node *u(void)
{
	struct node *n = NEW; int fd = memfd_create("x", 0);
	n->v = 48;
	lseek(fd, (off_t)(uintptr_t)n, SEEK_SET);
	return (struct node *)lseek(fd, 0, SEEK_CUR);
}
int main(void)
{
	struct node *r;
	r = f(); dirt(); printf("%s ", r->v == 42 ? "ok" : "WRONG");
	r = g(); dirt(); printf("%s ", r->v == 43 ? "ok" : "WRONG");
	r = h(); dirt(); printf("%s ", r->v == 44 ? "ok" : "WRONG");
	r = k(); dirt(); printf("%s ", r->v == 45 ? "ok" : "WRONG");
	r = q(); dirt(); printf("%s ", r->v == 46 ? "ok" : "WRONG");
	r = t(); dirt(); printf("%s ", r->v == 47 ? "ok" : "WRONG");
	r = u(); dirt(); printf("%s\n", r->v == 48 ? "ok" : "WRONG");
}
