/* SPDX-License-Identifier: MIT */
/*
 * queues.c - scenarios of the engine alone: waiters of different kinds and keys in one bucket, and
 * who of them an operation finds.
 */
#include "sim/scenarios/edges.h"

#define NUMBER(n) ((const void *)(intptr_t)(n))

/* ---------------------------------------------------------------- one address, three futexes */

static void wait_private(void)
{
	rqs_ok(rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
}

static void wait_elsewhere(void)
{
	rqs_when(first_rests);
	rqs_ok(rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
}

static void wait_shared(void)
{
	rqs_when(two_rest);
	rqs_ok(rqs_futex(&P->flag, FUTEX_WAIT, 0, NULL, NULL, 0));
}

/* In its own address space it finds its own, and what is shared. */
static void wake_all_three(void)
{
	struct rqpi_task *me = rqs_running()->task;

	rqs_when(three_rest);
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
	(void)rqs_call((rqpi_task_exec(me, RQS_SPACE + 2), 0));
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE, INT_MAX, NULL, NULL, 0), 1);
	(void)rqs_call((rqpi_task_exec(me, RQS_SPACE + 1), 0));
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
}

const struct rqs_scenario rqs_plain_three_keys = {
    .name = "plain_three_keys",
    .about = "three wait at one address: privately, in another address space, shared",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_private, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_elsewhere, .prio = RQPI_PRIO_RT(20), .space = 1},
	       {.fn = wait_shared, .prio = RQPI_PRIO_RT(30)},
	       {.fn = wake_all_three, .prio = RQPI_PRIO_RT(5)}},
};

/* ---------------------------------------------------------------- woken and moved */

static void wait_for_anything(void)
{
	rqs_ok(rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
}

/* Between all pairs of words: whichever bucket is the first. */
static void requeue_in_all_ways(void)
{
	const uint32_t add = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);

	rqs_when(two_rest);
	rqs_is(rqs_futex(&P->flag, FUTEX_REQUEUE_PRIVATE, 0, NUMBER(0), &P->seq, 0), 0);
	rqs_is(rqs_futex(&P->flag, FUTEX_REQUEUE_PRIVATE, 0, NUMBER(1), &P->flag, 0), 1);
	rqs_is(rqs_futex(&P->flag, FUTEX_REQUEUE_PRIVATE, 1, NUMBER(INT_MAX), &P->m[0], 0), 2);
	for (int i = 1; i < 5; i++)
		rqs_is(rqs_futex(&P->m[i - 1], FUTEX_REQUEUE_PRIVATE, 0, NUMBER(1), &P->m[i], 0),
		       1);
	for (int i = 4; i > 0; i--)
		rqs_is(rqs_futex(&P->m[i], FUTEX_REQUEUE_PRIVATE, 0, NUMBER(1), &P->m[i - 1], 0),
		       1);
	rqs_is(rqs_futex(&P->seq, FUTEX_WAKE_OP_PRIVATE, 1, NUMBER(0), &P->m[0], add), 1);
}

const struct rqs_scenario rqs_plain_moved_around = {
    .name = "plain_moved_around",
    .about = "two wait, one is woken and one is moved from word to word, between two buckets",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .buckets = 2,
    .actors = {{.fn = wait_for_anything, .prio = RQPI_PRIO_RT(10)},
	       {.fn = wait_for_anything, .prio = RQPI_PRIO_RT(10)},
	       {.fn = requeue_in_all_ways, .prio = RQPI_PRIO_RT(20)}},
};

/* ---------------------------------------------------------------- who must not be found */

static void wait_for_one(void)
{
	rqs_ok(rqs_futex(&P->seq, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &P->m[1], 0));
	unlock(1);
}

/* A waiter for a PI futex is refused by whatever is not for it, wherever it is. */
static void refuse_the_waiter_at(uint32_t *word)
{
	const uint32_t yes = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_NE, 9);
	const uint32_t no = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 9);

	rqs_is(rqs_futex(word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), -EINVAL);
	rqs_is(rqs_futex(word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 1), -EINVAL);
	rqs_is(rqs_futex(word, FUTEX_REQUEUE_PRIVATE, 0, NUMBER(1), &P->flag, 0), -EINVAL);
	rqs_is(rqs_futex(word, FUTEX_CMP_REQUEUE_PRIVATE, 1, NUMBER(0), &P->flag, rqs_read(word)),
	       -EINVAL);
	rqs_is(rqs_futex(word, FUTEX_WAKE_OP_PRIVATE, 1, NUMBER(1), &P->flag, yes), -EINVAL);
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE_OP_PRIVATE, 1, NUMBER(1), word, yes), -EINVAL);
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE_OP_PRIVATE, 1, NUMBER(1), word, no), 0);
	rqs_is(
	    rqs_futex(word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, NUMBER(1), &P->m[2], rqs_read(word)),
	    -EINVAL);
}

static void refuse_and_requeue(void)
{
	rqs_when(first_rests);
	refuse_the_waiter_at(&P->seq);
	rqs_is(rqs_futex(&P->seq, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), -EINVAL);
	rqs_is(rqs_futex(&P->seq, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), -EINVAL);
	rqs_is(requeue(1, 0), 1);
	refuse_the_waiter_at(&P->m[1]);
	unlock(1);
}

static void second_owns(void)
{
	own(1, 1);
}

const struct rqs_scenario rqs_refused_waiters = {
    .name = "refused_waiters",
    .about = "a waiter to be requeued, and one that has been, found by operations not for it",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_one, .prio = RQPI_PRIO_RT(10)},
	       {.fn = refuse_and_requeue, .prio = RQPI_PRIO_RT(20)}},
    .setup = second_owns,
    .end = all_are_free,
};

/* A plain waiter is in the way of a PI futex: neither lock nor unlock until it has gone. */
static void use_a_word_with_a_plain_waiter(void)
{
	rqs_when(first_rests);
	P->flag = RQS_TID;
	rqs_is(rqs_futex(&P->flag, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), -EINVAL);
	P->flag = 0;
	rqs_is(rqs_futex(&P->flag, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), -EINVAL);
	rqs_is(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0), 1); /* one, as in Linux */
}

const struct rqs_scenario rqs_refused_to_the_owner = {
    .name = "refused_to_the_owner",
    .about = "a plain waiter at the word of a PI futex",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_anything, .prio = RQPI_PRIO_RT(10)},
	       {.fn = use_a_word_with_a_plain_waiter, .prio = RQPI_PRIO_RT(20)}},
};

/* ---------------------------------------------------------------- words that lie */

static void lock_one(void)
{
	rqs_ok(lock(1));
	unlock(1);
}

/* It says that it owns what it does not own, and unlocks that. */
static void unlock_what_is_not_its_own(void)
{
	uint32_t word;

	rqs_when(first_rests);
	word = rqs_read(&P->m[1]);
	if (!word)
		return;
	rqs_write(&P->m[1], FUTEX_WAITERS | RQS_TID);
	rqs_is(rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), -EINVAL);
	rqs_write(&P->m[1], FUTEX_OWNER_DIED | 4711);
	rqs_is(rqs_futex(&P->m[1], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), -EINVAL);
	rqs_write(&P->m[1], FUTEX_WAITERS);
	rqs_is(rqs_futex(&P->m[1], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), -EINVAL);
	(void)rqb_xchg(&P->m[1], word); /* it is there before go is */
	P->go = 1;
}

static bool it_is_over(void)
{
	return P->go;
}

static void unlock_when_it_is_over(void)
{
	rqs_when(it_is_over);
	unlock(1);
}

static void third_owns(void)
{
	own(2, 1);
}

const struct rqs_scenario rqs_refused_to_a_liar = {
    .name = "refused_to_a_liar",
    .about =
	"a task writes itself into the word of a PI futex that others wait for, and unlocks it",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_one, .prio = RQPI_PRIO_RT(10)},
	       {.fn = unlock_what_is_not_its_own, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_when_it_is_over, .prio = RQPI_PRIO_RT(30)}},
    .setup = third_owns,
    .end = all_are_free,
    .lies = true,
};

/* While the owner unlocks in the kernel its word becomes another, and again what it was. */
static void write_another(void)
{
	uint32_t word;

	rqs_when(first_rests);
	word = rqs_read(&P->m[1]);
	rqs_write(&P->m[1], word ^ 0x1000);
	(void)rqb_xchg(&P->m[1], word);
	P->go = 1;
}

static void unlock_at_last(void)
{
	long ret;

	rqs_when(first_rests);
	ret = rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	rqs_claim(!ret || ret == -EPERM || ret == -EINVAL || ret == -EAGAIN,
		  "UNLOCK_PI of a word that changes: 0, EPERM, EINVAL or EAGAIN");
	P->told = ret != 0;
	rqs_when(it_is_over);
	if (P->told)
		(void)rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

static void lock_in_time_whatever_it_says(void)
{
	long ret = lock_in_time(1);

	if (!ret)
		(void)rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

const struct rqs_scenario rqs_unlock_of_a_changing_word = {
    .name = "unlock_of_a_changing_word",
    .about = "the word of a PI futex changes while its owner unlocks it: the engine stays whole",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_in_time_whatever_it_says, .prio = RQPI_PRIO_RT(10)},
	       {.fn = write_another, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_at_last, .prio = RQPI_PRIO_RT(30)}},
    .setup = third_owns,
    .lies = true,
};

/* Whoever puts the word right does so with all that is written to it meanwhile. */
static void unlock_and_write(void)
{
	rqs_when(first_rests);
	unlock(1);
	P->go = 1;
	rqs_write(&P->m[1], rqs_read(&P->m[1]) | FUTEX_OWNER_DIED);
}

static void steal_what_changes(void)
{
	long ret;

	rqs_when(it_is_over);
	ret = lock(1);
	rqs_claim(!ret || ret == -EINVAL || ret == -ESRCH, "LOCK_PI: got it, EINVAL or ESRCH");
	if (!ret)
		(void)rqs_futex(&P->m[1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

const struct rqs_scenario rqs_stolen_while_it_changes = {
    .name = "stolen_while_it_changes",
    .about = "a thief names itself in the word of a PI futex that another one writes to",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_in_time_whatever_it_says, .prio = RQPI_PRIO_RT(10)},
	       {.fn = steal_what_changes, .prio = RQPI_PRIO_RT(30)},
	       {.fn = unlock_and_write, .prio = RQPI_PRIO_RT(20)}},
    .setup = third_owns,
    .lies = true,
};

static void add_one(void)
{
	const uint32_t code = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);

	rqs_is(rqs_futex(&P->seq, FUTEX_WAKE_OP_PRIVATE, 1, NUMBER(1), &P->flag, code), 0);
}

static void both_have_added(void)
{
	rqs_claim(P->flag == 6 || P->flag == 5, "WAKE_OP adds to what it finds, and loses nothing");
}

static void write_five(void)
{
	rqs_write(&P->flag, 5);
}

const struct rqs_scenario rqs_plain_arithmetic_raced = {
    .name = "plain_arithmetic_raced",
    .about = "WAKE_OP computes with a word that another one writes to",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = add_one, .prio = RQPI_PRIO_RT(10)},
	       {.fn = write_five, .prio = RQPI_PRIO_RT(20)}},
    .end = both_have_added,
};

/* ---------------------------------------------------------------- interrupted */

static void wait_and_be_interrupted(void)
{
	const struct timespec late = rqs_someday(0);
	long ret = 0;

	while (!rqs_read(&P->flag) && ret != -EINTR && ret != -ETIMEDOUT)
		ret = rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, &late, NULL, 0);
	rqs_claim(!ret || ret == -EAGAIN || ret == -EINTR || ret == -ETIMEDOUT,
		  "WAIT for a time: 0, EAGAIN, EINTR or ETIMEDOUT");
}

/* Without a time it begins anew. */
static void wait_anew(void)
{
	while (!rqs_read(&P->flag)) {
		long ret = rqs_futex(&P->flag, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1);

		rqs_claim(!ret || ret == -EAGAIN, "WAIT: 0 or EAGAIN");
	}
}

static void wait_for_a_bit_and_be_interrupted(void)
{
	const struct timespec late = rqs_someday(0);
	long ret = 0;

	while (!rqs_read(&P->flag) && ret != -EINTR && ret != -ETIMEDOUT)
		ret = rqs_futex(&P->flag, FUTEX_WAIT_BITSET_PRIVATE, 0, &late, NULL, 1);
	rqs_claim(!ret || ret == -EAGAIN || ret == -EINTR || ret == -ETIMEDOUT,
		  "WAIT_BITSET for a time: 0, EAGAIN, EINTR or ETIMEDOUT");
}

static void wait_anew_for_anything(void)
{
	while (!rqs_read(&P->flag)) {
		long ret = rqs_futex(&P->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);

		rqs_claim(!ret || ret == -EAGAIN, "WAIT: 0 or EAGAIN");
	}
}

static void raise_flag(void)
{
	rqs_write(&P->flag, 1);
	rqs_claim(rqs_futex(&P->flag, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) >= 0,
		  "WAKE succeeds");
}

const struct rqs_scenario rqs_plain_interrupted = {
    .name = "plain_interrupted",
    .about = "a signal handler interrupts two that wait for a flag, one of them for a time",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_and_be_interrupted, .prio = RQPI_PRIO_RT(10), .signals = 1},
	       {.fn = wait_anew, .prio = RQPI_PRIO_RT(20), .signals = 1},
	       {.fn = raise_flag, .prio = RQPI_PRIO_RT(30)}},
};

const struct rqs_scenario rqs_plain_interrupted_bits = {
    .name = "plain_interrupted_bits",
    .about = "as plain_interrupted, where the other one of the two waits for a bit",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_for_a_bit_and_be_interrupted, .prio = RQPI_PRIO_RT(10), .signals = 1},
	       {.fn = wait_anew_for_anything, .prio = RQPI_PRIO_RT(20), .signals = 1},
	       {.fn = raise_flag, .prio = RQPI_PRIO_RT(30)}},
};
