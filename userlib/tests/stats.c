// SPDX-License-Identifier: MIT
/*
 * Catches: a figure of goheap_read_stats() that is wrong after a known sequence
 * of calls, or that contradicts another.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "gc.h"
#include "tap.h"

static void identities(const struct goheap_stats *s)
{
	CHECK_CMP(s->alloc_objects, ==, s->mallocs - s->frees);
	CHECK_CMP(s->alloc_bytes, <=, s->total_alloc_bytes);
	CHECK_CMP(s->alloc_bytes, <=, s->heap_inuse);
	CHECK_CMP(s->live_bytes, <=, s->peak_heap_inuse);
	CHECK_CMP(s->heap_inuse, <=, s->peak_heap_inuse);
	CHECK_CMP(s->heap_sys, ==, s->heap_inuse + s->heap_retained + s->heap_released +
				   s->headroom_bytes);
	CHECK_CMP(s->heap_idle, ==, s->heap_sys - s->heap_inuse);
	CHECK_CMP(s->released_total, ==, s->released_request + s->released_background +
					 s->released_growth + s->released_limit +
					 s->released_pressure);
	CHECK_CMP(s->headroom_bytes, <=, MIB);
	CHECK_CMP(s->num_forced_gc + s->num_periodic_gc + s->num_pressure_gc, <=, s->num_gc);
	CHECK_CMP(s->pause_max_ns, <=, s->pause_total_ns);
	CHECK_CMP(s->threads, >=, 1);
	CHECK(s->on_device == 0 || s->on_device == 1);
	CHECK_CMP(s->size, ==, sizeof(*s));
}

/*
 * All is swept: what is left is what was found live.  Slots that wait in a
 * thread's cache count as live, up to 8 KiB for each class that it used.
 */
static void swept(const struct goheap_stats *s)
{
	CHECK_CMP(s->alloc_bytes, <=, s->live_bytes);
	CHECK_CMP(s->live_bytes - s->alloc_bytes, <=, s->threads * 68 * 2 * 8 * KIB);
}

CASE(start, "before and just after the start")
{
	struct goheap_stats s = stats();

	CHECK_CMP(s.mallocs, ==, 0);
	CHECK_CMP(s.alloc_bytes, ==, 0);
	CHECK_CMP(s.num_gc, ==, 0);
	CHECK_CMP(s.last_gc_ns, ==, 0);
	goheap_alloc(1);
	s = stats();
	identities(&s);
	CHECK_CMP(s.mallocs, ==, 1);
	CHECK_CMP(s.alloc_objects, ==, 1);
	CHECK_CMP(s.frees, ==, 0);
	CHECK_CMP(s.alloc_bytes, ==, 8);
	CHECK_CMP(s.gc_percent, ==, 100);
	CHECK_CMP(s.memory_limit, ==, INT64_MAX);
	CHECK_CMP(s.threads, ==, 1);
	CHECK_CMP(s.metadata_bytes, >, 0);
	/* What one small object may cost. */
	CHECK_CMP(s.heap_inuse, <=, 64 * KIB);
}

CASE(counts, "allocations are counted by object and by usable byte", "GOHEAP_GOGC=off")
{
	static const size_t sizes[] = { 8, 16, 100, 1000, 1024, 5000, 32768, 32769, MIB };
	struct goheap_stats s, t;
	uint64_t bytes = 0;

	goheap_alloc(1);
	s = stats();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (int k = 0; k < 100; k++)
			bytes += goheap_usable_size(goheap_alloc(sizes[i]));
	for (int k = 0; k < 100; k++)
		bytes += goheap_usable_size(goheap_alloc_noscan(64));
	t = stats();
	identities(&t);
	CHECK_CMP(t.mallocs - s.mallocs, ==, (ARRAY_SIZE(sizes) + 1) * 100);
	CHECK_CMP(t.frees, ==, s.frees);
	CHECK_CMP(t.alloc_bytes - s.alloc_bytes, ==, bytes);
	CHECK_CMP(t.total_alloc_bytes - s.total_alloc_bytes, ==, bytes);
	CHECK_CMP(t.num_gc, ==, 0);
	CHECK_CMP(t.heap_inuse, >=, bytes);
}

static void garbage_1000(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		goheap_alloc(64);
}

CASE(collection, "a collection moves what it frees, and is counted and timed", "GOHEAP_GOGC=off")
{
	struct goheap_stats s, t;
	struct timespec now;
	double begin;

	goheap_alloc(1);
	in_thread(garbage_1000, NULL);
	scrub_stack();
	s = stats();
	begin = seconds();
	goheap_collect();
	t = stats();
	identities(&t);
	CHECK_CMP(t.num_gc, ==, s.num_gc + 1);
	CHECK_CMP(t.num_forced_gc, ==, s.num_forced_gc + 1);
	CHECK_CMP(t.frees - s.frees, >=, 950);
	CHECK_CMP(t.frees - s.frees, <=, 1001);
	CHECK_CMP(s.alloc_bytes - t.alloc_bytes, >=, 950 * 64);
	CHECK_CMP(t.mallocs, ==, s.mallocs);
	CHECK_CMP(t.total_alloc_bytes, ==, s.total_alloc_bytes);
	swept(&t);
	CHECK_CMP(t.pause_total_ns, >, s.pause_total_ns);
	CHECK_CMP(t.pause_total_ns - s.pause_total_ns, <=, (seconds() - begin) * 1e9);
	CHECK_CMP(t.pause_max_ns, >, 0);
	CHECK_CMP(t.gc_cpu_ns, >, s.gc_cpu_ns);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK_CMP(t.last_gc_ns, <=, now.tv_sec * 1000000000ULL + now.tv_nsec);
	CHECK_CMP(t.last_gc_ns, >=, (now.tv_sec - 100) * 1000000000ULL);
}

CASE(frees, "goheap_free() of a large object is counted at once", "GOHEAP_GOGC=off")
{
	struct goheap_stats s, t;
	void *p = goheap_alloc(MIB);

	s = stats();
	goheap_free(p);
	t = stats();
	identities(&t);
	CHECK_CMP(t.frees, ==, s.frees + 1);
	CHECK_CMP(t.mallocs, ==, s.mallocs);
	CHECK_CMP(s.alloc_bytes - t.alloc_bytes, ==, MIB);
	CHECK_CMP(t.total_alloc_bytes, ==, s.total_alloc_bytes);
}

CASE(tiny, "small noscan objects are counted one by one", "GOHEAP_GOGC=off")
{
	struct goheap_stats s, t;

	goheap_alloc(1);
	s = stats();
	for (int i = 0; i < 1000; i++)
		goheap_alloc_noscan(2);
	t = stats();
	identities(&t);
	CHECK_CMP(t.mallocs - s.mallocs, ==, 1000);
	CHECK_CMP(t.alloc_bytes - s.alloc_bytes, >=, 1000 * 2);
	CHECK_CMP(t.alloc_bytes - s.alloc_bytes, <=, 1000 * 4);
	scrub_stack();
	collect_hard();
	t = stats();
	identities(&t);
	CHECK_CMP(t.alloc_objects, <, 300);
}

CASE(size, "a caller's shorter structure is filled in that far and no further")
{
	union {
		struct goheap_stats s;
		unsigned char byte[sizeof(struct goheap_stats) + 64];
	} u;

	goheap_alloc(1000);
	for (size_t size = sizeof(size_t); size <= sizeof(u.s); size += 4) {
		memset(&u, 0xcc, sizeof(u));
		u.s.size = size;
		goheap_read_stats(&u.s);
		for (size_t i = size; i < sizeof(u); i++)
			CHECK_CMP(u.byte[i], ==, 0xcc);
		if (size >= offsetof(struct goheap_stats, alloc_objects))
			CHECK_CMP(u.s.alloc_bytes, >=, 1000);
	}
	/* A newer program's longer one: the rest is not ours to write. */
	memset(&u, 0xcc, sizeof(u));
	u.s.size = sizeof(u);
	goheap_read_stats(&u.s);
	CHECK_CMP(u.s.threads, ==, 1);
	for (size_t i = sizeof(u.s); i < sizeof(u); i++)
		CHECK_CMP(u.byte[i], ==, 0xcc);
}

static atomic_bool stop;
static _Thread_local void *mine;

static void *busy(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!stop) {
		size_t size = rnd(&seed) % 3000 + 1;

		mine = rnd(&seed) & 1 ? goheap_alloc(size) : goheap_alloc_noscan(size);
		if (rnd(&seed) % 64 == 0)
			goheap_free(goheap_alloc(40000));
	}
	return NULL;
}

/* While threads allocate a reading is no snapshot, but no figure runs backwards. */
CASE(threads, "counters never run backwards while threads allocate, and agree at the end")
{
	struct goheap_stats s, last = stats();
	pthread_t thread[3];

	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, busy, (void *)(intptr_t)i));
	for (int i = 0; i < 2000; i++) {
		s = stats();
		CHECK_CMP(s.mallocs, >=, last.mallocs);
		CHECK_CMP(s.frees, >=, last.frees);
		CHECK_CMP(s.total_alloc_bytes, >=, last.total_alloc_bytes);
		CHECK_CMP(s.num_gc, >=, last.num_gc);
		CHECK_CMP(s.pause_total_ns, >=, last.pause_total_ns);
		CHECK_CMP(s.peak_heap_inuse, >=, last.peak_heap_inuse);
		/* An unsigned difference that went below zero would be enormous. */
		CHECK_CMP(s.alloc_bytes, <, 1024 * MIB);
		CHECK_CMP(s.alloc_objects, <, 1000000000);
		last = s;
	}
	stop = true;
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(thread[i], NULL));
	goheap_collect();
	s = stats();
	identities(&s);
	swept(&s);
	CHECK_CMP(s.num_gc, >=, 1);
}

CASE(device, "on_device says where the pages come from")
{
	const char *device = getenv("GOHEAP_DEVICE");

	goheap_alloc(1);
	if (device && !strcmp(device, "never"))
		CHECK_CMP(stats().on_device, ==, 0);
	if (device && !strcmp(device, "require"))
		CHECK_CMP(stats().on_device, ==, 1);
	if (fopen("/dev/goheap", "r+") == NULL)
		CHECK_CMP(stats().on_device, ==, 0);
	else if (!device || !strcmp(device, "auto"))
		CHECK_CMP(stats().on_device, ==, 1);
}
