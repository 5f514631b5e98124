/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the tests of fork(): a heap to look at from two processes, children that
 * wait for each other, the module's own count of memory.
 */
#ifndef FORKS_H
#define FORKS_H

#include "cgroup.h"

#define MODULE_PARAMETERS "/sys/module/goheap/parameters"

/* A parameter of the module; ~0 if it cannot be read. */
static inline uint64_t fk_parameter(const char *name)
{
	char text[64];

	if (cg_read_file(MODULE_PARAMETERS, name, text, sizeof(text)))
		return ~0ULL;
	return strtoull(text, NULL, 10);
}

/* Memory of all arenas together, system pages. */
static inline uint64_t fk_pages(void)
{
	return fk_parameter("pages");
}

/* Does a parameter come to be @n?  What a process leaves may trail its end: 2 s at most. */
static inline bool fk_becomes(const char *name, uint64_t n)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (fk_parameter(name) == n)
			return true;
		usleep(20000);
	}
	fprintf(stderr, "# %s is %llu, not %llu\n", name,
		(unsigned long long)fk_parameter(name), (unsigned long long)n);
	return false;
}

/* Two spans with known contents, and the figures that belong to them. */
struct heap {
	struct goheap_span a, b;
	struct goheap_arena_stats st;
};

static inline bool heap_make(int fd, struct heap *h)
{
	if (gh_alloc(fd, 64, &h->a) || gh_alloc(fd, 700, &h->b))
		return false;
	gh_fill(gh_ptr(&h->a), gh_bytes(&h->a), 1);
	gh_fill(gh_ptr(&h->b), gh_bytes(&h->b), 2);
	h->st = gh_stats(fd);
	return true;
}

static inline bool heap_holds(const struct heap *h)
{
	return gh_holds(gh_ptr(&h->a), gh_bytes(&h->a), 1) &&
	       gh_holds(gh_ptr(&h->b), gh_bytes(&h->b), 2);
}

/* Faults are counted, and a fork is what brings them. */
static inline bool heap_unchanged(int fd, struct heap *h)
{
	struct goheap_arena_stats st = gh_stats(fd);

	h->st.faults = st.faults;
	return gh_unchanged(&h->st, &st);
}

/* As it was, and it goes on. */
static inline bool heap_ok(int fd, struct heap *h)
{
	struct goheap_span s;

	return heap_unchanged(fd, h) && heap_holds(h) && !gh_alloc(fd, 5, &s) &&
	       !gh_touch(gh_ptr(&s), true) && !gh_free(fd, &s);
}

/* A word from one process to another, once. */
struct signal_pipe {
	int end[2];
};

static inline bool sp_make(struct signal_pipe *p)
{
	return !pipe(p->end);
}

static inline void sp_tell(struct signal_pipe *p)
{
	char c = 1;

	if (write(p->end[1], &c, 1) != 1)
		abort();
}

static inline void sp_wait(struct signal_pipe *p)
{
	char c;

	if (read(p->end[0], &c, 1) != 1)
		_exit(99);
}

/* In a child: which check failed is its exit status. */
#define CHILD_CHECK(n, condition) do {				\
	if (!(condition)) {					\
		fprintf(stderr, "# child: %s\n", #condition);	\
		_exit(n);					\
	}							\
} while (0)

#endif /* FORKS_H */
