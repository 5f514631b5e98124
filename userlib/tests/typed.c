// SPDX-License-Identifier: MIT
/*
 * Catches: goheap_alloc_typed() that looks at a word which is no pointer, misses one that
 * is, anywhere in an array of any size, or takes what is no type.
 */
#include "gc.h"
#include "tap.h"

struct node {
	uintptr_t number;
	void *pointer;
	uintptr_t more[2];
	void *pointers[2];
};

GOHEAP_DEFINE_TYPE(node_type, struct node,
		   GOHEAP_POINTER(struct node, pointer) | GOHEAP_POINTERS(struct node, pointers));

/* Over 64 words, so that the bitmap has three. */
struct wide {
	uintptr_t numbers[63];
	void *last_of_first;
	void *first_of_second;
	uintptr_t more[62];
	void *last_of_second;
	uintptr_t number;
	void *in_third;
	uintptr_t tail[3];
};

GOHEAP_DEFINE_TYPE(wide_type, struct wide,
		   GOHEAP_POINTER(struct wide, last_of_first),
		   GOHEAP_POINTER_IN(1, struct wide, first_of_second) |
		   GOHEAP_POINTER_IN(1, struct wide, last_of_second),
		   GOHEAP_POINTER_IN(2, struct wide, in_third));

static bool is_pointer(const struct goheap_type *type, size_t word)
{
	word %= type->size / 8;
	return type->pointers && type->pointers[word / 64] >> (word % 64) & 1;
}

#define CANARIES	2000

struct objects {
	const struct goheap_type *type;
	size_t count;
	bool pointers;			/* put the addresses into the pointers, or into the rest */
	unsigned int n;
	void **held;			/* static: an array of the objects */
	uintptr_t *hidden;
};

/* Objects of the type with addresses of canaries in the words wanted, and in no others. */
static void fill(void *arg)
{
	struct objects *o = arg;
	size_t words = o->type->size / 8 * o->count, left = 0;
	void **object = NULL;
	size_t word = words;

	for (unsigned int i = 0; i < o->n; i++) {
		do {
			if (word == words) {
				object = goheap_alloc_typed(o->type, o->count);
				CHECK(object);
				o->held[left++] = object;
				word = 0;
			}
		} while (is_pointer(o->type, word++) != o->pointers);
		object[word - 1] = canary_new(i);
		o->hidden[i] = hide(object[word - 1]);
	}
}

static unsigned int survivors(const struct goheap_type *type, size_t count, bool pointers)
{
	static void *held[CANARIES];
	static uintptr_t hidden[CANARIES];
	struct objects o = { type, count, pointers, CANARIES, held, hidden };

	memset(held, 0, sizeof(held));
	in_thread(fill, &o);
	collect_hard();
	return canaries_alive(hidden, CANARIES);
}

static const size_t counts[] = { 1, 2, 3, 7, 50, 600, 682, 683, 2000, 10000 };

CASE(pointers, "what a type's pointers point to lives, in arrays of every size")
{
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		CHECK_CMP(survivors(&node_type, counts[i], true), ==, CANARIES);
		if (counts[i] < 1000)
			CHECK_CMP(survivors(&wide_type, counts[i], true), ==, CANARIES);
	}
}

CASE(numbers, "what only its other words point to is collected")
{
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		CHECK_CMP(survivors(&node_type, counts[i], false), <, CANARIES / 20);
		if (counts[i] < 1000)
			CHECK_CMP(survivors(&wide_type, counts[i], false), <, CANARIES / 20);
	}
}

CASE(slots, "the bytes asked for are there, zero, and aligned as goheap_alloc()'s; the type's are not")
{
	for (size_t count = 1; count < 5000; count += count / 8 + 1) {
		size_t size = count * sizeof(struct node);
		uintptr_t *p = goheap_alloc_typed(&node_type, count);
		size_t got = goheap_usable_size(p);

		CHECK_CMP((uintptr_t)p % 16, ==, 0);
		CHECK_CMP(got, >=, size);
		CHECK_CMP(goheap_base((char *)p + got - 1), ==, (void *)p);
		for (size_t i = 0; i < got / 8; i++)
			CHECK_CMP(p[i], ==, 0);
		/* All of it may be used. */
		memset(p, 0xff, got);
	}
	goheap_collect();
}

struct pair {
	void *p;
	uintptr_t n;
};

GOHEAP_DEFINE_TYPE(pair_type, struct pair, GOHEAP_POINTER(struct pair, p));

CASE(pairs, "objects of 16 bytes are aligned to 16, for instructions that exchange both words")
{
	for (int i = 0; i < 1000; i++) {
		struct pair *p = goheap_alloc_typed(&pair_type, 1);

		CHECK_CMP((uintptr_t)p % 16, ==, 0);
		CHECK_CMP(goheap_usable_size(p), >=, 16);
	}
	CHECK_CMP(survivors(&pair_type, 1, true), ==, CANARIES);
	CHECK_CMP(survivors(&pair_type, 1, false), <, CANARIES / 20);
}

struct all {
	void *p[3];
};

struct none {
	int32_t n[5];
};

GOHEAP_DEFINE_TYPE(all_type, struct all, GOHEAP_POINTERS(struct all, p));
GOHEAP_DEFINE_TYPE(none_type, struct none, 0);
static const struct goheap_type null_type = { 24, NULL, "no bitmap" };

CASE(plain, "a type of pointers alone, or without any, costs no byte more")
{
	CHECK_CMP(goheap_usable_size(goheap_alloc_typed(&all_type, 1)), ==, 24);
	CHECK_CMP(goheap_usable_size(goheap_alloc_typed(&all_type, 2)), ==, 48);
	CHECK_CMP(goheap_usable_size(goheap_alloc_typed(&none_type, 4)), ==, 80);
	CHECK_CMP(survivors(&all_type, 5, true), ==, CANARIES);
	CHECK_CMP(survivors(&null_type, 5, false), <, CANARIES / 20);
}

/* A type on the stack that is gone, and its place used for something else. */
static void *from_the_stack(size_t word)
{
	uint64_t bits = (uint64_t)1 << word;
	struct goheap_type type = { 48, &bits, NULL };

	return goheap_alloc_typed(&type, 1);
}

CASE(copied, "the description need not stay, nor stay as it is")
{
	enum { N = 600 };
	static void *place[N];
	static uintptr_t hidden[N];
	static void **object[N];

	canaries_make(place, hidden, N);
	for (int i = 0; i < N; i++) {
		object[i] = from_the_stack(i % 6);
		CHECK(object[i]);
		object[i][i % 6] = place[i];
	}
	memset(place, 0, sizeof(place));
	scrub_stack();
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	for (int i = 0; i < N; i++)
		CHECK(object[i][i % 6]);
}

static void *use_types(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	static void **objects[4][256];
	void ***mine = objects[(uintptr_t)arg];

	for (int i = 0; i < (TSAN ? 1000 : 20000); i++) {
		uint64_t bits = rnd(&seed) & 0xffff;
		struct goheap_type type = { 128, &bits, NULL };
		unsigned int at = i % 256;
		void **p = mine[at];

		if (p)
			CHECK(canary_ok(*(struct canary **)p[15], (uintptr_t)p[14]));
		bits = (bits & 0x1fff) | 0x8000;
		p = goheap_alloc_typed(&type, 1);
		CHECK(p);
		mine[at] = p;
		p[15] = goheap_alloc(sizeof(void *));
		*(void **)p[15] = canary_new(i);
		p[14] = (void *)(uintptr_t)i;
	}
	return NULL;
}

CASE(many, "8,192 types in four threads, found again and not mixed up", "GOHEAP_GOGC=50")
{
	uint64_t before = stats().metadata_bytes;
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, use_types, (void *)(intptr_t)i));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
	/* Each is there once. */
	CHECK_CMP(stats().metadata_bytes - before, <, 4 * MIB);
}

/* The kind of an object that is moved: see realloc.c. */
static void moved(bool pointers)
{
	enum { N = 600 };
	static void *place[N];
	static uintptr_t hidden[N];
	static struct node *table;
	size_t n = 1;

	table = goheap_alloc_typed(&node_type, n);
	while (n < N) {
		n *= 2;
		table = goheap_realloc(table, n * sizeof(*table));
		CHECK(table);
	}
	canaries_make(place, hidden, N);
	for (int i = 0; i < N; i++) {
		if (pointers)
			table[i].pointers[1] = place[i];
		else
			table[i].more[1] = (uintptr_t)place[i];
	}
	memset(place, 0, sizeof(place));
	for (int round = 0; round < 3; round++) {
		collect_hard();
		if (pointers)
			CHECK_CMP(canaries_alive(hidden, N), ==, N);
		else
			CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
		/* To a large object, and back to a small one. */
		table = goheap_realloc(table, round ? N * sizeof(*table) : MIB);
		CHECK(table);
	}
}

CASE(moved_pointers, "an object that is moved keeps its type: pointers keep their targets")
{
	moved(true);
}

CASE(moved_numbers, "an object that is moved keeps its type: other words keep nothing")
{
	moved(false);
}

CASE(cut, "pointers in part of an element are seen, too")
{
	static uintptr_t hidden[1];
	static void *place[1];
	static struct wide *w;

	w = goheap_realloc(goheap_alloc_typed(&wide_type, 4),
			   3 * sizeof(*w) + offsetof(struct wide, more));
	canaries_make(place, hidden, 1);
	w[3].first_of_second = place[0];
	place[0] = NULL;
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, 1), ==, 1);
}

/* Not to be repeated at home: it is about what the collector makes of a bug. */
CASE(overrun, "writing beyond an object's end does not lead the collector astray")
{
	enum { N = 500 };
	static void *place[N];
	static uintptr_t hidden[N];
	static uintptr_t *object[N];

	canaries_make(place, hidden, N);
	for (int i = 0; i < N; i++) {
		object[i] = goheap_alloc_typed(&node_type, 1);
		/* Where a pointer is, so that only another's type could make it none. */
		object[i][0] = (uintptr_t)place[i];
		*(volatile uintptr_t *)((char *)object[i] + goheap_usable_size(object[i])) =
			i % 2 ? UINTPTR_MAX : (uintptr_t)place[i];
	}
	memset(place, 0, sizeof(place));
	collect_hard();
	/* What has no type that makes sense is searched word by word. */
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	for (int i = 0; i < N; i++)
		CHECK(goheap_realloc(object[i], 500));
}

CASE(bad, "what is no type is EINVAL, what cannot be had ENOMEM")
{
	static const uint64_t none[1], one[1] = { 1 }, beyond[1] = { 1 << 3 }, top[1] = { 1ull << 63 };
	static const uint64_t two[2] = { 0, 1 };
	static uint64_t many[MIB / 8];
	const struct goheap_type bad[] = {
		{ 0, one, "size 0" }, { 0, NULL, "size 0, no pointers" },
		{ 4, one, "less than a word" }, { 12, one, "not whole words" },
		{ 24, beyond, "beyond the end" }, { 504, top, "beyond the end, in the first word" },
		{ 512 - 8, top, "one beyond the end" }, { 516, two, "a word that is not whole" },
		{ 4 * MIB, many, "too large" }, { SIZE_MAX, many, "far too large" },
		{ SIZE_MAX - 7, many, "far too large, in whole words" },
	};
	const struct goheap_type good[] = {
		{ 4, none, NULL }, { 12, none, NULL }, { 516, many, NULL }, { 512, top, NULL },
		{ 520, two, NULL }, { 2 * MIB, many, NULL }, { 3, NULL, NULL },
		{ 4 * MIB, NULL, NULL },
	};

	many[5] = 1;
	CHECK_ERR(goheap_alloc_typed(NULL, 1), NULL, EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (bad[i].pointers == many)
			CHECK_CMP(bad[i].size, >, 2 * MIB);
		CHECK_ERR(goheap_alloc_typed(&bad[i], 1), NULL, EINVAL);
		CHECK_ERR(goheap_alloc_typed(&bad[i], 0), NULL, EINVAL);
	}
	many[5] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK(goheap_alloc_typed(&good[i], 1));
		CHECK(goheap_alloc_typed(&good[i], 0));
		CHECK_CMP(goheap_usable_size(goheap_alloc_typed(&good[i], 0)), >=, 1);
	}
	CHECK_ERR(goheap_alloc_typed(&node_type, SIZE_MAX / 2), NULL, EINVAL);
	CHECK_ERR(goheap_alloc_typed(&node_type, SIZE_MAX / 48 + 1), NULL, EINVAL);
	CHECK_ERR(goheap_alloc_typed(&node_type, SIZE_MAX / 48), NULL, ENOMEM);
	CHECK_ERR(goheap_alloc_typed(&null_type, SIZE_MAX / 24), NULL, ENOMEM);
	CHECK_ERR(goheap_alloc_typed(&all_type, SIZE_MAX / 24), NULL, ENOMEM);
}
