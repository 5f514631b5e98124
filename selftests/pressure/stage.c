// SPDX-License-Identifier: GPL-2.0
/*
 * Stages what happens to a program whose heap is mostly free pages when memory
 * gets short, and watches.  Needs root, cgroup 2 and, for the heaps on it,
 * /dev/goheap; so it is itself run in a guest (see run, beside this file).
 *
 *	a  In a group with memory.max = 300 MiB the heap grows to 250 MiB, 220 of
 *	   them are freed; then 200 MiB of files are read, read again, and 100 MiB
 *	   are mapped beside the heap.
 *	b  Two such groups, the same heap in both: what a does happens in one.
 *	c  No limit; stress-ng takes all the memory that the machine has.
 *	d  200 MiB live, then half of it is let go of but not collected, and as much
 *	   is allocated as can be had under 300 MiB.
 *	e  As a, but nobody collects what has been let go of.
 *	w  As a, but half a minute passes before memory gets short, in which the
 *	   program allocates and lets go of 2 MiB a second and collects every 5 s.
 *
 * Would catch: free heap pages that stay when memory is short, or that are taken
 * from a group that has enough; page cache that is evicted in their place; a
 * kill while free pages are left; an allocation that fails before a collection
 * has been tried, or a program that does not survive it; a live byte that changed.
 *
 * The process is mlock()ed, keeps its files open and allocates nothing while it
 * watches, so that it does not disturb what it looks at.
 *
 * Prints TAP for the heaps named goheap and device, which keep the promises above;
 * for each heap a line "# row SCENARIO HEAP KEY=VALUE..."; with -s what was seen in
 * between, "# sample SCENARIO HEAP MS ...", and "# mark SCENARIO HEAP MS TEXT".
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>

#include "stage.h"

#define HERE_MAX	3000

const char *scenario;
bool verbose;
char here[HERE_MAX];		/* where the programs are */
static unsigned int tests, failures;

/**
 * bail() - end, since the test itself cannot go on
 * @fmt: why
 */
void bail(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

/**
 * check() - a test's result
 * @good: whether the promise was kept
 * @p: by which program's heap; only goheap's have promised anything
 * @fmt: the promise
 */
void check(bool good, const struct program *p, const char *fmt, ...)
{
	va_list ap;

	/* Promises are made for goheap's heaps only. */
	if (strcmp(p->heap, "goheap") && strcmp(p->heap, "device"))
		return;
	tests++;
	failures += !good;
	printf("%s %u - %s %s: ", good ? "ok" : "not ok", tests, scenario, p->heap);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/**
 * row() - print a line for the table
 * @p: which program's heap
 * @fmt: keys and values
 */
void row(const struct program *p, const char *fmt, ...)
{
	va_list ap;

	printf("# row\t%s\t%s\t", scenario, p->heap);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static const struct {
	const char *name;
	void (*play)(const char *heap);
} scenarios[] = {
	{ "a", scenario_a }, { "b", scenario_b }, { "d", scenario_d }, { "e", scenario_e },
	{ "w", scenario_w },
	/* Last: what it does to the machine is not undone. */
	{ "c", scenario_c },
};

static const char *const heaps[] = { "goheap", "device", "go", "jemalloc" };

static void __attribute__((noreturn)) usage(const char *what)
{
	fprintf(stderr, "stage: %s (usage: stage [-s] [-p SCENARIOS] [HEAP...])\n", what);
	exit(2);
}

static bool is_heap(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(heaps) / sizeof(*heaps); i++)
		if (!strcmp(name, heaps[i]))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static const char *const ours[] = { "goheap", "device", NULL };
	const char *wanted = "abcde";
	const char *const *which;
	size_t i;
	ssize_t n;
	int opt;

	opterr = 0;
	while ((opt = getopt(argc, argv, ":sp:")) != -1) {
		if (opt == 's')
			verbose = true;
		else if (opt == 'p' && strspn(optarg, "abcdew") == strlen(optarg))
			wanted = optarg;
		else
			usage(opt == 'p' ? "scenarios are a to e, and w" : "unknown flag");
	}
	for (i = (size_t)optind; argv[i]; i++)
		if (!is_heap(argv[i]))
			usage("a heap is goheap, device, go or jemalloc");
	which = argv[optind] ? (const char *const *)&argv[optind] : ours;

	n = readlink("/proc/self/exe", here, HERE_MAX - 1);
	here[n > 0 ? n : 0] = 0;
	if (strrchr(here, '/'))
		*strrchr(here, '/') = 0;
	printf("TAP version 13\n");
	setvbuf(stdout, NULL, _IOLBF, 1 << 16);
	signal(SIGPIPE, SIG_IGN);
	watch_init();
	if (mlockall(MCL_CURRENT | MCL_FUTURE) || !put("/proc/self", "oom_score_adj", "-1000"))
		bail("this needs root");
	for (i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		if (!strchr(wanted, scenarios[i].name[0]))
			continue;
		scenario = scenarios[i].name;
		for (const char *const *h = which; *h; h++) {
			/* These are told what is free: there is no garbage. */
			if (*scenario == 'e' && (!strcmp(*h, "device") || !strcmp(*h, "jemalloc")))
				continue;
			scenarios[i].play(*h);
		}
	}
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
