#!/bin/sh
# SPDX-License-Identifier: MIT
# The command as a user types it: help, wrong arguments, run's exit statuses, the demo's verdict as
# JSON.
# Arguments: the command rqpi.
set -u
rqpi=$1
n=0
out=$(mktemp) || exit 2
trap 'rm -f "$out" "$out.why"' EXIT

report() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		cat "$out" "$out.why" 2>/dev/null | sed 's/^/# /'
	fi
}

skip() { # name reason
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# exits STATUS PATTERN NAME ARGUMENT...: that exit status, and the pattern somewhere in the output
exits() {
	want=$1 pattern=$2 name=$3
	shift 3
	timeout 60 "$@" >"$out" 2>&1 </dev/null
	got=$?
	[ $got -eq "$want" ] && { [ -z "$pattern" ] || grep -q -- "$pattern" "$out"; }
	report $? "$name"
}

echo 1..25

exits 0 'demo' "help names the commands" "$rqpi" --help
exits 0 '^rqpi 0\.' "version" "$rqpi" --version
exits 2 'demo' "no command at all is a usage error" "$rqpi"
exits 2 'frobnicate' "an unknown command is named" "$rqpi" frobnicate
exits 2 'wobble' "an unknown option is named" "$rqpi" demo --wobble
for command in demo run bench; do
	exits 0 '[Uu]sage' "$command --help" "$rqpi" $command --help
done
exits 2 'waiters' "too few waiters are refused" "$rqpi" demo --waiters 0
exits 2 'waiters' "too many waiters are refused" "$rqpi" demo --waiters 999999999
exits 2 'hog' "a hog of an hour is refused" "$rqpi" demo --hog-ms 3600000
exits 2 'nonsense' "an unknown experiment is named" "$rqpi" demo --only nonsense
exits 2 'teapot' "an unknown benchmark is named" "$rqpi" bench teapot

exits 2 '[Uu]sage' "run needs a program" "$rqpi" run
exits 7 '' "run passes an exit status through" "$rqpi" run -- sh -c 'exit 7'
exits 127 '/no/such/program' "run names a program that is not there" "$rqpi" run -- /no/such/program
exits 126 '/etc/passwd' "run names a program that cannot be run" "$rqpi" run -- /etc/passwd
exits 0 'librqpi-preload' "run puts the preload first" "$rqpi" run -- printenv LD_PRELOAD
exits 0 'librqpi-preload-mutex.so$' "run --force-pi puts the one with the mutex functions there" \
	"$rqpi" run --force-pi -- printenv LD_PRELOAD
exits 0 'librqpi-preload-mutex.so$' "a run within it goes on with that, and with one preload" \
	"$rqpi" run --force-pi -- "$rqpi" run -- printenv LD_PRELOAD
exits 2 '--except=x: means nothing' "run --except wants --force-pi" "$rqpi" run --except=x -- true
exits 2 '/no/such/preload.so' "run names a preload that is not there" \
	env RQPI_PRELOAD=/no/such/preload.so "$rqpi" run -- true
timeout 10 "$rqpi" run -- sh -c 'kill -TERM $$' >"$out" 2>&1
[ $? -eq 143 ]
report $? "run passes death by a signal through"

judge='
import json, sys
d = json.load(open(sys.argv[1]))
assert d["order"]["rqpi"] == [20, 80, 10], d["order"]
assert d["herd"]["rqpi"]["out_of_order"] == 0, d["herd"]
assert d["herd"]["waiters"] == 16, d["herd"]
assert d["inversion"]["rqpi"]["high_us"] < 1000 * d["inversion"]["hog_ms"] / 2, d["inversion"]
'
timeout 60 "$rqpi" demo --json --waiters 16 >"$out" 2>/dev/null
code=$?
if [ $code -eq 2 ]; then
	skip "demo: rqpi wakes in order and is not held up" "no right to SCHED_FIFO here"
	skip "demo --json is one JSON object with these members" "no right to SCHED_FIFO here"
else
	[ $code -eq 0 ]
	report $? "demo: rqpi wakes in order and is not held up"
	python3 -c "$judge" "$out" >"$out.why" 2>&1
	report $? "demo --json is one JSON object with these members"
fi
