/* SPDX-License-Identifier: MIT */
#include "gcc.h"
#include "options.h"

/*
 * 64 KiB is what Go puts on the stack of what the program does not name (cmd/compile/internal/ir,
 * MaxImplicitStackVarSize).  Go's stacks grow; C's have an end, often at 8 MiB, and 256 KiB in
 * a thread is not rare: so a frame has a limit of its own, and a low one where there may be
 * thousands of that frame.
 */
struct options options = {
	REPORT_NONE, NULL, 64 << 10, 256 << 10, 256, false
};

static bool parse_bytes(const char *key, const char *value, unsigned HOST_WIDE_INT *bytes)
{
	char *end;

	errno = 0;
	if (value && *value >= '0' && *value <= '9') {
		*bytes = strtoull(value, &end, 10);
		if (!*end && !errno && *bytes <= 1 << 30)
			return true;
	}
	error("goheap_escape: %s takes a number of bytes, at most 1 GiB, not %qs", key,
	      value ? value : "");
	return false;
}

static bool parse_report(const char *value)
{
	if (!value || !strcmp(value, "text"))
		options.report = REPORT_TEXT;
	else if (!strcmp(value, "json"))
		options.report = REPORT_JSON;
	else if (!strcmp(value, "none"))
		options.report = REPORT_NONE;
	else {
		error("goheap_escape: report is %<text%>, %<json%> or %<none%>, not %qs", value);
		return false;
	}
	return true;
}

/* A name that cannot be written to is an error even where there is nothing to report. */
static bool parse_file(const char *value)
{
	FILE *f = value && *value ? fopen(value, "a") : NULL;

	options.report_file = value;
	if (!value || !*value)
		error("goheap_escape: report-file needs a name");
	else if (!f)
		error("goheap_escape: %s: %m", value);
	else
		fclose(f);
	return f;
}

static bool parse_one(const struct plugin_argument *a)
{
	if (!strcmp(a->key, "report"))
		return parse_report(a->value);
	if (!strcmp(a->key, "max"))
		return parse_bytes(a->key, a->value, &options.max_object);
	if (!strcmp(a->key, "frame"))
		return parse_bytes(a->key, a->value, &options.max_frame);
	if (!strcmp(a->key, "recursive-frame"))
		return parse_bytes(a->key, a->value, &options.max_recursive_frame);
	if (!strcmp(a->key, "report-file")) {
		return parse_file(a->value);
	}
	if (!strcmp(a->key, "off")) {
		options.off = true;
		if (!a->value)
			return true;
		error("goheap_escape: off takes no value, not %qs", a->value);
		return false;
	}
	error("goheap_escape: no such argument: %qs (there are report, report-file, max, frame, "
	      "recursive-frame, off)", a->key);
	return false;
}

/**
 * options_parse() - take the plugin's arguments into options
 * @arguments: as GCC hands them over
 * @count: how many
 *
 * Return: false if one is wrong, after an error that names it.
 */
bool options_parse(const struct plugin_argument *arguments, int count)
{
	for (int i = 0; i < count; i++)
		if (!parse_one(&arguments[i]))
			return false;
	return true;
}
