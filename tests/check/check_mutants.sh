#!/bin/sh
# SPDX-License-Identifier: MIT
# check_mutants.sh RQPI - every bug that can be planted is found by the checker.
#
# Output: TAP. Exit status: 0 all were, 1 one survived.
set -u

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

"$1" check --mutants >"$log" 2>&1
status=$?

awk -v status="$status" '
	/^killed / { print "ok " ++number " - " $0; next }
	/^SURVIVED / { print "not ok " ++number " - " $0; next }
	{ print "# " $0 }
	END {
		verdict = status == 0 ? "ok " : "not ok "
		number++
		print verdict number " - status " status ", 0 was expected"
		print "1.." number
		exit status != 0 || number < 2
	}' "$log"
