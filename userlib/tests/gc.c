// SPDX-License-Identifier: MIT
/* See gc.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gc.h"
#include "tap.h"

#define MAGIC 0x600dca5a600dca5aULL

uint64_t rnd(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static void canary_fill(struct canary *c, unsigned int index)
{
	uint64_t state = index;

	c->magic = MAGIC;
	c->index = index;
	for (size_t i = 0; i < ARRAY_SIZE(c->body); i++)
		/* Odd and small: never the address of an object. */
		c->body[i] = (rnd(&state) & 0xffffffff) | 1;
}

__attribute__((noinline)) struct canary *canary_new(unsigned int index)
{
	struct canary *c = goheap_alloc(sizeof(*c));

	CHECK(c);
	canary_fill(c, index);
	return c;
}

bool canary_ok(const struct canary *c, unsigned int index)
{
	struct canary want;

	if (goheap_base(c) != c)
		return false;
	canary_fill(&want, index);
	return !memcmp(c, &want, sizeof(want));
}

struct thunk {
	void (*fn)(void *);
	void *arg;
};

static void *run_thunk(void *p)
{
	struct thunk *t = p;

	t->fn(t->arg);
	return NULL;
}

void in_thread(void (*fn)(void *), void *arg)
{
	struct thunk t = { fn, arg };
	pthread_t thread;

	CHECK_CMP(pthread_create(&thread, NULL, run_thunk, &t), ==, 0);
	CHECK_CMP(pthread_join(thread, NULL), ==, 0);
}

struct batch {
	void *(*alloc)(size_t);
	size_t size;
	void **place;
	uintptr_t *hidden;
	const uintptr_t *look;
	unsigned int n, alive;
};

static void make_batch(void *p)
{
	struct batch *b = p;

	for (unsigned int i = 0; i < b->n; i++) {
		struct canary *c = b->alloc(b->size);

		CHECK(c);
		if (b->size >= sizeof(*c))
			canary_fill(c, i);
		else
			memset(c, 0x5a, b->size);
		if (b->place)
			b->place[i] = c;
		if (b->hidden)
			b->hidden[i] = hide(c);
	}
}

static void look_canaries(void *p)
{
	struct batch *b = p;

	for (unsigned int i = 0; i < b->n; i++)
		b->alive += canary_ok(reveal(b->look[i]), i);
}

static void look_objects(void *p)
{
	struct batch *b = p;

	for (unsigned int i = 0; i < b->n; i++)
		b->alive += goheap_base(reveal(b->look[i])) == reveal(b->look[i]);
}

void objects_make(void *(*alloc)(size_t), size_t size, void **place, uintptr_t *hidden,
		  unsigned int n)
{
	struct batch b = {
		.alloc = alloc, .size = size, .place = place, .hidden = hidden, .n = n,
	};

	in_thread(make_batch, &b);
}

void canaries_make(void **place, uintptr_t *hidden, unsigned int n)
{
	objects_make(goheap_alloc, sizeof(struct canary), place, hidden, n);
}

unsigned int canaries_alive(const uintptr_t *hidden, unsigned int n)
{
	struct batch b = { .look = hidden, .n = n };

	in_thread(look_canaries, &b);
	return b.alive;
}

unsigned int objects_alive(const uintptr_t *hidden, unsigned int n)
{
	struct batch b = { .look = hidden, .n = n };

	in_thread(look_objects, &b);
	return b.alive;
}

/* Without ASan, which would leave its red zones out. */
__attribute__((noinline, no_sanitize("address"))) void scrub_stack(void)
{
	volatile char waste[64 * 1024];

	for (size_t i = 0; i < sizeof(waste); i++)
		waste[i] = 0;
}

static void do_churn(void *p)
{
	size_t n = *(size_t *)p / sizeof(struct canary);

	for (size_t i = 0; i < n; i++) {
		struct canary *c = goheap_alloc(sizeof(*c));

		CHECK(c);
		memset(c, 0xee, sizeof(*c));
	}
}

void churn(size_t bytes)
{
	in_thread(do_churn, &bytes);
}

void collect_hard(void)
{
	scrub_stack();
	for (int i = 0; i < 3; i++) {
		goheap_collect();
		churn(MIB);
	}
	goheap_collect();
}

struct goheap_stats stats(void)
{
	struct goheap_stats s = { .size = sizeof(s) };

	goheap_read_stats(&s);
	return s;
}

double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

void sleep_ms(unsigned int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms % 1000 * 1000000L;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	/*
	 * Till a point in time: what nanosleep() says is left does not get less
	 * where the next stop signal is pending before the sleep begins.
	 */
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

bool background_line(const char *field, char *out, size_t size)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	bool found = false;

	CHECK(d);
	while (!found && (e = readdir(d))) {
		char path[300], line[256];
		bool ours = false;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			if (!strcmp(line, "Name:\tgoheap\n"))
				ours = true;
			if (ours && !strncmp(line, field, strlen(field))) {
				snprintf(out, size, "%s", line + strlen(field));
				found = true;
			}
		}
		if (f)
			fclose(f);
	}
	closedir(d);
	return found;
}

size_t fewer(size_t n)
{
	const char *less = getenv("GOHEAP_TEST_FEWER");
	size_t by = (less ? strtoul(less, NULL, 10) : 1) * (SANITIZED ? 10 : 1);

	return n / (by ? by : 1);
}
