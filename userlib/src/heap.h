/* SPDX-License-Identifier: MIT */
/*
 * The heap: everything that the threads share.
 *
 * Lock order: start_lock, gc.lock, roots.lock, threads.lock, a mcentral's lock, heap lock,
 * the backend's.  A thread takes any but the first three only between
 * thread_enter_busy() and thread_leave_busy(), so that none of them is held by
 * a stopped thread; the first three are held by the collector while it stops
 * the world.
 */
#ifndef GOHEAP_HEAP_H
#define GOHEAP_HEAP_H

#include <pthread.h>

#include "backend.h"
#include "span.h"
#include "thread.h"

/* Free spans of up to this many pages are kept for the next request of the size. */
#define SPAN_CACHE_PAGES	8
/* ... so many pages of each size. */
#define SPAN_CACHE_DEPTH	16

/**
 * struct mcentral - the spans of one class that no mcache holds
 * @lock: protects the lists
 * @partial: swept since the last collection, with free slots
 * @full: swept, without
 * @partial_unswept: had free slots when the last collection ended
 * @full_unswept: had none
 */
struct mcentral {
	pthread_mutex_t lock;
	struct span_list partial;
	struct span_list full;
	struct span_list partial_unswept;
	struct span_list full_unswept;
} CACHE_ALIGNED;

struct span_cache {
	unsigned int n;
	struct goheap_span spans[SPAN_CACHE_DEPTH];
};

/* Free spans on their way back to the backend: one call for so many. */
#define SPANS_LEAVING	64

struct span_batch {
	unsigned int n;
	struct goheap_span spans[SPANS_LEAVING];
};

/* Memory for the library's own tables: chunks from the system, never returned. */
struct metadata {
	uintptr_t next;
	uintptr_t end;
	uint64_t bytes;				/* taken from the system */
	struct span *free_spans[NUM_SPAN_CLASSES];
};

/* A range that the program asked to have searched. */
struct root {
	uintptr_t start;
	uintptr_t end;
};

#define MAX_MODULES	1024

/**
 * struct roots - where marking begins, beside the threads
 * @lock: protects the ranges; held during a collection
 * @ranges: what the program added
 * @n: how many
 * @room: for how many there is memory
 * @segments: writable data of the loaded objects; made anew for each collection
 * @nsegments: how many
 * @tls_bytes: by module: size of its thread-local block
 * @tls_modules: highest module that has one
 * @objects: loaded objects counted
 * @addresses: sum of their load addresses: tells whether one came or went
 */
struct roots {
	pthread_mutex_t lock;
	struct root *ranges;
	size_t n, room;
	struct root segments[MAX_MODULES];
	size_t nsegments;
	size_t tls_bytes[MAX_MODULES];
	size_t tls_modules;
	size_t objects;
	uintptr_t addresses;
};

struct mark_item {
	uintptr_t start;
	size_t bytes;
};

#define MARK_FIFO	8		/* a power of two: objects on their way into the cache */

/**
 * struct marker - the state of marking
 * @arena: the heap's base, for the range check
 * @arena_bytes: how far spans have been given out
 * @page_map: the heap's
 * @stack: objects whose contents have not been searched
 * @top: how many
 * @room: how many may be put on it
 * @room_most: for how many there is address space
 * @overflowed: one did not fit, so the heap must be searched for marked objects
 * @fifo: prefetched objects
 * @live_bytes: marked so far
 * @stack_bytes: searched on stacks
 * @global_bytes: searched in static data, TLS and added ranges
 */
struct marker {
	uintptr_t arena;
	size_t arena_bytes;
	struct span **page_map;
	struct mark_item *stack;
	size_t top;
	size_t room;
	size_t room_most;
	bool overflowed;
	struct mark_item fifo[MARK_FIFO];
	uint64_t live_bytes;
	uint64_t stack_bytes;
	uint64_t global_bytes;
};

enum gc_reason {
	GC_HEAP,		/* the heap has reached its goal */
	GC_FORCED,		/* goheap_collect() */
	GC_PERIODIC,		/* two minutes have passed */
	GC_NO_MEMORY,		/* a request could not be served */
	GC_PRESSURE,		/* the kernel wants memory */
};

/**
 * struct gc - the collector's state
 * @lock: one collection at a time
 * @percent: GOGC; negative: off
 * @memory_limit: soft limit, bytes; INT64_MAX: none
 * @goal: a collection is due when @live reaches it
 * @trigger: @goal, or less where something else is to happen first (@watch); read
 *	without a lock
 * @watch: at so many live bytes the background thread starts; UINT64_MAX for never
 * @reported_goal: last reported to the backend
 * @live: bytes allocated that are not known to be garbage; atomic
 * @marked: found live by the last collection, bytes
 * @sweepgen: collections finished; a span with another number is not swept
 * @swept: the last of them whose spans have all been swept
 * @cycles: collections finished
 * @forced: of these
 * @periodic: of these
 * @pressure: of these
 * @pause_total: ns
 * @pause_max: ns
 * @cpu: ns spent collecting and sweeping; atomic
 * @last_end: CLOCK_REALTIME ns
 * @last_end_mono: CLOCK_MONOTONIC ns
 * @period: ns between collections at most
 * @marker: of the collection under way
 * @turn: held while waiting for @lock: gc_lock()
 */
struct gc {
	pthread_mutex_t lock;
	pthread_mutex_t turn;
	int percent;
	int64_t memory_limit;
	uint64_t trigger CACHE_ALIGNED;
	uint64_t live CACHE_ALIGNED;
	uint64_t goal;
	uint64_t watch;
	uint64_t reported_goal;
	uint64_t marked;
	uint32_t sweepgen;
	uint32_t swept;
	uint64_t cycles;
	uint64_t forced;
	uint64_t periodic;
	uint64_t pressure;
	uint64_t pause_total;
	uint64_t pause_max;
	uint64_t cpu;
	uint64_t last_end;
	uint64_t last_end_mono;
	uint64_t period;
	struct marker marker;
};

/**
 * struct background - the background thread
 * @running: it has been started
 * @watch: it asks the device whether the kernel wants memory
 * @wakeup: counts what wakes it; it waits on it, if not on @event
 * @event: an eventfd, while @watch; or -1
 * @pressure_pause: ns between two collections for want of memory
 * @pressure_next: not before, CLOCK_MONOTONIC ns
 * @scavenge_cpu: ns spent giving pages back; atomic
 */
struct background {
	bool running;
	bool watch;
	uint32_t wakeup;
	int event;
	uint64_t pressure_pause;
	uint64_t pressure_next;
	uint64_t scavenge_cpu;
};

/* Settings, from goheap_init() and the environment. */
struct settings {
	int gc_percent;
	int64_t memory_limit;
	int device;			/* enum goheap_device */
	uint64_t arena_bytes;
	uint64_t hard_limit;		/* NO_LIMIT: none */
	uint32_t policy;		/* GOHEAP_POLICY_* */
	uint32_t retain_percent;
	bool gctrace;
	bool scavtrace;
	bool say_where;
	uint64_t period_ms;
	uint64_t mark_stack;		/* entries */
};

/* Counts of what is over: of ended threads, of swept and freed objects. */
struct totals {
	uint64_t slots;			/* atomic, as all here */
	uint64_t slot_bytes;
	uint64_t tiny_objects;
	uint64_t frees;
	uint64_t freed_bytes;
};

/**
 * struct headroom - see headroom.c
 * @span: pages that hold nothing; @span.npages is 0 where there are none
 * @owed: pages that have to be held again before the heap may grow
 * @released: bytes given back in all that, which nobody has asked for
 */
struct headroom {
	struct goheap_span span;
	uint64_t owed;
	uint64_t released;
};

/**
 * struct heap - the one heap
 * @backend: where pages come from
 * @base: lowest address of the arena; pages are counted from here
 * @page_map: the span that each page belongs to, or NULL
 * @top: one past the highest page that was ever in a span
 * @lock: protects what follows up to @inuse
 * @cache: free spans, by length
 * @leaving: free spans that there was no room for
 * @meta: memory for struct span
 * @large: large objects' spans, swept
 * @large_unswept: not swept since the last collection
 * @headroom: pages held back for when there is no more memory; see headroom.c
 * @inuse: bytes in spans that hold objects
 * @peak_inuse: the highest so far
 */
struct heap {
	struct backend backend;
	uintptr_t base;
	struct span **page_map;
	size_t top;
	struct settings settings;
	struct totals totals;
	pthread_mutex_t lock CACHE_ALIGNED;
	struct span_cache cache[SPAN_CACHE_PAGES + 1];
	struct span_batch leaving;
	struct metadata meta;
	struct span_list large;
	struct span_list large_unswept;
	struct headroom headroom;
	uint64_t inuse;
	uint64_t peak_inuse;
	struct gc gc;
	struct background background;
	struct roots roots;
	struct threads threads;
	uint64_t start_mono;
	bool on_device;
	bool complained;		/* that the device is missing: once is enough */
	bool lost;			/* a forked child without the arena */
	struct mcentral central[NUM_SPAN_CLASSES];
};

extern struct heap goheap_the_heap __attribute__((visibility("hidden")));

/* The heap, started if it was not; NULL and errno if it cannot be. */
struct heap *heap_get(void);

static inline void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* A counter that only one thread writes needs no locked instruction. */
static inline void counter_add_own(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline void thread_leave_busy(struct heap *h, struct thread *t)
{
	annotate_release(t);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->busy--;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(t->stop_asked && !t->busy))
		thread_leave_slow(h, t);
}

static inline void thread_enter_busy(struct heap *h, struct thread *t)
{
	t->busy++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&h->threads.gate, __ATOMIC_ACQUIRE)))
		thread_wait_at_gate(h, t);
	annotate_acquire(h);
}

/* heap.c */
struct span *heap_alloc_span(struct heap *h, size_t npages, unsigned int spanclass);
void heap_free_span(struct heap *h, struct span *s);
void heap_flush_cache(struct heap *h);
uint64_t heap_release(struct heap *h, struct thread *t);
int heap_configure(struct heap *h);
void heap_page_stats(struct heap *h, struct backend_stats *b);
void *heap_alloc_metadata(struct heap *h, size_t bytes);

/**
 * heap_span_of() - the span that an address lies in
 * @h: the heap
 * @p: any address
 *
 * Return: the span or NULL.  The answer holds as long as the object at @p lives.
 */
static inline struct span *heap_span_of(const struct heap *h, uintptr_t p)
{
	size_t page = (p - h->base) >> PAGE_SHIFT;

	if (p < h->base || page >= __atomic_load_n(&h->top, __ATOMIC_RELAXED))
		return NULL;
	return __atomic_load_n(&h->page_map[page], __ATOMIC_RELAXED);
}

/* mcentral.c */
void mcentral_init(struct heap *h);
struct span *mcentral_get(struct heap *h, unsigned int spanclass);
void mcentral_put(struct heap *h, struct span *s);

/* headroom.c */
void headroom_give_up(struct heap *h);
int headroom_restore(struct heap *h);
int headroom_probe(struct heap *h, size_t bytes);
void headroom_adjust(struct heap *h);

/* sweep.c */
bool sweep_span(struct heap *h, struct span *s);
bool sweep_some(struct heap *h);
void sweep_all(struct heap *h, struct thread *t);
void sweep_and_flush(struct heap *h, struct thread *t);
void sweep_for_pages(struct heap *h, size_t npages);

/* roots.c */
void roots_init(struct heap *h);
void roots_snapshot(struct heap *h);
bool roots_snapshot_is_current(struct heap *h);
void roots_mark(struct heap *h, struct marker *m);

/* mark.c */
int marker_init(struct heap *h);
void marker_undo(struct heap *h);
void marker_prepare(struct heap *h);
void mark_range(struct marker *m, uintptr_t start, uintptr_t end);
void mark_stopped_world(struct heap *h, struct thread *self, bool scarce);

/* gc.c */
int gc_init(struct heap *h);
void gc_lock(struct heap *h);
void gc_collect(struct heap *h, enum gc_reason reason, size_t wanted);
void gc_gave_up(struct heap *h, struct thread *t);
void gc_forked(struct heap *h);

/* Is a collection due, with so many bytes more, or whatever else gc_collect() does? */
static inline bool gc_due(const struct heap *h, size_t wanted)
{
	return counter_read(&h->gc.live) + wanted >= counter_read(&h->gc.trigger);
}

/* background.c */
void background_init(struct heap *h);
void background_start(struct heap *h);
void background_wake(struct heap *h);
void background_forget(struct heap *h);

/* trace.c */
struct gc_times {
	uint64_t start;			/* CLOCK_MONOTONIC ns */
	uint64_t stopped;		/* all threads stand */
	uint64_t marked;
	uint64_t end;			/* they run again */
	uint64_t live_before;
	uint64_t live_at_end;
	uint64_t goal;
};

void trace_gc(struct heap *h, const struct gc_times *t, enum gc_reason reason);
void trace_cycle(struct heap *h, struct thread *t);
void trace_releases(struct heap *h, struct thread *t);
void trace_forced(struct heap *h, struct thread *t);

/* alloc.c */
void *alloc_object(size_t size, bool noscan);

/* large.c */
void *large_alloc(struct heap *h, struct thread *t, size_t size, bool noscan);
void large_free(struct heap *h, struct span *s);

/* options.c */
struct goheap_options;
int settings_read(struct settings *s, const struct goheap_options *options);

/* init.c */
extern pthread_mutex_t start_lock __attribute__((visibility("hidden")));

/* fork.c */
int fork_init(void);

#endif /* GOHEAP_HEAP_H */
