# SPDX-License-Identifier: MIT
"""One run of one program: starting its processes, looking at what they said, ending them.

Place is what a program's function (realtime.py, servers.py, languages.py) gets. Everything that it
starts stands under the preload if the mode says so, writes into a folder of its own, and is gone
at the end. Used by scripts/programs.py.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import time

import watch


def heed_signals():
    """A shell lets what it runs in the background ignore these; CPython's tests send them."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


class TimeLimit(Exception):
    """The program did not come to its end in time."""


class Cannot(Exception):
    """This cannot be run here, whatever libc it runs on; the text says why."""


class Place:
    """`front` is the command that puts the preload under a program, or [] for libc alone."""

    def __init__(self, folder, front, env, seconds):
        self.folder = folder
        self.front = front
        self.env = dict(env, HOME=folder, TMPDIR=folder, XDG_RUNTIME_DIR=folder)
        self.deadline = time.monotonic() + seconds
        self.seconds = seconds
        self.logs = []
        self.checks = []  # (what was looked at, True: as it should be)
        self.figure = None  # (value, unit)

    # ---- what a program's function says

    def check(self, what, good):
        self.checks.append((what, bool(good)))
        return bool(good)

    def measured(self, value, unit):
        self.figure = (float(value), unit)

    # ---- what it starts

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, name, argv, user=None, env=None, keep_input=False):
        """A process; its output goes to NAME.out and NAME.err. `user`: not as root."""
        out, err = self.path(name + ".out"), self.path(name + ".err")
        self.logs += [log for log in (out, err) if log not in self.logs]
        command = list(argv)
        if user and os.getuid() == 0:
            entry = pwd.getpwnam(user)
            command = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}",
                       "--clear-groups", "--"] + command
        with open(out, "w", encoding="utf-8") as stdout, open(err, "w", encoding="utf-8") as stderr:
            return subprocess.Popen(
                self.front + command, stdout=stdout, stderr=stderr, cwd=self.folder,
                stdin=subprocess.PIPE if keep_input else subprocess.DEVNULL,
                env=dict(self.env, **(env or {})), start_new_session=True,
                preexec_fn=heed_signals)

    def wait(self, process, seconds=None):
        """Its exit status. Not back in time: the end of this run."""
        left = self.deadline - time.monotonic()
        try:
            return process.wait(max(0.1, min(left, seconds) if seconds else left))
        except subprocess.TimeoutExpired:
            name = os.path.basename(process.args[len(self.front)])
            raise TimeLimit(f"{name} was not back after {seconds or self.seconds} s") from None

    def run(self, name, argv, user=None, env=None):
        """(exit status, what it said on stdout)"""
        status = self.wait(self.start(name, argv, user, env))
        return status, self.said(name + ".out")

    def said(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def until(self, condition, what, seconds=20):
        end = min(self.deadline, time.monotonic() + seconds)
        while not condition():
            if time.monotonic() > end:
                raise TimeLimit(f"waited in vain for {what}")
            time.sleep(0.05)

    def give_to(self, user, name):
        """A folder that this user may write to."""
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        if os.getuid() == 0:
            shutil.chown(path, user)
        os.chmod(path, 0o700)
        return path

    # ---- afterwards

    def stepped_aside(self):
        """What the preload complained of, if it did not work; '' if it said nothing."""
        for log in self.logs:
            with open(log, encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    if "; stepping aside" in line or "ld.so: object" in line:
                        return line.strip()
        return ""

    def remarks(self):
        """What else the preload said, each thing once."""
        said = []
        for log in self.logs:
            with open(log, encoding="utf-8", errors="replace") as stream:
                said += re.findall(r"rqpi: preload: (.*)", stream.read())
        return sorted(set(said))

    def tails(self, lines=8):
        """The last lines of every output."""
        for log in self.logs:
            text = self.said(log).splitlines()
            if text:
                yield f"{os.path.basename(log)}:"
                yield from ("    " + line[:200] for line in text[-lines:])


def in_place(place, function, preload, programs):
    """Run it, watched; return the Watcher and what ended it too early ('' if nothing did)."""
    watcher = watch.Watcher(preload, programs)
    watcher.start()
    ended = ""
    try:
        function(place)
    except TimeLimit as limit:
        ended = str(limit)
    finally:
        watcher.stop()
        watch.kill_descendants()
    return watcher, ended
