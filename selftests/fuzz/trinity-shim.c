// SPDX-License-Identifier: GPL-2.0
/*
 * Leads trinity to /dev/goheap.
 *
 * Left to itself trinity hardly finds an ioctl number of ours, and its children
 * inherit files of which another process is the owner.  So this library, which
 * is loaded in front of the C library, takes every second system call that trinity is
 * about to make and puts a heap of the calling process in the place of what it
 * works on: its file, its addresses, one of its requests.  The rest of the
 * arguments are trinity's, as are what it fills its buffers with and when it calls.
 *
 * What arrived at the device is appended to the file GOHEAP_TRINITY_COUNT, a line
 * for each 32 calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/goheap.h>

#define BYTES	(64UL << 20)
#define LIFE	700	/* calls, then another heap */

struct heap {
	pid_t pid;
	int fd;
	char *base;
	struct goheap_span span[16];
	unsigned int calls;
};

static __thread struct heap heap;
static __thread uint64_t state;

static uint64_t rnd(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return state >> 20;
}

static long raw(long nr, const long *a)
{
	register long r10 asm("r10") = a[3];
	register long r8 asm("r8") = a[4];
	register long r9 asm("r9") = a[5];
	long ret;

	asm volatile("syscall" : "=a"(ret)
		     : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return ret;
}

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	long args[6] = { a, b, c, d, e, f };

	return raw(nr, args);
}

static void count(void)
{
	const char *name = getenv("GOHEAP_TRINITY_COUNT");
	long fd;

	if (!name)
		return;
	fd = call(SYS_open, (long)name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666, 0, 0, 0);
	if (fd < 0)
		return;
	call(SYS_write, fd, (long)"32\n", 3, 0, 0, 0);
	call(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* A heap with something in it; it may fail, and is tried again. */
static int heap_new(struct heap *h, pid_t pid)
{
	struct goheap_span_batch b = { .size = sizeof(b), .spans = (uintptr_t)h->span, .count = 16 };
	unsigned int i;
	long p;

	if (h->pid == pid) {
		call(SYS_munmap, (long)h->base, BYTES, 0, 0, 0, 0);
		call(SYS_close, h->fd, 0, 0, 0, 0, 0);
	}
	memset(h, 0, sizeof(*h));
	state ^= (uint64_t)pid << 32 ^ (uintptr_t)h ^ (uint64_t)call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	h->fd = call(SYS_open, (long)"/dev/goheap", O_RDWR, 0, 0, 0, 0);
	if (h->fd < 0)
		return -1;
	p = call(SYS_mmap, 0, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
	if (p < 0 && p > -4096) {
		call(SYS_close, h->fd, 0, 0, 0, 0, 0);
		return -1;
	}
	h->base = (char *)p;
	for (i = 0; i < 16; i++)
		h->span[i].npages = 1 + rnd() % 8;
	call(SYS_ioctl, h->fd, GOHEAP_IOC_SPAN_ALLOC, (long)&b, 0, 0, 0);
	for (i = 0; i < 16; i++)
		h->span[i].flags = 0;
	h->pid = pid;
	return 0;
}

static long address(const struct heap *h)
{
	uint64_t r = rnd();

	if (r % 3)
		return (long)h->base + (long)(rnd() % BYTES & ~4095UL);
	return r & 8 ? (long)h->span[rnd() % 16].addr : (long)h->base;
}

static long length(long theirs)
{
	return rnd() % 3 ? (long)((rnd() % (1 << rnd() % 14) + 1) << 12) :
	       rnd() % 2 ? (long)BYTES : theirs;
}

/* Everything but the number of the request is trinity's, or nearly so. */
static void aim_ioctl(struct heap *h, long *a)
{
	static const unsigned long requests[] = {
		GOHEAP_IOC_INFO, GOHEAP_IOC_SPAN_ALLOC, GOHEAP_IOC_SPAN_FREE, GOHEAP_IOC_RELEASE,
		GOHEAP_IOC_STATS, GOHEAP_IOC_SETTINGS, GOHEAP_IOC_CYCLE, GOHEAP_IOC_TRACK,
		GOHEAP_IOC_COLLECT,
	};
	static __thread union {
		uint64_t word[512];
		struct { uint32_t size, flags; };
		struct goheap_span_batch batch;
		struct goheap_dirty dirty;
	} buffer;
	struct iovec { void *p; size_t n; } here = { &buffer, 512 }, there = { (void *)a[2], 512 };
	unsigned long cmd = requests[rnd() % 9];
	unsigned int i, zeroes = rnd() % 64;
	struct goheap_span_batch *b = &buffer.batch;

	a[0] = h->fd;
	a[1] = cmd;
	if (rnd() % 4 == 0)
		return;
	/* What trinity's pointer points to, as far as it can be read; then a little help. */
	memset(&buffer, 0, sizeof(buffer));
	if (rnd() % 2)
		call(SYS_process_vm_readv, getpid(), (long)&here, 1, (long)&there, 1, 0);
	for (i = 0; i < zeroes; i++)
		buffer.word[i] = 0;
	buffer.size = _IOC_SIZE(cmd);
	buffer.flags &= rnd() % 8 ? 0 : 1;
	if (cmd == GOHEAP_IOC_SPAN_ALLOC || cmd == GOHEAP_IOC_SPAN_FREE) {
		b->spans = (uintptr_t)h->span;
		b->count = 1 + rnd() % 16;
		memset(b->reserved, 0, sizeof(b->reserved));
		for (i = 0; cmd == GOHEAP_IOC_SPAN_ALLOC && i < b->count; i++)
			h->span[i] = (struct goheap_span){ .npages = 1 + rnd() % 9 };
	} else if (cmd == GOHEAP_IOC_COLLECT) {
		static __thread uint64_t bitmap[BYTES / 4096 / 64];
		struct goheap_dirty *d = &buffer.dirty;

		memset(d, 0, sizeof(*d));
		d->size = sizeof(*d);
		d->addr = address(h) & ~4095L;
		d->bytes = length(4096) & (BYTES - 1) & ~4095L;
		d->bitmap = (uintptr_t)bitmap;
	}
	a[2] = (long)&buffer;
}

/* 1 if the call now goes to the device. */
static int aim(struct heap *h, long nr, long *a)
{
	switch (nr) {
	case SYS_ioctl:
		aim_ioctl(h, a);
		return 1;
	case SYS_madvise:
		/* Not what makes memory bad for the whole machine. */
		if (a[2] == 100 || a[2] == 101)
			a[2] = MADV_DONTNEED;
		/* fall through */
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_msync:
	case SYS_mlock:
	case SYS_munlock:
	case SYS_mlock2:
	case SYS_mremap:
		a[0] = address(h);
		a[1] = length(a[1]);
		return 1;
	case SYS_mincore:
		a[0] = address(h);
		a[1] &= 0xffff;
		return 1;
	case SYS_mmap:
		a[0] = 0;
		a[1] = rnd() % 2 ? (long)BYTES : length(a[1]);
		a[3] = (a[3] & ~(long)(MAP_FIXED | MAP_ANONYMOUS)) | (rnd() % 4 ? MAP_SHARED : 0);
		a[4] = h->fd;
		a[5] = rnd() % 4 ? 0 : a[5];
		return 1;
	case SYS_read:
	case SYS_write:
	case SYS_pread64:
	case SYS_pwrite64:
		if (rnd() % 2) {
			a[1] = address(h);	/* whatever file it is: the heap is the buffer */
			a[2] = rnd() % 65536;
			return 1;
		}
		/* fall through */
	case SYS_fstat:
	case SYS_lseek:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_ftruncate:
	case SYS_fallocate:
	case SYS_fcntl:
	case SYS_flock:
	case SYS_readv:
	case SYS_writev:
	case SYS_dup:
	case SYS_fadvise64:
	case SYS_sendfile:
	case SYS_splice:
		a[0] = h->fd;
		return 1;
	default:
		return 0;
	}
}

long syscall(long nr, ...)
{
	struct heap *h = &heap;
	long a[6], ret;
	va_list ap;
	int i;

	va_start(ap, nr);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);

	if (rnd() % 2) {
		pid_t pid = call(SYS_getpid, 0, 0, 0, 0, 0, 0);

		if ((h->pid == pid && h->calls % LIFE) || !heap_new(h, pid)) {
			if (aim(h, nr, a) && ++h->calls % 32 == 0)
				count();
		}
	}
	ret = raw(nr, a);
	if (ret < 0 && ret > -4096) {
		errno = -ret;
		return -1;
	}
	return ret;
}
