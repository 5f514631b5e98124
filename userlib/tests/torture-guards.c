// SPDX-License-Identifier: MIT
/*
 * The part of the torture test that has finalizers and weak handles: chains of
 * guarded objects, each pointing to the next.  Catches: a finalizer that runs
 * while its object can be reached, twice, after it was taken back, out of order, or
 * never; what it needs lost; a weak handle that does not give a live object, or
 * gives one that has been finalized or freed.
 *
 * A guard's finalizer is known by a ticket, and a table that the collector does not
 * search says what is known of each ticket.  The owner writes that a guard has been
 * dropped before it drops it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc.h"
#include "torture.h"

enum { TICKETS = 1 << 24, CHAIN = 6, REVIVED = 64 };

enum state { UNUSED, LIVE, DROPPED, RAN, TAKEN_BACK, FREED };

struct guard {
	struct head h;
	struct guard *below;
	struct payload *payload;
	uint64_t ticket;
	uint64_t above;		/* ticket of the guard that points here, or 0 */
};
GOHEAP_DEFINE_TYPE(guard_type, struct guard,
		   GOHEAP_POINTER(struct guard, below) | GOHEAP_POINTER(struct guard, payload));

/* Holds a guard's weak handle, also after the guard is gone. */
struct watch {
	struct head h;
	struct watch *next;
	struct goheap_weak *weak;
	uint64_t ticket;
	uint64_t hidden;	/* the guard's address, inverted */
	uint64_t cleared;
};
GOHEAP_DEFINE_TYPE(watch_type, struct watch,
		   GOHEAP_POINTER(struct watch, next) | GOHEAP_POINTER(struct watch, weak));

struct guards {
	struct head h;
	struct guard *first;
	struct watch *watch;
};
GOHEAP_DEFINE_TYPE(guards_type, struct guards,
		   GOHEAP_POINTER(struct guards, first) | GOHEAP_POINTER(struct guards, watch));

static _Atomic unsigned char *state;
static atomic_uint_least64_t last_ticket;
static atomic_ulong ran, over, revivals, cleared_handles;
static atomic_bool in_child;

/* What finalizers have brought back. */
static pthread_mutex_t revived_lock = PTHREAD_MUTEX_INITIALIZER;
static struct guard *revived[REVIVED];

void guards_init(void)
{
	state = calloc(TICKETS, 1);
	if (!state)
		lost("calloc: %s", strerror(errno));
}

/* The other threads' stacks are gone, so what only they had is unreachable here. */
void guards_in_child(void)
{
	in_child = true;
}

static void set_state(uint64_t ticket, enum state to)
{
	enum state was = atomic_exchange(&state[ticket], to);

	if (was != LIVE && !(was == UNUSED && to == LIVE))
		lost("guard: ticket %llu goes from %d to %d", (unsigned long long)ticket, was, to);
	if (to == TAKEN_BACK || to == FREED)
		over++;
}

static void finalize(void *object, void *arg);

static bool tickets_are_left(void)
{
	return last_ticket < TICKETS - 10000;
}

static void guard_with_finalizer(struct structure *s, struct guard *g)
{
	struct payload *arg;
	struct structure uncounted = { .bytes = 0 };

	/* Nothing but the finalizer holds it; it may be gone at any time, so it is not counted. */
	arg = payload(s ? s : &uncounted);
	account(s ? s : &uncounted, -(int64_t)goheap_usable_size(arg));
	g->ticket = ++last_ticket;
	set_state(g->ticket, LIVE);
	if (goheap_set_finalizer(g, finalize, arg))
		lost("goheap_set_finalizer: %s", strerror(errno));
}

/* Put @g where it is reachable; who was there is dropped. */
static void revive(struct guard *g)
{
	uint64_t i = pick(REVIVED);

	guard_with_finalizer(NULL, g);
	pthread_mutex_lock(&revived_lock);
	if (revived[i]) {
		check_head(revived[i], GUARDS, "revived");
		check_payload(revived[i]->payload, "revived");
		set_state(revived[i]->ticket, DROPPED);
	}
	revived[i] = g;
	pthread_mutex_unlock(&revived_lock);
	revivals++;
}

static void finalize(void *object, void *arg)
{
	struct guard *g = object;
	enum state was;

	check_head(g, GUARDS, "in a finalizer");
	check_payload(g->payload, "in a finalizer");
	check_payload(arg, "a finalizer's argument");
	for (struct guard *b = g->below; b; b = b->below) {
		check_head(b, GUARDS, "reached from a finalizer");
		check_payload(b->payload, "reached from a finalizer");
	}
	was = atomic_exchange(&state[g->ticket], RAN);
	if (was != DROPPED && !(was == LIVE && in_child))
		lost("finalizer of ticket %llu runs in state %d", (unsigned long long)g->ticket, was);
	if (g->above && !in_child && (state[g->above] == LIVE || state[g->above] == DROPPED))
		lost("finalizer of ticket %llu runs before that of %llu, which points to it",
		     (unsigned long long)g->ticket, (unsigned long long)g->above);
	ran++;
	over++;
	switch (pick(16)) {
	case 0:
		if (tickets_are_left())
			revive(g);
		break;
	case 1:
		goheap_collect();
		break;
	default:
		memset(checked(goheap_alloc(sizeof(*g)), sizeof(*g)), 0xee, sizeof(*g));
	}
}

static void push(struct structure *s)
{
	struct guards *root = s->root;
	uint64_t key = pick((uint64_t)1 << 56);
	struct guard *g = node(s, &guard_type, GUARDS, key);
	struct watch *w;

	g->payload = payload(s);
	guard_with_finalizer(s, g);
	g->below = root->first;
	if (g->below)
		g->below->above = g->ticket;
	root->first = g;
	s->nodes++;
	s->keys += key;
	w = node(s, &watch_type, GUARDS, key);
	w->weak = goheap_weak_new(g);
	if (!w->weak || goheap_weak_new(g) != w->weak)
		lost("goheap_weak_new: %s", strerror(errno));
	w->ticket = g->ticket;
	w->hidden = hide(g);
	w->next = root->watch;
	root->watch = w;
}

/* It is not the owner's any more from here on. */
static void drop(struct structure *s, struct guard *g, struct goheap_weak *weak)
{
	s->nodes--;
	s->keys -= g->h.key;
	account(s, -(int64_t)(goheap_usable_size(g) + goheap_usable_size(g->payload)));
	if (weak && !pick(4)) {
		if (state[g->ticket] == LIVE)
			set_state(g->ticket, FREED);
		goheap_free(g);
		if (goheap_weak_get(weak))
			lost("guard: a weak handle gives what was freed by hand");
	} else if (state[g->ticket] == LIVE) {
		set_state(g->ticket, DROPPED);
	}
}

static struct goheap_weak *handle_of(struct guards *root, struct guard *g)
{
	for (struct watch *w = root->watch; w; w = w->next)
		if (w->hidden == hide(g) && !w->cleared)
			return w->weak;
	return NULL;
}

static void look_at_watches(struct structure *s)
{
	struct guards *root = s->root;
	struct watch **at = &root->watch, *w;

	while ((w = *at)) {
		enum state before = state[w->ticket];
		struct guard *g = goheap_weak_get(w->weak);

		check_head(w, GUARDS, "watch");
		if (g) {
			if (w->cleared || before == RAN || before == FREED)
				lost("weak handle of ticket %llu gives an object in state %d, cleared %llu",
				     (unsigned long long)w->ticket, before,
				     (unsigned long long)w->cleared);
			if (hide(g) != w->hidden)
				lost("a weak handle gives another object");
			check_head(g, GUARDS, "by a weak handle");
			check_payload(g->payload, "by a weak handle");
		} else {
			if (before == LIVE)
				lost("weak handle of ticket %llu is clear, and the object lives",
				     (unsigned long long)w->ticket);
			if (!w->cleared)
				cleared_handles++;
			w->cleared = 1;
		}
		if (w->cleared) {
			*at = w->next;
			account(s, -(int64_t)goheap_usable_size(w));
		} else {
			at = &w->next;
		}
	}
}

void guards_change(struct structure *s)
{
	struct guards *root = s->root;
	struct guard *g;

	if (!root) {
		s->root = root = node(s, &guards_type, GUARDS, 0);
		s->nodes++;
	}
	switch (pick(8)) {
	case 0:		/* the first goes */
		g = root->first;
		if (!g)
			break;
		root->first = g->below;
		if (g->below)
			g->below->above = 0;
		/* Its finalizer looks at what it points to, and that may be freed by hand next. */
		g->below = NULL;
		drop(s, g, handle_of(root, g));
		break;
	case 1:		/* all but the first go */
		if (!root->first)
			break;
		g = root->first->below;
		root->first->below = NULL;
		if (g)
			g->above = 0;
		while (g) {
			struct guard *below = g->below;

			drop(s, g, NULL);
			g = below;
		}
		break;
	case 2:		/* another finalizer, or none */
		g = root->first;
		if (!g || state[g->ticket] != LIVE)
			break;
		if (goheap_set_finalizer(g, NULL, NULL))
			lost("goheap_set_finalizer: %s", strerror(errno));
		set_state(g->ticket, TAKEN_BACK);
		if (g->below)
			g->below->above = 0;
		break;
	case 3:
		look_at_watches(s);
		break;
	default:
		if (s->nodes < CHAIN && tickets_are_left())
			push(s);
	}
}

/* Before it is forgotten. */
void guards_drop_all(struct structure *s)
{
	struct guards *root = s->root;

	if (root)
		for (struct guard *g = root->first, *below; g; g = below) {
			below = g->below;
			if (state[g->ticket] == LIVE)
				set_state(g->ticket, DROPPED);
		}
}

void guards_check(const struct structure *s, uint64_t *nodes, uint64_t *keys)
{
	struct guards *root = s->root;

	if (!root)
		return;
	check_head(root, GUARDS, "guards");
	++*nodes;
	for (struct guard *g = root->first; g; g = g->below) {
		check_head(g, GUARDS, "guard");
		check_payload(g->payload, "guard");
		if (state[g->ticket] != LIVE && state[g->ticket] != TAKEN_BACK)
			lost("guard of ticket %llu is reachable in state %d",
			     (unsigned long long)g->ticket, state[g->ticket]);
		*keys += g->h.key;
		if (++*nodes > s->nodes)
			lost("guards: too many");
	}
}

/* All structures have been forgotten: now every finalizer must run. */
void guards_finish(void)
{
	uint64_t set;

	for (int i = 0; i < REVIVED; i++) {
		pthread_mutex_lock(&revived_lock);
		if (revived[i])
			set_state(revived[i]->ticket, DROPPED);
		revived[i] = NULL;
		pthread_mutex_unlock(&revived_lock);
	}
	/*
	 * A chain is one link shorter with each collection; some are brought back; and the thread
	 * that runs finalizers may be behind, so as long as it gets on it is waited for.
	 */
	for (int round = 0, idle = 0; idle < 60 && over != last_ticket; round++) {
		unsigned long before = over;

		collect_hard();
		sleep_ms(5);
		if (round % 8 == 7)
			for (int i = 0; i < REVIVED; i++) {
				pthread_mutex_lock(&revived_lock);
				if (revived[i])
					set_state(revived[i]->ticket, DROPPED);
				revived[i] = NULL;
				pthread_mutex_unlock(&revived_lock);
			}
		idle = over == before ? idle + 1 : 0;
	}
	set = last_ticket;
	/* Some may be held by chance: by what looks like their address. */
	if (over + set / 100 + 20 < set)
		lost("only %lu of %llu finalizers have run, or need not", (unsigned long)over,
		     (unsigned long long)set);
}

const char *guards_report(void)
{
	static char text[160];

	snprintf(text, sizeof(text), "%llu finalizers set, %lu over (%lu run), %lu objects revived, %lu weak "
		 "handles cleared", (unsigned long long)last_ticket, over, ran, revivals, cleared_handles);
	return text;
}
