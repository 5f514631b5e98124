// SPDX-License-Identifier: MIT
/*
 * Workers: threads that help the collector with marking.  One for each processor
 * but the collector's.  While the program runs a quarter of the processors mark
 * (Go's GOGC share), the collector's included; while it is stopped all do.
 *
 * A worker is never stopped with the world, so it touches nothing but the marking
 * state, and allocates nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "heap.h"
#include "loaded.h"
#include "mark.h"

static void help(struct heap *h)
{
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	struct gc_work w;
	bool marking;

	/*
	 * What it was woken for may be over.  If it then takes part in the next collection
	 * take() tells it of that.
	 */
	work_enter(&h->gc.queue);
	marking = gc_marking(h);
	mark_begin(h, &w, BY_WORKERS);
	if (marking)
		mark_drain(&h->gc.queue, &w);
	else
		work_leave(&h->gc.queue, &w);
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	counter_add(&h->gc.mark_cpu, cpu);
	counter_add(&h->gc.cpu, cpu);
}

static void *run(void *heap)
{
	struct heap *h = heap;
	struct workers *workers = &h->workers;
	uint32_t seen = 0, me;

	pthread_setname_np(pthread_self(), "goheap-mark");
	/* Its stack, before memory is short. */
	os_clear_dead();
	thread_set_collector(h, thread_self, true);
	me = __atomic_fetch_add(&workers->n, 1, __ATOMIC_RELAXED);
	for (;;) {
		uint32_t round = __atomic_load_n(&workers->round, __ATOMIC_ACQUIRE);

		if (round == seen) {
			os_futex_wait(&workers->round, round, NULL);
			continue;
		}
		seen = round;
		if (me < __atomic_load_n(&workers->wanted, __ATOMIC_RELAXED))
			help(h);
	}
	return NULL;
}

/**
 * workers_are_there() - is there anybody to help?
 * @h: the heap
 */
bool workers_are_there(const struct heap *h)
{
	return __atomic_load_n(&h->workers.n, __ATOMIC_RELAXED);
}

/**
 * workers_start() - start those that are missing
 * @h: the heap
 *
 * Fewer will do; none are started while a thread might hold the dynamic linker's locks and
 * wait for the caller: see loaded.c.
 *
 * Context: the background thread, not busy, no lock held.
 */
void workers_start(struct heap *h)
{
	struct workers *workers = &h->workers;
	int most = os_processors() - 1;

	if (most > WORKERS_MOST)
		most = WORKERS_MOST;
	if (workers->created >= most)
		return;
	if (!loaded_hold()) {
		/* Another time. */
		__atomic_store_n(&workers->missed, true, __ATOMIC_RELAXED);
		return;
	}
	while (workers->created < most && !thread_create_internal(run, h, INTERNAL_STACK))
		workers->created++;
	loaded_release();
}

/**
 * workers_help() - have workers take part in marking
 * @h: the heap
 * @n: how many at most
 *
 * Context: the caller is active, so that they do not find it over.
 */
void workers_help(struct heap *h, unsigned int n)
{
	struct workers *workers = &h->workers;

	if (!n || !workers_are_there(h))
		return;
	__atomic_store_n(&workers->wanted, n, __ATOMIC_RELAXED);
	__atomic_fetch_add(&workers->round, 1, __ATOMIC_RELEASE);
	os_futex_wake(&workers->round, INT32_MAX);
}

/**
 * workers_forget() - in a forked child: they are the parent's
 * @h: the heap
 */
void workers_forget(struct heap *h)
{
	h->workers = (struct workers){ 0 };
}
