// SPDX-License-Identifier: MIT
/*
 * What profile.py looks at: programs that allocate a known number of objects in
 * functions with known names, and write a profile.
 *
 *	profile-sites MODE FILE
 *
 * It says on stdout what should be found: a line for each function, with the objects and
 * bytes ever allocated, and those that live.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

/* Neither inlined nor cloned under another name. */
#if __has_attribute(noipa)
#define NOINLINE __attribute__((noipa))
#else
#define NOINLINE __attribute__((noinline))
#endif
/* Calls before it are not the last thing a function does: it stays on the stack. */
#define STAY() __asm__ volatile("" ::: "memory")

/* tap.h's, for a program that is no test itself. */
void tap_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

#define ROOM 400000
static void *volatile keep[ROOM];
static size_t kept;

static void keep_it(void *p)
{
	CHECK(p);
	keep[kept++ % ROOM] = p;
}

static void expect(const char *function, uint64_t objects, size_t size, uint64_t live)
{
	printf("%s %llu %llu %llu %llu\n", function, (unsigned long long)objects,
	       (unsigned long long)objects * size, (unsigned long long)live,
	       (unsigned long long)live * size);
}

static NOINLINE void site_kept(int n)
{
	for (int i = 0; i < n; i++)
		keep_it(goheap_alloc(100));
	STAY();
}

static NOINLINE void site_noscan(int n)
{
	for (int i = 0; i < n; i++)
		keep_it(goheap_alloc_noscan(1000));
	STAY();
}

static NOINLINE void site_large(int n)
{
	for (int i = 0; i < n; i++)
		keep_it(goheap_alloc(100000));
	STAY();
}

static NOINLINE void site_freed(int n)
{
	for (int i = 0; i < n; i++)
		goheap_free(goheap_alloc(200000));
	STAY();
}

/* Each in the slot of the one before. */
static NOINLINE void site_reused(int n)
{
	for (int i = 0; i < n; i++)
		goheap_free(goheap_alloc(300));
	STAY();
}

static NOINLINE void site_typed(int n)
{
	static const uint64_t pointers[] = { 1 };
	static const struct goheap_type type = {
		.size = 40, .pointers = pointers, .name = "five words",
	};

	for (int i = 0; i < n; i++)
		keep_it(goheap_alloc_typed(&type, 10));
	STAY();
}

static NOINLINE void site_realloc(int n)
{
	for (int i = 0; i < n; i++)
		keep_it(goheap_realloc(NULL, 3000));
	STAY();
}

/* Two of eight bytes share a block. */
static NOINLINE void site_tiny(int n)
{
	for (int i = 0; i < n; i++)
		keep_it(goheap_alloc_noscan(8));
	STAY();
}

static NOINLINE void site_young(int n)
{
	for (int i = 0; i < n; i++)
		keep_it(goheap_alloc(500));
	STAY();
}

static NOINLINE void site_garbage(int n)
{
	for (int i = 0; i < n; i++)
		goheap_alloc(64);
	STAY();
}

static void make_garbage(void *n)
{
	site_garbage((int)(intptr_t)n);
}

static NOINLINE void in_levels(int level)
{
	if (level) {
		in_levels(level - 1);
		STAY();
		return;
	}
	site_kept(1000);
	STAY();
}

static void write_profile(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	CHECK(fd >= 0);
	CHECK_CMP(goheap_write_heap_profile(fd), ==, 0);
	CHECK(!close(fd));
}

static void start(int64_t rate)
{
	struct goheap_options o = { .size = sizeof(o), .profile_rate = rate, .gc_percent = -1 };

	CHECK_CMP(goheap_init(&o), ==, 0);
}

/* Every object is sampled: the figures are exact, but for garbage held by chance. */
static void every_object(const char *file)
{
	start(1);
	in_levels(3);
	site_noscan(200);
	site_large(20);
	site_freed(10);
	site_reused(1000);
	site_typed(60);
	site_realloc(30);
	site_tiny(1000);
	in_thread(make_garbage, (void *)2000);
	scrub_stack();
	goheap_collect();
	site_young(70);
	write_profile(file);
	expect("site_kept", 1000, 112, 1000);
	expect("site_noscan", 200, 1024, 200);
	expect("site_large", 20, 106496, 20);
	expect("site_freed", 10, 204800, 0);
	expect("site_reused", 1000, 320, 0);
	expect("site_typed", 60, 416, 60);
	expect("site_realloc", 30, 3072, 30);
	expect("site_tiny", 500, 16, 500);
	expect("site_garbage", 2000, 64, 0);
	expect("site_young", 70, 512, 0);
}

/* No collection has run: all that was allocated is in use. */
static void never_collected(const char *file)
{
	start(1);
	site_young(70);
	make_garbage((void *)300);
	site_reused(1000);
	site_freed(10);
	write_profile(file);
	expect("site_reused", 1000, 320, 0);
	expect("site_freed", 10, 204800, 0);
	expect("site_young", 70, 512, 70);
	expect("site_garbage", 300, 64, 300);
}

/* Figures follow what is freed later, and what was young grows old. */
static void later(const char *file)
{
	start(1);
	site_young(70);
	goheap_collect();
	site_young(30);
	site_kept(50);
	goheap_collect();
	write_profile(file);
	for (size_t i = 0; i < kept; i++)
		keep[i] = NULL;
	scrub_stack();
	collect_hard();
	goheap_collect();
	write_profile(file);
	expect("site_young", 100, 512, 0);
	expect("site_kept", 50, 112, 0);
}

/*
 * Of 64 KiB one byte is sampled: some 6,000 samples.  Every hundred small objects there
 * is one of another class, which must not take over what was due to the small ones.
 */
static NOINLINE void site_often(int n)
{
	for (int i = 0; i < n; i++)
		goheap_alloc(112);
	STAY();
}

static NOINLINE void site_seldom(int n)
{
	for (int i = 0; i < n; i++)
		goheap_alloc(4000);
	STAY();
}

static NOINLINE void site_big(int n)
{
	for (int i = 0; i < n; i++)
		goheap_alloc(300000);
	STAY();
}

/* Where code runs slowly. */
static int slowness(void)
{
	return getenv("GOHEAP_TEST_SECONDS") ? 10 : 1;
}

static void some_objects(const char *file, int64_t rate)
{
	const int turns = 20000 / slowness();

	if (rate) {
		struct goheap_options o = { .size = sizeof(o), .profile_rate = rate };

		CHECK_CMP(goheap_init(&o), ==, 0);
	}
	for (int i = 0; i < turns; i++) {
		site_often(100);
		site_seldom(1);
		if (i % 50 == 0)
			site_big(1);
	}
	write_profile(file);
	expect("site_often", turns * 100, 112, 0);
	expect("site_seldom", turns, 4096, 0);
	expect("site_big", turns / 50, 303104, 0);
}

/* Threads that end with most of their slots not used, thousands of them. */
static void short_life(void *arg)
{
	(void)arg;
	site_often(20);
	site_seldom(2);
}

static void short_lives(const char *file)
{
	const int threads = 3000 / slowness();

	start(8192);
	for (int i = 0; i < threads; i++)
		in_thread(short_life, NULL);
	write_profile(file);
	expect("site_often", threads * 20, 112, 0);
	expect("site_seldom", threads * 2, 4096, 0);
}

static atomic_int stop;

static void *churn_and_free(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!stop) {
		goheap_alloc(rnd(&seed) % 2000);
		if (rnd(&seed) % 16 == 0)
			goheap_free(goheap_alloc(40000));
		if (rnd(&seed) % 64 == 0)
			goheap_collect();
	}
	return NULL;
}

/* Profiles are written while threads allocate, free and collect; all is gone at the end. */
static void at_once(const char *file)
{
	struct goheap_options o = { .size = sizeof(o), .profile_rate = 100 };
	pthread_t thread[3];

	CHECK_CMP(goheap_init(&o), ==, 0);
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, churn_and_free, (void *)(intptr_t)i));
	for (int i = 0; i < (SANITIZED ? 20 : 100 / slowness()); i++) {
		write_profile(file);
		site_kept(10);
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(thread[i], NULL));
	scrub_stack();
	collect_hard();
	write_profile(file);
	expect("churn_and_free", 0, 0, 0);
}

static void *linger(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/*
 * TSan leaves a child alone whose parent had more than one thread; else it goes on
 * watching, and does not know that the locks are made anew there.
 */
static pid_t fork_watched(void)
{
	pthread_t thread;

	if (TSAN)
		CHECK(!pthread_create(&thread, NULL, linger, NULL));
	return fork();
}

/* A forked child has its parent's samples, and goes on. */
static void forked(const char *file)
{
	int status;
	pid_t child;

	start(1);
	site_kept(100);
	child = fork_watched();
	CHECK(child >= 0);
	if (!child) {
		site_noscan(50);
		goheap_collect();
		write_profile(file);
		expect("site_kept", 100, 112, 100);
		expect("site_noscan", 50, 1024, 50);
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* GOHEAP_PROFILE is set, and the rate; a child ends by exit(), too. */
static void at_exit(void)
{
	int status;
	pid_t child;

	site_kept(100);
	child = fork_watched();
	CHECK(child >= 0);
	if (!child)
		exit(0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	printf("pids %d %d\n", getpid(), child);
	site_noscan(50);
	in_thread(make_garbage, (void *)2000);
	scrub_stack();
	expect("site_kept", 100, 112, 100);
	expect("site_noscan", 50, 1024, 50);
	expect("site_garbage", 2000, 64, 0);
}

static void errors(void)
{
	struct goheap_options o = { .size = sizeof(o), .profile_rate = INT64_MAX };
	int fd = open("/dev/full", O_WRONLY);

	CHECK_ERR(goheap_init(&o), -1, EINVAL);
	start(1);
	site_kept(10);
	CHECK(fd >= 0);
	CHECK_ERR(goheap_write_heap_profile(-1), -1, EBADF);
	CHECK_ERR(goheap_write_heap_profile(fd), -1, ENOSPC);
	/* The memory is given back each time: else a thousand would be too many. */
	for (int i = 0; i < 1000; i++)
		CHECK_ERR(goheap_write_heap_profile(-1), -1, EBADF);
	CHECK_CMP(stats().profile_sys, >, 0);
}

/* For probes.sh: collections by the heap's size, then three by request. */
static void collections(void)
{
	struct goheap_stats s;

	site_kept(1000);
	site_garbage(300000);
	for (int i = 0; i < 3; i++)
		goheap_collect();
	s = stats();
	printf("collections %llu forced %llu live %llu\n", (unsigned long long)s.num_gc,
	       (unsigned long long)s.num_forced_gc, (unsigned long long)s.live_bytes);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "", *file = argc > 2 ? argv[2] : "";

	if (!strcmp(mode, "every_object"))
		every_object(file);
	else if (!strcmp(mode, "never_collected"))
		never_collected(file);
	else if (!strcmp(mode, "later"))
		later(file);
	else if (!strcmp(mode, "some_objects"))
		some_objects(file, 65536);
	else if (!strcmp(mode, "by_default"))
		some_objects(file, 0);
	else if (!strcmp(mode, "short_lives"))
		short_lives(file);
	else if (!strcmp(mode, "at_once"))
		at_once(file);
	else if (!strcmp(mode, "forked"))
		forked(file);
	else if (!strcmp(mode, "at_exit"))
		at_exit();
	else if (!strcmp(mode, "collections"))
		collections();
	else if (!strcmp(mode, "errors"))
		errors();
	else
		return 2;
	return 0;
}
