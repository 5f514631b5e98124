/* SPDX-License-Identifier: MIT */
/* Catches: an object on the stack that a variable of static storage points to. */
#include "corpus.h"

struct node *global;
struct node *global_array[4];
struct pair global_pair;
long *global_field;
uintptr_t global_word;
struct node **global_pointer = &global;
_Thread_local struct node *thread_local_node;
static struct node *file_static;
int global_flag = 1;

FN void stored_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 1;
	global = n;
}

FN void stored_file_static(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: static|global (must) */

	n->value = 2;
	file_static = n;
}

FN long stored_function_static(void)
{
	static struct node *kept;
	long before = kept ? kept->value : 0;

	kept = goheap_alloc(sizeof(*kept)); /* heap: static|global|kept (must) */
	kept->value = 3;
	return before;
}

FN void stored_thread_local(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: thread|static|global (must) */

	n->value = 4;
	thread_local_node = n;
}

FN void stored_global_array(int i)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 5;
	global_array[i] = n;
}

FN void stored_global_struct(void)
{
	struct pair p;

	p.a = goheap_alloc(sizeof(*p.a)); /* heap: global (must) */
	p.b = p.a;
	p.a->value = 6;
	global_pair = p;
}

FN void stored_field_address(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 7;
	global_field = &n->value;
}

FN void stored_as_integer(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 8;
	global_word = (uintptr_t)n;
}

FN void stored_through_global_pointer(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: memory|unknown|global|stored (must) */

	n->value = 9;
	*global_pointer = n;
}

FN void stored_behind_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: memory|unknown|global|stored (must) */

	n->value = 10;
	global->next = n;
}

FN void stored_if(int keep)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (must) */

	n->value = 11;
	if (keep)
		global = n;
	else
		global->value = n->value + 1;
}

CALLEE long value_of_global(void)
{
	return global_flag ? global->value : 0;
}

FN long stored_for_a_while(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (could stay) */
	long value;

	n->value = 12;
	global = n;
	value = value_of_global();
	global = NULL;
	return value;
}

/* The optimiser drops the first of two stores that nothing comes between. */
FN long stored_and_overwritten(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* O0 heap: global (could stay); O2 stack */

	n->value = 13;
	global = n;
	global = NULL;
	return n->value;
}

FN void stored_reachable(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* heap: global (must) */
	struct node *inner = goheap_alloc(sizeof(*inner)); /* heap: global|stored|reach (must) */

	inner->value = 14;
	outer->next = inner;
	global = outer;
}

FN void stored_reachable_later(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* heap: global (must) */
	struct node *inner;

	global = outer;
	inner = goheap_alloc(sizeof(*inner)); /* heap: global|stored|reach (must) */
	inner->value = 15;
	outer->next = inner;
}

FN void stored_only_the_inner(void)
{
	struct node *outer = goheap_alloc(sizeof(*outer)); /* stack */
	struct node *inner = goheap_alloc(sizeof(*inner)); /* heap: global (must) */

	inner->value = 16;
	outer->next = inner;
	global = outer->next;
}

FN long loaded_from_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->next = global;
	n->value = 1;
	return n->next->value + n->value;
}

FN void only_value_stored(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 17;
	global->value = n->value;
}

FN long local_variable_of_same_type(void)
{
	struct node *local = NULL;
	struct node **where = &local;
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 18;
	*where = n;
	return local->value;
}

FN long either_global_or_local(int pick)
{
	struct node *local = NULL;
	struct node **where = pick ? &local : &global;
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|stored (must) */

	n->value = 19;
	*where = n;
	return (pick ? local : global)->value;
}

/* Only a copy of the object is in the global. */
FN void copied_to_global(void)
{
	static struct node kept;
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 20;
	kept = *n;
	global = &kept;
}

FN void atomically_stored(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|atomic|passed (must) */

	n->value = 21;
	__atomic_store_n(&global, n, __ATOMIC_SEQ_CST);
}

FN void atomically_exchanged(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|atomic|passed (must) */
	struct node *old = __atomic_exchange_n(&global, n, __ATOMIC_SEQ_CST);

	n->value = old ? 22 : 0;
}

FN void atomically_swapped_in(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global|atomic|passed (must) */
	struct node *old = global;

	n->value = 23;
	__atomic_compare_exchange_n(&global, &old, n, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int main(void)
{
	static struct node some = { NULL, 100 };

	CHECK_AFTER(stored_global(), global->value, 1);
	CHECK_AFTER(stored_file_static(), file_static->value, 2);
	stored_function_static();
	CHECK(stored_function_static(), 3);
	CHECK_AFTER(stored_thread_local(), thread_local_node->value, 4);
	CHECK_AFTER(stored_global_array(2), global_array[2]->value, 5);
	CHECK_AFTER(stored_global_struct(), global_pair.a->value, 6);
	CHECK_AFTER(stored_field_address(), *global_field, 7);
	CHECK_AFTER(stored_as_integer(), ((struct node *)global_word)->value, 8);
	CHECK_AFTER(stored_through_global_pointer(), global->value, 9);
	CHECK_AFTER(stored_behind_global(), global->next->value, 10);
	CHECK_AFTER(stored_if(1), global->value, 11);
	CHECK_AFTER(stored_if(0), global->value, 12);
	CHECK(stored_for_a_while(), 12);
	CHECK(stored_and_overwritten(), 13);
	CHECK_AFTER(stored_reachable(), global->next->value, 14);
	CHECK_AFTER(stored_reachable_later(), global->next->value, 15);
	CHECK_AFTER(stored_only_the_inner(), global->value, 16);
	global = &some;
	CHECK(loaded_from_global(), 101);
	CHECK_AFTER(only_value_stored(), global->value, 17);
	CHECK(local_variable_of_same_type(), 18);
	CHECK(either_global_or_local(1), 19);
	CHECK_AFTER(either_global_or_local(0), global->value, 19);
	CHECK_AFTER(copied_to_global(), global->value, 20);
	CHECK_AFTER(atomically_stored(), global->value, 21);
	CHECK_AFTER(atomically_exchanged(), global->value, 22);
	CHECK_AFTER(atomically_swapped_in(), global->value, 23);
	return corpus_failed;
}
