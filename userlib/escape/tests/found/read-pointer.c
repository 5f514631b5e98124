/* SPDX-License-Identifier: MIT */
/* Catches: a pointer that was read from a file. */
#include "found.h"
static struct node job;
static NI void worker(int fd)
{
	struct node *j = NULL, *n = NEW;
	read(fd, &j, sizeof j);
	n->v = 42;
	j->next = n;
}
static NI void worker2(const char *s)
{
	struct node *j = NULL, *n = NEW;
	sscanf(s, "%p", (void **)&j);
	n->v = 43;
	j->next = n;
}
int main(void)
{
	int p[2];
	pipe(p);
	struct node *j = &job;
	write(p[1], &j, sizeof j);
	worker(p[0]);
	dirt();
	printf("%s ", job.next->v == 42 ? "ok" : "WRONG");
	char b[40];
	sprintf(b, "%p", j);
	worker2(b);
	dirt();
	printf("%s\n", job.next->v == 43 ? "ok" : "WRONG");
}
