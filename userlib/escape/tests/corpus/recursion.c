/* SPDX-License-Identifier: MIT */
/* Catches: a summary that is used before the cycle of calls that it depends on is done, and
 * frames that all have the same object. */
#include "corpus.h"

struct tree {
	struct tree *left, *right;
	long value;
};

struct node *global;

CALLEE long depth_of(struct node *n, int depth)
{
	if (!depth)
		return n->value;
	return depth_of(n, depth - 1) * 2 + 1;
}

FN long passed_down(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 1;
	return depth_of(n, 3);
}

CALLEE long leaks_deep_down(struct node *n, int depth)
{
	if (!depth) {
		global = n;
		return 0;
	}
	return leaks_deep_down(n, depth - 1) * 2 + 1;
}

FN void leaked_deep_down(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: leaks_deep_down|global (must) */

	n->value = 2;
	leaks_deep_down(n, 5);
}

CALLEE long odd(struct node *n, int i);

CALLEE long even(struct node *n, int i)
{
	return i ? odd(n, i - 1) : n->value;
}

CALLEE long odd(struct node *n, int i)
{
	return i ? even(n, i - 1) : -n->value;
}

FN long mutual(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 3;
	return even(n, 4);
}

CALLEE long second_leaks(struct node *n, int i);

CALLEE long first_calls(struct node *n, int i)
{
	return i ? second_leaks(n, i - 1) + 1 : n->value;
}

CALLEE long second_leaks(struct node *n, int i)
{
	if (i == 3)
		global = n;
	return i ? first_calls(n, i - 1) + 1 : n->value;
}

FN long mutual_and_leaks(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: second_leaks|first_calls|global (must) */

	n->value = 4;
	return first_calls(n, 6);
}

CALLEE long three_c(struct node *n, int i);

CALLEE long three_b(struct node *n, int i)
{
	return three_c(n->next ? n->next : n, i) + 1;
}

CALLEE long three_a(struct node *n, int i)
{
	if (!i)
		return n->value;
	return three_b(n, i - 1) + 1;
}

CALLEE long three_c(struct node *n, int i)
{
	return three_a(n, i) + 1;
}

FN long circle_of_three(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	b->value = 5;
	return three_a(a, 2);
}

CALLEE struct node *last_of(struct node *n)
{
	return n->next ? last_of(n->next) : n;
}

FN long last_used(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */

	a->next = b;
	b->value = 6;
	return last_of(a)->value;
}

FN struct node *last_returned(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: returned (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: returned (must) */

	a->next = b;
	b->value = 7;
	return last_of(a);
}

/* Every frame has an object of its own. */
FN long object_in_each_frame(int depth)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long deeper;

	n->value += depth;
	if (!depth)
		return 0;
	deeper = object_in_each_frame(depth - 1);
	return deeper * 10 + n->value;
}

/* As long as the frames are there, so is the list of their objects. */
FN long list_of_frames(struct node *previous, int depth)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long sum = 0;

	n->next = previous;
	n->value += depth;
	if (depth)
		sum = list_of_frames(n, depth - 1);
	else
		for (struct node *p = n; p; p = p->next)
			sum = sum * 10 + p->value;
	n->value = 0;
	return n->next ? sum + n->next->value - n->next->value : sum;
}

FN struct node *list_of_frames_returned(struct node *previous, int depth)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */
	struct node *result;

	n->next = previous;
	n->value += depth;
	if (!depth)
		return n;
	result = list_of_frames_returned(n, depth - 1);
	n->value++;
	return result;
}

CALLEE void leave_in(struct node *outer, int depth)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: parameter|leave_in (must) */

	n->value += depth;
	outer->next = n;
	if (depth)
		leave_in(n, depth - 1);
}

FN long left_in_outer_frame(void)
{
	struct node first = { NULL, 3 };
	long sum = 0;

	leave_in(&first, 2);
	for (struct node *n = &first; n; n = n->next)
		sum = sum * 10 + n->value;
	return sum;
}

/* A call in tail position to itself, which the optimiser makes a loop of: one frame. */
FN long passed_on_in_tail_call(struct node *given, int depth)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* O0 stack; O2 heap: loop|iteration (must) */

	n->value += given->value * 10 + depth;
	if (!depth)
		return n->value;
	return passed_on_in_tail_call(n, depth - 1);
}

FN long list_in_tail_call(struct node *previous, int depth)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* O0 stack; O2 heap: loop|iteration (must) */
	long sum = 0;

	n->next = previous;
	n->value += depth;
	if (depth)
		return list_in_tail_call(n, depth - 1);
	for (; n; n = n->next)
		sum = sum * 10 + n->value;
	return sum;
}

FN long not_passed_on_in_tail_call(long sum, int depth)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value += depth;
	if (!depth)
		return sum;
	return not_passed_on_in_tail_call(sum * 10 + n->value, depth - 1);
}

FN long accumulates(int depth)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value += depth;
	if (!depth)
		return 0;
	return n->value + accumulates(depth - 1);
}

CALLEE long sum_of_tree(const struct tree *t)
{
	return t ? sum_of_tree(t->left) + t->value + sum_of_tree(t->right) : 0;
}

FN long tree_of_three(void)
{
	struct tree *root = goheap_alloc(sizeof(*root)); /* stack */
	struct tree *left = goheap_alloc(sizeof(*left)); /* stack */
	struct tree *right = goheap_alloc(sizeof(*right)); /* stack */

	root->left = left;
	root->right = right;
	root->value = 1;
	left->value = 20;
	right->value = 300;
	return sum_of_tree(root);
}

CALLEE struct tree *insert(struct tree *t, struct tree *n)
{
	if (!t)
		return n;
	if (n->value < t->value)
		t->left = insert(t->left, n);
	else
		t->right = insert(t->right, n);
	return t;
}

FN long inserted_in_tree(void)
{
	struct tree *a = goheap_alloc(sizeof(*a)); /* stack */
	struct tree *b = goheap_alloc(sizeof(*b)); /* stack */
	struct tree *c = goheap_alloc(sizeof(*c)); /* stack */
	struct tree *root;

	a->value = 2;
	b->value = 1;
	c->value = 3;
	root = insert(insert(insert(NULL, a), b), c);
	return root->left->value * 100 + root->value * 10 + root->right->value;
}

FN struct tree *inserted_in_tree_and_returned(void)
{
	struct tree *a = goheap_alloc(sizeof(*a)); /* heap: returned|insert|stored (must) */
	struct tree *b = goheap_alloc(sizeof(*b)); /* heap: returned|insert|stored|reach (must) */

	a->value = 2;
	b->value = 1;
	return insert(insert(NULL, a), b);
}

CALLEE void hanoi(int disks, struct node *from, struct node *to, struct node *other)
{
	if (!disks)
		return;
	hanoi(disks - 1, from, other, to);
	from->value--;
	to->value++;
	hanoi(disks - 1, other, to, from);
}

FN long three_towers(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* stack */
	struct node *b = goheap_alloc(sizeof(*b)); /* stack */
	struct node *c = goheap_alloc(sizeof(*c)); /* stack */

	a->value = 4;
	hanoi(4, a, b, c);
	return a->value * 100 + b->value * 10 + c->value;
}

/* The arguments change places on each level, so what is true of one is true of the other. */
CALLEE long rotates_and_keeps(struct node *a, struct node *b, int depth)
{
	if (!depth) {
		global = a;
		return 0;
	}
	return rotates_and_keeps(b, a, depth - 1) * 2;
}

FN long kept_after_rotation(int depth)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: rotates_and_keeps|global (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: rotates_and_keeps|global (must) */

	a->value = 1;
	b->value = 2;
	return rotates_and_keeps(a, b, depth);
}

/* Each call has a frame, so less is let onto the stack than elsewhere. */
FN long small_in_recursion(int depth)
{
	char *bytes = goheap_alloc(128); /* stack */
	long deeper;

	bytes[depth] = depth + 1;
	deeper = depth ? small_in_recursion(depth - 1) : 0;
	return deeper + bytes[depth];
}

FN long large_in_recursion(int depth)
{
	char *bytes = goheap_alloc(4096); /* heap: objects|frame|recurs|size|large (could stay) */
	long deeper;

	bytes[depth] = depth + 1;
	deeper = depth ? large_in_recursion(depth - 1) : 0;
	return deeper + bytes[depth];
}

FN long large_in_mutual_recursion(int depth);

CALLEE long calls_back(int depth)
{
	return large_in_mutual_recursion(depth) + 1;
}

FN long large_in_mutual_recursion(int depth)
{
	char *bytes = goheap_alloc(4096); /* heap: objects|frame|recurs|size|large (could stay) */
	long deeper;

	bytes[depth] = depth + 1;
	deeper = depth ? calls_back(depth - 1) : 0;
	return deeper + bytes[depth];
}

int main(void)
{
	struct node first = { NULL, 4 }, *n;
	struct tree *t;

	CHECK(passed_down(), 15);
	CHECK_AFTER(leaked_deep_down(), global->value, 2);
	CHECK(mutual(), 3);
	CHECK_AFTER(mutual_and_leaks(), global ? global->value : -1, 4);
	CHECK(circle_of_three(), 11);
	CHECK(last_used(), 6);
	CHECK_AFTER(n = last_returned(), n->value, 7);
	CHECK(object_in_each_frame(3), 123);
	CHECK(list_of_frames(&first, 3), 1234);
	CHECK_AFTER(n = list_of_frames_returned(NULL, 3), n->value + n->next->value * 10 +
		    n->next->next->value * 100, 320);
	CHECK(left_in_outer_frame(), 3210);
	CHECK(passed_on_in_tail_call(&first, 3), 43210);
	CHECK(list_in_tail_call(&first, 3), 1234);
	CHECK(not_passed_on_in_tail_call(0, 3), 321);
	CHECK(accumulates(3), 6);
	CHECK(tree_of_three(), 321);
	CHECK(inserted_in_tree(), 123);
	CHECK_AFTER(t = inserted_in_tree_and_returned(), t->left->value, 1);
	CHECK(three_towers(), 40);
	CHECK_AFTER(kept_after_rotation(0), global->value, 1);
	CHECK_AFTER(kept_after_rotation(1), global->value, 2);
	CHECK(small_in_recursion(3), 10);
	CHECK(large_in_recursion(3), 10);
	CHECK(large_in_mutual_recursion(3), 13);
	return corpus_failed;
}
