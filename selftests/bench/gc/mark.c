// SPDX-License-Identifier: GPL-2.0
/*
 * How fast the collector reads the heap: objects of 64 bytes (1 GiB by default),
 * linked in an order that has nothing to do with where they are, four pointers in
 * each; nothing else lives.  They are collected a few times; the best time counts,
 * of the clock and of the processors.
 */
#include "heap.h"

#define LIVE_MIB	1024
#define ROUNDS		3

struct object {
	struct object *link[4];
	uint64_t numbers[4];
};

static struct object *root;

static struct object *build(uint32_t n, uint64_t *seed)
{
	/* Where the collector does not look. */
	struct object **all = malloc(n * sizeof(*all));
	struct object *first;

	if (!all)
		fail("mark: no memory");
	/* What @all points to must not be collected meanwhile. */
	heap_stop_collecting();
	for (uint32_t i = 0; i < n; i++) {
		all[i] = must_alloc(sizeof(**all));
		all[i]->numbers[0] = i;
	}
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j = random_below(seed, i + 1);
		struct object *o = all[i];

		all[i] = all[j];
		all[j] = o;
	}
	/* A tree over them all, and two pointers to any. */
	for (uint32_t i = 0; i < n; i++) {
		all[i]->link[0] = 2ull * i + 1 < n ? all[2 * i + 1] : NULL;
		all[i]->link[1] = 2ull * i + 2 < n ? all[2 * i + 2] : NULL;
		all[i]->link[2] = all[random_below(seed, n)];
		all[i]->link[3] = all[random_below(seed, n)];
	}
	first = all[0];
	free(all);
	return first;
}

static void visit(const struct object *o, uint32_t *n, uint64_t *sum)
{
	for (; o; o = o->link[1]) {
		++*n;
		*sum += o->numbers[0];
		visit(o->link[0], n, sum);
	}
}

int main(int argc, char **argv)
{
	long live = argc > 1 ? number_of(argv[1], 1, 65536) : LIVE_MIB;
	uint64_t best = UINT64_MAX, best_cpu = UINT64_MAX, seed = 88172645463325252ull, sum = 0;
	uint32_t n, seen = 0;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		puts("usage: mark [LIVE_MIB]\n"
		     "Collects a heap of LIVE_MIB in random order on " HEAP_NAME ".");
		return 0;
	}
	if (argc > 2 || live < 0) {
		fputs("mark: LIVE_MIB (1 to 65536) is wanted\n", stderr);
		return 2;
	}
	heap_init();
	n = (uint32_t)((live << 20) / (long)sizeof(struct object));
	root = build(n, &seed);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = now_ns(CLOCK_MONOTONIC);
		uint64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);

		heap_collect();
		start = now_ns(CLOCK_MONOTONIC) - start;
		cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		best = start < best ? start : best;
		best_cpu = cpu < best_cpu ? cpu : best_cpu;
	}
	visit(root, &seen, &sum);
	if (seen != n || sum != (uint64_t)n * (n - 1) / 2)
		fail("mark: objects have been lost");
	printf("objects %u, sum %" PRIu64 "\n", n, sum);
	figure("mark.mib_per_s", (double)live * 1e9 / (double)best);
	figure("mark.mib_per_cpu_s", (double)live * 1e9 / (double)best_cpu);
	heap_report();
	return 0;
}
