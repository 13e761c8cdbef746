#!/bin/sh
# SPDX-License-Identifier: MIT
# compile.sh SOURCE-ROOT - the C++ headers by themselves, in C++17 and C++20, with each compiler
# that is there: what has to compile does, without a warning; what must not is refused for its
# reason.
#
# Output: TAP. Exit status: 0 all is as it should be, 1 not.
set -u

cd "$1" || exit 1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
number=0
failed=0

say() { # say ok|'not ok' TEXT: and of a failure, what the compiler said
	number=$((number + 1))
	echo "$1 $number - $2"
	if [ "$1" != ok ]; then
		failed=1
		sed 's/^/# /' "$log"
	fi
}

compile() { # compile STANDARD FILE: as what another file includes
	"$compiler" -x c++ -std="$1" -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -pedantic \
		-Werror -Iinclude -Iinclude/rqpi/compat -include "$2" /dev/null >"$log" 2>&1
}

accepted() { # accepted STANDARD FILE
	if compile "$1" "$2"; then
		say ok "$compiler $1 accepts $2"
	else
		say 'not ok' "$compiler $1 accepts $2"
	fi
}

refused() { # refused STANDARD FILE: the second line of the file says for what reason
	reason=$(sed -n '2s,^/\* expect: \(.*\) \*/$,\1,p' "$2")
	if [ -z "$reason" ]; then
		say 'not ok' "$2 says what to expect"
	elif compile "$1" "$2"; then
		say 'not ok' "$compiler $1 refuses $2"
	elif grep -qE "error: .*$reason" "$log"; then
		say ok "$compiler $1 refuses $2: $reason"
	else
		say 'not ok' "$compiler $1 refuses $2 for its reason: $reason"
	fi
}

for compiler in g++ clang++; do
	if ! command -v "$compiler" >/dev/null; then
		number=$((number + 1))
		echo "ok $number - $compiler # SKIP there is no $compiler here"
		continue
	fi
	for standard in c++17 c++20; do
		for header in include/rqpi/*.h include/rqpi/*.hpp include/rqpi/compat/rtpi.h \
			include/rqpi/compat/rtpi/*.hpp; do
			accepted "$standard" "$header"
		done
		accepted "$standard" tests/cxx/accepted.cc
		for program in tests/cxx/refused/*.cc; do
			refused "$standard" "$program"
		done
	done
done
echo "1..$number"
exit "$failed"
