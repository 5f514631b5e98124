// SPDX-License-Identifier: GPL-2.0
/*
 * Scenario c: stress-ng takes all memory of the machine, while the heap is mostly
 * free pages.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "stage.h"

#define STRESS_NG	"/usr/bin/stress-ng"

static pid_t stress(uint64_t bytes)
{
	char size[32];
	pid_t pid;
	int fd;

	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	pid = fork();
	if (pid)
		return pid;
	setpgid(0, 0);
	put("/proc/self", "oom_score_adj", "0");
	fd = open("/dev/null", O_RDWR);
	dup2(fd, 1);
	dup2(fd, 2);
	if (chdir("/tmp"))
		_exit(126);
	execl(STRESS_NG, STRESS_NG, "--vm", "2", "--vm-bytes", size, "--vm-keep", "--vm-method",
	      "write64", "--oomable", "--timeout", "100", "--temp-path", "/tmp", NULL);
	_exit(127);
}

void scenario_c(const char *heap)
{
	uint64_t total = value_in(reread(meminfo), "MemTotal"), kills, from, end;
	uint64_t before, retained_before, at_kill = 0, retained_at_kill = NONE;
	const struct sample *last = NULL;
	struct program p;
	struct group g;
	bool intact, alive, killed;
	int status;
	pid_t pid;

	group_make(&g, "c", NONE);
	program_start(&p, heap, &g, "c");
	watch(&p);
	grow_and_drop(&p, true);
	look();
	kills = samples[nsamples - 1].kills;
	before = heap_of(&p);
	retained_before = arena(&p, "GoheapRetained");
	from = now_ms() - started;
	mark(&p, "stress-ng");
	interval = 10;
	/* Two workers share it: more than there is. */
	pid = stress(total / 10 * 12);
	end = now_ms() + 90000;
	do {
		struct timespec pause = { .tv_nsec = interval * 1000000L };

		last = nsamples ? &samples[nsamples - 1] : NULL;
		nanosleep(&pause, NULL);
		look();
		killed = samples[nsamples - 1].kills != kills;
	} while (!killed && now_ms() < end && waitpid(pid, &status, WNOHANG) == 0);
	if (killed && last) {
		mark(&p, "first OOM kill");
		at_kill = last->heap;
		retained_at_kill = last->retained;
	}
	kill(-pid, SIGKILL);
	while (waitpid(-pid, &status, 0) > 0)
		;
	interval = 50;
	alive = ask(&p, "stats");
	intact = ask(&p, "verify");
	row(&p, "killed=%d died=- kills=%llu heap_before=%llu heap_at_kill=%llu lowest=%llu "
	    "retained_before=%lld retained_at_kill=%lld until_ms=%lld kill_ms=%lld alive=%d intact=%d",
	    !alive, (unsigned long long)(samples[nsamples - 1].kills - kills),
	    (unsigned long long)before, (unsigned long long)at_kill,
	    (unsigned long long)lowest(from), (long long)retained_before, (long long)retained_at_kill,
	    until(from, GIVEN_BACK),
	    last ? (long long)(last->ms - from) : -1LL, alive, intact);
	print_samples(&p);

	check(killed, &p, "memory runs out");
	if (is_ours(&p)) {
		check(retained_before > 200 * MIB, &p, "free pages are there before");
		check(retained_at_kill == 0, &p, "when something is first killed, none is left");
	}
	check(alive && intact, &p, "what is live is as it was");
	program_end(&p);
	group_remove(&g);
}
