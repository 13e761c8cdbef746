/* SPDX-License-Identifier: MIT */
/*
 * t_contended.c - many threads on one mutex of each type, with every function that locks, while
 * signals interrupt them: one at a time is inside, nothing is refused, nothing is left behind.
 */
#define _GNU_SOURCE
#include "ordinary.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 5
#define LOCKS	3000 /* of each thread */

struct crowd {
	pthread_mutex_t m;
	pthread_cond_t c;
	bool recursive;
	int ready;  /* atomic */
	int ended;  /* atomic */
	long count; /* plain: guarded by m */
	int inside; /* likewise */
	int wrong;  /* atomic: the first result that should not have been */
	long taken; /* atomic: how often anybody got it */
};

static void expect(struct crowd *c, bool right, int err)
{
	int none = 0;

	if (!right)
		__atomic_compare_exchange_n(&c->wrong, &none, err ? err : -1, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* 0: it is ours. */
static int lock_somehow(struct crowd *c, int how)
{
	struct timespec at;
	int err;

	switch (how % 4) {
	case 0:
		err = pthread_mutex_lock(&c->m);
		expect(c, err == 0, err);
		break;
	case 1:
		err = pthread_mutex_trylock(&c->m);
		expect(c, err == 0 || err == EBUSY, err);
		break;
	case 2:
		at = ord_in_ms(CLOCK_REALTIME, how % 3);
		err = pthread_mutex_timedlock(&c->m, &at);
		expect(c, err == 0 || err == ETIMEDOUT, err);
		break;
	default:
		at = ord_in_ms(CLOCK_MONOTONIC, 20000);
		err = pthread_mutex_clocklock(&c->m, CLOCK_MONOTONIC, &at);
		expect(c, err == 0, err);
	}
	return err;
}

static void be_inside(struct crowd *c, int how)
{
	expect(c, c->inside++ == 0, 1);
	c->count++;
	if (c->recursive && how % 5 == 0) {
		expect(c, pthread_mutex_trylock(&c->m) == 0, 2);
		c->count++;
		__atomic_fetch_add(&c->taken, 1, __ATOMIC_SEQ_CST);
		expect(c, pthread_mutex_unlock(&c->m) == 0, 3);
	}
	if (how % 11 == 0) {
		struct timespec at = ord_in_ms(CLOCK_REALTIME, 0);
		int err;

		c->inside--;
		err = pthread_cond_timedwait(&c->c, &c->m, &at);
		expect(c, err == 0 || err == ETIMEDOUT, err);
		expect(c, c->inside++ == 0, 4);
	} else if (how % 7 == 0) {
		pthread_cond_signal(&c->c);
	}
	c->inside--;
}

static void *lock_and_unlock(void *arg)
{
	struct crowd *c = arg;
	unsigned int seed = (unsigned int)ord_tid();

	__atomic_fetch_add(&c->ready, 1, __ATOMIC_SEQ_CST);
	ord_reaches(&c->ready, THREADS);
	for (int i = 0; i < LOCKS; i++) {
		int how = rand_r(&seed) & 0xffff;
		int err;

		if (lock_somehow(c, how))
			continue;
		__atomic_fetch_add(&c->taken, 1, __ATOMIC_SEQ_CST);
		be_inside(c, how / 4);
		err = pthread_mutex_unlock(&c->m);
		expect(c, err == 0, err);
	}
	__atomic_fetch_add(&c->ended, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void do_nothing(int number)
{
	(void)number;
}

static void contend(int type, int flags, int urgent)
{
	struct sigaction act = {.sa_handler = do_nothing}; /* without SA_RESTART */
	struct crowd c;
	struct ord_thread t[THREADS];

	memset(&c, 0, sizeof(c));
	ord_must(sigaction(SIGUSR1, &act, NULL));
	ord_must(ord_init_mutex(&c.m, type, flags));
	c.recursive = type == PTHREAD_MUTEX_RECURSIVE;
	for (int i = 0; i < THREADS; i++)
		ord_must(ord_start(&t[i], lock_and_unlock, &c, i < urgent ? 3 + i : 0));
	while (__atomic_load_n(&c.ended, __ATOMIC_SEQ_CST) < THREADS) {
		for (int i = 0; i < THREADS; i++)
			pthread_kill(t[i].handle, SIGUSR1); /* not joined: it is there */
		usleep(300);
	}
	for (int i = 0; i < THREADS; i++)
		ord_join(&t[i]);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(c.count, c.taken);
	assert_int_equal(c.m.__data.__lock, 0);
	assert_int_equal(c.m.__data.__nusers, 0);
	ord_must(pthread_cond_destroy(&c.c));
	ord_must(pthread_mutex_destroy(&c.m));
}

static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
			    PTHREAD_MUTEX_ADAPTIVE_NP};

static void ordinary_threads_contend(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		contend(types[i], 0, 0);
		contend(types[i], ORD_PI, 0);
	}
	contend(PTHREAD_MUTEX_NORMAL, ORD_ROBUST, 0);
	contend(PTHREAD_MUTEX_NORMAL, ORD_SHARED, 0);
}

static void urgent_and_ordinary_threads_contend(void **state)
{
	(void)state;
	ord_need_fifo();
	for (int i = 0; i < 3; i++) {
		contend(types[i], 0, 2);
		contend(types[i], ORD_PI, 2);
	}
	contend(PTHREAD_MUTEX_NORMAL, ORD_PI | ORD_ROBUST, 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_under_this_program_is_what_was_meant),
	    cmocka_unit_test(ordinary_threads_contend),
	    cmocka_unit_test(urgent_and_ordinary_threads_contend),
	};

	ord_begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
