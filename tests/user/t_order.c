/* SPDX-License-Identifier: MIT */
/*
 * t_order.c - U1: signal wakes the most urgent thread that was waiting, FIFO among equals.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

/* Start the waiters of @prios in that order, wake them by @n signals, compare the order of service.
 */
static void check_order(struct rqt_scene *s, const int *prios, const int *places, int n, bool held)
{
	struct rqt_waiter *w[RQT_WAITERS];

	for (int i = 0; i < n; i++)
		w[i] = rqt_waiter_asleep(s, prios[i]);
	for (int i = 0; i < n; i++) {
		rqt_scene_signal(s, held);
		rqt_scene_served(s, i + 1);
	}
	rqt_scene_join_all(s, 0);
	for (int i = 0; i < n; i++)
		assert_int_equal(atomic_load(&w[i]->place), places[i]);
}

static void u1_signal_wakes_most_urgent_waiter(void **state)
{
	static const int prios[] = {10, 40, 20, 30};
	static const int places[] = {4, 1, 3, 2};

	rqt_need_fifo(__func__);
	check_order(*state, prios, places, 4, true);
}

static void u1_signal_without_mutex_wakes_most_urgent_waiter(void **state)
{
	static const int prios[] = {10, 40, 20, 30};
	static const int places[] = {4, 1, 3, 2};

	rqt_need_fifo(__func__);
	check_order(*state, prios, places, 4, false);
}

static void u1_signal_is_fifo_among_equal_priorities(void **state)
{
	static const int prios[] = {15, 15, 15, 15, 15};
	static const int places[] = {1, 2, 3, 4, 5};

	rqt_need_fifo(__func__);
	check_order(*state, prios, places, 5, true);
}

static void u1_signal_is_fifo_among_normal_threads(void **state)
{
	static const int prios[] = {0, 0, 0, 0, 0};
	static const int places[] = {1, 2, 3, 4, 5};

	check_order(*state, prios, places, 5, true);
}

/* Several signals in one critical section: still one thread each, most urgent first. */
static void u1_signals_under_one_lock_release_in_order(void **state)
{
	static const int prios[] = {10, 30, 20, 40};
	struct rqt_scene *s = *state;
	struct rqt_waiter *w[4];

	rqt_need_fifo(__func__);
	for (int i = 0; i < 4; i++)
		w[i] = rqt_waiter_asleep(s, prios[i]);
	rqt_scene_lock(s);
	for (int i = 0; i < 3; i++)
		rqt_scene_signal(s, false);
	rqt_scene_settle(s);
	rqt_scene_unlock(s);
	rqt_scene_served(s, 3);
	assert_int_equal(atomic_load(&w[3]->place), 1);
	assert_int_equal(atomic_load(&w[1]->place), 2);
	assert_int_equal(atomic_load(&w[2]->place), 3);
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
}

/*
 * The case that glibc's two groups get wrong: 10 and 20 wait; signal; 80 starts to wait; signal;
 * signal.
 */
static void check_late_urgent(struct rqt_scene *s, bool held)
{
	struct rqt_waiter *w10 = rqt_waiter_asleep(s, 10);
	struct rqt_waiter *w20 = rqt_waiter_asleep(s, 20);
	struct rqt_waiter *w80;

	rqt_scene_signal(s, held);
	rqt_scene_served(s, 1);
	w80 = rqt_waiter_asleep(s, 80);
	rqt_scene_signal(s, held);
	rqt_scene_served(s, 2);
	rqt_scene_signal(s, held);
	rqt_scene_join_all(s, 0);
	assert_int_equal(atomic_load(&w20->place), 1);
	assert_int_equal(atomic_load(&w80->place), 2);
	assert_int_equal(atomic_load(&w10->place), 3);
}

static void u1_late_urgent_waiter_goes_before_older_ones(void **state)
{
	rqt_need_fifo(__func__);
	check_late_urgent(*state, true);
}

static void u1_late_urgent_waiter_goes_first_without_mutex(void **state)
{
	rqt_need_fifo(__func__);
	check_late_urgent(*state, false);
}

/* Normal threads wait; an urgent one arrives last and leaves first. */
static void u1_real_time_waiter_goes_before_normal_ones(void **state)
{
	static const int prios[] = {0, 0, 5, 0};
	static const int places[] = {2, 3, 1, 4};

	rqt_need_fifo(__func__);
	check_order(*state, prios, places, 4, true);
}

static void check_broadcast_order(struct rqt_scene *s, bool held)
{
	struct rqt_waiter *w[8];
	int prios[] = {10, 45, 20, 30, 45, 5, 40, 35};
	static const int places[] = {7, 1, 6, 5, 2, 8, 3, 4};

	/* Woken on two CPUs at once, equals get to the mutex in any order; moved, in theirs. */
	if (!(rqpi_caps() & RQPI_CAP_REQUEUE_PI))
		prios[4] = 44;

	for (int i = 0; i < 8; i++)
		w[i] = rqt_waiter_asleep(s, prios[i]);
	rqt_scene_lock(s);
	if (held) {
		assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
		rqt_scene_settle(s);
		rqt_scene_unlock(s);
	} else {
		rqt_scene_unlock(s);
		assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	}
	rqt_scene_join_all(s, 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(atomic_load(&w[i]->place), places[i]);
}

static void u1_broadcast_serves_in_priority_order(void **state)
{
	rqt_need_fifo(__func__);
	check_broadcast_order(*state, true);
}

static void u1_broadcast_without_mutex_serves_in_priority_order(void **state)
{
	rqt_need_fifo(__func__);
	rqt_need_requeue_pi(__func__);
	check_broadcast_order(*state, false);
}

/* A priority changed during the wait does not lose the waiter. */
static void u1_waiter_raised_while_asleep_is_not_lost(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *low;

	rqt_need_fifo(__func__);
	low = rqt_waiter_asleep(s, 10);
	rqt_waiter_asleep(s, 20);
	assert_int_equal(pthread_setschedprio(low->thread.handle, 30), 0);
	rqt_scene_signal(s, true);
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(u1_signal_wakes_most_urgent_waiter),
	    RQT_SCENE_CASE(u1_signal_without_mutex_wakes_most_urgent_waiter),
	    RQT_SCENE_CASE(u1_signal_is_fifo_among_equal_priorities),
	    RQT_SCENE_CASE(u1_signal_is_fifo_among_normal_threads),
	    RQT_SCENE_CASE(u1_signals_under_one_lock_release_in_order),
	    RQT_SCENE_CASE(u1_late_urgent_waiter_goes_before_older_ones),
	    RQT_SCENE_CASE(u1_late_urgent_waiter_goes_first_without_mutex),
	    RQT_SCENE_CASE(u1_real_time_waiter_goes_before_normal_ones),
	    RQT_SCENE_CASE(u1_broadcast_serves_in_priority_order),
	    RQT_SCENE_CASE(u1_broadcast_without_mutex_serves_in_priority_order),
	    RQT_SCENE_CASE(u1_waiter_raised_while_asleep_is_not_lost),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
