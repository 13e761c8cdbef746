#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is what the documentation shows what the program prints?

doc_output.py DOCUMENT PROGRAM [STATUS]: runs PROGRAM, which must end with STATUS (0 if not said). A
fenced block of DOCUMENT that comes right after a line <!-- output of NAME -->, NAME being that of
PROGRAM without its folder, must be in the output, line by line and without a gap. There must be
at least one. Exit status: 0 all of them are, 1 one is not, 2 cannot look.
"""

import difflib
import os
import subprocess
import sys

SECONDS = 60


def blocks_of(path, name):
    """Yield (line, lines) of each block that is marked as output of @name."""
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().split("\n")
    marker = f"<!-- output of {name} -->"
    for number, line in enumerate(lines):
        if line.strip() != marker:
            continue
        if number + 1 >= len(lines) or not lines[number + 1].startswith("```"):
            yield number + 1, None
            continue
        end = lines.index("```", number + 2)
        yield number + 1, lines[number + 2:end]


def find(block, output):
    return any(output[at:at + len(block)] == block
               for at in range(len(output) - len(block) + 1))


def explain(block, output):
    """The block beside what the program prints from the block's first line on."""
    at = output.index(block[0]) if block[0] in output else 0
    return difflib.unified_diff(block, output[at:at + len(block)], "documented", "printed",
                                lineterm="")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: doc_output.py DOCUMENT PROGRAM [STATUS]")
    path, program = sys.argv[1:3]
    wanted = int(sys.argv[3]) if len(sys.argv) == 4 else 0
    name = os.path.basename(program)
    done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=SECONDS)
    if done.returncode == 77:
        print(done.stdout, end="")
        return 77
    if done.returncode != wanted:
        print(done.stdout, end="")
        print(f"{name} ended with status {done.returncode}, not {wanted}")
        return 1
    output = done.stdout.split("\n")
    found = bad = 0
    for line, block in blocks_of(path, name):
        found += 1
        if not block:
            print(f"{path}:{line}: no block after the marker")
            bad += 1
        elif not find(block, output):
            print(f"{path}:{line}: {name} prints something else")
            print("\n".join(explain(block, output)))
            bad += 1
    if not found:
        print(f"{path}: shows no output of {name}")
    else:
        print(f"{path}: {found} blocks of output of {name}, {bad} of them wrong")
    return 1 if bad or not found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"doc_output: {error}", file=sys.stderr)
        sys.exit(2)
