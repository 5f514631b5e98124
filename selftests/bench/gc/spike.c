// SPDX-License-Identifier: GPL-2.0
/*
 * What is left of a spike.  16 MiB stay alive; 512 MiB of objects of 64 bytes to
 * 4 KiB come and are forgotten; the program goes on making garbage, fast until a
 * collection has begun that sees that the spike is gone, and ended, then slowly (16 MiB in about four
 * seconds) until the next one, or for three times as long where none comes.
 * Resident memory at that moment is compared with the retention goal, where the
 * heap has one.  Without a collector, memory is freed and read after as long.
 */
#include "heap.h"

#define LIVE_MIB	16
#define SPIKE_MIB	512
#define SLOW_NS		4000000000ull

struct item {
	struct item *next;
	uint64_t number;
};

static uint64_t seed = 88172645463325252ull;

/* A list of @bytes; its length goes to @n. */
static struct item *fill(uint64_t bytes, uint64_t *n)
{
	struct item *list = NULL;

	for (*n = 0; bytes; ++*n) {
		uint32_t size = 64u << random_below(&seed, 7);
		struct item *item = must_alloc(size);

		item->next = list;
		item->number = *n;
		list = item;
		bytes -= bytes < size ? bytes : size;
	}
	return list;
}

static void look(const struct item *list, uint64_t n)
{
	for (; list; list = list->next)
		if (list->number != --n)
			fail("spike: the list has changed");
	if (n)
		fail("spike: items have been lost");
}

static void drop(struct item *list)
{
	while (!HEAP_COLLECTS && list) {
		struct item *next = list->next;

		heap_free(list);
		list = next;
	}
}

#if defined(HEAP_GOHEAP)

static uint64_t collections(void)
{
	struct goheap_stats s = { .size = sizeof(s) };

	goheap_read_stats(&s);
	return s.num_gc;
}

static void report(uint64_t rss)
{
	struct goheap_stats s = { .size = sizeof(s) };

	goheap_read_stats(&s);
	figure("spike.goal_mib", (double)s.retain_goal / 1048576);
	figure("spike.over_goal", (double)rss / (double)s.retain_goal);
}

#else

static uint64_t collections(void)
{
#ifdef HEAP_GC
	return GC_get_gc_no();
#else
	static uint64_t start;
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (!start)
		start = now;
	return (now - start) / SLOW_NS;
#endif
}

static void report(uint64_t rss)
{
	(void)rss;
}

#endif

/* Some garbage. */
static void waste(uint64_t bytes)
{
	uint64_t n;

	drop(fill(bytes, &n));
}

static __attribute__((noinline)) void spike(uint64_t bytes)
{
	uint64_t n;
	struct item *list = fill(bytes, &n);

	look(list, n);
	printf("spike of %" PRIu64 " items\n", n);
	drop(list);
}

/* Words on the stack that spike() left there keep nothing alive. */
static __attribute__((noinline)) void clear_stack(void)
{
	volatile char room[4096];

	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = 0;
}

int main(int argc, char **argv)
{
	long mib = argc > 1 ? number_of(argv[1], 16, 65536) : SPIKE_MIB;
	const uint64_t piece = 32 << 10;
	const struct timespec rest = {
		.tv_nsec = (long)(SLOW_NS / ((uint64_t)LIVE_MIB << 20) * piece)
	};
	uint64_t before = resident(), n, base, end, rss;
	struct item *live;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		puts("usage: spike [MIB]\n"
		     "What stays resident of MIB that fall away, on " HEAP_NAME ".");
		return 0;
	}
	if (argc > 2 || mib < 0) {
		fputs("spike: MIB (16 to 65536) is wanted\n", stderr);
		return 2;
	}
	heap_init();
	live = fill((uint64_t)LIVE_MIB << 20, &n);
	spike((uint64_t)mib << 20);
	figure("spike.peak_mib", (double)(resident() - before) / 1048576);
	clear_stack();
	base = collections();
	/* One may have been under way when the spike ended, and have seen it alive. */
	while (HEAP_COLLECTS && collections() < base + 2)
		waste(piece);
	base = collections();
	end = now_ns(CLOCK_MONOTONIC) + 3 * SLOW_NS;
	while (collections() == base && now_ns(CLOCK_MONOTONIC) < end) {
		waste(piece);
		nanosleep(&rest, NULL);
	}
	rss = resident() - before;
	look(live, n);
	figure("spike.rss_mib", (double)rss / 1048576);
	report(rss);
	heap_report();
	return 0;
}
