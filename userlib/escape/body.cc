/* SPDX-License-Identifier: MIT */
/*
 * Statements.
 *
 * The function is in SSA form, before or after optimization.  Everything that computes
 * is taken for a copy of its operands: an address may be split, tagged, shifted or
 * xor-ed, and is an address still.
 */
#include "gcc.h"
#include "body.h"
#include "library.h"

body::body(struct cgraph_node *n, const summary_map &s, bool f)
	: node(n), fn(DECL_STRUCT_FUNCTION(n->decl)), summaries(s), final(f)
{
	basic_block bb;

	null = graph.new_nowhere();
	null_pointer = graph.new_node();
	graph.address(null_pointer, null);
	number = graph.new_nowhere();
	number_pointer = graph.new_node();
	graph.address(number_pointer, number);
	no_memory.add(null);
	no_memory.add(number);
	heap = graph.new_object(false);
	graph.address(graph.memory(heap, WHOLE), heap);
	graph.address(graph.memory(heap, BYTES), heap);
	gone = graph.new_node();
	heap_pointer = graph.new_node();
	graph.address(heap_pointer, heap);
	graph.address(gone, heap);
	result = graph.new_node();
	result_bytes = graph.new_node();

	read_params();
	FOR_EACH_BB_FN(bb, fn)
		read_block(bb);
	why_not_here();
	graph.copy_locals(gone, result);
	graph.copy_locals(gone, result_bytes);
}

void body::solve()
{
	/* Who has one object has what it points to, and may let it point to any other. */
	graph.absorb(gone);
	do
		graph.solve();
	while (final && (number_what_nobody_knows() || let_go_what_nobody_holds()));
}

/*
 * An address may be a constant, or computed from what nobody has looked at, and no set has it.
 * It is a number first, then: of one that is stored that is noted, and a pointer that is made of one
 * leads to the heap.
 */
bool body::number_what_nobody_knows()
{
	bool any = false;

	for (size_t i = 0; i < numbers_stored.size(); i++)
		if (graph.of(numbers_stored[i]).empty()) {
			graph.address(numbers_stored[i], number);
			any = true;
		}
	/* What is reached from an argument that is nothing but such a number. */
	for (std::map<node_id, node_id>::const_iterator r = reaches.begin(); r != reaches.end(); r++) {
		const object_set &from = graph.of(r->first);

		if (numbers_passed.count(r->first) && from.has(number) && from.within(no_memory) &&
		    !graph.of(r->second).has(heap)) {
			graph.copy(r->second, heap_pointer);
			any = true;
		}
	}
	for (size_t i = 0; i < made_pointers.size(); i++)
		if (graph.of(made_pointers[i]).within(no_memory)) {
			graph.copy(made_pointers[i], heap_pointer);
			any = true;
		}
	return any;
}

/*
 * A store through a pointer that points to nothing is not one through NULL: the address comes
 * from where nobody has looked.  What a callee may reach from an argument, though, may well be
 * nothing.
 */
bool body::let_go_what_nobody_holds()
{
	bool any = false;

	for (size_t i = 0; i < leaks.size(); i++) {
		node_id through = leaks[i].through;

		if (through == NOTHING)
			continue;

		const object_set &to = graph.of(through);

		if (to.has(number) ? to.within(no_memory) : to.empty() && !reach_nodes.count(through)) {
			graph.copy(through, heap_pointer);
			any = true;
		}
	}
	return any;
}

/* What is behind a parameter is not ours, but callers may know whose. */
void body::read_params()
{
	int k = 0;

	for (tree p = DECL_ARGUMENTS(node->decl); p; p = DECL_CHAIN(p), k++) {
		param of;
		tree name = ssa_default_def(fn, p);

		of.value = graph.new_object(false);
		of.reach = graph.new_object(false);
		of.bytes = graph.new_object(false);
		of.aggregate = AGGREGATE_TYPE_P(TREE_TYPE(p));
		params.push_back(of);

		const object_id each[] = { of.value, of.reach, of.bytes };

		for (int i = 0; i < 3; i++) {
			/* Where there are no pieces, nothing is reached by way of them. */
			graph.address(graph.memory(each[i], WHOLE), i < 2 ? of.reach : of.bytes);
			graph.address(graph.memory(each[i], BYTES), of.bytes);
			graph.copy_locals(gone, graph.memory(each[i], WHOLE));
			graph.copy_locals(gone, graph.memory(each[i], BYTES));
		}
		if (name) {
			unsigned int version = SSA_NAME_VERSION(name);

			if (ssa_nodes.size() <= version)
				ssa_nodes.resize(version + 1, NOTHING);
			ssa_nodes[version] = graph.new_node();
			graph.address(ssa_nodes[version], of.value);
		} else {
			object_id o = of_variable(p);

			graph.address(graph.memory(o, WHOLE), of.value);
			graph.address(graph.memory(o, BYTES), of.bytes);
			/* It may be read as a number, or be one. */
			if (!of.aggregate)
				graph.address(graph.memory(o, BYTES), of.value);
		}
	}
}

void body::read_block(basic_block bb)
{
	for (gphi_iterator i = gsi_start_phis(bb); !gsi_end_p(i); gsi_next(&i)) {
		gphi *phi = i.phi();

		if (virtual_operand_p(gimple_phi_result(phi)))
			continue;
		for (unsigned int k = 0; k < gimple_phi_num_args(phi); k++)
			graph.copy(of_ssa(gimple_phi_result(phi)),
				   all_of(value_of(gimple_phi_arg_def(phi, k))));
	}
	for (gimple_stmt_iterator i = gsi_start_bb(bb); !gsi_end_p(i); gsi_next(&i)) {
		gimple *stmt = gsi_stmt(i);

		switch (gimple_code(stmt)) {
		case GIMPLE_ASSIGN:
			read_assign(as_a<gassign *>(stmt));
			break;
		case GIMPLE_CALL:
			read_call(as_a<gcall *>(stmt));
			break;
		case GIMPLE_RETURN:
			read_return(as_a<greturn *>(stmt));
			break;
		case GIMPLE_ASM:
			read_asm(as_a<gasm *>(stmt));
			break;
		case GIMPLE_GOTO:
			if (TREE_CODE(gimple_goto_dest(stmt)) != LABEL_DECL)
				not_here = "a computed goto";
			break;
		case GIMPLE_COND:
		case GIMPLE_SWITCH:
		case GIMPLE_LABEL:
		case GIMPLE_NOP:
		case GIMPLE_PREDICT:
		case GIMPLE_DEBUG:
			break;
		default:
			/* Exceptions, transactions: nothing is known of them. */
			not_here = "a statement of an unusual kind";
			for (unsigned int k = 0; k < gimple_num_ops(stmt); k++)
				let_go(all_of(value_of(gimple_op(stmt, k))),
				       "used by a statement of an unusual kind",
				       gimple_location(stmt));
			break;
		}
	}
}

/* Does the result of a comparison, or of a difference, tell where an object is? */
static bool tells_nothing(gassign *stmt)
{
	enum tree_code code = gimple_assign_rhs_code(stmt);
	tree a = gimple_assign_rhs1(stmt), b = gimple_assign_rhs2(stmt);

	/* Within one object (C11 6.5.6p9), so it is the same wherever that is. */
	if (code == POINTER_DIFF_EXPR)
		return TREE_CODE(a) != INTEGER_CST && TREE_CODE(b) != INTEGER_CST;
	/* With 0, mostly: whether there is one.  But a number's bits may be had one by one. */
	return TREE_CODE_CLASS(code) == tcc_comparison && POINTER_TYPE_P(TREE_TYPE(a)) &&
	       (TREE_CODE(a) == INTEGER_CST || TREE_CODE(b) == INTEGER_CST);
}

/** may_be_address() - is it a type of numbers that have room for an address? */
bool may_be_address(tree type)
{
	return INTEGRAL_TYPE_P(type) && TYPE_PRECISION(type) >= TYPE_PRECISION(ptr_type_node);
}

static bool stores_number(gassign *stmt)
{
	tree from = gimple_assign_rhs1(stmt);

	return may_be_address(TREE_TYPE(gimple_assign_lhs(stmt))) &&
	       !(gimple_assign_single_p(stmt) && integer_zerop(from));
}

void body::read_assign(gassign *stmt)
{
	tree lhs = gimple_assign_lhs(stmt);
	location_t where = gimple_location(stmt);
	value v = scalar(NOTHING);

	if (gimple_clobber_p(stmt))
		return;
	if (gimple_has_volatile_ops(stmt))
		read_volatile(stmt);
	for (unsigned int i = 0; i < gimple_num_ops(stmt); i++)
		note_use(gimple_op(stmt, i), where);
	if (gimple_assign_rhs_class(stmt) == GIMPLE_BINARY_RHS && tells_nothing(stmt))
		return;
	/*
	 * The condition of ?: is not the value; and a pointer to which something is added
	 * stays in its object (C11 6.5.6p8; GCC's own alias analysis relies on it), so
	 * an index that comes from elsewhere does not lead there.  Unless the pointer is a
	 * constant, and the sum has been turned around.
	 */
	unsigned int first = gimple_assign_rhs_code(stmt) == COND_EXPR ? 2 : 1;
	unsigned int end = gimple_assign_rhs_code(stmt) == POINTER_PLUS_EXPR &&
			   TREE_CODE(gimple_assign_rhs1(stmt)) != INTEGER_CST ?
			   2 : gimple_num_ops(stmt);

	for (unsigned int i = first; i < end; i++)
		v = join(v, value_of(gimple_op(stmt, i)));
	if (TREE_CODE(lhs) != SSA_NAME) {
		if (stores_number(stmt)) {
			numbers_stored.push_back(graph.new_node());
			graph.copy(numbers_stored.back(), all_of(v));
			v = scalar(numbers_stored.back());
		}
		store_to(lhs, v, where);
		return;
	}
	graph.copy(of_ssa(lhs), all_of(v));
	if (CONVERT_EXPR_CODE_P(gimple_assign_rhs_code(stmt)) && POINTER_TYPE_P(TREE_TYPE(lhs)) &&
	    !POINTER_TYPE_P(TREE_TYPE(gimple_assign_rhs1(stmt))))
		made_pointers.push_back(of_ssa(lhs));
}

/*
 * What is volatile is looked at by somebody else, or is to be in memory for other
 * reasons of the program's: it stays where the program has put it.
 */
void body::read_volatile(gimple *stmt)
{
	for (unsigned int i = 0; i < gimple_num_ops(stmt); i++) {
		tree op = gimple_op(stmt, i);

		if (!op || is_gimple_min_invariant(op))
			continue;
		if (TREE_CODE(op) != SSA_NAME)
			let_go(all_of(address_of(op)), "accessed as volatile", gimple_location(stmt));
		if (i)
			let_go(all_of(value_of(op)), "stored in a volatile variable",
			       gimple_location(stmt));
	}
}

void body::read_return(greturn *stmt)
{
	tree op = gimple_return_retval(stmt);
	value v = value_of(op);
	leak l = { NOTHING, WHOLE, NOTHING, "returned", gimple_location(stmt) };

	if (!op)
		return;
	graph.copy(result, v.whole);
	graph.copy(result_bytes, v.bytes);
	l.what = all_of(v);
	if (l.what != NOTHING)
		leaks.push_back(l);
}

void body::read_asm(gasm *stmt)
{
	location_t where = gimple_location(stmt);

	for (unsigned int i = 0; i < gimple_asm_ninputs(stmt); i++) {
		tree op = TREE_VALUE(gimple_asm_input_op(stmt, i));

		let_go(all_of(value_of(op)), "used in asm", where);
		if (TREE_CODE(op) != SSA_NAME && !is_gimple_min_invariant(op))
			let_go(all_of(address_of(op)), "used in asm", where);
	}
	for (unsigned int i = 0; i < gimple_asm_noutputs(stmt); i++) {
		tree op = TREE_VALUE(gimple_asm_output_op(stmt, i));

		if (TREE_CODE(op) == SSA_NAME) {
			graph.copy(of_ssa(op), heap_pointer);
			continue;
		}
		let_go(all_of(address_of(op)), "used in asm", where);
		store_to(op, heap_value(), where);
	}
}

/* What makes a frame a bad place for any object. */
void body::why_not_here()
{
	if (fn->calls_setjmp)
		not_here = "a call of setjmp, or of another function that returns twice";
	else if (fn->calls_alloca)
		not_here = "alloca, or an array of variable length";
	else if (fn->has_nonlocal_label)
		not_here = "a label that another function jumps to";
	else if (fn->static_chain_decl)
		not_here = "another function around it";
	else if (fn->eh && fn->eh->region_tree)
		not_here = "exception handlers";
	else if (lookup_attribute("naked", DECL_ATTRIBUTES(node->decl)))
		not_here = "the attribute naked";
}
