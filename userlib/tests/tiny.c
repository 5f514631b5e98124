// SPDX-License-Identifier: MIT
/*
 * Catches: small noscan objects that overlap, that lose their alignment, that
 * die while a neighbour in their block dies, or that do not share blocks at all.
 */
#include "gc.h"
#include "tap.h"

enum { N = 20000 };

static unsigned char *obj[N];
static unsigned char len[N];

static void make_all(void *arg)
{
	uint64_t seed = 11;

	(void)arg;
	for (int i = 0; i < N; i++) {
		len[i] = rnd(&seed) % 15 + 1;
		obj[i] = goheap_alloc_noscan(len[i]);
		CHECK(obj[i]);
		for (int j = 0; j < len[i]; j++) {
			CHECK_CMP(obj[i][j], ==, 0);
			obj[i][j] = i + j;
		}
	}
}

static void verify(int step)
{
	for (int i = 0; i < N; i += step)
		for (int j = 0; j < len[i]; j++)
			CHECK_CMP(obj[i][j], ==, (unsigned char)(i + j));
}

CASE(contents, "contents are independent, and zero before they are written")
{
	in_thread(make_all, NULL);
	verify(1);
}

CASE(survive, "an object lives while it is held, whatever happens to its block's others")
{
	in_thread(make_all, NULL);
	for (int i = 0; i < N; i++)
		if (i % 7)
			obj[i] = NULL;
	for (int i = 0; i < 4; i++) {
		collect_hard();
		for (int j = 0; j < 20000; j++)
			memset(goheap_alloc_noscan(j % 15 + 1), 0xdd, j % 15 + 1);
	}
	verify(7);
}

CASE(share, "they share blocks: 8 million bytes in objects of 2 take under 12 MB")
{
	enum { COUNT = 4000000 };
	static uint16_t *keep[COUNT / 8];
	struct goheap_stats s;

	/* One in eight held is one in each block of 16 bytes: no block dies. */
	for (int i = 0; i < COUNT; i++) {
		uint16_t *p = goheap_alloc_noscan(2);

		CHECK(p);
		if (i % 8 == 0)
			keep[i / 8] = p;
	}
	s = stats();
	CHECK_CMP(s.heap_inuse, <, 12 * MIB);
	for (int i = 0; i < COUNT / 8; i++)
		CHECK(!*keep[i]);
}

CASE(die, "blocks that nothing points into are freed")
{
	struct goheap_stats before, after;

	goheap_set_gc_percent(-1);
	in_thread(make_all, NULL);
	before = stats();
	memset(obj, 0, sizeof(obj));
	collect_hard();
	after = stats();
	CHECK_CMP(after.alloc_bytes, <, before.alloc_bytes / 10);
	CHECK_CMP(after.alloc_objects, <, before.alloc_objects / 10);
}

CASE(alignment, "alignment: 8 from 8 bytes up, 4 from 4 up, 2 from 2 up")
{
	for (int i = 0; i < 10000; i++) {
		size_t size = i % 15 + 1;
		uintptr_t p = (uintptr_t)goheap_alloc_noscan(size);

		CHECK_CMP(p % (size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1), ==, 0);
	}
}

CASE(interior, "a pointer to a small object's inside or last byte keeps it")
{
	enum { COUNT = 512 };
	static unsigned char *last[COUNT];

	for (int i = 0; i < COUNT; i++) {
		unsigned char *p = goheap_alloc_noscan(i % 15 + 1);

		memset(p, i, i % 15 + 1);
		last[i] = p + i % 15;
	}
	for (int k = 0; k < 3; k++) {
		collect_hard();
		for (int j = 0; j < 20000; j++)
			memset(goheap_alloc_noscan(j % 15 + 1), 0xdd, j % 15 + 1);
	}
	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j <= i % 15; j++)
			CHECK_CMP(last[i][-j], ==, (unsigned char)i);
}

CASE(base, "each is an object of its own to goheap_base() and goheap_usable_size()")
{
	in_thread(make_all, NULL);
	for (int i = 0; i < N; i++) {
		CHECK_CMP(goheap_base(obj[i]), ==, (void *)obj[i]);
		CHECK_CMP(goheap_base(obj[i] + len[i] - 1), ==, (void *)obj[i]);
		CHECK_CMP(goheap_usable_size(obj[i]), >=, len[i]);
		CHECK_CMP(goheap_usable_size(obj[i]), <=, 16);
		if (len[i] > 1)
			CHECK_CMP(goheap_usable_size(obj[i] + 1), ==, 0);
	}
	/* What may be used is used: no neighbour changes. */
	for (int i = 0; i < N; i += 2) {
		memset(obj[i], 0xaa, goheap_usable_size(obj[i]));
		len[i] = 0;
	}
	verify(1);
}

/* The only one in its block, and it is dead; but the next one may be put beside it. */
static __attribute__((noinline)) void begin_block(void *arg)
{
	(void)arg;
	for (int i = 0; i < 17; i++)
		((volatile char *)goheap_alloc_noscan(1))[0] = 1;
}

static void use_block(void *arg)
{
	enum { MANY = 50000 };
	static char *kept[16];

	(void)arg;
	for (int round = 0; round < 20; round++) {
		begin_block(NULL);
		scrub_stack();
		goheap_collect();
		goheap_collect();
		for (int i = 0; i < 8; i++) {
			kept[i] = goheap_alloc_noscan(1);
			kept[i][0] = 'a' + i;
		}
		/* Were the block free, one of these would have it, and would clear it. */
		for (int i = 0; i < MANY; i++)
			CHECK(((volatile char *)goheap_alloc_noscan(16))[0] == 0);
		for (int i = 0; i < MANY; i++)
			CHECK(((volatile char *)goheap_alloc_noscan(3))[0] == 0);
		for (int i = 0; i < 8; i++)
			CHECK_CMP(kept[i][0], ==, 'a' + i);
	}
}

CASE(block_in_use, "a block that a thread is still putting objects into is not freed")
{
	in_thread(use_block, NULL);
}
