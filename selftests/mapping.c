// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a mapping of the device that is not the one shared, readable and
 * writable range from offset 0 that an arena is made of.
 */
#include "goheap_test.h"

FIXTURE(device)
{
	int fd;
};

FIXTURE_SETUP(device)
{
	self->fd = gh_open();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(device)
{
	close(self->fd);
}

struct bad_map {
	const char *name;
	size_t bytes;
	int prot, flags;
	off_t offset;
	int err, err_or;	/* either will do where the kernel itself decides */
};

#define RW	(PROT_READ | PROT_WRITE)
#define RWX	(RW | PROT_EXEC)

TEST_F(device, refused)
{
	static const struct bad_map table[] = {
		{ "private", 64 * MIB, RW, MAP_PRIVATE, 0, EINVAL, 0 },
		{ "private, read only", 64 * MIB, PROT_READ, MAP_PRIVATE, 0, EINVAL, 0 },
		{ "at an offset of a page", 64 * MIB, RW, MAP_SHARED, 4096, EINVAL, 0 },
		{ "at an offset of a chunk", 64 * MIB, RW, MAP_SHARED, 4 * MIB, EINVAL, 0 },
		{ "at the last offset", 64 * MIB, RW, MAP_SHARED, 0x7ffffffffffff000,
		  EINVAL, EOVERFLOW },
		{ "too long by a chunk", GOHEAP_ARENA_BYTES_MAX + GOHEAP_CHUNK_SIZE,
		  RW, MAP_SHARED, 0, ENOMEM, 0 },
		{ "too long by a page", GOHEAP_ARENA_BYTES_MAX + 4096,
		  RW, MAP_SHARED, 0, EINVAL, 0 },
		{ "twice too long", 2 * GOHEAP_ARENA_BYTES_MAX,
		  RW, MAP_SHARED, 0, ENOMEM, 0 },
		{ "longer than the address space", ~(size_t)0 & ~4095UL,
		  RW, MAP_SHARED, 0, ENOMEM, EOVERFLOW },
		{ "of length 0", 0, RW, MAP_SHARED, 0, EINVAL, 0 },
		{ "of one page", 4096, RW, MAP_SHARED, 0, EINVAL, 0 },
		{ "less than a chunk", 4 * MIB - 4096, RW, MAP_SHARED, 0, EINVAL, 0 },
		{ "a chunk and a bit", 4 * MIB + 8192, RW, MAP_SHARED, 0, EINVAL, 0 },
		{ "executable", 64 * MIB, RWX, MAP_SHARED, 0, EACCES, 0 },
		{ "executable only", 64 * MIB, PROT_EXEC, MAP_SHARED, 0, EACCES, 0 },
	};
	struct goheap_info info;
	struct goheap_span span;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct bad_map *t = &table[i];
		void *p = mmap(NULL, t->bytes, t->prot, t->flags, self->fd, t->offset);
		int err = errno;

		EXPECT_EQ(MAP_FAILED, p)
			TH_LOG("%s: was accepted", t->name);
		if (p != MAP_FAILED) {
			munmap(p, t->bytes);
			continue;
		}
		EXPECT_TRUE(err == t->err || (t->err_or && err == t->err_or))
			TH_LOG("%s: %s", t->name, strerror(err));
	}
	/* Nothing of these left a trace: the arena can still be mapped, and used. */
	ASSERT_EQ(0, gh_info(self->fd, &info));
	EXPECT_EQ(0, info.arena_start);
	EXPECT_EQ(0, info.arena_bytes);
	ASSERT_NE(NULL, gh_map(self->fd, 64 * MIB));
	EXPECT_EQ(0, gh_alloc(self->fd, 1, &span));
}

TEST_F(device, info_says_where)
{
	struct goheap_info info;
	char *base = gh_map(self->fd, 64 * MIB);

	ASSERT_NE(NULL, base);
	ASSERT_EQ(0, gh_info(self->fd, &info));
	EXPECT_EQ((uintptr_t)base, info.arena_start);
	EXPECT_EQ(64 * MIB, info.arena_bytes);
}

TEST_F(device, twice)
{
	struct goheap_span span;
	struct goheap_info info;
	char *base = gh_map(self->fd, 64 * MIB);

	ASSERT_NE(NULL, base);
	ASSERT_EQ(0, gh_alloc(self->fd, 1, &span));
	gh_fill(gh_ptr(&span), GH_PAGE, 1);
	EXPECT_EQ(NULL, gh_map(self->fd, 64 * MIB));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(NULL, gh_map(self->fd, 4 * MIB));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, gh_info(self->fd, &info));
	EXPECT_EQ((uintptr_t)base, info.arena_start);
	EXPECT_TRUE(gh_holds(gh_ptr(&span), GH_PAGE, 1));
	EXPECT_EQ(0, gh_free(self->fd, &span));
}

/*
 * Over the arena itself, which is unmapped first; an arena is mapped once in its life.
 */
TEST_F(device, over_itself)
{
	struct goheap_arena_stats st;
	char *base = gh_map(self->fd, 64 * MIB);
	struct goheap_span span;
	void *p;

	ASSERT_NE(NULL, base);
	ASSERT_EQ(0, gh_alloc(self->fd, 1, &span));
	p = mmap(base, 64 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, self->fd, 0);
	EXPECT_EQ(MAP_FAILED, p);
	EXPECT_EQ(EBUSY, errno);
	st = gh_stats(self->fd);
	EXPECT_EQ(0, st.inuse_bytes);
	EXPECT_EQ(SIGSEGV, gh_touch(base, false));
	EXPECT_EQ(ENXIO, gh_alloc(self->fd, 1, &span));
}

TEST_F(device, lengths)
{
	static const uint64_t bytes[] = {
		4 * MIB, 8 * MIB, 12 * MIB, 1024 * MIB, 1024 * 1024 * MIB,
		GOHEAP_ARENA_BYTES_MAX,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct goheap_span span;
		struct goheap_info info;
		int fd = gh_open();
		char *base;

		ASSERT_LE(0, fd);
		base = gh_map(fd, bytes[i]);
		ASSERT_NE(NULL, base)
			TH_LOG("%llu MiB: %s", (unsigned long long)(bytes[i] / MIB), strerror(errno));
		ASSERT_EQ(0, gh_info(fd, &info));
		EXPECT_EQ(bytes[i], info.arena_bytes);
		ASSERT_EQ(0, gh_alloc(fd, 512, &span));
		EXPECT_EQ(0, gh_touch(gh_ptr(&span) + gh_bytes(&span) - 1, true));
		EXPECT_EQ(4 * MIB, gh_stats(fd).grown_bytes);
		ASSERT_EQ(0, munmap(base, bytes[i]));
		close(fd);
	}
}

TEST_F(device, at_a_fixed_address)
{
	char *room = mmap(NULL, 128 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct goheap_span span;
	struct goheap_info info;
	char *at;

	ASSERT_NE(MAP_FAILED, (void *)room);
	at = (char *)(((uintptr_t)room + 4 * MIB) & ~(4 * MIB - 1));
	ASSERT_EQ(at, mmap(at, 64 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, self->fd, 0));
	ASSERT_EQ(0, gh_info(self->fd, &info));
	EXPECT_EQ((uintptr_t)at, info.arena_start);
	ASSERT_EQ(0, gh_alloc(self->fd, 3, &span));
	EXPECT_EQ((uintptr_t)at, span.addr);
	EXPECT_EQ(0, gh_touch(at, true));
}

/*
 * Populating has nothing to populate with; and an arena with a long empty
 * range must not take long to map, nor memory.
 */
TEST_F(device, populate)
{
	void *p = mmap(NULL, 1024 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       self->fd, 0);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, gh_stats(self->fd).fresh_bytes);
	EXPECT_EQ(SIGBUS, gh_touch(p, false));
}

TEST_F(device, read_only_mapping)
{
	struct goheap_span span;
	char *base = mmap(NULL, 64 * MIB, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, (void *)base);
	ASSERT_EQ(0, gh_alloc(self->fd, 2, &span));
	EXPECT_TRUE(gh_is_zero(gh_ptr(&span), gh_bytes(&span)));
	EXPECT_EQ(SIGSEGV, gh_touch(gh_ptr(&span), true));
	ASSERT_EQ(0, mprotect(base, 64 * MIB, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, gh_touch(gh_ptr(&span), true));
}

/* Once in a life; and nothing is left of what it was. */
TEST_F(device, again_after_munmap)
{
	struct goheap_arena_stats st;
	struct goheap_span span;
	char *base = gh_map(self->fd, 64 * MIB);

	ASSERT_NE(NULL, base);
	ASSERT_EQ(0, gh_alloc(self->fd, 8, &span));
	ASSERT_EQ(0, munmap(base, 64 * MIB));
	EXPECT_EQ(NULL, gh_map(self->fd, 64 * MIB));
	EXPECT_EQ(EBUSY, errno);
	st = gh_stats(self->fd);
	EXPECT_EQ(0, st.inuse_bytes);
	EXPECT_EQ(0, st.retained_bytes);
	EXPECT_EQ(0, st.spans);
}

/* One line of /proc/self/maps, whatever happens inside. */
TEST_F(device, one_vma)
{
	struct goheap_span span[64];
	uint64_t bytes = GH_ALL;
	char line[512];
	int lines = 0;
	size_t i;
	FILE *f;

	ASSERT_NE(NULL, gh_map(self->fd, 64 * MIB));
	for (i = 0; i < ARRAY_SIZE(span); i++)
		ASSERT_EQ(0, gh_alloc(self->fd, 1 + i % 7, &span[i]));
	for (i = 0; i < ARRAY_SIZE(span); i += 2)
		ASSERT_EQ(0, gh_free(self->fd, &span[i]));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	ASSERT_LT(0, bytes);
	f = fopen("/proc/self/maps", "r");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f))
		lines += !!strstr(line, "goheap") && !!strstr(line, "rw-s");
	fclose(f);
	EXPECT_EQ(1, lines);
}

TEST_HARNESS_MAIN
