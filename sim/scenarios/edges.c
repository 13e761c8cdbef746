/* SPDX-License-Identifier: MIT */
/*
 * edges.c - scenarios of the engine alone, each for what happens only if several things come
 * together: chains that change while a walk goes along them.
 */
#include "sim/scenarios/edges.h"

/* ---------------------------------------------------------------- walks that are outrun */

static void lock_first(void)
{
	long ret = lock(1);

	rqs_claim(!ret || ret == -EDEADLK, "LOCK_PI: got it, or EDEADLK");
	if (!ret)
		unlock(1);
}

/* Owns the first: what waits for that has to go along to the second. */
static void give_way_and_come_again(void)
{
	long ret = lock_in_time(2);

	rqs_claim(!ret || ret == -ETIMEDOUT || ret == -EDEADLK, "got it, ETIMEDOUT or EDEADLK");
	unlock(1);
	P->go = 1;
	if (ret)
		ret = lock(2);
	if (!ret)
		unlock(2);
}

static void unlock_second(void)
{
	unlock(2);
}

static void second_and_third_own(void)
{
	own(1, 1);
	own(2, 2);
}

const struct rqs_scenario rqs_walk_outrun = {
    .name = "walk_outrun",
    .about = "while a boost is on its way its reason goes: the owner gives way, and waits again",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_first, .prio = RQPI_PRIO_RT(30)},
	       {.fn = give_way_and_come_again, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_second, .prio = RQPI_PRIO_RT(10)}},
    .setup = second_and_third_own,
    .end = all_are_free,
};

static bool it_gave_way(void)
{
	return P->go;
}

static void rob_the_first(void)
{
	rqs_when(it_gave_way);
	lock_first();
	unlock(2);
}

const struct rqs_scenario rqs_walk_robbed = {
    .name = "walk_robbed",
    .about = "as walk_outrun, and a thief takes the lock that the walk has come from",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_first, .prio = RQPI_PRIO_RT(10)},
	       {.fn = give_way_and_come_again, .prio = RQPI_PRIO_RT(20)},
	       {.fn = rob_the_first, .prio = RQPI_PRIO_RT(30)}},
    .setup = second_and_third_own,
    .end = all_are_free,
};

static void lock_second_and_leave_both(void)
{
	long ret = lock(2);

	rqs_claim(!ret || ret == -EDEADLK, "LOCK_PI: got it, or EDEADLK");
	if (!ret)
		unlock(2);
	unlock(1);
}

static void lock_first_and_leave_second(void)
{
	lock_first();
	unlock(2);
}

const struct rqs_scenario rqs_walk_around = {
    .name = "walk_around",
    .about = "a third one waits where two are about to close a circle",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_first, .prio = RQPI_PRIO_RT(30)},
	       {.fn = lock_second_and_leave_both, .prio = RQPI_PRIO_RT(20)},
	       {.fn = lock_first_and_leave_second, .prio = RQPI_PRIO_RT(10)}},
    .setup = second_and_third_own,
    .end = all_are_free,
};

static void lock_second_then_leave_both(void)
{
	rqs_ok(lock(2));
	unlock(2);
	unlock(1);
}

const struct rqs_scenario rqs_walk_of_the_lazy = {
    .name = "walk_of_the_lazy",
    .about = "the last in a chain is less urgent than those before: it looks for circles only",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_first, .prio = RQPI_PRIO_RT(5)},
	       {.fn = lock_second_then_leave_both, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_second, .prio = RQPI_PRIO_RT(10)}},
    .setup = second_and_third_own,
    .end = all_are_free,
};

static bool fourth_rests(void)
{
	return rqs_rests(3);
}

/* Gives way, and waits for something else, where somebody waits already. */
static void give_way_and_go_elsewhere(void)
{
	long ret;

	rqs_when(fourth_rests);
	ret = lock_in_time(2);

	rqs_claim(!ret || ret == -ETIMEDOUT || ret == -EDEADLK, "got it, ETIMEDOUT or EDEADLK");
	if (!ret)
		unlock(2);
	P->go = 1;
	rqs_ok(lock(3));
	unlock(3);
	unlock(1);
}

static void lock_third(void)
{
	rqs_ok(lock(3));
	unlock(3);
}

static void lock_first_then(void)
{
	rqs_when(fourth_rests);
	lock_first();
}

static bool others_rest(void)
{
	return P->go && two_rest() && rqs_rests(3);
}

static void unlock_second_and_third(void)
{
	rqs_when(others_rest);
	unlock(2);
	unlock(3);
}

static void third_owns_two(void)
{
	own(1, 1);
	own(2, 2);
	own(2, 3);
}

const struct rqs_scenario rqs_walk_led_astray = {
    .name = "walk_led_astray",
    .about = "while a boost is on its way the owner gives up one lock and waits for another",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = lock_first_then, .prio = RQPI_PRIO_RT(30)},
	       {.fn = give_way_and_go_elsewhere, .prio = RQPI_PRIO_RT(20)},
	       {.fn = unlock_second_and_third, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_third, .prio = RQPI_PRIO_RT(15)}},
    .setup = third_owns_two,
    .end = all_are_free,
};

/* ---------------------------------------------------------------- chains of three, in order */

/* The first owns 0 and 1 and waits for 2, which the last one owns. */
static void wait_in_the_middle(void)
{
	rqs_ok(lock(2));
	unlock(2);
	unlock(1);
	unlock(0);
}

static void lock_zero_behind(void)
{
	rqs_when(first_rests);
	rqs_ok(lock(0));
	unlock(0);
}

static void lock_one_behind(void)
{
	rqs_when(two_rest);
	rqs_ok(lock(1));
	unlock(1);
}

static void unlock_behind(void)
{
	rqs_when(three_rest);
	unlock(2);
}

static void middle_owns_two(void)
{
	own(0, 0);
	own(0, 1);
	own(3, 2);
}

const struct rqs_scenario rqs_walk_below_another = {
    .name = "walk_below_another",
    .about = "two wait for two locks of one who waits: the less urgent changes nothing beyond it",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_in_the_middle, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_zero_behind, .prio = RQPI_PRIO_RT(40)},
	       {.fn = lock_one_behind, .prio = RQPI_PRIO_RT(30)},
	       {.fn = unlock_behind, .prio = RQPI_PRIO_RT(5)}},
    .setup = middle_owns_two,
    .end = all_are_free,
};

/* The walk for the third one ends at the first, which has a more urgent one behind it already. */
static void raise_and_unlock_behind(void)
{
	rqs_when(three_rest);
	rqs_set_prio(2, RQPI_PRIO_RT(35));
	rqs_claim(rqs_world->tasks[0].prio == RQPI_PRIO_RT(40), "nothing changes beyond");
	unlock(2);
}

const struct rqs_scenario rqs_raised_below_another = {
    .name = "raised_below_another",
    .about = "as walk_below_another, and the less urgent one's priority changes while it waits",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_in_the_middle, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_zero_behind, .prio = RQPI_PRIO_RT(40)},
	       {.fn = lock_one_behind, .prio = RQPI_PRIO_RT(30)},
	       {.fn = raise_and_unlock_behind, .prio = RQPI_PRIO_RT(5)}},
    .setup = middle_owns_two,
    .end = all_are_free,
};

/* Two behind one another in one queue, and their owner in another. */
static void lock_zero_last(void)
{
	rqs_when(two_rest);
	rqs_ok(lock(0));
	unlock(0);
}

static void change_all_and_unlock(void)
{
	rqs_when(three_rest);
	rqs_set_prio(2, RQPI_PRIO_RT(32)); /* below the top: nobody inherits that */
	rqs_claim(rqs_world->tasks[0].prio == RQPI_PRIO_RT(40), "the owner runs as its top waiter");
	rqs_set_prio(2, RQPI_PRIO_RT(45));
	rqs_claim(rqs_world->tasks[0].prio == RQPI_PRIO_RT(45), "which is another one now");
	rqs_claim(rqs_world->tasks[3].prio == RQPI_PRIO_RT(45), "and so on along the chain");
	rqs_set_prio(2, RQPI_PRIO_RT(20));
	rqs_claim(rqs_world->tasks[3].prio == RQPI_PRIO_RT(40), "and back again");
	unlock(2);
}

const struct rqs_scenario rqs_raised_in_a_chain = {
    .name = "raised_in_a_chain",
    .about = "one of two waiters becomes more urgent, and less, below the top and beyond it",
    .bytes = sizeof(struct program),
    .words = edge_words,
    .actors = {{.fn = wait_in_the_middle, .prio = RQPI_PRIO_RT(10)},
	       {.fn = lock_zero_behind, .prio = RQPI_PRIO_RT(40)},
	       {.fn = lock_zero_last, .prio = RQPI_PRIO_RT(30)},
	       {.fn = change_all_and_unlock, .prio = RQPI_PRIO_RT(5)}},
    .setup = middle_owns_two,
    .end = all_are_free,
};
