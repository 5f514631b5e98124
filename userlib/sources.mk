# SPDX-License-Identifier: MIT
# What libgoheap is made of; included by userlib/Makefile and userlib/tests/Makefile.
SRCS := src/alloc.c src/backend_device.c src/backend_process.c src/fork.c \
	src/gc.c src/heap.c src/init.c src/large.c src/mark.c src/mcache.c \
	src/mcentral.c src/object.c src/options.c src/os.c src/roots.c \
	src/background.c src/headroom.c src/scavenge.c \
	src/stats.c src/stop.c src/sweep.c src/thread.c src/trace.c \
	../module/palloc.c ../module/palloc_fit.c
# Never with sanitizers: they run in, or read, a stopped world.
NOSAN_SRCS := src/mark.c src/roots.c src/stop.c src/os.c src/stats.c
CPPFLAGS_LIB := -Iinclude -Isrc -Isrc/shim -I../module -I../uapi
