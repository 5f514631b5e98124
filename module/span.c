// SPDX-License-Identifier: GPL-2.0
/*
 * Batches of spans.
 *
 * Allocating.  Under the lock every span of the batch gets its range of pages.
 * If all of them have memory and are mapped, which is the common case, that is
 * all: the request touches no page and no page table.  Otherwise the spans are
 * in transit: the lock is dropped, memory is taken from the system, mapped,
 * the addresses are copied out, and only then, under the lock again, the bits
 * say that the memory is there.  Until then a fault sees pages that nobody
 * owns, a free is refused (chunk::busy), a release sees used pages, and a
 * failure needs to put back nothing but what this request itself did.
 *
 * Freeing checks the whole batch before it frees any of it; chunk::busy doubles
 * as the mark by which a span that is named twice is found.
 *
 * Zeroing.  Memory is zero when it comes from the system.  A span with a page
 * that had memory already is returned with GOHEAP_SPAN_NEEDZERO: what is in it
 * was written by the same process, so it is left to the library to clear what
 * it needs cleared.
 */
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "trace.h"

static u64 span_page(const struct arena *a, const struct goheap_span *sp)
{
	return (sp->addr - a->base) >> GOHEAP_PAGE_SHIFT;
}

static int span_blame(struct span_request *rq, u32 i, int err)
{
	rq->bad_index = i;
	return err;
}

/**
 * span_check_alloc() - check the fields of a batch to be allocated
 * @rq: the request
 *
 * Return: 0 or -EINVAL.
 */
int span_check_alloc(struct span_request *rq)
{
	u32 i;

	rq->npages = 0;
	for (i = 0; i < rq->count; i++) {
		const struct goheap_span *sp = &rq->spans[i];

		if (sp->addr || sp->reserved ||
		    sp->flags & ~GOHEAP_SPAN_NOSCAN || !sp->npages ||
		    sp->npages > GOHEAP_ARENA_BYTES_MAX >> GOHEAP_PAGE_SHIFT)
			return span_blame(rq, i, -EINVAL);
		rq->npages += sp->npages;
	}
	return 0;
}

/**
 * span_check_free() - check the fields of a batch to be freed
 * @rq: the request
 *
 * Return: 0 or -EINVAL.
 */
int span_check_free(struct span_request *rq)
{
	u32 i;

	rq->npages = 0;
	for (i = 0; i < rq->count; i++) {
		const struct goheap_span *sp = &rq->spans[i];

		if (sp->reserved || sp->flags || !sp->npages ||
		    sp->npages > GOHEAP_ARENA_BYTES_MAX >> GOHEAP_PAGE_SHIFT)
			return span_blame(rq, i, -EINVAL);
		rq->npages += sp->npages;
	}
	return 0;
}

/* Pages are free again: the shrinker may have them. */
static inline void span_free_pages(struct arena *a, u64 page, u64 npages)
{
	u64 c, last = (page + npages - 1) >> PALLOC_CHUNK_SHIFT;

	palloc_free(&a->palloc, page, npages);
	for (c = page >> PALLOC_CHUNK_SHIFT; c <= last; c++) {
		struct chunk *chunk = arena_chunk(a, c << PALLOC_CHUNK_SHIFT);

		if (unlikely(!chunk->listed))
			shrink_list_chunk(chunk);
	}
}

/* Give back the ranges of the first @n spans. */
static void span_unreserve_first(struct span_request *rq, u32 n)
{
	struct arena *a = rq->a;
	u32 i;

	for (i = 0; i < n; i++) {
		struct goheap_span *sp = &rq->spans[i];

		span_free_pages(a, span_page(a, sp), sp->npages);
		sp->addr = 0;
		sp->flags &= ~GOHEAP_SPAN_NEEDZERO;
	}
}

/*
 * The next range of pages, from span *@i on: spans that lie side by side, as
 * those of a batch mostly do, are dealt with together.
 */
static inline bool range_next(const struct span_request *rq, u32 *i, u64 *page,
			      u64 *npages)
{
	u64 addr, end;

	if (*i >= rq->count)
		return false;
	addr = rq->spans[*i].addr;
	end = addr;
	do {
		end += rq->spans[*i].npages << GOHEAP_PAGE_SHIFT;
	} while (++*i < rq->count && rq->spans[*i].addr == end);
	*page = (addr - rq->a->base) >> GOHEAP_PAGE_SHIFT;
	*npages = (end - addr) >> GOHEAP_PAGE_SHIFT;
	return true;
}

/* Pages of the batch that have memory but are not mapped. */
static u64 span_count_kept(const struct span_request *rq)
{
	u64 page, npages, n = 0;
	struct segment s;
	unsigned int w;
	u32 i = 0;

	while (range_next(rq, &i, &page, &npages))
		while (segment_next(rq->a, &s, &page, &npages))
			for (w = s.word; w <= s.last_word; w++)
				n += hweight_long(s.c->unmapped[w] &
						  segment_mask(&s, w));
	return n;
}

/**
 * span_reserve() - find a range of pages for each span
 * @rq: the request; addresses and GOHEAP_SPAN_NEEDZERO are filled in, and
 *	span_request::fresh and ::kept
 *
 * Return: 0; -EAGAIN: memory for growth is wanted, see arena_grow(); -ENOMEM:
 * the arena has no room; -EINVAL: a span is longer than the arena.  Nothing is
 * reserved unless 0 is returned.
 */
int span_reserve(struct span_request *rq)
{
	struct arena *a = rq->a;
	struct palloc *p = &a->palloc;
	u64 ahead = rq->npages;
	u32 i;

	lockdep_assert_held(&a->lock);

	rq->fresh = 0;
	rq->kept = 0;
	for (i = 0; i < rq->count; i++) {
		struct goheap_span *sp = &rq->spans[i];
		u64 released = p->nr_released;
		u64 page = palloc_alloc(p, sp->npages);

		ahead -= sp->npages;
		if (unlikely(page == PALLOC_NONE)) {
			int err = -EINVAL;

			if (sp->npages <= p->max_chunks << PALLOC_CHUNK_SHIFT)
				err = arena_grow(a, sp->npages, ahead, &rq->growth);
			if (err) {
				span_unreserve_first(rq, i);
				return span_blame(rq, i, err);
			}
			released = p->nr_released;
			page = palloc_alloc(p, sp->npages);
		}

		/* palloc counts free pages only: what it lost, the span has. */
		released -= p->nr_released;
		if (released < sp->npages)
			sp->flags |= GOHEAP_SPAN_NEEDZERO;
		rq->fresh += released;
		sp->addr = arena_addr(a, page);
	}
	if (a->kept)
		rq->kept = span_count_kept(rq);
	rq->bad_index = rq->count;
	return 0;
}

/**
 * span_hold() - the reserved spans are in transit from now on
 * @rq: the request
 */
void span_hold(struct span_request *rq)
{
	struct segment s;
	u64 page, npages;
	unsigned int w;
	u32 i = 0;

	lockdep_assert_held(&rq->a->lock);
	while (range_next(rq, &i, &page, &npages))
		while (segment_next(rq->a, &s, &page, &npages))
			for (w = s.word; w <= s.last_word; w++)
				s.c->busy[w] |= segment_mask(&s, w);
}

/**
 * span_back() - put memory behind spans in transit
 * @rq: the request
 *
 * Context: without the lock; may sleep.  Charges the active cgroup.
 * Return: 0, -ENOMEM or -EINTR; span_drop() cleans up.
 */
int span_back(struct span_request *rq)
{
	struct page_source src = { .need = rq->fresh * SUBPAGES };
	struct arena *a = rq->a;
	u64 page, npages;
	u32 i = 0;
	int err;

	if (!src.need)
		return 0;
	err = memory_charge(src.need);
	if (err)
		return err;
	rq->charged = src.need;

	while (!err && range_next(rq, &i, &page, &npages))
		err = memory_back(a, &src, page, npages);
	memory_source_done(&src);
	return err;
}

static int span_map(struct span_request *rq)
{
	struct mapper m __uninitialized;
	u64 page, npages;
	int err = 0, end;
	u32 i = 0;

	map_begin(&m, rq->a);
	while (!err && range_next(rq, &i, &page, &npages))
		err = map_range(&m, page, npages);
	end = map_end(&m);
	return err ?: end;
}

/**
 * span_drop() - undo span_back() and span_map(), finished or not
 * @rq: the request
 *
 * Context: with or without the lock; may sleep.
 */
void span_drop(struct span_request *rq)
{
	u64 page, npages;
	u32 i = 0;

	while (range_next(rq, &i, &page, &npages)) {
		map_undo(rq->a, page, npages);
		memory_drop(rq->a, page, npages);
	}
	memory_uncharge(rq->charged);
	rq->charged = 0;
}

static void span_trace_alloc(const struct span_request *rq)
{
	u32 i;

	for (i = 0; i < rq->count; i++) {
		const struct goheap_span *sp = &rq->spans[i];

		trace_goheap_span_alloc(rq->a, sp->addr,
					sp->npages << GOHEAP_PAGE_SHIFT, sp->flags);
	}
}

static void span_trace_free(const struct span_request *rq)
{
	u32 i;

	for (i = 0; i < rq->count; i++) {
		const struct goheap_span *sp = &rq->spans[i];

		trace_goheap_span_free(rq->a, sp->addr,
				       sp->npages << GOHEAP_PAGE_SHIFT);
	}
}

/* The spans are the user's: count them. */
static void span_commit(struct span_request *rq)
{
	struct arena *a = rq->a;

	a->inuse += rq->npages;
	a->spans += rq->count;
	a->span_allocs += rq->count;
	a->fresh += rq->fresh;
	a->recycled += rq->npages - rq->fresh;
}

/**
 * span_publish() - spans in transit have arrived
 * @rq: the request
 */
void span_publish(struct span_request *rq)
{
	struct arena *a = rq->a;
	u64 grown = a->grown;
	struct segment s;
	u64 page, npages;
	unsigned int w;
	u32 i = 0;

	lockdep_assert_held(&a->lock);

	while (range_next(rq, &i, &page, &npages)) {
		if (rq->fresh) {
			track_changed(a, page, npages);
			palloc_clear_released(&a->palloc, page, npages);
		}
		a->grown = max(a->grown, (page + npages + PALLOC_CHUNK_PAGES - 1) >>
					 PALLOC_CHUNK_SHIFT);
		while (segment_next(a, &s, &page, &npages)) {
			for (w = s.word; w <= s.last_word; w++) {
				unsigned long mask = segment_mask(&s, w);

				s.c->unmapped[w] &= ~mask;
				s.c->busy[w] &= ~mask;
			}
		}
	}
	if (a->grown != grown)
		trace_goheap_grow(a, (a->grown - grown) << GOHEAP_CHUNK_SHIFT,
				  a->grown << GOHEAP_CHUNK_SHIFT);
	a->backed += rq->fresh;
	a->kept -= rq->kept;
	a->scav.coming -= rq->coming;
	rq->coming = 0;
	span_commit(rq);
}

/**
 * span_unhold() - spans in transit are given up
 * @rq: the request, after span_drop()
 */
void span_unhold(struct span_request *rq)
{
	struct segment s;
	u64 page, npages;
	unsigned int w;
	u32 i = 0;

	lockdep_assert_held(&rq->a->lock);
	while (range_next(rq, &i, &page, &npages))
		while (segment_next(rq->a, &s, &page, &npages))
			for (w = s.word; w <= s.last_word; w++)
				s.c->busy[w] &= ~segment_mask(&s, w);
	rq->a->scav.coming -= rq->coming;
	rq->coming = 0;
	span_unreserve_first(rq, rq->count);
}

/* The bit in chunk::busy of a page. */
static unsigned long *busy_word(struct arena *a, u64 page, unsigned long *mask)
{
	unsigned int i = page & (PALLOC_CHUNK_PAGES - 1);

	*mask = BIT_MASK(i);
	return &arena_chunk(a, page)->busy[BIT_WORD(i)];
}

/**
 * span_copy_in() - copy a batch from the user
 * @rq: the request; its spans are filled in
 * @uspans: the user's array
 *
 * Return: 0 or -EFAULT.
 */
int span_copy_in(struct span_request *rq, const struct goheap_span __user *uspans)
{
	struct goheap_span *sp = rq->spans, *end = sp + rq->count;

	if (!user_read_access_begin(uspans, rq->count * sizeof(*uspans)))
		return -EFAULT;
	for (; sp < end; sp++, uspans++) {
		unsafe_get_user(sp->addr, &uspans->addr, efault);
		unsafe_get_user(sp->npages, &uspans->npages, efault);
		unsafe_get_user(sp->flags, &uspans->flags, efault);
		unsafe_get_user(sp->reserved, &uspans->reserved, efault);
	}
	user_read_access_end();
	return 0;
efault:
	user_read_access_end();
	return -EFAULT;
}

/* Copy to the user what an allocation fills in. */
static int span_copy_out(struct span_request *rq,
			 struct goheap_span __user *uspans)
{
	const struct goheap_span *sp = rq->spans, *end = sp + rq->count;

	rq->copied = true;
	if (!user_write_access_begin(uspans, rq->count * sizeof(*uspans)))
		return -EFAULT;
	for (; sp < end; sp++, uspans++) {
		unsafe_put_user(sp->addr, &uspans->addr, efault);
		unsafe_put_user(sp->flags, &uspans->flags, efault);
	}
	user_write_access_end();
	return 0;
efault:
	user_write_access_end();
	return -EFAULT;
}

/* The same where no fault may be taken: only what is in memory can be written. */
static int span_copy_out_nofault(struct span_request *rq,
				 struct goheap_span __user *uspans)
{
	int err;

	pagefault_disable();
	err = span_copy_out(rq, uspans);
	pagefault_enable();
	return err;
}

/*
 * The batch has been copied out, in part perhaps, and its spans are undone.
 * Put the user's array back as far as it was overwritten.
 */
static void span_restore(struct span_request *rq, struct goheap_span __user *uspans)
{
	u32 i;

	for (i = 0; i < rq->count; i++) {
		rq->spans[i].addr = 0;
		rq->spans[i].flags &= ~GOHEAP_SPAN_NEEDZERO;
	}
	span_copy_out(rq, uspans);
}

/* The way of spans that lack memory, or whose memory is not mapped. */
static int span_alloc_absent(struct span_request *rq,
			     struct goheap_span __user *uspans)
{
	struct arena *a = rq->a;
	int err;

	arena_unshare(a);
	err = rq->fresh ? scavenge_make_room(a, rq->fresh) : 0;
	if (err)
		goto out;
	rq->coming = rq->fresh;
	err = span_back(rq);
	if (!err)
		err = span_map(rq);
	if (!err)
		err = span_copy_out(rq, uspans);
	if (err)
		span_drop(rq);
out:
	mutex_lock(&a->lock);
	if (!err && a->state != ARENA_MAPPED) {
		err = -ENXIO;
		span_drop(rq);
	}
	if (!err)
		span_publish(rq);
	else
		span_unhold(rq);
	arena_request_end(a);
	mutex_unlock(&a->lock);
	trace_goheap_map(a, rq->count, rq->npages << GOHEAP_PAGE_SHIFT,
			 rq->fresh << GOHEAP_PAGE_SHIFT,
			 rq->kept << GOHEAP_PAGE_SHIFT, err);
	return err;
}

static int span_alloc_charged(struct span_request *rq,
			      struct goheap_span __user *uspans)
{
	struct arena *a = rq->a;
	int err;

	for (;;) {
		mutex_lock(&a->lock);
		err = a->state == ARENA_MAPPED ? span_reserve(rq) : -ENXIO;
		if (err != -EAGAIN)
			break;
		mutex_unlock(&a->lock);
		rq->bad_index = rq->count;
		err = arena_growth_prepare(a, &rq->growth);
		if (err)
			return err;
	}
	if (err) {
		mutex_unlock(&a->lock);
		return err;
	}

	/*
	 * Nobody may learn the address of a span that a failure would take
	 * back: he could free it, and another get it.  So what cannot be copied
	 * out under the lock is in transit while it is.
	 */
	if (rq->fresh || rq->kept || span_copy_out_nofault(rq, uspans)) {
		span_hold(rq);
		arena_request_begin(a);
		mutex_unlock(&a->lock);
		return span_alloc_absent(rq, uspans);
	}

	span_commit(rq);
	mutex_unlock(&a->lock);
	return 0;
}

/**
 * span_alloc() - allocate a batch of spans
 * @rq: the request, checked by span_check_alloc()
 * @uspans: the user's array, which gets the result
 *
 * Return: 0; -ENXIO, -EINVAL, -ENOMEM, -EFAULT, -EBUSY, or -EINTR for a process
 * that is being killed.
 */
int span_alloc(struct span_request *rq, struct goheap_span __user *uspans)
{
	struct arena *a = rq->a;
	struct mem_cgroup *old;
	int err;

	old = set_active_memcg(a->memcg);
	err = span_alloc_charged(rq, uspans);
	set_active_memcg(old);
	if (err && rq->copied)
		span_restore(rq, uspans);

	arena_growth_discard(&rq->growth);
	if (!err && trace_goheap_span_alloc_enabled())
		span_trace_alloc(rq);
	if (err == -ENOMEM) {
		mutex_lock(&a->lock);
		a->enomem++;
		mutex_unlock(&a->lock);
	}
	return err;
}

/* Is this a span that may be freed?  If so, mark it. */
static bool span_mark(struct arena *a, const struct goheap_span *sp)
{
	u64 off = sp->addr - a->base, page = off >> GOHEAP_PAGE_SHIFT;
	unsigned long *busy, mask;

	if (sp->addr < a->base || off >= a->bytes || off & (GOHEAP_PAGE_SIZE - 1))
		return false;
	if (palloc_span_pages(&a->palloc, page) != sp->npages)
		return false;
	busy = busy_word(a, page, &mask);
	if (*busy & mask)
		return false;
	*busy |= mask;
	return true;
}

static void span_unmark(struct arena *a, const struct goheap_span *sp)
{
	unsigned long *busy, mask;

	busy = busy_word(a, span_page(a, sp), &mask);
	*busy &= ~mask;
}

static int span_free_locked(struct span_request *rq)
{
	struct arena *a = rq->a;
	u32 i;

	lockdep_assert_held(&a->lock);

	if (a->state != ARENA_MAPPED)
		return -ENXIO;
	for (i = 0; i < rq->count; i++) {
		if (!span_mark(a, &rq->spans[i])) {
			span_blame(rq, i, -EINVAL);
			while (i--)
				span_unmark(a, &rq->spans[i]);
			return -EINVAL;
		}
	}

	/* Before anyone can get them again, for the order of the events. */
	if (trace_goheap_span_free_enabled())
		span_trace_free(rq);

	for (i = 0; i < rq->count; i++) {
		const struct goheap_span *sp = &rq->spans[i];

		span_unmark(a, sp);
		span_free_pages(a, span_page(a, sp), sp->npages);
	}
	a->inuse -= rq->npages;
	a->spans -= rq->count;
	a->span_frees += rq->count;
	return 0;
}

/**
 * span_free() - free a batch of spans
 * @rq: the request, checked by span_check_free()
 *
 * Return: 0, -ENXIO, or -EINVAL with nothing freed.
 */
int span_free(struct span_request *rq)
{
	struct arena *a = rq->a;
	bool above;
	int err;

	mutex_lock(&a->lock);
	err = span_free_locked(rq);
	above = a->backed > a->scav.wake;
	mutex_unlock(&a->lock);
	if (unlikely(above) && !err)
		scavenge_freed(a);
	return err;
}
