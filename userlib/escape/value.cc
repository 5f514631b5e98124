/* SPDX-License-Identifier: MIT */
/*
 * Operands: what a value may point to, where memory lies.
 *
 * A register has one node, whatever its type is: of an address that was cast to int,
 * or a sum with it, nothing is lost.  Memory has two, see points_to.h; which of them a
 * load or a store means, its type says.
 */
#include "gcc.h"
#include "body.h"

/* As what memory is read or written. */
enum width {
	POINTER,
	NUMBER,		/* only what was stored as a number, or as bytes */
	RAW,		/* bytes, or whatever else is allowed to look at everything */
	AGGREGATE,	/* a struct, union or array */
};

/* May the access alias everything?  So says the language of bytes, unions and attributes. */
static bool aliases_all(tree ref)
{
	/* -fno-strict-aliasing allows it everywhere; what -O0 and -O1 set is not meant so. */
	if (!flag_strict_aliasing && (OPTION_SET_P(flag_strict_aliasing) || optimize >= 2))
		return true;
	if (lookup_attribute("may_alias", TYPE_ATTRIBUTES(TREE_TYPE(ref))))
		return true;
	for (; handled_component_p(ref); ref = TREE_OPERAND(ref, 0)) {
		tree outer = TREE_TYPE(TREE_OPERAND(ref, 0));

		if (TREE_CODE(ref) == BIT_FIELD_REF || TREE_CODE(ref) == VIEW_CONVERT_EXPR ||
		    TREE_CODE(outer) == UNION_TYPE || TREE_CODE(outer) == QUAL_UNION_TYPE)
			return true;
	}
	if (TREE_CODE(ref) != MEM_REF && TREE_CODE(ref) != TARGET_MEM_REF)
		return false;

	tree alias = TREE_TYPE(TREE_OPERAND(ref, 1));

	/* Where they differ, GCC reads a part of a struct as what it needs it as. */
	return TYPE_REF_CAN_ALIAS_ALL(alias) ||
	       TYPE_MAIN_VARIANT(TREE_TYPE(alias)) != TYPE_MAIN_VARIANT(TREE_TYPE(ref));
}

/*
 * A variable that is used as something else than it was declared as.  That is no
 * more allowed than elsewhere, but common, and seen easily.
 */
static bool is_pun(tree ref)
{
	tree base = get_base_address(ref);

	return base && DECL_P(base) && POINTER_TYPE_P(TREE_TYPE(base)) &&
	       !POINTER_TYPE_P(TREE_TYPE(ref));
}

static enum width width_of(tree ref)
{
	tree type = TREE_TYPE(ref);
	bool byte = INTEGRAL_TYPE_P(type) && TYPE_PRECISION(type) <= BITS_PER_UNIT &&
		    TYPE_PRECISION(type) > 1;

	if (byte || aliases_all(ref) || is_pun(ref))
		return RAW;
	if (AGGREGATE_TYPE_P(type))
		return AGGREGATE;
	if (POINTER_TYPE_P(type))
		return POINTER;
	return INTEGRAL_TYPE_P(type) || SCALAR_FLOAT_TYPE_P(type) ? NUMBER : RAW;
}

bool body::is_ours(tree decl) const
{
	return DECL_P(decl) && TREE_CODE(decl) != LABEL_DECL &&
	       auto_var_in_fn_p(decl, fn->decl) && !(VAR_P(decl) && DECL_HARD_REGISTER(decl));
}

value body::scalar(node_id n) const
{
	value v = { n, NOTHING };

	return v;
}

value body::join(value a, value b)
{
	value v = a;

	if (v.whole == NOTHING) {
		v.whole = b.whole;
	} else if (b.whole != NOTHING && b.whole != v.whole) {
		v.whole = graph.new_node();
		graph.copy(v.whole, a.whole);
		graph.copy(v.whole, b.whole);
	}
	if (v.bytes == NOTHING) {
		v.bytes = b.bytes;
	} else if (b.bytes != NOTHING && b.bytes != v.bytes) {
		v.bytes = graph.new_node();
		graph.copy(v.bytes, a.bytes);
		graph.copy(v.bytes, b.bytes);
	}
	return v;
}

/* All that a value can lead to, as what a register would have. */
node_id body::all_of(value v)
{
	return join(scalar(v.whole), scalar(v.bytes)).whole;
}

node_id body::of_ssa(tree name)
{
	unsigned int version = SSA_NAME_VERSION(name);

	if (ssa_nodes.size() <= version)
		ssa_nodes.resize(version + 1, NOTHING);
	if (ssa_nodes[version] == NOTHING) {
		ssa_nodes[version] = graph.new_node();
		/*
		 * Parameters have been read before.  What else is there from the beginning is
		 * either not initialized, or handed over behind the program's back: the frame
		 * of an enclosing function, where a result goes.
		 */
		if (SSA_NAME_IS_DEFAULT_DEF(name) &&
		    !(SSA_NAME_VAR(name) && VAR_P(SSA_NAME_VAR(name)) &&
		      SSA_NAME_VAR(name) != fn->static_chain_decl))
			graph.address(ssa_nodes[version], heap);
	}
	return ssa_nodes[version];
}

/* An object of this frame; there is at least NULL where nothing was stored. */
object_id body::new_local()
{
	object_id o = graph.new_object(true);

	graph.address(graph.memory(o, WHOLE), null);
	return o;
}

object_id body::of_variable(tree decl)
{
	std::map<tree, object_id>::const_iterator found = variables.find(decl);
	object_id o;

	if (found != variables.end())
		return found->second;
	o = variables[decl] = new_local();
	if (TREE_CODE(decl) == RESULT_DECL) {
		graph.copy(result, graph.memory(o, WHOLE));
		graph.copy(result_bytes, graph.memory(o, BYTES));
	}
	return o;
}

/* The base of a memory operand: an object, or a pointer, or a register that a part is taken of. */
struct body::place body::place_of(tree ref)
{
	tree base = get_base_address(ref);
	place p = { place::CONSTANT, NOTHING, 0, NULL_TREE };

	if (!base)
		base = TREE_OPERAND(ref, 0);
	if (TREE_CODE(base) == SSA_NAME) {
		p.kind = place::REGISTER;
		p.node = of_ssa(base);
	} else if (TREE_CODE(base) == MEM_REF) {
		p.kind = place::POINTER;
		p.node = all_of(value_of(TREE_OPERAND(base, 0)));
	} else if (TREE_CODE(base) == TARGET_MEM_REF) {
		p.kind = place::POINTER;
		p.node = all_of(join(value_of(TMR_BASE(base)),
				     join(value_of(TMR_INDEX(base)), value_of(TMR_INDEX2(base)))));
	} else if (VAR_P(base) || TREE_CODE(base) == PARM_DECL || TREE_CODE(base) == RESULT_DECL) {
		p.decl = base;
		p.kind = is_ours(base) ? place::VARIABLE : place::GLOBAL;
		if (p.kind == place::VARIABLE)
			p.object = of_variable(base);
	} else if (!CONSTANT_CLASS_P(base) && TREE_CODE(base) != CONSTRUCTOR &&
		   TREE_CODE(base) != CONST_DECL && TREE_CODE(base) != FUNCTION_DECL &&
		   TREE_CODE(base) != LABEL_DECL) {
		p.kind = place::GLOBAL;
	}
	return p;
}

/* The type that memory behind a pointer is used as must not be larger than what is there. */
void body::note_use(tree ref, location_t where)
{
	tree base, types[2];
	use u = { NOTHING, 0, where };

	if (!ref)
		return;
	if (TREE_CODE(ref) == ADDR_EXPR)
		ref = TREE_OPERAND(ref, 0);
	base = get_base_address(ref);
	if (!base || (TREE_CODE(base) != MEM_REF && TREE_CODE(base) != TARGET_MEM_REF))
		return;
	types[0] = TREE_TYPE(base);
	types[1] = TREE_TYPE(TREE_TYPE(TREE_OPERAND(base, 1)));
	for (int i = 0; i < 2; i++)
		if (COMPLETE_TYPE_P(types[i]) && TREE_CODE(types[i]) != FUNCTION_TYPE &&
		    tree_fits_shwi_p(TYPE_SIZE_UNIT(types[i])))
			u.size = MAX(u.size, tree_to_shwi(TYPE_SIZE_UNIT(types[i])));
	u.pointer = place_of(ref).node;
	if (u.pointer != NOTHING && u.size > 1)
		uses.push_back(u);
}

value body::address_of(tree ref)
{
	place p = place_of(ref);
	value v = scalar(NOTHING);

	if (p.kind == place::POINTER) {
		v.whole = p.node;
	} else if (p.kind == place::GLOBAL) {
		v.whole = heap_pointer;
	} else if (p.kind == place::VARIABLE) {
		v.whole = graph.new_node();
		graph.address(v.whole, p.object);
	}
	return v;
}

value body::load_from(tree ref)
{
	place p = place_of(ref);
	enum width width = width_of(ref);
	value v = scalar(NOTHING);

	switch (p.kind) {
	case place::CONSTANT:
		return v;
	case place::REGISTER:
		v.whole = p.node;
		v.bytes = AGGREGATE_TYPE_P(TREE_TYPE(ref)) ? p.node : NOTHING;
		return v;
	case place::GLOBAL:
		return heap_value();
	case place::VARIABLE:
		v.whole = graph.memory(p.object, WHOLE);
		v.bytes = graph.memory(p.object, BYTES);
		break;
	case place::POINTER:
		v.whole = graph.new_node();
		graph.load(v.whole, p.node, WHOLE);
		v.bytes = graph.new_node();
		graph.load(v.bytes, p.node, BYTES);
		break;
	}
	if (width == NUMBER)
		return scalar(v.bytes);
	if (!AGGREGATE_TYPE_P(TREE_TYPE(ref)))
		return scalar(all_of(v));
	/* Of a union, say: what are pointers there may be numbers where it is copied to. */
	if (width == RAW)
		v.bytes = all_of(v);
	return v;
}

void body::store_to(tree ref, value v, location_t where)
{
	place p = place_of(ref);
	value into;

	switch (width_of(ref)) {
	case POINTER:
		into = scalar(all_of(v));
		break;
	case AGGREGATE:
		into = v;
		break;
	default:
		into.whole = NOTHING;
		into.bytes = all_of(v);
		break;
	}
	if (into.whole == NOTHING && into.bytes == NOTHING)
		return;

	switch (p.kind) {
	case place::CONSTANT:
		break;
	case place::REGISTER:
		graph.copy(p.node, all_of(into));
		break;
	case place::GLOBAL:
		let_go(all_of(into), std::string("stored in ") + name_of(p.decl), where);
		break;
	case place::VARIABLE:
		graph.copy(graph.memory(p.object, WHOLE), into.whole);
		graph.copy(graph.memory(p.object, BYTES), into.bytes);
		break;
	case place::POINTER:
		store_through(p.node, WHOLE, into.whole, "stored", where);
		store_through(p.node, BYTES, into.bytes, "stored", where);
		break;
	}
}

value body::value_of(tree op)
{
	value v = scalar(NOTHING);
	unsigned HOST_WIDE_INT i;
	tree part;

	if (!op)
		return v;
	switch (TREE_CODE(op)) {
	case SSA_NAME:
		return scalar(of_ssa(op));
	case ADDR_EXPR:
		return address_of(TREE_OPERAND(op, 0));
	case CONSTRUCTOR:
		FOR_EACH_CONSTRUCTOR_VALUE(CONSTRUCTOR_ELTS(op), i, part)
			v = join(v, value_of(part));
		return v;
	case OBJ_TYPE_REF:
		return value_of(OBJ_TYPE_REF_EXPR(op));
	case WITH_SIZE_EXPR:
		return value_of(TREE_OPERAND(op, 0));
	case INTEGER_CST:
		if (!POINTER_TYPE_P(TREE_TYPE(op)))
			return integer_zerop(op) ? v : scalar(number_pointer);
		/* If it is not NULL, memory that is mapped there, a device. */
		return integer_zerop(op) ? scalar(null_pointer) : heap_value();
	case MEM_REF:
	case TARGET_MEM_REF:
	case VAR_DECL:
	case PARM_DECL:
	case RESULT_DECL:
		return load_from(op);
	default:
		break;
	}
	if (handled_component_p(op))
		return load_from(op);
	if (EXPR_P(op))
		for (int k = 0; k < TREE_OPERAND_LENGTH(op); k++)
			v = join(v, value_of(TREE_OPERAND(op, k)));
	return v;
}
