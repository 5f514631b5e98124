// SPDX-License-Identifier: MIT
/*
 * A table that changes all the time, and is saved all the time: fork() gives the
 * child the table as it is at that moment, and the parent goes on changing its own.
 *
 *	snapshot [SNAPSHOTS]
 *
 * The child adds up what it sees, and says by its exit status whether that is what
 * the table held when it was forked.
 */
#include <goheap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENTRIES = 100000, CHANGES = 1000 };

struct entry { char name[32]; long value; };

static struct entry **table;

/* A changed entry is a new object; the old one is garbage. */
static void change(long i)
{
	struct entry *e = goheap_alloc(sizeof(*e));

	snprintf(e->name, sizeof(e->name), "entry %ld", i);
	e->value = table[i] ? table[i]->value + 1 : 0;
	table[i] = e;
}

static long sum(void)
{
	long n = 0;

	for (long i = 0; i < ENTRIES; i++)
		n += table[i]->value;
	return n;
}

int main(int argc, char **argv)
{
	long snapshots = argc > 1 ? atol(argv[1]) : 3, sums_right = 0;

	table = goheap_alloc(ENTRIES * sizeof(*table));
	for (long i = 0; i < ENTRIES; i++)
		change(i);
	for (long s = 0; s < snapshots; s++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(sum() != s * CHANGES);
		for (long i = 0; i < CHANGES; i++)
			change(i);
		if (child < 0 || waitpid(child, &status, 0) != child)
			return 1;
		sums_right += !status;
	}
	printf("%ld snapshots, %ld of them right\n", snapshots, sums_right);
	return sums_right != snapshots;
}
