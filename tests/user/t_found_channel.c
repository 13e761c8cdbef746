/* SPDX-License-Identifier: MIT */
/*
 * t_found_channel.c - faults that a review of the library found in how a private condvar names its
 * channel, each as the sequence of steps that showed it. The others: t_found.c.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"
#include "tests/support/step.h"

#define STEPS_MAX 4000

static void begin_stepping(struct rqt_waiter *w)
{
	(void)w;
	rqt_step_begin();
}

static void end_stepping(struct rqt_waiter *w)
{
	(void)w;
	rqt_step_end();
}

/*
 * Asleep in the wait, or ended. A thread that has just been told to go on from our stop may still
 * look asleep, but not in that call.
 */
static void wait_until_waiting(struct rqt_waiter *w)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)RQT_SOON_MS * 1000000;

	while (!atomic_load(&w->thread.done) && !rqt_is_asleep_in(&w->thread, rqt_wait_op()))
		if (rqt_now_ns(CLOCK_MONOTONIC) > end)
			fail_msg("the waiter does not get to sleep");
}

/*
 * One thread stands at instruction @k of its wait when another waits with @other. False: the first
 * was asleep before instruction @k.
 */
static bool second_mutex_at(struct rqt_scene *s, unsigned long k, rqpi_mutex_t *other)
{
	struct rqt_step_plan plan = {.at = k};
	struct rqt_waiter *w1 = rqt_waiter_new(s);
	struct rqt_waiter *w2;
	bool stopped;

	rqt_step_plan(&plan);
	w1->before = begin_stepping;
	w1->after = end_stepping;
	rqt_waiter_start(w1, 0);
	stopped = rqt_step_next(&plan, &w1->thread, RQT_SOON_MS);
	if (!stopped)
		rqt_step_forget(); /* before anything wakes it */
	w2 = rqt_waiter_new(s);
	w2->mutex = other;
	rqt_waiter_start(w2, 0);
	rqt_wait_asleep(&w2->thread);
	if (stopped)
		rqt_step_go(&plan);
	wait_until_waiting(w1); /* if this releases the other one, it has done so by then */
	wait_until_waiting(w2);
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	if (!rqt_join_within(&w1->thread, RQT_SOON_MS) ||
	    !rqt_join_within(&w2->thread, RQT_SOON_MS))
		fail_msg("instruction %lu: a broadcast does not reach the %s waiter", k,
			 w1->thread.joined ? "second" : "first");
	rqt_scene_join_all(s, 0);
	memset(s->waiters, 0, sizeof(s->waiters));
	s->count = 0;
	return stopped;
}

/* POSIX leaves two mutexes at one time undefined; here those inside with the first are released. */
static void nobody_is_left_on_a_channel_without_a_name(void **state)
{
	static rqpi_mutex_t other = RQPI_MUTEX_INITIALIZER; /* outlives threads that are stuck */
	struct rqt_scene *s = *state;
	unsigned long k;

	rqt_need_step(__func__);
	/* The first wait resolves symbols: not stepped through. */
	second_mutex_at(s, STEPS_MAX * 10, &other);
	for (k = 1; second_mutex_at(s, k, &other) && k < STEPS_MAX; k++)
		rqt_watchdog();
	print_message("# a second mutex at %lu instructions\n", k - 1);
	assert_in_range(k, 50, STEPS_MAX - 1);
}

static void make_shared(rqpi_mutex_t *m)
{
	rqpi_mutexattr_t attr;

	rqpi_mutexattr_init(&attr);
	assert_int_equal(rqpi_mutexattr_setpshared(&attr, RQPI_PROCESS_SHARED), 0);
	assert_int_equal(rqpi_mutex_init(m, &attr), 0);
}

/* The futex operation by which a signal releases a waiter here. */
static int release_op(void)
{
	return rqpi_caps() & RQPI_CAP_REQUEUE_PI ? FUTEX_CMP_REQUEUE_PI : FUTEX_WAKE;
}

static void signal_scene(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_cond_signal(s->cond);
}

/*
 * A slow signaller keeps the channel in use while the mutex is made anew at its place, as a
 * process-shared one: whoever waits now must be found where those who unlock that one look.
 */
static void mutex_made_anew_as_a_shared_one_is_another(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_asleep(s, 0);
	struct rqt_thread *slow = calloc(1, sizeof(*slow));

	slow->body = signal_scene;
	slow->arg = s;
	rqt_hook_stop(&slow->hook, release_op(), 1, RQT_BEFORE);
	rqt_start(slow, 0);
	assert_true(rqt_hook_wait_stopped(&slow->hook, RQT_SOON_MS));
	rqt_scene_signal(s, true);
	rqt_join(&w->thread);
	assert_int_equal(rqpi_mutex_destroy(s->mutex), 0);
	make_shared(s->mutex);
	w = rqt_waiter_asleep(s, 0);
	rqt_scene_signal(s, true); /* moves it onto the mutex, which we hold */
	rqt_join(&w->thread);
	rqt_hook_release(&slow->hook);
	rqt_join(slow);
	assert_int_equal(slow->value, 0);
	free(slow);
	rqt_scene_join_all(s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(nobody_is_left_on_a_channel_without_a_name),
	    RQT_SCENE_CASE(mutex_made_anew_as_a_shared_one_is_another),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("found-channel", tests, NULL, NULL);
}
