/* SPDX-License-Identifier: MIT */
/*
 * The port: included before each file (-include), in place of malloc.c.
 */
#include <goheap.h>

#define smalloc		goheap_alloc
#define srealloc	goheap_realloc
#define sfree		goheap_free
