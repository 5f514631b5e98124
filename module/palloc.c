// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The page allocator.
 *
 * Chunks.  The arena's pages are described 512 at a time by a struct
 * palloc_chunk: three bitmaps.  Chunks come into being in address order, as
 * the heap grows; a page of a chunk that does not exist counts as used.
 *
 * Blocks.  512 chunks make a block: one table with the chunks' addresses and
 * with the summaries of the chunks, of each 8 of them and of each 64.  What is
 * above (one pointer and one summary a block, and a summary for each 8, 64...
 * blocks) is sized by the arena's length and allocated with it, so that adding
 * a chunk or freeing a span never needs memory of palloc.c's own.
 *
 * Summaries.  They form a radix tree of fan-out 8.  Each says how long the
 * free run at the beginning of its range is, the longest free run in it, and
 * the free run at its end: enough to tell in one visit to a node's eight
 * children where the first run of n pages is, be it inside one child or across
 * several.  This is the search of Go's runtime/mpagealloc.go (find() and
 * update()), and the arithmetic on the bitmaps that of mpallocbits.go.
 *
 * What makes the common case cheap:
 *
 *  - The hint (Go's searchAddr): no page below it is free.  A run that is
 *    found in the hint's own chunk is the first fit, found from the bitmap
 *    alone.
 *  - Summaries may lag behind one chunk, the dirty one.  They are brought up
 *    to date when another chunk is touched, or when a search must look beyond
 *    the hint's chunk; a batch of spans in one chunk pays for it once.  Going
 *    up ends at the first level where nothing changed.
 *
 * Retained pages (free, with memory behind them) are found from above for the
 * scavenger: one bit a chunk and one a block say where some may be.  A set bit
 * may be wrong and is then cleared by the search that finds out, a clear bit
 * is always right, so allocating needs not look at them.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>

#include "palloc_tree.h"

static u64 palloc_end(const struct palloc *p)
{
	return p->nr_chunks << PALLOC_CHUNK_SHIFT;
}

/* The chunk that a managed page is in. */
static struct palloc_chunk *palloc_chunk_of(const struct palloc *p, u64 page)
{
	u64 c = page >> PALLOC_CHUNK_SHIFT;

	return p->block[c >> PALLOC_BLOCK_SHIFT]->chunk[c & PALLOC_BLOCK_MASK];
}

/* The bits of one word from @bit on, at most @n of them; *len says how many. */
static inline unsigned long palloc_word_mask(unsigned int bit, unsigned int n,
					     unsigned int *len)
{
	unsigned int off = bit % BITS_PER_LONG;

	*len = min_t(unsigned int, n, BITS_PER_LONG - off);
	return (~0UL >> (BITS_PER_LONG - *len)) << off;
}

/* The bits of @word at which @n set bits in a row begin; 1 <= @n <= BITS_PER_LONG. */
static unsigned long palloc_word_runs(unsigned long word, unsigned int n)
{
	unsigned int have = 1;

	while (have < n && word) {
		unsigned int step = min_t(unsigned int, have, n - have);

		word &= word >> step;
		have += step;
	}
	return word;
}

/*
 * The first run of @n clear bits at or above bit @from of a chunk's used
 * bitmap; PALLOC_CHUNK_PAGES if there is none.
 */
static unsigned int palloc_chunk_find(const unsigned long *used, unsigned int from,
				      unsigned int n)
{
	unsigned int w = from / BITS_PER_LONG;
	unsigned long free = ~used[w] & (~0UL << (from % BITS_PER_LONG));
	unsigned int run = 0;	/* free pages right below word w */

	for (;;) {
		unsigned int base = w * BITS_PER_LONG;

		if (free == ~0UL) {
			run += BITS_PER_LONG;
			if (run >= n)
				return base + BITS_PER_LONG - run;
		} else if (free) {
			if (run && run + __ffs(~free) >= n)
				return base - run;
			if (n <= BITS_PER_LONG) {
				unsigned long fit = palloc_word_runs(free, n);

				if (fit)
					return base + __ffs(fit);
			}
			run = BITS_PER_LONG - 1 - __fls(~free);
		} else {
			run = 0;
		}
		if (++w == PALLOC_CHUNK_WORDS)
			return PALLOC_CHUNK_PAGES;
		free = ~used[w];
	}
}

/* A chunk's summary, from its used bitmap. */
static struct palloc_sum palloc_summarize(const unsigned long *used)
{
	unsigned int start = PALLOC_CHUNK_PAGES, max = 0, run = 0, w;

	for (w = 0; w < PALLOC_CHUNK_WORDS; w++) {
		unsigned long free = ~used[w], fit;
		unsigned int lead;

		if (free == ~0UL) {
			run += BITS_PER_LONG;
			continue;
		}
		/* The run that came from below ends in this word. */
		lead = __ffs(~free);
		run += lead;
		if (start == PALLOC_CHUNK_PAGES)
			start = run;
		max = max_t(unsigned int, max, run);
		/* Is there a longer one that touches neither end?  How long? */
		if (free && max < BITS_PER_LONG - 2) {
			fit = palloc_word_runs(free, max + 1);
			while (fit) {
				max++;
				fit &= free >> max;
			}
		}
		run = BITS_PER_LONG - 1 - __fls(~free);
	}
	max = max_t(unsigned int, max, run);
	return (struct palloc_sum) { .start = start, .max = max, .end = run };
}

/* The summary of eight neighbours, each of which describes @size pages. */
static struct palloc_sum palloc_merge(const struct palloc_sum *child, u64 size)
{
	u32 start = 0, max = 0, run = 0;
	bool whole = true;	/* everything so far is free */
	unsigned int i;

	for (i = 0; i < PALLOC_FANOUT; i++, child++) {
		if (whole)
			start += child->start;
		if (child->end == size) {
			run += child->end;
			continue;
		}
		whole = false;
		max = max_t(u32, max, run + child->start);
		max = max_t(u32, max, child->max);
		run = child->end;
	}
	max = max_t(u32, max, run);
	return (struct palloc_sum) { .start = start, .max = max, .end = run };
}

static bool palloc_sum_set(struct palloc_sum *to, struct palloc_sum sum)
{
	if (to->start == sum.start && to->max == sum.max && to->end == sum.end)
		return false;
	*to = sum;
	return true;
}

/* The summaries of chunks @first to @last, and all that are above them. */
static noinline void palloc_update_sums(struct palloc *p, u64 first, u64 last)
{
	bool changed = false;
	unsigned int level;
	u64 i;

	for (i = first; i <= last; i++) {
		struct palloc_chunk *chunk = palloc_chunk(p, i);

		changed |= palloc_sum_set(palloc_sum(p, 0, i),
					  palloc_summarize(chunk->used));
	}
	for (level = 1; changed && level <= p->top_level; level++) {
		u64 size = 1ULL << palloc_level_shift(level - 1);

		first >>= PALLOC_FANOUT_SHIFT;
		last >>= PALLOC_FANOUT_SHIFT;
		changed = false;
		for (i = first; i <= last; i++) {
			struct palloc_sum *child;

			child = palloc_sum(p, level - 1, i << PALLOC_FANOUT_SHIFT);
			changed |= palloc_sum_set(palloc_sum(p, level, i),
						  palloc_merge(child, size));
		}
	}
}

/* The summaries and, under best fit, the index. */
static void palloc_update(struct palloc *p, u64 first, u64 last)
{
	struct palloc_sum was, *now;
	bool edges;

	if (p->quick) {
		palloc_update_sums(p, first, last);
		return;
	}
	now = palloc_sum(p, 0, first);
	was = *now;
	palloc_update_sums(p, first, last);
	edges = first != last || was.start != now->start || was.end != now->end;
	palloc_fit_update(p, first, last, edges);
}

/**
 * palloc_flush() - bring the summaries up to date
 * @p: the allocator
 *
 * They lag behind at most one chunk; every search does this by itself when it
 * needs them.  A caller may do it at the end of a batch, or not at all.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 */
void palloc_flush(struct palloc *p)
{
	u64 c = p->dirty;

	if (c == PALLOC_NONE)
		return;
	p->dirty = PALLOC_NONE;
	palloc_update(p, c, c);
}

/* To be called before the used bitmap of one chunk is changed. */
static inline void palloc_touch(struct palloc *p, u64 c)
{
	if (p->dirty != c) {
		palloc_flush(p);
		p->dirty = c;
	}
}

/* From now on chunk @c may hold retained pages. */
static inline void palloc_note_retained(struct palloc *p, u64 c)
{
	u64 b = c >> PALLOC_BLOCK_SHIFT;
	unsigned long *map = p->block[b]->retained;
	unsigned int bit = c & PALLOC_BLOCK_MASK;

	if (map[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG) & 1)
		return;
	map[bit / BITS_PER_LONG] |= 1UL << (bit % BITS_PER_LONG);
	p->retained[b / BITS_PER_LONG] |= 1UL << (b % BITS_PER_LONG);
}

/* Chunk @c was found to hold none. */
static void palloc_forget_retained(struct palloc *p, u64 c)
{
	u64 b = c >> PALLOC_BLOCK_SHIFT;
	unsigned long *map = p->block[b]->retained;
	unsigned int bit = c & PALLOC_BLOCK_MASK;

	map[bit / BITS_PER_LONG] &= ~(1UL << (bit % BITS_PER_LONG));
	if (bitmap_empty(map, PALLOC_BLOCK_CHUNKS))
		p->retained[b / BITS_PER_LONG] &= ~(1UL << (b % BITS_PER_LONG));
}

/* Free pages become used ones: @n pages from @bit on, in one chunk. */
static inline void palloc_chunk_take(struct palloc *p, struct palloc_chunk *chunk,
				     unsigned int bit, unsigned int n)
{
	p->nr_used += n;
	while (n) {
		unsigned int w = bit / BITS_PER_LONG, len;
		unsigned long mask = palloc_word_mask(bit, n, &len);
		unsigned long gone = chunk->released[w] & mask;

		chunk->used[w] |= mask;
		if (gone)
			p->nr_released -= hweight_long(gone);
		bit += len;
		n -= len;
	}
}

/* Used pages become free ones: @n pages from @bit on, in chunk @c. */
static inline void palloc_chunk_give(struct palloc *p, u64 c, struct palloc_chunk *chunk,
				     unsigned int bit, unsigned int n)
{
	bool backed = false;

	p->nr_used -= n;
	while (n) {
		unsigned int w = bit / BITS_PER_LONG, len;
		unsigned long mask = palloc_word_mask(bit, n, &len);
		unsigned long gone = chunk->released[w] & mask;

		chunk->used[w] &= ~mask;
		if (gone)
			p->nr_released += hweight_long(gone);
		if (gone != mask)
			backed = true;
		bit += len;
		n -= len;
	}
	if (backed)
		palloc_note_retained(p, c);
}

/* The pages of one chunk in a range that may be longer. */
static inline unsigned int palloc_part(u64 page, u64 npages)
{
	return min_t(u64, npages, PALLOC_CHUNK_PAGES - (page & PALLOC_CHUNK_MASK));
}

/* A free run becomes a span. */
static inline void palloc_take(struct palloc *p, u64 page, u64 npages)
{
	u64 first = page >> PALLOC_CHUNK_SHIFT;
	u64 last = (page + npages - 1) >> PALLOC_CHUNK_SHIFT;
	unsigned int bit = page & PALLOC_CHUNK_MASK;
	struct palloc_chunk *chunk = palloc_chunk_of(p, page);

	chunk->start[bit / BITS_PER_LONG] |= 1UL << (bit % BITS_PER_LONG);
	if (first == last) {
		palloc_touch(p, first);
		palloc_chunk_take(p, chunk, bit, npages);
		return;
	}
	while (npages) {
		unsigned int n = palloc_part(page, npages);

		palloc_chunk_take(p, palloc_chunk_of(p, page), page & PALLOC_CHUNK_MASK, n);
		page += n;
		npages -= n;
	}
	palloc_update(p, first, last);
}

/*
 * First fit from the summaries, which must be up to date.  At each level the
 * run that is open at the end of one child is carried into the next; a run
 * that came in from the left of the whole node was looked at one level higher.
 */
static u64 palloc_search(struct palloc *p, u64 npages)
{
	unsigned int level = p->top_level;
	u64 node = 0;

	if (palloc_sum(p, level, 0)->max < npages)
		return PALLOC_NONE;

	while (level--) {
		unsigned int shift = palloc_level_shift(level);
		u64 first = node << PALLOC_FANOUT_SHIFT, run = 0;
		struct palloc_sum *sum = palloc_sum(p, level, first);
		u64 i = 0;

		/* Nothing is free below the hint. */
		if ((p->hint >> shift) > first)
			i = (p->hint >> shift) - first;
		for (;; i++) {
			if (run + sum[i].start >= npages)
				return ((first + i) << shift) - run;
			if (sum[i].max >= npages)
				break;
			if (sum[i].end >> shift)
				run += sum[i].end;
			else
				run = sum[i].end;
		}
		node = first + i;
	}
	return (node << PALLOC_CHUNK_SHIFT) +
	       palloc_chunk_find(palloc_chunk(p, node)->used, 0, npages);
}

/* palloc_alloc() under best fit. */
static noinline u64 palloc_alloc_best(struct palloc *p, u64 npages)
{
	u64 end = palloc_end(p), page;

	if (!npages || npages > end)
		return PALLOC_NONE;
	palloc_flush(p);
	page = palloc_fit_search(p, npages);
	if (page == PALLOC_NONE)
		return page;
	if (page == p->hint)
		p->hint = page + npages;
	palloc_take(p, page, npages);
	return page;
}

/* palloc_alloc() where it takes more than one word of one chunk. */
static noinline u64 palloc_alloc_slow(struct palloc *p, u64 npages)
{
	u64 end = palloc_end(p), hint = p->hint, page;

	if (!p->quick)
		return palloc_alloc_best(p, npages);
	if (!npages || hint >= end || npages > end - hint)
		return PALLOC_NONE;

	if (npages <= PALLOC_CHUNK_PAGES) {
		struct palloc_chunk *chunk = palloc_chunk_of(p, hint);
		unsigned int bit;

		bit = palloc_chunk_find(chunk->used, hint & PALLOC_CHUNK_MASK, npages);
		if (bit < PALLOC_CHUNK_PAGES) {
			page = (hint & ~(u64)PALLOC_CHUNK_MASK) + bit;
			goto found;
		}
	}

	palloc_flush(p);
	if (!palloc_sum(p, 0, hint >> PALLOC_CHUNK_SHIFT)->max) {
		/* The hint's chunk is full: the next search begins further up. */
		page = palloc_search(p, 1);
		p->hint = page == PALLOC_NONE ? end : page;
		if (npages == 1 && page != PALLOC_NONE)
			goto found;
	}
	page = palloc_search(p, npages);
	if (page == PALLOC_NONE)
		return page;
found:
	if (page == p->hint || npages == 1)
		p->hint = page + npages;
	palloc_take(p, page, npages);
	return page;
}

/**
 * palloc_alloc() - allocate a span
 * @p: the allocator
 * @npages: its length, runtime pages
 *
 * Out of the run that the policy says, over every chunk that exists; the run
 * may cross any boundary.  Sets the used bits and the start bit; released bits stay as they
 * were, so that the caller sees which pages need memory.  O(log n) in the
 * heap's size, plus the span's own length in chunks.
 *
 * The rule is that of pageAlloc.alloc() and .find() in Go's
 * runtime/mpagealloc.go.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 * Return: the first page, or PALLOC_NONE if no run is long enough or @npages
 * is 0.
 */
u64 palloc_alloc(struct palloc *p, u64 npages)
{
	u64 hint = p->hint;
	struct palloc_chunk *chunk;
	unsigned long free, mask;
	unsigned int w, bit;

	/*
	 * The common case without a call: the run is in the hint's own word,
	 * in memory, and the summaries lag behind this chunk already.
	 */
	if (hint >> PALLOC_CHUNK_SHIFT != p->dirty || npages - 1 >= p->quick)
		return palloc_alloc_slow(p, npages);
	chunk = palloc_chunk_of(p, hint);
	w = (hint & PALLOC_CHUNK_MASK) / BITS_PER_LONG;
	free = palloc_word_runs(~chunk->used[w] & (~0UL << (hint % BITS_PER_LONG)), npages);
	if (!free)
		return palloc_alloc_slow(p, npages);
	bit = __ffs(free);
	mask = ~0UL >> (BITS_PER_LONG - npages) << bit;
	if (chunk->released[w] & mask)
		return palloc_alloc_slow(p, npages);

	chunk->used[w] |= mask;
	chunk->start[w] |= 1UL << bit;
	p->nr_used += npages;
	bit -= hint % BITS_PER_LONG;	/* how far above the hint */
	if (!bit || npages == 1)
		p->hint = hint + bit + npages;
	return hint + bit;
}

/**
 * palloc_span_pages() - the length of the span that begins at a page
 * @p: the allocator
 * @page: page number; any value may be asked
 *
 * A span ends where the next one begins or where a page is not used: there is
 * no other record of its length.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 * Return: runtime pages; 0 if no span begins at @page.
 */
u64 palloc_span_pages(const struct palloc *p, u64 page)
{
	u64 end = palloc_end(p), base;
	struct palloc_chunk *chunk;
	unsigned long stop;
	unsigned int w;

	if (page >= end)
		return 0;
	chunk = palloc_chunk_of(p, page);
	w = (page & PALLOC_CHUNK_MASK) / BITS_PER_LONG;
	if (!(chunk->start[w] >> (page % BITS_PER_LONG) & 1))
		return 0;

	/* Shifted twice: the span may begin at the word's last page. */
	stop = (chunk->start[w] | ~chunk->used[w]) &
	       (~0UL << (page % BITS_PER_LONG) << 1);
	base = page & ~(u64)(BITS_PER_LONG - 1);
	while (!stop) {
		base += BITS_PER_LONG;
		if (++w == PALLOC_CHUNK_WORDS) {
			if (base == end)
				return end - page;
			chunk = palloc_chunk_of(p, base);
			w = 0;
		}
		stop = chunk->start[w] | ~chunk->used[w];
	}
	return base + __ffs(stop) - page;
}

/* palloc_free() where it takes more than one word of one chunk. */
static noinline void palloc_free_slow(struct palloc *p, u64 page, u64 npages)
{
	u64 first = page >> PALLOC_CHUNK_SHIFT;
	u64 last = (page + npages - 1) >> PALLOC_CHUNK_SHIFT;
	unsigned int bit = page & PALLOC_CHUNK_MASK;
	struct palloc_chunk *chunk = palloc_chunk_of(p, page);

	if (page < p->hint)
		p->hint = page;
	chunk->start[bit / BITS_PER_LONG] &= ~(1UL << (bit % BITS_PER_LONG));
	if (first == last) {
		palloc_touch(p, first);
		palloc_chunk_give(p, first, chunk, bit, npages);
		return;
	}
	while (npages) {
		unsigned int n = palloc_part(page, npages);

		palloc_chunk_give(p, page >> PALLOC_CHUNK_SHIFT, palloc_chunk_of(p, page),
				  page & PALLOC_CHUNK_MASK, n);
		page += n;
		npages -= n;
	}
	palloc_update(p, first, last);
}

/**
 * palloc_free() - free a span
 * @p: the allocator
 * @page: its first page
 * @npages: its length, runtime pages, as palloc_span_pages() says
 *
 * Allocates nothing and cannot fail.  Released bits stay as they were: pages
 * with memory behind them become retained ones.  As pageAlloc.free() in Go's
 * runtime/mpagealloc.go.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 */
void palloc_free(struct palloc *p, u64 page, u64 npages)
{
	unsigned int off = page % BITS_PER_LONG, w;
	struct palloc_chunk *chunk;
	unsigned long mask;

	/* As in palloc_alloc(): one word, in memory, of the dirty chunk. */
	if (page >> PALLOC_CHUNK_SHIFT != p->dirty || off + npages > BITS_PER_LONG) {
		palloc_free_slow(p, page, npages);
		return;
	}
	chunk = palloc_chunk_of(p, page);
	w = (page & PALLOC_CHUNK_MASK) / BITS_PER_LONG;
	mask = ~0UL >> (BITS_PER_LONG - npages) << off;
	if (chunk->released[w] & mask) {
		palloc_free_slow(p, page, npages);
		return;
	}

	chunk->used[w] &= ~mask;
	chunk->start[w] &= ~(1UL << off);
	p->nr_used -= npages;
	if (page < p->hint)
		p->hint = page;
	palloc_note_retained(p, page >> PALLOC_CHUNK_SHIFT);
}

/**
 * palloc_count_released() - count the pages that have no memory behind them
 * @p: the allocator
 * @page: first page of a range of managed pages, used or free
 * @npages: its length, runtime pages
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 * Return: how many of them have the released bit.
 */
u64 palloc_count_released(const struct palloc *p, u64 page, u64 npages)
{
	u64 count = 0;

	while (npages) {
		struct palloc_chunk *chunk = palloc_chunk_of(p, page);
		unsigned int bit = page & PALLOC_CHUNK_MASK, len;
		unsigned long mask = palloc_word_mask(bit, palloc_part(page, npages), &len);

		count += hweight_long(chunk->released[bit / BITS_PER_LONG] & mask);
		page += len;
		npages -= len;
	}
	return count;
}

/**
 * palloc_set_released() - say that pages have no memory behind them now
 * @p: the allocator
 * @page: first page of a range of managed pages, used or free
 * @npages: its length, runtime pages
 *
 * Sets the released bits.  @p->nr_released grows by the free pages among them
 * that did not have it; used pages begin to count when they are freed.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 */
void palloc_set_released(struct palloc *p, u64 page, u64 npages)
{
	while (npages) {
		struct palloc_chunk *chunk = palloc_chunk_of(p, page);
		unsigned int bit = page & PALLOC_CHUNK_MASK, w = bit / BITS_PER_LONG, len;
		unsigned long mask = palloc_word_mask(bit, palloc_part(page, npages), &len);

		p->nr_released += hweight_long(mask & ~chunk->released[w] & ~chunk->used[w]);
		chunk->released[w] |= mask;
		page += len;
		npages -= len;
	}
}

/**
 * palloc_clear_released() - say that pages have memory behind them now
 * @p: the allocator
 * @page: first page of a range of managed pages, used or free
 * @npages: its length, runtime pages
 *
 * Clears the released bits.  @p->nr_released shrinks by the free pages among
 * them that had it, which become retained; used pages were not counted, and
 * become retained when they are freed.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 */
void palloc_clear_released(struct palloc *p, u64 page, u64 npages)
{
	while (npages) {
		struct palloc_chunk *chunk = palloc_chunk_of(p, page);
		unsigned int bit = page & PALLOC_CHUNK_MASK, w = bit / BITS_PER_LONG, len;
		unsigned long mask = palloc_word_mask(bit, palloc_part(page, npages), &len);
		unsigned long back = mask & chunk->released[w] & ~chunk->used[w];

		if (back) {
			p->nr_released -= hweight_long(back);
			palloc_note_retained(p, page >> PALLOC_CHUNK_SHIFT);
		}
		chunk->released[w] &= ~mask;
		page += len;
		npages -= len;
	}
}

/*
 * Retained pages below bit @end of a chunk: *@top is one above the highest,
 * the return value how many there are in a row down from there, in this chunk.
 */
static unsigned int palloc_chunk_retained(const struct palloc_chunk *chunk,
					  unsigned int end, unsigned int *top)
{
	unsigned int run = 0;

	while (end) {
		unsigned int w = (end - 1) / BITS_PER_LONG;
		unsigned int n = end - w * BITS_PER_LONG;	/* bits of interest */
		unsigned long map = ~chunk->used[w] & ~chunk->released[w];

		map <<= BITS_PER_LONG - n;
		if (!run) {
			unsigned int skip = map ? BITS_PER_LONG - 1 - __fls(map) : n;

			map <<= skip % BITS_PER_LONG;
			end -= skip;
			n -= skip;
			*top = end;
			if (!n)
				continue;
		}
		if (map == ~0UL) {	/* only if n is BITS_PER_LONG */
			run += BITS_PER_LONG;
			end -= BITS_PER_LONG;
			continue;
		}
		/* The shifts brought in zeroes: this ends within the n bits. */
		map = ~map;
		run += BITS_PER_LONG - 1 - __fls(map);
		if (BITS_PER_LONG - 1 - __fls(map) < n)
			break;
		end -= n;
	}
	return run;
}

/* The highest chunk below chunk @end that may hold retained pages, or PALLOC_NONE. */
static u64 palloc_last_noted(const struct palloc *p, u64 end)
{
	unsigned long b, bit, limit;

	b = (end - 1) >> PALLOC_BLOCK_SHIFT;
	limit = ((end - 1) & PALLOC_BLOCK_MASK) + 1;
	for (;;) {
		bit = find_last_bit(p->block[b]->retained, limit);
		if (bit < limit)
			return ((u64)b << PALLOC_BLOCK_SHIFT) + bit;
		limit = b;
		b = find_last_bit(p->retained, limit);
		if (b >= limit)
			return PALLOC_NONE;
		limit = PALLOC_BLOCK_CHUNKS;
	}
}

/**
 * palloc_find_retained() - find free pages with memory behind them
 * @p: the allocator
 * @below: page number; only pages below it are looked at.  PALLOC_NONE: all
 * @max: the most pages wanted
 * @page: out: the first page found
 * @npages: out: how many, runtime pages
 *
 * Finds the highest run of free pages that are not released and end at or
 * below @below, and of that run at most the upper @max pages.  The run may
 * cross chunks.  Skips what holds none 512 chunks at a time.  The order is
 * that of the scavenger in Go's runtime/mgcscavenge.go: highest address first.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 * Return: false if there is none, or @max is 0.
 */
bool palloc_find_retained(struct palloc *p, u64 below, u64 max, u64 *page,
			  u64 *npages)
{
	u64 end = min_t(u64, below, palloc_end(p)), top, run, c;
	struct palloc_chunk *chunk;
	unsigned int bit, n;

	if (!max)
		return false;

	for (;;) {
		if (!end)
			return false;
		c = palloc_last_noted(p, ((end - 1) >> PALLOC_CHUNK_SHIFT) + 1);
		if (c == PALLOC_NONE)
			return false;
		end = min_t(u64, end, (c + 1) << PALLOC_CHUNK_SHIFT);
		chunk = palloc_chunk(p, c);
		n = palloc_chunk_retained(chunk, end - (c << PALLOC_CHUNK_SHIFT), &bit);
		if (n)
			break;
		if (!palloc_chunk_retained(chunk, PALLOC_CHUNK_PAGES, &bit))
			palloc_forget_retained(p, c);
		end = c << PALLOC_CHUNK_SHIFT;
	}

	top = (c << PALLOC_CHUNK_SHIFT) + bit;
	run = n;
	/* Down to the chunk's first page: it may go on in the one below. */
	while (n == bit && c && run < max) {
		c--;
		n = palloc_chunk_retained(palloc_chunk(p, c), PALLOC_CHUNK_PAGES, &bit);
		if (bit != PALLOC_CHUNK_PAGES)
			break;
		run += n;
	}
	run = min_t(u64, run, max);
	*page = top - run;
	*npages = run;
	return true;
}

/**
 * palloc_run_before() - the free run that ends where a chunk begins
 * @p: the allocator; the summaries of what is below @chunk are up to date
 * @chunk: number of a chunk, or @p->nr_chunks
 *
 * Return: its length; 0 if the page below is used or there is none.
 */
u64 palloc_run_before(const struct palloc *p, u64 chunk)
{
	unsigned int level = 0;
	u64 node = chunk, run = 0;

	while (node) {
		struct palloc_sum *sum;

		if (!(node & (PALLOC_FANOUT - 1))) {
			node >>= PALLOC_FANOUT_SHIFT;
			level++;
			continue;
		}
		sum = palloc_sum(p, level, --node);
		run += sum->end;
		if (!(sum->end >> palloc_level_shift(level)))
			break;
	}
	return run;
}

/**
 * palloc_chunks_needed() - how much the heap must grow for a span
 * @p: the allocator
 * @npages: the span's length, runtime pages
 *
 * The free pages at the end of what is managed count as a beginning.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 * Return: chunks to add so that palloc_alloc() of @npages succeeds; 0 if it
 * would now (or if @npages is 0), PALLOC_NONE if the arena is too small.
 */
u64 palloc_chunks_needed(struct palloc *p, u64 npages)
{
	u64 tail, need;

	if (npages > p->max_chunks << PALLOC_CHUNK_SHIFT)
		return PALLOC_NONE;
	palloc_flush(p);
	if (palloc_sum(p, p->top_level, 0)->max >= npages)
		return 0;

	tail = palloc_run_before(p, p->nr_chunks);
	need = (npages - tail + PALLOC_CHUNK_PAGES - 1) >> PALLOC_CHUNK_SHIFT;
	return need > p->max_chunks - p->nr_chunks ? PALLOC_NONE : need;
}

/**
 * palloc_block_bytes() - the size of a block
 *
 * Return: bytes that palloc_add_block() must be given.
 */
size_t palloc_block_bytes(void)
{
	return sizeof(struct palloc_block);
}

/**
 * palloc_wants_block() - must a block be added before this chunk is?
 * @p: the allocator
 * @chunk: index of a chunk that does not exist yet
 *
 * True for the first chunk of each block that does not exist: a caller that
 * is about to add several chunks counts how often it is told so.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 * Return: whether it must.
 */
bool palloc_wants_block(const struct palloc *p, u64 chunk)
{
	return chunk < p->max_chunks && !(chunk & PALLOC_BLOCK_MASK) &&
	       (chunk >> PALLOC_BLOCK_SHIFT) >= p->nr_blocks;
}

/**
 * palloc_add_block() - add room for 512 more chunks
 * @p: the allocator
 * @zeroed: palloc_block_bytes() bytes of zeroes, which @p owns from now on and
 *	gives to palloc_ops.free in palloc_destroy()
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 */
void palloc_add_block(struct palloc *p, void *zeroed)
{
	p->block[p->nr_blocks++] = zeroed;
}

/**
 * palloc_add_chunk() - let the heap grow by one chunk
 * @p: the allocator; it must have fewer chunks than max_chunks, and the block
 *	that this one belongs to
 * @chunk: the chunk, which stays the caller's; its bitmaps are set here: every
 *	page free and released
 *
 * It becomes chunk number @p->nr_chunks.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 */
void palloc_add_chunk(struct palloc *p, struct palloc_chunk *chunk)
{
	bitmap_zero(chunk->used, PALLOC_CHUNK_PAGES);
	bitmap_zero(chunk->start, PALLOC_CHUNK_PAGES);
	bitmap_fill(chunk->released, PALLOC_CHUNK_PAGES);
	palloc_adopt_chunk(p, chunk);
}

/**
 * palloc_adopt_chunk() - let the heap grow by a chunk that holds spans already
 * @p: the allocator; it must have fewer chunks than max_chunks, and the block
 *	that this one belongs to
 * @chunk: the chunk, which stays the caller's; its bitmaps say what it holds
 *
 * It becomes chunk number @p->nr_chunks.  As palloc_add_chunk(), but for a copy
 * of a chunk of another allocator: when all of that one's chunks are adopted in
 * their order, both give the same answers.  A span may go on in the next chunk.
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 */
void palloc_adopt_chunk(struct palloc *p, struct palloc_chunk *chunk)
{
	u64 c = p->nr_chunks;
	bool retained = false;
	unsigned int w;

	palloc_fit_forget(chunk);
	p->block[c >> PALLOC_BLOCK_SHIFT]->chunk[c & PALLOC_BLOCK_MASK] = chunk;
	p->nr_chunks++;
	for (w = 0; w < PALLOC_CHUNK_WORDS; w++) {
		unsigned long free = ~chunk->used[w];

		p->nr_used += hweight_long(chunk->used[w]);
		p->nr_released += hweight_long(free & chunk->released[w]);
		if (free & ~chunk->released[w])
			retained = true;
	}
	if (retained)
		palloc_note_retained(p, c);
	palloc_touch(p, c);
}

/**
 * palloc_chunk() - look up a chunk
 * @p: the allocator
 * @chunk: its index; any value may be asked
 *
 * Context: Does not sleep.  The caller serialises all calls on @p.
 * Return: what was given to palloc_add_chunk(), or NULL if there is no such
 * chunk.
 */
struct palloc_chunk *palloc_chunk(const struct palloc *p, u64 chunk)
{
	if (chunk >= p->nr_chunks)
		return NULL;
	return p->block[chunk >> PALLOC_BLOCK_SHIFT]->chunk[chunk & PALLOC_BLOCK_MASK];
}

/**
 * palloc_init() - set up the allocator of an arena that has no chunks yet
 * @p: the allocator; what it held before is overwritten
 * @max_chunks: the arena's length, chunks of 512 runtime pages; 1 to
 *	PALLOC_MAX_CHUNKS
 * @ops: where its tables come from; kept, not copied
 *
 * The policy is first fit.  Allocates 31 bytes for each 2 GiB of the arena's
 * length, rounded up.
 *
 * Context: May sleep if @ops does.
 * Return: 0, -EINVAL (@max_chunks out of range) or -ENOMEM; after an error
 * there is nothing to destroy.
 */
int palloc_init(struct palloc *p, u64 max_chunks, const struct palloc_ops *ops)
{
	size_t nodes[PALLOC_TOP_LEVELS], blocks, n, bytes;
	unsigned int levels = 0, i;
	char *at;

	*p = (struct palloc) { .dirty = PALLOC_NONE };
	if (!max_chunks || max_chunks > PALLOC_MAX_CHUNKS)
		return -EINVAL;

	blocks = (max_chunks + PALLOC_BLOCK_CHUNKS - 1) >> PALLOC_BLOCK_SHIFT;
	bytes = blocks * sizeof(*p->block) + BITS_TO_LONGS(blocks) * sizeof(long);
	for (n = blocks;; n = (n + PALLOC_FANOUT - 1) / PALLOC_FANOUT) {
		nodes[levels] = (n + PALLOC_FANOUT - 1) & ~(size_t)(PALLOC_FANOUT - 1);
		bytes += nodes[levels] * sizeof(struct palloc_sum);
		if (levels)	/* level 3 has these in the blocks */
			bytes += nodes[levels] * sizeof(struct palloc_lens);
		levels++;
		if (n == 1)
			break;
	}

	at = ops->zalloc(bytes);
	if (!at)
		return -ENOMEM;
	p->ops = ops;
	p->max_chunks = max_chunks;
	p->top_level = PALLOC_BLOCK_LEVEL + levels - 1;
	p->policy = PALLOC_FIRST_FIT;
	p->quick = BITS_PER_LONG;
	p->key_shift = __fls(max_chunks) + 1;
	p->key_bits = p->key_shift + PALLOC_CHUNK_SHIFT + p->key_shift;
	p->tables = at;
	p->tables_bytes = bytes;
	p->block = (struct palloc_block **)at;
	at += blocks * sizeof(*p->block);
	p->retained = (unsigned long *)at;
	at += BITS_TO_LONGS(blocks) * sizeof(long);
	for (i = 1; i < levels; i++) {
		p->lens[i - 1] = (struct palloc_lens *)at;
		at += nodes[i] * sizeof(struct palloc_lens);
	}
	for (i = 0; i < levels; i++) {
		p->top[i] = (struct palloc_sum *)at;
		at += nodes[i] * sizeof(struct palloc_sum);
	}
	return 0;
}

/**
 * palloc_destroy() - give back the tables and the blocks
 * @p: the allocator
 *
 * The chunks are the caller's: get them from palloc_chunk() before.
 *
 * Context: May sleep if the ops given to palloc_init() do.
 */
void palloc_destroy(struct palloc *p)
{
	while (p->nr_blocks)
		p->ops->free(p->block[--p->nr_blocks], palloc_block_bytes());
	if (p->tables)
		p->ops->free(p->tables, p->tables_bytes);
	*p = (struct palloc) { .dirty = PALLOC_NONE };
}
