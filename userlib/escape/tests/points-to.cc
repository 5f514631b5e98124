/* SPDX-License-Identifier: MIT */
/* Catches: a set that lacks an object, or has one too many, compared with the plainest way there is. */
#include <stdio.h>
#include <stdlib.h>

#include <set>
#include <utility>
#include <vector>

#include "../points_to.h"

/* The same constraints, applied again and again until nothing changes. */
struct oracle {
	struct constraint { char kind; node_id to, from; memory_part part; };

	std::vector<std::set<object_id> > sets;
	std::vector<constraint> all;
	const points_to *graph;

	bool add(node_id to, const std::set<object_id> &from, bool locals_only)
	{
		bool grown = false;

		for (std::set<object_id>::const_iterator o = from.begin(); o != from.end(); o++)
			if (!locals_only || graph->is_local(*o))
				grown |= sets[to].insert(*o).second;
		return grown;
	}

	bool apply(const constraint &c)
	{
		std::set<object_id> at;
		bool grown = false;

		switch (c.kind) {
		case 'a':
			return sets[c.to].insert(c.from).second;
		case 'c':
		case 'l':
			/* The node that is empty by definition. */
			return c.from != NOTHING && add(c.to, std::set<object_id>(sets[c.from]), c.kind == 'l');
		case 'r':
			at = sets[c.from];
			for (std::set<object_id>::const_iterator o = at.begin(); o != at.end(); o++)
				grown |= add(c.to, std::set<object_id>(sets[graph->memory(*o, c.part)]), false);
			return grown;
		default:
			at = sets[c.to];
			for (std::set<object_id>::const_iterator o = at.begin(); o != at.end(); o++)
				grown |= add(graph->memory(*o, c.part), std::set<object_id>(sets[c.from]), false);
			return grown;
		}
	}

	void solve()
	{
		bool grown = true;

		while (grown) {
			grown = false;
			for (size_t i = 0; i < all.size(); i++)
				grown |= apply(all[i]);
		}
	}
};

static unsigned int below(unsigned int n)
{
	return rand() % n;
}

/* Returns the number of nodes whose sets differ. */
static unsigned int one_graph(unsigned int seed, bool in_two_steps, bool absorbs)
{
	points_to g;
	oracle o;
	std::vector<node_id> nodes;
	unsigned int n, wrong = 0, objects, constraints;

	srand(seed);
	objects = 1 + below(90);
	constraints = 1 + below(120);
	o.graph = &g;
	for (n = 0; n < objects; n++) {
		object_id id = g.new_object(below(2));

		nodes.push_back(g.memory(id, WHOLE));
		nodes.push_back(g.memory(id, BYTES));
	}
	for (n = 0; n < 30; n++)
		nodes.push_back(g.new_node());
	o.sets.resize(nodes.back() + 1);
	for (n = 0; n < constraints; n++) {
		static const char kinds[] = "aaaccclrrrsss";
		oracle::constraint c = { kinds[below(sizeof(kinds) - 1)], nodes[below(nodes.size())],
					 nodes[below(nodes.size())], below(2) ? WHOLE : BYTES };

		switch (c.kind) {
		case 'a':
			c.from = below(objects);
			g.address(c.to, c.from);
			break;
		case 'c':
			g.copy(c.to, c.from);
			break;
		case 'l':
			g.copy_locals(c.to, c.from);
			break;
		case 'r':
			g.load(c.to, c.from, c.part);
			break;
		case 's':
			g.store(c.to, c.part, c.from);
			break;
		}
		o.all.push_back(c);
		if (absorbs && n == constraints / 3) {
			g.absorb(c.to);
			for (int part = WHOLE; part <= BYTES; part++) {
				oracle::constraint load = { 'r', c.to, c.to, (memory_part)part };
				oracle::constraint store = { 's', c.to, c.to, (memory_part)part };

				o.all.push_back(load);
				o.all.push_back(store);
			}
		}
		if (in_two_steps && n == constraints / 2)
			g.solve();
	}
	g.solve();
	o.solve();
	for (n = 0; n < nodes.size(); n++) {
		std::vector<object_id> list = g.of(nodes[n]).list();

		wrong += std::set<object_id>(list.begin(), list.end()) != o.sets[nodes[n]];
	}
	return wrong;
}

static void ok(bool good, const char *what)
{
	static int n;

	printf("%s %d - %s\n", good ? "ok" : "not ok", ++n, what);
}

int main(void)
{
	unsigned int seed, wrong = 0;
	object_set a, b;

	for (seed = 0; seed < 3000; seed++)
		wrong += one_graph(seed, false, false);
	ok(!wrong, "3,000 random graphs have the sets that the plainest way finds");
	for (seed = 0, wrong = 0; seed < 1000; seed++)
		wrong += one_graph(seed, true, false);
	ok(!wrong, "... and if they grow after they were solved");
	for (seed = 0, wrong = 0; seed < 3000; seed++)
		wrong += one_graph(seed, seed % 2, true);
	ok(!wrong, "... and if one node is one with the memory of what it points to");

	ok(a.empty() && a.add(700) && !a.add(700) && !a.empty() && a.has(700) && !a.has(699) &&
	   !a.has(70000), "a set has what was added");
	b.add(3);
	ok(!a.meets(b) && b.add_all(a, NULL) && a.meets(b) && !b.add_all(a, NULL) && b.list().size() == 2,
	   "sets joined");
	printf("1..5\n");
	return 0;
}
