/* SPDX-License-Identifier: MIT */
/*
 * A span: a run of runtime pages cut into objects of one size, or holding one
 * large object.  As Go's mspan.
 *
 * An object slot is allocated if its index is below @freeindex or its bit in
 * @alloc_bits is set.  Marking sets bits in @mark_bits; sweeping makes them the
 * new @alloc_bits.
 *
 * Who may touch a span's fields: the thread whose mcache holds it; otherwise
 * whoever took it off its list under that list's lock; the collector while the
 * world is stopped.
 */
#ifndef GOHEAP_SPAN_H
#define GOHEAP_SPAN_H

#include "base.h"
#include "sizeclasses.h"

/* A span class is a size class, and whether the objects hold no pointers ... */
#define TINY_SIZE_CLASS		2
/* ... and one more for the 16-byte blocks that small noscan objects share. */
#define TINY_SPAN_CLASS		(2 * NUM_SIZE_CLASSES + 1)
#define NUM_SPAN_CLASSES	(TINY_SPAN_CLASS + 1)
#define TINY_BLOCK		16

static inline unsigned int span_class(unsigned int size_class, bool noscan)
{
	return size_class << 1 | noscan;
}

static inline unsigned int size_class_of(unsigned int spanclass)
{
	return spanclass >= 2 * NUM_SIZE_CLASSES ? TINY_SIZE_CLASS : spanclass >> 1;
}

/**
 * struct span - one span; allocated with room for its bitmaps
 * @base: address of the first object
 * @npages: length, runtime pages
 * @elem_size: bytes an object may use; for a large object its whole pages
 * @nelems: objects that fit
 * @reciprocal: ceil(2^32 / elem_size), 0 for a large object: offset to index
 * @freeindex: slots below it are allocated
 * @alloc_count: slots that are allocated
 * @spanclass: class 0 is a large object
 * @needzero: free slots may hold old contents
 * @cached: an mcache or a sweeper holds it, so it is on no list
 * @sweepgen: the collection it was last swept after
 * @alloc_bits: see above
 * @mark_bits: see above
 * @next: on the list it is on
 * @prev: on the list it is on
 * @tiny_starts: in a span of shared blocks, by slot: a bit for each byte where
 *	an object begins or the last one ends
 * @bits: where the two bitmaps live, in either order, and @tiny_starts
 */
struct span {
	uintptr_t base;
	size_t npages;
	size_t elem_size;
	uint32_t nelems;
	uint32_t reciprocal;
	uint32_t freeindex;
	uint32_t alloc_count;
	uint8_t spanclass;
	bool needzero;
	bool cached;
	uint32_t sweepgen;
	uint64_t *alloc_bits;
	uint64_t *mark_bits;
	uint16_t *tiny_starts;
	struct span *next;
	struct span *prev;
	uint64_t bits[];
};

static inline bool span_noscan(const struct span *s)
{
	return s->spanclass & 1;
}

static inline bool span_is_large(const struct span *s)
{
	return s->spanclass < 2;
}

static inline uint32_t span_index(const struct span *s, uintptr_t p)
{
	return (uint32_t)((uint64_t)(p - s->base) * s->reciprocal >> 32);
}

static inline uintptr_t span_object(const struct span *s, uint32_t index)
{
	return s->base + (size_t)index * s->elem_size;
}

static inline bool span_is_allocated(const struct span *s, uint32_t index)
{
	return index < s->nelems && (index < s->freeindex || bit_test(s->alloc_bits, index));
}

/* The same for a span that another thread may be sweeping or allocating from. */
static inline bool span_seems_allocated(const struct span *s, uint32_t index)
{
	const uint64_t *bits;

	if (index >= s->nelems)
		return false;
	if (index < __atomic_load_n(&s->freeindex, __ATOMIC_ACQUIRE))
		return true;
	bits = __atomic_load_n(&s->alloc_bits, __ATOMIC_ACQUIRE);
	return __atomic_load_n(&bits[index / 64], __ATOMIC_RELAXED) >> (index % 64) & 1;
}

static inline uint32_t span_bitmap_words(uint32_t nelems)
{
	return (nelems + 63) / 64;
}

/* A list of spans, newest first.  Whether it is empty may be asked without its lock. */
struct span_list {
	struct span *head;
};

static inline bool span_list_empty(const struct span_list *list)
{
	return !__atomic_load_n(&list->head, __ATOMIC_RELAXED);
}

static inline void span_list_set(struct span_list *list, struct span *head)
{
	__atomic_store_n(&list->head, head, __ATOMIC_RELAXED);
}

static inline void span_push(struct span_list *list, struct span *s)
{
	s->prev = NULL;
	s->next = list->head;
	if (s->next)
		s->next->prev = s;
	span_list_set(list, s);
}

static inline void span_remove(struct span_list *list, struct span *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		span_list_set(list, s->next);
	if (s->next)
		s->next->prev = s->prev;
	s->next = NULL;
	s->prev = NULL;
}

static inline struct span *span_pop(struct span_list *list)
{
	struct span *s = list->head;

	if (s)
		span_remove(list, s);
	return s;
}

/* Move a whole list to an empty one. */
static inline void span_move_all(struct span_list *to, struct span_list *from)
{
	span_list_set(to, from->head);
	span_list_set(from, NULL);
}

#endif /* GOHEAP_SPAN_H */
