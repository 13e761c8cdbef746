# SPDX-License-Identifier: MIT
"""Machines as folders, for `rqpi doctor --root`: the files of /proc, /sys, /boot and /dev it reads.

The machine that make() builds is fit; a test takes one thing away. Used by t_root.py and by
doctor_outputs.py, whose output is in docs/doctor.md.
"""

import gzip
import os
import shutil

RELEASE = "6.12.57+deb13-rt-amd64"
CPU = "sys/devices/system/cpu"
FAIR = "sys/kernel/debug/sched/fair_server/cpu0"
GRANTED = 0x000001ffffffffff
SYS_NICE = 1 << 23
IPC_LOCK = 1 << 14

CONFIG = """\
CONFIG_DEBUG_FS=y
CONFIG_FUTEX_PI=y
CONFIG_IRQ_FORCED_THREADING=y
CONFIG_NO_HZ_FULL=y
CONFIG_PREEMPT_RT=y
# CONFIG_RT_GROUP_SCHED is not set
"""

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max locked memory         {memory:<20} unlimited            bytes
Max nice priority         0                    0
Max realtime priority     {priority:<20} 99
Max realtime timeout      unlimited            unlimited            us
"""


class Root:
    """A folder, and short ways to say what is in it. Paths are relative to it."""

    def __init__(self, top):
        self.top = top

    def path(self, name):
        return os.path.join(self.top, name)

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        mode = "wb" if isinstance(content, bytes) else "w"
        with open(self.path(name), mode) as stream:
            stream.write(content if isinstance(content, bytes) else content + "\n")

    def remove(self, name):
        path = self.path(name)
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def status(self, effective=GRANTED):
        self.write("proc/self/status", f"Name:\trqpi\nUid:\t0\t0\t0\t0\nCapPrm:\t{effective:016x}\n"
                   f"CapEff:\t{effective:016x}\nCpus_allowed_list:\t0-3")

    def limits(self, priority="unlimited", memory="unlimited"):
        self.write("proc/self/limits", LIMITS.format(priority=priority, memory=memory))

    def config(self, *changes, running=False):
        """The configuration with @changes ("NAME=y" or "NAME=n"), as /boot or the kernel has it."""
        lines = CONFIG.splitlines()
        for change in changes:
            name, value = change.split("=")
            lines = [line for line in lines if f"CONFIG_{name}=" not in line
                     and f"CONFIG_{name} is" not in line]
            lines.append(f"CONFIG_{name}=y" if value == "y" else f"# CONFIG_{name} is not set")
        text = "\n".join(lines) + "\n"
        if running:
            self.write("proc/config.gz", gzip.compress(text.encode()))
        else:
            self.write(f"boot/config-{RELEASE}", text)

    def kernel(self, version, cmdline="BOOT_IMAGE=/vmlinuz quiet"):
        self.write("proc/sys/kernel/version", version)
        self.write("proc/cmdline", cmdline)

    def throttling(self, runtime, period=1000000):
        self.write("proc/sys/kernel/sched_rt_runtime_us", str(runtime))
        self.write("proc/sys/kernel/sched_rt_period_us", str(period))

    def governors(self, *names):
        for number, name in enumerate(names):
            self.write(f"{CPU}/cpu{number}/cpufreq/scaling_governor", name)

    def idle(self, states, limit=2000000000):
        """@states: (name, latency, disabled)."""
        for number, (name, latency, disabled) in enumerate(states):
            folder = f"{CPU}/cpu0/cpuidle/state{number}"
            self.write(f"{folder}/name", name)
            self.write(f"{folder}/latency", str(latency))
            self.write(f"{folder}/disable", str(disabled))
        self.write("dev/cpu_dma_latency", limit.to_bytes(4, "little"))


def make(top):
    """A machine that is fit: Debian 13's real-time kernel, root, four CPUs at full speed."""
    if os.path.isdir(top):
        shutil.rmtree(top)
    root = Root(top)
    root.write("proc/sys/kernel/osrelease", RELEASE)
    root.write("proc/sys/kernel/arch", "x86_64")
    root.kernel("#1 SMP PREEMPT_RT Debian 6.12.57-1 (2025-11-05)")
    root.config()
    root.throttling(950000)
    root.write(f"{FAIR}/runtime", "50000000")
    root.write(f"{FAIR}/period", "1000000000")
    root.status()
    root.limits()
    root.write("proc/self/uid_map", "         0          0 4294967295")
    root.write("proc/self/cgroup", "0::/")
    root.write("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority")
    root.governors(*["performance"] * 4)
    root.idle([("POLL", 0, 0), ("C1", 2, 0)])
    root.write(f"{CPU}/isolated", "3")
    root.write(f"{CPU}/nohz_full", "3")
    return root
