// SPDX-License-Identifier: MIT
/*
 * The index as text, and the identifiers that are used most.
 *
 * The arrays that are sorted here hold copies of pointers; the index itself
 * keeps the symbols alive whatever qsort() does with them meanwhile.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "xref.h"

static int by_name(const void *a, const void *b)
{
	const struct symbol *x = *(struct symbol *const *)a, *y = *(struct symbol *const *)b;
	int order = memcmp(x->name, y->name, x->len < y->len ? x->len : y->len);

	if (order)
		return order;
	return (x->len > y->len) - (x->len < y->len);
}

static int by_count(const void *a, const void *b)
{
	const struct symbol *x = *(struct symbol *const *)a, *y = *(struct symbol *const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return by_name(a, b);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* A name may hold any byte; a line of text may not hold a newline. */
static void write_path(FILE *f, const char *path)
{
	for (; *path; path++) {
		if (*path == '\n')
			fputs("\\n", f);
		else if (*path == '\\')
			fputs("\\\\", f);
		else
			putc(*path, f);
	}
}

static void write_lines(FILE *f, const struct tree *tree, const struct symbol *symbol)
{
	uint64_t *where = new_data(symbol->count * sizeof(*where));
	const struct postings *p;
	uint64_t file = 0, n = 0;
	uint32_t i;

	for (p = symbol->postings; p; p = p->older) {
		for (i = 0; i < p->used; i++) {
			if (p->words[i] & POSTING_FILE)
				file = p->words[i] & ~POSTING_FILE;
			else
				where[n++] = file << 32 | p->words[i];
		}
	}
	qsort(where, n, sizeof(*where), by_number);
	for (i = 0; i < n; i++) {
		putc('\t', f);
		write_path(f, tree->paths[where[i] >> 32]);
		fprintf(f, ":%" PRIu32 "\n", (uint32_t)where[i]);
	}
}

/**
 * write_index() - write the whole index, sorted by identifier
 * @path: name of the file to write, "-" for stdout
 * @tree: the files
 * @lines: after each identifier, each occurrence as <tab>file:line
 *
 * Return: 0; -1 and a message on stderr.
 */
int write_index(const char *path, const struct tree *tree, bool lines)
{
	struct symbol **all;
	uint64_t nr, i;
	int err = 0;
	FILE *f;

	f = strcmp(path, "-") ? fopen(path, "w") : stdout;
	if (!f) {
		fprintf(stderr, "xref: %s: %s\n", path, strerror(errno));
		return -1;
	}
	all = index_symbols(&nr);
	qsort(all, nr, sizeof(*all), by_name);
	for (i = 0; i < nr; i++) {
		fwrite(all[i]->name, 1, all[i]->len, f);
		fprintf(f, "\t%" PRIu64 "\n", all[i]->count);
		if (lines)
			write_lines(f, tree, all[i]);
	}
	if (ferror(f) || fflush(f))
		err = errno;
	if (f != stdout && fclose(f) && !err)
		err = errno;
	if (err) {
		fprintf(stderr, "xref: %s: %s\n", path, strerror(err));
		return -1;
	}
	return 0;
}

/**
 * print_top() - print the most frequent identifiers on stdout
 * @top: how many
 */
void print_top(unsigned int top)
{
	struct symbol **all;
	uint64_t nr, i;

	all = index_symbols(&nr);
	qsort(all, nr, sizeof(*all), by_count);
	for (i = 0; i < nr && i < top; i++)
		printf("%12" PRIu64 "  %.*s\n", all[i]->count, (int)all[i]->len, all[i]->name);
}
