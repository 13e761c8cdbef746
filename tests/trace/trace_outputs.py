#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What docs/trace.md shows of `rqpi trace` on inversion_program, for scripts/doc_output.py.

$RQPI_TOOL is the command, $INVERSION_PROGRAM the program. So that runs can be compared, threads and
CPUs get the same numbers each time; times are rounded to 5 ms, or below that to 1 ms, and what took
less than half of one is left out, as are futexes of which nothing is known. A run that something
else disturbed, longer than its work, is made again. Exit status 77: no SCHED_FIFO here, no events
of the kernel or no preload.
"""

import os
import re
import subprocess
import sys

SECONDS = 20
TRIES = 5
BOTH = "kernel events and the preload's probes"
UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1, "s": 1e3}
TIME = re.compile(r"\b([\d.]+) (ns|us|ms|s)\b")


def milliseconds(match):
    return float(match.group(1)) * UNITS[match.group(2)]


def rounded(match):
    ms = milliseconds(match)
    return f"{5 * round(ms / 5) if ms >= 5 else round(ms)} ms"


def is_short(text):
    found = TIME.search(text)
    return found is not None and milliseconds(found) < 0.5


def plain(line):
    line = re.sub(r", slept [\d.]+ \w+", lambda m: "" if is_short(m.group(0)) else m.group(0), line)
    line = re.sub(r"(\(pid \d+\)), [\d.]+ m?s,", r"\1,", line)
    line = re.sub(r"\+0x[0-9a-f]+", "", line)
    line = re.sub(r"\bCPU \d+", "CPU 1", line)
    return TIME.sub(rounded, line)


def is_calm(report):
    """HIGH waited for LOW's millisecond, and HOG's twenty or not, and hardly longer."""
    waited = re.search(r"^MUTEX the_lock.*\n.*longest ([\d.]+ \w+)", report, re.M)
    ms = milliseconds(TIME.match(waited.group(1))) if waited else 0
    return 0.5 <= ms < 1.5 or 17.5 <= ms < 22.5


def skip(why):
    print(why)
    sys.exit(77)


def renumber(text):
    """The main thread gets 4100, the others follow in the order of their names."""
    pid = re.search(r"\(pid (\d+)\)", text).group(1)
    others = sorted({(name, tid) for name, tid in re.findall(r"\b([A-Z]+)\[(\d+)\]", text)})
    for number, tid in enumerate([pid, *(tid for _, tid in others)], 4100):
        text = re.sub(rf"(\[|\(pid ){tid}\b", rf"\g<1>{number}", text)
    return text


def main(scenes):
    for name in ("RQPI_TOOL", "INVERSION_PROGRAM"):
        if name not in os.environ:
            sys.exit(f"trace_outputs: {name} is not set")
    folder, program = os.path.split(os.environ["INVERSION_PROGRAM"])
    tool = os.path.abspath(os.environ["RQPI_TOOL"])
    for scene in scenes:
        command = ["trace", "-o", "/dev/null", "--", f"./{program}", scene, "20"]
        for _ in range(TRIES):
            done = subprocess.run([tool, *command], cwd=folder or ".", stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=SECONDS)
            if is_calm(done.stdout):
                break
        if BOTH not in done.stdout:
            skip("no right to trace here: " + (done.stderr + done.stdout)[:300].replace("\n", " "))
        if "exit status 77" in done.stdout:
            skip("no right to SCHED_FIFO here")
        print(f"$ rqpi trace -- ./{program} {scene} 20")
        whole = False
        for line in renumber(done.stdout).splitlines():
            if not line.startswith(" "):
                whole = not re.match(r"FUTEX|BOOSTS|and ", line) or "boosted LOW[" in line
            # A thread of somebody else's, and what LOW did when the test let it go.
            detail = line.startswith("   ") and is_short(line) or " itself, " in line
            if whole and not detail:
                print(plain(line))
        print()


if __name__ == "__main__":
    main(sys.argv[1:] or ["normal", "inherit"])
