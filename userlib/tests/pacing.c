// SPDX-License-Identifier: MIT
/*
 * Catches: collections that come too early, too late, or although they were
 * switched off; a memory limit or the periodic collection without effect.
 */
#include "gc.h"
#include "tap.h"

/* @a is within @percent per cent and @slack bytes of @b. */
static void near(int line, const char *what, uint64_t a, uint64_t b, unsigned int percent,
		 uint64_t slack)
{
	uint64_t diff = a > b ? a - b : b - a;

	if (diff > b * percent / 100 + slack)
		tap_fail(__FILE__, line, "%s: %llu, expected about %llu", what,
			 (unsigned long long)a, (unsigned long long)b);
}
#define NEAR(a, b, percent, slack) near(__LINE__, #a, a, b, percent, slack)

static void **held;

static void hold(void *arg)
{
	size_t n = *(size_t *)arg / 1024;

	held = goheap_alloc(n * sizeof(void *));
	for (size_t i = 0; i < n; i++)
		CHECK(held[i] = goheap_alloc(1024));
}

static void hold_bytes(size_t bytes)
{
	in_thread(hold, &bytes);
}

static void waste_kib(size_t kib)
{
	while (kib--)
		CHECK(goheap_alloc(1024));
}

/* The highest alloc_bytes seen while @mib MiB of garbage are made. */
static uint64_t waste_and_watch(size_t mib)
{
	uint64_t peak = 0;

	for (size_t i = 0; i < mib * 4; i++) {
		struct goheap_stats s;

		waste_kib(256);
		s = stats();
		/* Whatever happens: nobody allocates when the goal is left that far behind. */
		if (s.next_gc != UINT64_MAX)
			CHECK_CMP(s.alloc_bytes, <=, s.next_gc + s.next_gc / 4 + MIB);
		if (s.alloc_bytes > peak)
			peak = s.alloc_bytes;
	}
	return peak;
}

static void goal(int percent)
{
	struct goheap_stats s, t;
	uint64_t live, expect, peak;

	CHECK_CMP(stats().gc_percent, ==, percent);
	hold_bytes(20 * MIB);
	goheap_collect();
	s = stats();
	live = s.live_bytes;
	NEAR(live, 20 * MIB, 5, MIB);
	expect = live + live * percent / 100;
	/* Stacks and static data may count, as in Go. */
	NEAR(s.next_gc, expect, 5, MIB * percent / 100 + MIB);

	peak = waste_and_watch(200);
	t = stats();
	CHECK_CMP(peak, <=, expect + expect / 2 + 2 * MIB);
	/* One for each (goal - live) of garbage. */
	NEAR(t.num_gc - s.num_gc, 200 * MIB / (expect - live), 35, 3);
	CHECK_CMP(t.num_forced_gc, ==, s.num_forced_gc);
}

CASE(gogc_default, "by default the heap grows to twice what is live")
{
	goal(100);
}

CASE(gogc_50, "GOHEAP_GOGC=50: to 1.5 times", "GOHEAP_GOGC=50")
{
	goal(50);
}

CASE(gogc_200, "GOHEAP_GOGC=200: to 3 times", "GOHEAP_GOGC=200")
{
	goal(200);
}

CASE(gogc_400, "GOHEAP_GOGC=400: to 5 times", "GOHEAP_GOGC=400")
{
	goal(400);
}

static void floor_at(int percent)
{
	uint64_t floor = 4 * MIB * percent / 100;
	struct goheap_stats s;

	goheap_alloc(1);
	CHECK_CMP(stats().next_gc, ==, floor);
	CHECK_CMP(waste_and_watch(100), <=, floor + floor / 10 + MIB);
	s = stats();
	NEAR(s.num_gc, 100 * MIB / floor, 40, 2);
	NEAR(s.next_gc, floor, 5, 256 * KIB);
}

CASE(floor_default, "the goal is 4 MiB at least")
{
	floor_at(100);
}

CASE(floor_200, "and 8 MiB at GOHEAP_GOGC=200", "GOHEAP_GOGC=200")
{
	floor_at(200);
}

CASE(env_off, "GOHEAP_GOGC=off: no collection runs", "GOHEAP_GOGC=off")
{
	waste_kib(64 * KIB);
	CHECK_CMP(stats().num_gc, ==, 0);
	CHECK_CMP(stats().gc_percent, <, 0);
	CHECK_CMP(stats().alloc_bytes, >=, 64 * MIB);
	/* But one that is asked for does. */
	goheap_collect();
	CHECK_CMP(stats().num_gc, ==, 1);
	CHECK_CMP(stats().alloc_bytes, <, 8 * MIB);
}

CASE(set_percent, "goheap_set_gc_percent() returns what was, and takes effect at once")
{
	struct goheap_stats s;

	CHECK_CMP(goheap_set_gc_percent(50), ==, 100);
	CHECK_CMP(goheap_set_gc_percent(-1), ==, 50);
	CHECK_CMP(stats().gc_percent, ==, -1);
	waste_kib(32 * KIB);
	CHECK_CMP(stats().num_gc, ==, 0);
	CHECK_CMP(goheap_set_gc_percent(100), <, 0);
	waste_kib(32 * KIB);
	CHECK_CMP(stats().num_gc, >=, 2);

	hold_bytes(20 * MIB);
	goheap_collect();
	s = stats();
	NEAR(s.next_gc, 2 * s.live_bytes, 5, 2 * MIB);
	CHECK_CMP(goheap_set_gc_percent(300), ==, 100);
	NEAR(stats().next_gc, 4 * s.live_bytes, 5, 4 * MIB);
}

CASE(limit_alone, "a memory limit collects although GOHEAP_GOGC=off, and is kept",
     "GOHEAP_GOGC=off", "GOHEAP_MEMLIMIT=64MiB")
{
	struct goheap_stats s;

	CHECK_CMP(stats().memory_limit, ==, 64 * MIB);
	CHECK_CMP(waste_and_watch(512), <=, 64 * MIB);
	s = stats();
	CHECK_CMP(s.num_gc, >=, 512 / 64);
	CHECK_CMP(s.peak_heap_inuse, <=, 66 * MIB);
}

CASE(limit_earlier, "a memory limit makes collections come earlier", "GOHEAP_GOGC=400")
{
	struct goheap_stats s;
	uint64_t without;

	hold_bytes(20 * MIB);
	goheap_collect();
	s = stats();
	NEAR(s.next_gc, 100 * MIB, 10, 4 * MIB);
	waste_kib(200 * KIB);
	without = stats().num_gc - s.num_gc;
	CHECK_CMP(goheap_set_memory_limit(48 * MIB), ==, INT64_MAX);
	goheap_collect();
	s = stats();
	CHECK_CMP(s.next_gc, <=, 48 * MIB);
	CHECK_CMP(waste_and_watch(200), <=, 48 * MIB);
	CHECK_CMP(stats().num_gc - s.num_gc, >=, 2 * without);
}

CASE(limit_below_live, "a memory limit below what is live does not stop the program")
{
	struct goheap_stats s;

	hold_bytes(32 * MIB);
	goheap_set_memory_limit(8 * MIB);
	s = stats();
	waste_kib(64 * KIB);
	/* Collections that free little must not follow each other without end. */
	CHECK_CMP(stats().num_gc - s.num_gc, <=, 500);
}

CASE(limit_set, "goheap_set_memory_limit() returns what was; negative only asks")
{
	CHECK_CMP(goheap_set_memory_limit(-1), ==, INT64_MAX);
	CHECK_CMP(goheap_set_memory_limit(100 * MIB), ==, INT64_MAX);
	CHECK_CMP(goheap_set_memory_limit(-1), ==, 100 * MIB);
	CHECK_CMP(goheap_set_memory_limit(INT64_MIN), ==, 100 * MIB);
	CHECK_CMP(stats().memory_limit, ==, 100 * MIB);
	CHECK_CMP(goheap_set_memory_limit(INT64_MAX), ==, 100 * MIB);
	CHECK_CMP(stats().memory_limit, ==, INT64_MAX);
}

/* As in Go: the clock starts with the first collection. */
CASE(periodic, "a collection runs when the time is up, without any allocation",
     "GOHEAP_DEBUG=gcperiodms=100")
{
	struct goheap_stats s;

	waste_kib(100);
	goheap_collect();
	s = stats();
	for (int i = 0; i < 300 && stats().num_periodic_gc < 3; i++)
		sleep_ms(100);
	CHECK_CMP(stats().num_periodic_gc, >=, 3);
	CHECK_CMP(stats().num_gc - s.num_gc, >=, 3);
	CHECK_CMP(stats().num_gc, >=, stats().num_periodic_gc);
	CHECK_CMP(stats().num_forced_gc, ==, 1);
}

CASE(periodic_not_yet, "not before: none within 2 s of the start")
{
	waste_kib(100);
	goheap_collect();
	sleep_ms(2000);
	CHECK_CMP(stats().num_periodic_gc, ==, 0);
	CHECK_CMP(stats().num_gc, ==, 1);
}

CASE(periodic_off, "none when collection is switched off", "GOHEAP_GOGC=off",
     "GOHEAP_DEBUG=gcperiodms=50")
{
	waste_kib(100);
	goheap_collect();
	sleep_ms(1000);
	CHECK_CMP(stats().num_gc, ==, 1);
}

static void **eighth;

/* 32 MiB of spans of one class, with an eighth of the objects alive. */
static void hold_eighth(void *unused)
{
	(void)unused;
	eighth = goheap_alloc(64 * KIB * sizeof(void *));
	for (size_t i = 0; i < 512 * KIB; i++) {
		void *p = goheap_alloc(64);

		CHECK(p);
		if (i % 8 == 0)
			eighth[i / 8] = p;
	}
}

static void *waste_64(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < fewer(100 * MIB) / 64; i++)
		CHECK(goheap_alloc(64));
	return NULL;
}

/*
 * New objects find room in the nearly empty spans, which are swept for it, and the heap need not
 * grow, for which others would be.  Nobody but for the pace would come by these others.
 */
CASE(sweep_in_time, "allocating threads sweep enough that no collection finds anything unswept",
     "GOHEAP_DEBUG=bgsweep=0", "GOHEAP_GOGC=10")
{
	pthread_t threads[2];
	struct goheap_stats s, t;

	hold_bytes(16 * MIB);
	in_thread(hold_eighth, NULL);
	goheap_collect();
	s = stats();
	for (size_t i = 0; i < 2; i++)
		CHECK(!pthread_create(&threads[i], NULL, waste_64, NULL));
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	t = stats();
	CHECK_CMP(t.num_gc - s.num_gc, >=, fewer(200) / 10);
	CHECK_CMP(t.late_sweep_bytes, ==, s.late_sweep_bytes);
}

static void *waste_any(void *seed)
{
	uint64_t r = (uintptr_t)seed;

	for (size_t done = 0; done < fewer(100 * MIB);) {
		size_t size = rnd(&r) % 256 ? 1 + rnd(&r) % 2000 : 40 * KIB + rnd(&r) % (400 * KIB);

		CHECK(rnd(&r) % 2 ? goheap_alloc(size) : goheap_alloc_noscan(size));
		done += size;
	}
	return NULL;
}

CASE(sweep_mixed, "nor with objects of all sizes, and four threads", "GOHEAP_DEBUG=bgsweep=0")
{
	pthread_t threads[4];

	hold_bytes(8 * MIB);
	for (size_t i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, waste_any, (void *)(i + 1)));
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK_CMP(stats().num_gc, >=, fewer(400) / 40);
	CHECK_CMP(stats().late_sweep_bytes, ==, 0);
}

CASE(sweep_bounded, "memory of dropped objects is used again without a call to collect")
{
	waste_kib(300 * KIB);
	CHECK_CMP(stats().peak_heap_inuse, <, 12 * MIB);
	CHECK_CMP(stats().heap_sys, <=, 16 * MIB);
}

CASE(free_os_memory, "goheap_free_os_memory() collects and gives every free page back")
{
	struct goheap_stats s;

	waste_kib(3 * KIB);
	hold_bytes(16 * MIB);
	held = NULL;
	scrub_stack();
	goheap_free_os_memory();
	s = stats();
	CHECK_CMP(s.num_gc, >=, 1);
	CHECK_CMP(s.heap_retained, ==, 0);
	CHECK_CMP(s.heap_inuse, <, 4 * MIB);
	CHECK_CMP(s.heap_released, >=, 12 * MIB);
	CHECK_CMP(s.heap_sys, ==, s.heap_inuse + s.heap_retained + s.heap_released +
				  s.headroom_bytes);
	/* And the pages come back zeroed. */
	hold_bytes(16 * MIB);
	for (size_t i = 0; i < 16 * KIB; i++)
		CHECK(!*(char *)held[i]);
}
