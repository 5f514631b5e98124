// SPDX-License-Identifier: GPL-2.0
/*
 * What is seen of an arena from outside: GOHEAP_IOC_STATS, and the lines that
 * /proc/PID/fdinfo/FD has for it, in the style of /proc/PID/status.
 *
 * The figures are those of spans that have been handed out.  Spans in transit,
 * and chunks that were prepared for a request that failed, do not show: a
 * request that fails changes no figure but enomem.
 */
#include <linux/fs.h>
#include <linux/seq_file.h>

#include "arena.h"

static u64 stats_metadata(const struct arena *a)
{
	u64 bytes = sizeof(*a) + a->grown * sizeof(struct chunk) +
		    DIV_ROUND_UP(a->grown, PALLOC_BLOCK_CHUNKS) * palloc_block_bytes();

	return bytes + a->palloc.tables_bytes;
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
	};
	mutex_unlock(&a->lock);
}

static void show_kb(struct seq_file *m, const char *key, u64 bytes)
{
	seq_printf(m, "%s:\t%8llu kB\n", key, bytes >> 10);
}

static void show_count(struct seq_file *m, const char *key, u64 n)
{
	seq_printf(m, "%s:\t%llu\n", key, n);
}

/**
 * arena_show_fdinfo() - the arena's lines in /proc/PID/fdinfo/FD
 * @m: where they go
 * @file: the arena's file
 */
void arena_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct heap *h = file->private_data;
	struct arena *a = h->root;
	struct goheap_arena_stats st;

	arena_stats(a, &st);
	show_kb(m, "GoheapArena", READ_ONCE(a->bytes));
	show_kb(m, "GoheapGrown", st.grown_bytes);
	show_kb(m, "GoheapInUse", st.inuse_bytes);
	show_kb(m, "GoheapRetained", st.retained_bytes);
	show_kb(m, "GoheapKept", st.kept_bytes);
	show_kb(m, "GoheapReleased", st.released_bytes);
	show_kb(m, "GoheapMetadata", st.metadata_bytes);
	show_kb(m, "GoheapFresh", st.fresh_bytes);
	show_kb(m, "GoheapRecycled", st.recycled_bytes);
	show_kb(m, "GoheapFreed", st.freed_bytes);
	show_count(m, "GoheapSpans", st.spans);
	show_count(m, "GoheapSpanAllocs", st.span_allocs);
	show_count(m, "GoheapSpanFrees", st.span_frees);
	show_count(m, "GoheapFaults", st.faults);
	show_count(m, "GoheapBadFaults", st.bad_faults);
	show_count(m, "GoheapEnomem", st.enomem);
	show_count(m, "GoheapTracks", st.tracks);
	show_count(m, "GoheapCollects", st.collects);
	show_count(m, "GoheapDirtyPages", st.dirty_pages);
}
