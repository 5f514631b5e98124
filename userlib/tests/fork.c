// SPDX-License-Identifier: MIT
/*
 * Catches: a parent harmed by its children, a child that cannot exec or, with the
 * heap in the process, cannot use its copy.
 */
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
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

/* The child's heap is a copy; neither sees what the other does. */
static void use_in_child(void)
{
	pid_t pid;

	if (TSAN)
		tap_skip("TSan does not follow a forked child that makes threads");
	if (stats().on_device)
		tap_skip("on the device a child may not use its parent's heap");
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(120);
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
	setup();
	use_in_child();
	use_in_child();
}

CASE(child_of_threads, "so may a child forked while other threads use the heap")
{
	pthread_t thread[2];

	setup();
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, i ? busy : collect_always, NULL));
	for (int i = 0; i < 10; i++)
		use_in_child();
	stop = true;
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(thread[i], NULL));
}

CASE(device_child, "on the device a child that allocates gets an error, not the parent's memory")
{
	pid_t pid;

	setup();
	if (!stats().on_device)
		tap_skip("the heap is in the process");
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(60);
		/* Whatever is in its cache may not be the parent's memory: nothing is served. */
		CHECK_CMP(goheap_alloc(100000), ==, NULL);
		CHECK_CMP(goheap_alloc(100), ==, NULL);
		_exit(0);
	}
	reap(pid);
	collect_hard();
	verify();
}
