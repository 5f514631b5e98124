// SPDX-License-Identifier: MIT
/*
 * Small objects that the program frees are used again by the thread that freed them.
 *
 * A freed slot stays allocated as far as its span is concerned, and goes on a list of the
 * thread's own, one for each span class.  alloc_object() looks there when the run of the
 * class is used up, before it asks for another, so that the fast path knows nothing
 * of it; neither goheap_free() nor the reuse takes a lock or an atomic instruction.
 *
 * The list's links are in the slots' first words, disguised so that no marker takes them for
 * pointers: as the difference to the slot's address and a secret whose highest bit is
 * set, which no address's is.  An object is on a list if its first word is such a link,
 * so what is freed twice, by whichever thread, is found out while it is on a list; and
 * a program that goes on writing to what it has freed does not lead the library astray.
 * The rest of the slot is zero.  Numbers that look like a link by chance, one in 2^24
 * at random, only make an object wait for the collector.
 *
 * The collector has the last word about slots on lists: unless something seems to point to
 * them they are garbage.  At the end of marking, while the world is stopped, it empties all
 * lists (reuse_drop()), in no time since nothing is said about the single slot; sweeping
 * then frees them for everybody.  While marking, a slot is white or whatever it was when it
 * was freed, and becomes black when it is taken again.
 *
 * Freed objects count as freed at once, and must not be counted again when they are
 * swept: totals.dropped says how many are still to come in the spans of a size.  The
 * live heap that collections are paced by still contains them, as it does the slots
 * of runs that have not been handed out.
 */
#include <string.h>
#include <sys/auxv.h>

#include "heap.h"

/* The part of the secret that no address has. */
#define NO_ADDRESS	((uint64_t)1 << 63)

/**
 * reuse_init() - make the secret
 * @h: the heap
 */
void reuse_init(struct heap *h)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	if (random)
		memcpy(&h->reuse_secret, random, sizeof(h->reuse_secret));
	h->reuse_secret |= NO_ADDRESS;
}

/* The way there and back. */
static inline uint64_t disguise(const struct heap *h, uintptr_t slot, uint64_t link)
{
	return link ^ slot ^ h->reuse_secret;
}

static inline uint64_t read_link(const struct heap *h, uintptr_t slot)
{
	return disguise(h, slot, __atomic_load_n((const uint64_t *)slot, __ATOMIC_RELAXED));
}

/* Can it be a link?  0 ends the list. */
static inline bool is_link(const struct heap *h, uint64_t link)
{
	return !link || (link % 8 == 0 && heap_span_of(h, link));
}

/**
 * reuse_free() - put a small object on the list of freed slots
 * @h: the heap
 * @mc: the calling thread's cache
 * @s: the object's span
 * @p: its first byte
 *
 * Context: busy.
 * Return: false if it is none, or already free, as far as can be told.
 */
bool reuse_free(struct heap *h, struct mcache *mc, struct span *s, uintptr_t p)
{
	struct freed *freed = &mc->freed[s->spanclass];
	const struct run *r = &mc->run[s->spanclass];

	/* Blocks are shared by several objects: they wait until all of these are dead. */
	if (s->tiny_starts || p - r->next < run_left(r))
		return false;
	if (!object_lives(h, s, p) || is_link(h, read_link(h, p)))
		return false;
	profile_freed(h, s, span_index(s, p));
	memset((void *)p, 0, s->elem_size);
	__atomic_store_n((uint64_t *)p, disguise(h, p, freed->first), __ATOMIC_RELAXED);
	__atomic_store_n(&freed->first, p, __ATOMIC_RELAXED);
	freed->n++;
	counter_add_own(&mc->frees[size_class_of(s->spanclass)], 1);
	return true;
}

/* Forget a list, whose slots the next sweep finds. */
static void drop_class(struct heap *h, struct mcache *mc, unsigned int spanclass)
{
	struct freed *freed = &mc->freed[spanclass];

	if (freed->n)
		counter_add(&h->totals.dropped[size_class_of(spanclass)], freed->n);
	__atomic_store_n(&freed->first, 0, __ATOMIC_RELAXED);
	freed->n = 0;
}

/**
 * reuse_take() - take a freed slot
 * @h: the heap
 * @t: the calling thread
 * @spanclass: of which class
 *
 * Context: not busy.
 * Return: the slot, zeroed; 0 if there is none.
 */
uintptr_t reuse_take(struct heap *h, struct thread *t, unsigned int spanclass)
{
	struct freed *freed = &t->mc.freed[spanclass];
	uintptr_t p, next;
	struct span *s;

	/* The collector may empty it right now, which is as good as later. */
	if (!__atomic_load_n(&freed->first, __ATOMIC_RELAXED))
		return 0;
	thread_enter_busy(h, t);
	p = freed->first;
	if (p) {
		s = heap_span_of(h, p);
		next = read_link(h, p);
		freed->n--;
		if (unlikely(!is_link(h, next))) {
			/* Somebody has written to it.  The others are the collector's. */
			next = 0;
			drop_class(h, &t->mc, spanclass);
		}
		__atomic_store_n(&freed->first, next, __ATOMIC_RELAXED);
		annotate_new_memory((void *)p, s->elem_size);
		__atomic_store_n((uint64_t *)p, 0, __ATOMIC_RELAXED);
		gc_born_again(h, s, span_index(s, p));
		profile_limit(h, &t->mc, spanclass, s->elem_size, 1);
		counter_add_own(&t->mc.slots[size_class_of(spanclass)], 1);
	}
	thread_leave_busy(h, t);
	return p;
}

/**
 * reuse_drop() - leave all slots that a thread has freed to the collector
 * @h: the heap
 * @mc: the thread's cache
 *
 * Context: the world is stopped; or the thread ends, busy; or it has ended.
 */
void reuse_drop(struct heap *h, struct mcache *mc)
{
	for (unsigned int c = FIRST_SMALL_CLASS; c < NUM_SPAN_CLASSES; c++)
		drop_class(h, mc, c);
}

/**
 * reuse_counted() - how many of the objects that a sweep has found dead had been freed
 * @h: the heap
 * @size_class: theirs
 * @dead: how many there are
 *
 * Not which, and so perhaps in the span of another's; the sums are right when all has been
 * swept, and never go down meanwhile.
 */
uint32_t reuse_counted(struct heap *h, unsigned int size_class, uint32_t dead)
{
	uint64_t *dropped = &h->totals.dropped[size_class];
	uint64_t n = counter_read(dropped), part;

	do {
		part = n < dead ? n : dead;
	} while (part && !__atomic_compare_exchange_n(dropped, &n, n - part, true,
						      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return (uint32_t)part;
}
