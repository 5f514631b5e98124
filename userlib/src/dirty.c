// SPDX-License-Identifier: MIT
/*
 * The ways of learning which pages were written, and which of them is used.
 *
 * On the device it is the device's own.  On the in-process heap the first that
 * works of userfaultfd's asynchronous write protection (Linux 6.7) and the soft-dirty
 * bits; GOHEAP_DIRTY names one, or none.  A way counts as working when it
 * has been seen to report what was written and nothing else, by the program and by the
 * kernel for it, in memory like the arena's: a sandbox may know the requests and do
 * nothing.  That takes some system calls and descriptors, so it waits until the
 * first collection needs a window.
 *
 * Protecting pages with mprotect() and catching the faults is not among the ways.
 * A system call that finds its buffer protected fails with EFAULT, without
 * a signal, so every call of every library that writes to memory would have to
 * be wrapped.  Where nothing else is to be had marking is done in one stop.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <goheap.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap.h"

/* Descriptors below are the program's standard ones, open or not. */
#define LOWEST_FD	3

/**
 * dirty_set() - set a run of bits
 * @bitmap: here
 * @from: the first
 * @to: one past the last
 */
void dirty_set(uint64_t *bitmap, size_t from, size_t to)
{
	for (; from < to && from % 64; from++)
		bitmap[from / 64] |= (uint64_t)1 << from % 64;
	for (; to - from >= 64 && from < to; from += 64)
		bitmap[from / 64] = ~(uint64_t)0;
	for (; from < to; from++)
		bitmap[from / 64] |= (uint64_t)1 << from % 64;
}

static void close_fd(int fd)
{
	/* Not close(): a cancellation point. */
	syscall(SYS_close, fd);
}

/**
 * dirty_file_set() - take over a descriptor that has just been opened
 * @f: filled in
 * @fd: the descriptor; -1 and errno if that failed
 *
 * It becomes another one if it is a standard one, which a program may have closed
 * and go on to use.
 *
 * Return: 0; -1 and errno, with @fd closed.
 */
int dirty_file_set(struct dirty_file *f, int fd)
{
	int low = fd, err;
	struct stat st;

	f->fd = -1;
	if (fd < 0)
		return -1;
	if (low < LOWEST_FD) {
		fd = fcntl(low, F_DUPFD_CLOEXEC, LOWEST_FD);
		err = errno;
		close_fd(low);
		errno = err;
		if (fd < 0)
			return -1;
	}
	if (fstat(fd, &st)) {
		err = errno;
		close_fd(fd);
		errno = err;
		return -1;
	}
	*f = (struct dirty_file){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

/**
 * dirty_file_open() - open a file
 * @f: filled in
 * @path: in /proc/self
 * @flags: as open()
 *
 * Return: 0; -1 and errno.
 */
int dirty_file_open(struct dirty_file *f, const char *path, int flags)
{
	return dirty_file_set(f, (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC));
}

/**
 * dirty_file_ours() - is the descriptor still what we opened?
 * @f: the file
 */
bool dirty_file_ours(const struct dirty_file *f)
{
	struct stat st;

	return f->fd >= 0 && !fstat(f->fd, &st) && st.st_dev == f->dev && st.st_ino == f->ino;
}

void dirty_file_close(struct dirty_file *f)
{
	if (dirty_file_ours(f))
		close_fd(f->fd);
	f->fd = -1;
}

static bool reported(struct heap *h, const struct dirty_ops *ops, uint64_t want, uint64_t mask)
{
	uint64_t bits = 0;

	if (ops->collect(h, (uintptr_t)h->dirty.scratch, SCRATCH_PAGES << DIRTY_SHIFT, &bits))
		return false;
	return (bits & mask) == want;
}

/**
 * dirty_try() - see whether a way works, in memory that it has been told of
 * @h: the heap; dirty.scratch is in a window that has just begun, and its pages 0
 *	to 2 have memory
 * @ops: the way
 *
 * Page 3 is written by the program and has no memory before that, page 1 by the
 * kernel, page 2 by nobody; page 0 is the way's own.
 *
 * Return: 0; -1 and ENOSYS.
 */
int dirty_try(struct heap *h, const struct dirty_ops *ops)
{
	volatile char *scratch = h->dirty.scratch;
	/* The function of the C library would write from user space. */
	bool kernel = !syscall(SYS_clock_gettime, CLOCK_MONOTONIC, h->dirty.scratch + DIRTY_PAGE);
	uint64_t again = ops->adds_up ? 0xa : 0;

	scratch[3 * DIRTY_PAGE] = 1;
	if (kernel && reported(h, ops, 0xa, 0xe) && reported(h, ops, again, 0xe)) {
		/* What has been reported once can be written again. */
		scratch[3 * DIRTY_PAGE] = 2;
		if (reported(h, ops, again | 0x8, 0xe))
			return 0;
	}
	errno = ENOSYS;
	return -1;
}

static const struct dirty_ops *const all_ops[] = {
	[DIRTY_DEVICE] = &dirty_device_ops,
	[DIRTY_PAGEMAP_SCAN] = &dirty_pagemap_ops,
	[DIRTY_SOFT] = &dirty_soft_ops,
};

static bool wanted(const struct heap *h, enum dirty_way way)
{
	if ((way == DIRTY_DEVICE) != h->on_device)
		return false;
	return h->settings.dirty == DIRTY_AUTO || h->settings.dirty == way;
}

static void say(const struct heap *h, int err)
{
	const struct dirty *d = &h->dirty;

	if (!d->ops && h->settings.dirty != DIRTY_AUTO && h->settings.dirty != DIRTY_NONE)
		os_message("goheap: GOHEAP_DIRTY=%s cannot be had here: errno %d; collections mark in one stop\n",
			   all_ops[h->settings.dirty]->name, err);
	else if (h->settings.say_where)
		os_message("goheap: pages written while marking: %s\n", dirty_name(h));
}

static bool temporary(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM;
}

/* Find the way.  Where that fails for want of something it is tried again next time. */
static void choose(struct heap *h)
{
	struct dirty *d = &h->dirty;
	bool again = false;
	int err = EOPNOTSUPP;

	d->way = DIRTY_NONE;
	if (sysconf(_SC_PAGESIZE) != (long)DIRTY_PAGE)
		goto out;
	if (!d->scratch && !h->on_device)
		d->scratch = os_reserve(SCRATCH_PAGES << DIRTY_SHIFT, DIRTY_PAGE, true);
	if (!d->scratch && !h->on_device) {
		d->way = DIRTY_AUTO;
		return;
	}
	for (enum dirty_way way = DIRTY_DEVICE; way < DIRTY_AUTO; way++) {
		if (!wanted(h, way))
			continue;
		if (!all_ops[way]->open(h)) {
			d->way = way;
			d->ops = all_ops[way];
			goto out;
		}
		err = errno;
		again |= temporary(err);
	}
	if (again) {
		d->way = DIRTY_AUTO;
		return;
	}
out:
	say(h, err);
}

/**
 * dirty_init() - before anything else here
 * @h: the heap, whose settings and backend are there
 */
void dirty_init(struct heap *h)
{
	h->dirty = (struct dirty){
		.way = h->settings.dirty == DIRTY_NONE ? DIRTY_NONE : DIRTY_AUTO,
		.pagemap.fd = -1,
		.uffd.fd = -1,
	};
}

/**
 * dirty_begin() - watch for writes from now on
 * @h: the heap
 * @bytes: how far spans reach; what the heap grows into is in the window too
 *
 * Return: 0; -1 if there is no window, this time or ever: mark in one stop.
 *
 * Context: one thread at a time; the world may run.
 */
int dirty_begin(struct heap *h, size_t bytes)
{
	struct dirty *d = &h->dirty;

	d->lost = false;
	d->last = false;
	if (d->way == DIRTY_AUTO)
		choose(h);
	if (!d->ops || d->ops->begin(h, align_up(bytes, DIRTY_PAGE)))
		return -1;
	d->in_window = true;
	counter_add(&d->windows, 1);
	return 0;
}

/*
 * Blocks of the heap that lie in a large object without pointers are not asked for.
 * A block's bits are whole words.
 */
#define BLOCK_BYTES	((size_t)64 * PAGE_BYTES)
#define BLOCK_WORDS	(BLOCK_BYTES / DIRTY_PAGE / 64)

/* Spans stay what they are inside a window; where there is none there may be one soon. */
static bool has_no_pointers(const struct heap *h, uintptr_t block)
{
	const struct span *s = heap_span_of(h, block);

	return s && span_noscan(s) && s->base <= block &&
	       block + BLOCK_BYTES <= s->base + s->npages * PAGE_BYTES;
}

static int collect_blocks(struct heap *h, uintptr_t addr, size_t bytes, uint64_t *bitmap)
{
	size_t from = 0, to;

	while (from < bytes) {
		if (has_no_pointers(h, addr + from)) {
			from += BLOCK_BYTES;
			continue;
		}
		to = from + BLOCK_BYTES;
		while (to < bytes && !has_no_pointers(h, addr + to))
			to += BLOCK_BYTES;
		if (to > bytes)
			to = bytes;
		if (h->dirty.ops->collect(h, addr + from, to - from,
					  bitmap + from / BLOCK_BYTES * BLOCK_WORDS))
			return -1;
		from = to;
	}
	return 0;
}

/**
 * dirty_collect() - which pages were written
 * @h: the heap
 * @addr: the first page's address
 * @bytes: so many from there, a multiple of DIRTY_PAGE
 * @bitmap: filled in: a bit for each page, and zeros to the end of the last word
 * @n: filled in: how many bits are set
 *
 * Since the window began or since they were last collected.  Where dirty_adds_up()
 * all of them since the window began.
 *
 * Return: 0; -1: assume that all were written, here and elsewhere.  A report that broke off
 * half way may have cleared what it did not tell, so it stays so until the window ends.
 *
 * Context: inside a window; the world may run.  Different ranges may be
 * collected at once.
 */
int dirty_collect(struct heap *h, uintptr_t addr, size_t bytes, uint64_t *bitmap, uint64_t *n)
{
	struct dirty *d = &h->dirty;
	size_t words = ((bytes >> DIRTY_SHIFT) + 63) / 64;
	uint64_t pages = 0;

	memset(bitmap, 0, words * sizeof(*bitmap));
	if (!d->in_window || __atomic_load_n(&d->lost, __ATOMIC_RELAXED))
		return -1;
	if (collect_blocks(h, addr, bytes, bitmap)) {
		__atomic_store_n(&d->lost, true, __ATOMIC_RELAXED);
		return -1;
	}
	for (size_t i = 0; i < words; i++)
		pages += (uint64_t)__builtin_popcountll(bitmap[i]);
	counter_add(&d->reports, 1);
	counter_add(&d->pages, pages);
	*n = pages;
	return 0;
}

/**
 * dirty_last() - the reports from here on are the window's last
 * @h: the heap
 *
 * They are had a little faster, and may be repeated.
 *
 * Context: the world is stopped.
 */
void dirty_last(struct heap *h)
{
	h->dirty.last = true;
}

/**
 * dirty_end() - the window is over
 * @h: the heap
 *
 * Context: as dirty_begin(); may be called without a window.
 */
void dirty_end(struct heap *h)
{
	struct dirty *d = &h->dirty;

	if (d->in_window)
		d->ops->end(h);
	d->in_window = false;
}

/**
 * dirty_forked() - in a forked child: there is no window
 * @h: the heap
 *
 * What is open belongs to the parent's memory, and is opened anew when a
 * window is wanted.
 */
void dirty_forked(struct heap *h)
{
	struct dirty *d = &h->dirty;

	d->in_window = false;
	if (!d->ops)
		return;
	d->ops->close(h);
	d->ops = NULL;
	d->way = DIRTY_AUTO;
}

/**
 * dirty_adds_up() - does a report repeat what earlier ones in the window had?
 * @h: the heap, in a window
 *
 * Then collecting again and again does not make the reports smaller.
 */
bool dirty_adds_up(const struct heap *h)
{
	return h->dirty.ops && h->dirty.ops->adds_up;
}

/**
 * dirty_name() - the way, for people
 * @h: the heap
 */
const char *dirty_name(const struct heap *h)
{
	return h->dirty.ops ? h->dirty.ops->name : "none";
}
