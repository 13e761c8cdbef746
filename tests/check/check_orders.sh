#!/bin/sh
# SPDX-License-Identifier: MIT
# check_orders.sh RQPI_CHECK quick|suite|compilers - what does not depend on the order of a visit,
# on where the loader has put the program, or on the day: states, transitions and terminal states.
# What does not depend on the compiler: the verdict, the terminal states, and where a token leads.
#
# quick: a few scenarios, in all orders and three times; suite: the suite ci, in all orders;
# compilers: the checker built with gcc and clang at -O0 and -O2, in a temporary directory.
# Output: TAP. Exit status: 0 all passed, 1 a case failed.
set -u

program=$1
depth=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
some='two_lockers timed_lockers timed_wait interrupted_wait cancelled_wait robust_locker_killed
	robust_waiter_killed destroy_after_broadcast raw_two_buckets plain_requeue'

number=0
bad=0
ok() # ok STATUS DESCRIPTION: STATUS is that of a test
{
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		sed 's/^/# /' "$dir/out" | tail -n 20
		bad=1
	fi
}

skip() # skip DESCRIPTION REASON
{
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

# visit NAME COMMAND...: what it counts, in $dir/NAME: a line for each scenario. All complete?
visit()
{
	name=$1
	shift
	"$@" >"$dir/out" 2>&1 || return 1
	awk '/: complete$/ { print $1, $3, $5, $7 }' "$dir/out" >"$dir/$name"
	[ -s "$dir/$name" ]
}

same() # same A B: the same counts? What differs is shown if not.
{
	diff "$dir/$1" "$dir/$2" >"$dir/out"
}

orders() # orders WORDS...: of these scenarios, or this suite
{
	visit first "$program" --mode=dfs "$@"
	ok $? "dfs is complete: $(wc -l <"$dir/first") scenarios"
	for mode in rdfs bfs; do
		visit other "$program" --mode=$mode "$@" && same first other
		ok $? "$mode: the same states, transitions and terminal states"
	done
}

# shellcheck disable=SC2086 # a list of words
runs()
{
	visit first "$program" $some
	for run in 2 3; do
		visit other "$program" $some && same first other
		ok $? "run $run: the same"
	done
	# What the environment puts on the first stack moves that.
	visit other env "LONG=$(head -c 5000 /dev/zero | tr '\0' x)" "$program" $some &&
		same first other
	ok $? "in another environment: the same"
	if setarch "$(uname -m)" -R true 2>/dev/null; then
		visit other setarch "$(uname -m)" -R "$program" $some && same first other
		ok $? "without address randomisation: the same"
	else
		skip "without address randomisation: the same" "it cannot be switched off here"
	fi
}

build() # build COMPILER LEVEL: in $dir/COMPILER-LEVEL
{
	CC=$1 meson setup "$dir/$1-$2" "$source" -Dbuildtype=plain -Doptimization="$2" \
		>"$dir/out" 2>&1 &&
		ninja -C "$dir/$1-$2" sim/rqpi-check sim/rqpi-check-has_waiters_unset \
			>"$dir/out" 2>&1
}

# shellcheck disable=SC2086 # a list of words
compilers()
{
	token=
	for compiler in gcc clang; do
		command -v $compiler >/dev/null || {
			skip "$compiler" "it is not there"
			continue
		}
		for level in 0 2; do
			: >"$dir/counts"
			build $compiler $level &&
				visit counts "$dir/$compiler-$level/sim/rqpi-check" $some
			ok $? "$compiler -O$level: complete and clean"
			cut -d ' ' -f 1,4 "$dir/counts" >"$dir/ends"
			[ -s "$dir/terminals" ] || cp "$dir/ends" "$dir/terminals"
			[ -s "$dir/ends" ] && same terminals ends
			ok $? "$compiler -O$level: the same terminal states"
			broken=$dir/$compiler-$level/sim/rqpi-check-has_waiters_unset
			"$broken" raw_signal --mode=bfs >"$dir/out"
			[ $? -eq 1 ] && grep -q 'I2 waiters without' "$dir/out"
			ok $? "$compiler -O$level: the mistake of 2009 is found"
			[ -n "$token" ] || token=$(sed -n 's/.*--replay //p' "$dir/out")
			times=0
			while [ $times -lt 100 ]; do
				"$broken" --replay "$token" >"$dir/out" 2>&1
				if [ $? -ne 1 ] || ! grep -q 'I2 waiters without' "$dir/out"; then
					break
				fi
				times=$((times + 1))
			done
			[ $times -eq 100 ]
			ok $? "$compiler -O$level: the first token replays it, 100 times of 100"
		done
	done
}

# shellcheck disable=SC2086 # a list of words
case $depth in
quick)
	orders $some
	runs
	;;
suite)
	orders --suite=ci --memory=6144
	;;
compilers)
	compilers
	;;
*)
	echo "quick, suite or compilers was expected, not '$depth'"
	exit 1
	;;
esac
echo "1..$number"
exit $bad
