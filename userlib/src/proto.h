/* SPDX-License-Identifier: MIT */
/*
 * Writing protocol buffers: fields one after the other into a piece of memory that
 * is large enough for all.
 */
#ifndef GOHEAP_PROTO_H
#define GOHEAP_PROTO_H

#include <stddef.h>
#include <stdint.h>

/* A message that is being written, and where its next field goes. */
struct proto {
	unsigned char *at;
};

/* A number takes at most so many bytes, and its field's key one or two. */
#define PROTO_NUMBER_MOST	12
/* Key and length of a message in a message. */
#define PROTO_NESTED_MOST	12

void proto_number(struct proto *p, unsigned int field, uint64_t n);
void proto_bytes(struct proto *p, unsigned int field, const void *bytes, size_t n);
void proto_packed(struct proto *p, unsigned int field, const uint64_t *n, size_t count);
/* A message in a message: what is written between the two calls. */
unsigned char *proto_begin(struct proto *p);
void proto_end(struct proto *p, unsigned int field, unsigned char *begin);

#endif /* GOHEAP_PROTO_H */
