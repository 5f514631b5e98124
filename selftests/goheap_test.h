/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every test of /dev/goheap needs: the requests as functions that return
 * 0 or the errno, statistics that can be compared, accesses that may end in a
 * signal.  Nothing here decides whether a test passes, but for requests
 * that cannot fail.
 */
#ifndef GOHEAP_TEST_H
#define GOHEAP_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/goheap.h>

#include <kselftest_harness.h>

/*
 * The harness gives a test 30 s.  That is a hang on any machine, but not for an
 * emulated one with a busy host.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	150

#define GH_DEVICE	"/dev/goheap"
#define MIB		(1ULL << 20)
#define GH_PAGE		GOHEAP_PAGE_SIZE
#define GH_ALL		(~0ULL)

#define GH_UNUSED	__attribute__((unused))

/* The length of an arena where a test does not care. */
#define GH_ARENA_BYTES	(64 * MIB)

static inline int gh_open(void)
{
	return open(GH_DEVICE, O_RDWR | O_CLOEXEC);
}

/* ns, of a clock that only goes forward. */
static inline uint64_t gh_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* NULL and errno on failure. */
static inline char *gh_map(int fd, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* 0 or the errno. */
static inline int gh_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

static inline struct goheap_span_batch gh_batch(struct goheap_span *spans, unsigned int count)
{
	struct goheap_span_batch b = {
		.size = sizeof(b),
		.spans = (uintptr_t)spans,
		.count = count,
		.bad_index = 0xbad,
	};

	return b;
}

/* Allocate @count spans whose lengths and flags are in @spans. */
static inline int gh_alloc_batch(int fd, struct goheap_span *spans, unsigned int count)
{
	struct goheap_span_batch b = gh_batch(spans, count);

	return gh_ioctl(fd, GOHEAP_IOC_SPAN_ALLOC, &b);
}

static inline int gh_free_batch(int fd, struct goheap_span *spans, unsigned int count)
{
	struct goheap_span_batch b = gh_batch(spans, count);

	return gh_ioctl(fd, GOHEAP_IOC_SPAN_FREE, &b);
}

static inline int gh_alloc(int fd, uint64_t npages, struct goheap_span *span)
{
	*span = (struct goheap_span){ .npages = npages };
	return gh_alloc_batch(fd, span, 1);
}

/* Free by address and length, whatever they are. */
static inline int gh_free_range(int fd, uint64_t addr, uint64_t npages)
{
	struct goheap_span s = { .addr = addr, .npages = npages };

	return gh_free_batch(fd, &s, 1);
}

static inline int gh_free(int fd, const struct goheap_span *span)
{
	return gh_free_range(fd, span->addr, span->npages);
}

static inline char *gh_ptr(const struct goheap_span *span)
{
	return (char *)(uintptr_t)span->addr;
}

static inline size_t gh_bytes(const struct goheap_span *span)
{
	return span->npages * GH_PAGE;
}

/* *@bytes: in and out, as in the ABI. */
static inline int gh_release(int fd, uint32_t flags, uint64_t *bytes)
{
	struct goheap_release r = { .size = sizeof(r), .flags = flags, .bytes = *bytes };
	int err = gh_ioctl(fd, GOHEAP_IOC_RELEASE, &r);

	*bytes = r.bytes;
	return err;
}

static inline int gh_info(int fd, struct goheap_info *info)
{
	*info = (struct goheap_info){ .size = sizeof(*info) };
	return gh_ioctl(fd, GOHEAP_IOC_INFO, info);
}

static inline int gh_try_stats(int fd, struct goheap_arena_stats *st)
{
	*st = (struct goheap_arena_stats){ .size = sizeof(*st) };
	return gh_ioctl(fd, GOHEAP_IOC_STATS, st);
}

/* Statistics, where nothing can be wrong with asking for them. */
static inline struct goheap_arena_stats gh_stats(int fd)
{
	struct goheap_arena_stats st;
	int err = gh_try_stats(fd, &st);

	if (err) {
		fprintf(stderr, "# GOHEAP_IOC_STATS: %s\n", strerror(err));
		abort();
	}
	return st;
}

/* Ask for the settings (set: 0) or change some; all of them come back in @set. */
static inline int gh_settings(int fd, struct goheap_settings *set)
{
	set->size = sizeof(*set);
	return gh_ioctl(fd, GOHEAP_IOC_SETTINGS, set);
}

/* Which triggers of the scavenger are on: GOHEAP_SCAVENGE_*. */
static inline int gh_triggers(int fd, uint32_t triggers)
{
	struct goheap_settings set = { .set = GOHEAP_SET_SCAVENGE, .scavenge = triggers };

	return gh_settings(fd, &set);
}

/* Report a collection. */
static inline int gh_cycle(int fd, uint64_t heap_goal, struct goheap_cycle *reply)
{
	struct goheap_cycle dummy;

	if (!reply)
		reply = &dummy;
	*reply = (struct goheap_cycle){ .size = sizeof(*reply), .heap_goal = heap_goal };
	return gh_ioctl(fd, GOHEAP_IOC_CYCLE, reply);
}

struct gh_field {
	const char *name;
	size_t offset;
};

#define GH_FIELD(f)	{ #f, offsetof(struct goheap_arena_stats, f) }
static const struct gh_field gh_fields[] GH_UNUSED = {
	GH_FIELD(grown_bytes), GH_FIELD(inuse_bytes), GH_FIELD(retained_bytes),
	GH_FIELD(released_bytes), GH_FIELD(kept_bytes), GH_FIELD(metadata_bytes),
	GH_FIELD(spans), GH_FIELD(span_allocs), GH_FIELD(span_frees),
	GH_FIELD(fresh_bytes), GH_FIELD(recycled_bytes), GH_FIELD(freed_bytes),
	GH_FIELD(faults), GH_FIELD(bad_faults), GH_FIELD(enomem),
	GH_FIELD(scav_request_bytes), GH_FIELD(scav_background_bytes),
	GH_FIELD(scav_growth_bytes), GH_FIELD(scav_limit_bytes),
	GH_FIELD(scav_pressure_bytes), GH_FIELD(cycles),
};

static inline uint64_t gh_field(const struct goheap_arena_stats *st, const struct gh_field *f)
{
	return *(const uint64_t *)((const char *)st + f->offset);
}

/* The fields that a request which fails may change: they count failures. */
static inline bool gh_counts_failures(const struct gh_field *f)
{
	return f->offset == offsetof(struct goheap_arena_stats, bad_faults) ||
	       f->offset == offsetof(struct goheap_arena_stats, enomem);
}

/* Did nothing happen between the two?  Says what did, if not. */
static inline bool gh_unchanged(const struct goheap_arena_stats *before,
				const struct goheap_arena_stats *after)
{
	bool same = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(gh_fields); i++) {
		const struct gh_field *f = &gh_fields[i];

		if (gh_counts_failures(f) || gh_field(before, f) == gh_field(after, f))
			continue;
		fprintf(stderr, "# %s: %llu, was %llu\n", f->name,
			(unsigned long long)gh_field(after, f),
			(unsigned long long)gh_field(before, f));
		same = false;
	}
	return same;
}

/* What holds of an arena's statistics at any moment at which no request runs. */
static inline bool gh_consistent(const struct goheap_arena_stats *st)
{
	bool ok = true;
#define GH_IDENTITY(a, b) do {							\
	if ((a) != (b)) {							\
		fprintf(stderr, "# %s is %llu, %s is %llu\n",			\
			#a, (unsigned long long)(a), #b, (unsigned long long)(b)); \
		ok = false;							\
	}									\
} while (0)
	GH_IDENTITY(st->grown_bytes,
		    st->inuse_bytes + st->retained_bytes + st->released_bytes);
	GH_IDENTITY(st->spans, st->span_allocs - st->span_frees);
	GH_IDENTITY(st->fresh_bytes - st->freed_bytes,
		    st->inuse_bytes + st->retained_bytes);
	GH_IDENTITY(st->grown_bytes % GOHEAP_CHUNK_SIZE, 0ULL);
	GH_IDENTITY(st->freed_bytes,
		    st->scav_request_bytes + st->scav_background_bytes +
		    st->scav_growth_bytes + st->scav_limit_bytes +
		    st->scav_pressure_bytes);
#undef GH_IDENTITY
	if (st->kept_bytes > st->retained_bytes) {
		fprintf(stderr, "# more is kept than retained\n");
		ok = false;
	}
	return ok;
}

/* Is every byte zero? */
static inline bool gh_is_zero(const char *p, size_t bytes)
{
	const uint64_t *w = (const uint64_t *)p;
	size_t i;

	for (i = 0; i < bytes / sizeof(*w); i++) {
		if (w[i]) {
			fprintf(stderr, "# byte %zu of %zu is not zero\n",
				i * sizeof(*w), bytes);
			return false;
		}
	}
	return true;
}

/* A pattern that differs from word to word and from seed to seed. */
static inline uint64_t gh_word(uint64_t seed, size_t i)
{
	return (seed + 1) * 0x9e3779b97f4a7c15ULL ^ (i * 0xff51afd7ed558ccdULL + 1);
}

static inline void gh_fill(char *p, size_t bytes, uint64_t seed)
{
	uint64_t *w = (uint64_t *)p;
	size_t i;

	for (i = 0; i < bytes / sizeof(*w); i++)
		w[i] = gh_word(seed, i);
}

static inline bool gh_holds(const char *p, size_t bytes, uint64_t seed)
{
	const uint64_t *w = (const uint64_t *)p;
	size_t i;

	for (i = 0; i < bytes / sizeof(*w); i++) {
		if (w[i] != gh_word(seed, i)) {
			fprintf(stderr, "# byte %zu of %zu has changed\n",
				i * sizeof(*w), bytes);
			return false;
		}
	}
	return true;
}

static sigjmp_buf gh_jump;

static inline void gh_on_signal(int sig)
{
	siglongjmp(gh_jump, sig);
}

/*
 * Read, or write what is there, at @p: 0, or the signal that came of it.  Not
 * for programs with threads that do the same.
 */
static inline int gh_touch(volatile void *p, bool write)
{
	struct sigaction sa = { .sa_handler = gh_on_signal }, bus, segv;
	volatile char *c = p;
	int sig;

	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	sig = sigsetjmp(gh_jump, 1);
	if (!sig) {
		char v = *c;

		if (write)
			*c = v;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return sig;
}

/* How a child ended: its exit status, 128 + the signal, or -1. */
static inline int gh_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Small, fast, the same on every run. */
static inline uint32_t gh_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

#endif /* GOHEAP_TEST_H */
