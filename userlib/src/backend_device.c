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

static void device_free(struct backend *b, struct goheap_span *spans, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		spans[i].flags = 0;
	if (batch_request(b, GOHEAP_IOC_SPAN_FREE, spans, n))
		os_message("goheap: /dev/goheap does not take a span back: errno %d\n", errno);
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
	if (ioctl(b->fd, GOHEAP_IOC_STATS, &stats))
		return;
	out->grown_bytes = stats.grown_bytes;
	out->retained_bytes = stats.retained_bytes;
	out->released_bytes = stats.released_bytes;
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
	b->ops = &device_ops;
	b->base = (uintptr_t)p;
	b->bytes = bytes;
	b->fd = fd;
	return 0;

fail:
	err = errno;
	syscall(SYS_close, fd);
	errno = err;
	return -1;
}
