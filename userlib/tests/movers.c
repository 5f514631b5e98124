// SPDX-License-Identifier: MIT
/*
 * Catches: a live object lost because its only pointer moved while the collector
 * was marking: from where it had not looked yet to where it had looked already.
 *
 * Threads own objects that know what they contain.  Of each there is one pointer
 * in memory, and its owner moves that about as fast as it can, between slots in
 * heap objects, old and new, in a large array, in static data, in thread-local
 * storage, in an added range and on its stack; on the way the pointer is in a
 * register alone, for a moment or for long.  Each object is looked at whenever
 * it moves.  Garbage of the same size, filled with something else, takes the
 * place of whatever is lost.  Meanwhile collections follow on each other without
 * a pause, over a heap with enough in it that marking takes its time.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum {
	MOVERS = 4,
	OBJECTS = 64,		/* of each mover */
	SPREAD = 8,		/* slots in each place for each object */
	SLOTS = OBJECTS * SPREAD,
};

#define MAGIC 0x6d6f7665725f6f6bull

struct object {
	uint64_t magic;
	uint64_t owner;
	uint64_t id;
	uint64_t body[5];
};

/* Where a pointer may be. */
enum place {
	CELLS = 1,		/* a heap object for each slot */
	ARRAY = 2,		/* one large object */
	FRESH = 4,		/* a heap object made for the occasion */
	STATIC = 8,
	TLS = 16,
	RANGE = 32,		/* added by goheap_add_roots() */
	STACK = 64,
	PLACES = 7,
	ALL = 127,
};

struct cell {
	void *pad[3];
	void *pointer;
	void *more[4];
};

static void *in_static[MOVERS][SLOTS];
static __thread void *in_tls[SLOTS];

struct mover {
	unsigned int number;
	unsigned int places;	/* allowed, mask */
	uint64_t state;
	struct cell **cells;	/* a large object: SLOTS cells of 64 bytes */
	struct cell **fresh;	/* of no more than one pointer each */
	void **array;		/* with room between the slots */
	void **range;
	void **stack;
	uint64_t id[OBJECTS];
	unsigned char at[OBJECTS];	/* place, log 2 */
	unsigned int slot[OBJECTS];
	uint64_t moves;
};

enum { ARRAY_STRIDE = 67 };	/* words: on another page after a few slots */

static atomic_bool over;
static atomic_ulong all_moves, all_made;

static unsigned int run_ms(void)
{
	const char *ms = getenv("GOHEAP_TEST_MS");

	return ms ? atoi(ms) : 500;
}

static __attribute__((noinline)) struct object *object_new(uint64_t owner, uint64_t id)
{
	struct object *o = goheap_alloc(sizeof(*o));

	CHECK(o);
	for (size_t i = 0; i < sizeof(*o) / 8; i++)
		if (((uint64_t *)o)[i])
			tap_fail(__FILE__, __LINE__, "a new object is not zero");
	o->magic = MAGIC;
	o->owner = owner;
	o->id = id;
	for (size_t i = 0; i < ARRAY_SIZE(o->body); i++)
		o->body[i] = (id + i) * 2 + 1;
	all_made++;
	return o;
}

static inline void look(const struct object *o, uint64_t owner, uint64_t id, const char *where)
{
	bool ok = o->magic == MAGIC && o->owner == owner && o->id == id;

	for (size_t i = 0; i < ARRAY_SIZE(o->body); i++)
		ok &= o->body[i] == (id + i) * 2 + 1;
	if (!ok)
		tap_fail(__FILE__, __LINE__, "%s: object %llu of %llu at %p is lost: %#llx %#llx %#llx",
			 where, (unsigned long long)id, (unsigned long long)owner, (const void *)o,
			 (unsigned long long)o->magic, (unsigned long long)o->owner,
			 (unsigned long long)o->id);
}

/* What is lost must be noticed: somebody else has it soon, and writes to it. */
static __attribute__((noinline)) void waste(unsigned int n)
{
	while (n--)
		memset(goheap_alloc(sizeof(struct object)), 0xee, sizeof(struct object));
}

static const char *const place_name[PLACES] = {
	"a heap object", "a large array", "a new heap object", "static data", "TLS", "a range",
	"the stack",
};

static void *volatile *address(struct mover *m, unsigned int place, unsigned int slot)
{
	switch (1 << place) {
	case CELLS:
		return &m->cells[slot]->pointer;
	case ARRAY:
		return &m->array[slot * ARRAY_STRIDE];
	case FRESH:
		return &m->fresh[slot]->pointer;
	case STATIC:
		return &in_static[m->number][slot];
	case TLS:
		return &in_tls[slot];
	case RANGE:
		return &m->range[slot];
	default:
		return &m->stack[slot];
	}
}

/* For so many turns the pointer is in a register alone. */
static inline void linger(void *p, unsigned int turns)
{
	while (turns--)
		__asm__ volatile("" : "+r"(p) :: "memory");
}

static unsigned int pick_place(struct mover *m)
{
	unsigned int place;

	do
		place = rnd(&m->state) % PLACES;
	while (!(m->places >> place & 1));
	return place;
}

static void move(struct mover *m, unsigned int k)
{
	void *volatile *from = address(m, m->at[k], m->slot[k]), *volatile *to;
	unsigned int place = pick_place(m), slot = k * SPREAD + rnd(&m->state) % SPREAD;
	uint64_t dice = rnd(&m->state);
	struct object *o;

	if (place == m->at[k] && slot == m->slot[k])
		return;
	if (1 << place == FRESH)
		m->fresh[slot] = goheap_alloc(sizeof(**m->fresh));
	to = address(m, place, slot);
	o = *from;
	look(o, m->number, m->id[k], place_name[m->at[k]]);
	if (dice & 1) {
		/* There before it is gone here. */
		*to = o;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		*from = NULL;
	} else {
		*from = NULL;
		linger(o, dice >> 8 & 0xff);
		*to = o;
	}
	m->at[k] = place;
	m->slot[k] = slot;
	m->moves++;
	/* Now and then it is another object that is there. */
	if (dice >> 16 & 0xff)
		return;
	m->id[k]++;
	*to = object_new(m->number, m->id[k]);
	waste(4);
}

static void *mover(void *arg)
{
	struct mover *m = arg;
	void *stack[SLOTS] = { NULL };

	m->stack = stack;
	m->cells = goheap_alloc(SLOTS * sizeof(*m->cells));
	m->fresh = goheap_alloc(SLOTS * sizeof(*m->fresh));
	m->array = goheap_alloc(SLOTS * ARRAY_STRIDE * sizeof(*m->array));
	m->range = calloc(SLOTS, sizeof(*m->range));
	CHECK(!goheap_add_roots(m->range, m->range + SLOTS));
	for (unsigned int i = 0; i < SLOTS; i++) {
		m->cells[i] = goheap_alloc(sizeof(**m->cells));
		m->fresh[i] = goheap_alloc(sizeof(**m->fresh));
		/* So that they are not neighbours. */
		goheap_alloc(sizeof(**m->cells) * (1 + i % 7));
	}
	for (unsigned int k = 0; k < OBJECTS; k++) {
		m->at[k] = pick_place(m);
		m->slot[k] = k * SPREAD;
		*address(m, m->at[k], m->slot[k]) = object_new(m->number, m->id[k]);
	}
	while (!over) {
		for (int i = 0; i < 256; i++)
			move(m, rnd(&m->state) % OBJECTS);
		/* Once in a while they stay where they are, for a cycle or for some. */
		if (rnd(&m->state) % 64 == 0)
			sleep_ms(rnd(&m->state) % 20);
	}
	for (unsigned int k = 0; k < OBJECTS; k++)
		look(*address(m, m->at[k], m->slot[k]), m->number, m->id[k], "at the end");
	all_moves += m->moves;
	CHECK(!goheap_remove_roots(m->range, m->range + SLOTS));
	free(m->range);
	return NULL;
}

/* Something to mark: nodes that point to each other at random. */
struct ballast {
	struct ballast *to[4];
	uint64_t pad[4];
};

static struct ballast **ballast;

static void make_ballast(void *arg)
{
	size_t bytes = *(size_t *)arg, least = SANITIZED ? 4 * MIB : MIB;
	size_t n = (fewer(bytes) > least ? fewer(bytes) : least) / sizeof(struct ballast);
	uint64_t state = 11;

	ballast = goheap_alloc(n * sizeof(*ballast));
	for (size_t i = 0; i < n; i++)
		CHECK(ballast[i] = goheap_alloc(sizeof(**ballast)));
	for (size_t i = 0; i < n; i++)
		for (int j = 0; j < 4; j++)
			ballast[i]->to[j] = ballast[rnd(&state) % n];
}

/* Collect, or only make garbage, until the time is over. */
static void collect_for(unsigned int ms, bool forced)
{
	double end = seconds() + ms / 1e3;
	uint64_t before = stats().num_gc;
	unsigned int least = fewer(64) == 64 ? 5 : 2;

	/* Where a collection takes long, the time is; where it does not, the number. */
	while (seconds() < end || stats().num_gc - before < least) {
		if (forced)
			goheap_collect();
		waste(1000);
	}
	over = true;
}

static void report(void)
{
	struct goheap_stats s = stats();

	fprintf(stderr, "# %lu moves, %lu objects, %llu collections, longest stop %.2f ms\n",
		all_moves, all_made, (unsigned long long)s.num_gc, s.pause_max_ns / 1e6);
	/* Slots that were counted twice, or not at all, show here. */
	CHECK_CMP(s.frees, <=, s.mallocs);
	CHECK_CMP(s.alloc_bytes, <=, s.heap_inuse);
}

static void run(unsigned int places, bool forced)
{
	size_t bytes = 16 * MIB;
	static struct mover m[MOVERS];
	pthread_t thread[MOVERS];

	in_thread(make_ballast, &bytes);
	for (unsigned int i = 0; i < MOVERS; i++) {
		m[i].number = i;
		m[i].places = places;
		m[i].state = i;
		/* Its record must not hold the objects it has made: they move. */
		CHECK(!pthread_create(&thread[i], NULL, mover, &m[i]));
	}
	collect_for(run_ms(), forced);
	for (unsigned int i = 0; i < MOVERS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	report();
	CHECK_CMP(all_moves, >=, 10000);
}

CASE(heap, "between heap objects")
{
	run(CELLS | ARRAY, true);
}

CASE(fresh, "between old heap objects and new ones")
{
	run(CELLS | FRESH, true);
}

CASE(stack, "between heap objects and the stack")
{
	run(CELLS | STACK, true);
}

CASE(roots, "between static data, TLS, an added range and the stack")
{
	run(STATIC | TLS | RANGE | STACK, true);
}

CASE(statics, "between heap objects, static data and an added range")
{
	run(CELLS | ARRAY | STATIC | RANGE, true);
}

CASE(everywhere, "between all of these")
{
	run(ALL, true);
}

CASE(by_pace, "between all of these, collections by the heap's growth alone", "GOHEAP_GOGC=20")
{
	run(ALL, false);
}

/*
 * Objects that go from thread to thread by an atomic exchange: nobody owns them,
 * and each must be somewhere in the end, once.
 */
enum { EXCHANGED = 1000, TRADERS = 4 };

static struct object *_Atomic traded_static[EXCHANGED / 2];
static struct object *_Atomic *traded_heap[EXCHANGED / 2];

static struct object *_Atomic *trading_place(uint64_t i)
{
	return i < EXCHANGED / 2 ? &traded_static[i] : traded_heap[i - EXCHANGED / 2];
}

static void *trader(void *arg)
{
	uint64_t state = (uintptr_t)arg, moves = 0;
	struct object *mine = NULL;

	while (!over || mine) {
		mine = atomic_exchange(trading_place(rnd(&state) % EXCHANGED), mine);
		if (mine)
			look(mine, 99, mine->id % EXCHANGED, "traded");
		linger(mine, rnd(&state) % 64);
		if (++moves % 64 == 0)
			waste(1);
	}
	all_moves += moves;
	return NULL;
}

static void make_traded(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < EXCHANGED / 2; i++) {
		traded_heap[i] = goheap_alloc(sizeof(*traded_heap[i]));
		/* Half of the places are empty, so that all can put down what they have. */
		*trading_place(2 * i) = object_new(99, i);
	}
}

CASE(exchange, "from thread to thread by atomic exchange: none is lost, none is there twice")
{
	static bool seen[EXCHANGED];
	size_t bytes = 16 * MIB;
	pthread_t thread[TRADERS];
	unsigned int n = 0;

	for (unsigned int i = 0; i < EXCHANGED / 2; i++)
		traded_heap[i] = goheap_alloc(sizeof(*traded_heap[i]));
	in_thread(make_ballast, &bytes);
	in_thread(make_traded, NULL);
	for (uintptr_t i = 0; i < TRADERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, trader, (void *)i));
	collect_for(run_ms(), true);
	for (int i = 0; i < TRADERS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	for (unsigned int i = 0; i < EXCHANGED; i++) {
		struct object *o = *trading_place(i);

		if (!o)
			continue;
		look(o, 99, o->id, "in the end");
		CHECK(!seen[o->id]);
		seen[o->id] = true;
		n++;
	}
	CHECK_CMP(n, ==, EXCHANGED / 2);
	report();
}

/* An array whose contents are shifted, so that each pointer passes the marker in it. */
static void *shifter(void *arg)
{
	enum { LENGTH = 16384, USED = 256 };
	uint64_t owner = (uintptr_t)arg, at = 0, moves = 0;
	struct object **array = goheap_alloc(LENGTH * sizeof(*array));
	uint64_t state = owner;

	for (unsigned int i = 0; i < USED; i++)
		array[i] = object_new(owner, i);
	while (!over) {
		uint64_t to = rnd(&state) % (LENGTH - USED);

		/* memmove() has them in vector registers on the way. */
		memmove(array + to, array + at, USED * sizeof(*array));
		if (to > at)
			memset(array + at, 0, (to - at < USED ? to - at : USED) * sizeof(*array));
		else if (to < at)
			memset(array + (to + USED > at ? to + USED : at), 0,
			       (to + USED > at ? at - to : USED) * sizeof(*array));
		at = to;
		moves += USED;
		for (unsigned int i = moves % 5; i < USED; i += 5)
			look(array[at + i], owner, i, "in a shifted array");
		if (moves % (64 * USED) == 0)
			waste(8);
	}
	for (unsigned int i = 0; i < USED; i++)
		look(array[at + i], owner, i, "in a shifted array, at the end");
	all_moves += moves;
	return NULL;
}

CASE(shifted, "within a large array whose contents are moved as one")
{
	size_t bytes = 16 * MIB;
	pthread_t thread[MOVERS];

	in_thread(make_ballast, &bytes);
	for (uintptr_t i = 0; i < MOVERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, shifter, (void *)i));
	collect_for(run_ms(), true);
	for (int i = 0; i < MOVERS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	report();
}

/* Threads that hand what they have to the next by its argument, its result, or the stack. */
static void *relay(void *arg)
{
	struct object *volatile mine = arg;

	arg = NULL;
	look(mine, 7, 7, "a thread's argument");
	waste(20);
	look(mine, 7, 7, "a thread's stack");
	return mine;
}

static void *relay_runner(void *arg)
{
	struct object *o = object_new(7, 7);

	(void)arg;
	while (!over) {
		pthread_t thread;
		void *result;

		CHECK(!pthread_create(&thread, NULL, relay, o));
		o = NULL;
		CHECK(!pthread_join(thread, &result));
		o = result;
		look(o, 7, 7, "a thread's result");
		all_moves++;
	}
	return NULL;
}

CASE(relay, "by thread to thread: as argument and as result")
{
	size_t bytes = 16 * MIB;
	pthread_t thread[MOVERS];

	in_thread(make_ballast, &bytes);
	for (int i = 0; i < MOVERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, relay_runner, NULL));
	collect_for(run_ms(), true);
	for (int i = 0; i < MOVERS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	report();
}

/* goheap_realloc() copies while the marker is at the old one or the new one. */
static void *grower(void *arg)
{
	uint64_t owner = (uintptr_t)arg, state = owner;
	struct object **array = NULL;
	size_t n = 0, room = 0;

	while (!over) {
		if (n == room) {
			room += 1 + room / 4;
			array = goheap_realloc(array, room * sizeof(*array));
			CHECK(array);
		}
		array[n] = object_new(owner, n);
		n++;
		if (n > 3000) {
			/* Each once, then begin anew, by growing or by shrinking. */
			for (size_t i = 0; i < n; i++)
				look(array[i], owner, i, "in a grown array");
			n = rnd(&state) % 2 ? 1 + rnd(&state) % 64 : 0;
			room = n;
			array = n ? goheap_realloc(array, room * sizeof(*array)) : NULL;
		}
		all_moves++;
	}
	for (size_t i = 0; i < n; i++)
		look(array[i], owner, i, "in a grown array, at the end");
	return NULL;
}

CASE(realloc, "by goheap_realloc() from array to array")
{
	size_t bytes = 16 * MIB;
	pthread_t thread[MOVERS];

	in_thread(make_ballast, &bytes);
	for (uintptr_t i = 0; i < MOVERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, grower, (void *)i));
	collect_for(run_ms(), true);
	for (int i = 0; i < MOVERS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	report();
}

/* Large objects that are freed by hand while markers have them, or will have them, in hand. */
static void *freer(void *arg)
{
	enum { HELD = 16 };
	uint64_t owner = (uintptr_t)arg, state = owner;
	struct object ***held = goheap_alloc(HELD * sizeof(*held));

	for (uint64_t i = 0; !over; i++) {
		unsigned int k = rnd(&state) % HELD;
		size_t size = 33 * KIB + rnd(&state) % (200 * KIB);

		if (held[k]) {
			struct object **gone = held[k];

			look(gone[0], owner, k, "the first word of a large object");
			look(gone[4000], owner, k, "a later word of a large object");
			held[k] = NULL;
			if (i % 4)
				goheap_free(gone);
		}
		held[k] = goheap_alloc(size);
		CHECK(held[k]);
		if (held[k][0] || held[k][4000])
			tap_fail(__FILE__, __LINE__, "a new large object is not zero");
		held[k][0] = object_new(owner, k);
		held[k][4000] = object_new(owner, k);
		all_moves++;
	}
	return NULL;
}

CASE(large, "to large objects that are freed by hand")
{
	size_t bytes = 16 * MIB;
	pthread_t thread[MOVERS];

	in_thread(make_ballast, &bytes);
	for (uintptr_t i = 0; i < MOVERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, freer, (void *)i));
	collect_for(run_ms(), true);
	for (int i = 0; i < MOVERS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	report();
}

/*
 * A child that is forked in the middle of marking: what its parent had marked and
 * searched must not count in its own first collection.
 */
enum { CELLS_FORKED = 2000 };

static struct cell **forked_cells;
static uint64_t forked_generation;

static void fill_cells(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < CELLS_FORKED; i++) {
		if (!forked_cells[i])
			forked_cells[i] = goheap_alloc(sizeof(**forked_cells));
		forked_cells[i]->pointer = object_new(forked_generation, i);
	}
}

static void look_at_cells(void *arg)
{
	for (unsigned int i = 0; i < CELLS_FORKED; i++)
		look(forked_cells[i]->pointer, forked_generation, i, arg);
}

static void child(void)
{
	alarm(200);
	look_at_cells("in a forked child");
	/* Old objects, which the parent's marker may have been at, point to new ones. */
	forked_generation = 77;
	fill_cells(NULL);
	for (int i = 0; i < 2; i++) {
		goheap_collect();
		waste(4 * CELLS_FORKED);
		look_at_cells("in a forked child that has collected");
	}
	_exit(0);
}

static void *collect_on(void *arg)
{
	(void)arg;
	while (!over)
		goheap_collect();
	return NULL;
}

CASE(forked, "in a child that is forked in the middle of marking")
{
	double end = seconds() + run_ms() / 1e3;
	size_t bytes = 64 * MIB;
	pthread_t collector;
	int forks = 0, status;

	in_thread(make_ballast, &bytes);
	forked_cells = goheap_alloc(CELLS_FORKED * sizeof(*forked_cells));
	in_thread(fill_cells, NULL);
	CHECK(!pthread_create(&collector, NULL, collect_on, NULL));
	for (; seconds() < end || forks < (fewer(64) == 64 ? 5 : 2); forks++) {
		pid_t pid;

		sleep_ms(forks * 7 % 20);
		pid = fork();
		if (!pid)
			child();
		CHECK_CMP(pid, >, 0);
		CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
		CHECK_CMP(status, ==, 0);
		look_at_cells("in a parent that has forked");
	}
	over = true;
	CHECK(!pthread_join(collector, NULL));
	all_moves = forks;
	report();
}
