// SPDX-License-Identifier: MIT
/*
 * Stopping the world.
 *
 * The collector raises the stop epoch and sends every other thread a signal;
 * each puts down where its stack ends, counts itself, and waits on a futex for
 * the resume epoch to catch up.  A thread that is busy inside the library, where
 * it may hold locks, only takes note and stops when it leaves.  The registers
 * are on the stack by then: in the frame that the kernel makes for the signal,
 * or spilled by park().
 *
 * Nothing here calls into libc beyond plain system calls: a stopped thread may
 * hold any of its locks.  Compiled without ThreadSanitizer, and the handler is
 * installed behind its back, because it would put signals off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#include "heap.h"

#define STOP_PATIENCE_S	10

/* Under its internal name glibc's own function, whatever intercepts the other. */
int __sigaction(int sig, const struct sigaction *act, struct sigaction *old) __attribute__((weak));

/* As the Boehm collector: a signal that programs leave alone. */
int stop_signal(void)
{
	return SIGPWR;
}

static uint32_t epoch_read(const uint32_t *epoch)
{
	return __atomic_load_n(epoch, __ATOMIC_ACQUIRE);
}

static NOINLINE void park_here(struct heap *h, struct thread *t, uintptr_t frame_end)
{
	struct threads *threads = &h->threads;
	uint32_t epoch = epoch_read(&threads->stop_epoch);
	uint32_t resumed;

	t->stopped_sp = (uintptr_t)__builtin_frame_address(0);
	t->frame_end = frame_end;
	t->stopped_for = epoch;
	__atomic_fetch_add(&threads->stopped, 1, __ATOMIC_ACQ_REL);
	os_futex_wake(&threads->stopped, 1);

	while ((int32_t)((resumed = epoch_read(&threads->resume_epoch)) - epoch) < 0)
		os_futex_wait(&threads->resume_epoch, resumed, NULL);
}

/* Callee-saved registers may hold pointers of our callers: onto the stack with them. */
static NOINLINE void park(struct heap *h, struct thread *t, uintptr_t frame_end)
{
	__builtin_unwind_init();
	park_here(h, t, frame_end);
	__asm__ volatile("" ::: "memory");
}

/* The kernel has put the registers between the handler's frame and here. */
static uintptr_t interrupted_sp(const ucontext_t *context)
{
#ifdef __x86_64__
	return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#else
	return (uintptr_t)context->uc_mcontext.sp;
#endif
}

static void on_stop_signal(int sig, siginfo_t *info, void *context)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t = thread_self;
	int saved = errno;

	(void)sig;
	(void)info;
	if (t && t->stopped_for != epoch_read(&h->threads.stop_epoch)) {
		if (t->busy)
			t->stop_asked = 1;
		else
			park(h, t, interrupted_sp(context));
	}
	errno = saved;
}

/**
 * thread_leave_slow() - stop now, having been asked while busy
 * @h: the heap
 * @t: the calling thread
 */
NOINLINE void thread_leave_slow(struct heap *h, struct thread *t)
{
	int saved = errno;

	t->stop_asked = 0;
	if (t->stopped_for != epoch_read(&h->threads.stop_epoch))
		park(h, t, (uintptr_t)__builtin_frame_address(0));
	errno = saved;
}

int stop_init(struct heap *h)
{
	struct sigaction act = {
		.sa_sigaction = on_stop_signal,
		.sa_flags = SA_RESTART | SA_SIGINFO,
	};

	(void)h;
	sigfillset(&act.sa_mask);
	return __sigaction ? __sigaction(stop_signal(), &act, NULL) :
			     sigaction(stop_signal(), &act, NULL);
}

static void name_the_stubborn(struct heap *h, uint32_t epoch)
{
	for (struct thread *t = h->threads.first; t; t = t->next)
		if (t->state == THREAD_RUNNING && t->stopped_for != epoch)
			os_message("goheap: thread %d does not answer signal %d; is it blocked? Waiting.\n",
				   t->tid, stop_signal());
}

/**
 * stop_the_world() - stop every other thread
 * @h: the heap
 * @self: the calling thread, which goes on
 *
 * Context: not busy; gc.lock held.  Returns with threads.lock held, so that no
 * thread comes or goes.
 */
void stop_the_world(struct heap *h, struct thread *self)
{
	static const struct timespec patience = { .tv_sec = STOP_PATIENCE_S };
	struct threads *threads = &h->threads;
	uint32_t wanted = 0, stopped, epoch;
	uint64_t since = now_ns(CLOCK_MONOTONIC);

	pthread_mutex_lock(&threads->lock);
	__atomic_store_n(&threads->stopped, 0, __ATOMIC_RELAXED);
	epoch = __atomic_add_fetch(&threads->stop_epoch, 1, __ATOMIC_ACQ_REL);
	self->stopped_for = epoch;
	for (struct thread *t = threads->first; t; t = t->next) {
		if (t == self || t->state != THREAD_RUNNING)
			continue;
		/* It ended by a system call of its own, so it never said so. */
		if (os_signal_thread(t->tid, stop_signal()))
			t->state = THREAD_FINISHED;
		else
			wanted++;
	}
	while ((stopped = epoch_read(&threads->stopped)) < wanted) {
		os_futex_wait(&threads->stopped, stopped, &patience);
		if (now_ns(CLOCK_MONOTONIC) - since > STOP_PATIENCE_S * 1000000000ull) {
			name_the_stubborn(h, epoch);
			since = now_ns(CLOCK_MONOTONIC);
		}
	}
}

/**
 * start_the_world() - let the stopped threads go on
 * @h: the heap
 *
 * Context: as stop_the_world() returned; gives threads.lock up.
 */
void start_the_world(struct heap *h)
{
	struct threads *threads = &h->threads;

	__atomic_store_n(&threads->resume_epoch, threads->stop_epoch, __ATOMIC_RELEASE);
	os_futex_wake(&threads->resume_epoch, INT32_MAX);
	pthread_mutex_unlock(&threads->lock);
}
