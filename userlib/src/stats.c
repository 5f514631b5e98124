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

static void count_mcache(const struct mcache *mc, struct goheap_stats *s)
{
	s->mallocs += mc->slots + mc->tiny_objects;
	s->frees += mc->tiny_objects;
	s->total_alloc_bytes += mc->slot_bytes;
	for (unsigned int c = 2; c < NUM_SPAN_CLASSES; c++) {
		uint64_t left = run_left(&mc->run[c]);

		if (left) {
			s->mallocs -= left / mc->run[c].size;
			s->total_alloc_bytes -= left;
		}
	}
}

/* gc.lock held. */
static void count_threads(struct heap *h, struct thread *self, struct goheap_stats *s)
{
	stop_the_world(h, self);
	s->mallocs = counter_read(&h->totals.slots) + counter_read(&h->totals.tiny_objects);
	s->frees = counter_read(&h->totals.frees) + counter_read(&h->totals.tiny_objects);
	s->total_alloc_bytes = counter_read(&h->totals.slot_bytes);
	for (const struct thread *t = h->threads.first; t; t = t->next)
		count_mcache(&t->mc, s);
	s->threads = h->threads.count;
	s->alloc_objects = s->mallocs - s->frees;
	s->alloc_bytes = s->total_alloc_bytes - counter_read(&h->totals.freed_bytes);
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
	s->headroom_bytes = h->headroom.span.npages * PAGE_BYTES;
	pthread_mutex_unlock(&h->lock);
	thread_leave_busy(h, t);

	s->heap_sys = b.grown_bytes;
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
	/* Free pages, with the backend or in the library's cache; not the headroom. */
	idle = b.grown_bytes - b.released_bytes;
	idle -= idle > s->headroom_bytes ? s->headroom_bytes : idle;
	s->heap_retained = idle > s->heap_inuse ? idle - s->heap_inuse : 0;
}

/* gc.lock held. */
static void count_collections(struct heap *h, struct goheap_stats *s)
{
	const struct gc *gc = &h->gc;

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
