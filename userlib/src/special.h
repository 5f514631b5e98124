/* SPDX-License-Identifier: MIT */
/*
 * Specials: what the library knows of single objects beside their contents: a
 * finalizer, a weak handle.  See special.c.
 */
#ifndef GOHEAP_SPECIAL_H
#define GOHEAP_SPECIAL_H

#include <pthread.h>

#include "base.h"

struct heap;
struct gc_work;
struct span;
struct thread;

enum special_kind {
	SPECIAL_FREE,
	SPECIAL_FINALIZER,	/* @object has a finalizer */
	SPECIAL_QUEUED,		/* @object is dead, its finalizer waits to be run */
	SPECIAL_WEAK,		/* @object has a handle, which is @peer's object */
	SPECIAL_HANDLE,		/* @object is a handle, of @peer's object */
};

/**
 * struct special - one thing known of one object
 * @next: on its span's list, in the queue, or on the list of unused ones
 * @link: what points to it, on its span's list
 * @chain: next with the same hash
 * @object: the object's address
 * @kind: see above
 * @peer: WEAK and HANDLE: the other
 * @fn: the finalizer
 * @arg: for @fn; a root
 * @fresh_next: finalizers set since the roots of this kind were last marked
 * @fresh_link: what points to it there; NULL if it is not one
 */
struct special {
	struct special *next;
	struct special **link;
	struct special *chain;
	uintptr_t object;
	enum special_kind kind;
	union {
		struct special *peer;
		struct {
			void (*fn)(void *object, void *arg);
			void *arg;
			struct special *fresh_next;
			struct special **fresh_link;
		};
	};
};

/* Specials are made so many at once, and never given back. */
#define SPECIALS_A_CHUNK	200

struct special_chunk {
	struct special_chunk *next;
	struct special special[SPECIALS_A_CHUNK];
};

/**
 * struct specials - all of them
 * @lock: protects what follows, and the lists of the spans
 * @chunks: memory for them, newest first
 * @unused: of these
 * @table: by hash of the object's address; those of QUEUED ones are not in it
 * @table_bits: its size is a power of two
 * @hashed: entries
 * @fresh: see struct special
 * @queue: finalizers to run, oldest first
 * @queue_end: where the next goes
 * @finalizers: set, and not queued
 * @queued: length of @queue
 * @run: finalizers run; atomic
 * @weak: handles of objects that live
 * @cleared: handles whose object has gone
 * @wakeup: counts what wakes the finalizers' thread; it waits on it
 * @running: that thread has been started; atomic
 * @thread: that thread, while it runs
 */
struct specials {
	pthread_mutex_t lock;
	struct special_chunk *chunks;
	struct special *unused;
	struct special **table;
	unsigned int table_bits;
	uint64_t hashed;
	struct special *fresh;
	struct special *queue;
	struct special **queue_end;
	uint64_t finalizers;
	uint64_t queued;
	uint64_t run;
	uint64_t weak;
	uint64_t cleared;
	uint32_t wakeup;
	bool running;
	struct thread *thread;
};

/**
 * struct goheap_weak - a weak handle: an object of the heap itself, noscan
 * @object: the address it stands for; 0 once that is dead; atomic
 * @unused: keeps it out of the blocks that small objects share
 */
struct goheap_weak {
	uintptr_t object;
	uint64_t unused;
};

/* special.c */
void specials_init(struct heap *h);
void specials_forked(struct heap *h);
struct special *special_find(struct heap *h, uintptr_t object, enum special_kind kind);
struct special *special_add(struct heap *h, struct span *s, uintptr_t object,
			    enum special_kind kind);
void special_remove(struct heap *h, struct special *sp);
void special_recycle(struct heap *h, struct special *sp);
void specials_drop(struct heap *h, struct span *s, uintptr_t object);
void specials_sweep(struct heap *h, struct span *s);
void specials_mark_roots(struct heap *h, struct gc_work *w);
void specials_mark_new(struct heap *h, struct gc_work *w);

/* finalizer.c */
void finalizer_made(struct heap *h, struct special *sp);
void finalizer_unmade(struct heap *h, struct special *sp);
void finalizer_enqueue(struct heap *h, struct special *sp);
void finalizers_wake(struct heap *h);
int finalizers_start(struct heap *h);
void finalizers_start_if_wanted(struct heap *h);
void finalizers_forked(struct heap *h);

/* weak.c */
void weak_clear(struct heap *h, struct special *sp);

#endif /* GOHEAP_SPECIAL_H */
