/* SPDX-License-Identifier: MIT */
/*
 * chains.c - scenarios of the engine alone: who waits for whom, who inherits from whom, and
 * priorities that change meanwhile.
 */
#include "sim/scenarios/raw.h"

struct chain {
	uint32_t lock[5]; /* PI futexes, always locked in this order but where a circle is meant */
	uint64_t told;	  /* how many have been told of a circle */
};
#define C RQS_PROGRAM(struct chain)

static const struct rqs_word chain_words[] = {
    RQS_WORD(struct chain, lock[0], RQS_PI_FUTEX),
    RQS_WORD(struct chain, lock[1], RQS_PI_FUTEX),
    RQS_WORD(struct chain, lock[2], RQS_PI_FUTEX),
    RQS_WORD(struct chain, lock[3], RQS_PI_FUTEX),
    RQS_WORD(struct chain, lock[4], RQS_PI_FUTEX),
    RQS_WORD(struct chain, told, RQS_NUMBER),
    {NULL, 0, RQS_NUMBER},
};

static void all_free(void)
{
	for (int i = 0; i < 5; i++)
		rqs_claim(C->lock[i] == 0, "all are free in the end");
}

/* ---------------------------------------------------------------- circles */

/* Each has its own, and wants the next one's. */
static void go_round(void)
{
	int me = rqs_me();
	uint32_t *next = &C->lock[(me + 1) % 3];
	long ret = 0;

	if (!rqb_cas_acq(next, 0, RQS_TID))
		ret = rqs_futex(next, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(!ret || ret == -EDEADLK, "LOCK_PI: got it, or EDEADLK");
	if (ret)
		rqb_count(&C->told);
	if (!ret)
		unlock_word(next);
	unlock_word(&C->lock[me]);
}

static void each_has_one(void)
{
	for (int i = 0; i < 3; i++)
		C->lock[i] = rqs_tid_of(i);
}

const struct rqs_scenario rqs_raw_circle_of_three = {
    .name = "raw_circle_of_three",
    .about = "three tasks have a PI futex each and want the next one's: one at least is told",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = go_round, .prio = RQPI_PRIO_RT(10)},
	       {.fn = go_round, .prio = RQPI_PRIO_RT(20)},
	       {.fn = go_round, .prio = RQPI_PRIO_RT(30)}},
    .setup = each_has_one,
    .end = all_free,
};

/* ---------------------------------------------------------------- chains that change */

static void lock_0_and_1(void)
{
	lock_word(&C->lock[1]);
	unlock_word(&C->lock[1]);
	unlock_word(&C->lock[0]);
}

static void lock_1_and_2_then_0(void)
{
	lock_word(&C->lock[2]);
	unlock_word(&C->lock[2]);
	unlock_word(&C->lock[1]);
	lock_word(&C->lock[0]);
	unlock_word(&C->lock[0]);
}

static void lock_2_then_1(void)
{
	unlock_word(&C->lock[2]);
	lock_word(&C->lock[1]);
	unlock_word(&C->lock[1]);
}

/*
 * There never is a circle. But who follows the chain from the first task to the second one, and
 * finds that blocked on something else than before, could take it for one.
 */
const struct rqs_scenario rqs_raw_chain_that_changes = {
    .name = "raw_chain_that_changes",
    .about =
	"each of a chain of three goes on to another PI futex, in order: nobody is told EDEADLK",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = lock_0_and_1, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_1_and_2_then_0, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_2_then_1, .prio = RQPI_PRIO_RT(30)}},
    .setup = each_has_one,
    .end = all_free,
    .deep = true,
};

/*
 * A chain in which the fourth task begins to wait: it has lock 0 and wants lock 1, the third has
 * that and wants 2, the second has that and wants 3, which the last one has. While the fourth is on
 * its way along the chain, the second gets 3, lets go of 2, and comes for lock 0: no circle, as the
 * third does not wait for it any more. But it still inherits, from the first one.
 *
 * With strict priorities the last one comes just then. The order of the actors is the order in
 * which they are there, so that it is found soon.
 */
static void chain_of_four(void)
{
	C->lock[0] = rqs_tid_of(3);
	C->lock[1] = rqs_tid_of(2);
	C->lock[2] = rqs_tid_of(1);
	C->lock[3] = rqs_tid_of(4);
	C->lock[4] = rqs_tid_of(1);
}

static void lock_2_with_1(void)
{
	lock_word(&C->lock[2]);
	unlock_word(&C->lock[2]);
	unlock_word(&C->lock[1]);
}

static void unlock_3(void)
{
	unlock_word(&C->lock[3]);
}

/* It inherits from who waits for lock 3. */
static void go_on_with_3(void)
{
	unlock_word(&C->lock[4]);
	lock_word(&C->lock[3]);
	unlock_word(&C->lock[2]);
	lock_word(&C->lock[0]);
	unlock_word(&C->lock[0]);
	unlock_word(&C->lock[3]);
}

static void lock_3(void)
{
	lock_word(&C->lock[3]);
	unlock_word(&C->lock[3]);
}

const struct rqs_scenario rqs_raw_chain_that_turns = {
    .name = "raw_chain_that_turns",
    .about = "the end of a chain goes on to what its begin has: nobody is told EDEADLK",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = lock_3, .prio = RQPI_PRIO_RT(5)},
	       {.fn = go_on_with_3, .prio = RQPI_PRIO_RT(50)},
	       {.fn = lock_2_with_1, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_0_and_1, .prio = RQPI_PRIO_RT(40)},
	       {.fn = unlock_3, .prio = RQPI_PRIO_RT(30)}},
    .setup = chain_of_four,
    .end = all_free,
    .by_lot = true,
};

/* It inherits from who waits for lock 4, and lock 3 is gone: its PI state serves again for 0. */
static void go_on_with_4(void)
{
	lock_word(&C->lock[3]);
	unlock_word(&C->lock[3]);
	unlock_word(&C->lock[2]);
	lock_word(&C->lock[0]);
	unlock_word(&C->lock[0]);
	unlock_word(&C->lock[4]);
}

static void lock_4(void)
{
	lock_word(&C->lock[4]);
	unlock_word(&C->lock[4]);
}

const struct rqs_scenario rqs_raw_chain_that_comes_back = {
    .name = "raw_chain_that_comes_back",
    .about =
	"as raw_chain_that_turns, and the PI state that the end waits for is the one of before",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = lock_4, .prio = RQPI_PRIO_RT(5)},
	       {.fn = go_on_with_4, .prio = RQPI_PRIO_RT(50)},
	       {.fn = lock_2_with_1, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_0_and_1, .prio = RQPI_PRIO_RT(40)},
	       {.fn = unlock_3, .prio = RQPI_PRIO_RT(30)}},
    .setup = chain_of_four,
    .end = all_free,
    .by_lot = true,
};

/* ---------------------------------------------------------------- what is inherited */

static void two_are_held(void)
{
	C->lock[0] = rqs_tid_of(0);
	C->lock[1] = rqs_tid_of(0);
}

/* Who waits for the second one is still waiting when the first one has been given away. */
static void unlock_both(void)
{
	unlock_word(&C->lock[0]);
	unlock_word(&C->lock[1]);
	rqs_claim(rqs_runs_as(rqs_me()) == RQPI_PRIO_RT(10), "who has nothing runs as itself");
}

static void lock_0(void)
{
	lock_word(&C->lock[0]);
	unlock_word(&C->lock[0]);
}

static void lock_1(void)
{
	lock_word(&C->lock[1]);
	unlock_word(&C->lock[1]);
}

const struct rqs_scenario rqs_raw_two_held = {
    .name = "raw_two_held",
    .about = "one owns two PI futexes that others wait for, and unlocks one after the other",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = unlock_both, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_0, .prio = RQPI_PRIO_RT(30)},
	       {.fn = lock_1, .prio = RQPI_PRIO_RT(20)}},
    .setup = two_are_held,
    .end = all_free,
};

static void one_is_held(void)
{
	C->lock[0] = rqs_tid_of(0);
}

static void unlock_0(void)
{
	unlock_word(&C->lock[0]);
}

static void lock_0_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	long ret = 0;

	if (!rqb_cas_acq(&C->lock[0], 0, RQS_TID))
		ret = rqs_futex(&C->lock[0], FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &late, NULL,
				0);
	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed LOCK_PI2: got it, or ETIMEDOUT");
	if (!ret)
		unlock_word(&C->lock[0]);
}

const struct rqs_scenario rqs_raw_second_waiter_leaves = {
    .name = "raw_second_waiter_leaves",
    .about = "of two waiters the less urgent one's time comes: the owner inherits as before",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = unlock_0, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_0, .prio = RQPI_PRIO_RT(30)},
	       {.fn = lock_0_in_time, .prio = RQPI_PRIO_RT(20)}},
    .setup = one_is_held,
    .end = all_free,
};

/* Above and below what the owner inherits. */
static void change_the_owner(void)
{
	rqs_set_prio(0, RQPI_PRIO_RT(15));
	rqs_set_prio(0, RQPI_PRIO_RT(50));
	rqs_set_prio(0, RQPI_PRIO_RT(5));
}

const struct rqs_scenario rqs_raw_owner_changes = {
    .name = "raw_owner_changes",
    .about = "the priority of an owner that inherits is changed, below and above what it inherits",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = unlock_0, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_0, .prio = RQPI_PRIO_RT(30)},
	       {.fn = change_the_owner, .prio = RQPI_PRIO_RT(60)}},
    .setup = one_is_held,
    .end = all_free,
};

/* Task 1 has lock 1 and waits for lock 0, task 2 waits for lock 1: up, down, and normal. */
static void one_held_by_each(void)
{
	C->lock[0] = rqs_tid_of(0);
	C->lock[1] = rqs_tid_of(1);
}

static void lock_0_with_1(void)
{
	lock_word(&C->lock[0]);
	unlock_word(&C->lock[0]);
	unlock_word(&C->lock[1]);
}

static void change_the_waiter(void)
{
	rqs_set_prio(1, RQPI_PRIO_RT(40));
	rqs_set_prio(1, RQPI_PRIO_RT(5));
	rqs_set_prio(1, RQPI_PRIO_NICE(0));
}

const struct rqs_scenario rqs_raw_waiter_changes = {
    .name = "raw_waiter_changes",
    .about = "the priority of a waiter goes up and down, and with it that of the owner",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = unlock_0, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_0_with_1, .prio = RQPI_PRIO_RT(20)},
	       {.fn = change_the_waiter, .prio = RQPI_PRIO_RT(60)}},
    .setup = one_held_by_each,
    .end = all_free,
};
