/* SPDX-License-Identifier: MIT */
/*
 * four_tasks.c - scenarios of four tasks that can be visited in all their states. What would only
 * make them larger is left out: who owns a mutex in the beginning has not locked it, and who waits
 * has not locked and unlocked before.
 */
#include "sim/scenarios/raw.h"

/* ---------------------------------------------------------------- one mutex */

static void last_owns(void)
{
	P->mutex = rqs_tid_of(3);
}

static void lock_once(void)
{
	rqs_ok(rqs_futex(&P->mutex, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	P->served++;
	unlock();
}

static void unlock_once(void)
{
	unlock();
}

static void three_were_served(void)
{
	rqs_claim(P->mutex == 0, "the mutex is free in the end");
	rqs_claim(P->served == 3, "all three have had it");
}

const struct rqs_scenario rqs_raw_four_lockers = {
    .name = "raw_four_lockers",
    .about = "one owns a PI futex, three of different priorities lock it in the kernel",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(30)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(40)},
	       {.fn = unlock_once, .prio = RQPI_PRIO_RT(10)}},
    .setup = last_owns,
    .end = three_were_served,
    .deep = true,
};

/* ---------------------------------------------------------------- a chain of three */

struct chain {
	uint32_t lock[3];
};
#define C RQS_PROGRAM(struct chain)

static const struct rqs_word chain_words[] = {
    RQS_WORD(struct chain, lock[0], RQS_PI_FUTEX),
    RQS_WORD(struct chain, lock[1], RQS_PI_FUTEX),
    RQS_WORD(struct chain, lock[2], RQS_PI_FUTEX),
    {NULL, 0, RQS_NUMBER},
};

static void each_owns_one(void)
{
	for (int i = 0; i < 3; i++)
		C->lock[i] = rqs_tid_of(i);
}

static void lock_then(uint32_t *wanted, uint32_t *owned)
{
	if (wanted) {
		rqs_ok(rqs_futex(wanted, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
		unlock_word(wanted);
	}
	if (owned)
		unlock_word(owned);
}

static void end_of_the_chain(void)
{
	lock_then(NULL, &C->lock[0]);
}

static void second_of_the_chain(void)
{
	lock_then(&C->lock[0], &C->lock[1]);
}

static void third_of_the_chain(void)
{
	lock_then(&C->lock[1], &C->lock[2]);
}

static void begin_of_the_chain(void)
{
	lock_then(&C->lock[2], NULL);
}

static void all_are_free(void)
{
	rqs_claim(!C->lock[0] && !C->lock[1] && !C->lock[2], "all three are free in the end");
}

const struct rqs_scenario rqs_raw_chain_of_three = {
    .name = "raw_chain_of_three",
    .about = "four tasks in a row, each waits for what the next one has: the boost goes through",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .buckets = 4,
    .actors = {{.fn = end_of_the_chain, .prio = RQPI_PRIO_RT(10)},
	       {.fn = second_of_the_chain, .prio = RQPI_PRIO_RT(20)},
	       {.fn = third_of_the_chain, .prio = RQPI_PRIO_RT(30)},
	       {.fn = begin_of_the_chain, .prio = RQPI_PRIO_RT(40)}},
    .setup = each_owns_one,
    .end = all_are_free,
    .deep = true,
};

/* ---------------------------------------------------------------- two chains that meet */

/* Task 0 has lock 0, for which two others come; one of them has lock 1. */
static void two_are_owned(void)
{
	C->lock[0] = rqs_tid_of(0);
	C->lock[1] = rqs_tid_of(1);
}

static void wait_for_first(void)
{
	lock_then(&C->lock[0], NULL);
}

static void wait_for_second(void)
{
	lock_then(&C->lock[1], NULL);
}

/*
 * While lock 0 is being given to the third task, the fourth makes the second one more urgent than
 * that, and has to wake it before it sleeps itself.
 */
const struct rqs_scenario rqs_raw_boosted_to_the_top = {
    .name = "raw_boosted_to_the_top",
    .about = "a waiter becomes the first of its queue as another task begins to wait for it",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = end_of_the_chain, .prio = RQPI_PRIO_RT(10)},
	       {.fn = second_of_the_chain, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_first, .prio = RQPI_PRIO_RT(25)},
	       {.fn = wait_for_second, .prio = RQPI_PRIO_RT(40)}},
    .setup = two_are_owned,
    .end = all_are_free,
    .deep = true,
};

/* ---------------------------------------------------------------- a broadcast to three */

static void wait_asleep(void)
{
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &P->mutex, 0);

	rqs_claim(!ret || ret == -EAGAIN, "WAIT_REQUEUE_PI returns 0 or EAGAIN");
	if (ret)
		return;
	P->served++;
	P->order = P->order * 10 + rqs_me() + 1;
	unlock();
}

static void broadcast_and_unlock(void)
{
	rqs_write(&P->seq, 1);
	P->found = (int)rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
				  (const void *)(intptr_t)INT_MAX, &P->mutex, 1);
	unlock();
}

static void found_were_served(void)
{
	rqs_claim(P->mutex == 0, "the mutex is free in the end");
	rqs_claim(P->found == P->served, "whoever was found has been served");
	rqs_claim(P->found < 3 || P->order == 321, "three that were asleep are served by urgency");
}

const struct rqs_scenario rqs_raw_broadcast_to_three = {
    .name = "raw_broadcast_to_three",
    .about = "three sleep in WAIT_REQUEUE_PI, the owner of the mutex broadcasts and unlocks",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_asleep, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_asleep, .prio = RQPI_PRIO_RT(30)},
	       {.fn = wait_asleep, .prio = RQPI_PRIO_RT(40)},
	       {.fn = broadcast_and_unlock, .prio = RQPI_PRIO_RT(10)}},
    .setup = last_owns,
    .end = found_were_served,
    .deep = true,
};

/* ---------------------------------------------------------------- without priority inheritance */

static void wait_for_flag(void)
{
	while (!rqs_read(&P->flag)) {
		long ret = rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);

		rqs_claim(!ret || ret == -EAGAIN, "WAIT returns 0 or EAGAIN");
	}
}

static void move_and_wake(void)
{
	long moved;

	rqs_write(&P->flag, 1);
	moved = rqs_futex(&P->flag, FUTEX_CMP_REQUEUE_PRIVATE, 1, (const void *)(intptr_t)INT_MAX,
			  &P->other, 1);
	rqs_claim(moved >= 0 && moved <= 3, "CMP_REQUEUE finds three at most");
	rqs_claim(rqs_futex(&P->other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) ==
		      (moved ? moved - 1 : 0),
		  "one was woken at once, the others can be woken where they are");
}

const struct rqs_scenario rqs_plain_requeue_of_three = {
    .name = "plain_requeue_of_three",
    .about = "three WAIT for a flag, one moves them to another futex and wakes them there",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .buckets = 2,
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_flag, .prio = RQPI_PRIO_RT(30)},
	       {.fn = wait_for_flag, .prio = RQPI_PRIO_RT(40)},
	       {.fn = move_and_wake, .prio = RQPI_PRIO_RT(10)}},
    .deep = true,
};
