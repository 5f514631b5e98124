/* SPDX-License-Identifier: MIT */
/*
 * What the files of the corpus have in common.
 *
 * The comment behind each allocation says what has to become of it; see ../test-corpus for
 * how it is written.
 */
#ifndef CORPUS_H
#define CORPUS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "goheap.h"

/* Judged by itself: an inlined copy would be another site with a verdict of its own. */
#define FN __attribute__((noinline, noclone))

/* A callee of which the caller has to know what it does, since it is not inlined. */
#define CALLEE static __attribute__((noinline, noclone))

struct node {
	struct node *next;
	long value;
};

struct pair {
	struct node *a, *b;
};

static int corpus_failed;

/*
 * Overwrites what earlier calls left on the stack, so that an object that was not zeroed,
 * or that died with its frame, is seen; and collects what the program cannot reach.
 */
static FN void corpus_between(void)
{
	volatile unsigned char dirt[8192];

	for (size_t i = 0; i < sizeof(dirt); i++)
		dirt[i] = 0xa5;
	if (getenv("CORPUS_COLLECT"))
		goheap_collect();
}

static FN void corpus_compare(const char *what, long got, long want)
{
	if (got == want)
		return;
	printf("%s: %ld, not %ld\n", what, got, want);
	corpus_failed = 1;
}

/* Several times: what a call leaves behind must not change the next one. */
#define CHECK(expression, want)							\
	do {									\
		for (int round_ = 0; round_ < 3; round_++) {			\
			corpus_between();					\
			corpus_compare(#expression, (long)(expression), (want));	\
		}								\
	} while (0)

/* The same where the result is looked at when the stack has been used for something else. */
#define CHECK_AFTER(call, expression, want)					\
	do {									\
		for (int round_ = 0; round_ < 3; round_++) {			\
			corpus_between();					\
			call;							\
			corpus_between();					\
			corpus_compare(#call, (long)(expression), (want));	\
		}								\
	} while (0)

#endif /* CORPUS_H */
