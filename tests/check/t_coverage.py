#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does scripts/coverage.py see what was reached, and complain of what it has to complain of?

t_coverage.py SOURCE-ROOT: compiles a small program of its own with gcov's counters. Output: TAP.
Exit status: 0 all passed, 1 a case failed; 77 there is no gcc and gcov.
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(sys.argv[1], "scripts"))
import coverage  # noqa: E402  it is found there

HEADER = """static inline int sign(int n)
{
	if (n < 0)
		return -1;
	return n ? 1 : 0;
}
int other(int n);
"""
OTHER = """#include "h.h"
int other(int n)
{
	return sign(n);
}
"""
MAIN = """#include "h.h"
#define rqk_assert(cond) do { if (!(cond)) __builtin_trap(); } while (0)
static int never(void)
{
	return 1;
}
int main(int argc, char **argv)
{
	(void)argv;
	rqk_assert(argc);
	if (argc > 5)
		return never();
	return sign(-argc) + other(argc) + other(argc - 1);
}
"""
REASONS = """# told
src/engine/main.c never: nobody calls it
	line static int never(void)
	line return 1;
src/engine/main.c main: never so many
	line return never();
	1/2 if (argc > 5)
"""

number = 0
bad = 0


def ok(holds, text, more=""):
    global number, bad
    number += 1
    print(f"{'ok' if holds else 'not ok'} {number} - {text}")
    if not holds:
        bad += 1
        print(f"# {more}")


def refuses(text):
    try:
        coverage.read_reasons(text)
    except coverage.Failure:
        return True
    return False


def compile_and_run(root):
    """The counters of the program above, whose tree is @root."""
    folder = os.path.join(root, "src/engine")
    build = os.path.join(root, "build")
    os.makedirs(folder)
    os.makedirs(build)
    for name, text in (("h.h", HEADER), ("other.c", OTHER), ("main.c", MAIN)):
        with open(os.path.join(folder, name), "w", encoding="ascii") as stream:
            stream.write(text)
    for name in ("other", "main"):
        subprocess.run(["gcc", "-O0", "-g", "--coverage", "-c", f"../src/engine/{name}.c"],
                       cwd=build, check=True)
    subprocess.run(["gcc", "--coverage", "-o", "program", "main.o", "other.o"], cwd=build,
                   check=True)
    place = os.path.join(root, "place")
    subprocess.run(["./program"], cwd=build, env=dict(os.environ, GCOV_PREFIX=place))
    coverage.tree.ROOT = root
    counts = coverage.read_counters(build, place)
    return [coverage.Source(path, counts[path], coverage.tree.read) for path in sorted(counts)]


def check_lines(sources):
    by_name = {os.path.basename(s.path): s for s in sources}
    header, main = by_name["h.h"], by_name["main.c"]
    ok((header.lines, header.lines_reached) == (4, 4),
       "an inline function of two objects is one", (header.lines, header.lines_reached))
    ok((header.branches, header.branches_reached) == (2, 2),
       "its branches are reached in one object or the other", header.unreached)
    ok(main.lines - main.lines_reached == 3, "lines that were not reached", main.unreached)
    ok((main.branches, main.branches_reached) == (2, 1),
       "the branches of an assertion do not count", (main.branches, main.branches_reached))
    places, _ = coverage.read_reasons(REASONS)
    group = ("engine", sources, 0, places)
    ok(coverage.check_group(*group) == [], "all that was not reached has a reason",
       coverage.check_group(*group))
    ok(len(coverage.check_group("engine", sources, 95, places)) == 1,
       "a share of branches that is too small is a finding")
    fewer = {key: value for key, value in places.items() if key[1] != "main"}
    ok(len(coverage.check_group("engine", sources, 0, fewer)) == 2,
       "a line and a branch without a reason are findings")
    places[("src/engine/h.h", "sign")] = [("line", "return -1;")]
    ok(len(coverage.check_group("engine", sources, 0, places)) == 1,
       "a reason for what was reached is a finding")
    ok(coverage.check_group("user half", sources, None, {}) == [],
       "where reasons are not asked for, none is missing")


def check_reasons():
    ok(refuses("src/a.c f:\n\tline x\n"), "a reason must be given")
    ok(refuses("src/a.c f: because\n\tx\n"), "what was not reached must be said")
    ok(refuses("\tline x\n"), "and of which function")
    ok(coverage.read_reasons("WAKE EFAULT: because\n")[1] == {"WAKE EFAULT": "because"},
       "a result has a reason, too")


def check_results():
    rules = "## 16. Results\n\n| # | possible | never |\n|---|---|---|\n" \
        "| 16.wake 16.lock_pi | 0 EFAULT | EAGAIN |\n"
    documented = coverage.documented_results(rules)
    ok(documented == {"WAKE": {"0", "EFAULT"}, "LOCK_PI": {"0", "EFAULT"}},
       "the results that the rules list", documented)
    seen = {(op, result): [1, ["s"]] for op in ("WAKE", "LOCK_PI") for result in ("0", "EFAULT")}
    seen[("LOCK_PI", "ERESTARTNOINTR")] = [1, ["s"]]
    ok(coverage.check_results(seen, documented, {}) == [], "all of them were reached")
    ok(len(coverage.check_results(seen, documented, {"WAKE 0": "because"})) == 1,
       "a reason for a result that was reached is a finding")
    more = {**seen, ("WAKE", "EAGAIN"): [1, ["s"]]}
    ok(len(coverage.check_results(more, documented, {})) == 1,
       "a result that is not documented is a finding")
    del seen[("WAKE", "EFAULT")]
    ok(len(coverage.check_results(seen, documented, {})) == 1,
       "a result that was never reached is a finding")
    ok(coverage.check_results(seen, documented, {"WAKE EFAULT": "because"}) == [],
       "unless there is a reason")


def check_edges():
    taken = {("none", "done", "requeuer"): [3, True, ["s"]]}
    ok(coverage.check_edges(taken, {}) == [], "an edge of the table that was taken")
    ok(len(coverage.check_edges({}, {})) == 1, "no edges at all are a finding")
    ok(len(coverage.check_edges({("none", "done", "waiter"): [1, False, ["s"]]}, {})) == 1,
       "an edge that is not in the table is a finding")
    ok(len(coverage.check_edges({("none", "done", "requeuer"): [0, True, []]}, {})) == 1,
       "an edge that was never taken is a finding")


def main():
    if not shutil.which("gcc") or not shutil.which("gcov"):
        print("1..0 # SKIP there is no gcc and gcov")
        return 77
    root = tempfile.mkdtemp()
    try:
        check_lines(compile_and_run(root))
    finally:
        shutil.rmtree(root)
    check_reasons()
    check_results()
    check_edges()
    print(f"1..{number}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
