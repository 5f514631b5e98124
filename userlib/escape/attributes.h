/* SPDX-License-Identifier: MIT */
#ifndef GOHEAP_ESCAPE_ATTRIBUTES_H
#define GOHEAP_ESCAPE_ATTRIBUTES_H

void attributes_register(void *, void *);
bool attribute_noescape(gcall *call, unsigned int arg);

#endif
