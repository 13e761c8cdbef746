#!/bin/bash
# SPDX-License-Identifier: MIT
#
# t_cost.sh SOURCE-TREE PROGRAM: probes cost nothing where nobody waits. The library is compiled
# with probes and without, and PROGRAM (cost.c) counts the instructions of each operation in both;
# and once more with a probe in the wrong place, which must be noticed. Output: TAP.
set -u
tree=$1 program=$2
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT

# build NAME OPTION...: the library of the sources in $place/src, in $place/NAME
build()
{
	local name=$1
	shift
	mkdir "$place/$name" &&
		"${CC:-cc}" -std=gnu11 -O2 -fPIC -fvisibility=hidden -fno-exceptions \
			-fasynchronous-unwind-tables -fno-plt -ftls-model=initial-exec "$@" \
			-I"$place" -I"$tree/include" -shared -o "$place/$name/librqpi.so.0" \
			-Wl,-soname,librqpi.so.0 \
			-Wl,--version-script="$tree/src/user/librqpi.map" "${sources[@]}" -lpthread
}

# count NAME: what the program counts there
count()
{
	LD_LIBRARY_PATH=$place/$1 timeout 60 "$program" >"$place/$1.txt"
}

skip()
{
	echo "1..0 # SKIP $1"
	exit 0
}

[ "$(uname -m)" = x86_64 ] || skip 'instructions are counted on x86-64 alone'
printf '#include <sys/sdt.h>\n' | "${CC:-cc}" -E -o /dev/null -x c - 2>/dev/null ||
	skip 'no sys/sdt.h here'
cp -RL "$tree/src" "$place/src"
sources=()
for file in "$place"/src/user/*.c "$place"/src/sys/*.c; do
	case $file in
	*/time32.c) ;; # of machines of 32 bits
	*) sources+=("$file") ;;
	esac
done
if ! build without || ! build with -DRQPI_USDT || ! count without || ! count with; then
	echo 'Bail out! the library does not build, or the program does not run'
	exit 1
fi

n=0
echo "1..$(($(wc -l <"$place/without.txt") + 1))"
while read -r line; do
	n=$((n + 1))
	if grep -qxF "$line" "$place/with.txt"; then
		echo "ok $n - ${line% *}: ${line##* } instructions, with and without probes"
	else
		echo "not ok $n - ${line% *}: ${line##* } instructions without probes"
		sed 's/^/# with: /' "$place/with.txt"
	fi
done <"$place/without.txt"

n=$((n + 1))
patch -s -d "$place" -p1 <"$tree/tests/wrong/53-probe-where-nobody-waits.patch" &&
	build wrong -DRQPI_USDT && count wrong
if [ -s "$place/wrong.txt" ] && ! cmp -s "$place/wrong.txt" "$place/without.txt"; then
	echo "ok $n - a probe in an unlock for which nobody waits is noticed"
else
	echo "not ok $n - a probe in an unlock for which nobody waits is not noticed"
fi
