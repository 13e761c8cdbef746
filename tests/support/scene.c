/* SPDX-License-Identifier: MIT */
/*
 * scene.c - see scene.h. Used by the condvar tests.
 */
#define _GNU_SOURCE
#include "tests/support/scene.h"

/* The stage of a case that was skipped (cmocka runs no teardown then) or that failed with threads
 * on it. */
static struct rqt_scene *left_over;

int rqt_scene_setup(void **state)
{
	struct rqt_scene *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	if (left_over && left_over->count == 0)
		free(left_over);
	left_over = s;
	rqt_plain_setup(state);
	s->mutex = &s->own_mutex;
	s->cond = &s->own_cond;
	*state = s;
	return 0;
}

int rqt_scene_teardown(void **state)
{
	struct rqt_scene *s = *state;

	for (unsigned int i = 0; i < s->count; i++)
		if (!s->waiters[i].thread.joined)
			return 0;
	left_over = NULL;
	free(s);
	return 0;
}

int rqt_wait_op(void)
{
	return rqpi_caps() & RQPI_CAP_REQUEUE_PI ? FUTEX_WAIT_REQUEUE_PI : FUTEX_WAIT_BITSET;
}

static unsigned int lock_calls(struct rqt_waiter *w)
{
	return rqt_hook_begun(&w->thread.hook, FUTEX_LOCK_PI) +
	       rqt_hook_begun(&w->thread.hook, FUTEX_LOCK_PI2);
}

static void clean_up_cancelled(void *arg)
{
	struct rqt_waiter *w = arg;

	w->owner_seen = rqpi_mutex_owner(w->mutex);
	atomic_fetch_add(&w->cleaned, 1);
	if (w->owner_seen == atomic_load(&w->thread.tid))
		rqpi_mutex_unlock(w->mutex);
}

static int wait_once(struct rqt_waiter *w)
{
	if (!w->timed)
		return rqpi_cond_wait(w->cond, w->mutex);
	return rqpi_cond_clockwait(w->cond, w->mutex, w->clock, &w->deadline);
}

static void waiter_body(struct rqt_thread *t)
{
	struct rqt_waiter *w = t->arg;
	unsigned int before;

	w->lock_result = rqpi_mutex_lock(w->mutex);
	if (w->before)
		w->before(w);
	before = lock_calls(w);
	pthread_cleanup_push(clean_up_cancelled, w);
	w->result = wait_once(w);
	pthread_cleanup_pop(0);
	w->lock_calls = lock_calls(w) - before;
	w->owner_seen = rqpi_mutex_owner(w->mutex);
	if (w->owner_seen != atomic_load(&t->tid))
		return;
	w->scene->served++;
	atomic_store(&w->place, w->scene->served);
	if (w->after)
		w->after(w);
	if (!w->keep)
		rqpi_mutex_unlock(w->mutex);
}

struct rqt_waiter *rqt_waiter_new(struct rqt_scene *s)
{
	struct rqt_waiter *w = &s->waiters[s->count];

	assert_true(s->count < RQT_WAITERS);
	s->count++;
	w->scene = s;
	w->mutex = s->mutex;
	w->cond = s->cond;
	w->result = -1;
	w->thread.body = waiter_body;
	w->thread.arg = w;
	return w;
}

void rqt_waiter_start(struct rqt_waiter *w, int prio)
{
	rqt_start(&w->thread, prio);
}

struct rqt_waiter *rqt_waiter_asleep(struct rqt_scene *s, int prio)
{
	struct rqt_waiter *w = rqt_waiter_new(s);

	rqt_waiter_start(w, prio);
	rqt_wait_asleep(&w->thread);
	return w;
}

struct rqt_waiter *rqt_waiter_asleep_until(struct rqt_scene *s, clockid_t clock, long ms)
{
	struct rqt_waiter *w = rqt_waiter_new(s);

	w->timed = true;
	w->clock = clock;
	w->deadline = rqt_in_ms(clock, ms);
	rqt_waiter_start(w, 0);
	/* On a busy machine its time may be over before it is seen asleep. */
	if (!rqt_asleep_within(&w->thread, RQT_SOON_MS))
		assert_true(atomic_load(&w->thread.done));
	return w;
}

struct rqt_waiter *rqt_waiter_stopped(struct rqt_scene *s, int cmd, enum rqt_place place)
{
	struct rqt_waiter *w = rqt_waiter_new(s);

	rqt_hook_stop(&w->thread.hook, cmd, 1, place);
	rqt_waiter_start(w, 0);
	if (place == RQT_BEFORE)
		assert_true(rqt_hook_wait_stopped(&w->thread.hook, RQT_SOON_MS));
	else
		rqt_wait_asleep(&w->thread);
	return w;
}

struct rqt_waiter *rqt_waiter_in_window(struct rqt_scene *s)
{
	return rqt_waiter_stopped(s, rqt_wait_op(), RQT_BEFORE);
}

void rqt_scene_lock(struct rqt_scene *s)
{
	assert_int_equal(rqpi_mutex_lock(s->mutex), 0);
}

void rqt_scene_unlock(struct rqt_scene *s)
{
	assert_int_equal(rqpi_mutex_unlock(s->mutex), 0);
}

void rqt_scene_signal(struct rqt_scene *s, bool held)
{
	if (held)
		rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_signal(s->cond), 0);
	if (held)
		rqt_scene_unlock(s);
}

void rqt_scene_broadcast(struct rqt_scene *s, bool held)
{
	if (held)
		rqt_scene_lock(s);
	assert_int_equal(rqpi_cond_broadcast(s->cond), 0);
	if (held)
		rqt_scene_unlock(s);
}

bool rqt_waiter_is_served(struct rqt_waiter *w)
{
	return atomic_load(&w->place) > 0;
}

static int served_now(struct rqt_scene *s)
{
	int n = 0;

	for (unsigned int i = 0; i < s->count; i++)
		n += rqt_waiter_is_served(&s->waiters[i]);
	return n;
}

void rqt_scene_served(struct rqt_scene *s, int n)
{
	int64_t end = rqt_now_ns(CLOCK_MONOTONIC) + (int64_t)RQT_SOON_MS * 1000000;

	while (served_now(s) < n) {
		if (rqt_now_ns(CLOCK_MONOTONIC) > end)
			fail_msg("%d waits returned, %d expected: a wakeup was lost", served_now(s),
				 n);
		rqt_sleep_ms(1);
	}
	rqt_scene_settle(s);
	assert_int_equal(served_now(s), n);
}

void rqt_scene_settle(struct rqt_scene *s)
{
	for (unsigned int i = 0; i < s->count; i++) {
		struct rqt_waiter *w = &s->waiters[i];

		while (!atomic_load(&w->thread.done))
			if (rqt_asleep_within(&w->thread, 1000))
				break;
	}
}

void rqt_scene_join_all(struct rqt_scene *s, int result)
{
	for (unsigned int i = 0; i < s->count; i++) {
		struct rqt_waiter *w = &s->waiters[i];

		rqt_join(&w->thread);
		assert_int_equal(w->result, result);
		assert_int_equal(w->owner_seen, atomic_load(&w->thread.tid));
	}
}
