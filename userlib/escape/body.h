/* SPDX-License-Identifier: MIT */
/*
 * One function: what in it may point to what, and which of its objects outlive it.
 */
#ifndef GOHEAP_ESCAPE_BODY_H
#define GOHEAP_ESCAPE_BODY_H

#include "points_to.h"
#include "summary.h"

/**
 * struct site - a call of an allocator
 * @call: the statement
 * @name: of the allocator
 * @object: what it allocates
 * @size_known: whether @size is the object's size, bytes
 * @stays: whether it can be on the stack
 * @why: if not, why
 * @where: and which statement is to blame; UNKNOWN_LOCATION if none is
 */
struct site {
	gcall *call;
	const char *name;
	object_id object;
	bool size_known;
	unsigned HOST_WIDE_INT size;
	bool stays;
	std::string why;
	location_t where;
};

/* Pointers that a value consists of, or that memory holds; and pieces of pointers. */
struct value {
	node_id whole;
	node_id bytes;
};

/* How often a frame may be there at a time: once, who knows, or as deep as the recursion. */
enum depth { DEPTH_ONE, DEPTH_UNKNOWN, DEPTH_RECURSIVE };

enum way : int;		/* judge.cc */

bool may_be_address(tree type);

class body
{
public:
	body(struct cgraph_node *node, const summary_map &summaries, bool final);

	/* Tell callers what they have to know, or decide whether each site stays: one of the two. */
	void summarize(summary *s);
	void judge(enum depth depth);
	std::vector<site> sites;
	std::set<unsigned int> asked_for;	/* whose summaries were, by DECL_UID() */

private:
	/* Something that lets go what a set of pointers point to. */
	struct leak {
		node_id what;
		memory_part part;	/* of a store: into which */
		node_id through;	/* a store: only if this points to what is not ours */
		std::string why;
		location_t where;
	};
	/* Memory used as a type of some size. */
	struct use {
		node_id pointer;
		HOST_WIDE_INT size;
		location_t where;
	};
	/* Where a memory operand lies. */
	struct place {
		enum { CONSTANT, REGISTER, VARIABLE, POINTER, GLOBAL } kind;
		node_id node;		/* REGISTER, POINTER */
		object_id object;	/* VARIABLE */
		tree decl;		/* VARIABLE, GLOBAL; may be NULL */
	};
	/* The abstract objects that stand for what a parameter leads to. */
	struct param {
		object_id value, reach, bytes;
		bool aggregate;		/* passed by value: its numbers are not behind anything */
	};

	/* body.cc: statements */
	void read_params();
	void read_block(basic_block bb);
	void read_assign(gassign *stmt);
	void read_return(greturn *stmt);
	void read_asm(gasm *stmt);
	void read_volatile(gimple *stmt);
	void why_not_here();
	void solve();
	bool let_go_what_nobody_holds();
	bool number_what_nobody_knows();

	/* value.cc: operands */
	object_id new_local();
	node_id of_ssa(tree name);
	object_id of_variable(tree decl);
	bool is_ours(tree decl) const;
	value value_of(tree op);
	value address_of(tree ref);
	value load_from(tree ref);
	void store_to(tree ref, value v, location_t where);
	value join(value a, value b);
	value scalar(node_id n) const;
	node_id all_of(value v);
	place place_of(tree ref);
	void note_use(tree ref, location_t where);

	/* call.cc */
	void read_call(gcall *stmt);
	bool read_allocator(gcall *stmt);
	void read_library(gcall *stmt, const char *flows);
	void read_printed(gcall *stmt);
	node_id behind(node_id pointer, bool whole);
	void read_summary(gcall *stmt, tree fndecl, const summary &s);
	void read_noescape(gcall *stmt);
	void read_pure(gcall *stmt);
	void read_unknown(gcall *stmt);
	bool read_internal(gcall *stmt);
	void read_callback(tree address, node_id with, const std::string &by, location_t where);
	const summary *summary_of(tree fndecl, unsigned int nargs);
	value apply(const summary &s, const std::vector<value> &args, tree fndecl, location_t where);
	void flows_into(std::set<flow> *flows, node_id n, enum sink_kind to, int j,
			int bytes_of_param = -1) const;
	void flows_behind(std::set<flow> *flows, const leak &l) const;
	node_id bytes_of(value v);
	void result_is(gcall *stmt, value v);
	void let_go(node_id what, const std::string &why, location_t where);
	void store_through(node_id pointer, memory_part part, node_id what, const std::string &why,
			   location_t where);
	node_id reach_of(node_id pointer);
	value heap_value() const { value v = { heap_pointer, heap_pointer }; return v; }

	/* loop.cc */
	bool dies_in_iteration(const site &s, std::string *what) const;
	bool runs_side_by_side(const site &s) const;
	bool comes_before(gimple *a, gimple *b) const;
	bool name_live_before(tree name, gimple *stmt) const;
	bool variable_live_before(tree decl, gimple *stmt) const;

	/* judge.cc */
	enum way way_of(const leak &l, object_id o, bool reached) const;
	void blame(site *s);
	std::string name_of(tree decl) const;
	std::string owner_of(const object_set &to) const;

	struct cgraph_node *node;
	struct function *fn;
	const summary_map &summaries;
	bool final;			/* the summaries are whole: what points to nothing is not known */

	points_to graph;
	points_to before;		/* the same, if nothing had consequences */
	object_id heap;			/* all that is not this frame's */
	object_id null;
	node_id null_pointer;
	object_id number;		/* for a number that is not known and may be an address */
	node_id number_pointer;
	object_set no_memory;		/* these two */
	std::vector<node_id> numbers_stored;	/* pieces of memory as wide as a pointer */
	std::vector<node_id> made_pointers;	/* of numbers */
	node_id heap_pointer;		/* points to that */
	node_id gone;			/* points to all that somebody else may have */
	node_id result, result_bytes;
	std::vector<node_id> ssa_nodes;
	std::map<tree, object_id> variables;
	std::map<node_id, node_id> reaches;
	std::set<node_id> reach_nodes;
	std::set<node_id> numbers_passed;	/* arguments that have room for an address */
	std::vector<param> params;
	std::vector<leak> leaks;
	std::vector<use> uses;
	mutable std::map<gimple *, unsigned int> order;	/* made when it is first asked for */
	std::string not_here;		/* why no site of this function can stay */
};

#endif
