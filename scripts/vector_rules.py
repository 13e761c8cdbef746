#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is every rule of conform/RULES.md cited by a vector, and every cited rule there?

Rules that no program can observe are listed, with the reason, in conform/FORMAT.md under "Rules
without a vector". Also: are the vectors as conform/generate.py writes them? Called by test.sh.
Exit status: 0 all kept, 1 a rule is broken, 2 cannot look.
"""

import json
import os
import re
import subprocess
import sys

import tree

RULES = "conform/RULES.md"
FORMAT = "conform/FORMAT.md"
FOLDER = "conform/vectors"
LEAST = 250

NUMBER = r"\d+(?:\.\d+)+[a-d]?|16\.[a-z0-9_]+"


def stated_rules():
    """All rule numbers, in the order of the text."""
    rules = []
    for line in tree.read(RULES).split("\n"):
        match = re.match(r"\| ((?:" + NUMBER + r")(?: (?:" + NUMBER + r"))*) \|", line) \
            or re.match(r"\* (\d+\.\d+) ", line) or re.match(r"(\d+\.\d+) [A-Z]", line) \
            or re.match(r"### (\d+\.\d+) ", line)
        if match:
            rules += match.group(1).split()
    # A heading of several rules is no rule itself.
    return [rule for rule in rules if not any(other.startswith(rule + ".") for other in rules)]


def excused_rules():
    text = tree.read(FORMAT)
    part = re.search(r"^## Rules without a vector\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return re.findall(r"^\| (" + NUMBER + r") \|", part.group(1), re.M) if part else []


def vectors():
    for name in sorted(os.listdir(os.path.join(tree.ROOT, FOLDER))):
        if name.endswith(".json"):
            for vector in json.loads(tree.read(f"{FOLDER}/{name}"))["vectors"]:
                yield name, vector


def main():
    report = tree.Report()
    rules, excused, cited, names = stated_rules(), excused_rules(), {}, []
    for name, vector in vectors():
        names.append(vector["name"])
        for rule in vector["rules"]:
            cited.setdefault(rule, []).append(f"{name}: {vector['name']}")
    report.rule(f"there are rules in {RULES}",
                [] if len(rules) > 150 else [f"{RULES}: only {len(rules)} rules found"])
    report.rule("every rule is cited by a vector",
                [f"{RULES}: no vector cites {rule}" for rule in rules
                 if rule not in cited and rule not in excused])
    report.rule("every cited rule exists",
                [f"{where[0]} cites {rule}, which is not in {RULES}"
                 for rule, where in cited.items() if rule not in rules])
    report.rule("only rules without a vector are excused",
                [f"{FORMAT}: {rule} is excused but " +
                 ("cited by " + cited[rule][0] if rule in cited else f"not in {RULES}")
                 for rule in excused if rule in cited or rule not in rules])
    report.rule(f"{LEAST} vectors at least, each with a name of its own",
                ([f"{FOLDER}: only {len(names)} vectors"] if len(names) < LEAST else [])
                + [f"{FOLDER}: two vectors are called {name}"
                   for name in sorted({n for n in names if names.count(n) > 1})])
    done = subprocess.run([os.path.join(tree.ROOT, "conform/generate.py"), "--check"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    report.rule("the vectors are those of conform/source",
                done.stdout.splitlines() if done.returncode else [])
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, KeyError) as error:
        print(f"vector_rules: {error}", file=sys.stderr)
        sys.exit(2)
