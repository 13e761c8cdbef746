#!/bin/sh
# SPDX-License-Identifier: MIT
# t_timeline.sh RQPI RQPI_CHECK - what is told of a path: the timeline, the trace in the layout of
# 2009, the page, and the path that goes on to what a program sees.
#
# Output: TAP. Exit status: 0 all passed, 1 a case failed.
set -u

rqpi=$1
RQPI_CHECK_DIR=$(dirname "$2")
export RQPI_CHECK_DIR
COLUMNS=100
export COLUMNS
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
		sed 's/^/# /' "$dir/out" "$dir/err" | tail -n 60
		bad=1
	fi
}

check() # check WANTED_STATUS ARGUMENT...
{
	wanted=$1
	shift
	"$rqpi" check "$@" >"$dir/out" 2>"$dir/err"
	[ $? -eq "$wanted" ]
}

has() # has TEXT...: the output has each of them
{
	for text in "$@"; do
		if ! grep -qF -e "$text" "$dir/out"; then
			echo "# missing: $text"
			return 1
		fi
	done
}

in_order() # in_order TEXT...: each of them in a line of $dir/trace, behind the one before
{
	awk -v texts="$(printf '%s\n' "$@")" '
		BEGIN { count = split(texts, text, "\n"); at = 1 }
		at <= count && index($0, text[at]) { at++ }
		END { if (at <= count) print "# missing: " text[at]; exit at <= count }' \
		"$dir/trace"
}

# alone TOKEN TASK: the token with as many steps of this task behind it as it can make
alone()
{
	steps=0
	while "$rqpi" check --replay="$1$2$((steps + 1))" >/dev/null 2>&1; do
		steps=$((steps + 1))
	done
	echo "$1$2$steps"
}

# One locks, the other one has to wait; then everybody runs to the end.
token=$(alone rqpi1:two_lockers:a2 b)
token=$(alone "$token" a)
token=$(alone "$token" b)
steps=$(echo "${token##*:}" | tr -c '0-9' '\n' | awk '{ n += $1 } END { print n }')

check 0 --replay="$token" &&
	has 'a-101, RT' 'b-102, RT' 'm: 0 -> 101' 'm: 101 -> 101|WAITERS' 'FUTEX_LOCK_PI(m) ...' \
		'sleeps' 'wakes b' 'FUTEX_UNLOCK_PI(m) = 0' 'FUTEX_LOCK_PI(m) = 0' 'ends' \
		'passed: 0 -> 1' 'rqpi_mutex_unlock(&P->m) = 0' 'm.rt.owner: a -> a|HAS_WAITERS' \
		'no violation'
ok $? "a timeline has the values of words, calls and their results, who sleeps and who wakes"

! grep -q 'program+' "$dir/out" && ! grep -q 'takes the' "$dir/out" &&
	grep -q '^ *1-2  m: 0 -> 101  *|' "$dir/out"
ok $? "the steps of one task in a row are one block, without the points"

check 0 --replay="$token" -v &&
	has 'takes the lock of bucket 0' 'takes the wait_lock of m.rt' 'takes the pi_lock of a' \
		'looks at m: 101' 'bucket 0 waiters: 0 -> 1' 'is inside' &&
	[ "$(grep -c '^ *[0-9][0-9]*  ' "$dir/out")" -eq "$steps" ]
ok $? "-v tells each of the $steps steps, with the point that it passes"

for width in 80 100 160 500; do
	limit=$((width > 160 ? 160 : width))
	COLUMNS=$width check 0 --replay="$token" &&
		awk -v most=$limit 'length($0) > widest { widest = length($0) }
			END { exit widest > most || widest < most - 10 }' "$dir/out"
	ok $? "in $width columns no line is longer than $limit"
done

token=$(alone "$(alone rqpi1:timed_lockers:a2 b)B" b)
check 0 --replay="$token" &&
	has 'its deadline comes' 'FUTEX_LOCK_PI2(m) = -ETIMEDOUT' 'a: priority'
ok $? "the time that comes, and an error by its name"

token=$(alone "$(alone rqpi1:robust_owner_ends: a)" b)
check 0 --replay="$token" && has 'OWNER_DIED'
ok $? "the word of a dead owner is decoded"

check 0 --replay="$token" --html "$dir/page.html" &&
	grep -q 'id="verdict">no violation' "$dir/page.html"
ok $? "a replay without a violation has a page as well"

check 3 --replay="$token" --html "$dir/no/page.html" && grep -q -- '--html=.*No such' "$dir/err"
ok $? "a page that cannot be written is an error"

check 0 raw_signal --html "$dir/none.html" && [ ! -e "$dir/none.html" ] &&
	grep -q 'no violation' "$dir/err"
ok $? "without a violation there is no page, and that is said"

if [ -x "$RQPI_CHECK_DIR/rqpi-check-has_waiters_unset" ]; then
	check 1 --mutant=has_waiters_unset story_2009 --mode=bfs --html "$dir/page.html"
	cp "$dir/out" "$dir/story"
	grep 'us : ' "$dir/out" >"$dir/trace"
	in_order 'FUTEX_CMP_REQUEUE_PI on seq' \
		'lookup_pi_state: a new pi state, rt_mutex mutex.rt, initial owner 102' \
		'futex_lock_pi_atomic: mutex for 101 returned 0' \
		'try_to_take_rt_mutex: mutex.rt refused to 101, owner 102' \
		'task_blocks_on_rt_mutex of mutex.rt for 101 returned 0' \
		'rt_mutex_start_proxy_lock: mutex.rt has waiter flag: 0' \
		'broken: I2 waiters without HAS_WAITERS' \
		'rt_mutex_unlock: unlocking mutex.rt, waiter flag: 0' \
		'rt_mutex_unlock: unlocked mutex.rt, nobody is waiting' \
		'rt_mutex_slowlock: mutex.rt, waiter->task is set: 1' \
		'try_to_take_rt_mutex: assigned rt_mutex mutex.rt owner to 101' \
		'rt_mutex_slowlock: mutex.rt returned 0' 2>"$dir/err"
	ok $? "the failure of 2009 is told as it was in 2009"

	! grep -v 'broken: ' "$dir/trace" |
		grep -qv '^ *[a-z]-[0-9][0-9]* *[0-9][0-9][0-9]  *[0-9][0-9]*us : [a-z_]*: '
	ok $? "task-tid, cpu, time, function: text"

	steps=$(sed -n 's/^VIOLATION in story_2009, \([0-9]*\) steps: .*/\1/p' "$dir/story")
	[ "$steps" -le 40 ] && grep -q '^invariant: broken: I4' "$dir/story" &&
		grep -q '\*\*\* broken: I2' "$dir/story"
	ok $? "in $steps steps, 40 at most, and the broken invariants are named"

	python3 - "$dir/page.html" "$steps" >"$dir/out" 2>"$dir/err" <<-'END'
		import html.parser, re, sys
		text = open(sys.argv[1], encoding="utf-8").read()
		void = {"meta", "rect", "input", "br"}
		class Page(html.parser.HTMLParser):
		    def __init__(self):
		        super().__init__()
		        self.open, self.steps, self.said = [], [], []
		    def handle_starttag(self, tag, attrs):
		        attrs = dict(attrs)
		        assert tag not in ("link", "img", "iframe") and "src" not in attrs, tag
		        if "data-step" in attrs:
		            self.steps.append(int(attrs["data-step"]))
		        if tag not in void:
		            self.open.append(tag)
		    def handle_startendtag(self, tag, attrs):
		        pass
		    def handle_endtag(self, tag):
		        assert self.open.pop() == tag, tag
		    def handle_data(self, data):
		        self.said.append(data)
		page = Page()
		page.feed(text)
		assert not page.open, page.open
		assert page.steps == list(range(int(sys.argv[2]) + 1)), page.steps
		assert not re.search(r"https?://|url\(|@import", text)
		said = " ".join(page.said)
		for wanted in ("broken: I2 waiters without HAS_WAITERS", "still marked as waiting",
		               "--mutant has_waiters_unset --replay rqpi2:story_2009:",
		               "102|WAITERS",
		               "mutex.rt: owner b, waiting: a", "FUTEX_CMP_REQUEUE_PI(seq) = 1"):
		    assert wanted in said, wanted
	END
	ok $? "the page has steps, values, violation and token, and asks for nothing"

	check 1 --mutant=has_waiters_unset story_2009 --mode=bfs --end-to-end &&
		has '*** broken: I2 waiters' 'claim: who has given the mutex away' \
			':story_2009:e2e:' 'b: can run, runs as RT 20'
	ok $? "--end-to-end: the path goes on to what the program sees"
	token=$(sed -n 's/.*--replay //p' "$dir/out")
	check 1 --mutant=has_waiters_unset --replay="$token" &&
		has 'claim: who has given' '*** broken: I2'
	ok $? "and its token says so"

	check 1 --mutant=has_waiters_unset two_lockers --mode=bfs --end-to-end &&
		has 'lost wakeup:' 'b: asleep in FUTEX_LOCK_PI(m)'
	ok $? "--end-to-end: the wake-up that is lost, and what who sleeps in"
fi

echo "1..$number"
exit $bad
