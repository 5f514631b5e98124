/* SPDX-License-Identifier: MIT */
/*
 * Which pages of the arena were written while marking ran.
 *
 * A window is begun before the first object is scanned, and ends with the
 * cycle.  Whatever writes to a page inside it, the program or the kernel on its
 * behalf, makes the page show up in the next report:
 *
 *	dirty_begin(h, bytes);		the world may run
 *	... scan objects ...
 *	dirty_collect(h, ...);		it may run: pages to scan again
 *	stop the world
 *	dirty_last(h);
 *	dirty_collect(h, ...);		the rest
 *	start the world
 *	dirty_end(h);
 *
 * What was written before dirty_collect() returns is either in its report or
 * visible to who scans after it; what is written later is in the next one.  A page
 * that was not written may be reported.  A page that has no memory behind it, or is
 * of a span without pointers, may be left out.
 *
 * dirty_begin() and dirty_end() change every page's entry in the page tables, which
 * takes time: neither needs a stopped world, and a pause is shorter without them.
 */
#ifndef GOHEAP_DIRTY_H
#define GOHEAP_DIRTY_H

#include "base.h"

struct heap;

/* The pages of a report: those of the system, not the heap's of 8 KiB. */
#define DIRTY_SHIFT	12
#define DIRTY_PAGE	((size_t)1 << DIRTY_SHIFT)

enum dirty_way {
	DIRTY_NONE,		/* no window: mark in one stop */
	DIRTY_DEVICE,		/* /dev/goheap reads and clears the MMU's dirty bits */
	DIRTY_PAGEMAP_SCAN,	/* userfaultfd's asynchronous write protection */
	DIRTY_SOFT,		/* soft-dirty bits; of the whole process */
	DIRTY_AUTO,		/* as a setting: the first of these that works here */
};

/**
 * struct dirty_ops - one way
 * @name: as GOHEAP_DIRTY and messages have it
 * @adds_up: a report has all pages written since the window began, not only
 *	those written since the last report
 * @open: make ready, and try it out; -1 and errno.  EMFILE, ENFILE and ENOMEM:
 *	it may work another time
 * @begin: -1: no window
 * @collect: @bitmap is clear; -1: assume all written
 * @end: pages as they were
 * @close: undo @open, also in a forked child, whose descriptors the parent's are
 *
 * Called by one thread at a time but for @collect, which may be called for
 * different ranges at once.
 */
struct dirty_ops {
	const char *name;
	bool adds_up;
	int (*open)(struct heap *h);
	int (*begin)(struct heap *h, size_t bytes);
	int (*collect)(struct heap *h, uintptr_t addr, size_t bytes, uint64_t *bitmap);
	void (*end)(struct heap *h);
	void (*close)(struct heap *h);
};

/* A descriptor of ours: the program may have closed it and given its number to another file. */
struct dirty_file {
	int fd;				/* or -1 */
	uint64_t dev;
	uint64_t ino;
};

/**
 * struct dirty - what the heap knows about its way
 * @way: in use; DIRTY_AUTO before the first window is begun
 * @ops: of @way; NULL where there is none
 * @in_window: between begin and end
 * @lost: a report could not be had, so none of the window's can be relied upon any more
 * @last: see dirty_last()
 * @scratch: pages for trying out, of which one stays written; see dirty_soft.c
 * @pagemap: /proc/self/pagemap
 * @uffd: the userfaultfd that the arena is registered with
 * @windows: begun, ever; atomic, as the next two
 * @reports: collected, ever
 * @pages: reported, ever
 */
struct dirty {
	enum dirty_way way;
	const struct dirty_ops *ops;
	bool in_window;
	bool lost;
	bool last;
	char *scratch;
	struct dirty_file pagemap;
	struct dirty_file uffd;
	uint64_t windows;
	uint64_t reports;
	uint64_t pages;
};

/* Pages of dirty.scratch. */
#define SCRATCH_PAGES	4

extern const struct dirty_ops dirty_device_ops;
extern const struct dirty_ops dirty_pagemap_ops;
extern const struct dirty_ops dirty_soft_ops;

void dirty_init(struct heap *h);
int dirty_begin(struct heap *h, size_t bytes);
int dirty_collect(struct heap *h, uintptr_t addr, size_t bytes, uint64_t *bitmap, uint64_t *n);
void dirty_last(struct heap *h);
void dirty_end(struct heap *h);
void dirty_forked(struct heap *h);
bool dirty_adds_up(const struct heap *h);
const char *dirty_name(const struct heap *h);

/* For the ways. */
void dirty_set(uint64_t *bitmap, size_t from, size_t to);
int dirty_try(struct heap *h, const struct dirty_ops *ops);
int dirty_file_set(struct dirty_file *f, int fd);
int dirty_file_open(struct dirty_file *f, const char *path, int flags);
bool dirty_file_ours(const struct dirty_file *f);
void dirty_file_close(struct dirty_file *f);

#endif /* GOHEAP_DIRTY_H */
