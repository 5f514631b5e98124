/* SPDX-License-Identifier: MIT */
/*
 * The attribute behind GOHEAP_NOESCAPE and GOHEAP_NOESCAPE_ARGS() of goheap.h.
 *
 *	__attribute__((goheap_noescape))	of all arguments
 *	__attribute__((goheap_noescape(1, 3)))	of these, counted from 1
 *
 * On types of functions, so that pointers to functions have it too.
 */
#include "gcc.h"
#include "attributes.h"

static const char NAME[] = "goheap_noescape";

static unsigned int count_args(tree fntype)
{
	unsigned int n = 0;

	for (tree t = TYPE_ARG_TYPES(fntype); t && TREE_VALUE(t) != void_type_node; t = TREE_CHAIN(t))
		n++;
	return n;
}

static tree handle_noescape(tree *node, tree, tree args, int, bool *no_add_attrs)
{
	unsigned int n = count_args(*node);

	for (; args; args = TREE_CHAIN(args)) {
		tree position = TREE_VALUE(args);

		if (TREE_CODE(position) == INTEGER_CST && tree_fits_uhwi_p(position) &&
		    tree_to_uhwi(position) >= 1 &&
		    (tree_to_uhwi(position) <= n || stdarg_p(*node) || !TYPE_ARG_TYPES(*node)))
			continue;
		warning(OPT_Wattributes, "%qs: %qE is not the number of an argument", NAME, position);
		*no_add_attrs = true;
	}
	return NULL_TREE;
}

static struct attribute_spec noescape = {
	NAME, 0, -1, false, true, true, false, handle_noescape, NULL
};

/** attributes_register() - for PLUGIN_ATTRIBUTES */
void attributes_register(void *, void *)
{
	register_attribute(&noescape);
}

/**
 * attribute_noescape() - does the function that is called say that it keeps nothing?
 * @call: the call
 * @arg: of this argument, counted from 1; 0: of any
 */
bool attribute_noescape(gcall *call, unsigned int arg)
{
	tree fntype = gimple_call_fntype(call), fndecl = gimple_call_fndecl(call);
	tree has = fndecl ? lookup_attribute(NAME, TYPE_ATTRIBUTES(TREE_TYPE(fndecl))) : NULL_TREE;
	tree args;

	if (!has && fntype)
		has = lookup_attribute(NAME, TYPE_ATTRIBUTES(fntype));
	if (!has)
		return false;
	args = TREE_VALUE(has);
	if (!args || !arg)
		return !args || !arg;
	for (; args; args = TREE_CHAIN(args))
		if (tree_to_uhwi(TREE_VALUE(args)) == arg)
			return true;
	return false;
}
