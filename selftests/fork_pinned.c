// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a page that a device or a pipe was given before a fork, and that is
 * another page than the one its owner has after it.
 */
#include "arena.h"
#include "forks.h"

#include <sys/syscall.h>
#include <sys/uio.h>

/* Pages in a pipe are the process's own: what it writes is what is read there. */
TEST_F(arena, vmsplice)
{
	struct signal_pipe child, parent;
	struct goheap_arena_stats st;
	char *page, got[4096];
	struct iovec iov;
	struct heap h;
	int data[2];
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_EQ(0, pipe(data));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	page = gh_ptr(&h.a) + 5 * 4096;
	iov = (struct iovec){ .iov_base = page, .iov_len = 4096 };
	ASSERT_EQ(4096, vmsplice(data[1], &iov, 1, 0));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(1, heap_holds(&h));
		sp_tell(&child);
		sp_wait(&parent);
		/* The parent has written to its own. */
		CHILD_CHECK(2, heap_holds(&h));
		gh_fill(page, 4096, 81);
		sp_tell(&child);
		sp_wait(&parent);
		_exit(0);
	}
	sp_wait(&child);
	gh_fill(page, 4096, 82);
	sp_tell(&parent);
	sp_wait(&child);
	ASSERT_EQ(4096, read(data[0], got, 4096));
	EXPECT_TRUE(gh_holds(got, 4096, 82));
	EXPECT_TRUE(gh_holds(page, 4096, 82));
	/* The child's was made at fork, so nobody had to copy when he wrote. */
	st = gh_stats(self->fd);
	EXPECT_EQ(0, st.copied_bytes);
	EXPECT_EQ(764 * GH_PAGE - 4096, st.shared_bytes);
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
}

/* Many, so that the pages for the copies have to be fetched in a second round. */
TEST_F(arena, many_pages)
{
	enum { PAGES = 48, PIPES = 4 };
	int data[PIPES][2];
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	for (int i = 0; i < PIPES; i++) {
		ASSERT_EQ(0, pipe(data[i]));
		for (int j = 0; j < PAGES / PIPES; j++) {
			struct iovec iov = {
				.iov_base = gh_ptr(&h.b) + (i * 300 + j * 2) * 4096ULL,
				.iov_len = 4096,
			};

			ASSERT_EQ(4096, vmsplice(data[i][1], &iov, 1, 0));
		}
	}
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct goheap_arena_stats st = gh_stats(self->fd);

		CHILD_CHECK(1, st.shared_bytes == 764 * GH_PAGE - PAGES * 4096);
		CHILD_CHECK(2, heap_holds(&h));
		gh_fill(gh_ptr(&h.b), gh_bytes(&h.b), 9);
		_exit(0);
	}
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_TRUE(heap_holds(&h));
	for (int i = 0; i < PIPES; i++) {
		for (int j = 0; j < PAGES / PIPES; j++) {
			char got[4096];

			ASSERT_EQ(4096, read(data[i][0], got, sizeof(got)));
			EXPECT_EQ(0, memcmp(gh_ptr(&h.b) + (i * 300 + j * 2) * 4096ULL, got,
					    sizeof(got)));
		}
	}
}

/*
 * A buffer that io_uring holds is written to after the fork: a page pinned for
 * as long as the ring exists.  The data is the parent's alone.
 */
#if defined(__NR_io_uring_setup) && __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
};

static bool ring_make(struct ring *r)
{
	struct io_uring_params p = {};
	char *sq, *cq;

	r->fd = syscall(__NR_io_uring_setup, 4, &p);
	if (r->fd < 0)
		return false;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE,
		  MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*r->cqe), PROT_READ | PROT_WRITE,
		  MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqe = mmap(NULL, p.sq_entries * sizeof(*r->sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
		      r->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || r->sqe == MAP_FAILED)
		return false;
	r->sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	r->sq_mask = (unsigned int *)(sq + p.sq_off.ring_mask);
	r->sq_array = (unsigned int *)(sq + p.sq_off.array);
	r->cq_head = (unsigned int *)(cq + p.cq_off.head);
	r->cq_tail = (unsigned int *)(cq + p.cq_off.tail);
	r->cq_mask = (unsigned int *)(cq + p.cq_off.ring_mask);
	r->cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return true;
}

/* Read @len bytes from @fd into the registered buffer at @to: the result. */
static int ring_read(struct ring *r, int fd, void *to, unsigned int len)
{
	unsigned int tail = *r->sq_tail, i = tail & *r->sq_mask, head;

	r->sqe[i] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED, .fd = fd, .off = -1ULL,
		.addr = (uintptr_t)to, .len = len, .buf_index = 0,
	};
	r->sq_array[i] = i;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	head = *r->cq_head;
	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return -ENODATA;
	i = r->cqe[head & *r->cq_mask].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return i;
}

TEST_F(arena, io_uring)
{
	struct signal_pipe child, parent;
	struct ring r;
	struct iovec iov;
	struct heap h;
	int data[2];
	char *page;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&child) && sp_make(&parent));
	ASSERT_EQ(0, pipe(data));
	if (!ring_make(&r))
		SKIP(return, "no io_uring: %s", strerror(errno));
	page = gh_ptr(&h.a) + 8 * 4096;
	iov = (struct iovec){ .iov_base = page, .iov_len = 4 * 4096 };
	if (syscall(__NR_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, &iov, 1))
		SKIP(return, "this kernel registers no mapped files: %s", strerror(errno));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* First the data arrives in the parent, then this one writes. */
		sp_wait(&parent);
		CHILD_CHECK(1, heap_holds(&h));
		gh_fill(page, 4 * 4096, 91);
		sp_tell(&child);
		sp_wait(&parent);
		CHILD_CHECK(2, gh_holds(page, 4 * 4096, 91));
		_exit(0);
	}
	/* A write of the parent's must not part it from what the ring has. */
	gh_fill(page, 4 * 4096, 92);
	ASSERT_EQ(8, write(data[1], "ring one", 8));
	ASSERT_EQ(8, ring_read(&r, data[0], page + 4096, 8));
	EXPECT_EQ(0, memcmp(page + 4096, "ring one", 8));
	sp_tell(&parent);
	sp_wait(&child);
	ASSERT_EQ(8, write(data[1], "ring two", 8));
	ASSERT_EQ(8, ring_read(&r, data[0], page + 4096, 8));
	EXPECT_EQ(0, memcmp(page + 4096, "ring two", 8));
	EXPECT_TRUE(gh_holds(page, 4096, 92));
	sp_tell(&parent);
	EXPECT_EQ(0, gh_wait(pid));
	close(r.fd);
}

/*
 * While there are relatives nothing can be pinned for long; when they have gone,
 * and a request has had work to do in the page tables, it can again.
 */
TEST_F(arena, pinning_for_long)
{
	struct goheap_span s;
	struct signal_pipe end;
	struct iovec iov;
	struct ring r[3];
	struct heap h;
	pid_t pid;

	ASSERT_TRUE(heap_make(self->fd, &h));
	ASSERT_TRUE(sp_make(&end));
	if (!ring_make(&r[0]) || !ring_make(&r[1]) || !ring_make(&r[2]))
		SKIP(return, "no io_uring: %s", strerror(errno));
	iov = (struct iovec){ .iov_base = gh_ptr(&h.a), .iov_len = 4096 };
	if (syscall(__NR_io_uring_register, r[0].fd, IORING_REGISTER_BUFFERS, &iov, 1))
		SKIP(return, "this kernel registers no mapped files: %s", strerror(errno));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		sp_wait(&end);
		_exit(0);
	}
	EXPECT_EQ(-1, syscall(__NR_io_uring_register, r[1].fd, IORING_REGISTER_BUFFERS, &iov, 1));
	sp_tell(&end);
	EXPECT_EQ(0, gh_wait(pid));
	ASSERT_EQ(0, gh_alloc(self->fd, 10, &s));
	EXPECT_EQ(0, syscall(__NR_io_uring_register, r[2].fd, IORING_REGISTER_BUFFERS, &iov, 1))
		TH_LOG("%s", strerror(errno));
	EXPECT_TRUE(heap_holds(&h));
}
#endif

TEST_HARNESS_MAIN
