/* SPDX-License-Identifier: MIT */
/*
 * Catches: a variable of a frame that is reached through code on the stack, which GCC makes of a
 * nested function whose address is taken.
 *
 * What the sanitizer has instead of a stack cannot be executed:
 * sanitizer: detect_stack_use_after_return=0
 */
#include "corpus.h"

struct node *global;

CALLEE int call_twice(int (*f)(int))
{
	return f(3) + f(5);
}

/* Its address is that of code on the stack, which knows the frame. */
FN long read_by_nested_callback(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: nested|frame|chain|function|trampoline (could stay) */
	auto int add(int value);

	int add(int value)
	{
		n->value += value;
		return n->value;
	}

	call_twice(add);
	return n->value;
}

CALLEE void call_with_global(void (*f)(struct node **))
{
	f(&global);
}

FN void kept_by_nested_callback(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: nested|frame|chain|function|trampoline (must) */
	auto void keep(struct node **where);

	void keep(struct node **where)
	{
		*where = n;
	}

	n->value = 9;
	call_with_global(keep);
}

int main(void)
{
	CHECK(read_by_nested_callback(), 8);
	CHECK_AFTER(kept_by_nested_callback(), global->value, 9);
	return corpus_failed;
}
