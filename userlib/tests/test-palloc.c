// SPDX-License-Identifier: MIT
/*
 * The page allocator (module/palloc*.c) in user space, against rules and
 * against an oracle of one byte a page: catches a wrong address, a lost or
 * doubly given page, a stale summary, a wrong counter, a leak.
 *
 * Build: cc -std=gnu11 -I userlib/src/shim -I module \
 *		THIS-FILE module/palloc.c module/palloc_fit.c
 * Usage: test-palloc [-n THOUSANDS]	(of random operations; default 10000)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "palloc_cases.h"

static long live_bytes;

static void *test_zalloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (p)
		live_bytes += (long)bytes;
	return p;
}

static void test_free(void *p, size_t bytes)
{
	live_bytes -= (long)bytes;
	free(p);
}

static const struct palloc_ops test_ops = { .zalloc = test_zalloc, .free = test_free };

static void test_fail(struct palloc_test *t, const char *what, int line)
{
	printf("# %s: line %d: %s\n", (const char *)t->priv, line, what);
}

int main(int argc, char **argv)
{
	unsigned int count = ARRAY_SIZE(palloc_cases), i, failed = 0;
	long scale = 10000;

	if (argc == 3 && !strcmp(argv[1], "-n"))
		scale = strtol(argv[2], NULL, 10);
	else if (argc != 1)
		scale = 0;
	if (scale < 1 || scale > 100000) {
		fprintf(stderr, "usage: test-palloc [-n THOUSANDS]\n");
		return 2;
	}

	printf("TAP version 13\n1..%u\n", count);
	for (i = 0; i < count; i++) {
		struct palloc_test t = {
			.fail = test_fail,
			.ops = &test_ops,
			.ops_scale = (unsigned int)scale,
			.priv = (void *)palloc_cases[i].name,
		};

		palloc_cases[i].run(&t);
		if (live_bytes) {
			printf("# %ld bytes not given back\n", live_bytes);
			t.failures++;
			live_bytes = 0;
		}
		failed += !!t.failures;
		printf("%s %u - palloc: %s\n", t.failures ? "not ok" : "ok", i + 1,
		       palloc_cases[i].name);
		fflush(stdout);
	}
	return failed ? 1 : 0;
}
