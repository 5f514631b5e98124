/* SPDX-License-Identifier: GPL-2.0 */
/* The KUnit suites that kunit.c registers. */
#ifndef _GOHEAP_KUNIT_SUITES_H
#define _GOHEAP_KUNIT_SUITES_H

#include <kunit/test.h>

extern struct kunit_suite goheap_palloc_suite;	/* palloc_kunit.c */
extern struct kunit_suite goheap_arena_suite;	/* arena_kunit.c */
extern struct kunit_suite goheap_scavenge_suite;	/* scavenge_kunit.c */

#endif /* _GOHEAP_KUNIT_SUITES_H */
