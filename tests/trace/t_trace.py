#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`rqpi trace` on inversion_program, which plants an inversion, or none: is it diagnosed by name?

t_trace.py RQPI INVERSION_PROGRAM. Output: TAP. Exit status: 0 unless a case failed. What this
machine does not allow (SCHED_FIFO, events of the kernel, a preload) is skipped by name. RQT_CASE in
the environment: only the case of that name.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from tap import Skip, equal, run_cases

RQPI, PROGRAM = sys.argv[1:3]
SECONDS = 60
NEEDS_FIFO = 77
TRIES = 3
HOG_MS = 20
FILE = os.path.basename(PROGRAM)
LOCK = f"the_lock ({FILE})"

KERNEL = ["--no-preload"]
PRELOAD = ["--no-kernel"]
BOTH = []


def finished(command, code=None, **more):
    done = subprocess.run(command, timeout=SECONDS, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **more)
    assert code in (None, done.returncode), f"status {done.returncode}: {done.stderr}{done.stdout}"
    return done


def need(told, sources):
    """Skip what the machine does not allow; the command says so by the sentence in the report."""
    if told["status"] == NEEDS_FIFO:
        raise Skip("no right to SCHED_FIFO")
    for source, other in (("kernel", PRELOAD), ("preload", KERNEL)):
        if sources != other and told["sources"][source] is not True:
            raise Skip(f"{source}: {told['sources'][source]}")


def trace(sources, scene, found=False):
    """The report on inversion_program SCENE."""
    for _ in range(TRIES):
        done = finished([RQPI, "trace", *sources, "--json", "-o", os.devnull, "--", PROGRAM, scene,
                         str(HOG_MS)])
        if not done.stdout and "nothing to trace it with" in done.stderr:
            raise Skip(" ".join(done.stderr.split("\n")[1:3]).strip())
        assert done.returncode in (0, 1), f"status {done.returncode}: {done.stderr}"
        told = json.loads(done.stdout)
        need(told, sources)
        if not told["lost"]:
            break
        print(f"# {told['lost']} events were lost: others keep this machine busy", flush=True)
    assert told["lost"] == 0, told["lost"]
    equal("the program's status", told["status"], 0)
    equal("exit status", done.returncode, int(found))
    return told


def person(thread):
    return thread and (thread["name"], thread["policy"], thread["priority"])


def only(what, all_of_them):
    assert len(all_of_them) == 1, f"{len(all_of_them)} {what}: {json.dumps(all_of_them, indent=1)}"
    return all_of_them[0]


def wait_for(told, name, lock):
    """The only wait of thread NAME for LOCK, inversion or not."""
    return only(f"waits of {name} for {lock}",
                [one for one in told["inversions"] + told["waits"]
                 if one["waiter"]["name"] == name and one["lock"]["name"] == lock])


def check_inversion(inversion, sources):
    equal("waiter", person(inversion["waiter"]), ("HIGH", "FIFO", 40))
    equal("owner", person(inversion["owner"]), ("LOW", "FIFO", 10))
    equal("lock", inversion["lock"]["name"], LOCK)
    equal("lock's type", inversion["lock"]["type"], "mutex")
    equal("inherits", inversion["lock"]["inherits"], False)
    if sources != KERNEL:  # there it depends on when it was looked
        equal("owner's being inferred", inversion["owner"]["inferred"], False)
    assert HOG_MS <= inversion["wait_ns"] / 1e6 < 1000, inversion
    assert any("PTHREAD_PRIO_INHERIT" in one for one in inversion["advice"]), inversion["advice"]
    assert any("rqpi run --force-pi" in one for one in inversion["advice"]), inversion["advice"]
    if sources == PRELOAD:
        equal("what the scheduler did", inversion["starved_ns"], None)
        return
    culprit = inversion["culprits"][0]
    equal("culprit", (culprit["name"], culprit["priority"], culprit["ran_at"]), ("HOG", 20, 20))
    assert 0.75 * HOG_MS <= culprit["ns"] / 1e6 <= inversion["starved_ns"] / 1e6, inversion
    assert inversion["starved_ns"] + inversion["owner_ran_ns"] <= inversion["wait_ns"], inversion
    assert inversion["owner_ran_ns"] >= 900_000, inversion  # LOW's own work is a millisecond
    if sources == BOTH:
        assert inversion["site"].startswith("lock+0x") and FILE in inversion["site"], inversion


def check_planted(sources):
    told = trace(sources, "normal", found=True)
    check_inversion(only("inversions", told["inversions"]), sources)
    row = only("locks", [one for one in told["locks"] if one["name"] == LOCK])
    equal("inversions of it", (row["inversions"], row["boosts"]), (1, 0))


def an_inversion_is_diagnosed_by_name():
    check_planted(BOTH)


def an_inversion_is_diagnosed_by_kernel_events_alone():
    check_planted(KERNEL)


def an_inversion_is_seen_by_the_probes_alone():
    check_planted(PRELOAD)


def each_of_several_is_told():
    told = trace(KERNEL, "again", found=True)
    equal("inversions", len(told["inversions"]), 5)
    for one in told["inversions"]:
        check_inversion(one, KERNEL)


def the_text_says_the_same():
    trace(BOTH, "normal", found=True)  # or skipped
    done = finished([RQPI, "trace", "-o", os.devnull, "--", PROGRAM, "normal"], 1)
    for words in ("\n1 inversion", f"FIFO 40 waited ", f" for {LOCK}", "held by LOW[",
                  "could not run", "HOG[", "does not inherit priority", "what to do: "):
        assert words in done.stdout, f"{words}: {done.stdout}"


def check_no_inversion(sources, scene, held_up=0):
    told = trace(sources, scene, found=held_up > 0)
    equal("signals held up", told["signals_held_up"], held_up)
    equal("inversions", told["inversions"], [])
    equal("inversions of locks", [one for one in told["locks"] if one["inversions"]], [])
    return told


def rises(told):
    """Boosts in the program; others may have some, too."""
    ours = {one["tid"] for one in told["threads"] if one["traced"]}
    return [one for one in told["boosts"]
            if one["whom"]["tid"] in ours and one["to"] > one["from"]]


def with_inheritance_it_is_a_boost():
    for sources in (KERNEL, BOTH, PRELOAD):
        told = check_no_inversion(sources, "inherit")
        one = wait_for(told, "HIGH", LOCK)
        equal("owner", person(one["owner"]), ("LOW", "FIFO", 10))
        equal("boosted", (one["boosted"], one["lock"]["inherits"]), (True, True))
        assert one["wait_ns"] / 1e6 < HOG_MS, one
        if sources == PRELOAD:
            continue
        boost = only("boosts", rises(told))
        equal("boost", (boost["by"]["name"], boost["whom"]["name"], boost["from"], boost["to"],
                        boost["lock"]["name"]), ("HIGH", "LOW", 10, 40, LOCK))


def among_equals_there_is_none():
    for sources in (KERNEL, BOTH, PRELOAD):
        one = wait_for(check_no_inversion(sources, "equal"), "HIGH", LOCK)
        equal("owner", person(one["owner"]), ("LOW", "FIFO", 10))
        # It waited as long; but for one that is more urgent than itself.
        assert one["wait_ns"] / 1e6 >= HOG_MS, one
        assert (one["starved_ns"] or 0) < 2_000_000, one  # until HOG runs


def a_chain_boosts_all_of_it():
    for sources in (KERNEL, BOTH):
        told = check_no_inversion(sources, "chain")
        equal("boosts", sorted((one["by"]["name"], one["whom"]["name"], one["from"], one["to"])
                               for one in rises(told)),
              [("HIGH", "LOW", 30, 40), ("HIGH", "MID", 30, 40), ("MID", "LOW", 10, 30)])
        outer = wait_for(told, "HIGH", f"outer_lock ({FILE})")
        equal("owner", person(outer["owner"]), ("MID", "FIFO", 30))
        equal("chain", [(one["waiter"]["name"], one["lock"]["name"], one["owner"]["name"])
                        for one in outer["chain"]], [("MID", LOCK, "LOW")])


def a_signal_that_sleeps_is_told():
    """Nobody holds a mutex that HIGH wants; glibc's condition variable makes it wait for LOW."""
    for sources in (BOTH, KERNEL):
        if glibc() >= (2, 41):
            raise Skip("this glibc's signal does not wait for waiters")
        told = check_no_inversion(sources, "cond", held_up=1)
        one = only("signals asleep", told["signals_asleep"])
        equal("who", person(one["by"]), ("HIGH", "FIFO", 40))
        equal("condvar", one["condvar"]["name"], f"the_cond ({FILE})")
        equal("for whom", person(one["for_whom"]), ("LOW", "FIFO", 10))
        assert 0.75 * HOG_MS <= one["asleep_ns"] / 1e6 < 1000, one
        assert 0.75 * HOG_MS <= one["starved_ns"] / 1e6 <= one["call_ns"] / 1e6, one
        equal("culprit", one["culprits"][0]["name"], "HOG")
        assert any("rqpi run" in words for words in one["advice"]), one
        if sources == BOTH:
            assert one["site"].startswith("post") and one["broadcast"] is False, one


def glibc():
    name = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
    return tuple(int(part) for part in name.split()[1].split(".")[:2]) if name else (0, 0)


def under_rqpi_no_signal_sleeps():
    """The same program with the drop-in: what is found is mended by what is advised."""
    told = trace(["--force-pi"], "cond")
    equal("signals asleep", told["signals_asleep"], [])
    equal("inversions", told["inversions"], [])
    told = trace(["--force-pi"], "normal")
    equal("inversions", told["inversions"], [])
    equal("boosted", wait_for(told, "HIGH", LOCK)["boosted"], True)


def another_process_is_named_as_well():
    told = trace(KERNEL, "process", found=True)
    inversion = only("inversions", told["inversions"])
    check_inversion(inversion, KERNEL)
    culprit = inversion["culprits"][0]["tid"]
    hog = only("threads", [one for one in told["threads"] if one["tid"] == culprit])
    equal("its process", hog["pid"], culprit)
    assert hog["pid"] != told["pid"], told["pid"]
    equal("traced, as a child", hog["traced"], True)


def await_begin(tracer):
    """It opens a handle of the process when its sources have begun."""
    for _ in range(500):
        folder = f"/proc/{tracer.pid}/fd"
        try:
            links = [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)]
        except FileNotFoundError:
            links = []
        if tracer.poll() is not None or any("pidfd" in link for link in links):
            return
        time.sleep(0.02)
    raise AssertionError("rqpi trace -p does not begin")


def attached(scene, under=(), sources=(), begin=True):
    """inversion_program SCENE, traced by its PID from before its first lock on; the report."""
    with subprocess.Popen([*under, PROGRAM, scene, str(HOG_MS), "wait"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as program:
        line = program.stdout.readline()
        if not line:
            program.wait(SECONDS)
            equal("exit status", program.returncode, NEEDS_FIFO)
            raise Skip("no right to SCHED_FIFO")
        if not begin:
            program.stdin.close()
            time.sleep(0.5)  # it is asleep in its scene for three seconds
        with subprocess.Popen([RQPI, "trace", *sources, "--json", "-o", os.devnull,
                               *([] if begin else ["--seconds", "1"]), "-p", line.strip()],
                              text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as tracer:
            if begin:
                await_begin(tracer)
                program.stdin.close()
            out, err = tracer.communicate(timeout=SECONDS)
        program.wait(SECONDS)
    if not out and "nothing to trace it with" in err:
        raise Skip(" ".join(err.split("\n")[1:3]).strip())
    assert tracer.returncode in (0, 1), f"status {tracer.returncode}: {err}"
    return json.loads(out)


def a_process_that_runs_is_diagnosed_as_well():
    told = attached("normal", sources=KERNEL)
    check_inversion(only("inversions", told["inversions"]), KERNEL)


def a_traceable_process_tells_both():
    told = attached("normal", under=[RQPI, "run", "--observe", "--traceable", "--"])
    need(told, BOTH)
    check_inversion(only("inversions", told["inversions"]), BOTH)


def a_hog_that_was_there_before_is_named():
    told = attached("process", sources=KERNEL)
    inversion = only("inversions", told["inversions"])
    check_inversion(inversion, KERNEL)
    culprit = inversion["culprits"][0]["tid"]
    hog = only("threads", [one for one in told["threads"] if one["tid"] == culprit])
    equal("traced", hog["traced"], False)


def who_slept_already_is_told():
    told = attached("hang", sources=KERNEL, begin=False)
    one = wait_for(told, "HIGH", LOCK)
    equal("waiter", person(one["waiter"]), ("HIGH", "FIFO", 40))
    equal("owner", person(one["owner"]), ("LOW", "FIFO", 10))
    equal("owner's being inferred", one["owner"]["inferred"], False)
    equal("open", one["open"], True)
    equal("an inversion", (one["inversion"], one["lock"]["inherits"]), (True, False))
    assert one["wait_ns"] > 500_000_000, one


def instances(tracer):
    """Those of process TRACER. tracefs is looked at in a mount namespace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        listed = finished(["unshare", "-m", "sh", "-c", "mount -t tracefs nodev \"$0\" && "
                           "ls \"$0/instances\"", folder])
    if listed.returncode:
        raise Skip(f"tracefs cannot be mounted: {listed.stderr.strip()}")
    return [name for name in listed.stdout.split() if name.startswith(f"rqpi-{tracer.pid}-")]


def tracing(*command):
    """A tracer that has begun."""
    tracer = subprocess.Popen([RQPI, "trace", *KERNEL, "-o", os.devnull, "--", *command],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        if len(instances(tracer)) == 2 or tracer.poll() is not None:
            return tracer
        time.sleep(0.05)
    raise AssertionError("rqpi trace makes no instances")


def nothing_is_left_in_the_kernel():
    """No instance, and tracefs as it was: mounted or not."""
    trace(KERNEL, "equal")  # or skipped
    with open("/proc/mounts", encoding="utf-8") as mounts:
        before = [line for line in mounts if " tracefs " in line]
    for stop in (None, signal.SIGTERM):
        with tracing("sleep", "0.5" if stop is None else "20") as tracer:
            with open("/proc/mounts", encoding="utf-8") as mounts:
                equal("mounts", [line for line in mounts if " tracefs " in line], before)
            equal("instances", len(instances(tracer)), 2)
            if stop:
                tracer.send_signal(stop)
            tracer.wait(SECONDS)
        equal("instances", instances(tracer), [])


def what_a_killed_tracer_left_is_removed():
    trace(KERNEL, "equal")  # or skipped
    with tracing("sleep", "20") as tracer:
        children = children_of(tracer.pid)
        tracer.kill()
    for child in children:
        os.kill(child, signal.SIGKILL)
    equal("left by it", len(instances(tracer)), 2)
    trace(KERNEL, "equal")
    equal("left by the next one", instances(tracer), [])


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
        return [int(child) for child in children.read().split()]


CASES = [
    an_inversion_is_diagnosed_by_name, an_inversion_is_diagnosed_by_kernel_events_alone,
    an_inversion_is_seen_by_the_probes_alone, each_of_several_is_told, the_text_says_the_same,
    with_inheritance_it_is_a_boost, among_equals_there_is_none, a_chain_boosts_all_of_it,
    a_signal_that_sleeps_is_told, under_rqpi_no_signal_sleeps, another_process_is_named_as_well,
    a_process_that_runs_is_diagnosed_as_well, a_traceable_process_tells_both,
    a_hog_that_was_there_before_is_named, who_slept_already_is_told,
    nothing_is_left_in_the_kernel, what_a_killed_tracer_left_is_removed,
]


if __name__ == "__main__":
    sys.exit(run_cases(CASES))
