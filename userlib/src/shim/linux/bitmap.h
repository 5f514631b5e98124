/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The few operations on bitmaps that module/palloc.c uses, one word at a time. */
#ifndef GOHEAP_SHIM_LINUX_BITMAP_H
#define GOHEAP_SHIM_LINUX_BITMAP_H

#include <linux/bitops.h>
#include <string.h>

#define DECLARE_BITMAP(name, bits)	unsigned long name[BITS_TO_LONGS(bits)]

static inline void bitmap_zero(unsigned long *map, unsigned int bits)
{
	memset(map, 0, BITS_TO_LONGS(bits) * sizeof(long));
}

/* As the kernel's, it may set the rest of the last word too. */
static inline void bitmap_fill(unsigned long *map, unsigned int bits)
{
	memset(map, 0xff, BITS_TO_LONGS(bits) * sizeof(long));
}

/* The highest set bit below @size; @size if there is none. */
static inline unsigned long find_last_bit(const unsigned long *map, unsigned long size)
{
	unsigned long i = BITS_TO_LONGS(size), word;

	while (i--) {
		word = map[i];
		if ((i + 1) * BITS_PER_LONG > size)
			word &= ~0UL >> (BITS_PER_LONG - size % BITS_PER_LONG);
		if (word)
			return i * BITS_PER_LONG + __fls(word);
	}
	return size;
}

static inline bool bitmap_empty(const unsigned long *map, unsigned int bits)
{
	return find_last_bit(map, bits) == bits;
}

#endif
