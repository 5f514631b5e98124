/* SPDX-License-Identifier: MIT */
/*
 * A memory cgroup (version 2) for a case to run in.  A case that cannot have one
 * skips and says why.
 */
#ifndef TESTS_CGROUP_H
#define TESTS_CGROUP_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

#define CG_ROOT	"/tmp/goheap-tests-cgroup"

static char cg_dir[256];

/* Return: 0 or errno. */
static inline int cg_write(const char *dir, const char *file, const char *text)
{
	char path[512];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

/* Join a new group; @max bytes, or 0 for no limit. */
static inline void cg_join(size_t max)
{
	char text[32];

	if (geteuid())
		tap_skip("memory cgroups need root");
	mkdir(CG_ROOT, 0755);
	if (cg_write(CG_ROOT, "cgroup.subtree_control", "+memory") &&
	    (mount("none", CG_ROOT, "cgroup2", 0, NULL) ||
	     cg_write(CG_ROOT, "cgroup.subtree_control", "+memory")))
		tap_skip("no cgroup 2 with a memory controller");
	snprintf(cg_dir, sizeof(cg_dir), CG_ROOT "/%d", getpid());
	if (mkdir(cg_dir, 0755))
		tap_skip("a cgroup cannot be made: %s", strerror(errno));
	if (max) {
		snprintf(text, sizeof(text), "%zu", max);
		CHECK_CMP(cg_write(cg_dir, "memory.max", text), ==, 0);
		/* A kernel without swap has no such file. */
		cg_write(cg_dir, "memory.swap.max", "0");
	}
	CHECK_CMP(cg_write(cg_dir, "cgroup.procs", "0"), ==, 0);
}

static inline void cg_leave(void)
{
	cg_write(CG_ROOT, "cgroup.procs", "0");
	rmdir(cg_dir);
}

/* Have the kernel reclaim so much from the group, if it can. */
static inline void cg_reclaim(size_t bytes)
{
	char text[32];
	int err;

	snprintf(text, sizeof(text), "%zu", bytes);
	err = cg_write(cg_dir, "memory.reclaim", text);
	/* EAGAIN: less than that could be reclaimed.  EINTR: a thread was stopped. */
	if (err && err != EAGAIN && err != EINTR)
		tap_skip("memory.reclaim: %s", strerror(err));
}

#endif /* TESTS_CGROUP_H */
