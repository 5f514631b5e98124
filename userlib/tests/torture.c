// SPDX-License-Identifier: MIT
/*
 * The collector under torture.  Catches: a live object lost or harmed, garbage
 * that accumulates.
 *
 * Threads build and change structures of several kinds, each of a random size
 * under a cap, while collections run every few hundred allocations:
 *
 *	lists		appended, cut, reversed
 *	trees		binary search trees of payloads, branches cut off
 *	graphs		nodes in rings with random cross links, rewired
 *	tables		hash tables of strings (noscan), rehashed as they grow
 *	arrays		large ones, of pointers to payloads, grown with goheap_realloc()
 *	payloads	noscan bytes whose checksum stands in their first word
 *	guards		chains of objects with finalizers and weak handles: torture-guards.c
 *
 * Every object begins with a header: a canary, its kind, and a number derived
 * from its key that its owner can recompute.  A walk over a structure checks
 * each header, each payload's checksum, the number of nodes, and the sum of
 * their keys against what the owner wrote down, in plain integers, when it last
 * changed the structure.  So a lost object shows whether it was overwritten,
 * zeroed, or given to another.
 *
 * Half of the nodes are typed objects, half are not.  Most of what is dropped is
 * just forgotten; some is freed by hand.
 *
 * Structures move between threads: through a table of slots with a lock each,
 * through the argument of pthread_create() and the result of pthread_join()
 * (a thread ends now and then, with all it has as its result, and its successor
 * starts with that).  A thread has them on its stack, or in a range that it has
 * added to the roots.  Now and then it forks, and the child verifies what it has,
 * collects, and verifies again.
 *
 * Beside these threads one opens and closes a library and keeps a structure in its
 * data or its thread-local storage, and one changes the settings (GOGC, the
 * memory limit) and gives memory back to the system.
 *
 * Each walk and each slot is verified all the time and not only at the end.  The live
 * set is known from above: every structure's owner keeps its bytes.  heap_inuse
 * must stay under BOUND times the largest live set there was, plus what the
 * minimum heap and the caches of the threads may take; it is looked at all the
 * time.
 */
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"
#include "torture.h"

/*
 * The goal is twice the live set (GOHEAP_GOGC is less here).  Spans that are
 * partly live, rounding to size classes and conservative noise take the rest.
 */
#define BOUND		3
#define BOUND_SLACK	(16 * MIB)

/*
 * What words that look like pointers may keep when nothing else does.  TSan has 4 MiB of records in
 * each thread's TLS, addresses among them: they kept 6 MiB after 15 minutes.
 */
#define NOISE		((TSAN ? 16 : 2) * MIB)

#define SLOTS		64
#define OWN		24	/* structures a thread has of its own */
#define MAX_NODES	150

struct list {
	struct head h;
	struct list *next;
	struct payload *payload;
};

GOHEAP_DEFINE_TYPE(list_type, struct list,
		   GOHEAP_POINTER(struct list, next) | GOHEAP_POINTER(struct list, payload));

struct tree {
	struct head h;
	struct tree *left, *right;
	struct payload *payload;
};

GOHEAP_DEFINE_TYPE(tree_type, struct tree,
		   GOHEAP_POINTER(struct tree, left) | GOHEAP_POINTER(struct tree, right) |
		   GOHEAP_POINTER(struct tree, payload));

struct graph {
	struct head h;
	struct graph *next;	/* the ring */
	struct graph *cross[3];	/* anywhere in the same graph */
	uint64_t seen;
};

GOHEAP_DEFINE_TYPE(graph_type, struct graph,
		   GOHEAP_POINTER(struct graph, next) | GOHEAP_POINTERS(struct graph, cross));

struct entry {
	struct head h;
	struct entry *next;
	char *string;
	uint32_t length;
};

GOHEAP_DEFINE_TYPE(entry_type, struct entry,
		   GOHEAP_POINTER(struct entry, next) | GOHEAP_POINTER(struct entry, string));

struct table {
	struct head h;
	struct entry **bucket;
	uint64_t buckets;
};

GOHEAP_DEFINE_TYPE(table_type, struct table, GOHEAP_POINTER(struct table, bucket));

struct array {
	struct head h;
	struct payload **item;
	uint64_t items;
};

GOHEAP_DEFINE_TYPE(array_type, struct array, GOHEAP_POINTER(struct array, item));

/* What tables and arrays point to. */
GOHEAP_DEFINE_TYPE(pointer_type, void *, 1);

/* All of a thread: on its stack, or on its way from one thread to the next. */
struct worker {
	struct head h;
	struct structure own[OWN];
};

static unsigned int threads = 4;
static uint64_t operations = 40000;	/* of each thread */
static uint64_t collect_every = 300;	/* allocations, on the average; 0: by the goal alone */
static uint64_t seed0 = 1;
static uint64_t ballast_mib = 2;
static double time_limit;		/* s; 0: as many operations as @operations says */

static struct {
	pthread_mutex_t lock;
	struct structure s;
} slot[SLOTS];

static atomic_ulong done_ops, verified_nodes, live_bytes, peak_live, collections, moved, reborn;
static atomic_ulong forks, libraries, settings;
static atomic_uint finished;
static double begin;

void lost(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "# torture: seed %llu, thread %ld: ", (unsigned long long)seed0,
		syscall(SYS_gettid));
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	printf("not ok 1 - nothing live is lost and garbage does not accumulate\n");
	fflush(stdout);
	_exit(1);
}

/* For gc.c, whose checks the other tests end by it. */
void tap_fail(const char *file, int line, const char *fmt, ...)
{
	(void)fmt;
	lost("%s:%d", file, line);
}

uint64_t mix(uint64_t key, uint64_t kind)
{
	uint64_t state = key * 8 + kind;

	return rnd(&state);
}

/* Per thread: the random numbers, and when it collects next. */
static _Thread_local uint64_t seed, until_collect;

uint64_t pick(uint64_t n)
{
	return rnd(&seed) % n;
}

void *checked(void *p, size_t size)
{
	if (!p)
		lost("no memory for %zu bytes", size);
	if (collect_every && --until_collect == 0) {
		until_collect = 1 + pick(2 * collect_every);
		collections++;
		goheap_collect();
	}
	return p;
}

void account(struct structure *s, int64_t bytes)
{
	uint64_t now, peak;

	s->bytes += bytes;
	now = atomic_fetch_add(&live_bytes, bytes) + bytes;
	peak = peak_live;
	while (now > peak && !atomic_compare_exchange_weak(&peak_live, &peak, now))
		;
}

/* A new object of @s: counted, headed, zero after its head. */
void *node(struct structure *s, const struct goheap_type *type, enum kind kind, uint64_t key)
{
	size_t size = type->size;
	struct head *h = checked(pick(2) ? goheap_alloc_typed(type, 1) : goheap_alloc(size), size);

	for (size_t i = 0; i < size / 8; i++)
		if (((uint64_t *)h)[i])
			lost("a new object of %zu bytes is not zero at word %zu", size, i);
	h->magic = HEAD_MAGIC;
	h->kind = kind;
	h->key = key;
	h->check = mix(key, kind);
	account(s, goheap_usable_size(h));
	return h;
}

void check_head(const void *p, enum kind kind, const char *where)
{
	const struct head *h = p;

	if (h->magic != HEAD_MAGIC || h->kind != kind || h->check != mix(h->key, kind))
		lost("%s: object %p is lost: magic %#x kind %u key %#llx check %#llx", where, p,
		     h->magic, h->kind, (unsigned long long)h->key, (unsigned long long)h->check);
	verified_nodes++;
}

static uint64_t payload_sum(const struct payload *p)
{
	uint64_t sum = p->words * 0x9e3779b97f4a7c15ULL + 1;

	for (uint64_t i = 0; i < p->words; i++)
		sum = (sum ^ p->word[i]) * 0x100000001b3ULL;
	return sum;
}

struct payload *payload(struct structure *s)
{
	/* Mostly small, now and then of several pages, or a large object. */
	uint64_t words = pick(100) ? pick(40) : pick(20) ? pick(2000) : pick(10000);
	size_t size = sizeof(struct payload) + 8 * words;
	struct payload *p = checked(goheap_alloc_noscan(size), size);
	uint64_t state = seed;

	p->words = words;
	for (uint64_t i = 0; i < words; i++) {
		if (p->word[i])
			lost("a new noscan object is not zero");
		p->word[i] = rnd(&state);
	}
	p->sum = payload_sum(p);
	account(s, goheap_usable_size(p));
	return p;
}

void check_payload(const struct payload *p, const char *where)
{
	if (p->words > 10000 || p->sum != payload_sum(p))
		lost("%s: payload %p is lost: words %#llx sum %#llx", where, (void *)p,
		     (unsigned long long)p->words, (unsigned long long)p->sum);
}

void drop_payload(struct structure *s, struct payload *p)
{
	account(s, -(int64_t)goheap_usable_size(p));
	/* Some by hand, most by oblivion. */
	if (!pick(16))
		goheap_free(p);
}

void drop_node(struct structure *s, void *p, uint64_t key)
{
	account(s, -(int64_t)goheap_usable_size(p));
	s->nodes--;
	s->keys -= key;
	if (!pick(16))
		goheap_free(p);
}

/* Lists. */

static void list_push(struct structure *s)
{
	uint64_t key = rnd(&seed) >> 8;
	struct list *n = node(s, &list_type, LIST, key);

	n->payload = payload(s);
	n->next = s->root;
	s->root = n;
	s->nodes++;
	s->keys += key;
}

static void list_change(struct structure *s)
{
	struct list **at = (struct list **)&s->root, *n, *reversed = NULL;

	switch (pick(8)) {
	case 0:		/* reverse */
		while ((n = s->root)) {
			s->root = n->next;
			n->next = reversed;
			reversed = n;
		}
		s->root = reversed;
		break;
	case 1:		/* take some out */
		while ((n = *at)) {
			if (pick(4)) {
				at = &n->next;
				continue;
			}
			*at = n->next;
			drop_payload(s, n->payload);
			drop_node(s, n, n->h.key);	/* n may be somebody else's now */
		}
		break;
	default:
		for (int i = 0; i < 8 && s->nodes < MAX_NODES; i++)
			list_push(s);
	}
}

static void list_check(const struct structure *s, uint64_t *nodes, uint64_t *keys)
{
	for (const struct list *n = s->root; n; n = n->next) {
		check_head(n, LIST, "list");
		check_payload(n->payload, "list");
		++*nodes;
		*keys += n->h.key;
		if (*nodes > s->nodes)
			lost("list: too long");
	}
}

/* Trees, by key. */

static void tree_insert(struct structure *s)
{
	uint64_t key = rnd(&seed) >> 8;
	struct tree **at = (struct tree **)&s->root;
	struct tree *n;

	while (*at) {
		if ((*at)->h.key == key)
			return;
		at = key < (*at)->h.key ? &(*at)->left : &(*at)->right;
	}
	n = node(s, &tree_type, TREE, key);
	if (pick(2))
		n->payload = payload(s);
	*at = n;
	s->nodes++;
	s->keys += key;
}

static void tree_forget(struct structure *s, struct tree *n)
{
	if (!n)
		return;
	tree_forget(s, n->left);
	tree_forget(s, n->right);
	if (n->payload)
		drop_payload(s, n->payload);
	drop_node(s, n, n->h.key);
}

static void tree_change(struct structure *s)
{
	struct tree **at = (struct tree **)&s->root;

	if (pick(8) || !*at) {
		for (int i = 0; i < 8 && s->nodes < MAX_NODES; i++)
			tree_insert(s);
		return;
	}
	/* Cut a branch off, some way down. */
	for (uint64_t depth = pick(8); depth; depth--) {
		struct tree **down = pick(2) ? &(*at)->left : &(*at)->right;

		if (!*down)
			break;
		at = down;
	}
	tree_forget(s, *at);
	*at = NULL;
}

static void tree_walk(const struct structure *s, const struct tree *n, uint64_t low, uint64_t high,
		      uint64_t *nodes, uint64_t *keys)
{
	if (!n)
		return;
	check_head(n, TREE, "tree");
	if (n->h.key < low || n->h.key >= high)
		lost("tree: key out of order");
	if (n->payload)
		check_payload(n->payload, "tree");
	*keys += n->h.key;
	if (++*nodes > s->nodes)
		lost("tree: too many nodes");
	tree_walk(s, n->left, low, n->h.key, nodes, keys);
	tree_walk(s, n->right, n->h.key + 1, high, nodes, keys);
}

/* Graphs: a ring with cross links; the root is any of its nodes. */

static struct graph *graph_some(struct structure *s)
{
	struct graph *n = s->root;

	for (uint64_t i = pick(s->nodes < 20 ? s->nodes : 20); i; i--)
		n = pick(2) && n->cross[0] ? n->cross[0] : n->next;
	return n;
}

static void graph_unlink(struct structure *s, struct graph *gone)
{
	struct graph *n = s->root;

	/* Nobody's cross link may keep it: its bytes are not counted any more. */
	do {
		for (int i = 0; i < 3; i++)
			if (n->cross[i] == gone)
				n->cross[i] = NULL;
		if (n->next == gone)
			n->next = gone->next;
		n = n->next;
	} while (n != s->root);
}

static void graph_change(struct structure *s)
{
	struct graph *n, *gone;
	uint64_t key;

	if (!s->root || (pick(4) && s->nodes < MAX_NODES / 4)) {
		key = rnd(&seed) >> 8;
		n = node(s, &graph_type, GRAPH, key);
		if (s->root) {
			struct graph *after = graph_some(s);

			n->next = after->next;
			after->next = n;
		} else {
			n->next = n;
			s->root = n;
		}
		s->nodes++;
		s->keys += key;
		n->cross[0] = graph_some(s);
		n->cross[1] = graph_some(s);
	} else if (pick(2) && s->nodes > 1) {
		gone = ((struct graph *)s->root)->next;
		/* Still pointing into the graph, as garbage does. */
		graph_unlink(s, gone);
		drop_node(s, gone, gone->h.key);
	} else {
		for (int i = 0; i < 5; i++)
			graph_some(s)->cross[pick(3)] = graph_some(s);
		s->root = graph_some(s);
	}
}

static void graph_check(const struct structure *s, uint64_t *nodes, uint64_t *keys)
{
	const struct graph *n = s->root;

	if (!n)
		return;
	do {
		check_head(n, GRAPH, "graph");
		for (int i = 0; i < 3; i++)
			if (n->cross[i])
				check_head(n->cross[i], GRAPH, "graph, cross link");
		*keys += n->h.key;
		if (++*nodes > s->nodes)
			lost("graph: ring too long");
		n = n->next;
	} while (n != s->root);
}

/* Tables of strings; the string says what its key is. */

static char *string_new(struct structure *s, uint64_t key, uint32_t *length)
{
	char text[128];
	char *p;

	*length = snprintf(text, sizeof(text), "%0*llx", (int)(key % 60 + 1),
			   (unsigned long long)key);
	p = checked(goheap_alloc_noscan(*length + 1), *length + 1);
	memcpy(p, text, *length + 1);
	/* Small ones share a block: theirs cannot be told, a block at most. */
	account(s, *length < 16 ? 16 : goheap_usable_size(p));
	return p;
}

static void table_grow(struct structure *s, struct table *t)
{
	uint64_t buckets = t->buckets ? 2 * t->buckets : 4;
	struct entry **b = checked(pick(2) ? goheap_alloc_typed(&pointer_type, buckets) :
				   goheap_alloc(buckets * sizeof(*b)), buckets * sizeof(*b));

	for (uint64_t i = 0; i < t->buckets; i++) {
		struct entry *e, *next;

		for (e = t->bucket[i]; e; e = next) {
			next = e->next;
			e->next = b[e->h.key % buckets];
			b[e->h.key % buckets] = e;
		}
	}
	account(s, goheap_usable_size(b));
	if (t->bucket) {
		account(s, -(int64_t)goheap_usable_size(t->bucket));
		if (!pick(4))
			goheap_free(t->bucket);
	}
	t->bucket = b;
	t->buckets = buckets;
}

static void table_change(struct structure *s)
{
	struct table *t = s->root;

	if (!t) {
		t = node(s, &table_type, TABLE, 0);
		s->root = t;
		s->nodes++;
	}
	if (!pick(6) && t->buckets) {
		/* Empty a few buckets. */
		for (int i = 0; i < 4; i++) {
			struct entry **b = &t->bucket[pick(t->buckets)], *e, *next;

			for (e = *b; e; e = next) {
				next = e->next;
				account(s, -(int64_t)(e->length < 16 ? 16 :
						      goheap_usable_size(e->string)));
				/* One that shares a block must not take its neighbours along. */
				if (!pick(8))
					goheap_free(e->string);
				drop_node(s, e, e->h.key);
			}
			*b = NULL;
		}
		return;
	}
	for (int i = 0; i < 8 && s->nodes < MAX_NODES; i++) {
		uint64_t key = rnd(&seed) >> (8 + pick(40));
		struct entry *e;

		if (s->nodes > t->buckets)
			table_grow(s, t);
		e = node(s, &entry_type, TABLE, key);
		e->string = string_new(s, key, &e->length);
		e->next = t->bucket[key % t->buckets];
		t->bucket[key % t->buckets] = e;
		s->nodes++;
		s->keys += key;
	}
}

static void table_check(const struct structure *s, uint64_t *nodes, uint64_t *keys)
{
	const struct table *t = s->root;

	if (!t)
		return;
	check_head(t, TABLE, "table");
	++*nodes;
	for (uint64_t i = 0; i < t->buckets; i++) {
		for (const struct entry *e = t->bucket[i]; e; e = e->next) {
			check_head(e, TABLE, "table entry");
			if (strlen(e->string) != e->length ||
			    strtoull(e->string, NULL, 16) != e->h.key)
				lost("table: string %.80s is lost", e->string);
			if (e->h.key % t->buckets != i)
				lost("table: entry in the wrong bucket");
			*keys += e->h.key;
			if (++*nodes > s->nodes)
				lost("table: too many entries");
		}
	}
}

/* Arrays that grow beyond what is a small object. */

static void array_change(struct structure *s)
{
	struct array *a = s->root;
	size_t had;

	if (!a) {
		a = node(s, &array_type, ARRAY, 0);
		s->root = a;
		s->nodes++;
	}
	switch (pick(4)) {
	case 0:
		if (!a->items)
			break;
		for (int i = 0; i < 20; i++) {
			struct payload **p = &a->item[pick(a->items)];

			if (*p) {
				drop_payload(s, *p);
				*p = NULL;
			}
		}
		break;
	case 1:		/* shorter or longer, up to 12,000 pointers: 96 KB */
		{
			uint64_t items = pick(4) ? pick(500) + 1 : pick(12000) + 1;

			for (uint64_t i = items; i < a->items; i++)
				if (a->item[i])
					drop_payload(s, a->item[i]);
			had = goheap_usable_size(a->item);
			if (!a->item && pick(2))
				a->item = checked(goheap_alloc_typed(&pointer_type, items), items * 8);
			else
				a->item = checked(goheap_realloc(a->item, items * 8), items * 8);
			account(s, (int64_t)goheap_usable_size(a->item) - (int64_t)had);
			/* What a shorter array left behind it is not zero. */
			for (uint64_t i = a->items < items ? a->items : items;
			     i < goheap_usable_size(a->item) / sizeof(a->item[0]); i++)
				a->item[i] = NULL;
			a->items = items;
		}
		break;
	default:
		for (int i = 0; i < 8 && a->items; i++) {
			struct payload **p = &a->item[pick(a->items)];

			if (*p)
				drop_payload(s, *p);
			*p = NULL;
			*p = payload(s);
		}
	}
}

static void array_check(const struct structure *s, uint64_t *nodes)
{
	const struct array *a = s->root;

	if (!a)
		return;
	check_head(a, ARRAY, "array");
	++*nodes;
	for (uint64_t i = 0; i < a->items; i++)
		if (a->item[i])
			check_payload(a->item[i], "array");
}

static void verify(const struct structure *s)
{
	uint64_t nodes = 0, keys = 0;

	switch (s->kind) {
	case LIST:
		list_check(s, &nodes, &keys);
		break;
	case TREE:
		tree_walk(s, s->root, 0, UINT64_MAX, &nodes, &keys);
		break;
	case GRAPH:
		graph_check(s, &nodes, &keys);
		break;
	case TABLE:
		table_check(s, &nodes, &keys);
		break;
	case GUARDS:
		guards_check(s, &nodes, &keys);
		break;
	default:
		array_check(s, &nodes);
	}
	if (nodes != s->nodes || keys != s->keys)
		lost("kind %d: %llu nodes with sum %llu, should be %llu with %llu", s->kind,
		     (unsigned long long)nodes, (unsigned long long)keys,
		     (unsigned long long)s->nodes, (unsigned long long)s->keys);
}

static void change(struct structure *s)
{
	switch (s->kind) {
	case LIST:
		list_change(s);
		break;
	case TREE:
		tree_change(s);
		break;
	case GRAPH:
		graph_change(s);
		break;
	case TABLE:
		table_change(s);
		break;
	case GUARDS:
		guards_change(s);
		break;
	default:
		array_change(s);
	}
}

/* All of it is garbage at once. */
static void forget(struct structure *s)
{
	uint64_t bytes = s->bytes;

	if (s->kind == GUARDS)
		guards_drop_all(s);
	memset(s, 0, sizeof(*s));
	s->kind = pick(KINDS);
	live_bytes -= bytes;
}

static void swap_with_slot(struct structure *s)
{
	uint64_t i = pick(SLOTS);
	struct structure other;

	pthread_mutex_lock(&slot[i].lock);
	other = slot[i].s;
	slot[i].s = *s;
	pthread_mutex_unlock(&slot[i].lock);
	*s = other;
	verify(s);
	moved++;
}

/* Something to mark beside the structures, so that marking takes its time: tied at random. */
struct weight {
	struct weight *to[4];
	uint64_t number;
	uint64_t pad[3];
};

static struct weight **ballast;

static size_t weights(void)
{
	return ballast_mib * MIB / sizeof(struct weight);
}

static void make_ballast(void *arg)
{
	size_t n = weights();
	uint64_t state = 17;

	(void)arg;
	ballast = goheap_alloc((n + 1) * sizeof(*ballast));
	for (size_t i = 0; i < n; i++) {
		ballast[i] = goheap_alloc(sizeof(**ballast));
		ballast[i]->number = i;
	}
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 4; k++)
			ballast[i]->to[k] = ballast[rnd(&state) % n];
	/* All but the first can be reached through others alone; nearly all are. */
	for (size_t i = 1; i < n; i++)
		ballast[i] = NULL;
}

static void walk_ballast(void *arg)
{
	struct weight *w = ballast[0];
	uint64_t state = 23;

	(void)arg;
	for (uint64_t i = 0; i < 10000 && w; i++) {
		if (w->number >= weights())
			lost("ballast: object %p is lost", (void *)w);
		w = w->to[rnd(&state) % 4];
	}
}

static void check_heap(void)
{
	struct goheap_stats s = stats();
	uint64_t bound = BOUND * (peak_live + ballast_mib * MIB) + BOUND_SLACK;

	if (s.heap_inuse > bound)
		lost("garbage accumulates: heap in use %llu, live at most %lu, bound %llu",
		     (unsigned long long)s.heap_inuse, (unsigned long)peak_live,
		     (unsigned long long)bound);
}

static bool time_is_over(void)
{
	return time_limit && seconds() - begin > time_limit;
}

/*
 * The child has this thread alone, and whatever it had: that must be whole, also
 * after a collection of its own.  The slots' locks may be held for ever.
 */
static void fork_and_verify(struct worker *w)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		lost("fork: %s", strerror(errno));
	if (!pid) {
		alarm(300);
		guards_in_child();
		for (int round = 0; round < 2; round++) {
			for (int i = 0; i < OWN; i++)
				verify(&w->own[i]);
			for (int i = 0; i < 20; i++)
				change(&w->own[pick(OWN)]);
			goheap_collect();
			for (int i = 0; i < OWN; i++)
				verify(&w->own[i]);
		}
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			lost("waitpid: %s", strerror(errno));
	if (status)
		lost("a forked child ended with status %#x", status);
	forks++;
}

static void work(struct worker *w, uint64_t n)
{
	/*
	 * ASan's and TSan's own locks are not all made whole in a child: one that a thread holds which
	 * comes or goes at that moment is held for ever there, and the child's own threads need it.
	 */
	if (!SANITIZED && !pick(4))
		fork_and_verify(w);
	for (uint64_t i = 0; i < n && !(i % 16 == 0 && time_is_over()); i++) {
		struct structure *s = &w->own[pick(OWN)];

		switch (pick(32)) {
		case 0:
			forget(s);
			break;
		case 1:
		case 2:
			swap_with_slot(s);
			break;
		case 3:
			verify(s);
			break;
		default:
			change(s);
		}
		if (i % 256 == 255) {
			done_ops += 256;
			check_heap();
		}
	}
}

struct start {
	struct worker *worker;	/* with everything its predecessor had */
	uint64_t number;
};

/* One life of a thread: its argument is on the heap, and so is its result. */
static void *life(void *arg)
{
	struct start *start = arg;
	struct worker *old = start->worker;
	struct worker on_stack, *mine = &on_stack;
	bool in_range;

	seed = mix(seed0, start->number);
	until_collect = 1 + pick(2 * collect_every + 1);
	check_head(old, KINDS, "a thread's argument");
	/* What it has is on its stack while it lives, or in memory that it says is to be searched. */
	in_range = pick(3) == 0;
	if (in_range) {
		mine = calloc(1, sizeof(*mine));
		if (!mine || goheap_add_roots(mine, mine + 1))
			lost("goheap_add_roots: %s", strerror(errno));
	}
	*mine = *old;
	memset(old->own, 0, sizeof(old->own));
	old = NULL;
	arg = NULL;
	start->worker = NULL;
	for (int i = 0; i < OWN; i++)
		verify(&mine->own[i]);
	work(mine, operations / 8);
	for (int i = 0; i < OWN; i++)
		verify(&mine->own[i]);
	old = checked(goheap_alloc(sizeof(*old)), sizeof(*old));
	*old = *mine;
	if (in_range) {
		if (goheap_remove_roots(mine, mine + 1))
			lost("goheap_remove_roots: %s", strerror(errno));
		free(mine);
	}
	reborn++;
	return old;
}

/* Eight lives, or as many as the time allows, one after another. */
static void *lives(void *arg)
{
	uint64_t number = (uintptr_t)arg;
	struct worker *w;

	seed = mix(seed0, number + 1000);
	until_collect = 1 + pick(2 * collect_every + 1);
	w = checked(goheap_alloc(sizeof(*w)), sizeof(*w));
	w->h = (struct head){ HEAD_MAGIC, KINDS, number, mix(number, KINDS) };
	for (int i = 0; i < OWN; i++)
		w->own[i].kind = pick(KINDS);
	for (uint64_t k = 0; time_limit ? !time_is_over() : k < 8; k++) {
		struct start *start = checked(goheap_alloc(sizeof(*start)), sizeof(*start));
		pthread_t thread;
		void *result;

		start->worker = w;
		start->number = number * 8 + k;
		w = NULL;
		if (pthread_create(&thread, NULL, life, start))
			lost("pthread_create fails");
		start = NULL;
		if (pthread_join(thread, &result))
			lost("pthread_join fails");
		w = result;
		check_head(w, KINDS, "a thread's result");
	}
	for (int i = 0; i < OWN; i++) {
		verify(&w->own[i]);
		forget(&w->own[i]);
	}
	finished++;
	return NULL;
}

/* dso.so is beside the program. */
static const char *dso_path(void)
{
	static char path[4200];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);

	if (n <= 0)
		lost("/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/dso.so");
	return path;
}

/* Keeps a structure in the data or the thread-local storage of a library that comes and goes. */
static void *librarian(void *arg)
{
	struct structure s;

	(void)arg;
	seed = mix(seed0, 2000);
	until_collect = UINT64_MAX;
	memset(&s, 0, sizeof(s));
	while (finished < threads) {
		void *dso = dlopen(dso_path(), RTLD_NOW);
		void **(*place)(void);

		if (!dso)
			lost("%s", dlerror());
		place = (void **(*)(void))dlsym(dso, pick(2) ? "dso_bss" : "dso_tls");
		s.kind = pick(KINDS);
		for (int i = 0; i < 50; i++) {
			/* Only the library's word for it between two changes. */
			s.root = place()[7];
			change(&s);
			verify(&s);
			place()[7] = s.root;
			s.root = NULL;
			if (i % 10 == 0)
				sleep_ms(pick(5));
		}
		s.root = place()[7];
		place()[7] = NULL;
		verify(&s);
		forget(&s);
		if (dlclose(dso))
			lost("%s", dlerror());
		libraries++;
		sleep_ms(20);
	}
	return NULL;
}

/* Changes what can be changed. */
static void *tuner(void *arg)
{
	static const int percent[] = { 10, 30, 50, 100 };
	static const int64_t limit[] = { INT64_MAX, INT64_MAX, 64 << 20, 128 << 20 };

	(void)arg;
	seed = mix(seed0, 3000);
	while (finished < threads) {
		switch (pick(3)) {
		case 0:
			goheap_set_gc_percent(percent[pick(ARRAY_SIZE(percent))]);
			break;
		case 1:
			goheap_set_memory_limit(limit[pick(ARRAY_SIZE(limit))]);
			break;
		default:
			if (!pick(8))
				goheap_free_os_memory();
		}
		settings++;
		sleep_ms(10 + pick(40));
	}
	goheap_set_gc_percent(100);
	goheap_set_memory_limit(INT64_MAX);
	return NULL;
}

static void progress(uint64_t total)
{
	struct goheap_stats s = stats();

	fprintf(stderr, "# %3.0f s: %lu of %llu operations, %llu collections, live %.1f MiB "
		"(most %.1f), heap in use %.1f MiB, %lu moved, %lu threads, %lu forks, %lu libraries, "
		"%lu settings, %lu M nodes verified\n",
		seconds() - begin, (unsigned long)done_ops, (unsigned long long)total,
		(unsigned long long)s.num_gc, live_bytes / 1048576.0, peak_live / 1048576.0,
		s.heap_inuse / 1048576.0, (unsigned long)moved, (unsigned long)reborn,
		(unsigned long)forks, (unsigned long)libraries, (unsigned long)settings,
		(unsigned long)verified_nodes / 1000000);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || end == text || n < least || n > most) {
		fprintf(stderr, "torture: not a number from %llu to %llu: %s\n",
			(unsigned long long)least, (unsigned long long)most, text);
		exit(2);
	}
	return n;
}

static void options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "operations", required_argument, NULL, 'n' },
		{ "collect-every", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "ballast", required_argument, NULL, 'b' },
		{ "seconds", required_argument, NULL, 'T' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "t:n:c:s:b:T:", longs, NULL)) != -1) {
		switch (c) {
		case 't':
			threads = number(optarg, 1, 1000);
			break;
		case 'n':
			operations = number(optarg, 8, UINT64_MAX / 1000);
			break;
		case 'c':
			collect_every = number(optarg, 0, 1000000000);
			break;
		case 's':
			seed0 = number(optarg, 0, UINT64_MAX);
			break;
		case 'b':
			ballast_mib = number(optarg, 0, 4096);
			break;
		case 'T':
			time_limit = number(optarg, 1, 1000000);
			break;
		default:
			exit(2);
		}
	}
	if (optind != argc) {
		fprintf(stderr, "torture: no such argument: %s\n", argv[optind]);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	pthread_t *thread, beside[2];
	double told;
	struct goheap_stats s;
	uint64_t total, left = 0;

	begin = told = seconds();
	options(argc, argv);
	total = operations / 8 * 8 * threads;
	fprintf(stderr, "# torture: %u threads, %llu operations each, a collection every %llu "
		"allocations, seed %llu\n", threads, (unsigned long long)operations,
		(unsigned long long)collect_every, (unsigned long long)seed0);
	printf("TAP version 13\n1..1\n");
	fflush(stdout);
	for (int i = 0; i < SLOTS; i++)
		pthread_mutex_init(&slot[i].lock, NULL);
	guards_init();
	in_thread(make_ballast, NULL);
	thread = calloc(threads, sizeof(*thread));
	for (uintptr_t i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, lives, (void *)i))
			lost("pthread_create fails");
	if (pthread_create(&beside[0], NULL, librarian, NULL) ||
	    pthread_create(&beside[1], NULL, tuner, NULL))
		lost("pthread_create fails");
	while (finished < threads) {
		sleep_ms(20);
		check_heap();
		if (seconds() - told >= 5) {
			told = seconds();
			progress(total);
		}
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	pthread_join(beside[0], NULL);
	pthread_join(beside[1], NULL);
	in_thread(walk_ballast, NULL);
	ballast = NULL;
	for (int i = 0; i < SLOTS; i++) {
		verify(&slot[i].s);
		left += slot[i].s.bytes;
	}
	progress(total);
	if (left != live_bytes)
		lost("the test's own accounts are wrong: %llu and %lu", (unsigned long long)left,
		     (unsigned long)live_bytes);
	/* What is left is what the slots hold, and noise. */
	scrub_stack();
	goheap_collect();
	s = stats();
	if (s.live_bytes > 2 * left + NOISE + 5 * ballast_mib * MIB / 4)
		lost("%llu bytes live at the end, the slots hold %llu",
		     (unsigned long long)s.live_bytes, (unsigned long long)left);
	for (int i = 0; i < SLOTS; i++)
		forget(&slot[i].s);
	guards_finish();
	memset(slot, 0, sizeof(slot));
	collect_hard();
	s = stats();
	/* The ballast is one knot: a word that looks like a pointer into it keeps it all. */
	if (s.live_bytes > NOISE + 5 * ballast_mib * MIB / 4 ||
	    s.heap_inuse > 2 * NOISE + 5 * ballast_mib * MIB / 4)
		lost("%llu bytes live, %llu in use after all was dropped",
		     (unsigned long long)s.live_bytes, (unsigned long long)s.heap_inuse);
	if (collect_every && s.num_gc < done_ops / 1000)
		lost("only %llu collections: this proved little", (unsigned long long)s.num_gc);
	fprintf(stderr, "# %s\n", guards_report());
	fprintf(stderr, "# %.1f s: %llu collections, %llu objects, longest stop %.2f ms\n",
		seconds() - begin, (unsigned long long)s.num_gc, (unsigned long long)s.mallocs,
		s.pause_max_ns / 1e6);
	printf("ok 1 - nothing live is lost and garbage does not accumulate\n");
	return 0;
}
