#!/bin/bash
# SPDX-License-Identifier: MIT
#
# abi.sh [--update] BUILD-DIR: is what was built in BUILD-DIR compatible with the ABI that abi/ has?
# abi/*.abi is what libabigail sees of a library with only the public headers: functions with their
# versions, and each public type that they use, with sizes and offsets. abi/*.symbols is what a
# preload puts in front of the C library. A change that breaks a program is a finding, and so is an
# addition that is not in abi/; --update writes abi/ anew, and debian/*.symbols with it.
#
# The records are of x86-64 and gcc. Says "ok - RULE" or "not ok - RULE". Called by test.sh. Exit
# status: 0 the same, 1 not, 2 cannot compare.
set -u
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 2

LIBRARIES='librqpi librqpi-engine'
PRELOADS='librqpi-preload librqpi-preload-mutex librqpi-futex-preload'

update=''
if [ "${1:-}" = --update ]; then
	update=1
	shift
fi
build=${1:?usage: scripts/abi.sh [--update] BUILD-DIR}
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
failed=0
added="something was added: scripts/abi.sh --update $build"

fail() {
	echo "abi: $*" >&2
	exit 2
}

built() { # built NAME: the library of that name in $build
	local found
	found=$(find "$build" -name "$1.so" -xtype f -print -quit 2>/dev/null)
	[ -n "$found" ] || fail "$1.so was not built in $build"
	echo "$found"
}

# The ABI of a library, without what differs from one build folder to another. Types that only the
# sources know are left out.
record_library() {
	local library
	library=$(built "$1") || exit
	readelf -S -W "$library" | grep -q '\.debug_info' ||
		fail "$library has no debugging information: build it with -g"
	abidw --headers-dir include/rqpi --drop-private-types --exported-interfaces-only \
		--drop-undefined-syms --no-corpus-path --no-comp-dir-path --no-show-locs \
		--no-elf-needed --no-write-default-sizes --no-parameter-names --type-id-style hash \
		"$library" | sed "s|path='[^']*/src/|path='src/|"
	[ "${PIPESTATUS[0]}" -eq 0 ] || fail "abidw cannot read $library"
}

# What a preload exports: NAME@VERSION, NAME@@VERSION where that is the one for new programs.
record_preload() {
	local library
	library=$(built "$1") || exit
	nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort
}

# A recorded ABI and that of the build: abidiff's status has a bit for each kind of difference.
compare_library() {
	local status
	abidiff --no-show-locs "abi/$1.abi" "$place/$1.abi" >"$place/said" 2>&1
	status=$?
	if [ $((status & 3)) -ne 0 ]; then
		cat "$place/said" >&2
		fail "abidiff cannot compare $1"
	elif [ $((status & 8)) -ne 0 ]; then
		not_ok "the ABI of $1 is kept" 'programs that were built with it would break'
	elif [ $((status & 4)) -eq 0 ]; then
		echo "ok - the ABI of $1 is kept"
	elif only_added; then
		not_ok "the ABI of $1 is kept" "$added"
	else
		not_ok "the ABI of $1 is kept" 'a type or a function has changed'
	fi
}

# Nothing but new functions? "Functions changes summary: 0 Removed, 0 Changed, 1 Added function".
only_added() {
	! grep -E '^[A-Z][a-z ]*changes summary:|^[A-Z][a-z ]*symbols changes' "$place/said" |
		grep -qE '[1-9][0-9]* (Removed|Changed)'
}

compare_preload() {
	local lost more
	lost=$(comm -23 "abi/$1.symbols" "$place/$1.symbols")
	more=$(comm -13 "abi/$1.symbols" "$place/$1.symbols")
	printf '%s\n' "${lost:+removed: $lost}" "${more:+added: $more}" >"$place/said"
	if [ -n "$lost" ]; then
		not_ok "what $1 exports is kept" 'programs would get the C library instead'
	elif [ -n "$more" ]; then
		not_ok "what $1 exports is kept" "$added"
	else
		echo "ok - what $1 exports is kept"
	fi
}

not_ok() { # not_ok RULE WHY: and what was found
	echo "not ok - $1"
	echo "    $2"
	sed '/^$/d; s/^/    /' "$place/said"
	failed=1
}

record_all() {
	local name
	for name in $LIBRARIES; do
		record_library "$name" >"$place/$name.abi" || exit
	done
	for name in $PRELOADS; do
		record_preload "$name" >"$place/$name.symbols" || exit
	done
}

main() {
	local name
	for name in abidw abidiff; do
		command -v "$name" >/dev/null || fail "needs $name (abigail-tools)"
	done
	record_all
	if [ -n "$update" ]; then
		mkdir -p abi && cp "$place"/*.abi "$place"/*.symbols abi/ || exit 2
		scripts/symbols.py --update
		return
	fi
	for name in $LIBRARIES; do
		[ -f "abi/$name.abi" ] || fail "abi/$name.abi is not there"
		compare_library "$name"
	done
	for name in $PRELOADS; do
		[ -f "abi/$name.symbols" ] || fail "abi/$name.symbols is not there"
		compare_preload "$name"
	done
	return "$failed"
}

main
