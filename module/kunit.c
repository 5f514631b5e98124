// SPDX-License-Identifier: GPL-2.0
/*
 * Registers goheap's KUnit suites, all in one call: a module has one table of
 * them.  6.1 runs them while the module is being loaded, before module_init();
 * later kernels after it.
 */
#include "kunit_suites.h"

kunit_test_suites(&goheap_palloc_suite, &goheap_arena_suite, &goheap_scavenge_suite);
