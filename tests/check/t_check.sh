#!/bin/sh
# SPDX-License-Identifier: MIT
# t_check.sh RQPI RQPI_CHECK - the command line of `rqpi check`, its exit codes, and what has to be
# the same however a scenario is visited.
#
# Output: TAP. Exit status: 0 all passed, 1 a case failed.
set -u

rqpi=$1
RQPI_CHECK_DIR=$(dirname "$2")
export RQPI_CHECK_DIR
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

number=0
bad=0
ok() # ok STATUS DESCRIPTION: STATUS is that of a test
{
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		sed 's/^/# /' "$dir/out" "$dir/err" | tail -n 20
		bad=1
	fi
}

check() # check WANTED_STATUS ARGUMENT...
{
	wanted=$1
	shift
	"$rqpi" check "$@" >"$dir/out" 2>"$dir/err"
	[ $? -eq "$wanted" ]
}

refused() # refused TEXT ARGUMENT...: wrong usage, and the message names what was wrong
{
	text=$1
	shift
	check 3 "$@" && grep -qF -e "$text" "$dir/err" && [ ! -s "$dir/out" ]
}

count() # count WORD: the number before it in the output
{
	sed -n "s/.* \([0-9][0-9]*\) $1.*/\1/p" "$dir/out"
}

check 0 --list && grep -q '^raw_broadcast  *[a-z]' "$dir/out"
ok $? "--list names the scenarios"

check 0 two_lockers && grep -q ': complete$' "$dir/out"
ok $? "a clean scenario is complete, status 0"
states=$(count states)
transitions=$(count transitions)

for mode in rdfs bfs dfs; do
	check 0 two_lockers --mode="$mode" && [ "$(count states)" = "$states" ] &&
		[ "$(count transitions)" = "$transitions" ]
	ok $? "$mode: the same states and transitions"
done

if setarch "$(uname -m)" -R true 2>/dev/null; then
	setarch "$(uname -m)" -R "$rqpi" check two_lockers >"$dir/out" 2>"$dir/err" &&
		[ "$(count states)" = "$states" ]
	ok $? "the same states without address randomisation"
else
	number=$((number + 1))
	echo "ok $number - # SKIP address randomisation cannot be switched off here"
fi

check 0 two_lockers --mode=random --executions=200 --seed=7 &&
	grep -q ' 200 executions' "$dir/out"
ok $? "--mode=random plays as many executions as were asked for"

check 0 two_lockers --mode=pct --depth=4 --executions=200 --seed=7 &&
	grep -q ' pct 200 executions' "$dir/out"
ok $? "--mode=pct plays as many executions as were asked for"

# With more preemptions more states, never as many as there are; and all, if there are enough.
check 0 two_lockers
states=$(count states)
last=0
grows=0
for bound in 0 1 2; do
	check 2 two_lockers --preemptions=$bound && [ "$(count states)" -gt "$last" ] &&
		[ "$(count states)" -lt "$states" ] &&
		grep -q ": complete up to $bound preemption" "$dir/out" || grows=1
	last=$(count states)
done
ok $grows "--preemptions: complete up to so many, status 2"
check 2 two_lockers --preemptions=1 --json && python3 -c 'import json, sys
seen = json.load(open(sys.argv[1]))
assert not seen["complete"] and seen["preemptions"] == 1 and seen["stopped_by"]' "$dir/out"
ok $? "--preemptions --json: not complete, and says so"
check 0 two_lockers --preemptions=30 && [ "$(count states)" = "$states" ] &&
	grep -q ': complete$' "$dir/out"
ok $? "a bound that nothing comes up to: all states, complete, status 0"
check 0 two_lockers --preemptions=30 --mode=rdfs && [ "$(count states)" = "$states" ]
ok $? "and the last choice first: the same states"

check 0 two_lockers timed_wait --json &&
	python3 -c 'import json, sys
for line in open(sys.argv[1]):
    seen = json.loads(line)
    assert seen["complete"] and seen["violation"] is None and seen["states"] > 100' "$dir/out"
ok $? "--json: one object for each scenario"

check 0 --list --suite=lot && grep -q '^token_or_cancel ' "$dir/out" &&
	! grep -q '^two_lockers ' "$dir/out"
ok $? "--list --suite: only those of the suite"

check 0 two_lockers --coverage && [ "$(count states)" = "$states" ] &&
	[ "$(count transitions)" = "$transitions" ] &&
	grep -q '^  LOCK_PI  *0  *[1-9]' "$dir/out" &&
	grep -q '^  none  *-> in progress  *by the requeuer  *0$' "$dir/out"
ok $? "--coverage: results are counted, the states are the same"

check 0 two_lockers raw_timed_signal --coverage --json &&
	python3 -c 'import json, sys
first, second = [json.loads(line)["coverage"] for line in open(sys.argv[1])]
def edges(coverage):
    return {(e["from"], e["to"], e["by"]) for e in coverage["hand_shake"] if e["transitions"]}
assert edges(first) == set(), first
assert edges(second) >= {("none", "in progress", "requeuer"), ("none", "ignore", "waiter"),
                         ("in progress", "done", "requeuer")}, second
assert all(e["allowed"] for e in second["hand_shake"])
results = {(r["op"], r["result"]) for r in second["results"]}
assert ("WAIT_REQUEUE_PI", "ETIMEDOUT") in results and ("WAIT", "0") not in results, results
' "$dir/out"
ok $? "--coverage --json: edges of the hand-shake and results of each scenario"

check 2 three_lockers --seconds=0.01 && grep -q 'stopped by the limit of time' "$dir/out"
ok $? "out of time: incomplete, status 2"

check 2 three_lockers --memory=1 && grep -q 'stopped by the memory' "$dir/out"
ok $? "out of memory for states: incomplete, status 2"

"$rqpi" check broadcast_to_two >"$dir/out" 2>"$dir/err" &
pid=$!
sleep 1
kill -INT $pid
wait $pid
[ $? -eq 2 ] && grep -q ' [1-9][0-9]* states.*incomplete, stopped by an interrupt' "$dir/out"
ok $? "an interrupt: what was covered is told, status 2"
[ ! -s "$dir/err" ]
ok $? "where standard error is no terminal nothing is said of the progress"

# A terminal of its own, which says what was written to it, and gets the key.
python3 - "$RQPI_CHECK_DIR/rqpi-check" >"$dir/out" 2>"$dir/err" <<'END'
import os, pty, sys, time

pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "broadcast_to_two"])
seen = b""
pressed = False
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    seen += more
    if not pressed and seen.count(b"M transitions/s") > 2:
        os.write(terminal, b"\x03")
        pressed = True
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
text = seen.decode()
print(text.replace("\r", "\n"))
assert status == 2, status
assert "M states, depth" in text and "table" in text
last = text.rsplit("\r\033[K", 1)[1]
assert "stopped by an interrupt" in last and "transitions/s" not in last, last
END
ok $? "on a terminal the progress is shown, and gone at the end; Ctrl-C"

refused "which scenario?"
ok $? "no scenario is refused"
refused "'no_such' is no scenario" no_such
ok $? "an unknown scenario is refused"
check 0 --strict signal_or_too_early && [ "$(grep -c ' holds ' "$dir/out")" -eq 5 ]
ok $? "--strict: each clause holds where there is one waiter, status 0"
check 0 --strict signal_or_too_early --json && [ "$(grep -c '"holds":true' "$dir/out")" -eq 5 ]
ok $? "--strict --json: an object for each clause"
check 1 --replay=rqpi1:signal_one_of_two:strict=one:a22b17c11a7b7 &&
	grep -q '^strict: not so: a signal releases one thread, no more' "$dir/out"
ok $? "two waiters that do not sleep yet are both released by one signal"
check 1 --replay=rqpi1:broadcast_once:strict=order:ab18a17c11a5 &&
	grep -q '^strict: not so: those whom a broadcast releases return by urgency' "$dir/out"
ok $? "and of those whom a broadcast releases the less urgent may return first"
check 0 --replay=rqpi1:broadcast_once:ab18a17c11a5 && grep -q '^no violation$' "$dir/out"
ok $? "which POSIX allows"
refused "--strict goes with no --mode" two_lockers --strict --mode=bfs
ok $? "--strict with an order is refused"
refused "--mode=sideways" two_lockers --mode=sideways
ok $? "an unknown mode is refused"
refused "--suite=none" --suite=none
ok $? "an unknown suite is refused"
refused "--memory=-1" two_lockers --memory=-1
ok $? "a negative memory is refused"
refused "--seed=x" two_lockers --seed=x
ok $? "a seed that is no number is refused"
refused "--no-such-option" --no-such-option
ok $? "an unknown option is refused"
refused "'x' is no token" --replay=x
ok $? "a token that is none is refused"
refused "'gone' is no scenario" --replay=rqpi1:gone:a1
ok $? "a token of an unknown scenario is refused"
refused "no step begins at 'z9'" --replay=rqpi1:two_lockers:a1z9
ok $? "a token with a step that is none is refused"
refused "a site for each of its 5 steps" --replay=rqpi2:two_lockers:a3b2:DLL
ok $? "a token that is not whole is refused"
refused "step 1: it cannot be taken" --replay=rqpi1:two_lockers:A
ok $? "a token that the code does not follow is refused"
refused "--preemptions=-2" two_lockers --preemptions=-2
ok $? "a negative bound on preemptions is refused"
refused "--preemptions: only with" two_lockers --preemptions=1 --mode=bfs
ok $? "a bound on preemptions with an order that has none is refused"
refused "--depth=0" two_lockers --mode=pct --depth=0
ok $? "a depth of 0 is refused"
refused "--mutant=no_such" --mutant=no_such
ok $? "an unknown mutant is refused"
refused "--mutant: a name" --mutant
ok $? "a mutant without a name is refused"

check 0 --replay=rqpi1:two_lockers:a3b2 && grep -q '^no violation$' "$dir/out"
ok $? "a token of a path without a violation: status 0"

for litmus in exchanges both_step message one_word; do
	check 0 litmus_$litmus --store-buffers &&
		grep -q ', store buffers, .*: complete$' "$dir/out"
	ok $? "--store-buffers: litmus_$litmus holds"
done
for litmus in store_buffers:claim wake_up_saved:'lost wakeup'; do
	check 0 "litmus_${litmus%:*}"
	ok $? "litmus_${litmus%:*} holds without store buffers"
	check 1 "litmus_${litmus%:*}" --store-buffers --mode=bfs &&
		grep -q ": ${litmus#*:}: " "$dir/out"
	ok $? "and not with them"
	token=$(sed -n 's/.*--replay //p' "$dir/out")
	check 1 --replay="$token" && grep -q "^${litmus#*:}: " "$dir/out"
	ok $? "and its token replays it"
done
refused "--store-buffers: nobody sees" two_lockers --store-buffers --mode=up
ok $? "--store-buffers on one CPU is refused"

check 0 --races two_lockers signal_under_the_mutex --executions=300 &&
	[ "$(grep -c ' 300 executions' "$dir/out")" = 2 ]
ok $? "--races: by lot, and there are none"
refused "races are looked for" --races two_lockers --mode=bfs
ok $? "--races with an order that does not play one execution after the other is refused"

if [ -x "$RQPI_CHECK_DIR/rqpi-check-race_unpin_relaxed" ]; then
	check 1 --mutant=race_unpin_relaxed --suite=mutant --executions=0 --seconds=9 &&
		grep -q "race: write of first_chunk+[0-9]* by a in lend, .* read by b" "$dir/out"
	ok $? "a race is found, and told with both places: status 1"
	token=$(sed -n 's/.*--replay //p' "$dir/out")
	check 1 --mutant=race_unpin_relaxed --replay="$token" && grep -q '^race: write' "$dir/out"
	ok $? "and its token replays it"
	check 0 --races --replay="$token" && grep -q '^no violation' "$dir/out"
	ok $? "and without the bug the same steps are no race"
fi

if [ -x "$RQPI_CHECK_DIR/rqpi-check-has_waiters_unset" ]; then
	check 1 --mutant=has_waiters_unset raw_signal --mode=bfs &&
		grep -q 'has waiter flag: 0' "$dir/out" && grep -q 'I2 waiters without' "$dir/out"
	ok $? "the mistake of 2009 is found, and told as in 2009: status 1"
	token=$(sed -n 's/.*--replay //p' "$dir/out")
	times=0
	while [ $times -lt 100 ] && check 1 --mutant has_waiters_unset --replay "$token" &&
		grep -q 'I2 waiters without' "$dir/out"; do
		times=$((times + 1))
	done
	[ $times -eq 100 ]
	ok $? "its token replays it, 100 times of 100"
	# Another character for the fifth site.
	changed=$(echo "$token" | sed 's/\(.*:....\)./\1A/')
	check 3 --mutant=has_waiters_unset --replay "$changed" &&
		grep -q 'step 5: b is at .*, and was at ' "$dir/err"
	ok $? "a step that was recorded at another site is told: status 3"

	check 1 --mutant=thief_leaves_the_word three_lockers --mode=random --seed=1 --json &&
		python3 -c 'import json, sys
seen = json.load(open(sys.argv[1]))
steps = seen["violation"]["steps"]
assert seen["violation"]["oracle"] == "posix" and steps < 100, steps' "$dir/out"
	ok $? "what was found by lot is made smaller, and is still by the same oracle"
	token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' "$dir/out")
	check 1 --mutant=thief_leaves_the_word --replay="$token" && grep -q '^posix: ' "$dir/out"
	ok $? "and its token replays it"
fi

# A task that tries again for ever, while all others have ended: each state is as it should be.
if [ -x "$RQPI_CHECK_DIR/rqpi-check-vanished_owner_expected" ]; then
	check 1 --mutant=vanished_owner_expected raw_forged_word &&
		grep -q ': no way to the end: ' "$dir/out"
	ok $? "a state from which the end cannot be reached is found"
	token=$(sed -n 's/.*--replay //p' "$dir/out")
	check 1 --mutant=vanished_owner_expected --replay "$token" &&
		grep -q '^no way to the end: ' "$dir/out"
	ok $? "its token replays it"
	check 1 --mutant=vanished_owner_expected raw_forged_word --mode=rdfs &&
		grep -q ': no way to the end: ' "$dir/out"
	ok $? "and is found with the last choice first"
	check 0 --mutant=vanished_owner_expected raw_forged_word --mode=bfs
	ok $? "which no other oracle does"
fi

# The first violation has as few preemptions as possible.
if [ -x "$RQPI_CHECK_DIR/rqpi-check-thief_leaves_the_word" ]; then
	check 1 --mutant=thief_leaves_the_word three_lockers --preemptions=4 --json
	bound=$(sed -n 's/.*"preemptions":\([0-9]*\).*/\1/p' "$dir/out")
	[ "${bound:-0}" -gt 0 ] &&
		check 2 --mutant=thief_leaves_the_word three_lockers --preemptions=$((bound - 1))
	ok $? "with --preemptions a bug is found with the fewest: ${bound:-none}"
	check 1 --mutant=thief_leaves_the_word three_lockers --mode=pct --depth=4 --seed=1 &&
		grep -q 'posix: ' "$dir/out"
	ok $? "--mode=pct finds what takes four events in a certain order"
fi

if [ -x "$RQPI_CHECK_DIR/rqpi-check-compared_before_the_fault" ]; then
	check 1 --mutant=compared_before_the_fault page_away_plain --mode=bfs &&
		token=$(sed -n 's/.*--replay //p' "$dir/out") && [ "${token#*@a}" != "$token" ] &&
		check 1 --mutant=compared_before_the_fault --replay="$token"
	ok $? "a page that is away is a step of a token"
	check 3 --replay="$token" && grep -q ', and was at ' "$dir/err"
	ok $? "other code, where a task stands somewhere else on the way, is refused: status 3"
	steps=${token#rqpi2}
	check 0 --replay="rqpi1${steps%:*}"
	ok $? "the steps alone can be played on it; without the bug they do no harm"
fi

echo "1..$number"
exit $bad
