// SPDX-License-Identifier: MIT
/*
 * Start-up, figures and failure of the heap that alloc.h chose.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"

/**
 * out_of_memory() - the one thing to do when the heap is at its end
 * @size: what was asked for
 *
 * goheap_alloc() has collected and tried again before it returned NULL.
 */
void out_of_memory(size_t size)
{
	fprintf(stderr, "xref: out of memory (asked for %zu bytes)\n", size);
	exit(1);
}

#if defined(XREF_ON_MALLOC)
#include <malloc.h>

/**
 * heap_start() - start the heap; before any thread
 */
void heap_start(void)
{
}

/**
 * heap_collect() - run a full collection
 */
void heap_collect(void)
{
}

/**
 * heap_read_figures() - ask the heap
 * @figures: filled in
 */
void heap_read_figures(struct heap_figures *figures)
{
	struct mallinfo2 info = mallinfo2();

	*figures = (struct heap_figures) {
		.name = HEAP_NAME,
		.inuse = info.arena + info.hblkhd,
		.objects_bytes = info.uordblks + info.hblkhd,
		.retained = info.fordblks,
		.peak_inuse = info.arena + info.hblkhd,
		.allocated_bytes = info.uordblks + info.hblkhd,
	};
}

#elif defined(XREF_ON_LIBGC)

void heap_start(void)
{
	GC_INIT();
	GC_allow_register_threads();
}

void heap_collect(void)
{
	GC_gcollect();
}

void heap_read_figures(struct heap_figures *figures)
{
	GC_word size, free_bytes, unmapped, since, total;

	GC_get_heap_usage_safe(&size, &free_bytes, &unmapped, &since, &total);
	*figures = (struct heap_figures) {
		.name = HEAP_NAME,
		.inuse = size - free_bytes,
		.retained = free_bytes - unmapped,
		.peak_inuse = size,		/* it never shrinks */
		.allocated_bytes = total,
		.collections = GC_get_gc_no(),
	};
}

#else

void heap_start(void)
{
	/*
	 * Not required: the first allocation would do it.  Done here so that a
	 * device which is required and missing has a message of its own.
	 */
	if (goheap_init(NULL)) {
		fprintf(stderr, "xref: the heap does not start: %s\n", strerror(errno));
		exit(1);
	}
}

void heap_collect(void)
{
	goheap_collect();
}

void heap_read_figures(struct heap_figures *figures)
{
	struct goheap_stats stats = { .size = sizeof(stats) };

	goheap_read_stats(&stats);
	*figures = (struct heap_figures) {
		.name = stats.on_device ? "goheap on /dev/goheap" : "goheap in the process",
		.inuse = stats.heap_inuse,
		.objects_bytes = stats.alloc_bytes,
		.goal = stats.next_gc,
		.retained = stats.heap_retained,
		.live = stats.live_bytes,
		.peak_inuse = stats.peak_heap_inuse,
		.allocated_bytes = stats.total_alloc_bytes,
		.allocated_objects = stats.mallocs,
		.collections = stats.num_gc,
		.pause_max_ns = stats.pause_max_ns,
	};
}

#endif
