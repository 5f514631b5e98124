/* SPDX-License-Identifier: MIT */
/*
 * What every file of the library builds on: attributes, bit operations on the
 * heap's bitmaps, and the few system calls that libc has no wrapper for.
 */
#ifndef GOHEAP_BASE_H
#define GOHEAP_BASE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define PUBLIC		__attribute__((visibility("default")))
#define NOINLINE	__attribute__((noinline))
#define ALWAYS_INLINE	inline __attribute__((always_inline))
#define CACHE_ALIGNED	__attribute__((aligned(64)))

/*
 * Found in the thread control block by one instruction.  The library is linked
 * at program start in practice; a dlopen() takes a few bytes of glibc's reserve.
 */
#define TLS_FAST	__thread __attribute__((tls_model("initial-exec")))

#define PAGE_SHIFT	13			/* a runtime page, as GOHEAP_PAGE_SHIFT */
#define PAGE_BYTES	((size_t)1 << PAGE_SHIFT)

static inline size_t align_up(size_t n, size_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

static inline bool bit_test(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static inline void bit_set(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= (uint64_t)1 << (i % 64);
}

/* Set bits @from to @to - 1, while others may be setting bits too. */
static inline void bits_set_shared(uint64_t *bits, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint32_t upto = (from | 63) + 1 < to ? (from | 63) + 1 : to;
		uint64_t mask = ~(uint64_t)0 >> (64 - (upto - from)) << (from % 64);

		__atomic_fetch_or(&bits[from / 64], mask, __ATOMIC_RELAXED);
		from = upto;
	}
}

/**
 * bit_find() - first bit of a given value
 * @bits: the bitmap
 * @from: where to begin
 * @n: where to end
 * @value: 0 to look for a clear bit, ~0 for a set one
 *
 * Return: the index, or @n.
 */
static inline uint32_t bit_find(const uint64_t *bits, uint32_t from, uint32_t n, uint64_t value)
{
	while (from < n) {
		uint64_t word = (bits[from / 64] ^ ~value) >> (from % 64);

		if (word) {
			from += (uint32_t)__builtin_ctzll(word);
			return from < n ? from : n;
		}
		from = (from | 63) + 1;
	}
	return n;
}

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Address space without memory behind it yet; NULL if there is none. */
void *os_reserve(size_t bytes, size_t alignment, bool usable);
void os_unreserve(void *p, size_t bytes);
/*
 * Gives the memory behind a private mapping back; it reads as zeros afterwards.
 * Return: 0; -1 if part of it could not be given back (locked pages).
 */
int os_discard(void *p, size_t bytes);
void os_populate(void *p, size_t bytes);
/* No huge pages there; whole pages.  Without effect where there are none anyway. */
void os_small_pages(void *p, size_t bytes);
/* Whether a range is to be in core dumps; whole pages.  What cannot be changed stays. */
void os_dump(void *p, size_t bytes, bool wanted);
void os_futex_wait(uint32_t *word, uint32_t while_it_is, const struct timespec *timeout);
void os_futex_wake(uint32_t *word, int how_many);
ptrdiff_t os_read_own(void *to, uintptr_t from, size_t bytes);
void os_clear_dead(void);
/* A lock held for so short a time that whoever finds it taken looks again before sleeping. */
void os_short_lock_init(pthread_mutex_t *lock);
int os_tid(void);
int os_pid(void);
int os_processors(void);
int os_signal_thread(int tid, int sig);
/* A message on stderr without stdio, which a stopped thread may have locked. */
void os_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* GOHEAP_BASE_H */
