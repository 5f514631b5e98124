/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs in this folder share: allocation that ends the program when
 * there is no memory, random numbers, and the one argument that all of them take.
 */
#ifndef BENCH_ESCAPE_PROGRAM_H
#define BENCH_ESCAPE_PROGRAM_H

#include <goheap.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void __attribute__((noreturn, cold)) no_memory(void)
{
	perror("goheap_alloc");
	exit(1);
}

static inline void *object(size_t size)
{
	void *p = goheap_alloc(size);

	if (!p)
		no_memory();
	return p;
}

static inline void *text(size_t size)
{
	void *p = goheap_alloc_noscan(size);

	if (!p)
		no_memory();
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

/* The program's argument: how often. */
static inline long times(int argc, char **argv, const char *what)
{
	char *end = NULL;
	long n = 0;

	errno = 0;
	if (argc == 2)
		n = strtol(argv[1], &end, 10);
	if (argc != 2 || errno || end == argv[1] || *end || n < 1 || n > 1000000000) {
		fprintf(stderr, "usage: %s (1 to 1000000000)\n", what);
		exit(2);
	}
	return n;
}

#endif /* BENCH_ESCAPE_PROGRAM_H */
