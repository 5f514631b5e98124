/* SPDX-License-Identifier: MIT */
/* Catches: a function that is called as one of libc is, in a header that counts as the system's.  Flags: -isystem beside */
#include "found.h"
#include <channel.h>
static NI void f(void) { struct node *n = NEW; n->v = 42; send(n, 1); }
int main(void) { f(); dirt(); printf("%s\n", sent()->v == 42 ? "ok" : "WRONG"); }
