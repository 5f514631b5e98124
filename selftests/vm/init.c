// SPDX-License-Identifier: GPL-2.0
/*
 * The first process of the guest that selftests/vm/run starts.
 *
 * It is the whole of the guest's user space besides the command itself: it
 * loads the drivers, mounts the host's tree, inserts goheap.ko, runs the
 * command, and passes on what the command prints.  It is linked statically and
 * lives in an initramfs together with what run has put there:
 *
 *	/vm/drivers	files of modules, in the order to load them, one a line
 *	/vm/goheap.ko	if the guest shall have it
 *	/vm/argv, env	the command, each string ended by a zero byte
 *	/vm/cwd, out	directories, one string
 *	/vm/through	paths that must stay visible below /tmp and the like
 *	/vm/flags	words: idle (wait before the command), leaks (look for
 *			leaked kernel memory after it)
 *
 * The command's standard output and error are pipes, whose contents go to two
 * virtio-serial ports: programs may then open /dev/stdout again, which a port
 * refuses, and a port's write() returns only when the host has taken the data,
 * so nothing is lost when the guest is stopped.  A third port carries "run"
 * when the command starts and "exit N" as the last word.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the command needs around it may take this long to appear, ms. */
#define APPEAR_MS	20000

/* How long the boot's leftovers may go on before the command starts, s. */
#define IDLE_S		6

/* kmemleak takes a block for leaked only if it is older than 5 s. */
#define LEAK_AGE_S	6

static int ctl = -1;

static void msleep(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* A line in the kernel log, where run and the user look for the cause. */
static void kmsg(const char *fmt, ...)
{
	char line[900];
	va_list ap;
	int fd, n;

	n = snprintf(line, sizeof(line), "<5>goheap-vm: ");
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, line, strlen(line));
		close(fd);
	}
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		p += done;
		n -= done;
	}
}

static void tell(const char *word)
{
	if (ctl >= 0)
		write_all(ctl, word, strlen(word));
}

static void __attribute__((noreturn)) stop(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void __attribute__((noreturn)) fail(const char *what, const char *which)
{
	char line[PATH_MAX + 200];

	snprintf(line, sizeof(line), "fail %s %s: %s\n", what, which, strerror(errno));
	kmsg("%s", line);
	tell(line);
	stop();
}

/* The whole of a file, with a zero byte after it; empty if there is none. */
static char *slurp(const char *path, size_t *len)
{
	size_t room = 1 << 16, n = 0;
	char *p = malloc(room + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	while (p && fd >= 0 && (got = read(fd, p + n, room - n)) > 0) {
		n += got;
		if (n == room)
			p = realloc(p, (room *= 2) + 1);
	}
	if (!p)
		fail("cannot read", path);
	if (fd >= 0)
		close(fd);
	p[n] = 0;
	if (len)
		*len = n;
	return p;
}

/* The strings of a file, each ended by a zero byte, as an argv. */
static char **slurp_strings(const char *path)
{
	size_t len, n = 0;
	char *p = slurp(path, &len), *end = p + len, **v, *q;

	for (q = p; q < end; q += strlen(q) + 1)
		n++;
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		fail("cannot read", path);
	n = 0;
	for (q = p; q < end; q += strlen(q) + 1)
		v[n++] = q;
	return v;
}

static void make_dirs(const char *path)
{
	char copy[PATH_MAX], *p;

	snprintf(copy, sizeof(copy), "%s", path);
	for (p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(copy, 0755);
		*p = '/';
	}
	mkdir(copy, 0755);
}

static void mount_at(const char *src, const char *dir, const char *type, unsigned long flags,
		     const char *opts)
{
	mkdir(dir, 0755);
	if (mount(src, dir, type, flags, opts))
		fail("cannot mount", dir);
}

/* As above for what one kernel has and another may lack. */
static void try_mount(const char *src, const char *dir, const char *type, const char *opts)
{
	mkdir(dir, 0755);
	mount(src, dir, type, 0, opts);
}

static int insert(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	ret = syscall(SYS_finit_module, fd, params, 0);
	close(fd);
	return ret;
}

static void load_drivers(void)
{
	char *list = slurp("/vm/drivers", NULL), *name;

	for (name = strtok(list, "\n"); name; name = strtok(NULL, "\n"))
		if (insert(name, "") && errno != EEXIST)
			fail("cannot load", name);
}

/* Opens the virtio-serial port that QEMU was told to call @name. */
static int open_port(const char *name)
{
	char path[PATH_MAX], *is;
	struct dirent *d;
	int waited, fd;
	DIR *dir;

	for (waited = 0; waited < APPEAR_MS; waited += 20) {
		dir = opendir("/sys/class/virtio-ports");
		while (dir && (d = readdir(dir))) {
			if (d->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", d->d_name);
			is = slurp(path, NULL);
			is[strcspn(is, "\n")] = 0;
			if (strcmp(is, name)) {
				free(is);
				continue;
			}
			free(is);
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		msleep(20);
	}
	fail("no port named", name);
}

static void mount_9p(const char *tag, const char *dir, unsigned long flags, const char *cache)
{
	char opts[200];
	int waited;

	mkdir(dir, 0755);
	snprintf(opts, sizeof(opts), "trans=virtio,version=9p2000.L,msize=512000,cache=%s", cache);
	/* The transport's device may take a moment to be found. */
	for (waited = 0; mount(tag, dir, "9p", flags, opts); waited += 20) {
		if ((errno != ENOENT && errno != ENODEV) || waited >= APPEAR_MS)
			fail("cannot mount the host's files at", dir);
		msleep(20);
	}
}

static int below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && path[n] == '/';
}

/*
 * The tree that the command sees: the host's, read-only, under directories of
 * the guest's own where a program expects to write, and through these again
 * what it was asked to see (a checkout below /tmp).
 */
static void make_root(void)
{
	static const char *const scratch[] = { "/tmp", "/var/tmp", "/run", "/dev/shm" };
	char **through = slurp_strings("/vm/through"), *out = slurp("/vm/out", NULL);
	char from[PATH_MAX + 8], to[PATH_MAX + 8];
	struct stat st;
	size_t i;

	mount_9p("root", "/host", MS_RDONLY, "loose");
	mkdir("/root", 0755);
	if (mount("/host", "/root", NULL, MS_BIND, NULL))
		fail("cannot mount", "/root");
	mount_at("proc", "/root/proc", "proc", 0, NULL);
	mount_at("sysfs", "/root/sys", "sysfs", 0, NULL);
	mount_at("dev", "/root/dev", "devtmpfs", 0, NULL);
	for (i = 0; i < sizeof(scratch) / sizeof(*scratch); i++) {
		snprintf(to, sizeof(to), "/root%s", scratch[i]);
		mount_at("tmpfs", to, "tmpfs", 0, i == 2 ? "mode=755" : "mode=1777");
	}
	try_mount("devpts", "/root/dev/pts", "devpts", "ptmxmode=666");
	try_mount("debugfs", "/root/sys/kernel/debug", "debugfs", NULL);
	try_mount("tracefs", "/root/sys/kernel/tracing", "tracefs", NULL);
	try_mount("cgroup2", "/root/sys/fs/cgroup", "cgroup2", NULL);
	if (symlink("/proc/self/fd", "/root/dev/fd") ||
	    symlink("/proc/self/fd/0", "/root/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/root/dev/stdout") ||
	    symlink("/proc/self/fd/2", "/root/dev/stderr"))
		fail("cannot make", "/dev/fd");

	for (; *through; through++) {
		for (i = 0; i < sizeof(scratch) / sizeof(*scratch); i++)
			if (below(*through, scratch[i]))
				break;
		snprintf(from, sizeof(from), "/host%s", *through);
		snprintf(to, sizeof(to), "/root%s", *through);
		if (i == sizeof(scratch) / sizeof(*scratch) || stat(from, &st) ||
		    !access(to, F_OK))
			continue;
		if (S_ISDIR(st.st_mode)) {
			make_dirs(to);
		} else {
			*strrchr(to, '/') = 0;
			make_dirs(to);
			to[strlen(to)] = '/';
			close(open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		}
		if (mount(from, to, NULL, MS_BIND, NULL))
			fail("cannot mount", to);
	}
	snprintf(to, sizeof(to), "/root%s", out);
	mount_9p("out", to, 0, "mmap");

	/* For those who take the module out and put it back. */
	if (!access("/vm/goheap.ko", F_OK)) {
		close(open("/root/run/goheap.ko", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		if (mount("/vm/goheap.ko", "/root/run/goheap.ko", NULL, MS_BIND, NULL))
			fail("cannot mount", "goheap.ko");
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	write_all(fd, text, strlen(text));
	close(fd);
}

static void settle(void)
{
	struct rlimit files = { 1024, 524288 };
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s >= 0) {
		ioctl(s, SIOCSIFFLAGS, &lo);
		close(s);
	}
	if (sethostname("goheap", 6))
		kmsg("sethostname: %s", strerror(errno));
	setrlimit(RLIMIT_NOFILE, &files);
	write_file("/root/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	write_file("/root/sys/fs/cgroup/cgroup.subtree_control", "+pids");
	write_file("/root/sys/fs/cgroup/cgroup.subtree_control", "+cpu");
}

static void __attribute__((noreturn)) run_command(int out, int err)
{
	char **argv = slurp_strings("/vm/argv"), **env = slurp_strings("/vm/env");
	char *cwd = slurp("/vm/cwd", NULL);
	sigset_t none;
	int null;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (chroot("/root") || chdir(cwd)) {
		dprintf(err, "run: %s: %s\n", cwd, strerror(errno));
		_exit(126);
	}
	null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	close_range(3, ~0U, 0);
	umask(022);
	clearenv();
	for (; *env; env++)
		putenv(*env);
	execvp(argv[0], argv);
	dprintf(2, "run: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Runs the command and passes on what it prints; returns its exit status. */
static int command(int out_port, int err_port)
{
	int port[2] = { out_port, err_port }, out[2], err[2], sfd, status = 0, i, st;
	static char buf[1 << 16];
	struct pollfd p[3];
	struct signalfd_siginfo si;
	sigset_t chld;
	pid_t pid, got;
	ssize_t n;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sfd = signalfd(-1, &chld, SFD_CLOEXEC);
	if (sfd < 0 || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("cannot make", "pipes");
	tell("run\n");
	pid = fork();
	if (pid < 0)
		fail("cannot", "fork");
	if (!pid)
		run_command(out[1], err[1]);
	close(out[1]);
	close(err[1]);

	p[0] = (struct pollfd){ out[0], POLLIN, 0 };
	p[1] = (struct pollfd){ err[0], POLLIN, 0 };
	p[2] = (struct pollfd){ sfd, POLLIN, 0 };
	while (p[0].fd >= 0 || p[1].fd >= 0 || pid) {
		if (poll(p, 3, -1) < 0)
			continue;
		for (i = 0; i < 2; i++) {
			if (!p[i].revents)
				continue;
			n = read(p[i].fd, buf, sizeof(buf));
			if (n > 0)
				write_all(port[i], buf, n);
			else if (!n || errno != EINTR)
				p[i].fd = -1;
		}
		if (!p[2].revents || read(sfd, &si, sizeof(si)) <= 0)
			continue;
		while ((got = waitpid(-1, &st, WNOHANG)) > 0) {
			if (got != pid)
				continue;
			status = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
			pid = 0;
			/* What it left running would hold the pipes open. */
			kill(-1, SIGKILL);
		}
	}
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	return status;
}

/*
 * Takes the module out, then lets kmemleak look: it logs a line if it finds
 * anything, and what it found is put beside it.
 */
static void look_for_leaks(void)
{
	static const char leaks[] = "/root/sys/kernel/debug/kmemleak";
	char *found, *line;

	if (access(leaks, F_OK))
		return;
	if (!access("/vm/goheap.ko", F_OK) && syscall(SYS_delete_module, "goheap", O_NONBLOCK) &&
	    errno != ENOENT)
		kmsg("BUG: goheap cannot be removed: %s", strerror(errno));
	sleep(LEAK_AGE_S);
	/* A block must keep its checksum between two scans to be reported. */
	write_file(leaks, "scan");
	write_file(leaks, "scan");
	found = slurp(leaks, NULL);
	for (line = strtok(found, "\n"); line; line = strtok(NULL, "\n"))
		kmsg("%s", line);
}

int main(void)
{
	int out, err, status;
	char line[32], *flags;

	mount_at("proc", "/proc", "proc", 0, NULL);
	mount_at("sysfs", "/sys", "sysfs", 0, NULL);
	mount_at("dev", "/dev", "devtmpfs", 0, NULL);
	load_drivers();
	ctl = open_port("ctl");
	out = open_port("out");
	err = open_port("err");
	tell("up\n");
	flags = slurp("/vm/flags", NULL);
	make_root();
	settle();
	if (!access("/vm/goheap.ko", F_OK) && insert("/vm/goheap.ko", ""))
		fail("cannot insert", "goheap.ko");
	if (strstr(flags, "idle"))
		sleep(IDLE_S);
	status = command(out, err);
	if (strstr(flags, "leaks"))
		look_for_leaks();
	sync();
	snprintf(line, sizeof(line), "exit %d\n", status);
	tell(line);
	stop();
}
