// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: an arena that is missing in /sys/kernel/debug/goheap, is there twice or
 * too long, or has other figures than its statistics; a reader who trips over
 * arenas that come and go; files that anyone may read.
 */
#include <linux/magic.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

#include "arena.h"
#include "fdinfo.h"

#define DIR	"/sys/kernel/debug/goheap/"
#define ARENAS	DIR "arenas"
#define TOTAL	DIR "total"

static bool no_debugfs(void)
{
	struct statfs fs;

	return geteuid() || statfs("/sys/kernel/debug", &fs) || fs.f_type != DEBUGFS_MAGIC;
}

enum { MAX_COLUMNS = 32 };

/* A table as text, cut into words by the functions below. */
struct table {
	char *text;
	size_t columns;
	char *name[MAX_COLUMNS];
	size_t rows;
	char *(*row)[MAX_COLUMNS];
};

/* Everything in a file, @step bytes a read(). */
static char *slurp(const char *path, size_t step)
{
	size_t room = 1 << 20, n = 0;
	int fd = open(path, O_RDONLY);
	char *text = malloc(room);
	ssize_t got;

	if (fd < 0 || !text) {
		free(text);
		return NULL;
	}
	while ((got = read(fd, text + n, step)) > 0) {
		n += got;
		if (n + step >= room)
			text = realloc(text, room *= 2);
	}
	close(fd);
	text[n] = 0;
	return text;
}

static size_t cut(char *line, char **word)
{
	size_t n = 0;
	char *save;

	for (line = strtok_r(line, " ", &save); line && n < MAX_COLUMNS;
	     line = strtok_r(NULL, " ", &save))
		word[n++] = line;
	return n;
}

static bool table_read(struct table *t, size_t step)
{
	char *line, *save;
	size_t n = 0;
	bool ok = true;

	*t = (struct table){ .text = slurp(ARENAS, step) };
	if (!t->text)
		return false;
	for (line = t->text; *line; line++)
		n += *line == '\n';
	t->row = calloc(n + 1, sizeof(*t->row));
	line = strtok_r(t->text, "\n", &save);
	t->columns = cut(line, t->name);
	while ((line = strtok_r(NULL, "\n", &save))) {
		n = cut(line, t->row[t->rows++]);
		if (n != t->columns) {
			fprintf(stderr, "# %zu words below %zu heads\n", n, t->columns);
			ok = false;
		}
	}
	return ok;
}

static void table_free(struct table *t)
{
	free(t->row);
	free(t->text);
}

static const char *at(const struct table *t, size_t row, const char *name)
{
	size_t c;

	for (c = 0; c < t->columns; c++)
		if (!strcmp(t->name[c], name))
			return t->row[row][c];
	fprintf(stderr, "# no column %s\n", name);
	abort();
}

static uint64_t number_at(const struct table *t, size_t row, const char *name)
{
	return strtoull(at(t, row, name), NULL, 10);
}

/* The row of an arena; SIZE_MAX for none, SIZE_MAX - 1 for more than one. */
static size_t row_of(const struct table *t, uint64_t id)
{
	size_t r, found = SIZE_MAX;

	for (r = 0; r < t->rows; r++)
		if (number_at(t, r, "id") == id)
			found = found == SIZE_MAX ? r : SIZE_MAX - 1;
	return found;
}

/* Does an arena's row say what its statistics say? */
static bool row_agrees(int fd)
{
	static const struct {
		const char *name;
		size_t offset;
	} kb[] = {
#define COLUMN(name, f) { name, offsetof(struct goheap_arena_stats, f) }
		COLUMN("grown", grown_bytes), COLUMN("inuse", inuse_bytes),
		COLUMN("retained", retained_bytes), COLUMN("kept", kept_bytes),
		COLUMN("released", released_bytes), COLUMN("metadata", metadata_bytes),
		COLUMN("shared", shared_bytes), COLUMN("copied", copied_bytes),
		COLUMN("goal", retain_goal_bytes),
	};
	struct goheap_arena_stats st = gh_stats(fd);
	struct table t;
	bool ok = false;
	size_t r, i;

	if (!table_read(&t, 4096))
		goto out;
	r = row_of(&t, fdinfo_of(fd, "GoheapId"));
	if (r >= t.rows) {
		fprintf(stderr, "# the arena has not one line\n");
		goto out;
	}
	ok = number_at(&t, r, "pid") == (uint64_t)getpid() &&
	     number_at(&t, r, "cycles") == st.cycles &&
	     number_at(&t, r, "pressure") == st.pressure &&
	     number_at(&t, r, "relatives") == fdinfo_of(fd, "GoheapRelatives") &&
	     number_at(&t, r, "mapped") * 1024 == fdinfo_of(fd, "GoheapArena");
	for (i = 0; i < ARRAY_SIZE(kb); i++) {
		uint64_t want = *(uint64_t *)((char *)&st + kb[i].offset) / 1024;
		const char *is = at(&t, r, kb[i].name);

		if (want == ~0ULL / 1024 ? !strcmp(is, "-") : strtoull(is, NULL, 10) == want)
			continue;
		fprintf(stderr, "# %s is %s, not %llu\n", kb[i].name, is,
			(unsigned long long)want);
		ok = false;
	}
out:
	table_free(&t);
	return ok;
}

static const char *state_of(int fd, char *state)
{
	struct table t;
	size_t r;

	if (table_read(&t, 4096)) {
		r = row_of(&t, fdinfo_of(fd, "GoheapId"));
		strcpy(state, r < t.rows ? at(&t, r, "state") : "none");
	}
	table_free(&t);
	return state;
}

TEST_F(arena, a_line_follows_its_arena)
{
	struct goheap_span a, b;
	uint64_t bytes = 30 * GH_PAGE, id = fdinfo_of(self->fd, "GoheapId");
	struct table t;
	char state[16];

	if (no_debugfs())
		SKIP(return, "not root, or no debugfs");
	EXPECT_TRUE(row_agrees(self->fd));
	ASSERT_EQ(0, gh_alloc(self->fd, 700, &a));
	EXPECT_TRUE(row_agrees(self->fd));
	ASSERT_EQ(0, gh_alloc(self->fd, 50, &b));
	ASSERT_EQ(0, gh_free(self->fd, &a));
	ASSERT_EQ(0, gh_release(self->fd, 0, &bytes));
	bytes = 20 * GH_PAGE;
	ASSERT_EQ(0, gh_release(self->fd, GOHEAP_RELEASE_KEEP, &bytes));
	EXPECT_TRUE(row_agrees(self->fd));
	EXPECT_STREQ("mapped", state_of(self->fd, state));
	ASSERT_EQ(0, munmap(self->base, self->bytes));
	self->base = NULL;
	EXPECT_TRUE(row_agrees(self->fd));
	EXPECT_STREQ("closed", state_of(self->fd, state));
	close(self->fd);
	self->fd = gh_open();
	EXPECT_STREQ("opened", state_of(self->fd, state));
	ASSERT_TRUE(table_read(&t, 4096));
	EXPECT_EQ(SIZE_MAX, row_of(&t, id));
	table_free(&t);
}

/* Numbers are not used again, and rows are in their order. */
TEST_F(arena, rows_are_in_order)
{
	uint64_t last = fdinfo_of(self->fd, "GoheapId");
	struct table t;
	int fd[20], i;
	size_t r;

	if (no_debugfs())
		SKIP(return, "not root, or no debugfs");
	for (i = 0; i < 20; i++) {
		fd[i] = gh_open();
		ASSERT_LE(0, fd[i]);
		EXPECT_LT(last, fdinfo_of(fd[i], "GoheapId"));
		last = fdinfo_of(fd[i], "GoheapId");
		if (i & 1)
			close(fd[i]);
	}
	/* Also where a line ends in the middle of a read. */
	ASSERT_TRUE(table_read(&t, 7));
	EXPECT_LE(11, t.rows);
	for (r = 1; r < t.rows; r++)
		EXPECT_LT(number_at(&t, r - 1, "id"), number_at(&t, r, "id"));
	for (i = 0; i < 20; i += 2) {
		EXPECT_GT(t.rows, row_of(&t, fdinfo_of(fd[i], "GoheapId")));
		close(fd[i]);
	}
	table_free(&t);
}

TEST_F(arena, totals_are_the_sums)
{
	static const struct {
		const char *key, *column;
	} sums[] = {
		{ "Grown", "grown" }, { "InUse", "inuse" }, { "Retained", "retained" },
		{ "Kept", "kept" }, { "Released", "released" }, { "Shared", "shared" },
		{ "Copied", "copied" },
	};
	uint64_t faults = line_of(TOTAL, "Faults"), allocs = line_of(TOTAL, "SpanAllocs");
	struct goheap_span a, b;
	int fd = gh_open();
	struct table t;
	size_t i, r;

	if (no_debugfs())
		SKIP(return, "not root, or no debugfs");
	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, gh_map(fd, 64 * MIB));
	ASSERT_EQ(0, gh_alloc(self->fd, 600, &a));
	ASSERT_EQ(0, gh_alloc(fd, 300, &b));
	ASSERT_EQ(0, gh_free(fd, &b));
	ASSERT_EQ(0, madvise(gh_ptr(&a), 4096, MADV_DONTNEED));
	ASSERT_EQ(0, gh_touch(gh_ptr(&a), true));

	ASSERT_TRUE(table_read(&t, 4096));
	EXPECT_EQ(t.rows, line_of(TOTAL, "Arenas"));
	for (i = 0; i < ARRAY_SIZE(sums); i++) {
		uint64_t sum = 0;

		for (r = 0; r < t.rows; r++)
			sum += number_at(&t, r, sums[i].column);
		EXPECT_EQ(sum * 1024, line_of(TOTAL, sums[i].key))
			TH_LOG("%s", sums[i].key);
	}
	table_free(&t);
	EXPECT_LE(600 * GH_PAGE, line_of(TOTAL, "InUse"));
	EXPECT_LE(300 * GH_PAGE, line_of(TOTAL, "Retained"));
	EXPECT_EQ(line_of(TOTAL, "InUse") + line_of(TOTAL, "Retained"), line_of(TOTAL, "Memory"));
	EXPECT_EQ(faults + 1, line_of(TOTAL, "Faults"));
	EXPECT_EQ(allocs + 2, line_of(TOTAL, "SpanAllocs"));
	close(fd);
}

/* What is set is shown, and what is not is a dash. */
TEST_F(arena, settings)
{
	struct goheap_settings set = {
		.set = GOHEAP_SET_POLICY | GOHEAP_SET_MEMORY_LIMIT | GOHEAP_SET_HARD_LIMIT,
		.policy = GOHEAP_POLICY_BEST_FIT,
		.memory_limit = 40 * MIB,
		.hard_limit = 50 * MIB,
	};
	uint64_t id = fdinfo_of(self->fd, "GoheapId");
	struct goheap_cycle cy;
	struct table t;

	if (no_debugfs())
		SKIP(return, "not root, or no debugfs");
	ASSERT_TRUE(table_read(&t, 4096));
	EXPECT_STREQ("first-fit", at(&t, row_of(&t, id), "policy"));
	EXPECT_STREQ("-", at(&t, row_of(&t, id), "goal"));
	EXPECT_STREQ("-", at(&t, row_of(&t, id), "limit"));
	EXPECT_STREQ("-", at(&t, row_of(&t, id), "hard"));
	table_free(&t);

	ASSERT_EQ(0, gh_settings(self->fd, &set));
	ASSERT_EQ(0, gh_cycle(self->fd, 10 * MIB, &cy));
	ASSERT_EQ(0, gh_cycle(self->fd, 20 * MIB, &cy));
	EXPECT_TRUE(row_agrees(self->fd));
	ASSERT_TRUE(table_read(&t, 4096));
	EXPECT_STREQ("best-fit", at(&t, row_of(&t, id), "policy"));
	EXPECT_EQ(cy.retain_goal / 1024, number_at(&t, row_of(&t, id), "goal"));
	EXPECT_EQ(40960, number_at(&t, row_of(&t, id), "limit"));
	EXPECT_EQ(51200, number_at(&t, row_of(&t, id), "hard"));
	EXPECT_EQ(2, number_at(&t, row_of(&t, id), "cycles"));
	table_free(&t);
}

/* A forked child's arena is one more line, of the same heap. */
TEST_F(arena, relatives)
{
	uint64_t id = fdinfo_of(self->fd, "GoheapId"), found = 0;
	int tell[2], told[2];
	struct goheap_span s;
	struct table t;
	pid_t child;
	size_t r;
	char c;

	if (no_debugfs())
		SKIP(return, "not root, or no debugfs");
	ASSERT_EQ(0, gh_alloc(self->fd, 50, &s));
	memset(gh_ptr(&s), 1, gh_bytes(&s));
	ASSERT_EQ(0, pipe(tell));
	ASSERT_EQ(0, pipe(told));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		gh_ptr(&s)[0] = 2;
		_exit(write(told[1], "", 1) != 1 || read(tell[0], &c, 1) != 1);
	}
	ASSERT_EQ(1, read(told[0], &c, 1));
	ASSERT_TRUE(table_read(&t, 4096));
	for (r = 0; r < t.rows; r++) {
		if (number_at(&t, r, "pid") != (uint64_t)child)
			continue;
		found++;
		EXPECT_LT(id, number_at(&t, r, "id"));
		EXPECT_EQ(id, number_at(&t, r, "heap"));
		EXPECT_EQ(1, number_at(&t, r, "relatives"));
		EXPECT_EQ(400, number_at(&t, r, "inuse"));
		EXPECT_EQ(4, number_at(&t, r, "copied"));
		EXPECT_EQ(396, number_at(&t, r, "shared"));
	}
	EXPECT_EQ(1, found);
	EXPECT_EQ(id, number_at(&t, row_of(&t, id), "heap"));
	EXPECT_EQ(1, number_at(&t, row_of(&t, id), "relatives"));
	table_free(&t);
	EXPECT_TRUE(row_agrees(self->fd));
	/* Memory counts once, what is in use twice. */
	EXPECT_EQ(800 * 1024, line_of(TOTAL, "InUse"));
	EXPECT_EQ(404 * 1024, line_of(TOTAL, "Memory"));
	EXPECT_EQ(1, write(tell[1], "", 1));
	EXPECT_EQ(0, gh_wait(child));
	ASSERT_TRUE(table_read(&t, 4096));
	EXPECT_EQ(0, number_at(&t, row_of(&t, id), "relatives"));
	table_free(&t);
}

/* A name with a blank and a new line in it stays one word. */
TEST_F(arena, names_do_not_break_the_table)
{
	struct table t;
	size_t r;

	if (no_debugfs())
		SKIP(return, "not root, or no debugfs");
	ASSERT_EQ(0, prctl(PR_SET_NAME, "a b\nc\\"));
	ASSERT_TRUE(table_read(&t, 4096));
	r = row_of(&t, fdinfo_of(self->fd, "GoheapId"));
	ASSERT_GT(t.rows, r);
	EXPECT_STREQ("a\\040b\\012c\\134", at(&t, r, "comm"));
	table_free(&t);
}

TEST(for_root_only)
{
	pid_t pid;

	if (no_debugfs())
		SKIP(return, "not root, or no debugfs");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (setuid(65534))
			_exit(9);
		_exit(open(ARENAS, O_RDONLY) >= 0 || open(TOTAL, O_RDONLY) >= 0);
	}
	EXPECT_EQ(0, gh_wait(pid));
}

static volatile bool stop;

/* Opens and closes arenas, and without an argument uses them, until told to stop. */
static void *come_and_go(void *arg)
{
	struct goheap_span s;
	int fd;

	while (!stop) {
		fd = gh_open();
		if (fd >= 0 && !arg) {
			char *p = gh_map(fd, 8 * MIB);

			if (p) {
				gh_alloc(fd, 3, &s);
				munmap(p, 8 * MIB);
			}
		}
		close(fd);
	}
	return NULL;
}

/* What is there all the time is seen once in each of many looks. */
TEST_F(arena, read_while_arenas_come_and_go)
{
	static const size_t steps[] = { 4096, 97, 1000 };
	uint64_t id = fdinfo_of(self->fd, "GoheapId");
	pthread_t thread[4];
	struct table t;
	size_t r;
	int i;

	if (no_debugfs())
		SKIP(return, "not root, or no debugfs");
	stop = false;
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, come_and_go,
					    i & 1 ? self : NULL));
	for (i = 0; i < 300; i++) {
		ASSERT_TRUE(table_read(&t, steps[i % 3]));
		EXPECT_GT(t.rows, row_of(&t, id));
		for (r = 1; r < t.rows; r++)
			EXPECT_LT(number_at(&t, r - 1, "id"), number_at(&t, r, "id"));
		table_free(&t);
		EXPECT_LE(1, line_of(TOTAL, "Arenas"));
	}
	stop = true;
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(1, line_of(TOTAL, "Arenas"));
}

TEST_HARNESS_MAIN
