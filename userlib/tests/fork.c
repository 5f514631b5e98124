// SPDX-License-Identifier: MIT
/*
 * Catches: a parent harmed by its children, a child that cannot exec or, with the
 * heap in the process, cannot use its copy.
 */
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { N = 1000 };

extern char **environ;

static struct canary *held[N];

static void setup(void)
{
	for (int i = 0; i < N; i++)
		held[i] = canary_new(i);
}

static void verify(void)
{
	for (int i = 0; i < N; i++)
		CHECK(canary_ok(held[i], i));
}

static void reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		CHECK_CMP(errno, ==, EINTR);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		tap_fail(__FILE__, __LINE__, "child's status %#x", status);
}

static void spawn_all_ways(int round)
{
	char *const argv[] = { "true", NULL };
	pid_t pid;

	switch (round % 4) {
	case 0:
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			execvp(argv[0], argv);
			_exit(127);
		}
		break;
	case 1:
		CHECK(!posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ));
		break;
	case 2:
		pid = fork();
		CHECK(pid >= 0);
		if (!pid)
			_exit(0);
		break;
	default:
		CHECK_CMP(system("true"), ==, 0);
		return;
	}
	reap(pid);
}

/*
 * Until all that there will be run: a thread calls malloc() as it starts, and the
 * child of a fork() just then may find its lock taken for ever.  ASan's allocator,
 * unlike glibc's, does not see to that.
 */
static void wait_for_threads(unsigned int n)
{
	char name[64];

	goheap_collect();
	while (stats().threads < n || !background_line("Name:", name, sizeof(name)))
		sleep_ms(1);
}

CASE(exec, "children that exec, are spawned, or exit do the parent no harm")
{
	setup();
	for (int i = 0; i < 12; i++) {
		spawn_all_ways(i);
		collect_hard();
		verify();
	}
}

static atomic_bool stop;

static void *busy(void *arg)
{
	(void)arg;
	while (!stop) {
		void *volatile p[64];

		for (int i = 0; i < 64; i++)
			p[i] = canary_new(i);
		for (int i = 0; i < 64; i++)
			CHECK(canary_ok(p[i], i));
	}
	return NULL;
}

static void *collect_always(void *arg)
{
	(void)arg;
	while (!stop)
		goheap_collect();
	return NULL;
}

CASE(threads, "the same while other threads allocate and collect")
{
	pthread_t thread[3];

	setup();
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, i ? busy : collect_always, NULL));
	for (int i = 0; i < 40; i++)
		spawn_all_ways(i);
	stop = true;
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(thread[i], NULL));
	collect_hard();
	verify();
}

/* Does the heap go along?  It does not with a device whose kernel cannot copy it. */
static bool child_has_heap(void)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		_exit(!goheap_alloc(100000));
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	CHECK(WIFEXITED(status));
	return !WEXITSTATUS(status);
}

static void needs_heap(void)
{
	if (TSAN)
		tap_skip("TSan does not follow a forked child that makes threads");
	CHECK(goheap_alloc(16));
	if (!child_has_heap())
		tap_skip("this kernel module leaves a child without a heap");
}

/* The child's heap is a copy; neither sees what the other does. */
static void use_in_child(void)
{
	pid_t pid;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(120);
		CHECK_CMP(stats().threads, ==, 1);
		verify();
		for (int i = 0; i < 20000; i++)
			CHECK(goheap_alloc(200));
		for (int i = 0; i < N; i += 2)
			held[i] = canary_new(i);
		for (int i = 0; i < 3; i++) {
			goheap_collect();
			churn(MIB);
		}
		verify();
		_exit(0);
	}
	for (int i = 1; i < N; i += 2)
		held[i] = canary_new(i);
	collect_hard();
	verify();
	reap(pid);
	verify();
}

CASE(child, "a child of a process with one thread may allocate, collect and make threads")
{
	needs_heap();
	setup();
	use_in_child();
	use_in_child();
}

static pthread_t others[3];

static void start_others(void)
{
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&others[i], NULL, i ? busy : collect_always, NULL));
	wait_for_threads(4);
}

static void stop_others(void)
{
	stop = true;
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(others[i], NULL));
}

CASE(child_of_threads, "so may a child forked while other threads use the heap")
{
	needs_heap();
	setup();
	start_others();
	for (int i = 0; i < 10; i++)
		use_in_child();
	stop_others();
}

CASE(many, "200 in a row, while threads allocate and collect: each finds all, and can go on")
{
	needs_heap();
	setup();
	start_others();
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid) {
			alarm(120);
			verify();
			for (int j = 0; j < 300; j++)
				held[j] = canary_new(j);
			if (i % 10 == 0)
				goheap_collect();
			verify();
			_exit(0);
		}
		held[i] = canary_new(i);
		reap(pid);
		if (i % 20 == 0)
			verify();
	}
	stop_others();
	collect_hard();
	verify();
}

static void nest(int depth)
{
	pid_t pid;

	verify();
	for (int i = depth; i < N; i += 6)
		held[i] = canary_new(i);
	if (!depth)
		return;
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(120);
		nest(depth - 1);
		collect_hard();
		verify();
		_exit(0);
	}
	churn(MIB);
	goheap_collect();
	verify();
	reap(pid);
	verify();
}

CASE(nested, "children of children, five deep")
{
	needs_heap();
	setup();
	nest(5);
}

static struct node {
	struct node *next;
	uint64_t number;
} *list;

static void check_list(uint64_t n)
{
	for (struct node *p = list; p; p = p->next)
		CHECK_CMP(p->number, ==, n--);
	CHECK_CMP(n, ==, 0);
}

CASE(mid_collection, "forked in the middle of collections that take long")
{
	enum { NODES = 100000 };
	pthread_t thread;

	needs_heap();
	for (uint64_t i = 1; i <= NODES; i++) {
		struct node *node = goheap_alloc(sizeof(*node));

		CHECK(node);
		node->number = i;
		node->next = list;
		list = node;
	}
	CHECK(!pthread_create(&thread, NULL, collect_always, NULL));
	wait_for_threads(2);
	for (int i = 0; i < 20; i++) {
		pid_t pid;

		sleep_ms(i);
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			alarm(120);
			check_list(NODES);
			churn(MIB);
			goheap_collect();
			check_list(NODES);
			_exit(0);
		}
		reap(pid);
	}
	stop = true;
	CHECK(!pthread_join(thread, NULL));
	check_list(NODES);
}

/* Both sides change the same objects, several threads each. */
enum { WORDS = 200000, WRITERS = 3 };

static uint64_t **words;

static void *write_words(void *arg)
{
	uint64_t side = (uint64_t)(uintptr_t)arg >> 8, me = (uintptr_t)arg & 0xff;
	uint64_t random = side * 1000 + me;

	for (int i = 0; i < 20000; i++) {
		uint64_t w = rnd(&random) % (WORDS / WRITERS) * WRITERS + me;

		*words[w] = side << 32 | w;
		if (i % 64 == 0) {
			words[w] = goheap_alloc(64);
			CHECK(words[w]);
			*words[w] = side << 32 | w;
		}
	}
	return NULL;
}

static void write_and_check(uint64_t side)
{
	pthread_t thread[WRITERS];

	for (uintptr_t i = 0; i < WRITERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, write_words, (void *)(side << 8 | i)));
	for (int i = 0; i < WRITERS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	goheap_collect();
	for (uint64_t w = 0; w < WORDS; w++) {
		uint64_t from = *words[w] >> 32;

		CHECK_CMP(*words[w] & UINT32_MAX, ==, w);
		/* Before the fork, or here; never the other's. */
		CHECK(from == 0 || from == side);
	}
}

CASE(diverge, "parent and child write the same objects, three threads each: neither sees the other's")
{
	pid_t pid;

	needs_heap();
	words = goheap_alloc(WORDS * sizeof(*words));
	CHECK(words);
	for (uint64_t w = 0; w < WORDS; w++) {
		words[w] = goheap_alloc(64);
		CHECK(words[w]);
		*words[w] = w;
	}
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(300);
		write_and_check(1);
		_exit(0);
	}
	write_and_check(2);
	reap(pid);
	write_and_check(2);
}

CASE(use_and_exec, "a child that has used its heap may exec, and spawn")
{
	char *const argv[] = { "true", NULL };
	pid_t pid, spawned;

	needs_heap();
	setup();
	for (int i = 0; i < 5; i++) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			verify();
			churn(MIB);
			goheap_collect();
			CHECK(!posix_spawnp(&spawned, argv[0], NULL, NULL, argv, environ));
			reap(spawned);
			execvp(argv[0], argv);
			_exit(127);
		}
		reap(pid);
		verify();
	}
}

/* A span for each object: its maker is seldom without one in its hands. */
static void *change_spans(void *arg)
{
	(void)arg;
	while (!stop) {
		void *p = goheap_alloc_noscan(40 * KIB), *q = goheap_alloc_noscan(40 * KIB);

		CHECK(p && q);
		goheap_free(p);
	}
	return NULL;
}

CASE(spans, "what other threads are doing with spans is done, or not begun, in the child: none is lost")
{
	uint64_t before;
	pthread_t thread[2];

	needs_heap();
	setup();
	goheap_collect();
	before = stats().heap_inuse;
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, change_spans, NULL));
	wait_for_threads(3);
	for (int i = 0; i < 150; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid) {
			alarm(120);
			goheap_collect();
			goheap_collect();
			CHECK_CMP(stats().heap_inuse, <=, before + 32 * KIB);
			for (int j = 0; j < 20; j++)
				CHECK(goheap_alloc_noscan(40 * KIB));
			verify();
			_exit(0);
		}
		reap(pid);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(thread[i], NULL));
}

static uintptr_t theirs[N];
static pthread_barrier_t barrier;

/* Holds objects that nothing else does. */
static void *hold_on_stack(void *arg)
{
	void *volatile mine[N];

	(void)arg;
	for (int i = 0; i < N; i++) {
		mine[i] = canary_new(i);
		theirs[i] = hide(mine[i]);
	}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < N; i++)
		CHECK(canary_ok(mine[i], i));
	return NULL;
}

CASE(stacks, "what only another thread's stack holds is garbage in the child, and lives in the parent")
{
	pthread_t thread;
	pid_t pid;

	needs_heap();
	setup();
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, hold_on_stack, NULL));
	pthread_barrier_wait(&barrier);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(120);
		collect_hard();
		CHECK_CMP(canaries_alive(theirs, N), <=, N / 10);
		verify();
		_exit(0);
	}
	collect_hard();
	CHECK_CMP(canaries_alive(theirs, N), ==, N);
	reap(pid);
	pthread_barrier_wait(&barrier);
	CHECK(!pthread_join(thread, NULL));
}

static void *fork_here(void *arg)
{
	pid_t pid = fork();

	(void)arg;
	CHECK(pid >= 0);
	if (!pid) {
		void *volatile mine = canary_new(7);

		alarm(120);
		verify();
		collect_hard();
		verify();
		CHECK(canary_ok(mine, 7));
		use_in_child();
		_exit(0);
	}
	reap(pid);
	return NULL;
}

CASE(from_thread, "a thread other than the main one may fork, and its child has the heap")
{
	pthread_t thread;

	needs_heap();
	setup();
	for (int i = 0; i < 5; i++) {
		CHECK(!pthread_create(&thread, NULL, fork_here, NULL));
		CHECK(!pthread_join(thread, NULL));
	}
	verify();
}

/* Take the heap from children to come, where the kernel would copy it. */
static void keep_from_children(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long from, to;

		if (strstr(line, "goheap") && sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    (uintptr_t)held[0] - from < to - from)
			CHECK(!madvise((void *)from, to - from, MADV_DONTFORK));
	}
	fclose(f);
}

CASE(device_child, "a child without the heap gets errors, not the parent's memory, and may exec")
{
	char *const argv[] = { "true", NULL };
	pid_t pid;

	setup();
	if (!stats().on_device)
		tap_skip("the heap is in the process");
	keep_from_children();
	for (int i = 0; i < 2; i++) {
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			alarm(60);
			/* Whatever is in its cache may not be the parent's memory: nothing is served. */
			CHECK_CMP(goheap_alloc(100000), ==, NULL);
			CHECK_CMP(goheap_alloc(100), ==, NULL);
			goheap_collect();
			if (i)
				execvp(argv[0], argv);
			_exit(i);
		}
		reap(pid);
	}
	collect_hard();
	verify();
}
