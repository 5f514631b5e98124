// SPDX-License-Identifier: GPL-2.0
/*
 * Linked into every program that is measured: when it ends, what its heap was asked for,
 * as a line of the file that GOHEAP_BENCH_COUNTS names.
 *
 *	objects, bytes, collections
 */
#include <goheap.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((destructor)) static void write_counts(void)
{
	struct goheap_stats s = { .size = sizeof(s) };
	const char *name = getenv("GOHEAP_BENCH_COUNTS");
	FILE *f = name ? fopen(name, "a") : NULL;

	if (!f)
		return;
	goheap_read_stats(&s);
	fprintf(f, "%llu %llu %llu\n", (unsigned long long)s.mallocs,
		(unsigned long long)s.total_alloc_bytes, (unsigned long long)s.num_gc);
	fclose(f);
}
