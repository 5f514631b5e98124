/* SPDX-License-Identifier: MIT */
/*
 * What was decided, in the form of `go build -gcflags=-m`, or as a line of JSON each.
 */
#include "gcc.h"
#include "options.h"
#include "report.h"

/* What is to be said of a site, and where that is: sites are found in no order of the source's. */
struct entry {
	std::string file;
	int line, column;
	std::string text;

	bool operator<(const entry &other) const
	{
		if (file != other.file)
			return file < other.file;
		return line != other.line ? line < other.line : column < other.column;
	}
};

static std::multiset<entry> entries;
static unsigned int on_stack, on_heap;

/* The function whose source the call is in, and, if that was inlined, in which it is now. */
static tree source_function(struct cgraph_node *node, const site &s)
{
	for (tree block = gimple_block(s.call); block && TREE_CODE(block) == BLOCK;
	     block = BLOCK_SUPERCONTEXT(block)) {
		tree origin = inlined_function_outer_scope_p(block) ?
			      block_ultimate_origin(block) : NULL_TREE;

		if (origin && TREE_CODE(origin) == FUNCTION_DECL)
			return origin;
	}
	return node->decl;
}

static const char *decl_text(tree decl)
{
	return DECL_NAME(decl) ? IDENTIFIER_POINTER(DECL_NAME(decl)) : "?";
}

static std::string position(location_t where)
{
	expanded_location x = expand_location(where);
	char text[32];

	snprintf(text, sizeof(text), ":%d:%d", x.line, x.column);
	return std::string(x.file ? x.file : "?") + text;
}

static std::string text_of(struct cgraph_node *node, const site &s)
{
	tree origin = source_function(node, s);
	std::string line = position(gimple_location(s.call)) + ": " + s.name + "(";
	char size[32] = "?";

	if (s.size_known)
		snprintf(size, sizeof(size), "%llu", (unsigned long long)s.size);
	line += size;
	if (s.stays) {
		line += ") does not escape";
	} else {
		line += ") escapes to heap: " + s.why;
		if (s.where != UNKNOWN_LOCATION)
			line += " (" + position(s.where) + ")";
	}
	if (origin != node->decl)
		line += std::string(" (inlined into ") + decl_text(node->decl) + ")";
	return line;
}

static std::string quoted(const char *s)
{
	std::string text = "\"";
	char escape[8];

	for (; *s; s++) {
		if (*s == '"' || *s == '\\') {
			text += '\\';
			text += *s;
		} else if ((unsigned char)*s < ' ') {
			snprintf(escape, sizeof(escape), "\\u%04x", *s);
			text += escape;
		} else {
			text += *s;
		}
	}
	return text + '"';
}

static std::string json_position(location_t where)
{
	expanded_location x = expand_location(where);
	char text[64];

	snprintf(text, sizeof(text), ", \"line\": %d, \"column\": %d", x.line, x.column);
	return "\"file\": " + quoted(x.file ? x.file : "?") + text;
}

static std::string json_of(struct cgraph_node *node, const site &s)
{
	char size[32] = "null";
	std::string line = "{" + json_position(gimple_location(s.call));

	if (s.size_known)
		snprintf(size, sizeof(size), "%llu", (unsigned long long)s.size);
	line += ", \"function\": " + quoted(decl_text(node->decl)) +
		", \"origin\": " + quoted(decl_text(source_function(node, s))) +
		", \"call\": " + quoted(s.name) + ", \"size\": " + size +
		", \"verdict\": " + (s.stays ? "\"stack\"" : "\"heap\"") +
		", \"reason\": " + (s.stays ? "null" : quoted(s.why.c_str())) + ", \"at\": " +
		(s.where == UNKNOWN_LOCATION ? "null" : "{" + json_position(s.where) + "}") + "}";
	return line;
}

/**
 * report_site() - note one verdict
 * @node: the function that the call is in
 * @s: the site
 */
void report_site(struct cgraph_node *node, const site &s)
{
	expanded_location x = expand_location(gimple_location(s.call));
	entry e = { x.file ? x.file : "", x.line, x.column, "" };

	if (s.stays)
		on_stack++;
	else
		on_heap++;
	if (options.report == REPORT_NONE)
		return;
	e.text = options.report == REPORT_TEXT ? text_of(node, s) : json_of(node, s);
	entries.insert(e);
}

static void print_unit(FILE *f)
{
	const char *name = in_lto_p ? "link" : main_input_filename ? main_input_filename : "?";
	std::multiset<entry>::const_iterator e;

	for (e = entries.begin(); e != entries.end(); e++)
		fprintf(f, "%s\n", e->text.c_str());
	/* Of a part of a program there is no sum: the whole has been counted before. */
	if (flag_ltrans)
		return;
	if (options.report == REPORT_TEXT)
		fprintf(f, "%s: %u of %u sites on the stack\n", name, on_stack,
			on_stack + on_heap);
	else
		fprintf(f, "{\"unit\": %s, \"stack\": %u, \"heap\": %u}\n",
			quoted(name).c_str(), on_stack, on_heap);
}

/** report_unit() - tell what has been noted, and how many sites there were */
void report_unit()
{
	FILE *f = stderr;

	if (options.report == REPORT_NONE || (options.report == REPORT_TEXT && entries.empty()))
		return;
	if (options.report_file) {
		f = fopen(options.report_file, "a");
		if (!f) {
			error_at(UNKNOWN_LOCATION, "goheap_escape: %s: %m", options.report_file);
			return;
		}
	}
	print_unit(f);
	if (f == stderr)
		fflush(f);
	else if (fclose(f))
		error_at(UNKNOWN_LOCATION, "goheap_escape: %s: %m", options.report_file);
}
