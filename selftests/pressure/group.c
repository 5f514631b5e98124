// SPDX-License-Identifier: GPL-2.0
/*
 * Scenarios a, b, e and w: a group with memory.max, in which the heap is mostly free
 * pages when something else wants memory.
 */
#define _GNU_SOURCE
#include <time.h>

#include "stage.h"

#define WAIT_MS		30000

struct demand {
	uint64_t from;			/* ms */
	uint64_t heap_before;
	uint64_t retained_before;
	uint64_t collections;		/* before it */
	uint64_t refaults;		/* pages, while the files were read again */
	uint64_t cached;		/* of the files, bytes, before that */
	uint64_t again_ms;
	const char *died;		/* in what */
};

/* Files are read, twice, and memory is mapped beside the heap. */
static void demand(struct program *p, struct demand *d)
{
	uint64_t refaults, start;

	memset(d, 0, sizeof(*d));
	d->heap_before = heap_of(p);
	d->retained_before = arena(p, "GoheapRetained");
	ask(p, "stats");
	d->collections = answer(p, "collections");
	d->from = now_ms() - started;
	mark(p, "read");
	ask(p, "read %llu %s/files", FILES, here);
	if (p->dead) {
		d->died = "read";
		return;
	}
	refaults = group_figure(p->group->stat, "workingset_refault_file");
	d->cached = group_figure(p->group->stat, "file");
	start = now_ms();
	mark(p, "read again");
	ask(p, "read %llu %s/files", FILES, here);
	if (p->dead) {
		d->died = "read again";
		return;
	}
	d->again_ms = now_ms() - start;
	d->refaults = group_figure(p->group->stat, "workingset_refault_file") - refaults;
	mark(p, "map");
	ask(p, "map %llu", ELSEWHERE);
	if (p->dead)
		d->died = "map";
}

/* Time passes, in which the program does a little. */
static void wait_ms(struct program *p, uint64_t ms)
{
	uint64_t end = now_ms() + ms, second;
	unsigned int n = 0;

	while (now_ms() < end && !p->dead) {
		for (second = now_ms() + 1000; now_ms() < second;) {
			struct timespec pause = { .tv_nsec = interval * 1000000L };

			look();
			nanosleep(&pause, NULL);
		}
		ask(p, "churn 2");
		if (++n % 5 == 0)
			ask(p, "collect");
	}
}

static void one_group(const char *heap, bool collect, uint64_t wait)
{
	uint64_t after, retained, kills, live, bad, collections;
	struct program p, idle;
	struct demand d;
	struct group g;
	bool intact;

	idle_start(&idle, heap);
	group_make(&g, scenario, LIMIT);
	program_start(&p, heap, &g, scenario);
	watch(&p);
	grow_and_drop(&p, collect);
	wait_ms(&p, wait);
	demand(&p, &d);
	after = heap_of(&p);
	retained = arena(&p, "GoheapRetained");
	intact = ask(&p, "verify");
	live = answer(&p, "live");
	bad = answer(&p, "bad");
	ask(&p, "stats");
	collections = answer(&p, "collections") - d.collections;
	kills = group_figure(g.events, "oom_kill");
	row(&p, "killed=%llu died=%s peak=%llu heap_before=%llu heap_after=%llu lowest=%llu until_ms=%lld "
	    "retained_before=%lld retained_after=%lld refaults=%llu cached=%llu again_ms=%llu "
	    "mapped=%llu live=%llu bad=%llu intact=%d collections=%lld",
	    (unsigned long long)kills, d.died ? d.died : "-", (unsigned long long)peak_of(&g),
	    (unsigned long long)d.heap_before, (unsigned long long)after,
	    (unsigned long long)lowest(d.from), until(d.from, GIVEN_BACK),
	    (long long)d.retained_before, (long long)retained, (unsigned long long)d.refaults,
	    (unsigned long long)d.cached, (unsigned long long)d.again_ms,
	    (unsigned long long)*p.mapped, (unsigned long long)live, (unsigned long long)bad,
	    intact, p.dead ? -1LL : (long long)collections);
	print_samples(&p);

	check(!p.dead && kills == 0, &p, "nothing is killed");
	check(*p.mapped == ELSEWHERE * MIB, &p, "memory elsewhere is there");
	check(intact && live == LIVE * MIB, &p, "what is live is as it was");
	if (!collect)
		check(!p.dead && collections > 0, &p, "the heap is collected when the kernel asks");
	if (is_ours(&p) && collect) {
		check(!p.dead && after <= GIVEN_BACK, &p,
		      "free heap pages are given back (%llu of %llu MiB left)",
		      (unsigned long long)(after / MIB), (unsigned long long)(d.heap_before / MIB));
		check(d.refaults < FILES * MIB / 4096 / 10, &p,
		      "they go before the page cache (%llu of %llu pages read again)",
		      (unsigned long long)d.refaults, FILES * MIB / 4096);
	}
	program_end(&p);
	group_remove(&g);
	program_end(&idle);
}

void scenario_a(const char *heap)
{
	one_group(heap, true, 0);
}

void scenario_e(const char *heap)
{
	one_group(heap, false, 0);
}

void scenario_w(const char *heap)
{
	one_group(heap, true, WAIT_MS);
}

void scenario_b(const char *heap)
{
	uint64_t before, after, retained_before, retained_after, pressed, background;
	struct program p, q, idle;
	struct group g, h;
	struct demand d;
	bool intact, other_intact;

	idle_start(&idle, heap);
	group_make(&g, "b1", LIMIT);
	group_make(&h, "b2", LIMIT);
	program_start(&p, heap, &g, "b1");
	program_start(&q, heap, &h, "b2");
	grow_and_drop(&p, true);
	grow_and_drop(&q, true);
	ask(&q, "stats");
	pressed = answer(&q, "pressed");
	background = answer(&q, "background");
	watch(&p);
	other = &q;
	before = heap_of(&q);
	retained_before = arena(&q, "GoheapRetained");
	demand(&p, &d);
	after = heap_of(&q);
	retained_after = arena(&q, "GoheapRetained");
	ask(&q, "stats");
	pressed = answer(&q, "pressed") - pressed;
	background = answer(&q, "background") - background;
	intact = ask(&p, "verify");
	other_intact = ask(&q, "verify");
	row(&p, "killed=%llu died=%s other_before=%llu other_after=%llu other_retained_before=%lld "
	    "other_retained_after=%lld other_pressed=%llu other_intact=%d "
	    "heap_before=%llu heap_after=%llu lowest=%llu until_ms=%lld refaults=%llu peak=%llu intact=%d",
	    (unsigned long long)group_figure(g.events, "oom_kill"), d.died ? d.died : "-",
	    (unsigned long long)before, (unsigned long long)after, (long long)retained_before,
	    (long long)retained_after, (unsigned long long)pressed,
	    other_intact, (unsigned long long)d.heap_before, (unsigned long long)heap_of(&p),
	    (unsigned long long)lowest(d.from),
	    until(d.from, GIVEN_BACK),
	    (unsigned long long)d.refaults, (unsigned long long)peak_of(&g), intact);
	print_samples(&p);

	check(!p.dead && !q.dead, &p, "nothing is killed");
	check(intact && other_intact, &p, "what is live is as it was, in both");
	if (is_ours(&p)) {
		/*
		 * Its own scavenger may go on meanwhile, and between a figure and the next:
		 * its share is read first and last.
		 */
		check(retained_before > 150 * MIB && !pressed &&
		      retained_after + background >= retained_before, &p,
		      "nothing is taken from the group without pressure");
		check(!p.dead && heap_of(&p) <= GIVEN_BACK, &p,
		      "free heap pages are given back in the other");
	}
	program_end(&p);
	program_end(&q);
	group_remove(&g);
	group_remove(&h);
	program_end(&idle);
}
