# SPDX-License-Identifier: GPL-2.0
#
# The one entry point of goheap.  `make help` lists the targets.
#
# Only relative names: the checkout may lie in a path with spaces.  The module
# is never built here but in a cache outside the tree (see
# selftests/vm/kernels.py), since Kbuild cannot live with such a path.

prefix ?= /usr/local
DESTDIR ?=
mandir ?= $(prefix)/share/man
export prefix DESTDIR

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
step := selftests/setup/step

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory

help: ## This list
	@echo 'Targets of make:'
	@sed -n 's/^\([a-z_-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 20 | sed 's/^/  /'
	@echo
	@echo 'Variables: DESTDIR and prefix (/usr/local) for install.'

demo: ## Watch a program that never calls free() run on /dev/goheap
	+@$(step) 'what is needed' selftests/setup/install
	+@$(step) 'the library and the program' $(MAKE) -s -C userlib/examples all
	+@$(step) 'the demonstration' userlib/examples/run-demo

check: ## Run the tests
	+@$(step) 'what is needed' selftests/setup/install
	+@$(step) 'the debug kernel' $(MAKE) debug-kernel
	+@$(step) 'the build' $(MAKE) -s build
	+@$(step) 'the tests' selftests/check

check-all: ## Run the tests, the long ones too
	+@$(step) 'what is needed' selftests/setup/install
	+@$(step) 'the debug kernel' $(MAKE) debug-kernel
	+@$(step) 'the KCSAN kernel' $(MAKE) kcsan-kernel
	+@$(step) 'the build' $(MAKE) -s build
	+@$(step) 'the tests' selftests/check --all

bench: ## Count instructions of every operation, beside malloc and libgc
	+@$(step) 'what is needed' selftests/setup/install
	+@$(step) 'the programs' $(MAKE) -s -C selftests/bench all
	+@$(step) 'the benchmarks' selftests/bench/run
	+@$(step) 'escape analysis' selftests/bench/escape/run
	+@$(step) 'memory pressure' selftests/pressure/run

build: module userlib ## Build the module for both kernels, the library, the programs
	+@$(MAKE) -s -C userlib/examples all
	+@$(MAKE) -C userlib/tests all
	+@$(MAKE) -C selftests all
	+@$(MAKE) -C selftests/bench all
	+@$(MAKE) -C selftests/bench/gc all
	+@$(MAKE) -C selftests/pressure all

module: ## Build goheap.ko for Debian's 6.1 and 6.12 (in the cache)
	@selftests/vm/module 6.1
	@selftests/vm/module 6.12

userlib: ## Build libgoheap and the compiler plugin
	+@$(MAKE) -C userlib all

setup: ## Only install what building and testing need
	@selftests/setup/install

debug-kernel: ## Only build the debug kernel
	@selftests/setup/kernel-debug >/dev/null

kcsan-kernel: ## Only build the kernel that looks for data races
	@selftests/setup/kernel-debug kcsan >/dev/null

load: ## Insert goheap.ko into this machine's running kernel
	@ko=$$(selftests/vm/module running) && $(SUDO) insmod "$$ko" && ls -l /dev/goheap

unload: ## Remove goheap.ko from the running kernel
	$(SUDO) rmmod goheap

install: ## Install the library, headers, plugin and manual pages (DESTDIR, prefix)
	+@$(MAKE) -C userlib install
	install -d "$(DESTDIR)$(mandir)/man1" "$(DESTDIR)$(mandir)/man3" "$(DESTDIR)$(mandir)/man4"
	install -m 644 Documentation/man/*.1 "$(DESTDIR)$(mandir)/man1/"
	install -m 644 Documentation/man/*.3 "$(DESTDIR)$(mandir)/man3/"
	install -m 644 Documentation/man/*.4 "$(DESTDIR)$(mandir)/man4/"

modules_install: ## Install goheap.ko for the running kernel, for modprobe
	@ko=$$(selftests/vm/module running) && \
	dir="$(DESTDIR)/lib/modules/$$(uname -r)/updates" && \
	$(SUDO) install -D -m 644 "$$ko" "$$dir/goheap.ko" && \
	$(SUDO) depmod $(if $(DESTDIR),-b "$(DESTDIR)") "$$(uname -r)"

lint: ## W=1, sparse, checkpatch --strict, Coccinelle
	@selftests/setup/lint

clean: ## Remove what was built in the tree (not the cache)
	rm -rf userlib/out userlib/examples/out userlib/tests/out selftests/out \
		selftests/vm/out selftests/bench/out selftests/bench/gc/out selftests/bench/escape/out selftests/fuzz/out \
		selftests/pressure/out

.PHONY: help demo check check-all bench build module userlib setup debug-kernel kcsan-kernel load unload install \
	modules_install lint clean
.DEFAULT_GOAL := help
