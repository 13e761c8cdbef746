/* SPDX-License-Identifier: MIT */
/*
 * t_beyond.c - what a port may ask and do beside an operation: who is the next one to get a lock,
 * and the end of a task that will never return from its sleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/cast.h"

static uint32_t m, w;

static int setup(void **state)
{
	(void)state;
	m = w = 0;
	open_stage(1);
	return 0;
}

/* Is @it the next one, and is that so because of @from? */
static bool is_next(struct actor *it, struct actor *from)
{
	struct rqpi_task *owner = o.t.task; /* anything but NULL */
	bool next = rqpi_task_is_next(it->t.task, &owner);

	assert_ptr_equal(owner, from ? from->t.task : NULL);
	if (owner)
		rqpi_task_put(owner);
	return next;
}

static void the_most_urgent_waiter_is_next(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_false(is_next(&a, NULL));
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_true(is_next(&a, &o));
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_false(is_next(&a, NULL));
	assert_true(is_next(&b, &o));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_true(is_next(&a, &b));
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

static void who_waits_for_something_else_is_not_next(void **state)
{
	(void)state;
	assert_int_equal(wait_on(&a, &w, 0), BLOCKED);
	assert_false(is_next(&a, NULL));
	assert_int_equal(wake(&o, &w, 1), 1);
}

/* @it is killed in its sleep, and its stack is gone: nobody ever runs there again. */
static long kill_asleep(struct actor *it, bool words)
{
	long ret = rqpi_task_abandon(it->t.task, words);

	rqpi_task_exit(it->t.task);
	rqpi_task_put(it->t.task);
	it->t.finished = 1;
	coop_run(&stage.coop);
	return ret;
}

static void an_abandoned_waiter_leaves_the_queue(void **state)
{
	for (int words = 0; words < 2; words++) {
		assert_int_equal(wait_on(&a, &w, 0), BLOCKED);
		assert_int_equal(wait_on(&b, &w, 0), BLOCKED);
		assert_int_equal(kill_asleep(&b, words), -RQPI_EINTR);
		assert_int_equal(wake(&o, &w, 2), 1);
		assert_int_equal(result(&a), 0);
		teardown(state);
		setup(state);
	}
}

static void an_abandoned_locker_lends_no_priority(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(eff(&o), RT(20));
	assert_int_equal(kill_asleep(&b, true), -RQPI_ERESTARTNOINTR);
	assert_int_equal(eff(&o), RT(10));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/* The lock came just before: it is the dead one's, and passed on by its end. */
static void what_came_before_the_end_is_passed_on(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	hold(&b);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(kill_asleep(&b, true), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m & ~W, OD | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(the_most_urgent_waiter_is_next),
	    CASE(who_waits_for_something_else_is_not_next),
	    CASE(an_abandoned_waiter_leaves_the_queue),
	    CASE(an_abandoned_locker_lends_no_priority),
	    CASE(what_came_before_the_end_is_passed_on),
	};

	return stage_main("beyond", tests);
}
