// SPDX-License-Identifier: GPL-2.0
/*
 * A string builder: an object, and the text it has so far, which begins with 64
 * bytes and is replaced by another twice as large when it is full.
 *
 * Most lines that are made here need no more than the first 64 bytes.  The sizes of the
 * larger texts are not known to the compiler, so these come from the heap.
 */
#include "program.h"

#define FIRST		64

struct builder {
	char *text;
	size_t length;
	size_t room;
};

static inline struct builder *builder(void)
{
	struct builder *b = object(sizeof(*b));

	b->text = text(FIRST);
	b->room = FIRST;
	return b;
}

static void grow(struct builder *b, size_t least)
{
	size_t room = 2 * b->room;
	char *larger;

	while (room < least)
		room *= 2;
	larger = text(room);
	memcpy(larger, b->text, b->length);
	b->text = larger;
	b->room = room;
}

static void add(struct builder *b, const char *s, size_t n)
{
	if (b->length + n > b->room)
		grow(b, b->length + n);
	memcpy(b->text + b->length, s, n);
	b->length += n;
}

static void add_string(struct builder *b, const char *s)
{
	add(b, s, strlen(s));
}

static void add_number(struct builder *b, unsigned long n)
{
	char digits[24];
	int i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	add(b, digits + i, sizeof(digits) - (size_t)i);
}

static uint32_t hash(const struct builder *b)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < b->length; i++)
		h = (h ^ (unsigned char)b->text[i]) * 16777619u;
	return h;
}

/* A line of a log; one in eight has a list in it, and is long. */
static uint32_t line(long number, uint64_t *seed)
{
	static const char *const level[] = { "debug", "info", "warning", "error" };
	struct builder *b = builder();

	add_number(b, (unsigned long)number);
	add_string(b, " ");
	add_string(b, level[random_next(seed) % 4]);
	add_string(b, " user=");
	add_number(b, random_next(seed) % 100000);
	add_string(b, " bytes=");
	add_number(b, random_next(seed));
	if (number % 8 == 0)
		for (int i = 0; i < 10; i++) {
			add_string(b, ", item ");
			add_number(b, random_next(seed) % 1000);
		}
	return hash(b);
}

int main(int argc, char **argv)
{
	long n = times(argc, argv, "strbuf N");
	uint64_t seed = 88172645463325252ull;
	uint32_t result = 0;

	for (long i = 0; i < n; i++)
		result = result * 31 + line(i, &seed);
	printf("%ld lines, %" PRIu32 "\n", n, result);
	return 0;
}
