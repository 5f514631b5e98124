/* SPDX-License-Identifier: MIT */
/*
 * The only file of xref that knows whose heap it runs on.
 *
 * The same program is built three times:
 *
 *	xref-goheap	libgoheap (the default)
 *	xref-malloc	XREF_ON_MALLOC: glibc's malloc, with nothing ever freed
 *	xref-gc		XREF_ON_LIBGC: the Boehm-Demers-Weiser collector
 *
 * A program on a collected heap has one question to answer each time it
 * allocates: can this memory hold pointers?  A structure with links in it can:
 * new_object().  Text and arrays of numbers cannot: new_data(), and the collector
 * never reads them, which is faster and cannot mistake a number for a pointer.
 * Nobody answers the other question, who frees it and when: there is no function
 * for that here.
 */
#ifndef XREF_ALLOC_H
#define XREF_ALLOC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(XREF_ON_MALLOC)
#include <stdlib.h>
#define HEAP_NAME		"glibc malloc, nothing freed"
#define heap_alloc(size)	calloc(1, size)
#define heap_alloc_data(size)	calloc(1, size)
#elif defined(XREF_ON_LIBGC)
/* With this defined gc.h renames pthread_create(): so libgc learns of threads. */
#define GC_THREADS
#include <gc.h>
#define HEAP_NAME		"libgc"
#define heap_alloc(size)	GC_MALLOC(size)
#define heap_alloc_data(size)	GC_MALLOC_ATOMIC(size)
#else
#include <goheap.h>
#define HEAP_NAME		"goheap"
#define heap_alloc(size)	goheap_alloc(size)
#define heap_alloc_data(size)	goheap_alloc_noscan(size)
#endif

/**
 * struct heap_figures - what the heap says about itself; bytes unless said
 * @name: which heap, for people
 * @inuse: in spans or blocks that hold objects
 * @objects_bytes: in objects, dead ones that are not yet swept included
 * @goal: the next collection is due when @objects_bytes gets here
 * @retained: free, with memory behind it
 * @live: found live by the last collection
 * @peak_inuse: the highest @inuse so far
 * @allocated_bytes: ever allocated
 * @allocated_objects: number of objects ever allocated
 * @collections: number of collections
 * @pause_max_ns: the longest stop of all threads, ns
 *
 * What a heap does not tell is 0.
 */
struct heap_figures {
	const char *name;
	uint64_t inuse;
	uint64_t objects_bytes;
	uint64_t goal;
	uint64_t retained;
	uint64_t live;
	uint64_t peak_inuse;
	uint64_t allocated_bytes;
	uint64_t allocated_objects;
	uint64_t collections;
	uint64_t pause_max_ns;
};

void heap_start(void);
void heap_collect(void);
void heap_read_figures(struct heap_figures *figures);
void out_of_memory(size_t size) __attribute__((noreturn, cold));

/* An object that may hold pointers, zeroed. */
static inline void *new_object(size_t size)
{
	void *p = heap_alloc(size);

	if (!p)
		out_of_memory(size);
	return p;
}

/* Memory that holds no pointers.  Its contents are not defined. */
static inline void *new_data(size_t size)
{
	void *p = heap_alloc_data(size);

	if (!p)
		out_of_memory(size);
	return p;
}

/*
 * A larger copy of an array of numbers.  The old one is simply forgotten, so
 * whoever still holds a pointer to it may go on reading.
 */
static inline void *grow_data(const void *old, size_t old_size, size_t new_size)
{
	void *p = new_data(new_size);

	if (old_size)
		memcpy(p, old, old_size);
	return p;
}

/* The same for an array of pointers. */
static inline void *grow_object(const void *old, size_t old_size, size_t new_size)
{
	void *p = new_object(new_size);

	if (old_size)
		memcpy(p, old, old_size);
	return p;
}

#endif /* XREF_ALLOC_H */
