#!/bin/sh
# SPDX-License-Identifier: MIT
# `rqpi bench` as a user types it: wrong arguments, what is left out, the shape of the JSON, the
# pictures. Figures are not judged here, only that they are there and hang together.
# Arguments: the command rqpi, librqpi-preload.so, a preload whose lock lets everybody in.
set -u
rqpi=$1 preload=$2 broken=$3
n=0
folder=$(mktemp -d) || exit 2
out=$folder/out
trap 'rm -rf "$folder"' EXIT

report() { # status name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		head -c 3000 "$out" 2>/dev/null | sed 's/^/# /'
	fi
}

skip() { # name reason
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

bench() { # bench ARGUMENT...: into $out
	timeout 100 "$rqpi" bench "$@" >"$out" 2>&1 </dev/null
}

document() { # document ARGUMENT...: what it writes alone, into $out, without what it says beside it
	timeout 100 "$rqpi" bench "$@" --json >"$out" 2>"$folder/err" </dev/null
}

names() { # names PATTERN NAME ARGUMENT...: refused with 2, and the pattern is in the message
	pattern=$1 name=$2
	shift 2
	bench "$@"
	[ $? -eq 2 ] && grep -q -- "$pattern" "$out"
	report $? "$name"
}

holds() { # holds NAME PYTHON: of the JSON in $folder/json as d
	python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
b = d['benchmarks']
$2" "$folder/json" >"$out" 2>&1
	report $? "$1"
}

quick='--rounds 1 --ms 40 --threads 1,2'

echo 1..27

names 'teapot' "an unknown benchmark is named" teapot
names 'wake' "two benchmarks are one too many" uncontended wake
names 'wobble' "an unknown option is named" uncontended --wobble
names '--rounds 999' "too many rounds are refused" uncontended --rounds 999
names '--threads 0' "no thread at all is refused" contended --threads 0
names '--threads 2,x' "a list that is none is named" contended --threads 2,x
names '--depth 501' "a chain that is too long is refused" chain --depth 501
names '--ms -1' "a negative time is refused" contended --ms -1
names '--cpu 1000' "a CPU that is not there is named" uncontended --cpu 1000
names 'picture.gif' "a picture of an unknown kind is named" uncontended --plot "$folder/picture.gif"

# shellcheck disable=SC2086 # options
document contended $quick
status=$?
cp "$out" "$folder/json"
[ $status -eq 0 ]
report $? "contended --json"
holds "machine, kernel, load and what takes part" "
m = d['machine']
assert m['cpus'] >= 1 and m['kernel'] and m['glibc'] and m['loadavg'] and m['processor'], m
assert isinstance(m['musl'], bool) and isinstance(m['preload'], bool), m"
holds "each series has its percentiles, in order" "
for case in b['contended']['cases']:
    for impl, result in case['results'].items():
        assert result['failed'] == 0, (case['case'], impl, result)
        for name, s in result['series'].items():
            p = [s[k] for k in ('min', 'p10', 'p50', 'p90', 'p99', 'p99.9', 'max')]
            assert s['n'] >= 1 and p == sorted(p), (impl, name, s)"
holds "every implementation took part, musl if it was built" "
wanted = {'normal', 'glibc', 'native', 'preload', 'requeue', 'on-engine', 'force-pi'}
wanted |= {'musl'} if d['machine']['musl'] else set()
for case in b['contended']['cases']:
    assert set(case['results']) >= wanted, set(case['results'])"
holds "normal is no PI mutex, the others are, force-pi too" "
for case in b['contended']['cases']:
    for impl, result in case['results'].items():
        assert result['series']['pi']['p50'] == (impl != 'normal'), (case['case'], impl)"
holds "takes, fairness and waits of each" "
for case in b['contended']['cases']:
    for impl, result in case['results'].items():
        s = result['series']
        assert s['takes_per_s']['p50'] > 1000, (impl, s)
        assert 0 <= s['share']['p50'] <= 1, (impl, s)
        assert s['wait_p50_us']['p50'] <= s['wait_p99_us']['p50'] <= s['wait_max_us']['p50'] * 1.1"
holds "targets of force-pi: at least half of normal, three times glibc" "
t = b['contended']['targets']
assert {(x['impl'], x['limit'], x['limit_is']) for x in t} == {
    ('force-pi', 0.5, 'least'), ('force-pi', 3, 'least')}, t"

# A preload that was put in the place of force-pi's, and makes nothing PI, must not pass for it.
# shellcheck disable=SC2086 # options
RQPI_PRELOAD_MUTEX=$preload bench contended $quick &&
	grep -q 'force-pi .*not in effect' "$out" && ! grep -q 'force-pi .*met' "$out"
report $? "a force-pi that is not in effect is said, and not measured"

if [ "$(nproc)" -gt 1 ]; then
	# shellcheck disable=SC2086 # options
	RQPI_PRELOAD_MUTEX=$broken bench contended $quick
	grep -q 'taken by two at once' "$out" && grep -q 'force-pi: 1 of 1 batches failed' "$out"
	report $? "a lock that lets two in at once is found"
else
	skip "a lock that lets two in at once is found" "one CPU"
fi

# shellcheck disable=SC2086 # options
RQPI_FORCE_PI=1 RQPI_BACKEND=engine RQPI_PRELOAD_OFF=1 document contended $quick
cp "$out" "$folder/json"
holds "the caller's own settings do not decide what is measured" "
for case in b['contended']['cases']:
    assert case['results']['normal']['series']['pi']['p50'] == 0
    assert case['results']['native']['failed'] == 0, case['results']['native']
    assert case['results']['preload']['failed'] == 0, case['results']['preload']"

RQPI_BENCH_MUSL=/no/such/program bench uncontended --rounds 1 --samples 1 &&
	grep -q 'musl: .*left out.*/no/such/program' "$out"
report $? "without musl's program the others are measured, and it is named"

bench uncontended --rounds 5 --samples 2 --histogram &&
	grep -q 'glibc *lock_unlock .*|.*|$' "$out" && grep -q 'p99.9 ' "$out"
report $? "--histogram draws how the samples lie"

# ---------------------------------------------------------------- pictures

judge_picture='
import json, re, sys
d, svg = json.load(open(sys.argv[1])), open(sys.argv[2]).read()
cases = d["benchmarks"]["contended"]["cases"]
impls = {i for c in cases for i, r in c["results"].items()
         if "takes_per_s" in r["series"]}
# Two panels of throughput, two of waits, each with a name for each implementation ...
named = {i: len(re.findall(f"<text>(<tspan[^>]*>)?{i}<", svg)) for i in impls}
assert named == {i: 4 for i in impls}, named
# ... and, in one path with the sample beside the name, a line of two points.
sample = r"d=\x27M[\d.,]+ L[\d.,]+ "
lines = re.findall(sample + r"M([\d.]+),[\d.]+ L([\d.]+),[\d.]+ +\x27", svg)
assert len(lines) == 4 * len(impls), (len(lines), len(impls))
assert all(float(a) < float(b) for a, b in lines), lines
for label in ("threads", "throughput: empty sections", "million takes a second"):
    assert label in svg, label
'

if ! command -v gnuplot >/dev/null 2>&1; then
	for name in "a picture has a curve for each implementation" "a picture as PNG" \
		"a folder that is not there is named" \
		"an old picture stays if nothing is measured"; do
		skip "$name" "no gnuplot here"
	done
else
	# shellcheck disable=SC2086 # options
	document contended $quick --plot "$folder/picture.svg" &&
		python3 -c "$judge_picture" "$out" "$folder/picture.svg" >"$folder/why" 2>&1
	status=$?
	mv "$folder/why" "$out"
	[ $status -eq 0 ]
	report $? "a picture has a curve for each implementation"
	bench uncontended --rounds 1 --samples 1 --plot "$folder/picture.png" &&
		[ "$(head -c 4 "$folder/picture.png" | tail -c 3)" = PNG ]
	report $? "a picture as PNG"
	names '/no/such/folder/x.svg' "a folder that is not there is named" \
		uncontended --plot /no/such/folder/x.svg
	cp "$folder/picture.svg" "$folder/old.svg"
	RQPI_BENCH_WORKER=/no/such/worker bench uncontended --plot "$folder/picture.svg"
	[ $? -eq 2 ] && cmp -s "$folder/old.svg" "$folder/picture.svg"
	report $? "an old picture stays if nothing is measured"
fi
PATH=/no/such/folder "$rqpi" bench uncontended --plot "$folder/none.svg" >"$out" 2>&1
[ $? -eq 2 ] && grep -q 'needs gnuplot' "$out" && [ ! -e "$folder/none.svg" ]
report $? "without gnuplot it says so, before it measures"
