// SPDX-License-Identifier: GPL-2.0
/*
 * Churn: four threads, each with a table of live objects of 16 bytes to 4 KiB (as
 * many of 16 to 32 as of 2,048 to 4,096), 64 MiB in all.  A step replaces one
 * object, taken at random, by a new one of another size.  Half of them are
 * numbers alone; the others have pointers at both ends to a cell that holds
 * their number.  What an object must hold is known, and looked at before it is
 * forgotten; the sum of it all is the result.
 */
#include <pthread.h>

#include "heap.h"

#define THREADS		4
#define STEPS		1000000
#define LIVE_KIB	65536
#define MEAN_BYTES	736		/* (4096 - 16) / ln(4096 / 16) */

struct cell {
	uint64_t number;
	uint64_t again;
};

struct slot {
	void *object;
	uint64_t number;
	uint32_t words;
	uint32_t noscan;
};

struct work {
	pthread_t thread;
	uint64_t seed;
	uint64_t sum;
	uint32_t slots;
	uint32_t steps;
};

static void look(const struct slot *s)
{
	if (s->noscan) {
		const uint64_t *words = s->object;

		if (words[0] != s->number || words[s->words - 1] != s->number)
			fail("churn: an object's numbers have changed");
	} else {
		struct cell **words = s->object;

		if (words[0] != words[s->words - 1] || words[0]->number != s->number ||
		    words[0]->again != s->number)
			fail("churn: an object's cell has changed");
	}
}

static void drop(struct slot *s)
{
	if (!s->noscan)
		heap_free(*(void **)s->object);
	heap_free(s->object);
}

/* 16 << k, and something below twice that, in words: 2 to 512. */
static uint32_t random_words(uint64_t *seed)
{
	uint32_t least = 2u << random_below(seed, 8);

	return least + random_below(seed, least) + (least == 256);
}

static void replace(struct slot *s, uint64_t *seed)
{
	if (s->object) {
		look(s);
		if (!HEAP_COLLECTS)
			drop(s);
	}
	s->words = random_words(seed);
	s->noscan = random_below(seed, 2);
	s->number = random_next(seed);
	if (s->noscan) {
		uint64_t *words = must_alloc_noscan(s->words * sizeof(*words));

		words[0] = s->number;
		words[s->words - 1] = s->number;
		s->object = words;
	} else {
		struct cell **words = must_alloc(s->words * sizeof(*words));
		struct cell *cell;

		s->object = words;
		cell = must_alloc_noscan(sizeof(*cell));
		cell->number = s->number;
		cell->again = s->number;
		words[0] = cell;
		words[s->words - 1] = cell;
	}
}

static void *churn(void *arg)
{
	struct work *w = arg;
	struct slot *slots = must_alloc(w->slots * sizeof(*slots));
	uint64_t seed = w->seed;

	for (uint32_t i = 0; i < w->slots; i++)
		replace(&slots[i], &seed);
	for (uint32_t i = 0; i < w->steps; i++)
		replace(&slots[random_below(&seed, w->slots)], &seed);
	for (uint32_t i = 0; i < w->slots; i++) {
		look(&slots[i]);
		w->sum += slots[i].number;
		if (!HEAP_COLLECTS)
			drop(&slots[i]);
	}
	heap_free(slots);
	return NULL;
}

int main(int argc, char **argv)
{
	long steps = argc > 1 ? number_of(argv[1], 1, 1000000000) : STEPS;
	long live = argc > 2 ? number_of(argv[2], 1024, 1 << 20) : LIVE_KIB;
	struct work work[THREADS] = { 0 };
	uint64_t start;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		puts("usage: churn [STEPS [LIVE_KIB]]\n"
		     "Four threads that replace STEPS live objects each on " HEAP_NAME ".");
		return 0;
	}
	if (argc > 3 || steps < 0 || live < 0) {
		fputs("churn: STEPS (from 1) and LIVE_KIB (1024 to 1048576) are wanted\n", stderr);
		return 2;
	}
	heap_init();
	start = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < THREADS; i++) {
		work[i].seed = 88172645463325252ull + (uint64_t)i;
		work[i].slots = (uint32_t)(live * 1024 / THREADS / MEAN_BYTES);
		work[i].steps = (uint32_t)steps;
		if (pthread_create(&work[i].thread, NULL, churn, &work[i]))
			fail("churn: a thread cannot be started");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(work[i].thread, NULL);
		printf("thread %d: %u objects, sum %" PRIu64 "\n", i, work[i].slots, work[i].sum);
	}
	figure("steps_per_s", (double)steps * THREADS * 1e9 /
	       (double)(now_ns(CLOCK_MONOTONIC) - start));
	heap_report();
	return 0;
}
