// SPDX-License-Identifier: GPL-2.0
/*
 * Iterator objects: a table of lists is walked by an object that knows where it is; others
 * stand before it that let only some of what it finds through, or join two.
 *
 * An iterator points to the one before it, and to the table: a pointer from one object
 * that does not escape to another.
 */
#include "program.h"

#define BUCKETS		64
#define ENTRIES		256

struct entry {
	struct entry *next;
	long key;
	long value;
};

struct table {
	struct entry *bucket[BUCKETS];
};

struct walk {
	const struct table *table;
	const struct entry *entry;
	int bucket;
};

struct filter {
	struct walk *from;
	long divisor;
};

struct pair {
	const struct entry *left;
	const struct entry *right;
};

struct zip {
	struct filter *left;
	struct filter *right;
};

static void put(struct table *t, long key, long value)
{
	struct entry *e = object(sizeof(*e));

	e->key = key;
	e->value = value;
	e->next = t->bucket[key % BUCKETS];
	t->bucket[key % BUCKETS] = e;
}

static struct walk *walk(const struct table *t)
{
	struct walk *w = object(sizeof(*w));

	w->table = t;
	w->entry = NULL;
	w->bucket = -1;
	return w;
}

static const struct entry *walk_next(struct walk *w)
{
	if (w->entry)
		w->entry = w->entry->next;
	while (!w->entry && ++w->bucket < BUCKETS)
		w->entry = w->table->bucket[w->bucket];
	return w->entry;
}

static struct filter *filter(struct walk *from, long divisor)
{
	struct filter *f = object(sizeof(*f));

	f->from = from;
	f->divisor = divisor;
	return f;
}

static const struct entry *filter_next(struct filter *f)
{
	const struct entry *e;

	do
		e = walk_next(f->from);
	while (e && e->key % f->divisor);
	return e;
}

static struct zip *zip(struct filter *left, struct filter *right)
{
	struct zip *z = object(sizeof(*z));

	z->left = left;
	z->right = right;
	return z;
}

static bool zip_next(struct zip *z, struct pair *p)
{
	p->left = filter_next(z->left);
	p->right = filter_next(z->right);
	return p->left && p->right;
}

/* One walk to the end. */
static long total(const struct table *t, long divisor)
{
	struct filter *f = filter(walk(t), divisor);
	const struct entry *e;
	long sum = 0;

	while ((e = filter_next(f)))
		sum += e->value;
	return sum;
}

/* Two of them side by side, a new object for each pair. */
static long product(const struct table *a, const struct table *b, long divisor)
{
	struct zip *z = zip(filter(walk(a), divisor), filter(walk(b), divisor));
	long sum = 0;

	for (;;) {
		struct pair *p = object(sizeof(*p));

		if (!zip_next(z, p))
			return sum;
		sum += p->left->value * p->right->value;
	}
}

/* The first key at which something is: a short life. */
static long first(const struct table *t, long divisor)
{
	const struct entry *e = filter_next(filter(walk(t), divisor));

	return e ? e->value : 0;
}

int main(int argc, char **argv)
{
	long n = times(argc, argv, "iter N");
	struct table *a = object(sizeof(*a)), *b = object(sizeof(*b));
	uint64_t seed = 88172645463325252ull, result = 0;

	for (int i = 0; i < ENTRIES; i++) {
		put(a, i, random_next(&seed) % 1000);
		put(b, i, random_next(&seed) % 1000);
	}
	for (long i = 0; i < n; i++) {
		result = result * 31 + (uint64_t)first(a, 1 + i % 7);
		if (i % 16 == 0)
			result += (uint64_t)total(b, 2 + i % 5);
		if (i % 32 == 0)
			result += (uint64_t)product(a, b, 1 + i % 3);
	}
	printf("%ld walks, %" PRIu64 "\n", n, result);
	return 0;
}
