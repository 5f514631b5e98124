#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Catches: a probe that is missing or has lost an argument, that comes at the wrong
# moment, or says something else than goheap_read_stats().
#
#	probes.sh PROFILE-SITES
#
# What a tracer sees is looked at where one can run: as root, with bpftrace and a kernel that
# has uprobes, which is so in selftests/vm/run.

set -u
[ $# = 1 ] || { echo "usage: probes.sh PROFILE-SITES" >&2; exit 2; }
program=$(realpath "$1") || exit 2
. "$(dirname "$0")/result.sh"

echo "TAP version 13"
echo "1..2"
notes="the program has the four probes, with three arguments of 64 bits each"
traced="a tracer sees each collection's phases in order, and the figures of the statistics"

if ! echo '#include <sys/sdt.h>' | ${CC:-cc} -E - >/dev/null 2>&1; then
	echo "ok 1 - $notes # SKIP no sys/sdt.h"
	echo "ok 2 - $traced # SKIP no sys/sdt.h"
	exit 0
fi

# Each name as often as the compiler has copied the code.
check_notes() {
	readelf -nW "$program" 2>/dev/null | awk '
		/Provider:/ { provider = $NF }
		/Name:/ { name = $2 }
		/Arguments:/ {
			if (provider != "goheap")
				next
			seen[name]++
			if (NF != 4 || $2 !~ /^8@/ || $3 !~ /^8@/ || $4 !~ /^8@/)
				print "arguments of " name ": " $0
		}
		END {
			split("gc_start gc_stop gc_resume gc_end", want)
			for (i in want)
				if (!seen[want[i]])
					print "no probe " want[i]
			for (name in seen)
				if (name !~ /^gc_(start|stop|resume|end)$/)
					print "unknown probe " name
		}' >"$tmp/log"
	[ ! -s "$tmp/log" ]
}
check_notes
result $? "$notes"

tracing=/sys/kernel/tracing
if [ ! -e $tracing/uprobe_events ] && mount -t tracefs none $tracing 2>/dev/null; then
	trap 'rm -rf "$tmp"; umount $tracing' EXIT
fi
if [ "$(id -u)" != 0 ] || [ ! -e $tracing/uprobe_events ] || ! command -v bpftrace >/dev/null; then
	echo "ok 2 - $traced # SKIP needs root, uprobes and bpftrace"
	exit $failed
fi

# One line for each probe: its name, the collection, why, bytes.
trace() {
	local name

	cp "$program" "$tmp/program" || return 1
	for name in gc_start gc_stop gc_resume gc_end; do
		echo "usdt:$tmp/program:goheap:$name { printf(\"$name %d %d %d\\n\", arg0, arg1, arg2); }"
	done >"$tmp/script"
	timeout 500 bpftrace "$tmp/script" -c "$tmp/program collections" >"$tmp/out" 2>"$tmp/err" &&
		grep -E '^(gc_|collections )' "$tmp/out" >"$tmp/log"
}

check_trace() {
	trace || { cat "$tmp/out" "$tmp/err" >"$tmp/log"; return 1; }
	# The program's own line comes when its output is flushed.
	awk '
		function wrong(why) { print "line " NR ": " why ": " $0; bad = 1 }
		$1 == "collections" { cycles = $2; forced = $4; live = $6; next }
		$1 == "gc_start" {
			if (open || $2 != cycle + 1)
				wrong("start")
			open = 1; cycle = $2; why = $3; stopped = 0; stops = 0
			if ($4 == 0)
				wrong("nothing allocated")
			if (why == 1)
				requests++
		}
		$2 != cycle || $3 != why { wrong("another collection") }
		$1 == "gc_stop" { if (!open || stopped) wrong("stop"); stopped = 1; stops++ }
		$1 == "gc_resume" { if (!stopped) wrong("resume"); stopped = 0; at_last = $4 }
		$1 == "gc_end" {
			if (!open || stopped || !stops || $4 > at_last + 0)
				wrong("end")
			open = 0; marked = $4
		}
		END {
			if (open || !cycle || cycle != cycles || requests != forced || marked != live) {
				print "seen: " cycle ", " requests " by request, live " marked
				bad = 1
			}
			exit bad
		}' "$tmp/log" >"$tmp/said" || { cat "$tmp/said" >>"$tmp/log"; return 1; }
}
check_trace
result $? "$traced"
exit $failed
