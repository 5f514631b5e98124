/* SPDX-License-Identifier: MIT */
/*
 * Windows for written pages: what the tests of each way share.
 */
#ifndef TESTS_DIRTY_H
#define TESTS_DIRTY_H

#include "gc.h"
#include "heap.h"
#include "tap.h"

#define PAGES		256		/* system pages of the object that is watched */
#define TARGET		97		/* the one that is written */

/*
 * A case for each way, skipped where the kernel does not have it.  The heap is in a
 * window, nothing has been written, and nobody collects.
 */
struct watched {
	struct heap *h;
	enum dirty_way way;
	char *p;			/* PAGES pages of one object */
	char *target;
	uint64_t bits[PAGES / 64];	/* the last report */
	uint64_t n;
};

struct watched *dirty_watch(enum dirty_way way);

#define WAYS(id, desc)								\
	static void id(struct watched *w);					\
	CASE(id##_device, "device: " desc, "GOHEAP_DIRTY=device", "GOHEAP_GOGC=off")	\
	{									\
		id(dirty_watch(DIRTY_DEVICE));					\
	}									\
	CASE(id##_pagemap, "pagemap: " desc, "GOHEAP_DIRTY=pagemap",		\
	     "GOHEAP_DEVICE=never", "GOHEAP_GOGC=off")				\
	{									\
		id(dirty_watch(DIRTY_PAGEMAP_SCAN));				\
	}									\
	CASE(id##_soft, "soft: " desc, "GOHEAP_DIRTY=soft",			\
	     "GOHEAP_DEVICE=never", "GOHEAP_GOGC=off")				\
	{									\
		id(dirty_watch(DIRTY_SOFT));					\
	}									\
	static void id(struct watched *w)

/* Page-aligned memory that is searched for pointers; it has been written to. */
char *dirty_object(size_t bytes);

int dirty_begin_all(struct heap *h);
/* Collect the watched pages into w->bits. */
int dirty_report(struct watched *w);
bool dirty_has(const struct watched *w, size_t page);

/* Of the watched pages exactly the target is reported, and once. */
void dirty_expect_target(struct watched *w);
/* None is. */
void dirty_expect_none(struct watched *w);
/* These are, and no others. */
void dirty_expect(struct watched *w, const bool *want);

#endif /* TESTS_DIRTY_H */
