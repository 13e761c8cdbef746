/* SPDX-License-Identifier: MIT */
/*
 * t_cancel.c - hard point 5: a wait is a cancellation point in every one of its windows; the mutex
 * is owned when the first cleanup handler runs, and a signal the thread may have taken goes to
 * another waiter.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

#include <signal.h>
#include <unistd.h>
#include <sys/syscall.h>

static void expect_cancelled(struct rqt_waiter *w)
{
	rqt_join(&w->thread);
	assert_true(w->thread.cancelled);
	assert_int_equal(atomic_load(&w->cleaned), 1);
	assert_int_equal(w->owner_seen, atomic_load(&w->thread.tid));
}

/* The mutex is free and the condvar works: one waiter, one signal. */
static void expect_stage_is_clean(struct rqt_scene *s)
{
	struct rqt_waiter *w;

	assert_int_equal(rqpi_mutex_owner(s->mutex), 0);
	rqt_hook_reset();
	rqt_scene_signal(s, true);
	assert_int_equal(rqt_hook_total(RQT_ANY_OP), 0);
	w = rqt_waiter_asleep(s, 0);
	rqt_scene_signal(s, true);
	rqt_join(&w->thread);
	assert_int_equal(w->result, 0);
}

static void cancel_self(struct rqt_waiter *w)
{
	(void)w;
	pthread_cancel(pthread_self());
}

static void hp5_pending_when_the_wait_begins(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_new(s);

	w->before = cancel_self;
	rqt_waiter_start(w, 0);
	expect_cancelled(w);
	expect_stage_is_clean(s);
}

static void hp5_cancelled_while_asleep(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_asleep(s, 0);

	pthread_cancel(w->thread.handle);
	expect_cancelled(w);
	expect_stage_is_clean(s);
}

static void hp5_cancelled_while_asleep_with_a_deadline(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_asleep_until(s, CLOCK_REALTIME, 30000);

	pthread_cancel(w->thread.handle);
	expect_cancelled(w);
	expect_stage_is_clean(s);
}

static void hp5_cancelled_between_unlock_and_sleep(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_in_window(s);

	pthread_cancel(w->thread.handle);
	rqt_hook_release(&w->thread.hook);
	expect_cancelled(w);
	expect_stage_is_clean(s);
}

/* Signalled in the window, then cancelled there: the other one, which waited too, must have it. */
static void hp5_signalled_and_cancelled_in_the_window(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_in_window(s);
	struct rqt_waiter *other = rqt_waiter_in_window(s);

	rqt_hook_release(&other->thread.hook);
	rqt_wait_asleep(&other->thread);
	rqt_scene_signal(s, true);
	pthread_cancel(w->thread.handle);
	rqt_hook_release(&w->thread.hook);
	expect_cancelled(w);
	rqt_join(&other->thread);
	assert_int_equal(other->result, 0);
	expect_stage_is_clean(s);
}

static void wait_to_go(struct rqt_waiter *w)
{
	rqt_reaches(&w->go, 1, RQT_SOON_MS);
}

static void lock_body(struct rqt_thread *t)
{
	struct rqt_scene *s = t->arg;

	t->value = rqpi_mutex_lock(s->mutex);
	t->value |= rqpi_mutex_unlock(s->mutex);
}

/* Stopped around the unlock, which is a system call as somebody wants the mutex. */
static void check_around_unlock(struct rqt_scene *s, enum rqt_place place)
{
	struct rqt_waiter *w = rqt_waiter_new(s);
	struct rqt_thread *contender = calloc(1, sizeof(*contender));

	w->before = wait_to_go;
	rqt_hook_stop(&w->thread.hook, FUTEX_UNLOCK_PI, 1, place);
	rqt_waiter_start(w, 0);
	contender->body = lock_body;
	contender->arg = s;
	rqt_start(contender, 0);
	rqt_wait_asleep(contender);
	atomic_store(&w->go, 1);
	assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	pthread_cancel(w->thread.handle);
	rqt_hook_release(&w->thread.hook);
	expect_cancelled(w);
	rqt_join(contender);
	assert_int_equal(contender->value, 0);
	free(contender);
	expect_stage_is_clean(s);
}

static void hp5_cancelled_before_a_contended_unlock(void **state)
{
	check_around_unlock(*state, RQT_BEFORE);
}

static void hp5_cancelled_after_a_contended_unlock(void **state)
{
	check_around_unlock(*state, RQT_AFTER);
}

/* Requeued onto a held mutex, then cancelled: the signal goes on to the other one. */
static void hp5_cancelled_while_requeued_passes_the_signal_on(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_asleep(s, 0);
	struct rqt_waiter *other = rqt_waiter_asleep(s, 0);

	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	pthread_cancel(w->thread.handle);
	rqt_sleep_ms(20);
	assert_int_equal(atomic_load(&w->cleaned), 0); /* not before it owns the mutex */
	rqt_scene_unlock(s);
	/* Without requeue_pi it is waiting in the lock, no cancellation point, and has the signal
	 * itself. */
	rqt_join(&w->thread);
	if (w->thread.cancelled) {
		expect_cancelled(w);
		rqt_join(&other->thread);
		assert_int_equal(other->result, 0);
	} else {
		assert_int_equal(w->result, 0);
		rqt_scene_signal(s, true);
		rqt_join(&other->thread);
	}
	expect_stage_is_clean(s);
}

/* All are requeued, all are cancelled: all get the mutex, one by one. */
static void hp5_all_requeued_waiters_cancelled(void **state)
{
	struct rqt_scene *s = *state;

	rqt_need_requeue_pi(__func__);
	for (int i = 0; i < 5; i++)
		rqt_waiter_asleep(s, 0);
	rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	for (int i = 0; i < 5; i++)
		pthread_cancel(s->waiters[i].thread.handle);
	rqt_sleep_ms(20);
	rqt_scene_unlock(s);
	for (int i = 0; i < 5; i++)
		expect_cancelled(&s->waiters[i]);
	expect_stage_is_clean(s);
}

/* The kernel has given it the mutex, it has not run, and is cancelled. */
static void check_granted(struct rqt_scene *s, bool held)
{
	struct rqt_waiter *w = rqt_waiter_stopped(s, rqt_wait_op(), RQT_AFTER);
	struct rqt_waiter *other = rqt_waiter_asleep(s, 0);

	rqt_scene_signal(s, held);
	assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	if (rqpi_caps() & RQPI_CAP_REQUEUE_PI)
		assert_int_equal(rqpi_mutex_owner(s->mutex), atomic_load(&w->thread.tid));
	pthread_cancel(w->thread.handle);
	rqt_hook_release(&w->thread.hook);
	rqt_join(&w->thread);
	if (w->thread.cancelled) {
		expect_cancelled(w);
		assert_int_equal(w->lock_calls, 0);
	} else {
		assert_int_equal(w->result, 0);
		rqt_scene_signal(s, true);
	}
	rqt_join(&other->thread);
	assert_int_equal(other->result, 0);
	expect_stage_is_clean(s);
}

static void hp5_cancelled_when_granted_and_not_run(void **state)
{
	check_granted(*state, true);
}

static void hp5_cancelled_when_granted_without_mutex_held(void **state)
{
	check_granted(*state, false);
}

/* Cancelled while another holds the mutex: the handlers wait for it. */
static void hp5_cancelled_waiter_locks_before_its_handlers(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_asleep(s, 0);

	rqt_scene_lock(s);
	pthread_cancel(w->thread.handle);
	rqt_sleep_ms(RQT_NEVER_MS);
	assert_int_equal(atomic_load(&w->cleaned), 0);
	rqt_scene_unlock(s);
	expect_cancelled(w);
	expect_stage_is_clean(s);
}

static void disable_cancel(struct rqt_waiter *w)
{
	(void)w;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cancel(pthread_self());
}

static void disabled_cancellation_leaves_the_wait(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_new(s);

	w->before = disable_cancel;
	rqt_waiter_start(w, 0);
	rqt_wait_asleep(&w->thread);
	assert_true(rqt_stays_asleep(&w->thread));
	rqt_scene_signal(s, true);
	rqt_join(&w->thread);
	assert_false(w->thread.cancelled);
	assert_int_equal(w->result, 0);
	expect_stage_is_clean(s);
}

static void disable_only(struct rqt_waiter *w)
{
	(void)w;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
}

/*
 * glibc sends its SIGCANCEL (its first real-time signal, 32) and its handler in 2.36 looks at the
 * type of cancellation only. One that comes late, when the thread has disabled cancellation, spares
 * it.
 */
static void a_late_sigcancel_spares_who_disabled_it(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w;

	rqt_need_handlers(__func__);
	/* The handler is there from the first cancellation on. */
	w = rqt_waiter_asleep(s, 0);
	pthread_cancel(w->thread.handle);
	expect_cancelled(w);
	w = rqt_waiter_new(s);
	w->before = disable_only;
	rqt_waiter_start(w, 0);
	rqt_wait_asleep(&w->thread);
	/* glibc and musl both have it two below the program's own. */
	assert_int_equal(syscall(SYS_tgkill, getpid(), atomic_load(&w->thread.tid), SIGRTMIN - 2),
			 0);
	assert_true(rqt_stays_asleep(&w->thread));
	rqt_scene_signal(s, true);
	rqt_join(&w->thread);
	assert_false(w->thread.cancelled);
	assert_int_equal(w->result, 0);
	expect_stage_is_clean(s);
}

static void note_type(struct rqt_waiter *w)
{
	int type = -1;

	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
	w->thread.value = type;
}

static void the_cancel_type_is_as_before_the_wait(void **state)
{
	struct rqt_scene *s = *state;
	struct rqt_waiter *w = rqt_waiter_new(s);

	w->after = note_type;
	rqt_waiter_start(w, 0);
	rqt_wait_asleep(&w->thread);
	rqt_scene_signal(s, true);
	rqt_scene_join_all(s, 0);
	assert_int_equal(w->thread.value, PTHREAD_CANCEL_DEFERRED);
}

/* The depth of a recursive mutex is there again when the handlers run. */
static void lock_twice_more(struct rqt_waiter *w)
{
	w->lock_result |= rqpi_mutex_lock(w->mutex);
	w->lock_result |= rqpi_mutex_lock(w->mutex);
}

static void hp5_recursive_depth_is_restored(void **state)
{
	struct rqt_scene *s = *state;
	rqpi_mutex_t fresh = RQPI_RECURSIVE_MUTEX_INITIALIZER;
	struct rqt_waiter *w;

	*s->mutex = fresh;
	w = rqt_waiter_new(s);
	w->before = lock_twice_more;
	rqt_waiter_start(w, 0);
	rqt_wait_asleep(&w->thread);
	assert_int_equal(rqpi_mutex_trylock(s->mutex), 0);
	rqt_scene_unlock(s);
	pthread_cancel(w->thread.handle);
	expect_cancelled(w);
	/* The handler unlocked once, of three times: still its own. */
	assert_int_equal(rqpi_mutex_owner(s->mutex), atomic_load(&w->thread.tid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_SCENE_CASE(hp5_pending_when_the_wait_begins),
	    RQT_SCENE_CASE(hp5_cancelled_while_asleep),
	    RQT_SCENE_CASE(hp5_cancelled_while_asleep_with_a_deadline),
	    RQT_SCENE_CASE(hp5_cancelled_between_unlock_and_sleep),
	    RQT_SCENE_CASE(hp5_signalled_and_cancelled_in_the_window),
	    RQT_SCENE_CASE(hp5_cancelled_before_a_contended_unlock),
	    RQT_SCENE_CASE(hp5_cancelled_after_a_contended_unlock),
	    RQT_SCENE_CASE(hp5_cancelled_while_requeued_passes_the_signal_on),
	    RQT_SCENE_CASE(hp5_all_requeued_waiters_cancelled),
	    RQT_SCENE_CASE(hp5_cancelled_when_granted_and_not_run),
	    RQT_SCENE_CASE(hp5_cancelled_when_granted_without_mutex_held),
	    RQT_SCENE_CASE(hp5_cancelled_waiter_locks_before_its_handlers),
	    RQT_SCENE_CASE(disabled_cancellation_leaves_the_wait),
	    RQT_SCENE_CASE(a_late_sigcancel_spares_who_disabled_it),
	    RQT_SCENE_CASE(the_cancel_type_is_as_before_the_wait),
	    RQT_SCENE_CASE(hp5_recursive_depth_is_restored),
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
