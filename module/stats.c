// SPDX-License-Identifier: GPL-2.0
/*
 * What is seen of an arena from outside: GOHEAP_IOC_STATS, the lines that
 * /proc/PID/fdinfo/FD has for it, in the style of /proc/PID/status, and what
 * debugfs.c shows of it.
 *
 * The figures are those of spans that have been handed out.  Spans in transit,
 * and chunks that were prepared for a request that failed, do not show: a
 * request that fails changes no figure but enomem.
 */
#include <linux/fs.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "arena.h"

static u64 stats_metadata(const struct arena *a)
{
	u64 bytes = sizeof(*a) + a->grown * sizeof(struct chunk) +
		    DIV_ROUND_UP(a->grown, PALLOC_BLOCK_CHUNKS) * palloc_block_bytes();

	/* An arena that is being mapped or made is not under its lock yet. */
	return bytes + data_race(a->palloc.tables_bytes);
}

/**
 * arena_stats() - read an arena's figures
 * @a: the arena
 * @st: filled in but for size, flags and reserved, which are zero
 *
 * Context: without the lock.
 */
void arena_stats(struct arena *a, struct goheap_arena_stats *st)
{
	mutex_lock(&a->lock);
	*st = (struct goheap_arena_stats) {
		.grown_bytes	= a->grown << GOHEAP_CHUNK_SHIFT,
		.inuse_bytes	= a->inuse << GOHEAP_PAGE_SHIFT,
		.retained_bytes	= (a->backed - a->inuse) << GOHEAP_PAGE_SHIFT,
		.released_bytes	= (a->grown << GOHEAP_CHUNK_SHIFT) -
				  (a->backed << GOHEAP_PAGE_SHIFT),
		.kept_bytes	= a->kept << GOHEAP_PAGE_SHIFT,
		.metadata_bytes	= stats_metadata(a),
		.spans		= a->spans,
		.span_allocs	= a->span_allocs,
		.span_frees	= a->span_frees,
		.fresh_bytes	= a->fresh << GOHEAP_PAGE_SHIFT,
		.recycled_bytes	= a->recycled << GOHEAP_PAGE_SHIFT,
		.freed_bytes	= a->freed << GOHEAP_PAGE_SHIFT,
		.faults		= a->faults,
		.bad_faults	= a->bad_faults,
		.enomem		= a->enomem,
		.tracks		= a->tracks,
		.collects	= a->collects,
		.dirty_pages	= a->dirty_pages,
		.scav_request_bytes = a->scav.released[RELEASE_REQUEST] << GOHEAP_PAGE_SHIFT,
		.scav_background_bytes = a->scav.released[RELEASE_BACKGROUND] << GOHEAP_PAGE_SHIFT,
		.scav_growth_bytes = a->scav.released[RELEASE_GROWTH] << GOHEAP_PAGE_SHIFT,
		.scav_limit_bytes = a->scav.released[RELEASE_LIMIT] << GOHEAP_PAGE_SHIFT,
		.scav_pressure_bytes = a->scav.released[RELEASE_PRESSURE] << GOHEAP_PAGE_SHIFT,
		.retain_goal_bytes = scavenge_goal_bytes(a),
		.cycles		= a->scav.cycles,
		.pressure	= atomic64_read(&a->pressure.events),
		.shared_bytes	= heap_alone(a->heap) ? 0 : a->nr_shared << PAGE_SHIFT,
		.copied_bytes	= a->copied << PAGE_SHIFT,
		.forks		= a->forks,
	};
	mutex_unlock(&a->lock);
}

/**
 * arena_view() - read an arena's figures and what is set
 * @a: the arena
 * @w: filled in
 *
 * Context: without locks.
 */
void arena_view(struct arena *a, struct arena_view *w)
{
	struct arena *b;

	arena_stats(a, &w->st);

	mutex_lock(&a->lock);
	w->state = a->state;
	w->bytes = a->bytes;
	w->policy = a->scav.policy;
	w->triggers = a->scav.triggers;
	w->memory_limit = a->scav.memory_limit;
	w->hard_limit = a->scav.hard_limit;
	mutex_unlock(&a->lock);

	w->relatives = 0;
	rcu_read_lock();
	list_for_each_entry_rcu(b, &a->heap->arenas, relatives)
		w->relatives += b != a;
	rcu_read_unlock();
}

/**
 * arena_policy_name() - a placement policy in words
 * @policy: GOHEAP_POLICY_*
 *
 * Return: a word.
 */
const char *arena_policy_name(u32 policy)
{
	return policy == GOHEAP_POLICY_BEST_FIT ? "best-fit" : "first-fit";
}

/**
 * arena_process() - whose arena is it?
 * @a: the arena
 * @comm: room for TASK_COMM_LEN bytes: set to the name of the process, or to
 *	"-" if it has gone
 *
 * Return: its PID as the reader's PID namespace has it; 0 if it has gone, or
 * is not of that namespace.
 */
pid_t arena_process(const struct arena *a, char *comm)
{
	pid_t pid = 0;

	strscpy(comm, "-", TASK_COMM_LEN);
#ifdef CONFIG_MEMCG
	if (a->mm) {
		struct task_struct *task;

		rcu_read_lock();
		task = rcu_dereference(a->mm->owner);
		if (task) {
			pid = task_tgid_vnr(task);
			__get_task_comm(comm, TASK_COMM_LEN, task);
		}
		rcu_read_unlock();
	}
#else
	/* Nothing leads from an mm to its process. */
	pid = a->pid;
#endif
	return pid;
}

/* The triggers of the scavenger that are on, in words. */
static void show_triggers(struct seq_file *m, u32 triggers)
{
	static const char *const names[] = { "background", "growth", "limit", "pressure" };
	unsigned int i;

	seq_puts(m, "GoheapScavenge:\t");
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (triggers & BIT(i))
			seq_printf(m, "%s ", names[i]);
	seq_puts(m, triggers ? "\n" : "none\n");
}

static void show_kb(struct seq_file *m, const char *key, u64 bytes)
{
	if (bytes == U64_MAX)
		seq_printf(m, "%s:\tnone\n", key);
	else
		seq_printf(m, "%s:\t%8llu kB\n", key, bytes >> 10);
}

static void show_count(struct seq_file *m, const char *key, u64 n)
{
	seq_printf(m, "%s:\t%llu\n", key, n);
}

/* A relative's line: what it has, and how much of it is its own. */
static void show_relative(struct seq_file *m, struct arena *a)
{
	struct goheap_arena_stats st;
	char comm[TASK_COMM_LEN];

	arena_stats(a, &st);
	seq_printf(m, "GoheapRelative:\tid %u pid %d inuse %llu retained %llu shared %llu copied %llu kB\n",
		   a->id, arena_process(a, comm), st.inuse_bytes >> 10,
		   st.retained_bytes >> 10, st.shared_bytes >> 10,
		   st.copied_bytes >> 10);
}

/**
 * arena_show_fdinfo() - the heap's lines in /proc/PID/fdinfo/FD
 * @m: where they go
 * @file: the heap's file
 *
 * A file may be open in several processes, and this function is not told whose
 * it is asked for.  So all of them see the same: the opener's arena in full, and
 * a line for each relative that a fork() made.
 */
void arena_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct heap *h = file->private_data;
	char comm[TASK_COMM_LEN];
	struct arena *a = h->root;
	struct arena_view w;

	arena_view(a, &w);
	show_count(m, "GoheapId", a->id);
	show_count(m, "GoheapPid", arena_process(a, comm));
	show_kb(m, "GoheapArena", w.bytes);
	show_kb(m, "GoheapGrown", w.st.grown_bytes);
	show_kb(m, "GoheapInUse", w.st.inuse_bytes);
	show_kb(m, "GoheapRetained", w.st.retained_bytes);
	show_kb(m, "GoheapKept", w.st.kept_bytes);
	show_kb(m, "GoheapReleased", w.st.released_bytes);
	show_kb(m, "GoheapMetadata", w.st.metadata_bytes);
	show_kb(m, "GoheapFresh", w.st.fresh_bytes);
	show_kb(m, "GoheapRecycled", w.st.recycled_bytes);
	show_kb(m, "GoheapFreed", w.st.freed_bytes);
	show_kb(m, "GoheapScavRequest", w.st.scav_request_bytes);
	show_kb(m, "GoheapScavBackground", w.st.scav_background_bytes);
	show_kb(m, "GoheapScavGrowth", w.st.scav_growth_bytes);
	show_kb(m, "GoheapScavLimit", w.st.scav_limit_bytes);
	show_kb(m, "GoheapScavPressure", w.st.scav_pressure_bytes);
	show_kb(m, "GoheapRetainGoal", w.st.retain_goal_bytes);
	show_kb(m, "GoheapMemoryLimit", w.memory_limit);
	show_kb(m, "GoheapHardLimit", w.hard_limit);
	show_kb(m, "GoheapShared", w.st.shared_bytes);
	show_kb(m, "GoheapCopied", w.st.copied_bytes);
	seq_printf(m, "GoheapPolicy:\t%s\n", arena_policy_name(w.policy));
	show_triggers(m, w.triggers);
	show_count(m, "GoheapSpans", w.st.spans);
	show_count(m, "GoheapSpanAllocs", w.st.span_allocs);
	show_count(m, "GoheapSpanFrees", w.st.span_frees);
	show_count(m, "GoheapFaults", w.st.faults);
	show_count(m, "GoheapBadFaults", w.st.bad_faults);
	show_count(m, "GoheapEnomem", w.st.enomem);
	show_count(m, "GoheapCycles", w.st.cycles);
	seq_printf(m, "GoheapScavengerTime:\t%llu us\n",
		   div_u64(READ_ONCE(h->root->scav.spent_ns), NSEC_PER_USEC));
	show_count(m, "GoheapPressure", w.st.pressure);
	show_count(m, "GoheapForks", w.st.forks);
	show_count(m, "GoheapTracks", w.st.tracks);
	show_count(m, "GoheapCollects", w.st.collects);
	show_count(m, "GoheapDirtyPages", w.st.dirty_pages);
	show_count(m, "GoheapRelatives", w.relatives);

	/* The lock keeps them in the list, and so in being. */
	mutex_lock(&h->lock);
	list_for_each_entry(a, &h->arenas, relatives)
		if (a != h->root)
			show_relative(m, a);
	mutex_unlock(&h->lock);
}
