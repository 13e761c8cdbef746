/* SPDX-License-Identifier: MIT */
/*
 * signals.c - scenarios of the condvar on the engine: who is owed which signal, what may be gone
 * when one returns, and an urgent signaller.
 */
#include "sim/scenarios/scenarios.h"

#include <errno.h>

struct program {
	rqpi_mutex_t m;
	rqpi_cond_t c;
	int go;
	int second;
	int gone;
	int waiting;
};
#define P RQS_PROGRAM(struct program)

static const struct rqs_word words[] = {
    RQS_WORD(struct program, m, RQS_MUTEX),
    RQS_WORD(struct program, c, RQS_COND),
    RQS_WORD(struct program, go, RQS_NUMBER),
    RQS_WORD(struct program, second, RQS_NUMBER),
    RQS_WORD(struct program, gone, RQS_NUMBER),
    RQS_WORD(struct program, waiting, RQS_NUMBER),
    {NULL, 0, RQS_NUMBER},
};

static void wait_until(const int *flag)
{
	while (!*flag)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
}

static void wait_for_go(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	wait_until(&P->go);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void mutex_is_free(void)
{
	rqs_claim(P->m.u32_[0] == 0, "the mutex is free in the end");
	rqs_claim(rqpi_cond_destroy(&P->c) == 0, "nobody is inside the condvar in the end");
}

/* ---------------------------------------------------------------- late waiters */

/* Begins to wait only after the signal, for something else, and must not take it. */
static void wait_late(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	if (P->go)
		wait_until(&P->second);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void wait_and_pass_on(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	wait_until(&P->go);
	P->second = 1;
	rqs_ok(rqpi_cond_broadcast(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void signal_held(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_late_waiter = {
    .name = "late_waiter",
    .about = "one waits and is signalled; another begins to wait after that, and must not get it",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_and_pass_on, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_late, .prio = RQPI_PRIO_RT(30)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
    .deep = true,
};

/* ---------------------------------------------------------------- more signals than one */

static void signal_twice(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_two_signals_for_one = {
    .name = "two_signals_for_one",
    .about = "one waits and is signalled twice at once",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_twice, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
};

const struct rqs_scenario rqs_two_signals_for_two = {
    .name = "two_signals_for_two",
    .about = "two wait, and two signals are sent at once: each is released",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_go, .prio = RQPI_PRIO_RT(30)},
	       {.fn = signal_twice, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
    .deep = true,
};

static void signal_twice_apart(void)
{
	signal_held();
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_two_signals_apart = {
    .name = "two_signals_apart",
    .about = "two wait, and two signals are sent, each with the mutex held anew: each is released",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_go, .prio = RQPI_PRIO_RT(30)},
	       {.fn = signal_twice_apart, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
    .by_lot = true,
};

static void set_go_and_signal(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_mutex_unlock(&P->m));
	rqs_ok(rqpi_cond_signal(&P->c));
}

const struct rqs_scenario rqs_two_signallers = {
    .name = "two_signallers",
    .about = "two wait, and two others signal at once after the mutex: each signal releases one",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_go, .prio = RQPI_PRIO_RT(30)},
	       {.fn = set_go_and_signal, .prio = RQPI_PRIO_RT(10)},
	       {.fn = set_go_and_signal, .prio = RQPI_PRIO_RT(15)}},
    .end = mutex_is_free,
    .by_lot = true,
};

static void wait_for_second(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	wait_until(&P->second);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void broadcast_then_signal(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_broadcast(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->second = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

/* Whoever waits when the signal is sent waits for it, but for the one that the broadcast freed. */
const struct rqs_scenario rqs_signal_after_a_broadcast = {
    .name = "signal_after_a_broadcast",
    .about = "one waits for a broadcast, one for the signal after it, and comes whenever it likes",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_second, .prio = RQPI_PRIO_RT(30)},
	       {.fn = broadcast_then_signal, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
    .by_lot = true,
};

/* The first one may come while the waiter is about to join. */
static void signal_before_and_after(void)
{
	rqs_ok(rqpi_cond_signal(&P->c));
	set_go_and_signal();
}

const struct rqs_scenario rqs_urgent_signaller = {
    .name = "urgent_signaller",
    .about = "one waits, a more urgent one signals without the mutex, before it sets go and after",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(10)},
	       {.fn = signal_before_and_after, .prio = RQPI_PRIO_RT(20)}},
    .end = mutex_is_free,
};

/* ---------------------------------------------------------------- what may be gone */

struct mortal {
	rqpi_mutex_t m;
	int done;
};
#define M RQS_PROGRAM(struct mortal)

static const struct rqs_word mortal_words[] = {
    RQS_WORD(struct mortal, m, RQS_MUTEX),
    RQS_WORD(struct mortal, done, RQS_NUMBER),
    {NULL, 0, RQS_NUMBER},
};

/* Whoever comes second knows that nobody else needs the mutex any more, and frees it. */
static void pass_or_free(void)
{
	bool last;

	rqs_ok(rqpi_mutex_lock(&M->m));
	last = M->done++;
	rqs_ok(rqpi_mutex_unlock(&M->m));
	if (!last)
		return;
	rqs_ok(rqpi_mutex_destroy(&M->m));
	__builtin_memset(&M->m, 0xa5, sizeof(M->m));
	rqs_gone(&M->m, sizeof(M->m));
}

static void not_written(void)
{
	const unsigned char *byte = (const unsigned char *)&M->m;
	bool whole = true;

	for (size_t i = 0; i < sizeof(M->m); i++)
		whole = whole && byte[i] == 0xa5;
	rqs_claim(whole, "nobody writes to a mutex that has been freed");
}

const struct rqs_scenario rqs_mutex_freed_by_the_next = {
    .name = "mutex_freed_by_the_next",
    .about = "two lock a mutex, and the second one frees it as soon as it has unlocked",
    .bytes = sizeof(struct mortal),
    .words = mortal_words,
    .actors = {{.fn = pass_or_free, .prio = RQPI_PRIO_RT(10)},
	       {.fn = pass_or_free, .prio = RQPI_PRIO_RT(20)}},
    .end = not_written,
};

static void remake(void)
{
	rqs_ok(rqpi_cond_destroy(&P->c));
	rqs_ok(rqpi_cond_init(&P->c, NULL));
}

/* The condvar's first life ends while who was released has not run yet. */
static void broadcast_and_remake(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_broadcast(&P->c));
	remake();
	P->second = 1;
	rqs_ok(rqpi_cond_signal(&P->c)); /* nobody has begun to wait in its second life */
	rqs_ok(rqpi_mutex_unlock(&P->m));
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->gone = 1;
	rqs_ok(rqpi_cond_signal(&P->c)); /* for who waits in its second life alone */
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void wait_in_second_life(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	if (P->second)
		wait_until(&P->gone);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_remade_condvar = {
    .name = "remade_condvar",
    .about = "a condvar is destroyed and made again after a broadcast, and another one waits there",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_in_second_life, .prio = RQPI_PRIO_RT(30)},
	       {.fn = broadcast_and_remake, .prio = RQPI_PRIO_RT(10)}},
    .end = mutex_is_free,
    .by_lot = true,
};

/* ---------------------------------------------------------------- two condvars, two mutexes */

struct pair {
	rqpi_mutex_t m;
	rqpi_cond_t ready;
	rqpi_cond_t done;
	int item;
	int taken;
};
#define Q RQS_PROGRAM(struct pair)

static const struct rqs_word pair_words[] = {
    RQS_WORD(struct pair, m, RQS_MUTEX),      RQS_WORD(struct pair, ready, RQS_COND),
    RQS_WORD(struct pair, done, RQS_COND),    RQS_WORD(struct pair, item, RQS_NUMBER),
    RQS_WORD(struct pair, taken, RQS_NUMBER), {NULL, 0, RQS_NUMBER},
};

static void consume(void)
{
	rqs_ok(rqpi_mutex_lock(&Q->m));
	while (!Q->item)
		rqs_ok(rqpi_cond_wait(&Q->ready, &Q->m));
	Q->item--;
	Q->taken++;
	rqs_ok(rqpi_cond_signal(&Q->done));
	rqs_ok(rqpi_mutex_unlock(&Q->m));
}

static void produce(void)
{
	rqs_ok(rqpi_mutex_lock(&Q->m));
	Q->item = 2;
	rqs_ok(rqpi_cond_broadcast(&Q->ready));
	while (Q->taken < 2)
		rqs_ok(rqpi_cond_wait(&Q->done, &Q->m));
	rqs_ok(rqpi_mutex_unlock(&Q->m));
}

static void pair_is_over(void)
{
	rqs_claim(Q->m.u32_[0] == 0 && Q->taken == 2,
		  "both items are taken, and the mutex is free");
	rqs_claim(!rqpi_cond_destroy(&Q->ready) && !rqpi_cond_destroy(&Q->done),
		  "nobody is inside the condvars in the end");
}

const struct rqs_scenario rqs_two_condvars_for_three = {
    .name = "two_condvars_for_three",
    .about = "two condvars on one mutex: a producer of two items, and two consumers that answer",
    .bytes = sizeof(struct pair),
    .words = pair_words,
    .actors = {{.fn = consume, .prio = RQPI_PRIO_RT(20)},
	       {.fn = consume, .prio = RQPI_PRIO_RT(30)},
	       {.fn = produce, .prio = RQPI_PRIO_RT(10)}},
    .end = pair_is_over,
    .by_lot = true,
};
