#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The scripts of packaging/bpftrace on a program that says what it did: do they tell the same?

t_bpftrace.py PROGRAM SCRIPT-DIR. Output: TAP. Needs bpftrace, the right to use it and a kernel with
BTF; what is missing is said in the skip.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SECONDS = 60
# The last probe to be attached: the others are in place.
READY = """
interval:ms:50
/@ready == 0/
{
	@ready = 1;
	printf("READY\\n");
}
"""


class Skip(Exception):
    """The case cannot run here."""


def need_bpftrace():
    if not shutil.which("bpftrace"):
        raise Skip("no bpftrace")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        raise Skip("the kernel has no BTF")


def why_not():
    """Why not even the smallest script runs; None: it does."""
    try:
        done = subprocess.run(["bpftrace", "-e", "BEGIN { exit(); }"], timeout=SECONDS, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
    except subprocess.TimeoutExpired:
        return "bpftrace does not end"
    return None if done.returncode == 0 else "bpftrace: " + done.stdout.strip().split("\n")[-1]


def need_tracefs():
    if not os.path.exists("/sys/kernel/tracing/events/sched"):
        raise Skip("tracefs is not mounted at /sys/kernel/tracing")


def run(program, mode, script):
    """What the program, and what the script says."""
    with tempfile.NamedTemporaryFile("w", suffix=".bt") as copy, \
            subprocess.Popen([program, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True) as child:
        with open(script, encoding="utf-8") as stream:
            copy.write(stream.read() + READY)
        copy.flush()
        with subprocess.Popen(["timeout", "-s", "INT", str(SECONDS), "bpftrace", "-p",
                               str(child.pid), copy.name], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              text=True) as tracer:
            said = ""
            for line in tracer.stdout:
                said += line
                if line == "READY\n":
                    break
            out = child.communicate("go\n")[0]
            said += tracer.stdout.read()
    if child.returncode == 77:
        raise Skip("no right to SCHED_FIFO")
    reason = why_not() if "READY\n" not in said else None
    if reason:
        raise Skip(reason)
    if child.returncode != 0 or "READY\n" not in said:
        raise AssertionError(f"status {child.returncode}: {out}\n{said}")
    return out, said


def value(said, name, *keys):
    """Of one line `@name[key, key]: value`; a key may be a symbol's name or its address."""
    wanted = ", ".join("(?:" + "|".join(map(re.escape, key)) + ")" for key in keys)
    found = re.search(rf"^@{name}\[{wanted}\]: (\d+)$", said, re.M)
    return int(found.group(1)) if found else None


def expect(said, number, name, *keys):
    found = value(said, name, *keys)
    if found != number:
        raise AssertionError(f"@{name}{list(keys)} is {found}, not {number}\n{said}")


def waits_are_counted(program, scripts):
    out, said = run(program, "waits", os.path.join(scripts, "rqpi-waits.bt"))
    lock = re.search(r"the_lock (\S+) locks (\d+)", out)
    cond = re.search(r"the_cond (\S+) signals (\d+) broadcasts (\d+) released (\d+) timeouts (\d+)",
                     out)
    mutex = ("the_lock", lock.group(1))
    condvar = ("the_cond", cond.group(1))
    signals, broadcasts, released, timeouts = map(int, cond.groups()[1:])
    expect(said, int(lock.group(2)), "locks", mutex, ("locker",))
    expect(said, signals, "signals", condvar)
    expect(said, broadcasts, "broadcasts", condvar)
    expect(said, released, "released", condvar)
    expect(said, released, "cond_ends", condvar, ("handed over",))
    expect(said, timeouts, "cond_ends", condvar, ("timed out",))
    if not re.search(r"^mutex \S+: locker\[\d+\] waited \d+ us for probes_program\[\d+\]$", said,
                     re.M):
        raise AssertionError("the longest wait is not told by name\n" + said)


def only_an_owner_that_sleeps_is_told(program, scripts):
    need_tracefs()
    _, said = run(program, "inversion", os.path.join(scripts, "rqpi-inversion.bt"))
    if "eager" in said or "idler" in said:
        raise AssertionError("an owner inherits and runs, and it is told\n" + said)
    if not re.search(r"high\[\d+\] \(69\).*\bmiddle\[\d+\] \(79\)$", said, re.M):
        raise AssertionError("nothing is said of high, which waits while middle runs\n" + said)


CASES = [waits_are_counted, only_an_owner_that_sleeps_is_told]


def main(program, scripts):
    failed = False
    print(f"1..{len(CASES)}")
    for number, case in enumerate(CASES, 1):
        try:
            need_bpftrace()
            case(program, scripts)
            print(f"ok {number} - {case.__name__}")
        except Skip as skip:
            print(f"ok {number} - {case.__name__} # SKIP {skip}")
        except AssertionError as error:
            failed = True
            print(f"not ok {number} - {case.__name__}")
            print("".join(f"# {line}\n" for line in str(error).split("\n")), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
