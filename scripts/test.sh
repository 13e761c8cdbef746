#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test.sh [STEP]...: everything that has to pass before a change goes in; all steps, or those named.
# Each step goes on after a failure, so that one run shows all of them. Build trees are in build-ci/
# and are used again by the next run. Called by `make test`, `make lint` and .ci/run.
#
# The last line is `N passed, N failed`, with `, N skipped` if there are any; skips are named
# before. Exit status: 0 all passed, 1 something failed or nothing ran, 2 cannot test here.
set -u
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 2

ALL_STEPS='gcc clang asan tsan bare format layers abi tidy manual shell spelling'
LINT_STEPS='format layers abi tidy manual shell spelling'
TEST_SECONDS=${RQPI_TEST_SECONDS:-600} # for one run of the suites, before it is ended

results=$(mktemp) || exit 2
output=$(mktemp) || exit 2
trap 'rm -f "$results" "$output"' EXIT

record() { # record pass|fail|skip NAME [REASON]
	local IFS=$'\t'
	printf '%s\n' "$*" >>"$results"
}

# check NAME COMMAND...: one test, which passes if COMMAND does; what it said is shown if not.
check() {
	local name=$1
	shift
	if "$@" >"$output" 2>&1; then
		record pass "$name"
	else
		cat "$output"
		echo "FAILED: $name"
		record fail "$name"
		return 1
	fi
}

# list_files KIND: the files of this kind, into the caller's array `files`.
list_files() {
	scripts/tree.py "$1" >"$output" && mapfile -t files <"$output"
}

# rules NAME COMMAND...: a command that says "ok - RULE" or "not ok - RULE"; each is a test.
rules() {
	local name=$1 status line
	shift
	"$@" >"$output" 2>&1
	status=$?
	grep -v '^ok - ' "$output"
	while IFS= read -r line; do
		case $line in
		'ok - '*) record pass "$name: ${line#ok - }" ;;
		'not ok - '*) record fail "$name: ${line#not ok - }" ;;
		esac
	done <"$output"
	# A status that no line explains: it broke down on the way.
	if [ "$status" -gt 1 ] || { [ "$status" -ne 0 ] && ! grep -q '^not ok' "$output"; }; then
		record fail "$name: ended with status $status"
	fi
}

# run_suites BUILD NAME [MESON-TEST-OPTION]...: run tests that are built, and count their cases.
# RUNNER, if set, is a command that goes in front.
run_suites() {
	local dir=$1 name=$2
	shift 2
	rm -f "$dir"/meson-logs/testlog.json
	# shellcheck disable=SC2086 # RUNNER is a command with options, or nothing
	timeout -k 30 "$TEST_SECONDS" ${RUNNER:-} meson test -C "$dir" --no-rebuild \
		--print-errorlogs --num-processes 2 "$@" </dev/null
	if [ $? -eq 124 ]; then
		record fail "$name: the suites took more than $TEST_SECONDS s"
	fi
	scripts/testlog.py "$dir/meson-logs/testlog.json" "$name" >>"$results"
}

step_gcc() {
	CC=gcc check 'gcc: build without a warning' scripts/build.sh build-ci/gcc --werror || return
	run_suites build-ci/gcc gcc --no-suite deep
}

step_clang() {
	CC=clang check 'clang: build without a warning' scripts/build.sh build-ci/clang --werror ||
		return
	run_suites build-ci/clang clang --no-suite deep --no-suite wrong --no-suite once
}

# Leaks are looked for by tracing the program, which some containers forbid. Sets LEAKS to 1 or 0.
probe_leak_check() {
	local place
	place=$(mktemp -d) || exit 2
	LEAKS=1
	echo 'int main(void) { return 0; }' >"$place/t.c"
	gcc -fsanitize=address -o "$place/t" "$place/t.c"
	if ! "$place/t" >/dev/null 2>&1; then
		LEAKS=0
		record skip 'asan: leaks' 'LeakSanitizer cannot trace a program here'
	fi
	rm -rf "$place"
}

# No --werror with sanitizers: what they insert makes gcc warn of paths that nobody wrote.
step_asan() {
	CC=gcc check 'asan: build' scripts/build.sh build-ci/asan \
		-Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args='-fno-sanitize-recover=all -fno-omit-frame-pointer' || return
	probe_leak_check
	ASAN_OPTIONS=detect_leaks=$LEAKS:detect_stack_use_after_return=1:strict_string_checks=1 \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
		run_suites build-ci/asan asan --no-suite deep --no-suite wrong --no-suite nosan \
		--timeout-multiplier 3
}

# gcc 12's TSan knows fewer address layouts than a newer kernel draws from: switch the drawing off.
tsan_runner() {
	if setarch "$(uname -m)" -R true 2>/dev/null; then
		echo "setarch $(uname -m) -R"
	fi
}

step_tsan() {
	CC=gcc check 'tsan: build' scripts/build.sh build-ci/tsan \
		-Db_sanitize=thread -Db_lundef=false -Dtools=false -Dbench=false \
		-Dc_args='-fno-omit-frame-pointer' || return
	RUNNER=$(tsan_runner) TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
		run_suites build-ci/tsan tsan --suite tsan --timeout-multiplier 5
}

# The library alone, as a packager builds it: none of the libraries that tools and tests need.
build_bare() {
	CC=gcc check "$1: build of the library alone" scripts/build.sh build-ci/bare --werror \
		--prefix /usr -Dtools=false -Dbench=false -Dtests=false
}

step_bare() {
	build_bare bare || return
	check 'bare: what is installed can be used and removed' scripts/installed.sh build-ci/bare
}

# well_formatted CLANG-FORMAT FILE...: names the files that it would write otherwise.
well_formatted() {
	local said
	said=$("$1" --dry-run -Werror "${@:2}" 2>&1) && return
	grep -E '^[^ :]+:[0-9]+:[0-9]+: error:' <<<"$said" | awk -F : '
		!($1 in first) { first[$1] = $2 }
		{ places[$1]++ }
		END { for (f in first) print f ":" first[f] \
			": not as clang-format writes it, " places[f] " places" }' | sort
	echo "make fmt mends that"
	return 1
}

step_format() {
	local tool version files
	tool=$(command -v clang-format-14 || command -v clang-format)
	version=$("$tool" --version | sed 's/.*version \([0-9]*\).*/\1/')
	if [ "$version" != 14 ]; then
		record skip format "clang-format 14 decides, here is $version"
		return
	fi
	list_files c || return
	check 'format: as clang-format writes it' well_formatted "$tool" "${files[@]}"
}

step_layers() {
	if build_bare layers; then
		rules layers scripts/layers.py build-ci/bare
	else
		rules layers scripts/layers.py
	fi
}

step_abi() {
	if [ "$(gcc -dumpmachine | cut -d - -f 1)" != x86_64 ]; then
		record skip abi 'the record is of x86-64'
		return
	fi
	if ! command -v abidiff >/dev/null; then
		record skip abi 'abidiff of libabigail is not here'
		return
	fi
	build_bare abi && rules abi scripts/abi.sh build-ci/bare
}

step_manual() {
	check 'manual pages: mandoc has nothing to say' mandoc -T lint -W warning man/*.[1-9]
	rules docs scripts/posix_doc.py
	rules symbols scripts/symbols.py
	rules bugs scripts/bugs_doc.py
	rules performance scripts/performance.py
	rules vectors scripts/vector_rules.py
}

step_tidy() {
	rules tidy scripts/tidy.py
}

step_shell() {
	local script files
	list_files shell || return
	for script in "${files[@]}"; do
		check "shell: $script" shellcheck "$script"
	done
}

step_spelling() {
	local files
	list_files text || return
	check spelling codespell --ignore-words-list=statics,nd "${files[@]}"
}

summary() {
	local passed failed skipped
	passed=$(grep -c '^pass' "$results")
	failed=$(grep -c '^fail' "$results")
	skipped=$(grep -c '^skip' "$results")
	echo
	if [ "$skipped" -gt 0 ]; then
		echo "Skipped:"
		awk -F '\t' '$1 == "skip" { print "  " $2 ": " $3 }' "$results"
	fi
	if [ "$failed" -gt 0 ]; then
		echo "Failed:"
		awk -F '\t' '$1 == "fail" { print "  " $2 }' "$results"
	fi
	if [ $((passed + failed)) -eq 0 ]; then
		echo "No test ran, which counts as one that failed."
		failed=1
	fi
	if [ "$skipped" -gt 0 ]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[ "$failed" -eq 0 ]
}

main() {
	local step began before steps=${*:-$ALL_STEPS} set_name=test
	if [ "$steps" = lint ]; then
		steps=$LINT_STEPS
		set_name=lint
	fi
	for step in $steps; do
		if ! declare -F "step_$step" >/dev/null; then
			echo "test: unknown step '$step'; there are: $ALL_STEPS" >&2
			echo "test: and lint, for: $LINT_STEPS" >&2
			exit 2
		fi
	done
	if ! scripts/deps.sh "$set_name"; then
		echo "0 passed, 1 failed"
		exit 2
	fi
	for step in $steps; do
		echo "== $step"
		began=$SECONDS
		before=$(wc -l <"$results")
		"step_$step"
		# Silence is no success.
		[ "$(wc -l <"$results")" -gt "$before" ] || record fail "$step: looked at nothing"
		echo "== $step: $((SECONDS - began)) s"
	done
	summary
}

main "$@"
