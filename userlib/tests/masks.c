// SPDX-License-Identifier: MIT
/*
 * Catches: a way for the program to block the stop signal, or to take it away from its
 * handler, so that a collection waits for ever; and a program that does not get back
 * what it set.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { N = 64, WAKE = SIGUSR2, STOP = SIGPWR };

static uintptr_t hidden[N];
static atomic_int ready, woken;
static int pipes[2];
static sigset_t all, all_but_wake;

static void on_wake(int sig)
{
	(void)sig;
	woken++;
}

/* Each ends when WAKE comes, or a byte in the pipe; and blocks all it can meanwhile. */
static void in_ppoll(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	CHECK_CMP(ppoll(&p, 1, NULL, &all), ==, 1);
}

static void in_pselect(void)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(pipes[0], &in);
	CHECK_CMP(pselect(pipes[0] + 1, &in, NULL, NULL, NULL, &all), ==, 1);
}

static int epoll_of_pipe(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	CHECK_CMP(fd, >=, 0);
	CHECK(!epoll_ctl(fd, EPOLL_CTL_ADD, pipes[0], &e));
	return fd;
}

static void in_epoll_pwait(void)
{
	struct epoll_event e;

	CHECK_CMP(epoll_pwait(epoll_of_pipe(), &e, 1, -1, &all), ==, 1);
}

static void in_epoll_pwait2(void)
{
	struct epoll_event e;

	CHECK_CMP(epoll_pwait2(epoll_of_pipe(), &e, 1, NULL, &all), ==, 1);
}

static void in_sigsuspend(void)
{
	CHECK_ERR(sigsuspend(&all_but_wake), -1, EINTR);
	CHECK_CMP(woken, ==, 1);
}

static void in_sigpause(void)
{
	sigset_t usual;

	CHECK(!sigprocmask(SIG_SETMASK, &all, &usual));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	CHECK_ERR(sigpause(WAKE), -1, EINTR);
#pragma GCC diagnostic pop
	CHECK_CMP(woken, ==, 1);
	CHECK(!sigprocmask(SIG_SETMASK, &usual, NULL));
}

static void block_all(void)
{
	CHECK(!pthread_sigmask(SIG_SETMASK, &all, NULL));
}

static void in_sigwait(void)
{
	int sig;

	block_all();
	CHECK(!sigwait(&all, &sig));
	CHECK_CMP(sig, ==, WAKE);
}

static void in_sigwaitinfo(void)
{
	block_all();
	CHECK_CMP(sigwaitinfo(&all, NULL), ==, WAKE);
}

static void in_sigtimedwait(void)
{
	struct timespec long_time = { 600, 0 };

	block_all();
	CHECK_CMP(sigtimedwait(&all, NULL, &long_time), ==, WAKE);
}

static void in_signalfd(void)
{
	struct signalfd_siginfo info;
	int fd;

	block_all();
	fd = signalfd(-1, &all, 0);
	CHECK_CMP(fd, >=, 0);
	CHECK_CMP(read(fd, &info, sizeof(info)), ==, sizeof(info));
	CHECK_CMP(info.ssi_signo, ==, WAKE);
}

static void wait_in_handler(int sig)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	(void)sig;
	CHECK_CMP(poll(&p, 1, -1), ==, 1);
}

static void in_handler(void)
{
	struct sigaction sa = { .sa_handler = wait_in_handler };

	sa.sa_mask = all;
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	CHECK(!raise(SIGUSR1));
}

static void after_sigblock(void)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	int before = sigblock(0);

	CHECK(!(before & (1 << (STOP - 1))));
	CHECK_CMP(sigblock(~0), ==, before);
	CHECK(sigsetmask(~0) & (1 << (STOP - 1)));
	CHECK(!sighold(STOP));
#pragma GCC diagnostic pop
	in_ppoll();
}

struct way {
	void (*block)(void);
	bool own_mask;		/* made with pthread_attr_setsigmask_np() */
	bool by_signal;		/* it is WAKE that ends it */
};

static void *hold(void *arg)
{
	const struct way *w = arg;
	void *volatile place[N];

	canaries_make((void **)place, hidden, N);
	ready = 1;
	w->block();
	for (int i = 0; i < N; i++)
		CHECK(canary_ok(place[i], i));
	ready = 2;
	/* Where the signal would be blocked for good. */
	while (ready == 2)
		sleep_ms(1);
	return NULL;
}

static void blocking(void (*block)(void), bool by_signal, bool own_mask)
{
	struct sigaction sa = { .sa_handler = on_wake };
	struct way w = { block, own_mask, by_signal };
	pthread_attr_t attr;
	pthread_t thread;

	CHECK(!sigaction(WAKE, &sa, NULL));
	sigfillset(&all);
	all_but_wake = all;
	sigdelset(&all_but_wake, WAKE);
	CHECK(!pipe(pipes));
	pthread_attr_init(&attr);
	if (own_mask)
		CHECK(!pthread_attr_setsigmask_np(&attr, &all));
	CHECK(!pthread_create(&thread, &attr, hold, &w));
	while (!ready)
		sleep_ms(1);
	for (int i = 0; i < 5; i++) {
		sleep_ms(10);
		collect_hard();
		CHECK_CMP(ready, ==, 1);
		CHECK_CMP(canaries_alive(hidden, N), ==, N);
	}
	if (by_signal)
		CHECK(!pthread_kill(thread, WAKE));
	else
		CHECK_CMP(write(pipes[1], "x", 1), ==, 1);
	while (ready == 1)
		sleep_ms(1);
	collect_hard();
	ready = 3;
	CHECK(!pthread_join(thread, NULL));
}

#define BLOCKING(id, name, by_signal)						\
	CASE(id, "a thread in " name " with every signal blocked: collections end")	\
	{									\
		blocking(in_##id, by_signal, false);				\
	}

BLOCKING(ppoll, "ppoll()", false)
BLOCKING(pselect, "pselect()", false)
BLOCKING(epoll_pwait, "epoll_pwait()", false)
BLOCKING(epoll_pwait2, "epoll_pwait2()", false)
BLOCKING(sigsuspend, "sigsuspend()", true)
BLOCKING(sigpause, "sigpause()", true)
BLOCKING(sigwait, "sigwait()", true)
BLOCKING(sigwaitinfo, "sigwaitinfo()", true)
BLOCKING(sigtimedwait, "sigtimedwait()", true)
BLOCKING(signalfd, "read() from a signalfd()", true)

CASE(handler, "a thread in a handler with every signal blocked: collections end")
{
	if (TSAN)
		tap_skip("TSan blocks all signals in a handler");
	blocking(in_handler, false, false);
}

CASE(bsd, "a thread after sigblock(), sigsetmask() and sighold()")
{
	blocking(after_sigblock, false, false);
}

CASE(attribute, "a thread made with pthread_attr_setsigmask_np()")
{
	blocking(in_ppoll, false, true);
}

static void *ask_mask(void *arg)
{
	CHECK(!pthread_sigmask(SIG_BLOCK, NULL, arg));
	return NULL;
}

static bool thread_has_it(const pthread_attr_t *attr)
{
	pthread_t thread;
	sigset_t set;

	CHECK(!pthread_create(&thread, attr, ask_mask, &set));
	CHECK(!pthread_join(thread, NULL));
	CHECK(!sigismember(&set, SIGUSR1));
	return sigismember(&set, STOP);
}

CASE(reported, "masks read as they were set, by the thread and by those it makes")
{
	pthread_attr_t attr;
	sigset_t set, old, *volatile same;

	sigemptyset(&set);
	sigaddset(&set, STOP);
	CHECK(!pthread_sigmask(SIG_BLOCK, &set, &old));
	CHECK(!sigismember(&old, STOP));
	CHECK(thread_has_it(NULL));
	/* The two may be one. */
	old = set;
	same = &old;
	CHECK(!pthread_sigmask(SIG_UNBLOCK, same, &old));
	CHECK(sigismember(&old, STOP));
	CHECK(!thread_has_it(NULL));
	pthread_attr_init(&attr);
	CHECK(!pthread_attr_setsigmask_np(&attr, &set));
	CHECK(thread_has_it(&attr));
	CHECK(!sigprocmask(SIG_SETMASK, &set, &old));
	CHECK(!sigismember(&old, STOP));
	sigemptyset(&set);
	CHECK(!pthread_attr_setsigmask_np(&attr, &set));
	CHECK(!thread_has_it(&attr));
	CHECK(!sigprocmask(SIG_SETMASK, &set, &old));
	CHECK(sigismember(&old, STOP));
	CHECK(!sigprocmask(SIG_BLOCK, NULL, &old));
	CHECK(!sigismember(&old, STOP));
	collect_hard();
}

static void with_info(int sig, siginfo_t *info, void *context)
{
	CHECK_CMP(info->si_signo, ==, sig);
	CHECK(context);
	woken += 100;
}

CASE(actions, "handlers read as they were installed, and get what they asked for")
{
	struct sigaction sa = { .sa_handler = on_wake, .sa_flags = SA_RESTART }, old;

	if (TSAN)
		tap_skip("TSan has handlers of its own");
	sigfillset(&sa.sa_mask);
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	CHECK(!raise(SIGUSR1));
	CHECK_CMP(woken, ==, 1);
	sa.sa_sigaction = with_info;
	sa.sa_flags = SA_SIGINFO;
	sigemptyset(&sa.sa_mask);
	CHECK(!sigaction(SIGUSR1, &sa, &old));
	CHECK(old.sa_handler == on_wake);
	CHECK_CMP(old.sa_flags & (SA_RESTART | SA_SIGINFO), ==, SA_RESTART);
	CHECK(sigismember(&old.sa_mask, STOP) && sigismember(&old.sa_mask, SIGHUP));
	CHECK(!raise(SIGUSR1));
	CHECK_CMP(woken, ==, 101);
	CHECK(signal(SIGUSR1, on_wake) == (void (*)(int))(void (*)(void))with_info);
	CHECK(!sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == on_wake);
	CHECK(!(old.sa_flags & SA_SIGINFO) && !sigismember(&old.sa_mask, STOP));
	CHECK(!raise(SIGUSR1));
	CHECK_CMP(woken, ==, 102);
	CHECK(sysv_signal(SIGUSR1, on_wake) == on_wake);
	CHECK(!raise(SIGUSR1));
	CHECK_CMP(woken, ==, 103);
	/* It was for one signal. */
	CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
	CHECK(!raise(SIGUSR1));
	CHECK(signal(SIGUSR1, on_wake) == SIG_IGN);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	CHECK(!siginterrupt(SIGUSR1, 1));
#pragma GCC diagnostic pop
	CHECK(!raise(SIGUSR1));
	CHECK_CMP(woken, ==, 104);
	CHECK_ERR(sigaction(0, NULL, &old), -1, EINVAL);
	CHECK_ERR(sigaction(SIGKILL, &sa, NULL), -1, EINVAL);
	CHECK_ERR(sigaction(SIGUSR1 + 1000, &sa, NULL), -1, EINVAL);
	CHECK(!sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == on_wake);
}

CASE(own, "the stop signal's action cannot be changed")
{
	struct sigaction sa = { .sa_handler = on_wake };

	CHECK_ERR(sigaction(STOP, &sa, NULL), -1, EINVAL);
	CHECK(!sigaction(STOP, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	CHECK_ERR(signal(STOP, on_wake) == SIG_ERR, true, EINVAL);
	collect_hard();
}

/* Its argument: "1" if the stop signal is to be blocked, as the program was started. */
static bool blocked_in_truth(pid_t pid)
{
	unsigned long long mask = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "SigBlk: %llx", &mask);
	fclose(f);
	return mask >> (STOP - 1) & 1;
}

/* A cat that has begun to read is a program that has been executed. */
static void check_child(pid_t pid, const int *to, const int *from, bool want)
{
	char c;

	CHECK_CMP(write(to[1], "x", 1), ==, 1);
	CHECK_CMP(read(from[0], &c, 1), ==, 1);
	CHECK_CMP(blocked_in_truth(pid), ==, want);
	CHECK(!kill(pid, SIGKILL));
	CHECK_CMP(waitpid(pid, NULL, 0), ==, pid);
}

static void child_has(bool want)
{
	char *argv[] = { "cat", NULL };
	posix_spawn_file_actions_t fa;
	int to[2], from[2];
	pid_t pid;

	CHECK(!pipe(to) && !pipe(from));
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, to[0], 0);
	posix_spawn_file_actions_adddup2(&fa, from[1], 1);
	CHECK(!posix_spawnp(&pid, "cat", &fa, NULL, argv, environ));
	check_child(pid, to, from, want);
	posix_spawn_file_actions_destroy(&fa);
	for (int way = 0; way < 4; way++) {
		pid = fork();
		CHECK_CMP(pid, >=, 0);
		if (!pid) {
			dup2(to[0], 0);
			dup2(from[1], 1);
			/* One that fails leaves things as they are. */
			execl("/nonexistent", "x", NULL);
			if (blocked_in_truth(getpid()))
				_exit(1);
			if (way == 0)
				execlp("cat", "cat", NULL);
			else if (way == 1)
				execvp("cat", argv);
			else if (way == 2)
				execl("/bin/cat", "cat", "-u", NULL);
			else
				execle("/bin/cat", "cat", "-", NULL, environ);
			_exit(1);
		}
		check_child(pid, to, from, want);
	}
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		close(from[i]);
	}
	CHECK(!blocked_in_truth(getpid()));
}

CASE(executed, "programs that are executed have the mask that was set")
{
	sigset_t set;

	CHECK(goheap_alloc(16));
	child_has(false);
	sigemptyset(&set);
	sigaddset(&set, STOP);
	CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
	child_has(true);
	CHECK(!sigprocmask(SIG_UNBLOCK, &set, NULL));
	child_has(false);
}

/* Past all wrappers. */
static void *truly_deaf(void *arg)
{
	uint64_t mask = 1ull << (STOP - 1);

	(void)arg;
	CHECK(!pthread_setname_np(pthread_self(), "deaf one"));
	CHECK(!syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8));
	ready = 1;
	sleep_ms(700);
	CHECK(!syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, NULL, 8));
	return NULL;
}

HELPER(stubborn)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, truly_deaf, NULL));
	while (!ready)
		sleep_ms(1);
	goheap_collect();
	CHECK(!pthread_join(thread, NULL));
}

CASE(named, "a thread that blocks the signal past the library is named, and why")
{
	static const char *const env[] = { "GOHEAP_DEBUG=stopwaitms=200", NULL };
	char err[4096];

	CHECK_CMP(tap_run_helper("stubborn", env, err, sizeof(err)), ==, 0);
	CHECK(strstr(err, "(deaf one) does not stop: it blocks signal 30, state S"));
}
