// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: parent, child or grandchild that sees what another of them wrote,
 * allocated, freed or released after the fork, or loses what it wrote itself.
 */
#include "arena.h"
#include "forks.h"

#include <pthread.h>
#include <stdatomic.h>

#define SYSTEM_PAGE	4096
#define THREADS		3
#define SLOTS		12	/* spans of one thread */
#define SPAN_MAX	24	/* runtime pages */

/*
 * The model: what each system page of each span holds, one seed a page.  It
 * lives in private memory, so a fork copies it as it ought to copy the heap.
 */
struct slot {
	struct goheap_span span;
	uint64_t seed[SPAN_MAX * GH_PAGE / SYSTEM_PAGE];
};

struct worker {
	int fd;
	int ops;
	uint64_t rng;
	uint64_t next;
	const char *failed;
	struct slot slot[SLOTS];
};

static const unsigned int looked_at[] = { 0, 1, 200, 510, 511 };

static void page_write(struct slot *s, unsigned int page, uint64_t seed)
{
	volatile uint64_t *w = (uint64_t *)(gh_ptr(&s->span) + page * SYSTEM_PAGE);

	for (unsigned int i = 0; i < ARRAY_SIZE(looked_at); i++)
		w[looked_at[i]] = gh_word(seed, looked_at[i]);
	s->seed[page] = seed;
}

static bool page_holds(const struct slot *s, unsigned int page)
{
	volatile uint64_t *w = (uint64_t *)(gh_ptr(&s->span) + page * SYSTEM_PAGE);

	for (unsigned int i = 0; i < ARRAY_SIZE(looked_at); i++)
		if (w[looked_at[i]] != gh_word(s->seed[page], looked_at[i]))
			return false;
	return true;
}

static unsigned int slot_pages(const struct slot *s)
{
	return s->span.npages * GH_PAGE / SYSTEM_PAGE;
}

static const char *slot_fill(struct worker *w, struct slot *s)
{
	unsigned int n = 1 + gh_random(&w->rng) % SPAN_MAX;

	if (gh_alloc(w->fd, n, &s->span))
		return "a span could not be had";
	for (unsigned int i = 0; i < slot_pages(s); i++)
		page_write(s, i, w->next++);
	return NULL;
}

static const char *slot_empty(struct worker *w, struct slot *s)
{
	for (unsigned int i = 0; i < slot_pages(s); i++)
		if (!page_holds(s, i))
			return "a page of a span that is to be freed has changed";
	if (gh_free(w->fd, &s->span))
		return "a span could not be freed";
	s->span.npages = 0;
	return NULL;
}

static const char *work_once(struct worker *w)
{
	struct slot *s = &w->slot[gh_random(&w->rng) % SLOTS];
	unsigned int what = gh_random(&w->rng) % 100, page;
	uint64_t bytes = 40 * GH_PAGE;

	if (what >= 98)
		return gh_release(w->fd, what == 98 ? GOHEAP_RELEASE_KEEP : 0, &bytes) ?
		       "release failed" : NULL;
	if (!s->span.npages)
		return slot_fill(w, s);
	if (what >= 90)
		return slot_empty(w, s);
	page = gh_random(&w->rng) % slot_pages(s);
	if (!page_holds(s, page))
		return "a page has changed";
	if (what < 50)
		page_write(s, page, w->next++);
	return NULL;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < w->ops && !w->failed; i++)
		w->failed = work_once(w);
	return NULL;
}

static struct worker workers[THREADS];

static bool all_hold(void)
{
	for (int t = 0; t < THREADS; t++) {
		for (int i = 0; i < SLOTS; i++) {
			const struct slot *s = &workers[t].slot[i];

			for (unsigned int p = 0; s->span.npages && p < slot_pages(s); p++) {
				if (page_holds(s, p))
					continue;
				fprintf(stderr, "# page %u of span %#llx has changed\n", p,
					(unsigned long long)s->span.addr);
				return false;
			}
		}
	}
	return true;
}

/* All threads work for a while; true if none of them saw anything wrong. */
static bool phase(uint64_t who)
{
	pthread_t thread[THREADS];
	bool good = true;

	for (int t = 0; t < THREADS; t++) {
		workers[t].rng ^= (who + 1) * 0x9e3779b97f4a7c15ULL;
		workers[t].next += who << 32;
		if (pthread_create(&thread[t], NULL, work, &workers[t]))
			abort();
	}
	for (int t = 0; t < THREADS; t++) {
		pthread_join(thread[t], NULL);
		if (workers[t].failed) {
			fprintf(stderr, "# %s\n", workers[t].failed);
			good = false;
		}
	}
	return good;
}

/* Work, fork, work on both sides at once, and so on down to @depth. */
static int family(int depth, uint64_t who)
{
	int bad = 0, status;

	for (int d = 0; d < depth; d++) {
		pid_t pid;

		if (!phase(who))
			return 1;
		pid = fork();
		if (pid < 0)
			return 2;
		if (!pid) {
			if (!all_hold())
				_exit(3);
			_exit(family(depth - d - 1, who * 8 + d + 1) || !phase(who * 8 + 7) ||
			      !all_hold());
		}
		if (!phase(who) || !all_hold())
			bad = 4;
		/* Some children go on beside their parent's next fork. */
		if ((who + d) & 1 && d < depth - 1)
			continue;
		while (wait(&status) > 0)
			if (status)
				bad = 5;
		if (bad)
			return bad;
	}
	return bad || !all_hold();
}

static void start(int fd, int ops)
{
	for (int t = 0; t < THREADS; t++)
		workers[t] = (struct worker){
			.fd = fd, .ops = ops, .rng = 77 + t, .next = (uint64_t)t << 60,
		};
}

TEST_F(arena, one_fork)
{
	start(self->fd, 1500);
	EXPECT_EQ(0, family(1, 0));
}

TEST_F(arena, family)
{
	start(self->fd, 250);
	EXPECT_EQ(0, family(3, 0));
}

/* One after the other, with the same pages shared and alone again and again. */
TEST_F(arena, many_in_turn)
{
	start(self->fd, 100);
	for (int i = 0; i < 25; i++) {
		pid_t pid;

		ASSERT_TRUE(phase(2 * i));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(!all_hold() || !phase(2 * i + 1) || !all_hold());
		if (i % 3)
			EXPECT_TRUE(phase(2 * i));
		EXPECT_EQ(0, gh_wait(pid));
		ASSERT_TRUE(all_hold());
	}
}

/*
 * Threads that write while another forks.  What a child has is what was there at
 * some moment of the fork; but from then on it must stand still, however much its
 * parent goes on writing, and its parent must lose nothing.
 */
#define HOT_PAGES	256

static atomic_bool hot_stop;

struct hot {
	uint64_t *at;
	int id;
	bool failed;
};

static uint64_t *hot_word(const struct hot *h, int page)
{
	return h->at + page * (SYSTEM_PAGE / 8) + h->id;
}

static void *hot_write(void *arg)
{
	struct hot *h = arg;

	for (uint64_t n = 1; !atomic_load(&hot_stop); n++) {
		for (int p = 0; p < HOT_PAGES; p++) {
			volatile uint64_t *w = hot_word(h, p);

			if (*w != n - 1)
				h->failed = true;
			*w = n;
		}
	}
	return NULL;
}

static bool stands_still(uint64_t *at)
{
	static uint64_t first[HOT_PAGES][THREADS];
	struct hot h = { .at = at };

	for (int round = 0; round < 5; round++) {
		for (int p = 0; p < HOT_PAGES; p++) {
			for (h.id = 0; h.id < THREADS; h.id++) {
				uint64_t v = *(volatile uint64_t *)hot_word(&h, p);

				if (!round)
					first[p][h.id] = v;
				else if (first[p][h.id] != v)
					return false;
			}
		}
		usleep(2000);
	}
	/* And it can be written to. */
	for (int p = 0; p < HOT_PAGES; p += 2)
		for (h.id = 0; h.id < THREADS; h.id++)
			*hot_word(&h, p) = ~0ULL;
	return true;
}

TEST_F(arena, fork_under_writers)
{
	pthread_t thread[THREADS];
	struct hot hot[THREADS];
	struct goheap_span s;
	uint64_t last[THREADS] = {};

	ASSERT_EQ(0, gh_alloc(self->fd, HOT_PAGES * SYSTEM_PAGE / GH_PAGE, &s));
	for (int t = 0; t < THREADS; t++) {
		hot[t] = (struct hot){ .at = (uint64_t *)gh_ptr(&s), .id = t };
		ASSERT_EQ(0, pthread_create(&thread[t], NULL, hot_write, &hot[t]));
	}
	for (int i = 0; i < 20; i++) {
		uint64_t before[THREADS];
		pid_t pid;

		/* The page that a round writes last was written at least so often. */
		for (int t = 0; t < THREADS; t++)
			before[t] = *(volatile uint64_t *)hot_word(&hot[t], HOT_PAGES - 1);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			for (int t = 0; t < THREADS; t++)
				for (int p = 0; p < HOT_PAGES; p++)
					CHILD_CHECK(2, *(volatile uint64_t *)hot_word(&hot[t], p) >= before[t]);
			CHILD_CHECK(1, stands_still(hot[0].at));
			_exit(0);
		}
		EXPECT_EQ(0, gh_wait(pid));
	}
	atomic_store(&hot_stop, true);
	for (int t = 0; t < THREADS; t++) {
		pthread_join(thread[t], NULL);
		EXPECT_FALSE(hot[t].failed);
		last[t] = *hot_word(&hot[t], 0);
		for (int p = 0; p < HOT_PAGES; p++)
			EXPECT_EQ(last[t], *hot_word(&hot[t], p));
	}
}

/* Allocating and freeing in other threads at the moment of the fork. */
struct churn {
	int fd;
	bool failed;
};

static void *churn(void *arg)
{
	struct churn *c = arg;
	uint64_t rng = (uintptr_t)c;

	while (!atomic_load(&hot_stop)) {
		struct goheap_span s[4] = {};
		int i;

		for (i = 0; i < 4; i++)
			s[i].npages = 1 + gh_random(&rng) % 300;
		if (gh_alloc_batch(c->fd, s, 4)) {
			c->failed = true;
			break;
		}
		for (i = 0; i < 4; i++)
			*gh_ptr(&s[i]) = 1;
		for (i = 0; i < 4; i++)
			s[i].flags = 0;
		if (gh_free_batch(c->fd, s, 4))
			c->failed = true;
		if (gh_random(&rng) % 4 == 0)
			gh_release(c->fd, 0, &(uint64_t){ GH_ALL });
	}
	return NULL;
}

TEST_F(arena, fork_under_requests)
{
	struct churn c[THREADS];
	pthread_t thread[THREADS];
	struct heap h;

	ASSERT_TRUE(heap_make(self->fd, &h));
	for (int t = 0; t < THREADS; t++) {
		c[t] = (struct churn){ .fd = self->fd };
		ASSERT_EQ(0, pthread_create(&thread[t], NULL, churn, &c[t]));
	}
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			struct goheap_arena_stats st = gh_stats(self->fd);
			struct goheap_span s[20];
			int n;

			CHILD_CHECK(1, gh_consistent(&st));
			CHILD_CHECK(2, heap_holds(&h));
			/* What is free here is free: it can be had, and is zero. */
			for (n = 0; n < 20; n++) {
				CHILD_CHECK(3, !gh_alloc(self->fd, 100, &s[n]));
				CHILD_CHECK(4, gh_is_zero(gh_ptr(&s[n]), gh_bytes(&s[n])));
				gh_fill(gh_ptr(&s[n]), gh_bytes(&s[n]), n);
			}
			for (n = 0; n < 20; n++)
				CHILD_CHECK(5, gh_holds(gh_ptr(&s[n]), gh_bytes(&s[n]), n));
			for (n = 0; n < 20; n++)
				CHILD_CHECK(6, !gh_free(self->fd, &s[n]));
			CHILD_CHECK(7, !gh_free(self->fd, &h.a) && !gh_free(self->fd, &h.b));
			_exit(0);
		}
		EXPECT_EQ(0, gh_wait(pid));
	}
	atomic_store(&hot_stop, true);
	for (int t = 0; t < THREADS; t++) {
		pthread_join(thread[t], NULL);
		EXPECT_FALSE(c[t].failed);
	}
	EXPECT_TRUE(heap_holds(&h));
}

TEST_HARNESS_MAIN
