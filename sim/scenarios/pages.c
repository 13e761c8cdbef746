/* SPDX-License-Identifier: MIT */
/*
 * pages.c - scenarios of the engine alone in which the page of a word goes, at any moment: it is
 * brought in again, or it cannot be, and the operation is refused without a trace.
 */
#include "sim/scenarios/edges.h"

/* ---------------------------------------------------------------- a locker, and a page */

static void lock_in_kernel(void)
{
	long ret = rqs_futex(&P->m[1], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);

	rqs_check_result(ret, 0, "FUTEX_LOCK_PI of a page that comes in when asked for");
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	unlock(1);
}

static void unlock_in_kernel(void)
{
	long ret;

	do
		ret = rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	while (ret == -EAGAIN);
	rqs_check_result(ret, 0, "FUTEX_UNLOCK_PI of a page that comes in when asked for");
}

static void page_out(void)
{
	rqs_set_page(&P->m[1], RQS_PAGE_AWAY);
}

static void second_owns(void)
{
	own(1, 1);
}

const struct rqs_scenario rqs_page_comes_back = {
    .name = "page_comes_back",
    .about = "one unlocks a PI futex that another one locks, while its page goes and comes",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_in_kernel, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_in_kernel, .prio = RQPI_PRIO_RT(10)},
	       {.fn = page_out, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
    .end = all_are_free,
};

/* What cannot be written cannot be locked; what the engine knows is passed on all the same. */
static void lock_if_it_can_be(void)
{
	long ret = rqs_futex(&P->m[1], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);

	rqs_claim(!ret || ret == -EFAULT || ret == -ESRCH, "LOCK_PI: got it, EFAULT or ESRCH");
	P->told = !ret;
}

static void unlock_if_it_can_be(void)
{
	long ret;

	do
		ret = rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	while (ret == -EAGAIN);
	rqs_claim(!ret || ret == -EFAULT, "UNLOCK_PI: 0 or EFAULT");
}

static void unmap(void)
{
	rqs_set_page(&P->m[1], RQS_PAGE_NONE);
}

const struct rqs_scenario rqs_page_is_unmapped = {
    .name = "page_is_unmapped",
    .about = "one unlocks a PI futex that another one locks, while its page is unmapped",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_if_it_can_be, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_if_it_can_be, .prio = RQPI_PRIO_RT(10)},
	       {.fn = unmap, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
};

static void protect(void)
{
	rqs_set_page(&P->m[1], RQS_PAGE_READ_ONLY);
}

static void end_with_it(void)
{
}

const struct rqs_scenario rqs_page_is_protected = {
    .name = "page_is_protected",
    .about = "the owner of a PI futex ends, while another one locks it and its page is protected",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_if_it_can_be, .prio = RQPI_PRIO_RT(20)},
	       {.fn = end_with_it, .prio = RQPI_PRIO_RT(10)},
	       {.fn = protect, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
};

/* ---------------------------------------------------------------- a requeue, and a page */

static void wait_and_pass(void)
{
	long ret = wait_requeue(1);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed WAIT_REQUEUE_PI returns 0 or ETIMEDOUT");
	if (!ret)
		unlock(1);
}

static void requeue_when_one_waits(void)
{
	long ret;

	rqs_when(first_rests);
	ret = requeue(1, INT_MAX);
	rqs_claim(ret == 0 || ret == 1, "CMP_REQUEUE_PI finds one at most");
}

const struct rqs_scenario rqs_page_of_the_target = {
    .name = "page_of_the_target",
    .about = "a waiter is granted a PI futex whose page goes and comes",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_and_pass, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_when_one_waits, .prio = RQPI_PRIO_RT(10)},
	       {.fn = page_out, .prio = RQPI_PRIO_RT(30)}},
    .end = all_are_free,
};

static void requeue_if_it_can_be(void)
{
	long ret;

	rqs_when(first_rests);
	ret = requeue(1, INT_MAX);
	rqs_claim(ret == 0 || ret == 1 || ret == -EFAULT, "CMP_REQUEUE_PI: so many, or EFAULT");
}

static void wait_for_what_may_go(void)
{
	long ret = wait_requeue(1);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed WAIT_REQUEUE_PI returns 0 or ETIMEDOUT");
}

const struct rqs_scenario rqs_target_is_unmapped = {
    .name = "target_is_unmapped",
    .about = "a waiter is requeued to a PI futex whose page is unmapped at any moment",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_what_may_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = requeue_if_it_can_be, .prio = RQPI_PRIO_RT(10)},
	       {.fn = unmap, .prio = RQPI_PRIO_RT(30)}},
};

/* ---------------------------------------------------------------- plain futexes, and a page */

static void wait_on_a_page(void)
{
	long ret = 0;

	while (!rqs_peek(P->go) && !ret)
		ret = rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(!ret || ret == -EAGAIN || ret == -EFAULT, "WAIT: 0, EAGAIN or EFAULT");
}

/* Each of these reads or writes the word; the last one wakes whoever waits. */
static void work_on_a_page(void)
{
	const uint32_t code = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_NE, 0);
	long ret = rqs_futex(&P->flag, FUTEX_CMP_REQUEUE_PRIVATE, 0, NULL, &P->seq, 0);

	rqs_claim(!ret || ret == -EFAULT, "CMP_REQUEUE: 0 or EFAULT");
	ret = rqs_futex(&P->seq, FUTEX_WAKE_OP_PRIVATE, 1, NULL, &P->flag, code);
	rqs_claim(!ret || ret == -EFAULT, "WAKE_OP: 0 or EFAULT");
	rqs_poke(P->go, 1); /* the word has changed, or nobody can wait on it any more */
	ret = rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	rqs_claim(ret == 0 || ret == 1, "WAKE of a private futex does not look at the page");
}

static void page_the_flag_out(void)
{
	rqs_set_page(&P->flag, RQS_PAGE_AWAY);
}

static void unmap_the_flag(void)
{
	rqs_set_page(&P->flag, RQS_PAGE_NONE);
}

const struct rqs_scenario rqs_plain_page_comes_back = {
    .name = "plain_page_comes_back",
    .about = "WAIT, CMP_REQUEUE and WAKE_OP on a word whose page goes and comes",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .buckets = 2,
    .actors = {{.fn = wait_on_a_page, .prio = RQPI_PRIO_RT(20)},
	       {.fn = work_on_a_page, .prio = RQPI_PRIO_RT(10)},
	       {.fn = page_the_flag_out, .prio = RQPI_PRIO_RT(30)}},
};

const struct rqs_scenario rqs_plain_page_is_unmapped = {
    .name = "plain_page_is_unmapped",
    .about = "WAIT, CMP_REQUEUE and WAKE_OP on a word whose page is unmapped at any moment",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_on_a_page, .prio = RQPI_PRIO_RT(20)},
	       {.fn = work_on_a_page, .prio = RQPI_PRIO_RT(10)},
	       {.fn = unmap_the_flag, .prio = RQPI_PRIO_RT(30)}},
};

/* ---------------------------------------------------------------- held up while leaving */

static void lock_one_in_time(void)
{
	long ret = lock_in_time(1);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed LOCK_PI2: got it, or ETIMEDOUT");
	if (!ret)
		unlock(1);
}

static void unlock_and_page_out(void)
{
	rqs_when(first_rests);
	unlock(1);
	P->go = 1;
	rqs_set_page(&P->m[1], RQS_PAGE_AWAY);
	rqs_set_page(&P->m[1], RQS_PAGE_AWAY);
}

static bool one_was_unlocked(void)
{
	return P->go;
}

static void steal_one(void)
{
	rqs_when(one_was_unlocked);
	rqs_ok(lock(1));
	unlock(1);
}

const struct rqs_scenario rqs_leaver_held_up = {
    .name = "leaver_held_up",
    .about = "who was robbed of the lock gives up, and is held up by the page of the word",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one_in_time, .prio = RQPI_PRIO_RT(10)},
	       {.fn = unlock_and_page_out, .prio = RQPI_PRIO_RT(20)},
	       {.fn = steal_one, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
    .end = all_are_free,
};

static void unlock_page_out_and_unmap(void)
{
	rqs_when(first_rests);
	unlock(1);
	P->go = 1;
	rqs_set_page(&P->m[1], RQS_PAGE_AWAY);
	rqs_set_page(&P->m[1], RQS_PAGE_NONE);
}

static void lock_if_it_is_there(void)
{
	long ret = lock_in_time(1);

	rqs_claim(!ret || ret == -ETIMEDOUT || ret == -EFAULT, "got it, ETIMEDOUT or EFAULT");
	if (!ret)
		(void)rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

static void steal_if_it_is_there(void)
{
	long ret;

	rqs_when(one_was_unlocked);
	ret = rqs_futex(&P->m[1], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(!ret || ret == -EFAULT, "LOCK_PI: got it, or EFAULT");
	if (!ret)
		(void)rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

const struct rqs_scenario rqs_leaver_unmapped = {
    .name = "leaver_unmapped",
    .about = "as leaver_held_up, and the page goes for good while it is held up",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_if_it_is_there, .prio = RQPI_PRIO_RT(10)},
	       {.fn = unlock_page_out_and_unmap, .prio = RQPI_PRIO_RT(20)},
	       {.fn = steal_if_it_is_there, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
};

static void requeue_unlock_and_page_out(void)
{
	rqs_when(first_rests);
	(void)requeue(1, 0); /* unless it has left already */
	unlock(1);
	P->go = 1;
	rqs_set_page(&P->m[1], RQS_PAGE_AWAY);
}

static void wait_for_one_or_leave(void)
{
	long ret = wait_requeue(1);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed WAIT_REQUEUE_PI returns 0 or ETIMEDOUT");
	if (!ret)
		unlock(1);
}

const struct rqs_scenario rqs_requeued_leaver_held_up = {
    .name = "requeued_leaver_held_up",
    .about = "as leaver_held_up, where the one that gives up has been requeued",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_one_or_leave, .prio = RQPI_PRIO_RT(10)},
	       {.fn = requeue_unlock_and_page_out, .prio = RQPI_PRIO_RT(20)},
	       {.fn = steal_one, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_owns,
    .end = all_are_free,
};

/* A plain waiter on the same word: it is in the way of locks, and not of those who leave. */
static void wait_on_the_mutex(void)
{
	long ret;

	rqs_when(first_rests);
	ret = rqs_futex(&P->m[1], FUTEX_WAIT_PRIVATE, rqs_read(&P->m[1]), NULL, NULL, 0);
	rqs_claim(!ret || ret == -EAGAIN, "WAIT: 0 or EAGAIN");
}

/* EINVAL: the plain waiter is first. It has to go. */
static long wake_and_try_again(int op)
{
	long ret;

	while ((ret = rqs_futex(&P->m[1], op, 0, NULL, NULL, 0)) == -EINVAL || ret == -EAGAIN)
		(void)rqs_futex(&P->m[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return ret;
}

static void unlock_behind_and_page_out(void)
{
	rqs_when(two_rest);
	rqs_ok(wake_and_try_again(FUTEX_UNLOCK_PI_PRIVATE));
	P->go = 1;
	rqs_set_page(&P->m[1], RQS_PAGE_AWAY);
}

static bool others_rest(void)
{
	return rqs_rests(0) && rqs_rests(3);
}

static void steal_from_both(void)
{
	rqs_when(one_was_unlocked);
	rqs_ok(wake_and_try_again(FUTEX_LOCK_PI_PRIVATE));
	rqs_ok(wake_and_try_again(FUTEX_UNLOCK_PI_PRIVATE));
	rqs_when(others_rest);
	(void)rqs_futex(&P->m[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void fourth_owns(void)
{
	own(3, 1);
}

static void lock_or_be_refused(void)
{
	long ret = lock_in_time(1);

	rqs_claim(!ret || ret == -ETIMEDOUT, "a timed LOCK_PI2: got it, or ETIMEDOUT");
	if (!ret)
		rqs_ok(wake_and_try_again(FUTEX_UNLOCK_PI_PRIVATE));
}

const struct rqs_scenario rqs_leaver_and_plain_waiter = {
    .name = "leaver_and_plain_waiter",
    .about = "as leaver_held_up, and a plain waiter sleeps on the word of the PI futex",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_or_be_refused, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_on_the_mutex, .prio = RQPI_PRIO_RT(5)},
	       {.fn = steal_from_both, .prio = RQPI_PRIO_RT(30)},
	       {.fn = unlock_behind_and_page_out, .prio = RQPI_PRIO_RT(20)}},
    .setup = fourth_owns,
    .end = all_are_free,
};
