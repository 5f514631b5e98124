// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a wrong TRACK or COLLECT that is served, or is refused with another
 * errno than the ABI says; and a COLLECT that fails after it has cleared what it
 * should have reported.
 */
#include "dirty.h"

#include <pthread.h>
#include <sched.h>

#define SPAN	(40 * MIB)	/* more than one batch of the kernel's */
#define NPAGES	(SPAN / SYS_PAGE)

FIXTURE(bad)
{
	int fd;
	char *base;
	struct goheap_span s;
};

FIXTURE_SETUP(bad)
{
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
	self->base = gh_map(self->fd, GH_ARENA_BYTES);
	ASSERT_NE(NULL, self->base);
	ASSERT_EQ(0, gh_alloc(self->fd, SPAN / GH_PAGE, &self->s));
	ASSERT_EQ(self->base, gh_ptr(&self->s));
	ASSERT_EQ(0, gh_track(self->fd));
}

FIXTURE_TEARDOWN(bad)
{
	munmap(self->base, GH_ARENA_BYTES);
	close(self->fd);
}

static char marks[NPAGES];

static void write_some(char *base)
{
	static uint64_t rnd = 3;
	uint64_t i;

	for (i = 0; i < NPAGES; i++) {
		marks[i] = gh_random(&rnd) % 10 == 0;
		if (marks[i])
			base[i * SYS_PAGE] = 1;
	}
}

TEST_F(bad, fields_of_track)
{
	struct goheap_track good = { .size = sizeof(good) }, t;
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		t = good;
		t.flags = 1U << bit;
		EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_TRACK, &t));
	}
	for (bit = 0; bit < 3; bit++) {
		t = good;
		t.reserved[bit] = 1;
		EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_TRACK, &t));
	}
	t = good;
	t.size--;
	EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_TRACK, &t));
	EXPECT_EQ(EFAULT, gh_ioctl(self->fd, GOHEAP_IOC_TRACK, NULL));
	EXPECT_EQ(1, gh_stats(self->fd).tracks);
}

TEST_F(bad, fields_of_collect)
{
	static const struct {
		const char *name;
		size_t offset;
		uint64_t value, mask;
	} table[] = {
#define CASE(f, v)	{ #f " " #v, offsetof(struct goheap_dirty, f), v,		\
			  sizeof(((struct goheap_dirty *)0)->f) == 4 ? 0xffffffffU : GH_ALL }
		CASE(size, sizeof(struct goheap_dirty) - 1),
		CASE(size, 0),
		CASE(flags, 1),
		CASE(flags, 1U << 31),
		CASE(bytes, 0),
		CASE(bytes, 1),
		CASE(bytes, SYS_PAGE + 1),
		CASE(bytes, GH_ARENA_BYTES + SYS_PAGE),
		CASE(bytes, GH_ALL - SYS_PAGE + 1),
		CASE(bytes, 1ULL << 63),
		CASE(addr, 0),
		CASE(addr, GH_ALL - SYS_PAGE + 1),
		CASE(addr, 1ULL << 63),
		CASE(reserved[0], 1),
		CASE(reserved[2], 1ULL << 63),
	};
	struct goheap_dirty good = {
		.size = sizeof(good),
		.addr = (uintptr_t)self->base,
		.bytes = SPAN,
		.bitmap = (uintptr_t)gh_dirty,
	}, d;
	int64_t off[] = { 1, 8, 4095, -1, -(int64_t)SYS_PAGE,
			  GH_ARENA_BYTES, GH_ARENA_BYTES - SPAN + SYS_PAGE };
	uint64_t n;
	size_t i;

	write_some(self->base);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		char *field = (char *)&d + table[i].offset;

		d = good;
		memcpy(field, &table[i].value, table[i].mask == GH_ALL ? 8 : 4);
		EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_COLLECT, &d))
			TH_LOG("%s", table[i].name);
	}
	for (i = 0; i < ARRAY_SIZE(off); i++) {
		d = good;
		d.addr += off[i];
		EXPECT_EQ(EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_COLLECT, &d))
			TH_LOG("start + %lld", (long long)off[i]);
	}
	/* None of them took anything. */
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_TRUE(gh_dirty_is(NPAGES, n, gh_expect_marks, marks));
	EXPECT_EQ(1, gh_stats(self->fd).collects);
}

/* The last page, and all of the mapping. */
TEST_F(bad, ends_of_the_range)
{
	uint64_t n;

	EXPECT_EQ(0, gh_collect(self->fd, self->base + GH_ARENA_BYTES - SYS_PAGE, SYS_PAGE, &n));
	EXPECT_EQ(0, n);
	EXPECT_EQ(0, gh_dirty[0]);
	EXPECT_EQ(0, gh_collect(self->fd, self->base, GH_ARENA_BYTES, &n));
	EXPECT_EQ(0, gh_dirty[WORDS(GH_ARENA_BYTES / SYS_PAGE) - 1]);
}

TEST(states)
{
	struct goheap_span s;
	uint64_t n;
	char *base;
	int fd = gh_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(ENXIO, gh_track(fd));
	EXPECT_EQ(ENXIO, gh_track_stop(fd));
	EXPECT_EQ(ENXIO, gh_collect(fd, (void *)SYS_PAGE, SYS_PAGE, &n));
	base = gh_map(fd, GH_ARENA_BYTES);
	ASSERT_NE(NULL, base);
	/* An arena with nothing in it. */
	EXPECT_EQ(ENODATA, gh_collect(fd, base, GH_ARENA_BYTES, &n));
	EXPECT_EQ(0, gh_track(fd));
	EXPECT_EQ(0, gh_collect(fd, base, GH_ARENA_BYTES, &n));
	EXPECT_EQ(0, n);
	ASSERT_EQ(0, gh_alloc(fd, 1, &s));
	ASSERT_EQ(0, munmap(base, GH_ARENA_BYTES));
	EXPECT_EQ(ENXIO, gh_track(fd));
	EXPECT_EQ(ENXIO, gh_track_stop(fd));
	EXPECT_EQ(ENXIO, gh_collect(fd, base, SYS_PAGE, &n));
	close(fd);
}

/* A terabyte of address space, hardly any of it used. */
TEST(far_away)
{
	uint64_t n, bytes = 1ULL << 40, i;
	struct goheap_span s;
	int fd = gh_open();
	uint64_t *bitmap;
	char *base;

	ASSERT_LE(0, fd);
	base = gh_map(fd, bytes);
	bitmap = mmap(NULL, bytes / SYS_PAGE / 8, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(NULL, base);
	ASSERT_NE(MAP_FAILED, bitmap);
	ASSERT_EQ(0, gh_alloc(fd, 10, &s));
	ASSERT_EQ(0, gh_track(fd));
	gh_ptr(&s)[5 * SYS_PAGE] = 1;
	memset(bitmap, 0xff, 4096);
	ASSERT_EQ(0, gh_collect_to(fd, base, bytes, bitmap, &n));
	EXPECT_EQ(1, n);
	EXPECT_EQ(1 << 5, bitmap[0]);
	for (i = 1; i < 512; i++)
		ASSERT_EQ(0, bitmap[i]);
	close(fd);
}

/*
 * Bitmaps that cannot be written, from the beginning or from somewhere on, for
 * a range of one batch and of several: EFAULT, and then nothing is missing.
 */
TEST_F(bad, bitmaps)
{
	uint64_t bytes[] = { SYS_PAGE, 100 * SYS_PAGE, 16 * MIB, 16 * MIB + SYS_PAGE, SPAN };
	char *half = mmap(NULL, 3 * SYS_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *readonly = mmap(NULL, SYS_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *nowhere[6];
	uint64_t n, npages;
	size_t i, k;

	ASSERT_NE(MAP_FAILED, half);
	ASSERT_NE(MAP_FAILED, readonly);
	ASSERT_EQ(0, munmap(half + SYS_PAGE, 2 * SYS_PAGE));
	nowhere[0] = NULL;
	nowhere[1] = (void *)-4096UL;
	nowhere[2] = (void *)(1UL << 63);
	nowhere[3] = readonly;
	nowhere[4] = half + SYS_PAGE;
	nowhere[5] = half + SYS_PAGE - 4;

	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		npages = bytes[i] / SYS_PAGE;
		for (k = 0; k < ARRAY_SIZE(nowhere); k++) {
			write_some(self->base);
			EXPECT_EQ(EFAULT, gh_collect_to(self->fd, self->base, bytes[i],
							nowhere[k], &n))
				TH_LOG("%llu pages, bitmap %zu", (unsigned long long)npages, k);
			ASSERT_EQ(0, gh_collect(self->fd, self->base, bytes[i], &n));
			EXPECT_TRUE(gh_dirty_is(npages, n, gh_expect_marks, marks))
				TH_LOG("%llu pages, bitmap %zu", (unsigned long long)npages, k);
			ASSERT_EQ(0, gh_track(self->fd));
		}
	}
	/* The bitmap of all but the last word fits. */
	write_some(self->base);
	EXPECT_EQ(EFAULT, gh_collect_to(self->fd, self->base, SPAN,
					half + SYS_PAGE - NPAGES / 8 + 8, &n));
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_TRUE(gh_dirty_is(NPAGES, n, gh_expect_marks, marks));
}

/* The request itself lies where it cannot be written. */
TEST_F(bad, reply)
{
	struct goheap_dirty *d = mmap(NULL, SYS_PAGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t n;

	ASSERT_NE(MAP_FAILED, d);
	*d = (struct goheap_dirty){
		.size = sizeof(*d),
		.addr = (uintptr_t)self->base,
		.bytes = SPAN,
		.bitmap = (uintptr_t)gh_dirty,
	};
	ASSERT_EQ(0, mprotect(d, SYS_PAGE, PROT_READ));
	write_some(self->base);
	EXPECT_EQ(EFAULT, gh_ioctl(self->fd, GOHEAP_IOC_COLLECT, d));
	ASSERT_EQ(0, gh_collect(self->fd, self->base, SPAN, &n));
	EXPECT_TRUE(gh_dirty_is(NPAGES, n, gh_expect_marks, marks));
}

/* ---- memory for the reply that comes and goes while the request runs ---- */

struct toggle {
	char *at;
	size_t bytes;
	bool stop;
};

static void *toggle(void *arg)
{
	struct toggle *t = arg;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		mprotect(t->at, t->bytes, PROT_NONE);
		sched_yield();
		mprotect(t->at, t->bytes, PROT_READ | PROT_WRITE);
		usleep(50);
	}
	return NULL;
}

/* @request: the request is what comes and goes, else the bitmap. */
static void comes_and_goes(struct __test_metadata *_metadata, int fd, char *base, bool request)
{
	size_t bytes = request ? SYS_PAGE : NPAGES / 8;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct goheap_dirty local, *d = request ? (void *)p : &local;
	struct toggle t = { .at = p, .bytes = bytes };
	int round, failed = 0, err;
	pthread_t thread;
	uint64_t n, i;

	ASSERT_NE(MAP_FAILED, p);
	for (round = 0; round < 60; round++) {
		write_some(base);
		t.stop = false;
		*d = (struct goheap_dirty){
			.size = sizeof(*d),
			.addr = (uintptr_t)base,
			.bytes = SPAN,
			.bitmap = (uintptr_t)(request ? (void *)gh_dirty : p),
		};
		ASSERT_EQ(0, pthread_create(&thread, NULL, toggle, &t));
		err = gh_ioctl(fd, GOHEAP_IOC_COLLECT, d);
		__atomic_store_n(&t.stop, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		if (!err) {
			if (!request)
				memcpy(gh_dirty, p, bytes);
		} else {
			ASSERT_EQ(EFAULT, err);
			failed++;
			ASSERT_EQ(0, gh_collect(fd, base, SPAN, &n));
		}
		for (i = 0; i < NPAGES; i++)
			if (marks[i])
				ASSERT_TRUE(gh_is_dirty(i))
					TH_LOG("page %llu is lost", (unsigned long long)i);
		ASSERT_EQ(0, gh_track(fd));
	}
	TH_LOG("%d of %d failed", failed, round);
}

TEST_F(bad, bitmap_comes_and_goes)
{
	comes_and_goes(_metadata, self->fd, self->base, false);
}

TEST_F(bad, request_comes_and_goes)
{
	comes_and_goes(_metadata, self->fd, self->base, true);
}

TEST_HARNESS_MAIN
