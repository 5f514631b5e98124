/* SPDX-License-Identifier: MIT */
/* Catches: an object on the stack of a function with volatile accesses, inline assembly, setjmp(),
 * alloca(), arrays of variable length or computed gotos, where the analysis does not see what
 * happens to it. */
#include <alloca.h>
#include <setjmp.h>
#include <stdnoreturn.h>

#include "corpus.h"

struct node *global;
struct node *volatile volatile_global;
static jmp_buf environment;
static int status_at_exit;

FN long volatile_object(void)
{
	volatile struct node *n = goheap_alloc(sizeof(*n)); /* heap: volatile (could stay) */

	n->value = 1;
	return n->value;
}

FN long volatile_field(void)
{
	struct flagged {
		volatile int flag;
		long value;
	} *f = goheap_alloc(sizeof(*f)); /* heap: volatile (could stay) */

	f->flag = 1;
	f->value = 1;
	return f->flag + f->value;
}

FN long volatile_variable(void)
{
	struct node *volatile n = goheap_alloc(sizeof(*n)); /* heap: volatile (could stay) */

	n->value = 3;
	return n->value;
}

FN void stored_in_volatile_global(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: volatile|global (must) */

	n->value = 4;
	volatile_global = n;
}

/* A volatile variable that has nothing to do with the object. */
FN long beside_a_volatile(void)
{
	volatile long unrelated = 4;
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = unrelated + 1;
	return n->value;
}

FN long in_assembly_register(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: asm|assembl (must) */

	n->value = 6;
	__asm__ volatile("" : "+r"(n));
	return n->value;
}

FN long in_assembly_input(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: asm|assembl (must) */

	n->value = 7;
	__asm__ volatile("" : : "r"(n) : "memory");
	return n->value;
}

FN long in_assembly_memory(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: asm|assembl (must) */

	n->value = 8;
	__asm__ volatile("" : "+m"(n->value));
	return n->value;
}

FN long pointer_variable_in_assembly_memory(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: asm|assembl (must) */

	n->value = 9;
	__asm__ volatile("" : "+m"(n));
	return n->value;
}

FN long integer_in_assembly(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: asm|assembl (must) */
	uintptr_t word = (uintptr_t)n;

	n->value = 10;
	__asm__("" : "+r"(word));
	return ((struct node *)word)->value;
}

FN long reachable_from_assembly(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: asm|assembl (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: asm|assembl|stored|reach (must) */

	a->next = b;
	b->value = 11;
	__asm__ volatile("" : : "r"(a) : "memory");
	return a->next->value;
}

/* No operand leads to the object: the assembly cannot find it. */
FN long beside_assembly(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 12;
	__asm__ volatile("" : : : "memory");
	return n->value;
}

FN long value_in_assembly(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	long value;

	n->value = 13;
	value = n->value;
	__asm__("" : "+r"(value));
	return value;
}

CALLEE void jump(int value)
{
	longjmp(environment, value);
}

FN long object_before_setjmp(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: setjmp|twice (must) */

	n->value = 1;
	if (setjmp(environment) == 0) {
		n->value = 14;
		jump(1);
	}
	return n->value;
}

FN long object_after_setjmp(void)
{
	static struct node *kept;

	if (setjmp(environment) == 0) {
		struct node *n = goheap_alloc(sizeof(*n)); /* heap: setjmp|twice|static|kept (must) */

		n->value = 15;
		kept = n;
		jump(1);
	}
	return kept->value;
}

FN long object_beside_setjmp(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: setjmp|twice (could stay) */
	long value;

	n->value = 16;
	value = n->value;
	if (setjmp(environment) == 0)
		jump(1);
	return value;
}

/* Jumped over: this frame is gone, and nobody has the object. */
CALLEE void allocates_and_jumps(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = 17;
	longjmp(environment, n->value);
}

FN long jumped_out_of(void)
{
	volatile int result = setjmp(environment);

	if (result == 0)
		allocates_and_jumps();
	return result;
}

FN long beside_alloca(size_t size)
{
	char *bytes = alloca(size);
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: alloca (could stay) */

	memset(bytes, 1, size);
	n->value = 17;
	return n->value + bytes[size - 1];
}

FN long beside_variable_length_array(int size)
{
	char bytes[size];
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: alloca|vla|variable (could stay) */

	memset(bytes, 1, size);
	n->value = 18;
	return n->value + bytes[size - 1];
}

FN long with_computed_goto(int count)
{
	static void *const targets[] = { &&add, &&done };
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: goto (could stay) */

	goto *targets[count == 0];
add:
	n->value += 5;
	count--;
	goto *targets[count == 0];
done:
	return n->value;
}

FN long allocated_by_computed_goto(int count)
{
	static void *const targets[] = { &&add, &&done };
	struct node *previous = NULL, *n = NULL;
	long sum = 0;

	goto *targets[count == 0];
add:
	previous = n;
	n = goheap_alloc(sizeof(*n)); /* heap: goto|loop|iteration (must) */
	n->value += count;
	sum = sum * 10 + (previous ? previous->value : 0);
	count--;
	goto *targets[count == 0];
done:
	return sum;
}

static noreturn FN void exits(int status)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = status;
	exit(n->value);
}

static void at_exit(void)
{
	if (!global || global->value != status_at_exit)
		_Exit(1);
}

/* Until exit() has ended the program, the frame is there. */
static noreturn FN void exits_with_global(int status)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: global (could stay) */

	n->value = status;
	global = n;
	status_at_exit = status;
	if (status)
		exits(status);
	exit(status);
}

int main(void)
{
	atexit(at_exit);
	CHECK(volatile_object(), 1);
	CHECK(volatile_field(), 2);
	CHECK(volatile_variable(), 3);
	CHECK_AFTER(stored_in_volatile_global(), volatile_global->value, 4);
	CHECK(beside_a_volatile(), 5);
	CHECK(in_assembly_register(), 6);
	CHECK(in_assembly_input(), 7);
	CHECK(in_assembly_memory(), 8);
	CHECK(pointer_variable_in_assembly_memory(), 9);
	CHECK(integer_in_assembly(), 10);
	CHECK(reachable_from_assembly(), 11);
	CHECK(beside_assembly(), 12);
	CHECK(value_in_assembly(), 13);
	CHECK(object_before_setjmp(), 14);
	CHECK(object_after_setjmp(), 15);
	CHECK(object_beside_setjmp(), 16);
	CHECK(jumped_out_of(), 17);
	CHECK(beside_alloca(100), 18);
	CHECK(beside_variable_length_array(100), 19);
	CHECK(with_computed_goto(4), 20);
	CHECK(allocated_by_computed_goto(4), 432);
	exits_with_global(corpus_failed);
}
