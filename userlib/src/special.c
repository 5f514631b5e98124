// SPDX-License-Identifier: MIT
/*
 * Specials: finalizers and weak handles of single objects.
 *
 * A special is found in two ways: by the object's address, through a hash table,
 * and by span, through a list that sweeping goes through.  As Go's specials, but
 * for the hash table in place of sorted lists: a span of 16-byte objects may
 * have a thousand.  Specials live outside the heap, in the library's own tables,
 * so what they hold is no root but by what is said here.
 *
 * Marking.  A finalizer's argument is a root, and so are the contents of the
 * object, but not the object itself: what it points to is there when the
 * finalizer runs, and if that has a finalizer too, it is found alive and its turn
 * comes later.  Of a queued finalizer the object is a root as well.  A weak
 * handle is an object as any other; neither does it keep its object alive nor
 * the object it.
 *
 * Sweeping a span looks at its specials before the mark bits are used.  Of dead
 * objects, first the weak handles are cleared, then the finalizers queued and
 * their objects' mark bits set: these live until a later collection.
 *
 * Sweeping does not lock a span that has none.  If one is added meanwhile it is
 * missed, but that does no harm: whoever added it holds the object, so it is alive.
 *
 * The specials of objects that share a block go by the objects' own addresses,
 * and die with the block.
 */
#include <goheap.h>

#include "heap.h"

#define TABLE_BITS_LEAST	9

void specials_init(struct heap *h)
{
	pthread_mutex_init(&h->specials.lock, NULL);
	h->specials.queue_end = &h->specials.queue;
}

/**
 * specials_forked() - in a forked child: the lock is as the parent left it
 * @h: the heap
 *
 * No thread is busy when a process forks, so all it protects is whole.
 *
 * Context: the only thread there is.
 */
void specials_forked(struct heap *h)
{
	pthread_mutex_init(&h->specials.lock, NULL);
	finalizers_forked(h);
}

/* A special is read by sweep_span() without the lock: is there one at all? */
static void set_link(struct special **link, struct special *sp)
{
	__atomic_store_n(link, sp, __ATOMIC_RELAXED);
}

static void list_push(struct special **head, struct special *sp)
{
	sp->next = *head;
	if (sp->next)
		sp->next->link = &sp->next;
	sp->link = head;
	set_link(head, sp);
}

static void list_remove(struct special *sp)
{
	set_link(sp->link, sp->next);
	if (sp->next)
		sp->next->link = sp->link;
}

static struct special **bucket(const struct specials *all, uintptr_t object)
{
	return &all->table[object * 0x9e3779b97f4a7c15ULL >> (64 - all->table_bits)];
}

/* Let the table have an entry for each special; true if there is a table. */
static bool grow_table(struct specials *all)
{
	struct special **old = all->table;
	size_t n = old ? (size_t)1 << all->table_bits : 0;
	unsigned int bits = old ? all->table_bits + 2 : TABLE_BITS_LEAST;
	struct special **table;

	if (all->hashed < n)
		return true;
	table = os_reserve(((size_t)1 << bits) * sizeof(*table), 4096, true);
	/* Without memory for more, it is only slower. */
	if (!table)
		return old;
	all->table = table;
	all->table_bits = bits;
	for (size_t i = 0; i < n; i++) {
		struct special *sp = old[i], *next;

		for (; sp; sp = next) {
			struct special **to = bucket(all, sp->object);

			next = sp->chain;
			sp->chain = *to;
			*to = sp;
		}
	}
	if (old)
		os_unreserve(old, n * sizeof(*old));
	return true;
}

/* specials.lock held. */
static bool grow_unused(struct heap *h)
{
	struct specials *all = &h->specials;
	struct special_chunk *chunk;

	if (all->unused)
		return true;
	pthread_mutex_lock(&h->lock);
	chunk = heap_alloc_metadata(h, sizeof(*chunk));
	pthread_mutex_unlock(&h->lock);
	if (!chunk)
		return false;
	chunk->next = all->chunks;
	all->chunks = chunk;
	for (unsigned int i = 0; i < SPECIALS_A_CHUNK; i++)
		special_recycle(h, &chunk->special[i]);
	return true;
}

/**
 * special_recycle() - a special that is on no list is not used any more
 * @h: the heap
 * @sp: the special
 *
 * Context: specials.lock held.
 */
void special_recycle(struct heap *h, struct special *sp)
{
	sp->kind = SPECIAL_FREE;
	sp->next = h->specials.unused;
	h->specials.unused = sp;
}

/**
 * special_find() - what is known of an object
 * @h: the heap
 * @object: its address
 * @kind: what to look for
 *
 * Context: specials.lock held.
 * Return: the special or NULL.
 */
struct special *special_find(struct heap *h, uintptr_t object, enum special_kind kind)
{
	struct specials *all = &h->specials;
	struct special *sp = all->table ? *bucket(all, object) : NULL;

	while (sp && (sp->object != object || sp->kind != kind))
		sp = sp->chain;
	return sp;
}

/**
 * special_add() - there is something to know of an object
 * @h: the heap
 * @s: its span
 * @object: its address
 * @kind: what; there must be none of the kind
 *
 * Context: busy, specials.lock held.  Takes the heap lock.
 * Return: the special, with the fields of its kind undefined; NULL without memory.
 */
struct special *special_add(struct heap *h, struct span *s, uintptr_t object,
			    enum special_kind kind)
{
	struct specials *all = &h->specials;
	struct special *sp, **to;

	if (!grow_table(all) || !grow_unused(h))
		return NULL;
	sp = all->unused;
	all->unused = sp->next;
	sp->object = object;
	sp->kind = kind;
	to = bucket(all, object);
	sp->chain = *to;
	*to = sp;
	all->hashed++;
	list_push(&s->specials, sp);
	return sp;
}

/* Off its span's list, and not to be found. */
static void take_off(struct heap *h, struct special *sp)
{
	struct special **at = bucket(&h->specials, sp->object);

	while (*at != sp)
		at = &(*at)->chain;
	*at = sp->chain;
	h->specials.hashed--;
	list_remove(sp);
}

/**
 * special_remove() - it is not so any more
 * @h: the heap
 * @sp: what special_add() returned
 *
 * Context: specials.lock held.
 */
void special_remove(struct heap *h, struct special *sp)
{
	take_off(h, sp);
	special_recycle(h, sp);
}

/**
 * specials_drop() - an object is freed by hand: nothing is known of it any more
 * @h: the heap
 * @s: its span
 * @object: its address
 *
 * Context: busy.  Takes specials.lock.
 */
void specials_drop(struct heap *h, struct span *s, uintptr_t object)
{
	struct special *sp;

	if (!__atomic_load_n(&s->specials, __ATOMIC_RELAXED))
		return;
	pthread_mutex_lock(&h->specials.lock);
	sp = special_find(h, object, SPECIAL_FINALIZER);
	if (sp) {
		finalizer_unmade(h, sp);
		special_remove(h, sp);
	}
	sp = special_find(h, object, SPECIAL_WEAK);
	if (sp)
		weak_clear(h, sp);
	sp = special_find(h, object, SPECIAL_HANDLE);
	if (sp)
		weak_clear(h, sp);
	pthread_mutex_unlock(&h->specials.lock);
}

/* Keep a dead object for its finalizer. */
static void keep(struct heap *h, struct span *s, uintptr_t object)
{
	uint32_t i = span_index(s, object);
	uint64_t *bits = &s->mark_bits[i / 64], bit = (uint64_t)1 << (i % 64);

	if (*bits & bit)
		return;
	/* Read by whoever asks whether an object of the span lives. */
	__atomic_store_n(bits, *bits | bit, __ATOMIC_RELAXED);
	counter_add(&h->gc.live, s->elem_size);
}

/**
 * specials_sweep() - look after the specials of a span's dead objects
 * @h: the heap
 * @s: a span that is about to be swept, by the caller alone
 *
 * Sets the mark bits of objects that are kept for their finalizers.
 *
 * Context: busy, or alone.  Takes specials.lock.
 */
void specials_sweep(struct heap *h, struct span *s)
{
	struct special *weak = NULL, *final = NULL, *sp, *next;
	bool queued;

	pthread_mutex_lock(&h->specials.lock);
	for (sp = s->specials; sp; sp = next) {
		next = sp->next;
		if (bit_test(s->mark_bits, span_index(s, sp->object)))
			continue;
		list_remove(sp);
		list_push(sp->kind == SPECIAL_FINALIZER ? &final : &weak, sp);
	}
	/* Handles first.  One may be gone before its turn, together with its peer. */
	while (weak)
		weak_clear(h, weak);
	queued = final;
	while ((sp = final)) {
		keep(h, s, sp->object);
		take_off(h, sp);
		finalizer_enqueue(h, sp);
	}
	pthread_mutex_unlock(&h->specials.lock);
	if (queued)
		finalizers_wake(h);
}

/* What has to be marked for one special. */
struct special_root {
	uintptr_t object;
	void *arg;
	bool queued;
};

/* specials.lock held. */
static unsigned int copy_roots(const struct special_chunk *chunk, struct special_root *roots)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < SPECIALS_A_CHUNK; i++) {
		const struct special *sp = &chunk->special[i];

		if (sp->kind != SPECIAL_FINALIZER && sp->kind != SPECIAL_QUEUED)
			continue;
		roots[n].object = sp->object;
		roots[n].arg = sp->arg;
		roots[n++].queued = sp->kind == SPECIAL_QUEUED;
	}
	return n;
}

static void mark_root(struct heap *h, struct gc_work *w, const struct special_root *root)
{
	struct span *s = heap_span_of(h, root->object);

	mark_range(w, (uintptr_t)&root->arg, (uintptr_t)(&root->arg + 1));
	if (root->queued)
		mark_range(w, (uintptr_t)&root->object, (uintptr_t)(&root->object + 1));
	else
		mark_contents(w, s, root->object);
}

/**
 * specials_mark_roots() - mark from finalizers
 * @h: the heap
 * @w: the marker's hands
 *
 * Context: the last collection's spans are swept, whether the world is stopped or
 * not; roots.lock held, so that no fork comes between; active.  Takes specials.lock.
 */
void specials_mark_roots(struct heap *h, struct gc_work *w)
{
	struct special_root roots[SPECIALS_A_CHUNK];
	struct specials *all = &h->specials;
	struct special_chunk *chunk;
	unsigned int n;

	pthread_mutex_lock(&all->lock);
	for (struct special *sp = all->fresh; sp; sp = sp->fresh_next)
		sp->fresh_link = NULL;
	all->fresh = NULL;
	chunk = all->chunks;
	pthread_mutex_unlock(&all->lock);

	for (; chunk; chunk = chunk->next) {
		pthread_mutex_lock(&all->lock);
		n = copy_roots(chunk, roots);
		pthread_mutex_unlock(&all->lock);
		for (unsigned int i = 0; i < n; i++)
			mark_root(h, w, &roots[i]);
	}
}

/**
 * specials_mark_new() - mark from finalizers that have been set meanwhile
 * @h: the heap
 * @w: the marker's hands
 *
 * None has been queued since specials_mark_roots(): no span is swept while marking
 * is on.
 *
 * Context: the world is stopped; active.  Takes specials.lock.
 */
void specials_mark_new(struct heap *h, struct gc_work *w)
{
	pthread_mutex_lock(&h->specials.lock);
	for (const struct special *sp = h->specials.fresh; sp; sp = sp->fresh_next) {
		struct special_root root = { .object = sp->object, .arg = sp->arg };

		mark_root(h, w, &root);
	}
	pthread_mutex_unlock(&h->specials.lock);
}
