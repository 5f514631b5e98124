// SPDX-License-Identifier: MIT
/* The runner behind tap.h: every case in a process of its own, with a time limit. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

/*
 * A case takes well under 10 s natively, and the limit is there to end a
 * deadlock.  GOHEAP_TEST_SECONDS raises it for machines that are emulated.
 */
#define CASE_SECONDS	60
#define EXIT_SKIP	77
#define REPORT_FD	3	/* in the case's process: where a reason to skip goes */
#define MAX_ENV		512

extern char **environ;

static struct tap_case *cases;

void tap_register(struct tap_case *c)
{
	struct tap_case **at = &cases;

	while (*at)
		at = &(*at)->next;
	*at = c;
}

void tap_fail(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "# %s:%d: ", file, line);
	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = sizeof(text) - 2;
	text[n++] = '\n';
	/* Not stdio: the failing thread may hold none of its locks, another may hang with them. */
	if (write(STDERR_FILENO, text, n) < 0)
		_exit(2);
	_exit(1);
}

void tap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(REPORT_FD, fmt, ap);
	va_end(ap);
	_exit(EXIT_SKIP);
}

const char *tap_dir(void)
{
	static char dir[4096];
	ssize_t n;

	if (dir[0])
		return dir;
	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n <= 0)
		tap_fail(__FILE__, __LINE__, "/proc/self/exe: %s", strerror(errno));
	dir[n] = '\0';
	*strrchr(dir, '/') = '\0';
	return dir;
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return n == strcspn(b, "=") && !strncmp(a, b, n);
}

/*
 * The caller's environment without the heap's settings (the device apart, which
 * is the caller's to choose), then the case's.
 */
static void make_env(char **out, const char *const *add)
{
	static const char *const drop[] = {
		"GOHEAP_GOGC=", "GOHEAP_MEMLIMIT=", "GOHEAP_DEBUG=", "GOHEAP_HARDLIMIT=",
		"GOHEAP_POLICY=", "GOHEAP_RETAIN=",
	};
	int n = 0;

	for (char **e = environ; *e && n < MAX_ENV / 2; e++) {
		bool keep = true;

		for (size_t i = 0; i < sizeof(drop) / sizeof(drop[0]); i++)
			keep &= !same_name(*e, drop[i]);
		for (int i = 0; add && add[i]; i++)
			keep &= !same_name(*e, add[i]);
		if (keep)
			out[n++] = *e;
	}
	for (int i = 0; add && add[i] && n < MAX_ENV - 1; i++)
		out[n++] = (char *)add[i];
	out[n] = NULL;
}

/*
 * Start @name in a process of its own.  @fd in it becomes the write end of a
 * pipe whose read end is returned in @from: it ends when the process does.
 */
static pid_t start(const char *name, const char *const *env, int fd, int *from)
{
	char *argv[] = { "/proc/self/exe", "--case", (char *)name, NULL };
	posix_spawn_file_actions_t fa;
	char exe[4096], *envp[MAX_ENV];
	int p[2], err;
	ssize_t n;
	pid_t pid;

	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n <= 0 || pipe2(p, O_CLOEXEC))
		tap_fail(__FILE__, __LINE__, "pipe: %s", strerror(errno));
	exe[n] = '\0';
	argv[0] = exe;
	make_env(envp, env);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, STDERR_FILENO, STDOUT_FILENO);
	/* dup2 onto itself clears close-on-exec here, so any number will do for the pipe. */
	posix_spawn_file_actions_adddup2(&fa, p[1], fd);
	err = posix_spawn(&pid, exe, &fa, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&fa);
	close(p[1]);
	if (err)
		tap_fail(__FILE__, __LINE__, "posix_spawn: %s", strerror(err));
	*from = p[0];
	return pid;
}

/* Read what comes from @fd until it ends or the time is up, then reap @pid. */
static int finish(pid_t pid, int fd, char *buf, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int limit = getenv("GOHEAP_TEST_SECONDS") ? atoi(getenv("GOHEAP_TEST_SECONDS")) : CASE_SECONDS;
	time_t end = time(NULL) + limit;
	size_t len = 0;
	char waste[4096];
	int status;

	for (;;) {
		time_t left = end - time(NULL);
		ssize_t n;

		if (left <= 0 || poll(&pfd, 1, left * 1000) == 0) {
			fprintf(stderr, "# no end after %d s\n", limit);
			kill(pid, SIGKILL);
			break;
		}
		if (len < size - 1)
			n = read(fd, buf + len, size - 1 - len);
		else
			n = read(fd, waste, sizeof(waste));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (len < size - 1)
			len += n;
	}
	buf[len] = '\0';
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

int tap_run_helper(const char *name, const char *const *env, char *err, size_t size)
{
	int from;
	pid_t pid = start(name, env, STDERR_FILENO, &from);

	return finish(pid, from, err, size);
}

static int run_case(const char *name)
{
	for (struct tap_case *c = cases; c; c = c->next) {
		if (strcmp(c->name, name))
			continue;
		c->fn();
		fflush(NULL);
		/* Not exit(): threads of the case may still run. */
		_exit(0);
	}
	fprintf(stderr, "no case %s\n", name);
	return 2;
}

static int run_all(const char *only)
{
	int n = 0, failed = 0;

	for (struct tap_case *c = cases; c; c = c->next)
		n += c->desc && (!only || !strcmp(c->name, only));
	if (!n) {
		fprintf(stderr, "no case %s\n", only);
		return 2;
	}
	printf("TAP version 13\n1..%d\n", n);
	n = 0;
	for (struct tap_case *c = cases; c; c = c->next) {
		char reason[256];
		int from, status;
		pid_t pid;

		if (!c->desc || (only && strcmp(c->name, only)))
			continue;
		fflush(stdout);
		pid = start(c->name, c->env, REPORT_FD, &from);
		status = finish(pid, from, reason, sizeof(reason));
		n++;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			printf("ok %d - %s\n", n, c->desc);
		} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
			printf("ok %d - %s # SKIP %s\n", n, c->desc, reason);
		} else {
			printf("not ok %d - %s\n", n, c->desc);
			if (WIFSIGNALED(status))
				fprintf(stderr, "# %s: %s\n", c->name,
					strsignal(WTERMSIG(status)));
			else
				fprintf(stderr, "# %s: exit status %d\n", c->name,
					WEXITSTATUS(status));
			failed = 1;
		}
	}
	return failed;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return run_all(NULL);
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (struct tap_case *c = cases; c; c = c->next)
			if (c->desc)
				printf("%s\t%s\n", c->name, c->desc);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "--case"))
		return run_case(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "--only"))
		return run_all(argv[2]);
	fprintf(stderr, "usage: %s [--list | --only CASE]\n", argv[0]);
	return 2;
}
