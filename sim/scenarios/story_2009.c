/* SPDX-License-Identifier: MIT */
/*
 * story_2009.c - the failure for which requeue PI was changed in 2009, and nothing else: one waits for a
 * time, one requeues it onto the mutex that it holds and unlocks. Nobody waits for the mutex in any
 * other way, so whatever goes wrong has come through the requeue.
 */
#include "sim/scenarios/raw.h"

/* It did not have the mutex before, which the engine does not ask for: that makes the path shorter. */
static void wait_for_a_time(void)
{
	struct timespec late = rqs_someday(0);
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &late, &P->mutex, 0);

	rqs_claim(!ret || ret == -EAGAIN || ret == -ETIMEDOUT,
		  "WAIT_REQUEUE_PI returns 0, EAGAIN or ETIMEDOUT");
	if (ret)
		return;
	rqs_claim((rqs_read(&P->mutex) & FUTEX_TID_MASK) == RQS_TID, "it has the mutex");
	P->served = 1;
	unlock();
}

static void requeue_and_unlock(void)
{
	if (!rqb_cas_acq(&P->mutex, 0, RQS_TID))
		return;
	rqs_write(&P->seq, 1);
	P->found = (int)rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &P->mutex, 1);
	rqs_claim(P->found >= 0, "CMP_REQUEUE_PI succeeds");
	unlock();
	(void)rqs_read(&P->flag); /* the other one may go on here */
	rqs_claim(!P->served || rqs_runs_as(rqs_me()) == RQPI_PRIO_RT(10),
		  "who has given the mutex away runs with its own priority");
}

const struct rqs_scenario rqs_story_2009 = {
    .name = "story_2009",
    .about = "the failure of 2009: requeued onto a mutex that is held, and that is unlocked then",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_a_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_and_unlock, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};
