/* SPDX-License-Identifier: MIT */
/*
 * t_nopi.c - hard point 7: operations that the kernel or a sandbox does not let us use, from the
 * start (run under `deny pi`) or taken away later. Never a silent loss of inheritance, never a
 * hang.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

static void need_pi_denied(const char *test)
{
	if (!rqt_is_denied("pi"))
		rqt_skip(test, "for a run under `deny pi`");
}

static void need_all(const char *test)
{
	rqt_need_undenied(test, "pi");
	rqt_need_requeue_pi(test);
}

static void hp7_without_pi_init_says_so(void **state)
{
	rqpi_mutex_t m;

	(void)state;
	need_pi_denied(__func__);
	assert_int_equal(rqpi_mutex_init(&m, NULL), ENOTSUP);
}

static void try_and_lock(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;
	struct timespec ts = rqt_in_ms(CLOCK_MONOTONIC, 2000);

	s->waiters[0].result = rqpi_mutex_trylock(s->mutex);
	s->waiters[1].result = rqpi_mutex_lock(s->mutex);
	s->waiters[2].result = rqpi_mutex_clocklock(s->mutex, CLOCK_MONOTONIC, &ts);
}

static void hp7_without_pi_contention_is_refused(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_thread *t;

	need_pi_denied(__func__);
	t = calloc(1, sizeof(*t));
	rqt_scene_lock(s); /* free: no system call needed */
	t->body = try_and_lock;
	t->arg = s;
	rqt_start(t, 0);
	rqt_join(t);
	assert_int_equal(s->waiters[0].result, EBUSY);
	assert_int_equal(s->waiters[1].result, ENOTSUP);
	assert_int_equal(s->waiters[2].result, ENOTSUP);
	rqt_scene_unlock(s);
	free(t);
}

/* A sandbox that closes between two waits: the next ones go the plain way. */
static void hp7_requeue_pi_taken_away_later(void **state)
{
	struct rqt_scene *s = *state;

	need_all(__func__);
	rqt_waiter_asleep(s, 0);
	rqt_scene_signal(s, true);
	rqt_scene_served(s, 1);
	rqt_hook_deny(FUTEX_WAIT_REQUEUE_PI, true);
	rqt_hook_deny(FUTEX_CMP_REQUEUE_PI, true);
	/* The first notices: its wait ends without a reason, or sleeps plainly already. */
	for (int i = 0; i < 4; i++) {
		struct rqt_waiter *w = rqt_waiter_new(s);

		rqt_waiter_start(w, 0);
		if (rqt_asleep_within(&w->thread, 1000)) {
			assert_true(rqt_is_asleep_in(&w->thread, FUTEX_WAIT_BITSET));
			rqt_scene_signal(s, i & 1);
		}
		rqt_join(&w->thread);
		assert_int_equal(w->result, 0);
	}
	rqt_hook_deny(FUTEX_WAIT_REQUEUE_PI, false);
	rqt_hook_deny(FUTEX_CMP_REQUEUE_PI, false);
	assert_false(rqpi_caps() & RQPI_CAP_REQUEUE_PI);
	rqt_scene_join_all(s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(hp7_without_pi_init_says_so),
	    RQT_SCENE_CASE(hp7_without_pi_contention_is_refused),
	    RQT_SCENE_CASE(hp7_requeue_pi_taken_away_later), /* last: the capability stays struck */
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("nopi", tests, NULL, NULL);
}
