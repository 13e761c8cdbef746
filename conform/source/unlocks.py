# SPDX-License-Identifier: MIT
"""Vectors of sections 8 and 9: unlock_pi, and the state of the kernel beside the word."""

from dsl import place, us

vector = place("08-unlock")

v = vector("unlock-unreadable", "8.1 16.unlock_pi", "unlock_pi of a word that cannot be read")
v.task("A").page("gone", access="none").word("L", 0, page="gone")
for where in ("null", "unmapped", "L"):
    v.call("A", "unlock_pi", where, "EFAULT")

for word in (0, "0|W", "0|OD", "B", "B|W", "nobody|OD"):
    name = str(word).lower().replace("|", "-")
    v = vector(f"unlock-not-owner-{name}", "8.2 16.unlock_pi",
               f"unlock_pi of a word that holds {word}")
    v.task("A B").word("L", word)
    v.call("A", "unlock_pi", "L", "EPERM")
    v.call("A", "unlock_pi", "L", "EPERM", shared=True)

v = vector("unlock-not-owner-misaligned", "8.2 1.5",
           "the owner is compared before the address is checked")
v.task("A").word("L", 0)
for offset in (1, 2, 3):
    v.call("A", "unlock_pi", f"L+{offset}", "EPERM")

v = vector("unlock-not-owner-read-only", "8.2 2.5", "and before the page must be writable")
v.task("A").page("r", access="read").word("L", 0, page="r")
v.call("A", "unlock_pi", "L", "EPERM")

v = vector("unlock-own-misaligned", "8.3 1.5", "a misaligned word that names the caller")
v.task("A").word("m", "A", offset=102)
v.call("A", "unlock_pi", "m", "EINVAL")

v = vector("unlock-behind-plain-waiter", "8.4 16.unlock_pi",
           "unlock_pi with a plain waiter first in the bucket")
v.task("A B").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "wait", "L")
v.call("A", "unlock_pi", "L", "EINVAL")
v.call("A", "wake", "L", 1, also={"B": 0})
v.call("A", "unlock_pi", "L", 0, L=0)

v = vector("unlock-behind-rp-waiter", "8.4", "unlock_pi with an RP waiter first in the bucket")
v.task("A B").word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "wait_requeue_pi", "L", uaddr2="M")
v.call("A", "unlock_pi", "L", "EINVAL")
v.call("A", "cmp_requeue_pi", "L", 1, uaddr2="M", also={"B": 0}, M="B")
v.call("A", "unlock_pi", "L", 0, L=0)

v = vector("unlock-by-forged-owner", "8.5",
           "a word that names somebody else than the kernel's owner")
v.task("A B C").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.store("C", "L", "C|W")
v.call("C", "unlock_pi", "L", "EINVAL")
v.call("A", "unlock_pi", "L", "EPERM")
v.store("C", "L", "A|W")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

for word in ("A|W", "A", "A|W|OD", "A|OD"):
    v = vector(f"unlock-hands-over-{word.lower().replace('|', '-')}", "8.6 16.unlock_pi",
               f"unlock_pi with a waiter and the word {word}: flags written by hand do not matter")
    v.task("A B").word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.call("B", "lock_pi", "L", L="A|W")
    if word != "A|W":
        v.store("A", "L", word)
    v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

v = vector("unlock-write-fault", "8.7 12.16",
           "a page that cannot be written: nothing is handed over")
v.task("A B C").page("r").word("L", 0, page="r")
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.protect("C", "r", "read")
v.call("A", "unlock_pi", "L", "EFAULT")
v.call("A", "unlock_pi", "L", "EFAULT")
v.protect("C", "r", "write")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

for word in ("A", "A|W", "A|OD", "A|W|OD"):
    v = vector(f"unlock-no-waiter-{word.lower().replace('|', '-')}", "8.8 16.unlock_pi",
               f"unlock_pi with no waiter and the word {word}")
    v.task("A").word("L", word)
    v.call("A", "unlock_pi", "L", 0, L=0)
    v.call("A", "unlock_pi", "L", "EPERM")

v = vector("race-unlock-and-trylock", "8.9 8.8 7.11", "unlock_pi and trylock_pi at once", repeat=60)
v.task("A").task("B", cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("A", "unlock_pi", "L", 0, with_next=True)
v.call("B", "trylock_pi", "L", 0, also={"A": 0}, L="B")
v.either(({"A": 0, "B": "EAGAIN"}, {"L": 0}, []),
         ({"A": "EAGAIN", "B": "EAGAIN"}, {"L": "A|W"}, []))

v = vector("race-unlock-and-lock", "8.9 8.10 7.11", "unlock_pi and lock_pi at once", repeat=60)
v.task("A").task("B", cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("A", "unlock_pi", "L", 0, with_next=True)
v.call("B", "lock_pi", "L", 0, also={"A": 0}, L="B")
v.either(({"A": 0, "B": 0}, {"L": "B|W"}, []), ({"A": "EAGAIN"}, {"L": "A|W"}, ["B"]))

v = vector("race-unlock-and-store", "8.10 8.11", "unlock_pi while the owner's word gains OD",
           repeat=60)
v.task("A").task("C").task("B", cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("C", "lock_pi", "L", L="A|W")
v.call("A", "unlock_pi", "L", 0, with_next=True)
v.cas("B", "L", "A|W", "A|W|OD")
v.now["L"] = "C|W"
v.steps[-1]["expect"] = [dict(v.expectation({"A": 0, "B": 0, "C": 0}), blocked=[]),
                         dict(v.expectation({"A": 0, "B": 1, "C": 0}), blocked=[])]
v.now["L"] = "A|W|OD"
v.steps[-1]["expect"].append(v.expectation({"A": "EINVAL", "B": 1}))

v = vector("race-unlock-and-forgery", "8.11 8.5 8.2", "unlock_pi while somebody takes the TID away",
           repeat=60)
v.task("A").task("C").task("B", cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("C", "lock_pi", "L", L="A|W")
v.call("A", "unlock_pi", "L", 0, with_next=True)
v.cas("B", "L", "A|W", "B|W")
v.now["L"] = "C|W"
first = dict(v.expectation({"A": 0, "B": 0, "C": 0}), blocked=[])
v.now["L"] = "B|W"
v.steps[-1]["expect"] = [first, v.expectation({"A": "EINVAL", "B": 1}),
                         v.expectation({"A": "EPERM", "B": 1})]

for handler in ("restarts", "interrupts"):
    v = vector(f"race-unlock-and-signal-{handler}", "8.14 4.3 12.4",
               "unlock_pi while its only waiter is on its way out and in again", repeat=40)
    v.task("A").task("B", cpu="free").word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.call("B", "lock_pi", "L", L="A|W")
    v.call("A", "unlock_pi", "L", 0, with_next=True)
    v.signal("B", handler, also={"A": 0, "B": 0}, L="B|W")
    v.either(({"A": 0, "B": 0}, {"L": "B"}, []))

v = vector("unlock-one-at-a-time", "8.12 5.4", "each unlock serves one waiter, in order")
v.task("A B C D").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
for task in "BCD":
    v.call(task, "lock_pi", "L", L="A|W")
for task, following in ("AB", "BC", "CD"):
    v.call(task, "unlock_pi", "L", 0, also={following: 0}, L=f"{following}|W")
v.call("D", "unlock_pi", "L", 0, L=0)

v = vector("unlock-deboosts-at-once", "8.13 15.7 9.2 15.8",
           "the owner is back at its own priority before the next one has run")
v.task("W", fifo=30).task("A", fifo=10, cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("W", "lock_pi", "L", L="A|W", prio={"A": 30})
v.hog(True)
v.call("A", "unlock_pi", "L", 0, ready="W", prio={"A": 10}, L="W|W")
v.hog(False, also={"W": 0})

v = vector("unlock-keeps-other-boosts", "8.13 15.10 15.7", "but keeps the boost of another lock")
v.task("W", fifo=30).task("X", fifo=20).task("A", fifo=10).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("A", "lock_pi", "M", 0, M="A")
v.call("W", "lock_pi", "L", L="A|W", prio={"A": 30})
v.call("X", "lock_pi", "M", M="A|W")
v.call("A", "unlock_pi", "L", 0, also={"W": 0}, prio={"A": 20}, L="W|W")
v.call("A", "unlock_pi", "M", 0, also={"X": 0}, prio={"A": 10}, M="X|W")

vector = place("09-state")

v = vector("designated-owner", "9.1 9.2 8.6",
           "between unlock and the waiter's run the word names the waiter")
v.task("W V", fifo=20).task("A", fifo=10, cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("W", "lock_pi", "L", L="A|W", prio={"A": 20})
v.call("V", "lock_pi", "L")
v.hog(True)
v.call("A", "unlock_pi", "L", 0, ready="W", prio={"A": 10}, L="W|W")
v.call("A", "unlock_pi", "L", "EPERM")
v.hog(False, also={"W": 0})
v.call("W", "unlock_pi", "L", 0, also={"V": 0}, L="V|W")

# Which words are accepted beside a PI waiter whose owner is A, by each operation.
ROWS = (("owner", "A|W", True), ("owner-od", "A|W|OD", True), ("free-od", "0|W|OD", True),
        ("free", "0|W", False), ("zero", 0, False), ("other", "C|W", False),
        ("other-od", "C|W|OD", False), ("dead", "nobody|W", False))
for row, word, accepted in ROWS:
    for op in ("lock_pi", "lock_pi2", "trylock_pi"):
        v = vector(f"state-{row}-{op.replace('_', '-')}", "7.4 9.3" + ("" if accepted else " 9.4"),
                   f"{op} beside a waiter of A, with the word {word}: "
                   + ("accepted" if accepted else "EINVAL"))
        v.task("A B C D").word("L", 0)
        v.call("A", "lock_pi", "L", 0, L="A")
        v.call("B", "lock_pi", "L", L="A|W")
        if word != "A|W":
            v.store("A", "L", word)
        if not accepted:
            v.call("D", op, "L", "EINVAL")
        elif op == "trylock_pi":
            v.call("D", op, "L", "EAGAIN")
        else:
            v.call("D", op, "L")
            v.store("A", "L", "A|W")
            v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
            v.call("B", "unlock_pi", "L", 0, also={"D": 0}, L="D|W")

    v = vector(f"state-{row}-cmp-requeue-pi", "7.4 9.3 13.4.4" + ("" if accepted else " 13.4.7"),
               f"cmp_requeue_pi beside a waiter of A, with the word {word}: "
               + ("accepted" if accepted else "EINVAL"))
    v.task("A B C D X").word("u", 7).word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.call("B", "lock_pi", "L", L="A|W")
    v.call("D", "wait_requeue_pi", "u", uaddr2="L")
    if word != "A|W":
        v.store("A", "L", word)
    v.call("X", "cmp_requeue_pi", "u", 1 if accepted else "EINVAL", uaddr2="L", val2=1)

# A died, the waiter W is designated and has not run: no owner in the kernel's state.
for word, accepted in (("0|W|OD", True), ("nobody|W|OD", False), ("0|W", False),
                       ("nobody|W", False)):
    v = vector(f"state-orphaned-{word.lower().replace('|', '-')}", "9.3 7.4 10.1",
               f"trylock_pi while a dead owner's lock is on its way, with the word {word}")
    v.task("W", fifo=20).task("A", fifo=10, cpu="free").task("S", fifo=5, cpu="free").word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.robust("A", "L!")
    v.call("W", "lock_pi", "L", L="A|W", prio={"A": 20})
    v.hog(True)
    v.exit("A", ready="W", L="0|W|OD")
    if word != "0|W|OD":
        v.store("S", "L", word)
    v.call("S", "trylock_pi", "L", "EAGAIN" if accepted else "EINVAL")
    if word != "0|W|OD":
        v.store("S", "L", "0|W|OD")
    v.hog(False, also={"W": 0}, L="W|W|OD")

v = vector("zeroed-word", "9.4 10.11",
           "a word zeroed by the user locks everybody out until the owner ends")
v.task("A B C").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.store("A", "L", 0)
v.call("C", "lock_pi", "L", "EINVAL")
v.call("C", "trylock_pi", "L", "EINVAL")
v.call("A", "unlock_pi", "L", "EPERM")
v.exit("A", also={"B": 0}, L="B|W|OD")

v = vector("cleared-flag", "7.6 8.6 9.3",
           "W cleared by the user: who joins the queue does not set it again, and all are served")
v.task("A B C").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.store("A", "L", "A")
v.call("C", "lock_pi", "L", timeout=us("realtime"))
v.expire("C", "ETIMEDOUT")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
