/* SPDX-License-Identifier: MIT */
/*
 * When, and in which order.
 *
 * Within a translation unit twice.  First after GCC's early optimizations, which are made at
 * all levels: functions are in SSA form then, the smallest have been inlined, and
 * those that nobody calls any more are gone.  All functions are there, so this is when
 * summaries are made.  Then again, one by one, after all that is inlined has been: the object
 * of a constructor is its caller's now.  Summaries hold still: what a function does is
 * not changed by optimization.
 *
 * With -flto the first is repeated at link time, when all bodies are there, before anything is
 * done to them.  The second is then made as the parts of the program are compiled,
 * without summaries.
 *
 * Summaries are made bottom up, those in a recursion again and again until none grows any
 * more: the first round is too optimistic.  Then once more with what is only true
 * when they are whole.  They are kept by DECL_UID(): a clone that GCC makes, which may have
 * other parameters, has another, and nothing is known of it.
 */
#include "gcc.h"
#include "body.h"
#include "library.h"
#include "options.h"
#include "pass.h"
#include "promote.h"
#include "report.h"

static bool calls_an_allocator()
{
	struct cgraph_node *node;

	FOR_EACH_FUNCTION(node)
		if (node->callers && library_allocator(node->decl))
			return true;
	return false;
}

/*
 * All functions whose body is here, callees first as far as there is an order; none if there is
 * nothing to do: at link time, to have a body is to read it.
 */
static std::vector<struct cgraph_node *> functions()
{
	std::vector<struct cgraph_node *> all;
	struct cgraph_node **order;
	int n;

	if (!calls_an_allocator())
		return all;
	order = XCNEWVEC(struct cgraph_node *, symtab->cgraph_count);
	n = ipa_reverse_postorder(order);

	for (int i = n - 1; i >= 0; i--)
		if (order[i]->has_gimple_body_p() && !order[i]->inlined_to && !order[i]->thunk) {
			if (in_lto_p)
				order[i]->get_untransformed_body();
			if (DECL_STRUCT_FUNCTION(order[i]->decl) &&
			    DECL_STRUCT_FUNCTION(order[i]->decl)->cfg)
				all.push_back(order[i]);
		}
	free(order);
	return all;
}

static summary_map summaries;
static std::set<unsigned int> recursive;	/* DECL_UID() of functions that may call themselves */

static std::set<unsigned int> reentered;	/* ... or may be called by what they call that is not here */
static std::set<unsigned int> below_deep;	/* ... or are called by such */

static bool calls_itself(struct cgraph_node *node)
{
	for (struct cgraph_edge *e = node->callees; e; e = e->next_callee)
		if (e->callee->ultimate_alias_target() == node)
			return true;
	return false;
}

static void find_recursion()
{
	struct cgraph_node **order = XCNEWVEC(struct cgraph_node *, symtab->cgraph_count);
	int n = ipa_reduced_postorder(order, true, NULL);

	for (int i = 0; i < n; i++) {
		vec<cgraph_node *> cycle = ipa_get_nodes_in_cycle(order[i]);
		struct cgraph_node *member;
		unsigned int k;

		FOR_EACH_VEC_ELT(cycle, k, member)
			if (cycle.length() > 1 || calls_itself(member))
				recursive.insert(DECL_UID(member->decl));
		cycle.release();
	}
	ipa_free_postorder_info();
	free(order);
}

/* Does a function that is not here return without calling one that is? */
static bool calls_nothing_back(tree fndecl)
{
	const char *flows = library_flows(fndecl);

	if (flows)
		return !strchr(flows, 'f');
	return library_allocator(fndecl) || flags_from_decl_or_type(fndecl) & ECF_LEAF;
}

/* Does it call what may call anything? */
static bool calls_unknown(struct cgraph_node *node)
{
	if (node->indirect_calls)
		return true;
	for (struct cgraph_edge *e = node->callees; e; e = e->next_callee) {
		enum availability avail;
		struct cgraph_node *callee = e->callee->ultimate_alias_target(&avail, node);

		if ((avail <= AVAIL_INTERPOSABLE || !callee->has_gimple_body_p()) &&
		    !calls_nothing_back(e->callee->decl))
			return true;
	}
	return false;
}

/* May it be called from outside?  main() is taken to be called once. */
static bool is_entry(struct cgraph_node *node)
{
	return !MAIN_NAME_P(DECL_NAME(node->decl)) &&
	       node->call_for_symbol_and_aliases([](struct cgraph_node *n, void *) {
		       return n->externally_visible || n->address_taken;
	       }, NULL, true);
}

typedef std::set<struct cgraph_node *> node_set;

/* Add all that is called from what is in the set. */
static void add_called(node_set *set)
{
	std::vector<struct cgraph_node *> left(set->begin(), set->end());

	while (!left.empty()) {
		struct cgraph_node *node = left.back();

		left.pop_back();
		for (struct cgraph_edge *e = node->callees; e; e = e->next_callee) {
			struct cgraph_node *callee = e->callee->ultimate_alias_target();

			if (set->insert(callee).second)
				left.push_back(callee);
		}
	}
}

/* Those that call what may call anything, also by way of others. */
static node_set find_unknown(const std::vector<struct cgraph_node *> &all)
{
	node_set unknown;
	bool grown = true;

	for (size_t i = 0; i < all.size(); i++)
		if (calls_unknown(all[i]))
			unknown.insert(all[i]);
	/* Callees come first, so that once is mostly enough. */
	while (grown) {
		grown = false;
		for (size_t i = 0; i < all.size(); i++)
			for (struct cgraph_edge *e = all[i]->callees; e && !unknown.count(all[i]);
			     e = e->next_callee)
				if (unknown.count(e->callee->ultimate_alias_target()))
					grown |= unknown.insert(all[i]).second;
	}
	return unknown;
}

/*
 * What can be called from outside, or through a pointer, and calls outside or through a pointer,
 * may be called again by what it calls; and so may all between the two.  Then, which functions
 * may become a part of such a one, or of one that is recursive, by inlining.
 */
static void find_reentry(const std::vector<struct cgraph_node *> &all)
{
	node_set unknown = find_unknown(all), called, deep;

	for (size_t i = 0; i < all.size(); i++)
		if (is_entry(all[i]))
			called.insert(all[i]);
	add_called(&called);
	for (size_t i = 0; i < all.size(); i++) {
		unsigned int uid = DECL_UID(all[i]->decl);

		if (unknown.count(all[i]) && called.count(all[i]))
			reentered.insert(uid);
		if (reentered.count(uid) || recursive.count(uid))
			deep.insert(all[i]);
	}
	add_called(&deep);
	for (node_set::const_iterator n = deep.begin(); n != deep.end(); n++)
		below_deep.insert(DECL_UID((*n)->decl));
}

static bool always_inlined(tree fndecl)
{
	return lookup_attribute("always_inline", DECL_ATTRIBUTES(fndecl));
}

/* How often a frame of the function may be there at a time. */
static enum depth depth_of(struct cgraph_node *node)
{
	/* A part that was split off, or a clone, is as recursive as the whole. */
	unsigned int uid = DECL_UID(DECL_ORIGIN(node->decl));

	/* Where a part of a program is compiled at link time, nobody knows. */
	if (flag_ltrans || recursive.count(uid) || (below_deep.count(uid) && always_inlined(node->decl)))
		return DEPTH_RECURSIVE;
	return reentered.count(uid) ? DEPTH_UNKNOWN : DEPTH_ONE;
}

static std::string param_name(tree p, size_t k)
{
	char number[32];

	snprintf(number, sizeof(number), "%u", (unsigned int)k + 1);
	return DECL_NAME(p) ? IDENTIFIER_POINTER(DECL_NAME(p)) : number;
}

static bool grew(const summary &s, const summary &before)
{
	return s.flows.size() != before.flows.size() || s.widest != before.widest ||
	       s.widest_beyond != before.widest_beyond;
}

/*
 * Callees come first, so that mostly once is enough for each; whoever has asked for a
 * summary that has grown since is asked again himself.
 */
static void grow_summaries(const std::vector<struct cgraph_node *> &all, bool final)
{
	std::map<unsigned int, std::set<size_t> > asked_by;
	std::set<size_t> left;

	for (size_t i = 0; i < all.size(); i++)
		left.insert(i);
	while (!left.empty()) {
		size_t i = *left.begin();
		unsigned int uid = DECL_UID(all[i]->decl);
		summary *s = &summaries[uid], before = *s;

		left.erase(left.begin());
		push_cfun(DECL_STRUCT_FUNCTION(all[i]->decl));
		body b(all[i], summaries, final);
		b.summarize(s);
		pop_cfun();
		for (unsigned int callee : b.asked_for)
			asked_by[callee].insert(i);
		if (grew(*s, before))
			left.insert(asked_by[uid].begin(), asked_by[uid].end());
	}
}

static void solve_summaries(const std::vector<struct cgraph_node *> &all)
{
	for (size_t i = 0; i < all.size(); i++) {
		summary *s = &summaries[DECL_UID(all[i]->decl)];

		for (tree p = DECL_ARGUMENTS(all[i]->decl); p; p = DECL_CHAIN(p))
			s->names.push_back(param_name(p, s->names.size()));
		s->widest.resize(s->names.size());
		s->widest_beyond.resize(s->names.size());
	}
	grow_summaries(all, false);
	grow_summaries(all, true);
}

static bool has_site(struct function *fn)
{
	basic_block bb;

	FOR_EACH_BB_FN(bb, fn)
		for (gimple_stmt_iterator i = gsi_start_bb(bb); !gsi_end_p(i); gsi_next(&i))
			if (is_gimple_call(gsi_stmt(i)) &&
			    library_allocator(gimple_call_fndecl(gsi_stmt(i))))
				return true;
	return false;
}

/* Will the function be looked at again, when more has been inlined into it? */
static bool comes_again(struct function *fn)
{
	return opt_for_fn(fn->decl, optimize) && !opt_for_fn(fn->decl, optimize_debug) &&
	       !flag_generate_lto && !in_lto_p;
}

/* Judge and promote in the current function.  Returns whether it was changed. */
static bool judge_function(struct cgraph_node *node, bool last)
{
	bool changed = false;
	body b(node, summaries, true);

	b.judge(depth_of(node));
	for (size_t i = 0; i < b.sites.size(); i++) {
		const site &s = b.sites[i];

		if (last || s.stays)
			report_site(node, s);
		if (!s.stays || options.off)
			continue;
		promote(node, s.call, s.size);
		changed = true;
	}
	if (changed)
		promote_forget();
	return changed;
}

static void judge_all()
{
	std::vector<struct cgraph_node *> all = functions();
	bool any = false;

	for (size_t i = 0; i < all.size(); i++)
		any |= has_site(DECL_STRUCT_FUNCTION(all[i]->decl));
	if (!any)
		return;

	find_recursion();
	find_reentry(all);
	solve_summaries(all);
	for (size_t i = 0; i < all.size(); i++) {
		struct function *fn = DECL_STRUCT_FUNCTION(all[i]->decl);

		/* To change nothing means that it will all be there the second time. */
		if (options.off && comes_again(fn))
			continue;
		push_cfun(fn);
		if (judge_function(all[i], !comes_again(fn))) {
			/* Its frame is there once, but what it is inlined into may be there often. */
			if (below_deep.count(DECL_UID(all[i]->decl)) &&
			    !always_inlined(all[i]->decl) &&
			    promoted_bytes(fn) > options.max_recursive_frame)
				DECL_UNINLINABLE(all[i]->decl) = 1;
			update_ssa(TODO_update_ssa_only_virtuals);
			/* That made some, and nobody keeps them up to date between passes. */
			free_dominance_info(cfun, CDI_DOMINATORS);
			free_dominance_info(cfun, CDI_POST_DOMINATORS);
		}
		pop_cfun();
	}
}

static const struct pass_data unit_data = {
	SIMPLE_IPA_PASS, "goheap_escape", OPTGROUP_NONE, TV_NONE, PROP_ssa | PROP_cfg, 0, 0, 0, 0
};

class unit_pass : public simple_ipa_opt_pass
{
public:
	unit_pass(gcc::context *c) : simple_ipa_opt_pass(unit_data, c) {}
	bool gate(function *) override { return !seen_error() && !in_lto_p; }
	unsigned int execute(function *) override { judge_all(); return 0; }
};

static const struct pass_data link_data = {
	IPA_PASS, "goheap_escape_link", OPTGROUP_NONE, TV_NONE, 0, 0, 0, 0, 0
};

class link_pass : public ipa_opt_pass_d
{
public:
	link_pass(gcc::context *c)
		: ipa_opt_pass_d(link_data, c, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL) {}
	bool gate(function *) override { return !seen_error() && in_lto_p && !flag_ltrans; }
	unsigned int execute(function *) override { judge_all(); return 0; }
};

static const struct pass_data inlined_data = {
	GIMPLE_PASS, "goheap_escape_inlined", OPTGROUP_NONE, TV_NONE, PROP_ssa | PROP_cfg, 0, 0, 0, 0
};

class inlined_pass : public gimple_opt_pass
{
public:
	inlined_pass(gcc::context *c) : gimple_opt_pass(inlined_data, c) {}
	bool gate(function *) override { return !seen_error(); }
	unsigned int execute(function *fn) override
	{
		return has_site(fn) && judge_function(cgraph_node::get(fn->decl), comes_again(fn)) ?
		       TODO_update_ssa_only_virtuals : 0;
	}
};

/**
 * pass_register() - have GCC call us
 * @plugin: the name it knows the plugin by
 */
void pass_register(const char *plugin)
{
	struct register_pass_info unit = {
		new unit_pass(g), "remove_symbols", 1, PASS_POS_INSERT_AFTER
	};
	struct register_pass_info link = {
		new link_pass(g), "whole-program", 1, PASS_POS_INSERT_BEFORE
	};

	/* Before memory is looked into for values, and variables are taken apart. */
	struct register_pass_info inlined = {
		new inlined_pass(g), "phiprop", 1, PASS_POS_INSERT_AFTER
	};

	register_callback(plugin, PLUGIN_PASS_MANAGER_SETUP, NULL, &unit);
	register_callback(plugin, PLUGIN_PASS_MANAGER_SETUP, NULL, &inlined);
	register_callback(plugin, PLUGIN_PASS_MANAGER_SETUP, NULL, &link);
}
