/* SPDX-License-Identifier: MIT */
/* What the command line says: -fplugin-arg-goheap_escape-KEY[=VALUE]. */
#ifndef GOHEAP_ESCAPE_OPTIONS_H
#define GOHEAP_ESCAPE_OPTIONS_H

enum report_kind { REPORT_NONE, REPORT_TEXT, REPORT_JSON };

/**
 * struct options - settings of one compilation
 * @report: what is printed of each site
 * @report_file: where to, appended; NULL for standard error
 * @max_object: largest object that may be on the stack, bytes
 * @max_frame: what all of a function's may have together, bytes
 * @max_recursive_frame: the same where the function may call itself
 * @off: only look and report
 */
struct options {
	enum report_kind report;
	const char *report_file;
	unsigned HOST_WIDE_INT max_object;
	unsigned HOST_WIDE_INT max_frame;
	unsigned HOST_WIDE_INT max_recursive_frame;
	bool off;
};

extern struct options options;

bool options_parse(const struct plugin_argument *arguments, int count);

#endif
