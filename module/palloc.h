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
#define PALLOC_CHUNK_PAGES	(1U << PALLOC_CHUNK_SHIFT)	/* 512 * 8 KiB = 4 MiB */

/* No page: the answer of a search that found nothing. */
#define PALLOC_NONE		(~(u64)0)

/* Arenas are at most 16 TiB, so a count of pages fits 31 bits. */
#define PALLOC_MAX_CHUNKS	(1U << 22)

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
#define PALLOC_BLOCK_CHUNKS	(1U << PALLOC_BLOCK_SHIFT)

struct palloc_block;

/* Where palloc_init() takes the memory for its tables from; may sleep. */
struct palloc_ops {
	void *(*zalloc)(size_t bytes);		/* zeroed, or NULL */
	void (*free)(void *p, size_t bytes);
};

/**
 * struct palloc - the page allocator of one arena
 * @max_chunks: the arena's length, chunks
 * @nr_chunks: chunks that exist: pages 0 to @nr_chunks * 512 - 1 are managed
 * @nr_used: pages in use
 * @nr_released: free pages that are not backed by memory
 *
 * Callers read these four; the rest is palloc.c's.
 */
struct palloc {
	u64 max_chunks;
	u64 nr_chunks;
	u64 nr_used;
	u64 nr_released;
	/* ... palloc.c's own fields follow ... */
};

int palloc_init(struct palloc *p, u64 max_chunks, const struct palloc_ops *ops);
void palloc_destroy(struct palloc *p);		/* the chunks are the caller's to free, before */

/* Growing.  The caller brings the memory, so that none is allocated under its lock. */
u64 palloc_chunks_needed(const struct palloc *p, u64 npages);	/* 0: none; PALLOC_NONE: arena too small */
size_t palloc_block_bytes(void);
bool palloc_wants_block(const struct palloc *p, u64 chunk);	/* chunk (index) needs a new block before it is added */
void palloc_add_block(struct palloc *p, void *zeroed);		/* then owned by p, freed with ops->free */
void palloc_add_chunk(struct palloc *p, struct palloc_chunk *chunk); /* at index nr_chunks; all free, all released */
struct palloc_chunk *palloc_chunk(const struct palloc *p, u64 chunk);

/* First fit by address.  Sets used and start; released bits are left as they were.  PALLOC_NONE: no run is long enough. */
u64 palloc_alloc(struct palloc *p, u64 npages);
/* The length of the span that begins at page; 0 if none does (any page number may be asked). */
u64 palloc_span_pages(const struct palloc *p, u64 page);
/* Allocates nothing, cannot fail.  The range must be a span. */
void palloc_free(struct palloc *p, u64 page, u64 npages);
/* Summaries may lag behind the bitmaps inside a batch of calls; this brings them up to date (searches do so by themselves). */
void palloc_flush(struct palloc *p);

/* Memory behind pages. */
u64 palloc_count_released(const struct palloc *p, u64 page, u64 npages);
void palloc_set_released(struct palloc *p, u64 page, u64 npages);
void palloc_clear_released(struct palloc *p, u64 page, u64 npages);
/* The highest run of free, backed pages that ends at or below page `below`; at most max pages of its upper end. */
bool palloc_find_retained(struct palloc *p, u64 below, u64 max, u64 *page, u64 *npages);

#endif /* _GOHEAP_PALLOC_H */
