/* SPDX-License-Identifier: MIT */
/*
 * litmus.c - the smallest programs that tell one memory from another, and what the code under test
 * relies on in their form (docs/memory-order.md). With --store-buffers the two named so are
 * violations, as they should be.
 */
#include "sim/scenarios/raw.h"

struct litmus {
	uint32_t x;
	uint32_t y;
	uint32_t seen[2][2]; /* by each of two tasks */
};
#define L RQS_PROGRAM(struct litmus)

/* ---------------------------------------------------------------- store buffers */

static void store_x_load_y(void)
{
	rqs_write(&L->x, 1);
	L->seen[0][0] = rqs_read(&L->y);
}

static void store_y_load_x(void)
{
	rqs_write(&L->y, 1);
	L->seen[1][0] = rqs_read(&L->x);
}

static void one_saw_the_other(void)
{
	rqs_claim(L->seen[0][0] || L->seen[1][0], "one sees what the other has stored");
}

const struct rqs_scenario rqs_litmus_store_buffers = {
    .name = "litmus_store_buffers",
    .about =
	"two store, each to a word of its own, and look at the other's: not with store buffers",
    .bytes = sizeof(struct litmus),
    .actors = {{.fn = store_x_load_y}, {.fn = store_y_load_x}},
    .end = one_saw_the_other,
    .in_order = true,
};

static void exchange_x_load_y(void)
{
	(void)rqb_xchg(&L->x, 1);
	L->seen[0][0] = rqs_read(&L->y);
}

static void exchange_y_load_x(void)
{
	(void)rqb_xchg(&L->y, 1);
	L->seen[1][0] = rqs_read(&L->x);
}

const struct rqs_scenario rqs_litmus_exchanges = {
    .name = "litmus_exchanges",
    .about = "the same with exchanges for the stores: one sees the other",
    .bytes = sizeof(struct litmus),
    .actors = {{.fn = exchange_x_load_y}, {.fn = exchange_y_load_x}},
    .end = one_saw_the_other,
};

static void store_x_step_y(void)
{
	rqs_write(&L->x, 1);
	L->seen[0][0] = rqb_add(&L->y, 0);
}

static void step_y_load_x(void)
{
	(void)rqb_add(&L->y, 1);
	L->seen[1][0] = rqs_read(&L->x);
}

/*
 * As a waker that looks at the count of waiters by a read-modify-write, and a waiter that steps
 * it.
 */
const struct rqs_scenario rqs_litmus_both_step = {
    .name = "litmus_both_step",
    .about = "one stores and looks at a count by adding 0, the other counts and looks at the store",
    .bytes = sizeof(struct litmus),
    .actors = {{.fn = store_x_step_y}, {.fn = step_y_load_x}},
    .end = one_saw_the_other,
};

/* ---------------------------------------------------------------- message passing */

static void send(void)
{
	rqs_write(&L->x, 1);
	rqs_write(&L->y, 1);
}

static void receive(void)
{
	L->seen[1][0] = rqs_read(&L->y);
	L->seen[1][1] = rqs_read(&L->x);
}

static void message_is_there(void)
{
	rqs_claim(!L->seen[1][0] || L->seen[1][1], "who sees the flag sees the message");
}

const struct rqs_scenario rqs_litmus_message = {
    .name = "litmus_message",
    .about =
	"one stores a message and then a flag, the other looks at the flag and then the message",
    .bytes = sizeof(struct litmus),
    .actors = {{.fn = send}, {.fn = receive}},
    .end = message_is_there,
};

/* ---------------------------------------------------------------- one word */

static void store_and_look(void)
{
	rqs_write(&L->x, 1);
	L->seen[0][0] = rqs_read(&L->x);
}

static void look_twice(void)
{
	L->seen[1][0] = rqs_read(&L->x);
	L->seen[1][1] = rqs_read(&L->x);
}

static void word_is_coherent(void)
{
	rqs_claim(L->seen[0][0] == 1, "a task sees its own store at once");
	rqs_claim(L->seen[1][1] >= L->seen[1][0], "what has been seen stays seen");
	rqs_claim(L->x == 1, "in the end it has been stored");
}

const struct rqs_scenario rqs_litmus_one_word = {
    .name = "litmus_one_word",
    .about = "one word: a task sees its own store at once, and nobody sees it and then not",
    .bytes = sizeof(struct litmus),
    .actors = {{.fn = store_and_look}, {.fn = look_twice}},
    .end = word_is_coherent,
};

/* ---------------------------------------------------------------- a wake-up saved */

struct event {
	uint32_t set;
	uint32_t waiting;
};
#define E RQS_PROGRAM(struct event)

static void wait_for_event(void)
{
	rqs_write(&E->waiting, 1);
	while (!rqs_read(&E->set))
		(void)rqs_futex(&E->set, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* Nobody waits, nobody is to be woken: with a store that is still on its way, a mistake. */
static void set_event(void)
{
	rqs_write(&E->set, 1);
	if (rqs_read(&E->waiting))
		rqs_claim(rqs_futex(&E->set, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0,
			  "FUTEX_WAKE succeeds");
}

const struct rqs_scenario rqs_litmus_wake_up_saved = {
    .name = "litmus_wake_up_saved",
    .about = "a waker looks whether anybody waits before it calls: lost with store buffers",
    .bytes = sizeof(struct event),
    .actors = {{.fn = wait_for_event}, {.fn = set_event}},
    .in_order = true,
};
