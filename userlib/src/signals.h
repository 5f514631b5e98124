/* SPDX-License-Identifier: MIT */
/*
 * What the wrappers of libc's functions for signals share: signals.c, restart.c,
 * sockets.c and spawn.c.
 */
#ifndef GOHEAP_SIGNALS_H
#define GOHEAP_SIGNALS_H

#include <errno.h>
#include <signal.h>

#include "base.h"

/* How many stop signals the calling thread has handled (stop.c) ... */
extern TLS_FAST volatile uint32_t stops_handled;
/* ... and how many handlers of the program's it has begun (signals.c). */
extern TLS_FAST volatile uint32_t handlers_begun;

/* The two counts as they were when a call began. */
struct attempt {
	uint32_t stops;
	uint32_t handlers;
};

static inline struct attempt attempt_begin(void)
{
	struct attempt a = { stops_handled, handlers_begun };

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return a;
}

/*
 * Has the call been broken off by nothing but the stop signal?  Counts anew from
 * here, if so.  A handler of the program's in between makes the interruption its own,
 * also if a stop came with it.
 */
static inline bool stop_was_all(struct attempt *a)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (stops_handled == a->stops || handlers_begun != a->handlers)
		return false;
	a->stops = stops_handled;
	return true;
}

/* The call has returned -1 or less with errno, or not. */
static inline bool interrupted(struct attempt *a, bool failed)
{
	return unlikely(failed && errno == EINTR) && stop_was_all(a);
}

/* @call as often as nothing but the stop signal breaks it off with -1 and EINTR. */
#define RETRY(call)								\
	({									\
		struct attempt attempt_ = attempt_begin();			\
		__typeof__(call) ret_;						\
										\
		do								\
			ret_ = (call);						\
		while (interrupted(&attempt_, ret_ < 0));			\
		ret_;								\
	})

/*
 * A point in time that a call is to end at, for those that take a length of time.
 * ns of @clock; UINT64_MAX for never.
 */
struct deadline {
	clockid_t clock;
	uint64_t at;
};

static inline struct deadline deadline_after(clockid_t clock, const struct timespec *t)
{
	struct deadline d = { clock, UINT64_MAX };

	/* What lies beyond some thirty years is never. */
	if (t && t->tv_sec >= 0 && t->tv_sec < 1000000000 && t->tv_nsec >= 0 &&
	    t->tv_nsec < 1000000000)
		d.at = now_ns(clock) + (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
	return d;
}

static inline uint64_t deadline_left_ns(const struct deadline *d)
{
	uint64_t now;

	if (d->at == UINT64_MAX)
		return UINT64_MAX;
	now = now_ns(d->clock);
	return now < d->at ? d->at - now : 0;
}

/* What is left of @whole, which the deadline was made from. */
static inline struct timespec deadline_left(const struct deadline *d, const struct timespec *whole)
{
	uint64_t ns = deadline_left_ns(d);
	struct timespec left = {
		.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u),
	};

	return ns == UINT64_MAX ? *whole : left;
}

/* @set without the stop signal; in @copy if it has to be changed. */
const sigset_t *without_stop(const sigset_t *set, sigset_t *copy);

/*
 * The program means the calling thread to have the stop signal blocked.  That
 * is kept for those that ask, and for programs that are executed.
 */
bool stop_meant_blocked(void);
void mean_stop_blocked(bool blocked);
/* What takes a signal away from, or gives it to, the calling thread in truth. */
void stop_block_truly(bool block);

/* What refers to these has the wrappers linked; see real.c. */
extern const char restart_linked, spawn_linked, specific_linked;

#endif /* GOHEAP_SIGNALS_H */
