// SPDX-License-Identifier: MIT
/*
 * Catches: goheap_free() that takes what is no object, frees a neighbour, or
 * gives an object out twice.
 */
#include <stdlib.h>

#include "gc.h"
#include "tap.h"

CASE(ignored, "NULL, foreign, interior and freed pointers are ignored, errno stays")
{
	static char data[64];
	char stack[64], *heap = malloc(64), *obj = goheap_alloc(64), *large = goheap_alloc(MIB);
	void *volatile no_object[] = {
		NULL, data, data + 1, stack, heap, obj + 1, obj + 8, obj + 63, large + 8192,
		large + 1, (void *)8, (void *)UINTPTR_MAX, (void *)(UINTPTR_MAX << 47),
	};
	struct goheap_stats before = stats(), after;

	memset(obj, 0x11, 64);
	memset(large, 0x22, MIB);
	for (size_t i = 0; i < ARRAY_SIZE(no_object); i++) {
		errno = 12345;
		goheap_free(no_object[i]);
		CHECK_CMP(errno, ==, 12345);
	}
	after = stats();
	CHECK_CMP(after.frees, ==, before.frees);
	CHECK_CMP(after.alloc_bytes, ==, before.alloc_bytes);
	CHECK_CMP(after.alloc_objects, ==, before.alloc_objects);
	CHECK_CMP(goheap_base(obj), ==, (void *)obj);
	CHECK_CMP(goheap_base(large), ==, (void *)large);
	CHECK_CMP(obj[63], ==, 0x11);
	CHECK_CMP(large[MIB - 1], ==, 0x22);
	goheap_free(large);
	before = stats();
	goheap_free(large);
	CHECK_CMP(stats().frees, ==, before.frees);
	free(heap);
}

CASE(large, "a large object's pages are returned at once, without a collection")
{
	struct goheap_stats before, during, after;
	char *p;

	goheap_alloc(1);
	before = stats();
	p = goheap_alloc(8 * MIB);
	during = stats();
	goheap_free(p);
	after = stats();
	CHECK_CMP(during.heap_inuse, ==, before.heap_inuse + 8 * MIB);
	CHECK_CMP(after.heap_inuse, ==, before.heap_inuse);
	CHECK_CMP(after.frees, ==, before.frees + 1);
	CHECK_CMP(after.num_gc, ==, before.num_gc);
	CHECK_CMP(goheap_base(p), ==, NULL);
	CHECK_CMP(goheap_usable_size(p), ==, 0);
}

/* Half of a large set freed by hand: the other half unharmed, memory bounded, no object twice. */
static void halves(size_t size, int n, void *(*alloc)(size_t))
{
	unsigned char **obj = goheap_alloc(n * sizeof(*obj));

	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < n; i++) {
			if (obj[i])
				continue;
			obj[i] = alloc(size);
			CHECK(obj[i]);
			CHECK(!obj[i][0] && !obj[i][size - 1]);
			memset(obj[i], i % 250 + 1, size);
		}
		for (int i = 0; i < n; i++)
			for (size_t j = 0; j < size; j += 7)
				CHECK_CMP(obj[i][j], ==, i % 250 + 1);
		for (int i = round & 1; i < n; i += 2) {
			goheap_free(obj[i]);
			obj[i] = NULL;
		}
		if (round % 2)
			goheap_collect();
	}
}

CASE(small_scan, "small objects freed by hand: the others stay, none is given out twice")
{
	halves(48, 20000, goheap_alloc);
	halves(1000, 2000, goheap_alloc);
}

CASE(small_noscan, "the same for noscan objects")
{
	halves(16, 20000, goheap_alloc_noscan);
	halves(3000, 1000, goheap_alloc_noscan);
}

CASE(large_many, "large objects freed by hand: the others stay, none is given out twice")
{
	halves(50000, 200, goheap_alloc);
}

CASE(bounded, "allocate and free in a loop: the heap stays under 8 MiB")
{
	for (int i = 0; i < 200000; i++)
		goheap_free(goheap_alloc(256));
	for (int i = 0; i < 2000; i++)
		goheap_free(goheap_alloc(256 * KIB));
	CHECK_CMP(stats().peak_heap_inuse, <, 8 * MIB);
}

static void free_arg(void *p)
{
	goheap_free(p);
}

CASE(other_thread, "an object may be freed by another thread")
{
	for (int i = 0; i < 200; i++) {
		in_thread(free_arg, goheap_alloc(64));
		in_thread(free_arg, goheap_alloc(100000));
	}
	goheap_collect();
	CHECK_CMP(stats().alloc_bytes, <, MIB);
}

/* ThreadSanitizer looks at every byte that is cleared, and takes a thousand times as long. */
#ifdef __SANITIZE_THREAD__
#define RACE_ROUNDS	1500
#else
#define RACE_ROUNDS	60000
#endif

/* Freed by hand while the background thread, or another collection, sweeps them. */
static void *free_large(void *arg)
{
	enum { N = 32 };
	unsigned char *obj[N] = { NULL };
	uint64_t seed = (uintptr_t)arg;

	for (int round = 0; round < RACE_ROUNDS; round++) {
		int i = rnd(&seed) % N;
		size_t size = 33000 + rnd(&seed) % 60000;

		if (obj[i]) {
			CHECK_CMP(obj[i][0], ==, i + 1);
			goheap_free(obj[i]);
		}
		obj[i] = goheap_alloc_noscan(size);
		CHECK(obj[i]);
		CHECK(!obj[i][0] && !obj[i][size - 1]);
		obj[i][0] = obj[i][size - 1] = i + 1;
		if (rnd(&seed) % 64 == 0)
			goheap_collect();
	}
	return NULL;
}

CASE(race, "four threads free large objects while they are swept", "GOHEAP_GOGC=20")
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, free_large, (void *)(intptr_t)i));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
	scrub_stack();
	goheap_collect();
	/* No span was lost: at most what a few stale words hold. */
	CHECK_CMP(stats().heap_inuse, <, 8 * MIB);
	CHECK_CMP(stats().peak_heap_inuse, <, 64 * MIB);
}
