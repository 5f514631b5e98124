// SPDX-License-Identifier: MIT
/*
 * Weak handles: they say where an object is as long as it lives, and do not keep it
 * alive.  As Go's weak.Pointer.
 *
 * A handle is a small noscan object that holds the address.  Two specials tie it
 * to its object, one for each of them; whichever dies first, sweeping finds its
 * special and takes both away.  So the same object has the same handle as long as
 * the program has kept that.
 *
 * Reading a handle takes no lock.  While the collector marks, it is right to hand
 * out an object that has not been marked: the caller has it on the stack, which
 * is searched when the world stops.  After that, an object that has not been
 * marked is dead though its handle may not have been cleared yet, and so its span
 * is swept before the answer is given.  The world does not stop between the two,
 * because the caller is busy.
 */
#include <errno.h>
#include <goheap.h>

#include "heap.h"

/**
 * weak_clear() - a handle or its object is dead: untie them
 * @h: the heap
 * @sp: the special of the one that is
 *
 * Context: specials.lock held.
 */
void weak_clear(struct heap *h, struct special *sp)
{
	struct special *peer = sp->peer;
	struct goheap_weak *w;

	/* The handle has a special, so its slot is not another object's yet. */
	w = (struct goheap_weak *)(sp->kind == SPECIAL_HANDLE ? sp->object : peer->object);
	__atomic_store_n(&w->object, 0, __ATOMIC_RELEASE);
	if (sp->kind == SPECIAL_WEAK)
		counter_add_own(&h->specials.cleared, 1);
	counter_add_own(&h->specials.weak, -(uint64_t)1);
	special_remove(h, peer);
	special_remove(h, sp);
}

static bool is_swept(struct heap *h, const struct span *s)
{
	return __atomic_load_n(&s->sweepgen, __ATOMIC_ACQUIRE) ==
	       __atomic_load_n(&h->gc.sweepgen, __ATOMIC_RELAXED);
}

/* The object that a handle stands for, or 0.  Busy. */
static uintptr_t get(struct heap *h, const struct goheap_weak *w)
{
	uintptr_t p = __atomic_load_n(&w->object, __ATOMIC_ACQUIRE);
	struct span *s = p ? heap_span_of(h, p) : NULL;

	if (!s)
		return 0;
	sweep_this(h, s, p);
	return __atomic_load_n(&w->object, __ATOMIC_ACQUIRE);
}

/*
 * The handle that an object has, or NULL.  One that nobody holds may be dead and
 * not swept yet.  Takes specials.lock, and returns with it.
 */
static struct goheap_weak *lock_and_find(struct heap *h, uintptr_t object)
{
	for (;;) {
		struct special *sp;
		uintptr_t handle;
		struct span *s;

		pthread_mutex_lock(&h->specials.lock);
		sp = special_find(h, object, SPECIAL_WEAK);
		if (!sp)
			return NULL;
		handle = sp->peer->object;
		s = heap_span_of(h, handle);
		if (is_swept(h, s))
			return (struct goheap_weak *)handle;
		pthread_mutex_unlock(&h->specials.lock);
		sweep_this(h, s, handle);
	}
}

/* specials.lock held.  Return: 0; -1 without memory. */
static int tie(struct heap *h, struct span *s, uintptr_t object, struct goheap_weak *w)
{
	struct span *its = heap_span_of(h, (uintptr_t)w);
	struct special *weak = special_add(h, s, object, SPECIAL_WEAK);
	struct special *handle;

	if (!weak)
		return -1;
	handle = special_add(h, its, (uintptr_t)w, SPECIAL_HANDLE);
	if (!handle) {
		special_remove(h, weak);
		return -1;
	}
	weak->peer = handle;
	handle->peer = weak;
	counter_add_own(&h->specials.weak, 1);
	__atomic_store_n(&w->object, object, __ATOMIC_RELEASE);
	return 0;
}

/*
 * Give @p a handle if it has none: @fresh if that is not NULL.  Busy.
 * Return: its handle; NULL with 0 in @err if it has none, else with an error number.
 */
static struct goheap_weak *find_or_tie(struct heap *h, void *p, struct goheap_weak *fresh, int *err)
{
	struct span *s = object_span(h, p);
	struct goheap_weak *w;

	*err = s ? 0 : EINVAL;
	if (!s)
		return NULL;
	w = lock_and_find(h, (uintptr_t)p);
	if (!w && fresh) {
		if (tie(h, s, (uintptr_t)p, fresh))
			*err = ENOMEM;
		else
			w = fresh;
	}
	pthread_mutex_unlock(&h->specials.lock);
	return w;
}

PUBLIC struct goheap_weak *goheap_weak_new(void *p)
{
	struct heap *h = heap_get();
	struct thread *t = h ? thread_register(h) : NULL;
	struct goheap_weak *w = NULL, *fresh = NULL;
	int err = ENOMEM;

	if (!t) {
		errno = ENOMEM;
		return NULL;
	}
	for (;;) {
		thread_enter_busy(h, t);
		w = find_or_tie(h, p, fresh, &err);
		thread_leave_busy(h, t);
		if (w)
			return w;
		if (err) {
			errno = err;
			return NULL;
		}
		fresh = goheap_alloc_noscan(sizeof(*fresh));
		if (!fresh)
			return NULL;
	}
}

PUBLIC void *goheap_weak_get(struct goheap_weak *w)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t;
	uintptr_t p;

	if (!w || !h->base || h->lost)
		return NULL;
	t = thread_register(h);
	if (!t)
		return NULL;
	thread_enter_busy(h, t);
	p = get(h, w);
	thread_leave_busy(h, t);
	return (void *)p;
}
