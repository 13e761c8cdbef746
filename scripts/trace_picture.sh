#!/bin/sh
# SPDX-License-Identifier: MIT
# trace_picture.sh BUILD: makes docs/trace/inversion.png, the page of `rqpi trace --html` with an
# inversion that tests/trace/inversion_program.c plants, as chromium shows it. Needs the right to
# SCHED_FIFO and to the kernel's events, and chromium and pngquant: scripts/deps.sh performance.
#
# Exit status: 0 made, 1 the trace or the picture is not what it should be, 2 cannot.
set -u

if [ $# -ne 1 ] || ! [ -x "$1/tools/rqpi/rqpi" ] ||
	! [ -x "$1/tests/trace/inversion_program" ]; then
	echo "usage: trace_picture.sh BUILD, where rqpi and inversion_program are built" >&2
	exit 2
fi
build=$(cd "$1" && pwd) || exit 2
out=$(cd "$(dirname "$0")/.." && pwd)/docs/trace/inversion.png
for name in chromium pngquant; do
	command -v "$name" >/dev/null || {
		echo "trace_picture: there is no $name here" >&2
		exit 2
	}
done
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT

# In the folder of the program, so that its path is not in the picture.
cd "$build/tests/trace" || exit 2
timeout 60 "$build/tools/rqpi/rqpi" trace -o /dev/null --html "$dir/page.html" -- \
	./inversion_program normal 20 >"$dir/report"
status=$?
if [ "$status" -ne 1 ] || ! grep -q "kernel events and the preload's probes" "$dir/report"; then
	cat "$dir/report"
	echo "trace_picture: no inversion was found, or not by all sources (status $status)" >&2
	exit 1
fi
HOME=$dir timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
	--disable-background-networking --disable-component-update --disable-sync \
	--hide-scrollbars \
	--user-data-dir="$dir/profile" --virtual-time-budget=5000 --window-size=1080,988 \
	--screenshot="$dir/page.png" "file://$dir/page.html#inversion-1" 2>/dev/null
[ -s "$dir/page.png" ] || {
	echo "trace_picture: chromium made no picture" >&2
	exit 1
}
mkdir -p "$(dirname "$out")"
pngquant --force --strip --speed 1 --output "$out" 64 "$dir/page.png" || exit 1
size=$(wc -c <"$out")
echo "$out: $size bytes"
[ "$size" -lt 100000 ]
