/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#ifndef GOHEAP_SHIM_LINUX_KERNEL_H
#define GOHEAP_SHIM_LINUX_KERNEL_H

#include_next <linux/kernel.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#endif
