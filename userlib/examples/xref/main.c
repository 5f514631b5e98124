// SPDX-License-Identifier: MIT
/*
 * Options, threads and the report.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc.h"
#include "xref.h"

#define MAX_JOBS	256

static const char usage[] =
	"usage: xref [OPTION]... PATH...\n"
	"Index every identifier in the files below PATH: where it is used, how often.\n"
	"\n"
	"  -j, --jobs N          read with N threads (default: one a processor)\n"
	"  -o, --output FILE     write the index: identifier<TAB>count; - for stdout\n"
	"  -l, --lines           in it, after each identifier, <TAB>file:line for each use\n"
	"  -t, --top N           print the N most frequent identifiers (default 20)\n"
	"  -p, --progress        show progress\n"
	"      --trace-csv FILE  write the heap's figures over time\n"
	"      --trace-ms N      between two samples of these (default 50)\n"
	"  -q, --quiet           print no report\n"
	"  -h, --help            print this text\n";

/* A global variable is a root: what it points to lives. */
static struct tree tree;
static uint32_t next_file;

static struct {
	unsigned int jobs, top, trace_ms;
	const char *output, *trace_csv;
	bool lines, progress, quiet;
} opt = { .top = 20, .trace_ms = 50 };

static unsigned int number(const char *name, const char *text, unsigned long min, unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || value < min || value > max) {
		fprintf(stderr, "xref: %s: '%s' is not a number from %lu to %lu\n", name, text, min, max);
		exit(2);
	}
	return value;
}

static void parse(int argc, char **argv)
{
	enum { TRACE_CSV = 256, TRACE_MS };
	static const struct option options[] = {
		{ "jobs", required_argument, NULL, 'j' },
		{ "output", required_argument, NULL, 'o' },
		{ "lines", no_argument, NULL, 'l' },
		{ "top", required_argument, NULL, 't' },
		{ "progress", no_argument, NULL, 'p' },
		{ "trace-csv", required_argument, NULL, TRACE_CSV },
		{ "trace-ms", required_argument, NULL, TRACE_MS },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int c;

	opt.jobs = cpus < 1 ? 1 : cpus > MAX_JOBS ? MAX_JOBS : cpus;
	while ((c = getopt_long(argc, argv, "j:o:lt:pqh", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			opt.jobs = number("--jobs", optarg, 1, MAX_JOBS);
			break;
		case 'o':
			opt.output = optarg;
			break;
		case 'l':
			opt.lines = true;
			break;
		case 't':
			opt.top = number("--top", optarg, 0, UINT_MAX);
			break;
		case 'p':
			opt.progress = true;
			break;
		case TRACE_CSV:
			opt.trace_csv = optarg;
			break;
		case TRACE_MS:
			opt.trace_ms = number("--trace-ms", optarg, 1, 60000);
			break;
		case 'q':
			opt.quiet = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:			/* getopt_long() has said what is wrong */
			exit(2);
		}
	}
	if (optind == argc) {
		fputs("xref: which files? (xref --help shows the options)\n", stderr);
		exit(2);
	}
}

/* Takes file after file.  No file leaves anything behind in this function. */
static void *worker(void *unused)
{
	(void)unused;
	for (;;) {
		uint32_t file = __atomic_fetch_add(&next_file, 1, __ATOMIC_RELAXED);
		struct file_table *table;

		if (file >= tree.nr)
			return NULL;
		table = scan_file(tree.paths[file]);
		if (table) {
			index_merge(table, file);
			__atomic_fetch_add(&progress.bytes, table->bytes, __ATOMIC_RELAXED);
		} else {
			__atomic_fetch_add(&progress.errors, 1, __ATOMIC_RELAXED);
		}
		__atomic_fetch_add(&progress.files, 1, __ATOMIC_RELAXED);
	}
}

static void run_workers(void)
{
	pthread_t threads[MAX_JOBS];
	unsigned int i;
	int err;

	for (i = 0; i < opt.jobs; i++) {
		err = pthread_create(&threads[i], NULL, worker, NULL);
		if (err) {
			fprintf(stderr, "xref: no thread: %s\n", strerror(err));
			exit(1);
		}
	}
	for (i = 0; i < opt.jobs; i++)
		pthread_join(threads[i], NULL);
}

static double mib(uint64_t bytes)
{
	return bytes / 1048576.0;
}

static void report(double walk, double index)
{
	struct index_totals totals = index_totals();
	struct heap_figures heap;
	struct rusage usage;
	uint64_t rss, peak;

	if (opt.top) {
		printf("\nThe most frequent identifiers:\n");
		print_top(opt.top);
	}

	heap_read_figures(&heap);
	read_rss(&rss, &peak);
	getrusage(RUSAGE_SELF, &usage);
	printf("\n");
	printf("heap:            %s\n", heap.name);
	printf("files:           %" PRIu64 " (%" PRIu32 " skipped), %.1f MiB\n",
	       progress.files - progress.errors, progress.errors, mib(progress.bytes));
	printf("identifiers:     %" PRIu64 "\n", totals.symbols);
	printf("occurrences:     %" PRIu64 "\n", totals.occurrences);
	printf("time:            %.2f s (%.2f s to list the files, %.2f s to index them, %u threads)\n",
	       walk + index, walk, index, opt.jobs);
	printf("processor time:  %.2f s user, %.2f s system\n",
	       usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6,
	       usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6);
	printf("allocated:       ");
	if (heap.allocated_objects)
		printf("%" PRIu64 " objects, ", heap.allocated_objects);
	printf("%.1f MiB\n", mib(heap.allocated_bytes));
	printf("collections:     %" PRIu64, heap.collections);
	if (heap.pause_max_ns)
		printf(", longest pause %.2f ms", heap.pause_max_ns / 1e6);
	printf("\n");
	printf("peak heap:       %.1f MiB\n", mib(heap.peak_inuse));
	if (heap.live)
		printf("live heap:       %.1f MiB after the last collection\n", mib(heap.live));
	printf("peak RSS:        %.1f MiB", mib(peak));
	if (heap.live)
		printf(", %.2f times the live heap", (double)peak / heap.live);
	printf("\n");
}

int main(int argc, char **argv)
{
	uint64_t start, listed, indexed;
	int i, ret = 0;

	parse(argc, argv);
	heap_start();
	index_init();

	start = now_ns();
	for (i = optind; i < argc; i++)
		tree_add(&tree, argv[i]);
	tree_sort(&tree);
	listed = now_ns();

	if (trace_start(opt.trace_csv, opt.trace_ms, opt.progress, tree.nr))
		return 1;
	run_workers();
	indexed = now_ns();

	/* What is left is the index: one more collection tells its size. */
	heap_collect();
	trace_stop();

	if (opt.output && write_index(opt.output, &tree, opt.lines))
		ret = 1;
	if (!opt.quiet)
		report((listed - start) / 1e9, (indexed - listed) / 1e9);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "xref: stdout: %s\n", strerror(errno));
		ret = 1;
	}
	return ret || tree.errors || progress.errors;
}
