/* SPDX-License-Identifier: MIT */
/*
 * t_time32.c - a 32-bit program whose time_t has 32 bits, with the library, whose own has 64.
 *
 * Compiled without what meson.build gives to all others: that time_t is the program's choice.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include <rqpi/rqpi.h>

_Static_assert(sizeof(time_t) == 4, "the whole point");

#define NSEC_PER_SEC 1000000000
#define END_OF_TIME  0x7fffffff

static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static struct timespec in_ms(clockid_t clock, int ms)
{
	int64_t at = now_ns(clock) + (int64_t)ms * 1000000;

	return (struct timespec){(time_t)(at / NSEC_PER_SEC), (long)(at % NSEC_PER_SEC)};
}

static void waits_end_at_their_time(void **state)
{
	rqpi_mutex_t m = RQPI_MUTEX_INITIALIZER;
	rqpi_cond_t c = RQPI_COND_INITIALIZER;

	(void)state;
	assert_int_equal(rqpi_mutex_lock(&m), 0);
	for (int i = 0; i < 2; i++) {
		int64_t begun = now_ns(clocks[i]);
		struct timespec at = in_ms(clocks[i], 60);

		assert_int_equal(rqpi_cond_clockwait(&c, &m, clocks[i], &at), ETIMEDOUT);
		assert_in_range(now_ns(clocks[i]) - begun, 60000000, 2000000000);
	}
	assert_int_equal(rqpi_cond_timedwait(&c, &m, &(struct timespec){-1, 0}), ETIMEDOUT);
	assert_int_equal(rqpi_cond_timedwait(&c, &m, &(struct timespec){0, NSEC_PER_SEC}), EINVAL);
	assert_int_equal(rqpi_cond_timedwait(&c, &m, &(struct timespec){0, -1}), EINVAL);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
}

/* The caller has it: a lock with a time waits for it in vain. */
static void locks_end_at_their_time(void **state)
{
	rqpi_mutex_t m = RQPI_ERRORCHECK_MUTEX_INITIALIZER;
	struct timespec end = {END_OF_TIME, NSEC_PER_SEC - 1};

	(void)state;
	assert_int_equal(rqpi_mutex_timedlock(&m, &end), 0);
	assert_int_equal(rqpi_mutex_unlock(&m), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rqpi_mutex_clocklock(&m, clocks[i], &end), 0);
		assert_int_equal(rqpi_mutex_clocklock(&m, clocks[i], &end), EDEADLK);
		assert_int_equal(rqpi_mutex_unlock(&m), 0);
	}
}

static rqpi_mutex_t held = RQPI_MUTEX_INITIALIZER;

/* Has the mutex between the two times that all meet. */
static void *hold(void *arg)
{
	pthread_barrier_t *meet = arg;
	int err = rqpi_mutex_lock(&held);

	pthread_barrier_wait(meet);
	pthread_barrier_wait(meet);
	err |= rqpi_mutex_unlock(&held);
	return err ? &held : NULL;
}

static void contended_locks_end_at_their_time(void **state)
{
	pthread_barrier_t meet;
	pthread_t holder;
	void *wrong;

	(void)state;
	pthread_barrier_init(&meet, NULL, 2);
	assert_int_equal(pthread_create(&holder, NULL, hold, &meet), 0);
	pthread_barrier_wait(&meet);
	for (int i = 0; i < 2; i++) {
		int64_t begun = now_ns(clocks[i]);
		struct timespec at = in_ms(clocks[i], 60);

		assert_int_equal(rqpi_mutex_clocklock(&held, clocks[i], &at), ETIMEDOUT);
		assert_in_range(now_ns(clocks[i]) - begun, 60000000, 2000000000);
	}
	pthread_barrier_wait(&meet);
	pthread_join(holder, &wrong);
	assert_null(wrong);
	pthread_barrier_destroy(&meet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(waits_end_at_their_time),
	    cmocka_unit_test(locks_end_at_their_time),
	    cmocka_unit_test(contended_locks_end_at_their_time),
	};

	return cmocka_run_group_tests_name("time32", tests, NULL, NULL);
}
