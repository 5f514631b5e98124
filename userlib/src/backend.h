/* SPDX-License-Identifier: MIT */
/*
 * Where spans come from: /dev/goheap, or an ordinary mapping of the process
 * that runs the kernel's own page allocator over itself.  Both speak the ABI's
 * struct goheap_span.
 */
#ifndef GOHEAP_BACKEND_H
#define GOHEAP_BACKEND_H

#include <linux/goheap.h>
#include <pthread.h>

#include "base.h"

struct palloc;
struct palloc_chunk;

struct backend_stats {
	uint64_t grown_bytes;
	uint64_t retained_bytes;
	uint64_t released_bytes;
};

struct backend;

/**
 * struct backend_ops - what a source of spans can do
 * @alloc: fill in @addr and flags of @n spans, all or none; -1 and ENOMEM.
 *	Without GOHEAP_SPAN_NEEDZERO in the reply a span is zero
 * @free: take @n spans back; cannot fail for spans that @alloc gave out
 * @release: give up to @bytes of free pages back to the system, highest
 *	address first.  Return: how many bytes
 * @stats: fill in what this source knows
 * @close: undo the opening, when nothing has been allocated yet
 *
 * All may be called from any thread.
 */
struct backend_ops {
	int (*alloc)(struct backend *b, struct goheap_span *spans, unsigned int n);
	void (*free)(struct backend *b, struct goheap_span *spans, unsigned int n);
	uint64_t (*release)(struct backend *b, uint64_t bytes);
	void (*stats)(struct backend *b, struct backend_stats *stats);
	void (*close)(struct backend *b);
};

struct backend {
	const struct backend_ops *ops;
	uintptr_t base;			/* of the arena */
	size_t bytes;			/* its length */
	int fd;				/* of the device, or -1 */
	pthread_mutex_t lock;		/* in the process: serialises @palloc */
	struct palloc *palloc;
	struct palloc_chunk *spare_chunk;	/* of these, so many */
	unsigned int spare_chunks;
};

/* Return: 0; -1 and errno, with nothing left behind. */
int backend_open_device(struct backend *b, size_t bytes);
int backend_open_process(struct backend *b, size_t bytes);

#endif /* GOHEAP_BACKEND_H */
