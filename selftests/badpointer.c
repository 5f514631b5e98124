// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a pointer in a request that crashes or stalls the kernel, or that is
 * found bad only when the work has been done.
 */
#include "arena.h"

static const unsigned long commands[] = {
	GOHEAP_IOC_INFO, GOHEAP_IOC_SPAN_ALLOC, GOHEAP_IOC_SPAN_FREE,
	GOHEAP_IOC_RELEASE, GOHEAP_IOC_STATS,
};

/* Two pages, the second of which is not there. */
static char *cliff(int prot)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p + 4096, 4096) || mprotect(p, 4096, prot))
		abort();
	return p;
}

/* Addresses at which there is nothing, or nothing for a program. */
static void *nowhere(int i)
{
	switch (i) {
	case 0: return NULL;
	case 1: return (void *)8;
	case 2: return cliff(PROT_READ | PROT_WRITE) + 4096;
	case 3: return cliff(PROT_NONE);
	case 4: return (void *)0xffff888000000000;	/* the kernel's */
	case 5: return (void *)0x0000800000000000;	/* nobody's */
	case 6: return (void *)0xfffffffffffffff0;	/* the end of all */
	case 7: return (void *)0x00007ffffffff000;	/* just past a program's last */
	}
	return MAP_FAILED;
}

/* A live span and a free one, so that each request would have something to do. */
static bool prepare(int fd, struct goheap_span *live)
{
	struct goheap_span s;

	return !gh_alloc(fd, 3, live) && !gh_alloc(fd, 5, &s) && !gh_free(fd, &s);
}

TEST_F(arena, structure_nowhere)
{
	struct goheap_arena_stats before, after;
	struct goheap_span live;
	size_t i;
	int k;

	ASSERT_TRUE(prepare(self->fd, &live));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		for (k = 0; nowhere(k) != MAP_FAILED; k++) {
			EXPECT_EQ(EFAULT, gh_ioctl(self->fd, commands[i], nowhere(k)))
				TH_LOG("request %u, address %d", _IOC_NR(commands[i]), k);
			after = gh_stats(self->fd);
			EXPECT_TRUE(gh_unchanged(&before, &after));
		}
	}
}

/* The structure begins on a page and ends where there is none. */
TEST_F(arena, structure_over_the_edge)
{
	static const size_t here[] = { 1, 4, 8, 16, 24 };
	struct goheap_arena_stats before, after;
	struct goheap_span live;
	char *p = cliff(PROT_READ | PROT_WRITE);
	size_t i, k;

	ASSERT_TRUE(prepare(self->fd, &live));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		for (k = 0; k < ARRAY_SIZE(here); k++) {
			char *at = p + 4096 - here[k];
			__u32 size = _IOC_SIZE(commands[i]);

			memset(at, 0, here[k]);
			memcpy(at, &size, here[k] < 4 ? here[k] : 4);
			EXPECT_EQ(EFAULT, gh_ioctl(self->fd, commands[i], at))
				TH_LOG("request %u, %zu bytes", _IOC_NR(commands[i]), here[k]);
			after = gh_stats(self->fd);
			EXPECT_TRUE(gh_unchanged(&before, &after));
		}
	}
}

/* A structure that says it is longer than what is there. */
TEST_F(arena, tail_over_the_edge)
{
	struct goheap_arena_stats before, after;
	char *p = cliff(PROT_READ | PROT_WRITE);
	struct goheap_span live;
	size_t i;

	ASSERT_TRUE(prepare(self->fd, &live));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		char *at = p + 4096 - _IOC_SIZE(commands[i]);

		memset(at, 0, _IOC_SIZE(commands[i]));
		*(__u32 *)at = _IOC_SIZE(commands[i]) + 8;
		EXPECT_EQ(EFAULT, gh_ioctl(self->fd, commands[i], at))
			TH_LOG("request %u", _IOC_NR(commands[i]));
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&before, &after));
	}
}

/* A reply that cannot be written: the request fails, and has done nothing. */
TEST_F(arena, structure_read_only)
{
	static const unsigned long replies[] = {
		GOHEAP_IOC_INFO, GOHEAP_IOC_STATS, GOHEAP_IOC_RELEASE,
	};
	struct goheap_arena_stats before, after;
	struct goheap_span live;
	size_t i;

	ASSERT_TRUE(prepare(self->fd, &live));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(replies); i++) {
		char *p = cliff(PROT_READ | PROT_WRITE);

		*(__u32 *)p = _IOC_SIZE(replies[i]);
		if (replies[i] == GOHEAP_IOC_RELEASE)
			((struct goheap_release *)p)->bytes = GH_ALL;
		ASSERT_EQ(0, mprotect(p, 4096, PROT_READ));
		EXPECT_EQ(EFAULT, gh_ioctl(self->fd, replies[i], p))
			TH_LOG("request %u", _IOC_NR(replies[i]));
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&before, &after))
			TH_LOG("request %u", _IOC_NR(replies[i]));
	}
}

TEST_F(arena, spans_nowhere)
{
	struct goheap_arena_stats before, after;
	struct goheap_span live;
	unsigned int count;
	int k;

	ASSERT_TRUE(prepare(self->fd, &live));
	before = gh_stats(self->fd);
	for (k = 0; nowhere(k) != MAP_FAILED; k++) {
		for (count = 1; count <= GOHEAP_BATCH_MAX; count += GOHEAP_BATCH_MAX - 1) {
			EXPECT_EQ(EFAULT, gh_alloc_batch(self->fd, nowhere(k), count))
				TH_LOG("address %d", k);
			EXPECT_EQ(EFAULT, gh_free_batch(self->fd, nowhere(k), count))
				TH_LOG("address %d", k);
			after = gh_stats(self->fd);
			EXPECT_TRUE(gh_unchanged(&before, &after));
		}
	}
}

/* The array begins on a page and ends where there is none. */
TEST_F(arena, spans_over_the_edge)
{
	struct goheap_arena_stats before, after;
	struct goheap_span live, *s;
	char *p = cliff(PROT_READ | PROT_WRITE);
	int i;

	ASSERT_TRUE(prepare(self->fd, &live));
	before = gh_stats(self->fd);
	memset(p, 0, 4096);
	s = (struct goheap_span *)(p + 4096 - 8 * sizeof(*s));
	for (i = 0; i < 8; i++)
		s[i].npages = 1;
	EXPECT_EQ(EFAULT, gh_alloc_batch(self->fd, s, 9));
	EXPECT_EQ(EFAULT, gh_alloc_batch(self->fd, s, GOHEAP_BATCH_MAX));
	/* Half of the last one is there. */
	memmove(p + 4096 - 8 * sizeof(*s) - 12, s, 8 * sizeof(*s));
	EXPECT_EQ(EFAULT, gh_alloc_batch(self->fd, (void *)((char *)s - 12 + sizeof(*s)), 8));
	s[7] = (struct goheap_span){ .addr = live.addr, .npages = live.npages };
	EXPECT_EQ(EFAULT, gh_free_batch(self->fd, &s[7], 2));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	/* As long as it is, it serves. */
	EXPECT_EQ(0, gh_free_batch(self->fd, &s[7], 1));
}

/* The reply of an allocation goes into the array: it cannot, so nothing is allocated. */
TEST_F(arena, spans_read_only)
{
	struct goheap_arena_stats before, after;
	struct goheap_span live, *s;
	int round;

	ASSERT_TRUE(prepare(self->fd, &live));
	s = (struct goheap_span *)cliff(PROT_READ | PROT_WRITE);
	s[0].npages = 5;	/* one that is retained */
	s[1].npages = 600;	/* one that is not */
	ASSERT_EQ(0, mprotect(s, 4096, PROT_READ));
	/* First and last: what a failed request prepared may change nothing either. */
	for (round = 0; round < 3; round++) {
		before = gh_stats(self->fd);
		EXPECT_EQ(EFAULT, gh_alloc_batch(self->fd, s, 2));
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&before, &after));
	}
	/* The bytes of the retained span's pages are nobody's: no such span can be freed. */
	EXPECT_EQ(EINVAL, gh_free_range(self->fd, live.addr + 3 * GH_PAGE, 5));
}

/* Only the end of the reply's array cannot be written. */
TEST_F(arena, spans_end_read_only)
{
	struct goheap_arena_stats before, after;
	struct goheap_span live, *s;
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	ASSERT_NE(MAP_FAILED, (void *)p);
	ASSERT_TRUE(prepare(self->fd, &live));
	s = (struct goheap_span *)(p + 4096 - 10 * sizeof(*s));
	for (i = 0; i < 20; i++)
		s[i].npages = 2;
	ASSERT_EQ(0, mprotect(p + 4096, 4096, PROT_READ));
	before = gh_stats(self->fd);
	EXPECT_EQ(EFAULT, gh_alloc_batch(self->fd, s, 20));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));
	/* Nor has the part changed that could be written: the same array serves. */
	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, s[i].addr);
	EXPECT_EQ(0, gh_alloc_batch(self->fd, s, 10));
}

/* A list of spans to free is only read. */
TEST_F(arena, free_of_a_constant_list)
{
	struct goheap_span live, *s = (struct goheap_span *)cliff(PROT_READ | PROT_WRITE);

	ASSERT_TRUE(prepare(self->fd, &live));
	s[0] = (struct goheap_span){ .addr = live.addr, .npages = live.npages };
	ASSERT_EQ(0, mprotect(s, 4096, PROT_READ));
	EXPECT_EQ(0, gh_free_batch(self->fd, s, 1));
}

/*
 * Pointers into the arena itself, where the kernel's own access has to fault:
 * nothing may wait for itself.
 */
TEST_F(arena, inside_the_arena)
{
	struct goheap_arena_stats before, after;
	struct goheap_span live, *s;
	char *empty = self->base + 8 * MIB;
	size_t i;

	ASSERT_TRUE(prepare(self->fd, &live));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		EXPECT_EQ(EFAULT, gh_ioctl(self->fd, commands[i], empty));
	EXPECT_EQ(EFAULT, gh_alloc_batch(self->fd, (void *)empty, 2));
	EXPECT_EQ(EFAULT, gh_free_batch(self->fd, (void *)empty, 2));
	after = gh_stats(self->fd);
	EXPECT_TRUE(gh_unchanged(&before, &after));

	/* In a live span it is memory like any other, unmapped or not. */
	s = (struct goheap_span *)gh_ptr(&live);
	memset(s, 0, gh_bytes(&live));
	s[0].npages = s[1].npages = 4;
	ASSERT_EQ(0, madvise(s, gh_bytes(&live), MADV_DONTNEED));
	EXPECT_EQ(0, gh_alloc_batch(self->fd, s, 2));
	EXPECT_EQ(0, gh_touch(gh_ptr(&s[0]), true));
	s[0].flags = s[1].flags = 0;
	ASSERT_EQ(0, madvise(s, gh_bytes(&live), MADV_DONTNEED));
	EXPECT_EQ(0, gh_free_batch(self->fd, s, 2));
}

/* The list lies in the span that it frees. */
TEST_F(arena, list_in_the_span_it_frees)
{
	struct goheap_span live, *s;
	uint64_t bytes = GH_ALL;

	ASSERT_TRUE(prepare(self->fd, &live));
	s = (struct goheap_span *)gh_ptr(&live);
	s[0] = (struct goheap_span){ .addr = live.addr, .npages = live.npages };
	EXPECT_EQ(0, gh_free_batch(self->fd, s, 1));
	EXPECT_EQ(0, gh_stats(self->fd).inuse_bytes);
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	EXPECT_EQ(EFAULT, gh_free_batch(self->fd, s, 1));
}

TEST_HARNESS_MAIN
