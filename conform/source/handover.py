# SPDX-License-Identifier: MIT
"""Vectors of section 12: a lock on its way to a thread that has been woken and has not run.

W1 and the other victims are kept from running by a hog on their CPU; who acts meanwhile runs on
the other one.
"""

from dsl import place, us

vector = place("12-handover")


def handed_over(v, w1=20, timeout=None, others=()):
    """A hands L to W1, which cannot run. @others: (task, priority) that wait behind W1."""
    v.task("W1", fifo=w1) if w1 else v.task("W1", nice=0)
    for task, fifo in others:
        v.task(task, fifo=fifo)
    v.task("A", fifo=5, cpu="free").word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.call("W1", "lock_pi2", "L", timeout=timeout, L="A|W", prio={"A": max(5, w1 or 0)})
    for task, _ in others:
        v.call(task, "lock_pi", "L")
    v.hog(True)
    return v


def unlock(v):
    return v.call("A", "unlock_pi", "L", 0, ready="W1", prio={"A": 5}, L="W1|W")


for op in ("lock_pi", "lock_pi2", "trylock_pi"):
    for fifo, steals in ((21, True), (20, False), (10, False)):
        v = vector(f"steal-{op.replace('_', '-')}-rt-{fifo}",
                   "12.1 9.2" + (" 7.15" if op[0] == "t" else ""),
                   f"RT {fifo} comes with {op} to a lock on its way to RT 20")
        v.task("S", fifo=fifo, cpu="free")
        handed_over(v)
        unlock(v)
        if steals:
            v.call("S", op, "L", 0, L="S|W", prio={})
            v.hog(False, asleep="W1")
            v.call("S", "unlock_pi", "L", 0, also={"W1": 0}, L="W1|W")
        elif op == "trylock_pi":
            v.call("S", op, "L", "EAGAIN")
            v.hog(False, also={"W1": 0})
        else:
            v.call("S", op, "L")
            v.hog(False, also={"W1": 0})
            v.call("W1", "unlock_pi", "L", 0, also={"S": 0}, L="S|W")

v = vector("steal-normal-from-normal", "12.1",
           "a normal thread never steals from a normal one, whatever its nice")
v.task("S", nice=-20, cpu="free")
handed_over(v, w1=None)
unlock(v)
v.call("S", "trylock_pi", "L", "EAGAIN")
v.call("S", "lock_pi", "L")
v.hog(False, also={"W1": 0})

v = vector("steal-rt-1-from-normal", "12.1", "RT 1 steals from a normal thread")
v.task("S", fifo=1, cpu="free")
handed_over(v, w1=None)
unlock(v)
v.call("S", "lock_pi", "L", 0, L="S|W")
v.hog(False, asleep="W1")
v.call("S", "unlock_pi", "L", 0, also={"W1": 0}, L="W1|W")

v = vector("steal-keeps-old-position", "12.1 5.4", "who was robbed keeps its place in the queue")
v.task("S", fifo=30, cpu="free")
handed_over(v, others=(("W2", 20),))
unlock(v)
v.call("S", "lock_pi", "L", 0, L="S|W")
v.hog(False, asleep="W1")
v.call("S", "unlock_pi", "L", 0, also={"W1": 0}, L="W1|W")
v.call("W1", "unlock_pi", "L", 0, also={"W2": 0}, L="W2|W")

v = vector("steal-by-boosted", "12.1 15.1", "a boost counts for stealing")
v.task("S", fifo=3, cpu="free").task("B", fifo=40, cpu="free").word("M", 0)
handed_over(v)
v.call("S", "lock_pi", "M", 0, M="S")
v.call("B", "lock_pi", "M", M="S|W", prio={"S": 40})
unlock(v)
v.call("S", "lock_pi", "L", 0, L="S|W")
v.hog(False, asleep="W1")

v = vector("deadline-before-handover", "12.2 3.7",
           "the deadline passed before the handover, nobody stole: success")
handed_over(v, timeout=us("monotonic"))
v.expire("W1", ready="W1")
v.call("A", "unlock_pi", "L", 0, prio={"A": 5}, L="W1|W")
v.hog(False, also={"W1": 0})

v = vector("deadline-before-handover-stolen", "12.3",
           "the same, but stolen: ETIMEDOUT, and the word names the thief")
v.task("S", fifo=30, cpu="free")
handed_over(v, timeout=us("monotonic"))
v.expire("W1", ready="W1")
v.call("A", "unlock_pi", "L", 0, prio={"A": 5}, L="W1|W")
v.call("S", "lock_pi", "L", 0, L="S|W")
v.hog(False, also={"W1": "ETIMEDOUT"})
v.call("S", "unlock_pi", "L", 0, L=0)

for handler in ("restarts", "interrupts"):
    v = vector(f"signal-before-handover-{handler}", "12.4 4.7",
               "a signal, then the handover: success, then the handler")
    handed_over(v)
    v.signal("W1", handler, runs=0, ready="W1")
    v.call("A", "unlock_pi", "L", 0, prio={"A": 5}, L="W1|W")
    v.hog(False, also={"W1": 0}, handled={"W1": 1})

for event in ("deadline", "signal"):
    for held in (False, True):
        result = 0 if not held else "ETIMEDOUT" if event == "deadline" else "EAGAIN"
        rule = {("deadline", False): "12.5", ("deadline", True): "12.6",
                ("signal", False): "12.7", ("signal", True): "12.8"}[event, held]
        v = vector(f"{event}-before-requeue-{'held' if held else 'free'}", rule + " 3.7 13.1",
                   f"{event}, then a requeue to a {'held' if held else 'free'} lock: {result}")
        v.task("W1", fifo=20).task("A", fifo=5, cpu="free").task("O", fifo=6, cpu="free")
        v.word("u", 7).word("L", 0)
        if held:
            v.call("O", "lock_pi", "L", 0, L="O")
        v.call("W1", "wait_requeue_pi", "u", uaddr2="L",
               timeout=us("monotonic") if event == "deadline" else None)
        v.hog(True)
        if event == "deadline":
            v.expire("W1", ready="W1")
        else:
            v.signal("W1", "interrupts", runs=0, ready="W1")
        v.call("A", "cmp_requeue_pi", "u", 1, uaddr2="L", prio={"O": 20} if held else {},
               L="O|W" if held else "W1")
        handled = {"W1": 1} if event == "signal" else None
        v.hog(False, also={"W1": result}, handled=handled, prio={"O": 6} if held else {})
        if held:
            v.call("O", "unlock_pi", "L", 0, L=0)
        else:
            v.call("W1", "unlock_pi", "L", 0, L=0)

v = vector("deadline-then-wake", "12.9 6.2.5", "plain wait, deadline, wake: 1 and 0")
v.task("W1", fifo=20).task("A", fifo=5, cpu="free").word("u", 0)
v.call("W1", "wait", "u", timeout=us("relative"))
v.hog(True)
v.expire("W1", ready="W1")
v.call("A", "wake", "u", 1)
v.hog(False, also={"W1": 0})

for op in ("cmp_requeue", "requeue"):
    v = vector(f"deadline-then-{op.replace('_', '-')}", "12.10 6.3.7",
               f"plain wait, deadline, {op}: 1 and ETIMEDOUT")
    v.task("W1", fifo=20).task("A", fifo=5, cpu="free").word("u v", 0)
    v.call("W1", "wait", "u", timeout=us("relative"))
    v.hog(True)
    v.expire("W1", ready="W1")
    v.call("A", op, "u", 1, uaddr2="v", val=0, val2=1)
    v.hog(False, also={"W1": "ETIMEDOUT"})
    v.call("A", "wake", "v", 0)

for handler in ("restarts", "interrupts"):
    v = vector(f"race-requeue-and-signal-{handler}", "12.11 4.4 4.5",
               "a requeue while the first waiter leaves: it is skipped or moved, never an error",
               repeat=60)
    v.task("X").task("W1", cpu="free").task("W2").word("u", 7).word("L", 0)
    v.call("X", "lock_pi", "L", 0, L="X")
    v.call("W1", "wait_requeue_pi", "u", uaddr2="L")
    v.call("W2", "wait_requeue_pi", "u", uaddr2="L")
    v.call("X", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=1, with_next=True)
    v.signal("W1", handler, also={"X": 2, "W1": "EAGAIN"}, L="X|W")
    v.either(({"X": 1}, {}, ["W1", "W2"]), ({"X": 2}, {}, ["W1", "W2"]))

v = vector("raised-above-designated", "12.12 15.5",
           "a blocked waiter raised above the designated one takes the lock")
v.task("W2", fifo=10, cpu="free")
handed_over(v)
v.call("W2", "lock_pi", "L")
unlock(v)
v.sched("W2", fifo=30, also={"W2": 0}, L="W2|W")
v.hog(False, asleep="W1")
v.call("W2", "unlock_pi", "L", 0, also={"W1": 0}, L="W1|W")

for name, change in (("below", {"fifo": 5}), ("to-normal", {"policy": "other"})):
    v = vector(f"designated-lowered-{name}", "12.13 15.8 15.5",
               "the designated waiter is lowered below another: that one takes the lock")
    v.task("W2", fifo=10, cpu="free")
    handed_over(v)
    v.call("W2", "lock_pi", "L")
    unlock(v)
    v.sched("W1", also={"W2": 0}, L="W2|W", **change)
    v.hog(False, asleep="W1")
    v.call("W2", "unlock_pi", "L", 0, also={"W1": 0}, L="W1|W")

for fifo, steals in ((30, True), (20, False), (10, False)):
    v = vector(f"requeue-to-designated-rt-{fifo}", "12.14 13.5.2" if steals else "12.15",
               f"a requeue of RT {fifo} to a lock on its way to RT 20")
    v.task("R", fifo=fifo, cpu="free").word("u", 7)
    handed_over(v)
    v.call("R", "wait_requeue_pi", "u", uaddr2="L")
    unlock(v)
    if steals:
        v.call("A", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"R": 0}, L="R|W")
        v.hog(False, asleep="W1")
        v.call("R", "unlock_pi", "L", 0, also={"W1": 0}, L="W1|W")
    else:
        v.call("A", "cmp_requeue_pi", "u", 1, uaddr2="L")
        v.hog(False, also={"W1": 0})
        v.call("W1", "unlock_pi", "L", 0, also={"R": 0}, L="R|W")

v = vector("designated-past-its-deadline", "12.16 12.2",
           "the designated waiter past its deadline, a lower one behind it")
handed_over(v, timeout=us("monotonic"), others=(("W2", 10),))
v.expire("W1", ready="W1")
v.call("A", "unlock_pi", "L", 0, prio={"A": 5}, L="W1|W")
v.hog(False, also={"W1": 0})
v.call("W1", "unlock_pi", "L", 0, also={"W2": 0}, L="W2|W")

v = vector("designated-is-not-boosted", "15.8 15.9 12.13",
           "the designated one is boosted when it claims, not before")
v.task("W2", fifo=30, cpu="free").task("W1", fifo=20).task("A", fifo=5, cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("W1", "lock_pi", "L", L="A|W", prio={"A": 20})
v.hog(True)
v.call("A", "unlock_pi", "L", 0, ready="W1", prio={"A": 5}, L="W1|W")
v.sched("W2", fifo=15)
v.call("W2", "lock_pi", "L")
v.hog(False, also={"W1": 0})
v.sched("W2", fifo=25, prio={"W1": 25})
v.call("W1", "unlock_pi", "L", 0, also={"W2": 0}, prio={"W1": 20}, L="W2|W")
