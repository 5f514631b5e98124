/* SPDX-License-Identifier: MIT */
/* For programs that print "ok", and once did not with the plugin. */
#ifndef FOUND_H
#define FOUND_H

#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "goheap.h"
struct node {
	struct node *next;
	long v;
};
#define NI __attribute__((noinline, noclone))
#define NEW goheap_alloc(sizeof(struct node))
static NI void dirt(void)
{
	volatile unsigned char d[8192];
	for (unsigned i = 0; i < sizeof d; i++)
		d[i] = 0xa5;
}
static struct node *global;

#endif
