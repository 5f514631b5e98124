// SPDX-License-Identifier: MIT
/*
 * Catches: a blocking call that fails with EINTR, ends early or never because other threads
 * collect; and one that goes on though a handler of the program's has run.
 */
#include <aio.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

#define WAIT_S	0.3
#define WAIT_MS	300
#define WAIT_TS	((struct timespec){ .tv_nsec = WAIT_MS * 1000000L })

static int pipes[2];		/* nothing comes */
static atomic_int stop, handled, in_call;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void *collect_all_the_time(void *arg)
{
	(void)arg;
	while (!stop) {
		struct timespec t = { .tv_nsec = 1000000 };

		goheap_collect();
		nanosleep(&t, NULL);
	}
	return NULL;
}

static pthread_t storm(void)
{
	pthread_t thread;

	CHECK(!pipe(pipes));
	CHECK(!pthread_create(&thread, NULL, collect_all_the_time, NULL));
	while (stats().num_gc < 2)
		sleep_ms(1);
	return thread;
}

static void calm(pthread_t thread)
{
	stop = 1;
	CHECK(!pthread_join(thread, NULL));
}

/*
 * Calls with a time limit: each returns what it should when the time is up.
 */
static void by_nanosleep(void)
{
	struct timespec t = WAIT_TS;

	CHECK_CMP(nanosleep(&t, &t), ==, 0);
}

static void by_clock_nanosleep(void)
{
	struct timespec t = WAIT_TS;

	CHECK_CMP(clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL), ==, 0);
}

static void by_clock_nanosleep_abs(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += WAIT_MS * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	CHECK_CMP(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), ==, 0);
}

static void by_usleep(void)
{
	CHECK_CMP(usleep(WAIT_MS * 1000), ==, 0);
}

static void by_sleep(void)
{
	CHECK_CMP(sleep(1), ==, 0);
}

static void by_thrd_sleep(void)
{
	struct timespec t = WAIT_TS;

	CHECK_CMP(thrd_sleep(&t, NULL), ==, 0);
}

static void by_poll(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	CHECK_CMP(poll(&p, 1, WAIT_MS), ==, 0);
}

/* As _FORTIFY_SOURCE has it. */
int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t bytes);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		const sigset_t *mask, size_t bytes);

static void by_poll_chk(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	CHECK_CMP(__poll_chk(&p, 1, WAIT_MS, sizeof(p)), ==, 0);
}

static void by_ppoll_chk(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	CHECK_CMP(__ppoll_chk(&p, 1, &WAIT_TS, NULL, sizeof(p)), ==, 0);
}

static void by_ppoll(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	CHECK_CMP(ppoll(&p, 1, &WAIT_TS, NULL), ==, 0);
}

static void by_select(void)
{
	struct timeval t = { .tv_usec = WAIT_MS * 1000 };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(pipes[0], &in);
	CHECK_CMP(select(pipes[0] + 1, &in, NULL, NULL, &t), ==, 0);
	CHECK(!FD_ISSET(pipes[0], &in));
}

static void by_pselect(void)
{
	CHECK_CMP(pselect(0, NULL, NULL, NULL, &WAIT_TS, NULL), ==, 0);
}

static void by_epoll_wait(void)
{
	struct epoll_event e;
	int fd = epoll_create1(0);

	CHECK_CMP(epoll_wait(fd, &e, 1, WAIT_MS), ==, 0);
	close(fd);
}

static void by_epoll_pwait(void)
{
	struct epoll_event e;
	int fd = epoll_create1(0);

	CHECK_CMP(epoll_pwait(fd, &e, 1, WAIT_MS, NULL), ==, 0);
	close(fd);
}

static void by_epoll_pwait2(void)
{
	struct epoll_event e;
	int fd = epoll_create1(0);

	CHECK_CMP(epoll_pwait2(fd, &e, 1, &WAIT_TS, NULL), ==, 0);
	close(fd);
}

static void by_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(!pthread_sigmask(SIG_BLOCK, &set, NULL));
	CHECK_ERR(sigtimedwait(&set, NULL, &WAIT_TS), -1, EAGAIN);
}

static void by_semtimedop(void)
{
	struct sembuf down = { .sem_op = -1 };
	int id = semget(IPC_PRIVATE, 1, 0600);

	CHECK_CMP(id, >=, 0);
	CHECK_ERR(semtimedop(id, &down, 1, &WAIT_TS), -1, EAGAIN);
	CHECK(!semctl(id, 0, IPC_RMID));
}

static void by_sem_timedwait(void)
{
	struct timespec t;
	sem_t sem;

	CHECK(!sem_init(&sem, 0, 0));
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += WAIT_MS * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	CHECK_ERR(sem_timedwait(&sem, &t), -1, ETIMEDOUT);
}

static void by_sem_clockwait(void)
{
	struct timespec t;
	sem_t sem;

	CHECK(!sem_init(&sem, 0, 0));
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += WAIT_MS * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	CHECK_ERR(sem_clockwait(&sem, CLOCK_MONOTONIC, &t), -1, ETIMEDOUT);
}

static void by_aio_suspend(void)
{
	char c;
	struct aiocb aio = { .aio_fildes = pipes[0], .aio_buf = &c, .aio_nbytes = 1 };
	const struct aiocb *list[] = { &aio };

	CHECK(!aio_read(&aio));
	CHECK_ERR(aio_suspend(list, 1, &WAIT_TS), -1, EAGAIN);
	CHECK_CMP(write(pipes[1], "x", 1), ==, 1);
	CHECK(!aio_suspend(list, 1, NULL));
	CHECK_CMP(aio_return(&aio), ==, 1);
}

static void lasts(void (*fn)(void), double most)
{
	pthread_t thread = storm();
	uint64_t before = stats().num_gc;
	double start = seconds(), took;

	fn();
	took = seconds() - start;
	CHECK_CMP((int)(took * 1000), >=, WAIT_MS - 1);
	/* In milliseconds; a machine may be busy with other things, but not for ever. */
	CHECK_CMP((int)(took * 1000), <, (int)(most * 1000));
	CHECK_CMP(stats().num_gc, >, before + 2);
	calm(thread);
}

#define LASTS(id, name)								\
	CASE(id, name " lasts as long as it was asked to, whoever collects")	\
	{									\
		lasts(by_##id, 20);						\
	}

LASTS(nanosleep, "nanosleep()")
LASTS(clock_nanosleep, "clock_nanosleep()")
LASTS(clock_nanosleep_abs, "clock_nanosleep() till a point in time")
LASTS(usleep, "usleep()")
LASTS(sleep, "sleep()")
LASTS(thrd_sleep, "thrd_sleep()")
LASTS(poll, "poll()")
LASTS(poll_chk, "poll() of a program compiled with _FORTIFY_SOURCE")
LASTS(ppoll, "ppoll()")
LASTS(ppoll_chk, "ppoll() of a program compiled with _FORTIFY_SOURCE")
LASTS(select, "select()")
LASTS(pselect, "pselect()")
LASTS(epoll_wait, "epoll_wait()")
LASTS(epoll_pwait, "epoll_pwait()")
LASTS(epoll_pwait2, "epoll_pwait2()")
LASTS(sigtimedwait, "sigtimedwait()")
LASTS(semtimedop, "semtimedop()")
LASTS(sem_timedwait, "sem_timedwait()")
LASTS(sem_clockwait, "sem_clockwait()")
LASTS(aio_suspend, "aio_suspend()")

/*
 * Calls without: each waits for what kick() brings after a while.
 */
static int id;
static sigset_t wake;

static void till_poll(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	CHECK_CMP(poll(&p, 1, -1), ==, 1);
}

static void kick_pipe(pthread_t thread)
{
	(void)thread;
	CHECK_CMP(write(pipes[1], "x", 1), ==, 1);
}

static void till_select(void)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(pipes[0], &in);
	CHECK_CMP(select(pipes[0] + 1, &in, NULL, NULL, NULL), ==, 1);
}

static void till_semop(void)
{
	struct sembuf down = { .sem_op = -1 };

	CHECK_CMP(semop(id, &down, 1), ==, 0);
}

static void kick_semaphore(pthread_t thread)
{
	struct sembuf up = { .sem_op = 1 };

	(void)thread;
	CHECK(!semop(id, &up, 1));
	sleep_ms(50);
	CHECK(!semctl(id, 0, IPC_RMID));
}

static struct message {
	long type;
	char text[4000];
} message = { .type = 1 }, received;

static void till_msgrcv(void)
{
	CHECK_CMP(msgrcv(id, &received, sizeof(received.text), 0, 0), ==, 10);
}

static void kick_queue(pthread_t thread)
{
	(void)thread;
	CHECK(!msgsnd(id, &message, 10, 0));
	sleep_ms(50);
	CHECK(!msgctl(id, IPC_RMID, NULL));
}

static void till_msgsnd(void)
{
	CHECK_CMP(msgsnd(id, &message, sizeof(message.text), 0), ==, 0);
}

static void fill_queue(void)
{
	while (!msgsnd(id, &message, sizeof(message.text), IPC_NOWAIT))
		;
	CHECK_CMP(errno, ==, EAGAIN);
}

static void drain_queue(pthread_t thread)
{
	(void)thread;
	while (msgrcv(id, &received, sizeof(received.text), 0, IPC_NOWAIT) > 0)
		;
	CHECK_CMP(errno, ==, ENOMSG);
	sleep_ms(50);
	CHECK(!msgctl(id, IPC_RMID, NULL));
}

static void till_pause(void)
{
	CHECK_ERR(pause(), -1, EINTR);
	CHECK_CMP(handled, ==, 1);
}

static void till_sigsuspend(void)
{
	sigset_t none;

	sigemptyset(&none);
	CHECK_ERR(sigsuspend(&none), -1, EINTR);
	CHECK_CMP(handled, ==, 1);
}

static void till_sigwaitinfo(void)
{
	CHECK_CMP(sigwaitinfo(&wake, NULL), ==, SIGUSR2);
}

static void kick_signal(pthread_t thread)
{
	CHECK(!pthread_kill(thread, SIGUSR2));
}

/* With @blocked the signal that ends it is blocked till then. */
static bool blocked;

static void *run_it(void *fn)
{
	if (blocked)
		CHECK(!pthread_sigmask(SIG_BLOCK, &wake, NULL));
	in_call = 1;
	((void (*)(void))fn)();
	in_call = 2;
	return NULL;
}

static void waits(void (*fn)(void), void (*kick)(pthread_t))
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pthread_t thread = storm(), waiter;
	uint64_t before;

	sigemptyset(&wake);
	sigaddset(&wake, SIGUSR2);
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	CHECK(!pthread_create(&waiter, NULL, run_it, (void *)fn));
	while (!in_call)
		sleep_ms(1);
	before = stats().num_gc;
	sleep_ms(100);
	CHECK_CMP(in_call, ==, 1);
	CHECK_CMP(stats().num_gc, >, before + 2);
	kick(waiter);
	CHECK(!pthread_join(waiter, NULL));
	calm(thread);
}

CASE(poll_forever, "poll() without a limit waits till there is something")
{
	waits(till_poll, kick_pipe);
}

CASE(select_forever, "select() without a limit")
{
	waits(till_select, kick_pipe);
}

CASE(semop, "semop()")
{
	id = semget(IPC_PRIVATE, 1, 0600);
	CHECK_CMP(id, >=, 0);
	waits(till_semop, kick_semaphore);
}

CASE(msgrcv, "msgrcv()")
{
	id = msgget(IPC_PRIVATE, 0600);
	CHECK_CMP(id, >=, 0);
	waits(till_msgrcv, kick_queue);
}

CASE(msgsnd, "msgsnd()")
{
	id = msgget(IPC_PRIVATE, 0600);
	CHECK_CMP(id, >=, 0);
	fill_queue();
	waits(till_msgsnd, drain_queue);
}

CASE(pause, "pause() waits for a signal of the program's")
{
	waits(till_pause, kick_signal);
}

CASE(sigsuspend, "sigsuspend()")
{
	blocked = true;
	waits(till_sigsuspend, kick_signal);
}

CASE(sigwaitinfo, "sigwaitinfo()")
{
	blocked = true;
	waits(till_sigwaitinfo, kick_signal);
}

/*
 * The program's own signals: what they break off must not go on.  The handler comes
 * while collections go on, so that both come together often.
 */
static void (*broken_call)(const sigset_t *mask);
static atomic_int rounds;

static void broken_ppoll(const sigset_t *mask)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	CHECK_ERR(ppoll(&p, 1, NULL, mask), -1, EINTR);
}

static void broken_pselect(const sigset_t *mask)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(pipes[0], &in);
	CHECK_ERR(pselect(pipes[0] + 1, &in, NULL, NULL, NULL, mask), -1, EINTR);
	CHECK(FD_ISSET(pipes[0], &in));
}

static void broken_epoll_pwait(const sigset_t *mask)
{
	static int fd = -1;
	struct epoll_event e;

	if (fd < 0)
		fd = epoll_create1(0);
	CHECK_ERR(epoll_pwait(fd, &e, 1, -1, mask), -1, EINTR);
}

static void broken_sigsuspend(const sigset_t *mask)
{
	CHECK_ERR(sigsuspend(mask), -1, EINTR);
}

/*
 * The signal is blocked but in the call, so none comes too early; and every one must end one
 * call.
 */
static void *be_broken(void *arg)
{
	sigset_t mask;

	(void)arg;
	CHECK(!pthread_sigmask(SIG_BLOCK, &wake, &mask));
	in_call = 1;
	for (int i = 1; i <= rounds; i++) {
		broken_call(&mask);
		CHECK_CMP(handled, ==, i);
		in_call = i + 1;
	}
	return NULL;
}

static void breaks(void (*fn)(const sigset_t *), int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };
	pthread_t thread, waiter;
	uint64_t seed = 1;

	if (TSAN)
		tap_skip("TSan puts the program's own signals off");
	rounds = 1000;
	broken_call = fn;
	sigemptyset(&wake);
	sigaddset(&wake, SIGUSR2);
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	thread = storm();
	CHECK(!pthread_create(&waiter, NULL, be_broken, NULL));
	for (int i = 1; i <= rounds; i++) {
		while (in_call < i)
			sched_yield();
		for (int spin = rnd(&seed) % 3000; spin; spin--)
			__asm__ volatile("");
		/* Most of them from inside of a collection. */
		if (i % 4)
			goheap_collect();
		CHECK(!pthread_kill(waiter, SIGUSR2));
		if (i % 2)
			goheap_collect();
	}
	CHECK(!pthread_join(waiter, NULL));
	CHECK_CMP(handled, ==, rounds);
	calm(thread);
}

#define BREAKS(id, name)							\
	CASE(breaks_##id, "a handler of the program's ends " name ", 1,000 times")	\
	{									\
		breaks(broken_##id, 0);						\
	}

BREAKS(ppoll, "ppoll()")
BREAKS(pselect, "pselect()")
BREAKS(epoll_pwait, "epoll_pwait()")
BREAKS(sigsuspend, "sigsuspend()")

CASE(breaks_restart, "the same with SA_RESTART, which makes no difference to ppoll()")
{
	breaks(broken_ppoll, SA_RESTART);
}

static void *sleep_long(void *arg)
{
	struct timespec t = { 100, 0 }, left;

	(void)arg;
	in_call = 1;
	CHECK_ERR(nanosleep(&t, &left), -1, EINTR);
	CHECK_CMP(left.tv_sec, >, 30);
	CHECK_CMP(left.tv_sec, <, 100);
	in_call = 2;
	CHECK_CMP(sleep(100), >, 30);
	return NULL;
}

CASE(breaks_sleep, "a handler of the program's ends nanosleep() and sleep(), which say what is left")
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t thread = storm(), sleeper;

	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	CHECK(!pthread_create(&sleeper, NULL, sleep_long, NULL));
	for (int i = 1; i <= 2; i++) {
		while (in_call < i)
			sleep_ms(1);
		sleep_ms(100);
		CHECK(!pthread_kill(sleeper, SIGUSR2));
	}
	CHECK(!pthread_join(sleeper, NULL));
	calm(thread);
}
