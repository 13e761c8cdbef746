#!/bin/sh
# SPDX-License-Identifier: MIT
# What --force-pi leaves to libc, and what it says of it: exceptions by program, by library and by
# pattern, mutexes that cannot be made PI, misuse; and where the mutex preload steps aside.
# Arguments: the command rqpi ("" where it is not built), the mutex preload, the programs left and
# t_abused, the library of left, the launcher deny, the library front.
# Output: TAP.
set -u
rqpi=$1 preload=$2 left=$3 abused=$4 library=$5 deny=$6 front=$7
unset CMOCKA_MESSAGE_OUTPUT RQPI_FORCE_PI RQPI_FORCE_PI_EXCEPT
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
n=0

report() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$dir/out" "$dir/err"
	fi
}

# force EXCEPT COMMAND...: run by the environment, as rqpi run does it
force() {
	except=$1
	shift
	ORDINARY_UNDER=force LD_PRELOAD=$preload RQPI_FORCE_PI=1 RQPI_FORCE_PI_EXCEPT=$except "$@" \
		>"$dir/out" 2>"$dir/err"
}

# says TEXT: that, and nothing else, was the output; quiet: nothing was said
says() {
	[ "$(tr '\n' ',' <"$dir/out")" = "$1" ]
}
quiet() {
	! grep -q rqpi: "$dir/err"
}
told() { # TIMES PATTERN
	[ "$(grep -c "rqpi: preload: .*$2" "$dir/err")" -eq "$1" ]
}

echo 1..21

force "" "$left" && says "zeros pi,made pi," && quiet
report $? "every mutex of a program is made PI"

LD_PRELOAD=$preload "$left" >"$dir/out" 2>"$dir/err" && says "zeros plain,made plain," && quiet
report $? "the mutex preload alone makes none PI"

force left "$left" && says "zeros plain,made plain," && quiet
report $? "a program is excepted by its name"

force 'x:le?t' "$left" && says "zeros plain,made plain,"
report $? "it is excepted by a pattern in a list"

force 'lef:eft:LEFT::left2' "$left" && says "zeros pi,made pi,"
report $? "names like it are others"

name=$(basename "$library")
force "$name" "$left" library "$library" &&
	says "ours pi,by-library plain,in-library plain," && quiet
report $? "a library is excepted: what it uses first, and what lies in it"

force 'left' "$left" library "$library" && says "ours plain,by-library plain,in-library plain,"
report $? "with the program what others use in its data, and what it uses in theirs"

force '*left_library*' "$left" library "$library" &&
	says "ours pi,by-library plain,in-library plain,"
report $? "a library is excepted by a pattern"

force "" "$left" protect && says "protect plain,protect plain,"
report $? "PTHREAD_PRIO_PROTECT is left"
told 1 PTHREAD_PRIO_PROTECT
report $? "which is told once"

force "" "$left" elsewhere &&
	says "elsewhere plain,elsewhere plain,elsewhere-pi pi,elsewhere-pi pi,"
report $? "what another process has initialised is left as it is"
told 1 "initialised without rqpi" && told 1 ""
report $? "which is told once, and not of those that are PI"

force "" "$abused" 'another_thread_unlocks*' && told 1 "does not own it, while others wait"
report $? "an unlock that has to fail is told"

force "" "$abused" 'another_thread_may*' && quiet
report $? "one that need not fail is not"

force "" "$abused" 'a_mutex_locked_twice*' && quiet
report $? "nor a mutex locked twice"

force "" "$abused" 'a_circle*' && told 1 "wait for each other"
report $? "a deadlock of two is told"

# As meant to be started.
if [ -n "$rqpi" ]; then
	RQPI_PRELOAD=$preload "$rqpi" run --force-pi --except=nothing --except="$name" -- \
		"$left" library "$library" >"$dir/out" 2>"$dir/err" &&
		says "ours pi,by-library plain,in-library plain," && quiet
	report $? "rqpi run --force-pi --except"
else
	n=$((n + 1))
	echo "ok $n - rqpi run --force-pi --except # SKIP the command is not built"
fi

LD_PRELOAD=$preload RQPI_FORCE_PI=1 RQPI_PRELOAD_OFF=1 "$left" >"$dir/out" 2>"$dir/err" &&
	says "zeros plain,made plain," && quiet
report $? "RQPI_PRELOAD_OFF=1: aside, silently"

LD_PRELOAD=$front:$preload RQPI_FORCE_PI=1 "$left" >"$dir/out" 2>"$dir/err" &&
	says "zeros plain,made plain," && told 1 "another library .* stepping aside"
report $? "another library in front: aside"

env "$deny" requeue_pi env LD_PRELOAD="$preload" RQPI_FORCE_PI=1 "$left" >"$dir/out" 2>"$dir/err"
code=$?
if [ $code -eq 77 ]; then
	n=$((n + 1))
	echo "ok $n - no requeue_pi: aside # SKIP no seccomp here"
else
	[ $code -eq 0 ] && says "zeros plain,made plain," && told 1 "stepping aside"
	report $? "no requeue_pi: aside"
fi

# All the same: what a program does with mutexes works.
LD_PRELOAD=$preload RQPI_FORCE_PI=1 RQPI_PRELOAD_OFF=1 ORDINARY_UNDER=libc \
	"$abused" 'another_thread_may*' >"$dir/out" 2>"$dir/err" && quiet
report $? "aside, a mutex behaves as libc's"
