// SPDX-License-Identifier: MIT
/*
 * Catches: a report of pages written that is wrong and not refused when something
 * else is done to what it rests upon (descriptors closed, bits cleared, requests
 * forbidden), or a heap that does not start there.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dirty.h"

/* ---- descriptors ---- */

static void close_all(void)
{
	/* 3 is where the reason for a case that is skipped goes. */
	for (int fd = 4; fd < 200; fd++)
		close(fd);
}

WAYS(closed, "the program closes all descriptors")
{
	if (w->way == DIRTY_DEVICE)
		tap_skip("the heap itself is one");
	close_all();
	*w->target = 2;
	/* Refused, or right. */
	if (!dirty_report(w))
		CHECK(dirty_has(w, TARGET));
	dirty_last(w->h);
	dirty_end(w->h);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	dirty_expect_none(w);
	*w->target = 3;
	dirty_expect_target(w);
}

WAYS(replaced, "... and other files get their numbers")
{
	int status, fds = 0;
	pid_t pid;

	if (w->way == DIRTY_DEVICE)
		tap_skip("the heap itself is one");
	close_all();
	for (int fd = open("/dev/zero", O_RDWR); fd < 64; fd = open("/dev/zero", O_RDWR)) {
		CHECK(fd >= 0);
		fds++;
	}
	*w->target = 2;
	if (!dirty_report(w))
		CHECK(dirty_has(w, TARGET));
	dirty_end(w->h);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		for (int fd = 3; fd < 64; fd++)
			if (fcntl(fd, F_GETFD) < 0)
				_exit(1);
		_exit(0);
	}
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	CHECK_CMP(status, ==, 0);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	dirty_expect_none(w);
	*w->target = 3;
	dirty_expect_target(w);
	dirty_end(w->h);
	/* Nothing of the program's was closed. */
	for (int fd = 3; fd < 64; fd++)
		CHECK(fcntl(fd, F_GETFD) >= 0);
	CHECK_CMP(fds, >=, 50);
}

/* A report that breaks off half way has cleared bits that nobody has seen. */
WAYS(broken, "after a report that failed none of the window is trusted")
{
	int fd = w->way == DIRTY_DEVICE ? w->h->backend.fd : w->h->dirty.pagemap.fd;
	int saved = dup(fd);

	CHECK(saved >= 0);
	close(fd);
	CHECK_CMP(dirty_report(w), ==, -1);
	CHECK_CMP(dup2(saved, fd), ==, fd);
	CHECK_CMP(dirty_report(w), ==, -1);
	dirty_end(w->h);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	*w->target = 3;
	dirty_expect_target(w);
}

WAYS(standard, "standard descriptors are left to the program")
{
	dirty_end(w->h);
	if (w->way == DIRTY_DEVICE)
		tap_skip("the heap itself is one");
	close_all();
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	CHECK(fcntl(STDIN_FILENO, F_GETFD) < 0);
	CHECK(fcntl(STDOUT_FILENO, F_GETFD) < 0);
	*w->target = 3;
	dirty_expect_target(w);
}

CASE(no_descriptors, "without descriptors left there is no window, later there is",
     "GOHEAP_DEVICE=never", "GOHEAP_GOGC=off")
{
	struct rlimit old, none;
	char *p = dirty_object(PAGES * DIRTY_PAGE);
	struct heap *h = heap_get();
	uint64_t bits[PAGES / 64], n;

	CHECK(!getrlimit(RLIMIT_NOFILE, &old));
	none = (struct rlimit){ 3, old.rlim_max };
	CHECK(!setrlimit(RLIMIT_NOFILE, &none));
	CHECK_CMP(dirty_begin_all(h), ==, -1);
	CHECK_CMP(dirty_collect(h, (uintptr_t)p, PAGES * DIRTY_PAGE, bits, &n), ==, -1);
	CHECK(!setrlimit(RLIMIT_NOFILE, &old));
	if (dirty_begin_all(h) && h->dirty.way == DIRTY_NONE)
		tap_skip("no way at all here");
	p[0] = 2;
	CHECK_CMP(dirty_collect(h, (uintptr_t)p, PAGES * DIRTY_PAGE, bits, &n), ==, 0);
	CHECK_CMP(n, ==, 1);
}

/* ---- others that clear bits ---- */

WAYS(clear_refs, "somebody else clears soft-dirty and accessed bits")
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	CHECK(fd >= 0);
	for (int what = '1'; what <= '4'; what++) {
		char c = (char)what;

		*w->target = 2;
		CHECK_CMP(write(fd, &c, 1), ==, 1);
		if (w->way == DIRTY_SOFT && what == '4') {
			CHECK_CMP(dirty_report(w), ==, -1);
			/* And it stays so. */
			*w->target = 2;
			CHECK_CMP(dirty_report(w), ==, -1);
			continue;
		}
		CHECK_CMP(dirty_report(w), ==, 0);
		CHECK(dirty_has(w, TARGET));
		*w->target = 3;
		CHECK_CMP(dirty_report(w), ==, 0);
		CHECK(dirty_has(w, TARGET));
	}
	dirty_end(w->h);
	CHECK_CMP(dirty_begin_all(w->h), ==, 0);
	*w->target = 2;
	dirty_expect_target(w);
}

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#endif

WAYS(merging, "pages that the kernel may merge with others")
{
	if (w->way == DIRTY_DEVICE)
		tap_skip("the device's pages are not merged");
	if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		tap_skip("this kernel merges no process's pages");
	*w->target = 2;
	if (w->way == DIRTY_SOFT) {
		CHECK_CMP(dirty_report(w), ==, -1);
		dirty_end(w->h);
		CHECK_CMP(dirty_begin_all(w->h), ==, -1);
		prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0);
		CHECK_CMP(dirty_begin_all(w->h), ==, 0);
		*w->target = 3;
	}
	dirty_expect_target(w);
}

/* ---- which way ---- */

/* What the kernel says it can do, as far as one can know without trying. */
static enum dirty_way best_way(const struct heap *h)
{
	struct uffdio_api api = { .api = UFFD_API, .features = 1 << 15 /* WP_ASYNC */ };
	uint64_t entry = 0;
	int fd, pagemap;

	if (h->on_device)
		return DIRTY_DEVICE;
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* USER_MODE_ONLY */);
	if (fd >= 0 && !ioctl(fd, UFFDIO_API, &api))
		return DIRTY_PAGEMAP_SCAN;
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap >= 0 && pread(pagemap, &entry, 8, (uintptr_t)&entry / DIRTY_PAGE * 8) == 8 &&
	    entry >> 55 & 1)
		return DIRTY_SOFT;
	return DIRTY_NONE;
}

CASE(automatic, "the fastest way of this kernel is used", "GOHEAP_GOGC=off")
{
	struct heap *h;
	char *p = dirty_object(PAGES * DIRTY_PAGE);

	CHECK(p);
	h = heap_get();
	CHECK_CMP(dirty_begin_all(h), ==, best_way(h) == DIRTY_NONE ? -1 : 0);
	CHECK_CMP(h->dirty.way, ==, best_way(h));
	CHECK_CMP(h->dirty.windows, ==, best_way(h) == DIRTY_NONE ? 0 : 1);
}

CASE(none, "GOHEAP_DIRTY=none: there is no window", "GOHEAP_DIRTY=none", "GOHEAP_GOGC=off")
{
	char *p = dirty_object(PAGES * DIRTY_PAGE);
	uint64_t bits[PAGES / 64], n;
	struct heap *h = heap_get();

	CHECK_CMP(dirty_begin_all(h), ==, -1);
	CHECK_CMP(dirty_collect(h, (uintptr_t)p, PAGES * DIRTY_PAGE, bits, &n), ==, -1);
	dirty_end(h);
	CHECK_CMP(h->dirty.windows, ==, 0);
	CHECK_CMP(h->dirty.way, ==, DIRTY_NONE);
}

HELPER(begin_window)
{
	struct heap *h;

	CHECK(goheap_alloc(1));
	h = heap_get();
	dirty_begin_all(h);
	goheap_collect();
}

CASE(messages, "a way that cannot be had, or does not exist, is named")
{
	static const char *const wrong[] = {
		"GOHEAP_DEVICE=never", "GOHEAP_DIRTY=device", "GOHEAP_GOGC=off", NULL,
	};
	static const char *const typo[] = {
		"GOHEAP_DEVICE=never", "GOHEAP_DIRTY=pagempa", "GOHEAP_GOGC=off", NULL,
	};
	static const char *const asked[] = { "GOHEAP_DEBUG=device=1", "GOHEAP_GOGC=off", NULL };
	char err[4096];

	CHECK_CMP(tap_run_helper("begin_window", wrong, err, sizeof(err)), ==, 0);
	CHECK(strstr(err, "GOHEAP_DIRTY=device cannot be had here"));
	CHECK_CMP(tap_run_helper("begin_window", typo, err, sizeof(err)), ==, 0);
	CHECK(strstr(err, "GOHEAP_DIRTY=pagempa is not understood"));
	CHECK_CMP(tap_run_helper("begin_window", asked, err, sizeof(err)), ==, 0);
	CHECK(strstr(err, "goheap: pages written while marking: "));
}

/* ---- what is forbidden ---- */

/* From now on @nr is EPERM, and so is ioctl(@request) if @nr is ioctl. */
static void forbid(unsigned int nr, unsigned int request)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, request, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	/* Other calls than ioctl are forbidden whatever their arguments. */
	if (nr != SYS_ioctl)
		filter[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 3, 4);
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void works_somehow(enum dirty_way not_this)
{
	char *p = dirty_object(PAGES * DIRTY_PAGE);
	struct heap *h = heap_get();
	uint64_t bits[PAGES / 64], n;

	if (!dirty_begin_all(h)) {
		p[0] = 2;
		CHECK_CMP(dirty_collect(h, (uintptr_t)p, PAGES * DIRTY_PAGE, bits, &n), ==, 0);
		CHECK_CMP(n, ==, 1);
	}
	CHECK_CMP(h->dirty.way, !=, not_this);
	dirty_end(h);
	goheap_collect();
	CHECK_CMP(p[0], ==, h->dirty.way == DIRTY_NONE ? 1 : 2);
}

CASE(no_userfaultfd, "userfaultfd() is forbidden, as in many containers",
     "GOHEAP_DEVICE=never", "GOHEAP_GOGC=off")
{
	forbid(SYS_userfaultfd, 0);
	works_somehow(DIRTY_PAGEMAP_SCAN);
}

CASE(no_scan, "the ioctl on pagemap is forbidden", "GOHEAP_DEVICE=never", "GOHEAP_GOGC=off")
{
	forbid(SYS_ioctl, _IOC(_IOC_READ | _IOC_WRITE, 'f', 16, 96));
	works_somehow(DIRTY_PAGEMAP_SCAN);
}

HELPER(as_nobody)
{
	struct heap *h;
	char *p = dirty_object(PAGES * DIRTY_PAGE);
	uint64_t bits[PAGES / 64], n;

	CHECK(geteuid());
	h = heap_get();
	CHECK_CMP(dirty_begin_all(h), ==, best_way(h) == DIRTY_NONE ? -1 : 0);
	CHECK_CMP(h->dirty.way, ==, best_way(h));
	if (h->dirty.way == DIRTY_NONE)
		return;
	p[0] = 2;
	CHECK(!syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p + 5 * DIRTY_PAGE));
	CHECK_CMP(dirty_collect(h, (uintptr_t)p, PAGES * DIRTY_PAGE, bits, &n), ==, 0);
	CHECK_CMP(n, ==, 2);
	CHECK(bits[0] == 0x21);
}

CASE(ordinary_user, "an ordinary user has the same ways", "GOHEAP_GOGC=off")
{
	int status;
	pid_t pid;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(3);
		/* Executing makes /proc/self the user's own. */
		execl("/proc/self/exe", "dirty-odds", "--case", "as_nobody", NULL);
		_exit(4);
	}
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 4)
		tap_skip("nobody may not execute the test");
	CHECK_CMP(status, ==, 0);
}

CASE(no_proc, "a process that may not open its own files in /proc",
     "GOHEAP_DEVICE=never", "GOHEAP_GOGC=off")
{
	/* As after setuid(): they are root's. */
	if (geteuid())
		tap_skip("takes root");
	CHECK(!setgid(65534) && !setuid(65534));
	CHECK(!prctl(PR_SET_DUMPABLE, 0));
	works_somehow(DIRTY_SOFT);
}
