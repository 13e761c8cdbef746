#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/kernels.md"""
import re
SUMMARY = "summary.json"
VECTORS = re.compile(r"^(\d+) vectors: (\d+) agree, (\d+) differ, (\d+) skipped$", re.M)


def conform_cases(name, status, output):
    """Each vector that does not simply agree is a case; the others are one each without a name."""
    cases = []
    found = VECTORS.search(output)
    differ = re.findall(r"^DIFFERS +(.+? on \w+):? ?", output, re.M)
    cases += [("fail", f"{name}: {what}", "") for what in differ]
    cases += [("skip", f"{name}: {what}", why) for what, why in
              re.findall(r"^skipped +(\S+ on \w+): (.*)$", output, re.M)]
    if found:
        cases += [("pass", f"{name}: agrees {i + 1}", "") for i in range(int(found.group(2)))]
    if status and not differ:
        cases.append(("fail", f"{name}: ended with status {status}", ""))
    elif not status and not found:
        cases.append(("pass", name, ""))
    return cases
