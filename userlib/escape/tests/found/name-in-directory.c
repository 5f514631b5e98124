/* SPDX-License-Identifier: MIT */
/* Catches: a header of another library in a directory of its own.  Flags: -isystem beside */
#include "found.h"
#include <bus/socket.h>
static NI void f(void) { struct node *n = NEW; n->v = 42; send(n, 1); }
int main(void) { f(); dirt(); printf("%s\n", sent()->v == 42 ? "ok" : "WRONG"); }
