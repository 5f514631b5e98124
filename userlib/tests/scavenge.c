// SPDX-License-Identifier: MIT
/*
 * Catches: free pages that are kept above the retention goal or given back below
 * it, for a reason that was not there, or from the wrong end; a setting of the
 * scavenger or of placement that changes nothing; a trace line that Go's tools
 * could not read, or that does not add up.
 */
#include <regex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../src/backend.h"
#include "gc.h"
#include "tap.h"

#define OBJECT	(64 * KIB)
#define GIB		(1024 * MIB)

enum { MOST = 2048 };

static void *held[MOST];
static unsigned int first, n_objects, step;

/* What touches the objects' addresses does so in threads that end: see gc.h. */
static void do_hold(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < n_objects; i++) {
		held[i] = goheap_alloc_noscan(OBJECT);
		CHECK(held[i]);
		memset(held[i], 0x5a, OBJECT);
	}
}

static void hold(size_t bytes)
{
	n_objects = bytes / OBJECT;
	CHECK_CMP(n_objects, <=, MOST);
	in_thread(do_hold, NULL);
}

static void do_drop(void *unused)
{
	(void)unused;
	for (unsigned int i = first; i < n_objects; i += step)
		held[i] = NULL;
}

static void drop(unsigned int from, unsigned int every)
{
	first = from;
	step = every;
	in_thread(do_drop, NULL);
}

static uint64_t held_bytes(const struct goheap_stats *s)
{
	return s->heap_inuse + s->heap_retained;
}

static uint64_t rss(void)
{
	char line[256];
	uint64_t kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %llu", (unsigned long long *)&kib) == 1)
			break;
	fclose(f);
	return kib * KIB;
}

static void needs_scavenger(void)
{
	CHECK(goheap_alloc(16));
	goheap_collect();
	goheap_collect();
	if (stats().retain_goal == UINT64_MAX)
		tap_skip("this kernel module has no scavenger");
}

CASE(goal, "the retention goal: none at first, then 1.1 times what is in use, and as the heap goal moves",
     "GOHEAP_GOGC=2000")
{
	struct goheap_stats s, before;

	CHECK(goheap_alloc(16));
	CHECK_CMP(stats().retain_goal, ==, UINT64_MAX);
	hold(32 * MIB);
	goheap_collect();
	CHECK_CMP(stats().retain_goal, ==, UINT64_MAX);
	needs_scavenger();
	s = stats();
	CHECK_CMP(s.retain_goal, >=, s.heap_inuse + s.heap_inuse / 10);
	CHECK_CMP(s.retain_goal, <=, s.heap_inuse + s.heap_inuse / 10 + 2 * MIB);

	before = s;
	drop(0, 2);
	goheap_collect();
	s = stats();
	CHECK_CMP(s.next_gc, <, before.next_gc / 10 * 6);
	/* Half of it, as the heap goal is half. */
	CHECK_CMP(s.retain_goal, >=, before.retain_goal / 2);
	CHECK_CMP(s.retain_goal, <=, before.retain_goal / 2 + 2 * MIB);
}

static uint64_t goal_with(const char *env)
{
	const char *const e[] = { env, NULL };
	unsigned long long goal = 0, inuse = 0;
	char text[4096];
	int status = tap_run_helper("show_goal", e, text, sizeof(text));
	const char *at = strstr(text, "goal ");

	if (!WIFEXITED(status) || WEXITSTATUS(status) || !at)
		tap_fail(__FILE__, __LINE__, "%s: status %#x: %.300s", env, status, text);
	CHECK_CMP(sscanf(at, "goal %llu inuse %llu", &goal, &inuse), ==, 2);
	return goal * 100 / inuse;
}

HELPER(show_goal)
{
	struct goheap_stats s;

	hold(16 * MIB);
	goheap_collect();
	goheap_collect();
	s = stats();
	fprintf(stderr, "goal %llu inuse %llu\n", (unsigned long long)s.retain_goal,
		(unsigned long long)s.heap_inuse);
}

CASE(percent, "GOHEAP_RETAIN is the constant in it")
{
	needs_scavenger();
	CHECK_CMP(goal_with("GOHEAP_RETAIN=100"), <=, 105);
	CHECK_CMP(goal_with("GOHEAP_RETAIN=150"), >=, 149);
	CHECK_CMP(goal_with("GOHEAP_RETAIN=150"), <=, 155);
	CHECK_CMP(goal_with("GOHEAP_RETAIN=1000"), >=, 995);
}

CASE(background, "after a spike the background gives back what exceeds the goal")
{
	const char *seconds_allowed = getenv("GOHEAP_TEST_SECONDS");
	/* A slow machine's 1 % is little. */
	double patience = seconds_allowed ? atof(seconds_allowed) * 2 / 3 : 40;
	struct goheap_stats s;
	uint64_t top, most;
	double start;

	needs_scavenger();
	hold(96 * MIB);
	goheap_collect();
	top = rss();
	drop(0, 1);
	start = seconds();
	goheap_collect();
	do {
		sleep_ms(20);
		s = stats();
		most = s.retain_goal > s.heap_inuse ? s.retain_goal : s.heap_inuse;
	} while (held_bytes(&s) > most + most / 10 + MIB && seconds() < start + patience);
	CHECK_CMP(held_bytes(&s), <=, most + most / 10 + MIB);
	CHECK_CMP(s.released_background, >=, 64 * MIB);
	CHECK_CMP(s.released_request, ==, 0);
	CHECK_CMP(rss(), <=, top - 64 * MIB);
	CHECK_CMP(s.heap_sys, ==, s.heap_inuse + s.heap_retained + s.heap_released +
				  s.headroom_bytes);
}

/* The backend alone, asked for a step again and again. */
CASE(share, "it takes 1 % of a processor, and what it has not taken before, of 10 s")
{
	static struct backend b;
	struct goheap_span spans[64];
	uint64_t begun, paid;

	CHECK(!backend_open_process(&b, GIB));
	for (int i = 0; i < 64; i++)
		spans[i] = (struct goheap_span){ .npages = MIB / PAGE_BYTES };
	CHECK(!b.ops->alloc(&b, spans, 64));
	for (int i = 0; i < 64; i++)
		memset((void *)spans[i].addr, 0x5a, MIB);
	b.ops->cycle(&b, 1024 * MIB);
	b.ops->free(&b, spans, 64);
	b.ops->cycle(&b, MIB);

	begun = now_ns(CLOCK_MONOTONIC);
	b.scav.paid_until = begun;
	/* All of it takes some 5 ms, which is half a second's share. */
	while (now_ns(CLOCK_MONOTONIC) < begun + 100000000)
		b.ops->scavenge(&b);
	paid = b.scav.released[RELEASE_BACKGROUND];
	CHECK_CMP(paid, >, 0);
	CHECK_CMP(paid, <, 60 * MIB);
	CHECK_CMP(b.scav.paid_until, >, begun);
	printf("# %llu KiB in %.0f ms\n", (unsigned long long)(paid / KIB),
	       (now_ns(CLOCK_MONOTONIC) - begun) / 1e6);

	/* After an hour of rest. */
	begun = now_ns(CLOCK_MONOTONIC);
	b.scav.paid_until = 0;
	b.ops->scavenge(&b);
	CHECK_CMP(b.scav.paid_until, >=, begun - 10000000000);
	while (b.scav.released[RELEASE_BACKGROUND] < 60 * MIB &&
	       now_ns(CLOCK_MONOTONIC) < begun + 5000000000)
		b.ops->scavenge(&b);
	/* 100 ms are enough for the rest of it, or for a good part in a debug kernel's emulation. */
	CHECK_CMP(b.scav.released[RELEASE_BACKGROUND], >=, paid + (60 * MIB - paid) / (getenv("GOHEAP_VM") ? 4 : 1));
}

static size_t spike_bytes;

static void do_spike(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < spike_bytes / MIB; i++) {
		held[MOST / 2 + i] = goheap_alloc_noscan(MIB);
		CHECK(held[MOST / 2 + i]);
		memset(held[MOST / 2 + i], 0x5a, MIB);
	}
}

/* What it costs here and now to give @bytes back, in ns. */
static double release_cost(size_t bytes)
{
	size_t piece = bytes / 16;
	struct timespec from, to;
	char *p = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memset(p, 1, piece);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (size_t i = 0; i < piece; i += 512 * KIB)
		madvise(p + i, 512 * KIB, MADV_DONTNEED);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	munmap(p, piece);
	return 16 * ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec));
}

/*
 * The tables of the spans that there were stay, and are not the scavenger's.  It may take 1 %
 * of a processor, so the program must give it time: twice what it needs.
 */
CASE(spike, "a spike of 512 MiB has gone from RSS by the next collection but for a tenth")
{
	uint64_t base = rss(), now = 0, metadata = 0, goal = 0, gone;
	struct goheap_stats s;
	unsigned int pause;
	double time;

	needs_scavenger();
	if (TSAN)
		tap_skip("a hundredth of a processor does not get through TSan's madvise() in time");
	spike_bytes = fewer(512) * MIB;
	if (spike_bytes < 48 * MIB)
		spike_bytes = 48 * MIB;
	time = 2 * 100 * release_cost(spike_bytes) / 1e6;
	/* 24 MiB in so many pieces until the next collection. */
	pause = 1 + time / (24 * MIB / OBJECT);
	hold(32 * MIB);
	goheap_collect();
	in_thread(do_spike, NULL);
	CHECK_CMP(rss() - base, >=, spike_bytes);
	memset(held + MOST / 2, 0, MOST / 2 * sizeof(*held));
	/* This one finds it gone. */
	goheap_collect();
	gone = stats().num_gc;
	CHECK_CMP(stats().next_gc, <, 80 * MIB);
	for (;;) {
		s = stats();
		if (s.num_gc > gone)
			break;
		now = rss();
		metadata = s.metadata_bytes;
		/* What is in use cannot go. */
		goal = s.retain_goal > s.heap_inuse ? s.retain_goal : s.heap_inuse;
		CHECK(goheap_alloc_noscan(OBJECT));
		sleep_ms(pause);
	}
	printf("# %.1f s of time given; RSS %.1f MiB, tables %.1f MiB, goal %.1f MiB\n",
	       time / 1e3, (double)(now - base) / MIB, (double)metadata / MIB, (double)goal / MIB);
	CHECK_CMP(now - base - metadata, <=, goal + goal / 10 + 2 * MIB);
}

/* Garbage of @bytes. */
static void waste(size_t bytes)
{
	for (size_t done = 0; done < bytes; done += OBJECT)
		CHECK(goheap_alloc_noscan(OBJECT));
}

CASE(steady, "a heap that stays as it is keeps its free pages")
{
	struct goheap_stats before, s;

	needs_scavenger();
	hold(24 * MIB);
	waste(200 * MIB);
	sleep_ms(300);
	before = stats();
	waste(400 * MIB);
	sleep_ms(300);
	s = stats();
	CHECK_CMP(s.num_gc, >=, before.num_gc + 5);
	CHECK_CMP(s.released_total - before.released_total, <=, 16 * MIB);
}

/*
 * A heap of holes, half of it free, as much above its goal, and far from its next
 * collection, so that the background has all the time in the world.
 */
static void make_holes(void)
{
	needs_scavenger();
	hold(64 * MIB);
	goheap_collect();
	goheap_collect();
	sleep_ms(3000);
	drop(1, 2);
	goheap_collect();
}

static void keep_large(void *unused)
{
	(void)unused;
	for (int i = 0; i < 8; i++) {
		held[MOST - 1 - i] = goheap_alloc_noscan(2 * MIB);
		CHECK(held[MOST - 1 - i]);
	}
}

CASE(growth, "a heap that grows above the goal first gives back as much")
{
	struct goheap_stats before, s;

	make_holes();
	before = stats();
	/* They fit none of the holes. */
	in_thread(keep_large, NULL);
	s = stats();
	CHECK_CMP(s.heap_inuse, >=, before.heap_inuse + 16 * MIB);
	CHECK_CMP(held_bytes(&s), <=, held_bytes(&before) + 2 * MIB);
	CHECK_CMP(s.released_growth - before.released_growth, >=, 8 * MIB);
	CHECK_CMP(s.released_limit, ==, 0);
}

CASE(limit, "under a memory limit what is free goes as the heap grows, and no more",
     "GOHEAP_MEMLIMIT=90MiB", "GOHEAP_RETAIN=1000")
{
	struct goheap_stats before, s;
	uint64_t total;

	make_holes();
	before = stats();
	CHECK_CMP(before.released_limit, ==, 0);
	for (int i = 0; i < 8; i++) {
		held[MOST - 1 - i] = goheap_alloc_noscan(4 * MIB);
		CHECK(held[MOST - 1 - i]);
		s = stats();
		total = held_bytes(&s) + s.metadata_bytes + s.headroom_bytes;
		CHECK_CMP(total, <=, 90 * MIB + MIB);
	}
	CHECK_CMP(s.released_limit, >=, 2 * MIB);
	CHECK_CMP(s.released_limit, <=, 24 * MIB);
	CHECK_CMP(s.released_growth, ==, 0);
}

/* The system's pages in an object that have memory. */
static size_t resident(uintptr_t hidden)
{
	unsigned char there[OBJECT / 4096];
	size_t n = 0;

	CHECK(!mincore(reveal(hidden), OBJECT, there));
	for (size_t i = 0; i < sizeof(there); i++)
		n += there[i] & 1;
	return n;
}

static uintptr_t hidden[MOST];

static void do_hide(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < n_objects; i++)
		hidden[i] = hide(held[i]);
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = ~*(const uintptr_t *)a, y = ~*(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

CASE(highest_first, "what has the highest addresses goes first", "GOHEAP_RETAIN=1000")
{
	bool gone = false;
	size_t n_gone = 0;

	needs_scavenger();
	hold(64 * MIB);
	in_thread(do_hide, NULL);
	qsort(hidden, n_objects, sizeof(*hidden), by_address);
	goheap_collect();
	goheap_collect();
	drop(0, 1);
	sleep_ms(2000);
	goheap_collect();
	/* Half of it has to go, at once. */
	goheap_set_memory_limit(32 * MIB);
	for (unsigned int i = 0; i < n_objects; i++) {
		size_t n = resident(hidden[i]);

		if (n < OBJECT / 4096)
			n_gone++;
		if (gone)
			CHECK_CMP(n, ==, 0);
		else
			gone = n < OBJECT / 4096;
	}
	CHECK_CMP(n_gone * OBJECT, >=, 24 * MIB);
	CHECK_CMP(n_gone * OBJECT, <=, 48 * MIB);
	CHECK_CMP(stats().released_limit, >=, 24 * MIB);
}

/* Where an object goes that fits a large hole, and, higher up, a smaller one. */
static bool goes_into_smaller(void)
{
	char *large, *small, *p;

	CHECK(goheap_alloc_noscan(MIB));
	large = goheap_alloc_noscan(2 * MIB);
	CHECK(goheap_alloc_noscan(MIB));
	small = goheap_alloc_noscan(MIB);
	CHECK(goheap_alloc_noscan(MIB));
	CHECK(large && small && large < small);
	goheap_free(large);
	goheap_free(small);
	p = goheap_alloc_noscan(MIB);
	CHECK(p == large || p == small);
	return p == small;
}

CASE(policy_default, "first fit is the default", "GOHEAP_GOGC=off")
{
	CHECK(!goes_into_smaller());
}

CASE(policy_first, "GOHEAP_POLICY=first-fit: the lowest address", "GOHEAP_GOGC=off",
     "GOHEAP_POLICY=first-fit")
{
	CHECK(!goes_into_smaller());
}

CASE(policy_best, "GOHEAP_POLICY=best-fit: the smallest hole", "GOHEAP_GOGC=off",
     "GOHEAP_POLICY=best-fit")
{
	CHECK(goes_into_smaller());
}

CASE(policy_option, "the policy option goes before the environment", "GOHEAP_POLICY=first-fit")
{
	struct goheap_options o = {
		.size = sizeof(o), .policy = GOHEAP_BEST_FIT, .gc_percent = -1,
	};

	CHECK_CMP(goheap_init(&o), ==, 0);
	CHECK(goes_into_smaller());
}

static char text[1 << 20];

HELPER(traced)
{
	struct goheap_stats s;

	needs_scavenger();
	hold(48 * MIB);
	goheap_collect();
	drop(0, 1);
	goheap_collect();
	for (int i = 0; i < 400 && stats().released_background < 16 * MIB; i++)
		sleep_ms(100);
	goheap_free_os_memory();
	/* The thread of the library's own looks every 0.1 s. */
	sleep_ms(500);
	s = stats();
	fprintf(stderr, "num_gc %llu background %llu request %llu released %llu\n",
		(unsigned long long)s.num_gc, (unsigned long long)s.released_background >> 10,
		(unsigned long long)s.released_request >> 10,
		(unsigned long long)s.heap_released >> 10);
}

CASE(trace, "scavtrace=1: a line in Go's format for each collection and each release, and they add up")
{
	static const char *const env[] = { "GOHEAP_DEBUG=scavtrace=1", NULL };
	unsigned long long bg = 0, eager = 0, now = 0, cycles = 0, forced = 0, idle = 0, util;
	unsigned long long num_gc = 0, background = 0, request = 0, released = 0;
	bool end = false;
	regex_t re;
	int status;

	needs_scavenger();
	status = tap_run_helper("traced", env, text, sizeof(text));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		tap_fail(__FILE__, __LINE__, "status %#x: %.300s", status, text);
	CHECK(!regcomp(&re, "^scav [0-9]+ KiB work \\(bg\\), [0-9]+ KiB work \\(eager\\), "
		       "[0-9]+ KiB now, [0-9]+% util"
		       "( \\((forced|background|growth|limit|pressure)\\)| \\[goal [0-9]+ KiB\\]"
		       "| \\[no goal yet\\])$", REG_EXTENDED | REG_NOSUB));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long long b, e;

		if (sscanf(line, "num_gc %llu background %llu request %llu released %llu",
			   &num_gc, &background, &request, &released) == 4) {
			end = true;
			continue;
		}
		if (regexec(&re, line, 0, NULL, 0))
			tap_fail(__FILE__, __LINE__, "no such line in Go: %s", line);
		CHECK_CMP(sscanf(line, "scav %llu KiB work (bg), %llu KiB work (eager), %llu KiB now, %llu",
				 &b, &e, &now, &util), ==, 4);
		CHECK_CMP(util, <=, 100);
		bg += b;
		eager += e;
		cycles += strchr(line, '[') != NULL;
		forced += strstr(line, "(forced)") != NULL;
		idle += strstr(line, "(forced)") && !e;
	}
	CHECK(end);
	CHECK_CMP(cycles, ==, num_gc);
	/* More if it takes long, since there is a look every tenth of a second; their sum counts. */
	CHECK_CMP(forced, >=, 1);
	CHECK_CMP(idle, <=, 1);
	CHECK_CMP(bg, ==, background);
	CHECK_CMP(bg, >=, 16 * KIB);
	CHECK_CMP(eager, ==, request);
	CHECK_CMP(now, ==, released);
}

CASE(quiet, "no line without it")
{
	static const char *const env[] = { "GOHEAP_DEBUG=scavtrace=0", NULL };
	int status;

	needs_scavenger();
	status = tap_run_helper("traced", env, text, sizeof(text));
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	CHECK(!strstr(text, "scav"));
}

CASE(option, "the scavtrace option is the same as the environment's")
{
	struct goheap_options o = { .size = sizeof(o), .scavtrace = 1, .retain_percent = 200 };
	struct goheap_stats s;

	CHECK_CMP(goheap_init(&o), ==, 0);
	needs_scavenger();
	hold(16 * MIB);
	goheap_collect();
	goheap_collect();
	s = stats();
	CHECK_CMP(s.retain_goal, >=, 2 * s.heap_inuse);
	CHECK_CMP(s.retain_goal, <=, 2 * s.heap_inuse + 4 * MIB);
}
