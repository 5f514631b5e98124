// SPDX-License-Identifier: MIT
/*
 * Catches: roots in the thousandth library that are not searched; a collection that waits
 * for ever for the dynamic linker; a library's data searched when it has been closed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { N = 64, MANY = 1100 };

static uintptr_t hidden[N];
static char dir[] = "/tmp/libraries.XXXXXX";

/* Another library each time: a copy of dso.so under a name of its own. */
static void *open_copy(int i)
{
	static char *image;
	static size_t bytes;
	char path[4096];
	struct stat st;
	void *dso;
	int fd;

	if (!image) {
		snprintf(path, sizeof(path), "%s/dso.so", tap_dir());
		fd = open(path, O_RDONLY);
		CHECK(fd >= 0 && !fstat(fd, &st));
		bytes = st.st_size;
		image = malloc(bytes);
		CHECK_CMP(read(fd, image, bytes), ==, bytes);
		close(fd);
		CHECK(mkdtemp(dir));
	}
	snprintf(path, sizeof(path), "%s/%d.so", dir, i);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
	CHECK_CMP(fd, >=, 0);
	CHECK_CMP(write(fd, image, bytes), ==, bytes);
	close(fd);
	dso = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!dso)
		tap_fail(__FILE__, __LINE__, "%s", dlerror());
	unlink(path);
	return dso;
}

static void **place_in(void *dso, const char *name)
{
	void **(*where)(void) = (void **(*)(void))dlsym(dso, name);

	CHECK(where);
	return where();
}

static void keeps(void **place)
{
	canaries_make(place, hidden, N);
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), ==, N);
	memset(place, 0, N * sizeof(*place));
	collect_hard();
	CHECK_CMP(canaries_alive(hidden, N), <, N / 10);
}

static void keeps_tls(void *dso)
{
	keeps(place_in(dso, "dso_tls"));
}

CASE(many, "1,100 libraries: data and thread-local storage of the last one")
{
	static void *dso[MANY];

	if (TSAN)
		tap_skip("takes minutes under TSan");
	goheap_collect();
	for (int i = 0; i < MANY; i++)
		dso[i] = open_copy(i);
	rmdir(dir);
	keeps(place_in(dso[MANY - 1], "dso_data"));
	keeps(place_in(dso[MANY - 1], "dso_bss"));
	keeps_tls(dso[MANY - 1]);
	in_thread(keeps_tls, dso[MANY - 1]);
	/* And when most of them have been closed. */
	for (int i = 0; i < MANY - 1; i++)
		CHECK(!dlclose(dso[i]));
	keeps(place_in(dso[MANY - 1], "dso_data"));
	in_thread(keeps_tls, dso[MANY - 1]);
}

static atomic_bool stop;
static atomic_int callbacks;

static void *collect_all_the_time(void *arg)
{
	(void)arg;
	while (!stop)
		goheap_collect();
	return NULL;
}

static int collect_in_callback(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct canary *volatile own = canary_new(1);

	(void)info;
	(void)size;
	(void)arg;
	CHECK(goheap_alloc(10000));
	goheap_collect();
	CHECK(canary_ok(own, 1));
	callbacks++;
	return 0;
}

static void *iterate(void *arg)
{
	(void)arg;
	while (!stop)
		dl_iterate_phdr(collect_in_callback, NULL);
	return NULL;
}

static void *open_and_close(void *arg)
{
	char path[4096];

	(void)arg;
	snprintf(path, sizeof(path), "%s/dso.so", tap_dir());
	while (!stop) {
		void *dso = dlopen(path, RTLD_NOW);
		void **data;

		if (!dso)
			tap_fail(__FILE__, __LINE__, "%s", dlerror());
		data = place_in(dso, "dso_bss");
		for (int i = 0; i < N; i++)
			data[i] = canary_new(i);
		CHECK(goheap_alloc(100000));
		for (int i = 0; i < N; i++)
			CHECK(canary_ok(data[i], i));
		CHECK(!dlclose(dso));
	}
	return NULL;
}

static void at_once(void *(*const fn[])(void *), int n, int collections)
{
	pthread_t thread[4];
	double start = seconds();
	uint64_t before;

	tap_dir();
	before = stats().num_gc;
	for (int i = 0; i < n; i++)
		CHECK(!pthread_create(&thread[i], NULL, fn[i], NULL));
	while ((stats().num_gc < before + collections || callbacks < 20) && seconds() < start + 50)
		sleep_ms(10);
	stop = true;
	for (int i = 0; i < n; i++)
		CHECK(!pthread_join(thread[i], NULL));
	CHECK_CMP(stats().num_gc, >=, before + collections);
	CHECK_CMP(callbacks, >=, 20);
}

CASE(callback, "callbacks of dl_iterate_phdr() that collect, while another thread collects")
{
	static void *(*const fn[])(void *) = { iterate, collect_all_the_time, iterate };

	at_once(fn, 3, 100);
}

CASE(callback_dlopen, "the same while libraries come and go")
{
	static void *(*const fn[])(void *) = {
		iterate, collect_all_the_time, open_and_close, open_and_close,
	};

	if (TSAN)
		tap_skip("TSan does not know the dynamic linker's locks");
	at_once(fn, 4, 50);
}

static void *place_own[N];
static uintptr_t hidden_own[N];

/* Static data is the only root. */
static int child_collects(void)
{
	goheap_collect();
	churn(64 * KIB);
	goheap_collect();
	return canaries_alive(hidden_own, N) == N ? 0 : 1;
}

CASE(forked, "children that are forked while libraries come and go collect, and keep what is alive")
{
	/* An emulated machine is where it happened. */
	size_t children = fewer(600) < 150 ? 150 : fewer(600);
	pthread_t thread[4];

	if (SANITIZED)
		tap_skip("a sanitizer's allocator may be locked in the child for ever");
	tap_dir();
	canaries_make(place_own, hidden_own, N);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, open_and_close, NULL));
	for (size_t i = 0; i < children; i++) {
		pid_t pid = fork();
		int status;

		CHECK(pid >= 0);
		if (!pid) {
			/* For ever is not so long: the linker's lock may be taken. */
			alarm(20);
			_exit(child_collects());
		}
		CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
		CHECK_CMP(status, ==, 0);
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], NULL));
}
