// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty pages: which were written since the window began, or were last asked
 * for, without a fault in whoever writes.
 *
 * A page has been written if the MMU's dirty bit is set in its PTE or PG_dirty
 * is set in its struct page.  The core kernel keeps that true for any shared
 * mapping: whatever takes a PTE away (munmap(), MADV_DONTNEED, our own
 * releases) moves its dirty bit to PG_dirty, and so does whoever writes to a
 * page by its address in the kernel (get_user_pages()).  So there are no hooks
 * in the writer, nothing costs anything while nobody tracks, and nobody who
 * unmaps has to harvest first.  Three things leave no such mark:
 *
 *  - memory that was given back, or was taken anew: chunk::changed remembers;
 *  - a page that is pinned for longer than a system call (RDMA, registered
 *    buffers) may be written by a device at any time: reported each time, and
 *    once more after it was seen pinned;
 *  - a harvest that could not be handed to the user: chunk::changed as well.
 *
 * Looking at a page that was not written has to be cheap, for most are not.  A
 * first pass over 16 pages ors their PTEs' dirty bits, flags and reference
 * counts together, a dozen instructions a page; only if something shows, a
 * second finds out which it was.  The page table is read in place, under its
 * own lock, so that a page that is being unmapped at the moment is seen either
 * dirty in its PTE or with PG_dirty, never in between.
 *
 * Clearing.  PG_dirty is cleared here, PTEs by
 * clean_record_shared_mapping_range(), which also has TLBs flushed.  A page
 * whose dirty bit was cleared is writable still: the next write sets the bit
 * again, in hardware.  Kernels without CONFIG_MAPPING_DIRTY_HELPERS (and builds
 * with GOHEAP_NO_DIRTY_HELPERS) unmap the pages instead, and the next access
 * takes a fault.
 *
 * Nothing is lost to writes that go on meanwhile: a mark is always cleared
 * before the reply is made, so what is written later is marked anew.  The one
 * trap is a TLB that has not been told yet: between PG_dirty being set by
 * someone who unmaps and the flush that he owes, another thread can write
 * through a stale entry without leaving a mark.  So if a flush is pending once
 * PG_dirty has been cleared, the range is cleaned too, which flushes.
 *
 * Relatives by fork().  They share the address_space, so cleaning one arena's
 * PTEs cleans theirs; and frames may be shared.  heap::lock keeps two of them
 * from harvesting at once, and what one harvests is marked in chunk::changed of
 * all others that have a window.  They may be told of pages that only the other
 * one wrote, never the other way round.
 */
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "trace.h"

/* Pages whose marks are ored together: if one shows, so many are looked at. */
#define TRACK_GLANCE	16

/* Rather than begin anew, cleaning walks over this many pages that are clean. */
#define TRACK_GAP	32

/* Pages harvested without letting go of the locks: 16 MiB; one bit for each. */
#define TRACK_BATCH	(BITS_PER_LONG * BITS_PER_LONG)

/**
 * struct harvest - one batch
 * @a: the arena
 * @vma: its VMA
 * @first: the first system page, counted from the start of the arena
 * @npages: how many, at most TRACK_BATCH
 * @clean: words of @dirty that have pages with the dirty bit in their PTEs
 * @flags: words that have pages which had PG_dirty
 * @dirty: the result: pages written
 */
struct harvest {
	struct arena *a;
	struct vm_area_struct *vma;
	u64 first;
	unsigned int npages;
	unsigned long clean;
	unsigned long flags;
	DECLARE_BITMAP(dirty, TRACK_BATCH);
};

/**
 * struct piece - pages that lie in one word of chunk::changed and one page table
 * @c: the chunk
 * @i: the first page, counted from the chunk's start
 * @n: how many, at most BITS_PER_LONG
 * @pte: their PTEs
 */
struct piece {
	struct chunk *c;
	unsigned int i;
	unsigned int n;
	const pte_t *pte;
};

/* What stands for the PTEs below a page table that does not exist. */
static const pte_t no_ptes[BITS_PER_LONG];

/* The harvest's bits for a piece; @page is its first page. */
static void harvest_mark(struct harvest *h, u64 page, unsigned long bits)
{
	unsigned int at = page - h->first, w = at / BITS_PER_LONG;
	unsigned int shift = at % BITS_PER_LONG;

	h->dirty[w] |= bits << shift;
	if (shift && bits >> (BITS_PER_LONG - shift))
		h->dirty[w + 1] |= bits >> (BITS_PER_LONG - shift);
}

/* The words of the harvest that a piece lies in. */
static unsigned long harvest_words(const struct harvest *h, u64 page, unsigned int n)
{
	unsigned int at = page - h->first;

	return BIT(at / BITS_PER_LONG) | BIT((at + n - 1) / BITS_PER_LONG);
}

/* Our pages are single ones, so this is what page_maybe_dma_pinned() asks. */
static bool is_pinned(unsigned int refs)
{
	return refs >= GUP_PIN_COUNTING_BIAS;
}

/*
 * What a glance takes of a PTE: a word that is ored with others', and in the end
 * tells whether one of them is dirty.
 */
#ifdef CONFIG_X86
static unsigned long pte_glance(pte_t pte)
{
	return native_pte_val(pte);
}

static bool glance_dirty(unsigned long ptes)
{
	return pte_dirty(native_make_pte(ptes));
}
#else
static unsigned long pte_glance(pte_t pte)
{
	return pte_dirty(pte);
}

static bool glance_dirty(unsigned long ptes)
{
	return ptes;
}
#endif

/* All pages of a piece have memory: is there no mark on any of them? */
static bool piece_is_clean(const struct piece *p)
{
	const u32 *pfn = &p->c->pfn[p->i], *end = pfn + p->n;
	unsigned long flags = 0, ptes = 0;
	const pte_t *pte = p->pte;
	unsigned int refs = 0;

	for (; pfn < end; pfn++, pte++) {
		const struct page *page = pfn_to_page(*pfn);

		flags |= READ_ONCE(page->flags);
		refs |= page_ref_count(page);
		ptes |= pte_glance(READ_ONCE(*pte));
	}
	/* GUP_PIN_COUNTING_BIAS is a power of two: or will do. */
	return !glance_dirty(ptes) && !(flags & BIT(PG_dirty)) && !is_pinned(refs);
}

/* Find and clear the marks of a piece, but for the bits in PTEs. */
static unsigned long piece_harvest(struct harvest *h, const struct piece *p, u64 page)
{
	unsigned long ptes = 0, flags = 0, pinned = 0;
	unsigned int k;

	for (k = 0; k < p->n; k++) {
		struct page *frame;

		/* Those in transit have the bit set as well. */
		if (test_bit((p->i + k) / SUBPAGES, p->c->pc.released))
			continue;
		frame = pfn_to_page(p->c->pfn[p->i + k]);
		if (pte_dirty(READ_ONCE(p->pte[k])))
			ptes |= BIT(k);
		if (is_pinned(page_ref_count(frame)))
			pinned |= BIT(k);
		if (test_bit(PG_dirty, &frame->flags) &&
		    test_and_clear_bit(PG_dirty, &frame->flags))
			flags |= BIT(k);
	}
	if (ptes)
		h->clean |= harvest_words(h, page, p->n);
	if (flags)
		h->flags |= harvest_words(h, page, p->n);
	/* Unpinned before the next harvest, they may have been written until then. */
	p->c->changed[p->i / BITS_PER_LONG] |= pinned << p->i % BITS_PER_LONG;
	return ptes | flags | pinned;
}

static void harvest_piece(struct harvest *h, const struct piece *p, u64 page)
{
	unsigned long *changed = &p->c->changed[p->i / BITS_PER_LONG];
	unsigned long mask = (~0UL >> (BITS_PER_LONG - p->n)) << p->i % BITS_PER_LONG;
	unsigned long bits = (*changed & mask) >> p->i % BITS_PER_LONG;
	unsigned int first = p->i / SUBPAGES, end = (p->i + p->n - 1) / SUBPAGES + 1;
	const unsigned long *released = p->c->pc.released;

	*changed &= ~mask;
	if (find_next_bit(released, end, first) < end) {
		if (find_next_zero_bit(released, end, first) < end)
			bits |= piece_harvest(h, p, page);
	} else {
		struct piece part = *p;

		for (; part.i < p->i + p->n; part.i += part.n, part.pte += part.n) {
			unsigned int at = part.i - p->i;

			part.n = min_t(unsigned int, TRACK_GLANCE, p->n - at);
			if (!piece_is_clean(&part))
				bits |= piece_harvest(h, &part, page + at) << at;
		}
	}
	if (bits)
		harvest_mark(h, page, bits);
}

/*
 * The entry of the page table that has the PTE for @addr; NULL if there is none.
 *
 * A table below a VMA that is in the tree stays while the mmap_lock is held for
 * reading.  There are no larger entries than PTEs: pages are only put in one by
 * one, and a VMA with VM_MIXEDMAP is never collapsed.
 */
static pmd_t *table_find(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud) || pud_bad(*pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd) || pmd_bad(*pmd))
		return NULL;
	return pmd;
}

/* Pages @page to @end - 1, the PTEs of which begin at @pte; NULL: have none. */
static void harvest_pages(struct harvest *h, u64 page, u64 end, const pte_t *pte)
{
	struct piece p = { .pte = pte ?: no_ptes };

	for (; page < end; page += p.n) {
		p.c = arena_chunk(h->a, page / SUBPAGES);
		p.i = page % CHUNK_SYSTEM_PAGES;
		p.n = min_t(u64, end - page, BITS_PER_LONG - p.i % BITS_PER_LONG);
		harvest_piece(h, &p, page);
		if (pte)
			p.pte += p.n;
	}
}

/* The same; they lie below one page table. */
static void harvest_table(struct harvest *h, u64 page, u64 end)
{
	unsigned long addr = h->a->base + (page << PAGE_SHIFT);
	struct mm_struct *mm = h->vma->vm_mm;
	pmd_t *pmd = table_find(mm, addr);

	if (pmd) {
		spinlock_t *ptl = pte_lockptr(mm, pmd);

		spin_lock(ptl);
		harvest_pages(h, page, end, pte_offset_kernel(pmd, addr));
		spin_unlock(ptl);
	} else {
		harvest_pages(h, page, end, NULL);
	}
}

#ifdef GOHEAP_TRACK_NOFAULT
static void harvest_clean_range(struct harvest *h, unsigned int first, unsigned int n)
{
	pgoff_t start = 0, end = 0;

	clean_record_shared_mapping_range(h->a->inode->i_mapping, h->first + first, n,
					  h->first, h->dirty, &start, &end);
}
#else
/* Unmapping moves dirty bits to PG_dirty, the relatives' to their frames'. */
static void harvest_clean_range(struct harvest *h, unsigned int first, unsigned int n)
{
	unsigned int start = first, end, i;

	for_each_set_bitrange_from(start, end, h->dirty, first + n) {
		unmap_mapping_range(h->a->inode->i_mapping,
				    (loff_t)(h->first + start) << PAGE_SHIFT,
				    (loff_t)(end - start) << PAGE_SHIFT, 1);
		for (i = start; i < end; i++) {
			u64 page = h->first + i;
			struct chunk *c = arena_chunk(h->a, page / SUBPAGES);

			if (!test_bit(page / SUBPAGES % PALLOC_CHUNK_PAGES, c->pc.released))
				ClearPageDirty(pfn_to_page(c->pfn[page % CHUNK_SYSTEM_PAGES]));
		}
	}
}
#endif

/* Clean from the first page written to the last, but for long gaps between. */
static void harvest_clean_words(struct harvest *h, unsigned int start, unsigned int limit)
{
	unsigned int first = limit, last = limit, end;

	for_each_set_bitrange_from(start, end, h->dirty, limit) {
		if (first == limit) {
			first = start;
		} else if (start - last > TRACK_GAP) {
			harvest_clean_range(h, first, last - first);
			first = start;
		}
		last = end;
	}
	if (first < limit)
		harvest_clean_range(h, first, last - first);
}

/* Clear the dirty bits in PTEs, and flush what somebody else has yet to flush. */
static void harvest_clean(struct harvest *h)
{
	unsigned int nwords = DIV_ROUND_UP(h->npages, BITS_PER_LONG);
	unsigned int start, end;

	if (h->flags && mm_tlb_flush_pending(h->vma->vm_mm))
		h->clean |= h->flags;
	for_each_set_bitrange(start, end, &h->clean, nwords)
		harvest_clean_words(h, start * BITS_PER_LONG,
				    min_t(unsigned int, end * BITS_PER_LONG, h->npages));
}

/* Harvest what exists of a batch. */
static void harvest_locked(struct harvest *h)
{
	u64 page = h->first, last = h->first + h->npages;

	lockdep_assert_held(&h->a->lock);

	last = min(last, h->a->palloc.nr_chunks * CHUNK_SYSTEM_PAGES);
	while (page < last) {
		unsigned long addr = h->a->base + (page << PAGE_SHIFT);
		u64 end = page + ((PMD_SIZE - (addr & ~PMD_MASK)) >> PAGE_SHIFT);

		end = min(end, last);
		harvest_table(h, page, end);
		page = end;
	}
	if (h->clean || h->flags)
		harvest_clean(h);
}

/* Mark a batch's pages in chunk::changed. */
static void track_remark(struct arena *a, u64 first, const unsigned long *bits,
			 unsigned int npages)
{
	unsigned int i;

	lockdep_assert_held(&a->lock);

	if (a->state != ARENA_MAPPED || !a->tracking)
		return;
	for_each_set_bit(i, bits, npages) {
		u64 page = first + i;

		if (page >= a->palloc.nr_chunks * CHUNK_SYSTEM_PAGES)
			break;
		set_bit(page % CHUNK_SYSTEM_PAGES, arena_chunk(a, page / SUBPAGES)->changed);
	}
}

/* Tell the others who share the address_space. */
static void harvest_share(struct harvest *h)
{
	struct heap *heap = h->a->heap;
	struct arena *a;

	lockdep_assert_held(&heap->lock);

	list_for_each_entry(a, &heap->arenas, relatives) {
		/* Who begins a window now has his first harvest after this one. */
		if (a == h->a || !READ_ONCE(a->tracking))
			continue;
		mutex_lock(&a->lock);
		track_remark(a, h->first, h->dirty, h->npages);
		mutex_unlock(&a->lock);
	}
}

/* One batch, all locks taken and let go. */
static int track_harvest(struct harvest *h)
{
	struct arena *a = h->a;
	int err = 0;

	cond_resched();
	bitmap_zero(h->dirty, h->npages);
	h->clean = 0;
	h->flags = 0;

	h->vma = map_lock_vma(a);
	if (IS_ERR(h->vma))
		return PTR_ERR(h->vma);
	mutex_lock(&a->heap->lock);
	mutex_lock(&a->lock);
	if (a->state != ARENA_MAPPED)
		err = -ENXIO;
	else if (!a->tracking)
		err = -ENODATA;
	else
		harvest_locked(h);
	mutex_unlock(&a->lock);
	if (h->clean || h->flags)
		harvest_share(h);
	mutex_unlock(&a->heap->lock);
	mmap_read_unlock(a->mm);
	return err;
}

/**
 * track_begin() - begin a window, or begin it anew
 * @a: the arena
 *
 * Context: without locks; may sleep.
 * Return: 0, -ENXIO, or -EINTR for a process that is being killed.
 */
int track_begin(struct arena *a)
{
	struct harvest h __uninitialized;
	u64 end = 0;
	int err = 0;

	mutex_lock(&a->lock);
	if (a->state == ARENA_MAPPED) {
		/* From here on nothing is missed; then throw away what was before. */
		WRITE_ONCE(a->tracking, true);
		a->tracks++;
		end = a->palloc.nr_chunks * CHUNK_SYSTEM_PAGES;
	} else {
		err = -ENXIO;
	}
	mutex_unlock(&a->lock);

	h.a = a;
	for (h.first = 0; !err && h.first < end; h.first += h.npages) {
		h.npages = min_t(u64, TRACK_BATCH, end - h.first);
		err = track_harvest(&h);
	}
	if (!err)
		trace_goheap_track(a, true);
	/* Another thread has ended it already. */
	return err == -ENODATA ? 0 : err;
}

/**
 * track_end() - end the window, if there is one
 * @a: the arena
 *
 * Return: 0 or -ENXIO.
 */
int track_end(struct arena *a)
{
	int err = 0;

	mutex_lock(&a->lock);
	if (a->state == ARENA_MAPPED)
		WRITE_ONCE(a->tracking, false);
	else
		err = -ENXIO;
	mutex_unlock(&a->lock);
	if (!err)
		trace_goheap_track(a, false);
	return err;
}

/**
 * track_changed() - pages get memory, or lose it
 * @a: the arena
 * @page: first runtime page
 * @npages: how many
 */
void track_changed(struct arena *a, u64 page, u64 npages)
{
	struct segment s;

	lockdep_assert_held(&a->lock);

	if (!a->tracking)
		return;
	while (segment_next(a, &s, &page, &npages))
		bitmap_set(s.c->changed, s.first * SUBPAGES, (s.end - s.first) * SUBPAGES);
}

/* Pages that were harvested for a reply that fails: written, for all we know. */
static void track_put_back(struct arena *a, u64 first, u64 npages)
{
	u64 page = first / SUBPAGES, end = DIV_ROUND_UP_ULL(first + npages, SUBPAGES);

	while (page < end) {
		u64 n = min_t(u64, PALLOC_CHUNK_PAGES, end - page);

		mutex_lock(&a->lock);
		if (a->state != ARENA_MAPPED)
			end = 0;
		else
			end = min(end, a->palloc.nr_chunks << PALLOC_CHUNK_SHIFT);
		if (page < end)
			track_changed(a, page, min(n, end - page));
		mutex_unlock(&a->lock);
		page += n;
		cond_resched();
	}
}

/* Can the whole bitmap be written?  Asks before anything is harvested for it. */
static int track_probe(u64 __user *bitmap, u64 npages)
{
	char __user *p = (char __user *)bitmap;
	u64 left = DIV_ROUND_UP_ULL(npages, 64) * sizeof(u64);

	while (left) {
		size_t n = min_t(u64, left, SZ_1M);

		if (fatal_signal_pending(current))
			return -EINTR;
		if (fault_in_safe_writeable(p, n))
			return -EFAULT;
		p += n;
		left -= n;
		cond_resched();
	}
	return 0;
}

/**
 * track_check() - may a range be asked for?
 * @a: the arena
 * @addr: its first byte, a multiple of PAGE_SIZE
 * @bytes: its length, a multiple of PAGE_SIZE, not zero
 *
 * Return: 0; -ENXIO: the arena is not mapped; -EINVAL: not inside it; -ENODATA:
 * there is no window.
 */
int track_check(struct arena *a, u64 addr, u64 bytes)
{
	int err = 0;

	mutex_lock(&a->lock);
	if (a->state != ARENA_MAPPED)
		err = -ENXIO;
	else if (addr < a->base || addr - a->base > a->bytes ||
		 bytes > a->bytes - (addr - a->base))
		err = -EINVAL;
	else if (!a->tracking)
		err = -ENODATA;
	mutex_unlock(&a->lock);
	return err;
}

/**
 * track_collect() - which pages were written, and begin anew for these
 * @a: the arena
 * @addr: first byte of the range, checked by track_check()
 * @bytes: its length
 * @bitmap: gets a bit for each system page, lowest first, in whole words
 * @count: gets the number of them
 *
 * If this fails, all pages that were looked at count as written.
 *
 * Context: without locks; may sleep.
 * Return: 0, -ENXIO, -ENODATA, -EFAULT, or -EINTR for a process that is being
 * killed.
 */
int track_collect(struct arena *a, u64 addr, u64 bytes, u64 __user *bitmap, u64 *count)
{
	u64 first = (addr - a->base) >> PAGE_SHIFT, npages = bytes >> PAGE_SHIFT;
	struct harvest h __uninitialized;
	u64 done = 0;
	int err = 0;

	*count = 0;
	/* The reply to a single batch can be put back exactly. */
	if (npages > TRACK_BATCH)
		err = track_probe(bitmap, npages);

	h.a = a;
	while (!err && done < npages) {
		h.first = first + done;
		h.npages = min_t(u64, TRACK_BATCH, npages - done);
		err = track_harvest(&h);
		if (err)
			break;
		if (copy_to_user(bitmap + done / 64, h.dirty,
				 DIV_ROUND_UP(h.npages, 64) * sizeof(u64))) {
			mutex_lock(&a->lock);
			track_remark(a, h.first, h.dirty, h.npages);
			mutex_unlock(&a->lock);
			err = -EFAULT;
			break;
		}
		*count += bitmap_weight(h.dirty, h.npages);
		done += h.npages;
	}
	if (err == -EFAULT)
		track_put_back(a, first, done);
	if (err)
		return err;

	mutex_lock(&a->lock);
	a->collects++;
	a->dirty_pages += *count;
	mutex_unlock(&a->lock);
	trace_goheap_collect(a, addr, bytes, *count << PAGE_SHIFT);
	return 0;
}

/**
 * track_undo() - the reply of track_collect() could not be given in full
 * @a: the arena
 * @addr: first byte of the range
 * @bytes: its length
 */
void track_undo(struct arena *a, u64 addr, u64 bytes)
{
	track_put_back(a, (addr - a->base) >> PAGE_SHIFT, bytes >> PAGE_SHIFT);
}
