// SPDX-License-Identifier: MIT
/*
 * Pages written, on the in-process heap, from userfaultfd's asynchronous write
 * protection (Linux 6.7): PAGEMAP_SCAN protects pages, the first write to one takes a
 * fault that the kernel settles by itself, wherever the write comes from, and the
 * next PAGEMAP_SCAN reports it and protects it again, in one step under the page
 * table's lock.
 *
 * A page that is not protected counts as written.  So whatever the kernel does
 * to a page in between (gives it back, maps it anew, merges it, moves it) can make it
 * show up without cause, but never be left out; and only pages of spans with pointers
 * are protected when a window begins.
 *
 * Left protected after the window a page would cost its next writer a fault for
 * nothing, so all are set free at its end.
 *
 * One kind of write is not seen: by a device, or by the kernel in another's
 * name, to pages that it had pinned before they were protected (a read with O_DIRECT
 * that is under way, a buffer registered with io_uring).  Documentation/library.rst
 * says what that means.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap.h"

/* From kernel headers newer than those that may be installed. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY		1
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC		(1 << 15)
#endif
#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN		_IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_WRITTEN		(1 << 1)
#define PM_SCAN_WP_MATCHING	(1 << 0)
#define PM_SCAN_CHECK_WPASYNC	(1 << 1)

struct page_region {
	uint64_t start, end, categories;
};

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#endif

/* Runs of pages in one reply; on the stack. */
#define REGIONS		256

/* Runs without pointers that are shorter than this, in pages, are protected as well. */
#define GAP_PAGES	64

/* So much is set free in one request, during which the program cannot map or unmap. */
#define RESTORE_BYTES	((size_t)64 << 20)

/* Asks for pages by anyof_mask; the path for mask takes swapped pages for clean before 6.9. */
static struct pm_scan_arg scan_arg(uintptr_t start, uintptr_t end)
{
	return (struct pm_scan_arg){
		.size = sizeof(struct pm_scan_arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = start,
		.end = end,
		.category_anyof_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
}

/* Protect what has memory in a range, and ask for nothing. */
static int protect(struct heap *h, uintptr_t start, uintptr_t end)
{
	struct pm_scan_arg arg = scan_arg(start, end);

	return ioctl(h->dirty.pagemap.fd, PAGEMAP_SCAN, &arg) < 0 ? -1 : 0;
}

static int pagemap_collect(struct heap *h, uintptr_t addr, size_t bytes, uint64_t *bitmap)
{
	struct page_region regions[REGIONS];
	struct pm_scan_arg arg = scan_arg(addr, addr + bytes);

	arg.vec = (uintptr_t)regions;
	arg.vec_len = REGIONS;
	/* Nothing is protected again if nobody will ask: that takes most of the time. */
	if (h->dirty.last)
		arg.flags &= ~(uint64_t)PM_SCAN_WP_MATCHING;
	while (arg.start < arg.end) {
		int n = ioctl(h->dirty.pagemap.fd, PAGEMAP_SCAN, &arg);

		if (n < 0 || arg.walk_end <= arg.start)
			return -1;
		for (int i = 0; i < n; i++)
			dirty_set(bitmap, (regions[i].start - addr) >> DIRTY_SHIFT,
				  (regions[i].end - addr) >> DIRTY_SHIFT);
		arg.start = arg.walk_end;
	}
	return 0;
}

static int register_range(struct heap *h, uintptr_t start, size_t bytes)
{
	struct uffdio_register reg = {
		.range = { .start = start, .len = bytes },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	return ioctl(h->dirty.uffd.fd, UFFDIO_REGISTER, &reg);
}

/*
 * Set a range's pages free.  Those that have been written already are; what this
 * fails for costs a fault a page.
 */
static void restore(struct heap *h, uintptr_t start, uintptr_t end)
{
	while (start < end) {
		size_t n = end - start < RESTORE_BYTES ? end - start : RESTORE_BYTES;
		struct uffdio_writeprotect wp = { .range = { .start = start, .len = n } };

		if (ioctl(h->dirty.uffd.fd, UFFDIO_WRITEPROTECT, &wp) && errno != EAGAIN)
			return;
		start += n;
	}
}

static void pagemap_close(struct heap *h)
{
	dirty_file_close(&h->dirty.uffd);
	dirty_file_close(&h->dirty.pagemap);
}

/* User mode only is what everybody may have, and faults are settled in either mode. */
static int open_uffd(struct dirty_file *f)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (dirty_file_set(f, fd))
		return -1;
	if (!ioctl(f->fd, UFFDIO_API, &api))
		return 0;
	dirty_file_close(f);
	errno = EOPNOTSUPP;
	return -1;
}

static int try_out(struct heap *h)
{
	uintptr_t scratch = (uintptr_t)h->dirty.scratch;
	size_t bytes = SCRATCH_PAGES << DIRTY_SHIFT;
	int ret;

	/* Page 3 without memory. */
	if (os_discard(h->dirty.scratch, bytes))
		return -1;
	for (size_t i = 0; i < 3; i++)
		((volatile char *)h->dirty.scratch)[i << DIRTY_SHIFT] = 1;
	if (register_range(h, scratch, bytes) || protect(h, scratch, scratch + bytes))
		return -1;
	ret = dirty_try(h, &dirty_pagemap_ops);
	restore(h, scratch, scratch + bytes);
	return ret;
}

static int pagemap_open(struct heap *h)
{
	struct dirty *d = &h->dirty;
	int err;

	if (!open_uffd(&d->uffd) &&
	    !dirty_file_open(&d->pagemap, "/proc/self/pagemap", O_RDONLY) && !try_out(h) &&
	    !register_range(h, h->base, h->backend.bytes))
		return 0;
	err = errno;
	pagemap_close(h);
	errno = err;
	return -1;
}

/*
 * Spans come and go, and change what they are, while this looks at them; whatever it
 * sees is right, since a page that is not protected counts as written.
 */
static bool may_hold_pointers(const struct span *s)
{
	return s && !span_noscan(s);
}

static int protect_spans(struct heap *h, size_t bytes)
{
	size_t end = bytes >> PAGE_SHIFT, from = 0, to = 0, page = 0;

	/* [from, to) is to be protected; runs with short gaps are one. */
	while (page < end) {
		const struct span *s = __atomic_load_n(&h->page_map[page], __ATOMIC_ACQUIRE);

		if (may_hold_pointers(s)) {
			if (page - to > GAP_PAGES || from == to) {
				if (from < to && protect(h, h->base + (from << PAGE_SHIFT),
							 h->base + (to << PAGE_SHIFT)))
					return -1;
				from = page;
			}
			to = page + 1;
		}
		page++;
	}
	if (from < to)
		return protect(h, h->base + (from << PAGE_SHIFT), h->base + (to << PAGE_SHIFT));
	return 0;
}

/*
 * The descriptors are gone if the program has closed all that it had, as daemons do.
 * Without the userfaultfd the arena is no longer registered.
 */
static int pagemap_begin(struct heap *h, size_t bytes)
{
	struct dirty *d = &h->dirty;

	if (!dirty_file_ours(&d->uffd) || !dirty_file_ours(&d->pagemap)) {
		pagemap_close(h);
		if (pagemap_open(h))
			return -1;
	}
	return protect_spans(h, bytes);
}

static void pagemap_end(struct heap *h)
{
	restore(h, h->base, h->base + (__atomic_load_n(&h->top, __ATOMIC_ACQUIRE) << PAGE_SHIFT));
}

const struct dirty_ops dirty_pagemap_ops = {
	.name = "pagemap",
	.open = pagemap_open,
	.begin = pagemap_begin,
	.collect = pagemap_collect,
	.end = pagemap_end,
	.close = pagemap_close,
};
