# SPDX-License-Identifier: MIT
"""Programs that measure or load the scheduler: rt-tests and stress-ng. Real-time threads, so each
is told how long it may work. Table at the end; used by scripts/programs.py."""

import json
import os
import re
import shutil

from case import Cannot

SECONDS = 4


def need_realtime():
    """The right to SCHED_FIFO; asked for in a child, since this process shall not have it."""
    child = os.fork()
    if child == 0:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        raise Cannot("no right to SCHED_FIFO")


def final_report(place, name, argv, env=None):
    """Exit status, and the JSON that programs of rt-tests write at the end."""
    need_realtime()
    report = place.path(name + ".json")
    status, _ = place.run(name, argv + [f"--json={report}"], env=env)
    place.check("exit status 0", status == 0)
    try:
        with open(report, encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError):
        place.check("final report", False)
        return {}


def pi_stress(place):
    report = final_report(place, "pi_stress", ["pi_stress", "-q", "-g", "1", "-D", str(SECONDS)])
    inversions = report.get("inversion", 0)
    place.check(f"{inversions} inversions, all resolved", inversions > 1000)
    place.check("no deadlock noticed", "deadlock" not in place.said("pi_stress.out").lower())
    place.measured(inversions / SECONDS, "inversions/s")


def pairs(name):
    """A program in which two pairs of threads wake each other."""
    def run(place):
        # svsematest makes its key of the file that the shell calls "_".
        report = final_report(place, name, [name, "-t", "2", "-p", "50", "-i", "500", "-D",
                                            str(SECONDS)], env={"_": shutil.which(name)})
        both = list(report.get("thread", {}).values())
        cycles = [pair["sender"]["samples"] for pair in both]
        place.check("cycles of two pairs: " + ", ".join(map(str, cycles)),
                    len(cycles) == 2 and min(cycles) > 500)
        if both:
            place.measured(sum(p["receiver"]["avg"] for p in both) / len(both), "us latency")
    return run


def cyclictest(place):
    report = final_report(place, "cyclictest", ["cyclictest", "-q", "-t", "2", "-p", "80",
                                                "-i", "1000", "-l", "3000"])
    threads = list(report.get("thread", {}).values())
    cycles = [thread["cycles"] for thread in threads]
    place.check("cycles: " + ", ".join(map(str, cycles)), len(cycles) == 2 and cycles[0] >= 3000)
    if threads:
        place.measured(sum(t["avg"] for t in threads) / len(threads), "us latency")


def stress_ng(stressor, options):
    def run(place):
        status, _ = place.run("stress-ng", ["stress-ng", f"--{stressor}", "2", *options, "-t",
                                            str(SECONDS), "--metrics-brief", "--temp-path",
                                            place.folder])
        said = place.said("stress-ng.out") + place.said("stress-ng.err")
        line = re.search(rf"\b{stressor} +(\d+) +([\d.]+) +[\d.]+ +[\d.]+ +([\d.]+)", said)
        place.check("exit status 0", status == 0)
        place.check("it calls the run successful", re.search(r"(?<!un)successful run", said))
        place.check("operations: " + (line.group(1) if line else "none"),
                    line and int(line.group(1)) > 0)
        if line:
            place.measured(line.group(3), "operations/s")
    return run


# name: (Debian package, what runs, limit in seconds, names of the running files, function)
TABLE = {
    "pi_stress": ("rt-tests", "three threads and a lock, inversion after inversion", 40,
                  ["pi_stress"], pi_stress),
    "ptsematest": ("rt-tests", "two pairs of threads, waking each other by mutexes", 30,
                   ["ptsematest"], pairs("ptsematest")),
    "svsematest": ("rt-tests", "the same by System V semaphores", 30,
                   ["svsematest"], pairs("svsematest")),
    "sigwaittest": ("rt-tests", "the same by signals", 30,
                    ["sigwaittest"], pairs("sigwaittest")),
    "cyclictest": ("rt-tests", "two threads that wake up by a timer", 30,
                   ["cyclictest"], cyclictest),
    "stress-ng-mutex": ("stress-ng", "mutex: threads of changing priority, one lock", 40,
                        ["stress-ng"], stress_ng("mutex", ["--mutex-procs", "4"])),
    "stress-ng-pthread": ("stress-ng", "pthread: threads made, held at a condvar, released", 40,
                          ["stress-ng"], stress_ng("pthread", ["--pthread-max", "32"])),
    "stress-ng-sem": ("stress-ng", "sem: POSIX semaphores", 40,
                      ["stress-ng"], stress_ng("sem", [])),
}
