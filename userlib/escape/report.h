/* SPDX-License-Identifier: MIT */
#ifndef GOHEAP_ESCAPE_REPORT_H
#define GOHEAP_ESCAPE_REPORT_H

#include "body.h"

void report_site(struct cgraph_node *node, const site &s);
void report_unit();

#endif
