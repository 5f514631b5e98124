// SPDX-License-Identifier: MIT
/*
 * Sampling for the heap profile; profile.h tells how.
 *
 * The call stack is taken by _Unwind_Backtrace() of libgcc, from the tables that
 * every x86-64 and aarch64 program has: frame pointers are rarely compiled in, and a
 * chain that is followed through code without them leads anywhere.  It allocates
 * nothing, and with glibc 2.35 and later takes no lock.  It runs outside the busy
 * section, so that a thread that is stopped in it is like any other.
 */
#include <string.h>
#include <unwind.h>

#include "heap.h"

#define CHUNK		((size_t)16 << 10)

/* The rest of the calculation is in bytes; a byte more or less is nothing. */
static double random_fraction(struct mcache *mc)
{
	/* xorshift64*: as good as is needed, and never 0. */
	mc->sample_seed ^= mc->sample_seed >> 12;
	mc->sample_seed ^= mc->sample_seed << 25;
	mc->sample_seed ^= mc->sample_seed >> 27;
	return (double)((mc->sample_seed * 0x2545f4914f6cdd1dull >> 11) + 1) * 0x1p-53;
}

/* -ln(x) for 0 < x <= 1, to nine digits; libm is not linked for it. */
static double minus_ln(double x)
{
	double halvings = 0, z, z2, term, sum = 0;

	while (x < 0x1p-16) {
		x *= 0x1p16;
		halvings += 16;
	}
	while (x < 0.70710678118654752) {
		x *= 2;
		halvings++;
	}
	/* ln((1 + z) / (1 - z)) = 2 (z + z^3/3 + z^5/5 + ...) */
	z = (x - 1) / (x + 1);
	z2 = z * z;
	term = z;
	for (int i = 1; i < 13; i += 2) {
		sum += term / i;
		term *= z2;
	}
	return halvings * 0.69314718055994531 - 2 * sum;
}

/* Bytes before the next that is chosen. */
static uint64_t draw(const struct heap *h, struct mcache *mc)
{
	if (!h->profile.rate)
		return UINT64_MAX;
	if (h->profile.rate == 1)
		return 0;
	return (uint64_t)(minus_ln(random_fraction(mc)) * (double)h->profile.rate);
}

static void start_countdown(const struct heap *h, struct mcache *mc)
{
	mc->sample_seed = (now_ns(CLOCK_MONOTONIC) ^ (uintptr_t)mc << 20) | 1;
	/* The first numbers still show how little is in the seed. */
	for (int i = 0; i < 16; i++)
		random_fraction(mc);
	mc->sample_left = draw(h, mc);
}

/**
 * profile_cut() - profile_limit() where a slot is to be sampled
 * @h: the heap
 * @mc: the calling thread's cache
 * @spanclass: the slots' class
 * @size: of each
 * @n: how many there are
 *
 * Context: busy.
 * Return: as profile_limit().
 */
uint32_t profile_cut(struct heap *h, struct mcache *mc, unsigned int spanclass, size_t size,
		     uint32_t n)
{
	uint64_t *due = &mc->sample_due[spanclass / 64];
	uint64_t bit = (uint64_t)1 << (spanclass % 64);
	uint64_t before;

	if (*due & bit) {
		*due &= ~bit;
		mc->sample_now = true;
		return 1;
	}
	if (!mc->sample_seed) {
		start_countdown(h, mc);
		return profile_limit(h, mc, spanclass, size, n);
	}
	before = mc->sample_left / size;
	mc->sample_left = draw(h, mc);
	if (before) {
		*due |= bit;
		return (uint32_t)before;
	}
	mc->sample_now = true;
	return 1;
}

/* Where a call stack is put. */
struct walk {
	uintptr_t cfa;
	uint32_t depth;
	uintptr_t pc[PROFILE_DEPTH];
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	int exact = 0;
	uintptr_t pc;

	/* The library's own frames lie below that of its caller. */
	if (!w->depth && _Unwind_GetCFA(context) < w->cfa)
		return _URC_NO_REASON;
	pc = _Unwind_GetIPInfo(context, &exact);
	if (!pc)
		return _URC_END_OF_STACK;
	/* The address of the call, not of what follows it. */
	w->pc[w->depth++] = pc - !exact;
	return w->depth < PROFILE_DEPTH ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static uint32_t hash_of(const struct walk *w, uint64_t size)
{
	uint64_t hash = size;

	for (uint32_t i = 0; i < w->depth; i++)
		hash = (hash ^ w->pc[i]) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(hash >> 32);
}

/* Zeroed memory for good, or NULL.  profile.lock held. */
static void *new_memory(struct heap *h, size_t bytes)
{
	struct profile *prof = &h->profile;
	void *p;

	if (prof->end - prof->next < bytes) {
		pthread_mutex_lock(&h->lock);
		p = heap_alloc_metadata(h, CHUNK);
		pthread_mutex_unlock(&h->lock);
		if (!p)
			return NULL;
		prof->next = (uintptr_t)p;
		prof->end = prof->next + CHUNK;
		counter_add(&prof->bytes, CHUNK);
	}
	p = (void *)prof->next;
	prof->next += bytes;
	return p;
}

static struct site *find_site(struct heap *h, const struct walk *w, uint64_t size)
{
	uint32_t hash = hash_of(w, size);
	struct site **head = &h->profile.table[hash % PROFILE_TABLE], *s;
	size_t bytes = w->depth * sizeof(*w->pc);

	for (s = *head; s; s = s->same_hash)
		if (s->hash == hash && s->size == size && s->depth == w->depth &&
		    !memcmp(s->pc, w->pc, bytes))
			return s;
	s = new_memory(h, sizeof(*s) + bytes);
	if (!s)
		return NULL;
	s->hash = hash;
	s->size = size;
	s->depth = w->depth;
	memcpy(s->pc, w->pc, bytes);
	s->same_hash = *head;
	*head = s;
	s->next = h->profile.sites;
	/* Whoever writes the profile goes through the list without the lock. */
	__atomic_store_n(&h->profile.sites, s, __ATOMIC_RELEASE);
	return s;
}

static struct sample *new_sample(struct heap *h)
{
	struct sample *s = h->profile.free;

	if (!s)
		return new_memory(h, sizeof(*s));
	h->profile.free = s->next;
	return s;
}

/* profile.lock held. */
static void add(struct heap *h, const struct walk *w, uintptr_t p)
{
	struct span *span = heap_span_of(h, p);
	struct site *site = find_site(h, w, span->elem_size);
	struct sample *sample = site ? new_sample(h) : NULL;

	if (!sample) {
		h->profile.lost++;
		return;
	}
	sample->site = site;
	sample->index = span_index(span, p);
	sample->cycle = h->gc.sweepgen;
	sample->next = span->samples;
	__atomic_store_n(&span->samples, sample, __ATOMIC_RELAXED);
	if (site->recent_cycle != sample->cycle)
		site->recent = 0;
	site->recent_cycle = sample->cycle;
	site->recent++;
	site->allocs++;
}

/**
 * profile_record() - record an object that is to be sampled
 * @h: the heap
 * @t: the calling thread, whose cache said so
 * @p: the object, which the caller holds
 * @cfa: __builtin_dwarf_cfa() of the library's function that the program called
 *
 * Context: not busy.
 */
NOINLINE void profile_record(struct heap *h, struct thread *t, uintptr_t p, uintptr_t cfa)
{
	struct walk w = { .cfa = cfa };

	t->mc.sample_now = false;
	_Unwind_Backtrace(note_frame, &w);
	thread_enter_busy(h, t);
	pthread_mutex_lock(&h->profile.lock);
	add(h, &w, p);
	pthread_mutex_unlock(&h->profile.lock);
	thread_leave_busy(h, t);
	/* The object is the caller's until here, whatever the compiler thinks of @p. */
	__asm__ volatile("" : : "r"(p));
}

/* profile.lock held. */
static void take_out(struct profile *prof, struct span *s, struct sample **link)
{
	struct sample *sample = *link;
	struct site *site = sample->site;

	site->frees++;
	if (site->recent_cycle == sample->cycle)
		site->recent--;
	if (link == &s->samples)
		__atomic_store_n(&s->samples, sample->next, __ATOMIC_RELAXED);
	else
		*link = sample->next;
	sample->next = prof->free;
	prof->free = sample;
}

/**
 * profile_remove_dead() - forget the samples in a span that are not marked
 * @h: the heap
 * @s: the span
 *
 * Context: busy, or alone.
 */
void profile_remove_dead(struct heap *h, struct span *s)
{
	struct sample **link = &s->samples;

	pthread_mutex_lock(&h->profile.lock);
	while (*link) {
		if (bit_test(s->mark_bits, (*link)->index))
			link = &(*link)->next;
		else
			take_out(&h->profile, s, link);
	}
	pthread_mutex_unlock(&h->profile.lock);
}

/**
 * profile_remove() - forget a sample
 * @h: the heap
 * @s: the span
 * @index: the slot, which need not be a sampled one
 *
 * Context: busy.
 */
void profile_remove(struct heap *h, struct span *s, uint32_t index)
{
	struct sample **link = &s->samples;

	pthread_mutex_lock(&h->profile.lock);
	while (*link && (*link)->index != index)
		link = &(*link)->next;
	if (*link)
		take_out(&h->profile, s, link);
	pthread_mutex_unlock(&h->profile.lock);
}

/**
 * profile_forked() - in a forked child
 * @h: the heap
 *
 * What the parent has sampled stays: the objects are there.
 *
 * Context: the only thread there is.
 */
void profile_forked(struct heap *h)
{
	pthread_mutex_init(&h->profile.lock, NULL);
}

void profile_init(struct heap *h)
{
	pthread_mutex_init(&h->profile.lock, NULL);
	h->profile.rate = h->settings.profile_rate;
}
