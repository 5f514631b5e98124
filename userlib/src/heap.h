/* SPDX-License-Identifier: MIT */
/*
 * The heap: everything that the threads share.
 *
 * Lock order: start_lock, gc.lock, roots.lock, threads.lock, a mcentral's lock,
 * specials.lock, gc.queue.lock, profile.lock, heap lock, the backend's.  A thread takes
 * any but the first three only between thread_enter_busy() and thread_leave_busy(), so
 * that none of them is held by a stopped thread; the first three are held by the
 * collector while it stops the world.
 */
#ifndef GOHEAP_HEAP_H
#define GOHEAP_HEAP_H

#include <pthread.h>

#include "backend.h"
#include "blacklist.h"
#include "dirty.h"
#include "histogram.h"
#include "mark.h"
#include "pacer.h"
#include "profile.h"
#include "span.h"
#include "special.h"
#include "thread.h"
#include "type.h"

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

/* Free spans that are better not used. */
#define SPANS_PARKED	256

struct span_batch {
	unsigned int n;
	struct goheap_span spans[SPANS_LEAVING];
};

/* A page that descriptors of spans are cut from. */
struct descriptor_page {
	uintptr_t next;
	uintptr_t end;
};

/* Memory for the library's own tables; chunks that only spans' descriptors are returned of. */
struct metadata {
	uintptr_t next;
	uintptr_t end;
	uint64_t bytes;				/* taken from the system */
	struct descriptor_chunk *chunks;
	struct descriptor_page page[NUM_SPAN_CLASSES];
	uint64_t span_bytes;			/* of these, descriptors of spans ... */
	uint64_t span_bytes_free;		/* ... and of these, waiting to be used again */
	uint64_t thread_bytes;			/* records of threads */
	struct span *free_spans[NUM_SPAN_CLASSES];
	struct span *unused;			/* freed while marking */
};

/* A range that the program asked to have searched. */
struct root {
	uintptr_t start;
	uintptr_t end;
};

/**
 * struct roots - where marking begins, beside the threads
 * @lock: protects the ranges; held during a collection
 * @ranges: what the program added
 * @n: how many
 * @room: for how many there is memory
 * @copy: where data is copied to that may be unmapped at any time
 */
struct roots {
	pthread_mutex_t lock;
	struct root *ranges;
	size_t n, room;
	void *copy;
};

enum gc_reason {
	GC_HEAP,		/* the heap has reached its goal */
	GC_FORCED,		/* goheap_collect() */
	GC_PERIODIC,		/* two minutes have passed */
	GC_NO_MEMORY,		/* a request could not be served */
	GC_PRESSURE,		/* the kernel wants memory */
};

enum gc_phase {
	GC_OFF,			/* sweeping, if anything */
	GC_MARK,		/* marking, while the program runs; objects are born black */
};

/* When things happened in a collection: CLOCK_MONOTONIC ns. */
struct gc_times {
	uint64_t start;
	uint64_t asked;			/* the first stop was asked for */
	uint64_t stopped;		/* all threads stand, for the beginning of marking */
	uint64_t marking;		/* they run again */
	uint64_t marked;		/* nearly all is marked: stop them again */
	uint64_t asked_again;
	uint64_t stopped_again;
	uint64_t end;			/* they run again */
	uint64_t live_before;
	uint64_t live_at_end;
	uint64_t goal;
	uint64_t dirty_pages;		/* searched again in the second stop */
	unsigned int rounds;		/* of searching dirty pages before it */
	uint64_t assist_ns;		/* processor time */
	uint64_t mark_ns;		/* of the collector and its workers */
};

/**
 * struct gc - the collector's state
 * @lock: protects what follows, but for what is atomic; held while a collection
 *	begins and while it ends, not while marking goes on between the two
 * @turn: held while waiting for @lock: gc_lock()
 * @phase: enum gc_phase; changes in a stopped world
 * @percent: GOGC; negative: off
 * @memory_limit: soft limit, bytes; INT64_MAX: none
 * @goal: what the heap is to stay under
 * @trigger: a collection begins when @live reaches it, or earlier, where something
 *	else is to happen first (@watch); read without a lock
 * @watch: at so many live bytes the background thread starts; UINT64_MAX for never
 * @reported_goal: last reported to the backend
 * @pacer: sets the goal and the trigger
 * @live: bytes allocated that are not known to be garbage; atomic
 * @marked: found live by the last collection, bytes
 * @black: born black in this collection, bytes; atomic
 * @scanned: by the last collection, bytes
 * @beside: what counted against the memory limit then, and was no object
 * @sweepgen: collections finished; a span with another number is not swept
 * @swept: the last of them whose spans have all been swept
 * @swept_pages: of spans swept since the last of them; atomic
 * @sweep_class: span classes below have nothing left to sweep; atomic
 * @late_sweep: bytes of spans that had not been swept when the next one was due
 * @started: collections begun
 * @finished: collections finished; who wants to see one finished waits on it
 * @asked: the background thread is to begin a collection; atomic
 * @hurry: somebody is in need of memory; atomic
 * @window: the pages written to are being watched
 * @one_stop: the world is stopped, for all of a collection; atomic
 * @reason: of the collection under way
 * @times: of the collection under way
 * @queue: of marking
 * @cycles: collections finished
 * @forced: of these
 * @periodic: of these
 * @pressure: of these
 * @pause_total: ns
 * @pause_max: ns
 * @cpu: ns spent collecting and sweeping; atomic
 * @assist_cpu: ns that allocating threads have spent marking, in this collection; atomic
 * @mark_cpu: ns that workers have, in this collection; atomic
 * @last_end: CLOCK_REALTIME ns
 * @last_end_mono: CLOCK_MONOTONIC ns
 * @period: ns between collections at most
 */
struct gc {
	pthread_mutex_t lock;
	pthread_mutex_t turn;
	int percent;
	int64_t memory_limit;
	uint64_t trigger CACHE_ALIGNED;
	uint32_t phase;
	uint64_t live CACHE_ALIGNED;
	uint64_t black;
	uint64_t goal;
	uint64_t watch;
	uint64_t reported_goal;
	struct pacer pacer;
	uint64_t marked;
	uint64_t scanned;
	uint64_t beside;
	uint32_t sweepgen;
	uint32_t swept;
	uint32_t sweep_class;
	uint64_t swept_pages;
	uint64_t late_sweep;
	uint32_t started;
	uint32_t finished;
	bool asked;
	bool hurry;
	bool window;
	bool one_stop;
	enum gc_reason reason;
	struct gc_times times;
	struct work_queue queue;
	uint64_t cycles;
	uint64_t forced;
	uint64_t periodic;
	uint64_t pressure;
	uint64_t pause_total;
	uint64_t pause_max;
	uint64_t cpu;
	uint64_t assist_cpu;
	uint64_t mark_cpu;
	uint64_t last_end;
	uint64_t last_end_mono;
	uint64_t period;
};

#define WORKERS_MOST	15

/**
 * struct workers - threads that help the collector; see worker.c
 * @created: how many have been created
 * @n: how many there are; atomic
 * @wanted: how many are to help in this round; atomic
 * @round: counts rounds of marking; they wait on it
 * @missed: a collection would have had use for them; atomic
 */
struct workers {
	int created;
	bool missed;
	uint32_t n;
	uint32_t wanted;
	uint32_t round;
};

/**
 * struct background - the background thread
 * @thread: its record, while it runs
 * @running: it has been started
 * @watch: it asks the device whether the kernel wants memory
 * @wakeup: counts what wakes it; it waits on it, if not on @event
 * @event: an eventfd, while @watch; or -1
 * @pressure_pause: ns between two collections for want of memory
 * @pressure_next: not before, CLOCK_MONOTONIC ns
 * @scavenge_cpu: ns spent giving pages back; atomic
 */
struct background {
	struct thread *thread;
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
	enum dirty_way dirty;
	uint64_t arena_bytes;
	uint64_t hard_limit;		/* NO_LIMIT: none */
	uint32_t policy;		/* GOHEAP_POLICY_* */
	uint32_t retain_percent;
	bool gctrace;
	bool scavtrace;
	bool gcwork;
	bool say_where;
	bool sweep_in_background;
	uint64_t period_ms;
	uint64_t stop_ns;		/* one stop is enough for what is marked in this time ... */
#define STOP_DEFAULT	UINT64_MAX	/* ... by default, it depends on the backend */
	uint64_t stop_wait_ms;		/* before a thread that has not stopped is named */
	uint64_t profile_rate;		/* bytes; 0: off */
	char profile_file[PROFILE_FILE_MOST];	/* written when the program ends */
};

/* Large objects are counted by the power of two that they fit in, from 64 KiB up. */
#define LARGE_SIZES	32

/*
 * Counts of what is over: of ended threads, of swept and freed objects.  By size
 * class, where large objects are class 0.  What objects of a class have in bytes
 * is known.  Of those in @frees, @dropped have not been swept: see reuse.c.
 */
struct totals {
	uint64_t slots[NUM_SIZE_CLASSES];	/* atomic, as all here */
	uint64_t frees[NUM_SIZE_CLASSES];
	uint64_t dropped[NUM_SIZE_CLASSES];
	uint64_t tiny_objects;
	uint64_t large_bytes;
	uint64_t large_freed_bytes;
	uint64_t large_slots[LARGE_SIZES];
	uint64_t large_frees[LARGE_SIZES];
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
 * @parked: free spans on black pages; see blacklist.c
 * @nparked: how many
 * @parking_over: memory was short since the last collection: black pages are used
 * @parked_bytes: how much that is
 * @meta: memory for struct span
 * @large: large objects' spans, swept
 * @large_unswept: not swept since the last collection
 * @headroom: pages held back for when there is no more memory; see headroom.c
 * @blacklist: changes in a stopped world
 * @inuse: bytes in spans that hold objects
 * @peak_inuse: the highest so far
 * @types: of typed objects
 * @reuse_secret: disguises the links between freed slots
 */
struct heap {
	struct backend backend;
	uintptr_t base;
	struct span **page_map;
	size_t top;
	struct settings settings;
	struct totals totals;
	struct pauses pauses;
	struct profile profile;
	pthread_mutex_t lock CACHE_ALIGNED;
	struct span_cache cache[SPAN_CACHE_PAGES + 1];
	struct span_batch leaving;
	struct goheap_span parked[SPANS_PARKED];
	unsigned int nparked;
	bool parking_over;
	uint64_t parked_bytes;
	struct metadata meta;
	struct span_list large;
	struct span_list large_unswept;
	struct headroom headroom;
	struct blacklist blacklist;
	uint64_t inuse;
	uint64_t peak_inuse;
	struct gc gc;
	struct workers workers;
	struct background background;
	struct dirty dirty;
	struct roots roots;
	struct threads threads;
	struct types types;
	struct specials specials;
	uint64_t reuse_secret;
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

static inline unsigned int large_size_index(size_t bytes)
{
	unsigned int shift = 64 - (unsigned int)__builtin_clzll(bytes - 1);

	return shift > 16 ? shift - 16 : 0;
}

/* @n objects of @s are no more. */
static inline void count_frees(struct heap *h, const struct span *s, uint32_t n)
{
	counter_add(&h->totals.frees[size_class_of(s->spanclass)], n);
	if (span_is_large(s)) {
		counter_add(&h->totals.large_freed_bytes, s->elem_size);
		counter_add(&h->totals.large_frees[large_size_index(s->elem_size)], 1);
	}
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

/* descriptor.c */
struct span *descriptor_new(struct heap *h, unsigned int spanclass, uint32_t nelems);
void descriptor_free(struct heap *h, struct span *s);
void descriptors_recycle(struct heap *h);
void descriptors_condemn(struct heap *h);
void descriptors_discard(struct heap *h);

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
void sweep_this(struct heap *h, struct span *s, uintptr_t p);
bool sweep_some(struct heap *h);
uint64_t sweep_all(struct heap *h, struct thread *t);
void sweep_and_flush(struct heap *h, struct thread *t);
void sweep_for_pages(struct heap *h, size_t npages);
void sweep_begin(struct heap *h);
void sweep_debt(struct heap *h, struct thread *t, uint64_t bytes);

static inline bool sweep_pending(const struct heap *h)
{
	return __atomic_load_n(&h->gc.swept, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&h->gc.sweepgen, __ATOMIC_RELAXED);
}

/* roots.c */
int roots_init(struct heap *h);
void roots_undo(struct heap *h);
void roots_mark_threads(struct heap *h, struct gc_work *w);
void roots_mark_static(struct heap *h, struct gc_work *w);
bool roots_mark_copied(struct heap *h, struct gc_work *w);

/* gc.c */
void gc_init(struct heap *h);
void gc_lock(struct heap *h);
void gc_collect(struct heap *h, enum gc_reason reason, size_t wanted);
void gc_gave_up(struct heap *h, struct thread *t);
void gc_forked(struct heap *h);
void gc_begin_if_asked(struct heap *h, struct thread *self);
void gc_mark(struct heap *h, struct thread *self);
uint64_t gc_assist(struct heap *h, struct thread *t, uint64_t bytes);

static inline bool gc_marking(const struct heap *h)
{
	return __atomic_load_n(&h->gc.phase, __ATOMIC_RELAXED) == GC_MARK;
}

void gc_before_alloc(struct heap *h, struct thread *t, size_t wanted);

/* Slots @from to @to - 1 of @s are about to be allocated: black while marking is on. */
static inline void gc_born(struct heap *h, struct span *s, uint32_t from, uint32_t to)
{
	if (!gc_marking(h))
		return;
	bits_set_shared(s->mark_bits, from, to);
	if (s->scan_bits)
		bits_set_shared(s->scan_bits, from, to);
	counter_add(&h->gc.black, (to - from) * s->elem_size);
}

/* The same for a slot that was allocated before, and so may be marked. */
static inline void gc_born_again(struct heap *h, struct span *s, uint32_t index)
{
	uint64_t bit = (uint64_t)1 << (index % 64);

	if (!gc_marking(h))
		return;
	if (s->scan_bits)
		__atomic_fetch_or(&s->scan_bits[index / 64], bit, __ATOMIC_RELAXED);
	if (!(__atomic_fetch_or(&s->mark_bits[index / 64], bit, __ATOMIC_RELAXED) & bit))
		counter_add(&h->gc.black, s->elem_size);
}

/*
 * Is a collection due, with so many bytes more, or whatever else gc_collect() does?
 * None is while one is under way.
 */
static inline bool gc_due(const struct heap *h, size_t wanted)
{
	return counter_read(&h->gc.live) + wanted >= counter_read(&h->gc.trigger) && !gc_marking(h);
}

/* worker.c */
bool workers_are_there(const struct heap *h);
void workers_start(struct heap *h);
void workers_help(struct heap *h, unsigned int n);
void workers_forget(struct heap *h);

/* background.c */
void background_init(struct heap *h);
bool background_start(struct heap *h);
void background_wake(struct heap *h);
void background_forget(struct heap *h);

/* trace.c */
void trace_gc(struct heap *h);
void trace_work(struct heap *h);
void trace_cycle(struct heap *h, struct thread *t);
void trace_releases(struct heap *h, struct thread *t);
void trace_forced(struct heap *h, struct thread *t);

/* alloc.c */
void *alloc_object(size_t size, enum span_kind kind);
void *alloc_typed_slot(size_t size);

/* object.c */
bool object_lives(struct heap *h, struct span *s, uintptr_t p);

/* reuse.c */
void reuse_init(struct heap *h);
bool reuse_free(struct heap *h, struct mcache *mc, struct span *s, uintptr_t p);
uintptr_t reuse_take(struct heap *h, struct thread *t, unsigned int spanclass);
void reuse_drop(struct heap *h, struct mcache *mc);
uint32_t reuse_counted(struct heap *h, unsigned int size_class, uint32_t dead);

/* type.c */
void *typed_alloc(struct heap *h, const struct type *type, size_t bytes);

/* object.c */
struct span *object_span(struct heap *h, const void *p);

/* large.c */
void *large_alloc(struct heap *h, struct thread *t, size_t size, enum span_kind kind,
		  uintptr_t cfa);
void large_free(struct heap *h, struct span *s);

/* options.c */
struct goheap_options;
int settings_read(struct settings *s, const struct goheap_options *options);
void settings_for(struct settings *s, bool device);

/* init.c */
extern pthread_mutex_t start_lock __attribute__((visibility("hidden")));

/* fork.c */
int fork_init(void);

#endif /* GOHEAP_HEAP_H */
