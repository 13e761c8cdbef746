#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run programs that nobody here wrote, without and with the preload under them.

programs.py list                  the programs, one on a line
programs.py run [PROGRAM...]      each in each mode; a table on stdout (--doc FILE: as document,
                                  --tap: as TAP, --json FILE: everything that was seen)
programs.py self-test LIBRARY     LIBRARY is a preload that drops signals: is that found out?

Modes: libc (no preload: the control), default (`rqpi run`), force-pi (`rqpi run --force-pi`). What
a program must have done is in tests/programs/, and exit status 0 is never enough. A run counts only
if the preload was seen at work in the program's processes (watch.py). A program that fails by
itself, in mode libc, says nothing about us: its other modes are skipped, with that reason.

Exit status: 0 all passed or skipped, 1 a program failed, 2 cannot run. Called by `make programs`,
and for `make check` by tests/programs/meson.build.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "programs"))

import case  # noqa: E402
import languages  # noqa: E402
import realtime  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
import watch  # noqa: E402

PROGRAMS = {**realtime.TABLE, **servers.TABLE, **languages.TABLE}
MODES = ["libc", "default", "force-pi"]
COND, MUTEX = "librqpi-preload.so", "librqpi-preload-mutex.so"

# Where threads must have been seen asleep in the kernel's requeue_pi: the proof that waits went
# our way. By default that needs a program that asks for PI mutexes; forced, real-time threads,
# since the others are woken before they lock (shim_cond.c).
MUST_REQUEUE = {"default": {"pulseaudio-sox"}, "force-pi": {"java-realtime"}}

# In these at least one mutex must have been made PI; the others have none, or not in time.
MUST_FORCE = {"pi_stress", "stress-ng-pthread", "stress-ng-mutex", "pulseaudio-paplay",
              "pulseaudio-sox", "postgresql", "chromium", "java-parallel", "java-g1",
              "java-realtime", "cpython"}

# What `rqpi run --force-pi` is told, and why.
FORCE_OPTIONS = {"ptsematest": (["--except=ptsematest"], (
    "its own mutexes are excepted: it uses them as semaphores, and unlocks what another thread has "
    "locked, which POSIX leaves undefined and a PI mutex refuses"))}


def cannot(why):
    print(f"programs: {why}", file=sys.stderr)
    sys.exit(2)


class Bench:
    """The command, the preload, and what a program needs to find both."""

    def __init__(self, rqpi, preload):
        self.rqpi = os.path.realpath(rqpi)
        if not os.access(self.rqpi, os.X_OK):
            cannot(f"{rqpi}: there is no command rqpi; `make build` makes it")
        self.preload = preload or os.path.join(
            os.path.dirname(self.rqpi), "..", "..", "src", "librqpi-preload.so")
        if not os.access(self.preload, os.R_OK):
            cannot(f"{self.preload}: there is no preload; `make build` makes it")

    def copy_preloads(self, folder, mode):
        """Both, side by side, as `rqpi run` looks for them; the path of the one of this mode."""
        shutil.copy(self.preload, os.path.join(folder, COND))
        other = os.path.join(os.path.dirname(self.preload), MUTEX)
        if os.access(other, os.R_OK):
            shutil.copy(other, folder)
        elif mode == "force-pi":
            cannot(f"{other}: there is no preload of the mutex functions; `make build` makes it")
        return os.path.join(folder, MUTEX if mode == "force-pi" else COND)

    def front(self, mode, options=()):
        return {"libc": [], "default": [self.rqpi, "run", "--"],
                "force-pi": [self.rqpi, "run", "--force-pi", *options, "--"]}[mode]


def version_of(package):
    """Debian's version of an installed package; None: not installed."""
    try:
        out = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package],
                             check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True).stdout
    except OSError:
        return None
    status, _, version = out.partition(" ")
    return version if status == "installed" else None


def judge(result, place, watcher, ended):
    """Everything that speaks against this run, in words."""
    against = [f"not so: {what}" for what, good in place.checks if not good]
    if ended:
        against.append(ended)
    elif not place.checks:
        against.append("nothing was looked at")
    active, short, without = watcher.seen()
    if result["mode"] == "libc":
        if active:
            against.append("the control ran under the preload")
        return against
    if without:
        against.append("the preload was not at work in " + ", ".join(without))
    elif not active:
        against.append(f"no process was seen long enough, of {short}")
    if place.stepped_aside():
        against.append(place.stepped_aside())
    if result["program"] in MUST_REQUEUE[result["mode"]] and not watcher.asleep()["requeue_pi"]:
        against.append("no thread was seen asleep in FUTEX_WAIT_REQUEUE_PI")
    if result["mode"] == "force-pi" and result["program"] in MUST_FORCE and \
            not watcher.forced()["made"]:
        against.append("no mutex was made PI")
    return against


def run_once(bench, name, mode, extra_env=None, front=None):
    """One program in one mode: the result, as report.py prints it."""
    package, what, seconds, files, function = PROGRAMS[name]
    result = {"program": name, "package": package, "version": version_of(package), "what": what,
              "mode": mode, "result": "skipped", "why": "", "tails": []}
    if result["version"] is None:
        result["why"] = f"package {package} is not installed"
        return result
    began = time.monotonic()
    # Of its own, and open: some programs give up being root, and read the preload after that.
    with tempfile.TemporaryDirectory(prefix="rqpi-programs-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        preload = bench.copy_preloads(folder, mode)
        work = os.path.join(folder, "work")
        os.mkdir(work, 0o755)
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb",
               "RQPI_PRELOAD": os.path.join(folder, COND), **(extra_env or {})}
        options = FORCE_OPTIONS[name][0] if name in FORCE_OPTIONS else []
        place = case.Place(work, bench.front(mode, options) if front is None else front, env,
                           seconds)
        try:
            watcher, ended = case.in_place(place, function, preload, files)
        except case.Cannot as why:
            result["why"] = str(why)
            return result
        against = judge(result, place, watcher, ended)
        active, short, without = watcher.seen()
        if mode == "force-pi" and name in FORCE_OPTIONS:
            result["note"] = FORCE_OPTIONS[name][1]
        result.update(
            seconds=round(time.monotonic() - began, 1), figure=place.figure, active=active,
            short=short, without=without, asleep=watcher.asleep(), forced=watcher.forced(),
            remarks=place.remarks(),
            checks=[what for what, good in place.checks if good], why="; ".join(against),
            result="failed" if against else "passed")
        if against:
            result["tails"] = list(place.tails())
    if watcher.blind and mode != "libc":
        result.update(result="skipped", why="cannot see the preload at work: " + watcher.blind)
    return result


def run_program(bench, name, modes):
    """All modes of one program. The control comes first, asked for or not."""
    control = run_once(bench, name, "libc")
    if control["result"] == "failed":
        control.update(result="skipped", why="fails without the preload: " + control["why"])
    if "libc" in modes:
        yield control
    for mode in modes:
        if mode == "libc":
            continue
        if control["result"] == "skipped":
            yield dict(control, mode=mode)
        else:
            yield run_once(bench, name, mode)


def command_run(bench, options):
    unknown = [name for name in options.program if name not in PROGRAMS]
    if unknown:
        cannot(f"there is no program '{unknown[0]}'; `programs.py list` lists them")
    modes = [mode for mode in MODES if mode in (options.mode or MODES)]
    results = []
    for name in options.program or PROGRAMS:
        for result in run_program(bench, name, modes):
            results.append(result)
            print(report.tap(len(results), result) if options.tap else report.line(result),
                  flush=True)
    if options.tap:
        print(f"1..{len(results)}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as stream:
            json.dump(results, stream, indent=1)
    if options.doc:
        report.write_document(options.doc, results)
    return 1 if any(r["result"] == "failed" for r in results) else 0


def command_self_test(bench, options):
    """The runner must say no: to a preload that is broken, switched off, or not there."""
    broken = Bench(bench.rqpi, options.library)
    tries = [
        ("a preload that drops signals is found out",
         lambda: run_once(broken, "pulseaudio-sox", "default"), "was not back"),
        ("a preload that is switched off is found out",
         lambda: run_once(bench, "stress-ng-sem", "default", {"RQPI_PRELOAD_OFF": "1"}),
         "the preload was not at work in stress-ng"),
        ("a program without the preload is found out",
         lambda: run_once(bench, "stress-ng-sem", "default", front=[]),
         "the preload was not at work in stress-ng"),
        ("a program whose mutexes cannot be PI fails, and is told so",
         lambda: run_once(bench, "ptsematest", "force-pi", front=bench.front("force-pi")),
         "unlocked by a thread that does not own it"),
    ]
    bad = 0
    for number, (what, attempt, expected) in enumerate(tries, 1):
        result = attempt()
        if result["result"] == "skipped":
            print(f"ok {number} - {what} # SKIP {result['why']}", flush=True)
            continue
        said = " ".join([result["why"], *result["remarks"]])
        good = result["result"] == "failed" and expected in said
        bad += not good
        print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)
        print(f"# {result['result']}: {said}", flush=True)
    print(f"1..{len(tries)}")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(
        description="Run programs of Debian without and with rqpi's preload under them.",
        epilog="Exit status: 0 all passed or skipped, 1 a program failed, 2 cannot run.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="the programs, one on a line")
    run = commands.add_parser("run", help="run programs, in each mode")
    run.add_argument("program", nargs="*", metavar="PROGRAM", help="these (all)")
    run.add_argument("--mode", action="append", choices=MODES, help="only this mode")
    run.add_argument("--tap", action="store_true", help="print TAP")
    run.add_argument("--json", metavar="FILE", help="write down everything that was seen")
    run.add_argument("--doc", metavar="FILE", help="write the table as a document")
    test = commands.add_parser("self-test", help="does the runner notice a bad preload?")
    test.add_argument("library", metavar="LIBRARY", help="a preload that drops signals")
    for command in (run, test):
        command.add_argument("--rqpi", metavar="FILE", default=os.path.join(
            ROOT, "build", "tools", "rqpi", "rqpi"), help="the command (build/tools/rqpi/rqpi)")
        command.add_argument("--preload", metavar="FILE", help="the preload (that beside it)")
    options = parser.parse_args()
    if options.command == "list":
        print("\n".join(PROGRAMS))
        return 0
    if os.uname().machine != "x86_64":
        cannot("the preload is for x86-64")
    watch.adopt_orphans()
    bench = Bench(options.rqpi, options.preload)
    return command_run(bench, options) if options.command == "run" else \
        command_self_test(bench, options)


if __name__ == "__main__":
    sys.exit(main())
