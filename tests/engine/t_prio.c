/* SPDX-License-Identifier: MIT */
/*
 * t_prio.c - who runs with which priority after each step, and who is served first (semantics 5.4
 * to 5.7, 11, 15): chains of every length, priorities that change, deadlocks that are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/stage.h"

#include <stdlib.h>

#define RT(n)	RQPI_PRIO_RT(n)
#define NICE(n) RQPI_PRIO_NICE(n)

static struct stage stage;
static struct actor o, a, b, c, d, z;
static uint32_t m, m2, m3, cond;
static struct rqpi_timespec soon;

static int setup(void **state)
{
	(void)state;
	m = m2 = m3 = cond = 0;
	soon = at_ns(100);
	stage_open(&stage, 1);
	stage_actor(&stage, &o, NICE(0));
	stage_actor(&stage, &a, RT(10));
	stage_actor(&stage, &b, RT(20));
	stage_actor(&stage, &c, RT(30));
	stage_actor(&stage, &d, NICE(0));
	stage_actor(&stage, &z, RT(1));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_close(&stage);
	return 0;
}

/* ---------------------------------------------------------------- boosts come and go */

static long timed_lock(struct actor *it, uint32_t *word)
{
	return call(it, RQPI_FUTEX_LOCK_PI2 | P, word, 0, &soon, NULL, 0);
}

/* [15.1, 15.2, 15.4, bugs 3.12] */
static void only_the_top_waiter_lends_its_priority(void **state)
{
	struct rqpi_timespec later = at_ns(200);

	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(timed_lock(&b, &m), BLOCKED);
	assert_int_equal(eff(&o), RT(20));
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(eff(&o), RT(20));
	assert_int_equal(call(&c, RQPI_FUTEX_LOCK_PI2 | P, &m, 0, &later, NULL, 0), BLOCKED);
	assert_int_equal(eff(&o), RT(30));
	coop_advance(&stage.coop, 100); /* b, which is not on top, gives up */
	assert_int_equal(result(&b), -RQPI_ETIMEDOUT);
	assert_int_equal(eff(&o), RT(30));
	coop_advance(&stage.coop, 100);
	assert_int_equal(result(&c), -RQPI_ETIMEDOUT);
	assert_int_equal(eff(&o), RT(10));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(eff(&o), NICE(0));
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/* [15.10, bugs 3.8] */
static void owner_of_several_locks_has_the_best_of_all(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&o, &m2), 0);
	assert_int_equal(lock_pi(&o, &m3), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m2), BLOCKED);
	assert_int_equal(lock_pi(&c, &m3), BLOCKED);
	assert_int_equal(eff(&o), RT(30));
	assert_int_equal(unlock_pi(&o, &m3), 0);
	assert_int_equal(eff(&o), RT(20));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(eff(&o), RT(20));
	assert_int_equal(unlock_pi(&o, &m2), 0);
	assert_int_equal(eff(&o), NICE(0));
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(unlock_pi(&b, &m2), 0);
	assert_int_equal(unlock_pi(&c, &m3), 0);
}

/* [15.8, 15.9, 15.7, bugs 3.6] */
static void designated_owner_is_boosted_once_it_runs(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	hold(&b);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(eff(&o), NICE(0));
	set_prio(&a, RT(15));
	assert_int_equal(eff(&b), RT(20));
	set_prio(&b, RT(15)); /* behind a now: equals keep their order, who changes goes last */
	let_go(&b);
	assert_int_equal(result(&a), 0);
	set_prio(&b, RT(40));
	assert_int_equal(eff(&a), RT(40));
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
}

/* [15.6, bugs 3.9] */
static void own_priority_of_a_boosted_owner(void **state)
{
	(void)state;
	set_prio(&c, RT(40));
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&c, &m), BLOCKED);
	set_prio(&o, RT(10));
	assert_int_equal(eff(&o), RT(40));
	set_prio(&o, RT(60));
	assert_int_equal(eff(&o), RT(60));
	set_prio(&o, RT(10));
	assert_int_equal(eff(&o), RT(40));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(eff(&o), RT(10));
	assert_int_equal(unlock_pi(&c, &m), 0);
}

/* [15.5, bugs 3.10]: a and b wait for o's lock, o for z's. */
static void priority_of_a_blocked_waiter_goes_up_and_down_the_chain(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&z, &m2), 0);
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&o, &m2), BLOCKED);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(eff(&z), RT(20));
	set_prio(&a, RT(30));
	assert_int_equal(eff(&z), RT(30));
	set_prio(&a, RT(5));
	assert_int_equal(eff(&z), RT(20));
	set_prio(&b, NICE(0));
	assert_int_equal(eff(&o), RT(5));
	assert_int_equal(eff(&z), RT(5));
	set_prio(&a, NICE(0));
	assert_int_equal(eff(&z), RT(1));
	assert_int_equal(unlock_pi(&z, &m2), 0);
	assert_int_equal(unlock_pi(&o, &m2), 0);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&b), 0); /* a fell below b's level and then to it: behind it */
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/* [15.11] */
static void inherited_priority_moves_a_waiter_ahead(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&z, &m), 0);
	assert_int_equal(lock_pi(&a, &m2), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(lock_pi(&c, &m2), BLOCKED);
	assert_int_equal(eff(&a), RT(30));
	assert_int_equal(eff(&z), RT(30));
	assert_int_equal(unlock_pi(&z, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&a, &m2), 0);
	assert_int_equal(eff(&a), RT(10));
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(unlock_pi(&c, &m2), 0);
}

/* [5.5] */
static void order_among_equals(void **state)
{
	(void)state;
	set_prio(&a, RT(10));
	set_prio(&b, RT(10));
	set_prio(&c, RT(10));
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(lock_pi(&c, &m), BLOCKED);
	set_prio(&a, RT(10)); /* keeps its place */
	set_prio(&b, RT(5));
	set_prio(&b, RT(10)); /* has lost it */
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(result(&c), 0);
	assert_int_equal(unlock_pi(&c, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
}

/* [15.12, 5.6] */
static void nice_orders_nothing_but_the_first_waiter_lends_it(void **state)
{
	(void)state;
	set_prio(&o, NICE(19));
	set_prio(&a, NICE(5));
	set_prio(&b, NICE(-20));
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(eff(&o), NICE(5));
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(eff(&o), NICE(5));
	set_prio(&a, NICE(-10)); /* renice of a blocked waiter: nobody hears of it */
	assert_int_equal(eff(&o), NICE(5));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(eff(&o), NICE(19));
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(eff(&a), NICE(-10));
	assert_int_equal(unlock_pi(&b, &m), 0);
}

static void set_deadline(struct actor *it, uint64_t deadline)
{
	struct rqpi_prio prio = {.prio = RQPI_PRIO_DEADLINE, .deadline = deadline};

	rqpi_task_set_prio(it->t.task, &prio);
}

/* [15.13, 5.4] */
static void deadline_tasks_come_first_the_earliest_of_all(void **state)
{
	struct rqpi_prio prio;

	(void)state;
	set_prio(&c, RT(99));
	set_deadline(&a, 2000);
	set_deadline(&b, 1000);
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&c, &m), BLOCKED);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	rqpi_task_prio(o.t.task, NULL, &prio);
	assert_int_equal(prio.prio, RQPI_PRIO_DEADLINE);
	assert_int_equal(prio.deadline, 1000);
	set_deadline(&a, 500); /* a later instance of the same task */
	rqpi_task_prio(o.t.task, NULL, &prio);
	assert_int_equal(prio.deadline, 500);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(unlock_pi(&c, &m), 0);
}

/* [5.7]: moved by its old place, served by its new priority. */
static void requeue_goes_by_the_priority_of_then_the_lock_by_that_of_now(void **state)
{
	(void)state;
	set_prio(&a, RT(10));
	set_prio(&b, RT(10));
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	set_prio(&b, RT(33));
	assert_int_equal(eff(&o), NICE(0)); /* [15.3] */
	assert_int_equal(cmp_requeue_pi(&c, &cond, 0, &m, 0), 1);
	assert_int_equal(eff(&o), RT(10));
	assert_int_equal(cmp_requeue_pi(&c, &cond, 0, &m, 0), 1);
	assert_int_equal(eff(&o), RT(33));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/* [11.1 to 11.3] */
static void a_cycle_is_refused_to_whom_would_close_it(void **state)
{
	static const struct rqpi_timespec past = {0, 0};

	(void)state;
	assert_int_equal(lock_pi(&d, &m), 0);
	assert_int_equal(lock_pi(&b, &m2), 0);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(lock_pi(&d, &m2), -RQPI_EDEADLK);
	assert_int_equal(m2, W | tid(&b));
	assert_int_equal(call(&d, RQPI_FUTEX_LOCK_PI | P, &m2, 0, &past, NULL, 0), -RQPI_EDEADLK);
	assert_int_equal(trylock_pi(&d, &m2), -RQPI_EAGAIN); /* [11.5] */
	assert_int_equal(result(&b), BLOCKED);
	assert_int_equal(eff(&d), RT(20));
	assert_int_equal(eff(&b), RT(20));
	assert_int_equal(unlock_pi(&d, &m), 0);
	assert_int_equal(eff(&d), NICE(0));
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(unlock_pi(&b, &m2), 0);
}

/* ---------------------------------------------------------------- long chains [11.4, bugs 3.3] */

#define LONGEST 1025

/* Actor i owns word i; each but the first is blocked on the word of the one before. */
static struct actor *links;
static uint32_t link_words[LONGEST];

static void open_chain(int blocked)
{
	links = calloc((size_t)blocked + 1, sizeof(*links));
	assert_non_null(links);
	stage_open(&stage, 64);
	stage.coop.stack_bytes = 32768;
	stage.quick = 1;
	for (int i = 0; i <= blocked; i++) {
		stage_actor(&stage, &links[i], NICE(0));
		link_words[i] = 0;
		assert_int_equal(lock_pi(&links[i], &link_words[i]), 0);
		if (i)
			assert_int_equal(lock_pi(&links[i], &link_words[i - 1]), BLOCKED);
	}
}

static void close_chain(int blocked)
{
	for (int i = 0; i <= blocked; i++) {
		assert_int_equal(unlock_pi(&links[i], &link_words[i]), 0);
		if (i < blocked)
			assert_int_equal(result(&links[i + 1]), 0);
		if (i)
			assert_int_equal(unlock_pi(&links[i], &link_words[i - 1]), 0);
		assert_int_equal(eff(&links[i]), NICE(0));
	}
	stage_close(&stage);
	free(links);
}

static void a_boost_reaches_all_of_a_chain_and_leaves_it(void **state)
{
	static const int lengths[] = {1, 2, 8, 64, 1024};

	(void)state;
	for (size_t n = 0; n < sizeof(lengths) / sizeof(lengths[0]); n++) {
		int blocked = lengths[n];

		open_chain(blocked);
		stage_actor(&stage, &a, RT(50));
		soon = at_ns(stage.coop.now + 100);
		assert_int_equal(timed_lock(&a, &link_words[blocked]), BLOCKED);
		for (int i = 0; i <= blocked; i++)
			assert_int_equal(eff(&links[i]), RT(50));
		/* This walk begins one task earlier, and so ends one earlier at full length. */
		set_prio(&a, RT(40));
		for (int i = blocked == 1024; i <= blocked; i++)
			assert_int_equal(eff(&links[i]), RT(40));
		coop_advance(&stage.coop, 100);
		assert_int_equal(result(&a), -RQPI_ETIMEDOUT);
		for (int i = 0; i <= blocked; i++)
			assert_int_equal(eff(&links[i]), NICE(0));
		close_chain(blocked);
	}
}

static void a_chain_that_is_too_long_is_refused_and_nobody_stays_boosted(void **state)
{
	(void)state;
	m2 = 0;
	open_chain(1024);
	stage_actor(&stage, &b, NICE(0));
	assert_int_equal(lock_pi(&b, &m2), 0);
	assert_int_equal(lock_pi(&b, &link_words[1024]), BLOCKED);
	stage_actor(&stage, &a, RT(50));
	assert_int_equal(lock_pi(&a, &m2), -RQPI_EDEADLK);
	assert_int_equal(eff(&b), NICE(0));
	for (int i = 0; i <= 1024; i++)
		assert_int_equal(eff(&links[i]), NICE(0));
	for (int i = 0; i <= 1024; i++) {
		assert_int_equal(unlock_pi(&links[i], &link_words[i]), 0);
		if (i)
			assert_int_equal(unlock_pi(&links[i], &link_words[i - 1]), 0);
	}
	assert_int_equal(unlock_pi(&b, &link_words[1024]), 0);
	assert_int_equal(unlock_pi(&b, &m2), 0);
	stage_close(&stage);
	free(links);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(only_the_top_waiter_lends_its_priority),
	    T(owner_of_several_locks_has_the_best_of_all),
	    T(designated_owner_is_boosted_once_it_runs),
	    T(own_priority_of_a_boosted_owner),
	    T(priority_of_a_blocked_waiter_goes_up_and_down_the_chain),
	    T(inherited_priority_moves_a_waiter_ahead),
	    T(order_among_equals),
	    T(nice_orders_nothing_but_the_first_waiter_lends_it),
	    T(deadline_tasks_come_first_the_earliest_of_all),
	    T(requeue_goes_by_the_priority_of_then_the_lock_by_that_of_now),
	    T(a_cycle_is_refused_to_whom_would_close_it),
	    cmocka_unit_test(a_boost_reaches_all_of_a_chain_and_leaves_it),
	    cmocka_unit_test(a_chain_that_is_too_long_is_refused_and_nobody_stays_boosted),
	};

	return stage_main("engine: priorities", tests);
}
