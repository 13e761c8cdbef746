# SPDX-License-Identifier: MIT
"""Vectors of section 2: which addresses mean the same futex, and what a mapping must allow."""

from dsl import place, us

vector = place("02-keys")

v = vector("private-key-is-the-address", "2.1", "a private waiter is found at its own address only")
v.task("A B").word("u v", 0)
v.call("A", "wait", "u")
v.call("B", "wake", "v", 0)
v.call("B", "wake", "u", 1, also={"A": 0})

v = vector("shared-key-on-anonymous-memory", "2.1", "shared keys work on private memory as well")
v.task("A B").word("u v", 0)
v.call("A", "wait", "u", shared=True)
v.call("B", "wake", "v", 0, shared=True)
v.call("B", "wake", "u", 1, shared=True, also={"A": 0})

v = vector("offset-in-page-counts", "2.1", "two words of one shared page are two futexes")
v.task("A B").page("f", memory="file").word("u", 0, page="f", offset=0)
v.word("v", 0, page="f", offset=4).word("w", 0, page="f", offset=4096)
v.call("A", "wait", "u", shared=True)
v.call("B", "wake", "v", 0, shared=True)
v.call("B", "wake", "w", 0, shared=True)
v.call("B", "wake", "u", 1, shared=True, also={"A": 0})

for memory in ("private", "shared", "file"):
    v = vector(f"private-and-shared-differ-{memory}", "2.2",
               f"private and shared keys of one word never meet ({memory} memory)")
    v.task("A B").page("p", memory=memory).word("u v", 0, page="p")
    v.call("A", "wait", "u")
    v.call("B", "wake", "u", 0, shared=True)
    v.call("B", "wake", "u", 1, also={"A": 0})
    v.call("A", "wait", "u", shared=True)
    v.call("B", "wake", "u", 0)
    v.call("B", "wake", "u", 1, shared=True, also={"A": 0})

v = vector("shared-requeue-pi-of-private-waiter", "2.2",
           "a shared requeue_pi does not see a private waiter")
v.task("A B").word("u", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", uaddr2="L")
v.call("B", "cmp_requeue_pi", "u", 0, uaddr2="L", val2=1, shared=True)
v.call("B", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, also={"A": 0}, L="A")

v = vector("two-mappings-of-a-file", "2.3",
           "two mappings of one file page meet with shared keys only")
v.task("A B").page("f", memory="file").page("g", same_as="f")
v.word("u", 0, page="f", offset=0).word("w", 0, page="g", offset=0)
v.call("A", "wait", "u", shared=True)
v.call("B", "wake", "w", 0)
v.call("B", "wake", "w", 1, shared=True, also={"A": 0})
v.call("A", "wait", "u")
v.call("B", "wake", "w", 0)
v.call("B", "wake", "w", 0, shared=True)
v.call("B", "wake", "u", 1, also={"A": 0})

v = vector("two-mappings-pi", "2.3 7.9 8.6", "a lock is one lock through two mappings of its page")
v.task("A B").page("f", memory="file").page("g", same_as="f")
v.word("L", 0, page="f", offset=0).word("M", 0, page="g", offset=0)
v.call("A", "lock_pi", "L", 0, shared=True, L="A", M="A")
v.call("B", "lock_pi", "M", shared=True, L="A|W", M="A|W")
v.call("A", "unlock_pi", "M", 0, shared=True, also={"B": 0}, L="B|W", M="B|W")
v.call("B", "unlock_pi", "L", 0, shared=True, L=0, M=0)

for memory, meets in (("shared", True), ("file", True), ("private", False)):
    v = vector(f"fork-{memory}", "2.3 2.1",
               f"parent and child {'meet' if meets else 'do not meet'} in {memory} memory")
    v.task("A").task("B", process=1).page("p", memory=memory).word("u", 0, page="p")
    v.call("A", "wait", "u", shared=True)
    if meets:
        v.call("B", "wake", "u", 1, shared=True, also={"A": 0})
    else:
        v.call("B", "wake", "u", 0, shared=True)
        v.call("B", "wake", "u", 0)
        v.signal("A", also={"A": "EINTR"})

v = vector("fork-private-keys", "2.3 2.1", "private keys do not meet across processes")
v.task("A").task("B", process=1).page("p", memory="shared").word("u", 0, page="p")
v.call("A", "wait", "u")
v.call("B", "wake", "u", 0)
v.call("B", "wake", "u", 0, shared=True)
v.signal("A", also={"A": "EINTR"})

v = vector("fork-lock", "2.3 7.9 7.6c", "a lock between processes, with shared keys")
v.task("A", fifo=10).task("B", fifo=20, process=1).page("p", memory="shared")
v.word("L", 0, page="p")
v.call("A", "lock_pi", "L", 0, shared=True, L="A")
v.call("B", "lock_pi", "L", shared=True, L="A|W", prio={"A": 20})
v.call("A", "unlock_pi", "L", 0, shared=True, also={"B": 0}, prio={"A": 10}, L="B|W")
v.call("A", "trylock_pi", "L", "EAGAIN", shared=True)
v.call("B", "unlock_pi", "L", 0, shared=True, L=0)

v = vector("fork-requeue-pi", "2.3 13.4.4 13.4.1", "requeue_pi between processes")
v.task("A B").task("C", process=1).page("p", memory="shared")
v.word("u", 7, page="p").word("L", 0, page="p")
v.call("A", "wait_requeue_pi", "u", uaddr2="L", shared=True)
v.call("B", "wait_requeue_pi", "u", uaddr2="L", shared=True)
v.call("C", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=5, shared=True, also={"A": 0}, L="A|W")
v.call("A", "unlock_pi", "L", 0, shared=True, also={"B": 0}, L="B|W")

v = vector("read-only-private-wait", "2.4", "a private wait on a page that cannot be written")
v.task("A B").page("r", access="read").word("u", 3, page="r")
v.call("A", "wait", "u")
v.call("B", "wake", "u", 1, also={"A": 0})
v.call("A", "wait", "u", "EAGAIN", val=4)

v = vector("read-only-anonymous-shared", "2.4",
           "shared keys on read-only anonymous memory are refused")
v.task("A").page("r", access="read").word("u", 3, page="r")
v.call("A", "wait", "u", "EFAULT", shared=True)
v.call("A", "wake", "u", "EFAULT", shared=True)

v = vector("read-only-file-shared", "2.4",
           "a shared wait on a read-only mapping of a file is allowed")
v.task("A B").page("f", memory="file").page("r", same_as="f", access="read")
v.word("u", 3, page="f", offset=0).word("w", 3, page="r", offset=0)
v.call("A", "wait", "w", shared=True)
v.call("B", "wake", "u", 1, shared=True, also={"A": 0})
v.call("A", "wait", "u", shared=True)
v.call("B", "wake", "w", 1, shared=True, also={"A": 0})

for op in ("lock_pi", "lock_pi2", "trylock_pi", "unlock_pi", "wait_requeue_pi", "cmp_requeue_pi",
           "wake_op"):
    v = vector(f"read-only-shared-{op.replace('_', '-')}", "2.4 16." + op,
               f"{op} with a shared key wants to write the page of its lock word")
    v.task("A").page("f", memory="file").page("r", same_as="f", access="read")
    v.word("w", 0, page="r", offset=0).word("u", 0)
    if op in ("wait_requeue_pi", "cmp_requeue_pi", "wake_op"):
        v.call("A", op, "u", "EFAULT", uaddr2="w", shared=True)
    elif op == "unlock_pi":
        v.call("A", op, "w", "EPERM", shared=True)
    else:
        v.call("A", op, "w", "EFAULT", shared=True)

v = vector("read-only-shared-unlock-by-owner", "2.4 8.7",
           "the owner cannot unlock through a read-only mapping")
v.task("A").page("f", memory="file").page("r", same_as="f", access="read")
v.word("L", 0, page="f", offset=0).word("w", 0, page="r", offset=0)
v.call("A", "lock_pi", "L", 0, shared=True, L="A", w="A")
v.call("A", "unlock_pi", "w", "EFAULT", shared=True)
v.call("A", "unlock_pi", "L", 0, shared=True, L=0, w=0)

v = vector("read-only-private-lock", "2.5", "a private lock on a read-only page cannot be taken")
v.task("A").page("r", access="read").word("L", 0, page="r")
v.call("A", "lock_pi", "L", "EFAULT")
v.call("A", "lock_pi2", "L", "EFAULT")
v.call("A", "trylock_pi", "L", "EFAULT")
v.call("A", "unlock_pi", "L", "EPERM")

v = vector("read-only-private-own-lock", "2.5 7.2",
           "what needs no write has its own answer on a read-only page")
v.task("A B").page("r").word("L", "A", page="r").word("u", 0)
v.protect("B", "r", "read")
v.call("A", "lock_pi", "L", "EDEADLK")
v.call("A", "trylock_pi", "L", "EDEADLK")
v.call("A", "unlock_pi", "L", "EFAULT")
v.call("B", "unlock_pi", "L", "EPERM")
v.call("B", "cmp_requeue_pi", "u", 0, uaddr2="L", val2=1)
v.protect("B", "r", "write")
v.call("A", "unlock_pi", "L", 0, L=0)

v = vector("same-address-requeue-pi", "2.6 13.1 13.2", "one word cannot be both of a requeue_pi")
v.task("A").word("u", 0)
v.call("A", "wait_requeue_pi", "u", "EINVAL", uaddr2="u")
v.call("A", "cmp_requeue_pi", "u", "EINVAL", uaddr2="u")
v.call("A", "wait_requeue_pi", "u", "EINVAL", uaddr2="u", shared=True)
v.call("A", "cmp_requeue_pi", "u", "EINVAL", uaddr2="u", shared=True)
v.call("A", "wait_requeue_pi", "kernel", "EINVAL", uaddr2="kernel")

v = vector("same-key-requeue-pi", "2.6 13.1 13.2",
           "nor can two mappings of one word, with shared keys")
v.task("A B").page("f", memory="file").page("g", same_as="f")
v.word("u", 0, page="f", offset=0).word("w", 0, page="g", offset=0)
v.call("A", "wait_requeue_pi", "u", "EINVAL", uaddr2="w", shared=True)
v.call("A", "cmp_requeue_pi", "u", "EINVAL", uaddr2="w", shared=True)
v.call("A", "wait_requeue_pi", "u", "EAGAIN", uaddr2="w", val=5, shared=True)
v.call("A", "cmp_requeue_pi", "u", "EINVAL", uaddr2="w", val3=5, shared=True)

v = vector("two-mappings-private-requeue-pi", "2.6",
           "with private keys two mappings of one word are two words")
v.task("A B").page("f", memory="file").page("g", same_as="f")
v.word("u", 0, page="f", offset=0).word("w", 0, page="g", offset=0)
v.call("A", "wait_requeue_pi", "u", uaddr2="w")
v.call("B", "cmp_requeue_pi", "u", 1, uaddr2="w", val2=0, also={"A": 0}, u="A", w="A")

v = vector("mixed-keys-on-a-lock", "2.7",
           "a shared and a private lock on one word are two queues of the kernel")
v.task("A B C").word("L", 0)
v.call("A", "lock_pi", "L", 0, shared=True, L="A")
v.call("B", "lock_pi", "L", shared=True, L="A|W")
v.call("A", "unlock_pi", "L", 0, L=0)
v.call("C", "lock_pi", "L", 0, L="C")
v.call("C", "unlock_pi", "L", 0, L=0)
v.call("C", "lock_pi", "L", "EINVAL", shared=True)
v.store("A", "L", "A|W")
v.call("A", "unlock_pi", "L", 0, shared=True, also={"B": 0}, L="B|W")

v = vector("mixed-keys-both-wait", "2.7",
           "a waiter of each kind is served by an unlock of its kind")
v.task("A B C").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", shared=True, L="A|W")
v.call("C", "lock_pi", "L")
v.call("A", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")
v.call("C", "unlock_pi", "L", 0, L=0)
v.store("A", "L", "A|W")
v.call("A", "unlock_pi", "L", 0, shared=True, also={"B": 0}, L="B|W")

v = vector("exit-wakes-shared-only", "2.8 10.20",
           "the death of an owner wakes a shared waiter and no private one")
v.task("A B C").word("m", "A|W")
v.robust("A", "m")
v.call("B", "wait", "m")
v.call("C", "wait", "m", shared=True)
v.exit("A", also={"C": 0}, m="0|W|OD")
v.call("C", "wake", "m", 1, also={"B": 0})

v = vector("exit-finds-private-pi-waiters", "2.8 10.1 10.2",
           "waiters of a PI lock are found whatever their keys are")
v.task("A B").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.robust("A", "L!")
v.call("B", "lock_pi", "L", L="A|W")
v.exit("A", also={"B": 0}, L="B|W|OD")
