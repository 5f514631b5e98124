// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a device that ordinary users cannot use, or that can be had without
 * the right to read and to write it.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <grp.h>

#include "goheap_test.h"

#define NOBODY 65534

TEST(mode)
{
	struct stat st;

	ASSERT_EQ(0, stat(GH_DEVICE, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0666, st.st_mode & 07777);
}

TEST(access_mode)
{
	EXPECT_EQ(-1, open(GH_DEVICE, O_RDONLY));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, open(GH_DEVICE, O_WRONLY));
	EXPECT_EQ(EACCES, errno);
}

/* A whole life of an arena without any privilege: 0, or which step failed. */
static int life(void)
{
	uint64_t bytes = GH_ALL;
	struct goheap_info info;
	struct goheap_span span;
	char *base;
	int fd;

#define NEED(x) do { if (!(x)) return __COUNTER__ + 1; } while (0)
	fd = gh_open();
	NEED(fd >= 0);
	NEED(!gh_info(fd, &info));
	base = gh_map(fd, 1024 * MIB);
	NEED(base);
	NEED(!gh_alloc(fd, 1000, &span));
	gh_fill(gh_ptr(&span), gh_bytes(&span), 1);
	NEED(gh_holds(gh_ptr(&span), gh_bytes(&span), 1));
	NEED(!gh_free(fd, &span));
	NEED(!gh_release(fd, 0, &bytes));
	NEED(bytes == gh_bytes(&span));
	NEED(gh_stats(fd).freed_bytes == bytes);
	NEED(!munmap(base, 1024 * MIB));
	NEED(!close(fd));
	return 0;
}

TEST(as_nobody)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		/* A test run by an ordinary user has no privilege to drop. */
		if (!geteuid() && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
			_exit(255);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(life());
	}
	EXPECT_EQ(0, gh_wait(pid))
		TH_LOG("a request failed: see life()");
}

/* A process that is not dumpable, such as one that was setuid, can use it. */
TEST(not_dumpable)
{
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	EXPECT_EQ(0, life());
}

TEST_HARNESS_MAIN
