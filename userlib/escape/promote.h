/* SPDX-License-Identifier: MIT */
#ifndef GOHEAP_ESCAPE_PROMOTE_H
#define GOHEAP_ESCAPE_PROMOTE_H

void promote(struct cgraph_node *node, gcall *call, unsigned HOST_WIDE_INT size);
void promote_forget();
unsigned HOST_WIDE_INT promoted_bytes(struct function *fn);

#endif
