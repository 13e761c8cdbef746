#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The matrix of docs/kernels.md, and what `rqpi conform` and `rqpi demo` said, as cases.

Imported by check_rt.py, which boots the kernels and keeps one summary of each boot.
"""

import glob
import json
import os
import re
import sys

import tree

DOCUMENT = "docs/kernels.md"
SUMMARY = "summary.json"
MATRIX = ("<!-- scripts/check_rt.py: matrix -->", "<!-- end -->")
DEMO = ("<!-- scripts/check_rt.py: demo -->", "<!-- end -->")
VECTORS = re.compile(r"^(\d+) vectors: (\d+) agree, (\d+) differ, (\d+) skipped$", re.M)
RANDOM = re.compile(r"^\d+ random programs, .*", re.M)
HEAD = ("Linux", "CPUs", "user half, preload, C++", "engine on threads", "vectors",
        "random programs", "demo, glibc 2.36", "demo, rqpi")


def conform_cases(name, status, output):
    """One case for each vector, as far as `rqpi conform` names them; one for a run of random
    programs."""
    found = VECTORS.search(output)
    if not found:
        said = RANDOM.search(output)
        good = status == 0 and said
        return [("pass" if good else "fail",
                 f"{name}: {said.group(0) if said else f'ended with status {status}'}", "")]
    differ = re.findall(r"^DIFFERS +(\S+ on \w+)", output, re.M)
    left_out = re.findall(r"^skipped +(\S+ on \w+): (.*)$", output, re.M)
    cases = [("fail", f"{name}: {what} differs", "") for what in differ]
    cases += [("skip", f"{name}: {what}", why) for what, why in left_out]
    cases += [("pass", f"{name}: {i + 1} agree", "") for i in range(int(found.group(2)))]
    if status and not differ:
        cases.append(("fail", f"{name}: ended with status {status}", ""))
    return cases


def version_of(summary):
    """(numbers to sort by, text): 6.1.192 of Debian's "6.1.0-56-amd64", and PREEMPT_RT or not."""
    said = summary["facts"]["version"]
    debian = re.search(r" Debian (\d[\d.]*)", said)
    text = debian.group(1) if debian else re.match(r"[\d.]+", summary["facts"]["release"]).group(0)
    realtime = "PREEMPT_RT" in said
    return ([int(n) for n in text.split(".")], realtime,
            text + (", PREEMPT_RT" if realtime else ""))


def counted(cases, words):
    """"310 passed, 4 skipped": what there is none of is left out, but for the first."""
    if not cases:
        return "not run"
    parts = []
    for kind, word in zip(("pass", "fail", "skip"), words):
        number = sum(case[1] == kind for case in cases)
        if number or kind == "pass":
            text = f"{number} {word}"
            parts.append(f"**{text}**" if kind == "fail" else text)
    return ", ".join(parts)


def verdicts(text):
    """The last table of the demo: what each did. How large glibc's herd is, is a matter of luck,
    and its word for that is left out."""
    rows = dict()
    for line in text.split("SUMMARY", 1)[-1].split("\n"):
        cells = re.split(r"\s{2,}", line.strip())
        if len(cells) == 3:
            rows[cells[0]] = cells[1:]
    if not {"order", "herd", "inversion"} <= set(rows):
        return ("no result", "no result")
    return ("; ".join([rows["order"][0], rows["inversion"][0]]),
            "; ".join([rows["order"][1], rows["herd"][1], rows["inversion"][1]]))


def row(summary):
    groups = {}
    for case in summary["cases"]:
        groups.setdefault(case[0], []).append(case)
    tests = ("passed", "failed", "skipped")
    linux = [case for case in groups.get("vectors", []) if case[2].startswith("vectors-linux")]
    return (version_of(summary)[2], str(summary["cpus"]),
            counted(groups.get("user", []), tests), counted(groups.get("engine", []), tests),
            counted(linux, ("agree", "differ", "left out")),
            counted(groups.get("random", []), ("run agrees", "differs", "left out")),
            *verdicts(summary["demo"]))


def table(summaries):
    rows = [HEAD, ["---"] * len(HEAD)]
    rows += [row(s) for s in sorted(summaries, key=lambda s: (version_of(s), s["cpus"]))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def demo_part(summaries):
    """The inversion as the newest PREEMPT_RT kernel with two CPUs had it."""
    fit = [s for s in summaries if s["cpus"] == 2 and version_of(s)[1]]
    text = max(fit, key=version_of)["demo"] if fit else ""
    part = re.search(r"^INVERSION:.*?(?=^SUMMARY)", text, re.M | re.S)
    if not part:
        return "No result."
    head = re.search(r"^Linux .*", text, re.M).group(0)
    return "\n".join("    " + line if line else ""
                     for line in [head, ""] + part.group(0).rstrip().split("\n"))


def put(text, marks, body):
    begin, end = text.find(marks[0]), text.find(marks[1], text.find(marks[0]))
    if begin < 0 or end < 0:
        sys.exit(f"check-rt: {DOCUMENT}: no lines {marks[0]} and {marks[1]}")
    return text[:begin + len(marks[0])] + "\n" + body + "\n" + text[end:]


def update(folder):
    """Write the document from the summaries that boots have left in FOLDER."""
    summaries = []
    for path in glob.glob(os.path.join(folder, "*", SUMMARY)):
        with open(path, encoding="utf-8") as stream:
            summaries.append(json.load(stream))
    summaries = [s for s in summaries if "version" in s["facts"]]
    text = put(tree.read(DOCUMENT), MATRIX, table(summaries))
    text = put(text, DEMO, demo_part(summaries))
    with open(os.path.join(tree.ROOT, DOCUMENT), "w", encoding="utf-8") as stream:
        stream.write(text)
