#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/performance.md: the figures and plots of `rqpi bench`, and are they all there?

performance.py: looks at the page. Each benchmark has its part, each picture it names is there and
small. Says "ok - RULE" or "not ok - RULE".

performance.py --update RQPI [--rounds N] [BENCHMARK...]: runs RQPI (the program rqpi) bench for all
of them, or those named, with a picture, and writes the parts between "<!-- begin X -->" and
"<!-- end X -->" anew. Text outside of them is left as it is. Takes 15 minutes for all, on an idle
machine: what runs beside it is in the figures.

Exit status: 0 done or all there, 1 something is not, 2 cannot.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import tree

DOCUMENT = "docs/performance.md"
PICTURES = "docs/performance"
PICTURE_BYTES = 100_000
SECONDS = 3600
TARGET_ROWS = 24  # beyond, only what is not met or close is listed

# Benchmark: what its tables are of: (heading, series, factor, decimals), one table each. A list of
# series makes one table with a row for each of them.
TABLES = {
    "uncontended": [("ns per operation, median",
                     ["cas_pair_call", "lock_unlock", "signal", "broadcast",
                      "lock_signal_unlock", "lock_broadcast_unlock"], 1, 1)],
    "wake": [("us from the signal until the waiter has the mutex, median (p99)", "wake_ns", 1e-3,
              1),
             ("context switches per wake-up, median", "switches", 1, 2)],
    "herd": [("us until the first is served, median", "first_us", 1, 0),
             ("us until the last is served, median", "last_us", 1, 0),
             ("pairs served out of order, worst broadcast", "misordered", 1, 0)],
    "inversion": [("us until the urgent thread has the mutex, median", "high_us", 1, 0)],
    "queue": [("thousand items a second, median", "items_per_s", 1e-3, 1)],
    "contended": [("million takes a second, all threads, median", "takes_per_s", 1e-6, 2),
                  ("share: takes of the thread that got fewest / most, median", "share", 1, 2),
                  ("longest wait of all batches, ms", "wait_max_us", 1e-3, 1)],
    "pool": [("us until all have the mutex again, median (p99)", "again_us", 1, 0),
             ("context switches per worker, median", "switches", 1, 2)],
    "engine": [("requeue, ns a waiter, median", ["requeue_ns", "requeue_pi_ns"], 1, 0),
               ("hand-off, ns, median", ["lock_ns", "cond_ns"], 1, 0),
               ("calls that do not sleep, ns, median",
                ["wake_nobody", "wait_changed", "requeue_changed", "requeue_pi_changed",
                 "requeue_nobody", "unlock_not_owner", "trylock_own", "trylock_held",
                 "lock_unlock_free"], 1, 0)],
    "chain": [("us a call, median (p99)", "chain_us", 1, 1)],
    "checker": [("thousand steps a second, median", "steps_per_s", 1e-3, 0),
                ("thousand executions a second, median", "executions_per_s", 1e-3, 1)],
}

ORDER = ("normal", "glibc", "musl", "futex", "requeue", "native", "preload", "force-pi",
         "on-engine", "linux", "engine", "checker")

NOISY = "  \n**The machine was too noisy for close calls in this run.**"


# ---------------------------------------------------------------- tables

def number(value, decimals):
    return "-" if value is None else f"{value:,.{decimals}f}".replace(",", " ")


def statistic(heading):
    """Which of a series the heading promises, besides the median."""
    if "worst" in heading or "longest" in heading:
        return "max", None
    return "p50", "p99" if "(p99)" in heading else None


def cell(result, series, heading, factor, decimals):
    found = result["series"].get(series)
    if found is None:
        return "-"
    first, second = statistic(heading)
    text = number(found[first] * factor, decimals)
    return f"{text} ({number(found[second] * factor, decimals)})" if second else text


def rows_of(cases, series):
    """Yield (name, series, results) of each row that anybody has a figure for."""
    names = [series] if isinstance(series, str) else series
    for case in cases:
        for name in names:
            if any(name in result["series"] for result in case["results"].values()):
                label = case["case"] if isinstance(series, str) else f"{case['case']}: {name}"
                yield (name if len(cases) == 1 and len(names) > 1 else label), name, \
                    case["results"]


def table(cases, heading, series, factor, decimals):
    rows = list(rows_of(cases, series))
    impls = [impl for impl in ORDER if any(name in results[impl]["series"]
             for _, name, results in rows if impl in results)]
    lines = [f"| {heading} | {' | '.join(impls)} |", "| --- |" + " ---: |" * len(impls)]
    for label, name, results in rows:
        cells = [cell(results[impl], name, heading, factor, decimals) if impl in results else "-"
                 for impl in impls]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines if rows else []


def verdict(target):
    if target["met"] is None:
        return "not measured"
    return ("met" if target["met"] else "**not met**") + (", close" if target["close"] else "")


def targets(bench):
    if not bench["targets"]:
        return []
    shown, lines = bench["targets"], []
    if len(shown) > TARGET_ROWS:
        shown = [target for target in shown if not target["met"] or target["close"]]
        lines = [f"{bench['targets_met']} of {bench['targets_judged']} targets met. Those that "
                 "were not, or were close:", ""]
    lines += ["| target | of | figure | +- | limit | |",
              "| --- | --- | ---: | ---: | ---: | --- |"]
    for target in shown:
        sign = "at least" if target["limit_is"] == "least" else "at most"
        lines.append(f"| {target['figure_of']} | {target['impl']} | {number(target['figure'], 2)} |"
                     f" {number(target['error'], 2)} | {sign} {target['limit']:.2f} |"
                     f" {verdict(target)} |")
    return lines


def notes(bench):
    """What was left out or failed; and where glibc was ahead, in one paragraph."""
    ahead = [note.split(": ", 1)[1] for note in bench["notes"]
             if note.startswith("glibc is better here: ")]
    others = [note for note in bench["notes"]
              if not note.startswith(("glibc is better here", "WARNING"))]
    lines = [f"* {note}" for note in others]
    if ahead:
        lines += ["", "Where glibc is ahead: " + "; ".join(ahead) + "."]
    return lines


def part(name, bench, command):
    spread = bench.get("floor_spread")
    run = f"{bench['rounds']} rounds, implementations taking turns"
    if spread is not None:
        run += f"; the floor's medians lie {spread * 100:.0f} % apart from round to round"
    lines = [f"![{bench['question']}](performance/{name}.svg)", "",
             f"`{command}`: {run}." + (NOISY if bench.get("too_noisy") else "")]
    for heading, series, factor, decimals in TABLES[name]:
        lines += [""] + table(bench["cases"], heading, series, factor, decimals)
    lines += [""] + targets(bench) + [""] + notes(bench)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def machine(said):
    return (f"{said['processor']}, {said['cpus']} CPUs; Linux {said['kernel'].split()[0]}; glibc "
            f"{said['glibc']}; clock {said['clocksource']}; load {said['loadavg'].split()[0]} when "
            "this began, by others.")


# ---------------------------------------------------------------- the page

def replace(text, name, content):
    """The part between the marks of @name becomes @content."""
    pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.S)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"{DOCUMENT}: not exactly one part {name}")
    return pattern.sub(lambda found: f"{found.group(1)}{content}\n{found.group(2)}", text)


def without_emptiness(svg):
    """gnuplot opens a group for each change of colour, and draws nothing in most of them."""
    before = None
    while before != svg:
        before = svg
        svg = re.sub(r"<g [^>]*>\s*</g>\s*", "", svg)
    return re.sub(r"[ \t]*\n[ \t]*", "\n", svg)


def measure(rqpi, name, extra):
    """Run one benchmark. Its picture goes where the page wants it. Returns what it says."""
    with tempfile.TemporaryDirectory() as folder:
        picture = os.path.join(folder, f"{name}.svg")
        command = [rqpi, "bench", name, "--json", "--plot", picture, *extra]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, timeout=SECONDS)
        if done.returncode:
            raise ValueError(f"{' '.join(command)}: exit status {done.returncode}")
        with open(picture, encoding="utf-8") as stream:
            svg = without_emptiness(stream.read())
    os.makedirs(os.path.join(tree.ROOT, PICTURES), exist_ok=True)
    with open(os.path.join(tree.ROOT, PICTURES, f"{name}.svg"), "w", encoding="utf-8") as stream:
        stream.write(svg)
    return json.loads(done.stdout)


def update(rqpi, extra, names):
    path = os.path.join(tree.ROOT, DOCUMENT)
    for name in names:
        said = measure(rqpi, name, extra)
        command = " ".join(["rqpi bench", name, *extra, "--plot", f"{name}.svg"])
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        text = replace(text, name, part(name, said["benchmarks"][name], command))
        if name == names[0]:  # later on the load is our own
            text = replace(text, "machine", machine(said["machine"]))
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        print(f"{name}: done", flush=True)
    return 0


def rule(text, findings):
    print(f"{'not ok' if findings else 'ok'} - {text}")
    for finding in findings:
        print(f"    {finding}")
    return not findings


def check():
    text = tree.read(DOCUMENT)
    source = tree.read("bench/cmd_bench.c")
    asked = re.findall(r'^\s*\{"(\w+)", bench_ask_', source, re.M)
    missing = [name for name in asked if text.count(f"<!-- begin {name} -->") != 1
               or f"![" not in text.split(f"<!-- begin {name} -->")[1].split("<!-- end")[0]]
    named = re.findall(r"\]\((performance/[^)]+)\)", text)
    gone = [name for name in named if not os.path.isfile(os.path.join(tree.ROOT, "docs", name))]
    large = [f"{name}: {size} bytes" for name in named if name not in gone
             for size in [os.path.getsize(os.path.join(tree.ROOT, "docs", name))]
             if size > PICTURE_BYTES]
    good = rule("performance: each benchmark has its part and its picture",
                missing if asked else ["no benchmark found in bench/cmd_bench.c"])
    good &= rule("performance: each picture is there", gone if named else ["none is named"])
    good &= rule(f"performance: pictures of at most {PICTURE_BYTES} bytes", large)
    return 0 if good else 1


def main(args):
    if not args:
        return check()
    if args[0] != "--update" or len(args) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    rqpi, rest, extra = args[1], args[2:], []
    if rest[:1] == ["--rounds"] and len(rest) > 1:
        extra, rest = rest[:2], rest[2:]
    unknown = [name for name in rest if name not in TABLES]
    if unknown:
        raise ValueError(f"no benchmark {unknown[0]}; one of {', '.join(TABLES)}")
    return update(rqpi, extra, rest or list(TABLES))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        print(f"performance: {error}", file=sys.stderr)
        sys.exit(2)
