/* SPDX-License-Identifier: MIT */
/*
 * t_fork.c - fork: thread ids are never stale, a mutex held across fork is the child's own copy
 * there (so the pthread_atfork pattern works), and the parent does not notice.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

#include <unistd.h>

/* In a child there is no cmocka: say which check failed by the exit status. */
#define CHILD_CHECK(n, ok)        \
	do {                      \
		if (!(ok))        \
			_exit(n); \
	} while (0)

static void expect_child(pid_t pid)
{
	assert_true(pid > 0);
	assert_int_equal(rqt_reap(pid, RQT_SOON_MS), 0);
}

static void the_childs_locks_carry_the_childs_id(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	pid_t pid;

	(void)state;
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	pid = fork();
	if (pid == 0) {
		rqt_in_child();
		CHILD_CHECK(1, rqpi_mutex_lock(&m) == 0);
		CHILD_CHECK(2, rqpi_mutex_owner(&m) == getpid());
		CHILD_CHECK(3, rqpi_mutex_lock(&m) == EDEADLK);
		CHILD_CHECK(4, rqpi_mutex_unlock(&m) == 0);
		_exit(0);
	}
	expect_child(pid);
}

/* Held across fork, in the kinds that live in one process. */
static void check_held_across_fork(int type, int robust)
{
	rqpi_mutexattr_t attr;
	rqpi_mutex_t m;
	pid_t pid;

	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_settype(&attr, type);
	rqpi_mutexattr_setrobust(&attr, robust);
	assert_int_equal(rqpi_mutex_init(&m, &attr), 0);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	pid = fork();
	if (pid == 0) {
		rqt_in_child();
		CHILD_CHECK(1, rqpi_mutex_unlock(&m) == 0);
		CHILD_CHECK(2, rqpi_mutex_owner(&m) == 0);
		CHILD_CHECK(3, rqpi_mutex_unlock(&m) == EPERM);
		for (int i = 0; i < 2; i++) {
			CHILD_CHECK(4, rqpi_mutex_lock(&m) == 0);
			CHILD_CHECK(5, rqpi_mutex_owner(&m) == getpid());
			CHILD_CHECK(6, rqpi_mutex_unlock(&m) == 0);
		}
		_exit(0);
	}
	expect_child(pid);
	assert_int_equal(rqpi_mutex_owner(&m), atomic_load(&rqt_main_thread.tid));
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_destroy(&m), 0);
}

static void held_across_fork_the_child_owns_its_copy(void **state)
{
	(void)state;
	for (int type = RQPI_MUTEX_NORMAL; type <= RQPI_MUTEX_ERRORCHECK; type++)
		check_held_across_fork(type, RQPI_STALLED);
}

static void held_across_fork_robust_too(void **state)
{
	(void)state;
	rqt_need_robust(__func__);
	for (int type = RQPI_MUTEX_NORMAL; type <= RQPI_MUTEX_ERRORCHECK; type++)
		check_held_across_fork(type, RQPI_ROBUST);
}

/* The child knows that it owns it: no second lock, no wait with another's rights. */
static void held_across_fork_the_child_knows(void **state)
{
	rqpi_mutex_t normal = RQPI_MUTEX_INITIALIZER;
	rqpi_mutex_t recursive = RQPI_RECURSIVE_MUTEX_INITIALIZER;
	rqpi_cond_t c = RQPI_COND_INITIALIZER;
	struct timespec past = {0, 0};
	pid_t pid;

	(void)state;
	assert_int_equal(rqpi_mutex_lock(&normal), 0);
	assert_int_equal(rqpi_mutex_lock(&recursive), 0);
	pid = fork();
	if (pid == 0) {
		rqt_in_child();
		CHILD_CHECK(1, rqpi_mutex_trylock(&normal) == EBUSY);
		CHILD_CHECK(2, rqpi_mutex_lock(&normal) == EDEADLK);
		CHILD_CHECK(3, rqpi_cond_timedwait(&c, &normal, &past) == ETIMEDOUT);
		CHILD_CHECK(4, rqpi_mutex_unlock(&normal) == 0);
		CHILD_CHECK(5, rqpi_mutex_lock(&recursive) == 0);
		CHILD_CHECK(6, rqpi_mutex_unlock(&recursive) == 0);
		CHILD_CHECK(7, rqpi_mutex_unlock(&recursive) == 0);
		CHILD_CHECK(8, rqpi_mutex_owner(&recursive) == 0);
		_exit(0);
	}
	expect_child(pid);
	assert_int_equal(rqpi_mutex_unlock(&normal), 0);
	assert_int_equal(rqpi_mutex_unlock(&recursive), 0);
}

/* A mutex held by another thread of the parent stays locked in the child; it is nobody's to unlock.
 */
static void hold_until_told(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_mutex_lock(s->mutex);
	atomic_store(&s->waiters[0].go, 1);
	rqt_reaches(&s->waiters[1].go, 1, 20000);
	t->value |= rqpi_mutex_unlock(s->mutex);
}

static void held_by_another_thread_it_is_not_the_childs(void **state)
{
	struct rqt_thread *t = calloc(1, sizeof(*t));
	struct rqt_scene *s = *state;
	pid_t pid;

	t->body = hold_until_told;
	t->arg = s;
	rqt_start(t, 0);
	assert_true(rqt_reaches(&s->waiters[0].go, 1, RQT_SOON_MS));
	pid = fork();
	if (pid == 0) {
		rqt_in_child();
		CHILD_CHECK(1, rqpi_mutex_unlock(s->mutex) == EPERM);
		CHILD_CHECK(2, rqpi_mutex_trylock(s->mutex) == EBUSY);
		_exit(0);
	}
	expect_child(pid);
	atomic_store(&s->waiters[1].go, 1);
	rqt_join(t);
	assert_int_equal(t->value, 0);
	free(t);
}

/* Threads of the parent wait; the child's copy of the condvar is usable after it was made again. */
static void the_childs_condvar_works_while_the_parents_waits(void **state)
{
	struct rqt_scene *s = *state;
	pid_t pid;

	rqt_waiter_asleep(s, 0);
	rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	pid = fork();
	if (pid == 0) {
		rqpi_cond_t fresh = RQPI_COND_INITIALIZER;
		struct timespec ts = rqt_in_ms(CLOCK_REALTIME, 20);

		rqt_in_child();
		*s->cond = fresh;
		CHILD_CHECK(1, rqpi_cond_timedwait(s->cond, s->mutex, &ts) == ETIMEDOUT);
		CHILD_CHECK(2, rqpi_mutex_owner(s->mutex) == getpid());
		CHILD_CHECK(3, rqpi_cond_signal(s->cond) == 0);
		CHILD_CHECK(4, rqpi_cond_broadcast(s->cond) == 0);
		CHILD_CHECK(5, rqpi_mutex_unlock(s->mutex) == 0);
		_exit(0);
	}
	expect_child(pid);
	rqt_scene_unlock(s);
	rqt_scene_broadcast(s, true);
	rqt_scene_join_all(s, 0);
}

static rqpi_mutex_t atfork_mutex = RQPI_MUTEX_INITIALIZER;

static void atfork_lock(void)
{
	if (rqpi_mutex_lock(&atfork_mutex) != 0)
		_exit(90);
}

static void atfork_unlock(void)
{
	if (rqpi_mutex_unlock(&atfork_mutex) != 0)
		_exit(91);
}

struct churn {
	_Atomic int stop;
	long guarded;
};

static void lock_and_unlock_for_ever(struct rqt_thread *t)
{
	struct churn *c = t->arg;

	while (!atomic_load(&c->stop)) {
		t->value |= rqpi_mutex_lock(&atfork_mutex);
		c->guarded++;
		t->value |= rqpi_mutex_unlock(&atfork_mutex);
	}
}

/* Threads fight for the mutex while the main thread forks with it held, as pthread_atfork()
 * intends. */
static void the_atfork_pattern_works_under_contention(void **state)
{
	struct rqt_thread *t = calloc(2, sizeof(*t));
	struct churn c = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		t[i].body = lock_and_unlock_for_ever;
		t[i].arg = &c;
		rqt_start(&t[i], 0);
	}
	for (int i = 0; i < 100; i++) {
		pid_t pid;

		atfork_lock();
		pid = fork();
		if (pid == 0) {
			atfork_unlock();
			rqt_in_child();
			CHILD_CHECK(1, rqpi_mutex_lock(&atfork_mutex) == 0);
			CHILD_CHECK(2, rqpi_mutex_owner(&atfork_mutex) == getpid());
			CHILD_CHECK(3, rqpi_mutex_unlock(&atfork_mutex) == 0);
			CHILD_CHECK(4, rqpi_mutex_destroy(&atfork_mutex) == 0);
			_exit(0);
		}
		atfork_unlock();
		expect_child(pid);
	}
	atomic_store(&c.stop, 1);
	for (int i = 0; i < 2; i++) {
		rqt_join(&t[i]);
		assert_int_equal(t[i].value, 0);
	}
	free(t);
}

/* A child of the child, and a thread made in the child. */
static void childs_thread(struct rqt_thread *t)
{
	rqpi_mutex_t *m = t->arg;

	t->value = rqpi_mutex_trylock(m) == EBUSY && rqpi_mutex_unlock(m) == EPERM ? 0 : 1;
}

static void a_thread_of_the_child_does_not_inherit_the_mutex(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	static struct rqt_thread t;
	pid_t pid;

	(void)state;
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	pid = fork();
	if (pid == 0) {
		rqt_in_child();
		t.body = childs_thread;
		t.arg = &m;
		rqt_start(&t, 0);
		CHILD_CHECK(1, rqt_join_within(&t, RQT_SOON_MS) && t.value == 0);
		CHILD_CHECK(2, rqpi_mutex_unlock(&m) == 0);
		_exit(0);
	}
	expect_child(pid);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
}

static void held_across_two_forks(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	pid_t pid;

	(void)state;
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	pid = fork();
	if (pid == 0) {
		pid_t second;

		rqt_in_child();
		second = fork();
		if (second == 0) {
			CHILD_CHECK(1, rqpi_mutex_unlock(&m) == 0);
			CHILD_CHECK(2, rqpi_mutex_lock(&m) == 0);
			CHILD_CHECK(3, rqpi_mutex_owner(&m) == getpid());
			_exit(0);
		}
		CHILD_CHECK(10, rqt_reap(second, RQT_SOON_MS) == 0);
		CHILD_CHECK(11, rqpi_mutex_unlock(&m) == 0);
		_exit(0);
	}
	expect_child(pid);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(the_childs_locks_carry_the_childs_id),
	    RQT_CASE(held_across_fork_the_child_owns_its_copy),
	    RQT_CASE(held_across_fork_robust_too),
	    RQT_CASE(held_across_fork_the_child_knows),
	    RQT_SCENE_CASE(held_by_another_thread_it_is_not_the_childs),
	    RQT_SCENE_CASE(the_childs_condvar_works_while_the_parents_waits),
	    RQT_CASE(the_atfork_pattern_works_under_contention),
	    RQT_CASE(a_thread_of_the_child_does_not_inherit_the_mutex),
	    RQT_CASE(held_across_two_forks),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
