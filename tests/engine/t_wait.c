/* SPDX-License-Identifier: MIT */
/*
 * t_wait.c - the futex without priority inheritance: WAIT, WAKE, their bitset forms
 * (semantics 2, 4.1, 4.2, 5, 6.1, 6.2); and those who wait while they are requeued.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/cast.h"

#include <limits.h>

#define ANY 0xffffffffu

static struct actor d, z;
static uint32_t u, u2, m, cond;

static int setup(void **state)
{
	(void)state;
	u = u2 = m = cond = 0;
	open_stage(1);
	stage_actor(&stage, &d, NICE(0));
	stage_actor(&stage, &z, NICE(-20));
	return 0;
}

static long wait_bits(struct actor *it, uint32_t *word, uint32_t bits, const void *deadline)
{
	return call(it, RQPI_FUTEX_WAIT_BITSET | P, word, 0, deadline, NULL, bits);
}

static long wake_bits(struct actor *it, uint32_t *word, int nr, uint32_t bits)
{
	return call(it, RQPI_FUTEX_WAKE_BITSET | P, word, (uint32_t)nr, NULL, NULL, bits);
}

static long cmp_requeue(struct actor *it, uint32_t *from, int nr_wake, int nr, uint32_t *to,
			uint32_t val)
{
	return call(it, RQPI_FUTEX_CMP_REQUEUE | P, from, (uint32_t)nr_wake,
		    (const void *)(intptr_t)nr, to, val);
}

/* All of them wait on u, in this order. */
static void all_wait(void)
{
	struct actor *who[] = {&d, &a, &z, &c, &b};

	for (size_t i = 0; i < 5; i++)
		assert_int_equal(wait_on(who[i], &u, 0), BLOCKED);
}

static void woken_in_this_order(struct actor **who, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(result(who[i]), BLOCKED);
		assert_int_equal(wake(&o, &u, 1), 1);
		assert_int_equal(result(who[i]), 0);
	}
	assert_int_equal(wake(&o, &u, 1), 0);
}

/* ---------------------------------------------------------------- order and number */

/* [5.1]: real-time tasks by priority, all others as they came. */
static void the_most_urgent_is_woken_first(void **state)
{
	struct actor *order[] = {&c, &b, &a, &d, &z};

	(void)state;
	all_wait();
	woken_in_this_order(order, 5);
}

/* [5.2]: what counts is the own priority when the wait began. */
static void later_changes_and_boosts_do_not_move_a_waiter(void **state)
{
	struct actor *order[] = {&b, &a, &d};

	(void)state;
	assert_int_equal(lock_pi(&d, &m), 0);
	assert_int_equal(lock_pi(&c, &m), BLOCKED);
	assert_int_equal(eff(&d), RT(30));
	assert_int_equal(wait_on(&d, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&b, &u, 0), BLOCKED);
	set_prio(&a, RT(50));
	woken_in_this_order(order, 3);
	assert_int_equal(unlock_pi(&d, &m), 0);
	assert_int_equal(unlock_pi(&c, &m), 0);
}

/* [5.3] */
static void requeued_waiters_queue_anew_with_the_old_key(void **state)
{
	struct actor *order[] = {&a, &b, &z, &d};

	(void)state;
	set_prio(&a, RT(20));
	assert_int_equal(wait_on(&b, &u2, 0), BLOCKED);
	assert_int_equal(wait_on(&d, &u2, 0), BLOCKED);
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&z, &u, 0), BLOCKED);
	set_prio(&b, RT(50));
	assert_int_equal(requeue(&o, &u2, 0, INT_MAX, &u), 2);
	woken_in_this_order(order, 4);
}

/* [6.2.2, 6.2.3] */
static void how_many_are_woken(void **state)
{
	static const int rows[][2] = {{0, 1}, {-1, 1}, {INT_MIN, 1}, {1, 1},
				      {2, 2}, {3, 3},  {4, 3},	     {INT_MAX, 3}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
		assert_int_equal(wait_on(&b, &u, 0), BLOCKED);
		assert_int_equal(wait_on(&c, &u, 0), BLOCKED);
		assert_int_equal(wake(&o, &u, rows[i][0]), rows[i][1]);
		assert_int_equal(result(&c), 0);
		assert_int_equal(result(&b), rows[i][1] >= 2 ? 0 : BLOCKED);
		assert_int_equal(result(&a), rows[i][1] == 3 ? 0 : BLOCKED);
		assert_int_equal(wake(&o, &u, INT_MAX), 3 - rows[i][1]);
	}
	assert_int_equal(wake(&o, &u, 1), 0);
}

/* [6.2.1, 5.3] */
static void bitsets_choose_who_is_woken(void **state)
{
	(void)state;
	assert_int_equal(wait_bits(&a, &u, 0, NULL), -RQPI_EINVAL);
	assert_int_equal(wake_bits(&a, &u, 1, 0), -RQPI_EINVAL);
	assert_int_equal(wake_bits(&a, NULL, 1, 0), -RQPI_EINVAL);
	assert_int_equal(wait_bits(&c, &u, 1, NULL), BLOCKED);
	assert_int_equal(wait_bits(&b, &u, 2, NULL), BLOCKED);
	assert_int_equal(wait_bits(&a, &u, 6, NULL), BLOCKED);
	assert_int_equal(wake_bits(&o, &u, 1, 8), 0);
	assert_int_equal(wake_bits(&o, &u, 1, 4), 1);
	assert_int_equal(result(&a), 0);
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED); /* all bits */
	assert_int_equal(requeue(&o, &u, 0, 2, &u2), 2);
	assert_int_equal(wake_bits(&o, &u2, INT_MAX, 2), 1);
	assert_int_equal(result(&b), 0);
	assert_int_equal(wake(&o, &u2, 1), 1);
	assert_int_equal(result(&c), 0);
	assert_int_equal(wake_bits(&o, &u, 1, 0x80000000u), 1);
	assert_int_equal(result(&a), 0);
}

/* [6.1] */
static void value_is_compared_before_sleeping(void **state)
{
	(void)state;
	u = 7;
	assert_int_equal(wait_on(&a, &u, 8), -RQPI_EAGAIN);
	assert_int_equal(wait_on(&a, &u, 7), BLOCKED);
	u = 8; /* no matter now */
	assert_int_equal(wake(&o, &u, 1), 1);
	assert_int_equal(result(&a), 0);
	fault(&stage, &u, -1, 1);
	assert_int_equal(wait_on(&a, &u, 8), -RQPI_EFAULT);
	assert_int_equal(wake(&o, &u, 1), 0); /* [1.8]: not looked at */
	assert_int_equal(call(&o, RQPI_FUTEX_WAKE, &u, 1, NULL, NULL, 0), -RQPI_EFAULT);
	fault(&stage, &u, 4, 1);
	assert_int_equal(wait_on(&a, &u, 8), BLOCKED);
	assert_int_equal(wake(&o, &u, 1), 1);
}

/* A waiter is seen by a waker at each of the steps of its wait, or finds the new value. */
static void change_and_wake(struct stage *s)
{
	u = 1;
	post(&o, RQPI_FUTEX_WAKE | P, &u, 1, NULL, NULL, 0);
	let_run(s, &o);
}

static void no_wake_up_is_lost(void **state)
{
	bool more = true;

	for (int n = 1; more; n++) {
		post(&d, RQPI_FUTEX_WAIT | P, &u, 0, NULL, NULL, 0);
		interrupt_at(&stage, &d, n, change_and_wake);
		coop_run(&stage.coop);
		more = interrupted(&stage);
		if (!more)
			change_and_wake(&stage);
		coop_run(&stage.coop);
		assert_true(result(&d) == 0 || result(&d) == -RQPI_EAGAIN);
		assert_int_equal(result(&o), result(&d) == 0 ? 1 : 0);
		teardown(state);
		setup(state);
	}
}

/* ---------------------------------------------------------------- time and signals */

static void a_wait_ends_at_its_deadline_and_no_earlier(void **state)
{
	struct rqpi_timespec relative = at_ns(100);
	struct rqpi_timespec absolute = at_ns(1150);

	(void)state;
	coop_advance(&stage.coop, 1000);
	assert_int_equal(call(&a, RQPI_FUTEX_WAIT | P, &u, 0, &relative, NULL, 0), BLOCKED);
	assert_int_equal(wait_bits(&b, &u, ANY, &absolute), BLOCKED);
	assert_int_equal(call(&c, RQPI_FUTEX_WAIT_BITSET | P | RQPI_FUTEX_CLOCK_REALTIME, &u, 0,
			      &absolute, NULL, ANY),
			 BLOCKED);
	coop_advance(&stage.coop, 99);
	assert_int_equal(result(&a), BLOCKED);
	coop_advance(&stage.coop, 1);
	assert_int_equal(result(&a), -RQPI_ETIMEDOUT);
	coop_advance(&stage.coop, 49);
	assert_int_equal(result(&b), BLOCKED);
	coop_advance(&stage.coop, 1);
	assert_int_equal(result(&b), -RQPI_ETIMEDOUT);
	assert_int_equal(result(&c), -RQPI_ETIMEDOUT);
	assert_int_equal(wake(&o, &u, 3), 0);
	/* [3.3]: what does not sleep has no deadline to miss. */
	assert_int_equal(call(&a, RQPI_FUTEX_WAIT_BITSET | P, &u, 5, &relative, NULL, ANY),
			 -RQPI_EAGAIN);
	assert_int_equal(wait_bits(&a, &u, ANY, &relative), -RQPI_ETIMEDOUT);
}

/* [12.9, 12.10, 6.2.5] */
static void woken_or_requeued_after_the_deadline_and_before_it_ran(void **state)
{
	struct rqpi_timespec relative = at_ns(100);

	(void)state;
	for (int moved = 0; moved < 2; moved++) {
		assert_int_equal(call(&a, RQPI_FUTEX_WAIT | P, &u, 0, &relative, NULL, 0), BLOCKED);
		hold(&a);
		coop_advance(&stage.coop, 200);
		if (moved)
			assert_int_equal(cmp_requeue(&o, &u, 0, 1, &u2, 0), 1);
		else
			assert_int_equal(wake(&o, &u, 1), 1);
		let_go(&a);
		assert_int_equal(result(&a), moved ? -RQPI_ETIMEDOUT : 0);
		assert_int_equal(wake(&o, &u2, 1), 0);
	}
}

/* [4.1, 4.2, 4.7, 6.3.7] */
static void a_signal_ends_or_restarts_a_wait(void **state)
{
	struct rqpi_timespec relative = at_ns(100);

	(void)state;
	for (int restart = 0; restart < 2; restart++) {
		a.sa_restart = b.sa_restart = restart;
		a.signals = 0;
		assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
		assert_int_equal(call(&b, RQPI_FUTEX_WAIT | P, &u, 0, &relative, NULL, 0), BLOCKED);
		coop_interrupt(&a.t);
		coop_interrupt(&b.t);
		assert_int_equal(result(&a), restart ? BLOCKED : -RQPI_EINTR);
		assert_int_equal(result(&b), -RQPI_EINTR);
		assert_int_equal(a.signals, 1);
		assert_int_equal(wake(&o, &u, 9), restart);
	}
	/* It had been requeued: back to where it began, or the value has changed. */
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
	assert_int_equal(requeue(&o, &u, 0, 1, &u2), 1);
	coop_interrupt(&a.t);
	assert_int_equal(wake(&o, &u2, 1), 0);
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(requeue(&o, &u, 0, 1, &u2), 1);
	u = 1;
	coop_interrupt(&a.t);
	assert_int_equal(result(&a), -RQPI_EAGAIN);
	/* Woken first. */
	u = 0;
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
	hold(&a);
	signal_arrives(&a);
	assert_int_equal(wake(&o, &u, 1), 1);
	let_go(&a);
	assert_int_equal(result(&a), 0);
}

/* ---------------------------------------------------------------- keys [2.2] */

static void private_and_shared_do_not_meet(void **state)
{
	(void)state;
	for (int p = 0; p <= P; p += P) {
		int q = P - p;

		assert_int_equal(call(&a, RQPI_FUTEX_WAIT | p, &u, 0, NULL, NULL, 0), BLOCKED);
		assert_int_equal(call(&o, RQPI_FUTEX_WAKE | q, &u, 1, NULL, NULL, 0), 0);
		assert_int_equal(call(&o, RQPI_FUTEX_WAKE | p, &u, 1, NULL, NULL, 0), 1);
		assert_int_equal(call(&a, RQPI_FUTEX_WAIT_REQUEUE_PI | p, &cond, 0, NULL, &m, 0),
				 BLOCKED);
		assert_int_equal(
		    call(&o, RQPI_FUTEX_CMP_REQUEUE_PI | q, &cond, 1, (void *)1, &m, 0), 0);
		assert_int_equal(
		    call(&o, RQPI_FUTEX_CMP_REQUEUE_PI | p, &cond, 1, (void *)1, &m, 0), 1);
		assert_int_equal(call(&a, RQPI_FUTEX_UNLOCK_PI | p, &m, 0, NULL, NULL, 0), 0);
	}
}

static void address_spaces_do_not_meet_but_in_shared_memory(void **state)
{
	static struct actor far;

	(void)state;
	stage_actor_in(&stage, &far, RT(5), 2);
	assert_int_equal(wait_on(&far, &u, 0), BLOCKED);
	assert_int_equal(wake(&o, &u, 1), 0);
	coop_interrupt(&far.t);
	assert_int_equal(result(&far), -RQPI_EINTR);
	assert_int_equal(call(&far, RQPI_FUTEX_WAIT, &u, 0, NULL, NULL, 0), BLOCKED);
	assert_int_equal(call(&o, RQPI_FUTEX_WAKE, &u, 1, NULL, NULL, 0), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(the_most_urgent_is_woken_first),
	    T(later_changes_and_boosts_do_not_move_a_waiter),
	    T(requeued_waiters_queue_anew_with_the_old_key),
	    T(how_many_are_woken),
	    T(bitsets_choose_who_is_woken),
	    T(value_is_compared_before_sleeping),
	    T(no_wake_up_is_lost),
	    T(a_wait_ends_at_its_deadline_and_no_earlier),
	    T(woken_or_requeued_after_the_deadline_and_before_it_ran),
	    T(a_signal_ends_or_restarts_a_wait),
	    T(private_and_shared_do_not_meet),
	    T(address_spaces_do_not_meet_but_in_shared_memory),
	};

	return stage_main("engine: wait, wake, requeue", tests);
}
