// SPDX-License-Identifier: GPL-2.0
/*
 * What the fuzzer of /dev/goheap can do, in two halves.
 *
 * Wild: a few arenas that every thread treats as it likes, with arguments that
 * are right, nearly right, or nonsense.  Nothing is expected of them but that
 * the kernel survives and that each errno is one that can be meant.
 *
 * Own: one arena that keeps its word.  Each thread has spans of its own in it, and
 * knows what is in them; other threads touch everything else.  Whatever is
 * not as it was left is the device's fault.  Forked children look at the spans of
 * the thread that forked them, change their copy and free it: the parent's
 * must not notice.
 */
#include "abi.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	GOHEAP_PAGE_SIZE

/* Accesses that may end in a signal. */

static __thread sigjmp_buf jump;
static __thread volatile int jumping;

static const struct life *this_life;

static void on_signal(int sig, siginfo_t *si, void *context)
{
	uint64_t at = (uintptr_t)si->si_addr - (uintptr_t)this_life->own_base;
	char text[120];
	int n;

	(void)context;
	if (jumping)
		siglongjmp(jump, sig);

	/* A fault that nobody provoked: let it be seen. */
	if (at < this_life->own_bytes)
		n = snprintf(text, sizeof(text), "# process %d: signal %d at +0x%llx of its own arena\n",
			     getpid(), sig, (unsigned long long)at);
	else
		n = snprintf(text, sizeof(text), "# process %d: signal %d at %p\n", getpid(), sig,
			     si->si_addr);
	if (write(1, text, n) != n)
		_exit(5);
	signal(sig, SIG_DFL);
}

/* 0, or EFAULT. */
static int touch(volatile char *p, bool write)
{
	int sig = sigsetjmp(jump, 1);

	if (!sig) {
		char v;

		jumping = 1;
		v = *p;
		if (write)
			*p = v + 1;
	}
	jumping = 0;
	return sig ? EFAULT : 0;
}

/* The same for more bytes. */
static int put(char *to, const void *from, size_t n)
{
	int sig = sigsetjmp(jump, 1);

	if (!sig) {
		jumping = 1;
		memcpy(to, from, n);
	}
	jumping = 0;
	return sig ? EFAULT : 0;
}

static int result(long ret)
{
	return ret < 0 ? errno : 0;
}

static int request(int fd, unsigned long cmd, void *arg)
{
	return result(ioctl(fd, cmd, arg));
}

static int wild_fd(const struct call *c)
{
	return WILD_FD + c->slot;
}

static char *wild_base(unsigned int slot)
{
	return (char *)(uintptr_t)(WILD_BASE + slot * WILD_STRIDE);
}

/* An address in the slot: mostly at its beginning, where something is. */
static char *wild_at(const struct call *c, uint64_t off)
{
	return wild_base(c->slot) + (off & 1 ? off % (64 * MIB) : off % WILD_STRIDE);
}

static size_t wild_bytes(uint64_t n)
{
	static const uint64_t bytes[] = {
		16 * MIB, 4 * MIB, 8 * MIB, 16 * MIB, 64 * MIB, 4 * MIB, 16 * MIB, 1024 * MIB,
		16 * MIB, 4 * MIB, 8 * MIB, 16 * MIB, 64 * MIB, 4 * MIB, 64 * 1024 * MIB,
		WILD_STRIDE,
	};

	return n & 16 ? n : bytes[n % 16];
}

/* The wild half. */

static int wild_open(struct thread *t, const struct call *c)
{
	static const int flags[] = { O_RDWR, O_RDWR, O_RDWR, O_RDWR | O_NONBLOCK, O_RDWR | O_CLOEXEC,
				     O_RDONLY, O_WRONLY, O_RDWR | O_APPEND };
	int fd = open(DEVICE, flags[c->arg[0] % 8]), err;

	(void)t;
	if (fd < 0)
		return errno;
	err = result(dup2(fd, wild_fd(c)));
	close(fd);
	return err;
}

static int wild_close(struct thread *t, const struct call *c)
{
	(void)t;
	return result(close(wild_fd(c)));
}

static int wild_dup(struct thread *t, const struct call *c)
{
	(void)t;
	return result(dup2(wild_fd(c), WILD_FD + c->arg[0] % WILD));
}

/* Open and mapped in one: without it few calls would find anything. */
static int wild_fresh(struct thread *t, const struct call *c)
{
	int err;

	munmap(wild_base(c->slot), WILD_STRIDE);
	err = wild_open(t, &(struct call){ .slot = c->slot });
	if (err)
		return err;
	return mmap(wild_base(c->slot), wild_bytes(c->arg[0] & ~16ULL), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, wild_fd(c), 0) == MAP_FAILED ? errno : 0;
}

static int wild_mmap(struct thread *t, const struct call *c)
{
	int prot = c->arg[0] & 8 ? c->arg[0] >> 4 & 7 : PROT_READ | PROT_WRITE;
	int flags = c->arg[1] % 8 ? MAP_SHARED : MAP_PRIVATE;
	size_t bytes = wild_bytes(c->arg[2]);

	(void)t;
	if (c->arg[1] & 64)
		flags |= MAP_NORESERVE;
	if ((c->arg[1] & 0x380) == 0x380)
		flags |= MAP_POPULATE;
	if (bytes > WILD_STRIDE)
		bytes = WILD_STRIDE;
	return mmap(wild_base(c->slot) + (c->arg[3] & 16 ? c->arg[3] % MIB & ~4095ULL : 0), bytes,
		    prot, flags | MAP_FIXED, WILD_FD + c->arg[4] % WILD,
		    c->arg[3] & 32 ? c->arg[4] & ~4095ULL : 0) == MAP_FAILED ? errno : 0;
}

static int wild_munmap(struct thread *t, const struct call *c)
{
	char *p = c->arg[0] & 3 ? wild_base(c->slot) : wild_at(c, c->arg[0]);
	size_t bytes = c->arg[1] & 3 ? WILD_STRIDE : c->arg[1] % WILD_STRIDE;

	(void)t;
	if (bytes > (size_t)(wild_base(c->slot + 1) - p))
		bytes = wild_base(c->slot + 1) - p;
	return result(munmap(p, bytes));
}

static int wild_mprotect(struct thread *t, const struct call *c)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
				     PROT_NONE, PROT_READ | PROT_EXEC, PROT_WRITE };
	char *p = c->arg[0] & 1 ? wild_base(c->slot) : wild_at(c, c->arg[0] & ~4095ULL);

	(void)t;
	return result(mprotect(p, c->arg[1] & 16 ? c->arg[1] % (64 * MIB) : wild_bytes(c->arg[1]),
			       prots[c->arg[2] % 6]));
}

static int wild_madvise(struct thread *t, const struct call *c)
{
	/* Not those that make memory bad for everyone (100, 101). */
	static const int advice[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_NORMAL, MADV_RANDOM,
		MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK,
		MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD,
		MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, 25 /* COLLAPSE */,
	};
	char *p = c->arg[0] & 1 ? wild_base(c->slot) : wild_at(c, c->arg[0] & ~4095ULL);
	size_t bytes = c->arg[1] & 16 ? c->arg[1] % (64 * MIB) : wild_bytes(c->arg[1]);

	(void)t;
	/* To populate a terabyte would take a while. */
	if (bytes > 64 * MIB)
		bytes = 64 * MIB;
	return result(madvise(p, bytes, advice[c->arg[2] % (sizeof(advice) / sizeof(*advice))]));
}

static int wild_mremap(struct thread *t, const struct call *c)
{
	unsigned int to = c->arg[4] % WILD;

	(void)t;
	return mremap(wild_base(c->slot), c->arg[0] & 32 ? 0 : wild_bytes(c->arg[0]),
		      wild_bytes(c->arg[1]) % WILD_STRIDE,
		      c->arg[2] & 1 ? MREMAP_MAYMOVE | MREMAP_FIXED : 0,
		      wild_base(to)) == MAP_FAILED ? errno : 0;
}

static int wild_lock(struct thread *t, const struct call *c)
{
	char *p = wild_at(c, c->arg[0] & ~4095ULL);
	size_t bytes = c->arg[1] % (8 * MIB);
	unsigned char vec[64];

	(void)t;
	switch (c->arg[2] % 4) {
	case 0:
		return result(mlock(p, bytes));
	case 1:
		return result(munlock(p, bytes));
	case 2:
		return result(msync(p, bytes, c->arg[3] & 7));
	default:
		return result(mincore(p, sizeof(vec) * 4096, vec));
	}
}

static void remember(struct thread *t, unsigned int slot, uint64_t where,
		     const struct goheap_span *s)
{
	struct wild_span *w = &t->life->known[slot][where % WILD_SPANS];

	atomic_store_explicit(&w->addr, s->addr, memory_order_relaxed);
	atomic_store_explicit(&w->npages, s->npages, memory_order_relaxed);
}

static int wild_alloc(struct thread *t, const struct call *c)
{
	struct goheap_span span[64];
	struct goheap_span_batch b = {
		.size = sizeof(b),
		.spans = (uintptr_t)span,
		.count = 1 + (c->arg[0] & 60 ? c->arg[0] % 3 : c->arg[0] / 64 % 64),
	};
	uint64_t npages = c->arg[1] % ((c->arg[1] & 0x3f00) == 0x3f00 ? 300 : 3);
	unsigned int i;
	int err;

	memset(span, 0, sizeof(span));
	for (i = 0; i < b.count; i++) {
		span[i].npages = 1 + (npages + i * (c->arg[2] & 3)) % (b.count > 1 ? 3 : 700);
		span[i].flags = c->arg[2] >> 2 & GOHEAP_SPAN_NOSCAN;
	}
	/* Almost right. */
	if ((c->arg[3] & 15) == 15)
		span[c->arg[3] / 16 % b.count].npages =
			c->arg[4] < 1 << 20 ? c->arg[4] % 600 : c->arg[4];
	if ((c->arg[3] & 31) == 14)
		span[c->arg[3] / 32 % b.count].flags |= c->arg[4];
	err = request(wild_fd(c), GOHEAP_IOC_SPAN_ALLOC, &b);
	for (i = 0; !err && i < b.count; i++)
		remember(t, c->slot, c->arg[4] + i, &span[i]);
	return err;
}

static int wild_free(struct thread *t, const struct call *c)
{
	struct goheap_span span[64];
	struct goheap_span_batch b = {
		.size = sizeof(b),
		.spans = (uintptr_t)span,
		.count = 1 + (c->arg[0] & 3 ? 0 : c->arg[0] % 64),
	};
	struct wild_span *known[64];
	unsigned int i;
	int err;

	memset(span, 0, sizeof(span));
	for (i = 0; i < b.count; i++) {
		struct wild_span *w = &t->life->known[c->slot][(c->arg[1] + i) % WILD_SPANS];
		unsigned int k;

		/* Mostly one that is there. */
		for (k = 0; c->arg[4] % 8 && k < WILD_SPANS && !atomic_load(&w->addr); k++)
			w = &t->life->known[c->slot][(c->arg[1] + i + k) % WILD_SPANS];
		known[i] = w;
		span[i].addr = atomic_load_explicit(&w->addr, memory_order_relaxed);
		span[i].npages = atomic_load_explicit(&w->npages, memory_order_relaxed);
	}
	if ((c->arg[2] & 7) == 7)
		span[c->arg[2] / 8 % b.count].npages += c->arg[3];
	if ((c->arg[2] & 15) == 6)
		span[c->arg[2] / 16 % b.count].addr += c->arg[3];
	err = request(wild_fd(c), GOHEAP_IOC_SPAN_FREE, &b);
	for (i = 0; i < b.count && c->arg[4] % 16; i++)
		atomic_store(&known[i]->addr, 0);
	return err;
}

static int wild_release(struct thread *t, const struct call *c)
{
	struct goheap_release r = {
		.size = sizeof(r),
		.flags = c->arg[0] & GOHEAP_RELEASE_KEEP,
		.bytes = (c->arg[1] & 7) == 7 ? ~0ULL : c->arg[2] % MIB,
	};

	(void)t;
	return request(wild_fd(c), GOHEAP_IOC_RELEASE, &r);
}

static int wild_settings(struct thread *t, const struct call *c)
{
	struct goheap_settings s = {
		.size = sizeof(s),
		.set = c->arg[0] % 64,
		.policy = c->arg[1] % 3,
		.scavenge = c->arg[2] % 20,
		.retain_percent = c->arg[3] & 1 ? 100 + c->arg[3] % 901 : c->arg[3],
		.memory_limit = c->arg[4] & 1 ? ~0ULL : c->arg[4] % (128 * MIB),
		.hard_limit = c->arg[4] & 2 ? ~0ULL : c->arg[3] % (128 * MIB),
	};

	(void)t;
	return request(wild_fd(c), GOHEAP_IOC_SETTINGS, &s);
}

static int wild_cycle(struct thread *t, const struct call *c)
{
	struct goheap_cycle y = { .size = sizeof(y), .heap_goal = c->arg[0] };

	(void)t;
	return request(wild_fd(c), GOHEAP_IOC_CYCLE, &y);
}

static int wild_track(struct thread *t, const struct call *c)
{
	struct goheap_track k = { .size = sizeof(k), .flags = c->arg[0] % 8 == 1 };

	(void)t;
	return request(wild_fd(c), GOHEAP_IOC_TRACK, &k);
}

static int wild_collect(struct thread *t, const struct call *c)
{
	static __thread uint64_t bitmap[64 * MIB / 4096 / 64];
	struct goheap_dirty d = {
		.size = sizeof(d),
		.addr = (uintptr_t)(c->arg[0] & 1 ? wild_base(c->slot) :
				    wild_at(c, c->arg[0] & ~4095ULL)),
		.bytes = c->arg[1] & 1 ? 4 * MIB : c->arg[1] % (64 * MIB),
		.bitmap = c->arg[2] & 7 ? (uintptr_t)bitmap : c->arg[3],
	};

	(void)t;
	if (c->arg[4] & 1)
		d.bytes &= ~4095ULL;
	/* The array is large enough for what is asked, or is not there. */
	return request(wild_fd(c), GOHEAP_IOC_COLLECT, &d);
}

/* Anything at all, anywhere. */
static int wild_raw(struct thread *t, const struct call *c)
{
	static const uint32_t sizes[] = { 16, 24, 40, 48, 64, 80, 96, 192, 304, 0, 4, 4096, 4097,
					  0xffffffff };
	static const unsigned long commands[] = {
		GOHEAP_IOC_INFO, GOHEAP_IOC_SPAN_ALLOC, GOHEAP_IOC_SPAN_FREE, GOHEAP_IOC_RELEASE,
		GOHEAP_IOC_STATS, GOHEAP_IOC_SETTINGS, GOHEAP_IOC_CYCLE, GOHEAP_IOC_TRACK,
		GOHEAP_IOC_COLLECT,
	};
	static __thread uint64_t buffer[1024];
	unsigned long cmd = commands[c->arg[0] % 9];
	uint64_t state = c->arg[1];
	char *p = (char *)buffer;
	unsigned int i;

	memset(buffer, 0, 512);
	for (i = 0; i < c->arg[2] % 16; i++)
		buffer[rnd(&state) % 40] = rnd_value(&state);
	/* Mostly as the kernel knows it. */
	*(uint32_t *)p = c->arg[3] & 3 ? _IOC_SIZE(cmd) : sizes[c->arg[3] / 4 % 14];
	if ((c->arg[3] & 0x300) != 0x300)
		((uint32_t *)p)[1] = 0;
	if ((c->arg[0] & 0x70) == 0x70)
		cmd ^= 1UL << c->arg[0] / 128 % 32;
	switch (c->arg[4] % 16) {
	case 0:
		p = (char *)(uintptr_t)c->arg[4];
		break;
	case 1:			/* the end of it is not there */
		p = t->page - 16 - c->arg[4] / 16 % 48;
		memcpy(p, buffer, t->page - p);
		break;
	case 2:
		p += 1;
		memmove(p, buffer, 512);
		break;
	case 3:			/* in a heap, if one is there */
	case 4:
		p = wild_at(c, c->arg[4] | 1);
		if (put(p, buffer, 512))
			return EFAULT;
		break;
	}
	return request(wild_fd(c), cmd, p);
}

static int wild_touch(struct thread *t, const struct call *c)
{
	struct wild_span *w = &t->life->known[c->slot][c->arg[1] % WILD_SPANS];
	uint64_t addr = atomic_load_explicit(&w->addr, memory_order_relaxed);
	char *p = wild_at(c, c->arg[0]);

	/* What is remembered may be anywhere by now, but never outside the slots. */
	if (c->arg[2] & 7 && addr >= WILD_BASE && addr < WILD_BASE + WILD * WILD_STRIDE)
		p = (char *)(uintptr_t)addr + c->arg[0] % PAGE;
	return touch(p, c->arg[2] & 8);
}

/* The kernel touches it for us, or somebody else does. */
static int wild_rw(struct thread *t, const struct call *c)
{
	struct wild_span *w = &t->life->known[c->slot][c->arg[1] % WILD_SPANS];
	uint64_t addr = atomic_load_explicit(&w->addr, memory_order_relaxed);
	static __thread char other[8192];
	size_t n = 1 + c->arg[2] % sizeof(other);
	struct iovec here = { other, n }, there = { (void *)(uintptr_t)addr, n };
	int fd, err;

	(void)t;
	if (addr < WILD_BASE || addr >= WILD_BASE + WILD * WILD_STRIDE)
		return EFAULT;
	switch (c->arg[0] % 4) {
	case 0:
		return result(process_vm_readv(getpid(), &here, 1, &there, 1, 0));
	case 1:
		return result(process_vm_writev(getpid(), &here, 1, &there, 1, 0));
	default:
		fd = open(c->arg[0] & 1 ? "/dev/zero" : "/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return errno;
		err = result(c->arg[0] & 1 ? read(fd, there.iov_base, n) :
					     write(fd, there.iov_base, n));
		close(fd);
		return err;
	}
}

static int wild_file(struct thread *t, const struct call *c)
{
	int fd = wild_fd(c);
	char buffer[64] = "";
	struct stat st;
	struct pollfd p = { fd, c->arg[1], 0 };

	(void)t;
	switch (c->arg[0] % 12) {
	case 0:
		return result(read(fd, buffer, sizeof(buffer)));
	case 1:
		return result(write(fd, buffer, sizeof(buffer)));
	case 2:
		return result(lseek(fd, c->arg[1], c->arg[2] % 5));
	case 3:
		return result(fstat(fd, &st));
	case 4:
		return result(ftruncate(fd, c->arg[1]));
	case 5:
		return result(fsync(fd));
	case 6:
		return result(fallocate(fd, c->arg[2] & 3, c->arg[1], c->arg[3]));
	case 7:
		return result(fcntl(fd, F_SETFL, c->arg[1] % 0x8000 & ~O_ASYNC));
	case 8:
		return result(pread(fd, buffer, sizeof(buffer), c->arg[1]));
	case 9:
		return result(flock(fd, (c->arg[1] & 11) | 4));
	case 10:
		return result(ioctl(fd, (unsigned long)c->arg[1], buffer));
	default:
		return result(poll(&p, 1, 0));
	}
}

static int wild_proc(struct thread *t, const struct call *c)
{
	static const char *const files[] = { "maps", "smaps_rollup", "statm", "numa_maps" };
	char path[64], text[1024];
	int fd, err = 0;

	(void)t;
	if (c->arg[0] & 3)
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", wild_fd(c));
	else
		snprintf(path, sizeof(path), "/proc/self/%s", files[c->arg[0] / 4 % 4]);
	if ((c->arg[0] & 63) == 63) {
		/* Soft-dirty bits cleared: every entry becomes read-only. */
		fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return errno;
		err = result(write(fd, &"14"[c->arg[1] & 1], 1));
		close(fd);
		return err;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	while ((err = read(fd, text, sizeof(text))) > 0)
		;
	close(fd);
	return result(err);
}

/* A child that does a few things to what it inherits. */
static int wild_fork(struct thread *t, const struct call *c)
{
	uint64_t state = c->arg[1];
	struct call k;
	int i, status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (!pid) {
		static char *const argv[] = { "true", NULL };

		for (i = 0; i < (int)(c->arg[0] % 12); i++) {
			call_random(&state, &k);
			/* Nothing that it shares with the parent but the heap; no forks. */
			if (!strncmp(ops[k.op].name, "own", 3) || ops[k.op].run == wild_fork)
				continue;
			ops[k.op].run(t, &k);
		}
		if ((c->arg[0] & 0x30) == 0x30)
			execv("/bin/true", argv);
		if ((c->arg[0] & 0xc0) == 0xc0)
			raise(SIGKILL);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* The half that keeps its word. */

static int wrong(struct thread *t, const char *what)
{
	if (!t->wrong)
		t->wrong = what;
	return EPROTO;
}

/* One word in each 4 KiB stands for the page. */
static void own_mark(const struct own_span *s)
{
	uint64_t i;

	for (i = 0; i < s->npages * PAGE; i += 4096)
		*(volatile uint64_t *)(uintptr_t)(s->addr + i + s->tag % 512 * 8) = s->tag + i;
}

static bool own_holds(const struct own_span *s)
{
	uint64_t i;

	for (i = 0; i < s->npages * PAGE; i += 4096)
		if (*(volatile uint64_t *)(uintptr_t)(s->addr + i + s->tag % 512 * 8) != s->tag + i)
			return false;
	return true;
}

static bool own_overlaps(const struct thread *t, const struct goheap_span *s)
{
	unsigned int i;

	for (i = 0; i < t->owned; i++)
		if (s->addr < t->own[i].addr + t->own[i].npages * PAGE &&
		    t->own[i].addr < s->addr + s->npages * PAGE)
			return true;
	return false;
}

static int own_alloc(struct thread *t, const struct call *c)
{
	struct goheap_span span[OWN_SPANS];
	struct goheap_span_batch b = { .size = sizeof(b), .spans = (uintptr_t)span };
	struct life *l = t->life;
	unsigned int i;
	uint64_t at;
	int err;

	b.count = 1 + (c->arg[0] & 63 ? c->arg[0] % 3 : c->arg[0] / 64 % 48);
	if (t->owned + b.count > OWN_SPANS)
		return 0;
	memset(span, 0, sizeof(span));
	for (i = 0; i < b.count; i++)
		span[i].npages = 1 + (c->arg[1] + i * c->arg[2]) % (c->arg[3] & 127 ? 2 : 30);
	err = request(l->own_fd, GOHEAP_IOC_SPAN_ALLOC, &b);
	if (err)
		return err == ENOMEM ? err : wrong(t, "an allocation: neither 0 nor ENOMEM");
	for (i = 0; i < b.count; i++) {
		struct goheap_span *s = &span[i];

		if (s->addr % PAGE || s->addr < (uintptr_t)l->own_base ||
		    s->addr + s->npages * PAGE > (uintptr_t)l->own_base + l->own_bytes)
			return wrong(t, "a span outside the arena");
		if (own_overlaps(t, s))
			return wrong(t, "a span over another");
		for (at = 0; !(s->flags & GOHEAP_SPAN_NEEDZERO) && at < s->npages * PAGE; at += 512)
			if (*(volatile uint64_t *)(uintptr_t)(s->addr + at))
				return wrong(t, "a span that is said to be zero and is not");
		t->own[t->owned] = (struct own_span){
			.addr = s->addr,
			.npages = s->npages,
			.tag = rnd(&t->tags),
		};
		own_mark(&t->own[t->owned++]);
	}
	return 0;
}

static int own_free(struct thread *t, const struct call *c)
{
	struct goheap_span span[OWN_SPANS];
	struct goheap_span_batch b = { .size = sizeof(b), .spans = (uintptr_t)span };
	unsigned int i, k, n = 1 + (c->arg[0] & 3 ? c->arg[0] % 4 : c->arg[0] % OWN_SPANS);
	int err;

	if (!t->owned)
		return 0;
	if (n > t->owned)
		n = t->owned;
	memset(span, 0, sizeof(span));
	for (i = 0; i < n; i++) {
		struct own_span *s;

		k = (c->arg[1] + i) % t->owned;
		s = &t->own[k];
		if (!own_holds(s))
			return wrong(t, "a span that does not hold what was written");
		span[i].addr = s->addr;
		span[i].npages = s->npages;
		*s = t->own[--t->owned];
		if (!t->owned)
			break;
	}
	b.count = i < n ? i + 1 : n;
	err = request(t->life->own_fd, GOHEAP_IOC_SPAN_FREE, &b);
	if (!err)
		return 0;
	/* 32 and fewer need no memory. */
	if (err != ENOMEM || b.count <= 32)
		return wrong(t, "a free that is refused");
	for (i = 0; i < b.count; i++) {
		b.spans = (uintptr_t)&span[i];
		b.count = 1;
		if (request(t->life->own_fd, GOHEAP_IOC_SPAN_FREE, &b))
			return wrong(t, "a free that is refused at last");
	}
	return err;
}

/* What must be refused, and is. */
static int own_mistake(struct thread *t, const struct call *c)
{
	struct goheap_span span[2] = { { 0 } };
	struct goheap_span_batch b = {
		.size = sizeof(b),
		.spans = (uintptr_t)span,
		.count = 1,
		.bad_index = 77,
	};
	unsigned long cmd = GOHEAP_IOC_SPAN_FREE;
	int err, want = EINVAL;
	unsigned int bad = 0;

	if (!t->owned)
		return 0;
	span[0].addr = t->own[c->arg[1] % t->owned].addr;
	span[0].npages = t->own[c->arg[1] % t->owned].npages;
	switch (c->arg[0] % 9) {
	case 0:
		span[0].npages++;
		break;
	case 1:
		span[0].npages--;
		break;
	case 2:
		span[0].addr += 1 + c->arg[2] % (PAGE - 1);
		break;
	case 3:
		span[1] = span[0];
		b.count = 2;
		bad = 1;
		break;
	case 4:
		span[0].flags = 1 + c->arg[2] % 0xffff;
		break;
	case 5:
		b.count = GOHEAP_BATCH_MAX + 1;
		bad = 77;
		break;
	case 6:
		cmd = GOHEAP_IOC_SPAN_ALLOC;	/* with an address in it */
		break;
	case 7:
		b.size = sizeof(b) - 1;
		bad = 77;
		break;
	default:
		b.spans = (uintptr_t)t->page;
		want = EFAULT;
		bad = 77;
	}
	err = request(t->life->own_fd, cmd, &b);
	if (err != want) {
		printf("# mistake %llu: errno %d\n", (unsigned long long)c->arg[0] % 9, err);
		fflush(stdout);
		return wrong(t, "a mistake: not the errno for it");
	}
	if (b.bad_index != bad)
		return wrong(t, "a mistake: not the span to blame");
	return err;
}

static int own_check(struct thread *t, const struct call *c)
{
	struct own_span *s;

	if (!t->owned)
		return 0;
	s = &t->own[c->arg[0] % t->owned];
	if (!own_holds(s))
		return wrong(t, "a span that does not hold what was written");
	s->tag = rnd(&t->tags);
	own_mark(s);
	return 0;
}

static int own_release(struct thread *t, const struct call *c)
{
	struct goheap_release r = {
		.size = sizeof(r),
		.flags = c->arg[0] & GOHEAP_RELEASE_KEEP,
		.bytes = (c->arg[1] & 7) == 7 ? ~0ULL : c->arg[2] % (MIB / 16),
	};

	return request(t->life->own_fd, GOHEAP_IOC_RELEASE, &r) ?
	       wrong(t, "a release that is refused") : 0;
}

static int own_stats(struct thread *t, const struct call *c)
{
	struct goheap_arena_stats st = { .size = sizeof(st) };
	uint64_t mine = 0;
	unsigned int i;

	(void)c;
	if (request(t->life->own_fd, GOHEAP_IOC_STATS, &st))
		return wrong(t, "statistics that are refused");
	for (i = 0; i < t->owned; i++)
		mine += t->own[i].npages * PAGE;
	if (st.grown_bytes != st.inuse_bytes + st.retained_bytes + st.released_bytes ||
	    st.kept_bytes > st.retained_bytes || st.spans != st.span_allocs - st.span_frees ||
	    st.inuse_bytes < mine)
		return wrong(t, "statistics that do not add up");
	return 0;
}

/* Page tables emptied, bits cleared: nothing that a span holds may depend on it. */
static int own_unmapped(struct thread *t, const struct call *c)
{
	uint64_t off = c->arg[0] % t->life->own_bytes & ~4095ULL;
	uint64_t bytes = 4096 + c->arg[1] % (t->life->own_bytes - off);

	if (bytes > t->life->own_bytes - off)
		bytes = t->life->own_bytes - off;
	return result(madvise(t->life->own_base + off, bytes,
			      c->arg[2] & 8 ? MADV_COLD : MADV_DONTNEED));
}

static int own_policy(struct thread *t, const struct call *c)
{
	struct goheap_settings s = {
		.size = sizeof(s),
		.set = GOHEAP_SET_POLICY | GOHEAP_SET_SCAVENGE,
		.policy = c->arg[0] & 1,
		.scavenge = c->arg[1] & GOHEAP_SCAVENGE_ALL,
	};

	if (!(t->life->features & GOHEAP_FEATURE_POLICY))
		return 0;
	if (!(t->life->features & GOHEAP_FEATURE_SCAVENGER))
		s.set = GOHEAP_SET_POLICY;
	return request(t->life->own_fd, GOHEAP_IOC_SETTINGS, &s);
}

static int own_cycle(struct thread *t, const struct call *c)
{
	struct goheap_cycle y = { .size = sizeof(y), .heap_goal = 1 + c->arg[0] % (16 * MIB) };

	if (!(t->life->features & GOHEAP_FEATURE_SCAVENGER))
		return 0;
	return request(t->life->own_fd, GOHEAP_IOC_CYCLE, &y);
}

static int own_track(struct thread *t, const struct call *c)
{
	struct goheap_track k = { .size = sizeof(k) };

	(void)c;
	if (!(t->life->features & GOHEAP_FEATURE_TRACK))
		return 0;
	return request(t->life->own_fd, GOHEAP_IOC_TRACK, &k);
}

static int own_collect(struct thread *t, const struct call *c)
{
	uint64_t bitmap[64];
	struct goheap_dirty d = {
		.size = sizeof(d),
		.addr = (uintptr_t)t->life->own_base + c->arg[0] % 4 * GOHEAP_CHUNK_SIZE,
		.bytes = GOHEAP_CHUNK_SIZE / 4,
		.bitmap = (uintptr_t)bitmap,
	};

	if (!(t->life->features & GOHEAP_FEATURE_TRACK))
		return 0;
	return request(t->life->own_fd, GOHEAP_IOC_COLLECT, &d);
}

/* In the child: its copy is what the parent's was, and is its own. */
static int child_looks(struct thread *t, const struct call *c)
{
	struct goheap_info info = { .size = sizeof(info) };
	unsigned int i;

	if (request(t->life->own_fd, GOHEAP_IOC_INFO, &info))
		return 0;		/* no part in it: before there was fork() */
	for (i = 0; i < t->owned; i++)
		if (!own_holds(&t->own[i]))
			return 1;
	for (i = 0; i < c->arg[0] % 6; i++) {
		struct call k = *c;

		k.arg[0] = rnd(&t->tags);
		switch (c->arg[1] >> i * 4 & 3) {
		case 0:
			own_alloc(t, &k);
			break;
		case 1:
			own_free(t, &k);
			break;
		case 2:
			own_check(t, &k);
			break;
		default:
			own_release(t, &k);
		}
	}
	for (i = 0; i < t->owned; i++)
		if (!own_holds(&t->own[i]))
			return 2;
	return t->wrong ? 3 : 0;
}

static int own_fork(struct thread *t, const struct call *c)
{
	unsigned int i;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (!pid) {
		int ret = child_looks(t, c);

		/* Without memory for its copy: the documented end. */
		if (t->wrong)
			fprintf(stderr, "# in a child: %s\n", t->wrong);
		_exit(ret);
	}
	/* The parent goes on, and both write what they share. */
	for (i = 0; i < c->arg[2] % 4 && t->owned; i++)
		own_check(t, &(struct call){ .arg = { c->arg[3] + i } });
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return wrong(t, WEXITSTATUS(status) == 1 ? "a child that does not see what the parent wrote" :
			     "a child whose copy is not its own");
	for (i = 0; i < t->owned; i++)
		if (!own_holds(&t->own[i]))
			return wrong(t, "a parent whose heap a child has changed");
	return 0;
}

/* The kernel writes a span, and reads it. */
static int own_rw(struct thread *t, const struct call *c)
{
	struct own_span *s;
	uint64_t word;
	int fds[2], ok;

	if (!t->owned)
		return 0;
	s = &t->own[c->arg[0] % t->owned];
	if (!own_holds(s))
		return wrong(t, "a span that does not hold what was written");
	if (pipe2(fds, O_CLOEXEC))
		return errno;
	s->tag = rnd(&t->tags);
	own_mark(s);
	word = s->tag;
	ok = write(fds[1], (void *)(uintptr_t)(s->addr + s->tag % 512 * 8), 8) == 8;
	ok &= read(fds[0], &word, 8) == 8 && word == s->tag;
	if (c->arg[1] & 1)
		madvise((void *)(uintptr_t)s->addr, s->npages * PAGE, MADV_DONTNEED);
	ok &= write(fds[1], &word, 8) == 8;
	ok &= read(fds[0], (void *)(uintptr_t)(s->addr + s->tag % 512 * 8), 8) == 8;
	close(fds[0]);
	close(fds[1]);
	return ok ? 0 : wrong(t, "a read(2) or write(2) of a span");
}

const struct op ops[] = {
	{ "open", 14, wild_open, true },
	{ "close", 6, wild_close, true },
	{ "dup", 6, wild_dup, true },
	{ "open and mmap", 30, wild_fresh, true },
	{ "mmap", 16, wild_mmap, true },
	{ "munmap", 6, wild_munmap, true },
	{ "mprotect", 10, wild_mprotect, true },
	{ "madvise", 60, wild_madvise, true },
	{ "mremap", 10, wild_mremap, false },
	{ "mlock, msync, mincore", 10, wild_lock, true },
	{ "alloc", 240, wild_alloc, true },
	{ "free", 240, wild_free, true },
	{ "release", 60, wild_release, true },
	{ "settings", 80, wild_settings, false },
	{ "cycle", 40, wild_cycle, false },
	{ "track", 40, wild_track, false },
	{ "collect", 60, wild_collect, false },
	{ "raw ioctl", 1000, wild_raw, true },
	{ "touch", 200, wild_touch, true },
	{ "kernel's access", 40, wild_rw, true },
	{ "file operation", 140, wild_file, true },
	{ "proc", 4, wild_proc, true },
	{ "fork", 1, wild_fork, true },
	{ "own alloc", 220, own_alloc, true },
	{ "own free", 260, own_free, true },
	{ "own mistake", 400, own_mistake, false },
	{ "own check", 300, own_check, true },
	{ "own release", 40, own_release, true },
	{ "own stats", 200, own_stats, true },
	{ "own madvise", 16, own_unmapped, true },
	{ "own policy", 24, own_policy, true },
	{ "own cycle", 20, own_cycle, true },
	{ "own track", 4, own_track, true },
	{ "own collect", 20, own_collect, true },
	{ "own fork", 1, own_fork, true },
	{ "own read and write", 16, own_rw, true },
};
const unsigned int nr_ops = sizeof(ops) / sizeof(*ops);

bool thread_begin(struct thread *t)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p + 4096, 4096))
		return false;
	/* Keeps the hole: nothing else is put there. */
	if (mmap(p + 4096, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return false;
	t->page = p + 4096;
	return true;
}

void thread_end(struct thread *t)
{
	unsigned int i;

	for (i = 0; i < t->owned; i++)
		if (!own_holds(&t->own[i]))
			wrong(t, "a span that does not hold what was written, at the end");
	while (t->owned && !t->wrong)
		own_free(t, &(struct call){ .arg = { 4 } });
	munmap(t->page - 4096, 8192);
}

bool life_begin(struct life *l)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_NODEFER | SA_SIGINFO };
	struct goheap_info info = { .size = sizeof(info) };

	this_life = l;
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	l->own_fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (l->own_fd < 0)
		return false;
	l->own_bytes = 64 * MIB;
	l->own_base = mmap(NULL, l->own_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, l->own_fd, 0);
	if (l->own_base == MAP_FAILED || request(l->own_fd, GOHEAP_IOC_INFO, &info))
		return false;
	l->features = info.features;
	return true;
}

/* Everything that the threads knew of is freed: nothing may be left. */
void life_end(struct life *l, struct thread *threads, unsigned int n)
{
	struct goheap_arena_stats st = { .size = sizeof(st) };
	unsigned int i;

	for (i = 0; i < n; i++)
		if (threads[i].wrong)
			return;
	if (request(l->own_fd, GOHEAP_IOC_STATS, &st) || st.spans || st.inuse_bytes)
		wrong(&threads[0], "spans that are left when all have been freed");
}
