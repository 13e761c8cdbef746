/* SPDX-License-Identifier: MIT */
/*
 * t_requeue_pi.c - WAIT_REQUEUE_PI and CMP_REQUEUE_PI: how many are moved, in which order, and
 * what is refused (semantics 13). The acquiring is in t_pi_table.c, the hand-shake in
 * t_requeue_state.c.
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

/* -------------------------------------- how many, and in which order [13.5] */

static void how_many_are_moved(void **state)
{
	static const struct {
		bool free;
		int waiters, nr_requeue, result;
	} rows[] = {
	    {true, 4, 1, 2},	   {false, 3, 1, 2},	   {false, 3, 0, 1},	  {true, 3, 0, 1},
	    {true, 1, INT_MAX, 1}, {false, 4, INT_MAX, 4}, {true, 4, INT_MAX, 4}, {true, 0, 5, 0},
	};
	struct actor *who[] = {&z, &a, &b, &c};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].free)
			assert_int_equal(lock_pi(&o, &m), 0);
		for (int k = 0; k < rows[i].waiters; k++)
			assert_int_equal(wait_requeue_pi(who[k], &cond, 0, &m), BLOCKED);
		assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, rows[i].nr_requeue),
				 rows[i].result);
		for (int k = 0; k < rows[i].waiters; k++) /* only the most urgent one runs */
			assert_int_equal(result(who[k]),
					 rows[i].free && k == rows[i].waiters - 1 ? 0 : BLOCKED);
		if (!rows[i].free)
			assert_int_equal(unlock_pi(&o, &m), 0);
		for (int k = rows[i].waiters - 1; k >= rows[i].waiters - rows[i].result; k--) {
			assert_int_equal(result(who[k]), 0);
			assert_int_equal(unlock_pi(who[k], &m), 0);
		}
		assert_int_equal(m, 0);
		cond = 1;
		for (int k = 0; k < rows[i].waiters - rows[i].result; k++) {
			coop_interrupt(&who[k]->t);
			assert_int_equal(result(who[k]), -RQPI_EAGAIN);
		}
		teardown(state);
		setup(state);
	}
}

/* [13.5.4, 1.4 and 1.22 of bugs.md] */
static void a_later_waiter_is_not_for_us(void **state)
{
	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		assert_int_equal(wait_requeue_pi(&c, &cond, 0, &m), BLOCKED);
		assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
		if (plain)
			assert_int_equal(wait_on(&a, &cond, 0), BLOCKED);
		else
			assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m2), BLOCKED);
		assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, INT_MAX), -RQPI_EINVAL);
		assert_int_equal(result(&c), 0);
		assert_int_equal(m, W | tid(&c));
		assert_int_equal(eff(&c), RT(30));
		assert_int_equal(unlock_pi(&c, &m), 0);
		assert_int_equal(result(&b), 0);
		assert_int_equal(unlock_pi(&b, &m), 0);
		assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, 0), -RQPI_EINVAL); /* [13.3] */
		assert_int_equal(result(&a), BLOCKED);
		if (plain) {
			assert_int_equal(wake(&d, &cond, 1), 1);
		} else {
			assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m2, 0), 1);
			assert_int_equal(unlock_pi(&a, &m2), 0);
		}
	}
}

/* [13.5.5] */
static void a_later_waiter_would_close_a_cycle(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&b, &m2), 0);
	assert_int_equal(lock_pi(&o, &m2), BLOCKED);
	assert_int_equal(wait_requeue_pi(&c, &cond, 0, &m), BLOCKED);
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, INT_MAX), -RQPI_EDEADLK);
	assert_int_equal(eff(&o), RT(30));
	assert_int_equal(eff(&b), RT(30));
	cond = 1;
	coop_interrupt(&b.t); /* it is still on the first word */
	assert_int_equal(result(&b), -RQPI_EAGAIN);
	cond = 0;
	assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, INT_MAX), 1); /* a, which was behind it */
	assert_int_equal(unlock_pi(&b, &m2), 0);
	assert_int_equal(unlock_pi(&o, &m2), 0);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(unlock_pi(&c, &m), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/* -------------------------------------- refused [13.1, 13.2, bugs 1.2, 1.5] */

static void arguments_that_are_refused(void **state)
{
	static const struct {
		int nr_wake, nr_requeue;
	} rows[] = {{-1, 0}, {1, -1}, {INT_MIN, 1}, {1, INT_MIN}, {0, 1}, {2, 1}};

	(void)state;
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(call(&d, RQPI_FUTEX_CMP_REQUEUE_PI | P, &cond,
				      (uint32_t)rows[i].nr_wake,
				      (void *)(intptr_t)rows[i].nr_requeue, &m, 0),
				 -RQPI_EINVAL);
	assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &cond, 1), -RQPI_EINVAL);
	assert_int_equal(cmp_requeue_pi(&d, &cond, 7, &m, 1), -RQPI_EAGAIN);
	assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m2, 1), -RQPI_EINVAL);
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &cond), -RQPI_EINVAL);
	assert_int_equal(wait_requeue_pi(&b, &cond, 7, &m), -RQPI_EAGAIN);
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(m, 0);
	assert_int_equal(cmp_requeue_pi(&d, &cond, 0, &m, 1), 1);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(how_many_are_moved),
	    T(a_later_waiter_is_not_for_us),
	    T(a_later_waiter_would_close_a_cycle),
	    T(arguments_that_are_refused),
	};

	return stage_main("engine: requeue PI", tests);
}
