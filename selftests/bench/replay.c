// SPDX-License-Identifier: GPL-2.0
/*
 * Replays a trace of record.c on the page allocator (module/palloc.c), as
 * libgoheap would use it, under one placement policy.
 *
 * Objects of up to 32 KiB go to spans of their size class, larger ones have a
 * span each.  An object that the program frees is dead; as in a collected heap
 * dead objects are found at the next collection, which is due when the heap has
 * doubled (4 MiB at the least).  Spans that then hold nothing are freed.  The
 * heap grows when no free run is long enough, by as little as possible, and
 * nothing is given back to the system: what is seen is placement alone.
 *
 * Usage: replay first|best TRACE
 *
 * Output, separated by tabs; pages are of 8 KiB:
 *	sample ALLOCATED USED EXTENT BACKED RUNS LONGEST
 *		about 250 times: bytes allocated so far, pages in spans, pages up to
 *		the end of the highest span, pages that have memory, free runs
 *		below that end, and the longest of them
 *	total EVENTS OBJECTS COLLECTIONS SPANS PEAK_USED PEAK_EXTENT PEAK_BACKED
 *		what was replayed, spans ever allocated, and the highest of each
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <palloc.h>
#include <sizeclasses.h>

#define PAGE		8192ULL
#define HEAP_MINIMUM	(4ULL << 20)
#define SAMPLES		250
#define MAX_CHUNKS	16384		/* 64 GiB */

struct span {
	uint64_t page;
	uint32_t npages;
	uint32_t class;			/* 0: one large object */
	uint32_t room;			/* objects that still fit */
	uint32_t live;			/* objects, the dead ones too until they are found */
	struct span *next, *prev;	/* of the class's spans with room */
};

struct object {
	struct span *span;
	uint64_t bytes;
};

static struct palloc palloc;
static struct span *with_room[NUM_SIZE_CLASSES];
static struct object *object;
static uint64_t objects, object_room;
static uint64_t *dead, deads, dead_room;
static uint64_t live_bytes, dead_bytes, allocated, collections, spans, goal = HEAP_MINIMUM;
static uint64_t peak_used, peak_extent, backed;

static void die(const char *what)
{
	fprintf(stderr, "replay: %s\n", what);
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

static void *table_zalloc(size_t bytes)
{
	return must(calloc(1, bytes));
}

static void table_free(void *p, size_t bytes)
{
	(void)bytes;
	free(p);
}

static const struct palloc_ops ops = { .zalloc = table_zalloc, .free = table_free };

/* ---- spans ---- */

static struct span *span_new(uint32_t class, uint64_t npages, uint32_t room)
{
	struct span *s = table_zalloc(sizeof(*s));
	uint64_t page = palloc_alloc(&palloc, npages), chunks;

	if (page == PALLOC_NONE) {
		chunks = palloc_chunks_needed(&palloc, npages);
		if (chunks == PALLOC_NONE)
			die("the trace needs more than 64 GiB");
		for (; chunks; chunks--) {
			if (palloc_wants_block(&palloc, palloc.nr_chunks))
				palloc_add_block(&palloc, table_zalloc(palloc_block_bytes()));
			palloc_add_chunk(&palloc, table_zalloc(sizeof(struct palloc_chunk)));
		}
		page = palloc_alloc(&palloc, npages);
		if (page == PALLOC_NONE)
			die("no room after growth");
	}
	backed += palloc_count_released(&palloc, page, npages);
	palloc_clear_released(&palloc, page, npages);
	if (palloc.nr_used > peak_used)
		peak_used = palloc.nr_used;
	if (page + npages > peak_extent)
		peak_extent = page + npages;
	spans++;
	*s = (struct span) { .page = page, .npages = npages, .class = class, .room = room };
	return s;
}

static void room_link(struct span *s)
{
	s->prev = NULL;
	s->next = with_room[s->class];
	if (s->next)
		s->next->prev = s;
	with_room[s->class] = s;
}

static void room_unlink(struct span *s)
{
	if (s->next)
		s->next->prev = s->prev;
	if (s->prev)
		s->prev->next = s->next;
	else
		with_room[s->class] = s->next;
}

static uint32_t class_of(uint64_t bytes)
{
	if (bytes <= LOOKUP_SMALL_MAX - 8)
		return size_to_class_small[(bytes + 7) / 8];
	return size_to_class_large[(bytes - LOOKUP_SMALL_MAX + 127) / 128];
}

/* ---- objects ---- */

static void sweep(void)
{
	for (uint64_t i = 0; i < deads; i++) {
		struct span *s = object[dead[i]].span;

		s->live--;
		if (s->class && !s->room++)
			room_link(s);
		if (s->live)
			continue;
		if (s->class)
			room_unlink(s);
		palloc_free(&palloc, s->page, s->npages);
		free(s);
	}
	deads = 0;
	live_bytes -= dead_bytes;
	dead_bytes = 0;
	goal = live_bytes * 2 > HEAP_MINIMUM ? live_bytes * 2 : HEAP_MINIMUM;
	collections++;
}

static void alloc(uint64_t bytes)
{
	uint32_t class = 0;
	struct span *s;

	if (!bytes)
		bytes = 1;
	if (bytes <= SMALL_OBJECT_MAX) {
		class = class_of(bytes);
		if (class_to_size[class] < bytes || (class > 1 && class_to_size[class - 1] >= bytes))
			die("a wrong size class");
		bytes = class_to_size[class];
	}
	if (live_bytes + bytes > goal)
		sweep();
	s = class ? with_room[class] : NULL;
	if (!class) {
		s = span_new(0, (bytes + PAGE - 1) / PAGE, 0);
	} else if (!s) {
		s = span_new(class, class_to_pages[class],
			     class_to_pages[class] * PAGE / class_to_size[class]);
		room_link(s);
	}
	s->live++;
	if (class && !--s->room)
		room_unlink(s);

	if (objects == object_room) {
		object_room = object_room ? object_room * 2 : 1 << 16;
		object = must(realloc(object, object_room * sizeof(*object)));
	}
	object[objects++] = (struct object) { .span = s, .bytes = bytes };
	live_bytes += bytes;
	allocated += bytes;
}

static void release(uint64_t age)
{
	if (!age || age > objects)
		die("the trace frees what it did not allocate");
	if (deads == dead_room) {
		dead_room = dead_room ? dead_room * 2 : 1 << 16;
		dead = must(realloc(dead, dead_room * sizeof(*dead)));
	}
	dead[deads++] = objects - age;
	dead_bytes += object[objects - age].bytes;
}

/* ---- what is shown ---- */

static bool is_used(uint64_t page)
{
	const struct palloc_chunk *chunk = palloc_chunk(&palloc, page / PALLOC_CHUNK_PAGES);
	unsigned int bit = page % PALLOC_CHUNK_PAGES;

	return chunk->used[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG) & 1;
}

static void sample(void)
{
	uint64_t extent = palloc.nr_chunks * PALLOC_CHUNK_PAGES, runs = 0, run = 0, longest = 0;

	while (extent && !is_used(extent - 1))
		extent--;
	for (uint64_t i = 0; i < extent; i++) {
		run = is_used(i) ? 0 : run + 1;
		runs += run == 1;
		if (run > longest)
			longest = run;
	}
	printf("sample\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\n", (unsigned long long)allocated,
	       palloc.nr_used, (unsigned long long)extent, (unsigned long long)backed,
	       (unsigned long long)runs, (unsigned long long)longest);
}

static unsigned char *read_all(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	unsigned char *data = NULL;
	size_t room = 0, n;

	if (!f)
		die("cannot open the trace");
	*size = 0;
	do {
		room += 1 << 22;
		data = must(realloc(data, room));
		n = fread(data + *size, 1, room - *size, f);
		*size += n;
	} while (*size == room);
	if (ferror(f))
		die("cannot read the trace");
	fclose(f);
	return data;
}

int main(int argc, char **argv)
{
	static const char header[] = "goheap-trace 1\n";
	const size_t start = sizeof(header) - 1;
	unsigned char *data;
	uint64_t events = 0;
	size_t size, at, next;

	if (argc != 3 || (strcmp(argv[1], "first") && strcmp(argv[1], "best"))) {
		fputs("usage: replay first|best TRACE\n", stderr);
		return 2;
	}
	data = read_all(argv[2], &size);
	if (size < start || memcmp(data, header, start))
		die("this is no trace of record.so");
	if (palloc_init(&palloc, MAX_CHUNKS, &ops))
		die("out of memory");
	palloc_set_policy(&palloc, strcmp(argv[1], "best") ? PALLOC_FIRST_FIT : PALLOC_BEST_FIT);

	next = start;
	for (at = start; at < size; events++) {
		unsigned int shift = 0;
		uint64_t value = 0;

		if (at >= next) {
			sample();
			next += (size - start) / SAMPLES + 1;
		}
		do {
			if (at == size || shift > 56)
				die("the trace is cut off");
			value |= (uint64_t)(data[at] & 127) << shift;
			shift += 7;
		} while (data[at++] & 128);
		if (value & 1)
			release(value >> 1);
		else
			alloc(value >> 1);
	}
	sample();
	printf("total\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\n", (unsigned long long)events,
	       (unsigned long long)objects, (unsigned long long)collections,
	       (unsigned long long)spans, (unsigned long long)peak_used,
	       (unsigned long long)peak_extent, (unsigned long long)backed);
	return 0;
}
