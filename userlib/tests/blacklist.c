// SPDX-License-Identifier: MIT
/*
 * Catches: objects placed where integers that look like addresses already point, which
 * then keep them, and all that hangs on them, alive; and pages that are left out for ever.
 */
#include "gc.h"
#include "tap.h"

enum { FALSE = 100, PAGE = 8192 };

/* Integers that name pages the heap has not grown into yet. */
static volatile uintptr_t numbers[FALSE];

struct node {
	struct node *next;
	uintptr_t rest[3];
};

/* The address of every @step'th page from here on; behind what is in the caches now. */
static void name_pages(uintptr_t step)
{
	static void *kept;
	uintptr_t from;

	kept = goheap_alloc(MIB);
	CHECK(kept);
	from = (uintptr_t)kept + 2 * MIB;
	kept = NULL;
	for (int i = 0; i < FALSE; i++)
		numbers[i] = from + i * step * PAGE + 64;
}

static void forget_pages(void)
{
	for (int i = 0; i < FALSE; i++)
		numbers[i] = 0;
}

/* One list, so that a single false pointer to its beginning keeps all of it. */
static void make_list(void *bytes)
{
	struct node *volatile list = NULL;

	for (size_t n = *(size_t *)bytes / sizeof(struct node); n; n--) {
		struct node *p = goheap_alloc(sizeof(*p));

		CHECK(p);
		p->next = list;
		list = p;
	}
}

CASE(small, "a list of 24 MiB among 100 false pointers is garbage when it is dropped", "GOHEAP_GOGC=400")
{
	size_t bytes = 24 * MIB;

	name_pages(31);
	goheap_collect();
	in_thread(make_list, &bytes);
	collect_hard();
	CHECK_CMP(stats().live_bytes, <, 2 * MIB);
}

static void make_large(void *arg)
{
	void *volatile keep[100];

	(void)arg;
	for (int i = 0; i < 100; i++) {
		keep[i] = goheap_alloc(130 * KIB);
		CHECK(keep[i]);
	}
}

CASE(large, "100 objects of 130 KiB among false pointers a MiB apart: none stays", "GOHEAP_GOGC=400")
{
	name_pages(MIB / PAGE);
	goheap_collect();
	in_thread(make_large, NULL);
	collect_hard();
	CHECK_CMP(stats().live_bytes, <, MIB);
}

CASE(returned, "pages are used again when the numbers are gone", "GOHEAP_GOGC=400")
{
	size_t bytes = 24 * MIB;
	uint64_t sys = 0;

	for (int round = 0; round < 10; round++) {
		name_pages(31);
		goheap_collect();
		in_thread(make_list, &bytes);
		forget_pages();
		collect_hard();
		if (round == 1)
			sys = stats().heap_sys;
	}
	CHECK_CMP(stats().heap_sys, <, sys + 32 * MIB);
}

CASE(all, "where every page is named the heap works all the same", "GOHEAP_GOGC=400")
{
	size_t bytes = 16 * MIB;

	name_pages(1);
	goheap_collect();
	in_thread(make_list, &bytes);
	in_thread(make_large, NULL);
	forget_pages();
	collect_hard();
	CHECK_CMP(stats().live_bytes, <, 2 * MIB);
}
