// SPDX-License-Identifier: MIT
/*
 * The program's signal masks and handlers.
 *
 * No mask of the program's may block the stop signal: it is taken out of those
 * that are set (pthread_sigmask() and its relatives), those that a handler runs
 * under (sigaction()), and the sets that are waited for, since to wait for a signal
 * takes it away from its handler (sigwait(), signalfd()).  To the program it looks
 * as if it were there: what it set is what it gets back when it asks, and what a
 * program that it executes finds (spawn.c).
 *
 * Handlers are called through on_program_signal(), which counts them.  That tells a
 * wrapper whose call was broken off whether the program is meant to know (restart.c):
 * the stop signal alone is no reason, but when one of the program's own handlers has
 * run, too, EINTR is what ppoll() or sigsuspend() is called for.
 *
 * Handlers that are installed past libc are not counted.  What they break off at the
 * very time of a collection is begun again.
 *
 * Every function here may be called in a signal handler: no locks.  Two threads that
 * change the action of one signal at the same time may see each other's half.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "real.h"
#include "signals.h"
#include "thread.h"

TLS_FAST volatile uint32_t handlers_begun;
static TLS_FAST volatile bool meant_blocked;

const sigset_t *without_stop(const sigset_t *set, sigset_t *copy)
{
	if (!set || !sigismember(set, stop_signal()))
		return set;
	*copy = *set;
	sigdelset(copy, stop_signal());
	return copy;
}

bool stop_meant_blocked(void)
{
	return meant_blocked;
}

void mean_stop_blocked(bool blocked)
{
	meant_blocked = blocked;
}

void stop_block_truly(bool block)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, stop_signal());
	REAL(pthread_sigmask)(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* A mask was set: keep what was meant by it, and tell what was meant before. */
static void note_mask(int how, const sigset_t *set, sigset_t *old)
{
	bool was = meant_blocked;

	if (set && how == SIG_SETMASK)
		meant_blocked = sigismember(set, stop_signal());
	else if (set && sigismember(set, stop_signal()))
		meant_blocked = how == SIG_BLOCK;
	if (old && was)
		sigaddset(old, stop_signal());
}

PUBLIC int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t copy, meant;
	int ret;

	/* The two may be one. */
	if (set) {
		meant = *set;
		set = &meant;
	}
	ret = REAL(pthread_sigmask)(how, how == SIG_UNBLOCK ? set : without_stop(set, &copy), old);
	if (!ret)
		note_mask(how, set, old);
	return ret;
}

PUBLIC int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	sigset_t copy, meant;
	int ret;

	if (set) {
		meant = *set;
		set = &meant;
	}
	ret = REAL(sigprocmask)(how, how == SIG_UNBLOCK ? set : without_stop(set, &copy), old);
	if (!ret)
		note_mask(how, set, old);
	return ret;
}

/* The System V and BSD ones, as they are in terms of the others. */
static int change_one(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	if (sigaddset(&set, sig))
		return -1;
	return sigprocmask(how, &set, NULL);
}

PUBLIC int sighold(int sig)
{
	return change_one(SIG_BLOCK, sig);
}

PUBLIC int sigrelse(int sig)
{
	return change_one(SIG_UNBLOCK, sig);
}

static int change_mask(int how, int mask)
{
	sigset_t set, old;
	int ret = 0;

	sigemptyset(&set);
	for (int sig = 1; sig <= 32; sig++)
		if ((unsigned int)mask >> (sig - 1) & 1)
			sigaddset(&set, sig);
	if (sigprocmask(how, &set, &old))
		return -1;
	for (int sig = 1; sig <= 32; sig++)
		if (sigismember(&old, sig) > 0)
			ret |= (int)(1u << (sig - 1));
	return ret;
}

PUBLIC int sigblock(int mask)
{
	return change_mask(SIG_BLOCK, mask);
}

PUBLIC int sigsetmask(int mask)
{
	return change_mask(SIG_SETMASK, mask);
}

/*
 * Handlers.
 */
typedef void (*siginfo_handler)(int sig, siginfo_t *info, void *context);
typedef void (*plain_handler)(int sig);

static siginfo_handler as_siginfo(plain_handler f)
{
	return (siginfo_handler)(void (*)(void))f;
}

static plain_handler as_plain(siginfo_handler f)
{
	return (plain_handler)(void (*)(void))f;
}

/* By signal: what on_program_signal() is to call ... */
static siginfo_handler handlers[NSIG];
/* ... whether it asked for three arguments, and for the stop signal to be blocked. */
static uint64_t asked_siginfo[NSIG / 64 + 1], asked_mask[NSIG / 64 + 1];

static bool flag_test(const uint64_t *flags, int sig)
{
	return __atomic_load_n(&flags[sig / 64], __ATOMIC_RELAXED) >> (sig % 64) & 1;
}

static void flag_set(uint64_t *flags, int sig, bool on)
{
	uint64_t bit = (uint64_t)1 << (sig % 64);

	if (on)
		__atomic_fetch_or(&flags[sig / 64], bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&flags[sig / 64], ~bit, __ATOMIC_RELAXED);
}

static void on_program_signal(int sig, siginfo_t *info, void *context)
{
	siginfo_handler handler = __atomic_load_n(&handlers[sig], __ATOMIC_ACQUIRE);

	handlers_begun++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* With more arguments than it asked for, perhaps; those are in registers. */
	handler(sig, info, context);
}

static bool is_handler(plain_handler f)
{
	return f != SIG_DFL && f != SIG_IGN && f != SIG_ERR && f != SIG_HOLD;
}

static bool is_signal(int sig)
{
	return sig > 0 && sig < NSIG;
}

PUBLIC int sigaction(int sig, const struct sigaction *restrict act,
		     struct sigaction *restrict old)
{
	siginfo_handler before = NULL;
	struct sigaction ours;
	bool siginfo, mask;
	int ret;

	if (!is_signal(sig) || (sig == stop_signal() && act)) {
		errno = EINVAL;
		return -1;
	}
	before = __atomic_load_n(&handlers[sig], __ATOMIC_RELAXED);
	siginfo = flag_test(asked_siginfo, sig);
	mask = flag_test(asked_mask, sig);
	if (act) {
		ours = *act;
		sigdelset(&ours.sa_mask, stop_signal());
		/* Somebody below us in libc may have handed it out. */
		if (is_handler(act->sa_handler) && act->sa_sigaction != on_program_signal) {
			__atomic_store_n(&handlers[sig], act->sa_sigaction, __ATOMIC_RELEASE);
			flag_set(asked_siginfo, sig, act->sa_flags & SA_SIGINFO);
			ours.sa_sigaction = on_program_signal;
			ours.sa_flags |= SA_SIGINFO;
		}
		flag_set(asked_mask, sig, sigismember(&act->sa_mask, stop_signal()));
	}
	ret = REAL(sigaction)(sig, act ? &ours : NULL, old);
	if (ret) {
		__atomic_store_n(&handlers[sig], before, __ATOMIC_RELEASE);
		flag_set(asked_siginfo, sig, siginfo);
		flag_set(asked_mask, sig, mask);
		return ret;
	}
	if (old && sig == stop_signal()) {
		memset(old, 0, sizeof(*old));
	} else if (old) {
		if (old->sa_sigaction == on_program_signal) {
			old->sa_sigaction = before;
			if (!siginfo)
				old->sa_flags &= ~SA_SIGINFO;
		}
		if (mask)
			sigaddset(&old->sa_mask, stop_signal());
	}
	return 0;
}

/* What signal() and its relatives have in common, by the real one. */
static plain_handler install(plain_handler (*real_one)(int, plain_handler), int sig,
			     plain_handler handler)
{
	siginfo_handler before;
	plain_handler old;
	bool siginfo;

	if (!is_signal(sig) || sig == stop_signal()) {
		errno = EINVAL;
		return SIG_ERR;
	}
	before = __atomic_load_n(&handlers[sig], __ATOMIC_RELAXED);
	siginfo = flag_test(asked_siginfo, sig);
	if (is_handler(handler) && as_siginfo(handler) != on_program_signal) {
		__atomic_store_n(&handlers[sig], as_siginfo(handler), __ATOMIC_RELEASE);
		flag_set(asked_siginfo, sig, false);
		handler = as_plain(on_program_signal);
	}
	old = real_one(sig, handler);
	if (old == SIG_ERR) {
		__atomic_store_n(&handlers[sig], before, __ATOMIC_RELEASE);
		flag_set(asked_siginfo, sig, siginfo);
	} else {
		flag_set(asked_mask, sig, false);
	}
	return as_siginfo(old) == on_program_signal ? as_plain(before) : old;
}

PUBLIC plain_handler signal(int sig, plain_handler handler)
{
	return install(REAL(signal), sig, handler);
}

/* Not in <signal.h> for every standard. */
plain_handler bsd_signal(int sig, plain_handler handler);

PUBLIC plain_handler bsd_signal(int sig, plain_handler handler)
{
	return install(REAL(signal), sig, handler);
}

PUBLIC plain_handler ssignal(int sig, plain_handler handler)
{
	return install(REAL(signal), sig, handler);
}

PUBLIC plain_handler sysv_signal(int sig, plain_handler handler)
{
	return install(REAL(sysv_signal), sig, handler);
}

/* What <signal.h> makes of signal() for a program that asks for System V. */
plain_handler __sysv_signal(int sig, plain_handler handler);

PUBLIC plain_handler __sysv_signal(int sig, plain_handler handler)
{
	return install(REAL(sysv_signal), sig, handler);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
PUBLIC plain_handler sigset(int sig, plain_handler handler)
{
	return install(REAL(sigset), sig, handler);
}
#pragma GCC diagnostic pop

/*
 * Sets that are waited for.  With EINTR where only the stop signal broke the wait off
 * they are waited for again; sigwait() does so by itself.
 */
PUBLIC int sigwait(const sigset_t *restrict set, int *restrict sig)
{
	sigset_t copy;

	return REAL(sigwait)(without_stop(set, &copy), sig);
}

PUBLIC int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info)
{
	sigset_t copy;

	set = without_stop(set, &copy);
	return RETRY(REAL(sigwaitinfo)(set, info));
}

PUBLIC int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info,
			const struct timespec *restrict timeout)
{
	struct attempt a = attempt_begin();
	struct deadline end = deadline_after(CLOCK_MONOTONIC, timeout);
	struct timespec left;
	sigset_t copy;
	int ret;

	set = without_stop(set, &copy);
	while ((ret = REAL(sigtimedwait)(set, info, timeout)) < 0 && interrupted(&a, true)) {
		if (timeout) {
			left = deadline_left(&end, timeout);
			timeout = &left;
		}
	}
	return ret;
}

PUBLIC int sigsuspend(const sigset_t *set)
{
	sigset_t copy;

	set = without_stop(set, &copy);
	return RETRY(REAL(sigsuspend)(set));
}

PUBLIC int pause(void)
{
	return RETRY(REAL(pause)());
}

/* Wait with one signal less blocked, or with a mask in BSD's form: glibc has both. */
int __xpg_sigpause(int sig);
int bsd_sigpause(int mask) __asm__("sigpause");

PUBLIC int __xpg_sigpause(int sig)
{
	sigset_t set;

	if (REAL(pthread_sigmask)(SIG_BLOCK, NULL, &set) || sigdelset(&set, sig))
		return -1;
	return sigsuspend(&set);
}

PUBLIC int bsd_sigpause(int mask)
{
	sigset_t set;

	sigemptyset(&set);
	for (int sig = 1; sig <= 32; sig++)
		if ((unsigned int)mask >> (sig - 1) & 1)
			sigaddset(&set, sig);
	return sigsuspend(&set);
}

PUBLIC int signalfd(int fd, const sigset_t *set, int flags)
{
	sigset_t copy;

	return REAL(signalfd)(fd, without_stop(set, &copy), flags);
}
