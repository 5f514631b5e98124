/* SPDX-License-Identifier: MIT */
/*
 * Writing bytes to a descriptor, compressed where zlib is there.
 */
#ifndef GOHEAP_GZIP_H
#define GOHEAP_GZIP_H

#include <stddef.h>

int gzip_write(int fd, const void *bytes, size_t n);

#endif /* GOHEAP_GZIP_H */
