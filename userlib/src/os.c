// SPDX-License-Identifier: MIT
/*
 * The system calls under the library.  None of them allocates with malloc()
 * or takes a lock of libc's, so all may be used while the world is stopped.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23	/* Linux 5.14 */
#endif

/**
 * os_reserve() - reserve address space
 * @bytes: how much
 * @alignment: a power of two, at least the system's page
 * @usable: false for a place holder that something else will be mapped over
 *
 * Return: the address; NULL and errno as mmap() sets it.
 */
void *os_reserve(size_t bytes, size_t alignment, bool usable)
{
	size_t slack = alignment > 4096 ? alignment : 0;
	char *raw, *p;

	if (bytes + slack < bytes)
		return NULL;
	raw = mmap(NULL, bytes + slack, usable ? PROT_READ | PROT_WRITE : PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	if (!slack)
		return raw;

	p = (char *)align_up((uintptr_t)raw, alignment);
	if (p > raw)
		munmap(raw, (size_t)(p - raw));
	if (p + bytes < raw + bytes + slack)
		munmap(p + bytes, (size_t)(raw + slack - p));
	return p;
}

void os_unreserve(void *p, size_t bytes)
{
	munmap(p, bytes);
}

int os_discard(void *p, size_t bytes)
{
	return madvise(p, bytes, MADV_DONTNEED);
}

/* Have memory behind a range at once.  What cannot be had comes with its first use. */
void os_populate(void *p, size_t bytes)
{
	madvise(p, bytes, MADV_POPULATE_WRITE);
}

void os_futex_wait(uint32_t *word, uint32_t while_it_is, const struct timespec *timeout)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_it_is, timeout, NULL, 0);
}

void os_futex_wake(uint32_t *word, int how_many)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0);
}

int os_tid(void)
{
	return (int)syscall(SYS_gettid);
}

int os_signal_thread(int tid, int sig)
{
	return (int)syscall(SYS_tgkill, getpid(), tid, sig);
}

void os_message(const char *format, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 1)
		n = sizeof(line) - 1;
	/* Not write(): a thread that has been cancelled would end in it, with our locks. */
	if (n > 0 && syscall(SYS_write, STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

int os_pid(void)
{
	return (int)getpid();
}
