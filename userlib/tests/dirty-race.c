// SPDX-License-Identifier: MIT
/*
 * Catches: a write that is lost between two reports while threads write as fast as
 * they can, by themselves and through the kernel.
 *
 * A copy of the memory is kept by copying the pages that are reported, and
 * nothing else.  When the writers have stopped and the last report is copied, it
 * must be the same.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dirty.h"

#define BYTES		(8 * MIB)
#define WORDS		(BYTES / sizeof(uint64_t))
#define PAGE_WORDS	(DIRTY_PAGE / sizeof(uint64_t))
#define MAP_WORDS	(BYTES / DIRTY_PAGE / 64)
#define WRITERS		3
#define MS		700

static _Atomic(uint64_t) *memory;
static uint64_t *copy;
static atomic_bool stop;
static int pipe_fds[2];
static bool pinning;

/*
 * One word, by itself or by the kernel.  What goes through pages that the kernel has
 * pinned may be missed by userfaultfd, as dirty_pagemap.c says, if a report comes
 * between the pinning and the write.
 */
static void write_word(uint64_t *state, size_t i, unsigned int how)
{
	uint64_t value = rnd(state) | 1;
	struct iovec from = { &value, 8 }, to = { (void *)&memory[i], 8 };

	switch (how) {
	case 0:
		CHECK_CMP(process_vm_writev(getpid(), &from, 1, &to, 1, 0), ==, 8);
		break;
	case 1:
		CHECK_CMP(write(pipe_fds[1], &value, 8), ==, 8);
		/* Not read(): TSan takes the race for a mistake. */
		CHECK_CMP(syscall(SYS_read, pipe_fds[0], &memory[i], 8), ==, 8);
		break;
	default:
		atomic_store_explicit(&memory[i], value, memory_order_relaxed);
	}
}

static void *writer(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	bool kernel = arg == (void *)1;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		/* A while in a few pages, which are written again and again ... */
		size_t near = rnd(&state) % (WORDS - 4 * PAGE_WORDS);

		for (int i = 0; i < 2000; i++)
			write_word(&state, near + rnd(&state) % (4 * PAGE_WORDS),
				   !kernel ? 2 : pinning ? i % 2 : 1);
		/* ... and then all over. */
		for (int i = 0; i < 200; i++)
			write_word(&state, rnd(&state) % WORDS, 2);
	}
	return NULL;
}

static void copy_page(size_t page)
{
	for (size_t i = page * PAGE_WORDS; i < (page + 1) * PAGE_WORDS; i++)
		copy[i] = atomic_load_explicit(&memory[i], memory_order_relaxed);
}

struct part {
	struct heap *h;
	size_t from, to;		/* pages */
	uint64_t rounds, reported;
};

static void copy_reported(struct part *part)
{
	uint64_t bits[MAP_WORDS], n;

	CHECK_CMP(dirty_collect(part->h, (uintptr_t)memory + part->from * DIRTY_PAGE,
				(part->to - part->from) * DIRTY_PAGE, bits, &n), ==, 0);
	for (size_t i = part->from; i < part->to; i++)
		if (bits[(i - part->from) / 64] >> (i - part->from) % 64 & 1)
			copy_page(i);
	part->rounds++;
	part->reported += n;
}

static void *collector(void *arg)
{
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		copy_reported(arg);
	return NULL;
}

static size_t copy_differs(void)
{
	size_t wrong = 0;

	for (size_t i = 0; i < WORDS; i++)
		wrong += copy[i] != atomic_load(&memory[i]);
	return wrong;
}

static void run(struct heap *h, unsigned int ms, bool fresh)
{
	struct part parts[2] = {
		{ .h = h, .from = 0, .to = BYTES / DIRTY_PAGE / 2 + 5 },
		{ .h = h, .from = BYTES / DIRTY_PAGE / 2 + 5, .to = BYTES / DIRTY_PAGE },
	};
	pthread_t threads[WRITERS + 2];

	stop = false;
	CHECK_CMP(dirty_begin_all(h), ==, 0);
	/* As a marker does: first all of it. */
	for (int i = 0; i < WRITERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, writer, (void *)(intptr_t)(i + 1)));
	if (!fresh)
		for (size_t i = 0; i < BYTES / DIRTY_PAGE; i++)
			copy_page(i);
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&threads[WRITERS + i], NULL, collector, &parts[i]));
	sleep_ms(ms);
	stop = true;
	for (int i = 0; i < WRITERS + 2; i++)
		CHECK(!pthread_join(threads[i], NULL));
	for (int i = 0; i < 2; i++)
		copy_reported(&parts[i]);
	CHECK_CMP(copy_differs(), ==, 0);
	dirty_end(h);
	/* It would be easy to report everything always; in slow rounds much is written. */
	for (int i = 0; i < 2 && !dirty_adds_up(h) && fewer(100) == 100; i++) {
		CHECK_CMP(parts[i].rounds, >, 1);
		CHECK_CMP(parts[i].reported / parts[i].rounds, <,
			  (parts[i].to - parts[i].from) * 9 / 10);
	}
}

static void prepare(char *p)
{
	memory = (void *)p;
	copy = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(copy != MAP_FAILED);
	CHECK(!pipe(pipe_fds));
}

WAYS(threads, "no write is lost while threads write")
{
	pinning = w->way != DIRTY_PAGEMAP_SCAN;
	dirty_end(w->h);
	prepare(dirty_object(BYTES));
	run(w->h, MS, false);
	/* Another window, where the first left off. */
	run(w->h, MS, false);
}

WAYS(new_memory, "... to memory that is new in the window")
{
	char *p = goheap_alloc(BYTES);

	dirty_end(w->h);
	CHECK(p);
	prepare(p);
	/* Zeros, as the copy is. */
	run(w->h, MS, true);
}

/* What the kernel is made to do with the memory, again and again, while that goes on. */
struct disturbance {
	char *from;
	size_t bytes;
	int advice;
};

static void *disturb(void *arg)
{
	const struct disturbance *d = arg;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		madvise(d->from, d->bytes, d->advice);
		sleep_ms(5);
	}
	return NULL;
}

static void run_disturbed(struct watched *w, struct disturbance *d)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		/* run() sets it when it is done. */
		stop = false;
		CHECK(!pthread_create(&thread, NULL, disturb, d));
		run(w->h, MS / 2, false);
		CHECK(!pthread_join(thread, NULL));
	}
}

WAYS(collapsing, "... while the kernel makes huge pages of it")
{
	struct disturbance d = { .bytes = BYTES - 4 * MIB, .advice = 25 /* MADV_COLLAPSE */ };

	if (w->way == DIRTY_DEVICE)
		tap_skip("there are none on the device");
	dirty_end(w->h);
	prepare(dirty_object(BYTES));
	d.from = (char *)align_up((uintptr_t)memory, 2 * MIB);
	if (madvise(d.from, d.bytes, MADV_HUGEPAGE))
		tap_skip("no huge pages here");
	run_disturbed(w, &d);
}

/* Bytes of swap in use; -1 without any. */
static long long swapped(void)
{
	FILE *f = fopen("/proc/swaps", "r");
	long long used = -1, n;
	char line[256];

	/* A kernel without swapping has no such file. */
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*d %lld", &n) == 1)
			used = (used < 0 ? 0 : used) + n * 1024;
	fclose(f);
	return used;
}

WAYS(swapping, "... while the kernel swaps it out")
{
	struct disturbance d = { .bytes = BYTES, .advice = 21 /* MADV_PAGEOUT */ };
	long long before = swapped();

	if (w->way == DIRTY_DEVICE)
		tap_skip("the device's pages are not swapped");
	if (before < 0)
		tap_skip("no swap space");
	dirty_end(w->h);
	prepare(dirty_object(BYTES));
	d.from = (char *)memory;
	CHECK(!madvise(d.from, d.bytes, d.advice));
	CHECK_CMP(swapped() - before, >, 2 * MIB);
	run_disturbed(w, &d);
}
