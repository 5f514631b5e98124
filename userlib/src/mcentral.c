// SPDX-License-Identifier: MIT
/*
 * The central lists: for each span class the spans that no thread's cache
 * holds.  A thread that needs one looks, in this order, at swept spans with
 * room, at unswept ones that had room, at a few unswept ones that had none, and
 * then asks the heap for a new one.  As Go's mcentral.cacheSpan().
 */
#include "heap.h"

/* Unswept spans to try before giving up on reuse; Go's spanBudget, for its reason. */
#define SWEEP_BUDGET	100

void mcentral_init(struct heap *h)
{
	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++)
		os_short_lock_init(&h->central[c].lock);
}

static struct span *pop(struct mcentral *central, struct span_list *list)
{
	struct span *s;

	pthread_mutex_lock(&central->lock);
	s = span_pop(list);
	pthread_mutex_unlock(&central->lock);
	return s;
}

/* Sweep unswept spans until one has room. */
static struct span *sweep_for_room(struct heap *h, struct mcentral *central,
				   struct span_list *list, int *budget)
{
	struct span *s;

	while ((*budget)-- > 0 && (s = pop(central, list))) {
		if (!sweep_span(h, s))
			continue;
		if (s->alloc_count < s->nelems)
			return s;
		mcentral_put(h, s);
	}
	return NULL;
}

/**
 * mcentral_get() - a span with at least one free slot
 * @h: the heap
 * @spanclass: which class
 *
 * Context: busy.  Takes the class's lock, and the heap's.
 * Return: a span that is the caller's alone, or NULL without memory.
 */
struct span *mcentral_get(struct heap *h, unsigned int spanclass)
{
	struct mcentral *central = &h->central[spanclass];
	int budget = SWEEP_BUDGET;
	struct span *s;

	s = pop(central, &central->partial);
	if (!s)
		s = sweep_for_room(h, central, &central->partial_unswept, &budget);
	if (!s)
		s = sweep_for_room(h, central, &central->full_unswept, &budget);
	if (!s)
		s = heap_alloc_span(h, class_to_pages[size_class_of(spanclass)], spanclass);
	if (s)
		s->cached = true;
	return s;
}

/**
 * mcentral_put() - give a swept span to the lists
 * @h: the heap
 * @s: the caller's alone so far
 *
 * Context: busy.  Takes the class's lock.
 */
void mcentral_put(struct heap *h, struct span *s)
{
	struct mcentral *central = &h->central[s->spanclass];

	pthread_mutex_lock(&central->lock);
	s->cached = false;
	span_push(s->alloc_count < s->nelems ? &central->partial : &central->full, s);
	pthread_mutex_unlock(&central->lock);
}
