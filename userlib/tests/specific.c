// SPDX-License-Identifier: MIT
/*
 * Catches: an object lost that only pthread_setspecific() or tss_set() knows, or kept when
 * it is not set any more; a thread that the library forgets before its last destructor has
 * run, or for ever remembers.
 */
#include <limits.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

/* More than glibc keeps in the thread itself. */
enum { N = 64, ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS };

static pthread_key_t keys[N];
static uintptr_t hidden[N];
static pthread_barrier_t barrier;

static void create_keys(void (*destructor)(void *))
{
	for (int i = 0; i < N; i++)
		CHECK(!pthread_key_create(&keys[i], destructor));
}

static void set_some(void *arg)
{
	(void)arg;
	for (int i = 0; i < N; i++) {
		struct canary *c = canary_new(i);

		hidden[i] = hide(c);
		CHECK(!pthread_setspecific(keys[i], c));
	}
}

static __attribute__((noinline)) void check_and_clear(void)
{
	for (int i = 0; i < N; i++) {
		CHECK(canary_ok(pthread_getspecific(keys[i]), i));
		/* Half of them to NULL, half to what is no object. */
		CHECK(!pthread_setspecific(keys[i], i % 2 ? NULL : &keys[i]));
	}
}

static void keeps_specific(void *arg)
{
	set_some(arg);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	check_and_clear();
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 8);
}

CASE(values, "objects that only keys' values point to, in the main thread")
{
	create_keys(NULL);
	keeps_specific(NULL);
}

CASE(values_thread, "the same in another thread")
{
	create_keys(NULL);
	in_thread(keeps_specific, NULL);
}

static void *set_and_wait(void *arg)
{
	set_some(arg);
	scrub_stack();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

CASE(deleted, "a key that is deleted keeps no thread's value, whoever has the number next")
{
	pthread_t thread;

	create_keys(NULL);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, set_and_wait, NULL));
	pthread_barrier_wait(&barrier);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	for (int i = 0; i < N; i++)
		CHECK(!pthread_key_delete(keys[i]));
	CHECK_CMP(pthread_key_delete(keys[0]), ==, EINVAL);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 8);
	create_keys(NULL);
	keeps_specific(NULL);
	pthread_barrier_wait(&barrier);
	CHECK(!pthread_join(thread, NULL));
}

CASE(ended, "a thread that has ended keeps none of its values")
{
	create_keys(NULL);
	in_thread(set_some, NULL);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 8);
}

static void keeps_tss(void *arg)
{
	tss_t key[N];

	(void)arg;
	for (int i = 0; i < N; i++)
		CHECK_CMP(tss_create(&key[i], NULL), ==, thrd_success);
	for (int i = 0; i < N; i++) {
		struct canary *c = canary_new(i);

		hidden[i] = hide(c);
		CHECK_CMP(tss_set(key[i], c), ==, thrd_success);
	}
	scrub_stack();
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	for (int i = 0; i < N; i++)
		CHECK(canary_ok(tss_get(key[i]), i));
	for (int i = 0; i < N; i++)
		tss_delete(key[i]);
	scrub_stack();
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 8);
}

CASE(tss, "tss_set() and tss_delete()")
{
	in_thread(keeps_tss, NULL);
}

CASE(first_use, "a value set by a thread that the library did not know")
{
	/* Its own: the heap starts here. */
	create_keys(NULL);
	CHECK(!pthread_setspecific(keys[0], "no object"));
	CHECK(!pthread_setspecific(keys[1], canary_new(1)));
	scrub_stack();
	collect_hard();
	CHECK(canary_ok(pthread_getspecific(keys[1]), 1));
	CHECK_CMP(pthread_setspecific(1u << 30, canary_new(2)), ==, EINVAL);
}

/* Each value comes again and again, in every round that there is. */
static int seen;

static __attribute__((noinline)) void destroy(void *value)
{
	struct canary *c = value;
	int i = (int)c->index;

	CHECK(canary_ok(c, i));
	if (i % 16 == 0) {
		collect_hard();
		CHECK(canary_ok(c, i));
	}
	CHECK(goheap_alloc(100));
	__atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED);
	CHECK(!pthread_setspecific(keys[i], c));
}

CASE(destructors, "destructors of all rounds may allocate and collect, and have their objects")
{
	if (TSAN)
		tap_skip("TSan ends its own part of the thread before the last destructors");
	create_keys(destroy);
	in_thread(set_some, NULL);
	CHECK_CMP(seen, ==, N * ROUNDS);
}

static void back_to(uint64_t threads)
{
	for (int i = 0; i < 2000 && stats().threads != threads; i++)
		sleep_ms(5);
	CHECK_CMP(stats().threads, ==, threads);
}

static void allocate_again(void *value)
{
	for (int i = 0; i < 20; i++)
		CHECK(goheap_alloc(16 << i % 8));
	CHECK(!pthread_setspecific(keys[0], value));
	CHECK(!pthread_setspecific(keys[N - 1], value));
}

static void set_two(void *arg)
{
	CHECK(!pthread_setspecific(keys[0], arg));
	CHECK(!pthread_setspecific(keys[N - 1], arg));
}

CASE(leak, "2,000 threads that allocate in their last destructor: no records stay")
{
	uint64_t threads, metadata = 0;

	if (TSAN)
		tap_skip("TSan ends its own part of the thread before the last destructors");
	create_keys(allocate_again);
	goheap_collect();
	threads = stats().threads;
	for (int i = 0; i < 2000; i++) {
		in_thread(set_two, &keys[0]);
		if (i == 200)
			metadata = stats().metadata_bytes;
	}
	back_to(threads);
	CHECK_CMP(stats().metadata_bytes, <, metadata + 512 * KIB);
}

static void *exit_silently(void *arg)
{
	for (int i = 0; i < 20; i++)
		CHECK(goheap_alloc(16 << i % 8));
	syscall(SYS_exit, 0);
	return arg;
}

CASE(silent, "2,000 threads that end by a system call of their own: no records stay", "GOHEAP_GOGC=100")
{
	uint64_t threads, metadata = 0, inuse = 0;

	if (SANITIZED)
		tap_skip("sanitizers do not know such a thread's end");
	goheap_collect();
	threads = stats().threads;
	for (int i = 0; i < 2000; i++) {
		pthread_t thread;

		CHECK(!pthread_create(&thread, NULL, exit_silently, NULL));
		CHECK(!pthread_join(thread, NULL));
		if (i == 200) {
			collect_hard();
			metadata = stats().metadata_bytes;
			inuse = stats().heap_inuse;
		}
	}
	collect_hard();
	back_to(threads);
	CHECK_CMP(stats().metadata_bytes, <, metadata + 512 * KIB);
	CHECK_CMP(stats().heap_inuse, <, inuse + 2 * MIB);
}
