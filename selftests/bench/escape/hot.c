// SPDX-License-Identifier: GPL-2.0
/*
 * A loop that needs an object of 64 bytes in each round, and forgets it.
 *
 *	fields	its members are written and read by name, in the same function
 *	index	which of them is read is known only when the program runs
 *	call	a function that is not inlined reads them
 *	part	as call, but only two members are written, so that the others must be zeroed
 *
 * and each of them again without an object of its own (fields: in variables; the others: in
 * one static object), which is what has to be subtracted to have the cost of the object alone.
 *
 *	hot LOOP[-none] N	prints a sum that is the same with and without
 *	hot rows N		costs of all loops on the process' clock, in the form of
 *				object.c: under `selftests/vm/run --insns` a nanosecond is an
 *				instruction, those of the collector's threads and of the
 *				kernel among them
 */
#include "program.h"

#include <time.h>

#define REPEATS		5

struct sample {
	uint64_t number;
	uint64_t low;
	uint64_t high;
	uint64_t sum;
	uint64_t difference;
	uint64_t mixed;
	uint64_t shifted;
	uint64_t turned;
};

union words {
	struct sample by_name;
	uint64_t by_index[8];
};

_Static_assert(sizeof(struct sample) == 64, "an object of 64 bytes");

static union words one;

static inline __attribute__((always_inline)) void take(struct sample *s, uint64_t i, uint64_t r)
{
	s->number = i;
	s->low = r & 0xffff;
	s->high = r >> 16;
	s->sum = i + r;
	s->difference = i - r;
	s->mixed = i ^ r;
	s->shifted = r << 3;
	s->turned = ~r;
}

static inline __attribute__((always_inline)) uint64_t weigh(const struct sample *s)
{
	return (s->number ^ s->low) + (s->high ^ s->sum) + (s->difference ^ s->mixed) +
	       (s->shifted ^ s->turned);
}

static __attribute__((noinline, noclone)) uint64_t weigh_there(const struct sample *s)
{
	return weigh(s);
}

static __attribute__((noinline)) uint64_t fields(long n)
{
	uint64_t seed = 1, result = 0;

	for (long i = 0; i < n; i++) {
		struct sample *s = object(sizeof(*s));

		take(s, i, random_next(&seed));
		result += weigh(s);
	}
	return result;
}

static __attribute__((noinline)) uint64_t fields_none(long n)
{
	uint64_t seed = 1, result = 0;

	for (long i = 0; i < n; i++) {
		struct sample s;

		take(&s, i, random_next(&seed));
		result += weigh(&s);
	}
	return result;
}

static __attribute__((noinline)) uint64_t by_index(long n)
{
	uint64_t seed = 1, result = 0;

	for (long i = 0; i < n; i++) {
		union words *w = object(sizeof(*w));
		uint64_t r = random_next(&seed);

		take(&w->by_name, i, r);
		result += w->by_index[r % 8];
	}
	return result;
}

static __attribute__((noinline)) uint64_t by_index_none(long n)
{
	uint64_t seed = 1, result = 0;

	for (long i = 0; i < n; i++) {
		uint64_t r = random_next(&seed);

		take(&one.by_name, i, r);
		result += one.by_index[r % 8];
	}
	return result;
}

static __attribute__((noinline)) uint64_t call(long n)
{
	uint64_t seed = 1, result = 0;

	for (long i = 0; i < n; i++) {
		struct sample *s = object(sizeof(*s));

		take(s, i, random_next(&seed));
		result += weigh_there(s);
	}
	return result;
}

static __attribute__((noinline)) uint64_t call_none(long n)
{
	uint64_t seed = 1, result = 0;

	for (long i = 0; i < n; i++) {
		take(&one.by_name, i, random_next(&seed));
		result += weigh_there(&one.by_name);
	}
	return result;
}

static __attribute__((noinline)) uint64_t part(long n)
{
	uint64_t seed = 1, result = 0;

	for (long i = 0; i < n; i++) {
		struct sample *s = object(sizeof(*s));

		s->number = i;
		s->low = random_next(&seed);
		result += weigh_there(s);
	}
	return result;
}

static __attribute__((noinline)) uint64_t part_none(long n)
{
	uint64_t seed = 1, result = 0;

	memset(&one, 0, sizeof(one));
	for (long i = 0; i < n; i++) {
		one.by_name.number = i;
		one.by_name.low = random_next(&seed);
		result += weigh_there(&one.by_name);
	}
	return result;
}

static const struct {
	const char *name;
	uint64_t (*run)(long n);
} loops[] = {
	{ "fields", fields }, { "fields-none", fields_none },
	{ "index", by_index }, { "index-none", by_index_none },
	{ "call", call }, { "call-none", call_none },
	{ "part", part }, { "part-none", part_none },
};

#define NR_LOOPS (sizeof(loops) / sizeof(loops[0]))

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void rows(long n)
{
	for (size_t i = 0; i < NR_LOOPS; i++) {
		double cost[REPEATS];

		loops[i].run(n);
		for (int k = 0; k < REPEATS; k++) {
			double start = now();

			loops[i].run(n);
			cost[k] = (now() - start) / (double)n;
		}
		qsort(cost, REPEATS, sizeof(cost[0]), by_value);
		printf("row\t%s\tround\t%.3f\t%.3f\t%.3f\t%d\t0\n", loops[i].name, cost[0],
		       cost[REPEATS / 2], cost[REPEATS - 1], REPEATS);
	}
}

int main(int argc, char **argv)
{
	long n = times(argc - (argc > 2), argv + (argc > 2), "hot LOOP|LOOP-none|rows N");

	if (argc > 2 && !strcmp(argv[1], "rows")) {
		rows(n);
		return 0;
	}
	for (size_t i = 0; i < NR_LOOPS; i++)
		if (argc > 2 && !strcmp(argv[1], loops[i].name)) {
			printf("%" PRIu64 "\n", loops[i].run(n));
			return 0;
		}
	fputs("usage: hot fields|index|call|part[-none] N, or hot rows N\n", stderr);
	return 2;
}
