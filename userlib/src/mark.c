// SPDX-License-Identifier: MIT
/*
 * Marking: everything reachable from the roots gets its mark bit.
 *
 * A word is taken for a pointer if it is the address of any byte of an
 * allocated object.  That object is marked and, if it may hold pointers, its span
 * goes on the queue of work.c.  Words that point into the arena are not followed
 * at once but kept in a short ring, so that the descriptors of their spans are on
 * their way into the cache when they are looked at.
 *
 * Runs while the program does, or while it is stopped.  While it runs, what is read
 * here may be changing: a pointer that is stored behind a marker's back dirties its
 * page, and scan_dirty_page() comes by.  The kernel's record of written pages is
 * read and cleared first, then the page is searched, so no write falls between.
 *
 * Compiled without sanitizers: it reads stacks and whatever else the program has,
 * initialised or not, and while other threads write to it.
 */
#include <string.h>

#include "heap.h"
#include "mark.h"

/* Large objects are searched in pieces, by as many markers as there are. */
#define PIECE_BYTES	((size_t)128 << 10)

/* The next object is fetched ahead if it is so long; and so much of it. */
#define PREFETCH_LEAST	128
#define PREFETCH_MOST	1024

/**
 * mark_begin() - empty hands
 * @h: the heap
 * @w: to be filled in
 * @by: whose
 */
void mark_begin(struct heap *h, struct gc_work *w, enum marked_by by)
{
	memset(w, 0, offsetof(struct gc_work, in));
	w->heap = h;
	w->by = by;
	w->stopped = __atomic_load_n(&h->gc.one_stop, __ATOMIC_RELAXED);
	w->page_map = h->page_map;
	w->arena = h->base;
	w->arena_bytes = __atomic_load_n(&h->top, __ATOMIC_RELAXED) << PAGE_SHIFT;
	/* Nothing is there yet, but false pointers to it count: blacklist.c. */
	w->arena_bytes += w->arena_bytes / 4 > BLACKLIST_AHEAD ? w->arena_bytes / 4 : BLACKLIST_AHEAD;
	if (w->arena_bytes > h->backend.bytes)
		w->arena_bytes = h->backend.bytes;
}

static inline void found(struct gc_work *w, struct span *s)
{
	if (unlikely(w->nout == WORK_BATCH))
		work_found_full(&w->heap->gc.queue, w);
	w->out[w->nout++] = s;
}

/* Set a mark.  Return: false if it was set. */
static inline bool set_mark(const struct gc_work *w, uint64_t *bits, uint64_t bit)
{
	uint64_t before = __atomic_load_n(bits, __ATOMIC_RELAXED);

	if (before & bit)
		return false;
	if (w->alone) {
		*bits = before | bit;
		return true;
	}
	return !(__atomic_fetch_or(bits, bit, __ATOMIC_SEQ_CST) & bit);
}

/* Mark the object of @s that @word points into, if it is one. */
static inline void mark_in_span(struct gc_work *w, struct span *s, uintptr_t word)
{
	uint32_t i = span_index(s, word);

	if (!span_seems_allocated(s, i) ||
	    !set_mark(w, &s->mark_bits[i / 64], (uint64_t)1 << (i % 64)))
		return;
	w->n.live_bytes += s->elem_size;
	if (span_noscan(s) || __atomic_load_n(&s->queued, __ATOMIC_SEQ_CST))
		return;
	if (w->alone)
		s->queued = 1;
	else if (__atomic_exchange_n(&s->queued, 1, __ATOMIC_SEQ_CST))
		return;
	found(w, s);
}

/* Have @word, which is in the arena, followed after those that are on their way. */
static void mark_there(struct gc_work *w, uintptr_t word)
{
	uintptr_t page = (word - w->arena) >> PAGE_SHIFT, older;
	struct span *s, *before;
	unsigned int at;

	s = __atomic_load_n(&w->page_map[page], __ATOMIC_ACQUIRE);
	if (unlikely(!s)) {
		blacklist_note(w->heap, page);
		return;
	}
	__builtin_prefetch(&s->base);
	__builtin_prefetch(s->bits);
	at = w->at;
	before = w->span[at];
	older = w->word[at];
	w->span[at] = s;
	w->word[at] = word;
	w->at = (at + 1) % WORK_AHEAD;
	if (before)
		mark_in_span(w, before, older);
}

/* What is asked of each word, from where the compiler can keep it in registers. */
struct bounds {
	uintptr_t here, arena;
	size_t here_bytes, arena_bytes;
	uint32_t reciprocal;
};

static inline struct bounds bounds_of(const struct gc_work *w)
{
	return (struct bounds){ w->here, w->arena, w->here_bytes, w->arena_bytes, w->reciprocal };
}

/* Whether an object of the span that is being searched is white, is seen later. */
static inline void mark_bounded(struct gc_work *w, const struct bounds *b, uintptr_t word)
{
	if (word - b->here < b->here_bytes)
		w->hit[(uint64_t)(word - b->here) * b->reciprocal >> 32] = 1;
	else if (word - b->arena < b->arena_bytes)
		mark_there(w, word);
}

static inline void mark_word(struct gc_work *w, uintptr_t word)
{
	const struct bounds b = bounds_of(w);

	mark_bounded(w, &b, word);
}

/* Follow all that are on their way. */
static void mark_rest(struct gc_work *w)
{
	for (unsigned int i = 0; i < WORK_AHEAD; i++) {
		struct span *s = w->span[w->at];

		w->span[w->at] = NULL;
		if (s)
			mark_in_span(w, s, w->word[w->at]);
		w->at = (w->at + 1) % WORK_AHEAD;
	}
}

static inline void mark_words(struct gc_work *w, const struct bounds *b, uintptr_t start,
			      uintptr_t end)
{
	const uintptr_t *p = (const uintptr_t *)start, *last = (const uintptr_t *)end;

	/* Most of a large object is zero, more often than not. */
	for (; last - p >= 4; p += 4) {
		uintptr_t word[4];

		for (unsigned int i = 0; i < 4; i++)
			word[i] = __atomic_load_n(&p[i], __ATOMIC_RELAXED);
		if (!(word[0] | word[1] | word[2] | word[3]))
			continue;
		for (unsigned int i = 0; i < 4; i++)
			mark_bounded(w, b, word[i]);
	}
	for (; p < last; p++)
		mark_bounded(w, b, __atomic_load_n(p, __ATOMIC_RELAXED));
}

/**
 * mark_range() - mark what a range of memory that is not the heap's points to
 * @w: the marker's hands
 * @start: first byte; rounded up to a word
 * @end: one past the last; rounded down
 *
 * Context: active.
 */
void mark_range(struct gc_work *w, uintptr_t start, uintptr_t end)
{
	const struct bounds b = bounds_of(w);

	w->n.root_bytes += end - start;
	mark_words(w, &b, align_up(start, sizeof(uintptr_t)), end & -sizeof(uintptr_t));
	mark_rest(w);
}

/* Mark the object that may end at @word, which is in the arena or at its end. */
static inline void mark_end(struct gc_work *w, uintptr_t word)
{
	uintptr_t page = (word - 1 - w->arena) >> PAGE_SHIFT;
	struct span *s = __atomic_load_n(&w->page_map[page], __ATOMIC_ACQUIRE);

	if (s && !span_is_padded(s))
		mark_word(w, word - 1);
}

/**
 * mark_frames() - as mark_range(), but of registers and stacks
 * @w: the marker's hands
 * @start: first byte; rounded up to a word
 * @end: one past the last; rounded down
 *
 * Compilers replace the address of an array by the one behind it, as in a loop that counts
 * up to zero.  So a word that may be the end of an object keeps that object, too:
 * the one that the byte before lies in.  Elsewhere it does not.  There the pointers are
 * those that the program has stored, and were each to keep the object before the one it
 * means, chains of garbage would never end.
 *
 * Context: active.
 */
void mark_frames(struct gc_work *w, uintptr_t start, uintptr_t end)
{
	const uintptr_t *p = (const uintptr_t *)align_up(start, sizeof(*p));

	w->n.root_bytes += end - start;
	for (; p < (const uintptr_t *)(end & -sizeof(*p)); p++) {
		uintptr_t word = __atomic_load_n(p, __ATOMIC_RELAXED);

		mark_word(w, word);
		/* Slots end where words do. */
		if (word % sizeof(word) == 0 && word - 1 - w->arena < w->arena_bytes)
			mark_end(w, word);
	}
	mark_rest(w);
}

/* Words that the type says are pointers, of what lies between @from and @to. */
static void mark_typed(struct gc_work *w, const struct type *t, uintptr_t start,
		       uintptr_t from, uintptr_t to)
{
	size_t bytes = t->words * sizeof(uintptr_t);

	for (uintptr_t p = start + (from - start) / bytes * bytes; p < to; p += bytes) {
		size_t i = p < from ? (from - p) / (64 * sizeof(uintptr_t)) : 0;

		for (; i < t->bitmap_words && p + i * 64 * sizeof(uintptr_t) < to; i++) {
			const uintptr_t *word = (const uintptr_t *)p + i * 64;

			for (uint64_t bits = t->pointers[i]; bits; bits &= bits - 1) {
				const uintptr_t *at = &word[__builtin_ctzll(bits)];

				if ((uintptr_t)at >= from && (uintptr_t)at < to)
					mark_word(w, __atomic_load_n(at, __ATOMIC_RELAXED));
			}
		}
	}
}

/* Words of a typed object; what comes behind the elements is not the program's. */
static void scan_typed(struct gc_work *w, struct span *s, uintptr_t start, uintptr_t from,
		       uintptr_t to)
{
	const struct type *t = object_type(&w->heap->types, s, start);
	uintptr_t end = start + s->elem_size - typed_overhead(s);

	if (t)
		mark_typed(w, t, start, from, to < end ? to : end);
}

/* Mark what the object at @start of @s points to, by its words from @from to @to. */
static inline void scan_words(struct gc_work *w, struct span *s, uintptr_t start, uintptr_t from,
			      uintptr_t to)
{
	const struct bounds b = bounds_of(w);

	w->n.scanned_bytes += to - from;
	if (s->kind == SPAN_TYPED)
		scan_typed(w, s, start, from, to);
	else
		mark_words(w, &b, from, to);
}

/* The next piece of a large object; what is left of it goes back on the queue. */
static void scan_piece(struct gc_work *w, struct span *s)
{
	size_t at = s->piece * PIECE_BYTES, end = at + PIECE_BYTES;

	if (!at)
		__atomic_store_n(&s->scan_bits[0], 1, __ATOMIC_SEQ_CST);
	if (end >= s->elem_size) {
		end = s->elem_size;
		s->piece = 0;
		w->n.objects++;
	} else {
		s->piece++;
		__atomic_store_n(&s->queued, 1, __ATOMIC_RELAXED);
		found(w, s);
	}
	scan_words(w, s, s->base, s->base + at, s->base + end);
}

/* See what is white and what is grey in a span of small objects. */
static void look_at(struct gc_work *w, const struct span *s)
{
	uint32_t words = span_bitmap_words(s->nelems);
	uint32_t freeindex = __atomic_load_n(&s->freeindex, __ATOMIC_ACQUIRE);
	const uint64_t *allocated = __atomic_load_n(&s->alloc_bits, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < words; i++) {
		uint64_t there = __atomic_load_n(&allocated[i], __ATOMIC_RELAXED);

		if (freeindex >= (i + 1) * 64)
			there = ~(uint64_t)0;
		else if (freeindex > i * 64)
			there |= ((uint64_t)1 << (freeindex - i * 64)) - 1;
		/* mark_contents() searches objects that are not marked. */
		w->unseen[i] = there & ~(__atomic_load_n(&s->scan_bits[i], __ATOMIC_RELAXED) &
					 __atomic_load_n(&s->mark_bits[i], __ATOMIC_RELAXED));
	}
	memset(w->hit, 0, words * 64);
	w->here = s->base;
	w->here_bytes = s->npages * PAGE_BYTES;
	w->reciprocal = s->reciprocal;
}

/* A bit for each of 64 bytes that are 0 or 1. */
static inline uint64_t gather(const uint8_t *bytes)
{
	uint64_t bits = 0, eight;

	for (unsigned int i = 0; i < 8; i++) {
		memcpy(&eight, bytes + i * 8, 8);
		bits |= eight * 0x0102040810204080 >> 56 << i * 8;
	}
	return bits;
}

/*
 * Objects of word @i, which this marker has found, are grey: say so, marks first.
 * Return: those of them that nobody has searched.
 */
static uint64_t publish(struct gc_work *w, struct span *s, uint32_t i, uint64_t grey)
{
	uint64_t marked = __atomic_load_n(&s->mark_bits[i], __ATOMIC_RELAXED), ours = grey;

	w->unseen[i] ^= grey;
	if (w->alone) {
		ours &= ~s->scan_bits[i];
		s->mark_bits[i] = marked | grey;
		s->scan_bits[i] |= grey;
	} else {
		if (grey & ~marked)
			marked = __atomic_fetch_or(&s->mark_bits[i], grey, __ATOMIC_SEQ_CST);
		ours &= ~__atomic_fetch_or(&s->scan_bits[i], grey, __ATOMIC_SEQ_CST);
	}
	w->n.live_bytes += (uint64_t)__builtin_popcountll(grey & ~marked) * s->elem_size;
	return ours;
}

/* Of the objects of word @i, those that are grey.  They are said to be searched. */
static uint64_t claim_grey(struct gc_work *w, struct span *s, uint32_t i)
{
	uint64_t marked = __atomic_load_n(&s->mark_bits[i], __ATOMIC_RELAXED);
	uint64_t grey = (gather(&w->hit[i * 64]) | marked) & w->unseen[i];

	return grey ? publish(w, s, i, grey) : 0;
}

static inline uint32_t lowest(uint64_t set)
{
	return (uint32_t)__builtin_ctzll(set);
}

static inline uint32_t highest(uint64_t set)
{
	return 63 ^ (uint32_t)__builtin_clzll(set);
}

static inline uint32_t take_lowest(uint64_t *set)
{
	uint32_t bit = lowest(*set);

	*set &= *set - 1;
	return bit;
}

static inline void prefetch_object(uintptr_t start, size_t size)
{
	size_t bytes = size < PREFETCH_MOST ? size : PREFETCH_MOST;

	for (size_t at = 0; at < bytes; at += 64)
		__builtin_prefetch((const void *)(start + at));
}

static NOINLINE void scan_typed_objects(struct gc_work *w, struct span *s, uintptr_t base,
					uint64_t set)
{
	while (set) {
		uintptr_t start = base + take_lowest(&set) * s->elem_size;

		scan_typed(w, s, start, start, start + s->elem_size);
	}
}

/* Search objects of @size bytes: of the 64 at @base those that @set has. */
static ALWAYS_INLINE void scan_set(struct gc_work *w, uintptr_t base, uint64_t set, size_t size)
{
	const struct bounds b = bounds_of(w);

	while (set) {
		uintptr_t start = base + take_lowest(&set) * size;

		if (size >= PREFETCH_LEAST && set)
			prefetch_object(base + lowest(set) * size, size);
		mark_words(w, &b, start, start + size);
	}
}

/*
 * The same, and those further @up, or down, that are found meanwhile and @unseen.
 * Return: these.  They are searched before anybody is told, so the program must not be
 * writing to them.
 */
static ALWAYS_INLINE uint64_t scan_along(struct gc_work *w, uintptr_t base, uint64_t set,
					 uint64_t unseen, const uint8_t *hit, size_t size, bool up)
{
	const struct bounds b = bounds_of(w);
	uint64_t more = 0;

	for (uint32_t i = up ? lowest(set) : highest(set); i < 64; i += up ? 1 : -1u) {
		uint64_t bit = (uint64_t)1 << i;

		if (hit[i] && unseen & bit)
			more |= bit;
		else if (!(set & bit))
			continue;
		mark_words(w, &b, base + i * size, base + (i + 1) * size);
	}
	return more;
}

/* The smallest sizes as if there were no others: the words of these are no loops then. */
static ALWAYS_INLINE uint64_t scan_word(struct gc_work *w, uintptr_t base, uint64_t set,
					uint64_t unseen, const uint8_t *hit, size_t size, bool up)
{
	switch (size) {
	case 16:
		return scan_along(w, base, set, unseen, hit, 16, up);
	case 24:
		return scan_along(w, base, set, unseen, hit, 24, up);
	case 32:
		return scan_along(w, base, set, unseen, hit, 32, up);
	default:
		return scan_along(w, base, set, unseen, hit, size, up);
	}
}

static NOINLINE uint64_t scan_word_up(struct gc_work *w, uintptr_t base, uint64_t set,
				      uint64_t unseen, const uint8_t *hit, size_t size)
{
	return scan_word(w, base, set, unseen, hit, size, true);
}

static NOINLINE uint64_t scan_word_down(struct gc_work *w, uintptr_t base, uint64_t set,
					uint64_t unseen, const uint8_t *hit, size_t size)
{
	return scan_word(w, base, set, unseen, hit, size, false);
}

/*
 * Search the objects of word @i of a small span that @set has; in a stopped world, if @along,
 * also what is found by that on the way @up or down.  Where structures are built in one go that
 * is most of a span, each object found by the one before it.
 */
static void scan_objects(struct gc_work *w, struct span *s, uint32_t i, uint64_t set, bool along,
			 bool up)
{
	const uintptr_t base = span_object(s, i * 64);
	const uint8_t *hit = &w->hit[i * 64];
	uint64_t more = 0, n;

	if (s->kind == SPAN_TYPED) {
		scan_typed_objects(w, s, base, set);
	} else if (along && w->stopped) {
		more = (up ? scan_word_up : scan_word_down)(w, base, set, w->unseen[i], hit,
							     s->elem_size);
		/* Another may have searched some of them as well. */
		if (more)
			more = publish(w, s, i, more);
	} else {
		scan_set(w, base, set, s->elem_size);
	}
	n = (uint64_t)__builtin_popcountll(set | more);
	w->n.objects += n;
	w->n.scanned_bytes += n * s->elem_size;
}

/* Search what is grey in a span, until nothing is. */
static void scan_span(struct gc_work *w, struct span *s)
{
	uint32_t words = span_bitmap_words(s->nelems);
	uint64_t before = w->n.objects, grey;
	bool again, up = true;

	w->n.spans++;
	if (w->alone) {
		s->queued = 0;
	} else {
		__atomic_exchange_n(&s->queued, 0, __ATOMIC_SEQ_CST);
#ifndef __x86_64__
		/* Elsewhere the exchange alone is not in order with the loads of mark bits. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
	}
	if (span_is_large(s)) {
		scan_piece(w, s);
		return;
	}
	look_at(w, s);
	/* Structures that were built from the top point upwards, others downwards. */
	for (again = true; again; up = !up) {
		again = false;
		for (uint32_t n = 0; n < words; n++) {
			uint32_t i = up ? n : words - 1 - n;

			for (bool along = false; (grey = claim_grey(w, s, i)); along = true) {
				scan_objects(w, s, i, grey, along, up);
				again = true;
			}
		}
	}
	w->here_bytes = 0;
	w->n.lone += w->n.objects == before + 1;
}

/* Search again, of an object that has been searched, what lies between @from and @to. */
static void scan_part(struct gc_work *w, struct span *s, uint32_t index, uintptr_t from,
		      uintptr_t to)
{
	uintptr_t start = span_object(s, index), end = start + s->elem_size;

	scan_words(w, s, start, start > from ? start : from, end < to ? end : to);
}

/**
 * mark_contents() - mark from what is in an object, whether it is marked or not
 * @w: the marker's hands
 * @s: its span
 * @start: the object
 *
 * Nothing is done if it has been searched.  Its scan bit is set first, so that what
 * is written into it meanwhile is seen.
 *
 * Context: active.
 */
void mark_contents(struct gc_work *w, struct span *s, uintptr_t start)
{
	uint32_t i = span_index(s, start);
	uint64_t bit = (uint64_t)1 << (i % 64);

	if (span_noscan(s) || (__atomic_fetch_or(&s->scan_bits[i / 64], bit, __ATOMIC_SEQ_CST) & bit))
		return;
	w->n.objects++;
	scan_words(w, s, start, start, start + s->elem_size);
	mark_rest(w);
}

/**
 * scan_dirty_page() - search again what has been searched on a page
 * @w: the marker's hands
 * @page: its address; 4 KiB, which the program has written to
 *
 * What is grey will be searched anyway, and what is white does not matter.
 *
 * Context: active.
 */
void scan_dirty_page(struct gc_work *w, uintptr_t page)
{
	struct span *s = heap_span_of(w->heap, page);
	uint32_t i, last;

	if (!s || span_noscan(s))
		return;
	if (span_is_large(s)) {
		if (__atomic_load_n(&s->scan_bits[0], __ATOMIC_RELAXED))
			scan_part(w, s, 0, page, page + 4096);
		mark_rest(w);
		return;
	}
	last = span_index(s, page + 4095);
	for (i = span_index(s, page); i <= last && i < s->nelems; i++)
		if (__atomic_load_n(&s->scan_bits[i / 64], __ATOMIC_RELAXED) >> (i % 64) & 1)
			scan_part(w, s, i, page, page + 4096);
	mark_rest(w);
}

/**
 * scan_again() - search everything again that has been searched
 * @w: the marker's hands
 *
 * For when it is not known which pages have been written to.
 *
 * Context: active.
 */
void scan_again(struct gc_work *w)
{
	uintptr_t end = w->heap->base + (__atomic_load_n(&w->heap->top, __ATOMIC_RELAXED) << PAGE_SHIFT);

	for (uintptr_t page = w->heap->base; page < end; page += 4096)
		scan_dirty_page(w, page);
}

/* The first object to search of a span whose turn is next, and the descriptor of another. */
static void prefetch_spans(const struct gc_work *w)
{
	const struct span *s, *later;

	if (w->in_next + 1 < w->in_end) {
		later = w->in[w->in_next + 1];
		__builtin_prefetch(later);
		__builtin_prefetch(&later->base);
		__builtin_prefetch(later->bits);
	}
	s = w->in[w->in_next];
	for (uint32_t i = 0; i < span_bitmap_words(s->nelems); i++) {
		uint64_t grey = __atomic_load_n(&s->mark_bits[i], __ATOMIC_RELAXED) &
				~__atomic_load_n(&s->scan_bits[i], __ATOMIC_RELAXED);

		if (grey) {
			prefetch_object(span_object(s, i * 64 + lowest(grey)), s->elem_size);
			return;
		}
	}
}

/*
 * The next span to search.  The words that are under way from the last one stay so as
 * long as there are other spans in hand.
 */
static struct span *next_span(struct work_queue *q, struct gc_work *w)
{
	struct span *s;

	if (w->in_next == w->in_end && !w->nout)
		mark_rest(w);
	s = work_next(q, w);
	if (w->in_next < w->in_end)
		prefetch_spans(w);
	return s;
}

/* Stand still if that is asked for. */
static void checkpoint(struct work_queue *q, struct gc_work *w)
{
	if (likely(!__atomic_load_n(&q->halt, __ATOMIC_RELAXED)))
		return;
	mark_rest(w);
	work_checkpoint(q, w);
}

/**
 * mark_drain() - mark until all is marked
 * @q: the queue
 * @w: the marker's hands
 *
 * Context: active; not any more when it returns.
 */
void mark_drain(struct work_queue *q, struct gc_work *w)
{
	struct span *s;

	do {
		while ((s = next_span(q, w))) {
			scan_span(w, s);
			checkpoint(q, w);
		}
	} while (work_wait(q, w));
}

/**
 * mark_drain_alone() - the same while nobody else marks
 * @q: the queue
 * @w: the marker's hands
 *
 * Context: active, the world is stopped, and work_claim() has returned.
 */
void mark_drain_alone(struct work_queue *q, struct gc_work *w)
{
	struct span *s;

	w->alone = true;
	while ((s = next_span(q, w)))
		scan_span(w, s);
	w->alone = false;
	work_leave(q, w);
	work_resume(q);
}

/**
 * mark_some() - help with marking
 * @q: the queue
 * @w: the marker's hands
 * @bytes: how much is to be searched
 *
 * Context: busy.
 * Return: how much was; less if there was no more.
 */
uint64_t mark_some(struct work_queue *q, struct gc_work *w, uint64_t bytes)
{
	uint64_t done = 0;
	struct span *s;

	if (!work_enter_if_any(q))
		return 0;
	while (done < bytes && !__atomic_load_n(&q->halt, __ATOMIC_RELAXED) &&
	       (s = next_span(q, w))) {
		uint64_t before = w->n.scanned_bytes;

		scan_span(w, s);
		done += w->n.scanned_bytes - before;
	}
	mark_rest(w);
	work_leave(q, w);
	return done;
}

/**
 * mark_runs() - the slots that a thread has claimed and not yet handed out are black
 * @h: the heap
 * @t: the stopped thread
 *
 * Context: the world is stopped, nobody marks.
 * Return: bytes.
 */
uint64_t mark_runs(struct heap *h, struct thread *t)
{
	uint64_t bytes = 0;

	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++) {
		const struct run *r = &t->mc.run[c];
		struct span *s;

		if (r->next == r->end)
			continue;
		s = h->page_map[(r->next - h->base) >> PAGE_SHIFT];
		for (uint32_t i = span_index(s, r->next); span_object(s, i) < r->end; i++) {
			bit_set(s->mark_bits, i);
			if (s->scan_bits)
				bit_set(s->scan_bits, i);
			bytes += s->elem_size;
		}
	}
	return bytes;
}

/**
 * mark_forget() - in a forked child, whose parent was marking: all is white again
 * @h: the heap
 *
 * Context: the only thread there is.
 */
void mark_forget(struct heap *h)
{
	for (size_t page = 0; page < h->top;) {
		struct span *s = h->page_map[page];
		size_t bytes;

		if (!s) {
			page++;
			continue;
		}
		bytes = span_bitmap_words(s->nelems) * sizeof(*s->mark_bits);
		memset(s->mark_bits, 0, bytes);
		if (s->scan_bits)
			memset(s->scan_bits, 0, bytes);
		s->queued = 0;
		s->piece = 0;
		page += s->npages;
	}
}
