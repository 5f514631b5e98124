// SPDX-License-Identifier: MIT
/*
 * Blacklisting, after Boehm's "Space efficient conservative garbage collection".
 *
 * A word that looks like an address in the heap, of a page where there is no object, is a
 * false pointer: an integer, or what is left of a pointer.  It does no harm yet; but
 * whatever is placed on that page later would be kept alive by it, and all that it
 * points to.  So while marking such pages are noted, and until the end of the next
 * collection no span is placed on them but of small objects without pointers, of which
 * little can be lost.  Pages above the heap, which it will grow into, are looked at too.
 *
 * The pages that the backend offers nevertheless are parked (heap.c), so that it offers
 * others; within bounds, since parked pages may have memory behind them.  Beyond these,
 * and where memory is short, black pages are used like others.
 */
#include "blacklist.h"
#include "heap.h"

static size_t bitmap_bytes(const struct blacklist *b)
{
	return align_up(b->pages / 8, 4096);
}

/**
 * blacklist_init() - before the heap is used
 * @h: the heap
 */
void blacklist_init(struct heap *h)
{
	struct blacklist *b = &h->blacklist;

	b->pages = h->backend.bytes >> PAGE_SHIFT;
	b->black = os_reserve(bitmap_bytes(b), 4096, true);
	b->noted = b->black ? os_reserve(bitmap_bytes(b), 4096, true) : NULL;
	if (!b->noted && b->black) {
		os_unreserve(b->black, bitmap_bytes(b));
		b->black = NULL;
	}
}

/**
 * blacklist_note() - a word was found that points where there is nothing
 * @h: the heap
 * @page: to which of the arena's pages
 */
void blacklist_note(struct heap *h, size_t page)
{
	struct blacklist *b = &h->blacklist;
	uint64_t bit = (uint64_t)1 << (page % 64);

	if (!b->noted || page >= b->pages)
		return;
	if (__atomic_load_n(&b->noted[page / 64], __ATOMIC_RELAXED) & bit)
		return;
	if (!(__atomic_fetch_or(&b->noted[page / 64], bit, __ATOMIC_RELAXED) & bit))
		counter_add(&b->nnoted, 1);
}

/**
 * blacklist_renew() - what this collection has noted is black, and nothing else
 * @h: the heap
 *
 * Context: the world is stopped, and nobody marks.
 */
void blacklist_renew(struct heap *h)
{
	struct blacklist *b = &h->blacklist;
	uint64_t *old = b->black;

	h->parking_over = false;
	if (!b->nblack && !b->nnoted)
		return;
	b->black = b->noted;
	b->noted = old;
	if (b->nblack)
		os_discard(old, bitmap_bytes(b));
	b->nblack = b->nnoted;
	b->nnoted = 0;
}

/**
 * blacklist_hits() - is one of these pages black?
 * @h: the heap
 * @base: address of the first
 * @npages: how many
 *
 * Context: busy.
 */
bool blacklist_hits(const struct heap *h, uintptr_t base, size_t npages)
{
	const struct blacklist *b = &h->blacklist;
	size_t first = (base - h->base) >> PAGE_SHIFT;

	if (likely(!b->nblack))
		return false;
	return bit_find(b->black, (uint32_t)first, (uint32_t)(first + npages), ~(uint64_t)0) <
	       first + npages;
}
