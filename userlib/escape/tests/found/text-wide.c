/* SPDX-License-Identifier: MIT */
/* Catches: what goes through wide text.  Flags: -D_FORTIFY_SOURCE=2 */
#include "found.h"
#include <wchar.h>
static NI struct node *f(void)
{
	struct node *n = NEW; wchar_t b[40];
	n->v = 42;
	swprintf(b, 40, L"%p", (void *)n);
	return (struct node *)wcstoul(b, NULL, 16);
}
int main(void)
{
	struct node *r = f(); dirt();
	printf("%s\n", r->v == 42 ? "ok" : "WRONG");
}
