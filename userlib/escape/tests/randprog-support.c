// SPDX-License-Identifier: MIT
/*
 * The main program around a unit of random programs; compiled without the plugin.
 *
 *	UNIT FUEL COLLECT FIRST
 *
 * Runs the programs from the FIRST-th on, each with FUEL calls a round, with a collection at
 * every allocation if COLLECT is 1, and prints a line for each: seed, checksum, allocations.
 */
#include "randprog.h"

extern const struct rp_program rp_programs[];
extern const unsigned rp_count;

unsigned rp_acc, rp_n;
int rp_fuel, rp_fuel_each;

static int collect;
static unsigned ticks;
static void *kept;

void rp_tick(void)
{
	ticks++;
	if (collect)
		goheap_collect();
}

void rp_clobber(void)
{
	volatile unsigned char stack[12288];

	for (size_t i = 0; i < sizeof(stack); i += sizeof(uint64_t))
		*(volatile uint64_t *)(stack + i) = 0xa5a5a5a5a5a5a5a5u;
}

void rp_clobber_deep(void)
{
	volatile unsigned char stack[160 << 10];

	for (size_t i = 0; i < sizeof(stack); i += sizeof(uint64_t))
		*(volatile uint64_t *)(stack + i) = 0xa5a5a5a5a5a5a5a5u;
}

void rp_keep(void *p)
{
	kept = p;
}

void *rp_kept(void)
{
	void *p = kept;

	kept = NULL;
	return p;
}

void *rp_same(void *p)
{
	return p;
}

unsigned rp_look(const void *p, size_t size)
{
	const unsigned char *c = p;
	unsigned sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + c[i];
	return sum;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	rp_fuel_each = atoi(argv[1]);
	collect = atoi(argv[2]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned i = (unsigned)atoi(argv[3]); i < rp_count; i++) {
		rp_acc = rp_programs[i].seed;
		rp_n = 0;
		ticks = 0;
		kept = NULL;
		rp_programs[i].run();
		printf("%u %08x %u\n", rp_programs[i].seed, rp_acc, ticks);
	}
	return 0;
}
