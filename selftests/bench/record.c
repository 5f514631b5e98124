// SPDX-License-Identifier: GPL-2.0
/*
 * A preload library that records what a program asks of malloc(), for replay.c.
 *
 *	GOHEAP_RECORD=FILE [GOHEAP_RECORD_PROGRAM=NAME] LD_PRELOAD=record.so CMD
 *
 * Records the first process that is called NAME (any, if there is none) and
 * finds that FILE does not exist; its children are not recorded.
 *
 * FILE begins with the line "goheap-trace 1"; then each event is one number in
 * groups of seven bits, the lowest first, the top bit saying that more follow:
 *
 *	2 * size	an object is allocated; the n-th one is number n
 *	2 * age + 1	an object is freed: the age-th newest of those allocated so
 *			far, 1 for the newest
 *
 * realloc() is a new object and the end of the old one: what a heap sees that
 * cannot grow objects in place.  Threads are recorded in the order in which
 * they got the lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT		__attribute__((visibility("default")))
#define SLOTS		(1UL << 23)	/* of live objects; address space only */

/* glibc's own names for its functions: nothing to look up, nothing to recurse into. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

struct slot {
	void *p;
	uint64_t number;
};

static atomic_bool recording;
static atomic_flag lock = ATOMIC_FLAG_INIT;
static struct slot *slots;
static size_t live;
static uint64_t allocated;
static unsigned char buffer[1 << 16];
static size_t fill;
static int fd = -1;

static void take(void)
{
	while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
		;
}

static void give(void)
{
	atomic_flag_clear_explicit(&lock, memory_order_release);
}

static void stop(const char *why)
{
	static const char prefix[] = "record: ";

	recording = false;
	if (write(2, prefix, sizeof(prefix) - 1) < 0 || write(2, why, strlen(why)) < 0)
		_exit(99);
	_exit(99);		/* half a trace is none */
}

static void flush(void)
{
	size_t done = 0;

	while (done < fill) {
		ssize_t n = write(fd, buffer + done, fill - done);

		if (n < 0 && errno != EINTR)
			stop("cannot write the trace\n");
		done += n > 0 ? n : 0;
	}
	fill = 0;
}

static void event(uint64_t value)
{
	if (fill + 10 > sizeof(buffer))
		flush();
	for (; value > 127; value >>= 7)
		buffer[fill++] = value | 128;
	buffer[fill++] = value;
}

static size_t slot_of(const void *p)
{
	return ((uintptr_t)p * 0x9e3779b97f4a7c15ULL >> 20) & (SLOTS - 1);
}

static void note_alloc(void *p, size_t size)
{
	int saved = errno;
	size_t i;

	if (!p || !recording)
		return;
	take();
	if (++live > SLOTS / 2)
		stop("too many live objects\n");
	for (i = slot_of(p); slots[i].p; i = (i + 1) & (SLOTS - 1))
		;
	slots[i] = (struct slot) { .p = p, .number = allocated++ };
	event((uint64_t)size << 1);
	give();
	errno = saved;
}

/* Before it is freed: afterwards another thread may be given the address. */
static void note_free(const void *p)
{
	int saved = errno;
	size_t i, hole;

	if (!p || !recording)
		return;
	take();
	for (i = slot_of(p); slots[i].p != p; i = (i + 1) & (SLOTS - 1))
		if (!slots[i].p)
			goto out;	/* allocated before the recording began */
	event((allocated - slots[i].number) << 1 | 1);
	live--;
	/* Those behind it move up, unless they are where they belong. */
	for (hole = i;;) {
		size_t want;

		i = (i + 1) & (SLOTS - 1);
		if (!slots[i].p)
			break;
		want = slot_of(slots[i].p);
		if (((i - want) & (SLOTS - 1)) < ((i - hole) & (SLOTS - 1)))
			continue;
		slots[hole] = slots[i];
		hole = i;
	}
	slots[hole].p = NULL;
out:
	give();
	errno = saved;
}

EXPORT void *malloc(size_t size)
{
	void *p = __libc_malloc(size);

	note_alloc(p, size);
	return p;
}

EXPORT void *calloc(size_t n, size_t size)
{
	void *p = __libc_calloc(n, size);

	note_alloc(p, n * size);
	return p;
}

EXPORT void free(void *p)
{
	note_free(p);
	__libc_free(p);
}

EXPORT void *realloc(void *old, size_t size)
{
	void *p;

	/* A failure would leave an object that the trace has freed; it ends the trace. */
	note_free(old);
	p = __libc_realloc(old, size);
	if (!p && size && old && recording)
		stop("realloc() failed\n");
	note_alloc(p, size);
	return p;
}

EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

EXPORT void *memalign(size_t align, size_t size)
{
	void *p = __libc_memalign(align, size);

	note_alloc(p, size);
	return p;
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	void *p;

	if (align % sizeof(void *) || !align || align & (align - 1))
		return EINVAL;
	p = memalign(align, size);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

static void after_fork(void)
{
	recording = false;
	atomic_flag_clear(&lock);
}

__attribute__((constructor)) static void begin(void)
{
	static const char header[] = "goheap-trace 1\n";
	const char *path = getenv("GOHEAP_RECORD"), *program = getenv("GOHEAP_RECORD_PROGRAM");

	if (!path || (program && strcmp(program, program_invocation_short_name)))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	/* Out of the way of programs that expect the lowest free number, or close them. */
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 900);
	if (fd < 0)
		stop("no file descriptor for the trace\n");
	slots = mmap(NULL, SLOTS * sizeof(*slots), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slots == MAP_FAILED)
		stop("no memory for the table\n");
	memcpy(buffer, header, sizeof(header) - 1);
	fill = sizeof(header) - 1;
	pthread_atfork(NULL, NULL, after_fork);
	recording = true;
}

__attribute__((destructor)) static void end(void)
{
	if (!recording)
		return;
	take();
	recording = false;
	flush();
	give();
}
