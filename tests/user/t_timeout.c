/* SPDX-License-Identifier: MIT */
/*
 * t_timeout.c - hard point 2: a wait that times out, or is interrupted by a signal handler, before
 * or after it was requeued; no signal is lost, no wait ends early, EINTR is never seen.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

#include <signal.h>

#define REQUEUED_MS 400 /* long enough to be requeued in, also on a busy machine */

static _Atomic int handler_runs;

static void count_run(int sig)
{
	(void)sig;
	atomic_fetch_add(&handler_runs, 1);
}

static void install_handler(bool restart)
{
	struct sigaction sa = {.sa_handler = count_run, .sa_flags = restart ? SA_RESTART : 0};

	sigemptyset(&sa.sa_mask);
	assert_int_equal(sigaction(SIGUSR1, &sa, NULL), 0);
	atomic_store(&handler_runs, 0);
}

static void interrupt(struct rqt_waiter *w, int times)
{
	for (int i = 0; i < times; i++) {
		int before = atomic_load(&handler_runs);

		assert_int_equal(pthread_kill(w->thread.handle, SIGUSR1), 0);
		assert_true(rqt_reaches(&handler_runs, before + 1, RQT_SOON_MS));
	}
}

static void check_true_timeout(struct rqt_scene *s, clockid_t clock)
{
	struct rqt_waiter *w = rqt_waiter_asleep_until(s, clock, 40);

	rqt_join(&w->thread);
	assert_int_equal(w->result, ETIMEDOUT);
	assert_int_equal(w->owner_seen, atomic_load(&w->thread.tid));
	assert_true(rqt_now_ns(clock) >=
		    (int64_t)w->deadline.tv_sec * 1000000000 + w->deadline.tv_nsec);
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
}

static void true_timeout_is_reported_realtime(void **state)
{
	check_true_timeout(*state, CLOCK_REALTIME);
}

static void true_timeout_is_reported_monotonic(void **state)
{
	check_true_timeout(*state, CLOCK_MONOTONIC);
}

/* Wait until @w's WAIT_REQUEUE_PI has ended and it sleeps again, for the mutex. */
static void wait_until_it_wants_the_mutex(struct rqt_waiter *w)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)RQT_SOON_MS * 1000000;

	while (!rqt_is_asleep_in(&w->thread, FUTEX_LOCK_PI)) {
		if (rqt_now_ns(CLOCK_MONOTONIC) > end)
			fail_msg("the waiter never came to lock the mutex again");
		rqt_sleep_ms(1);
	}
}

/* Requeued onto a held mutex, then the time runs out: the signal was taken, so it is not a timeout.
 */
static void hp2_timeout_after_requeue_keeps_the_signal(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *timed = rqt_waiter_asleep_until(s, CLOCK_MONOTONIC, REQUEUED_MS);
	struct rqt_waiter *other = rqt_waiter_asleep(s, 0);

	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	wait_until_it_wants_the_mutex(timed);
	if (rqpi_caps() & RQPI_CAP_REQUEUE_PI)
		assert_int_equal(rqt_hook_last_ret(&timed->thread.hook, FUTEX_WAIT_REQUEUE_PI),
				 -ETIMEDOUT);
	rqt_scene_unlock(s);
	rqt_join(&timed->thread);
	rqt_scene_settle(s);
	/* One signal: either it is the timed waiter's own success, or the other one has it. */
	assert_true(timed->result == 0 || rqt_waiter_is_served(other));
	if (!rqt_waiter_is_served(other))
		rqt_scene_signal(s, true);
	rqt_join(&other->thread);
}

static void hp2_timeout_after_requeue_by_broadcast_is_released(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w[4];

	for (int i = 0; i < 4; i++)
		w[i] = rqt_waiter_asleep_until(s, CLOCK_REALTIME, REQUEUED_MS);
	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	for (int i = 0; i < 4; i++)
		wait_until_it_wants_the_mutex(w[i]);
	rqt_scene_unlock(s);
	rqt_scene_join_all(s, 0);
}

/* The time ran out first, the thread has not run; then the signal: it or the next waiter has it. */
static void hp2_signal_after_the_timeout_goes_to_a_waiter(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *timed = rqt_waiter_new(s);
	struct rqt_waiter *other;

	timed->timed = true;
	timed->clock = CLOCK_MONOTONIC;
	timed->deadline = rqt_in_ms(CLOCK_MONOTONIC, 60);
	rqt_hook_stop(&timed->thread.hook, rqt_wait_op(), 1, RQT_AFTER);
	rqt_waiter_start(timed, 0);
	assert_true(rqt_hook_wait_stopped(&timed->thread.hook, RQT_SOON_MS));
	other = rqt_waiter_asleep(s, 0);
	rqt_scene_signal(s, true);
	rqt_scene_settle(s);
	rqt_hook_release(&timed->thread.hook);
	rqt_join(&timed->thread);
	assert_true(timed->result == 0 || timed->result == ETIMEDOUT);
	assert_int_equal(timed->owner_seen, atomic_load(&timed->thread.tid));
	rqt_scene_settle(s);
	assert_true(timed->result == 0 || rqt_waiter_is_served(other));
	/* The kernel's queue holds only @other: a signal goes to it, the count does not stay
	 * raised. */
	if (!rqt_waiter_is_served(other))
		rqt_scene_signal(s, true);
	rqt_join(&other->thread);
	rqt_hook_reset();
	rqt_scene_signal(s, true);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
}

/* Many deadlines pass while signals go out: nobody sleeps on who should not. */
static void hp2_timeouts_do_not_eat_the_signals_of_others(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *patient[3];

	for (int i = 0; i < 3; i++) {
		rqt_waiter_asleep_until(s, CLOCK_MONOTONIC, 20 + 10 * i);
		patient[i] = rqt_waiter_asleep(s, 0);
	}
	rqt_sleep_ms(RQT_NEVER_MS + 40);
	rqt_scene_settle(s);
	for (int i = 0; i < 3; i++)
		rqt_scene_signal(s, i & 1);
	for (int i = 0; i < 3; i++) {
		rqt_join(&patient[i]->thread);
		assert_int_equal(patient[i]->result, 0);
	}
	for (unsigned int i = 0; i < s->count; i++)
		rqt_join(&s->waiters[i].thread);
}

static void check_interrupted_asleep(struct rqt_scene *s, bool restart, bool timed)
{
	struct rqt_waiter *w;

	install_handler(restart);
	w = timed ? rqt_waiter_asleep_until(s, CLOCK_MONOTONIC, 20000) : rqt_waiter_asleep(s, 0);
	interrupt(w, 5);
	rqt_scene_settle(s);
	if (!atomic_load(&w->thread.done))
		rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
}

static void handler_before_the_requeue_leaves_the_wait(void **state)
{
	rqt_need_handlers(__func__);
	check_interrupted_asleep(*state, false, false);
}

static void handler_with_sa_restart_leaves_the_wait(void **state)
{
	rqt_need_handlers(__func__);
	check_interrupted_asleep(*state, true, false);
}

static void handler_leaves_a_timed_wait(void **state)
{
	rqt_need_handlers(__func__);
	check_interrupted_asleep(*state, false, true);
}

/* The kernel ends WAIT_REQUEUE_PI with EAGAIN; the signal is in it. */
static void handler_after_the_requeue_keeps_the_signal(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *other;
	struct rqt_waiter *w;

	rqt_need_handlers(__func__);
	w = rqt_waiter_asleep(s, 0);
	other = rqt_waiter_asleep(s, 0);
	install_handler(false);
	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	interrupt(w, 3);
	wait_until_it_wants_the_mutex(w);
	rqt_scene_unlock(s);
	rqt_scene_served(s, 1);
	assert_true(rqt_waiter_is_served(w));
	rqt_scene_signal(s, true);
	rqt_join(&other->thread);
	rqt_scene_join_all(s, 0);
}

/* The handler runs in the window, and signals from it are not lost either. */
static void handler_in_the_window_leaves_the_wait(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	rqt_need_handlers(__func__);
	install_handler(false);
	w = rqt_waiter_in_window(s);
	interrupt(w, 2);
	rqt_hook_release(&w->thread.hook);
	rqt_sleep_ms(20);
	rqt_scene_settle(s);
	if (!atomic_load(&w->thread.done))
		rqt_scene_signal(s, false);
	rqt_scene_join_all(s, 0);
}

/* Once, unless its time is over before the handler has run. */
static bool interrupt_if_there(struct rqt_waiter *w)
{
	int before = atomic_load(&handler_runs);

	if (!atomic_load(&w->thread.done))
		assert_int_equal(pthread_kill(w->thread.handle, SIGUSR1), 0);
	while (!atomic_load(&w->thread.done))
		if (rqt_reaches(&handler_runs, before + 1, 1))
			return true;
	return false;
}

/* An interrupted wait keeps its deadline. */
static void handlers_do_not_stretch_the_deadline(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;
	int interrupted = 0;
	int64_t late;

	rqt_need_handlers(__func__);
	install_handler(false);
	w = rqt_waiter_asleep_until(s, CLOCK_MONOTONIC, 400);
	for (int i = 0; i < 5; i++) {
		interrupted += interrupt_if_there(w);
		rqt_sleep_ms(10);
	}
	assert_true(interrupted > 0);
	rqt_join(&w->thread);
	late = rqt_now_ns(CLOCK_MONOTONIC) -
	       ((int64_t)w->deadline.tv_sec * 1000000000 + w->deadline.tv_nsec);
	assert_true(w->result == 0 || w->result == ETIMEDOUT);
	assert_true(late < 2000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(true_timeout_is_reported_realtime),
	    RQT_SCENE_CASE(true_timeout_is_reported_monotonic),
	    RQT_SCENE_CASE(hp2_timeout_after_requeue_keeps_the_signal),
	    RQT_SCENE_CASE(hp2_timeout_after_requeue_by_broadcast_is_released),
	    RQT_SCENE_CASE(hp2_signal_after_the_timeout_goes_to_a_waiter),
	    RQT_SCENE_CASE(hp2_timeouts_do_not_eat_the_signals_of_others),
	    RQT_SCENE_CASE(handler_before_the_requeue_leaves_the_wait),
	    RQT_SCENE_CASE(handler_with_sa_restart_leaves_the_wait),
	    RQT_SCENE_CASE(handler_leaves_a_timed_wait),
	    RQT_SCENE_CASE(handler_after_the_requeue_keeps_the_signal),
	    RQT_SCENE_CASE(handler_in_the_window_leaves_the_wait),
	    RQT_SCENE_CASE(handlers_do_not_stretch_the_deadline),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("timeout", tests, NULL, NULL);
}
