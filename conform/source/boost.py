# SPDX-License-Identifier: MIT
"""Vectors of section 15: the effective priority after each step."""

from dsl import place, us

vector = place("15-boost")


def chain(v, lowest, *more):
    """A holds L, B holds M and waits for L, C holds N and waits for M ..."""
    tasks, words = "ABCDEFGH", "LMNOPQRS"
    v.task("A", fifo=lowest)
    for task, fifo in zip(tasks[1:], more):
        v.task(task, fifo=fifo)
    v.word(" ".join(words[:len(more) + 1]), 0)
    v.call("A", "lock_pi", "L", 0, L="A")
    for i, fifo in enumerate(more):
        task, own, wanted = tasks[i + 1], words[i + 1], words[i]
        v.call(task, "lock_pi", own, 0, **{own: task})
        raised = {t: fifo for t in tasks[:i + 1] if v.eff[t] < fifo}
        v.call(task, "lock_pi", wanted, prio=raised, **{wanted: f"{tasks[i]}|W"})
    return v


for depth in (1, 2, 3, 7):
    v = vector(f"boost-chain-{depth}", "15.1 15.7", f"a boost goes through {depth} locks, and back")
    chain(v, 5, *range(10, 10 + depth))
    tasks, words = "ABCDEFGH", "LMNOPQRS"
    for i in range(depth):
        below = 9 + i if i else 5
        v.call(tasks[i], "unlock_pi", words[i], 0, also={tasks[i + 1]: 0}, prio={tasks[i]: below},
               **{words[i]: f"{tasks[i + 1]}|W"})

v = vector("boost-by-better-waiter-only", "15.2 15.1",
           "a waiter that is not the top one boosts nobody")
v.task("A", fifo=5).task("B", fifo=20).task("C", fifo=10).task("D", fifo=20).task("E", fifo=21)
v.word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 20})
v.call("C", "lock_pi", "L")
v.call("D", "lock_pi", "L")
v.call("E", "lock_pi", "L", prio={"A": 21})

v = vector("boost-not-by-less-urgent", "15.1",
           "an owner more urgent than its waiter keeps what it has")
v.task("A", fifo=30).task("B", fifo=20).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")

v = vector("boost-of-normal-owner", "15.1 15.7", "a normal owner is made real-time for a while")
v.task("A", nice=5).task("B", rr=20).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 20})
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": "nice 5"}, L="B|W")

v = vector("boost-begins-with-requeue", "15.3 13.4.4",
           "an RP waiter boosts nobody until it is moved")
v.task("A", fifo=5).task("B", fifo=40).task("C", fifo=30).task("X", fifo=6).word("u", 7)
v.word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("C", "wait_requeue_pi", "u", uaddr2="L")
v.call("B", "wait_requeue_pi", "u", uaddr2="L")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, L="A|W", prio={"A": 40})
v.signal("B", also={"B": "EAGAIN"}, prio={"A": 5})
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="L", val2=0, prio={"A": 30})

v = vector("boost-through-requeued", "15.3 15.1",
           "the boost of a moved waiter goes through a chain")
v.task("A", fifo=5).task("B", fifo=6).task("C", fifo=30).task("X", fifo=7).word("u", 7)
v.word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 6})
v.call("C", "wait_requeue_pi", "u", uaddr2="M")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="M", M="B|W", prio={"A": 30, "B": 30})
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 5}, L="B|W")
v.call("B", "unlock_pi", "M", 0, also={"C": 0}, prio={"B": 6}, M="C|W")

for event in ("timeout", "kill", "deadlock"):
    v = vector(f"deboost-by-{event}", "15.4 15.1" + (" 11.3" if event == "deadlock" else ""),
               f"a waiter leaves by {event}: the chain is computed anew")
    shared = event == "kill"
    v.task("A", fifo=5).task("B", fifo=10).task("C", fifo=20)
    v.task("D", fifo=30, process=1 if shared else 0)
    v.page("p", memory="shared").word("L M N", 0, page="p")
    v.call("A", "lock_pi", "L", 0, shared=True, L="A")
    v.call("B", "lock_pi", "M", 0, shared=True, M="B")
    v.call("B", "lock_pi", "L", shared=True, L="A|W", prio={"A": 10})
    v.call("C", "lock_pi", "N", 0, shared=True, N="C")
    v.call("C", "lock_pi", "M", shared=True, M="B|W", prio={"A": 20, "B": 20})
    high = {"A": 30, "B": 30, "C": 30}
    low = {"A": 20, "B": 20, "C": 20}
    if event == "deadlock":
        v.sched("C", fifo=30, prio={"A": 30, "B": 30})
        v.call("A", "lock_pi", "N", "EDEADLK", shared=True, N="C|W")
        v.sched("C", fifo=20, prio={"A": 20, "B": 20})
        continue
    v.call("D", "lock_pi2", "N", timeout=us("monotonic") if event == "timeout" else None,
           shared=True,
           N="C|W", prio=high)
    if event == "timeout":
        v.expire("D", "ETIMEDOUT", prio=low)
    else:
        v.leave("kill", "D", prio=low)

v = vector("deboost-by-signal", "15.4 4.5 4.3",
           "a requeued waiter is interrupted: the chain is computed anew")
v.task("A", fifo=5).task("B", fifo=10).task("C", fifo=30).task("X", fifo=6).word("u", 7)
v.word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 10})
v.call("C", "wait_requeue_pi", "u", uaddr2="M")
v.call("X", "cmp_requeue_pi", "u", 1, uaddr2="M", M="B|W", prio={"A": 30, "B": 30})
v.signal("B", "restarts")
v.signal("C", "restarts", also={"C": "EAGAIN"}, prio={"A": 10, "B": 10})

v = vector("priority-of-blocked-waiter", "15.5 5.5",
           "a change of a blocked waiter goes through the chain, up and down")
chain(v, 5, 10, 20)
v.sched("C", fifo=40, prio={"A": 40, "B": 40})
v.sched("C", fifo=15, prio={"A": 15, "B": 15})
v.sched("C", policy="other", prio={"A": 10, "B": 10})
v.sched("C", rr=12, prio={"A": 12, "B": 12})

v = vector("priority-of-blocked-middle", "15.5 15.6", "a change in the middle of a chain")
chain(v, 5, 10, 20)
v.sched("B", fifo=30, prio={"A": 30})
v.sched("B", fifo=10, eff=20, prio={"A": 20})

v = vector("priority-of-boosted-owner", "15.6",
           "a boosted owner: lower counts after the unlock, higher at once")
v.task("A", fifo=10).task("B", fifo=20).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 20})
v.sched("A", fifo=5, eff=20)
v.sched("A", fifo=30)
v.sched("A", fifo=7, eff=20)
v.sched("A", policy="other", nice=3, eff=20)
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": "nice 3"}, L="B|W")

v = vector("boost-is-not-lost", "15.6 15.1", "a boosted owner that was changed is boosted further")
v.task("A", fifo=10).task("B", fifo=20).task("C", fifo=30).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi2", "L", L="A|W", prio={"A": 20})
v.sched("A", fifo=5, eff=20)
v.call("C", "lock_pi2", "L", timeout=us("monotonic"), prio={"A": 30})
v.expire("C", "ETIMEDOUT", prio={"A": 20})
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 5}, L="B|W")

v = vector("unlock-recomputes", "15.7 15.10", "an owner of several locks has the maximum over them")
v.task("A", fifo=5).task("B", fifo=30).task("C", fifo=25).task("D", fifo=20).word("L M N", 0)
for word in "LMN":
    v.call("A", "lock_pi", word, 0, **{word: "A"})
v.call("D", "lock_pi", "N", N="A|W", prio={"A": 20})
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 30})
v.call("C", "lock_pi", "M", M="A|W")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 25}, L="B|W")
v.call("A", "unlock_pi", "N", 0, also={"D": 0}, N="D|W")
v.call("A", "unlock_pi", "M", 0, also={"C": 0}, prio={"A": 5}, M="C|W")

v = vector("new-owner-is-boosted", "15.9 15.8",
           "who gets the lock is boosted by whom it leaves waiting")
v.task("A", fifo=5).task("B", fifo=10).task("C", fifo=8).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 10})
v.call("C", "lock_pi", "L")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 5}, L="B|W")
v.sched("C", fifo=40, prio={"B": 40})
v.call("B", "unlock_pi", "L", 0, also={"C": 0}, prio={"B": 10}, L="C|W")

v = vector("granted-owner-is-boosted", "15.9 13.4.2 13.5.1",
           "who is granted a lock by a requeue is boosted by those moved after it")
v.task("A", fifo=10).task("B", fifo=9).task("X", fifo=5).word("u", 7).word("L", 0)
v.call("A", "wait_requeue_pi", "u", uaddr2="L")
v.call("B", "wait_requeue_pi", "u", uaddr2="L")
v.sched("B", fifo=33)
v.call("X", "cmp_requeue_pi", "u", 2, uaddr2="L", val2=9, also={"A": 0}, prio={"A": 33}, L="A|W")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 10}, L="B|W")

v = vector("inherited-boost-moves-ahead", "15.11 5.4 5.5",
           "a boost inherited while queued counts in the queue")
v.task("A", fifo=5).task("B", fifo=10).task("C", fifo=25).task("D", fifo=30).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 10})
v.call("C", "lock_pi", "L", prio={"A": 25})
v.call("D", "lock_pi", "M", M="B|W", prio={"A": 30, "B": 30})
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 5}, L="B|W")
v.call("B", "unlock_pi", "M", 0, also={"D": 0}, prio={"B": 25}, M="D|W")
v.call("B", "unlock_pi", "L", 0, also={"C": 0}, prio={"B": 10}, L="C|W")

v = vector("nice-of-first-waiter", "15.12",
           "a normal owner shows the better of its nice and that of its first waiter")
v.task("A", nice=19).task("B", nice=-20).task("C", nice=-5).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": "nice -20"})
v.call("C", "lock_pi", "L")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": "nice 19"}, L="B|W")

v = vector("nice-of-later-waiter", "15.12 15.2",
           "a later waiter with a better nice changes nothing")
v.task("A", nice=10).task("B", nice=5).task("C", nice=-20).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": "nice 5"})
v.call("C", "lock_pi", "L")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": "nice 10"}, L="B|W")

v = vector("nice-worse-than-owner", "15.12", "a first waiter with a worse nice changes nothing")
v.task("A", nice=0).task("B", nice=10).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")

v = vector("idle-owner-batch-waiter", "15.12",
           "a SCHED_IDLE owner with a SCHED_BATCH waiter shows nice 0")
v.task("A", policy="idle", nice=7).task("B", policy="batch").word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": "nice 0"})
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": "nice 7"}, L="B|W")

v = vector("deadline-waiter", "15.13 5.4", "a SCHED_DEADLINE waiter makes its owner one")
v.task("A", fifo=90).task("B", policy="deadline", cpu="any").task("C", fifo=80).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("C", "lock_pi", "L", L="A|W")
v.call("B", "lock_pi", "L", prio={"A": "deadline"})
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 90}, L="B|W")

v = vector("dead-owners-heir-is-boosted", "15.14 15.9 10.7",
           "who inherits from a dead owner is boosted by the others")
v.task("A", fifo=5).task("B", fifo=20).task("C", fifo=15).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 20})
v.call("C", "lock_pi", "L")
v.exit("A", also={"B": 0}, L="B|W|OD")
v.sched("C", fifo=33, prio={"B": 33})
v.call("B", "unlock_pi", "L", 0, also={"C": 0}, prio={"B": 20}, L="C|W")

v = vector("claimed-and-lowered", "15.9 15.6",
           "a new owner that is lowered: Linux boosts it again only with another first waiter")
v.task("A", fifo=5).task("B", fifo=20).task("C", fifo=15).task("D", fifo=17).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W", prio={"A": 20})
v.call("C", "lock_pi", "L")
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 5}, L="B|W")
v.sched("B", fifo=10)
v.either(({}, {}, ["C"], {"B": 15}))
v.call("D", "lock_pi", "L", prio={"B": 17})
v.call("B", "unlock_pi", "L", 0, also={"D": 0}, prio={"B": 10}, L="D|W")

v = vector("lowered-while-it-waited", "15.15 15.5 15.10",
           "a waiter lowered while it is not the first: Linux lets it hide a more urgent one")
v.task("A", fifo=10).task("B", fifo=3).task("C", fifo=7).task("D", fifo=6).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.call("C", "lock_pi", "L")
v.sched("C", nice=0)
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("D", "lock_pi", "M", M="B|W", prio={"B": 6})
v.either(({}, {}, ["C", "D"], {"B": 3}))
v.call("B", "unlock_pi", "M", 0, also={"D": 0}, prio={"B": 3}, M="D|W")
v.call("B", "unlock_pi", "L", 0, also={"C": 0}, L="C|W")

v = vector("raised-while-it-waited", "15.15 15.5 15.10",
           "a waiter raised while it is not the first: Linux lets a less urgent one hide it")
v.task("A", fifo=30).task("B", fifo=25).task("C", fifo=3).task("D", fifo=6).word("L M", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.call("C", "lock_pi", "L")
v.sched("C", fifo=24)
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, L="B|W")
v.call("B", "lock_pi", "M", 0, M="B")
v.call("D", "lock_pi", "M", M="B|W")
v.sched("B", fifo=2, eff=24)
v.either(({}, {}, ["C", "D"], {"B": 6}))
v.call("B", "unlock_pi", "M", 0, also={"D": 0}, prio={"B": 24}, M="D|W")
v.call("B", "unlock_pi", "L", 0, also={"C": 0}, prio={"B": 2}, L="C|W")

v = vector("equal-boost-and-lowered", "15.6 15.1",
           "an owner that is lowered keeps the boost of a waiter that was as urgent as it was")
v.task("A B", fifo=20).word("L", 0)
v.call("A", "lock_pi", "L", 0, L="A")
v.call("B", "lock_pi", "L", L="A|W")
v.sched("A", fifo=10, eff=20)
v.call("A", "unlock_pi", "L", 0, also={"B": 0}, prio={"A": 10}, L="B|W")

for op in ("lock_pi", "trylock_pi"):
    v = vector(f"real-time-{op.replace('_', '-')}-of-the-dead", "7.6a 10.3",
               f"a real-time thread asks with {op} for the lock of a thread that ended just now",
               repeat=20)
    v.task("A", fifo=10).task("B").word("L", 0)
    v.call("B", "lock_pi", "L", 0, L="B")
    v.exit("B")
    v.call("A", op, "L", "ESRCH", L="B|W")
