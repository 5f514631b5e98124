/* SPDX-License-Identifier: MIT */
/*
 * The C library's own functions behind those that are wrapped.
 *
 * A program links the library before libc, so that its definitions come first;
 * the real ones are found by dlsym(RTLD_NEXT).  All are looked up when the library
 * is loaded: some of the wrapped functions may be called in signal handlers, where
 * dlsym() may not.  Whoever is called even before, from the constructor of another
 * library, looks up by itself.
 */
#ifndef GOHEAP_REAL_H
#define GOHEAP_REAL_H

struct real {
	const char *name;
	void *function;
};

/* What to call; the program is ended with a message if libc has no such function. */
void *real_function(struct real *r);

/* Every use has an entry of its own, in a section that real.c goes through. */
#define REAL(function_)								\
	({									\
		static struct real real_					\
			__attribute__((section("goheap_real"), used)) =		\
			{ #function_, NULL };					\
		(__typeof__(&(function_)))real_function(&real_);		\
	})

#endif /* GOHEAP_REAL_H */
