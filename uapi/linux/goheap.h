/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The interface between goheap.ko and user space: /dev/goheap.
 *
 * One open of the device is one heap, called an arena.  The life of an arena:
 *
 *	fd = open("/dev/goheap", O_RDWR | O_CLOEXEC);
 *	ioctl(fd, GOHEAP_IOC_INFO, &info);		what this kernel offers
 *	mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
 *	ioctl(fd, GOHEAP_IOC_SPAN_ALLOC, &batch);	spans of 8 KiB pages, mapped
 *	ioctl(fd, GOHEAP_IOC_SPAN_FREE, &batch);
 *	ioctl(fd, GOHEAP_IOC_RELEASE, &release);	free pages back to the system
 *	munmap(), close(), exec() or exit()		everything is given back
 *
 * Rules that hold for every request:
 *
 *  - A structure begins with its own size as the caller knows it, and flags.
 *    A newer program may pass a larger structure than the kernel knows if
 *    the surplus is zero (E2BIG if not); an older one a smaller structure,
 *    down to the size of version 1 (EINVAL below it).
 *  - Unknown flags and reserved fields that are not zero: EINVAL.
 *  - A request that fails changes nothing.
 *  - Only the process (the mm) that opened the device may use the arena;
 *    for any other, a forked child among them, every request is EPERM.
 *  - EFAULT: a pointer that cannot be read or written.  ENXIO: the arena is
 *    not mapped (not yet, or no longer).  ENOTTY: no such request.
 *  - No request calls the OOM killer.  EINTR: only for a process that is
 *    being killed.
 *
 * open() needs O_RDWR (EACCES).  An arena is mapped once: mmap() fails with
 * EINVAL (not MAP_SHARED; an offset; a length that is no multiple of a chunk),
 * ENOMEM (longer than GOHEAP_ARENA_BYTES_MAX, or no memory for its tables),
 * EACCES (PROT_EXEC), EBUSY (has been mapped before) and EPERM (not the
 * opener).  The mapping cannot be split, moved or made executable: munmap(),
 * mprotect() or madvise() that would split it, and mremap() that would shrink or
 * move it, are EINVAL; growing or doubling it by mremap() is EFAULT, PROT_EXEC
 * is EACCES.  A child does not inherit it.  While a userfaultfd write-protects
 * it, GOHEAP_IOC_SPAN_ALLOC of spans that are not mapped is EBUSY, and a fault is
 * SIGBUS.  A fault outside spans is SIGBUS, but for free pages
 * that have not been released since they were last in a span: these may be
 * mapped still.
 */
#ifndef _UAPI_LINUX_GOHEAP_H
#define _UAPI_LINUX_GOHEAP_H

#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/types.h>

#define GOHEAP_ABI_VERSION	1

/* A runtime page is 8 KiB: the unit in which spans are counted. */
#define GOHEAP_PAGE_SHIFT	13
#define GOHEAP_PAGE_SIZE	_BITULL(GOHEAP_PAGE_SHIFT)

/* The heap grows, and the length of the mapping is counted, in chunks of 4 MiB. */
#define GOHEAP_CHUNK_SHIFT	22
#define GOHEAP_CHUNK_SIZE	_BITULL(GOHEAP_CHUNK_SHIFT)

/* The longest mapping: 16 TiB. */
#define GOHEAP_ARENA_BYTES_MAX	_BITULL(44)

/* The most spans one request may name. */
#define GOHEAP_BATCH_MAX	1024

/**
 * struct goheap_info - what the kernel offers and where the arena is
 * @size: in: sizeof(struct goheap_info); out: the size that the kernel filled in
 * @flags: zero
 * @abi_version: GOHEAP_ABI_VERSION of the module
 * @page_shift: log2 of the runtime page's bytes
 * @chunk_shift: log2 of a chunk's bytes
 * @batch_max: the most spans in one batch
 * @features: GOHEAP_FEATURE_* bits; none are defined in version 1
 * @arena_bytes_max: the longest mapping accepted, bytes
 * @arena_start: address of the mapping; 0 if the arena is not mapped
 * @arena_bytes: length of the mapping, bytes; 0 if the arena is not mapped
 * @reserved: zero
 */
struct goheap_info {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 page_shift;
	__u32 chunk_shift;
	__u32 batch_max;
	__u64 features;
	__u64 arena_bytes_max;
	__u64 arena_start;
	__u64 arena_bytes;
	__u64 reserved[4];
};

/* In: the span will hold no pointers (collectors need not look inside). */
#define GOHEAP_SPAN_NOSCAN	0x1U
/*
 * Out: the span holds what this process wrote into it earlier; the caller
 * clears it if it needs zeros.  Without this bit every byte is zero.
 */
#define GOHEAP_SPAN_NEEDZERO	0x2U

/**
 * struct goheap_span - one span
 * @addr: first byte.  Alloc: out (in: zero).  Free: in
 * @npages: length in runtime pages; not zero.  Free: exactly the length that
 *	was allocated
 * @flags: alloc: GOHEAP_SPAN_NOSCAN in, GOHEAP_SPAN_NEEDZERO out; free: zero
 * @reserved: zero
 */
struct goheap_span {
	__u64 addr;
	__u64 npages;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct goheap_span_batch - spans to allocate or to free, all or none
 * @size: in: sizeof(struct goheap_span_batch)
 * @flags: zero
 * @spans: address of an array of @count struct goheap_span
 * @count: 1 to GOHEAP_BATCH_MAX
 * @bad_index: out, where the request fails because of one span: which
 * @reserved: zero
 *
 * GOHEAP_IOC_SPAN_ALLOC: memory is allocated, charged to the opener's cgroup
 * and mapped before the call returns: touching the span takes no fault.
 * EINVAL: a span of no pages or longer than the arena.  ENOMEM: no room in
 * the arena, no memory, or over a limit; the OOM killer is not called.
 *
 * GOHEAP_IOC_SPAN_FREE: the pages stay mapped until they are released, for the
 * next span that is allocated there.  EINVAL: @addr and @npages are not
 * exactly a span of this arena, or the batch names one twice.  ENOMEM: no memory
 * for a batch of more than 32 spans; nothing is freed.
 */
struct goheap_span_batch {
	__u32 size;
	__u32 flags;
	__u64 spans;
	__u32 count;
	__u32 bad_index;
	__u64 reserved[2];
};

/*
 * Unmap free pages but keep their memory for this arena's next spans: they
 * leave the process's RSS and stale pointers to them fault, and they come
 * back mapped, not zeroed, without a visit to the system's allocator.
 */
#define GOHEAP_RELEASE_KEEP	0x1U

/**
 * struct goheap_release - give free pages back to the system
 * @size: in: sizeof(struct goheap_release)
 * @flags: 0 or GOHEAP_RELEASE_KEEP
 * @bytes: in: how much to release at most, ~0 for all; rounded up to pages.
 *	out: how much was released
 * @reserved: zero
 *
 * Highest address first.  With nothing left to release @bytes is 0 and the
 * request succeeds.
 */
struct goheap_release {
	__u32 size;
	__u32 flags;
	__u64 bytes;
	__u64 reserved[2];
};

/**
 * struct goheap_arena_stats - one arena's state and history
 * @size: in: sizeof(struct goheap_arena_stats); out: the size filled in
 * @flags: zero
 * @grown_bytes: address space that the heap has grown into so far
 * @inuse_bytes: in spans
 * @retained_bytes: free, memory behind it, kept for the next spans
 * @released_bytes: free, no memory behind it
 *	(grown = in use + retained + released)
 * @kept_bytes: that part of @retained_bytes which is not mapped
 * @metadata_bytes: the kernel's own descriptors and tables for this arena
 * @spans: spans that exist
 * @span_allocs: spans ever allocated
 * @span_frees: spans ever freed
 * @fresh_bytes: memory ever taken from the system
 * @recycled_bytes: memory in allocated spans that was still there, ever
 * @freed_bytes: memory ever given back to the system while the arena was open
 * @faults: page faults served inside spans
 * @bad_faults: page faults outside spans (SIGBUS)
 * @enomem: requests that failed for want of memory or by a limit
 * @reserved: zero
 */
struct goheap_arena_stats {
	__u32 size;
	__u32 flags;
	__u64 grown_bytes;
	__u64 inuse_bytes;
	__u64 retained_bytes;
	__u64 released_bytes;
	__u64 kept_bytes;
	__u64 metadata_bytes;
	__u64 spans;
	__u64 span_allocs;
	__u64 span_frees;
	__u64 fresh_bytes;
	__u64 recycled_bytes;
	__u64 freed_bytes;
	__u64 faults;
	__u64 bad_faults;
	__u64 enomem;
	__u64 reserved[8];
};

#define GOHEAP_IOC_MAGIC	0xE7

#define GOHEAP_IOC_INFO		_IOWR(GOHEAP_IOC_MAGIC, 0x40, struct goheap_info)
#define GOHEAP_IOC_SPAN_ALLOC	_IOWR(GOHEAP_IOC_MAGIC, 0x41, struct goheap_span_batch)
#define GOHEAP_IOC_SPAN_FREE	_IOWR(GOHEAP_IOC_MAGIC, 0x42, struct goheap_span_batch)
#define GOHEAP_IOC_RELEASE	_IOWR(GOHEAP_IOC_MAGIC, 0x43, struct goheap_release)
#define GOHEAP_IOC_STATS	_IOWR(GOHEAP_IOC_MAGIC, 0x44, struct goheap_arena_stats)

#endif /* _UAPI_LINUX_GOHEAP_H */
