# SPDX-License-Identifier: MIT
# What libgoheap is made of; included by userlib/Makefile and userlib/tests/Makefile.
SRCS := src/alloc.c src/backend_device.c src/backend_process.c src/descriptor.c src/fork.c \
	src/gc.c src/heap.c src/histogram.c src/init.c src/large.c src/mark.c src/mcache.c \
	src/mcentral.c src/object.c src/options.c src/os.c src/roots.c \
	src/gzip.c src/maps.c src/profile.c src/profile_exit.c src/profile_write.c src/proto.c src/symbols.c \
	src/background.c src/dirty.c src/dirty_device.c src/dirty_pagemap.c src/dirty_soft.c \
	src/headroom.c src/pacer.c src/reuse.c src/scavenge.c \
	src/special.c src/finalizer.c src/weak.c \
	src/stats.c src/stop.c src/sweep.c src/thread.c src/trace.c src/type.c \
	src/work.c src/worker.c \
	../module/palloc.c ../module/palloc_fit.c
# Never with sanitizers: they run in, or read, a stopped world.
NOSAN_SRCS := src/mark.c src/roots.c src/stop.c src/os.c src/stats.c \
	src/dirty.c src/dirty_device.c src/dirty_pagemap.c src/dirty_soft.c
# The wrappers of libc's functions, which run wherever the program calls these.
WRAPPERS := src/loaded.c src/real.c src/restart.c src/signals.c src/spawn.c src/specific.c
SRCS += $(WRAPPERS) src/blacklist.c
NOSAN_SRCS += $(WRAPPERS)
# -fexceptions: one may pass through dl_iterate_phdr(), which is wrapped.
CPPFLAGS_LIB := -fexceptions -Iinclude -Isrc -Isrc/shim -I../module -I../uapi
