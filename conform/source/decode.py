# SPDX-License-Identifier: MIT
"""Vectors of section 1: decoding, and the checks that all operations share."""

from dsl import TIMED, place, us

vector = place("01-decode")

OPS = ("wait", "wake", "wait_bitset", "wake_bitset", "wake_op", "requeue", "cmp_requeue",
       "lock_pi", "lock_pi2", "trylock_pi", "unlock_pi", "wait_requeue_pi", "cmp_requeue_pi")
TWO = ("requeue", "cmp_requeue", "wake_op", "cmp_requeue_pi", "wait_requeue_pi")
BAD_TIMES = (({"address": "unmapped"}, "EFAULT"),
             ({"sec": -1, "nsec": 0}, "EINVAL"),
             ({"sec": 0, "nsec": -1}, "EINVAL"),
             ({"sec": 0, "nsec": 1000000000}, "EINVAL"))


def second(op):
    return {"uaddr2": "v"} if op in TWO else {}


for number, name in ((0x201, "bit-9"), (-0x7fffffff, "bit-31"), (-1, "minus-1"), (2, "fd"),
                     (14, "14"), (15, "15"), (63, "63"), (100, "100"), (127, "127")):
    v = vector(f"unknown-operation-{name}", "1.1", f"operation {number} does not exist")
    v.task("A").word("u", 1)
    v.call("A", number, "u", "ENOSYS", val=1)
    v.call("A", number, "u+1", "ENOSYS", val=1)
    if number > 0:
        v.call("A", number | 128, "u", "ENOSYS", val=1)

for op in TIMED:
    v = vector(f"bad-timeout-{op.replace('_', '-')}", "1.2 16." + op,
               f"{op}: a bad timeout comes before everything else")
    v.task("A").word("u", 0).word("v", 0)
    for timeout, error in BAD_TIMES:
        for where in ("u", "u+1", "kernel", "unmapped"):
            v.call("A", op, where, error, val=77, timeout=timeout, **second(op))
    if op in ("wait", "lock_pi"):
        v.call("A", op, "u", "EINVAL", timeout={"sec": -1, "nsec": 0}, realtime=True)

v = vector("timeout-not-looked-at", "1.3 7.5 8.8",
           "trylock, unlock and wake never look at the timeout")
v.task("A").word("u", 0)
for timeout, _ in BAD_TIMES:
    v.call("A", "trylock_pi", "u", 0, timeout=timeout, u="A")
    v.call("A", "unlock_pi", "u", 0, timeout=timeout, u=0)
    v.call("A", "wake", "u", 0, timeout=timeout)
v.call("A", "wake", "u", 0, timeout={"address": "null+8"})
v.call("A", "wake_bitset", "u", 0, timeout={"address": "null+8"})

v = vector("val2-is-32-bits", "1.3 6.3.2", "the fourth argument of a requeue is cut to 32 bits")
v.task("A B C D").word("u v", 0)
for task in "ABC":
    v.call(task, "wait", "u")
v.call("D", "requeue", "u", 1, uaddr2="v", val=0, val2=0x100000001)
v.call("D", "wake", "v", 1, val=9, also={"A": 0})
v.call("D", "cmp_requeue", "u", 1, uaddr2="v", val=0, val2=0x700000001)
v.call("D", "wake", "v", 1, val=9, also={"B": 0})
v.call("D", "requeue", "u", "EINVAL", uaddr2="v", val=0, val2=0x80000000)
v.call("D", "wake_op", "u", 1, uaddr2="v", val=1, val2=0x100000001, val3=0x0, also={"C": 0})

for op in OPS:
    takes = op in ("wait_bitset", "wait_requeue_pi", "lock_pi2")
    result = {"wait_bitset": "EAGAIN", "wait_requeue_pi": "EAGAIN", "lock_pi2": 0}
    v = vector(f"realtime-flag-{op.replace('_', '-')}", "1.4 16." + op,
               f"{op} {'takes' if takes else 'refuses'} FUTEX_CLOCK_REALTIME")
    v.task("A").word("u v", 0)
    after = {"u": "A"} if op == "lock_pi2" else {}
    v.call("A", op, "u", result.get(op, "ENOSYS"), val=5, realtime=True, **second(op), **after)
    v.call("A", op, "u" if takes else "u+1",
           "EDEADLK" if op == "lock_pi2" else result.get(op, "ENOSYS"), val=5, realtime=True,
           shared=True, **second(op))

for op in OPS:
    v = vector(f"misaligned-{op.replace('_', '-')}", "1.5 8.2 16." + op if op == "unlock_pi"
               else "1.5 16." + op, f"{op}: an address must be a multiple of 4")
    v.task("A").word("u v", 0)
    for offset in (1, 2, 3):
        error = "EPERM" if op == "unlock_pi" else "EINVAL"
        v.call("A", op, f"u+{offset}", error, val=1, **second(op))
        v.call("A", op, f"u+{offset}", error, val=1, shared=True, **second(op))
        if op in TWO:
            v.call("A", op, "u", "EINVAL", uaddr2=f"v+{offset}", val=1)
            v.call("A", op, "u", "EINVAL", uaddr2=f"v+{offset}", val=1, shared=True)

for op in OPS:
    v = vector(f"outside-of-user-range-{op.replace('_', '-')}", "1.6 16." + op,
               f"{op}: an address outside of the range of user addresses")
    v.task("A").word("u v", 0)
    v.call("A", op, "kernel", "EFAULT", val=1, **second(op))
    v.call("A", op, "kernel", "EFAULT", val=1, shared=True, **second(op))
    if op in TWO:
        v.call("A", op, "u", "EFAULT", uaddr2="kernel", val=1)
        v.call("A", op, "u", "EFAULT", uaddr2="kernel", val=1, shared=True)

for op in ("requeue", "cmp_requeue", "wake_op", "cmp_requeue_pi"):
    v = vector(f"first-address-first-{op.replace('_', '-')}", "1.7",
               f"{op} checks the first address wholly, then the second, then the value")
    v.task("A").word("u v", 0)
    v.call("A", op, "kernel", "EFAULT", uaddr2="v+1", val=1, val3=9)
    v.call("A", op, "u+1", "EINVAL", uaddr2="kernel", val=1, val3=9)
    v.call("A", op, "unmapped", "EFAULT", uaddr2="v+1", val=1, val3=9, shared=True)
    v.call("A", op, "u", "EINVAL", uaddr2="v+1", val=1, val3=9)
    v.call("A", op, "u", "EFAULT", uaddr2="kernel", val=1, val3=9)
    v.call("A", op, "u", "EFAULT", uaddr2="unmapped", val=1, val3=9, shared=True)

v = vector("second-address-first-wait-requeue-pi", "1.7 13.1",
           "wait_requeue_pi checks the second address first")
v.task("A").word("u v", 0)
v.call("A", "wait_requeue_pi", "u+1", "EFAULT", uaddr2="kernel", val=9)
v.call("A", "wait_requeue_pi", "kernel", "EINVAL", uaddr2="v+1", val=9)
v.call("A", "wait_requeue_pi", "unmapped", "EINVAL", uaddr2="v+1", val=9, shared=True)
v.call("A", "wait_requeue_pi", "u+1", "EFAULT", uaddr2="unmapped", val=9, shared=True)

v = vector("private-is-lazy", "1.8", "a private key needs no page behind it")
v.task("A B").word("u v", 0).page("gone", access="none").word("g", page="gone")
for where in ("null", "unmapped", "g"):
    v.call("A", "wake", where, 0)
    v.call("A", "wake_bitset", where, 0)
    v.call("A", "requeue", where, 0, uaddr2="u", val=1, val2=1)
    v.call("A", "requeue", "u", 0, uaddr2=where, val=1, val2=1)
    v.call("A", "cmp_requeue", "u", 0, uaddr2=where, val=1, val2=1)
    v.call("A", "cmp_requeue", where, "EFAULT", uaddr2="u", val=1, val2=1, val3=0)
    v.call("A", "wait", where, "EFAULT")
    v.call("A", "lock_pi", where, "EFAULT")
    v.call("A", "trylock_pi", where, "EFAULT")
    v.call("A", "unlock_pi", where, "EFAULT")
    v.call("A", "wake_op", "u", "EFAULT", uaddr2=where, val=1)

v = vector("private-unreadable-target-of-wait-requeue-pi", "1.8 13.2",
           "wait_requeue_pi sleeps although its private target cannot be read; the requeue fails")
v.task("A B").word("u v", 0).page("gone", access="none").word("g", page="gone")
v.call("A", "wait_requeue_pi", "u", uaddr2="g", timeout=us("monotonic"))
v.call("B", "cmp_requeue_pi", "u", "EFAULT", uaddr2="g", val2=1)
v.expire("A", "ETIMEDOUT")
v.call("B", "cmp_requeue_pi", "u", "EFAULT", uaddr2="g", val2=1)

v = vector("shared-is-eager", "1.8", "a shared key needs its page, even to wake nobody")
v.task("A").word("u v", 0).page("gone", access="none").word("g", page="gone")
for where in ("null", "unmapped", "g"):
    for op in OPS:
        v.call("A", op, where, "EFAULT", val=1, shared=True, **second(op))
        if op in TWO:
            v.call("A", op, "u", "EFAULT", uaddr2=where, val=1, shared=True)
