#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh PRELOAD MUTEX_PRELOAD - does each preload export what this machine's libc exports, by
# name and version? A function in a version of its own that a later libc has is noticed here.
# Output: TAP. What a small system lacks to look at it with is named, and nothing is tested.
set -u
for tool in "${CC:-cc}" nm comm; do
	if ! command -v "$tool" >/dev/null 2>&1; then
		echo "1..0 # SKIP no command $tool here"
		exit 0
	fi
done
preload=$1 mutex=$2
libc=$("${CC:-cc}" -print-file-name=libc.so.6)
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
n=0

exports() { # FILE: NAME@VERSION of each function, in order
	nm -D --defined-only --with-symbol-versions "$1" | sed 's/@@/@/' |
		awk '$2 ~ /^[TWi]$/ { print $3 }' | sort -u
}

# all_there WHAT LIBRARY PATTERN: what of libc matches is in the library as well
all_there() {
	n=$((n + 1))
	grep -E "^($3)@" "$dir/libc" >"$dir/want"
	missing=$(comm -23 "$dir/want" "$2" | tr '\n' ' ')
	if [ ! -s "$dir/want" ]; then
		echo "not ok $n - $1: libc has none of these"
	elif [ -n "$missing" ]; then
		echo "not ok $n - $1"
		echo "# missing: $missing"
	else
		echo "ok $n - $1 ($(wc -l <"$dir/want"))"
	fi
}

# none_else WHAT LIBRARY PATTERN: what the library exports of pthread's matches
none_else() {
	n=$((n + 1))
	more=$(grep -vE "^($3)@|^(RQPI_|GLIBC_|rqpi_)" "$2" | tr '\n' ' ')
	if [ -n "$more" ]; then
		echo "not ok $n - $1"
		echo "# too many: $more"
	else
		echo "ok $n - $1"
	fi
}

exports "$libc" >"$dir/libc"
exports "$preload" >"$dir/cond"
exports "$mutex" >"$dir/mutex"

# All but init, which makes the same condvar for both.
conds='pthread_cond_(broadcast|clock[a-z]*|destroy|signal|timed[a-z]*|wait)'
mutexes='(__)?pthread_mutex_(destroy|init|lock|trylock|timedlock|clocklock|unlock)'
c11='mtx_(lock|trylock|timedlock|unlock)|cnd_(broadcast|destroy|signal|timedwait|wait)'

echo 1..7
all_there "condvars, default preload" "$dir/cond" "$conds"
all_there "condvars, mutex preload" "$dir/mutex" "$conds"
all_there "mutexes, mutex preload" "$dir/mutex" "$mutexes"
all_there "C11, mutex preload" "$dir/mutex" "$c11"
none_else "nothing but condvars in the default preload" "$dir/cond" "$conds"
# _exit: the report of --stats.
none_else "nothing else in the mutex preload" "$dir/mutex" "$conds|$mutexes|$c11|_[eE]xit"

# A function around condvars and mutexes that this list does not know.
n=$((n + 1))
left='pthread_cond_init|pthread_(cond|mutex)attr_.*'
left="$left|(__)?pthread_mutex_(consistent(_np)?|[gs]etprioceiling)"
left="$left|(__)?pthread_mutexattr_.*|(mtx|cnd)_(init|destroy)"
unknown=$(grep -E '^(__)?(pthread_(cond|mutex)|mtx_|cnd_)' "$dir/libc" |
	grep -vE "^($conds|$mutexes|$c11|$left)@" | tr '\n' ' ')
if [ -n "$unknown" ]; then
	echo "not ok $n - libc has no function of theirs that is not known"
	echo "# unknown: $unknown"
else
	echo "ok $n - libc has no function of theirs that is not known"
fi
