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
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "heap.h"
#include "real.h"
#include "signals.h"

/* Under its internal name glibc's own function, whatever intercepts the other. */
int __sigaction(int sig, const struct sigaction *act, struct sigaction *old) __attribute__((weak));

TLS_FAST volatile uint32_t stops_handled;

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
/* Which parts there are; the others have not been written. */
#define XSTATE_PARTS_AT	512
#define XSTATE_YMM	0x04u
#define XSTATE_ZMM	0xe0u
#define XSTATE_XMM_END	416
#define XSTATE_YMM_AT	576
#define XSTATE_YMM_END	832

/*
 * The halves of the vector registers that every processor has, and what more there is
 * of them.  What is between, and parts that are not in use, has not been written: there is
 * what the stack held before.
 */
static void find_vectors(struct saved_registers *r, uintptr_t fp)
{
	uint64_t parts = 0;
	size_t bytes = 0;

	r->vector = fp;
	r->vector_end = fp ? fp + XSTATE_XMM_END : 0;
	if (fp && *(const uint32_t *)(fp + XSTATE_MAGIC_AT) == XSTATE_MAGIC) {
		parts = *(const uint64_t *)(fp + XSTATE_PARTS_AT);
		bytes = *(const uint32_t *)(fp + XSTATE_SIZE_AT);
	}
	if (!(parts & XSTATE_ZMM))
		bytes = parts & XSTATE_YMM ? XSTATE_YMM_END : 0;
	r->upper = bytes ? fp + XSTATE_YMM_AT : 0;
	r->upper_end = bytes ? fp + bytes : 0;
}

static void find_registers(struct thread *t, const ucontext_t *context)
{
	const mcontext_t *m = &context->uc_mcontext;

	t->stopped_sp = (uintptr_t)m->gregs[REG_RSP] - RED_ZONE;
	t->saved.general = (uintptr_t)m->gregs;
	t->saved.general_end = (uintptr_t)(m->gregs + NGREG);
	find_vectors(&t->saved, (uintptr_t)m->fpregs);
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
	t->saved.upper = 0;
	t->saved.upper_end = 0;
}
#endif

static void on_stop_signal(int sig, siginfo_t *info, void *context)
{
	struct heap *h = &goheap_the_heap;
	struct thread *t = thread_self;
	int saved = errno;

	(void)sig;
	(void)info;
	stops_handled++;
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
			     REAL(sigaction)(stop_signal(), &act, NULL);
}

/* What the kernel knows of a thread; empty if it is gone. */
static void read_status(int tid, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : syscall(SYS_read, fd, text, size - 1);
	text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		syscall(SYS_close, fd);
}

/* The value of a line of it, up to its end. */
static const char *field(const char *status, const char *key, int *length)
{
	const char *at = strstr(status, key);

	at = at ? at + strlen(key) : "?";
	at += strspn(at, "\t ");
	*length = (int)strcspn(at, "\n");
	return at;
}

static void name_one(const struct thread *t)
{
	char status[2048];
	const char *name, *state, *blocked;
	int name_length, state_length, length;
	bool blocks;

	read_status(t->tid, status, sizeof(status));
	name = field(status, "Name:", &name_length);
	state = field(status, "State:", &state_length);
	blocked = field(status, "SigBlk:", &length);
	blocks = strtoull(blocked, NULL, 16) >> (stop_signal() - 1) & 1;
	os_message("goheap: thread %d (%.*s) does not stop: it %s signal %d, state %.*s; waiting\n",
		   t->tid, name_length, name, blocks ? "blocks" : "does not handle",
		   stop_signal(), state_length, state);
}

static void name_the_stubborn(struct heap *h, uint32_t epoch)
{
	for (struct thread *t = h->threads.first; t; t = t->next)
		if (t->state == THREAD_RUNNING && !t->collector && t->stopped_for != epoch &&
		    !t->gone)
			name_one(t);
}

/* How often to see whether those that have not answered are still there. */
#define SLICE_NS	50000000
/*
 * ... and after how long to ask whether the main thread has ended.  The kernel needs memory
 * for the answer, and where that is short ends the process rather than to give none.
 */
#define ZOMBIE_NS	500000000

/* The main thread stays as a zombie until the process ends. */
static bool is_zombie(int tid)
{
	char status[2048];
	int length;

	read_status(tid, status, sizeof(status));
	return *field(status, "State:", &length) == 'Z';
}

/* Threads that have got the signal and ended without handling it; @since: for so long, ns. */
static uint32_t count_gone(struct heap *h, uint32_t epoch, uint64_t since)
{
	uint32_t n = 0;

	for (struct thread *t = h->threads.first; t; t = t->next) {
		if (t->state != THREAD_RUNNING || t->collector || t->stopped_for == epoch || t->gone)
			continue;
		if ((os_signal_thread(t->tid, 0) && errno == ESRCH) ||
		    (since > ZOMBIE_NS && t->tid == os_pid() && is_zombie(t->tid))) {
			t->gone = true;
			n++;
		}
	}
	return n;
}

/* Nobody holds the locks of the lists that their caches go back to. */
static void forget_gone(struct heap *h)
{
	struct thread *next;

	for (struct thread *t = h->threads.first; t; t = next) {
		next = t->next;
		if (t->gone) {
			t->gone = false;
			thread_ended_silently(h, t);
		}
	}
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
	const uint64_t patience_ns = h->settings.stop_wait_ms * 1000000;
	static const struct timespec slice = { .tv_nsec = SLICE_NS };
	struct threads *threads = &h->threads;
	uint32_t wanted = 0, stopped, epoch;
	uint64_t start = now_ns(CLOCK_MONOTONIC), since = start, looked = start;

	pthread_mutex_lock(&threads->lock);
	__atomic_store_n(&threads->stopped, 0, __ATOMIC_RELAXED);
	epoch = __atomic_add_fetch(&threads->stop_epoch, 1, __ATOMIC_ACQ_REL);
	self->stopped_for = epoch;
	for (struct thread *t = threads->first; t; t = t->next) {
		if (t == self || t->state != THREAD_RUNNING || t->collector)
			continue;
		if (!os_signal_thread(t->tid, stop_signal())) {
			wanted++;
			continue;
		}
		if (errno != ESRCH) {
			os_message("goheap: cannot stop thread %d: errno %d\n", t->tid, errno);
			abort();
		}
		t->gone = true;
	}
	while ((stopped = epoch_read(&threads->stopped)) < wanted) {
		uint64_t now;

		os_futex_wait(&threads->stopped, stopped, &slice);
		now = now_ns(CLOCK_MONOTONIC);
		if (now - looked > SLICE_NS) {
			wanted -= count_gone(h, epoch, now - start);
			looked = now_ns(CLOCK_MONOTONIC);
		}
		if (now - since > patience_ns) {
			name_the_stubborn(h, epoch);
			since = now_ns(CLOCK_MONOTONIC);
		}
	}
	forget_gone(h);
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
