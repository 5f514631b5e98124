// SPDX-License-Identifier: MIT
/*
 * Catches: large objects that lose their contents or their zeros, that are
 * never returned, or whose inside the collector does not search.
 */
#include "gc.h"
#include "tap.h"

CASE(sizes, "objects from 32 KiB to 64 MiB: usable to the end, zero, rounded up by less than a page")
{
	static const size_t sizes[] = {
		32 * KIB + 1, 40000, 64 * KIB, 100000, MIB - 1, MIB, MIB + 1, 4 * MIB, 5 * MIB + 3,
		32 * MIB, 64 * MIB,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *p = goheap_alloc(sizes[i]);
		size_t got = goheap_usable_size(p);

		CHECK(p);
		CHECK_CMP(got, >=, sizes[i]);
		CHECK_CMP(got, <, sizes[i] + 8192);
		CHECK(!p[0] && !memcmp(p, p + 1, got - 1));
		memset(p, 0xa5, got);
		CHECK_CMP(goheap_base(p + got - 1), ==, (void *)p);
	}
}

static void make_large(void *arg)
{
	char *p = goheap_alloc(16 * MIB);

	CHECK(p);
	memset(p, 1, 16 * MIB);
	if (arg)
		*(char **)arg = p;
}

static void make_eight(void *arg)
{
	for (int i = 0; i < 8; i++)
		make_large((char **)arg + i);
}

CASE(collected, "heap_inuse falls when they are dropped and collected")
{
	static char *held[8];
	struct goheap_stats with, without;

	goheap_set_gc_percent(-1);
	in_thread(make_eight, held);
	goheap_collect();
	with = stats();
	CHECK_CMP(with.heap_inuse, >=, 128 * MIB);
	CHECK_CMP(with.live_bytes, >=, 128 * MIB);
	for (int i = 0; i < 8; i++)
		CHECK_CMP(held[i][16 * MIB - 1], ==, 1);
	memset(held, 0, sizeof(held));
	collect_hard();
	without = stats();
	/* One of the eight may be held by chance. */
	CHECK_CMP(without.heap_inuse, <, 20 * MIB);
	CHECK_CMP(without.live_bytes, <, 18 * MIB);
	/* The address space is kept for the next. */
	CHECK_CMP(without.heap_sys, >=, with.heap_sys);
}

static void one_after_another(void)
{
	for (int i = 0; i < 64; i++)
		in_thread(make_large, NULL);
}

CASE(repeated, "1 GiB in objects of 16 MiB, one after another, stays under 97 MiB",
     "GOHEAP_STOP_US=1000000000")
{
	one_after_another();
	/* Six of them, and what small ones there are. */
	CHECK_CMP(stats().peak_heap_inuse, <, 97 * MIB);
	CHECK_CMP(stats().num_gc, >=, 8);
}

/*
 * What comes while marking runs is not collected yet.  From a heap of M bytes a collection
 * begins at 1.7 M and may last until 2.5 M if the collector hardly gets a processor: then M
 * is 16 MiB and 0.8 M, or 80 MiB, and 2.5 M is twelve objects and a half.  Each may be late by one.
 */
CASE(repeated_slow, "marked while the program runs it stays under 225 MiB at the very worst",
     "GOHEAP_STOP_US=off")
{
	one_after_another();
	CHECK_CMP(stats().peak_heap_inuse, <, 225 * MIB);
	CHECK_CMP(stats().num_gc, >=, 4);
}

CASE(interior, "a pointer to its last byte keeps it; one past its end does not have to")
{
	static char *last;
	char *p = goheap_alloc(3 * MIB);

	memset(p, 0x77, 3 * MIB);
	last = p + 3 * MIB - 1;
	p = NULL;
	collect_hard();
	for (size_t i = 0; i < 3 * MIB; i += 4096)
		CHECK_CMP(last[-(ptrdiff_t)i], ==, 0x77);
}

CASE(searched, "pointers anywhere in a large object keep their targets; in a noscan one they do not")
{
	enum { N = 2000, BYTES = 8 * 1024 * 1024 };
	static void **scan, **noscan;
	static void *place[N];
	static uintptr_t hidden[2][N];

	scan = goheap_alloc(BYTES);
	noscan = goheap_alloc_noscan(BYTES);
	for (int k = 0; k < 2; k++) {
		void **to = k ? noscan : scan;

		canaries_make(place, hidden[k], N);
		for (size_t i = 0; i < N; i++)
			to[i * (BYTES / sizeof(void *) / N)] = place[i];
		/* And the very last word. */
		to[BYTES / sizeof(void *) - 1] = place[N - 1];
		to[(N - 1) * (BYTES / sizeof(void *) / N)] = NULL;
		memset(place, 0, sizeof(place));
	}
	collect_hard();
	CHECK_CMP(canaries_alive(hidden[0], N), ==, N);
	CHECK_CMP(canaries_alive(hidden[1], N), <, N / 10);
}
