#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does all of this hold on PREEMPT_RT, and on other kernels than the one that is running?

check_rt.py [OPTION]...: boots Debian's real-time kernel and its ordinary one, of each version that
apt knows, with 1, 2 and 4 CPUs under qemu-system-x86_64, and runs there what a build tree has: the
tests of the user half on the kernel's futex and on the engine, the preload's, those of the C++
headers and of the engine on threads; the vectors and random programs of `rqpi conform`; and the
demo. Nothing is installed; the kernels are kept in the build tree.

Every case is a line of TAP in results.tap; failures are shown. A kernel that panics, hangs, or
complains on its console is a failure. With --update the matrix of docs/kernels.md is written.

Exit status: 0 all passed, 1 something failed, 2 cannot test here.
"""

import argparse
import fnmatch
import glob
import json
import os
import re
import shutil
import sys
import tempfile

import guest
import kernels_doc
import testlog
import tree

# Debian's packages that ask for the kernels that are looked at. The second pair is there where the
# security archive of Debian 12 is.
KERNELS = ("linux-image-amd64", "linux-image-rt-amd64",
           "linux-image-6.12-amd64", "linux-image-6.12-rt-amd64")
CPUS = (1, 2, 4)
SHORT = {"kernels": KERNELS[:2], "cpus": (2,)}

NEEDED = ("qemu-system-x86_64", "busybox", "cpio", "ldd", "meson", "apt-cache", "apt-get",
          "dpkg-deb")

# Emulation is slow, and as slow as this machine is busy: no limit that a healthy test comes near.
SLOW = 4
BOOT_SECONDS = 5400
VECTOR_SECONDS = 1500
RANDOM_SEED = 1
RANDOM_OPERATIONS = 4000


def meson_tests(build):
    said = guest.run("meson", "introspect", "--tests", build)
    if said.returncode:
        raise guest.Cannot(f"{build}: not a build tree of meson: {said.stderr.strip()}")
    return json.loads(said.stdout)


def group_of(test):
    """Which part of the matrix a test of the build counts for; None: it does not depend on the
    kernel, or is too long."""
    suites = {name.split(":")[-1] for name in test["suite"]}
    if suites & {"deep", "wrong", "check", "cli", "examples", "conform", "probes", "trace", "once"}:
        return None
    if test["name"].startswith(("stress", "engine_stress")) or test["cmd"][0].endswith(".py"):
        return None
    if "host" in suites or {"user", "engine"} <= suites:
        return "engine"
    for suite in ("user", "unit", "shim", "cxx"):
        if suite in suites:
            return "user"
    return None


class Work:
    """What is to be run, and what each name counts for."""

    def __init__(self, build, folder, options):
        self.system = guest.System(folder)
        self.build = build
        self.group, self.protocol = {}, {}
        self.only = options.tests
        for test in meson_tests(build):
            group = group_of(test)
            if group == "user" or (group == "engine" and not options.without_engine):
                self.add_meson_test(test, group)
        self.add_rqpi(options.without_engine)
        if not self.system.list:
            raise guest.Cannot(f"--tests {self.only}: no test has such a name")
        self.system.pack()

    def add(self, name, group, protocol, seconds, command, env):
        if not fnmatch.fnmatch(name, self.only):
            return
        self.group[name], self.protocol[name] = group, protocol
        # meson names files from the build tree.
        command = [os.path.join(self.build, word)
                   if os.path.isfile(os.path.join(self.build, word)) else word for word in command]
        for word in filter(os.path.isabs, command):
            self.system.add(word)
        self.system.add_test(name, seconds, command, env)

    def add_meson_test(self, test, group):
        env = dict(test["env"])
        env["RQT_WATCHDOG"] = str(60 * SLOW)
        for folder in filter(None, env.get("LD_LIBRARY_PATH", "").split(":")):
            for library in filter(os.path.isfile, glob.glob(os.path.join(folder, "*.so*"))):
                self.system.add(library)
        self.add(test["name"], group, test["protocol"], test["timeout"] * SLOW, test["cmd"], env)

    def add_rqpi(self, without_engine):
        tools = os.path.join(self.build, "tools", "rqpi")
        rqpi = os.path.join(tools, "rqpi")
        if not os.path.exists(rqpi):
            raise guest.Cannot(f"{rqpi} is not there: the build tree has no tools")
        for path in [os.path.join(tools, "rqpi-demo-program"),
                     os.path.join(self.build, "src", "librqpi-preload.so")] + \
                glob.glob(os.path.join(tools, "conform", "*.json")):
            self.system.add(path)
        # --unsafe: a kernel that it damages is an emulated one, and would show it.
        for lane in ("linux",) if without_engine else ("linux", "engine"):
            self.add(f"vectors-{lane}", "vectors", "conform", VECTOR_SECONDS,
                     [rqpi, "conform", "--vectors", "--unsafe", "--on", lane], {})
        if not without_engine:
            self.add("random-both", "random", "conform", VECTOR_SECONDS,
                     [rqpi, "conform", "--random", "--on", "both", "--seed", str(RANDOM_SEED),
                      "--operations", str(RANDOM_OPERATIONS)], {})
        self.add("demo", "demo", "exitcode", 300, [rqpi, "demo"], {"NO_COLOR": "1"})


def program_cases(work, name, result):
    """The cases of one program: (kind, name, reason)."""
    status, seconds, output = result
    kinds = {0: "OK", 77: "SKIP", 137: "TIMEOUT", 143: "TIMEOUT"}
    if work.protocol[name] == "tap" and output.startswith("1..0 # SKIP"):
        kinds[0] = "SKIP"
    entry = {"name": name, "result": kinds.get(status, "FAIL"), "stdout": output,
             "returncode": status}
    if work.protocol[name] == "conform":
        return kernels_doc.conform_cases(name, status, output)
    if entry["result"] == "TIMEOUT":
        return testlog.program_cases(entry) + [("fail", f"{name}: ended after {seconds} s", "")]
    return testlog.program_cases(entry)


def judge(work, boot):
    """All cases of one boot, into boot.cases as (group, kind, name, reason)."""
    boot.cases = []
    for name, _, _ in work.system.list:
        if name in boot.tests:
            boot.cases += [(work.group[name],) + case
                           for case in program_cases(work, name, boot.tests[name])]
        elif name != boot.unfinished:
            boot.cases.append((work.group[name], "fail", f"{name}: did not run", ""))
    if boot.unfinished:
        boot.cases.append((work.group[boot.unfinished], "fail",
                           f"{boot.unfinished}: was running when the kernel {boot.ended}", ""))
    boot.cases.append(("kernel", "fail" if boot.ended else "pass",
                       "runs to the end" + (f": {boot.ended}" if boot.ended else ""), ""))
    boot.cases.append(("kernel", "fail" if boot.complaints else "pass",
                       "has nothing to say against itself", ""))


def label(boot):
    return f"{boot.facts.get('release', boot.kernel)}, {boot.cpus} CPU" + "s" * (boot.cpus > 1)


def show(work, boot):
    """What failed, with what it said, on stderr."""
    for line in boot.complaints:
        print(f"  console: {line}", file=sys.stderr)
    if boot.ended:
        print("\n".join(f"  console: {line}" for line in boot.last_words()), file=sys.stderr)
    failed = {case[2].split(":")[0] for case in boot.cases if case[1] == "fail"}
    for name in failed & set(boot.tests):
        print(f"---- output of {name}, {label(boot)}:", file=sys.stderr)
        for line in boot.tests[name][2].splitlines():
            if not line.startswith("ok "):
                print(f"     {line}", file=sys.stderr)


def count(cases, kind):
    return sum(case[1] == kind for case in cases)


def totals(cases):
    skipped = count(cases, "skip")
    return f"{count(cases, 'pass')} passed, {count(cases, 'fail')} failed" + \
        (f", {skipped} skipped" if skipped else "")


def tap(boots):
    lines = []
    for boot in boots:
        for _, kind, name, reason in boot.cases:
            name = re.sub(r"[\s#]+", " ", f"{label(boot)}: {name}")
            lines.append(f"{'not ok' if kind == 'fail' else 'ok'} {len(lines) + 1} - {name}"
                         + (f" # SKIP {reason}" if kind == "skip" else ""))
    return "\n".join([f"1..{len(lines)}"] + lines) + "\n"


def keep(boot, folder, whole):
    """What each program said, one file each, for whoever wants to know more; @whole: and a summary
    for the document."""
    name = label(boot).replace(", ", "-").replace(" ", "-") + ("" if whole else "-part")
    place = os.path.join(folder, name)
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    for name, (_, _, output) in boot.tests.items():
        with open(os.path.join(place, name), "w", encoding="utf-8") as stream:
            stream.write(output)
    shutil.copy(boot.console, os.path.join(place, "console"))
    summary_of = {"facts": boot.facts, "cpus": boot.cpus, "cases": boot.cases,
                  "demo": boot.tests.get("demo", (None, None, ""))[2]}
    if whole:
        with open(os.path.join(place, kernels_doc.SUMMARY), "w", encoding="utf-8") as stream:
            json.dump(summary_of, stream)


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="check_rt.py", description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--build", default="build", metavar="DIR", help="a tree that is built")
    parser.add_argument("--kernel", action="append", metavar="PACKAGE|FILE",
                        help=f"instead of {', '.join(KERNELS)}; may be given more than once")
    parser.add_argument("--cpus", metavar="N,N", help="numbers of CPUs; 1,2,4 if not given")
    parser.add_argument("--tests", metavar="PATTERN", default="*", help="those with such a name")
    parser.add_argument("--short", action="store_true",
                        help="the kernels of Debian 12, 2 CPUs, without the engine")
    parser.add_argument("--without-engine", action="store_true",
                        help="the kernel's futex only: half the time")
    parser.add_argument("--tap", action="store_true", help="print TAP and nothing else")
    parser.add_argument("--update", action="store_true",
                        help="write the matrix of docs/kernels.md, from the latest run of each "
                        "kernel and number of CPUs")
    options = parser.parse_args()
    options.without_engine = options.without_engine or options.short
    options.kernels = options.kernel or (SHORT["kernels"] if options.short else KERNELS)
    if options.cpus is None:
        options.cpus = SHORT["cpus"] if options.short else CPUS
    else:
        try:
            options.cpus = [int(n) for n in options.cpus.split(",")]
        except ValueError:
            parser.error(f"--cpus {options.cpus}: must be numbers with commas between")
        if not all(1 <= n <= 64 for n in options.cpus):
            parser.error("--cpus: each must be from 1 to 64")
    if options.update and (options.short or options.tests != "*"):
        parser.error("--update: the document is about all tests")
    return options


def find_kernels(options, folder):
    """Paths of kernels; names of packages that apt does not have."""
    found, missing = [], []
    for name in options.kernels:
        if "/" in name:
            if not os.path.isfile(name):
                raise guest.Cannot(f"--kernel {name}: no such file")
            path = name
        else:
            path = guest.fetch(name, os.path.join(folder, "kernels"))
        if not path:
            missing.append(name)
        elif path not in found:
            found.append(path)
    return found, missing


def progress_of(what, options):
    if options.tap or not sys.stderr.isatty():
        return None
    return lambda name: print(f"\r\033[K{what}: {name}", end="", file=sys.stderr, flush=True)


def run(options):
    if not os.path.isdir(options.build):
        raise guest.Cannot(f"--build {options.build}: no such folder")
    for program in NEEDED:
        if not shutil.which(program):
            raise guest.Cannot(f"the command {program} is not here")
    build = os.path.realpath(options.build)
    folder = os.path.join(build, "check-rt")
    os.makedirs(folder, exist_ok=True)
    kernels, missing = find_kernels(options, folder)
    if not kernels:
        raise guest.Cannot(f"apt has none of the packages {', '.join(missing)}; "
                           "'apt-get update' may be needed")
    with tempfile.TemporaryDirectory(dir=folder, prefix="run-") as place:
        boots = boot_all(kernels, Work(build, place, options), options, folder, place)
    return tell(boots, missing, options, folder)


def boot_all(kernels, work, options, folder, place):
    out = sys.stderr if options.tap else sys.stdout
    boots = []
    for kernel in kernels:
        for cpus in options.cpus:
            boot = guest.Boot(kernel, work.system, cpus, place)
            boot.play(BOOT_SECONDS, progress_of(os.path.basename(kernel), options))
            judge(work, boot)
            keep(boot, folder, options.tests == "*" and not options.short)
            show(work, boot)
            print(f"{label(boot)}: {totals(boot.cases)}; {boot.seconds} s", file=out, flush=True)
            boots.append(boot)
    return boots


def tell(boots, missing, options, folder):
    text = tap(boots)
    with open(os.path.join(folder, "results.tap"), "w", encoding="utf-8") as stream:
        stream.write(text)
    if options.tap:
        print(text, end="")
    else:
        summary(boots, missing, folder)
    if options.update:
        kernels_doc.update(folder)
    return 1 if any(count(boot.cases, "fail") for boot in boots) else 0


def summary(boots, missing, folder):
    everything = [case for boot in boots for case in boot.cases]
    for name in missing:
        print(f"  left out: {name}: apt has no such package")
    for boot in boots:
        for _, kind, name, _ in boot.cases:
            if kind == "fail":
                print(f"  failed: {label(boot)}: {name}")
    print(f"case by case: {os.path.join(folder, 'results.tap')}")
    print(totals(everything))


def main():
    options = parse_arguments()
    os.environ["LC_ALL"] = "C.UTF-8"
    try:
        return run(options)
    except guest.Cannot as reason:
        print(f"check-rt: {reason}", file=sys.stderr)
        if not options.tap:
            return 2
        print(f"1..0 # SKIP {reason}")
        return 77


if __name__ == "__main__":
    sys.exit(main())
