/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The arena: one process's view of one heap.
 *
 * Layers, top to bottom; each file knows those below it only:
 *
 *	main.c		module, device, parameters
 *	ioctl.c		requests: copying in and out, checking
 *	settings.c	what the user may set
 *	span.c		batches of spans: reserve, back, map, publish
 *	shrink.c	free pages back when the system is short of memory
 *	pressure.c	tell the process that it is: poll()
 *	scavenge.c	free pages back to keep to a goal or a limit
 *	release.c	free pages back to the system
 *	track.c		which pages were written
 *	debugfs.c	all arenas at a glance
 *	stats.c		what is seen of one from outside
 *	trace.c		tracepoints (trace.h)
 *	mmap.c		the VMA: rules, faults
 *	fork.c		a copy of the arena for a forked child
 *	cow.c		copies of pages, when one of those who share them writes
 *	map.c		pages into page tables, in bulk
 *	memory.c	pages from and to the system, in bulk; the limit
 *	arena.c		life cycle, growth
 *	heap.c		an open of the device: the opener's arena and its relatives
 *	inode.c		an address_space for each arena
 *	palloc.c	which runtime pages are in use, first fit
 *	palloc_fit.c	the index for best fit
 *
 * Locks, outermost first: mmap_lock, heap::lock, arena::lock, i_mmap_rwsem (taken
 * inside unmap_mapping_range()) or shrink.c's lru lock.  Never two arenas' locks
 * at once, but in fork(): the parent's, then that of the copy, which nobody uses
 * yet.  Memory reclaim, which may come while any of them is held, only
 * tries arena::lock.  No user memory is touched, and no memory for spans or
 * descriptors is allocated, under arena::lock.
 */
#ifndef _GOHEAP_ARENA_H
#define _GOHEAP_ARENA_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/goheap.h>
#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "palloc.h"

struct file;
struct inode;
struct mem_cgroup;
struct poll_table_struct;
struct segment;
struct seq_file;
struct vm_area_struct;

/* System pages in a runtime page. */
#define SUBPAGES	((unsigned int)(GOHEAP_PAGE_SIZE >> PAGE_SHIFT))
static_assert(SUBPAGES);
/* System pages in a chunk. */
#define CHUNK_SYSTEM_PAGES	(PALLOC_CHUNK_PAGES * SUBPAGES)
static_assert(GOHEAP_CHUNK_SHIFT - GOHEAP_PAGE_SHIFT == PALLOC_CHUNK_SHIFT);

/* Dirty bits can be cleared in place: see track.c. */
#if IS_ENABLED(CONFIG_MAPPING_DIRTY_HELPERS) && !defined(GOHEAP_NO_DIRTY_HELPERS)
#define GOHEAP_TRACK_NOFAULT
#endif

/* All memory that a request takes: charged, and ENOMEM rather than an OOM kill. */
#define GOHEAP_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/**
 * struct chunk - 4 MiB of an arena and the memory behind it
 * @pc: which pages are used, begin a span, are without memory
 * @unmapped: page has memory that is kept but not mapped (a subset of the pages
 *	not in @pc.released)
 * @busy: page is in transit (part of a span that is being allocated), or begins
 *	a span that the batch of frees at hand names: nobody else may free it
 * @changed: system page counts as written whatever its dirty bits say, see
 *	track.c; of use while arena::tracking is set, zeroed by track_begin()
 * @tables: page tables known to exist, one bit for each PMD that the chunk
 *	touches; atomic bit operations, no lock
 * @next: links chunks that are prepared but not yet part of an arena
 * @arena: what it is part of
 * @lru: in shrink.c's list if @listed
 * @listed: may hold free pages with memory; never clear if it does
 * @pfn: the memory, a PFN for each system page; 0 where there is none
 *
 * Protected by arena::lock.  Exception: while a span is in transit the request
 * that reserved it owns those of its pages that are released or unmapped, and
 * fills in, maps or drops their @pfn without the lock.  Everyone else sees from
 * the bits that there is nothing to look at yet.
 *
 * A descriptor of 4.4 KiB for 4 MiB: 0.11 %.  This is why @pfn is not an array
 * of pointers.
 */
struct chunk {
	struct palloc_chunk pc;
	DECLARE_BITMAP(unmapped, PALLOC_CHUNK_PAGES);
	DECLARE_BITMAP(busy, PALLOC_CHUNK_PAGES);
	DECLARE_BITMAP(changed, PALLOC_CHUNK_PAGES << (GOHEAP_PAGE_SHIFT - PAGE_SHIFT));
	unsigned long tables;
	struct chunk *next;
	struct arena *arena;
	struct list_head lru;
	bool listed;
	u32 pfn[PALLOC_CHUNK_PAGES << (GOHEAP_PAGE_SHIFT - PAGE_SHIFT)];
};

enum arena_state {
	ARENA_OPENED,		/* not mapped yet */
	ARENA_MAPPED,		/* the heap can be used */
	ARENA_CLOSED,		/* unmapped, for good */
};

/* Why memory goes back to the system. */
enum release_reason {
	RELEASE_REQUEST,	/* GOHEAP_IOC_RELEASE */
	RELEASE_BACKGROUND,	/* above the goal, between collections */
	RELEASE_GROWTH,		/* above the goal, when the heap grows */
	RELEASE_LIMIT,		/* the memory limit */
	RELEASE_PRESSURE,	/* the shrinker */
	RELEASE_CLOSE,		/* the arena's end: not counted as scavenged */
};

/* How a page fault ends. */
enum fault_result {
	FAULT_SERVED,		/* what a span owns there is mapped */
	FAULT_OUTSIDE,		/* no span owns anything there: SIGBUS */
	FAULT_FAILED,		/* it could not be mapped */
};

/* Why a page that relatives share is copied. */
enum copy_reason {
	COPY_WRITE,		/* it is written to */
	COPY_PINNED,		/* at fork(): a device may be writing to it */
};

/**
 * struct heap - one open of the device
 * @ref: one for the file, one for each arena
 * @id: number of the opener's arena; constant once there is one
 * @inode: owns the address_space behind every mapping of the heap
 * @root: the opener's arena; lives as long as the file
 * @nr_mapped: arenas that have a heap, from arena_tables_init() to their teardown
 * @marked: a page was marked (memory.c): never back to plain mode; only set, and
 *	before the arena that did so leaves @nr_mapped
 * @lock: protects @arenas
 * @arenas: all arenas, by arena::relatives; read under RCU as well
 * @wait: who poll()s; here, since an arena may go while somebody does
 */
struct heap {
	refcount_t ref;
	u32 id;
	struct inode *inode;
	struct arena *root;
	atomic_t nr_mapped;
	bool marked;

	struct mutex lock;	/* protects @arenas */
	struct list_head arenas;
	wait_queue_head_t wait;
};

/**
 * struct scavenger - what an arena gives back, and when
 * @policy: GOHEAP_POLICY_*, for when the arena is mapped
 * @triggers: GOHEAP_SCAVENGE_* that are on
 * @retain_percent: the constant of the retention goal
 * @memory_limit: bytes, as it was set
 * @hard_limit: bytes, as it was set
 * @goal: the retention goal, runtime pages; SCAVENGE_NONE: none
 * @wake: freeing spans while more than this is backed calls for
 *	scavenge_freed()
 * @coming: runtime pages that requests in transit will back
 * @heap_goal: as last reported, bytes; 0 before the first report
 * @cycles: reports
 * @cycle_ns: time of the last
 * @deadline_ns: when the worker wants to have reached @goal
 * @tick_ns: how often it runs
 * @rested_ns: when it may run again
 * @queued: the worker will run, and holds a reference to the arena
 * @spent_ns: its time, ever
 * @released: runtime pages given back, ever, by reason
 * @work: the worker
 *
 * Protected by arena::lock.
 */
struct scavenger {
	u32 policy;
	u32 triggers;
	u32 retain_percent;
	u64 memory_limit;
	u64 hard_limit;
	u64 goal;
	u64 wake;
	u64 coming;
	u64 heap_goal;
	u64 cycles;
	u64 cycle_ns;
	u64 deadline_ns;
	u64 tick_ns;
	u64 rested_ns;
	bool queued;
	u64 spent_ns;
	u64 released[RELEASE_CLOSE];
	struct delayed_work work;
};

/**
 * struct pressure - what an arena has heard of a shortage of memory
 * @lru: in pressure.c's list, from the arena's creation to its end
 * @events: times that poll() began to say so
 * @seen: of these, answered by GOHEAP_IOC_CYCLE
 * @waited: the last event for which a thread has waited in vain
 * @watcher: the thread that called poll() last, to be told from others, never looked at
 *
 * No lock: memory reclaim counts an event, of those that are all answered; the
 * report answers what it has seen.
 */
struct pressure {
	struct list_head lru;
	atomic64_t events;
	atomic64_t seen;
	u64 waited;
	const void *watcher;
};

/**
 * struct arena - one process's view of a heap
 * @mm: the process, which alone may use the arena; held with mmgrab()
 * @memcg: what everything is charged to: the opener's cgroup at open
 * @heap: what it belongs to; holds a reference
 * @inode: the heap's
 * @id: tells arenas apart: in arena.c's table of them, in traces; not used again
 *	before 2^32 others were
 * @pid: thread group of the process, for the eyes only; 0 for a forked child that
 *	has not used its heap yet
 * @ref: the file has one to the opener's arena; every other user for its time
 * @relatives: in heap::arenas
 * @rcu: frees the arena after the last lookup
 * @free_work: does the work of arena_put_async()
 * @pressure: shortage of memory; see there for its locking
 * @lock: protects all that follows, unless said otherwise
 * @state: leaves ARENA_OPENED under the mmap_lock of @mm held for writing as
 *	well, and ARENA_MAPPED under it held for reading at the least, after the
 *	VMA has left the tree
 * @vmas: VMAs in @mm: one, two for a moment inside mremap()
 * @inflight: requests that have spans in transit; teardown waits for them
 * @base: address of the mapping; constant from ARENA_MAPPED on
 * @bytes: its length; constant from ARENA_MAPPED on
 * @palloc: the page allocator.  palloc_chunk() of a chunk that is known to
 *	exist needs no lock: chunks are added, and leave only at teardown
 * @grown: chunks that allocated spans have reached; those of palloc above it
 *	were prepared for requests that failed, and are free and released
 * @inuse: runtime pages in spans that have been handed out
 * @backed: runtime pages with memory
 * @kept: of these, not mapped
 * @tracking: there is a window for GOHEAP_IOC_COLLECT
 * @spans: spans that have been handed out
 * @span_allocs: ... ever
 * @span_frees: spans freed, ever
 * @fresh: runtime pages taken from the system for spans, ever
 * @recycled: runtime pages of spans that had memory already, ever
 * @freed: runtime pages given back to the system, ever
 * @faults: faults served, ever
 * @bad_faults: faults refused, ever
 * @enomem: requests refused for want of memory, ever
 * @nr_shared: system pages that were shared with a relative at the last fork and
 *	have not been copied or dropped here since; those that the relatives
 *	copied or dropped count still
 * @tracks: windows begun, ever
 * @collects: requests for dirty pages, ever
 * @dirty_pages: system pages reported by these, ever
 * @copied: system pages copied because they were written to, ever
 * @forks: copies of the arena made, ever
 * @shared: the VMA is in shared mode; changes under the mmap_lock held for
 *	writing as well
 * @scav: what is given back when
 */
struct arena {
	struct mm_struct *mm;
	struct mem_cgroup *memcg;
	struct heap *heap;
	struct inode *inode;
	u32 id;
	pid_t pid;
	refcount_t ref;
	struct list_head relatives;
	struct rcu_head rcu;
	struct work_struct free_work;
	struct pressure pressure;

	struct mutex lock;	/* protects all below, see above */
	enum arena_state state;
	unsigned int vmas;
	unsigned int inflight;
	unsigned long base;
	u64 bytes;

	struct palloc palloc;
	u64 grown;
	u64 inuse;
	u64 backed;
	u64 kept;
	bool tracking;

	u64 spans;
	u64 span_allocs;
	u64 span_frees;
	u64 fresh;
	u64 recycled;
	u64 freed;
	u64 faults;
	u64 bad_faults;
	u64 enomem;
	u64 nr_shared;
	u64 tracks;
	u64 collects;
	u64 dirty_pages;
	u64 copied;
	u64 forks;
	bool shared;

	struct scavenger scav;
};

/**
 * struct arena_growth - memory for chunks, prepared outside arena::lock
 * @chunks: descriptors, linked by chunk::next
 * @blocks: palloc blocks, linked by their first word
 * @nr_chunks: number of descriptors
 * @nr_blocks: number of blocks
 * @want_chunks: descriptors that the next arena_grow() needs
 * @want_blocks: blocks that it needs
 * @least: runtime pages, at the least, that will need memory if it succeeds
 */
struct arena_growth {
	struct chunk *chunks;
	void *blocks;
	u64 nr_chunks;
	u64 nr_blocks;
	u64 want_chunks;
	u64 want_blocks;
	u64 least;
};

/* main.c */
extern struct workqueue_struct *goheap_wq;

/* arena.c */
int arena_cache_init(void);
void arena_cache_exit(void);
bool arena_cache_exists(void);
struct arena *arena_create(struct heap *h, struct mm_struct *mm);
void arena_put(struct arena *a);
void arena_put_async(struct arena *a);
unsigned int arena_count(void);
struct arena *arena_next(unsigned long *id);
int arena_tables_init(struct arena *a, u64 bytes);
int arena_attach(struct arena *a, unsigned long base, u64 bytes);
void arena_detach(struct arena *a);
void arena_request_begin(struct arena *a);
void arena_request_end(struct arena *a);
int arena_grow(struct arena *a, u64 npages, u64 ahead, struct arena_growth *g);
struct chunk *arena_growth_take(struct arena *a, struct arena_growth *g);
int arena_growth_prepare(struct arena *a, struct arena_growth *g);
void arena_growth_discard(struct arena_growth *g);

/* heap.c */
struct heap *heap_create(struct mm_struct *mm);
void heap_get(struct heap *h);
void heap_put(struct heap *h);
struct arena *heap_find_arena(struct heap *h);
bool heap_alone(struct heap *h);
void heap_release_arena(struct heap *h, struct arena *a);

/* inode.c */
struct inode *arena_inode_new(void);
void arena_inode_put(struct inode *inode);

/* memory.c */
/**
 * struct page_source - pages from the system for one request
 * @need: pages still to be taken from the system
 * @next: the next page of the block at hand
 * @left: pages left in the block
 * @singly: larger blocks are not to be had: one page at a time
 */
struct page_source {
	u64 need;
	struct page *next;
	unsigned int left;
	bool singly;
};

int memory_charge(u64 npages);
void memory_uncharge(u64 npages);
bool memory_would_fit(u64 npages);
unsigned long memory_pages(void);
void memory_limit_init(void);
extern unsigned long memory_limit;
int memory_back(struct arena *a, struct page_source *src, u64 page, u64 npages);
void memory_source_done(struct page_source *src);
void memory_drop(struct arena *a, u64 page, u64 npages);
void memory_free(struct arena *a, const struct segment *s);
struct page *memory_page_new(struct arena *a);
void memory_page_share(struct page *page);
void memory_page_drop(struct arena *a, struct page *page, unsigned int held);
bool memory_page_referenced(struct page *page, unsigned int held);

/* map.c */
/* Pages mapped by one call of vm_insert_pages(): 512 bytes of stack. */
#define MAP_BATCH	64

/**
 * struct mapper - maps pages of spans in transit, in address order or not
 * @a: the arena
 * @vma: its VMA while mmap_lock is held for reading, else NULL
 * @budget: pages that may still be mapped before mmap_lock is let go
 * @addr: where @pages go
 * @tables: the word of tables bits that covers @addr
 * @table: the bit in it
 * @n: number of pages collected
 * @shared: the arena has relatives
 * @own: if it has: the pages collected are the arena's alone
 * @pages: pages for consecutive addresses, below one PMD
 */
struct mapper {
	struct arena *a;
	struct vm_area_struct *vma;
	int budget;
	unsigned long addr;
	unsigned long *tables;
	unsigned int table;
	unsigned int n;
	bool shared;
	bool own;
	struct page *pages[MAP_BATCH];
};

struct vm_area_struct *map_lock_vma(struct arena *a);
int map_insert(struct vm_area_struct *vma, unsigned long addr,
	       struct page **pages, unsigned long *left, bool own);
void map_begin(struct mapper *m, struct arena *a);
int map_range(struct mapper *m, u64 page, u64 npages);
int map_end(struct mapper *m);
void map_undo(struct arena *a, u64 page, u64 npages);
void map_zap(struct arena *a, u64 page, u64 npages);

/* mmap.c */
int arena_mmap(struct file *file, struct vm_area_struct *vma);
u32 *arena_pfn(struct arena *a, pgoff_t pgoff);
void arena_vma_set_shared(struct vm_area_struct *vma, bool shared);
pgprot_t arena_vma_prot(const struct vm_area_struct *vma);

/* fork.c */
void arena_fork(struct vm_area_struct *vma);
void arena_unshare(struct arena *a);

/* cow.c */
vm_fault_t arena_fault_shared(struct vm_fault *vmf);
vm_fault_t arena_mkwrite(struct vm_fault *vmf);

/* span.c */
/**
 * struct span_request - a batch of spans on its way through the kernel
 * @a: the arena
 * @spans: the kernel's copy of the batch
 * @count: its length
 * @bad_index: which span is to blame for a failure; @count for none
 * @npages: runtime pages in all spans
 * @fresh: of these, without memory when they were reserved
 * @kept: of these, with memory that was not mapped
 * @charged: system pages counted against the limit
 * @coming: runtime pages counted in scavenger::coming
 * @copied: the user's array may have been written
 * @growth: memory for new chunks
 */
struct span_request {
	struct arena *a;
	struct goheap_span *spans;
	u32 count;
	u32 bad_index;
	u64 npages;
	u64 fresh;
	u64 kept;
	u64 charged;
	u64 coming;
	bool copied;
	struct arena_growth growth;
};

int span_copy_in(struct span_request *rq, const struct goheap_span __user *uspans);
int span_check_alloc(struct span_request *rq);
int span_check_free(struct span_request *rq);
int span_reserve(struct span_request *rq);
void span_hold(struct span_request *rq);
void span_unhold(struct span_request *rq);
int span_back(struct span_request *rq);
void span_drop(struct span_request *rq);
void span_publish(struct span_request *rq);
int span_alloc(struct span_request *rq, struct goheap_span __user *uspans);
int span_free(struct span_request *rq);

/* release.c */
u64 arena_release(struct arena *a, u64 npages, bool keep,
		  enum release_reason reason);
u64 arena_release_batch(struct arena *a, u64 npages, enum release_reason reason);

/* scavenge.c */
void scavenge_init(struct arena *a);
void scavenge_copy(struct arena *child, const struct arena *parent);
void scavenge_stop(struct arena *a);
u64 scavenge_cycle(struct arena *a, u64 heap_goal, u64 now);
u64 scavenge_goal_bytes(const struct arena *a);
void scavenge_set(struct arena *a, const struct goheap_settings *set);
int scavenge_make_room(struct arena *a, u64 npages);
void scavenge_freed(struct arena *a);
void scavenge_run(struct arena *a);

/* settings.c */
int settings_check(const struct goheap_settings *set);
void settings_apply(struct arena *a, struct goheap_settings *set);

/* shrink.c */
int shrink_init(void);
void shrink_exit(void);
extern struct list_lru shrink_lru;
void shrink_list_chunk(struct chunk *c);
void shrink_forget_chunk(struct chunk *c);

/* pressure.c */
int pressure_init(void);
void pressure_exit(void);
extern struct list_lru pressure_lru;
void pressure_watch(struct arena *a);
void pressure_unwatch(struct arena *a);
u64 pressure_answer(struct arena *a);
__poll_t arena_poll(struct file *file, struct poll_table_struct *wait);

/* track.c */
int track_begin(struct arena *a);
int track_end(struct arena *a);
void track_changed(struct arena *a, u64 page, u64 npages);
int track_check(struct arena *a, u64 addr, u64 bytes);
int track_collect(struct arena *a, u64 addr, u64 bytes, u64 __user *bitmap, u64 *count);
void track_undo(struct arena *a, u64 addr, u64 bytes);

/* stats.c */
void arena_stats(struct arena *a, struct goheap_arena_stats *st);
void arena_show_fdinfo(struct seq_file *m, struct file *file);

/**
 * struct arena_view - what files under /proc and debugfs say of an arena
 * @st: its statistics
 * @state: where it is in its life
 * @bytes: length of its mapping, also when that has gone
 * @policy: GOHEAP_POLICY_*
 * @triggers: GOHEAP_SCAVENGE_* that are on
 * @memory_limit: as set, ~0 for none
 * @hard_limit: as set, ~0 for none
 * @relatives: other arenas of its heap
 */
struct arena_view {
	struct goheap_arena_stats st;
	enum arena_state state;
	u64 bytes;
	u32 policy;
	u32 triggers;
	u64 memory_limit;
	u64 hard_limit;
	unsigned int relatives;
};

void arena_view(struct arena *a, struct arena_view *w);
pid_t arena_process(const struct arena *a, char *comm);
const char *arena_policy_name(u32 policy);

/* debugfs.c */
void arena_debugfs_init(void);
void arena_debugfs_exit(void);

/* ioctl.c */
long arena_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/**
 * arena_chunk() - the chunk that a runtime page lies in
 * @a: the arena
 * @page: number of the page, in a chunk that exists
 *
 * Return: the chunk.
 */
static inline struct chunk *arena_chunk(const struct arena *a, u64 page)
{
	return container_of(palloc_chunk(&a->palloc, page >> PALLOC_CHUNK_SHIFT),
			    struct chunk, pc);
}

/* A forked child has no number yet when its arena is made. */
static inline void arena_note_pid(struct arena *a)
{
	if (unlikely(!READ_ONCE(a->pid)) && current->mm == a->mm)
		WRITE_ONCE(a->pid, task_tgid_nr(current));
}

/**
 * memory_page_shared() - may others see what is written to this page?
 * @page: a page that an arena has
 *
 * Return: whether it is so.  "No" stays true while the arena's lock is held, or
 * its mmap_lock.
 */
static inline bool memory_page_shared(const struct page *page)
{
	return READ_ONCE(page->private);
}

/**
 * arena_retained() - what could be given back
 * @a: the arena; its lock is held
 *
 * Return: runtime pages that are free, have memory and are not in transit.
 */
static inline u64 arena_retained(const struct arena *a)
{
	const struct palloc *p = &a->palloc;

	return (p->nr_chunks << PALLOC_CHUNK_SHIFT) - p->nr_used - p->nr_released;
}

static inline unsigned long arena_addr(const struct arena *a, u64 page)
{
	return a->base + (page << GOHEAP_PAGE_SHIFT);
}

/**
 * struct segment - the part of a range of pages that lies in one chunk
 * @c: the chunk
 * @page: number of the chunk's first page
 * @first: first page of the part, counted from the chunk's start
 * @end: one past its last page
 * @word: first word of the chunk's bitmaps that has bits of the part
 * @last_word: last such word
 */
struct segment {
	struct chunk *c;
	u64 page;
	unsigned int first;
	unsigned int end;
	unsigned int word;
	unsigned int last_word;
};

/**
 * segment_next() - walk a range chunk by chunk
 * @a: the arena
 * @s: set to the part of the range in its first chunk
 * @page: start of the range; moved past the part
 * @npages: length of the range; reduced by the part
 *
 * Return: false if the range is at its end.
 */
static inline bool segment_next(const struct arena *a, struct segment *s,
				u64 *page, u64 *npages)
{
	u64 n;

	if (!*npages)
		return false;
	s->c = arena_chunk(a, *page);
	s->first = *page & (PALLOC_CHUNK_PAGES - 1);
	s->page = *page - s->first;
	n = min_t(u64, *npages, PALLOC_CHUNK_PAGES - s->first);
	s->end = s->first + n;
	s->word = s->first / BITS_PER_LONG;
	s->last_word = (s->end - 1) / BITS_PER_LONG;
	*page += n;
	*npages -= n;
	return true;
}

/* The bits of word @w of a chunk's bitmaps that lie in the segment. */
static inline unsigned long segment_mask(const struct segment *s, unsigned int w)
{
	unsigned long mask = ~0UL;

	if (w == s->word)
		mask &= BITMAP_FIRST_WORD_MASK(s->first);
	if (w == s->last_word)
		mask &= BITMAP_LAST_WORD_MASK(s->end);
	return mask;
}

/**
 * transit_word() - a word of a chunk's bitmap, read without the lock
 * @word: a word of palloc_chunk::released or chunk::unmapped
 *
 * For who has spans in transit, and looks at no bit but theirs: those do not
 * change, while the holder of the lock may be writing their neighbours.
 *
 * Return: the word.
 */
static inline unsigned long transit_word(const unsigned long *word)
{
	/* Neighbours' bits may change meanwhile; nobody looks at them. */
	return data_race(READ_ONCE(*word));
}

#endif /* _GOHEAP_ARENA_H */
