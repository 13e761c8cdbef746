#!/bin/sh
# SPDX-License-Identifier: MIT
# stats_cost.sh BUILD_DIR - what `rqpi run --observe` and `--stats` cost: the table of
# docs/preload.md.
#
# For each mode and call: instructions, by callgrind (exact, where valgrind is installed), and
# nanoseconds, the least of 30 runs in turns (so that what else the machine does counts little).
# Calls: a lock and unlock of a mutex that is free; a signal that meets nobody; a lock that would
# have to wait and is refused for its wrong time: what is done around a wait, without one.
# Exit status: 0 done, 2 cannot.
set -u

die()
{
	echo "stats_cost.sh: $*" >&2
	exit 2
}

[ $# -eq 1 ] || die "usage: stats_cost.sh BUILD_DIR"
rqpi=$1/tools/rqpi/rqpi
[ -x "$rqpi" ] || die "$rqpi: not there"
work=$(mktemp -d) || die "no temporary folder"
trap 'rm -rf "$work"' EXIT

cat >"$work/cost.c" <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static long count;
static int what;
static double ns;

static void *work(void *arg)
{
	static const struct timespec wrong = {1, -1};
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = 0; i < count; i++) {
		if (what == 'l') {
			pthread_mutex_lock(&m);
			pthread_mutex_unlock(&m);
		} else if (what == 's') {
			pthread_cond_signal(&c);
		} else {
			pthread_mutex_timedlock(&m, &wrong);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	ns = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	     (double)count;
	return arg;
}

/* A second thread works: a process with one has cheaper locks in libc. */
int main(int argc, char **argv)
{
	pthread_t t;

	if (argc != 3)
		return 2;
	what = argv[1][0];
	count = atol(argv[2]);
	if (what == 'w')
		pthread_mutex_lock(&m);
	pthread_create(&t, NULL, work, NULL);
	pthread_join(t, NULL);
	printf("%.1f\n", ns);
	return 0;
}
END
"${CC:-cc}" -O2 -o "$work/cost" "$work/cost.c" -lpthread || die "cannot compile"

# in_mode MODE COMMAND...
in_mode()
{
	mode=$1
	shift
	case $mode in
	none) "$@" ;;
	default) "$rqpi" run -- "$@" ;;
	--force-pi) "$rqpi" run --force-pi -- "$@" ;;
	--force-pi,--stats) "$rqpi" run --force-pi --stats --stats-file="$work/report" -- "$@" ;;
	*) "$rqpi" run "$mode" --stats-file="$work/report" -- "$@" ;;
	esac
}

# instructions MODE CALL: of one call
instructions()
{
	command -v valgrind >/dev/null || {
		echo -
		return
	}
	for n in 500 5500; do
		in_mode "$1" valgrind --tool=callgrind --callgrind-out-file=/dev/null \
			"$work/cost" "$2" $n 2>&1 | sed -n 's/.*Collected : //p'
	done | awk 'NR == 1 { a = $1 } NR == 2 { printf "%.0f\n", ($1 - a) / 5000 }'
}

modes='none default --stats --observe --force-pi --force-pi,--stats'
for call in lock signal wait; do
	case $call in
	lock) n=200000 what="lock and unlock, free" ;;
	signal) n=200000 what="signal, nobody waits" ;;
	wait)
		n=20000 what="around a wait"
		modes='none --stats --observe'
		;;
	esac
	run=0
	while [ $run -lt 30 ]; do
		for mode in $modes; do
			echo "$(in_mode "$mode" "$work/cost" $call "$n") $mode"
		done
		run=$((run + 1))
	done >"$work/times"
	for mode in $modes; do
		least=$(sed -n "s/^\([0-9.]*\) $mode\$/\1/p" "$work/times" | sort -n | head -n 1)
		printf '| %s | %s | %s | %s |\n' "$what" "$mode" "$(instructions "$mode" $call)" \
			"$least"
	done
done
