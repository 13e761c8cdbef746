#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is what the documentation shows what the program prints?

doc_output.py [--update] DOCUMENT PROGRAM [STATUS]: runs PROGRAM, which must end with STATUS (0 if
not said). A fenced block of DOCUMENT right after a line <!-- output of NAME -->, NAME being that of
PROGRAM without its folder, must be the paragraph of the output that begins with the same line: up
to the next empty line. There must be at least one. --update writes the paragraphs into DOCUMENT
instead. Exit status: 0 all of them are the same, 1 one is not, 2 cannot look; 77 if PROGRAM
cannot run here and says so with 77.
"""

import difflib
import os
import subprocess
import sys

SECONDS = 60


def blocks_of(lines, name):
    """Yield (first, end) of each block that is marked as output of @name, without its fences."""
    marker = f"<!-- output of {name} -->"
    for number, line in enumerate(lines):
        if line.strip() != marker:
            continue
        if number + 2 >= len(lines) or not lines[number + 1].startswith("```"):
            raise ValueError(f"line {number + 1}: no block after the marker")
        yield number + 2, lines.index("```", number + 2)


def paragraph(output, first_line):
    """The lines of the output from @first_line to the next empty one. None: there are none."""
    if not first_line or first_line not in output:
        return None
    start = output.index(first_line)
    return output[start:output.index("", start)]


def run(program, wanted):
    """Its output, with an empty line at the end. None: it ended otherwise."""
    done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=SECONDS)
    if done.returncode == 77:
        print(done.stdout, end="")
        sys.exit(77)
    if done.returncode != wanted:
        print(done.stdout, end="")
        print(f"{program} ended with status {done.returncode}, not {wanted}")
        return None
    return done.stdout.rstrip("\n").split("\n") + [""]


def main(args):
    update = args[:1] == ["--update"]
    args = args[1:] if update else args
    if len(args) not in (2, 3):
        raise ValueError("usage: doc_output.py [--update] DOCUMENT PROGRAM [STATUS]")
    path, program = args[:2]
    name = os.path.basename(program)
    output = run(program, int(args[2]) if len(args) == 3 else 0)
    if output is None:
        return 1
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().split("\n")
    found = bad = 0
    for start, end in reversed(list(blocks_of(lines, name))):
        found += 1
        block = lines[start:end]
        printed = paragraph(output, block[0] if block else "")
        if printed is None:
            print(f"{path}:{start + 1}: {name} prints no paragraph that begins so")
            bad += 1
        elif printed != block and update:
            lines[start:end] = printed
        elif printed != block:
            print(f"{path}:{start + 1}: {name} prints something else")
            print("\n".join(difflib.unified_diff(block, printed, "documented", "printed",
                                                 lineterm="")))
            bad += 1
    if update:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines))
    print(f"{path}: {found} blocks of output of {name}, {bad} of them wrong")
    return 1 if bad or not found else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"doc_output: {error}", file=sys.stderr)
        sys.exit(2)
