// SPDX-License-Identifier: MIT
/*
 * One file becomes a table of its identifiers and their lines.
 *
 * Everything allocated here is for this file alone and is dropped by the caller
 * once the index has taken over what it wants.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "xref.h"

#define FIRST_SLOTS	64
#define FIRST_LINES	4

enum { OTHER, DIGIT, LETTER };

/* Not isalnum(): that would depend on the locale. */
static const unsigned char class_of[256] = {
	['0' ... '9'] = DIGIT,
	['A' ... 'Z'] = LETTER,
	['a' ... 'z'] = LETTER,
	['_'] = LETTER,
};

struct buffer {
	unsigned char *data;
	size_t len;
};

static void table_double(struct file_table *table)
{
	uint32_t nr_slots = table->nr_slots * 2;
	struct entry **slots = new_object(nr_slots * sizeof(*slots));
	uint32_t i, at;

	for (i = 0; i < table->nr_slots; i++) {
		struct entry *entry = table->slots[i];

		if (!entry)
			continue;
		at = entry->hash & (nr_slots - 1);
		while (slots[at])
			at = (at + 1) & (nr_slots - 1);
		slots[at] = entry;
	}
	table->slots = slots;
	table->nr_slots = nr_slots;
}

static struct entry *table_get(struct file_table *table, const unsigned char *name,
			       uint32_t len, uint32_t hash)
{
	struct entry *entry;
	uint32_t at;

	at = hash & (table->nr_slots - 1);
	while ((entry = table->slots[at])) {
		if (entry->hash == hash && entry->len == len && !memcmp(entry->name, name, len))
			return entry;
		at = (at + 1) & (table->nr_slots - 1);
	}

	/*
	 * The name is copied: a pointer into the buffer would be allowed, but
	 * would keep the whole of the buffer as long as the index keeps the name.
	 */
	entry = new_object(sizeof(*entry));
	entry->name = grow_data(name, len, len);
	entry->len = len;
	entry->hash = hash;
	table->slots[at] = entry;
	if (++table->nr_entries > table->nr_slots / 4 * 3)
		table_double(table);
	return entry;
}

static void entry_add_line(struct entry *entry, uint32_t line)
{
	if (entry->nr_lines == entry->room) {
		uint32_t room = entry->room ? entry->room * 2 : FIRST_LINES;

		entry->lines = grow_data(entry->lines, entry->nr_lines * sizeof(*entry->lines),
					 room * sizeof(*entry->lines));
		entry->room = room;
	}
	entry->lines[entry->nr_lines++] = line;
}

/* Reads to the end, whatever the file's size is said to be: files grow, and those of /proc are 0. */
static int read_all(int fd, size_t expected, struct buffer *buf)
{
	size_t room = expected + 1;		/* + 1: to meet the end without growing */
	ssize_t n;

	buf->data = new_data(room);
	buf->len = 0;
	for (;;) {
		n = read(fd, buf->data + buf->len, room - buf->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		buf->len += n;
		if (buf->len == room) {
			room = room * 2 < 4096 ? 4096 : room * 2;
			buf->data = grow_data(buf->data, buf->len, room);
		}
	}
}

static int load(const char *path, struct buffer *buf)
{
	struct stat st;
	int fd, ret, err;

	/* O_NONBLOCK: a FIFO that took the file's place must not hold us up. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -1;
	ret = fstat(fd, &st);
	if (!ret && !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		ret = -1;
	}
	if (!ret)
		ret = read_all(fd, st.st_size, buf);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static int tokenise(struct file_table *table, const struct buffer *buf)
{
	const unsigned char *p = buf->data, *end = p + buf->len;
	uint32_t line = 1;

	while (p < end) {
		const unsigned char *start = p;
		uint32_t hash = 2166136261U;		/* FNV-1a */

		if (class_of[*p] == OTHER) {
			if (*p++ == '\n' && line++ == NUMBER_MAX)
				goto too_large;
			continue;
		}
		do {
			hash = (hash ^ *p++) * 16777619U;
		} while (p < end && class_of[*p] != OTHER);
		if (class_of[*start] != LETTER)
			continue;			/* a number, or 0x1f, or 1st */
		if ((size_t)(p - start) > NUMBER_MAX)
			goto too_large;
		hash ^= hash >> 15;			/* the low bits choose the slot */
		entry_add_line(table_get(table, start, p - start, hash), line);
	}
	return 0;

too_large:
	errno = EFBIG;
	return -1;
}

/**
 * scan_file() - read a file and list its identifiers
 * @path: its name
 *
 * Return: the table; NULL and a message on stderr if the file cannot be read.
 */
struct file_table *scan_file(const char *path)
{
	struct file_table *table = new_object(sizeof(*table));
	struct buffer buf;

	table->nr_slots = FIRST_SLOTS;
	table->slots = new_object(FIRST_SLOTS * sizeof(*table->slots));

	if (load(path, &buf) || tokenise(table, &buf)) {
		fprintf(stderr, "xref: %s: %s, skipped\n", path, strerror(errno));
		return NULL;
	}
	table->bytes = buf.len;
	return table;
}
