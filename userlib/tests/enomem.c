// SPDX-License-Identifier: MIT
/*
 * Catches: a request that cannot be served and crashes, hangs, or fails without a
 * collection; a process that is killed for asking; a heap that does not work any
 * more afterwards.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cgroup.h"
#include "gc.h"
#include "tap.h"

struct node {
	struct node *next;
	uint64_t number;
	char room[1008];
};

static struct node *head;

static void arena(uint64_t bytes, int percent)
{
	struct goheap_options o = {
		.size = sizeof(o), .arena_bytes = bytes, .gc_percent = percent,
	};

	CHECK_CMP(goheap_init(&o), ==, 0);
}

/* Grow the list until nothing is left; how long it is then. */
static void fill(void *arg)
{
	uint64_t n = head ? head->number : 0;

	for (;;) {
		struct node *node;

		errno = 0;
		node = goheap_alloc(sizeof(*node));
		if (!node)
			break;
		node->number = ++n;
		node->next = head;
		head = node;
	}
	CHECK_CMP(errno, ==, ENOMEM);
	*(uint64_t *)arg = n;
}

static void do_verify(void *arg)
{
	uint64_t n = *(uint64_t *)arg;

	for (struct node *p = head; p; p = p->next)
		CHECK_CMP(p->number, ==, n--);
	CHECK_CMP(n, ==, 0);
}

static void verify(uint64_t n)
{
	in_thread(do_verify, &n);
}

/* Cuts the links: a stale word that names one node must not keep all behind it. */
static struct node *cut(struct node *list, uint64_t n)
{
	while (list && n--) {
		struct node *next = list->next;

		list->next = NULL;
		list = next;
	}
	return list;
}

static void do_drop(void *arg)
{
	head = cut(head, *(uint64_t *)arg);
}

static void fail_to_grow(void *arg)
{
	(void)arg;
	CHECK_ERR(goheap_alloc(8 * MIB), NULL, ENOMEM);
	CHECK_ERR(goheap_alloc_noscan(8 * MIB), NULL, ENOMEM);
	CHECK_ERR(goheap_realloc(head, 8 * MIB), NULL, ENOMEM);
}

/* All that touches the list does so in threads that end: see gc.h. */
static void fill_and_recover(uint64_t least)
{
	uint64_t n, half, again, gc;

	in_thread(fill, &n);
	CHECK_CMP(n * sizeof(struct node), >=, least);
	/* It had collected before it gave up. */
	gc = stats().num_gc;
	CHECK_CMP(gc, >=, 1);
	verify(n);
	/* And does so each time it is asked. */
	in_thread(fail_to_grow, NULL);
	CHECK_CMP(stats().num_gc, >=, gc + 3);
	verify(n);

	/* Half of it dropped is there again, without a call to collect. */
	half = n / 2;
	in_thread(do_drop, &half);
	verify(n - half);
	in_thread(fill, &again);
	CHECK_CMP(again, >=, n - n / 20);
	verify(again);
	in_thread(do_drop, &again);
	CHECK(!head);
	scrub_stack();
	for (int i = 0; i < 100; i++)
		CHECK(goheap_alloc(MIB));
}

CASE(arena, "a full arena of 32 MiB: ENOMEM after a collection, and all is well after a drop")
{
	arena(32 * MIB, 0);
	fill_and_recover(20 * MIB);
}

CASE(arena_off, "the same with collection switched off but for this", "GOHEAP_GOGC=off")
{
	arena(32 * MIB, -1);
	fill_and_recover(20 * MIB);
}

CASE(hard_limit, "a hard limit: the same, and it is never exceeded")
{
	struct goheap_options o = { .size = sizeof(o), .hard_limit = 32 * MIB };
	struct goheap_stats s;

	if (goheap_init(&o) && errno == EOPNOTSUPP)
		tap_skip("this kernel module has no limits");
	CHECK_CMP(stats().hard_limit, ==, 32 * MIB);
	fill_and_recover(20 * MIB);
	s = stats();
	CHECK_CMP(s.peak_heap_inuse, <=, 32 * MIB);
	CHECK_CMP(s.heap_inuse + s.heap_retained + s.headroom_bytes, <=, 32 * MIB);
}

CASE(hard_limit_env, "GOHEAP_HARDLIMIT: the same", "GOHEAP_HARDLIMIT=24MiB")
{
	if (!goheap_alloc(16))
		tap_skip("this kernel module has no limits");
	CHECK_CMP(stats().hard_limit, ==, 24 * MIB);
	fill_and_recover(14 * MIB);
}

/* What a program does that has been told there is no memory. */
static __attribute__((noinline)) int use_memory(void)
{
	volatile char frame[96 * KIB];
	char *p = malloc(32 * KIB);
	int sum = 0;

	for (size_t i = 0; i < sizeof(frame); i += 512)
		frame[i] = (char)i;
	CHECK(p);
	memset(p, 1, 32 * KIB);
	for (size_t i = 0; i < sizeof(frame); i += 512)
		sum += frame[i] + p[i / 4];
	free(p);
	return sum;
}

static void fill_and_go_on(void *arg)
{
	fill(arg);
	CHECK(use_memory() != -1);
	CHECK_ERR(goheap_alloc(8 * MIB), NULL, ENOMEM);
	CHECK(use_memory() != -1);
}

CASE(cgroup, "a cgroup of 64 MiB: ENOMEM instead of the OOM killer, five times, and room to go on")
{
	uint64_t n = 0, least = 0;

	cg_join(64 * MIB);
	CHECK(goheap_alloc(16));
	if (!stats().on_device)
		tap_skip("the heap is in the process: its memory comes by page faults");
	for (int i = 0; i < 5; i++) {
		in_thread(fill_and_go_on, &n);
		verify(n);
		if (!i)
			least = n - n / 10;
		CHECK_CMP(n, >=, least);
		CHECK_CMP(n * sizeof(struct node), >=, 24 * MIB);
		if (i % 2)
			n /= 2;
		in_thread(do_drop, &n);
	}
	cg_leave();
}

/* A tree that is wide, so that marking it takes a deep stack. */
struct wide {
	struct wide *child[64];
};

static struct wide *top;

static void grow_wide(void *unused)
{
	(void)unused;
	top = goheap_alloc(sizeof(*top));
	for (int i = 0; top && i < 64; i++) {
		struct wide *w = top->child[i] = goheap_alloc(sizeof(*w));

		for (int j = 0; w && j < 64; j++) {
			struct wide *v = w->child[j] = goheap_alloc(sizeof(*v));

			for (int k = 0; v && k < 64; k++)
				v->child[k] = goheap_alloc(64);
		}
	}
}

static void check_wide(void *unused)
{
	(void)unused;
	for (int i = 0; i < 64; i++)
		for (int j = 0; j < 64; j++)
			for (int k = 0; k < 64; k++)
				CHECK(goheap_base(top->child[i]->child[j]->child[k]) ==
				      top->child[i]->child[j]->child[k]);
}

CASE(cgroup_marking, "collections there that must mark much get by with the memory they have")
{
	uint64_t n = 0;

	cg_join(96 * MIB);
	CHECK(goheap_alloc(16));
	if (!stats().on_device)
		tap_skip("the heap is in the process: its memory comes by page faults");
	in_thread(grow_wide, NULL);
	for (int i = 0; i < 3; i++) {
		in_thread(fill_and_go_on, &n);
		in_thread(check_wide, NULL);
		verify(n);
		in_thread(do_drop, &n);
	}
	cg_leave();
}

static void *fill_own(void *arg)
{
	struct node *list = NULL;

	(void)arg;
	for (int round = 0; round < 4; round++) {
		uint64_t n = 0;

		for (;;) {
			struct node *node = goheap_alloc(sizeof(*node));

			if (!node)
				break;
			node->number = ++n;
			node->next = list;
			list = node;
		}
		CHECK_CMP(errno, ==, ENOMEM);
		for (struct node *p = list; p; p = p->next)
			CHECK_CMP(p->number, ==, n--);
		list = cut(list, UINT64_MAX);
	}
	return NULL;
}

CASE(cgroup_threads, "three threads that run into the cgroup's limit, four times each")
{
	pthread_t thread[3];

	cg_join(64 * MIB);
	CHECK(goheap_alloc(16));
	if (!stats().on_device)
		tap_skip("the heap is in the process: its memory comes by page faults");
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, fill_own, NULL));
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(thread[i], NULL));
	cg_leave();
}

#define LIMIT_PAGES	"/sys/module/goheap/parameters/limit_pages"

static unsigned long limit_pages(unsigned long set)
{
	unsigned long was = 0;
	FILE *f = fopen(LIMIT_PAGES, "r+");

	if (!f || fscanf(f, "%lu", &was) != 1)
		tap_skip("the module's limit cannot be changed here");
	rewind(f);
	if (fprintf(f, "%lu\n", set) < 0 || fclose(f))
		tap_skip("the module's limit cannot be changed here");
	return was;
}

CASE(module_limit, "the module's own limit, for all its arenas: the same")
{
	unsigned long was;

	CHECK(goheap_alloc(16));
	if (!stats().on_device)
		tap_skip("the heap is in the process");
	was = limit_pages(48 * MIB / 4096);
	fill_and_recover(24 * MIB);
	limit_pages(was);
	CHECK(goheap_alloc_noscan(96 * MIB));
}

CASE(garbage_only, "garbage alone never fails, collection switched off or not")
{
	arena(32 * MIB, -1);
	for (int i = 0; i < 500000; i++)
		CHECK(goheap_alloc(1000));
	for (int i = 0; i < 200; i++)
		CHECK(goheap_alloc(5 * MIB));
	CHECK_CMP(stats().heap_sys, <=, 32 * MIB);
}

CASE(address_space, "RLIMIT_AS: ENOMEM after a collection, and all is well after a drop")
{
	struct rlimit r;
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages;

	if (SANITIZED)
		tap_skip("the sanitizer's shadow does not fit under such a limit");
	CHECK(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	r.rlim_cur = r.rlim_max = pages * sysconf(_SC_PAGESIZE) + 256 * MIB;
	CHECK(!setrlimit(RLIMIT_AS, &r));
	fill_and_recover(48 * MIB);
}

static size_t volatile big[] = {
	SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 7, SIZE_MAX - 15, SIZE_MAX - 16, SIZE_MAX - 4095,
	SIZE_MAX - 8190, SIZE_MAX - 8191, SIZE_MAX - 8192, SIZE_MAX - 65535, (size_t)PTRDIFF_MAX,
	(size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX - 8191, (size_t)1 << 63, (size_t)1 << 62,
	(size_t)1 << 48, (size_t)1 << 45, ((size_t)1 << 44) + 1,
};

CASE(overflow, "SIZE_MAX, PTRDIFF_MAX and sizes that overflow when rounded: ENOMEM, nothing changed")
{
	char *p = goheap_alloc(100);
	struct goheap_stats s, t;

	s = stats();
	for (size_t i = 0; i < ARRAY_SIZE(big); i++) {
		CHECK_ERR(goheap_alloc(big[i]), NULL, ENOMEM);
		CHECK_ERR(goheap_alloc_noscan(big[i]), NULL, ENOMEM);
		CHECK_ERR(goheap_realloc(NULL, big[i]), NULL, ENOMEM);
		CHECK_ERR(goheap_realloc(p, big[i]), NULL, ENOMEM);
	}
	t = stats();
	CHECK_CMP(t.mallocs, ==, s.mallocs);
	CHECK_CMP(t.total_alloc_bytes, ==, s.total_alloc_bytes);
	CHECK_CMP(t.heap_sys, <=, s.heap_sys);
	CHECK_CMP(goheap_base(p), ==, (void *)p);
	CHECK(goheap_alloc(100));
}

static void *fill_thread(void *arg)
{
	struct node *own = NULL;
	uint64_t n = 0;

	(void)arg;
	for (int round = 0; round < 20; round++) {
		for (;;) {
			struct node *node = goheap_alloc(sizeof(*node));

			if (!node)
				break;
			node->number = ++n;
			node->next = own;
			own = node;
		}
		CHECK_CMP(errno, ==, ENOMEM);
		for (struct node *p = own; p; p = p->next)
			CHECK_CMP(p->number, ==, n--);
		CHECK_CMP(n, ==, 0);
		own = cut(own, UINT64_MAX);
	}
	return NULL;
}

CASE(threads, "four threads that fill the arena and drop what they have, 20 times")
{
	pthread_t thread[4];

	arena(16 * MIB, 0);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, fill_thread, NULL));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
	scrub_stack();
	goheap_collect();
	CHECK_CMP(stats().alloc_bytes, <, 8 * MIB);
}

CASE(small_arena, "the smallest arenas work or are refused, none crashes")
{
	struct goheap_options o = { .size = sizeof(o), .arena_bytes = 1 };

	if (goheap_init(&o)) {
		CHECK(errno == EINVAL || errno == ENOMEM);
		o.arena_bytes = 4 * MIB;
		CHECK_CMP(goheap_init(&o), ==, 0);
	}
	CHECK(goheap_alloc(1000));
	for (int i = 0; i < 100000; i++)
		CHECK(goheap_alloc(1000));
	CHECK_ERR(goheap_alloc(5 * MIB), NULL, ENOMEM);
}
