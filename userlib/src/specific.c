// SPDX-License-Identifier: MIT
/*
 * pthread_setspecific() and tss_set(): the values are roots.
 *
 * libc keeps them in malloc()ed memory, or, the first few of the main thread's, in a
 * place of its own.  So those that point into the heap are kept in the thread's
 * record, too.  The value that a destructor is called with is kept there until the
 * thread ends or sets another.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "heap.h"
#include "real.h"
#include "signals.h"

/* Might it be the address of an object? */
static bool points_into_heap(const struct heap *h, const void *value)
{
	return h->base && (uintptr_t)value - h->base < h->backend.bytes;
}

/* The calling thread's place for a key's value; NULL without memory. */
static uintptr_t *place_for(struct heap *h, struct thread *t, unsigned int key)
{
	uintptr_t **block = &t->specific[key / SPECIFIC_BLOCK];

	if (!*block) {
		thread_enter_busy(h, t);
		pthread_mutex_lock(&h->lock);
		__atomic_store_n(block, heap_alloc_metadata(h, SPECIFIC_BLOCK * sizeof(**block)),
				 __ATOMIC_RELEASE);
		pthread_mutex_unlock(&h->lock);
		thread_leave_busy(h, t);
	}
	return *block ? &(*block)[key % SPECIFIC_BLOCK] : NULL;
}

/* Have a place before the value is set; false without memory. */
static bool prepare(unsigned int key, const void *value, uintptr_t **place)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t = thread_self;

	*place = NULL;
	if (key >= SPECIFIC_KEYS)
		return true;
	if (!points_into_heap(h, value)) {
		if (t && t->specific[key / SPECIFIC_BLOCK])
			*place = place_for(h, t, key);
		return true;
	}
	if (h->lost)
		return true;
	t = thread_register(h);
	*place = t ? place_for(h, t, key) : NULL;
	return *place;
}

static void keep(uintptr_t *place, const void *value)
{
	if (place)
		__atomic_store_n(place, (uintptr_t)value, __ATOMIC_RELAXED);
}

PUBLIC int pthread_setspecific(pthread_key_t key, const void *value)
{
	uintptr_t *place;
	int ret;

	if (!prepare(key, value, &place))
		return ENOMEM;
	/* At no time is it nowhere: the caller still has it. */
	ret = REAL(pthread_setspecific)(key, value);
	if (!ret)
		keep(place, value);
	return ret;
}

PUBLIC int tss_set(tss_t key, void *value)
{
	uintptr_t *place;
	int ret;

	if (!prepare(key, value, &place))
		return thrd_error;
	ret = REAL(tss_set)(key, value);
	if (ret == thrd_success)
		keep(place, value);
	return ret;
}

/* No thread has a value for the key any more. */
static void forget(unsigned int key)
{
	struct heap *h = &goheap_the_heap;

	if (!h->base || key >= SPECIFIC_KEYS)
		return;
	pthread_mutex_lock(&h->threads.lock);
	for (struct thread *t = h->threads.first; t; t = t->next) {
		uintptr_t *block = __atomic_load_n(&t->specific[key / SPECIFIC_BLOCK],
						   __ATOMIC_ACQUIRE);

		if (block)
			keep(&block[key % SPECIFIC_BLOCK], NULL);
	}
	pthread_mutex_unlock(&h->threads.lock);
}

PUBLIC int pthread_key_delete(pthread_key_t key)
{
	/* Before another can get the same number. */
	forget(key);
	return REAL(pthread_key_delete)(key);
}

PUBLIC void tss_delete(tss_t key)
{
	forget(key);
	REAL(tss_delete)(key);
}

const char specific_linked;
