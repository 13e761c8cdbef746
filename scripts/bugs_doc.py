#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/bugs.md: every bug that can be planted into the checker, as a story with its shortest trace.

bugs_doc.py: has every mutant of sim/meson.build its story and its section? Says "ok - RULE" or
"not ok - RULE", as tidy.py does; exit status 0, 1 something is missing, 2 cannot look.

bugs_doc.py --update BUILD: writes docs/bugs.md. The stories stand in the heads of the patches,
below "Story:", where a bug is known from below "Source:"; the traces are what the programs of BUILD
print. A bug that BUILD has no program for is an error.
"""

import json
import os
import re
import subprocess
import sys
import textwrap

import tree

DOCUMENT = "docs/bugs.md"
MESON = "sim/meson.build"
MODES = ("bfs", "up", "random")  # as `rqpi check --mutants` tries them
SECONDS = 60
INNER = ("invariant", "left behind")  # oracles that look into the engine
INNER_SECONDS = 20
TRACE_LINES = 22  # at most, of a trace: what comes before is left out
MUTANT = re.compile(r"^  '(\w+)': \['((?:engine|user|sys)/[^']+)'(?:, '([^']*/[^']*)')?", re.M)
FIELD = re.compile(r"^(\w+): *((?:.*\n)(?: .*\n)*)", re.M)
ORDER = re.compile(r"^\w+ +(\w+) [\d,]+ (?:states|executions)", re.M)  # as it was really visited
ORDERS = {"bfs": "breadth first", "up": "on one CPU", "random": "by lot, made smaller"}
FOUND = re.compile(r"^VIOLATION in (\w+), (\d+) steps?: ([^:]+): (.*)$", re.M)
TRACE = re.compile(r"^ +(?:[a-z]-\d+ +\d{3} )? +\d+us : ")
AGAIN = re.compile(r"^  rqpi check .*--replay .*$", re.M)

HEAD = """# The bugs that can be planted

Each of these bugs can be built into the checker, and has to be found by it (docs/checker.md,
"Planted bugs"). Many of them are known from elsewhere; the others were made up to see whether a
rule is looked for at all. A story says what happens, then comes the end of the shortest path to it,
as the checker prints it: the task and its tid, its CPU, the time, which is the number of the step,
and what the function did. `X.rt` is the rt_mutex behind the futex word `X`.

This page is written by `scripts/bugs_doc.py --update build`, from the heads of the patches and the
output of the programs, here built with {compiler}. Another compiler may lead to another path.

"""


def mutants():
    """[(name, file that is broken, its patch)], as the build has them."""
    found = []
    for name, source, patch in MUTANT.findall(tree.read(MESON)):
        path = os.path.normpath(os.path.join("sim", f"{patch or 'mutants/' + name}.patch"))
        found.append((name, f"src/{source}", path))
    return found


def head_of(patch):
    """{field: text} of the lines before the patch itself."""
    head = re.split(r"^--- ", tree.read(patch), maxsplit=1, flags=re.M)[0]
    return {field: " ".join(text.split()) for field, text in FIELD.findall(head)}


def check():
    report = tree.Report()
    known = mutants()
    report.rule(f"{MESON} has mutants", [] if known else [f"{MESON}: none was found"])
    report.rule("every planted bug has its story",
                [f"{patch}: no Story: for {name}" for name, _, patch in known
                 if not head_of(patch).get("Story")])
    sections = set(re.findall(r"^## (\w+)$", tree.read(DOCUMENT), re.M))
    names = {name for name, _, _ in known}
    again = "scripts/bugs_doc.py --update writes it"
    report.rule(f"every planted bug has its section in {DOCUMENT}",
                [f"{DOCUMENT}: no section {name}; {again}" for name in sorted(names - sections)])
    report.rule(f"{DOCUMENT} has no other sections",
                [f"{DOCUMENT}: {name} is no planted bug; {again}"
                 for name in sorted(sections - names)])
    return 1 if report.failed else 0


def run(program, mode, seconds, *options):
    """What it says of its scenario, and the violation in it or None."""
    done = subprocess.run(
        [program, "--suite=mutant", f"--mode={mode}", "--executions=0", f"--seconds={seconds}",
         *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=20 * seconds)
    # An assertion names its file as the compiler was given it.
    said = re.sub(r"(?<!\S)(?:\.\.?/|/)\S*?(?=src/)", "", done.stdout)
    return said, FOUND.search(said) if done.returncode == 1 else None


def play(program):
    """What the program of a mutant says when it has found its bug."""
    for mode in MODES:
        output, found = run(program, mode, SECONDS)
        if found:
            return found, output
    raise ValueError(f"{program}: has not found its bug")


def seen_by_a_program(program, oracle):
    """What the path shows that goes on behind what only the engine can see of itself."""
    if oracle not in INNER:
        return []
    found = run(program, "bfs", INNER_SECONDS, "--end-to-end")[1]
    if not found or found.group(3) in INNER:
        return ["The program of this scenario does not see it."]
    steps, by = found.group(2), found.group(3)
    return [f"The program sees it in {steps} steps (`--end-to-end`), by `{by}`."]


def trace_of(output):
    lines = [line.rstrip() for line in output.split("\n") if TRACE.match(line)]
    left = len(lines) - TRACE_LINES
    if left > 1:
        lines = [f"       ... {left} lines"] + lines[left:]
    return [re.sub(r"^  ", "", line) for line in lines]


def sentence(text):
    return text if text.endswith(".") else text + "."


def story_of(head):
    """A story that goes on from what is broken follows it."""
    story = head["Story"]
    if story[0].islower() and "Breaks" in head:
        story = f"{head['Breaks'].rstrip('.')}: {story}"
    return story[0].upper() + story[1:]


def wrap(text):
    return textwrap.wrap(text, 110, break_long_words=False, break_on_hyphens=False)


def section(name, source, patch, program):
    found, output = play(program)
    head = head_of(patch)
    scenario, steps, oracle, text = found.groups()
    order = ORDERS[ORDER.search(output).group(1)]
    known = head.get("Source", "")
    what = [f"Known from: {sentence(known)}" if known else "Made up for the purpose.",
            f"Broken is `{source}` ([the patch](../{patch})).",
            f"Found in `{scenario}`, {order}, in {steps} steps, by `{oracle}`.",
            *seen_by_a_program(program, oracle)]
    ending = re.search(r"^" + re.escape(oracle) + r": .*$", output, re.M)
    last = ending.group(0) if ending else f"{oracle}: {text}"
    lines = [f"## {name}", "", *wrap(story_of(head)), "",
             *wrap(" ".join(what)), "", "```", *trace_of(output),
             *textwrap.wrap(last, 110, subsequent_indent="  "), "```", "",
             f"  {AGAIN.search(output).group(0)}", ""]
    row = f"| [{name}](#{name}) | {known or 'made up'} | `{scenario}` | {steps} | {oracle} |"
    return row, lines


def compiler_of(build):
    """"gcc 12.2.0", of whatever has built the first file."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as stream:
        command = json.load(stream)[0]["command"].split()
    compiler = command[1] if os.path.basename(command[0]) == "ccache" else command[0]
    said = subprocess.run([compiler, "--version"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    name = "clang" if "clang" in said else "gcc"
    return f"{name} {re.search(r'[0-9]+[.][0-9]+[.][0-9]+', said).group(0)}"


def update(build):
    rows, sections, lost = [], [], []
    head = HEAD.format(compiler=compiler_of(build))
    for name, source, patch in mutants():
        program = os.path.join(build, "sim", f"rqpi-check-{name}")
        try:
            row, lines = section(name, source, patch, program)
        except ValueError as error:
            lost.append(str(error))
            continue
        rows.append(row)
        sections += lines
        print(f"{name}: {row.split('|')[-3].strip()} steps", flush=True)
    if lost:
        raise ValueError("\n".join(lost))
    table = ["| bug | known from | found in | steps | by |", "| --- | --- | --- | --- | --- |"]
    with open(os.path.join(tree.ROOT, DOCUMENT), "w", encoding="utf-8") as stream:
        stream.write(head)
        stream.write("\n".join([*table, *rows, "", *sections]).rstrip() + "\n")
    return 0


def main():
    if sys.argv[1:2] == ["--update"] and len(sys.argv) == 3:
        return update(sys.argv[2])
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    return check()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        print(f"bugs_doc: {error}", file=sys.stderr)
        sys.exit(2)
