/* SPDX-License-Identifier: MIT */
/* Catches: an address that leaves its frame as an integer, and one that stays and is taken
 * for one that leaves. */
#include "corpus.h"

#define MASK UINT64_C(0x5555555555555555)

struct node *global;
uintptr_t global_word;
long global_count;

static struct node *to_node(uintptr_t word)
{
	return (struct node *)word;
}

FN uintptr_t integer_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 1;
	return (uintptr_t)n;
}

FN long integer_and_back(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	uintptr_t word = (uintptr_t)n;

	n->value = 2;
	return to_node(word)->value;
}

FN uintptr_t xored_with_constant(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 3;
	return (uintptr_t)n ^ MASK;
}

FN long xor_of_two(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	uintptr_t both = (uintptr_t)a ^ (uintptr_t)b;

	b->value = 4;
	return to_node(both ^ (uintptr_t)a)->value;
}

FN void xor_of_two_escapes(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: global (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: global (must) */

	b->value = 5;
	global = a;
	global_word = (uintptr_t)a ^ (uintptr_t)b;
}

FN long tagged(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	uintptr_t word = (uintptr_t)n | 1;

	n->value = 6;
	return word & 1 ? to_node(word & ~(uintptr_t)1)->value : -1;
}

FN uintptr_t tagged_and_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 7;
	return (uintptr_t)n | 1;
}

FN long tag_in_other_object(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	uintptr_t *words = goheap_alloc(4 * sizeof(*words)); /* stack */

	words[1] = (uintptr_t)n + 3;
	n->value = 8;
	return to_node(words[1] - 3)->value;
}

FN long arithmetic(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	uintptr_t word = (uintptr_t)n;

	word = word * 4 + 12;
	n->value = 9;
	return to_node(word / 4 - 3)->value;
}

FN uintptr_t arithmetic_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 10;
	return -((uintptr_t)n << 1);
}

FN uintptr_t halves_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */
	uint32_t low = (uintptr_t)n, high = (uintptr_t)n >> 32;

	n->value = 11;
	return (uintptr_t)high << 32 | low;
}

FN long double_and_back(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	double number = (uintptr_t)n;

	n->value = 12;
	return to_node((uintptr_t)number)->value;
}

/* An address has at most 53 significant bits: nothing is lost. */
FN double double_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 13;
	return (uintptr_t)n;
}

FN void integer_in_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 14;
	global_word = (uintptr_t)n + 1;
}

FN long branched_on(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 15;
	if ((uintptr_t)n % 8)
		return -1;
	return n->value;
}

/* Sixteen is how goheap_alloc() aligns objects of this size. */
FN long low_bits_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (could stay) */

	n->value = 16;
	return (uintptr_t)n & 15;
}

FN long address_as_index(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	unsigned char seen[64] = { 0 };
	long sum = 0;

	seen[(uintptr_t)n / 16 % 64] = 17;
	n->value = 1;
	for (size_t i = 0; i < sizeof(seen); i++)
		sum += seen[i];
	return sum;
}

CALLEE uintptr_t hash(uintptr_t word)
{
	return word * UINT64_C(0x9e3779b97f4a7c15);
}

FN long hashed_and_branched_on(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 18;
	if (hash((uintptr_t)n) == 1)
		n->value++;
	return n->value;
}

/* The hash could be undone: it is the address times an odd number. */
FN uintptr_t hash_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 19;
	return hash((uintptr_t)n);
}

FN long difference_branched_on(void)
{
	long *a = goheap_alloc(4 * sizeof(*a)); /* stack */
	long *p = a;

	a[2] = 20;
	while (*p == 0)
		p++;
	return p - a == 2 ? *p : -1;
}

/* How far into the object says nothing about where it is. */
FN long difference_returned(void)
{
	long *a = goheap_alloc(4 * sizeof(*a)); /* stack */
	long *p = a;

	a[3] = 1;
	while (*p == 0)
		p++;
	return p - a;
}

FN long compared_and_branched_on(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->value = 22;
	b->value = 1;
	if (a == b)
		return -1;
	return a->value + b->value;
}

FN long compared_and_returned(struct node *other)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned|compar (could stay) */

	n->value = 1;
	other->value = 2;
	return n == other;
}

FN void compared_and_stored(struct node *other)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|compar (could stay) */

	n->value = 1;
	global_count += n < other;
}

FN long ordered_and_branched_on(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *low = (uintptr_t)a < (uintptr_t)b ? a : b;
	struct node *high = (uintptr_t)a < (uintptr_t)b ? b : a;

	low->value = 24;
	high->value = 1;
	return a->value + b->value;
}

FN long compared_with_null(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	if (!n)
		return -1;
	n->value = 26;
	return n->value;
}

/* Whether there is an object is no address: nothing is compared but NULL. */
FN long null_comparison_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 1;
	return n != NULL;
}

FN long compared_with_field(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	b->value = 28;
	if (a->next == b && b->next == NULL)
		return b->value;
	return -1;
}

FN long counted_by_comparison(struct node *other)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long same = 0;

	n->value = 29;
	if (n == other)
		same++;
	return n->value + same;
}

typedef uintptr_t two_words __attribute__((vector_size(16)));

FN long vector_and_back(int i)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	two_words both = { (uintptr_t)n, (uintptr_t)n };

	n->value = 30;
	both += 8;
	return to_node(both[i] - 8)->value;
}

FN two_words vector_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */
	two_words both = { 1, (uintptr_t)n };

	n->value = 31;
	return both;
}

FN __int128 wide_integer_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 32;
	return (__int128)(uintptr_t)n << 64 | 1;
}

FN long bit_fields(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	struct split {
		uint64_t low : 30, high : 34;
	} *s = goheap_alloc_noscan(sizeof(*s)); /* stack */

	s->low = (uintptr_t)n & 0x3fffffff;
	s->high = (uintptr_t)n >> 30;
	n->value = 33;
	return to_node((uintptr_t)s->high << 30 | s->low)->value;
}

struct tagged_pointer {
	uint64_t tag : 16, address : 48;
};

FN void bit_fields_in_parameter(struct tagged_pointer *out)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter (must) */

	n->value = 34;
	out->tag = 1;
	out->address = (uintptr_t)n;
}

FN _Complex double complex_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */
	_Complex double z = 1;

	n->value = 35;
	__imag__ z = (uintptr_t)n;
	return z;
}

/* Byte by byte through a register, and not through memory. */
FN uintptr_t bytes_reversed_and_returned(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = 36;
	return __builtin_bswap64((uintptr_t)n);
}

int main(void)
{
	struct tagged_pointer tagged_pointer;
	struct node other = { NULL, 0 };
	uintptr_t word;

	CHECK_AFTER(word = integer_returned(), to_node(word)->value, 1);
	CHECK(integer_and_back(), 2);
	CHECK(to_node(xored_with_constant() ^ MASK)->value, 3);
	CHECK(xor_of_two(), 4);
	CHECK((xor_of_two_escapes(), to_node((uintptr_t)global ^ global_word)->value), 5);
	CHECK(tagged(), 6);
	CHECK_AFTER(word = tagged_and_returned(), to_node(word - 1)->value, 7);
	CHECK(tag_in_other_object(), 8);
	CHECK(arithmetic(), 9);
	CHECK(to_node(-arithmetic_returned() >> 1)->value, 10);
	CHECK_AFTER(word = halves_returned(), to_node(word)->value, 11);
	CHECK(double_and_back(), 12);
	CHECK(to_node((uintptr_t)double_returned())->value, 13);
	CHECK_AFTER(integer_in_global(), to_node(global_word - 1)->value, 14);
	CHECK(branched_on(), 15);
	CHECK(low_bits_returned(), 0);
	CHECK(address_as_index(), 17);
	CHECK(hashed_and_branched_on(), 18);
	/* The inverse of the factor, modulo 2 to the 64th. */
	CHECK(to_node(hash_returned() * UINT64_C(0xf1de83e19937733d))->value, 19);
	CHECK(difference_branched_on(), 20);
	CHECK(difference_returned(), 3);
	CHECK(compared_and_branched_on(), 23);
	CHECK(compared_and_returned(&other), 0);
	CHECK((compared_and_stored(&other), global_count <= 3), 1);
	CHECK(ordered_and_branched_on(), 25);
	CHECK(compared_with_null(), 26);
	CHECK(null_comparison_returned(), 1);
	CHECK(compared_with_field(), 28);
	CHECK(counted_by_comparison(&other), 29);
	CHECK(vector_and_back(1), 30);
	CHECK_AFTER(word = vector_returned()[1], to_node(word)->value, 31);
	CHECK_AFTER(word = wide_integer_returned() >> 64, to_node(word)->value, 32);
	CHECK(bit_fields(), 33);
	CHECK((bit_fields_in_parameter(&tagged_pointer), to_node(tagged_pointer.address)->value), 34);
	CHECK(to_node((uintptr_t)__imag__ complex_returned())->value, 35);
	CHECK(to_node(__builtin_bswap64(bytes_reversed_and_returned()))->value, 36);
	return corpus_failed;
}
