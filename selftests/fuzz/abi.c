// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of /dev/goheap: random calls, from several threads of several
 * processes at once, that know how a right one looks.
 *
 *	abi [-n CALLS] [-T SECONDS] [-s SEED] [-l LIFE] [-t THREADS] [-C]
 *
 * Would catch: a sequence of calls that the kernel does not survive (its log
 * tells, so run it under selftests/vm/run), a hang, memory left when all have
 * gone, and a heap that does not hold what was written into it.
 *
 * A life is a process with up to four threads and a few arenas; two live at a
 * time.  Some are killed amid their calls.  What a thread does is a program of up
 * to 24 calls after the other, random ones or, where the kernel has kcov, mutations of
 * those that reached code that none before had reached.
 *
 * The seed is printed.  -s SEED -l LIFE runs one life again, alone; its calls
 * are the same if it did without coverage (-C), though threads interleave as
 * they like (-t 1 for one).
 *
 * -n and -T: the end is when either is reached; fewer calls than -n says, because
 * the time is up, are a failure only if -T is not given.  TAP on standard output.
 */
#include "abi.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_A_TIME	2
#define LIFE_CALLS	20000	/* of all its threads */
#define LIFE_SECONDS	240	/* longer is a hang */
#define PROGRAM_MAX	24
#define CORPUS_MAX	2048
#define OPS_MAX		64

#define KCOV_INIT_TRACE	_IOR('c', 1, unsigned long)
#define KCOV_ENABLE	_IO('c', 100)
#define KCOV_WORDS	(1UL << 16)
#define PCS		(1U << 20)	/* bits: code addresses, hashed */

struct program {
	_Atomic bool ready;
	unsigned int n;
	struct call call[PROGRAM_MAX];
};

/* What all processes share. */
struct shared {
	_Atomic uint64_t calls;
	_Atomic uint64_t worked[OPS_MAX], failed[OPS_MAX], nanoseconds[OPS_MAX];
	_Atomic unsigned int corpus, reached;
	_Atomic bool kcov, stop;
	char wrong[160];
	_Atomic unsigned char pcs[PCS / 8];
	struct program program[CORPUS_MAX];
};

static struct shared *shared;
static bool coverage = true;
static unsigned int threads_max = THREADS;
static uint64_t seed;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Each thread has a trace of its own; NULL where there is no kcov. */
static uint64_t *kcov_begin(void)
{
	uint64_t *trace;
	int fd;

	if (!coverage)
		return NULL;
	fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (ioctl(fd, KCOV_INIT_TRACE, KCOV_WORDS))
		return NULL;
	trace = mmap(NULL, KCOV_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (trace == MAP_FAILED || ioctl(fd, KCOV_ENABLE, 0))
		return NULL;
	/* The file stays open as long as the thread. */
	atomic_store(&shared->kcov, true);
	return trace;
}

/* Was there code that nobody has been in yet? */
static bool kcov_news(uint64_t *trace)
{
	uint64_t n = __atomic_load_n(&trace[0], __ATOMIC_RELAXED), i;
	unsigned int found = 0;

	for (i = 1; i <= n && i < KCOV_WORDS; i++) {
		uint32_t bit = (trace[i] * 0x9e3779b97f4a7c15ULL) >> 44;
		unsigned char mask = 1 << bit % 8;

		if (!(atomic_load_explicit(&shared->pcs[bit / 8], memory_order_relaxed) & mask) &&
		    !(atomic_fetch_or(&shared->pcs[bit / 8], mask) & mask))
			found++;
	}
	if (found)
		atomic_fetch_add(&shared->reached, found);
	return found;
}

/* Processes may be killed at any moment: no locks here. */
static void corpus_add(const struct call *calls, unsigned int n)
{
	unsigned int at = atomic_fetch_add(&shared->corpus, 1);
	struct program *p = &shared->program[at % CORPUS_MAX];

	if (at >= CORPUS_MAX)
		return;
	memcpy(p->call, calls, n * sizeof(*calls));
	p->n = n;
	atomic_store(&p->ready, true);
}

static unsigned int program_make(uint64_t *state, struct call *calls, bool guided)
{
	unsigned int have = atomic_load(&shared->corpus), n, i;

	if (have > CORPUS_MAX)
		have = CORPUS_MAX;
	if (guided && have && rnd(state) % 2) {
		const struct program *p = &shared->program[rnd(state) % have];

		if (atomic_load(&p->ready)) {
			n = p->n;
			memcpy(calls, p->call, n * sizeof(*calls));
			for (i = 0; i < 1 + rnd(state) % 4; i++)
				call_mutate(state, &calls[rnd(state) % n]);
			while (n < PROGRAM_MAX && rnd(state) % 3 == 0)
				call_random(state, &calls[n++]);
			return n;
		}
	}
	n = 4 + rnd(state) % (PROGRAM_MAX - 3);
	for (i = 0; i < n; i++)
		call_random(state, &calls[i]);
	return n;
}

static struct thread threads[THREADS];
static uint64_t quota;

static void *thread_run(void *arg)
{
	struct thread *t = arg;
	struct call calls[PROGRAM_MAX];
	uint64_t *trace = kcov_begin();
	uint64_t done = 0;

	if (!thread_begin(t)) {
		t->wrong = "no memory for the test itself";
		return NULL;
	}
	while (done < quota && !t->wrong && !atomic_load(&shared->stop)) {
		unsigned int n = program_make(&t->rnd, calls, trace), i;

		if (trace)
			__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
		for (i = 0; i < n && !t->wrong; i++) {
			double begun = now();
			int err = ops[calls[i].op].run(t, &calls[i]);

			atomic_fetch_add_explicit(&shared->nanoseconds[calls[i].op],
						  (now() - begun) * 1e9, memory_order_relaxed);
			atomic_fetch_add_explicit(err ? &shared->failed[calls[i].op] :
						  &shared->worked[calls[i].op], 1,
						  memory_order_relaxed);
		}
		done += i;
		atomic_fetch_add_explicit(&shared->calls, i, memory_order_relaxed);
		if (trace && kcov_news(trace))
			corpus_add(calls, n);
	}
	thread_end(t);
	return NULL;
}

static int live(uint64_t number)
{
	static struct life life;
	pthread_t thread[THREADS];
	unsigned int n, i;
	uint64_t state = seed + number * 0x632be59bd9b4e019ULL;

	life.seed = rnd(&state);
	n = 1 + rnd(&state) % threads_max;
	quota = LIFE_CALLS / n;
	if (!life_begin(&life))
		return 4;
	for (i = 0; i < n; i++) {
		threads[i] = (struct thread){
			.life = &life,
			.number = i,
			.rnd = rnd(&state),
			.tags = rnd(&state),
		};
		if (pthread_create(&thread[i], NULL, thread_run, &threads[i]))
			return 4;
	}
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	life_end(&life, threads, n);
	for (i = 0; i < n; i++) {
		if (!threads[i].wrong)
			continue;
		snprintf(shared->wrong, sizeof(shared->wrong), "life %llu, thread %u: %s",
			 (unsigned long long)number, i, threads[i].wrong);
		return 3;
	}
	return 0;
}

struct child {
	pid_t pid;
	uint64_t number;
	double end, kill;
};

static unsigned long parameter(const char *name)
{
	char path[80];
	unsigned long n = ~0UL;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/goheap/parameters/%s", name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lu", &n) != 1)
		n = ~0UL;
	if (f)
		fclose(f);
	return n;
}

static bool becomes_zero(const char *name)
{
	int tries;

	for (tries = 0; tries < 1000 && parameter(name); tries++)
		usleep(10000);
	return !parameter(name);
}

/* Where it hangs, for the log. */
static void show_stacks(pid_t pid)
{
	char command[120];

	snprintf(command, sizeof(command),
		 "for s in /proc/%d/task/*/stack; do echo \"# $s\"; sed 's/^/#  /' $s; done", pid);
	fflush(stdout);
	if (system(command))
		printf("# no stacks of %d can be had\n", pid);
}

static unsigned int died, hung, killed, lives;

static void reap(struct child *c, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && c->kill) {
		killed++;
	} else if (WIFSIGNALED(status)) {
		died++;
		printf("# life %llu: signal %d\n", (unsigned long long)c->number, WTERMSIG(status));
	} else if (WEXITSTATUS(status) == 3) {
		printf("# %s\n", shared->wrong);
	} else if (WEXITSTATUS(status)) {
		died++;
		printf("# life %llu: exit status %d\n", (unsigned long long)c->number,
		       WEXITSTATUS(status));
	}
	c->pid = 0;
}

static void begin(struct child *c, uint64_t number, uint64_t *state, bool alone)
{
	fflush(stdout);
	c->number = number;
	c->end = now() + LIFE_SECONDS;
	/* One in five does not live to its end. */
	c->kill = !alone && rnd(state) % 5 == 0 ? now() + rnd(state) % 1000 / 1e3 : 0;
	c->pid = fork();
	if (!c->pid)
		_exit(live(number));
	lives++;
}

static void run(uint64_t calls, double seconds, int64_t only)
{
	struct child child[AT_A_TIME] = { { 0 } };
	double end = seconds ? now() + seconds : 0;
	uint64_t state = seed, next = only < 0 ? 0 : only;
	bool more = true;
	int i, running, status;

	do {
		running = 0;
		for (i = 0; i < AT_A_TIME; i++) {
			struct child *c = &child[i];

			more = more && atomic_load(&shared->calls) < calls &&
			       !shared->wrong[0] && !hung && (!end || now() < end);
			if (!more)
				atomic_store(&shared->stop, true);
			if (!c->pid) {
				if (!more)
					continue;
				begin(c, next++, &state, only >= 0);
				if (only >= 0)
					more = false, atomic_store(&shared->stop, false);
			}
			running++;
			if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
				reap(c, status);
				continue;
			}
			if (c->kill && now() > c->kill)
				kill(c->pid, SIGKILL);
			if (now() > c->end) {
				printf("# life %llu hangs\n", (unsigned long long)c->number);
				show_stacks(c->pid);
				hung++;
				kill(c->pid, SIGKILL);
				c->pid = 0;
			}
			if (only >= 0)
				break;
		}
		usleep(2000);
	} while (running);
}

static int results;
static bool bad;

static void ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++results, what);
	bad |= !good;
}

static void usage(const char *what)
{
	fprintf(stderr, "abi: %s (usage: abi [-n CALLS] [-T SECONDS] [-s SEED] [-l LIFE] [-t THREADS] [-C])\n",
		what);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		usage("not a number");
	return n;
}

int main(int argc, char **argv)
{
	uint64_t calls = 200000, total;
	double seconds = 0, start;
	int64_t only = -1;
	unsigned int i;
	int opt;

	seed = (uint64_t)time(NULL) << 20 ^ getpid();
	opterr = 0;
	while ((opt = getopt(argc, argv, "n:T:s:l:t:C")) != -1) {
		switch (opt) {
		case 'n':
			calls = number(optarg);
			break;
		case 'T':
			seconds = number(optarg);
			break;
		case 's':
			seed = number(optarg);
			break;
		case 'l':
			only = number(optarg);
			break;
		case 't':
			threads_max = number(optarg);
			if (!threads_max || threads_max > THREADS)
				usage("-t is 1 to 4");
			break;
		case 'C':
			coverage = false;
			break;
		default:
			usage("unknown flag");
		}
	}
	if (optind < argc)
		usage("no arguments are taken");

	printf("TAP version 13\n# seed %llu\n", (unsigned long long)seed);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED || access(DEVICE, R_OK | W_OK)) {
		printf("Bail out! no memory, or no %s: use selftests/vm/run\n", DEVICE);
		return 1;
	}
	start = now();
	run(calls, seconds, only);
	total = atomic_load(&shared->calls);

	printf("# %llu calls in %.0f s, %.0f a second; %u lives, %u of them killed\n",
	       (unsigned long long)total, now() - start, total / (now() - start), lives, killed);
	for (i = 0; i < nr_ops; i++)
		printf("# %9llu worked %9llu failed %9.3f s  %s\n",
		       (unsigned long long)atomic_load(&shared->worked[i]),
		       (unsigned long long)atomic_load(&shared->failed[i]),
		       atomic_load(&shared->nanoseconds[i]) / 1e9, ops[i].name);
	if (atomic_load(&shared->kcov))
		printf("# %u places in the code reached, by %u programs\n",
		       atomic_load(&shared->reached), atomic_load(&shared->corpus));
	else
		printf("# without coverage\n");

	ok(only >= 0 || seconds || total >= calls, "as many calls as asked for");
	ok(!shared->wrong[0], "the arena that keeps its word kept it");
	ok(!died, "no process died that was not killed");
	ok(!hung, "no process hung");
	ok(becomes_zero("pages"), "no page is left");
	ok(becomes_zero("arenas"), "no arena is left");
	/* ENOMEM is an answer, but not when next to nothing is asked for. */
	for (i = 0; i < nr_ops; i++)
		if (!strcmp(ops[i].name, "own alloc"))
			ok(atomic_load(&shared->failed[i]) <= atomic_load(&shared->worked[i]) / 50,
			   "small spans are to be had");
	/* A test of nothing passes always: each operation has to do what it is for. */
	for (i = 0; i < nr_ops; i++)
		if (ops[i].must_work && !atomic_load(&shared->worked[i]))
			break;
	if (i < nr_ops)
		printf("# never worked: %s\n", ops[i].name);
	ok(i == nr_ops || only >= 0 || total < 50000, "every operation worked at least once");
	printf("1..%d\n", results);
	return bad;
}
