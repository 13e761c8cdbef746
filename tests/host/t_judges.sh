#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that nobody here wrote, unmodified, on the engine: perf bench futex and stress-ng, with
# the futex preload under them, must end as they do on the kernel's futex, and leave the engine's
# invariants whole. Argument: the preload. A tool that is not there is a skip by name.
set -u
whole=' broken locks 0, invariants broken 0'
preload=$(realpath "$1") || exit 2
n=0
out=$(mktemp -d) || exit 2
trap 'rm -rf "$out"' EXIT

report() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$out"/engine
	fi
}

skip() { # name reason
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# What a program says, without its figures: numbers, addresses and the dots of an average.
verdict() {
	grep -v '^rqpi: ' "$1" | sed -E 's/0x[0-9a-f]+/A/g; s/[0-9]+(\.[0-9]+)?/N/g; s/ +/ /g'
}

# run OUTPUT COMMAND...: some of perf's benchmarks take it that threads which they gave a tenth of a
# second are asleep by then, and hang, on any futex, if one is not: once more, up to three times.
run() {
	to=$1
	shift
	for try in 1 2 3; do
		timeout -k 5 30 "$@" >"$to" 2>&1
		code=$?
		[ $code -ne 124 ] && break
		echo "# try $try of: $* did not end"
	done
	return "$code"
}

# judge NAME COMMAND...: the same exit status and the same words on both, and nothing broken.
judge() {
	name=$1
	shift
	run "$out/kernel" "$@"
	kernel=$?
	LD_PRELOAD=$preload RQPI_FUTEX_PRELOAD_STATS=1
	export LD_PRELOAD RQPI_FUTEX_PRELOAD_STATS
	run "$out/engine" "$@"
	engine=$?
	unset LD_PRELOAD RQPI_FUTEX_PRELOAD_STATS
	verdict "$out/kernel" >"$out/kernel.words"
	verdict "$out/engine" >"$out/engine.words"
	[ "$kernel" -eq "$engine" ]
	report $? "$name: ends as on the kernel, with status $kernel"
	diff "$out/kernel.words" "$out/engine.words" >"$out/differ" 2>&1
	report $? "$name: says the same"
	grep -q "^rqpi: futex preload: calls [1-9].*$whole\$" "$out/engine"
	report $? "$name: was done by the engine, which is whole"
}

echo 1..21
if perf bench futex wake >/dev/null 2>&1; then
	judge 'perf bench futex hash' perf bench futex hash -r 2
	judge 'perf bench futex wake' perf bench futex wake
	judge 'perf bench futex wake-parallel' perf bench futex wake-parallel
	judge 'perf bench futex requeue' perf bench futex requeue
	judge 'perf bench futex requeue --pi' perf bench futex requeue --pi
	judge 'perf bench futex lock-pi' perf bench futex lock-pi -r 2
else
	why='no perf with futex benchmarks (linux-perf)'
	for what in hash wake wake-parallel requeue 'requeue --pi' lock-pi; do
		for case in 1 2 3; do
			skip "perf bench futex $what, $case" "$why"
		done
	done
fi
if command -v stress-ng >/dev/null 2>&1; then
	cd "$out" || exit 2
	judge 'stress-ng --futex' stress-ng --futex 2 --timeout 3
else
	for case in 1 2 3; do
		skip "stress-ng --futex, $case" 'no stress-ng here'
	done
fi
