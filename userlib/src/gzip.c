// SPDX-License-Identifier: MIT
/*
 * gzip by zlib.  That is opened when it is needed, so that not every program with
 * this library has to be linked with it.  Where it is missing, or was when this was
 * compiled, bytes are written as they are: pprof reads both.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"
#include "gzip.h"

/* Not write(): a thread that has been cancelled would end in it, and leave memory behind. */
static int write_all(int fd, const unsigned char *p, size_t n)
{
	while (n) {
		ssize_t written = syscall(SYS_write, fd, p, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		p += written;
		n -= (size_t)written;
	}
	return 0;
}

#if defined(__has_include) && __has_include(<zlib.h>)
#include <zlib.h>

#define OUT_BYTES	((size_t)64 << 10)
#define OWN_BYTES	((size_t)1 << 20)	/* of zlib's, which asks for 270 KiB */
#define GZIP		16			/* added to the window's bits: gzip's header */

/* Of zlib, what is used. */
struct zlib {
	__typeof__(&deflateInit2_) init;
	__typeof__(&deflate) run;
	__typeof__(&deflateEnd) end;
};

/* What is compressed into, and zlib's own memory. */
struct room {
	unsigned char out[OUT_BYTES];
	unsigned char own[OWN_BYTES];
	size_t used;
};

static bool find_zlib(struct zlib *z)
{
	void *lib = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return false;
	z->init = (__typeof__(z->init))dlsym(lib, "deflateInit2_");
	z->run = (__typeof__(z->run))dlsym(lib, "deflate");
	z->end = (__typeof__(z->end))dlsym(lib, "deflateEnd");
	return z->init && z->run && z->end;
}

static voidpf take(voidpf opaque, uInt items, uInt size)
{
	struct room *room = opaque;
	size_t bytes = align_up((size_t)items * size, 64);
	voidpf p = room->own + room->used;

	if (bytes > OWN_BYTES - room->used)
		return Z_NULL;
	room->used += bytes;
	return p;
}

static void leave(voidpf opaque, voidpf address)
{
	(void)opaque;
	(void)address;
}

static int compress_to(int fd, const struct zlib *z, z_stream *s, struct room *room)
{
	int ret;

	do {
		s->next_out = room->out;
		s->avail_out = OUT_BYTES;
		ret = z->run(s, Z_FINISH);
		if (write_all(fd, room->out, OUT_BYTES - s->avail_out))
			return -1;
	} while (ret == Z_OK);
	return ret == Z_STREAM_END ? 0 : -1;
}

/* 1: it cannot be compressed, and nothing has been written. */
static int write_compressed(int fd, const void *bytes, size_t n)
{
	struct room *room;
	struct zlib z;
	z_stream s = { .zalloc = take, .zfree = leave };
	int ret = 1;

	if (n > UINT32_MAX || !find_zlib(&z))
		return 1;
	room = os_reserve(sizeof(*room), 4096, true);
	if (!room)
		return 1;
	s.opaque = room;
	s.next_in = (z_const Bytef *)bytes;
	s.avail_in = (uInt)n;
	if (z.init(&s, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP, 8,
		   Z_DEFAULT_STRATEGY, ZLIB_VERSION, (int)sizeof(s)) == Z_OK) {
		ret = compress_to(fd, &z, &s, room);
		z.end(&s);
	}
	os_unreserve(room, sizeof(*room));
	return ret;
}
#else
static int write_compressed(int fd, const void *bytes, size_t n)
{
	(void)fd;
	(void)bytes;
	(void)n;
	return 1;
}
#endif

/**
 * gzip_write() - write bytes, compressed if that is possible
 * @fd: where to
 * @bytes: what
 * @n: how many
 *
 * Context: any but a stopped world; no lock held.
 * Return: 0; -1 and errno as write(2) sets it.
 */
int gzip_write(int fd, const void *bytes, size_t n)
{
	int ret = write_compressed(fd, bytes, n);

	return ret > 0 ? write_all(fd, bytes, n) : ret;
}
