/* SPDX-License-Identifier: MIT */
/*
 * handed.c - scenarios of the engine alone: locks that were handed over and not taken yet, thieves,
 * priorities that change just then; waiters that are requeued in a known order.
 */
#include "sim/scenarios/edges.h"

/* ---------------------------------------------------------------- handed over, and not taken */

static void lock_one_in_time(void)
{
	long ret = lock_in_time(1);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed LOCK_PI2: got it, or ETIMEDOUT");
	if (!ret)
		unlock(1);
}

static void unlock_and_raise_the_second(void)
{
	rqs_when(two_rest);
	unlock(1);
	rqs_set_prio(1, RQPI_PRIO_RT(40));
}

static void third_owns(void)
{
	own(2, 1);
}

const struct rqs_scenario rqs_handed_to_another = {
    .name = "handed_to_another",
    .about = "who was to have the lock gives up, as another waiter has become more urgent",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one_in_time, .prio = RQPI_PRIO_RT(30)},
	       {.fn = lock_one_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_and_raise_the_second, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .end = all_are_free,
};

static void lock_one(void)
{
	rqs_ok(lock(1));
	unlock(1);
}

static void unlock_and_lower_the_first(void)
{
	rqs_when(two_rest);
	unlock(1);
	rqs_set_prio(0, RQPI_PRIO_RT(5));
}

const struct rqs_scenario rqs_lowered_while_taking = {
    .name = "lowered_while_taking",
    .about = "who is to have the lock becomes less urgent than the one behind it",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one, .prio = RQPI_PRIO_RT(30)},
	       {.fn = lock_one, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_and_lower_the_first, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .end = all_are_free,
};

static void wait_for_one(void)
{
	long ret = wait_requeue(1);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed WAIT_REQUEUE_PI returns 0 or ETIMEDOUT");
	if (ret)
		return;
	rqs_claim((rqs_read(&P->m[1]) & FUTEX_TID_MASK) == RQS_TID, "0: it owns the mutex");
	unlock(1);
}

static void unlock_and_requeue(void)
{
	long ret;

	rqs_when(two_rest);
	unlock(1);
	ret = requeue(1, 0);
	rqs_claim(ret == 0 || ret == 1, "one is requeued at most");
}

const struct rqs_scenario rqs_stolen_by_requeue = {
    .name = "stolen_by_requeue",
    .about = "a requeue takes, for a more urgent waiter, the lock that was handed to another one",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_for_one, .prio = RQPI_PRIO_RT(30)},
	       {.fn = unlock_and_requeue, .prio = RQPI_PRIO_RT(20)}},
    .setup = third_owns,
    .end = all_are_free,
};

static void wait_for_one_always(void)
{
	rqs_ok(rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &P->m[1], 0));
	rqs_claim((rqs_read(&P->m[1]) & FUTEX_TID_MASK) == RQS_TID, "0: it owns the mutex");
	unlock(1);
}

static void unlock_and_requeue_and_tell(void)
{
	rqs_when(two_rest);
	unlock(1);
	P->go = 1;
	(void)requeue(1, 0);
}

static bool one_was_handed_over(void)
{
	return P->go;
}

static void raise_the_requeued(void)
{
	rqs_when(one_was_handed_over);
	rqs_set_prio(1, RQPI_PRIO_RT(40));
}

const struct rqs_scenario rqs_raised_while_requeued = {
    .name = "raised_while_requeued",
    .about = "a waiter becomes the most urgent just while it is put in the queue of a free lock",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_for_one_always, .prio = RQPI_PRIO_RT(10)},
	       {.fn = unlock_and_requeue_and_tell, .prio = RQPI_PRIO_RT(20)},
	       {.fn = raise_the_requeued, .prio = RQPI_PRIO_RT(50)}},
    .setup = third_owns,
    .end = all_are_free,
};

static void unlock_and_raise_for_a_moment(void)
{
	rqs_when(two_rest);
	unlock(1);
	rqs_set_prio(1, RQPI_PRIO_RT(40));
	rqs_set_prio(1, RQPI_PRIO_RT(20));
}

const struct rqs_scenario rqs_handed_back = {
    .name = "handed_back",
    .about = "as handed_to_another, and the other one is less urgent again in the next moment",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one_in_time, .prio = RQPI_PRIO_RT(30)},
	       {.fn = lock_one, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_and_raise_for_a_moment, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .end = all_are_free,
};

/* Equal is not different: it keeps its place. */
static void set_the_same_and_unlock(void)
{
	rqs_when(first_rests);
	rqs_set_prio(0, RQPI_PRIO_RT(30));
	unlock(1);
}

static void second_owns(void)
{
	own(1, 1);
}

const struct rqs_scenario rqs_raised_to_the_same = {
    .name = "raised_to_the_same",
    .about = "a waiter is given the priority that it has",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one, .prio = RQPI_PRIO_RT(30)},
	       {.fn = set_the_same_and_unlock, .prio = RQPI_PRIO_RT(20)}},
    .setup = second_owns,
    .end = all_are_free,
};

/* ---------------------------------------------------------------- requeued in order */

static void wait_three_times(void)
{
	for (int i = 0; i < 3; i++)
		wait_for_one_always();
}

/* Moved first, as the mutex is owned; then granted, twice. */
static void requeue_three_times(void)
{
	rqs_when(first_rests);
	rqs_is(requeue(1, 0), 1);
	unlock(1);
	for (int i = 0; i < 2; i++) {
		rqs_when(first_rests);
		rqs_is(requeue(1, 0), 1);
	}
}

const struct rqs_scenario rqs_requeued_again = {
    .name = "requeued_again",
    .about = "one waits again after it has been moved, and again after it has been granted",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_three_times, .prio = RQPI_PRIO_RT(30)},
	       {.fn = requeue_three_times, .prio = RQPI_PRIO_RT(20)}},
    .setup = second_owns,
    .end = all_are_free,
};

static void wait_for_one_as_well(void)
{
	rqs_when(first_rests);
	wait_for_one_always();
}

static void requeue_both(void)
{
	rqs_when(two_rest);
	rqs_is(requeue(1, INT_MAX), 2);
	unlock(1);
}

const struct rqs_scenario rqs_requeued_together = {
    .name = "requeued_together",
    .about = "two that sleep are requeued at once, and served one after the other",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_one_always, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_for_one_as_well, .prio = RQPI_PRIO_RT(30)},
	       {.fn = requeue_both, .prio = RQPI_PRIO_RT(20)}},
    .setup = third_owns,
    .end = all_are_free,
};

static void wait_for_two(void)
{
	rqs_when(first_rests);
	rqs_ok(rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &P->m[2], 0));
	unlock(2);
}

/* The first is moved all the same, as in Linux. */
static void requeue_one_and_be_refused(void)
{
	rqs_when(two_rest);
	rqs_is(requeue(1, INT_MAX), -EINVAL);
	rqs_is(requeue(2, INT_MAX), 1);
	unlock(1);
}

const struct rqs_scenario rqs_requeued_the_first_only = {
    .name = "requeued_the_first_only",
    .about = "of two waiters the second has declared another target than the requeue has",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_one_always, .prio = RQPI_PRIO_RT(30)},
	       {.fn = wait_for_two, .prio = RQPI_PRIO_RT(10)},
	       {.fn = requeue_one_and_be_refused, .prio = RQPI_PRIO_RT(20)}},
    .setup = third_owns,
    .end = all_are_free,
};

static void wait_for_one_last(void)
{
	rqs_when(two_rest);
	wait_for_one_always();
}

static void requeue_all_three(void)
{
	rqs_when(three_rest);
	rqs_is(requeue(1, INT_MAX), 3);
	unlock(1);
}

static void fourth_owns(void)
{
	own(3, 1);
}

const struct rqs_scenario rqs_requeued_three = {
    .name = "requeued_three",
    .about = "three that sleep are requeued at once, and served one after the other",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_one_always, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_for_one_as_well, .prio = RQPI_PRIO_RT(30)},
	       {.fn = wait_for_one_last, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_all_three, .prio = RQPI_PRIO_RT(5)}},
    .setup = fourth_owns,
    .end = all_are_free,
};

static void requeue_to_a_free_one(void)
{
	rqs_when(first_rests);
	rqs_is(requeue(1, 0), 1);
}

static void pass_one(void)
{
	rqs_when(first_rests);
	rqs_ok(lock(1));
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	unlock(1);
}

const struct rqs_scenario rqs_requeued_into_a_race = {
    .name = "requeued_into_a_race",
    .about = "a waiter is requeued to a free PI futex that somebody else locks just then",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_one_always, .prio = RQPI_PRIO_RT(10)},
	       {.fn = pass_one, .prio = RQPI_PRIO_RT(30)},
	       {.fn = requeue_to_a_free_one, .prio = RQPI_PRIO_RT(20)}},
    .end = all_are_free,
};

/* ---------------------------------------------------------------- interrupted while locking */

/* The old one has the clock of the wall. */
static void lock_by_the_wall_clock(void)
{
	struct timespec late = rqs_someday(0);
	long ret = rqs_futex(&P->m[1], FUTEX_LOCK_PI_PRIVATE, 0, &late, NULL, 0);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed LOCK_PI: got it, or ETIMEDOUT");
	if (!ret)
		unlock(1);
}

static void unlock_one(void)
{
	unlock(1);
}

const struct rqs_scenario rqs_interrupted_locker = {
    .name = "interrupted_locker",
    .about = "signal handlers interrupt one that waits for a lock for a time: it never sees them",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one_in_time, .prio = RQPI_PRIO_RT(10), .signals = 2},
	       {.fn = unlock_one, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
    .end = all_are_free,
};

const struct rqs_scenario rqs_interrupted_old_locker = {
    .name = "interrupted_old_locker",
    .about = "as interrupted_locker, with LOCK_PI as it was before there was a choice of clocks",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_by_the_wall_clock, .prio = RQPI_PRIO_RT(10), .signals = 2},
	       {.fn = unlock_one, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
    .end = all_are_free,
};
