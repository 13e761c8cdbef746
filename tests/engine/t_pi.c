/* SPDX-License-Identifier: MIT */
/*
 * t_pi.c - PI futexes and requeue PI, single-stepped: words, results, priorities after every call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/cast.h"

#include <limits.h>

static struct actor d;
static uint32_t m, m2, m3, cond;

static int setup(void **state)
{
	(void)state;
	m = m2 = m3 = cond = 0;
	open_stage(1);
	stage_actor(&stage, &d, RQPI_PRIO_NICE(0));
	return 0;
}

static void free_word_is_taken(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&a, &m), 0);
	assert_int_equal(m, tid(&a));
	assert_int_equal(lock_pi(&a, &m), -RQPI_EDEADLK);
	assert_int_equal(unlock_pi(&b, &m), -RQPI_EPERM);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(m, 0);
}

static void waiters_boost_and_are_served_by_urgency(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(m, W | tid(&o));
	assert_int_equal(eff(&o), RT(10));
	assert_int_equal(lock_pi(&c, &m), BLOCKED);
	assert_int_equal(eff(&o), RT(30));
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(eff(&o), RT(30));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(eff(&o), RT(1));
	assert_int_equal(result(&c), 0);
	assert_int_equal(m, W | tid(&c));
	assert_int_equal(unlock_pi(&c, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(m, W | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(m, 0);
}

static void broadcast_on_a_free_mutex(void **state)
{
	(void)state;
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	assert_int_equal(wait_requeue_pi(&c, &cond, 0, &m), BLOCKED);
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&o, &cond, 1, &m, INT_MAX), -RQPI_EAGAIN);
	assert_int_equal(cmp_requeue_pi(&o, &cond, 0, &m, INT_MAX), 3);
	assert_int_equal(m, W | tid(&c));
	assert_int_equal(result(&c), 0);
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(unlock_pi(&c, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(m, 0);
}

static void broadcast_with_the_mutex_held(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	assert_int_equal(wait_requeue_pi(&c, &cond, 0, &m), BLOCKED);
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&o, &cond, 0, &m, INT_MAX), 3);
	assert_int_equal(eff(&o), RT(30));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(result(&c), 0);
	assert_int_equal(unlock_pi(&c, &m), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(m, 0);
}

static void signal_grants_a_free_mutex(void **state)
{
	(void)state;
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&o, &cond, 0, &m, 0), 1);
	assert_int_equal(result(&b), 0);
	assert_int_equal(m, tid(&b));
	assert_int_equal(cmp_requeue_pi(&o, &cond, 0, &m, 0), 1);
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(m, W | tid(&b));
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

static void requeued_waiter_is_interrupted(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	coop_interrupt(&a.t); /* before the requeue: restarted */
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&o, &cond, 0, &m, INT_MAX), 1);
	assert_int_equal(eff(&o), RT(10));
	coop_interrupt(&a.t);
	assert_int_equal(result(&a), -RQPI_EAGAIN);
	assert_int_equal(eff(&o), RT(1));
	assert_int_equal(m, W | tid(&o));
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(m, 0);
}

static void a_more_urgent_task_steals(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	a.t.held = 1;
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(m, W | tid(&a));
	assert_int_equal(trylock_pi(&d, &m), -RQPI_EAGAIN);
	assert_int_equal(trylock_pi(&c, &m), 0);
	assert_int_equal(m, W | tid(&c));
	a.t.held = 0;
	coop_run(&stage.coop);
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(unlock_pi(&c, &m), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

static void a_cycle_is_refused(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&a, &m), 0);
	assert_int_equal(lock_pi(&b, &m2), 0);
	assert_int_equal(lock_pi(&c, &m3), 0);
	assert_int_equal(lock_pi(&a, &m2), BLOCKED);
	assert_int_equal(lock_pi(&b, &m3), BLOCKED);
	assert_int_equal(lock_pi(&c, &m), -RQPI_EDEADLK);
	assert_int_equal(eff(&a), RT(10));
	assert_int_equal(eff(&b), RT(20));
	assert_int_equal(unlock_pi(&c, &m3), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m3), 0);
	assert_int_equal(unlock_pi(&b, &m2), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m2), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
}

/*
 * CVE-2026-43499: the rollback of a requeue that would close a cycle must undo the waiter, not
 * the caller.
 */
static void a_requeue_that_closes_a_cycle_is_undone(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&b, &m), 0);
	assert_int_equal(lock_pi(&a, &m3), 0);
	assert_int_equal(lock_pi(&b, &m3), BLOCKED);
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	assert_int_equal(cmp_requeue_pi(&c, &cond, 0, &m, 0), -RQPI_EDEADLK);
	assert_int_equal(result(&a), BLOCKED);
	cond = 1;
	coop_interrupt(&a.t);
	assert_int_equal(result(&a), -RQPI_EAGAIN);
	assert_int_equal(lock_pi(&c, &m), BLOCKED);
	assert_int_equal(eff(&a), RT(30));
	assert_int_equal(unlock_pi(&a, &m3), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m3), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(result(&c), 0);
	assert_int_equal(unlock_pi(&c, &m), 0);
}

static void an_owner_that_ends_passes_it_on(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	end(&o);
	assert_int_equal(result(&b), 0);
	assert_int_equal(m, W | OD | tid(&b));
	assert_int_equal(result(&a), BLOCKED);
	assert_int_equal(unlock_pi(&b, &m), 0);
	assert_int_equal(m, W | tid(&a));
	assert_int_equal(unlock_pi(&a, &m), 0);
	m = 4711;
	assert_int_equal(lock_pi(&a, &m), -RQPI_ESRCH);
	assert_int_equal(m, W | 4711);
}

static void a_blocked_task_changes_priority(void **state)
{
	(void)state;
	assert_int_equal(lock_pi(&o, &m2), 0);
	assert_int_equal(lock_pi(&a, &m), 0);
	assert_int_equal(lock_pi(&a, &m2), BLOCKED);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(eff(&o), RT(20));
	set_prio(&b, RT(50));
	assert_int_equal(eff(&o), RT(50));
	assert_int_equal(eff(&a), RT(50));
	set_prio(&b, RQPI_PRIO_NICE(0));
	assert_int_equal(eff(&a), RT(10));
	assert_int_equal(eff(&o), RT(10));
	assert_int_equal(unlock_pi(&o, &m2), 0);
	assert_int_equal(result(&a), 0);
	assert_int_equal(unlock_pi(&a, &m2), 0);
	assert_int_equal(unlock_pi(&a, &m), 0);
	assert_int_equal(result(&b), 0);
	assert_int_equal(unlock_pi(&b, &m), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(free_word_is_taken),
	    T(waiters_boost_and_are_served_by_urgency),
	    T(broadcast_on_a_free_mutex),
	    T(broadcast_with_the_mutex_held),
	    T(signal_grants_a_free_mutex),
	    T(requeued_waiter_is_interrupted),
	    T(a_more_urgent_task_steals),
	    T(a_cycle_is_refused),
	    T(a_requeue_that_closes_a_cycle_is_undone),
	    T(an_owner_that_ends_passes_it_on),
	    T(a_blocked_task_changes_priority),
	};

	return stage_main("engine: PI futexes, step by step", tests);
}
