/* SPDX-License-Identifier: MIT */
/* Catches: an object on the stack of one thread that another uses, which the first does not
 * wait for as far as the compiler can see. */
#include <pthread.h>

#include "corpus.h"

struct node *global;
static pthread_t latest;

CALLEE void *value_of(void *n)
{
	return (void *)((struct node *)n)->value;
}

CALLEE void *keep(void *n)
{
	global = n;
	return NULL;
}

CALLEE void *allocates(void *value)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */

	n->value = (long)value + 1;
	return (void *)n->value;
}

CALLEE void *returns(void *value)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: returned (must) */

	n->value = (long)value;
	return n;
}

/* It is joined before the function returns, but the rules do not look at that. */
FN long passed_to_thread(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: pthread_create (could stay) */
	pthread_t thread;
	void *result;

	n->value = 1;
	if (pthread_create(&thread, NULL, value_of, n))
		return -1;
	pthread_join(thread, &result);
	return (long)result;
}

FN void passed_to_thread_and_left(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: pthread_create (must) */

	n->value = 2;
	pthread_create(&latest, NULL, keep, n);
}

FN void reachable_by_thread(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: pthread_create (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: pthread_create|stored|reach (must) */

	a->next = b;
	b->value = 3;
	pthread_create(&latest, NULL, keep, a);
}

FN void stored_after_start(void)
{
	struct node *a = goheap_alloc(sizeof(*a)); /* heap: pthread_create (must) */
	struct node *b = goheap_alloc(sizeof(*b)); /* heap: pthread_create|stored|reach (must) */

	pthread_create(&latest, NULL, keep, a);
	b->value = 4;
	a->next = b;
}

CALLEE void start(void *argument)
{
	pthread_create(&latest, NULL, keep, argument);
}

FN void passed_on_to_thread(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: start|pthread_create (must) */

	n->value = 5;
	start(n);
}

FN long in_thread(void)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, allocates, (void *)5L))
		return -1;
	pthread_join(thread, &result);
	return (long)result;
}

FN struct node *returned_by_thread(void)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, returns, (void *)7L))
		return NULL;
	pthread_join(thread, &result);
	return result;
}

FN void in_specific_data(pthread_key_t key)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* heap: pthread_setspecific (must) */

	n->value = 8;
	pthread_setspecific(key, n);
}

FN long beside_a_thread(void)
{
	struct node *n = goheap_alloc(sizeof(*n)); /* stack */
	pthread_t thread;

	n->value = 9;
	if (pthread_create(&thread, NULL, allocates, NULL))
		return -1;
	pthread_join(thread, NULL);
	return n->value;
}

static struct node *after_join(void)
{
	pthread_join(latest, NULL);
	return global;
}

int main(void)
{
	pthread_key_t key;

	pthread_key_create(&key, NULL);
	CHECK(passed_to_thread(), 1);
	CHECK_AFTER(passed_to_thread_and_left(), after_join()->value, 2);
	CHECK_AFTER(reachable_by_thread(), after_join()->next->value, 3);
	CHECK_AFTER(stored_after_start(), after_join()->next->value, 4);
	CHECK_AFTER(passed_on_to_thread(), after_join()->value, 5);
	CHECK(in_thread(), 6);
	CHECK_AFTER(global = returned_by_thread(), global->value, 7);
	CHECK_AFTER(in_specific_data(key), ((struct node *)pthread_getspecific(key))->value, 8);
	CHECK(beside_a_thread(), 9);
	return corpus_failed;
}
