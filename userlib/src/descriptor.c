// SPDX-License-Identifier: MIT
/*
 * Memory for struct span.
 *
 * A descriptor and its bitmaps are as long as the span's class asks for.  Those of a class
 * are cut from pages of its own, and are used again by it; a page is one of the
 * system's.  When a heap has shrunk most descriptors lie idle, 24 KiB for each MiB that
 * the heap once had, so pages of which none is in use go back to the system.
 *
 * Who has looked up an address may hold a descriptor that is no more in use by the time it
 * reads it: a marker, or any thread that is busy.  It will find that the span is gone; but
 * what it reads must be there, and its bitmaps' addresses in it.  Therefore
 *
 *  - a descriptor keeps them as long as it is one, in use or not;
 *  - one that is freed while marking goes on is not used again before that is over;
 *  - a page is condemned first: taken out of use, with its descriptors as they were.  Once
 *    the world has stopped nobody has looked one of them up, and the page is discarded.
 */
#include <string.h>

#include "heap.h"

#define SLAB_BYTES	((size_t)4096)
#define CHUNK_SLABS	64
#define CHUNK_BYTES	(CHUNK_SLABS * SLAB_BYTES)

/* On the device so many pages get their memory at once. */
#define SLABS_AT_ONCE	16

/* Pages are condemned when so many bytes lie idle, and half of all. */
#define IDLE_MOST	((uint64_t)256 << 10)

/**
 * struct slab - what a chunk knows of one of its pages
 * @cut: descriptors that have been cut from it
 * @idle: of these, free; counted when the chunk is looked through
 * @bytes: a descriptor
 */
struct slab {
	uint16_t cut;
	uint16_t idle;
	uint16_t bytes;
};

/**
 * struct descriptor_chunk - pages that descriptors are cut from; itself in the first
 * @next: an older one
 * @blank: a bit for each page that nothing is cut from
 * @backed: a bit for each of these that has memory behind it all the same
 * @condemned: a bit for each that is waiting for a stop
 * @slab: the pages
 */
struct descriptor_chunk {
	struct descriptor_chunk *next;
	uint64_t blank;
	uint64_t backed;
	uint64_t condemned;
	struct slab slab[CHUNK_SLABS];
};

_Static_assert(sizeof(struct descriptor_chunk) <= SLAB_BYTES, "it has a page");

static struct descriptor_chunk *chunk_of(const void *p)
{
	return (void *)((uintptr_t)p & -CHUNK_BYTES);
}

static struct slab *slab_of(const void *p)
{
	return &chunk_of(p)->slab[(uintptr_t)p % CHUNK_BYTES / SLAB_BYTES];
}

/* Allocated, marked, and where there is something to search, searched. */
static uint32_t bitmaps(unsigned int spanclass)
{
	return kind_of(spanclass) == SPAN_NOSCAN ? 2 : 3;
}

/* Of a descriptor, its bitmaps, and what a span of shared blocks has beside. */
static size_t bits_bytes(unsigned int spanclass, uint32_t nelems)
{
	size_t bytes = bitmaps(spanclass) * span_bitmap_words(nelems) * sizeof(uint64_t);

	if (spanclass == TINY_SPAN_CLASS)
		bytes += nelems * sizeof(uint16_t);
	return bytes;
}

/* The memory limit is for this as well. */
static void count_bytes(struct heap *h, int64_t bytes)
{
	counter_add_own(&h->meta.bytes, (uint64_t)bytes);
	if (counter_read((uint64_t *)&h->gc.memory_limit) != INT64_MAX)
		heap_configure(h);
}

/* Heap lock held. */
static struct descriptor_chunk *chunk_with_blank(struct heap *h)
{
	struct metadata *meta = &h->meta;
	struct descriptor_chunk *c;

	for (c = meta->chunks; c; c = c->next)
		if (c->blank)
			return c;
	if (headroom_probe(h, SLAB_BYTES))
		return NULL;
	c = os_reserve(CHUNK_BYTES, CHUNK_BYTES, true);
	if (!c)
		return NULL;
	if (h->on_device)
		os_populate(c, SLAB_BYTES);
	c->blank = ~(uint64_t)1;
	c->next = meta->chunks;
	meta->chunks = c;
	count_bytes(h, SLAB_BYTES);
	return c;
}

/*
 * Have memory behind blank pages from @i on: not later, when there may be none.  Heap lock
 * held.  Return: false if there is none.
 */
static bool back_pages(struct heap *h, struct descriptor_chunk *c, uint32_t i)
{
	uint32_t end = i;

	while (end < CHUNK_SLABS && end - i < SLABS_AT_ONCE &&
	       (c->blank & ~c->backed) >> end & 1)
		end++;
	if (headroom_probe(h, (end - i) * SLAB_BYTES))
		return false;
	if (h->on_device)
		os_populate((char *)c + i * SLAB_BYTES, (end - i) * SLAB_BYTES);
	c->backed |= ~(uint64_t)0 >> (64 - (end - i)) << i;
	count_bytes(h, (end - i) * SLAB_BYTES);
	return true;
}

/* Begin to cut a page for a class.  Heap lock held. */
static bool new_page(struct heap *h, struct descriptor_page *page, size_t bytes)
{
	struct descriptor_chunk *c = chunk_with_blank(h);
	uint32_t i;

	if (!c)
		return false;
	i = (uint32_t)__builtin_ctzll(c->blank);
	if (!(c->backed >> i & 1) && !back_pages(h, c, i))
		return false;
	c->blank &= ~((uint64_t)1 << i);
	c->backed &= ~((uint64_t)1 << i);
	c->slab[i] = (struct slab){ .bytes = (uint16_t)bytes };
	page->next = (uintptr_t)c + i * SLAB_BYTES;
	page->end = page->next + SLAB_BYTES;
	return true;
}

/* Cut a new one.  Heap lock held. */
static struct span *cut(struct heap *h, unsigned int spanclass, uint32_t nelems)
{
	size_t bytes = align_up(sizeof(struct span) + bits_bytes(spanclass, nelems), 64);
	struct descriptor_page *page = &h->meta.page[spanclass];
	uint32_t words = span_bitmap_words(nelems);
	struct span *s;

	if (page->end - page->next < bytes && !new_page(h, page, bytes))
		return NULL;
	s = (struct span *)page->next;
	page->next += bytes;
	slab_of(s)->cut++;
	h->meta.span_bytes += bytes;
	s->nelems = nelems;
	s->spanclass = (uint8_t)spanclass;
	s->alloc_bits = s->bits;
	s->mark_bits = s->bits + words;
	if (bitmaps(spanclass) == 3)
		s->scan_bits = s->bits + 2 * words;
	if (spanclass == TINY_SPAN_CLASS)
		s->tiny_starts = (uint16_t *)(s->bits + bitmaps(spanclass) * words);
	return s;
}

/**
 * descriptor_new() - a descriptor with room for the bitmaps of its class
 * @h: the heap
 * @spanclass: the class
 * @nelems: objects in a span of it
 *
 * Context: heap lock held.
 * Return: the descriptor, with nothing allocated or marked; NULL without memory.
 */
struct span *descriptor_new(struct heap *h, unsigned int spanclass, uint32_t nelems)
{
	struct span *s = h->meta.free_spans[spanclass];

	if (!s)
		return cut(h, spanclass, nelems);
	h->meta.span_bytes_free -= slab_of(s)->bytes;
	h->meta.free_spans[spanclass] = s->next;
	memset(s->bits, 0, bits_bytes(spanclass, nelems));
	s->freeindex = 0;
	s->alloc_count = 0;
	s->cached = false;
	s->type = 0;
	s->dead = false;
	s->next = NULL;
	return s;
}

/**
 * descriptor_free() - a span is gone
 * @h: the heap
 * @s: its descriptor
 *
 * Context: heap lock held.
 */
void descriptor_free(struct heap *h, struct span *s)
{
	struct span **list = &h->meta.free_spans[s->spanclass];

	h->meta.span_bytes_free += slab_of(s)->bytes;
	if (gc_marking(h))
		list = &h->meta.unused;
	s->next = *list;
	*list = s;
}

/**
 * descriptors_recycle() - those of spans that were freed while marking went on
 * @h: the heap
 *
 * Context: the world is stopped, and nobody marks.
 */
void descriptors_recycle(struct heap *h)
{
	struct span *s;

	while ((s = h->meta.unused)) {
		h->meta.unused = s->next;
		s->next = h->meta.free_spans[s->spanclass];
		h->meta.free_spans[s->spanclass] = s;
	}
}

static void count_idle(struct heap *h)
{
	for (struct descriptor_chunk *c = h->meta.chunks; c; c = c->next)
		for (unsigned int i = 0; i < CHUNK_SLABS; i++)
			c->slab[i].idle = 0;
	for (unsigned int class = 0; class < NUM_SPAN_CLASSES; class++)
		for (const struct span *s = h->meta.free_spans[class]; s; s = s->next)
			slab_of(s)->idle++;
}

static bool all_idle(const struct span *s)
{
	const struct slab *slab = slab_of(s);

	return slab->idle == slab->cut;
}

/* Take descriptors of pages that are idle as a whole off the list of their class. */
static void unlist_idle(struct heap *h, unsigned int class)
{
	struct descriptor_page *page = &h->meta.page[class];
	struct span **at = &h->meta.free_spans[class], *s;

	while ((s = *at)) {
		if (!all_idle(s)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		h->meta.span_bytes -= slab_of(s)->bytes;
		h->meta.span_bytes_free -= slab_of(s)->bytes;
		/* What has not been cut of it never will be. */
		if (page->end - (uintptr_t)s <= SLAB_BYTES)
			*page = (struct descriptor_page){ 0 };
	}
}

/**
 * descriptors_condemn() - find pages of descriptors that nobody uses
 * @h: the heap
 *
 * Context: gc.lock held, nobody marks; busy, so that a stop is to come before
 * descriptors_discard().  Takes the heap lock.
 */
void descriptors_condemn(struct heap *h)
{
	struct metadata *meta = &h->meta;

	pthread_mutex_lock(&h->lock);
	if (meta->span_bytes_free > IDLE_MOST && meta->span_bytes_free > meta->span_bytes / 2) {
		count_idle(h);
		for (unsigned int class = 0; class < NUM_SPAN_CLASSES; class++)
			unlist_idle(h, class);
		for (struct descriptor_chunk *c = meta->chunks; c; c = c->next)
			for (unsigned int i = 1; i < CHUNK_SLABS; i++)
				if (c->slab[i].cut && c->slab[i].idle == c->slab[i].cut)
					c->condemned |= (uint64_t)1 << i;
	}
	pthread_mutex_unlock(&h->lock);
}

/**
 * descriptors_discard() - give the pages that were condemned back to the system
 * @h: the heap
 *
 * Context: busy, gc.lock held; the world has been stopped since descriptors_condemn().
 * Takes the heap lock.
 */
void descriptors_discard(struct heap *h)
{
	int64_t bytes = 0;

	pthread_mutex_lock(&h->lock);
	for (struct descriptor_chunk *c = h->meta.chunks; c; c = c->next) {
		c->blank |= c->condemned;
		while (c->condemned) {
			uint32_t i = (uint32_t)__builtin_ctzll(c->condemned);
			uint32_t end = bit_find(&c->condemned, i, CHUNK_SLABS, 0);
			uint64_t run = ~(uint64_t)0 >> (64 - (end - i)) << i;
			char *start = (char *)c + i * SLAB_BYTES;

			c->condemned &= ~run;
			if (os_discard(start, (end - i) * SLAB_BYTES)) {
				/* Locked memory stays, to be used again. */
				memset(start, 0, (end - i) * SLAB_BYTES);
				c->backed |= run;
			} else {
				bytes += (end - i) * SLAB_BYTES;
			}
			memset(&c->slab[i], 0, (end - i) * sizeof(c->slab[i]));
		}
	}
	if (bytes)
		count_bytes(h, -bytes);
	pthread_mutex_unlock(&h->lock);
}
