#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the documentation name what is there?

docs/posix.md: every `program:case` is a case that a test program registers; every `file.c` with
the functions named after it in a table is there; every public function that follows POSIX has
a section. Says "ok - RULE" or "not ok - RULE" for each, as tidy.py does; exit status 0, 1
something is missing, 2 cannot look. The manual pages are symbols.py's.
"""

import os
import re
import sys

import tree

DOCUMENT = "docs/posix.md"
MAP = "src/user/librqpi.map"
SOURCES = "src/user/"  # where the document looks for a file that it names without a folder
REGISTERED = re.compile(r"\b(?:[A-Z_]*CASE|cmocka_unit_test\w*)\(\s*(\w+)")
NAMED = re.compile(r"`(t_\w+):(\w*)`")
# Ours alone: not POSIX's business.
EXTENSIONS = {"rqpi_caps", "rqpi_strerror", "rqpi_version", "rqpi_get_cond_stats",
              "rqpi_mutex_owner"}


def registered_cases():
    """{program: set of the cases that it runs}"""
    cases = {}
    for name in tree.files():
        program, suffix = os.path.splitext(os.path.basename(name))
        if name.startswith("tests/") and program.startswith("t_") and suffix == ".c":
            found = set(REGISTERED.findall(tree.strip_c(tree.read(name))))
            cases.setdefault(program, set()).update(found)
    return cases


def missing_tests(text):
    cases = registered_cases()
    named = sorted(set(NAMED.findall(text)))
    if not named:
        return [f"{DOCUMENT}: names no test at all"]
    return [f"{DOCUMENT}: {program}:{case}: no such case" for program, case in named
            if case not in cases.get(program, ())]


def missing_sources(text):
    """In the column HOW, `file.c` is followed by names that occur in it."""
    findings = []
    for number, line in enumerate(text.split("\n"), 1):
        cells = line.split(" | ")
        if not line.startswith("| ") or len(cells) < 3:
            continue
        source = ""
        for word in re.findall(r"`([^`]+)`", cells[1]):
            if re.fullmatch(r"[\w/]+\.[ch]", word):
                path = word if "/" in word else SOURCES + word
                try:
                    source = tree.read(path)
                except FileNotFoundError:
                    findings.append(f"{DOCUMENT}:{number}: {path}: no such file")
            elif source and re.fullmatch(r"[a-z]\w+", word) and not re.search(
                    rf"\b{word}\b", source):
                findings.append(f"{DOCUMENT}:{number}: {word}: not in the file named before it")
    return findings


def exported(name=MAP):
    text = re.sub(r"#[^\n]*", "", tree.read(name))
    return sorted(set(re.findall(r"\b(rqpi_\w+);", text)))


def missing_sections(text):
    headings = " ".join(line for line in text.split("\n") if line.startswith("#"))
    named = set(re.findall(r"\brqpi_\w+", headings))
    return ([f"{DOCUMENT}: no section for {name}"
             for name in exported() if name not in named | EXTENSIONS]
            + [f"{DOCUMENT}: a section for {name}, which is not exported"
               for name in sorted(named) if name not in exported()])


def main():
    text = tree.read(DOCUMENT)
    report = tree.Report()
    report.rule(f"{DOCUMENT} names tests that there are", missing_tests(text))
    report.rule(f"{DOCUMENT} names files and functions that there are", missing_sources(text))
    report.rule(f"{DOCUMENT} has every function", missing_sections(text))
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        print(f"posix_doc: {error}", file=sys.stderr)
        sys.exit(2)
