# SPDX-License-Identifier: MIT
"""Vectors of section 6: wait, wake, requeue and wake_op, without PI."""

from dsl import place, us

vector = place("06-plain")

for op in ("wait", "wait_bitset"):
    name = op.replace("_", "-")
    v = vector(f"{name}-order-of-checks", "6.1 16." + op, f"{op}: which error comes first")
    v.task("A").word("u", 1)
    v.call("A", op, "u+1", "EINVAL", val=5, timeout={"sec": 0, "nsec": -1})
    v.call("A", op, "unmapped+1", "EINVAL", val=5)
    v.call("A", op, "unmapped", "EFAULT", val=5)
    v.call("A", op, "u", "EAGAIN", val=5)
    v.call("A", op, "u", "EAGAIN", val=5, shared=True)

    v = vector(f"{name}-on-a-lock", "6.1 6.2.4", f"{op} on a word that has PI waiters is accepted")
    v.task("A B C").word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.call("B", "lock_pi", "L", L="A|W")
    v.call("C", op, "L", "EAGAIN", val=0)
    v.call("C", op, "L", timeout=us("relative" if op == "wait" else "monotonic"))
    v.expire("C", "ETIMEDOUT")
    v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

v = vector("wait-compares-32-bits", "6.1", "all 32 bits of the word are compared")
v.task("A B").word("u", 0xC0000001)
v.call("A", "wait", "u", "EAGAIN", val=1)
v.call("A", "wait", "u", "EAGAIN", val=0x80000001)
v.call("A", "wait", "u", val=0xC0000001)
v.call("B", "wake", "u", 1, also={"A": 0})

v = vector("bitset-zero", "6.2.1 6.1", "a bitset of 0 is refused before the address is looked at")
v.task("A").word("u", 1)
for where in ("u", "u+1", "kernel", "unmapped"):
    v.call("A", "wake_bitset", where, "EINVAL", val3=0)
    v.call("A", "wait_bitset", where, "EINVAL", val=9, val3=0)

v = vector("bitset-selects", "6.2.3 16.wake_bitset", "wake_bitset wakes those whose bits match")
v.task("A B C X").word("u", 0)
v.call("A", "wait_bitset", "u", val3=1)
v.call("B", "wait_bitset", "u", val3=6)
v.call("C", "wait", "u")
v.call("X", "wake_bitset", "u", 2, val=9, val3=4, also={"B": 0, "C": 0})
v.call("X", "wake_bitset", "u", 0, val=9, val3=6)
v.call("X", "wake", "u", 1, val=9, also={"A": 0})

for nr in (0, -1, -0x80000000):
    v = vector(f"wake-nr-{'zero' if not nr else 'minus-1' if nr == -1 else 'min'}", "6.2.2 16.wake",
               f"wake with nr {nr} wakes one")
    v.task("A B X").word("u", 0)
    v.call("A", "wait", "u")
    v.call("B", "wait", "u")
    v.call("X", "wake", "u", 1, val=nr, also={"A": 0})
    v.call("X", "wake_bitset", "u", 1, val=nr, also={"B": 0})
    v.call("X", "wake", "u", 0, val=nr)

v = vector("wake-counts", "6.2.3", "wake returns how many it woke")
v.task("A B C X").word("u", 0)
for task in "ABC":
    v.call(task, "wait", "u")
v.call("X", "wake", "u", 2, val=2, also={"A": 0, "B": 0})
v.call("X", "wake", "u", 1, val=2, also={"C": 0})
v.call("X", "wake", "u", 0, val=2)


def plain_before_pi(v):
    """A plain waiter B before a PI waiter C in one bucket; A owns."""
    v.task("A C X").task("B", fifo=10).word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.call("C", "lock_pi", "L", L="A|W", prio={})
    v.call("B", "wait", "L")
    return v


for op in ("wake", "wake_bitset"):
    name = op.replace("_", "-")
    v = plain_before_pi(vector(f"{name}-meets-pi-waiter", "6.2.3 16." + op,
                               f"{op} stops at a PI waiter; who is woken already stays woken"))
    v.call("X", op, "L", "EINVAL", val=5, also={"B": 0})
    v.call("X", op, "L", "EINVAL")
    v.call("A", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")

    v = plain_before_pi(vector(f"{name}-stops-before-pi-waiter", "6.2.3",
                               f"{op} does not notice a PI waiter behind its limit"))
    v.call("X", op, "L", 1, also={"B": 0})
    v.call("A", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")

    v = vector(f"{name}-behind-pi-waiter", "6.2.4",
               f"{op} cannot reach a plain waiter behind a PI waiter")
    v.task("A B C X").word("L", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.call("C", "lock_pi", "L", L="A|W")
    v.call("B", "wait", "L")
    v.call("X", op, "L", "EINVAL", val=9)
    v.call("A", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")
    v.call("X", op, "L", 1, also={"B": 0})

v = vector("wake-bitset-refuses-before-bits", "6.2.4",
           "a PI waiter is refused before its bits matter")
v.task("A B X").word("u", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", uaddr2="L")
for bits in (1, 0x80000000):
    v.call("X", "wake_bitset", "u", "EINVAL", val3=bits)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"A": 0}, L="A")

v = vector("wake-after-deadline", "6.2.5 12.9",
           "a waiter whose deadline passed but has not run is woken")
v.task("A", fifo=10).task("X", fifo=10, cpu="free").word("u", 0)
v.call("A", "wait_bitset", "u", timeout=us("monotonic"))
v.hog(True)
v.expire("A", ready="A")
v.call("X", "wake", "u", 1, val=5)
v.hog(False, also={"A": 0})

for op in ("requeue", "cmp_requeue"):
    name = op.replace("_", "-")
    v = vector(f"{name}-negative", "6.3.1 16." + op, f"{op} refuses negative counts")
    v.task("A X").word("u v", 0)
    v.call("A", "wait", "u")
    v.call("X", op, "u", "EINVAL", uaddr2="v", val=-1, val2=1)
    v.call("X", op, "u", "EINVAL", uaddr2="v", val=1, val2=-1)
    v.call("X", op, "u", "EINVAL", uaddr2="v", val=0x80000000, val2=0)
    v.call("X", op, "u+1", "EINVAL", uaddr2="kernel", val=-1, val2=0)
    v.call("X", op, "u", 1, uaddr2="v", val=1, val2=0, also={"A": 0})

    v = vector(f"{name}-counts-both", "6.3.2 16." + op, f"{op} returns woken plus moved")
    v.task("A B C D X").word("u v", 0)
    for task in "ABCD":
        v.call(task, "wait", "u")
    v.call("X", op, "u", 3, uaddr2="v", val=1, val2=2, also={"A": 0})
    v.call("X", "wake", "u", 1, val=9, also={"D": 0})
    v.call("X", "wake", "v", 2, val=9, also={"B": 0, "C": 0})

    v = vector(f"{name}-nr-wake-zero", "6.3.3", f"{op} with nr_wake 0 wakes nobody")
    v.task("A B X").word("u v", 0)
    v.call("A", "wait", "u")
    v.call("B", "wait", "u")
    v.call("X", op, "u", 0, uaddr2="v", val=0, val2=0)
    v.call("X", op, "u", 2, uaddr2="v", val=0, val2=5)
    v.call("X", "wake", "u", 0, val=9)
    v.call("X", "wake", "v", 2, val=9, also={"A": 0, "B": 0})

    v = vector(f"{name}-zero-zero", "6.3.3 6.3.5",
               f"{op} 0/0 looks at nothing, not even a PI waiter")
    v.task("A B X").word("L v", 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    v.call("B", "lock_pi", "L", L="A|W")
    v.call("X", op, "L", 0, uaddr2="v", val=0, val2=0)
    v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

    v = vector(f"{name}-to-itself", "6.3.4", f"{op} from a word to itself counts and moves nobody")
    v.task("A B X").word("u", 0)
    v.call("A", "wait", "u")
    v.call("B", "wait", "u")
    v.call("X", op, "u", 2, uaddr2="u", val=0, val2=9)
    v.call("X", op, "u", 2, uaddr2="u", val=1, val2=9, also={"A": 0})
    v.call("X", "wake", "u", 1, val=9, also={"B": 0})

    for kind in ("pi", "rp"):
        for wake, move, to in ((0, 1, "same"), (1, 1, "other"), (1, 0, "other"), (0, 1, "other")):
            v = vector(f"{name}-meets-{kind}-waiter-{wake}-{move}-{to}", "6.3.5 13.5.7 16." + op,
                       f"{op} {wake}/{move} meets a {kind.upper()} waiter")
            v.task("A B X").word("u", 0).word("v L", 0)
            if kind == "pi":
                v.call("A", "lock_pi", "u", 0, u="A")
                v.call("B", "lock_pi", "u", u="A|W")
            else:
                v.call("B", "wait_requeue_pi", "u", uaddr2="L")
            v.call("X", op, "u", "EINVAL", uaddr2="u" if to == "same" else "v", val=wake, val2=move)
            if kind == "pi":
                v.call("A", "unlock_pi", "u", 0, also={"B": 0}, u="B|W")
            else:
                v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"B": 0}, L="B")

    v = plain_before_pi(vector(f"{name}-earlier-ones-stay-woken", "6.3.5",
                               f"{op} meets a PI waiter after it woke a plain one"))
    v.word("v", 0)
    v.call("X", op, "L", "EINVAL", uaddr2="v", val=1, val2=5, also={"B": 0})
    v.call("A", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")

    v = plain_before_pi(vector(f"{name}-earlier-ones-stay-moved", "6.3.5",
                               f"{op} meets a PI waiter after it moved a plain one"))
    v.word("v", 0)
    v.call("X", op, "L", "EINVAL", uaddr2="v", val=0, val2=5)
    v.call("X", "wake", "v", 1, also={"B": 0})
    v.call("A", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")

    v = vector(f"{name}-moved-times-out", "6.3.7", f"a waiter moved by {op} times out and is gone")
    v.task("A X").word("u v", 0)
    v.call("A", "wait", "u", timeout=us("relative"))
    v.call("X", op, "u", 1, uaddr2="v", val=0, val2=1)
    v.expire("A", "ETIMEDOUT")
    v.call("X", "wake", "v", 0)
    v.call("X", "wake", "u", 0)

v = vector("cmp-requeue-compares", "6.3.1 16.cmp_requeue",
           "cmp_requeue compares after all addresses")
v.task("A X").word("u", 3).word("v", 0)
v.call("A", "wait", "u")
v.call("X", "cmp_requeue", "u", "EAGAIN", uaddr2="v", val=1, val2=1, val3=4)
v.call("X", "cmp_requeue", "u", "EINVAL", uaddr2="v+2", val=1, val2=1, val3=4)
v.call("X", "cmp_requeue", "unmapped", "EFAULT", uaddr2="v", val=1, val2=1, val3=4)
v.call("X", "cmp_requeue", "u", 1, uaddr2="v", val=1, val2=1, also={"A": 0})

v = vector("plain-waiter-poisons-a-lock", "6.3.6 8.4 7.3",
           "a plain waiter moved onto a PI word makes its unlock fail")
v.task("A B X").word("u L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "wait", "u")
v.call("X", "requeue", "u", 1, uaddr2="L", val=0, val2=1)
v.call("A", "unlock_pi", "L", "EINVAL")
v.call("X", "lock_pi", "L", "EINVAL")
v.call("X", "wake", "L", 1, also={"B": 0})
v.call("A", "unlock_pi", "L", 0, L=0)


def arg(op, cmp, oparg, cmparg):
    return (op << 28 | cmp << 24 | (oparg & 0xfff) << 12 | cmparg & 0xfff) & 0xffffffff


SHIFT = 8
for op, name, oparg, old, new in (
        (0, "set", 5, 9, 5), (0, "set-negative", -1, 9, 0xffffffff),
        (1, "add", 5, 9, 14), (1, "add-negative", -3, 9, 6),
        (2, "or", 6, 9, 15), (3, "andn", 1, 9, 8), (4, "xor", 3, 9, 10),
        (0 | SHIFT, "set-shift", 4, 9, 16), (1 | SHIFT, "add-shift", 3, 9, 17),
        (2 | SHIFT, "or-shift", 31, 1, 0x80000001), (3 | SHIFT, "andn-shift", 3, 9, 1),
        (4 | SHIFT, "xor-shift", 0, 9, 8), (0 | SHIFT, "shift-33-is-1", 33, 9, 2),
        (0 | SHIFT, "shift-minus-1-is-31", -1, 9, 0x80000000),
        (1, "add-wraps", 1, 0xffffffff, 0), (1, "add-2047", 2047, 0, 2047),
        (1, "add-2048-is-negative", 2048, 0, 0xfffff800)):
    v = vector(f"wake-op-{name}", "6.4.1", f"wake_op {name}: {old} becomes {new}")
    v.task("A X").word("u", 0).word("v", old)
    v.call("A", "wait", "u")
    v.call("X", "wake_op", "u", 1, uaddr2="v", val=1, val3=arg(op, 0, oparg, 77), v=new,
           also={"A": 0})

for op in (5, 6, 7, 13, 15):
    v = vector(f"wake-op-unknown-{op}", "6.4.1", f"wake_op with operation {op}: nothing is changed")
    v.task("A X").word("u", 0).word("v", 9)
    v.call("A", "wait", "u")
    v.call("X", "wake_op", "u", "ENOSYS", uaddr2="v", val=1, val3=arg(op, 0, 1, 0))

HOLDS = {0: lambda a, b: a == b, 1: lambda a, b: a != b, 2: lambda a, b: a < b,
         3: lambda a, b: a <= b, 4: lambda a, b: a > b, 5: lambda a, b: a >= b}
for cmp, name in enumerate(("eq", "ne", "lt", "le", "gt", "ge")):
    for old in (5, -1):
        v = vector(f"wake-op-compare-{name}-{'5' if old > 0 else 'minus-1'}", "6.4.2 6.4.3",
                   f"wake_op compares the old value {old} as a signed one: {name}")
        v.task("A X").word("u", 0).word("v", old & 0xffffffff)
        v.now["v"] = old & 0xffffffff
        for cmparg in (old - 1, old, old + 1, 2047, -2048):
            v.call("A", "wait", "v")
            if HOLDS[cmp](old, cmparg):
                v.call("X", "wake_op", "u", 1, uaddr2="v", val=1, val2=1,
                       val3=arg(1, cmp, 0, cmparg), also={"A": 0})
            else:
                v.call("X", "wake_op", "u", 0, uaddr2="v", val=1, val2=1,
                       val3=arg(1, cmp, 0, cmparg))
                v.call("X", "wake", "v", 1, also={"A": 0})

for cmp in (6, 15):
    v = vector(f"wake-op-unknown-compare-{cmp}", "6.4.2",
               f"wake_op with comparison {cmp}: ENOSYS, but the word has been changed")
    v.task("A X").word("u", 0).word("v", 9)
    v.call("A", "wait", "u")
    v.call("X", "wake_op", "u", "ENOSYS", uaddr2="v", val=1, val3=arg(0, cmp, 3, 0), v=3)

v = vector("wake-op-both-queues", "6.4.3 16.wake_op",
           "wake_op wakes on the first word, then on the second")
v.task("A B C D X").word("u", 0).word("v", 5)
v.call("A", "wait", "u")
v.call("B", "wait", "u")
v.call("C", "wait", "v")
v.call("D", "wait", "v")
v.call("X", "wake_op", "u", 1, uaddr2="v", val=1, val2=9, val3=arg(1, 1, 1, 5), v=6, also={"A": 0})
v.call("X", "wake_op", "u", 3, uaddr2="v", val=9, val2=9, val3=arg(1, 0, 1, 6), v=7,
       also={"B": 0, "C": 0, "D": 0})

v = vector("wake-op-zero-wakes-one", "6.4.3", "a count of 0 wakes one, on each word")
v.task("A B C D X").word("u", 0).word("v", 5)
for task, word in (("A", "u"), ("B", "u"), ("C", "v"), ("D", "v")):
    v.call(task, "wait", word)
v.call("X", "wake_op", "u", 2, uaddr2="v", val=0, val2=0, val3=arg(1, 0, 0, 5),
       also={"A": 0, "C": 0})

v = vector("wake-op-one-word", "6.4.3", "both words may be the same")
v.task("A B C X").word("u", 5)
for task in "ABC":
    v.call(task, "wait", "u")
v.call("X", "wake_op", "u", 2, uaddr2="u", val=1, val2=1, val3=arg(1, 0, 1, 5), u=6,
       also={"A": 0, "B": 0})

v = vector("wake-op-meets-pi-on-first", "6.4.4 13.5.7 16.wake_op",
           "wake_op meets an RP waiter on its first word")
v.task("A X").word("u v", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", uaddr2="L")
v.call("X", "wake_op", "u", "EINVAL", uaddr2="v", val=1, val3=arg(0, 0, 3, 0), v=3)
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", also={"A": 0}, L="A")

v = vector("wake-op-meets-pi-on-second", "6.4.4 13.5.7",
           "wake_op meets an RP waiter on its second word; the first wakes stand")
v.task("A B X").word("u v", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "v", uaddr2="L")
v.call("B", "wait", "u")
v.call("X", "wake_op", "u", "EINVAL", uaddr2="v", val=1, val2=1, val3=arg(0, 0, 3, 7), v=3,
       also={"B": 0})
v.call("X", "wake_op", "u", 0, uaddr2="v", val=1, val2=1, val3=arg(0, 0, 7, 7), v=7)
v.call("X", "cmp_requeue_pi", "v", 1, uaddr2="L", also={"A": 0}, L="A")
