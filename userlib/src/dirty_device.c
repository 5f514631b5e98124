// SPDX-License-Identifier: MIT
/*
 * Pages written, from the device: it reads and clears the MMU's own dirty bits, and
 * knows of pages that are pinned, unmapped or new.  Nothing faults.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "heap.h"

static int device_open(struct heap *h)
{
	if (h->backend.features & GOHEAP_FEATURE_TRACK)
		return 0;
	errno = EOPNOTSUPP;
	return -1;
}

static int device_track(struct heap *h, uint32_t flags)
{
	struct goheap_track track = { .size = sizeof(track), .flags = flags };
	int ret;

	do {
		ret = ioctl(h->backend.fd, GOHEAP_IOC_TRACK, &track);
	} while (ret && errno == EINTR);
	return ret;
}

static int device_begin(struct heap *h, size_t bytes)
{
	(void)bytes;
	return device_track(h, 0);
}

static int device_collect(struct heap *h, uintptr_t addr, size_t bytes, uint64_t *bitmap)
{
	struct goheap_dirty dirty = {
		.size = sizeof(dirty),
		.addr = addr,
		.bytes = bytes,
		.bitmap = (uintptr_t)bitmap,
	};
	int ret;

	do {
		ret = ioctl(h->backend.fd, GOHEAP_IOC_COLLECT, &dirty);
	} while (ret && errno == EINTR);
	return ret;
}

static void device_end(struct heap *h)
{
	device_track(h, GOHEAP_TRACK_STOP);
}

/* The descriptor is the backend's, and a forked child's copy has no window. */
static void device_close(struct heap *h)
{
	(void)h;
}

const struct dirty_ops dirty_device_ops = {
	.name = "device",
	.open = device_open,
	.begin = device_begin,
	.collect = device_collect,
	.end = device_end,
	.close = device_close,
};
