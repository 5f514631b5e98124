/* SPDX-License-Identifier: MIT */
/*
 * What a function does with its parameters, for its callers.
 *
 * A parameter has three sources: its value (the objects it points into), what can be
 * reached from these, and what pieces of addresses in the bytes there lead to.  Each may flow to the
 * result, to the memory behind a parameter, or to where nobody knows (the heap).  Flows
 * are inclusions just as those inside a function, so a caller adds them to its own, and
 * parameters that are the same object, or reach each other, need no special care: that
 * is for the caller's objects to tell.
 *
 * In the spirit of the parameter tags of Go (cmd/compile/internal/escape/leaks.go), which
 * have flows to the heap and to results; flows from parameter to parameter are added,
 * since C programs build their structures through pointers.
 */
#ifndef GOHEAP_ESCAPE_SUMMARY_H
#define GOHEAP_ESCAPE_SUMMARY_H

/* Where something comes from. */
enum source_kind {
	FROM_HEAP,		/* an object that is not the caller's */
	FROM_NUMBER,		/* a number that is not known, and may be an address */
	FROM_VALUE,		/* the objects a parameter points into */
	FROM_REACH,		/* what is reached from there */
	FROM_BYTES,		/* what pieces of addresses there lead to, at once or further on */
};

/* Where it goes to. */
enum sink_kind {
	TO_HEAP,
	TO_RESULT,
	TO_RESULT_BYTES,
	TO_VALUE,		/* the memory that a parameter points to */
	TO_VALUE_BYTES,
	TO_REACH,		/* memory that is reached from there */
	TO_REACH_BYTES,
};

struct flow {
	enum source_kind from;
	int from_param;			/* from 0 on; -1 if it is none's */
	enum sink_kind to;
	int to_param;

	bool operator<(const flow &other) const
	{
		if (from != other.from)
			return from < other.from;
		if (from_param != other.from_param)
			return from_param < other.from_param;
		if (to != other.to)
			return to < other.to;
		return to_param < other.to_param;
	}
};

/**
 * struct summary - of one function
 * @flows: nothing else flows
 * @names: of the parameters, for reports; GCC forgets them when it has compiled the function
 * @widest: by parameter: the largest type as which memory behind it is used, bytes
 * @widest_beyond: the same for what is reached from there
 *
 * It begins empty: the optimistic beginning makes recursion come out right, since it
 * only grows until it is true for all callees.
 */
struct summary {
	std::set<flow> flows;
	std::vector<std::string> names;
	std::vector<HOST_WIDE_INT> widest, widest_beyond;
};

/*
 * The summaries of all functions whose bodies are at hand, by DECL_UID(): nodes of the
 * call graph come and go, and a clone with other parameters has a declaration of its own.
 */
typedef std::map<unsigned int, summary> summary_map;

#endif
