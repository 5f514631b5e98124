// SPDX-License-Identifier: MIT
/*
 * A library for the tests to open: pointers in its initialised and its zeroed
 * data and in its thread-local storage (reached through __tls_get_addr, so
 * allocated for a thread when it first asks), and an allocation made inside it.
 */
#include <stddef.h>

#include <goheap.h>

#define N 64

static void *in_data[N] = { (void *)1 };
static void *in_bss[N];
static __thread void *in_tls[N];

void **dso_data(void)
{
	return in_data;
}

void **dso_bss(void)
{
	return in_bss;
}

void **dso_tls(void)
{
	return in_tls;
}

void *dso_alloc(size_t size)
{
	return goheap_alloc(size);
}
