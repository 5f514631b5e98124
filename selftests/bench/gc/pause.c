// SPDX-License-Identifier: GPL-2.0
/*
 * How long a program stands still.  A tree of 64-byte nodes (256 MiB by default),
 * each with a pointer to some other node as well, stays alive; one thread walks
 * down it at random, puts a new small tree in the place of an old one and turns
 * a few pointers elsewhere, so that it allocates, writes old objects, and makes
 * garbage of every age.  It reads the clock after each step.  The gaps between two
 * readings are what a program notices: the histogram of them is what this prints,
 * besides what the collector itself reports.  The longest is given twice: as it
 * was, and without the time in which the thread could have run but another had
 * the processor, so that a machine with other work does not pass for a collector.
 *
 * Ends after so many seconds of stepping; the nodes are counted.
 */
#include <fcntl.h>
#include <unistd.h>

#include "heap.h"

#define SECONDS		10
#define LIVE_MIB	256
/* Levels of the small trees. */
#define TWIG		3
/* Gaps by length: eight buckets for each power of two, in ns. */
#define BUCKETS		(40 * 8)

struct node {
	struct node *left;
	struct node *right;
	struct node *other;
	struct node *another;
	uint64_t numbers[4];
};

/* Of gaps this long it is asked how much was waiting for a processor. */
#define LONG_GAP	200000

static uint64_t seed = 88172645463325252ull;
static uint64_t gaps[BUCKETS];

static struct node *build(int depth)
{
	struct node *n = must_alloc(sizeof(*n));

	n->numbers[0] = random_next(&seed);
	if (depth > 0) {
		n->left = build(depth - 1);
		n->right = build(depth - 1);
	}
	return n;
}

/* Pointers across the tree, so that its order in memory is no help. */
static void cross(struct node *n, struct node *root, int depth)
{
	struct node *other = root;

	for (int i = 0; i < depth; i++)
		other = random_next(&seed) & 1 ? other->left : other->right;
	n->other = other;
	if (n->left) {
		cross(n->left, root, depth);
		cross(n->right, root, depth);
	}
}

static long count(const struct node *n)
{
	return n->left ? 1 + count(n->left) + count(n->right) : 1;
}

static void step(struct node *root, int depth)
{
	struct node *n = root, *from = root, *twig;
	uint32_t way = random_next(&seed);

	twig = build(TWIG);
	/* The twig's place is known before it; @from is anywhere above. */
	for (int i = 0; i < depth - TWIG - 1; i++) {
		n = way >> i & 1 ? n->left : n->right;
		if (i == depth / 2)
			from = n;
	}
	twig->other = from;
	n->another = twig->left;
	from->another = twig;
	if (way >> 31)
		n->left = twig;
	else
		n->right = twig;
}

static unsigned int bucket(uint64_t ns)
{
	unsigned int log = 63 - (unsigned int)__builtin_clzll(ns | 8);

	return log * 8 + (unsigned int)(ns >> (log - 3) & 7);
}

static uint64_t bucket_start(unsigned int b)
{
	return (uint64_t)(8 + b % 8) << (b / 8) >> 3;
}

/* ns that this thread has waited for a processor since the last call. */
static uint64_t waited(void)
{
	static uint64_t before;
	static int fd = -1;
	unsigned long long ran, delay;
	uint64_t since;
	char text[64];
	ssize_t n;

	if (fd < 0)
		fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%llu %llu", &ran, &delay) != 2)
		return 0;
	since = delay - before;
	before = delay;
	return since;
}

#if defined(HEAP_GC)

static uint64_t stopped, longest, stops;

static void GC_CALLBACK watch(GC_EventType event)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (event == GC_EVENT_PRE_STOP_WORLD) {
		stopped = now;
	} else if (event == GC_EVENT_POST_START_WORLD) {
		stops++;
		if (now - stopped > longest)
			longest = now - stopped;
	}
}

static void begin(void)
{
	GC_set_on_collection_event(watch);
}

static void report(void)
{
	figure("pause.reported", (double)longest / 1e6);
	figure("collections", (double)GC_get_gc_no());
	figure("stops", (double)stops);
}

#elif defined(HEAP_GOHEAP)

static uint64_t before;

static void begin(void)
{
	struct goheap_stats s = { .size = sizeof(s) };

	goheap_read_stats(&s);
	before = s.num_gc;
}

static void report(void)
{
	struct goheap_stats s = { .size = sizeof(s) };

	goheap_read_stats(&s);
	figure("pause.reported", (double)s.pause_max_ns / 1e6);
	figure("collections", (double)(s.num_gc - before));
}

#else

static void begin(void)
{
}

static void report(void)
{
	figure("pause.reported", 0);
}

#endif

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? number_of(argv[1], 1, 3600) : SECONDS;
	long live = argc > 2 ? number_of(argv[2], 1, 65536) : LIVE_MIB;
	uint64_t at, last, end, longest_gap = 0, total = 0, seen = 0;
	uint64_t gap, longest_own = 0, delay;
	struct node *root;
	long steps = 0;
	int depth = 0;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		puts("usage: pause [SECONDS [LIVE_MIB]]\n"
		     "Steps through a live heap of LIVE_MIB on " HEAP_NAME " and times the gaps.");
		return 0;
	}
	if (argc > 3 || seconds < 0 || live < 0) {
		fputs("pause: SECONDS (from 1) and LIVE_MIB (from 1) are wanted\n", stderr);
		return 2;
	}
	while ((2L << (depth + 1)) * (long)sizeof(struct node) <= live << 20)
		depth++;
	heap_init();
	root = build(depth);
	cross(root, root, depth);
	begin();
	waited();
	last = now_ns(CLOCK_MONOTONIC);
	end = last + (uint64_t)seconds * 1000000000;
	do {
		step(root, depth);
		steps++;
		at = now_ns(CLOCK_MONOTONIC);
		gap = at - last;
		gaps[bucket(gap)]++;
		total++;
		if (gap > longest_gap)
			longest_gap = gap;
		if (gap > LONG_GAP) {
			delay = waited();
			if (gap > delay && gap - delay > longest_own)
				longest_own = gap - delay;
			at = now_ns(CLOCK_MONOTONIC);
		} else if (gap > longest_own) {
			longest_own = gap;
		}
		last = at;
	} while (at < end);
	if (count(root) != (2L << depth) - 1)
		fail("pause: nodes have been lost");
	printf("nodes %ld\n", (2L << depth) - 1);
	figure("pause.longest", (double)longest_gap / 1e6);
	figure("pause.own", (double)longest_own / 1e6);
	figure("steps_per_s", (double)steps / (double)seconds);
	report();
	for (unsigned int b = BUCKETS; b-- > 0;) {
		if (seen < total / 100000 && seen + gaps[b] >= total / 100000)
			figure("pause.p99.999", (double)bucket_start(b) / 1e6);
		seen += gaps[b];
	}
	for (unsigned int b = 0; b < BUCKETS; b++)
		if (gaps[b])
			fprintf(stderr, "gap %" PRIu64 " %" PRIu64 "\n", bucket_start(b), gaps[b]);
	heap_report();
	return 0;
}
