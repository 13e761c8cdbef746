/* SPDX-License-Identifier: MIT */
/* condvars.c - scenarios of the condition variable on the engine: both halves together. */
#include "sim/scenarios/scenarios.h"

#include <errno.h>

struct program {
	rqpi_mutex_t m;
	rqpi_cond_t c;
	struct rqs_room room;
	int go;
	int woken;
	int late;
};
#define P RQS_PROGRAM(struct program)

static const struct rqs_word words[] = {
    RQS_WORD(struct program, m, RQS_MUTEX),
    RQS_WORD(struct program, c, RQS_COND),
    RQS_WORD(struct program, room, RQS_NUMBER),
    RQS_WORD(struct program, go, RQS_NUMBER),
    RQS_WORD(struct program, woken, RQS_NUMBER),
    RQS_WORD(struct program, late, RQS_NUMBER),
    {NULL, 0, RQS_NUMBER},
};

static void wait_for_go(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->go)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	rqs_enter(&P->room);
	P->woken++;
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void wait_for_go_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	int err = 0;

	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->go && !err)
		err = rqpi_cond_clockwait(&P->c, &P->m, CLOCK_MONOTONIC, &late);
	rqs_claim(!err || err == ETIMEDOUT, "a timed wait ends with 0 or ETIMEDOUT");
	rqs_enter(&P->room);
	P->woken += !err;
	P->late += err != 0;
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void signal_held(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void signal_after(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_mutex_unlock(&P->m));
	rqs_ok(rqpi_cond_signal(&P->c));
}

static void broadcast_held(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_broadcast(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void all_is_over(void)
{
	rqs_claim(P->m.u32_[0] == 0, "the mutex is free in the end");
	rqs_claim(rqpi_cond_destroy(&P->c) == 0, "nobody is inside the condvar in the end");
}

const struct rqs_scenario rqs_signal_under_the_mutex = {
    .name = "signal_under_the_mutex",
    .about = "one waits, one signals with the mutex held",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
};

const struct rqs_scenario rqs_signal_after_the_mutex = {
    .name = "signal_after_the_mutex",
    .about = "one waits, one signals after it has unlocked",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_after, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
};

const struct rqs_scenario rqs_timed_wait = {
    .name = "timed_wait",
    .about = "one waits, and its time may run out at any moment; one signals",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
};

const struct rqs_scenario rqs_interrupted_wait = {
    .name = "interrupted_wait",
    .about = "one waits, a signal handler may interrupt it at any moment; one signals",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20), .signals = 1},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
};

static void unlock_on_cancel(void *arg)
{
	(void)arg;
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void wait_cancelled(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	pthread_cleanup_push(unlock_on_cancel, NULL);
	while (!P->go)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	pthread_cleanup_pop(1);
}

const struct rqs_scenario rqs_cancelled_wait = {
    .name = "cancelled_wait",
    .about = "one waits and may be cancelled at any moment; one signals",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_cancelled, .prio = RQPI_PRIO_RT(20), .may_cancel = true},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
};

const struct rqs_scenario rqs_broadcast_to_two = {
    .name = "broadcast_to_two",
    .about = "two wait, one broadcasts with the mutex held",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_go, .prio = RQPI_PRIO_RT(30)},
	       {.fn = broadcast_held, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
};

const struct rqs_scenario rqs_broadcast_to_timed = {
    .name = "broadcast_to_timed",
    .about = "one waits for ever and one for a time, one broadcasts with the mutex held",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_for_go, .prio = RQPI_PRIO_RT(20)},
	       {.fn = wait_for_go_in_time, .prio = RQPI_PRIO_RT(30)},
	       {.fn = broadcast_held, .prio = RQPI_PRIO_RT(10)}},
    .end = all_is_over,
    .deep = true,
};

/* ---------------------------------------------------------------- tokens: one signal each */

static void take_token(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->go)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	P->go--;
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void look_for_token_in_time(void)
{
	struct timespec late = rqs_someday(rqs_me());
	int err = 0;

	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->go && !err)
		err = rqpi_cond_clockwait(&P->c, &P->m, CLOCK_MONOTONIC, &late);
	rqs_claim(!err || err == ETIMEDOUT, "a timed wait ends with 0 or ETIMEDOUT");
	if (!err)
		rqs_ok(rqpi_cond_signal(&P->c)); /* it was only looked at: the other one's turn */
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void give_token(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go++;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

/* If one whose time has come has swallowed the signal, the other one waits for ever. */
const struct rqs_scenario rqs_token_for_one_of_two = {
    .name = "token_for_one_of_two",
    .about = "one signal for two waiters, one of them for a time: it passes it on, or leaves it",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = look_for_token_in_time, .prio = RQPI_PRIO_RT(30)},
	       {.fn = take_token, .prio = RQPI_PRIO_RT(20)},
	       {.fn = give_token, .prio = RQPI_PRIO_RT(10)}},
    .deep = true,
};

static void look_for_token_cancelled(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	pthread_cleanup_push(unlock_on_cancel, NULL);
	while (!P->go)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	rqs_ok(rqpi_cond_signal(&P->c));
	pthread_cleanup_pop(1);
}

/* ---------------------------------------------------------------- destroyed and gone */

struct mortal {
	rqpi_mutex_t m;
	rqpi_cond_t c;
	int go;
	int waiting;
};
#define M RQS_PROGRAM(struct mortal)

static const struct rqs_word mortal_words[] = {
    RQS_WORD(struct mortal, m, RQS_MUTEX),
    RQS_WORD(struct mortal, c, RQS_COND),
    RQS_WORD(struct mortal, go, RQS_NUMBER),
    RQS_WORD(struct mortal, waiting, RQS_NUMBER),
    {NULL, 0, RQS_NUMBER},
};

static void wait_for_end(void)
{
	rqs_ok(rqpi_mutex_lock(&M->m));
	if (!M->go) {
		M->waiting = 1;
		while (!M->go)
			rqs_ok(rqpi_cond_wait(&M->c, &M->m));
	}
	rqs_ok(rqpi_mutex_unlock(&M->m));
}

/* POSIX: it may be destroyed as soon as it is known that all have been released. */
static void broadcast_and_destroy(void)
{
	rqs_ok(rqpi_mutex_lock(&M->m));
	M->go = 1;
	rqs_ok(rqpi_cond_broadcast(&M->c));
	rqs_ok(rqpi_cond_destroy(&M->c));
	rqs_gone(&M->c, sizeof(M->c));
	__builtin_memset(&M->c, 0xa5, sizeof(M->c));
	rqs_ok(rqpi_mutex_unlock(&M->m));
}

static void nobody_touched_it(void)
{
	const unsigned char *byte = (const unsigned char *)&M->c;
	bool whole = true;

	for (size_t i = 0; i < sizeof(M->c); i++)
		whole = whole && byte[i] == 0xa5;
	rqs_claim(whole, "nobody writes to a condvar that has been destroyed");
	rqs_claim(M->m.u32_[0] == 0, "the mutex is free in the end");
}

const struct rqs_scenario rqs_destroy_after_broadcast = {
    .name = "destroy_after_broadcast",
    .about =
	"one waits; one broadcasts, destroys the condvar and overwrites it, all under the mutex",
    .bytes = sizeof(struct mortal),
    .words = mortal_words,
    .actors = {{.fn = wait_for_end, .prio = RQPI_PRIO_RT(20)},
	       {.fn = broadcast_and_destroy, .prio = RQPI_PRIO_RT(10)}},
    .end = nobody_touched_it,
};

/* ---------------------------------------------------------------- kinds of mutexes */

static void make_recursive(void)
{
	rqpi_mutexattr_t attr;

	rqs_ok(rqpi_mutexattr_init(&attr));
	rqs_ok(rqpi_mutexattr_settype(&attr, RQPI_MUTEX_RECURSIVE));
	rqs_ok(rqpi_mutex_init(&P->m, &attr));
}

static void wait_with_depth(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	rqs_ok(rqpi_mutex_lock(&P->m));
	while (!P->go)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	rqs_ok(rqpi_mutex_unlock(&P->m));
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_recursive_wait = {
    .name = "recursive_wait",
    .about = "one waits with a recursive mutex locked twice, and has it twice afterwards",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_with_depth, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_held, .prio = RQPI_PRIO_RT(10)}},
    .setup = make_recursive,
    .end = all_is_over,
};

static void make_robust(void)
{
	rqpi_mutexattr_t attr;

	rqs_ok(rqpi_mutexattr_init(&attr));
	rqs_ok(rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST));
	rqs_ok(rqpi_mutex_init(&P->m, &attr));
}

static void lock_robust(void)
{
	int err = rqpi_mutex_lock(&P->m);

	rqs_claim(!err || err == EOWNERDEAD, "a robust lock: 0 or EOWNERDEAD");
	if (err)
		rqs_ok(rqpi_mutex_consistent(&P->m));
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void end_with_robust(void)
{
	int err = rqpi_mutex_lock(&P->m);

	rqs_claim(!err || err == EOWNERDEAD, "a robust lock: 0 or EOWNERDEAD");
}

static void robust_can_be_had(void)
{
	uint32_t word = P->m.u32_[0];

	rqs_claim((word & 0x3fffffffu) == 0, "no dead task has the mutex in the end");
}

const struct rqs_scenario rqs_robust_owner_ends = {
    .name = "robust_owner_ends",
    .about = "a task ends with a robust mutex locked: whoever locks it is told, and has it",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = lock_robust, .prio = RQPI_PRIO_RT(20)},
	       {.fn = end_with_robust, .prio = RQPI_PRIO_RT(10)}},
    .setup = make_robust,
    .end = robust_can_be_had,
};

/* What @call has returned: the mutex is owned, and if its owner has ended with it that was told. */
static void owned(int err, const char *call)
{
	rqs_claim(!err || err == EOWNERDEAD, call);
	if (err)
		rqs_ok(rqpi_mutex_consistent(&P->m));
	rqs_claim((err == EOWNERDEAD) == P->late, "EOWNERDEAD is told once, and only then");
	P->late = 0;
}

static void wait_robust(void)
{
	owned(rqpi_mutex_lock(&P->m), "a robust lock: 0 or EOWNERDEAD");
	while (!P->go)
		owned(rqpi_cond_wait(&P->c, &P->m), "a robust wait: 0 or EOWNERDEAD");
	rqs_enter(&P->room);
	rqs_leave(&P->room);
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void signal_and_end(void)
{
	rqs_ok(rqpi_mutex_lock(&P->m));
	P->go = 1;
	P->late = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
}

const struct rqs_scenario rqs_robust_signaller_ends = {
    .name = "robust_signaller_ends",
    .about = "a task signals a waiter with a robust mutex, and ends without unlocking it",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_robust, .prio = RQPI_PRIO_RT(20)},
	       {.fn = signal_and_end, .prio = RQPI_PRIO_RT(10)}},
    .setup = make_robust,
    .end = robust_can_be_had,
};

/* ---------------------------------------------------------------- two condvars */

struct pair {
	rqpi_mutex_t m;
	rqpi_cond_t ping;
	rqpi_cond_t pong;
	int turn;
};
#define PAIR RQS_PROGRAM(struct pair)

static const struct rqs_word pair_words[] = {
    RQS_WORD(struct pair, m, RQS_MUTEX),
    RQS_WORD(struct pair, ping, RQS_COND),
    RQS_WORD(struct pair, pong, RQS_COND),
    RQS_WORD(struct pair, turn, RQS_NUMBER),
    {NULL, 0, RQS_NUMBER},
};

static void ping(void)
{
	rqs_ok(rqpi_mutex_lock(&PAIR->m));
	PAIR->turn = 1;
	rqs_ok(rqpi_cond_signal(&PAIR->ping));
	while (PAIR->turn != 2)
		rqs_ok(rqpi_cond_wait(&PAIR->pong, &PAIR->m));
	rqs_ok(rqpi_mutex_unlock(&PAIR->m));
}

static void pong(void)
{
	rqs_ok(rqpi_mutex_lock(&PAIR->m));
	while (PAIR->turn != 1)
		rqs_ok(rqpi_cond_wait(&PAIR->ping, &PAIR->m));
	PAIR->turn = 2;
	rqs_ok(rqpi_cond_signal(&PAIR->pong));
	rqs_ok(rqpi_mutex_unlock(&PAIR->m));
}

static void pair_is_over(void)
{
	rqs_claim(PAIR->m.u32_[0] == 0, "the mutex is free in the end");
	rqs_claim(rqpi_cond_destroy(&PAIR->ping) == 0 && rqpi_cond_destroy(&PAIR->pong) == 0,
		  "nobody is inside the condvars in the end");
}

const struct rqs_scenario rqs_two_condvars = {
    .name = "two_condvars",
    .about = "two condvars on one mutex: one task hands the turn over and waits to get it back",
    .bytes = sizeof(struct pair),
    .words = pair_words,
    .actors = {{.fn = ping, .prio = RQPI_PRIO_RT(20)}, {.fn = pong, .prio = RQPI_PRIO_RT(10)}},
    .end = pair_is_over,
};

const struct rqs_scenario rqs_token_or_cancel = {
    .name = "token_or_cancel",
    .about = "one signal for two waiters, one may be cancelled: it passes it on, or leaves it",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = look_for_token_cancelled, .prio = RQPI_PRIO_RT(30), .may_cancel = true},
	       {.fn = take_token, .prio = RQPI_PRIO_RT(20)},
	       {.fn = give_token, .prio = RQPI_PRIO_RT(10)}},
    .by_lot = true,
};

/* ---------------------------------------------------------------- killed */

const struct rqs_scenario rqs_robust_locker_killed = {
    .name = "robust_locker_killed",
    .about = "a task may be killed at any moment while it locks and unlocks a robust mutex",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = lock_robust, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_robust, .prio = RQPI_PRIO_RT(10), .may_be_killed = true}},
    .setup = make_robust,
    .end = robust_can_be_had,
};

static void wait_and_be_killed(void)
{
	int err = rqpi_mutex_lock(&P->m);

	rqs_claim(!err || err == EOWNERDEAD, "a robust lock: 0 or EOWNERDEAD");
	if (err)
		rqs_ok(rqpi_mutex_consistent(&P->m));
	while (!P->go)
		rqs_ok(rqpi_cond_wait(&P->c, &P->m));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

static void signal_robust(void)
{
	int err = rqpi_mutex_lock(&P->m);

	rqs_claim(!err || err == EOWNERDEAD, "a robust lock: 0 or EOWNERDEAD");
	if (err)
		rqs_ok(rqpi_mutex_consistent(&P->m));
	P->go = 1;
	rqs_ok(rqpi_cond_signal(&P->c));
	rqs_ok(rqpi_mutex_unlock(&P->m));
}

const struct rqs_scenario rqs_robust_waiter_killed = {
    .name = "robust_waiter_killed",
    .about = "a task that waits with a robust mutex may be killed at any moment; one signals",
    .bytes = sizeof(struct program),
    .words = words,
    .actors = {{.fn = wait_and_be_killed, .prio = RQPI_PRIO_RT(20), .may_be_killed = true},
	       {.fn = signal_robust, .prio = RQPI_PRIO_RT(10)}},
    .setup = make_robust,
    .end = robust_can_be_had,
};
