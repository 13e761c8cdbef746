#!/bin/bash
# SPDX-License-Identifier: MIT
#
# coverage.sh [OPTION]...: build the checker with gcov's counters, unoptimised, as only then a
# branch of the source is one of the program, and see what its scenarios reach: coverage.py, which
# gets the options. Called by `make coverage` and check.sh. Exit status: that of coverage.py, 2 not
# built.
set -u
cd "$(dirname "$0")/.." || exit 2

log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT

if ! CC=gcc scripts/build.sh build-ci/coverage -Dbuildtype=plain -Doptimization=0 -Ddebug=true \
	-Db_coverage=true -Dbench=false -Dtests=false >"$log" 2>&1; then
	cat "$log" >&2
	exit 2
fi
scripts/coverage.py --build build-ci/coverage "$@"
