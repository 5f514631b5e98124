// SPDX-License-Identifier: MIT
/*
 * goheap_read_histogram().  The counts of pauses are the collector's; those of sizes
 * are in goheap_read_stats() already, but for large objects, which it has in one.
 */
#include <errno.h>
#include <goheap.h>
#include <string.h>

#include "heap.h"

#define SIZE_BUCKETS	(NUM_SIZE_CLASSES - 1 + LARGE_SIZES)

static int read_times(struct heap *h, const uint64_t *counts, struct goheap_bucket *buckets, int n)
{
	gc_lock(h);
	for (int i = 0; i < n && i < TIME_BUCKETS; i++) {
		buckets[i].from = time_bucket_from((unsigned int)i);
		buckets[i].below = i + 1 < TIME_BUCKETS ? time_bucket_from((unsigned int)i + 1) :
							  UINT64_MAX;
		buckets[i].count = counts[i];
	}
	pthread_mutex_unlock(&h->gc.lock);
	return TIME_BUCKETS;
}

static int read_sizes(struct heap *h, bool frees, struct goheap_bucket *buckets, int n)
{
	const uint64_t *large = frees ? h->totals.large_frees : h->totals.large_slots;
	struct goheap_stats s = { .size = sizeof(s) };
	uint64_t from = 1;

	goheap_read_stats(&s);
	for (int i = 0; i < n && i < SIZE_BUCKETS; i++) {
		unsigned int c = (unsigned int)i + 1;

		buckets[i].from = from;
		if (c < NUM_SIZE_CLASSES) {
			from = s.by_size[c].size + 1;
			buckets[i].count = frees ? s.by_size[c].frees : s.by_size[c].mallocs;
		} else {
			c -= NUM_SIZE_CLASSES;
			from = ((uint64_t)1 << (c + 16)) + 1;
			buckets[i].count = counter_read(&large[c]);
		}
		buckets[i].below = from;
	}
	return SIZE_BUCKETS;
}

PUBLIC int goheap_read_histogram(enum goheap_histogram which, struct goheap_bucket *buckets, int n)
{
	struct heap *h;

	if (n < 0 || (n && !buckets) || (unsigned int)which > GOHEAP_HISTOGRAM_FREES) {
		errno = EINVAL;
		return -1;
	}
	h = heap_get();
	if (!h || !thread_register(h)) {
		errno = ENOMEM;
		return -1;
	}
	switch (which) {
	case GOHEAP_HISTOGRAM_PAUSES:
		return read_times(h, h->pauses.stopped, buckets, n);
	case GOHEAP_HISTOGRAM_STOPPING:
		return read_times(h, h->pauses.stopping, buckets, n);
	default:
		return read_sizes(h, which == GOHEAP_HISTOGRAM_FREES, buckets, n);
	}
}
