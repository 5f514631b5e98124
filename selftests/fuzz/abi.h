/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fuzzer of /dev/goheap: what its files share.  abi.c says how it works.
 */
#ifndef FUZZ_ABI_H
#define FUZZ_ABI_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/goheap.h>

#define DEVICE		"/dev/goheap"
#define MIB		(1ULL << 20)

#define THREADS		4	/* in a life, at most */
#define WILD		3	/* arenas that every thread may do anything to */
#define WILD_FD		100	/* their file descriptors, from here on */
#define WILD_BASE	0x200000000000ULL	/* their addresses */
#define WILD_STRIDE	0x010000000000ULL
#define WILD_SPANS	64	/* spans that are remembered, of each */
#define OWN_SPANS	96	/* spans of a thread in the arena that keeps its word */
#define ARGS		5

/* One call: everything it does follows from this, and from what was before it. */
struct call {
	uint32_t op;
	uint32_t slot;
	uint64_t arg[ARGS];
};

struct wild_span {
	_Atomic uint64_t addr, npages;
};

/* What a process fuzzes; its threads share it. */
struct life {
	uint64_t seed;
	int own_fd;			/* the arena that keeps its word */
	char *own_base;
	uint64_t own_bytes;
	uint64_t features;
	struct wild_span known[WILD][WILD_SPANS];
};

struct own_span {
	uint64_t addr, npages, tag;
};

struct thread {
	struct life *life;
	int number;
	uint64_t rnd;
	struct own_span own[OWN_SPANS];
	unsigned int owned;
	uint64_t tags;
	const char *wrong;		/* what the device did that it must not do */
	char *page;			/* a page with nothing behind it */
};

struct op {
	const char *name;
	unsigned int weight;
	int (*run)(struct thread *t, const struct call *c);	/* 0 or the errno */
	bool must_work;			/* a run in which it never does is no test */
};

extern const struct op ops[];
extern const unsigned int nr_ops;

/* abi-ops.c */
bool thread_begin(struct thread *t);
void thread_end(struct thread *t);
bool life_begin(struct life *l);
void life_end(struct life *l, struct thread *threads, unsigned int n);

/* abi-random.c */
uint64_t rnd(uint64_t *state);
uint64_t rnd_value(uint64_t *state);
void call_random(uint64_t *state, struct call *c);
void call_mutate(uint64_t *state, struct call *c);

#endif /* FUZZ_ABI_H */
