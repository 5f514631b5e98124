/* SPDX-License-Identifier: MIT */
/* Catches: an object that a conversion of the program's own keeps. */
#include "found.h"
#include <printf.h>
static int fn(FILE *f, const struct printf_info *i, const void *const *args)
{ global = *(struct node **)args[0]; return fprintf(f, "ok"); }
static int ar(const struct printf_info *i, size_t n, int *types, int *size) { *types = PA_POINTER; *size = 8; return 1; }
static NI void f(void) { struct node *n = NEW; n->v = 42; printf("%W ", n); }
int main(void) { register_printf_specifier('W', fn, ar); f(); dirt(); printf("%s\n", global->v == 42 ? "ok" : "WRONG"); }
