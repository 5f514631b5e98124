// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: an arena that costs too much to have thousands of, figures that do not
 * add up over all of them, and memory that does not come back when they go.
 *
 * 2,000 processes, each with a heap of 1 TiB of addresses and a few spans in it.
 * Needs a machine of 2 GiB: selftests/vm/run --mem 2G -- selftests/out/many
 */
#include "goheap_test.h"

#include <poll.h>
#include <sys/resource.h>

#define PROCESSES	2000
/* ... at most, one after the other, until nothing seems to be lost. */
#define GENERATIONS	5
#define ARENA		(1ULL << 40)
#define PARAMETERS	"/sys/module/goheap/parameters/"

static uint64_t file_number(const char *path, const char *key)
{
	char line[200], *p;
	uint64_t n = 0;
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f)) {
		p = line;
		if (strncmp(line, key, strlen(key)))
			continue;
		p += strlen(key);
		n = strtoull(p, NULL, 10);
		break;
	}
	if (f)
		fclose(f);
	return n;
}

static uint64_t meminfo(const char *key)
{
	return file_number("/proc/meminfo", key) << 10;
}

static uint64_t parameter(const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return file_number(path, "");
}

static bool becomes(const char *name, uint64_t n)
{
	int tries;

	for (tries = 0; tries < 500 && parameter(name) != n; tries++)
		usleep(20000);
	return parameter(name) == n;
}

/* What one of them has told its parent. */
struct word {
	int err;
	uint64_t inuse, retained, metadata;
};

static uint64_t seed_of(int number)
{
	return (uint64_t)number * 7919;
}

static struct word live(int number, struct goheap_span *span, int *fd)
{
	struct goheap_arena_stats st;
	struct word w = { .err = EPROTO };

	*fd = gh_open();
	if (*fd < 0 || !gh_map(*fd, ARENA)) {
		w.err = errno;
		return w;
	}
	/* 1 to 4 pages, 3 pages, and one that is free again. */
	w.err = gh_alloc(*fd, 1 + number % 4, &span[0]) ?: gh_alloc(*fd, 3, &span[1]) ?:
		gh_alloc(*fd, 1, &span[2]) ?: gh_free(*fd, &span[2]) ?: gh_try_stats(*fd, &st);
	if (w.err)
		return w;
	gh_fill(gh_ptr(&span[0]), 64, seed_of(number));
	gh_fill(gh_ptr(&span[1]), 64, seed_of(number) + 1);
	w.inuse = st.inuse_bytes;
	w.retained = st.retained_bytes;
	w.metadata = st.metadata_bytes;
	return w;
}

/* Tells, waits for the others, and looks whether its memory is still its own. */
static int child(int number, int tell, int wait)
{
	struct goheap_span span[3];
	struct word w;
	char byte;
	int fd;

	w = live(number, span, &fd);
	if (write(tell, &w, sizeof(w)) != sizeof(w) || w.err)
		return 1;
	if (read(wait, &byte, 1) != 0)
		return 2;
	if (!gh_holds(gh_ptr(&span[0]), 64, seed_of(number)) ||
	    !gh_holds(gh_ptr(&span[1]), 64, seed_of(number) + 1))
		return 3;
	/* One half cleans up, the other just goes. */
	if (number % 2) {
		span[0].flags = 0;
		span[1].flags = 0;
		if (gh_free_batch(fd, span, 2))
			return 4;
		close(fd);
	}
	return 0;
}

static struct word sum;

/* All processes, from beginning to end: how many ended as they should. */
static int generation(struct __test_metadata *_metadata, int count, bool killed)
{
	static pid_t pid[PROCESSES];
	int tell[2], wait[2], i, n, good = 0;

	sum = (struct word){ 0 };
	ASSERT_EQ(0, pipe2(tell, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(wait, O_CLOEXEC));
	for (n = 0; n < count; n++) {
		pid[n] = fork();
		if (pid[n] < 0)
			break;
		if (!pid[n]) {
			close(wait[1]);
			_exit(child(n, tell[1], wait[0]));
		}
	}
	EXPECT_EQ(count, n)
		TH_LOG("fork: %s", strerror(errno));
	for (i = 0; i < n; i++) {
		struct pollfd p = { tell[0], POLLIN, 0 };
		struct word w;

		/* A word is shorter than PIPE_BUF: it comes as a whole. */
		if (poll(&p, 1, 100000) != 1 || read(tell[0], &w, sizeof(w)) != sizeof(w))
			break;
		if (w.err && !sum.err)
			sum.err = w.err;
		sum.inuse += w.inuse;
		sum.retained += w.retained;
		sum.metadata += w.metadata;
	}
	EXPECT_EQ(n, i)
		TH_LOG("%d of %d have a heap", i, n);
	EXPECT_EQ(0, sum.err)
		TH_LOG("%s", strerror(sum.err));

	/* All of them are there. */
	EXPECT_EQ(count, parameter("arenas"));
	EXPECT_EQ((sum.inuse + sum.retained) / sysconf(_SC_PAGESIZE), parameter("pages"));

	for (i = 0; killed && i < n; i++)
		kill(pid[i], SIGKILL);
	close(wait[1]);
	close(wait[0]);
	for (i = 0; i < n; i++)
		good += gh_wait(pid[i]) == (killed ? 128 + SIGKILL : 0);
	close(tell[0]);
	close(tell[1]);
	return good;
}

FIXTURE(many)
{
	const char *cannot;
};

FIXTURE_SETUP(many)
{
	struct rlimit all = { 65536, 65536 };

	self->cannot = NULL;
	setrlimit(RLIMIT_NPROC, &all);
	if (access(PARAMETERS "arenas", R_OK))
		self->cannot = "goheap is not a module here";
	else if (parameter("arenas"))
		self->cannot = "somebody else has an arena";
	else if (meminfo("MemTotal:") < 1800 * MIB)
		self->cannot = "needs a machine of 2 GiB (selftests/vm/run --mem 2G)";
}

FIXTURE_TEARDOWN(many)
{
	(void)self;
}

TEST_F_TIMEOUT(many, processes, 600)
{
	uint64_t available, slab, expected = 0;
	int64_t lost = 0;
	int i, good;

	if (self->cannot)
		SKIP(return, "%s", self->cannot);
	/* The first generation fills the kernel's caches, which are not the arenas'. */
	good = generation(_metadata, PROCESSES, false);
	EXPECT_EQ(PROCESSES, good);
	EXPECT_TRUE(becomes("arenas", 0));
	EXPECT_TRUE(becomes("pages", 0));
	for (i = 0; i < PROCESSES; i++)
		expected += (1 + i % 4 + 3) * GH_PAGE;
	EXPECT_EQ(expected, sum.inuse);
	EXPECT_EQ(PROCESSES * GH_PAGE, sum.retained);
	printf("# an arena of 1 TiB with a few spans: %llu bytes of metadata\n",
	       (unsigned long long)sum.metadata / PROCESSES);

	sleep(1);
	available = meminfo("MemAvailable:");
	slab = meminfo("SUnreclaim:");
	/*
	 * A page for each arena that is lost would be 8 MiB each time, a descriptor as
	 * much.  What is free but on some processor's list goes up and down by more,
	 * but does not add up.
	 */
	for (i = 1; i <= GENERATIONS; i++) {
		EXPECT_EQ(PROCESSES, generation(_metadata, PROCESSES, true));
		EXPECT_TRUE(becomes("arenas", 0));
		EXPECT_TRUE(becomes("pages", 0));
		sleep(1);
		lost = (int64_t)(available - meminfo("MemAvailable:")) / i;
		if (lost < (int64_t)(6 * MIB))
			break;
	}
	EXPECT_LT(lost, (int64_t)(6 * MIB));
	EXPECT_LT(meminfo("SUnreclaim:"), slab + 6 * MIB);
	printf("# available memory: %lld kB less a time, unreclaimable slab %lld kB more\n",
	       (long long)lost / 1024, (long long)(meminfo("SUnreclaim:") - slab) / 1024);
	fflush(stdout);
}

TEST_HARNESS_MAIN
