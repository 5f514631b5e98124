// SPDX-License-Identifier: MIT
/*
 * Writing the heap profile in the format of pprof (github.com/google/pprof,
 * proto/profile.proto): samples are call stacks with four values each, locations
 * are addresses in them, mappings say which file an address is from.  Functions are
 * named from the symbol tables of these files; pprof replaces that, and adds lines,
 * where it finds the file, and the file has debug information.
 *
 * Of what was sampled it is computed what there is, as Go does: an object of s bytes
 * is sampled with probability 1 - exp(-s / rate).
 *
 * What is in use is shown as it was when the last collection ended: garbage is found
 * then, and what came later has not had the time to become garbage.  So the spans
 * are swept first, and objects younger than that are left out, unless there was
 * no collection at all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <goheap.h>
#include <stdlib.h>
#include <string.h>

#include "gzip.h"
#include "heap.h"
#include "maps.h"
#include "proto.h"
#include "symbols.h"

/* Fields of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_MAPPING = 3, PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5, PROFILE_STRING_TABLE = 6, PROFILE_DROP_FRAMES = 7,
	PROFILE_TIME_NANOS = 9, PROFILE_PERIOD_TYPE = 11, PROFILE_PERIOD = 12, PROFILE_DEFAULT_SAMPLE_TYPE = 14,
	VALUE_TYPE = 1, VALUE_UNIT = 2,
	SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3,
	LABEL_KEY = 1, LABEL_NUM = 3,
	MAPPING_ID = 1, MAPPING_START = 2, MAPPING_LIMIT = 3, MAPPING_OFFSET = 4,
	MAPPING_FILENAME = 5, MAPPING_BUILD_ID = 6,
	LOCATION_ID = 1, LOCATION_MAPPING_ID = 2, LOCATION_ADDRESS = 3, LOCATION_LINE = 4,
	LINE_FUNCTION_ID = 1,
	FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3,
};

/* The strings that are always there; two for each mapping follow. */
enum {
	STR_EMPTY, STR_ALLOC_OBJECTS, STR_ALLOC_SPACE, STR_INUSE_OBJECTS, STR_INUSE_SPACE,
	STR_COUNT, STR_BYTES, STR_SPACE, STR_DROP_FRAMES, NUM_STRINGS
};

static const char *const strings[NUM_STRINGS] = {
	[STR_EMPTY] = "", [STR_ALLOC_OBJECTS] = "alloc_objects", [STR_ALLOC_SPACE] = "alloc_space",
	[STR_INUSE_OBJECTS] = "inuse_objects", [STR_INUSE_SPACE] = "inuse_space",
	[STR_COUNT] = "count", [STR_BYTES] = "bytes", [STR_SPACE] = "space",
	[STR_DROP_FRAMES] = "goheap_(alloc|realloc).*|alloc_object|alloc_typed_slot|typed_alloc",
};

/* A call stack, and what is shown of it. */
struct shown {
	const struct site *site;
	uint64_t allocs;
	uint64_t inuse;
};

/* An address in call stacks. */
struct location {
	uintptr_t pc;
	uint32_t id;
	uint32_t function;
};

/**
 * struct output - a profile in the making
 * @p: the message
 * @memory: it, and all of the following
 * @memory_bytes: its size
 * @maps: what code is mapped
 * @shown: call stacks
 * @sites: how many
 * @location: each address once, by its number at first, then by address
 * @locations: how many
 * @slot: a table, to find the location of an address: its number, or 0
 * @slots: entries of it, a power of two
 * @strings: how many have been written
 * @functions: how many
 * @map: whose functions are being looked for
 */
struct output {
	struct proto p;
	void *memory;
	size_t memory_bytes;
	struct maps maps;
	struct shown *shown;
	size_t sites;
	struct location *location;
	uint32_t locations;
	uint32_t *slot;
	size_t slots;
	uint32_t strings;
	uint32_t functions;
	const struct map *map;
};

/* 1 - exp(-x) for x >= 0; libm is not linked for it. */
static double one_minus_exp(double x)
{
	double sum = 0, term = 1, power = 1;

	if (x > 40)
		return 1;
	/* exp(-x) = exp(-x / 2^k)^(2^k), where the series is short. */
	while (x > 0.5) {
		x /= 2;
		power *= 2;
	}
	for (int i = 1; i < 14; i++) {
		term *= -x / i;
		sum -= term;
	}
	/* 1 - (1 - s)^2 = s (2 - s) */
	for (; power > 1; power /= 2)
		sum *= 2 - sum;
	return sum;
}

/* How many objects stand behind one that was sampled. */
static double weight(uint64_t size, uint64_t rate)
{
	return rate <= 1 ? 1 : 1 / one_minus_exp((double)size / (double)rate);
}

static void value_type(struct output *o, unsigned int field, uint64_t type, uint64_t unit)
{
	unsigned char *begin = proto_begin(&o->p);

	proto_number(&o->p, VALUE_TYPE, type);
	proto_number(&o->p, VALUE_UNIT, unit);
	proto_end(&o->p, field, begin);
}

static uint32_t new_string(struct output *o, const char *string)
{
	proto_bytes(&o->p, PROFILE_STRING_TABLE, string, strlen(string));
	return o->strings++;
}

/* The number of the location of an address. */
static uint32_t location_of(struct output *o, uintptr_t pc)
{
	size_t i = (pc * 0x9e3779b97f4a7c15ull >> 20) & (o->slots - 1);
	struct location *l;

	while (o->slot[i] && o->location[o->slot[i] - 1].pc != pc)
		i = (i + 1) & (o->slots - 1);
	if (!o->slot[i]) {
		l = &o->location[o->locations++];
		l->pc = pc;
		l->id = o->locations;
		o->slot[i] = o->locations;
	}
	return o->slot[i];
}

static void write_sample(struct output *o, const struct shown *shown, uint64_t rate)
{
	const struct site *s = shown->site;
	double n = weight(s->size, rate), bytes = n * (double)s->size;
	uint64_t value[4] = {
		(uint64_t)((double)shown->allocs * n + 0.5),
		(uint64_t)((double)shown->allocs * bytes + 0.5),
		(uint64_t)((double)shown->inuse * n + 0.5),
		(uint64_t)((double)shown->inuse * bytes + 0.5),
	};
	uint64_t location[PROFILE_DEPTH];
	unsigned char *begin, *label;

	for (uint32_t i = 0; i < s->depth; i++)
		location[i] = location_of(o, s->pc[i]);
	begin = proto_begin(&o->p);
	proto_packed(&o->p, SAMPLE_LOCATION_ID, location, s->depth);
	proto_packed(&o->p, SAMPLE_VALUE, value, 4);
	label = proto_begin(&o->p);
	proto_number(&o->p, LABEL_KEY, STR_BYTES);
	proto_number(&o->p, LABEL_NUM, s->size);
	proto_end(&o->p, SAMPLE_LABEL, label);
	proto_end(&o->p, PROFILE_SAMPLE, begin);
}

static int by_address(const void *a, const void *b)
{
	const struct location *l = a, *m = b;

	return (l->pc > m->pc) - (l->pc < m->pc);
}

/* The first location at @pc or behind it. */
static uint32_t first_location(const struct output *o, uintptr_t pc)
{
	uint32_t low = 0, high = o->locations;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (o->location[middle].pc < pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A function in the file of @o->map: is it the one of a location? */
static void note_function(void *arg, uint64_t start, uint64_t end, const char *name)
{
	struct output *o = arg;
	const struct map *m = o->map;
	unsigned char *begin;
	uint32_t string, i;
	uintptr_t last;

	if (end <= m->offset || start >= m->offset + (m->end - m->start))
		return;
	start = start > m->offset ? start - m->offset : 0;
	i = first_location(o, m->start + start);
	last = m->start + (end - m->offset);
	if (i == o->locations || o->location[i].pc >= last || o->location[i].function)
		return;
	string = new_string(o, name);
	begin = proto_begin(&o->p);
	proto_number(&o->p, FUNCTION_ID, ++o->functions);
	proto_number(&o->p, FUNCTION_NAME, string);
	proto_number(&o->p, FUNCTION_SYSTEM_NAME, string);
	proto_end(&o->p, PROFILE_FUNCTION, begin);
	for (; i < o->locations && o->location[i].pc < last; i++)
		if (!o->location[i].function)
			o->location[i].function = o->functions;
}

static void write_functions(struct output *o)
{
	for (size_t i = 0; i < o->maps.n; i++) {
		uint32_t l = first_location(o, o->maps.map[i].start);

		o->map = &o->maps.map[i];
		if (l < o->locations && o->location[l].pc < o->map->end && o->map->name[0] == '/')
			symbols_each(o->map->name, note_function, o);
	}
}

static void write_locations(struct output *o)
{
	for (uint32_t i = 0; i < o->locations; i++) {
		const struct location *l = &o->location[i];
		unsigned char *begin = proto_begin(&o->p), *line;

		proto_number(&o->p, LOCATION_ID, l->id);
		proto_number(&o->p, LOCATION_MAPPING_ID, maps_find(&o->maps, l->pc));
		proto_number(&o->p, LOCATION_ADDRESS, l->pc);
		if (l->function) {
			line = proto_begin(&o->p);
			proto_number(&o->p, LINE_FUNCTION_ID, l->function);
			proto_end(&o->p, LOCATION_LINE, line);
		}
		proto_end(&o->p, PROFILE_LOCATION, begin);
	}
}

static void write_mappings(struct output *o)
{
	for (size_t i = 0; i < o->maps.n; i++) {
		const struct map *m = &o->maps.map[i];
		uint32_t name = new_string(o, m->name);
		uint32_t build_id = m->build_id[0] ? new_string(o, m->build_id) : STR_EMPTY;
		unsigned char *begin = proto_begin(&o->p);

		proto_number(&o->p, MAPPING_ID, i + 1);
		proto_number(&o->p, MAPPING_START, m->start);
		proto_number(&o->p, MAPPING_LIMIT, m->end);
		proto_number(&o->p, MAPPING_OFFSET, m->offset);
		proto_number(&o->p, MAPPING_FILENAME, name);
		proto_number(&o->p, MAPPING_BUILD_ID, build_id);
		proto_end(&o->p, PROFILE_MAPPING, begin);
	}
}

static void write_header(struct output *o, uint64_t rate)
{
	for (size_t i = 0; i < NUM_STRINGS; i++)
		new_string(o, strings[i]);
	value_type(o, PROFILE_SAMPLE_TYPE, STR_ALLOC_OBJECTS, STR_COUNT);
	value_type(o, PROFILE_SAMPLE_TYPE, STR_ALLOC_SPACE, STR_BYTES);
	value_type(o, PROFILE_SAMPLE_TYPE, STR_INUSE_OBJECTS, STR_COUNT);
	value_type(o, PROFILE_SAMPLE_TYPE, STR_INUSE_SPACE, STR_BYTES);
	value_type(o, PROFILE_PERIOD_TYPE, STR_SPACE, STR_BYTES);
	proto_number(&o->p, PROFILE_PERIOD, rate);
	proto_number(&o->p, PROFILE_TIME_NANOS, now_ns(CLOCK_REALTIME));
	proto_number(&o->p, PROFILE_DEFAULT_SAMPLE_TYPE, STR_INUSE_SPACE);
	proto_number(&o->p, PROFILE_DROP_FRAMES, STR_DROP_FRAMES);
}

/* Memory for all that can be written of the call stacks in @first and behind it. */
static int make_room(struct output *o, const struct site *first)
{
	size_t frames = 0, text = 0, message;

	for (const struct site *s = first; s; s = s->next) {
		o->sites++;
		frames += s->depth;
	}
	for (size_t i = 0; i < o->maps.n; i++)
		text += strlen(o->maps.map[i].name) + BUILD_ID_MOST;
	/*
	 * Numbers: 8 of a sample; 4 of a location, and for each one in a sample, 3 of a
	 * function, and one for each string.
	 */
	message = 4096 + text + o->sites * (2 * PROTO_NESTED_MOST + 8 * PROTO_NUMBER_MOST) +
		  frames * (3 * PROTO_NESTED_MOST + 9 * PROTO_NUMBER_MOST + SYMBOL_NAME_MOST) +
		  o->maps.n * (PROTO_NESTED_MOST + 8 * PROTO_NUMBER_MOST);
	message = align_up(message, 4096);
	for (o->slots = 1024; o->slots < 2 * frames;)
		o->slots *= 2;
	o->memory_bytes = message + o->sites * sizeof(*o->shown) +
			  frames * sizeof(*o->location) + o->slots * sizeof(*o->slot);
	o->memory = os_reserve(o->memory_bytes, 4096, true);
	if (!o->memory)
		return -1;
	o->p.at = o->memory;
	o->shown = (struct shown *)(o->p.at + message);
	o->location = (struct location *)(o->shown + o->sites);
	o->slot = (uint32_t *)(o->location + frames);
	return 0;
}

/* What is to be shown.  gc.lock held, so that no collection ends meanwhile. */
static int take_counts(struct heap *h, struct thread *t, struct output *o)
{
	const struct site *s = __atomic_load_n(&h->profile.sites, __ATOMIC_ACQUIRE);

	if (make_room(o, s))
		return -1;
	sweep_all(h, t);
	/* Whoever was sweeping a span is done when all stand. */
	stop_the_world(h, t);
	start_the_world(h);

	thread_enter_busy(h, t);
	pthread_mutex_lock(&h->profile.lock);
	for (size_t i = 0; i < o->sites; i++, s = s->next) {
		bool young = h->gc.cycles && s->recent_cycle == h->gc.sweepgen;

		o->shown[i].site = s;
		o->shown[i].allocs = s->allocs;
		o->shown[i].inuse = s->allocs - s->frees - (young ? s->recent : 0);
	}
	pthread_mutex_unlock(&h->profile.lock);
	thread_leave_busy(h, t);
	return 0;
}

static void make_profile(struct output *o, uint64_t rate)
{
	write_header(o, rate);
	write_mappings(o);
	for (size_t i = 0; i < o->sites; i++)
		write_sample(o, &o->shown[i], rate);
	qsort(o->location, o->locations, sizeof(*o->location), by_address);
	write_functions(o);
	write_locations(o);
}

PUBLIC int goheap_write_heap_profile(int fd)
{
	struct heap *h = heap_get();
	struct thread *t = h ? thread_register(h) : NULL;
	struct output o = { 0 };
	int ret;

	if (!t || maps_read(&o.maps)) {
		errno = ENOMEM;
		return -1;
	}
	gc_lock(h);
	ret = take_counts(h, t, &o);
	pthread_mutex_unlock(&h->gc.lock);
	if (ret) {
		errno = ENOMEM;
	} else {
		make_profile(&o, h->profile.rate);
		ret = gzip_write(fd, o.memory, (size_t)(o.p.at - (unsigned char *)o.memory));
		os_unreserve(o.memory, o.memory_bytes);
	}
	maps_free(&o.maps);
	return ret;
}
