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

static void memory(const struct goheap_stats *s)
{
	CHECK_CMP(s->sys, ==, s->heap_sys + s->mspan_sys + s->mcache_sys + s->profile_sys +
			      s->gc_sys + s->other_sys);
	CHECK_CMP(s->metadata_bytes, ==, s->mspan_sys + s->mcache_sys + s->profile_sys +
					 s->other_sys);
	CHECK_CMP(s->mspan_inuse, <=, s->mspan_sys);
	CHECK_CMP(s->mcache_inuse, <=, s->mcache_sys);
	CHECK_CMP(s->mcache_inuse, >, s->threads * 1000);
	CHECK(s->gc_cpu_fraction >= 0 && s->gc_cpu_fraction <= 1);
}

static void sizes(const struct goheap_stats *s)
{
	uint64_t mallocs = s->tiny_objects, frees = s->tiny_objects;

	CHECK_CMP(s->by_size[0].size, ==, 0);
	for (int i = 0; i < GOHEAP_SIZES; i++) {
		CHECK_CMP(s->by_size[i].frees, <=, s->by_size[i].mallocs);
		mallocs += s->by_size[i].mallocs;
		frees += s->by_size[i].frees;
		CHECK(i < 2 || s->by_size[i].size > s->by_size[i - 1].size);
	}
	CHECK_CMP(mallocs, ==, s->mallocs);
	CHECK_CMP(frees, ==, s->frees);
}

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
	memory(s);
	sizes(s);
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
	static const size_t sizes[] = { 8, 16, 100, 1000, 1024, 5000, 32768, 32769, MIB / 2 };
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
	void *p = goheap_alloc(MIB / 2);

	s = stats();
	goheap_free(p);
	t = stats();
	identities(&t);
	CHECK_CMP(t.frees, ==, s.frees + 1);
	CHECK_CMP(t.mallocs, ==, s.mallocs);
	CHECK_CMP(s.alloc_bytes - t.alloc_bytes, ==, MIB / 2);
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

static const struct goheap_size_stats *of_size(const struct goheap_stats *s, size_t size)
{
	for (int i = 1; i < GOHEAP_SIZES; i++)
		if (s->by_size[i].size >= size)
			return &s->by_size[i];
	return &s->by_size[0];
}

CASE(by_size, "the table by size counts what was allocated and what was freed", "GOHEAP_GOGC=off")
{
	static const size_t size[] = { 8, 100, 1024, 32768, 32769, 3 * MIB };
	struct goheap_stats s, t;

	goheap_alloc(1);
	s = stats();
	for (size_t i = 0; i < ARRAY_SIZE(size); i++)
		for (size_t k = 0; k < 5 + i; k++)
			goheap_alloc(size[i]);
	goheap_free(goheap_alloc(MIB));
	t = stats();
	identities(&t);
	for (size_t i = 0; i < 4; i++)
		CHECK_CMP(of_size(&t, size[i])->mallocs - of_size(&s, size[i])->mallocs, ==, 5 + i);
	CHECK_CMP(t.by_size[0].mallocs - s.by_size[0].mallocs, ==, 9 + 10 + 1);
	CHECK_CMP(t.by_size[0].frees - s.by_size[0].frees, ==, 1);
	in_thread(garbage_1000, NULL);
	scrub_stack();
	s = stats();
	goheap_collect();
	t = stats();
	CHECK_CMP(of_size(&t, 64)->frees - of_size(&s, 64)->frees, >=, 950);
	CHECK_CMP(of_size(&t, 64)->mallocs, ==, of_size(&s, 64)->mallocs);
}

CASE(pauses, "each collection's pause is remembered, 256 of them")
{
	struct goheap_stats s;
	uint64_t total = 0, last = 0;

	goheap_alloc(1);
	for (int i = 0; i < 300; i++) {
		goheap_collect();
		s = stats();
		total += s.pause_ns[(s.num_gc + 255) % 256];
		CHECK_CMP(s.pause_end_ns[(s.num_gc + 255) % 256], ==, s.last_gc_ns);
		CHECK_CMP(s.last_gc_ns, >, last);
		last = s.last_gc_ns;
	}
	CHECK_CMP(s.num_gc, >=, 300);
	CHECK_CMP(s.num_forced_gc, ==, 300);
	if (s.num_gc == 300)
		CHECK_CMP(total, ==, s.pause_total_ns);
	for (int i = 0; i < 256; i++)
		CHECK_CMP(s.pause_ns[i], >, 0);
	CHECK(s.gc_cpu_fraction > 0);
}

static void *wait_for_end(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	return NULL;
}

CASE(tables, "the library's own memory is told apart: descriptors, threads, the rest",
     "GOHEAP_GOGC=off")
{
	struct goheap_stats s, t;
	static void *keep[200];
	pthread_barrier_t barrier;
	pthread_t thread[10];

	goheap_alloc(1);
	s = stats();
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		keep[i] = goheap_alloc(100000);
	t = stats();
	identities(&t);
	/* A descriptor is two lines of the cache or three. */
	CHECK_CMP(t.mspan_inuse - s.mspan_inuse, >=, ARRAY_SIZE(keep) * 128);
	CHECK_CMP(t.mspan_inuse - s.mspan_inuse, <=, ARRAY_SIZE(keep) * 256);
	CHECK_CMP(t.gc_sys, >=, ARRAY_SIZE(keep) * 13 * sizeof(void *));
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		goheap_free(keep[i]);
	memset(keep, 0, sizeof(keep));
	s = stats();
	CHECK_CMP(s.mspan_sys, ==, t.mspan_sys);
	CHECK_CMP(t.mspan_inuse - s.mspan_inuse, >=, ARRAY_SIZE(keep) * 128);

	CHECK(!pthread_barrier_init(&barrier, NULL, ARRAY_SIZE(thread) + 1));
	for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
		CHECK(!pthread_create(&thread[i], NULL, wait_for_end, &barrier));
	pthread_barrier_wait(&barrier);
	t = stats();
	identities(&t);
	/* A record each, all of one size. */
	CHECK_CMP((t.mcache_inuse - s.mcache_inuse) % ARRAY_SIZE(thread), ==, 0);
	CHECK_CMP(t.mcache_inuse - s.mcache_inuse, >=, ARRAY_SIZE(thread) * 4000);
	CHECK_CMP(t.mcache_inuse - s.mcache_inuse, <=, ARRAY_SIZE(thread) * 16000);
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
		CHECK(!pthread_join(thread[i], NULL));
	s = stats();
	CHECK_CMP(s.mcache_inuse, <, t.mcache_inuse);
	CHECK_CMP(s.mcache_sys, ==, t.mcache_sys);
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
