// SPDX-License-Identifier: MIT
/*
 * Catches: goheap_base() and goheap_usable_size() wrong at an object's edges,
 * or giving an answer for what is no object of the heap.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "gc.h"
#include "tap.h"

CASE(before, "before the heap is used nothing is in it")
{
	int x = 0;

	CHECK_CMP(goheap_base(&x), ==, NULL);
	CHECK_CMP(goheap_base(NULL), ==, NULL);
	CHECK_CMP(goheap_usable_size(&x), ==, 0);
	CHECK_CMP(goheap_usable_size(NULL), ==, 0);
}

CASE(interior, "every byte of an object leads to its start, and no other byte does")
{
	static const size_t sizes[] = {
		16, 24, 48, 80, 1000, 1024, 3072, 8192, 9472, 24576, 32768, 32769, 100000,
	};

	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		for (int round = 0; round < 5; round++) {
			char *p = goheap_alloc(sizes[k]);
			size_t got = goheap_usable_size(p);

			for (size_t i = 0; i < got; i += got < 2000 ? 1 : 61) {
				CHECK_CMP(goheap_base(p + i), ==, (void *)p);
				CHECK_CMP(goheap_usable_size(p + i), ==, i ? 0 : got);
			}
			CHECK_CMP(goheap_base(p + got - 1), ==, (void *)p);
			CHECK(goheap_base(p + got) != p);
			CHECK(goheap_base(p - 1) != p);
		}
	}
}

CASE(foreign, "the stack, static data, malloc's, functions and nonsense are in no object")
{
	static char data[64], *zeroed;
	char stack[64], *heap = malloc(64);
	void *map = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *volatile no_object[] = {
		NULL, (void *)1, (void *)8, (void *)4096, data, data + 63, &zeroed, stack,
		stack + 63, heap, map, (void *)(uintptr_t)strlen, (void *)UINTPTR_MAX,
		(void *)(UINTPTR_MAX - 7), (void *)((uintptr_t)1 << 47),
		(void *)((uintptr_t)1 << 48), (void *)((uintptr_t)1 << 63), (void *)INTPTR_MAX,
	};

	goheap_alloc(100);
	for (size_t i = 0; i < ARRAY_SIZE(no_object); i++) {
		CHECK_CMP(goheap_base(no_object[i]), ==, NULL);
		CHECK_CMP(goheap_usable_size(no_object[i]), ==, 0);
	}
	free(heap);
}

/* From the lowest object to far outside: whatever the answer, it is an object or NULL, and no crash. */
CASE(arena, "every page near the heap has an answer that agrees with itself")
{
	char *p = goheap_alloc(100), *q = goheap_alloc(5 * MIB);
	uintptr_t at = ((uintptr_t)p & ~(uintptr_t)8191) - 8 * MIB;

	(void)q;
	for (int i = 0; i < 4096; i++, at += 8192) {
		char *b = goheap_base((void *)(at + 77));

		if (!b)
			continue;
		CHECK((uintptr_t)b <= at + 77);
		CHECK((uintptr_t)b + goheap_usable_size(b) > at + 77);
		CHECK_CMP(goheap_base(b), ==, (void *)b);
	}
	CHECK_CMP(goheap_base(p), ==, (void *)p);
}

CASE(freed, "an object that was freed, or collected, is none any more")
{
	enum { N = 1000 };
	static uintptr_t hidden[N];
	char *large = goheap_alloc(MIB);

	goheap_free(large);
	CHECK_CMP(goheap_base(large), ==, NULL);
	CHECK_CMP(goheap_base(large + 100000), ==, NULL);
	CHECK_CMP(goheap_usable_size(large), ==, 0);

	objects_make(goheap_alloc, 64, NULL, hidden, N);
	CHECK_CMP(objects_alive(hidden, N), ==, N);
	scrub_stack();
	goheap_collect();
	CHECK_CMP(objects_alive(hidden, N), <, N / 10);
}
