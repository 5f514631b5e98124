// SPDX-License-Identifier: MIT
/*
 * The wire format of protocol buffers, as far as profiles need it: numbers of a
 * variable length, seven bits a byte and the lowest first, and fields that are such a
 * number, or a length and so many bytes.
 */
#include <string.h>

#include "proto.h"

enum { WIRE_NUMBER = 0, WIRE_BYTES = 2 };

static unsigned char *put(unsigned char *at, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*at++ = (unsigned char)(n | 0x80);
	*at++ = (unsigned char)n;
	return at;
}

static size_t length_of(uint64_t n)
{
	size_t length = 1;

	for (; n >= 0x80; n >>= 7)
		length++;
	return length;
}

/**
 * proto_number() - write a field that is a number
 * @p: the message
 * @field: its number
 * @n: zero is the default, and not written
 */
void proto_number(struct proto *p, unsigned int field, uint64_t n)
{
	if (n)
		p->at = put(put(p->at, field << 3 | WIRE_NUMBER), n);
}

/**
 * proto_bytes() - write a field of bytes, a string for example
 * @p: the message
 * @field: its number
 * @bytes: need not be ended by a zero
 * @n: how many
 */
void proto_bytes(struct proto *p, unsigned int field, const void *bytes, size_t n)
{
	p->at = put(put(p->at, field << 3 | WIRE_BYTES), n);
	memcpy(p->at, bytes, n);
	p->at += n;
}

/**
 * proto_packed() - write a repeated field of numbers
 * @p: the message
 * @field: its number
 * @n: the numbers
 * @count: how many
 */
void proto_packed(struct proto *p, unsigned int field, const uint64_t *n, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++)
		length += length_of(n[i]);
	p->at = put(put(p->at, field << 3 | WIRE_BYTES), length);
	for (size_t i = 0; i < count; i++)
		p->at = put(p->at, n[i]);
}

/**
 * proto_begin() - begin a message in the message
 * @p: the outer message
 *
 * Return: for proto_end().
 */
unsigned char *proto_begin(struct proto *p)
{
	unsigned char *begin = p->at;

	p->at += PROTO_NESTED_MOST;
	return begin;
}

/**
 * proto_end() - end a message in the message
 * @p: the outer message
 * @field: the inner one's number
 * @begin: what proto_begin() returned
 *
 * Only now it is known how long it is: it moves up to where it belongs.
 */
void proto_end(struct proto *p, unsigned int field, unsigned char *begin)
{
	unsigned char *inner = begin + PROTO_NESTED_MOST;
	size_t length = (size_t)(p->at - inner);

	p->at = put(put(begin, field << 3 | WIRE_BYTES), length);
	memmove(p->at, inner, length);
	p->at += length;
}
