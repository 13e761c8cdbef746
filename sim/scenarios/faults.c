/* SPDX-License-Identifier: MIT */
/*
 * faults.c - scenarios of pages that are away when the engine touches a word: where they come back
 * nothing else may be seen of it; where they do not, EFAULT, and the engine stays whole.
 *
 * An actor's first fault is of the access, and bringing the page in works. With a second one that
 * fails, too.
 */
#include "sim/scenarios/raw.h"

/* ---------------------------------------------------------------- pages that come back */

static void lock_in_kernel(void)
{
	rqs_ok(rqs_futex(&P->mutex, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	be_inside();
	unlock_in_kernel();
}

const struct rqs_scenario rqs_page_away_lockers = {
    .name = "page_away_lockers",
    .about = "two lock and unlock in the kernel, and each one's page is away once, at any access",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = lock_in_kernel, .prio = RQPI_PRIO_RT(10), .faults = 1},
	       {.fn = lock_in_kernel, .prio = RQPI_PRIO_RT(20), .faults = 1}},
    .end = mutex_is_free,
};

static void wait_for_flag(void)
{
	while (!rqs_read(&P->flag)) {
		long ret = rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);

		rqs_claim(!ret || ret == -EAGAIN, "WAIT returns 0 or EAGAIN");
	}
}

/* Moves who is asleep to another word, and sets both and wakes there with one call. */
static void move_and_wake(void)
{
	long moved;

	rqs_write(&P->flag, 1);
	moved = rqs_futex(&P->flag, FUTEX_CMP_REQUEUE_PRIVATE, 0, (const void *)(intptr_t)1,
			  &P->other, 1);
	rqs_claim(moved == 0 || moved == 1, "CMP_REQUEUE moves one at most");
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE_OP_PRIVATE, 1, (const void *)(intptr_t)1, &P->other,
			 FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)),
	       moved);
}

const struct rqs_scenario rqs_page_away_plain = {
    .name = "page_away_plain",
    .about = "WAIT, CMP_REQUEUE and WAKE_OP, and each one's page is away once, at any access",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_for_flag, .prio = RQPI_PRIO_RT(20), .faults = 1},
	       {.fn = move_and_wake, .prio = RQPI_PRIO_RT(10), .faults = 1}},
};

static void wait_in_time(void)
{
	struct timespec late = rqs_someday(0);
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &late, &P->mutex, 0);

	rqs_claim(!ret || ret == -EAGAIN || ret == -ETIMEDOUT,
		  "a timed WAIT_REQUEUE_PI returns 0, EAGAIN or ETIMEDOUT");
	P->go = ret == 0;
	if (ret)
		return;
	be_inside();
	unlock_in_kernel();
}

static void signal_held(void)
{
	long ret;

	rqs_ok(rqs_futex(&P->mutex, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	rqs_write(&P->seq, 1);
	ret = rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NULL, &P->mutex, 1);
	rqs_claim(ret == 0 || ret == 1, "CMP_REQUEUE_PI moves one at most");
	unlock_in_kernel();
}

const struct rqs_scenario rqs_page_away_requeue = {
    .name = "page_away_requeue",
    .about = "a timed wait and a signal of the engine alone, each one's page is away once",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = wait_in_time, .prio = RQPI_PRIO_RT(20), .faults = 1},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10), .faults = 1}},
    .end = mutex_is_free,
};

/* ---------------------------------------------------------------- pages that do not */

/*
 * True: it is owned. EFAULT may come after the engine has given the mutex: the word could not be
 * told. EINVAL: the word and the engine disagree since; ESRCH: it names one that has ended.
 */
static bool lock_somehow(const struct timespec *late)
{
	long ret = rqs_futex(&P->mutex, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, late, NULL, 0);

	rqs_claim(!ret || ret == -EFAULT || ret == -EINVAL || ret == -ESRCH ||
		      (late && ret == -ETIMEDOUT),
		  "LOCK_PI2: got it, or EFAULT, or the word does not agree since");
	return !ret;
}

/*
 * It is still held as long as it cannot be unlocked. EPERM: it was given to us, and the word could
 * not be told; as in Linux, nobody can unlock it then, and the end of the owner gives it away.
 */
static void unlock_somehow(void)
{
	long ret;

	do
		ret = rqs_futex(&P->mutex, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	while (ret == -EAGAIN || ret == -EFAULT);
	rqs_claim(!ret || ret == -EPERM, "UNLOCK_PI: done, or the word names somebody else");
}

/* If it ends with the mutex that it does not know to have, the next one gets it. */
static void lock_once(void)
{
	if (!lock_somehow(NULL))
		return;
	be_inside();
	unlock_somehow();
}

static void lock_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());

	if (!lock_somehow(&late))
		return;
	be_inside();
	unlock_somehow();
}

static void own_first(void)
{
	P->mutex = rqs_tid_of(0);
}

static void unlock_only(void)
{
	unlock_somehow();
}

const struct rqs_scenario rqs_page_gone_thief = {
    .name = "page_gone_thief",
    .about = "a thief of a mutex that was handed over cannot write its name into the word",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = unlock_only, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(30), .faults = 2}},
    .setup = own_first,
    .lies = true,
};

const struct rqs_scenario rqs_page_gone_robbed = {
    .name = "page_gone_robbed",
    .about = "who was robbed, and whose time has come, cannot write the thief's name into the word",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = unlock_only, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_in_time, .prio = RQPI_PRIO_RT(20), .faults = 2},
	       {.fn = lock_once, .prio = RQPI_PRIO_RT(30)}},
    .setup = own_first,
    .lies = true,
};

static void wait_somehow(void)
{
	struct timespec late = rqs_someday(0);
	long ret = rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &late, &P->mutex, 0);

	rqs_claim(!ret || ret == -EAGAIN || ret == -ETIMEDOUT || ret == -EFAULT,
		  "a timed WAIT_REQUEUE_PI returns 0, EAGAIN, ETIMEDOUT or EFAULT");
	if (ret)
		return;
	be_inside();
	unlock_somehow();
}

static void signal_somehow(void)
{
	long ret;

	rqs_write(&P->seq, 1);
	ret = rqs_futex(&P->seq, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (const void *)(intptr_t)1,
			&P->mutex, 1);
	rqs_claim(ret == 0 || ret == 1 || ret == -EFAULT, "CMP_REQUEUE_PI: so many, or EFAULT");
	unlock_somehow();
}

const struct rqs_scenario rqs_page_gone_requeue = {
    .name = "page_gone_requeue",
    .about = "a timed wait and a signal, where pages are away and cannot be brought in",
    .bytes = sizeof(struct program),
    .words = raw_words,
    .actors = {{.fn = signal_somehow, .prio = RQPI_PRIO_RT(10), .faults = 2},
	       {.fn = wait_somehow, .prio = RQPI_PRIO_RT(20), .faults = 2}},
    .setup = own_first,
    .lies = true,
};
