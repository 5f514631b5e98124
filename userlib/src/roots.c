// SPDX-License-Identifier: MIT
/*
 * Where marking begins: the stacks and registers of all threads, their
 * thread-local storage, the writable data of every loaded object, and the
 * ranges that the program added.  All are searched conservatively.
 *
 * The loaded objects are listed before the world is stopped, because
 * dl_iterate_phdr() takes a lock of the dynamic linker's that a stopped thread
 * may hold.  Whether one came or went meanwhile shows in the linker's list for
 * debuggers, which can be read without a lock while nobody runs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <goheap.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "heap.h"

void roots_init(struct heap *h)
{
	pthread_mutex_init(&h->roots.lock, NULL);
}

static void add_segment(struct roots *r, uintptr_t start, uintptr_t end)
{
	if (start < end && r->nsegments < MAX_MODULES) {
		r->segments[r->nsegments].start = start;
		r->segments[r->nsegments++].end = end;
	}
}

/* The collector's own state points into the heap and must not keep it alive. */
static void add_segment_around_heap(struct roots *r, uintptr_t start, uintptr_t end)
{
	uintptr_t own = (uintptr_t)&goheap_the_heap;

	if (own >= start && own < end) {
		add_segment(r, start, own);
		start = own + sizeof(goheap_the_heap);
	}
	add_segment(r, start, end);
}

/* Not strncmp(): interceptors would look at what the dynamic linker owns. */
static bool has_prefix(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

/* A sanitizer's tables are large and hold no pointer of the program's own. */
static bool is_sanitizer(const char *path)
{
	static const char *const names[] = { "libasan.", "libtsan.", "libubsan.", "liblsan." };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (const char *p = path; *p; p++)
			if (has_prefix(p, names[i]))
				return true;
	return false;
}

static int add_object(struct dl_phdr_info *info, size_t size, void *roots)
{
	struct roots *r = roots;

	(void)size;
	r->objects++;
	r->addresses += info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_W) &&
		    !is_sanitizer(info->dlpi_name))
			add_segment_around_heap(r, start, start + ph->p_memsz);
		if (ph->p_type == PT_TLS && info->dlpi_tls_modid < MAX_MODULES) {
			r->tls_bytes[info->dlpi_tls_modid] = ph->p_memsz;
			if (info->dlpi_tls_modid > r->tls_modules)
				r->tls_modules = info->dlpi_tls_modid;
		}
	}
	return 0;
}

/**
 * roots_snapshot() - list the loaded objects
 * @h: the heap
 *
 * Context: the world runs; roots.lock held.
 */
void roots_snapshot(struct heap *h)
{
	struct roots *r = &h->roots;

	r->nsegments = 0;
	r->tls_modules = 0;
	memset(r->tls_bytes, 0, sizeof(r->tls_bytes));
	r->objects = 0;
	r->addresses = 0;
	dl_iterate_phdr(add_object, r);
}

/**
 * roots_snapshot_is_current() - has no object come or gone since the snapshot?
 * @h: the heap
 *
 * Context: the world is stopped.
 */
bool roots_snapshot_is_current(struct heap *h)
{
	uintptr_t addresses = 0;
	size_t objects = 0;

	if (_r_debug.r_state != RT_CONSISTENT)
		return false;
	for (struct link_map *l = _r_debug.r_map; l; l = l->l_next) {
		objects++;
		addresses += l->l_addr;
	}
	return objects == h->roots.objects && addresses == h->roots.addresses;
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
static void mark_mapped(struct marker *m, uintptr_t start, uintptr_t end)
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

static void mark_tls(struct heap *h, struct marker *m, const struct thread *t)
{
	const struct dtv_entry *dtv = dtv_of(t->tcb);
	size_t modules = dtv[-1].block;

	for (size_t i = 1; i <= h->roots.tls_modules && i <= modules; i++) {
		uintptr_t block = dtv[i].block;

		if (!block || block == UINTPTR_MAX || !h->roots.tls_bytes[i])
			continue;
		if (thread_owns_stack(t, block))
			continue;
		m->global_bytes += h->roots.tls_bytes[i];
		if (dtv[i].to_free)
			mark_mapped(m, block, block + h->roots.tls_bytes[i]);
		else
			mark_range(m, block, block + h->roots.tls_bytes[i]);
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
static void mark_stack(struct marker *m, const struct thread *t)
{
	uintptr_t low = t->stopped_sp;

	mark_range(m, t->saved.general, t->saved.general_end);
	mark_range(m, t->saved.vector, t->saved.vector_end);
	if (!thread_owns_stack(t, low)) {
		/* Where it was, at least what a frame of it holds. */
		mark_range(m, low, low + FOREIGN_FRAME);
		low = t->stack_grows ? mapped_down_to(t) : t->stack_low;
	}
	m->stack_bytes += t->stack_high - low;
	mark_range(m, low, t->stack_high);
}

/**
 * roots_mark() - mark from all roots
 * @h: the heap
 * @m: the marker
 *
 * Context: the world is stopped; roots.lock and threads.lock held.
 */
void roots_mark(struct heap *h, struct marker *m)
{
	struct roots *r = &h->roots;
	uintptr_t tiny;

	for (struct thread *t = h->threads.first; t; t = t->next) {
		mark_range(m, (uintptr_t)&t->arg, (uintptr_t)(&t->arg + 1));
		mark_range(m, (uintptr_t)&t->result, (uintptr_t)(&t->result + 1));
		/* The library's own threads hold no objects. */
		if (t->state != THREAD_RUNNING || t->internal)
			continue;
		/* The block that its small objects share is in use, whoever points to it. */
		tiny = t->mc.tiny_next - 1;
		mark_range(m, (uintptr_t)&tiny, (uintptr_t)(&tiny + 1));
		mark_stack(m, t);
		mark_tls(h, m, t);
	}
	for (size_t i = 0; i < r->nsegments; i++) {
		m->global_bytes += r->segments[i].end - r->segments[i].start;
		mark_range(m, r->segments[i].start, r->segments[i].end);
	}
	for (size_t i = 0; i < r->n; i++) {
		m->global_bytes += r->ranges[i].end - r->ranges[i].start;
		mark_range(m, r->ranges[i].start, r->ranges[i].end);
	}
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
