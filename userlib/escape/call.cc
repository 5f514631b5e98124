/* SPDX-License-Identifier: MIT */
/*
 * Calls.
 *
 * What a function does with its arguments is known of libc's (library.cc), of those whose
 * bodies are at hand and are what will run (summary.h), of those that the
 * attribute goheap_noescape is on, and of those that GCC knows to be const or pure.  Any
 * other keeps everything.
 */
#include "gcc.h"
#include "attributes.h"
#include "body.h"
#include "library.h"

void body::let_go(node_id what, const std::string &why, location_t where)
{
	leak l = { what, WHOLE, NOTHING, why, where };

	if (what == NOTHING)
		return;
	graph.copy(gone, what);
	leaks.push_back(l);
}

void body::store_through(node_id pointer, memory_part part, node_id what, const std::string &why,
			 location_t where)
{
	leak l = { what, part, pointer, why, where };

	if (what == NOTHING || pointer == NOTHING)
		return;
	graph.store(pointer, part, what);
	leaks.push_back(l);
}

/* All that can be reached from what a pointer points to, by way of memory. */
node_id body::reach_of(node_id pointer)
{
	node_id r;

	if (pointer == NOTHING)
		return NOTHING;
	if (reaches.find(pointer) != reaches.end())
		return reaches[pointer];
	r = reaches[pointer] = graph.new_node();
	reach_nodes.insert(r);
	for (int part = WHOLE; part <= BYTES; part++) {
		graph.load(r, pointer, (memory_part)part);
		graph.load(r, r, (memory_part)part);
	}
	return r;
}

/* What pieces of addresses in that memory lead to. */
node_id body::bytes_of(value v)
{
	node_id pointer = all_of(v), b;

	if (pointer == NOTHING)
		return NOTHING;
	b = graph.new_node();
	graph.copy(b, v.bytes);
	graph.load(b, pointer, BYTES);
	graph.load(b, reach_of(pointer), BYTES);
	graph.copy(b, reach_of(b));
	return b;
}

void body::result_is(gcall *stmt, value v)
{
	tree lhs = gimple_call_lhs(stmt);

	if (!lhs)
		return;
	if (TREE_CODE(lhs) == SSA_NAME)
		graph.copy(of_ssa(lhs), all_of(v));
	else
		store_to(lhs, v, gimple_location(stmt));
}

static unsigned HOST_WIDE_INT saturating_product(unsigned HOST_WIDE_INT a, unsigned HOST_WIDE_INT b)
{
	unsigned HOST_WIDE_INT p;

	return __builtin_mul_overflow(a, b, &p) ? HOST_WIDE_INT_M1U : p;
}

/* A member of a constant struct's initial value; 0 if it is not mentioned there. */
static tree member_of(tree init, const char *name)
{
	unsigned HOST_WIDE_INT i;
	tree field, value;

	FOR_EACH_CONSTRUCTOR_ELT(CONSTRUCTOR_ELTS(init), i, field, value)
		if (field && TREE_CODE(field) == FIELD_DECL && DECL_NAME(field) && id_equal(DECL_NAME(field), name)) {
			STRIP_NOPS(value);
			return value;
		}
	return integer_zero_node;
}

/* The initial value of the constant whose address this is, or NULL. */
static tree constant_initializer(tree address)
{
	tree decl;

	if (!address)
		return NULL_TREE;
	STRIP_NOPS(address);
	if (TREE_CODE(address) != ADDR_EXPR)
		return NULL_TREE;
	decl = TREE_OPERAND(address, 0);
	if (TREE_CODE(decl) == ARRAY_REF && integer_zerop(TREE_OPERAND(decl, 1)))
		decl = TREE_OPERAND(decl, 0);
	return VAR_P(decl) && TREE_READONLY(decl) ? ctor_for_folding(decl) : NULL_TREE;
}

/*
 * Would goheap_alloc_typed() take this struct goheap_type?  It fails with EINVAL if not, and
 * so must the program that was compiled.
 */
static bool valid_type(tree init, unsigned HOST_WIDE_INT *size)
{
	tree bytes, pointers, words, index, value;
	unsigned HOST_WIDE_INT i, count, limit = 2 << 20;

	if (!init || TREE_CODE(init) != CONSTRUCTOR)
		return false;
	bytes = member_of(init, "size");
	pointers = member_of(init, "pointers");
	if (!tree_fits_uhwi_p(bytes))
		return false;
	*size = tree_to_uhwi(bytes);
	if (!*size || *size > limit)
		return false;
	if (integer_zerop(pointers))
		return true;
	words = constant_initializer(pointers);
	if (*size % 8 || !words || TREE_CODE(words) != CONSTRUCTOR)
		return false;
	count = *size / 8;
	FOR_EACH_CONSTRUCTOR_ELT(CONSTRUCTOR_ELTS(words), i, index, value) {
		unsigned HOST_WIDE_INT bits, first;

		if (!index || !tree_fits_uhwi_p(index) || !tree_fits_uhwi_p(value))
			return false;
		bits = tree_to_uhwi(value);
		first = tree_to_uhwi(index) * 64;
		if (bits && (first >= count || (count - first < 64 && bits >> (count - first))))
			return false;
	}
	return true;
}

bool body::read_allocator(gcall *stmt)
{
	tree fndecl = gimple_call_fndecl(stmt);
	enum goheap_function which = library_allocator(fndecl);
	unsigned int nargs = which == GOHEAP_ALLOC_TYPED ? 2 : 1;
	site s = {};

	if (which == GOHEAP_NONE || gimple_call_num_args(stmt) != nargs ||
	    (gimple_call_lhs(stmt) && !POINTER_TYPE_P(TREE_TYPE(gimple_call_lhs(stmt)))))
		return false;

	tree last = gimple_call_arg(stmt, nargs - 1);

	s.call = stmt;
	s.name = library_name(fndecl);
	s.object = new_local();
	s.where = UNKNOWN_LOCATION;
	if (tree_fits_uhwi_p(last)) {
		s.size_known = true;
		s.size = tree_to_uhwi(last);
		if (which == GOHEAP_ALLOC_TYPED) {
			unsigned HOST_WIDE_INT one = 0;

			s.size_known = valid_type(constant_initializer(gimple_call_arg(stmt, 0)), &one);
			s.size = saturating_product(s.size, one);
			if (!s.size_known)
				s.why = "the type is not known here, or not valid";
		}
	} else {
		s.why = "the size is not a constant";
	}

	value v = scalar(graph.new_node());

	graph.address(v.whole, s.object);
	result_is(stmt, v);
	sites.push_back(s);
	return true;
}

/* A function that is an operation of GCC's own. */
bool body::read_internal(gcall *stmt)
{
	if (!gimple_call_internal_p(stmt))
		return false;
	switch (gimple_call_internal_fn(stmt)) {
	case IFN_ASAN_MARK:
	case IFN_ASAN_CHECK:
	case IFN_UBSAN_NULL:
	case IFN_UBSAN_BOUNDS:
	case IFN_UBSAN_PTR:
	case IFN_UBSAN_OBJECT_SIZE:
	case IFN_FALLTHROUGH:
	case IFN_DEFERRED_INIT:
		return true;
	default:
		break;
	}
	if (gimple_call_flags(stmt) & (ECF_CONST | ECF_PURE))
		read_pure(stmt);
	else
		read_unknown(stmt);
	return true;
}

void body::read_call(gcall *stmt)
{
	tree fndecl = gimple_call_fndecl(stmt);
	const char *flows = library_flows(fndecl);
	const summary *s;

	if (gimple_has_volatile_ops(stmt) && gimple_call_lhs(stmt) &&
	    TREE_CODE(gimple_call_lhs(stmt)) != SSA_NAME)
		let_go(all_of(address_of(gimple_call_lhs(stmt))), "accessed as volatile",
		       gimple_location(stmt));
	for (unsigned int i = 0; i < gimple_call_num_args(stmt); i++)
		note_use(gimple_call_arg(stmt, i), gimple_location(stmt));
	if (gimple_call_chain(stmt))
		let_go(all_of(value_of(gimple_call_chain(stmt))),
		       std::string("used by ") + library_name(fndecl) + ", a function inside",
		       gimple_location(stmt));

	if (read_internal(stmt) || read_allocator(stmt))
		return;
	/* __builtin_apply() may pass them to anybody. */
	if (fndecl && fndecl_built_in_p(fndecl, BUILT_IN_APPLY_ARGS))
		for (size_t k = 0; k < params.size(); k++) {
			node_id n = graph.new_node();

			graph.address(n, params[k].value);
			let_go(n, "passed on by __builtin_apply_args", gimple_location(stmt));
		}
	if (flows)
		read_library(stmt, flows);
	else if ((s = summary_of(fndecl, gimple_call_num_args(stmt))))
		read_summary(stmt, fndecl, *s);
	else if (attribute_noescape(stmt, 0))
		read_noescape(stmt);
	else if (gimple_call_flags(stmt) & (ECF_CONST | ECF_PURE))
		read_pure(stmt);
	else
		read_unknown(stmt);
}

/* The summary of the body that will run if this function is called; NULL if it is not known. */
const summary *body::summary_of(tree fndecl, unsigned int nargs)
{
	enum availability avail;
	struct cgraph_node *callee = fndecl ? cgraph_node::get(fndecl) : NULL;
	summary_map::const_iterator found;

	if (!callee)
		return NULL;
	callee = callee->ultimate_alias_target(&avail, node);
	asked_for.insert(DECL_UID(callee->decl));
	found = summaries.find(DECL_UID(callee->decl));
	/*
	 * noipa: "as if the body were not known".  Of a body that is only there to be inlined, there is
	 * another somewhere, and it may be that which is called (C11 6.7.4p7).
	 */
	if (avail <= AVAIL_INTERPOSABLE || found == summaries.end() ||
	    lookup_attribute("noipa", DECL_ATTRIBUTES(callee->decl)) ||
	    DECL_EXTERNAL(callee->decl) ||
	    found->second.widest.size() > nargs)
		return NULL;
	return &found->second;
}

void body::read_unknown(gcall *stmt)
{
	std::string name = gimple_call_internal_p(stmt) ?
			   internal_fn_name(gimple_call_internal_fn(stmt)) :
			   library_name(gimple_call_fndecl(stmt));

	for (unsigned int i = 0; i < gimple_call_num_args(stmt); i++)
		let_go(all_of(value_of(gimple_call_arg(stmt, i))), "passed to " + name,
		       gimple_location(stmt));
	result_is(stmt, heap_value());
}

/* A function without effects: at most, the result leads to where the arguments lead. */
void body::read_pure(gcall *stmt)
{
	value v = heap_value();

	for (unsigned int i = 0; i < gimple_call_num_args(stmt); i++) {
		value arg = value_of(gimple_call_arg(stmt, i));

		v = join(v, arg);
		v = join(v, scalar(reach_of(all_of(arg))));
	}
	v.whole = v.bytes = all_of(v);
	result_is(stmt, v);
}

/*
 * The attribute says that no copy of what is passed is left anywhere.  New pointers may be
 * where it leads to.
 */
void body::read_noescape(gcall *stmt)
{
	tree fndecl = gimple_call_fndecl(stmt);
	location_t where = gimple_location(stmt);

	for (unsigned int i = 0; i < gimple_call_num_args(stmt); i++) {
		node_id arg = all_of(value_of(gimple_call_arg(stmt, i)));

		if (!attribute_noescape(stmt, i + 1)) {
			let_go(arg, std::string("passed to ") + library_name(fndecl), where);
		} else if (arg != NOTHING) {
			graph.store(arg, BYTES, heap_pointer);
			graph.store(reach_of(arg), BYTES, heap_pointer);
		}
	}
	result_is(stmt, heap_value());
}

static char letter_of(const char *flows, unsigned int i)
{
	return i < strlen(flows) ? flows[i] : flows[strlen(flows) - 1];
}

/* Does a format of printf() have a conversion with p, or one of the program's own?  NULL may have any. */
static bool prints_pointers(const char *format)
{
	if (!format)
		return true;
	while ((format = strchr(format, '%'))) {
		format++;
		format += strspn(format, "-+ #0123456789.*'$I");
		format += strspn(format, "hlqLjzZt");
		if (!*format || !strchr("diouxXeEfFgGaAcsCSnm%", *format))
			return true;
		format++;
	}
	return false;
}

/* Text from which an address can be read again: what is printed with %p, and as a number. */
void body::read_printed(gcall *stmt)
{
	std::string name = library_name(gimple_call_fndecl(stmt));
	int at = library_format(gimple_call_fndecl(stmt));
	bool pointers;

	if (at < 0 || (unsigned int)at >= gimple_call_num_args(stmt))
		return;
	pointers = prints_pointers(c_getstr(gimple_call_arg(stmt, at)));
	for (unsigned int i = at + 1; i < gimple_call_num_args(stmt); i++) {
		tree arg = gimple_call_arg(stmt, i);

		if (pointers || !POINTER_TYPE_P(TREE_TYPE(arg)))
			let_go(all_of(value_of(arg)), "printed by " + name, gimple_location(stmt));
	}
}

/* Where NULL stands for attributes, a mutex is not one that the thread keeps a list of. */
static bool is_listed(gcall *stmt, const std::string &name)
{
	return name == "pthread_mutex_init" && !integer_zerop(gimple_call_arg(stmt, 1));
}

/* What is in the memory that a pointer leads to: pieces of pointers, and pointers. */
node_id body::behind(node_id pointer, bool whole)
{
	node_id n = graph.new_node();

	graph.load(n, pointer, BYTES);
	if (whole)
		graph.load(n, pointer, WHOLE);
	return n;
}

void body::read_library(gcall *stmt, const char *flows)
{
	tree fndecl = gimple_call_fndecl(stmt);
	std::string name = library_name(fndecl);
	location_t where = gimple_location(stmt);
	node_id from = graph.new_node();	/* the arguments with s */
	node_id bytes = graph.new_node();	/* what is in the memory behind them */
	value v = heap_value();

	read_printed(stmt);

	for (unsigned int i = 0; i < gimple_call_num_args(stmt); i++) {
		node_id arg = all_of(value_of(gimple_call_arg(stmt, i)));
		char letter = letter_of(flows, i);

		if (!strchr("stR", letter) || arg == NOTHING)
			continue;
		graph.load(bytes, arg, BYTES);
		if (letter == 't')
			continue;
		graph.copy(from, arg);
		graph.load(bytes, arg, WHOLE);
	}
	for (unsigned int i = 0; i < gimple_call_num_args(stmt); i++) {
		node_id arg = all_of(value_of(gimple_call_arg(stmt, i)));
		bool is_number = !POINTER_TYPE_P(TREE_TYPE(gimple_call_arg(stmt, i))) &&
				 !is_gimple_min_invariant(gimple_call_arg(stmt, i));
		char letter = letter_of(flows, i);

		if (arg == NOTHING && letter != 'f')
			continue;
		if (letter == 'k' || (i == 0 && is_listed(stmt, name)))
			let_go(arg, "passed to " + name, where);
		else if (is_number && letter != 'r' && library_format(fndecl) < 0)
			let_go(arg, "passed to " + name + " as a number", where);
		if (letter == 'f')
			read_callback(gimple_call_arg(stmt, i), from, name, where);
		if (strchr("op", letter))
			let_go(behind(arg, letter == 'o'), "written out by " + name, where);
		if (strchr("wWx", letter))
			graph.store(arg, BYTES, heap_pointer);
		if (strchr("dDx", letter))
			store_through(arg, BYTES, bytes, "stored by " + name, where);
		if (strchr("eE", letter))
			store_through(arg, WHOLE, from, "stored by " + name, where);
		if (strchr("rRDW", letter))
			v = join(v, scalar(arg));
		if (strchr("cE", letter))
			v = join(v, scalar(behind(arg, true)));
	}
	result_is(stmt, v);
}

/* A function is called with two pointers into what others point to, as qsort() does. */
void body::read_callback(tree address, node_id with, const std::string &by, location_t where)
{
	tree fndecl = TREE_CODE(address) == ADDR_EXPR ? TREE_OPERAND(address, 0) : NULL_TREE;
	const summary *s;

	if (!fndecl || TREE_CODE(fndecl) != FUNCTION_DECL)
		fndecl = NULL_TREE;
	s = summary_of(fndecl, 2);
	if (s) {
		std::vector<value> args(2, scalar(with));

		apply(*s, args, fndecl, where);
	} else {
		const char *flows = library_flows(fndecl);

		if (!flows || strcmp(flows, "-"))
			let_go(with, "passed to " + by + ", which passes it to " +
			       library_name(fndecl), where);
	}
}

void body::read_summary(gcall *stmt, tree fndecl, const summary &s)
{
	std::vector<value> args;

	for (unsigned int i = 0; i < gimple_call_num_args(stmt); i++) {
		value arg = value_of(gimple_call_arg(stmt, i));

		if (may_be_address(TREE_TYPE(gimple_call_arg(stmt, i))))
			numbers_passed.insert(all_of(arg));
		if (i < s.widest.size())
			args.push_back(arg);
		else
			let_go(all_of(arg), std::string("passed to ") + library_name(fndecl) +
			       " by way of ...", gimple_location(stmt));
	}
	result_is(stmt, apply(s, args, fndecl, gimple_location(stmt)));
}

/* A function's flows, from and to what it is called with.  Returns its result. */
value body::apply(const summary &s, const std::vector<value> &args, tree fndecl, location_t where)
{
	value v = scalar(NOTHING);
	std::string name = library_name(fndecl);

	for (std::set<flow>::const_iterator f = s.flows.begin(); f != s.flows.end(); f++) {
		node_id from = NOTHING, to = f->to_param >= 0 ? all_of(args[f->to_param]) : NOTHING;
		std::string why = "passed to " + name;

		switch (f->from) {
		case FROM_HEAP:
			from = heap_pointer;
			break;
		case FROM_NUMBER:
			from = number_pointer;
			break;
		case FROM_VALUE:
			from = all_of(args[f->from_param]);
			break;
		case FROM_REACH:
			from = reach_of(all_of(args[f->from_param]));
			break;
		case FROM_BYTES:
			from = bytes_of(args[f->from_param]);
			break;
		}
		/* What a constant leads to, or an address that is one. */
		if ((f->from == FROM_REACH || f->from == FROM_BYTES) && from == NOTHING)
			from = heap_pointer;
		if (f->to_param >= 0 && to == NOTHING) {
			let_go(from, "stored by " + name + " at an address that is a constant", where);
			continue;
		}
		switch (f->to) {
		case TO_HEAP:
			let_go(from, why + ", which lets its parameter " +
			       s.names[f->from_param] + " escape", where);
			break;
		case TO_RESULT:
			v = join(v, scalar(from));
			break;
		case TO_RESULT_BYTES: {
			value bytes = { NOTHING, from };

			v = join(v, bytes);
			break;
		}
		case TO_VALUE:
			store_through(to, WHOLE, from, "stored by " + name, where);
			break;
		case TO_VALUE_BYTES:
			store_through(to, BYTES, from, "stored by " + name, where);
			break;
		case TO_REACH:
			store_through(reach_of(to), WHOLE, from, "stored by " + name, where);
			break;
		case TO_REACH_BYTES:
			store_through(reach_of(to), BYTES, from, "stored by " + name, where);
			break;
		}
	}
	for (size_t k = 0; k < s.widest.size(); k++) {
		use u = { all_of(args[k]), s.widest[k], where };

		if (u.pointer == NOTHING)
			continue;
		uses.push_back(u);
		u.pointer = reach_of(u.pointer);
		u.size = s.widest_beyond[k];
		uses.push_back(u);
	}
	return v;
}

static void add_flows(std::set<flow> *flows, enum source_kind from, int k, enum sink_kind to, int j)
{
	flow f = { from, k, to, j };

	/* What is behind a parameter is there without anybody's doing. */
	if (k == j && ((from == FROM_REACH && (to == TO_VALUE || to == TO_REACH)) ||
		       (from == FROM_BYTES && (to == TO_VALUE_BYTES || to == TO_REACH_BYTES))))
		return;
	flows->insert(f);
}

/*
 * The sources that have flowed into a node, as flows to a sink; but for the bytes behind
 * one parameter, if the node is what they lead to.
 */
void body::flows_into(std::set<flow> *flows, node_id n, enum sink_kind to, int j,
		      int bytes_of_param) const
{
	std::vector<object_id> in = graph.of(n).list();

	for (size_t i = 0; i < in.size(); i++)
		if (to != TO_HEAP && (in[i] == heap || graph.is_local(in[i])))
			add_flows(flows, FROM_HEAP, -1, to, j);
	if (to != TO_HEAP && graph.of(n).has(number))
		add_flows(flows, FROM_NUMBER, -1, to, j);
	for (size_t k = 0; k < params.size(); k++) {
		if (graph.of(n).has(params[k].value))
			add_flows(flows, FROM_VALUE, k, to, j);
		if (graph.of(n).has(params[k].reach))
			add_flows(flows, FROM_REACH, k, to, j);
		if ((int)k != bytes_of_param && graph.of(n).has(params[k].bytes))
			add_flows(flows, FROM_BYTES, k, to, j);
	}
}

/*
 * What is behind a parameter is stored there again: at another place, or nearer.  The sets do not
 * show it, since that is what they begin with, so the stores themselves are asked.
 */
void body::flows_behind(std::set<flow> *flows, const leak &l) const
{
	const object_set &what = graph.of(l.what), &to = graph.of(l.through);

	for (size_t k = 0; k < params.size(); k++) {
		const object_id from[] = { params[k].reach, params[k].bytes };

		for (int i = 0; i < 2; i++) {
			flow f = { i ? FROM_BYTES : FROM_REACH, (int)k,
				   l.part == WHOLE ? TO_VALUE : TO_VALUE_BYTES, (int)k };

			if (!what.has(from[i]))
				continue;
			if (to.has(params[k].value) || (params[k].aggregate && to.has(params[k].bytes)))
				flows->insert(f);
			f.to = l.part == WHOLE ? TO_REACH : TO_REACH_BYTES;
			if (to.has(params[k].reach) || to.has(params[k].bytes))
				flows->insert(f);
		}
	}
}

/**
 * body::summarize() - what callers have to know
 * @s: flows are added to it
 */
void body::summarize(summary *s)
{
	solve();
	flows_into(&s->flows, gone, TO_HEAP, -1);
	flows_into(&s->flows, result, TO_RESULT, -1);
	flows_into(&s->flows, result_bytes, TO_RESULT_BYTES, -1);
	for (size_t j = 0; j < params.size(); j++) {
		const param &p = params[j];

		flows_into(&s->flows, graph.memory(p.value, WHOLE), TO_VALUE, j);
		flows_into(&s->flows, graph.memory(p.value, BYTES), TO_VALUE_BYTES, j);
		flows_into(&s->flows, graph.memory(p.reach, WHOLE), TO_REACH, j);
		flows_into(&s->flows, graph.memory(p.reach, BYTES), TO_REACH_BYTES, j);
		flows_into(&s->flows, graph.memory(p.bytes, WHOLE), TO_REACH, j, j);
		flows_into(&s->flows, graph.memory(p.bytes, BYTES), TO_REACH_BYTES, j, j);
		if (p.aggregate) {
			flows_into(&s->flows, graph.memory(p.bytes, WHOLE), TO_VALUE, j, j);
			flows_into(&s->flows, graph.memory(p.bytes, BYTES), TO_VALUE_BYTES, j, j);
		}
	}
	for (size_t i = 0; i < leaks.size(); i++)
		if (leaks[i].through != NOTHING)
			flows_behind(&s->flows, leaks[i]);
	for (size_t i = 0; i < uses.size(); i++)
		for (size_t k = 0; k < params.size(); k++) {
			const object_set &to = graph.of(uses[i].pointer);

			if (to.has(params[k].value))
				s->widest[k] = MAX(s->widest[k], uses[i].size);
			if (to.has(params[k].reach) || to.has(params[k].bytes))
				s->widest_beyond[k] = MAX(s->widest_beyond[k], uses[i].size);
		}
}
