// SPDX-License-Identifier: MIT
/*
 * Catches: a page that was written inside a window and is left out of the
 * report, because of who wrote it, when, or what happened to it in between.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dirty.h"

/* ---- the program writes ---- */

WAYS(nothing, "what was not written is not reported")
{
	dirty_expect_none(w);
	CHECK_CMP(*(volatile char *)w->target, ==, 1);
	dirty_expect_none(w);
	/* Nor what was written before the window. */
	dirty_end(w->h);
	*w->target = 2;
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	dirty_expect_none(w);
}

WAYS(one, "one byte written")
{
	*w->target = 2;
	dirty_expect_target(w);
	w->target[DIRTY_PAGE - 1] = 3;
	dirty_expect_target(w);
}

WAYS(patterns, "any set of pages, round after round")
{
	bool want[PAGES] = { false };
	uint64_t state = 42;

	for (int round = 0; round < 50; round++) {
		unsigned int share = 1u << round % 10;

		if (!dirty_adds_up(w->h))
			memset(want, 0, sizeof(want));
		for (size_t i = 0; i < PAGES; i++)
			if (rnd(&state) % share == 0) {
				w->p[i * DIRTY_PAGE + rnd(&state) % DIRTY_PAGE] = (char)round;
				want[i] = true;
			}
		dirty_expect(w, want);
	}
}

/* More runs than one reply of the kernel holds, at odd places. */
WAYS(many_runs, "every second page of many")
{
	size_t pages = 64 * 1024 + 77;
	char *p = dirty_object((pages + 1) * DIRTY_PAGE) + DIRTY_PAGE;
	uint64_t *bits = calloc(pages / 64 + 1, 8), n = 0;

	CHECK(bits);
	/* Its pages are new. */
	CHECK_CMP(dirty_collect(w->h, (uintptr_t)p, pages * DIRTY_PAGE, bits, &n), ==, 0);
	CHECK_CMP(n, ==, pages);
	dirty_end(w->h);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	for (size_t i = 1; i < pages; i += 2)
		p[i * DIRTY_PAGE] = 2;
	CHECK_CMP(dirty_collect(w->h, (uintptr_t)p, pages * DIRTY_PAGE, bits, &n), ==, 0);
	CHECK_CMP(n, ==, pages / 2);
	for (size_t i = 0; i < pages; i++)
		CHECK_CMP(bits[i / 64] >> i % 64 & 1, ==, i % 2);
	/* Nothing beyond the last page. */
	CHECK_CMP(bits[pages / 64] >> pages % 64, ==, 0);
}

WAYS(without_memory, "pages that had no memory when the window began")
{
	char *p = goheap_alloc(PAGES * DIRTY_PAGE);

	CHECK(p);
	dirty_end(w->h);
	w->p = p;
	w->target = p + TARGET * DIRTY_PAGE;
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	/* Read first: the kernel maps a page of zeros. */
	CHECK_CMP(*(volatile char *)w->target, ==, 0);
	CHECK_CMP(dirty_report(w), ==, 0);
	*w->target = 1;
	CHECK_CMP(dirty_report(w), ==, 0);
	CHECK(dirty_has(w, TARGET));
	w->target[5 * DIRTY_PAGE] = 1;
	CHECK_CMP(dirty_report(w), ==, 0);
	CHECK(dirty_has(w, TARGET + 5));
}

WAYS(grown, "spans that the heap grew by inside the window")
{
	char *p = goheap_alloc(64 * MIB);
	uint64_t *bits = calloc(64 * MIB / DIRTY_PAGE / 64, 8), n;

	CHECK(p && bits);
	for (size_t i = 7; i < 64 * MIB / DIRTY_PAGE; i += 1001) {
		p[i * DIRTY_PAGE] = 1;
		CHECK_CMP(dirty_collect(w->h, (uintptr_t)p, 64 * MIB, bits, &n), ==, 0);
		CHECK(bits[i / 64] >> i % 64 & 1);
	}
}

/* Where there were no pointers pages need not be watched. */
WAYS(changed_kind, "a span without pointers that became one with pointers")
{
	size_t bytes = PAGES * DIRTY_PAGE;
	char *p = goheap_alloc_noscan(bytes), *q = NULL;

	CHECK(p);
	memset(p, 1, bytes);
	dirty_end(w->h);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	goheap_free(p);
	for (int i = 0; i < 1000 && q != p; i++)
		q = goheap_alloc(bytes);
	CHECK(q == p);
	w->p = p;
	w->target = p + TARGET * DIRTY_PAGE;
	for (int round = 0; round < 3; round++) {
		*(volatile char *)w->target = 2;
		CHECK_CMP(dirty_report(w), ==, 0);
		CHECK(dirty_has(w, TARGET));
	}
}

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

WAYS(without_pointers, "large objects without pointers are left alone")
{
	size_t bytes = 16 * MIB, pages = bytes / DIRTY_PAGE;
	volatile char *p = goheap_alloc_noscan(bytes);
	uint64_t *bits = calloc(pages / 64, 8), n;
	long before;

	CHECK(p && bits);
	madvise((void *)p, bytes, MADV_NOHUGEPAGE);
	memset((void *)p, 1, bytes);
	dirty_end(w->h);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	for (int round = 0; round < 3; round++) {
		before = faults();
		for (size_t i = 0; i < pages; i++)
			p[i * DIRTY_PAGE] = 2;
		if (w->way != DIRTY_SOFT)
			CHECK_CMP(faults() - before, <, 300);
		CHECK_CMP(dirty_collect(w->h, (uintptr_t)p, bytes, bits, &n), ==, 0);
		/* But for what lies in a block with another object. */
		CHECK_CMP(n, <=, 256);
		/* Objects with pointers around it are not. */
		*w->target = 2;
		CHECK_CMP(dirty_report(w), ==, 0);
		CHECK(dirty_has(w, TARGET));
	}
}

WAYS(last, "the last report of a window, which may come twice")
{
	w->p[2 * DIRTY_PAGE] = 2;
	CHECK_CMP(dirty_report(w), ==, 0);
	*w->target = 2;
	dirty_last(w->h);
	for (int i = 0; i < 2; i++) {
		CHECK_CMP(dirty_report(w), ==, 0);
		CHECK(dirty_has(w, TARGET) || (i && w->way == DIRTY_DEVICE));
		CHECK_CMP(dirty_has(w, 2), ==, dirty_adds_up(w->h));
		CHECK(!dirty_has(w, 3));
	}
	dirty_end(w->h);
	/* The next window is as any other. */
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	dirty_expect_none(w);
	*w->target = 3;
	dirty_expect_target(w);
}

/* ---- the kernel writes ---- */

WAYS(read_pipe, "read() from a pipe, and readv()")
{
	struct iovec iov = { w->target + DIRTY_PAGE - 2, 2 };
	int p[2];

	CHECK(!pipe(p));
	CHECK_CMP(write(p[1], "hello", 5), ==, 5);
	CHECK_CMP(read(p[0], w->target + 100, 3), ==, 3);
	dirty_expect_target(w);
	CHECK_CMP(readv(p[0], &iov, 1), ==, 2);
	dirty_expect_target(w);
}

WAYS(receive, "recv() from a socket")
{
	int p[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	CHECK_CMP(write(p[1], "hello", 5), ==, 5);
	CHECK_CMP(recv(p[0], w->target, 5, 0), ==, 5);
	dirty_expect_target(w);
}

WAYS(read_file, "pread() from a file")
{
	int fd = memfd_create("file", 0);

	CHECK_CMP(write(fd, "hello", 5), ==, 5);
	CHECK_CMP(pread(fd, w->target + DIRTY_PAGE - 5, 5, 0), ==, 5);
	dirty_expect_target(w);
}

WAYS(splice_out, "vmsplice() out of a pipe")
{
	struct iovec iov = { w->target, 5 };
	int p[2];

	CHECK(!pipe(p));
	CHECK_CMP(write(p[1], "hello", 5), ==, 5);
	CHECK_CMP(vmsplice(p[0], &iov, 1, 0), ==, 5);
	dirty_expect_target(w);
}

WAYS(small_results, "small results of system calls")
{
	CHECK(!syscall(SYS_clock_gettime, CLOCK_MONOTONIC, w->target));
	dirty_expect_target(w);
	CHECK_CMP(getrandom(w->target, 16, 0), ==, 16);
	dirty_expect_target(w);
	CHECK(!syscall(SYS_getcpu, w->target, NULL, NULL));
	dirty_expect_target(w);
}

/* The word is the C library's own otherwise, which will think that the thread goes on. */
static void *end_with_word(void *word)
{
	syscall(SYS_set_tid_address, word);
	return NULL;
}

WAYS(end_of_thread, "the word that is cleared when a thread ends")
{
	uint32_t *word = (uint32_t *)w->target;
	pthread_t thread;

	*word = 1;
	dirty_end(w->h);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	CHECK(!pthread_create(&thread, NULL, end_with_word, word));
	CHECK(!pthread_detach(thread));
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	dirty_expect_target(w);
}

WAYS(writev_self, "process_vm_writev() to itself")
{
	struct iovec from = { "hello", 5 }, to = { w->target, 5 };

	CHECK_CMP(process_vm_writev(getpid(), &from, 1, &to, 1, 0), ==, 5);
	dirty_expect_target(w);
}

WAYS(own_mem, "a write to /proc/self/mem")
{
	int fd = open("/proc/self/mem", O_RDWR);

	CHECK(fd >= 0);
	CHECK_CMP(pwrite(fd, "hello", 5, (uintptr_t)w->target), ==, 5);
	dirty_expect_target(w);
}

WAYS(other_process, "process_vm_writev() of another process")
{
	struct iovec from = { "hello", 5 }, to = { w->target, 5 };
	int status;
	pid_t pid;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		_exit(process_vm_writev(getppid(), &from, 1, &to, 1, 0) != 5);
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	CHECK_CMP(status, ==, 0);
	dirty_expect_target(w);
}

/* The file system puts the data where it belongs without a copy. */
WAYS(direct_read, "a read with O_DIRECT")
{
	char name[] = "/var/tmp/goheap-dirty-XXXXXX";
	char *block = mmap(NULL, DIRTY_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = mkostemp(name, O_DIRECT);

	if (fd < 0)
		tap_skip("no O_DIRECT here: %s", strerror(errno));
	unlink(name);
	memset(block, 7, DIRTY_PAGE);
	CHECK_CMP(pwrite(fd, block, DIRTY_PAGE, 0), ==, DIRTY_PAGE);
	for (int round = 0; round < 3; round++) {
		*w->target = 0;
		CHECK_CMP(dirty_report(w), ==, 0);
		CHECK_CMP(pread(fd, w->target, DIRTY_PAGE, 0), ==, DIRTY_PAGE);
		CHECK_CMP(*(volatile char *)w->target, ==, 7);
		dirty_expect_target(w);
	}
}

/* ---- what becomes of the page before it is asked for ---- */

WAYS(protected, "mprotect() to and fro")
{
	uintptr_t base = w->h->base;
	size_t bytes = w->h->backend.bytes;

	*w->target = 2;
	CHECK(!mprotect((void *)base, bytes, PROT_READ));
	CHECK(!mprotect((void *)base, bytes, PROT_READ | PROT_WRITE));
	dirty_expect_target(w);
	/* What is writable again is still watched. */
	*w->target = 3;
	dirty_expect_target(w);
}

WAYS(cold, "pages that were reclaimed, or tried to")
{
	*w->target = 2;
	madvise(w->p, PAGES * DIRTY_PAGE, MADV_COLD);
	madvise(w->p, PAGES * DIRTY_PAGE, 21 /* MADV_PAGEOUT */);
	CHECK_CMP(dirty_report(w), ==, 0);
	CHECK(dirty_has(w, TARGET));
	*w->target = 3;
	CHECK_CMP(dirty_report(w), ==, 0);
	CHECK(dirty_has(w, TARGET));
	CHECK_CMP(*(volatile char *)w->target, ==, 3);
}

WAYS(discarded, "memory that was given back and is written anew")
{
	if (w->way == DIRTY_DEVICE)
		tap_skip("the device's pages are not the program's to discard");
	for (int round = 0; round < 3; round++) {
		CHECK(!os_discard(w->p, PAGES * DIRTY_PAGE));
		*w->target = 2;
		CHECK_CMP(dirty_report(w), ==, 0);
		CHECK(dirty_has(w, TARGET));
		CHECK(!os_discard(w->p, PAGES * DIRTY_PAGE));
		CHECK_CMP(dirty_report(w), ==, 0);
		*w->target = 2;
		CHECK_CMP(dirty_report(w), ==, 0);
		CHECK(dirty_has(w, TARGET));
	}
}

WAYS(huge, "huge pages, made before the window and inside it")
{
	size_t huge = 2 * MIB, pages = huge / DIRTY_PAGE;
	uint64_t bits[512 / 64], n;
	char *p = goheap_alloc(4 * huge);

	if (w->way == DIRTY_DEVICE)
		tap_skip("there are none on the device");
	CHECK(p);
	p = (char *)align_up((uintptr_t)p, huge);
	if (madvise(p, huge, MADV_HUGEPAGE))
		tap_skip("no huge pages here");
	dirty_end(w->h);
	memset(p, 1, huge);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	CHECK_CMP(dirty_collect(w->h, (uintptr_t)p, huge, bits, &n), ==, 0);
	CHECK_CMP(n, ==, 0);
	for (size_t i = 3; i < pages; i += 100) {
		p[i * DIRTY_PAGE] = 2;
		CHECK_CMP(dirty_collect(w->h, (uintptr_t)p, huge, bits, &n), ==, 0);
		CHECK(bits[i / 64] >> i % 64 & 1);
	}
	/* The kernel makes one page of them again, with what was written to some. */
	p[77 * DIRTY_PAGE] = 3;
	if (!madvise(p, huge, 25 /* MADV_COLLAPSE */))
		p[78 * DIRTY_PAGE] = 3;
	else
		p[78 * DIRTY_PAGE] = 4;
	CHECK_CMP(dirty_collect(w->h, (uintptr_t)p, huge, bits, &n), ==, 0);
	CHECK(bits[77 / 64] >> 77 % 64 & 1);
	CHECK(bits[78 / 64] >> 78 % 64 & 1);
	/* A part of it is asked for. */
	p[200 * DIRTY_PAGE] = 3;
	p[300 * DIRTY_PAGE] = 3;
	CHECK_CMP(dirty_collect(w->h, (uintptr_t)p + 256 * DIRTY_PAGE, huge / 2, bits, &n), ==, 0);
	CHECK(bits[44 / 64] >> 44 & 1);
	CHECK_CMP(dirty_collect(w->h, (uintptr_t)p, huge / 2, bits, &n), ==, 0);
	CHECK(bits[200 / 64] >> 200 % 64 & 1);
}

/* ---- fork ---- */

/* The exit status says which step failed. */
static int in_child(struct watched *w)
{
	/* No window is inherited. */
	if (!dirty_report(w))
		return 1;
	w->p[0] = 5;
	if (dirty_begin_all(w->h) || w->h->dirty.way != w->way)
		return 2;
	if (dirty_report(w) || w->n)
		return 3;
	w->p[3 * DIRTY_PAGE] = 5;
	if (dirty_report(w) || w->n != 1 || !dirty_has(w, 3))
		return 4;
	w->p[TARGET * DIRTY_PAGE] = 5;
	if (dirty_report(w) || !dirty_has(w, TARGET))
		return 5;
	dirty_end(w->h);
	w->p[0] = 6;
	return 0;
}

WAYS(forked, "a child has its own window, and leaves the parent's alone")
{
	int status;
	pid_t pid;

	*w->target = 2;
	w->p[2 * DIRTY_PAGE] = 2;
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		_exit(in_child(w));
	/* While the child has the same pages. */
	w->p[7 * DIRTY_PAGE] = 2;
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	CHECK(WIFEXITED(status));
	CHECK_CMP(WEXITSTATUS(status), ==, 0);
	CHECK_CMP(dirty_report(w), ==, 0);
	CHECK(dirty_has(w, TARGET) && dirty_has(w, 2) && dirty_has(w, 7));
	w->p[9 * DIRTY_PAGE] = 2;
	CHECK_CMP(dirty_report(w), ==, 0);
	CHECK(dirty_has(w, 9));
	CHECK_CMP(w->p[0], ==, 1);
}

/* ---- the end of a window ---- */

WAYS(free_again, "after the window a write costs no fault")
{
	long before;

	if (w->way == DIRTY_SOFT)
		tap_skip("soft-dirty pages stay protected");
	dirty_end(w->h);
	CHECK_CMP(dirty_report(w), ==, -1);
	before = faults();
	for (size_t i = 0; i < PAGES; i++)
		*(volatile char *)(w->p + i * DIRTY_PAGE) = 2;
	CHECK_CMP(faults() - before, <, PAGES / 16);
	/* The same if they were reported in it. */
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	for (size_t i = 0; i < PAGES; i++)
		*(volatile char *)(w->p + i * DIRTY_PAGE) = 2;
	CHECK_CMP(dirty_report(w), ==, 0);
	CHECK_CMP(w->n, ==, PAGES);
	dirty_end(w->h);
	before = faults();
	for (size_t i = 0; i < PAGES; i++)
		*(volatile char *)(w->p + i * DIRTY_PAGE) = 2;
	CHECK_CMP(faults() - before, <, PAGES / 16);
}
