// SPDX-License-Identifier: MIT
/*
 * Spans from the backend and back.
 *
 * Asking for one span at a time would cost a system call each, so short spans
 * come in batches and go back in batches; what is between is kept in a small
 * cache by length.  Spans in the cache do not count as in use.
 */
#include <string.h>

#include "heap.h"

#define METADATA_CHUNK	((size_t)256 << 10)
/* Entries of the page map in a page of the system's. */
#define MAP_PAGE_ENTRIES	(4096 / sizeof(struct span *))

struct heap goheap_the_heap;

/* How many spans of a length to ask for at once: 64 KiB of them, sparing small heaps. */
static unsigned int batch_size(const struct heap *h, size_t npages)
{
	uint64_t bytes = npages * PAGE_BYTES;
	uint64_t at_once = h->inuse / 16 < 65536 ? h->inuse / 16 : 65536;

	return at_once > bytes ? (unsigned int)(at_once / bytes) : 1;
}

static unsigned int cache_depth(size_t npages)
{
	return SPAN_CACHE_DEPTH / (unsigned int)npages;
}

/**
 * heap_configure() - have the backend behave as the settings say
 * @h: the heap
 *
 * Context: heap lock held, or alone.
 * Return: 0; -1 and errno.
 */
int heap_configure(struct heap *h)
{
	uint64_t limit = counter_read((uint64_t *)&h->gc.memory_limit);
	struct backend_settings s = {
		.policy = h->settings.policy,
		.retain_percent = h->settings.retain_percent,
		.memory_limit = NO_LIMIT,
		.hard_limit = h->settings.hard_limit,
	};

	if (limit != INT64_MAX)
		s.memory_limit = limit > h->meta.bytes + PAGE_BYTES ? limit - h->meta.bytes :
								      PAGE_BYTES;
	return h->backend.ops->configure(&h->backend, &s);
}

/**
 * heap_alloc_metadata() - memory for the library's own tables
 * @h: the heap
 * @bytes: how much, at most 64 KiB
 *
 * Context: heap lock held.
 * Return: zeroed memory for good; NULL without memory.
 */
void *heap_alloc_metadata(struct heap *h, size_t bytes)
{
	struct metadata *meta = &h->meta;
	void *p;

	bytes = align_up(bytes, 64);
	if (meta->end - meta->next < bytes) {
		if (headroom_probe(h, METADATA_CHUNK))
			return NULL;
		p = os_reserve(METADATA_CHUNK, 4096, true);
		if (!p)
			return NULL;
		/* Not later, when there may be none. */
		if (h->on_device && meta->bytes)
			os_populate(p, METADATA_CHUNK);
		meta->next = (uintptr_t)p;
		meta->end = meta->next + METADATA_CHUNK;
		counter_add_own(&meta->bytes, METADATA_CHUNK);
		/* The memory limit is for this as well. */
		if (counter_read((uint64_t *)&h->gc.memory_limit) != INT64_MAX)
			heap_configure(h);
	}
	p = (void *)meta->next;
	meta->next += bytes;
	return p;
}

/* Heap lock held. */
static void flush_leaving(struct heap *h)
{
	if (h->leaving.n)
		h->backend.ops->free(&h->backend, h->leaving.spans, h->leaving.n);
	h->leaving.n = 0;
}

/* Heap lock held. */
static void flush_parked(struct heap *h)
{
	for (unsigned int i = 0; i < h->nparked; i += SPANS_LEAVING)
		h->backend.ops->free(&h->backend, &h->parked[i],
				     h->nparked - i < SPANS_LEAVING ? h->nparked - i : SPANS_LEAVING);
	h->nparked = 0;
	h->parked_bytes = 0;
}

/* Give all cached spans back to the backend.  Heap lock held. */
static void flush_cache_locked(struct heap *h)
{
	flush_leaving(h);
	flush_parked(h);
	for (size_t n = 1; n <= SPAN_CACHE_PAGES; n++) {
		struct span_cache *c = &h->cache[n];

		if (c->n)
			h->backend.ops->free(&h->backend, c->spans, c->n);
		c->n = 0;
	}
}

/**
 * heap_flush_cache() - give all cached spans back to the backend
 * @h: the heap
 *
 * Context: takes the heap lock.
 */
void heap_flush_cache(struct heap *h)
{
	pthread_mutex_lock(&h->lock);
	flush_cache_locked(h);
	pthread_mutex_unlock(&h->lock);
}

/**
 * heap_release() - give every free page back to the system
 * @h: the heap
 * @t: the calling thread
 *
 * Context: not busy.
 * Return: bytes.
 */
uint64_t heap_release(struct heap *h, struct thread *t)
{
	uint64_t released;

	thread_enter_busy(h, t);
	heap_flush_cache(h);
	released = h->backend.ops->release(&h->backend, UINT64_MAX);
	thread_leave_busy(h, t);
	return released;
}

/**
 * heap_page_stats() - what the backend knows
 * @h: the heap
 * @b: filled in; what the headroom's comings and goings release is not counted
 *
 * Context: busy, heap lock held.
 */
void heap_page_stats(struct heap *h, struct backend_stats *b)
{
	h->backend.ops->stats(&h->backend, b);
	if (b->released[RELEASE_REQUEST] >= h->headroom.released)
		b->released[RELEASE_REQUEST] -= h->headroom.released;
}

/*
 * Make room under the memory limit before the heap grows, by giving back free
 * pages: as Go's scavenging for the limit.  For a kernel that does not do so
 * itself.  Heap lock held.
 */
static void respect_limit(struct heap *h, uint64_t more)
{
	uint64_t limit = counter_read((uint64_t *)&h->gc.memory_limit);
	struct backend_stats stats;
	uint64_t total;

	if (limit == INT64_MAX || (h->backend.features & GOHEAP_FEATURE_SCAVENGER))
		return;
	h->backend.ops->stats(&h->backend, &stats);
	total = stats.grown_bytes - stats.released_bytes + h->meta.bytes + more;
	if (total > limit)
		h->backend.ops->release(&h->backend, total - limit);
}

/* Take a span of @npages out of the cache, filling it first.  Heap lock held. */
static int take_any(struct heap *h, size_t npages, bool noscan, struct goheap_span *out)
{
	struct span_cache *c = npages <= SPAN_CACHE_PAGES ? &h->cache[npages] : NULL;
	struct goheap_span batch[SPAN_CACHE_DEPTH];
	unsigned int n = 1;

	if (c && c->n) {
		*out = c->spans[--c->n];
		return 0;
	}
	flush_leaving(h);
	if (headroom_restore(h))
		return -1;
	respect_limit(h, npages * PAGE_BYTES);
	if (c) {
		n = batch_size(h, npages);
		if (n > cache_depth(npages))
			n = cache_depth(npages);
	}
	for (;;) {
		memset(batch, 0, n * sizeof(*batch));
		for (unsigned int i = 0; i < n; i++) {
			batch[i].npages = npages;
			batch[i].flags = noscan ? GOHEAP_SPAN_NOSCAN : 0;
		}
		if (!h->backend.ops->alloc(&h->backend, batch, n))
			break;
		/* Less may still be had: one span, and what the cache holds back. */
		if (n == 1)
			return -1;
		n = 1;
		h->parking_over = true;
		flush_cache_locked(h);
	}
	*out = batch[0];
	for (unsigned int i = n - 1; i > 0; i--) {
		batch[i].flags &= GOHEAP_SPAN_NEEDZERO;
		c->spans[c->n] = batch[i];
		c->spans[c->n++].npages = npages;
	}
	return 0;
}

/* Pages that may be parked: of the heap in use one part in so many, and this at least. */
#define PARKED_PART	16
#define PARKED_LEAST	((uint64_t)1 << 20)

/* Keep free pages where they are offered no more; false if it has come to too many. */
static bool park(struct heap *h, const struct goheap_span *span)
{
	uint64_t bytes = h->parked_bytes + span->npages * PAGE_BYTES;

	if (h->parking_over || h->nparked == SPANS_PARKED ||
	    (bytes > PARKED_LEAST && bytes > h->inuse / PARKED_PART))
		return false;
	h->parked[h->nparked] = *span;
	h->parked[h->nparked++].flags = 0;
	h->parked_bytes = bytes;
	return true;
}

/*
 * Take a span of @npages that is not on black pages, unless its objects are small and
 * without pointers, or there is no other.  Heap lock held.
 */
static int take_pages(struct heap *h, size_t npages, bool harmless, bool noscan,
		      struct goheap_span *out)
{
	for (;;) {
		if (take_any(h, npages, noscan, out)) {
			h->parking_over = true;
			if (!h->nparked)
				return -1;
			/* Those that are parked will do. */
			flush_parked(h);
			return take_any(h, npages, noscan, out);
		}
		out->npages = npages;
		if (harmless || !blacklist_hits(h, out->addr, npages) || !park(h, out))
			return 0;
	}
}

/* Heap lock held. */
static void give_pages(struct heap *h, uintptr_t base, size_t npages)
{
	struct goheap_span span = { .addr = base, .npages = npages };

	if (npages <= SPAN_CACHE_PAGES && h->cache[npages].n < cache_depth(npages)) {
		struct span_cache *c = &h->cache[npages];

		span.flags = GOHEAP_SPAN_NEEDZERO;
		c->spans[c->n++] = span;
		return;
	}
	h->leaving.spans[h->leaving.n++] = span;
	/* A large one is worth a call of its own: its pages are wanted elsewhere. */
	if (h->leaving.n == SPANS_LEAVING || npages > SPAN_CACHE_PAGES)
		flush_leaving(h);
}

/*
 * The page map has a page of its own for each 4 MiB of the heap: see that it is
 * there before anything depends on it.  Heap lock held.
 */
static int map_pages(struct heap *h, struct span *s, size_t npages)
{
	size_t first = (s->base - h->base) >> PAGE_SHIFT;
	size_t more = first + npages > h->top ? (first + npages - h->top) * sizeof(s) : 0;

	if (h->top % MAP_PAGE_ENTRIES + more / sizeof(s) >= MAP_PAGE_ENTRIES &&
	    headroom_probe(h, align_up(more, 4096)))
		return -1;
	for (size_t i = 0; i < npages; i++)
		__atomic_store_n(&h->page_map[first + i], s, __ATOMIC_RELEASE);
	if (more)
		__atomic_store_n(&h->top, first + npages, __ATOMIC_RELAXED);
	return 0;
}

/**
 * heap_alloc_span() - a new span
 * @h: the heap
 * @npages: its length
 * @spanclass: what it will hold
 *
 * Sweeps for as many pages first, so that garbage is used again before the heap
 * grows; as Go's mheap.reclaim().
 *
 * Context: busy.  Takes the heap lock.
 * Return: a span with all slots free that is the caller's alone; NULL without
 * memory.
 */
struct span *heap_alloc_span(struct heap *h, size_t npages, unsigned int spanclass)
{
	unsigned int size_class = size_class_of(spanclass);
	size_t elem_size = size_class ? class_to_size[size_class] : npages * PAGE_BYTES;
	uint32_t nelems = size_class ? (uint32_t)(npages * PAGE_BYTES / elem_size) : 1;
	struct goheap_span pages;
	struct span *s;

	sweep_for_pages(h, npages);

	pthread_mutex_lock(&h->lock);
	s = descriptor_new(h, spanclass, nelems);
	if (!s)
		goto unlock;
	s->spanclass = (uint8_t)spanclass;
	s->kind = (uint8_t)kind_of(spanclass);
	if (take_pages(h, npages, size_class && span_noscan(s), span_noscan(s), &pages))
		goto free_descriptor;
	s->base = (uintptr_t)pages.addr;
	s->npages = (uint32_t)npages;
	s->elem_size = elem_size;
	s->nelems = nelems;
	s->reciprocal = class_to_reciprocal[size_class];
	s->needzero = pages.flags & GOHEAP_SPAN_NEEDZERO;
	s->specials = NULL;
	/* Whoever finds the span by an old address and sees this sees the rest: get(), weak.c */
	__atomic_store_n(&s->sweepgen, h->gc.sweepgen, __ATOMIC_RELEASE);

	if (map_pages(h, s, npages)) {
		give_pages(h, s->base, npages);
		goto free_descriptor;
	}
	__atomic_store_n(&h->inuse, h->inuse + npages * PAGE_BYTES, __ATOMIC_RELAXED);
	if (h->inuse > h->peak_inuse)
		h->peak_inuse = h->inuse;
	pthread_mutex_unlock(&h->lock);
	return s;

free_descriptor:
	descriptor_free(h, s);
unlock:
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/**
 * heap_free_span() - give a span's pages back
 * @h: the heap
 * @s: on no list, without live objects; gone afterwards
 *
 * Context: busy, or alone.  Takes the heap lock.
 */
void heap_free_span(struct heap *h, struct span *s)
{
	size_t first = (s->base - h->base) >> PAGE_SHIFT;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < s->npages; i++)
		__atomic_store_n(&h->page_map[first + i], NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&h->inuse, h->inuse - s->npages * PAGE_BYTES, __ATOMIC_RELAXED);
	give_pages(h, s->base, s->npages);
	descriptor_free(h, s);
	pthread_mutex_unlock(&h->lock);
}
