// SPDX-License-Identifier: MIT
/*
 * The pacer, after that of Go 1.19 and later (the design document "GC pacer
 * redesign", golang/go issue 44167).
 *
 * The goal.  A cycle should be over when the heap reaches
 *
 *	marked + (marked + roots) * GOGC / 100
 *
 * roots counting as in Go, since they cost as much to search as objects do; not
 * under 4 MiB * GOGC / 100.  A memory limit lowers it to what the limit leaves when
 * everything that is not an object is taken off, and a reserve for what a cycle may
 * end above its goal (3 %, a MiB at least); but never so near the live heap that
 * collections follow on each other's heels.
 *
 * The trigger.  While a cycle marks, the program allocates.  How much, follows from
 * cons/mark: the bytes that a processor allocates in the time in which a processor
 * scans one byte, measured in each cycle as
 *
 *	allocated * u / (scanned * (1 - u))
 *
 * with u the share of the processors that marked.  Of the last cycles the highest
 * counts: too early a trigger costs little, too late a one makes the program wait.  With
 * marking at 25 % of the processors (workers, and assists for what they do not get) the
 * runway is cons/mark * 0.75 / 0.25 * work, and the trigger is the goal less the
 * runway; but not in the first 0.7 of the way from the live heap to the goal, and not in
 * its last twentieth (or 4 MiB, if that is less).  What workers got above the 25 %
 * had nobody else's use, so it does not count as taken from the program.
 *
 * The work is expected to be what the last cycle scanned; more if the heap grows: a
 * heap that grew by half is expected to do so again.
 *
 * One stop.  A heap that is marked in a few milliseconds is marked while the world is
 * stopped: to watch what the program writes, to have its writes watched, to search
 * them again and to start and stop twice would cost it more than it has to wait.
 * That is expected from the work of the next cycle and what a byte took in the last.  Such
 * a cycle needs no runway: its trigger is the goal.
 *
 * Assists.  Marking has to keep to a line: no work done at the trigger, all that
 * is expected at the goal, and all that there can be, everything allocated being live,
 * a quarter above the goal (at the limit's own edge under a memory limit).  An
 * allocating thread that finds marking behind the line works until it is not.  The
 * line only depends on two counts that all threads share, so there is no debt or
 * credit to be kept by each, and none is lost when a thread ends; a thread that allocates
 * more asks more often.
 *
 * Sweeping keeps to a line too: nothing swept at the end of the cycle, everything a
 * little before the next trigger.
 */
#include <string.h>

#include "pacer.h"

/* Go's defaultHeapMinimum. */
#define HEAP_MINIMUM		((uint64_t)4 << 20)

/* The share of the processors that marking is to take. */
#define GOAL_UTILIZATION	0.25

/* Where between the live heap and the goal the trigger may be, in 64ths; as Go's. */
#define TRIGGER_EARLIEST	45
#define TRIGGER_LATEST		61

/* What may be allocated, at least, from one collection to the next, and during one. */
#define RUNWAY_LEAST		((uint64_t)64 << 10)
/* ... under a memory limit: 1/16 of the live heap more, from one to the next. */
#define DISTANCE_SHIFT		4

/* ns for a byte, before anything has been measured: 16-byte objects side by side. */
#define SCAN_COST_GUESS		0.75

/* What all processors together mark faster than one does, of what they should. */
#define PARALLEL_SHARE		0.75

/* Reserve under a memory limit: per cent, and bytes at least; as Go's. */
#define LIMIT_RESERVE_PERCENT	3
#define LIMIT_RESERVE_LEAST	((uint64_t)1 << 20)

/* From the goal to where the worst case must be done: a quarter of the goal. */
#define HARD_SHIFT		2

/* Sweeping is over so much before the trigger: 1/16 of the distance. */
#define SWEEP_RESERVE_SHIFT	4

/* A heap is not expected to grow by more than this from one cycle to the next. */
#define GROWTH_MOST		2.0

static void set(uint64_t *field, uint64_t value)
{
	__atomic_store_n(field, value, __ATOMIC_RELAXED);
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Sums and products that end at UINT64_MAX, which stands for "never" and "no limit". */
static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t sub(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* @a * @b / @c; @c is not 0. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 r = (unsigned __int128)a * b / c;

	return r > UINT64_MAX ? UINT64_MAX : (uint64_t)r;
}

/* The heap goal that GOGC sets; UINT64_MAX without. */
static uint64_t percent_goal(const struct pacer *p)
{
	uint64_t percent = (uint64_t)p->in.gc_percent, more, least;

	if (p->in.gc_percent < 0)
		return UINT64_MAX;
	more = mul_div(add(p->marked, p->roots), percent, 100);
	least = mul_div(HEAP_MINIMUM, percent, 100);
	return max(max(add(p->marked, more), least), add(p->marked, RUNWAY_LEAST));
}

/*
 * What the memory limit leaves for objects, and in @reserve how much of it is kept
 * for cycles that end late.
 */
static uint64_t limit_goal(const struct pacer *p, uint64_t *reserve)
{
	uint64_t least = add(p->marked, (p->marked >> DISTANCE_SHIFT) + RUNWAY_LEAST);
	uint64_t room;

	*reserve = 0;
	if (p->in.memory_limit == UINT64_MAX)
		return UINT64_MAX;
	room = sub(p->in.memory_limit, p->in.beside);
	*reserve = max(room / 100 * LIMIT_RESERVE_PERCENT, LIMIT_RESERVE_LEAST);
	/* A limit of a few MiB has no MiB to spare. */
	*reserve = min(*reserve, room / 8);
	if (room - *reserve >= least)
		return room - *reserve;
	*reserve = sub(room, least);
	return least;
}

/* The work of the next cycle: as the last one's, and if the heap grew it will again. */
static uint64_t expected_work(const struct pacer *p)
{
	double growth = 1;

	if (p->marked > p->last_marked) {
		growth = p->last_marked ? (double)p->marked / (double)p->last_marked : GROWTH_MOST;
		if (growth > GROWTH_MOST)
			growth = GROWTH_MOST;
	}
	return (uint64_t)((double)p->scanned * growth);
}

/* Bytes that will be allocated while the next cycle marks. */
static uint64_t runway(const struct pacer *p)
{
	double r = p->cons_mark * (1 - GOAL_UTILIZATION) / GOAL_UTILIZATION *
		   (double)expected_work(p);

	return r < 0x1p63 ? (uint64_t)r : UINT64_MAX;
}

/* How long the world would have to stand still for so much work. */
static uint64_t stop_ns(const struct pacer *p, double work)
{
	double ns = work * (p->scan_cost > 0 ? p->scan_cost : SCAN_COST_GUESS);

	return ns < 0x1p63 ? (uint64_t)ns : UINT64_MAX;
}

/**
 * pacer_stop_ns() - how long a cycle should take if the world stands still
 * @p: the pacer
 * @live: bytes live when it begins
 *
 * Return: ns.
 */
uint64_t pacer_stop_ns(const struct pacer *p, uint64_t live)
{
	uint64_t usual = p->goal == UINT64_MAX ? add(p->marked, p->marked) : p->goal;
	double work = (double)expected_work(p);

	/* All may be alive that has come since; as it must be assumed before the first cycle. */
	if (!p->scanned)
		work = (double)live;
	else if (live > max(usual, HEAP_MINIMUM))
		work *= (double)live / (double)max(usual, HEAP_MINIMUM);
	return stop_ns(p, work);
}

/**
 * pacer_one_stop() - is a cycle to be had in one stop?
 * @p: the pacer
 * @live: bytes live when it begins
 */
bool pacer_one_stop(const struct pacer *p, uint64_t live)
{
	return p->in.stop_ns && pacer_stop_ns(p, live) <= p->in.stop_ns;
}

/* Is the next one, if it begins at its goal?  Before the first there is not much to mark. */
static bool next_in_one_stop(const struct pacer *p)
{
	uint64_t work = p->scanned ? expected_work(p) : HEAP_MINIMUM;

	return p->in.stop_ns && stop_ns(p, (double)work) <= p->in.stop_ns;
}

/* Where a cycle has to begin that marks while the program runs; @goal is one. */
static uint64_t early_trigger(const struct pacer *p, uint64_t goal)
{
	uint64_t way, earliest, latest;

	/* The goal is above: percent_goal() and limit_goal() see to that. */
	way = goal - p->marked;
	earliest = p->marked + mul_div(way, TRIGGER_EARLIEST, 64);
	latest = p->marked + mul_div(way, TRIGGER_LATEST, 64);
	latest = max(latest, sub(goal, HEAP_MINIMUM));
	return max(earliest, min(latest, sub(goal, runway(p))));
}

static uint64_t next_trigger(const struct pacer *p, uint64_t goal)
{
	return goal == UINT64_MAX || next_in_one_stop(p) ? goal : early_trigger(p, goal);
}

/*
 * What a cycle that is under way is held to.  It has started where it has: if that
 * is late it gets half the runway that was meant for it all the same, or allocation
 * would stand still until it is over.  Under a memory limit it gets next to none.
 */
static uint64_t cycle_goal(const struct pacer *p, uint64_t goal, uint64_t limited)
{
	uint64_t least = RUNWAY_LEAST;

	if (p->start == UINT64_MAX || goal == UINT64_MAX)
		return goal;
	if (goal < limited)
		least = max(least, (goal - early_trigger(p, goal)) / 2);
	return max(goal, add(p->start, least));
}

/* Decide anew. */
static void commit(struct pacer *p)
{
	uint64_t reserve, limited = limit_goal(p, &reserve);
	uint64_t goal = min(percent_goal(p), limited), hard;

	set(&p->trigger, next_trigger(p, goal));
	goal = cycle_goal(p, goal, limited);
	hard = add(goal, goal >> HARD_SHIFT);
	if (limited != UINT64_MAX)
		hard = max(min(hard, add(limited, reserve)), add(goal, RUNWAY_LEAST));
	set(&p->goal, goal);
	set(&p->hard, hard);
}

/* Where sweeping must be over, if it began at @live. */
static uint64_t sweep_end(const struct pacer *p, uint64_t live)
{
	uint64_t distance = sub(p->trigger, live);

	if (p->trigger == UINT64_MAX)
		return UINT64_MAX;
	return add(live, distance - (distance >> SWEEP_RESERVE_SHIFT));
}

/**
 * pacer_init() - a pacer that knows nothing yet
 * @p: the pacer
 * @in: the settings
 */
void pacer_init(struct pacer *p, const struct pacer_input *in)
{
	memset(p, 0, sizeof(*p));
	p->start = UINT64_MAX;
	p->in = *in;
	commit(p);
}

/**
 * pacer_settings() - a setting has changed, or the memory that is not for objects has
 * @p: the pacer
 * @in: the settings
 *
 * At any time: a cycle under way, and sweeping, are held to the new goal.
 */
void pacer_settings(struct pacer *p, const struct pacer_input *in)
{
	p->in = *in;
	commit(p);
	if (p->sweep_pages)
		set(&p->sweep_to, sweep_end(p, p->sweep_from));
}

/**
 * pacer_start() - a cycle begins
 * @p: the pacer
 * @live: bytes live now, garbage that is not known to be any included
 * @scannable: bytes that are known to need scanning; 0 if nothing is known.  The pacer
 *	has an expectation of its own, from the last cycle, and the higher one counts.
 */
void pacer_start(struct pacer *p, uint64_t live, uint64_t scannable)
{
	uint64_t expected = expected_work(p);

	if (!p->scanned && !scannable)
		expected = live;
	expected = max(max(expected, scannable), 1);
	set(&p->expected, min(expected, max(add(live, p->roots), max(p->scanned, scannable))));
	set(&p->most, max(add(live, p->roots), p->expected));
	set(&p->start, live);
	commit(p);
}

/*
 * cons/mark of a cycle; negative if it tells nothing.  Worker time beyond the goal
 * utilization is idle time: it speeds marking up, and takes nothing from the program.
 */
static double measured_cons_mark(const struct pacer_cycle *c)
{
	double time = (double)c->mark_ns * (c->nprocs ? c->nprocs : 1);
	double workers, assists, taken;

	if (!c->mark_ns || !c->scanned || !c->allocated)
		return -1;
	workers = (double)c->worker_ns / time;
	assists = (double)c->assist_ns / time;
	taken = (workers < GOAL_UTILIZATION ? workers : GOAL_UTILIZATION) + assists;
	/* Clocks are not exact, nor read at the same moment. */
	if (taken > 0.95)
		taken = 0.95;
	if (workers + assists <= 0)
		return -1;
	return (double)c->allocated * (workers + assists) / ((double)c->scanned * (1 - taken));
}

/*
 * How long a byte takes to scan in a stopped world.  If it was not stopped it took more
 * processor time than that, but not twice as much.
 */
static void note_cost(struct pacer *p, const struct pacer_cycle *c)
{
	double cost = (double)(c->worker_ns + c->assist_ns), n = c->nprocs;

	if (!c->scanned)
		return;
	if (!c->mark_ns) {
		p->scan_cost = (double)c->stop_ns / (double)c->scanned;
		return;
	}
	cost /= (double)c->scanned * (n > 1 ? n * PARALLEL_SHARE : 1);
	if (p->scan_cost > cost)
		p->scan_cost = cost;
	else if (p->scan_cost < cost / 2)
		p->scan_cost = cost / 2;
}

/**
 * pacer_end() - a cycle has ended
 * @p: the pacer
 * @c: how it went
 *
 * Sets the next goal and trigger.
 */
void pacer_end(struct pacer *p, const struct pacer_cycle *c)
{
	double now = measured_cons_mark(c);

	p->overshoot = p->goal == UINT64_MAX ? 0 : sub(c->live, p->goal);
	if (now >= 0) {
		p->cons_mark = now;
		for (int i = 0; i < PACER_HISTORY; i++)
			if (p->history[i] > p->cons_mark)
				p->cons_mark = p->history[i];
		memmove(p->history, p->history + 1, sizeof(p->history) - sizeof(*p->history));
		p->history[PACER_HISTORY - 1] = now;
	}
	note_cost(p, c);
	p->last_marked = p->marked;
	p->marked = c->marked;
	p->scanned = c->scanned;
	p->roots = c->roots;
	set(&p->start, UINT64_MAX);
	set(&p->sweep_pages, 0);
	commit(p);
}

/**
 * pacer_work_due() - how far marking is behind
 * @p: the pacer
 * @live: bytes live, with what the caller is about to allocate
 * @scanned: bytes that have been scanned in this cycle, by anybody
 *
 * The caller should do so much before it allocates, in pieces of some 64 KiB, and ask
 * again after each: others work too.  If there is nothing to be scanned at the
 * moment, it may go on; what it owes is not forgotten.
 *
 * Return: bytes to scan; 0 if marking is in time, or none is under way.
 */
uint64_t pacer_work_due(const struct pacer *p, uint64_t live, uint64_t scanned)
{
	uint64_t start = pacer_read(&p->start), goal = pacer_read(&p->goal);
	uint64_t hard = pacer_read(&p->hard), expected = pacer_read(&p->expected);
	uint64_t most = pacer_read(&p->most), work;

	/* No cycle, no goal, or not the same moment's. */
	if (live <= start || goal == UINT64_MAX || goal <= start || hard <= goal)
		return 0;
	if (live <= goal)
		work = mul_div(expected, live - start, goal - start);
	else if (live < hard)
		work = expected + mul_div(sub(most, expected), live - goal, hard - goal);
	else
		work = most;
	return sub(work, scanned);
}

/**
 * pacer_overrun() - has the heap outgrown what a cycle was given room for?
 * @p: the pacer
 * @live: bytes live
 *
 * If so, the cycle should be brought to its end whatever the pause.
 */
bool pacer_overrun(const struct pacer *p, uint64_t live)
{
	return pacer_read(&p->start) != UINT64_MAX && live >= pacer_read(&p->hard);
}

/**
 * pacer_sweep_start() - a cycle has left spans to sweep
 * @p: the pacer
 * @live: bytes live now
 * @pages: pages of spans that have not been swept
 *
 * After pacer_end().
 */
void pacer_sweep_start(struct pacer *p, uint64_t live, uint64_t pages)
{
	set(&p->sweep_from, live);
	set(&p->sweep_to, sweep_end(p, live));
	set(&p->sweep_pages, pages);
}

/**
 * pacer_sweep_due() - how far sweeping is behind
 * @p: the pacer
 * @live: bytes live, with what the caller is about to allocate
 * @swept: pages swept since pacer_sweep_start(), by anybody
 *
 * Return: pages to sweep before allocating; 0 if sweeping is in time.
 */
uint64_t pacer_sweep_due(const struct pacer *p, uint64_t live, uint64_t swept)
{
	uint64_t pages = pacer_read(&p->sweep_pages);
	uint64_t from = pacer_read(&p->sweep_from), to = pacer_read(&p->sweep_to);

	if (swept >= pages || live <= from || to == UINT64_MAX)
		return 0;
	/* Rounded up: the last page is due before the end, not at it. */
	if (live < to)
		pages = min(pages, mul_div(pages, live - from, to - from) + 1);
	return sub(pages, swept);
}
