# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the setup scripts have in common: where the cache is, one line of
# complaint, one caller at a time, and how long a step took.
#
# The cache (kernels, the built modules, initramfs) lives outside the tree, so
# that a fresh clone finds what an earlier one built.  Everything in it appears
# by a rename when it is complete: what was cut off half-way is not there.

setup_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
selftests_dir=${setup_dir%/*}
top_dir=${selftests_dir%/*}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 2
}

say()
{
	printf 'goheap: %s\n' "$*" >&2
}

# Kbuild cannot live in a path with a space or a colon in it.  The directory in
# /var/tmp is only used if it is this user's own.
cache_dir()
{
	local base=${XDG_CACHE_HOME:-${HOME:-/}/.cache} dir

	case $base in
	/*[[:space:]:]* | [!/]* | '' | //.cache)
		dir=/var/tmp/goheap-$(id -u)
		mkdir -p -m 700 "$dir" 2>/dev/null
		[ -O "$dir" ] && [ ! -L "$dir" ] ||
			die "$dir is not this user's own directory; remove it or set XDG_CACHE_HOME"
		printf '%s\n' "$dir"
		return
		;;
	esac
	mkdir -p "$base/goheap" 2>/dev/null && [ -w "$base/goheap" ] ||
		die "cannot write to $base/goheap; set XDG_CACHE_HOME to a directory of your own"
	printf '%s\n' "$base/goheap"
}

# lock NAME: waits for whoever else is at it; held until this shell exits.
lock()
{
	exec {lock_fd}>"$cache/lock-$1" || die "cannot write to $cache"
	if ! flock -n "$lock_fd"; then
		say "waiting for another setup that is busy with $1"
		flock "$lock_fd"
	fi
}

now_ms()
{
	local t=${EPOCHREALTIME/[.,]/}

	printf '%s\n' "${t%???}"
}

# took START_MS: "12.3 s"
took()
{
	local ms=$(($(now_ms) - $1))

	printf '%d.%d s\n' $((ms / 1000)) $((ms % 1000 / 100))
}

cache=$(cache_dir) || exit 2
