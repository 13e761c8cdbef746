/* SPDX-License-Identifier: MIT */
/*
 * orders.c - scenarios for orders of memory: what is used again by somebody else, with nothing but
 * the order of a few accesses between the two.
 */
#include "sim/scenarios/raw.h"

/* ---------------------------------------------------------------- used again */

struct waits {
	rqpi_mutex_t m;
	rqpi_cond_t c;
};
#define W RQS_PROGRAM(struct waits)

static const struct rqs_word wait_words[] = {
    RQS_WORD(struct waits, m, RQS_MUTEX),
    RQS_WORD(struct waits, c, RQS_COND),
    {NULL, 0, RQS_NUMBER},
};

/* Each wait may end by time, and the next one be lent the same channel. */
static void wait_twice_in_time(void)
{
	rqs_ok(rqpi_mutex_lock(&W->m));
	for (int i = 0; i < 2; i++) {
		struct timespec late = rqs_someday(i);
		int err = rqpi_cond_clockwait(&W->c, &W->m, CLOCK_MONOTONIC, &late);

		rqs_claim(!err || err == ETIMEDOUT, "a timed wait ends with 0 or ETIMEDOUT");
	}
	rqs_ok(rqpi_mutex_unlock(&W->m));
}

/* Without the mutex, as POSIX allows: only what is in the condvar orders the two. */
static void signal_alone(void)
{
	rqs_ok(rqpi_cond_signal(&W->c));
}

static void nobody_waits(void)
{
	rqs_claim(W->m.u32_[0] == 0, "the mutex is free in the end");
	rqs_claim(rqpi_cond_destroy(&W->c) == 0, "nobody is inside the condvar in the end");
}

const struct rqs_scenario rqs_signal_meets_the_next_wait = {
    .name = "signal_meets_the_next_wait",
    .about = "one waits twice for a time; a signal without the mutex may be for either, or between",
    .bytes = sizeof(struct waits),
    .words = wait_words,
    .actors = {{.fn = wait_twice_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_alone, .prio = RQPI_PRIO_RT(10)}},
    .end = nobody_waits,
};

static void wait_for(uint32_t *word)
{
	long ret = 0;

	while (!rqs_read(word))
		ret = rqs_futex(word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(!ret || ret == -EAGAIN, "FUTEX_WAIT returns 0 or EAGAIN");
}

static void wake_one(uint32_t *word)
{
	rqs_write(word, 1);
	rqs_claim(rqs_futex(word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0,
		  "FUTEX_WAKE succeeds");
}

static void wait_for_flag_and_seq(void)
{
	wait_for(&P->flag);
	wait_for(&P->seq);
}

static void wake_flag(void)
{
	wake_one(&P->flag);
}

static void wake_seq(void)
{
	wake_one(&P->seq);
}

const struct rqs_scenario rqs_plain_wait_twice = {
    .name = "plain_wait_twice",
    .about = "the engine alone: one waits for two words in turn, each is set by somebody else",
    .bytes = sizeof(struct program),
    .buckets = 16,
    .actors = {{.fn = wait_for_flag_and_seq, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wake_flag, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wake_seq, .prio = RQPI_PRIO_RT(30)}},
};

/* The second time it is moved by a requeue, which grants it the mutex. */
static void wait_for_flag_and_be_granted(void)
{
	long ret;

	wait_for(&P->flag);
	ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &P->mutex, 0);
	rqs_claim(!ret || ret == -EAGAIN, "WAIT_REQUEUE_PI returns 0 or EAGAIN");
	if (!ret)
		unlock();
}

static void requeue_one(void)
{
	rqs_write(&P->seq, 1);
	rqs_claim(rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &P->mutex, 1) >= 0,
		  "CMP_REQUEUE_PI succeeds");
}

const struct rqs_scenario rqs_plain_wait_then_granted = {
    .name = "plain_wait_then_granted",
    .about = "the engine alone: one waits for a word, and then to be requeued to a free mutex",
    .bytes = sizeof(struct program),
    .buckets = 16,
    .actors = {{.fn = wait_for_flag_and_be_granted, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wake_flag, .prio = RQPI_PRIO_RT(10)},
	       {.fn = requeue_one, .prio = RQPI_PRIO_RT(30)}},
    .end = mutex_is_free,
};

static void wait_for_flag(void)
{
	wait_for(&P->flag);
}

static void raise_and_wake(void)
{
	rqs_set_prio(0, RQPI_PRIO_RT(40));
	wake_one(&P->flag);
}

const struct rqs_scenario rqs_plain_wait_raised = {
    .name = "plain_wait_raised",
    .about = "the engine alone: the priority of one that begins to wait is changed by who wakes it",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(20)},
	       {.fn = raise_and_wake, .prio = RQPI_PRIO_RT(10)}},
};
