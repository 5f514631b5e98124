/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs in this folder share: the heaps of ../heap.h, with threads;
 * what they print; a generator of random numbers that their Go twins have too.
 *
 * Standard output carries results, the same on every heap.  Figures go to
 * standard error, a line each: "figure NAME VALUE".
 */
#ifndef BENCH_GC_HEAP_H
#define BENCH_GC_HEAP_H

#ifdef HEAP_GC
#define GC_THREADS		/* has gc.h wrap pthread_create() */
#endif

#include "../heap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline void figure(const char *name, double value)
{
	fprintf(stderr, "figure %s %.9g\n", name, value);
}

static inline void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* Memory that may hold pointers, or the end of the program. */
static inline void *must_alloc(size_t n)
{
	void *p = heap_alloc(n);

	if (!p)
		fail(strerror(errno));
	return p;
}

static inline void *must_alloc_noscan(size_t n)
{
	void *p = heap_alloc_noscan(n);

	if (!p)
		fail(strerror(errno));
	return p;
}

/* xorshift64*, upper half. */
static inline uint32_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)(*state * 0x2545f4914f6cdd1dull >> 32);
}

/* From 0 to @n - 1. */
static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((uint64_t)random_next(state) * n >> 32);
}

/* A number from @least to @most that @text is, or -1. */
static inline long number_of(const char *text, long least, long most)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	return errno || end == text || *end || n < least || n > most ? -1 : n;
}

/* Resident memory now, bytes. */
static inline uint64_t resident(void)
{
	unsigned long long size, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%llu %llu", &size, &rss) != 2)
		fail("/proc/self/statm cannot be read");
	fclose(f);
	return rss * 4096;
}

#endif /* BENCH_GC_HEAP_H */
