// SPDX-License-Identifier: GPL-2.0
/*
 * What the user may set: GOHEAP_IOC_SETTINGS.  All that is to be changed is
 * checked before any of it is.
 */
#include "arena.h"
#include "scavenge_goal.h"

#define SET_ALL	(GOHEAP_SET_POLICY | GOHEAP_SET_SCAVENGE |		\
		 GOHEAP_SET_RETAIN_PERCENT | GOHEAP_SET_MEMORY_LIMIT |	\
		 GOHEAP_SET_HARD_LIMIT)

/* GOHEAP_POLICY_* are also what palloc calls them. */
static_assert(GOHEAP_POLICY_FIRST_FIT == (u32)PALLOC_FIRST_FIT);
static_assert(GOHEAP_POLICY_BEST_FIT == (u32)PALLOC_BEST_FIT);

/**
 * settings_check() - may these be set?
 * @set: as the user gave it; flags and reserved fields have been checked
 *
 * Return: 0 or -EINVAL.
 */
int settings_check(const struct goheap_settings *set)
{
	if (set->set & ~SET_ALL)
		return -EINVAL;
	if (set->set & GOHEAP_SET_POLICY && set->policy > GOHEAP_POLICY_BEST_FIT)
		return -EINVAL;
	if (set->set & GOHEAP_SET_SCAVENGE && set->scavenge & ~GOHEAP_SCAVENGE_ALL)
		return -EINVAL;
	if (set->set & GOHEAP_SET_RETAIN_PERCENT &&
	    (set->retain_percent < RETAIN_PERCENT_MIN ||
	     set->retain_percent > RETAIN_PERCENT_MAX))
		return -EINVAL;
	return 0;
}

/**
 * settings_apply() - change what is to be changed
 * @a: the arena
 * @set: checked by settings_check(); filled in with all settings as they are
 *	now, but for size
 *
 * Context: without the lock; may sleep.
 */
void settings_apply(struct arena *a, struct goheap_settings *set)
{
	if (set->set & GOHEAP_SET_POLICY) {
		mutex_lock(&a->lock);
		a->scav.policy = set->policy;
		/* Not mapped yet: arena_attach() does this. */
		if (a->state == ARENA_MAPPED)
			palloc_set_policy(&a->palloc, (enum palloc_policy)set->policy);
		mutex_unlock(&a->lock);
	}
	if (set->set & ~GOHEAP_SET_POLICY)
		scavenge_set(a, set);

	mutex_lock(&a->lock);
	*set = (struct goheap_settings) {
		.policy		= a->scav.policy,
		.scavenge	= a->scav.triggers,
		.retain_percent	= a->scav.retain_percent,
		.memory_limit	= a->scav.memory_limit,
		.hard_limit	= a->scav.hard_limit,
	};
	mutex_unlock(&a->lock);
}
