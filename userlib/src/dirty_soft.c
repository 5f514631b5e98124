// SPDX-License-Identifier: MIT
/*
 * Pages written, on the in-process heap, from the kernel's soft-dirty bits: a
 * "4" written to /proc/self/clear_refs clears them and write-protects all memory of the
 * process, and the first write to each page takes a fault that sets its bit again.
 * Bit 55 of the entries in /proc/self/pagemap.
 *
 * Clearing and reading are two requests: what is written between them would be
 * lost.  So bits are cleared only when a window begins, and every report has all
 * pages written since.
 *
 * The bits are one for everybody: a debugger or a checkpoint tool that clears them
 * inside a window makes writes be forgotten.  One page of ours, which is written
 * as the window begins, tells: once its bit is gone all pages count as written.
 *
 * A page that is merged with its like by the kernel (KSM) loses its bit.  There is no
 * window in a process that has asked for that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap.h"

#ifndef PR_GET_MEMORY_MERGE
#define PR_GET_MEMORY_MERGE	68	/* Linux 6.4 */
#endif

#define SOFT_DIRTY	((uint64_t)1 << 55)

/* Entries read at once; on the stack. */
#define ENTRIES		1024

/* The page of dirty.scratch that is written as a window begins. */
#define SENTINEL	0

static int read_entries(struct heap *h, uintptr_t addr, uint64_t *entries, size_t n)
{
	/* Not pread(): a cancellation point. */
	long got = syscall(SYS_pread64, h->dirty.pagemap.fd, entries, n * sizeof(*entries),
			   (addr >> DIRTY_SHIFT) * sizeof(*entries));

	return got == (long)(n * sizeof(*entries)) ? 0 : -1;
}

static bool merging(void)
{
	return prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 1;
}

/*
 * The files are opened when they are needed: a program may close all descriptors it
 * has, and "4" must not go to another file.
 */
static int clear_bits(struct heap *h)
{
	struct dirty_file f;
	long n;

	if (dirty_file_open(&f, "/proc/self/clear_refs", O_WRONLY))
		return -1;
	n = syscall(SYS_write, f.fd, "4", 1);
	dirty_file_close(&f);
	((volatile char *)h->dirty.scratch)[SENTINEL << DIRTY_SHIFT] ^= 1;
	return n == 1 ? 0 : -1;
}

static void soft_end(struct heap *h)
{
	dirty_file_close(&h->dirty.pagemap);
}

static int soft_begin(struct heap *h, size_t bytes)
{
	(void)bytes;
	if (merging())
		return -1;
	if (dirty_file_open(&h->dirty.pagemap, "/proc/self/pagemap", O_RDONLY))
		return -1;
	if (!clear_bits(h))
		return 0;
	soft_end(h);
	return -1;
}

static int soft_collect(struct heap *h, uintptr_t addr, size_t bytes, uint64_t *bitmap)
{
	uintptr_t sentinel = (uintptr_t)h->dirty.scratch + (SENTINEL << DIRTY_SHIFT);
	size_t pages = bytes >> DIRTY_SHIFT;
	uint64_t entries[ENTRIES];

	for (size_t i = 0; i < pages; i += ENTRIES) {
		size_t n = pages - i < ENTRIES ? pages - i : ENTRIES;

		if (read_entries(h, addr + (i << DIRTY_SHIFT), entries, n))
			return -1;
		for (size_t k = 0; k < n; k++)
			if (entries[k] & SOFT_DIRTY)
				dirty_set(bitmap, i + k, i + k + 1);
	}
	/* Last: nobody has cleared what has just been read. */
	if (read_entries(h, sentinel, entries, 1) || !(entries[0] & SOFT_DIRTY) || merging())
		return -1;
	return 0;
}

static int soft_open(struct heap *h)
{
	int err;

	/* New memory is soft-dirty until it has been cleared, so page 3 needs no care. */
	for (size_t i = 0; i < SCRATCH_PAGES; i++)
		((volatile char *)h->dirty.scratch)[i << DIRTY_SHIFT] = 1;
	if (soft_begin(h, 0))
		return -1;
	err = dirty_try(h, &dirty_soft_ops) ? errno : 0;
	soft_end(h);
	errno = err;
	return err ? -1 : 0;
}

const struct dirty_ops dirty_soft_ops = {
	.name = "soft",
	.adds_up = true,
	.open = soft_open,
	.begin = soft_begin,
	.collect = soft_collect,
	.end = soft_end,
	.close = soft_end,
};
