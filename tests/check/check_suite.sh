#!/bin/sh
# SPDX-License-Identifier: MIT
# check_suite.sh RQPI_CHECK SUITE MODE [OPTION...] - every scenario of the suite, visited in all its
# states, as a case of its own: complete and without a violation.
#
# Output: TAP. Exit status: 0 all are, 1 one is not.
set -u

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

program=$1
suite=$2
mode=$3
shift 3
"$program" --suite="$suite" --mode="$mode" "$@" >"$log" 2>&1
status=$?

awk -v status="$status" -v mode="$mode" '
	$2 == mode && / states, / {
		print (/: complete$/ ? "ok " : "not ok ") ++number " - " $0
		next
	}
	{ print "# " $0 }
	END {
		number++
		verdict = status == 0 ? "ok " : "not ok "
		print verdict number " - status " status ", 0 was expected"
		print "1.." number
		exit status != 0 || number < 2
	}' "$log"
