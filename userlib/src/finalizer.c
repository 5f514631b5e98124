// SPDX-License-Identifier: MIT
/*
 * Finalizers: functions that the program has called for an object that it
 * cannot reach any more.  As Go's runtime.SetFinalizer().
 *
 * They are run one after another in a thread of their own, which starts with the
 * first that is set; see special.c for when one is queued.  The special goes
 * before the finalizer runs, so the object is then as any other: it dies with
 * the next collection that does not find it, or lives on if the finalizer puts
 * it somewhere, and may have a finalizer set again.
 *
 * The thread runs the program's code, so unlike the library's other threads it is
 * searched for pointers; but it does not count as one of the program's, which
 * ends when its last own thread does.  If a finalizer ends the thread, with
 * pthread_exit() say, the next one runs in a new thread.
 *
 * A forked child keeps the queue, and has a thread again with its first collection
 * or goheap_set_finalizer().  The finalizer that was being run when the parent
 * forked is the parent's, unless it was that one that forked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <goheap.h>
#include <signal.h>

#include "heap.h"
#include "loaded.h"

/* More than the frame of a thread that sleeps, and the red zone below it. */
#define GAP_BYTES	2048

/**
 * finalizer_made() - a finalizer has been set
 * @h: the heap
 * @sp: its special, with @fn and @arg
 *
 * Context: specials.lock held.
 */
void finalizer_made(struct heap *h, struct special *sp)
{
	struct specials *all = &h->specials;

	sp->fresh_next = all->fresh;
	sp->fresh_link = &all->fresh;
	if (sp->fresh_next)
		sp->fresh_next->fresh_link = &sp->fresh_next;
	all->fresh = sp;
	counter_add_own(&all->finalizers, 1);
}

/**
 * finalizer_unmade() - it is not set any more
 * @h: the heap
 * @sp: its special
 *
 * Context: specials.lock held.
 */
void finalizer_unmade(struct heap *h, struct special *sp)
{
	if (sp->fresh_link) {
		*sp->fresh_link = sp->fresh_next;
		if (sp->fresh_next)
			sp->fresh_next->fresh_link = sp->fresh_link;
	}
	counter_add_own(&h->specials.finalizers, -(uint64_t)1);
}

/**
 * finalizer_enqueue() - a finalizer is to be run
 * @h: the heap
 * @sp: its special, which is on no list any more
 *
 * Context: specials.lock held; finalizers_wake() is to be called without it.
 */
void finalizer_enqueue(struct heap *h, struct special *sp)
{
	struct specials *all = &h->specials;

	finalizer_unmade(h, sp);
	sp->kind = SPECIAL_QUEUED;
	sp->next = NULL;
	*all->queue_end = sp;
	all->queue_end = &sp->next;
	counter_add_own(&all->queued, 1);
}

/**
 * finalizers_wake() - there are finalizers to run
 * @h: the heap
 */
void finalizers_wake(struct heap *h)
{
	__atomic_fetch_add(&h->specials.wakeup, 1, __ATOMIC_RELEASE);
	os_futex_wake(&h->specials.wakeup, 1);
}

struct call {
	void (*fn)(void *object, void *arg);
	void *object;
	void *arg;
};

/* The next in the queue.  From here on it is this thread's stack that holds the object. */
static bool take(struct heap *h, struct thread *self, struct call *call)
{
	struct specials *all = &h->specials;
	struct special *sp;

	thread_enter_busy(h, self);
	pthread_mutex_lock(&all->lock);
	sp = all->queue;
	if (sp) {
		all->queue = sp->next;
		if (!all->queue)
			all->queue_end = &all->queue;
		call->fn = sp->fn;
		call->object = (void *)sp->object;
		call->arg = sp->arg;
		special_recycle(h, sp);
		counter_add_own(&all->queued, -(uint64_t)1);
		counter_add(&all->run, 1);
	}
	pthread_mutex_unlock(&all->lock);
	thread_leave_busy(h, self);
	return sp;
}

static NOINLINE bool take_and_run(struct heap *h, struct thread *self)
{
	struct call call;

	if (!take(h, self, &call))
		return false;
	call.fn(call.object, call.arg);
	return true;
}

/*
 * What is left on the stack must not keep the object.  So all that has to do with
 * it happens so far down that it is not searched while the thread sleeps.
 */
static NOINLINE bool run_one(struct heap *h, struct thread *self)
{
	char gap[GAP_BYTES];
	bool ran;

	__asm__ volatile("" : : "r"(gap) : "memory");
	ran = take_and_run(h, self);
	__asm__ volatile("" : : "r"(gap) : "memory");
	return ran;
}

static void set_thread(struct heap *h, struct thread *self, bool runs)
{
	thread_enter_busy(h, self);
	self->finalizer = runs;
	h->specials.thread = runs ? self : NULL;
	thread_leave_busy(h, self);
}

/* A finalizer has ended the thread.  The others are still to be run. */
static void on_end(void *heap)
{
	struct heap *h = heap;

	h->specials.thread = NULL;
	__atomic_store_n(&h->specials.running, false, __ATOMIC_RELEASE);
	finalizers_start(h);
}

static void *run(void *heap)
{
	struct heap *h = heap;
	struct thread *self = thread_self;
	uint32_t seen;

	pthread_setname_np(pthread_self(), "goheap-final");
	set_thread(h, self, true);
	pthread_cleanup_push(on_end, h);
	for (;;) {
		seen = __atomic_load_n(&h->specials.wakeup, __ATOMIC_ACQUIRE);
		while (run_one(h, self))
			continue;
		os_futex_wait(&h->specials.wakeup, seen, NULL);
	}
	pthread_cleanup_pop(0);
	return NULL;
}

/**
 * finalizers_start() - start the thread, if there is none
 * @h: the heap
 *
 * Context: not busy, no lock held: creating a thread takes locks of the dynamic
 * linker's.
 * Return: 0, or an error number.
 */
int finalizers_start(struct heap *h)
{
	int err;

	/* The next collection will do it. */
	if (loaded_in_callback())
		return 0;
	if (__atomic_exchange_n(&h->specials.running, true, __ATOMIC_ACQ_REL))
		return 0;
	/* The program's functions run there: give it a stack as they are used to. */
	err = thread_create_internal(run, h, 0);
	if (err)
		__atomic_store_n(&h->specials.running, false, __ATOMIC_RELEASE);
	return err;
}

/**
 * finalizers_start_if_wanted() - start the thread if there is work for it
 * @h: the heap
 *
 * In a forked child, and where it could not be started earlier.
 *
 * Context: not busy, no lock held.
 */
void finalizers_start_if_wanted(struct heap *h)
{
	if (!__atomic_load_n(&h->specials.running, __ATOMIC_RELAXED) &&
	    (counter_read(&h->specials.finalizers) || counter_read(&h->specials.queued)))
		finalizers_start(h);
}

/**
 * finalizers_forked() - in a forked child: the thread is the parent's
 * @h: the heap
 *
 * Context: the only thread there is.
 */
void finalizers_forked(struct heap *h)
{
	/* Unless it is the one that forked. */
	if (h->specials.thread && h->specials.thread == thread_self)
		return;
	h->specials.thread = NULL;
	h->specials.running = false;
}

/* Busy.  Return: 0 or an error number. */
static int set(struct heap *h, void *p, void (*fn)(void *object, void *arg), void *arg)
{
	struct span *s = object_span(h, p);
	struct special *sp;
	int err = 0;

	if (!s)
		return EINVAL;
	pthread_mutex_lock(&h->specials.lock);
	sp = special_find(h, (uintptr_t)p, SPECIAL_FINALIZER);
	if (!fn) {
		if (sp) {
			finalizer_unmade(h, sp);
			special_remove(h, sp);
		}
	} else if (sp) {
		err = EEXIST;
	} else {
		sp = special_add(h, s, (uintptr_t)p, SPECIAL_FINALIZER);
		if (sp) {
			sp->fn = fn;
			sp->arg = arg;
			finalizer_made(h, sp);
		} else {
			err = ENOMEM;
		}
	}
	pthread_mutex_unlock(&h->specials.lock);
	return err;
}

PUBLIC int goheap_set_finalizer(void *p, void (*fn)(void *object, void *arg), void *arg)
{
	struct heap *h = heap_get();
	struct thread *t = h ? thread_register(h) : NULL;
	int err = ENOMEM;

	if (t) {
		thread_enter_busy(h, t);
		err = set(h, p, fn, arg);
		thread_leave_busy(h, t);
	}
	if (!err && fn) {
		err = finalizers_start(h);
		if (err)
			goheap_set_finalizer(p, NULL, NULL);
	}
	if (!err)
		return 0;
	errno = err;
	return -1;
}
