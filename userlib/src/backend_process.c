// SPDX-License-Identifier: MIT
/*
 * Spans from an ordinary mapping of the process, for machines without the
 * device: the kernel module's page allocator (module/palloc.c, compiled in
 * unchanged) over reserved address space.  Memory comes with the first touch
 * and goes with madvise(); scavenge.c says when.  Core dumps hold what the heap has
 * grown into.
 */
#include <errno.h>
#include <palloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend.h"

#define CHUNK_BYTES	((size_t)PALLOC_CHUNK_PAGES << PAGE_SHIFT)

static void *table_alloc(size_t bytes)
{
	return os_reserve(align_up(bytes, 4096), 4096, true);
}

static void table_free(void *p, size_t bytes)
{
	os_unreserve(p, align_up(bytes, 4096));
}

static const struct palloc_ops table_ops = { .zalloc = table_alloc, .free = table_free };

static uintptr_t page_address(const struct backend *b, u64 page)
{
	return b->base + (page << PAGE_SHIFT);
}

static u64 page_number(const struct backend *b, uintptr_t address)
{
	return (address - b->base) >> PAGE_SHIFT;
}

/* Descriptors live as long as the arena, so they are cut from pages and never freed. */
static struct palloc_chunk *new_chunk(struct backend *b)
{
	if (!b->spare_chunks) {
		b->spare_chunk = table_alloc(4096);
		if (!b->spare_chunk)
			return NULL;
		b->spare_chunks = 4096 / sizeof(*b->spare_chunk);
	}
	b->spare_chunks--;
	return b->spare_chunk++;
}

/* The arena is in core dumps up to where chunks are, and in steps of so much. */
#define DUMP_STEP	(16 * CHUNK_BYTES)

static void dump_chunks(struct backend *b)
{
	size_t end = align_up(b->palloc->nr_chunks * CHUNK_BYTES, DUMP_STEP);

	if (end > b->bytes)
		end = b->bytes;
	if (end <= b->dumped)
		return;
	os_dump((char *)b->base + b->dumped, end - b->dumped, true);
	b->dumped = end;
}

/* Grow by what @npages need. */
static int grow(struct backend *b, u64 npages)
{
	struct palloc *p = b->palloc;
	u64 chunks = palloc_chunks_needed(p, npages);
	struct palloc_chunk *chunk;
	void *block;

	if (chunks == PALLOC_NONE)
		return -1;
	for (; chunks; chunks--) {
		if (palloc_wants_block(p, p->nr_chunks)) {
			block = table_alloc(palloc_block_bytes());
			if (!block)
				return -1;
			palloc_add_block(p, block);
		}
		chunk = new_chunk(b);
		if (!chunk)
			return -1;
		palloc_add_chunk(p, chunk);
	}
	dump_chunks(b);
	return 0;
}

static int alloc_one(struct backend *b, struct goheap_span *span)
{
	struct palloc *p = b->palloc;
	u64 page = palloc_alloc(p, span->npages);
	u64 fresh;

	if (page == PALLOC_NONE) {
		if (grow(b, span->npages))
			return -1;
		page = palloc_alloc(p, span->npages);
		if (page == PALLOC_NONE)
			return -1;
	}
	fresh = palloc_count_released(p, page, span->npages);
	if (fresh && scavenge_make_room(b, fresh)) {
		palloc_free(p, page, span->npages);
		return -1;
	}
	/* Pages that were never touched, or were discarded since, read as zeros. */
	if (fresh < span->npages)
		span->flags |= GOHEAP_SPAN_NEEDZERO;
	palloc_clear_released(p, page, span->npages);
	span->addr = page_address(b, page);
	return 0;
}

static int process_alloc(struct backend *b, struct goheap_span *spans, unsigned int n)
{
	unsigned int i;

	pthread_mutex_lock(&b->lock);
	for (i = 0; i < n; i++)
		if (alloc_one(b, &spans[i]))
			break;
	if (i < n)
		while (i > 0) {
			i--;
			palloc_free(b->palloc, page_number(b, spans[i].addr), spans[i].npages);
		}
	else
		n = 0;
	palloc_flush(b->palloc);
	pthread_mutex_unlock(&b->lock);
	if (!n)
		return 0;
	errno = ENOMEM;
	return -1;
}

static void process_free(struct backend *b, struct goheap_span *spans, unsigned int n)
{
	pthread_mutex_lock(&b->lock);
	for (unsigned int i = 0; i < n; i++)
		palloc_free(b->palloc, page_number(b, spans[i].addr), spans[i].npages);
	palloc_flush(b->palloc);
	scavenge_keep_limit(b);
	pthread_mutex_unlock(&b->lock);
}

static uint64_t process_release(struct backend *b, uint64_t bytes)
{
	u64 wanted = bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
	u64 released;

	pthread_mutex_lock(&b->lock);
	released = scavenge_release(b, wanted, RELEASE_REQUEST);
	pthread_mutex_unlock(&b->lock);
	return released << PAGE_SHIFT;
}

static void process_stats(struct backend *b, struct backend_stats *out)
{
	struct palloc *p = b->palloc;
	u64 pages;

	pthread_mutex_lock(&b->lock);
	pages = p->nr_chunks * PALLOC_CHUNK_PAGES;
	out->grown_bytes = pages << PAGE_SHIFT;
	out->released_bytes = p->nr_released << PAGE_SHIFT;
	out->retained_bytes = (pages - p->nr_used - p->nr_released) << PAGE_SHIFT;
	out->retain_goal = b->scav.retain_goal;
	memcpy(out->released, b->scav.released, sizeof(out->released));
	out->pressure = 0;
	pthread_mutex_unlock(&b->lock);
}

static int process_configure(struct backend *b, const struct backend_settings *s)
{
	pthread_mutex_lock(&b->lock);
	b->scav.settings = *s;
	palloc_set_policy(b->palloc, s->policy == GOHEAP_POLICY_BEST_FIT ? PALLOC_BEST_FIT :
									     PALLOC_FIRST_FIT);
	scavenge_keep_limit(b);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

static void process_cycle(struct backend *b, uint64_t heap_goal)
{
	pthread_mutex_lock(&b->lock);
	scavenge_cycle(b, heap_goal);
	pthread_mutex_unlock(&b->lock);
}

static uint64_t process_scavenge(struct backend *b)
{
	uint64_t pause;

	pthread_mutex_lock(&b->lock);
	pause = scavenge_step(b);
	pthread_mutex_unlock(&b->lock);
	return pause;
}

/* The mapping is private: the child has a copy of it, as of everything. */
static int process_inherit(struct backend *b)
{
	os_short_lock_init(&b->lock);
	return 0;
}

static void process_close(struct backend *b)
{
	palloc_destroy(b->palloc);
	table_free(b->palloc, sizeof(*b->palloc));
	os_unreserve((void *)b->base, b->bytes);
}

static const struct backend_ops process_ops = {
	.alloc = process_alloc,
	.free = process_free,
	.release = process_release,
	.stats = process_stats,
	.configure = process_configure,
	.cycle = process_cycle,
	.scavenge = process_scavenge,
	.inherit = process_inherit,
	.close = process_close,
};

/**
 * backend_open_process() - an arena in the process's own memory
 * @b: filled in
 * @bytes: address space to reserve, a multiple of the chunk
 *
 * Return: 0; -1 and ENOMEM.
 */
int backend_open_process(struct backend *b, size_t bytes)
{
	void *arena = os_reserve(bytes, CHUNK_BYTES, true);

	if (!arena)
		goto no_memory;
	b->palloc = table_alloc(sizeof(*b->palloc));
	if (!b->palloc)
		goto free_arena;
	if (palloc_init(b->palloc, bytes / CHUNK_BYTES, &table_ops))
		goto free_palloc;
	os_short_lock_init(&b->lock);
	b->ops = &process_ops;
	b->base = (uintptr_t)arena;
	b->bytes = bytes;
	/* The kernel would look at every page of address space that was never used. */
	os_dump(arena, bytes, false);
	b->dumped = 0;
	b->features = GOHEAP_FEATURE_POLICY | GOHEAP_FEATURE_SCAVENGER | GOHEAP_FEATURE_FORK;
	b->fd = -1;
	scavenge_init(b);
	return 0;

free_palloc:
	table_free(b->palloc, sizeof(*b->palloc));
	b->palloc = NULL;
free_arena:
	os_unreserve(arena, bytes);
no_memory:
	errno = ENOMEM;
	return -1;
}
