// SPDX-License-Identifier: MIT
/*
 * Catches: marking that recurses, that overflows, or whose cost explodes: long
 * chains, wide arrays, shapes in which every step leads to another span.
 */
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "gc.h"
#include "tap.h"

struct link {
	struct link *next;
	uint64_t value;
};

static void *root;

static void dropped(struct goheap_stats before, uint64_t n)
{
	root = NULL;
	collect_hard();
	CHECK_CMP(stats().frees - before.frees, >=, n * 95 / 100);
}

static void check_list(uint64_t n)
{
	uint64_t left = n;

	for (struct link *l = root; l; l = l->next) {
		CHECK_CMP(l->value, ==, left);
		left--;
	}
	CHECK_CMP(left, ==, 0);
}

static void make_list(void *arg)
{
	uint64_t n = *(uint64_t *)arg;

	for (uint64_t i = 1; i <= n; i++) {
		struct link *l = goheap_alloc(sizeof(*l));

		CHECK(l);
		l->next = root;
		l->value = i;
		root = l;
	}
	goheap_collect();
}

/* Run fn(arg) on a stack of @size bytes. */
static void on_small_stack(void (*fn)(void *), void *arg, size_t size)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	CHECK(!pthread_attr_setstacksize(&attr, size));
	CHECK(!pthread_create(&thread, &attr, (void *(*)(void *))(void *)fn, arg));
	CHECK(!pthread_join(thread, NULL));
}

/* Every thread's stack is small here, the library's own threads' too. */
HELPER(long_list)
{
	uint64_t n = fewer(10000000);
	struct goheap_stats before;
	size_t stack = PTHREAD_STACK_MIN + 48 * KIB;

	if (SANITIZED)
		stack = 8 * MIB;
	goheap_alloc(1);
	on_small_stack(make_list, &n, stack);
	goheap_collect();
	check_list(n);
	before = stats();
	CHECK_CMP(before.live_bytes, >=, n * sizeof(struct link));
	dropped(before, n);
}

CASE(list_10m, "a list of 10 million nodes where no stack has more than 128 KiB")
{
	struct rlimit limit = { 128 * KIB, RLIM_INFINITY };
	char err[1024];
	int status;

	/* The sanitizers' own code needs more. */
	if (!SANITIZED)
		CHECK(!setrlimit(RLIMIT_STACK, &limit));
	status = tap_run_helper("long_list", NULL, err, sizeof(err));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		tap_fail(__FILE__, __LINE__, "status %#x: %s", status, err);
}

static void make_shuffled(void *arg)
{
	uint64_t n = *(uint64_t *)arg, state = 5;
	struct link **all = goheap_alloc(n * sizeof(*all));

	for (uint64_t i = 0; i < n; i++)
		CHECK(all[i] = goheap_alloc(sizeof(**all)));
	for (uint64_t i = n - 1; i; i--) {
		uint64_t j = rnd(&state) % (i + 1);
		struct link *l = all[i];

		all[i] = all[j];
		all[j] = l;
	}
	for (uint64_t i = 0; i < n; i++) {
		all[i]->value = i + 1;
		all[i]->next = i ? all[i - 1] : NULL;
	}
	root = all[n - 1];
}

CASE(list_shuffled, "a list of 500,000 whose every step leads to another page")
{
	uint64_t n = fewer(500000);
	struct goheap_stats before;

	in_thread(make_shuffled, &n);
	collect_hard();
	check_list(n);
	before = stats();
	dropped(before, n);
}

/*
 * The next node is always of another size, so in another span: a marker that
 * goes through spans finds one new object in each, however it queues them.
 */
static const size_t sizes[] = {
	16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352,
	384, 416, 448, 480, 512,
};

static void make_zigzag(void *arg)
{
	uint64_t n = *(uint64_t *)arg;

	for (uint64_t i = 1; i <= n; i++) {
		struct link *l = goheap_alloc(sizes[i % ARRAY_SIZE(sizes)]);

		CHECK(l);
		l->next = root;
		l->value = i;
		root = l;
	}
}

/* Processor time of the process, which does nothing else: s. */
static double collect_cost(void)
{
	struct timespec before, after;

	goheap_collect();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	goheap_collect();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (double)(after.tv_sec - before.tv_sec) +
	       (double)(after.tv_nsec - before.tv_nsec) / 1e9;
}

CASE(list_zigzag, "a list that is in another span at every step costs no more than 40 times a plain one",
     "GOHEAP_GOGC=off")
{
	uint64_t n = fewer(300000);
	double plain, zigzag;

	goheap_alloc(1);
	in_thread(make_list, &n);
	plain = collect_cost();
	root = NULL;
	goheap_collect();
	in_thread(make_zigzag, &n);
	zigzag = collect_cost();
	check_list(n);
	fprintf(stderr, "# %llu nodes: %.1f ms plain, %.1f ms zigzag\n", (unsigned long long)n,
		plain * 1e3, zigzag * 1e3);
	CHECK_CMP((uint64_t)(zigzag * 1e6), <, (uint64_t)(plain * 40e6) + 50000);
}

/* A large object at every step, linked by its last word. */
static void make_large_chain(void *arg)
{
	uint64_t n = *(uint64_t *)arg;

	for (uint64_t i = 0; i < n; i++) {
		void **p = goheap_alloc(40 * KIB);

		CHECK(p);
		p[40 * KIB / sizeof(*p) - 1] = root;
		p[0] = (void *)(2 * i + 1);
		root = p;
	}
}

CASE(list_large, "a list of 2,000 large objects, linked by their last words")
{
	uint64_t n = fewer(2000), i = n;
	struct goheap_stats before;

	in_thread(make_large_chain, &n);
	collect_hard();
	for (void **p = root; p; p = p[40 * KIB / sizeof(*p) - 1])
		CHECK_CMP(p[0], ==, (void *)(2 * --i + 1));
	CHECK_CMP(i, ==, 0);
	before = stats();
	dropped(before, n);
}

static void make_wide(void *arg)
{
	uint64_t n = *(uint64_t *)arg;
	struct link **all = goheap_alloc(n * sizeof(*all));

	CHECK(all);
	root = all;
	for (uint64_t i = 0; i < n; i++) {
		CHECK(all[i] = goheap_alloc(sizeof(**all)));
		all[i]->value = i;
	}
}

static void walk_wide(void *arg)
{
	for (uint64_t i = 0; i < *(uint64_t *)arg; i++)
		CHECK_CMP(((struct link **)root)[i]->value, ==, i);
}

CASE(wide, "an array of 2 million pointers")
{
	uint64_t n = fewer(2000000);
	struct goheap_stats before;

	in_thread(make_wide, &n);
	collect_hard();
	in_thread(walk_wide, &n);
	before = stats();
	dropped(before, n);
}

static void make_wide_twice(void *arg)
{
	uint64_t n = *(uint64_t *)arg;
	struct link ***all = goheap_alloc(n * sizeof(*all));

	root = all;
	for (uint64_t i = 0; i < n; i++) {
		CHECK(all[i] = goheap_alloc(n * sizeof(**all)));
		for (uint64_t j = 0; j < n; j++) {
			CHECK(all[i][j] = goheap_alloc(sizeof(struct link)));
			all[i][j]->value = i * n + j;
		}
	}
}

static void walk_wide_twice(void *arg)
{
	uint64_t n = *(uint64_t *)arg;

	for (uint64_t i = 0; i < n * n; i++)
		CHECK_CMP(((struct link ***)root)[i / n][i % n]->value, ==, i);
}

CASE(wide_twice, "an array of arrays, a million objects at their ends")
{
	uint64_t n = fewer(1000);
	struct goheap_stats before;

	in_thread(make_wide_twice, &n);
	collect_hard();
	in_thread(walk_wide_twice, &n);
	before = stats();
	dropped(before, n * n);
}

/* Two nodes a layer, both pointing to both of the next: 2^10,000 ways, 20,000 nodes. */
struct cross {
	struct cross *to[2];
	uint64_t layer;
};

static void make_lattice(void *arg)
{
	uint64_t layers = *(uint64_t *)arg;
	struct cross *below[2] = { NULL, NULL };

	for (uint64_t i = 0; i < layers; i++) {
		struct cross *now[2];

		for (int k = 0; k < 2; k++) {
			CHECK(now[k] = goheap_alloc(sizeof(**now)));
			now[k]->to[0] = below[0];
			now[k]->to[1] = below[1];
			now[k]->layer = i;
		}
		below[0] = now[0];
		below[1] = now[1];
	}
	root = below[0];
}

CASE(lattice, "a lattice with 2^10,000 ways through it is gone through once")
{
	uint64_t layers = 10000, n = layers;
	struct goheap_stats before;

	in_thread(make_lattice, &layers);
	collect_hard();
	for (struct cross *c = root; c; c = c->to[n % 2])
		CHECK_CMP(c->layer, ==, --n);
	CHECK_CMP(n, ==, 0);
	before = stats();
	dropped(before, 2 * layers - 1);
}

/* All links go left: the tree is a list, with a leaf at every node. */
struct tree {
	struct tree *left, *right;
};

static void make_comb(void *arg)
{
	uint64_t n = *(uint64_t *)arg;

	for (uint64_t i = 0; i < n; i++) {
		struct tree *t = goheap_alloc(sizeof(*t));

		t->right = goheap_alloc(sizeof(*t));
		t->left = root;
		root = t;
	}
}

CASE(comb, "a tree that is all on one side, a million high")
{
	uint64_t n = fewer(1000000), seen = 0;
	struct goheap_stats before;

	in_thread(make_comb, &n);
	collect_hard();
	for (struct tree *t = root; t; t = t->left, seen++)
		CHECK(t->right && !t->right->left && !t->right->right);
	CHECK_CMP(seen, ==, n);
	before = stats();
	dropped(before, 2 * n);
}
