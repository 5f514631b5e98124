// SPDX-License-Identifier: GPL-2.0
/*
 * All arenas at a glance, for root: /sys/kernel/debug/goheap.
 *
 *	arenas		a table, one line an arena
 *	total		the sums, in the style of /proc/meminfo
 *
 * Arenas come and go while a file is read.  The reader holds a reference to the
 * arena at hand and nothing else, and goes on from its number; so he sees every
 * arena that is there all the time once, and others once or not at all.  No lock
 * is held but, for one arena's figures, that arena's; an arena that is held up
 * holds up the reader, and never the other way round.
 */
#include <linux/debugfs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "arena.h"

static struct dentry *debugfs_dir;

/* In kB, or a dash where there is none. */
static void show_kb(struct seq_file *m, u64 bytes)
{
	if (bytes == U64_MAX)
		seq_printf(m, " %10s", "-");
	else
		seq_printf(m, " %10llu", bytes >> 10);
}

static const char *state_name(enum arena_state state)
{
	switch (state) {
	case ARENA_OPENED:
		return "opened";
	case ARENA_MAPPED:
		return "mapped";
	default:
		return "closed";
	}
}

static void show_head(struct seq_file *m)
{
	static const char *const columns[] = {
		"mapped", "grown", "inuse", "retained", "kept", "released",
		"goal", "limit", "hard", "shared", "copied", "metadata",
	};
	unsigned int i;

	seq_printf(m, "%6s %6s %7s %-6s %-9s %9s %8s %8s", "id", "heap", "pid", "state",
		   "policy", "relatives", "cycles", "pressure");
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		seq_printf(m, " %10s", columns[i]);
	seq_puts(m, " comm\n");
}

static int arenas_show(struct seq_file *m, void *v)
{
	struct arena *a = v;
	char comm[TASK_COMM_LEN];
	struct arena_view w;

	if (v == SEQ_START_TOKEN) {
		show_head(m);
		return 0;
	}

	arena_view(a, &w);
	seq_printf(m, "%6u %6u %7d %-6s %-9s %9u %8llu %8llu", a->id, a->heap->id,
		   arena_process(a, comm), state_name(w.state), arena_policy_name(w.policy),
		   w.relatives, w.st.cycles, w.st.pressure);
	show_kb(m, w.bytes);
	show_kb(m, w.st.grown_bytes);
	show_kb(m, w.st.inuse_bytes);
	show_kb(m, w.st.retained_bytes);
	show_kb(m, w.st.kept_bytes);
	show_kb(m, w.st.released_bytes);
	show_kb(m, w.st.retain_goal_bytes);
	show_kb(m, w.memory_limit);
	show_kb(m, w.hard_limit);
	show_kb(m, w.st.shared_bytes);
	show_kb(m, w.st.copied_bytes);
	show_kb(m, w.st.metadata_bytes);
	/* The name is the user's: let it not look like another column or line. */
	seq_putc(m, ' ');
	seq_escape(m, comm, " \t\n\\");
	seq_putc(m, '\n');
	return 0;
}

/* The position is the arena's number; 0 is the head of the table. */
static void *arenas_at(loff_t *pos)
{
	unsigned long id = *pos;
	struct arena *a = arena_next(&id);

	if (a)
		*pos = id;
	return a;
}

static void *arenas_start(struct seq_file *m, loff_t *pos)
{
	return *pos ? arenas_at(pos) : SEQ_START_TOKEN;
}

static void arenas_stop(struct seq_file *m, void *v)
{
	if (v && v != SEQ_START_TOKEN)
		arena_put(v);
}

static void *arenas_next(struct seq_file *m, void *v, loff_t *pos)
{
	arenas_stop(m, v);
	++*pos;
	return arenas_at(pos);
}

static const struct seq_operations arenas_sops = {
	.start	= arenas_start,
	.next	= arenas_next,
	.stop	= arenas_stop,
	.show	= arenas_show,
};
DEFINE_SEQ_ATTRIBUTE(arenas);

/* What the table's columns and the statistics' counts add up to. */
static const struct {
	const char *key;
	size_t offset;
	bool kb;
} sums[] = {
#define SUM_KB(key, f)	{ key, offsetof(struct goheap_arena_stats, f), true }
#define SUM(key, f)	{ key, offsetof(struct goheap_arena_stats, f), false }
	SUM_KB("Grown", grown_bytes), SUM_KB("InUse", inuse_bytes),
	SUM_KB("Retained", retained_bytes), SUM_KB("Kept", kept_bytes),
	SUM_KB("Released", released_bytes), SUM_KB("Metadata", metadata_bytes),
	SUM_KB("Shared", shared_bytes), SUM_KB("Copied", copied_bytes),
	SUM_KB("Fresh", fresh_bytes), SUM_KB("Recycled", recycled_bytes),
	SUM_KB("Freed", freed_bytes),
	SUM_KB("ScavRequest", scav_request_bytes),
	SUM_KB("ScavBackground", scav_background_bytes),
	SUM_KB("ScavGrowth", scav_growth_bytes),
	SUM_KB("ScavLimit", scav_limit_bytes),
	SUM_KB("ScavPressure", scav_pressure_bytes),
	SUM("Spans", spans), SUM("SpanAllocs", span_allocs),
	SUM("SpanFrees", span_frees), SUM("Faults", faults),
	SUM("BadFaults", bad_faults), SUM("Enomem", enomem),
	SUM("Cycles", cycles), SUM("Pressure", pressure), SUM("Forks", forks),
	SUM("Tracks", tracks), SUM("Collects", collects),
	SUM("DirtyPages", dirty_pages),
#undef SUM
#undef SUM_KB
};

static void sums_line(struct seq_file *m, const char *key, u64 n, bool kb)
{
	seq_printf(m, "%-15s %12llu%s\n", key, kb ? n >> 10 : n, kb ? " kB" : "");
}

static int total_show(struct seq_file *m, void *v)
{
	u64 sum[ARRAY_SIZE(sums)] = { };
	struct goheap_arena_stats st;
	unsigned long id = 0;
	u64 count = 0;
	struct arena *a;
	unsigned int i;

	while ((a = arena_next(&id))) {
		arena_stats(a, &st);
		arena_put(a);
		for (i = 0; i < ARRAY_SIZE(sums); i++)
			sum[i] += *(u64 *)((char *)&st + sums[i].offset);
		count++;
		id++;
		cond_resched();
	}

	sums_line(m, "Arenas:", count, false);
	sums_line(m, "Memory:", (u64)memory_pages() << PAGE_SHIFT, true);
	sums_line(m, "MemoryLimit:", (u64)READ_ONCE(memory_limit) << PAGE_SHIFT, true);
	for (i = 0; i < ARRAY_SIZE(sums); i++) {
		char key[20];

		snprintf(key, sizeof(key), "%s:", sums[i].key);
		sums_line(m, key, sum[i], sums[i].kb);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(total);

/**
 * arena_debugfs_init() - make the files
 *
 * As everywhere in the kernel, to have none is no reason not to work.
 */
void __init arena_debugfs_init(void)
{
	debugfs_dir = debugfs_create_dir("goheap", NULL);
	debugfs_create_file("arenas", 0400, debugfs_dir, NULL, &arenas_fops);
	debugfs_create_file("total", 0400, debugfs_dir, NULL, &total_fops);
}

/**
 * arena_debugfs_exit() - undo arena_debugfs_init()
 *
 * When this returns nobody reads any more.
 */
void arena_debugfs_exit(void)
{
	debugfs_remove(debugfs_dir);
}
