/* SPDX-License-Identifier: MIT */
/* Pages that nothing is to be placed on: see blacklist.c. */
#ifndef GOHEAP_BLACKLIST_H
#define GOHEAP_BLACKLIST_H

#include "base.h"

struct heap;

/* Above the highest page so far, as much again as this is looked at, or a quarter of the heap. */
#define BLACKLIST_AHEAD	((size_t)64 << 20)

/**
 * struct blacklist - free pages that false pointers name
 * @black: a bit for each page of the arena; NULL if there was no room for it
 * @noted: the same, for what the collection under way finds; atomic
 * @pages: how many bits
 * @nblack: how many are set in @black
 * @nnoted: how many are set in @noted; atomic
 */
struct blacklist {
	uint64_t *black;
	uint64_t *noted;
	size_t pages;
	size_t nblack;
	size_t nnoted;
};

void blacklist_init(struct heap *h);
void blacklist_note(struct heap *h, size_t page);
void blacklist_renew(struct heap *h);
bool blacklist_hits(const struct heap *h, uintptr_t base, size_t npages);

#endif /* GOHEAP_BLACKLIST_H */
