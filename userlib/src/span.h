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

/* What the collector looks for in an object. */
enum span_kind {
	SPAN_SCAN,		/* any word may be a pointer */
	SPAN_NOSCAN,		/* no word is */
	SPAN_TYPED,		/* the object's type tells which are; see type.h */
	NUM_SPAN_KINDS,
};

/* A span class is a size class and a kind; the lowest are for large objects ... */
#define FIRST_SMALL_CLASS	NUM_SPAN_KINDS
/* ... and one more is for the 16-byte blocks that small noscan objects share. */
#define TINY_SIZE_CLASS		2
#define TINY_SPAN_CLASS		(NUM_SPAN_KINDS * NUM_SIZE_CLASSES)
#define NUM_SPAN_CLASSES	(TINY_SPAN_CLASS + 1)
#define TINY_BLOCK		16

_Static_assert(NUM_SPAN_CLASSES <= UINT8_MAX, "struct span has 8 bits for it");

static inline unsigned int span_class(unsigned int size_class, enum span_kind kind)
{
	return size_class * NUM_SPAN_KINDS + kind;
}

static inline unsigned int size_class_of(unsigned int spanclass)
{
	return spanclass == TINY_SPAN_CLASS ? TINY_SIZE_CLASS : spanclass / NUM_SPAN_KINDS;
}

static inline enum span_kind kind_of(unsigned int spanclass)
{
	return spanclass == TINY_SPAN_CLASS ? SPAN_NOSCAN : spanclass % NUM_SPAN_KINDS;
}

struct sample;

/**
 * struct span - one span; allocated with room for its bitmaps
 * @npages: length, runtime pages
 * @type: of a large typed object; 0 before it has one.  Small ones carry it themselves
 * @piece: while a large object is searched: the next piece
 * @needzero: free slots may hold old contents
 * @cached: an mcache or a sweeper holds it, so it is on no list
 * @dead: a large object, freed by goheap_free() while marking
 * @work_next: in the queue of work.c
 * @tiny_starts: in a span of shared blocks, by slot: a bit for each byte where
 *	an object begins or the last one ends
 * @specials: finalizers and weak handles of its objects; see special.h
 * @next: on the list it is on
 * @prev: on the list it is on
 * @samples: objects in it that the heap profile follows
 * @base: address of the first object
 * @elem_size: bytes an object may use; for a large object its whole pages
 * @reciprocal: ceil(2^32 / elem_size), 0 for a large object: offset to index
 * @nelems: objects that fit
 * @freeindex: slots below it are allocated
 * @spanclass: below FIRST_SMALL_CLASS for a large object
 * @kind: enum span_kind, which is in @spanclass too
 * @queued: it waits for a marker, or is about to; see work.c
 * @alloc_bits: see above
 * @mark_bits: see above
 * @scan_bits: while marking, what has been searched, or is born black; NULL in a
 *	span without pointers
 * @alloc_count: slots that are allocated
 * @sweepgen: the collection it was last swept after; see span_in_sweep()
 * @bits: where the bitmaps live, the first two in either order, and @tiny_starts
 *
 * What a marker needs of a span that a pointer leads to begins at @base, in a cache
 * line of its own, with the bitmaps behind it.
 */
struct span {
	uint32_t npages;
	uint32_t type;
	uint32_t piece;
	bool needzero;
	bool cached;
	bool dead;
	struct span *work_next;
	uint16_t *tiny_starts;
	struct special *specials;
	struct span *next;
	struct span *prev;
	struct sample *samples;
	uintptr_t base CACHE_ALIGNED;
	size_t elem_size;
	uint32_t reciprocal;
	uint32_t nelems;
	uint32_t freeindex;
	uint8_t spanclass;
	uint8_t kind;
	uint8_t queued;
	uint64_t *alloc_bits;
	uint64_t *mark_bits;
	uint64_t *scan_bits;
	uint32_t alloc_count;
	uint32_t sweepgen;
	uint64_t bits[];
};

_Static_assert(offsetof(struct span, base) == 64 && offsetof(struct span, bits) == 128,
	       "a cache line for the marker, and one for the rest");

/* The most that a span of small objects has in a bitmap. */
#define SPAN_BITMAP_WORDS	16

static inline bool span_noscan(const struct span *s)
{
	return s->kind == SPAN_NOSCAN;
}

static inline bool span_is_large(const struct span *s)
{
	return s->spanclass < FIRST_SMALL_CLASS;
}

/*
 * A large object of so many pages has a byte more than was asked for, so that a pointer
 * one past its end points into it.  It costs a page at most; and in marking a stack
 * nothing as large need be kept for the sake of what comes behind it.
 */
#define PADDED_PAGES	128

static inline bool span_is_padded(const struct span *s)
{
	return span_is_large(s) && s->npages > PADDED_PAGES;
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

/*
 * What @sweepgen is of a span that is being swept after collection @cycle, whose bits
 * are changing places: neither this collection nor the last.
 */
static inline uint32_t span_in_sweep(uint32_t cycle)
{
	return cycle - 2;
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
