// SPDX-License-Identifier: MIT
/*
 * fork(): the child has one thread and, without the device, a copy of the heap,
 * which it may use in full.  The device's arena stays with the parent: its
 * mapping is not inherited, so a child may only exec or exit.
 *
 * All locks are taken before and given back after, so that the child does not
 * find one held by a thread that it does not have.  The handlers do nothing until
 * the heap has been started.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "heap.h"

/* The locks that busy threads take. */
static void each_lock(struct heap *h, int (*operation)(pthread_mutex_t *))
{
	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++)
		operation(&h->central[c].lock);
	operation(&h->lock);
	if (!h->on_device)
		operation(&h->backend.lock);
}

/*
 * The world is stopped for a moment, so that nobody is busy with a span in his
 * hands that the child would not find on any list; who becomes busy afterwards
 * waits for his first lock.  It does not stay stopped: a stopped thread may hold
 * malloc()'s lock, which fork() takes too.
 */
static void before(void)
{
	struct heap *h = &goheap_the_heap;
	struct thread *self = h->base ? thread_register(h) : NULL;

	if (!h->base)
		return;
	pthread_mutex_lock(&h->gc.lock);
	pthread_mutex_lock(&h->roots.lock);
	if (self) {
		stop_the_world(h, self);
		each_lock(h, pthread_mutex_lock);
		resume_the_world(h);
		thread_enter_busy(h, self);
	} else {
		pthread_mutex_lock(&h->threads.lock);
		each_lock(h, pthread_mutex_lock);
	}
}

static void in_parent(void)
{
	struct heap *h = &goheap_the_heap;

	if (!h->base)
		return;
	pthread_mutex_unlock(&h->threads.lock);
	each_lock(h, pthread_mutex_unlock);
	pthread_mutex_unlock(&h->roots.lock);
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

	if (!h->base)
		return;
	make_new(&h->threads.lock);
	each_lock(h, make_new);
	make_new(&h->roots.lock);
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

static int registration = -1;

/*
 * At load time, before the program registers handlers of its own: theirs then
 * run before ours take the heap's locks, so they may allocate.
 */
__attribute__((constructor)) static void register_handlers(void)
{
	registration = pthread_atfork(before, in_parent, in_child);
}

int fork_init(void)
{
	if (registration < 0)
		register_handlers();
	return registration;
}
