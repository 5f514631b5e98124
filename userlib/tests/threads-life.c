// SPDX-License-Identifier: MIT
/*
 * Catches: objects lost on their way into a thread or out of it, memory or
 * bookkeeping kept for threads that have ended, threads that are not noticed.
 */
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { MANY = 2000 };

static atomic_int started, ended;

/* The argument: nobody else has it from pthread_create() on. */
static void *check_arg(void *arg)
{
	struct canary *c = arg;

	started++;
	sched_yield();
	CHECK(canary_ok(c, 1));
	ended++;
	return NULL;
}

static __attribute__((noinline)) pthread_t create_with(void *(*fn)(void *), bool detached)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	CHECK_CMP(pthread_create(&thread, &attr, fn, canary_new(1)), ==, 0);
	return thread;
}

/* Garbage that takes the place of a freed canary at once. */
static __attribute__((noinline)) void overwrite(void)
{
	for (int i = 0; i < 256; i++)
		memset(goheap_alloc(sizeof(struct canary)), 0xee, sizeof(struct canary));
}

CASE(argument, "the argument of pthread_create() survives collections before the thread runs")
{
	for (int i = 0; i < 300; i++) {
		pthread_t thread = create_with(check_arg, false);

		scrub_stack();
		goheap_collect();
		overwrite();
		CHECK(!pthread_join(thread, NULL));
	}
	CHECK_CMP(ended, ==, 300);
}

static void *return_it(void *arg)
{
	(void)arg;
	return canary_new(2);
}

static void *exit_with_it(void *arg)
{
	(void)arg;
	pthread_exit(canary_new(2));
}

static void result(void *(*fn)(void *))
{
	enum { N = 100 };
	pthread_t thread[N];

	for (int i = 0; i < N; i++)
		CHECK(!pthread_create(&thread[i], NULL, fn, NULL));
	sleep_ms(100);
	for (int i = 0; i < 3; i++) {
		collect_hard();
		overwrite();
	}
	for (int i = 0; i < N; i++) {
		void *p;

		CHECK(!pthread_join(thread[i], &p));
		CHECK(canary_ok(p, 2));
	}
}

CASE(result_return, "a thread's result survives collections until pthread_join()")
{
	result(return_it);
}

CASE(result_exit, "the same through pthread_exit()")
{
	result(exit_with_it);
}

static void *return_large(void *arg)
{
	(void)arg;
	return goheap_alloc(MIB);
}

CASE(result_dropped, "joined threads' results are garbage afterwards", "GOHEAP_GOGC=off")
{
	for (int i = 0; i < 100; i++) {
		pthread_t thread;

		CHECK(!pthread_create(&thread, NULL, return_large, NULL));
		CHECK(!pthread_join(thread, NULL));
	}
	CHECK_CMP(stats().heap_inuse, >=, 100 * MIB);
	collect_hard();
	CHECK_CMP(stats().heap_inuse, <, 10 * MIB);
}

static void *alloc_some(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		CHECK(goheap_alloc(8 + i * 37));
		CHECK(goheap_alloc_noscan(1 + i * 53));
	}
	ended++;
	return NULL;
}

static void back_to(uint64_t threads)
{
	for (int i = 0; i < 2000 && stats().threads != threads; i++)
		sleep_ms(5);
	CHECK_CMP(stats().threads, ==, threads);
}

CASE(come_and_go, "2,000 threads one after another: their caches come back, the heap stays small")
{
	uint64_t threads, first = 0;

	goheap_collect();
	threads = stats().threads;
	for (int i = 0; i < MANY; i++) {
		pthread_t thread;

		CHECK(!pthread_create(&thread, NULL, alloc_some, NULL));
		CHECK(!pthread_join(thread, NULL));
		if (i == 200) {
			goheap_collect();
			first = stats().heap_inuse;
		}
	}
	back_to(threads);
	goheap_collect();
	CHECK_CMP(ended, ==, MANY);
	CHECK_CMP(stats().heap_inuse, <=, 2 * first + 64 * KIB);
	CHECK_CMP(stats().peak_heap_inuse, <, 16 * MIB);
	CHECK_CMP(stats().metadata_bytes, <, 16 * MIB);
}

CASE(without_heap_use, "the same for threads that never allocate")
{
	uint64_t threads;

	goheap_collect();
	threads = stats().threads;
	for (int i = 0; i < MANY; i++) {
		pthread_t thread = create_with(check_arg, false);

		CHECK(!pthread_join(thread, NULL));
	}
	back_to(threads);
	goheap_collect();
	CHECK_CMP(stats().metadata_bytes, <, 16 * MIB);
}

CASE(detached, "500 detached threads, each with an argument and a collection every ten")
{
	uint64_t threads;

	goheap_collect();
	threads = stats().threads;
	for (int i = 0; i < 500; i++) {
		while (started - ended > 20 || i - started > 20)
			sleep_ms(1);
		create_with(check_arg, true);
		if (i % 10 == 0) {
			scrub_stack();
			goheap_collect();
			overwrite();
		}
	}
	while (ended < 500)
		sleep_ms(1);
	back_to(threads);
}

static void *detach_self(void *arg)
{
	pthread_detach(pthread_self());
	return check_arg(arg);
}

CASE(detach_self, "threads that detach themselves")
{
	uint64_t threads;

	goheap_collect();
	threads = stats().threads;
	for (int i = 0; i < 200; i++) {
		create_with(detach_self, false);
		while (ended <= i)
			sleep_ms(1);
		if (i % 20 == 0)
			collect_hard();
	}
	back_to(threads);
}

static int c11_thread(void *arg)
{
	struct canary *c = arg, *volatile own = canary_new(3);

	ended++;
	while (ended != 100)
		thrd_yield();
	CHECK(canary_ok(c, 1));
	CHECK(canary_ok(own, 3));
	return 7;
}

CASE(thrd_create, "threads made by thrd_create() are known, and their stacks")
{
	thrd_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK_CMP(thrd_create(&thread[i], c11_thread, canary_new(1)), ==, thrd_success);
	while (ended != 4)
		sleep_ms(1);
	collect_hard();
	overwrite();
	ended = 100;
	for (int i = 0; i < 4; i++) {
		int result;

		CHECK_CMP(thrd_join(thread[i], &result), ==, thrd_success);
		CHECK_CMP(result, ==, 7);
	}
}

static sem_t never;

static void check_cleanup(void *arg)
{
	CHECK(canary_ok(*(void **)arg, 4));
	CHECK(goheap_alloc(64));
	ended++;
}

static void *wait_forever(void *arg)
{
	void *volatile own = canary_new(4);

	(void)arg;
	pthread_cleanup_push(check_cleanup, (void *)&own);
	started++;
	for (;;)
		sem_wait(&never);
	pthread_cleanup_pop(0);
	return NULL;
}

CASE(cancel, "cancelled threads: their objects live in the cleanup handlers, their state is gone")
{
	enum { N = 20 };
	pthread_t thread[N];
	uint64_t threads;

	if (TSAN)
		tap_skip("TSan loses track of a cancelled thread");
	goheap_collect();
	threads = stats().threads;
	sem_init(&never, 0, 0);
	for (int i = 0; i < N; i++)
		CHECK(!pthread_create(&thread[i], NULL, wait_forever, NULL));
	while (started < N)
		sleep_ms(1);
	CHECK_CMP(stats().threads, ==, threads + N);
	collect_hard();
	overwrite();
	for (int i = 0; i < N; i++) {
		void *result;

		CHECK(!pthread_cancel(thread[i]));
		CHECK(!pthread_join(thread[i], &result));
		CHECK_CMP(result, ==, PTHREAD_CANCELED);
	}
	CHECK_CMP(ended, ==, N);
	back_to(threads);
}

static pthread_key_t key;

static void destroy(void *value)
{
	CHECK(canary_ok(value, 5));
	/* After the library's own may have run: the heap still works. */
	CHECK(goheap_alloc(100));
	CHECK(goheap_alloc_noscan(3));
	ended++;
	if (ended < 3)
		pthread_setspecific(key, value);
}

static void *set_specific(void *arg)
{
	(void)arg;
	CHECK(!pthread_setspecific(key, canary_new(5)));
	collect_hard();
	return NULL;
}

CASE(key_destructor, "thread-specific data lives, and its destructors may allocate")
{
	uint64_t threads;
	pthread_t thread;

	if (TSAN)
		tap_skip("TSan ends its own part of the thread before the last destructors");
	goheap_collect();
	threads = stats().threads;
	CHECK(!pthread_key_create(&key, destroy));
	CHECK(!pthread_create(&thread, NULL, set_specific, NULL));
	CHECK(!pthread_join(thread, NULL));
	CHECK_CMP(ended, ==, 3);
	back_to(threads);
	collect_hard();
}

static void *small_stack(void *arg)
{
	struct canary *c = arg;

	CHECK(canary_ok(c, 1));
	for (int i = 0; i < 1000; i++)
		CHECK(goheap_alloc(64));
	goheap_collect();
	CHECK(canary_ok(c, 1));
	return NULL;
}

CASE(small_stack, "a thread with a stack of 64 KiB may allocate and collect")
{
	pthread_attr_t attr;
	pthread_t thread;

	if (SANITIZED)
		tap_skip("instrumented code needs more stack");
	pthread_attr_init(&attr);
	CHECK(!pthread_attr_setstacksize(&attr, 64 * KIB));
	CHECK(!pthread_create(&thread, &attr, small_stack, canary_new(1)));
	CHECK(!pthread_join(thread, NULL));
}

CASE(create_fails, "a pthread_create() that fails returns its error and keeps nothing", "GOHEAP_GOGC=off")
{
	pthread_attr_t attr;
	pthread_t thread;
	uint64_t threads;

	goheap_collect();
	threads = stats().threads;
	pthread_attr_init(&attr);
	/* More than any address space. */
	CHECK(!pthread_attr_setstacksize(&attr, (size_t)1 << 50));
	for (int i = 0; i < 20; i++)
		CHECK_CMP(pthread_create(&thread, &attr, check_arg, goheap_alloc(MIB)), ==, EAGAIN);
	CHECK_CMP(stats().threads, ==, threads);
	collect_hard();
	CHECK_CMP(stats().heap_inuse, <, 8 * MIB);
}

static void *nested(void *arg)
{
	intptr_t depth = (intptr_t)arg;
	struct canary *volatile own = canary_new(depth);
	pthread_t thread;

	if (depth) {
		CHECK(!pthread_create(&thread, NULL, nested, (void *)(depth - 1)));
		CHECK(!pthread_join(thread, NULL));
	} else {
		collect_hard();
		overwrite();
	}
	CHECK(canary_ok(own, depth));
	return NULL;
}

CASE(nested, "threads made by threads, 30 deep, each waiting in pthread_join()")
{
	nested((void *)30);
}

static atomic_bool stop;

static void *create_all_the_time(void *arg)
{
	(void)arg;
	while (!stop) {
		pthread_t thread = create_with(check_arg, false);

		CHECK(!pthread_join(thread, NULL));
	}
	return NULL;
}

CASE(race, "threads start and end while collections run")
{
	pthread_t thread[3];

	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, create_all_the_time, NULL));
	for (int i = 0; i < 300 || ended <= 20; i++) {
		goheap_collect();
		overwrite();
	}
	stop = true;
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(thread[i], NULL));
	CHECK_CMP(ended, >, 20);
}
