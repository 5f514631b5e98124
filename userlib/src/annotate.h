/* SPDX-License-Identifier: MIT */
/*
 * What ThreadSanitizer cannot see for itself: that a stopped world orders
 * everything before against everything after, and that a recycled slot is new
 * memory.  The stop works by signals and futexes, which it does not follow.
 *
 * The model: whatever a thread does to the heap's own structures it does while
 * busy.  Leaving that state it releases its record; the collector acquires all
 * records when the world stands, and releases the heap before it goes on;
 * entering the busy state acquires the heap.
 */
#ifndef GOHEAP_ANNOTATE_H
#define GOHEAP_ANNOTATE_H

#include <stddef.h>

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
/* The interface for managed languages: it forgets what it knew of a range. */
void __tsan_java_init(unsigned long heap_begin, unsigned long heap_size);
void __tsan_java_alloc(unsigned long ptr, unsigned long size);
void __tsan_java_free(unsigned long ptr, unsigned long size);

static inline void annotate_acquire(void *p)
{
	__tsan_acquire(p);
}

static inline void annotate_release(void *p)
{
	__tsan_release(p);
}

static inline void annotate_arena(void *p, size_t bytes)
{
	__tsan_java_init((unsigned long)p, bytes);
}

static inline void annotate_new_memory(void *p, size_t bytes)
{
	__tsan_java_free((unsigned long)p, bytes);
	__tsan_java_alloc((unsigned long)p, bytes);
}
#else
static inline void annotate_acquire(void *p)
{
	(void)p;
}

static inline void annotate_release(void *p)
{
	(void)p;
}

static inline void annotate_arena(void *p, size_t bytes)
{
	(void)p;
	(void)bytes;
}

static inline void annotate_new_memory(void *p, size_t bytes)
{
	(void)p;
	(void)bytes;
}
#endif

#endif /* GOHEAP_ANNOTATE_H */
