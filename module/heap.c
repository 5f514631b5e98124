// SPDX-License-Identifier: GPL-2.0
/*
 * The heap: what one open of /dev/goheap stands for, across fork().
 *
 * It begins with one arena, the opener's.  A forked child gets an arena of its
 * own, a copy, behind the same file and the same addresses; so a request must
 * find the arena of the process that makes it.  For the opener, which is nearly
 * always the only one, that is one comparison; its arena lives as long as the
 * file does.  Others are looked up under RCU and held by a reference while the
 * request runs.
 *
 * All arenas of a heap share one address_space, since a forked VMA stays on the
 * address_space of its parent's.  unmap_mapping_range() and the like reach the
 * relatives as well; they find their pages again by a fault.
 */
#include <linux/err.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "arena.h"

/**
 * heap_create() - make a heap and the opener's arena
 * @mm: the opener; NULL in tests
 *
 * Return: the heap, with one reference, or an ERR_PTR.
 */
struct heap *heap_create(struct mm_struct *mm)
{
	struct heap *h;
	int err;

	h = kzalloc(sizeof(*h), GOHEAP_GFP);
	if (!h)
		return ERR_PTR(-ENOMEM);
	refcount_set(&h->ref, 1);
	mutex_init(&h->lock);
	INIT_LIST_HEAD(&h->arenas);
	init_waitqueue_head(&h->wait);

	h->inode = arena_inode_new();
	if (IS_ERR(h->inode)) {
		err = PTR_ERR(h->inode);
		goto out_free;
	}
	h->root = arena_create(h, mm);
	if (IS_ERR(h->root)) {
		err = PTR_ERR(h->root);
		goto out_inode;
	}
	return h;

out_inode:
	arena_inode_put(h->inode);
out_free:
	mutex_destroy(&h->lock);
	kfree(h);
	return ERR_PTR(err);
}

/**
 * heap_get() - take a reference
 * @h: a heap that somebody has a reference to
 */
void heap_get(struct heap *h)
{
	refcount_inc(&h->ref);
}

/**
 * heap_put() - drop a reference
 * @h: the heap; freed if this was the last
 *
 * Context: may sleep.
 */
void heap_put(struct heap *h)
{
	if (!refcount_dec_and_test(&h->ref))
		return;
	WARN_ON_ONCE(!list_empty(&h->arenas));
	arena_inode_put(h->inode);
	mutex_destroy(&h->lock);
	kfree(h);
}

/**
 * heap_find_arena() - the arena of the process that asks
 * @h: the heap; the caller has its file open
 *
 * Return: the arena, to be given back with heap_release_arena(); NULL if the
 * process has none.
 */
struct arena *heap_find_arena(struct heap *h)
{
	struct arena *a;

	if (likely(h->root->mm == current->mm))
		return h->root;

	rcu_read_lock();
	list_for_each_entry_rcu(a, &h->arenas, relatives)
		if (a->mm == current->mm && refcount_inc_not_zero(&a->ref))
			goto out;
	a = NULL;
out:
	rcu_read_unlock();
	if (a)
		arena_note_pid(a);
	return a;
}

/**
 * heap_alone() - is there only one arena that has a heap?
 * @h: the heap; the caller holds the mmap_lock of an arena that has one
 *
 * If so, none of its pages has another owner.
 *
 * Return: whether it is so.
 */
bool heap_alone(struct heap *h)
{
	return atomic_read_acquire(&h->nr_mapped) == 1;
}

/**
 * heap_release_arena() - undo heap_find_arena()
 * @h: the heap
 * @a: the arena
 */
void heap_release_arena(struct heap *h, struct arena *a)
{
	if (a != h->root)
		arena_put(a);
}
