// SPDX-License-Identifier: MIT
/*
 * An object of the heap whose pages are watched, and what a report has to be.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dirty.h"

char *dirty_object(size_t bytes)
{
	char *p = goheap_alloc(bytes);

	CHECK(p);
	CHECK_CMP((uintptr_t)p % DIRTY_PAGE, ==, 0);
	/* In a huge page all is written where one byte is, by soft-dirty's account. */
	madvise(p, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < bytes; i += DIRTY_PAGE)
		((volatile char *)p)[i] = 1;
	return p;
}

int dirty_begin_all(struct heap *h)
{
	return dirty_begin(h, h->top << PAGE_SHIFT);
}

/* That a way is not to be had is said on stderr, which is no news here. */
static int begin_quietly(struct heap *h)
{
	int err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY), ret;

	CHECK(err >= 0 && null >= 0 && dup2(null, STDERR_FILENO) >= 0);
	ret = dirty_begin_all(h);
	CHECK(dup2(err, STDERR_FILENO) >= 0);
	close(err);
	close(null);
	return ret;
}

struct watched *dirty_watch(enum dirty_way way)
{
	static struct watched w;

	w.p = dirty_object(PAGES * DIRTY_PAGE);
	w.target = w.p + TARGET * DIRTY_PAGE;
	w.h = heap_get();
	w.way = way;
	CHECK(w.h);
	if (way == DIRTY_DEVICE && !w.h->on_device)
		tap_skip("no device");
	if (begin_quietly(w.h)) {
		CHECK_CMP(w.h->dirty.way, ==, DIRTY_NONE);
		tap_skip("this kernel cannot do it");
	}
	CHECK_CMP(w.h->dirty.way, ==, way);
	return &w;
}

int dirty_report(struct watched *w)
{
	memset(w->bits, 0xff, sizeof(w->bits));
	return dirty_collect(w->h, (uintptr_t)w->p, PAGES * DIRTY_PAGE, w->bits, &w->n);
}

bool dirty_has(const struct watched *w, size_t page)
{
	return w->bits[page / 64] >> page % 64 & 1;
}

void dirty_expect(struct watched *w, const bool *want)
{
	size_t n = 0;

	CHECK_CMP(dirty_report(w), ==, 0);
	for (size_t i = 0; i < PAGES; i++) {
		n += want[i];
		if (dirty_has(w, i) != want[i])
			tap_fail(__FILE__, __LINE__, "page %zu is %sreported", i,
				 want[i] ? "not " : "");
	}
	CHECK_CMP(w->n, ==, n);
}

void dirty_expect_none(struct watched *w)
{
	static const bool none[PAGES];

	dirty_expect(w, none);
}

void dirty_expect_target(struct watched *w)
{
	bool want[PAGES] = { [TARGET] = true };

	dirty_expect(w, want);
	want[TARGET] = dirty_adds_up(w->h);
	dirty_expect(w, want);
}
