// SPDX-License-Identifier: MIT
/*
 * Starting the heap, at the first use or by goheap_init().
 */
#include <errno.h>
#include <goheap.h>

#include "heap.h"

/* The least address space to be content with where a limit forbids more. */
#define ARENA_LEAST	((uint64_t)64 << 20)

enum { NOT_STARTED, RUNNING };

/* Held across fork(), too. */
pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static int state = NOT_STARTED;

static size_t map_bytes(size_t arena_bytes)
{
	return align_up((arena_bytes >> PAGE_SHIFT) * sizeof(struct span *), 4096);
}

/* So much of the map, for 2 GiB of heap, a heap of a few MiB should not have memory for. */
#define MAP_SPARED	((size_t)2 << 20)

/* A backend of @bytes, and the map of its pages. */
static int open_sized(struct heap *h, int (*open_backend)(struct backend *, size_t), size_t bytes)
{
	if (open_backend(&h->backend, bytes))
		return -1;
	h->page_map = os_reserve(map_bytes(bytes), 4096, true);
	if (h->page_map) {
		bytes = map_bytes(bytes);
		os_small_pages(h->page_map, bytes < MAP_SPARED ? bytes : MAP_SPARED);
		return 0;
	}
	h->backend.ops->close(&h->backend);
	errno = ENOMEM;
	return -1;
}

/* Less address space if there is a limit on it. */
static int open_arena(struct heap *h, int (*open_backend)(struct backend *, size_t))
{
	uint64_t bytes = h->settings.arena_bytes;

	while (open_sized(h, open_backend, bytes)) {
		if (errno != ENOMEM || bytes / 2 < ARENA_LEAST)
			return -1;
		bytes = align_up(bytes / 2, GOHEAP_CHUNK_SIZE);
	}
	return 0;
}

static int open_backend(struct heap *h)
{
	int device = h->settings.device;

	if (device != GOHEAP_DEVICE_NEVER) {
		if (!open_arena(h, backend_open_device)) {
			h->on_device = true;
			return 0;
		}
		if (device == GOHEAP_DEVICE_REQUIRE) {
			if (!h->complained)
				os_message("goheap: /dev/goheap is required and cannot be used: errno %d%s\n",
					   errno, errno == ENOENT ? " (is the module loaded?)" : "");
			h->complained = true;
			errno = ENODEV;
			return -1;
		}
	}
	return open_arena(h, backend_open_process);
}

static int start(struct heap *h, const struct goheap_options *options)
{
	int err = ENOMEM;

	if (settings_read(&h->settings, options) || open_backend(h))
		return -1;
	settings_for(&h->settings, h->on_device);
	h->base = h->backend.base;
	h->start_mono = now_ns(CLOCK_MONOTONIC);
	annotate_arena((void *)h->base, h->backend.bytes);
	os_short_lock_init(&h->lock);
	mcentral_init(h);
	if (roots_init(h))
		goto close_arena;
	specials_init(h);
	reuse_init(h);
	blacklist_init(h);
	background_init(h);
	profile_init(h);
	dirty_init(h);
	if (threads_init(h))
		goto undo_roots;
	gc_init(h);
	if (heap_configure(h)) {
		err = errno;
		goto undo_threads;
	}
	if (stop_init(h) || fork_init() || profile_write_at_exit())
		goto undo_threads;
	if (h->settings.say_where)
		os_message("goheap: heap of %zu MiB address space %s\n", h->backend.bytes >> 20,
			   h->on_device ? "on /dev/goheap" : "in the process, without /dev/goheap");
	return 0;

undo_threads:
	threads_undo(h);
undo_roots:
	roots_undo(h);
close_arena:
	h->base = 0;
	os_unreserve(h->page_map, map_bytes(h->backend.bytes));
	h->backend.ops->close(&h->backend);
	errno = err;
	return -1;
}

static int start_once(const struct goheap_options *options, bool may_be_running)
{
	struct heap *h = &goheap_the_heap;
	int ret = 0;

	pthread_mutex_lock(&start_lock);
	if (state == NOT_STARTED) {
		ret = start(h, options);
		if (!ret)
			__atomic_store_n(&state, RUNNING, __ATOMIC_RELEASE);
	} else if (!may_be_running) {
		errno = EBUSY;
		ret = -1;
	}
	pthread_mutex_unlock(&start_lock);
	if (!ret && !thread_register(h))
		ret = -1;
	return ret;
}

/**
 * heap_get() - the heap, started if it was not
 *
 * Return: the heap; NULL and errno if it cannot be started, or cannot be used
 * because this is a forked child and the arena was the parent's.
 */
struct heap *heap_get(void)
{
	struct heap *h = &goheap_the_heap;

	if (unlikely(__atomic_load_n(&state, __ATOMIC_ACQUIRE) == NOT_STARTED) &&
	    start_once(NULL, true))
		return NULL;
	if (unlikely(h->lost)) {
		errno = ENOMEM;
		return NULL;
	}
	return h;
}

PUBLIC int goheap_init(const struct goheap_options *options)
{
	return start_once(options, false);
}
