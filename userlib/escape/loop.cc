/* SPDX-License-Identifier: MIT */
/*
 * Loops: does an object die before the same call allocates the next?
 *
 * On the stack there is one object where the heap has one for each time that the call is
 * made.  That makes no difference if, just before the call, nothing that may lead to the
 * last one is used any more: no register that may point to it, or to an object of
 * this frame from where it may be reached, and no variable that may hold such a
 * pointer.  An object that holds one, but that nothing leads to any more, does not matter: it is zeroed
 * before it is used again.
 *
 * Liveness is asked for one name at a time, backwards from its uses, for these few names:
 * only for objects that would stay otherwise, in loops.
 */
#include "gcc.h"
#include "body.h"

static bool in_cycle(basic_block bb)
{
	std::vector<basic_block> left(1, bb);
	std::set<basic_block> seen;

	while (!left.empty()) {
		basic_block at = left.back();
		edge e;
		edge_iterator ei;

		left.pop_back();
		FOR_EACH_EDGE(e, ei, at->succs) {
			if (e->dest == bb)
				return true;
			if (seen.insert(e->dest).second)
				left.push_back(e->dest);
		}
	}
	return false;
}

/**
 * body::runs_side_by_side() - is it in a loop that the program says may be made of vectors?
 * @s: a site
 *
 * With "#pragma omp simd" or "#pragma GCC ivdep", no iteration uses what another writes: true of
 * objects on the heap, but not of one that has the same place in all iterations.
 */
bool body::runs_side_by_side(const site &s) const
{
	for (class loop *l = gimple_bb(s.call)->loop_father; l && loop_depth(l); l = loop_outer(l))
		if (l->safelen > 1)
			return true;
	return false;
}

/* Whether one statement of a block comes before another. */
bool body::comes_before(gimple *a, gimple *b) const
{
	if (order.empty()) {
		unsigned int at = 0;
		basic_block bb;

		FOR_EACH_BB_FN(bb, fn)
			for (gimple_stmt_iterator i = gsi_start_bb(bb); !gsi_end_p(i); gsi_next(&i))
				order[gsi_stmt(i)] = at++;
	}
	return order.find(a)->second < order.find(b)->second;
}

/*
 * Where uses are, and where what is used is made anew, block by block.  The same
 * backward walk does for registers and variables.
 */
struct liveness {
	std::set<basic_block> used_first;	/* used there before it is made */
	std::set<basic_block> made;
	std::set<basic_block> used_at_end;	/* on an edge out of it */
	bool used_after, made_after;		/* after the statement, in its block, what comes first */
};

static bool live_before(gimple *stmt, const struct liveness &l)
{
	basic_block home = gimple_bb(stmt);
	std::vector<basic_block> left;
	std::set<basic_block> live_out;
	edge e;
	edge_iterator ei;

	if (l.used_after)
		return true;
	if (l.made_after)
		return false;
	/* Live at the end of its block? */
	for (std::set<basic_block>::const_iterator b = l.used_at_end.begin();
	     b != l.used_at_end.end(); b++)
		if (live_out.insert(*b).second)
			left.push_back(*b);
	for (std::set<basic_block>::const_iterator b = l.used_first.begin();
	     b != l.used_first.end(); b++)
		FOR_EACH_EDGE(e, ei, (*b)->preds)
			if (live_out.insert(e->src).second)
				left.push_back(e->src);
	while (!left.empty()) {
		basic_block b = left.back();

		left.pop_back();
		if (b == home)
			return true;
		if (l.made.count(b))
			continue;
		FOR_EACH_EDGE(e, ei, b->preds)
			if (live_out.insert(e->src).second)
				left.push_back(e->src);
	}
	return false;
}

bool body::name_live_before(tree name, gimple *stmt) const
{
	gimple *def = SSA_NAME_DEF_STMT(name), *use;
	basic_block home = gimple_bb(stmt), def_bb = gimple_bb(def);
	bool def_in_home = def_bb == home && gimple_code(def) != GIMPLE_PHI;
	struct liveness l = {};
	imm_use_iterator i;
	use_operand_p u;

	if (def_bb)
		l.made.insert(def_bb);
	/* The statement itself, or what comes after it, makes it anew. */
	l.made_after = def_in_home && (def == stmt || comes_before(stmt, def));
	FOR_EACH_IMM_USE_FAST(u, i, name) {
		use = USE_STMT(u);
		if (is_gimple_debug(use))
			continue;

		basic_block bb = gimple_bb(use);

		if (gimple_code(use) == GIMPLE_PHI) {
			l.used_at_end.insert(gimple_phi_arg_edge(as_a<gphi *>(use),
								 PHI_ARG_INDEX_FROM_USE(u))->src);
			continue;
		}
		/* A use in the block of the definition comes after it, if that is no PHI's. */
		if (bb != def_bb)
			l.used_first.insert(bb);
		if (bb == home && comes_before(stmt, use) &&
		    !(def_in_home && (def == stmt || comes_before(stmt, def))))
			l.used_after = true;
	}
	return live_before(stmt, l);
}

struct mention {
	tree decl;
	bool found;
};

static tree find_mention(tree *op, int *, void *data)
{
	struct walk_stmt_info *wi = (struct walk_stmt_info *)data;
	struct mention *m = (struct mention *)wi->info;

	if (*op == m->decl)
		m->found = true;
	return m->found ? *op : NULL_TREE;
}

static bool mentions(gimple *stmt, tree decl)
{
	struct mention m = { decl, false };
	struct walk_stmt_info wi;

	memset(&wi, 0, sizeof(wi));
	wi.info = &m;
	walk_gimple_op(stmt, find_mention, &wi);
	return m.found;
}

/* Does the statement make the variable anew, whatever was in it? */
static bool makes(gimple *stmt, tree decl)
{
	if (!gimple_assign_single_p(stmt) || gimple_assign_lhs(stmt) != decl ||
	    gimple_has_volatile_ops(stmt))
		return gimple_clobber_p(stmt) && gimple_assign_lhs(stmt) == decl;
	struct mention m = { decl, false };

	walk_tree_without_duplicates(gimple_assign_rhs1_ptr(stmt),
				     [](tree *op, int *, void *data) -> tree {
					     struct mention *mm = (struct mention *)data;

					     mm->found |= *op == mm->decl;
					     return NULL_TREE;
				     }, &m);
	return !m.found;
}

bool body::variable_live_before(tree decl, gimple *stmt) const
{
	struct liveness l = {};
	basic_block bb;

	FOR_EACH_BB_FN(bb, fn) {
		bool after = false, made = false;

		for (gimple_stmt_iterator i = gsi_start_bb(bb); !gsi_end_p(i); gsi_next(&i)) {
			gimple *at = gsi_stmt(i);

			if (at == stmt) {
				after = true;
				continue;
			}
			if (is_gimple_debug(at) || gimple_call_internal_p(at, IFN_ASAN_MARK))
				continue;
			if (makes(at, decl)) {
				if (after && !l.used_after)
					l.made_after = true;
				made = true;
			} else if (mentions(at, decl)) {
				if (!made)
					l.used_first.insert(bb);
				if (after && !l.made_after)
					l.used_after = true;
			}
		}
		if (made)
			l.made.insert(bb);
		for (gphi_iterator i = gsi_start_phis(bb); !gsi_end_p(i); gsi_next(&i))
			for (unsigned int k = 0; k < gimple_phi_num_args(i.phi()); k++) {
				struct mention m = { decl, false };
				tree arg = gimple_phi_arg_def(i.phi(), k);

				if (TREE_CODE(arg) == ADDR_EXPR)
					m.found = get_base_address(TREE_OPERAND(arg, 0)) == decl;
				if (m.found)
					l.used_at_end.insert(gimple_phi_arg_edge(i.phi(), k)->src);
			}
	}
	return live_before(stmt, l);
}

/**
 * body::dies_in_iteration() - can each time round the loop have the same memory?
 * @s: a site whose object is not let go
 * @what: set to what keeps it, for the report
 */
bool body::dies_in_iteration(const site &s, std::string *what) const
{
	object_set leads_to_it;
	bool grown = true;
	unsigned int version;
	tree name;

	if (!in_cycle(gimple_bb(s.call)))
		return true;

	leads_to_it.add(s.object);
	while (grown) {
		grown = false;
		for (object_id o = 0; o < graph.object_count(); o++)
			if (graph.is_local(o) &&
			    (graph.of(graph.memory(o, WHOLE)).meets(leads_to_it) ||
			     graph.of(graph.memory(o, BYTES)).meets(leads_to_it)))
				grown |= leads_to_it.add(o);
	}

	FOR_EACH_SSA_NAME(version, name, fn) {
		if (version >= ssa_nodes.size() || virtual_operand_p(name) ||
		    !graph.of(ssa_nodes[version]).meets(leads_to_it))
			continue;
		if (name_live_before(name, s.call)) {
			*what = SSA_NAME_VAR(name) ? name_of(SSA_NAME_VAR(name)) : "a value";
			return false;
		}
	}
	for (std::map<tree, object_id>::const_iterator v = variables.begin(); v != variables.end(); v++)
		if (leads_to_it.has(v->second) && variable_live_before(v->first, s.call)) {
			*what = name_of(v->first);
			return false;
		}
	return true;
}
