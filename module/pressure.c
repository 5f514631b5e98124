// SPDX-License-Identifier: GPL-2.0
/*
 * A process is told that memory is short, so that it collects before it must:
 * poll() says POLLPRI, from the event on until the next collection is reported.
 *
 * Each arena is on a list_lru from its creation to its end, kept by cgroup as
 * that of shrink.c, and a second shrinker walks it.  It frees nothing: it is
 * where the kernel says how badly it needs memory.  Reclaim that finds enough in
 * the page cache is none of a process's business, so the figures are such that
 * the list is looked at only when reclaim has gone through 1/64 of all there is
 * without finding enough (a priority of 6, in terms of mm/vmscan.c): then a
 * sixteenth of the arenas is told, and twice as many each time that reclaim
 * has to look through twice as much.  An arena that still has free pages to give
 * is not told: these go first.
 *
 * Between the event and the memory that the process gives back for it there is a
 * thread that must wake, and a collection.  Reclaim on behalf of a cgroup does not take
 * as long as that to find that there is nothing, and then the process is killed with all
 * its garbage.  So a thread of that very process, short of memory itself, waits here
 * until its process has given something back or has answered: for PRESSURE_WAIT at most,
 * and if that was in vain not again before the event is answered.  Nobody waits for
 * another process; nor does the thread that watches poll(), nor who would only get an
 * error, nor who may hold a file system's locks.  What the waiting thread does hold,
 * the mmap_lock in a page fault for example, the collector may come to wait for: then
 * the time runs out, and things take the course that they would have taken.
 *
 * Before 6.7 the thread also holds up those who register shrinkers, as a mount does.  So a
 * process, however many arenas it has, may spend PRESSURE_WAIT in PRESSURE_PERIOD: about
 * once in a pass of reclaim.
 */
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "arena.h"
#include "compat.h"
#include "trace.h"

/*
 * All arenas of a cgroup, however many, count as PRESSURE_OBJECTS, so that
 * vmscan's (PRESSURE_OBJECTS >> priority) * 4 / seeks reaches PRESSURE_BATCH
 * at a priority of 6.
 */
#define PRESSURE_OBJECTS	4096UL
#define PRESSURE_BATCH		256UL
#define PRESSURE_SEEKS		1

/* Ticks.  A collection that is to help has to begin, at the least, by then. */
#define PRESSURE_WAIT		(HZ / 4)
#define PRESSURE_PERIOD		HZ

/*
 * What a process has spent in waiting, by a hash of its mm.  Processes that share a slot
 * may wait less; threads that write to it at a time may wait longer, side by side.
 */
#define PRESSURE_SLOT_BITS	6

struct pressure_slot {
	unsigned long since;	/* jiffies */
	unsigned long spent;	/* ticks since then */
};

static struct pressure_slot pressure_slots[1 << PRESSURE_SLOT_BITS];

struct list_lru pressure_lru;
static struct shrinker *shrinker;

/* A look at the list: on behalf of whom, and the arena to wait for, with a reference. */
struct pressure_walk {
	gfp_t gfp;
	struct arena *ours;
};

/* What could be released.  A guess, made without the lock. */
static u64 pressure_retained(const struct arena *a)
{
	u64 backed = READ_ONCE(a->backed), inuse = READ_ONCE(a->inuse);

	return backed > inuse ? backed - inuse : 0;
}

static bool pressure_is_dry(const struct arena *a)
{
	return !(READ_ONCE(a->scav.triggers) & GOHEAP_SCAVENGE_PRESSURE) ||
	       !pressure_retained(a);
}

static bool pressure_is_answered(const struct arena *a)
{
	return atomic64_read(&a->pressure.events) == atomic64_read(&a->pressure.seen);
}

static struct pressure_slot *pressure_slot(const struct mm_struct *mm)
{
	return &pressure_slots[hash_ptr(mm, PRESSURE_SLOT_BITS)];
}

/* Ticks spent in the period that is under way; 0: the next one begins it. */
static unsigned long pressure_spent(const struct pressure_slot *slot)
{
	if (time_after_eq(jiffies, READ_ONCE(slot->since) + PRESSURE_PERIOD))
		return 0;
	return READ_ONCE(slot->spent);
}

/* Ticks that this process may wait now. */
static unsigned long pressure_allowance(const struct mm_struct *mm)
{
	unsigned long spent = pressure_spent(pressure_slot(mm));

	return spent < PRESSURE_WAIT ? PRESSURE_WAIT - spent : 0;
}

static void pressure_spend(const struct mm_struct *mm, unsigned long ticks)
{
	struct pressure_slot *slot = pressure_slot(mm);
	unsigned long spent = pressure_spent(slot);

	if (!spent)
		WRITE_ONCE(slot->since, jiffies);
	WRITE_ONCE(slot->spent, spent + ticks);
}

/* Does it pay for this thread to wait for the arena's process? */
static bool pressure_is_ours(const struct arena *a, gfp_t gfp)
{
	const gfp_t locks = __GFP_IO | __GFP_FS;
	const void *watcher = READ_ONCE(a->pressure.watcher);

	return current->mm == a->mm && watcher && watcher != current &&
	       (gfp & locks) == locks && !(gfp & (__GFP_NORETRY | __GFP_RETRY_MAYFAIL)) &&
	       READ_ONCE(a->pressure.waited) != atomic64_read(&a->pressure.events) &&
	       pressure_allowance(a->mm);
}

/* The process has been told.  Give it the time to do something about it. */
static void pressure_wait(struct arena *a)
{
	u64 events = atomic64_read(&a->pressure.events), backed = READ_ONCE(a->backed);
	unsigned long start = jiffies, most = pressure_allowance(a->mm);
	bool relieved;

	do {
		schedule_timeout_killable(1);
		relieved = pressure_is_answered(a) || !pressure_is_dry(a) ||
			   READ_ONCE(a->backed) < backed;
	} while (!relieved && !fatal_signal_pending(current) &&
		 time_before(jiffies, start + most));
	pressure_spend(a->mm, jiffies - start);
	if (!relieved && most == PRESSURE_WAIT)
		WRITE_ONCE(a->pressure.waited, events);
	trace_goheap_pressure_wait(a, jiffies_to_usecs(jiffies - start), relieved);
}

static enum lru_status pressure_arena(struct list_head *item, struct list_lru_one *list,
				      spinlock_t *lru_lock, void *arg)
{
	struct arena *a = container_of(item, struct arena, pressure.lru);
	struct pressure_walk *walk = arg;
	s64 seen;

	if (!pressure_is_dry(a))
		return LRU_ROTATE;
	seen = atomic64_read(&a->pressure.seen);
	if (atomic64_try_cmpxchg(&a->pressure.events, &seen, seen + 1)) {
		trace_goheap_pressure(a, pressure_retained(a) << GOHEAP_PAGE_SHIFT,
				      seen + 1);
		wake_up_interruptible_poll(&a->heap->wait, EPOLLPRI);
	}
	/* Found under the lru lock, which its teardown takes too: it is there. */
	if (!walk->ours && pressure_is_ours(a, walk->gfp) && refcount_inc_not_zero(&a->ref))
		walk->ours = a;
	return LRU_ROTATE;
}

static unsigned long pressure_count(struct shrinker *s, struct shrink_control *sc)
{
	return list_lru_shrink_count(&pressure_lru, sc) ? PRESSURE_OBJECTS : SHRINK_EMPTY;
}

static unsigned long pressure_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = list_lru_shrink_count(&pressure_lru, sc);
	struct pressure_walk walk = { .gfp = sc->gfp_mask };

	n = DIV_ROUND_UP(n * sc->nr_to_scan, PRESSURE_OBJECTS);
	list_lru_walk_one(&pressure_lru, sc->nid, sc->memcg, pressure_arena, &walk, &n);
	if (walk.ours) {
		pressure_wait(walk.ours);
		arena_put_async(walk.ours);
	}
	return 0;
}

/**
 * pressure_watch() - an arena wants to hear of pressure
 * @a: the arena, allocated for pressure_lru
 */
void pressure_watch(struct arena *a)
{
	list_lru_add_obj(&pressure_lru, &a->pressure.lru);
}

/**
 * pressure_unwatch() - undo pressure_watch()
 * @a: the arena, not freed yet
 */
void pressure_unwatch(struct arena *a)
{
	list_lru_del_obj(&pressure_lru, &a->pressure.lru);
}

/**
 * pressure_answer() - a collection is reported: poll() waits for the next event
 * @a: the arena
 *
 * Return: events ever.
 */
u64 pressure_answer(struct arena *a)
{
	s64 events = atomic64_read(&a->pressure.events);

	atomic64_set(&a->pressure.seen, events);
	return events;
}

/**
 * arena_poll() - poll() of /dev/goheap
 * @file: the heap's file
 * @wait: where to wait
 *
 * Return: EPOLLPRI if memory is short, EPOLLERR for a process without an arena.
 */
__poll_t arena_poll(struct file *file, struct poll_table_struct *wait)
{
	struct heap *h = file->private_data;
	__poll_t mask = 0;
	struct arena *a;

	poll_wait(file, &h->wait, wait);
	a = heap_find_arena(h);
	if (!a)
		return EPOLLERR;
	WRITE_ONCE(a->pressure.watcher, current);
	if (!pressure_is_answered(a))
		mask = EPOLLPRI;
	heap_release_arena(h, a);
	return mask;
}

/**
 * pressure_init() - make the list and the shrinker
 *
 * Return: 0 or -ENOMEM.
 */
int pressure_init(void)
{
	static const struct lru_shrinker_ops ops = {
		.name	= "goheap-arenas",
		.count	= pressure_count,
		.scan	= pressure_scan,
		.seeks	= PRESSURE_SEEKS,
		.batch	= PRESSURE_BATCH,
	};

	shrinker = lru_shrinker_create(&pressure_lru, &ops);
	return shrinker ? 0 : -ENOMEM;
}

/**
 * pressure_exit() - undo pressure_init()
 */
void pressure_exit(void)
{
	lru_shrinker_destroy(shrinker, &pressure_lru);
}
