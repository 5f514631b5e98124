/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <set>
#include <utility>
#include <vector>

#include "points_to.h"

static const unsigned int WORD = sizeof(unsigned long) * 8;

bool object_set::add(object_id o)
{
	unsigned long bit = 1UL << o % WORD;

	if (words.size() <= o / WORD)
		words.resize(o / WORD + 1);
	if (words[o / WORD] & bit)
		return false;
	words[o / WORD] |= bit;
	return true;
}

/* Add another set's objects, those alone that are in a third if there is one. */
bool object_set::add_all(const object_set &other, const object_set *only_of)
{
	bool grown = false;

	if (words.size() < other.words.size())
		words.resize(other.words.size());
	for (size_t i = 0; i < other.words.size(); i++) {
		unsigned long more = other.words[i];

		if (only_of)
			more &= i < only_of->words.size() ? only_of->words[i] : 0;
		grown |= (more & ~words[i]) != 0;
		words[i] |= more;
	}
	return grown;
}

bool object_set::has(object_id o) const
{
	return o / WORD < words.size() && words[o / WORD] >> o % WORD & 1;
}

bool object_set::meets(const object_set &other) const
{
	for (size_t i = 0; i < words.size() && i < other.words.size(); i++)
		if (words[i] & other.words[i])
			return true;
	return false;
}

bool object_set::within(const object_set &other) const
{
	for (size_t i = 0; i < words.size(); i++)
		if (words[i] & ~(i < other.words.size() ? other.words[i] : 0))
			return false;
	return true;
}

bool object_set::empty() const
{
	for (size_t i = 0; i < words.size(); i++)
		if (words[i])
			return false;
	return true;
}

std::vector<object_id> object_set::list() const
{
	std::vector<object_id> all;

	for (size_t i = 0; i < words.size(); i++)
		for (unsigned int b = 0; b < WORD; b++)
			if (words[i] >> b & 1)
				all.push_back(i * WORD + b);
	return all;
}

points_to::points_to()
	: absorbing(NOTHING)
{
	new_node();
}

node_id points_to::new_node()
{
	nodes.push_back(node());
	nodes.back().queued = false;
	one_with.push_back(nodes.size() - 1);
	return nodes.size() - 1;
}

node_id points_to::find(node_id n) const
{
	while (one_with[n] != n)
		n = one_with[n] = one_with[one_with[n]];
	return n;
}

/* Two nodes that include each other become one. */
void points_to::merge(node_id into, node_id from)
{
	from = find(from);
	if (from == into)
		return;

	node old = node();

	std::swap(old, nodes[from]);
	one_with[from] = into;
	nodes[into].points_to.add_all(old.points_to, NULL);
	nodes[into].edges.insert(nodes[into].edges.end(), old.edges.begin(), old.edges.end());
	nodes[into].loads.insert(nodes[into].loads.end(), old.loads.begin(), old.loads.end());
	nodes[into].stores.insert(nodes[into].stores.end(), old.stores.begin(), old.stores.end());
	if (!old.loads.empty() || !old.stores.empty())
		nodes[into].done = object_set();
	wake(into);
}

object_id points_to::new_object(bool local)
{
	std::vector<node_id> parts;

	parts.push_back(new_node());
	parts.push_back(new_node());
	objects.push_back(parts);
	if (local)
		locals.add(objects.size() - 1);
	return objects.size() - 1;
}

object_id points_to::new_nowhere()
{
	object_id o = new_object(false);

	nowhere.add(o);
	return o;
}

void points_to::wake(node_id n)
{
	n = find(n);
	if (nodes[n].queued)
		return;
	nodes[n].queued = true;
	queue.push_back(n);
}

void points_to::add_edge(node_id from, node_id to, bool locals_only)
{
	if (from == NOTHING)
		return;
	from = find(from);
	to = find(to);
	if (from == to)
		return;
	if (!locals_only && !known.insert(std::make_pair(from, to)).second)
		return;

	edge e = { to, locals_only };

	nodes[from].edges.push_back(e);
	if (nodes[to].points_to.add_all(nodes[from].points_to, locals_only ? &locals : NULL))
		wake(to);
}

void points_to::address(node_id to, object_id o)
{
	if (nodes[find(to)].points_to.add(o))
		wake(to);
}

void points_to::copy(node_id to, node_id from)
{
	add_edge(from, to, false);
}

void points_to::copy_locals(node_id to, node_id from)
{
	add_edge(from, to, true);
}

void points_to::load(node_id to, node_id pointer, memory_part part)
{
	access a = { to, part };

	if (pointer == NOTHING)
		return;
	pointer = find(pointer);
	nodes[pointer].loads.push_back(a);
	nodes[pointer].done = object_set();
	wake(pointer);
}

void points_to::store(node_id pointer, memory_part part, node_id from)
{
	access a = { from, part };

	if (pointer == NOTHING || from == NOTHING)
		return;
	pointer = find(pointer);
	nodes[pointer].stores.push_back(a);
	nodes[pointer].done = object_set();
	wake(pointer);
}

/*
 * The memory of all that n points to includes n, and the other way round, so it is one node.
 * As edges, two for each object, every object that is added would be carried over all of them.
 */
void points_to::absorb(node_id n)
{
	absorbing = find(n);
	nodes[absorbing].done = object_set();
	wake(absorbing);
}

/* Until nothing grows any more.  Sets only grow, and are finite, so there is an end. */
void points_to::solve()
{
	while (!queue.empty()) {
		node_id n = find(queue.back());

		queue.pop_back();
		nodes[n].queued = false;

		/* By index, and copied: nodes[] may grow no more here, but edges may. */
		std::vector<object_id> in = nodes[n].points_to.list();

		for (size_t i = 0; i < in.size(); i++) {
			if (!nodes[n].done.add(in[i]) || nowhere.has(in[i]))
				continue;
			for (size_t k = 0; k < nodes[n].loads.size(); k++) {
				access a = nodes[n].loads[k];

				add_edge(memory(in[i], a.part), a.other, false);
			}
			for (size_t k = 0; k < nodes[n].stores.size(); k++) {
				access a = nodes[n].stores[k];

				add_edge(a.other, memory(in[i], a.part), false);
			}
			for (int part = WHOLE; n == absorbing && part <= BYTES; part++)
				merge(n, memory(in[i], (memory_part)part));
		}
		for (size_t k = 0; k < nodes[n].edges.size(); k++) {
			edge e = nodes[n].edges[k];

			e.to = find(e.to);
			if (nodes[e.to].points_to.add_all(nodes[n].points_to,
							  e.locals_only ? &locals : NULL))
				wake(e.to);
		}
	}
}

void points_to::reach(object_set *set) const
{
	std::vector<object_id> left = set->list();

	while (!left.empty()) {
		object_id o = left.back();

		left.pop_back();
		for (int part = WHOLE; part <= BYTES; part++) {
			std::vector<object_id> in = of(objects[o][part]).list();

			for (size_t i = 0; i < in.size(); i++)
				if (set->add(in[i]))
					left.push_back(in[i]);
		}
	}
}
