// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that do what they are told (see program.c), each at the other end of
 * two pipes.  While one is busy it is watched.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "stage.h"

/* No answer takes as long. */
#define ANSWER_MS	120000

/* Of every 25 objects the first three stay: 30 of 250 MiB. */
#define KEEP		"drop 3 25"

static void buried(struct program *p)
{
	if (p->dead)
		return;
	waitpid(p->pid, &p->status, 0);
	p->dead = true;
	mark(p, WIFSIGNALED(p->status) && WTERMSIG(p->status) == SIGKILL ? "killed" : "ended");
}

/**
 * ask() - tell the program to do something, and watch until it answers
 * @p: the program
 * @fmt: the command, see program.c
 *
 * Return: true if the answer is "ok"; false if not, or if the program is dead.
 */
bool ask(struct program *p, const char *fmt, ...)
{
	struct pollfd in = { .fd = p->from, .events = POLLIN };
	uint64_t late = now_ms() + ANSWER_MS;
	char line[3200];
	va_list ap;
	ssize_t n;
	int len;

	p->got = 0;
	p->reply[0] = 0;
	if (p->dead)
		return false;
	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[len++] = '\n';
	line[len] = 0;
	n = write(p->to, line, (size_t)len);
	while (n == len && now_ms() < late) {
		look();
		if (poll(&in, 1, interval) <= 0)
			continue;
		n = read(p->from, p->reply + p->got, sizeof(p->reply) - 1 - p->got);
		if (n <= 0)
			break;
		p->got += (size_t)n;
		p->reply[p->got] = 0;
		if (p->reply[p->got - 1] == '\n')
			return !strncmp(p->reply, "ok", 2);
		n = len;
	}
	if (now_ms() >= late) {
		printf("# %s: no answer to %s", p->heap, line);
		kill(p->pid, SIGKILL);
	}
	buried(p);
	look();
	return false;
}

/**
 * answer() - a figure of the last answer
 * @p: the program
 * @key: its name
 *
 * Return: the figure, 0 if there is none.
 */
uint64_t answer(const struct program *p, const char *key)
{
	const char *at = strstr(p->reply, key);
	size_t len = strlen(key);

	return at && at[len] == '=' ? strtoull(at + len + 1, NULL, 10) : 0;
}

/* Where the program's arena is to be seen. */
static int find_arena(pid_t pid)
{
	char dir[64], name[320], to[64];
	struct dirent *d;
	int found = -1;
	ssize_t n;
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	fds = opendir(dir);
	while (fds && found < 0 && (d = readdir(fds))) {
		snprintf(name, sizeof(name), "%s/%s", dir, d->d_name);
		n = readlink(name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = 0;
		if (strcmp(to, "/dev/goheap"))
			continue;
		snprintf(name, sizeof(name), "fdinfo/%s", d->d_name);
		snprintf(dir, sizeof(dir), "/proc/%d", pid);
		found = open_in(dir, name);
		break;
	}
	if (fds)
		closedir(fds);
	return found;
}

/**
 * program_start() - a program that does what ask() says
 * @p: filled in
 * @heap: the heap it is built on
 * @g: the group it runs in, or NULL for none
 * @name: to tell it from others at the same time
 */
void program_start(struct program *p, const char *heap, struct group *g, const char *name)
{
	char path[3100], note[64];
	int to[2], from[2], fd;

	memset(p, 0, sizeof(*p));
	p->heap = heap;
	p->group = g;
	snprintf(note, sizeof(note), "/tmp/pressure-%s", name);
	fd = open(note, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4096))
		bail("%s: %s", note, strerror(errno));
	p->mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->mapped == MAP_FAILED || pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		bail("%s", strerror(errno));
	close(fd);
	*p->mapped = 0;
	snprintf(path, sizeof(path), "%s/%s", here, heap);
	p->pid = fork();
	if (p->pid < 0)
		bail("fork: %s", strerror(errno));
	if (!p->pid) {
		if (g && !put(g->path, "cgroup.procs", "0"))
			_exit(126);
		put("/proc/self", "oom_score_adj", "0");
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(path, path, note, NULL);
		fprintf(stderr, "stage: %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	p->to = to[1];
	p->from = from[0];
	p->fdinfo = -1;
	if (!ask(p, "stats"))
		bail("%s does not start", path);
	p->fdinfo = find_arena(p->pid);
	p->base = g ? charged_to(p) : 0;
}

/**
 * idle_start() - a program that sits idle outside the groups
 * @p: filled in
 * @heap: the heap it is built on
 *
 * What is mapped from files, the program
 * itself, is charged where it is first used, and not to the group.  Evicting and
 * reading that again can keep a group at its limit busy for minutes.
 */
void idle_start(struct program *p, const char *heap)
{
	program_start(p, heap, NULL, "idle");
	ask(p, "grow 1");
	ask(p, "verify");
	ask(p, "drop 0 1");
	ask(p, "collect");
}

/**
 * program_end() - undo program_start()
 * @p: the program, dead or alive
 */
void program_end(struct program *p)
{
	close(p->to);
	close(p->from);
	if (!p->dead) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, &p->status, 0);
	}
	if (p->fdinfo >= 0)
		close(p->fdinfo);
	munmap((void *)p->mapped, 4096);
	put("/proc/sys/vm", "drop_caches", "3");
}

/**
 * grow_and_drop() - the heap as all scenarios but d need it
 * @p: the program: 250 MiB are grown, 220 of them let go of
 * @collect: and collected
 */
void grow_and_drop(struct program *p, bool collect)
{
	if (!ask(p, "grow %llu", GROWN))
		bail("%s: the heap does not grow to %llu MiB: %s", p->heap, GROWN, p->reply);
	mark(p, "free");
	ask(p, KEEP);
	if (collect)
		ask(p, "collect");
}
