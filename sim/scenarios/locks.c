/* SPDX-License-Identifier: MIT */
/* locks.c - scenarios of the mutex alone, and of the PI futex below it. */
#include "sim/scenarios/scenarios.h"

#include <errno.h>
#include <linux/futex.h>

struct program {
	rqpi_mutex_t m;
	rqpi_mutex_t n;
	uint32_t word;
	struct rqs_room room;
	int passed;
};
#define P RQS_PROGRAM(struct program)

static const struct rqs_word words[] = {
    RQS_WORD(struct program, m, RQS_MUTEX),	  RQS_WORD(struct program, n, RQS_MUTEX),
    RQS_WORD(struct program, word, RQS_NUMBER),	  RQS_WORD(struct program, room, RQS_NUMBER),
    RQS_WORD(struct program, passed, RQS_NUMBER), {NULL, 0, RQS_NUMBER},
};

static void pass_once(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_enter(&P->room);
	P->passed++;
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void two_passed(void)
{
	rqs_claim(P->passed == 2, "both have been inside");
	rqs_claim(P->m.u32_[0] == 0, "the mutex is free in the end");
}

const struct rqs_scenario rqs_two_lockers = {
    .name = "two_lockers",
    .about = "two tasks lock and unlock one mutex, once each",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = pass_once, .prio = RQPI_PRIO_RT(10)},
	       {.fn = pass_once, .prio = RQPI_PRIO_RT(20)}},
    .end = two_passed,
};

static void three_passed(void)
{
	rqs_claim(P->passed == 3, "all have been inside");
	rqs_claim(P->m.u32_[0] == 0, "the mutex is free in the end");
}

const struct rqs_scenario rqs_three_lockers = {
    .name = "three_lockers",
    .about = "three tasks of different priorities lock and unlock one mutex, once each",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = pass_once, .prio = RQPI_PRIO_RT(10)},
	       {.fn = pass_once, .prio = RQPI_PRIO_RT(20)},
	       {.fn = pass_once, .prio = RQPI_PRIO_RT(30)}},
    .end = three_passed,
};

static void pass_if_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	int err = rqpi_mutex_clocklock(&P->m, CLOCK_MONOTONIC, &late);

	if (err == ETIMEDOUT)
		return;
	rqs_check_result(err, 0, "rqpi_mutex_clocklock");
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void mutex_is_free(void)
{
	rqs_claim(P->m.u32_[0] == 0, "the mutex is free in the end");
}

const struct rqs_scenario rqs_timed_lockers = {
    .name = "timed_lockers",
    .about = "one holds the mutex, another's time may run out while it waits for it",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = pass_once, .prio = RQPI_PRIO_RT(10)},
	       {.fn = pass_if_in_time, .prio = RQPI_PRIO_RT(20)}},
    .end = mutex_is_free,
};

static void hold_both(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_ok(rqpi_mutex_lock(&P->n));
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->n));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void hold_outer(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void hold_inner(void)
{
	rqs_ok(rqpi_mutex_lock(&P->n));
	rqs_ok(rqpi_mutex_unlock(&P->n));
}

static void both_are_free(void)
{
	rqs_claim(P->m.u32_[0] == 0 && P->n.u32_[0] == 0, "both mutexes are free in the end");
}

const struct rqs_scenario rqs_chain_of_two = {
    .name = "chain_of_two",
    .about = "the most urgent waits for who waits for the least urgent: the boost goes through",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = hold_inner, .prio = RQPI_PRIO_RT(10)},
	       {.fn = hold_both, .prio = RQPI_PRIO_RT(20)},
	       {.fn = hold_outer, .prio = RQPI_PRIO_RT(30)}},
    .end = both_are_free,
};
