/* SPDX-License-Identifier: MIT */
/* Types of typed.c that it does not see. */
#include "goheap.h"

extern const struct goheap_type other_type;
extern const uint64_t other_pointers[];

const struct goheap_type other_type = { 16, NULL, "other" };
const uint64_t other_pointers[] = { 4 };
