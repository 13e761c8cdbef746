# SPDX-License-Identifier: MIT
"""Vectors of section 3: clocks, deadlines, and what a timeout leaves behind."""

from dsl import place, us

vector = place("03-timeouts")

PAST = {"relative": {"sec": 0, "nsec": 0}, "monotonic": us("monotonic", -10000),
        "realtime": us("realtime", -10000)}

CLOCKS = (("wait", "relative", False), ("wait_bitset", "monotonic", False),
          ("wait_bitset", "realtime", True), ("wait_requeue_pi", "monotonic", False),
          ("wait_requeue_pi", "realtime", True), ("lock_pi", "realtime", False),
          ("lock_pi2", "monotonic", False), ("lock_pi2", "realtime", True))

for op, clock, flag in CLOCKS:
    pi = op.startswith("lock")
    name = f"{op.replace('_', '-')}-{clock}"
    v = vector(f"clock-{name}", f"3.1 16.{op}", f"{op} times out by its clock: {clock}")
    v.task("A B").word("u v", 0)
    if pi:
        v.call("B", "lock_pi", "u", 0, u="B")
    more = {"u": "B|W"} if pi else {}
    if op == "wait_requeue_pi":
        more = {"uaddr2": "v"}
    v.call("A", op, "u", timeout=us(clock), realtime=flag, **more)
    v.expire("A", "ETIMEDOUT")

    v = vector(f"past-deadline-{name}", f"3.3 16.{op}",
               f"{op} with a deadline that has passed: {clock}")
    v.task("A B").word("u v", 0)
    if pi:
        v.call("B", "lock_pi", "u", 0, u="B")
    v.call("A", op, "u", "ETIMEDOUT", timeout=PAST[clock], realtime=flag, **more)
    if clock != "relative":
        v.call("A", op, "u", "ETIMEDOUT", timeout={"sec": 0, "nsec": 0}, realtime=flag, **more)
    if pi:
        v.call("B", "unlock_pi", "u", 0, u=0)
        v.call("A", op, "u", 0, timeout=PAST[clock], realtime=flag, u="A")
        v.call("A", op, "u", "EDEADLK", timeout=PAST[clock], realtime=flag)
    else:
        v.call("A", op, "u", "EAGAIN", val=9, timeout=PAST[clock], realtime=flag, **more)

v = vector("lock-pi-monotonic-is-long-past", "3.2 3.1 7.10",
           "lock_pi takes a monotonic time for one of 1970")
v.task("A B").word("L", 0)
v.call("B", "lock_pi", "L", 0, L="B")
v.call("A", "lock_pi", "L", "ETIMEDOUT", timeout={"sec": 100, "nsec": 0}, L="B|W")

v = vector("past-deadline-and-deadlock", "3.3 7.8", "a deadlock is found before a deadline counts")
v.task("A B").word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("A", "lock_pi", "M", M="B|W")
v.call("B", "lock_pi", "L", "EDEADLK", timeout=us("realtime", -10000), L="A|W")
v.call("B", "lock_pi2", "L", "EDEADLK", timeout=us("monotonic", -10000))

for op in ("wait", "wait_bitset"):
    v = vector(f"forever-{op.replace('_', '-')}", "3.4", f"{op} until the end of time")
    v.task("A B").word("u", 0)
    v.call("A", op, "u", timeout={"sec": 0x7fffffffffffffff, "nsec": 999999999})
    v.event("sleep", us=3000)
    v.call("B", "wake", "u", 1, also={"A": 0})
    v.call("A", op, "u", timeout={"sec": 0x7fffffffffffffff, "nsec": 0})
    v.call("B", "wake", "u", 1, also={"A": 0})

v = vector("one-deadline-first-phase", "3.5", "wait_requeue_pi times out on its first word")
v.task("A B").word("u", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", uaddr2="L", timeout=us("monotonic"))
v.expire("A", "ETIMEDOUT")
v.call("B", "cmp_requeue_pi", "u", 0, uaddr2="L", val2=1)

v = vector("one-deadline-second-phase", "3.5 3.6 13.4.4",
           "wait_requeue_pi times out on the lock, by the same deadline")
v.task("A B").word("u", 7).word("L", 0)
v.call("B", "lock_pi", "L", 0, L="B")
v.call("A", "wait_requeue_pi", "u", uaddr2="L", timeout=us("monotonic"))
v.call("B", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, L="B|W")
v.expire("A", "ETIMEDOUT")
v.call("B", "unlock_pi", "L", 0, L=0)

v = vector("timeout-leaves-waiters-flag", "3.6 7.10 8.8",
           "after a timeout W stays, and the next unlock clears it")
v.task("A B").word("L", 0)
v.call("B", "lock_pi", "L", 0, L="B")
v.call("A", "lock_pi", "L", timeout=us("realtime"), L="B|W")
v.expire("A", "ETIMEDOUT")
v.call("A", "trylock_pi", "L", "EAGAIN")
v.call("B", "unlock_pi", "L", 0, L=0)

v = vector("timeout-of-one-of-two", "3.6 8.12 15.4",
           "another waiter stays when the first times out")
v.task("A", fifo=10).task("B", fifo=30).task("C", fifo=20).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi2", "L", timeout=us("monotonic"), L="A|W", prio={"A": 30})
v.call("C", "lock_pi", "L")
v.expire("B", "ETIMEDOUT", prio={"A": 20})
v.call("A", "unlock_pi", "L", 0, also={"C": 0}, prio={"A": 10}, L="C|W")

v = vector("wake-before-deadline", "3.3 6.2.3", "a wake before the deadline wins")
v.task("A B").word("u", 0)
v.call("A", "wait", "u", timeout=us("relative", 50000))
v.call("B", "wake", "u", 1, also={"A": 0})

v = vector("deadline-passed-but-woken", "3.7 12.9 6.2.5",
           "a deadline that passed while the thread could not run does not undo its wake")
v.task("A", fifo=10).task("B", fifo=10, cpu="free").word("u", 0)
v.call("A", "wait", "u", timeout=us("relative"))
v.hog(True)
v.expire("A", ready="A")
v.call("B", "wake", "u", 1)
v.hog(False, also={"A": 0})
