// SPDX-License-Identifier: MIT
/*
 * Catches: an array lost while a pointer one past its end, which compilers like to keep
 * instead of any other, is in a register or on a stack; and such a pointer in
 * memory, which is documented to mean the next object, keeping the one before.
 */
#include "gc.h"
#include "tap.h"

/* Sizes that fill their slots; the largest fill spans, and have objects of their own behind. */
static const size_t sizes[] = { 16, 64, 128, 1024, 4096, 8192, 32768, 65536, 1024 * 1024 };

#define N	(TSAN ? 20 : 50)

static void *typed(size_t size)
{
	static const uint64_t bits[128] = { 1 };
	struct goheap_type type = { size - 8, bits, NULL };

	return goheap_alloc_typed(&type, 1);
}

struct ends {
	void *(*alloc)(size_t);
	size_t size;
	void *volatile *ends;
	void **place;
	uintptr_t *hidden;
	unsigned int step;		/* of so many objects one */
};

static void *static_ends[2 * 100];
static void *static_place[2 * 100];
static uintptr_t static_hidden[2 * 100];

/*
 * Objects of which nothing is known but where they end.  Those between are not looked at,
 * so that no object is kept as the next of another.
 */
static void ends_make(void *arg)
{
	struct ends *e = arg;
	unsigned int n = N * e->step;

	objects_make(e->alloc, e->size, e->place, e->hidden, n);
	for (unsigned int i = 0; i < N; i++) {
		void *p = e->place[i * e->step];

		e->hidden[i] = hide(p);
		e->ends[i] = (char *)p + (e->size < MIB ? goheap_usable_size(p) : e->size);
	}
	memset(e->place, 0, n * sizeof(*e->place));
}

static __attribute__((noinline)) void on_stack(void *(*alloc)(size_t), size_t size)
{
	void *volatile ends[N];
	struct ends e = { alloc, size, ends, static_place, static_hidden, 2 };

	in_thread(ends_make, &e);
	scrub_stack();
	collect_hard();
	CHECK_CMP(objects_alive(static_hidden, N), ==, N);
	for (unsigned int i = 0; i < N; i++)
		CHECK(ends[i]);
}

CASE(stack, "on a stack a pointer one past the end keeps an object")
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		on_stack(goheap_alloc, sizes[i]);
		on_stack(goheap_alloc_noscan, sizes[i]);
		if (sizes[i] <= 4096)
			on_stack(typed, sizes[i]);
	}
}

static volatile int waiting, go_on;

/* Spins with one pointer, which it knows from nobody else, in a register. */
static void *hold_in_register(void *arg)
{
	uintptr_t end = ~*(uintptr_t *)arg;

	__atomic_store_n(&waiting, 1, __ATOMIC_RELEASE);
	__asm__ volatile("1: pause\n\tcmpl $0, %1\n\tje 1b" : "+r"(end) : "m"(go_on) : "memory");
	return (void *)~end;
}

CASE(registers, "in a register of a thread that is stopped it does, too")
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		void *volatile end[N];
		struct ends e = { goheap_alloc, sizes[i], end, static_place, static_hidden, 1 };
		uintptr_t hidden_end;
		pthread_t thread;

		in_thread(ends_make, &e);
		hidden_end = hide(end[N / 2]);
		memset((void *)end, 0, sizeof(end));
		waiting = 0;
		go_on = 0;
		CHECK(!pthread_create(&thread, NULL, hold_in_register, &hidden_end));
		while (!__atomic_load_n(&waiting, __ATOMIC_ACQUIRE))
			sleep_ms(1);
		scrub_stack();
		collect_hard();
		CHECK_CMP(objects_alive(&static_hidden[N / 2], 1), ==, 1);
		__atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
		CHECK(!pthread_join(thread, NULL));
	}
}

static void in_memory(void *(*alloc)(size_t), size_t size, void **ends, bool kept)
{
	struct ends e = { alloc, size, ends, static_place, static_hidden, 2 };

	in_thread(ends_make, &e);
	scrub_stack();
	collect_hard();
	if (kept)
		CHECK_CMP(objects_alive(static_hidden, N), ==, N);
	else
		CHECK_CMP(objects_alive(static_hidden, N), <, N / 2);
	for (unsigned int i = 0; i < N; i++)
		CHECK(ends[i]);
}

CASE(data, "in static data, or in the heap, it means the next object")
{
	in_memory(goheap_alloc, 64, static_ends, false);
	in_memory(goheap_alloc_noscan, 1024, static_ends, false);
	in_memory(goheap_alloc, 64, goheap_alloc(N * sizeof(void *)), false);
}

CASE(inside, "anywhere, one past the end of a typed object, or one of a MiB, is in it")
{
	in_memory(typed, 64, static_ends, true);
	in_memory(typed, 1024, goheap_alloc(N * sizeof(void *)), true);
	in_memory(goheap_alloc, MIB, static_ends, true);
	in_memory(goheap_alloc_noscan, 2 * MIB, static_ends, true);
}
