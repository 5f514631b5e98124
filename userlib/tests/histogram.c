// SPDX-License-Identifier: MIT
/*
 * Catches: a histogram with gaps or overlaps, a value counted in the wrong bucket, or one
 * that does not agree with goheap_read_stats().
 */
#include <stdlib.h>

#include "gc.h"
#include "tap.h"

#define ROOM 1000

static struct goheap_bucket bucket[ROOM];

static int read_all(enum goheap_histogram which)
{
	int n = goheap_read_histogram(which, bucket, ROOM);

	CHECK(n > 10 && n < ROOM);
	return n;
}

static uint64_t sum(enum goheap_histogram which)
{
	uint64_t total = 0;

	for (int i = 0, n = read_all(which); i < n; i++)
		total += bucket[i].count;
	return total;
}

static uint64_t count_of(enum goheap_histogram which, uint64_t value)
{
	for (int i = 0, n = read_all(which); i < n; i++)
		if (value >= bucket[i].from && value < bucket[i].below)
			return bucket[i].count;
	tap_fail(__FILE__, __LINE__, "no bucket for %llu", (unsigned long long)value);
}

CASE(shape, "buckets ascend without gaps; times' are a quarter of a power of two wide")
{
	for (int which = 0; which <= GOHEAP_HISTOGRAM_FREES; which++) {
		int n = read_all(which);

		CHECK_CMP(bucket[0].from, ==, which >= GOHEAP_HISTOGRAM_ALLOCS);
		for (int i = 0; i < n; i++) {
			CHECK_CMP(bucket[i].below, >, bucket[i].from);
			CHECK(i == 0 || bucket[i].from == bucket[i - 1].below);
			CHECK_CMP(bucket[i].count, ==, 0);
			if (which < GOHEAP_HISTOGRAM_ALLOCS && i > 0 && i < n - 1)
				CHECK_CMP((bucket[i].below - bucket[i].from) * 4, <=,
					  bucket[i].from);
		}
		if (which < GOHEAP_HISTOGRAM_ALLOCS)
			CHECK_CMP(bucket[n - 1].below, ==, UINT64_MAX);
		else
			CHECK_CMP(bucket[n - 1].below, >, (uint64_t)1 << 44);
	}
}

CASE(pauses, "each collection adds a pause to the histogram, in a bucket that holds it")
{
	goheap_alloc(1);
	for (int i = 0; i < 50; i++) {
		uint64_t before = sum(GOHEAP_HISTOGRAM_PAUSES);
		uint64_t stops = sum(GOHEAP_HISTOGRAM_STOPPING);
		struct goheap_stats s;

		goheap_collect();
		s = stats();
		CHECK_CMP(sum(GOHEAP_HISTOGRAM_PAUSES), >, before);
		CHECK_CMP(sum(GOHEAP_HISTOGRAM_STOPPING) - stops, ==,
			  sum(GOHEAP_HISTOGRAM_PAUSES) - before);
		CHECK_CMP(count_of(GOHEAP_HISTOGRAM_PAUSES, s.pause_max_ns), >, 0);
	}
	/* The sum of the buckets' bounds encloses the sum of the pauses. */
	{
		int n = read_all(GOHEAP_HISTOGRAM_PAUSES);
		uint64_t least = 0, most = 0;
		struct goheap_stats s = stats();

		for (int i = 0; i < n; i++) {
			least += bucket[i].count * bucket[i].from;
			most += bucket[i].count ? bucket[i].count * bucket[i].below : 0;
		}
		CHECK_CMP(s.pause_total_ns, >=, least);
		CHECK_CMP(s.pause_total_ns, <, most);
	}
}

CASE(sizes, "objects are counted in the bucket of their usable size", "GOHEAP_GOGC=off")
{
	static const size_t size[] = { 1, 8, 9, 48, 49, 1024, 1025, 32768, 32769, 65536, 65537,
				       MIB, MIB + 1, 10 * MIB };

	goheap_alloc(1);
	for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
		void *p = goheap_alloc(size[i]);
		size_t usable = goheap_usable_size(p);
		uint64_t before = count_of(GOHEAP_HISTOGRAM_ALLOCS, usable);

		for (int k = 0; k < 3; k++)
			goheap_alloc(size[i]);
		CHECK_CMP(count_of(GOHEAP_HISTOGRAM_ALLOCS, usable), ==, before + 3);
		CHECK_CMP(sum(GOHEAP_HISTOGRAM_ALLOCS), ==, stats().mallocs);
		if (usable <= 32768)
			continue;
		before = count_of(GOHEAP_HISTOGRAM_FREES, usable);
		goheap_free(p);
		CHECK_CMP(count_of(GOHEAP_HISTOGRAM_FREES, usable), ==, before + 1);
	}
}

CASE(bad, "wrong arguments are EINVAL, and a short array is filled that far")
{
	struct goheap_bucket two[3];

	CHECK_ERR(goheap_read_histogram(4, bucket, ROOM), -1, EINVAL);
	CHECK_ERR(goheap_read_histogram(-1, bucket, ROOM), -1, EINVAL);
	CHECK_ERR(goheap_read_histogram(0, bucket, -1), -1, EINVAL);
	CHECK_ERR(goheap_read_histogram(0, NULL, 1), -1, EINVAL);
	for (int which = 0; which <= GOHEAP_HISTOGRAM_FREES; which++) {
		memset(two, 0xcc, sizeof(two));
		CHECK_CMP(goheap_read_histogram(which, NULL, 0), ==, read_all(which));
		CHECK_CMP(goheap_read_histogram(which, two, 2), ==, read_all(which));
		CHECK(!memcmp(two, bucket, 2 * sizeof(*two)));
		CHECK_CMP(two[2].count, ==, 0xcccccccccccccccc);
	}
}
