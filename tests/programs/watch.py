# SPDX-License-Identifier: MIT
"""What the processes of a program are doing, seen from outside through /proc.

A Watcher is a thread that looks several times a second at everything that descends from this
process. It answers: was the preload mapped and at work in each process of the program, what had it
done to the mutexes there, and in which futex operations were threads seen asleep? It reads this
from the memory of the processes and from the kernel; neither the program nor the preload has to say
anything. Used by scripts/programs.py.
"""

import ctypes
import os
import signal
import struct
import subprocess
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
SHIM_ACTIVE, SHIM_ASIDE, SHIM_WATCHED = 1, 2, 3  # shim.h; 0: not found out yet
SYS_FUTEX = 202  # x86-64, as the preload itself
FUTEX_CMD_MASK = 0x7F
SLEEPS = {
    0: "wait", 9: "wait", 6: "lock_pi", 13: "lock_pi", 11: "requeue_pi",
}  # futex operations in which a thread sleeps; 9 is WAIT_BITSET, 13 LOCK_PI2
# struct shim_force_counts, all of 64 bits; five reasons why a mutex was left as it is
COUNTS = ["made", "were", "excepted", "protect", "elsewhere", "locked", "unknown",
          "unlocked_by_others", "refused_to_others", "locked_twice"]


def adopt_orphans():
    """Daemons of the programs become children of this process: nothing gets away."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def descendants():
    """{pid: name of the running file} of everything below this process, without zombies."""
    parent = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as stream:
                rest = stream.read().rsplit(b")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if rest[0] not in (b"Z", b"X"):
            parent[int(entry)] = int(rest[1])
    found, me = {}, os.getpid()
    for pid in parent:
        above = pid
        while above in parent and above != me:
            above = parent[above]
        if above == me and pid != me:
            try:
                found[pid] = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            except OSError:
                found[pid] = ""
    return found


def kill_descendants():
    """End what is left, by its id, and collect it."""
    for _ in range(200):
        left = descendants()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        if not left:
            return
        time.sleep(0.02)


def symbol_offsets(library, names):
    """Where variables are in a library that still has its symbol table."""
    out = subprocess.run(["nm", library], check=True, stdout=subprocess.PIPE, text=True).stdout
    fields = [line.split() for line in out.splitlines()]
    found = {line[2]: int(line[0], 16) for line in fields if len(line) == 3 and line[2] in names}
    if "shim_state" not in found:
        raise LookupError(f"{library}: no symbol shim_state: is it stripped?")
    return found


class Process:
    """One process, from one execve() to the next."""

    def __init__(self, name):
        self.name = name
        self.base = None  # where the preload begins; None: not mapped
        self.active = False
        self.without = False  # it is not mapped, and will not be; or it has stepped aside
        self.counts = dict.fromkeys(COUNTS, 0)


class Watcher(threading.Thread):
    """Watches until stop(). `programs` are the names of the files that count."""

    def __init__(self, preload, programs):
        super().__init__(daemon=True)
        self.preload = os.path.realpath(preload)
        self.offsets = symbol_offsets(preload, ["shim_state", "shim_force_counts"])
        self.programs = set(programs)
        self.processes = {}  # (pid, name): Process
        self.sleepers = {kind: set() for kind in set(SLEEPS.values())}
        self.blind = ""  # why something could not be seen
        self.over = threading.Event()

    def run(self):
        try:  # of this thread alone; a program of real-time threads would keep it from looking
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(2))
        except PermissionError:
            pass
        while not self.over.is_set():
            began = time.monotonic()
            self.look()
            self.over.wait(max(0.1, 10 * (time.monotonic() - began)))

    def stop(self):
        self.over.set()
        self.join()

    def look(self):
        for pid, name in descendants().items():
            if name not in self.programs:
                continue
            process = self.processes.setdefault((pid, name), Process(name))
            self.look_at_maps(pid, process)
            if process.base is not None:
                self.look_at_state(pid, process)
            self.look_at_threads(pid)

    def look_at_maps(self, pid, process):
        if process.base is not None:
            return
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as stream:
                text = stream.read()
        except PermissionError:
            self.blind = f"no right to read /proc/{pid}/maps"
            return
        except OSError:
            return
        # The dynamic linker maps what is to be preloaded first, and the libraries after that. The
        # stack stands last: a text without it was cut off by the end of the process.
        process.without = "/libc.so.6\n" in text and "[stack]" in text
        for line in text.splitlines():
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[5] == self.preload and int(fields[2], 16) == 0:
                process.base = int(fields[0].split("-")[0], 16)
                process.without = False
                return

    def look_at_state(self, pid, process):
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as stream:
                stream.seek(process.base + self.offsets["shim_state"])
                state = int.from_bytes(stream.read(4), "little")
                process.active |= state in (SHIM_ACTIVE, SHIM_WATCHED)
                process.without = state == SHIM_ASIDE
                if "shim_force_counts" in self.offsets:
                    stream.seek(process.base + self.offsets["shim_force_counts"])
                    values = struct.unpack(f"<{len(COUNTS)}Q", stream.read(8 * len(COUNTS)))
                    process.counts = dict(zip(COUNTS, values))
        except PermissionError:
            self.blind = f"no right to read /proc/{pid}/mem"
        except (OSError, struct.error):  # it has just ended
            pass

    def look_at_threads(self, pid):
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            return
        for thread in threads:
            try:
                with open(f"/proc/{pid}/task/{thread}/syscall", encoding="ascii") as stream:
                    fields = stream.read().split()
            except OSError:
                continue
            if len(fields) > 2 and fields[0] == str(SYS_FUTEX):
                kind = SLEEPS.get(int(fields[2], 16) & FUTEX_CMD_MASK)
                if kind:
                    self.sleepers[kind].add((pid, thread))

    def seen(self):
        """Processes with the preload at work; too short-lived to tell; names of those without."""
        every = list(self.processes.values())
        active = sum(p.active for p in every)
        without = [p.name for p in every if p.without and not p.active]
        return active, len(every) - active - len(without), sorted(set(without))

    def asleep(self):
        """{operation: how many threads were seen asleep in it}"""
        return {kind: len(threads) for kind, threads in self.sleepers.items()}

    def forced(self):
        """What had been done to mutexes, in the process with most of each."""
        every = list(self.processes.values())
        return {name: max((p.counts[name] for p in every), default=0) for name in COUNTS}
