/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What palloc.c and palloc_fit.c share. */
#ifndef _GOHEAP_PALLOC_TREE_H
#define _GOHEAP_PALLOC_TREE_H

#include <linux/bitops.h>

#include "palloc.h"

#define PALLOC_CHUNK_WORDS	(PALLOC_CHUNK_PAGES / BITS_PER_LONG)
#define PALLOC_CHUNK_MASK	(PALLOC_CHUNK_PAGES - 1)
#define PALLOC_BLOCK_MASK	(PALLOC_BLOCK_CHUNKS - 1)

/* log2 of the pages that a node of this level describes. */
static inline unsigned int palloc_level_shift(unsigned int level)
{
	return PALLOC_CHUNK_SHIFT + level * PALLOC_FANOUT_SHIFT;
}

/*
 * The summary of node @i of @level; the rest of its eight siblings stand
 * beside it.  Below level 3 its block must exist.
 */
static inline struct palloc_sum *palloc_sum(const struct palloc *p, unsigned int level, u64 i)
{
	static const u16 first[PALLOC_BLOCK_LEVEL] = { 0, 512, 512 + 64 };
	unsigned int shift;

	if (level >= PALLOC_BLOCK_LEVEL)
		return &p->top[level - PALLOC_BLOCK_LEVEL][i];

	shift = (PALLOC_BLOCK_LEVEL - level) * PALLOC_FANOUT_SHIFT;
	return &p->block[i >> shift]->sum[first[level] + (i & ((1U << shift) - 1))];
}

/* palloc.c */
u64 palloc_run_before(const struct palloc *p, u64 chunk);

/* palloc_fit.c */
void palloc_fit_update(struct palloc *p, u64 first, u64 last, bool edges);
void palloc_fit_forget(struct palloc_chunk *chunk);
u64 palloc_fit_search(const struct palloc *p, u64 npages);

#endif /* _GOHEAP_PALLOC_TREE_H */
