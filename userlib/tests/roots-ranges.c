// SPDX-License-Identifier: MIT
/*
 * Catches: a range given to goheap_add_roots() that is not searched, or still is
 * after goheap_remove_roots(), or malloc()ed memory searched unasked.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "gc.h"
#include "tap.h"

enum { N = 100 };

static uintptr_t hidden[N];

CASE(malloced, "malloc()ed memory is searched while it is a root, and only then")
{
	void **place = malloc(N * sizeof(*place));

	canaries_make(place, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);

	CHECK_CMP(goheap_add_roots(place, place + N), ==, 0);
	canaries_make(place, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);

	CHECK_CMP(goheap_remove_roots(place, place + N), ==, 0);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
	free(place);
}

CASE(mapped, "mmap()ed memory, whole and in part, to the last word")
{
	size_t bytes = MIB;
	void **map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void **place = map + bytes / sizeof(void *) - N;

	CHECK(map != MAP_FAILED);
	CHECK(!goheap_add_roots(map, map + bytes / sizeof(void *)));
	canaries_make(place, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	CHECK(!goheap_remove_roots(map, map + bytes / sizeof(void *)));

	/* All but the last ten. */
	CHECK(!goheap_add_roots(place, place + N - 10));
	canaries_make(place, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N - 10), ==, N - 10);
	CHECK_CMP(canaries_alive(hidden, N), <, N - 5);
	CHECK(!goheap_remove_roots(place, place + N - 10));
	/* It may be unmapped now. */
	munmap(map, bytes);
	collect_hard();
}

CASE(errors, "EINVAL for NULL and for an end before the start, EEXIST, ENOENT")
{
	static void *a[8];

	CHECK_ERR(goheap_add_roots(NULL, a), -1, EINVAL);
	CHECK_ERR(goheap_add_roots(a, NULL), -1, EINVAL);
	CHECK_ERR(goheap_add_roots(NULL, NULL), -1, EINVAL);
	CHECK_ERR(goheap_add_roots(a + 8, a), -1, EINVAL);
	CHECK_ERR(goheap_remove_roots(a, a + 8), -1, ENOENT);
	CHECK_ERR(goheap_remove_roots(NULL, NULL), -1, ENOENT);
	CHECK_CMP(goheap_add_roots(a, a + 8), ==, 0);
	CHECK_ERR(goheap_add_roots(a, a + 8), -1, EEXIST);
	/* Another range, though it overlaps. */
	CHECK_CMP(goheap_add_roots(a, a + 4), ==, 0);
	CHECK_ERR(goheap_remove_roots(a + 4, a + 8), -1, ENOENT);
	CHECK_ERR(goheap_remove_roots(a, a + 7), -1, ENOENT);
	CHECK_CMP(goheap_remove_roots(a, a + 8), ==, 0);
	CHECK_ERR(goheap_remove_roots(a, a + 8), -1, ENOENT);
	CHECK_CMP(goheap_remove_roots(a, a + 4), ==, 0);
	goheap_collect();
}

CASE(misaligned, "ends that are not on a word: the whole words inside are searched")
{
	void **place = malloc((N + 2) * sizeof(*place));
	char *start = (char *)place + 3, *end = (char *)(place + N + 1) + 5;

	CHECK_CMP(goheap_add_roots(start, end), ==, 0);
	canaries_make(place + 1, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	CHECK_CMP(goheap_remove_roots(start, end), ==, 0);
	free(place);
}

CASE(many, "3,000 ranges, added and removed in any order")
{
	enum { RANGES = 3000 };
	static uintptr_t h[RANGES];
	static void **range[RANGES];

	for (int i = 0; i < RANGES; i++) {
		range[i] = malloc(sizeof(void *));
		CHECK(!goheap_add_roots(range[i], range[i] + 1));
	}
	{
		void **place = malloc(sizeof(h));

		canaries_make(place, h, RANGES);
		for (int i = 0; i < RANGES; i++)
			*range[i] = place[i];
		free(place);
	}
	collect_hard();
	CHECK_CMP(canaries_alive(h, RANGES), ==, RANGES);
	/* Two of three go, from the middle outwards. */
	for (int i = 0; i < RANGES; i++) {
		int j = i % 2 ? RANGES / 2 + i / 2 : RANGES / 2 - 1 - i / 2;

		if (j % 3)
			CHECK_CMP(goheap_remove_roots(range[j], range[j] + 1), ==, 0);
	}
	collect_hard();
	for (int i = 0; i < RANGES; i += 3)
		CHECK(canary_ok(*range[i], i));
	CHECK_CMP(canaries_alive(h, RANGES), >=, RANGES / 3);
	CHECK_CMP(canaries_alive(h, RANGES), <, RANGES / 3 + RANGES / 10);
}
