#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turn what a meson test run left behind into one line for each case.

testlog.py FILE PREFIX: FILE is meson-logs/testlog.json. Printed, with tabs between the fields:
    pass NAME | fail NAME | skip NAME REASON
A program that spoke TAP counts case by case, any other as one. No FILE, or no test in it: one fail,
since a run in which nothing ran shows nothing. What failed TAP programs said goes to stderr.
Called by test.sh and check.sh.
"""

import json
import re
import sys

PLAN = re.compile(r"^1\.\.(\d+)", re.M)
CASE = re.compile(r"^(not ok|ok)\b[ \t]*\d*[ \t]*-?[ \t]*(.*)$")
REASON = re.compile(r"^#[ \t]*skip[ \t]+([^:]+):[ \t]*(.+)$", re.I)
SKIP = re.compile(r"#[ \t]*skip\S*[ \t]*(.*)", re.I)
GOOD = {"OK", "EXPECTEDFAIL"}


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def tap_cases(program, stdout):
    """(kind, name, reason) of each case of a TAP stream.

    A skipped case is "ok N - NAME # SKIP REASON" or, as cmocka has it, "not ok N # SKIP NAME"; then
    the reason is in a line "# SKIP NAME: REASON" before it.
    """
    cases, reasons = [], {}
    for line in stdout.splitlines():
        reason, case = REASON.match(line), CASE.match(line)
        if reason:
            reasons[reason.group(1).strip()] = reason.group(2).strip()
        elif case:
            skip = SKIP.search(case.group(2))
            name = case.group(2).split("#")[0].strip()
            if skip:
                said = skip.group(1).strip()
                name, said = (name, said) if name else (said, reasons.get(said, ""))
                cases.append(("skip", f"{program}: {name}", said or "no reason given"))
            else:
                kind = "pass" if case.group(1) == "ok" else "fail"
                cases.append((kind, f"{program}: {name or 'unnamed case'}", ""))
    return cases


def program_cases(entry):
    """All cases of one test program: its own count, and its end if that says more."""
    # meson: "project:suite+suite / test".
    name, result = entry["name"].split(" / ")[-1], entry["result"]
    stdout = entry.get("stdout") or ""
    ended = f"{name} ({result.lower()}, status {entry.get('returncode')})"
    plan = PLAN.search(stdout)
    if not plan:
        if result == "SKIP":
            # The reason is the last thing said; meson keeps the two streams apart.
            return [("skip", name, last_line(stdout + "\n" + (entry.get("stderr") or "")))]
        return [("pass", name, "")] if result in GOOD else [("fail", ended, "")]
    cases = tap_cases(name, stdout)
    failed = any(kind == "fail" for kind, _, _ in cases)
    if len(cases) < int(plan.group(1)):
        cases.append(("fail", f"{ended}: only {len(cases)} of {plan.group(1)} cases ran", ""))
    elif not cases:
        cases.append(("skip" if result == "SKIP" else "fail", ended, last_line(stdout)))
    elif not failed and (entry.get("returncode") or result in ("ERROR", "TIMEOUT", "INTERRUPT")):
        cases.append(("fail", ended, ""))
    return cases


def show(entry):
    """What a failed TAP program said: meson reads it and shows only its own view of it."""
    print(f"---- output of {entry['name']}:", file=sys.stderr)
    for line in (entry.get("stdout") or "").splitlines():
        if not line.startswith("ok "):
            print(f"     {line}", file=sys.stderr)


def main(path, prefix):
    try:
        with open(path, encoding="utf-8") as stream:
            entries = [json.loads(line) for line in stream if line.strip()]
    except OSError:
        entries = []
    if not entries:
        print(f"fail\t{prefix}: no test ran")
    for entry in entries:
        cases = program_cases(entry)
        if PLAN.search(entry.get("stdout") or "") and any(case[0] == "fail" for case in cases):
            show(entry)
        for kind, name, reason in cases:
            name = re.sub(r"\s+", " ", f"{prefix}: {name}")
            print("\t".join([kind, name] + ([reason] if kind == "skip" else [])))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: testlog.py TESTLOG.JSON PREFIX")
    main(sys.argv[1], sys.argv[2])
