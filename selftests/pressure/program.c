// SPDX-License-Identifier: GPL-2.0
/*
 * The program under pressure, in C; program.go is its twin.
 *
 * It does what it is told, a command a line, and answers each with a line of
 * "ok" or "no" and figures.  Sizes are in MiB.
 *
 *	grow N		allocate objects of 64 KiB and fill them; "no" when one
 *			cannot be had
 *	drop A B	keep the first A of every B objects, let go of the others
 *	collect		whatever the heap needs to know that they are free
 *	churn N		allocate objects, fill them and let go of them
 *	read N FILE	read(2) that much of a file
 *	map N		map private memory beside the heap and touch it
 *	verify		is what is live as it was written?
 *	stats		the heap's own figures
 *
 * usage: program PROGRESS: a file of one page, in which it keeps how much has
 * been mapped and touched, for who watches it meanwhile.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap.h"

#define MIB		(1ULL << 20)
#define OBJECT		(64ULL << 10)
#define WORDS		(OBJECT / 8)
#define OBJECTS		(1024 * MIB / OBJECT)

struct object {
	uint64_t *p;
	uint64_t seed;
};

/* Static: libgoheap finds it.  Written once at the start: no page is missing later. */
static struct object table[OBJECTS];
static unsigned int objects;
static uint64_t seeds;
static volatile uint64_t *progress;
static char buffer[1 << 16];

static void fill(const struct object *o)
{
	uint64_t v = o->seed * 0x9e3779b97f4a7c15ULL;
	size_t i;

	for (i = 0; i < WORDS; i++)
		o->p[i] = v + i;
}

static int holds(const struct object *o)
{
	uint64_t v = o->seed * 0x9e3779b97f4a7c15ULL;
	size_t i;

	for (i = 0; i < WORDS; i++)
		if (o->p[i] != v + i)
			return 0;
	return 1;
}

static void grow(uint64_t mib)
{
	uint64_t n = mib * MIB / OBJECT, i;

	for (i = 0; i < n && objects < OBJECTS; i++) {
		struct object *o = &table[objects];

		o->p = heap_alloc(OBJECT);
		if (!o->p)
			break;
		o->seed = ++seeds;
		fill(o);
		objects++;
	}
	printf("%s grown=%llu\n", i == n ? "ok" : "no", (unsigned long long)(i * OBJECT));
}

static void drop(unsigned int keep, unsigned int of)
{
	unsigned int i, left = 0;

	for (i = 0; i < objects; i++) {
		struct object o = table[i];

		table[i].p = NULL;
		if (i % of < keep)
			table[left++] = o;
		else
			heap_free(o.p, OBJECT);
	}
	objects = left;
	printf("ok live=%llu\n", (unsigned long long)(objects * OBJECT));
}

static void churn(uint64_t mib)
{
	uint64_t n = mib * MIB / OBJECT, i;

	for (i = 0; i < n; i++) {
		struct object o = { .p = heap_alloc(OBJECT), .seed = i };

		if (!o.p)
			break;
		fill(&o);
		heap_free(o.p, OBJECT);
	}
	puts(i == n ? "ok" : "no");
}

static void collect(void)
{
	heap_collect();
	puts("ok");
}

static void read_file(uint64_t mib, const char *name)
{
	uint64_t left = mib * MIB;
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0 && left && (n = read(fd, buffer, sizeof(buffer))) > 0)
		left -= (uint64_t)n < left ? (uint64_t)n : left;
	if (fd >= 0)
		close(fd);
	printf("%s read=%llu\n", left ? "no" : "ok", (unsigned long long)(mib * MIB - left));
}

static void map(uint64_t mib)
{
	uint64_t i, bytes = mib * MIB;
	volatile char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);

	if (p == MAP_FAILED) {
		printf("no mapped=0\n");
		return;
	}
	madvise((void *)p, bytes, MADV_NOHUGEPAGE);
	for (i = 0; i < bytes; i += 4096) {
		p[i] = 1;
		*progress += 4096;
	}
	printf("ok mapped=%llu\n", (unsigned long long)bytes);
}

static void verify(void)
{
	unsigned int i, bad = 0;

	for (i = 0; i < objects; i++)
		bad += !holds(&table[i]);
	printf("%s live=%llu bad=%u\n", bad ? "no" : "ok",
	       (unsigned long long)(objects * OBJECT), bad);
}

static void stats(void)
{
	struct heap_figures f;

	heap_read(&f);
	printf("ok inuse=%llu retained=%llu collections=%llu pressed=%llu background=%llu\n",
	       (unsigned long long)f.inuse, (unsigned long long)f.retained,
	       (unsigned long long)f.collections, (unsigned long long)f.pressed,
	       (unsigned long long)f.background);
}

int main(int argc, char **argv)
{
	char line[4200], name[4096];
	unsigned long long n, m;
	int fd;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "program: usage: program PROGRESS\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	progress = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (progress == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	memset(table, 1, sizeof(table));
	memset(table, 0, sizeof(table));
	memset(buffer, 1, sizeof(buffer));
	setvbuf(stdout, NULL, _IOLBF, 4096);
	if (heap_start()) {
		perror("program: the heap");
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "grow %llu", &n) == 1)
			grow(n);
		else if (sscanf(line, "drop %llu %llu", &n, &m) == 2 && m)
			drop(n, m);
		else if (sscanf(line, "churn %llu", &n) == 1)
			churn(n);
		else if (!strcmp(line, "collect\n"))
			collect();
		else if (sscanf(line, "read %llu %4095[^\n]", &n, name) == 2)
			read_file(n, name);
		else if (sscanf(line, "map %llu", &n) == 1)
			map(n);
		else if (!strcmp(line, "verify\n"))
			verify();
		else if (!strcmp(line, "stats\n"))
			stats();
		else
			puts("no such command");
	}
	return 0;
}
