// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a module that can be removed under an open arena, or cannot be when
 * the last one has gone, or does not come back.
 *
 * Removes the module from the kernel and inserts it again, from the file that
 * GOHEAP_KO names (selftests/vm/run sets it); so it runs last.
 */
#include "goheap_test.h"

#include <sys/syscall.h>

static int unload(void)
{
	return syscall(SYS_delete_module, "goheap", O_NONBLOCK) ? errno : 0;
}

static int load(void)
{
	int fd = open(getenv("GOHEAP_KO"), O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, "", 0))
		err = errno;
	close(fd);
	return err;
}

/* The device's node follows the module, but not necessarily at once. */
static bool node_is_there(bool there)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (!access(GH_DEVICE, F_OK) == there)
			return true;
		usleep(20000);
	}
	return false;
}

/* NULL, or why none of this can be done. */
static const char *cannot(void)
{
	if (geteuid())
		return "removing a module needs root";
	if (access("/sys/module/goheap", F_OK))
		return "goheap is not a module here";
	if (!getenv("GOHEAP_KO"))
		return "GOHEAP_KO does not say where goheap.ko is";
	if (access(getenv("GOHEAP_KO"), R_OK))
		return "the file that GOHEAP_KO names cannot be read";
	return NULL;
}

TEST(refused_while_in_use)
{
	const char *why = cannot();
	struct goheap_span s;
	char *base;
	int fd;

	if (why)
		SKIP(return, "%s", why);
	fd = gh_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(EWOULDBLOCK, unload());
	base = gh_map(fd, 64 * MIB);
	ASSERT_NE(NULL, base);
	ASSERT_EQ(0, gh_alloc(fd, 10, &s));
	EXPECT_EQ(EWOULDBLOCK, unload());
	/* The mapping alone keeps it as well. */
	close(fd);
	EXPECT_EQ(EWOULDBLOCK, unload());
	EXPECT_EQ(0, gh_touch(gh_ptr(&s), true));
	munmap(base, 64 * MIB);
}

TEST(goes_and_comes_back)
{
	const char *why = cannot();
	int round;

	if (why)
		SKIP(return, "%s", why);
	for (round = 0; round < 3; round++) {
		struct goheap_span s;
		int fd, tries, err;
		char *base;

		fd = gh_open();
		ASSERT_LE(0, fd);
		base = gh_map(fd, 64 * MIB);
		ASSERT_NE(NULL, base);
		ASSERT_EQ(0, gh_alloc(fd, 100, &s));
		gh_fill(gh_ptr(&s), gh_bytes(&s), round);
		munmap(base, 64 * MIB);
		close(fd);

		/* The last reference of a file may be put a moment later. */
		for (tries = 0; (err = unload()) == EWOULDBLOCK && tries < 50; tries++)
			usleep(20000);
		ASSERT_EQ(0, err);
		EXPECT_EQ(-1, access("/sys/module/goheap", F_OK));
		EXPECT_TRUE(node_is_there(false));
		EXPECT_EQ(-1, gh_open());
		ASSERT_EQ(0, load());
		ASSERT_TRUE(node_is_there(true));
	}
}

TEST_HARNESS_MAIN
