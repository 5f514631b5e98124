// SPDX-License-Identifier: MIT
/*
 * Catches: a trace line that Go's tools could not read, that is missing, or
 * whose figures contradict each other.
 */
#include <regex.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "gc.h"
#include "tap.h"

/* Milliseconds as the Go runtime prints them: 0, 0.018, 1.3, 24. */
#define MS "[0-9]+(\\.[0-9]+)?"
#define LINE "^gc [0-9]+ @[0-9]+\\.[0-9]{3}s [0-9]+%: " \
	MS "\\+" MS "\\+" MS " ms clock, " \
	MS "\\+" MS "/" MS "/" MS "\\+" MS " ms cpu, " \
	"[0-9]+->[0-9]+->[0-9]+ MB, [0-9]+ MB goal, [0-9]+ MB stacks, [0-9]+ MB globals, " \
	"[0-9]+ P( \\(forced\\))?$"

static char text[1 << 20];

static void work(void)
{
	enum { KEEP = 2000 };
	static void *volatile keep[KEEP];

	for (int i = 0; i < 60000; i++)
		keep[i % KEEP] = goheap_alloc(2048);
	CHECK(keep[0]);
	for (int i = 0; i < 3; i++)
		goheap_collect();
	/* For the parent to compare. */
	fprintf(stderr, "num_gc %llu forced %llu\n", (unsigned long long)stats().num_gc,
		(unsigned long long)stats().num_forced_gc);
}

HELPER(by_environment)
{
	work();
}

HELPER(by_option)
{
	struct goheap_options o = { .size = sizeof(o), .gctrace = 1 };

	CHECK_CMP(goheap_init(&o), ==, 0);
	work();
}

/* Every line must be a trace line of the next number; the last says how many there are. */
static void read_trace(bool expect)
{
	unsigned long long num_gc = 0, forced = 0, n = 0, n_forced = 0;
	double last_at = 0;
	bool end = false;
	regex_t re;

	CHECK(!regcomp(&re, LINE, REG_EXTENDED | REG_NOSUB));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long long number, before, after, live, goal;
		double at;
		char *mb;

		if (sscanf(line, "num_gc %llu forced %llu", &num_gc, &forced) == 2) {
			end = true;
			continue;
		}
		if (strncmp(line, "gc ", 3)) {
			/* A sanitizer's own lines do not begin so. */
			CHECK(SANITIZED);
			continue;
		}
		if (regexec(&re, line, 0, NULL, 0))
			tap_fail(__FILE__, __LINE__, "not Go's format: %s", line);
		CHECK_CMP(sscanf(line, "gc %llu @%lfs", &number, &at), ==, 2);
		mb = strstr(line, " ms cpu, ") + 9;
		CHECK_CMP(sscanf(mb, "%llu->%llu->%llu MB, %llu MB goal", &before, &after, &live,
				 &goal), ==, 4);
		CHECK_CMP(number, ==, ++n);
		CHECK(at >= last_at);
		last_at = at;
		CHECK_CMP(live, <=, after);
		/* 4 MB are live, the goal is the double; a forced one may come at any size. */
		CHECK_CMP(live, <=, 6);
		CHECK_CMP(goal, >=, 4);
		CHECK_CMP(goal, <=, 12);
		if (strstr(line, "(forced)"))
			n_forced++;
		else
			CHECK_CMP(before, <=, goal + 2);
	}
	regfree(&re);
	CHECK(end);
	CHECK_CMP(num_gc, >=, 10);
	CHECK_CMP(forced, ==, 3);
	CHECK_CMP(n, ==, expect ? num_gc : 0);
	CHECK_CMP(n_forced, ==, expect ? forced : 0);
}

static void trace(const char *helper, const char *env, bool expect)
{
	const char *const e[] = { env, NULL };
	int status = tap_run_helper(helper, e, text, sizeof(text));

	if (!WIFEXITED(status) || WEXITSTATUS(status))
		tap_fail(__FILE__, __LINE__, "status %#x: %.300s", status, text);
	read_trace(expect);
}

CASE(environment, "GOHEAP_DEBUG=gctrace=1: a line in Go's format for each collection")
{
	trace("by_environment", "GOHEAP_DEBUG=gctrace=1", true);
}

CASE(option, "the gctrace option: the same")
{
	trace("by_option", NULL, true);
}

CASE(among_others, "GOHEAP_DEBUG may name more than one")
{
	trace("by_environment", "GOHEAP_DEBUG=gcperiodms=600000,gctrace=1", true);
}

CASE(quiet, "no line without it, nor with gctrace=0")
{
	trace("by_environment", NULL, false);
	trace("by_environment", "GOHEAP_DEBUG=gctrace=0", false);
	trace("by_environment", "GOHEAP_DEBUG=", false);
}

/* A list of many nodes, and then nothing but three collections of it. */
enum { NODES = 20000 };

HELPER(list)
{
	static struct node { struct node *next; } *volatile first;

	for (int i = 0; i < NODES; i++) {
		struct node *n = goheap_alloc(sizeof(*n));

		n->next = first;
		first = n;
	}
	for (int i = 0; i < 3; i++)
		goheap_collect();
}

#define WORK "%llu KiB, %llu objects in %llu spans, %llu alone; "

CASE(work, "gcwork=1: who has marked how much, in each collection")
{
	const char *const env[] = { "GOHEAP_DEBUG=gcwork=1", "GOHEAP_GOGC=off", NULL };
	int status = tap_run_helper("list", env, text, sizeof(text));
	unsigned long long n = 0;

	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long long number, kib[3], objects[3], spans[3], alone[3], roots, all = 0;
		unsigned int rounds;
		long long pages;

		if (strncmp(line, "gcwork ", 7)) {
			CHECK(SANITIZED);
			continue;
		}
		if (sscanf(line, "gcwork %llu: collector " WORK "workers " WORK "assists " WORK
			   "roots %llu KiB, rounds %u, pages at the stop %lld", &number,
			   &kib[0], &objects[0], &spans[0], &alone[0],
			   &kib[1], &objects[1], &spans[1], &alone[1],
			   &kib[2], &objects[2], &spans[2], &alone[2],
			   &roots, &rounds, &pages) != 16)
			tap_fail(__FILE__, __LINE__, "no line of gcwork: %s", line);
		CHECK_CMP(number, ==, ++n);
		for (int i = 0; i < 3; i++) {
			CHECK_CMP(alone[i], <=, objects[i]);
			CHECK(!objects[i] || spans[i]);
			all += objects[i];
		}
		/* Those on a page that was written to, or that was new, are looked at again. */
		CHECK_CMP(all, >=, NODES);
		CHECK_CMP(all, <=, 4 * NODES);
		CHECK_CMP(roots, >, 0);
	}
	CHECK_CMP(n, ==, 3);
}
