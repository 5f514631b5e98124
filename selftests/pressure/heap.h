/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heaps that the program under pressure is built on, one for each build:
 *
 *	HEAP_GOHEAP	libgoheap, on /dev/goheap or not at all
 *	HEAP_DEVICE	/dev/goheap by its ioctls, without the library
 *	HEAP_MALLOC	malloc(): linked with jemalloc
 *
 * heap_free() may leave the memory to a collection; after heap_collect() the
 * pages of what was freed are free.
 */
#ifndef PRESSURE_HEAP_H
#define PRESSURE_HEAP_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct heap_figures {
	uint64_t inuse;		/* bytes that the heap counts as used */
	uint64_t retained;	/* free, with memory behind them */
	uint64_t collections;
	uint64_t pressed;	/* given back ever: the kernel was short of memory */
	uint64_t background;	/* the kernel's background scavenger */
};

#ifndef HEAP_MALLOC

#include <linux/goheap.h>
#include <sys/ioctl.h>

/* What the device says of the arena, whose descriptor may be the library's own. */
static inline int heap_device_stats(struct goheap_arena_stats *s)
{
	int fd;

	for (fd = 3; fd < 64; fd++) {
		memset(s, 0, sizeof(*s));
		s->size = sizeof(*s);
		if (!ioctl(fd, GOHEAP_IOC_STATS, s))
			return 0;
	}
	memset(s, 0, sizeof(*s));
	return -1;
}

#endif

#ifdef HEAP_GOHEAP

#include <goheap.h>

static inline int heap_start(void)
{
	struct goheap_options o = { .size = sizeof(o), .device = GOHEAP_DEVICE_REQUIRE };

	return goheap_init(&o);
}

static inline void *heap_alloc(size_t size)
{
	return goheap_alloc_noscan(size);
}

/* Forgotten, as in a program that never frees: the caller has cleared its pointer. */
static inline void heap_free(void *p, size_t size)
{
	(void)p;
	(void)size;
}

static inline void heap_collect(void)
{
	goheap_collect();
}

static inline void heap_read(struct heap_figures *f)
{
	struct goheap_stats s = { .size = sizeof(s) };
	struct goheap_arena_stats d;

	goheap_read_stats(&s);
	f->inuse = s.heap_inuse;
	f->retained = s.heap_retained;
	f->collections = s.num_gc;
	heap_device_stats(&d);
	f->pressed = d.scav_pressure_bytes;
	f->background = d.scav_background_bytes;
}

#elif defined(HEAP_DEVICE)

#include <fcntl.h>
#include <sys/mman.h>

static int heap_fd;

static inline int heap_start(void)
{
	heap_fd = open("/dev/goheap", O_RDWR | O_CLOEXEC);
	if (heap_fd < 0)
		return -1;
	return mmap(NULL, 1ULL << 40, PROT_READ | PROT_WRITE, MAP_SHARED, heap_fd, 0) ==
	       MAP_FAILED ? -1 : 0;
}

static inline void *heap_alloc(size_t size)
{
	struct goheap_span span = { .npages = size / GOHEAP_PAGE_SIZE };
	struct goheap_span_batch batch = {
		.size = sizeof(batch), .spans = (uintptr_t)&span, .count = 1,
	};

	if (ioctl(heap_fd, GOHEAP_IOC_SPAN_ALLOC, &batch))
		return NULL;
	return (void *)(uintptr_t)span.addr;
}

static inline void heap_free(void *p, size_t size)
{
	struct goheap_span span = {
		.addr = (uintptr_t)p, .npages = size / GOHEAP_PAGE_SIZE,
	};
	struct goheap_span_batch batch = {
		.size = sizeof(batch), .spans = (uintptr_t)&span, .count = 1,
	};

	if (ioctl(heap_fd, GOHEAP_IOC_SPAN_FREE, &batch)) {
		fprintf(stderr, "program: a span cannot be freed: %s\n", strerror(errno));
		exit(1);
	}
}

static inline void heap_collect(void)
{
}

static inline void heap_read(struct heap_figures *f)
{
	struct goheap_arena_stats d;

	heap_device_stats(&d);
	f->inuse = d.inuse_bytes;
	f->retained = d.retained_bytes;
	f->collections = 0;
	f->pressed = d.scav_pressure_bytes;
	f->background = d.scav_background_bytes;
}

#elif defined(HEAP_MALLOC)

#include <jemalloc/jemalloc.h>

static inline int heap_start(void)
{
	return 0;
}

static inline void *heap_alloc(size_t size)
{
	return malloc(size);
}

static inline void heap_free(void *p, size_t size)
{
	(void)size;
	free(p);
}

static inline void heap_collect(void)
{
}

static inline uint64_t heap_counter(const char *name)
{
	size_t value = 0, len = sizeof(value);

	return mallctl(name, &value, &len, NULL, 0) ? 0 : value;
}

static inline void heap_read(struct heap_figures *f)
{
	uint64_t epoch = 1, active, resident;
	size_t len = sizeof(epoch);

	memset(f, 0, sizeof(*f));
	mallctl("epoch", &epoch, &len, &epoch, len);
	active = heap_counter("stats.active");
	resident = heap_counter("stats.resident");
	f->inuse = active;
	f->retained = resident > active ? resident - active : 0;
}

#else
#error "which heap?"
#endif

#endif /* PRESSURE_HEAP_H */
