/* SPDX-License-Identifier: MIT */
/*
 * t_posix.c - requirements of POSIX that docs/posix.md lists and that no other file is about:
 * attributes, several mutexes at once, dead and mistaken owners, what is no cancellation point.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

#include <limits.h>

static void make_robust(rqpi_mutex_t *m, int type)
{
	rqpi_mutexattr_t attr;

	assert_int_equal(rqpi_mutexattr_init(&attr), 0);
	assert_int_equal(rqpi_mutexattr_settype(&attr, type), 0);
	assert_int_equal(rqpi_mutexattr_setrobust(&attr, RQPI_ROBUST), 0);
	assert_int_equal(rqpi_mutex_init(m, &attr), 0);
}

static void lock_and_exit(struct rqt_thread *t)
{
	t->value = rqpi_mutex_lock(t->arg);
}

/* A thread runs @body with @arg and ends. Returns its value. */
static int run(void (*body)(struct rqt_thread *t), void *arg)
{
	struct rqt_thread *t = calloc(1, sizeof(*t));
	int value;

	t->body = body;
	t->arg = arg;
	rqt_start(t, 0);
	rqt_join(t);
	value = t->value;
	free(t);
	return value;
}

static void attributes_count_at_init_only(void **state)
{
	rqpi_mutexattr_t attr;
	rqpi_mutex_t m;

	(void)state;
	assert_int_equal(rqpi_mutexattr_init(&attr), 0);
	assert_int_equal(rqpi_mutexattr_settype(&attr, RQPI_MUTEX_RECURSIVE), 0);
	assert_int_equal(rqpi_mutex_init(&m, &attr), 0);
	assert_int_equal(rqpi_mutexattr_settype(&attr, RQPI_MUTEX_NORMAL), 0);
	assert_int_equal(rqpi_mutexattr_destroy(&attr), 0);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
}

/* 2^32 locks take too long: the count, whose place is proved first, is set instead. */
static void recursion_has_an_end(void **state)
{
	rqpi_mutex_t m = RQPI_RECURSIVE_MUTEX_INITIALIZER;

	(void)state;
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(m.u32_[2], 1);
	m.u32_[2] = UINT32_MAX;
	assert_int_equal(rqpi_mutex_lock(&m), EAGAIN);
	assert_int_equal(rqpi_mutex_trylock(&m), EAGAIN);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	m.u32_[2] = 0;
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_owner(&m), 0);
}

static void lock_and_unlock(struct rqt_thread *t)
{
	t->value = rqpi_mutex_lock(t->arg);
	t->value |= rqpi_mutex_unlock(t->arg);
}

/* The owner of two mutexes runs at the highest priority of all waiters, and loses one at a time. */
static void several_held_mutexes_lend_the_highest_priority(void **state)
{
	rqpi_mutex_t m[2] = {RQPI_MUTEX_INITIALIZER, RQPI_MUTEX_INITIALIZER};
	struct rqt_thread *t = calloc(2, sizeof(*t));
	pid_t self = atomic_load(&rqt_main_thread.tid);

	(void)state;
	rqt_need_fifo(__func__);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rqpi_mutex_lock(&m[i]), 0);
		t[i].body = lock_and_unlock;
		t[i].arg = &m[i];
		rqt_start(&t[i], 20 + 10 * i);
		rqt_wait_asleep(&t[i]);
		assert_int_equal(rqt_kernel_prio(self), -1 - (20 + 10 * i));
	}
	assert_int_equal(rqpi_mutex_unlock(&m[1]), 0);
	assert_int_equal(rqt_kernel_prio(self), -1 - 20);
	assert_int_equal(rqpi_mutex_unlock(&m[0]), 0);
	assert_true(rqt_kernel_prio(self) >= 0);
	for (int i = 0; i < 2; i++) {
		rqt_join(&t[i]);
		assert_int_equal(t[i].value, 0);
	}
	free(t);
}

struct mortal {
	rqpi_mutex_t m;
	_Atomic int held;
	_Atomic int die;
};

static void lock_and_die_when_told(struct rqt_thread *t)
{
	struct mortal *o = t->arg;

	t->value = rqpi_mutex_lock(&o->m);
	atomic_store(&o->held, 1);
	rqt_reaches(&o->die, 1, 20000);
}

/* Beyond POSIX: the kernel hands a stalled mutex to those who wait when its owner dies. */
static void waiters_get_a_stalled_mutex_of_a_dead_owner(void **state)
{
	struct rqt_thread *t = calloc(3, sizeof(*t));
	struct mortal *o = calloc(1, sizeof(*o));

	(void)state;
	t[0].body = lock_and_die_when_told;
	t[0].arg = o;
	rqt_start(&t[0], 0);
	assert_true(rqt_reaches(&o->held, 1, RQT_SOON_MS));
	for (int i = 1; i < 3; i++) {
		t[i].body = lock_and_unlock;
		t[i].arg = &o->m;
		rqt_start(&t[i], 0);
		rqt_wait_asleep(&t[i]);
	}
	atomic_store(&o->die, 1);
	for (int i = 0; i < 3; i++) {
		rqt_join(&t[i]);
		assert_int_equal(t[i].value, 0);
	}
	assert_int_equal(rqpi_mutex_lock(&o->m), 0);
	assert_int_equal(rqpi_mutex_unlock(&o->m), 0);
	assert_int_equal(rqpi_mutex_destroy(&o->m), 0);
	free(o);
	free(t);
}

static void lock_twice_and_exit(struct rqt_thread *t)
{
	t->value = rqpi_mutex_lock(t->arg);
	t->value |= rqpi_mutex_lock(t->arg);
}

/* The new owner of a recursive robust mutex has locked it once, however often the dead one had. */
static void a_dead_owners_depth_is_forgotten(void **state)
{
	static rqpi_mutex_t m; /* a failure leaves it on our robust list */

	(void)state;
	rqt_need_robust(__func__);
	make_robust(&m, RQPI_MUTEX_RECURSIVE);
	assert_int_equal(run(lock_twice_and_exit, &m), 0);
	assert_int_equal(rqpi_mutex_lock(&m), EOWNERDEAD);
	assert_int_equal(rqpi_mutex_consistent(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_owner(&m), 0);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
}

static void say_consistent(struct rqt_thread *t)
{
	t->value = rqpi_mutex_consistent(t->arg);
}

static void only_the_owner_can_say_consistent(void **state)
{
	static rqpi_mutex_t m; /* a failure leaves it on our robust list */

	(void)state;
	rqt_need_robust(__func__);
	make_robust(&m, RQPI_MUTEX_NORMAL);
	assert_int_equal(run(lock_and_exit, &m), 0);
	assert_int_equal(rqpi_mutex_consistent(&m), EINVAL);
	assert_int_equal(rqpi_mutex_lock(&m), EOWNERDEAD);
	assert_int_equal(run(say_consistent, &m), EINVAL);
	assert_int_equal(rqpi_mutex_consistent(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
}

/* A wait unlocks, and unlocking an inconsistent mutex makes it not recoverable. */
static void a_wait_with_an_inconsistent_mutex_gives_it_up(void **state)
{
	struct rqt_scene *s = *state;
	struct timespec past = {0, 0};

	rqt_need_robust(__func__);
	make_robust(s->mutex, RQPI_MUTEX_NORMAL);
	assert_int_equal(run(lock_and_exit, s->mutex), 0);
	assert_int_equal(rqpi_mutex_lock(s->mutex), EOWNERDEAD);
	assert_int_equal(rqpi_cond_timedwait(s->cond, s->mutex, &past), ENOTRECOVERABLE);
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
	assert_int_equal(rqpi_mutex_unlock(s->mutex), EPERM);
	assert_int_equal(rqpi_mutex_lock(s->mutex), ENOTRECOVERABLE);
}

/* The holder died: the kernel cannot move anybody onto its mutex. The wait ends by its time. */
static void a_signal_onto_a_dead_owners_mutex_says_so(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	rqt_need_requeue_pi(__func__);
	w = rqt_waiter_asleep_until(s, CLOCK_MONOTONIC, 400);
	assert_int_equal(run(lock_and_exit, s->mutex), 0);
	assert_int_equal(rqpi_cond_signal(s->cond), ESRCH);
	assert_int_equal(rqpi_cond_broadcast(s->cond), ESRCH);
	rqt_join(&w->thread);
	assert_int_equal(w->result, ESRCH);
	assert_int_not_equal(w->owner_seen, atomic_load(&w->thread.tid));
}

struct cycle {
	struct rqt_thread holder;
	struct rqt_scene *scene;
	rqpi_mutex_t other; /* the waiter owns it, the holder of the scene's mutex waits for it */
	int unlock_result;
};

static void hold_and_want_the_other(struct rqt_thread *t)
{
	struct cycle *c = t->arg;

	t->value = rqpi_mutex_lock(c->scene->mutex);
	t->value |= rqpi_mutex_lock(&c->other);
	t->value |= rqpi_mutex_unlock(&c->other);
	t->value |= rqpi_mutex_unlock(c->scene->mutex);
}

static void wait_with_the_other(struct rqt_thread *t)
{
	struct cycle *c = t->arg;
	struct timespec end = rqt_in_ms(CLOCK_MONOTONIC, 600);
	int err = rqpi_mutex_lock(&c->other) | rqpi_mutex_lock(c->scene->mutex);

	t->value = err;
	if (!err)
		t->value = rqpi_cond_clockwait(c->scene->cond, c->scene->mutex, CLOCK_MONOTONIC,
					       &end);
	c->unlock_result = rqpi_mutex_unlock(&c->other);
}

/* W waits, and owns A; H owns the mutex and waits for A: to release W would be a deadlock. */
static void a_signal_into_a_deadlock_says_so(void **state)
{
	struct rqt_thread *waiter;
	struct cycle *c;

	rqt_need_requeue_pi(__func__);
	c = calloc(1, sizeof(*c));
	waiter = calloc(1, sizeof(*waiter));
	c->scene = *state;
	waiter->body = wait_with_the_other;
	waiter->arg = c;
	rqt_start(waiter, 0);
	rqt_wait_asleep(waiter);
	c->holder.body = hold_and_want_the_other;
	c->holder.arg = c;
	rqt_start(&c->holder, 0);
	rqt_wait_asleep(&c->holder);
	assert_int_equal(rqpi_cond_signal(c->scene->cond), EDEADLK);
	/* The wait ends by its time, and locking the mutex again is the same deadlock. */
	rqt_join(waiter);
	assert_int_equal(waiter->value, EDEADLK);
	assert_int_equal(c->unlock_result, 0);
	rqt_join(&c->holder);
	assert_int_equal(c->holder.value, 0);
	assert_int_equal(rqpi_mutex_owner(c->scene->mutex), 0);
	free(waiter);
	free(c);
}

/* Cancelled from the start: goes through everything that is no cancellation point, then ends. */
static void do_all_but_wait(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;
	struct timespec far = rqt_in_ms(CLOCK_REALTIME, 20000);
	int err;

	pthread_cancel(pthread_self());
	err = rqpi_mutex_lock(s->mutex); /* held by another: sleeps */
	err |= rqpi_mutex_unlock(s->mutex);
	err |= rqpi_mutex_trylock(s->mutex);
	err |= rqpi_mutex_unlock(s->mutex);
	err |= rqpi_mutex_timedlock(s->mutex, &far);
	err |= rqpi_cond_signal(s->cond);
	err |= rqpi_cond_broadcast(s->cond);
	err |= rqpi_mutex_unlock(s->mutex);
	err |= rqpi_cond_destroy(s->cond);
	err |= rqpi_mutex_destroy(s->mutex);
	t->value = err ? err : 4711;
	pthread_testcancel();
	t->value = -1;
}

static void nothing_but_a_wait_is_a_cancellation_point(void **state)
{
	struct rqt_thread *t = calloc(1, sizeof(*t));
	struct rqt_scene *s = *state;

	t->body = do_all_but_wait;
	t->arg = s;
	rqt_scene_lock(s);
	rqt_start(t, 0);
	rqt_wait_asleep(t);
	assert_true(rqt_stays_asleep(t));
	rqt_scene_unlock(s);
	rqt_join(t);
	assert_true(t->cancelled);
	assert_int_equal(t->value, 4711);
	free(t);
}

static void a_wait_for_ever_does_not_run_out(void **state)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
	struct rqt_scene *s = *state;

	for (int i = 0; i < 2; i++) {
		struct rqt_waiter *w = rqt_waiter_new(s);

		w->timed = true;
		w->clock = clocks[i];
		w->deadline = (struct timespec){LONG_MAX, 999999999};
		rqt_waiter_start(w, 0);
		rqt_wait_asleep(&w->thread);
		assert_true(rqt_stays_asleep(&w->thread));
		rqt_scene_signal(s, true);
		rqt_join(&w->thread);
		assert_int_equal(w->result, 0);
	}
}

/* The time bounds the sleep; the mutex is waited for however long it takes. */
static void locking_again_is_not_bounded_by_the_time(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_asleep_until(s, CLOCK_MONOTONIC, 40);

	rqt_scene_lock(s);
	rqt_sleep_ms(40 + RQT_NEVER_MS);
	assert_false(atomic_load(&w->thread.done));
	rqt_scene_unlock(s);
	rqt_join(&w->thread);
	assert_int_equal(w->result, ETIMEDOUT);
	assert_int_equal(w->owner_seen, atomic_load(&w->thread.tid));
}

static void share(struct rqt_scene *s)
{
	rqpi_mutexattr_t mutexattr;
	rqpi_condattr_t condattr;

	rqpi_mutexattr_init(&mutexattr);
	assert_int_equal(rqpi_mutexattr_setpshared(&mutexattr, RQPI_PROCESS_SHARED), 0);
	assert_int_equal(rqpi_mutex_init(s->mutex, &mutexattr), 0);
	rqpi_condattr_init(&condattr);
	assert_int_equal(rqpi_condattr_setpshared(&condattr, RQPI_PROCESS_SHARED), 0);
	assert_int_equal(rqpi_cond_init(s->cond, &condattr), 0);
}

/* Cancelled when released: asleep on the mutex (@requeued), or awake and not out of the wait. */
static void check_cancelled_shared(struct rqt_scene *s, bool requeued)
{
	struct rqt_waiter *w;
	struct rqt_waiter *other;

	share(s);
	w = requeued ? rqt_waiter_asleep(s, 0) : rqt_waiter_stopped(s, rqt_wait_op(), RQT_AFTER);
	other = rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	if (!requeued) {
		rqt_scene_unlock(s);
		assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	}
	pthread_cancel(w->thread.handle);
	rqt_hook_release(&w->thread.hook);
	rqt_sleep_ms(20);
	if (requeued)
		rqt_scene_unlock(s);
	rqt_join(&w->thread);
	if (w->thread.cancelled) {
		assert_int_equal(w->owner_seen, atomic_load(&w->thread.tid));
	} else { /* without requeue_pi it was in the lock, which is no cancellation point */
		assert_int_equal(w->result, 0);
		rqt_scene_signal(s, true);
	}
	rqt_join(&other->thread);
	assert_int_equal(other->result, 0);
	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
}

/* A process-shared condvar has no channel to remember things in: the same by other means. */
static void a_cancelled_shared_wait_passes_the_signal_on(void **state)
{
	check_cancelled_shared(*state, true);
}

static void a_shared_wait_cancelled_on_its_way_out_does_too(void **state)
{
	check_cancelled_shared(*state, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(attributes_count_at_init_only),
	    RQT_CASE(recursion_has_an_end),
	    RQT_CASE(several_held_mutexes_lend_the_highest_priority),
	    RQT_CASE(waiters_get_a_stalled_mutex_of_a_dead_owner),
	    RQT_CASE(a_dead_owners_depth_is_forgotten),
	    RQT_CASE(only_the_owner_can_say_consistent),
	    RQT_SCENE_CASE(a_wait_with_an_inconsistent_mutex_gives_it_up),
	    RQT_SCENE_CASE(a_signal_onto_a_dead_owners_mutex_says_so),
	    RQT_SCENE_CASE(a_signal_into_a_deadlock_says_so),
	    RQT_SCENE_CASE(nothing_but_a_wait_is_a_cancellation_point),
	    RQT_SCENE_CASE(a_wait_for_ever_does_not_run_out),
	    RQT_SCENE_CASE(locking_again_is_not_bounded_by_the_time),
	    RQT_SCENE_CASE(a_cancelled_shared_wait_passes_the_signal_on),
	    RQT_SCENE_CASE(a_shared_wait_cancelled_on_its_way_out_does_too),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("posix", tests, NULL, NULL);
}
