// SPDX-License-Identifier: MIT
/*
 * Stopping the world.
 *
 * The collector raises the stop epoch and sends every other thread a signal;
 * each puts down where its stack ends, counts itself, and waits on a futex for
 * the resume epoch to catch up.  A thread that is busy inside the library, where
 * it may hold locks, only takes note and stops when it leaves.  The registers
 * are in memory by then: in the frame that the kernel makes for the signal, or
 * spilled by park().  Of the signal's frame only the registers are searched: the
 * rest is padding, and what was left on the stack there by functions that have
 * returned, the library's own among them, would keep garbage alive.
 *
 * Nothing here calls into libc beyond plain system calls: a stopped thread may
 * hold any of its locks.  Compiled without ThreadSanitizer, and the handler is
 * installed behind its back, because it would put signals off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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

static void wait_for_resume(struct heap *h, struct thread *t)
{
	struct threads *threads = &h->threads;
	uint32_t epoch = epoch_read(&threads->stop_epoch);
	uint32_t resumed;

	t->stopped_for = epoch;
	__atomic_fetch_add(&threads->stopped, 1, __ATOMIC_ACQ_REL);
	os_futex_wake(&threads->stopped, 1);

	while ((int32_t)((resumed = epoch_read(&threads->resume_epoch)) - epoch) < 0)
		os_futex_wait(&threads->resume_epoch, resumed, NULL);
}

static NOINLINE void park_here(struct heap *h, struct thread *t)
{
	memset(&t->saved, 0, sizeof(t->saved));
	t->stopped_sp = (uintptr_t)__builtin_frame_address(0);
	wait_for_resume(h, t);
}

/* Callee-saved registers may hold pointers of our callers: onto the stack with them. */
static NOINLINE void park(struct heap *h, struct thread *t)
{
	__builtin_unwind_init();
	park_here(h, t);
	__asm__ volatile("" ::: "memory");
}

#ifdef __x86_64__
#define RED_ZONE	128	/* below the stack pointer, by the System V ABI */
/* Where the kernel says how long the extended state is; see its sigcontext.h. */
#define XSTATE_MAGIC_AT	464
#define XSTATE_MAGIC	0x46505853u
#define XSTATE_SIZE_AT	480

static void find_registers(struct thread *t, const ucontext_t *context)
{
	const mcontext_t *m = &context->uc_mcontext;
	const char *fp = (const char *)m->fpregs;
	size_t bytes = sizeof(*m->fpregs);

	t->stopped_sp = (uintptr_t)m->gregs[REG_RSP] - RED_ZONE;
	t->saved.general = (uintptr_t)m->gregs;
	t->saved.general_end = (uintptr_t)(m->gregs + NGREG);
	if (fp && *(const uint32_t *)(fp + XSTATE_MAGIC_AT) == XSTATE_MAGIC)
		bytes = *(const uint32_t *)(fp + XSTATE_SIZE_AT);
	t->saved.vector = (uintptr_t)fp;
	t->saved.vector_end = (uintptr_t)fp + (fp ? bytes : 0);
}
#else
static void find_registers(struct thread *t, const ucontext_t *context)
{
	const mcontext_t *m = &context->uc_mcontext;

	t->stopped_sp = (uintptr_t)m->sp;
	t->saved.general = (uintptr_t)m->regs;
	t->saved.general_end = (uintptr_t)(m->regs + 31);
	t->saved.vector = (uintptr_t)m->__reserved;
	t->saved.vector_end = (uintptr_t)m->__reserved + sizeof(m->__reserved);
}
#endif

static void on_stop_signal(int sig, siginfo_t *info, void *context)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t = thread_self;
	int saved = errno;

	(void)sig;
	(void)info;
	if (t && t->stopped_for != epoch_read(&h->threads.stop_epoch)) {
		if (t->busy) {
			t->stop_asked = 1;
		} else {
			find_registers(t, context);
			wait_for_resume(h, t);
		}
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
		park(h, t);
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
		if (!os_signal_thread(t->tid, stop_signal())) {
			wanted++;
			continue;
		}
		if (errno != ESRCH) {
			os_message("goheap: cannot stop thread %d: errno %d\n", t->tid, errno);
			abort();
		}
		/* It ended by a system call of its own, so it never said so. */
		t->state = THREAD_FINISHED;
		counter_add_own(&threads->count, -(uint64_t)!t->internal);
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
 * resume_the_world() - let the stopped threads go on, but none come or go
 * @h: the heap
 *
 * Context: as stop_the_world() returned; keeps threads.lock.
 */
void resume_the_world(struct heap *h)
{
	struct threads *threads = &h->threads;

	__atomic_store_n(&threads->resume_epoch, threads->stop_epoch, __ATOMIC_RELEASE);
	os_futex_wake(&threads->resume_epoch, INT32_MAX);
}

/**
 * start_the_world() - let the stopped threads go on
 * @h: the heap
 *
 * Context: as stop_the_world() returned; gives threads.lock up.
 */
void start_the_world(struct heap *h)
{
	resume_the_world(h);
	pthread_mutex_unlock(&h->threads.lock);
}
