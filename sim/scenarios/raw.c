/* SPDX-License-Identifier: MIT */
/*
 * raw.c - scenarios of the engine alone: the smallest condvar that there is, on bare futex calls.
 */
#include "sim/scenarios/scenarios.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>

struct program {
	uint32_t seq;
	uint32_t mutex;
	uint32_t other; /* another PI futex */
	uint32_t flag;
	struct rqs_room room;
	int go;
	int served; /* how many have been inside */
	int order;  /* who, decimal, the first actor being 1 */
	int found;  /* how many the last release has found asleep */
};
#define P RQS_PROGRAM(struct program)

/* As the user half does it: compare-exchange, and the engine where that fails. */
static void lock_word(uint32_t *word)
{
	if (!rqb_cas_acq(word, 0, RQS_TID))
		rqs_ok(rqs_futex(word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

static void unlock_word(uint32_t *word)
{
	if (!rqb_cas_rel(word, RQS_TID, 0))
		rqs_ok(rqs_futex(word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

/* EAGAIN: somebody came and went meanwhile; futex(2) leaves it to the caller to try again. */
static void unlock_in_kernel(void)
{
	long ret;

	do
		ret = rqs_futex(&P->mutex, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	while (ret == -EAGAIN);
	rqs_check_result(ret, 0, "FUTEX_UNLOCK_PI");
}

static void lock(void)
{
	lock_word(&P->mutex);
}

static void unlock(void)
{
	unlock_word(&P->mutex);
}

static void be_inside(void)
{
	rqs_enter(&P->room);
	P->served++;
	rqs_leave(&P->room);
}

/* One wait, by the book: the sequence is read with the mutex held. @late: NULL, for ever. */
static long wait_once(const struct timespec *late)
{
	uint32_t ticket = rqs_read(&P->seq);
	long ret;

	unlock();
	ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, ticket, late, &P->mutex, 0);
	if (ret)
		lock();
	return ret;
}

static void wait_for_go(void)
{
	long ret;

	lock();
	while (!P->go) {
		ret = wait_once(NULL);
		rqs_claim(!ret || ret == -EAGAIN, "WAIT_REQUEUE_PI returns 0 or EAGAIN");
	}
	be_inside();
	P->order = P->order * 10 + rqs_me() + 1;
	unlock();
}

static void wait_for_go_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	long ret = 0;

	lock();
	while (!P->go && ret != -ETIMEDOUT) {
		ret = wait_once(&late);
		rqs_claim(!ret || ret == -EAGAIN || ret == -ETIMEDOUT,
			  "a timed WAIT_REQUEUE_PI returns 0, EAGAIN or ETIMEDOUT");
	}
	be_inside();
	unlock();
}

/* Step the sequence and release one, or all. */
static void release(int nr_requeue)
{
	uint32_t seq = rqs_read(&P->seq) + 1;
	long ret;

	rqs_write(&P->seq, seq);
	ret = rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
			(const void *)(intptr_t)nr_requeue, &P->mutex, seq);
	rqs_claim(ret >= 0, "CMP_REQUEUE_PI succeeds");
	P->found = (int)ret;
	rqs_claim(nr_requeue || ret <= 1, "a signal releases one at most");
}

static void broadcast_held(void)
{
	lock();
	P->go = 1;
	release(INT_MAX);
	unlock();
}

static void signal_held(void)
{
	lock();
	P->go = 1;
	release(0);
	unlock();
}

static void mutex_is_free(void)
{
	rqs_claim(P->mutex == 0, "the mutex is free in the end");
}

const struct rqs_scenario rqs_raw_signal = {
    .name = "raw_signal",
    .about = "the engine alone: one waits with WAIT_REQUEUE_PI, one signals",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_raw_timed_signal = {
    .name = "raw_timed_signal",
    .about = "the engine alone: a timed waiter, whose time may come at any moment, and a signal",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_raw_urgent_signal = {
    .name = "raw_urgent_signal",
    .about =
	"as raw_timed_signal, but the signaller is more urgent than the waiter whose time comes",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(10)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(20)}},
    .end = mutex_is_free,
};

static void signal_free(void)
{
	lock();
	P->go = 1;
	unlock();
	release(0);
}

const struct rqs_scenario rqs_raw_timed_signal_after = {
    .name = "raw_timed_signal_after",
    .about = "as raw_timed_signal, but signalled after the unlock: the mutex is granted",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_free, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_raw_two_buckets = {
    .name = "raw_two_buckets",
    .about = "as raw_timed_signal, where the two futexes lie in two buckets",
    .bytes = sizeof(struct program),
    .buckets = 2,
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_raw_interrupted = {
    .name = "raw_interrupted",
    .about = "the engine alone: a signal handler may interrupt the waiter at any moment",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20), .signals = 1},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

static void served_by_urgency(void)
{
	mutex_is_free();
	rqs_claim(P->found < 2 || P->order == 21, "two that were asleep are served by urgency");
}

const struct rqs_scenario rqs_raw_broadcast = {
    .name = "raw_broadcast",
    .about = "the engine alone: two wait with WAIT_REQUEUE_PI, one broadcasts",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_go, .prio = RQPI_PRIO_RT(30)},
	       {.fn = broadcast_held, .prio = RQPI_PRIO_RT(10)}},
    .end = served_by_urgency,
};

/* ---------------------------------------------------------------- owners that end */

static void end_with_the_mutex(void)
{
	lock();
	be_inside();
}

/* The word names a task that has ended, or is about to; with OWNER_DIED it is ours. */
static void lock_of_the_dead(void)
{
	long ret = 0;

	if (!rqb_cas_acq(&P->mutex, 0, RQS_TID))
		ret = rqs_futex(&P->mutex, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(!ret || ret == -ESRCH, "LOCK_PI of a dead owner's word: got it, or ESRCH");
	if (ret)
		return;
	/* Whoever else had it ended with it: somebody has to put right what it guards. */
	if (P->served)
		rqs_claim((rqs_read(&P->mutex) & FUTEX_OWNER_DIED) != 0, "OWNER_DIED is told");
	be_inside();
	unlock();
}

const struct rqs_scenario rqs_raw_owner_ends = {
    .name = "raw_owner_ends",
    .about = "a task ends with the mutex locked; whoever waits for it then has it",
    .bytes = sizeof(struct program),
    .actors = {{.fn = lock_of_the_dead, .prio = RQPI_PRIO_RT(20)},
	       {.fn = end_with_the_mutex, .prio = RQPI_PRIO_RT(10)}},
};

static void lock_of_the_dead_in_time(void)
{
	struct timespec late = rqs_someday(0);
	long ret = 0;

	if (!rqb_cas_acq(&P->mutex, 0, RQS_TID))
		ret = rqs_futex(&P->mutex, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &late, NULL, 0);
	rqs_claim(!ret || ret == -ESRCH || ret == -ETIMEDOUT,
		  "LOCK_PI2 of a dead owner's word: got it, ESRCH or ETIMEDOUT");
	if (!ret)
		unlock();
}

const struct rqs_scenario rqs_raw_owner_ends_in_time = {
    .name = "raw_owner_ends_in_time",
    .about = "a task ends with the mutex locked, while the time of its only waiter runs out",
    .bytes = sizeof(struct program),
    .actors = {{.fn = lock_of_the_dead_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = end_with_the_mutex, .prio = RQPI_PRIO_RT(10)}},
};

static void broadcast_and_end(void)
{
	lock();
	release(INT_MAX);
}

/* The mutex may be that of a dead task at any time. */
static void wait_for_the_dead(void)
{
	struct timespec late = rqs_someday(0);
	uint32_t ticket;
	long ret;

	if (!rqb_cas_acq(&P->mutex, 0, RQS_TID))
		return;
	ticket = rqs_read(&P->seq);
	unlock();
	ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, ticket, &late, &P->mutex, 0);
	rqs_claim(!ret || ret == -EAGAIN || ret == -ETIMEDOUT,
		  "a timed WAIT_REQUEUE_PI returns 0, EAGAIN or ETIMEDOUT");
	if (ret)
		return;
	rqs_claim((rqs_read(&P->mutex) & FUTEX_TID_MASK) == RQS_TID, "0: it owns the mutex");
	be_inside();
	unlock();
}

const struct rqs_scenario rqs_raw_owner_ends_after_requeue = {
    .name = "raw_owner_ends_after_requeue",
    .about = "a task requeues a waiter to the mutex that it holds, and ends without unlocking",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_the_dead, .prio = RQPI_PRIO_RT(20)},
	       {.fn = broadcast_and_end, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- what is refused */

static void requeue_elsewhere(void)
{
	uint32_t seq = rqs_read(&P->seq);
	long ret = rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
			     (const void *)(intptr_t)INT_MAX, &P->other, seq);

	rqs_claim(ret == 0 || ret == -EINVAL || ret == -EAGAIN,
		  "a requeue to another futex than was declared finds nobody, or is refused");
	rqs_claim(rqs_read(&P->other) == 0, "and does not touch that futex");
	broadcast_held();
}

const struct rqs_scenario rqs_raw_wrong_target = {
    .name = "raw_wrong_target",
    .about = "a requeue to another PI futex than the waiter has declared is refused",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_elsewhere, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

/* ---------------------------------------------------------------- plain futexes */

static void wait_for_flag(void)
{
	long ret;

	while (!rqs_read(&P->flag)) {
		ret = rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		rqs_claim(!ret || ret == -EAGAIN, "WAIT returns 0 or EAGAIN");
	}
}

static void raise_flag(void)
{
	rqs_write(&P->flag, 1);
	rqs_claim(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0, "WAKE succeeds");
}

const struct rqs_scenario rqs_plain_wake = {
    .name = "plain_wake",
    .about = "one waits for a flag with WAIT, one raises it and calls WAKE",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(20)},
	       {.fn = raise_flag, .prio = RQPI_PRIO_RT(10)}},
};

static void requeue_and_wake(void)
{
	long moved;

	rqs_write(&P->flag, 1);
	moved = rqs_futex(&P->flag, FUTEX_CMP_REQUEUE_PRIVATE, 0, (const void *)(intptr_t)INT_MAX,
			  &P->other, 1);
	rqs_claim(moved >= 0, "CMP_REQUEUE succeeds");
	rqs_claim(rqs_futex(&P->other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == moved,
		  "whoever was moved can be woken there");
}

const struct rqs_scenario rqs_plain_requeue = {
    .name = "plain_requeue",
    .about = "two wait for a flag with WAIT, one moves them to another futex and wakes them there",
    .bytes = sizeof(struct program),
    .buckets = 2,
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_flag, .prio = RQPI_PRIO_RT(30)},
	       {.fn = requeue_and_wake, .prio = RQPI_PRIO_RT(10)}},
};

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
    .actors = {{.fn = wait_and_own, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_and_own, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_forge_requeue, .prio = RQPI_PRIO_RT(30)}},
    .end = granted_or_refused,
    .lies = true,
};
