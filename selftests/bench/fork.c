// SPDX-License-Identifier: GPL-2.0
/*
 * What fork() costs a process with 256 MiB: in /dev/goheap, in anonymous memory
 * of 4 KiB pages, and without either.
 *
 * Rows fork.WHAT.exec: fork(), the child's exec() of a program that ends at once,
 * and the wait for it, by the processor time of both; .exit: the child ends without
 * exec(); .call: fork() itself, by the parent's processor time.  Rows
 * write.WHAT: then the parent writes to 4 MiB, one byte a page, while a child
 * has the memory too; the unit is a page.
 *
 * In a guest started with `selftests/vm/run --insns` the unit of all figures is an
 * instruction, kernel and user, parent and child together.  All pages have
 * been written before; each fork after the first finds half of them protected
 * and half written again, as a program does that forks from time to time.
 *
 * Output: as kernel.c's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/goheap.h>

#define PAGE		4096UL
#define TOTAL		(256UL << 20)
#define WRITTEN		(4UL << 20)
#define SPAN_PAGES	64	/* of 8 KiB: spans of 512 KiB */
#define MAX_REPEATS	100

enum memory { HEAP, ANON, NONE };

static const char *const names[] = { "heap", "anon", "none" };

static void die(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "fork: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Of children that have been waited for: all of it, to the microsecond. */
static uint64_t children_ns(void)
{
	struct rusage ru;

	getrusage(RUSAGE_CHILDREN, &ru);
	return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000;
}

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

/* One byte in each page of each second MiB, or of all. */
static void touch(char *p, size_t bytes, size_t step)
{
	for (size_t at = 0; at < bytes; at += step)
		for (size_t i = 0; i < 1 << 20 && at + i < bytes; i += PAGE)
			((volatile char *)p)[at + i]++;
}

static char *heap_new(void)
{
	int fd = open("/dev/goheap", O_RDWR | O_CLOEXEC);
	char *p;

	if (fd < 0)
		die("/dev/goheap");
	p = mmap(NULL, 2 * TOTAL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("mmap of /dev/goheap");
	for (size_t n = 0; n < TOTAL / (SPAN_PAGES * GOHEAP_PAGE_SIZE); n++) {
		struct goheap_span s = { .npages = SPAN_PAGES };
		struct goheap_span_batch b = {
			.size = sizeof(b), .spans = (uintptr_t)&s, .count = 1,
		};

		if (ioctl(fd, GOHEAP_IOC_SPAN_ALLOC, &b))
			die("a span");
	}
	return p;
}

static char *anon_new(void)
{
	char *p = mmap(NULL, TOTAL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	/* A kernel without huge pages refuses the advice and needs none. */
	madvise(p, TOTAL, MADV_NOHUGEPAGE);
	return p;
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		die("the child");
}

static double fork_once(bool exec)
{
	/* Not by the clock on the wall: the program's file may have to be waited for. */
	uint64_t t = now(CLOCK_THREAD_CPUTIME_ID) + children_ns();
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		if (exec)
			execl("/proc/self/exe", "fork", "--nothing", NULL);
		_exit(exec);
	}
	reap(pid);
	return now(CLOCK_THREAD_CPUTIME_ID) + children_ns() - t;
}

static double fork_call(void)
{
	uint64_t t = now(CLOCK_THREAD_CPUTIME_ID);
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		_exit(0);
	t = now(CLOCK_THREAD_CPUTIME_ID) - t;
	reap(pid);
	return t;
}

/* The child holds its copy while the parent writes. */
static double write_once(char *p)
{
	int hold[2];
	uint64_t t;
	pid_t pid;
	char c;

	if (pipe(hold))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		close(hold[1]);
		_exit(read(hold[0], &c, 1) != 0);
	}
	t = now(CLOCK_THREAD_CPUTIME_ID);
	touch(p, WRITTEN, 1 << 20);
	t = now(CLOCK_THREAD_CPUTIME_ID) - t;
	close(hold[1]);
	reap(pid);
	close(hold[0]);
	return (double)t / (WRITTEN / PAGE);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double measure(const char *how, char *p)
{
	if (!strcmp(how, "call"))
		return fork_call();
	if (!strcmp(how, "write"))
		return write_once(p);
	return fork_once(!strcmp(how, "exec"));
}

static void row(enum memory m, const char *how, char *p, int repeats)
{
	bool write = !strcmp(how, "write");
	double v[MAX_REPEATS];
	long f = 0;

	for (int i = -1; i < repeats; i++) {
		if (p)
			touch(p, TOTAL, 2 << 20);
		f = faults();
		v[i < 0 ? 0 : i] = measure(how, p);
		f = faults() - f;
	}
	qsort(v, repeats, sizeof(v[0]), by_value);
	printf("row\t%s.%s%s%s\t%s\t%.1f\t%.1f\t%.1f\t%d\t%ld\n", write ? "write" : "fork", names[m],
	       write ? "" : ".", write ? "" : how, write ? "page" : "fork", v[0], v[repeats / 2],
	       v[repeats - 1], repeats, f);
	fflush(stdout);
}

/* Each kind of memory in a process of its own, which has nothing else. */
static void rows(enum memory m, int repeats)
{
	pid_t pid = fork();
	char *p = NULL;

	if (pid < 0)
		die("fork");
	if (pid) {
		reap(pid);
		return;
	}
	if (m == HEAP)
		p = heap_new();
	else if (m == ANON)
		p = anon_new();
	if (p)
		touch(p, TOTAL, 1 << 20);
	row(m, "exec", p, repeats);
	row(m, "exit", p, repeats);
	row(m, "call", p, repeats);
	if (p)
		row(m, "write", p, repeats);
	exit(0);
}

int main(int argc, char **argv)
{
	int repeats = 5;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--nothing")) {
			return 0;
		} else if (!strcmp(argv[i], "--help")) {
			puts("usage: fork [--repeats N]\n"
			     "What fork() costs a process with 256 MiB, in nanoseconds\n"
			     "(under selftests/vm/run --insns: instructions).");
			return 0;
		} else if (!strcmp(argv[i], "--repeats") && i + 1 < argc) {
			repeats = atoi(argv[++i]);
		} else {
			fprintf(stderr, "fork: %s (see fork --help)\n", argv[i]);
			return 2;
		}
	}
	if (repeats < 1 || repeats > MAX_REPEATS) {
		fputs("fork: --repeats is 1 to 100 (see fork --help)\n", stderr);
		return 2;
	}
	if (access("/dev/goheap", F_OK))
		fputs("fork: no /dev/goheap: rows *.heap left out\n", stderr);
	else
		rows(HEAP, repeats);
	rows(ANON, repeats);
	rows(NONE, repeats);
	return 0;
}
