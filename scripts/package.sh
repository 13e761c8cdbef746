#!/bin/bash
# SPDX-License-Identifier: MIT
#
# package.sh [--output DIR]: build the Debian package, look at it with lintian, and try it on a
# fresh Debian 12: a root folder made by debootstrap, in which apt installs the packages, a program
# that was compiled before and elsewhere runs under `rqpi run`, and autopkgtest runs debian/tests;
# then all is removed again. The packages are left in DIR if one is named. Called by `make package`
# and by check.sh; needs Debian 12, and root for the fresh system.
#
# Debian's packages come from where this machine's own apt has them. build-ci/bookworm-* keep the
# fresh system and what apt fetched for the next run; nothing else stays behind.
#
# Says "ok - TEST", "not ok - TEST" or "skip - TEST: REASON". Exit status: 0, 1 a test failed, 2
# cannot test.
set -u
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
cd "$(dirname "$0")/.." || exit 2

SUITE=bookworm
MINUTES=20 # for one command, before it is ended
output=''
failed=0

while [ $# -gt 0 ]; do
	case $1 in
	--output)
		output=${2:?package: --output needs a folder}
		shift
		;;
	*)
		echo "usage: scripts/package.sh [--output DIR]" >&2
		exit 2
		;;
	esac
	shift
done

place=$(mktemp -d) || exit 2
root=$place/root
trap 'rm -rf --one-file-system "$place"' EXIT
trap 'exit 2' HUP INT TERM

# The tests that come after the package is built; those of autopkgtest are in debian/tests/control.
declared=$(sed -n 's/^Tests: *//p' debian/tests/control | tr -d ,)

ok() {
	echo "ok - $1"
}

# not_ok TEST [FILE]: and the end of what was said in FILE.
not_ok() {
	[ -z "${2:-}" ] || tail -n 60 "$2" | sed 's/^/    /'
	echo "not ok - $1"
	failed=1
}

skip() { # skip REASON TEST...
	local reason=$1 name
	shift
	for name; do
		echo "skip - $name: $reason"
	done
}

# test_of NAME COMMAND...: one test, with what it said if it fails.
test_of() {
	local name=$1
	shift
	if "$@" >"$place/log" 2>&1 </dev/null; then
		ok "$name"
	else
		not_ok "$name" "$place/log"
		return 1
	fi
}

limited() {
	timeout -k 30 $((MINUTES * 60)) "$@"
}

packages() { # the packages that were built, without those of debugging symbols
	find "$place" -maxdepth 1 -name "*_$arch.deb" ! -name '*-dbgsym_*' | sort
}

# Source and binary packages, from a copy: what was built in the tree would be packed as well.
build_package() {
	local version
	version=$(sed -n '1s/^rqpi (\(.*\)-.*/\1/p' debian/changelog)
	mkdir "$place/rqpi" &&
		scripts/tree.py all | tar -c --verbatim-files-from -T - | tar -x -C "$place/rqpi" &&
		tar -c -z -C "$place" --exclude=rqpi/debian \
			-f "$place/rqpi_$version.orig.tar.gz" rqpi &&
		(cd "$place/rqpi" && limited dpkg-buildpackage -us -uc)
}

# `man NAME` finds a page for every function that a library of ours exports.
has_manual() {
	local names name missing=''
	dpkg-deb -x "$(packages | grep 'librqpi-dev_')" "$place/dev" || return
	names=$(sed -n 's/^ \(rqpi_[a-z0-9_]*\)@.*/\1/p' debian/librqpi*.symbols)
	[ -n "$names" ] || return
	for name in $names; do
		# Through the link, which may lead to nothing.
		[ -s "$place/dev/usr/share/man/man3/$name.3.gz" ] || missing="$missing $name"
	done
	echo "without a page:${missing:- none}"
	[ -z "$missing" ]
}

# Where this machine's apt has Debian 12: "SITE RELEASE COMPONENT" of each.
debian_sources() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(CODENAME) $(SITE) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
		sed -n "s/^${SUITE}[a-z-]* //p" | sort -u
}

make_base() { # make_base TAR-FILE: a system as debootstrap makes it
	local site tree=$place/base
	site=$(debian_sources | awk -v suite="$SUITE" '$2 == suite { print $1; exit }')
	limited debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$tree" "$site" &&
		rm -rf "$tree/var/cache/apt/archives" "$tree/etc/apt/sources.list" &&
		mkdir -p build-ci "$tree/var/cache/apt/archives/partial" &&
		tar -c --one-file-system --numeric-owner -C "$tree" -f "$1.new" . &&
		mv "$1.new" "$1" && rm -rf --one-file-system "$tree"
}

make_root() {
	local base=build-ci/$SUITE-$arch.tar
	[ -s "$base" ] || make_base "$base" || return
	mkdir "$root" && tar -x --numeric-owner -C "$root" -f "$base" || return
	debian_sources | awk '{ print "deb", $1, $2, $3 }' >"$root/etc/apt/sources.list"
	apt-config dump | grep -E '^Acquire::(https?::(Proxy|CA)|Check-Valid-Until)' \
		>"$root/etc/apt/apt.conf.d/90host"
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	cp -n "build-ci/$SUITE-debs/"*.deb "$root/var/cache/apt/archives/" 2>/dev/null
	mkdir -p "$root/rqpi"
	inside apt-get -q update
}

# Processes and mounts of a command end with it: they are in namespaces of their own.
apart() {
	# shellcheck disable=SC2016 # that shell's own arguments
	limited unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc /proc &&
		mount -t proc proc "$0/proc" && exec "$@"' "$root" "$@"
}

inside() {
	apart chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ "$@"
}

# What the command needs and no more, so that a dependency that was forgotten is missed.
install_command() {
	# shellcheck disable=SC2046 # a list of files
	cp $(packages) "$root/rqpi/" && cp -r debian/tests "$root/rqpi/" || return
	inside sh -c 'apt-get -q -y --no-install-recommends install /rqpi/rqpi_*.deb \
		/rqpi/librqpi0_*.deb /rqpi/librqpi-engine0_*.deb' &&
		inside ldconfig -p | grep librqpi
}

# under_run TEST PROGRAM: debian/tests/TEST on the PROGRAM from outside.
under_run() {
	cp "$place/$2" "$root/rqpi/$2" && inside mktemp -d /tmp/run.XXXXXX >"$place/tmp" &&
		inside env AUTOPKGTEST_TMP="$(cat "$place/tmp")" "/rqpi/tests/$1" "/rqpi/$2"
}

# autopkgtest, whose summary has a line for each test: "NAME PASS", "NAME SKIP why", "NAME FAIL why"
run_declared() {
	local name line
	mkdir -p "$place/tree" && cp -r debian "$place/tree/" || return
	# shellcheck disable=SC2046 # a list of files
	apart autopkgtest --summary-file "$place/summary" -B "$place/tree" $(packages) \
		-- chroot "$root" >"$place/log" 2>&1 </dev/null
	for name in $declared; do
		line=$(grep -m 1 "^$name " "$place/summary" 2>/dev/null)
		case $line in
		*' PASS'*) ok "autopkgtest $name" ;;
		*' SKIP'*) skip "${line#* SKIP}" "autopkgtest $name" ;;
		*) not_ok "autopkgtest $name: ${line:-was not run}" "$place/log" ;;
		esac
	done
}

removed() {
	inside sh -c 'apt-get -q -y purge "*rqpi*" &&
		rm -rf /rqpi /var/cache/apt/archives/*rqpi*' || return
	[ -z "$(find "$root" -xdev -path "$root/tmp" -prune -o \
		-path "$root/var/lib/apt" -prune -o -name '*rqpi*' -print | tee /dev/stderr)" ]
}

fresh_system() {
	local made='a fresh Debian 12' rest
	rest=("rqpi is installed there" "a program from elsewhere, under rqpi run"
		"its threads are served by urgency")
	for name in $declared; do
		rest+=("autopkgtest $name")
	done
	rest+=("purged, nothing is left")

	if [ "$(id -u)" -ne 0 ] || ! unshare --mount --pid --fork true 2>/dev/null; then
		skip 'needs root, with the right to mount' "$made" "${rest[@]}"
		return
	fi
	if ! command -v debootstrap >/dev/null || ! command -v autopkgtest >/dev/null; then
		skip 'needs debootstrap and autopkgtest' "$made" "${rest[@]}"
		return
	fi
	if [ -z "$(debian_sources)" ]; then
		skip "this machine's apt has no source of Debian 12" "$made" "${rest[@]}"
		return
	fi
	if ! test_of "$made" make_root; then
		skip 'no fresh system' "${rest[@]}"
		return
	fi
	test_of "${rest[0]}" install_command
	test_of "${rest[1]}" under_run run program
	if under_run order order >"$place/log" 2>&1; then
		ok "${rest[2]}"
	elif grep -q '^skipped: ' "$place/log"; then
		skip "$(sed -n 's/^skipped: //p' "$place/log")" "${rest[2]}"
	else
		not_ok "${rest[2]}" "$place/log"
	fi
	run_declared
	mkdir -p build-ci/$SUITE-debs
	find "$root/var/cache/apt/archives" -maxdepth 1 -name '*.deb' ! -name '*rqpi*' \
		-exec cp -n -t build-ci/$SUITE-debs {} + 2>/dev/null
	test_of "${rest[-1]}" removed
}

main() {
	if ! grep -qs '^VERSION_CODENAME=bookworm$' /etc/os-release; then
		skip 'this is not Debian 12' 'dpkg-buildpackage and all that follows'
		return
	fi
	scripts/deps.sh package || exit 2
	arch=$(dpkg --print-architecture)

	# Before there is a package, and outside the system in which it will run.
	for name in program order; do
		cc -O2 -pthread -o "$place/$name" "debian/tests/$name.c" || exit 2
	done

	test_of 'dpkg-buildpackage' build_package || exit 1
	if [ -n "$output" ]; then
		mkdir -p "$output" || exit 2
		find "$place" -maxdepth 1 -type f -name '*rqpi*' -exec cp -t "$output" {} + ||
			exit 2
		echo "packages: $output"
	fi
	test_of 'lintian has no error and no warning' \
		lintian --no-cfg --allow-root --fail-on error,warning --profile debian \
		"$place"/*.changes
	test_of 'every exported function has its manual page in librqpi-dev' has_manual
	fresh_system
}

main
[ "$failed" -eq 0 ]
