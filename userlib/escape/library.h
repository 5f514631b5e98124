/* SPDX-License-Identifier: MIT */
#ifndef GOHEAP_ESCAPE_LIBRARY_H
#define GOHEAP_ESCAPE_LIBRARY_H

/* What a known function does with its arguments, in letters; see library.cc. */
const char *library_flows(tree fndecl);

/* The functions of goheap.h that have a meaning of their own here. */
enum goheap_function {
	GOHEAP_NONE,
	GOHEAP_ALLOC,
	GOHEAP_ALLOC_NOSCAN,
	GOHEAP_ALLOC_TYPED,
};

enum goheap_function library_allocator(tree fndecl);
const char *library_name(tree fndecl);
int library_format(tree fndecl);

#endif
