# SPDX-License-Identifier: MIT
"""Vectors of section 11: circles of owners, and how they are found."""

from dsl import place, us

vector = place("11-deadlock")

for kind in ("normal", "real-time"):
    own = [None] * 3 if kind == "normal" else [10, 20, 30]
    for op in ("lock_pi", "lock_pi2"):
        v = vector(f"circle-of-two-{kind}-{op.replace('_', '-')}", "11.1 11.2 11.3 7.8 16." + op,
                   f"two {kind} threads, each with the other's lock")
        v.task("A", fifo=own[0]).task("B", fifo=own[1]).word("L M", 0)
        v.call("A", "lock_pi", "L", 0, L="A")
        v.call("B", "lock_pi", "M", 0, M="B")
        v.call("A", op, "M", M="B|W")
        v.call("B", op, "L", "EDEADLK", L="A|W")
        v.call("B", "unlock_pi", "M", 0, also={"A": 0}, M="A|W")

    v = vector(f"circle-of-three-{kind}", "11.1 11.2 11.3", f"three {kind} threads in a circle")
    for task, fifo in zip("ABC", own):
        v.task(task, fifo=fifo)
    v.word("L M N", 0)
    for task, word in zip("ABC", "LMN"):
        v.call(task, "lock_pi", word, 0, **{word: task})
    v.call("A", "lock_pi", "M", M="B|W")
    v.call("B", "lock_pi", "N", N="C|W")
    v.call("C", "lock_pi", "L", "EDEADLK", L="A|W")
    v.call("C", "unlock_pi", "N", 0, also={"B": 0}, N="B|W")
    v.call("B", "unlock_pi", "M", 0, also={"A": 0}, M="A|W")

v = vector("circle-leaves-others-alone", "11.2 11.3 15.4",
           "waiters of the same locks are not disturbed by who fails")
v.task("A", fifo=10).task("B", fifo=30).task("C", fifo=15).task("D", fifo=5).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("C", "lock_pi", "L", L="A|W", prio={"A": 15})
v.call("D", "lock_pi", "M", M="B|W")
v.call("A", "lock_pi", "M")
v.call("B", "lock_pi", "L", "EDEADLK")
v.call("B", "unlock_pi", "M", 0, also={"A": 0}, M="A|W")
v.call("A", "unlock_pi", "L", 0, also={"C": 0}, L="C|W", prio={"A": 10})
v.call("A", "unlock_pi", "M", 0, also={"D": 0}, M="D|W")

v = vector("failed-lock-boosts-nobody", "11.3 15.4", "the boost of an attempt that fails is undone")
v.task("A", fifo=10).task("B", fifo=40).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("A", "lock_pi", "M", M="B|W")
v.call("B", "lock_pi", "L", "EDEADLK", L="A|W")
v.call("B", "trylock_pi", "L", "EAGAIN")
v.call("B", "unlock_pi", "M", 0, also={"A": 0}, M="A|W")
v.call("A", "unlock_pi", "L", 0, L=0)

v = vector("trylock-does-not-walk", "11.5 7.7 7.2", "trylock_pi looks for no circle")
v.task("A B").word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("A", "lock_pi", "M", M="B|W")
v.call("B", "trylock_pi", "L", "EAGAIN", L="A|W")
v.call("B", "trylock_pi", "M", "EDEADLK")

for depth, result in ((1024, None), (1025, "EDEADLK")):
    v = vector(f"chain-of-{depth}", "11.4 15.1",
               f"a waiter at the end of a chain with {depth} blocked threads")
    v.task("T", fifo=10, count=depth + 1).task("X", fifo=20).word("L", 0, count=depth + 1)
    v.steps.append({"task": "T[i]", "call": "lock_pi", "flags": ["private"], "uaddr": "L[i]",
                    "times": depth + 1})
    v.steps.append({"task": "T[i]", "call": "lock_pi", "flags": ["private"], "uaddr": "L[i+1]",
                    "times": depth})
    owners = 20 if result is None else 10
    step = {"task": "X", "call": "lock_pi", "flags": ["private"], "uaddr": "L[0]"}
    step["expect"] = {
        "returned": {f"T[{depth}]": 0, **({} if result is None else {"X": result})},
        "blocked": [f"T[0..{depth - 1}]"] + (["X"] if result is None else []),
        "words": {"L[0]": {"tid": "T[0]", "W": True},
                  f"L[{depth}]": {"tid": f"T[{depth}]", "W": True}},
        "priorities": {f"T[0..{depth}]": owners, "X": 20}}
    v.steps.append(step)

v = vector("requeue-to-own-lock", "11.6 13.4.3",
           "the first waiter owns the target: EDEADLK for who requeues")
v.task("A X").word("u", 7).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("A", "wait_requeue_pi", "u", uaddr2="L", timeout=us("monotonic", 50000))
v.call("X", "cmp_requeue_pi", "u", "EDEADLK", uaddr2="L", val2=1)
v.expire("A", "ETIMEDOUT")
v.call("A", "unlock_pi", "L", 0, L=0)

v = vector("requeue-closes-a-circle", "11.6 13.5.5 15.4", "a requeue would close a circle",
           unsafe=True)
v.task("A", fifo=10).task("B", fifo=20).task("X", fifo=5).word("u", 7).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("A", "lock_pi", "M", M="B|W")
v.call("B", "wait_requeue_pi", "u", uaddr2="L")
v.call("X", "cmp_requeue_pi", "u", "EDEADLK", uaddr2="L", L="A|W")
v.signal("B", "restarts")
v.call("X", "wake", "u", "EINVAL")
v.call("X", "cmp_requeue_pi", "u", "EDEADLK", uaddr2="L")

v = vector("requeue-circle-then-timeout", "11.6 3.5", "who stayed for a circle can still time out",
           unsafe=True)
v.task("A B X").word("u", 7).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("A", "lock_pi", "M", M="B|W")
v.call("B", "wait_requeue_pi", "u", uaddr2="L", timeout=us("monotonic"))
v.call("X", "cmp_requeue_pi", "u", "EDEADLK", uaddr2="L", L="A|W")
v.expire("B", "ETIMEDOUT")
v.call("B", "unlock_pi", "M", 0, also={"A": 0}, M="A|W")

v = vector("race-circle-and-unlock", "11.7 11.1", "the owner unlocks while a circle is looked for",
           repeat=40)
v.task("A").task("B", cpu="free").task("C").word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("A", "unlock_pi", "L", 0, with_next=True)
v.call("B", "lock_pi", "L", 0, also={"A": 0}, L="B")
v.either(({"A": 0, "B": 0}, {"L": "B|W"}, []), ({"A": "EAGAIN"}, {"L": "A|W"}, ["B"]))

v = vector("race-walk-and-priority", "11.8 15.5",
           "a priority change walks the chain while it changes",
           repeat=40)
v.task("A", fifo=5).task("B", fifo=10).task("C", fifo=20).task("D", fifo=30, cpu="free")
v.word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 10})
v.call("C", "lock_pi", "M", M="B|W", prio={"A": 20, "B": 20})
v.call("A", "unlock_pi", "L", 0, with_next=True)
v.sched("C", fifo=40, also={"A": 0, "B": 0}, prio={"A": 5, "B": 40}, L="B|W")

v = vector("deboost-walk-reports-nothing", "11.8 15.4 15.5",
           "a walk that lowers priorities finds no deadlock")
v.task("A", fifo=5).task("B", fifo=10).task("C", fifo=30).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 10})
v.call("C", "lock_pi2", "M", timeout=us("monotonic"), M="B|W", prio={"A": 30, "B": 30})
v.sched("C", fifo=25, prio={"A": 25, "B": 25})
v.expire("C", "ETIMEDOUT", prio={"A": 10, "B": 10})
