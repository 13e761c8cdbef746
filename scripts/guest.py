#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A kernel of Debian's, a small system around our tests, and a run of it under qemu.

Owns how kernels are fetched (never installed), what is in the initramfs and the protocol on the
second serial port, which tests/kernels/init speaks. What the results mean is the business of
check_rt.py, which imports this.
"""

import glob
import os
import re
import secrets
import shlex
import shutil
import subprocess
import time

import tree

INIT = os.path.join(tree.ROOT, "tests", "kernels", "init")
MEGABYTES = 1024
COMMAND_LINE = "console=ttyS0 panic=-1 oops=panic quiet"
# Read by dlopen(3), so that ldd does not tell: thread cancellation wants it.
ALSO = ("libgcc_s.so.1",)
# What the kernel says on its console where it has found itself to be wrong. Stalls are no such
# thing here: an emulated CPU stands still whenever this machine has none to spare for it.
COMPLAINTS = re.compile(r"\b(BUG:|WARNING:|Oops:|Kernel panic|general protection fault|"
                        r"INFO: task .* blocked for|unreferenced object)")
STALLS = re.compile(r"soft lockup|rcu.*detected.*stall|self-detected stall|clocksource.*unstable|"
                    r"hrtimer: interrupt took|sched: (RT|DL) .*throttling", re.I)


class Cannot(Exception):
    """What is missing here, in words: nothing could be tested."""


def run(*command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **more)


def newest(meta):
    """(package, version) of the kernel that the package META asks for, or None."""
    lines = run("apt-cache", "depends", "--important", meta).stdout.splitlines()
    names = [line.split()[-1] for line in lines
             if re.match(r"\s*\|?Depends: linux-image-", line)]
    for name in names:
        version = re.search(r"^\s*Candidate: (\S+)", run("apt-cache", "policy", name).stdout, re.M)
        if version and version.group(1) != "(none)":
            return name, version.group(1)
    return None


def fetch(meta, place):
    """The kernel of Debian's package META, as a file below PLACE; None: apt has no such package."""
    found = newest(meta)
    if not found:
        return None
    package, version = found
    folder = os.path.join(place, f"{package}_{version.replace(':', '-')}")
    if not glob.glob(os.path.join(folder, "vmlinuz-*")):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        got = run("apt-get", "-q", "download", package, cwd=folder)
        archives = glob.glob(os.path.join(folder, "*.deb"))
        if got.returncode or not archives:
            raise Cannot(f"apt-get download {package}: {got.stderr.strip()}")
        unpack(archives[0], folder)
        os.remove(archives[0])
    return glob.glob(os.path.join(folder, "vmlinuz-*"))[0]


def unpack(archive, folder):
    """Only the kernel itself: nothing that is done here needs a module."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive],
                          stdout=subprocess.PIPE) as source:
        subprocess.run(["tar", "-x", "-C", folder, "--strip-components=2", "--wildcards",
                        "./boot/vmlinuz-*"], stdin=source.stdout, check=False)
    if source.returncode or not glob.glob(os.path.join(folder, "vmlinuz-*")):
        raise Cannot(f"{archive}: no kernel in it")


def libraries(path):
    """The shared libraries of a program or library, as ldd finds them; none for a script."""
    said = run("ldd", path).stdout
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, re.M)


class System:
    """What is in the initramfs: each file has the path that it has here."""

    def __init__(self, folder):
        self.root = os.path.join(folder, "root")
        self.archive = os.path.join(folder, "initramfs")
        self.mark = f"@{secrets.token_hex(6)}"
        self.list = []
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("bin", "proc", "sys", "dev", "tmp", "scratch", "check", "etc"):
            os.makedirs(os.path.join(self.root, name))
        shutil.copy2(INIT, os.path.join(self.root, "init"))
        self.add_busybox()
        for name, text in (("check/mark", self.mark + "\n"),
                           ("etc/passwd", "root:x:0:0:root:/scratch:/bin/sh\n"),
                           ("etc/group", "root:x:0:\n")):
            self.write(name, text)

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w", encoding="utf-8") as stream:
            stream.write(text)

    def add_busybox(self):
        busybox = shutil.which("busybox")
        if libraries(busybox):
            raise Cannot(f"{busybox} needs shared libraries: the package busybox-static has one "
                         "that does not")
        shutil.copy2(busybox, os.path.join(self.root, "bin", "busybox"))
        for name in run(busybox, "--list").stdout.split():
            if name != "busybox":
                os.symlink("busybox", os.path.join(self.root, "bin", name))

    def add(self, path):
        """One file, and what it is linked with."""
        path = os.path.abspath(path)
        to = self.root + path
        if os.path.lexists(to):
            return
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy2(path, to)
        for library in libraries(path):
            self.add(library)
            for name in ALSO:
                beside = os.path.join(os.path.dirname(library), name)
                if os.path.exists(beside):
                    self.add(beside)

    def add_test(self, name, seconds, command, env):
        """COMMAND, with ENV, is to run as NAME and be ended after SECONDS."""
        number = len(self.list)
        lines = ["cd /scratch"]
        lines += [f"export {key}={shlex.quote(value)}" for key, value in env.items()]
        lines.append("exec " + " ".join(shlex.quote(word) for word in command))
        self.write(f"check/{number}", "\n".join(lines) + "\n")
        self.list.append((name, seconds, f"/check/{number}"))

    def pack(self):
        self.write("check/list", "".join(f"{name} {seconds} {script}\n"
                                         for name, seconds, script in self.list))
        with open(self.archive, "wb") as stream:
            done = subprocess.run("find . -print0 | cpio --null -o -H newc --quiet -R 0:0",
                                  shell=True, cwd=self.root, stdout=stream, check=False)
        if done.returncode:
            raise Cannot("cpio could not write the initramfs")


class Boot:
    """One run of one kernel: `ended`, `facts`, `tests` {name: (status, seconds, output)},
    `unfinished` (a name, or None), `complaints`, `stalls`, `seconds`."""

    def __init__(self, kernel, system, cpus, folder):
        self.kernel, self.system, self.cpus = kernel, system, cpus
        self.console = os.path.join(folder, "console")
        self.results = os.path.join(folder, "results")
        self.facts, self.tests, self.unfinished = {}, {}, None
        self.ended, self.complaints, self.stalls = None, [], []
        self.seconds = 0

    def command(self):
        return ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max",
                "-smp", str(self.cpus), "-m", str(MEGABYTES), "-nodefaults", "-nographic",
                "-no-reboot", "-kernel", self.kernel, "-initrd", self.system.archive,
                "-append", COMMAND_LINE, "-serial", f"file:{self.console}",
                "-serial", f"file:{self.results}"]

    def play(self, seconds, progress=None):
        """Until it ends, SECONDS are over, or a test takes much longer than init lets it."""
        for path in (self.console, self.results):
            open(path, "wb").close()
        longest = max(limit for _, limit, _ in self.system.list) + 120
        began = moved = time.monotonic()
        size = 0
        with subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as qemu:
            try:
                while qemu.poll() is None and not self.ended:
                    time.sleep(0.2)
                    now = time.monotonic()
                    if os.path.getsize(self.results) != size:
                        size, moved = os.path.getsize(self.results), now
                        if progress:
                            progress(self.last_begun())
                    if now - began > seconds:
                        self.ended = f"was not done after {seconds} s"
                    elif now - moved > longest:
                        self.ended = f"said nothing for {longest} s"
            finally:
                qemu.kill()
            said = qemu.stderr.read().decode("utf-8", "replace").strip()
        self.seconds = round(time.monotonic() - began)
        if qemu.returncode and not self.ended:
            self.ended = f"qemu ended with status {qemu.returncode}: {said}"
        self.read()

    def text(self, path):
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().replace("\r\n", "\n")

    def last_begun(self):
        begun = re.findall(rf"^{self.system.mark} RUN (\S+)$", self.text(self.results), re.M)
        return begun[-1] if begun else None

    def read(self):
        """What the two serial ports said, into the members."""
        done = False
        said = []
        for line in self.text(self.results).split("\n"):
            words = line.split(" ")
            if words[0] != self.system.mark:
                said.append(line)
            elif words[1] == "FACT":
                self.facts[words[2]] = " ".join(words[3:])
            elif words[1] == "RUN":
                self.unfinished, said = words[2], []
            elif words[1] == "END":
                output = "\n".join(said).strip("\n") + "\n"
                self.tests[words[2]] = (int(words[3]), int(words[4]), output)
                self.unfinished = None
            else:
                done = True
        console = self.text(self.console).split("\n")
        self.complaints = [line.strip() for line in console if COMPLAINTS.search(line)]
        self.stalls = [line.strip() for line in console if STALLS.search(line)]
        if not done and not self.ended:
            self.ended = "ended before all was done"

    def last_words(self, count=40):
        return self.text(self.console).rstrip().split("\n")[-count:]
