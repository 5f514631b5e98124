// SPDX-License-Identifier: MIT
/*
 * fork(): the child has one thread and, without the device, a copy of the heap,
 * which it may use in full.  The device's arena stays with the parent: its
 * mapping is not inherited, so a child may only exec or exit.
 *
 * All locks are taken before and given back after, so that the child does not
 * find one held by a thread that it does not have.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "heap.h"

/* But gc.lock. */
static void each_lock(struct heap *h, int (*operation)(pthread_mutex_t *))
{
	operation(&h->roots.lock);
	operation(&h->threads.lock);
	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++)
		operation(&h->central[c].lock);
	operation(&h->lock);
	if (!h->on_device)
		operation(&h->backend.lock);
}

/*
 * With gc.lock held nobody stops the world, so this thread may wait for the
 * other locks while busy, and their owners will not be stopped with them.
 */
static void before(void)
{
	struct heap *h = &goheap_the_heap;

	pthread_mutex_lock(&h->gc.lock);
	if (thread_self)
		thread_enter_busy(h, thread_self);
	each_lock(h, pthread_mutex_lock);
}

static void in_parent(void)
{
	struct heap *h = &goheap_the_heap;

	each_lock(h, pthread_mutex_unlock);
	if (thread_self)
		thread_leave_busy(h, thread_self);
	pthread_mutex_unlock(&h->gc.lock);
}

static int make_new(pthread_mutex_t *lock)
{
	return pthread_mutex_init(lock, NULL);
}

/* Only the calling thread is left. */
static void in_child(void)
{
	struct heap *h = &goheap_the_heap;
	struct thread *self = thread_self;

	each_lock(h, make_new);
	make_new(&h->gc.lock);
	h->gc.worker = false;
	threads_forget_others(h, self);
	if (self) {
		self->tid = os_tid();
		thread_leave_busy(h, self);
	}
	if (h->on_device) {
		/* mcache_self stays usable to the fast path only where it is empty. */
		h->lost = true;
		mcache_self = &mcache_none;
		close(h->backend.fd);
	}
}

int fork_init(void)
{
	return pthread_atfork(before, in_parent, in_child);
}
