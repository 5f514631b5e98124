/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory cgroups (version 2) for the tests that look at what is charged.
 *
 * A test that cannot have one, because it does not run as root or the kernel
 * keeps the memory controller elsewhere, is told why, and skips.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <mntent.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "goheap_test.h"

/*
 * Charges are made in lots that each processor may hold back; a difference
 * below this says nothing.
 */
#define CG_SLACK	(2 * MIB)

struct cg {
	char path[256];
};

static char cg_root_path[256];

static inline int cg_write_file(const char *dir, const char *file, const char *text)
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

static inline int cg_read_file(const char *dir, const char *file, char *text, size_t len)
{
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	n = read(fd, text, len - 1);
	close(fd);
	if (n < 0)
		return EIO;
	text[n] = 0;
	return 0;
}

/* Where cgroup 2 is mounted, or made to be, with its memory controller on: NULL, or why not. */
static inline const char *cg_init(void)
{
	struct mntent *m;
	char text[512];
	FILE *f;

	if (geteuid())
		return "memory cgroups need root";
	f = setmntent("/proc/self/mounts", "r");
	while (f && (m = getmntent(f))) {
		if (!strcmp(m->mnt_type, "cgroup2"))
			snprintf(cg_root_path, sizeof(cg_root_path), "%s", m->mnt_dir);
	}
	if (f)
		endmntent(f);
	if (!cg_root_path[0]) {
		strcpy(cg_root_path, "/tmp/goheap-cgroup");
		mkdir(cg_root_path, 0755);
		if (mount("none", cg_root_path, "cgroup2", 0, NULL))
			return "cgroup 2 cannot be mounted";
	}
	if (cg_read_file(cg_root_path, "cgroup.controllers", text, sizeof(text)) ||
	    !strstr(text, "memory"))
		return "cgroup 2 has no memory controller here";
	if (cg_write_file(cg_root_path, "cgroup.subtree_control", "+memory"))
		return "the memory controller cannot be switched on";
	return NULL;
}

/* A fresh group: NULL, or why there is none. */
static inline const char *cg_create(struct cg *cg, const char *name, uint64_t limit)
{
	const char *why = cg_init();
	char text[32];

	cg->path[0] = 0;
	if (why)
		return why;
	snprintf(cg->path, sizeof(cg->path), "%.200s/goheap-%d-%s",
		 cg_root_path, getpid(), name);
	if (mkdir(cg->path, 0755)) {
		cg->path[0] = 0;
		return "a cgroup cannot be made";
	}
	if (limit) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
		if (cg_write_file(cg->path, "memory.max", text))
			return "memory.max cannot be set";
		/* Nothing may hide in swap; a kernel without swap has no such file. */
		cg_write_file(cg->path, "memory.swap.max", "0");
	}
	return NULL;
}

/* The caller joins the group. */
static inline int cg_enter(const struct cg *cg)
{
	return cg_write_file(cg->path, "cgroup.procs", "0");
}

static inline int cg_leave(void)
{
	return cg_write_file(cg_root_path, "cgroup.procs", "0");
}

static inline void cg_destroy(struct cg *cg)
{
	int tries;

	if (!cg->path[0])
		return;
	cg_leave();
	/* A member that has just died may still be on its way out. */
	for (tries = 0; rmdir(cg->path) && errno == EBUSY && tries < 100; tries++)
		usleep(10000);
	cg->path[0] = 0;
}

static inline uint64_t cg_current(const struct cg *cg)
{
	char text[64];

	if (cg_read_file(cg->path, "memory.current", text, sizeof(text)))
		return ~0ULL;
	return strtoull(text, NULL, 10);
}

/* Uncharging may trail what caused it: wait until the group is below, 2 s at most. */
static inline bool cg_falls_below(const struct cg *cg, uint64_t bytes)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (cg_current(cg) < bytes)
			return true;
		usleep(20000);
	}
	fprintf(stderr, "# %llu bytes are still charged\n",
		(unsigned long long)cg_current(cg));
	return false;
}

/* A line "NAME FIGURE" of one of the group's files; ~0 if it cannot be had. */
static inline uint64_t cg_figure(const struct cg *cg, const char *file, const char *name)
{
	char text[8192], *line, *save;
	size_t len = strlen(name);

	if (cg_read_file(cg->path, file, text, sizeof(text)))
		return ~0ULL;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, name, len) && line[len] == ' ')
			return strtoull(line + len, NULL, 10);
	}
	return ~0ULL;
}

static inline uint64_t cg_event(const struct cg *cg, const char *name)
{
	return cg_figure(cg, "memory.events", name);
}

#endif /* CGROUP_H */
