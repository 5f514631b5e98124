/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture that most tests start from: an arena, open and mapped, with
 * nothing in it.
 */
#ifndef ARENA_H
#define ARENA_H

#include "goheap_test.h"

FIXTURE(arena)
{
	int fd;
	char *base;
	size_t bytes;
};

FIXTURE_SETUP(arena)
{
	self->bytes = GH_ARENA_BYTES;
	self->fd = gh_open();
	ASSERT_LE(0, self->fd)
		TH_LOG("%s: %s", GH_DEVICE, strerror(errno));
	self->base = gh_map(self->fd, self->bytes);
	ASSERT_NE(NULL, self->base)
		TH_LOG("mmap: %s", strerror(errno));
}

FIXTURE_TEARDOWN(arena)
{
	if (self->base)
		munmap(self->base, self->bytes);
	close(self->fd);
}

#endif /* ARENA_H */
