// SPDX-License-Identifier: MIT
/*
 * Catches: core dumps that take minutes for address space that was never used, or
 * that leave out objects.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "heap.h"
#include "tap.h"

/* Bytes of the arena that the kernel would write to a core dump, as it says itself. */
static size_t dumped_bytes(const struct heap *h)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	uintptr_t from = 0, to = 0;
	size_t sum = 0;
	char line[512];

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		uintptr_t a, b;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &a, &b) == 2) {
			from = a > h->base ? a : h->base;
			to = b < h->base + h->backend.bytes ? b : h->base + h->backend.bytes;
		} else if (!strncmp(line, "VmFlags:", 8) && from < to && !strstr(line, " dd")) {
			sum += to - from;
		}
	}
	fclose(f);
	return sum;
}

static bool is_dumped(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	char line[512];

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		uintptr_t a, b;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &a, &b) == 2)
			inside = (uintptr_t)p >= a && (uintptr_t)p < b;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			found = !strstr(line, " dd");
	}
	fclose(f);
	return found;
}

CASE(follows, "core dumps have what the heap has grown into, and little more",
     "GOHEAP_DEVICE=never")
{
	struct heap *h = heap_get();
	size_t bytes = 0;

	CHECK(h);
	CHECK_CMP(dumped_bytes(h), ==, 0);
	for (int i = 0; i < 200; i++) {
		size_t n = 8 * KIB << i % 11;
		char *p = goheap_alloc(n);

		CHECK(p);
		bytes += n;
		CHECK(is_dumped(p) && is_dumped(p + n - 1));
		CHECK_CMP(dumped_bytes(h), <=, (h->top << PAGE_SHIFT) + 72 * MIB);
	}
	CHECK_CMP(bytes, >, 256 * MIB);
	/* A child is no different. */
	if (!fork()) {
		char *p = goheap_alloc(256 * MIB);

		_exit(!p || !is_dumped(p) || !is_dumped(p + 256 * MIB - 1));
	}
	int status;

	CHECK(wait(&status) > 0);
	CHECK_CMP(status, ==, 0);
}

CASE(device, "on the device the mapping is in core dumps only if it is small")
{
	struct goheap_options options = { .size = sizeof(options), .arena_bytes = 4096 * MIB };
	struct heap *h;

	CHECK_CMP(goheap_init(&options), ==, 0);
	h = heap_get();
	if (!h->on_device)
		tap_skip("no device");
	CHECK_CMP(dumped_bytes(h), ==, 4096 * MIB);
}

CASE(device_large, "... and not if it is large")
{
	struct heap *h = heap_get();

	CHECK(h);
	if (!h->on_device)
		tap_skip("no device");
	CHECK_CMP(dumped_bytes(h), ==, 0);
}

#define NEEDLES		200

static void crash(const char *directory, size_t arena_bytes)
{
	struct goheap_options options = { .size = sizeof(options), .arena_bytes = arena_bytes };
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	char **needles;
	int filter;

	/* Shared mappings, too, which the device's is. */
	filter = open("/proc/self/coredump_filter", O_WRONLY);
	CHECK(filter >= 0 && write(filter, "0x3b", 4) == 4);
	CHECK(!chdir(directory));
	if (setrlimit(RLIMIT_CORE, &unlimited))
		_exit(9);
	CHECK_CMP(goheap_init(&options), ==, 0);
	needles = goheap_alloc(NEEDLES * sizeof(*needles));
	for (unsigned int i = 0; i < NEEDLES; i++) {
		size_t bytes = i % 4 ? 100 : 100000;

		needles[i] = i % 3 ? goheap_alloc(bytes) : goheap_alloc_noscan(bytes);
		/* The string is nowhere else in this form. */
		snprintf(needles[i], bytes, "%s-in-the-%s-%u.", "needle", "heap", i);
	}
	raise(SIGSEGV);
}

/* Which needles a file has; it is mostly holes. */
static unsigned int count_needles(int fd)
{
	static char buf[1 << 20];
	static bool seen[NEEDLES];
	unsigned int n = 0;
	off_t at = 0, end;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		end = lseek(fd, at, SEEK_HOLE);
		while (at < end) {
			size_t want = end - at < (off_t)sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
			ssize_t got = pread(fd, buf, want, at);
			unsigned int i;

			CHECK(got > 0);
			for (char *p = buf; (p = memmem(p, buf + got - p, "needle-in-the-heap-", 19)); p++)
				if (sscanf(p, "needle-in-the-heap-%u.", &i) == 1 && i < NEEDLES)
					seen[i] = true;
			at += got;
			/* One may lie across two pieces. */
			if (at < end)
				at -= 64;
		}
	}
	for (unsigned int i = 0; i < NEEDLES; i++)
		n += seen[i];
	return n;
}

static void crash_and_look(size_t arena_bytes)
{
	char directory[] = "/tmp/goheap-core-XXXXXX", pattern[128] = "", path[256];
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY), status;
	double start = seconds();
	unsigned int found;
	struct stat st;
	pid_t pid;

	if (SANITIZED)
		tap_skip("sanitizers dump no core");
	CHECK(fd >= 0 && read(fd, pattern, sizeof(pattern) - 1) > 0);
	if (strcmp(pattern, "core\n"))
		tap_skip("core dumps go elsewhere: %s", pattern);
	CHECK(mkdtemp(directory));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		crash(directory, arena_bytes);
		_exit(8);
	}
	CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
	start = seconds() - start;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
		tap_skip("no core dumps by RLIMIT_CORE");
	CHECK(WIFSIGNALED(status) && WCOREDUMP(status));
	snprintf(path, sizeof(path), "%s/core", directory);
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		snprintf(path, sizeof(path), "%s/core.%d", directory, (int)pid);
		fd = open(path, O_RDONLY);
	}
	CHECK(fd >= 0 && !fstat(fd, &st));
	found = count_needles(fd);
	unlink(path);
	rmdir(directory);
	fprintf(stderr, "# %u of %u objects in a core of %lld MiB, %lld KiB on disk, after %.2f s\n",
		found, NEEDLES, (long long)st.st_size >> 20, (long long)st.st_blocks / 2, start);
	CHECK_CMP(found, ==, NEEDLES);
	CHECK_CMP(st.st_size, <, 16384ll * (long long)MIB);
	CHECK_CMP(start, <, 30);
}

CASE(crash, "a core dump has all objects, and soon", "GOHEAP_DEVICE=never")
{
	crash_and_look(0);
}

CASE(crash_device, "on a small arena of the device, too, if shared memory is asked for",
     "GOHEAP_DEVICE=require")
{
	if (access("/dev/goheap", F_OK))
		tap_skip("no device");
	crash_and_look(256 * MIB);
}
