/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Single-word bit operations under the kernel's names. */
#ifndef GOHEAP_SHIM_LINUX_BITOPS_H
#define GOHEAP_SHIM_LINUX_BITOPS_H

#include <linux/types.h>

#define BITS_PER_LONG		(8 * __SIZEOF_LONG__)
#define BITS_TO_LONGS(bits)	(((bits) + BITS_PER_LONG - 1) / BITS_PER_LONG)

/* Number of the lowest, of the highest set bit; @word is not 0. */
static inline unsigned long __ffs(unsigned long word)
{
	return (unsigned long)__builtin_ctzl(word);
}

static inline unsigned long __fls(unsigned long word)
{
	return (unsigned long)(BITS_PER_LONG - 1 - __builtin_clzl(word));
}

static inline unsigned long hweight_long(unsigned long word)
{
	return (unsigned long)__builtin_popcountl(word);
}

#endif
