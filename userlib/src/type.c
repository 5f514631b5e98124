// SPDX-License-Identifier: MIT
/*
 * goheap_alloc_typed(): the program says which words of an object are pointers.
 *
 * A layout without pointers makes a noscan object, and one of pointers only
 * an object that is searched word by word: neither needs a type to go with it.
 */
#include <errno.h>
#include <goheap.h>
#include <string.h>

#include "heap.h"

#define WORD		sizeof(uint64_t)
#define WORD_BITS	64

const struct type type_unknown = { .words = 1, .bitmap_words = 1, .pointers = { 1 } };

/* What the caller gave, looked at. */
struct layout {
	size_t words;
	size_t bitmap_words;
	const uint64_t *pointers;
	bool any;			/* has pointers */
	bool all;			/* has nothing else */
};

/* The bits of the i-th word of a bitmap that stand for words of the type. */
static uint64_t valid_bits(size_t words, size_t i)
{
	if (words <= i * WORD_BITS)
		return 0;
	words -= i * WORD_BITS;
	return words >= WORD_BITS ? ~(uint64_t)0 : ~(uint64_t)0 >> (WORD_BITS - words);
}

/* Return: 0; -1 if it is no type. */
static int read_layout(const struct goheap_type *type, struct layout *l)
{
	if (!type || !type->size)
		return -1;
	l->any = false;
	l->all = false;
	if (!type->pointers)
		return 0;
	l->words = type->size / WORD;
	l->bitmap_words = type->size / (WORD * WORD_BITS) + !!(type->size % (WORD * WORD_BITS));
	l->pointers = type->pointers;
	if (l->bitmap_words > TYPE_BITMAP_MOST / WORD)
		return -1;
	l->all = true;
	for (size_t i = 0; i < l->bitmap_words; i++) {
		uint64_t valid = valid_bits(l->words, i);

		if (l->pointers[i] & ~valid)
			return -1;
		l->any |= !!l->pointers[i];
		l->all &= l->pointers[i] == valid;
	}
	return l->any && type->size % WORD ? -1 : 0;
}

static const struct type **bucket_of(struct types *types, const struct layout *l)
{
	uint64_t mix = (l->pointers[0] ^ l->words) * 0x9e3779b97f4a7c15;

	return &types->bucket[mix >> 32 & (TYPE_BUCKETS - 1)];
}

static const struct type *find(const struct type *first, const struct layout *l)
{
	for (const struct type *t = first; t; t = t->next)
		if (t->words == l->words && t->pointers[0] == l->pointers[0] &&
		    (l->bitmap_words == 1 ||
		     !memcmp(t->pointers, l->pointers, l->bitmap_words * WORD)))
			return t;
	return NULL;
}

/* Copy a layout that is not known.  Heap lock held. */
static const struct type *add(struct heap *h, const struct type **bucket, const struct layout *l)
{
	struct types *types = &h->types;
	struct type *t;

	if (!types->by_id)
		types->by_id = os_reserve(TYPES_MOST * sizeof(*types->by_id), 4096, true);
	if (!types->by_id || types->n == TYPES_MOST - 1)
		return NULL;
	t = heap_alloc_metadata(h, sizeof(*t) + l->bitmap_words * WORD);
	if (!t)
		return NULL;
	t->id = types->n + 1;
	t->words = l->words;
	t->bitmap_words = l->bitmap_words;
	memcpy(t->pointers, l->pointers, l->bitmap_words * WORD);
	t->next = *bucket;
	types->by_id[t->id] = t;
	__atomic_store_n(&types->n, t->id, __ATOMIC_RELEASE);
	__atomic_store_n(bucket, t, __ATOMIC_RELEASE);
	return t;
}

/* The copy of a layout; NULL without memory. */
static const struct type *get(struct heap *h, const struct layout *l)
{
	const struct type **bucket = bucket_of(&h->types, l);
	const struct type *t = find(__atomic_load_n(bucket, __ATOMIC_ACQUIRE), l);
	struct thread *self;

	if (likely(t))
		return t;
	self = thread_register(h);
	if (!self)
		return NULL;
	thread_enter_busy(h, self);
	pthread_mutex_lock(&h->lock);
	t = find(*bucket, l);
	if (!t)
		t = add(h, bucket, l);
	pthread_mutex_unlock(&h->lock);
	thread_leave_busy(h, self);
	return t;
}

/*
 * The slot for @bytes and the word behind them.  What goheap_alloc() aligns to 16
 * bytes is aligned to 16 here, so 16 bytes do not get a slot of 24.
 */
static size_t slot_bytes(size_t bytes)
{
	if (bytes > SMALL_OBJECT_MAX - WORD)
		return bytes > SMALL_OBJECT_MAX ? bytes : SMALL_OBJECT_MAX + 1;
	return bytes > 8 && bytes <= 16 ? 32 : bytes + WORD;
}

/**
 * typed_alloc() - allocate an object of a type
 * @h: the heap
 * @type: which
 * @bytes: its size, not 0
 *
 * Context: the calling thread, not busy; may collect.
 * Return: the object, zeroed; NULL and errno.
 */
void *typed_alloc(struct heap *h, const struct type *type, size_t bytes)
{
	char *p = alloc_typed_slot(slot_bytes(bytes));
	struct span *s;

	if (!p)
		return NULL;
	s = heap_span_of(h, (uintptr_t)p);
	if (span_is_large(s))
		__atomic_store_n(&s->type, type->id, __ATOMIC_RELAXED);
	else
		__atomic_store_n(type_word(s, (uintptr_t)p), (uint64_t)type->id,
				 __ATOMIC_RELAXED);
	return p;
}

PUBLIC void *goheap_alloc_typed(const struct goheap_type *type, size_t count)
{
	const struct type *t;
	struct layout l;
	struct heap *h;
	size_t bytes;

	if (read_layout(type, &l) || __builtin_mul_overflow(type->size, count, &bytes)) {
		errno = EINVAL;
		return NULL;
	}
	if (!l.any)
		return goheap_alloc_noscan(bytes);
	if (l.all)
		return goheap_alloc(bytes);
	h = heap_get();
	if (!h)
		return NULL;
	t = get(h, &l);
	if (!t) {
		errno = ENOMEM;
		return NULL;
	}
	return typed_alloc(h, t, bytes ? bytes : 1);
}
