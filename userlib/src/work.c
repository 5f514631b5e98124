// SPDX-License-Identifier: MIT
/*
 * The queue of grey spans, shared by all markers.
 *
 * First in, first out: the longer a span waits, the more marks it gathers.  Each
 * marker takes and gives spans by the batch, and one that is alone, with an empty
 * queue, goes on with what it has found itself without taking the lock, so that a
 * long list costs no lock a node.
 *
 * Marking is over when nobody is active and the queue is empty.  A marker is
 * active from work_enter() to work_leave(), but for the time that it waits for
 * work in work_wait(): what it has in its hands is as good as queued.
 *
 * A span is put on the queue by whoever sets its @queued flag.  A marker clears it
 * before it reads the mark bits, and marks are set before the flag is looked at,
 * both with a full barrier: a new mark is either seen by the one who searches the
 * span, or finds the flag clear and queues the span again.
 *
 * A worker may wake late, and be active while one collection ends and the next begins.
 * So what a marker knows of the collection it learns anew with each span that it takes.
 */
#include "heap.h"
#include "mark.h"

/* Looks at the queue before a marker goes to sleep: some 20 us. */
#define SPINS	500

static inline void cpu_relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield" ::: "memory");
#endif
}

void work_init(struct work_queue *q)
{
	os_short_lock_init(&q->lock);
}

/**
 * work_forget() - in a forked child: nobody marks
 * @q: the queue
 */
void work_forget(struct work_queue *q)
{
	*q = (struct work_queue){ 0 };
	work_init(q);
}

/* q->lock held. */
static void notify(struct work_queue *q)
{
	__atomic_fetch_add(&q->changed, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->sleepers, __ATOMIC_SEQ_CST))
		os_futex_wake(&q->changed, INT32_MAX);
}

/*
 * Let go of q->lock until something has changed.  The next span is mostly found in less
 * time than it takes to fall asleep and be woken.
 */
static void wait_for_change(struct work_queue *q)
{
	uint32_t seen = q->changed;

	pthread_mutex_unlock(&q->lock);
	for (unsigned int i = 0; i < SPINS; i++) {
		if (__atomic_load_n(&q->changed, __ATOMIC_ACQUIRE) != seen)
			goto out;
		cpu_relax();
	}
	/* Either this is seen by who changes something, or the change is, by the kernel. */
	__atomic_fetch_add(&q->sleepers, 1, __ATOMIC_SEQ_CST);
	os_futex_wait(&q->changed, seen, NULL);
	__atomic_fetch_sub(&q->sleepers, 1, __ATOMIC_SEQ_CST);
out:
	pthread_mutex_lock(&q->lock);
}

static void set_count(struct work_queue *q, uint64_t count)
{
	__atomic_store_n(&q->count, count, __ATOMIC_RELAXED);
}

/* Append what was found.  q->lock held. */
static void append(struct work_queue *q, struct span **spans, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		spans[i]->work_next = NULL;
		if (q->tail)
			q->tail->work_next = spans[i];
		else
			q->head = spans[i];
		q->tail = spans[i];
	}
	set_count(q, q->count + n);
	if (n && q->idle)
		notify(q);
}

/* Take from the front, a fair share.  q->lock held. */
static void take(struct work_queue *q, struct gc_work *w)
{
	uint64_t share = q->count / (q->active + q->idle + 1) + 1;
	unsigned int n = 0;

	/*
	 * The heap may have grown since the marker looked: a worker may have woken as
	 * one collection ended and be at work for the next.
	 */
	w->arena_bytes = __atomic_load_n(&w->heap->top, __ATOMIC_RELAXED) << PAGE_SHIFT;
	/* That one was perhaps in one stop, and this is not. */
	w->stopped = __atomic_load_n(&w->heap->gc.one_stop, __ATOMIC_RELAXED);
	while (n < WORK_BATCH && n < share && q->head) {
		w->in[n++] = q->head;
		q->head = q->head->work_next;
	}
	if (!q->head)
		q->tail = NULL;
	set_count(q, q->count - n);
	w->in_next = 0;
	w->in_end = n;
}

/* q->lock held. */
static void add_counts(struct work_queue *q, struct gc_work *w)
{
	struct gc_counts *total = &q->total[w->by];

	total->live_bytes += w->n.live_bytes;
	total->scanned_bytes += w->n.scanned_bytes;
	total->root_bytes += w->n.root_bytes;
	total->stack_bytes += w->n.stack_bytes;
	total->spans += w->n.spans;
	total->objects += w->n.objects;
	total->lone += w->n.lone;
	__atomic_store_n(&q->scanned, q->scanned + w->n.scanned_bytes, __ATOMIC_RELAXED);
	w->n = (struct gc_counts){ 0 };
}

/**
 * work_reset() - a new collection: nothing has been done
 * @q: the queue
 *
 * Context: nobody is active, but for workers that come late and find nothing.
 */
void work_reset(struct work_queue *q)
{
	/* Nobody has anything to count, but a worker that wakes late adds it. */
	pthread_mutex_lock(&q->lock);
	for (unsigned int i = 0; i < NUM_MARKED_BY; i++)
		q->total[i] = (struct gc_counts){ 0 };
	__atomic_store_n(&q->scanned, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&q->lock);
}

/**
 * work_total() - what all markers have done
 * @q: the queue
 *
 * Context: as work_reset().
 */
struct gc_counts work_total(struct work_queue *q)
{
	struct gc_counts sum = { 0 };

	pthread_mutex_lock(&q->lock);
	for (unsigned int i = 0; i < NUM_MARKED_BY; i++) {
		sum.live_bytes += q->total[i].live_bytes;
		sum.scanned_bytes += q->total[i].scanned_bytes;
		sum.root_bytes += q->total[i].root_bytes;
		sum.stack_bytes += q->total[i].stack_bytes;
		sum.spans += q->total[i].spans;
		sum.objects += q->total[i].objects;
		sum.lone += q->total[i].lone;
	}
	pthread_mutex_unlock(&q->lock);
	return sum;
}

/* Give everything in hand back.  q->lock held. */
static void give_back(struct work_queue *q, struct gc_work *w)
{
	add_counts(q, w);
	append(q, w->in + w->in_next, w->in_end - w->in_next);
	append(q, w->out, w->nout);
	w->in_next = 0;
	w->in_end = 0;
	w->nout = 0;
}

/**
 * work_found_full() - put what a marker has found on the queue
 * @q: the queue
 * @w: the marker's hands, which are full
 */
void work_found_full(struct work_queue *q, struct gc_work *w)
{
	pthread_mutex_lock(&q->lock);
	append(q, w->out, w->nout);
	w->nout = 0;
	pthread_mutex_unlock(&q->lock);
}

/* Somebody has nothing to do: leave him half of what is in hand. */
static void share(struct work_queue *q, struct gc_work *w)
{
	unsigned int half = (w->in_end - w->in_next) / 2;

	pthread_mutex_lock(&q->lock);
	w->in_end -= half;
	append(q, w->in + w->in_end, half);
	pthread_mutex_unlock(&q->lock);
}

/**
 * work_next() - the next span to search
 * @q: the queue
 * @w: the marker's hands
 *
 * Context: active.
 * Return: the span, which is on the queue no more; NULL if there is none now.
 */
struct span *work_next(struct work_queue *q, struct gc_work *w)
{
	if (w->in_next < w->in_end) {
		if (unlikely(__atomic_load_n(&q->idle, __ATOMIC_RELAXED)) && w->in_end - w->in_next > 1)
			share(q, w);
		return w->in[w->in_next++];
	}
	if (w->nout && !__atomic_load_n(&q->count, __ATOMIC_RELAXED) &&
	    !__atomic_load_n(&q->idle, __ATOMIC_RELAXED)) {
		for (unsigned int i = 0; i < w->nout; i++)
			w->in[i] = w->out[i];
		w->in_next = 0;
		w->in_end = w->nout;
		w->nout = 0;
		return w->in[w->in_next++];
	}
	pthread_mutex_lock(&q->lock);
	append(q, w->out, w->nout);
	w->nout = 0;
	add_counts(q, w);
	take(q, w);
	pthread_mutex_unlock(&q->lock);
	return w->in_end ? w->in[w->in_next++] : NULL;
}

static void halt_if_asked(struct work_queue *q)
{
	if (!q->halt)
		return;
	q->halted++;
	notify(q);
	while (q->halt)
		wait_for_change(q);
	q->halted--;
}

/**
 * work_enter() - begin to mark
 * @q: the queue
 */
void work_enter(struct work_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->active++;
	halt_if_asked(q);
	pthread_mutex_unlock(&q->lock);
}

/**
 * work_enter_if_any() - begin to mark, if there is anything to do
 * @q: the queue
 *
 * Return: true if the caller is active now.
 */
bool work_enter_if_any(struct work_queue *q)
{
	bool any;

	if (!__atomic_load_n(&q->count, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&q->lock);
	any = q->head && !q->halt;
	q->active += any;
	pthread_mutex_unlock(&q->lock);
	return any;
}

/**
 * work_leave() - mark no more
 * @q: the queue
 * @w: the marker's hands, which are emptied
 */
void work_leave(struct work_queue *q, struct gc_work *w)
{
	pthread_mutex_lock(&q->lock);
	give_back(q, w);
	if (!--q->active || q->halt)
		notify(q);
	pthread_mutex_unlock(&q->lock);
}

/**
 * work_wait() - wait until there is work, or never will be
 * @q: the queue
 * @w: the marker's hands, empty
 *
 * Context: active.
 * Return: false when marking is over; the caller is not active any more.
 */
bool work_wait(struct work_queue *q, struct gc_work *w)
{
	bool more;

	pthread_mutex_lock(&q->lock);
	halt_if_asked(q);
	give_back(q, w);
	q->active--;
	if (!q->active && !q->head)
		notify(q);
	__atomic_store_n(&q->idle, q->idle + 1, __ATOMIC_RELAXED);
	while (!q->head && q->active)
		wait_for_change(q);
	__atomic_store_n(&q->idle, q->idle - 1, __ATOMIC_RELAXED);
	more = q->head;
	q->active += more;
	if (more)
		halt_if_asked(q);
	pthread_mutex_unlock(&q->lock);
	return more;
}

/**
 * work_checkpoint() - stand still if that is asked for
 * @q: the queue
 * @w: the marker's hands
 *
 * Context: active, between two spans.
 */
void work_checkpoint(struct work_queue *q, struct gc_work *w)
{
	pthread_mutex_lock(&q->lock);
	give_back(q, w);
	halt_if_asked(q);
	pthread_mutex_unlock(&q->lock);
}

/**
 * work_halt() - have all markers stand still
 * @q: the queue
 *
 * Context: not busy, gc.lock held.  Returns when they do, with nothing in their hands.
 */
void work_halt(struct work_queue *q)
{
	pthread_mutex_lock(&q->lock);
	__atomic_store_n(&q->halt, true, __ATOMIC_RELAXED);
	while (q->active > q->halted)
		wait_for_change(q);
	pthread_mutex_unlock(&q->lock);
}

/**
 * work_claim() - have all other markers stand still
 * @q: the queue
 *
 * Till work_resume().  None is at work when it is called, but a worker may wake late
 * from the last collection.
 *
 * Context: active, the world is stopped.
 */
void work_claim(struct work_queue *q)
{
	pthread_mutex_lock(&q->lock);
	__atomic_store_n(&q->halt, true, __ATOMIC_RELAXED);
	while (q->active > q->halted + 1)
		wait_for_change(q);
	pthread_mutex_unlock(&q->lock);
}

/**
 * work_resume() - have them go on
 * @q: the queue
 */
void work_resume(struct work_queue *q)
{
	pthread_mutex_lock(&q->lock);
	__atomic_store_n(&q->halt, false, __ATOMIC_RELAXED);
	notify(q);
	pthread_mutex_unlock(&q->lock);
}
