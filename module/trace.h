/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: events/goheap in tracefs, one for each thing that happens to an
 * arena.  Documentation/tracing.rst describes them to users.
 *
 * Every event begins with the arena's number, by which debugfs and the events of
 * its life belong together, and with the process whose heap it is.  That is not
 * always the one that runs: the scavenger's worker and memory reclaim run
 * elsewhere.  All amounts are in bytes.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM goheap

#if !defined(_GOHEAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _GOHEAP_TRACE_H

#include <linux/tracepoint.h>

#include "arena.h"

TRACE_DEFINE_ENUM(RELEASE_REQUEST);
TRACE_DEFINE_ENUM(RELEASE_BACKGROUND);
TRACE_DEFINE_ENUM(RELEASE_GROWTH);
TRACE_DEFINE_ENUM(RELEASE_LIMIT);
TRACE_DEFINE_ENUM(RELEASE_PRESSURE);
TRACE_DEFINE_ENUM(RELEASE_CLOSE);

#define show_release_reason(reason)			\
	__print_symbolic(reason,			\
		{ RELEASE_REQUEST,	"request" },	\
		{ RELEASE_BACKGROUND,	"background" },	\
		{ RELEASE_GROWTH,	"growth" },	\
		{ RELEASE_LIMIT,	"limit" },	\
		{ RELEASE_PRESSURE,	"pressure" },	\
		{ RELEASE_CLOSE,	"close" })

TRACE_DEFINE_ENUM(FAULT_SERVED);
TRACE_DEFINE_ENUM(FAULT_OUTSIDE);
TRACE_DEFINE_ENUM(FAULT_FAILED);

#define show_fault_result(result)			\
	__print_symbolic(result,			\
		{ FAULT_SERVED,		"served" },	\
		{ FAULT_OUTSIDE,	"outside" },	\
		{ FAULT_FAILED,		"failed" })

TRACE_DEFINE_ENUM(COPY_WRITE);
TRACE_DEFINE_ENUM(COPY_PINNED);

#define show_copy_reason(reason)			\
	__print_symbolic(reason,			\
		{ COPY_WRITE,		"write" },	\
		{ COPY_PINNED,		"pinned" })

#define show_span_flags(flags)				\
	__print_flags(flags, "|",			\
		{ GOHEAP_SPAN_NOSCAN,	"noscan" },	\
		{ GOHEAP_SPAN_NEEDZERO,	"needzero" })

/* A span was allocated; @flags: GOHEAP_SPAN_*, as in the reply. */
TRACE_EVENT(goheap_span_alloc,

	TP_PROTO(const struct arena *a, u64 addr, u64 bytes, u32 flags),

	TP_ARGS(a, addr, bytes, flags),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u64, addr)
		__field(u64, bytes)
		__field(u32, flags)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->addr = addr;
		__entry->bytes = bytes;
		__entry->flags = flags;
	),

	TP_printk("arena=%u pid=%d addr=0x%llx bytes=%llu flags=%s",
		  __entry->arena, __entry->pid, __entry->addr, __entry->bytes,
		  show_span_flags(__entry->flags))
);

/* A span is being freed. */
TRACE_EVENT(goheap_span_free,

	TP_PROTO(const struct arena *a, u64 addr, u64 bytes),

	TP_ARGS(a, addr, bytes),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u64, addr)
		__field(u64, bytes)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->addr = addr;
		__entry->bytes = bytes;
	),

	TP_printk("arena=%u pid=%d addr=0x%llx bytes=%llu",
		  __entry->arena, __entry->pid, __entry->addr, __entry->bytes)
);

/* The heap grew by @bytes of addresses, to @grown. */
TRACE_EVENT(goheap_grow,

	TP_PROTO(const struct arena *a, u64 bytes, u64 grown),

	TP_ARGS(a, bytes, grown),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u64, bytes)
		__field(u64, grown)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->bytes = bytes;
		__entry->grown = grown;
	),

	TP_printk("arena=%u pid=%d bytes=%llu grown=%llu",
		  __entry->arena, __entry->pid, __entry->bytes, __entry->grown)
);

/*
 * Free pages were given back to the system, or (@keep) only unmapped.  For
 * RELEASE_CLOSE the addresses are those of a whole chunk, used pages are among
 * them, and @bytes is what had memory.
 */
TRACE_EVENT(goheap_release,

	TP_PROTO(const struct arena *a, enum release_reason reason, u64 addr,
		 u64 bytes, bool keep),

	TP_ARGS(a, reason, addr, bytes, keep),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(unsigned int, reason)
		__field(u64, addr)
		__field(u64, bytes)
		__field(bool, keep)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->reason = reason;
		__entry->addr = addr;
		__entry->bytes = bytes;
		__entry->keep = keep;
	),

	TP_printk("arena=%u pid=%d reason=%s addr=0x%llx bytes=%llu keep=%d",
		  __entry->arena, __entry->pid, show_release_reason(__entry->reason),
		  __entry->addr, __entry->bytes, __entry->keep)
);

/*
 * A batch of @spans, @bytes long, had pages that lacked memory (@fresh bytes) or
 * were not mapped (@kept bytes).  @ret: 0 if they have and are now.
 */
TRACE_EVENT(goheap_map,

	TP_PROTO(const struct arena *a, u32 spans, u64 bytes, u64 fresh, u64 kept,
		 int ret),

	TP_ARGS(a, spans, bytes, fresh, kept, ret),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u32, spans)
		__field(u64, bytes)
		__field(u64, fresh)
		__field(u64, kept)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->spans = spans;
		__entry->bytes = bytes;
		__entry->fresh = fresh;
		__entry->kept = kept;
		__entry->ret = ret;
	),

	TP_printk("arena=%u pid=%d spans=%u bytes=%llu fresh=%llu kept=%llu ret=%d",
		  __entry->arena, __entry->pid, __entry->spans, __entry->bytes,
		  __entry->fresh, __entry->kept, __entry->ret)
);

/* A page fault at @addr.  FAULT_OUTSIDE: no span is there. */
TRACE_EVENT(goheap_fault,

	TP_PROTO(const struct arena *a, u64 addr, bool write,
		 enum fault_result result),

	TP_ARGS(a, addr, write, result),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u64, addr)
		__field(bool, write)
		__field(unsigned int, result)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->addr = addr;
		__entry->write = write;
		__entry->result = result;
	),

	TP_printk("arena=%u pid=%d addr=0x%llx write=%d result=%s",
		  __entry->arena, __entry->pid, __entry->addr, __entry->write,
		  show_fault_result(__entry->result))
);

/*
 * The page at @addr, which a relative by fork() has too, was copied for this
 * arena.  @ret: 0, or why that failed.
 */
TRACE_EVENT(goheap_copy,

	TP_PROTO(const struct arena *a, enum copy_reason reason, u64 addr,
		 u64 bytes, int ret),

	TP_ARGS(a, reason, addr, bytes, ret),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(unsigned int, reason)
		__field(u64, addr)
		__field(u64, bytes)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->reason = reason;
		__entry->addr = addr;
		__entry->bytes = bytes;
		__entry->ret = ret;
	),

	TP_printk("arena=%u pid=%d reason=%s addr=0x%llx bytes=%llu ret=%d",
		  __entry->arena, __entry->pid, show_copy_reason(__entry->reason),
		  __entry->addr, __entry->bytes, __entry->ret)
);

/* Memory is short: poll() says so.  @retained: what the arena has to give. */
TRACE_EVENT(goheap_pressure,

	TP_PROTO(const struct arena *a, u64 retained, u64 events),

	TP_ARGS(a, retained, events),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u64, retained)
		__field(u64, events)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->retained = retained;
		__entry->events = events;
	),

	TP_printk("arena=%u pid=%d retained=%llu events=%llu",
		  __entry->arena, __entry->pid, __entry->retained, __entry->events)
);

/* A thread of the process was short of memory, and waited for what poll() would bring. */
TRACE_EVENT(goheap_pressure_wait,

	TP_PROTO(const struct arena *a, unsigned int usecs, bool relieved),

	TP_ARGS(a, usecs, relieved),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(unsigned int, usecs)
		__field(bool, relieved)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->usecs = usecs;
		__entry->relieved = relieved;
	),

	TP_printk("arena=%u pid=%d usecs=%u relieved=%d",
		  __entry->arena, __entry->pid, __entry->usecs, __entry->relieved)
);

/* A window for dirty pages began (or began anew), or ended. */
TRACE_EVENT(goheap_track,

	TP_PROTO(const struct arena *a, bool on),

	TP_ARGS(a, on),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(bool, on)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->on = on;
	),

	TP_printk("arena=%u pid=%d on=%d", __entry->arena, __entry->pid,
		  __entry->on)
);

/* Dirty pages were asked for: @dirty bytes in a range of @bytes. */
TRACE_EVENT(goheap_collect,

	TP_PROTO(const struct arena *a, u64 addr, u64 bytes, u64 dirty),

	TP_ARGS(a, addr, bytes, dirty),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u64, addr)
		__field(u64, bytes)
		__field(u64, dirty)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->addr = addr;
		__entry->bytes = bytes;
		__entry->dirty = dirty;
	),

	TP_printk("arena=%u pid=%d addr=0x%llx bytes=%llu dirty=%llu",
		  __entry->arena, __entry->pid, __entry->addr, __entry->bytes,
		  __entry->dirty)
);

/*
 * The arena was copied for a forked child: the child's arena has number @child
 * (0 if there is none), has @shared bytes in common with this one, and got
 * copies of @copied bytes at once.  @ret: 0, or why the child has no heap.
 */
TRACE_EVENT(goheap_fork,

	TP_PROTO(const struct arena *a, u32 child, u64 shared, u64 copied, int ret),

	TP_ARGS(a, child, shared, copied, ret),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u32, child)
		__field(u64, shared)
		__field(u64, copied)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->child = child;
		__entry->shared = shared;
		__entry->copied = copied;
		__entry->ret = ret;
	),

	TP_printk("arena=%u pid=%d child=%u shared=%llu copied=%llu ret=%d",
		  __entry->arena, __entry->pid, __entry->child, __entry->shared,
		  __entry->copied, __entry->ret)
);

/*
 * A collection ended, with @inuse bytes in spans; the next is due at @heap_goal.
 * The scavenger aims for @retain_goal.  @interval: since the last one, ns.
 */
TRACE_EVENT(goheap_cycle,

	TP_PROTO(const struct arena *a, u64 heap_goal, u64 retain_goal, u64 inuse,
		 u64 interval),

	TP_ARGS(a, heap_goal, retain_goal, inuse, interval),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(u64, heap_goal)
		__field(u64, retain_goal)
		__field(u64, inuse)
		__field(u64, interval)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->heap_goal = heap_goal;
		__entry->retain_goal = retain_goal;
		__entry->inuse = inuse;
		__entry->interval = interval;
	),

	TP_printk("arena=%u pid=%d heap_goal=%llu retain_goal=%llu inuse=%llu interval=%llu",
		  __entry->arena, __entry->pid, __entry->heap_goal,
		  __entry->retain_goal, __entry->inuse, __entry->interval)
);

/*
 * The scavenger decided to release @want bytes, because @inuse and @retained
 * bytes together exceed @goal (that of @reason: the retention goal, the memory
 * limit; for pressure what was asked for).
 */
TRACE_EVENT(goheap_scavenge,

	TP_PROTO(const struct arena *a, enum release_reason reason, u64 inuse,
		 u64 retained, u64 goal, u64 want),

	TP_ARGS(a, reason, inuse, retained, goal, want),

	TP_STRUCT__entry(
		__field(u32, arena)
		__field(pid_t, pid)
		__field(unsigned int, reason)
		__field(u64, inuse)
		__field(u64, retained)
		__field(u64, goal)
		__field(u64, want)
	),

	TP_fast_assign(
		__entry->arena = a->id;
		__entry->pid = READ_ONCE(a->pid);
		__entry->reason = reason;
		__entry->inuse = inuse;
		__entry->retained = retained;
		__entry->goal = goal;
		__entry->want = want;
	),

	TP_printk("arena=%u pid=%d reason=%s inuse=%llu retained=%llu goal=%llu want=%llu",
		  __entry->arena, __entry->pid, show_release_reason(__entry->reason),
		  __entry->inuse, __entry->retained, __entry->goal, __entry->want)
);

#endif /* _GOHEAP_TRACE_H */

/* Found through the -I of Kbuild. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
