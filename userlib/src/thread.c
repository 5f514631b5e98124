// SPDX-License-Identifier: MIT
/*
 * The registry of threads, and the functions of the C library that are wrapped
 * so that no thread has to be announced.
 *
 * pthread_create() and thrd_create() make the record before the thread exists:
 * its argument may be the last pointer to an object.  pthread_exit() and the
 * return from the start routine keep the result for pthread_join().  See real.h for
 * how the real ones are found, signals.c for what is wrapped beside these.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <threads.h>

#include "heap.h"
#include "real.h"
#include "signals.h"

TLS_FAST struct thread *thread_self;

/* threads.lock held. */
static struct thread *new_record(struct heap *h, enum thread_state state)
{
	struct threads *threads = &h->threads;
	struct thread *t = threads->recycled;

	if (t) {
		uintptr_t *specific[SPECIFIC_KEYS / SPECIFIC_BLOCK];

		/* Its tables serve again. */
		threads->recycled = t->next;
		memcpy(specific, t->specific, sizeof(specific));
		memset(t, 0, sizeof(*t));
		for (unsigned int i = 0; i < SPECIFIC_KEYS / SPECIFIC_BLOCK; i++)
			if (specific[i])
				memset(specific[i], 0, SPECIFIC_BLOCK * sizeof(*specific[i]));
		memcpy(t->specific, specific, sizeof(specific));
	} else {
		pthread_mutex_lock(&h->lock);
		t = heap_alloc_metadata(h, sizeof(*t));
		h->meta.thread_bytes += t ? sizeof(*t) : 0;
		pthread_mutex_unlock(&h->lock);
		if (!t)
			return NULL;
	}
	mcache_init(&t->mc);
	t->state = state;
	t->next = threads->first;
	threads->first = t;
	return t;
}

/* threads.lock held. */
static void drop_record(struct heap *h, struct thread *t)
{
	struct thread **link = &h->threads.first;

	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	t->next = h->threads.recycled;
	h->threads.recycled = t;
}

/* Nobody will ask for the record any more.  threads.lock held. */
static void drop_if_over(struct heap *h, struct thread *t)
{
	if (t->state != THREAD_FINISHED || !t->detached)
		return;
	/* The handle may be another thread's from now on. */
	t->handle = 0;
	if (!t->creating)
		drop_record(h, t);
}

/**
 * thread_ended_silently() - a thread turned out to be gone
 * @h: the heap
 * @t: its record; may be dropped
 *
 * It ended by a system call of its own, or was registered when its last destructors
 * ran, so it never said so.  Its runs stay behind as garbage.
 *
 * Context: threads.lock held.
 */
void thread_ended_silently(struct heap *h, struct thread *t)
{
	mcache_abandon(h, &t->mc);
	t->state = THREAD_FINISHED;
	counter_add_own(t->internal ? &h->threads.internals : &h->threads.count, -(uint64_t)1);
	drop_if_over(h, t);
}

/* The kernel has given the number of a thread that is gone to the calling one. */
static void find_namesake(struct heap *h, int tid)
{
	struct thread *t = h->threads.first;

	while (t && (t->state != THREAD_RUNNING || t->tid != tid))
		t = t->next;
	if (t)
		thread_ended_silently(h, t);
}

extern void *__libc_stack_end;

/* The main thread's stack where /proc/self/maps cannot be read. */
static void guess_main_stack(struct thread *t)
{
	const uintptr_t page = 4096;
	unsigned char resident;
	struct rlimit limit;

	t->stack_high = align_up((uintptr_t)__libc_stack_end, page);
	while (!mincore((void *)t->stack_high, page, &resident))
		t->stack_high += page;
	t->stack_low = page;
	if (!getrlimit(RLIMIT_STACK, &limit) && limit.rlim_cur < t->stack_high - page)
		t->stack_low = t->stack_high - limit.rlim_cur;
}

static void find_stack(struct thread *t)
{
	pthread_attr_t attr;
	void *low;
	size_t size;

	t->stack_grows = os_tid() == os_pid();
	if (!pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstack(&attr, &low, &size);
		pthread_attr_destroy(&attr);
		t->stack_low = (uintptr_t)low;
		t->stack_high = (uintptr_t)low + size;
	} else if (t->stack_grows) {
		guess_main_stack(t);
	} else {
		/* To go on would be to lose what only this stack points to. */
		os_message("goheap: thread %d: no memory to find out where its stack is\n", os_tid());
		abort();
	}
}

/*
 * Whoever comes first, the thread or its creator, sets the handle, and once: it
 * may have been claimed since (claim_record()).  threads.lock held.
 */
static void set_handle(struct thread *t, pthread_t handle)
{
	if (!t->handle_set)
		t->handle = handle;
	t->handle_set = true;
}

/* What the thread was made with is what its creator or its attributes meant. */
static void unblock_stop(void)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, stop_signal());
	if (!REAL(pthread_sigmask)(SIG_UNBLOCK, &set, &old) && sigismember(&old, stop_signal()))
		mean_stop_blocked(true);
}

/* The calling thread takes its record over: from here on it can be stopped. */
static void take_over(struct heap *h, struct thread *t)
{
	find_stack(t);
	unblock_stop();
	pthread_setspecific(h->threads.key, t);

	pthread_mutex_lock(&h->threads.lock);
	find_namesake(h, os_tid());
	t->tid = os_tid();
	set_handle(t, pthread_self());
	t->tcb = (uintptr_t)__builtin_thread_pointer();
#ifdef __x86_64__
	/*
	 * Thread-local storage is below it; above is libc's own: old values of keys, which
	 * would keep garbage alive (specific.c has the true ones), and nothing to miss.
	 */
	if (thread_owns_stack(t, t->tcb))
		t->stack_high = t->tcb;
#endif
	t->state = THREAD_RUNNING;
	t->stopped_for = h->threads.stop_epoch;
	counter_add_own(t->internal ? &h->threads.internals : &h->threads.count, 1);
	thread_self = t;
	mcache_self = &t->mc;
	pthread_mutex_unlock(&h->threads.lock);
}

/**
 * thread_register() - the calling thread's record
 * @h: the heap
 *
 * Context: not busy, no lock held.
 * Return: the record, made and entered if there was none; NULL and ENOMEM.
 */
struct thread *thread_register(struct heap *h)
{
	struct thread *t = thread_self;

	if (likely(t))
		return t;
	pthread_mutex_lock(&h->threads.lock);
	t = new_record(h, THREAD_NEW);
	pthread_mutex_unlock(&h->threads.lock);
	if (!t) {
		errno = ENOMEM;
		return NULL;
	}
	/* Nobody waits in pthread_join() for what we did not see being created. */
	t->detached = true;
	take_over(h, t);
	return t;
}

/**
 * thread_wait_at_gate() - a fork is under way: be busy when it is over
 * @h: the heap
 * @t: the calling thread, which has just become busy
 */
NOINLINE void thread_wait_at_gate(struct heap *h, struct thread *t)
{
	do {
		thread_leave_busy(h, t);
		os_futex_wait(&h->threads.gate, 1, NULL);
		t->busy++;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&h->threads.gate, __ATOMIC_ACQUIRE));
}

/* The calling thread ends: its cache goes back, its record waits for the join. */
static void unregister(struct heap *h, struct thread *t)
{
	bool last;

	thread_enter_busy(h, t);
	mcache_release(h, &t->mc);
	thread_leave_busy(h, t);

	pthread_mutex_lock(&h->threads.lock);
	mcache_self = &mcache_none;
	thread_self = NULL;
	counter_add_own(t->internal ? &h->threads.internals : &h->threads.count, -(uint64_t)1);
	t->state = THREAD_FINISHED;
	last = !h->threads.count;
	drop_if_over(h, t);
	pthread_mutex_unlock(&h->threads.lock);
	/* The background thread must not be what keeps the process alive. */
	if (last)
		background_wake(h);
}

/*
 * Destructor of threads.key.  Other keys' destructors may still allocate, so it
 * puts itself off until the last round that POSIX promises; or the last but one,
 * where ThreadSanitizer needs the last for itself.
 */
#ifdef __SANITIZE_THREAD__
#define EXIT_ROUNDS	(PTHREAD_DESTRUCTOR_ITERATIONS - 1)
#else
#define EXIT_ROUNDS	PTHREAD_DESTRUCTOR_ITERATIONS
#endif


static void on_exit_round(void *record)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t = record;

	if (++t->exit_rounds < EXIT_ROUNDS)
		pthread_setspecific(h->threads.key, t);
	else
		unregister(h, t);
}

/*
 * libc calls the destructors of a round in the order of their keys, which it gives out
 * lowest first.  Ours is to be the last of the last round, or the thread would be known
 * no more when another's destructor allocates, or has the last pointer to an object.
 */
#define KEYS_BEFORE	256

static int create_high_key(pthread_key_t *key)
{
	pthread_key_t keys[KEYS_BEFORE];
	int n = 0, high = 0, err = 0;

	while (n < KEYS_BEFORE) {
		err = pthread_key_create(&keys[n], on_exit_round);
		if (err)
			break;
		if (keys[n] > keys[high])
			high = n;
		n++;
	}
	for (int i = 0; i < n; i++)
		if (i != high)
			pthread_key_delete(keys[i]);
	if (!n)
		return err;
	*key = keys[high];
	return 0;
}

int threads_init(struct heap *h)
{
	pthread_mutex_init(&h->threads.lock, NULL);
	return create_high_key(&h->threads.key);
}

void threads_undo(struct heap *h)
{
	pthread_key_delete(h->threads.key);
}

static void *trampoline(void *record)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t = record;
	void *result, *arg;

	take_over(h, t);
	if (t->stop_meant_blocked)
		mean_stop_blocked(true);
	arg = t->arg;
	t->arg = NULL;
	result = t->start(arg);
	t->result = result;
	return result;
}

/* Otherwise it is the creator's that a thread begins with. */
static bool has_own_mask(const pthread_attr_t *attr)
{
	sigset_t set;

	return attr && pthread_attr_getsigmask_np(attr, &set) != PTHREAD_ATTR_NO_SIGMASK_NP;
}

static int create(pthread_t *handle, const pthread_attr_t *attr, void *(*start)(void *),
		  void *arg, bool internal)
{
	struct heap *h = heap_get();
	struct thread *t = NULL;
	int state = PTHREAD_CREATE_JOINABLE;
	int ret;

	if (!h || !thread_register(h))
		return REAL(pthread_create)(handle, attr, start, arg);
	if (attr)
		pthread_attr_getdetachstate(attr, &state);

	pthread_mutex_lock(&h->threads.lock);
	t = new_record(h, THREAD_NEW);
	if (t) {
		t->start = start;
		t->arg = arg;
		t->detached = state == PTHREAD_CREATE_DETACHED;
		t->internal = internal;
		t->creating = true;
		t->stop_meant_blocked = stop_meant_blocked() && !has_own_mask(attr);
	}
	pthread_mutex_unlock(&h->threads.lock);
	if (!t)
		return EAGAIN;

	ret = REAL(pthread_create)(handle, attr, trampoline, t);
	pthread_mutex_lock(&h->threads.lock);
	t->creating = false;
	if (ret) {
		drop_record(h, t);
	} else {
		/* It may be joined before it has run; or it is over already. */
		if (!t->detached)
			set_handle(t, *handle);
		drop_if_over(h, t);
	}
	pthread_mutex_unlock(&h->threads.lock);
	return ret;
}

PUBLIC int pthread_create(pthread_t *restrict handle, const pthread_attr_t *restrict attr,
			  void *(*start)(void *), void *restrict arg)
{
	return create(handle, attr, start, arg, false);
}

int thread_create_internal(void *(*start)(void *), void *arg, size_t stack)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (stack)
		pthread_attr_setstacksize(&attr, stack);
	/* The program's signals are not for this thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = create(&thread, &attr, start, arg, true);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return ret;
}

void thread_set_collector(struct heap *h, struct thread *t, bool collector)
{
	pthread_mutex_lock(&h->threads.lock);
	t->collector = collector;
	pthread_mutex_unlock(&h->threads.lock);
}

struct thrd_call {
	thrd_start_t start;
	void *arg;
};

static void *thrd_trampoline(void *p)
{
	struct thrd_call call = *(struct thrd_call *)p;

	return (void *)(intptr_t)call.start(call.arg);
}

/* C11 threads are pthreads in glibc; thrd_join() reads the result as an int. */
PUBLIC int thrd_create(thrd_t *handle, thrd_start_t start, void *arg)
{
	struct thrd_call *call = alloc_object(sizeof(*call), SPAN_SCAN);
	int ret;

	if (!call)
		return thrd_nomem;
	call->start = start;
	call->arg = arg;
	ret = pthread_create(handle, NULL, thrd_trampoline, call);
	return ret == 0 ? thrd_success : ret == EAGAIN ? thrd_nomem : thrd_error;
}

PUBLIC void pthread_exit(void *result)
{
	if (thread_self)
		thread_self->result = result;
	REAL(pthread_exit)(result);
	__builtin_unreachable();
}

/*
 * Take the record of a thread that is about to be joined or detached.  Before
 * the real call, and so that no other finds it: once that has done its work, the
 * handle may belong to a new thread.
 */
static struct thread *claim_record(pthread_t handle)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t;

	if (!h->base)
		return NULL;
	pthread_mutex_lock(&h->threads.lock);
	for (t = h->threads.first; t; t = t->next)
		if (t->handle && pthread_equal(t->handle, handle))
			break;
	if (t)
		t->handle = 0;
	pthread_mutex_unlock(&h->threads.lock);
	return t;
}

/* The thread has been joined, or will never be; or the attempt has failed. */
static void settle(struct thread *t, pthread_t handle, bool done)
{
	struct heap *h = &goheap_the_heap;

	if (!t)
		return;
	pthread_mutex_lock(&h->threads.lock);
	if (done) {
		t->detached = true;
		drop_if_over(h, t);
	} else {
		t->handle = handle;
	}
	pthread_mutex_unlock(&h->threads.lock);
}

PUBLIC int pthread_join(pthread_t handle, void **result)
{
	struct thread *t = claim_record(handle);
	int ret = REAL(pthread_join)(handle, result);

	settle(t, handle, !ret);
	return ret;
}

PUBLIC int pthread_tryjoin_np(pthread_t handle, void **result)
{
	struct thread *t = claim_record(handle);
	int ret = REAL(pthread_tryjoin_np)(handle, result);

	settle(t, handle, !ret);
	return ret;
}

PUBLIC int pthread_timedjoin_np(pthread_t handle, void **result, const struct timespec *until)
{
	struct thread *t = claim_record(handle);
	int ret = REAL(pthread_timedjoin_np)(handle, result, until);

	settle(t, handle, !ret);
	return ret;
}

PUBLIC int pthread_clockjoin_np(pthread_t handle, void **result, clockid_t clock,
				const struct timespec *until)
{
	struct thread *t = claim_record(handle);
	int ret = REAL(pthread_clockjoin_np)(handle, result, clock, until);

	settle(t, handle, !ret);
	return ret;
}

PUBLIC int thrd_join(thrd_t handle, int *result)
{
	struct thread *t = claim_record(handle);
	int ret = REAL(thrd_join)(handle, result);

	settle(t, handle, ret == thrd_success);
	return ret;
}

PUBLIC int pthread_detach(pthread_t handle)
{
	struct thread *t = claim_record(handle);
	int ret = REAL(pthread_detach)(handle);

	settle(t, handle, !ret);
	return ret;
}

PUBLIC int thrd_detach(thrd_t handle)
{
	struct thread *t = claim_record(handle);
	int ret = REAL(thrd_detach)(handle);

	settle(t, handle, ret == thrd_success);
	return ret;
}

void threads_forget_others(struct heap *h, struct thread *self)
{
	struct thread *t, *next;

	for (t = h->threads.first; t; t = next) {
		next = t->next;
		if (t == self)
			continue;
		if (t->state == THREAD_RUNNING)
			mcache_abandon(h, &t->mc);
		drop_record(h, t);
	}
	h->threads.count = self && !self->internal;
	h->threads.internals = self && self->internal;
}
