/* SPDX-License-Identifier: MIT */
/* raw_locks.c - scenarios of the engine alone: PI futexes that are locked, and lied about. */
#include "sim/scenarios/raw.h"

/* ---------------------------------------------------------------- locks and time */

static void lock_once(void)
{
	lock();
	be_inside();
	unlock();
}

static void lock_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	long ret = 0;

	if (!rqb_cas_acq(&P->mutex, 0, RQS_TID))
		ret = rqs_futex(&P->mutex, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &late, NULL, 0);
	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed LOCK_PI2: got it, or ETIMEDOUT");
	if (ret)
		return;
	be_inside();
	unlock();
}

const struct rqs_scenario rqs_raw_timed_lock = {
    .name = "raw_timed_lock",
    .about = "two lock, a third one's time may come while it waits for the same PI futex",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_once, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_in_time, .prio = RQPI_PRIO_RT(30)}},
    .end = mutex_is_free,
};

/* Locked in both orders: one of them is told, and gives up what it has. */
static void lock_both(uint32_t *first, uint32_t *second)
{
	long ret = 0;

	lock_word(first);
	if (!rqb_cas_acq(second, 0, RQS_TID))
		ret = rqs_futex(second, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(!ret || ret == -EDEADLK, "LOCK_PI: got it, or EDEADLK");
	if (!ret)
		unlock_word(second);
	unlock_word(first);
}

static void lock_one_way(void)
{
	lock_both(&P->mutex, &P->other);
}

static void lock_the_other_way(void)
{
	lock_both(&P->other, &P->mutex);
}

static void both_are_free(void)
{
	rqs_claim(P->mutex == 0 && P->other == 0, "both are free in the end");
}

const struct rqs_scenario rqs_raw_deadlock = {
    .name = "raw_deadlock",
    .about = "two PI futexes locked in both orders: never stuck, one is told EDEADLK",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_one_way, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_the_other_way, .prio = RQPI_PRIO_RT(20)}},
    .end = both_are_free,
};

/* Waits for the mutex with another PI futex locked, which the owner of the mutex waits for. */
static void wait_with_the_other(void)
{
	struct timespec late = rqs_someday(0);
	long ret;

	lock_word(&P->other);
	ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &late, &P->mutex, 0);
	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed WAIT_REQUEUE_PI returns 0 or ETIMEDOUT");
	if (!ret)
		unlock();
	unlock_word(&P->other);
}

static void hold_and_want_the_other(void)
{
	long ret = 0;

	lock();
	if (!rqb_cas_acq(&P->other, 0, RQS_TID))
		ret = rqs_futex(&P->other, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(!ret || ret == -EDEADLK, "LOCK_PI: got it, or EDEADLK");
	if (!ret)
		unlock_word(&P->other);
	unlock();
}

/* Where it would close the circle it is undone, and the waiter sleeps on as if nothing had been. */
static void requeue_into_a_circle(void)
{
	long ret = rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &P->mutex, 0);

	rqs_claim(ret >= 0 || ret == -EDEADLK, "CMP_REQUEUE_PI: so many, or EDEADLK");
}

const struct rqs_scenario rqs_raw_circle_by_requeue = {
    .name = "raw_circle_by_requeue",
    .about = "a requeue that would close a circle of owners and waiters is undone",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_with_the_other, .prio = RQPI_PRIO_RT(20)},
	       {.fn = hold_and_want_the_other, .prio = RQPI_PRIO_RT(10)},
	       {.fn = requeue_into_a_circle, .prio = RQPI_PRIO_RT(30)}},
    .end = both_are_free,
};

/* ---------------------------------------------------------------- thieves, and the robbed */

const struct rqs_scenario rqs_raw_robbed = {
    .name = "raw_robbed",
    .about = "who was handed the mutex may be robbed by a more urgent task, and its time may come",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_once, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(30)}},
    .end = mutex_is_free,
};

/* ---------------------------------------------------------------- priorities that change */

/* Right after the unlock: another one has been woken to take the mutex. */
static void unlock_and_raise_the_first(void)
{
	lock();
	unlock();
	rqs_set_prio(0, RQPI_PRIO_RT(40));
}

const struct rqs_scenario rqs_raw_raised_while_waiting = {
    .name = "raw_raised_while_waiting",
    .about = "two wait for a mutex that is unlocked, and the less urgent becomes the most urgent",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(30)},
	       {.fn = unlock_and_raise_the_first, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

/* ---------------------------------------------------------------- a program that lies */

static void forge(void)
{
	long ret;

	rqs_write(&P->mutex, 0);
	ret = rqs_futex(&P->mutex, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(ret <= 0, "TRYLOCK_PI of a word that was overwritten: got it, or refused");
	/* Where others wait for it is no free futex, whatever the word says. */
	if (!ret)
		unlock_in_kernel();
	rqs_write(&P->mutex, 0);
}

static void lock_whatever_is_there(void)
{
	struct timespec late = rqs_someday(0);

	if (rqb_cas_acq(&P->mutex, 0, RQS_TID))
		return;
	(void)rqs_futex(&P->mutex, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &late, NULL, 0);
}

const struct rqs_scenario rqs_raw_forged_word = {
    .name = "raw_forged_word",
    .about =
	"a task overwrites the word of a PI futex that others wait for: the engine stays whole",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_whatever_is_there, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_whatever_is_there, .prio = RQPI_PRIO_RT(20)},
	       {.fn = forge, .prio = RQPI_PRIO_RT(30)}},
    .lies = true,
};

/* ---------------------------------------------------------------- tried, and left */

/* It leaves WAITERS in the word, and nobody waits. */
static void try_once(void)
{
	long ret = rqs_futex(&P->mutex, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0);

	rqs_claim(!ret || ret == -EAGAIN, "TRYLOCK_PI: got it, or EAGAIN");
	if (!ret)
		unlock();
}

static void lock_and_unlock_in_kernel(void)
{
	lock();
	be_inside();
	unlock_in_kernel();
}

const struct rqs_scenario rqs_raw_trylock = {
    .name = "raw_trylock",
    .about = "one locks and unlocks in the kernel, two try to lock there at any moment",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_and_unlock_in_kernel, .prio = RQPI_PRIO_RT(10)},
	       {.fn = try_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = try_once, .prio = RQPI_PRIO_RT(30)}},
    .end = mutex_is_free,
};

/* Waits once, for a time. 0 from the kernel is the mutex, whatever a liar does. */
static void wait_and_own(void)
{
	struct timespec late = rqs_someday(rqs_me());
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &late, &P->mutex, 0);

	if (ret)
		return;
	be_inside();
	unlock_in_kernel();
}

/* CVE-2014-3153: the word is overwritten between two requeues. */
static void requeue_forge_requeue(void)
{
	lock();
	(void)rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &P->mutex, 0);
	rqs_write(&P->mutex, 0);
	P->go = rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &P->mutex, 0) == 1;
}

/* Taken for free it was granted; where others wait for it, it is not free. */
static void granted_or_refused(void)
{
	rqs_claim(!P->go || P->served, "whom a requeue to a free PI futex has found owns it");
}

const struct rqs_scenario rqs_raw_forged_requeue = {
    .name = "raw_forged_requeue",
    .about = "between two requeues the word of the PI futex is overwritten with 0",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_and_own, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_and_own, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_forge_requeue, .prio = RQPI_PRIO_RT(30)}},
    .end = granted_or_refused,
    .lies = true,
};
