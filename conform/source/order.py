# SPDX-License-Identifier: MIT
"""Vectors of section 5: who comes first in a bucket, and who at a PI lock."""

from dsl import place, us

vector = place("05-order")

ARRIVAL = ("N", "R10", "M", "R20", "Q20", "S20")
SERVED = ("R20", "Q20", "S20", "R10", "N", "M")


def crowd(v):
    return (v.task("N", nice=0).task("M", nice=-10).task("R10", fifo=10).task("R20", fifo=20)
            .task("Q20", rr=20).task("S20", fifo=20).task("X"))


for op in ("wake", "wake_bitset", "wake_op", "requeue", "cmp_requeue"):
    v = vector(f"bucket-order-{op.replace('_', '-')}", "5.1 16." + op,
               f"{op} takes real-time threads by priority, then the others as they came")
    crowd(v).word("u v", 0)
    for task in ARRIVAL:
        v.call(task, "wait", "u")
    for task in SERVED:
        if op == "wake_op":
            v.call("X", op, "u", 1, uaddr2="v", val=1, val2=0, val3=0, also={task: 0})
        elif "requeue" in op:
            v.call("X", op, "u", 1, uaddr2="v", val=0, val2=1)
            v.call("X", "wake", "v", 1, also={task: 0})
        else:
            v.call("X", op, "u", 1, also={task: 0})

v = vector("bucket-order-wake-all", "5.1 6.2.3", "and all of them in one call")
crowd(v).word("u", 0)
for task in ARRIVAL:
    v.call(task, "wait", "u")
v.call("X", "wake", "u", 3, val=3, also={task: 0 for task in SERVED[:3]})
v.call("X", "wake", "u", 3, val=100, also={task: 0 for task in SERVED[3:]})

v = vector("bucket-order-cmp-requeue-pi", "5.1 13.5.3 13.4.1",
           "requeue_pi grants in the order of the bucket")
crowd(v).word("u", 7).word("L", 0)
for task in ARRIVAL:
    v.call(task, "wait_requeue_pi", "u", uaddr2="L")
for task in SERVED:
    v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={task: 0}, L=task)
    v.call(task, "unlock_pi", "L", 0, L=0)

v = vector("bucket-order-cmp-requeue-pi-moves", "5.1 13.5.3 5.4 15.3",
           "requeue_pi moves in the order of the bucket")
v.task("A B", fifo=10).task("C", fifo=30).task("D", nice=0).task("X", fifo=5)
v.word("u", 7).word("L", 0)
v.call("X", "lock_pi", "L", 0, L="X")
for task in "DABC":
    v.call(task, "wait_requeue_pi", "u", uaddr2="L")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", L="X|W", prio={"X": 30})
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L")
v.call("X", "unlock_pi", "L", 0, also={"C": 0}, prio={"X": 5}, L="C|W")
v.call("X", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=9)
v.call("C", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
v.call("B", "unlock_pi", "L", 0, also={"D": 0}, L="D|W")

v = vector("bucket-key-stays", "5.2", "a priority change does not move a waiter in its bucket")
v.task("A B", fifo=10).task("X").word("u", 0)
v.call("A", "wait", "u")
v.call("B", "wait", "u")
v.sched("B", fifo=40)
v.call("X", "wake", "u", 1, also={"A": 0})
v.call("X", "wake", "u", 1, also={"B": 0})

v = vector("bucket-key-stays-lowered", "5.2", "nor does one that makes it less urgent")
v.task("A", fifo=30).task("B", fifo=20).task("X").word("u", 0)
v.call("A", "wait", "u")
v.call("B", "wait", "u")
v.sched("A", policy="other")
v.call("X", "wake", "u", 1, also={"A": 0})
v.call("X", "wake", "u", 1, also={"B": 0})

v = vector("bucket-key-is-not-boosted", "5.2 15.1", "a boosted thread waits at its own priority")
v.task("A").task("B", fifo=10).task("C", fifo=30).task("X").word("u L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("C", "lock_pi", "L", L="A|W", prio={"A": 30})
v.call("A", "wait", "u")
v.call("B", "wait", "u")
v.call("X", "wake", "u", 1, also={"B": 0})
v.call("X", "wake", "u", 1, also={"A": 0})

v = vector("requeue-to-the-tail", "5.3", "a moved waiter comes last in its level")
v.task("A B C X").word("u v", 0)
v.call("A", "wait", "u")
v.call("B", "wait", "v")
v.call("C", "wait", "v")
v.call("X", "requeue", "u", 1, uaddr2="v", val=0, val2=1)
for task in "BCA":
    v.call("X", "wake", "v", 1, also={task: 0})

v = vector("requeue-keeps-the-key", "5.3 5.2", "with the key it had when it began to wait")
v.task("A", fifo=10).task("B", fifo=20).task("C").task("X").word("u v", 0)
v.call("A", "wait", "u")
v.call("B", "wait", "v")
v.call("C", "wait", "v")
v.sched("A", fifo=40)
v.call("X", "requeue", "u", 1, uaddr2="v", val=0, val2=1)
for task in "BAC":
    v.call("X", "wake", "v", 1, also={task: 0})

v = vector("requeue-keeps-the-bitset", "5.3", "and with its bitset")
v.task("A B X").word("u v", 0)
v.call("A", "wait_bitset", "u", val3=1)
v.call("B", "wait_bitset", "u", val3=2)
v.call("X", "requeue", "u", 2, uaddr2="v", val=0, val2=2)
v.call("X", "wake_bitset", "v", 0, val=9, val3=4)
v.call("X", "wake_bitset", "v", 1, val=9, val3=2, also={"B": 0})
v.call("X", "wake_bitset", "v", 1, val=9, val3=3, also={"A": 0})

v = vector("lock-order", "5.4 8.12 15.1 15.2 15.7",
           "a PI lock serves by priority, and in order within one")
v.task("O", fifo=5).task("N", nice=0).task("M", nice=-10).task("R10", fifo=10)
v.task("R20", fifo=20).task("Q20", rr=20).word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
v.call("N", "lock_pi", "L", L="O|W")
v.call("R10", "lock_pi", "L", prio={"O": 10})
v.call("M", "lock_pi", "L")
v.call("R20", "lock_pi", "L", prio={"O": 20})
v.call("Q20", "lock_pi", "L")
v.call("O", "unlock_pi", "L", 0, also={"R20": 0}, prio={"O": 5}, L="R20|W")
v.call("R20", "unlock_pi", "L", 0, also={"Q20": 0}, L="Q20|W")
v.call("Q20", "unlock_pi", "L", 0, also={"R10": 0}, L="R10|W")
v.call("R10", "unlock_pi", "L", 0, also={"N": 0}, L="N|W")
v.call("N", "unlock_pi", "L", 0, also={"M": 0}, L="M|W")

v = vector("lock-order-deadline", "5.4 15.13", "a SCHED_DEADLINE waiter comes before RT 90")
v.task("O").task("R", fifo=90).task("D", policy="deadline", cpu="any").word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
v.call("R", "lock_pi", "L", L="O|W", prio={"O": 90})
v.call("D", "lock_pi", "L", prio={"O": "deadline"})
v.call("O", "unlock_pi", "L", 0, also={"D": 0}, prio={"O": "nice 0"}, L="D|W")
v.call("D", "unlock_pi", "L", 0, also={"R": 0}, L="R|W")

v = vector("lock-order-deadlines", "5.4", "of two SCHED_DEADLINE waiters the earlier deadline wins")
v.task("O").task("D", policy="deadline", cpu="any", deadline_ms=400)
v.task("E", policy="deadline", cpu="any", deadline_ms=100).word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
v.call("D", "lock_pi", "L", L="O|W", prio={"O": "deadline"})
v.call("E", "lock_pi", "L")
v.call("O", "unlock_pi", "L", 0, also={"E": 0}, prio={"O": "nice 0"}, L="E|W")
v.call("E", "unlock_pi", "L", 0, also={"D": 0}, L="D|W")


def three(name, title, rules="5.5"):
    v = vector(name, rules, title)
    v.task("O", fifo=5).task("A B C", fifo=20).word("L", 0)
    v.call("O", "lock_pi", "L", 0, L="O")
    v.call("A", "lock_pi", "L", L="O|W", prio={"O": 20})
    v.call("B", "lock_pi", "L")
    v.call("C", "lock_pi", "L")
    return v


def served(v, *order):
    before = "O"
    for task in order:
        v.call(before, "unlock_pi", "L", 0, also={task: 0}, prio={before: before_own(v, before)},
               L=f"{task}|W")
        before = task


def before_own(v, task):
    return 5 if task == "O" else v.eff[task]


v = three("lock-order-raised", "a blocked waiter that is raised comes first", "5.5 15.5")
v.sched("C", fifo=30, prio={"O": 30})
served(v, "C", "A", "B")

v = three("lock-order-lowered", "one that is lowered comes last", "5.5 15.5")
v.sched("A", fifo=10)
served(v, "B", "C", "A")

v = three("lock-order-lowered-and-raised", "lowered and raised again it has lost its place")
v.sched("A", fifo=10)
v.sched("A", fifo=20)
served(v, "B", "C", "A")

v = three("lock-order-raised-and-lowered", "raised and lowered again as well", "5.5 15.5")
v.sched("A", fifo=30, prio={"O": 30})
v.sched("A", fifo=20, prio={"O": 20})
served(v, "B", "C", "A")

v = three("lock-order-same-priority", "the same priority once more changes nothing")
v.sched("A", fifo=20)
served(v, "A", "B", "C")

v = three("lock-order-fifo-to-rr", "nor does another policy of the same priority")
v.sched("A", rr=20)
served(v, "A", "B", "C")

v = three("lock-order-made-normal", "one that is made normal comes last", "5.5 15.5")
v.sched("A", policy="other")
v.call("O", "unlock_pi", "L", 0, also={"B": 0}, prio={"O": 5}, L="B|W")
v.call("B", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")
v.call("C", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")

v = vector("lock-order-made-real-time", "5.5 15.5",
           "a normal waiter that is made real-time comes first")
v.task("O A B", nice=0).word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
v.call("A", "lock_pi", "L", L="O|W")
v.call("B", "lock_pi", "L")
v.sched("B", fifo=7, prio={"O": 7})
v.call("O", "unlock_pi", "L", 0, also={"B": 0}, prio={"O": "nice 0"}, L="B|W")
v.call("B", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")

v = vector("renice-is-not-passed-on", "5.6 15.9 15.12",
           "renice of a blocked waiter changes its owner not")
v.task("O", nice=19).task("A B", nice=10).word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
v.call("A", "lock_pi", "L", L="O|W", prio={"O": "nice 10"})
v.call("B", "lock_pi", "L")
v.sched("A", nice=-5)
v.sched("B", nice=-15)
v.call("O", "unlock_pi", "L", 0, also={"A": 0}, L="A|W", prio={"O": "nice 19"})

v = vector("requeue-pi-selects-by-key", "5.7 5.2 5.4",
           "requeue_pi moves by the bucket's order, the lock serves by the present priority")
v.task("O A B C", nice=0).word("u", 7).word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
for task in "ABC":
    v.call(task, "wait_requeue_pi", "u", uaddr2="L")
v.sched("C", fifo=33)
v.call("O", "cmp_requeue_pi", "u", 1, uaddr2="L", L="O|W")
v.call("O", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=9, prio={"O": 33})
v.call("O", "unlock_pi", "L", 0, also={"C": 0}, prio={"O": "nice 0"}, L="C|W")
v.call("C", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

v = vector("requeue-pi-grants-by-key", "5.7 5.2", "a grant goes by the bucket's order too")
v.task("A B X", nice=0).word("u", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", uaddr2="L")
v.call("B", "wait_requeue_pi", "u", uaddr2="L")
v.sched("B", fifo=33)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"A": 0}, L="A")

v = vector("lock-order-after-timeout", "5.4 15.4",
           "who timed out and comes again is last in its level")
v.task("O", fifo=5).task("A B", fifo=20).word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
v.call("A", "lock_pi2", "L", timeout=us("monotonic"), L="O|W", prio={"O": 20})
v.call("B", "lock_pi", "L")
v.expire("A", "ETIMEDOUT")
v.call("A", "lock_pi", "L")
v.call("O", "unlock_pi", "L", 0, also={"B": 0}, prio={"O": 5}, L="B|W")
v.call("B", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")
