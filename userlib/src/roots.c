// SPDX-License-Identifier: MIT
/*
 * Where marking begins: the stacks and registers of all threads, their
 * thread-local storage, the writable data of every loaded object, and the
 * ranges that the program added.  All are searched conservatively.  See loaded.c for
 * how the loaded objects are found.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <goheap.h>
#include <string.h>
#include <sys/mman.h>

#include "heap.h"
#include "loaded.h"
#include "mark.h"

/* Read in one piece by roots_mark_copied(). */
#define COPY_BYTES	((size_t)64 << 10)

int roots_init(struct heap *h)
{
	pthread_mutex_init(&h->roots.lock, NULL);
	loaded_init();
	h->roots.copy = os_reserve(COPY_BYTES, 4096, true);
	return h->roots.copy ? 0 : -1;
}

void roots_undo(struct heap *h)
{
	os_unreserve(h->roots.copy, COPY_BYTES);
}

/*
 * A thread's blocks of thread-local storage, from glibc's dynamic thread vector:
 * an array of (block, what to free) by module, with the highest module's number
 * in the entry before the first.  Blocks inside the stack's mapping are searched
 * with the stack.
 */
#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__))
struct dtv_entry {
	uintptr_t block;
	void *to_free;
};

static const struct dtv_entry *dtv_of(uintptr_t tcb)
{
#ifdef __x86_64__
	return ((const struct dtv_entry **)tcb)[1];
#else
	return ((const struct dtv_entry **)tcb)[0];
#endif
}

/*
 * A block that was allocated for a module may belong to one that is gone, and be
 * shorter than the block of the module that has the number now.
 */
static void mark_mapped(struct gc_work *m, uintptr_t start, uintptr_t end)
{
	const uintptr_t page = 4096;
	unsigned char resident;

	while (start < end) {
		uintptr_t upto = align_up(start + 1, page);

		if (mincore((void *)(start & -page), page, &resident))
			return;
		mark_range(m, start, upto < end ? upto : end);
		start = upto;
	}
}

static void mark_tls(struct gc_work *m, const struct thread *t)
{
	const struct loaded *loaded = loaded_list();
	const struct dtv_entry *dtv = dtv_of(t->tcb);
	size_t modules = dtv[-1].block;

	for (size_t i = 1; i <= loaded->tls_modules && i <= modules; i++) {
		uintptr_t block = dtv[i].block;

		if (!block || block == UINTPTR_MAX || !loaded->tls_bytes[i])
			continue;
		if (thread_owns_stack(t, block))
			continue;
		if (dtv[i].to_free)
			mark_mapped(m, block, block + loaded->tls_bytes[i]);
		else
			mark_range(m, block, block + loaded->tls_bytes[i]);
	}
}
#else
#error "goheap: say here where this C library keeps thread-local storage"
#endif

/* Of a stack that we do not know the end of: the red zone, or what park() spilled. */
#define FOREIGN_FRAME	128

/* How far down the main thread's stack is mapped. */
static uintptr_t mapped_down_to(const struct thread *t)
{
	const uintptr_t step = 4096;
	unsigned char resident;
	uintptr_t p = t->stack_high & -step;

	while (p - step >= t->stack_low && !mincore((void *)(p - step), step, &resident))
		p -= step;
	return p;
}

/*
 * The registers, and the stack from where it ends to where it began; static TLS
 * lies there too.  A thread that was stopped on another stack (an alternate
 * signal stack, a coroutine's) has all of its own searched.
 */
static void mark_stack(struct gc_work *m, const struct thread *t)
{
	uintptr_t low = t->stopped_sp;

	mark_frames(m, t->saved.general, t->saved.general_end);
	mark_frames(m, t->saved.vector, t->saved.vector_end);
	mark_frames(m, t->saved.upper, t->saved.upper_end);
	if (!thread_owns_stack(t, low)) {
		/* Where it was, at least what a frame of it holds. */
		mark_frames(m, low, low + FOREIGN_FRAME);
		low = t->stack_grows ? mapped_down_to(t) : t->stack_low;
	}
	m->n.stack_bytes += t->stack_high - low;
	mark_frames(m, low, t->stack_high);
}

static void mark_specific(struct gc_work *w, const struct thread *t)
{
	for (unsigned int i = 0; i < SPECIFIC_KEYS / SPECIFIC_BLOCK; i++) {
		const uintptr_t *block = t->specific[i];

		if (block)
			mark_range(w, (uintptr_t)block, (uintptr_t)(block + SPECIFIC_BLOCK));
	}
}

/**
 * roots_mark_threads() - mark from the threads: registers, stacks, TLS
 * @h: the heap
 * @w: the marker's hands
 *
 * Context: the world is stopped; threads.lock held; active.
 */
void roots_mark_threads(struct heap *h, struct gc_work *w)
{
	uintptr_t tiny;

	for (struct thread *t = h->threads.first; t; t = t->next) {
		mark_range(w, (uintptr_t)&t->arg, (uintptr_t)(&t->arg + 1));
		mark_range(w, (uintptr_t)&t->result, (uintptr_t)(&t->result + 1));
		/* The library's own threads hold no objects, but for the finalizers'. */
		if (t->state != THREAD_RUNNING || (t->internal && !t->finalizer))
			continue;
		/* The block that its small objects share is in use, whoever points to it. */
		tiny = t->mc.tiny_next - 1;
		mark_range(w, (uintptr_t)&tiny, (uintptr_t)(&tiny + 1));
		mark_stack(w, t);
		mark_tls(w, t);
		mark_specific(w, t);
	}
}

/**
 * roots_mark_static() - mark from the loaded objects' data, and added ranges
 * @h: the heap
 * @w: the marker's hands
 *
 * Context: the world is stopped, roots.lock held; active.
 */
void roots_mark_static(struct heap *h, struct gc_work *w)
{
	const struct loaded *loaded = loaded_list();
	struct roots *r = &h->roots;

	for (size_t i = 0; i < loaded->nsegments; i++)
		if (loaded_is_certain())
			mark_range(w, loaded->segments[i].start, loaded->segments[i].end);
		else
			mark_mapped(w, loaded->segments[i].start, loaded->segments[i].end);
	for (size_t i = 0; i < r->n; i++)
		mark_range(w, r->ranges[i].start, r->ranges[i].end);
}

/* What of a range can be read, by way of a copy; false if nothing can be so. */
static bool mark_copy(struct roots *r, struct gc_work *w, uintptr_t start, uintptr_t end)
{
	uintptr_t at = align_up(start, sizeof(at));

	while (at < end) {
		size_t bytes = end - at < COPY_BYTES ? end - at : COPY_BYTES;
		ptrdiff_t got = os_read_own(r->copy, at, bytes);

		if (got < 0 && errno != EFAULT)
			return false;
		/* It is gone, or from here on. */
		if (got <= 0)
			return true;
		mark_range(w, (uintptr_t)r->copy, (uintptr_t)r->copy + (size_t)got);
		at += (size_t)got;
		if ((size_t)got < bytes)
			return true;
	}
	return true;
}

/**
 * roots_mark_copied() - the same while the program runs
 * @h: the heap
 * @w: the marker's hands
 *
 * A library may be unloaded, and memory unmapped, at any time: so the kernel
 * copies it out, which fails where there is nothing any more.
 *
 * Context: roots.lock held; active.
 * Return: false if the kernel does not do that.
 */
bool roots_mark_copied(struct heap *h, struct gc_work *w)
{
	const struct loaded *loaded = loaded_list();
	struct roots *r = &h->roots;

	for (size_t i = 0; i < loaded->nsegments; i++)
		if (!mark_copy(r, w, loaded->segments[i].start, loaded->segments[i].end))
			return false;
	for (size_t i = 0; i < r->n; i++)
		if (!mark_copy(r, w, r->ranges[i].start, r->ranges[i].end))
			return false;
	return true;
}

/* roots.lock held. */
static struct root *find(struct roots *r, const void *start, const void *end)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->ranges[i].start == (uintptr_t)start && r->ranges[i].end == (uintptr_t)end)
			return &r->ranges[i];
	return NULL;
}

/* roots.lock held. */
static int make_room(struct roots *r)
{
	size_t bytes = r->room * sizeof(*r->ranges);
	size_t more = bytes ? 2 * bytes : 4096;
	struct root *larger;

	if (r->n < r->room)
		return 0;
	larger = os_reserve(more, 4096, true);
	if (!larger)
		return -1;
	if (r->ranges) {
		memcpy(larger, r->ranges, bytes);
		os_unreserve(r->ranges, bytes);
	}
	r->ranges = larger;
	r->room = more / sizeof(*r->ranges);
	return 0;
}

PUBLIC int goheap_add_roots(void *start, void *end)
{
	struct heap *h;
	struct roots *r;
	int err = 0;

	if (!start || (uintptr_t)end < (uintptr_t)start) {
		errno = EINVAL;
		return -1;
	}
	h = heap_get();
	if (!h)
		return -1;
	r = &h->roots;
	loaded_before_wait(h);
	pthread_mutex_lock(&r->lock);
	if (find(r, start, end)) {
		err = EEXIST;
	} else if (make_room(r)) {
		err = ENOMEM;
	} else {
		r->ranges[r->n].start = (uintptr_t)start;
		r->ranges[r->n++].end = (uintptr_t)end;
	}
	pthread_mutex_unlock(&r->lock);
	if (err)
		errno = err;
	return err ? -1 : 0;
}

PUBLIC int goheap_remove_roots(void *start, void *end)
{
	struct heap *h = &goheap_the_heap;
	struct root *found = NULL;

	if (h->base) {
		loaded_before_wait(h);
		pthread_mutex_lock(&h->roots.lock);
		found = find(&h->roots, start, end);
		if (found)
			*found = h->roots.ranges[--h->roots.n];
		pthread_mutex_unlock(&h->roots.lock);
	}
	if (!found)
		errno = ENOENT;
	return found ? 0 : -1;
}
