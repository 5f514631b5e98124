// SPDX-License-Identifier: MIT
/*
 * Catches: a collector that loses a program's signals, breaks its system calls,
 * or waits for ever for a thread that takes no signals.
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

static atomic_int ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void start_timer(int flags, long us)
{
	struct sigaction sa = { .sa_handler = tick, .sa_flags = flags };
	struct itimerval it = { { 0, us }, { 0, us } };

	CHECK(!sigaction(SIGALRM, &sa, NULL));
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
}

static void work(int rounds)
{
	struct canary *volatile kept[64];

	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 64; k++)
			kept[k] = canary_new(k);
		for (int k = 0; k < 2000; k++)
			CHECK(goheap_alloc(100));
		goheap_collect();
		for (int k = 0; k < 64; k++)
			CHECK(canary_ok(kept[k], k));
	}
}

CASE(timer, "a timer every 2 ms, SA_RESTART: handlers run, collections end")
{
	start_timer(SA_RESTART, 2000);
	work(100);
	while (ticks < 5)
		sleep_ms(1);
}

static int pipes[2];

static void *writer(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		CHECK_CMP(write(pipes[1], "x", 1), ==, 1);
		sleep_ms(1);
		goheap_collect();
	}
	return NULL;
}

CASE(eintr, "a timer without SA_RESTART: only it interrupts read(2), the collector never does")
{
	pthread_t thread;
	int got = 0, eintr = 0;
	char c;

	CHECK(!pipe(pipes));
	CHECK(!pthread_create(&thread, NULL, writer, NULL));
	while (got < 100) {
		/* No timer yet: the collections' signals must restart it. */
		CHECK_CMP(read(pipes[0], &c, 1), ==, 1);
		got++;
	}
	start_timer(0, 2000);
	while (got < 200) {
		ssize_t n = read(pipes[0], &c, 1);

		if (n < 0) {
			CHECK_CMP(errno, ==, EINTR);
			eintr++;
		} else {
			got++;
		}
	}
	CHECK_CMP(ticks, >=, eintr);
	CHECK(!pthread_join(thread, NULL));
}

/* Every signal is blocked, also those that the library uses. */
static atomic_int holding, released;
static uintptr_t hidden[64];

static void *deaf(void *arg)
{
	void *volatile place[64];
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	CHECK(!pthread_sigmask(SIG_SETMASK, &all, NULL));
	canaries_make((void **)place, hidden, 64);
	holding = 1;
	while (!released)
		sleep_ms(1);
	for (int i = 0; i < 64; i++)
		CHECK(canary_ok(place[i], i));
	return NULL;
}

CASE(all_blocked, "a thread that has blocked every signal: collections end, its objects live")
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, deaf, NULL));
	while (!holding)
		sleep_ms(1);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, 64), ==, 64);
	released = 1;
	CHECK(!pthread_join(thread, NULL));
}

CASE(all_blocked_inherited, "a program that blocked every signal before it made its threads")
{
	pthread_t thread;
	sigset_t all;

	sigfillset(&all);
	CHECK(!sigprocmask(SIG_SETMASK, &all, NULL));
	CHECK(!pthread_create(&thread, NULL, deaf, NULL));
	while (!holding)
		sleep_ms(1);
	collect_hard();
	work(10);
	CHECK_CMP(canaries_alive(hidden, 64), ==, 64);
	released = 1;
	CHECK(!pthread_join(thread, NULL));
}

/* Threads that signal each other all the time. */
static pthread_t peers[4];
static atomic_int peers_ready;

static void *signal_peers(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	struct canary *volatile kept[16];

	peers_ready++;
	while (peers_ready < 4)
		sched_yield();
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 16; i++)
			kept[i] = canary_new(i);
		for (int i = 0; i < 10; i++)
			pthread_kill(peers[rnd(&seed) % 4], SIGUSR1);
		for (int i = 0; i < 500; i++)
			CHECK(goheap_alloc(64));
		for (int i = 0; i < 16; i++)
			CHECK(canary_ok(kept[i], i));
	}
	peers_ready--;
	/* None may end while another might still signal it. */
	while (peers_ready > 0)
		sleep_ms(1);
	return NULL;
}

CASE(storm, "four threads that signal each other all the time", "GOHEAP_GOGC=10")
{
	struct sigaction sa = { .sa_handler = tick, .sa_flags = SA_RESTART };

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&peers[i], NULL, signal_peers, (void *)(intptr_t)i));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(peers[i], NULL));
	CHECK_CMP(ticks, >, 0);
	CHECK_CMP(stats().num_gc, >, 2);
}

CASE(errno_kept, "a thread's errno is not touched by a collection in between")
{
	/* Starting the heap is another matter. */
	CHECK(goheap_alloc(16));
	for (int i = 0; i < 2000; i++) {
		errno = 4711;
		CHECK(goheap_alloc(10000));
		CHECK_CMP(errno, ==, 4711);
	}
	CHECK_CMP(stats().num_gc, >, 0);
}
