// SPDX-License-Identifier: GPL-2.0
/*
 * Calls at random: numbers that sit on the edges of things, and operations by
 * their weight.
 */
#include "abi.h"

uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* A number that somebody may have forgotten to think of. */
uint64_t rnd_value(uint64_t *state)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 511, 512, 513,
		1023, 1024, 1025, 4095, 4096, 4097, 8191, 8192, 8193,
		GOHEAP_CHUNK_SIZE - 1, GOHEAP_CHUNK_SIZE, GOHEAP_CHUNK_SIZE + 1,
		1ULL << 31, (1ULL << 32) - 1, 1ULL << 32, 1ULL << 44, (1ULL << 44) + 1,
		1ULL << 47, 1ULL << 51, 1ULL << 63, ~0ULL, ~0ULL - 8191, ~0ULL >> 13,
	};
	uint64_t r = rnd(state);

	switch (r % 8) {
	case 0:
		return edges[(r >> 8) % (sizeof(edges) / sizeof(*edges))];
	case 1:
		return edges[(r >> 8) % (sizeof(edges) / sizeof(*edges))] + (r >> 32) % 5 - 2;
	case 2:
		return 1ULL << (r >> 8) % 64;
	case 3:
		return rnd(state);
	case 4:
		return (r >> 8) % 4096;
	default:
		return (r >> 8) % 16;
	}
}

static uint32_t op_random(uint64_t *state)
{
	unsigned int total = 0, i;
	uint64_t r;

	for (i = 0; i < nr_ops; i++)
		total += ops[i].weight;
	r = rnd(state) % total;
	for (i = 0; r >= ops[i].weight; i++)
		r -= ops[i].weight;
	return i;
}

void call_random(uint64_t *state, struct call *c)
{
	int i;

	c->op = op_random(state);
	c->slot = rnd(state) % WILD;
	for (i = 0; i < ARGS; i++)
		c->arg[i] = rnd_value(state);
}

void call_mutate(uint64_t *state, struct call *c)
{
	uint64_t r = rnd(state);
	uint64_t *arg = &c->arg[(r >> 8) % ARGS];

	switch (r % 8) {
	case 0:
		c->op = op_random(state);
		break;
	case 1:
		c->slot = (r >> 16) % WILD;
		break;
	case 2:
		*arg ^= 1ULL << (r >> 16) % 64;
		break;
	case 3:
		*arg += (r >> 16) % 9 - 4;
		break;
	default:
		*arg = rnd_value(state);
	}
}
