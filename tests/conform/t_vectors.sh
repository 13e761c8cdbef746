#!/bin/sh
# SPDX-License-Identifier: MIT
# t_vectors.sh ARCH DIFFERENCES RQPI [EMULATOR...]: all vectors, on the engine and on the kernel, as
# another C library or machine has them. On the engine all agree. On the kernel exactly those
# differ that DIFFERENCES (lines "ARCH VECTOR...", # for comments) has for ARCH: under a 64-bit
# kernel, or an emulator, not everything is as on the machine itself. See docs/portability.md.
#
# Output: TAP. Exit status: 0, or 1 if a test failed.
set -u
arch=$1 differences=$2 rqpi=$3
shift 3
out=$(mktemp) || exit 2
known=$(mktemp) || exit 2
seen=$(mktemp) || exit 2
trap 'rm -f "$out" "$known" "$seen"' EXIT
bad=0

report() { # report STATUS NUMBER NAME
	if [ "$1" -eq 0 ]; then
		echo "ok $2 - $3"
	else
		echo "not ok $2 - $3"
		tail -n 40 "$out" | sed 's/^/# /'
		bad=1
	fi
}

# The vectors were played to the end, and those that differ are the ones known.
lane() { # lane NUMBER LANE NAME-IN-LIST [EMULATOR...]
	number=$1 where=$2 list=$3
	shift 3
	timeout 500 "$@" "$rqpi" conform --on "$where" >"$out" 2>&1 </dev/null
	grep '^[0-9]* vectors: ' "$out" | sed "s/^/# on $where: /"
	sed -n 's/^DIFFERS  \([^ ]*\) on .*/\1/p' "$out" | sort >"$seen"
	sed -n "s/^$list //p${emulated:+; s/^$emulated //p}" "$differences" |
		tr ' ' '\n' | sed '/^$/d' | sort >"$known"
	grep -q '^[0-9]* vectors: ' "$out" && diff "$known" "$seen" | sed 's/^/# /' >"$out.diff"
	status=$?
	if [ -s "$out.diff" ]; then
		echo "# < is known and did not differ, > differs and is not known:"
		cat "$out.diff"
		status=1
	fi
	rm -f "$out.diff"
	report "$status" "$number" "on $where: as known for this machine"
}

echo 1..2
emulated=''
lane 1 engine "$arch-engine" "$@"
if [ $# -gt 0 ]; then
	emulated=emulated
fi
lane 2 linux "$arch" "$@"
exit $bad
