/* SPDX-License-Identifier: MIT */
#include "../found.h"
static struct node *last;
void send(struct node *n, int channel) { last = n; }
struct node *sent(void) { return last; }
