/* SPDX-License-Identifier: MIT */
/*
 * t_cond.c - the condvar's contract apart from U1..U5: arguments, clocks, kinds of mutex, different
 * mutexes at different times.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

static void waiting_without_the_mutex_is_refused(void **state)
{
	struct rqt_scene *s = *state;
	struct timespec ts = rqt_in_ms(CLOCK_REALTIME, 1000);

	assert_int_equal(rqpi_cond_wait(s->cond, s->mutex), EPERM);
	assert_int_equal(rqpi_cond_timedwait(s->cond, s->mutex, &ts), EPERM);
	assert_int_equal(rqpi_cond_clockwait(s->cond, s->mutex, CLOCK_REALTIME, &ts), EPERM);
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
	rqt_hook_reset();
	rqt_scene_signal(s, false);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0); /* nobody was counted in */
}

static void wait_body(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_cond_wait(s->cond, s->mutex);
}

static void waiting_with_anothers_mutex_is_refused(void **state)
{
	struct rqt_thread *t = calloc(1, sizeof(*t));
	struct rqt_scene *s = *state;

	t->body = wait_body;
	t->arg = s;
	rqt_scene_lock(s);
	rqt_start(t, 0);
	rqt_join(t);
	assert_int_equal(t->value, EPERM);
	assert_int_equal(rqpi_mutex_owner(s->mutex), atomic_load(&rqt_main_thread.tid));
	rqt_scene_unlock(s);
	free(t);
}

static void bad_times_and_clocks_are_refused(void **state)
{
	struct rqt_scene *s = *state;
	struct timespec ts = rqt_in_ms(CLOCK_REALTIME, 1000);

	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_clockwait(s->cond, s->mutex, CLOCK_BOOTTIME, &ts), EINVAL);
	assert_int_equal(rqpi_cond_clockwait(s->cond, s->mutex, (clockid_t)77, &ts), EINVAL);
	ts.tv_nsec = 1000000000;
	assert_int_equal(rqpi_cond_timedwait(s->cond, s->mutex, &ts), EINVAL);
	ts.tv_nsec = -1;
	assert_int_equal(rqpi_cond_timedwait(s->cond, s->mutex, &ts), EINVAL);
	assert_int_equal(rqpi_mutex_owner(s->mutex), atomic_load(&rqt_main_thread.tid));
	rqt_hook_reset();
	rqt_scene_signal(s, false);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
	rqt_scene_unlock(s);
}

static void times_past_run_out_at_once(void **state)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
	struct rqt_scene *s = *state;

	rqt_scene_lock(s);
	for (int i = 0; i < 2; i++) {
		struct timespec ts = {0, 0};

		assert_int_equal(rqpi_cond_clockwait(s->cond, s->mutex, clocks[i], &ts), ETIMEDOUT);
		ts = (struct timespec){-1, 500};
		assert_int_equal(rqpi_cond_clockwait(s->cond, s->mutex, clocks[i], &ts), ETIMEDOUT);
		ts = rqt_in_ms(clocks[i], -5);
		assert_int_equal(rqpi_cond_clockwait(s->cond, s->mutex, clocks[i], &ts), ETIMEDOUT);
		assert_int_equal(rqpi_mutex_owner(s->mutex), atomic_load(&rqt_main_thread.tid));
	}
	rqt_scene_unlock(s);
}

/* How long a timedwait takes whose time is the monotonic clock's in @ms. */
static int64_t timedwait_takes(struct rqt_scene *s, long ms)
{
	int64_t start = rqt_now_ns(CLOCK_MONOTONIC);
	struct timespec ts = rqt_in_ms(CLOCK_MONOTONIC, ms);

	assert_int_equal(rqpi_cond_timedwait(s->cond, s->mutex, &ts), ETIMEDOUT);
	return rqt_now_ns(CLOCK_MONOTONIC) - start;
}

/*
 * timedwait goes by the condvar's clock: the same number is the past on one and far away on the
 * other.
 */
static void the_clock_attribute_is_timedwaits_clock(void **state)
{
	struct rqt_scene *s = *state;
	rqpi_condattr_t attr;

	rqt_scene_lock(s);
	assert_true(timedwait_takes(s, 3000) < 2000000000);
	rqpi_condattr_init(&attr);
	rqpi_condattr_setclock(&attr, CLOCK_MONOTONIC);
	assert_int_equal(rqpi_cond_init(s->cond, &attr), 0);
	assert_true(timedwait_takes(s, 60) >= 60000000);
	*s->cond = (rqpi_cond_t)RQPI_COND_MONOTONIC_INITIALIZER;
	assert_true(timedwait_takes(s, 60) >= 60000000);
	rqt_scene_unlock(s);
}

static void a_shared_condvar_needs_a_shared_mutex(void **state)
{
	struct rqt_scene *s = *state;
	struct timespec ts = rqt_in_ms(CLOCK_REALTIME, 1000);
	rqpi_condattr_t attr;

	rqpi_condattr_init(&attr);
	rqpi_condattr_setpshared(&attr, RQPI_PROCESS_SHARED);
	assert_int_equal(rqpi_cond_init(s->cond, &attr), 0);
	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_wait(s->cond, s->mutex), EINVAL);
	assert_int_equal(rqpi_cond_timedwait(s->cond, s->mutex, &ts), EINVAL);
	assert_int_equal(rqpi_mutex_owner(s->mutex), atomic_load(&rqt_main_thread.tid));
	rqt_scene_unlock(s);
}

/* The other way round is fine: a private condvar with a mutex of any kind. */
static void check_with_kind(struct rqt_scene *s, int type, int robust, int pshared)
{
	rqpi_mutexattr_t attr;

	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_settype(&attr, type);
	rqpi_mutexattr_setrobust(&attr, robust);
	rqpi_mutexattr_setpshared(&attr, pshared);
	assert_int_equal(rqpi_mutex_init(s->mutex, &attr), 0);
	for (int i = 0; i < 3; i++)
		rqt_waiter_asleep(s, 0);
	rqt_scene_signal(s, true);
	rqt_scene_broadcast(s, false);
	rqt_scene_join_all(s, 0);
	assert_int_equal(rqpi_mutex_destroy(s->mutex), 0);
	memset(s->waiters, 0, sizeof(s->waiters));
	s->count = 0;
	s->served = 0;
}

static void waits_with_every_kind_of_mutex(void **state)
{
	for (int i = 0; i < 12; i++)
		if (i / 3 % 2 == RQPI_STALLED || rqt_has_robust())
			check_with_kind(*state, i % 3, i / 3 % 2, i / 6);
}

static void lock_twice_more(struct rqt_waiter *w)
{
	w->lock_result |= rqpi_mutex_lock(w->mutex) | rqpi_mutex_lock(w->mutex);
}

/* Three deep: two unlocks leave it held, the scene's own is the third. */
static void unlock_twice(struct rqt_waiter *w)
{
	w->thread.value = rqpi_mutex_unlock(w->mutex) | rqpi_mutex_unlock(w->mutex);
	if (rqpi_mutex_owner(w->mutex) != atomic_load(&w->thread.tid))
		w->thread.value = 99;
}

static void a_wait_gives_up_every_depth_and_restores_it(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	*s->mutex = (rqpi_mutex_t)RQPI_RECURSIVE_MUTEX_INITIALIZER;
	w = rqt_waiter_new(s);
	w->before = lock_twice_more;
	w->after = unlock_twice;
	rqt_waiter_start(w, 0);
	rqt_wait_asleep(&w->thread);
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
	rqt_scene_lock(s);
	rqt_scene_lock(s);
	rqt_scene_unlock(s);
	rqt_scene_unlock(s);
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
	assert_int_equal(w->lock_result, 0);
	assert_int_equal(w->thread.value, 0);
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
}

static void a_timed_out_wait_restores_the_depth_too(void **state)
{
	rqpi_mutex_t m = RQPI_RECURSIVE_MUTEX_INITIALIZER;
	struct rqt_scene *s = *state;
	struct timespec past = {0, 0};

	for (int i = 0; i < 3; i++)
		assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_cond_timedwait(s->cond, &m, &past), ETIMEDOUT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), EPERM);
}

/* One mutex after another, none at the same time: nothing of the first is left. */
static void different_mutexes_at_different_times(void **state)
{
	struct rqt_scene *s = *state;
	rqpi_mutex_t *many = calloc(4, sizeof(*many));

	for (int i = 0; i < 8; i++) {
		s->mutex = &many[i % 4];
		rqt_waiter_asleep(s, 0);
		rqt_waiter_asleep(s, 0);
		rqt_scene_signal(s, true);
		rqt_scene_signal(s, false);
		rqt_scene_join_all(s, 0);
	}
	free(many);
}

/* At one time it is undefined in POSIX; here it releases those inside, and nobody is lost. */
static void different_mutexes_at_one_time_lose_nobody(void **state)
{
	struct rqpi_cond_stats before = {.size = sizeof(before)};
	struct rqpi_cond_stats after = {.size = sizeof(after)};
	struct rqt_scene *s = *state;
	rqpi_mutex_t other = RQPI_MUTEX_INITIALIZER;
	struct rqt_waiter *w;

	rqpi_get_cond_stats(&before);
	rqt_waiter_asleep(s, 0);
	rqt_waiter_asleep(s, 0);
	w = rqt_waiter_new(s);
	w->mutex = &other;
	rqt_waiter_start(w, 0);
	rqt_join(&s->waiters[0].thread);
	rqt_join(&s->waiters[1].thread);
	rqt_wait_asleep(&w->thread);
	rqt_scene_signal(s, false);
	rqt_scene_join_all(s, 0);
	rqpi_get_cond_stats(&after);
	assert_true(after.rebinds == before.rebinds + 1);
}

static void the_window_is_counted(void **state)
{
	struct rqpi_cond_stats before = {.size = sizeof(before)};
	struct rqpi_cond_stats after = {.size = sizeof(after)};
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	rqpi_get_cond_stats(&before);
	w = rqt_waiter_in_window(s);
	rqt_scene_signal(s, true);
	rqt_hook_release(&w->thread.hook);
	rqt_scene_join_all(s, 0);
	rqpi_get_cond_stats(&after);
	assert_true(after.window_wakes == before.window_wakes + 1);
	assert_true(after.double_wakes == before.double_wakes);
}

static void errno_is_left_alone(void **state)
{
	struct rqt_scene *s = *state;
	struct timespec past = {0, 0};

	rqt_scene_lock(s);
	errno = 4321;
	assert_int_equal(rqpi_cond_timedwait(s->cond, s->mutex, &past), ETIMEDOUT);
	assert_int_equal(errno, 4321);
	rqt_scene_unlock(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(waiting_without_the_mutex_is_refused),
	    RQT_SCENE_CASE(waiting_with_anothers_mutex_is_refused),
	    RQT_SCENE_CASE(bad_times_and_clocks_are_refused),
	    RQT_SCENE_CASE(times_past_run_out_at_once),
	    RQT_SCENE_CASE(the_clock_attribute_is_timedwaits_clock),
	    RQT_SCENE_CASE(a_shared_condvar_needs_a_shared_mutex),
	    RQT_SCENE_CASE(waits_with_every_kind_of_mutex),
	    RQT_SCENE_CASE(a_wait_gives_up_every_depth_and_restores_it),
	    RQT_SCENE_CASE(a_timed_out_wait_restores_the_depth_too),
	    RQT_SCENE_CASE(different_mutexes_at_different_times),
	    RQT_SCENE_CASE(different_mutexes_at_one_time_lose_nobody),
	    RQT_SCENE_CASE(the_window_is_counted),
	    RQT_SCENE_CASE(errno_is_left_alone),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("cond", tests, NULL, NULL);
}
