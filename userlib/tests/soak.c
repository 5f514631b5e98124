// SPDX-License-Identifier: MIT
/*
 * Catches: a heap that creeps: 8 threads replace objects of all sizes and kinds
 * for 10 million operations, and resident memory must stay under a bound that was
 * fixed beforehand, and be no higher at the end than it was at first.
 *
 * Every object that goes is looked at first.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { THREADS = 8, MOST_SLOTS = 4096 };

/* Where there are fewer operations there are fewer slots, so that all are filled early. */
#define SLOTS		(fewer(64) == 64 ? MOST_SLOTS : MOST_SLOTS / 16)

#define OPERATIONS	((size_t)10000000)

/* What 8 * 4,096 objects come to, of the sizes that size_for() deals out: about 21 MiB. */
#define LIVE_ABOUT	(24 * MIB)

/* Begins each object; the owner knows the seed, so the rest can be told from it. */
struct object {
	uint64_t size;			/* asked for */
	uint64_t seed;
	struct object *child;		/* if it was not made by goheap_alloc_noscan() */
};

struct slot {
	struct object *object;
	uint64_t seed;
};

static atomic_size_t done;

static size_t size_for(uint64_t dice)
{
	unsigned int class = dice % 1000;

	dice = dice >> 10 & 0xfffffff;
	if (class < 800)
		return 24 + dice % 232;
	if (class < 980)
		return 256 + dice % 1792;
	if (class < 999)
		return 2048 + dice % 14336;
	return 33 * KIB + dice % (64 * KIB);
}

static uint64_t *last_word(struct object *o)
{
	return (uint64_t *)((char *)o + (o->size & -8ul)) - 1;
}

static struct object *object_new(uint64_t seed)
{
	uint64_t state = seed;
	uint64_t dice = rnd(&state);
	size_t size = size_for(dice);
	bool noscan = dice >> 60 < 6;
	struct object *o = noscan ? goheap_alloc_noscan(size) : goheap_alloc(size);

	CHECK(o);
	if (o->size || o->seed || o->child)
		tap_fail(__FILE__, __LINE__, "a new object is not zero");
	o->size = size;
	o->seed = seed;
	if (size >= 40)
		*last_word(o) = ~seed;
	if (!noscan && dice >> 60 < 12) {
		o->child = goheap_alloc(sizeof(*o->child));
		CHECK(o->child);
		o->child->size = sizeof(*o->child);
		o->child->seed = seed * 3;
	}
	return o;
}

static void check_object(struct object *o, uint64_t seed)
{
	if (o->seed != seed || (o->size >= 40 && *last_word(o) != ~seed) ||
	    (o->child && (o->child->seed != seed * 3 || o->child->size != sizeof(*o->child))))
		tap_fail(__FILE__, __LINE__, "object %p is lost: seed %#llx, not %#llx", (void *)o,
			 (unsigned long long)o->seed, (unsigned long long)seed);
}

struct job {
	uint64_t number;
	size_t operations;
	struct slot *slots;
};

static void *churn_slots(void *arg)
{
	struct job *job = arg;
	struct slot *slots = job->slots;
	size_t n = SLOTS;
	uint64_t state = job->number, seed;

	for (size_t i = 0; i < job->operations; i++) {
		struct slot *s = &slots[rnd(&state) % n];

		if (s->object) {
			check_object(s->object, s->seed);
			/* Most by oblivion; now and then by hand. */
			if (s->seed % 16 == 0)
				goheap_free(s->object);
		}
		seed = rnd(&state) | 1;
		s->object = object_new(seed);
		s->seed = seed;
		if (i % 1000 == 999)
			done += 1000;
	}
	done += job->operations % 1000;
	return NULL;
}

static uint64_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long size, pages;

	CHECK(f && fscanf(f, "%llu %llu", &size, &pages) == 2);
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct slot *table[THREADS];

/* @lives threads one after another in each of the THREADS places. */
struct place {
	uint64_t number;
	size_t operations;
	unsigned int lives;
};

static atomic_uint places_done;

static void *live_on(void *arg)
{
	struct place *p = arg;

	for (unsigned int i = 0; i < p->lives; i++) {
		struct job *job = goheap_alloc(sizeof(*job));
		pthread_t thread;

		job->number = p->number * 1000 + i;
		job->operations = p->operations / p->lives;
		job->slots = table[p->number];
		CHECK(!pthread_create(&thread, NULL, churn_slots, job));
		CHECK(!pthread_join(thread, NULL));
	}
	places_done++;
	return NULL;
}

static void soak(size_t operations, unsigned int lives, uint64_t bound)
{
	uint64_t first = 0, second = 0, base = resident(), left = 0;
	pthread_t thread[THREADS];
	struct goheap_stats s;

	for (unsigned int i = 0; i < THREADS; i++) {
		static struct place place[THREADS];

		table[i] = goheap_alloc(SLOTS * sizeof(*table[i]));
		place[i] = (struct place){ i, operations / THREADS, lives };
		CHECK(!pthread_create(&thread[i], NULL, live_on, &place[i]));
	}
	while (places_done < THREADS) {
		/* The stacks and the shadow of the sanitizers' are nobody's concern here. */
		uint64_t now = resident() - base;

		/* A tenth of the way all slots have been filled and the pace is found. */
		if (done < operations / 2) {
			if (now > first)
				first = now;
		} else if (now > second) {
			second = now;
		}
		if (now > bound && !SANITIZED)
			tap_fail(__FILE__, __LINE__, "%llu MiB resident, bound %llu MiB",
				 (unsigned long long)(now / MIB), (unsigned long long)(bound / MIB));
		sleep_ms(5);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	s = stats();
	fprintf(stderr, "# %zu operations: resident at most %.1f MiB in the first half, %.1f in the second; "
		"%llu collections, heap in use at most %.1f MiB\n", operations,
		first / 1048576.0, second / 1048576.0, (unsigned long long)s.num_gc,
		s.peak_heap_inuse / 1048576.0);
	/* With few collections it is still on its way up. */
	if (!SANITIZED && s.num_gc >= 8)
		CHECK_CMP(second, <=, first + first / 4 + 8 * MIB);
	/* The heap's own word for it, sanitizer or not. */
	CHECK_CMP(s.peak_heap_inuse, <=, bound);
	CHECK_CMP(s.num_gc, >=, fewer(64) == 64 ? 3 : 1);
	goheap_collect();
	for (unsigned int i = 0; i < THREADS; i++)
		for (unsigned int k = 0; k < SLOTS; k++)
			if (table[i][k].object) {
				check_object(table[i][k].object, table[i][k].seed);
				left += goheap_usable_size(table[i][k].object);
			}
	CHECK_CMP(left, <=, LIVE_ABOUT);
	memset(table, 0, sizeof(table));
	scrub_stack();
	goheap_collect();
	CHECK_CMP(stats().live_bytes, <=, 2 * MIB);
}

CASE(soak, "8 threads, 10 million operations: RSS at most 96 MiB with some 21 MiB live")
{
	soak(fewer(OPERATIONS), 1, 96 * MIB);
}

CASE(soak_lives, "the same by 800 threads, 8 at a time")
{
	soak(fewer(OPERATIONS / 4), 100, 96 * MIB);
}

CASE(soak_limit, "with GOHEAP_GOGC=off and GOHEAP_MEMLIMIT=64MiB: at most an eighth above that",
     "GOHEAP_GOGC=off", "GOHEAP_MEMLIMIT=64MiB")
{
	soak(fewer(OPERATIONS / 2), 4, 72 * MIB);
}
