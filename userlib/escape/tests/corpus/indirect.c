/* SPDX-License-Identifier: MIT */
/* Catches: an object that is passed to a function that nobody knows. */
#include <stdarg.h>

#include "corpus.h"

struct node *global;

typedef long (*use)(struct node *);

struct operations {
	use get;
	void (*set)(struct node *, long);
};

struct shape {
	const struct operations *operations;
	struct node node;
};

CALLEE long get(struct node *n)
{
	return n->value;
}

CALLEE void set(struct node *n, long value)
{
	n->value = value;
}

CALLEE long keep(struct node *n)
{
	global = n;
	return n->value;
}

static const struct operations constant_operations = { get, set };
struct operations operations = { get, set };
use uses[2] = { get, keep };

FN long through_parameter(use f)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: indirect|pointer|unknown (must) */

	n->value = 1;
	return f(n);
}

FN void through_global_variable(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: indirect|pointer|unknown (must) */

	n->value = 2;
	operations.set(n, 3);
	n->value = operations.get(n);
}

FN long through_table(int i)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: indirect|pointer|unknown (must) */

	n->value = 3;
	return uses[i](n);
}

/* The optimiser reads constants, and then knows the callee. */
FN long through_constant_table(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* O0 heap: indirect|pointer|unknown (could stay); O2 stack */

	constant_operations.set(n, 4);
	return constant_operations.get(n);
}

FN long through_local_variable(void)
{
	use f = get;
	struct node *n = goheap_alloc(sizeof(*n)); /* O0 heap: indirect|pointer|unknown (could stay); O2 stack */

	n->value = 5;
	return f(n);
}

FN long through_choice(int which)
{
	use f = which ? get : keep;
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: indirect|pointer|unknown (must) */

	n->value = 6;
	return f(n);
}

/* The table is not the object's argument: it is only found through it. */
FN long through_object(const struct operations *operations)
{
	struct shape *s = goheap_alloc(sizeof(*s)); /* heap: indirect|pointer|unknown (must) */

	s->operations = operations;
	s->operations->set(&s->node, 7);
	return s->operations->get(&s->node);
}

FN long not_passed(long (*f)(long))
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 8;
	return f(n->value) + n->value;
}

CALLEE long twice(long value)
{
	return 2 * value;
}

CALLEE long apply(use f, struct node *n)
{
	return f(n);
}

FN long applied(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: apply|indirect|pointer|unknown (could stay) */

	n->value = 9;
	return apply(get, n);
}

static long apply_inlined(use f, struct node *n)
{
	return f(n);
}

FN long applied_after_inlining(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* O0 heap: apply|indirect|pointer|unknown (could stay); O2 stack */

	n->value = 10;
	return apply_inlined(get, n);
}

CALLEE long for_each(struct node *list, long (*f)(struct node *, void *), void *context)
{
	long sum = 0;

	for (; list; list = list->next)
		sum += f(list, context);
	return sum;
}

CALLEE long scaled(struct node *n, void *context)
{
	return n->value * *(long *)context;
}

FN long list_and_context_of_callback(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: for_each|indirect|pointer|unknown (could stay) */
	long *factor = goheap_alloc(sizeof(*factor)); /* heap: for_each|indirect|pointer|unknown (could stay) */

	n->value = 1;
	*factor = 11;
	return for_each(n, scaled, factor);
}

CALLEE long sum_of_arguments(int count, ...)
{
	va_list arguments;
	long sum = 0;

	va_start(arguments, count);
	while (count--)
		sum += va_arg(arguments, struct node *)->value;
	va_end(arguments);
	return sum;
}

FN long variadic_argument(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: variadic|variable|argument|sum_of_arguments (could stay) */

	n->value = 12;
	return sum_of_arguments(1, n);
}

CALLEE void keep_argument(int count, ...)
{
	va_list arguments;

	va_start(arguments, count);
	while (count--)
		global = va_arg(arguments, struct node *);
	va_end(arguments);
}

FN void variadic_argument_kept(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: variadic|variable|argument|keep_argument (must) */

	n->value = 13;
	keep_argument(1, n);
}

__attribute__((format(printf, 3, 4)))
CALLEE int print_to(char *text, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, size, format, arguments);
	va_end(arguments);
	return length;
}

FN long named_argument_of_variadic(void)
{
	char *text = goheap_alloc(32); /* stack */

	print_to(text, 32, "%d", 14);
	return text[1];
}

FN long variadic_string(void)
{
	char text[32];
	char *name = goheap_alloc(8); /* heap: variadic|variable|argument|print_to (could stay) */

	name[0] = '7';
	print_to(text, sizeof(text), "1%s", name);
	return atoi(text);
}

FN use function_pointer_returned(void)
{
	struct operations *o = goheap_alloc(sizeof(*o)); /* stack */

	o->get = get;
	return o->get;
}

FN long called_back(int depth, use f)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: indirect|pointer|unknown (must) */

	n->value = depth;
	return f ? f(n) : 0;
}

int main(void)
{
	static const struct operations keepers = { keep, set };
	struct node some = { NULL, 99 };

	CHECK(through_parameter(get), 1);
	CHECK_AFTER(through_parameter(keep), global->value, 1);
	operations = keepers;
	CHECK_AFTER(through_global_variable(), global->value, 3);
	CHECK(through_table(0), 3);
	CHECK_AFTER(through_table(1), global->value, 3);
	CHECK(through_constant_table(), 4);
	CHECK(through_local_variable(), 5);
	CHECK(through_choice(1), 6);
	CHECK_AFTER(through_choice(0), global->value, 6);
	CHECK(through_object(&constant_operations), 7);
	CHECK_AFTER(through_object(&keepers), global->value, 7);
	CHECK(not_passed(twice), 24);
	CHECK(applied(), 9);
	CHECK(applied_after_inlining(), 10);
	CHECK(list_and_context_of_callback(), 11);
	CHECK(variadic_argument(), 12);
	CHECK_AFTER(variadic_argument_kept(), global->value, 13);
	CHECK(named_argument_of_variadic(), '4');
	CHECK(variadic_string(), 17);
	CHECK(function_pointer_returned()(&some), 99);
	CHECK_AFTER(called_back(18, keep), global->value, 18);
	CHECK(called_back(18, NULL), 0);
	return corpus_failed;
}
