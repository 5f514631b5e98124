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

/* Arenas are at most 16 TiB, so a count of pages fits 32 bits. */
#define PALLOC_MAX_CHUNKS	(4U << 20)

/**
 * enum palloc_policy - which free run a span is cut from; always its lowest pages
 * @PALLOC_FIRST_FIT: the one with the lowest address of those long enough
 * @PALLOC_BEST_FIT: the shortest of those long enough, and of equally long ones
 *	that with the lowest address
 */
enum palloc_policy {
	PALLOC_FIRST_FIT,
	PALLOC_BEST_FIT,
};

/**
 * struct palloc_lens - which lengths the free runs in a range of pages have
 * @bit: bit n - 1: there is a run of n pages
 */
struct palloc_lens {
	DECLARE_BITMAP(bit, PALLOC_CHUNK_PAGES);
};

/**
 * struct palloc_chunk - the state of 512 pages
 * @used: page is part of a span, or reserved for one
 * @start: a span begins at this page
 * @released: page is not backed by memory (fresh chunks: all ones)
 * @lens: lengths of the free runs that begin here; see palloc_fit.c
 * @run: length of the one that begins here and is longer than 512, or 0
 * @child: that one's place in the tree of such runs: chunks' numbers plus 1
 *
 * The caller allocates it, usually inside a structure of its own that says
 * what memory is behind the pages, and gets it back from palloc_chunk().  The
 * first three are its business too; the rest is kept for best fit alone, and
 * stale under first fit.
 */
struct palloc_chunk {
	DECLARE_BITMAP(used, PALLOC_CHUNK_PAGES);
	DECLARE_BITMAP(start, PALLOC_CHUNK_PAGES);
	DECLARE_BITMAP(released, PALLOC_CHUNK_PAGES);
	struct palloc_lens lens;
	u32 run;
	u32 child[2];
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
#define PALLOC_BLOCK_LENS	(64 + 8 + 1)

/**
 * struct palloc_block - what is known about 512 chunks
 * @chunk: the chunks, NULL where there is none yet
 * @sum: summaries of level 0 (512 of them), then 1 (64), then 2 (8)
 * @retained: chunks that may hold free pages with memory behind them; never
 *	clear for one that does
 * @lens: lengths of free runs of level 1 (64 of them), then 2 (8), then 3
 *
 * Only palloc.c and its tests look inside.
 */
struct palloc_block {
	struct palloc_chunk *chunk[PALLOC_BLOCK_CHUNKS];
	struct palloc_sum sum[PALLOC_BLOCK_SUMS];
	DECLARE_BITMAP(retained, PALLOC_BLOCK_CHUNKS);
	struct palloc_lens lens[PALLOC_BLOCK_LENS];
};

/**
 * struct palloc_ops - where the tables' memory comes from; both may sleep
 * @zalloc: zeroed memory, or NULL
 * @free: takes back what @zalloc gave, and blocks given to palloc_add_block()
 * @relax: called now and then by what takes long (only palloc_set_policy()), or
 *	NULL
 */
struct palloc_ops {
	void *(*zalloc)(size_t bytes);
	void (*free)(void *p, size_t bytes);
	void (*relax)(void);
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
 * @policy: as last set
 * @quick: longest run that palloc_alloc() may take without a further look at
 *	@policy: a word's pages under first fit, 0 under best fit
 * @lens: lengths of free runs of level 4 to @top_level, padded as @top
 * @long_runs: root of the tree of runs of more than 512 pages: number of the chunk
 *	that it begins in, plus 1
 * @key_shift: bits of a chunk's number in that tree's keys
 * @key_bits: bits of a key
 * @ops: as given to palloc_init()
 * @tables: the one allocation that @block, @top, @lens and @retained point into
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

	enum palloc_policy policy;
	u64 quick;
	struct palloc_lens *lens[PALLOC_TOP_LEVELS - 1];
	u32 long_runs;
	u8 key_shift;
	u8 key_bits;

	const struct palloc_ops *ops;
	void *tables;
	size_t tables_bytes;
};

int palloc_init(struct palloc *p, u64 max_chunks, const struct palloc_ops *ops);
void palloc_destroy(struct palloc *p);
void palloc_set_policy(struct palloc *p, enum palloc_policy policy);

/* Growing.  The caller brings the memory: none is allocated under its lock. */
u64 palloc_chunks_needed(struct palloc *p, u64 npages);
size_t palloc_block_bytes(void);
bool palloc_wants_block(const struct palloc *p, u64 chunk);
void palloc_add_block(struct palloc *p, void *zeroed);
void palloc_add_chunk(struct palloc *p, struct palloc_chunk *chunk);
void palloc_adopt_chunk(struct palloc *p, struct palloc_chunk *chunk);
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
