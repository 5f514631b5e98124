/* SPDX-License-Identifier: MIT */
/* Catches: an address that is printed and read again. */
#include "found.h"
/* strxfrm in the C locale copies; a number made text and back */
static NI struct node *f(void)
{
	struct node *n = NEW;
	n->v = 42;
	char b[40];
	sprintf(b, "%lu", (unsigned long)n);
	return (struct node *)strtoul(b, NULL, 10);
}
static NI struct node *g(void)
{
	struct node *n = NEW, *m;
	n->v = 43;
	char b[40];
	sprintf(b, "%p", (void *)n);
	sscanf(b, "%p", (void **)&m);
	return m;
}
static NI struct node *h(void)
{
	struct node *n = NEW, *m = 0;
	n->v = 44;
	int p[2];
	pipe(p);
	write(p[1], &n, sizeof n);
	read(p[0], &m, sizeof m);
	return m;
}
int main(void)
{
	struct node *r = f();
	dirt();
	printf("%s ", r->v == 42 ? "ok" : "WRONG");
	r = g();
	dirt();
	printf("%s ", r->v == 43 ? "ok" : "WRONG");
	r = h();
	dirt();
	printf("%s\n", r->v == 44 ? "ok" : "WRONG");
}
