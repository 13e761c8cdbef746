/* SPDX-License-Identifier: MIT */
/*
 * t_handover.c - what happens between a hand-over and the moment when the new owner runs (semantics
 * 12): actors that are held are those who have been woken, and have not run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/cast.h"

#include <limits.h>

static struct actor d, z;
static uint32_t m, m2, cond;
static struct rqpi_timespec soon;

static int setup(void **state)
{
	(void)state;
	m = m2 = cond = 0;
	soon = at_ns(100);
	open_stage(1);
	stage_actor(&stage, &d, NICE(0));
	stage_actor(&stage, &z, NICE(0));
	return 0;
}

static long timed_wait_requeue_pi(struct actor *it)
{
	return call(it, RQPI_FUTEX_WAIT_REQUEUE_PI | P, &cond, 0, &soon, &m, 0);
}

static long timed_lock(struct actor *it)
{
	return call(it, RQPI_FUTEX_LOCK_PI2 | P, &m, 0, &soon, NULL, 0);
}

/* @first has been woken to take m, and is held. */
static void designate(struct actor *first)
{
	if (!first->todo) {
		assert_int_equal(lock_pi(&o, &m), 0);
		assert_int_equal(lock_pi(first, &m), BLOCKED);
	}
	hold(first);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(m, W | tid(first));
}

/* -------------------------------------- taking it away [12.1, 12.12, 12.13] */

static void who_may_take_a_lock_that_was_handed_over(void **state)
{
	static const struct {
		int first, thief;
		bool takes;
	} rows[] = {
	    {RT(10), RT(11), true},
	    {RT(10), RT(10), false},
	    {RT(10), RT(9), false},
	    {NICE(0), RT(1), true},
	    {NICE(19), NICE(-20), false},
	    {RT(99), RQPI_PRIO_DEADLINE, true},
	    {RQPI_PRIO_DEADLINE, RT(99), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int try = 0; try < 2; try++) {
			set_prio(&a, rows[i].first);
			set_prio(&c, rows[i].thief);
			designate(&a);
			if (try)
				assert_int_equal(trylock_pi(&c, &m),
						 rows[i].takes ? 0 : -RQPI_EAGAIN);
			else
				assert_int_equal(lock_pi(&c, &m), rows[i].takes ? 0 : BLOCKED);
			assert_int_equal(m, W | (rows[i].takes ? tid(&c) : tid(&a)));
			let_go(&a);
			assert_int_equal(result(&a), rows[i].takes ? BLOCKED : 0);
			if (rows[i].takes)
				assert_int_equal(unlock_pi(&c, &m), 0);
			assert_int_equal(result(&a), 0);
			assert_int_equal(unlock_pi(&a, &m), 0);
			if (!rows[i].takes && !try)
				assert_int_equal(unlock_pi(&c, &m), 0);
			assert_int_equal(m, 0);
		}
	}
}

/* [12.1]: at its old position. */
static void robbed_waiter_keeps_its_place(void **state)
{
	(void)state;
	set_prio(&b, RT(10));
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	designate(&a);
	assert_int_equal(trylock_pi(&c, &m), 0);
	let_go(&a);
	assert_int_equal(unlock_pi(&c, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
}

static void blocked_waiter_is_raised_above_the_designated_one(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&d, &m), BLOCKED);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	designate(&a);
	set_prio(&d, RT(50));
	assert_int_equal(result(&d), 0);
	assert_int_equal(m, W | tid(&d));
	let_go(&a);
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(unlock_pi(&d, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

static void designated_waiter_is_lowered_below_another(void **state)
{
	static const int levels[] = {RT(5), NICE(0)};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		set_prio(&a, RT(10));
		set_prio(&b, RT(8));
		assert_int_equal(lock_pi(&o, &m), 0);
		assert_int_equal(lock_pi(&b, &m), BLOCKED);
		assert_int_equal(lock_pi(&a, &m), BLOCKED);
		designate(&a);
		set_prio(&a, levels[i]);
		assert_int_equal(result(&b), 0);
		assert_int_equal(m, W | tid(&b));
		let_go(&a);
		assert_int_equal(result(&a), BLOCKED);
		assert_int_equal(unlock_pi(&b, &m), 0);
		assert_int_equal(unlock_pi(&a, &m), 0);
	}
}

/* ------------------------------------------- too late [12.2 to 12.8, 12.16] */

static void deadline_passed_before_the_hand_over(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(timed_lock(&a), BLOCKED);
	assert_int_equal(lock_pi(&d, &m), BLOCKED); /* [12.16] */
	hold(&a);
	coop_advance(&stage.coop, 200);
	assert_int_equal(unlock_pi(&o, &m), 0);
	let_go(&a);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(result(&d), 0);
	assert_int_equal(unlock_pi(&d, &m), 0);
}

static void deadline_passed_and_robbed(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(timed_lock(&a), BLOCKED);
	hold(&a);
	coop_advance(&stage.coop, 200);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&c, &m), 0);
	assert_int_equal(m, W | tid(&c));
	let_go(&a);
	assert_int_equal(result(&a), -RQPI_ETIMEDOUT);
	assert_int_equal(m, W | tid(&c));
	assert_int_equal(unlock_pi(&c, &m), 0);
	assert_int_equal(m, 0);
}

static void signal_came_before_the_hand_over(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	hold(&a);
	signal_arrives(&a);
	assert_int_equal(unlock_pi(&o, &m), 0);
	let_go(&a);
	assert_int_equal(result(&a), 0);
	assert_int_equal(a.signals, 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

static void waiter_is_late_when_it_is_requeued(void **state)
{
	static const struct {
		bool free;   /* the mutex */
		bool signal; /* else its time is up */
		long result;
	} rows[] = {
	    {true, false, 0},
	    {false, false, -RQPI_ETIMEDOUT},
	    {true, true, 0},
	    {false, true, -RQPI_EAGAIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		soon = at_ns(stage.coop.now + 100);
		if (!rows[i].free)
			assert_int_equal(lock_pi(&o, &m), 0);
		assert_int_equal(timed_wait_requeue_pi(&a), BLOCKED);
		hold(&a);
		if (rows[i].signal)
			signal_arrives(&a);
		else
			coop_advance(&stage.coop, 200);
		assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, 0), 1);
		let_go(&a);
		assert_int_equal(result(&a), rows[i].result);
		assert_int_equal(eff(&o), RT(1));
		assert_int_equal(unlock_pi(rows[i].free ? &a : &o, &m), 0);
		assert_int_equal(m, 0);
		a.t.interrupted = 0;
	}
}

/* [12.14, 12.15] */
static void requeue_to_a_lock_that_was_handed_over(void **state)
{
	(void)state;
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	designate(&a);
	hold(&b);
	assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, 0), 1);
	let_go(&b);
	assert_int_equal(result(&b), 0);
	assert_int_equal(m, W | tid(&b));
	let_go(&a);
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(eff(&b), RT(20));
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);

	set_prio(&b, RT(10));
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	designate(&a);
	assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, 0), 1);
	assert_int_equal(result(&b), BLOCKED);
	assert_int_equal(m, W | tid(&a));
	let_go(&a);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
}

/* The word is put right by whoever comes first: the one that took it, or the one that it names. */
static void taken_on_behalf_of_one_that_has_not_run(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
		designate(&a);
		hold(&b);
		assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, 0), 1);
		let_go(order ? &a : &b);
		let_go(order ? &b : &a);
		assert_int_equal(result(&b), 0);
		assert_int_equal(result(&a), BLOCKED);
		assert_int_equal(m, W | tid(&b));
		assert_int_equal(unlock_pi(&b, &m), 0);
		assert_int_equal(unlock_pi(&a, &m), 0);
	}
}

/* The mutex was granted to one that has not run; then another one waits for it. */
static void granted_and_not_run_while_another_locks(void **state)
{
	(void)state;
	for (int nr = 0; nr < 2; nr++) {
		for (int order = 0; order < 2; order++) {
			assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
			hold(&a);
			assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, nr), 1);
			assert_int_equal(m, (nr ? W : 0) | tid(&a));
			assert_int_equal(lock_pi(&b, &m), BLOCKED);
			if (order)
				let_go(&a);
			assert_int_equal(eff(&a), RT(20));
			assert_int_equal(lock_pi(&c, &m), BLOCKED);
			let_go(&a);
			assert_int_equal(result(&a), 0);
			assert_int_equal(eff(&a), RT(30));
			assert_int_equal(unlock_pi(&a, &m), 0);
			assert_int_equal(unlock_pi(&c, &m), 0);
			assert_int_equal(unlock_pi(&b, &m), 0);
			assert_int_equal(m, 0);
		}
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(who_may_take_a_lock_that_was_handed_over),
	    T(robbed_waiter_keeps_its_place),
	    T(blocked_waiter_is_raised_above_the_designated_one),
	    T(designated_waiter_is_lowered_below_another),
	    T(deadline_passed_before_the_hand_over),
	    T(deadline_passed_and_robbed),
	    T(signal_came_before_the_hand_over),
	    T(waiter_is_late_when_it_is_requeued),
	    T(requeue_to_a_lock_that_was_handed_over),
	    T(taken_on_behalf_of_one_that_has_not_run),
	    T(granted_and_not_run_while_another_locks),
	};

	return stage_main("engine: handed over, and not run", tests);
}
