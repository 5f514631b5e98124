/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One benchmark, three heaps: -DHEAP_GOHEAP, -DHEAP_GC (libgc) or
 * -DHEAP_MALLOC (the C library; heap_free() frees there and nowhere else).
 *
 * heap_alloc() returns zeroed memory that may hold pointers.
 * heap_alloc_noscan() returns memory that holds none: zeroed by goheap, not by
 * the others, whose own calls for it do not zero.
 */
#ifndef BENCH_HEAP_H
#define BENCH_HEAP_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(HEAP_GOHEAP)

#include <goheap.h>

#define HEAP_NAME	"goheap"
#define HEAP_COLLECTS	1

static inline void *heap_alloc(size_t n)
{
	return goheap_alloc(n);
}

static inline void *heap_alloc_noscan(size_t n)
{
	return goheap_alloc_noscan(n);
}

static inline void heap_free(void *p)
{
	(void)p;
}

static inline void heap_init(void)
{
}

static inline void heap_collect(void)
{
	goheap_collect();
}

static inline void heap_stop_collecting(void)
{
	goheap_set_gc_percent(-1);
}

/* For the record: what the heap held, to a line on stderr. */
static inline void heap_report(void)
{
	struct goheap_stats s = { .size = sizeof(s) };

	goheap_read_stats(&s);
	fprintf(stderr,
		"stats {\"on_device\": %d, \"peak_heap_inuse\": %llu, \"heap_inuse\": %llu, "
		"\"heap_retained\": %llu, \"metadata\": %llu, \"live\": %llu, \"collections\": %llu, "
		"\"pause_max_ns\": %llu, \"gc_cpu_ns\": %llu}\n",
		s.on_device, (unsigned long long)s.peak_heap_inuse,
		(unsigned long long)s.heap_inuse, (unsigned long long)s.heap_retained,
		(unsigned long long)s.metadata_bytes, (unsigned long long)s.live_bytes,
		(unsigned long long)s.num_gc, (unsigned long long)s.pause_max_ns,
		(unsigned long long)s.gc_cpu_ns);
}

#elif defined(HEAP_GC)

#include <gc.h>

#define HEAP_NAME	"libgc"
#define HEAP_COLLECTS	1

static inline void *heap_alloc(size_t n)
{
	return GC_MALLOC(n);
}

static inline void *heap_alloc_noscan(size_t n)
{
	return GC_MALLOC_ATOMIC(n);
}

static inline void heap_free(void *p)
{
	(void)p;
}

static inline void heap_init(void)
{
	GC_INIT();
}

/* GC_gcollect() does nothing while GC_disable() is in force. */
static inline void heap_collect(void)
{
	int off = GC_is_disabled();

	if (off)
		GC_enable();
	GC_gcollect();
	if (off)
		GC_disable();
}

static inline void heap_stop_collecting(void)
{
	GC_disable();
}

static inline void heap_report(void)
{
	fprintf(stderr, "stats {\"heap\": %zu, \"collections\": %lu}\n",
		(size_t)GC_get_heap_size(), (unsigned long)GC_get_gc_no());
}

#elif defined(HEAP_MALLOC)

#define HEAP_NAME	"malloc"
#define HEAP_COLLECTS	0

static inline void *heap_alloc(size_t n)
{
	return calloc(1, n);
}

static inline void *heap_alloc_noscan(size_t n)
{
	return malloc(n);
}

static inline void heap_free(void *p)
{
	free(p);
}

static inline void heap_init(void)
{
}

static inline void heap_collect(void)
{
}

static inline void heap_stop_collecting(void)
{
}

static inline void heap_report(void)
{
}

#else
#error "choose a heap: -DHEAP_GOHEAP, -DHEAP_GC or -DHEAP_MALLOC"
#endif

#endif /* BENCH_HEAP_H */
