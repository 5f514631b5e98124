// SPDX-License-Identifier: MIT
/*
 * Headroom: some pages of the device's that the heap holds and does not use.
 *
 * A request to the device for more than the cgroup may have is an error.  A page
 * fault outside the heap is not: a stack that grows by a page, malloc(), a page
 * table, and the process is killed.  A heap that took the last page would leave
 * the program with its ENOMEM and no room to deal with it, and a collection at
 * that moment needs memory too: the frames of the stop signal on each thread's
 * stack, tables that marking has not touched yet.
 *
 * So a heap of some size keeps pages back.  They are given to the system before
 * a collection that runs because memory is short, and when a request fails for
 * good.  Before the heap may grow they must be had again, and as much beside
 * them.  Until then requests fail, and what was given back is there for everything
 * else.
 *
 * The library's own tables grow by page faults as well.  Before they do, as much
 * is asked of the device, where the answer may be no, and given back.
 *
 * The in-process heap needs none.  Its memory comes by page faults anyway.
 */
#include <errno.h>

#include "heap.h"

/* From this size of the heap on, a part of it; but not more and not less than ... */
#define HEAP_LEAST	((uint64_t)4 << 20)
#define HEAP_PART	64
#define HEADROOM_LEAST	((uint64_t)256 << 10)
#define HEADROOM_MOST	((uint64_t)1 << 20)

static int take(struct heap *h, uint64_t npages, struct goheap_span *span)
{
	*span = (struct goheap_span){ .npages = npages, .flags = GOHEAP_SPAN_NOSCAN };
	return h->backend.ops->alloc(&h->backend, span, 1);
}

static void let_go(struct heap *h, struct goheap_span *span)
{
	uint64_t bytes = span->npages * PAGE_BYTES;

	h->backend.ops->free(&h->backend, span, 1);
	h->headroom.released += h->backend.ops->release(&h->backend, bytes);
}

static int probe(struct heap *h, uint64_t npages)
{
	struct goheap_span span;

	if (take(h, npages, &span))
		return -1;
	let_go(h, &span);
	return 0;
}

/**
 * headroom_give_up() - let the system have it
 * @h: the heap
 *
 * Context: busy.  Takes the heap lock.
 */
void headroom_give_up(struct heap *h)
{
	struct headroom *room = &h->headroom;

	pthread_mutex_lock(&h->lock);
	if (room->span.npages) {
		room->owed = room->span.npages;
		let_go(h, &room->span);
		room->span.npages = 0;
	}
	pthread_mutex_unlock(&h->lock);
}

/**
 * headroom_restore() - have what was given up again, before the heap grows
 * @h: the heap
 *
 * Context: busy, heap lock held.
 * Return: 0; -1 and ENOMEM: there is too little memory, and the heap must not grow.
 */
int headroom_restore(struct heap *h)
{
	struct headroom *room = &h->headroom;

	if (likely(!room->owed))
		return 0;
	if (h->inuse < HEAP_LEAST) {
		room->owed = 0;
		return 0;
	}
	if (take(h, room->owed, &room->span)) {
		room->span.npages = 0;
		return -1;
	}
	if (probe(h, room->owed)) {
		let_go(h, &room->span);
		room->span.npages = 0;
		errno = ENOMEM;
		return -1;
	}
	room->owed = 0;
	return 0;
}

/**
 * headroom_probe() - is there memory for page faults elsewhere?
 * @h: the heap
 * @bytes: how much is about to be touched
 *
 * Context: heap lock held.
 * Return: 0; -1: nobody is to touch anything.
 */
int headroom_probe(struct heap *h, size_t bytes)
{
	if (!h->on_device || h->inuse < HEAP_LEAST)
		return 0;
	return probe(h, align_up(bytes, PAGE_BYTES) / PAGE_BYTES);
}

/**
 * headroom_adjust() - as much as a heap of this size should have, if it can be had
 * @h: the heap
 *
 * What was given up is left to those who need it until the heap grows.
 *
 * Context: busy, gc.lock held.  Takes the heap lock.
 */
void headroom_adjust(struct heap *h)
{
	struct headroom *room = &h->headroom;
	struct goheap_span more;
	uint64_t bytes = counter_read(&h->inuse);
	uint64_t wanted = bytes / HEAP_PART;

	if (!h->on_device || bytes < HEAP_LEAST)
		return;
	if (wanted < HEADROOM_LEAST)
		wanted = HEADROOM_LEAST;
	if (wanted > HEADROOM_MOST)
		wanted = HEADROOM_MOST;
	wanted = align_up(wanted, PAGE_BYTES) / PAGE_BYTES;

	pthread_mutex_lock(&h->lock);
	if (!room->owed && room->span.npages < wanted && !take(h, wanted, &more)) {
		if (room->span.npages)
			h->backend.ops->free(&h->backend, &room->span, 1);
		room->span = more;
	}
	pthread_mutex_unlock(&h->lock);
}
