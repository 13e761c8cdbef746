#!/bin/sh
# SPDX-License-Identifier: MIT
# The preload where it must step aside: switched off, and on a kernel without requeue_pi. It says so
# (unless it was told to), does nothing, and the program's own libc does the work.
# Also where another library has one of the functions in front of it.
# Arguments: the program t_preload, the preload, the launcher deny, the library front.
set -u
program=$1 preload=$2 deny=$3 front=$4
n=0
unset CMOCKA_MESSAGE_OUTPUT

report() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

works=every_kind_of_mutex_waits_and_is_left_clean
err=$(mktemp) || exit 2
trap 'rm -f "$err"' EXIT

echo 1..8

LD_PRELOAD=$preload "$program" preload_is_active >/dev/null 2>&1
report $? "active where it can be"

LD_PRELOAD=$preload RQPI_PRELOAD_OFF=1 "$program" $works >/dev/null 2>"$err" &&
	! grep -q rqpi: "$err"
report $? "RQPI_PRELOAD_OFF=1 leaves a working program and says nothing"

! LD_PRELOAD=$preload RQPI_PRELOAD_OFF=1 "$program" preload_is_active >/dev/null 2>&1
report $? "RQPI_PRELOAD_OFF=1 really steps aside"

LD_PRELOAD=$front:$preload "$program" $works >/dev/null 2>"$err"
report $? "a program works with another library in front"

grep -q "rqpi: preload: another library .* in front of these; stepping aside" "$err"
report $? "it is told of that library"

env "$deny" requeue_pi env LD_PRELOAD="$preload" "$program" $works >/dev/null 2>"$err"
code=$?
if [ $code -eq 77 ]; then
	for what in "a program works without requeue_pi" "it is told why" \
		"the preload steps aside there"; do
		n=$((n + 1))
		echo "ok $n - $what # SKIP no seccomp here"
	done
	exit 0
fi
report $code "a program works without requeue_pi"

grep -q "rqpi: preload: .*FUTEX_WAIT_REQUEUE_PI; stepping aside" "$err"
report $? "it is told why"

! "$deny" requeue_pi env LD_PRELOAD="$preload" "$program" preload_is_active >/dev/null 2>&1
report $? "the preload steps aside there"
