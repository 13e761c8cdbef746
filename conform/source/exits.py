# SPDX-License-Identifier: MIT
"""Vectors of section 10: what the end of a thread does to the words it owns."""

from dsl import PENDING_ASLEEP, PENDING_WOKEN, place, us

vector = place("10-exit")

for name, rules, entries, pending in (
        ("robust", "10.1", ("L!",), None), ("not-robust", "10.2", None, None),
        ("robust-without-pi-bit", "10.5", ("L",), None), ("only-pending", "10.6", (), "L!")):
    v = vector(f"owner-dies-waiter-{name}", f"{rules} 7.9 15.14",
               f"the owner of a contended lock dies: {name}")
    v.task("A", fifo=10).task("B", fifo=20).word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    if entries is not None:
        v.robust("A", *entries, pending=pending)
    v.call("B", "lock_pi", "L", L="A|W", prio={"A": 20})
    v.exit("A", also={"B": 0}, L="B|W|OD")
    v.call("B", "unlock_pi", "L", 0, L=0)

for op in ("lock_pi", "lock_pi2", "trylock_pi"):
    v = vector(f"owner-dies-alone-not-robust-{op.replace('_', '-')}", "10.3 7.6a 7.16",
               "an uncontended owner dies without a robust list: its TID stays")
    v.task("A B").word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.exit("A")
    v.call("B", op, "L", "ESRCH", L="A|W")

    for pi in ("!", ""):
        v = vector(f"owner-dies-alone-robust-{op.replace('_', '-')}" + ("" if pi else "-no-pi-bit"),
                   "10.4 7.5", "an uncontended owner dies with the word on its robust list")
        v.task("A B").word("L", 0)
        v.call("A", "lock_pi", "L", 0, L="A")
        v.robust("A", "L" + pi)
        v.exit("A", L="0|OD")
        v.call("B", op, "L", 0, L="B|OD")
        v.call("B", "unlock_pi", "L", 0, L=0)

v = vector("owner-dies-alone-flag-set", "10.4 7.7 7.5",
           "the same when W was set: it stays, and goes with the lock")
v.task("A B").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.robust("A", "L!")
v.call("B", "trylock_pi", "L", "EAGAIN", L="A|W")
v.exit("A", L="0|W|OD")
v.call("B", "lock_pi", "L", 0, L="B|OD")

for robust in (True, False):
    v = vector(f"owner-dies-several-waiters-{'robust' if robust else 'not-robust'}",
               "10.7 8.6 5.4 15.14 15.9", "the most urgent waiter gets it; only the first sees OD")
    v.task("A", fifo=5).task("B", fifo=10).task("C", fifo=30).task("D", fifo=20).word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    if robust:
        v.robust("A", "L!")
    v.call("B", "lock_pi", "L", L="A|W", prio={"A": 10})
    v.call("C", "lock_pi", "L", prio={"A": 30})
    v.call("D", "lock_pi", "L")
    v.exit("A", also={"C": 0}, L="C|W|OD")
    v.call("C", "unlock_pi", "L", 0, also={"D": 0}, L="D|W")
    v.call("D", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

v = vector("owner-dies-several-locks", "10.8", "all its locks are released")
v.task("A B C D").word("L M N", 0)
for word in "LMN":
    v.call("A", "lock_pi", word, 0, **{word: "A"})
v.robust("A", "L!", "N!")
for task, word in (("B", "L"), ("C", "M"), ("D", "N")):
    v.call(task, "lock_pi", word, **{word: "A|W"})
v.exit("A", also={"B": 0, "C": 0, "D": 0}, L="B|W|OD", M="C|W|OD", N="D|W|OD")

for how in ("kill", "exec"):
    for robust in (True, False):
        v = vector(f"owner-process-{how}-{'robust' if robust else 'not-robust'}", "10.9 16.lock_pi",
                   f"the owner is in another process, and gone by {how}")
        v.task("B").task("A", process=1).page("p", memory="shared").word("L", 0, page="p")
        v.call("A", "lock_pi", "L", 0, shared=True, L="A")
        if robust:
            v.robust("A", "L!")
        v.call("B", "lock_pi", "L", shared=True, L="A|W")
        v.leave(how, "A", also={"B": 0}, L="B|W|OD")
        v.call("B", "unlock_pi", "L", 0, shared=True, L=0)

    v = vector(f"owner-process-{how}-plain", "10.9 10.20",
               f"a plain robust word of a process gone by {how}")
    v.task("B").task("A", process=1).page("p", memory="shared").word("m", "A|W", page="p")
    v.robust("A", "m")
    v.call("B", "wait", "m", shared=True)
    v.leave(how, "A", also={"B": 0}, m="0|W|OD")

v = vector("owner-dies-read-only", "10.10 7.12 9.3",
           "the page of the word cannot be written when the owner dies")
v.task("A B C D").page("r").word("L", 0, page="r")
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.call("C", "lock_pi", "L")
v.protect("D", "r", "read")
v.exit("A", also={"B": "EFAULT"})
v.protect("D", "r", "write")
v.call("B", "unlock_pi", "L", "EPERM")
v.call("D", "lock_pi", "L", "EINVAL")
v.call("D", "trylock_pi", "L", "EINVAL")
v.exit("B", also={"C": 0}, L="C|W|OD")

v = vector("owner-dies-word-zeroed", "10.11 9.4", "the user zeroed the word, then the owner dies")
v.task("A B").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.store("A", "L", 0)
v.exit("A", also={"B": 0}, L="B|W|OD")

v = vector("waiter-is-killed", "10.12 3.6 15.4",
           "a waiter is killed: W stays until the owner unlocks")
v.task("A", fifo=10).task("B", fifo=20, process=1).page("p", memory="shared").word("L", 0, page="p")
v.call("A", "lock_pi", "L", 0, shared=True, L="A")
v.call("B", "lock_pi", "L", shared=True, L="A|W", prio={"A": 20})
v.leave("kill", "B", prio={"A": 10})
v.call("A", "unlock_pi", "L", 0, shared=True, L=0)

v = vector("waiter-is-killed-on-condvar", "10.12 13.4.1",
           "an RP waiter is killed: it is not there any more")
v.task("A C").task("B", process=1).page("p", memory="shared")
v.word("u", 7, page="p").word("L", 0, page="p")
v.call("B", "wait_requeue_pi", "u", uaddr2="L", shared=True)
v.call("C", "wait_requeue_pi", "u", uaddr2="L", shared=True)
v.leave("kill", "B")
v.call("A", "cmp_requeue_pi", "u", 1, uaddr2="L", shared=True, also={"C": 0}, L="C")

for robust in (True, False):
    v = vector(f"race-lock-and-exit-{'robust' if robust else 'not-robust'}", "10.13 7.6d 7.6a",
               "lock_pi while the owner ends", repeat=60)
    v.task("A").task("B", cpu="free").word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    if robust:
        v.robust("A", "L!")
    v.call("B", "lock_pi", "L", 0, with_next=True)
    v.exit("A", also={"B": 0}, L="B|W|OD")
    v.either(({"B": 0}, {"L": "B|OD"}, []),
             *([] if robust else [({"B": "ESRCH"}, {"L": "A|W"}, [])]))

for word, name, woken in (("A", "owned", False), ("A|W", "owned-w", True),
                          ("A|OD", "owned-od", False),
                          ("A|W|OD", "owned-w-od", True)):
    v = vector(f"robust-entry-{name}", "10.20 2.8", f"a plain entry with the word {word}")
    v.task("A B C D").word("m", word)
    v.robust("A", "m")
    v.call("B", "wait", "m", shared=True)
    v.call("C", "wait", "m", shared=True)
    after = "0|W|OD" if woken else "0|OD"
    v.exit("A", also={"B": 0} if woken else {}, m=after)
    v.call("D", "wake", "m", 1 if woken else 2, val=9, shared=True,
           also={"C": 0} if woken else {"B": 0, "C": 0})

for word in (0, "0|W", "0|W|OD", "B", "B|W", "nobody|W"):
    name = str(word).lower().replace("|", "-")
    v = vector(f"robust-entry-not-owned-{name}", "10.21",
               f"an entry that the thread does not own: {word}")
    v.task("A B C").word("m", word)
    v.robust("A", "m")
    v.call("C", "wait", "m", shared=True)
    v.exit("A")
    v.call("B", "wake", "m", 1, val=9, shared=True, also={"C": 0})

for word in (0, "0|W", "0|OD", "0|W|OD"):
    v = vector(f"robust-pending-free-{str(word).lower().replace('|', '-')}", "10.22",
               f"a pending entry that is free already ({word}): one waiter is woken")
    v.task("A B C D").word("m", word)
    v.robust("A", pending="m")
    v.call("B", "wait", "m", shared=True)
    v.call("C", "wait", "m", shared=True)
    v.exit("A", also={"B": 0})
    v.call("D", "wake", "m", 1, val=9, shared=True, also={"C": 0})

for word, rule in (("B|W", "10.23"), ("B|W|OD", "10.23"), ("B", "10.24 14.2"),
                   ("B|OD", "10.24 14.2")):
    v = vector(f"robust-pending-others-{word.lower().replace('|', '-')}", rule,
               f"a pending entry that another thread owns ({word}): nothing happens",
               kernels=None if "W" in word else PENDING_ASLEEP)
    v.task("A B C").word("m", word)
    v.robust("A", pending="m")
    v.call("C", "wait", "m", shared=True)
    v.exit("A")
    v.call("B", "wake", "m", 1, val=9, shared=True, also={"C": 0})

for word in ("B", "B|OD"):
    v = vector(f"robust-pending-others-{word.lower().replace('|', '-')}-woken", "14.2",
               f"a pending entry that another thread owns ({word}): one waiter is woken",
               kernels=PENDING_WOKEN)
    v.task("A B C D").word("m", word)
    v.robust("A", pending="m")
    v.call("C", "wait", "m", shared=True)
    v.call("D", "wait", "m", shared=True)
    v.exit("A", also={"C": 0})
    v.call("B", "wake", "m", 1, val=9, shared=True, also={"D": 0})

for word in ("A", "A|W"):
    v = vector(f"robust-pending-owned-{word.lower().replace('|', '-')}", "10.20 10.6",
               f"a pending entry that the thread owns ({word}) is like one on the list")
    v.task("A B C").word("m", word)
    v.robust("A", pending="m")
    v.call("B", "wait", "m", shared=True)
    v.exit("A", also={"B": 0} if "W" in word else {}, m="0|W|OD" if "W" in word else "0|OD")

for word in (0, "0|W", "B", "B|W"):
    v = vector(f"robust-pending-pi-not-owned-{str(word).lower().replace('|', '-')}", "10.25",
               f"a pending PI entry that the thread does not own ({word})")
    v.task("A B C").word("m", word)
    v.robust("A", pending="m!")
    v.call("C", "wait", "m", shared=True)
    v.exit("A")
    v.call("B", "wake", "m", 1, val=9, shared=True, also={"C": 0})

v = vector("robust-listed-and-pending", "10.26",
           "an entry that is on the list and pending wakes once")
v.task("A B C D").word("m", "A|W")
v.robust("A", "m", pending="m")
v.call("B", "wait", "m", shared=True)
v.call("C", "wait", "m", shared=True)
v.exit("A", also={"B": 0}, m="0|W|OD")
v.call("D", "wake", "m", 1, val=9, shared=True, also={"C": 0})

v = vector("robust-order-of-list", "10.20 10.8",
           "all entries of the list are processed, then the pending one")
v.task("A B C D").word("m", "A|W").word("n", "A").word("o", "A|W")
v.robust("A", "m", "n", pending="o")
v.call("B", "wait", "m", shared=True)
v.call("C", "wait", "n", shared=True)
v.call("D", "wait", "o", shared=True)
v.exit("A", also={"B": 0, "D": 0}, m="0|W|OD", n="0|OD", o="0|W|OD")

v = vector("robust-misaligned-entry", "10.27",
           "the walk ends at a misaligned entry, and so does all else")
v.task("A").word("m", "A").word("x", "A").word("n", "A").word("o", "A")
v.robust("A", "m", "x+2", "n", pending="o")
v.exit("A", m="0|OD")

v = vector("robust-unreadable-next", "10.28",
           "an entry whose link cannot be read is processed, what follows is not")
v.task("A").page("cut", list_access="none").word("m", "A").word("x", "A", page="cut")
v.word("n", "A").word("o", "A")
v.robust("A", "m", "x", "n", pending="o")
v.exit("A", m="0|OD", x="0|OD")

v = vector("robust-long-list", "10.29", "2048 entries are processed, and the pending one")
v.task("A").word("arr", "A", count=2050).word("o", "A")
v.robust("A", "arr[0..2049]", pending="o")
v.exit("A", o="0|OD")
v.steps[-1]["expect"]["words"].update({
    "arr[0]": {"tid": 0, "OD": True}, "arr[1000]": {"tid": 0, "OD": True},
    "arr[2047]": {"tid": 0, "OD": True}, "arr[2048]": {"tid": "A"}, "arr[2049]": {"tid": "A"}})

v = vector("robust-list-length", "10.30", "the length of the head must be right")
v.task("A B").word("m", "A")
for length, ret in ((0, "EINVAL"), (23, "EINVAL"), (25, "EINVAL"), (12, "EINVAL"), (24, 0)):
    v.event("set_robust_list", "B", also={"B": ret}, length=length)
v.event("get_robust_list", "A", also={"A": 0}, of={"tid": "B"})
v.event("get_robust_list", "A", also={"A": "ESRCH"}, of={"tid": "nobody"})

v = vector("owner-dies-nested", "10.8 15.14 15.9",
           "an owner dies that waits for nothing and is boosted twice")
v.task("A", fifo=5).task("B", fifo=20).task("C", fifo=30).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("A", "lock_pi", "M", 0, M="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 20})
v.call("C", "lock_pi", "M", M="A|W", prio={"A": 30})
v.exit("A", also={"B": 0, "C": 0}, L="B|W|OD", M="C|W|OD")

v = vector("owner-dies-timed-waiter", "10.2 3.6",
           "the owner dies before the deadline of its waiter")
v.task("A B").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", timeout=us("realtime", 50000), L="A|W")
v.exit("A", also={"B": 0}, L="B|W|OD")
