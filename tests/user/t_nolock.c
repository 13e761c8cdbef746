/* SPDX-License-Identifier: MIT */
/*
 * t_nolock.c - U4: there is no lock in a condvar. A thread stopped before any of its futex calls,
 * or (on x86-64) at any instruction at all, inside wait, timedwait, signal or broadcast never makes
 * another thread's signal or broadcast wait.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"
#include "tests/support/step.h"

#define SIGNALLER_MS 3000

enum action { DO_WAIT, DO_TIMEDWAIT, DO_SIGNAL, DO_BROADCAST, ACTIONS };

struct act {
	struct rqt_thread thread;
	struct rqt_scene *scene;
	enum action action;
};

/* Past deadline for the timed wait: it goes all the way through without help. */
static void perform(struct act *a)
{
	struct rqt_scene *s = a->scene;
	struct timespec past = {0, 0};
	int err = rqpi_mutex_lock(s->mutex);

	switch (a->action) {
	case DO_WAIT:
		err |= rqpi_cond_wait(s->cond, s->mutex);
		break;
	case DO_TIMEDWAIT:
		/* 0 or ETIMEDOUT, as the others' signals fall */
		err |= rqpi_cond_timedwait(s->cond, s->mutex, &past) & ~ETIMEDOUT;
		break;
	case DO_SIGNAL:
		err |= rqpi_cond_signal(s->cond);
		break;
	default:
		err |= rqpi_cond_broadcast(s->cond);
		break;
	}
	err |= rqpi_mutex_unlock(s->mutex);
	a->thread.value = err;
}

static void act_body(struct rqt_thread *t)
{
	perform(t->arg);
}

static void urgent_body(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_cond_signal(s->cond) | rqpi_cond_broadcast(s->cond);
}

/* Signal and broadcast from another thread: done soon, and without any call that can sleep. */
static void expect_urgent_is_free(struct rqt_scene *s)
{
	struct rqt_thread *urgent = calloc(1, sizeof(*urgent));

	urgent->body = urgent_body;
	urgent->arg = s;
	rqt_start(urgent, 0);
	assert_true(rqt_join_within(urgent, SIGNALLER_MS));
	assert_int_equal(urgent->value, 0);
	assert_int_equal(rqt_hook_blocking(&urgent->hook), 0);
	free(urgent);
}

static void check_stopped(struct rqt_scene *s, enum action action)
{
	struct act *a = calloc(1, sizeof(*a));
	unsigned int nth;
	bool stopped = true;

	for (nth = 1; stopped && nth < 8; nth++) {
		/* Somebody else waits, so that the calls are really made. */
		struct rqt_waiter *w = rqt_waiter_asleep(s, 0);

		memset(a, 0, sizeof(*a));
		a->scene = s;
		a->action = action;
		a->thread.body = act_body;
		a->thread.arg = a;
		rqt_hook_stop(&a->thread.hook, RQT_ANY_OP, nth, RQT_BEFORE);
		rqt_start(&a->thread, 0);
		stopped = rqt_hook_wait_stopped(&a->thread.hook, 200);
		expect_urgent_is_free(s);
		rqt_hook_release(&a->thread.hook);
		rqt_scene_settle(s);
		while (!rqt_join_within(&a->thread, 50) || !rqt_join_within(&w->thread, 50))
			expect_urgent_is_free(s);
		assert_int_equal(a->thread.value, 0);
	}
	assert_true(nth > 1);
	free(a);
}

static void u4_waiter_stopped_in_any_call_blocks_no_signaller(void **state)
{
	check_stopped(*state, DO_WAIT);
}

static void u4_timed_waiter_stopped_in_any_call_blocks_no_signaller(void **state)
{
	check_stopped(*state, DO_TIMEDWAIT);
}

static void u4_signaller_stopped_in_any_call_blocks_no_other(void **state)
{
	check_stopped(*state, DO_SIGNAL);
}

static void u4_broadcaster_stopped_in_any_call_blocks_no_other(void **state)
{
	check_stopped(*state, DO_BROADCAST);
}

/* Released and stopped on its way back: the mutex is its own, the condvar is not. */
static void u4_released_waiter_stopped_blocks_no_signaller(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *low = rqt_waiter_stopped(s, rqt_wait_op(), RQT_AFTER);

	rqt_waiter_asleep(s, 0);
	rqt_scene_signal(s, false);
	assert_true(rqt_hook_wait_stopped(&low->thread.hook, RQT_SOON_MS));
	expect_urgent_is_free(s);
	rqt_hook_release(&low->thread.hook);
	rqt_scene_join_all(s, 0);
}

static void stepped_body(struct rqt_thread *t)
{
	struct act *a = t->arg;

	perform(a); /* once unstepped: symbols are resolved, the thread's first use is over */
	rqt_step_begin();
	perform(a);
	rqt_step_end();
}

/*
 * Stop at every instruction of @action in turn and let another thread signal and broadcast there.
 * A signal at instruction k changes what the rest does, so the same run covers both outcomes.
 */
static void check_stepped(struct rqt_scene *s, enum action action)
{
	struct rqt_step_plan plan = {.every = true};
	struct act *a = calloc(1, sizeof(*a));
	struct rqt_waiter *w = NULL;

	if (action == DO_SIGNAL || action == DO_BROADCAST)
		w = rqt_waiter_asleep(s, 0);
	a->scene = s;
	a->action = action;
	a->thread.body = stepped_body;
	a->thread.arg = a;
	rqt_step_plan(&plan);
	rqt_start(&a->thread, 0);
	while (rqt_step_next(&plan, &a->thread, SIGNALLER_MS)) {
		unsigned int before = rqt_hook_blocking(&rqt_main_thread.hook);

		assert_int_equal(rqpi_cond_signal(s->cond), 0);
		assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
		assert_int_equal(rqt_hook_blocking(&rqt_main_thread.hook), before);
		rqt_step_go(&plan);
	}
	rqt_join(&a->thread);
	assert_int_equal(a->thread.value, 0);
	print_message("# stopped at %lu instructions\n", plan.steps);
	assert_true(plan.steps > 50);
	if (w)
		rqt_scene_join_all(s, 0);
	free(a);
}

static void u4_stopped_at_any_instruction_of_timedwait(void **state)
{
	rqt_need_step(__func__);
	check_stepped(*state, DO_TIMEDWAIT);
}

static void u4_stopped_at_any_instruction_of_signal(void **state)
{
	rqt_need_step(__func__);
	check_stepped(*state, DO_SIGNAL);
}

static void u4_stopped_at_any_instruction_of_broadcast(void **state)
{
	rqt_need_step(__func__);
	check_stepped(*state, DO_BROADCAST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(u4_waiter_stopped_in_any_call_blocks_no_signaller),
	    RQT_SCENE_CASE(u4_timed_waiter_stopped_in_any_call_blocks_no_signaller),
	    RQT_SCENE_CASE(u4_signaller_stopped_in_any_call_blocks_no_other),
	    RQT_SCENE_CASE(u4_broadcaster_stopped_in_any_call_blocks_no_other),
	    RQT_SCENE_CASE(u4_released_waiter_stopped_blocks_no_signaller),
	    RQT_SCENE_CASE(u4_stopped_at_any_instruction_of_timedwait),
	    RQT_SCENE_CASE(u4_stopped_at_any_instruction_of_signal),
	    RQT_SCENE_CASE(u4_stopped_at_any_instruction_of_broadcast),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("nolock", tests, NULL, NULL);
}
