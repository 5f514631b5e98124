// SPDX-License-Identifier: MIT
/*
 * Catches: finalizers that run too early, twice, never, in the wrong order or
 * thread, or on objects whose contents are gone; objects that stay afterwards.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { N = 1000, MANY = 100000 };

/* By canaries' index: how often the finalizer has run, and where it saw damage. */
static unsigned int runs[MANY], damaged;

static void count_run(void *object, void *arg)
{
	struct canary *c = object;
	unsigned int i = (uintptr_t)arg;

	if (!canary_ok(c, i))
		__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&runs[i], 1, __ATOMIC_RELAXED);
}

static unsigned int count_ran(unsigned int n)
{
	unsigned int ran = 0;

	for (unsigned int i = 0; i < n; i++)
		ran += !!__atomic_load_n(&runs[i], __ATOMIC_RELAXED);
	return ran;
}

/* Until what is due has been run. */
static void settle(void)
{
	for (int i = 0; i < 10000 && stats().finalizers_queued; i++)
		sleep_ms(5);
	CHECK_CMP(stats().finalizers_queued, ==, 0);
	/* The last one has been taken off the queue; give it the time to return. */
	sleep_ms(20);
}

/* Collect and have finalizers run, until nothing more comes. */
static void collect_and_settle(void)
{
	for (int i = 0; i < 3; i++) {
		collect_hard();
		settle();
	}
}

static void make_finalizable(void *arg)
{
	unsigned int n = (uintptr_t)arg;

	for (unsigned int i = 0; i < n; i++)
		CHECK_CMP(goheap_set_finalizer(canary_new(i), count_run, (void *)(uintptr_t)i), ==, 0);
}

static void once(unsigned int n)
{
	struct goheap_stats after;

	in_thread(make_finalizable, (void *)(uintptr_t)n);
	after = stats();
	CHECK_CMP(after.finalizers + after.finalizers_queued + after.finalizers_run, ==, n);
	collect_and_settle();
	after = stats();
	CHECK_CMP(count_ran(n), >=, n * 95 / 100);
	CHECK_CMP(damaged, ==, 0);
	for (unsigned int i = 0; i < n; i++)
		CHECK_CMP(runs[i], <=, 1);
	CHECK_CMP(after.finalizers_run, ==, count_ran(n));
	CHECK_CMP(after.finalizers, ==, n - count_ran(n));
}

CASE(once, "the finalizers of 1,000 dropped objects run, once, on whole objects", "GOHEAP_GOGC=off")
{
	once(N);
}

CASE(many, "and those of 100,000, with collections whenever they are due")
{
	once(MANY);
}

static uintptr_t hidden[N];

static void make_hidden(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++) {
		struct canary *c = canary_new(i);

		hidden[i] = hide(c);
		CHECK_CMP(goheap_set_finalizer(c, count_run, (void *)(uintptr_t)i), ==, 0);
	}
}

CASE(freed, "an object is kept until its finalizer has run, and freed later", "GOHEAP_GOGC=off")
{
	struct goheap_stats before, after;

	in_thread(make_hidden, NULL);
	before = stats();
	scrub_stack();
	goheap_collect();
	after = stats();
	/* Of those that have been found dead, none is gone. */
	CHECK_CMP(after.finalizers_run + after.finalizers_queued, >=, N * 95 / 100);
	CHECK_CMP(after.frees - before.frees, <, N / 20);
	settle();
	collect_and_settle();
	CHECK_CMP(damaged, ==, 0);
	CHECK_CMP(objects_alive(hidden, N), <, N / 20);
}

static void *place[N];

static void set_for_place(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++)
		CHECK(!goheap_set_finalizer(place[i], count_run, (void *)(uintptr_t)i));
}

CASE(held, "none runs while its object can be reached", "GOHEAP_GOGC=20")
{
	canaries_make(place, NULL, N);
	in_thread(set_for_place, NULL);
	collect_and_settle();
	CHECK_CMP(count_ran(N), ==, 0);
	/* Every second goes. */
	for (unsigned int i = 0; i < N; i += 2)
		place[i] = NULL;
	collect_and_settle();
	CHECK_CMP(count_ran(N), >=, N / 2 * 95 / 100);
	for (unsigned int i = 1; i < N; i += 2)
		CHECK_CMP(runs[i], ==, 0);
	CHECK_CMP(damaged, ==, 0);
}

/* What a finalizer sees. */
static pthread_t ran_in;
static char ran_name[32];
static sigset_t ran_mask;
static unsigned int ran;

static void look_around(void *object, void *arg)
{
	(void)object;
	(void)arg;
	ran_in = pthread_self();
	pthread_getname_np(pthread_self(), ran_name, sizeof(ran_name));
	pthread_sigmask(SIG_SETMASK, NULL, &ran_mask);
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELEASE);
}

static void drop_ten(void *fn)
{
	for (int i = 0; i < 10; i++)
		CHECK(!goheap_set_finalizer(goheap_alloc(64), (void (*)(void *, void *))fn, NULL));
}

CASE(thread, "in a thread of the library's, which the program's signals do not reach")
{
	in_thread(drop_ten, look_around);
	collect_and_settle();
	CHECK_CMP(__atomic_load_n(&ran, __ATOMIC_ACQUIRE), >=, 9);
	CHECK(!pthread_equal(ran_in, pthread_self()));
	CHECK_CMP(strcmp(ran_name, "goheap-final"), ==, 0);
	CHECK(sigismember(&ran_mask, SIGINT) && sigismember(&ran_mask, SIGALRM));
	CHECK_CMP(stats().threads, ==, 1);
}

struct link {
	struct link *next;
	unsigned int chain, place;
	struct canary *guard;
	uint64_t filler[3];
};

enum { CHAINS = 100, LENGTH = 8 };

static unsigned int next_place[CHAINS], out_of_order;

static void in_order(void *object, void *arg)
{
	struct link *l = object;

	(void)arg;
	/* What it points to is whole: its guard, and the rest of the chain. */
	for (struct link *n = l; n; n = n->next)
		if (!canary_ok(n->guard, n->chain))
			__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	if (next_place[l->chain]++ != l->place)
		__atomic_fetch_add(&out_of_order, 1, __ATOMIC_RELAXED);
}

static void make_chains(void *arg)
{
	(void)arg;
	for (unsigned int c = 0; c < CHAINS; c++) {
		struct link *first = NULL;

		/* From the last, so that order of addresses or of setting does not help. */
		for (unsigned int i = LENGTH; i--;) {
			struct link *l = goheap_alloc(sizeof(*l));

			l->chain = c;
			l->place = i;
			l->guard = canary_new(c);
			l->next = first;
			first = l;
			CHECK(!goheap_set_finalizer(l, in_order, NULL));
		}
	}
}

CASE(order, "an object's finalizer runs before those of what it points to", "GOHEAP_GOGC=off")
{
	struct goheap_stats first;

	in_thread(make_chains, NULL);
	scrub_stack();
	goheap_collect();
	settle();
	first = stats();
	/* One of each chain is due with one collection, and no more. */
	CHECK_CMP(first.finalizers_run, <=, CHAINS);
	CHECK_CMP(first.finalizers_run, >=, CHAINS * 9 / 10);
	for (int i = 0; i < LENGTH + 2; i++) {
		collect_hard();
		settle();
	}
	CHECK_CMP(stats().finalizers_run, >=, CHAINS * LENGTH * 9 / 10);
	CHECK_CMP(out_of_order, ==, 0);
	CHECK_CMP(damaged, ==, 0);
}

/* What can be reached from itself: directly, by way of another, of a plain object. */
static void make_cycles(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 100; i++) {
		struct link *self = goheap_alloc(sizeof(*self));
		struct link *a = goheap_alloc(sizeof(*a)), *b = goheap_alloc(sizeof(*b));
		struct link *c = goheap_alloc(sizeof(*c));

		self->next = self;
		a->next = b;
		b->next = a;
		c->next = goheap_alloc(sizeof(*c));
		c->next->next = c;
		CHECK(!goheap_set_finalizer(self, look_around, NULL));
		CHECK(!goheap_set_finalizer(a, look_around, NULL));
		CHECK(!goheap_set_finalizer(b, look_around, NULL));
		CHECK(!goheap_set_finalizer(c, look_around, NULL));
		/* By way of the argument. */
		b = goheap_alloc(sizeof(*b));
		CHECK(!goheap_set_finalizer(b, look_around, b));
	}
}

CASE(cycles, "what can be reached from itself is not freed, and no finalizer runs")
{
	in_thread(make_cycles, NULL);
	collect_and_settle();
	CHECK_CMP(ran, ==, 0);
	CHECK_CMP(stats().finalizers, ==, 500);
}

static void keep_it(void *object, void *arg)
{
	unsigned int i = (uintptr_t)arg;

	count_run(object, arg);
	place[i] = object;
}

static void make_kept(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++)
		CHECK(!goheap_set_finalizer(canary_new(i), keep_it, (void *)(uintptr_t)i));
}

static unsigned int kept_ok(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < N; i++)
		n += place[i] && canary_ok(place[i], i);
	return n;
}

CASE(resurrection, "what a finalizer puts where it is found lives, and goes without another one")
{
	unsigned int n;

	in_thread(make_kept, NULL);
	collect_and_settle();
	n = count_ran(N);
	CHECK_CMP(n, >=, N * 95 / 100);
	CHECK_CMP(kept_ok(), ==, n);
	for (unsigned int i = 0; i < N; i++) {
		hidden[i] = hide(place[i]);
		place[i] = NULL;
	}
	collect_and_settle();
	CHECK_CMP(objects_alive(hidden, N), <, N / 10);
	for (unsigned int i = 0; i < N; i++)
		CHECK_CMP(runs[i], <=, 1);
}

static void again(void *object, void *arg)
{
	unsigned int i = (uintptr_t)arg;

	count_run(object, arg);
	if (runs[i] < 5)
		CHECK(!goheap_set_finalizer(object, again, arg));
}

static void make_again(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++)
		CHECK(!goheap_set_finalizer(canary_new(i), again, (void *)(uintptr_t)i));
}

CASE(again, "a finalizer may set one again, and that runs later")
{
	unsigned int five = 0;

	in_thread(make_again, NULL);
	for (int i = 0; i < 4; i++)
		collect_and_settle();
	for (unsigned int i = 0; i < N; i++) {
		CHECK_CMP(runs[i], <=, 5);
		five += runs[i] == 5;
	}
	CHECK_CMP(five, >=, N * 95 / 100);
	CHECK_CMP(damaged, ==, 0);
}

static void make_and_take_back(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++) {
		struct canary *c = canary_new(i);

		CHECK(!goheap_set_finalizer(c, count_run, (void *)(uintptr_t)i));
		CHECK_ERR(goheap_set_finalizer(c, look_around, NULL), -1, EEXIST);
		if (i % 2)
			CHECK(!goheap_set_finalizer(c, NULL, NULL));
	}
}

CASE(taken_back, "set twice is EEXIST; what is taken back does not run")
{
	in_thread(make_and_take_back, NULL);
	CHECK_CMP(stats().finalizers, ==, N / 2);
	collect_and_settle();
	CHECK_CMP(count_ran(N), >=, N / 2 * 95 / 100);
	for (unsigned int i = 1; i < N; i += 2)
		CHECK_CMP(runs[i], ==, 0);
	CHECK_CMP(ran, ==, 0);
}

CASE(errors, "what is not the start of an object is EINVAL, dead ones too")
{
	static char data[64];
	char *obj = goheap_alloc(64), *large = goheap_alloc(MIB), *freed = goheap_alloc(MIB);
	char *heap = malloc(64);
	void *const no_object[] = {
		NULL, data, heap, obj + 1, obj + 8, large + 8192, (void *)8, (void *)UINTPTR_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(no_object); i++) {
		CHECK_ERR(goheap_set_finalizer(no_object[i], look_around, NULL), -1, EINVAL);
		CHECK_ERR(goheap_set_finalizer(no_object[i], NULL, NULL), -1, EINVAL);
	}
	goheap_free(freed);
	CHECK_ERR(goheap_set_finalizer(freed, look_around, NULL), -1, EINVAL);
	/* Taking back what was not set is no error. */
	CHECK_CMP(goheap_set_finalizer(obj, NULL, NULL), ==, 0);
	CHECK_CMP(goheap_set_finalizer(large, look_around, NULL), ==, 0);
	CHECK_CMP(goheap_set_finalizer(large, NULL, NULL), ==, 0);
	CHECK_CMP(stats().finalizers, ==, 0);
	free(heap);
}

static void arg_whole(void *object, void *arg)
{
	(void)object;
	if (!canary_ok(*(struct canary **)arg, 7))
		__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void make_with_arg(void *objects)
{
	for (unsigned int i = 0; i < N; i++) {
		struct canary **arg = goheap_alloc(sizeof(*arg));

		*arg = canary_new(7);
		((void **)objects)[i] = goheap_alloc_noscan(100);
		CHECK(!goheap_set_finalizer(((void **)objects)[i], arg_whole, arg));
	}
}

CASE(argument, "the argument lives as long as the object, with what it points to")
{
	in_thread(make_with_arg, place);
	collect_hard();
	CHECK_CMP(ran, ==, 0);
	memset(place, 0, sizeof(place));
	collect_and_settle();
	CHECK_CMP(ran, >=, N * 95 / 100);
	CHECK_CMP(damaged, ==, 0);
}

static void filled(void *object, void *arg)
{
	size_t size = goheap_usable_size(object);

	for (size_t i = 0; i < size; i++)
		if (((unsigned char *)object)[i] != (uintptr_t)arg)
			__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void make_sizes(void *arg)
{
	static const size_t sizes[] = { 1, 2, 3, 5, 8, 15, 16, 17, 100, 4000, 32768, 32769, 200000 };

	(void)arg;
	for (int i = 0; i < 200; i++)
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
			void *p = (i % 2 ? goheap_alloc : goheap_alloc_noscan)(sizes[j]);

			/* Odd bytes: no word is an address. */
			memset(p, 2 * (int)j + 1, goheap_usable_size(p));
			CHECK(!goheap_set_finalizer(p, filled, (void *)(2 * j + 1)));
			CHECK_ERR(goheap_set_finalizer(p, filled, NULL), -1, EEXIST);
		}
}

CASE(sizes, "objects of all sizes and kinds, those that share blocks too")
{
	in_thread(make_sizes, NULL);
	collect_and_settle();
	CHECK_CMP(ran, >=, 200 * 13 * 95 / 100);
	CHECK_CMP(damaged, ==, 0);
}

struct typed {
	struct canary *pointer;
	struct canary *number;
};

GOHEAP_DEFINE_TYPE(typed_type, struct typed, GOHEAP_POINTER(struct typed, pointer));

static void look_typed(void *object, void *arg)
{
	struct typed *t = object;

	if (!canary_ok(t->pointer, (uintptr_t)arg))
		__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void make_typed(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++) {
		/* Every tenth in a span of its own. */
		struct typed *t = goheap_alloc_typed(&typed_type, i % 10 ? 1 : 5000);

		t->pointer = canary_new(i);
		t->number = canary_new(i);
		hidden[i] = hide(t->number);
		place[i] = i % 2 ? t : NULL;
		CHECK(!goheap_set_finalizer(t, look_typed, (void *)(uintptr_t)i));
	}
}

CASE(typed, "of an object with a type what its pointers name is kept, and nothing else",
     "GOHEAP_GOGC=off")
{
	in_thread(make_typed, NULL);
	collect_and_settle();
	CHECK_CMP(ran, >=, N / 2 * 9 / 10);
	CHECK_CMP(ran, <=, N / 2);
	CHECK_CMP(damaged, ==, 0);
	/* The other half's contents are searched as roots too. */
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
	for (unsigned int i = 1; i < N; i += 2)
		CHECK(canary_ok(((struct typed *)place[i])->pointer, i));
}

static unsigned int inner;

static void count_inner(void *object, void *arg)
{
	(void)object;
	(void)arg;
	__atomic_fetch_add(&inner, 1, __ATOMIC_RELAXED);
}

/* A list that only this thread's stack holds, through collections. */
static void work_hard(void *object, void *arg)
{
	struct link *list = NULL;
	unsigned int n = 0;

	(void)object;
	(void)arg;
	for (unsigned int i = 0; i < 200; i++) {
		struct link *l = goheap_alloc(sizeof(*l));

		l->next = list;
		l->guard = canary_new(i);
		l->place = i;
		list = l;
		if (i % 50 == 0)
			goheap_collect();
	}
	for (struct link *l = list; l; l = l->next, n++)
		if (!canary_ok(l->guard, l->place))
			__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	if (n != 200)
		__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	CHECK(!goheap_set_finalizer(goheap_alloc(32), count_inner, NULL));
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void make_workers(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		CHECK(!goheap_set_finalizer(goheap_alloc(48), work_hard, NULL));
}

CASE(inside, "a finalizer allocates, collects and sets finalizers; its stack is searched")
{
	in_thread(make_workers, NULL);
	collect_and_settle();
	collect_and_settle();
	CHECK_CMP(ran, >=, 45);
	CHECK_CMP(inner, >=, 40);
	CHECK_CMP(damaged, ==, 0);
}

static void drop_one(void *at)
{
	struct canary *c = canary_new(0);

	*(uintptr_t *)at = hide(c);
	CHECK(!goheap_set_finalizer(c, look_around, NULL));
}

CASE(let_go, "the thread does not hold the object of the finalizer that it ran last")
{
	unsigned int gone = 0;

	if (TSAN)
		tap_skip("ThreadSanitizer's records of a thread hold addresses");
	for (int i = 0; i < 20; i++) {
		uintptr_t object;

		in_thread(drop_one, &object);
		for (int j = 0; j < 4; j++) {
			collect_hard();
			settle();
		}
		gone += !objects_alive(&object, 1);
	}
	/* Other stacks hold one now and then; the thread itself would hold each of them. */
	CHECK_CMP(ran, >=, 15);
	CHECK_CMP(gone, >=, 10);
}

static void free_them(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++) {
		void *p = i % 10 ? (void *)canary_new(i) : goheap_alloc(50000);

		CHECK(!goheap_set_finalizer(p, look_around, NULL));
		if (i % 3 == 0)
			goheap_free(p);
		else if (i % 3 == 1)
			CHECK(goheap_realloc(p, 100000) != p);
		else
			CHECK(!goheap_set_finalizer(p, NULL, NULL));
	}
}

CASE(by_hand, "goheap_free(), and goheap_realloc() that moves, drop the finalizer")
{
	in_thread(free_them, NULL);
	CHECK_CMP(stats().finalizers, ==, 0);
	collect_and_settle();
	CHECK_CMP(ran, ==, 0);
}

#define ROUNDS	(SANITIZED ? 3000 : 20000)

/* Each thread's own slots; a finalizer clears the slot's count. */
struct worker {
	struct canary *slot[64];
	unsigned int set[64];
	unsigned int dropped, taken_back, freed;
};

static struct worker workers[4];
static unsigned int total_runs;

static void worker_final(void *object, void *arg)
{
	if (!canary_ok(object, (uintptr_t)arg))
		__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&total_runs, 1, __ATOMIC_RELAXED);
}

static void *churn_finalizers(void *arg)
{
	struct worker *w = arg;
	uint64_t seed = (uintptr_t)arg;

	for (int round = 0; round < ROUNDS; round++) {
		unsigned int i = rnd(&seed) % 64, what = rnd(&seed) % 16;

		if (!w->slot[i]) {
			w->slot[i] = canary_new(i);
			w->set[i] = !goheap_set_finalizer(w->slot[i], worker_final,
							  (void *)(uintptr_t)i);
			CHECK(w->set[i]);
			continue;
		}
		CHECK(canary_ok(w->slot[i], i));
		if (what < 8) {
			w->dropped += w->set[i];
			w->slot[i] = NULL;
		} else if (what < 10) {
			CHECK(!goheap_set_finalizer(w->slot[i], NULL, NULL));
			w->taken_back += w->set[i];
			w->set[i] = 0;
		} else if (what < 12) {
			w->freed += w->set[i];
			goheap_free(w->slot[i]);
			w->slot[i] = NULL;
		} else if (rnd(&seed) % 64 == 0) {
			goheap_collect();
		}
	}
	for (unsigned int i = 0; i < 64; i++) {
		w->dropped += w->slot[i] && w->set[i];
		w->slot[i] = NULL;
	}
	return NULL;
}

CASE(threads, "four threads set, take back, drop, free and collect at random", "GOHEAP_GOGC=20")
{
	unsigned int dropped = 0;
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, churn_finalizers, &workers[i]));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
	for (int i = 0; i < 4; i++)
		dropped += workers[i].dropped;
	collect_and_settle();
	CHECK_CMP(damaged, ==, 0);
	CHECK_CMP(total_runs, <=, dropped);
	CHECK_CMP(total_runs, >=, dropped * 95ull / 100);
	CHECK_CMP(total_runs + stats().finalizers, ==, dropped);
}

/*
 * A list so long that marking it takes a while.  Its nodes hold objects that are
 * taken out, given a finalizer and dropped before the collector has come by: it
 * has not seen these objects, and what they point to is kept by the finalizer alone.
 */
#define NODES	(SANITIZED ? 20000 : 200000)

struct holder {
	struct holder *next;
	struct canary **object;
};

static struct holder *holders;
/* Where the nodes are, in memory that is not searched. */
static struct holder **nodes;
static atomic_bool enough;

static void make_holders(void *arg)
{
	(void)arg;
	nodes = goheap_alloc_noscan(NODES * sizeof(*nodes));
	for (unsigned int i = 0; i < NODES; i++) {
		struct holder *n = goheap_alloc(sizeof(*n));

		n->next = holders;
		n->object = goheap_alloc(4 * sizeof(*n->object));
		*n->object = canary_new(i);
		nodes[i] = n;
		holders = n;
	}
}

static void guard_whole(void *object, void *arg)
{
	if (!canary_ok(*(struct canary **)object, (uintptr_t)arg))
		__atomic_fetch_add(&damaged, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void *collect_on(void *arg)
{
	while (!enough)
		goheap_collect();
	return arg;
}

static void take_out(void *arg)
{
	uint64_t seed = 1;

	(void)arg;
	/* At random; now and then a rest, so that it takes a few collections. */
	for (unsigned int i = 0; i < NODES; i++) {
		unsigned int at = rnd(&seed) % NODES;
		struct canary **object = nodes[at]->object;

		if (!object)
			continue;
		nodes[at]->object = NULL;
		CHECK(!goheap_set_finalizer(object, guard_whole, (void *)(uintptr_t)at));
		if (i % (NODES / 200) == 0)
			sleep_ms(5);
	}
}

CASE(marking, "finalizers set while the collector marks keep what their objects point to")
{
	unsigned int left = 0;
	pthread_t thread;

	in_thread(make_holders, NULL);
	CHECK(!pthread_create(&thread, NULL, collect_on, NULL));
	in_thread(take_out, NULL);
	enough = true;
	CHECK(!pthread_join(thread, NULL));
	collect_and_settle();
	for (struct holder *n = holders; n; n = n->next)
		left += !!n->object;
	CHECK_CMP(damaged, ==, 0);
	CHECK_CMP(ran, >=, (NODES - left) * 95ull / 100);
	CHECK_CMP(ran, <=, NODES - left);
	CHECK_CMP(stats().num_gc, >=, 5);
}

static void end_thread(void *object, void *arg)
{
	(void)object;
	(void)arg;
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
	pthread_exit(NULL);
}

CASE(thread_ends, "finalizers that end their thread do not stop the others")
{
	in_thread(drop_ten, end_thread);
	in_thread(make_finalizable, (void *)(uintptr_t)N);
	collect_and_settle();
	CHECK_CMP(ran, >=, 9);
	CHECK_CMP(count_ran(N), >=, N * 95 / 100);
	CHECK_CMP(stats().threads, ==, 1);
}

static void slow(void *object, void *arg)
{
	(void)object;
	(void)arg;
	sleep_ms(2);
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void drop_slow(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++)
		CHECK(!goheap_set_finalizer(goheap_alloc(64), slow, NULL));
}

/* The child of a fork with its queue full, and with finalizers set. */
static void in_child(void)
{
	unsigned int at_fork = ran;

	collect_and_settle();
	CHECK_CMP(ran, >, at_fork);
	CHECK_CMP(ran, >=, N * 9 / 10);
	CHECK_CMP(count_ran(N), >=, N * 9 / 10);
	CHECK_CMP(damaged, ==, 0);
	_exit(0);
}

CASE(forked, "a forked child runs what was queued and what was set, and so does the parent",
     "GOHEAP_GOGC=off")
{
	int status;
	pid_t pid;

	if (TSAN)
		tap_skip("TSan does not follow a forked child that makes threads");
	in_thread(make_finalizable, (void *)(uintptr_t)N);
	in_thread(drop_slow, NULL);
	scrub_stack();
	goheap_collect();
	CHECK_CMP(stats().finalizers_queued, >, 0);
	pid = fork();
	CHECK_CMP(pid, >=, 0);
	if (!pid)
		in_child();
	collect_and_settle();
	CHECK_CMP(ran, >=, N * 9 / 10);
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	CHECK_CMP(status, ==, 0);
}

static int forked_status = -1;

/* It goes on in the child as the only thread. */
static void fork_inside(void *object, void *arg)
{
	pid_t pid;

	(void)object;
	(void)arg;
	if (__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED))
		return;
	pid = fork();
	CHECK_CMP(pid, >=, 0);
	if (!pid) {
		goheap_collect();
		CHECK(!goheap_set_finalizer(goheap_alloc(16), count_inner, NULL));
		_exit(canary_ok(canary_new(3), 3) ? 0 : 1);
	}
	CHECK_CMP(waitpid(pid, &forked_status, 0), ==, pid);
}

CASE(forks, "a finalizer may fork")
{
	if (TSAN)
		tap_skip("TSan does not follow a forked child that makes threads");
	in_thread(drop_ten, fork_inside);
	collect_and_settle();
	CHECK_CMP(ran, >=, 9);
	CHECK_CMP(forked_status, ==, 0);
}

static void complain(void *object, void *arg)
{
	(void)object;
	(void)arg;
	fputs("ran\n", stderr);
}

HELPER(leave)
{
	in_thread(drop_ten, complain);
	for (int i = 0; i < 10; i++)
		CHECK(!goheap_set_finalizer(goheap_alloc(64), complain, NULL));
	exit(0);
}

static void *end_later(void *arg)
{
	sleep_ms(100);
	return arg;
}

/* The main thread ends first, then another; the library's stay. */
HELPER(leave_threads)
{
	pthread_t thread;

	in_thread(drop_ten, count_inner);
	collect_and_settle();
	CHECK_CMP(inner, >=, 9);
	CHECK(!pthread_create(&thread, NULL, end_later, NULL));
	CHECK(!pthread_detach(thread));
	pthread_exit(NULL);
}

CASE(exit, "none runs because the process ends, and none keeps it from ending")
{
	char err[4096];

	CHECK_CMP(tap_run_helper("leave", NULL, err, sizeof(err)), ==, 0);
	CHECK_CMP(strlen(err), ==, 0);
	/* ThreadSanitizer has a thread of its own, which nobody counts. */
	if (!TSAN)
		CHECK_CMP(tap_run_helper("leave_threads", NULL, err, sizeof(err)), ==, 0);
}
