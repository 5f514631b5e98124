/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Windows for dirty pages: the requests as functions, and bitmaps of replies.
 */
#ifndef DIRTY_H
#define DIRTY_H

#include "arena.h"

#define SYS_PAGE	4096UL
#define WORDS(npages)	(((npages) + 63) / 64)

/* Pages that a bitmap of a test has room for. */
#define DIRTY_MAX	(256 * MIB / SYS_PAGE)

static uint64_t gh_dirty[DIRTY_MAX / 64] GH_UNUSED;

static inline int gh_track_flags(int fd, uint32_t flags)
{
	struct goheap_track t = { .size = sizeof(t), .flags = flags };

	return gh_ioctl(fd, GOHEAP_IOC_TRACK, &t);
}

static inline int gh_track(int fd)
{
	return gh_track_flags(fd, 0);
}

static inline int gh_track_stop(int fd)
{
	return gh_track_flags(fd, GOHEAP_TRACK_STOP);
}

/* Collect into @bitmap; *@pages gets the number of pages reported. */
static inline int gh_collect_to(int fd, const void *addr, uint64_t bytes, void *bitmap,
				uint64_t *pages)
{
	struct goheap_dirty d = {
		.size = sizeof(d),
		.addr = (uintptr_t)addr,
		.bytes = bytes,
		.bitmap = (uintptr_t)bitmap,
		.pages = GH_ALL,
	};
	int err = gh_ioctl(fd, GOHEAP_IOC_COLLECT, &d);

	*pages = d.pages;
	return err;
}

/* Collect into gh_dirty, which is filled with ones before. */
static inline int gh_collect(int fd, const void *addr, uint64_t bytes, uint64_t *pages)
{
	memset(gh_dirty, 0xff, WORDS(bytes / SYS_PAGE) * 8);
	return gh_collect_to(fd, addr, bytes, gh_dirty, pages);
}

static inline bool gh_is_dirty(uint64_t i)
{
	return gh_dirty[i / 64] >> i % 64 & 1;
}

/* Is page @i written, for an expectation? */
typedef bool (*gh_expect_fn)(uint64_t i, const void *arg);

/*
 * Does a reply of @npages pages, of which the kernel counted @count, say what
 * @expect says?  Prints the first pages that differ.
 */
static inline bool gh_dirty_is(uint64_t npages, uint64_t count, gh_expect_fn expect,
			       const void *arg)
{
	uint64_t i, bad = 0, seen = 0;

	for (i = 0; i < npages; i++) {
		bool want = expect(i, arg);

		seen += gh_is_dirty(i);
		if (gh_is_dirty(i) == want)
			continue;
		if (bad++ < 8)
			fprintf(stderr, "# page %llu is %sreported\n", (unsigned long long)i,
				want ? "not " : "");
	}
	for (; i < WORDS(npages) * 64; i++) {
		if (gh_is_dirty(i)) {
			fprintf(stderr, "# a bit beyond the range is set\n");
			bad++;
		}
	}
	if (seen != count) {
		fprintf(stderr, "# %llu bits are set, and %llu counted\n",
			(unsigned long long)seen, (unsigned long long)count);
		bad++;
	}
	return !bad;
}

static inline bool gh_expect_none(uint64_t i, const void *arg)
{
	(void)i;
	(void)arg;
	return false;
}

static inline bool gh_expect_all(uint64_t i, const void *arg)
{
	(void)i;
	(void)arg;
	return true;
}

/* @arg: the one page. */
static inline bool gh_expect_one(uint64_t i, const void *arg)
{
	return i == *(const uint64_t *)arg;
}

/* @arg: a byte for each page. */
static inline bool gh_expect_marks(uint64_t i, const void *arg)
{
	return ((const char *)arg)[i];
}

#endif /* DIRTY_H */
