// SPDX-License-Identifier: MIT
/*
 * Catches: collections that start too late to end at the goal, or far too early;
 * threads made to help that need not, or too little; a goal above the memory limit;
 * sweeping that is not over when the next collection starts; estimates that run away.
 *
 * The pacer is pure, so it is tried on a simulated program: processors, threads that
 * allocate, threads that mark, a live heap that changes, thousands of cycles in each
 * case.  The bounds asserted are the ones that Documentation/library.rst states.
 *
 * PACER_CSV=DIR in the environment: each case writes its cycles to DIR/CASE.csv,
 * for plot-pacer.
 */
#include <math.h>
#include <stdlib.h>

#include "../src/pacer.h"
#include "gc.h"
#include "tap.h"

#define GIB		(1024 * MIB)
#define SLICE		(64 * KIB)	/* an assist's piece of work */
#define WARM_UP		10		/* cycles that are not judged */
#define NONE		UINT64_MAX

/* Over all cycles that are judged. */
struct figures {
	unsigned int judged, overruns, one_stops, long_stops;
	double worst_stop;
	double worst_overshoot, sum_overshoot, sum_assists, worst_assists, sum_utilization, sum_way;
	double worst_unswept, worst_footprint, cpu_gc, cpu_all;
	double mean_overshoot, mean_assists, mean_utilization, mean_way, gc_share;
};

/*
 * The simulated program and machine.  Rates are bytes a ns of one processor; time goes on
 * while @quantum bytes are allocated, by all threads together.
 */
struct sim {
	const char *name;
	struct pacer p;
	struct pacer_input in;
	unsigned int nprocs, mutators, workers;
	double alloc_rate, scan_rate;
	double scan_share;		/* of the live heap: holds pointers */
	double dirty;			/* bytes scanned again for a byte allocated */
	uint64_t roots;
	uint64_t quantum;
	uint64_t target;		/* the program's live data */
	/* Called before each cycle. */
	void (*change)(struct sim *s, unsigned int cycle);

	uint64_t rnd;
	uint64_t live, reachable, inuse;
	uint64_t unswept, swept;
	double clock;
	FILE *csv;
	unsigned int cycle;
	double early;			/* so many cycles, as a part of all, are asked for early */

	/* Of the last cycle. */
	uint64_t goal, trigger, started, peak, marked;
	double overshoot, assists, utilization, way;

	struct figures f;
};

static void sim_init(struct sim *s, const char *name)
{
	const char *dir = getenv("PACER_CSV");
	char path[4096];

	memset(s, 0, sizeof(*s));
	s->name = name;
	s->in = (struct pacer_input){ .gc_percent = 100, .memory_limit = NONE };
	s->nprocs = 4;
	s->mutators = 4;
	s->workers = 1;
	s->alloc_rate = 0.05;
	s->scan_rate = 1;
	s->scan_share = 1;
	s->roots = 256 * KIB;
	s->quantum = 8 * KIB;
	s->rnd = 1;
	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/%s.csv", dir, name);
	CHECK(s->csv = fopen(path, "w"));
	fprintf(s->csv, "cycle,seconds,marked,live_target,trigger,goal,peak,assist_percent\n");
}

static double uniform(struct sim *s)
{
	return (double)(rnd(&s->rnd) >> 11) * 0x1p-53;
}

/* Processors that the allocating threads, and the workers, get while both run. */
static void share_out(const struct sim *s, bool marking, double *program, double *markers)
{
	unsigned int threads = s->mutators + (marking ? s->workers : 0);
	double each = threads > s->nprocs ? (double)s->nprocs / threads : 1;

	*program = s->mutators * each;
	*markers = marking ? s->workers * each : 0;
}

/* @bytes come to be; the live data follow what the program wants. */
static void allocate(struct sim *s, uint64_t bytes)
{
	s->live += bytes;
	s->inuse += bytes;
	if (s->reachable < s->target)
		s->reachable += bytes < s->target - s->reachable ? bytes : s->target - s->reachable;
	else
		s->reachable = s->target;
}

static uint64_t sweep(struct sim *s, uint64_t pages)
{
	uint64_t n = pages < s->unswept - s->swept ? pages : s->unswept - s->swept;

	s->swept += n;
	return n;
}

/* The program runs until a collection is due, or asked for. */
static void run_program(struct sim *s)
{
	bool early = s->early > 0 && uniform(s) < s->early;
	uint64_t until = early ? s->live + (uint64_t)(uniform(s) * s->target) : NONE;
	double program, markers;

	share_out(s, false, &program, &markers);
	while (s->live < pacer_trigger(&s->p) && s->live < until) {
		uint64_t due = pacer_sweep_due(&s->p, s->live + s->quantum, s->swept);

		CHECK_CMP(due, <=, s->unswept - s->swept);
		sweep(s, due);
		allocate(s, s->quantum);
		s->clock += s->quantum / (s->alloc_rate * program);
		s->f.cpu_all += s->quantum / s->alloc_rate;
	}
}

/* The spans that a cycle leaves.  Nobody sweeps in the background: the lines must be enough. */
static void leave_spans(struct sim *s, const struct pacer_cycle *c)
{
	pacer_end(&s->p, c);
	s->live = c->marked;
	s->unswept = (s->inuse + 8191) / 8192;
	s->swept = 0;
	s->inuse = c->marked;
	pacer_sweep_start(&s->p, s->live, s->unswept);
}

/* One cycle for which the world is stopped: nothing is allocated. */
static void run_stopped_cycle(struct sim *s)
{
	double work = s->roots + s->scan_share * s->reachable;
	double stop = work / (s->scan_rate * s->nprocs);
	struct pacer_cycle c = {
		.marked = s->reachable, .live = s->live, .scanned = (uint64_t)work,
		.roots = s->roots, .stop_ns = (uint64_t)stop,
		.worker_ns = (uint64_t)(stop * s->nprocs), .nprocs = s->nprocs,
	};

	s->trigger = pacer_trigger(&s->p);
	s->started = s->peak = s->live;
	s->marked = c.marked;
	pacer_start(&s->p, s->live, 0);
	s->clock += stop;
	s->goal = s->trigger;
	s->overshoot = s->peak > s->goal ? (double)(s->peak - s->goal) / s->goal : 0;
	s->assists = s->utilization = 0;
	s->f.cpu_gc += c.worker_ns;
	s->f.cpu_all += c.worker_ns;
	s->f.one_stops++;
	s->f.long_stops += stop > s->in.stop_ns;
	if (stop > s->f.worst_stop)
		s->f.worst_stop = stop;
	leave_spans(s, &c);
}

/* One cycle, from trigger to end. */
static void run_cycle(struct sim *s)
{
	double program, markers, wall = 0, worker_ns = 0, assist_ns = 0;
	uint64_t start = s->live, scanned = 0, at_start = s->reachable;
	double work = s->roots + s->scan_share * at_start;
	struct pacer_cycle c = { .nprocs = s->nprocs, .roots = s->roots };

	if (pacer_one_stop(&s->p, s->live)) {
		run_stopped_cycle(s);
		return;
	}
	share_out(s, true, &program, &markers);
	s->started = start;
	s->trigger = pacer_trigger(&s->p);
	pacer_start(&s->p, start, 0);
	CHECK_CMP(pacer_goal(&s->p), >, start);
	while (scanned < work) {
		uint64_t due;
		double dt;

		while (scanned < work &&
		       (due = pacer_work_due(&s->p, s->live + s->quantum, scanned))) {
			if (due > SLICE)
				due = SLICE;
			/* One thread helps; the others and the workers go on. */
			dt = due / s->scan_rate / program;
			assist_ns += due / s->scan_rate;
			worker_ns += dt * markers;
			wall += dt;
			scanned += due + (uint64_t)(dt * markers * s->scan_rate);
		}
		allocate(s, s->quantum);
		work += s->dirty * s->quantum;
		dt = s->quantum / (s->alloc_rate * program);
		wall += dt;
		worker_ns += dt * markers;
		scanned += (uint64_t)(dt * markers * s->scan_rate);
		if (pacer_overrun(&s->p, s->live) && scanned < work) {
			/* The world is stopped, and all processors mark. */
			dt = (work - scanned) / (s->scan_rate * s->nprocs);
			wall += dt;
			worker_ns += dt * s->nprocs;
			scanned = (uint64_t)work;
			s->f.overruns++;
		}
	}
	c.scanned = (uint64_t)work;
	c.allocated = s->live - start;
	/* What was allocated meanwhile is black. */
	c.marked = at_start + c.allocated;
	c.live = s->live;
	c.mark_ns = (uint64_t)wall;
	c.worker_ns = (uint64_t)worker_ns;
	c.assist_ns = (uint64_t)assist_ns;
	s->clock += wall;

	s->goal = pacer_goal(&s->p);
	s->peak = s->live;
	s->marked = c.marked;
	s->overshoot = s->peak > s->goal ? (double)(s->peak - s->goal) / s->goal : 0;
	s->assists = wall > 0 ? assist_ns / (wall * s->nprocs) : 0;
	s->utilization = wall > 0 ? (assist_ns + worker_ns) / (wall * s->nprocs) : 0;
	s->f.cpu_gc += assist_ns + worker_ns;
	s->f.cpu_all += assist_ns + worker_ns + c.allocated / s->alloc_rate;

	leave_spans(s, &c);
}

/* Run @cycles; those after the first WARM_UP are judged. */
static void run(struct sim *s, unsigned int cycles)
{
	for (unsigned int i = 0; i < cycles; i++, s->cycle++) {
		uint64_t before = s->marked;

		if (s->change)
			s->change(s, s->cycle);
		CHECK_CMP(pacer_trigger(&s->p), <=, pacer_goal(&s->p));
		run_program(s);
		/* A cycle that is asked for cannot expect its sweeping to be done. */
		if (s->unswept && s->cycle >= WARM_UP && s->live >= pacer_trigger(&s->p)) {
			double left = (double)(s->unswept - s->swept) / s->unswept;

			if (left > s->f.worst_unswept)
				s->f.worst_unswept = left;
		}
		run_cycle(s);
		s->way = s->goal > before ? (double)(s->started - before) / (s->goal - before) : 1;
		if (s->csv)
			fprintf(s->csv, "%u,%.6f,%llu,%llu,%llu,%llu,%llu,%.3f\n", s->cycle,
				s->clock * 1e-9, (unsigned long long)s->marked,
				(unsigned long long)s->target, (unsigned long long)s->trigger,
				(unsigned long long)s->goal, (unsigned long long)s->peak,
				100 * s->assists);
		if (s->cycle < WARM_UP)
			continue;
		s->f.judged++;
		s->f.sum_overshoot += s->overshoot;
		s->f.sum_assists += s->assists;
		s->f.sum_utilization += s->utilization;
		s->f.sum_way += s->way;
		if (s->in.memory_limit != NONE) {
			double footprint = (double)(s->peak + s->in.beside) / s->in.memory_limit;

			if (footprint > s->f.worst_footprint)
				s->f.worst_footprint = footprint;
		}
		if (s->overshoot > s->f.worst_overshoot)
			s->f.worst_overshoot = s->overshoot;
		if (s->assists > s->f.worst_assists)
			s->f.worst_assists = s->assists;
	}
}

/* The figures of a case. */
static void say(struct sim *s)
{
	unsigned int n = s->f.judged ? s->f.judged : 1;

	s->f.mean_overshoot = s->f.sum_overshoot / n;
	s->f.mean_assists = s->f.sum_assists / n;
	s->f.mean_utilization = s->f.sum_utilization / n;
	s->f.mean_way = s->f.sum_way / n;
	s->f.gc_share = s->f.cpu_gc / s->f.cpu_all;

	printf("# %-14s %4u cycles: overshoot %5.2f %% at worst, %.2f %% mean; trigger at %.2f of "
	       "the way; marking on %.1f %% of the processors, assists %.1f %% (%.1f %% at worst); "
	       "%.1f %% of all processor time; %u stops\n",
	       s->name, s->cycle, 100 * s->f.worst_overshoot, 100 * s->f.mean_overshoot, s->f.mean_way,
	       100 * s->f.mean_utilization, 100 * s->f.mean_assists, 100 * s->f.worst_assists,
	       100 * s->f.gc_share, s->f.overruns);
	if (s->csv)
		fclose(s->csv);
}

#define CHECK_BELOW(a, bound)							\
	do {									\
		double a_ = (a);						\
		if (!(a_ < (bound)))						\
			tap_fail(__FILE__, __LINE__, "%s: %.4f, not below %.4f", #a, a_, bound); \
	} while (0)

#define CHECK_WITHIN(a, low, high)						\
	do {									\
		double a_ = (a);						\
		if (!(a_ >= (low) && a_ <= (high)))				\
			tap_fail(__FILE__, __LINE__, "%s: %.4f, not in %.4f..%.4f", #a, a_,	\
				 (double)(low), (double)(high));		\
	} while (0)

/* Make the heap as large as @target, and begin to count. */
static void grow(struct sim *s, uint64_t target)
{
	s->target = target;
	pacer_init(&s->p, &s->in);
	while (s->reachable < target)
		run(s, 1);
	s->cycle = 0;
	memset(&s->f, 0, sizeof(s->f));
}

/* Sweeping keeps to its line whatever happens. */
#define CHECK_SWEPT(s)	CHECK_CMP((s)->f.worst_unswept, ==, 0)

/* Cycles until marking takes what it will take. */
static unsigned int cycles_to_settle(struct sim *s)
{
	double share[20];
	unsigned int settled = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(share); i++) {
		run(s, 1);
		share[i] = s->utilization;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(share); i++)
		if (fabs(share[i] - share[ARRAY_SIZE(share) - 1]) > 0.01)
			settled = i + 1;
	return settled;
}

CASE(steady, "steady: settles within 4 cycles, marks on 25 % of the processors, ends at the goal")
{
	struct sim s;

	sim_init(&s, "steady");
	grow(&s, 100 * MIB);
	CHECK_CMP(cycles_to_settle(&s), <=, 4);
	run(&s, fewer(2000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.005);
	CHECK_WITHIN(s.f.mean_utilization, 0.245, 0.26);
	/* One worker among five threads on four processors: 20 %. */
	CHECK_WITHIN(s.f.mean_assists, 0.045, 0.06);
	CHECK_WITHIN(s.f.mean_way, 0.8, 0.94);
	CHECK_CMP(s.f.overruns, ==, 0);
	CHECK_SWEPT(&s);
}

CASE(quarter, "steady, with workers that get 25 %: nobody has to help")
{
	struct sim s;

	sim_init(&s, "quarter");
	s.nprocs = 8;
	s.mutators = 6;
	s.workers = 2;
	grow(&s, 100 * MIB);
	run(&s, fewer(1000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.005);
	CHECK_BELOW(s.f.worst_assists, 0.005);
	CHECK_WITHIN(s.f.mean_way, 0.8, 0.94);
	CHECK_SWEPT(&s);
}

CASE(idle, "processors that nobody else uses: marking ends early, and the trigger is late")
{
	struct sim s;

	sim_init(&s, "idle");
	s.nprocs = 8;
	s.mutators = 1;
	s.workers = 4;
	grow(&s, 100 * MIB);
	run(&s, fewer(1000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.0005);
	CHECK_BELOW(s.f.worst_assists, 0.0005);
	CHECK_WITHIN(s.f.mean_way, 0.92, 0.97);
	CHECK_SWEPT(&s);
}

CASE(one_processor, "one processor, eight threads: assists fill up what the worker does not get")
{
	struct sim s;

	sim_init(&s, "one-processor");
	s.nprocs = 1;
	s.mutators = 8;
	grow(&s, 50 * MIB);
	run(&s, fewer(1000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.005);
	CHECK_WITHIN(s.f.mean_utilization, 0.245, 0.26);
	CHECK_SWEPT(&s);
}

CASE(fast_allocation, "allocation that outruns marking by far: more than 25 %, but no overshoot")
{
	struct sim s;

	sim_init(&s, "fast-allocation");
	s.alloc_rate = 0.5;
	grow(&s, 100 * MIB);
	run(&s, fewer(1000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.005);
	CHECK_WITHIN(s.f.mean_way, 0.69, 0.72);
	CHECK_WITHIN(s.f.mean_utilization, 0.45, 0.65);
	CHECK_SWEPT(&s);
}

static void dirty_phase(struct sim *s, unsigned int cycle)
{
	s->dirty = cycle / 50 % 2 ? 1.5 : 0;
}

CASE(dirty_pages, "pages written while marking runs are work too, and are reckoned with")
{
	struct sim s;

	sim_init(&s, "dirty");
	s.change = dirty_phase;
	grow(&s, 100 * MIB);
	run(&s, fewer(2000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.05);
	CHECK_BELOW(s.f.mean_overshoot, 0.002);
	CHECK_SWEPT(&s);
}

static void step(struct sim *s, unsigned int cycle)
{
	s->target = cycle / 25 % 2 ? 160 * MIB : 20 * MIB;
}

CASE(steps, "live data times 8 and back: 10 % above the goal at worst, 4 cycles to recover")
{
	struct sim s;

	sim_init(&s, "steps");
	s.change = step;
	grow(&s, 20 * MIB);
	for (unsigned int i = 0; i < fewer(2000); i++) {
		run(&s, 1);
		/* Up it takes three doublings; then as if nothing had been. */
		if (s.cycle % 25 > 7 && s.cycle > 25) {
			CHECK_BELOW(s.overshoot, 0.005);
			CHECK_BELOW(s.utilization, 0.27);
		}
		/* Down: garbage is found by the first cycle, and gone for the next. */
		if (s.cycle % 50 > 3 && s.cycle % 50 < 25)
			CHECK_CMP(s.marked, <=, 25 * MIB);
	}
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.1);
	CHECK_BELOW(s.f.mean_overshoot, 0.005);
	CHECK_SWEPT(&s);
}

static void sine(struct sim *s, unsigned int cycle)
{
	s->target = (uint64_t)((100 + 60 * sin(cycle / 10.0)) * MIB);
}

CASE(sine, "live data that come and go like the tide: 1 % above the goal at worst")
{
	struct sim s;

	sim_init(&s, "sine");
	s.change = sine;
	grow(&s, 100 * MIB);
	run(&s, fewer(2000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.01);
	CHECK_WITHIN(s.f.mean_utilization, 0.24, 0.26);
	CHECK_SWEPT(&s);
}

static void jitter(struct sim *s, unsigned int cycle)
{
	(void)cycle;
	s->target = (uint64_t)((80 + 40 * uniform(s)) * MIB);
	s->alloc_rate = 0.05 * exp2(2 * uniform(s) - 1);
	s->scan_rate = exp2(uniform(s) - 0.5);
	s->dirty = uniform(s) / 2;
}

CASE(jitter, "everything at random, by up to 4 times: 15 % above at worst, 1 % on average")
{
	struct sim s;

	sim_init(&s, "jitter");
	s.change = jitter;
	grow(&s, 100 * MIB);
	run(&s, fewer(4000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.15);
	CHECK_BELOW(s.f.mean_overshoot, 0.01);
	CHECK_WITHIN(s.f.mean_way, 0.7, 0.94);
	CHECK_WITHIN(s.f.mean_utilization, 0.2, 0.26);
	CHECK_SWEPT(&s);
}

CASE(early, "half of the collections are asked for early: the others are not misled")
{
	struct sim s;

	sim_init(&s, "early");
	s.early = 0.5;
	grow(&s, 100 * MIB);
	run(&s, fewer(2000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.005);
	CHECK_BELOW(s.f.worst_assists, 0.08);
	CHECK_SWEPT(&s);
}

CASE(large_objects, "objects of a quarter of the live heap: one of them above the goal, no more")
{
	struct sim s;

	sim_init(&s, "large-objects");
	s.quantum = 10 * MIB;
	grow(&s, 40 * MIB);
	for (unsigned int i = 0; i < fewer(1000); i++) {
		run(&s, 1);
		CHECK_CMP(s.peak, <, s.goal + s.quantum);
	}
	say(&s);
	CHECK_SWEPT(&s);
}

CASE(tiny, "100 KiB of live data: the heap stays at its least size, collections cost nothing")
{
	struct sim s;

	sim_init(&s, "tiny");
	s.target = 100 * KIB;
	pacer_init(&s.p, &s.in);
	run(&s, fewer(5000));
	say(&s);
	CHECK_CMP(s.goal, ==, 4 * MIB);
	CHECK_BELOW(s.f.worst_overshoot, 0.001);
	CHECK_WITHIN(s.f.mean_way, 0.9, 0.96);
	CHECK_BELOW(s.f.gc_share, 0.02);
	CHECK_SWEPT(&s);
}

CASE(noscan, "64 GiB without pointers: the trigger waits for the last twentieth")
{
	struct sim s;

	sim_init(&s, "noscan");
	s.scan_share = 0.001;
	s.quantum = 4 * MIB;
	grow(&s, 64 * GIB);
	run(&s, fewer(500));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.0005);
	CHECK_WITHIN(s.f.mean_way, 0.95, 1);
	CHECK_BELOW(s.f.gc_share, 0.001);
	CHECK_SWEPT(&s);
}

CASE(limit, "a memory limit of 1.6 times the live data is kept")
{
	struct sim s;

	sim_init(&s, "limit");
	s.in.memory_limit = 160 * MIB;
	s.in.beside = 8 * MIB;
	grow(&s, 100 * MIB);
	run(&s, fewer(2000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.005);
	/* The reserve is not used up, and not much more than it is left. */
	CHECK_WITHIN(s.f.worst_footprint, 0.94, 0.98);
	CHECK_SWEPT(&s);
}

CASE(limit_steps, "a memory limit alone is kept when live data come near it")
{
	struct sim s;

	sim_init(&s, "limit-steps");
	s.in.gc_percent = -1;
	s.in.memory_limit = 240 * MIB;
	s.in.beside = 8 * MIB;
	s.change = step;
	grow(&s, 20 * MIB);
	run(&s, fewer(2000));
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.03);
	CHECK_WITHIN(s.f.worst_footprint, 0.9, 1);
	CHECK_SWEPT(&s);
}

CASE(limit_below, "a memory limit below the live data: half of the processor time at most")
{
	struct sim s;

	sim_init(&s, "limit-below");
	s.in.memory_limit = 50 * MIB;
	grow(&s, 100 * MIB);
	run(&s, fewer(1000));
	say(&s);
	CHECK_BELOW(s.f.gc_share, 0.5);
	/* As near as may be. */
	CHECK_CMP(s.goal, <, 115 * MIB);
}

static const int percent_steps[] = { 100, 50, 400, 10, 100, 1000 };

static void percents(struct sim *s, unsigned int cycle)
{
	s->in.gc_percent = percent_steps[cycle / 10 % ARRAY_SIZE(percent_steps)];
	pacer_settings(&s->p, &s->in);
}

CASE(percents, "GOGC set anew from 10 to 1000 and back: the next collection keeps to it")
{
	struct sim s;

	sim_init(&s, "percents");
	s.change = percents;
	grow(&s, 100 * MIB);
	for (unsigned int i = 0; i < fewer(2000); i++) {
		uint64_t marked = s.marked + s.roots;

		run(&s, 1);
		/* From 1000 to 100: the live heap may be above the new goal when it is set. */
		if (i % 10)
			CHECK_WITHIN((double)s.goal, 0.99 * (marked + marked / 100.0 * s.in.gc_percent),
				     1.01 * (marked + marked / 100.0 * s.in.gc_percent));
	}
	say(&s);
	CHECK_BELOW(s.f.worst_overshoot, 0.005);
	CHECK_SWEPT(&s);
}

/* From here on: what a decision is, rather than what it leads to. */

static struct pacer after(int percent, uint64_t limit, uint64_t beside, uint64_t marked,
			  uint64_t roots)
{
	struct pacer_input in = { percent, limit, beside, 0 };
	struct pacer_cycle c = { .marked = marked, .live = marked, .scanned = marked + roots,
				 .roots = roots, .nprocs = 1 };
	struct pacer p;

	pacer_init(&p, &in);
	pacer_start(&p, marked, 0);
	pacer_end(&p, &c);
	return p;
}

#define STOP_NS		((uint64_t)10000000)

CASE(one_stop, "a heap that is marked in 10 ms is marked in one stop, and that begins at the goal")
{
	struct sim s;

	sim_init(&s, "one-stop");
	s.in.stop_ns = STOP_NS;
	grow(&s, 16 * MIB);
	run(&s, 1000);
	say(&s);
	CHECK_CMP(s.f.one_stops, ==, 1000);
	CHECK_CMP(s.f.long_stops, ==, 0);
	/* Not a moment earlier: the next quantum would have passed it. */
	CHECK_BELOW(s.f.worst_overshoot, (double)s.quantum / (32 * MIB) + 1e-9);
	CHECK_SWEPT(&s);
}

CASE(no_stop, "a large one is not, nor any if the program does not want it")
{
	struct sim s;

	sim_init(&s, "no-stop");
	s.in.stop_ns = STOP_NS;
	grow(&s, GIB);
	run(&s, 100);
	CHECK_CMP(s.f.one_stops, ==, 0);
	say(&s);
	sim_init(&s, "never");
	grow(&s, 4 * MIB);
	run(&s, 100);
	say(&s);
	CHECK_CMP(s.f.one_stops, ==, 0);
}

CASE(outgrown, "a heap that outgrows it is stopped for too long once at most")
{
	struct sim s;

	sim_init(&s, "outgrown");
	s.in.stop_ns = STOP_NS;
	grow(&s, 8 * MIB);
	run(&s, 20);
	CHECK_CMP(s.f.one_stops, ==, 20);
	s.target = GIB;
	run(&s, 100);
	say(&s);
	CHECK_CMP(s.f.one_stops, <, 40);
	CHECK_CMP(s.f.long_stops, <=, 1);
	CHECK_BELOW(s.f.worst_stop, 2.5 * STOP_NS);
}

CASE(harder, "objects that become ten times as dear to mark: one long stop, and back when they are not")
{
	struct sim s;

	sim_init(&s, "harder");
	s.in.stop_ns = STOP_NS;
	grow(&s, 24 * MIB);
	run(&s, 20);
	CHECK_CMP(s.f.one_stops, ==, 20);
	s.scan_rate /= 10;
	run(&s, 50);
	CHECK_CMP(s.f.one_stops, <=, 21);
	CHECK_CMP(s.f.long_stops, <=, 1);
	s.scan_rate *= 10;
	run(&s, 50);
	say(&s);
	CHECK_CMP(s.f.one_stops, >=, 60);
	CHECK_CMP(s.f.long_stops, <=, 1);
}

CASE(off_and_on, "collections that were off while the heap grew: the first is not in one stop")
{
	struct sim s;

	sim_init(&s, "off-and-on");
	s.in.stop_ns = STOP_NS;
	grow(&s, 8 * MIB);
	run(&s, 20);
	CHECK(pacer_one_stop(&s.p, s.live));
	CHECK(!pacer_one_stop(&s.p, GIB));
	s.in.gc_percent = -1;
	pacer_settings(&s.p, &s.in);
	CHECK(!pacer_one_stop(&s.p, GIB));
	/* Before anything is known, too. */
	pacer_init(&s.p, &s.in);
	CHECK(pacer_one_stop(&s.p, MIB));
	CHECK(!pacer_one_stop(&s.p, GIB));
}

CASE(goal, "the goal is marked + (marked + roots) * GOGC/100, and 4 MiB * GOGC/100 at least")
{
	struct pacer p;

	p = after(100, NONE, 0, 0, 0);
	CHECK_CMP(pacer_goal(&p), ==, 4 * MIB);
	p = after(50, NONE, 0, 0, 0);
	CHECK_CMP(pacer_goal(&p), ==, 2 * MIB);
	p = after(100, NONE, 0, 100 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, 200 * MIB);
	p = after(100, NONE, 0, 100 * MIB, 10 * MIB);
	CHECK_CMP(pacer_goal(&p), ==, 210 * MIB);
	p = after(50, NONE, 0, 100 * MIB, 10 * MIB);
	CHECK_CMP(pacer_goal(&p), ==, 155 * MIB);
	p = after(0, NONE, 0, 100 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, 100 * MIB + 64 * KIB);
	p = after(-1, NONE, 0, 100 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, NONE);
	CHECK_CMP(pacer_trigger(&p), ==, NONE);
}

CASE(limit_goal, "a memory limit leaves what is not taken by others, less 3 % and a MiB at least")
{
	struct pacer p;

	p = after(-1, 1000 * MIB, 0, 0, 0);
	CHECK_CMP(pacer_goal(&p), ==, 970 * MIB);
	p = after(-1, 1000 * MIB, 500 * MIB, 0, 0);
	CHECK_CMP(pacer_goal(&p), ==, 485 * MIB);
	p = after(-1, 20 * MIB, 0, 0, 0);
	CHECK_CMP(pacer_goal(&p), ==, 19 * MIB);
	p = after(-1, 4 * MIB, 0, 0, 0);
	CHECK_CMP(pacer_goal(&p), ==, 4 * MIB - 4 * MIB / 8);
	/* The lower of the two counts. */
	p = after(100, 1000 * MIB, 0, 100 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, 200 * MIB);
	/* Near or below the live heap: 1/16 and 64 KiB above it. */
	p = after(100, 100 * MIB, 0, 160 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, 170 * MIB + 64 * KIB);
	p = after(100, 100 * MIB, 200 * MIB, 16 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, 17 * MIB + 64 * KIB);
}

CASE(no_cycle, "no work is due, and nothing overruns, while none is under way or without a goal")
{
	struct pacer p = after(100, NONE, 0, 100 * MIB, 0);

	CHECK_CMP(pacer_work_due(&p, 500 * MIB, 0), ==, 0);
	CHECK(!pacer_overrun(&p, NONE));
	p = after(-1, NONE, 0, 100 * MIB, 0);
	pacer_start(&p, 150 * MIB, 0);
	CHECK_CMP(pacer_work_due(&p, 500 * MIB, 0), ==, 0);
	CHECK_CMP(pacer_work_due(&p, NONE, 0), ==, 0);
	CHECK_CMP(pacer_goal(&p), ==, NONE);
}

CASE(line, "work due: none at the start, all that is expected at the goal, everything at 1.25")
{
	struct pacer p = after(100, NONE, 0, 100 * MIB, 0);

	pacer_start(&p, 180 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, 200 * MIB);
	CHECK_CMP(pacer_work_due(&p, 180 * MIB, 0), ==, 0);
	/* It has grown from nothing to 100 MiB, so all of it may be live, and grow on. */
	CHECK_CMP(pacer_work_due(&p, 190 * MIB, 0), ==, 90 * MIB);
	CHECK_CMP(pacer_work_due(&p, 200 * MIB, 0), ==, 180 * MIB);

	p = after(100, NONE, 0, 100 * MIB, 0);
	pacer_end(&p, &(struct pacer_cycle){ .marked = 100 * MIB, .scanned = 100 * MIB });
	pacer_start(&p, 180 * MIB, 0);
	CHECK_CMP(pacer_work_due(&p, 190 * MIB, 0), ==, 50 * MIB);
	CHECK_CMP(pacer_work_due(&p, 190 * MIB, 20 * MIB), ==, 30 * MIB);
	CHECK_CMP(pacer_work_due(&p, 190 * MIB, 50 * MIB), ==, 0);
	CHECK_CMP(pacer_work_due(&p, 200 * MIB, 0), ==, 100 * MIB);
	CHECK_CMP(pacer_work_due(&p, 225 * MIB, 0), ==, 140 * MIB);
	CHECK(!pacer_overrun(&p, 250 * MIB - 1));
	CHECK_CMP(pacer_work_due(&p, 250 * MIB, 0), ==, 180 * MIB);
	CHECK_CMP(pacer_work_due(&p, NONE, 0), ==, 180 * MIB);
	CHECK(pacer_overrun(&p, 250 * MIB));

	/* What is known to need scanning counts if it is more. */
	pacer_start(&p, 180 * MIB, 150 * MIB);
	CHECK_CMP(pacer_work_due(&p, 200 * MIB, 0), ==, 150 * MIB);
}

CASE(late_start, "a cycle that starts at or above the goal gets a runway, and still a line")
{
	struct pacer p = after(100, NONE, 0, 100 * MIB, 0);
	struct pacer_input in = { 10, NONE, 0, 0 };

	CHECK_CMP(pacer_trigger(&p), ==, 196 * MIB);
	pacer_start(&p, 320 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, 322 * MIB);
	CHECK_CMP(pacer_work_due(&p, 321 * MIB, 0), ==, 100 * MIB);
	/* And one whose goal is lowered below where it is. */
	p = after(100, NONE, 0, 100 * MIB, 0);
	pacer_start(&p, 160 * MIB, 0);
	pacer_settings(&p, &in);
	CHECK_WITHIN((double)pacer_goal(&p) / MIB, 160.2, 162);
	/* Under a limit there is no room for that. */
	p = after(100, 100 * MIB, 0, 80 * MIB, 0);
	pacer_start(&p, 97 * MIB, 0);
	CHECK_CMP(pacer_goal(&p), ==, 97 * MIB + 64 * KIB);
	CHECK(pacer_overrun(&p, 100 * MIB));
	/* The next cycle's goal is its own. */
	pacer_end(&p, &(struct pacer_cycle){ .marked = 10 * MIB, .scanned = MIB });
	CHECK_CMP(pacer_goal(&p), ==, 20 * MIB);
}

CASE(stopped, "cycles in a stopped world, or without allocation, teach nothing about pace")
{
	struct pacer_cycle c = { .marked = 100 * MIB, .live = 190 * MIB, .scanned = 100 * MIB,
				 .allocated = 10 * MIB, .mark_ns = 25000000,
				 .worker_ns = 25000000, .nprocs = 4 };
	struct pacer p = after(100, NONE, 0, 100 * MIB, 0);
	double estimate;

	pacer_end(&p, &c);
	estimate = p.cons_mark;
	/* 10 MiB at 75 %, 100 MiB at 25 %. */
	CHECK_WITHIN(estimate, 0.033, 0.034);
	pacer_end(&p, &c);
	/* So the next needs 10 MiB. */
	CHECK_WITHIN((double)(pacer_goal(&p) - pacer_trigger(&p)) / MIB, 9.9, 10.1);
	for (int i = 0; i < 10; i++) {
		c.mark_ns = i % 2 ? 0 : 25000000;
		c.allocated = i % 2 ? 10 * MIB : 0;
		pacer_end(&p, &c);
		CHECK_CMP(p.cons_mark, ==, estimate);
	}
}

CASE(idle_time, "what workers got above 25 % made marking faster, and took nothing away")
{
	struct pacer_cycle c = { .marked = 100 * MIB, .scanned = 100 * MIB, .allocated = 10 * MIB,
				 .mark_ns = 25000000, .worker_ns = 50000000, .nprocs = 4 };
	struct pacer p = after(100, NONE, 0, 100 * MIB, 0);

	pacer_end(&p, &c);
	CHECK_WITHIN(p.cons_mark, 0.0666, 0.0667);
	/* Assists do take. */
	p = after(100, NONE, 0, 100 * MIB, 0);
	c.worker_ns = c.assist_ns = 25000000;
	pacer_end(&p, &c);
	CHECK_WITHIN(p.cons_mark, 0.0999, 0.1001);
	/* Clocks that disagree. */
	p = after(100, NONE, 0, 100 * MIB, 0);
	c.assist_ns = 200000000;
	pacer_end(&p, &c);
	CHECK_WITHIN(p.cons_mark, 4, 5);
}

CASE(history, "the highest of the last estimates counts, and is forgotten after four cycles")
{
	struct pacer_cycle slow = { .marked = 100 * MIB, .scanned = 100 * MIB, .allocated = MIB,
				    .mark_ns = 1000, .worker_ns = 1000, .nprocs = 4 };
	struct pacer_cycle fast = slow;
	struct pacer p = after(100, NONE, 0, 100 * MIB, 0);
	double low, high;

	fast.allocated = 8 * MIB;
	for (int i = 0; i < 8; i++)
		pacer_end(&p, &slow);
	low = p.cons_mark;
	pacer_end(&p, &fast);
	high = p.cons_mark;
	CHECK_WITHIN(high / low, 7.9, 8.1);
	for (int i = 0; i < PACER_HISTORY; i++) {
		pacer_end(&p, &slow);
		CHECK_CMP(p.cons_mark, ==, high);
	}
	pacer_end(&p, &slow);
	CHECK_CMP(p.cons_mark, ==, low);
}

CASE(sweep_line, "sweeping due: none at the start, half in the middle, all before the trigger")
{
	struct pacer p = after(100, NONE, 0, 100 * MIB, 0);
	struct pacer_input in = { 20, NONE, 0, 0 };
	uint64_t trigger = pacer_trigger(&p), middle = (100 * MIB + trigger) / 2;

	CHECK_CMP(pacer_sweep_due(&p, trigger, 0), ==, 0);
	pacer_sweep_start(&p, 100 * MIB, 10000);
	CHECK_CMP(pacer_sweep_due(&p, 100 * MIB, 0), ==, 0);
	CHECK_WITHIN(pacer_sweep_due(&p, middle, 0), 5000, 5400);
	CHECK_WITHIN(pacer_sweep_due(&p, middle, 4000), 1000, 1400);
	CHECK_CMP(pacer_sweep_due(&p, middle, 5400), ==, 0);
	CHECK_CMP(pacer_sweep_due(&p, 100 * MIB + (trigger - 100 * MIB) / 16 * 15, 0), ==, 10000);
	CHECK_CMP(pacer_sweep_due(&p, trigger, 9990), ==, 10);
	CHECK_CMP(pacer_sweep_due(&p, trigger, 10000), ==, 0);
	CHECK_CMP(pacer_sweep_due(&p, NONE, 20000), ==, 0);
	/* A lower goal: the trigger comes nearer, and so does the end of sweeping. */
	pacer_settings(&p, &in);
	CHECK_CMP(pacer_trigger(&p), <, 120 * MIB);
	CHECK_CMP(pacer_sweep_due(&p, pacer_trigger(&p), 0), ==, 10000);
	/* None at all: the background has all the time it wants. */
	in.gc_percent = -1;
	pacer_settings(&p, &in);
	CHECK_CMP(pacer_sweep_due(&p, NONE, 0), ==, 0);
	/* What one cycle left is nothing to the next. */
	in.gc_percent = 100;
	pacer_settings(&p, &in);
	pacer_end(&p, &(struct pacer_cycle){ .marked = 100 * MIB, .scanned = MIB });
	CHECK_CMP(pacer_sweep_due(&p, 199 * MIB, 0), ==, 0);
}

/* A number of any size, and now and then the largest or none. */
static uint64_t any(uint64_t *state)
{
	uint64_t r = rnd(state);

	switch (r & 15) {
	case 0:
		return 0;
	case 1:
		return NONE;
	default:
		return rnd(state) >> (r >> 4 & 63);
	}
}

CASE(extremes, "numbers of any size: the rules hold, and nothing overflows")
{
	uint64_t r = 7;

	for (size_t i = 0; i < fewer(1000000); i++) {
		struct pacer_input in = { (int)any(&r), any(&r), any(&r), any(&r) };
		struct pacer_cycle c = { any(&r), any(&r), any(&r), any(&r), any(&r), any(&r),
					 any(&r), any(&r), (unsigned int)any(&r), any(&r) };
		uint64_t live = any(&r) >> 1, more = any(&r), scanned = any(&r), pages = any(&r);
		struct pacer p;

		if (more > NONE - live)
			more = NONE - live;
		pacer_init(&p, &in);
		for (int j = 0; j < 3; j++) {
			CHECK_CMP(pacer_trigger(&p), <=, pacer_goal(&p));
			pacer_start(&p, live, j ? any(&r) : 0);
			CHECK_CMP(pacer_goal(&p), >=, live);
			CHECK_CMP(pacer_work_due(&p, live, scanned), ==, 0);
			/* More is due the more is live, and less the more is scanned. */
			CHECK_CMP(pacer_work_due(&p, live + more, scanned), >=,
				  pacer_work_due(&p, live + more / 2, scanned));
			CHECK_CMP(pacer_work_due(&p, live + more, scanned), <=,
				  pacer_work_due(&p, live + more, scanned / 2));
			CHECK_CMP(pacer_work_due(&p, live + more, NONE), ==, 0);
			pacer_end(&p, &c);
			CHECK(p.cons_mark >= 0 && !isnan(p.cons_mark));
			CHECK_CMP(pacer_goal(&p), >=, c.marked);
			CHECK_CMP(pacer_trigger(&p), >=, c.marked);
			pacer_sweep_start(&p, live, pages);
			CHECK_CMP(pacer_sweep_due(&p, live, 0), ==, 0);
			CHECK_CMP(pacer_sweep_due(&p, live + more, pages), ==, 0);
			CHECK_CMP(pacer_sweep_due(&p, live + more, 0), <=, pages);
			/* The longer the stop that is wanted, the sooner it is to be. */
			if (pacer_one_stop(&p, live))
				CHECK_CMP(pacer_stop_ns(&p, live), <=, in.stop_ns);
			else
				CHECK(!in.stop_ns || pacer_stop_ns(&p, live) > in.stop_ns);
			in.gc_percent = (int)any(&r);
			in.memory_limit = any(&r);
			pacer_settings(&p, &in);
		}
	}
}

static struct pacer shared;
static bool over;

static void *ask(void *arg)
{
	uint64_t r = 3;

	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		uint64_t live = 100 * MIB + rnd(&r) % (200 * MIB);

		/* Never more than there can be. */
		CHECK_CMP(pacer_work_due(&shared, live, 0), <=, 300 * MIB);
		CHECK_CMP(pacer_sweep_due(&shared, live, 0), <=, 10000);
		CHECK_CMP(pacer_goal(&shared), >=, 100 * MIB);
		CHECK_CMP(pacer_trigger(&shared), >=, 100 * MIB);
		CHECK(!pacer_overrun(&shared, live / 3));
	}
	return NULL;
}

CASE(any_moment, "threads may ask at any moment of a change")
{
	struct pacer_cycle c = { .marked = 100 * MIB, .live = 200 * MIB, .scanned = 100 * MIB,
				 .allocated = MIB, .mark_ns = 1000, .worker_ns = 1000, .nprocs = 1 };
	struct pacer_input in = { 100, NONE, 0, 0 };
	pthread_t threads[2];

	shared = after(100, NONE, 0, 100 * MIB, 0);
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&threads[i], NULL, ask, NULL));
	for (size_t i = 0; i < fewer(300000); i++) {
		pacer_start(&shared, 150 * MIB + i % (64 * MIB), 0);
		in.gc_percent = 50 + i % 300;
		pacer_settings(&shared, &in);
		pacer_end(&shared, &c);
		pacer_sweep_start(&shared, 100 * MIB, i % 10000);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
