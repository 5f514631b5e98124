// SPDX-License-Identifier: MIT
/*
 * Calls that the kernel breaks off with EINTR after any handler, SA_RESTART or not
 * (signal(7)).  The program is not to notice the collector, so they are begun again if
 * it was the stop signal that broke them off, and no handler of the program's has run;
 * with the time that is left, if they take one.
 *
 * The first attempt is the call as the program made it.
 *
 * See sockets.c for those that are broken off where a socket has a timeout, and signals.c for
 * those that wait for signals.
 */
#define _GNU_SOURCE
#include <aio.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "real.h"
#include "signals.h"

/* A length of time is measured by the clock that it passes by. */
static clockid_t clock_for(clockid_t clock)
{
	return clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : clock;
}

/*
 * Sleep till a point in time.  What nanosleep() says is left would not do: it
 * does not get less where the next stop signal is pending before the sleep begins.
 */
PUBLIC int clock_nanosleep(clockid_t clock, int flags, const struct timespec *t,
			   struct timespec *left)
{
	bool relative = !(flags & TIMER_ABSTIME);
	struct attempt a = attempt_begin();
	struct deadline end = { .at = UINT64_MAX };
	struct timespec rest;
	int ret;

	if (relative)
		end = deadline_after(clock_for(clock), t);
	while ((ret = REAL(clock_nanosleep)(clock, flags, t, left)) == EINTR && stop_was_all(&a)) {
		if (relative) {
			rest = deadline_left(&end, t);
			t = &rest;
		}
	}
	return ret;
}

PUBLIC int nanosleep(const struct timespec *t, struct timespec *left)
{
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, t);
	struct timespec rest;
	int ret;

	while ((ret = REAL(nanosleep)(t, left)) < 0 && interrupted(&a, true)) {
		rest = deadline_left(&end, t);
		t = &rest;
	}
	return ret;
}

PUBLIC int thrd_sleep(const struct timespec *t, struct timespec *left)
{
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, t);
	struct timespec rest;
	int ret;

	/* -1 is how it says EINTR. */
	while ((ret = REAL(thrd_sleep)(t, left)) == -1 && stop_was_all(&a)) {
		rest = deadline_left(&end, t);
		t = &rest;
	}
	return ret;
}

PUBLIC int usleep(useconds_t us)
{
	struct timespec t = {
		.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000,
	};

	return nanosleep(&t, NULL);
}

PUBLIC unsigned int sleep(unsigned int seconds)
{
	struct timespec t = { .tv_sec = seconds };
	int saved = errno;

	if (nanosleep(&t, &t))
		return (unsigned int)t.tv_sec;
	errno = saved;
	return 0;
}

/*
 * Waiting for descriptors.
 */
PUBLIC int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *mask)
{
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, timeout);
	struct timespec left;
	sigset_t copy;
	int ret;

	mask = without_stop(mask, &copy);
	while ((ret = REAL(ppoll)(fds, n, timeout, mask)) < 0 && interrupted(&a, true)) {
		if (timeout) {
			left = deadline_left(&end, timeout);
			timeout = &left;
		}
	}
	return ret;
}

static struct timespec from_ms(int ms)
{
	return (struct timespec){
		.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000,
	};
}

/* Not less than there is, so that a wait does not end early. */
static int left_ms(const struct deadline *end)
{
	return (int)((deadline_left_ns(end) + 999999) / 1000000);
}

PUBLIC int poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec whole = from_ms(ms);
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, ms > 0 ? &whole : NULL);
	int ret;

	while ((ret = REAL(poll)(fds, n, ms)) < 0 && interrupted(&a, true))
		if (ms > 0)
			ms = left_ms(&end);
	return ret;
}

/* What _FORTIFY_SOURCE makes of them. */
void __chk_fail(void) __attribute__((noreturn));
int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t bytes);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		const sigset_t *mask, size_t bytes);

PUBLIC int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t bytes)
{
	if (bytes / sizeof(*fds) < n)
		__chk_fail();
	return poll(fds, n, ms);
}

PUBLIC int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		       const sigset_t *mask, size_t bytes)
{
	if (bytes / sizeof(*fds) < n)
		__chk_fail();
	return ppoll(fds, n, timeout, mask);
}

PUBLIC int pselect(int n, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except,
		   const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, timeout);
	struct timespec left;
	sigset_t copy;
	int ret;

	mask = without_stop(mask, &copy);
	/* The sets stay as they are when it fails. */
	while ((ret = REAL(pselect)(n, in, out, except, timeout, mask)) < 0 &&
	       interrupted(&a, true)) {
		if (timeout) {
			left = deadline_left(&end, timeout);
			timeout = &left;
		}
	}
	return ret;
}

/* It writes the time that is left into @timeout. */
PUBLIC int select(int n, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except,
		  struct timeval *restrict timeout)
{
	struct attempt a = attempt_begin();
	struct deadline end = { .at = UINT64_MAX };
	struct timespec whole = { 0 };
	int ret;

	if (timeout && timeout->tv_sec >= 0 && timeout->tv_usec >= 0) {
		/* More than a second's worth of microseconds is taken, too. */
		whole.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
		whole.tv_nsec = timeout->tv_usec % 1000000 * 1000;
		end = deadline_after(CLOCK_MONOTONIC, &whole);
	}
	while ((ret = REAL(select)(n, in, out, except, timeout)) < 0 && interrupted(&a, true)) {
		if (timeout) {
			struct timespec left = deadline_left(&end, &whole);

			timeout->tv_sec = left.tv_sec;
			timeout->tv_usec = left.tv_nsec / 1000;
		}
	}
	return ret;
}

PUBLIC int epoll_pwait(int epoll, struct epoll_event *events, int n, int ms, const sigset_t *mask)
{
	struct timespec whole = from_ms(ms);
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, ms > 0 ? &whole : NULL);
	sigset_t copy;
	int ret;

	mask = without_stop(mask, &copy);
	while ((ret = REAL(epoll_pwait)(epoll, events, n, ms, mask)) < 0 && interrupted(&a, true))
		if (ms > 0)
			ms = left_ms(&end);
	return ret;
}

PUBLIC int epoll_wait(int epoll, struct epoll_event *events, int n, int ms)
{
	return epoll_pwait(epoll, events, n, ms, NULL);
}

PUBLIC int epoll_pwait2(int epoll, struct epoll_event *events, int n,
			const struct timespec *timeout, const sigset_t *mask)
{
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, timeout);
	struct timespec left;
	sigset_t copy;
	int ret;

	mask = without_stop(mask, &copy);
	while ((ret = REAL(epoll_pwait2)(epoll, events, n, timeout, mask)) < 0 &&
	       interrupted(&a, true)) {
		if (timeout) {
			left = deadline_left(&end, timeout);
			timeout = &left;
		}
	}
	return ret;
}

/*
 * System V semaphores and messages, POSIX semaphores, asynchronous input and output.
 */
PUBLIC int semop(int id, struct sembuf *ops, size_t n)
{
	return RETRY(REAL(semop)(id, ops, n));
}

PUBLIC int semtimedop(int id, struct sembuf *ops, size_t n, const struct timespec *timeout)
{
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, timeout);
	struct timespec left;
	int ret;

	while ((ret = REAL(semtimedop)(id, ops, n, timeout)) < 0 && interrupted(&a, true)) {
		if (timeout) {
			left = deadline_left(&end, timeout);
			timeout = &left;
		}
	}
	return ret;
}

PUBLIC int msgsnd(int id, const void *message, size_t bytes, int flags)
{
	return RETRY(REAL(msgsnd)(id, message, bytes, flags));
}

PUBLIC ssize_t msgrcv(int id, void *message, size_t bytes, long type, int flags)
{
	return RETRY(REAL(msgrcv)(id, message, bytes, type, flags));
}

PUBLIC int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict until)
{
	return RETRY(REAL(sem_timedwait)(sem, until));
}

PUBLIC int sem_clockwait(sem_t *restrict sem, clockid_t clock,
			 const struct timespec *restrict until)
{
	return RETRY(REAL(sem_clockwait)(sem, clock, until));
}

PUBLIC int aio_suspend(const struct aiocb *const list[], int n,
		       const struct timespec *restrict timeout)
{
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, timeout);
	struct timespec left;
	int ret;

	while ((ret = REAL(aio_suspend)(list, n, timeout)) < 0 && interrupted(&a, true)) {
		if (timeout) {
			left = deadline_left(&end, timeout);
			timeout = &left;
		}
	}
	return ret;
}

const char restart_linked;
