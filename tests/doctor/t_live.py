#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rqpi doctor on this machine: each right, and each futex operation, taken away in a child.

t_live.py RQPI DENY PROGRAM: prints TAP. DENY answers ENOSYS to futex operations, PROGRAM is an
ordinary program that waits on a condition variable of pthreads. What this machine does not let us
take away is skipped by name.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

SECONDS = 100
GROUPS = "/sys/fs/cgroup/cpu"
WITHOUT_NICE = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"]
WITHOUT_LOCK = ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
EXPERIMENTS = ["inherit-pthreads", "inherit-rqpi", "order-pthreads", "order-rqpi"]
HELPERS = ("__init__", "doctor", "need", "limited", "patched", "refused")


class Skip(Exception):
    pass


class Report:
    """The findings of one run."""

    def __init__(self, command):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=SECONDS)
        self.code = done.returncode
        self.err = done.stderr
        if self.code == 77:
            raise Skip("no seccomp filter here")
        try:
            self.all = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"{command}: {self.code}: {done.stdout} {done.stderr}") from None
        self.checks = {check["id"]: check for check in self.all["checks"]}

    def is_(self, finding, state, words=""):
        check = self.checks[finding]
        assert check["state"] == state and words in check["what"], check
        if state in ("bad", "warning"):
            assert check["why"] and check["mend"], check

    def exits(self, code):
        assert self.code == code, f"exit status {self.code}, not {code}; {self.all}"


class Cases:
    def __init__(self, rqpi, deny, program, folder):
        self.rqpi, self.deny, self.program = (os.path.abspath(p) for p in (rqpi, deny, program))
        self.folder = folder
        whole = self.doctor()
        self.fifo = whole.checks["sched-fifo"]["state"] == "ok"

    def doctor(self, *arguments, under=(), then=()):
        return Report([*under, self.rqpi, "doctor", "--json", *arguments, *then])

    def need(self, *, fifo=False, root=False, preload=False):
        if fifo and not self.fifo:
            raise Skip("no right to SCHED_FIFO here")
        if root and os.geteuid():
            raise Skip("only root can take that away")
        if preload and subprocess.run([self.rqpi, "run", "--", "true"], check=False,
                                      stderr=subprocess.DEVNULL).returncode:
            raise Skip("there is no preload here")

    def limited(self, priority):
        """The front of a command that runs with this RLIMIT_RTPRIO and without CAP_SYS_NICE."""
        self.need(fifo=True, root=True)
        limit = ["prlimit", f"--rtprio={priority}"]
        if subprocess.run([*limit, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
            raise Skip("root without CAP_SYS_RESOURCE cannot raise RLIMIT_RTPRIO")
        return [*limit, *WITHOUT_NICE]

    def all_rights(self):
        """inheritance and order are proven by experiment"""
        self.need(fifo=True)
        r = self.doctor()
        for name in ("pi-futex", "requeue-pi", "sched-fifo", "inherit-pthreads", "inherit-rqpi",
                     "order-rqpi"):
            r.is_(name, "ok")
        assert r.checks["order-rqpi"]["measured"]["served"] == [2, 3, 1]
        for name in EXPERIMENTS[:2]:
            measured = r.checks[name]["measured"]
            assert not measured["held_up"] and measured["owner_ran_at"] == 3, measured
        assert r.all["fit"] is True
        r.exits(0)

    def no_nice(self):
        """without CAP_SYS_NICE and RLIMIT_RTPRIO SCHED_FIFO is refused, the experiments unknown"""
        self.need(root=True)
        r = self.doctor(under=["prlimit", "--rtprio=0", *WITHOUT_NICE])
        r.is_("sched-fifo", "bad", "refused")
        r.is_("rt-limit", "bad", "no CAP_SYS_NICE, and RLIMIT_RTPRIO is 0")
        for name in EXPERIMENTS:
            r.is_(name, "unknown", "SCHED_FIFO up to priority 4")
            assert "prlimit" in r.checks[name]["mend"][0]
        assert r.all["fit"] is False
        r.exits(1)

    def other_user(self):
        """the same as another user who has no right at all"""
        self.need(root=True)
        r = self.doctor(under=["prlimit", "--rtprio=0", "setpriv", "--reuid=65534",
                               "--regid=65534", "--clear-groups", "--inh-caps=-all"])
        r.is_("sched-fifo", "bad")
        r.is_("rt-limit", "bad")
        r.is_("pi-futex", "ok")
        r.exits(1)

    def some_priority(self):
        """a limit of 10 is less than the 50 that are needed unless said otherwise"""
        r = self.doctor(under=self.limited(10))
        r.is_("sched-fifo", "bad", "up to priority 10, below 50")
        r.is_("rt-limit", "bad", "RLIMIT_RTPRIO is 10, below priority 50")
        r.is_("inherit-rqpi", "ok")
        r.exits(1)

    def enough_priority(self):
        """a limit of 10 is enough for --priority=10, and for the experiments"""
        r = self.doctor("--priority=10", under=self.limited(10))
        r.is_("sched-fifo", "ok", "up to priority 10")
        r.is_("rt-limit", "ok", "RLIMIT_RTPRIO is 10")
        for name in ("inherit-pthreads", "inherit-rqpi", "order-rqpi"):
            r.is_(name, "ok")
        r.exits(0)

    def too_little_priority(self):
        """a limit of 3 is not enough for the experiments, and that is said"""
        r = self.doctor("--priority=3", under=self.limited(3))
        r.is_("sched-fifo", "ok", "up to priority 3")
        r.is_("inherit-pthreads", "unknown", "SCHED_FIFO up to priority 4")
        assert r.all["fit"] is None
        r.exits(2)

    def no_room_for_three_threads(self):
        """experiments that cannot be made are unknown, and so is the verdict"""
        self.need(fifo=True)
        if sys.maxsize < 1 << 32:
            raise Skip("there is too little address space of 32 bits to take some away")
        # A stack of 512 MiB for each thread, and room for one of them.
        r = self.doctor(under=["prlimit", "--stack=536870912", "--as=1073741824"])
        r.is_("requeue-pi", "ok")
        for name in EXPERIMENTS:
            r.is_(name, "unknown", "pthread_create")
        assert r.all["fit"] is None
        r.exits(2)

    def no_budget(self):
        """a control group without real-time budget: refused though the limit allows it"""
        self.need(fifo=True, root=True)
        group = f"{GROUPS}/rqpi-test-{os.getpid()}"
        try:
            os.mkdir(group)
        except OSError as error:
            raise Skip(f"no control group of version 1 can be made: {error.strerror}") from None
        try:
            with open(f"{group}/cpu.rt_runtime_us", encoding="ascii") as stream:
                assert stream.read() == "0\n"
            into = f'echo $$ >{group}/cgroup.procs && exec "$@"'
            r = self.doctor(under=["sh", "-c", into, "sh"])
            r.is_("sched-fifo", "bad", "refused")
            r.is_("rt-limit", "ok")
            r.is_("rt-cgroup", "bad", f"{group}/cpu.rt_runtime_us is 0")
            r.exits(1)
        except FileNotFoundError:
            raise Skip("this kernel has no real-time budgets for control groups") from None
        finally:
            os.rmdir(group)

    def user_namespace(self):
        """root in a user namespace of its own has a capability that counts for nothing"""
        try:
            r = self.doctor(under=["unshare", "--user", "--map-root-user", "prlimit",
                                   "--rtprio=0"])
        except AssertionError as error:
            raise Skip("no user namespace can be made here") from error
        r.is_("sched-fifo", "bad")
        r.is_("rt-limit", "bad", "outside its user namespace")
        r.exits(1)

    def no_memory_lock(self):
        """without CAP_IPC_LOCK memory is locked up to RLIMIT_MEMLOCK"""
        self.need(root=True)
        r = self.doctor("--no-experiments", under=["prlimit", "--memlock=65536", *WITHOUT_LOCK])
        r.is_("memory-lock", "warning", "RLIMIT_MEMLOCK is 64 KiB")

    def no_experiments(self):
        """--no-experiments starts no real-time threads, and does not say that it is fit"""
        r = self.doctor("--no-experiments")
        for name in EXPERIMENTS:
            r.is_(name, "skipped", "--no-experiments")
        assert r.all["fit"] is not True

    def no_requeue_pi(self):
        """a kernel without requeue PI"""
        r = self.doctor(under=[self.deny, "requeue_pi"])
        r.is_("pi-futex", "ok")
        r.is_("requeue-pi", "bad", "FUTEX_WAIT_REQUEUE_PI was refused: Function not implemented")
        r.exits(1)

    def no_lock_pi2(self):
        """a kernel without FUTEX_LOCK_PI2 is a warning"""
        r = self.doctor("--no-experiments", under=[self.deny, "lock_pi2"])
        r.is_("lock-pi2", "warning", "Function not implemented")
        r.is_("pi-futex", "ok")
        r.is_("requeue-pi", "ok")

    def no_pi(self):
        """a kernel without PI futexes: no mutex, hence no experiment"""
        self.need(fifo=True)
        r = self.doctor(under=[self.deny, "pi"])
        r.is_("pi-futex", "bad", "FUTEX_LOCK_PI was refused")
        r.is_("requeue-pi", "bad")
        r.is_("lock-pi2", "warning")
        r.is_("inherit-pthreads", "unknown", "no mutex of protocol PTHREAD_PRIO_INHERIT")
        r.is_("order-pthreads", "unknown", "could not be tried")
        r.exits(1)

    def preloaded(self):
        """under rqpi run pthreads wake in the right order, and the preload is in effect"""
        self.need(fifo=True, preload=True)
        r = self.doctor(self.program, under=[self.rqpi, "run", "--"])
        r.is_("preload", "ok", "in effect")
        r.is_("condvar", "ok", "librqpi-preload.so")
        r.is_("order-pthreads", "ok", "right order")
        r.is_("program-condvar", "ok", "by the preload")
        r.exits(0)

    def forced(self):
        """where every mutex inherits, the experiments still tell, and a program's mutexes do"""
        self.need(fifo=True, preload=True)
        other = shutil.which("prlimit")
        self.doctor(other).is_("program-mutex", "info", "does not itself ask")
        r = self.doctor(other, under=[self.rqpi, "run", "--force-pi", "--"])
        r.is_("program-mutex", "ok", "each of its mutexes inherits, by the preload")
        r.is_("inherit-pthreads", "ok")
        r.is_("order-pthreads", "ok", "right order")
        r.exits(0)

    def stepped_aside(self):
        """a preload that has stepped aside is not taken for one that works"""
        self.need(fifo=True, preload=True)
        r = self.doctor(under=["env", "RQPI_PRELOAD_OFF=1", self.rqpi, "run", "--"])
        r.is_("preload", "warning", "stepped aside")
        assert r.checks["order-pthreads"]["measured"] == \
            self.doctor().checks["order-pthreads"]["measured"]

    def no_preload(self):
        """a preload that cannot be found"""
        r = self.doctor("--no-experiments", under=["env", "RQPI_PRELOAD=/no/such/preload.so"])
        r.is_("preload", "warning", "was not found")
        assert "/no/such/preload.so" in r.err

    def program_of_libc(self):
        """a program that waits with its C library's condition variables"""
        r = self.doctor("--no-experiments", self.program)
        r.is_("program", "info", "needs libc.so.6")
        r.is_("program-condvar", "warning", "waits on condition variables")
        r.is_("program-mutex", "ok", "asks for mutexes that inherit")
        assert f"rqpi run -- {self.program}" in r.checks["program-condvar"]["mend"]

    def patched(self, name, change):
        """A copy of the program with its bytes changed."""
        path = os.path.join(self.folder, name)
        with open(self.program, "rb") as stream:
            old = stream.read()
        new = change(old)
        assert len(new) == len(old) and new != old
        with open(path, "wb") as stream:
            stream.write(new)
        os.chmod(path, 0o755)
        return path

    def refused(self, path, words):
        r = self.doctor("--no-experiments", path)
        r.is_("program-condvar", "bad", words)
        r.exits(1)

    def static_program(self):
        """a statically linked program"""
        def without_linker(data):
            # Program headers are of 56 bytes, at the offset in bytes 32 to 39; PT_INTERP is 3.
            at = int.from_bytes(data[32:40], "little")
            while data[at:at + 4] != b"\3\0\0\0":
                at += 56
            return data[:at] + b"\0" + data[at + 1:]
        if sys.maxsize < 1 << 32:
            raise Skip("the program's file is of 32 bits")
        self.refused(self.patched("static", without_linker), "statically linked")

    def musl_program(self):
        """a program of another C library"""
        with open(self.program, "rb") as stream:
            data = stream.read()
        at = data.index(b"/ld-linux")
        linker = data[data.rindex(b"\0", 0, at) + 1:data.index(b"\0", at)]
        other = b"/lib/ld-musl.so.1".ljust(len(linker), b"\0")[:len(linker)]
        self.refused(self.patched("musl", lambda d: d.replace(linker, other)), "musl")

    def foreign_program(self):
        """a program for another kind of CPU"""
        self.refused(self.patched("foreign", lambda d: d[:18] + b"\x08\0" + d[20:]),
                     "another kind of CPU")

    def stripped_program(self):
        """a program whose file does not list what it imports"""
        if sys.maxsize < 1 << 32:
            raise Skip("the program's file is of 32 bits")
        # Without a table of sections: its offset, and the number of its entries.
        path = self.patched("stripped", lambda d: d[:40] + b"\0" * 8 + d[48:60] + b"\0" * 4
                            + d[64:])
        r = self.doctor("--no-experiments", path)
        r.is_("program", "info", "dynamic linker")
        r.is_("program-condvar", "unknown", "does not list")

    def setuid_program(self):
        """a setuid program"""
        self.need(root=True)
        path = self.patched("setuid", lambda d: d[:-1] + bytes([d[-1] ^ 1]))
        os.chown(path, 65534, -1)
        os.chmod(path, 0o4755)
        self.refused(path, "setuid")

    def script(self):
        """a script: what runs it"""
        path = os.path.join(self.folder, "script")
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f"#!/usr/bin/env {self.program}\n")
        os.chmod(path, 0o755)
        r = self.doctor("--no-experiments", path)
        r.is_("program", "info", f"{path}, run by {self.program}")
        r.is_("program-condvar", "warning")

    def no_elf(self):
        """a file that no kernel runs"""
        path = os.path.join(self.folder, "text")
        with open(path, "w", encoding="ascii") as stream:
            stream.write("hello\n")
        os.chmod(path, 0o755)
        r = self.doctor("--no-experiments", path)
        r.is_("program", "unknown", "no ELF file")

    def no_program(self):
        """a program that is not there"""
        done = subprocess.run([self.rqpi, "doctor", "/no/such/program"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=SECONDS)
        assert done.returncode == 2 and "/no/such/program" in done.stderr, done


def main(arguments):
    failed = number = 0
    with tempfile.TemporaryDirectory() as folder:
        cases = Cases(*arguments, folder)
        for name, method in Cases.__dict__.items():
            if name in HELPERS or not callable(method):
                continue
            number += 1
            title = method.__doc__
            try:
                method(cases)
                print(f"ok {number} - {title}", flush=True)
            except Skip as reason:
                print(f"ok {number} - {title} # SKIP {reason}", flush=True)
            except (AssertionError, KeyError, ValueError) as error:
                failed += 1
                print(f"not ok {number} - {title}\n# {error!r}", flush=True)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
