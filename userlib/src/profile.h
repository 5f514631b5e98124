/* SPDX-License-Identifier: MIT */
/*
 * The heap profile: which call stacks allocated what, and how much of it lives.
 *
 * Some objects are sampled: on average one byte of every @rate allocated is chosen,
 * each with the same probability and independently, and the object that it falls
 * in is recorded with its call stack.  The distances between chosen bytes are
 * therefore distributed exponentially, which has no memory: it does not matter
 * in which order threads and size classes take bytes from how many countdowns.  Each
 * thread has one.
 *
 * The fast path of allocation knows nothing of this.  When a thread claims a run of
 * free slots and the chosen byte lies in it, the run is cut short before that
 * slot; the next run of the class is this slot alone, and whoever takes it
 * records it (profile_limit()).  That it is due is kept by span class, and the
 * countdown goes on behind it at once: were the slot left to the countdown, it
 * would be the slot of whichever class comes next.
 *
 * A sampled object is in its span's list until it is swept or freed.
 *
 * Lock order: profile.lock, heap lock.  It is taken by busy threads only.
 */
#ifndef GOHEAP_PROFILE_H
#define GOHEAP_PROFILE_H

#include <pthread.h>

#include "span.h"
#include "mcache.h"

/* Frames of a call stack that are recorded; as Go's. */
#define PROFILE_DEPTH		128
#define PROFILE_TABLE		4096
#define PROFILE_FILE_MOST	1024		/* length of a name */
#define PROFILE_RATE_MOST	((uint64_t)1 << 40)
#define PROFILE_RATE_DEFAULT	524288		/* as Go's MemProfileRate */

/**
 * struct site - allocations of one size from one call stack
 * @same_hash: next in the table
 * @next: next of all
 * @size: of each object
 * @allocs: objects sampled
 * @frees: of these, no more there
 * @recent: of these, still there and born in @recent_cycle
 * @recent_cycle: the latest collection after which there were any
 * @hash: of what makes it different from others
 * @depth: frames
 * @pc: return addresses, the innermost first
 *
 * Never freed, and but for the counts never changed once it is in the list.  The
 * counts are protected by profile.lock.
 */
struct site {
	struct site *same_hash;
	struct site *next;
	uint64_t size;
	uint64_t allocs;
	uint64_t frees;
	uint64_t recent;
	uint32_t recent_cycle;
	uint32_t hash;
	uint32_t depth;
	uintptr_t pc[];
};

/* A sampled object that has not been freed. */
struct sample {
	struct sample *next;		/* in its span, or free */
	struct site *site;
	uint32_t index;			/* of the slot */
	uint32_t cycle;			/* the collection it was born after */
};

/**
 * struct profile - all that has been sampled
 * @lock: protects the rest, but for @rate
 * @rate: bytes between samples on average; 0: none; 1: every object
 * @table: sites by hash
 * @sites: all of them; the head is read without the lock
 * @free: records to use again
 * @next: memory for new ones
 * @end: where that ends
 * @bytes: all there ever was, of the heap's metadata
 * @lost: samples that there was no memory for
 */
struct profile {
	pthread_mutex_t lock;
	uint64_t rate;
	struct site *table[PROFILE_TABLE];
	struct site *sites;
	struct sample *free;
	uintptr_t next;
	uintptr_t end;
	uint64_t bytes;
	uint64_t lost;
};

struct heap;
struct thread;

void profile_init(struct heap *h);
uint32_t profile_cut(struct heap *h, struct mcache *mc, unsigned int spanclass, size_t size,
		     uint32_t n);
void profile_record(struct heap *h, struct thread *t, uintptr_t p, uintptr_t cfa);
void profile_remove_dead(struct heap *h, struct span *s);
void profile_remove(struct heap *h, struct span *s, uint32_t index);
void profile_forked(struct heap *h);
/* profile_exit.c */
int profile_write_at_exit(void);

/**
 * profile_limit() - how many of the next slots may be handed out as one run
 * @h: the heap
 * @mc: the calling thread's cache
 * @spanclass: their class
 * @size: of each
 * @n: how many there are
 *
 * Context: busy.
 * Return: 1 to @n.  If @mc->sample_now is set the first slot, which then is the only
 * one, is to be recorded by whoever takes it.
 */
static inline uint32_t profile_limit(struct heap *h, struct mcache *mc, unsigned int spanclass,
				     size_t size, uint32_t n)
{
	if (n * size > mc->sample_left || bit_test(mc->sample_due, spanclass))
		return profile_cut(h, mc, spanclass, size, n);
	mc->sample_left -= n * size;
	return n;
}

/**
 * profile_swept() - a span is about to be swept
 * @h: the heap
 * @s: whose mark bits say what lives
 *
 * Context: busy, or alone.
 */
static inline void profile_swept(struct heap *h, struct span *s)
{
	if (__builtin_expect(!!__atomic_load_n(&s->samples, __ATOMIC_RELAXED), 0))
		profile_remove_dead(h, s);
}

/**
 * profile_freed() - an object is freed other than by sweeping
 * @h: the heap
 * @s: its span
 * @index: its slot
 *
 * Context: busy.
 */
static inline void profile_freed(struct heap *h, struct span *s, uint32_t index)
{
	if (__builtin_expect(!!__atomic_load_n(&s->samples, __ATOMIC_RELAXED), 0))
		profile_remove(h, s, index);
}

#endif /* GOHEAP_PROFILE_H */
