// SPDX-License-Identifier: MIT
/*
 * GOHEAP_PROFILE: the heap profile that is written when the program ends, after a
 * collection, so that what is shown as in use is what can still be reached.
 *
 * In the name, %p stands for the process's number.  Without it, forked children
 * write none: they would write over their parent's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <goheap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap.h"

static int starter;		/* the process that the heap was started in */

/* The name with the process's number in it; false if there is to be no file. */
static bool file_name(const struct heap *h, char *name, size_t size)
{
	const char *from = h->settings.profile_file, *mark = strstr(from, "%p");
	int n;

	if (!mark) {
		if (os_pid() != starter)
			return false;
		n = snprintf(name, size, "%s", from);
	} else {
		n = snprintf(name, size, "%.*s%d%s", (int)(mark - from), from, os_pid(), mark + 2);
	}
	return n > 0 && (size_t)n < size;
}

static void at_exit(void)
{
	struct heap *h = &goheap_the_heap;
	char name[PROFILE_FILE_MOST + 16];
	int fd, err;

	if (h->lost || !file_name(h, name, sizeof(name)))
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  0666);
	if (fd < 0) {
		os_message("goheap: cannot write %.400s: errno %d\n", name, errno);
		return;
	}
	goheap_collect();
	err = goheap_write_heap_profile(fd) ? errno : 0;
	if (syscall(SYS_close, fd) && !err)
		err = errno;
	if (err)
		os_message("goheap: cannot write %.400s: errno %d\n", name, err);
}

/**
 * profile_write_at_exit() - see that the profile is written, if it is wanted
 *
 * Return: 0; not 0 without memory.
 */
int profile_write_at_exit(void)
{
	if (!goheap_the_heap.settings.profile_file[0])
		return 0;
	starter = os_pid();
	return atexit(at_exit);
}
