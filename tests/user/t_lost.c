/* SPDX-License-Identifier: MIT */
/*
 * t_lost.c - U5 and hard point 1: no wakeup is lost in the window between unlock and sleep, a
 * signal releases one of those that waited, and nobody who came later takes it.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

/* The waiter has unlocked and not slept; the signal finds nobody in the kernel. */
static void check_window(struct rqt_scene *s, bool held, bool broadcast)
{
	struct rqt_waiter *w = rqt_waiter_in_window(s);

	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
	if (broadcast)
		rqt_scene_broadcast(s, held);
	else
		rqt_scene_signal(s, held);
	rqt_hook_release(&w->thread.hook);
	rqt_scene_join_all(s, 0);
}

static void u5_signal_between_unlock_and_sleep_is_kept(void **state)
{
	check_window(*state, true, false);
}

static void u5_signal_without_mutex_in_the_window_is_kept(void **state)
{
	check_window(*state, false, false);
}

static void u5_broadcast_between_unlock_and_sleep_is_kept(void **state)
{
	check_window(*state, true, true);
}

static void u5_broadcast_without_mutex_in_the_window_is_kept(void **state)
{
	check_window(*state, false, true);
}

static void wait_for_contention(struct rqt_waiter *w)
{
	rqt_reaches(&w->go, 1, RQT_SOON_MS);
}

static void contender_body(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_mutex_lock(s->mutex);
	s->served++;
	t->value |= rqpi_mutex_unlock(s->mutex);
}

/* The same window when the unlock itself is a system call, because somebody wants the mutex. */
static void u5_signal_after_a_contended_unlock_is_kept(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_new(s);
	struct rqt_thread *contender = calloc(1, sizeof(*contender));

	contender->body = contender_body;
	contender->arg = s;
	w->before = wait_for_contention;
	rqt_hook_stop(&w->thread.hook, FUTEX_UNLOCK_PI, 1, RQT_AFTER);
	rqt_waiter_start(w, 0);
	rqt_start(contender, 0);
	rqt_wait_asleep(contender);
	atomic_store(&w->go, 1); /* go on, into the wait */
	assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	rqt_join(contender);
	assert_int_equal(contender->value, 0);
	rqt_scene_signal(s, true);
	rqt_hook_release(&w->thread.hook);
	rqt_scene_join_all(s, 0);
	free(contender);
}

/* One asleep, one in the window, one signal: at least one of the two gets it; the second signal the
 * rest. */
static void u5_signal_with_a_sleeper_and_one_in_the_window(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *sleeper = rqt_waiter_asleep(s, 0);
	struct rqt_waiter *window = rqt_waiter_in_window(s);

	rqt_scene_signal(s, true);
	rqt_hook_release(&window->thread.hook);
	/* One of them, or both; a thread just woken may still look asleep, so do not settle. */
	for (int ms = 0; ms < RQT_SOON_MS; ms++) {
		if (rqt_waiter_is_served(sleeper) || rqt_waiter_is_served(window))
			break;
		rqt_sleep_ms(1);
	}
	assert_true(rqt_waiter_is_served(sleeper) || rqt_waiter_is_served(window));
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
}

/* glibc bug 13165: W1 was waiting when the signal was sent, W2 was not. */
static void check_latecomer(struct rqt_scene *s, bool held)
{
	struct rqt_waiter *early = rqt_waiter_in_window(s);
	struct rqt_waiter *late;

	rqt_scene_signal(s, held);
	late = rqt_waiter_asleep(s, 0);
	rqt_hook_release(&early->thread.hook);
	rqt_scene_served(s, 1);
	assert_true(rqt_waiter_is_served(early));
	assert_true(rqt_stays_asleep(&late->thread));
	rqt_scene_signal(s, held);
	rqt_scene_join_all(s, 0);
}

static void u5_latecomer_does_not_take_an_earlier_signal(void **state)
{
	check_latecomer(*state, true);
}

static void u5_latecomer_does_not_take_a_signal_sent_without_mutex(void **state)
{
	check_latecomer(*state, false);
}

/* The signalled one is awake, owns the mutex and has not run; an urgent newcomer finds no signal.
 */
static void u5_urgent_latecomer_does_not_overtake_a_released_waiter(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *early;
	struct rqt_waiter *late;

	rqt_need_fifo(__func__);
	early = rqt_waiter_stopped(s, rqt_wait_op(), RQT_AFTER);
	rqt_scene_signal(s, true);
	assert_true(rqt_hook_wait_stopped(&early->thread.hook, RQT_SOON_MS));
	late = rqt_waiter_new(s);
	rqt_waiter_start(late, 50);
	rqt_wait_asleep(&late->thread);
	rqt_hook_release(&early->thread.hook);
	rqt_scene_served(s, 1);
	assert_true(rqt_waiter_is_served(early));
	assert_true(rqt_stays_asleep(&late->thread));
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
}

/* glibc bug 25847: the released one stands still while generations of others come and go. */
static void u5_stalled_waiter_takes_no_later_signal(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *stalled = rqt_waiter_in_window(s);

	rqt_scene_signal(s, true); /* the stalled one's own */
	for (int i = 0; i < 6; i++) {
		rqt_waiter_asleep(s, 0);
		rqt_waiter_asleep(s, 0);
		rqt_scene_signal(s, i & 1);
		rqt_scene_signal(s, i & 1);
		rqt_scene_served(s, 2 * (i + 1));
		assert_false(rqt_waiter_is_served(stalled));
	}
	rqt_hook_release(&stalled->thread.hook);
	rqt_scene_join_all(s, 0);
}

/* Two stalled ones of different generations: each signal finds those that were owed it. */
static void u5_two_stalled_waiters_are_both_released(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *one = rqt_waiter_in_window(s);
	struct rqt_waiter *two;
	struct rqt_waiter *three;

	rqt_scene_signal(s, true);
	two = rqt_waiter_in_window(s);
	rqt_scene_signal(s, false);
	three = rqt_waiter_asleep(s, 0);
	rqt_hook_release(&two->thread.hook);
	rqt_hook_release(&one->thread.hook);
	rqt_scene_served(s, 2);
	assert_false(rqt_waiter_is_served(three));
	rqt_scene_signal(s, false);
	rqt_scene_join_all(s, 0);
}

/* Nobody waits: a signal is not remembered. */
static void signal_with_nobody_waiting_is_not_kept(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	for (int i = 0; i < 3; i++)
		rqt_scene_signal(s, i & 1);
	rqt_scene_broadcast(s, true);
	w = rqt_waiter_asleep(s, 0);
	assert_true(rqt_stays_asleep(&w->thread));
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
}

/* Another signal came between reading the sequence and the system call: the kernel says EAGAIN. */
static void hp1_signaller_retries_when_the_sequence_moved(void **state)
{
	struct rqt_scene *s = *state;

	rqt_need_requeue_pi(__func__);
	rqt_waiter_asleep(s, 0);
	rqt_hook_inject(&rqt_main_thread.hook, FUTEX_CMP_REQUEUE_PI, 1, -EAGAIN);
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
}

static void signaller_body(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_cond_signal(s->cond);
}

/* A signaller preempted between its step and its system call while another signal overtakes it. */
static void hp1_two_signallers_release_two_waiters(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_thread *slow = calloc(1, sizeof(*slow));
	int op = rqt_wait_op() == FUTEX_WAIT_BITSET ? FUTEX_WAKE : FUTEX_CMP_REQUEUE_PI;

	rqt_waiter_asleep(s, 0);
	rqt_waiter_asleep(s, 0);
	slow->body = signaller_body;
	slow->arg = s;
	rqt_hook_stop(&slow->hook, op, 1, RQT_BEFORE);
	rqt_start(slow, 0);
	assert_true(rqt_hook_wait_stopped(&slow->hook, RQT_SOON_MS));
	rqt_scene_signal(s, true);
	rqt_scene_served(s, 1);
	rqt_hook_release(&slow->hook);
	rqt_join(slow);
	assert_int_equal(slow->value, 0);
	rqt_scene_join_all(s, 0);
	free(slow);
}

/* The kernel's EAGAIN without a signal (a handler after a requeue looks the same): never a lost
 * one. */
static void hp1_eagain_without_a_signal_is_spurious_at_most(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_new(s);

	rqt_need_requeue_pi(__func__);
	rqt_hook_inject(&w->thread.hook, FUTEX_WAIT_REQUEUE_PI, 1, -EAGAIN);
	rqt_waiter_start(w, 0);
	if (rqt_asleep_within(&w->thread, 1000))
		rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(u5_signal_between_unlock_and_sleep_is_kept),
	    RQT_SCENE_CASE(u5_signal_without_mutex_in_the_window_is_kept),
	    RQT_SCENE_CASE(u5_broadcast_between_unlock_and_sleep_is_kept),
	    RQT_SCENE_CASE(u5_broadcast_without_mutex_in_the_window_is_kept),
	    RQT_SCENE_CASE(u5_signal_after_a_contended_unlock_is_kept),
	    RQT_SCENE_CASE(u5_signal_with_a_sleeper_and_one_in_the_window),
	    RQT_SCENE_CASE(u5_latecomer_does_not_take_an_earlier_signal),
	    RQT_SCENE_CASE(u5_latecomer_does_not_take_a_signal_sent_without_mutex),
	    RQT_SCENE_CASE(u5_urgent_latecomer_does_not_overtake_a_released_waiter),
	    RQT_SCENE_CASE(u5_stalled_waiter_takes_no_later_signal),
	    RQT_SCENE_CASE(u5_two_stalled_waiters_are_both_released),
	    RQT_SCENE_CASE(signal_with_nobody_waiting_is_not_kept),
	    RQT_SCENE_CASE(hp1_signaller_retries_when_the_sequence_moved),
	    RQT_SCENE_CASE(hp1_two_signallers_release_two_waiters),
	    RQT_SCENE_CASE(hp1_eagain_without_a_signal_is_spurious_at_most),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("lost", tests, NULL, NULL);
}
