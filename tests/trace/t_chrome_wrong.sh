#!/bin/bash
# SPDX-License-Identifier: MIT
#
# t_chrome_wrong.sh SOURCE BUILD T_CHROME MADE_TRACE: can t_chrome.c and chrome_rules.py fail? Each
# line of `plants` puts a mistake into one file of the timeline; one of the two, named first, must
# notice it in scene "inversion" or "crowd", and finds nothing without it. Output: TAP.
set -u
# shellcheck disable=SC2034 # plant.sh wants them
tree=$1 build=$2 facts=$3 made=$4
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
# shellcheck disable=SC1091 # looked at by itself
. "$(dirname "$0")/plant.sh"
n=0

# who notices|file|what is planted (sed)
plants='rules|trace_chrome_thread.c|s/until = cut\[next\];/;/
rules|trace_chrome_thread.c|s/since = since > done ? since : done;/;/
rules|trace_chrome_thread.c|s/if (depth \&\& open\[depth - 1\] < w->until)/if (0)/
rules|trace_chrome_thread.c|s/write_arrow_end(c, "f".*/;/
rules|trace_chrome_thread.c|s/, "bp", "e");/, "bp", "n");/
rules|trace_chrome.c|s/lane->end > w->since/0/
rules|trace_chrome.c|s/"terrible"/"good"/
rules|trace_chrome.c|s/LOCKS_OF + pid, text/LOCKS_OF, text/
facts|trace_chrome_thread.c|s/b->to <= b->from ||//
facts|trace_chrome_thread.c|s/!trace_boost_is_ours(m, b)/0/
facts|trace_chrome.c|s/w->owner_inferred/false/
facts|trace_put.c|s/%03llu1/%03llu/
facts|trace_put.c|s/if (length) {/if (length \&\& 0) {/
facts|trace_put.c|s/return ns > m->begin ? ns - m->begin : 0;/return ns;/
facts|trace_put.c|s/m->threads.at\[i\].traced/true/'

# notices WHO PROGRAM: it is not taken for a good one
notices()
{
	local scene
	if [ "$1" = facts ]; then
		! "$2" >/dev/null 2>&1
		return
	fi
	for scene in inversion crowd; do
		"$2" chrome "$scene" "$place/$scene" || return 1
		python3 "$(dirname "$0")/chrome_rules.py" "$place/$scene" >"$place/said" || return 0
	done
	return 1
}

need_ninja
echo "1..$((2 + $(echo "$plants" | wc -l)))"
for who in facts rules; do
	n=$((n + 1))
	program=$facts
	[ "$who" = facts ] || program=$made
	if notices "$who" "$program"; then echo -n 'not '; fi
	echo "ok $n - $who: nothing is noticed without a mistake"
done
while IFS='|' read -r who file planted; do
	n=$((n + 1))
	program=$facts
	[ "$who" = facts ] || program=$made
	plant "$program" "$file" "$planted"
	case $? in
	0) if notices "$who" "$place/it"; then found=ok; else found='not noticed'; fi ;;
	3) found='nothing was planted' ;;
	*) found='it does not build' ;;
	esac
	if [ "$found" = ok ]; then
		echo "ok $n - $who: $file: $planted"
	else
		echo "not ok $n - $who: $found: $file: $planted"
	fi
done <<<"$plants"
exit 0
