// SPDX-License-Identifier: MIT
/*
 * goheap_read_stats(): the figures, put together from the threads' own counts.
 *
 * A thread counts slots when it claims a run of them; what it has not handed
 * out yet is subtracted here.  The world is stopped for it, as in Go's
 * runtime.ReadMemStats(), so that the figures belong together.  Compiled
 * without ThreadSanitizer, which does not know that the others stand.
 */
#include <goheap.h>
#include <string.h>

#include "heap.h"

#if GOHEAP_SIZES != NUM_SIZE_CLASSES || GOHEAP_PAUSES != PAUSES_KEPT
#error the public header and the library disagree
#endif

static void count_mcache(const struct mcache *mc, struct goheap_stats *s)
{
	s->tiny_objects += mc->tiny_objects;
	for (unsigned int i = 0; i < NUM_SIZE_CLASSES; i++) {
		s->by_size[i].mallocs += mc->slots[i];
		s->by_size[i].frees += mc->frees[i];
	}
	for (unsigned int c = FIRST_SMALL_CLASS; c < NUM_SPAN_CLASSES; c++) {
		uint64_t left = run_left(&mc->run[c]);

		if (left)
			s->by_size[size_class_of(c)].mallocs -= left / mc->run[c].size;
	}
}

/* The sums over all size classes. */
static void count_objects(struct heap *h, struct goheap_stats *s)
{
	s->mallocs = s->tiny_objects;
	s->frees = s->tiny_objects;
	s->total_alloc_bytes = counter_read(&h->totals.large_bytes);
	s->alloc_bytes = s->total_alloc_bytes - counter_read(&h->totals.large_freed_bytes);
	for (unsigned int i = 0; i < NUM_SIZE_CLASSES; i++) {
		struct goheap_size_stats *z = &s->by_size[i];

		z->size = class_to_size[i];
		s->mallocs += z->mallocs;
		s->frees += z->frees;
		s->total_alloc_bytes += z->mallocs * z->size;
		s->alloc_bytes += (z->mallocs - z->frees) * z->size;
	}
	s->alloc_objects = s->mallocs - s->frees;
}

/* gc.lock held. */
static void count_threads(struct heap *h, struct thread *self, struct goheap_stats *s)
{
	stop_the_world(h, self);
	s->tiny_objects = counter_read(&h->totals.tiny_objects);
	for (unsigned int i = 0; i < NUM_SIZE_CLASSES; i++) {
		s->by_size[i].mallocs = counter_read(&h->totals.slots[i]);
		s->by_size[i].frees = counter_read(&h->totals.frees[i]);
	}
	for (const struct thread *t = h->threads.first; t; t = t->next)
		count_mcache(&t->mc, s);
	s->threads = h->threads.count;
	for (const struct thread *t = h->threads.first; t; t = t->next)
		s->mcache_inuse += sizeof(*t);
	count_objects(h, s);
	s->finalizers = counter_read(&h->specials.finalizers);
	s->finalizers_queued = counter_read(&h->specials.queued);
	s->finalizers_run = counter_read(&h->specials.run);
	s->weak_handles = counter_read(&h->specials.weak);
	s->weak_cleared = counter_read(&h->specials.cleared);
	start_the_world(h);
}

static void count_pages(struct heap *h, struct thread *t, struct goheap_stats *s)
{
	struct backend_stats b;
	uint64_t idle;

	thread_enter_busy(h, t);
	pthread_mutex_lock(&h->lock);
	heap_page_stats(h, &b);
	s->heap_inuse = h->inuse;
	s->peak_heap_inuse = h->peak_inuse;
	s->metadata_bytes = h->meta.bytes;
	s->mspan_sys = h->meta.span_bytes;
	s->mspan_inuse = h->meta.span_bytes - h->meta.span_bytes_free;
	s->mcache_sys = h->meta.thread_bytes;
	s->profile_sys = counter_read(&h->profile.bytes);
	s->other_sys = h->meta.bytes - h->meta.span_bytes - h->meta.thread_bytes - s->profile_sys;
	s->gc_sys = align_up(h->top * sizeof(*h->page_map), 4096);
	s->headroom_bytes = h->headroom.span.npages * PAGE_BYTES;
	pthread_mutex_unlock(&h->lock);
	thread_leave_busy(h, t);

	s->heap_sys = b.grown_bytes;
	s->sys = s->heap_sys + s->metadata_bytes + s->gc_sys;
	s->heap_released = b.released_bytes;
	s->heap_idle = s->heap_sys > s->heap_inuse ? s->heap_sys - s->heap_inuse : 0;
	s->retain_goal = b.retain_goal;
	s->hard_limit = h->settings.hard_limit;
	s->released_request = b.released[RELEASE_REQUEST];
	s->released_background = b.released[RELEASE_BACKGROUND];
	s->released_growth = b.released[RELEASE_GROWTH];
	s->released_limit = b.released[RELEASE_LIMIT];
	s->released_pressure = b.released[RELEASE_PRESSURE];
	for (unsigned int i = 0; i < NUM_RELEASE_REASONS; i++)
		s->released_total += b.released[i];
	s->pressure_events = b.pressure;
	s->scavenge_cpu_ns = counter_read(&h->background.scavenge_cpu);
	s->late_sweep_bytes = counter_read(&h->gc.late_sweep);
	/* Free pages, with the backend or in the library's cache; not the headroom. */
	idle = b.grown_bytes - b.released_bytes;
	idle -= idle > s->headroom_bytes ? s->headroom_bytes : idle;
	s->heap_retained = idle > s->heap_inuse ? idle - s->heap_inuse : 0;
}

/* gc.lock held. */
static void count_collections(struct heap *h, struct goheap_stats *s)
{
	const struct gc *gc = &h->gc;
	uint64_t elapsed = now_ns(CLOCK_MONOTONIC) - h->start_mono;

	s->gc_percent = gc->percent;
	s->memory_limit = gc->memory_limit;
	s->live_bytes = gc->marked;
	s->next_gc = gc->goal;
	s->num_gc = gc->cycles;
	s->num_forced_gc = gc->forced;
	s->num_periodic_gc = gc->periodic;
	s->num_pressure_gc = gc->pressure;
	s->pause_total_ns = gc->pause_total;
	s->pause_max_ns = gc->pause_max;
	s->last_gc_ns = gc->last_end;
	s->gc_cpu_ns = counter_read(&gc->cpu);
	s->gc_cpu_fraction = (double)s->gc_cpu_ns / (double)(elapsed + !elapsed) / os_processors();
	memcpy(s->pause_ns, h->pauses.ns, sizeof(s->pause_ns));
	memcpy(s->pause_end_ns, h->pauses.end, sizeof(s->pause_end_ns));
}

PUBLIC void goheap_read_stats(struct goheap_stats *stats)
{
	struct heap *h = heap_get();
	struct thread *t = h ? thread_register(h) : NULL;
	struct goheap_stats s;

	if (!stats)
		return;
	memset(&s, 0, sizeof(s));
	s.size = stats->size;
	if (t) {
		s.on_device = h->on_device;
		gc_lock(h);
		count_collections(h, &s);
		count_threads(h, t, &s);
		pthread_mutex_unlock(&h->gc.lock);
		count_pages(h, t, &s);
	}
	memcpy(stats, &s, stats->size < sizeof(s) ? stats->size : sizeof(s));
}
