/* SPDX-License-Identifier: MIT */
/* What every random program uses; see randprog.py, and randprog-support.c for what is not inline. */
#ifndef RANDPROG_H
#define RANDPROG_H

#include <alloca.h>
#include <goheap.h>
#include <pthread.h>
#include <search.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rp_program {
	unsigned seed;
	void (*run)(void);
};

extern unsigned rp_acc;		/* the checksum so far */
extern unsigned rp_n;		/* objects made so far: each gets a number of its own */
extern int rp_fuel;		/* calls that may still be made: a program ends in time */
extern int rp_fuel_each;

/* Before each allocation: collects, where that is asked for.  Unknown to the compiler. */
void rp_tick(void);
/* Overwrites the stack below the caller. */
void rp_clobber(void);
/* The same for frames with large objects. */
void rp_clobber_deep(void);
/* Callees without a body that the compiler can see. */
void rp_keep(void *p);
void *rp_kept(void);
void *rp_same(void *p);
#ifdef GOHEAP_NOESCAPE
GOHEAP_NOESCAPE
#endif
unsigned rp_look(const void *p, size_t size);

static inline void rp_mix(unsigned v)
{
	rp_acc = (rp_acc ^ v) * 16777619u + 1;
}

/* Fresh objects are zero. */
static __attribute__((unused, noinline)) unsigned rp_nonzero(const void *p, size_t size)
{
	const unsigned char *c = p;
	unsigned bits = 0;

	for (size_t i = 0; i < size; i++)
		bits |= c[i];
	return bits;
}

/* What goheap.h promises; for noscan objects under 16 bytes, what it promises for these. */
#define RP_ALIGN(size) ((size) > 24 || ((size) > 8 && (size) <= 16) ? 16u : 8u)
#define RP_TINY_ALIGN(size) ((size) >= 16 ? RP_ALIGN(size) : (size) >= 8 ? 8u : (size) >= 4 ? 4u : 1u)

/* Branched on alone: the address goes nowhere. */
#define RP_ALIGNED(p, to)			\
	do {					\
		if ((uintptr_t)(p) % (to))	\
			rp_mix(0xa11u);		\
	} while (0)

#endif
