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
 * goheap_realloc() - resize an object
 * @p: start of an object, or NULL for a new one that may hold pointers
 * @size: bytes; 0 is served as 1
 *
 * The new object has the old one's kind; bytes beyond the old usable size are
 * zero.  The old one stays as it was if the call fails.
 *
 * Return: the object, moved or not; NULL with ENOMEM, or EINVAL if @p is not
 * the start of an object of this heap.
 */
void *goheap_realloc(void *p, size_t size) __attribute__((alloc_size(2)));

/**
 * goheap_free() - say that an object is dead
 * @p: start of an object; NULL and foreign pointers are ignored
 *
 * Never required.  Large objects are returned at once, small ones may wait for
 * the next collection.
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

#ifdef __cplusplus
}
#endif

#endif /* GOHEAP_H */
