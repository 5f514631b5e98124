/* SPDX-License-Identifier: MIT */
/* Catches: a pointer that is read by fgets(). */
#include "found.h"
static NI void f(FILE *t)
{
	struct node *n = NEW, *p; char b[16];
	n->v = 42;
	fgets(b, 9, t);
	memcpy(&p, b, 8);
	p->next = n;
}
int main(void)
{
	FILE *t = tmpfile();
	global = NEW;
	/* A line feed among its bytes would end the line: another, or none if it is in all. */
	for (int i = 0; i < 100000 && memchr(&global, 10, sizeof(global)); i++)
		global = NEW;
	if (memchr(&global, 10, sizeof(global))) {
		puts("ok");
		return 0;
	}
	fwrite(&global, 8, 1, t); rewind(t);
	f(t); dirt();
	printf("%s\n", global->next->v == 42 ? "ok" : "WRONG");
}
