/* SPDX-License-Identifier: MIT */
/*
 * Marking: who does it and what is left to do.
 *
 * An object is white (no mark bit), grey (marked, not searched: its span waits in
 * the queue) or black (its scan bit is set too).  Objects without pointers are
 * black when they are marked.  Objects born while marking is on are black at once.
 *
 * Work is queued by span, not by object, as in Go's "Green Tea" collector: a span
 * with new marks is put on the queue once, and gathers more of them while it waits,
 * so that its objects are then searched together and in the order of their
 * addresses.  The queue is linked through the spans: however deep a structure is,
 * marking needs no memory for it.
 */
#ifndef GOHEAP_MARK_H
#define GOHEAP_MARK_H

#include <pthread.h>

#include "span.h"

struct heap;
struct thread;

/* Spans that change hands at once between a marker and the queue. */
#define WORK_BATCH	64
/* Words under way: their spans' descriptors are on the way into the cache. */
#define WORK_AHEAD	8

enum marked_by { BY_COLLECTOR, BY_WORKERS, BY_ASSISTS, NUM_MARKED_BY };

/**
 * struct gc_counts - what has been done
 * @live_bytes: marked
 * @scanned_bytes: searched, in the heap
 * @root_bytes: searched elsewhere
 * @stack_bytes: of these, on stacks
 * @spans: spans taken from the queue
 * @objects: searched
 * @lone: of these, alone in their span
 */
struct gc_counts {
	uint64_t live_bytes;
	uint64_t scanned_bytes;
	uint64_t root_bytes;
	uint64_t stack_bytes;
	uint64_t spans;
	uint64_t objects;
	uint64_t lone;
};

/**
 * struct gc_work - a marker's hands: of a worker, an assisting thread, the collector
 * @heap: the heap
 * @page_map: the heap's
 * @arena: the heap's base, for the range check
 * @arena_bytes: how far spans had been given out when marking began, where what is
 *	above is born black; and a piece of what may be given out next
 * @by: whose hands
 * @stopped: all of the collection is in one stop: nobody writes to objects
 * @alone: nobody else marks, either: nothing need be atomic.  Others may be active, but
 *	halted, until work_resume()
 * @here: where the span that is being searched begins, if its objects are small
 * @here_bytes: how long it is; 0: none is
 * @reciprocal: of its objects' size
 * @n: counts, until they are added to the queue's
 * @in: spans to search, from @in_next to @in_end
 * @out: spans found, @nout of them
 * @word: words that point into the arena, with
 * @span: the spans they point into; a ring of WORK_AHEAD, from
 * @at: the oldest
 * @hit: by object of the span that is being searched: 1 if this marker has found a pointer
 *	to it.  Such an object need not be followed through the page map and the
 *	queue, and costs no atomic instruction but two for up to 64
 * @unseen: of that span: what is allocated and has not been searched
 */
struct gc_work {
	struct heap *heap;
	struct span **page_map;
	uintptr_t arena;
	size_t arena_bytes;
	enum marked_by by;
	bool stopped;
	bool alone;
	uint32_t reciprocal;
	uintptr_t here;
	size_t here_bytes;
	struct gc_counts n;
	unsigned int in_next, in_end;
	unsigned int nout;
	unsigned int at;
	uintptr_t word[WORK_AHEAD];
	struct span *span[WORK_AHEAD];
	struct span *in[WORK_BATCH];
	struct span *out[WORK_BATCH];
	uint8_t hit[SPAN_BITMAP_WORDS * 64];
	uint64_t unseen[SPAN_BITMAP_WORDS];
};

/**
 * struct work_queue - grey spans, and who is at work on them
 * @lock: protects all; taken by markers, and while busy
 * @head: of the queue, first in first out
 * @tail: its end
 * @count: spans in it; read without the lock
 * @active: markers that may still find work, @halted or not
 * @halted: of these, how many wait because of @halt
 * @idle: markers that wait for work; read without the lock
 * @halt: nobody is to mark: a fork is under way; or nobody else, after work_claim()
 * @changed: a futex; counts the events that idle markers wait for
 * @sleepers: how many of those sleep, and have to be woken; atomic
 * @scanned: sum of @total[].scanned_bytes; read without the lock
 * @total: since work_reset(), by whose hands
 */
struct work_queue {
	pthread_mutex_t lock;
	struct span *head, *tail;
	uint64_t count;
	unsigned int active;
	unsigned int halted;
	unsigned int idle;
	bool halt;
	uint32_t changed;
	uint32_t sleepers;
	uint64_t scanned;
	struct gc_counts total[NUM_MARKED_BY];
};

/* work.c */
void work_init(struct work_queue *q);
void work_forget(struct work_queue *q);
void work_reset(struct work_queue *q);
struct gc_counts work_total(struct work_queue *q);
struct span *work_next(struct work_queue *q, struct gc_work *w);
void work_found_full(struct work_queue *q, struct gc_work *w);
void work_enter(struct work_queue *q);
bool work_enter_if_any(struct work_queue *q);
void work_leave(struct work_queue *q, struct gc_work *w);
bool work_wait(struct work_queue *q, struct gc_work *w);
void work_checkpoint(struct work_queue *q, struct gc_work *w);
void work_halt(struct work_queue *q);
void work_claim(struct work_queue *q);
void work_resume(struct work_queue *q);

/* mark.c */
void mark_begin(struct heap *h, struct gc_work *w, enum marked_by by);
void mark_range(struct gc_work *w, uintptr_t start, uintptr_t end);
void mark_frames(struct gc_work *w, uintptr_t start, uintptr_t end);
void mark_contents(struct gc_work *w, struct span *s, uintptr_t start);
void scan_dirty_page(struct gc_work *w, uintptr_t page);
void scan_again(struct gc_work *w);
void mark_drain(struct work_queue *q, struct gc_work *w);
void mark_drain_alone(struct work_queue *q, struct gc_work *w);
uint64_t mark_some(struct work_queue *q, struct gc_work *w, uint64_t bytes);
uint64_t mark_runs(struct heap *h, struct thread *t);
void mark_forget(struct heap *h);

#endif /* GOHEAP_MARK_H */
