// SPDX-License-Identifier: GPL-2.0
/*
 * Catches: many arenas at once that share what each should have for itself, or
 * of which something is left when they have gone.
 */
#include "cgroup.h"

#include <sys/resource.h>

#define ARENAS	500
#define PARAMETERS "/sys/module/goheap/parameters"

static uint64_t parameter(const char *name)
{
	char text[64];

	if (cg_read_file(PARAMETERS, name, text, sizeof(text)))
		return ~0ULL;
	return strtoull(text, NULL, 10);
}

/* Nobody else uses the device while the tests run. */
static bool all_gone(void)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (!parameter("arenas") && !parameter("pages"))
			return true;
		usleep(20000);
	}
	return false;
}

TEST(in_one_process)
{
	static struct {
		int fd;
		char *base;
		struct goheap_span span;
	} a[ARENAS];
	struct rlimit lim = { ARENAS + 100, ARENAS + 100 };
	struct rlimit was;
	int i;

	getrlimit(RLIMIT_NOFILE, &was);
	if (was.rlim_cur < lim.rlim_cur)
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &lim));
	for (i = 0; i < ARENAS; i++) {
		a[i].fd = gh_open();
		ASSERT_LE(0, a[i].fd);
		a[i].base = gh_map(a[i].fd, 1024 * MIB);
		ASSERT_NE(NULL, a[i].base);
		ASSERT_EQ(0, gh_alloc(a[i].fd, 1 + i % 5, &a[i].span));
		gh_fill(gh_ptr(&a[i].span), gh_bytes(&a[i].span), i);
	}
	for (i = 0; i < ARENAS; i++) {
		struct goheap_arena_stats st = gh_stats(a[i].fd);

		ASSERT_EQ((1 + i % 5) * GH_PAGE, st.inuse_bytes);
		ASSERT_EQ(1, st.spans);
		ASSERT_TRUE(gh_holds(gh_ptr(&a[i].span), gh_bytes(&a[i].span), i));
		/* Not another's to free. */
		ASSERT_EQ(EINVAL, gh_free(a[i].fd, &a[(i + 1) % ARENAS].span));
	}
	/* Every second one goes; the others stay as they were. */
	for (i = 0; i < ARENAS; i += 2) {
		ASSERT_EQ(0, munmap(a[i].base, 1024 * MIB));
		ASSERT_EQ(0, close(a[i].fd));
	}
	for (i = 1; i < ARENAS; i += 2) {
		ASSERT_TRUE(gh_holds(gh_ptr(&a[i].span), gh_bytes(&a[i].span), i));
		ASSERT_EQ(0, gh_free(a[i].fd, &a[i].span));
		ASSERT_EQ(0, munmap(a[i].base, 1024 * MIB));
		ASSERT_EQ(0, close(a[i].fd));
	}
	if (parameter("arenas") != ~0ULL)
		EXPECT_TRUE(all_gone());
}

TEST(in_many_processes)
{
	enum { PROCESSES = 50, EACH = ARENAS / PROCESSES };
	int ready[2], go[2], i, k;
	pid_t pid[PROCESSES];
	char c = 0;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	for (i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i]) {
			struct goheap_span s[EACH];

			close(go[1]);
			for (k = 0; k < EACH; k++) {
				int fd = gh_open();

				if (fd < 0 || !gh_map(fd, 1024 * MIB) || gh_alloc(fd, 4, &s[k]))
					_exit(1);
				if (!gh_is_zero(gh_ptr(&s[k]), gh_bytes(&s[k])))
					_exit(2);
				gh_fill(gh_ptr(&s[k]), gh_bytes(&s[k]), i * EACH + k);
			}
			/* All at once: wait until the last one is here. */
			if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1))
				_exit(3);
			for (k = 0; k < EACH; k++)
				if (!gh_holds(gh_ptr(&s[k]), gh_bytes(&s[k]), i * EACH + k))
					_exit(4);
			_exit(0);
		}
	}
	close(ready[1]);
	for (i = 0; i < PROCESSES; i++)
		ASSERT_EQ(1, read(ready[0], &c, 1));
	if (parameter("arenas") != ~0ULL)
		EXPECT_EQ(ARENAS, parameter("arenas"));
	close(go[1]);
	for (i = 0; i < PROCESSES; i++)
		EXPECT_EQ(0, gh_wait(pid[i]));
	if (parameter("arenas") != ~0ULL)
		EXPECT_TRUE(all_gone());
}

TEST_HARNESS_MAIN
