/* SPDX-License-Identifier: MIT */
/*
 * What code is mapped where: the lines of /proc/self/maps that can be executed.
 */
#ifndef GOHEAP_MAPS_H
#define GOHEAP_MAPS_H

#include <stddef.h>
#include <stdint.h>

#define MAPS_MOST	4096
#define BUILD_ID_MOST	64		/* characters; SHA-1 is 40 */

/**
 * struct map - a mapping of code
 * @start: first byte
 * @end: one past the last
 * @offset: in the file
 * @name: of the file; ended by a zero byte
 * @build_id: in hexadecimal; empty if there is none
 */
struct map {
	uintptr_t start;
	uintptr_t end;
	uint64_t offset;
	const char *name;
	char build_id[BUILD_ID_MOST + 1];
};

/**
 * struct maps - all of them, by address
 * @n: how many
 * @map: each
 * @text: what the names point into
 * @text_bytes: its size
 */
struct maps {
	size_t n;
	struct map *map;
	char *text;
	size_t text_bytes;
};

int maps_read(struct maps *m);
void maps_free(struct maps *m);
/* Number of the mapping that holds @p, from 1; 0 for none. */
size_t maps_find(const struct maps *m, uintptr_t p);

#endif /* GOHEAP_MAPS_H */
