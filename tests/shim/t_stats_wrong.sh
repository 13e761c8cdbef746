#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Can t_stats.py fail, and tests/trace/t_probes.py? Each line of `plants` puts a mistake into one
# file of the preload; the case beside it, which passes without, must fail with it. The file is
# compiled anew and linked with the objects of the build. Output: TAP.
# Arguments: source tree, librqpi-preload-mutex.so, librqpi-preload.so, the map; then t_stats.py or
# t_probes.py, and its arguments.
set -u
tree=$1 mutex=$2 cond=$3 map=$4
shift 4
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
n=0

# file|case that notices|what is planted (sed)
plants='shim_watch_cond.c|who_comes_too_late_is_not_overtaken|s/s->number > calm/0/
shim_watch_cond.c|wakes_out_of_order_are_seen|s/s->number > calm/1/
shim_watch_start.c|a_forked_child_begins_anew|s/^\tshim_stats_forget();//
shim_watch_start.c|a_child_of_vfork_reports_nothing|s/|| shim_os_pid() != pid_of_report//
shim_watch.c|without_one_none_is_told|s/mine > shim_urgency_of(w->owner)/1/
shim_watch.c|with_inheritance_it_is_a_boost|s/w->inherits = .*/w->inherits = false;/
shim_watch.c|every_kind_answers_as_without|s/[*]err != EBUSY/true/
shim_stats.c|a_full_table_is_told|s/return \&t->row\[t->rows\];/return \&t->row[0];/'

[ "${1##*/}" = t_probes.py ] &&
	plants='shim_trace.c|an_inversion_is_told_with_names_and_priorities|s/r.other = owner;//
shim_trace.c|threads_are_told_once|s/!is_told(tid) ||/true ||/
shim_trace.c|a_full_file_counts_what_it_lost|s/rqb_add(&f->lost, 1);//
shim_trace.c|a_child_makes_a_file_of_its_own|s/shim_os_close_shared(&own);//
shim_trace.c|a_forked_child_goes_on_in_the_file|s/^\tpid = shim_os_pid();/\tif (!pid) &/
shim_trace.c|it_is_turned_on_from_outside|s/ \&\& rqb_load(&t->session) == shim_trace_session()//
shim_watch.c|a_trace_that_is_not_on_has_nothing|s/shim_trace_session()/shim_trace/
shim_watch_cond.c|a_cancelled_wait_is_told|s/cancelled ? -1 : w->err/w->err/
shim_os.c|a_sandboxed_process_survives|s/return handled;/return false;/
shim.c|nothing_is_changed|s/ || is_traced()//'

# build FILE: the preload with $place/FILE in it, beside a copy of the other one
build()
{
	local objects=() object
	mkdir -p "$place/lib" && cp "$cond" "$place/lib/" || return
	"${CC:-cc}" -std=gnu11 -O1 -fPIC -fvisibility=hidden -D_FILE_OFFSET_BITS=64 \
		-fno-exceptions -fasynchronous-unwind-tables -I"$tree" -I"$tree/include" \
		-c "$place/$1" -o "$place/new.o" || return
	for object in "$mutex".p/*.o "$(dirname "$mutex")"/librqpi.so.*.p/*.o; do
		case $object in
		*_"$1".o) ;;
		*) objects+=("$object") ;;
		esac
	done
	"${CC:-cc}" -shared -o "$place/lib/librqpi-preload-mutex.so" "$place/new.o" \
		"${objects[@]}" -Wl,--version-script="$map" -lpthread -ldl
}

# outcome PRELOAD CASE ARGUMENT...: "ok", "not ok" or "skip"
outcome()
{
	local preload=$1 name=$2 said
	shift 2
	said=$(RQPI_PRELOAD=$preload RQT_CASE=$name "$@" 2>&1)
	case $said in
	*'# SKIP'*) echo skip ;;
	*'not ok '*) echo 'not ok' ;;
	*'ok '*) echo ok ;;
	*) echo "nothing: $said" ;;
	esac
}

cases=$(echo "$plants" | cut -d '|' -f 2 | sort -u)
echo "1..$(($(echo "$cases" | wc -l) + $(echo "$plants" | wc -l)))"
while IFS= read -r name; do
	n=$((n + 1))
	found=$(outcome "$cond" "$name" "$@")
	case $found in
	ok | skip) echo "ok $n - $name passes without a mistake" ;;
	*) echo "not ok $n - $name without a mistake: $found" ;;
	esac
done <<<"$cases"
while IFS='|' read -r file name planted; do
	n=$((n + 1))
	source=$tree/src/shim/$file
	sed "$planted" "$source" >"$place/$file"
	found=$(build "$file" && outcome "$place/lib/librqpi-preload.so" "$name" "$@")
	if cmp -s "$source" "$place/$file"; then
		echo "not ok $n - $file: nothing was planted by $planted"
	elif [ "$found" = skip ]; then
		echo "ok $n - $name # SKIP no right to SCHED_FIFO"
	elif [ "$found" = 'not ok' ]; then
		echo "ok $n - $name notices $planted"
	else
		echo "not ok $n - $name: $found with $planted"
	fi
done <<<"$plants"
