# SPDX-License-Identifier: MIT
"""Vectors of section 13: wait_requeue_pi and cmp_requeue_pi."""

from dsl import FOREIGN_REFUSED, FOREIGN_TAKEN, place, us

vector = place("13-requeue-pi")


def rp(v, tasks, word="u", lock="L"):
    for task in tasks:
        v.call(task, "wait_requeue_pi", word, uaddr2=lock)
    return v


v = vector("wait-requeue-pi-order-of-checks", "13.1 16.wait_requeue_pi",
           "wait_requeue_pi: which error comes first")
v.task("A").word("u", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", "EINVAL", uaddr2="u", val=9)
v.call("A", "wait_requeue_pi", "u+1", "EINVAL", uaddr2="L", val=9)
v.call("A", "wait_requeue_pi", "unmapped", "EFAULT", uaddr2="L", val=9)
v.call("A", "wait_requeue_pi", "u", "EAGAIN", uaddr2="L", val=9)
v.call("A", "wait_requeue_pi", "u", "EAGAIN", uaddr2="L", val=9, shared=True)

v = vector("wait-requeue-pi-ignores-val3", "13.1 6.2.4",
           "val3 means nothing to wait_requeue_pi: it has every bit")
v.task("A X").word("u", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", uaddr2="L", val3=0)
v.call("X", "wake_bitset", "u", "EINVAL", val3=0x10)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"A": 0}, L="A")

v = vector("wait-requeue-pi-owns-on-success", "13.1 13.4.1 13.4.4",
           "0 means that the word names the caller, by a grant as by a handover")
v.task("A B X").word("u", 7).word("L", 0)
rp(v, "AB")
v.call("X", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=1, also={"A": 0}, L="A|W")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
v.call("B", "unlock_pi", "L", 0, L=0)

CHECKS = (("negative-wake", {"val": -1, "val2": 0, "uaddr2": "u"}, "EINVAL"),
          ("negative-requeue", {"val": 1, "val2": -1, "uaddr2": "u"}, "EINVAL"),
          ("same-address", {"val": 1, "val2": 0, "uaddr2": "u"}, "EINVAL"),
          ("nr-wake-0", {"val": 0, "val2": 1, "uaddr2": "kernel"}, "EINVAL"),
          ("nr-wake-2", {"val": 2, "val2": 1, "uaddr2": "kernel"}, "EINVAL"),
          ("first-address", {"uaddr": "kernel", "uaddr2": "L+1"}, "EFAULT"),
          ("second-address", {"uaddr2": "L+1", "val3": 99}, "EINVAL"),
          ("second-address-range", {"uaddr2": "kernel", "val3": 99}, "EFAULT"),
          ("unreadable-first", {"uaddr": "unmapped"}, "EFAULT"),
          ("value-differs", {"val3": 99}, "EAGAIN"),
          ("value-before-target", {"val3": 99, "uaddr2": "unmapped"}, "EAGAIN"),
          ("unreadable-target", {"uaddr2": "unmapped"}, "EFAULT"),
          ("nobody-waits", {"val2": 9}, 0))
for name, more, result in CHECKS:
    v = vector(f"cmp-requeue-pi-{name}",
               "13.2 16.cmp_requeue_pi" + (" 1.7" if "address" in name else ""),
               f"cmp_requeue_pi without a waiter: {name}")
    v.task("X").word("u", 7).word("L", 0)
    arguments = {"uaddr2": "L", "val2": 1, "val3": 7, **more}
    v.call("X", "cmp_requeue_pi", arguments.pop("uaddr", "u"), result, **arguments)

v = vector("cmp-requeue-pi-checks-with-waiter", "13.2", "the same checks leave a waiter alone")
v.task("A X").word("u", 7).word("L", 0)
rp(v, "A")
for name, more, result in CHECKS[:12]:
    arguments = {"uaddr2": "L", "val2": 1, "val3": 7, **more}
    v.call("X", "cmp_requeue_pi", arguments.pop("uaddr", "u"), result, **arguments)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"A": 0}, L="A")

v = vector("top-waiter-is-plain", "13.3 13.5.4", "the first waiter is a plain one")
v.task("A B X").word("u", 7).word("L", 0)
v.call("A", "wait", "u")
rp(v, "B")
v.call("X", "cmp_requeue_pi", "u", "EINVAL", uaddr2="L", val2=9)
v.call("X", "wake", "u", 1, also={"A": 0})
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, also={"B": 0}, L="B")

v = vector("top-waiter-is-pi", "13.3", "the first waiter waits for a PI lock there")
v.task("A B X").word("u L", 0)
v.call("A", "lock_pi", "u", 0, u="A")
v.call("B", "lock_pi", "u", u="A|W")
v.call("X", "cmp_requeue_pi", "u", "EINVAL", uaddr2="L", val2=9)
v.call("A", "unlock_pi", "u", 0, also={"B": 0}, u="B|W")

v = vector("top-waiter-is-requeued", "13.3 13.5.6",
           "the first waiter has been requeued there before")
v.task("A B C X").word("u", 7).word("L M", 0)
v.call("B", "lock_pi", "L", 0, L="B")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", L="B|W")
v.call("X", "cmp_requeue_pi", "L", "EINVAL", uaddr2="M", val2=9)
v.call("X", "wake", "L", "EINVAL")
v.call("X", "wake_bitset", "L", "EINVAL")
v.call("X", "requeue", "L", "EINVAL", uaddr2="M", val=0, val2=1)
v.call("X", "cmp_requeue", "L", "EINVAL", uaddr2="M", val=1, val2=0)
v.call("B", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")

v = vector("top-waiter-declared-another-target", "13.3", "the first waiter declared another lock")
v.task("A X").word("u", 7).word("L M", 0)
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", "EINVAL", uaddr2="M", val2=1)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=1, also={"A": 0}, L="A|W")

v = vector("top-waiter-declared-another-mapping", "13.3 2.6 2.1",
           "with shared keys another mapping of the declared lock is the declared lock")
v.task("A X").page("f", memory="file").page("g", same_as="f")
v.word("L", 0, page="f", offset=0).word("M", 0, page="g", offset=0).word("u", 7)
v.call("A", "wait_requeue_pi", "u", uaddr2="L", shared=True)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="M", shared=True, also={"A": 0}, L="A", M="A")

for flags in ("", "|W", "|OD", "|W|OD"):
    od = "|OD" if "OD" in flags else ""
    name = flags.replace("|", "-").lower()
    v = vector(f"grant-alone{name}", "13.4.1 13.5.2", f"a free target, 0{flags}, and nr_requeue 0")
    v.task("A B X").word("u", 7).word("L", "0" + flags)
    rp(v, "AB")
    v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, also={"A": 0}, L="A" + od)
    v.call("A", "unlock_pi", "L", 0, L=0)

    v = vector(f"grant-with-requeue{name}", "13.4.2 13.5.1",
               f"a free target, 0{flags}, and nr_requeue 1, with one waiter")
    v.task("A X").word("u", 7).word("L", "0" + flags)
    rp(v, "A")
    v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=1, also={"A": 0}, L="A|W" + od)
    v.call("A", "unlock_pi", "L", 0, L=0)

for flags in ("", "|W", "|OD"):
    v = vector(f"target-owned-by-waiter{flags.replace('|', '-').lower()}", "13.4.3 11.6 7.2",
               f"the target names the first waiter: A{flags}")
    v.task("A X").word("u", 7).word("L", "A" + flags)
    v.call("A", "wait_requeue_pi", "u", uaddr2="L", timeout=us("monotonic", 40000))
    v.call("X", "cmp_requeue_pi", "u", "EDEADLK", uaddr2="L", val2=0)
    v.call("X", "cmp_requeue_pi", "u", "EDEADLK", uaddr2="L", val2=9)
    v.expire("A", "ETIMEDOUT")

v = vector("target-held", "13.4.4 15.3 15.1",
           "a held target: W set, the waiter moved, the owner boosted")
v.task("A", fifo=20).task("O", fifo=10).task("X", fifo=5).word("u", 7).word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, L="O|W", prio={"O": 20})
v.call("O", "unlock_pi", "L", 0, also={"A": 0}, prio={"O": 10}, L="A|W")
v.call("A", "unlock_pi", "L", 0, L=0)

v = vector("target-held-by-requeuer", "13.4.4 13.5.1", "the one who requeues holds the target")
v.task("A B X").word("u", 7).word("L", 0)
v.call("X", "lock_pi", "L", 0, L="X")
rp(v, "AB")
v.call("X", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=0x7fffffff, L="X|W")
v.call("X", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

v = vector("target-of-the-dead", "13.4.5 7.6a", "the owner of the target is dead")
v.task("A B X").word("u", 7).word("L", "nobody")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", "ESRCH", uaddr2="L", val2=1, L="nobody|W")
v.store("X", "L", 0)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, also={"A": 0}, L="A")

v = vector("target-of-a-dead-thread", "13.4.5 10.3", "the owner of the target has ended")
v.task("A B X").word("u", 7).word("L", 0)
v.call("B", "lock_pi", "L", 0, L="B")
rp(v, "A")
v.exit("B")
v.call("X", "cmp_requeue_pi", "u", "ESRCH", uaddr2="L", L="B|W")
v.signal("A", "restarts")

v = vector("target-with-plain-waiter", "13.4.6 7.3", "a plain waiter sleeps on the target")
v.task("A B X").word("u", 7).word("L", 0)
v.call("B", "wait", "L")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", "EINVAL", uaddr2="L", val2=1)
v.call("X", "wake", "L", 1, also={"B": 0})
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, also={"A": 0}, L="A")

v = vector("target-with-rp-waiter", "13.4.6 7.3", "an RP waiter sleeps on the target")
v.task("A B X").word("u", 7).word("L M", 0)
v.call("B", "wait_requeue_pi", "L", uaddr2="M")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", "EINVAL", uaddr2="L", val2=1)
v.call("X", "cmp_requeue_pi", "L", 1, uaddr2="M", also={"B": 0}, M="B")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, also={"A": 0}, L="A")

v = vector("target-forged", "13.4.7 9.4", "the target was zeroed under its waiters: never granted")
v.task("A B O X").word("u", 7).word("L", 0)
v.call("O", "lock_pi", "L", 0, L="O")
v.call("B", "lock_pi", "L", L="O|W")
rp(v, "A")
v.store("X", "L", 0)
v.call("X", "cmp_requeue_pi", "u", "EINVAL", uaddr2="L", val2=1)
v.store("X", "L", "O|W")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=1)
v.call("O", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
v.call("B", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")

v = vector("target-of-kernel-thread", "13.4.8 7.6b", "the target names a kernel thread")
v.task("A X").word("u", 7).word("L", "kernel thread")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", "EPERM", uaddr2="L", val2=1, L="kernel thread|W")
v.signal("A", "restarts")

v = vector("target-of-foreign-process", "13.4.8 7.6c 14.1",
           "a private target that names another process's thread", kernels=FOREIGN_REFUSED)
v.task("A X").task("F", process=1).word("u", 7).word("L", "F")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", "EPERM", uaddr2="L", val2=1, L="F|W")
v.signal("A", "restarts")

v = vector("target-of-foreign-process-taken", "14.1",
           "a private target that names another process's thread: older", kernels=FOREIGN_TAKEN)
v.task("A X").task("F", process=1).word("u", 7).word("L", "F")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=1, L="F|W")

for robust in (True, False):
    v = vector(f"target-owner-dies-{'robust' if robust else 'not-robust'}", "13.4.9 10.1 10.2",
               "the owner dies after the requeue: 0 with OD")
    v.task("A B X").word("u", 7).word("L", 0)
    v.call("B", "lock_pi", "L", 0, L="B")
    if robust:
        v.robust("B", "L!")
    rp(v, "A")
    v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", L="B|W")
    v.exit("B", also={"A": 0}, L="A|W|OD")

for held, waiters, requeue, result in (
        (False, 4, 0, 1), (False, 4, 1, 2), (False, 4, 2, 3), (False, 4, 9, 4), (False, 1, 9, 1),
        (True, 3, 0, 1), (True, 3, 1, 2), (True, 3, 2, 3), (True, 3, 9, 3), (True, 1, 0, 1)):
    v = vector(f"count-{'held' if held else 'free'}-{waiters}-waiters-requeue-{requeue}",
               "13.5.1 13.5.2 13.5.3",
               f"{'held' if held else 'free'} target, {waiters} waiters, nr_requeue {requeue}")
    tasks = "ABCD"[:waiters]
    v.task(" ".join(tasks)).task("O X").word("u", 7).word("L", 0)
    if held:
        v.call("O", "lock_pi", "L", 0, L="O")
    rp(v, tasks)
    if held:
        v.call("X", "cmp_requeue_pi", "u", result, uaddr2="L", val2=requeue, L="O|W")
        owner, rest = "O", tasks[:result]
    else:
        v.call("X", "cmp_requeue_pi", "u", result, uaddr2="L", val2=requeue, also={"A": 0},
               L="A|W" if requeue else "A")
        owner, rest = "A", tasks[1:result]
    for task in rest:
        v.call(owner, "unlock_pi", "L", 0, also={task: 0}, L=f"{task}|W")
        owner = task
    v.call(owner, "unlock_pi", "L", 0, L=0)

for later in ("plain", "other-target"):
    for held in (True, False):
        v = vector(f"later-waiter-{later}-{'held' if held else 'free'}", "13.5.4",
                   f"a later waiter is {later}: EINVAL, what went before stands")
        v.task("A B C O X").word("u", 7).word("L M", 0)
        if held:
            v.call("O", "lock_pi", "L", 0, L="O")
        rp(v, "A")
        if later == "plain":
            v.call("B", "wait", "u")
        else:
            rp(v, "B", lock="M")
        rp(v, "C")
        if held:
            v.call("X", "cmp_requeue_pi", "u", "EINVAL", uaddr2="L", val2=9, L="O|W")
            v.call("O", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")
        else:
            v.call("X", "cmp_requeue_pi", "u", "EINVAL", uaddr2="L", val2=9, also={"A": 0}, L="A|W")
        if later == "plain":
            v.call("X", "wake", "u", 1, also={"B": 0})
        else:
            v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="M", also={"B": 0}, M="B")
        v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=9)
        v.call("A", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")

v = vector("later-waiter-would-deadlock", "13.5.5 11.6", "a later waiter would close a circle",
           unsafe=True)
v.task("A B C O X").word("u", 7).word("L M", 0)
v.call("O", "lock_pi", "L", 0, L="O")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("O", "lock_pi", "M", M="B|W")
rp(v, "ABC")
v.call("X", "cmp_requeue_pi", "u", "EDEADLK", uaddr2="L", val2=9, L="O|W")
v.signal("B", "restarts")
v.call("X", "wake", "u", "EINVAL")

v = vector("later-waiter-owns-target", "13.5.5", "a later waiter owns the target itself",
           unsafe=True)
v.task("A", fifo=10).task("B", fifo=5).task("X").word("u", 7).word("L", 0)
v.call("B", "lock_pi", "L", 0, L="B")
rp(v, "AB")
v.call("X", "cmp_requeue_pi", "u", "EDEADLK", uaddr2="L", val2=9, L="B|W", prio={"B": 10})

v = vector("moved-waiter-is-a-pi-waiter", "13.5.6 6.2.3 6.4.4",
           "a moved waiter is out of reach for plain operations")
v.task("A B X").word("u", 7).word("L v", 0)
v.call("B", "lock_pi", "L", 0, L="B")
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", L="B|W")
v.call("X", "wake", "L", "EINVAL")
v.call("X", "wake_op", "v", "EINVAL", uaddr2="L", val=1, val2=1, val3=1 << 28 | 1 << 24)
v.call("X", "requeue", "L", "EINVAL", uaddr2="v", val=1, val2=1)
v.call("X", "cmp_requeue_pi", "L", "EINVAL", uaddr2="u", val2=1)
v.call("X", "cmp_requeue_pi", "u", 0, uaddr2="L", val2=9)
v.call("B", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")

for op in ("wake", "wake_bitset", "wake_op", "requeue", "cmp_requeue"):
    v = vector(f"rp-waiter-refuses-{op.replace('_', '-')}", "13.5.7 16." + op,
               f"{op} meets an RP waiter")
    v.task("A X").word("u", 7).word("L v", 0)
    rp(v, "A")
    more = {"uaddr2": "v", "val": 1, "val2": 1} if op not in ("wake", "wake_bitset") else {}
    v.call("X", op, "u", "EINVAL", **more)
    v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"A": 0}, L="A")

v = vector("race-grant-and-unlock", "13.5.8 13.4.1",
           "who is granted the lock may unlock before the requeue returns",
           repeat=20)
v.task("A", cpu="free").task("X").word("u", 7).word("L", 0)
rp(v, "A")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"A": 0}, L="A")
v.call("A", "unlock_pi", "L", 0, L=0)

v = vector("condvar-signal-and-broadcast", "13.4.1 13.5.1 13.4.4 5.1",
           "a signal, then a broadcast, with the lock held")
v.task("A", fifo=10).task("B", fifo=30).task("C", fifo=20).task("X", fifo=5).word("u", 7)
v.word("L", 0)
rp(v, "ABC")
v.call("X", "lock_pi", "L", 0, L="X")
v.store("X", "u", 8)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, val3=8, L="X|W", prio={"X": 30})
v.call("X", "unlock_pi", "L", 0, also={"B": 0}, prio={"X": 5}, L="B|W")
v.store("X", "u", 9)
v.call("X", "cmp_requeue_pi", "u", "EAGAIN", uaddr2="L", val2=9, val3=8)
v.call("X", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=0x7fffffff, val3=9)
v.call("B", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")
v.call("C", "unlock_pi", "L", 0, also={"A": 0}, L="A|W")
