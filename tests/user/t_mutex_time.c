/* SPDX-License-Identifier: MIT */
/*
 * t_mutex_time.c - timedlock and clocklock: both clocks, with and without LOCK_PI2, odd times; and
 * that a signal handler never ends a lock.
 */
#define _GNU_SOURCE
#include "tests/support/support.h"

#include <limits.h>
#include <signal.h>

/* A thread that holds a mutex until told. */
struct holder {
	struct rqt_thread thread;
	rqpi_mutex_t m;
	_Atomic int stage; /* 1: held */
	_Atomic int go;
};

static void hold(struct rqt_thread *t)
{
	struct holder *h = t->arg;

	t->value = rqpi_mutex_lock(&h->m);
	atomic_store(&h->stage, 1);
	rqt_reaches(&h->go, 1, 20000);
	t->value |= rqpi_mutex_unlock(&h->m);
}

static struct holder *hold_begin(int robust)
{
	struct holder *h = calloc(1, sizeof(*h));
	rqpi_mutexattr_t attr;

	rqpi_mutexattr_init(&attr);
	rqpi_mutexattr_setrobust(&attr, robust);
	assert_int_equal(rqpi_mutex_init(&h->m, &attr), 0);
	h->thread.body = hold;
	h->thread.arg = h;
	rqt_start(&h->thread, 0);
	assert_true(rqt_reaches(&h->stage, 1, RQT_SOON_MS));
	return h;
}

static void hold_end(struct holder *h)
{
	atomic_store(&h->go, 1);
	rqt_join(&h->thread);
	assert_int_equal(h->thread.value, 0);
	assert_int_equal(rqpi_mutex_owner(&h->m), 0);
	free(h);
}

static void check_runs_out(clockid_t clock, int robust)
{
	struct holder *h = hold_begin(robust);
	int64_t start = rqt_now_ns(clock);
	struct timespec ts = rqt_in_ms(clock, 50);

	assert_int_equal(rqpi_mutex_clocklock(&h->m, clock, &ts), ETIMEDOUT);
	assert_true(rqt_now_ns(clock) - start >= 50000000);
	assert_true(rqt_now_ns(clock) - start < 3000000000);
	hold_end(h);
}

static void runs_out_on_either_clock(void **state)
{
	(void)state;
	for (int robust = 0; robust < 1 + rqt_has_robust(); robust++) {
		check_runs_out(CLOCK_REALTIME, robust);
		check_runs_out(CLOCK_MONOTONIC, robust);
	}
}

static void timedlock_is_on_the_real_time_clock(void **state)
{
	struct holder *h = hold_begin(RQPI_STALLED);
	int64_t start = rqt_now_ns(CLOCK_MONOTONIC);
	struct timespec ts = rqt_in_ms(CLOCK_REALTIME, 40);

	(void)state;
	assert_int_equal(rqpi_mutex_timedlock(&h->m, &ts), ETIMEDOUT);
	assert_true(rqt_now_ns(CLOCK_MONOTONIC) - start >= 35000000);
	/* A time of the other clock lies decades back. */
	ts = rqt_in_ms(CLOCK_MONOTONIC, 5000);
	start = rqt_now_ns(CLOCK_MONOTONIC);
	assert_int_equal(rqpi_mutex_timedlock(&h->m, &ts), ETIMEDOUT);
	assert_true(rqt_now_ns(CLOCK_MONOTONIC) - start < 2000000000);
	hold_end(h);
}

static void odd_times_of_a_held_mutex(void **state)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
	struct holder *h = hold_begin(RQPI_STALLED);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct timespec ts = {-1, 0};

		assert_int_equal(rqpi_mutex_clocklock(&h->m, clocks[i], &ts), ETIMEDOUT);
		ts = (struct timespec){LONG_MIN, 999999999};
		assert_int_equal(rqpi_mutex_clocklock(&h->m, clocks[i], &ts), ETIMEDOUT);
		ts = (struct timespec){0, 0};
		assert_int_equal(rqpi_mutex_clocklock(&h->m, clocks[i], &ts), ETIMEDOUT);
		ts = rqt_in_ms(clocks[i], 1000);
		ts.tv_nsec = 1000000000;
		assert_int_equal(rqpi_mutex_clocklock(&h->m, clocks[i], &ts), EINVAL);
		ts.tv_nsec = -1;
		assert_int_equal(rqpi_mutex_clocklock(&h->m, clocks[i], &ts), EINVAL);
		assert_int_equal(rqpi_mutex_timedlock(&h->m, &ts), EINVAL);
	}
	hold_end(h);
}

static void other_clocks_are_refused(void **state)
{
	struct holder *h = hold_begin(RQPI_STALLED);
	struct timespec ts = rqt_in_ms(CLOCK_MONOTONIC, 100);

	(void)state;
	assert_int_equal(rqpi_mutex_clocklock(&h->m, CLOCK_BOOTTIME, &ts), EINVAL);
	assert_int_equal(rqpi_mutex_clocklock(&h->m, CLOCK_PROCESS_CPUTIME_ID, &ts), EINVAL);
	assert_int_equal(rqpi_mutex_clocklock(&h->m, (clockid_t)12345, &ts), EINVAL);
	hold_end(h);
}

static void the_time_is_not_looked_at_when_free(void **state)
{
	struct timespec past = {0, 0};
	struct timespec odd = {0, -5};
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;

	(void)state;
	assert_int_equal(rqpi_mutex_timedlock(&m, &past), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_timedlock(&m, &odd), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	assert_int_equal(rqpi_mutex_clocklock(&m, CLOCK_MONOTONIC, &past), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
}

struct timed_locker {
	struct rqt_thread thread;
	rqpi_mutex_t *m;
	clockid_t clock;
	struct timespec deadline;
};

static void lock_timed(struct rqt_thread *t)
{
	struct timed_locker *l = t->arg;

	t->value = rqpi_mutex_clocklock(l->m, l->clock, &l->deadline);
	if (t->value == 0)
		t->value = rqpi_mutex_unlock(l->m);
}

static struct timed_locker *lock_timed_begin(rqpi_mutex_t *m, clockid_t clock, struct timespec ts)
{
	struct timed_locker *l = calloc(1, sizeof(*l));

	l->m = m;
	l->clock = clock;
	l->deadline = ts;
	l->thread.body = lock_timed;
	l->thread.arg = l;
	rqt_start(&l->thread, 0);
	rqt_wait_asleep(&l->thread);
	return l;
}

/* Very far away is not long past: no overflow in the conversion between clocks. */
static void far_futures_do_not_run_out(void **state)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
	static const time_t seconds[] = {INT64_MAX, INT64_MAX / 1000000000 + 1, 0x7fffffff};
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct timespec ts = {seconds[i / 2], 999999999};
		struct timed_locker *l;

		assert_int_equal(rqpi_mutex_lock(&m), 0);
		l = lock_timed_begin(&m, clocks[i % 2], ts);
		assert_true(rqt_stays_asleep(&l->thread));
		assert_int_equal(rqpi_mutex_unlock(&m), 0);
		rqt_join(&l->thread);
		assert_int_equal(l->thread.value, 0);
		free(l);
	}
}

static void in_time_is_not_late(void **state)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct timed_locker *l;

		assert_int_equal(rqpi_mutex_lock(&m), 0);
		l = lock_timed_begin(&m, clocks[i], rqt_in_ms(clocks[i], 20000));
		assert_int_equal(rqpi_mutex_unlock(&m), 0);
		rqt_join(&l->thread);
		assert_int_equal(l->thread.value, 0);
		free(l);
	}
}

static void monotonic_uses_lock_pi2_where_there_is_one(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	struct timed_locker *l;
	bool have = (rqpi_caps() & RQPI_CAP_LOCK_PI2) != 0;

	(void)state;
	assert_int_equal(have, !rqt_is_denied("lock_pi2"));
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	l = lock_timed_begin(&m, CLOCK_MONOTONIC, rqt_in_ms(CLOCK_MONOTONIC, 20000));
	assert_true(rqt_is_asleep_in(&l->thread, have ? FUTEX_LOCK_PI2 : FUTEX_LOCK_PI));
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	rqt_join(&l->thread);
	assert_int_equal(l->thread.value, 0);
	free(l);
}

/* LOCK_PI2 goes away later: the lock is made with LOCK_PI and still ends in time. */
static void lock_pi2_taken_away_later(void **state)
{
	struct holder *h = hold_begin(RQPI_STALLED);
	int64_t start = rqt_now_ns(CLOCK_MONOTONIC);
	struct timespec ts = rqt_in_ms(CLOCK_MONOTONIC, 40);

	(void)state;
	rqt_hook_deny(FUTEX_LOCK_PI2, true);
	assert_int_equal(rqpi_mutex_clocklock(&h->m, CLOCK_MONOTONIC, &ts), ETIMEDOUT);
	assert_true(rqt_now_ns(CLOCK_MONOTONIC) - start >= 40000000);
	rqt_hook_deny(FUTEX_LOCK_PI2, false);
	assert_false(rqpi_caps() & RQPI_CAP_LOCK_PI2);
	hold_end(h);
}

static _Atomic int handler_runs;

static void count_run(int sig)
{
	(void)sig;
	atomic_fetch_add(&handler_runs, 1);
}

static void a_handler_does_not_end_a_lock(void **state)
{
	struct sigaction sa = {.sa_handler = count_run};
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	struct timed_locker *l;

	(void)state;
	rqt_need_handlers(__func__);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	l = lock_timed_begin(&m, CLOCK_MONOTONIC, rqt_in_ms(CLOCK_MONOTONIC, 20000));
	for (int i = 1; i <= 3; i++) {
		pthread_kill(l->thread.handle, SIGUSR1);
		assert_true(rqt_reaches(&handler_runs, i, RQT_SOON_MS));
		rqt_wait_asleep(&l->thread);
	}
	assert_false(atomic_load(&l->thread.done));
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	rqt_join(&l->thread);
	assert_int_equal(l->thread.value, 0);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RQT_CASE(runs_out_on_either_clock),
	    RQT_CASE(timedlock_is_on_the_real_time_clock),
	    RQT_CASE(odd_times_of_a_held_mutex),
	    RQT_CASE(other_clocks_are_refused),
	    RQT_CASE(the_time_is_not_looked_at_when_free),
	    RQT_CASE(far_futures_do_not_run_out),
	    RQT_CASE(in_time_is_not_late),
	    RQT_CASE(monotonic_uses_lock_pi2_where_there_is_one),
	    RQT_CASE(a_handler_does_not_end_a_lock),
	    RQT_CASE(lock_pi2_taken_away_later), /* last: the capability stays struck */
	};

	rqt_program_begin();
	return cmocka_run_group_tests_name("mutex_time", tests, NULL, NULL);
}
