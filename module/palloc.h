/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The page allocator: which runtime pages of an arena are in use.
 *
 * Pure: it knows page numbers, not memory.  No locks (the caller serialises
 * every call on one struct palloc), no page tables, no kernel service beyond
 * bitmaps; the same source runs in goheap.ko, in libgoheap's in-process heap
 * and in the tests.  See palloc.c for the design.
 */
#ifndef _GOHEAP_PALLOC_H
#define _GOHEAP_PALLOC_H

#include <linux/bitmap.h>
#include <linux/types.h>

#define PALLOC_CHUNK_SHIFT	9
#define PALLOC_CHUNK_PAGES	512U	/* of 8 KiB: 4 MiB */

/* No page: the answer of a search that found nothing. */
#define PALLOC_NONE		(~(u64)0)

/* Arenas are at most 16 TiB, so a count of pages fits 31 bits. */
#define PALLOC_MAX_CHUNKS	(4U << 20)

/**
 * struct palloc_chunk - the state of 512 pages
 * @used: page is part of a span, or reserved for one
 * @start: a span begins at this page
 * @released: page is not backed by memory (fresh chunks: all ones)
 *
 * The caller allocates it, usually inside a structure of its own that says
 * what memory is behind the pages, and gets it back from palloc_chunk().
 */
struct palloc_chunk {
	DECLARE_BITMAP(used, PALLOC_CHUNK_PAGES);
	DECLARE_BITMAP(start, PALLOC_CHUNK_PAGES);
	DECLARE_BITMAP(released, PALLOC_CHUNK_PAGES);
};

/**
 * struct palloc_sum - free runs in a range of pages
 * @start: length of the free run at its beginning
 * @max: length of the longest free run
 * @end: length of the free run at its end
 */
struct palloc_sum {
	u32 start, max, end;
};

/* A block describes 512 chunks (2 GiB): see palloc.c. */
#define PALLOC_BLOCK_SHIFT	9
#define PALLOC_BLOCK_CHUNKS	512U

/*
 * Summaries: a node of level l describes 8^l chunks.  Levels 0 to 2 are in the
 * blocks, level 3 is one node a block, the last level is one node in all.
 */
#define PALLOC_FANOUT_SHIFT	3
#define PALLOC_FANOUT		8U
#define PALLOC_BLOCK_LEVEL	3
#define PALLOC_TOP_LEVELS	6	/* 8^(3 + 6 - 1) chunks >= PALLOC_MAX_CHUNKS */
#define PALLOC_BLOCK_SUMS	(512 + 64 + 8)

/**
 * struct palloc_block - what is known about 512 chunks
 * @chunk: the chunks, NULL where there is none yet
 * @sum: summaries of level 0 (512 of them), then 1 (64), then 2 (8)
 * @retained: chunks that may hold free pages with memory behind them; never
 *	clear for one that does
 *
 * Only palloc.c and its tests look inside.
 */
struct palloc_block {
	struct palloc_chunk *chunk[PALLOC_BLOCK_CHUNKS];
	struct palloc_sum sum[PALLOC_BLOCK_SUMS];
	DECLARE_BITMAP(retained, PALLOC_BLOCK_CHUNKS);
};

/**
 * struct palloc_ops - where the tables' memory comes from; both may sleep
 * @zalloc: zeroed memory, or NULL
 * @free: takes back what @zalloc gave, and blocks given to palloc_add_block()
 */
struct palloc_ops {
	void *(*zalloc)(size_t bytes);
	void (*free)(void *p, size_t bytes);
};

/**
 * struct palloc - the page allocator of one arena
 * @max_chunks: the arena's length, chunks
 * @nr_chunks: chunks that exist: pages 0 to @nr_chunks * 512 - 1 are managed
 * @nr_used: pages in use
 * @nr_released: free pages that are not backed by memory.  A used page never
 *	counts, whatever its released bit says, so the free pages that are
 *	backed (retained) are @nr_chunks * 512 - @nr_used - @nr_released
 * @hint: no page below this one is free
 * @dirty: the one chunk that the summaries lag behind, or PALLOC_NONE
 * @block: blocks, by index
 * @nr_blocks: blocks that exist
 * @top_level: level of the one node that describes the whole arena
 * @top: summaries of levels 3 to @top_level; each array is padded with zeroes
 *	to a multiple of 8
 * @retained: blocks whose own @retained bitmap is not empty
 * @ops: as given to palloc_init()
 * @tables: the one allocation that @block, @top and @retained point into
 * @tables_bytes: its size
 *
 * Callers read the first four; the rest is palloc.c's.
 */
struct palloc {
	u64 max_chunks;
	u64 nr_chunks;
	u64 nr_used;
	u64 nr_released;

	u64 hint;
	u64 dirty;
	struct palloc_block **block;
	unsigned int nr_blocks;
	unsigned int top_level;
	struct palloc_sum *top[PALLOC_TOP_LEVELS];
	unsigned long *retained;

	const struct palloc_ops *ops;
	void *tables;
	size_t tables_bytes;
};

int palloc_init(struct palloc *p, u64 max_chunks, const struct palloc_ops *ops);
void palloc_destroy(struct palloc *p);

/* Growing.  The caller brings the memory: none is allocated under its lock. */
u64 palloc_chunks_needed(struct palloc *p, u64 npages);
size_t palloc_block_bytes(void);
bool palloc_wants_block(const struct palloc *p, u64 chunk);
void palloc_add_block(struct palloc *p, void *zeroed);
void palloc_add_chunk(struct palloc *p, struct palloc_chunk *chunk);
struct palloc_chunk *palloc_chunk(const struct palloc *p, u64 chunk);

/* Spans. */
u64 palloc_alloc(struct palloc *p, u64 npages);
u64 palloc_span_pages(const struct palloc *p, u64 page);
void palloc_free(struct palloc *p, u64 page, u64 npages);
void palloc_flush(struct palloc *p);

/* Memory behind pages. */
u64 palloc_count_released(const struct palloc *p, u64 page, u64 npages);
void palloc_set_released(struct palloc *p, u64 page, u64 npages);
void palloc_clear_released(struct palloc *p, u64 page, u64 npages);
bool palloc_find_retained(struct palloc *p, u64 below, u64 max, u64 *page,
			  u64 *npages);

#endif /* _GOHEAP_PALLOC_H */
