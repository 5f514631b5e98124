// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Best fit: the shortest free run that is long enough; of equally long ones
 * that with the lowest address.
 *
 * A free run belongs to the chunk that it begins in, and is counted whole: a
 * run that crosses chunks is one run, of its full length.  Two indices find it,
 * and both tell the exact run, not one of about the right size.
 *
 * Runs of up to 512 pages.  Every chunk has a set of the lengths that the runs
 * beginning in it have: one bit a length.  The sets of eight neighbours are
 * or-ed into one at each node of the same tree of fan-out 8 that the summaries
 * form.  The lowest bit at or above the wanted length in the topmost set is the
 * length to take; going down into the first child that has the bit leads to the
 * lowest chunk with such a run, and the chunk's bitmap says where in it.
 *
 * Longer runs.  Such a run leaves the chunk that it begins in, and only one run
 * can cross a chunk's end: each chunk owns at most one, so that a chunk's
 * descriptor has room for it.  They form a digital search tree ordered by
 * length, then chunk: a node holds one run, and at depth d the d-th highest bit
 * of a key says which child to go to.  Nothing needs balancing, since no path
 * is longer than the keys' bits.
 *
 * Bounds, for an arena of c chunks.  A search looks at 8 words and at 8 children
 * a level, or at one node for each of the log2(512 * c) + log2(c) bits of a key,
 * twice; then at one chunk.  An update does so for each chunk that it changed
 * and for at most two more: the one that owns the run that reaches the changed
 * ones from below, and the one above, whose first run may have become or ceased
 * to be its own.  All is O(log c), plus the length of the span at hand in
 * chunks.  Turning best fit on looks once at every chunk; turning it off is free,
 * and the index then stands still and costs nothing.
 *
 * Memory: 76 bytes in each chunk's descriptor, 4.6 KiB in each block of 2 GiB.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>

#include "palloc_tree.h"

/*
 * The lengths of node @i of @level, or NULL where nothing exists yet.  Chunks
 * hold those of level 0, blocks those of levels 1 to 3.
 */
static struct palloc_lens *palloc_lens(const struct palloc *p, unsigned int level, u64 i)
{
	static const u8 first[PALLOC_BLOCK_LEVEL + 1] = { 0, 0, 64, 64 + 8 };
	struct palloc_block *block;
	unsigned int shift;

	if (level > PALLOC_BLOCK_LEVEL)
		return &p->lens[level - PALLOC_BLOCK_LEVEL - 1][i];

	shift = (PALLOC_BLOCK_LEVEL - level) * PALLOC_FANOUT_SHIFT;
	if (i >> shift >= p->nr_blocks)
		return NULL;
	block = p->block[i >> shift];
	i &= (1U << shift) - 1;
	if (!level)
		return block->chunk[i] ? &block->chunk[i]->lens : NULL;
	return &block->lens[first[level] + i];
}

/* Chunk @c's lengths are @now: in its own set, and in all above it. */
static void palloc_lens_set(struct palloc *p, u64 c, const struct palloc_lens *now)
{
	struct palloc_lens *to = palloc_lens(p, 0, c);
	unsigned int changed = 0, level, i, w;

	for (w = 0; w < PALLOC_CHUNK_WORDS; w++) {
		if (to->bit[w] == now->bit[w])
			continue;
		to->bit[w] = now->bit[w];
		changed |= 1U << w;
	}
	for (level = 1; changed && level <= p->top_level; level++) {
		const struct palloc_lens *child[PALLOC_FANOUT];
		unsigned int children = 0, left = changed;

		c >>= PALLOC_FANOUT_SHIFT;
		to = palloc_lens(p, level, c);
		for (i = 0; i < PALLOC_FANOUT; i++) {
			child[children] = palloc_lens(p, level - 1,
						      (c << PALLOC_FANOUT_SHIFT) + i);
			children += !!child[children];
		}
		while (left) {
			unsigned long sum = 0;

			w = __ffs(left);
			left &= left - 1;
			for (i = 0; i < children; i++)
				sum |= child[i]->bit[w];
			if (to->bit[w] == sum)
				changed &= ~(1U << w);
			to->bit[w] = sum;
		}
	}
}

/* ---- runs of more than 512 pages ---- */

static struct palloc_chunk *palloc_long(const struct palloc *p, u32 node)
{
	return palloc_chunk(p, node - 1);
}

static u64 palloc_long_key(const struct palloc *p, u32 node)
{
	return (u64)palloc_long(p, node)->run << p->key_shift | (node - 1);
}

static void palloc_long_insert(struct palloc *p, u64 c)
{
	u64 key = palloc_long_key(p, c + 1);
	unsigned int bit = p->key_bits;
	u32 *link = &p->long_runs;

	/* No two keys are equal: an empty place comes before the bits run out. */
	while (*link) {
		bit--;
		link = &palloc_long(p, *link)->child[key >> bit & 1];
	}
	*link = c + 1;
}

/* The place is taken by a leaf from below it, whose keys all fit there. */
static void palloc_long_remove(struct palloc *p, u64 c)
{
	struct palloc_chunk *chunk = palloc_long(p, c + 1), *leaf;
	u64 key = palloc_long_key(p, c + 1);
	unsigned int bit = p->key_bits;
	u32 *link = &p->long_runs, *low, node;

	while (*link != c + 1) {
		bit--;
		link = &palloc_long(p, *link)->child[key >> bit & 1];
	}

	low = link;
	for (;;) {
		node = *low;
		leaf = palloc_long(p, node);
		if (leaf->child[0])
			low = &leaf->child[0];
		else if (leaf->child[1])
			low = &leaf->child[1];
		else
			break;
	}
	*low = 0;
	if (leaf != chunk) {
		leaf->child[0] = chunk->child[0];
		leaf->child[1] = chunk->child[1];
		*link = node;
	}
	chunk->child[0] = 0;
	chunk->child[1] = 0;
}

/*
 * The first page of the run with the smallest key of those at least @npages
 * long.  On the way down along the bits of the wanted key any node may be it;
 * if none there, it is the least in the last subtree passed on the right.
 */
static u64 palloc_long_search(const struct palloc *p, u64 npages)
{
	u64 want = npages << p->key_shift, best = PALLOC_NONE, key, c;
	unsigned int bit = p->key_bits;
	u32 node = p->long_runs, right = 0;

	while (node) {
		struct palloc_chunk *chunk = palloc_long(p, node);

		key = palloc_long_key(p, node);
		if (key >= want && key < best)
			best = key;
		if (!bit)
			break;
		bit--;
		if (want >> bit & 1) {
			node = chunk->child[1];
		} else {
			if (chunk->child[1])
				right = chunk->child[1];
			node = chunk->child[0];
		}
	}
	for (node = right; node;) {
		struct palloc_chunk *chunk = palloc_long(p, node);

		key = palloc_long_key(p, node);
		if (key < best)
			best = key;
		node = chunk->child[0] ? chunk->child[0] : chunk->child[1];
	}
	if (best == PALLOC_NONE)
		return best;
	c = best & ((1ULL << p->key_shift) - 1);
	return ((c + 1) << PALLOC_CHUNK_SHIFT) - palloc_sum(p, 0, c)->end;
}

/* ---- what a chunk's runs are ---- */

/* The free run that begins where chunk @c does: its length. */
static u64 palloc_run_after(const struct palloc *p, u64 c)
{
	unsigned int level = 0;
	u64 node = c, run = 0;

	while (c < p->nr_chunks && level < p->top_level) {
		struct palloc_sum *sum;

		if (!(node & (PALLOC_FANOUT - 1))) {
			node >>= PALLOC_FANOUT_SHIFT;
			level++;
			continue;
		}
		sum = palloc_sum(p, level, node++);
		run += sum->start;
		if (!(sum->start >> palloc_level_shift(level)))
			break;
	}
	return run;
}

/*
 * The first run of free pages of a chunk at or above *@at: its length, and *@at
 * is where it begins; 0 if there is none.  What is beyond the chunk's end does
 * not count.
 */
static unsigned int palloc_next_run(const unsigned long *used, unsigned int *at)
{
	unsigned int w = *at / BITS_PER_LONG, off;
	unsigned long word;

	if (w == PALLOC_CHUNK_WORDS)
		return 0;
	word = ~used[w] & (~0UL << (*at % BITS_PER_LONG));
	while (!word) {
		if (++w == PALLOC_CHUNK_WORDS)
			return 0;
		word = ~used[w];
	}
	off = __ffs(word);
	*at = w * BITS_PER_LONG + off;
	word = used[w] & (~0UL << off);
	while (!word) {
		if (++w == PALLOC_CHUNK_WORDS)
			return PALLOC_CHUNK_PAGES - *at;
		word = used[w];
	}
	return w * BITS_PER_LONG + __ffs(word) - *at;
}

/* The first page of a chunk that a run of its own can begin at. */
static unsigned int palloc_own(const struct palloc *p, u64 c)
{
	return c && palloc_sum(p, 0, c - 1)->end ? palloc_sum(p, 0, c)->start : 0;
}

/* Sets the index right for the runs that begin in chunk @c. */
static void palloc_fit_refresh(struct palloc *p, u64 c)
{
	struct palloc_chunk *chunk = palloc_chunk(p, c);
	struct palloc_lens lens = { 0 };
	unsigned int at = palloc_own(p, c), end, n;
	u64 run = 0;

	for (; (n = palloc_next_run(chunk->used, &at)); at = end) {
		end = at + n;
		if (end == PALLOC_CHUNK_PAGES) {
			run = n + palloc_run_after(p, c + 1);
			if (run > PALLOC_CHUNK_PAGES)
				break;
			n = run;
			run = 0;
		}
		lens.bit[(n - 1) / BITS_PER_LONG] |= 1UL << ((n - 1) % BITS_PER_LONG);
	}
	palloc_lens_set(p, c, &lens);

	if (chunk->run == run)
		return;
	if (chunk->run)
		palloc_long_remove(p, c);
	chunk->run = run;
	if (run)
		palloc_long_insert(p, c);
}

/**
 * palloc_fit_update() - bring the index up to date
 * @p: the allocator; if the summary of another chunk lags behind, what is found
 *	here from it is found again when it does no longer
 * @first: first of the chunks that were changed
 * @last: last of them
 * @edges: whether a page next to the range may belong to another run than before
 */
void palloc_fit_update(struct palloc *p, u64 first, u64 last, bool edges)
{
	u64 c;

	/* The run that comes from below may have become longer or shorter. */
	if (edges && first && palloc_sum(p, 0, first - 1)->end) {
		u64 page = (first << PALLOC_CHUNK_SHIFT) - palloc_run_before(p, first);

		palloc_fit_refresh(p, page >> PALLOC_CHUNK_SHIFT);
	}
	for (c = first; c <= last; c++)
		palloc_fit_refresh(p, c);
	/* The first run of the next one may have become, or ceased to be, its own. */
	if (edges && c < p->nr_chunks)
		palloc_fit_refresh(p, c);
}

/**
 * palloc_fit_forget() - clear the index's part of a chunk
 * @chunk: a chunk that the index knows nothing of, or is being made anew
 */
void palloc_fit_forget(struct palloc_chunk *chunk)
{
	bitmap_zero(chunk->lens.bit, PALLOC_CHUNK_PAGES);
	chunk->run = 0;
	chunk->child[0] = 0;
	chunk->child[1] = 0;
}

/**
 * palloc_fit_search() - find the best fit
 * @p: the allocator; no summary lags behind
 * @npages: length wanted, not 0
 *
 * Return: first page of the shortest free run that is at least so long, the
 * lowest of equally long ones; PALLOC_NONE if there is none.
 */
u64 palloc_fit_search(const struct palloc *p, u64 npages)
{
	unsigned int level = p->top_level, w = 0, bit, at, n;
	const struct palloc_lens *lens;
	const struct palloc_chunk *chunk;
	unsigned long word = 0;
	u64 node = 0;

	lens = palloc_lens(p, level, 0);
	if (lens && npages <= PALLOC_CHUNK_PAGES) {
		w = (npages - 1) / BITS_PER_LONG;
		word = lens->bit[w] & (~0UL << ((npages - 1) % BITS_PER_LONG));
		while (!word && ++w < PALLOC_CHUNK_WORDS)
			word = lens->bit[w];
	}
	if (!word)
		return palloc_long_search(p, npages);
	bit = __ffs(word);

	/* The first child that has the length; nothing is free below the hint. */
	while (level--) {
		u64 from = p->hint >> palloc_level_shift(level);

		node <<= PALLOC_FANOUT_SHIFT;
		if (node < from)
			node = from;
		while (!(palloc_lens(p, level, node)->bit[w] >> bit & 1))
			node++;
	}

	chunk = palloc_chunk(p, node);
	bit += w * BITS_PER_LONG + 1;
	for (at = palloc_own(p, node);; at += n) {
		n = palloc_next_run(chunk->used, &at);
		/* Whatever reaches the end is it, if no other was. */
		if (n == bit || at + n == PALLOC_CHUNK_PAGES)
			return (node << PALLOC_CHUNK_SHIFT) + at;
	}
}

/* At the first chunk of a block somebody else may have a turn. */
static void palloc_relax(const struct palloc *p, u64 c)
{
	if (!(c & PALLOC_BLOCK_MASK) && p->ops->relax)
		p->ops->relax();
}

/* The index, from nothing. */
static void palloc_fit_build(struct palloc *p)
{
	unsigned int level, i;
	u64 c, nodes;

	p->long_runs = 0;
	for (c = 0; c < p->nr_chunks; c++) {
		palloc_relax(p, c);
		palloc_fit_forget(palloc_chunk(p, c));
	}
	for (i = 0; i < p->nr_blocks; i++)
		memset(p->block[i]->lens, 0, sizeof(p->block[i]->lens));
	nodes = p->nr_blocks;
	for (level = PALLOC_BLOCK_LEVEL + 1; level <= p->top_level; level++) {
		nodes = (nodes + PALLOC_FANOUT - 1) >> PALLOC_FANOUT_SHIFT;
		memset(palloc_lens(p, level, 0), 0, nodes * sizeof(struct palloc_lens));
	}
	for (c = 0; c < p->nr_chunks; c++) {
		palloc_relax(p, c);
		palloc_fit_refresh(p, c);
	}
}

/**
 * palloc_set_policy() - choose where spans are placed from now on
 * @p: the allocator
 * @policy: the policy
 *
 * May be called at any time; spans that exist stay where they are.  Allocates
 * nothing and cannot fail.  Turning best fit on takes time in proportion to the
 * number of chunks, anything else none.
 *
 * Context: Sleeps if palloc_ops::relax does.  The caller serialises all calls
 * on @p.
 */
void palloc_set_policy(struct palloc *p, enum palloc_policy policy)
{
	if (policy == p->policy)
		return;
	palloc_flush(p);
	p->policy = policy;
	if (policy == PALLOC_BEST_FIT) {
		p->quick = 0;
		palloc_fit_build(p);
	} else {
		p->quick = BITS_PER_LONG;
	}
}
