// SPDX-License-Identifier: MIT
/*
 * Catches: a public function that crashes on what it should refuse, answers
 * otherwise than the header says, or changes the heap's figures on the way.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc.h"
#include "tap.h"

enum { SMALL, LARGE, FREED, COLLECTED, INSIDE, LARGE_INSIDE, ODD, STACK, DATA, MALLOC, CODE, UNMAPPED,
       NOACCESS, NEAR_NULL, TOP, NONCANONICAL, BEFORE_HEAP, AFTER_HEAP, KINDS };

static const char *const kind_name[KINDS] = {
	"small object", "large object", "freed object", "collected object", "interior pointer",
	"interior pointer of a large object", "odd interior pointer", "stack", "static data",
	"malloc()", "code", "unmapped", "no access", "near NULL", "top", "non-canonical",
	"before the heap", "after the heap",
};

static char data[256];

static void make_collected(void *arg)
{
	*(uintptr_t *)arg = hide(goheap_alloc(MIB));
}

static void *pointer(int kind, char *stack)
{
	static char *small, *large, *freed, *heap, *map, *gone;
	static uintptr_t collected;

	if (!small) {
		in_thread(make_collected, &collected);
		collect_hard();
		small = goheap_alloc(64);
		large = goheap_alloc(MIB);
		freed = goheap_alloc(MIB);
		goheap_free(freed);
		heap = malloc(100);
		map = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		gone = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		munmap(gone, 4096);
	}
	switch (kind) {
	case SMALL: return small;
	case LARGE: return large;
	case FREED: return freed;
	case COLLECTED: return goheap_base(reveal(collected)) ? freed : reveal(collected);
	case INSIDE: return small + 8;
	case LARGE_INSIDE: return large + 8192;
	case ODD: return small + 33;
	case STACK: return stack;
	case DATA: return data + 16;
	case MALLOC: return heap;
	case CODE: return (void *)(uintptr_t)memcpy;
	case UNMAPPED: return gone;
	case NOACCESS: return map;
	case NEAR_NULL: return (void *)8;
	case TOP: return (void *)UINTPTR_MAX;
	case NONCANONICAL: return (void *)((uintptr_t)1 << 55);
	case BEFORE_HEAP: return (void *)(((uintptr_t)small & ~(4 * MIB - 1)) - 8);
	default: return (void *)(((uintptr_t)small & ~(4 * MIB - 1)) + ((uintptr_t)1 << 40) + 64 * MIB);
	}
}

static struct goheap_stats before;

static void remember(void)
{
	before = stats();
}

static void unchanged(int line, const char *what)
{
	struct goheap_stats now = stats();

	if (now.alloc_bytes != before.alloc_bytes || now.alloc_objects != before.alloc_objects ||
	    now.total_alloc_bytes != before.total_alloc_bytes || now.mallocs != before.mallocs ||
	    now.frees != before.frees || now.heap_inuse != before.heap_inuse)
		tap_fail(__FILE__, line, "%s changed the statistics", what);
}
#define UNCHANGED(what) unchanged(__LINE__, what)

static bool is_object(int kind)
{
	return kind == SMALL || kind == LARGE;
}

CASE(pointers, "18 kinds of pointers to the functions that take one", "GOHEAP_GOGC=off")
{
	volatile size_t most = SIZE_MAX, none = 0;
	char stack[256] = "";

	for (int kind = 0; kind < KINDS; kind++) {
		char *volatile p = pointer(kind, stack);
		const char *name = kind_name[kind];
		size_t usable;

		remember();
		usable = goheap_usable_size(p);
		if ((usable != 0) != is_object(kind))
			tap_fail(__FILE__, __LINE__, "usable size of %s: %zu", name, usable);
		if (is_object(kind))
			CHECK_CMP(goheap_base(p), ==, (void *)p);
		else if (kind == INSIDE || kind == ODD || kind == LARGE_INSIDE)
			CHECK_CMP(goheap_base(p), ==, pointer(kind == LARGE_INSIDE ? LARGE : SMALL, stack));
		else if (goheap_base(p))
			tap_fail(__FILE__, __LINE__, "%s has a base", name);
		UNCHANGED(name);
		if (is_object(kind))
			continue;
		goheap_free(p);
		UNCHANGED(name);
		errno = 0;
		if (goheap_realloc(p, 100) || errno != EINVAL)
			tap_fail(__FILE__, __LINE__, "realloc of %s: errno %d", name, errno);
		errno = 0;
		if (goheap_realloc(p, none) || errno != EINVAL)
			tap_fail(__FILE__, __LINE__, "realloc of %s to 0: errno %d", name, errno);
		errno = 0;
		if (goheap_realloc(p, most) || (errno != EINVAL && errno != ENOMEM))
			tap_fail(__FILE__, __LINE__, "realloc of %s to SIZE_MAX: errno %d", name, errno);
		UNCHANGED(name);
		CHECK_ERR(goheap_remove_roots(p, (void *)((uintptr_t)p + 64)), -1, ENOENT);
		UNCHANGED(name);
	}
	/* And the heap is in order. */
	collect_hard();
	CHECK(goheap_alloc(100));
}

CASE(null, "NULL", "GOHEAP_GOGC=off")
{
	goheap_alloc(1);
	remember();
	goheap_free(NULL);
	CHECK_CMP(goheap_usable_size(NULL), ==, 0);
	CHECK_CMP(goheap_base(NULL), ==, NULL);
	CHECK_ERR(goheap_add_roots(NULL, NULL), -1, EINVAL);
	CHECK_ERR(goheap_add_roots(NULL, data), -1, EINVAL);
	CHECK_ERR(goheap_add_roots(data, NULL), -1, EINVAL);
	CHECK_ERR(goheap_remove_roots(NULL, NULL), -1, ENOENT);
	CHECK_ERR(goheap_init(NULL), -1, EBUSY);
	goheap_read_stats(NULL);
	UNCHANGED("NULL");
}

CASE(sizes, "sizes 0, 1 and far too large", "GOHEAP_GOGC=off")
{
	static volatile size_t sizes[] = {
		SIZE_MAX, SIZE_MAX - 8191, SIZE_MAX / 2, SIZE_MAX / 2 + 1, (size_t)1 << 46,
	};
	volatile size_t zero = 0;	/* not for the compiler to know */
	char *p = goheap_alloc(zero), *q = goheap_alloc_noscan(zero), *r = goheap_realloc(NULL, zero);

	CHECK(p && q && r && p != q && q != r && p != r);
	p[0] = q[0] = r[0] = 1;
	p = goheap_realloc(p, zero);
	CHECK(p && p[0] == 1);
	remember();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CHECK_ERR(goheap_alloc(sizes[i]), NULL, ENOMEM);
		UNCHANGED("alloc");
		CHECK_ERR(goheap_alloc_noscan(sizes[i]), NULL, ENOMEM);
		UNCHANGED("alloc_noscan");
		CHECK_ERR(goheap_realloc(NULL, sizes[i]), NULL, ENOMEM);
		UNCHANGED("realloc of NULL");
		CHECK_ERR(goheap_realloc(p, sizes[i]), NULL, ENOMEM);
		UNCHANGED("realloc");
	}
	CHECK_CMP(p[0], ==, 1);
}

CASE(roots, "ranges that end before they start, are empty, or inside the heap", "GOHEAP_GOGC=off")
{
	char *p = goheap_alloc(64);

	CHECK_ERR(goheap_add_roots(data + 8, data), -1, EINVAL);
	CHECK_ERR(goheap_add_roots((void *)UINTPTR_MAX, (void *)8), -1, EINVAL);
	/* Of no use, but harmless. */
	if (goheap_add_roots(data, data) == 0)
		CHECK_CMP(goheap_remove_roots(data, data), ==, 0);
	else
		CHECK_CMP(errno, ==, EINVAL);
	if (goheap_add_roots(p, p + 64) == 0) {
		goheap_collect();
		CHECK_CMP(goheap_remove_roots(p, p + 64), ==, 0);
	} else {
		CHECK_CMP(errno, ==, EINVAL);
	}
	collect_hard();
}

CASE(settings, "settings at their extremes")
{
	static const int percents[] = { INT32_MIN, -1, 0, 1, 1000000, INT32_MAX };
	static const int64_t limits[] = { 0, 1, 4096, INT64_MAX - 1, INT64_MAX };

	hide(goheap_alloc(100));
	for (size_t i = 0; i < ARRAY_SIZE(percents); i++) {
		goheap_set_gc_percent(percents[i]);
		if (percents[i] > 0)
			CHECK_CMP(stats().gc_percent, ==, percents[i]);
		else if (percents[i] < 0)
			CHECK_CMP(stats().gc_percent, <, 0);
		for (int k = 0; k < 2000; k++)
			CHECK(goheap_alloc(1000));
		goheap_collect();
	}
	goheap_set_gc_percent(100);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		goheap_set_memory_limit(limits[i]);
		CHECK_CMP(goheap_set_memory_limit(-1), ==, limits[i]);
		/* A limit that cannot be kept slows a program down, it does not stop it. */
		for (int k = 0; k < 2000; k++)
			CHECK(goheap_alloc(1000));
		goheap_collect();
	}
}

CASE(unstarted, "every function as the first one called")
{
	for (int i = 0; i < 12; i++) {
		int status;
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid) {
			switch (i) {
			case 0: CHECK(goheap_alloc(0)); break;
			case 1: CHECK(goheap_alloc_noscan(0)); break;
			case 2: CHECK(goheap_realloc(NULL, 5)); break;
			case 3: CHECK_ERR(goheap_realloc(data, 5), NULL, EINVAL); break;
			case 4: goheap_free(data); break;
			case 5: CHECK(!goheap_usable_size(data)); break;
			case 6: CHECK(!goheap_base(data)); break;
			case 7: CHECK(!goheap_add_roots(data, data + 8)); break;
			case 8: CHECK_ERR(goheap_remove_roots(data, data + 8), -1, ENOENT); break;
			case 9: goheap_collect(); break;
			case 10: goheap_free_os_memory(); break;
			default:
				CHECK_CMP(goheap_set_gc_percent(50), ==, 100);
				CHECK_CMP(goheap_set_memory_limit(1 << 30), ==, INT64_MAX);
				CHECK_CMP(stats().gc_percent, ==, 50);
			}
			CHECK(goheap_alloc(10));
			goheap_collect();
			_exit(0);
		}
		CHECK_CMP(waitpid(pid, &status, 0), ==, pid);
		if (status)
			tap_fail(__FILE__, __LINE__, "call %d: status %#x", i, status);
	}
}
