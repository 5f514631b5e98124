/* SPDX-License-Identifier: MIT */
/*
 * What a test program is made of.
 *
 * A program has one concern and a list of cases.  Each case runs in a process
 * of its own (the program executes itself anew with --case), because a heap is
 * started once in a process and a case wants a fresh one, with an environment
 * of its own, and because a crash or a hang must cost one case and not the
 * rest.  The program prints TAP 13 on stdout and exits 1 if a case failed; a
 * case says on stderr which check failed.
 *
 *	CASE(name, "what holds") { CHECK(...); }
 *	CASE(name, "what holds", "GOHEAP_GOGC=50") { ... }	with an environment
 *	HELPER(name) { ... }			run only by tap_run_helper()
 */
#ifndef TAP_H
#define TAP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct tap_case {
	const char *name;
	const char *desc;		/* NULL: a helper */
	void (*fn)(void);
	const char *const *env;		/* "NAME=value", ended by NULL */
	struct tap_case *next;
};

void tap_register(struct tap_case *c);

/* End the case, from any thread. */
void tap_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void tap_skip(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/*
 * Run a helper in a process of its own with @env added to the environment.
 * Returns the wait status; what it wrote to stderr is in @err, always ended by
 * a zero byte.
 */
int tap_run_helper(const char *name, const char *const *env, char *err, size_t size);

/* The directory that the program is in: the libraries it opens are beside it. */
const char *tap_dir(void);

#define TAP_CASE(id, desc, ...)							\
	static void case_##id(void);						\
	static const char *const env_##id[] = { __VA_ARGS__ __VA_OPT__(,) NULL };	\
	static struct tap_case tap_##id = { #id, desc, case_##id, env_##id, NULL };	\
	__attribute__((constructor)) static void register_##id(void)		\
	{									\
		tap_register(&tap_##id);					\
	}									\
	static void case_##id(void)

#define CASE(id, desc, ...) TAP_CASE(id, desc, __VA_ARGS__)
#define HELPER(id) TAP_CASE(id, NULL)

#define CHECK(cond)								\
	do {									\
		if (!(cond))							\
			tap_fail(__FILE__, __LINE__, "%s", #cond);		\
	} while (0)

/* The values are printed as signed and as hexadecimal. */
#define CHECK_CMP(a, op, b)							\
	do {									\
		__typeof__(a) a_ = (a);						\
		__typeof__(b) b_ = (b);						\
		if (!(a_ op b_))						\
			tap_fail(__FILE__, __LINE__,				\
				 "%s %s %s: %lld (%#llx) and %lld (%#llx)",	\
				 #a, #op, #b, (long long)(intptr_t)a_,		\
				 (unsigned long long)(intptr_t)a_,		\
				 (long long)(intptr_t)b_,			\
				 (unsigned long long)(intptr_t)b_);		\
	} while (0)

/* @expr gives @ret and sets errno to @err. */
#define CHECK_ERR(expr, ret, err)						\
	do {									\
		errno = 0;							\
		CHECK_CMP(expr, ==, ret);					\
		if (errno != (err))						\
			tap_fail(__FILE__, __LINE__, "%s: errno %d (%s), want %d (%s)", \
				 #expr, errno, strerror(errno), err, strerror(err)); \
	} while (0)

#endif /* TAP_H */
