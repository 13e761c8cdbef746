#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check.sh: the deep run: all of test.sh, then the tests of suite "deep" in the plain build and
# under the sanitizers, the checker's coverage, and the Debian package on a fresh system.
# RQPI_STRESS_SECONDS (600) is how long each deep test works in the plain build; under a sanitizer
# it is a quarter of that. Called by `make check`; takes hours.
#
# The last line is `N passed, N failed`, as that of test.sh, and counts both. Exit status: as
# test.sh.
set -u
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 2

seconds=${RQPI_STRESS_SECONDS:-600}
case $seconds in
'' | *[!0-9]* | 0*)
	echo "check: RQPI_STRESS_SECONDS is '$seconds', a number of seconds was expected" >&2
	exit 2
	;;
esac

log=$(mktemp) || exit 2
results=$(mktemp) || exit 2
arch_log=$(mktemp) || exit 2
trap 'rm -f "$log" "$log.package" "$results" "$arch_log"' EXIT

scripts/deps.sh check programs || exit 2

env -u RQPI_STRESS_SECONDS scripts/test.sh 2>&1 | tee "$log"
if [ "${PIPESTATUS[0]}" -eq 2 ]; then
	exit 2
fi
totals=$(tail -n 1 "$log")

# deep NAME SECONDS [MESON-TEST-OPTION]...: the deep suite of one build. A test gets no limit from
# meson, since it works as long as it is told; the whole gets one here.
deep() {
	local name=$1 span=$2 limit=$(($2 * 4 + 7200)) began=$SECONDS
	shift 2
	echo "== deep, $name build: $span s for each test"
	rm -f "build-ci/$name/meson-logs/testlog.json"
	# test.sh went on where a build failed; what an older build left there shows nothing.
	if ! ninja -C "build-ci/$name" </dev/null >/dev/null; then
		printf 'fail\tdeep, %s: not built\n' "$name" >>"$results"
		return
	fi
	# shellcheck disable=SC2086 # RUNNER is a command with options, or nothing
	RQPI_STRESS_SECONDS=$span timeout -k 30 "$limit" ${RUNNER:-} meson test \
		-C "build-ci/$name" --no-rebuild --print-errorlogs --verbose --num-processes 2 \
		--timeout-multiplier 0 --suite deep "$@" </dev/null
	if [ $? -eq 124 ]; then
		printf 'fail\tdeep, %s: took more than %s s\n' "$name" "$limit" >>"$results"
	fi
	scripts/testlog.py "build-ci/$name/meson-logs/testlog.json" "deep, $name" >>"$results"
	echo "== deep, $name build: $((SECONDS - began)) s"
}

short=$((seconds / 4 > 0 ? seconds / 4 : 1))
deep gcc "$seconds"
ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	deep asan "$short" --no-suite nosan
if setarch "$(uname -m)" -R true 2>/dev/null; then
	RUNNER="setarch $(uname -m) -R"
fi
TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 deep tsan "$short" \
	--no-suite nosan --no-suite notsan

# Other C libraries and machines: each a test, whose own tests are counted, too.
for arch in musl i386 aarch64 armhf riscv64; do
	scripts/arch.sh "$arch" </dev/null 2>&1 | tee "$arch_log"
	arch_status=${PIPESTATUS[0]}
	sed -n "s/^  skipped: \([^:]*: [^:]*\): \(.*\)/skip\t\1\t\2/p" "$arch_log" >>"$results"
	if [ "$arch_status" -eq 0 ]; then
		printf 'pass\tother machines: %s\n' "$arch" >>"$results"
	else
		printf 'fail\tother machines: %s: scripts/arch.sh ended with %s\n' "$arch" \
			"$arch_status" >>"$results"
	fi
done

# What all scenarios of the checker reach together: it has no part in a build that is tested.
began=$SECONDS
echo "== coverage"
if timeout -k 30 3600 scripts/coverage.sh </dev/null; then
	printf 'pass\tcoverage\n' >>"$results"
else
	printf 'fail\tcoverage: lines, branches or results without a reason\n' >>"$results"
fi
echo "== coverage: $((SECONDS - began)) s"

# The Debian package, on a fresh system.
began=$SECONDS
echo "== package"
scripts/package.sh </dev/null 2>&1 | tee "$log.package"
[ "${PIPESTATUS[0]}" -le 1 ] || printf 'fail\tpackage: could not be tried\n' >>"$results"
sed -n 's/^ok - /pass\tpackage: /p; s/^not ok - /fail\tpackage: /p
	s/^skip - \([^:]*\): /skip\tpackage: \1\t/p' "$log.package" >>"$results"
echo "== package: $((SECONDS - began)) s"

count() { # count KIND WORD: of the deep runs and of test.sh together
	local before
	before=$(sed -n "s/.*\b\([0-9][0-9]*\) $2.*/\1/p" <<<"$totals")
	echo $((${before:-0} + $(grep -c "^$1" "$results")))
}

passed=$(count pass passed)
failed=$(count fail failed)
skipped=$(count skip skipped)
echo
sed -n '/^\(Skipped\|Failed\):$/,$p' "$log" | sed '$d'
awk -F '\t' '$1 == "skip" { print "  skipped: " $2 ": " $3 }
	$1 == "fail" { print "  failed: " $2 }' \
	"$results"
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
