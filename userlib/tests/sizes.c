// SPDX-License-Identifier: MIT
/*
 * Catches: a size class too small for its sizes, one that wastes more than it
 * should, a misaligned object, an object that is not zero because it or its
 * neighbour was used before.
 */
#include <stdlib.h>

#include "gc.h"
#include "tap.h"

#define SMALL_MAX	32768
#define UP_TO		(SMALL_MAX + 1024)

typedef void *alloc_fn(size_t);

static size_t promised_alignment(size_t size, bool noscan)
{
	if (noscan && size < 16)
		return size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
	return size <= 8 || (size > 16 && size <= 24) ? 8 : 16;
}

static void usable(alloc_fn *alloc, bool noscan)
{
	for (size_t size = 0; size <= UP_TO; size++) {
		char *p = alloc(size);
		size_t got = goheap_usable_size(p);

		CHECK(p);
		CHECK_CMP((uintptr_t)p % promised_alignment(size, noscan), ==, 0);
		CHECK_CMP(goheap_base(p), ==, (void *)p);
		CHECK_CMP(got, >=, size ? size : 1);
		/* All of it is the caller's. */
		p[0] = p[got - 1] = 1;
	}
}

CASE(usable_scan, "every size up to 33 KiB fits its object, aligned")
{
	usable(goheap_alloc, false);
}

CASE(usable_noscan, "every size up to 33 KiB fits its noscan object, aligned")
{
	usable(goheap_alloc_noscan, true);
}

/*
 * Classes are an eighth apart at most, but one that gives no more objects in its
 * span than the next is left out, as in Go: so the worst single size may lose
 * up to a sixth.  Over the sizes of each class, and over all, it is under an
 * eighth.  Up to 128 bytes alignment comes first.
 */
CASE(waste, "rounding up to one of 67 size classes wastes under 12.5 %")
{
	double sum = 0, class_sum = 0;
	size_t n = 0, class_n = 0, last = 0, classes = 0;

	for (size_t size = 1; size <= SMALL_MAX; size++) {
		size_t got = goheap_usable_size(goheap_alloc(size));
		double waste = (double)(got - size) / got;

		CHECK_CMP(got, >=, last);
		if (got != last) {
			if (last > 128)
				CHECK(class_sum / class_n < 0.125);
			classes++;
			class_sum = class_n = 0;
			last = got;
		}
		class_sum += waste;
		class_n++;
		if (size <= 128) {
			CHECK_CMP(got - size, <, size <= 32 ? 8 : 16);
			continue;
		}
		CHECK_CMP(got - size, <=, got / 6);
		sum += waste;
		n++;
	}
	CHECK(sum / n < 0.125);
	CHECK_CMP(classes, ==, 67);
	CHECK_CMP(last, ==, (size_t)SMALL_MAX);
}

static const size_t some_sizes[] = {
	1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 80, 96, 100, 112, 128,
	129, 144, 200, 256, 257, 320, 500, 512, 640, 1000, 1024, 1152, 1280, 1408, 1536, 1792,
	2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472,
	10000, 10240, 12288, 13568, 14336, 16384, 18432, 20480, 24576, 27264, 28672, 32768, 32769,
	40000, 65536, 100000, 262144, 1000000,
};

static bool all_zero(const char *p, size_t n)
{
	/* p[0] is zero and each byte equals the one before it. */
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

struct zeroed {
	alloc_fn *alloc;
	size_t size;
	bool shared;
};

/* About half a MiB of objects of one size: checked, then soiled, then forgotten. */
static void use_and_forget(void *arg)
{
	struct zeroed *z = arg;
	size_t n = 512 * KIB / z->size + 1;

	if (n > 20000)
		n = 20000;
	while (n--) {
		char *p = z->alloc(z->size);
		size_t got = z->shared ? z->size : goheap_usable_size(p);

		CHECK(p);
		if (!all_zero(p, got))
			tap_fail(__FILE__, __LINE__, "an object of %zu bytes is not zero", z->size);
		memset(p, 0xff, got);
	}
}

static void zeroed(alloc_fn *alloc, bool noscan)
{
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(some_sizes); i++) {
			struct zeroed z = { alloc, some_sizes[i], noscan && some_sizes[i] < 16 };

			in_thread(use_and_forget, &z);
		}
		goheap_collect();
	}
	/* It was the same memory: otherwise nothing was proved. */
	CHECK_CMP(stats().total_alloc_bytes, >, 2 * stats().peak_heap_inuse);
	CHECK_CMP(stats().frees, >, stats().mallocs / 2);
}

CASE(zeroed_scan, "objects are zero to their last usable byte, first and recycled")
{
	zeroed(goheap_alloc, false);
}

CASE(zeroed_noscan, "noscan objects are zero to their last usable byte, first and recycled")
{
	zeroed(goheap_alloc_noscan, true);
}

CASE(zeroed_mixed, "memory that goes from large to small objects and back, and from noscan to scan, is zero",
     "GOHEAP_GOGC=20")
{
	uint64_t seed = 7;

	for (int i = 0; i < 40; i++) {
		size_t size = some_sizes[rnd(&seed) % ARRAY_SIZE(some_sizes)];
		bool noscan = rnd(&seed) & 1;
		struct zeroed z = {
			noscan ? goheap_alloc_noscan : goheap_alloc, size, noscan && size < 16,
		};

		in_thread(use_and_forget, &z);
		if (rnd(&seed) % 4 == 0)
			goheap_collect();
		if (rnd(&seed) % 8 == 0)
			goheap_free_os_memory();
	}
}

/* Every object keeps what was written to it while its neighbours are written. */
CASE(disjoint, "objects of all sizes do not overlap")
{
	enum { N = 3000 };
	static unsigned char *obj[N];
	static size_t len[N];
	uint64_t seed = 3;

	for (int i = 0; i < N; i++) {
		size_t size = some_sizes[rnd(&seed) % (ARRAY_SIZE(some_sizes) - 4)];
		bool noscan = rnd(&seed) & 1;

		obj[i] = noscan ? goheap_alloc_noscan(size) : goheap_alloc(size);
		CHECK(obj[i]);
		len[i] = noscan && size < 16 ? size : goheap_usable_size(obj[i]);
		memset(obj[i], i % 251 + 1, len[i]);
	}
	for (int i = 0; i < N; i++)
		for (size_t j = 0; j < len[i]; j++)
			CHECK_CMP(obj[i][j], ==, i % 251 + 1);
}
