/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The kernel's names for integer types, for module/palloc.c in user space.
 * The system's own <linux/types.h> (__u32 and so on) comes first: this
 * directory stands before it in the search path.
 */
#ifndef GOHEAP_SHIM_LINUX_TYPES_H
#define GOHEAP_SHIM_LINUX_TYPES_H

#include_next <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;

#endif
