/* SPDX-License-Identifier: MIT */
/*
 * What may point to what: sets of objects, and inclusions between them.
 *
 * Inclusion constraints in the manner of Andersen ("Program analysis and specialization
 * for the C programming language", 1994): every value of the program has a node, a node
 * has the set of objects that the value may point into, and every assignment says that
 * one set includes another.  Nothing is known of the order in which the assignments are
 * made, so the answer holds for any order.
 *
 * Memory is taken object by object, without fields, but with two nodes each.  What was
 * stored as a pointer is in the one.  Numbers, bytes and copies of bytes are in the other:
 * a program may turn a pointer into a number, or take it apart, and put it together
 * again, but it does not find one in a member of type long that was
 * stored in a member of type pointer (C11 6.5p7).  Without this, the sum of all numbers in
 * a list would carry the list's addresses.
 *
 * Knows nothing of the compiler.
 */
#ifndef GOHEAP_ESCAPE_POINTS_TO_H
#define GOHEAP_ESCAPE_POINTS_TO_H

typedef unsigned int object_id;
typedef unsigned int node_id;

/* A set of objects. */
class object_set
{
public:
	bool add(object_id o);				/* true if it is new */
	bool add_all(const object_set &other, const object_set *only_of);
	bool has(object_id o) const;
	bool meets(const object_set &other) const;
	bool within(const object_set &other) const;
	bool empty() const;
	std::vector<object_id> list() const;

private:
	std::vector<unsigned long> words;
};

/* Which of an object's two nodes. */
enum memory_part { WHOLE = 0, BYTES = 1 };

/* The node that no object is ever in. */
static const node_id NOTHING = 0;

class points_to
{
public:
	points_to();

	node_id new_node();
	object_id new_object(bool local);
	object_id new_nowhere();		/* where NULL points to, say: there is no memory */
	node_id memory(object_id o, memory_part part) const { return objects[o][part]; }

	void address(node_id to, object_id o);		/* to has o */
	void copy(node_id to, node_id from);		/* to includes from */
	void copy_locals(node_id to, node_id from);	/* ... what of it are this frame's objects */
	void load(node_id to, node_id pointer, memory_part part);
	void store(node_id pointer, memory_part part, node_id from);
	void absorb(node_id n);			/* loads to n and stores of n, through n itself */

	void solve();
	const object_set &of(node_id n) const { return nodes[find(n)].points_to; }
	bool is_local(object_id o) const { return locals.has(o); }
	object_id object_count() const { return objects.size(); }

	/* From what a set points to, all that can be reached; add to the set itself. */
	void reach(object_set *set) const;

private:
	struct access { node_id other; memory_part part; };
	struct edge { node_id to; bool locals_only; };
	struct node {
		object_set points_to;
		object_set done;			/* of it, what loads and stores know */
		std::vector<edge> edges;
		std::vector<access> loads, stores;
		bool queued;
	};

	node_id find(node_id n) const;
	void merge(node_id into, node_id from);
	void add_edge(node_id from, node_id to, bool locals_only);
	void wake(node_id n);

	std::vector<node> nodes;
	/* Nodes that include each other are one: by node, another that it is one with, or itself. */
	mutable std::vector<node_id> one_with;
	node_id absorbing;
	std::vector<std::vector<node_id> > objects;
	object_set locals;
	object_set nowhere;
	std::set<std::pair<node_id, node_id> > known;	/* edges */
	std::vector<node_id> queue;
};

#endif
