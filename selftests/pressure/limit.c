// SPDX-License-Identifier: GPL-2.0
/*
 * Scenario d: more is allocated than the group may have.
 */
#include "stage.h"

void scenario_d(const char *heap)
{
	uint64_t grown, collections, garbage, most, kills;
	bool refused, goes_on, intact;
	struct program p, idle;
	struct group g;

	idle_start(&idle, heap);
	group_make(&g, "d", LIMIT);
	program_start(&p, heap, &g, "d");
	watch(&p);
	if (!ask(&p, "grow 200"))
		bail("%s: the heap does not grow: %s", heap, p.reply);
	ask(&p, "collect");
	ask(&p, "drop 1 2");
	garbage = 200 * MIB - answer(&p, "live");
	ask(&p, "stats");
	collections = answer(&p, "collections");
	mark(&p, "beyond the limit");
	refused = !ask(&p, "grow 400") && !p.dead;
	grown = answer(&p, "grown");
	most = 200 * MIB - garbage + grown;
	if (refused)
		mark(&p, "NULL");
	ask(&p, "stats");
	collections = answer(&p, "collections") - collections;
	ask(&p, "drop 1 2");
	ask(&p, "collect");
	goes_on = ask(&p, "grow 20");
	intact = ask(&p, "verify");
	kills = group_figure(g.events, "oom_kill");
	row(&p, "killed=%llu died=grow refused=%d live_at_null=%llu collections=%lld goes_on=%d intact=%d "
	    "peak=%llu seen=%llu", (unsigned long long)kills, refused,
	    (unsigned long long)(refused ? most : 0),
	    p.dead ? -1LL : (long long)collections, goes_on, intact,
	    (unsigned long long)peak_of(&g), (unsigned long long)value_in(reread(g.events), "max"));
	print_samples(&p);

	check(refused && !kills, &p, "beyond the limit is NULL, and nothing is killed");
	check(most > LIMIT - 16 * MIB, &p, "after all that there was (%llu MiB live of %llu)",
	      (unsigned long long)(most / MIB), LIMIT / MIB);
	if (!strcmp(heap, "goheap"))
		check(!p.dead && collections > 0, &p, "a collection is tried before");
	check(goes_on && intact, &p, "the program goes on");
	program_end(&p);
	group_remove(&g);
	program_end(&idle);
}
