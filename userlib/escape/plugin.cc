/* SPDX-License-Identifier: MIT */
/*
 * goheap_escape: escape analysis for C programs on libgoheap.
 *
 * The compiler decides what must go to the heap, as Go's does: an object that
 * goheap_alloc() and its like return, and that provably does not outlive the function, becomes a
 * variable of that function.  See escape.rst and goheap-escape(1).
 *
 *	pass.cc		when
 *	body.cc		what a function's statements say about its pointers
 *	value.cc	... its operands
 *	call.cc		... its calls; summaries of functions
 *	library.cc	... calls of libc
 *	points_to.cc	the sets that follow from it
 *	loop.cc		objects of loops
 *	judge.cc	the verdict
 *	promote.cc	from the heap to the stack
 *	report.cc	what the programmer is told
 */
#include "gcc.h"
#include "plugin-version.h"
#include "c-family/c-pragma.h"
#include "attributes.h"
#include "options.h"
#include "pass.h"
#include "report.h"

/* Not in lto1, where the plugin is loaded as well. */
#pragma weak parse_in
#pragma weak cpp_define

__attribute__((visibility("default"))) int plugin_is_GPL_compatible;

static struct plugin_info info = {
	"0.1",
	"goheap_escape: puts objects of goheap_alloc() on the stack that do not outlive it\n"
	"  -fplugin-arg-goheap_escape-report=text|json   tell what was decided\n"
	"  -fplugin-arg-goheap_escape-report-file=FILE   append that to FILE\n"
	"  -fplugin-arg-goheap_escape-max=BYTES          largest object (65536)\n"
	"  -fplugin-arg-goheap_escape-frame=BYTES        all of a function's (262144)\n"
	"  -fplugin-arg-goheap_escape-recursive-frame=BYTES  if it may call itself (256)\n"
	"  -fplugin-arg-goheap_escape-off                change nothing, only report\n"
};

/* goheap.h has the attribute only where it means something. */
static void define_macro(void *, void *)
{
	if (&parse_in && parse_in)
		cpp_define(parse_in, "__GOHEAP_ESCAPE__=1");
}

static void finish(void *, void *)
{
	report_unit();
}

__attribute__((visibility("default")))
int plugin_init(struct plugin_name_args *plugin, struct plugin_gcc_version *version)
{
	static bool loaded;

	if (version->basever && strtol(version->basever, NULL, 10) != GCCPLUGIN_VERSION_MAJOR) {
		error("goheap_escape was built for GCC %d, and this is GCC %s",
		      GCCPLUGIN_VERSION_MAJOR, version->basever);
		return 1;
	}
	if (!options_parse(plugin->argv, plugin->argc))
		return 1;
	/* Under both of its names at once, it is still one. */
	if (loaded)
		return 0;
	loaded = true;
	register_callback(plugin->base_name, PLUGIN_INFO, NULL, &info);
	register_callback(plugin->base_name, PLUGIN_ATTRIBUTES, attributes_register, NULL);
	register_callback(plugin->base_name, PLUGIN_START_UNIT, define_macro, NULL);
	register_callback(plugin->base_name, PLUGIN_FINISH, finish, NULL);
	pass_register(plugin->base_name);
	return 0;
}
