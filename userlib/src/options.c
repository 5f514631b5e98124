// SPDX-License-Identifier: MIT
/*
 * Settings: the defaults, then the environment, then what goheap_init() was given.
 * A variable that makes no sense is named on stderr and passed over, as Go does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <goheap.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

#define DEFAULT_ARENA_BYTES	((uint64_t)1 << 40)
/* ThreadSanitizer keeps state for every byte of address space it is told of. */
#define TSAN_ARENA_BYTES	((uint64_t)16 << 30)
#define DEFAULT_PERIOD_MS	120000		/* Go's forcegcperiod */
#define DEFAULT_STOP_WAIT_MS	10000
/*
 * One stop is enough for what is marked in this time.  On the device less: to be told
 * there what the program writes costs next to nothing.  Elsewhere it costs a fault a page.
 */
#define DEFAULT_STOP_NS		((uint64_t)20000000)
#define DEFAULT_STOP_DEVICE_NS	((uint64_t)5000000)
#define STOP_US_MOST		1000000000
/* As GOHEAP_IOC_SETTINGS has it. */
#define RETAIN_LEAST	100
#define RETAIN_MOST	1000
#define RETAIN_DEFAULT	110

static void complain(const char *name, const char *value, const char *wanted)
{
	os_message("goheap: %s=%.100s is not understood (%s); ignored\n", name, value, wanted);
}

static bool parse_number(const char *s, char **end, long long *out)
{
	errno = 0;
	*out = strtoll(s, end, 10);
	return *end != s && !errno;
}

/* As GOGC: a percentage, or "off". */
static void read_percent(struct settings *s)
{
	const char *value = getenv("GOHEAP_GOGC");
	long long n;
	char *end;

	if (!value || !*value)
		return;
	if (!strcmp(value, "off"))
		s->gc_percent = -1;
	else if (parse_number(value, &end, &n) && !*end && n <= INT32_MAX && n >= INT32_MIN)
		s->gc_percent = n < 0 ? -1 : (int)n;
	else
		complain("GOHEAP_GOGC", value, "a percentage or off");
}

/* Bytes with an optional unit, or "off", which is @none. */
static bool parse_bytes(const char *value, int64_t none, int64_t *out)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	long long n;
	char *end;

	if (!strcmp(value, "off")) {
		*out = none;
		return true;
	}
	if (!parse_number(value, &end, &n) || n < 0)
		return false;
	if (!*end) {
		*out = n;
		return true;
	}
	for (unsigned int i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(end, units[i]) && n <= INT64_MAX >> 10 * i) {
			*out = n << 10 * i;
			return true;
		}
	return false;
}

#define BYTES_WANTED	"bytes, with B, KiB, MiB, GiB or TiB, or off"

/* As GOMEMLIMIT. */
static void read_limit(struct settings *s)
{
	const char *value = getenv("GOHEAP_MEMLIMIT");

	if (value && *value && !parse_bytes(value, INT64_MAX, &s->memory_limit))
		complain("GOHEAP_MEMLIMIT", value, BYTES_WANTED);
}

static void read_hard_limit(struct settings *s)
{
	const char *value = getenv("GOHEAP_HARDLIMIT");
	int64_t n;

	if (!value || !*value)
		return;
	if (parse_bytes(value, -1, &n) && n)
		s->hard_limit = n < 0 ? NO_LIMIT : (uint64_t)n;
	else
		complain("GOHEAP_HARDLIMIT", value, BYTES_WANTED);
}

static void read_policy(struct settings *s)
{
	const char *value = getenv("GOHEAP_POLICY");

	if (!value || !*value)
		return;
	if (!strcmp(value, "first-fit"))
		s->policy = GOHEAP_POLICY_FIRST_FIT;
	else if (!strcmp(value, "best-fit"))
		s->policy = GOHEAP_POLICY_BEST_FIT;
	else
		complain("GOHEAP_POLICY", value, "first-fit or best-fit");
}

static void read_retain(struct settings *s)
{
	const char *value = getenv("GOHEAP_RETAIN");
	long long n;
	char *end;

	if (!value || !*value)
		return;
	if (parse_number(value, &end, &n) && !*end && n >= RETAIN_LEAST && n <= RETAIN_MOST)
		s->retain_percent = (uint32_t)n;
	else
		complain("GOHEAP_RETAIN", value, "per cent, 100 to 1000");
}

/* As Go's MemProfileRate. */
static void read_profile_rate(struct settings *s)
{
	const char *value = getenv("GOHEAP_MEMPROFILERATE");
	long long n;
	char *end;

	if (!value || !*value)
		return;
	if (parse_number(value, &end, &n) && !*end && n >= 0 && n <= (long long)PROFILE_RATE_MOST)
		s->profile_rate = (uint64_t)n;
	else
		complain("GOHEAP_MEMPROFILERATE", value, "bytes, 1 for every object, 0 for none");
}

/* It names a file to write: not for somebody with more rights than who set it. */
static void read_profile_file(struct settings *s)
{
	const char *value = secure_getenv("GOHEAP_PROFILE");

	if (!value)
		return;
	if (strlen(value) < sizeof(s->profile_file))
		strcpy(s->profile_file, value);
	else
		complain("GOHEAP_PROFILE", value, "too long");
}

static void read_stop(struct settings *s)
{
	const char *value = getenv("GOHEAP_STOP_US");
	long long n;
	char *end;

	if (!value || !*value)
		return;
	if (!strcmp(value, "off"))
		s->stop_ns = 0;
	else if (parse_number(value, &end, &n) && !*end && n >= 0 && n <= STOP_US_MOST)
		s->stop_ns = (uint64_t)n * 1000;
	else
		complain("GOHEAP_STOP_US", value, "microseconds or off");
}

static void read_device(struct settings *s)
{
	const char *value = getenv("GOHEAP_DEVICE");

	if (!value || !*value || !strcmp(value, "auto"))
		return;
	if (!strcmp(value, "require"))
		s->device = GOHEAP_DEVICE_REQUIRE;
	else if (!strcmp(value, "never"))
		s->device = GOHEAP_DEVICE_NEVER;
	else
		complain("GOHEAP_DEVICE", value, "auto, require or never");
}

static void read_dirty(struct settings *s)
{
	static const char *const ways[] = {
		[DIRTY_NONE] = "none",
		[DIRTY_DEVICE] = "device",
		[DIRTY_PAGEMAP_SCAN] = "pagemap",
		[DIRTY_SOFT] = "soft",
		[DIRTY_AUTO] = "auto",
	};
	const char *value = getenv("GOHEAP_DIRTY");

	if (!value || !*value)
		return;
	for (unsigned int way = 0; way < sizeof(ways) / sizeof(*ways); way++)
		if (!strcmp(value, ways[way])) {
			s->dirty = way;
			return;
		}
	complain("GOHEAP_DIRTY", value, "auto, device, pagemap, soft or none");
}

/* One key=number of GOHEAP_DEBUG. */
static bool read_debug_key(struct settings *s, const char *key, size_t length, long long n)
{
	if (length == 7 && !memcmp(key, "gctrace", 7))
		s->gctrace = n > 0;
	else if (length == 9 && !memcmp(key, "scavtrace", 9))
		s->scavtrace = n > 0;
	else if (length == 6 && !memcmp(key, "gcwork", 6))
		s->gcwork = n > 0;
	else if (length == 7 && !memcmp(key, "bgsweep", 7))
		s->sweep_in_background = n > 0;
	else if (length == 6 && !memcmp(key, "device", 6))
		s->say_where = n > 0;
	else if (length == 10 && !memcmp(key, "gcperiodms", 10) && n > 0)
		s->period_ms = (uint64_t)n;
	else if (length == 10 && !memcmp(key, "stopwaitms", 10) && n > 0)
		s->stop_wait_ms = (uint64_t)n;
	else
		return false;
	return true;
}

static void read_debug(struct settings *s)
{
	const char *value = getenv("GOHEAP_DEBUG");
	const char *p = value;

	while (p && *p) {
		const char *equals = strchr(p, '=');
		char *end;
		long long n;

		if (!equals || !parse_number(equals + 1, &end, &n) || (*end && *end != ',') ||
		    !read_debug_key(s, p, (size_t)(equals - p), n)) {
			complain("GOHEAP_DEBUG", p, "gctrace=1,scavtrace=1,device=1");
			return;
		}
		p = *end ? end + 1 : end;
	}
}

/* Settings that a newer program knows of cannot be honoured: they must not be set. */
static bool rest_is_zero(const struct goheap_options *o)
{
	const unsigned char *bytes = (const unsigned char *)o;

	for (size_t i = sizeof(*o); i < o->size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* The structure's size when it was first published. */
#define OPTIONS_LEAST	offsetof(struct goheap_options, hard_limit)

static int apply(struct settings *s, const struct goheap_options *options)
{
	struct goheap_options copy = { 0 }, *o = &copy;

	if (options->size < OPTIONS_LEAST || !rest_is_zero(options))
		goto invalid;
	memcpy(o, options, options->size < sizeof(*o) ? options->size : sizeof(*o));
	if (o->device > GOHEAP_DEVICE_NEVER || o->memory_limit < 0 ||
	    o->profile_rate > (int64_t)PROFILE_RATE_MOST || o->stop_us > STOP_US_MOST ||
	    o->arena_bytes > GOHEAP_ARENA_BYTES_MAX || o->policy > GOHEAP_BEST_FIT ||
	    (o->retain_percent &&
	     (o->retain_percent < RETAIN_LEAST || o->retain_percent > RETAIN_MOST)))
		goto invalid;
	if (o->gc_percent)
		s->gc_percent = o->gc_percent < 0 ? -1 : o->gc_percent;
	if (o->memory_limit)
		s->memory_limit = o->memory_limit;
	if (o->device)
		s->device = (int)o->device;
	if (o->arena_bytes)
		s->arena_bytes = align_up(o->arena_bytes, GOHEAP_CHUNK_SIZE);
	if (o->gctrace)
		s->gctrace = true;
	if (o->hard_limit)
		s->hard_limit = o->hard_limit;
	if (o->policy)
		s->policy = o->policy == GOHEAP_BEST_FIT ? GOHEAP_POLICY_BEST_FIT :
							   GOHEAP_POLICY_FIRST_FIT;
	if (o->retain_percent)
		s->retain_percent = (uint32_t)o->retain_percent;
	if (o->profile_rate)
		s->profile_rate = o->profile_rate < 0 ? 0 : (uint64_t)o->profile_rate;
	if (o->scavtrace)
		s->scavtrace = true;
	if (o->stop_us)
		s->stop_ns = o->stop_us < 0 ? 0 : (uint64_t)o->stop_us * 1000;
	return 0;

invalid:
	errno = EINVAL;
	return -1;
}

/**
 * settings_for() - the defaults that depend on where the heap is
 * @s: the settings
 * @device: it is on the device
 */
void settings_for(struct settings *s, bool device)
{
	if (s->stop_ns == STOP_DEFAULT)
		s->stop_ns = device ? DEFAULT_STOP_DEVICE_NS : DEFAULT_STOP_NS;
}

/**
 * settings_read() - the settings to start with
 * @s: filled in
 * @options: of the program, or NULL
 *
 * Return: 0; -1 and EINVAL.
 */
int settings_read(struct settings *s, const struct goheap_options *options)
{
	memset(s, 0, sizeof(*s));
	s->gc_percent = 100;
	s->memory_limit = INT64_MAX;
	s->hard_limit = NO_LIMIT;
	s->policy = GOHEAP_POLICY_FIRST_FIT;
	s->retain_percent = RETAIN_DEFAULT;
	s->device = GOHEAP_DEVICE_AUTO;
	s->profile_rate = PROFILE_RATE_DEFAULT;
	s->dirty = DIRTY_AUTO;
	s->period_ms = DEFAULT_PERIOD_MS;
	s->sweep_in_background = true;
	s->stop_wait_ms = DEFAULT_STOP_WAIT_MS;
	s->stop_ns = STOP_DEFAULT;
#ifdef __SANITIZE_THREAD__
	s->arena_bytes = TSAN_ARENA_BYTES;
#else
	s->arena_bytes = DEFAULT_ARENA_BYTES;
#endif
	read_percent(s);
	read_limit(s);
	read_hard_limit(s);
	read_policy(s);
	read_retain(s);
	read_profile_rate(s);
	read_profile_file(s);
	read_stop(s);
	read_device(s);
	read_dirty(s);
	read_debug(s);
	return options ? apply(s, options) : 0;
}
