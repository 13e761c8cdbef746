#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What of the engine do the complete scenarios of `rqpi check` reach?

coverage.py [OPTION]... [SCENARIO]...: runs scenarios, those of the suite ci if none is named, in a
checker that was built with gcov's counters, each in a process and a folder of its own, and says
how many lines and branches, edges of the hand-shake and results of operations they have reached.
A scenario counts only if it was complete and clean; one with more states than fit into a small
table, which depends on no clock, is left out by name.

What was not reached needs a reason in tests/check/unreached.txt, and what has a reason must not
have been reached: both are findings. So are lines of the engine below 100 % or branches below 95 %
that no reason covers; an edge that the table of src/engine/requeue_state.c does not have; and a
result that conform/RULES.md, section 16, does not list.

Not counted are the branches of the lines of rqk_assert(), RQB_ASSERT() and rqk_trace(): what does
not hold ends the run, and whether somebody listens makes no difference to the engine. Their lines
count. An inline function of a header is one, however many objects have it.

Exit status: 0 as it should be, 1 findings, 2 cannot look.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

import tree

REASONS = "tests/check/unreached.txt"
RULES = "conform/RULES.md"
DOCUMENT = "docs/checker.md"
BEGIN, END = "<!-- scripts/coverage.py -->", "<!-- end -->"

# (name, beginnings of paths, the least share of branches; None: is told, and needs no reasons)
GROUPS = [("engine", ("src/engine/", "src/base/tree."), 95),
          ("user half", ("src/user/", "src/sys/", "src/base/atomic.h", "src/base/word.h"), None)]
NOT_COUNTED = re.compile(r"\b(rqk_assert|RQB_ASSERT|rqk_trace)\s*\(")

# What the engine answers where Linux begins the call again: rules 4.1, 4.3 and 4.4.
RESTARTS = {"ERESTARTSYS": ("WAIT", "WAIT_BITSET"),
            "ERESTARTNOINTR": ("LOCK_PI", "LOCK_PI2", "WAIT_REQUEUE_PI")}


# For the states of one scenario: some three million.
MEMORY = "--memory=64"


class Failure(Exception):
    pass


class LeftOut(Exception):
    pass


# ------------------------------------------------------------------ running

def run_scenario(program, build, place, name):
    """Run one scenario with its counters in @place. Its JSON."""
    folder = os.path.join(place, name)
    env = dict(os.environ, GCOV_PREFIX=folder, GCOV_PREFIX_STRIP="0")
    done = subprocess.run([program, "--json", "--coverage", MEMORY, name], env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise Failure(f"{name}: the checker ended with status {done.returncode}") from None
    if result["violation"]:
        raise Failure(f"{name}: {result['violation']['text']}")
    if not result["complete"]:
        shutil.rmtree(folder, ignore_errors=True)
        raise LeftOut(name)
    return result, read_counters(build, folder)


def read_counters(build, folder):
    """{path: {(function, line): [count, [count of each branch]]}} of the counters in @folder."""
    counts = {}
    data = []
    for top, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(".gcda"):
                continue
            data.append(os.path.join(top, name))
            notes = data[-1][:-len("da")] + "no"
            if not os.path.exists(notes):
                os.symlink(notes[len(folder):], notes)
    if not data:
        raise Failure(f"{folder}: no counters; was the checker built with -Db_coverage=true?")
    done = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", *data],
                          cwd=build, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Failure(f"gcov: {done.stderr.strip()}")
    for text in done.stdout.splitlines():
        unit = json.loads(text)
        for source in unit["files"]:
            path = os.path.relpath(os.path.join(unit["current_working_directory"], source["file"]),
                                   tree.ROOT)
            if path.startswith("src/"):
                add_lines(counts.setdefault(path, {}), source["lines"])
    shutil.rmtree(folder)
    return counts


def add_lines(to, lines):
    for line in lines:
        add(to, (line.get("function_name", ""), line["line_number"]),
            [line["count"], [branch["count"] for branch in line["branches"]]])


def add(to, key, more):
    have = to.setdefault(key, [0, [0] * len(more[1])])
    if len(have[1]) != len(more[1]):
        raise Failure(f"{key}: {len(have[1])} branches in one object, {len(more[1])} in another")
    have[0] += more[0]
    have[1] = [a + b for a, b in zip(have[1], more[1])]


def run_all(build, names, jobs):
    """The counters of all scenarios together, and what the checker itself has counted."""
    program = os.path.join(build, "sim/rqpi-check")
    place = os.path.join(build, "coverage")
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    if not names:
        out = subprocess.run([program, "--list", "--suite=ci"], check=True, text=True,
                             env=dict(os.environ, GCOV_PREFIX=place), stdout=subprocess.PIPE).stdout
        names = [line.split()[0] for line in out.splitlines()]
    counts, seen, left_out, failures = {}, {"hand_shake": {}, "results": {}}, [], []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run_scenario, program, build, place, name) for name in names]
        for name, future in zip(names, futures):
            try:
                result, more = future.result()
            except LeftOut:
                left_out.append(name)
                continue
            except Failure as failure:
                failures.append(str(failure))
                continue
            for path, lines in more.items():
                for key, line in lines.items():
                    add(counts.setdefault(path, {}), key, line)
            add_seen(seen, result["coverage"], name)
    if len(left_out) + len(failures) == len(names):
        failures.append("no scenario was complete")
    return counts, seen, failures, left_out, len(names)


def add_seen(seen, coverage, name):
    for edge in coverage["hand_shake"]:
        key = (edge["from"], edge["to"], edge["by"])
        have = seen["hand_shake"].setdefault(key, [0, edge["allowed"], []])
        have[0] += edge["transitions"]
        have[2] += [name] if edge["transitions"] else []
    for result in coverage["results"]:
        have = seen["results"].setdefault((result["op"], result["result"]), [0, []])
        have[0] += result["transitions"]
        have[1].append(name)


# ------------------------------------------------------------------ lines and branches

def uncounted_lines(text):
    """The lines of a source whose branches are those of an assertion or of the trace."""
    lines = set()
    bare = tree.strip_c(text)
    for match in NOT_COUNTED.finditer(bare):
        end, depth = match.end(), 1
        while depth and end < len(bare):
            depth += {"(": 1, ")": -1}.get(bare[end], 0)
            end += 1
        lines.update(range(bare.count("\n", 0, match.start()) + 1, bare.count("\n", 0, end) + 2))
    return lines


class Source:
    """One file: what was counted, and what of it was not reached."""

    def __init__(self, path, counts, read):
        text = read(path).split("\n")
        skip = uncounted_lines("\n".join(text))
        self.path = path
        self.lines, self.lines_reached, self.branches, self.branches_reached = 0, 0, 0, 0
        self.unreached = []  # (function, what, text)
        for (function, number), (count, branches) in sorted(counts.items(), key=lambda x: x[0][1]):
            said = text[number - 1].strip()
            branches = [] if number in skip else branches
            missing = branches.count(0)
            self.lines += 1
            self.lines_reached += count > 0
            self.branches += len(branches)
            self.branches_reached += len(branches) - missing
            if not count:
                self.unreached.append((function, "line", said))
            elif missing:
                self.unreached.append((function, f"{missing}/{len(branches)}", said))


def read_reasons(text):
    """{(path, function): [(what, text)]}, {result or edge: reason} of the file of reasons."""
    places, others, here = {}, {}, None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] == "\t":
            match = re.match(r"(line|\d+/\d+)\s+(.*)$", line.strip())
            if here is None or not match:
                raise Failure(f"{REASONS}:{number}: 'line TEXT' or 'N/M TEXT' was expected")
            here.append((match.group(1), match.group(2)))
            continue
        head, colon, reason = line.partition(": ")
        if not colon or not reason.strip():
            raise Failure(f"{REASONS}:{number}: no reason is given")
        if head.startswith("src/"):
            path, _, function = head.partition(" ")
            here = places.setdefault((path, function), [])
        else:
            others[head] = reason
            here = None
    return places, others


def check_unreached(sources, places):
    """What was not reached and has no reason, and what has a reason and was reached."""
    findings = []
    places = {key: list(entries) for key, entries in places.items()}
    for source in sources:
        for function, what, said in source.unreached:
            entries = places.get((source.path, function), [])
            if (what, said) in entries:
                entries.remove((what, said))
            else:
                findings.append(f"not reached, and no reason in {REASONS}: "
                                f"{source.path} {function}: {what} {said}")
    for (path, function), entries in places.items():
        findings += [f"{REASONS} has a reason for what was reached, or is not there: "
                     f"{path} {function}: {what} {said}" for what, said in entries]
    return findings


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


def row(name, sources):
    lines, reached = sum(s.lines for s in sources), sum(s.lines_reached for s in sources)
    branches, taken = sum(s.branches for s in sources), sum(s.branches_reached for s in sources)
    return [name, f"{reached} of {lines}", share(reached, lines), f"{taken} of {branches}",
            share(taken, branches)]


def check_group(name, sources, least, places):
    if least is None:
        return []
    mine = {key: value for key, value in places.items()
            if any(s.path == key[0] for s in sources)}
    findings = check_unreached(sources, mine)
    branches, taken = sum(s.branches for s in sources), sum(s.branches_reached for s in sources)
    if 100 * taken < least * branches:
        findings.append(f"{name}: {share(taken, branches)} of the branches, {least} % is the least")
    return findings


# ------------------------------------------------------------------ edges and results

def documented_results(text):
    """{operation: set of results} of the rules' section 16; >=0 and 0 are success."""
    part = re.search(r"^## 16\..*?(?=^## |\Z)", text, re.M | re.S)
    allowed = {}
    for names, results in re.findall(r"^\| ((?:16\.\w+ ?)+)\| ([^|]*) \|", part.group(0), re.M):
        for name in names.split():
            allowed[name[len("16."):].upper()] = set(results.split())
    return allowed


def check_results(seen, documented, others):
    findings, allowed = [], {}
    for op, results in documented.items():
        allowed[op] = results | {code for code, ops in RESTARTS.items() if op in ops}
    for op, results in allowed.items():
        for result in sorted(results):
            key = f"{op} {result}"
            if seen.get((op, result), [0])[0]:
                if key in others:
                    findings.append(f"{REASONS} has a reason for a result that was reached: {key}")
            elif key not in others:
                findings.append(f"documented, never reached, and no reason: {key}")
    for (op, result), (count, names) in seen.items():
        if op in allowed and result not in allowed[op] and count:
            findings.append(f"reached, and not documented in {RULES}: {op} {result} ({names[0]})")
    return findings


def edge_name(key):
    return f"{key[0]} -> {key[1]} by the {key[2]}"


def check_edges(seen, others):
    findings = [] if seen else ["no edge of the hand-shake was counted"]
    for key, (count, allowed, names) in seen.items():
        if count and not allowed:
            findings.append(f"an edge that is not in the table: {edge_name(key)} ({names[0]})")
        if not count and edge_name(key) not in others:
            findings.append(f"an edge never taken, and no reason: {edge_name(key)}")
        if count and edge_name(key) in others:
            findings.append(f"{REASONS} has a reason for an edge that was taken: {edge_name(key)}")
    return findings


# ------------------------------------------------------------------ saying it

def table(head, rows):
    """In Markdown."""
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return out + ["| " + " | ".join(r) + " |" for r in rows]


def say(groups, seen):
    """(for the document: what a new scenario does not change, what else goes to the terminal)"""
    head = ["", "lines", "", "branches", ""]
    text, more = [], []
    for name, sources, least in groups:
        rows = [row(f"`{s.path}`", [s]) for s in sources] + [row(f"**{name}**", sources)]
        if least is None:
            more += table(head, rows) + [""]
        else:
            text += table(head, rows) + [""]
    text += table(["hand-shake: from", "to", "by the"],
                  [list(key) for key, (count, _, _) in sorted(seen["hand_shake"].items())
                   if count]) + [""]
    ops = sorted({op for op, _ in seen["results"]})
    text += table(["operation", "results reached"],
                  [[op, " ".join(sorted(r for o, r in seen["results"] if o == op))]
                   for op in ops])
    more += [f"{edge_name(key)}: {count} transitions, in {len(names)} scenarios"
            for key, (count, _, names) in sorted(seen["hand_shake"].items())]
    more += [f"{op} {result}: {count} transitions, in {len(names)} scenarios"
             for (op, result), (count, names) in sorted(seen["results"].items())]
    return text, more


def check_document(text, update):
    path = os.path.join(tree.ROOT, DOCUMENT)
    whole = tree.read(DOCUMENT)
    head, begin, rest = whole.partition(BEGIN)
    old, end, tail = rest.partition(END)
    if not begin or not end:
        return [f"{DOCUMENT}: '{BEGIN}' ... '{END}' is not there"]
    new = "\n" + "\n".join(text) + "\n"
    if old == new:
        return []
    if not update:
        return [f"{DOCUMENT} says otherwise; --update writes it"]
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(head + begin + new + end + tail)
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build-ci/coverage", metavar="DIR",
                        help="built with -Db_coverage=true (build-ci/coverage)")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at a time (2)")
    parser.add_argument("--update", action="store_true", help=f"write the tables to {DOCUMENT}")
    parser.add_argument("--unreached", action="store_true",
                        help="also list what of the user half was not reached")
    parser.add_argument("scenario", nargs="*")
    o = parser.parse_args()
    build = os.path.abspath(o.build)
    try:
        places, others = read_reasons(tree.read(REASONS))
        counts, seen, findings, left_out, number = run_all(build, o.scenario, o.jobs)
        groups = []
        for name, folders, least in GROUPS:
            sources = [Source(path, counts[path], tree.read) for path in sorted(counts)
                       if path.startswith(folders)]
            groups.append((name, sources, least))
            findings += check_group(name, sources, least, places)
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        print(f"coverage: {failure}", file=sys.stderr)
        return 2
    findings += check_edges(seen["hand_shake"], others)
    findings += check_results(seen["results"], documented_results(tree.read(RULES)), others)
    text, more = say(groups, seen)
    print("\n".join(text + [""] + more))
    if o.unreached:
        print("\n".join(f"{s.path} {function}: {what} {said}"
                        for _, sources, least in groups if least is None
                        for s in sources for function, what, said in s.unreached))
    if not o.scenario:
        findings += check_document(text, o.update)
    if left_out:
        print(f"\nleft out, as they have too many states: {' '.join(left_out)}")
    print(f"\n{number - len(left_out)} scenarios, {len(findings)} findings")
    for finding in findings:
        print(f"  {finding}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
