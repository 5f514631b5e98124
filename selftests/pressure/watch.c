// SPDX-License-Identifier: GPL-2.0
/*
 * Memory groups, and what is seen of the program in one.
 *
 * The files are kept open, and samples have a place of their own: while memory is
 * short nothing is allocated here.
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <time.h>

#include "stage.h"

#define CGROUPS		"/sys/fs/cgroup"
#define SAMPLES		40000

struct sample samples[SAMPLES];
unsigned int nsamples;
struct program *other;
uint64_t started;
int interval = 50;
int meminfo;
static int vmstat;
static struct program *watched;
static char text[65536];

/**
 * now_ms() - the time
 *
 * Return: milliseconds since some moment in the past.
 */
uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/**
 * put() - write to a file of the kernel's
 * @dir: its directory
 * @name: its name
 * @value: what
 *
 * Return: whether it was taken.
 */
bool put(const char *dir, const char *name, const char *value)
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

/**
 * open_in() - open a file for reread()
 * @dir: its directory
 * @name: its name
 *
 * Return: the file, or -1.
 */
int open_in(const char *dir, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/**
 * reread() - the whole of an open file of the kernel's, from its beginning
 * @fd: the file, or -1
 *
 * Return: its text, until the next call.
 */
const char *reread(int fd)
{
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

/**
 * value_in() - the number after a key at the beginning of a line
 * @s: lines
 * @key: the key, without colon
 *
 * Return: the number, kB made bytes; NONE if there is none.
 */
uint64_t value_in(const char *s, const char *key)
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

/**
 * arena() - a figure of the program's arena, from outside
 * @p: the program
 * @key: as in fdinfo
 *
 * Return: the figure, NONE for a heap without an arena.
 */
uint64_t arena(const struct program *p, const char *key)
{
	return p->fdinfo < 0 ? NONE : value_in(reread(p->fdinfo), key);
}

/**
 * group_make() - a memory group
 * @g: filled in
 * @name: to tell it from others
 * @limit: its memory.max, or NONE
 */
void group_make(struct group *g, const char *name, uint64_t limit)
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

/**
 * group_remove() - undo group_make()
 * @g: the group, whose programs have ended
 */
void group_remove(struct group *g)
{
	int tries;

	close(g->current);
	close(g->stat);
	close(g->events);
	for (tries = 0; rmdir(g->path) && tries < 200; tries++)
		usleep(10000);
}

/**
 * charged_to() - what is charged to the program's group but for the page cache
 * @p: a program in a group
 *
 * Return: bytes.
 */
uint64_t charged_to(const struct program *p)
{
	uint64_t current = strtoull(reread(p->group->current), NULL, 10);
	uint64_t file = value_in(reread(p->group->stat), "file");

	return current > file ? current - file : 0;
}

/**
 * heap_of() - memory behind the heap
 * @p: the program, in a group
 *
 * What an arena holds is its own to say.  Otherwise it is what the group is charged
 * for, but for the page cache, what the program began with, and what is mapped
 * beside the heap.  Not the RSS: that falls with the last mapping of a part of a
 * huge page, whose memory stays.
 *
 * Return: bytes.
 */
uint64_t heap_of(const struct program *p)
{
	uint64_t charged, rest = p->base + *p->mapped;

	if (p->dead || !p->group)
		return 0;
	if (p->fdinfo >= 0)
		return arena(p, "GoheapInUse") + value_in(text, "GoheapRetained");
	charged = charged_to(p);
	return charged > rest ? charged - rest : 0;
}

/**
 * look() - take a sample of the watched program
 */
void look(void)
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
	s->free = value_in(reread(meminfo), "MemFree");
	/* Last: what stands above was so before this was. */
	s->kills = value_in(reread(vmstat), "oom_kill");
	nsamples++;
}

/**
 * watch() - begin to take samples
 * @p: of this program
 */
void watch(struct program *p)
{
	watched = p;
	nsamples = 0;
	started = now_ms();
}

/**
 * print_samples() - end of watch(): print what was seen, if that is wanted
 * @p: the program
 */
void print_samples(const struct program *p)
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

/**
 * mark() - note when something happened
 * @p: to which program; only the watched one's story is told
 * @what: what
 */
void mark(const struct program *p, const char *what)
{
	if (verbose && p == watched)
		printf("# mark\t%s\t%s\t%llu\t%s\n", scenario, p->heap,
		       (unsigned long long)(now_ms() - started), what);
}

/**
 * peak_of() - the most that was charged to a group
 * @g: the group
 *
 * Return: bytes.
 */
uint64_t peak_of(const struct group *g)
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

/**
 * until() - how long the heap took to shrink
 * @from: milliseconds of watching
 * @bytes: to what
 *
 * Return: milliseconds from @from until the heap was at most @bytes; -1 for never.
 */
long long until(uint64_t from, uint64_t bytes)
{
	unsigned int i;

	for (i = 0; i < nsamples; i++)
		if (samples[i].ms >= from && samples[i].heap <= bytes && samples[i].heap)
			return (long long)(samples[i].ms - from);
	return -1;
}

/**
 * lowest() - the least that the heap held while the program lived
 * @from: milliseconds of watching
 *
 * Return: bytes.
 */
uint64_t lowest(uint64_t from)
{
	uint64_t least = NONE;
	unsigned int i;

	for (i = 0; i < nsamples; i++)
		if (samples[i].ms >= from && samples[i].heap && samples[i].heap < least)
			least = samples[i].heap;
	return least == NONE ? 0 : least;
}

/**
 * group_figure() - a figure of a group
 * @fd: group::stat or group::events
 * @key: its name
 *
 * Return: the figure.
 */
uint64_t group_figure(int fd, const char *key)
{
	return value_in(reread(fd), key);
}

/**
 * watch_init() - open what look() looks at
 */
void watch_init(void)
{
	vmstat = open_in("/proc", "vmstat");
	meminfo = open_in("/proc", "meminfo");
}
