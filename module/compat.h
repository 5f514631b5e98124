/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between the kernels that goheap.ko builds for, by capability:
 * Kbuild looks into the kernel's headers and defines GOHEAP_HAS_*; what is
 * not there is supplied here, under the newer kernel's name.
 */
#ifndef _GOHEAP_COMPAT_H
#define _GOHEAP_COMPAT_H

#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>

#ifndef GOHEAP_HAS_VM_FLAGS_SET
/* Before 6.3 the flags of a vm_area_struct were an ordinary field. */
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}

static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long set)
{
	vm_flags_mod(vma, set, 0);
}
#endif

#ifndef GOHEAP_HAS_MM_ACCOUNT_RECLAIMED_PAGES
/* Before 6.4 whoever freed pages in reclaim wrote to its figures himself. */
static inline void mm_account_reclaimed_pages(unsigned long pages)
{
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
}
#endif

#ifndef GOHEAP_HAS_LIST_LRU_ADD_OBJ
/* Before 6.8 the cgroup was always that of the object. */
static inline bool list_lru_add_obj(struct list_lru *lru, struct list_head *item)
{
	return list_lru_add(lru, item);
}

static inline bool list_lru_del_obj(struct list_lru *lru, struct list_head *item)
{
	return list_lru_del(lru, item);
}
#endif

/**
 * struct lru_shrinker_ops - a shrinker for a list_lru kept by cgroup
 * @name: for debugfs
 * @count: shrinker::count_objects
 * @scan: shrinker::scan_objects
 * @seeks: shrinker::seeks
 * @batch: shrinker::batch
 */
struct lru_shrinker_ops {
	const char *name;
	unsigned long (*count)(struct shrinker *s, struct shrink_control *sc);
	unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc);
	int seeks;
	long batch;
};

#define LRU_SHRINKER_FLAGS	(SHRINKER_NUMA_AWARE | SHRINKER_MEMCG_AWARE)

#ifdef GOHEAP_HAS_SHRINKER_ALLOC
static inline struct shrinker *
lru_shrinker_create(struct list_lru *lru, const struct lru_shrinker_ops *ops)
{
	struct shrinker *s = shrinker_alloc(LRU_SHRINKER_FLAGS, "%s", ops->name);

	if (!s)
		return NULL;
	s->count_objects = ops->count;
	s->scan_objects = ops->scan;
	s->seeks = ops->seeks;
	s->batch = ops->batch;
	if (list_lru_init_memcg(lru, s)) {
		shrinker_free(s);
		return NULL;
	}
	shrinker_register(s);
	return s;
}

static inline void lru_shrinker_destroy(struct shrinker *s, struct list_lru *lru)
{
	shrinker_free(s);
	list_lru_destroy(lru);
}
#else
static inline unsigned long lru_shrinker_empty(struct shrinker *s,
					       struct shrink_control *sc)
{
	return SHRINK_EMPTY;
}

/*
 * Before 6.7 a shrinker gets the number that the list needs when it is
 * registered, and may be called from then on: until there is a list it says
 * that it has nothing.
 */
static inline struct shrinker *
lru_shrinker_create(struct list_lru *lru, const struct lru_shrinker_ops *ops)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->count_objects = lru_shrinker_empty;
	s->scan_objects = ops->scan;
	s->seeks = ops->seeks;
	s->batch = ops->batch;
	s->flags = LRU_SHRINKER_FLAGS;
	if (register_shrinker(s, "%s", ops->name))
		goto out_free;
	if (list_lru_init_memcg(lru, s))
		goto out_unregister;
	/* The list is there before anybody can look at it. */
	smp_store_release(&s->count_objects, ops->count);
	return s;

out_unregister:
	unregister_shrinker(s);
out_free:
	kfree(s);
	return NULL;
}

static inline void lru_shrinker_destroy(struct shrinker *s, struct list_lru *lru)
{
	unregister_shrinker(s);
	list_lru_destroy(lru);
	kfree(s);
}
#endif

#endif /* _GOHEAP_COMPAT_H */
