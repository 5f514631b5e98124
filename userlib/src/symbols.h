/* SPDX-License-Identifier: MIT */
/*
 * Names of functions, from the symbol table of a file.
 */
#ifndef GOHEAP_SYMBOLS_H
#define GOHEAP_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#define SYMBOL_NAME_MOST	512		/* longer ones are left out */

/* A function at [start, end) of the file; its name is gone after the call. */
typedef void (*symbol_fn)(void *arg, uint64_t start, uint64_t end, const char *name);

void symbols_each(const char *file, symbol_fn fn, void *arg);

#endif /* GOHEAP_SYMBOLS_H */
