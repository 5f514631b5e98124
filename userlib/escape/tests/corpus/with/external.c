/* SPDX-License-Identifier: MIT */
/* What external.c calls and does not see. */
#include <stddef.h>

struct node {
	struct node *next;
	long value;
};

extern struct node *global;

long other_keep(struct node *n);
long other_sum(const struct node *list);
long other_value(const struct node *n, struct node *kept);
void other_set_first(struct node *a, struct node *b, struct node *kept);
long other_keep_next(const struct node *n);
void other_keep_first(struct node **all);
void other_keep_address(struct node *where);
long other_count(void);
long weak_value(struct node *n);
long send(struct node *n);

long other_keep(struct node *n)
{
	global = n;
	return n->value;
}

long other_sum(const struct node *list)
{
	long sum = 0;

	for (; list; list = list->next)
		sum += list->value;
	return sum;
}

long other_value(const struct node *n, struct node *kept)
{
	global = kept;
	return n->value;
}

void other_set_first(struct node *a, struct node *b, struct node *kept)
{
	a->value = b->value;
	global = kept;
}

long other_keep_next(const struct node *n)
{
	global = n->next;
	return global->value;
}

void other_keep_first(struct node **all)
{
	global = all[0];
}

static struct node *address;

/* Used by the next call of other_count(), when that frame is still there. */
void other_keep_address(struct node *where)
{
	address = where;
}

long other_count(void)
{
	if (address)
		global = address->next;
	address = NULL;
	return 12;
}

long weak_value(struct node *n)
{
	global = n;
	return n->value;
}

long send(struct node *n)
{
	global = n;
	return n->value;
}
