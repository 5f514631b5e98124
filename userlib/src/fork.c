// SPDX-License-Identifier: MIT
/*
 * fork(): the child has one thread and a copy of the heap, which it may use in
 * full.  With the device the copy is the kernel's, which clones the arena behind
 * the same descriptor and addresses.  Where the kernel does not do that, or has no
 * memory for the clone's tables, the heap stays with the parent: the child may
 * only exec or exit, and its requests are ENOMEM.
 *
 * The other threads go on while the kernel copies, and the child must not find the
 * heap in the middle of a change, with a span that is in the hands of a thread
 * it does not have.  So the world is stopped for a moment, when no thread is busy,
 * and a gate is shut that threads wait at before they become busy again.  The world
 * does not stay stopped: a stopped thread may hold malloc()'s lock, which fork()
 * takes too.
 *
 * What threads still do while the gate is shut is to hand out slots of runs that they
 * had claimed.  In the child all slots of these runs stay allocated, handed out
 * or not, until a collection finds which are referred to.  The stacks of the
 * threads that the child does not have are no roots any more.
 *
 * If a collection is marking, the markers stand still meanwhile.  The parent's go on
 * afterwards; in the child there are none, so it forgets the collection.
 *
 * The handlers do nothing until the heap has been started.
 */
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "heap.h"
#include "loaded.h"

/* Who forks before there was memory to register it. */
static struct thread nobody;

static struct thread *forker(void)
{
	return thread_self ? thread_self : &nobody;
}

static void before(void)
{
	struct heap *h = &goheap_the_heap;

	pthread_mutex_lock(&start_lock);
	if (!h->base)
		return;
	thread_register(h);
	gc_lock(h);
	/* The child may never be able to make one: see loaded.c. */
	if (thread_self)
		loaded_update(h);
	work_halt(&h->gc.queue);
	pthread_mutex_lock(&h->roots.lock);
	stop_the_world(h, forker());
	__atomic_store_n(&h->threads.gate, 1, __ATOMIC_RELEASE);
	resume_the_world(h);
}

static void in_parent(void)
{
	struct heap *h = &goheap_the_heap;

	if (h->base) {
		__atomic_store_n(&h->threads.gate, 0, __ATOMIC_RELEASE);
		os_futex_wake(&h->threads.gate, INT32_MAX);
		pthread_mutex_unlock(&h->threads.lock);
		pthread_mutex_unlock(&h->roots.lock);
		work_resume(&h->gc.queue);
		pthread_mutex_unlock(&h->gc.lock);
	}
	pthread_mutex_unlock(&start_lock);
}

/* Only the calling thread is left. */
static void in_child(void)
{
	struct heap *h = &goheap_the_heap;
	struct thread *self = thread_self;

	pthread_mutex_init(&start_lock, NULL);
	if (!h->base)
		return;
	for (unsigned int c = 0; c < NUM_SPAN_CLASSES; c++)
		os_short_lock_init(&h->central[c].lock);
	profile_forked(h);
	os_short_lock_init(&h->lock);
	pthread_mutex_init(&h->threads.lock, NULL);
	pthread_mutex_init(&h->roots.lock, NULL);
	pthread_mutex_init(&h->gc.lock, NULL);
	pthread_mutex_init(&h->gc.turn, NULL);
	h->threads.gate = 0;
	loaded_forked();
	if (self)
		self->tid = os_tid();
	threads_forget_others(h, self);
	background_forget(h);
	dirty_forked(h);
	specials_forked(h);
	workers_forget(h);
	if (!h->backend.ops->inherit(&h->backend)) {
		gc_forked(h);
		return;
	}
	/* mcache_self stays usable to the fast path only where it is empty. */
	h->lost = true;
	mcache_self = &mcache_none;
	close(h->backend.fd);
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
