/* SPDX-License-Identifier: MIT */
/*
 * A call of an allocator becomes a variable that is zeroed.
 *
 * The variable is an array of bytes, which GCC lets be accessed as any type, with the
 * alignment that goheap.h promises.  It is zeroed where the call was, so each time that
 * the call would have been made, and like any variable it may be taken apart
 * and be kept in registers by what comes after.
 */
#include "gcc.h"
#include "promote.h"

/* goheap_alloc(3): "aligned to 16 bytes". */
static const unsigned int ALIGN_BYTES = 16;

/* The variables' name, in debuggers too; a number follows. */
static const char NAME[] = "goheap_object";

static bool is_promoted(tree var)
{
	return VAR_P(var) && DECL_ARTIFICIAL(var) && DECL_NAME(var) &&
	       startswith(IDENTIFIER_POINTER(DECL_NAME(var)), NAME);
}

/** promoted_bytes() - how much of a frame promote() has made, also in what was inlined */
unsigned HOST_WIDE_INT promoted_bytes(struct function *fn)
{
	unsigned HOST_WIDE_INT bytes = 0;
	unsigned int i;
	tree var;

	FOR_EACH_LOCAL_DECL(fn, i, var)
		if (is_promoted(var))
			bytes += tree_to_uhwi(DECL_SIZE_UNIT(var));
	return bytes;
}

/**
 * promote() - put an object on the stack
 * @node: the function, which is the current one (push_cfun())
 * @call: the allocation; gone afterwards
 * @size: of the object, bytes; 0 is served as 1
 *
 * When it has promoted all, the caller calls promote_forget(), and updates the SSA form.
 */
void promote(struct cgraph_node *node, gcall *call, unsigned HOST_WIDE_INT size)
{
	gimple_stmt_iterator at = gsi_for_stmt(call);
	struct cgraph_edge *edge = node->get_edge(call);
	tree type = build_array_type_nelts(unsigned_char_type_node, MAX(size, 1));
	tree var = create_tmp_var_raw(type, NAME);
	tree lhs = gimple_call_lhs(call);
	gimple *zero;

	SET_DECL_ALIGN(var, MAX(DECL_ALIGN(var), ALIGN_BYTES * BITS_PER_UNIT));
	DECL_USER_ALIGN(var) = 1;
	TREE_ADDRESSABLE(var) = 1;
	gimple_add_tmp_var(var);

	zero = gimple_build_assign(var, build_constructor(type, NULL));
	gimple_set_location(zero, gimple_location(call));
	gsi_insert_before(&at, zero, GSI_SAME_STMT);

	/* Of the call graph: the call, and the address of the type that it is passed. */
	if (edge)
		cgraph_edge::remove(edge);
	node->remove_stmt_references(call);
	unlink_stmt_vdef(call);
	if (!lhs) {
		gsi_remove(&at, true);
		return;
	}

	gimple *address = gimple_build_assign(lhs, fold_convert(TREE_TYPE(lhs), build_fold_addr_expr(var)));

	gimple_set_location(address, gimple_location(call));
	gsi_replace(&at, address, true);
}

/**
 * promote_forget() - what GCC has found out of pointers is no longer so
 *
 * For the current function, after promote().  Until points-to sets are computed anew, they
 * say that the pointer leads to an object of the heap, so to no variable, and that
 * no call can reach the new variable.
 */
void promote_forget()
{
	unsigned int version;
	basic_block bb;
	tree name;

	FOR_EACH_SSA_NAME(version, name, cfun)
		if (POINTER_TYPE_P(TREE_TYPE(name)) && SSA_NAME_PTR_INFO(name))
			pt_solution_reset(&SSA_NAME_PTR_INFO(name)->pt);
	FOR_EACH_BB_FN(bb, cfun)
		for (gimple_stmt_iterator i = gsi_start_bb(bb); !gsi_end_p(i); gsi_next(&i))
			if (is_gimple_call(gsi_stmt(i)))
				gimple_call_reset_alias_info(as_a<gcall *>(gsi_stmt(i)));
	pt_solution_reset(&cfun->gimple_df->escaped);
}
