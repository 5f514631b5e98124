/* SPDX-License-Identifier: MIT */
/*
 * The verdict on each site, and the reason for it.
 */
#include "gcc.h"
#include "body.h"
#include "options.h"
#include "promote.h"

std::string body::name_of(tree decl) const
{
	if (!decl)
		return "memory that is not this function's";
	if (DECL_NAME(decl))
		return IDENTIFIER_POINTER(DECL_NAME(decl));
	return "a variable without a name";
}

/* Which parameter's memory, or whose, a pointer leads to that is not only to this frame's objects. */
std::string body::owner_of(const object_set &to) const
{
	tree p = DECL_ARGUMENTS(node->decl);

	for (size_t k = 0; k < params.size(); k++, p = DECL_CHAIN(p))
		if (to.has(params[k].value) || to.has(params[k].reach) || to.has(params[k].bytes))
			return "parameter " + name_of(p) + " of " + name_of(node->decl);
	return "memory that is not this function's";
}

/* How a leak lets an object go, from what says most of it to what says least. */
enum way : int {
	ITSELF,			/* returned, passed on, stored in a global */
	STORED,			/* where a parameter leads, or in memory of others */
	STORED_IN_OURS,		/* in another object of this function that escapes */
	WITH_THE_HEAP,		/* together with all that has escaped: it may be nothing else */
	REACHED,		/* something from which it can be reached */
	NOT_AT_ALL,
};

enum way body::way_of(const leak &l, object_id o, bool reached) const
{
	std::vector<object_id> in = before.of(l.through).list();
	bool elsewhere = false, to_gone = false;
	object_set what = before.of(l.what);

	for (size_t k = 0; k < in.size(); k++) {
		elsewhere |= !no_memory.has(in[k]) && !before.is_local(in[k]);
		to_gone |= graph.of(gone).has(in[k]);
	}
	if (l.through != NOTHING && !elsewhere && !to_gone)
		return NOT_AT_ALL;
	if (!what.has(o)) {
		if (reached)
			before.reach(&what);
		return what.has(o) ? REACHED : NOT_AT_ALL;
	}
	if (l.through == NOTHING)
		return what.has(heap) ? WITH_THE_HEAP : ITSELF;
	return elsewhere ? STORED : STORED_IN_OURS;
}

/*
 * Of all that lets the object go, what says most.  Asked of the sets as they are without what
 * follows from it: whatever has escaped may lead to all others that have.
 */
void body::blame(site *s)
{
	enum way best = NOT_AT_ALL;
	size_t among = 0;

	s->why = "stored in an object that escapes";
	if (options.report == REPORT_NONE)
		return;
	before.solve();
	/* What can be reached is costly to ask, and only if there is nothing better to say. */
	for (size_t i = 0; i < 2 * leaks.size() && best != ITSELF; i++) {
		const leak &l = leaks[i % leaks.size()];

		if (i == leaks.size() && best != NOT_AT_ALL)
			break;

		enum way way = way_of(l, s->object, i >= leaks.size());

		if (way > best || way == NOT_AT_ALL)
			continue;

		/* Of two that say the same, that which speaks of fewer objects. */
		size_t of = before.of(l.what).list().size();

		if (way == best && of >= among)
			continue;
		best = way;
		among = of;
		s->why = way == REACHED ? "reached from what is " + l.why : l.why;
		if (l.through != NOTHING)
			s->why += way == STORED_IN_OURS ? " in an object that escapes" :
				  " in " + owner_of(before.of(l.through));
		s->where = l.where;
	}
}

/*
 * Where code that is not here may call the function again: it seldom does, and seldom to a depth of
 * thousands.
 */
static const unsigned HOST_WIDE_INT REENTRY_FACTOR = 4;

static std::string bytes_are(unsigned HOST_WIDE_INT bytes, const char *what,
			     unsigned HOST_WIDE_INT limit)
{
	char text[160];

	snprintf(text, sizeof(text), what, (unsigned long long)bytes, (unsigned long long)limit);
	return text;
}

/**
 * body::judge() - decide on each site
 * @depth: how often a frame of the function may be there
 */
void body::judge(enum depth depth)
{
	unsigned HOST_WIDE_INT frame = promoted_bytes(fn);
	unsigned HOST_WIDE_INT limit = options.max_frame;

	if (depth == DEPTH_RECURSIVE)
		limit = MIN(limit, options.max_recursive_frame);
	else if (depth == DEPTH_UNKNOWN)
		limit = MIN(limit, REENTRY_FACTOR * options.max_recursive_frame);

	if (options.report != REPORT_NONE)
		before = graph;
	solve();
	for (size_t i = 0; i < sites.size(); i++) {
		site *s = &sites[i];
		std::string what;

		s->where = UNKNOWN_LOCATION;
		if (!s->size_known)
			continue;
		if (s->size > options.max_object) {
			s->why = bytes_are(s->size, "the size, %llu bytes, is more than %llu",
					   options.max_object);
			continue;
		}
		if (!not_here.empty()) {
			s->why = "the function has " + not_here;
			continue;
		}
		if (graph.of(gone).has(s->object)) {
			blame(s);
			continue;
		}

		bool too_wide = false;

		for (size_t k = 0; k < uses.size() && !too_wide; k++)
			if (graph.of(uses[k].pointer).has(s->object) &&
			    uses[k].size > (HOST_WIDE_INT)MAX(s->size, 1)) {
				s->why = bytes_are(uses[k].size,
						   "used as a larger type, of %llu bytes, than its size, %llu",
						   s->size);
				s->where = uses[k].where;
				too_wide = true;
			}
		if (too_wide)
			continue;
		if (runs_side_by_side(*s)) {
			s->why = "in a loop whose iterations may run side by side";
			continue;
		}
		if (!dies_in_iteration(*s, &what)) {
			s->why = "in a loop: the object of an earlier iteration is still in use, through "
				 + what;
			continue;
		}
		if (frame + s->size > limit) {
			s->why = bytes_are(frame + s->size,
					   "the function's objects, %llu bytes, are more than %llu", limit);
			continue;
		}
		frame += s->size;
		s->stays = true;
	}
}
