/* SPDX-License-Identifier: MIT */
/*
 * t_requeue.c - REQUEUE and CMP_REQUEUE (semantics 6.3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/cast.h"

#include <limits.h>

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

static long cmp_requeue(struct actor *it, uint32_t *from, int nr_wake, int nr, uint32_t *to,
			uint32_t val)
{
	return call(it, RQPI_FUTEX_CMP_REQUEUE | P, from, (uint32_t)nr_wake,
		    (const void *)(intptr_t)nr, to, val);
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

/* ---------------------------------------------------------------- requeue [6.3] */

static void how_many_are_requeued(void **state)
{
	static const struct {
		int nr_wake, nr_requeue, result, woken;
	} rows[] = {
	    {0, 0, 0, 0},
	    {1, 0, 1, 1},
	    {0, 1, 1, 0},
	    {1, 1, 2, 1},
	    {1, INT_MAX, 3, 1},
	    {INT_MAX, INT_MAX, 3, 3},
	    {2, 5, 3, 2},
	    {-1, 1, -RQPI_EINVAL, 0},
	    {1, -1, -RQPI_EINVAL, 0},
	    {INT_MIN, INT_MIN, -RQPI_EINVAL, 0},
	};
	struct actor *who[] = {&c, &b, &a};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		int row = (int)(i / 2);
		int moved = rows[row].result > 0 ? rows[row].result - rows[row].woken : 0;

		for (int k = 2; k >= 0; k--)
			assert_int_equal(wait_on(who[k], &u, 0), BLOCKED);
		if (i % 2)
			assert_int_equal(
			    cmp_requeue(&o, &u, rows[row].nr_wake, rows[row].nr_requeue, &u2, 0),
			    rows[row].result);
		else
			assert_int_equal(
			    requeue(&o, &u, rows[row].nr_wake, rows[row].nr_requeue, &u2),
			    rows[row].result);
		for (int k = 0; k < 3; k++)
			assert_int_equal(result(who[k]), k < rows[row].woken ? 0 : BLOCKED);
		assert_int_equal(wake(&o, &u2, 9), moved);
		assert_int_equal(wake(&o, &u, 9), 3 - moved - rows[row].woken);
	}
	assert_int_equal(cmp_requeue(&o, &u, 1, 1, &u2, 1), -RQPI_EAGAIN);
	fault(&stage, &u, -1, 1);
	assert_int_equal(cmp_requeue(&o, &u, 1, 1, &u2, 0), -RQPI_EFAULT);
	assert_int_equal(requeue(&o, &u, 1, 1, &u2), 0);
	fault(&stage, &u, 3, 1);
	assert_int_equal(cmp_requeue(&o, &u, 1, 1, &u2, 0), 0);
	fault(&stage, &u2, -1, 1);
	assert_int_equal(cmp_requeue(&o, &u, 1, 1, &u2, 0), 0);
}

/*
 * Those moved are as if they had come to the second futex now: behind who is as urgent there and
 * between the others, be it all together or one by one. [5.4, 6.3.2]
 */
static void those_moved_queue_behind_their_equals(void **state)
{
	struct actor *together[] = {&c, &b, &a, &z, &d}; /* a and z come to b, before d */
	struct actor *apart[] = {&c, &b, &a, &d, &z};

	(void)state;
	set_prio(&z, RT(10));
	set_prio(&b, RT(10));
	assert_int_equal(wait_on(&c, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&b, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&d, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&a, &u2, 0), BLOCKED);
	assert_int_equal(wait_on(&z, &u2, 0), BLOCKED);
	assert_int_equal(requeue(&o, &u2, 0, 2, &u), 2);
	woken_in_this_order(together, 5);

	set_prio(&b, RT(20));
	assert_int_equal(wait_on(&b, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&d, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&a, &u2, 0), BLOCKED);
	assert_int_equal(wait_on(&c, &u2, 0), BLOCKED);
	set_prio(&z, NICE(-20));
	assert_int_equal(wait_on(&z, &u2, 0), BLOCKED);
	assert_int_equal(requeue(&o, &u2, 0, INT_MAX, &u), 3);
	woken_in_this_order(apart, 5);
}

/* [6.3.4] */
static void requeue_to_itself_counts_and_moves_nobody(void **state)
{
	struct actor *order[] = {&a, &b};

	(void)state;
	set_prio(&b, RT(10));
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
	assert_int_equal(wait_on(&b, &u, 0), BLOCKED);
	assert_int_equal(requeue(&o, &u, 0, 1, &u), 1);
	woken_in_this_order(order, 2);
}

/* [6.3.6, 8.4] */
static void a_plain_waiter_poisons_a_pi_word(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(wait_on(&a, &u, 0), BLOCKED);
	assert_int_equal(requeue(&b, &u, 0, 1, &m), 1);
	assert_int_equal(unlock_pi(&o, &m), -RQPI_EINVAL);
	assert_int_equal(m, tid(&o));
	assert_int_equal(wake(&b, &m, 1), 1);
	assert_int_equal(unlock_pi(&o, &m), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(how_many_are_requeued),
	    T(those_moved_queue_behind_their_equals),
	    T(requeue_to_itself_counts_and_moves_nobody),
	    T(a_plain_waiter_poisons_a_pi_word),
	};

	return stage_main("engine: requeue", tests);
}
