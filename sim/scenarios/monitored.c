/* SPDX-License-Identifier: MIT */
/*
 * monitored.c - scenarios whose condition is nowhere: each waits once, and what comes of it is
 * for the oracles to judge. A waiter whom nobody was to release waits on at the end.
 */
#include "sim/scenarios/scenarios.h"

#include <errno.h>

struct program {
	rqpi_mutex_t m;
	rqpi_cond_t c;
};
#define P RQS_PROGRAM(struct program)

static void wait_once(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void signal_once(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_signal_or_too_early = {
    .name = "signal_or_too_early",
    .about = "one waits once, one signals once: too early, and it is not kept",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_once, .prio = RQPI_PRIO_RT(10)}},
    .may_wait = true,
};

/* Without the mutex: the kernel gives it to whom the signal releases. */
static void signal_alone(void)
{
	rqs_ok(rqpi_cond_signal(&P->c));
}

const struct rqs_scenario rqs_signal_one_of_two = {
    .name = "signal_one_of_two",
    .about = "two wait once, one signals once: the more urgent of those asleep",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_once, .prio = RQPI_PRIO_RT(30)},
	       {.fn = signal_alone, .prio = RQPI_PRIO_RT(10)}},
    .may_wait = true,
    .deep = true,
};

const struct rqs_scenario rqs_signal_one_of_equals = {
    .name = "signal_one_of_equals",
    .about = "two as urgent as each other wait once, one signals once: the first of those asleep",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_alone, .prio = RQPI_PRIO_RT(10)}},
    .may_wait = true,
    .deep = true,
};

static void broadcast_once(void)
{
	rqs_ok(rqpi_cond_broadcast(&P->c));
}

const struct rqs_scenario rqs_broadcast_once = {
    .name = "broadcast_once",
    .about = "two wait once, one broadcasts once",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_once, .prio = RQPI_PRIO_RT(30)},
	       {.fn = broadcast_once, .prio = RQPI_PRIO_RT(10)}},
    .may_wait = true,
    .deep = true,
};

static void wait_once_in_time(void)
{
	struct timespec late = rqs_someday(0);
	int err;

	rqs_ok(rqpi_mutex_lock(&P->m));
	err = rqpi_cond_clockwait(&P->c, &P->m, CLOCK_MONOTONIC, &late);
	rqs_claim(!err || err == ETIMEDOUT, "a timed wait ends with 0 or ETIMEDOUT");
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_timed_wait_once = {
    .name = "timed_wait_once",
    .about = "one waits once, for a time, and is signalled: in time, or too late",
    .bytes = sizeof(struct program),
    .actors = {{.fn = wait_once_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_once, .prio = RQPI_PRIO_RT(10)}},
};

/* ---------------------------------------------------------------- who is first, and how urgent */

static void pass_once(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_equal_lockers = {
    .name = "equal_lockers",
    .about =
	"three tasks as urgent as each other lock and unlock one mutex: first come, first served",
    .bytes = sizeof(struct program),
    .actors = {{.fn = pass_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = pass_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = pass_once, .prio = RQPI_PRIO_RT(20)}},
};

static void change_and_unlock(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_set_prio(0, RQPI_PRIO_RT(30));
	rqs_set_prio(0, RQPI_PRIO_RT(5));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_changed_while_waiting = {
    .name = "changed_while_waiting",
    .about = "who waits for a mutex is made more urgent, and less: so is who holds it",
    .bytes = sizeof(struct program),
    .actors = {{.fn = pass_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = change_and_unlock, .prio = RQPI_PRIO_RT(10)}},
};
