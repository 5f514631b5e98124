// SPDX-License-Identifier: MIT
/*
 * The program and its libraries: where their writable data is, and how large the
 * thread-local block of each is.
 *
 * They are listed with dl_iterate_phdr(), while the world runs, because that takes a
 * lock of the dynamic linker's which a stopped thread may hold.  Whether one came or
 * went meanwhile shows in the linker's list for debuggers, which can be read without a
 * lock while nobody runs.  If dlclose() has been called since, the program headers are
 * compared, too: another version of a library may have been opened at the same place.
 *
 * A program's own callback of dl_iterate_phdr() is called under that lock, and may allocate,
 * which may mean to wait for a collection, which must not wait for the lock then.  So
 * dl_iterate_phdr() is wrapped.  The collector makes no list while a thread is in a callback, and
 * no thread enters one while the collector makes a list.  A thread in a callback that is about to
 * wait for the collector makes the list itself, in which it succeeds, the lock being its
 * own; and the list stays right as long as the callback lasts.  No thread is made in a
 * callback: glibc's locks do not allow it while another thread is in dlopen().
 *
 * A forked child has the linker's locks as they were, for ever taken if another thread had
 * them.  It uses the list that its parent made before the fork, as long as that is
 * right.  If a thread was opening or closing a library nobody in the child ever will
 * be able to, so the list stays; what that thread had unmapped already is found out page by page.
 *
 * There are three tables: the one in use, which changes at a stop; the newest,
 * which waits for one; and what came before, whose memory is used again.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "heap.h"
#include "loaded.h"
#include "real.h"

/* Held by busy threads only, hence free while the world is stopped, and in fork(). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under it, or in a stopped world; what is behind @in_use stays from stop to stop. */
static struct loaded in_use, newest, before;
/* The library itself in the list for debuggers. */
static struct link_map *own_map;
static uint32_t closes;

/* Threads in callbacks; and who keeps more of them from entering one: these wait on it. */
static uint32_t callbacks, holders;
/* Callbacks that are being called right now, and so under the linker's lock. */
static uint32_t inside;
/* In a forked child: a thread that it does not have was opening or closing a library. */
static bool frozen;
/* How deep the calling thread is in callbacks. */
static TLS_FAST int depth;

/* Also by an exception or a cancellation: this file is compiled with -fexceptions. */
static void leave_callback(const int *outer)
{
	depth = *outer;
	if (!depth)
		__atomic_fetch_sub(&callbacks, 1, __ATOMIC_SEQ_CST);
}

static void enter_callback(void)
{
	uint32_t held;

	for (;;) {
		__atomic_fetch_add(&callbacks, 1, __ATOMIC_SEQ_CST);
		held = __atomic_load_n(&holders, __ATOMIC_SEQ_CST);
		if (!held)
			return;
		__atomic_fetch_sub(&callbacks, 1, __ATOMIC_SEQ_CST);
		os_futex_wait(&holders, held, NULL);
	}
}

/**
 * loaded_hold() - keep threads out of callbacks
 *
 * So that the caller may wait for the dynamic linker's locks, which a thread in a
 * callback has while it waits for a collection.
 *
 * Return: false if there are such threads: the caller must not.
 */
bool loaded_hold(void)
{
	__atomic_fetch_add(&holders, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&callbacks, __ATOMIC_SEQ_CST))
		return true;
	loaded_release();
	return false;
}

/**
 * loaded_release() - let them enter again
 */
void loaded_release(void)
{
	__atomic_fetch_sub(&holders, 1, __ATOMIC_SEQ_CST);
	os_futex_wake(&holders, INT32_MAX);
}

struct call {
	int (*callback)(struct dl_phdr_info *, size_t, void *);
	void *data;
};

static void leave_inside(const int *unused)
{
	(void)unused;
	__atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
}

static int call_inside(struct dl_phdr_info *info, size_t size, void *data)
{
	int unused __attribute__((cleanup(leave_inside))) = 0;
	const struct call *call = data;

	__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
	return call->callback(info, size, call->data);
}

PUBLIC int dl_iterate_phdr(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
	struct call call = { callback, data };
	int outer __attribute__((cleanup(leave_callback))) = depth;

	if (!outer)
		enter_callback();
	depth = outer + 1;
	return REAL(dl_iterate_phdr)(call_inside, &call);
}

/* Is the caller in a callback? */
bool loaded_in_callback(void)
{
	return depth;
}

static void no_memory(void)
{
	/* To go on would be to lose what only this library points to. */
	os_message("goheap: no memory to list the loaded libraries\n");
	abort();
}

/* A table of more entries, with what is in it and zeros behind that. */
static void *larger(void *table, size_t *room, size_t wanted, size_t entry)
{
	size_t bytes = *room * entry, more = bytes ? 2 * bytes : 4096;
	void *p;

	while (more < wanted * entry)
		more *= 2;
	p = os_reserve(more, 4096, true);
	if (!p)
		no_memory();
	if (table) {
		memcpy(p, table, bytes);
		os_unreserve(table, bytes);
	}
	*room = more / entry;
	return p;
}

static void add_segment(struct loaded *l, uintptr_t start, uintptr_t end)
{
	if (start >= end)
		return;
	if (l->nsegments == l->segments_room)
		l->segments = larger(l->segments, &l->segments_room, l->nsegments + 1,
				     sizeof(*l->segments));
	l->segments[l->nsegments].start = start;
	l->segments[l->nsegments++].end = end;
}

/* The collector's own state points into the heap and must not keep it alive. */
static void add_segment_around_heap(struct loaded *l, uintptr_t start, uintptr_t end)
{
	uintptr_t own = (uintptr_t)&goheap_the_heap;

	if (own >= start && own < end) {
		add_segment(l, start, own);
		start = own + sizeof(goheap_the_heap);
	}
	add_segment(l, start, end);
}

static void add_tls(struct loaded *l, size_t module, size_t bytes)
{
	if (module >= l->tls_room)
		l->tls_bytes = larger(l->tls_bytes, &l->tls_room, module + 1,
				      sizeof(*l->tls_bytes));
	l->tls_bytes[module] = bytes;
	if (module > l->tls_modules)
		l->tls_modules = module;
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

/* Sums do not depend on an order. */
static uint64_t mix(uintptr_t address, const char *name)
{
	return (address + ((uintptr_t)name << 32 | (uintptr_t)name >> 32)) * 0x9e3779b97f4a7c15u;
}

/* Of what is taken from an object's program headers. */
static uint64_t sum_of(const ElfW(Phdr) *ph, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_TLS || (ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_W)))
			sum = (sum + ph[i].p_vaddr + ((uint64_t)ph[i].p_memsz << 32 |
						      (uint64_t)ph[i].p_memsz >> 32)) *
			      0x9e3779b97f4a7c15u;
	return sum;
}

static void add_headers(struct loaded *l, const void *at, size_t n, uint64_t sum)
{
	if (l->objects == l->objects_room)
		l->headers = larger(l->headers, &l->objects_room, l->objects + 1,
				    sizeof(*l->headers));
	l->headers[l->objects++] = (struct headers){ at, n, sum };
}

static int add_object(struct dl_phdr_info *info, size_t size, void *loaded)
{
	struct loaded *l = loaded;

	(void)size;
	add_headers(l, info->dlpi_phdr, info->dlpi_phnum,
		    sum_of(info->dlpi_phdr, info->dlpi_phnum));
	l->names += mix(info->dlpi_addr, info->dlpi_name);
	l->changes = info->dlpi_adds + info->dlpi_subs;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_W) &&
		    !is_sanitizer(info->dlpi_name))
			add_segment_around_heap(l, start, start + ph->p_memsz);
		if (ph->p_type == PT_TLS && info->dlpi_tls_modid)
			add_tls(l, info->dlpi_tls_modid, ph->p_memsz);
	}
	return 0;
}

static void clear(struct loaded *l)
{
	l->nsegments = 0;
	if (l->tls_bytes)
		memset(l->tls_bytes, 0, l->tls_room * sizeof(*l->tls_bytes));
	l->tls_modules = 0;
	l->objects = 0;
	l->names = 0;
	l->changes = 0;
}

static void drop(struct loaded *l)
{
	if (l->segments)
		os_unreserve(l->segments, l->segments_room * sizeof(*l->segments));
	if (l->tls_bytes)
		os_unreserve(l->tls_bytes, l->tls_room * sizeof(*l->tls_bytes));
	if (l->headers)
		os_unreserve(l->headers, l->objects_room * sizeof(*l->headers));
}

/* Exchange two tables; busy, or in a stopped world. */
static void swap(struct loaded *a, struct loaded *b)
{
	struct loaded c = *a;

	*a = *b;
	*b = c;
}

/* List what is loaded now.  Not busy. */
static void snapshot(struct heap *h)
{
	struct thread *self = thread_self;
	struct loaded l = { 0 };

	/* Somebody else's memory from before, if nobody else has taken it. */
	thread_enter_busy(h, self);
	pthread_mutex_lock(&lock);
	swap(&l, &before);
	pthread_mutex_unlock(&lock);
	thread_leave_busy(h, self);

	clear(&l);
	l.closes = __atomic_load_n(&closes, __ATOMIC_ACQUIRE);
	REAL(dl_iterate_phdr)(add_object, &l);

	thread_enter_busy(h, self);
	pthread_mutex_lock(&lock);
	/* One that somebody made meanwhile may be newer. */
	if (!newest.objects || l.changes >= newest.changes)
		swap(&l, &newest);
	swap(&l, &before);
	pthread_mutex_unlock(&lock);
	thread_leave_busy(h, self);
	drop(&l);
}

/**
 * loaded_update() - list what is loaded now, unless a thread is in a callback
 * @h: the heap
 *
 * In that case the list may still be right, or become it soon.
 *
 * Context: the collector, before it stops the world; gc.lock held.
 */
void loaded_update(struct heap *h)
{
	if (loaded_hold()) {
		snapshot(h);
		loaded_release();
	}
}

/**
 * loaded_before_wait() - the caller is about to wait for the collector, or its locks
 * @h: the heap
 *
 * Context: not busy, no lock held.
 */
void loaded_before_wait(struct heap *h)
{
	if (unlikely(depth) && thread_self)
		snapshot(h);
}

/* glibc 2.35 and later: one such for each namespace, from _r_debug on. */
struct debug_list {
	struct r_debug base;
	struct debug_list *next;
};

/* The list of the namespace that the library is in.  Nobody is to change it meanwhile. */
static const struct debug_list *list_of_own(void)
{
	const struct debug_list *list = (const struct debug_list *)&_r_debug;
	const struct link_map *first = own_map;

	while (first && first->l_prev)
		first = first->l_prev;
	while (first && list->base.r_map != first && list->base.r_version > 1 && list->next)
		list = list->next;
	return list;
}

/**
 * loaded_forked() - in a forked child: no other thread is in a callback, or ever will close a library
 */
void loaded_forked(void)
{
	callbacks = depth ? 1 : 0;
	holders = 0;
	inside = (uint32_t)depth;
	pthread_mutex_init(&lock, NULL);
	if (newest.objects)
		swap(&newest, &in_use);
	newest.objects = 0;
	newest.changes = 0;
	frozen |= in_use.objects && list_of_own()->base.r_state != RT_CONSISTENT;
}

/* Do the headers still say the same?  They may be gone, so they are read by the kernel. */
static bool same_headers(const struct headers *o)
{
	ElfW(Phdr) copy[32];
	struct iovec to = { copy, o->n * sizeof(*copy) };
	struct iovec from = { (void *)o->at, to.iov_len };
	ssize_t n;

	/* Nobody has as many; if so it is another version as far as we know. */
	if (o->n > sizeof(copy) / sizeof(*copy))
		return false;
	n = process_vm_readv(os_pid(), &to, 1, &from, 1, 0);
	/* Where that is forbidden: there is an object at this place, so there are headers. */
	if (n < 0 && errno != EFAULT)
		return sum_of(o->at, o->n) == o->sum;
	return n == (ssize_t)to.iov_len && sum_of(copy, o->n) == o->sum;
}

/* The world is stopped. */
static bool is_right(const struct loaded *l)
{
	const struct debug_list *list = list_of_own();
	uint64_t names = 0;
	size_t objects = 0;

	if (frozen)
		return true;
	/*
	 * While one is being opened, those that are on the list are whole, and the new
	 * one's code has not run.  While one is being closed it may be gone already; but
	 * not while somebody holds the lock under which it goes (glibc's dl-close.c), and
	 * waits for us with it, perhaps.
	 */
	if (list->base.r_state == RT_DELETE && !inside)
		return false;
	for (const struct link_map *m = list->base.r_map; m; m = m->l_next) {
		objects++;
		names += mix(m->l_addr, m->l_name);
	}
	if (objects != l->objects || names != l->names)
		return false;
	for (size_t i = 0; l->closes != closes && i < objects; i++)
		if (!same_headers(&l->headers[i]))
			return false;
	return true;
}

/**
 * loaded_is_current() - has no object come or gone since the last snapshot?
 * @h: the heap
 *
 * If so, it is the one that is used from now on.
 *
 * Context: the world is stopped.
 */
bool loaded_is_current(struct heap *h)
{
	(void)h;
	if (newest.objects && is_right(&newest)) {
		swap(&newest, &in_use);
		/* That was one before the last: it is no news. */
		newest.objects = 0;
		newest.changes = 0;
		newest.closes = in_use.closes;
		in_use.closes = closes;
		return true;
	}
	if (!in_use.objects || !is_right(&in_use))
		return false;
	in_use.closes = closes;
	return true;
}

/**
 * loaded_is_certain() - is all that is listed still mapped?
 */
bool loaded_is_certain(void)
{
	return !frozen;
}

const struct loaded *loaded_list(void)
{
	return &in_use;
}

void loaded_init(void)
{
	Dl_info info;

	if (!dladdr1(&goheap_the_heap, &info, (void **)&own_map, RTLD_DL_LINKMAP))
		own_map = NULL;
}

/* Counted before and after, so that a list made in between is looked at twice. */
PUBLIC int dlclose(void *handle)
{
	int ret;

	__atomic_fetch_add(&closes, 1, __ATOMIC_ACQ_REL);
	ret = REAL(dlclose)(handle);
	__atomic_fetch_add(&closes, 1, __ATOMIC_ACQ_REL);
	return ret;
}
