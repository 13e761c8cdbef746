#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What docs/doctor.md shows of `rqpi doctor`: the report on a made-up notebook.

doctor_outputs.py: $RQPI_TOOL is the command. Prints the command and its report; an empty line of it
gets a blank, so that scripts/doc_output.py takes all of it for one paragraph. On a terminal the
report is printed by the doctor itself, in colours, for the picture. Exit status: the doctor's.
"""

import os
import subprocess
import sys
import tempfile

import roots
from roots import GRANTED, IPC_LOCK, RELEASE, SYS_NICE


def make_notebook(top):
    root = roots.make(top)
    root.kernel("#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1 (2025-11-05)")
    root.remove(f"boot/config-{RELEASE}")
    root.write("proc/sys/kernel/osrelease", "6.12.57+deb13-amd64")
    root.write("boot/config-6.12.57+deb13-amd64",
               roots.CONFIG.replace("CONFIG_PREEMPT_RT=y", "# CONFIG_PREEMPT_RT is not set"))
    root.remove("sys/kernel/debug")
    root.status(GRANTED & ~SYS_NICE & ~IPC_LOCK)
    root.limits(priority=0, memory=8388608)
    root.write("proc/self/cgroup", "0::/user.slice/user-1000.slice/session-2.scope")
    root.write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1 0 -2")
    root.governors(*["powersave"] * 4)
    root.idle([("POLL", 0, 0), ("C1", 2, 0), ("C6", 133, 0), ("C10", 890, 0)])
    root.write(f"{roots.CPU}/isolated", "")
    root.write(f"{roots.CPU}/nohz_full", "")


def main():
    with tempfile.TemporaryDirectory() as top:
        os.chdir(top)
        make_notebook("notebook")
        print("$ rqpi doctor --root notebook", flush=True)
        done = subprocess.run([os.environ["RQPI_TOOL"], "doctor", "--root", "notebook"],
                              stdin=subprocess.DEVNULL, text=True, timeout=60, check=False,
                              stdout=None if sys.stdout.isatty() else subprocess.PIPE)
        os.chdir("/")
    for line in (done.stdout or "").splitlines():
        print(line or " ")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
