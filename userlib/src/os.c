// SPDX-License-Identifier: MIT
/*
 * The system calls under the library.  None of them allocates with malloc()
 * or takes a lock of libc's, so all may be used while the world is stopped.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

/* From Linux 6.7 on the system makes a huge page of whatever begins a large mapping. */
void os_small_pages(void *p, size_t bytes)
{
	madvise(p, bytes, MADV_NOHUGEPAGE);
}

void os_dump(void *p, size_t bytes, bool wanted)
{
	madvise(p, bytes, wanted ? MADV_DODUMP : MADV_DONTDUMP);
}

void os_futex_wait(uint32_t *word, uint32_t while_it_is, const struct timespec *timeout)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_it_is, timeout, NULL, 0);
}

void os_futex_wake(uint32_t *word, int how_many)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0);
}

/**
 * os_read_own() - read memory of this process that may be gone
 * @to: where to
 * @from: where from
 * @bytes: how much
 *
 * Return: how much there is, from @from on; -1 and errno, EFAULT for nothing.
 */
ptrdiff_t os_read_own(void *to, uintptr_t from, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)from, bytes };

	return syscall(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
}

#ifdef __x86_64__
/* No function keeps a vector register for its caller, so nothing is lost. */
static void clear_vectors(void)
{
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile(
			"vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\t"
			"vpxorq %%zmm18, %%zmm18, %%zmm18\n\tvpxorq %%zmm19, %%zmm19, %%zmm19\n\t"
			"vpxorq %%zmm20, %%zmm20, %%zmm20\n\tvpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
			"vpxorq %%zmm22, %%zmm22, %%zmm22\n\tvpxorq %%zmm23, %%zmm23, %%zmm23\n\t"
			"vpxorq %%zmm24, %%zmm24, %%zmm24\n\tvpxorq %%zmm25, %%zmm25, %%zmm25\n\t"
			"vpxorq %%zmm26, %%zmm26, %%zmm26\n\tvpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
			"vpxorq %%zmm28, %%zmm28, %%zmm28\n\tvpxorq %%zmm29, %%zmm29, %%zmm29\n\t"
			"vpxorq %%zmm30, %%zmm30, %%zmm30\n\tvpxorq %%zmm31, %%zmm31, %%zmm31"
			::: "memory");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
				 "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
				 "xmm13", "xmm14", "xmm15");
	else
		__asm__ volatile(
			"pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm2, %%xmm2\n\t"
			"pxor %%xmm3, %%xmm3\n\tpxor %%xmm4, %%xmm4\n\tpxor %%xmm5, %%xmm5\n\t"
			"pxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\tpxor %%xmm8, %%xmm8\n\t"
			"pxor %%xmm9, %%xmm9\n\tpxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\t"
			"pxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\tpxor %%xmm14, %%xmm14\n\t"
			"pxor %%xmm15, %%xmm15"
			::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			    "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}
#else
static void clear_vectors(void)
{
}
#endif

/**
 * os_clear_dead() - clear the stack below the caller, and the vector registers
 *
 * Functions that have returned left pointers there.  The frames of what the caller
 * calls next do not write to all of theirs, and a thread that is stopped in a system call
 * has its vector registers searched: they would keep garbage alive.
 */
NOINLINE void os_clear_dead(void)
{
	volatile char below[16384];

	memset((char *)below, 0, sizeof(below));
	__asm__ volatile("" :: "r"(below) : "memory");
	clear_vectors();
}

void os_short_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
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

/* How many the process may use. */
int os_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}
