#!/bin/sh
# SPDX-License-Identifier: MIT
# wrong.sh BUILD_DIR [PATCH...] - show that the tests can fail: plant each known mistake and see its
# test turn red.
#
# tests/wrong/NN-name.patch begins with "Breaks: what", "Test: program", "Case: cmocka case" and,
# where the mistake needs a poorer kernel, "Deny: operations" (see tests/support/deny.c). For each
# patch: the case must pass with the library as it is; the patch must apply to a copy of the
# sources; and with the library built from that copy the case must fail, crash or hang. The test
# programs are those of BUILD_DIR, unchanged. A patch in tests/wrong/engine/ is for the engine: its
# test is tests/engine/PROGRAM.c, linked here with the engine as it is, and as patched. One in
# tests/wrong/trace/ is for the model of `rqpi trace`, likewise with tests/trace/PROGRAM.c. One in
# tests/wrong/host/ is for the engine on threads, under a program of tests/host; its header has
# "Flags: N", the options of the host (RQT_HOST_FLAGS). One in tests/wrong/shim/ is for a preload,
# under a program of tests/shim; its header has "Under: default" or "Under: force", and "Shared: 1"
# where process-shared condvars are to be the preload's.
# Output: TAP. Exit status: 0 every mistake was found, 1 one was not, 2 cannot run.
# Environment: CC (default cc), WRONG_JOBS (default: processors), WRONG_SECONDS (default 4) that a
# hang may take.
set -u
export CMOCKA_MESSAGE_OUTPUT=TAP

die()
{
	echo "wrong.sh: $*" >&2
	exit 2
}

one_header()
{
	sed -n "s/^$2: *//p;/^---/q" "$1" | head -n 1
}

# compile OUT_DIR SOURCE_DIR FILE...: objects of the named sources
compile()
{
	out=$1
	from=$2
	shift 2
	for f in "$@"; do
		# shellcheck disable=SC2086 # one option, or none
		"${CC:-cc}" -std=gnu11 -O1 -g -fPIC -fvisibility=hidden $probes \
			-I"$from" -I"$from/include" \
			-c "$from/$f" -o "$out/$(basename "$f" .c).o" || return 1
	done
}

# link_library OUT_DIR SOURCE_DIR
link_library()
{
	"${CC:-cc}" -shared -o "$1/librqpi.so.0" -Wl,-soname,librqpi.so.0 \
		-Wl,--version-script="$2/src/user/librqpi.map" "$1"/*.o -lpthread
}

# link_engine_test OUT_DIR TEST: OUT_DIR/TEST, with the engine's objects there
link_engine_test()
{
	"${CC:-cc}" -std=gnu11 -O1 -g -I"$root" -I"$root/include" -o "$1/$2" \
		"$root/tests/engine/$2.c" "$1"/*.o -lcmocka
}

# link_trace_test OUT_DIR TEST: OUT_DIR/TEST, with the model's objects there
link_trace_test()
{
	"${CC:-cc}" -std=gnu11 -O1 -g -I"$root" -I"$root/include" -o "$1/$2" \
		"$root/tests/trace/$2.c" "$root/tests/trace/made_up.c" "$1"/*.o -lcmocka -ljson-c
}

# link_preload OUT_DIR UNDER: the preload that UNDER means, from the objects there
link_preload()
{
	library=librqpi-preload-mutex.so
	objects=$(find "$1" -name '*.o' ! -name preload_cond.o)
	if [ "$2" = default ]; then
		library=librqpi-preload.so
		# Of the shim's, what src/meson.build has for both, and its list of bindings.
		both=$(sed -n "/preload_sources = files/,/)/s,.*shim/\\(.*\\)\\.c'.*,\\1.o,p" \
			"$root/src/meson.build")
		objects=$(find "$1" -name '*.o' ! -name 'shim*.o' ! -name preload_mutex.o)
		for object in $both; do
			objects="$objects $1/$object"
		done
	fi
	# shellcheck disable=SC2086 # a list of names without blanks
	"${CC:-cc}" -shared -o "$1/$library" -Wl,--version-script="$build/src/preload.map" \
		$objects -lpthread -ldl
}

# link_host OUT_DIR SOURCE_DIR: the engine on threads, from the objects there
link_host()
{
	"${CC:-cc}" -shared -o "$1/librqpi-engine.so.0" -Wl,-soname,librqpi-engine.so.0 \
		-Wl,-z,defs -Wl,--version-script="$2/src/host/librqpi-engine.map" "$1"/*.o -lpthread
}

# link_patched DIR PATCH TEST: what the patched objects of DIR/lib are part of
link_patched()
{
	case $2 in
	*/engine/*) link_engine_test "$1/lib" "$3" ;;
	*/host/*) link_host "$1/lib" "$1" ;;
	*/trace/*) link_trace_test "$1/lib" "$3" ;;
	*/shim/*) link_preload "$1/lib" "$(one_header "$2" Under)" ;;
	*) link_library "$1/lib" "$1" ;;
	esac
}

# run_case LIB_DIR PROGRAM CASE DENY LOG [FLAGS]: the case's exit status
run_case()
{
	(
		export LD_LIBRARY_PATH="$1" RQT_FILTER="$3"
		export RQT_WATCHDOG="${WRONG_SECONDS:-4}" RQT_STRIDE=1
		[ -z "${6:-}" ] || export RQT_HOST_FLAGS="$6"
		if [ -n "$4" ]; then
			exec timeout -k 1 20 "$build/tests/support/deny" "$4" "$2"
		fi
		exec timeout -k 1 20 "$2"
	) >"$5" 2>&1
}

# run_shim_case LIB_DIR PROGRAM CASE UNDER SHARED LOG: the same, under the preload that is there
run_shim_case()
{
	(
		export ORDINARY_UNDER="$4"
		[ -z "$5" ] || export RQPI_PRELOAD_SHARED="$5"
		set -- "$1"/librqpi-preload*.so "$2" "$3" "$4" # the one that there is
		force=0
		[ "$4" = default ] || force=1
		# An exception that nothing meets makes decisions slower, and races likelier.
		exec timeout -k 1 "${WRONG_SECONDS:-4}" env LD_PRELOAD="$1" RQPI_FORCE_PI=$force \
			RQPI_FORCE_PI_EXCEPT="none:n*one:no*ne:non*e" "$2" "$3"
	) >"$6" 2>&1
}

# run PATCH LIB_DIR PROGRAM CASE DENY LOG: whichever it is
run()
{
	case $1 in
	*/shim/*)
		run_shim_case "$2" "$3" "$4" "$(one_header "$1" Under)" \
			"$(one_header "$1" Shared)" "$6"
		;;
	*) run_case "$2" "$3" "$4" "$5" "$6" "$(one_header "$1" Flags)" ;;
	esac
}

# check_patch PATCH WORK_DIR: prints "ok NAME", "not ok NAME - why" or "skip NAME - why"
check_patch()
{
	patch=$1
	name=$(basename "$patch" .patch)
	dir=$2/$name
	test=$(one_header "$patch" Test)
	case=$(one_header "$patch" Case)
	deny=$(one_header "$patch" Deny)
	what=$(one_header "$patch" Breaks)
	pristine=$2/pristine
	pristine_lib=$2/pristine
	right=$build/tests/user/$test
	wrong=$right
	mkdir -p "$dir/lib" "$dir/right"
	case $patch in
	*/engine/*)
		pristine=$2/engine
		right=$dir/right/$test
		wrong=$dir/lib/$test
		cp "$pristine"/*.o "$dir/right/"
		link_engine_test "$dir/right" "$test" >"$dir/right.log" 2>&1
		;;
	*/host/*)
		pristine=$2/host
		pristine_lib=$2/host
		right=$build/tests/host/host-$test
		wrong=$right
		;;
	*/trace/*)
		pristine=$2/trace
		right=$dir/right/$test
		wrong=$dir/lib/$test
		cp "$pristine"/*.o "$dir/right/"
		link_trace_test "$dir/right" "$test" >"$dir/right.log" 2>&1
		;;
	*/shim/*)
		pristine=$2/shim
		right=$build/tests/shim/$test
		wrong=$right
		cp "$pristine"/*.o "$dir/right/"
		link_preload "$dir/right" "$(one_header "$patch" Under)" >"$dir/right.log" 2>&1
		pristine_lib=$dir/right
		;;
	esac
	if [ -z "$test" ] || [ -z "$case" ] || [ -z "$what" ] || [ ! -x "$right" ]; then
		echo "not ok $name - its header names no test that exists"
		return
	fi
	run "$patch" "$pristine_lib" "$right" "$case" "$deny" "$dir/right.log"
	status=$?
	if grep -q "^ok 1 # SKIP" "$dir/right.log"; then
		echo "skip $name - $(sed -n 's/^# SKIP //p' "$dir/right.log" | head -n 1)"
		return
	fi
	if [ $status -ne 0 ] || ! grep -q "^ok 1 - $case" "$dir/right.log"; then
		sed 's/^/# /' "$dir/right.log" >&2
		echo "not ok $name - $test $case does not pass with the library as it is"
		return
	fi
	cp -RL "$root/include" "$root/src" "$dir/" # -L: never patch through a link
	case $patch in
	*/trace/*) mkdir "$dir/tools" && cp -RL "$root/tools/rqpi" "$dir/tools/" ;;
	esac
	if ! patch -s -d "$dir" -p1 <"$patch" >"$dir/patch.log" 2>&1; then
		echo "not ok $name - the patch does not apply"
		return
	fi
	cp "$pristine"/*.o "$dir/lib/"
	changed=$(sed -n 's,^+++ b/\([^ ]*\.c\).*,\1,p' "$patch")
	# shellcheck disable=SC2086 # a list of names without blanks
	if ! compile "$dir/lib" "$dir" $changed >"$dir/cc.log" 2>&1 ||
		! link_patched "$dir" "$patch" "$test" >>"$dir/cc.log" 2>&1; then
		cat "$dir/cc.log" >&2
		echo "not ok $name - the patched library does not build"
		return
	fi
	if run "$patch" "$dir/lib" "$wrong" "$case" "$deny" "$dir/wrong.log"; then
		echo "not ok $name - $test $case stays green, but: $what"
	else
		echo "ok $name - $test $case is red; $what"
	fi
}

[ $# -ge 1 ] || die "usage: wrong.sh BUILD_DIR [PATCH...]"
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || die "cannot find the sources"
build=$(CDPATH='' cd -- "$1" && pwd) || die "no build directory $1"
shift

# With the probes that the build has.
probes=
if grep -q '\.note\.stapsdt' "$build/src/librqpi.so.0"; then
	probes=-DRQPI_USDT
fi

# One of our own jobs: check_patch, writing its verdict to a file.
if [ "${1:-}" = "--one" ]; then
	check_patch "$2" "$3" >"$3/$(basename "$2" .patch).verdict"
	exit 0
fi

if [ $# -eq 0 ]; then
	set -- "$root"/tests/wrong/*.patch "$root"/tests/wrong/engine/*.patch
	[ ! -x "$build/tests/host/host-t_life" ] || set -- "$@" "$root"/tests/wrong/host/*.patch
	[ ! -x "$build/tests/trace/t_trace_model" ] || set -- "$@" "$root"/tests/wrong/trace/*.patch
	# No preload on this machine: no programs under it.
	[ ! -x "$build/tests/shim/t_kinds" ] || set -- "$@" "$root"/tests/wrong/shim/*.patch
fi
[ -e "$1" ] || die "no patches"
command -v patch >/dev/null || die "needs the program patch (Debian: apt-get install patch)"
work=$(mktemp -d) || die "no temporary directory"
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM

mkdir "$work/pristine"
# time32.c is part of the library on machines of 32 bits alone.
sources=$(cd "$root" && find src/sys src/user -name "*.c" ! -name time32.c)
# shellcheck disable=SC2086 # a list of names without blanks
compile "$work/pristine" "$root" $sources || die "the library does not build"
link_library "$work/pristine" "$root" ||
	die "the library does not build"
mkdir "$work/engine"
sources="$(cd "$root" && echo src/engine/*.c) src/base/tree.c examples/port_coop.c"
sources="$sources tests/engine/stage.c tests/engine/race.c"
# shellcheck disable=SC2086 # a list of names without blanks
compile "$work/engine" "$root" $sources || die "the engine does not build"
mkdir "$work/host"
if [ -x "$build/tests/host/host-t_life" ]; then
	# The engine as one object: two of its files have names of the port's.
	mkdir "$work/host/engine"
	sources="$(cd "$root" && echo src/engine/*.c) src/base/tree.c"
	# shellcheck disable=SC2086 # a list of names without blanks
	compile "$work/host/engine" "$root" $sources || die "the engine does not build"
	"${CC:-cc}" -r -nostdlib -o "$work/host/engine.o" "$work/host/engine"/*.o ||
		die "the engine does not build"
	# Which of the port's files this machine takes, the build knows.
	sources=
	for object in "$build"/src/host/librqpi-engine.so.*.p/*.c.o; do
		sources="$sources src/host/$(basename "$object" .o)"
	done
	# shellcheck disable=SC2086 # a list of names without blanks
	compile "$work/host" "$root" $sources || die "the engine's port does not build"
	link_host "$work/host" "$root" || die "the engine's port does not build"
fi
mkdir "$work/trace"
if [ -x "$build/tests/trace/t_trace_model" ]; then
	sources=
	for name in model build sched waits futex condvar blame report put text json; do
		sources="$sources tools/rqpi/trace/trace_$name.c"
	done
	# shellcheck disable=SC2086 # a list of names without blanks
	compile "$work/trace" "$root" $sources || die "the model of rqpi trace does not build"
fi
mkdir "$work/shim"
if [ -e "$build/src/preload.map" ]; then
	cp "$work/pristine"/*.o "$work/shim/"
	sources=$(cd "$root" && echo src/shim/preload_*.c src/shim/shim*.c)
	# shellcheck disable=SC2086 # a list of names without blanks
	compile "$work/shim" "$root" $sources || die "the preload does not build"
fi

echo "1..$#"
printf '%s\n' "$@" |
	xargs -P "${WRONG_JOBS:-$(nproc)}" -I '{}' sh "$0" "$build" --one '{}' "$work"

number=0
bad=0
for patch in "$@"; do
	number=$((number + 1))
	verdict=$(cat "$work/$(basename "$patch" .patch).verdict" 2>/dev/null)
	case $verdict in
	"ok "*) echo "ok $number - ${verdict#ok }" ;;
	"skip "*) echo "ok $number - # SKIP ${verdict#skip }" ;;
	*)
		verdict=${verdict:-"not ok $(basename "$patch") - no verdict"}
		echo "not ok $number - ${verdict#not ok }"
		bad=1
		;;
	esac
done
exit $bad
