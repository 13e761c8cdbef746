/* SPDX-License-Identifier: MIT */
/*
 * woken.c - waits that sleep without requeue_pi by their own wish, as the preload's --force-pi has
 * them for threads without a real-time policy, alone and beside others on one channel.
 *
 * They come in below the public interface, so the monitor does not see them: what is claimed is
 * that nobody is left asleep, and the mutex. The rules are in src/user/channel.h.
 */
#include "sim/scenarios/scenarios.h"

#include <errno.h>

#include "src/user/user.h"

struct program {
	rqpi_mutex_t m;
	rqpi_cond_t c;
	struct rqs_room room;
	int tokens;
};
#define P RQS_PROGRAM(struct program)

static const struct rqs_word words[] = {
    RQS_WORD(struct program, m, RQS_MUTEX),
    RQS_WORD(struct program, c, RQS_COND),
    RQS_WORD(struct program, room, RQS_NUMBER),
    RQS_WORD(struct program, tokens, RQS_NUMBER),
    {NULL, 0, RQS_NUMBER},
};

/* A wait as shim_cond.c makes it. */
static int wait_plainly(const struct rqu_deadline *dl)
{
	struct rqu_mutex *m = rqu_mutex_of(&P->m);
	struct rqu_cond *c = (struct rqu_cond *)(void *)&P->c;
	struct rqu_lock lock = {.word = &m->word, .plain = true, .count = &m->count};

	return rqu_private_wait(&c->ref, &lock, dl);
}

static void take_token(void)
{
	rqs_enter(&P->room);
	P->tokens--;
	rqs_leave(&P->room);
}

static void take_plainly(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->tokens)
		rqs_ok(wait_plainly(NULL));
	take_token();
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void take_requeued(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->tokens)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	take_token();
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void give(int tokens, int (*release)(rqpi_cond_t *))
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->tokens += tokens;
	rqs_ok(release(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void give_one(void)
{
	give(1, rqpi_cond_signal);
}

static void give_two(void)
{
	give(2, rqpi_cond_broadcast);
}

static void all_is_over(void)
{
	rqs_claim(P->m.u32_[0] == 0, "the mutex is free in the end");
	rqs_claim(rqpi_cond_destroy(&P->c) == 0, "nobody is inside the condvar in the end");
}

const struct rqs_scenario rqs_woken_wait = {
    .name = "woken_wait",
    .about = "one waits to be woken and to lock by itself, one signals",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = take_plainly, .prio = RQPI_PRIO_RT(20)},
	       {.fn = give_one, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
};

const struct rqs_scenario rqs_woken_beside_requeued = {
    .name = "woken_beside_requeued",
    .about = "one waits plainly and one to be requeued, on one condvar; one broadcasts",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = take_plainly, .prio = RQPI_PRIO_RT(20)},
	       {.fn = take_requeued, .prio = RQPI_PRIO_RT(30)},
	       {.fn = give_two, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
    .deep = true,
};

/* ---------------------------------------------------------------- one signal for two */

static void look_requeued_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	int err = 0;

	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->tokens && !err)
		err = rqpi_cond_clockwait(&P->c, &P->m, CLOCK_MONOTONIC, &late);
	rqs_claim(!err || err == ETIMEDOUT, "a timed wait ends with 0 or ETIMEDOUT");
	if (!err)
		rqs_ok(rqpi_cond_signal(&P->c)); /* it was only looked at: the other one's turn */
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_token_for_the_woken = {
    .name = "token_for_the_woken",
    .about = "one signal for a plain waiter and one that is requeued, for a time, and goes first",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = look_requeued_in_time, .prio = RQPI_PRIO_RT(30)},
	       {.fn = take_plainly, .prio = RQPI_PRIO_RT(20)},
	       {.fn = give_one, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
    .by_lot = true,
};

static void unlock_on_cancel(void *arg)
{
	(void)arg;
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void look_requeued_cancelled(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	pthread_cleanup_push(unlock_on_cancel, NULL);
	while (!P->tokens)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	rqs_ok(rqpi_cond_signal(&P->c));
	pthread_cleanup_pop(1);
}

const struct rqs_scenario rqs_passed_on_to_the_woken = {
    .name = "passed_on_to_the_woken",
    .about = "as token_for_the_woken, but the one in front may be cancelled at any moment",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = look_requeued_cancelled, .prio = RQPI_PRIO_RT(30), .may_cancel = true},
	       {.fn = take_plainly, .prio = RQPI_PRIO_RT(20)},
	       {.fn = give_one, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
    .by_lot = true,
};

/* ---------------------------------------------------------------- a plain one that leaves */

static void look_plainly_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	struct rqu_deadline dl;
	int err = rqu_deadline_set(&dl, CLOCK_MONOTONIC, &late);

	rqs_ok(err);
	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->tokens && !err)
		err = wait_plainly(&dl);
	rqs_claim(!err || err == ETIMEDOUT, "a timed wait ends with 0 or ETIMEDOUT");
	if (!err)
		rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_woken_in_time = {
    .name = "woken_in_time",
    .about = "one signal for two plain waiters, one of them for a time",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = look_plainly_in_time, .prio = RQPI_PRIO_RT(30)},
	       {.fn = take_plainly, .prio = RQPI_PRIO_RT(20)},
	       {.fn = give_one, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
    .by_lot = true,
};
