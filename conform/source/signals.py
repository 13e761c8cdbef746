# SPDX-License-Identifier: MIT
"""Vectors of section 4: what a signal does to a wait."""

from dsl import place, us

vector = place("04-signals")

for op in ("wait", "wait_bitset"):
    name = op.replace("_", "-")
    v = vector(f"{name}-restarts", "4.1",
               f"{op} without a timeout goes on after an SA_RESTART handler")
    v.task("A B").word("u", 0)
    v.call("A", op, "u")
    v.signal("A", "restarts")
    v.call("B", "wake", "u", 1, also={"A": 0})

    v = vector(f"{name}-interrupted", "4.1 16." + op,
               f"{op} without a timeout, plain handler: EINTR")
    v.task("A").word("u", 0)
    v.call("A", op, "u")
    v.signal("A", also={"A": "EINTR"})

    v = vector(f"{name}-restart-sees-new-value", "4.1", f"a restarted {op} compares again")
    v.task("A B").word("u", 0)
    v.call("A", op, "u")
    v.store("B", "u", 1)
    v.signal("A", "restarts", also={"A": "EAGAIN"})

    for handler in ("restarts", "interrupts"):
        v = vector(f"{name}-timed-{handler}", "4.2", f"{op} with a timeout is never restarted")
        v.task("A").word("u", 0)
        v.call("A", op, "u", timeout=us("relative" if op == "wait" else "monotonic", 50000))
        v.signal("A", handler, also={"A": "EINTR"})

v = vector("requeued-wait-restarts-at-first-word", "4.1 6.3.7",
           "a wait that was requeued begins again at its first word")
v.task("A B").word("u v", 0)
v.call("A", "wait", "u")
v.call("B", "requeue", "u", 1, uaddr2="v", val=0, val2=1)
v.signal("A", "restarts")
v.call("B", "wake", "v", 0)
v.call("B", "wake", "u", 1, also={"A": 0})

v = vector("requeued-wait-restart-sees-new-value", "4.1 6.3.7",
           "a requeued wait whose first word has changed meanwhile")
v.task("A B").word("u v", 0)
v.call("A", "wait", "u")
v.call("B", "cmp_requeue", "u", 1, uaddr2="v", val=0, val2=1)
v.store("B", "u", 1)
v.signal("A", "restarts", also={"A": "EAGAIN"})
v.call("B", "wake", "v", 0)

v = vector("requeued-wait-interrupted", "4.1 6.3.7", "a requeued wait and a plain handler")
v.task("A B").word("u v", 0)
v.call("A", "wait", "u")
v.call("B", "requeue", "u", 1, uaddr2="v", val=0, val2=1)
v.signal("A", also={"A": "EINTR"})
v.call("B", "wake", "v", 0)

for op in ("lock_pi", "lock_pi2"):
    for handler in ("restarts", "interrupts"):
        v = vector(f"{op.replace('_', '-')}-{handler}", "4.3 7.14", f"{op} always goes on")
        v.task("A B").word("L", 0)
        v.call("B", "lock_pi", "L", 0, L="B")
        v.call("A", op, "L", L="B|W")
        v.signal("A", handler)
        v.call("B", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")

        v = vector(f"{op.replace('_', '-')}-timed-{handler}", "4.3",
                   f"{op} keeps its deadline through a signal")
        v.task("A B").word("L", 0)
        v.call("B", "lock_pi", "L", 0, L="B")
        v.call("A", op, "L", timeout=us("realtime" if op == "lock_pi" else "monotonic"), L="B|W")
        v.signal("A", handler)
        v.expire("A", "ETIMEDOUT")

v = vector("lock-pi-loses-its-place", "4.3 5.4", "a signal sends a waiter to the tail of its level")
v.task("A", fifo=10).task("B C D", fifo=20).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 20})
v.call("C", "lock_pi", "L")
v.call("D", "lock_pi", "L")
v.signal("B", "restarts")
v.call("A", "unlock_pi", "L", 0, also={"C": 0}, prio={"A": 10}, L="C|W")
v.call("C", "unlock_pi", "L", 0, also={"D": 0}, L="D|W")
v.call("D", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

for handler in ("restarts", "interrupts"):
    v = vector(f"wait-requeue-pi-before-requeue-{handler}", "4.4",
               "wait_requeue_pi before the requeue always goes on")
    v.task("A B").word("u", 7).word("L", 0)
    v.call("A", "wait_requeue_pi", "u", uaddr2="L")
    v.signal("A", handler)
    v.call("B", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, also={"A": 0}, L="A")

    v = vector(f"wait-requeue-pi-restart-compares-{handler}", "4.4",
               "and compares again when it does")
    v.task("A B").word("u", 7).word("L", 0)
    v.call("A", "wait_requeue_pi", "u", uaddr2="L")
    v.store("B", "u", 8)
    v.signal("A", handler, also={"A": "EAGAIN"})

    v = vector(f"wait-requeue-pi-after-requeue-{handler}", "4.5 3.6 15.4",
               "wait_requeue_pi after the requeue: EAGAIN, and the lock is not held")
    v.task("A", fifo=20).task("B", fifo=10).word("u", 7).word("L", 0)
    v.call("B", "lock_pi", "L", 0, L="B")
    v.call("A", "wait_requeue_pi", "u", uaddr2="L")
    v.call("B", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, L="B|W", prio={"B": 20})
    v.signal("A", handler, also={"A": "EAGAIN"}, prio={"B": 10})
    v.call("B", "unlock_pi", "L", 0, L=0)

v = vector("wait-requeue-pi-timed-restart", "4.4 3.5",
           "a restarted wait_requeue_pi keeps its deadline")
v.task("A B").word("u", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", uaddr2="L", timeout=us("monotonic"))
v.signal("A", "restarts")
v.expire("A", "ETIMEDOUT")

for op, more in (("wait", {}), ("wait_bitset", {}), ("wait_requeue_pi", {"uaddr2": "L"}),
                 ("lock_pi", {}), ("lock_pi2", {})):
    lock = op.startswith("lock")
    where = "L" if lock else "u"
    clock = {"wait": "relative", "lock_pi": "realtime"}.get(op, "monotonic")
    v = vector(f"ignored-signal-{op.replace('_', '-')}", "4.6",
               f"an ignored signal does nothing: {op}")
    v.task("A B").word("u", 7).word("L", 0)
    if lock:
        v.call("B", "lock_pi", "L", 0, L="B")
        more = {"L": "B|W"}
    v.call("A", op, where, **more)
    v.signal("A", "ignored")
    if lock:
        v.call("B", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")
    elif op == "wait_requeue_pi":
        v.call("B", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"A": 0}, L="A")
    else:
        v.call("B", "wake", "u", 1, also={"A": 0})

    v = vector(f"stopped-and-continued-{op.replace('_', '-')}", "4.6",
               f"a stop in the middle does not move the deadline: {op}")
    v.task("B").task("A", process=1).page("p", memory="shared")
    v.word("u", 7, page="p").word("L", 0, page="p")
    if lock:
        v.call("B", "lock_pi", "L", 0, shared=True, L="B")
    v.call("A", op, where, timeout=us(clock, 40000), shared=True, **more)
    v.event("sleep", us=25000)
    v.event("stop_continue", "A")
    v.expire("A", "ETIMEDOUT")

v = vector("requeued-ignored-signal", "4.6", "an ignored signal does not disturb a requeued waiter")
v.task("A B").word("u", 7).word("L", 0)
v.call("B", "lock_pi", "L", 0, L="B")
v.call("A", "wait_requeue_pi", "u", uaddr2="L")
v.call("B", "cmp_requeue_pi", "u", 1, uaddr2="L", L="B|W")
v.signal("A", "ignored")
v.call("B", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")

for handler in ("restarts", "interrupts"):
    v = vector(f"signal-then-wake-{handler}", "4.7",
               "woken before the signal is looked at: 0, and the handler runs afterwards")
    v.task("A", fifo=10).task("B", fifo=10, cpu="free").word("u", 0)
    v.call("A", "wait", "u")
    v.hog(True)
    v.signal("A", handler, runs=0, ready="A")
    v.call("B", "wake", "u", 1)
    v.hog(False, also={"A": 0}, handled={"A": 1})

v = vector("signal-after-wake", "4.7", "the same when the wake comes first")
v.task("A", fifo=10).task("B", fifo=10, cpu="free").word("u", 0)
v.call("A", "wait", "u")
v.hog(True)
v.call("B", "wake", "u", 1, ready="A")
v.signal("A", "interrupts", runs=0)
v.hog(False, also={"A": 0}, handled={"A": 1})

v = vector("signal-between-requeues-of-broadcast", "4.5 13.5.1",
           "of two requeued waiters one is interrupted; the other gets the lock")
v.task("A B C").word("u", 7).word("L", 0)
v.call("C", "lock_pi", "L", 0, L="C")
v.call("A", "wait_requeue_pi", "u", uaddr2="L")
v.call("B", "wait_requeue_pi", "u", uaddr2="L")
v.call("C", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=9, L="C|W")
v.signal("A", also={"A": "EAGAIN"})
v.call("C", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
