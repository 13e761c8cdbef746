#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Can t_trace.py fail? Each line of `plants` puts a mistake into one file of `rqpi trace`; the case
# beside it, which passes without (test trace), must fail with it. The file is compiled anew and
# linked with the objects of the build, by the build's own commands. Output: TAP.
# Arguments: source tree, build tree, the preload; then those of t_trace.py.
set -u
tree=$1 build=$2 preload=$3 test=$4 rqpi=$5 program=$6
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
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

# command TARGET: how it is made
command_for()
{
	ninja -C "$build" -t commands "$1" 2>/dev/null | tail -n 1
}

# plant FILE SED: $place/rqpi, with FILE changed. Exit status 3: nothing changed.
plant()
{
	local object=tools/rqpi/rqpi.p/trace_$1.o source=$tree/tools/rqpi/trace/$1 make
	sed "$2" "$source" >"$place/$1"
	! cmp -s "$source" "$place/$1" || return 3
	make=$(command_for "$object")
	[ -n "$make" ] || return 2
	make="${make%% -MD *} -I$tree/tools/rqpi/trace -w"
	(cd "$build" && sh -c "$make -o $place/new.o -c $place/$1") || return 2
	make=$(command_for tools/rqpi/rqpi)
	make=${make/-o tools\/rqpi\/rqpi /-o $place/rqpi }
	(cd "$build" && sh -c "${make/ $object / $place/new.o }")
}

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

command -v ninja >/dev/null || {
	echo "1..1"
	echo "ok 1 - # SKIP there is no ninja here to tell how rqpi is built"
	exit 0
}
echo "1..$(echo "$plants" | wc -l)"
while IFS='|' read -r file name planted; do
	n=$((n + 1))
	name=${name/KERNEL/$kernel}
	plant "$file" "$planted"
	case $? in
	0) found=$(outcome "$name" "$place/rqpi") ;;
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
