// SPDX-License-Identifier: GPL-2.0
/*
 * Prints how fast this machine's time stamp counter counts, in kHz.
 *
 * An emulated machine's counter is this machine's.  Its kernel measures it
 * against an emulated timer, and on a busy machine gets it wrong by as much as
 * seven times, after which every timeout in the guest is wrong; so it is told.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define SPAN_NS		100000000	/* measured over this long: good for 5 digits */
#define TRIES		1000

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* A moment on both clocks: the closest of many pairs, since any may be torn apart. */
static void moment(int64_t *ns, uint64_t *ticks)
{
	int64_t best = INT64_MAX, a, b;
	uint64_t t;
	int i;

	for (i = 0; i < TRIES; i++) {
		a = now();
		t = __rdtsc();
		b = now();
		if (b - a < best) {
			best = b - a;
			*ns = a + (b - a) / 2;
			*ticks = t;
		}
	}
}

int main(void)
{
	struct timespec span = { 0, SPAN_NS };
	int64_t ns0, ns1;
	uint64_t t0, t1;

	moment(&ns0, &t0);
	nanosleep(&span, NULL);
	moment(&ns1, &t1);
	printf("%.0f\n", (double)(t1 - t0) * 1e6 / (double)(ns1 - ns0));
	return 0;
}
