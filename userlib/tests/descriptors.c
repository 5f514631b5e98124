// SPDX-License-Identifier: MIT
/*
 * Catches: tables for spans that stay when the spans have gone; tables that are used again
 * while somebody may still be reading them, or that go although they are in use.
 */
#include "gc.h"
#include "tap.h"

/* Spans enough for megabytes of descriptors: objects that fill one each. */
static void spike(void *arg)
{
	size_t n = *(size_t *)arg;
	void **list = NULL;

	for (size_t i = 0; i < n; i++) {
		void **p = goheap_alloc(8192);

		p[0] = list;
		p[1] = (void *)~(uintptr_t)p;
		list = p;
	}
	for (size_t i = 0; i < n; i++, list = list[0])
		CHECK(list[1] == (void *)~(uintptr_t)list);
	CHECK(!list);
}

CASE(returned, "after a spike the descriptors' memory goes back with the spans", "GOHEAP_GOGC=off")
{
	size_t n = fewer(20000);
	struct goheap_stats s, peak;

	if (n < 4000)
		n = 4000;
	CHECK(goheap_alloc(1));
	in_thread(spike, &n);
	peak = stats();
	CHECK_CMP(peak.mspan_sys, >=, n * 128);
	for (int i = 0; i < 3; i++)
		collect_hard();
	s = stats();
	CHECK_CMP(s.mspan_sys, <, 1 * MIB + peak.mspan_sys / 8);
	CHECK_CMP(s.metadata_bytes, <, peak.metadata_bytes - (peak.mspan_sys - s.mspan_sys) / 2);
	CHECK_CMP(s.mspan_inuse, <=, s.mspan_sys);
	/* And is there again when it is wanted. */
	in_thread(spike, &n);
	CHECK_CMP(stats().mspan_sys, <=, peak.mspan_sys + MIB);
}

#define THREADS	4

static int stop;

/* Spikes of one class after the other, with questions about addresses that are gone. */
static void *spikes(void *arg)
{
	static uintptr_t old[1024];
	uint64_t seed = (uintptr_t)arg;
	uintptr_t gone;
	size_t spans = fewer(3000);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		size_t size = 512u << (rnd(&seed) % 6);
		void **list = NULL, **p;

		for (size_t i = 0; i < spans * 8192 / size; i++) {
			p = goheap_alloc(size);
			p[0] = list;
			p[1] = (void *)~(uintptr_t)p;
			list = p;
			__atomic_store_n(&old[rnd(&seed) % ARRAY_SIZE(old)], hide(p), __ATOMIC_RELAXED);
			gone = __atomic_load_n(&old[rnd(&seed) % ARRAY_SIZE(old)], __ATOMIC_RELAXED);
			/* Of what is gone it may read what is being made anew, and answer anything. */
			if (!TSAN)
				goheap_base(reveal(gone));
		}
		for (; list; list = list[0])
			CHECK(list[1] == (void *)~(uintptr_t)list);
		if (rnd(&seed) % 2)
			goheap_collect();
	}
	return NULL;
}

CASE(race, "threads whose heaps come and go, and who ask about what is gone")
{
	pthread_t thread[THREADS];
	double end = seconds() + (TSAN ? 3 : 2);

	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, spikes, (void *)(i + 1)));
	while (seconds() < end)
		sleep_ms(10);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	CHECK_CMP(stats().mspan_inuse, <=, stats().mspan_sys);
}
