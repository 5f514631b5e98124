// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: a failed allocation inside the kernel that is not answered with the
 * documented errno, leaves half of a request done, leaks, or hangs.
 *
 * Each shape of a request is tried again and again with the first, second,
 * third ... allocation of the calling thread failing (/proc/thread-self/fail-nth)
 * until it needs no more than that; then with every one, every second, third,
 * ... failing, for what only a second failure reaches.  After a failure nothing
 * has changed, and the same request succeeds when nothing is injected.
 *
 * Needs a kernel with CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC (the debug
 * kernel), and root; skipped elsewhere:
 *
 *	selftests/vm/run --kernel debug -- selftests/out/fuzz-inject
 *	GOHEAP_INJECT=fork ...		only the shapes with this in their name
 *
  A new request is a function and a
 * variant below.
 */
#include "../goheap_test.h"

#include <poll.h>

#define FAULTS		"/sys/kernel/debug/"
#define PARAMETERS	"/sys/module/goheap/parameters/"
#define SPANS		48
#define ROUNDS_MAX	4000

struct ctx {
	int fd;
	char *base;
	size_t bytes;
	struct goheap_span span[SPANS];	/* what prepare() allocated and filled */
	int count;
	struct goheap_span want[SPANS];	/* what the request is about */
	int wanted;
	void *array;
	pid_t child;
	int pipe[2];
	struct goheap_arena_stats before;
	unsigned long pages;
};

/* Files that stay open, so that switching on and off allocates nothing. */
static int nth_fd = -1, make_fd = -1;

static int put(int fd, const char *text)
{
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
}

static int put_number(int fd, unsigned long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", n);
	return put(fd, text);
}

/* What was not used up of the number: 0 means that an allocation failed. */
static unsigned long nth_left(void)
{
	char text[24] = "";
	ssize_t n = pread(nth_fd, text, sizeof(text) - 1, 0);

	return n > 0 ? strtoul(text, NULL, 10) : 0;
}

static int set_fault(const char *which, const char *name, const char *value)
{
	char path[100];
	int fd, err;

	snprintf(path, sizeof(path), FAULTS "%s/%s", which, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = put(fd, value);
	close(fd);
	return err;
}

static int set_faults(const char *name, const char *value)
{
	return set_fault("failslab", name, value) ?: set_fault("fail_page_alloc", name, value);
}

static unsigned long parameter(const char *name)
{
	char path[100];
	unsigned long n = ~0UL;
	FILE *f;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lu", &n) != 1)
		n = ~0UL;
	if (f)
		fclose(f);
	return n;
}

/* What is given back by a work item may take a moment. */
static bool parameter_becomes(const char *name, unsigned long n)
{
	int tries;

	for (tries = 0; tries < 300; tries++) {
		if (parameter(name) == n)
			return true;
		usleep(10000);
	}
	fprintf(stderr, "# %s: %lu, not %lu\n", name, parameter(name), n);
	return false;
}

static uint64_t features(void)
{
	struct goheap_info info;
	int fd = gh_open();

	if (gh_info(fd, &info))
		info.features = 0;
	close(fd);
	return info.features;
}

/* What a request finds. */

static int nothing(struct ctx *c)
{
	(void)c;
	return 0;
}

static int opened(struct ctx *c)
{
	c->fd = gh_open();
	return c->fd < 0 ? errno : 0;
}

static int mapped_of(struct ctx *c, size_t bytes)
{
	int err = opened(c);

	if (err)
		return err;
	c->bytes = bytes;
	c->base = gh_map(c->fd, bytes);
	return c->base ? 0 : errno;
}

static int mapped(struct ctx *c)
{
	return mapped_of(c, GH_ARENA_BYTES);
}

static int unmapped(struct ctx *c)
{
	int err = mapped(c);

	if (!err && munmap(c->base, c->bytes))
		err = errno;
	c->base = NULL;
	return err;
}

static int fill(struct ctx *c, int count, uint64_t npages)
{
	int i, err;

	for (i = 0; i < count; i++) {
		struct goheap_span *s = &c->span[c->count];

		err = gh_alloc(c->fd, npages, s);
		if (err)
			return err;
		gh_fill(gh_ptr(s), gh_bytes(s), c->count++);
	}
	return 0;
}

static int with_spans(struct ctx *c)
{
	return mapped(c) ?: fill(c, 4, 5);
}

static int with_small_spans(struct ctx *c)
{
	return mapped(c) ?: fill(c, SPANS, 1);
}

/* Every second span is freed: as many holes. */
static int with_holes(struct ctx *c)
{
	int i, err = mapped(c) ?: fill(c, SPANS, 2);

	for (i = 0; !err && i < SPANS; i += 2)
		err = gh_free(c->fd, &c->span[i]);
	for (i = 0; i < SPANS / 2; i++) {
		c->span[i] = c->span[2 * i + 1];
		gh_fill(gh_ptr(&c->span[i]), gh_bytes(&c->span[i]), i);
	}
	c->count = SPANS / 2;
	return err;
}

/* Free pages whose memory is kept but not mapped. */
static int with_kept(struct ctx *c)
{
	uint64_t all = GH_ALL;

	return with_holes(c) ?: gh_release(c->fd, GOHEAP_RELEASE_KEEP, &all);
}

/* Free pages of every kind: mapped, kept, without memory. */
static int with_mixed(struct ctx *c)
{
	uint64_t some = 6 * GH_PAGE, more = 12 * GH_PAGE;

	return with_holes(c) ?: gh_release(c->fd, 0, &some) ?:
	       gh_release(c->fd, GOHEAP_RELEASE_KEEP, &more);
}

/* The pages are there, and not in the page tables. */
static int with_zapped(struct ctx *c)
{
	int err = with_spans(c);

	if (!err && madvise(c->base, c->bytes, MADV_DONTNEED))
		err = errno;
	return err;
}

static int want(struct ctx *c, int count, uint64_t npages)
{
	int i;

	for (i = 0; i < count; i++)
		c->want[i] = (struct goheap_span){ .npages = npages };
	c->wanted = count;
	return 0;
}

static int wants_first(struct ctx *c)	{ return mapped(c) ?: want(c, 1, 1); }
static int wants_span(struct ctx *c)	{ return with_spans(c) ?: want(c, 1, 20); }
static int wants_batch(struct ctx *c)	{ return with_spans(c) ?: want(c, 40, 2); }
static int wants_chunks(struct ctx *c)	{ return with_spans(c) ?: want(c, 1, 600); }
static int wants_grown(struct ctx *c)	{ return with_spans(c) ?: want(c, 40, 15); }
static int wants_hole(struct ctx *c)	{ return with_holes(c) ?: want(c, 1, 2); }
static int wants_holes(struct ctx *c)	{ return with_holes(c) ?: want(c, 24, 2); }
static int wants_kept(struct ctx *c)	{ return with_kept(c) ?: want(c, 20, 2); }
static int wants_mixed(struct ctx *c)	{ return with_mixed(c) ?: want(c, 40, 2); }
static int wants_too_much(struct ctx *c) { return with_spans(c) ?: want(c, 1, 8192); }
static int wants_longer(struct ctx *c)	{ return with_spans(c) ?: want(c, 1, 8193); }

static int wants_untouched(struct ctx *c)
{
	int err = wants_span(c);

	/* Below 4 GiB nothing is mapped: the tables are missing as well. */
	c->array = mmap((void *)(1UL << 30), 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return c->array == MAP_FAILED ? errno : err;
}

static int unwants(struct ctx *c, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		c->want[i] = c->span[--c->count];
		c->want[i].flags = 0;
	}
	c->wanted = count;
	return 0;
}

static int unwants_span(struct ctx *c)	{ return with_spans(c) ?: unwants(c, 1); }
static int unwants_batch(struct ctx *c)	{ return with_small_spans(c) ?: unwants(c, 40); }

/* One twice, which is a mistake however much memory there is. */
static int unwants_twice(struct ctx *c)
{
	int err = with_small_spans(c);

	unwants(c, 40);
	c->count += 40;
	c->want[39] = c->want[0];
	return err;
}

/* Another process has the heap as well. */
static int with_child(struct ctx *c)
{
	int err = with_spans(c);
	char byte;

	if (err || pipe2(c->pipe, O_CLOEXEC))
		return err ?: errno;
	c->child = fork();
	if (!c->child) {
		close(c->pipe[1]);
		_exit(read(c->pipe[0], &byte, 1));
	}
	close(c->pipe[0]);
	return c->child < 0 ? errno : 0;
}

/* The requests: 0 or the errno. */

static int do_open(struct ctx *c)
{
	c->fd = gh_open();
	return c->fd < 0 ? errno : 0;
}

static int do_open_another(struct ctx *c)
{
	int fd = gh_open();

	(void)c;
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int map_of(struct ctx *c, size_t bytes)
{
	c->bytes = bytes;
	c->base = gh_map(c->fd, bytes);
	return c->base ? 0 : errno;
}

static int do_mmap(struct ctx *c)	{ return map_of(c, GH_ARENA_BYTES); }
static int do_mmap_all(struct ctx *c)	{ return map_of(c, GOHEAP_ARENA_BYTES_MAX); }

static int do_munmap(struct ctx *c)
{
	if (munmap(c->base, c->bytes))
		return errno;
	c->base = NULL;
	c->count = 0;
	return 0;
}

static int do_close(struct ctx *c)
{
	int fd = c->fd;

	c->fd = -1;
	return close(fd) ? errno : 0;
}

static int do_info(struct ctx *c)
{
	struct goheap_info info;

	return gh_info(c->fd, &info);
}

static int do_stats(struct ctx *c)
{
	struct goheap_arena_stats st;

	return gh_try_stats(c->fd, &st);
}

static int do_alloc(struct ctx *c)
{
	struct goheap_span asked[SPANS];
	int i, err;

	memcpy(asked, c->want, sizeof(asked));
	err = gh_alloc_batch(c->fd, c->want, c->wanted);
	if (err && memcmp(asked, c->want, sizeof(asked))) {
		fprintf(stderr, "# the array has changed\n");
		return -1;
	}
	for (i = 0; !err && i < c->wanted; i++) {
		const struct goheap_span *s = &c->want[i];
		size_t at;

		for (at = 0; at < gh_bytes(s); at += 4096) {
			if (!(s->flags & GOHEAP_SPAN_NEEDZERO) && !gh_is_zero(gh_ptr(s) + at, 64))
				return -1;
			memset(gh_ptr(s) + at, 0xa5, 64);
		}
	}
	return err;
}

static int do_alloc_untouched(struct ctx *c)
{
	struct goheap_span *array = c->array;

	/* The kernel is the first to touch the page: to it, 0 pages are a mistake. */
	return gh_alloc_batch(c->fd, array, 1);
}

static int do_free(struct ctx *c)
{
	return gh_free_batch(c->fd, c->want, c->wanted);
}

static int release(struct ctx *c, uint32_t flags, uint64_t bytes)
{
	return gh_release(c->fd, flags, &bytes);
}

static int do_release(struct ctx *c)		{ return release(c, 0, GH_ALL); }
static int do_release_keep(struct ctx *c)	{ return release(c, GOHEAP_RELEASE_KEEP, GH_ALL); }
static int do_release_part(struct ctx *c)	{ return release(c, 0, 5 * GH_PAGE); }

static int do_touch(struct ctx *c)
{
	int i, sig = 0;

	for (i = 0; !sig && i < c->count; i++)
		sig = gh_touch(gh_ptr(&c->span[i]), true);
	return sig;
}

/* The kernel's own write: it does not try again. */
static int do_read2(struct ctx *c)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return errno;
	err = read(fd, gh_ptr(&c->span[0]), gh_bytes(&c->span[0])) ==
	      (ssize_t)gh_bytes(&c->span[0]) ? 0 : EFAULT;
	close(fd);
	/* However much arrived. */
	gh_fill(gh_ptr(&c->span[0]), gh_bytes(&c->span[0]), 0);
	return err;
}

static int do_dontneed(struct ctx *c)
{
	return madvise(c->base, c->bytes, MADV_DONTNEED) ? errno : 0;
}

static int do_mprotect(struct ctx *c)
{
	if (mprotect(c->base, c->bytes, PROT_READ))
		return errno;
	return mprotect(c->base, c->bytes, PROT_READ | PROT_WRITE) ? errno : 0;
}

static int do_mprotect_part(struct ctx *c)
{
	return mprotect(c->base + 8192, 8192, PROT_READ) ? errno : 0;
}

static int do_munmap_part(struct ctx *c)
{
	return munmap(c->base + 8192, 8192) ? errno : 0;
}

static int do_mremap(struct ctx *c)
{
	char *to = c->base + 16 * GH_ARENA_BYTES;
	void *p = mremap(c->base, c->bytes, c->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	int err = errno;

	/* Where the kernel has no memory to undo what it began, it is left behind. */
	munmap(to, c->bytes);
	return p == MAP_FAILED ? err : 0;
}

static int do_fdinfo(struct ctx *c)
{
	char path[40], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", c->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	n = read(fd, text, sizeof(text));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? -n : 0;
}

static bool holds(const struct ctx *c)
{
	int i;

	for (i = 0; i < c->count; i++)
		if (!gh_holds(gh_ptr(&c->span[i]), gh_bytes(&c->span[i]), i))
			return false;
	return true;
}

static int do_fork(struct ctx *c)
{
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (!pid) {
		struct goheap_info info;

		if (gh_info(c->fd, &info))
			_exit(0);		/* no part in the heap */
		_exit(holds(c) ? 0 : 1);
	}
	return gh_wait(pid) ? -1 : 0;
}

static int do_poll(struct ctx *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLPRI };

	return poll(&p, 1, 0) < 0 ? errno : 0;
}

static struct goheap_settings all_settings(uint32_t policy)
{
	struct goheap_settings s = {
		.size = sizeof(s),
		.set = GOHEAP_SET_POLICY,
		.policy = policy,
	};

	return s;
}

static int do_settings(struct ctx *c)
{
	struct goheap_settings s = { .size = sizeof(s) };

	return gh_ioctl(c->fd, GOHEAP_IOC_SETTINGS, &s);
}

static int do_best_fit(struct ctx *c)
{
	struct goheap_settings s = all_settings(GOHEAP_POLICY_BEST_FIT);

	return gh_ioctl(c->fd, GOHEAP_IOC_SETTINGS, &s);
}

static int do_memory_limit(struct ctx *c)
{
	struct goheap_settings s = {
		.size = sizeof(s),
		.set = GOHEAP_SET_SCAVENGE | GOHEAP_SET_RETAIN_PERCENT | GOHEAP_SET_MEMORY_LIMIT,
		.scavenge = GOHEAP_SCAVENGE_LIMIT,
		.retain_percent = 150,
		.memory_limit = 4096,
	};

	return gh_ioctl(c->fd, GOHEAP_IOC_SETTINGS, &s);
}

static int wants_best_fit(struct ctx *c)
{
	return wants_mixed(c) ?: do_best_fit(c);
}

static int grows_best_fit(struct ctx *c)
{
	return wants_chunks(c) ?: do_best_fit(c);
}

static int unwants_best_fit(struct ctx *c)
{
	return with_small_spans(c) ?: do_best_fit(c) ?: unwants(c, 30);
}

static int do_cycle(struct ctx *c)
{
	struct goheap_cycle y = { .size = sizeof(y), .heap_goal = 8 * MIB };

	return gh_ioctl(c->fd, GOHEAP_IOC_CYCLE, &y);
}

/* One trigger of the scavenger alone: the background's does not wait for us. */
static int only(struct ctx *c, uint32_t trigger)
{
	struct goheap_settings s = {
		.size = sizeof(s),
		.set = GOHEAP_SET_SCAVENGE,
		.scavenge = trigger,
	};

	return gh_ioctl(c->fd, GOHEAP_IOC_SETTINGS, &s);
}

/* Two reports make a goal; what is above it goes when the heap grows. */
static int grows_above_goal(struct ctx *c)
{
	return with_holes(c) ?: only(c, GOHEAP_SCAVENGE_GROWTH) ?: do_cycle(c) ?: do_cycle(c) ?:
	       want(c, 1, 600);
}

static int grows_below_limit(struct ctx *c)
{
	return with_holes(c) ?: do_memory_limit(c) ?: want(c, 20, 27);
}

static int do_track(struct ctx *c)
{
	struct goheap_track t = { .size = sizeof(t) };

	return gh_ioctl(c->fd, GOHEAP_IOC_TRACK, &t);
}

static int do_track_stop(struct ctx *c)
{
	struct goheap_track t = { .size = sizeof(t), .flags = GOHEAP_TRACK_STOP };

	return gh_ioctl(c->fd, GOHEAP_IOC_TRACK, &t);
}

/* The first page was written since: whatever fails, it must come out at last. */
static int with_window(struct ctx *c)
{
	int err = with_spans(c) ?: do_track(c);

	if (!err)
		gh_fill(gh_ptr(&c->span[0]), gh_bytes(&c->span[0]), 0);
	return err;
}

static int wants_in_window(struct ctx *c)
{
	return with_mixed(c) ?: do_track(c) ?: want(c, 40, 2);
}

static int zapped_in_window(struct ctx *c)
{
	return with_window(c) ?: do_dontneed(c);
}

static int do_collect(struct ctx *c)
{
	static uint64_t bitmap[8 * MIB / 4096 / 64];
	struct goheap_dirty d = {
		.size = sizeof(d),
		.addr = (uintptr_t)c->base,
		.bytes = 8 * MIB,
		.bitmap = (uintptr_t)bitmap,
	};
	int err = gh_ioctl(c->fd, GOHEAP_IOC_COLLECT, &d);
	size_t i = (c->span[0].addr - (uintptr_t)c->base) / 4096;

	if (!err && !(bitmap[i / 64] >> i % 64 & 1)) {
		fprintf(stderr, "# a page that was written is not reported\n");
		return -1;
	}
	return err;
}

/* A page that the child shares is written: it is copied first. */
static int do_write_shared(struct ctx *c)
{
	int i, sig = 0;

	for (i = 0; !sig && i < c->count; i++) {
		char *p = gh_ptr(&c->span[i]), *end = p + gh_bytes(&c->span[i]), *at;

		for (at = p; !sig && at < end; at += 4096)
			sig = gh_touch(at, true);
		if (!sig)
			gh_fill(p, end - p, i);
	}
	return sig;
}

FIXTURE(inject)
{
	struct ctx c;
	const char *cannot;
};

FIXTURE_VARIANT(inject)
{
	const char *name;
	int (*prepare)(struct ctx *c);
	int (*call)(struct ctx *c);
	int succeeds;		/* what it returns with all the memory it wants */
	int errnos[3];		/* what it may return without */
	uint64_t features;	/* what it needs */
	bool forks;		/* every allocation failing would fail the test itself */
	bool in_child;		/* a forked child does it */
	bool scavenges;		/* free pages may go, even if it fails */
	bool in_parts;		/* faults: what came before the one that failed is done */
};

#define SHAPE(n, p, c, ...) FIXTURE_VARIANT_ADD(inject, n) { .name = #n, .prepare = p, .call = c, __VA_ARGS__ }
#define MAY(...)	.errnos = { __VA_ARGS__ }
#define NEEDS(f)	.features = GOHEAP_FEATURE_##f

SHAPE(open, nothing, do_open, MAY(ENOMEM, ENFILE));
SHAPE(open_another, opened, do_open_another, MAY(ENOMEM, ENFILE));
SHAPE(mmap, opened, do_mmap, MAY(ENOMEM));
SHAPE(mmap_all, opened, do_mmap_all, MAY(ENOMEM));
SHAPE(munmap, with_spans, do_munmap, MAY(ENOMEM));
SHAPE(close, unmapped, do_close);
SHAPE(info, with_spans, do_info);
SHAPE(stats, with_spans, do_stats);
SHAPE(fdinfo, with_spans, do_fdinfo, MAY(ENOMEM));
SHAPE(poll, with_spans, do_poll, MAY(ENOMEM));
SHAPE(first_span, wants_first, do_alloc, MAY(ENOMEM));
SHAPE(fresh_span, wants_span, do_alloc, MAY(ENOMEM));
SHAPE(fresh_batch, wants_batch, do_alloc, MAY(ENOMEM));
SHAPE(span_of_chunks, wants_chunks, do_alloc, MAY(ENOMEM));
SHAPE(batch_of_chunks, wants_grown, do_alloc, MAY(ENOMEM));
SHAPE(recycled_span, wants_hole, do_alloc);
SHAPE(recycled_batch, wants_holes, do_alloc, MAY(ENOMEM));
SHAPE(kept_batch, wants_kept, do_alloc, MAY(ENOMEM));
SHAPE(mixed_batch, wants_mixed, do_alloc, MAY(ENOMEM));
SHAPE(no_room, wants_too_much, do_alloc, .succeeds = ENOMEM);
SHAPE(longer_than_arena, wants_longer, do_alloc, .succeeds = EINVAL, MAY(ENOMEM));
SHAPE(untouched_array, wants_untouched, do_alloc_untouched, .succeeds = EINVAL,
      MAY(ENOMEM, EFAULT));
SHAPE(free_span, unwants_span, do_free);
SHAPE(free_batch, unwants_batch, do_free, MAY(ENOMEM));
SHAPE(free_twice, unwants_twice, do_free, .succeeds = EINVAL, MAY(ENOMEM));
SHAPE(release, with_holes, do_release);
SHAPE(release_keep, with_holes, do_release_keep);
SHAPE(release_kept, with_kept, do_release);
SHAPE(release_part, with_mixed, do_release_part);
SHAPE(fault, with_zapped, do_touch);
SHAPE(fault_in_read, with_zapped, do_read2, MAY(ENOMEM, EFAULT));
SHAPE(dontneed, with_spans, do_dontneed, MAY(ENOMEM, EAGAIN));
SHAPE(mprotect, with_spans, do_mprotect, MAY(ENOMEM));
SHAPE(mprotect_part, with_spans, do_mprotect_part, .succeeds = EINVAL, MAY(ENOMEM));
SHAPE(munmap_part, with_spans, do_munmap_part, .succeeds = EINVAL, MAY(ENOMEM));
SHAPE(mremap, with_spans, do_mremap, .succeeds = EINVAL, MAY(ENOMEM));
SHAPE(fork, with_spans, do_fork, MAY(ENOMEM, EAGAIN), .forks = true);
SHAPE(settings, with_mixed, do_settings, NEEDS(POLICY));
SHAPE(best_fit, with_mixed, do_best_fit, MAY(ENOMEM), NEEDS(POLICY));
SHAPE(best_fit_batch, wants_best_fit, do_alloc, MAY(ENOMEM), NEEDS(POLICY));
SHAPE(best_fit_grows, grows_best_fit, do_alloc, MAY(ENOMEM), NEEDS(POLICY));
SHAPE(best_fit_free, unwants_best_fit, do_free, NEEDS(POLICY));
SHAPE(memory_limit, with_holes, do_memory_limit, NEEDS(SCAVENGER));
SHAPE(cycle, with_holes, do_cycle, NEEDS(SCAVENGER));
SHAPE(grows_above_goal, grows_above_goal, do_alloc, MAY(ENOMEM), NEEDS(SCAVENGER),
      .scavenges = true);
SHAPE(grows_below_limit, grows_below_limit, do_alloc, MAY(ENOMEM), NEEDS(SCAVENGER),
      .scavenges = true);
SHAPE(track, with_spans, do_track, MAY(ENOMEM), NEEDS(TRACK));
SHAPE(track_again, with_window, do_track, MAY(ENOMEM), NEEDS(TRACK));
SHAPE(track_stop, with_window, do_track_stop, NEEDS(TRACK));
SHAPE(collect, with_window, do_collect, MAY(ENOMEM), NEEDS(TRACK));
SHAPE(collect_zapped, zapped_in_window, do_collect, MAY(ENOMEM), NEEDS(TRACK));
SHAPE(alloc_in_window, wants_in_window, do_alloc, MAY(ENOMEM), NEEDS(TRACK));
SHAPE(release_in_window, with_window, do_release, NEEDS(TRACK));
SHAPE(munmap_in_window, with_window, do_munmap, MAY(ENOMEM), NEEDS(TRACK));
SHAPE(fork_in_window, with_window, do_fork, MAY(ENOMEM, EAGAIN), NEEDS(FORK), .forks = true);
SHAPE(fork_of_holes, with_mixed, do_fork, MAY(ENOMEM, EAGAIN), NEEDS(FORK), .forks = true);
SHAPE(second_fork, with_child, do_fork, MAY(ENOMEM, EAGAIN), NEEDS(FORK), .forks = true);
/* No memory for the copy: it is tried again, or whoever touched it gets SIGBUS. */
SHAPE(write_shared, with_child, do_write_shared, MAY(SIGBUS), NEEDS(FORK), .in_parts = true);
SHAPE(child_writes, with_spans, do_write_shared, MAY(SIGBUS), NEEDS(FORK), .in_child = true,
      .in_parts = true);
SHAPE(child_allocates, wants_mixed, do_alloc, MAY(ENOMEM), NEEDS(FORK), .in_child = true);
SHAPE(child_frees, unwants_batch, do_free, MAY(ENOMEM), NEEDS(FORK), .in_child = true);
SHAPE(child_releases, with_mixed, do_release, NEEDS(FORK), .in_child = true);
SHAPE(child_forks, with_spans, do_fork, MAY(ENOMEM, EAGAIN), NEEDS(FORK), .in_child = true,
      .forks = true);
SHAPE(child_unmaps, with_spans, do_munmap, MAY(ENOMEM), NEEDS(FORK), .in_child = true);

FIXTURE_SETUP(inject)
{
	const char *these = getenv("GOHEAP_INJECT");

	self->cannot = NULL;
	if (these && !strstr(variant->name, these)) {
		self->cannot = "GOHEAP_INJECT names others";
		return;
	}
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	make_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0 || make_fd < 0)
		self->cannot = "this kernel does not inject faults";
	/* What may sleep is what goheap asks for; no trace of each in the log. */
	else if (set_faults("ignore-gfp-wait", "N") || set_faults("verbose", "0") ||
		 set_fault("fail_page_alloc", "min-order", "0") ||
		 set_faults("task-filter", "1") || set_faults("probability", "0"))
		self->cannot = FAULTS "failslab or fail_page_alloc cannot be set";
	else if ((features() & variant->features) != variant->features)
		self->cannot = "the module does not offer it";
}

FIXTURE_TEARDOWN(inject)
{
	if (nth_fd >= 0)
		put(nth_fd, "0");
	if (make_fd >= 0)
		put(make_fd, "0");
	set_faults("probability", "0");
}

static void end_child(struct ctx *c)
{
	if (c->child <= 0)
		return;
	close(c->pipe[1]);
	gh_wait(c->child);
	c->child = 0;
}

static void finish(struct ctx *c)
{
	end_child(c);
	if (c->base)
		munmap(c->base, c->bytes);
	if (c->fd >= 0)
		close(c->fd);
	if (c->array)
		munmap(c->array, 4096);
}

enum how { NTH, EVERY };

/* @n of NTH: which one fails.  @n of EVERY: one in @n does, 200 at the most. */
static void arm(enum how how, unsigned long n)
{
	if (how == NTH)
		put_number(nth_fd, n);
	else
		put(make_fd, "1");
}

/* Did something fail, as far as that can be known? */
static bool disarm(enum how how)
{
	bool failed = true;

	if (how == NTH) {
		failed = !nth_left();
		put(nth_fd, "0");
	} else {
		put(make_fd, "0");
	}
	return failed;
}

/* The opener has an arena as long as the file is open, a child until it unmaps it. */
static bool has_arena(const struct ctx *c, const FIXTURE_VARIANT(inject) *v)
{
	return c->base || !v->in_child;
}

/*
 * One try: NULL, or what is wrong.  *@failed: something was injected (always
 * said to be so for EVERY).
 */
static const char *attempt(struct ctx *c, const FIXTURE_VARIANT(inject) *v, enum how how,
			   unsigned long n, bool *failed)
{
	struct goheap_arena_stats after;
	unsigned int i;
	bool known;
	int err;

	if (c->fd >= 0)
		c->before = gh_stats(c->fd);
	c->pages = parameter("pages");

	arm(how, n);
	err = v->call(c);
	*failed = disarm(how);

	known = err == v->succeeds;
	for (i = 0; i < ARRAY_SIZE(v->errnos); i++)
		known |= v->errnos[i] && err == v->errnos[i] && *failed;
	if (!known) {
		fprintf(stderr, "# %s %lu: returned %d, %s\n", how == NTH ? "allocation" : "every",
			n, err, strerror(err));
		return "what it returned";
	}
	if (c->fd >= 0 && has_arena(c, v)) {
		after = gh_stats(c->fd);
		if (c->base && !gh_consistent(&after))
			return "statistics that add up";
		if (err && v->scavenges) {
			after.retained_bytes = c->before.retained_bytes;
			after.released_bytes = c->before.released_bytes;
			after.freed_bytes = c->before.freed_bytes;
			after.kept_bytes = c->before.kept_bytes;
			after.scav_growth_bytes = c->before.scav_growth_bytes;
			after.scav_limit_bytes = c->before.scav_limit_bytes;
		}
		if (err && !v->in_parts && !gh_unchanged(&c->before, &after))
			return "nothing changed";
		if (err && !v->scavenges && !v->in_parts && !v->in_child && parameter("pages") != c->pages)
			return "no page taken or given";
	}
	if (!holds(c))
		return "what the spans hold";
	if (err && err != v->succeeds && v->call(c) != v->succeeds)
		return "it succeeds the next time";
	if (c->fd >= 0 && has_arena(c, v)) {
		after = gh_stats(c->fd);
		if (c->base && !gh_consistent(&after))
			return "statistics that add up, at last";
	}
	return holds(c) ? NULL : "what the spans hold, at last";
}

/* The same in a child, which has a heap of its own: the parent's stays as it is. */
static const char *attempt_in_child(struct ctx *c, const FIXTURE_VARIANT(inject) *v,
				    enum how how, unsigned long n, bool *failed)
{
	struct goheap_arena_stats before = gh_stats(c->fd), after;
	unsigned long pages;
	int status;
	pid_t pid;

	pages = parameter("pages");
	pid = fork();
	if (pid < 0)
		return "fork";
	if (!pid) {
		const char *wrong;

		close(nth_fd);
		close(make_fd);
		nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
		make_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
		wrong = attempt(c, v, how, n, failed);
		if (wrong)
			fprintf(stderr, "# in the child: %s\n", wrong);
		_exit(wrong ? 1 : *failed ? 0 : 2);
	}
	status = gh_wait(pid);
	*failed = status != 2;
	if (status != 0 && status != 2)
		return "the child";
	after = gh_stats(c->fd);
	after.faults = before.faults;
	if (!gh_unchanged(&before, &after))
		return "the parent's heap";
	if (!parameter_becomes("pages", pages))
		return "the child's pages given back";
	return holds(c) ? NULL : "what the parent's spans hold";
}

static const char *one_round(struct ctx *c, const FIXTURE_VARIANT(inject) *v, enum how how,
			     unsigned long n, bool *failed)
{
	const char *wrong;
	int err;

	*c = (struct ctx){ .fd = -1 };
	*failed = false;
	err = v->prepare(c);
	if (err) {
		fprintf(stderr, "# before: %s\n", strerror(err));
		finish(c);
		return "what it begins with";
	}
	wrong = (v->in_child ? attempt_in_child : attempt)(c, v, how, n, failed);
	finish(c);
	if (wrong)
		return wrong;
	if (!parameter_becomes("pages", 0))
		return "all pages given back";
	return NULL;
}

TEST_F_TIMEOUT(inject, one_fails, 900)
{
	unsigned long n, rounds = 0;
	bool failed = true;

	if (self->cannot)
		SKIP(return, "%s", self->cannot);
	for (n = 1; failed && n < ROUNDS_MAX; n++, rounds++) {
		const char *wrong = one_round(&self->c, variant, NTH, n, &failed);

		ASSERT_EQ(NULL, wrong)
			TH_LOG("allocation %lu fails: %s", n, wrong);
	}
	EXPECT_FALSE(failed)
		TH_LOG("no end after %lu allocations", rounds);
	printf("# %lu allocations\n", rounds - 1);
	fflush(stdout);
	EXPECT_TRUE(parameter_becomes("arenas", 0));
}

TEST_F_TIMEOUT(inject, several_fail, 900)
{
	static const unsigned long every[] = { 1, 2, 3, 5, 8, 13, 29, 71 };
	unsigned int i, round;
	bool failed;

	if (self->cannot)
		SKIP(return, "%s", self->cannot);
	for (i = 0; i < ARRAY_SIZE(every); i++) {
		char text[24];

		if (variant->forks && every[i] == 1)
			continue;
		snprintf(text, sizeof(text), "%lu", every[i]);
		ASSERT_EQ(0, set_faults("interval", text));
		for (round = 0; round < 2; round++) {
			const char *wrong;

			ASSERT_EQ(0, set_faults("times", "200"));
			ASSERT_EQ(0, set_faults("probability", "100"));
			wrong = one_round(&self->c, variant, EVERY, every[i], &failed);
			ASSERT_EQ(NULL, wrong)
				TH_LOG("every %lu. fails: %s", every[i], wrong);
		}
	}
	EXPECT_TRUE(parameter_becomes("arenas", 0));
}

TEST_HARNESS_MAIN
