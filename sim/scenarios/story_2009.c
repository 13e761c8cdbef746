/* SPDX-License-Identifier: MIT */
/*
 * story_2009.c - the failure for which requeue PI was changed in 2009, and nothing else: one is
 * asleep in WAIT_REQUEUE_PI, another one requeues it onto the mutex that it holds, and unlocks.
 * Nobody waits for the mutex in any other way, so what goes wrong has come through the requeue.
 */
#include "sim/scenarios/raw.h"

#define SECOND_TID 102u /* of the second actor, see world.h */

/* The second one holds the mutex when it begins; the first one had it before, and waits now. */
static void hand_over(void)
{
	P->mutex = SECOND_TID;
}

static void wait_for_a_time(void)
{
	struct timespec late = rqs_someday(0);
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &late, &P->mutex, 0);

	rqs_claim(!ret || ret == -ETIMEDOUT, "WAIT_REQUEUE_PI returns 0 or ETIMEDOUT");
	if (ret)
		return;
	rqs_claim((rqs_read(&P->mutex) & FUTEX_TID_MASK) == RQS_TID, "it has the mutex");
	rqs_poke(P->served, 1);
	unlock();
}

static void requeue_and_unlock(void)
{
	rqs_claim(RQS_TID == SECOND_TID, "the second actor has the mutex");
	P->found = (int)rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &P->mutex, 0);
	rqs_claim(P->found >= 0, "CMP_REQUEUE_PI succeeds");
	unlock();
	(void)rqs_read(&P->flag); /* the other one may go on here */
	rqs_claim(!rqs_peek(P->served) || rqs_runs_as(rqs_me()) == RQPI_PRIO_RT(10),
		  "who has given the mutex away runs with its own priority");
}

/* Past the missing flag [I2], which others look for, to the one who has it and is marked. */
const struct rqs_scenario rqs_story_2009 = {
    .name = "story_2009",
    .about = "the failure of 2009: requeued onto a mutex that is held, and that is unlocked then",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_a_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_and_unlock, .prio = RQPI_PRIO_RT(10)}},
    .asleep = 1,
    .invariant = "I4",
    .setup = hand_over,
    .end = mutex_is_free,
};
