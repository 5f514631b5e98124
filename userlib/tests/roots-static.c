// SPDX-License-Identifier: MIT
/*
 * Catches: a pointer in static data, in thread-local storage, or in a library
 * opened by dlopen(), that does not keep its object, or keeps it when cleared.
 */
#include <dlfcn.h>

#include "gc.h"
#include "tap.h"

enum { N = 64 };

static void *in_data[N] = { (void *)1 };
static void *in_bss[N];
static __thread void *in_tls[N];
static __thread void *in_tls_data[N] = { (void *)1 };
static uintptr_t hidden[N];

/* Held at @place through collections; gone when it is cleared. */
static void keeps(void **place)
{
	canaries_make(place, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	memset(place, 0, N * sizeof(*place));
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
}

CASE(data, "initialised static data")
{
	keeps(in_data);
}

CASE(bss, "zeroed static data")
{
	keeps(in_bss);
}

CASE(local_static, "a function's static variable")
{
	static void *place[N];

	keeps(place);
}

CASE(interior, "interior pointers in static data")
{
	canaries_make(in_bss, hidden, N);
	for (int i = 0; i < N; i++)
		in_bss[i] = (char *)in_bss[i] + i % sizeof(struct canary);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
}

CASE(tls, "thread-local storage of the main thread")
{
	keeps(in_tls);
	keeps(in_tls_data);
}

static void *open_dso(void)
{
	char path[4200];
	void *dso;

	snprintf(path, sizeof(path), "%s/dso.so", tap_dir());
	dso = dlopen(path, RTLD_NOW);
	if (!dso)
		tap_fail(__FILE__, __LINE__, "%s", dlerror());
	return dso;
}

static void **place_in(void *dso, const char *name)
{
	void **(*fn)(void) = (void **(*)(void))dlsym(dso, name);

	CHECK(fn);
	return fn();
}

CASE(dlopen_data, "static data of a library opened later")
{
	void *dso;

	goheap_collect();
	dso = open_dso();
	keeps(place_in(dso, "dso_data"));
	keeps(place_in(dso, "dso_bss"));
}

CASE(dlopen_tls, "thread-local storage of a library opened later, main thread")
{
	void *dso;

	goheap_collect();
	dso = open_dso();
	keeps(place_in(dso, "dso_tls"));
}

static void tls_of_thread(void *dso)
{
	keeps(in_tls);
	keeps(in_tls_data);
	keeps(place_in(dso, "dso_tls"));
}

CASE(thread_tls, "thread-local storage of another thread that collects")
{
	in_thread(tls_of_thread, open_dso());
}

static pthread_barrier_t barrier;

static void *hold_in_tls(void *dso)
{
	void **place = dso ? place_in(dso, "dso_tls") : in_tls;

	canaries_make(place, hidden, N);
	place = NULL;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);	/* the main thread has looked */
	memset(dso ? place_in(dso, "dso_tls") : in_tls, 0, N * sizeof(void *));
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void other_thread(void *dso)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, hold_in_tls, dso));
	pthread_barrier_wait(&barrier);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
	pthread_barrier_wait(&barrier);
	CHECK(!pthread_join(thread, NULL));
}

CASE(other_tls, "thread-local storage of another thread, which waits")
{
	other_thread(NULL);
}

CASE(other_dlopen_tls, "thread-local storage of an opened library in another thread, which waits")
{
	other_thread(open_dso());
}

static void *exit_with_tls(void *arg)
{
	(void)arg;
	canaries_make(in_tls, hidden, N);
	return NULL;
}

CASE(ended_tls, "thread-local storage of a thread that has ended keeps nothing")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, exit_with_tls, NULL));
	CHECK(!pthread_join(thread, NULL));
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
}

CASE(dlclose, "a library's data is no root after dlclose(), and no crash")
{
	for (int i = 0; i < 20; i++) {
		void *dso = open_dso();
		void **place = place_in(dso, "dso_bss");
		void *(*alloc)(size_t) = (void *(*)(size_t))dlsym(dso, "dso_alloc");

		CHECK(alloc(100));
		canaries_make(place, hidden, N);
		goheap_collect();
		CHECK_CMP(canaries_alive(hidden, N), ==, N);
		CHECK(!dlclose(dso));
		goheap_collect();
	}
	collect_hard();
	/* TSan's runtime never unloads a library. */
	if (!SANITIZED)
		CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
}

static _Atomic bool stop;

static void *open_and_close(void *arg)
{
	while (!stop) {
		void *dso = open_dso();

		place_in(dso, "dso_bss")[(uintptr_t)arg] = goheap_alloc(64);
		place_in(dso, "dso_tls")[0] = goheap_alloc(64);
		CHECK(!dlclose(dso));
	}
	return NULL;
}

CASE(dlopen_race, "libraries opened and closed while collections run")
{
	/* TSan does not know the dynamic linker's locks: one thread is enough to race with the collector. */
	const int threads = TSAN ? 1 : 2;
	pthread_t thread[2];

	tap_dir();
	for (int i = 0; i < threads; i++)
		CHECK(!pthread_create(&thread[i], NULL, open_and_close, (void *)(uintptr_t)i));
	for (int i = 0; i < 200; i++) {
		goheap_collect();
		churn(64 * KIB);
	}
	stop = true;
	for (int i = 0; i < threads; i++)
		CHECK(!pthread_join(thread[i], NULL));
}
