/* SPDX-License-Identifier: MIT */
/*
 * xref: where every identifier of a source tree is used.
 *
 * An example of a program on a collected heap: several threads, hash tables,
 * strings and lists that grow and die, and not one call of free().  Read it in
 * this order:
 *
 *	alloc.h		two functions to allocate, and why two
 *	scan.c		one file becomes a small table of its identifiers
 *	index.c		that table is merged into the index, and forgotten
 *	tree.c		which files there are
 *	output.c	the index as text, and the most frequent identifiers
 *	trace.c		the heap's figures while it runs
 *	main.c		options, threads, the report
 *
 * The life of the memory: for each file there are a buffer with its contents, a
 * hash table that doubles as it fills, an entry and a line list for each
 * identifier in it, and the identifier's name.  When the file is merged all of
 * it is garbage, except the names that the index has not met before: it keeps the
 * file's own string, since on a collected heap a pointer may be shared without
 * settling who owns it.
 *
 * An identifier is a longest run of [A-Za-z0-9_] that does not begin with a
 * digit; any other byte, NUL or above 127 too, ends it.  That is what grep -aow
 * '[A-Za-z_][A-Za-z0-9_]*' finds in the C locale.
 */
#ifndef XREF_H
#define XREF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Line and file numbers share a 32-bit word with one bit that tells them apart. */
#define NUMBER_MAX	0x7fffffffU

/*
 * tree.c
 */

/**
 * struct tree - the files to read
 * @paths: their names, sorted
 * @nr: how many
 * @room: for how many @paths has room
 * @errors: how many directories could not be read
 */
struct tree {
	char **paths;
	uint32_t nr;
	uint32_t room;
	uint32_t errors;
};

void tree_add(struct tree *tree, const char *path);
void tree_sort(struct tree *tree);

/*
 * scan.c
 */

/**
 * struct entry - one identifier in one file
 * @name: the identifier, no NUL behind it
 * @hash: of the name
 * @len: bytes in @name
 * @lines: the line of each occurrence
 * @nr_lines: number of occurrences
 * @room: for how many @lines has room
 */
struct entry {
	char *name;
	uint32_t hash;
	uint32_t len;
	uint32_t *lines;
	uint32_t nr_lines;
	uint32_t room;
};

/**
 * struct file_table - the identifiers of one file
 * @slots: hash table, open addressing; NULL is a free slot
 * @nr_slots: a power of two
 * @nr_entries: slots taken
 * @bytes: length of the file
 */
struct file_table {
	struct entry **slots;
	uint32_t nr_slots;
	uint32_t nr_entries;
	uint64_t bytes;
};

struct file_table *scan_file(const char *path);

/*
 * index.c
 */

/**
 * struct postings - some occurrences of an identifier, the newest first
 * @older: the ones before
 * @words: a file number with POSTING_FILE set, then line numbers in that file,
 *	then perhaps the next file number, and so on
 * @used: words written
 * @room: for how many @words has room
 *
 * 4 bytes an occurrence, in memory that the collector does not read.
 */
struct postings {
	struct postings *older;
	uint32_t *words;
	uint32_t used;
	uint32_t room;
};

#define POSTING_FILE	0x80000000U

/**
 * struct symbol - one identifier of the whole tree
 * @name: the identifier, no NUL behind it
 * @hash: of the name
 * @len: bytes in @name
 * @count: occurrences
 * @postings: where
 */
struct symbol {
	const char *name;
	uint32_t hash;
	uint32_t len;
	uint64_t count;
	struct postings *postings;
};

/**
 * struct index_totals - the size of the index
 * @symbols: different identifiers
 * @occurrences: all of them
 */
struct index_totals {
	uint64_t symbols;
	uint64_t occurrences;
};

void index_init(void);
void index_merge(const struct file_table *table, uint32_t file);
struct index_totals index_totals(void);
struct symbol **index_symbols(uint64_t *nr);

/*
 * output.c
 */
int write_index(const char *path, const struct tree *tree, bool lines);
void print_top(unsigned int top);

/*
 * trace.c
 */

/**
 * struct progress - how far the workers are
 * @files: files merged or skipped
 * @bytes: bytes read
 * @errors: files skipped
 */
struct progress {
	uint64_t files;
	uint64_t bytes;
	uint32_t errors;
};

extern struct progress progress;	/* use __atomic operations */

uint64_t now_ns(void);
int trace_start(const char *csv, unsigned int period_ms, bool show, uint32_t total);
void trace_stop(void);
void read_rss(uint64_t *now, uint64_t *peak);

#endif /* XREF_H */
