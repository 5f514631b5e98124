// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a write that is never reported, while several threads write, the
 * window is collected again and again, and pages are unmapped, released or
 * cleaned by others at the same time.
 *
 * The collector does what a program with a copy to keep up to date would do: it
 * copies what is reported.  A thread writes a word of its own on a page, then
 * notes what it wrote.  So whatever was noted before a COLLECT began must be in
 * the copy after it; a copy that lags behind is a write that was missed.
 */
#include "dirty.h"

#include <pthread.h>
#include <sys/uio.h>
#include <time.h>

#define WRITERS		4
#define SPAN		(17 * MIB)	/* more than one batch */
#define NPAGES		(SPAN / SYS_PAGE)
#define ARENA		(64 * MIB)
#define SECONDS		3
#define ROUNDS_MIN	10

/* What else goes on. */
enum disturbance {
	NOTHING,
	UNMAPPING,	/* MADV_DONTNEED of parts */
	RELEASING,	/* spans freed, kept, released, allocated again */
	CHURNING,	/* the writers' own spans freed and allocated again */
	FORKING,	/* children come, write and go */
	CLEANING,	/* another thread collects as well, all the same pages */
};

/* How a value gets into a page. */
enum way { STORE, READ, GUP };

/*
 * A writer's note about a page: the value in its word, 0 before the first write
 * and while the page is not its own.  @turn changes when the page is freed.
 */
struct note {
	uint64_t value;
	uint64_t turn;
};

struct writer {
	int id;
	pthread_t thread;
	uint64_t rnd;
	uint64_t value;
	uint64_t writes;
	int pipe[2];
	int err;
	struct goheap_span *spans;	/* CHURNING: of two pages each */
};

static struct {
	int fd;
	char *base;
	char *at;
	enum disturbance what;
	bool stop;
} run;

static struct note notes[WRITERS][NPAGES];
static uint64_t copy[WRITERS][NPAGES];
static struct note before[WRITERS][NPAGES];

/* CLEANING: what the other thread collected and the collector has not seen yet. */
static pthread_mutex_t taken_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t taken[NPAGES / 64];

#define CHURN_SPANS	(NPAGES / 2 / WRITERS)
static struct goheap_span churn[WRITERS][CHURN_SPANS];

static bool stopped(void)
{
	return __atomic_load_n(&run.stop, __ATOMIC_RELAXED);
}

static char *word_at(uint64_t page, int id)
{
	return run.at + page * SYS_PAGE + (page * 40 + id * 8) % SYS_PAGE / 8 * 8;
}

static struct note note_of(int id, uint64_t page)
{
	struct note *n = &notes[id][page], r;

	r.value = __atomic_load_n(&n->value, __ATOMIC_ACQUIRE);
	r.turn = __atomic_load_n(&n->turn, __ATOMIC_ACQUIRE);
	return r;
}

static int write_page(struct writer *w, uint64_t page, enum way way)
{
	uint64_t v = ++w->value;
	char *at = word_at(page, w->id);
	struct iovec from = { &v, 8 }, to = { at, 8 };

	switch (way) {
	case STORE:
		__atomic_store_n((uint64_t *)at, v, __ATOMIC_RELAXED);
		break;
	case READ:
		if (write(w->pipe[1], &v, 8) != 8 || read(w->pipe[0], at, 8) != 8)
			return 1;
		break;
	case GUP:
		if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) != 8)
			return 2;
		break;
	}
	__atomic_store_n(&notes[w->id][page].value, v, __ATOMIC_RELEASE);
	w->writes++;
	return 0;
}

/* Free a span of two pages and allocate one: which pages it gets is chance. */
static int churn_one(struct writer *w)
{
	struct goheap_span *s = &w->spans[gh_random(&w->rnd) % CHURN_SPANS];
	uint64_t page = (s->addr - (uintptr_t)run.at) / SYS_PAGE, i;

	for (i = page; i < page + 2; i++) {
		__atomic_store_n(&notes[w->id][i].value, 0, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&notes[w->id][i].turn, 1, __ATOMIC_SEQ_CST);
	}
	s->flags = 0;
	if (gh_free_batch(run.fd, s, 1))
		return 3;
	if (gh_random(&w->rnd) % 4 == 0) {
		uint64_t bytes = 2 * GH_PAGE;

		if (gh_release(run.fd, gh_random(&w->rnd) % 2 * GOHEAP_RELEASE_KEEP, &bytes))
			return 4;
	}
	if (gh_alloc(run.fd, 1, s))
		return 5;
	page = (s->addr - (uintptr_t)run.at) / SYS_PAGE;
	if (page + 2 > NPAGES)
		return 6;
	return write_page(w, page, STORE) ?: write_page(w, page + 1, STORE);
}

static uint64_t pick_page(struct writer *w)
{
	const struct goheap_span *s;

	if (run.what != CHURNING)
		return gh_random(&w->rnd) % NPAGES;
	s = &w->spans[gh_random(&w->rnd) % CHURN_SPANS];
	return (s->addr - (uintptr_t)run.at) / SYS_PAGE + gh_random(&w->rnd) % 2;
}

static void *writer(void *arg)
{
	struct writer *w = arg;

	while (!stopped() && !w->err) {
		unsigned int burst = gh_random(&w->rnd) % 64;

		while (burst-- && !w->err) {
			unsigned int k = gh_random(&w->rnd) % 32;

			w->err = write_page(w, pick_page(w), k == 0 ? READ : k == 1 ? GUP : STORE);
		}
		if (run.what == CHURNING && !w->err)
			w->err = churn_one(w);
		if (gh_random(&w->rnd) % 4 == 0)
			usleep(100);
	}
	return NULL;
}

static int unmap_some(uint64_t *rnd)
{
	uint64_t page = gh_random(rnd) % NPAGES, n = 1 + gh_random(rnd) % 600;

	if (n > NPAGES - page)
		n = NPAGES - page;
	return madvise(run.at + page * SYS_PAGE, n * SYS_PAGE, MADV_DONTNEED) ? 10 : 0;
}

/* Spans beyond those that are written: what is unmapped for them is near. */
static int release_some(uint64_t *rnd)
{
	uint64_t bytes = GH_ALL;
	struct goheap_span s[8];
	int i;

	for (i = 0; i < 8; i++)
		if (gh_alloc(run.fd, 1 + gh_random(rnd) % 100, &s[i]))
			return 11;
	for (i = 0; i < 8; i++)
		*gh_ptr(&s[i]) = 1;
	for (i = 0; i < 8; i++)
		if (gh_free(run.fd, &s[i]))
			return 12;
	return gh_release(run.fd, gh_random(rnd) % 2 * GOHEAP_RELEASE_KEEP, &bytes) ? 13 : 0;
}

/* A child that writes to what it has, tracks and collects it, and goes. */
static int fork_one(uint64_t *rnd)
{
	static uint64_t bits[NPAGES / 64];
	struct goheap_info info;
	uint64_t n;
	int i;
	pid_t pid = fork();

	if (pid < 0)
		return 14;
	if (pid)
		return gh_wait(pid);
	alarm(100);
	if (gh_info(run.fd, &info) || !(info.features & GOHEAP_FEATURE_FORK))
		_exit(0);
	if (gh_track(run.fd))
		_exit(15);
	for (i = 0; i < 200; i++)
		*word_at(gh_random(rnd) % NPAGES, i % WRITERS) = 1;
	if (gh_collect_to(run.fd, run.at, SPAN, bits, &n))
		_exit(16);
	_exit(0);
}

/* Takes from the collector, and says what. */
static int clean_some(uint64_t *rnd)
{
	uint64_t page = gh_random(rnd) % ((NPAGES - 600) / 64) * 64, bits[10], n, i;
	int err;

	pthread_mutex_lock(&taken_lock);
	err = gh_collect_to(run.fd, run.at + page * SYS_PAGE, 600 * SYS_PAGE, bits, &n);
	for (i = 0; i < ARRAY_SIZE(bits) && !err; i++)
		taken[page / 64 + i] |= bits[i];
	pthread_mutex_unlock(&taken_lock);
	return err ? 17 : 0;
}

static void *disturber(void *arg)
{
	uint64_t rnd = 99;
	int *err = arg;

	while (!stopped() && !*err) {
		switch (run.what) {
		case UNMAPPING:
			*err = unmap_some(&rnd);
			break;
		case RELEASING:
			*err = release_some(&rnd);
			break;
		case FORKING:
			*err = fork_one(&rnd);
			break;
		case CLEANING:
			*err = clean_some(&rnd);
			break;
		default:
			return NULL;
		}
		usleep(gh_random(&rnd) % 300);
	}
	return NULL;
}

/* Read the writers' words of a page; a page that went away is not there. */
static void copy_page(uint64_t page)
{
	uint64_t v[WRITERS] = {};
	struct iovec to[WRITERS], from[WRITERS];
	int id;

	for (id = 0; id < WRITERS; id++) {
		to[id] = (struct iovec){ &v[id], 8 };
		from[id] = (struct iovec){ word_at(page, id), 8 };
	}
	if (run.what != CHURNING) {
		for (id = 0; id < WRITERS; id++)
			v[id] = __atomic_load_n((uint64_t *)from[id].iov_base, __ATOMIC_RELAXED);
	} else if (process_vm_readv(getpid(), to, WRITERS, from, WRITERS, 0) != WRITERS * 8) {
		memset(v, 0, sizeof(v));
	}
	for (id = 0; id < WRITERS; id++)
		copy[id][page] = v[id];
}

/* One round; returns the number of writes that were missed. */
static uint64_t collect_round(uint64_t *pages, int *err)
{
	uint64_t page, n, missed = 0;
	int id;

	for (id = 0; id < WRITERS; id++)
		for (page = 0; page < NPAGES; page++)
			before[id][page] = note_of(id, page);
	*err = gh_collect(run.fd, run.at, SPAN, &n);
	if (*err)
		return 0;
	*pages += n;
	/* What was taken before ours began is there once the lock can be had. */
	pthread_mutex_lock(&taken_lock);
	for (page = 0; page < NPAGES / 64; page++) {
		gh_dirty[page] |= taken[page];
		taken[page] = 0;
	}
	pthread_mutex_unlock(&taken_lock);
	for (page = 0; page < NPAGES; page++)
		if (gh_is_dirty(page))
			copy_page(page);
	for (id = 0; id < WRITERS; id++) {
		for (page = 0; page < NPAGES; page++) {
			const struct note *b = &before[id][page];

			if (!b->value || copy[id][page] >= b->value)
				continue;
			/* Freed in the meantime, so it may have changed hands. */
			if (note_of(id, page).turn != b->turn)
				continue;
			if (missed++ < 4)
				fprintf(stderr, "# page %llu: writer %d wrote %llu, copied %llu\n",
					(unsigned long long)page, id,
					(unsigned long long)b->value,
					(unsigned long long)copy[id][page]);
		}
	}
	return missed;
}

FIXTURE(race)
{
	struct goheap_span s;
};

FIXTURE_VARIANT(race)
{
	enum disturbance what;
};

FIXTURE_VARIANT_ADD(race, alone) { .what = NOTHING };
FIXTURE_VARIANT_ADD(race, unmapping) { .what = UNMAPPING };
FIXTURE_VARIANT_ADD(race, releasing) { .what = RELEASING };
FIXTURE_VARIANT_ADD(race, churning) { .what = CHURNING };
FIXTURE_VARIANT_ADD(race, forking) { .what = FORKING };
FIXTURE_VARIANT_ADD(race, cleaning) { .what = CLEANING };

FIXTURE_SETUP(race)
{
	int id, i;

	run.what = variant->what;
	run.fd = gh_open();
	ASSERT_LE(0, run.fd);
	run.base = gh_map(run.fd, ARENA);
	ASSERT_NE(NULL, run.base);
	run.at = run.base;
	if (run.what != CHURNING) {
		ASSERT_EQ(0, gh_alloc(run.fd, SPAN / GH_PAGE, &self->s));
		ASSERT_EQ(run.at, gh_ptr(&self->s));
		return;
	}
	for (id = 0; id < WRITERS; id++)
		for (i = 0; i < (int)CHURN_SPANS; i++)
			ASSERT_EQ(0, gh_alloc(run.fd, 1, &churn[id][i]));
}

FIXTURE_TEARDOWN(race)
{
	munmap(run.base, ARENA);
	close(run.fd);
}

static bool time_is_over(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec >= SECONDS;
}

TEST_F(race, never_missed)
{
	uint64_t missed = 0, pages = 0, writes = 0;
	struct writer w[WRITERS] = {};
	struct timespec start;
	int i, err = 0, rounds, disturbed = 0;
	pthread_t other;

	ASSERT_EQ(0, gh_track(run.fd));
	pthread_create(&other, NULL, disturber, &disturbed);
	for (i = 0; i < WRITERS; i++) {
		w[i].id = i;
		w[i].rnd = i + 1;
		w[i].spans = churn[i];
		ASSERT_EQ(0, pipe(w[i].pipe));
		pthread_create(&w[i].thread, NULL, writer, &w[i]);
	}

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (rounds = 0; rounds < ROUNDS_MIN || !time_is_over(&start); rounds++) {
		missed += collect_round(&pages, &err);
		if (missed || err)
			break;
	}
	__atomic_store_n(&run.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(0, w[i].err);
		writes += w[i].writes;
	}
	pthread_join(other, NULL);
	EXPECT_EQ(0, disturbed);
	EXPECT_EQ(0, err);
	if (!missed && !err)
		missed += collect_round(&pages, &err);
	EXPECT_EQ(0, missed);
	TH_LOG("%d rounds, %llu writes, %llu pages reported", rounds,
	       (unsigned long long)writes, (unsigned long long)pages);
	/* And when all is quiet, nothing is reported. */
	ASSERT_EQ(0, gh_collect(run.fd, run.at, SPAN, &pages));
	ASSERT_EQ(0, gh_collect(run.fd, run.at, SPAN, &pages));
	EXPECT_EQ(0, pages);
}

TEST_HARNESS_MAIN
