/* SPDX-License-Identifier: MIT */
/* Catches: a variable that a nested function (an extension of GCC) reaches through the frame of
 * the one around it, taken for one that nobody else can see. */
#include "corpus.h"

struct node *global;

FN long read_by_nested(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: nested|frame|chain|function (could stay) */
	auto long __attribute__((noinline)) value(void);

	long value(void)
	{
		return n->value;
	}

	n->value = 1;
	return value();
}

FN void kept_by_nested(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: nested|frame|chain|function|keep|global (must) */
	auto void __attribute__((noinline)) keep(void);

	void keep(void)
	{
		global = n;
	}

	n->value = 2;
	keep();
}

FN void changed_by_nested(void)
{
	struct node *n = NULL;
	auto void __attribute__((noinline)) change(struct node *to);

	void change(struct node *to)
	{
		n = to;
	}

	struct node *m = goheap_alloc(sizeof(*m)); /* heap: change|nested|frame|chain|function|global (must) */

	m->value = 3;
	change(m);
	global = n;
}

/* Nothing of the frame is used in the nested function, so none of it is captured. */
FN long passed_to_nested(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	auto long __attribute__((noinline)) value(struct node *given);

	long value(struct node *given)
	{
		return given->value;
	}

	n->value = 4;
	return value(n);
}

FN long allocated_in_nested(void)
{
	auto long __attribute__((noinline)) value(long given);

	long value(long given)
	{
		struct node *n = goheap_alloc(sizeof(*n)); /* O0 heap: function (could stay); O2 stack */

		n->value += given;
		return n->value;
	}

	return value(2) + value(3);
}

FN long allocated_in_nested_for_outer(void)
{
	struct node *kept = NULL;
	auto void __attribute__((noinline)) make(long value);

	void make(long value)
	{
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: nested|frame|chain|function|memory|stored|unknown|parameter (must) */

		n->value = value;
		n->next = kept;
		kept = n;
	}

	make(4);
	make(2);
	return kept->value + kept->next->value;
}

FN long returned_by_nested(void)
{
	auto struct node *__attribute__((noinline)) make(void);

	struct node *make(void)
	{
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned|function (must) */

		n->value = 7;
		return n;
	}

	return make()->value;
}

FN long left_by_nonlocal_goto(void)
{
	__label__ out;
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: nested|frame|chain|function|goto|label (could stay) */
	auto void __attribute__((noinline)) leave(long value);

	void leave(long value)
	{
		n->value = value;
		goto out;
	}

	leave(8);
	return -1;
out:
	return n->value;
}

int main(void)
{
	CHECK(read_by_nested(), 1);
	CHECK_AFTER(kept_by_nested(), global->value, 2);
	CHECK_AFTER(changed_by_nested(), global->value, 3);
	CHECK(passed_to_nested(), 4);
	CHECK(allocated_in_nested(), 5);
	CHECK(allocated_in_nested_for_outer(), 6);
	CHECK(returned_by_nested(), 7);
	CHECK(left_by_nonlocal_goto(), 8);
	return corpus_failed;
}
