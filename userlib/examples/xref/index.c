// SPDX-License-Identifier: MIT
/*
 * The index of the whole tree: a hash table in shards, each with a lock of its
 * own, so that several threads can merge their files at once.
 *
 * The shards are static data, where the collector looks for pointers by itself;
 * everything that is reached from them lives.
 */
#include <pthread.h>
#include <string.h>

#include "alloc.h"
#include "xref.h"

#define SHARD_BITS	6
#define NR_SHARDS	(1U << SHARD_BITS)
#define FIRST_SLOTS	1024
#define ROOM_MAX	4096U			/* words: 16 KiB */

static struct shard {
	pthread_mutex_t lock;
	struct symbol **slots;
	uint32_t nr_slots;
	uint32_t nr_symbols;
	uint64_t occurrences;
} __attribute__((aligned(64))) shards[NR_SHARDS];

/**
 * index_init() - make an empty index
 */
void index_init(void)
{
	uint32_t i;

	for (i = 0; i < NR_SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		shards[i].nr_slots = FIRST_SLOTS;
		shards[i].slots = new_object(FIRST_SLOTS * sizeof(*shards[i].slots));
	}
}

static void shard_double(struct shard *shard)
{
	uint32_t nr_slots = shard->nr_slots * 2;
	struct symbol **slots = new_object(nr_slots * sizeof(*slots));
	uint32_t i, at;

	for (i = 0; i < shard->nr_slots; i++) {
		struct symbol *symbol = shard->slots[i];

		if (!symbol)
			continue;
		at = symbol->hash & (nr_slots - 1);
		while (slots[at])
			at = (at + 1) & (nr_slots - 1);
		slots[at] = symbol;
	}
	shard->slots = slots;
	shard->nr_slots = nr_slots;
}

static struct symbol *shard_get(struct shard *shard, const struct entry *entry)
{
	struct symbol *symbol;
	uint32_t at;

	at = entry->hash & (shard->nr_slots - 1);
	while ((symbol = shard->slots[at])) {
		if (symbol->hash == entry->hash && symbol->len == entry->len &&
		    !memcmp(symbol->name, entry->name, entry->len))
			return symbol;
		at = (at + 1) & (shard->nr_slots - 1);
	}

	symbol = new_object(sizeof(*symbol));
	symbol->name = entry->name;		/* shared: the entry dies, the name does not */
	symbol->hash = entry->hash;
	symbol->len = entry->len;
	shard->slots[at] = symbol;
	if (++shard->nr_symbols > shard->nr_slots / 4 * 3)
		shard_double(shard);
	return symbol;
}

/* Room for at least two words: a file number and a line. */
static struct postings *symbol_room(struct symbol *symbol, uint32_t wanted)
{
	struct postings *last = symbol->postings, *p;
	uint32_t room;

	if (last && last->room - last->used >= 2)
		return last;

	/* Small for the rare ones, which are most; doubling for the others. */
	room = last ? last->room * 2 : 2;
	if (room < wanted)
		room = wanted;
	if (room > ROOM_MAX)
		room = ROOM_MAX;

	p = new_object(sizeof(*p));
	p->words = new_data(room * sizeof(*p->words));
	p->room = room;
	p->older = last;
	symbol->postings = p;
	return p;
}

static void symbol_add(struct symbol *symbol, const struct entry *entry, uint32_t file)
{
	uint32_t done = 0;

	while (done < entry->nr_lines) {
		uint32_t n = entry->nr_lines - done;
		struct postings *p = symbol_room(symbol, n + 1);

		if (n > p->room - p->used - 1)
			n = p->room - p->used - 1;
		p->words[p->used++] = file | POSTING_FILE;
		memcpy(p->words + p->used, entry->lines + done, n * sizeof(*p->words));
		p->used += n;
		done += n;
	}
	symbol->count += entry->nr_lines;
}

/**
 * index_merge() - add the identifiers of one file
 * @table: what scan_file() found; not needed any more afterwards
 * @file: the file's number
 */
void index_merge(const struct file_table *table, uint32_t file)
{
	uint32_t i;

	for (i = 0; i < table->nr_slots; i++) {
		const struct entry *entry = table->slots[i];
		struct shard *shard;

		if (!entry)
			continue;
		shard = &shards[entry->hash >> (32 - SHARD_BITS)];
		pthread_mutex_lock(&shard->lock);
		symbol_add(shard_get(shard, entry), entry, file);
		shard->occurrences += entry->nr_lines;
		pthread_mutex_unlock(&shard->lock);
	}
}

/**
 * index_totals() - how much is in the index; when the workers have ended
 *
 * Return: the totals.
 */
struct index_totals index_totals(void)
{
	struct index_totals totals = { 0 };
	uint32_t i;

	for (i = 0; i < NR_SHARDS; i++) {
		totals.symbols += shards[i].nr_symbols;
		totals.occurrences += shards[i].occurrences;
	}
	return totals;
}

/**
 * index_symbols() - all identifiers; when the workers have ended
 * @nr: set to their number
 *
 * Return: a new array, in no order.
 */
struct symbol **index_symbols(uint64_t *nr)
{
	struct symbol **all;
	uint64_t n = 0;
	uint32_t i, j;

	*nr = index_totals().symbols;
	all = new_object((*nr + 1) * sizeof(*all));
	for (i = 0; i < NR_SHARDS; i++)
		for (j = 0; j < shards[i].nr_slots; j++)
			if (shards[i].slots[j])
				all[n++] = shards[i].slots[j];
	return all;
}
