#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The files of the source tree, and what several checks want to know of them.

As a program: tree.py KIND... prints the files of these kinds, one on a line: c, shell, python,
text or all.
Imported by layers.py and tidy.py.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files():
    """All files that belong to the tree, tracked or about to be, as sorted relative paths."""
    try:
        out = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        names = [os.fsdecode(name) for name in out.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = walk()  # no git, or a release that is no repository
    return sorted(n for n in set(names) if os.path.isfile(os.path.join(ROOT, n)))


def walk():
    names = []
    for top, folders, leaves in os.walk(ROOT):
        at_root = top == ROOT
        folders[:] = [f for f in folders if f not in (".git", ".cache", "__pycache__")
                      and not (at_root and f.startswith("build"))]
        names += [os.path.relpath(os.path.join(top, leaf), ROOT) for leaf in leaves]
    return names


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as stream:
        return stream.read()


def is_c(name):
    """C and C++."""
    return name.endswith((".c", ".h", ".cc", ".hpp"))


def first_line(name):
    with open(os.path.join(ROOT, name), "rb") as stream:
        return stream.readline(200).decode("utf-8", "replace")


def is_shell(name):
    if "." in os.path.basename(name):
        return name.endswith((".sh", ".bash"))
    return re.match(r"#!.*\b(ba|da|k)?sh\b", first_line(name)) is not None


def is_python(name):
    return name.endswith(".py") or ("." not in os.path.basename(name)
                                    and first_line(name).startswith("#!")
                                    and "python" in first_line(name))


def is_text(name):
    """Not binary: no NUL byte at its beginning."""
    with open(os.path.join(ROOT, name), "rb") as stream:
        return b"\0" not in stream.read(8192)


def strip_c(text, strings=True):
    """C without comments and the inside of @strings; the lines stay where they were."""
    pattern = re.compile(
        r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] * 2 if strings else found
        return "\n" * found.count("\n") or " "

    return pattern.sub(blank, text)


class Report:
    """Results of named rules, in the manner of TAP; test.sh counts the lines."""

    def __init__(self):
        self.failed = False

    def rule(self, name, findings):
        print(f"{'not ok' if findings else 'ok'} - {name}")
        for finding in findings:
            print(f"    {finding}")
        self.failed = self.failed or bool(findings)


KINDS = {"c": is_c, "shell": is_shell, "python": is_python, "text": is_text,
         "all": lambda name: True}

if __name__ == "__main__":
    for kind in sys.argv[1:]:
        if kind not in KINDS:
            sys.exit(f"tree.py: unknown kind '{kind}' ({', '.join(KINDS)})")
    for path in files():
        if any(KINDS[kind](path) for kind in sys.argv[1:]):
            print(path)
