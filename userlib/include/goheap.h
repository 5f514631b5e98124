/* SPDX-License-Identifier: MIT */
/*
 * libgoheap: Go's memory manager for C.
 *
 * A garbage-collected heap: objects are allocated, used and forgotten.  The
 * collector finds what the program can still reach from registers, stacks,
 * static data, thread-local storage, registered ranges and other objects, and
 * recycles the rest.  See goheap(3).
 *
 * Every function may be called from any thread; none from a signal handler.
 * Errors: NULL, or -1, and errno.
 */
#ifndef GOHEAP_H
#define GOHEAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOHEAP_VERSION_MAJOR	0
#define GOHEAP_VERSION_MINOR	1

/*
 * GOHEAP_NOESCAPE, GOHEAP_NOESCAPE_ARGS() - a function keeps nothing of what it is passed
 *
 * For goheap-escape(1), on declarations of functions and types of functions: the function
 * stores no pointer that it is passed, and none that can be reached from there,
 * where it is still found when the function has returned, and returns none.
 * The second is for some arguments, counted from 1; the others may be kept.
 *
 *	void print(const struct node *n) GOHEAP_NOESCAPE;
 *	void add(struct list *l, const char *name, struct node *n) GOHEAP_NOESCAPE_ARGS(2);
 */
#ifdef __GOHEAP_ESCAPE__
#define GOHEAP_NOESCAPE			__attribute__((goheap_noescape))
#define GOHEAP_NOESCAPE_ARGS(...)	__attribute__((goheap_noescape(__VA_ARGS__)))
#else
#define GOHEAP_NOESCAPE
#define GOHEAP_NOESCAPE_ARGS(...)
#endif

/* Where the heap's pages come from. */
enum goheap_device {
	GOHEAP_DEVICE_AUTO = 0,		/* /dev/goheap if it can be opened, else the process */
	GOHEAP_DEVICE_REQUIRE = 1,	/* /dev/goheap or an error */
	GOHEAP_DEVICE_NEVER = 2,	/* an ordinary mapping in the process */
};

/* Which free pages a new span is cut from. */
enum goheap_policy {
	GOHEAP_POLICY_DEFAULT = 0,	/* the environment's, or first fit */
	GOHEAP_FIRST_FIT = 1,		/* the lowest address that is large enough */
	GOHEAP_BEST_FIT = 2,		/* the smallest hole, the lowest address among equals */
};

/**
 * struct goheap_options - settings for goheap_init()
 * @size: sizeof(struct goheap_options)
 * @gc_percent: as GOHEAP_GOGC: how much the heap may grow over what was live,
 *	per cent; 0 means the default (100), negative switches collection off
 * @memory_limit: as GOHEAP_MEMLIMIT: soft limit for all memory of the heap,
 *	bytes; 0 means none
 * @device: as GOHEAP_DEVICE
 * @arena_bytes: address space to reserve, bytes; 0 means the default (1 TiB,
 *	less where a limit on address space asks for it)
 * @gctrace: as gctrace=1 in GOHEAP_DEBUG: a line on stderr for each collection
 * @scavtrace: as scavtrace=1: a line for what goes back to the system
 * @hard_limit: as GOHEAP_HARDLIMIT: the heap never has more pages than so many
 *	bytes; a request for more is ENOMEM; 0 means none
 * @policy: as GOHEAP_POLICY
 * @retain_percent: as GOHEAP_RETAIN: how much of what was in use is kept after a
 *	collection, per cent, 100 to 1000; 0 means the default (110)
 * @profile_rate: as GOHEAP_MEMPROFILERATE: bytes allocated for each sample of the
 *	heap profile, on average; 1 for every object, negative for none; 0 means the
 *	default (524288)
 * @stop_us: as GOHEAP_STOP_US: a collection that should be over in so many
 *	microseconds is made in one stop, instead of while the program runs, which
 *	takes a small heap longer; 0 means the default (20000; on the device, where
 *	marking while the program runs costs little, 5000), negative never
 *
 * Zeroed fields leave the environment's value, or the default, in force.
 */
struct goheap_options {
	size_t size;
	int gc_percent;
	int64_t memory_limit;
	enum goheap_device device;
	uint64_t arena_bytes;
	int gctrace;
	int scavtrace;
	uint64_t hard_limit;
	enum goheap_policy policy;
	int retain_percent;
	int64_t profile_rate;
	int64_t stop_us;
};

/* Size classes, with one more, the first, for objects of more than 32 KiB. */
#define GOHEAP_SIZES		68
/* Collections whose pauses are remembered. */
#define GOHEAP_PAUSES		256

/**
 * struct goheap_size_stats - the objects of one size class (Go: BySize)
 * @size: bytes an object may have; 0 for objects of more than 32 KiB
 * @mallocs: slots ever allocated
 * @frees: slots ever freed
 */
struct goheap_size_stats {
	uint64_t size;
	uint64_t mallocs;
	uint64_t frees;
};

/**
 * struct goheap_stats - what goheap_read_stats() fills in; bytes unless said
 * @size: in: sizeof(struct goheap_stats)
 * @on_device: 1 if the pages come from /dev/goheap, 0 if from the process
 * @gc_percent: the setting in force
 * @memory_limit: the setting in force; INT64_MAX for none
 * @alloc_bytes: in objects that are live or not yet swept (Go: HeapAlloc)
 * @alloc_objects: their number (Go: HeapObjects)
 * @total_alloc_bytes: ever allocated (Go: TotalAlloc)
 * @mallocs: objects ever allocated (Go: Mallocs)
 * @frees: objects ever freed, swept or by goheap_free() (Go: Frees)
 * @heap_sys: address space the heap has grown into (Go: HeapSys)
 * @heap_inuse: in spans (Go: HeapInuse)
 * @heap_retained: free pages with memory behind them (Go: HeapIdle - HeapReleased)
 * @heap_released: free pages given back to the system (Go: HeapReleased)
 * @metadata_bytes: the library's own tables
 * @live_bytes: found live by the last collection
 * @peak_heap_inuse: the highest heap_inuse so far
 * @next_gc: heap goal: a collection is due at this alloc_bytes (Go: NextGC)
 * @num_gc: collections finished (Go: NumGC)
 * @num_forced_gc: of these, asked for by goheap_collect() (Go: NumForcedGC)
 * @num_periodic_gc: of these, run because two minutes had passed
 * @pause_total_ns: time the world was stopped, in all
 * @pause_max_ns: the longest stop
 * @last_gc_ns: when the last collection ended, CLOCK_REALTIME; 0 for never
 * @gc_cpu_ns: processor time spent in collections and sweeping
 * @threads: threads the collector knows
 * @heap_idle: free pages, retained and released (Go: HeapIdle = HeapSys - HeapInuse)
 * @retain_goal: what the scavenger aims to hold, in use and retained; UINT64_MAX
 *	before the second collection
 * @hard_limit: the setting in force; UINT64_MAX for none
 * @released_total: ever given back to the system, the sum of the next five
 * @released_request: ... by goheap_free_os_memory(), and before a request fails
 * @released_background: ... above the retention goal, between collections
 * @released_growth: ... above the retention goal, as the heap grew
 * @released_limit: ... to stay below a limit
 * @released_pressure: ... because the system or the cgroup was short of memory
 * @pressure_events: times that the kernel wanted memory and no free page was left
 * @num_pressure_gc: collections that answered these
 * @headroom_bytes: pages held back for when there is no more memory
 * @scavenge_cpu_ns: processor time the library spent giving pages back
 * @sys: all memory the heap has address space in use for: the sum of heap_sys,
 *	mspan_sys, mcache_sys, profile_sys, gc_sys and other_sys (Go: Sys)
 * @mspan_inuse: descriptors of spans that hold objects (Go: MSpanInuse)
 * @mspan_sys: descriptors of spans, used ones and others (Go: MSpanSys)
 * @mcache_inuse: records of threads, with their caches (Go: MCacheInuse)
 * @mcache_sys: the same with those waiting to be used again (Go: MCacheSys)
 * @profile_sys: tables of the heap profile (Go: BuckHashSys)
 * @gc_sys: the map from addresses to spans (Go: GCSys)
 * @other_sys: what else the library took from the system (Go: OtherSys)
 * @tiny_objects: objects that found room in another's block: counted in mallocs
 *	and in frees, but not in by_size
 * @gc_cpu_fraction: share of the processors' time since the start that went into
 *	collections and sweeping, 0 to 1 (Go: GCCPUFraction)
 * @pause_ns: by collection: time the world was stopped; the latest is
 *	pause_ns[(num_gc + 255) % 256] (Go: PauseNs)
 * @pause_end_ns: when that was, CLOCK_REALTIME (Go: PauseEnd)
 * @by_size: by size class (Go: BySize)
 * @finalizers: set by goheap_set_finalizer() and not due yet
 * @finalizers_queued: due, waiting to be run
 * @finalizers_run: ever run
 * @weak_handles: of objects that live
 * @weak_cleared: handles ever cleared because their object had died
 * @late_sweep_bytes: in spans that were not swept yet when the next collection was due:
 *	none, if pacing works
 */
struct goheap_stats {
	size_t size;
	int on_device;
	int gc_percent;
	int64_t memory_limit;
	uint64_t alloc_bytes;
	uint64_t alloc_objects;
	uint64_t total_alloc_bytes;
	uint64_t mallocs;
	uint64_t frees;
	uint64_t heap_sys;
	uint64_t heap_inuse;
	uint64_t heap_retained;
	uint64_t heap_released;
	uint64_t metadata_bytes;
	uint64_t live_bytes;
	uint64_t peak_heap_inuse;
	uint64_t next_gc;
	uint64_t num_gc;
	uint64_t num_forced_gc;
	uint64_t num_periodic_gc;
	uint64_t pause_total_ns;
	uint64_t pause_max_ns;
	uint64_t last_gc_ns;
	uint64_t gc_cpu_ns;
	uint64_t threads;
	uint64_t heap_idle;
	uint64_t retain_goal;
	uint64_t hard_limit;
	uint64_t released_total;
	uint64_t released_request;
	uint64_t released_background;
	uint64_t released_growth;
	uint64_t released_limit;
	uint64_t released_pressure;
	uint64_t pressure_events;
	uint64_t num_pressure_gc;
	uint64_t headroom_bytes;
	uint64_t scavenge_cpu_ns;
	uint64_t sys;
	uint64_t mspan_inuse;
	uint64_t mspan_sys;
	uint64_t mcache_inuse;
	uint64_t mcache_sys;
	uint64_t profile_sys;
	uint64_t gc_sys;
	uint64_t other_sys;
	uint64_t tiny_objects;
	double gc_cpu_fraction;
	uint64_t pause_ns[GOHEAP_PAUSES];
	uint64_t pause_end_ns[GOHEAP_PAUSES];
	struct goheap_size_stats by_size[GOHEAP_SIZES];
	uint64_t finalizers;
	uint64_t finalizers_queued;
	uint64_t finalizers_run;
	uint64_t weak_handles;
	uint64_t weak_cleared;
	uint64_t late_sweep_bytes;
};

/* What goheap_read_histogram() tells. */
enum goheap_histogram {
	GOHEAP_HISTOGRAM_PAUSES = 0,	/* ns that the world stood, each stop of a collection */
	GOHEAP_HISTOGRAM_STOPPING = 1,	/* ns from asking for the stop until all stood */
	GOHEAP_HISTOGRAM_ALLOCS = 2,	/* usable bytes of objects ever allocated */
	GOHEAP_HISTOGRAM_FREES = 3,	/* usable bytes of objects ever freed */
};

/**
 * struct goheap_bucket - a bar of a histogram
 * @from: the least value in it
 * @below: one more than the largest; UINT64_MAX in the last of a time's histogram
 * @count: how many there were
 */
struct goheap_bucket {
	uint64_t from;
	uint64_t below;
	uint64_t count;
};

/**
 * goheap_init() - start the heap with given settings
 * @options: settings, or NULL for the environment's
 *
 * Never required: the first allocation or pthread_create() does it with the
 * environment's settings.
 *
 * Return: 0; -1 with EINVAL (a field out of range), EBUSY (the heap has been
 * started), ENODEV (the device is required and cannot be used), EOPNOTSUPP (an
 * older kernel module does not know a setting), ENOMEM.
 */
int goheap_init(const struct goheap_options *options);

/**
 * goheap_alloc() - allocate an object that may hold pointers
 * @size: bytes; 0 is served as 1
 *
 * Zeroed.  Aligned to 16 bytes, but to 8 where @size is at most 8, or 17 to 24
 * (no type of these sizes can ask for more).  When memory cannot be had, a
 * collection is run and the request tried again before it fails.
 *
 * Return: the object, or NULL with ENOMEM.
 */
void *goheap_alloc(size_t size) __attribute__((malloc, alloc_size(1)));

/**
 * goheap_alloc_noscan() - allocate an object that holds no pointers
 * @size: bytes; 0 is served as 1
 *
 * As goheap_alloc(), but the collector does not look inside.  Under 16 bytes
 * several objects share a block and are aligned to 8 from 8 bytes up, 4 from 4
 * up, 2 from 2 up.
 *
 * Return: the object, or NULL with ENOMEM.
 */
void *goheap_alloc_noscan(size_t size) __attribute__((malloc, alloc_size(1)));

/**
 * struct goheap_type - which words of an object are pointers
 * @size: bytes; a multiple of 8 if there are pointers in it
 * @pointers: a bit for each word of 8 bytes, from the lowest bit of the first
 *	element on; as many elements as @size needs; NULL if none is a pointer
 * @name: for whoever debugs the program; the library does not use it
 *
 * See GOHEAP_DEFINE_TYPE().  A pointer is what it is anywhere in the heap: the
 * address of any byte of an object.  A union of a pointer and something else,
 * and an integer that holds an address, must be said to be a pointer.
 */
struct goheap_type {
	size_t size;
	const uint64_t *pointers;
	const char *name;
};

/**
 * GOHEAP_DEFINE_TYPE() - define a static struct goheap_type
 * @id: what it is called
 * @ctype: the C type
 * @...: where its pointers are: GOHEAP_POINTER() or GOHEAP_POINTERS() of each, or-ed
 *
 *	struct node { struct node *left, *right; long value; };
 *	GOHEAP_DEFINE_TYPE(node_type, struct node,
 *			   GOHEAP_POINTER(struct node, left) |
 *			   GOHEAP_POINTER(struct node, right));
 *	struct node *n = goheap_alloc_typed(&node_type, 1);
 *
 * For members that lie 512 bytes or more from the beginning there is an expression
 * for each 512 bytes, with commas between; see GOHEAP_POINTER_IN().
 */
#define GOHEAP_DEFINE_TYPE(id, ctype, ...)					\
	static const uint64_t id##_pointers_[(sizeof(ctype) + 511) / 512] = { __VA_ARGS__ };	\
	static const struct goheap_type id = { sizeof(ctype), id##_pointers_, #ctype }

/* The bit of a member that is a pointer; it does not compile where it is not aligned. */
#define GOHEAP_POINTER(ctype, member) GOHEAP_POINTER_IN(0, ctype, member)

/* The bits of a member that is an array of at most 64 pointers, in the first 512 bytes. */
#define GOHEAP_POINTERS(ctype, member)						\
	(GOHEAP_POINTER(ctype, member) * 0 +					\
	 ((~UINT64_C(0) >> (64 - sizeof(((ctype *)0)->member) / 8)) << (offsetof(ctype, member) / 8)))

/* The bit of a member in the @n-th 512 bytes, counted from 0; 0 where it is elsewhere. */
#define GOHEAP_POINTER_IN(n, ctype, member)					\
	(offsetof(ctype, member) / 512 == (n) ?					\
	 UINT64_C(1) << (offsetof(ctype, member) / 8 % 64) /			\
		sizeof(char[offsetof(ctype, member) % 8 ? -1 : 1]) : UINT64_C(0))

/**
 * goheap_alloc_typed() - allocate an array of objects whose pointers are known
 * @type: where the pointers are in each; need not stay after the call
 * @count: how many; 0 is served as a single byte
 *
 * As goheap_alloc(@type->size * @count), but the collector looks at the words
 * alone that the type says are pointers.  Up to 32 KiB the object has 8 bytes more for
 * its type.
 *
 * Return: the first of them, or NULL with ENOMEM, or EINVAL: no type, or its size is 0,
 * over 2 MiB, not a multiple of 8 with pointers in it, or its pointers lie beyond
 * it; or the sizes overflow.
 */
void *goheap_alloc_typed(const struct goheap_type *type, size_t count) __attribute__((malloc));

/**
 * goheap_realloc() - resize an object
 * @p: start of an object, or NULL for a new one that may hold pointers
 * @size: bytes; 0 is served as 1
 *
 * The new object has the old one's kind, or type, the last element of an array
 * may be cut off in the middle; bytes beyond the old usable size are zero.  The old one stays as it was if the call fails.
 *
 * Return: the object, moved or not; NULL with ENOMEM, or EINVAL if @p is not
 * the start of an object of this heap.
 */
void *goheap_realloc(void *p, size_t size) __attribute__((alloc_size(2)));

/**
 * goheap_free() - say that an object is dead
 * @p: start of an object; NULL and foreign pointers are ignored
 *
 * Never required.  Objects of more than 32 KiB are returned at once, or when marking is
 * over; others are used again by the calling thread.  Noscan objects under 16 bytes wait
 * for the collector.  What is free already is ignored, as long as it has not been handed
 * out again.
 */
void goheap_free(void *p);

/**
 * goheap_usable_size() - bytes that may be used from the start of an object
 * @p: start of an object
 *
 * Return: bytes; 0 for NULL and for what is not the start of an object.
 */
size_t goheap_usable_size(const void *p);

/**
 * goheap_base() - the object that an address lies in
 * @p: any address
 *
 * Return: its start, or NULL if the address is in no object of this heap.
 */
void *goheap_base(const void *p);

/**
 * goheap_add_roots() - have a range of memory searched for pointers
 * @start: first byte
 * @end: one past the last byte
 *
 * For memory that the collector does not know: malloc()ed, mmap()ed, shared.
 * The range must stay readable until it is removed.
 *
 * Return: 0; -1 with EINVAL (end before start, NULL), EEXIST (the same range
 * is known), ENOMEM.
 */
int goheap_add_roots(void *start, void *end);

/**
 * goheap_remove_roots() - take back goheap_add_roots()
 * @start: as added
 * @end: as added
 *
 * Return: 0; -1 with ENOENT.
 */
int goheap_remove_roots(void *start, void *end);

/**
 * goheap_set_finalizer() - have a function called when an object is dead
 * @p: start of an object
 * @fn: called with @p and @arg, or NULL to take back what was set
 * @arg: kept alive, with all that it points to, until @fn has returned; if the
 *	object can be reached from it, @fn is never called
 *
 * When a collection finds that the program cannot reach the object, @fn is queued;
 * the object, and what it points to, is kept until @fn has returned, and freed
 * by a later collection if it cannot be reached then.  @fn is called once; it may
 * do anything, also put @p where the program finds it, and set a finalizer again.
 *
 * All finalizers run in one thread of the library's, one after another, with all
 * signals blocked.  An object goes before those that it points to.  Objects with
 * finalizers that can be reached from themselves are never freed.  There is no
 * promise that a finalizer runs at all, least of all when the program ends.
 *
 * goheap_free(), and goheap_realloc() when it moves the object, drop the finalizer.
 * A noscan object under 16 bytes is found dead when all that share its block are.
 *
 * Return: 0; -1 with EINVAL (@p is not the start of an object), EEXIST (it has a
 * finalizer), ENOMEM, EAGAIN (the thread cannot be started).
 */
int goheap_set_finalizer(void *p, void (*fn)(void *object, void *arg), void *arg);

/* A weak handle; an object of the heap, collected when nothing points to it. */
struct goheap_weak;

/**
 * goheap_weak_new() - a handle that does not keep the object alive
 * @p: start of an object
 *
 * The same object has the same handle as long as the program holds that.  It
 * need not be freed; goheap_free() may do so.
 *
 * Return: the handle; NULL with EINVAL (@p is not the start of an object), ENOMEM.
 */
struct goheap_weak *goheap_weak_new(void *p);

/**
 * goheap_weak_get() - the object of a weak handle
 * @weak: the handle, or NULL
 *
 * Handles are cleared before finalizers are called, and stay clear if a finalizer
 * keeps the object.
 *
 * Return: the object, or NULL if it is dead or has been freed.
 */
void *goheap_weak_get(struct goheap_weak *weak);

/**
 * goheap_collect() - run a full collection and sweep it
 */
void goheap_collect(void);

/**
 * goheap_free_os_memory() - collect, then give every free page back
 *
 * As debug.FreeOSMemory in Go.  Counts as a forced collection.
 */
void goheap_free_os_memory(void);

/**
 * goheap_set_gc_percent() - change GOHEAP_GOGC
 * @percent: growth over what was live, per cent; negative switches off
 *
 * Return: the previous setting.
 */
int goheap_set_gc_percent(int percent);

/**
 * goheap_set_memory_limit() - change GOHEAP_MEMLIMIT
 * @bytes: soft limit; INT64_MAX for none; negative only asks
 *
 * Return: the previous setting.
 */
int64_t goheap_set_memory_limit(int64_t bytes);

/**
 * goheap_read_stats() - the heap's figures
 * @stats: filled in up to the size that its first field says
 */
void goheap_read_stats(struct goheap_stats *stats);

/**
 * goheap_read_histogram() - how pauses, or the sizes of objects, are distributed
 * @which: of what
 * @buckets: filled in, as far as there is room; may be NULL with @n 0
 * @n: room for how many
 *
 * Buckets are in ascending order without gaps.  Those of times are a quarter of a
 * power of two wide; those of sizes are the size classes, and powers of two above
 * 32 KiB.  How many there are does not change while the program runs.
 *
 * Return: how many buckets there are; -1 with EINVAL, or ENOMEM if the heap cannot
 * be started.
 */
int goheap_read_histogram(enum goheap_histogram which, struct goheap_bucket *buckets, int n);

/**
 * goheap_write_heap_profile() - which call stacks allocated what, and what lives
 * @fd: where to
 *
 * In the format of pprof: `go tool pprof PROGRAM FILE` reads it.  What is in use is
 * shown as it was at the end of the last collection; call goheap_collect() before
 * to have it as it is.  As pprof.WriteHeapProfile() in Go.
 *
 * Return: 0; -1 with ENOMEM, or errno as write(2) set it.
 */
int goheap_write_heap_profile(int fd);

#ifdef __cplusplus
}
#endif

#endif /* GOHEAP_H */
