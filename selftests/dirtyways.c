// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a page that is not reported because of who wrote it (the kernel for
 * a system call, another process, a device), or because of what happened to
 * it before it was asked for (unmapped, protected, released, freed).
 */
#include "dirty.h"

#include <linux/io_uring.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#define NPAGES	64		/* system pages in the span */
#define TARGET	37ULL		/* the one that is written */

FIXTURE(ways)
{
	int fd;
	char *base;
	struct goheap_span s;
	char *target;
};

FIXTURE_SETUP(ways)
{
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, GH_ARENA_BYTES);
	ASSERT_NE(NULL, self->base);
	ASSERT_EQ(0, gh_alloc(self->fd, NPAGES * SYS_PAGE / GH_PAGE, &self->s));
	self->target = gh_ptr(&self->s) + TARGET * SYS_PAGE;
	gh_fill(gh_ptr(&self->s), gh_bytes(&self->s), 1);
	ASSERT_EQ(0, gh_track(self->fd));
}

FIXTURE_TEARDOWN(ways)
{
	munmap(self->base, GH_ARENA_BYTES);
	close(self->fd);
}

#define COLLECT(n)	gh_collect(self->fd, self->base, NPAGES * SYS_PAGE, &(n))
#define IS(n, what, arg) gh_dirty_is(NPAGES, n, what, arg)

/* Exactly the target is reported, and only once. */
#define EXPECT_TARGET() do {							\
	uint64_t n_, target_ = TARGET;						\
	ASSERT_EQ(0, COLLECT(n_));						\
	EXPECT_TRUE(IS(n_, gh_expect_one, &target_));				\
	ASSERT_EQ(0, COLLECT(n_));						\
	EXPECT_TRUE(IS(n_, gh_expect_none, NULL));				\
} while (0)

/* ---- who writes ---- */

TEST_F(ways, read_from_a_pipe)
{
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(5, write(p[1], "hello", 5));
	ASSERT_EQ(5, read(p[0], self->target + 100, 5));
	EXPECT_TARGET();
}

TEST_F(ways, recv_from_a_socket)
{
	int p[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	ASSERT_EQ(5, write(p[1], "hello", 5));
	ASSERT_EQ(5, recv(p[0], self->target, 5, 0));
	EXPECT_TARGET();
}

TEST_F(ways, read_from_a_file)
{
	int fd = memfd_create("file", 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(5, write(fd, "hello", 5));
	ASSERT_EQ(5, pread(fd, self->target + 4091, 5, 0));
	EXPECT_TARGET();
}

TEST_F(ways, vmsplice_from_a_pipe)
{
	struct iovec iov = { self->target, 5 };
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(5, write(p[1], "hello", 5));
	ASSERT_EQ(5, vmsplice(p[0], &iov, 1, 0));
	EXPECT_TARGET();
}

TEST_F(ways, small_results_of_system_calls)
{
	ASSERT_EQ(0, clock_gettime(CLOCK_MONOTONIC, (void *)self->target));
	EXPECT_TARGET();
	ASSERT_EQ(16, getrandom(self->target, 16, 0));
	EXPECT_TARGET();
	ASSERT_EQ(0, syscall(SYS_getcpu, self->target, NULL, NULL));
	EXPECT_TARGET();
}

/* By the page's address in the kernel: no dirty bit in the PTE. */
TEST_F(ways, process_vm_writev)
{
	struct iovec from = { "hello", 5 }, to = { self->target, 5 };

	ASSERT_EQ(5, process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	EXPECT_TARGET();
}

TEST_F(ways, proc_self_mem)
{
	int fd = open("/proc/self/mem", O_RDWR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(5, pwrite(fd, "hello", 5, (uintptr_t)self->target));
	EXPECT_TARGET();
}

TEST_F(ways, another_process)
{
	struct iovec from = { "hello", 5 }, to = { self->target, 5 };
	pid_t pid;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(process_vm_writev(getppid(), &from, 1, &to, 1, 0) != 5);
	ASSERT_EQ(0, gh_wait(pid));
	EXPECT_TARGET();
}

/* The type of the file system that a file is on, as /proc/self/mountinfo has it. */
static bool is_on(int file, const char *type)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096], dev[32], *dash;
	bool found = false;
	struct stat st;

	if (!f || fstat(file, &st))
		return false;
	snprintf(dev, sizeof(dev), " %u:%u ", major(st.st_dev), minor(st.st_dev));
	while (fgets(line, sizeof(line), f)) {
		dash = strstr(line, " - ");
		if (dash && strstr(line, dev) && !strncmp(dash + 3, type, strlen(type)))
			found = true;
	}
	fclose(f);
	return found;
}

/* Until 6.8 9p wrote to pages without ever marking them: nobody could know. */
static bool leaves_no_mark(int file)
{
	unsigned int v = 0, sub = 0;
	struct utsname u;

	if (!is_on(file, "9p") || uname(&u))
		return false;
	return sscanf(u.release, "%u.%u", &v, &sub) == 2 && (v < 6 || (v == 6 && sub < 8));
}

/* The file system puts the data where it belongs without a copy. */
TEST_F(ways, direct_read)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_DIRECT);

	if (fd < 0)
		SKIP(return, "no O_DIRECT here: %s", strerror(errno));
	if (leaves_no_mark(fd))
		SKIP(return, "this kernel's 9p does not mark what it writes");
	ASSERT_EQ((ssize_t)SYS_PAGE, pread(fd, self->target, SYS_PAGE, 0));
	ASSERT_EQ(0, memcmp(self->target, "\177ELF", 4));
	EXPECT_TARGET();
}

/* A ring of io_uring: as much of it as one read at a time needs. */
struct ring {
	struct io_uring_params p;
	int fd;
	size_t bytes;
	char *rings;
	struct io_uring_sqe *sqes;
};

/* 0 or the errno. */
static int ring_open(struct ring *r)
{
	size_t sq, cq;

	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 4, &r->p);
	if (r->fd < 0)
		return errno;
	sq = r->p.sq_off.array + r->p.sq_entries * sizeof(unsigned int);
	cq = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->bytes = sq > cq ? sq : cq;
	r->rings = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	return r->rings == MAP_FAILED || r->sqes == MAP_FAILED ? errno : 0;
}

static void ring_close(struct ring *r)
{
	munmap(r->rings, r->bytes);
	munmap(r->sqes, r->p.sq_entries * sizeof(*r->sqes));
	close(r->fd);
}

static unsigned int *ring_word(struct ring *r, unsigned int off)
{
	return (unsigned int *)(r->rings + off);
}

/* Read into the registered buffer; what the read returned. */
static int ring_read(struct ring *r, int file, void *to, unsigned int bytes)
{
	unsigned int *tail = ring_word(r, r->p.sq_off.tail);
	unsigned int *head = ring_word(r, r->p.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(r->rings + r->p.cq_off.cqes);
	int ret;

	r->sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED,
		.fd = file,
		.addr = (uintptr_t)to,
		.len = bytes,
	};
	ring_word(r, r->p.sq_off.array)[*tail & *ring_word(r, r->p.sq_off.ring_mask)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -1;
	ret = cqes[*head & *ring_word(r, r->p.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return ret;
}

/*
 * A buffer that is registered with io_uring is pinned for as long as it
 * likes, and written by its address in the kernel with no mark left.
 */
TEST_F(ways, pinned_buffer)
{
	struct iovec iov = { self->target, SYS_PAGE };
	int file = memfd_create("file", 0), round, err;
	uint64_t n, one = TARGET;
	struct ring r;

	ASSERT_LE(0, file);
	ASSERT_EQ(8, write(file, "12345678", 8));
	err = ring_open(&r);
	if (err)
		SKIP(return, "no io_uring here: %s", strerror(err));
	if (syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, &iov, 1))
		SKIP(return, "this kernel does not register such memory: %s", strerror(errno));

	ASSERT_EQ(0, COLLECT(n));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(8, ring_read(&r, file, self->target + 8 * round, 8));
		ASSERT_EQ(0, memcmp(self->target + 8 * round, "12345678", 8));
		ASSERT_EQ(0, COLLECT(n));
		EXPECT_TRUE(IS(n, gh_expect_one, &one));
	}
	/* Written and let go before it is asked for again. */
	ASSERT_EQ(8, ring_read(&r, file, self->target + 24, 8));
	ASSERT_EQ(0, syscall(SYS_io_uring_register, r.fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
	ring_close(&r);
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(gh_is_dirty(TARGET));
	/* The ring is taken down in the background; then the page is as any other. */
	for (round = 0; round < 1000; round++) {
		ASSERT_EQ(0, COLLECT(n));
		if (!n)
			break;
		usleep(1000);
	}
	EXPECT_EQ(0, n);
}

/* ---- what becomes of the page before it is asked for ---- */

TEST_F(ways, unmapped)
{
	*self->target = 1;
	ASSERT_EQ(0, madvise(self->base, GH_ARENA_BYTES, MADV_DONTNEED));
	EXPECT_TARGET();
}

TEST_F(ways, unmapped_and_read)
{
	*self->target = 1;
	ASSERT_EQ(0, madvise(self->base, GH_ARENA_BYTES, MADV_DONTNEED));
	EXPECT_EQ(1, *(volatile char *)self->target);
	EXPECT_TARGET();
}

TEST_F(ways, cold)
{
	*self->target = 1;
	ASSERT_EQ(0, madvise(self->base, GH_ARENA_BYTES, MADV_COLD));
	ASSERT_EQ(0, madvise(self->base, GH_ARENA_BYTES, MADV_PAGEOUT));
	EXPECT_TARGET();
}

TEST_F(ways, protected)
{
	*self->target = 1;
	ASSERT_EQ(0, mprotect(self->base, GH_ARENA_BYTES, PROT_READ));
	EXPECT_TARGET();
	ASSERT_EQ(0, mprotect(self->base, GH_ARENA_BYTES, PROT_READ | PROT_WRITE));
	*self->target = 1;
	ASSERT_EQ(0, mprotect(self->base, GH_ARENA_BYTES, PROT_NONE));
	EXPECT_TARGET();
	ASSERT_EQ(0, mprotect(self->base, GH_ARENA_BYTES, PROT_READ | PROT_WRITE));
	*self->target = 1;
	EXPECT_TARGET();
}

/* Somebody else clears soft-dirty and accessed bits of the process. */
TEST_F(ways, clear_refs)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	ASSERT_LE(0, fd);
	*self->target = 1;
	ASSERT_EQ(1, write(fd, "4", 1));
	EXPECT_TARGET();
	*self->target = 1;
	EXPECT_TARGET();
	*self->target = 1;
	ASSERT_EQ(1, write(fd, "1", 1));
	EXPECT_TARGET();
}

/* Freed and allocated again, the memory still there. */
TEST_F(ways, recycled)
{
	struct goheap_span s;

	*self->target = 1;
	ASSERT_EQ(0, gh_free(self->fd, &self->s));
	ASSERT_EQ(0, gh_alloc(self->fd, self->s.npages, &s));
	ASSERT_EQ(self->s.addr, s.addr);
	EXPECT_TARGET();
}

/* Freed, kept, allocated again: mapped anew, but what is in it was there. */
TEST_F(ways, kept)
{
	uint64_t bytes = GH_ALL, n;
	struct goheap_span s;

	*self->target = 1;
	ASSERT_EQ(0, gh_free(self->fd, &self->s));
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	EXPECT_TARGET();
	ASSERT_EQ(0, gh_alloc(self->fd, self->s.npages, &s));
	ASSERT_EQ(self->s.addr, s.addr);
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(IS(n, gh_expect_none, NULL));
	*self->target = 1;
	EXPECT_TARGET();
}

/* What lost its memory counts as written, once; what gets new memory as well. */
TEST_F(ways, released)
{
	uint64_t bytes = GH_ALL, n;
	struct goheap_span s;

	ASSERT_EQ(0, gh_free(self->fd, &self->s));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(IS(n, gh_expect_all, NULL));
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(IS(n, gh_expect_none, NULL));

	ASSERT_EQ(0, gh_alloc(self->fd, self->s.npages, &s));
	ASSERT_EQ(self->s.addr, s.addr);
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(IS(n, gh_expect_all, NULL));
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(IS(n, gh_expect_none, NULL));
	*self->target = 1;
	EXPECT_TARGET();
}

/* Released and allocated again between two requests. */
TEST_F(ways, replaced)
{
	uint64_t bytes = GH_ALL, n;
	struct goheap_span s;

	*self->target = 1;
	ASSERT_EQ(0, gh_free(self->fd, &self->s));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	ASSERT_EQ(0, gh_alloc(self->fd, self->s.npages / 2, &s));
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(IS(n, gh_expect_all, NULL));
}

/* Spans that did not exist when the window began, in new chunks too. */
TEST_F(ways, grown)
{
	uint64_t n, i, bytes = 24 * MIB;
	struct goheap_span s;

	ASSERT_EQ(0, gh_alloc(self->fd, bytes / GH_PAGE, &s));
	ASSERT_EQ(0, gh_collect(self->fd, gh_ptr(&s), bytes, &n));
	EXPECT_TRUE(gh_dirty_is(bytes / SYS_PAGE, n, gh_expect_all, NULL));
	for (i = 0; i < bytes / SYS_PAGE; i += 701) {
		gh_ptr(&s)[i * SYS_PAGE] = 1;
		ASSERT_EQ(0, gh_collect(self->fd, gh_ptr(&s), bytes, &n));
		EXPECT_TRUE(gh_dirty_is(bytes / SYS_PAGE, n, gh_expect_one, &i));
	}
	/* Only a part of each chunk has memory. */
	ASSERT_EQ(0, gh_free(self->fd, &s));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	ASSERT_EQ(0, gh_track(self->fd));
	*self->target = 1;
	EXPECT_TARGET();
}

/* ---- fork ---- */

static bool forks(int fd)
{
	struct goheap_info info;

	return !gh_info(fd, &info) && info.features & GOHEAP_FEATURE_FORK;
}

/* The parent's marks outlive the fork, whatever the child does. */
TEST_F(ways, forked)
{
	pid_t pid;

	*self->target = 1;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(0);
	ASSERT_EQ(0, gh_wait(pid));
	EXPECT_TARGET();
	/* What was clean at the fork and is written after it, shared or not. */
	*self->target = 2;
	EXPECT_TARGET();
}

/* What the child does in its heap, step by step; the exit status says which failed. */
static int child(int fd, char *base, char *target)
{
	uint64_t n, one = TARGET, other = 3;

	/* No window is inherited. */
	if (gh_collect(fd, base, NPAGES * SYS_PAGE, &n) != ENODATA)
		return 1;
	base[3 * SYS_PAGE] = 1;
	if (gh_track(fd))
		return 2;
	if (gh_collect(fd, base, NPAGES * SYS_PAGE, &n) ||
	    !gh_dirty_is(NPAGES, n, gh_expect_none, NULL))
		return 3;
	*target = 1;
	if (gh_collect(fd, base, NPAGES * SYS_PAGE, &n) ||
	    !gh_dirty_is(NPAGES, n, gh_expect_one, &one))
		return 4;
	base[3 * SYS_PAGE] = 2;
	if (madvise(base, GH_ARENA_BYTES, MADV_DONTNEED))
		return 5;
	if (gh_collect(fd, base, NPAGES * SYS_PAGE, &n) ||
	    !gh_dirty_is(NPAGES, n, gh_expect_one, &other))
		return 6;
	return 0;
}

TEST_F(ways, child_has_its_own_window)
{
	uint64_t n, i;
	pid_t pid;

	if (!forks(self->fd))
		SKIP(return, "forked children have no heap");
	for (i = 5; i < NPAGES; i += 2)
		self->base[i * SYS_PAGE] = 5;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(child(self->fd, self->base, self->target));
	ASSERT_EQ(0, gh_wait(pid));
	/* The child cleared its own marks, and may have added to ours. */
	ASSERT_EQ(0, COLLECT(n));
	for (i = 5; i < NPAGES; i += 2)
		EXPECT_TRUE(gh_is_dirty(i));
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(IS(n, gh_expect_none, NULL));
}

/* And the other way round: the parent's harvest does not hide the child's writes. */
TEST_F(ways, parent_collects_while_child_lives)
{
	int to[2], from[2];
	uint64_t n;
	pid_t pid;
	char c;

	if (!forks(self->fd))
		SKIP(return, "forked children have no heap");
	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(to[1]);
		if (gh_track(self->fd))
			_exit(1);
		*self->target = 9;
		if (write(from[1], "w", 1) != 1 || read(to[0], &c, 1) != 1)
			_exit(2);
		if (COLLECT(n) || !gh_is_dirty(TARGET))
			_exit(3);
		_exit(0);
	}
	close(from[1]);
	ASSERT_EQ(1, read(from[0], &c, 1));
	self->base[11 * SYS_PAGE] = 1;
	ASSERT_EQ(0, COLLECT(n));
	EXPECT_TRUE(gh_is_dirty(11));
	ASSERT_EQ(0, gh_track(self->fd));
	ASSERT_EQ(1, write(to[1], "g", 1));
	EXPECT_EQ(0, gh_wait(pid));
}

TEST_HARNESS_MAIN
