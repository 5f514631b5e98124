// SPDX-License-Identifier: GPL-2.0
/*
 * Runs several commands in turn, round after round, and says what each took:
 * wall clock, processor time and peak RSS.  Alternating them within one run is
 * what makes their ratios mean something on a machine that is busy by fits.
 *
 * A program of its own, and a small one, because a child's peak RSS counts from
 * fork(): a child of an interpreter would never show less than the interpreter.
 *
 * Output, separated by tabs:
 *	run LABEL ROUND WALL_NS USER_US SYS_US MAXRSS_KIB STATUS
 *	out LABEL ROUND a line that the command wrote to its standard output
 *	err LABEL ROUND a line that it wrote to its standard error
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char out_path[] = "/tmp/goheap-measure-out-XXXXXX";
static char err_path[] = "/tmp/goheap-measure-err-XXXXXX";
static int out_fd, err_fd;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int scratch(char *path)
{
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		die(path);
	unlink(path);
	return fd;
}

static void rewind_fd(int fd, int truncate)
{
	if (lseek(fd, 0, SEEK_SET) < 0 || (truncate && ftruncate(fd, 0)))
		die("scratch file");
}

/* Every line of @fd, behind a word that says where it came from. */
static void forward(const char *word, int fd, const char *label, int round)
{
	char *line = NULL;
	size_t cap = 0;
	FILE *f;

	rewind_fd(fd, 0);
	f = fdopen(dup(fd), "r");
	if (!f)
		die("scratch file");
	while (getline(&line, &cap, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		printf("%s\t%s\t%d\t%s\n", word, label, round, line);
	}
	free(line);
	fclose(f);
}

static void run(const char *label, const char *command, int round)
{
	struct rusage ru;
	uint64_t t0;
	int status;
	pid_t pid;

	rewind_fd(out_fd, 1);
	rewind_fd(err_fd, 1);
	fflush(stdout);
	t0 = now();
	pid = vfork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		dup2(out_fd, 1);
		dup2(err_fd, 2);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &ru) < 0)
		die("wait");
	t0 = now() - t0;
	printf("run\t%s\t%d\t%llu\t%lld\t%lld\t%ld\t%d\n", label, round,
	       (unsigned long long)t0,
	       ru.ru_utime.tv_sec * 1000000LL + ru.ru_utime.tv_usec,
	       ru.ru_stime.tv_sec * 1000000LL + ru.ru_stime.tv_usec, ru.ru_maxrss,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	forward("out", out_fd, label, round);
	forward("err", err_fd, label, round);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 0;

	if (argc < 3 || rounds < 1) {
		fputs("measure: usage: measure ROUNDS LABEL=COMMAND...\n", stderr);
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		if (!strchr(argv[i], '=')) {
			fprintf(stderr, "measure: %s: no LABEL= before it\n", argv[i]);
			return 2;
		}
	}
	out_fd = scratch(out_path);
	err_fd = scratch(err_path);
	for (int round = 0; round < rounds; round++) {
		for (int i = 2; i < argc; i++) {
			char *eq = strchr(argv[i], '=');

			*eq = '\0';
			run(argv[i], eq + 1, round);
			*eq = '=';
		}
	}
	return 0;
}
