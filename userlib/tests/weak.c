// SPDX-License-Identifier: MIT
/*
 * Catches: weak handles that keep their object alive, give out a dead one, lose a
 * live one, or outlive their use.
 */
#include <stdlib.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { N = 1000, MANY = 100000 };

static void *place[MANY];
static struct goheap_weak *handle[MANY];

static void make(void *arg)
{
	unsigned int n = (uintptr_t)arg;

	for (unsigned int i = 0; i < n; i++) {
		place[i] = canary_new(i);
		handle[i] = goheap_weak_new(place[i]);
		CHECK(handle[i]);
	}
}

static unsigned int weak_alive;

/* In a thread, so that nothing of what is looked at stays on the stack. */
static void look(void *arg)
{
	unsigned int n = (uintptr_t)arg;

	weak_alive = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct canary *c = goheap_weak_get(handle[i]);

		CHECK(!c || canary_ok(c, i));
		if (place[i])
			CHECK_CMP((void *)c, ==, place[i]);
		weak_alive += !!c;
	}
}

static unsigned int alive(unsigned int n)
{
	in_thread(look, (void *)(uintptr_t)n);
	return weak_alive;
}

static void held_then_dropped(unsigned int n)
{
	in_thread(make, (void *)(uintptr_t)n);
	CHECK_CMP(stats().weak_handles, ==, n);
	collect_hard();
	CHECK_CMP(alive(n), ==, n);
	for (unsigned int i = 0; i < n; i += 2)
		place[i] = NULL;
	scrub_stack();
	goheap_collect();
	CHECK_CMP(alive(n), >=, n / 2);
	CHECK_CMP(weak_alive, <, n / 2 + n / 20);
	CHECK_CMP(stats().weak_cleared, ==, n - weak_alive);
	CHECK_CMP(stats().weak_handles, ==, weak_alive);
}

CASE(dropped, "of 1,000 handles those of dropped objects are cleared, no other", "GOHEAP_GOGC=off")
{
	held_then_dropped(N);
}

CASE(many, "and of 100,000, with collections whenever they are due")
{
	held_then_dropped(MANY);
}

CASE(same, "the same object has the same handle, another has another")
{
	in_thread(make, (void *)(uintptr_t)N);
	collect_hard();
	for (unsigned int i = 0; i < N; i++) {
		CHECK_CMP(goheap_weak_new(place[i]), ==, handle[i]);
		CHECK(!i || handle[i] != handle[i - 1]);
	}
	CHECK_CMP(stats().weak_handles, ==, N);
}

CASE(unused, "a handle that nobody holds is freed though its object lives", "GOHEAP_GOGC=off")
{
	struct goheap_stats before, after;

	in_thread(make, (void *)(uintptr_t)N);
	before = stats();
	memset(handle, 0, sizeof(handle));
	scrub_stack();
	goheap_collect();
	after = stats();
	CHECK_CMP(after.frees - before.frees, >=, N * 95 / 100);
	CHECK_CMP(after.weak_handles, <, N / 20);
	CHECK_CMP(after.weak_cleared, ==, 0);
	for (unsigned int i = 0; i < N; i++)
		CHECK(canary_ok(place[i], i));
	/* And the objects may have new ones. */
	for (unsigned int i = 0; i < N; i++)
		handle[i] = goheap_weak_new(place[i]);
	collect_hard();
	CHECK_CMP(alive(N), ==, N);
	CHECK_CMP(stats().weak_handles, ==, N);
}

static void drop_one(void *arg)
{
	*(struct goheap_weak **)arg = goheap_weak_new(goheap_alloc(1000));
}

/* At once after a collection that came by itself, and leaves the sweeping for later. */
static void ask_again(void *arg)
{
	unsigned int round = (uintptr_t)arg;
	struct goheap_weak *signal;

	in_thread(drop_one, &signal);
	while (goheap_weak_get(signal))
		goheap_alloc_noscan(2000);
	for (unsigned int i = 0; i < MANY; i++) {
		unsigned int at = round % 2 ? MANY - 1 - i : i;

		handle[at] = goheap_weak_new(place[at]);
		CHECK(handle[at]);
	}
}

CASE(unswept, "a handle asked for again when it is dead but not swept is another, and stays")
{
	in_thread(make, (void *)(uintptr_t)MANY);
	for (unsigned int round = 0; round < (SANITIZED ? 2 : 10); round++) {
		memset(handle, 0, sizeof(handle));
		in_thread(ask_again, (void *)(uintptr_t)round);
		goheap_collect();
		CHECK_CMP(alive(MANY), ==, MANY);
		CHECK_CMP(stats().weak_handles, ==, MANY);
	}
}

CASE(errors, "what is not the start of an object is EINVAL; no handle stands for NULL")
{
	static char data[64];
	char *obj = goheap_alloc(64), *large = goheap_alloc(MIB), *freed = goheap_alloc(MIB);
	void *const no_object[] = {
		NULL, data, obj + 1, obj + 8, large + 8192, (void *)8, (void *)UINTPTR_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(no_object); i++)
		CHECK_ERR(goheap_weak_new(no_object[i]), (struct goheap_weak *)NULL, EINVAL);
	goheap_free(freed);
	CHECK_ERR(goheap_weak_new(freed), (struct goheap_weak *)NULL, EINVAL);
	CHECK_CMP(goheap_weak_get(NULL), ==, NULL);
	CHECK_CMP(stats().weak_handles, ==, 0);
}

static void make_sizes(void *arg)
{
	static const size_t sizes[] = { 1, 2, 5, 8, 15, 16, 100, 4000, 32768, 32769, 200000 };
	unsigned int n = 0;

	(void)arg;
	for (unsigned int i = 0; i < 50; i++)
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++, n++) {
			place[n] = (i % 2 ? goheap_alloc : goheap_alloc_noscan)(sizes[j]);
			handle[n] = goheap_weak_new(place[n]);
			CHECK(handle[n]);
			CHECK_CMP(goheap_weak_get(handle[n]), ==, place[n]);
		}
}

static void count_set(void *arg)
{
	unsigned int n = (uintptr_t)arg;

	weak_alive = 0;
	for (unsigned int i = 0; i < n; i++)
		weak_alive += !!goheap_weak_get(handle[i]);
}

CASE(sizes, "objects of all sizes and kinds, those that share blocks too")
{
	enum { ALL = 50 * 11 };

	in_thread(make_sizes, NULL);
	collect_hard();
	for (unsigned int i = 0; i < ALL; i++)
		CHECK_CMP(goheap_weak_get(handle[i]), ==, place[i]);
	memset(place, 0, sizeof(place));
	collect_hard();
	in_thread(count_set, (void *)(uintptr_t)ALL);
	CHECK_CMP(weak_alive, <, ALL / 20);
}

CASE(by_hand, "goheap_free() clears the handle at once; of the handle, it leaves the object alone")
{
	in_thread(make, (void *)(uintptr_t)N);
	for (unsigned int i = 0; i < N; i++) {
		if (i % 3 == 0) {
			goheap_free(place[i]);
			CHECK_CMP(goheap_weak_get(handle[i]), ==, NULL);
			place[i] = NULL;
		} else if (i % 3 == 1) {
			goheap_free(handle[i]);
			handle[i] = goheap_weak_new(place[i]);
		} else {
			void *moved = goheap_realloc(place[i], 5000);

			CHECK(moved != place[i]);
			CHECK_CMP(goheap_weak_get(handle[i]), ==, NULL);
			place[i] = NULL;
		}
	}
	collect_hard();
	for (unsigned int i = 1; i < N; i += 3) {
		CHECK(canary_ok(place[i], i));
		CHECK_CMP(goheap_weak_get(handle[i]), ==, place[i]);
	}
	CHECK_CMP(stats().weak_handles, ==, N / 3);
}

static unsigned int ran, seen_by_finalizer, damaged;

static void keep(void *object, void *arg)
{
	unsigned int i = (uintptr_t)arg;

	if (goheap_weak_get(handle[i]))
		seen_by_finalizer++;
	damaged += !canary_ok(object, i);
	place[i] = object;
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELEASE);
}

static void make_final(void *arg)
{
	make(arg);
	for (unsigned int i = 0; i < N; i++) {
		CHECK(!goheap_set_finalizer(place[i], keep, (void *)(uintptr_t)i));
		place[i] = NULL;
	}
}

CASE(finalizer, "cleared before the finalizer runs; clear if that keeps the object")
{
	unsigned int kept = 0;

	in_thread(make_final, (void *)(uintptr_t)N);
	for (int i = 0; i < 100 && __atomic_load_n(&ran, __ATOMIC_ACQUIRE) < N * 95 / 100; i++) {
		collect_hard();
		sleep_ms(10);
	}
	sleep_ms(50);
	CHECK_CMP(ran, >=, N * 95 / 100);
	CHECK_CMP(seen_by_finalizer, ==, 0);
	CHECK_CMP(damaged, ==, 0);
	collect_hard();
	for (unsigned int i = 0; i < N; i++) {
		struct goheap_weak *w;

		if (!place[i])
			continue;
		kept++;
		CHECK(canary_ok(place[i], i));
		CHECK_CMP(goheap_weak_get(handle[i]), ==, NULL);
		/* It may have a handle again, but not this one. */
		w = goheap_weak_new(place[i]);
		CHECK(w && w != handle[i]);
		CHECK_CMP(goheap_weak_get(w), ==, place[i]);
	}
	CHECK_CMP(kept, >=, N * 95 / 100);
}

/* B can be reached from A, which has a finalizer: B's handle goes with B, not with A. */
struct pair {
	struct canary *b;
	uint64_t filler[5];
};

static unsigned int b_lost;

static void look_at_b(void *object, void *arg)
{
	unsigned int i = (uintptr_t)arg;
	struct pair *a = object;

	if (goheap_weak_get(handle[i]) != a->b || !canary_ok(a->b, i))
		b_lost++;
	__atomic_fetch_add(&ran, 1, __ATOMIC_RELEASE);
}

static void make_pairs(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++) {
		struct pair *a = goheap_alloc(sizeof(*a));

		a->b = canary_new(i);
		handle[i] = goheap_weak_new(a->b);
		CHECK(!goheap_set_finalizer(a, look_at_b, (void *)(uintptr_t)i));
	}
}

CASE(through_finalizer, "what a finalizer will see is not dead: its handle holds until later")
{
	in_thread(make_pairs, NULL);
	for (int i = 0; i < 100 && __atomic_load_n(&ran, __ATOMIC_ACQUIRE) < N * 95 / 100; i++) {
		collect_hard();
		sleep_ms(10);
	}
	CHECK_CMP(ran, >=, N * 95 / 100);
	CHECK_CMP(b_lost, ==, 0);
	collect_hard();
	CHECK_CMP(alive(N), <, N / 10);
}

#define ROUNDS	(SANITIZED ? 5000 : 60000)
enum { SLOTS = 128 };

/*
 * Objects that live and die by what a few threads do with handles: get, hold for a
 * while, drop.  A dead object that is given out has been overwritten soon.
 */
struct shared {
	struct goheap_weak *weak[SLOTS];
	pthread_mutex_t lock;
};

static struct shared shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *use_handles(void *arg)
{
	struct canary *mine[16] = { NULL };
	unsigned int index[16] = { 0 };
	uint64_t seed = (uintptr_t)arg;

	for (int round = 0; round < ROUNDS; round++) {
		unsigned int i = rnd(&seed) % SLOTS, j = rnd(&seed) % 16;
		struct goheap_weak *w;

		if (mine[j])
			CHECK(canary_ok(mine[j], index[j]));
		pthread_mutex_lock(&shared.lock);
		w = shared.weak[i];
		pthread_mutex_unlock(&shared.lock);
		mine[j] = goheap_weak_get(w);
		if (mine[j]) {
			CHECK(canary_ok(mine[j], i));
			if (round % 4 == 0)
				CHECK_CMP(goheap_weak_new(mine[j]), ==, w);
		} else {
			mine[j] = canary_new(i);
			w = goheap_weak_new(mine[j]);
			pthread_mutex_lock(&shared.lock);
			shared.weak[i] = w;
			pthread_mutex_unlock(&shared.lock);
		}
		index[j] = i;
		/* Overwrites what was freed. */
		memset(goheap_alloc(sizeof(struct canary)), 0xee, sizeof(struct canary));
		if (rnd(&seed) % 512 == 0)
			goheap_collect();
	}
	return NULL;
}

CASE(threads, "four threads that live by handles never get a dead object", "GOHEAP_GOGC=5")
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, use_handles, (void *)(intptr_t)(i + 1)));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
	CHECK_CMP(stats().weak_cleared, >, 100);
}

static struct goheap_weak *one_handle[4];
static pthread_barrier_t barrier;

static void *same_object(void *arg)
{
	unsigned int me = (uintptr_t)arg;

	for (int round = 0; round < ROUNDS / 20; round++) {
		if (!me)
			place[0] = goheap_alloc(64);
		pthread_barrier_wait(&barrier);
		one_handle[me] = goheap_weak_new(place[0]);
		pthread_barrier_wait(&barrier);
		CHECK(one_handle[me]);
		CHECK_CMP(one_handle[me], ==, one_handle[0]);
		CHECK_CMP(goheap_weak_get(one_handle[me]), ==, place[0]);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

CASE(race, "threads that ask for a handle of the same object at once get the same")
{
	pthread_t thread[4];

	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, same_object, (void *)(intptr_t)i));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
}

/* A list of which only the handles of its nodes are held, and its head. */
struct node {
	struct node *next;
	struct goheap_weak *prev;
	uint64_t value;
};

static void make_list(void *arg)
{
	struct node *list = NULL;

	for (unsigned int i = 0; i < N; i++) {
		struct node *n = goheap_alloc(sizeof(*n));

		n->next = list;
		n->value = i;
		if (list)
			list->prev = goheap_weak_new(n);
		list = n;
	}
	*(struct node **)arg = list;
}

static void walk(void *arg)
{
	struct node **head = arg;

	for (struct node *n = *head; n->next; n = n->next)
		CHECK_CMP(goheap_weak_get(n->next->prev), ==, (void *)n);
	*head = (*head)->next;
}

static void look_back(void *arg)
{
	CHECK_CMP(goheap_weak_get((*(struct node **)arg)->prev), ==, NULL);
}

CASE(back_pointers, "a list with weak pointers back goes when its head does")
{
	static struct node *head;
	struct goheap_stats before;

	in_thread(make_list, &head);
	collect_hard();
	in_thread(walk, &head);
	before = stats();
	collect_hard();
	in_thread(look_back, &head);
	head = NULL;
	collect_hard();
	CHECK_CMP(stats().weak_handles, <, N / 20);
	CHECK_CMP(stats().frees - before.frees, >=, 2 * N * 95 / 100);
}

/*
 * A list so long that marking it takes a while.  The objects of its nodes are moved to
 * others, behind the collector's back or not, by way of their handles.
 */
#define NODES	(SANITIZED ? 10000 : 50000)

struct holder {
	struct holder *next;
	struct canary *object;
	struct goheap_weak *weak;
	uint64_t index;			/* of the object */
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
		n->object = canary_new(i);
		n->weak = goheap_weak_new(n->object);
		n->index = i;
		nodes[i] = n;
		holders = n;
	}
}

static void *collect_on(void *arg)
{
	while (!enough)
		goheap_collect();
	return arg;
}

static void move_about(void *arg)
{
	uint64_t seed = 1;

	(void)arg;
	for (unsigned int i = 0; i < 3 * NODES; i++) {
		struct holder *from = nodes[rnd(&seed) % NODES], *to = nodes[rnd(&seed) % NODES];
		struct goheap_weak *weak = from->weak;
		uint64_t index = from->index;

		/* For a moment it is nowhere but behind its handle. */
		from->object = to->object;
		from->weak = to->weak;
		from->index = to->index;
		to->weak = weak;
		to->index = index;
		to->object = goheap_weak_get(weak);
		if (from == to)
			continue;
		if (to->object)
			CHECK(canary_ok(to->object, index));
		else
			to->object = canary_new(index);
		to->weak = goheap_weak_new(to->object);
		if (i % (NODES / 20) == 0)
			sleep_ms(5);
	}
}

static void all_whole(void *arg)
{
	unsigned int n = 0;

	(void)arg;
	for (struct holder *h = holders; h; h = h->next, n++) {
		CHECK(canary_ok(h->object, h->index));
		CHECK_CMP(goheap_weak_get(h->weak), ==, (void *)h->object);
	}
	CHECK_CMP(n, ==, NODES);
}

CASE(marking, "what a handle gives while the collector marks is not freed by it")
{
	pthread_t thread;

	in_thread(make_holders, NULL);
	CHECK(!pthread_create(&thread, NULL, collect_on, NULL));
	in_thread(move_about, NULL);
	enough = true;
	CHECK(!pthread_join(thread, NULL));
	in_thread(all_whole, NULL);
	collect_hard();
	in_thread(all_whole, NULL);
	CHECK_CMP(stats().weak_handles, >=, NODES);
	CHECK_CMP(stats().weak_handles, <, NODES + NODES / 20);
	CHECK_CMP(stats().num_gc, >=, 5);
}

CASE(forked, "handles say the same in a forked child, and go their own way there")
{
	int status;
	pid_t pid;

	in_thread(make, (void *)(uintptr_t)N);
	pid = fork();
	CHECK_CMP(pid, >=, 0);
	if (!pid) {
		/* ThreadSanitizer takes the child's locks for the parent's. */
		if (TSAN)
			_exit(goheap_weak_get(handle[0]) == place[0] ? 0 : 1);
		CHECK_CMP(alive(N), ==, N);
		memset(place, 0, sizeof(place));
		collect_hard();
		CHECK_CMP(alive(N), <, N / 20);
		_exit(0);
	}
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	CHECK_CMP(status, ==, 0);
	collect_hard();
	CHECK_CMP(alive(N), ==, N);
}
