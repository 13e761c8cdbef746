/* SPDX-License-Identifier: MIT */
/*
 * t_cancelled.c - threads that are cancelled in a wait, deferred and asynchronous, or end
 * themselves after one; handlers that wait; both clocks.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int kinds[] = {0, ORD_PI, ORD_PI | ORD_ROBUST};

struct scene {
	pthread_mutex_t m;
	pthread_cond_t c;
	int inside;  /* atomic */
	int tokens;  /* guarded by m */
	int owner;   /* what the mutex said in the handler */
	int cleaned; /* atomic */
	int result;
	bool async;
	bool times;
};

static void make(struct scene *s, int type, int flags)
{
	memset(s, 0, sizeof(*s));
	ord_must(ord_init_mutex(&s->m, type, flags));
	ord_must(ord_init_cond(&s->c, CLOCK_MONOTONIC, 0));
}

static void unmake(struct scene *s)
{
	assert_int_equal(s->m.__data.__lock, 0);
	ord_must(pthread_cond_destroy(&s->c));
	ord_must(pthread_mutex_destroy(&s->m));
}

static void clean_up(void *arg)
{
	struct scene *s = arg;

	s->owner = s->m.__data.__owner == ord_tid();
	s->result = pthread_mutex_unlock(&s->m);
	__atomic_fetch_add(&s->cleaned, 1, __ATOMIC_SEQ_CST);
}

static void *wait_for_token(void *arg)
{
	struct scene *s = arg;
	struct timespec at = ord_in_ms(CLOCK_MONOTONIC, 60000);
	int type;

	if (s->async)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	pthread_mutex_lock(&s->m);
	pthread_cleanup_push(clean_up, s);
	__atomic_fetch_add(&s->inside, 1, __ATOMIC_SEQ_CST);
	while (!s->tokens)
		s->times ? pthread_cond_timedwait(&s->c, &s->m, &at)
			 : pthread_cond_wait(&s->c, &s->m);
	s->tokens--;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &type);
	pthread_cleanup_pop(0);
	pthread_mutex_unlock(&s->m);
	return NULL;
}

static void start(struct ord_thread *t, struct scene *s)
{
	int before = __atomic_load_n(&s->inside, __ATOMIC_SEQ_CST);

	ord_must(ord_start(t, wait_for_token, s, 0));
	assert_true(ord_reaches(&s->inside, before + 1));
	assert_true(ord_asleep(t) >= 0);
}

static void a_cancelled_waiter_owns_the_mutex_in_its_handlers(void **state)
{
	(void)state;
	for (int i = 0; i < 24; i++) {
		struct scene s;
		struct ord_thread t;
		void *result;

		make(&s, i % 2 ? PTHREAD_MUTEX_ERRORCHECK : PTHREAD_MUTEX_RECURSIVE, kinds[i % 3]);
		s.async = i % 4 > 1;
		s.times = i > 11;
		start(&t, &s);
		ord_must(pthread_cancel(t.handle));
		ord_must(pthread_join(t.handle, &result));
		assert_ptr_equal(result, PTHREAD_CANCELED);
		assert_int_equal(s.cleaned, 1);
		assert_int_equal(s.owner, 1);
		assert_int_equal(s.result, 0);
		ord_must(pthread_mutex_trylock(&s.m));
		ord_must(pthread_mutex_unlock(&s.m));
		unmake(&s);
	}
}

/* A handler may wait in its turn, and the thread may end itself. */
static void *wait_then_exit(void *arg)
{
	struct scene *s = arg;

	pthread_mutex_lock(&s->m);
	pthread_cleanup_push(clean_up, s);
	__atomic_fetch_add(&s->inside, 1, __ATOMIC_SEQ_CST);
	while (!s->tokens)
		pthread_cond_wait(&s->c, &s->m);
	pthread_exit(s);
	pthread_cleanup_pop(0);
	return NULL;
}

static void a_thread_ends_itself_after_a_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct scene s;
		struct ord_thread t;
		void *result;

		make(&s, PTHREAD_MUTEX_ERRORCHECK, kinds[i]);
		ord_must(ord_start(&t, wait_then_exit, &s, 0));
		assert_true(ord_reaches(&s.inside, 1));
		assert_true(ord_asleep(&t) >= 0);
		ord_must(pthread_mutex_lock(&s.m));
		s.tokens = 1;
		ord_must(pthread_cond_signal(&s.c));
		ord_must(pthread_mutex_unlock(&s.m));
		ord_must(pthread_join(t.handle, &result));
		assert_ptr_equal(result, &s);
		assert_int_equal(s.owner, 1);
		assert_int_equal(s.result, 0);
		unmake(&s);
	}
}

static void wait_in_a_handler(void *arg)
{
	struct scene *s = arg;

	s->owner = s->m.__data.__owner == ord_tid();
	__atomic_fetch_add(&s->cleaned, 1, __ATOMIC_SEQ_CST);
	while (!s->tokens)
		pthread_cond_wait(&s->c, &s->m);
	s->result = pthread_mutex_unlock(&s->m);
}

static void *wait_twice(void *arg)
{
	struct scene *s = arg;

	pthread_mutex_lock(&s->m);
	pthread_cleanup_push(wait_in_a_handler, s);
	__atomic_fetch_add(&s->inside, 1, __ATOMIC_SEQ_CST);
	for (;;)
		pthread_cond_wait(&s->c, &s->m);
	pthread_cleanup_pop(0);
	return NULL;
}

static void a_cleanup_handler_waits_in_its_turn(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct scene s;
		struct ord_thread t;
		void *result;

		make(&s, PTHREAD_MUTEX_ERRORCHECK, kinds[i]);
		ord_must(ord_start(&t, wait_twice, &s, 0));
		assert_true(ord_reaches(&s.inside, 1));
		assert_true(ord_asleep(&t) >= 0);
		ord_must(pthread_cancel(t.handle));
		assert_true(ord_reaches(&s.cleaned, 1));
		assert_true(ord_asleep(&t) >= 0);
		ord_must(pthread_mutex_lock(&s.m));
		s.tokens = 1;
		ord_must(pthread_cond_signal(&s.c));
		ord_must(pthread_mutex_unlock(&s.m));
		ord_must(pthread_join(t.handle, &result));
		assert_ptr_equal(result, PTHREAD_CANCELED);
		assert_int_equal(s.owner, 1);
		assert_int_equal(s.result, 0);
		unmake(&s);
	}
}

/* The signal is not lost with a waiter that is cancelled at the same moment. */
static void a_cancelled_waiter_passes_the_signal_on(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		struct scene s;
		struct ord_thread t[2];
		void *result;

		make(&s, PTHREAD_MUTEX_NORMAL, kinds[i % 3]);
		start(&t[0], &s);
		start(&t[1], &s);
		ord_must(pthread_mutex_lock(&s.m));
		s.tokens = 1;
		if (i % 2)
			ord_must(pthread_cancel(t[0].handle));
		ord_must(pthread_cond_signal(&s.c));
		if (i % 2 == 0)
			ord_must(pthread_cancel(t[0].handle));
		ord_must(pthread_mutex_unlock(&s.m));
		ord_must(pthread_join(t[0].handle, &result));
		if (result != PTHREAD_CANCELED) {
			ord_must(pthread_mutex_lock(&s.m));
			s.tokens++;
			ord_must(pthread_cond_signal(&s.c));
			ord_must(pthread_mutex_unlock(&s.m));
		}
		ord_join(&t[1]);
		assert_int_equal(s.tokens, 0);
		unmake(&s);
	}
}

static void *be_cancelled_before_the_wait(void *arg)
{
	struct scene *s = arg;
	int state;

	pthread_mutex_lock(&s->m);
	pthread_cleanup_push(clean_up, s);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	__atomic_fetch_add(&s->inside, 1, __ATOMIC_SEQ_CST);
	ord_reaches(&s->tokens, 1); /* cancelled by then */
	pthread_setcancelstate(state, NULL);
	pthread_cond_wait(&s->c, &s->m);
	pthread_cleanup_pop(0);
	return NULL;
}

static void a_cancellation_of_before_is_noticed_by_the_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct scene s;
		struct ord_thread t;
		void *result;

		make(&s, PTHREAD_MUTEX_NORMAL, kinds[i]);
		ord_must(ord_start(&t, be_cancelled_before_the_wait, &s, 0));
		assert_true(ord_reaches(&s.inside, 1));
		ord_must(pthread_cancel(t.handle));
		__atomic_store_n(&s.tokens, 1, __ATOMIC_SEQ_CST);
		ord_must(pthread_join(t.handle, &result));
		assert_ptr_equal(result, PTHREAD_CANCELED);
		assert_int_equal(s.owner, 1);
		unmake(&s);
	}
}

/* A mutex is not a cancellation point: what waits for it gets it. */
static void *lock_and_test(void *arg)
{
	struct scene *s = arg;

	__atomic_fetch_add(&s->inside, 1, __ATOMIC_SEQ_CST);
	s->result = pthread_mutex_lock(&s->m);
	__atomic_fetch_add(&s->cleaned, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->m);
	pthread_testcancel();
	return NULL;
}

static void a_lock_is_no_cancellation_point(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct scene s;
		struct ord_thread t;
		void *result;

		make(&s, PTHREAD_MUTEX_NORMAL, kinds[i]);
		ord_must(pthread_mutex_lock(&s.m));
		ord_must(ord_start(&t, lock_and_test, &s, 0));
		assert_true(ord_reaches(&s.inside, 1));
		assert_true(ord_asleep(&t) >= 0);
		ord_must(pthread_cancel(t.handle));
		ord_must(pthread_mutex_unlock(&s.m));
		ord_must(pthread_join(t.handle, &result));
		assert_ptr_equal(result, PTHREAD_CANCELED);
		assert_int_equal(s.cleaned, 1);
		assert_int_equal(s.result, 0);
		unmake(&s);
	}
}

static void timed_waits_use_the_right_clock(void **state)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};

	(void)state;
	for (int i = 0; i < 6; i++) {
		clockid_t own = clocks[i % 2];
		clockid_t other = clocks[1 - i % 2];
		struct timespec now;
		struct timespec at;
		struct scene s;

		make(&s, PTHREAD_MUTEX_NORMAL, kinds[i / 2]);
		ord_must(pthread_cond_destroy(&s.c));
		ord_must(ord_init_cond(&s.c, own, 0));
		ord_must(pthread_mutex_lock(&s.m));
		at = ord_in_ms(own, 20);
		assert_int_equal(pthread_cond_timedwait(&s.c, &s.m, &at), ETIMEDOUT);
		clock_gettime(own, &now);
		assert_true(now.tv_sec > at.tv_sec ||
			    (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec));
		at = ord_in_ms(other, 20);
		assert_int_equal(pthread_cond_clockwait(&s.c, &s.m, other, &at), ETIMEDOUT);
		clock_gettime(other, &now);
		assert_true(now.tv_sec > at.tv_sec ||
			    (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec));
		assert_int_equal(pthread_cond_clockwait(&s.c, &s.m, CLOCK_PROCESS_CPUTIME_ID, &at),
				 EINVAL);
		ord_must(pthread_mutex_unlock(&s.m));
		unmake(&s);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(a_cancelled_waiter_owns_the_mutex_in_its_handlers),
	    cmocka_unit_test(a_thread_ends_itself_after_a_wait),
	    cmocka_unit_test(a_cleanup_handler_waits_in_its_turn),
	    cmocka_unit_test(a_cancelled_waiter_passes_the_signal_on),
	    cmocka_unit_test(a_cancellation_of_before_is_noticed_by_the_wait),
	    cmocka_unit_test(a_lock_is_no_cancellation_point),
	    cmocka_unit_test(timed_waits_use_the_right_clock),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
