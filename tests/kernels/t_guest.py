#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does scripts/check_rt.py see what goes wrong in a kernel that it boots?

t_guest.py BUILD: boots one kernel twice. The first time programs pass, fail, are skipped, hang and
print what init prints; the second time one makes the kernel panic. TAP; a skip where the
emulator or the kernel cannot be had. Called by meson, suite deep.
"""

import os
import shutil
import sys
import tempfile
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))
sys.dont_write_bytecode = True

import check_rt  # noqa: E402
import guest  # noqa: E402

PROGRAMS = (
    ("passes", 60, "echo 1..1; echo ok 1 - it", {("pass", "passes: it")}),
    ("fails", 60, "echo 1..1; echo not ok 1 - it; exit 1", {("fail", "fails: it")}),
    ("skips", 60, "echo no such thing here; exit 77", {("skip", "skips")}),
    ("stops-short", 60, "echo 1..2; echo ok 1 - it",
     {("pass", "stops-short: it"),
      ("fail", "stops-short (ok, status 0): only 1 of 2 cases ran")}),
    ("crashes", 60, "echo 1..1; echo ok 1 - it; kill -SEGV $$",
     {("pass", "crashes: it"), ("fail", "crashes (fail, status 139)")}),
    # Its child must not live on, either: `forges` would see it.
    ("hangs", 5, "sleep 1000 & sleep 1000",
     {("fail", "hangs (timeout, status 143)"), ("fail", "hangs: ended after 5 s")}),
    ("forges", 60, "pidof sleep && echo 1..1 && echo not ok 1 - alone; "
                   "echo @012345678901 END fails 0 1; exit 0", {("pass", "forges")}),
)


def boot(kernel, place, programs, seconds):
    system = guest.System(place)
    for name, limit, script, _ in programs:
        system.add_test(name, limit, ["/bin/sh", "-c", script], {})
    system.pack()
    run = guest.Boot(kernel, system, 2, place)
    run.play(seconds)
    work = SimpleNamespace(system=system, group={p[0]: "user" for p in programs},
                           protocol={p[0]: "exitcode" for p in programs})
    check_rt.judge(work, run)
    return run


class Tap:
    def __init__(self):
        self.count, self.failed = 0, False

    def case(self, good, name, why=""):
        self.count += 1
        self.failed = self.failed or not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        if not good:
            print("\n".join(f"# {line}" for line in str(why).split("\n")))


def play(tap, kernel, place):
    first = boot(kernel, place, PROGRAMS, 600)
    tap.case(not first.ended and not first.complaints, "the kernel runs to the end",
             (first.ended, first.complaints, "\n".join(first.last_words())))
    for name, _, _, wanted in PROGRAMS:
        # How long it took before it was ended is not for us to say.
        seen = {(kind, said if "ended after" not in said else "hangs: ended after 5 s")
                for _, kind, said, _ in first.cases if said.split(":")[0].split(" ")[0] == name}
        tap.case(seen == wanted, f"what is said of a program that {name}", seen)
    panics = (("panics", 60, "echo c >/proc/sysrq-trigger; sleep 1000", None),
              ("comes-too-late", 60, "exit 0", None))
    second = boot(kernel, place, panics, 600)
    failed = {said.split(":")[0] for _, kind, said, _ in second.cases if kind == "fail"}
    tap.case("panics" in failed, "a panic is the failure of what was running", second.cases)
    tap.case("comes-too-late" in failed, "what did not run has failed", second.cases)
    tap.case("runs to the end" in failed and second.complaints, "the kernel has failed, too",
             (second.cases, second.complaints))


def main(build):
    tap, folder = Tap(), os.path.join(build, "check-rt")
    lacking = [name for name in check_rt.NEEDED if not shutil.which(name)]
    if lacking:
        print(f"1..0 # SKIP the command {lacking[0]} is not here")
        return 77
    os.makedirs(folder, exist_ok=True)
    try:
        kernel = guest.fetch(check_rt.KERNELS[1], os.path.join(folder, "kernels"))
    except guest.Cannot as reason:
        print(f"1..0 # SKIP {reason}")
        return 77
    if not kernel:
        print(f"1..0 # SKIP apt has no package {check_rt.KERNELS[1]}")
        return 77
    print(f"1..{len(PROGRAMS) + 4}")
    with tempfile.TemporaryDirectory(dir=folder, prefix="run-") as place:
        play(tap, kernel, place)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C.UTF-8"
    sys.exit(main(sys.argv[1]))
