/* SPDX-License-Identifier: MIT */
/*
 * The threads the collector knows: how it finds their stacks, stops them, and
 * what of theirs it must look at.
 *
 * A record is made before the thread runs (pthread_create() is wrapped), or at
 * a thread's first allocation.  It outlives the thread until the thread is
 * joined, because the result may be the last pointer to an object.
 */
#ifndef GOHEAP_THREAD_H
#define GOHEAP_THREAD_H

#include <pthread.h>

#include "annotate.h"
#include "mcache.h"

enum thread_state {
	THREAD_NEW,		/* pthread_create() is under way: only @arg matters */
	THREAD_RUNNING,
	THREAD_FINISHED,	/* not joined yet: only @result matters */
};

/**
 * struct saved_registers - what the kernel put into the frame of the stop signal
 * @general: the general registers
 * @general_end: one past the last
 * @vector: the vector registers, which hold pointers that are being copied
 * @vector_end: one past the last
 * @upper: more of these, where the processor has longer ones
 * @upper_end: one past the last
 */
struct saved_registers {
	uintptr_t general, general_end;
	uintptr_t vector, vector_end;
	uintptr_t upper, upper_end;
};

/* Keys of pthread_key_create(): all that glibc has, by blocks. */
#define SPECIFIC_KEYS	1024
#define SPECIFIC_BLOCK	32

/**
 * struct thread - one thread
 * @mc: its cache
 * @busy: how deep it is inside the library, where it must not be stopped
 * @stop_asked: the stop signal came while it was busy; it stops when it leaves
 * @stopped_for: the stop that it last answered
 * @gone: the stop found no such thread any more
 * @tid: the kernel's name for it
 * @handle: pthread_self(); 0 once somebody joins or detaches it
 * @handle_set: @handle has been set
 * @stack_low: lowest address of its stack
 * @stack_high: one past the highest; its static TLS is below it
 * @stack_grows: the main thread's: not mapped down to @stack_low
 * @stopped_sp: where its stack ends while it is stopped
 * @saved: where its registers are, if not on the stack above that
 * @tcb: thread control block, for the addresses of its TLS
 * @start: what it runs
 * @arg: for @start
 * @result: for pthread_join()
 * @state: see above
 * @detached: nobody will join it
 * @creating: pthread_create() has not returned, so the record must not go
 * @internal: the library's own
 * @stop_meant_blocked: its creator means to have the stop signal blocked
 * @finalizer: of these, the one that runs the program's finalizers
 * @collector: it marks, or sleeps without a pointer of the program's, and is not stopped
 *	with the world
 * @exit_rounds: how often its key destructor has put itself off
 * @specific: by key: what pthread_setspecific() was given that points into the heap
 * @next: in struct threads
 *
 * @mc, @busy and @stop_asked belong to the thread, the rest to threads.lock.
 */
struct thread {
	struct mcache mc;
	volatile int busy;
	volatile int stop_asked;
	uint32_t stopped_for;
	bool gone;
	int tid;
	pthread_t handle;
	uintptr_t stack_low;
	uintptr_t stack_high;
	bool stack_grows;
	uintptr_t stopped_sp;
	struct saved_registers saved;
	uintptr_t tcb;
	void *(*start)(void *arg);
	void *arg;
	void *result;
	enum thread_state state;
	bool detached;
	bool creating;
	bool handle_set;
	bool internal;
	bool stop_meant_blocked;
	bool finalizer;
	bool collector;
	int exit_rounds;
	uintptr_t *specific[SPECIFIC_KEYS / SPECIFIC_BLOCK];
	struct thread *next;
} CACHE_ALIGNED;

/**
 * struct threads - all of them
 * @lock: protects the list and the records; held while the world is stopped
 * @first: the list
 * @recycled: records to use again
 * @count: threads that run
 * @internals: the library's own that run, which are not in @count
 * @key: whose destructor notices that a thread ends
 * @stop_epoch: number of the stop that is asked for
 * @resume_epoch: number of the last stop that is over; threads wait on it
 * @stopped: how many threads have answered; the collector waits on it
 * @gate: 1 while a fork is under way: nobody may become busy; they wait on it
 */
struct threads {
	pthread_mutex_t lock;
	struct thread *first;
	struct thread *recycled;
	uint64_t count;
	uint64_t internals;
	pthread_key_t key;
	uint32_t stop_epoch;
	uint32_t resume_epoch;
	uint32_t stopped;
	uint32_t gate;
};

struct heap;

extern TLS_FAST struct thread *thread_self;

int threads_init(struct heap *h);
void threads_undo(struct heap *h);
/* In a forked child: the other threads are gone, and nobody will join them. */
void threads_forget_others(struct heap *h, struct thread *self);
/* pthread_create() for the library's own threads, which are not counted. */
int thread_create_internal(void *(*start)(void *), void *arg, size_t stack);
/* For those that call nothing of the program's. */
#define INTERNAL_STACK	((size_t)256 << 10)

/* The calling thread, one of these, is not to be stopped with the world, or is. */
void thread_set_collector(struct heap *h, struct thread *t, bool collector);
/* The calling thread's record, made if it has none; NULL without memory. */
struct thread *thread_register(struct heap *h);

void thread_ended_silently(struct heap *h, struct thread *t);

/*
 * Between thread_enter_busy() and thread_leave_busy() (heap.h) the calling thread is
 * not stopped; they nest.
 */
void thread_leave_slow(struct heap *h, struct thread *t);
void thread_wait_at_gate(struct heap *h, struct thread *t);

/* Is @p in the part of the address space that is @t's stack? */
static inline bool thread_owns_stack(const struct thread *t, uintptr_t p)
{
	return p >= t->stack_low && p < t->stack_high;
}

/* stop.c */
int stop_init(struct heap *h);
void stop_the_world(struct heap *h, struct thread *self);
void resume_the_world(struct heap *h);
void start_the_world(struct heap *h);
/* The signal; no mask of the program's may block it: see signals.c. */
int stop_signal(void);

#endif /* GOHEAP_THREAD_H */
