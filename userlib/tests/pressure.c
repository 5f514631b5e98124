// SPDX-License-Identifier: MIT
/*
 * Catches: a heap that keeps its garbage while the kernel is short of memory, that
 * does nothing but collect because it stays short, a background thread that runs
 * when there is nothing to do, takes the program's signals, or keeps a process
 * alive whose threads have ended.
 */
#include <signal.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "gc.h"
#include "tap.h"

static void needs_device(void)
{
	CHECK(goheap_alloc(16));
	if (!stats().on_device)
		tap_skip("the heap is in the process: nobody asks it for memory");
	goheap_collect();
	goheap_collect();
	if (stats().retain_goal == UINT64_MAX)
		tap_skip("this kernel module has no scavenger");
}

enum { LIVE = 500 };

static struct canary *live[LIVE];

static void make_live(void)
{
	for (int i = 0; i < LIVE; i++)
		live[i] = canary_new(i);
}

static void check_live(void)
{
	for (int i = 0; i < LIVE; i++)
		CHECK(canary_ok(live[i], i));
}

static void make_garbage(void *bytes)
{
	for (size_t done = 0; done < *(size_t *)bytes; done += 64 * KIB)
		CHECK(goheap_alloc_noscan(64 * KIB));
}

static void garbage(size_t bytes)
{
	in_thread(make_garbage, &bytes);
}

static void collects_on_demand(void)
{
	struct goheap_stats before, s;

	before = stats();
	garbage(40 * MIB);
	/* Until the background has heard of it, and the kernel has taken what it freed. */
	for (int i = 0; i < 200; i++) {
		cg_reclaim(32 * MIB);
		s = stats();
		if (s.released_total - before.released_total >= 24 * MIB &&
		    s.num_pressure_gc > before.num_pressure_gc &&
		    s.released_pressure > before.released_pressure)
			break;
		sleep_ms(50);
	}
	CHECK_CMP(s.num_pressure_gc, >, before.num_pressure_gc);
	CHECK_CMP(s.num_forced_gc, ==, before.num_forced_gc);
	CHECK_CMP(s.pressure_events, >, before.pressure_events);
	/* The background may have been there first. */
	CHECK_CMP(s.released_total - before.released_total, >=, 24 * MIB);
	CHECK_CMP(s.released_pressure, >, before.released_pressure);
	CHECK_CMP(s.heap_inuse + s.heap_retained, <=, 24 * MIB);
	check_live();
}

CASE(collects, "when the cgroup is short, garbage is collected and given back, before it is due",
     "GOHEAP_GOGC=5000")
{
	cg_join(0);
	needs_device();
	make_live();
	collects_on_demand();
	collects_on_demand();
	cg_leave();
}

CASE(collects_off, "also with collection switched off, and before the first one",
     "GOHEAP_GOGC=off")
{
	struct goheap_stats s;

	cg_join(0);
	CHECK(goheap_alloc(16));
	if (!stats().on_device)
		tap_skip("the heap is in the process: nobody asks it for memory");
	make_live();
	garbage(40 * MIB);
	CHECK_CMP(stats().num_gc, ==, 0);
	for (int i = 0; i < 100; i++) {
		cg_reclaim(32 * MIB);
		s = stats();
		if (s.num_pressure_gc || (!s.pressure_events && i > 40))
			break;
		sleep_ms(50);
	}
	if (!s.pressure_events)
		tap_skip("this kernel module does not speak of pressure");
	CHECK_CMP(s.num_pressure_gc, >=, 1);
	check_live();
	cg_leave();
}

CASE(child, "a forked child answers for itself", "GOHEAP_GOGC=5000")
{
	int status;
	pid_t pid;

	if (TSAN)
		tap_skip("TSan does not follow a forked child that makes threads");
	cg_join(0);
	needs_device();
	make_live();
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		if (!goheap_alloc(100000))
			_exit(99);
		check_live();
		collects_on_demand();
		_exit(0);
	}
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
		tap_skip("this kernel module leaves a child without a heap");
	CHECK_CMP(status, ==, 0);
	check_live();
	cg_leave();
}

CASE(storm, "a system that stays short, and nothing to be found: few collections",
     "GOHEAP_GOGC=5000")
{
	struct goheap_stats before, s;
	double end;

	cg_join(0);
	needs_device();
	make_live();
	before = stats();
	end = seconds() + 4;
	while (seconds() < end) {
		cg_reclaim(64 * MIB);
		sleep_ms(5);
	}
	s = stats();
	CHECK_CMP(s.pressure_events, >, before.pressure_events);
	CHECK_CMP(s.num_pressure_gc - before.num_pressure_gc, <=, 10);
	check_live();
	cg_leave();
}

CASE(idle, "the background thread sleeps while there is nothing to do")
{
	char before[64], after[64];
	int tries = 0;

	CHECK(goheap_alloc(16));
	CHECK(!background_line("voluntary_ctxt_switches:", before, sizeof(before)));
	goheap_collect();
	do {
		sleep_ms(500);
		CHECK(background_line("voluntary_ctxt_switches:", before, sizeof(before)));
		sleep_ms(1500);
		CHECK(background_line("voluntary_ctxt_switches:", after, sizeof(after)));
	} while (strcmp(before, after) && ++tries < 3);
	CHECK(!strcmp(before, after));
}

CASE(signals, "it takes none of the program's signals")
{
	unsigned long long blocked, wanted = 0;
	char line[64];

	goheap_collect();
	/* It takes a moment until it has its name. */
	for (int i = 0; i < 500 && !background_line("SigBlk:", line, sizeof(line)); i++)
		sleep_ms(10);
	blocked = strtoull(line, NULL, 16);
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGPWR && sig != SIGKILL && sig != SIGSTOP)
			wanted |= 1ull << (sig - 1);
	CHECK_CMP(blocked & wanted, ==, wanted);
}

static void *end_later(void *arg)
{
	(void)arg;
	sleep_ms(300);
	CHECK(goheap_alloc(100));
	return NULL;
}

HELPER(threads_end)
{
	pthread_t thread;

	goheap_collect();
	CHECK(!pthread_create(&thread, NULL, end_later, NULL));
	pthread_detach(thread);
	pthread_exit(NULL);
}

HELPER(main_ends_last)
{
	goheap_collect();
	pthread_exit(NULL);
}

CASE(ends, "a process ends when the program's last thread does")
{
	static const char *const none[] = { NULL };
	static char text[4096];
	double start = seconds();

	if (TSAN)
		tap_skip("TSan has a thread of its own");
	CHECK_CMP(tap_run_helper("threads_end", none, text, sizeof(text)), ==, 0);
	CHECK_CMP(tap_run_helper("main_ends_last", none, text, sizeof(text)), ==, 0);
	CHECK_CMP(seconds() - start, <, 40);
}
