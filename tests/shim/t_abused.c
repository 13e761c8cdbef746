/* SPDX-License-Identifier: MIT */
/*
 * t_abused.c - what POSIX leaves undefined and programs do all the same: unlocking for another
 * thread, locking twice to wait, circles, owners that exit.
 *
 * As libc alone treats it (which is why programs get away with it), and as --force-pi does: the
 * same as far as a PI mutex can, and told where it cannot.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool forced(void)
{
	return ord_under() == UNDER_FORCE;
}

struct call {
	pthread_mutex_t *m;
	struct timespec at;
	int done; /* atomic */
	int result;
};

static void finish(struct call *c, int result)
{
	c->result = result;
	__atomic_store_n(&c->done, 1, __ATOMIC_SEQ_CST);
}

static void *unlock_it(void *arg)
{
	struct call *c = arg;

	finish(c, pthread_mutex_unlock(c->m));
	return NULL;
}

static void *lock_it(void *arg)
{
	struct call *c = arg;

	finish(c, pthread_mutex_lock(c->m));
	return NULL;
}

static void *lock_and_unlock_it(void *arg)
{
	struct call *c = arg;
	int err = pthread_mutex_lock(c->m);

	finish(c, err ? err : pthread_mutex_unlock(c->m));
	return NULL;
}

static void *lock_it_twice(void *arg)
{
	struct call *c = arg;
	int err = pthread_mutex_lock(c->m);

	finish(c, err ? err : pthread_mutex_lock(c->m));
	return NULL;
}

static void run(struct call *c, void *(*body)(void *))
{
	struct ord_thread t;

	ord_must(ord_start(&t, body, c, 0));
	ord_join(&t);
}

static void another_thread_may_unlock_while_nobody_sleeps(void **state)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	struct call c = {.m = &m};

	(void)state;
	for (int i = 0; i < 3; i++) {
		ord_must(pthread_mutex_lock(&m));
		run(&c, unlock_it);
		assert_int_equal(c.result, 0);
		assert_int_equal(m.__data.__lock, 0);
		assert_int_equal(m.__data.__nusers, 0);
	}
	ord_must(pthread_mutex_destroy(&m));
}

/* libc hands it to the sleeper; of a PI mutex the kernel lets nobody but the owner do that. */
static void another_thread_unlocks_while_somebody_sleeps(void **state)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	struct call waiter = {.m = &m};
	struct call c = {.m = &m};
	struct ord_thread t;

	(void)state;
	ord_must(pthread_mutex_lock(&m));
	ord_must(ord_start(&t, lock_and_unlock_it, &waiter, 0));
	assert_int_equal(ord_asleep(&t), forced() ? FUTEX_LOCK_PI : FUTEX_WAIT);
	run(&c, unlock_it);
	assert_int_equal(c.result, forced() ? EPERM : 0);
	if (forced())
		ord_must(pthread_mutex_unlock(&m));
	ord_join(&t);
	assert_int_equal(waiter.result, 0);
	assert_int_equal(m.__data.__lock, 0);
}

/* A thread that locks twice sleeps until somebody unlocks: a semaphore. */
static void a_mutex_locked_twice_is_a_semaphore(void **state)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct call waiter = {.m = &m};
		struct call c = {.m = &m};
		struct ord_thread t;

		ord_must(ord_start(&t, lock_it_twice, &waiter, 0));
		assert_true(ord_asleep(&t) >= 0);
		run(&c, unlock_it);
		assert_int_equal(c.result, 0);
		ord_join(&t);
		assert_int_equal(waiter.result, 0);
		assert_int_equal(pthread_mutex_trylock(&m), EBUSY);
		run(&c, unlock_it); /* the thread that owns it has ended */
		assert_int_equal(c.result, 0);
	}
	ord_must(pthread_mutex_trylock(&m));
}

/* While one thread waits for itself, to another it is a mutex that somebody has, and no more. */
static void others_wait_for_a_mutex_that_its_owner_has_locked_twice(void **state)
{
	/* Both stay there for good, when this function has long returned. */
	static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	static struct call twice = {.m = &m};
	static struct call other = {.m = &m};
	static struct ord_thread t[2];
	struct timespec soon;

	(void)state;
	ord_must(ord_start(&t[0], lock_it_twice, &twice, 0));
	assert_true(ord_asleep(&t[0]) >= 0);
	soon = ord_in_ms(CLOCK_REALTIME, 30);
	assert_int_equal(pthread_mutex_timedlock(&m, &soon), ETIMEDOUT);
	assert_int_equal(pthread_mutex_trylock(&m), EBUSY);
	ord_must(ord_start(&t[1], lock_it, &other, 0));
	assert_true(ord_asleep(&t[1]) >= 0);
	usleep(250000); /* longer than any thread that is stuck sleeps at a time */
	assert_true(ord_is_asleep(&t[1]));
	assert_false(__atomic_load_n(&twice.done, __ATOMIC_SEQ_CST));
	assert_false(__atomic_load_n(&other.done, __ATOMIC_SEQ_CST));
}

struct pair {
	pthread_mutex_t a;
	pthread_mutex_t b;
	pthread_barrier_t both;
	int timed; /* the result */
	int first_unlock;
	int second_unlock;
	int plain;
};

static void *a_then_b(void *arg)
{
	struct pair *p = arg;

	pthread_mutex_lock(&p->a);
	pthread_barrier_wait(&p->both);
	p->plain = pthread_mutex_lock(&p->b);
	p->first_unlock = pthread_mutex_unlock(&p->b);
	p->second_unlock = pthread_mutex_unlock(&p->a);
	return NULL;
}

static void *b_then_a_for_a_while(void *arg)
{
	struct pair *p = arg;
	struct timespec at;

	pthread_mutex_lock(&p->b);
	pthread_barrier_wait(&p->both);
	at = ord_in_ms(CLOCK_REALTIME, 150);
	p->timed = pthread_mutex_timedlock(&p->a, &at);
	if (!p->timed)
		pthread_mutex_unlock(&p->a);
	pthread_mutex_unlock(&p->b);
	return NULL;
}

static void a_circle_of_two_ends_when_one_of_them_gives_up(void **state)
{
	struct pair p;
	struct ord_thread t[2];

	(void)state;
	memset(&p, 0, sizeof(p));
	pthread_barrier_init(&p.both, NULL, 2);
	ord_must(ord_start(&t[0], a_then_b, &p, 0));
	ord_must(ord_start(&t[1], b_then_a_for_a_while, &p, 0));
	ord_join(&t[0]);
	ord_join(&t[1]);
	assert_int_equal(p.timed, ETIMEDOUT);
	assert_int_equal(p.plain, 0);
	assert_int_equal(p.first_unlock, 0);
	assert_int_equal(p.second_unlock, 0);
	assert_int_equal(p.a.__data.__lock, 0);
	assert_int_equal(p.b.__data.__lock, 0);
	pthread_barrier_destroy(&p.both);
}

struct late {
	struct pair p;
	int go; /* atomic */
};

static void *a_then_b_for_a_while(void *arg)
{
	struct late *l = arg;
	struct timespec at;

	pthread_mutex_lock(&l->p.a);
	pthread_barrier_wait(&l->p.both);
	at = ord_in_ms(CLOCK_REALTIME, 400);
	l->p.timed = pthread_mutex_timedlock(&l->p.b, &at);
	l->p.first_unlock = pthread_mutex_unlock(&l->p.a);
	return NULL;
}

static void *b_then_a(void *arg)
{
	struct late *l = arg;

	pthread_mutex_lock(&l->p.b);
	pthread_barrier_wait(&l->p.both);
	ord_reaches(&l->go, 1);
	l->p.plain = pthread_mutex_lock(&l->p.a);
	pthread_mutex_unlock(&l->p.a);
	l->p.second_unlock = pthread_mutex_unlock(&l->p.b);
	return NULL;
}

/* The one that closes the circle waits without a time; the one that was there before gives up. */
static void who_closed_the_circle_gets_the_mutex_when_the_other_gives_up(void **state)
{
	struct late l;
	struct ord_thread t[2];

	(void)state;
	memset(&l, 0, sizeof(l));
	pthread_barrier_init(&l.p.both, NULL, 2);
	ord_must(ord_start(&t[0], a_then_b_for_a_while, &l, 0));
	ord_must(ord_start(&t[1], b_then_a, &l, 0));
	assert_true(ord_asleep(&t[0]) >= 0);
	__atomic_store_n(&l.go, 1, __ATOMIC_SEQ_CST);
	ord_join(&t[0]);
	ord_join(&t[1]);
	assert_int_equal(l.p.timed, ETIMEDOUT);
	assert_int_equal(l.p.first_unlock, 0);
	assert_int_equal(l.p.plain, 0);
	assert_int_equal(l.p.second_unlock, 0);
	assert_int_equal(l.p.a.__data.__lock, 0);
	assert_int_equal(l.p.b.__data.__lock, 0);
}

/* libc would sleep on; so does this, as far as anybody can see. */
static void a_mutex_whose_owner_has_exited_stays_locked(void **state)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	struct call c = {.m = &m};
	struct timespec soon;

	(void)state;
	run(&c, lock_it);
	assert_int_equal(c.result, 0);
	assert_int_equal(pthread_mutex_trylock(&m), EBUSY);
	soon = ord_in_ms(CLOCK_REALTIME, 150);
	assert_int_equal(pthread_mutex_timedlock(&m, &soon), ETIMEDOUT);
	soon = ord_in_ms(CLOCK_MONOTONIC, 20);
	assert_int_equal(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
	assert_int_equal(pthread_mutex_destroy(&m), EBUSY);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(another_thread_may_unlock_while_nobody_sleeps),
	    cmocka_unit_test(another_thread_unlocks_while_somebody_sleeps),
	    cmocka_unit_test(a_mutex_locked_twice_is_a_semaphore),
	    cmocka_unit_test(others_wait_for_a_mutex_that_its_owner_has_locked_twice),
	    cmocka_unit_test(a_circle_of_two_ends_when_one_of_them_gives_up),
	    cmocka_unit_test(who_closed_the_circle_gets_the_mutex_when_the_other_gives_up),
	    cmocka_unit_test(a_mutex_whose_owner_has_exited_stays_locked),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
