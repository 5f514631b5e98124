// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a request that is served in the wrong state (not mapped, no longer
 * mapped, closed), to the wrong process, or under the wrong number.
 */
#include "arena.h"

#include <sys/socket.h>
#include <sys/uio.h>

/* The errno of each request, all well formed. */
struct errnos {
	int info, stats, alloc, free, release;
};

static struct errnos all_requests(int fd, uint64_t addr, uint64_t npages)
{
	struct goheap_arena_stats st;
	struct goheap_info info;
	struct goheap_span s;
	uint64_t bytes = GH_ALL;
	struct errnos e;

	e.info = gh_info(fd, &info);
	e.stats = gh_try_stats(fd, &st);
	e.alloc = gh_alloc(fd, 1, &s);
	e.free = gh_free_range(fd, addr, npages);
	e.release = gh_release(fd, 0, &bytes);
	return e;
}

static bool all_are(struct errnos e, int err)
{
	return e.info == err && e.stats == err && e.alloc == err &&
	       e.free == err && e.release == err;
}

TEST(before_mmap)
{
	struct goheap_arena_stats before, after;
	struct errnos e;
	int fd = gh_open();

	ASSERT_LE(0, fd);
	before = gh_stats(fd);
	e = all_requests(fd, GH_PAGE, 1);
	/* These two say that there is no mapping; the others need one. */
	EXPECT_EQ(0, e.info);
	EXPECT_EQ(0, e.stats);
	EXPECT_EQ(ENXIO, e.alloc);
	EXPECT_EQ(ENXIO, e.free);
	EXPECT_EQ(ENXIO, e.release);
	after = gh_stats(fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	close(fd);
}

TEST_F(arena, after_munmap)
{
	struct goheap_info info;
	struct goheap_span s;
	struct errnos e;

	ASSERT_EQ(0, gh_alloc(self->fd, 4, &s));
	ASSERT_EQ(0, munmap(self->base, self->bytes));
	self->base = NULL;
	e = all_requests(self->fd, s.addr, 4);
	EXPECT_EQ(0, e.info);
	EXPECT_EQ(0, e.stats);
	EXPECT_EQ(ENXIO, e.alloc);
	EXPECT_EQ(ENXIO, e.free);
	EXPECT_EQ(ENXIO, e.release);
	ASSERT_EQ(0, gh_info(self->fd, &info));
	EXPECT_EQ(0, info.arena_start);
	EXPECT_EQ(0, info.arena_bytes);
	EXPECT_EQ(0, gh_stats(self->fd).inuse_bytes);
	EXPECT_EQ(0, gh_stats(self->fd).spans);
}

/* Wrong input is wrong input in any state. */
TEST(bad_input_before_mmap)
{
	struct goheap_release r = { .size = sizeof(r), .flags = 1U << 31 };
	int fd = gh_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(EFAULT, gh_ioctl(fd, GOHEAP_IOC_RELEASE, NULL));
	EXPECT_EQ(ENOTTY, gh_ioctl(fd, _IO(GOHEAP_IOC_MAGIC, 0x7f), NULL));
	EXPECT_EQ(EINVAL, gh_ioctl(fd, GOHEAP_IOC_RELEASE, &r));
	close(fd);
}

TEST_F(arena, closed)
{
	struct goheap_span s;
	int copy;

	ASSERT_EQ(0, gh_alloc(self->fd, 4, &s));
	copy = dup(self->fd);
	ASSERT_EQ(0, close(self->fd));
	EXPECT_TRUE(all_are(all_requests(self->fd, s.addr, 4), EBADF));
	EXPECT_TRUE(all_are(all_requests(-1, s.addr, 4), EBADF));
	EXPECT_EQ(4 * GH_PAGE, gh_stats(copy).inuse_bytes);
	self->fd = copy;
}

static int send_fd(int sock, int fd)
{
	char c = 0, control[CMSG_SPACE(sizeof(int))] = { };
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

static int receive_fd(int sock)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* Sent over a socket to a process that was there before the arena. */
TEST(from_another_process)
{
	int sv[2], fd;
	struct goheap_span s;
	uint64_t range[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(sv[0]);
		fd = receive_fd(sv[1]);
		if (fd < 0 || read(sv[1], range, sizeof(range)) != sizeof(range))
			_exit(1);
		if (!all_are(all_requests(fd, range[0], range[1]), EPERM))
			_exit(2);
		if (gh_map(fd, 64 * MIB) || errno != EPERM)
			_exit(3);
		_exit(0);
	}
	close(sv[1]);
	fd = gh_open();
	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 64 * MIB));
	ASSERT_EQ(0, gh_alloc(fd, 4, &s));
	gh_fill(gh_ptr(&s), gh_bytes(&s), 1);
	ASSERT_EQ(0, send_fd(sv[0], fd));
	range[0] = s.addr;
	range[1] = s.npages;
	ASSERT_EQ((ssize_t)sizeof(range), write(sv[0], range, sizeof(range)));
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_EQ(4 * GH_PAGE, gh_stats(fd).inuse_bytes);
	EXPECT_TRUE(gh_holds(gh_ptr(&s), gh_bytes(&s), 1));
	close(fd);
}

/* A device that was opened, not mapped, and sent: it is still the opener's. */
TEST(mapped_by_another_process)
{
	int sv[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		fd = receive_fd(sv[1]);
		if (fd < 0)
			_exit(1);
		if (gh_map(fd, 64 * MIB) || errno != EPERM)
			_exit(2);
		_exit(0);
	}
	fd = gh_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, send_fd(sv[0], fd));
	EXPECT_EQ(0, gh_wait(pid));
	EXPECT_NE(NULL, gh_map(fd, 64 * MIB));
	close(fd);
}

TEST_F(arena, unknown_numbers)
{
	struct goheap_arena_stats before, after;
	struct goheap_span s;
	static char buf[16384];
	unsigned int nr;

	ASSERT_EQ(0, gh_alloc(self->fd, 4, &s));
	before = gh_stats(self->fd);
	for (nr = 0; nr < 256; nr++) {
		if (nr >= 0x40 && nr <= 0x48)
			continue;
		EXPECT_EQ(ENOTTY, gh_ioctl(self->fd, _IO(GOHEAP_IOC_MAGIC, nr), buf))
			TH_LOG("number %u", nr);
		EXPECT_EQ(ENOTTY, gh_ioctl(self->fd, _IOWR(GOHEAP_IOC_MAGIC, nr,
							   struct goheap_release), buf))
			TH_LOG("number %u", nr);
	}
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
}

/* The right number under another driver's type. */
TEST_F(arena, wrong_type)
{
	static const unsigned char types[] = { 0, 1, 'T' + 1, 0xE6, 0xE8, 0x67, 0xff };
	struct goheap_arena_stats before, after;
	struct goheap_release r;
	unsigned int nr;
	size_t i;

	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (nr = 0x40; nr <= 0x44; nr++) {
			r = (struct goheap_release){ .size = sizeof(r), .bytes = GH_ALL };
			EXPECT_EQ(ENOTTY, gh_ioctl(self->fd, _IOC(_IOC_READ | _IOC_WRITE, types[i],
								  nr, sizeof(r)), &r))
				TH_LOG("type %#x number %#x", types[i], nr);
		}
	}
	/* Upper halves that an int would not show. */
	EXPECT_EQ(ENOTTY, gh_ioctl(self->fd, 0x40, &r));
	EXPECT_EQ(ENOTTY, gh_ioctl(self->fd, 0, &r));
	EXPECT_EQ(ENOTTY, gh_ioctl(self->fd, 0xE740, &r));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
}

/* What a file can be asked for that this one has not. */
TEST_F(arena, not_a_file_to_read)
{
	struct goheap_arena_stats before = gh_stats(self->fd), after;
	char buf[16] = "";

	EXPECT_EQ(-1, read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, 4 * MIB));
	EXPECT_EQ(-1, fallocate(self->fd, 0, 0, 4 * MIB));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
}

TEST_HARNESS_MAIN
