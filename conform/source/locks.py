# SPDX-License-Identifier: MIT
"""Vectors of section 7: lock_pi, lock_pi2, trylock_pi."""

from dsl import FOREIGN_REFUSED, FOREIGN_TAKEN, place, us

vector = place("07-lock")

OPS = ("lock_pi", "lock_pi2", "trylock_pi")


def dash(op):
    return op.replace("_", "-")


for op in OPS:
    v = vector(f"{dash(op)}-unreadable", "7.1 16." + op, f"{op} of a word that cannot be read")
    v.task("A").page("gone", access="none").word("L", 0, page="gone")
    v.call("A", op, "L", "EFAULT")
    v.call("A", op, "unmapped", "EFAULT")
    v.call("A", op, "null", "EFAULT")

    for flags in ("", "|W", "|OD", "|W|OD"):
        v = vector(f"{dash(op)}-own{flags.replace('|', '-').lower()}", "7.2 16." + op,
                   f"{op} of a word that names the caller: A{flags}")
        v.task("A").word("L", "A" + flags)
        v.call("A", op, "L", "EDEADLK")

        v = vector(f"{dash(op)}-free{flags.replace('|', '-').lower()}", "7.5 7.14 7.16 16." + op,
                   f"{op} of a free word: 0{flags}")
        v.task("A B").word("L", "0" + flags)
        v.call("A", op, "L", 0, L="A" + ("|OD" if "OD" in flags else ""))
        v.call("A", "unlock_pi", "L", 0, L=0)

    v = vector(f"{dash(op)}-behind-plain-waiter", "7.3 16." + op,
               f"{op} of a free word on which a plain waiter sleeps")
    v.task("A B").word("L", 0)
    v.call("B", "wait", "L")
    v.call("A", op, "L", "EINVAL")
    v.call("A", "wake", "L", 1, also={"B": 0})
    v.call("A", op, "L", 0, L="A")

    v = vector(f"{dash(op)}-owned-behind-plain-waiter", "7.3",
               f"{op} of an owned word on which a plain waiter sleeps")
    v.task("A B C").word("L", 0)
    v.call("C", "lock_pi", "L", 0, L="C")
    v.call("B", "wait", "L")
    v.call("A", op, "L", "EINVAL")
    v.signal("B", also={"B": "EINTR"})
    v.call("C", "unlock_pi", "L", 0, L=0)

    v = vector(f"{dash(op)}-behind-rp-waiter", "7.3",
               f"{op} of a word on which an RP waiter sleeps")
    v.task("A B").word("L M", 0)
    v.call("B", "wait_requeue_pi", "L", uaddr2="M")
    v.call("A", op, "L", "EINVAL")
    v.call("A", "cmp_requeue_pi", "L", 1, uaddr2="M", also={"B": 0}, M="B")

    for word, name in (("nobody", "nobody"), ("nobody|OD", "nobody-od"), ("nobody|W", "nobody-w")):
        v = vector(f"{dash(op)}-{name}", "7.6 7.6a 7.16 16." + op,
                   f"{op} of a word with a TID of nobody")
        v.task("A").word("L", word)
        v.call("A", op, "L", "ESRCH", L="nobody|W" + ("|OD" if "OD" in word else ""))
        v.call("A", op, "L", "ESRCH")

    v = vector(f"{dash(op)}-dead-thread", "7.6a 10.3",
               f"{op} of a word with the TID of a dead thread")
    v.task("A B").word("L", 0)
    v.call("B", "lock_pi", "L", 0, L="B")
    v.exit("B")
    v.call("A", op, "L", "ESRCH", L="B|W")

    v = vector(f"{dash(op)}-zombie", "7.6a", f"{op} of a word with the TID of a zombie")
    v.task("A").task("B", process=1).page("p", memory="shared").word("L", 0, page="p")
    v.call("B", "lock_pi", "L", 0, shared=True, L="B")
    v.exit("B")
    v.call("A", op, "L", "ESRCH", shared=True, L="B|W")

    v = vector(f"{dash(op)}-kernel-thread", "7.6b 16." + op,
               f"{op} of a word that names a kernel thread")
    v.task("A").word("L", "kernel thread")
    v.call("A", op, "L", "EPERM", L="kernel thread|W")
    v.call("A", op, "L", "EPERM", shared=True)

    v = vector(f"{dash(op)}-foreign-owner-private", "7.6c 14.1",
               f"{op} with a private key of a word that names a thread of another process",
               kernels=FOREIGN_REFUSED)
    v.task("A").task("B", process=1).word("L", "B")
    v.call("A", op, "L", "EPERM", L="B|W")

    v = vector(f"{dash(op)}-foreign-owner-private-taken", "14.1",
               f"{op} with a private key of a word that names a thread of another process: older",
               kernels=FOREIGN_TAKEN)
    v.task("A").task("B", process=1).word("L", "B")
    v.call("A", op, "L", "EAGAIN" if op == "trylock_pi" else None, L="B|W")

    v = vector(f"{dash(op)}-foreign-owner-shared", "7.6c",
               f"{op} with a shared key accepts any process")
    v.task("A").task("B", process=1).page("p", memory="shared").word("L", "B", page="p")
    if op == "trylock_pi":
        v.call("A", op, "L", "EAGAIN", shared=True, L="B|W")
        v.call("B", "unlock_pi", "L", 0, shared=True, L=0)
    else:
        v.call("A", op, "L", shared=True, L="B|W")
        v.call("B", "unlock_pi", "L", 0, shared=True, also={"A": 0}, L="A|W")

    v = vector(f"{dash(op)}-believes-the-word", "7.13",
               f"{op}: a thread named by the word is the owner")
    v.task("A", fifo=20).task("B", fifo=10).word("L", "B")
    if op == "trylock_pi":
        v.call("A", op, "L", "EAGAIN", L="B|W")
        v.call("B", "unlock_pi", "L", 0, L=0)
    else:
        v.call("A", op, "L", L="B|W", prio={"B": 20})
        v.call("B", "unlock_pi", "L", 0, also={"A": 0}, prio={"B": 10}, L="A|W")

    if op == "trylock_pi":
        continue
    v = vector(f"{dash(op)}-handed-over", "7.9 7.6 7.14 8.6 16." + op,
               f"{op} sleeps and is given the lock")
    v.task("A B").word("L", 0)
    v.call("A", op, "L", 0, L="A")
    v.call("B", op, "L", L="A|W")
    v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
    v.call("B", "unlock_pi", "L", 0, L=0)

    v = vector(f"{dash(op)}-times-out", "7.10 3.6", f"{op} sleeps until its deadline")
    v.task("A B").word("L", 0)
    v.call("A", op, "L", 0, L="A")
    v.call("B", op, "L", timeout=us("realtime" if op == "lock_pi" else "monotonic"), L="A|W")
    v.expire("B", "ETIMEDOUT")
    v.call("B", "trylock_pi", "L", "EAGAIN")

    v = vector(f"{dash(op)}-deadlock", "7.8 11.1 11.2 16." + op,
               f"{op} would close a circle of two")
    v.task("A B").word("L M", 0)
    v.call("A", op, "L", 0, L="A")
    v.call("B", op, "M", 0, M="B")
    v.call("A", op, "M", M="B|W")
    v.call("B", op, "L", "EDEADLK", L="A|W")
    v.call("B", "unlock_pi", "M", 0, also={"A": 0}, M="A|W")

    v = vector(f"{dash(op)}-owner-died", "7.9 10.2", f"{op} gets the lock of a thread that died")
    v.task("A B").word("L", 0)
    v.call("A", op, "L", 0, L="A")
    v.call("B", op, "L", L="A|W")
    v.exit("A", also={"B": 0}, L="B|W|OD")
    v.call("B", "unlock_pi", "L", 0, L=0)

v = vector("trylock-pi-contended", "7.7 7.6 8.8", "trylock_pi of an owned word sets W and fails")
v.task("A B").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "trylock_pi", "L", "EAGAIN", L="A|W")
v.call("B", "trylock_pi", "L", "EAGAIN")
v.call("A", "unlock_pi", "L", 0, L=0)
v.call("B", "trylock_pi", "L", 0, L="B")

v = vector("trylock-pi-with-waiters", "7.7", "trylock_pi of a word that has waiters")
v.task("A B C").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.call("C", "trylock_pi", "L", "EAGAIN")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

v = vector("lock-keeps-owner-died-while-waited-for", "7.6 7.9 8.6",
           "OD of an owned word stays until the owner hands it over")
v.task("A B").word("L", "0|OD")
v.call("A", "lock_pi", "L", 0, L="A|OD")
v.call("B", "lock_pi", "L", L="A|W|OD")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

v = vector("lock-without-waiters-has-no-state", "7.16 8.2 8.8",
           "with no waiter the word alone says who owns")
v.task("A B").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.store("A", "L", 0)
v.call("B", "lock_pi", "L", 0, L="B")
v.call("A", "unlock_pi", "L", "EPERM")
v.store("B", "L", "A")
v.call("A", "unlock_pi", "L", 0, L=0)

v = vector("state-goes-with-the-last-waiter", "7.16 9.3",
           "with the last waiter the kernel forgets the owner")
v.task("A B C").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", timeout=us("realtime"), L="A|W")
v.expire("B", "ETIMEDOUT")
v.store("A", "L", "B")
v.call("C", "lock_pi", "L", L="B|W")
v.call("B", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")

v = vector("locks-ignore-other-arguments", "7.5 7.7", "val, uaddr2 and val3 mean nothing to a lock")
v.task("A").word("L", 0)
for op in OPS:
    v.call("A", op, "L", 0, val=77, uaddr2="unmapped", val3=99, L="A")
    v.call("A", "unlock_pi", "L", 0, val=77, uaddr2="unmapped", val3=99, L=0)

v = vector("trylock-pi-of-designated", "7.15 12.1 9.2",
           "trylock_pi of a lock that is on its way to a waiter")
v.task("W", fifo=20).task("A", fifo=10, cpu="free").task("E", fifo=20, cpu="free")
v.task("S", fifo=21, cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("W", "lock_pi", "L", L="A|W", prio={"A": 20})
v.hog(True)
v.call("A", "unlock_pi", "L", 0, ready="W", prio={"A": 10}, L="W|W")
v.call("E", "trylock_pi", "L", "EAGAIN")
v.call("S", "trylock_pi", "L", 0, L="S|W")
v.hog(False, asleep="W")
v.call("S", "unlock_pi", "L", 0, also={"W": 0}, L="W|W")

v = vector("race-lock-and-trylock", "7.11 7.7 7.6",
           "lock_pi and trylock_pi of a free word at once", repeat=20)
v.task("A").task("B", cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", 0, with_next=True)
v.call("B", "trylock_pi", "L", "EAGAIN", also={"A": 0}, L="A|W")
v.either(({"B": 0}, {"L": "B|W"}, ["A"]), ({"A": 0, "B": "EAGAIN"}, {"L": "A"}, []))

v = vector("race-locks", "7.11 7.6",
           "two lock_pi of a free word at once: one owns, the other waits", repeat=20)
v.task("A").task("B", cpu="free").word("L", 0)
v.call("A", "lock_pi", "L", with_next=True)
v.call("B", "lock_pi", "L", 0, L="B|W")
v.either(({"A": 0}, {"L": "A|W"}, ["B"]))
