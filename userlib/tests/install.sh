#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Catches: an installed library that cannot be found, compiled against, linked or
# run, an install that leaves DESTDIR or cannot stand a space in it.

set -u
cd "$(dirname "$0")/.." || exit 2
. tests/result.sh

if ! command -v pkg-config >/dev/null; then
	echo "1..1"
	echo "ok 1 - install # SKIP no pkg-config"
	exit 0
fi
echo "TAP version 13"
echo "1..7"

cat >"$tmp/hello.c" <<'END'
#include <goheap.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static char *kept;

static void *thread(void *arg)
{
	char *p = goheap_alloc_noscan(100);

	for (int i = 0; i < 10000; i++)
		goheap_alloc(1000);
	strcpy(p, "hello");
	kept = p;
	return arg;
}

int main(void)
{
	struct goheap_stats s = { .size = sizeof(s) };
	pthread_t t;

	if (pthread_create(&t, NULL, thread, NULL) || pthread_join(t, NULL))
		return 1;
	goheap_collect();
	goheap_read_stats(&s);
	printf("%s %d\n", kept, s.num_gc > 0 && s.frees > 9000);
	return 0;
}
END

log() {
	"$@" >"$tmp/log" 2>&1
}

# An install below a prefix, as a user does it.
log make install prefix="$tmp/usr"
result $? "make install prefix=DIR"
for f in include/goheap.h lib/libgoheap.a lib/libgoheap.so lib/pkgconfig/goheap.pc; do
	[ -e "$tmp/usr/$f" ] || echo "missing: $f"
done >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "headers, both libraries and the pkg-config file are there"
ls -R "$tmp/usr" >"$tmp/log"

export PKG_CONFIG_PATH=$tmp/usr/lib/pkgconfig
cc=${CC:-cc}

check_shared() {
	$cc -Wall -Werror $(pkg-config --cflags goheap) -o "$tmp/shared" "$tmp/hello.c" \
		$(pkg-config --libs goheap) -pthread &&
	readelf -d "$tmp/shared" | grep -q 'NEEDED.*libgoheap\.so' &&
	[ "$(LD_LIBRARY_PATH=$tmp/usr/lib "$tmp/shared")" = "hello 1" ]
}
log check_shared
result $? "a program compiled with pkg-config's flags runs on the shared library"

check_static() {
	$cc -Wall -Werror $(pkg-config --cflags goheap) -o "$tmp/static" "$tmp/hello.c" \
		"$tmp/usr/lib/libgoheap.a" $(pkg-config --libs-only-other --static goheap) -pthread &&
	! readelf -d "$tmp/static" | grep -q 'libgoheap' &&
	[ "$("$tmp/static")" = "hello 1" ]
}
log check_static
result $? "and on the static one"

# As a packager does it: the same files, and none elsewhere.
check_destdir() {
	make install DESTDIR="$tmp/dest dir" prefix=/opt/x &&
	diff <(cd "$tmp/usr" && find . | sort) <(cd "$tmp/dest dir/opt/x" && find . | sort) &&
	[ "$(ls -A "$tmp/dest dir")" = opt ] &&
	grep -q '^prefix=/opt/x$' "$tmp/dest dir/opt/x/lib/pkgconfig/goheap.pc"
}
log check_destdir
result $? "make install DESTDIR=\"A DIR\" prefix=/opt/x: the same files there, and the prefix without it in the .pc"

check_symbols() {
	# What the library gives to programs: goheap_*, and functions of libc's that it wraps.
	local odd libc
	libc=$(ldd "$tmp/usr/lib/libgoheap.so" | awk '$1 == "libc.so.6" { print $3 }')
	odd=$(nm -D --defined-only "$tmp/usr/lib/libgoheap.so" | awk '$2 ~ /[A-Z]/ { print $3 }' |
		sed 's/@.*//' | grep -v '^goheap_' |
		grep -vxFf <(nm -D --defined-only "$libc" | awk '{ print $3 }' | sed 's/@.*//'))
	echo "unexpected symbols: $odd"
	[ -z "$odd" ]
}
log check_symbols
result $? "the shared library gives out no other names than goheap_* and those it wraps"

# The program of the README: what a reader copies is what is compiled here.
check_readme() {
	sed -n '/^```c$/,/^```$/{/^```/d;p}' ../README.md >"$tmp/readme.c" &&
	diff "$tmp/readme.c" examples/hello.c &&
	$cc -O2 -Wall -Werror -o "$tmp/readme" "$tmp/readme.c" \
		$(pkg-config --cflags --libs goheap) -Wl,-rpath,"$tmp/usr/lib" &&
	"$tmp/readme" | grep -q '^1000000 objects allocated, .* last value 999999$'
}
log check_readme
result $? "the program in the README is examples/hello.c, and runs"
exit $failed
