#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `rqpi trace` as a user meets it: what it refuses and how it says so, signals, how the program that
# it runs ends, and what is left behind. Without the kernel's events, so that it needs no right.
# Output: TAP. Arguments: rqpi, stats_program.
set -u
rqpi=$(realpath -e "$1") && program=$(realpath -e "$2") || exit 2
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
cd "$place" || exit 2
mkdir tmp
export TMPDIR=$place/tmp
unset RQPI_TRACE RQPI_STATS RQPI_OBSERVE RQPI_FORCE_PI
n=0

result() # result OK NAME
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' out err 2>/dev/null
	fi
}

skip() # skip NAME REASON
{
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# says STATUS TEXT NAME OPTION...: it ends so, and says so on standard error
says()
{
	local status=$1 text=$2 name=$3 found
	shift 3
	timeout 30 "$rqpi" trace "$@" >out 2>err </dev/null
	found=$?
	[ "$found" = "$status" ] && grep -qF -- "$text" err
	result $? "$name"
}

# reports STATUS TEXT NAME OPTION...: and on standard output
reports()
{
	local status=$1 text=$2 name=$3 found
	shift 3
	timeout 30 "$rqpi" trace --no-kernel "$@" >out 2>err </dev/null
	found=$?
	[ "$found" = "$status" ] && grep -qF -- "$text" out
	result $? "$name"
}

# ---- refused ----

says 2 'no command given' 'no command'
says 2 '--nonsense: unknown option' 'an option that there is not' --nonsense
says 2 'cannot run ./nowhere: No such file' 'no such program' -- ./nowhere
says 2 'cannot run nowhere-at-all: No such file' 'no such program in the path' -- nowhere-at-all
: >plain
says 2 'cannot run ./plain: Permission denied' 'no program' -- ./plain
printf '#!/nowhere/interpreter\n' >odd && chmod +x odd
says 2 'cannot run ./odd: No such file' 'a script without its interpreter' --no-kernel -- ./odd
says 2 '-p=12x: not a number' 'a process that is no number' -p 12x
says 2 '-p=0: not a number' 'process 0' -p 0
says 2 '-p=2147483647: there is no such process' 'a process that there is not' -p 2147483647
says 2 '-p=1: means nothing with a command' 'a process and a command' -p 1 -- true
says 2 'the process runs already' '--force-pi and a process' --force-pi -p $$
says 2 'means nothing with -p' '--records and a process' --records 100 -p $$
says 2 'there is nothing else to trace with' 'no source' --no-kernel --no-preload -- true
says 2 'it is the preload that does it' '--force-pi without the preload' --force-pi --no-preload \
	-- true
says 2 '--records=few: not a number from' 'records that are no number' --records=few -- true
says 2 '--records=4: not a number from' 'too few records' --records=4 -- true
says 2 '--buffer-kb=-1: not a number from' 'a buffer of less than nothing' --buffer-kb=-1 -- true
says 2 '--seconds=soon: not a number from' 'seconds that are no number' --seconds=soon -- true
says 2 '--seconds=nan: not a number from' 'seconds that are not a number' --seconds=nan -- true
! [ -e rqpi-trace.json ]
result $? 'what is refused leaves no file'

says 2 'cannot write nowhere/x.json: No such file' 'an output that cannot be' -o nowhere/x.json \
	-- touch ran
! [ -e ran ]
result $? 'that is said before the program runs'
says 2 'cannot write nowhere/x.html: No such file' 'an HTML output that cannot be' \
	--html nowhere/x.html -- touch ran
! [ -e ran ] && ! [ -e rqpi-trace.json ]
result $? 'that, too, and the other output is not there'
says 2 "process $$ was not started with rqpi run --traceable" 'a process without the probes' \
	--no-kernel -p $$
TMPDIR=$place/nowhere says 2 "preload: $place/nowhere/rqpi-trace-" 'a TMPDIR that there is not' \
	--no-kernel -- true

nobody() { setpriv --reuid=65534 --clear-groups "$@"; }
if [ "$(id -u)" = 0 ] && nobody "$rqpi" --version >/dev/null 2>&1; then
	nobody "$rqpi" trace -o /dev/null -p $$ >out 2>err
	[ $? = 2 ] && grep -q -- "-p=$$: this process belongs to another user (root)" err
	result $? "another user's process"
else
	skip "another user's process" 'not root, or the program cannot be reached by others'
fi
printf 'int main(void) { return 0; }\n' >static.c
if "${CC:-cc}" -static -o static static.c 2>/dev/null; then
	says 2 'static is statically linked' 'a static program, and no other source' --no-kernel \
		-- ./static
	grep -q 'there is nothing to trace it with' err
	result $? 'what that means'
else
	skip 'a static program, and no other source' 'the compiler makes none'
	skip 'what that means' 'the compiler makes no static program'
fi

# ---- done ----

says 0 'timeline, for https://ui.perfetto.dev' 'a program without an inversion' --no-kernel \
	--html t.html -- "$program" equals
python3 -c 'import json; json.load(open("rqpi-trace.json"))' && grep -qi '<html' t.html
result $? 'its files'
[ -z "$(ls tmp)" ]
result $? 'nothing is left in TMPDIR'
grep -q 'MUTEX the_lock (stats_program), normal, does not inherit' out
result $? 'its report names the mutex'
reports 0 '"waits"' 'the report as JSON' --json -- "$program" equals
python3 -c 'import json; json.load(open("out"))'
result $? 'it is JSON'
reports 0 '?[1m' 'a thread whose name is no text' --html t.html -- "$program" no-utf8
"$rqpi" trace --no-preload --json -o odd.json -- "$program" no-utf8 >out 2>err
bad=''
for file in rqpi-trace.json t.html odd.json out; do
	if ! [ -s "$file" ] || ! iconv -f UTF-8 -t UTF-8 "$file" >text || grep -q $'\033' text; then
		bad=$file
	fi
done
[ -z "$bad" ]
result $? 'the outputs are text, though'
reports 0 'ended with status 7' 'a program that ends with a status of its own' -- sh -c 'exit 7'
reports 0 'killed by signal 9' 'a program that is killed' -- sh -c 'kill -9 $$'
timeout 30 "$program" inversion
if [ $? = 77 ]; then
	skip 'a program with an inversion' 'no right to SCHED_FIFO'
	skip 'the same with --force-pi' 'no right to SCHED_FIFO'
else
	reports 1 'FIFO 10 waited' 'a program with an inversion' -- "$program" inversion
	reports 0 'no inversion was seen' 'the same with --force-pi' --force-pi \
		-- "$program" inversion
fi
reports 0 'events got lost' 'a file that is too small' --records=16 -- "$program" counts
printf 'old' >old.json
reports 0 '' 'a file that is there' -o old.json -- true
python3 -c 'import json; json.load(open("old.json"))'
result $? 'has been written anew'
reports 0 'MUTEX the_lock' 'a program that another one starts' -- sh -c "$program fork; :"

# ---- signals and time ----

await() # await COMMAND...: until it is true, ten seconds at most
{
	local i
	for i in $(seq 500); do
		"$@" 2>/dev/null && return 0
		sleep 0.02
	done
	echo "in vain: $* ($i times)" >>err
	return 1
}

# ended_by SIGNAL: the program is ended by it, and is reported on
ended_by()
{
	rm -f up
	timeout -s KILL 30 "$rqpi" trace --no-kernel -- \
		sh -c 'echo $$ >up; exec sleep 20' >out 2>err &
	local outer=$! inner
	await test -s up
	inner=$(pgrep -P "$outer")
	kill -"$1" "$inner"
	wait "$outer" &&
		grep -q "killed by signal $(kill -l "$1")" out && ! kill -0 "$(cat up)" 2>/dev/null
	result $? "SIG$1 goes on to the program, and there is a report"
}
ended_by TERM
ended_by HUP
rm -f up
timeout -s KILL 30 "$rqpi" trace --no-kernel --seconds 0.2 -- \
	sh -c 'sleep 1.5; echo late >up' >out 2>err &
outer=$!
await test -s rqpi-trace.json && await grep -q 'the preload' out && ! [ -e up ]
result $? '--seconds: the report comes while the program goes on'
wait "$outer" && [ "$(cat up)" = late ]
result $? 'which is waited for'

# ---- a process that runs ----

mkfifo lines
timeout -s KILL 30 "$rqpi" run --traceable -- "$program" patient <lines >pid &
runner=$!
exec 3>lines
await test -s pid
pid=$(cat pid)
reports 0 'CONDVAR the_cond (stats_program), with mutex the_lock' 'a process, for a while' \
	--seconds 0.2 -p "$pid"
reports 0 'CONDVAR the_cond (stats_program)' 'once more' --seconds 0.2 -p "$pid"
timeout -s KILL 30 "$rqpi" trace --no-kernel -o first.json -p "$pid" >first 2>err &
first=$!
await grep -q . "/proc/$pid/stat"
sleep 0.3
says 2 "process $pid is traced already" 'two at a time' --no-kernel -p "$pid"
kill -TERM "$(pgrep -P $first)"
wait $first && grep -q 'CONDVAR the_cond' first && kill -0 "$pid"
result $? 'a signal ends the trace, and not the process'
timeout -s KILL 30 "$rqpi" trace --no-kernel -p "$pid" >out 2>err &
first=$!
sleep 0.3
echo >&3
wait $first && grep -q 'CONDVAR the_cond' out
result $? 'the end of the process ends the trace'
wait $runner
exec 3>&-

echo "1..$n"
