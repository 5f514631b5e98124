// SPDX-License-Identifier: MIT
/*
 * Catches: goheap_free() that takes what is no object, frees a neighbour, gives an object
 * out twice or with old contents, loses what was freed, or counts it wrong.
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
	/* A page more, so that a pointer to its end is one into it. */
	CHECK_CMP(during.heap_inuse, ==, before.heap_inuse + 8 * MIB + 8192);
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

static int by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return (x > y) - (x < y);
}

static const size_t reused_sizes[] = { 8, 16, 48, 100, 500, 1024, 1500, 8192, 20000, 32768 };

/* Several runs of each size, and no more memory than it takes. */
static int reused_count(size_t size, int most)
{
	int n = 2 * MIB / size + 20;

	return n < most ? n : most;
}

/* Sorts both: the objects of @b that are in @a, too. */
static size_t in_both(uintptr_t *a, uintptr_t *b, size_t n)
{
	size_t both = 0;

	qsort(a, n, sizeof(*a), by_address);
	qsort(b, n, sizeof(*b), by_address);
	for (size_t i = 0; i < n; i++) {
		CHECK(!i || b[i] != b[i - 1]);
		both += !!bsearch(&b[i], a, n, sizeof(*a), by_address);
	}
	return both;
}

/* Up from the size that is not served from shared blocks. */
static void reused(void *(*alloc)(size_t), size_t least)
{
	enum { MOST = TSAN ? 100 : 3000 };
	static uintptr_t first[MOST], second[MOST];

	for (size_t k = 0; k < ARRAY_SIZE(reused_sizes); k++) {
		size_t size = reused_sizes[k];
		struct goheap_stats before, after;
		int n = reused_count(size, MOST);

		if (size < least)
			continue;
		for (int i = 0; i < n; i++) {
			first[i] = (uintptr_t)alloc(size);
			memset((void *)first[i], 0xff, size);
		}
		before = stats();
		for (int i = 0; i < n; i++)
			goheap_free((void *)first[i]);
		after = stats();
		CHECK_CMP(after.frees, ==, before.frees + n);
		CHECK_CMP(after.mallocs, ==, before.mallocs);
		CHECK_CMP(before.alloc_bytes - after.alloc_bytes, >=, n * size);
		for (int i = 0; i < n; i++) {
			unsigned char *p = alloc(size);

			for (size_t j = 0; j < goheap_usable_size(p); j++)
				CHECK_CMP(p[j], ==, 0);
			second[i] = (uintptr_t)p;
			memset(p, 0xff, size);
		}
		CHECK_CMP(stats().num_gc, ==, 0);
		CHECK_CMP(stats().mallocs, ==, after.mallocs + n);
		CHECK_CMP(stats().frees, ==, after.frees);
		/* All but what was left of the run. */
		if (n > 8192 / size)
			CHECK_CMP(in_both(first, second, n), >=, n - 1 - 8192 / size);
	}
}

CASE(reused_scan, "freed objects are used again at once, zeroed, without a collection",
     "GOHEAP_GOGC=off")
{
	reused(goheap_alloc, 8);
}

CASE(reused_noscan, "the same for noscan objects", "GOHEAP_GOGC=off")
{
	reused(goheap_alloc_noscan, 16);
}

static void *alloc_one_typed(size_t size)
{
	static const uint64_t bits[65] = { 1 };
	struct goheap_type type = { (size + 7) / 8 * 8, bits, NULL };

	/* One of 8 bytes would be all pointers. */
	if (type.size < 16)
		type.size = 16;

	return goheap_alloc_typed(&type, 1);
}

CASE(reused_typed, "the same for typed objects", "GOHEAP_GOGC=off")
{
	reused(alloc_one_typed, 8);
}

struct batch {
	uintptr_t *obj;
	int n;
};

static void free_batch(void *arg)
{
	struct batch *b = arg;

	for (int i = 0; i < b->n; i++)
		goheap_free((void *)b->obj[i]);
}

static void all_different(struct batch *b, size_t size)
{
	for (int i = 0; i < b->n; i++)
		b->obj[i] = (uintptr_t)goheap_alloc(size);
	qsort(b->obj, b->n, sizeof(*b->obj), by_address);
	for (int i = 1; i < b->n; i++)
		CHECK_CMP(b->obj[i - 1], <, b->obj[i]);
}

CASE(twice, "an object that is freed twice, also by two threads, is given out once",
     "GOHEAP_GOGC=off")
{
	enum { MOST = TSAN ? 100 : 3000 };
	static uintptr_t obj[MOST];

	for (size_t k = 0; k < ARRAY_SIZE(reused_sizes); k++) {
		size_t size = reused_sizes[k];
		struct batch b = { obj, reused_count(size, MOST) };

		for (int i = 0; i < b.n; i++)
			obj[i] = (uintptr_t)goheap_alloc(size);
		for (int i = 0; i < b.n; i++) {
			goheap_free((void *)obj[i]);
			goheap_free((void *)obj[i]);
			goheap_free((void *)obj[i / 2]);
		}
		all_different(&b, size);
		free_batch(&b);
		in_thread(free_batch, &b);
		all_different(&b, size);
	}
}

CASE(unborn, "what has not been handed out cannot be freed", "GOHEAP_GOGC=off")
{
	enum { N = 200 };
	static uintptr_t obj[N];
	uintptr_t p = (uintptr_t)goheap_alloc(64);
	struct goheap_stats before = stats();

	for (int i = 1; i < 100; i++)
		goheap_free((void *)(p + i * 64));
	CHECK_CMP(stats().frees, ==, before.frees);
	for (int i = 0; i < N; i++)
		obj[i] = (uintptr_t)goheap_alloc(64);
	qsort(obj, N, sizeof(*obj), by_address);
	for (int i = 1; i < N; i++)
		CHECK_CMP(obj[i - 1], <, obj[i]);
}

CASE(counted, "what was freed is not counted again when it is swept")
{
	enum { N = 20000 };
	static void *obj[N];
	uint64_t frees = 0;

	for (int round = 0; round < 4; round++) {
		struct goheap_stats before, after;

		goheap_collect();
		before = stats();
		for (int i = 0; i < N; i++)
			obj[i] = goheap_alloc(48 + 16 * (i % 3));
		for (int i = 0; i < N; i++)
			goheap_free(obj[i]);
		after = stats();
		CHECK_CMP(after.frees, >=, before.frees + N);
		CHECK_CMP(after.frees, >=, frees);
		CHECK_CMP(after.mallocs, ==, before.mallocs + N);
		memset(obj, 0, sizeof(obj));
		scrub_stack();
		goheap_collect();
		frees = stats().frees;
		CHECK_CMP(frees, >=, after.frees);
		/* As many again would be wrong: a few were garbage before. */
		CHECK_CMP(frees, <, after.frees + N / 10);
		CHECK_CMP(stats().alloc_objects, <, N / 10);
		CHECK_CMP(stats().mallocs, ==, after.mallocs);
	}
}

CASE(collected, "a collection frees what was freed for all threads, and gives nothing out twice")
{
	enum { N = 20000 };
	static uintptr_t hidden[N];
	static struct canary *kept[N];
	uint64_t inuse;

	for (int i = 0; i < N; i++)
		kept[i] = canary_new(i);
	inuse = stats().heap_inuse;
	for (int round = 0; round < 5; round++) {
		/* Every second; of what stays nothing may be taken for free. */
		for (int i = round % 2; i < N; i += 2) {
			hidden[i] = hide(kept[i]);
			goheap_free(kept[i]);
			kept[i] = NULL;
		}
		goheap_collect();
		/* Garbage by now, and not to be freed once more. */
		for (int i = round % 2; i < N; i += 2)
			goheap_free(reveal(hidden[i]));
		for (int i = round % 2; i < N; i += 2)
			kept[i] = canary_new(i);
		for (int i = 0; i < N; i++)
			CHECK(canary_ok(kept[i], i));
		CHECK_CMP(stats().heap_inuse, <, inuse + inuse / 4 + MIB);
	}
}

/* A bug, and not the library's: it is about what becomes of the heap. */
CASE(written, "writing to a freed object does not lead the library astray", "GOHEAP_GOGC=off")
{
	enum { N = 3000 };
	static uintptr_t *obj[N];
	static uintptr_t again[N];

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < N; i++)
			obj[i] = goheap_alloc(64);
		for (int i = 0; i < N; i++) {
			goheap_free(obj[i]);
			if (i % 100 == 50)
				obj[i][0] = round == 0 ? (uintptr_t)obj[i / 2] : round == 1 ? 42 :
					    round == 2 ? UINTPTR_MAX : (uintptr_t)&obj;
		}
		for (int i = 0; i < N; i++) {
			again[i] = (uintptr_t)goheap_alloc(64);
			CHECK_CMP(((uintptr_t *)again[i])[0], ==, 0);
		}
		qsort(again, N, sizeof(*again), by_address);
		for (int i = 1; i < N; i++)
			CHECK_CMP(again[i - 1], <, again[i]);
		goheap_collect();
	}
}

#define SHARED	512

static struct canary *shared[SHARED];

/* Objects change hands: whoever takes one out checks it and frees it, and puts a new one in. */
static void *exchange(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (int i = 0; i < (TSAN ? 5000 : SANITIZED ? 30000 : 300000); i++) {
		unsigned int at = rnd(&seed) % SHARED;
		struct canary *mine = rnd(&seed) % 8 ? canary_new(at) : NULL;
		struct canary *p = __atomic_exchange_n(&shared[at], mine, __ATOMIC_ACQ_REL);

		if (p) {
			CHECK(canary_ok(p, at));
			/* Some are left to the collector. */
			if (rnd(&seed) % 4)
				goheap_free(p);
		}
		if (rnd(&seed) % 20000 == 0)
			goheap_collect();
	}
	return NULL;
}

CASE(exchanged, "four threads free each other's objects while these are collected and swept",
     "GOHEAP_GOGC=10")
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, exchange, (void *)(intptr_t)i));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
	for (int i = 0; i < SHARED; i++)
		CHECK(!shared[i] || canary_ok(shared[i], i));
	goheap_collect();
	CHECK_CMP(stats().alloc_objects, <, 4000);
	CHECK_CMP(stats().mallocs - stats().frees, ==, stats().alloc_objects);
	CHECK_CMP(stats().heap_inuse, <, 4 * MIB);
}

static void free_and_end(void *arg)
{
	void **obj = arg;

	for (int i = 0; i < 1000; i++) {
		goheap_free(obj[i]);
		obj[i] = NULL;
	}
}

CASE(ended, "what a thread freed before it ended is not lost")
{
	static void *obj[1000];
	uint64_t frees;

	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 1000; i++)
			obj[i] = goheap_alloc(1000);
		frees = stats().frees;
		in_thread(free_and_end, obj);
		CHECK_CMP(stats().frees, >=, frees + 1000);
	}
	scrub_stack();
	goheap_collect();
	CHECK_CMP(stats().alloc_bytes, <, MIB);
	CHECK_CMP(stats().heap_inuse, <, 3 * MIB);
}
