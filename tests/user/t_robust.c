/* SPDX-License-Identifier: MIT */
/*
 * t_robust.c - robust mutexes: an owner that exits in a lock or in a wait (hard point 6), and what
 * the others see. Whole processes: t_robust_kill.c.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

static int robust_setup(void **state)
{
	rqpi_mutexattr_t attr;
	struct rqt_scene *s;

	if (rqt_scene_setup(state) != 0)
		return -1;
	s = *state;
	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST);
	return rqpi_mutex_init(s->mutex, &attr);
}

#define ROBUST_CASE(f) cmocka_unit_test_setup_teardown(f, robust_setup, rqt_scene_teardown)

static void lock_and_die(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_mutex_lock(s->mutex);
}

static void run_to_death(struct rqt_scene *s, void (*body)(struct rqt_thread *))
{
	struct rqt_thread *t = calloc(1, sizeof(*t));

	t->body = body;
	t->arg = s;
	rqt_start(t, 0);
	rqt_join(t);
	assert_int_equal(t->value, 0);
	free(t);
}

static void dead_owner_is_reported_and_repaired(void **state)
{
	struct rqt_scene *s = *state;

	run_to_death(s, lock_and_die);
	assert_int_equal(rqpi_mutex_lock(s->mutex), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_owner(s->mutex), atomic_load(&rqt_main_thread.tid));
	assert_int_equal(rqpi_mutex_consistent(s->mutex), 0);
	assert_int_equal(rqpi_mutex_consistent(s->mutex), EINVAL); /* nothing left to repair */
	rqt_scene_unlock(s);
	rqt_scene_lock(s);
	rqt_scene_unlock(s);
	assert_int_equal(rqpi_mutex_destroy(s->mutex), 0);
}

static void dead_owner_is_reported_by_every_way_of_locking(void **state)
{
	struct rqt_scene *s = *state;
	struct timespec ts = rqt_in_ms(CLOCK_MONOTONIC, 5000);

	run_to_death(s, lock_and_die);
	assert_int_equal(rqpi_mutex_trylock(s->mutex), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(s->mutex), 0);
	rqt_scene_unlock(s);
	run_to_death(s, lock_and_die);
	assert_int_equal(rqpi_mutex_clocklock(s->mutex, CLOCK_MONOTONIC, &ts), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(s->mutex), 0);
	rqt_scene_unlock(s);
	ts = rqt_in_ms(CLOCK_REALTIME, 5000);
	run_to_death(s, lock_and_die);
	assert_int_equal(rqpi_mutex_timedlock(s->mutex, &ts), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(s->mutex), 0);
	rqt_scene_unlock(s);
}

static void unrepaired_is_not_recoverable(void **state)
{
	struct rqt_scene *s = *state;
	struct timespec ts = rqt_in_ms(CLOCK_REALTIME, 5000);
	rqpi_mutexattr_t attr;

	run_to_death(s, lock_and_die);
	assert_int_equal(rqpi_mutex_lock(s->mutex), EOWNERDEAD);
	rqt_scene_unlock(s);
	assert_int_equal(rqpi_mutex_lock(s->mutex), ENOTRECOVERABLE);
	assert_int_equal(rqpi_mutex_trylock(s->mutex), ENOTRECOVERABLE);
	assert_int_equal(rqpi_mutex_timedlock(s->mutex, &ts), ENOTRECOVERABLE);
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
	assert_int_equal(rqpi_mutex_unlock(s->mutex), EPERM);
	assert_int_equal(rqpi_mutex_destroy(s->mutex), 0);
	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST);
	assert_int_equal(rqpi_mutex_init(s->mutex, &attr), 0);
	rqt_scene_lock(s);
	rqt_scene_unlock(s);
}

/* The second owner dies before it repaired anything. */
static void lock_dead_and_die(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_mutex_lock(s->mutex) == EOWNERDEAD ? 0 : 1;
}

static void death_of_the_repairer_is_reported_again(void **state)
{
	struct rqt_scene *s = *state;

	run_to_death(s, lock_and_die);
	run_to_death(s, lock_dead_and_die);
	assert_int_equal(rqpi_mutex_lock(s->mutex), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(s->mutex), 0);
	rqt_scene_unlock(s);
}

static void consistent_is_refused_where_it_makes_no_sense(void **state)
{
	struct rqt_scene *s = *state;
	rqpi_mutex_t plain = RQPI_MUTEX_INITIALIZER;

	assert_int_equal(rqpi_mutex_consistent(s->mutex), EINVAL);
	rqt_scene_lock(s);
	assert_int_equal(rqpi_mutex_consistent(s->mutex), EINVAL);
	rqt_scene_unlock(s);
	assert_int_equal(rqpi_mutex_lock(&plain), 0);
	assert_int_equal(rqpi_mutex_consistent(&plain), EINVAL);
	assert_int_equal(rqpi_mutex_unlock(&plain), 0);
}

/* Several robust mutexes of ours and libc's own on one thread's list, freed in any order. */
static void lock_many_and_die(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;
	rqpi_mutex_t *extra = (rqpi_mutex_t *)(void *)s->waiters;
	static pthread_mutex_t libc_mutex;
	pthread_mutexattr_t attr;
	int err;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&libc_mutex, &attr);
	err = rqpi_mutex_lock(&extra[0]);
	err |= pthread_mutex_lock(&libc_mutex);
	err |= rqpi_mutex_lock(&extra[1]);
	err |= rqpi_mutex_lock(&extra[2]);
	err |= pthread_mutex_unlock(&libc_mutex);
	err |= rqpi_mutex_unlock(&extra[1]);
	t->value = err;
}

static void only_the_held_ones_of_many_are_marked(void **state)
{
	struct rqt_scene *s = *state;
	rqpi_mutex_t *extra = (rqpi_mutex_t *)(void *)s->waiters;
	rqpi_mutexattr_t attr;

	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rqpi_mutex_init(&extra[i], &attr), 0);
	run_to_death(s, lock_many_and_die);
	assert_int_equal(rqpi_mutex_lock(&extra[0]), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_lock(&extra[1]), 0);
	assert_int_equal(rqpi_mutex_lock(&extra[2]), EOWNERDEAD);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rqpi_mutex_unlock(&extra[i]), 0);
	memset(s->waiters, 0, sizeof(s->waiters));
}

/* Hard point 6: the owner moves the waiters onto its mutex and dies. */
static void broadcast_and_die(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_mutex_lock(s->mutex) | rqpi_cond_broadcast(s->cond);
}

static void repair(struct rqt_waiter *w)
{
	w->thread.value = w->result == EOWNERDEAD ? rqpi_mutex_consistent(w->mutex) : 0;
}

static int count_results(struct rqt_scene *s, int result)
{
	int n = 0;

	for (unsigned int i = 0; i < s->count; i++) {
		rqt_join(&s->waiters[i].thread);
		n += s->waiters[i].result == result;
	}
	return n;
}

static void hp6_owner_dies_while_waiters_are_requeued(void **state)
{
	struct rqt_scene *s = *state;

	for (int i = 0; i < 4; i++)
		rqt_waiter_asleep(s, 0)->after = repair;
	run_to_death(s, broadcast_and_die);
	assert_int_equal(count_results(s, EOWNERDEAD), 1);
	assert_int_equal(count_results(s, 0), 3);
	rqt_scene_lock(s);
	rqt_scene_unlock(s);
}

static void hp6_unrepaired_while_others_are_requeued(void **state)
{
	struct rqt_scene *s = *state;

	for (int i = 0; i < 4; i++)
		rqt_waiter_asleep(s, 0);
	run_to_death(s, broadcast_and_die);
	assert_int_equal(count_results(s, EOWNERDEAD), 1);
	assert_int_equal(count_results(s, ENOTRECOVERABLE), 3);
	for (int i = 0; i < 4; i++)
		if (s->waiters[i].result == ENOTRECOVERABLE)
			assert_int_not_equal(s->waiters[i].owner_seen,
					     atomic_load(&s->waiters[i].thread.tid));
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
	assert_int_equal(rqpi_mutex_lock(s->mutex), ENOTRECOVERABLE);
}

/* The mutex came through the wait, so it must be on the list as if it had been locked. */
static void hp6_owner_by_wait_dies_holding_it(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_new(s);

	w->keep = true;
	rqt_waiter_start(w, 0);
	rqt_wait_asleep(&w->thread);
	rqt_scene_signal(s, true);
	rqt_join(&w->thread);
	assert_int_equal(w->result, 0);
	assert_int_equal(rqpi_mutex_lock(s->mutex), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(s->mutex), 0);
	rqt_scene_unlock(s);
}

static void hp6_waiter_in_the_window_meets_a_dead_owner(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_in_window(s);

	w->after = repair;
	run_to_death(s, broadcast_and_die);
	rqt_hook_release(&w->thread.hook);
	rqt_join(&w->thread);
	assert_int_equal(w->result, EOWNERDEAD);
	rqt_scene_lock(s);
	rqt_scene_unlock(s);
}

static void hp6_timed_out_waiter_meets_a_dead_owner(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_new(s);

	w->timed = true;
	w->clock = CLOCK_MONOTONIC;
	w->deadline = rqt_in_ms(CLOCK_MONOTONIC, 30);
	w->after = repair;
	rqt_hook_stop(&w->thread.hook, rqt_wait_op(), 1, RQT_AFTER);
	rqt_waiter_start(w, 0);
	assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	run_to_death(s, lock_and_die);
	rqt_hook_release(&w->thread.hook);
	rqt_join(&w->thread);
	assert_int_equal(w->result, EOWNERDEAD);
	rqt_scene_lock(s);
	rqt_scene_unlock(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROBUST_CASE(dead_owner_is_reported_and_repaired),
	    ROBUST_CASE(dead_owner_is_reported_by_every_way_of_locking),
	    ROBUST_CASE(unrepaired_is_not_recoverable),
	    ROBUST_CASE(death_of_the_repairer_is_reported_again),
	    ROBUST_CASE(consistent_is_refused_where_it_makes_no_sense),
	    ROBUST_CASE(only_the_held_ones_of_many_are_marked),
	    ROBUST_CASE(hp6_owner_dies_while_waiters_are_requeued),
	    ROBUST_CASE(hp6_unrepaired_while_others_are_requeued),
	    ROBUST_CASE(hp6_owner_by_wait_dies_holding_it),
	    ROBUST_CASE(hp6_waiter_in_the_window_meets_a_dead_owner),
	    ROBUST_CASE(hp6_timed_out_waiter_meets_a_dead_owner),
	};

	rqt_program_begin();
	rqt_program_needs_robust();
	return cmocka_run_group_tests_name("robust", tests, NULL, NULL);
}
