/* SPDX-License-Identifier: MIT */
/*
 * Asking a conservative collector questions that have an answer.
 *
 * Whatever a test does with a pointer may leave a copy in a register or in
 * a dead part of the stack, and then the object lives.  So objects whose fate
 * matters are made, and looked at, in threads that have ended when the
 * collection runs; a test holds their addresses with every bit inverted.
 *
 * Objects that must survive must all survive.  Of those that must die a few
 * may be held by chance: tests ask for 90 % or 95 %.
 */
#ifndef TESTS_GC_H
#define TESTS_GC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <goheap.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#ifdef __SANITIZE_THREAD__
#define TSAN 1
#else
#define TSAN 0
#endif

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KIB		((size_t)1024)
#define MIB		(1024 * KIB)

/* A pointer as the collector does not know it. */
static inline uintptr_t hide(const void *p)
{
	return ~(uintptr_t)p;
}

static inline void *reveal(uintptr_t h)
{
	return (void *)~h;
}

/* An object that knows what it contains. */
struct canary {
	uint64_t magic;
	uint64_t index;
	uint64_t body[6];
};

struct canary *canary_new(unsigned int index);
bool canary_ok(const struct canary *c, unsigned int index);

/* @n new canaries in place[], their inverted addresses in hidden[]. */
void canaries_make(void **place, uintptr_t *hidden, unsigned int n);
/* The same in objects made by @alloc, of @size bytes. */
void objects_make(void *(*alloc)(size_t), size_t size, void **place, uintptr_t *hidden,
		  unsigned int n);
/* How many of them the heap still has, unharmed. */
unsigned int canaries_alive(const uintptr_t *hidden, unsigned int n);
unsigned int objects_alive(const uintptr_t *hidden, unsigned int n);

/* Run fn(arg) in a thread and wait for it: nothing stays on the caller's stack. */
void in_thread(void (*fn)(void *), void *arg);

/* Overwrite the dead part of the stack, from here 64 KiB down. */
void scrub_stack(void);

/* Allocate @bytes in garbage of canaries' size, so that freed ones are overwritten. */
void churn(size_t bytes);

/* Collect three times, with garbage between: what is not held is gone, and overwritten. */
void collect_hard(void);

struct goheap_stats stats(void);

/* A line of /proc/self/task/TID/status of the thread with the library's name; false if none. */
bool background_line(const char *field, char *out, size_t size);

double seconds(void);		/* CLOCK_MONOTONIC */
void sleep_ms(unsigned int ms);	/* goes on after a signal */

uint64_t rnd(uint64_t *state);	/* splitmix64 */

/*
 * Less of it where code runs slowly: a tenth under a sanitizer, and as
 * GOHEAP_TEST_FEWER says, which is 1 without it, in an emulated machine.
 */
size_t fewer(size_t n);

#endif /* TESTS_GC_H */
