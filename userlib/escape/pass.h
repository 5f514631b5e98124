/* SPDX-License-Identifier: MIT */
#ifndef GOHEAP_ESCAPE_PASS_H
#define GOHEAP_ESCAPE_PASS_H

void pass_register(const char *plugin);

#endif
