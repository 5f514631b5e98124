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
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB		(1ULL << 20)
#define NONE		UINT64_MAX
#define CGROUPS		"/sys/fs/cgroup"
#define STRESS_NG	"/usr/bin/stress-ng"

#define LIMIT		(300 * MIB)
#define GROWN		250ULL		/* MiB */
#define LIVE		30ULL
#define FILES		200ULL
#define ELSEWHERE	100ULL
/* What the heap holds at most when 95 % of what is free went back. */
#define GIVEN_BACK	(LIVE * MIB + (GROWN - LIVE) * MIB / 20)
#define WAIT_MS		30000
/* Of every 25 objects the first three stay: 30 of 250 MiB. */
#define KEEP		"drop 3 25"

/* No answer takes as long. */
#define ANSWER_MS	60000

struct group {
	char path[256];
	int current;
	int stat;
	int events;
};

struct program {
	const char *heap;
	struct group *group;		/* or NULL */
	pid_t pid;
	int to;
	int from;
	int fdinfo;			/* of the arena, or -1 */
	volatile uint64_t *mapped;
	uint64_t base;			/* charged before the heap grew */
	bool dead;
	int status;
	char reply[512];
	size_t got;
};

struct sample {
	uint32_t ms;
	uint64_t heap;			/* memory behind it */
	uint64_t other;			/* and behind the other one, in b */
	uint64_t mapped;
	uint64_t retained;
	uint64_t current;
	uint64_t file;
	uint64_t refaults;
	uint64_t free;			/* of the machine's */
	uint64_t kills;			/* the machine's OOM killer's */
};

#define SAMPLES	40000

static struct sample samples[SAMPLES];
static unsigned int nsamples;
static struct program *watched, *other;
static uint64_t started;
static int interval = 50;
static bool verbose;
static const char *scenario;
static char here[3000];
static char text[65536];
static int vmstat_fd, meminfo_fd;

static unsigned int tests, failures;

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void __attribute__((noreturn, format(printf, 1, 2))) bail(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static void __attribute__((format(printf, 3, 4)))
check(bool good, const struct program *p, const char *fmt, ...)
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

static void mark(const struct program *p, const char *what)
{
	if (verbose && p == watched)
		printf("# mark\t%s\t%s\t%llu\t%s\n", scenario, p->heap,
		       (unsigned long long)(now_ms() - started), what);
}

/* Files. */

static bool put(const char *dir, const char *name, const char *value)
{
	char path[600];
	bool good;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = write(fd, value, strlen(value)) >= 0;
	close(fd);
	return good;
}

static int open_in(const char *dir, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The whole of an open file of the kernel's, in text[]. */
static const char *reread(int fd)
{
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

/* The number after a key at the beginning of a line; kB are made bytes. */
static uint64_t value_in(const char *s, const char *key)
{
	size_t len = strlen(key);
	unsigned long long v;
	char unit[4];
	int n;

	for (; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL) {
		if (strncmp(s, key, len) || (s[len] != ' ' && s[len] != ':'))
			continue;
		n = sscanf(s + len + 1, "%llu %3[^\n]", &v, unit);
		if (n == 2 && !strcmp(unit, "kB"))
			v *= 1024;
		return n >= 1 ? v : NONE;
	}
	return NONE;
}

/* A figure of the arena, from outside. */
static uint64_t arena(const struct program *p, const char *key)
{
	return p->fdinfo < 0 ? NONE : value_in(reread(p->fdinfo), key);
}

/* Groups. */

static void group_make(struct group *g, const char *name, uint64_t limit)
{
	char value[32];

	snprintf(g->path, sizeof(g->path), CGROUPS "/pressure-%s", name);
	snprintf(value, sizeof(value), limit == NONE ? "max" : "%llu", (unsigned long long)limit);
	if (mkdir(g->path, 0755) || !put(g->path, "memory.max", value))
		bail("%s: no memory group can be made: %s", g->path, strerror(errno));
	/* A kernel without swap has no such file. */
	put(g->path, "memory.swap.max", "0");
	g->current = open_in(g->path, "memory.current");
	g->stat = open_in(g->path, "memory.stat");
	g->events = open_in(g->path, "memory.events");
}

static void group_remove(struct group *g)
{
	int tries;

	close(g->current);
	close(g->stat);
	close(g->events);
	for (tries = 0; rmdir(g->path) && tries < 200; tries++)
		usleep(10000);
}

/* Watching. */

/* What is charged to the program's group but for the page cache. */
static uint64_t charged_to(const struct program *p)
{
	uint64_t current = strtoull(reread(p->group->current), NULL, 10);
	uint64_t file = value_in(reread(p->group->stat), "file");

	return current > file ? current - file : 0;
}

/*
 * Memory behind the heap.  What an arena holds is its own to say.  Otherwise it is
 * what the group is charged for, but for the page cache, what the program began
 * with, and what is mapped beside the heap.  Not the RSS: that falls with the
 * last mapping of a part of a huge page, whose memory stays.
 */
static uint64_t heap_of(const struct program *p)
{
	uint64_t charged, rest = p->base + *p->mapped;

	if (p->dead || !p->group)
		return 0;
	if (p->fdinfo >= 0)
		return arena(p, "GoheapInUse") + value_in(text, "GoheapRetained");
	charged = charged_to(p);
	return charged > rest ? charged - rest : 0;
}

static void look(void)
{
	const struct program *p = watched;
	struct sample *s = &samples[nsamples];

	if (!p || nsamples == SAMPLES)
		return;
	memset(s, 0, sizeof(*s));
	s->ms = (uint32_t)(now_ms() - started);
	s->mapped = *p->mapped;
	s->heap = heap_of(p);
	s->other = other ? heap_of(other) : 0;
	s->retained = p->dead ? NONE : arena(p, "GoheapRetained");
	if (p->group) {
		s->current = strtoull(reread(p->group->current), NULL, 10);
		s->file = value_in(reread(p->group->stat), "file");
		s->refaults = value_in(text, "workingset_refault_file");
	}
	s->free = value_in(reread(meminfo_fd), "MemFree");
	/* Last: what stands above was so before this was. */
	s->kills = value_in(reread(vmstat_fd), "oom_kill");
	nsamples++;
}

static void watch(struct program *p)
{
	watched = p;
	nsamples = 0;
	started = now_ms();
}

static void print_samples(const struct program *p)
{
	unsigned int i;

	for (i = 0; verbose && i < nsamples; i++) {
		const struct sample *s = &samples[i];

		printf("# sample\t%s\t%s\t%u\t%llu\t%llu\t%lld\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\n",
		       scenario, p->heap, s->ms, (unsigned long long)s->heap,
		       (unsigned long long)s->mapped, (long long)s->retained,
		       (unsigned long long)s->current, (unsigned long long)s->file,
		       (unsigned long long)s->refaults, (unsigned long long)s->free,
		       (unsigned long long)s->kills, (unsigned long long)s->other);
	}
	watched = NULL;
	other = NULL;
}

/* Programs. */

static void buried(struct program *p)
{
	if (p->dead)
		return;
	waitpid(p->pid, &p->status, 0);
	p->dead = true;
	mark(p, WIFSIGNALED(p->status) && WTERMSIG(p->status) == SIGKILL ? "killed" : "ended");
}

/* Tells the program to do something, and watches until it answers: "ok", or not. */
static bool __attribute__((format(printf, 2, 3))) ask(struct program *p, const char *fmt, ...)
{
	struct pollfd in = { .fd = p->from, .events = POLLIN };
	uint64_t late = now_ms() + ANSWER_MS;
	char line[3200];
	va_list ap;
	ssize_t n;
	int len;

	p->got = 0;
	p->reply[0] = 0;
	if (p->dead)
		return false;
	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[len++] = '\n';
	line[len] = 0;
	n = write(p->to, line, (size_t)len);
	while (n == len && now_ms() < late) {
		look();
		if (poll(&in, 1, interval) <= 0)
			continue;
		n = read(p->from, p->reply + p->got, sizeof(p->reply) - 1 - p->got);
		if (n <= 0)
			break;
		p->got += (size_t)n;
		p->reply[p->got] = 0;
		if (p->reply[p->got - 1] == '\n')
			return !strncmp(p->reply, "ok", 2);
		n = len;
	}
	if (now_ms() >= late) {
		printf("# %s: no answer to %s", p->heap, line);
		kill(p->pid, SIGKILL);
	}
	buried(p);
	look();
	return false;
}

/* A figure of the last answer. */
static uint64_t answer(const struct program *p, const char *key)
{
	const char *at = strstr(p->reply, key);
	size_t len = strlen(key);

	return at && at[len] == '=' ? strtoull(at + len + 1, NULL, 10) : 0;
}

/* Where the program's arena is to be seen. */
static int find_arena(pid_t pid)
{
	char dir[64], name[320], to[64];
	struct dirent *d;
	int found = -1;
	ssize_t n;
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	fds = opendir(dir);
	while (fds && found < 0 && (d = readdir(fds))) {
		snprintf(name, sizeof(name), "%s/%s", dir, d->d_name);
		n = readlink(name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = 0;
		if (strcmp(to, "/dev/goheap"))
			continue;
		snprintf(name, sizeof(name), "fdinfo/%s", d->d_name);
		snprintf(dir, sizeof(dir), "/proc/%d", pid);
		found = open_in(dir, name);
		break;
	}
	if (fds)
		closedir(fds);
	return found;
}

/* In a group, or in none. */
static void program_start(struct program *p, const char *heap, struct group *g, const char *name)
{
	char path[3100], note[64];
	int to[2], from[2], fd;

	memset(p, 0, sizeof(*p));
	p->heap = heap;
	p->group = g;
	snprintf(note, sizeof(note), "/tmp/pressure-%s", name);
	fd = open(note, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4096))
		bail("%s: %s", note, strerror(errno));
	p->mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->mapped == MAP_FAILED || pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		bail("%s", strerror(errno));
	close(fd);
	*p->mapped = 0;
	snprintf(path, sizeof(path), "%s/%s", here, heap);
	p->pid = fork();
	if (p->pid < 0)
		bail("fork: %s", strerror(errno));
	if (!p->pid) {
		if (g && !put(g->path, "cgroup.procs", "0"))
			_exit(126);
		put("/proc/self", "oom_score_adj", "0");
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(path, path, note, NULL);
		fprintf(stderr, "stage: %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	p->to = to[1];
	p->from = from[0];
	p->fdinfo = -1;
	if (!ask(p, "stats"))
		bail("%s does not start", path);
	p->fdinfo = find_arena(p->pid);
	p->base = g ? charged_to(p) : 0;
}

/*
 * One that sits idle outside the groups: what is mapped from files, the program
 * itself, is charged where it is first used, and not to the group.  Evicting and
 * reading that again can keep a group at its limit busy for minutes.
 */
static void idle_start(struct program *p, const char *heap)
{
	program_start(p, heap, NULL, "idle");
	ask(p, "grow 1");
	ask(p, "verify");
	ask(p, "drop 0 1");
	ask(p, "collect");
}

static void program_end(struct program *p)
{
	close(p->to);
	close(p->from);
	if (!p->dead) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, &p->status, 0);
	}
	if (p->fdinfo >= 0)
		close(p->fdinfo);
	munmap((void *)p->mapped, 4096);
	put("/proc/sys/vm", "drop_caches", "3");
}

/* What was seen. */

static uint64_t peak_of(const struct group *g)
{
	uint64_t peak = 0;
	unsigned int i;
	char path[600];
	int fd;

	for (i = 0; i < nsamples; i++)
		if (samples[i].current > peak)
			peak = samples[i].current;
	snprintf(path, sizeof(path), "%s/memory.peak", g->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		peak = strtoull(reread(fd), NULL, 10);
		close(fd);
	}
	return peak;
}

/* Milliseconds from @from until the heap was at most @bytes; -1 for never. */
static long long until(uint64_t from, uint64_t bytes)
{
	unsigned int i;

	for (i = 0; i < nsamples; i++)
		if (samples[i].ms >= from && samples[i].heap <= bytes && samples[i].heap)
			return (long long)(samples[i].ms - from);
	return -1;
}

/* The least that the heap held from @from on, while it lived. */
static uint64_t lowest(uint64_t from)
{
	uint64_t least = NONE;
	unsigned int i;

	for (i = 0; i < nsamples; i++)
		if (samples[i].ms >= from && samples[i].heap && samples[i].heap < least)
			least = samples[i].heap;
	return least == NONE ? 0 : least;
}

static uint64_t group_figure(int fd, const char *key)
{
	return value_in(reread(fd), key);
}

static void row(const struct program *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void row(const struct program *p, const char *fmt, ...)
{
	va_list ap;

	printf("# row\t%s\t%s\t", scenario, p->heap);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static bool is_ours(const struct program *p)
{
	return p->fdinfo >= 0;
}

/* The heap as all scenarios but d need it: 250 MiB grown, 220 of them let go of. */
static void grow_and_drop(struct program *p, bool collect)
{
	if (!ask(p, "grow %llu", GROWN))
		bail("%s: the heap does not grow to %llu MiB: %s", p->heap, GROWN, p->reply);
	mark(p, "free");
	ask(p, KEEP);
	if (collect)
		ask(p, "collect");
}

/* a and e. */

struct demand {
	uint64_t from;			/* ms */
	uint64_t heap_before;
	uint64_t retained_before;
	uint64_t collections;		/* before it */
	uint64_t refaults;		/* pages, while the files were read again */
	uint64_t cached;		/* of the files, bytes, before that */
	uint64_t again_ms;
	const char *died;		/* in what */
};

/* Files are read, twice, and memory is mapped beside the heap. */
static void demand(struct program *p, struct demand *d)
{
	uint64_t refaults, start;

	memset(d, 0, sizeof(*d));
	d->heap_before = heap_of(p);
	d->retained_before = arena(p, "GoheapRetained");
	ask(p, "stats");
	d->collections = answer(p, "collections");
	d->from = now_ms() - started;
	mark(p, "read");
	ask(p, "read %llu %s/files", FILES, here);
	if (p->dead) {
		d->died = "read";
		return;
	}
	refaults = group_figure(p->group->stat, "workingset_refault_file");
	d->cached = group_figure(p->group->stat, "file");
	start = now_ms();
	mark(p, "read again");
	ask(p, "read %llu %s/files", FILES, here);
	if (p->dead) {
		d->died = "read again";
		return;
	}
	d->again_ms = now_ms() - start;
	d->refaults = group_figure(p->group->stat, "workingset_refault_file") - refaults;
	mark(p, "map");
	ask(p, "map %llu", ELSEWHERE);
	if (p->dead)
		d->died = "map";
}

/* Time passes, in which the program does a little. */
static void wait_ms(struct program *p, uint64_t ms)
{
	uint64_t end = now_ms() + ms, second;
	unsigned int n = 0;

	while (now_ms() < end && !p->dead) {
		for (second = now_ms() + 1000; now_ms() < second;) {
			struct timespec pause = { .tv_nsec = interval * 1000000L };

			look();
			nanosleep(&pause, NULL);
		}
		ask(p, "churn 2");
		if (++n % 5 == 0)
			ask(p, "collect");
	}
}

static void one_group(const char *heap, bool collect, uint64_t wait)
{
	uint64_t after, retained, kills, live, bad, collections;
	struct program p, idle;
	struct demand d;
	struct group g;
	bool intact;

	idle_start(&idle, heap);
	group_make(&g, scenario, LIMIT);
	program_start(&p, heap, &g, scenario);
	watch(&p);
	grow_and_drop(&p, collect);
	wait_ms(&p, wait);
	demand(&p, &d);
	after = heap_of(&p);
	retained = arena(&p, "GoheapRetained");
	intact = ask(&p, "verify");
	live = answer(&p, "live");
	bad = answer(&p, "bad");
	ask(&p, "stats");
	collections = answer(&p, "collections") - d.collections;
	kills = group_figure(g.events, "oom_kill");
	row(&p, "killed=%llu died=%s peak=%llu heap_before=%llu heap_after=%llu lowest=%llu until_ms=%lld "
	    "retained_before=%lld retained_after=%lld refaults=%llu cached=%llu again_ms=%llu "
	    "mapped=%llu live=%llu bad=%llu intact=%d collections=%lld",
	    (unsigned long long)kills, d.died ? d.died : "-", (unsigned long long)peak_of(&g),
	    (unsigned long long)d.heap_before, (unsigned long long)after,
	    (unsigned long long)lowest(d.from), until(d.from, GIVEN_BACK),
	    (long long)d.retained_before, (long long)retained, (unsigned long long)d.refaults,
	    (unsigned long long)d.cached, (unsigned long long)d.again_ms,
	    (unsigned long long)*p.mapped, (unsigned long long)live, (unsigned long long)bad,
	    intact, p.dead ? -1LL : (long long)collections);
	print_samples(&p);

	check(!p.dead && kills == 0, &p, "nothing is killed");
	check(*p.mapped == ELSEWHERE * MIB, &p, "memory elsewhere is there");
	check(intact && live == LIVE * MIB, &p, "what is live is as it was");
	if (!collect)
		check(collections > 0, &p, "the heap is collected when the kernel asks");
	if (is_ours(&p) && collect) {
		check(after <= GIVEN_BACK, &p,
		      "free heap pages are given back (%llu of %llu MiB left)",
		      (unsigned long long)(after / MIB), (unsigned long long)(d.heap_before / MIB));
		check(d.refaults < FILES * MIB / 4096 / 10, &p,
		      "they go before the page cache (%llu of %llu pages read again)",
		      (unsigned long long)d.refaults, FILES * MIB / 4096);
	}
	program_end(&p);
	group_remove(&g);
	program_end(&idle);
}

static void scenario_a(const char *heap)
{
	one_group(heap, true, 0);
}

static void scenario_e(const char *heap)
{
	one_group(heap, false, 0);
}

static void scenario_w(const char *heap)
{
	one_group(heap, true, WAIT_MS);
}

static void scenario_b(const char *heap)
{
	uint64_t before, after, retained_before, retained_after, pressed, background;
	struct program p, q, idle;
	struct group g, h;
	struct demand d;
	bool intact, other_intact;

	idle_start(&idle, heap);
	group_make(&g, "b1", LIMIT);
	group_make(&h, "b2", LIMIT);
	program_start(&p, heap, &g, "b1");
	program_start(&q, heap, &h, "b2");
	grow_and_drop(&p, true);
	grow_and_drop(&q, true);
	ask(&q, "stats");
	pressed = answer(&q, "pressed");
	background = answer(&q, "background");
	watch(&p);
	other = &q;
	before = heap_of(&q);
	retained_before = arena(&q, "GoheapRetained");
	demand(&p, &d);
	after = heap_of(&q);
	retained_after = arena(&q, "GoheapRetained");
	ask(&q, "stats");
	pressed = answer(&q, "pressed") - pressed;
	background = answer(&q, "background") - background;
	intact = ask(&p, "verify");
	other_intact = ask(&q, "verify");
	row(&p, "killed=%llu died=%s other_before=%llu other_after=%llu other_retained_before=%lld "
	    "other_retained_after=%lld other_pressed=%llu other_intact=%d "
	    "heap_before=%llu heap_after=%llu lowest=%llu until_ms=%lld refaults=%llu peak=%llu intact=%d",
	    (unsigned long long)group_figure(g.events, "oom_kill"), d.died ? d.died : "-",
	    (unsigned long long)before, (unsigned long long)after, (long long)retained_before,
	    (long long)retained_after, (unsigned long long)pressed,
	    other_intact, (unsigned long long)d.heap_before, (unsigned long long)heap_of(&p),
	    (unsigned long long)lowest(d.from),
	    until(d.from, GIVEN_BACK),
	    (unsigned long long)d.refaults, (unsigned long long)peak_of(&g), intact);
	print_samples(&p);

	check(!p.dead && !q.dead, &p, "nothing is killed");
	check(intact && other_intact, &p, "what is live is as it was, in both");
	if (is_ours(&p)) {
		/* Its own scavenger may go on meanwhile. */
		check(retained_before > 150 * MIB && !pressed &&
		      retained_after + background == retained_before, &p,
		      "nothing is taken from the group without pressure");
		check(heap_of(&p) <= GIVEN_BACK, &p,
		      "free heap pages are given back in the other");
	}
	program_end(&p);
	program_end(&q);
	group_remove(&g);
	group_remove(&h);
	program_end(&idle);
}

/* c. */

static pid_t stress(uint64_t bytes)
{
	char size[32];
	pid_t pid;
	int fd;

	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	pid = fork();
	if (pid)
		return pid;
	setpgid(0, 0);
	put("/proc/self", "oom_score_adj", "0");
	fd = open("/dev/null", O_RDWR);
	dup2(fd, 1);
	dup2(fd, 2);
	if (chdir("/tmp"))
		_exit(126);
	execl(STRESS_NG, STRESS_NG, "--vm", "2", "--vm-bytes", size, "--vm-keep", "--vm-method",
	      "write64", "--oomable", "--timeout", "100", "--temp-path", "/tmp", NULL);
	_exit(127);
}

static void scenario_c(const char *heap)
{
	uint64_t total = value_in(reread(meminfo_fd), "MemTotal"), kills, from, end;
	uint64_t before, retained_before, at_kill = 0, retained_at_kill = NONE;
	const struct sample *last = NULL;
	struct program p;
	struct group g;
	bool intact, alive, killed;
	int status;
	pid_t pid;

	group_make(&g, "c", NONE);
	program_start(&p, heap, &g, "c");
	watch(&p);
	grow_and_drop(&p, true);
	look();
	kills = samples[nsamples - 1].kills;
	before = heap_of(&p);
	retained_before = arena(&p, "GoheapRetained");
	from = now_ms() - started;
	mark(&p, "stress-ng");
	interval = 10;
	/* Two workers share it: more than there is. */
	pid = stress(total / 10 * 12);
	end = now_ms() + 90000;
	do {
		struct timespec pause = { .tv_nsec = interval * 1000000L };

		last = nsamples ? &samples[nsamples - 1] : NULL;
		nanosleep(&pause, NULL);
		look();
		killed = samples[nsamples - 1].kills != kills;
	} while (!killed && now_ms() < end && waitpid(pid, &status, WNOHANG) == 0);
	if (killed && last) {
		mark(&p, "first OOM kill");
		at_kill = last->heap;
		retained_at_kill = last->retained;
	}
	kill(-pid, SIGKILL);
	while (waitpid(-pid, &status, 0) > 0)
		;
	interval = 50;
	alive = ask(&p, "stats");
	intact = ask(&p, "verify");
	row(&p, "killed=%d died=- kills=%llu heap_before=%llu heap_at_kill=%llu lowest=%llu "
	    "retained_before=%lld retained_at_kill=%lld until_ms=%lld kill_ms=%lld alive=%d intact=%d",
	    !alive, (unsigned long long)(samples[nsamples - 1].kills - kills),
	    (unsigned long long)before, (unsigned long long)at_kill,
	    (unsigned long long)lowest(from), (long long)retained_before, (long long)retained_at_kill,
	    until(from, GIVEN_BACK),
	    last ? (long long)(last->ms - from) : -1LL, alive, intact);
	print_samples(&p);

	check(killed, &p, "memory runs out");
	if (is_ours(&p)) {
		check(retained_before > 200 * MIB, &p, "free pages are there before");
		check(retained_at_kill == 0, &p, "when something is first killed, none is left");
	}
	check(alive && intact, &p, "what is live is as it was");
	program_end(&p);
	group_remove(&g);
}

/* d. */

static void scenario_d(const char *heap)
{
	uint64_t grown, collections, garbage, most, kills;
	bool refused, goes_on, intact;
	struct program p, idle;
	struct group g;

	idle_start(&idle, heap);
	group_make(&g, "d", LIMIT);
	program_start(&p, heap, &g, "d");
	watch(&p);
	if (!ask(&p, "grow 200"))
		bail("%s: the heap does not grow: %s", heap, p.reply);
	ask(&p, "collect");
	ask(&p, "drop 1 2");
	garbage = 200 * MIB - answer(&p, "live");
	ask(&p, "stats");
	collections = answer(&p, "collections");
	mark(&p, "beyond the limit");
	refused = !ask(&p, "grow 400") && !p.dead;
	grown = answer(&p, "grown");
	most = 200 * MIB - garbage + grown;
	if (refused)
		mark(&p, "NULL");
	ask(&p, "stats");
	collections = answer(&p, "collections") - collections;
	ask(&p, "drop 1 2");
	ask(&p, "collect");
	goes_on = ask(&p, "grow 20");
	intact = ask(&p, "verify");
	kills = group_figure(g.events, "oom_kill");
	row(&p, "killed=%llu died=grow refused=%d live_at_null=%llu collections=%lld goes_on=%d intact=%d "
	    "peak=%llu seen=%llu", (unsigned long long)kills, refused,
	    (unsigned long long)(refused ? most : 0),
	    p.dead ? -1LL : (long long)collections, goes_on, intact,
	    (unsigned long long)peak_of(&g), (unsigned long long)value_in(reread(g.events), "max"));
	print_samples(&p);

	check(refused && !kills, &p, "beyond the limit is NULL, and nothing is killed");
	check(most > LIMIT - 16 * MIB, &p, "after all that there was (%llu MiB live of %llu)",
	      (unsigned long long)(most / MIB), LIMIT / MIB);
	if (!strcmp(heap, "goheap"))
		check(collections > 0, &p, "a collection is tried before");
	check(goes_on && intact, &p, "the program goes on");
	program_end(&p);
	group_remove(&g);
	program_end(&idle);
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

	n = readlink("/proc/self/exe", here, sizeof(here) - 1);
	here[n > 0 ? n : 0] = 0;
	if (strrchr(here, '/'))
		*strrchr(here, '/') = 0;
	printf("TAP version 13\n");
	setvbuf(stdout, NULL, _IOLBF, 1 << 16);
	signal(SIGPIPE, SIG_IGN);
	vmstat_fd = open_in("/proc", "vmstat");
	meminfo_fd = open_in("/proc", "meminfo");
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
