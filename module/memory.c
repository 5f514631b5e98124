// SPDX-License-Identifier: GPL-2.0
/*
 * Memory behind pages: from the system and back, in bulk.
 *
 * Pages are taken eight at a time.  Blocks of order 3 come from the same
 * per-CPU lists as single pages, and split_page() makes eight single pages of
 * one, with one visit to the allocator and one charge to the cgroup.  Larger
 * blocks are a gift, so they are asked for without reclaim; when one is not to
 * be had, the rest of the request is served page by page, with reclaim, but
 * without the OOM killer.
 *
 * The pages come zeroed.  They belong to the arena by one reference each; a
 * mapping holds another, and so does anyone who pinned the page
 * (get_user_pages()), so giving a page back while it is pinned only means that
 * it is freed later.
 *
 * Owners.  After a fork several arenas have the same page.  They hold that one
 * reference together; page_private() counts the owners beyond the first, so it
 * is zero for a page that one arena has to itself.  Who drops a page takes one
 * off, and the last gives the reference back.  The count rises only under the
 * lock of an arena that has the page, so "this page is mine alone" stays true
 * while the lock is held.
 *
 * Readers.  A page that is shared may have been given to a pipe or a socket by
 * any of its owners, without a trace but a reference.  Should that one drop the
 * page, the reference would go on to show what the others write.  So who drops a
 * page looks for such references, and a page that has one is marked: it counts as
 * shared from then on, and its last owner writes to a copy as well.
 *
 * All arenas together are kept under a limit, counted in system pages; a page
 * with several owners counts once, and stays charged to the cgroup of the arena
 * that took it.
 */
#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "arena.h"

/* What page_private() is made of: the mark, and the count above it. */
#define PAGE_MARKED	1L
#define PAGE_OWNER	2L

#define BLOCK_ORDER	PAGE_ALLOC_COSTLY_ORDER
#define BLOCK_GFP	((GOHEAP_GFP & ~(__GFP_DIRECT_RECLAIM |		\
					 __GFP_RETRY_MAYFAIL)) | __GFP_NORETRY)

unsigned long memory_limit;
static atomic_long_t memory_used = ATOMIC_LONG_INIT(0);

/**
 * memory_limit_init() - set the limit, unless the module's user did
 */
void memory_limit_init(void)
{
	if (!memory_limit)
		memory_limit = totalram_pages() / 2;
}

/**
 * memory_pages() - memory of all arenas together
 *
 * Return: system pages.
 */
unsigned long memory_pages(void)
{
	return atomic_long_read(&memory_used);
}

/**
 * memory_would_fit() - is there room below the limit?
 * @npages: system pages
 *
 * Return: whether memory_charge() would succeed now.
 */
bool memory_would_fit(u64 npages)
{
	unsigned long limit = READ_ONCE(memory_limit);
	unsigned long used = memory_pages();

	return used <= limit && npages <= limit - used;
}

/**
 * memory_charge() - count memory against the limit before it is taken
 * @npages: system pages, fewer than 2^62
 *
 * Return: 0 or -ENOMEM.
 */
int memory_charge(u64 npages)
{
	long used = atomic_long_read(&memory_used);

	/* Never over the limit for a moment: that would refuse others for nothing. */
	do {
		unsigned long limit = READ_ONCE(memory_limit);

		if (used > limit || npages > limit - used)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&memory_used, &used, used + npages));
	return 0;
}

/**
 * memory_uncharge() - undo memory_charge()
 * @npages: system pages
 */
void memory_uncharge(u64 npages)
{
	atomic_long_sub(npages, &memory_used);
}

/* Visit the system's allocator. */
static int source_refill(struct page_source *src)
{
	unsigned int order = 0;
	struct page *page = NULL;

	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();

	if (src->need > 1 && !src->singly) {
		order = min_t(unsigned int, BLOCK_ORDER, ilog2(src->need));
		page = alloc_pages(BLOCK_GFP | __GFP_ZERO, order);
		if (page) {
			split_page(page, order);
		} else {
			src->singly = true;
			order = 0;
		}
	}
	if (!page)
		page = alloc_page(GOHEAP_GFP | __GFP_ZERO);
	if (!page)
		return -ENOMEM;

	src->next = page;
	src->left = 1U << order;
	src->need -= src->left;

	/* Beyond 16 TiB of physical memory: chunk::pfn cannot name it. */
	if (page_to_pfn(page) + src->left - 1 > U32_MAX)
		return -ENOMEM;
	return 0;
}

/**
 * memory_source_done() - give back what a request took and did not use
 * @src: the source
 */
void memory_source_done(struct page_source *src)
{
	for (; src->left; src->left--)
		__free_page(src->next++);
}

/* Put memory behind one runtime page. */
static int memory_back_page(struct page_source *src, u32 *pfn)
{
	unsigned int sub;
	int err;

	for (sub = 0; sub < SUBPAGES; sub++) {
		if (!src->left) {
			err = source_refill(src);
			if (err)
				return err;
		}
		/* What the system leaves there in the tail of a block is no count. */
		set_page_private(src->next, 0);
		pfn[sub] = page_to_pfn(src->next++);
		src->left--;
	}
	return 0;
}

/**
 * memory_back() - put memory behind the released pages of spans in transit
 * @a: the arena
 * @src: where the memory comes from
 * @page: first page of the range
 * @npages: its length
 *
 * The released bits stay set: span_publish() clears them.
 *
 * Context: without the lock; may sleep.  Charges the active cgroup.
 * Return: 0, -ENOMEM or -EINTR, with some of the pages backed:
 * memory_drop() undoes that.
 */
int memory_back(struct arena *a, struct page_source *src, u64 page, u64 npages)
{
	struct segment s;
	unsigned int w;

	while (segment_next(a, &s, &page, &npages)) {
		for (w = s.word; w <= s.last_word; w++) {
			unsigned long bits = transit_word(&s.c->pc.released[w]) &
					     segment_mask(&s, w);

			for (; bits; bits &= bits - 1) {
				unsigned int i = w * BITS_PER_LONG + __ffs(bits);
				int err = memory_back_page(src, &s.c->pfn[i * SUBPAGES]);

				if (err)
					return err;
			}
		}
	}
	return 0;
}

/**
 * memory_page_new() - one page for a copy, not zeroed
 * @a: the arena; its cgroup is charged
 *
 * Context: without the lock; may sleep.
 * Return: the page, counted against the limit; NULL if there is no memory.
 * memory_page_drop() undoes it.
 */
struct page *memory_page_new(struct arena *a)
{
	struct mem_cgroup *old;
	struct page *page;

	if (memory_charge(1))
		return NULL;
	old = set_active_memcg(a->memcg);
	page = alloc_page(GOHEAP_GFP);
	set_active_memcg(old);
	if (page && page_to_pfn(page) > U32_MAX) {
		__free_page(page);
		page = NULL;
	}
	if (page)
		set_page_private(page, 0);
	else
		memory_uncharge(1);
	return page;
}

static atomic_long_t *page_owners(struct page *page)
{
	static_assert(sizeof(page->private) == sizeof(atomic_long_t));
	/* The page is this module's, and has no use for the field otherwise. */
	return (atomic_long_t *)&page->private;
}

/**
 * memory_page_share() - one more arena has a page
 * @page: the page; the caller holds the lock of an arena that has it
 */
void memory_page_share(struct page *page)
{
	/* Without other owners there is nobody else who could change it. */
	if (!memory_page_shared(page))
		set_page_private(page, PAGE_OWNER);
	else
		atomic_long_add(PAGE_OWNER, page_owners(page));
}

/**
 * memory_page_referenced() - is there a reference that no arena knows of?
 * @page: a page that an arena has
 * @held: references that the caller knows of
 *
 * Return: whether somebody has one beside arenas and page tables; at times also
 * when a page table is just being emptied.
 */
bool memory_page_referenced(struct page *page, unsigned int held)
{
	return page_ref_count(page) > 1 + held + atomic_read(&page->_mapcount) + 1;
}

/* An owner less; was it the last?  The page is not mapped by him any more. */
static bool page_disown(struct heap *h, struct page *page, unsigned int held)
{
	long old, new;

	if (likely(!memory_page_shared(page)))
		return true;
	old = atomic_long_read(page_owners(page));
	do {
		if (old < PAGE_OWNER)
			return true;
		new = old - PAGE_OWNER;
		if (memory_page_referenced(page, held)) {
			new |= PAGE_MARKED;
			/* Before heap::nr_mapped says that nobody else is left. */
			WRITE_ONCE(h->marked, true);
		}
	} while (!atomic_long_try_cmpxchg(page_owners(page), &old, new));
	return false;
}

/**
 * memory_page_drop() - an arena has a page no longer
 * @a: the arena
 * @page: the page; the arena has it not mapped
 * @held: references to it that the caller knows of
 */
void memory_page_drop(struct arena *a, struct page *page, unsigned int held)
{
	if (!page_disown(a->heap, page, held))
		return;
	put_page(page);
	memory_uncharge(1);
}

/* Pages on their way back to the system. */
struct page_sink {
	unsigned int n;
	u64 freed;
	u64 others;
	struct page *pages[MAP_BATCH];
};

static void sink_init(struct page_sink *sink)
{
	sink->n = 0;
	sink->freed = 0;
	sink->others = 0;
}

static void sink_flush(struct page_sink *sink)
{
	if (sink->n)
		release_pages(sink->pages, sink->n);
	sink->freed += sink->n;
	sink->n = 0;
}

/* The arena has what is behind page @i of a chunk no longer. */
static void sink_page(struct page_sink *sink, struct arena *a, struct chunk *c,
		      unsigned int i)
{
	u32 *pfn = &c->pfn[i * SUBPAGES];
	unsigned int sub;

	for (sub = 0; sub < SUBPAGES; sub++) {
		struct page *page;

		if (!pfn[sub])
			continue;
		page = pfn_to_page(pfn[sub]);
		pfn[sub] = 0;
		if (unlikely(!page_disown(a->heap, page, 0))) {
			sink->others++;
			continue;
		}
		if (sink->n == ARRAY_SIZE(sink->pages))
			sink_flush(sink);
		sink->pages[sink->n++] = page;
	}
}

/**
 * memory_free() - give the memory behind pages back to the system
 * @a: the arena
 * @s: the pages; the arena has them not mapped (and the TLBs know), and nobody
 *	else looks at their memory
 *
 * The limit has room again for what nobody else has.  The caller sets the
 * released bits.
 */
void memory_free(struct arena *a, const struct segment *s)
{
	struct page_sink sink __uninitialized;
	unsigned int i;

	lockdep_assert_held(&a->lock);

	sink_init(&sink);
	for (i = s->first; i < s->end; i++)
		sink_page(&sink, a, s->c, i);
	sink_flush(&sink);
	memory_uncharge(sink.freed);
	a->nr_shared -= min(a->nr_shared, sink.others);
}

/**
 * memory_drop() - undo memory_back(), finished or not
 * @a: the arena
 * @page: first page of the range
 * @npages: its length
 *
 * The caller does what concerns the limit.
 */
void memory_drop(struct arena *a, u64 page, u64 npages)
{
	struct page_sink sink __uninitialized;
	struct segment s;
	unsigned int w;

	sink_init(&sink);
	while (segment_next(a, &s, &page, &npages)) {
		for (w = s.word; w <= s.last_word; w++) {
			unsigned long bits = transit_word(&s.c->pc.released[w]) &
					     segment_mask(&s, w);

			for (; bits; bits &= bits - 1)
				sink_page(&sink, a, s.c, w * BITS_PER_LONG + __ffs(bits));
		}
		sink_flush(&sink);
		cond_resched();
	}
}
