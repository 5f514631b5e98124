// SPDX-License-Identifier: MIT
/* A million list nodes, of which a thousand are alive at a time; nothing is freed. */
#include <goheap.h>
#include <stdio.h>

struct node { struct node *next; long value; };

int main(void)
{
	struct goheap_stats s = { .size = sizeof(s) };
	struct node *list = NULL;

	for (long i = 0; i < 1000000; i++) {
		struct node *n = goheap_alloc(sizeof(*n));

		*n = (struct node) { i % 1000 ? list : NULL, i };
		list = n;
	}
	goheap_collect();
	goheap_read_stats(&s);
	printf("%lu objects allocated, %lu freed, %lu collections, last value %ld\n",
	       s.mallocs, s.frees, s.num_gc, list->value);
	return 0;
}
