#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Can t_trace.py fail? Each line of `plants` puts a mistake into one file of `rqpi trace`; the case
# beside it, which passes without, must fail with it. Output: TAP.
# Arguments: source tree, build tree, the preload; then those of t_trace.py.
set -u
# shellcheck disable=SC2034 # plant.sh wants them
tree=$1 build=$2 preload=$3 test=$4 rqpi=$5 program=$6
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
# shellcheck disable=SC1091 # looked at by itself
. "$(dirname "$0")/plant.sh"
n=0

# file|case that notices|what is planted (sed). KERNEL:
kernel=an_inversion_is_diagnosed_by_kernel_events_alone
plants='trace_blame.c|KERNEL|s/s->urgency < b->urgency/s->urgency > b->urgency/
trace_blame.c|among_equals_there_is_none|s/s->urgency < b->urgency/1/
trace_kernel_events.c|KERNEL|s/99 - prio : 0/prio : 0/
trace_kernel_events.c|a_chain_boosts_all_of_it|s/e->type = TRACE_SETPRIO;/return false;/
trace_kernel_setup.c|KERNEL|s/if (tracefs_option_enable(.*EVENT_FORK))/if (0)/
trace_kernel_owner.c|who_slept_already_is_told|s/e->other = owner;//
trace_kernel_tasks.c|who_slept_already_is_told|s/each_thread(k->pid, look_/(void)(look_/
trace_symbol.c|KERNEL|s/offset = address - o->bias/offset = address/'

# outcome CASE RQPI: "ok", "not ok" or "skip"
outcome()
{
	local said
	said=$(RQPI_PRELOAD=$preload RQT_CASE=$1 python3 "$test" "$2" "$program" 2>&1)
	case $said in
	*'# SKIP'*) echo skip ;;
	*'not ok '*) echo 'not ok' ;;
	*'ok '*) echo ok ;;
	*) echo "nothing: $said" ;;
	esac
}

need_ninja
cases=$(echo "${plants//KERNEL/$kernel}" | cut -d '|' -f 2 | sort -u)
echo "1..$(($(echo "$cases" | wc -l) + $(echo "$plants" | wc -l)))"
# Without a mistake each case passes, or says why it cannot be run.
while IFS= read -r name; do
	n=$((n + 1))
	found=$(outcome "$name" "$rqpi")
	case $found in
	ok | skip) echo "ok $n - $name passes without a mistake" ;;
	*) echo "not ok $n - $name without a mistake: $found" ;;
	esac
done <<<"$cases"
while IFS='|' read -r file name planted; do
	n=$((n + 1))
	name=${name/KERNEL/$kernel}
	plant tools/rqpi/rqpi "$file" "$planted"
	case $? in
	0) found=$(outcome "$name" "$place/it") ;;
	3) found='nothing was planted' ;;
	*) found='it does not build' ;;
	esac
	if [ "$found" = skip ]; then
		echo "ok $n - $name # SKIP $(RQT_CASE=$name python3 "$test" "$rqpi" "$program" |
			sed -n 's/.*# SKIP //p' | head -n 1)"
	elif [ "$found" = 'not ok' ]; then
		echo "ok $n - $name notices $file: $planted"
	else
		echo "not ok $n - $name: $found with $file: $planted"
	fi
done <<<"$plants"
# What the planted mistakes have left in the kernel, if anything, the next tracer removes.
"$rqpi" trace --no-preload -o /dev/null -- true >/dev/null 2>&1
exit 0
