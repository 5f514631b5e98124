# SPDX-License-Identifier: MIT
#
# For the tests that are scripts, to be sourced: results in TAP, and a directory $tmp, the
# file "log" of which is printed for a result that failed.  $failed says whether any did.

tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
n=0
failed=0

result() {	# STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$tmp/log" >&2
		failed=1
	fi
}
