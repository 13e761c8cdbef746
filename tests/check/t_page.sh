#!/bin/sh
# SPDX-License-Identifier: MIT
# t_page.sh RQPI RQPI_CHECK - the page of --html in a browser without a screen: it is drawn, its
# script runs, and goes through the path by keys and by the address.
#
# Output: TAP. Exit status: 0 all passed, 1 a case failed.
set -u

rqpi=$1
RQPI_CHECK_DIR=$(dirname "$2")
export RQPI_CHECK_DIR

browser=
for name in chromium chromium-browser google-chrome; do
	[ -n "$browser" ] || browser=$(command -v "$name")
done
if [ -z "$browser" ]; then
	echo "ok 1 - the page in a browser # SKIP there is no chromium here"
	echo "1..1"
	exit 0
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

number=0
bad=0
ok() # ok STATUS DESCRIPTION: STATUS is that of a test
{
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		head -c 400 "$dir/dom" | sed 's/^/# /'
		tail -n 5 "$dir/err" | sed 's/^/# /'
		bad=1
	fi
}

browse() # browse OPTION ADDRESS
{
	HOME=$dir timeout 60 "$browser" --headless --no-sandbox --disable-gpu \
		--user-data-dir="$dir/profile" --virtual-time-budget=5000 "$1" "$2" 2>"$dir/err"
}

root() # root NAME: this attribute of the document, as the script has set it
{
	sed -n "s/^<html .*data-$1=\"\([^\"]*\)\".*/\1/p" "$dir/dom"
}

count() # count TEXT: how often it is in the document
{
	grep -o -e "$1" "$dir/dom" | wc -l
}

mutant=$RQPI_CHECK_DIR/rqpi-check-has_waiters_unset
if [ -x "$mutant" ]; then
	"$rqpi" check --mutant=has_waiters_unset story_2009 --mode=bfs \
		--html "$dir/page.html" >"$dir/out"
	steps=$(sed -n 's/^VIOLATION .*, \([0-9]*\) steps: .*/\1/p' "$dir/out")
	wanted='verdict bad'
else
	"$rqpi" check --replay=rqpi1:two_lockers:a2b10 --html "$dir/page.html" >"$dir/out"
	steps=12
	wanted='verdict good'
fi

browse --dump-dom "file://$dir/page.html" >"$dir/dom"
[ "$(root ready)" = 1 ] && [ "$(root steps)" = "$steps" ] && [ "$(root step)" = 0 ]
ok $? "the script runs, and sees $steps steps"

[ "$(count '<tr id="step-')" -eq $((steps + 1)) ] && [ "$(count 'class="card t')" -eq 2 ] &&
	[ "$(count "class=\"$wanted\"")" -eq 1 ]
ok $? "a row for each step, a card for each task, the verdict"

browse --dump-dom "file://$dir/page.html#step-7" >"$dir/dom"
[ "$(root step)" = 7 ] && grep -q '<tr id="step-7"[^>]* here"' "$dir/dom"
ok $? "the address opens the page at a step"

# Keys, as somebody would press them once the page is there.
keys='for (const key of ["End", "Home", "ArrowRight", "j", "PageDown", "ArrowLeft", "p"])
	document.dispatchEvent(new KeyboardEvent("keydown", { key: key }));'
{
	sed '/^<\/body>$/,$d' "$dir/page.html"
	printf '<script>%s</script>\n</body>\n</html>\n' "$keys"
} >"$dir/keys.html"
browse --dump-dom "file://$dir/keys.html" >"$dir/dom"
[ "$(root step)" = 11 ] && grep -q 'id="steps" class="brief"' "$dir/dom"
ok $? "keys go through the path"

browse "--screenshot=$dir/page.png" "file://$dir/page.html" >"$dir/dom"
[ "$(head -c 4 "$dir/page.png" | tail -c 3)" = PNG ] && [ "$(wc -c <"$dir/page.png")" -gt 20000 ]
ok $? "the page is drawn"

sed -i 's/"use strict";/"use strict"; throw new Error("broken");/' "$dir/page.html"
browse --dump-dom "file://$dir/page.html" >"$dir/dom"
[ -z "$(root ready)" ] && [ "$(count '<tr id="step-')" -eq $((steps + 1)) ]
ok $? "without its script the page can be read all the same"

echo "1..$number"
exit $bad
