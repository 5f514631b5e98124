// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a field of a request that is not checked, is answered with the wrong
 * errno, or is found wrong only after something has been done.
 *
 * Each case takes a request that would succeed, changes one field of it, and
 * looks at the errno and at the statistics.
 */
#include "arena.h"

/* A request and its spans, each with room to be longer than a page. */
static union {
	__u32 size;
	struct goheap_info info;
	struct goheap_span_batch batch;
	struct goheap_release release;
	struct goheap_arena_stats stats;
	char bytes[3 * 4096];
} rq;

static struct goheap_span spans[2];

/* Allocated before each case: what a request could free, and what it could release. */
static struct goheap_span live[2], room;

enum where { RQ, SPAN0, SPAN1 };

struct bad_field {
	const char *name;
	unsigned long cmd;
	enum where where;
	size_t offset, width;
	uint64_t value;
	int err;
	int bad_index;		/* which span is to blame; -1: none */
};

#define INFO	GOHEAP_IOC_INFO
#define ALLOC	GOHEAP_IOC_SPAN_ALLOC
#define FREE	GOHEAP_IOC_SPAN_FREE
#define RELEASE	GOHEAP_IOC_RELEASE
#define STATS	GOHEAP_IOC_STATS

#define FIELD(cmd, type, f, v, e)						\
	{ #cmd ": " #f " = " #v, cmd, RQ, offsetof(struct type, f),		\
	  sizeof(((struct type *)0)->f), v, e, -1 }
#define SPAN(cmd, n, f, v, e)							\
	{ #cmd ": span " #n " " #f " = " #v, cmd, SPAN##n,			\
	  offsetof(struct goheap_span, f),					\
	  sizeof(((struct goheap_span *)0)->f), v, e, n }

/*
 * Wrong sizes: the same for every request; none at all, and a byte less than
 * version 1 of the structure had, up to its field @last.
 */
#define SIZES(cmd, type, last)							\
	FIELD(cmd, type, size, 0, EINVAL),					\
	FIELD(cmd, type, size, 1, EINVAL),					\
	FIELD(cmd, type, size, 4, EINVAL),					\
	FIELD(cmd, type, size, 8, EINVAL),					\
	FIELD(cmd, type, size, offsetof(struct type, last) +			\
	      sizeof(((struct type *)0)->last) - 1, EINVAL),			\
	FIELD(cmd, type, size, 4097, E2BIG),					\
	FIELD(cmd, type, size, 8192, E2BIG),					\
	FIELD(cmd, type, size, 1U << 31, E2BIG),				\
	FIELD(cmd, type, size, ~0U, E2BIG),					\
	FIELD(cmd, type, size, -8U, E2BIG)

#define SPANS(cmd)								\
	SPAN(cmd, 0, npages, 0, EINVAL), SPAN(cmd, 1, npages, 0, EINVAL),	\
	SPAN(cmd, 0, npages, 1ULL << 63, EINVAL),				\
	SPAN(cmd, 1, npages, 1ULL << 63, EINVAL),				\
	SPAN(cmd, 0, npages, ~0ULL, EINVAL), SPAN(cmd, 1, npages, ~0ULL, EINVAL), \
	SPAN(cmd, 1, npages, 1ULL << 51, EINVAL),	/* bytes overflow to 0 */ \
	SPAN(cmd, 1, npages, (1ULL << 51) + 1, EINVAL),	/* and to one page */	\
	SPAN(cmd, 1, npages, ~0ULL - 2, EINVAL),	/* the sum overflows */	\
	SPAN(cmd, 1, npages, 1ULL << 32, EINVAL),				\
	SPAN(cmd, 1, npages, (1ULL << 32) + 5, EINVAL),	/* 5 if cut off */	\
	SPAN(cmd, 1, npages, GH_ARENA_BYTES / GH_PAGE + 1, EINVAL),		\
	SPAN(cmd, 0, reserved, 1, EINVAL), SPAN(cmd, 1, reserved, 1U << 31, EINVAL), \
	SPAN(cmd, 0, flags, GOHEAP_SPAN_NEEDZERO, EINVAL),			\
	SPAN(cmd, 1, flags, 1U << 2, EINVAL), SPAN(cmd, 1, flags, 1U << 31, EINVAL)

#define BATCH(cmd)								\
	SIZES(cmd, goheap_span_batch, reserved),				\
	FIELD(cmd, goheap_span_batch, flags, 1, EINVAL),			\
	FIELD(cmd, goheap_span_batch, flags, 1U << 31, EINVAL),			\
	FIELD(cmd, goheap_span_batch, reserved[0], 1, EINVAL),			\
	FIELD(cmd, goheap_span_batch, reserved[0], 1ULL << 63, EINVAL),		\
	FIELD(cmd, goheap_span_batch, reserved[1], 1ULL << 32, EINVAL),		\
	FIELD(cmd, goheap_span_batch, count, 0, EINVAL),			\
	FIELD(cmd, goheap_span_batch, count, GOHEAP_BATCH_MAX + 1, EINVAL),	\
	FIELD(cmd, goheap_span_batch, count, 1U << 31, EINVAL),			\
	FIELD(cmd, goheap_span_batch, count, ~0U, EINVAL),			\
	SPANS(cmd)

static const struct bad_field table[] = {
	SIZES(INFO, goheap_info, reserved),
	FIELD(INFO, goheap_info, flags, 1, EINVAL),
	FIELD(INFO, goheap_info, flags, 1U << 31, EINVAL),
	FIELD(INFO, goheap_info, reserved[0], 1, EINVAL),
	FIELD(INFO, goheap_info, reserved[3], 1ULL << 63, EINVAL),
	SIZES(STATS, goheap_arena_stats, reserved),
	FIELD(STATS, goheap_arena_stats, flags, 1, EINVAL),
	FIELD(STATS, goheap_arena_stats, flags, 1U << 31, EINVAL),
	FIELD(STATS, goheap_arena_stats, reserved[0], 1, EINVAL),
	FIELD(STATS, goheap_arena_stats, reserved[7], 1ULL << 63, EINVAL),
	SIZES(RELEASE, goheap_release, reserved),
	FIELD(RELEASE, goheap_release, flags, 1U << 1, EINVAL),
	FIELD(RELEASE, goheap_release, flags, 1U << 31, EINVAL),
	FIELD(RELEASE, goheap_release, flags, ~0U, EINVAL),
	FIELD(RELEASE, goheap_release, reserved[0], 1, EINVAL),
	FIELD(RELEASE, goheap_release, reserved[1], 1ULL << 63, EINVAL),
	BATCH(ALLOC),
	SPAN(ALLOC, 0, addr, 1, EINVAL),
	SPAN(ALLOC, 1, addr, ~0ULL, EINVAL),
	BATCH(FREE),
	SPAN(FREE, 0, flags, GOHEAP_SPAN_NOSCAN, EINVAL),
	SPAN(FREE, 0, addr, 0, EINVAL),
	SPAN(FREE, 1, addr, ~0ULL, EINVAL),
	SPAN(FREE, 1, addr, 1ULL << 63, EINVAL),
	SPAN(FREE, 1, addr, -(uint64_t)GH_PAGE, EINVAL),
	SPAN(FREE, 1, addr, 1ULL << 47, EINVAL),
};

/* A request that succeeds. */
static void *request(unsigned long cmd)
{
	memset(&rq, 0, sizeof(rq));
	memset(spans, 0, sizeof(spans));
	switch (cmd) {
	case INFO:
		rq.size = sizeof(rq.info);
		break;
	case STATS:
		rq.size = sizeof(rq.stats);
		break;
	case RELEASE:
		rq.size = sizeof(rq.release);
		rq.release.bytes = GH_ALL;
		break;
	case ALLOC:
		spans[0].npages = 3;
		spans[1].npages = 5;
		rq.batch = gh_batch(spans, 2);
		break;
	case FREE:
		spans[0] = (struct goheap_span){ .addr = live[0].addr, .npages = 3 };
		spans[1] = (struct goheap_span){ .addr = live[1].addr, .npages = 5 };
		rq.batch = gh_batch(spans, 2);
		break;
	}
	return &rq;
}

/* Something live and something free, so that each request has something to do. */
static bool prepare(int fd)
{
	return !gh_alloc(fd, 3, &live[0]) && !gh_alloc(fd, 5, &live[1]) &&
	       !gh_alloc(fd, 7, &room) && !gh_free(fd, &room);
}

TEST_F(arena, one_field_wrong)
{
	struct goheap_arena_stats before, after;
	size_t i;

	ASSERT_TRUE(prepare(self->fd));
	before = gh_stats(self->fd);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct bad_field *t = &table[i];
		char *at = request(t->cmd);
		int err;

		if (t->where != RQ)
			at = (char *)&spans[t->where - SPAN0];
		memcpy(at + t->offset, &t->value, t->width);
		err = gh_ioctl(self->fd, t->cmd, &rq);
		EXPECT_EQ(t->err, err)
			TH_LOG("%s: %s", t->name, strerror(err));
		if (t->bad_index >= 0)
			EXPECT_EQ(t->bad_index, (int)rq.batch.bad_index)
				TH_LOG("%s", t->name);
		after = gh_stats(self->fd);
		EXPECT_TRUE(gh_unchanged(&before, &after))
			TH_LOG("%s: something was done", t->name);
		before = after;
	}
	/* The proof that it was the one field each time. */
	EXPECT_EQ(0, gh_ioctl(self->fd, INFO, request(INFO)));
	EXPECT_EQ(0, gh_ioctl(self->fd, STATS, request(STATS)));
	EXPECT_EQ(0, gh_ioctl(self->fd, FREE, request(FREE)));
	EXPECT_EQ(0, gh_ioctl(self->fd, ALLOC, request(ALLOC)));
	EXPECT_EQ(0, gh_ioctl(self->fd, RELEASE, request(RELEASE)));
}

/*
 * A newer program's structure is longer.  Zero where this kernel knows nothing:
 * served; anything else: E2BIG.  The number of the request, which holds
 * the structure's size, differs then as well.
 */
TEST_F(arena, longer_structures)
{
	static const struct {
		unsigned long cmd;
		size_t size;
	} known[] = {
		{ INFO, sizeof(struct goheap_info) },
		{ STATS, sizeof(struct goheap_arena_stats) },
		{ RELEASE, sizeof(struct goheap_release) },
		{ ALLOC, sizeof(struct goheap_span_batch) },
		{ FREE, sizeof(struct goheap_span_batch) },
	};
	static const size_t more[] = { 1, 4, 8, 64, 1000 };
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		for (k = 0; k < 2 * ARRAY_SIZE(more); k++) {
			size_t size = known[i].size + more[k / 2];
			unsigned long cmd = known[i].cmd;
			struct goheap_arena_stats before, after;

			if (k & 1)
				cmd = _IOC(_IOC_READ | _IOC_WRITE, GOHEAP_IOC_MAGIC,
					   _IOC_NR(known[i].cmd), size);
			ASSERT_TRUE(prepare(self->fd));
			before = gh_stats(self->fd);

			request(known[i].cmd);
			rq.size = size;
			rq.bytes[size - 1] = 1;
			EXPECT_EQ(E2BIG, gh_ioctl(self->fd, cmd, &rq))
				TH_LOG("request %u, %zu bytes more", _IOC_NR(cmd), more[k / 2]);
			request(known[i].cmd);
			rq.size = size;
			rq.bytes[known[i].size] = 0x80;
			EXPECT_EQ(E2BIG, gh_ioctl(self->fd, cmd, &rq))
				TH_LOG("request %u, %zu bytes more", _IOC_NR(cmd), more[k / 2]);
			after = gh_stats(self->fd);
			EXPECT_TRUE(gh_unchanged(&before, &after));

			request(known[i].cmd);
			rq.size = size;
			rq.bytes[size] = 0x77;	/* one past the end: not the kernel's to see */
			EXPECT_EQ(0, gh_ioctl(self->fd, cmd, &rq))
				TH_LOG("request %u, %zu bytes more", _IOC_NR(cmd), more[k / 2]);
			EXPECT_EQ(0x77, rq.bytes[size]);
			/* Where the reply says so, what was filled in. */
			if (known[i].cmd == INFO || known[i].cmd == STATS)
				EXPECT_EQ(known[i].size, rq.size);
		}
	}
}

/*
 * An older program's structure is shorter: it is served as far as its structure
 * goes.
 */
TEST_F(arena, version_1_statistics)
{
	size_t size = offsetof(struct goheap_arena_stats, scav_request_bytes);

	ASSERT_TRUE(prepare(self->fd));
	request(STATS);
	memset(&rq.bytes[size], 0x77, 64);
	rq.size = size;
	EXPECT_EQ(0, gh_ioctl(self->fd, STATS, &rq));
	EXPECT_EQ(size, rq.size);
	EXPECT_EQ(2, rq.stats.spans);
	EXPECT_EQ(0, rq.stats.reserved[7]);
	EXPECT_EQ(0x7777777777777777ULL, rq.stats.scav_request_bytes);
}

/* A page is the most that is looked at. */
TEST_F(arena, a_page_long)
{
	request(INFO);
	rq.size = 4096;
	EXPECT_EQ(0, gh_ioctl(self->fd, INFO, &rq));
	EXPECT_EQ(sizeof(rq.info), rq.size);
	request(INFO);
	rq.size = 4096;
	rq.bytes[4095] = 1;
	EXPECT_EQ(E2BIG, gh_ioctl(self->fd, INFO, &rq));
}

/* Out fields may hold anything on the way in. */
TEST_F(arena, out_fields_are_not_looked_at)
{
	request(INFO);
	rq.info.abi_version = rq.info.page_shift = rq.info.batch_max = ~0U;
	rq.info.arena_start = rq.info.arena_bytes = rq.info.features = GH_ALL;
	EXPECT_EQ(0, gh_ioctl(self->fd, INFO, &rq));
	EXPECT_NE(GH_ALL, rq.info.features);
	request(STATS);
	rq.stats.grown_bytes = rq.stats.enomem = GH_ALL;
	EXPECT_EQ(0, gh_ioctl(self->fd, STATS, &rq));
	EXPECT_EQ(0, rq.stats.enomem);
	request(ALLOC);
	rq.batch.bad_index = ~0U;
	EXPECT_EQ(0, gh_ioctl(self->fd, ALLOC, &rq));
}

TEST_HARNESS_MAIN
