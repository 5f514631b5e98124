/* SPDX-License-Identifier: MIT */
/*
 * Types: which words of an object are pointers.
 *
 * What a program passes to goheap_alloc_typed() is copied, once for each layout,
 * and the copy stays for good: the collector never looks at the program's own,
 * which may be on a stack, or in a library that is gone by the time a dead
 * object of the type is held by a false pointer.
 *
 * Objects of all types share the typed spans of their size.  The type's number is
 * the last word of a small object's slot, behind what the program may use, and in
 * struct span for a large object.  It is a number and not an address so that what
 * a program writes beyond its object's end cannot lead the collector astray: an
 * object without a sensible number is searched like one without a type.
 * The number is written after the slot has been handed out; until then, as long as
 * it is 0, there is nothing in the object to look for.
 */
#ifndef GOHEAP_TYPE_H
#define GOHEAP_TYPE_H

#include "span.h"

/* So many layouts; and so many bytes for the bitmap of one. */
#define TYPES_MOST		65536
#define TYPE_BITMAP_MOST	((size_t)32 << 10)
#define TYPE_BUCKETS		1024

/**
 * struct type - one layout
 * @next: in its bucket
 * @id: its number, not 0
 * @words: length of an element
 * @bitmap_words: length of @pointers
 * @pointers: a bit for each word
 */
struct type {
	const struct type *next;
	uint32_t id;
	size_t words;
	size_t bitmap_words;
	uint64_t pointers[];
};

/**
 * struct types - all of them; they only become more
 * @by_id: where each is; address space for all, made with the first
 * @n: the highest number
 * @bucket: lists to find a layout in
 *
 * Written under the heap lock, read without.
 */
struct types {
	const struct type **by_id;
	uint32_t n;
	const struct type *bucket[TYPE_BUCKETS];
};

/* Any word may be a pointer: what an object is whose number has been overwritten. */
extern const struct type type_unknown;

/* Bytes of a slot, at its end, that are not the program's. */
static inline size_t typed_overhead(const struct span *s)
{
	return s->kind == SPAN_TYPED && !span_is_large(s) ? sizeof(uint64_t) : 0;
}

/* Where the number of the type of the object at @start is. */
static inline uint64_t *type_word(const struct span *s, uintptr_t start)
{
	return (uint64_t *)(start + s->elem_size - sizeof(uint64_t));
}

/**
 * object_type() - the type of an object
 * @types: the heap's
 * @s: a typed span
 * @start: the object
 *
 * Return: the type; NULL if the object has none yet, and so no contents.
 */
static inline const struct type *object_type(const struct types *types, const struct span *s,
					     uintptr_t start)
{
	uint64_t id;

	if (span_is_large(s))
		id = __atomic_load_n(&s->type, __ATOMIC_RELAXED);
	else
		id = __atomic_load_n(type_word(s, start), __ATOMIC_RELAXED);
	if (!id)
		return NULL;
	if (unlikely(id > __atomic_load_n(&types->n, __ATOMIC_ACQUIRE)))
		return &type_unknown;
	return types->by_id[id];
}

#endif /* GOHEAP_TYPE_H */
