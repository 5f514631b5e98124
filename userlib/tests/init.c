// SPDX-License-Identifier: MIT
/*
 * Catches: options or environment variables that are taken wrongly, refused
 * without the documented errno, or ignored in silence.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

static bool have_device(void)
{
	return access("/dev/goheap", R_OK | W_OK) == 0;
}

CASE(null, "NULL takes the environment's settings", "GOHEAP_GOGC=73", "GOHEAP_MEMLIMIT=123MiB")
{
	CHECK_CMP(goheap_init(NULL), ==, 0);
	CHECK_CMP(stats().gc_percent, ==, 73);
	CHECK_CMP(stats().memory_limit, ==, 123 * MIB);
	CHECK(goheap_alloc(16));
}

CASE(zeroed, "zeroed fields leave the environment in force", "GOHEAP_GOGC=73",
     "GOHEAP_MEMLIMIT=123456789")
{
	struct goheap_options o = { .size = sizeof(o) };

	CHECK_CMP(goheap_init(&o), ==, 0);
	CHECK_CMP(stats().gc_percent, ==, 73);
	CHECK_CMP(stats().memory_limit, ==, 123456789);
}

CASE(override, "fields that are set go before the environment", "GOHEAP_GOGC=73",
     "GOHEAP_MEMLIMIT=1GiB", "GOHEAP_DEVICE=auto")
{
	struct goheap_options o = {
		.size = sizeof(o), .gc_percent = 250, .memory_limit = 99 * MIB,
		.device = GOHEAP_DEVICE_NEVER, .arena_bytes = 256 * MIB,
	};

	CHECK_CMP(goheap_init(&o), ==, 0);
	CHECK_CMP(stats().gc_percent, ==, 250);
	CHECK_CMP(stats().memory_limit, ==, 99 * MIB);
	CHECK(goheap_alloc(16));
	CHECK_CMP(stats().on_device, ==, 0);
	/* More than the arena. */
	CHECK_ERR(goheap_alloc(300 * MIB), NULL, ENOMEM);
	CHECK(goheap_alloc(100 * MIB));
}

CASE(off, "a negative gc_percent switches collection off")
{
	struct goheap_options o = { .size = sizeof(o), .gc_percent = -5 };

	CHECK_CMP(goheap_init(&o), ==, 0);
	CHECK_CMP(stats().gc_percent, <, 0);
	for (int i = 0; i < 20; i++)
		CHECK(goheap_alloc(MIB));
	CHECK_CMP(stats().num_gc, ==, 0);
}

CASE(twice, "EBUSY when the heap has been started")
{
	struct goheap_options o = { .size = sizeof(o), .gc_percent = 200 };

	CHECK_CMP(goheap_init(NULL), ==, 0);
	CHECK_ERR(goheap_init(NULL), -1, EBUSY);
	CHECK_ERR(goheap_init(&o), -1, EBUSY);
	CHECK_CMP(stats().gc_percent, ==, 100);
}

CASE(late, "EBUSY after the first allocation has started it")
{
	CHECK(goheap_alloc(16));
	CHECK_ERR(goheap_init(NULL), -1, EBUSY);
}

CASE(einval, "EINVAL for fields out of range; the heap can be started afterwards")
{
	struct {
		struct goheap_options o;
		char more[64];
	} big;
	struct goheap_options good = { .size = sizeof(good) }, o;

	o = good;
	o.size = 0;
	CHECK_ERR(goheap_init(&o), -1, EINVAL);
	o.size = sizeof(size_t) - 1;
	CHECK_ERR(goheap_init(&o), -1, EINVAL);
	o = good;
	o.memory_limit = -1;
	CHECK_ERR(goheap_init(&o), -1, EINVAL);
	o.memory_limit = INT64_MIN;
	CHECK_ERR(goheap_init(&o), -1, EINVAL);
	o = good;
	o.device = 3;
	CHECK_ERR(goheap_init(&o), -1, EINVAL);
	o.device = -1;
	CHECK_ERR(goheap_init(&o), -1, EINVAL);
	o = good;
	o.arena_bytes = UINT64_MAX;
	CHECK_ERR(goheap_init(&o), -1, EINVAL);
	o.arena_bytes = (uint64_t)1 << 45;	/* over 16 TiB */
	CHECK_ERR(goheap_init(&o), -1, EINVAL);

	/* A newer program's field that this library does not know must not be lost in silence. */
	memset(&big, 0, sizeof(big));
	big.o.size = sizeof(big);
	big.more[60] = 1;
	CHECK_ERR(goheap_init(&big.o), -1, EINVAL);
	big.more[60] = 0;
	CHECK_CMP(goheap_init(&big.o), ==, 0);
	CHECK(goheap_alloc(16));
}

CASE(no_device, "ENODEV when the device is required and there is none")
{
	struct goheap_options o = { .size = sizeof(o), .device = GOHEAP_DEVICE_REQUIRE };

	if (have_device())
		tap_skip("there is a device here");
	CHECK_ERR(goheap_init(&o), -1, ENODEV);
	CHECK_ERR(goheap_init(&o), -1, ENODEV);
	o.device = GOHEAP_DEVICE_AUTO;
	/* The environment may say require, too. */
	o.device = GOHEAP_DEVICE_NEVER;
	CHECK_CMP(goheap_init(&o), ==, 0);
	CHECK(goheap_alloc(16));
	CHECK_CMP(stats().on_device, ==, 0);
}

CASE(env_require, "GOHEAP_DEVICE=require: the same, and an allocation fails", "GOHEAP_DEVICE=require")
{
	if (have_device()) {
		CHECK_CMP(goheap_init(NULL), ==, 0);
		CHECK_CMP(stats().on_device, ==, 1);
		return;
	}
	CHECK_ERR(goheap_init(NULL), -1, ENODEV);
	CHECK_ERR(goheap_alloc(16), NULL, ENOMEM);
	CHECK_CMP(goheap_base(&errno), ==, NULL);
	goheap_collect();
	goheap_free(&errno);
}

CASE(env_never, "GOHEAP_DEVICE=never: the process's memory, device or not", "GOHEAP_DEVICE=never")
{
	CHECK(goheap_alloc(16));
	CHECK_CMP(stats().on_device, ==, 0);
}

CASE(device_here, "with a device it is used", "GOHEAP_DEVICE=auto")
{
	if (!have_device())
		tap_skip("no /dev/goheap");
	CHECK(goheap_alloc(16));
	CHECK_CMP(stats().on_device, ==, 1);
}

/* What the environment may say; what the library should make of it. */
HELPER(show_settings)
{
	CHECK(goheap_alloc(16));
	fprintf(stderr, "percent %d limit %lld\n", stats().gc_percent,
		(long long)stats().memory_limit);
}

static char text[65536];

static int count(const char *what)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void settings(const char *env, int percent, long long limit)
{
	const char *const e[] = { env, NULL };
	int status = tap_run_helper("show_settings", e, text, sizeof(text));
	const char *at = strstr(text, "percent ");
	long long got_limit = 0;
	int got = 0;

	if (!WIFEXITED(status) || WEXITSTATUS(status) || !at)
		tap_fail(__FILE__, __LINE__, "%s: status %#x: %.300s", env, status, text);
	CHECK_CMP(sscanf(at, "percent %d limit %lld", &got, &got_limit), ==, 2);
	if ((percent < 0 ? got >= 0 : got != percent) || got_limit != limit)
		tap_fail(__FILE__, __LINE__, "%s: percent %d limit %lld", env, got, got_limit);
}

CASE(env_values, "GOHEAP_GOGC and GOHEAP_MEMLIMIT in every form Go knows; nothing is said about them")
{
	static const struct {
		const char *env;
		int percent;
		long long limit;
	} t[] = {
		{ "GOHEAP_GOGC=1", 1, INT64_MAX },
		{ "GOHEAP_GOGC=100", 100, INT64_MAX },
		{ "GOHEAP_GOGC=100000", 100000, INT64_MAX },
		{ "GOHEAP_GOGC=off", -1, INT64_MAX },
		{ "GOHEAP_GOGC=", 100, INT64_MAX },
		{ "GOHEAP_MEMLIMIT=off", 100, INT64_MAX },
		{ "GOHEAP_MEMLIMIT=", 100, INT64_MAX },
		{ "GOHEAP_MEMLIMIT=33554432", 100, 33554432 },
		{ "GOHEAP_MEMLIMIT=33554432B", 100, 33554432 },
		{ "GOHEAP_MEMLIMIT=65536KiB", 100, 65536LL << 10 },
		{ "GOHEAP_MEMLIMIT=77MiB", 100, 77LL << 20 },
		{ "GOHEAP_MEMLIMIT=3GiB", 100, 3LL << 30 },
		{ "GOHEAP_MEMLIMIT=2TiB", 100, 2LL << 40 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		settings(t[i].env, t[i].percent, t[i].limit);
		CHECK_CMP(count("goheap"), ==, 0);
	}
}

CASE(env_garbage, "what they cannot mean is said on stderr in one line that names it, and the default is used")
{
	static const char *const t[] = {
		"GOHEAP_GOGC=abc", "GOHEAP_GOGC=10x", "GOHEAP_GOGC=1e3",
		"GOHEAP_GOGC=99999999999999999999", "GOHEAP_GOGC=0x20", "GOHEAP_GOGC= ",
		"GOHEAP_MEMLIMIT=much", "GOHEAP_MEMLIMIT=-5", "GOHEAP_MEMLIMIT=10MB",
		"GOHEAP_MEMLIMIT=MiB", "GOHEAP_MEMLIMIT=1.5GiB", "GOHEAP_MEMLIMIT=99999999999TiB",
		"GOHEAP_DEVICE=maybe",
		"GOHEAP_DEBUG=nonsense=1", "GOHEAP_DEBUG=gctrace=x", "GOHEAP_DEBUG=gctrace",
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(t[i], "="), t[i]);
		settings(t[i], 100, INT64_MAX);
		if (count(name) != 1)
			tap_fail(__FILE__, __LINE__, "%s: %d lines about it: %.300s", t[i],
				 count(name), text);
	}
}

static void *init_or_alloc(void *arg)
{
	pthread_barrier_wait(arg);
	return goheap_alloc(64);
}

CASE(race, "many threads may be the first to use the heap")
{
	enum { N = 16 };
	pthread_barrier_t barrier;
	pthread_t thread[N];

	pthread_barrier_init(&barrier, NULL, N);
	for (int i = 0; i < N; i++)
		CHECK(!pthread_create(&thread[i], NULL, init_or_alloc, &barrier));
	for (int i = 0; i < N; i++) {
		void *p;

		CHECK(!pthread_join(thread[i], &p));
		CHECK(p && goheap_base(p) == p);
	}
	CHECK_CMP(stats().mallocs, ==, N);
}
