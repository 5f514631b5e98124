// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: requests that run at the same time and give two threads one page,
 * lose a span's bytes, miscount, or hang.
 */
#include "arena.h"

#include <pthread.h>
#include <sched.h>

#define THREADS	8
#define SLOTS	24

struct worker {
	pthread_t thread;
	int id, fd, steps;
	const char *failed;
	uint64_t seed;
	uint64_t inuse, spans, allocs, frees;
	struct goheap_span span[SLOTS];
	uint64_t tag[SLOTS];
};

static volatile bool stop;

/* One word in each 4 KiB is written: mixing is by whole pages. */
static void mark(const struct goheap_span *s, uint64_t tag)
{
	size_t i;

	for (i = 0; i < gh_bytes(s); i += 4096)
		*(volatile uint64_t *)(gh_ptr(s) + i) = tag + i;
}

static bool is_marked(const struct goheap_span *s, uint64_t tag)
{
	size_t i;

	for (i = 0; i < gh_bytes(s); i += 4096)
		if (*(volatile uint64_t *)(gh_ptr(s) + i) != tag + i)
			return false;
	return true;
}

static bool words_are_zero(const struct goheap_span *s)
{
	size_t i;

	for (i = 0; i < gh_bytes(s); i += 4096)
		if (*(volatile uint64_t *)(gh_ptr(s) + i))
			return false;
	return true;
}

#define NEED(x) do { if (!(x)) { w->failed = #x; return NULL; } } while (0)

/* Spans of random lengths, one at a time and in batches, released now and then. */
static void *work(void *arg)
{
	struct worker *w = arg;
	int step;

	for (step = 0; step < w->steps; step++) {
		struct goheap_span batch[4];
		unsigned int k, i, n = 1 + gh_random(&w->seed) % 4;
		unsigned int at = gh_random(&w->seed) % (SLOTS - 4);
		uint64_t bytes = gh_random(&w->seed) % (64 * GH_PAGE);

		if (gh_random(&w->seed) % 16 == 0) {
			NEED(!gh_release(w->fd, gh_random(&w->seed) & GOHEAP_RELEASE_KEEP, &bytes));
			continue;
		}
		/* What there is of these n goes, what there is not comes. */
		for (i = 0, k = 0; i < n; i++) {
			struct goheap_span *s = &w->span[at + i];

			if (!s->addr)
				continue;
			NEED(is_marked(s, w->tag[at + i]));
			batch[k] = *s;
			batch[k++].flags = 0;
			w->inuse -= gh_bytes(s);
		}
		if (k) {
			NEED(!gh_free_batch(w->fd, batch, k));
			w->spans -= k;
			w->frees += k;
			for (i = 0; i < n; i++)
				w->span[at + i].addr = 0;
			continue;
		}
		for (i = 0; i < n; i++)
			batch[i] = (struct goheap_span){
				.npages = 1 + gh_random(&w->seed) % (gh_random(&w->seed) % 8 ? 8 : 100),
			};
		NEED(!gh_alloc_batch(w->fd, batch, n));
		for (i = 0; i < n; i++) {
			NEED(batch[i].flags || words_are_zero(&batch[i]));
			w->span[at + i] = batch[i];
			w->tag[at + i] = (uint64_t)w->id << 56 | (uint64_t)step << 32;
			mark(&batch[i], w->tag[at + i]);
			w->inuse += gh_bytes(&batch[i]);
		}
		w->spans += n;
		w->allocs += n;
	}
	for (step = 0; step < SLOTS; step++)
		NEED(!w->span[step].addr || is_marked(&w->span[step], w->tag[step]));
	return NULL;
}

/* Unmaps everything all the time: every access of the others is a fault. */
static void *unmapper(void *arg)
{
	struct worker *w = arg;
	char *base = (char *)(uintptr_t)w->tag[0];

	while (!stop) {
		NEED(!madvise(base, 8 * MIB, MADV_DONTNEED));
		sched_yield();
	}
	return NULL;
}

static void *stats_reader(void *arg)
{
	struct worker *w = arg;
	struct goheap_arena_stats st;
	struct goheap_info info;

	while (!stop) {
		NEED(!gh_try_stats(w->fd, &st));
		NEED(st.inuse_bytes + st.retained_bytes + st.released_bytes == st.grown_bytes);
		NEED(!gh_info(w->fd, &info));
		sched_yield();
	}
	return NULL;
}

/* Runs the workers, and @other beside them if there is one. */
static void run(struct __test_metadata *_metadata, int fd, char *base, int steps,
		void *(*other)(void *))
{
	static struct worker w[THREADS], o;
	uint64_t inuse = 0, spans = 0, allocs = 0, frees = 0;
	struct goheap_arena_stats st;
	int i;

	stop = false;
	o = (struct worker){ .fd = fd, .tag = { (uintptr_t)base } };
	if (other)
		ASSERT_EQ(0, pthread_create(&o.thread, NULL, other, &o));
	for (i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .id = i + 1, .fd = fd, .steps = steps, .seed = i };
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, work, &w[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(NULL, w[i].failed)
			TH_LOG("thread %d: %s", i, w[i].failed);
		inuse += w[i].inuse;
		spans += w[i].spans;
		allocs += w[i].allocs;
		frees += w[i].frees;
	}
	stop = true;
	if (other) {
		pthread_join(o.thread, NULL);
		EXPECT_EQ(NULL, o.failed)
			TH_LOG("%s", o.failed);
	}
	st = gh_stats(fd);
	EXPECT_TRUE(gh_consistent(&st));
	EXPECT_EQ(inuse, st.inuse_bytes);
	EXPECT_EQ(spans, st.spans);
	EXPECT_EQ(allocs, st.span_allocs);
	EXPECT_EQ(frees, st.span_frees);
	EXPECT_EQ(0, st.bad_faults);
	EXPECT_EQ(0, st.enomem);
	/* Every span of each thread is still what it was told. */
	for (i = 0; i < THREADS; i++) {
		int k;

		for (k = 0; k < SLOTS; k++)
			if (w[i].span[k].addr)
				EXPECT_TRUE(is_marked(&w[i].span[k], w[i].tag[k]));
	}
}

TEST_F(arena, alloc_and_free)
{
	run(_metadata, self->fd, self->base, 500, NULL);
}

TEST_F(arena, while_pages_are_unmapped)
{
	run(_metadata, self->fd, self->base, 150, unmapper);
}

TEST_F(arena, while_statistics_are_read)
{
	run(_metadata, self->fd, self->base, 150, stats_reader);
}

/* Forks again and again while the others work: the children have no part in it. */
static void *forker(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		pid_t pid = fork();

		NEED(pid >= 0);
		if (!pid)
			_exit(0);
		NEED(gh_wait(pid) == 0);
	}
	return NULL;
}

TEST_F(arena, while_the_process_forks)
{
	run(_metadata, self->fd, self->base, 150, forker);
}

/* Long batches of resident pages: as much time inside the allocator as can be had. */
static void *work_in_batches(void *arg)
{
	struct goheap_span span[400];
	struct worker *w = arg;
	int step, i;

	for (step = 0; step < w->steps; step++) {
		uint64_t tag = (uint64_t)w->id << 32 | step;

		for (i = 0; i < 400; i++)
			span[i] = (struct goheap_span){ .npages = 1 + (i + step) % 3 };
		NEED(!gh_alloc_batch(w->fd, span, 400));
		for (i = 0; i < 400; i++)
			*(volatile uint64_t *)gh_ptr(&span[i]) = tag + i;
		for (i = 0; i < 400; i++) {
			NEED(*(volatile uint64_t *)gh_ptr(&span[i]) == tag + i);
			span[i].flags = 0;
		}
		NEED(!gh_free_batch(w->fd, span, 400));
	}
	return NULL;
}

TEST_F(arena, long_batches)
{
	static struct worker w[4];
	struct goheap_arena_stats st;
	struct goheap_span all;
	int i;

	for (i = 0; i < 4; i++) {
		w[i] = (struct worker){ .id = i + 1, .fd = self->fd, .steps = 100 };
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, work_in_batches, &w[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(NULL, w[i].failed)
			TH_LOG("thread %d: %s", i, w[i].failed);
	}
	st = gh_stats(self->fd);
	EXPECT_TRUE(gh_consistent(&st));
	EXPECT_EQ(0, st.inuse_bytes);
	EXPECT_EQ(0, st.spans);
	EXPECT_EQ(4 * 100 * 400, st.span_frees);
	/* No page has been lost on the way. */
	EXPECT_EQ(0, gh_alloc(self->fd, self->bytes / GH_PAGE, &all));
}

/* All want the same span: exactly one may have it. */
struct race {
	pthread_t thread;
	pthread_barrier_t *barrier;
	struct goheap_span span;
	int fd, err;
};

static void *free_it(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(r->barrier);
	r->err = gh_free(r->fd, &r->span);
	return NULL;
}

TEST_F(arena, double_free_race)
{
	struct race r[THREADS];
	pthread_barrier_t barrier;
	int round, i, won;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (round = 0; round < 20; round++) {
		struct goheap_span span;

		ASSERT_EQ(0, gh_alloc(self->fd, 3, &span));
		for (i = 0; i < THREADS; i++) {
			r[i] = (struct race){ .barrier = &barrier, .span = span, .fd = self->fd };
			ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, free_it, &r[i]));
		}
		for (i = 0, won = 0; i < THREADS; i++) {
			pthread_join(r[i].thread, NULL);
			won += !r[i].err;
			EXPECT_TRUE(r[i].err == 0 || r[i].err == EINVAL);
		}
		EXPECT_EQ(1, won);
	}
	EXPECT_EQ(20, gh_stats(self->fd).span_frees);
	EXPECT_EQ(0, gh_stats(self->fd).inuse_bytes);
}

/* The mapping goes while requests run: each ends, well or with ENXIO. */
static void *until_unmapped(void *arg)
{
	struct race *r = arg;

	pthread_barrier_wait(r->barrier);
	for (;;) {
		struct goheap_span s;
		uint64_t bytes = 4 * GH_PAGE;

		r->err = gh_alloc(r->fd, 20, &s);
		if (!r->err)
			r->err = gh_release(r->fd, 0, &bytes);
		if (!r->err)
			r->err = gh_free(r->fd, &s);
		if (r->err)
			return NULL;
	}
}

TEST(munmap_while_requests_run)
{
	int round, i;

	for (round = 0; round < 12; round++) {
		pthread_barrier_t barrier;
		struct race r[4];
		int fd = gh_open();
		char *base;

		ASSERT_LE(0, fd);
		base = gh_map(fd, 64 * MIB);
		ASSERT_NE(NULL, base);
		pthread_barrier_init(&barrier, NULL, 5);
		for (i = 0; i < 4; i++) {
			r[i] = (struct race){ .barrier = &barrier, .fd = fd };
			ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, until_unmapped, &r[i]));
		}
		pthread_barrier_wait(&barrier);
		usleep(round * 500);
		ASSERT_EQ(0, munmap(base, 64 * MIB));
		for (i = 0; i < 4; i++) {
			pthread_join(r[i].thread, NULL);
			EXPECT_EQ(ENXIO, r[i].err);
		}
		close(fd);
	}
}

/* close() of the number while requests run on it. */
TEST(close_while_requests_run)
{
	int round, i;

	for (round = 0; round < 10; round++) {
		pthread_barrier_t barrier;
		struct race r[4];
		int fd = gh_open();
		char *base;

		ASSERT_LE(0, fd);
		base = gh_map(fd, 64 * MIB);
		ASSERT_NE(NULL, base);
		pthread_barrier_init(&barrier, NULL, 5);
		for (i = 0; i < 4; i++) {
			r[i] = (struct race){ .barrier = &barrier, .fd = fd };
			ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, until_unmapped, &r[i]));
		}
		pthread_barrier_wait(&barrier);
		usleep(round * 500);
		close(fd);
		for (i = 0; i < 4; i++) {
			pthread_join(r[i].thread, NULL);
			EXPECT_EQ(EBADF, r[i].err);
		}
		ASSERT_EQ(0, munmap(base, 64 * MIB));
	}
}

TEST_HARNESS_MAIN
