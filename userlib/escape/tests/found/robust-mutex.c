/* SPDX-License-Identifier: MIT */
/* Catches: a mutex that the thread has in a list. */
#define _GNU_SOURCE
#include "found.h"
#include <pthread.h>
static pthread_mutex_t m2;
static NI void f(pthread_mutexattr_t *a)
{
	pthread_mutex_t *m = goheap_alloc(sizeof *m);
	pthread_mutex_init(m, a);
	pthread_mutex_lock(m);
}
static NI int g(void)
{
	volatile unsigned char d[1024]; int bad = 0;
	for (int i = 0; i < 1024; i++) d[i] = 0x5a;
	pthread_mutex_lock(&m2);
	for (int i = 0; i < 1024; i++) bad += d[i] != 0x5a;
	return bad;
}
int main(void)
{
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m2, &a);
	f(&a);
	int bad = g();
	printf("%s\n", bad ? "WRONG" : "ok");
}
