/* SPDX-License-Identifier: MIT */
/*
 * t_race.c - on two cores: priorities that change, and waiters that leave, while they are requeued,
 * served or refused. How: race.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/engine/rqk.h"
#include "tests/engine/race.h"

/* ---------------------------------------------------------------- a waiter's priority changes */

/* @a has been woken to take m, and does not run; @b, as urgent, is requeued by @c. */
static void requeue_behind_a_designated_waiter(void)
{
	set_prio(&b, RT(10));
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(wait_requeue_pi(&b, &cond, 0, &m), BLOCKED);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	hold(&a);
	assert_int_equal(unlock_pi(&o, &m), 0);
	assert_int_equal(m, W | tid(&a));
	post(&c, RQPI_FUTEX_CMP_REQUEUE_PI | P, &cond, 1, (void *)1, &m, 0);
}

static void x_raises_b(struct stage *s)
{
	post_prio(&x, &b, RT(50));
	let_run(s, &x);
	let_run(s, &b);
}

static void b_is_raised(void)
{
	assert_int_equal(c.ret, 1);
	assert_int_equal(b.t.task->own.prio, RT(50));
}

static void waiter_is_raised_while_it_is_requeued(void **state)
{
	(void)state;
	at_every_step(&c, requeue_behind_a_designated_waiter, x_raises_b, b_is_raised);
}

/* @a has been woken to take m; @b waits behind it. @x lowers @a, which runs just then. */
static void x_lowers_a(void)
{
	set_prio(&b, RT(8));
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(lock_pi(&a, &m), BLOCKED);
	hold(&a);
	assert_int_equal(unlock_pi(&o, &m), 0);
	post_prio(&x, &a, RT(5));
}

static void a_runs(struct stage *s)
{
	a.t.held = 0;
	let_run(s, &a);
}

/* Whoever has it runs as urgently as who waits. */
static void one_has_it_and_is_boosted(void)
{
	struct actor *owner = a.ret == 0 ? &a : &b;

	assert_int_equal(a.ret, owner == &a ? 0 : BLOCKED);
	assert_int_equal(b.ret, owner == &b ? 0 : BLOCKED);
	assert_int_equal(eff(owner), RT(8));
}

static void designated_waiter_is_lowered_while_it_takes_the_lock(void **state)
{
	(void)state;
	at_every_step(&x, x_lowers_a, a_runs, one_has_it_and_is_boosted);
}

/* c would wait for b, b waits for a, a for c. */
static void close_a_cycle(void)
{
	assert_int_equal(lock_pi(&a, &m), 0);
	assert_int_equal(lock_pi(&b, &m2), 0);
	assert_int_equal(lock_pi(&c, &m3), 0);
	assert_int_equal(lock_pi(&b, &m), BLOCKED);
	assert_int_equal(lock_pi(&a, &m3), BLOCKED);
	post(&c, RQPI_FUTEX_LOCK_PI | P, &m2, 0, NULL, NULL, 0);
}

static void x_changes_a(struct stage *s)
{
	post_prio(&x, &a, RT(12));
	let_run(s, &x);
}

static void c_was_refused(void)
{
	assert_int_equal(c.ret, -RQPI_EDEADLK);
	assert_int_equal(eff(&a), RT(20));
	assert_int_equal(eff(&b), RT(20));
	set_prio(&c, RT(1));
	assert_int_equal(eff(&c), RT(20));
}

static void priority_changes_while_a_cycle_is_refused(void **state)
{
	(void)state;
	at_every_step(&c, close_a_cycle, x_changes_a, c_was_refused);
}

/* ---------------------------------------------------------------- a waiter leaves */

static void c_requeues_b_and_a(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(call(&b, RQPI_FUTEX_WAIT_REQUEUE_PI | P, &cond, 0, &soon, &m, 0), BLOCKED);
	assert_int_equal(wait_requeue_pi(&a, &cond, 0, &m), BLOCKED);
	post(&c, RQPI_FUTEX_CMP_REQUEUE_PI | P, &cond, 1, (void *)0, &m, 0);
}

/* One was requeued and counted: either b, which then timed out, or a instead of it. */
static void one_was_moved(void)
{
	bool a_moved = a.t.task->q.kind == RQK_PI;

	assert_int_equal(c.ret, 1);
	assert_int_equal(b.ret, -RQPI_ETIMEDOUT);
	assert_int_equal(eff(&o), a_moved ? RT(10) : RT(1));
	cond = 1;
	signal_arrives(&a);
	coop_run(&stage.coop);
	assert_int_equal(a.ret, -RQPI_EAGAIN);
}

static void waiter_times_out_while_it_is_requeued(void **state)
{
	(void)state;
	at_every_step(&c, c_requeues_b_and_a, b_times_out, one_was_moved);
}

static void c_grants_to_b(void)
{
	assert_int_equal(call(&b, RQPI_FUTEX_WAIT_REQUEUE_PI | P, &cond, 0, &soon, &m, 0), BLOCKED);
	post(&c, RQPI_FUTEX_CMP_REQUEUE_PI | P, &cond, 1, (void *)1, &m, 0);
}

/* It owns the mutex if it was granted, and if not it was not counted. */
static void granted_or_not(void)
{
	assert_true(c.ret == 1 || c.ret == 0);
	assert_int_equal(b.ret, c.ret == 1 ? 0 : -RQPI_ETIMEDOUT);
	assert_int_equal(m, c.ret == 1 ? W | tid(&b) : 0);
}

static void waiter_times_out_while_it_is_granted_the_mutex(void **state)
{
	(void)state;
	at_every_step(&c, c_grants_to_b, b_times_out, granted_or_not);
}

static void c_requeues_b_into_a_cycle(void)
{
	assert_int_equal(lock_pi(&o, &m), 0);
	assert_int_equal(lock_pi(&b, &m2), 0);
	assert_int_equal(lock_pi(&o, &m2), BLOCKED);
	assert_int_equal(call(&b, RQPI_FUTEX_WAIT_REQUEUE_PI | P, &cond, 0, &soon, &m, 0), BLOCKED);
	post(&c, RQPI_FUTEX_CMP_REQUEUE_PI | P, &cond, 1, (void *)1, &m, 0);
}

static void b_was_not_moved(void)
{
	assert_true(c.ret == -RQPI_EDEADLK || c.ret == 0);
	assert_int_equal(b.ret, -RQPI_ETIMEDOUT);
	assert_int_equal(eff(&o), RT(1));
}

static void waiter_times_out_while_it_is_refused(void **state)
{
	(void)state;
	at_every_step(&c, c_requeues_b_into_a_cycle, b_times_out, b_was_not_moved);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	static const struct CMUnitTest tests[] = {
	    T(waiter_is_raised_while_it_is_requeued),
	    T(designated_waiter_is_lowered_while_it_takes_the_lock),
	    T(priority_changes_while_a_cycle_is_refused),
	    T(waiter_times_out_while_it_is_requeued),
	    T(waiter_times_out_while_it_is_granted_the_mutex),
	    T(waiter_times_out_while_it_is_refused),
	};

	return stage_main("engine: two cores", tests);
}
