#!/bin/sh
# SPDX-License-Identifier: MIT
# freestanding.sh SOURCE_ROOT - the engine is what rqpi/port.h promises: it builds with nothing
# around it, needs nothing but mem*, and has no globals. Each compiler that is here, for 64 and 32
# bits.
# Output: TAP. Exit status: 0 so it is, 1 it is not, 2 cannot look.
set -u
LC_ALL=C
export LC_ALL

root=${1:?usage: freestanding.sh SOURCE_ROOT}
cd "$root" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM

number=0
bad=0
verdict() # verdict STATUS TEXT: one TAP line
{
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		bad=1
	fi
}

# Everything that meson compiles into the engine.
sources=$(sed -n "s/^  '\(.*\.c\)',\$/\1/p" src/engine/meson.build)
if [ -z "$sources" ]; then
	echo "Bail out! src/engine/meson.build names no sources"
	exit 2
fi

# build COMPILER OPTION...: all sources, and one object of them all
build()
{
	cc=$1
	shift
	rm -f "$work"/*.o
	for f in $sources; do
		"$cc" "$@" -std=gnu11 -O2 -ffreestanding -nostdlib -fno-stack-protector \
			-Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Werror \
			-I. -Iinclude -o "$work/$(basename "$f" .c).o" -c "src/engine/$f" ||
			return 1
	done
	"$cc" "$@" -nostdlib -r -o "$work/engine.o" "$work"/*.o
}

# Undefined symbols other than the four that a compiler may always use. 64-bit arithmetic on a
# 32-bit machine is the compiler's own library, which every kernel links.
undefined()
{
	nm -u "$work/engine.o" | awk '{ print $NF }' |
		grep -vE '^(mem(cpy|move|set|cmp)|__u?(div|mod|divmod)di[34])$' |
		grep -v '^_GLOBAL_OFFSET_TABLE_$'
}

# Writable data: by section, relocated constants not counted.
writable()
{
	size -A "$work/engine.o" |
		awk '$1 ~ /^\.data\.rel\.ro/ { next }
		     $1 ~ /^(\.(data|bss|tdata|tbss)|COMMON)/ && $2 > 0 { print $1, $2 }'
}

for cc in gcc clang; do
	for bits in 64 32; do
		what="$cc, $bits bits"
		if ! command -v "$cc" >/dev/null; then
			number=$((number + 1))
			echo "ok $number - # SKIP $what: there is no $cc here"
			continue
		fi
		if ! echo 'int x;' |
			"$cc" -m$bits -ffreestanding -x c -c - -o "$work/probe" 2>/dev/null; then
			number=$((number + 1))
			echo "ok $number - # SKIP $what: $cc cannot compile for it here"
			continue
		fi
		rm -f "$work/probe"
		build "$cc" -m$bits >"$work/log" 2>&1
		status=$?
		sed 's/^/# /' "$work/log"
		verdict $status "$what: builds freestanding, without a warning"
		[ $status -eq 0 ] || continue
		names=$(undefined | tr '\n' ' ')
		[ -z "$names" ]
		verdict $? "$what: needs nothing but mem* ${names:+(needs $names)}"
		sections=$(writable | tr '\n' ' ')
		[ -z "$sections" ]
		verdict $? "$what: has no globals ${sections:+(has $sections)}"
	done
done
echo "1..$number"
exit $bad
