// SPDX-License-Identifier: MIT
/*
 * Catches: the classic ways in which a conservative collector keeps garbage: a
 * queue held by its past, stack that was deep once, what is left in registers,
 * in ended threads, in dead parts of objects, in what only looks like pointers.
 *
 * Each case makes garbage in one such way, a few hundred to a million objects,
 * and bounds how much of it a collection may leave.  None of it needs the
 * program's help (clearing links, say), unless the case says so.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { N = 1000 };

static uintptr_t hidden[N];

/* Of the N canaries, at most so many may be left. */
static void left_at_most(int line, unsigned int most)
{
	unsigned int alive = canaries_alive(hidden, N);

	if (alive > most)
		tap_fail(__FILE__, line, "%u of %u are kept, bound %u", alive, (unsigned int)N, most);
}
#define LEFT_AT_MOST(most) left_at_most(__LINE__, most)

static void all_live(int line)
{
	unsigned int alive = canaries_alive(hidden, N);

	if (alive != N)
		tap_fail(__FILE__, line, "only %u of %u live", alive, (unsigned int)N);
}
#define ALL_LIVE() all_live(__LINE__)

/*
 * Queues.  The first node of a queue reaches all that follow, dead and alive: a
 * single stale copy of its address, in a register or a slot of the stack, and
 * the heap grows for as long as the queue is used.
 */
struct link {
	struct link *next;
	uint64_t value;
};

struct queue {
	struct link *first, *last;
};

enum { IN_QUEUE = 100 };

static __attribute__((noinline)) void queue_put(struct queue *q, uint64_t value)
{
	struct link *l = goheap_alloc(sizeof(*l));

	CHECK(l);
	l->value = value;
	if (q->last)
		q->last->next = l;
	else
		q->first = l;
	q->last = l;
}

static __attribute__((noinline)) uint64_t queue_take(struct queue *q, bool cut)
{
	struct link *l = q->first;
	uint64_t value = l->value;

	q->first = l->next;
	if (!q->first)
		q->last = NULL;
	if (cut)
		l->next = NULL;
	return value;
}

/* Objects left once @n nodes have gone through the queue. */
static void run_queue(struct queue *q, uint64_t n)
{
	for (uint64_t i = 0; i < n + IN_QUEUE; i++) {
		if (i < n)
			queue_put(q, i);
		if (i >= IN_QUEUE)
			CHECK_CMP(queue_take(q, false), ==, i - IN_QUEUE);
		/* Deep enough that the old ends of the queue are copied about. */
		if (i % 4096 == 0)
			goheap_collect();
	}
	CHECK(!q->first);
}

static void queue_heap(void *arg)
{
	struct queue *q = goheap_alloc(sizeof(*q));

	run_queue(q, *(uint64_t *)arg);
}

CASE(queue, "a list used as a queue: a million nodes go through, 100 live")
{
	uint64_t n = fewer(1000000);
	struct goheap_stats s;

	in_thread(queue_heap, &n);
	s = stats();
	/* Whatever held its past would have held all of it: 16 MB. */
	CHECK_CMP(s.peak_heap_inuse, <, 8 * MIB);
	collect_hard();
	CHECK_CMP(stats().alloc_objects, <, n / 20);
}

CASE(queue_here, "also where the queue is on the stack of the thread that collects")
{
	struct queue q = { NULL, NULL };
	uint64_t n = fewer(1000000);

	run_queue(&q, n);
	CHECK_CMP(stats().peak_heap_inuse, <, 8 * MIB);
	goheap_collect();
	CHECK_CMP(stats().alloc_objects, <, n / 20);
}

/* A stale pointer that the program has: it may hold what it points to, and no more. */
CASE(queue_cut, "a queue that cuts its links survives stale pointers into its past")
{
	static struct link *stale[64];
	struct queue q = { NULL, NULL };
	uint64_t n = fewer(1000000);

	for (uint64_t i = 0; i < n; i++) {
		queue_put(&q, i);
		if (i >= IN_QUEUE) {
			stale[i % ARRAY_SIZE(stale)] = q.first;
			queue_take(&q, true);
		}
	}
	goheap_collect();
	CHECK_CMP(stats().alloc_objects, <, 1000);
	CHECK_CMP(stats().peak_heap_inuse, <, 8 * MIB);
}

/* A list that is made as it is walked: only the place where the walk is may be held. */
static struct link *force(struct link *l)
{
	if (!l->next) {
		l->next = goheap_alloc(sizeof(*l));
		l->next->value = l->value + 1;
	}
	return l->next;
}

CASE(stream, "a list made as it is walked is not kept behind the walker")
{
	struct link *volatile at = goheap_alloc(sizeof(*at));
	uint64_t n = fewer(1000000);

	for (uint64_t i = 0; i < n; i++) {
		at = force(at);
		if (i % 8192 == 0)
			goheap_collect();
	}
	CHECK_CMP(at->value, ==, n);
	CHECK_CMP(stats().peak_heap_inuse, <, 8 * MIB);
	goheap_collect();
	CHECK_CMP(stats().alloc_objects, <, n / 20);
}

/* Stacks. */

/* Each frame has an object; the way back leaves them all in dead frames. */
static __attribute__((noinline)) void leave_in_frames(unsigned int n)
{
	struct canary *volatile mine = canary_new(n);
	volatile char room[300];

	room[0] = room[sizeof(room) - 1] = (char)n;
	hidden[n] = hide(mine);
	if (n)
		leave_in_frames(n - 1);
	CHECK_CMP(room[0], ==, (char)n);
}

CASE(deep_once, "this thread's stack, deep once: what its dead frames hold")
{
	leave_in_frames(N - 1);
	/* No scrubbing: the collector must know where the stack ends. */
	for (int i = 0; i < 3; i++)
		goheap_collect();
	LEFT_AT_MOST(N / 20);
}

static pthread_barrier_t barrier;

static void meet(void)
{
	pthread_barrier_wait(&barrier);
}

static void *deep_then_wait(void *arg)
{
	(void)arg;
	leave_in_frames(N - 1);
	meet();
	meet();
	return NULL;
}

CASE(deep_other, "another thread's stack, deep once, while it waits")
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(!pthread_create(&thread, NULL, deep_then_wait, NULL));
	meet();
	collect_hard();
	LEFT_AT_MOST(N / 20);
	meet();
	CHECK(!pthread_join(thread, NULL));
}

static atomic_int spinning, spin_no_more;

static void *deep_then_spin(void *arg)
{
	(void)arg;
	leave_in_frames(N - 1);
	spinning = 1;
	while (!spin_no_more)
		;
	return NULL;
}

CASE(deep_spinning, "another thread's stack, deep once, while it runs")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, deep_then_spin, NULL));
	while (!spinning)
		sleep_ms(1);
	collect_hard();
	LEFT_AT_MOST(N / 20);
	spin_no_more = 1;
	CHECK(!pthread_join(thread, NULL));
}

/* Slots that a loop's calls leave behind and later calls of the same depth do not write. */
static __attribute__((noinline)) void leave_slots(bool write)
{
	struct canary *volatile slot[N];

	if (write)
		for (unsigned int i = 0; i < N; i++) {
			slot[i] = canary_new(i);
			hidden[i] = hide(slot[i]);
		}
	goheap_alloc(1);
	/* Used, or it is no frame at all. */
	__asm__ volatile("" :: "r"(slot) : "memory");
}

CASE(stale_slots, "slots of the stack that were written by a call that is over")
{
	leave_slots(true);
	for (int i = 0; i < 3; i++)
		goheap_collect();
	LEFT_AT_MOST(N / 20);
	/* Alive or not, a new frame over them must not bring the dead back. */
	leave_slots(false);
	goheap_collect();
	LEFT_AT_MOST(N / 20);
}

static jmp_buf jump;

static __attribute__((noinline)) void fill_jump(void *p)
{
	if (setjmp(jump))
		abort();
	__asm__ volatile("" :: "r"(p) : "memory");
}

CASE(jmp_buf, "a stale jmp_buf keeps what was in registers, and no more")
{
	for (unsigned int i = 0; i < N; i++) {
		struct canary *c = canary_new(i);

		hidden[i] = hide(c);
		fill_jump(c);
		c = NULL;
	}
	collect_hard();
	LEFT_AT_MOST(20);
}

/* Handlers on a stack of their own: the stack stays, the handler is over. */
static void fill_handler(int sig)
{
	(void)sig;
	/* Not allowed in a real handler; this one interrupts nothing but raise(). */
	leave_in_frames(N - 1);
}

CASE(alternate_stack, "a signal handler that is over, on a stack of its own")
{
	size_t size = 4 * MIB;
	stack_t ss = { .ss_size = size };
	struct sigaction sa = { .sa_handler = fill_handler, .sa_flags = SA_ONSTACK };

	if (TSAN)
		tap_skip("TSan puts the program's own signals off");
	ss.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(ss.ss_sp != MAP_FAILED);
	goheap_alloc(1);
	CHECK(!sigaltstack(&ss, NULL));
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	raise(SIGUSR2);
	collect_hard();
	LEFT_AT_MOST(N / 20);
}

#ifdef __x86_64__
/*
 * Registers: each is loaded with an object's address and then cleared, by a
 * thread that never makes a call in between.
 */
atomic_int retention_step, retention_done;
uintptr_t retention_hidden[16];

#define LOAD(n, reg) "mov " #n "*8+retention_hidden(%rip), %" #reg "\n not %" #reg "\n"
#define ZERO(reg) "xor %" #reg ", %" #reg "\n"
#define LOAD_VECTOR(n, reg) "mov " #n "*8+retention_hidden(%rip), %rax\n not %rax\n"	\
	"movq %rax, %" #reg "\n xor %eax, %eax\n"

void retention_registers(void);
__asm__(".text\n.type retention_registers, @function\nretention_registers:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	LOAD_VECTOR(14, xmm7) LOAD_VECTOR(15, xmm15)
	LOAD(0, rax) LOAD(1, rbx) LOAD(2, rcx) LOAD(3, rdx) LOAD(4, rsi) LOAD(5, rdi)
	LOAD(6, r8) LOAD(7, r9) LOAD(8, r10) LOAD(9, r11) LOAD(10, r12) LOAD(11, r13)
	LOAD(12, r14) LOAD(13, r15)
	"movl $1, retention_done(%rip)\n"
	"1: pause\n cmpl $1, retention_step(%rip)\n jl 1b\n"
	ZERO(rax) ZERO(rbx) ZERO(rcx) ZERO(rdx) ZERO(rsi) ZERO(rdi) ZERO(r8) ZERO(r9)
	ZERO(r10) ZERO(r11) ZERO(r12) ZERO(r13) ZERO(r14) ZERO(r15)
	"pxor %xmm7, %xmm7\n pxor %xmm15, %xmm15\n"
	"movl $2, retention_done(%rip)\n"
	"1: pause\n cmpl $2, retention_step(%rip)\n jl 1b\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n.size retention_registers, . - retention_registers\n");

static void *hold_in_registers(void *arg)
{
	(void)arg;
	retention_registers();
	return NULL;
}

CASE(cleared_registers, "registers of another thread hold their objects, and cleared none")
{
	pthread_t thread;

	canaries_make(NULL, retention_hidden, 16);
	CHECK(!pthread_create(&thread, NULL, hold_in_registers, NULL));
	while (retention_done < 1)
		sleep_ms(1);
	collect_hard();
	CHECK_CMP(canaries_alive(retention_hidden, 16), ==, 16);
	retention_step = 1;
	while (retention_done < 2)
		sleep_ms(1);
	collect_hard();
	CHECK_CMP(canaries_alive(retention_hidden, 16), <=, 1);
	retention_step = 2;
	CHECK(!pthread_join(thread, NULL));
}
#endif /* __x86_64__ */

/* Threads that are over. */

enum { THREADS = 50, EACH = N / THREADS };

static __thread void *in_tls[EACH];
static atomic_uint holding_over;

/* Objects in TLS, in a key's value, on the stack, in the argument, in the result. */
static void *thread_holding(void *arg)
{
	struct canary *volatile on_stack[EACH];
	static pthread_key_t key;
	unsigned int first = *(unsigned int *)arg;
	void **result = goheap_alloc(EACH * sizeof(*result));
	void **specific = goheap_alloc(EACH * sizeof(*specific));

	CHECK(!pthread_key_create(&key, NULL));
	CHECK(!pthread_setspecific(key, specific));
	for (unsigned int i = 0; i < EACH; i++) {
		struct canary *c = canary_new(first + i);

		hidden[first + i] = hide(c);
		switch (i % 4) {
		case 0:
			in_tls[i] = c;
			break;
		case 1:
			specific[i] = c;
			break;
		case 2:
			on_stack[i] = c;
			break;
		default:
			result[i] = c;
		}
	}
	__asm__ volatile("" :: "r"(on_stack) : "memory");
	holding_over++;
	return result;
}

static __attribute__((noinline)) void start_threads(pthread_t *thread, bool detached)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (unsigned int i = 0; i < THREADS; i++) {
		unsigned int *first = goheap_alloc(sizeof(*first));

		*first = i * EACH;
		CHECK(!pthread_create(&thread[i], &attr, thread_holding, first));
	}
}

static void wait_for_ends(void)
{
	/* One that has not begun is not counted yet. */
	while (holding_over < THREADS || stats().threads > 1)
		sleep_ms(1);
}

CASE(joined_threads, "joined threads: TLS, keys' values, stacks, arguments and results")
{
	pthread_t thread[THREADS];
	unsigned int held = 0;

	start_threads(thread, false);
	wait_for_ends();
	collect_hard();
	/* Nobody has joined them: their results live, a quarter, and nothing else. */
	for (unsigned int i = 0; i < N; i++)
		held += (i % EACH) % 4 == 3;
	CHECK_CMP(canaries_alive(hidden, N), >=, held);
	LEFT_AT_MOST(held + N / 20);
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	collect_hard();
	LEFT_AT_MOST(N / 20);
}

CASE(detached_threads, "detached threads that have ended hold nothing")
{
	pthread_t thread[THREADS];

	start_threads(thread, true);
	wait_for_ends();
	collect_hard();
	LEFT_AT_MOST(N / 20);
}

/* Roots that are no more. */

CASE(removed_roots, "ranges that were roots and are none any more")
{
	void **place = malloc(N * sizeof(*place));

	for (int round = 0; round < 5; round++) {
		CHECK(!goheap_add_roots(place, place + N));
		canaries_make(place, hidden, N);
		collect_hard();
		ALL_LIVE();
		CHECK(!goheap_remove_roots(place, place + N));
		/* What stands in it is as it was. */
		collect_hard();
		LEFT_AT_MOST(N / 20);
	}
	free(place);
}

static void fill_dso(void *dso)
{
	static const char *const names[] = { "dso_data", "dso_bss", "dso_tls" };
	void *(*alloc)(size_t) = (void *(*)(size_t))dlsym(dso, "dso_alloc");

	for (unsigned int n = 0; n < ARRAY_SIZE(names); n++) {
		void **(*place)(void) = (void **(*)(void))dlsym(dso, names[n]);

		CHECK(place);
		for (unsigned int i = 0; i < 64; i++) {
			place()[i] = canary_new(n * 64 + i);
			hidden[n * 64 + i] = hide(place()[i]);
		}
	}
	CHECK(alloc(16));
}

CASE(closed_library, "data and thread-local storage of a library that was closed")
{
	unsigned int kept = 0;
	char path[4200];
	void *dso;

	if (SANITIZED)
		tap_skip("the sanitizers never unload a library");
	snprintf(path, sizeof(path), "%s/dso.so", tap_dir());
	for (int round = 0; round < 10; round++) {
		dso = dlopen(path, RTLD_NOW);
		CHECK(dso);
		in_thread(fill_dso, dso);
		goheap_collect();
		CHECK(!dlclose(dso));
		collect_hard();
		kept += canaries_alive(hidden, 3 * 64);
	}
	CHECK_CMP(kept, <=, 10 * 3 * 64 / 20);
}

/* Objects: parts of them that the program has not written, or has cleared. */

static void *volatile holder;

/* @size bytes full of pointers to the canaries, dropped at once. */
static void fill_and_drop(void *size)
{
	size_t n = *(size_t *)size / sizeof(void *);
	void **p = goheap_alloc(*(size_t *)size);

	for (size_t i = 0; i < n; i++)
		p[i] = reveal(hidden[i % N]);
	/* The compiler must not take the stores for dead. */
	__asm__ volatile("" :: "r"(p) : "memory");
}

/* Memory that held pointers is used again by an object that is shorter than its slot. */
CASE(dead_tails, "what stood in the part of a slot that its object does not use")
{
	static const size_t sizes[] = { 4096, 8192, 40 * KIB, 64 * KIB, MIB };
	static void *again[64], *place[N];

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		size_t size = sizes[s];

		canaries_make(place, hidden, N);
		for (int i = 0; i < 64; i++)
			in_thread(fill_and_drop, &size);
		goheap_collect();
		/* A tenth less: the same slots, or pages. */
		for (size_t i = 0; i < ARRAY_SIZE(again); i++)
			again[i] = goheap_alloc(size - size / 10);
		ALL_LIVE();
		memset(place, 0, sizeof(place));
		collect_hard();
		LEFT_AT_MOST(N / 20);
		memset(again, 0, sizeof(again));
		goheap_collect();
	}
}

static void hold_table(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < N; i++)
		hidden[i] = hide(canary_new(i));
}

CASE(lazy_table, "a table filled when first asked, and emptied: its old sizes too")
{
	static void **table;
	size_t room = 0, used = 0;

	in_thread(hold_table, NULL);
	/* Grown by halves, as such tables are; the older copies are garbage. */
	for (unsigned int i = 0; i < N; i++) {
		if (used == room) {
			room = room ? room + room / 2 + 1 : 4;
			table = goheap_realloc(table, room * sizeof(*table));
			CHECK(table);
		}
		table[used++] = reveal(hidden[i]);
	}
	collect_hard();
	ALL_LIVE();
	for (unsigned int i = 0; i < N; i++)
		if (i % 10)
			table[i] = NULL;
	collect_hard();
	LEFT_AT_MOST(N / 10 + N / 20);
	/* Shorter by far: what was beyond its end goes. */
	for (unsigned int i = 0; i < N; i++)
		table[i] = NULL;
	table = goheap_realloc(table, 16 * sizeof(*table));
	collect_hard();
	LEFT_AT_MOST(N / 20);
}

/* Hash tables: chains from which entries are taken, at random, for ever. */
struct entry {
	struct entry *next;
	struct entry *newer, *older;	/* as an LRU cache has */
	uint64_t key;
	char *name;
};

enum { BUCKETS = 512, LIVE_ENTRIES = 1000 };

struct map {
	struct entry *bucket[BUCKETS];
	struct entry *newest, *oldest;
	unsigned int n;
};

static struct map *map;

static __attribute__((noinline)) void map_add(uint64_t key)
{
	struct entry *e = goheap_alloc(sizeof(*e));

	e->key = key;
	e->name = goheap_alloc_noscan(32);
	snprintf(e->name, 32, "%llu", (unsigned long long)key);
	e->next = map->bucket[key % BUCKETS];
	map->bucket[key % BUCKETS] = e;
	e->older = map->newest;
	if (map->newest)
		map->newest->newer = e;
	else
		map->oldest = e;
	map->newest = e;
	map->n++;
}

/* The links of what is taken out stay as they are: that is the program's right. */
static __attribute__((noinline)) void map_evict(void)
{
	struct entry *gone = map->oldest, **at = &map->bucket[gone->key % BUCKETS];

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	map->oldest = gone->newer;
	map->oldest->older = NULL;
	map->n--;
}

static void map_thread(void *arg)
{
	uint64_t n = *(uint64_t *)arg, state = 1;

	map = goheap_alloc(sizeof(*map));
	for (uint64_t i = 0; i < n; i++) {
		map_add(rnd(&state));
		if (map->n > LIVE_ENTRIES)
			map_evict();
	}
	for (struct entry *e = map->newest; e; e = e->older)
		CHECK_CMP(strtoull(e->name, NULL, 10), ==, e->key);
}

CASE(cache, "a hash table with an LRU list: 300,000 entries come and go, 1,000 stay")
{
	uint64_t n = fewer(300000);

	in_thread(map_thread, &n);
	CHECK_CMP(stats().peak_heap_inuse, <, 10 * MIB);
	collect_hard();
	CHECK_CMP(stats().alloc_objects, >=, 2 * LIVE_ENTRIES);
	CHECK_CMP(stats().alloc_objects, <, 2 * LIVE_ENTRIES + 1000);
}

/* Interior pointers: one holds the block it points into, wherever, and only that. */
CASE(interior_big, "a pointer into a large block holds it, and not its neighbours")
{
	enum { BLOCKS = 64 };
	static char *into[BLOCKS];
	struct goheap_stats s;
	uint64_t state = 7;

	for (int i = 0; i < BLOCKS; i++) {
		char *block = goheap_alloc(MIB);

		CHECK(block);
		/* Some at the very ends. */
		into[i] = block + (i % 4 == 0 ? 0 : i % 4 == 1 ? MIB - 1 : rnd(&state) % MIB);
	}
	collect_hard();
	s = stats();
	CHECK_CMP(s.live_bytes, >=, BLOCKS * MIB);
	CHECK_CMP(s.live_bytes, <, BLOCKS * MIB + MIB);
	for (int i = 0; i < BLOCKS; i++)
		if (i % 8)
			into[i] = NULL;
	scrub_stack();
	collect_hard();
	s = stats();
	CHECK_CMP(s.live_bytes, >=, BLOCKS / 8 * MIB);
	CHECK_CMP(s.live_bytes, <, BLOCKS / 8 * MIB + 3 * MIB);
	CHECK_CMP(s.heap_inuse, <, BLOCKS / 8 * MIB + 6 * MIB);
	for (int i = 0; i < BLOCKS; i += 8)
		CHECK(goheap_base(into[i]));
	memset(into, 0, sizeof(into));
	scrub_stack();
	collect_hard();
	CHECK_CMP(stats().live_bytes, <, 3 * MIB);
}

/* Numbers: large scannable arrays of them, among which nothing may pass for an address. */
enum numbers { COUNTERS, SMALL, PAIRS, RANDOM64, DOUBLES, TEXT, TIMES, NUMBERS };

static uint64_t number(enum numbers kind, uint64_t i, uint64_t *state)
{
	union {
		double d;
		uint64_t u;
		char c[8];
	} v;

	switch (kind) {
	case COUNTERS:
		return i;
	case SMALL:
		return (int64_t)(rnd(state) % 2001) - 1000;
	case PAIRS:		/* of 32 bits: array indices, colours, ids */
		return rnd(state) % 1000000 << 32 | (rnd(state) & 0xffffffff);
	case RANDOM64:
		return rnd(state);
	case DOUBLES:
		v.d = (double)(int64_t)rnd(state) / 1e6;
		return v.u;
	case TEXT:
		for (int c = 0; c < 8; c++)
			v.c[c] = "etaoin shrdlu\n0123456789"[rnd(state) % 24];
		return v.u;
	default:		/* of day, in ns */
		return 1700000000000000000ull + rnd(state) % 1000000000000000ull;
	}
}

static void fill_numbers(void *p)
{
	uint64_t *array = p, state = 99;
	size_t each = fewer(4 * MIB) / sizeof(uint64_t);

	for (enum numbers kind = 0; kind < NUMBERS; kind++)
		for (size_t i = 0; i < each; i++)
			array[kind * each + i] = number(kind, i, &state);
}

CASE(integers, "28 MiB of numbers where pointers may be")
{
	uint64_t *array = goheap_alloc(NUMBERS * fewer(4 * MIB));

	holder = array;
	in_thread(fill_numbers, array);
	/* Much garbage, so that there is something to hit. */
	for (int round = 0; round < 5; round++) {
		canaries_make(NULL, hidden, N);
		churn(2 * MIB);
		collect_hard();
		LEFT_AT_MOST(N / 100);
	}
	CHECK_CMP(array[1], ==, 1);
}

static void make_noscan_numbers(void *arg)
{
	uintptr_t *array = arg;

	for (size_t i = 0; i < fewer(8 * MIB) / sizeof(*array); i++)
		array[i] = (uintptr_t)reveal(hidden[i % N]);
}

CASE(noscan_array, "8 MiB of true addresses in memory that holds no pointers")
{
	void *array = goheap_alloc_noscan(fewer(8 * MIB));

	canaries_make(NULL, hidden, N);
	in_thread(make_noscan_numbers, array);
	collect_hard();
	LEFT_AT_MOST(N / 20);
	CHECK_CMP(goheap_base(array), ==, array);
}

/* Garbage that points to garbage of later cycles, and to itself, dies in one go. */
struct knot {
	struct knot *to[4];
	uint64_t index;
};

static void tie(void *arg)
{
	size_t n = *(size_t *)arg;
	struct knot **all = malloc(n * sizeof(*all));
	uint64_t state = 3;

	for (size_t i = 0; i < n; i++) {
		all[i] = goheap_alloc(sizeof(**all));
		all[i]->index = i;
	}
	for (size_t i = 0; i < n; i++)
		for (int j = 0; j < 4; j++)
			all[i]->to[j] = all[rnd(&state) % n];
	memset(all, 0, n * sizeof(*all));
	free(all);
}

CASE(knot, "100,000 objects tied to each other at random are freed by one collection",
     "GOHEAP_GOGC=off")
{
	size_t n = fewer(100000);
	struct goheap_stats before;

	goheap_alloc(1);
	before = stats();
	in_thread(tie, &n);
	goheap_collect();
	CHECK_CMP(stats().frees - before.frees, >=, n);
}
