// SPDX-License-Identifier: MIT
/*
 * Catches: objects lost that only another thread holds, while it runs or while
 * it is blocked in the kernel, and collections that a blocked thread holds up.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { N = 64, THREADS = 4 };

static uintptr_t hidden[THREADS][N];
static atomic_int ready, released;
static int pipes[2];
static int futex_word;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;

/* Each returns when @released is set, and may be interrupted before. */
static void block_read(void)
{
	char c;
	ssize_t n;

	/* The library's signals restart it: the program sees none of them. */
	n = read(pipes[0], &c, 1);
	CHECK_CMP(n, ==, 1);
}

static void block_nanosleep(void)
{
	while (!released) {
		/* Sleeps end early when a signal is handled, SA_RESTART or not: signal(7). */
		struct timespec t = { 100, 0 };

		nanosleep(&t, NULL);
	}
}

static void block_futex(void)
{
	while (!released)
		syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void block_cond(void)
{
	pthread_mutex_lock(&lock);
	while (!released)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
}

static void block_mutex(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
}

static void block_sem(void)
{
	while (sem_wait(&sem))
		CHECK_CMP(errno, ==, EINTR);
}

static void block_poll(void)
{
	struct pollfd p = { .fd = pipes[0], .events = POLLIN };

	while (poll(&p, 1, -1) < 0)
		CHECK_CMP(errno, ==, EINTR);
}

static void block_spin(void)
{
	while (!released)
		;
}

static void block_sigwait(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (sigwait(&set, &sig))
		;
	CHECK_CMP(sig, ==, SIGUSR2);
}

struct blocker {
	void (*block)(void);
	int index;
};

static void *hold(void *arg)
{
	const struct blocker *b = arg;
	void *volatile place[N];

	canaries_make((void **)place, hidden[b->index], N);
	ready++;
	b->block();
	for (int i = 0; i < N; i++)
		CHECK(canary_ok(place[i], i));
	return NULL;
}

static void blocked(void (*block)(void))
{
	pthread_t thread[THREADS];
	struct blocker b[THREADS];

	CHECK(!pipe(pipes));
	CHECK(!sem_init(&sem, 0, 0));
	if (block == block_mutex)
		pthread_mutex_lock(&lock);
	for (int i = 0; i < THREADS; i++) {
		b[i] = (struct blocker){ block, i };
		CHECK(!pthread_create(&thread[i], NULL, hold, &b[i]));
	}
	while (ready < THREADS)
		sleep_ms(1);
	sleep_ms(20);	/* until they block, most likely */
	for (int i = 0; i < 5; i++) {
		collect_hard();
		sleep_ms(2);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_CMP(canaries_alive(hidden[i], N), ==, N);
	released = 1;
	__atomic_store_n(&futex_word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &futex_word, FUTEX_WAKE, THREADS, NULL, NULL, 0);
	CHECK_CMP(write(pipes[1], "abcd", THREADS), ==, THREADS);
	if (block != block_mutex)
		pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < THREADS; i++) {
		sem_post(&sem);
		if (block == block_sigwait || block == block_nanosleep)
			pthread_kill(thread[i], block == block_sigwait ? SIGUSR2 : SIGURG);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(thread[i], NULL));
}

CASE(read, "threads blocked in read(2), which is restarted")
{
	blocked(block_read);
}

CASE(poll, "threads blocked in poll(2)")
{
	blocked(block_poll);
}

static void ignore(int sig)
{
	(void)sig;
}

CASE(nanosleep, "threads blocked in nanosleep(2)")
{
	struct sigaction sa = { .sa_handler = ignore };

	/* Only to wake them in the end. */
	CHECK(!sigaction(SIGURG, &sa, NULL));
	blocked(block_nanosleep);
}

CASE(futex, "threads blocked in futex(2)")
{
	blocked(block_futex);
}

CASE(cond, "threads blocked in pthread_cond_wait()")
{
	blocked(block_cond);
}

CASE(mutex, "threads blocked in pthread_mutex_lock()")
{
	blocked(block_mutex);
}

CASE(semaphore, "threads blocked in sem_wait()")
{
	blocked(block_sem);
}

CASE(sigwait, "threads blocked in sigwait()")
{
	blocked(block_sigwait);
}

CASE(spin, "threads that spin without a call")
{
	blocked(block_spin);
}

/* A stopped world must not wait for a lock that a stopped thread holds. */
static atomic_bool stop;

static void *use_malloc(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!stop) {
		void *p[32];

		for (int i = 0; i < 32; i++)
			p[i] = malloc(rnd(&seed) % 5000);
		for (int i = 0; i < 32; i++)
			free(p[i]);
	}
	return NULL;
}

static void *use_stdio(void *arg)
{
	FILE *f = fopen("/dev/null", "w");

	(void)arg;
	CHECK(f);
	while (!stop) {
		fprintf(f, "%d %s %f\n", 1, "text", 2.0);
		flockfile(stderr);
		funlockfile(stderr);
	}
	fclose(f);
	return NULL;
}

static void *use_heap(void *arg)
{
	(void)arg;
	while (!stop)
		CHECK(goheap_alloc(100));
	return NULL;
}

CASE(locks, "collections while threads are in malloc(), stdio and the heap",
     "GOHEAP_DEBUG=gctrace=1")
{
	void *(*const fn[])(void *) = { use_malloc, use_stdio, use_heap, use_malloc };
	pthread_t thread[THREADS];
	int null = open("/dev/null", O_WRONLY);

	/* The trace's own lines go the same way. */
	dup2(null, STDERR_FILENO);
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, fn[i], (void *)(uintptr_t)i));
	for (int i = 0; i < 300; i++)
		goheap_collect();
	stop = true;
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(thread[i], NULL));
}

static void *collect_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 60; i++)
		goheap_collect();
	return NULL;
}

CASE(collectors, "four threads that ask for collections at once")
{
	pthread_t thread[THREADS];
	struct goheap_stats s;

	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, collect_often, NULL));
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(thread[i], NULL));
	s = stats();
	/* Two that ask at once may share one that starts after both asked. */
	CHECK_CMP(s.num_gc, >=, 60);
	CHECK_CMP(s.num_gc, <=, 60 * THREADS);
	CHECK_CMP(s.num_forced_gc, <=, s.num_gc);
}
