/* SPDX-License-Identifier: MIT */
/* raw.c - scenarios of the engine alone: the smallest condvar there is, and plain futexes. */
#include "sim/scenarios/raw.h"

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

const struct rqs_scenario rqs_raw_signal = {
    .name = "raw_signal",
    .about = "the engine alone: one waits with WAIT_REQUEUE_PI, one signals",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_raw_timed_signal = {
    .name = "raw_timed_signal",
    .about = "the engine alone: a timed waiter, whose time may come at any moment, and a signal",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_raw_urgent_signal = {
    .name = "raw_urgent_signal",
    .about =
	"as raw_timed_signal, but the signaller is more urgent than the waiter whose time comes",
    .bytes = sizeof(struct program),
    .words = raw_words,
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
    .words = raw_words,
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_free, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_raw_two_buckets = {
    .name = "raw_two_buckets",
    .about = "as raw_timed_signal, where the two futexes lie in two buckets",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .buckets = 2,
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_raw_interrupted = {
    .name = "raw_interrupted",
    .about = "the engine alone: a signal handler may interrupt the waiter at any moment",
    .bytes = sizeof(struct program),
    .words = raw_words,
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
    .words = raw_words,
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
    .words = raw_words,
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
    .words = raw_words,
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
    .words = raw_words,
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
    .words = raw_words,
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
    .words = raw_words,
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
    .words = raw_words,
    .buckets = 2,
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_flag, .prio = RQPI_PRIO_RT(30)},
	       {.fn = requeue_and_wake, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- and more of them */

static void wait_in_time(void)
{
	struct timespec late = rqs_someday(0);
	long ret = 0;

	while (!rqs_read(&P->flag) && ret != -ETIMEDOUT) {
		ret = rqs_futex(&P->flag, FUTEX_WAIT_BITSET_PRIVATE, 0, &late, NULL,
				FUTEX_BITSET_MATCH_ANY);
		rqs_claim(!ret || ret == -EAGAIN || ret == -ETIMEDOUT,
			  "a timed WAIT_BITSET returns 0, EAGAIN or ETIMEDOUT");
	}
}

/* If one whose time has come has swallowed the wake-up, the other one sleeps for ever. */
static void raise_flag_and_wake_all(void)
{
	rqs_write(&P->flag, 1);
	rqs_claim(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) >= 0,
		  "WAKE succeeds");
}

const struct rqs_scenario rqs_plain_timed = {
    .name = "plain_timed",
    .about = "two wait for a flag, one of them for a time; one raises it and wakes all",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_flag, .prio = RQPI_PRIO_RT(30)},
	       {.fn = raise_flag_and_wake_all, .prio = RQPI_PRIO_RT(10)}},
};

static void wait_for_bit(void)
{
	uint32_t mine = 1u << rqs_me();

	while (!(rqs_read(&P->flag) & mine)) {
		uint32_t seen = rqs_read(&P->flag);
		long ret;

		if (seen & mine)
			break;
		ret = rqs_futex(&P->flag, FUTEX_WAIT_BITSET_PRIVATE, seen, NULL, NULL, mine);
		rqs_claim(!ret || ret == -EAGAIN, "WAIT_BITSET returns 0 or EAGAIN");
	}
}

static void set_bits(void)
{
	for (uint32_t bit = 1; bit <= 2; bit *= 2) {
		rqs_write(&P->flag, rqs_read(&P->flag) | bit);
		rqs_claim(
		    rqs_futex(&P->flag, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, bit) <= 1,
		    "WAKE_BITSET wakes none but who waits for the bit");
	}
}

const struct rqs_scenario rqs_plain_bitsets = {
    .name = "plain_bitsets",
    .about = "two wait for a bit each, one sets both, one after the other, and wakes by the bit",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_bit, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_bit, .prio = RQPI_PRIO_RT(30)},
	       {.fn = set_bits, .prio = RQPI_PRIO_RT(10)}},
};

static void wait_for_other(void)
{
	while (!rqs_read(&P->other)) {
		long ret = rqs_futex(&P->other, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);

		rqs_claim(!ret || ret == -EAGAIN, "WAIT returns 0 or EAGAIN");
	}
}

/* Sets the second word and wakes on both, as the old condvars did. */
static void wake_op(void)
{
	rqs_write(&P->flag, 1);
	rqs_claim(rqs_futex(&P->flag, FUTEX_WAKE_OP_PRIVATE, 1, (const void *)(intptr_t)1,
			    &P->other, FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)) >= 0,
		  "WAKE_OP succeeds");
}

const struct rqs_scenario rqs_plain_wake_op = {
    .name = "plain_wake_op",
    .about = "one waits on each of two words, one sets and wakes both with WAKE_OP",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .buckets = 2,
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_other, .prio = RQPI_PRIO_RT(30)},
	       {.fn = wake_op, .prio = RQPI_PRIO_RT(10)}},
};
