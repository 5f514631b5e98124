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

/* Mark the object of @s that @word points into, if it is one. */
static inline void mark_in_span(struct gc_work *w, struct span *s, uintptr_t word)
{
	uint32_t i = span_index(s, word);
	uint64_t *bits, bit;

	if (!span_seems_allocated(s, i))
		return;
	bits = &s->mark_bits[i / 64];
	bit = (uint64_t)1 << (i % 64);
	if (__atomic_load_n(bits, __ATOMIC_RELAXED) & bit)
		return;
	if (__atomic_fetch_or(bits, bit, __ATOMIC_SEQ_CST) & bit)
		return;
	w->n.live_bytes += s->elem_size;
	if (span_noscan(s) || s == w->current || __atomic_load_n(&s->queued, __ATOMIC_SEQ_CST))
		return;
	if (!__atomic_exchange_n(&s->queued, 1, __ATOMIC_SEQ_CST))
		found(w, s);
}

/* Have @word followed, after those that are on their way. */
static inline void mark_word(struct gc_work *w, uintptr_t word)
{
	uintptr_t offset = word - w->arena, older;
	struct span *s, *before;
	unsigned int at;

	if (offset >= w->arena_bytes)
		return;
	s = __atomic_load_n(&w->page_map[offset >> PAGE_SHIFT], __ATOMIC_ACQUIRE);
	if (unlikely(!s)) {
		blacklist_note(w->heap, offset >> PAGE_SHIFT);
		return;
	}
	__builtin_prefetch(s);
	__builtin_prefetch((char *)s + 64);
	at = w->at;
	before = w->span[at];
	older = w->word[at];
	w->span[at] = s;
	w->word[at] = word;
	w->at = (at + 1) % WORK_AHEAD;
	if (before)
		mark_in_span(w, before, older);
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

static inline void mark_words(struct gc_work *w, uintptr_t start, uintptr_t end)
{
	for (const uintptr_t *p = (const uintptr_t *)start; p < (const uintptr_t *)end; p++)
		mark_word(w, __atomic_load_n(p, __ATOMIC_RELAXED));
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
	w->n.root_bytes += end - start;
	mark_words(w, align_up(start, sizeof(uintptr_t)), end & -sizeof(uintptr_t));
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
	w->n.scanned_bytes += to - from;
	if (s->kind == SPAN_TYPED)
		scan_typed(w, s, start, from, to);
	else
		mark_words(w, from, to);
}

static inline void scan_whole(struct gc_work *w, struct span *s, uint32_t index)
{
	uintptr_t start = span_object(s, index);

	w->n.objects++;
	scan_words(w, s, start, start, start + s->elem_size);
}

/* The next piece of a large object; what is left of it goes back on the queue. */
static void scan_piece(struct gc_work *w, struct span *s)
{
	size_t at = s->piece, end = at + PIECE_BYTES;

	if (!at)
		__atomic_store_n(&s->scan_bits[0], 1, __ATOMIC_SEQ_CST);
	if (end >= s->elem_size) {
		end = s->elem_size;
		s->piece = 0;
		w->n.objects++;
	} else {
		s->piece = end;
		__atomic_store_n(&s->queued, 1, __ATOMIC_RELAXED);
		found(w, s);
	}
	scan_words(w, s, s->base, s->base + at, s->base + end);
	mark_rest(w);
}

/* Search what is grey in a span, until nothing is. */
static void scan_span(struct gc_work *w, struct span *s)
{
	uint32_t words = span_bitmap_words(s->nelems);
	uint64_t before = w->n.objects;
	bool again;

	w->n.spans++;
	__atomic_exchange_n(&s->queued, 0, __ATOMIC_SEQ_CST);
	if (span_is_large(s)) {
		scan_piece(w, s);
		return;
	}
	w->current = s;
	do {
		again = false;
		for (uint32_t i = 0; i < words; i++) {
			uint64_t scanned = __atomic_load_n(&s->scan_bits[i], __ATOMIC_RELAXED);
			uint64_t grey = __atomic_load_n(&s->mark_bits[i], __ATOMIC_RELAXED) & ~scanned;

			if (!grey)
				continue;
			grey &= ~__atomic_fetch_or(&s->scan_bits[i], grey, __ATOMIC_SEQ_CST);
			for (; grey; grey &= grey - 1)
				scan_whole(w, s, i * 64 + (uint32_t)__builtin_ctzll(grey));
			mark_rest(w);
			again = true;
		}
	} while (again);
	w->current = NULL;
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
	scan_whole(w, s, i);
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
		while ((s = work_next(q, w))) {
			scan_span(w, s);
			work_checkpoint(q, w);
		}
	} while (work_wait(q, w));
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
	       (s = work_next(q, w))) {
		uint64_t before = w->n.scanned_bytes;

		scan_span(w, s);
		done += w->n.scanned_bytes - before;
	}
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
