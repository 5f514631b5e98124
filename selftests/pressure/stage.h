/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of stage share: the groups, the programs in them, and what was
 * seen of one of these.
 *
 *	stage.c		the scenarios' names, results, and the beginning
 *	watch.c		groups, and watching
 *	tell.c		programs, and telling them what to do
 *	group.c		scenarios a, b, e and w
 *	machine.c	scenario c
 *	limit.c		scenario d
 */
#ifndef PRESSURE_STAGE_H
#define PRESSURE_STAGE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define MIB		(1ULL << 20)
#define NONE		UINT64_MAX

#define LIMIT		(300 * MIB)
#define GROWN		250ULL		/* MiB */
#define LIVE		30ULL
#define FILES		200ULL
#define ELSEWHERE	100ULL
/* What the heap holds at most when 95 % of what is free went back. */
#define GIVEN_BACK	(LIVE * MIB + (GROWN - LIVE) * MIB / 20)

/**
 * struct group - a memory group
 * @path: its directory
 * @current: memory.current, open
 * @stat: memory.stat
 * @events: memory.events
 */
struct group {
	char path[256];
	int current;
	int stat;
	int events;
};

/**
 * struct program - a program that does what it is told
 * @heap: the heap it is built on
 * @group: where it runs, or NULL
 * @pid: its process
 * @to: its standard input
 * @from: its standard output
 * @fdinfo: of its arena, or -1
 * @mapped: how much it has mapped beside the heap and touched
 * @base: what was charged before the heap grew
 * @dead: it has ended, or was ended
 * @status: how
 * @reply: its last answer
 * @got: the length of that
 */
struct program {
	const char *heap;
	struct group *group;
	pid_t pid;
	int to;
	int from;
	int fdinfo;
	volatile uint64_t *mapped;
	uint64_t base;
	bool dead;
	int status;
	char reply[512];
	size_t got;
};

/**
 * struct sample - what was seen at one moment
 * @ms: when
 * @heap: memory behind the heap
 * @other: and behind that of the other program, if there is one
 * @mapped: beside the heap
 * @retained: behind the arena's free pages
 * @current: charged to the group
 * @file: of this, page cache
 * @refaults: pages of the page cache read again, ever
 * @free: the machine's free memory
 * @kills: what the machine's OOM killer has killed, ever
 */
struct sample {
	uint32_t ms;
	uint64_t heap;
	uint64_t other;
	uint64_t mapped;
	uint64_t retained;
	uint64_t current;
	uint64_t file;
	uint64_t refaults;
	uint64_t free;
	uint64_t kills;
};

/* stage.c */
extern const char *scenario;
extern bool verbose;
extern char here[];

void bail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void check(bool good, const struct program *p, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void row(const struct program *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* watch.c */
extern struct sample samples[];
extern unsigned int nsamples;
extern struct program *other;
extern uint64_t started;
extern int interval;
extern int meminfo;

uint64_t now_ms(void);
bool put(const char *dir, const char *name, const char *value);
int open_in(const char *dir, const char *name);
const char *reread(int fd);
uint64_t value_in(const char *s, const char *key);
uint64_t arena(const struct program *p, const char *key);
void group_make(struct group *g, const char *name, uint64_t limit);
void group_remove(struct group *g);
uint64_t group_figure(int fd, const char *key);
uint64_t charged_to(const struct program *p);
uint64_t heap_of(const struct program *p);
void watch_init(void);
void watch(struct program *p);
void look(void);
void mark(const struct program *p, const char *what);
void print_samples(const struct program *p);
uint64_t peak_of(const struct group *g);
long long until(uint64_t from, uint64_t bytes);
uint64_t lowest(uint64_t from);

/* tell.c */
void program_start(struct program *p, const char *heap, struct group *g, const char *name);
void idle_start(struct program *p, const char *heap);
void program_end(struct program *p);
bool ask(struct program *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t answer(const struct program *p, const char *key);
void grow_and_drop(struct program *p, bool collect);

static inline bool is_ours(const struct program *p)
{
	return p->fdinfo >= 0;
}

/* group.c */
void scenario_a(const char *heap);
void scenario_b(const char *heap);
void scenario_e(const char *heap);
void scenario_w(const char *heap);

/* machine.c */
void scenario_c(const char *heap);

/* limit.c */
void scenario_d(const char *heap);

#endif /* PRESSURE_STAGE_H */
