/* SPDX-License-Identifier: MIT */
/* Catches: an object of a size that the stack has no room for, or that is not known; a wrong
 * alignment; and bytes that are not zero. */
#include "corpus.h"

enum { ENUMERATED = 48 };

struct large {
	long a[100];
};

static const size_t constant_size = 64;
size_t variable_size = 64;
struct node *global;

/* The sum of @size bytes, 1 more if they are not aligned to @align. */
CALLEE long examine(const void *object, size_t size, size_t align)
{
	const unsigned char *bytes = object;
	long sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return (uintptr_t)object % align ? sum + 1 : sum;
}

FN long size_zero(void)
{
	char *a = goheap_alloc(0); /* stack */
	char *b = goheap_alloc(0); /* stack */

	return a == NULL || b == NULL || a == b ? -1 : 0;
}

FN long size_one(void)
{
	char *c = goheap_alloc(1); /* stack */

	*c += 1;
	return *c;
}

FN long size_8(void)
{
	long *a = goheap_alloc(8); /* stack */

	return examine(a, 8, 8);
}

FN long size_16(void)
{
	long *a = goheap_alloc(16); /* stack */

	return examine(a, 16, 16);
}

FN long size_24(void)
{
	long *a = goheap_alloc(24); /* stack */

	return examine(a, 24, 8);
}

FN long size_odd(void)
{
	char *a = goheap_alloc(1001); /* stack */

	return examine(a, 1001, 16);
}

FN long long_double_inside(void)
{
	long double *a = goheap_alloc(4 * sizeof(*a)); /* stack */

	a[1] = 7;
	return (long)a[1] + examine(a + 2, 2 * sizeof(*a), 16);
}

FN long size_64_k(void)
{
	char *a = goheap_alloc(65536); /* stack */

	return examine(a, 65536, 16);
}

FN long size_64_k_and_1(void)
{
	char *a = goheap_alloc(65537); /* heap: size|large|bytes (could stay) */

	return examine(a, 65537, 16);
}

FN long size_1_m(void)
{
	char *a = goheap_alloc(1 << 20); /* heap: size|large|bytes (could stay) */

	a[1 << 19] = 9;
	return a[1 << 19];
}

FN long constant_expression(void)
{
	long *a = goheap_alloc(sizeof(struct large) / 2 + (3 << 4) - ENUMERATED % 7); /* stack */

	return examine(a, 400, 16);
}

FN long enumerated(void)
{
	long *a = goheap_alloc(ENUMERATED); /* stack */

	return examine(a, ENUMERATED, 16);
}

FN long of_struct(void)
{
	struct large *l = goheap_alloc(sizeof(*l)); /* stack */

	l->a[99] = 12;
	return l->a[99] + l->a[98];
}

FN long of_parameter(size_t size)
{
	char *a = goheap_alloc(size); /* heap: size|constant (could stay) */

	return examine(a, size, 8);
}

FN long of_global_variable(void)
{
	char *a = goheap_alloc(variable_size); /* heap: size|constant (could stay) */

	return examine(a, variable_size, 8);
}

FN long of_constant_variable(void)
{
	char *a = goheap_alloc(constant_size); /* O0 heap: size|constant (could stay); O2 stack */

	return examine(a, constant_size, 16);
}

FN long of_local_constant(void)
{
	const size_t size = 40;
	char *a = goheap_alloc(size); /* O0 heap: size|constant (could stay); O2 stack */

	return examine(a, size, 16);
}

FN long of_folded_variable(void)
{
	size_t size = 1;
	char *a;

	size += 15;
	size *= 3;
	a = goheap_alloc(size); /* O0 heap: size|constant (could stay); O2 stack */
	return examine(a, size, 16);
}

FN long of_string_length(void)
{
	char *a = goheap_alloc_noscan(strlen("constant") + 1); /* stack */

	strcpy(a, "constant");
	return strlen(a) + 10;
}

FN long one_of_two_sizes(int large)
{
	size_t size = large ? 64 : 32;
	char *a = goheap_alloc(size); /* heap: size|constant (could stay) */

	return examine(a, size, 16);
}

FN long size_after_branches(int large)
{
	char *a;

	if (large)
		a = goheap_alloc(64); /* stack */
	else
		a = goheap_alloc(32); /* stack */
	return examine(a, large ? 64 : 32, 16);
}

static void *allocate_bytes(size_t size)
{
	return goheap_alloc(size); /* heap: size|constant|returned (must); O2 in size_through_callee: stack */
}

FN long size_through_callee(void)
{
	return examine(allocate_bytes(80), 80, 16);
}

FN long counted(int count)
{
	long *a = goheap_alloc(count * sizeof(*a)); /* heap: size|constant (could stay) */

	return examine(a, count * sizeof(*a), 8);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Walloc-size-larger-than="
FN long impossible_size(void)
{
	return goheap_alloc((size_t)-1) ? -1 : 24; /* heap: size|large|bytes (must) */
}
#pragma GCC diagnostic pop

/* Each is small enough, but not all together. */
FN long five_of_64_k(void)
{
	char *a = goheap_alloc(65536); /* stack */
	char *b = goheap_alloc(65536); /* stack */
	char *c = goheap_alloc(65536); /* stack */
	char *d = goheap_alloc(65536); /* stack */
	char *e = goheap_alloc(65536); /* heap: objects|frame|size|large|bytes (could stay) */

	return examine(a, 65536, 16) + examine(b, 65536, 16) + examine(c, 65536, 16) +
	       examine(d, 65536, 16) + examine(e, 65536, 16);
}

FN long not_scanned(void)
{
	double *a = goheap_alloc_noscan(8 * sizeof(*a)); /* stack */

	a[1] = 26;
	return a[0] + a[1];
}

FN double *not_scanned_returned(void)
{
	double *a = goheap_alloc_noscan(8 * sizeof(*a)); /* heap: returned (must) */

	a[1] = 27;
	return a;
}

/* Small objects share a block, and may be aligned to less. */
FN long not_scanned_and_tiny(void)
{
	char *a = goheap_alloc_noscan(1); /* stack */
	char *b = goheap_alloc_noscan(2); /* stack */
	long *c = goheap_alloc_noscan(8); /* stack */

	*a += 1;
	b[1] += 2;
	*c += 25;
	return *a + b[0] + b[1] + *c;
}

/* Zeroed each time that the call is reached. */
FN long zeroed_each_time(int times)
{
	long sum = 0;

	while (times--) {
		char *a = goheap_alloc_noscan(256); /* stack */

		sum += examine(a, 256, 16);
		memset(a, 0xff, 256);
	}
	return sum;
}

int main(void)
{
	double *d;

	CHECK(size_zero(), 0);
	CHECK(size_one(), 1);
	CHECK(size_8(), 0);
	CHECK(size_16(), 0);
	CHECK(size_24(), 0);
	CHECK(size_odd(), 0);
	CHECK(long_double_inside(), 7);
	CHECK(size_64_k(), 0);
	CHECK(size_64_k_and_1(), 0);
	CHECK(size_1_m(), 9);
	CHECK(constant_expression(), 0);
	CHECK(enumerated(), 0);
	CHECK(of_struct(), 12);
	CHECK(of_parameter(100), 0);
	CHECK(of_global_variable(), 0);
	CHECK(of_constant_variable(), 0);
	CHECK(of_local_constant(), 0);
	CHECK(of_folded_variable(), 0);
	CHECK(of_string_length(), 18);
	CHECK(one_of_two_sizes(1), 0);
	CHECK(size_after_branches(0), 0);
	CHECK(size_through_callee(), 0);
	CHECK(counted(10), 0);
	CHECK(impossible_size(), 24);
	CHECK(five_of_64_k(), 0);
	CHECK(not_scanned(), 26);
	CHECK_AFTER(d = not_scanned_returned(), d[1], 27);
	CHECK(not_scanned_and_tiny(), 28);
	CHECK(zeroed_each_time(4), 0);
	return corpus_failed;
}
