// SPDX-License-Identifier: MIT
/*
 * Spans from /dev/goheap: one open of the device, one mapping, and the ioctls
 * of linux/goheap.h.  The kernel charges, maps and clears the memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend.h"

/* A longer arena is left out of core dumps. */
#define DUMP_MOST	((size_t)16 << 30)

static int batch_request(struct backend *b, unsigned long request,
			 struct goheap_span *spans, unsigned int n)
{
	struct goheap_span_batch batch = {
		.size = sizeof(batch),
		.spans = (uintptr_t)spans,
		.count = n,
	};
	int ret;

	do {
		ret = ioctl(b->fd, request, &batch);
	} while (ret && errno == EINTR);
	return ret;
}

static int device_alloc(struct backend *b, struct goheap_span *spans, unsigned int n)
{
	return batch_request(b, GOHEAP_IOC_SPAN_ALLOC, spans, n);
}

/* Batches of up to so many spans the kernel frees without memory for itself. */
#define FREE_ANYWAY	32

static void device_free(struct backend *b, struct goheap_span *spans, unsigned int n)
{
	unsigned int step = n;

	for (unsigned int i = 0; i < n; i++)
		spans[i].flags = 0;
	for (unsigned int i = 0; i < n; i += step) {
		if (step > n - i)
			step = n - i;
		if (!batch_request(b, GOHEAP_IOC_SPAN_FREE, spans + i, step))
			continue;
		if (errno == ENOMEM && step > FREE_ANYWAY) {
			i -= FREE_ANYWAY;
			step = FREE_ANYWAY;
			continue;
		}
		os_message("goheap: /dev/goheap does not take a span back: errno %d\n", errno);
	}
}

static uint64_t device_release(struct backend *b, uint64_t bytes)
{
	struct goheap_release release = { .size = sizeof(release), .bytes = bytes };

	return ioctl(b->fd, GOHEAP_IOC_RELEASE, &release) ? 0 : release.bytes;
}

static void device_stats(struct backend *b, struct backend_stats *out)
{
	struct goheap_arena_stats stats = { .size = sizeof(stats) };

	memset(out, 0, sizeof(*out));
	out->retain_goal = NO_GOAL;
	if (ioctl(b->fd, GOHEAP_IOC_STATS, &stats))
		return;
	out->grown_bytes = stats.grown_bytes;
	out->retained_bytes = stats.retained_bytes;
	out->released_bytes = stats.released_bytes;
	if (!(b->features & GOHEAP_FEATURE_SCAVENGER))
		return;
	out->retain_goal = stats.retain_goal_bytes;
	out->released[RELEASE_REQUEST] = stats.scav_request_bytes;
	out->released[RELEASE_BACKGROUND] = stats.scav_background_bytes;
	out->released[RELEASE_GROWTH] = stats.scav_growth_bytes;
	out->released[RELEASE_LIMIT] = stats.scav_limit_bytes;
	out->released[RELEASE_PRESSURE] = stats.scav_pressure_bytes;
	out->pressure = stats.pressure;
}

static int device_configure(struct backend *b, const struct backend_settings *s)
{
	struct goheap_settings settings = {
		.size = sizeof(settings),
		.policy = s->policy,
		.retain_percent = s->retain_percent,
		.memory_limit = s->memory_limit,
		.hard_limit = s->hard_limit,
		.set = GOHEAP_SET_POLICY,
	};

	if (b->features & GOHEAP_FEATURE_SCAVENGER)
		settings.set |= GOHEAP_SET_RETAIN_PERCENT | GOHEAP_SET_MEMORY_LIMIT |
				GOHEAP_SET_HARD_LIMIT;
	/* An older module knows first fit and no limits, which is what most ask for. */
	else if (s->hard_limit != NO_LIMIT)
		goto unknown;
	if (!(b->features & GOHEAP_FEATURE_POLICY)) {
		settings.set &= ~GOHEAP_SET_POLICY;
		if (s->policy != GOHEAP_POLICY_FIRST_FIT)
			goto unknown;
	}
	return settings.set ? ioctl(b->fd, GOHEAP_IOC_SETTINGS, &settings) : 0;

unknown:
	errno = EOPNOTSUPP;
	return -1;
}

static void device_cycle(struct backend *b, uint64_t heap_goal)
{
	struct goheap_cycle cycle = { .size = sizeof(cycle), .heap_goal = heap_goal };

	if (b->features & GOHEAP_FEATURE_SCAVENGER)
		ioctl(b->fd, GOHEAP_IOC_CYCLE, &cycle);
}

/* The child's arena is a copy of the parent's, if there was memory for its tables. */
static int device_inherit(struct backend *b)
{
	struct goheap_info info = { .size = sizeof(info) };

	if (!(b->features & GOHEAP_FEATURE_FORK))
		return -1;
	return ioctl(b->fd, GOHEAP_IOC_INFO, &info) || info.arena_start != b->base ? -1 : 0;
}

static void device_close(struct backend *b)
{
	munmap((void *)b->base, b->bytes);
	syscall(SYS_close, b->fd);
}

static const struct backend_ops device_ops = {
	.alloc = device_alloc,
	.free = device_free,
	.release = device_release,
	.stats = device_stats,
	.configure = device_configure,
	.cycle = device_cycle,
	.inherit = device_inherit,
	.close = device_close,
};

/**
 * backend_open_device() - an arena of the kernel's
 * @b: filled in
 * @bytes: address space to reserve, a multiple of the chunk
 *
 * Return: 0; -1 and errno as open(), ioctl() and mmap() of the device set it,
 * EPROTO for a module with another version of the ABI.
 */
int backend_open_device(struct backend *b, size_t bytes)
{
	struct goheap_info info = { .size = sizeof(info) };
	void *p;
	int fd, err;

	/* Not open(): it is a cancellation point, and the heap is being started. */
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/goheap", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (ioctl(fd, GOHEAP_IOC_INFO, &info))
		goto fail;
	if (info.abi_version != GOHEAP_ABI_VERSION || info.page_shift != PAGE_SHIFT) {
		errno = EPROTO;
		goto fail;
	}
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		goto fail;
	/*
	 * One mapping, which cannot be split: all of it is in core dumps, or nothing.  The
	 * kernel would fault in every page of address space, which is for small arenas.
	 */
	if (bytes > DUMP_MOST)
		os_dump(p, bytes, false);
	b->ops = &device_ops;
	b->base = (uintptr_t)p;
	b->bytes = bytes;
	b->features = info.features;
	b->fd = fd;
	return 0;

fail:
	err = errno;
	syscall(SYS_close, fd);
	errno = err;
	return -1;
}
