/* SPDX-License-Identifier: MIT */
/* The loaded objects (the program, its libraries) as roots: see loaded.c. */
#ifndef GOHEAP_LOADED_H
#define GOHEAP_LOADED_H

#include "base.h"

struct segment {
	uintptr_t start;
	uintptr_t end;
};

/* Where an object's program headers are, how many, and what they say. */
struct headers {
	const void *at;
	size_t n;
	uint64_t sum;
};

/**
 * struct loaded - a list of the writable data of all loaded objects
 * @segments: the data
 * @nsegments: how many
 * @segments_room: for how many there is memory
 * @tls_bytes: by module: size of its thread-local block
 * @tls_modules: highest module that has one
 * @tls_room: for how many modules there is memory
 * @headers: of each object
 * @objects: how many
 * @objects_room: for how many there is memory
 * @names: mixed from where they are and what they are called
 * @changes: objects that came or went up to then, as the dynamic linker counts
 * @closes: calls of dlclose() begun and ended up to then
 */
struct loaded {
	struct segment *segments;
	size_t nsegments, segments_room;
	size_t *tls_bytes;
	size_t tls_modules, tls_room;
	struct headers *headers;
	size_t objects, objects_room;
	uint64_t names;
	uint64_t changes;
	uint32_t closes;
};

struct heap;

void loaded_init(void);
void loaded_update(struct heap *h);
bool loaded_is_current(struct heap *h);
void loaded_before_wait(struct heap *h);
bool loaded_in_callback(void);
bool loaded_hold(void);
void loaded_release(void);
void loaded_forked(void);
bool loaded_is_certain(void);
/* The list that loaded_is_current() found right last; changes at a stop only. */
const struct loaded *loaded_list(void);

#endif /* GOHEAP_LOADED_H */
