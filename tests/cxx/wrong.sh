#!/bin/sh
# SPDX-License-Identifier: MIT
# wrong.sh SOURCE-ROOT LIBRARY-DIR - show that the tests of the C++ headers can fail: for each patch
# of tests/cxx/wrong, the case that it names turns red with the headers so patched.
#
# Output: TAP. Exit status: 0 every mistake was found, 1 one was not. Environment: CXX (default
# c++), WRONG_SECONDS (default 4) that a hang may take.
set -u

cd "$1" || exit 1
library=$2
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
number=0
failed=0

header() { # header PATCH NAME
	sed -n "s/^$2: *//p;/^---/q" "$1" | head -n 1
}

# The test, with the headers of that folder, as $place/PROGRAM. What happened goes to $place/log.
build() { # build TEST HEADERS PROGRAM
	"${CXX:-c++}" -std=c++20 -O1 -I"$2" -I. -o "$place/$3" "tests/cxx/$1.cc" \
		-L"$library" -Wl,-rpath,"$library" -lrqpi -lcmocka -pthread >"$place/log" 2>&1
}

run() { # run PROGRAM CASE
	RQT_FILTER=$2 timeout "${WRONG_SECONDS:-4}" "$place/$1" >"$place/log" 2>&1 &&
		grep -q '1 test(s)' "$place/log"
}

# Is the case green with the headers as they are, and red with those below $place?
turns_red() { # turns_red TEST CASE
	[ -x "$place/right-$1" ] || build "$1" include "right-$1" || return 1
	run "right-$1" "$2" && build "$1" "$place/include" "$1" && ! run "$1" "$2"
}

judge() { # judge PATCH
	name=$(basename "$1" .patch)
	number=$((number + 1))
	rm -rf "$place/include"
	cp -R include "$place/" || exit 1
	if patch -s -p1 -d "$place" <"$1" >"$place/log" 2>&1 &&
		turns_red "$(header "$1" Test)" "$(header "$1" Case)"; then
		echo "ok $number - $name: $(header "$1" Case) is red"
	else
		failed=1
		echo "not ok $number - $name: $(header "$1" Case) is red"
		sed 's/^/# /' "$place/log"
	fi
}

for wrong in tests/cxx/wrong/*.patch; do
	judge "$wrong"
done
echo "1..$number"
exit "$failed"
