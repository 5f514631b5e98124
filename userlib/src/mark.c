// SPDX-License-Identifier: MIT
/*
 * Marking: everything reachable from the roots gets its mark bit.
 *
 * A word is taken for a pointer if it is the address of any byte of an
 * allocated object.  Objects to be searched wait on a stack in address space of
 * its own; from there they pass through a short queue, so that they are on
 * their way into the cache before they are read.  If the stack is full, objects
 * are marked but not put on it; when it has run empty the heap is gone through
 * for marked objects once more, until nothing new turns up.
 *
 * Runs while the world is stopped.  Compiled without sanitizers: it reads stacks
 * and whatever else the program has, initialised or not.
 */
#include "heap.h"

/* Large objects are searched in pieces, so that an array does not flood the stack. */
#define PIECE_BYTES	((size_t)32 << 10)
#define MARK_STACK_ENTRIES	((size_t)1 << 22)
/* Memory of the mark stack that is kept from one collection to the next. */
#define MARK_STACK_KEEP	((size_t)256 << 10)

static size_t stack_bytes(const struct marker *m)
{
	return align_up(m->room_most * sizeof(*m->stack), 4096);
}

int marker_init(struct heap *h)
{
	struct marker *m = &h->gc.marker;

	m->room_most = h->settings.mark_stack ? h->settings.mark_stack : MARK_STACK_ENTRIES;
	m->stack = os_reserve(stack_bytes(m), 4096, true);
	m->page_map = h->page_map;
	m->arena = h->base;
	return m->stack ? 0 : -1;
}

void marker_undo(struct heap *h)
{
	struct marker *m = &h->gc.marker;

	os_unreserve(m->stack, stack_bytes(m));
}

/**
 * marker_prepare() - have memory for marking when there will be none to be had
 * @h: the heap
 *
 * That part of the stack which is kept; a collection that runs because memory is
 * short makes do with it.
 *
 * Context: gc.lock held.
 */
void marker_prepare(struct heap *h)
{
	struct marker *m = &h->gc.marker;
	volatile char *stack = (volatile char *)m->stack;

	for (size_t at = 0; at < MARK_STACK_KEEP && at < stack_bytes(m); at += 4096)
		stack[at] = stack[at];
}

static void marker_start(struct heap *h, struct marker *m, bool scarce)
{
	m->room = m->room_most;
	if (scarce && m->room > MARK_STACK_KEEP / sizeof(*m->stack))
		m->room = MARK_STACK_KEEP / sizeof(*m->stack);
	m->arena_bytes = h->top << PAGE_SHIFT;
	m->top = 0;
	m->overflowed = false;
	m->live_bytes = 0;
	m->stack_bytes = 0;
	m->global_bytes = 0;
}

static inline void push(struct marker *m, uintptr_t start, size_t bytes)
{
	if (unlikely(m->top == m->room)) {
		m->overflowed = true;
		return;
	}
	m->stack[m->top].start = start;
	m->stack[m->top++].bytes = bytes;
}

static inline void mark_word(struct marker *m, uintptr_t word)
{
	uintptr_t offset = word - m->arena;
	struct span *s;
	uint64_t *bits, bit;
	uint32_t i;

	if (offset >= m->arena_bytes)
		return;
	s = m->page_map[offset >> PAGE_SHIFT];
	if (!s)
		return;
	i = span_index(s, word);
	if (!span_is_allocated(s, i))
		return;
	bits = &s->mark_bits[i / 64];
	bit = (uint64_t)1 << (i % 64);
	if (*bits & bit)
		return;
	*bits |= bit;
	m->live_bytes += s->elem_size;
	if (!span_noscan(s))
		push(m, span_object(s, i), s->elem_size);
}

static inline void mark_words(struct marker *m, uintptr_t start, uintptr_t end)
{
	for (const uintptr_t *p = (const uintptr_t *)start; p < (const uintptr_t *)end; p++)
		mark_word(m, *p);
}

static inline void scan(struct marker *m, struct mark_item item)
{
	while (item.bytes > PIECE_BYTES) {
		uintptr_t piece = item.start;

		item.start += PIECE_BYTES;
		item.bytes -= PIECE_BYTES;
		if (m->top < m->room) {
			push(m, item.start, item.bytes);
			item.start = piece;
			item.bytes = PIECE_BYTES;
		} else {
			mark_words(m, piece, piece + PIECE_BYTES);
		}
	}
	mark_words(m, item.start, item.start + item.bytes);
}

static void drain(struct marker *m)
{
	unsigned int oldest = 0, queued = 0;

	for (;;) {
		while (queued < MARK_FIFO && m->top) {
			struct mark_item *item = &m->fifo[(oldest + queued++) % MARK_FIFO];

			*item = m->stack[--m->top];
			__builtin_prefetch((void *)item->start);
		}
		if (!queued)
			return;
		queued--;
		scan(m, m->fifo[oldest++ % MARK_FIFO]);
	}
}

/**
 * mark_range() - mark from a range of memory
 * @m: the marker
 * @start: first byte; rounded up to a word
 * @end: one past the last; rounded down
 */
void mark_range(struct marker *m, uintptr_t start, uintptr_t end)
{
	mark_words(m, align_up(start, sizeof(uintptr_t)), end & -sizeof(uintptr_t));
	drain(m);
}

/* Search every marked object again. */
static void rescan(struct heap *h, struct marker *m)
{
	for (size_t page = 0; page < h->top;) {
		struct span *s = h->page_map[page];

		if (!s) {
			page++;
			continue;
		}
		if (!span_noscan(s))
			for (uint32_t i = 0; i < s->nelems; i++)
				if (bit_test(s->mark_bits, i)) {
					push(m, span_object(s, i), s->elem_size);
					drain(m);
				}
		page += s->npages;
	}
}

/**
 * mark_all() - mark everything that is reachable
 * @h: the heap
 * @m: the marker, started
 *
 * Context: the world is stopped; roots.lock and threads.lock held.
 */
static void mark_all(struct heap *h, struct marker *m)
{
	roots_mark(h, m);
	while (m->overflowed) {
		m->overflowed = false;
		rescan(h, m);
	}
	if (m->room * sizeof(*m->stack) > MARK_STACK_KEEP)
		os_discard((char *)m->stack + MARK_STACK_KEEP, stack_bytes(m) - MARK_STACK_KEEP);
}

/**
 * mark_runs() - mark the slots that a thread has claimed and not yet handed out
 * @h: the heap
 * @mc: the stopped thread's cache
 *
 * They are clear, so there is nothing to search in them.
 *
 * Context: the world is stopped.
 */
static void mark_runs(struct heap *h, struct mcache *mc)
{
	struct marker *m = &h->gc.marker;

	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++) {
		const struct run *r = &mc->run[c];
		struct span *s;

		if (r->next == r->end)
			continue;
		s = h->page_map[(r->next - h->base) >> PAGE_SHIFT];
		for (uint32_t i = span_index(s, r->next); span_object(s, i) < r->end; i++) {
			if (bit_test(s->mark_bits, i))
				continue;
			bit_set(s->mark_bits, i);
			m->live_bytes += s->elem_size;
		}
	}
}

/**
 * mcache_detach() - hand a thread's spans over for sweeping, but leave the runs
 * @h: the heap
 * @mc: the stopped thread's cache
 *
 * Context: the world is stopped, so no mcentral lock is held or needed.
 */
static void mcache_detach(struct heap *h, struct mcache *mc)
{
	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++) {
		struct span *s = mc->span[c];

		if (!s)
			continue;
		mc->span[c] = NULL;
		s->cached = false;
		span_push(&h->central[c].partial, s);
	}
}

/**
 * lists_flip() - all that was swept is unswept again
 * @h: the heap
 *
 * Context: the world is stopped, and the last collection's spans are swept.
 */
static void lists_flip(struct heap *h)
{
	for (unsigned int c = 2; c < NUM_SPAN_CLASSES; c++) {
		struct mcentral *central = &h->central[c];

		span_move_all(&central->partial_unswept, &central->partial);
		span_move_all(&central->full_unswept, &central->full);
	}
	span_move_all(&h->large_unswept, &h->large);
	h->gc.sweepgen++;
}

static NOINLINE void mark_from_here(struct heap *h, struct thread *self, bool scarce)
{
	struct marker *m = &h->gc.marker;

	self->stopped_sp = (uintptr_t)__builtin_frame_address(0);
	self->saved = (struct saved_registers){ 0 };
	marker_start(h, m, scarce);
	mark_all(h, m);
	for (struct thread *t = h->threads.first; t; t = t->next) {
		mark_runs(h, &t->mc);
		mcache_detach(h, &t->mc);
	}
	lists_flip(h);
}

/**
 * mark_stopped_world() - mark what lives and leave the rest to sweeping
 * @h: the heap
 * @self: the calling thread, whose registers are roots too
 * @scarce: do not ask the system for memory
 *
 * Context: the world is stopped and the last collection's spans are swept.
 */
NOINLINE void mark_stopped_world(struct heap *h, struct thread *self, bool scarce)
{
	__builtin_unwind_init();
	mark_from_here(h, self, scarce);
	__asm__ volatile("" ::: "memory");
}
