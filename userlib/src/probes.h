/* SPDX-License-Identifier: MIT */
/*
 * Probes for tracers (USDT: bpftrace, perf, SystemTap, gdb) where a collection goes
 * from one phase to the next.  Each is an instruction that does nothing, and a note
 * in the file that says where it is and where its arguments are.  Where sys/sdt.h
 * was missing when this was compiled, there are none.
 *
 * All have the same arguments, each 64 bits: the number of the collection, from 1;
 * why it is run (enum gc_reason: 0 the heap has reached its goal, 1 the program asked
 * for it, 2 two minutes have passed, 3 memory cannot be had, 4 the kernel wants
 * memory); and bytes.
 *
 *	gc_start	a collection begins; bytes allocated and not known to be garbage
 *	gc_stop		all threads stand; the same
 *	gc_resume	they are about to go on; the same, without what is garbage after
 *			the last stop of a collection
 *	gc_end		it is over, but for the sweeping; bytes found live
 *
 * gc_stop and gc_resume come once for each stop.
 */
#ifndef GOHEAP_PROBES_H
#define GOHEAP_PROBES_H

#include <stdint.h>

#if defined(__has_include) && __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE_GC(name, cycle, reason, bytes)				\
	DTRACE_PROBE3(goheap, name, (uint64_t)(cycle), (uint64_t)(reason), (uint64_t)(bytes))
#else
#define PROBE_GC(name, cycle, reason, bytes)				\
	do {								\
		(void)(cycle);						\
		(void)(reason);						\
		(void)(bytes);						\
	} while (0)
#endif

#endif /* GOHEAP_PROBES_H */
