#!/bin/sh
# SPDX-License-Identifier: MIT
# stress_2009.sh ENGINE_STRESS - the stress of the engine, linked with the mistake of 2009
# (examples/coop_broadcast_2009.patch: HAS_WAITERS stays unset, I2), must end in failure: by the
# broken invariant, and with the sequence of events of 2009 in its last events.
#
# Output: TAP. Exit status: 0 it failed as it should, 1 it did not.
set -u

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# Six variants share the seconds; each stops at its first finding, most within a second.
RQPI_STRESS_SECONDS=${RQPI_STRESS_SECONDS:-18} timeout -k 5 150 "$1" >"$log" 2>&1
status=$?

number=0
bad=0
check() # check TRUE_OR_FALSE DESCRIPTION
{
	number=$((number + 1))
	if [ "$1" = true ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		bad=1
	fi
}

# Of one rt_mutex: a PI state is made, the waiter may not take it, is put on it, the flag stays 0.
sequence()
{
	awk '/lookup_pi_state: a new pi state, rt_mutex/ {
			lock = $(NF - 3)
			sub(",", "", lock)
			step = 1
		}
		step == 1 && index($0, "try_to_take_rt_mutex: " lock " refused") { step = 2 }
		step == 2 && index($0, "task_blocks_on_rt_mutex of " lock) { step = 3 }
		step == 3 && index($0, "proxy_lock: " lock " has waiter flag: 0") { found = 1 }
		END { exit !found }' "$log"
}

echo "1..3"
check "$([ $status -eq 1 ] && echo true)" "the stress of the engine fails with the mistake of 2009"
check "$(grep -q 'broken: I2 waiters without HAS_WAITERS' "$log" && echo true)" \
	"it names the broken invariant, I2"
check "$(sequence && echo true)" "it prints the sequence of 2009"
[ $bad -eq 0 ] || { echo "# exit status $status" && tail -n 80 "$log" | sed 's/^/# /'; }
exit $bad
