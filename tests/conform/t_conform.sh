#!/bin/sh
# SPDX-License-Identifier: MIT
# rqpi conform as a user meets it: all vectors agree, a wrong expectation is found and told step by
# step, and a file that is not as it should be is refused with file, vector and key.
# Arguments: the command rqpi; "engine" if the build has it.
set -u
rqpi=$1
engine=${2:-}
n=0
place=$(mktemp -d) || exit 2
out=$place/out
trap 'rm -rf "$place"' EXIT

report() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		tail -n 60 "$out" | sed 's/^/# /'
	fi
}

# exits STATUS PATTERN NAME ARGUMENT...: that exit status, and the pattern somewhere in the output
exits() {
	want=$1 pattern=$2 name=$3
	shift 3
	timeout 200 "$rqpi" conform "$@" >"$out" 2>&1 </dev/null
	got=$?
	[ $got -eq "$want" ] && { [ -z "$pattern" ] || grep -q -- "$pattern" "$out"; }
	report $? "$name"
}

# A vector file; the arguments are tasks, words and steps of its one vector.
vector() {
	cat >"$place/v.json" <<END
{"format": "rqpi-conform-1", "vectors": [{"name": "mine", "title": "a test", "rules": ["7.5"],
 "tasks": $1, "words": $2, "steps": [$3]}]}
END
}

tasks='{"A": {}, "B": {}}'
words='{"L": {"init": 0}}'
lock='{"task": "A", "call": "lock_pi", "uaddr": "L"'

# refused KEY REASON NAME STEPS [TASKS [WORDS]]: exit status 2, and the message has all three places
refused() {
	vector "${5:-$tasks}" "${6:-$words}" "$4"
	timeout 60 "$rqpi" conform --on linux --vector "$place/v.json" >"$out" 2>&1 </dev/null
	[ $? -eq 2 ] && grep -q "$place/v.json: vector mine: .*\"$1\": .*$2" "$out"
	report $? "refused: $3"
}

echo 1..36

exits 0 '[Uu]sage' "help" --help
exits 2 'wobble' "an unknown option is named" --wobble
exits 2 'moon' "an unknown lane is named" --on moon
exits 2 'twelve' "a seed that is no number is named" --seed twelve
exits 2 'no-such-vector' "a vector that is not there is named" --vector no-such-vector
exits 2 '/no/such.json' "a file that is not there is named" --vector /no/such.json
exits 0 '^chain-of-1024 ' "the vectors are listed" --list
RQPI_CONFORM_VECTORS=/no/folder timeout 20 "$rqpi" conform --list >"$out" 2>&1
[ $? -eq 2 ] && grep -q /no/folder "$out"
report $? "a folder that is not there is named"

exits 0 ' 0 differ' "all vectors agree with the running kernel" --vectors --on linux
if [ "$engine" ]; then
	exits 0 ' 0 differ' "all vectors agree with the engine" --vectors --on engine
else
	n=$((n + 1))
	echo "ok $n - all vectors agree with the engine # SKIP this build has no engine"
fi
exits 0 ' 0 differences, 0 unstable; seed 7' "random programs on the kernel alone agree" \
	--random --operations 2000 --seed 7 --on linux
timeout 60 "$rqpi" conform --vector grant-alone --on linux --json >"$out" 2>&1
zeros='"programs":0,"operations":0,"differences":0,"unstable":0,"forgotten_boosts":0'
sed 's/"seed":[0-9]*/"seed":N/; s/"kernel":{"version":"[0-9.]*","preempt_rt":[a-z]*},//' "$out" |
	grep -Fqx \
	'{"vectors":1,"agree":1,"differ":[],"skipped":[],"random":{'"$zeros"',"seed":N}}'
report $? "the summary as JSON"
exits 0 'A returned 0; words L=A' "every step is printed on request" \
	-v --on linux --vector lock-pi-free


free=',"expect": {"returned": {"A": 0}, "blocked": [], "words": {"L": {"tid": "A"}}}}'
exits 0 "^on Linux [0-9]" "the kernel is named" --vector grant-alone --on linux

vector "$tasks" "$words" "$lock$free"
exits 0 '1 agree' "a vector of one's own" --on linux --vector "$place/v.json"

# differs PATTERN NAME EXPECT: exit status 1, and what is wrong is said
differs() {
	vector "$tasks" "$words" "$lock, \"expect\": $3}"
	exits 1 "$1" "found: $2" --on linux --vector "$place/v.json"
}
differs 'A returned 0, should be EAGAIN' "a wrong result" \
	'{"returned": {"A": "EAGAIN"}, "blocked": []}'
differs 'A returned 0, should not have returned' "a return too many" \
	'{"returned": {}, "blocked": []}'
differs 'B is idle, should have returned 0' "a return too few" \
	'{"returned": {"A": 0, "B": 0}, "blocked": []}'
differs 'B is idle, should be blocked' "a sleeper that does not sleep" \
	'{"returned": {"A": 0}, "blocked": ["B"]}'
differs 'word L is A, should be B|W' "a wrong word" \
	'{"returned": {"A": 0}, "blocked": [], "words": {"L": {"tid": "B", "W": true}}}'
differs 'A has the effective priority nice 0, should be 30' "a wrong priority" \
	'{"returned": {"A": 0}, "blocked": [], "priorities": {"A": 30}}'
differs 'B ran 0 signal handlers, should be 2' "a wrong number of handlers" \
	'{"returned": {"A": 0}, "blocked": [], "handled": {"B": 2}}'

refused call 'no operation lock_me' "an unknown operation" \
	'{"task": "A", "call": "lock_me", "uaddr": "L"}'
refused task 'no task C' "an unknown task" '{"task": "C", "call": "wake", "uaddr": "L"}'
refused uaddr 'no word M' "an unknown word" '{"task": "A", "call": "wake", "uaddr": "M"}'
refused uaddr 'is missing' "a call without an address" '{"task": "A", "call": "wake"}'
refused colour 'no such key' "an unknown key" "$lock, \"colour\": 1}"
refused event 'no explode' "an unknown event" '{"task": "A", "event": "explode"}'
refused returned 'ENOPE is neither' "an unknown error" \
	"$lock, \"expect\": {\"returned\": {\"A\": \"ENOPE\"}, \"blocked\": []}}"
refused expect 'is missing in the last step' "a vector that expects nothing" "$lock}"
refused priority '91 is not from 1 to 90' "a priority that is too high" "$lock$free" \
	'{"A": {"policy": "fifo", "priority": 91}}'
refused init 'does not fit' "a word of more than 32 bits" "$lock$free" "$tasks" \
	'{"L": {"init": 4294967296}}'
# kernels SPANS: the vector holds on those only
kernels() {
	vector "$tasks" "$words" "$lock$free"
	sed -i 's/"rules"/"kernels": '"$1"', "rules"/' "$place/v.json"
}
kernels '[["2.6.18", "3"]]'
timeout 60 "$rqpi" conform --on linux --vector "$place/v.json" >"$out" 2>&1 </dev/null
[ $? -eq 2 ] && grep -q '"kernels": .*3 is no version' "$out"
report $? "refused: a kernel that is no version"
kernels '[["2.6.18", "3.0"]]'
exits 0 'skipped .* other versions of Linux' "a vector of other kernels is left out" \
	--on linux --vector "$place/v.json"
kernels '[["2.6.18", "3.0"], ["4.0"]]'
exits 0 '1 agree, 0 differ, 0 skipped' "a vector of this kernel is not" \
	--on linux --vector "$place/v.json"

echo '{"format": ' >"$place/v.json"
exits 2 'v.json: line 2: not JSON' "refused: a file that is no JSON" --vector "$place/v.json"
