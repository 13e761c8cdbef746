/* SPDX-License-Identifier: MIT */
/*
 * owners.c - scenarios of the engine alone: who waits to be requeued or for an owner that lives on,
 * is changed or is killed; the rt_mutex as code of the host uses it; a robust futex without PI.
 */
#include "sim/scenarios/raw.h"
#include "src/sys/sys.h"

/* ---------------------------------------------------------------- owners that go on */

/* TRYLOCK_PI leaves WAITERS in the word; LOCK_PI finds it there, whoever has the mutex then. */
static void try_then_lock(void)
{
	long ret = rqs_futex(&P->mutex, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0);

	rqs_claim(!ret || ret == -EAGAIN, "TRYLOCK_PI: got it, or EAGAIN");
	if (ret)
		rqs_ok(rqs_futex(&P->mutex, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	be_inside();
	unlock_in_kernel();
	rqs_write(&P->flag, 1);
	rqs_claim(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0, "WAKE succeeds");
}

/* It lives on, and waits for the other one to have had the mutex. */
static void unlock_and_wait(void)
{
	unlock_in_kernel();
	while (!rqs_read(&P->flag)) {
		long ret = rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);

		rqs_claim(!ret || ret == -EAGAIN, "WAIT returns 0 or EAGAIN");
	}
}

static void second_owns(void)
{
	P->mutex = rqs_tid_of(1);
}

static void all_is_free(void)
{
	rqs_claim(P->mutex == 0, "the mutex is free in the end");
}

const struct rqs_scenario rqs_raw_lock_after_a_trylock = {
    .name = "raw_lock_after_a_trylock",
    .about = "one tries to lock and then locks, the owner unlocks and waits until that is done",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = try_then_lock, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_and_wait, .prio = RQPI_PRIO_RT(10)}},
    .setup = second_owns,
    .end = all_is_free,
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
};

/* ---------------------------------------------------------------- of the host */

struct host {
	struct rqpi_rt_mutex rt;
	struct rqs_room room;
};
#define H RQS_PROGRAM(struct host)

static void make_rt(void)
{
	rqpi_rt_mutex_init(&H->rt);
}

static void lock_rt(void)
{
	rqs_ok((int)rqs_rt_lock(&H->rt, NULL));
	rqs_enter(&H->room);
	rqs_leave(&H->room);
	rqs_rt_unlock(&H->rt);
}

static void lock_rt_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	long ret = rqs_rt_lock(&H->rt, &late);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed lock: got it, or ETIMEDOUT");
	if (ret)
		return;
	rqs_enter(&H->room);
	rqs_leave(&H->room);
	rqs_rt_unlock(&H->rt);
}

const struct rqs_scenario rqs_rt_lockers = {
    .name = "rt_lockers",
    .about = "two lock and unlock an rt_mutex of the host, a third one for a time",
    .bytes = sizeof(struct host),
    .actors = {{.fn = lock_rt, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_rt, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_rt_in_time, .prio = RQPI_PRIO_RT(30)}},
    .setup = make_rt,
    .unjudged = true,
};

/* ---------------------------------------------------------------- a robust futex without PI */

struct robust {
	void *next; /* an entry of the list; the word lies behind it */
	uint32_t word;
	uint32_t served;
};
#define R RQS_PROGRAM(struct robust)

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
    .actors = {{.fn = lock_announced, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_announced, .prio = RQPI_PRIO_RT(10), .may_be_killed = true}},
};
