// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: the page allocator (module/palloc*.c) against its oracle,
 * one byte a page, with every decision of a random run (module/palloc_cases.h)
 * read from the input: what is asked for, freed, released, when the policy
 * changes, when everything is copied as by fork().  The fuzzer looks for inputs
 * that reach code that none has reached before.
 *
 * Would catch: an answer, a bit, a summary or a counter that differs from the
 * oracle's on a path that random runs hit too rarely; a bad access; a leak.
 *
 * The first bytes are the arena's shape, so that small and large ones, dense
 * and sparse ones are all within the fuzzer's reach.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "palloc_cases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long live_bytes;

static void *fuzz_zalloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (p)
		live_bytes += (long)bytes;
	return p;
}

static void fuzz_free(void *p, size_t bytes)
{
	live_bytes -= (long)bytes;
	free(p);
}

static const struct palloc_ops fuzz_ops = { .zalloc = fuzz_zalloc, .free = fuzz_free };

static void fuzz_fail(struct palloc_test *t, const char *what, int line)
{
	(void)t;
	fprintf(stderr, "palloc_cases.h:%d: %s\n", line, what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u16 chunks[] = { 1, 2, 9, 17, 66, 514 };
	struct palloc_test t = { .fail = fuzz_fail, .ops = &fuzz_ops };
	struct palloc_shape shape;

	if (size < 12)
		return 0;
	shape = (struct palloc_shape) {
		.seed = 1, .chunks = chunks[data[0] % ARRAY_SIZE(chunks)],
		.grow_by = 1 + data[1] % 8, .filling = data[2] | 64, .draining = data[3] & 127,
		.w8 = data[4] / 4, .w64 = data[5] / 4, .w512 = data[6] / 4, .w4096 = data[7] / 4,
		.lifo = data[8], .backing = data[9], .scavenging = data[10] / 8,
		.switching = 255, .forking = data[11] / 4,
	};
	t.input = data + 12;
	t.input_end = data + size;
	oracle_run(&t, &shape, ~0U);
	if (live_bytes) {
		fprintf(stderr, "%ld bytes not given back\n", live_bytes);
		abort();
	}
	return 0;
}
