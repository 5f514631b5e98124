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
 *	ioctl(fd, GOHEAP_IOC_SETTINGS, &settings);	placement, scavenger, limits
 *	ioctl(fd, GOHEAP_IOC_CYCLE, &cycle);		a collection has ended
 *	ioctl(fd, GOHEAP_IOC_TRACK, &track);		watch for writes from now on
 *	ioctl(fd, GOHEAP_IOC_COLLECT, &dirty);		which pages were written?
 *	poll(fd, POLLPRI)				memory is short: collect
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
 *  - Only the process (the mm) that opened the device may use the arena, and a
 *    forked child its own copy of it; for any other every request is EPERM.
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
 * is EACCES.  While a userfaultfd write-protects it, GOHEAP_IOC_SPAN_ALLOC of
 * spans that are not mapped is EBUSY, and a fault is SIGBUS.  A fault outside
 * spans is SIGBUS, but for free pages that have not been released since they
 * were last in a span: these may be mapped still.
 *
 * fork() (GOHEAP_FEATURE_FORK): the child has the heap as it was, behind the same
 * descriptor and addresses, copy-on-write, and may use all of it; neither sees
 * what the other does.  Free pages have no memory in the child.  Pages that are
 * pinned stay the parent's, the child has copies.  A write for which there is no
 * memory to copy the page is SIGBUS, for the writer alone.  If there was none to
 * copy the arena, the child has none: every access is SIGBUS, every request
 * EPERM.  The same requests fail with EPERM in a child that has unmapped it, or
 * whose parent had not mapped it or had advised MADV_DONTFORK.
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

/* GOHEAP_IOC_SETTINGS with both placement policies. */
#define GOHEAP_FEATURE_POLICY		_BITULL(0)
/* The scavenger: GOHEAP_IOC_CYCLE, poll(), the triggers GOHEAP_SCAVENGE_*. */
#define GOHEAP_FEATURE_SCAVENGER	_BITULL(1)
/* GOHEAP_IOC_TRACK and GOHEAP_IOC_COLLECT. */
#define GOHEAP_FEATURE_TRACK		_BITULL(2)
/* Tracking clears the MMU's dirty bits in place: no fault in the writer. */
#define GOHEAP_FEATURE_TRACK_NOFAULT	_BITULL(3)
/* A forked child has a copy of the heap and may use it. */
#define GOHEAP_FEATURE_FORK		_BITULL(4)

/**
 * struct goheap_info - what the kernel offers and where the arena is
 * @size: in: sizeof(struct goheap_info); out: the size that the kernel filled in
 * @flags: zero
 * @abi_version: GOHEAP_ABI_VERSION of the module
 * @page_shift: log2 of the runtime page's bytes
 * @chunk_shift: log2 of a chunk's bytes
 * @batch_max: the most spans in one batch
 * @features: GOHEAP_FEATURE_* bits
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
 * GOHEAP_IOC_SPAN_ALLOC: memory is allocated, charged to the opener's cgroup (a
 * forked child's: that in which its parent called fork())
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
 * @enomem: requests that failed for want of memory or by a limit, and writes for
 *	which a page shared after fork() could not be copied
 * @reserved: zero
 * @scav_request_bytes: given back ever, of @freed_bytes: for GOHEAP_IOC_RELEASE
 * @scav_background_bytes: ... by the background scavenger
 * @scav_growth_bytes: ... when the heap grew
 * @scav_limit_bytes: ... to stay below the memory limit
 * @scav_pressure_bytes: ... when the system or the cgroup was short of memory
 * @retain_goal_bytes: the retention goal; ~0 before the second report of a cycle
 * @cycles: collections reported
 * @pressure: pressure events (POLLPRI)
 * @shared_bytes: memory that a relative by fork() has as well, about
 * @copied_bytes: memory ever copied because a shared page was written
 * @forks: copies of this arena made for forked children, ever
 * @tracks: windows begun, ever
 * @collects: requests for dirty pages, ever
 * @dirty_pages: system pages reported by these, ever
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
	__u64 scav_request_bytes;
	__u64 scav_background_bytes;
	__u64 scav_growth_bytes;
	__u64 scav_limit_bytes;
	__u64 scav_pressure_bytes;
	__u64 retain_goal_bytes;
	__u64 cycles;
	__u64 pressure;
	__u64 shared_bytes;
	__u64 copied_bytes;
	__u64 forks;
	__u64 tracks;
	__u64 collects;
	__u64 dirty_pages;
};

/* Where a span goes. */
#define GOHEAP_POLICY_FIRST_FIT	0U	/* lowest address that is large enough */
#define GOHEAP_POLICY_BEST_FIT	1U	/* smallest free run, lowest among equals */

/* What makes the scavenger give free pages back, beside GOHEAP_IOC_RELEASE. */
#define GOHEAP_SCAVENGE_BACKGROUND	0x1U	/* above the goal, between collections */
#define GOHEAP_SCAVENGE_GROWTH		0x2U	/* above the goal, when the heap grows */
#define GOHEAP_SCAVENGE_LIMIT		0x4U	/* to stay below memory_limit */
#define GOHEAP_SCAVENGE_PRESSURE	0x8U	/* the system or the cgroup is short */
#define GOHEAP_SCAVENGE_ALL		0xfU

/* Fields of struct goheap_settings. */
#define GOHEAP_SET_POLICY		_BITULL(0)
#define GOHEAP_SET_SCAVENGE		_BITULL(1)
#define GOHEAP_SET_RETAIN_PERCENT	_BITULL(2)
#define GOHEAP_SET_MEMORY_LIMIT		_BITULL(3)
#define GOHEAP_SET_HARD_LIMIT		_BITULL(4)

/**
 * struct goheap_settings - how an arena behaves; may be changed at any time
 * @size: in: sizeof(struct goheap_settings); out: the size filled in
 * @flags: zero
 * @set: in: GOHEAP_SET_* for the fields that are to be changed; the others are
 *	not looked at.  0 only asks
 * @policy: GOHEAP_POLICY_*; at first GOHEAP_POLICY_FIRST_FIT
 * @scavenge: GOHEAP_SCAVENGE_*, the triggers that are on; at first all
 * @retain_percent: the constant C of the retention goal, in percent, 100 to
 *	1000; at first 110
 * @reserved0: zero
 * @memory_limit: bytes in use and retained together stay below it as long as
 *	those in use do (as Go's GOMEMLIMIT); ~0, at first: none
 * @hard_limit: bytes in use and retained together never exceed it: ENOMEM; ~0,
 *	at first: none.  What is there already stays
 * @reserved: zero
 *
 * Out: all fields as they are now, @set is zero.
 */
struct goheap_settings {
	__u32 size;
	__u32 flags;
	__u64 set;
	__u32 policy;
	__u32 scavenge;
	__u32 retain_percent;
	__u32 reserved0;
	__u64 memory_limit;
	__u64 hard_limit;
	__u64 reserved[4];
};

/**
 * struct goheap_cycle - a collection has ended (marking is done)
 * @size: in: sizeof(struct goheap_cycle); out: the size filled in
 * @flags: zero
 * @heap_goal: in: size of the heap at which the next collection is due, bytes;
 *	not zero
 * @retain_goal: out: bytes in use and retained that the scavenger aims for:
 *	C * (@heap_goal / the previous @heap_goal) * the bytes in use now
 * @interval: out: since the previous report, nanoseconds; 0 for the first
 * @pressure: out: pressure events ever; POLLPRI is off until the next one
 * @reserved: zero
 */
struct goheap_cycle {
	__u32 size;
	__u32 flags;
	__u64 heap_goal;
	__u64 retain_goal;
	__u64 interval;
	__u64 pressure;
	__u64 reserved[3];
};

/* End the window. */
#define GOHEAP_TRACK_STOP	0x1U

/**
 * struct goheap_track - begin, begin anew or end a window for GOHEAP_IOC_COLLECT
 * @size: in: sizeof(struct goheap_track)
 * @flags: 0 or GOHEAP_TRACK_STOP
 * @reserved: zero
 *
 * A forked child begins without one.
 */
struct goheap_track {
	__u32 size;
	__u32 flags;
	__u64 reserved[3];
};

/**
 * struct goheap_dirty - which pages were written since the window began, or
 * since they were last collected
 * @size: in: sizeof(struct goheap_dirty); out: the size filled in
 * @flags: zero
 * @addr: in: the first page; a multiple of the system's page size
 * @bytes: in: length of the range; not zero, a multiple of the system's page
 *	size
 * @bitmap: in: address of an array of 64-bit words: bit i of word w is the
 *	system page at @addr + (64 * w + i) * page size; every word is written
 * @pages: out: number of bits set
 * @reserved: zero
 *
 * Whoever wrote: the program, the kernel for it (read(2)), a device.  Pages that
 * got new memory, or lost theirs, count as written.  A page may be reported
 * that was not written; one that was is never left out.  ENODATA: there is no
 * window.  EINVAL: the range is not inside the mapping.
 */
struct goheap_dirty {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 bytes;
	__u64 bitmap;
	__u64 pages;
	__u64 reserved[3];
};

#define GOHEAP_IOC_MAGIC	0xE7

#define GOHEAP_IOC_INFO		_IOWR(GOHEAP_IOC_MAGIC, 0x40, struct goheap_info)
#define GOHEAP_IOC_SPAN_ALLOC	_IOWR(GOHEAP_IOC_MAGIC, 0x41, struct goheap_span_batch)
#define GOHEAP_IOC_SPAN_FREE	_IOWR(GOHEAP_IOC_MAGIC, 0x42, struct goheap_span_batch)
#define GOHEAP_IOC_RELEASE	_IOWR(GOHEAP_IOC_MAGIC, 0x43, struct goheap_release)
#define GOHEAP_IOC_STATS	_IOWR(GOHEAP_IOC_MAGIC, 0x44, struct goheap_arena_stats)
#define GOHEAP_IOC_SETTINGS	_IOWR(GOHEAP_IOC_MAGIC, 0x45, struct goheap_settings)
#define GOHEAP_IOC_CYCLE	_IOWR(GOHEAP_IOC_MAGIC, 0x46, struct goheap_cycle)
#define GOHEAP_IOC_TRACK	_IOWR(GOHEAP_IOC_MAGIC, 0x47, struct goheap_track)
#define GOHEAP_IOC_COLLECT	_IOWR(GOHEAP_IOC_MAGIC, 0x48, struct goheap_dirty)

#endif /* _UAPI_LINUX_GOHEAP_H */
