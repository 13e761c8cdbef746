/* SPDX-License-Identifier: MIT */
/*
 * chains.c - scenarios of the engine alone: who waits for whom, who inherits from whom, and
 * priorities that change meanwhile; and the rt_mutex as code of the host uses it.
 */
#include "sim/scenarios/raw.h"
#include "src/sys/sys.h"

struct chain {
	uint32_t lock[5]; /* PI futexes, always locked in this order but where a circle is meant */
	struct rqpi_rt_mutex rt;
	struct rqs_room room;
	uint64_t told; /* how many have been told of a circle */
	int served;
	int order;
};
#define C RQS_PROGRAM(struct chain)

static const struct rqs_word chain_words[] = {
    RQS_WORD(struct chain, lock[0], RQS_PI_FUTEX), RQS_WORD(struct chain, lock[1], RQS_PI_FUTEX),
    RQS_WORD(struct chain, lock[2], RQS_PI_FUTEX), RQS_WORD(struct chain, lock[3], RQS_PI_FUTEX),
    RQS_WORD(struct chain, lock[4], RQS_PI_FUTEX), RQS_WORD(struct chain, room, RQS_NUMBER),
    RQS_WORD(struct chain, told, RQS_NUMBER),	   RQS_WORD(struct chain, served, RQS_NUMBER),
    RQS_WORD(struct chain, order, RQS_NUMBER),	   {NULL, 0, RQS_NUMBER},
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

static void lock_1_with_0(void)
{
	lock_word(&C->lock[1]);
	unlock_word(&C->lock[1]);
	unlock_word(&C->lock[0]);
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
	       {.fn = lock_1_with_0, .prio = RQPI_PRIO_RT(40)},
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
	       {.fn = lock_1_with_0, .prio = RQPI_PRIO_RT(40)},
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

static void unlock_changed(void)
{
	unlock_word(&C->lock[0]);
	C->served = 1;
}

const struct rqs_scenario rqs_raw_owner_changes = {
    .name = "raw_owner_changes",
    .about = "the priority of an owner that inherits is changed, below and above what it inherits",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = unlock_changed, .prio = RQPI_PRIO_RT(10)},
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

/* ---------------------------------------------------------------- raised while asleep */

static void wait_asleep(void)
{
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &P->mutex, 0);

	rqs_claim(!ret || ret == -EAGAIN, "WAIT_REQUEUE_PI returns 0 or EAGAIN");
	if (ret)
		return;
	be_inside();
	P->order = P->order * 10 + rqs_me() + 1;
	unlock();
}

static void raise_and_broadcast(void)
{
	rqs_set_prio(0, RQPI_PRIO_RT(40));
	rqs_write(&P->seq, 1);
	P->found = (int)rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
				  (const void *)(intptr_t)INT_MAX, &P->mutex, 1);
	unlock();
}

static void third_owns(void)
{
	P->mutex = rqs_tid_of(2);
}

static void served_as_raised(void)
{
	rqs_claim(P->mutex == 0, "the mutex is free in the end");
	rqs_claim(P->found == P->served, "whoever was found has been served");
	rqs_claim(P->found < 2 || P->order == 12, "two that were asleep are served by urgency");
}

const struct rqs_scenario rqs_raw_raised_before_the_broadcast = {
    .name = "raw_raised_before_the_broadcast",
    .about = "of two that wait to be requeued the second becomes the first before a broadcast",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_asleep, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_asleep, .prio = RQPI_PRIO_RT(30)},
	       {.fn = raise_and_broadcast, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .end = served_as_raised,
};

static void lock_and_tell(void)
{
	lock();
	P->order = P->order * 10 + rqs_me() + 1;
	unlock();
}

/* Who sleeps on a lock that is held goes on sleeping. */
static void raise_and_unlock(void)
{
	P->found = rqs_is_asleep(0) + rqs_is_asleep(1);
	rqs_set_prio(0, RQPI_PRIO_RT(40));
	if (P->found == 2)
		rqs_claim(rqs_runs_as(rqs_me()) == RQPI_PRIO_RT(40),
			  "the owner inherits what was raised");
	unlock();
}

static void raised_is_first(void)
{
	rqs_claim(P->mutex == 0, "the mutex is free in the end");
	rqs_claim(P->found < 2 || P->order == 12, "who was raised is served first");
}

const struct rqs_scenario rqs_raw_raised_before_the_unlock = {
    .name = "raw_raised_before_the_unlock",
    .about = "of two that sleep on a mutex the second becomes the first before it is unlocked",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_and_tell, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_and_tell, .prio = RQPI_PRIO_RT(30)},
	       {.fn = raise_and_unlock, .prio = RQPI_PRIO_RT(10)}},
    .setup = third_owns,
    .end = raised_is_first,
};

/* The mutex is free: the first one owns it at once, and that is the most urgent. */
static void broadcast_to_the_free(void)
{
	rqs_write(&P->seq, 1);
	P->found = (int)rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
				  (const void *)(intptr_t)INT_MAX, &P->mutex, 1);
}

static void served_as_urgent(void)
{
	rqs_claim(P->mutex == 0, "the mutex is free in the end");
	rqs_claim(P->found == P->served, "whoever was found has been served");
	rqs_claim(P->found < 2 || P->order == 21, "two that were asleep are served by urgency");
}

const struct rqs_scenario rqs_raw_broadcast_to_the_free = {
    .name = "raw_broadcast_to_the_free",
    .about = "two sleep in WAIT_REQUEUE_PI, a broadcast comes while nobody owns the mutex",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_asleep, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_asleep, .prio = RQPI_PRIO_RT(30)},
	       {.fn = broadcast_to_the_free, .prio = RQPI_PRIO_RT(10)}},
    .end = served_as_urgent,
};

/* ---------------------------------------------------------------- owners that are killed */

static void wait_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &late, &P->mutex, 0);

	rqs_claim(!ret || ret == -EAGAIN || ret == -ETIMEDOUT,
		  "a timed WAIT_REQUEUE_PI returns 0, EAGAIN or ETIMEDOUT");
	if (ret)
		return;
	rqs_claim((rqs_read(&P->mutex) & FUTEX_TID_MASK) == RQS_TID, "0: it owns the mutex");
	be_inside();
	unlock_in_kernel();
}

static void broadcast_and_be_killed(void)
{
	rqs_write(&P->seq, 1);
	rqs_claim(rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1,
			    (const void *)(intptr_t)INT_MAX, &P->mutex, 1) >= 0,
		  "CMP_REQUEUE_PI succeeds");
	unlock_in_kernel();
}

const struct rqs_scenario rqs_raw_requeuer_killed = {
    .name = "raw_requeuer_killed",
    .about = "the owner requeues two timed waiters, and may be killed at any moment",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_in_time, .prio = RQPI_PRIO_RT(30)},
	       {.fn = broadcast_and_be_killed, .prio = RQPI_PRIO_RT(10), .may_be_killed = true}},
    .setup = third_owns,
    .deep = true,
};

/* ---------------------------------------------------------------- of the host */

static void make_rt(void)
{
	rqpi_rt_mutex_init(&C->rt);
}

static void lock_rt(void)
{
	rqs_ok((int)rqs_rt_lock(&C->rt, NULL));
	rqs_enter(&C->room);
	rqs_leave(&C->room);
	rqs_rt_unlock(&C->rt);
}

static void lock_rt_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	long ret = rqs_rt_lock(&C->rt, &late);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed lock: got it, or ETIMEDOUT");
	if (ret)
		return;
	rqs_enter(&C->room);
	rqs_leave(&C->room);
	rqs_rt_unlock(&C->rt);
}

const struct rqs_scenario rqs_rt_lockers = {
    .name = "rt_lockers",
    .about = "two lock and unlock an rt_mutex of the host, a third one for a time",
    .bytes = sizeof(struct chain),
    .words = chain_words,
    .actors = {{.fn = lock_rt, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_rt, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_rt_in_time, .prio = RQPI_PRIO_RT(30)}},
    .setup = make_rt,
};

/* ---------------------------------------------------------------- a robust futex without PI */

struct robust {
	void *next; /* an entry of the list; the word lies behind it */
	uint32_t word;
	uint32_t served;
};
#define R RQS_PROGRAM(struct robust)

static const struct rqs_word robust_words[] = {
    RQS_WORD(struct robust, word, RQS_NUMBER),
    RQS_WORD(struct robust, served, RQS_NUMBER),
    {NULL, 0, RQS_NUMBER},
};

/* As a robust mutex without priority inheritance does it: announced, taken, and given up. */
static void lock_plain(void)
{
	uint32_t seen;

	while (!rqb_cas_acq(&R->word, 0, RQS_TID)) {
		seen = rqs_read(&R->word);
		if (seen & FUTEX_OWNER_DIED) {
			if (rqb_cas_acq(&R->word, seen, RQS_TID | FUTEX_WAITERS))
				return;
			continue;
		}
		if (!(seen & FUTEX_WAITERS) &&
		    (!seen || !rqb_cas_acq(&R->word, seen, seen | FUTEX_WAITERS)))
			continue;
		(void)rqs_futex(&R->word, FUTEX_WAIT, seen | FUTEX_WAITERS, NULL, NULL, 0);
	}
}

/* Always woken, as another one may wait that has lost the race for the word. */
static void unlock_plain(void)
{
	rqs_write(&R->word, 0);
	(void)rqs_read(&R->word); /* it may be killed here */
	rqs_claim(rqs_futex(&R->word, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0, "WAKE succeeds");
}

static void lock_announced(void)
{
	struct rqu_robust_head *head = rqs_robust_head();

	head->pending = (char *)&R->word - head->futex_offset;
	lock_plain();
	R->served++;
	unlock_plain();
	head->pending = NULL;
}

const struct rqs_scenario rqs_plain_robust_killed = {
    .name = "plain_robust_killed",
    .about = "a futex without PI, announced in the robust list; one may be killed at any moment",
    .bytes = sizeof(struct robust),
    .words = robust_words,
    .actors = {{.fn = lock_announced, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_announced, .prio = RQPI_PRIO_RT(10), .may_be_killed = true}},
};
