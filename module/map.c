// SPDX-License-Identifier: GPL-2.0
/*
 * Pages into the page tables, in bulk.
 *
 * vm_insert_pages() takes up to 64 pages for consecutive addresses under one
 * PMD; small spans that lie side by side are collected into one call.  The
 * mmap_lock is held for reading over 512 pages at most, and not while memory
 * for spans is being allocated.
 *
 * Page tables.  vm_insert_pages() allocates them as page faults do, with the
 * OOM killer as the last resort, and takes no flags.  So before the first pages
 * go under a PMD, a page is allocated the way a request may (reclaim, but
 * ENOMEM in the end) and freed again, which leaves room for the table; the call
 * itself then runs in a memalloc_noreclaim scope, in which an allocation goes a
 * page over the cgroup's limit or into the reserves sooner than kill.  The
 * tables above (one for a gigabyte) are left to the reserves.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "arena.h"

/* Pages mapped before the mmap_lock is let go for a moment. */
#define MAP_LOCK_PAGES	512

/**
 * map_insert() - map pages at consecutive addresses
 * @vma: the arena's VMA
 * @addr: the first address
 * @pages: the pages
 * @left: their number; on return, how many are not mapped
 * @own: no relative has any of them, so they may be mapped writable whatever
 *	mode the VMA is in
 *
 * Context: mmap_lock held.  Charges the active cgroup for page tables.
 * Return: as vm_insert_pages().
 */
int map_insert(struct vm_area_struct *vma, unsigned long addr,
	       struct page **pages, unsigned long *left, bool own)
{
	struct vm_area_struct writable __uninitialized;

	if (likely(!own))
		return vm_insert_pages(vma, addr, pages, left);

	/*
	 * vm_insert_pages() takes the protection from the VMA, and that of one
	 * in shared mode says read-only.  It looks at no more than mm, bounds,
	 * flags and protection, so it can be told by a copy.
	 */
	data_race(memcpy(&writable, vma, sizeof(writable)));
	writable.vm_page_prot = arena_vma_prot(vma);
	return vm_insert_pages(&writable, addr, pages, left);
}

/**
 * map_begin() - begin to map spans
 * @m: the mapper
 * @a: the arena
 */
void map_begin(struct mapper *m, struct arena *a)
{
	m->a = a;
	m->vma = NULL;
	m->budget = 0;
	m->n = 0;
	m->addr = 0;
	m->tables = NULL;
	m->shared = READ_ONCE(a->shared);
	m->own = false;
}

static void map_unlock(struct mapper *m)
{
	if (!m->vma)
		return;
	m->vma = NULL;
	mmap_read_unlock(m->a->mm);
}

/**
 * map_lock_vma() - hold the mmap_lock for reading, and the arena's VMA with it
 * @a: the arena
 *
 * The VMA has to be found anew each time: it may have gone while the lock was
 * not held.  Or it may be going: munmap() takes it out of the tree with the lock
 * held for writing, and then empties and closes it with the lock held for
 * reading.  So the tree is to be believed, not arena::state.
 *
 * Return: the VMA, to be let go by mmap_read_unlock(); or, without the lock,
 * -ENXIO, or -EINTR for a process that is being killed.
 */
struct vm_area_struct *map_lock_vma(struct arena *a)
{
	struct vm_area_struct *vma;

	if (fatal_signal_pending(current) || mmap_read_lock_killable(a->mm))
		return ERR_PTR(-EINTR);
	vma = vma_lookup(a->mm, a->base);
	if (!vma || vma->vm_private_data != a) {
		mmap_read_unlock(a->mm);
		return ERR_PTR(-ENXIO);
	}
	return vma;
}

static int map_lock(struct mapper *m)
{
	struct arena *a = m->a;
	struct vm_area_struct *vma;

	if (m->vma && m->budget >= 0)
		return 0;
	map_unlock(m);
	cond_resched();

	vma = map_lock_vma(a);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	/* Its markers stand where pages would go. */
	if (vma->vm_flags & VM_UFFD_WP) {
		mmap_read_unlock(a->mm);
		return -EBUSY;
	}
	m->vma = vma;
	m->budget = MAP_LOCK_PAGES;
	return 0;
}

/* Map pages where there may be no page table yet. */
static int map_insert_new(struct mapper *m, unsigned long *left)
{
	struct page *headroom = alloc_page(GOHEAP_GFP);
	unsigned int flags;
	int err;

	if (!headroom)
		return -ENOMEM;
	__free_page(headroom);

	flags = memalloc_noreclaim_save();
	err = map_insert(m->vma, m->addr, m->pages, left, m->own);
	memalloc_noreclaim_restore(flags);
	if (!err)
		set_bit(m->table, m->tables);
	return err;
}

static int map_flush(struct mapper *m)
{
	unsigned long left = m->n;
	int err;

	if (!left)
		return 0;
	m->n = 0;
	m->budget -= left;
	err = map_lock(m);
	if (err)
		return err;

	if (likely(test_bit(m->table, m->tables)))
		err = map_insert(m->vma, m->addr, m->pages, &left, m->own);
	else
		err = map_insert_new(m, &left);

	/* Pages of another kind than ours: not the caller's fault. */
	WARN_ON_ONCE(err == -EINVAL);
	/* A table above the last level that could not be had is -EFAULT. */
	return err ? -ENOMEM : 0;
}

/* How many of up to @n pages are of one kind: the arena's alone, or not (@own). */
static unsigned int map_kind(const u32 *pfn, unsigned int n, bool *own)
{
	unsigned int i;

	*own = !memory_page_shared(pfn_to_page(*pfn));
	for (i = 1; i < n; i++)
		if (memory_page_shared(pfn_to_page(pfn[i])) == *own)
			break;
	return i;
}

/*
 * System pages @i to @i + @n - 1 of a chunk, the segment of which is @s, go to
 * @addr and on.
 */
static int map_run(struct mapper *m, const struct segment *s, unsigned int i,
		   unsigned int n, unsigned long addr)
{
	while (n) {
		unsigned int part = min_t(unsigned long, n,
					  (PMD_SIZE - (addr & ~PMD_MASK)) >> PAGE_SHIFT);
		const u32 *pfn = &s->c->pfn[i];
		struct page **pages, **end;
		bool own = false;
		int err;

		if (unlikely(m->shared))
			part = map_kind(pfn, part, &own);
		if (m->n == MAP_BATCH || own != m->own || addr != m->addr + m->n * PAGE_SIZE ||
		    m->tables != &s->c->tables || !(addr & ~PMD_MASK)) {
			err = map_flush(m);
			if (err)
				return err;
			m->addr = addr;
			m->own = own;
			m->tables = &s->c->tables;
			m->table = (addr >> PMD_SHIFT) -
				   (arena_addr(m->a, s->page) >> PMD_SHIFT);
		}

		part = min_t(unsigned int, part, MAP_BATCH - m->n);
		pages = m->pages + m->n;
		for (end = pages + part; pages < end; pages++)
			*pages = pfn_to_page(*pfn++);
		m->n += part;
		i += part;
		n -= part;
		addr += part * PAGE_SIZE;
	}
	return 0;
}

/* A word with the lowest @n bits set; 1 <= @n <= BITS_PER_LONG. */
#define ONES(n)	(~0UL >> (BITS_PER_LONG - (n)))

/* How many bits from the lowest on are set. */
static unsigned int run_length(unsigned long bits)
{
	return bits == ~0UL ? BITS_PER_LONG : ffz(bits);
}

/**
 * map_range() - map those pages of spans in transit that are not mapped
 * @m: the mapper
 * @page: first page of the range
 * @npages: its length
 *
 * All of them have memory.  The bits that say otherwise, or that they are not
 * mapped, stay set: span_publish() clears them.
 *
 * Context: without arena::lock; may sleep.  Charges the active cgroup for page
 * tables.
 * Return: 0, -ENOMEM, -ENXIO if the arena is no longer mapped, -EBUSY if a
 * userfaultfd write-protects it, -EINTR for a process that is being killed; some
 * pages may be mapped then: map_undo().
 */
int map_range(struct mapper *m, u64 page, u64 npages)
{
	struct segment s;
	unsigned int w;

	while (segment_next(m->a, &s, &page, &npages)) {
		for (w = s.word; w <= s.last_word; w++) {
			unsigned long bits = transit_word(&s.c->pc.released[w]) |
					     transit_word(&s.c->unmapped[w]);
			unsigned int base = w * BITS_PER_LONG;

			bits &= segment_mask(&s, w);
			while (bits) {
				unsigned int bit = __ffs(bits);
				unsigned int n = run_length(bits >> bit);
				int err;

				err = map_run(m, &s, (base + bit) * SUBPAGES,
					      n * SUBPAGES,
					      arena_addr(m->a, s.page + base + bit));
				if (err)
					return err;
				bits &= ~(ONES(n) << bit);
			}
		}
	}
	return 0;
}

/**
 * map_end() - map what is still to be mapped and let go of the mmap_lock
 * @m: the mapper
 *
 * To be called after a failure of map_range() too, and then maps nothing.
 *
 * Return: as map_range().
 */
int map_end(struct mapper *m)
{
	int err = map_flush(m);

	map_unlock(m);
	return err;
}

/**
 * map_zap() - unmap pages, wherever they are mapped
 * @a: the arena
 * @page: the first page
 * @npages: number of pages
 *
 * When this returns no TLB knows them either.
 *
 * Context: with or without arena::lock, without i_mmap_rwsem; may sleep.
 */
void map_zap(struct arena *a, u64 page, u64 npages)
{
	unmap_mapping_range(a->inode->i_mapping, page << GOHEAP_PAGE_SHIFT,
			    npages << GOHEAP_PAGE_SHIFT, 1);
}

/**
 * map_undo() - undo map_range(), finished or not
 * @a: the arena
 * @page: first page of the range
 * @npages: its length
 */
void map_undo(struct arena *a, u64 page, u64 npages)
{
	struct segment s;
	unsigned int w;

	while (segment_next(a, &s, &page, &npages)) {
		for (w = s.word; w <= s.last_word; w++) {
			unsigned long bits = transit_word(&s.c->pc.released[w]) |
					     transit_word(&s.c->unmapped[w]);
			u64 base = s.page + w * BITS_PER_LONG;

			bits &= segment_mask(&s, w);
			if (bits == ~0UL) {
				map_zap(a, base, BITS_PER_LONG);
				continue;
			}
			for (; bits; bits &= bits - 1)
				map_zap(a, base + __ffs(bits), 1);
		}
	}
}
