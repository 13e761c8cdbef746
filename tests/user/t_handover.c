/* SPDX-License-Identifier: MIT */
/*
 * t_handover.c - U2: broadcast wakes at most one and requeues the rest in one system call; U3: a
 * released wait returns with the mutex handed over by the kernel; U4, first half: nobody waiting,
 * no system call.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

#define HERD 16

static unsigned int returned_waits(struct rqt_scene *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->count; i++)
		n += rqt_hook_ended(&s->waiters[i].thread.hook, FUTEX_WAIT_REQUEUE_PI);
	return n;
}

static void check_one_requeue_call(void)
{
	assert_int_equal(rqt_hook_total(FUTEX_CMP_REQUEUE_PI), 1);
	assert_int_equal(rqt_hook_total(FUTEX_WAKE), 0);
	assert_int_equal(rqt_hook_total(FUTEX_WAKE_BITSET), 0);
	assert_int_equal(rqt_hook_total(FUTEX_CMP_REQUEUE), 0);
}

/* The mutex is held: not one of them is woken, all are moved. */
static void u2_broadcast_under_lock_is_one_call_and_wakes_nobody(void **state)
{
	struct rqt_scene *s = *state;

	rqt_need_requeue_pi(__func__);
	for (int i = 0; i < HERD; i++)
		rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	rqt_hook_reset();
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	check_one_requeue_call();
	rqt_sleep_ms(RQT_NEVER_MS);
	assert_int_equal(returned_waits(s), 0);
	for (unsigned int i = 0; i < s->count; i++)
		assert_true(rqt_is_asleep_in(&s->waiters[i].thread, FUTEX_WAIT_REQUEUE_PI));
	rqt_scene_unlock(s);
	rqt_scene_join_all(s, 0);
	check_one_requeue_call();
	/* Each was handed the mutex: none locked it by itself. */
	assert_int_equal(rqt_hook_total(FUTEX_LOCK_PI) + rqt_hook_total(FUTEX_LOCK_PI2), 0);
}

/* The mutex is free: exactly one is woken, and it owns the mutex; the rest wait for it in the
 * kernel. */
static void u2_broadcast_without_lock_wakes_exactly_one(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_hook *first = NULL;

	rqt_need_requeue_pi(__func__);
	for (int i = 0; i < HERD; i++)
		rqt_waiter_stopped(s, FUTEX_WAIT_REQUEUE_PI, RQT_AFTER);
	rqt_hook_reset();
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	check_one_requeue_call();
	rqt_sleep_ms(RQT_NEVER_MS);
	assert_int_equal(returned_waits(s), 1);
	for (unsigned int i = 0; i < s->count; i++) {
		if (!rqt_hook_is_stopped(&s->waiters[i].thread.hook))
			continue;
		assert_null(first);
		first = &s->waiters[i].thread.hook;
		assert_int_equal(rqpi_mutex_owner(s->mutex),
				 atomic_load(&s->waiters[i].thread.tid));
	}
	assert_non_null(first);
	for (unsigned int i = 0; i < s->count; i++)
		rqt_hook_release(&s->waiters[i].thread.hook);
	rqt_scene_join_all(s, 0);
	check_one_requeue_call();
}

/* Stop the waiter at the very return of its system call: the mutex is its own already. */
static void check_granted_by_kernel(struct rqt_scene *s, bool held, bool broadcast)
{
	struct rqt_waiter *w = rqt_waiter_stopped(s, FUTEX_WAIT_REQUEUE_PI, RQT_AFTER);

	if (broadcast)
		rqt_scene_broadcast(s, held);
	else
		rqt_scene_signal(s, held);
	assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	assert_int_equal(rqt_hook_last_ret(&w->thread.hook, FUTEX_WAIT_REQUEUE_PI), 0);
	assert_int_equal(rqpi_mutex_owner(s->mutex), atomic_load(&w->thread.tid));
	assert_int_equal(rqpi_mutex_trylock(s->mutex), EBUSY);
	rqt_hook_release(&w->thread.hook);
	rqt_scene_join_all(s, 0);
	assert_int_equal(w->lock_calls, 0);
}

static void u3_signalled_under_lock_owns_when_the_call_returns(void **state)
{
	rqt_need_requeue_pi(__func__);
	check_granted_by_kernel(*state, true, false);
}

static void u3_signalled_without_lock_owns_when_the_call_returns(void **state)
{
	rqt_need_requeue_pi(__func__);
	check_granted_by_kernel(*state, false, false);
}

static void u3_broadcast_to_one_owns_when_the_call_returns(void **state)
{
	rqt_need_requeue_pi(__func__);
	check_granted_by_kernel(*state, false, true);
}

static void u3_timed_waiter_is_granted_too(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	rqt_need_requeue_pi(__func__);
	w = rqt_waiter_asleep_until(s, CLOCK_MONOTONIC, 30000);
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
	assert_int_equal(w->lock_calls, 0);
	assert_int_equal(rqt_hook_begun(&w->thread.hook, FUTEX_WAIT_REQUEUE_PI), 1);
}

/* While requeued, a waiter lends its priority to the owner, which wait + lock later cannot do. */
static void u3_requeued_waiter_boosts_the_owner(void **state)
{
	struct rqt_scene *s = *state;

	rqt_need_fifo(__func__);
	rqt_need_requeue_pi(__func__);
	rqt_waiter_asleep(s, 33);
	rqt_scene_lock(s);
	assert_true(rqt_kernel_prio(atomic_load(&rqt_main_thread.tid)) >= 0);
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	assert_int_equal(rqt_kernel_prio(atomic_load(&rqt_main_thread.tid)), -1 - 33);
	rqt_scene_unlock(s);
	assert_true(rqt_kernel_prio(atomic_load(&rqt_main_thread.tid)) >= 0);
	rqt_scene_join_all(s, 0);
}

static void expect_no_calls(struct rqt_scene *s)
{
	for (int held = 0; held < 2; held++) {
		rqt_hook_reset();
		rqt_scene_signal(s, held);
		rqt_scene_broadcast(s, held);
		assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
	}
}

static void u4_nobody_waiting_makes_no_system_call(void **state)
{
	expect_no_calls(*state);
}

static void u4_no_system_call_after_everyone_left(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	for (int i = 0; i < 3; i++)
		rqt_waiter_asleep(s, 0);
	rqt_scene_signal(s, true);
	rqt_scene_signal(s, false);
	rqt_scene_broadcast(s, true);
	rqt_scene_join_all(s, 0);
	expect_no_calls(s);
	w = rqt_waiter_asleep_until(s, CLOCK_MONOTONIC, 20);
	rqt_join(&w->thread);
	assert_int_equal(w->result, ETIMEDOUT);
	expect_no_calls(s);
}

static void u4_no_system_call_after_a_cancelled_wait(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_asleep(s, 0);

	pthread_cancel(w->thread.handle);
	rqt_join(&w->thread);
	assert_true(w->thread.cancelled);
	expect_no_calls(s);
}

/* Two signals for one waiter: the second finds nobody and ends at once. */
static void signals_beyond_the_waiters_are_bounded(void **state)
{
	struct rqt_scene *s = *state;

	rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	rqt_hook_reset();
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	/* The calls of the signals alone: one that is woken comes for the mutex meanwhile. */
	assert_true(rqt_hook_total(FUTEX_WAKE) + rqt_hook_total(FUTEX_CMP_REQUEUE_PI) <= 4);
	rqt_scene_unlock(s);
	rqt_scene_join_all(s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(u2_broadcast_under_lock_is_one_call_and_wakes_nobody),
	    RQT_SCENE_CASE(u2_broadcast_without_lock_wakes_exactly_one),
	    RQT_SCENE_CASE(u3_signalled_under_lock_owns_when_the_call_returns),
	    RQT_SCENE_CASE(u3_signalled_without_lock_owns_when_the_call_returns),
	    RQT_SCENE_CASE(u3_broadcast_to_one_owns_when_the_call_returns),
	    RQT_SCENE_CASE(u3_timed_waiter_is_granted_too),
	    RQT_SCENE_CASE(u3_requeued_waiter_boosts_the_owner),
	    RQT_SCENE_CASE(u4_nobody_waiting_makes_no_system_call),
	    RQT_SCENE_CASE(u4_no_system_call_after_everyone_left),
	    RQT_SCENE_CASE(u4_no_system_call_after_a_cancelled_wait),
	    RQT_SCENE_CASE(signals_beyond_the_waiters_are_bounded),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
