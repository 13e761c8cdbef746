#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the preload's probes write (src/shim/trace_record.h) about stats_program.

t_probes.py PRELOAD_MUTEX STATS_PROGRAM. Output: TAP. Exit status: 0 unless a case failed.
In the environment: RQT_CASE: only the case of that name; RQPI_PRELOAD: the library beside this one.
"""

import collections
import mmap
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from tap import Skip, equal, run_cases

PRELOAD, PROGRAM = sys.argv[1:3]
if "RQPI_PRELOAD" in os.environ:
    PRELOAD = os.path.join(os.path.dirname(os.environ["RQPI_PRELOAD"]), os.path.basename(PRELOAD))
SECONDS = 40
NEEDS_FIFO = 77
MAGIC, VERSION = 0x65636172542E7172, 1
HEADER = struct.Struct("<Q8I24x")
RECORD = struct.Struct("<4I4Q4hiI128s")
SLOTS = 1000
LOCK, LOCKED, WAIT, WAITED, RELEASE, RELEASED, THREAD, PLACE = range(1, 9)
INHERIT = 0x20
CODE = 2
FIFO, OTHER, UNKNOWN = 1, 0, -1
ETIMEDOUT = 110

Record = collections.namedtuple("Record", """type pid tid other ns address partner site policy
priority its_policy its_priority value kind name""")
assert (HEADER.size, RECORD.size) == (64, 192)


class Trace:
    """A file for records, and what is in it."""

    def __init__(self, slots=SLOTS, enabled=1, memory=None, magic=MAGIC, version=VERSION):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "records")
        if memory is None:
            with open(self.path, "wb") as out:
                out.write(HEADER.pack(magic, version, slots, 0, 0, enabled, 0, 0, 0))
                out.truncate(HEADER.size + slots * RECORD.size)
            memory = self.path
        with open(memory, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def header(self):
        names = "magic version slots used lost enabled attached maker unused".split()
        return dict(zip(names, HEADER.unpack_from(self.memory)))

    def enable(self, session):
        struct.pack_into("<I", self.memory, 24, session)

    def records(self, *types):
        header = self.header()
        found = []
        for i in range(min(header["used"], header["slots"])):
            one = Record(*RECORD.unpack_from(self.memory, HEADER.size + i * RECORD.size))
            one = one._replace(name=one.name.split(b"\0")[0].decode("ascii"))
            if not types or one.type in types:
                found.append(one)
        return found


def environment(trace, more=None):
    env = {name: value for name, value in os.environ.items() if not name.startswith("RQPI_")}
    return {**env, "LD_PRELOAD": PRELOAD, "RQPI_TRACE": trace, **(more or {})}


def run(trace, scene, expect=0, more=None, command=None):
    done = subprocess.run(command or [PROGRAM, scene], env=environment(trace.path, more),
                          timeout=SECONDS, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode == NEEDS_FIFO:
        raise Skip("no right to SCHED_FIFO")
    assert done.returncode == expect, f"exit status {done.returncode}: {done.stderr}"
    return done


def play(scene, expect=0, more=None, slots=SLOTS):
    """The trace of a scene, which says nothing on standard error."""
    trace = Trace(slots)
    equal("what it said", run(trace, scene, expect, more).stderr, "")
    return trace


def locks(trace):
    return [one for one in trace.records(PLACE) if one.kind != CODE]


def places(trace):
    return {(one.pid, one.address): one.name for one in locks(trace)}


def code(trace):
    return {(one.pid, one.address): one.name for one in trace.records(PLACE) if one.kind == CODE}


def names(trace):
    return {one.tid: one.name for one in trace.records(THREAD)}


def of_lock(trace, symbol, *types):
    here = [address for (_, address), name in places(trace).items()
            if name.split("+")[0].split(" ")[0] == symbol]
    return [one for one in trace.records(*types) if one.address in here]


def pairs(trace, begin, end):
    """(begin, end) of each wait or release: those of a thread follow each other."""
    open_ones, found = {}, []
    for one in trace.records(begin, end):
        if one.type == begin:
            assert one.tid not in open_ones, f"two at a time: {one}"
            open_ones[one.tid] = one
        else:
            first = open_ones.pop(one.tid)
            assert first.address == one.address and first.ns <= one.ns, (first, one)
            found.append((first, one))
    assert not open_ones, f"never ended: {open_ones}"
    return found


def an_inversion_is_told_with_names_and_priorities():
    trace = play("inversion")
    [(lock, locked)] = pairs(trace, LOCK, LOCKED)
    equal("waiter", names(trace)[lock.tid], "controller")
    equal("owner", names(trace)[lock.other], "logger")
    equal("waiter's policy", (lock.policy, lock.priority), (FIFO, 10))
    equal("owner's policy", (lock.its_policy, lock.its_priority), (OTHER, 0))
    equal("value", locked.value, 0)
    equal("inherits", lock.kind & INHERIT, 0)
    equal("place", places(trace)[lock.pid, lock.address],
          f"the_lock ({os.path.basename(PROGRAM)})")
    assert 500_000 < locked.ns - lock.ns < 5_000_000_000, (lock, locked)
    equal("attached", trace.header()["attached"], 1)


def waits_and_wakes_are_told_one_by_one():
    for more in ({}, {"RQPI_FORCE_PI": "1"}):
        trace = play("counts", more=more)
        waits = pairs(trace, LOCK, LOCKED)
        wanted = {"the_lock": [0] * 5, "many_locks": [ETIMEDOUT] * 3}
        for symbol, values in wanted.items():
            here = {one.address for one in of_lock(trace, symbol, LOCK)}
            equal(symbol, [end.value for begin, end in waits if begin.address in here], values)
        equal("waits", len(waits), 8)
        equal("inherits", {begin.kind & INHERIT for begin, _ in waits},
              {INHERIT if more else 0})
        equal("waiters", {names(trace)[begin.tid] for begin, _ in waits}, {"controller", "hasty"})
        waits = pairs(trace, WAIT, WAITED)
        equal("cond waits", sorted(end.value for _, end in waits), [0] * 6 + [ETIMEDOUT] * 2)
        releases = pairs(trace, RELEASE, RELEASED)
        equal("releases", sorted(begin.value for begin, _ in releases), [0] * 5 + [1])
        mutexes = {one.address for one in of_lock(trace, "the_lock", LOCK)}
        equal("mutex of the condvar", {begin.partner for begin, _ in waits}, mutexes)
        for begin, _ in waits + releases:
            equal("place", places(trace)[begin.pid, begin.address],
                  f"the_cond ({os.path.basename(PROGRAM)})")
            assert begin.site != 0, begin
        equal("condvars", {one.name.split(" ")[0] for one in locks(trace) if one.kind},
              {"the_cond"})
        equal("code that waits or releases",
              {code(trace)[one.pid, one.site].split("+")[0]
               for one in trace.records(LOCK, WAIT, RELEASE)} - {"wait_once"},  # clang inlines it
              {"lock_and_unlock", "lock_for_a_while", "wait_for_token", "scene_counts"})
        equal("lost", trace.header()["lost"], 0)


def an_order_of_time_is_told():
    trace = play("counts")
    for begin, end in pairs(trace, RELEASE, RELEASED):
        woken = [b for b, e in pairs(trace, WAIT, WAITED) if b.ns < begin.ns < e.ns]
        equal("waits around a release", len(woken), 1)
        assert begin.ns <= end.ns


def threads_are_told_once():
    trace = play("counts")
    told = [(one.tid, one.name) for one in trace.records(THREAD)]
    equal("names told twice", [one for one in set(told) if told.count(one) > 1], [])
    actors = {one.tid for one in trace.records(LOCK, WAIT, RELEASE)}
    equal("threads without a name", actors - {tid for tid, _ in told}, set())


def a_name_of_any_bytes_is_told():
    [one] = [one for one in play("odd-names").records(THREAD) if one.name.startswith("a")]
    equal("name", one.name, 'a"b\\c?d')


def a_cancelled_wait_is_told():
    for more in ({}, {"RQPI_FORCE_PI": "1"}):
        [(_, end)] = pairs(play("cancel", more=more), WAIT, WAITED)
        equal("value", end.value, -1)


def a_lock_on_the_heap_is_named_by_its_maker():
    trace = play("lives")
    equal("places", [one.name.split("+")[0] for one in locks(trace)], ["make_a_mutex"])
    equal("by the maker", [one.value for one in locks(trace)], [1])
    equal("waits", len(pairs(trace, LOCK, LOCKED)), 3)


def nothing_is_changed():
    """glibc's order of wakes, which the preload would mend."""
    def order(env):
        done = subprocess.run([PROGRAM, "order"], env=env, timeout=SECONDS, check=False,
                              text=True, stdout=subprocess.PIPE)
        if done.returncode == NEEDS_FIFO:
            raise Skip("no right to SCHED_FIFO")
        return done.stdout
    trace = Trace()
    bare = order({**os.environ, "LD_PRELOAD": ""})
    equal("order", order(environment(trace.path)), bare)
    equal("waits", len(pairs(trace, WAIT, WAITED)), 3)
    equal("with --force-pi", order(environment(Trace().path, {"RQPI_FORCE_PI": "1"})),
          "20 40 10\n")


def every_kind_answers_as_without():
    bare = subprocess.run([PROGRAM, "kinds"], env={**os.environ, "LD_PRELOAD": ""},
                          timeout=SECONDS, check=True, text=True, stdout=subprocess.PIPE).stdout
    assert bare.count("init 0") > 20, bare
    equal("what the kinds answer", run(Trace(), "kinds").stdout, bare)


def a_forked_child_goes_on_in_the_file():
    trace = play("fork")
    equal("attached", trace.header()["attached"], 2)
    waits = collections.Counter((begin.pid, names(trace)[begin.tid])
                                for begin, _ in pairs(trace, LOCK, LOCKED))
    parent, child = sorted(waits, key=lambda who: -waits[who])
    equal("waits", (waits[parent], waits[child]), (3, 1))
    equal("names", (parent[1], child[1]), ("parents", "offspring"))
    assert parent[0] != child[0]
    equal("processes with places", {pid for pid, _ in places(trace)}, {parent[0], child[0]})


def a_program_that_another_becomes_goes_on():
    trace = Trace()
    run(trace, None, command=["/bin/sh", "-c", f"{PROGRAM} equals; exec {PROGRAM} equals"])
    waits = pairs(trace, LOCK, LOCKED)
    equal("waits", len(waits), 2)
    equal("processes", len({begin.pid for begin, _ in waits}), 2)
    assert trace.header()["attached"] >= 3, trace.header()


def a_quick_end_tells_the_places():
    for scene in ("quick-end", "quick-end-c99"):
        equal(scene, [one.name.split(" ")[0] for one in locks(play(scene))], ["the_lock"])


def a_child_of_vfork_tells_nothing():
    trace = play("vfork")
    equal("places", len(locks(trace)), 1)
    equal("attached", trace.header()["attached"], 1)


def a_killed_process_leaves_what_was():
    trace = play("stuck", expect=-signal.SIGUSR2)
    equal("records", [one.type for one in trace.records() if one.type != THREAD], [LOCK])
    [lock] = trace.records(LOCK)
    equal("who", (names(trace)[lock.tid], names(trace)[lock.other]), ("stuck", "keeper"))


def a_sandboxed_process_survives():
    trace = play("sandboxed")
    [(lock, _)] = pairs(trace, LOCK, LOCKED)
    equal("who", names(trace)[lock.tid], "renderer")
    equal("owner's policy", lock.its_policy, UNKNOWN)
    equal("places", trace.records(PLACE), [])
    equal("attached", trace.header()["attached"], 2)
    done = subprocess.run([PROGRAM, "sandboxed"], env=environment("memfd"), timeout=SECONDS,
                          check=False, text=True, stderr=subprocess.PIPE)
    equal("with a file of its own", (done.returncode, done.stderr), (0, ""))


def a_full_file_counts_what_it_lost():
    whole = play("counts")
    events = len(whole.records()) - len(whole.records(THREAD, PLACE))
    slots = 32
    trace = play("counts", slots=slots)
    equal("slots filled", len([one for one in trace.records() if one.type]), slots)
    kept = len(trace.records()) - len(trace.records(THREAD, PLACE))
    told = len(whole.records(THREAD, PLACE)) - len(trace.records(THREAD, PLACE))
    equal("lost and kept", trace.header()["lost"] + kept, events + told)
    assert trace.records(THREAD), "the last slots are for names"
    assert kept <= slots - slots // 16, kept


def a_trace_that_is_not_on_has_nothing():
    trace = Trace(enabled=0)
    run(trace, "counts")
    equal("records", trace.records(), [])
    equal("attached", trace.header()["attached"], 1)


def a_file_that_is_none_of_ours_is_left_alone():
    for wrong in ({"magic": 1}, {"version": VERSION + 1}):
        trace = Trace(**wrong)
        said = run(trace, "equals").stderr
        assert f"RQPI_TRACE={trace.path}: not a file of this version" in said, said
        equal("attached", trace.header()["attached"], 0)
    trace = Trace()
    with open(trace.path, "r+b") as short:
        short.truncate(HEADER.size + 5)
    assert "not a file of this version" in run(trace, "equals").stderr
    trace.path = trace.folder.name
    assert "cannot be mapped" in run(trace, "equals").stderr
    trace.path += "/gone"
    equal("a trace that has ended", run(trace, "equals").stderr, "")


def a_report_may_be_asked_for_as_well():
    trace = Trace()
    said = run(trace, "equals", more={"RQPI_STATS": "text"}).stderr
    assert "MUTEX the_lock" in said, said
    equal("waits", len(pairs(trace, LOCK, LOCKED)), 1)


# ---- RQPI_TRACE=memfd ----

def own_file(pid):
    """The file that a process made for itself; None: there is none yet."""
    for one in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{one}"
        try:
            if os.readlink(path).startswith("/memfd:rqpi-trace"):
                trace = Trace(memory=path)
                if trace.header()["maker"] == pid:
                    return trace
        except OSError:
            continue
    return None


def await_that(what, condition):
    end = time.monotonic() + 10
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.002)


def a_process_can_make_a_file_of_its_own():
    with subprocess.Popen(["/bin/sh", "-c", f"read x; {PROGRAM} counts; read x"],
                          env=environment("memfd:500"), stdin=subprocess.PIPE, text=True) as shell:
        trace = await_that("a file of the shell", lambda: own_file(shell.pid))
        header = trace.header()
        equal("slots", header["slots"], 500)
        equal("enabled", header["enabled"], 0)
        equal("attached", header["attached"], 1)
        shell.communicate("\n\n", timeout=SECONDS)


def it_is_turned_on_from_outside():
    with subprocess.Popen([PROGRAM, "patient"], env=environment("memfd"), stdin=subprocess.PIPE,
                          text=True, stdout=subprocess.PIPE) as program:
        program.stdout.readline()
        trace = await_that("a file", lambda: own_file(program.pid))
        time.sleep(0.05)
        equal("records", trace.records(), [])
        trace.enable(4711)
        await_that("waits", lambda: len(trace.records(WAITED)) > 3)
        trace.enable(0)
        time.sleep(0.05)
        count = len(trace.records())
        first = names(trace)
        time.sleep(0.05)
        equal("records after the end", len(trace.records()), count)
        trace.enable(4712)
        await_that("waits", lambda: len(trace.records()) > count + 3)
        again = {one.tid: one.name for one in trace.records(THREAD)[len(first):]}
        equal("names, told again in another trace", again, first)
        program.communicate("\n", timeout=SECONDS)
    equal("places", {name.split(" ")[0] for name in places(trace).values()}, {"the_cond"})


def a_child_makes_a_file_of_its_own():
    with subprocess.Popen([PROGRAM, "patient-child"], env=environment("memfd"),
                          stdin=subprocess.PIPE, text=True, stdout=subprocess.PIPE) as program:
        child = int(program.stdout.readline())
        of_parent = await_that("a file", lambda: own_file(program.pid))
        of_child = await_that("a file of the child", lambda: own_file(child))
        others = [one for one in os.listdir(f"/proc/{child}/fd")
                  if "rqpi-trace" in os.readlink(f"/proc/{child}/fd/{one}")]
        equal("files that the child has", len(others), 1)
        of_child.enable(1)
        await_that("waits", lambda: len(of_child.records(WAITED)) > 3)
        equal("records of the parent", of_parent.records(), [])
        program.communicate("\n", timeout=SECONDS)


CASES = [
    an_inversion_is_told_with_names_and_priorities, waits_and_wakes_are_told_one_by_one,
    an_order_of_time_is_told, threads_are_told_once, a_name_of_any_bytes_is_told,
    a_cancelled_wait_is_told, a_lock_on_the_heap_is_named_by_its_maker, nothing_is_changed,
    every_kind_answers_as_without, a_forked_child_goes_on_in_the_file,
    a_program_that_another_becomes_goes_on,
    a_quick_end_tells_the_places, a_child_of_vfork_tells_nothing,
    a_killed_process_leaves_what_was, a_sandboxed_process_survives, a_full_file_counts_what_it_lost,
    a_trace_that_is_not_on_has_nothing, a_file_that_is_none_of_ours_is_left_alone,
    a_report_may_be_asked_for_as_well, a_process_can_make_a_file_of_its_own,
    it_is_turned_on_from_outside, a_child_makes_a_file_of_its_own,
]


if __name__ == "__main__":
    sys.exit(run_cases(CASES))
