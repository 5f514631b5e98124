// SPDX-License-Identifier: MIT
/*
 * Catches: goheap_realloc() that loses contents, brings foreign bytes into the
 * tail, changes an object from noscan to scan or back, or takes what is no object.
 */
#include <stdlib.h>

#include "gc.h"
#include "tap.h"

static unsigned char pattern(size_t i)
{
	return i * 31 + (i >> 8) + 1;
}

static void soil(size_t size)
{
	for (int i = 0; i < 64; i++) {
		void *p = goheap_alloc(size);

		memset(p, 0xff, goheap_usable_size(p));
	}
}

static void grow_shrink(void *(*alloc)(size_t))
{
	static const size_t sizes[] = {
		16, 17, 24, 40, 64, 100, 500, 1024, 1025, 4000, 8192, 9000, 32768, 32769, 50000,
		MIB, 3 * MIB, MIB, 40000, 32768, 20000, 1000, 100, 64, 20, 16, 2 * MIB, 16,
	};
	size_t had = 16;
	unsigned char *p = alloc(16);

	CHECK(p);
	for (size_t i = 0; i < 16; i++)
		p[i] = pattern(i);
	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		size_t size = sizes[k], keep = size < had ? size : had;
		size_t old_usable = goheap_usable_size(p), usable;

		if (size < 100000)
			soil(size);
		p = goheap_realloc(p, size);
		CHECK(p);
		usable = goheap_usable_size(p);
		CHECK_CMP(usable, >=, size);
		CHECK_CMP(goheap_base(p), ==, (void *)p);
		for (size_t i = 0; i < keep; i++)
			CHECK_CMP(p[i], ==, pattern(i));
		for (size_t i = old_usable; i < usable; i++)
			CHECK_CMP(p[i], ==, 0);
		/* The whole of it, so that the next step would show a lost byte. */
		for (size_t i = 0; i < usable; i++)
			p[i] = pattern(i);
		had = usable;
		if (k % 5 == 0)
			collect_hard();
	}
}

CASE(grow_shrink_scan, "growing and shrinking keep the contents, new bytes are zero")
{
	grow_shrink(goheap_alloc);
}

CASE(grow_shrink_noscan, "the same for noscan objects")
{
	grow_shrink(goheap_alloc_noscan);
}

CASE(tiny, "noscan objects under 16 bytes can be grown and shrunk, their neighbours stay")
{
	enum { N = 4000 };
	static unsigned char *obj[N];

	for (int i = 0; i < N; i++) {
		obj[i] = goheap_alloc_noscan(i % 15 + 1);
		for (int j = 0; j < i % 15 + 1; j++)
			obj[i][j] = pattern(i + j);
	}
	for (int i = 0; i < N; i += 2) {
		size_t keep = i % 15 + 1, size = i % 4 ? 100 : i % 5 + 1;

		obj[i] = goheap_realloc(obj[i], size);
		CHECK(obj[i]);
		CHECK_CMP(goheap_usable_size(obj[i]), >=, size);
		for (size_t j = keep; j < size; j++)
			CHECK_CMP(obj[i][j], ==, 0);
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < i % 15 + 1 && (i % 2 || i % 4 || j < i % 5 + 1); j++)
			CHECK_CMP(obj[i][j], ==, pattern(i + j));
}

/* The kind is kept: what a moved noscan object points to dies, a scan object's target lives. */
static void kind(void *(*alloc)(size_t), bool scan)
{
	enum { N = 500 };
	static void *place[N];
	static uintptr_t hidden[N];
	static void **table;

	table = alloc(64);
	for (size_t size = 128; size <= 256 * KIB; size *= 2) {
		table = goheap_realloc(table, size);
		CHECK(table);
	}
	canaries_make(place, hidden, N);
	memcpy(table, place, sizeof(place));
	memset(place, 0, sizeof(place));
	collect_hard();
	if (scan)
		CHECK_CMP(canaries_alive(hidden, N), ==, N);
	else
		CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
	/* Shrunk to what the pointers need, from a large object to a small one. */
	table = goheap_realloc(table, N * sizeof(void *));
	CHECK(table);
	collect_hard();
	if (scan)
		CHECK_CMP(canaries_alive(hidden, N), ==, N);
	else
		CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
}

CASE(kind_scan, "a moved object's pointers still keep their targets")
{
	kind(goheap_alloc, true);
}

CASE(kind_noscan, "a moved noscan object still keeps nothing")
{
	kind(goheap_alloc_noscan, false);
}

CASE(null, "NULL gives a new object that may hold pointers")
{
	enum { N = 64 };
	static void **table;
	static void *place[N];
	static uintptr_t hidden[N];

	table = goheap_realloc(NULL, N * sizeof(void *));
	CHECK(table);
	for (int i = 0; i < N; i++)
		CHECK(!table[i]);
	canaries_make(place, hidden, N);
	memcpy(table, place, sizeof(place));
	memset(place, 0, sizeof(place));
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
}

CASE(zero, "size 0 is served as 1")
{
	volatile size_t zero = 0;	/* not for the compiler to know */
	char *p = goheap_alloc(100);

	p[0] = 42;
	p = goheap_realloc(p, zero);
	CHECK(p);
	CHECK_CMP(p[0], ==, 42);
	CHECK_CMP(goheap_usable_size(p), >=, 1);
	CHECK(goheap_realloc(NULL, zero));
}

CASE(foreign, "EINVAL for the stack, static data, malloc's, interior and freed pointers")
{
	static char data[64];
	char stack[64], *heap = malloc(64), *obj = goheap_alloc(64), *large = goheap_alloc(MIB);
	void *volatile no_object[] = {
		data, data + 1, stack, heap, obj + 1, obj + 8, obj + 63, large + 8192, large + 1,
		(void *)8, (void *)UINTPTR_MAX, (void *)(UINTPTR_MAX << 47),
	};

	for (size_t i = 0; i < ARRAY_SIZE(no_object); i++)
		CHECK_ERR(goheap_realloc(no_object[i], 128), NULL, EINVAL);
	goheap_free(large);
	CHECK_ERR(goheap_realloc(large, 128), NULL, EINVAL);
	free(heap);
}

CASE(fails, "a request too large fails with ENOMEM and leaves the object as it was")
{
	volatile size_t too_much[] = { SIZE_MAX, SIZE_MAX - 8191, PTRDIFF_MAX, SIZE_MAX / 4 };
	unsigned char *p = goheap_alloc(1000);

	for (size_t i = 0; i < 1000; i++)
		p[i] = pattern(i);
	for (size_t k = 0; k < ARRAY_SIZE(too_much); k++) {
		CHECK_ERR(goheap_realloc(p, too_much[k]), NULL, ENOMEM);
		CHECK_CMP(goheap_base(p), ==, (void *)p);
		for (size_t i = 0; i < 1000; i++)
			CHECK_CMP(p[i], ==, pattern(i));
	}
}
