/* SPDX-License-Identifier: MIT */
/*
 * misuse.c - scenarios of the engine alone: operations that do not belong together on one word. The
 * engine refuses them and stays whole, and whoever waits by the book is not lost.
 */
#include "sim/scenarios/raw.h"

/* Asleep on the sequence, for the mutex, until it is told to go. */
static void wait_for_go(void)
{
	long ret;

	lock();
	while (!P->go) {
		uint32_t ticket = rqs_read(&P->seq);

		unlock();
		ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, ticket, NULL, &P->mutex, 0);
		rqs_claim(!ret || ret == -EAGAIN, "WAIT_REQUEUE_PI returns 0 or EAGAIN");
		if (ret)
			lock();
	}
	be_inside();
	unlock();
}

static long requeue_pi(uint32_t *from, uint32_t *to, uint32_t seen)
{
	return rqs_futex(from, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (const void *)(intptr_t)INT_MAX, to,
			 seen);
}

/* With the mutex held: step the sequence and move all. */
static void broadcast(void)
{
	uint32_t seq = rqs_read(&P->seq) + 1;

	rqs_write(&P->seq, seq);
	rqs_claim(requeue_pi(&P->seq, &P->mutex, seq) >= 0, "CMP_REQUEUE_PI succeeds");
}

/* ---------------------------------------------------------------- requeued where it is */

static void requeue_to_itself(void)
{
	lock();
	P->go = 1;
	broadcast();
	P->found = (int)requeue_pi(&P->mutex, &P->mutex, rqs_read(&P->mutex));
	unlock_in_kernel();
}

static void to_itself_was_refused(void)
{
	mutex_is_free();
	rqs_claim(P->found == -EINVAL, "a requeue of a futex to itself is refused");
}

const struct rqs_scenario rqs_raw_requeue_to_itself = {
    .name = "raw_requeue_to_itself",
    .about = "who was requeued to the mutex is requeued from there to the mutex",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_to_itself, .prio = RQPI_PRIO_RT(10)}},
    .end = to_itself_was_refused,
};

/* ---------------------------------------------------------------- the plain operations */

/* Whether they are refused or find nobody depends on who is asleep. */
static void wake_and_move_first(void)
{
	long ret = rqs_futex(&P->seq, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);

	P->found = ret > 0;
	ret = rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PRIVATE, 0, (const void *)(intptr_t)1, &P->other,
			0);
	P->found += ret > 0;
	lock();
	P->go = 1;
	broadcast();
	unlock();
}

static void nobody_was_found(void)
{
	mutex_is_free();
	rqs_claim(P->found == 0, "WAKE and CMP_REQUEUE do not find who waits to be requeued");
}

const struct rqs_scenario rqs_raw_plain_wake_of_a_waiter = {
    .name = "raw_plain_wake_of_a_waiter",
    .about = "WAKE and CMP_REQUEUE come for one that sleeps in WAIT_REQUEUE_PI; then a broadcast",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wake_and_move_first, .prio = RQPI_PRIO_RT(10)}},
    .end = nobody_was_found,
};

static void wait_for_flag(void)
{
	while (!rqs_read(&P->flag)) {
		long ret = rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);

		rqs_claim(!ret || ret == -EAGAIN, "WAIT returns 0 or EAGAIN");
	}
}

static void requeue_plain_waiter(void)
{
	lock();
	P->found = (int)requeue_pi(&P->flag, &P->mutex, 0);
	rqs_write(&P->flag, 1);
	rqs_claim(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0, "WAKE succeeds");
	unlock();
}

static void no_plain_waiter_moved(void)
{
	mutex_is_free();
	rqs_claim(P->found == 0 || P->found == -EINVAL,
		  "CMP_REQUEUE_PI does not move who sleeps in WAIT");
}

const struct rqs_scenario rqs_raw_requeue_pi_of_a_plain_waiter = {
    .name = "raw_requeue_pi_of_a_plain_waiter",
    .about = "CMP_REQUEUE_PI comes for one that sleeps in WAIT; then it is woken",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_plain_waiter, .prio = RQPI_PRIO_RT(10)}},
    .end = no_plain_waiter_moved,
};

/* ---------------------------------------------------------------- LOCK_PI of the wrong word */

static void lock_the_sequence(void)
{
	long ret = rqs_futex(&P->seq, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);

	rqs_claim(!ret || ret == -EINVAL, "LOCK_PI of a condvar's word: refused, or nobody waits");
	if (!ret) {
		rqs_claim(rqs_futex(&P->seq, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) <= 0,
			  "UNLOCK_PI: done, or refused as somebody has come to wait");
		rqs_write(&P->seq, 0);
	}
	lock();
	P->go = 1;
	broadcast();
	unlock();
}

const struct rqs_scenario rqs_raw_lock_of_a_condvar_word = {
    .name = "raw_lock_of_a_condvar_word",
    .about = "LOCK_PI and UNLOCK_PI of the word on which one sleeps in WAIT_REQUEUE_PI",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_the_sequence, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
    .lies = true,
};

/* ---------------------------------------------------------------- WAIT on a PI futex */

static void wait_on_the_mutex(void)
{
	struct timespec late = rqs_someday(0);
	long ret = rqs_futex(&P->mutex, FUTEX_WAIT_BITSET_PRIVATE, rqs_tid_of(1), &late, NULL,
			     FUTEX_BITSET_MATCH_ANY);

	rqs_claim(ret == -EAGAIN || ret == -ETIMEDOUT, "nobody wakes who WAITs on a PI futex");
}

static void lock_beside_a_sleeper(void)
{
	long ret = rqs_futex(&P->mutex, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);

	rqs_claim(!ret || ret == -EINVAL, "LOCK_PI: got it, or refused for the sleeper");
	if (ret)
		return;
	be_inside();
	unlock();
}

const struct rqs_scenario rqs_raw_plain_wait_on_a_mutex = {
    .name = "raw_plain_wait_on_a_mutex",
    .about = "one WAITs for a time on the word of a PI futex that another one uses",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_on_the_mutex, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_beside_a_sleeper, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};
